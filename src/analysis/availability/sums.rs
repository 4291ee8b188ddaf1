//! Years added up: how long each service is down in one, how sure that is, and what it comes from.

use super::Asked;
use super::beside::Beside;
use super::episode::Episode;
use super::named::EpisodeId;
use super::resampled::{interval, mean_up};
use super::year::YEAR;
use crate::engine::{Duration, Text};
use crate::scenario::{Failure, Plant};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What one year came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Year {
    pub seed: u64,
    down: BTreeMap<Text, Duration>,
    causes: BTreeMap<Vec<Failure>, Cause>,
    /// The worst episode for each service.
    worst: BTreeMap<Text, Outage>,
    events: u64,
}

/// For how long a service was down in one episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub down: Duration,
    pub episode: EpisodeId,
    /// The failures that belong to it, by kind.
    pub failures: Vec<Failure>,
}

/// What failures of the same kinds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    pub episodes: u64,
    /// How many of them a person had to end.
    pub mended: u64,
    /// How many were ended by a new cluster.
    pub rebuilt: u64,
    /// For how long each service was down, over all years.
    pub down: BTreeMap<Text, Duration>,
}

/// How a service did over the years.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: Text,
    /// Down in a year, on average; rounded up, so that nobody is promised too much.
    pub down: Duration,
    /// The 95 % interval of that average; nothing where the years that it rests on are too few for one.
    pub interval: Option<[Duration; 2]>,
    /// The share of years in which it was never down, in thousandths.
    pub clean: u64,
    /// The worst year, and its seed.
    pub worst: (Duration, u64),
    /// The worst episode, and of several the first; nothing if it was never down.
    pub worst_episode: Option<Outage>,
    /// Down in each year, in microseconds.
    pub each: Vec<i64>,
}

/// What many years came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    pub plant: Plant,
    pub asked: u64,
    pub first_seed: u64,
    pub years: u64,
    pub services: Vec<Service>,
    /// By the failures that an episode took in.
    pub causes: Vec<(Vec<Failure>, Cause)>,
    pub events: u64,
    /// Against the first of several clusters; nothing of that one itself.
    pub beside: Option<Vec<Beside>>,
}

impl Year {
    /// A year in which nothing has happened yet.
    pub fn new(seed: u64) -> Year {
        let (down, causes, worst) = Default::default();
        Year { seed, down, causes, worst, events: 0 }
    }

    /// Adds an episode to it.
    pub fn add(&mut self, id: EpisodeId, episode: &Episode) {
        self.events += episode.events;
        let cause = self.causes.entry(episode.failures.clone()).or_default();
        cause.episodes += 1;
        cause.mended += u64::from(episode.visits > 0 && !episode.is_rebuilt);
        cause.rebuilt += u64::from(episode.is_rebuilt);
        add_all(&mut cause.down, &episode.down);
        add_all(&mut self.down, &episode.down);
        for (name, down) in &episode.down {
            let before = self.worst.get(name).map_or(Duration::ZERO, |worst| worst.down);
            if *down > before {
                let failures = episode.failures.clone();
                self.worst.insert(name.clone(), Outage { down: *down, episode: id, failures });
            }
        }
    }
}

fn add_all(to: &mut BTreeMap<Text, Duration>, more: &BTreeMap<Text, Duration>) {
    for (name, length) in more {
        let sum = to.entry(name.clone()).or_default();
        *sum = *sum + *length;
    }
}

impl Availability {
    /// What these years come to.
    pub fn of(asked: &Asked, years: &[Year]) -> Availability {
        let names: BTreeSet<&Text> = years.iter().flat_map(|year| year.down.keys()).collect();
        let mut causes: BTreeMap<Vec<Failure>, Cause> = BTreeMap::new();
        for (kinds, cause) in years.iter().flat_map(|year| &year.causes) {
            let sum = causes.entry(kinds.clone()).or_default();
            sum.episodes += cause.episodes;
            sum.mended += cause.mended;
            sum.rebuilt += cause.rebuilt;
            add_all(&mut sum.down, &cause.down);
        }
        Availability {
            plant: asked.plant.clone(),
            asked: asked.years,
            first_seed: asked.first_seed,
            years: years.len() as u64,
            services: names.into_iter().map(|name| Service::of(name, years)).collect(),
            causes: causes.into_iter().collect(),
            events: years.iter().map(|year| year.events).sum(),
            beside: None,
        }
    }

    /// What never came may come so often, in thousandths a year: with 95 % certainty not more (three in
    /// all years, since of a Poisson number with the mean 3 one in twenty is 0).
    pub fn unseen(&self) -> u64 {
        3_000u64.div_ceil(self.years.max(1))
    }

    /// What that comes to a year if each time people come as late as they do, and not sooner.
    pub fn unseen_down(&self) -> Duration {
        self.plant.response.high.scaled(3, self.years.max(1))
    }

    /// Whether it was stopped before all years were played.
    pub fn is_partial(&self) -> bool {
        self.years < self.asked
    }
}

impl Service {
    fn of(name: &Text, years: &[Year]) -> Service {
        let down = |year: &Year| year.down.get(name).copied().unwrap_or_default();
        let micros = |year: &Year| i64::try_from(down(year).as_micros()).unwrap_or(i64::MAX);
        let each: Vec<i64> = years.iter().map(micros).collect();
        let worst = years.iter().map(|year| (down(year), u64::MAX - year.seed)).max();
        let worst = worst.map(|(down, seed)| (down, u64::MAX - seed));
        let episodes = years.iter().filter_map(|year| year.worst.get(name));
        let worst_episode = episodes.max_by_key(|it| (it.down, Reverse(it.episode))).cloned();
        let clean = each.iter().filter(|down| **down == 0).count() as u64;
        let length = |micros: i64| Duration::from_micros(micros.unsigned_abs());
        Service {
            name: name.clone(),
            down: length(mean_up(&each)),
            interval: interval(&each).map(|ends| ends.map(length)),
            clean: (clean * 1000).checked_div(each.len() as u64).unwrap_or_default(),
            worst: worst.unwrap_or_default(),
            worst_episode,
            each,
        }
    }

    /// The share of a year in which it serves, in parts of 10^9, rounded down: all of them only for who is
    /// never down.
    pub fn share(&self) -> u64 {
        serving(self.down)
    }

    /// The ends of that share's interval, the worse first.
    pub fn share_interval(&self) -> Option<[u64; 2]> {
        self.interval.map(|[low, high]| [serving(high), serving(low)])
    }
}

fn serving(down: Duration) -> u64 {
    const WHOLE: u64 = 1_000_000_000;
    let parts = u128::from(WHOLE) * u128::from(down.as_micros());
    let parts = parts.div_ceil(u128::from(YEAR.as_micros()));
    WHOLE.saturating_sub(u64::try_from(parts).unwrap_or(WHOLE))
}
