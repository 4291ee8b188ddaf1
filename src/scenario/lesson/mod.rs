//! What a scenario asks its reader: at which instant, about what, and nothing of the answer.
//!
//! Answers are computed from the run (`analysis::lesson`); none stands in a file. How questions are
//! written is in `docs/teaching.md`.

mod figures;
#[cfg(test)]
mod tests;
mod words;

pub use figures::fill;
pub use words::WrittenQuestion;

use super::expect::{Expectation, Pattern, Sight, Subject};
use super::faults::Fault;
use crate::api::Kind;
use crate::engine::{Duration, SimTime, Text};

/// One question of a lesson.
#[derive(Clone, Debug)]
pub struct Question {
    /// Where it stands, as FILE:LINE:COLUMN.
    pub place: Text,
    pub when: Instant,
    /// The words of the question; `{object}` stands for the object's name.
    pub ask: Text,
    /// The mechanism behind the answer, told after it; empty if there are no words for it.
    pub because: Text,
    /// What is printed before it is asked.
    pub show: Vec<Table>,
    pub about: About,
}

/// When a question is asked.
#[derive(Clone, Debug)]
pub enum Instant {
    /// So long after the first fault.
    AfterFault(Duration),
    /// So long after something was seen since the first fault.
    AfterSight(Pattern, Duration),
}

/// A table that kubectl, vCenter or etcdctl would print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Vms,
    Etcd,
    Kind(Kind),
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum About {
    /// What a field of an object will hold so much later.
    Value { of: Subject, field: Text, ahead: Duration },
    /// Which of these will be seen, counted from the question.
    Which { claims: Vec<Claim> },
    /// Which of these disasters heal by themselves within a time, in the same cluster, each alone.
    Heals { disasters: Vec<Disaster>, within: Duration },
    /// Which action of an operator makes everything well within a time.
    Act { within: Duration },
    /// How long it takes until something is seen; right is what is not farther off than the tolerance.
    HowLong { until: Sight, tolerance: Duration },
    /// Which entry led to the latest one that is like this.
    Cause { of: Pattern },
}

/// Something that comes true, or does not.
#[derive(Clone, Debug)]
pub struct Claim {
    pub says: Text,
    pub is: Expectation,
    pub because: Because,
}

/// Other faults than the scenario's.
#[derive(Clone, Debug)]
pub struct Disaster {
    pub says: Text,
    pub faults: Vec<(SimTime, Fault)>,
    pub because: Because,
}

/// The mechanism behind something to choose, where it is right and where it is wrong: that is computed, and
/// may be so with one seed or release and otherwise with another. Empty if there are no words for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Because {
    pub right: Text,
    pub wrong: Text,
}

impl Because {
    /// What is said of it.
    pub fn of(&self, is_right: bool) -> Text {
        if is_right { self.right.clone() } else { self.wrong.clone() }
    }
}

/// The field that is a column of kubectl's table, made of several fields.
pub const STATUS: &str = "STATUS";
/// The kinds that have one.
pub const WITH_STATUS: [&str; 2] = ["Node", "Pod"];

impl About {
    /// Its key in a file.
    pub fn name(&self) -> &'static str {
        match self {
            About::Value { .. } => "value",
            About::Which { .. } => "which",
            About::Heals { .. } => "heals",
            About::Act { .. } => "act",
            About::HowLong { .. } => "howLong",
            About::Cause { .. } => "cause",
        }
    }
}
