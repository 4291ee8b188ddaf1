//! Many runs of one scenario with consecutive seeds: how often, and when, each milestone comes, and
//! how the runs end.
//!
//! All results are merged as integers in the order of seeds, so any number of threads gives the same
//! document. It plays whole runs and does not know how anything is printed.

use super::milestones::{Milestone, milestones};
use super::parallel::each;
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::Game;
use crate::timeline::{End, Run, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What many runs of a scenario came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub scenario: Text,
    pub platform: Text,
    pub first_seed: u64,
    pub runs: u64,
    /// How the runs ended, the most frequent first.
    pub outcomes: Vec<(Outcome, u64)>,
    /// In the order of their median times.
    pub milestones: Vec<Times>,
}

/// How a run ended, and by which path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A Machine was deleted and another made in its place.
    Replaced,
    /// A VM was powered on again, and no Machine was deleted.
    PoweredOn,
    /// Neither: what was broken came back by itself, or by hand.
    CameBack,
    /// Not recovered, and an owner or a short circuit refused to replace a Machine.
    Refused,
    /// Not recovered, and nothing changed any more.
    Stuck,
    /// Not recovered when the scenario's time was over.
    Horizon,
    /// The engine's limit of events was reached.
    Budget,
}

/// When a milestone came, counted from the first fault, over the runs in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    pub milestone: Text,
    /// The object, or its kind with `/new` for one that came to be during the run.
    pub object: Text,
    /// All times, the shortest first; one for each run in which it came.
    pub sorted: Vec<Duration>,
}

/// What is kept of one run.
#[derive(Clone, Debug)]
struct Sample {
    outcome: Outcome,
    milestones: Vec<(Text, Text, Duration)>,
}

/// Plays the seeds on so many threads and merges what came of them.
pub fn estimate(game: &Game, seeds: Range<u64>, jobs: usize) -> Estimate {
    let (first_seed, runs) = (seeds.start, seeds.end.saturating_sub(seeds.start));
    let samples = each(seeds, jobs, |seed| Sample::of(&game.play(seed)));
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut times: BTreeMap<(Text, Text), Vec<Duration>> = BTreeMap::new();
    for sample in samples {
        *outcomes.entry(sample.outcome).or_insert(0) += 1;
        for (milestone, object, after) in sample.milestones {
            times.entry((milestone, object)).or_default().push(after);
        }
    }
    let mut outcomes: Vec<(Outcome, u64)> = outcomes.into_iter().collect();
    outcomes.sort_by_key(|(outcome, runs)| (std::cmp::Reverse(*runs), *outcome));
    let mut milestones: Vec<Times> = times
        .into_iter()
        .map(|((milestone, object), mut sorted)| {
            sorted.sort_unstable();
            Times { milestone, object, sorted }
        })
        .collect();
    milestones.sort_by_key(|times| times.percentile(50));
    let (scenario, platform) = (game.scenario.clone(), game.platform.clone());
    Estimate { scenario, platform, first_seed, runs, outcomes, milestones }
}

impl Times {
    /// The time that `percent` of the runs in which it came did not exceed (nearest rank); the
    /// shortest for 0, the longest for 100.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (percent * self.sorted.len()).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

impl Outcome {
    /// As it is written in documents and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Replaced => "recovered by replacement",
            Outcome::PoweredOn => "recovered by power-on",
            Outcome::CameBack => "recovered as it was",
            Outcome::Refused => "refused",
            Outcome::Stuck => "stuck",
            Outcome::Horizon => "horizon",
            Outcome::Budget => "budget",
        }
    }

    pub(super) fn of(run: &Run, milestones: &[Milestone]) -> Outcome {
        let came = |name: &str| milestones.iter().any(|milestone| milestone.name == *name);
        match run.end {
            End::Recovered if came("machineDeleted") => Outcome::Replaced,
            End::Recovered if powered_on_again(run) => Outcome::PoweredOn,
            End::Recovered => Outcome::CameBack,
            End::Budget => Outcome::Budget,
            _ if came("remediationRefused") => Outcome::Refused,
            End::Stuck => Outcome::Stuck,
            End::Horizon => Outcome::Horizon,
        }
    }
}

/// A VM that had been on was off and came on again; the first power-on of a new one does not count.
fn powered_on_again(run: &Run) -> bool {
    let power = run.timeline.happened().iter();
    let mut off = BTreeSet::new();
    power.filter(|entry| entry.kind == *"VM" && entry.field == *"power").any(|entry| {
        match entry.to.as_text() {
            Some("off") => {
                off.insert(&entry.name);
                false
            }
            _ => off.contains(&entry.name),
        }
    })
}

impl Sample {
    fn of(run: &Run) -> Sample {
        let all = milestones(run);
        let outcome = Outcome::of(run, &all);
        let fault = run.first_fault.unwrap_or_default();
        let known = at_the_beginning(run);
        let mut seen = BTreeSet::new();
        let mut kept = Vec::new();
        for Milestone { name, object, at, .. } in all.into_iter().filter(|m| m.at >= fault) {
            let object = match known.contains(&object) {
                true => object,
                false => anonymous(&object),
            };
            // Of several new objects the first counts.
            if seen.insert((name.clone(), object.clone())) {
                kept.push((name, object, at.since(fault)));
            }
        }
        Sample { outcome, milestones: kept }
    }
}

/// The objects whose names are the same in every run.
fn at_the_beginning(run: &Run) -> BTreeSet<Text> {
    let initial = run
        .timeline
        .entries()
        .iter()
        .take_while(|entry| entry.at == SimTime::ZERO && entry.kind != *"Fault");
    let mut known: BTreeSet<Text> = initial
        .filter(|entry| entry.field == *"exists" && entry.to == Value::Bool(true))
        .map(|entry| entry.object().into())
        .collect();
    known.insert(Text::word("Cluster/workload"));
    known
}

/// A random name says nothing over many runs.
fn anonymous(object: &str) -> Text {
    let kind = object.split('/').next().unwrap_or_default();
    Text::from(format!("{kind}/new"))
}
