//! What a campaign has found, as a file: a scenario that shows it, with what it shows and who did it.

use super::failure::{FAILS, SENTENCE, caught};
use super::gap::Gap;
use super::schedule::{Moment, Schedule, Strike};
use super::trial::{Outcome, Then, Trial, watch};
use crate::analysis::invariants::{ALL, BOUND, Invariant, Kind, Laws};
use crate::engine::{Duration, SimTime, counted};
use crate::scenario::{Mistakes, Simulation};
use crate::timeline::{Entry, EntryId};
use std::fmt::Write as _;

/// What a schedule shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A law is broken.
    Law(&'static str),
    /// It does not heal, and is stuck like this.
    Gap(Gap),
}

/// A schedule that shows something.
#[derive(Clone, Debug)]
pub struct Finding {
    pub shown: Shown,
    /// The seed by which it was found; its file is named by it.
    pub name: u64,
    pub schedule: Schedule,
    /// The words that find it again.
    pub command: String,
    /// From how many strikes it was reduced, and in how many runs, if it was.
    pub reduced: Option<(usize, u64)>,
}

/// So long after what it shows a file's run goes on.
const REST: Duration = Duration::from_secs(60);
/// More links of a chain of causes do not help.
const LONGEST_CHAIN: usize = 24;

impl Shown {
    /// True if a run shows it.
    pub fn is_in(&self, trial: &Trial) -> bool {
        match self {
            Shown::Law(name) => trial.violations.iter().any(|found| found.law == *name),
            Shown::Gap(gap) => trial.gap.as_ref() == Some(gap),
        }
    }

    /// How far a run has to be played to show it.
    pub fn then(&self) -> Then {
        match self {
            Shown::Law(_) => Then::Repair,
            Shown::Gap(_) => Then::Stop,
        }
    }

    /// How long a file's run goes on after that. A campaign judges what is stuck after twenty minutes, who
    /// plays the file after its whole time to recover.
    fn rest(&self) -> Duration {
        let waits = |law: &Invariant| law.kind == Kind::Eventually && Shown::Law(law.name) == *self;
        if ALL.iter().any(waits) { BOUND + REST } else { REST }
    }

    /// A name that a scenario can have.
    fn name(&self) -> String {
        match self {
            Shown::Law(name) => (*name).to_owned(),
            Shown::Gap(gap) => format!("stuck-{}", slug(&gap.lack)),
        }
    }

    fn words(&self) -> String {
        match self {
            Shown::Law(FAILS) => format!("Fails: {SENTENCE}."),
            Shown::Law(name) => {
                let law = ALL.iter().find(|invariant| invariant.name == *name);
                let law = law.map_or("", |invariant| invariant.law);
                format!("Breaks the law {name}: {law}.")
            }
            Shown::Gap(gap) => format!("Does not heal by itself: {gap}."),
        }
    }
}

impl Finding {
    /// The file's name: what it shows, and the seed.
    pub fn file_name(&self) -> String {
        format!("{}-{}.yaml", self.shown.name(), self.name)
    }

    /// The file, rewritten to the same bytes each time; what it shows is read from its own run.
    ///
    /// # Errors
    /// The schedule is no scenario.
    pub fn text(&self) -> Result<String, Mistakes> {
        let game = self.schedule.game(super::draw::LONG)?;
        let begin = || game.begin(self.schedule.seed);
        let played = caught(|| watch(begin(), Laws::new(), self.shown.then()));
        let (trial, simulation) = played.unwrap_or_else(|says| (Trial::failed(says), begin()));
        let mut schedule = self.schedule.clone();
        // Without the operator nothing that the file shows may depend on him.
        if trial.outcome == Outcome::Violation {
            schedule.strikes.extend(trial.repairs.iter().cloned());
        }
        let end = trial.ended_at.since(SimTime::ZERO) + self.shown.rest();
        let until = Duration::from_secs(60 * end.as_secs().div_ceil(60));
        let expect = match &self.shown {
            Shown::Law(_) => "",
            Shown::Gap(_) => "  expect:\n    - { see: recovered }\n",
        };
        let name = format!("{}-{}", self.shown.name(), self.name);
        let mut text = String::new();
        let mut remark = |line: &str| {
            let _ = writeln!(text, "# {line}");
        };
        remark(&self.shown.words());
        remark(&format!("Found by: {}", self.command));
        if let Some((strikes, runs)) = self.reduced {
            let left = self.schedule.strikes.len();
            let runs = counted(runs, "run");
            remark(&format!("Reduced from {strikes} faults to {left} in {runs}."));
        }
        for line in self.story(&trial, &simulation) {
            remark(&line);
        }
        text.push_str(&schedule.scenario(&name, until, expect));
        Ok(text)
    }

    /// Who did it: the causes of the entry that decided, from the fault on.
    fn story(&self, trial: &Trial, simulation: &Simulation) -> Vec<String> {
        let entries = simulation.view().timeline().entries();
        let Shown::Law(name) = self.shown else {
            return stuck(trial, entries);
        };
        let Some(found) = trial.violations.iter().find(|found| found.law == name) else {
            return Vec::new();
        };
        let mut lines = vec![format!("{found}.")];
        lines.push("What led to it:".to_owned());
        let decided = found.breach.entries.last().copied();
        lines.extend(chain(entries, decided).into_iter().map(line));
        lines
    }
}

/// What was seen last before nothing changed any more.
fn stuck(trial: &Trial, entries: &[Entry]) -> Vec<String> {
    let mut lines = vec![format!(
        "Nothing that changes the cluster came any more by {}.",
        trial.ended_at.since(SimTime::ZERO)
    )];
    let last = entries.iter().rfind(|entry| crate::scenario::moves(entry));
    lines.push("What led to the last change:".to_owned());
    lines.extend(chain(entries, last.map(|entry| entry.id)).into_iter().map(line));
    lines
}

/// The causes of an entry, the first one first.
pub(in crate::analysis) fn chain(entries: &[Entry], last: Option<EntryId>) -> Vec<&Entry> {
    let find = |id: EntryId| entries.get((id.0 as usize).checked_sub(1)?);
    let mut chain = Vec::new();
    let mut next = last.and_then(find);
    while let Some(entry) = next.filter(|_| chain.len() < LONGEST_CHAIN) {
        chain.push(entry);
        next = entry.cause.and_then(find);
    }
    chain.reverse();
    chain
}

/// An entry in one line.
pub(in crate::analysis) fn line(entry: &Entry) -> String {
    let at = entry.at.since(SimTime::ZERO);
    let by = if entry.by.is_empty() { String::new() } else { format!(", by {}", entry.by) };
    format!("  {at} {} {}: {} -> {}{by}", entry.object(), entry.field, entry.from, entry.to)
        .replace('\n', " ")
}

/// Letters and lines only.
fn slug(words: &str) -> String {
    let parts = words.split(|letter: char| !letter.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let mut slug = parts.join("-").to_lowercase();
    slug.truncate(40);
    slug.trim_end_matches('-').to_owned()
}

impl Strike {
    /// The same at a time, if it waited for something.
    pub(super) fn timed(&self, at: Duration) -> Strike {
        Strike { moment: Moment::At(at), words: self.words.clone() }
    }
}
