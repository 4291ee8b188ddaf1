//! What is kept of one run: how it ended, and its figures.
//!
//! Two runs of one seed are compared by their samples: equal names mean equal things.

use super::outcome::Ending;
use crate::analysis::milestones::{Milestone, milestones};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Level, Run, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is kept of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub seed: u64,
    pub ending: Ending,
    pub figures: BTreeMap<Name, Duration>,
    /// Those of services that were still down when the run ended, or short of what they should be: of them is
    /// known only that they are not shorter.
    pub open: BTreeSet<Name>,
    /// Not all of the scenario's faults have struck and hit something.
    pub unstruck: bool,
}

/// The name of a figure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    pub kind: Kind,
    /// `nodeUnknown`, `unavailable`.
    pub figure: Text,
    /// `Node/worker-0`; `Machine/new` for one that came to be during the run, whose own name is
    /// drawn; for an availability the service: `api`, `app/web`.
    pub object: Text,
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The time from the first fault to a milestone, in the runs in which it came.
    Milestone,
    /// How long a service was unavailable or degraded after the first fault, in every run.
    Availability,
}

impl Name {
    /// The milestone that ends a recovery.
    pub fn recovered() -> Name {
        Name {
            kind: Kind::Milestone,
            figure: Text::word("recovered"),
            object: Text::word("Cluster/workload"),
        }
    }
}

impl Sample {
    /// What is kept of this run.
    pub fn of(run: &Run) -> Sample {
        let all = milestones(run);
        let ending = Ending::of(run, &all);
        let mut figures = times(run, all);
        let mut open = BTreeSet::new();
        for (name, length, has_ended) in downtimes(run) {
            open.extend((!has_ended).then(|| name.clone()));
            figures.insert(name, length);
        }
        Sample { seed: run.seed, ending, figures, open, unstruck: !run.unstruck.is_empty() }
    }
}

/// What objects are called over many runs: those of the beginning as in each of them, and the others
/// by their kind.
pub fn names_over_runs(run: &Run) -> BTreeSet<Text> {
    let mut names = at_the_beginning(run);
    let entries = run.timeline.entries().iter();
    let kinds: BTreeSet<&Text> = entries.map(|entry| &entry.kind).collect();
    names.extend(kinds.into_iter().map(|kind| new(kind)));
    names
}

/// Under which name each object of a run is told over many.
pub fn name_over_runs(run: &Run) -> impl Fn(&Text) -> Text {
    let known = at_the_beginning(run);
    move |object| if known.contains(object) { object.clone() } else { anonymous(object) }
}

/// The first time of each milestone and object after the first fault.
fn times(run: &Run, milestones: Vec<Milestone>) -> BTreeMap<Name, Duration> {
    let fault = run.first_fault.unwrap_or_default();
    let name_of = name_over_runs(run);
    let mut found = BTreeMap::new();
    for Milestone { name, object, at, .. } in milestones.into_iter().filter(|m| m.at >= fault) {
        let name = Name { kind: Kind::Milestone, figure: name, object: name_of(&object) };
        // Of several new objects the first counts.
        found.entry(name).or_insert(at.since(fault));
    }
    found
}

/// How long each service was down or degraded, and whether that was over when the run ended. Who is down
/// comes back by being degraded: then not even a length of nothing is over.
fn downtimes(run: &Run) -> impl Iterator<Item = (Name, Duration, bool)> {
    run.availability.iter().flat_map(|(service, down)| {
        let figures = [
            ("unavailable", Some(down.unavailable), down.at_end != Level::Down),
            ("degraded", down.degraded, down.at_end == Level::Full),
        ];
        figures.into_iter().filter_map(|(figure, length, is_over)| {
            let (figure, object, length) = (Text::word(figure), service.clone(), length?);
            // Without a fault nothing is counted, and so nothing is cut off.
            let has_ended = is_over || run.first_fault.is_none();
            Some((Name { kind: Kind::Availability, figure, object }, length, has_ended))
        })
    })
}

/// The objects whose names are the same in every run: those that there are at the beginning. Not
/// all of them are told by `exists`: a process begins with `running`, a probe with its `status`.
fn at_the_beginning(run: &Run) -> BTreeSet<Text> {
    let entries = run.timeline.entries().iter();
    let initial = entries.take_while(|entry| entry.at == SimTime::ZERO && entry.kind != *"Fault");
    let mut known: BTreeSet<Text> = initial
        .filter(|entry| entry.from == Value::Null)
        .map(|entry| entry.object().into())
        .collect();
    known.insert(Text::word("Cluster/workload"));
    known
}

/// A random name says nothing over many runs.
fn anonymous(object: &str) -> Text {
    new(object.split('/').next().unwrap_or_default())
}

fn new(kind: &str) -> Text {
    Text::from(format!("{kind}/new"))
}
