//! Where the time of a recovery goes: the stretches between milestones, over many runs.
//!
//! Each stretch has its share of the mean, which says why recovery takes so long, and of the
//! variance, which says why it takes so differently. All sums are integers in the order of seeds.
//! It does not know how anything is printed.

use super::milestones::{Milestone, milestones};
use super::parallel::each;
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::Game;
use std::ops::Range;

/// The stretches of those runs that reached every milestone in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// How many runs were played.
    pub played: u64,
    /// One for each milestone: the stretch that ends with it. The first begins with the first fault.
    pub phases: Vec<Phase>,
    /// From the first fault to the last milestone, the shortest first.
    pub totals: Vec<Duration>,
}

/// One stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The milestone that ends it.
    pub until: Text,
    /// Its length in each run, the shortest first.
    pub sorted: Vec<Duration>,
    /// Its part of all runs' total time, in thousandths.
    pub share_of_mean: i64,
    /// Its covariance with the total over the total's variance, in thousandths; below 0 if it
    /// evens the others out. Nothing if all runs took the same time.
    pub share_of_variance: Option<i64>,
}

/// Plays the seeds on so many threads and measures the stretches between milestones, each at its
/// first occurrence at or after the end of the one before.
pub fn phases(game: &Game, seeds: Range<u64>, jobs: usize, chain: &[&str]) -> Phases {
    let played = seeds.end.saturating_sub(seeds.start);
    let runs = each(seeds, jobs, |seed| {
        let run = game.play(seed);
        lengths(&milestones(&run), run.first_fault?, chain)
    });
    let runs: Vec<Vec<Duration>> = runs.into_iter().flatten().collect();
    let of = |place: usize| runs.iter().map(|run| run[place]).collect::<Vec<_>>();
    let totals: Vec<Duration> = runs.iter().map(|run| sum(run)).collect();
    let phases = chain.iter().enumerate().map(|(place, name)| {
        let lengths = of(place);
        Phase {
            until: Text::from(*name),
            share_of_mean: thousandths(micros(sum(&lengths)), micros(sum(&totals))).unwrap_or(0),
            share_of_variance: thousandths(
                covariance(&lengths, &totals),
                covariance(&totals, &totals),
            ),
            sorted: sorted(lengths),
        }
    });
    Phases { played, phases: phases.collect(), totals: sorted(totals) }
}

/// The stretches of one run, if it has them all.
fn lengths(found: &[Milestone], fault: SimTime, chain: &[&str]) -> Option<Vec<Duration>> {
    let mut from = fault;
    chain
        .iter()
        .map(|name| {
            let next = found.iter().find(|it| it.name == **name && it.at >= from)?;
            let length = next.at.since(from);
            from = next.at;
            Some(length)
        })
        .collect()
}

/// The covariance of two equally long lists, times the square of their length.
fn covariance(a: &[Duration], b: &[Duration]) -> i128 {
    let products: i128 = a.iter().zip(b).map(|(a, b)| micros(*a) * micros(*b)).sum();
    let runs = i128::try_from(a.len()).expect("a length");
    runs * products - micros(sum(a)) * micros(sum(b))
}

fn sum(lengths: &[Duration]) -> Duration {
    lengths.iter().fold(Duration::ZERO, |sum, length| sum + *length)
}

fn sorted(mut lengths: Vec<Duration>) -> Vec<Duration> {
    lengths.sort_unstable();
    lengths
}

fn micros(length: Duration) -> i128 {
    i128::from(length.as_micros())
}

/// `part` of `all` in thousandths, rounded to the nearest; nothing of nothing.
fn thousandths(part: i128, all: i128) -> Option<i64> {
    if all == 0 {
        return None;
    }
    i64::try_from((2000 * part + all).div_euclid(2 * all)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::EntryId;

    fn at(name: &'static str, seconds: u64) -> Milestone {
        let at = SimTime::ZERO + Duration::from_secs(seconds);
        Milestone { name: Text::word(name), object: Text::EMPTY, at, entry: EntryId(1) }
    }

    #[test]
    fn a_stretch_ends_with_the_first_milestone_of_its_name_that_is_not_before_it() {
        let found = [at("b", 3), at("a", 5), at("b", 9), at("b", 11)];
        let fault = SimTime::ZERO + Duration::from_secs(1);
        let seconds = |lengths: Option<Vec<Duration>>| {
            lengths.map(|all| all.iter().map(|length| length.as_secs()).collect::<Vec<_>>())
        };
        assert_eq!(seconds(lengths(&found, fault, &["a", "b"])), Some(vec![4, 4]));
        assert_eq!(seconds(lengths(&found, fault, &["b", "a"])), Some(vec![2, 2]));
        assert_eq!(seconds(lengths(&found, fault, &["a", "c"])), None);
    }

    #[test]
    fn what_never_varies_has_no_part_in_the_variance_and_all_parts_are_a_whole() {
        let seconds = |all: &[u64]| all.iter().map(|s| Duration::from_secs(*s)).collect::<Vec<_>>();
        let (fixed, varying) = (seconds(&[7, 7, 7]), seconds(&[1, 2, 6]));
        let totals = seconds(&[8, 9, 13]);
        let share = |lengths: &[Duration]| {
            thousandths(covariance(lengths, &totals), covariance(&totals, &totals))
        };
        assert_eq!((share(&fixed), share(&varying)), (Some(0), Some(1000)));
        assert_eq!(thousandths(covariance(&fixed, &fixed), covariance(&fixed, &fixed)), None);
        assert_eq!((thousandths(-1, 3), thousandths(2, 3)), (Some(-333), Some(667)));
    }
}
