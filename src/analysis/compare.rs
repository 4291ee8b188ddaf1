//! Two games beside each other, seed by seed: what the one changes against the other.
//!
//! Both play each seed with the same random numbers, for a draw belongs to a process, a purpose and
//! a count; so their difference is that of what was changed, and not of luck. It plays runs and
//! keeps differences; it does not know how anything is printed.

use super::estimate::{Kind, Name, Sample, rank, ranks};
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
    /// Interrupted before all seeds were played.
    pub partial: bool,
    /// How the two runs of a seed ended, the most frequent first.
    pub endings: Vec<([String; 2], u64)>,
    pub figures: Vec<Paired>,
    /// By key.
    pub settings: Vec<Differing>,
    /// Absent if the first seed's timelines are the same.
    pub parting: Option<Parting>,
    /// The services that a user of `probes` asks, on each side.
    pub users: [BTreeSet<Text>; 2],
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
    /// In how many seeds both have it.
    pub both: u64,
    /// The seeds in which only A has it, and those in which only B has it.
    pub only: [u64; 2],
    pub neither: u64,
    /// Of the seeds that are compared: those in which A's was cut off at its run's end, and those in
    /// which B's was. Nobody knows for how much longer it would have lasted.
    pub open: [u64; 2],
    /// B minus A in microseconds, one for each seed that is compared: the least that they can be,
    /// and the most, each the smallest first. They are the same where nothing was cut off. Compared are
    /// the seeds in which both have it; for the recovery all, for where it does not come it is cut off.
    least: Vec<i64>,
    most: Vec<i64>,
}

/// A difference in microseconds, as far as what was cut off lets it be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    Exactly(i64),
    AtLeast(i64),
    AtMost(i64),
    /// Not even which of the two is longer.
    Unknown,
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
    let (first_seed, wanted) = (seeds.start, seeds.end.saturating_sub(seeds.start));
    let pair = |seed| [a, b].map(|game| sample(&game.play(seed)));
    let add = |sum: &mut Vec<[Sample; 2]>, seed| sum.push(pair(seed));
    let found = fold(seeds, jobs, control, Vec::new, add);
    let mut pairs: Vec<[Sample; 2]> = found.into_iter().flatten().collect();
    pairs.sort_by_key(|[sample, _]| sample.seed);
    let runs = pairs.len() as u64;
    let endings = endings(&pairs);
    let settings = settings([a, b]);
    let (figures, partial) = (figures(pairs), runs < wanted);
    let users = [a, b].map(Game::asked_services);
    Comparison { first_seed, runs, partial, endings, figures, settings, parting, users }
}

/// What is compared of a run.
fn sample(run: &Run) -> Sample {
    let lasted = run.ended_at.since(run.first_fault.unwrap_or_default());
    with_recovery(Sample::of(run), lasted)
}

/// A recovery that has not come when the run ends takes longer than that.
fn with_recovery(mut sample: Sample, lasted: Duration) -> Sample {
    let Sample { figures, open, .. } = &mut sample;
    figures.entry(Name::recovered()).or_insert_with(|| {
        open.insert(Name::recovered());
        lasted
    });
    sample
}

impl Paired {
    /// What came of pairs, each with what its end cut off.
    #[cfg(test)]
    pub fn made_up(name: Name, pairs: &[([Duration; 2], [bool; 2])]) -> Paired {
        let mut paired = Paired::of(name);
        pairs.iter().for_each(|(lengths, open)| paired.add(*lengths, *open));
        paired.sort();
        paired
    }

    fn of(name: Name) -> Paired {
        let (least, most) = (Vec::new(), Vec::new());
        Paired { name, both: 0, only: [0, 0], neither: 0, open: [0, 0], least, most }
    }

    /// How many seeds are compared.
    pub fn compared(&self) -> u64 {
        self.least.len() as u64
    }

    /// The difference that so many percent of the seeds do not exceed; the smallest for 0. Absent if none
    /// is compared.
    pub fn percentile(&self, percent: u64) -> Option<Difference> {
        let rank = rank(percent, self.compared());
        let (least, most) = (at(&self.least, rank)?, at(&self.most, rank)?);
        let (is_bound, is_limit) = (least > ANYTHING.0, most < ANYTHING.1);
        Some(match self.open {
            _ if least == most => Difference::Exactly(least),
            [0, _] if is_bound => Difference::AtLeast(least),
            [_, 0] if is_limit => Difference::AtMost(most),
            _ if is_bound && least > 0 => Difference::AtLeast(least),
            _ if is_limit && most < 0 => Difference::AtMost(most),
            _ => Difference::Unknown,
        })
    }

    /// The ends of the 95 % interval of a percentile (1 to 99), whatever came of what was cut off; absent
    /// where the seeds are too few, or that leaves it no end.
    pub fn interval(&self, percent: u64) -> [Option<i64>; 2] {
        let ends = ranks(percent, self.compared());
        let low = ends.low.and_then(|rank| at(&self.least, rank));
        let high = ends.high.and_then(|rank| at(&self.most, rank));
        [low.filter(|low| *low > ANYTHING.0), high.filter(|high| *high < ANYTHING.1)]
    }

    /// True if every seed has it in both games at the same time, and nothing was cut off.
    pub fn is_same(&self) -> bool {
        let zero = |all: &[i64]| all.iter().all(|difference| *difference == 0);
        self.only == [0, 0] && zero(&self.least) && zero(&self.most)
    }

    fn sort(&mut self) {
        self.least.sort_unstable();
        self.most.sort_unstable();
    }

    fn add(&mut self, [before, after]: [Duration; 2], open: [bool; 2]) {
        let known = difference(before, after);
        self.least.push(if open[0] { ANYTHING.0 } else { known });
        self.most.push(if open[1] { ANYTHING.1 } else { known });
        (0..2).for_each(|side| self.open[side] += u64::from(open[side]));
        // What lasts and is cut off has begun; what comes once, and is, has not come.
        let there = open.map(|open| !open || self.name.kind == Kind::Availability);
        self.count(there);
    }

    fn count(&mut self, there: [bool; 2]) {
        match there {
            [true, true] => self.both += 1,
            [true, false] => self.only[0] += 1,
            [false, true] => self.only[1] += 1,
            [false, false] => self.neither += 1,
        }
    }
}

/// What stands for a difference without a bound.
const ANYTHING: (i64, i64) = (i64::MIN, i64::MAX);

impl Difference {
    /// The number, or its bound.
    pub fn known(self) -> Option<i64> {
        match self {
            Difference::Exactly(it) | Difference::AtLeast(it) | Difference::AtMost(it) => Some(it),
            Difference::Unknown => None,
        }
    }
}

fn at(sorted: &[i64], rank: u64) -> Option<i64> {
    let place = usize::try_from(rank.checked_sub(1)?).ok()?;
    sorted.get(place).copied()
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
    let runs = pairs.len() as u64;
    for [a, mut b] in pairs {
        for (name, before) in a.figures {
            let after = b.figures.remove(&name);
            let open = [&a.open, &b.open].map(|open| open.contains(&name));
            let (times, paired) = entry(&mut found, name);
            times.push(before);
            match after {
                Some(after) => paired.add([before, after], open),
                None => paired.count([true, false]),
            }
        }
        for (name, _) in b.figures {
            entry(&mut found, name).1.count([false, true]);
        }
    }
    found.retain(|_, (_, paired)| paired.neither < runs);
    let mut all: Vec<(Option<Duration>, Paired)> = found
        .into_values()
        .map(|(mut times, mut paired)| {
            times.sort_unstable();
            paired.sort();
            paired.neither = runs - paired.both - paired.only[0] - paired.only[1];
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
    found.entry(name.clone()).or_insert_with(|| (Vec::new(), Paired::of(name)))
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
    use crate::analysis::estimate::{Ending, Outcome};
    use crate::scenario::load;

    fn game(set: &[(&str, &str)]) -> Game {
        let set: Vec<(String, String)> =
            set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let scenario = load("worker-kubelet-stopped").expect("an embedded scenario");
        let until = Some(Duration::from_secs(7 * 60));
        Game::new(&scenario, Some("lab-k8s-1.30-capi-1.7"), &set, until).expect("valid")
    }

    fn paired(differences: &[i64]) -> Paired {
        let second = |it: i64| Duration::from_secs(u64::try_from(1_000 + it).expect("positive"));
        let pair = |it: &i64| ([second(0), second(*it)], [false, false]);
        Paired::made_up(Name::recovered(), &differences.iter().map(pair).collect::<Vec<_>>())
    }

    #[test]
    fn a_game_beside_itself_differs_in_nothing() {
        let found = compare([&game(&[]), &game(&[])], 1..4, 2, &Control::default());
        assert_eq!((found.runs, found.parting), (3, None));
        assert_eq!(found.settings, []);
        let is_same = |it: &Paired| it.is_same() || it.open == [3, 3];
        assert!(found.figures.iter().all(is_same), "{:?}", found.figures);
        assert!(found.figures.iter().any(Paired::is_same));
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
        let moved = of("machineUnhealthy");
        let ten = 10_000_000;
        // To the pass in which it is seen: a pass may wait for the end of another's.
        assert_eq!(moved.least, moved.most);
        assert!(moved.least.iter().all(|it| (ten..ten + 500_000).contains(it)), "{moved:?}");
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
        let exactly = |second: i64| Some(Difference::Exactly(second * 1_000_000));
        let found = [0, 50, 100].map(|percent| some.percentile(percent));
        assert_eq!(found, [-50, 0, 50].map(exactly));
        let [low, high] = some.interval(50).map(|end| end.expect("enough seeds") / 1_000_000);
        assert!((-12..=-8).contains(&low) && (8..=12).contains(&high), "{low} {high}");
        let few = paired(&[1, 2, 3]);
        assert_eq!(few.interval(50), [None, None]);
        assert_eq!(paired(&[]).percentile(50), None);
    }

    /// A was over after 60 s in each run; of B's outages that many were cut off after 600 s.
    fn cut_off(of_b: usize, of_a: usize) -> Paired {
        let [short, long] = [60, 600].map(Duration::from_secs);
        let pair = |seed: usize| match seed {
            _ if seed < of_b => ([short, long], [false, true]),
            _ if seed < of_b + of_a => ([long, short], [true, false]),
            _ => ([short, short], [false, false]),
        };
        Paired::made_up(Name::recovered(), &(0..100).map(pair).collect::<Vec<_>>())
    }

    #[test]
    fn what_the_end_cut_off_bounds_a_difference_and_does_not_tell_it() {
        let nine = 540_000_000;
        let worse = cut_off(60, 0);
        assert_eq!(worse.open, [0, 60]);
        assert_eq!(worse.percentile(0), Some(Difference::Exactly(0)));
        assert_eq!(worse.percentile(50), Some(Difference::AtLeast(nine)));
        let [low, high] = worse.interval(50);
        assert!(low.is_some_and(|low| low <= nine) && high.is_none());
        let better = cut_off(0, 60);
        assert_eq!(better.percentile(50), Some(Difference::AtMost(-nine)));
        assert_eq!(better.percentile(100), Some(Difference::Exactly(0)));
        let both = cut_off(40, 60);
        assert_eq!(both.percentile(50), Some(Difference::AtMost(-nine)));
        assert_eq!(both.percentile(0), Some(Difference::AtMost(-nine)));
        assert_eq!(both.percentile(100), Some(Difference::AtLeast(nine)));
        assert!(!both.is_same());
    }

    #[test]
    fn a_bound_is_that_of_the_side_that_was_cut_off() {
        // In five seeds A's was cut off after 100 s of B's 200; of the others B's are -7 to 7 s longer.
        let at = Duration::from_secs;
        let known = (0..15).map(|longer| ([at(50), at(43 + longer)], [false, false]));
        let cut = |pair, open| (0..5).map(move |_| (pair, open));
        let of = |pairs: Vec<_>| Paired::made_up(Name::recovered(), &pairs).percentile(50);
        let of_a = known.clone().chain(cut([at(100), at(200)], [true, false])).collect();
        assert_eq!(of(of_a), Some(Difference::AtMost(2_000_000)));
        let of_b = known.clone().chain(cut([at(200), at(100)], [false, true])).collect();
        assert_eq!(of(of_b), Some(Difference::AtLeast(-3_000_000)));
        let both =
            cut([at(100), at(200)], [true, false]).chain(cut([at(200), at(100)], [false, true]));
        assert_eq!(of(known.chain(both).collect()), Some(Difference::Unknown));
    }

    /// A run that ends half an hour after its fault and has recovered before, if ever.
    fn recovers(seed: u64, after: Option<u64>) -> Sample {
        let ending = Ending { outcome: Outcome::Replaced, missing: Text::EMPTY };
        let after = after.map(|seconds| (Name::recovered(), Duration::from_secs(seconds)));
        let (figures, open) = (after.into_iter().collect(), BTreeSet::new());
        with_recovery(
            Sample { seed, ending, figures, open, unstruck: false },
            Duration::from_secs(1800),
        )
    }

    #[test]
    fn a_recovery_that_did_not_come_took_longer_than_the_run() {
        let of = |pairs: &[[Option<u64>; 2]]| {
            let pair = |(seed, both): (u64, &[Option<u64>; 2])| both.map(|it| recovers(seed, it));
            let found = figures((1..).zip(pairs).map(pair).collect());
            found.into_iter().find(|paired| paired.name == Name::recovered())
        };
        let [short, long] = [Some(600), Some(700)];
        let lost = [vec![[short, None]; 60], vec![[short, long]; 40]].concat();
        let paired = of(&lost).expect("some recover");
        assert_eq!((paired.both, paired.only, paired.neither), (40, [60, 0], 0));
        assert_eq!(paired.percentile(50), Some(Difference::AtLeast(1_200_000_000)));
        assert_eq!(paired.interval(50)[1], None, "nobody knows how much longer");
        let won = of(&vec![[None, long]; 10]).expect("some recover");
        assert_eq!(won.percentile(50), Some(Difference::AtMost(-1_100_000_000)));
        let some = of(&[[None, None], [short, long], [None, None]]).expect("some recover");
        assert_eq!((some.both, some.only, some.neither), (1, [0, 0], 2));
        assert_eq!(some.percentile(50), Some(Difference::Unknown));
        assert_eq!(of(&[[None, None]]), None, "the outcomes say so");
    }

    #[test]
    fn seeds_in_which_neither_has_a_milestone_are_counted() {
        let name = || Name { figure: Text::word("nodeDeleted"), ..Name::recovered() };
        let pair = |seed: u64| {
            let mut both = [0, 1].map(|_| recovers(seed, None));
            let [a, b] = &mut both;
            a.figures.extend((seed <= 3).then(|| (name(), Duration::from_secs(5))));
            b.figures.extend((seed <= 1).then(|| (name(), Duration::from_secs(7))));
            both
        };
        let [paired] = &figures((1..=10).map(pair).collect())[..] else { panic!("one milestone") };
        assert_eq!((paired.both, paired.only, paired.neither), (1, [2, 0], 7));
        assert_eq!(paired.percentile(50), Some(Difference::Exactly(2_000_000)));
    }

    #[test]
    fn what_was_cut_off_on_both_sides_differs_by_nobody_knows_what() {
        let of = |pair| Paired::made_up(Name::recovered(), &[(pair, [true, true])]);
        let [short, long] = [60, 600].map(Duration::from_secs);
        let paired = of([short, long]);
        assert_eq!(paired.percentile(50), Some(Difference::Unknown));
        assert_eq!(paired.interval(50), [None, None]);
        // Neither are two that were cut off after the same time known to be the same.
        let alike = of([long, long]);
        assert_eq!((alike.percentile(50), alike.is_same()), (Some(Difference::Unknown), false));
    }
}
