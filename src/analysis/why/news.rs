//! What happened to whom, as the timeline tells it: where one who looks again and again has found something
//! at last, that is what he had waited for.

use super::ask::Settings;
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::scenario::{REPAIRS, only_looks};
use crate::timeline::{Entry, Ledger, StepId, Timeline};
use std::collections::BTreeSet;

/// What was written down of a place: a VM, or who has its name (its Machine, its Node, its member of etcd).
#[derive(Clone, Debug)]
pub struct Change {
    pub at: SimTime,
    pub step: StepId,
    places: Vec<Text>,
    /// The process that wrote it, as `kubelet@worker-0`, if one did.
    by: Text,
    /// Whether it says that a program runs, serves or leads, that a VM is on, or that somebody has stepped in.
    is_of_program: bool,
    /// Whether a person has mended something, or done something to an object.
    is_repair: bool,
    /// What he mended has no VM's name: a host, a zone, a link.
    is_of_many: bool,
}

/// All changes, in order.
#[derive(Clone, Debug, Default)]
pub struct News {
    changes: Vec<Change>,
    /// The names of all processes, by their numbers.
    processes: Vec<Text>,
    settings: Settings,
}

/// Where nothing of what is looked for is: what runs there serves all.
const COMMON: [&str; 3] = ["laptop", "load-balancer", "vcenter"];

impl News {
    /// What a timeline tells, with the steps that it came by.
    pub fn of(
        timeline: &Timeline,
        ledger: &Ledger,
        processes: Vec<Text>,
        settings: &Settings,
    ) -> News {
        let change = |entry: &Entry| {
            let is_change = !["log", "event"].contains(&entry.field.as_str());
            let is_of_program =
                ["Process", "EtcdMember", "VM", "Fault"].contains(&entry.kind.as_str());
            let step = ledger.of_entry(entry.id)?;
            let is_repair = is_repair(entry);
            let is_of_many = is_repair && OF_MANY.contains(&entry.name.as_str());
            let places = places_of(entry);
            let is_told = is_change && !places.is_empty();
            is_told.then(|| Change {
                at: entry.at,
                step,
                places,
                by: entry.by.clone(),
                is_of_program,
                is_repair,
                is_of_many,
            })
        };
        let changes = timeline.happened().iter().filter_map(change).collect();
        News { changes, processes, settings: settings.clone() }
    }

    /// True if a wait may be a pause between two looks: as long as its rule has it. What is drawn from a range each time
    /// is work, or on its way; of a longer limit a part is waited.
    pub fn may_pause(&self, rule: Rule, length: Duration) -> bool {
        let Some(setting) = self.settings.get(rule) else { return true };
        let value = setting.value.parse::<Duration>();
        value.is_ok_and(|value| length.scaled(10, 1) >= value.scaled(9, 1))
    }

    /// True if a rule is a pause or a limit, and no work whose length is drawn.
    pub fn is_fixed(&self, rule: Rule) -> bool {
        self.settings.get(rule).is_none_or(|setting| !setting.value.contains(".."))
    }

    /// News that a test makes up: when, by which step, of which place.
    #[cfg(test)]
    pub fn made_up(told: &[(SimTime, StepId, &'static str)], processes: &[&'static str]) -> News {
        let change = |(at, step, place): &(SimTime, StepId, &'static str)| Change {
            at: *at,
            step: *step,
            places: vec![Text::word(place)],
            by: Text::EMPTY,
            is_of_program: true,
            is_repair: false,
            is_of_many: false,
        };
        let processes = processes.iter().map(|name| Text::word(name)).collect();
        News { changes: told.iter().map(change).collect(), processes, ..News::default() }
    }

    /// The same, told by a person who mends.
    #[cfg(test)]
    pub fn mended(mut self) -> News {
        self.changes.iter_mut().for_each(|change| change.is_repair = true);
        self
    }

    /// The name of a process, empty if there is none.
    pub fn name(&self, process: Option<u32>) -> Text {
        let place = process.and_then(|process| usize::try_from(process).ok());
        place.and_then(|place| self.processes.get(place)).cloned().unwrap_or_default()
    }

    /// The place of a process.
    pub fn place(&self, process: u32) -> Option<&str> {
        let name = self.processes.get(usize::try_from(process).ok()?)?;
        Some(place_of(name)).filter(|place| !COMMON.contains(place))
    }

    /// The latest change between two times, the second one included, of one of these places: first of a program
    /// there, then of anything. What the process itself wrote is nothing that it had waited for.
    pub fn between(
        &self,
        times: (SimTime, SimTime),
        places: &BTreeSet<Text>,
        looks: u32,
    ) -> Option<&Change> {
        let own = usize::try_from(looks).ok().and_then(|place| self.processes.get(place));
        let fits = |change: &&Change| change.is_in(places) && Some(&change.by) != own;
        let all = || self.within(times).iter().rev().filter(fits);
        all().find(|change| change.is_of_program).or_else(|| all().next())
    }

    /// The latest repair of one of these places between two times, the second one included. Who looks from
    /// elsewhere, as a controller of Machines, is helped by a repair of one like them too.
    pub fn repaired(
        &self,
        times: (SimTime, SimTime),
        places: &BTreeSet<Text>,
        looks: u32,
    ) -> Option<&Change> {
        let own = self.place(looks).and_then(group);
        let groups = || places.iter().filter_map(|place| group(place));
        let is_like = |place: &Text| {
            group(place).is_some_and(|it| Some(it) != own && groups().any(|other| other == it))
        };
        let fits = |change: &&Change| {
            let is_near = || change.is_in(places) || change.places.iter().any(is_like);
            change.is_repair && (change.is_of_many || is_near())
        };
        self.within(times).iter().rev().find(fits)
    }

    /// The changes between two times, the second one included.
    fn within(&self, (after, until): (SimTime, SimTime)) -> &[Change] {
        let upto = |time| self.changes.partition_point(|change| change.at <= time);
        &self.changes[upto(after)..upto(until).max(upto(after))]
    }

    /// The places that what came by a step, at a time, tells of.
    pub fn places_of(&self, step: StepId, at: SimTime) -> impl Iterator<Item = &Text> {
        let begin = self.changes.partition_point(|change| change.at < at);
        let then = self.changes[begin..].iter().take_while(move |change| change.at == at);
        then.filter(move |change| change.step == step).flat_map(|change| &change.places)
    }
}

impl Change {
    fn is_in(&self, places: &BTreeSet<Text>) -> bool {
        self.places.iter().any(|place| places.contains(place))
    }
}

const OF_MANY: [&str; 3] = ["powerOnHost", "rejoinZone", "healLink"];

/// True for what a scenario's person does to make it better, or types: to look changes nothing.
fn is_repair(entry: &Entry) -> bool {
    let is_typed =
        ["kubectl", "etcdctl"].contains(&entry.name.as_str()) && !only_looks(&entry.message);
    entry.kind == *"Fault" && (is_typed || REPAIRS.contains(&entry.name.as_str()))
}

/// Whom an entry tells of: of a load balancer's backends, who came or went.
fn places_of(entry: &Entry) -> Vec<Text> {
    if entry.kind == *"Endpoint" {
        let [from, to] = [&entry.from, &entry.to].map(|value| value.as_text().unwrap_or_default());
        let [from, to] = [from, to].map(|names| names.split(',').collect::<BTreeSet<&str>>());
        return from.symmetric_difference(&to).map(|name| Text::from(*name)).collect();
    }
    let place = match entry.kind.as_str() {
        // What was struck, or mended: `VM/worker-0`, `Process/kubelet@worker-0`.
        "Fault" => {
            place_of(entry.to.as_text().unwrap_or_default().rsplit('/').next().unwrap_or_default())
        }
        _ => place_of(&entry.name),
    };
    Some(Text::from(place)).filter(|_| !COMMON.contains(&place)).into_iter().collect()
}

/// `control-plane` of `control-plane-0`: who takes its place is called so too.
fn group(place: &str) -> Option<&str> {
    place.rsplit_once('-').map(|(group, _)| group)
}

/// `control-plane-0` of `etcd@control-plane-0`, and a name without a place itself.
fn place_of(name: &str) -> &str {
    name.rsplit('@').next().unwrap_or(name)
}
