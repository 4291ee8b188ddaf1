//! Many runs, each from its own seed, added up in the order of the seeds: the same campaign at any
//! number of threads.

use super::draw::Deck;
use super::gap::Gap;
use super::phase::Pair;
use super::trial::{Outcome, Trial, play};
use crate::analysis::invariants::{ALL, Kind, Violation};
use crate::analysis::parallel::{Control, fold};
use crate::engine::Text;
use std::collections::BTreeMap;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Asked {
    pub deck: Deck,
    pub first_seed: u64,
    pub runs: u64,
    pub jobs: usize,
    /// Whether to go on after the first violation.
    pub go_on: bool,
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub platform: Text,
    /// Those that every run had, each with its value.
    pub settings: Vec<(String, String)>,
    pub first_seed: u64,
    pub asked: u64,
    pub played: u64,
    pub events: u64,
    /// Faults that found their target.
    pub struck: u64,
    pub outcomes: BTreeMap<Outcome, Count>,
    /// What runs were stuck on that nobody had come to repair.
    pub gaps: BTreeMap<Gap, Count>,
    /// What not even an operator's repairs could mend.
    pub left: BTreeMap<Gap, Count>,
    /// Every `sometimes`, reached or not.
    pub reached: BTreeMap<&'static str, Count>,
    pub pairs: BTreeMap<Pair, u64>,
    /// Of each law, with the seed.
    pub violations: Vec<(u64, Violation)>,
}

/// In how many runs, and in which first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub runs: u64,
    /// The seed; 0 if there is no such run.
    pub first: u64,
}

impl Count {
    fn add(&mut self, seed: u64) {
        if self.runs == 0 {
            self.first = seed;
        }
        self.runs += 1;
    }
}

/// Plays a campaign, as long as `control` lets it.
pub fn campaign(asked: &Asked, control: &Control) -> Campaign {
    let seeds = asked.first_seed..asked.first_seed.saturating_add(asked.runs);
    let add = |sum: &mut Vec<(u64, Trial)>, seed| {
        let schedule = asked.deck.draw(seed);
        let trial = play(&schedule).expect("a drawn schedule was read when it was drawn");
        if !asked.go_on && !trial.violations.is_empty() {
            control.stop();
        }
        sum.push((seed, trial));
    };
    let played = fold(seeds, asked.jobs, control, Vec::new, add);
    let mut played: Vec<(u64, Trial)> = played.into_iter().flatten().collect();
    played.sort_by_key(|(seed, _)| *seed);
    Campaign::of(asked, &played)
}

impl Campaign {
    fn of(asked: &Asked, played: &[(u64, Trial)]) -> Campaign {
        let all = ALL.iter().filter(|invariant| invariant.kind == Kind::Sometimes);
        let mut campaign = Campaign {
            platform: asked.deck.platform.clone(),
            settings: asked.deck.fixed.clone(),
            first_seed: asked.first_seed,
            asked: asked.runs,
            played: 0,
            events: 0,
            struck: 0,
            outcomes: BTreeMap::new(),
            gaps: BTreeMap::new(),
            left: BTreeMap::new(),
            reached: all.map(|invariant| (invariant.name, Count::default())).collect(),
            pairs: BTreeMap::new(),
            violations: Vec::new(),
        };
        for (seed, trial) in played {
            campaign.add(*seed, trial);
            // What other threads have played beyond is chance.
            if !asked.go_on && !trial.violations.is_empty() {
                break;
            }
        }
        campaign
    }

    fn add(&mut self, seed: u64, trial: &Trial) {
        self.played += 1;
        self.events += trial.events;
        self.struck += trial.struck;
        self.outcomes.entry(trial.outcome).or_default().add(seed);
        let gaps = trial.gap.iter().cloned();
        gaps.for_each(|gap| self.gaps.entry(gap).or_default().add(seed));
        let left = trial.left.iter().cloned();
        left.for_each(|gap| self.left.entry(gap).or_default().add(seed));
        for name in &trial.reached {
            self.reached.entry(name).or_default().add(seed);
        }
        for pair in &trial.pairs {
            *self.pairs.entry(*pair).or_default() += 1;
        }
        let violations = trial.violations.iter().cloned();
        self.violations.extend(violations.map(|violation| (seed, violation)));
    }
}
