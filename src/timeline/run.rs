//! What one played scenario leaves behind: its timeline and everything that was judged on the way.
//!
//! Data only. It does not know how a run is played (`scenario`), what can be derived from it
//! (`analysis`) or how it is printed (`report`). The version is the crate's own.

use super::{EntryId, Timeline};
use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;

/// One run, from the first entry to the verdict.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub scenario: Text,
    pub platform: Text,
    pub seed: u64,
    /// The words after `healsim` that play this run again; empty when it was not a command.
    pub command: Vec<Text>,
    /// Hidden phases that the scenario pinned, each with its value as written.
    pub given: BTreeMap<Text, Text>,
    pub first_fault: Option<SimTime>,
    pub last_fault: Option<SimTime>,
    pub end: End,
    pub ended_at: SimTime,
    pub recovered_at: Option<SimTime>,
    /// What it still lacks at its end if it has not recovered, what others mostly follow from first.
    pub missing: Vec<Lack>,
    /// Faults that have not struck, or have hit nothing, a sentence each.
    pub unstruck: Vec<Text>,
    pub timeline: Timeline,
    /// Per service (`api`, `app/web`), counted after the first fault.
    pub availability: BTreeMap<Text, Downtime>,
    pub expectations: Vec<Expectation>,
    /// The assumed numbers that the run relied on.
    pub assumptions: Vec<Assumption>,
    /// What the user has changed of the platform and the scenario, by `--set` and by manifests.
    pub changes: Vec<Changed>,
    /// What the user should know about these manifests, each with its place in a file.
    pub warnings: Vec<Text>,
    /// Changed settings that a person may want to think about again, a sentence each.
    pub doubts: Vec<Text>,
    pub invariants_checked: u32,
    pub violated: Vec<Violated>,
    /// How many queue events the engine played.
    pub engine_events: u64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Everything wanted was back, and stayed.
    Recovered,
    /// Not recovered, and nothing moved the cluster any more: processes may end and start again.
    Stuck,
    /// Not recovered, and still changing when the scenario's time was over.
    #[default]
    Horizon,
    /// The engine's limit of events was reached.
    Budget,
}

/// Something that is not as it is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// Kind and name, as in an entry.
    pub object: Text,
    /// A phrase that makes sense without the object's name.
    pub what: Text,
}

/// How long a service did not answer, or not fully.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Downtime {
    pub unavailable: Duration,
    /// Absent where a service has no state between up and down.
    pub degraded: Option<Duration>,
    /// How well it served when the run ended: what it was then short of is not over.
    pub at_end: Level,
}

/// How well a service serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    #[default]
    Full,
    Degraded,
    Down,
}

/// One line of a scenario's `expect`, judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    pub text: Text,
    pub met: bool,
    /// When it was decided.
    pub at: Option<SimTime>,
    /// The entry that decided it.
    pub entry: Option<EntryId>,
    /// False when `on` limits it to other platforms.
    pub applicable: bool,
    /// A sentence, when it failed.
    pub why_not: Text,
}

/// A number nobody has documented or measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumption {
    pub key: Text,
    pub value: Text,
    /// Within which it is drawn; empty for a fixed number.
    pub range: Text,
    pub source: Text,
}

/// A value that the user has chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// A setting's key, or an object and its field, as `Deployment/web replicas`.
    pub key: Text,
    pub value: Text,
    /// What it would be; empty where nothing would be there.
    pub instead_of: Text,
    /// `--set`, or FILE:LINE of a manifest.
    pub from: Text,
}

/// An invariant that was violated, as it was first seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violated {
    /// Its name.
    pub law: Text,
    /// What it says.
    pub sentence: Text,
    pub at: SimTime,
    /// Kind and name, as in an entry.
    pub object: Text,
    /// What the object did against the law: a phrase that makes sense after the object's name.
    pub says: Text,
    /// The entries that show it, the deciding one last.
    pub entries: Vec<EntryId>,
}

impl std::fmt::Display for Violated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let after = self.at.since(SimTime::ZERO);
        write!(f, "{}: {} {} (at {after})", self.law, self.object, self.says)
    }
}

impl Run {
    /// From the first fault to the recovery.
    pub fn recovery_time(&self) -> Option<Duration> {
        Some(self.recovered_at?.since(self.first_fault?))
    }

    /// The expectations that apply to this platform and did not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Expectation> {
        self.expectations.iter().filter(|expectation| expectation.applicable && !expectation.met)
    }
}

impl End {
    /// The word in the summary.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Recovered => "recovered",
            End::Stuck => "stuck",
            End::Horizon => "horizon",
            End::Budget => "budget",
        }
    }
}
