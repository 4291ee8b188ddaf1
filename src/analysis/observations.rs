//! What a scenario's source observed, beside what many runs show.
//!
//! Counts verdicts line by line, in the scenario's order; it judges nothing itself.

use super::parallel::each;
use crate::engine::{Duration, Text};
use crate::scenario::Game;
use crate::timeline::Run;
use std::ops::Range;

/// The lines under one observation of the source, or under none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The source's words; empty for lines that are the scenario's own.
    pub says: Text,
    /// The mechanism behind it.
    pub because: Text,
    pub lines: Vec<Line>,
}

/// One line of `expect`, over all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: Text,
    /// False when `on` limits it to other platforms.
    pub applicable: bool,
    pub runs: u64,
    pub met: u64,
    /// The earliest and the latest moment at which it was seen, after the first fault.
    pub seen: Option<(Duration, Duration)>,
}

/// Plays the seeds on so many threads, and counts for every line how often it was met.
pub fn observations(game: &Game, seeds: Range<u64>, jobs: usize) -> Vec<Observation> {
    let runs = each(seeds, jobs, |seed| verdicts(&game.play(seed)));
    let mut all: Vec<Observation> = Vec::new();
    for (place, expected) in game.expectations().iter().enumerate() {
        let verdicts = runs.iter().filter_map(|run| run.get(place));
        let line = Line::over(verdicts);
        let same = all
            .last_mut()
            .filter(|last| last.says == expected.says && last.because == expected.because);
        match same {
            Some(last) => last.lines.push(line),
            None => all.push(Observation {
                says: expected.says.clone(),
                because: expected.because.clone(),
                lines: vec![line],
            }),
        }
    }
    all
}

/// What is kept of a line in one run.
struct Verdict {
    text: Text,
    applicable: bool,
    met: bool,
    after: Option<Duration>,
}

fn verdicts(run: &Run) -> Vec<Verdict> {
    let fault = run.first_fault.unwrap_or_default();
    let lines = run.expectations.iter();
    lines
        .map(|line| Verdict {
            text: line.text.clone(),
            applicable: line.applicable,
            met: line.met,
            after: line.at.map(|at| at.since(fault)),
        })
        .collect()
}

impl Line {
    fn over<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Line {
        let mut line = Line { text: Text::EMPTY, applicable: false, runs: 0, met: 0, seen: None };
        for Verdict { text, applicable, met, after } in verdicts {
            line.text.clone_from(text);
            line.applicable = *applicable;
            line.runs += 1;
            line.met += u64::from(*met);
            if let Some(after) = *after {
                let (low, high) = line.seen.unwrap_or((after, after));
                line.seen = Some((low.min(after), high.max(after)));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_its_runs_and_keeps_the_earliest_and_the_latest_moment() {
        let verdict = |met, secs: Option<u64>| Verdict {
            text: Text::word("see Node Ready=Unknown"),
            applicable: true,
            met,
            after: secs.map(Duration::from_secs),
        };
        let seen = [verdict(true, Some(40)), verdict(false, Some(70)), verdict(false, None)];
        let line = Line::over(seen.iter());
        assert_eq!((line.runs, line.met, line.applicable), (3, 1, true));
        assert_eq!(line.seen, Some((Duration::from_secs(40), Duration::from_secs(70))));
        let nothing = Line::over([].iter());
        assert_eq!((nothing.runs, nothing.met, nothing.seen), (0, 0, None));
    }
}
