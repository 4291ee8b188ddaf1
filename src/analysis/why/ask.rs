//! One question about one run, and its answer.

use super::news::News;
use super::path::{self, Part};
use crate::analysis::estimate::name_over_runs;
use crate::analysis::{Milestone, milestones};
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::scenario::{Game, Setting};
use crate::timeline::{Entry, EntryId, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which milestone is asked for; of which object, if it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// A name of `MILESTONES`; the recovery, if none is named.
    pub milestone: Option<Text>,
    pub object: Option<Text>,
}

impl Question {
    /// The milestone as a person reads it: `machineDeleted of Machine/worker-0`.
    pub fn words(&self) -> Text {
        let name = self.milestone.clone().unwrap_or(Text::word(LAST));
        match &self.object {
            Some(object) => Text::from(format!("{name} of {object}")),
            None => name,
        }
    }
}

/// What is asked for if nothing is named.
const LAST: &str = "recovered";

/// The rule of what comes between the last entry and the recovery.
const UNWRITTEN: Rule = "a member of etcd catches up, or an API server dials etcd again";

/// The way from the fault to a milestone.
#[derive(Clone, Debug)]
pub struct Why {
    pub run: Run,
    pub milestone: Milestone,
    /// They begin with the first fault, and each where the one before it ends.
    pub parts: Vec<Part>,
    /// Who each part's event fell due for, by its place.
    pub who: Vec<Text>,
    /// The entries that were written on the way, in order.
    pub entries: BTreeSet<EntryId>,
    pub settings: Settings,
}

/// All settings of a platform, by key.
pub type Settings = Arc<BTreeMap<String, Setting>>;

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub enum Unanswered {
    /// The scenario has no fault to count from.
    NoFault,
    /// It has not come in this run; the run says what is missing.
    Never(Box<Run>),
}

/// Plays the run of a seed with a ledger, and reads the way back from the milestone.
pub fn why(game: &Game, seed: u64, question: &Question) -> Result<Why, Unanswered> {
    let mut simulation = game.begin(seed);
    let first = game.first_fault().ok_or(Unanswered::NoFault)?;
    simulation.keep_ledger();
    simulation.run_to_end();
    let names: Vec<Text> = simulation.view().processes().map(|it| it.name.clone()).collect();
    let ledger = simulation.take_ledger().unwrap_or_default();
    let run = game.judge(simulation.finish(), seed);
    let Some(milestone) = choose(&run, question) else {
        return Err(Unanswered::Never(Box::new(run)));
    };
    let end = last_that_matters(&run, &milestone);
    let end = ledger.of_entry(end).expect("every entry since the beginning is noted");
    let news = News::of(&run.timeline, &ledger, names, game.settings());
    let (mut parts, steps) = path::way(&ledger, &news, end, first);
    // Everything may be well only when nothing is written: when a member of etcd has caught up, or an API
    // server has its connections to etcd again.
    let from = parts.last().map_or(first, |part| part.to);
    if from < milestone.at {
        parts.push(Part { from, to: milestone.at, rule: UNWRITTEN, step: end });
    }
    let who =
        parts.iter().map(|part| ledger.process(part.step)).map(|who| news.name(who)).collect();
    // Where a silence began, the fault is no step of the way itself.
    let fault = run.timeline.happened().iter().find(|entry| entry.kind == *"Fault");
    let mut entries: BTreeSet<EntryId> = ledger.entries_of(&steps).collect();
    // What happened while somebody looked again and again has no place of its own between the waits.
    let untold: Vec<&Part> = parts.iter().filter(|part| part.rule == path::UNTOLD).collect();
    let is_within = |at: SimTime| untold.iter().any(|part| part.from < at && at < part.to);
    let at = |id: &EntryId| run.timeline.get(*id).map(|entry| entry.at);
    entries.retain(|id| !at(id).is_some_and(is_within));
    entries.extend(fault.map(|entry| entry.id));
    let settings = Arc::clone(game.settings());
    Ok(Why { run, milestone, parts, who, entries, settings })
}

impl Why {
    /// From the first fault to the milestone.
    pub fn whole(&self) -> Duration {
        self.milestone.at.since(self.fault())
    }

    /// When the first fault came.
    pub fn fault(&self) -> SimTime {
        self.run.first_fault.unwrap_or_default()
    }

    /// The entries on the way that tell most: one for each instant, and no line of a log if
    /// anything else was written.
    pub fn stations(&self) -> Vec<&Entry> {
        let led = self.causes();
        let named: BTreeSet<EntryId> = milestones(&self.run).iter().map(|it| it.entry).collect();
        let mut best: BTreeMap<SimTime, (u32, &Entry)> = BTreeMap::new();
        for entry in self.entries.iter().filter_map(|id| self.run.timeline.get(*id)) {
            let worth = 4 * u32::from(entry.id == self.milestone.entry)
                + 2 * u32::from(entry.field != *"log")
                + u32::from(named.contains(&entry.id))
                + u32::from(led.contains(&entry.id));
            let stands = best.get(&entry.at).is_some_and(|(other, _)| *other >= worth);
            if !stands {
                best.insert(entry.at, (worth, entry));
            }
        }
        let ends = |entry: &Entry| entry.id == self.milestone.entry;
        let all = best.into_values().map(|(_, entry)| entry);
        all.filter(|entry| entry.field != *"log" || ends(entry)).collect()
    }

    /// The entries that led to the milestone's, by their causes.
    fn causes(&self) -> BTreeSet<EntryId> {
        let mut led = BTreeSet::new();
        let mut next = Some(self.milestone.entry);
        while let Some(id) = next.filter(|id| led.insert(*id)) {
            next = self.run.timeline.get(id).and_then(|entry| entry.cause);
        }
        led
    }
}

/// The entry that a milestone came with. Of a recovery that nothing was written of, the last that tells of what can be
/// lacking: where a load balancer leads, who leads and what conditions say changes nothing of that.
fn last_that_matters(run: &Run, milestone: &Milestone) -> EntryId {
    let matters = |entry: &Entry| match entry.kind.as_str() {
        "VM" | "Process" | "EtcdMember" | "Node" | "Pod" => {
            !["log", "event"].contains(&entry.field.as_str())
        }
        "Machine" => ["exists", "phase", "nodeRef"].contains(&entry.field.as_str()),
        _ => false,
    };
    let written = run.timeline.get(milestone.entry).map(|entry| entry.at);
    if written == Some(milestone.at) {
        return milestone.entry;
    }
    let upto = run.timeline.happened().iter().take_while(|entry| entry.id <= milestone.entry);
    let last = upto.filter(|entry| matters(entry) && Some(entry.at) >= run.first_fault).last();
    last.map_or(milestone.entry, |entry| entry.id)
}

/// The milestone that is asked for: the first of its name, or that of the object, which may have the name
/// that it has over many runs: `VM/new` is the first that was not there at the beginning.
pub(super) fn choose(run: &Run, question: &Question) -> Option<Milestone> {
    let over_runs = name_over_runs(run);
    let fits = |milestone: &&Milestone| {
        let (asked, object) = (question.object.as_ref(), &milestone.object);
        asked.is_none_or(|asked| object == asked || over_runs(object) == *asked)
    };
    let all = milestones(run);
    let name = question.milestone.clone().unwrap_or(Text::word(LAST));
    all.iter().find(|milestone| milestone.name == name && fits(milestone)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::play;

    #[test]
    fn what_came_new_is_asked_for_by_its_kind() {
        let run = play("worker-kubelet-stopped", 1).expect("an embedded scenario");
        let ask = |object: &'static str| {
            let [milestone, object] = ["replacementReady", object].map(|it| Some(Text::word(it)));
            choose(&run, &Question { milestone, object }).map(|found| found.object)
        };
        let found = ask("Machine/new").expect("a replacement");
        assert!(found.starts_with("Machine/") && found != *"Machine/new", "{found}");
        assert_eq!(ask("VM/new"), None, "no VM reaches that");
    }
}
