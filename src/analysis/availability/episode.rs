//! What one failure comes to, and those that strike before it is over: played from the steady state
//! until everything wanted is there again, with people who mend what does not heal. The first failure
//! calls them; they come again and again until all is well, or give up if three visits were in vain, and
//! build the cluster anew. A failure that strikes meanwhile finds the cluster as it is then, and is no
//! reason to come later.
//!
//! Simplified: between episodes everything is as at first, and a person mends all that is broken at
//! machines, links, files and processes at once, without a mistake.

use super::year::Blow;
use crate::analysis::fuzz::{Schedule, Shape, Strike, next_second};
use crate::engine::{Delay, Duration, Owner, Purpose, Random, SimTime, Text};
use crate::scenario::{Failure, Mistake, Mistakes, Plant, Simulation};
use crate::timeline::{Lack, Value};
use crate::world::View;
use std::collections::{BTreeMap, BTreeSet};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The failures that belong to it, by kind.
    pub failures: Vec<Failure>,
    /// For how long each service was down.
    pub down: BTreeMap<Text, Duration>,
    /// How often a person had to come.
    pub visits: u64,
    /// Nothing that a person mends has helped: the cluster was built anew.
    pub is_rebuilt: bool,
    pub lasted: Duration,
    pub events: u64,
    /// What was played, as a person could have written it: the failures, and what people mended.
    pub schedule: Schedule,
    /// For how long, from the run's beginning: to the end, or to the most that a run may last.
    pub until: Duration,
}

/// When the first failure strikes: its controllers have then long been at work, each at a random
/// phase.
const BEGINS: Duration = Duration::from_secs(60);
/// A run may last so long.
const LONGEST: Duration = Duration::from_secs(7 * 86_400 - 60);
/// After so many visits in vain a cluster is given up.
const VISITS: u64 = 3;
/// Machines whose members of etcd have lost their data are deleted so long after all else is mended.
const MEMBERS: Duration = Duration::from_secs(60);
const RESPONSE: Purpose = Purpose(0);
const REBUILD: Purpose = Purpose(1);

/// Plays the first of these failures, and those after it that strike before it is over.
///
/// # Errors
/// The cluster cannot be: a setting that does not go with another, for example.
pub fn play(plant: &Plant, blows: &[Blow], seed: u64) -> Result<Episode, Mistakes> {
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

fn play_all(plant: &Plant, blows: &[Blow], seed: u64) -> Result<Episode, Mistakes> {
    let first = blows[0].at;
    let strikes = |blow: &Blow| {
        let at = BEGINS + blow.at.saturating_sub(first);
        let words = blow.failure.strikes(plant, blow.target);
        words.into_iter().map(move |words| Strike::at(at, words))
    };
    let strikes = blows.iter().flat_map(strikes).collect();
    let mut schedule = schedule(plant, strikes, seed);
    let mut simulation = begin(plant, &schedule)?;
    simulation.run_until(SimTime::ZERO + BEGINS.scaled(1, 2));
    if let Some(lack) = simulation.lacks().first() {
        return Err(never_well(plant, lack).into());
    }
    let mut people = People::called(plant, blows, simulation.view(), seed);
    let given_up = people.work(&mut simulation);
    let mut failures: Vec<Failure> = blows.iter().map(|blow| blow.failure).collect();
    failures.sort_unstable();
    let rest = match given_up {
        Some(at) => rebuild(&mut simulation, at + people.drawn(plant.rebuild, REBUILD, 0)),
        None => (Duration::ZERO, Vec::new()),
    };
    let (longer, services) = rest;
    let played = simulation.finish();
    schedule.strikes.extend(people.mended);
    let down = played.availability.iter().map(|(name, downtime)| {
        let more = if services.contains(name) { longer } else { Duration::ZERO };
        (name.clone(), downtime.unavailable + more)
    });
    Ok(Episode {
        failures,
        down: down.collect(),
        visits: people.visits,
        is_rebuilt: given_up.is_some(),
        lasted: played.ended_at.since(SimTime::ZERO + BEGINS) + longer,
        events: played.engine_events,
        schedule,
        until: played.ended_at.since(SimTime::ZERO),
    })
}

/// Refuses a cluster whose machines cannot fail as its rates say: on some platforms the control plane has
/// no kubelet, or no manifests.
///
/// # Errors
/// Which failures cannot strike what.
pub fn check(plant: &Plant) -> Result<(), Mistakes> {
    let rates = plant.rates.iter().filter(|(_, rate)| *rate > 0);
    let mut mistakes = Vec::new();
    for failure in rates.map(|(failure, _)| *failure) {
        // A control-plane VM and a worker may differ; those of one kind are alike.
        let targets = [0, plant.control_planes].into_iter();
        for target in targets.filter(|target| *target < failure.targets(plant)) {
            let words = failure.strikes(plant, target);
            if hits(plant, &words)? {
                continue;
            }
            let (name, platform, strike) = (failure.name(), &plant.platform, &words[0]);
            let message = format!(
                "{name} cannot strike on {platform}: `{strike}` hits nothing; write `{name}: 0`, or \
                 --rate {name}=0"
            );
            mistakes.push(Mistake::of(&plant.name, message));
            break;
        }
    }
    Mistakes::none_or(mistakes)
}

fn hits(plant: &Plant, words: &[String]) -> Result<bool, Mistakes> {
    let strikes = words.iter().map(|words| Strike::at(BEGINS, words.clone()));
    // The cluster itself can be, so it is the failure that cannot.
    begin(plant, &schedule(plant, Vec::new(), 0))?;
    let struck = schedule(plant, strikes.collect(), 0);
    let Ok(mut simulation) = begin(plant, &struck) else { return Ok(false) };
    simulation.run_until(SimTime::ZERO + BEGINS);
    let timeline = simulation.finish().timeline;
    let injected = || timeline.entries().iter().filter(|entry| entry.field == *"injected");
    let misses = |to: &Value| matches!(to, Value::Text(text) if text.starts_with("nothing"));
    Ok(injected().count() == words.len() && !injected().any(|entry| misses(&entry.to)))
}

/// A cluster that will be struck so.
fn schedule(plant: &Plant, strikes: Vec<Strike>, seed: u64) -> Schedule {
    Schedule {
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
        strikes,
        seed,
    }
}

/// The same before anything has happened. What is wrong with it is told of the user's file, and not of the
/// scenario that is made of it here.
fn begin(plant: &Plant, schedule: &Schedule) -> Result<Simulation, Mistakes> {
    let of_plant = |mistake: Mistake| Mistake::of(&plant.name, mistake.message);
    let game = schedule.game(LONGEST).map_err(|wrong| wrong.map(of_plant))?;
    Ok(game.begin(schedule.seed))
}

/// A new cluster is built until a time, and the old one goes on as it is. How much longer that takes than
/// a run may last, and what is down then.
fn rebuild(simulation: &mut Simulation, ready: SimTime) -> (Duration, Vec<Text>) {
    simulation.run_until(ready);
    (ready.since(simulation.view().now()), simulation.services_down())
}

/// People who mend what does not heal. They know nothing of what is still to come.
struct People {
    response: Delay,
    random: Random,
    /// When failures strike.
    strikes: Vec<SimTime>,
    /// When they were called, or came last.
    since: SimTime,
    visits: u64,
    /// Visits since a failure struck last.
    in_vain: u64,
    /// What they did.
    mended: Vec<Strike>,
    /// The VMs that were there from the beginning.
    first_vms: BTreeSet<Text>,
}

impl People {
    /// The first failure calls them.
    fn called(plant: &Plant, blows: &[Blow], view: View, seed: u64) -> People {
        let begins = SimTime::ZERO + BEGINS;
        let strikes = blows.iter().map(|blow| begins + blow.at.saturating_sub(blows[0].at));
        People {
            response: plant.response,
            random: Random::new(seed),
            strikes: strikes.collect(),
            since: begins,
            visits: 0,
            in_vain: 0,
            mended: Vec::new(),
            first_vms: view.vms().map(|vm| vm.name.clone()).collect(),
        }
    }

    /// Plays on, with a visit whenever one is due, until all is well for good; or until they give up, and
    /// when.
    fn work(&mut self, simulation: &mut Simulation) -> Option<SimTime> {
        loop {
            let comes = self.since + self.drawn(self.response, RESPONSE, self.visits);
            if heals_until(simulation, comes) {
                return None;
            }
            if self.strikes.iter().any(|at| self.since < *at && *at <= comes) {
                self.in_vain = 0;
            }
            self.since = comes;
            if self.in_vain == VISITS {
                return Some(comes);
            }
            self.visits += 1;
            self.in_vain += 1;
            self.mend(simulation, next_second(simulation.view().now().max(comes)));
        }
    }

    /// Mends all that is broken, and notes how a scenario would say it.
    fn mend(&mut self, simulation: &mut Simulation, at: SimTime) {
        let later: Vec<Text> = simulation.view().vms().map(|vm| vm.name.clone()).collect();
        let later = later.iter().filter(|vm| !self.first_vms.contains(*vm));
        let later: Vec<&Text> = later.collect();
        self.mended.extend(simulation.repair_at(at).into_iter().map(|repair| {
            let mut strike = Strike::of(repair, at);
            // A scenario names a VM that does not exist when it begins by a part of its name.
            for vm in &later {
                for end in [" ", ","] {
                    let (known, part) = (format!("vm: {vm}{end}"), format!("vm: {vm}*{end}"));
                    strike.words = strike.words.replace(&known, &part);
                }
            }
            strike
        }));
        // A scenario can name only what is there when it begins.
        let known = |vm: &Text| self.first_vms.contains(vm);
        let replaced = simulation.replace_members_at(at + MEMBERS, known);
        self.mended.extend(replaced.into_iter().map(|(at, repair)| Strike::of(repair, at)));
    }

    fn drawn(&self, delay: Delay, purpose: Purpose, number: u64) -> Duration {
        delay.pick(self.random.draw(Owner::named("people"), purpose, number))
    }
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
        // Where everything is off, nothing may happen for hours, or ever again.
        match simulation.next_at().filter(|next| *next < until) {
            Some(next) if simulation.step_within(next_second(next)) => {}
            _ => return false,
        }
    }
    true
}
