//! Why something never comes: who waits for what, and what an operator could do about it.
//!
//! What is said to help has helped: each action was done in a copy of the run's end, which went on.

use super::ask::Question;
use crate::analysis::parallel::{Control, fold};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Action, Game, actions};
use crate::timeline::{Entry, Run, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A run that has not recovered, and what would release it.
#[derive(Clone, Debug)]
pub struct Never {
    pub run: Run,
    /// What was asked for.
    pub milestone: Text,
    pub waiting: Vec<Waiting>,
    /// How long it takes to recover by itself, if it does: then nothing was tried.
    pub by_itself: Option<Duration>,
    /// How many actions were tried, each for so long.
    pub tried: u64,
    pub patience: Duration,
    /// Those after which everything was well, the quickest first.
    pub releases: Vec<Release>,
}

/// Something that waits, or is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub object: Text,
    pub what: Text,
    /// When something was last written about it; absent if nothing was since the fault.
    pub since: Option<SimTime>,
}

/// An action that helps, and how long it takes from then on until everything is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub action: Text,
    pub took: Duration,
}

/// Plays the run of a seed to its end, and tries from there on what an operator could do.
pub fn never(
    game: &Game,
    seed: u64,
    question: &Question,
    patience: Duration,
    jobs: usize,
) -> Never {
    let mut simulation = game.begin(seed);
    simulation.run_to_end();
    // What heals by itself is helped by everything.
    let by_itself = simulation.release_by(None, patience);
    let all: Vec<Action> = match by_itself {
        None => actions(simulation.view()),
        Some(_) => Vec::new(),
    };
    let tried = all.len() as u64;
    let add = |sum: &mut Vec<(u64, Duration)>, place: u64| {
        let action = usize::try_from(place).ok().and_then(|place| all.get(place));
        let took = action.and_then(|action| simulation.release_by(Some(action), patience));
        sum.extend(took.map(|took| (place, took)));
    };
    let found = fold(0..tried, jobs, &Control::default(), Vec::new, add);
    let mut found: Vec<(u64, Duration)> = found.into_iter().flatten().collect();
    found.sort_by_key(|(place, took)| (*took, *place));
    let release = |(place, took): (u64, Duration)| {
        let action = usize::try_from(place).ok().and_then(|place| all.get(place));
        action.map(|action| Release { action: action.words.clone(), took })
    };
    let releases = found.into_iter().filter_map(release).collect();
    let run = game.judge(simulation.finish(), seed);
    let waiting = waiting(&run);
    let milestone = question.words();
    Never { run, milestone, waiting, by_itself, tried, patience, releases }
}

/// What is missing, and which controllers say that they do not act, and why.
fn waiting(run: &Run) -> Vec<Waiting> {
    let entries = run.timeline.entries();
    let fault = run.first_fault.unwrap_or_default();
    let since = |object: &Text| {
        let about = entries.iter().rev().find(|entry| entry.object() == *object.as_str());
        about.map(|entry| entry.at).filter(|at| *at >= fault)
    };
    let lack = |lack: &crate::timeline::Lack| Waiting {
        object: lack.object.clone(),
        what: lack.what.clone(),
        since: since(&lack.object),
    };
    let mut found: Vec<Waiting> = run.missing.iter().map(lack).collect();
    found.extend(refusals(entries, fault));
    let mut told = BTreeSet::new();
    found.retain(|waiting| told.insert((waiting.object.clone(), waiting.what.clone())));
    found
}

/// The fields in which a controller says why it does not act.
const REFUSALS: [&str; 6] = [
    "OwnerRemediated",
    "RemediationAllowed",
    "MachinesReady",
    "EtcdClusterHealthy",
    "VolumeDetachSucceeded",
    "v1beta1.VolumeDetachSucceeded",
];

/// Conditions of that kind that are not true at the end, with their words.
fn refusals(entries: &[Entry], fault: SimTime) -> Vec<Waiting> {
    let mut last: BTreeMap<(String, &str), &Entry> = BTreeMap::new();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for entry in entries {
        if entry.field == *"exists" && entry.to == Value::Null {
            gone.insert(entry.object());
        }
        if REFUSALS.contains(&entry.field.as_str()) {
            last.insert((entry.object(), entry.field.as_str()), entry);
        }
    }
    let stands = |entry: &&Entry| {
        let is_true = entry.to.as_text() == Some("True");
        entry.at >= fault && !is_true && entry.to != Value::Null && !entry.reason.is_empty()
    };
    let of_the_living = last.into_iter().filter(|((object, _), _)| !gone.contains(object));
    of_the_living
        .map(|(_, entry)| entry)
        .filter(stands)
        .map(|entry| Waiting {
            object: Text::from(entry.object()),
            what: Text::from(format!("{} {}: {}", entry.field, entry.reason, entry.message)),
            since: Some(entry.at),
        })
        .collect()
}
