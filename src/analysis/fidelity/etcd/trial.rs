//! What one simulated trial comes to: the same metrics as a recorded one.

use super::driver::{Asked, Notes};
use super::recorded::Got;
use super::rig::millis;
use crate::engine::{SimTime, Text};
use std::collections::BTreeMap;

/// The driver counts requests from this many milliseconds before the fault.
pub const COUNTED_BEFORE: i64 = 100;
/// A group that has not come back after so many milliseconds does not come back at all.
pub const NEVER: i64 = 60_000;

/// What one trial measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Milliseconds (or counts), by metric.
    pub millis: BTreeMap<String, u64>,
    /// What requests got, by kind of request and by `CODE` or `CODE|text`.
    pub outcomes: BTreeMap<String, BTreeMap<String, Got>>,
}

impl Trial {
    /// A metric that was observed.
    pub fn add(&mut self, metric: impl Into<String>, value: Option<u64>) {
        if let Some(value) = value {
            self.millis.insert(metric.into(), value);
        }
    }

    /// What a request got.
    pub fn got(&mut self, kind: impl Into<String>, what: &str, latency: Option<u64>) {
        let kind = self.outcomes.entry(kind.into()).or_default();
        kind.entry(what.to_owned()).or_default().add(latency);
    }

    /// What the requests of a kind to some members got. Those that nobody answered are left out.
    pub fn got_all<'a>(&mut self, kind: &str, requests: impl Iterator<Item = &'a Asked>) {
        for asked in requests {
            let Some(done) = asked.done else { continue };
            self.got(kind, &asked.got, Some(millis(asked.sent, done)));
        }
    }
}

impl Asked {
    /// True if it succeeded.
    pub fn is_ok(&self) -> bool {
        self.got == *"OK"
    }
}

impl Notes {
    /// The requests of a kind that some members got from a time on.
    pub fn asked<'a>(
        &'a self,
        kind: &'a str,
        members: &'a [usize],
        from: SimTime,
    ) -> impl Iterator<Item = &'a Asked> {
        self.requests.iter().filter(move |asked| {
            asked.kind == kind && members.contains(&asked.member) && asked.sent >= from
        })
    }

    /// When a request of this kind sent after a time first succeeded.
    pub fn first_ok(&self, kind: &str, members: &[usize], after: SimTime) -> Option<SimTime> {
        let ok = self.asked(kind, members, after).filter(|asked| asked.is_ok());
        ok.filter_map(|asked| asked.done).min()
    }

    /// The longest time between two successes of a kind in a row, of all these members together,
    /// among those that ended from a time on.
    pub fn longest_gap(&self, kind: &str, members: &[usize], from: SimTime) -> Option<u64> {
        let all = self.asked(kind, members, SimTime::ZERO).filter(|asked| asked.is_ok());
        let mut done: Vec<SimTime> = all.filter_map(|asked| asked.done).collect();
        done.retain(|done| *done >= from);
        done.sort_unstable();
        done.windows(2).map(|pair| millis(pair[0], pair[1])).max()
    }

    /// When a member's status first named a leader for which this holds (or none), after a time.
    pub fn first_seen(
        &self,
        member: usize,
        after: SimTime,
        fits: impl Fn(Option<usize>) -> bool,
    ) -> Option<SimTime> {
        let mut seen = self.seen.iter().filter(|seen| seen.member == member && seen.at >= after);
        let leader = |id| self.number_of(id);
        seen.find(|seen| match seen.leader {
            None => fits(None),
            Some(id) => leader(id).is_some_and(|number| fits(Some(number))),
        })
        .map(|seen| seen.at)
    }

    /// True if these members all name the same leader in the same term.
    pub fn agree(&self, members: &[usize]) -> bool {
        let of = |member: &usize| self.status[*member].map(|status| (status.leader, status.term));
        let first = members.first().and_then(of);
        first.is_some_and(|(leader, _)| leader.is_some())
            && members.iter().all(|member| of(member) == first)
    }

    /// The last entry that any member has applied.
    pub fn applied(&self) -> u64 {
        let applied = self.status.iter().flatten().map(|status| status.applied);
        applied.max().unwrap_or_default()
    }

    /// The requests that were sent once, without a load.
    pub fn asked_once(&self) -> impl Iterator<Item = &Asked> {
        self.requests.iter().filter(|asked| !["put", "read", "lease"].contains(&asked.kind))
    }

    /// The greatest term among these members.
    pub fn term(&self, members: &[usize]) -> u64 {
        let terms = members.iter().filter_map(|member| self.status[*member]);
        terms.map(|status| status.term).max().unwrap_or_default()
    }
}

/// Whose words are those of a request that has had no answer.
pub const OPEN: Text = Text::word("OPEN");
