//! Expectations: what is to be seen in a run, in a small language over timeline entries.
//!
//! The language is documented in `docs/expectations.md`. It reads entries and nothing else.

mod pattern;
mod subject;
#[cfg(test)]
mod tests;
mod words;

pub use pattern::{Age, Pattern, State};
pub use subject::Subject;
pub use words::Names;

use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{self, EntryId, Timeline};

/// One line of a scenario's `expect`.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub text: Text,
    pub sight: Sight,
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

/// What is to be seen.
#[derive(Clone, Debug)]
pub enum Sight {
    /// Entries that hold this.
    Entries(Pattern),
    /// Everything that is wanted is there again, and stays: no single entry says so.
    Recovery,
}

/// A finished run, as far as expectations look at it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub timeline: &'a Timeline,
    pub first_fault: Option<SimTime>,
    pub recovered_at: Option<SimTime>,
}

/// The word for [`Sight::Recovery`].
pub const RECOVERED: &str = "recovered";

impl Expectation {
    /// Judges a run.
    pub fn judge(&self, seen: Seen, platform: &str) -> timeline::Expectation {
        let mut verdict = timeline::Expectation {
            text: self.words(),
            applicable: self.on.is_empty() || self.on.iter().any(|name| *name == *platform),
            ..timeline::Expectation::default()
        };
        let found = self.first(seen, self.after);
        verdict.at = found.map(|(at, _)| at);
        verdict.entry = found.map(|(_, entry)| entry);
        verdict.met = found.is_some() != self.never;
        if !verdict.met {
            verdict.why_not = self.why_not(seen, found).into();
        }
        verdict
    }

    /// The first moment within a range at which it is so.
    fn first(&self, seen: Seen, range: Option<(Duration, Duration)>) -> Option<(SimTime, EntryId)> {
        let fault = seen.first_fault.unwrap_or_default();
        self.sight.first(seen, |at| {
            range.is_none_or(|(low, high)| (low..=high).contains(&at.since(fault)))
        })
    }

    fn words(&self) -> Text {
        let verb = if self.never { "never" } else { "see" };
        let range = match self.after {
            Some((low, high)) => format!(" after {low}..{high}"),
            None => String::new(),
        };
        Text::from(format!("{verb} {}{range}", self.text))
    }

    fn why_not(&self, seen: Seen, found: Option<(SimTime, EntryId)>) -> String {
        let fault = seen.first_fault.unwrap_or_default();
        match found.or_else(|| self.first(seen, None)) {
            Some((at, id)) => {
                format!("it was seen {} after the fault (entry {})", at.since(fault), id.0)
            }
            None => "it was never seen".to_owned(),
        }
    }
}

impl Sight {
    /// The first moment since the fault at which it is so, of those that are meant.
    pub fn first(
        &self,
        seen: Seen,
        in_range: impl Fn(SimTime) -> bool,
    ) -> Option<(SimTime, EntryId)> {
        match self {
            Sight::Entries(pattern) => {
                first(pattern, seen.timeline, seen.first_fault.unwrap_or_default(), in_range)
            }
            Sight::Recovery => {
                let at = seen.recovered_at.filter(|at| in_range(*at))?;
                let mut entries = seen.timeline.entries().iter();
                Some((at, entries.rfind(|entry| entry.at <= at)?.id))
            }
        }
    }
}

/// The first entry since the fault with which the pattern holds.
fn first(
    pattern: &Pattern,
    timeline: &Timeline,
    fault: SimTime,
    in_range: impl Fn(SimTime) -> bool,
) -> Option<(SimTime, EntryId)> {
    let mut state = State::default();
    let beginning = timeline.beginning().iter().filter(|entry| pattern.remembers(entry));
    beginning.for_each(|entry| state.note(entry, Age::Old));
    for entry in timeline.happened() {
        let since = if entry.at < fault { Age::Old } else { Age::New };
        if pattern.remembers(entry) {
            state.note(entry, since);
        }
        if since == Age::New && in_range(entry.at) && pattern.holds(entry, &state) {
            return Some((entry.at, entry.id));
        }
    }
    None
}
