//! What would shorten it: how far each setting that a user can change moves a milestone, and what
//! one or two of them cost in false alarms where they gain speed.
//!
//! Every game plays the same seeds, so that luck is the same. Whole rows of runs are kept, so
//! any number of threads, and any moment of an interruption, gives what was played by then. It does
//! not know how anything is printed.

mod front;
mod milestone;
mod sensitivity;
mod steps;
mod sweep;
#[cfg(test)]
mod tests;
mod times;

pub use front::front;
pub use milestone::{NotAMilestone, OfMilestone};
pub use sensitivity::{Bar, Sensitivity, Side, Untried, sensitivity};
pub use steps::{NotARange, Vary, sides};
pub use sweep::{Point, Price, Struck, Sweep, sweep};
pub use times::{Move, Moved, Quantile, Resamples, Times};

use super::parallel::{Control, fold};
use crate::engine::Text;
use crate::scenario::Game;
use std::ops::Range;

/// Sets the scenario up with further settings; each mistake is a finished text.
pub type Build<'a> = &'a dyn Fn(&[(String, String)]) -> Result<Game, Vec<String>>;

/// What is asked of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub of: &'a OfMilestone,
    pub first_seed: u64,
    /// Of each game.
    pub runs: u64,
    pub jobs: usize,
}

/// What was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    pub scenario: Text,
    pub platform: Text,
    pub of: OfMilestone,
    pub first_seed: u64,
    /// How many runs of each game were wanted, and how many were played before an interruption.
    pub wanted: u64,
    pub runs: u64,
}

impl Played {
    fn new(game: &Game, question: &Question, runs: usize) -> Played {
        Played {
            scenario: game.scenario.clone(),
            platform: game.platform.clone(),
            of: question.of.clone(),
            first_seed: question.first_seed,
            wanted: question.runs,
            runs: runs as u64,
        }
    }

    /// Whether it was interrupted.
    pub fn is_partial(&self) -> bool {
        self.runs < self.wanted
    }
}

/// Plays so many columns of each row, row by row; a row that was begun and not ended is left out.
fn rows<T: Send>(
    (rows, jobs): (Range<u64>, usize),
    columns: usize,
    control: &Control,
    play: impl Fn(u64, usize) -> T + Sync,
) -> Vec<Vec<T>> {
    let wide = columns as u64;
    control.expect(control.done() + (rows.end - rows.start) * wide);
    let add = |found: &mut Vec<(u64, T)>, place: u64| {
        let column = usize::try_from(place % wide).expect("a column");
        found.push((place, play(rows.start + place / wide, column)));
    };
    let places = 0..(rows.end - rows.start) * wide;
    let found = fold(places, jobs, control, Vec::new, add);
    let mut found: Vec<(u64, T)> = found.into_iter().flatten().collect();
    found.sort_by_key(|(place, _)| *place);
    let mut cells = found.into_iter().map(|(_, cell)| cell);
    let row = || cells.by_ref().take(columns).collect::<Vec<T>>();
    std::iter::repeat_with(row).take_while(|row| !row.is_empty() && row.len() == columns).collect()
}
