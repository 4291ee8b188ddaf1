//! What a law sees, and what it may say.

use super::members::Moved;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Entry, EntryId, Lack};
use crate::world::View;
use std::fmt::Debug;

/// A law that watches one run.
pub trait Law: Debug + Send {
    /// Looks at the world after each change that was written down.
    fn look(&mut self, seen: Seen) -> Verdict {
        let _ = seen;
        Verdict::Holds
    }

    /// Looks at a member of etcd whose term, role, log or commit has just moved, which no entry
    /// tells. What a group does is not looked at once a member has come back without its disk.
    fn look_at_member(&mut self, moved: &Moved) -> Verdict {
        let _ = moved;
        Verdict::Holds
    }

    /// Looks at the world at the end of the run.
    fn end(&mut self, ending: &Ending) -> Verdict {
        let _ = ending;
        Verdict::Holds
    }

    /// A watch over a fork of the run.
    fn fork(&self) -> Box<dyn Law>;
}

/// The world after a change.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub view: View<'a>,
    /// What was written down since the last look.
    pub news: &'a [Entry],
}

/// How a run ended.
#[derive(Clone, Copy)]
pub struct Ending<'a> {
    pub view: View<'a>,
    /// After it nothing was broken or mended from outside any more.
    pub last_fault: Option<SimTime>,
    pub recovered_at: Option<SimTime>,
    /// Since when everything has been well, which is a recovery once it has stayed so.
    pub well_since: Option<SimTime>,
    /// What it still lacks, if it has not recovered.
    pub missing: &'a [Lack],
    /// By when it is to have recovered after its last fault.
    pub bound: Duration,
}

/// What a law says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// What a campaign wants to see has been seen.
    Reached,
    Broken(Breach),
}

/// How a law was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Kind and name, as in an entry.
    pub object: Text,
    /// What happened, as a sentence with the names in it.
    pub says: Text,
    /// The entries that show it, the deciding one last.
    pub entries: Vec<EntryId>,
}
