//! Floor 1: what a run leaves behind, entry by entry, as the outside reads it.
//!
//! Data only: who writes entries is `world`, who judges them is `analysis`, who prints them is
//! `report`. The JSON form of an entry is the outside format that scripts rely on.

mod entry;
mod ledger;
mod run;
pub mod vocabulary;

pub use entry::{Aside, Entry, EntryId, Timeline, Value};
pub use ledger::{Cause, FAULT, Ledger, Step, StepId, Turn};
pub use run::{Assumption, Changed, Downtime, End, Expectation, Lack, Level, Run, Violated};
