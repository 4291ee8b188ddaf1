//! How much of the way each rule takes: of one run, and over many.

use super::ask::{Question, Why, why};
use super::path::Part;
use crate::analysis::parallel::{Control, fold};
use crate::engine::{Duration, Rule};
use crate::scenario::Game;
use std::collections::BTreeMap;
use std::ops::Range;

/// What one rule takes of the way in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub rule: Rule,
    pub length: Duration,
    /// In how many stretches.
    pub count: usize,
}

/// What each rule takes over many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    pub first_seed: u64,
    pub runs: u64,
    /// Interrupted before all runs were played.
    pub partial: bool,
    /// The runs in which the milestone came.
    pub reached: u64,
    /// The sum of the ways of all of them.
    pub whole: Duration,
    /// Those that take most on average first.
    pub rules: Vec<RuleShare>,
}

/// What one rule takes over many runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleShare {
    pub rule: Rule,
    /// In each run whose way has it, the shortest first.
    pub lengths: Vec<Duration>,
}

impl RuleShare {
    /// Of all runs together.
    pub fn sum(&self) -> Duration {
        self.lengths.iter().fold(Duration::ZERO, |sum, length| sum + *length)
    }

    /// The length that so many percent of the runs that have it do not exceed.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let last = self.lengths.len().checked_sub(1)?;
        self.lengths
            .get((self.lengths.len() * percent).div_ceil(100).saturating_sub(1).min(last))
            .copied()
    }
}

/// Adds up the parts by their rules, the longest first.
pub fn sum_up(parts: &[Part]) -> Vec<Share> {
    let mut sums: BTreeMap<Rule, (Duration, usize)> = BTreeMap::new();
    for part in parts {
        let (length, count) = sums.entry(part.rule).or_default();
        *length = *length + part.length();
        *count += 1;
    }
    let share = |(rule, (length, count))| Share { rule, length, count };
    let mut shares: Vec<Share> = sums.into_iter().map(share).collect();
    shares.sort_by(|a, b| b.length.cmp(&a.length).then(a.rule.cmp(b.rule)));
    shares
}

/// Asks the same of every seed, as long as `control` lets it.
pub fn shares(
    game: &Game,
    seeds: Range<u64>,
    jobs: usize,
    question: &Question,
    control: &Control,
) -> Shares {
    let (first_seed, wanted) = (seeds.start, seeds.end.saturating_sub(seeds.start));
    let add = |sum: &mut Vec<Option<Vec<Share>>>, seed| {
        let found = why(game, seed, question).ok();
        sum.push(found.as_ref().map(|why: &Why| sum_up(&why.parts)));
    };
    let all = fold(seeds, jobs, control, Vec::new, add);
    let mut found = Shares { first_seed, ..Shares::default() };
    let mut lengths: BTreeMap<Rule, Vec<Duration>> = BTreeMap::new();
    for run in all.into_iter().flatten() {
        found.runs += 1;
        let Some(run) = run else { continue };
        found.reached += 1;
        for share in run {
            found.whole = found.whole + share.length;
            lengths.entry(share.rule).or_default().push(share.length);
        }
    }
    found.partial = found.runs < wanted;
    for (rule, mut lengths) in lengths {
        lengths.sort_unstable();
        found.rules.push(RuleShare { rule, lengths });
    }
    found.rules.sort_by(|a, b| b.sum().cmp(&a.sum()).then(a.rule.cmp(b.rule)));
    found
}
