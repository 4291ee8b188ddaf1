//! How well each service served over a run, as the summary's `availability` counts it.
//!
//! That is what serves and can be reached, and not what the API has of it: while nobody reaches an API server its Pods are
//! what they were. A service that users ask is not here: what they find is in the timeline, as `Probe`.

use crate::engine::{SimTime, Text};
use crate::scenario::Simulation;
use crate::timeline::{Level, Timeline};
use serde_json::json;
use std::collections::BTreeMap;

/// Of each service its level from when on.
pub type Levels = BTreeMap<Text, Vec<(SimTime, Level)>>;

/// The levels so far.
pub fn levels(simulation: &Simulation) -> Levels {
    let timeline = simulation.view().timeline();
    let all = simulation.service_levels().iter().filter(|(name, _)| !is_asked(timeline, name));
    all.map(|(name, changes)| (name.clone(), changes.clone())).collect()
}

/// What is new in a fork of a run, which stops where the fork begins.
pub fn new_levels(stop: &Simulation, fork: &Simulation) -> Levels {
    let shared = levels(stop);
    let count = |name: &Text| shared.get(name).map_or(0, Vec::len);
    let all = levels(fork).into_iter();
    all.map(|(name, changes)| (name.clone(), changes.into_iter().skip(count(&name)).collect()))
        .collect()
}

/// True for a service that some user asks.
fn is_asked(timeline: &Timeline, service: &Text) -> bool {
    let app = service.strip_prefix("app/").map(|app| format!("app-{app}"));
    timeline.entries().iter().filter(|entry| entry.kind == *"Probe").any(|entry| match &app {
        Some(app) => entry.name == *app.as_str(),
        None => entry.name == *"api" || entry.name.starts_with("api@"),
    })
}

/// Each service's changes as JSON: when, and 0 for available, 1 for degraded, 2 for down.
pub fn written(levels: &Levels) -> String {
    let of = levels.iter().map(|(name, changes)| {
        let mut before = SimTime::ZERO;
        let pairs = changes.iter().flat_map(|(at, level)| {
            let step = i64::try_from(at.since(before).as_micros());
            before = *at;
            [step.expect("a run is shorter than 292,000 years"), number(*level)]
        });
        (name.as_str(), pairs.collect::<Vec<i64>>())
    });
    json!(of.collect::<BTreeMap<_, _>>()).to_string()
}

fn number(level: Level) -> i64 {
    match level {
        Level::Full => 0,
        Level::Degraded => 1,
        Level::Down => 2,
    }
}
