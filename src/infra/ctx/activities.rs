//! What a process does again and again, by a clock: declared, not re-armed by hand.

use super::Ctx;
use crate::engine::{Activity, Phase, Rhythm, SimTime};
use crate::infra::{ActivityId, Effect};

impl<E> Ctx<'_, E> {
    /// Declares a periodic activity; it ticks until the process ends.
    pub fn every(&mut self, id: ActivityId, activity: Activity, phase: Phase) {
        assert!(!activity.period.is_zero(), "what ticks without a pause never lets time pass");
        let draw = self.activity_draw(id, 0);
        let pause = self.process.declare(id, activity).first_pause(phase, draw);
        self.effects.push(Effect::Arm(id, pause));
    }

    /// Ends a pass of an activity whose pause counts from there.
    pub fn rest(&mut self, id: ActivityId) {
        let Some(rhythmic) = self.process.activity(id) else { return };
        assert!(rhythmic.activity.rhythm == Rhythm::AfterEnd, "a ticker does not rest");
        let (activity, count) = (rhythmic.activity, rhythmic.count);
        let draw = if activity.jitter_percent == 0 { 0 } else { self.activity_draw(id, count) };
        let rhythmic = self.process.activity(id).expect("declared just above");
        let pause = rhythmic.pause(draw);
        self.effects.push(Effect::Arm(id, pause));
    }

    /// When an activity took place last.
    pub fn last(&mut self, id: ActivityId) -> Option<SimTime> {
        self.process.activity(id).and_then(|rhythmic| rhythmic.last)
    }

    /// How often an activity has taken place.
    pub fn count(&mut self, id: ActivityId) -> u64 {
        self.process.activity(id).map_or(0, |rhythmic| rhythmic.count)
    }

    /// Says that a ticker finds nothing to do until it is woken: its passes need not be played.
    pub fn sleep(&mut self, id: ActivityId) {
        self.effects.push(Effect::Sleep(id));
    }

    /// Says that a ticker may have something to do: it goes on in its old rhythm.
    pub fn wake(&mut self, id: ActivityId) {
        self.effects.push(Effect::Wake(id));
    }
}
