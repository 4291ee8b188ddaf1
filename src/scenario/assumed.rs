//! The assumed numbers of a run, put to one end of their ranges.
//!
//! A number that is drawn anew each time (`20s..40s`) is put to the end of the range for all draws.
//! Of a choice of words the ends are the first and the last that the range names.

use crate::timeline::Assumption;

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    Low,
    High,
}

/// The settings, as for `--set`, that put these assumptions to an end of their ranges. One without
/// a range stays as it is.
pub fn at_end(assumptions: &[Assumption], end: RangeEnd) -> Vec<(String, String)> {
    let set = |assumption: &Assumption| {
        let at = end_of(&assumption.range, end)?;
        let is_drawn = assumption.value.contains("..");
        let value = if is_drawn { format!("{at}..{at}") } else { at.to_owned() };
        Some((assumption.key.to_string(), value))
    };
    assumptions.iter().filter_map(set).collect()
}

fn end_of(range: &str, end: RangeEnd) -> Option<&str> {
    if range.is_empty() {
        return None;
    }
    let (low, high) = match range.split_once("..") {
        Some(ends) => ends,
        None => {
            let mut words = range.split(',').map(str::trim);
            let first = words.next()?;
            (first, words.next_back().unwrap_or(first))
        }
    };
    Some(match end {
        RangeEnd::Low => low,
        RangeEnd::High => high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Text;
    use crate::scenario::{Game, Scenario, Source, models};

    #[test]
    fn each_form_of_a_number_has_two_ends() {
        let assumption = |value, range| Assumption {
            key: Text::word("key"),
            value: Text::word(value),
            range: Text::word(range),
            source: Text::EMPTY,
        };
        let ends = |value, range| {
            [RangeEnd::Low, RangeEnd::High]
                .map(|end| at_end(&[assumption(value, range)], end).pop().map(|(_, value)| value))
        };
        let words = |low: &str, high: &str| [Some(low.to_owned()), Some(high.to_owned())];
        assert_eq!(ends("20s..40s", "10s..90s"), words("10s..10s", "90s..90s"));
        assert_eq!(ends("3", "1..5"), words("1", "5"));
        assert_eq!(ends("a", "a, b, c"), words("a", "c"));
        assert_eq!(ends("true", ""), [None, None]);
    }

    /// What cannot be played at an end of its range has a wrong range.
    #[test]
    fn every_platform_can_be_played_at_both_ends() {
        // Some platforms have no workers, and some no Node of their control plane.
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: any }\nspec:\n  \
                    platform: tkgs-2024\n  faults: [{ at: 1m, kubectl: get nodes }]\n  until: 2m\n";
        let scenario = Scenario::read(Source::embedded("any.yaml", text)).expect("a scenario");
        for platform in models::platforms() {
            let game = Game::new(&scenario, Some(platform), &[], None).expect("a platform");
            let assumptions = game.assumptions();
            assert!(assumptions.len() > 10, "{platform}");
            for end in [RangeEnd::Low, RangeEnd::High] {
                let set = at_end(assumptions, end);
                let moved = Game::new(&scenario, Some(platform), &set, None);
                assert!(moved.is_ok(), "{platform} {end:?}: {:?}", moved.err());
            }
        }
    }
}
