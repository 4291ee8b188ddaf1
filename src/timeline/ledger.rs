//! The ledger: every step from one event to the next, with what it waited for; kept on request.
//!
//! A run without a ledger is the same run. Each step begins where the one before it ends, so that the
//! steps back from any event leave no gap and overlap nowhere.

use super::EntryId;
use crate::engine::{Rule, SimTime};
use std::collections::BTreeSet;

/// The rule of the step with which a fault or a repair of the scenario comes.
pub const FAULT: Rule = "the scenario itself";

/// What led to something: the entry to tell of, and the step that it came by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    pub entry: Option<EntryId>,
    pub step: StepId,
}

/// A step of a ledger; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(u32);

/// Every step since the ledger was opened.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The first entry that is written down.
    first: EntryId,
    steps: Vec<Step>,
    /// By which step each entry came, from the first that was written since.
    entries: Vec<(EntryId, StepId)>,
}

/// How the world came from one event to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was set off, and fell due.
    Wait {
        /// The step that set it off; none if that was before the ledger was opened.
        before: StepId,
        at: SimTime,
        rule: Rule,
        /// The number of the process that it fell due for.
        process: u32,
    },
    /// An event was not enough: something else had been waiting for it, or had to be over.
    Turn(Turn),
}

/// What an event really goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The event itself.
    pub now: StepId,
    pub at: SimTime,
    /// A limit that ran from one time to another, and had to be over.
    pub limit: Option<(Rule, SimTime, SimTime)>,
    /// What had been waiting, or was set off; without it, what the event's own steps lead back to.
    pub back_to: StepId,
}

impl Cause {
    /// Nothing.
    pub const NONE: Cause = Cause { entry: None, step: StepId(0) };

    /// This entry, by the same step.
    pub fn of(self, entry: EntryId) -> Cause {
        Cause { entry: Some(entry), ..self }
    }

    /// The other's entry if this has none; the step stays.
    #[must_use]
    pub fn or(self, other: Cause) -> Cause {
        Cause { entry: self.entry.or(other.entry), ..self }
    }

    /// True if there is no entry to tell of.
    pub fn is_none(self) -> bool {
        self.entry.is_none()
    }
}

impl StepId {
    /// True if no ledger knows of it.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl Ledger {
    /// An empty ledger, opened before the entry of this number is written.
    pub fn new(first: EntryId) -> Ledger {
        Ledger { first, steps: Vec::new(), entries: Vec::new() }
    }

    /// The step of this number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(usize::try_from(id.0.checked_sub(1)?).expect("32 bits"))
    }

    /// When a step ended.
    pub fn at(&self, id: StepId) -> Option<SimTime> {
        self.step(id).map(|step| match step {
            Step::Wait { at, .. } => *at,
            Step::Turn(turn) => turn.at,
        })
    }

    /// The steps with which the scenario's faults and repairs came, in order.
    pub fn faults(&self) -> impl Iterator<Item = (SimTime, StepId)> {
        (1..).zip(&self.steps).filter_map(|(number, step)| match step {
            Step::Wait { at, rule, .. } if *rule == FAULT => Some((*at, StepId(number))),
            _ => None,
        })
    }

    /// By which step an entry came.
    pub fn of_entry(&self, entry: EntryId) -> Option<StepId> {
        let place = self.entries.binary_search_by_key(&entry, |(entry, _)| *entry).ok()?;
        Some(self.entries[place].1)
    }

    /// The entries that came by these steps, in order.
    pub fn entries_of(&self, steps: &BTreeSet<StepId>) -> impl Iterator<Item = EntryId> {
        self.entries.iter().filter(|(_, step)| steps.contains(step)).map(|(entry, _)| *entry)
    }

    /// The number of the process for which the event at the end of a step fell due.
    pub fn process(&self, mut id: StepId) -> Option<u32> {
        loop {
            match self.step(id)? {
                Step::Wait { process, .. } => return Some(*process),
                Step::Turn(turn) => id = turn.now,
            }
        }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// True if there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Writes a step down.
    pub fn push(&mut self, step: Step) -> StepId {
        self.steps.push(step);
        StepId(u32::try_from(self.steps.len()).expect("fewer than 2^32 steps"))
    }

    /// Writes down by which step all entries before `next` came that are not written down yet.
    pub fn note_entries(&mut self, next: EntryId, step: StepId) {
        let first = self.entries.last().map_or(self.first.0, |(last, _)| last.0 + 1);
        self.entries.extend((first..next.0).map(|entry| (EntryId(entry), step)));
    }
}
