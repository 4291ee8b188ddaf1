//! How a run ended: recovered by which path, refused, or stuck on what.

use crate::analysis::milestones::{Milestone, is_refused_at_end};
use crate::engine::Text;
use crate::timeline::{End, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An outcome, and for a run that did not recover what it still lacked: the first of
/// [`Run::missing`], which the others mostly follow from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ending {
    pub outcome: Outcome,
    /// Empty if nothing was missing.
    pub missing: Text,
}

/// How a run ended, and by which path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// A Machine was deleted and another made in its place.
    Replaced,
    /// A VM was powered on again, and no Machine was replaced.
    PoweredOn,
    /// Neither: what was broken came back by itself, or by hand.
    CameBack,
    /// Not recovered, and an owner or a short circuit still refuses to replace a Machine at the end.
    Refused,
    /// Not recovered, and nothing changed any more.
    Stuck,
    /// Not recovered when the scenario's time was over.
    Horizon,
    /// The engine's limit of events was reached.
    Budget,
}

impl Ending {
    /// How this run ended.
    pub fn of(run: &Run, milestones: &[Milestone]) -> Ending {
        let outcome = Outcome::of(run, milestones);
        let first = run.missing.first().filter(|_| !outcome.is_recovery());
        Ending { outcome, missing: first.map(|lack| lack.what.clone()).unwrap_or_default() }
    }

    /// The outcome in words, with what was missing.
    pub fn words(&self) -> String {
        match self.missing.is_empty() {
            true => self.outcome.as_str().to_owned(),
            false => format!("{}: {}", self.outcome.as_str(), self.missing),
        }
    }
}

impl Outcome {
    /// As it is written in documents and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Replaced => "recovered by replacement",
            Outcome::PoweredOn => "recovered by power-on",
            Outcome::CameBack => "recovered as it was",
            Outcome::Refused => "refused",
            Outcome::Stuck => "stuck",
            Outcome::Horizon => "horizon",
            Outcome::Budget => "budget",
        }
    }

    /// Whether everything that was wanted came back.
    pub const fn is_recovery(self) -> bool {
        matches!(self, Outcome::Replaced | Outcome::PoweredOn | Outcome::CameBack)
    }

    pub(in crate::analysis) fn of(run: &Run, milestones: &[Milestone]) -> Outcome {
        let came = |name: &str| milestones.iter().any(|milestone| milestone.name == *name);
        match run.end {
            // A pool that is made smaller deletes a Machine too, and makes no other.
            End::Recovered if came("machineDeleted") && came("replacementCreated") => {
                Outcome::Replaced
            }
            End::Recovered if powered_on_again(run) => Outcome::PoweredOn,
            End::Recovered => Outcome::CameBack,
            End::Budget => Outcome::Budget,
            // What was refused for a while, and then done, is not what it is stuck on.
            _ if is_refused_at_end(run) => Outcome::Refused,
            End::Stuck => Outcome::Stuck,
            End::Horizon => Outcome::Horizon,
        }
    }
}

/// A VM that had been on was off and came on again; the first power-on of a new one does not count.
fn powered_on_again(run: &Run) -> bool {
    let power = run.timeline.happened().iter();
    let mut off = BTreeSet::new();
    power.filter(|entry| entry.kind == *"VM" && entry.field == *"power").any(|entry| {
        match entry.to.as_text() {
            Some("off") => {
                off.insert(&entry.name);
                false
            }
            _ => off.contains(&entry.name),
        }
    })
}
