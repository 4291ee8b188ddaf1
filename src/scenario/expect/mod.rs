//! Expectations: what is to be seen in a run, in a small language over timeline entries.
//!
//! The language is documented in `docs/expectations.md`. It reads entries and nothing else.

mod pattern;
#[cfg(test)]
mod tests;
mod words;

pub use pattern::{Age, Pattern, State};
pub use words::Names;

use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{self, EntryId, Timeline};

/// One line of a scenario's `expect`.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub text: Text,
    pub pattern: Pattern,
    /// True if it must not be seen.
    pub never: bool,
    /// When, counted from the first fault, both bounds included.
    pub after: Option<(Duration, Duration)>,
    /// The platforms that it applies to; all if there are none.
    pub on: Vec<Text>,
    /// The source's words for what is observed, and the mechanism behind it; empty if it is ours.
    pub says: Text,
    pub because: Text,
}

impl Expectation {
    /// Judges a timeline.
    pub fn judge(
        &self,
        timeline: &Timeline,
        first_fault: Option<SimTime>,
        platform: &str,
    ) -> timeline::Expectation {
        let mut verdict = timeline::Expectation {
            text: self.words(),
            applicable: self.on.is_empty() || self.on.iter().any(|name| *name == *platform),
            ..timeline::Expectation::default()
        };
        let fault = first_fault.unwrap_or_default();
        let found = self.first(timeline, fault, self.after);
        verdict.at = found.map(|(at, _)| at);
        verdict.entry = found.map(|(_, entry)| entry);
        verdict.met = found.is_some() != self.never;
        if !verdict.met {
            verdict.why_not = self.why_not(timeline, fault, found).into();
        }
        verdict
    }

    /// The first moment within a range at which the pattern holds.
    fn first(
        &self,
        timeline: &Timeline,
        fault: SimTime,
        range: Option<(Duration, Duration)>,
    ) -> Option<(SimTime, EntryId)> {
        let mut state = State::default();
        timeline.beginning().iter().for_each(|entry| state.note(entry, Age::Old));
        for entry in timeline.happened() {
            let since = if entry.at < fault { Age::Old } else { Age::New };
            state.note(entry, since);
            let after = entry.at.since(fault);
            let in_range = range.is_none_or(|(low, high)| (low..=high).contains(&after));
            if since == Age::New && in_range && self.pattern.holds(entry, &state) {
                return Some((entry.at, entry.id));
            }
        }
        None
    }

    fn words(&self) -> Text {
        let verb = if self.never { "never" } else { "see" };
        let range = match self.after {
            Some((low, high)) => format!(" after {low}..{high}"),
            None => String::new(),
        };
        Text::from(format!("{verb} {}{range}", self.text))
    }

    fn why_not(
        &self,
        timeline: &Timeline,
        fault: SimTime,
        found: Option<(SimTime, EntryId)>,
    ) -> String {
        if let Some((at, id)) = found {
            return format!("it was seen {} after the fault (entry {})", at.since(fault), id.0);
        }
        match self.first(timeline, fault, None) {
            Some((at, id)) => {
                format!("it was seen {} after the fault (entry {})", at.since(fault), id.0)
            }
            None => "it was never seen".to_owned(),
        }
    }
}
