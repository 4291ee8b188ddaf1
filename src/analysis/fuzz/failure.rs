//! Runs in which the simulator itself fails: found, reduced and written down like a broken law, so
//! that one such run ends no campaign and takes nothing from what the others have found.

use super::draw::LONG;
use super::trial::{Outcome, Trial};
use crate::analysis::invariants::{Breach, Violation};
use crate::engine::{SimTime, Text};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// In the place of a law's name. No watch looks for it, so it is not in the list of laws.
pub const FAILS: &str = "healsim-does-not-fail";
/// What it means.
pub const SENTENCE: &str =
    "this is a fault of healsim, not of the cluster: please report it with this file";

/// What comes of `play`, or with which words it panicked. What it worked on is lost.
pub fn caught<T>(play: impl FnOnce() -> T) -> Result<T, Text> {
    catch_unwind(AssertUnwindSafe(play)).map_err(|panic| {
        let owned = panic.downcast_ref::<String>().map(String::as_str);
        let words = owned.or_else(|| panic.downcast_ref::<&str>().copied());
        Text::from(words.unwrap_or("it panicked").to_owned())
    })
}

impl Trial {
    /// Of a run that failed with these words.
    pub(super) fn failed(says: Text) -> Trial {
        let at = SimTime::ZERO + LONG;
        let says = Text::from(format!("{says}; {SENTENCE}"));
        let breach = Breach { object: Text::word("healsim"), says, entries: Vec::new() };
        Trial {
            outcome: Outcome::Violation,
            violations: vec![Violation { law: FAILS, at, breach }],
            ended_at: at,
            ..Trial::begun()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_fails_is_a_violation_with_its_words() {
        let failed = caught(|| {
            assert_eq!(1 + 1, 3, "sums");
        });
        let trial = Trial::failed(failed.expect_err("it panicked"));
        assert_eq!(trial.outcome, Outcome::Violation);
        let said = trial.violations[0].to_string();
        assert!(said.contains("sums") && said.contains("please report"), "{said}");
    }

    #[test]
    fn a_run_that_does_not_fail_is_what_it_is() {
        assert_eq!(caught(|| 2), Ok(2));
    }
}
