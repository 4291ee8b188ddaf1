//! Timers cancelled by generation, and periodic activities that are declared instead of re-armed.
//!
//! Nothing is ever searched in the queue: an old setting falls due, and is not current any more.

use super::random::below;
use super::{Duration, SimTime};

/// One alarm clock of a process; setting it anew makes every earlier setting stale.
#[derive(Clone, Debug, Default)]
pub struct Timer {
    generation: u32,
}

/// Which setting of a timer an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u32);

impl Timer {
    /// Starts a new setting; every earlier one goes stale.
    pub fn restart(&mut self) -> Generation {
        self.generation += 1;
        Generation(self.generation)
    }

    /// Makes every setting stale.
    pub fn cancel(&mut self) {
        self.generation += 1;
    }

    /// True if `due` belongs to the latest setting.
    pub fn is_current(&self, due: Generation) -> bool {
        self.generation == due.0
    }
}

/// One alarm clock for many deadlines: it is set for the earliest, and again when that has come.
///
/// What was set for a later one rings in vain. Who takes that for the earliest sets one more each time: of a
/// simulated day's events one in twelve was such an alarm.
#[derive(Clone, Debug, Default)]
pub struct Earliest(Option<SimTime>);

impl Earliest {
    /// Takes in a deadline; true if the clock has to be set for it.
    pub fn set(&mut self, deadline: SimTime) -> bool {
        let is_earlier = self.0.is_none_or(|at| deadline < at);
        if is_earlier {
            self.0 = Some(deadline);
        }
        is_earlier
    }

    /// An alarm rings: true if the earliest deadline has come. Those that are left are to be taken in again.
    pub fn has_come(&mut self, now: SimTime) -> bool {
        self.0.take_if(|at| *at <= now).is_some()
    }
}

/// What a wait is there for: a key of the catalog, or words for what nobody can set.
pub type Rule = &'static str;

/// A periodic activity as its owner declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    pub rule: Rule,
    pub period: Duration,
    /// Each pause is longer by a random part of the period, up to this percentage.
    pub jitter_percent: u64,
    pub rhythm: Rhythm,
    pub path: Path,
}

/// From where a pause is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// From the last beginning: a ticker.
    Ticker,
    /// From the end of the last pass, which the owner reports: `wait.Until` of Kubernetes.
    AfterEnd,
}

/// What can change the outcome of an activity while its owner does nothing else.
///
/// Declared for sparse mode, which may skip a pass only while nothing on its path changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Only the process itself.
    Own,
    /// A round trip to the server, and what is stored there.
    Server,
}

/// When a newly declared activity takes place for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// At once, as a loop that has just been entered.
    Now,
    /// After a full pause.
    AfterPause,
    /// Anywhere in its period: the loop has been running for long.
    Stationary,
    /// After this pause: the loop has been running for long, and it is known where it stands.
    In(Duration),
}

/// The state of a declared activity.
#[derive(Clone, Debug)]
pub struct Rhythmic {
    pub activity: Activity,
    /// How often it has taken place; also the address of its draws.
    pub count: u64,
    /// When it took place last.
    pub last: Option<SimTime>,
    /// Which arming is the valid one.
    pub timer: Timer,
    /// Of a ticker whose passes are not played: when the next falls due.
    pub asleep: Option<SimTime>,
}

impl Rhythmic {
    /// An activity that has not taken place yet.
    pub fn new(activity: Activity) -> Rhythmic {
        Rhythmic { activity, count: 0, last: None, timer: Timer::default(), asleep: None }
    }

    /// The first pause; `draw` decides where in its period a running loop stands.
    pub fn first_pause(&self, phase: Phase, draw: u64) -> Duration {
        match phase {
            Phase::Now => Duration::ZERO,
            Phase::AfterPause => self.pause(draw),
            Phase::In(pause) => pause,
            Phase::Stationary => {
                // Jitter is small against the period; its mean suffices for the phase.
                let mean = self.activity.period.scaled(200 + self.activity.jitter_percent, 200);
                below(mean, draw)
            }
        }
    }

    /// A pause between two passes.
    pub fn pause(&self, draw: u64) -> Duration {
        let Activity { period, jitter_percent, .. } = self.activity;
        match jitter_percent {
            0 => period,
            percent => period + below(period.scaled(percent, 100), draw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_setting_of_a_timer_is_current() {
        let mut timer = Timer::default();
        let first = timer.restart();
        assert!(timer.is_current(first));
        let second = timer.restart();
        assert!(!timer.is_current(first) && timer.is_current(second));
        timer.cancel();
        assert!(!timer.is_current(first) && !timer.is_current(second));
    }

    #[test]
    fn one_alarm_is_set_for_the_earliest_deadline_and_later_ones_ring_in_vain() {
        let at = |seconds| SimTime::ZERO + Duration::from_secs(seconds);
        let mut earliest = Earliest::default();
        assert!(!earliest.has_come(at(1)));
        assert!(earliest.set(at(60)));
        assert!(!earliest.set(at(60)) && !earliest.set(at(61)));
        assert!(earliest.set(at(34)));
        assert!(earliest.has_come(at(34)));
        assert!(earliest.set(at(90)), "the next is to be set again");
        assert!(!earliest.has_come(at(60)), "this was set before 34 s came");
        assert!(!earliest.set(at(91)), "and has changed nothing");
        assert!(earliest.has_come(at(95)), "who was frozen hears late");
    }

    #[test]
    fn pauses_use_their_jitter_up_and_go_no_further() {
        let lease = Activity {
            rule: "kubernetes.nodeLeaseRenewInterval",
            period: Duration::from_secs(10),
            jitter_percent: 4,
            rhythm: Rhythm::AfterEnd,
            path: Path::Server,
        };
        let rhythmic = Rhythmic::new(lease);
        assert_eq!(rhythmic.pause(0), Duration::from_secs(10));
        assert_eq!(rhythmic.pause(u64::MAX), Duration::from_micros(10_399_999));
        let longest = |phase| rhythmic.first_pause(phase, u64::MAX);
        assert_eq!(longest(Phase::Stationary), Duration::from_micros(10_199_999));
        assert_eq!(longest(Phase::AfterPause), rhythmic.pause(u64::MAX));
        assert_eq!(longest(Phase::In(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(longest(Phase::Now), Duration::ZERO);
    }
}
