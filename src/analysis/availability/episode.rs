//! What one failure comes to, and those that strike before it is over: played from the steady state
//! until everything wanted is there again, with people who mend what does not heal.
//!
//! Simplified: between episodes everything is as at first, and a person mends all that is broken at
//! machines, links, files and processes at once, without a mistake.

use super::year::Blow;
use crate::analysis::fuzz::{Schedule, Shape, Strike, next_second};
use crate::engine::{Duration, Owner, Purpose, Random, SimTime, Text};
use crate::scenario::{Failure, Mistake, Plant, Simulation};
use crate::timeline::Lack;
use std::collections::BTreeMap;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The failures that belong to it, each once, in order.
    pub failures: Vec<Failure>,
    /// How many failures it took in.
    pub blows: usize,
    /// For how long each service was down.
    pub down: BTreeMap<Text, Duration>,
    /// How often a person had to come.
    pub visits: u64,
    /// Nothing that a person mends has helped: the cluster was built anew.
    pub is_rebuilt: bool,
    pub lasted: Duration,
    pub events: u64,
}

/// When the first failure strikes: its controllers have then long been at work, each at a random
/// phase.
const BEGINS: Duration = Duration::from_secs(60);
/// A run may last so long.
const LONGEST: Duration = Duration::from_secs(7 * 86_400 - 60);
/// After so many visits in vain a cluster is given up.
const VISITS: u64 = 3;

/// Plays the first of these failures, and those after it that strike before it is over.
///
/// # Errors
/// The cluster cannot be: a setting that does not go with another, for example.
pub fn play(plant: &Plant, blows: &[Blow], seed: u64) -> Result<Episode, Vec<Mistake>> {
    let mut count = 1;
    loop {
        let (blows, later) = blows.split_at(count);
        let episode = play_all(plant, blows, seed)?;
        let over = blows[0].at + episode.lasted;
        match later.first() {
            Some(next) if next.at < over => count += 1,
            _ => return Ok(episode),
        }
    }
}

fn play_all(plant: &Plant, blows: &[Blow], seed: u64) -> Result<Episode, Vec<Mistake>> {
    let first = blows[0].at;
    let strikes = |blow: &Blow| {
        let at = BEGINS + blow.at.saturating_sub(first);
        let words = blow.failure.strikes(plant, blow.target);
        words.into_iter().map(move |words| Strike::at(at, words))
    };
    let schedule = Schedule {
        platform: plant.platform.clone(),
        shape: Shape {
            control_planes: plant.control_planes,
            workers: plant.workers,
            zones: plant.zones,
            hosts: plant.hosts,
        },
        settings: plant.settings.clone(),
        workloads: Vec::new(),
        probes: Vec::new(),
        strikes: blows.iter().flat_map(strikes).collect(),
        seed,
    };
    let mut simulation = schedule.game(LONGEST)?.begin(seed);
    simulation.run_until(SimTime::ZERO + BEGINS.scaled(1, 2));
    if let Some(lack) = simulation.lacks().first() {
        return Err(vec![never_well(plant, lack)]);
    }
    let last = SimTime::ZERO + BEGINS + blows[blows.len() - 1].at.saturating_sub(first);
    let mut visits = 0;
    let is_rebuilt = loop {
        let response = drawn(plant.response, seed, visits);
        let comes = simulation.view().now().max(last) + response;
        if heals_until(&mut simulation, comes) {
            break false;
        }
        if visits == VISITS {
            break true;
        }
        visits += 1;
        simulation.repair_at(next_second(simulation.view().now()));
    };
    let mut rest = BTreeMap::new();
    if is_rebuilt {
        let takes = drawn(plant.rebuild, seed, VISITS + 1);
        rest = simulation.services_down().into_iter().map(|name| (name, takes)).collect();
    }
    let mut failures: Vec<Failure> = blows.iter().map(|blow| blow.failure).collect();
    failures.sort_unstable();
    failures.dedup();
    let played = simulation.finish();
    let down = played.availability.iter().map(|(name, downtime)| {
        let more = rest.get(name).copied().unwrap_or_default();
        (name.clone(), downtime.unavailable + more)
    });
    let rebuild = rest.values().copied().max().unwrap_or_default();
    Ok(Episode {
        failures,
        blows: blows.len(),
        down: down.collect(),
        visits,
        is_rebuilt,
        lasted: played.ended_at.since(SimTime::ZERO + BEGINS) + rebuild,
        events: played.engine_events,
    })
}

/// Who is never healthy recovers from nothing.
fn never_well(plant: &Plant, lack: &Lack) -> Mistake {
    let count = |count: u32, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let message = format!(
        "a cluster of {} and {} on {} is never well, whatever happens: {} {}",
        count(plant.control_planes, "control-plane VM"),
        count(plant.workers, "worker"),
        plant.platform,
        lack.object,
        lack.what
    );
    Mistake::of(&plant.name, message)
}

/// Plays on up to a time; true once everything is back for good.
fn heals_until(simulation: &mut Simulation, until: SimTime) -> bool {
    while !simulation.has_recovered_for_good() {
        let limit = simulation.next_at().map_or(SimTime::ZERO, next_second);
        if simulation.view().now() >= until || !simulation.step_within(limit) {
            return false;
        }
    }
    true
}

fn drawn(delay: crate::engine::Delay, seed: u64, visit: u64) -> Duration {
    delay.pick(Random::new(seed).draw(Owner::named("people"), Purpose(0), visit))
}
