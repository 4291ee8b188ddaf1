//! When a milestone came in each of many runs, its percentiles, and by how much a change moves them.
//!
//! Never counts as later than any time, so a run that does not heal worsens p95 and does not leave
//! it. Both games of a change play the same seeds, so pairs are drawn again, not runs: that is the
//! paired bootstrap, here with draws that have an address, and whole numbers only.

use crate::analysis::estimate::{rank, ranks};
use crate::engine::{Duration, Owner, Purpose, Random, index_below};

/// How often pairs are drawn again.
const RESAMPLES: u64 = 1000;
/// Of so many resamples, how many lie beyond each end of a 95 % interval.
const BEYOND: usize = 25;

/// One time for each run, in the order of seeds; nothing where it never came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(pub(super) Vec<Option<Duration>>);

/// A percentile with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// Nothing if it never comes in so many of the runs.
    pub value: Option<Duration>,
    /// Absent where the runs are too few for one.
    pub interval: Option<[Option<Duration>; 2]>,
}

/// By how much a percentile moves; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// It never came, and now it does.
    Comes,
    /// Microseconds later.
    By(i64),
    /// It came, and now it does not.
    Fails,
}

/// A move with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub by: Move,
    /// Absent where the runs are too few for one.
    pub interval: Option<[Move; 2]>,
}

/// Which runs are drawn again, the same for every change.
pub struct Resamples {
    runs: usize,
    drawn: Vec<Vec<usize>>,
}

impl Times {
    /// The times of so many runs.
    pub fn new(times: Vec<Option<Duration>>) -> Times {
        Times(times)
    }

    /// In how many runs it came.
    pub fn came(&self) -> u64 {
        self.0.iter().flatten().count() as u64
    }

    /// A percentile (1 to 99); it never comes if there is no run.
    pub fn quantile(&self, percent: u64) -> Quantile {
        let runs = self.0.len() as u64;
        let mut sorted: Vec<u64> = self.0.iter().copied().map(micros).collect();
        sorted.sort_unstable();
        let at = |rank: u64| usize::try_from(rank - 1).ok().and_then(|it| sorted.get(it).copied());
        let ends = ranks(percent, runs);
        let interval = ends.low.zip(ends.high).and_then(|(low, high)| at(low).zip(at(high)));
        Quantile {
            value: at(rank(percent, runs)).and_then(length),
            interval: interval.map(|(low, high)| [length(low), length(high)]),
        }
    }

    /// Whether any run of the same seed has another time, by more than so many thousandths of it.
    pub(super) fn differs(&self, other: &Times, thousandths: u64) -> bool {
        self.0.iter().zip(&other.0).any(|pair| match pair {
            (Some(a), Some(b)) => {
                a.saturating_sub(*b).max(b.saturating_sub(*a)) > a.scaled(thousandths, 1000)
            }
            (a, b) => a != b,
        })
    }

    /// By how much a percentile moves from these times to those of the same seeds.
    pub fn moved(&self, after: &Times, percent: u64, resamples: &Resamples) -> Moved {
        let runs = self.0.len() as u64;
        let both = [self, after].map(|it| it.0.iter().copied().map(micros).collect::<Vec<u64>>());
        let place = usize::try_from(rank(percent, runs) - 1).unwrap_or_default();
        let all: Vec<usize> = (0..self.0.len()).collect();
        let by = between(&both, &all, place);
        let ends = ranks(percent, runs);
        let is_enough = ends.low.is_some() && ends.high.is_some() && resamples.runs == all.len();
        let interval = is_enough.then(|| {
            let again = resamples.drawn.iter().map(|drawn| between(&both, drawn, place));
            let mut again: Vec<Move> = again.collect();
            again.sort_unstable();
            [again[BEYOND - 1], again[again.len() - BEYOND]]
        });
        Moved { by, interval }
    }
}

impl Move {
    /// True if it neither comes nor goes, and stays where it was.
    pub const fn is_none(self) -> bool {
        matches!(self, Move::By(0))
    }

    /// How far it moves, whichever way; farther than any time if it comes or goes.
    pub const fn size(self) -> u64 {
        match self {
            Move::By(micros) => micros.unsigned_abs(),
            Move::Comes | Move::Fails => u64::MAX,
        }
    }
}

impl Moved {
    /// True if luck alone does not explain it: the interval lies on one side of none. Without an
    /// interval nobody knows.
    pub fn is_certain(&self) -> bool {
        self.interval.is_some_and(|[low, high]| low > Move::By(0) || high < Move::By(0))
    }

    /// True if it moves, and the runs are too few to say whether that is luck.
    pub fn is_doubtful(&self) -> bool {
        self.interval.is_none() && !self.by.is_none()
    }
}

impl Resamples {
    /// The resamples of so many runs.
    pub fn of(runs: usize) -> Resamples {
        let random = Random::new(0);
        let owner = Owner::named("tune: which runs are drawn again");
        let draw = |k: u64| {
            let index = index_below(runs as u64, random.draw(owner, Purpose(0), k));
            usize::try_from(index).expect("below a count in memory")
        };
        let one = |resample: u64| {
            let from = resample * runs as u64;
            (from..from + runs as u64).map(draw).collect()
        };
        Resamples { runs, drawn: (0..RESAMPLES).map(one).collect() }
    }
}

/// From the one's value at a place of its order to the other's, over some of the pairs.
fn between(both: &[Vec<u64>; 2], drawn: &[usize], place: usize) -> Move {
    let [before, after] = both.each_ref().map(|times| {
        let mut times: Vec<u64> = drawn.iter().map(|index| times[*index]).collect();
        match times.is_empty() {
            true => u64::MAX,
            false => *times.select_nth_unstable(place).1,
        }
    });
    match (before, after) {
        (u64::MAX, u64::MAX) => Move::By(0),
        (u64::MAX, _) => Move::Comes,
        (_, u64::MAX) => Move::Fails,
        // A run lasts at most a week, which is far from the largest number.
        (before, after) => Move::By(after as i64 - before as i64),
    }
}

fn micros(time: Option<Duration>) -> u64 {
    time.map_or(u64::MAX, Duration::as_micros)
}

fn length(micros: u64) -> Option<Duration> {
    (micros != u64::MAX).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seconds: impl IntoIterator<Item = u64>) -> Times {
        Times::new(seconds.into_iter().map(|it| Some(Duration::from_secs(it))).collect())
    }

    fn seconds(by: i64) -> Move {
        Move::By(by * 1_000_000)
    }

    #[test]
    fn a_percentile_counts_runs_in_which_it_never_came_as_the_latest() {
        let mut some: Vec<Option<Duration>> = times(1..=90).0;
        some.extend([None; 10]);
        let all = Times::new(some);
        assert_eq!(all.came(), 90);
        assert_eq!(all.quantile(50).value, Some(Duration::from_secs(50)));
        let p95 = all.quantile(95);
        let from = Some(Duration::from_secs(90));
        assert_eq!((p95.value, p95.interval), (None, Some([from, None])));
        assert_eq!(times(1..=5).quantile(50).interval, None, "five runs are too few");
        assert_eq!(Times::default().quantile(50), Quantile { value: None, interval: None });
    }

    #[test]
    fn a_shift_of_all_runs_is_found_exactly_however_wide_they_spread() {
        let before: Vec<u64> = (0..100).map(|it| 600 + it * 37 % 100 * 5).collect();
        let after = times(before.iter().map(|it| it + 30));
        let moved = times(before).moved(&after, 95, &Resamples::of(100));
        let both = Some([seconds(30), seconds(30)]);
        assert_eq!((moved.by, moved.interval), (seconds(30), both), "that is what pairs are for");
        assert!(moved.is_certain());
    }

    #[test]
    fn luck_is_not_certain_and_no_run_or_few_have_no_interval() {
        let resamples = Resamples::of(100);
        let before = times((0..100).map(|it| it * 37 % 100));
        let after = times((0..100).map(|it| it * 61 % 100));
        let moved = before.moved(&after, 50, &resamples);
        assert!(moved.interval.is_some() && !moved.is_certain(), "{moved:?}");
        let few = times([1, 2]).moved(&times([2, 3]), 50, &Resamples::of(2));
        assert_eq!(few, Moved { by: seconds(1), interval: None });
        assert!(few.is_doubtful() && !few.is_certain(), "two runs say nothing for certain");
        let none = Times::default().moved(&Times::default(), 50, &Resamples::of(0));
        assert_eq!(none, Moved { by: Move::By(0), interval: None });
        assert!(!none.is_doubtful() && !none.is_certain());
        // 71 runs are enough for p50, and not for p95.
        let [before, after] = [0, 30].map(|later| times((0..71).map(|it| it + later)));
        let both = [50, 95].map(|percent| before.moved(&after, percent, &Resamples::of(71)));
        let certain = both.map(|moved| (moved.is_certain(), moved.is_doubtful()));
        assert_eq!(certain, [(true, false), (false, true)]);
    }

    #[test]
    fn coming_and_failing_are_beyond_any_number_of_seconds() {
        let some = times([5; 8]);
        let never = Times::new(vec![None; 8]);
        let resamples = Resamples::of(8);
        assert_eq!(some.moved(&never, 50, &resamples).by, Move::Fails);
        assert_eq!(never.moved(&some, 50, &resamples).by, Move::Comes);
        assert!(never.moved(&never, 50, &resamples).by.is_none());
        assert!(Move::Comes < seconds(-1_000_000) && seconds(1_000_000) < Move::Fails);
    }

    /// The true shift of the median lies in nineteen of twenty intervals; of 200 so few are beyond.
    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let resamples = Resamples::of(100);
        let random = Random::new(7);
        let holds = |trial: u64| {
            let draw = |purpose: u16, run: u64| {
                let draw = random.draw(Owner::named("trial"), Purpose(purpose), trial * 100 + run);
                index_below(60_000, draw)
            };
            // Half of a run's luck is the pair's own, and the second game is 10 s slower.
            let of = |side: u16, later: u64| {
                let run = |run| Some(Duration::from_millis(draw(0, run) + draw(side, run) + later));
                Times::new((0..100).map(run).collect())
            };
            let moved = of(1, 0).moved(&of(2, 10_000), 50, &resamples);
            let [low, high] = moved.interval.expect("enough runs");
            (low..=high).contains(&seconds(10))
        };
        let held = (0..200).filter(|trial| holds(*trial)).count();
        assert!((182..=199).contains(&held), "{held} of 200");
    }
}
