//! Disasters that nobody wrote down: random clusters and faults, under all laws.
//!
//! | file | is |
//! |---|---|
//! | `schedule` | a cluster and its faults, which is a scenario |
//! | `by_hand` | a schedule in a test, and as a test |
//! | `dice`, `kinds`, `draw` | from a seed to a schedule |
//! | `trial` | one run: its outcome, what it was stuck on, which laws it broke |
//! | `failure` | runs in which the simulator fails |
//! | `gap`, `phase` | how runs are stuck, and when faults struck |
//! | `campaign` | many runs |
//! | `exhaustive`, `choices`, `symmetry` | all schedules of one, two or three faults |
//! | `finding`, `shrink` | what was found, as the simplest scenario that shows it |

mod by_hand;
mod campaign;
mod choices;
mod dice;
mod draw;
mod exhaustive;
mod failure;
mod finding;
mod gap;
mod kinds;
mod phase;
mod schedule;
mod shrink;
mod symmetry;
#[cfg(test)]
mod tests;
mod trial;

pub(super) use by_hand::duration;
pub use campaign::{Asked, Campaign, Count, campaign};
pub(super) use draw::LONG;
pub use draw::{Deck, MOST_STRIKES};
pub use exhaustive::{Case, Class, Exhausted, Question, Struck, exhaust};
pub use finding::{Finding, Shown};
pub(super) use finding::{chain, line};
pub use gap::Gap;
pub use kinds::{Broken, KINDS, Kind, MOMENTS, NOT_THROWN, SPELLS, Stage};
pub use phase::{Pair, Phase};
pub use schedule::{Moment, Schedule, Shape, Strike};
pub use shrink::{Shrunk, shrink};
pub use trial::{Outcome, Then, Trial, next_second, play, watch};
