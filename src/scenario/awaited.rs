//! Faults that wait for something to be seen: what is awaited, in the language of expectations, and how long
//! after that the fault strikes.
//!
//! It reads entries and nothing else, as one does who sits before the timeline and then acts.

use super::expect::{Age, Pattern, State};
use super::faults::Fault;
use crate::engine::{Duration, SimTime};
use crate::timeline::Timeline;

/// A fault and what it waits for.
#[derive(Clone, Debug)]
pub struct Awaited {
    pub pattern: Pattern,
    pub after: Duration,
    pub fault: Fault,
}

/// Looks at each new entry; each fault is released once.
#[derive(Clone, Debug)]
pub struct Lookout {
    awaited: Vec<Awaited>,
    state: State,
    seen: usize,
    first_fault: SimTime,
}

impl Lookout {
    /// Waits for these; nothing before the first fault counts.
    pub fn new(awaited: Vec<Awaited>, first_fault: SimTime) -> Lookout {
        Lookout { awaited, state: State::default(), seen: 0, first_fault }
    }

    /// Waits for these too; nothing that is written down already counts.
    pub fn add(&mut self, more: Vec<Awaited>, timeline: &Timeline) {
        let beginning = timeline.beginning().len();
        for (place, entry) in timeline.entries().iter().enumerate().skip(self.seen) {
            let old = place < beginning || entry.at < self.first_fault;
            self.state.note(entry, if old { Age::Old } else { Age::New });
        }
        self.seen = timeline.entries().len();
        self.awaited.extend(more);
    }

    /// The faults that the new entries release, with their times.
    pub fn look(&mut self, timeline: &Timeline) -> Vec<(SimTime, Fault)> {
        let mut released = Vec::new();
        if self.awaited.is_empty() {
            return released;
        }
        let beginning = timeline.beginning().len();
        for (place, entry) in timeline.entries().iter().enumerate().skip(self.seen) {
            let old = place < beginning || entry.at < self.first_fault;
            self.state.note(entry, if old { Age::Old } else { Age::New });
            if old {
                continue;
            }
            let state = &self.state;
            self.awaited.retain(|awaited| {
                let comes = awaited.pattern.holds(entry, state);
                if comes {
                    released.push((entry.at + awaited.after, awaited.fault.clone()));
                }
                !comes
            });
        }
        self.seen = timeline.entries().len();
        released
    }
}
