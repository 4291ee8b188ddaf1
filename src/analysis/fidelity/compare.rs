//! Judges simulated steps by recorded ones, step by step.
//!
//! A recorded time agrees if it lies in the range of nearly all simulated times, widened by what a
//! busy recording machine may add. Rows are not independent: all steps of one run share the phases
//! of its heartbeat and monitor. This file does not explain a disagreement, it only finds it.

use super::explained::{Known, explanation};
use super::statistics::{FAMILY_ALPHA, KolmogorovSmirnov, holm, ks_two_samples, percentile};
use super::steps::{Seen, Step, Steps};
use crate::engine::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// A recorded time may lie outside the simulated range by this much, or by 3 %.
const SLACK: Duration = Duration::from_millis(1_500);
/// An Event is an object of its own: nearer than this to another step it has no order that a
/// recording can be trusted for. The fields of one object have an order however near they are.
const EVENT_GAP: Duration = Duration::from_millis(500);
/// An order of some recorded run is foreign to the simulation if fewer of a thousand simulated
/// runs have it.
const FEWEST_ORDERED: usize = 5;
/// With fewer recorded runs a distribution isn't tested.
pub const FEWEST_FOR_KS: usize = 8;

/// Everything that the comparison of some recorded runs with many simulated ones found.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// How many recorded runs, and how many simulated.
    pub recorded: usize,
    pub simulated: usize,
    /// In the order of their recorded median times; steps that only the simulation has are last.
    pub rows: Vec<Row>,
    /// A recorded run had the first of the two earlier; no simulated run has.
    pub orders: Vec<(Step, Step)>,
    /// Orders like these for which the recording machine is to blame, with the reason.
    pub explained: Vec<(Step, Step, &'static str)>,
    /// Steps of both sides of which no message is the same.
    pub messages: Vec<Messages>,
    /// Such steps for which that is explained.
    pub other_words: Vec<(Messages, &'static str)>,
}

/// One step on both sides.
#[derive(Clone, Debug)]
pub struct Row {
    pub step: Step,
    pub recorded: Option<Spread>,
    pub simulated: Option<Spread>,
    pub verdict: Verdict,
    /// On the first time in each run, from eight recorded runs.
    pub ks: Option<KolmogorovSmirnov>,
    /// True if Holm's correction over all rows rejects that both sides are the same.
    pub ks_rejected: bool,
    /// Why it disagrees, if that is known.
    pub why: Option<&'static str>,
}

/// Times of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Recorded: the least. Simulated: the 0.5 % quantile.
    pub low: Duration,
    pub median: Duration,
    /// Recorded: the greatest. Simulated: the 99.5 % quantile.
    pub high: Duration,
    /// How many times these are.
    pub times: usize,
    /// In how many runs the step came.
    pub runs: usize,
}

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every recorded time is in the widened simulated range.
    Inside,
    /// So many recorded times are not.
    Outside(usize),
    /// Most recorded runs have it, no simulated one.
    Missing,
    /// Few recorded runs have it, no simulated one.
    RareMissing,
    /// Most simulated runs have it, no recorded one.
    OnlySimulated,
    /// Few simulated runs have it, no recorded one.
    RareSimulated,
}

/// The messages of one step on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    pub step: Step,
    pub recorded: BTreeSet<String>,
    pub simulated: BTreeSet<String>,
}

impl Comparison {
    /// Explains what is known to differ.
    pub fn explain(mut self, known: &[Known]) -> Comparison {
        for row in self.rows.iter_mut().filter(|row| row.differs()) {
            row.why = known.iter().find(|known| known.covers(row)).map(Known::why);
        }
        for (first, second) in std::mem::take(&mut self.orders) {
            match known.iter().find(|known| known.covers_order(&first, &second)) {
                Some(known) => self.explained.push((first, second, known.why())),
                None => self.orders.push((first, second)),
            }
        }
        for both in std::mem::take(&mut self.messages) {
            match known.iter().find(|known| known.covers_words(&both.step)) {
                Some(known) => self.other_words.push((both, known.why())),
                None => self.messages.push(both),
            }
        }
        self
    }

    /// How many findings speak against the simulation.
    pub fn disagreements(&self) -> usize {
        let steps = self.rows.iter().filter(|row| row.disagrees()).count();
        steps + self.orders.len() + self.messages.len()
    }
}

impl Row {
    /// True if this row speaks against the simulation, and nothing explains it.
    pub fn disagrees(&self) -> bool {
        self.why.is_none() && self.differs()
    }

    /// True if the two sides differ by the criterion.
    pub fn differs(&self) -> bool {
        let verdict =
            matches!(self.verdict, Verdict::Outside(_) | Verdict::Missing | Verdict::OnlySimulated);
        verdict || self.ks_rejected
    }
}

/// Holds simulated runs against recorded ones.
pub fn compare(recorded: &[Steps], simulated: &[Steps]) -> Comparison {
    let mut rows: Vec<Row> =
        all_steps(recorded, simulated).map(|step| judge(step, recorded, simulated)).collect();
    rows.sort_by_key(|row| {
        let first = row.recorded.or(row.simulated).map(|spread| spread.median);
        (row.recorded.is_none(), first)
    });
    reject_by_holm(&mut rows);
    let (mut orders, mut explained) = (Vec::new(), Vec::new());
    for (first, second) in foreign_orders(recorded, simulated) {
        match explanation(&first, &second) {
            Some(why) => explained.push((first, second, why)),
            None => orders.push((first, second)),
        }
    }
    Comparison {
        recorded: recorded.len(),
        simulated: simulated.len(),
        orders,
        explained,
        messages: foreign_messages(recorded, simulated),
        other_words: Vec::new(),
        rows,
    }
}

/// By how much a recorded time may miss the simulated range: 1.5 s, or 3 % of the time if more.
pub fn slack(recorded: Duration) -> Duration {
    SLACK.max(recorded.scaled(3, 100))
}

fn all_steps<'a>(one: &'a [Steps], other: &'a [Steps]) -> impl Iterator<Item = &'a Step> {
    one.iter().chain(other).flat_map(BTreeMap::keys).collect::<BTreeSet<_>>().into_iter()
}

fn judge(step: &Step, recorded: &[Steps], simulated: &[Steps]) -> Row {
    let (real, model) = (times(step, recorded), times(step, simulated));
    let recorded_spread = spread(&real, 0, runs_with(step, recorded));
    let simulated_spread = spread(&model, 5, runs_with(step, simulated));
    let verdict = match (recorded_spread, simulated_spread) {
        (Some(_), Some(range)) => within(&real, range),
        (Some(some), None) if 2 * some.runs >= recorded.len() => Verdict::Missing,
        (Some(_), None) => Verdict::RareMissing,
        (None, Some(some)) if 2 * some.runs > simulated.len() => Verdict::OnlySimulated,
        (None, _) => Verdict::RareSimulated,
    };
    let (real, model) = (firsts(step, recorded), firsts(step, simulated));
    let ks = if real.len() < FEWEST_FOR_KS { None } else { ks_two_samples(&real, &model) };
    Row {
        step: step.clone(),
        recorded: recorded_spread,
        simulated: simulated_spread,
        verdict,
        ks,
        ks_rejected: false,
        why: None,
    }
}

fn within(real: &[u64], range: Spread) -> Verdict {
    let outside = real.iter().map(|micros| Duration::from_micros(*micros)).filter(|time| {
        let slack = slack(*time);
        *time + slack < range.low || range.high + slack < *time
    });
    match outside.count() {
        0 => Verdict::Inside,
        count => Verdict::Outside(count),
    }
}

fn reject_by_holm(rows: &mut [Row]) {
    let tested: Vec<usize> = (0..rows.len()).filter(|index| rows[*index].ks.is_some()).collect();
    let p: Vec<f64> = rows.iter().filter_map(|row| row.ks).map(|ks| ks.p).collect();
    for (index, rejected) in tested.into_iter().zip(holm(&p, FAMILY_ALPHA)) {
        rows[index].ks_rejected = rejected;
    }
}

/// Pairs of steps of one object in an order that some recorded run and no simulated run has.
fn foreign_orders(recorded: &[Steps], simulated: &[Steps]) -> Vec<(Step, Step)> {
    let mut pairs: BTreeSet<(&Step, &Step)> = BTreeSet::new();
    for run in recorded {
        for (step, seen) in run {
            // One object's steps stand together: they begin with the same role.
            let same = run.iter().filter(|(other, _)| other.role == step.role);
            let later = same.filter(|(other, at)| first(at) > first(seen) + gap(step, other));
            pairs.extend(later.map(|(other, _)| (step, other)));
        }
    }
    let is_foreign = |(one, other): &(&Step, &Step)| {
        let both = simulated.iter().filter_map(|run| Some((run.get(one)?, run.get(other)?)));
        let ordered: Vec<bool> = both.map(|(one, other)| first(one) <= first(other)).collect();
        let agree = ordered.iter().filter(|agrees| **agrees).count();
        !ordered.is_empty() && agree * 1_000 < ordered.len() * FEWEST_ORDERED
    };
    let foreign = pairs.into_iter().filter(is_foreign);
    foreign.map(|(one, other)| (one.clone(), other.clone())).collect()
}

/// How far apart two steps of one role must be before their order counts.
fn gap(step: &Step, other: &Step) -> Duration {
    let of_one_object = step.field != "event" && other.field != "event";
    if of_one_object && !step.role.contains("pod") { Duration::ZERO } else { EVENT_GAP }
}

/// Steps of both sides whose messages have nothing in common.
fn foreign_messages(recorded: &[Steps], simulated: &[Steps]) -> Vec<Messages> {
    let said = |step: &Step, side: &[Steps]| -> BTreeSet<String> {
        let seen = side.iter().filter_map(|run| run.get(step));
        seen.flat_map(|seen| seen.messages.iter().cloned()).collect()
    };
    all_steps(recorded, &[])
        .filter(|step| simulated.iter().any(|run| run.contains_key(step)))
        .map(|step| Messages {
            step: step.clone(),
            recorded: said(step, recorded),
            simulated: said(step, simulated),
        })
        // Two sides that say nothing agree.
        .filter(|both| both.recorded != both.simulated)
        .filter(|both| both.recorded.is_disjoint(&both.simulated))
        .collect()
}

/// All times of a step, sorted.
fn times(step: &Step, side: &[Steps]) -> Vec<u64> {
    let seen = side.iter().filter_map(|run| run.get(step)).flat_map(|seen| &seen.after);
    let mut micros: Vec<u64> = seen.map(|after| after.as_micros()).collect();
    micros.sort_unstable();
    micros
}

/// The first time of a step in each run that has it.
fn firsts(step: &Step, side: &[Steps]) -> Vec<u64> {
    side.iter().filter_map(|run| run.get(step)).map(|seen| first(seen).as_micros()).collect()
}

fn first(seen: &Seen) -> Duration {
    seen.after.first().copied().unwrap_or(Duration::ZERO)
}

fn runs_with(step: &Step, side: &[Steps]) -> usize {
    side.iter().filter(|run| run.contains_key(step)).count()
}

/// From `trim` per mille to as much below the end; `None` of nothing.
fn spread(sorted: &[u64], trim: usize, runs: usize) -> Option<Spread> {
    let at = |per_mille| percentile(sorted, per_mille).map(Duration::from_micros);
    Some(Spread {
        low: at(trim)?,
        median: at(500)?,
        high: at(1_000 - trim)?,
        times: sorted.len(),
        runs,
    })
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
