//! Expectations: what is to be seen in a run, in a small language over timeline entries.
//!
//! The language is documented in `docs/expectations.md`. It reads entries and nothing else.

mod pattern;
#[cfg(test)]
mod tests;

pub use pattern::Pattern;

use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{self, Entry, EntryId};
use pattern::State;

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
}

impl Expectation {
    /// Judges a timeline.
    pub fn judge(
        &self,
        entries: &[Entry],
        first_fault: Option<SimTime>,
        platform: &str,
    ) -> timeline::Expectation {
        let mut verdict = timeline::Expectation {
            text: self.words(),
            applicable: self.on.is_empty() || self.on.iter().any(|name| *name == *platform),
            ..timeline::Expectation::default()
        };
        let fault = first_fault.unwrap_or_default();
        let found = self.first(entries, fault, self.after);
        verdict.at = found.map(|(at, _)| at);
        verdict.entry = found.map(|(_, entry)| entry);
        verdict.met = found.is_some() != self.never;
        if !verdict.met {
            verdict.why_not = self.why_not(entries, fault, found).into();
        }
        verdict
    }

    /// The first moment within a range at which the pattern holds.
    fn first(
        &self,
        entries: &[Entry],
        fault: SimTime,
        range: Option<(Duration, Duration)>,
    ) -> Option<(SimTime, EntryId)> {
        let mut state = State::default();
        for entry in entries {
            state.note(entry, fault);
            let after = entry.at.since(fault);
            let in_range = range.is_none_or(|(low, high)| (low..=high).contains(&after));
            if entry.at >= fault
                && entry.at > SimTime::ZERO
                && in_range
                && self.pattern.holds(entry, &state)
            {
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
        entries: &[Entry],
        fault: SimTime,
        found: Option<(SimTime, EntryId)>,
    ) -> String {
        if let Some((at, id)) = found {
            return format!("it was seen {} after the fault (entry {})", at.since(fault), id.0);
        }
        match self.first(entries, fault, None) {
            Some((at, id)) => {
                format!("it was seen {} after the fault (entry {})", at.since(fault), id.0)
            }
            None => "it was never seen".to_owned(),
        }
    }
}
