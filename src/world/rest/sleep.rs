//! Tickers that sleep: their owner has said that a pass would find nothing to do.
//!
//! A pass that is not played counts all the same: its number addresses draws and orders events.

use super::super::core::{Core, purpose};
use crate::engine::{Rhythm, SimTime};
use crate::infra::{ActivityId, ProcessId};

impl Core {
    /// A ticker's passes are not played from now on, unless all are.
    pub(in crate::world) fn sleep(&mut self, id: ProcessId, activity: ActivityId) {
        let plays_all = self.plays_all();
        let process = self.datacenter.processes.get_mut(id);
        let Some(rhythmic) = process.activity(activity).filter(|_| !plays_all) else { return };
        let is_even = rhythmic.activity.jitter_percent == 0;
        if rhythmic.activity.rhythm != Rhythm::Ticker || !is_even || rhythmic.asleep.is_some() {
            return;
        }
        let Some(last) = rhythmic.last else { return };
        rhythmic.timer.cancel();
        rhythmic.asleep = Some(last + rhythmic.activity.period);
    }

    /// A ticker goes on where it would be; when its last pass was that was not played, if one was.
    pub(in crate::world) fn wake(
        &mut self,
        id: ProcessId,
        activity: ActivityId,
    ) -> Option<SimTime> {
        let now = self.now;
        let process = self.datacenter.processes.get_mut(id);
        let rhythmic = process.activity(activity)?;
        let first = rhythmic.asleep.take()?;
        let period = rhythmic.activity.period;
        let whole = match first <= now {
            true => now.since(first).as_micros() / period.as_micros(),
            false => 0,
        };
        let latest = first + period * whole;
        let purpose = purpose::ACTIVITY + u16::from(activity.0);
        let passed = whole + u64::from(self.has_come(latest, id, id, purpose));
        let next = first + period * passed;
        let process = self.datacenter.processes.get_mut(id);
        let rhythmic = process.activity(activity).expect("just seen");
        rhythmic.count += passed;
        let last = passed.checked_sub(1).map(|before| first + period * before);
        rhythmic.last = last.or(rhythmic.last);
        self.arm(id, activity, next.since(now), self.step);
        last
    }

    /// All tickers of a process go on.
    pub(in crate::world) fn wake_tickers(&mut self, id: ProcessId) {
        let activities = self.datacenter.processes.get(id).sleeping();
        activities.into_iter().for_each(|activity| _ = self.wake(id, activity));
    }

    /// Those of all processes do.
    pub(super) fn wake_all_tickers(&mut self) {
        let all: Vec<ProcessId> = self.datacenter.processes.iter().map(|(id, _)| id).collect();
        all.into_iter().for_each(|id| self.wake_tickers(id));
    }
}
