//! Many runs of one scenario with consecutive seeds: how often, and when, each milestone comes, how
//! long services are down, how the runs end, and how sure all that is.
//!
//! Everything is added up in whole numbers, so any number of threads and any split into shards
//! gives the same document. It plays whole runs and does not know how anything is printed.

mod interval;
mod merge;
mod outcome;
mod part;
mod sample;
mod spread;
mod tally;
#[cfg(test)]
mod tests;
mod threshold;
#[cfg(test)]
mod threshold_tests;

pub use interval::{Ranks, rank, ranks, runs_needed, wilson};
pub use merge::{Merged, Missing, Named, Unread, merge};
pub use outcome::{Ending, Outcome};
pub use part::{Asked, Cut, MOST_RUNS, NotAPart, NotAShard, Part, Pass, Shard};
pub use sample::{Kind, Name, Sample, name_over_runs, names_over_runs};
pub use spread::Spread;
pub use tally::{Count, Seen, Sum, Sums, Tally};
pub use threshold::{NotAThreshold, Threshold, Verdict};

use super::parallel::{Control, fold};
use crate::engine::{Duration, Text};
use crate::scenario::Game;
use std::cmp::Reverse;
use std::ops::Range;

/// The statistics that are told of each figure, with their percentiles; 0 and 100 are the extremes.
pub const STATISTICS: [(&str, u64); 6] =
    [("min", 0), ("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("max", 100)];

/// What many runs of a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    pub asked: Asked,
    /// The seeds that were to be played.
    pub seeds: Range<u64>,
    /// How many runs were played.
    pub runs: u64,
    /// Where it was interrupted.
    pub cut: Option<Cut>,
    /// How the runs ended, the most frequent first.
    pub outcomes: Vec<(Ending, Count)>,
    /// The runs in which not all faults of the scenario struck and hit something.
    pub unstruck: Option<Count>,
    /// Milestones in the order of their medians, then availabilities by service.
    pub figures: Vec<Figure>,
    /// Runs with the assumed numbers at the low and at the high ends of their ranges, and how many
    /// of them recovered. Only of a whole estimate: else the two ends would be of other seeds.
    pub ends: Option<[Recovered; 2]>,
}

/// How many of so many runs recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub runs: u64,
    pub recovered: u64,
}

/// One figure over all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    pub name: Name,
    /// In how many runs it happened: a milestone came, a service was down at all.
    pub happened: u64,
    /// A milestone's times over the runs in which it came; a service's downtime over all runs, of those
    /// that are open until the run's end.
    pub spread: Spread,
    /// The downtimes that were over when their runs ended, where not all were.
    pub ended: Option<Spread>,
    /// The longest, each with the seed of its run.
    pub worst: Vec<Seen>,
    /// Nothing if it was not asked.
    pub assumed: Option<Assumed>,
}

/// The upper end of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upper {
    /// Too few runs for one.
    Absent,
    At(Duration),
    /// The service was still down: nobody knows how long it would have been.
    Open,
}

/// Where p95 lies with the assumed numbers at the ends of their ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// Nothing if the figure happened in no such run.
    pub low: Option<Duration>,
    pub high: Option<Duration>,
    /// What moves between the two, in thousandths of p95; nothing if there is nothing to compare, also
    /// because one of the three is open.
    pub share: Option<u64>,
}

/// The games of an estimate: as it is, and with the assumed numbers at the ends of their ranges.
#[derive(Clone, Debug)]
pub struct Games {
    pub game: Game,
    pub low: Game,
    pub high: Game,
}

/// Plays the seeds of one shard on so many threads and adds up what came of them.
pub fn play(games: &Games, asked: Asked, shard: Shard, jobs: usize, control: &Control) -> Part {
    let seeds = |runs: u64| shard.seeds(asked.first_seed, runs);
    let sums = |game: &Game, runs: u64| {
        let add = |tally: &mut Tally, seed| tally.add(Sample::of(&game.play(seed)));
        let tallies = fold(seeds(runs), jobs, control, Tally::default, add);
        let sums: Vec<Sums> = tallies.into_iter().map(Tally::sums).collect();
        Sums::of(&sums)
    };
    let runs = sums(&games.game, asked.runs);
    let ends = [&games.low, &games.high].map(|game| sums(game, asked.assumed_runs));
    let [low, high] = ends;
    Part::new(asked, shard, [runs, low, high])
}

/// Plays so many seeds and adds up what came of them, without a look at assumed numbers.
pub fn estimate(game: &Game, seeds: Range<u64>, jobs: usize) -> Estimate {
    let asked = Asked::of(game, seeds.start, seeds.end.saturating_sub(seeds.start));
    let games = Games { game: game.clone(), low: game.clone(), high: game.clone() };
    Estimate::of(play(&games, asked, Shard::WHOLE, jobs, &Control::default()))
}

impl Estimate {
    /// What runs say that were played for another reason, with seeds from the question's first on.
    pub fn of_samples(asked: Asked, samples: impl IntoIterator<Item = Sample>) -> Estimate {
        let mut tally = Tally::default();
        samples.into_iter().for_each(|sample| tally.add(sample));
        let sums = [tally.sums(), Sums::default(), Sums::default()];
        Estimate::of(Part::new(asked, Shard::WHOLE, sums))
    }

    /// What a part, or the whole, says.
    pub fn of(part: Part) -> Estimate {
        let (seeds, cut) = (part.seeds(), part.cut());
        let Part { asked, runs, low, high, .. } = part;
        let has_ends = cut.is_none() && low.runs() > 0;
        let ends = has_ends.then(|| [recovered(&low), recovered(&high)]);
        let assumed = |sum: &Sum| ends.map(|_| Assumed::of(sum, &low, &high));
        let figure = |sum: &Sum| Figure {
            name: sum.name.clone(),
            happened: match sum.name.kind {
                Kind::Milestone => sum.spread.runs(),
                Kind::Availability => sum.spread.above_zero(),
            },
            spread: sum.spread.clone(),
            ended: sum.ended.clone(),
            worst: sum.worst.clone(),
            assumed: assumed(sum),
        };
        let mut figures: Vec<Figure> = runs.figures.iter().map(figure).collect();
        figures.sort_by_cached_key(Figure::place);
        let played = runs.runs();
        let unstruck = runs.unstruck;
        let mut outcomes = runs.endings;
        outcomes.sort_by_key(|(ending, count)| (Reverse(count.runs), ending.clone()));
        Estimate { asked, seeds, runs: played, cut, outcomes, unstruck, figures, ends }
    }

    /// The figure of this name.
    pub fn figure(&self, name: &Name) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == *name)
    }

    /// The words after `healsim` that play one of its runs again.
    pub fn replay(&self, seed: u64) -> Vec<Text> {
        let mut words = vec![Text::word("run")];
        words.extend(self.asked.words.iter().cloned());
        words.extend([Text::word("--seed"), Text::from(seed.to_string())]);
        words
    }
}

impl Figure {
    /// The lengths that were over when their runs ended.
    pub fn ended(&self) -> &Spread {
        self.ended.as_ref().unwrap_or(&self.spread)
    }

    /// In how many runs the service was still down when the run ended, or of being degraded: not whole.
    pub fn open(&self) -> u64 {
        self.spread.runs() - self.ended().runs()
    }

    /// Whether there is anything to tell of it: it happened, or was cut off before it could.
    pub fn is_of_note(&self) -> bool {
        self.happened > 0 || self.open() > 0
    }

    /// Whether a statistic (0 to 100) is at least as long as the spread tells, and may be longer.
    pub fn is_at_least(&self, percent: u64) -> bool {
        is_at_least((&self.spread, self.ended()), percent)
    }

    /// The 95 % confidence interval of a quantile, whatever the open ones would have come to: from as if
    /// they were over, to as if they never were.
    pub fn interval(&self, percent: u64) -> (Option<Duration>, Upper) {
        let Ranks { low, high } = ranks(percent, self.spread.runs());
        let high = match high {
            None => Upper::Absent,
            Some(rank) => self.ended().at(rank).map_or(Upper::Open, Upper::At),
        };
        (low.and_then(|rank| self.spread.not_above(rank)), high)
    }

    /// Milestones come in the order of their medians, services by name.
    fn place(&self) -> (Kind, Duration, Text, Text) {
        let Name { kind, figure, object } = self.name.clone();
        match kind {
            Kind::Milestone => (kind, self.spread.percentile(50), figure, object),
            Kind::Availability => (kind, Duration::ZERO, object, figure),
        }
    }
}

/// Whether the open ones move a statistic.
fn is_at_least((all, ended): (&Spread, &Spread), percent: u64) -> bool {
    let rank = rank(percent, all.runs());
    all.step(rank) != ended.step(rank)
}

impl Upper {
    /// Where it is, if it is anywhere.
    pub fn length(self) -> Option<Duration> {
        match self {
            Upper::At(length) => Some(length),
            Upper::Absent | Upper::Open => None,
        }
    }
}

impl Assumed {
    fn of(sum: &Sum, low: &Sums, high: &Sums) -> Assumed {
        let is_open = |sum: &Sum| is_at_least((&sum.spread, sum.ended()), 95);
        let ends = [low, high].into_iter().filter_map(|sums| sums.figure(&sum.name));
        let has_open = ends.chain([sum]).any(is_open);
        let p95 = |sums: &Sums| sums.figure(&sum.name).map(|sum| sum.spread.percentile(95));
        let (low, high) = (p95(low), p95(high));
        let base = u128::from(sum.spread.percentile(95).as_micros());
        let share = low.zip(high).filter(|_| !has_open).and_then(|(low, high)| {
            let moved = u128::from(low.max(high).saturating_sub(low.min(high)).as_micros());
            (2000 * moved + base).checked_div(2 * base)
        });
        let share = share.map(|share| u64::try_from(share).unwrap_or(u64::MAX));
        Assumed { low, high, share }
    }
}

fn recovered(sums: &Sums) -> Recovered {
    let recovered = sums.endings.iter().filter(|(ending, _)| ending.outcome.is_recovery());
    Recovered { runs: sums.runs(), recovered: recovered.map(|(_, count)| count.runs).sum() }
}
