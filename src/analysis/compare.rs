//! Two games beside each other, seed by seed: what the one changes against the other.
//!
//! Both play each seed with the same random numbers, for a draw belongs to a process, a purpose and
//! a count; so their difference is that of what was changed, and not of luck. It plays runs and
//! keeps differences; it does not know how anything is printed.

use super::estimate::{Name, Sample, rank, ranks};
use super::parallel::{Control, fold};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::Game;
use crate::timeline::{Entry, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What came of playing two games with the same seeds; A is the first of each pair, B the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub first_seed: u64,
    pub runs: u64,
    /// How the two runs of a seed ended, the most frequent first.
    pub endings: Vec<([String; 2], u64)>,
    pub figures: Vec<Paired>,
    /// By key.
    pub settings: Vec<Differing>,
    /// Absent if the first seed's timelines are the same.
    pub parting: Option<Parting>,
}

/// A setting that is not the same in both games.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    pub key: String,
    /// Absent where there is no such setting.
    pub values: [Option<String>; 2],
}

/// A figure of both games.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    pub name: Name,
    /// The seeds in which only A has it, and those in which only B has it.
    pub only: [u64; 2],
    /// B minus A in microseconds, the smallest first: one for each seed in which both have it.
    pub differences: Vec<i64>,
}

/// The first point at which the timelines of the first seed part; absent where one has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    pub seed: u64,
    pub sides: [Option<Side>; 2],
}

/// What one timeline has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub entry: Entry,
    /// What led to it.
    pub cause: Option<Entry>,
    pub first_fault: SimTime,
}

/// Plays both games with each seed, as long as `control` lets it: each seed counts once.
pub fn compare(
    [a, b]: [&Game; 2],
    seeds: Range<u64>,
    jobs: usize,
    control: &Control,
) -> Comparison {
    let parting = (!seeds.is_empty())
        .then(|| part(seeds.start, [&a.play(seeds.start), &b.play(seeds.start)]))
        .flatten();
    let first_seed = seeds.start;
    let pair = |seed| [a, b].map(|game| Sample::of(&game.play(seed)));
    let add = |sum: &mut Vec<[Sample; 2]>, seed| sum.push(pair(seed));
    let found = fold(seeds, jobs, control, Vec::new, add);
    let mut pairs: Vec<[Sample; 2]> = found.into_iter().flatten().collect();
    pairs.sort_by_key(|[sample, _]| sample.seed);
    let runs = pairs.len() as u64;
    let endings = endings(&pairs);
    let settings = settings([a, b]);
    Comparison { first_seed, runs, endings, figures: figures(pairs), settings, parting }
}

impl Paired {
    /// In how many seeds both have it.
    pub fn both(&self) -> u64 {
        self.differences.len() as u64
    }

    /// The difference that so many percent of the seeds do not exceed, in microseconds; the smallest
    /// for 0. Absent if no seed has both.
    pub fn percentile(&self, percent: u64) -> Option<i64> {
        self.at(rank(percent, self.both()))
    }

    /// The ends of the 95 % interval of a percentile (1 to 99); absent where the seeds are too few.
    pub fn interval(&self, percent: u64) -> [Option<i64>; 2] {
        let ends = ranks(percent, self.both());
        [ends.low, ends.high].map(|end| end.and_then(|rank| self.at(rank)))
    }

    /// True if every seed has it in both games at the same time.
    pub fn is_same(&self) -> bool {
        self.only == [0, 0] && self.differences.iter().all(|difference| *difference == 0)
    }

    fn at(&self, rank: u64) -> Option<i64> {
        let place = usize::try_from(rank.checked_sub(1)?).ok()?;
        self.differences.get(place).copied()
    }
}

fn settings(games: [&Game; 2]) -> Vec<Differing> {
    let keys: BTreeSet<&String> = games.iter().flat_map(|game| game.settings().keys()).collect();
    let values = |key: &String| games.map(|game| game.setting(key).map(str::to_owned));
    let all = keys.into_iter().map(|key| Differing { key: key.clone(), values: values(key) });
    all.filter(|it| it.values[0] != it.values[1]).collect()
}

fn endings(pairs: &[[Sample; 2]]) -> Vec<([String; 2], u64)> {
    let mut counts: BTreeMap<[String; 2], u64> = BTreeMap::new();
    for pair in pairs {
        let words = [0, 1].map(|side: usize| pair[side].ending.words());
        *counts.entry(words).or_default() += 1;
    }
    let mut counts: Vec<([String; 2], u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, runs)| std::cmp::Reverse(*runs));
    counts
}

/// In the order of A's median, those that only B has last.
fn figures(pairs: Vec<[Sample; 2]>) -> Vec<Paired> {
    let mut found: BTreeMap<Name, (Vec<Duration>, Paired)> = BTreeMap::new();
    for [a, mut b] in pairs {
        for (name, before) in a.figures {
            let after = b.figures.remove(&name);
            let (times, paired) = entry(&mut found, name);
            times.push(before);
            match after {
                Some(after) => paired.differences.push(difference(before, after)),
                None => paired.only[0] += 1,
            }
        }
        for (name, _) in b.figures {
            entry(&mut found, name).1.only[1] += 1;
        }
    }
    let mut all: Vec<(Option<Duration>, Paired)> = found
        .into_values()
        .map(|(mut times, mut paired)| {
            times.sort_unstable();
            paired.differences.sort_unstable();
            (times.get(times.len() / 2).copied(), paired)
        })
        .collect();
    all.sort_by_key(|(median, paired)| (paired.name.kind, median.is_none(), *median));
    all.into_iter().map(|(_, paired)| paired).collect()
}

fn entry(
    found: &mut BTreeMap<Name, (Vec<Duration>, Paired)>,
    name: Name,
) -> &mut (Vec<Duration>, Paired) {
    found
        .entry(name.clone())
        .or_insert_with(|| (Vec::new(), Paired { name, only: [0, 0], differences: Vec::new() }))
}

fn difference(before: Duration, after: Duration) -> i64 {
    let [before, after] =
        [before, after].map(|it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
    after.saturating_sub(before)
}

fn part(seed: u64, runs: [&Run; 2]) -> Option<Parting> {
    let happened = runs.map(|run| run.timeline.happened());
    let same = |pair: &(&Entry, &Entry)| what(pair.0) == what(pair.1);
    let place = happened[0].iter().zip(happened[1]).take_while(same).count();
    let side = |side: usize| {
        let entry = happened[side].get(place)?.clone();
        let cause = entry.cause.and_then(|id| runs[side].timeline.get(id)).cloned();
        Some(Side { entry, cause, first_fault: runs[side].first_fault.unwrap_or_default() })
    };
    let sides = [side(0), side(1)];
    sides.iter().any(Option::is_some).then_some(Parting { seed, sides })
}

/// What an entry says, whatever its number.
fn what(entry: &Entry) -> (SimTime, &Text, &Text, &Text, &crate::timeline::Value, &Text) {
    (entry.at, &entry.kind, &entry.name, &entry.field, &entry.to, &entry.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    fn game(set: &[(&str, &str)]) -> Game {
        let set: Vec<(String, String)> =
            set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let scenario = load("worker-kubelet-stopped").expect("an embedded scenario");
        let until = Some(Duration::from_secs(7 * 60));
        Game::new(&scenario, Some("lab-k8s-1.30-capi-1.7"), &set, until).expect("valid")
    }

    fn paired(differences: &[i64]) -> Paired {
        let mut differences = differences.to_vec();
        differences.sort_unstable();
        Paired { name: Name::recovered(), only: [0, 0], differences }
    }

    #[test]
    fn a_game_beside_itself_differs_in_nothing() {
        let found = compare([&game(&[]), &game(&[])], 1..4, 2, &Control::default());
        assert_eq!((found.runs, found.parting), (3, None));
        assert_eq!(found.settings, []);
        assert!(found.figures.iter().all(Paired::is_same), "{:?}", found.figures);
        assert!(found.endings.iter().all(|([a, b], _)| a == b));
    }

    #[test]
    fn a_longer_time_out_moves_what_waits_for_it_by_just_that_and_nothing_before() {
        let longer = game(&[("machineHealthCheck.unknownTimeout", "5m10s")]);
        let found = compare([&game(&[]), &longer], 1..4, 2, &Control::default());
        let of = |figure: &str| {
            let mut all = found.figures.iter();
            all.find(|paired| paired.name.figure == *figure).expect("it comes")
        };
        assert!(of("nodeUnknown").is_same());
        let [setting] = &found.settings[..] else { panic!("{:?}", found.settings) };
        assert_eq!(setting.key, "machineHealthCheck.unknownTimeout");
        assert_eq!(setting.values.each_ref().map(Option::as_deref), [Some("5m"), Some("5m10s")]);
        let moved = &of("machineUnhealthy").differences;
        let ten = 10_000_000;
        // To the pass in which it is seen: a pass may wait for the end of another's.
        assert!(moved.iter().all(|it| (ten..ten + 500_000).contains(it)), "{moved:?}");
        let parting = found.parting.expect("they part");
        let [a, b] = parting.sides.map(|side| side.expect("both go on").entry.at);
        assert!(a < b, "the longer one comes later");
    }

    #[test]
    fn any_number_of_threads_says_the_same() {
        let other = game(&[("kubernetes.nodeMonitorGracePeriod", "60s")]);
        let [one, three] =
            [1, 3].map(|jobs| compare([&game(&[]), &other], 1..6, jobs, &Control::default()));
        assert_eq!(one, three);
    }

    #[test]
    fn percentiles_and_their_intervals_are_ranks() {
        let some = paired(&(-50..51).collect::<Vec<i64>>());
        assert_eq!([0, 50, 100].map(|percent| some.percentile(percent)), [-50, 0, 50].map(Some));
        let [low, high] = some.interval(50).map(|end| end.expect("enough seeds"));
        assert!((-12..=-8).contains(&low) && (8..=12).contains(&high), "{low} {high}");
        let few = paired(&[1, 2, 3]);
        assert_eq!(few.interval(50), [None, None]);
        assert_eq!(paired(&[]).percentile(50), None);
    }
}
