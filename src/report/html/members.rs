//! How far each member of etcd is over a run, as its page tells it: term, end of the log, and what of
//! it is applied.
//!
//! These change many times a second, with every Lease that is renewed, so they are looked at in
//! samples: at each moment of which there is an entry, and once a second in between. Heartbeats move
//! none of them, so a run that plays all of them has the same samples.

use crate::engine::{Duration, SimTime, Text};
use crate::wire::MemberStatus;
use crate::world::{MANAGEMENT_CLUSTER, View, WORKLOAD_CLUSTER};

/// The members, and how far each was at each sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// From one sample to the next where nothing happens.
    pub every: Duration,
    /// Each is called as its VM.
    pub names: Vec<Text>,
    pub samples: Vec<Sample>,
}

/// The members at an instant, after all that happened then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub at: SimTime,
    /// In the order of the names, as far as they were known then; none for one that does not work.
    pub states: Vec<Option<MemberState>>,
}

/// How far a member of etcd is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberState {
    pub term: u64,
    pub index: u64,
    pub applied: u64,
}

/// Of a longer run samples are further apart, so that there are no more than these.
const MOST: u64 = 3_600;

impl Members {
    /// Nothing yet, of a run that lasts so long.
    pub fn of_a_run(length: Duration) -> Members {
        let every = Duration::from_secs(length.as_secs().div_ceil(MOST).max(1));
        Members { every, names: Vec::new(), samples: Vec::new() }
    }

    /// Looks at all members now. What is as it was takes no place.
    pub fn look(&mut self, view: View) {
        let mut states = vec![None; self.names.len()];
        for cluster in [WORKLOAD_CLUSTER, MANAGEMENT_CLUSTER] {
            for member in view.etcd_members(&cluster) {
                let status = member.status;
                let state = status.map(|MemberStatus { term, index, applied, .. }| MemberState {
                    term,
                    index,
                    applied,
                });
                let known = self.names.iter().position(|name| *name == member.info.vm);
                match known {
                    Some(place) => states[place] = state,
                    None => {
                        self.names.push(member.info.vm.clone());
                        states.push(state);
                    }
                }
            }
        }
        self.note(Sample { at: view.now(), states });
    }

    fn note(&mut self, sample: Sample) {
        // Of one moment the last look counts.
        if self.samples.last().is_some_and(|last| last.at == sample.at) {
            self.samples.pop();
        }
        if self.samples.last().is_none_or(|last| last.states != sample.states) {
            self.samples.push(sample);
        }
    }
}
