//! Plays the simulated side of a comparison: many seeds of one scenario, in parallel.

use super::super::parallel::each;
use super::steps::{Steps, of_timeline};
use crate::api::{Kind, Object};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Game, Mistakes, Observer, load};
use crate::world::View;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Which scenario is played how often.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub scenario: &'static str,
    pub platform: &'static str,
    pub set: Vec<(String, String)>,
    pub seeds: Range<u64>,
    pub jobs: u64,
}

impl Campaign {
    /// The steps of every fault of every run, in the order of seeds.
    pub fn steps(&self) -> Result<Vec<Steps>, Mistakes> {
        let game = self.game()?;
        let played = self.each(|seed| of_timeline(game.play(seed).timeline.entries()));
        Ok(played.into_iter().flatten().collect())
    }

    /// When an entry first came, counted from the first fault, in each run. A run stops there.
    pub fn first(
        &self,
        object: &str,
        field: &str,
        value: &str,
    ) -> Result<Vec<Option<Duration>>, Mistakes> {
        let game = self.game()?;
        let fault = game.first_fault().unwrap_or_default();
        Ok(self.each(|seed| {
            let mut simulation = game.begin(seed);
            let mut seen = 0;
            while simulation.step() {
                let entries = simulation.view().timeline().entries();
                let found = entries[seen..].iter().find(|entry| {
                    entry.at >= fault
                        && entry.field == *field
                        && entry.to.as_text() == Some(value)
                        && entry.object() == object
                });
                if let Some(entry) = found {
                    return Some(entry.at.since(fault));
                }
                seen = entries.len();
            }
            None
        }))
    }

    /// The distances between renewals of every Node's Lease, through an observer.
    pub fn renewals(&self) -> Result<Vec<Duration>, Mistakes> {
        let game = self.game()?;
        let played = self.each(|seed| {
            let mut observer = Renewals::default();
            game.begin(seed).run(&mut observer);
            observer.distances
        });
        Ok(played.into_iter().flatten().collect())
    }

    fn game(&self) -> Result<Game, Mistakes> {
        Game::new(&load(self.scenario)?, Some(self.platform), &self.set, None)
    }

    /// Plays every seed and returns what came of each, in their order.
    fn each<T: Send>(&self, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
        let jobs = usize::try_from(self.jobs).unwrap_or(usize::MAX);
        each(self.seeds.clone(), jobs, play)
    }
}

/// Notes the distances between renewals.
#[derive(Default)]
struct Renewals {
    last: BTreeMap<Text, SimTime>,
    distances: Vec<Duration>,
}

impl Observer for Renewals {
    fn look(&mut self, view: View) {
        let nodes = |lease: &&Arc<Object>| lease.key().namespace == "kube-node-lease";
        for lease in view.objects(Kind::Lease).filter(nodes) {
            let Some(renewed) = lease.lease().map(|lease| lease.renewed) else { continue };
            let last = self.last.entry(lease.name().clone()).or_insert(renewed);
            if renewed > *last {
                // The first was written before anybody looked.
                if *last > SimTime::ZERO {
                    self.distances.push(renewed.since(*last));
                }
                *last = renewed;
            }
        }
    }
}
