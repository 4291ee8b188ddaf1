//! Into which phase of healing each fault of a run struck.

use crate::timeline::{Entry, Value};

/// How far healing had come when a fault struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing was seen of any fault yet.
    Quiet,
    /// A Node is Unknown or not Ready.
    Noticed,
    /// A health check has marked a Machine.
    Unhealthy,
    /// A Machine is being deleted.
    Deleting,
    /// A Machine's VM is gone, its Machine is not.
    VmGone,
    /// The owner has made a new Machine.
    Replacing,
    /// The new Machine's VM has been made.
    Booting,
    /// Its Node has registered.
    Joining,
    /// Its Node is Ready.
    Joined,
}

/// The kind of a fault, and the phase into which it struck.
pub type Pair = (&'static str, Phase);

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Phase; 9] = [
        Phase::Quiet,
        Phase::Noticed,
        Phase::Unhealthy,
        Phase::Deleting,
        Phase::VmGone,
        Phase::Replacing,
        Phase::Booting,
        Phase::Joining,
        Phase::Joined,
    ];

    /// The word in a table's head.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Quiet => "quiet",
            Phase::Noticed => "noticed",
            Phase::Unhealthy => "unhealthy",
            Phase::Deleting => "deleting",
            Phase::VmGone => "VM gone",
            Phase::Replacing => "replacing",
            Phase::Booting => "booting",
            Phase::Joining => "joining",
            Phase::Joined => "joined",
        }
    }

    /// The phase that an entry begins.
    pub fn begun_by(entry: &Entry) -> Option<Phase> {
        let to = entry.to.as_text();
        match (entry.kind.as_str(), entry.field.as_str()) {
            ("Node", "Ready") if to == Some("True") => Some(Phase::Joined),
            // A new Node that is not Ready yet joins: nobody has noticed a loss.
            ("Node", "Ready") if entry.from == Value::Null => None,
            ("Node", "Ready") if to.is_some() => Some(Phase::Noticed),
            ("Node", "exists") if entry.to != Value::Null => Some(Phase::Joining),
            ("Machine", "HealthCheckSucceeded") if to == Some("False") => Some(Phase::Unhealthy),
            ("Machine", "deletionTimestamp") => Some(Phase::Deleting),
            ("Machine", "exists") if entry.to != Value::Null => Some(Phase::Replacing),
            ("VM", "exists") if entry.to == Value::Null => Some(Phase::VmGone),
            ("VM", "exists") => Some(Phase::Booting),
            _ => None,
        }
    }
}

/// The pairs of a run, each as often as it came.
pub fn pairs(happened: &[Entry]) -> Vec<Pair> {
    let mut phase = Phase::Quiet;
    let mut found = Vec::new();
    for entry in happened {
        if entry.kind != *"Fault" {
            phase = Phase::begun_by(entry).unwrap_or(phase);
            continue;
        }
        // A repair is no fault, and belongs to no phase.
        let kinds = super::kinds::KINDS.iter().map(|kind| kind.name);
        found.extend(kinds.filter(|kind| entry.name == **kind).map(|kind| (kind, phase)));
    }
    found
}
