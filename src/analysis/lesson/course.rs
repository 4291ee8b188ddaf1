//! How a fork goes beside the lesson's run: what may be told of it while questions are open.
//!
//! A fork in which an action was of no use goes on as the run does, so it holds the answers of what is
//! still to be asked. Both the terminal and the page read here how far it can be told.

use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Entry, Run};
use std::collections::BTreeMap;

/// The same that happens so little earlier or later gives away as much.
const CLOSE: Duration = Duration::from_secs(10);

/// A fork beside the run that it was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// When something is seen first that only one of them has; nothing if all is the same.
    pub differs_at: Option<SimTime>,
    /// When the last is seen that both have after the fork, or nearly at the same time; the instant of
    /// the fork if nothing is.
    pub alike_until: SimTime,
}

impl Course {
    /// Of a fork that was made at an instant of the run.
    pub fn of(run: &Run, fork: &Run, at: SimTime) -> Course {
        let [ours, theirs] = [run, fork].map(|run| run.timeline.entries());
        let same = |one: &Entry, other: &Entry| one.at == other.at && said(one) == said(other);
        let shared = ours.iter().zip(theirs).take_while(|(one, other)| same(one, other)).count();
        let end = run.ended_at.min(fork.ended_at);
        let next = [ours, theirs].map(|entries| entries.get(shared).map(|entry| entry.at));
        let differs_at = next.into_iter().flatten().min().filter(|at| *at <= end);
        let mut times: BTreeMap<_, Vec<SimTime>> = BTreeMap::new();
        for entry in ours.iter().filter(|entry| entry.at > at) {
            times.entry(said(entry)).or_default().push(entry.at);
        }
        let close = |entry: &Entry| {
            let near = |time: &&SimTime| time.since(entry.at).max(entry.at.since(**time)) <= CLOSE;
            let last = times.get(&said(entry))?.iter().filter(near).max()?;
            Some(entry.at.max(*last))
        };
        let alike = theirs.iter().filter(|entry| entry.at > at).filter_map(close).max();
        Course { differs_at, alike_until: alike.unwrap_or(at) }
    }

    /// Up to when the fork can be told if the next open question is asked at an instant; nothing if
    /// all of it can, because nothing comes in it that the question or a later one is about.
    pub fn told_until(&self, open: Option<SimTime>) -> Option<SimTime> {
        open.filter(|open| *open < self.alike_until)
    }

    /// Whether anything is seen up to a time that is not so in the run.
    pub fn differs_by(&self, time: SimTime) -> bool {
        self.differs_at.is_some_and(|at| at <= time)
    }
}

/// What an entry says, whenever it is.
fn said(entry: &Entry) -> (&Text, &Text, &Text, &Text, String) {
    let Entry { cluster, kind, name, field, to, .. } = entry;
    (cluster, kind, name, field, to.to_string())
}
