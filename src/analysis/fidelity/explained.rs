//! Orders that a recording has and the simulation (almost) never, each with its explanation.
//!
//! A race that the recording machine's own slowness decided stays visible in the tables; it is not
//! tuned away, and nothing that is not named here is excused.

use super::steps::Step;

/// One order of two steps of a role, and why it is not simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    pub role: &'static str,
    /// Field and value of the step that was recorded first.
    pub first: (&'static str, &'static str),
    pub second: (&'static str, &'static str),
    pub why: &'static str,
}

/// Recorded once in seven trials.
const LOOKED_BEFORE_AND_WROTE_AFTER: &str = "recorded once in seven trials, 0.15 s apart: the taint \
     pass looks at the Node, finds it not ready and writes; on the saturated recording machine the \
     Node became Ready between look and write, which here are milliseconds apart \
     (doNoExecuteTaintingPass looks once and writes without looking again)";

/// All of them.
pub const EXPLAINED: [Explained; 2] = [
    Explained {
        role: "Node/$new",
        first: ("Ready", "True KubeletReady"),
        second: ("taint not-ready:NoExecute", "added"),
        why: LOOKED_BEFORE_AND_WROTE_AFTER,
    },
    Explained {
        role: "Node/$new",
        first: ("taint not-ready:NoSchedule", "gone"),
        second: ("taint not-ready:NoExecute", "added"),
        why: LOOKED_BEFORE_AND_WROTE_AFTER,
    },
];

/// Why an order is foreign to the simulation, if that is known.
pub fn explanation(first: &Step, second: &Step) -> Option<&'static str> {
    let is = |step: &Step, role: &str, (field, value): (&str, &str)| {
        step.role == role && step.field == field && step.value == value
    };
    EXPLAINED
        .iter()
        .find(|known| is(first, known.role, known.first) && is(second, known.role, known.second))
        .map(|known| known.why)
}
