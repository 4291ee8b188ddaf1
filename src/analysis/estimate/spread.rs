//! One figure's lengths over many runs, in counts that add up in any order to the same.
//!
//! An HdrHistogram of up to a week: a length is rounded up to a whole millisecond and then to
//! four digits, so what is told is at most a ten-thousandth too long and never too short; only the
//! lower end of an interval is rounded down, so that no interval is told narrower than it is. In
//! return the memory and the documents of ten million runs are those of ten thousand. The
//! shortest and the longest are kept to the microsecond.

use super::interval::{Ranks, rank, ranks};
use super::part::MOST_RUNS;
use crate::engine::Duration;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// No run lasts longer than a week.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// Significant digits.
const DIGITS: u8 = 4;
/// As many bits as tell them: a step of the histogram is what does not differ in its first so many.
const BITS: u32 = 15;

/// Lengths being counted.
#[derive(Clone, Debug)]
pub struct Counter {
    histogram: Histogram<u32>,
    ends: Option<(Duration, Duration)>,
}

/// Lengths that have been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// In microseconds.
    shortest: u64,
    longest: u64,
    /// Milliseconds and how many are as long, in the order of their length.
    counts: Vec<(u64, u64)>,
}

impl Default for Counter {
    fn default() -> Counter {
        // It grows with the longest that comes: room for a week would take megabytes for each figure.
        let histogram = Histogram::new(DIGITS).expect("as many digits as it can have");
        Counter { histogram, ends: None }
    }
}

impl Counter {
    /// Counts one length.
    pub fn add(&mut self, length: Duration) {
        self.count(length.as_micros().div_ceil(1000), 1);
        self.reach(length, length);
    }

    /// Counts what was counted elsewhere.
    pub fn add_all(&mut self, other: &Spread) {
        for (millis, count) in &other.counts {
            self.count(*millis, *count);
        }
        if !other.counts.is_empty() {
            self.reach(other.min(), other.max());
        }
    }

    /// What was counted so far.
    pub fn spread(&self) -> Spread {
        let (shortest, longest) = self.ends.unwrap_or_default();
        let (shortest, longest) = (shortest.as_micros(), longest.as_micros());
        let counts = self.histogram.iter_recorded();
        let counts = counts.map(|step| (step.value_iterated_to(), step.count_at_value().into()));
        Spread { shortest, longest, counts: counts.collect() }
    }

    fn count(&mut self, millis: u64, count: u64) {
        let longest = LONGEST.as_micros() / 1000;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let counted = self.histogram.record_n(millis.min(longest), count);
        counted.expect("a week has its place in memory");
    }

    fn reach(&mut self, low: Duration, high: Duration) {
        let (shortest, longest) = self.ends.unwrap_or((low, high));
        self.ends = Some((shortest.min(low), longest.max(high)));
    }
}

impl Spread {
    /// How many lengths there are.
    pub fn runs(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// How many of them are not nothing.
    pub fn above_zero(&self) -> u64 {
        self.counts.iter().filter(|(millis, _)| *millis > 0).map(|(_, count)| count).sum()
    }

    /// The shortest.
    pub fn min(&self) -> Duration {
        Duration::from_micros(self.shortest)
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.longest)
    }

    /// The length that `percent` of the runs did not exceed (nearest rank); the shortest for 0, the
    /// longest for 100. Nothing if there are no runs.
    pub fn percentile(&self, percent: u64) -> Duration {
        match percent {
            0 => self.min(),
            100 => self.max(),
            _ => self.at(rank(percent, self.runs())).unwrap_or_default(),
        }
    }

    /// The 95 % confidence interval of a quantile; an end is absent where the runs are too few.
    pub fn interval(&self, percent: u64) -> (Option<Duration>, Option<Duration>) {
        let Ranks { low, high } = ranks(percent, self.runs());
        (low.and_then(|rank| self.not_above(rank)), high.and_then(|rank| self.at(rank)))
    }

    /// The length of this rank, counted from 1 for the shortest.
    pub fn at(&self, rank: u64) -> Option<Duration> {
        let millis = self.step(rank)?;
        Some(Duration::from_micros(millis * 1000).clamp(self.min(), self.max()))
    }

    /// Than which that length is not shorter: all of its step are longer than the millisecond before the
    /// step's first.
    pub fn not_above(&self, rank: u64) -> Option<Duration> {
        let millis = first_of_step(self.step(rank)?).saturating_sub(1);
        Some(Duration::from_micros(millis * 1000).clamp(self.min(), self.max()))
    }

    /// The same as it is counted, in milliseconds.
    pub(super) fn step(&self, rank: u64) -> Option<u64> {
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += count;
            rank <= seen
        });
        found.map(|(millis, _)| *millis)
    }

    /// How many lengths lie in each of `bins` equal parts of `low..high`; `high` itself is in the
    /// last, what lies outside in none.
    pub fn bins(&self, low: Duration, high: Duration, bins: u64) -> Vec<u64> {
        let mut found = vec![0; bins as usize];
        let width = high.saturating_sub(low).as_micros().max(1);
        for (millis, count) in &self.counts {
            let length = Duration::from_micros(millis * 1000).clamp(self.min(), self.max());
            if length < low || length > high {
                continue;
            }
            let from = u128::from(length.saturating_sub(low).as_micros());
            let bin = (from * u128::from(bins) / u128::from(width)).min(u128::from(bins - 1));
            found[bin as usize] += count;
        }
        found
    }

    /// The lengths with how many are at most as long, from the shortest to the longest.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut seen = 0;
        self.counts.iter().map(move |(millis, count)| {
            seen += count;
            (Duration::from_micros(millis * 1000).clamp(self.min(), self.max()), seen)
        })
    }

    /// Whether all of it can be a part of the other, and not the whole.
    pub(super) fn is_less_than(&self, other: &Spread) -> bool {
        let others: BTreeMap<u64, u64> = other.counts.iter().copied().collect();
        let has = |millis: &u64| others.get(millis).copied().unwrap_or_default();
        self.counts.iter().all(|(millis, count)| *count <= has(millis))
            && self.runs() < other.runs()
    }

    /// Whether somebody has written this: in order, nothing counted as none, ends that fit.
    pub(super) fn is_sound(&self) -> bool {
        let ordered = self.counts.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let counted = self.counts.iter().all(|(_, count)| (1..=MOST_RUNS).contains(count));
        let ends = self.shortest <= self.longest && self.longest <= LONGEST.as_micros();
        let last = self.counts.last().map_or(0, |(millis, _)| *millis);
        let fits = last <= 2 * (LONGEST.as_micros() / 1000);
        ordered && counted && ends && fits
    }
}

/// The first millisecond that is counted as the same as this one.
const fn first_of_step(millis: u64) -> u64 {
    let lost = (u64::BITS - millis.leading_zeros()).saturating_sub(BITS);
    millis >> lost << lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(micros: impl IntoIterator<Item = u64>) -> Spread {
        let mut counter = Counter::default();
        micros.into_iter().for_each(|micros| counter.add(Duration::from_micros(micros)));
        counter.spread()
    }

    #[test]
    fn quantiles_are_nearest_ranks_rounded_up_by_a_ten_thousandth_at_most() {
        let spread = counted((1..=1000).map(|millis| millis * 1_000_777));
        for percent in [1, 50, 90, 95, 99] {
            let exact = percent * 10 * 1_000_777;
            let told = spread.percentile(percent).as_micros();
            assert!(told >= exact && told <= exact + exact / 10_000 + 1000, "{percent}: {told}");
        }
        assert_eq!(spread.percentile(0).as_micros(), 1_000_777);
        assert_eq!(spread.percentile(100).as_micros(), 1_000_777_000);
    }

    #[test]
    fn lower_ends_of_intervals_are_rounded_down() {
        let micros = |rank: u64| rank * 1_000_777;
        let spread = counted((1..=1000).map(micros));
        for rank in 1..=1000 {
            let told = spread.not_above(rank).expect("there is one").as_micros();
            let exact = micros(rank);
            assert!(told <= exact && told + exact / 10_000 + 2000 >= exact, "{rank}: {told}");
        }
        let Ranks { low, .. } = ranks(90, 1000);
        let (from, _) = spread.interval(90);
        assert!(from.is_some_and(|from| from.as_micros() < micros(low.expect("enough runs"))));
        assert_eq!(
            counted([777_123_456; 9]).interval(50).0.map(Duration::as_micros),
            Some(777_123_456)
        );
    }

    #[test]
    fn a_step_begins_where_the_histogram_says() {
        let histogram = Counter::default().histogram;
        let longest = LONGEST.as_micros() / 1000;
        for millis in (0..70_000).chain((1..longest).step_by(77_773)).chain([longest]) {
            assert_eq!(first_of_step(millis), histogram.lowest_equivalent(millis), "{millis}");
        }
    }

    #[test]
    fn one_length_is_told_exactly_and_none_is_nothing() {
        let one = counted([777_123_456]);
        assert_eq!([0, 50, 99, 100].map(|p| one.percentile(p).as_micros()), [777_123_456; 4]);
        assert_eq!(one.interval(50), (None, None));
        let none = counted([]);
        assert_eq!((none.runs(), none.percentile(50)), (0, Duration::ZERO));
        assert_eq!(counted([0, 0, 5]).above_zero(), 1);
    }

    #[test]
    fn counts_add_up_in_any_order_and_a_second_time_round_nothing() {
        let all: Vec<u64> = (0..500).map(|k| (k * 7_919_777) % 900_000_000).collect();
        let whole = counted(all.iter().copied());
        let (front, back) = all.split_at(123);
        let parts = [counted(front.iter().copied()), counted(back.iter().copied())];
        for order in [[0, 1], [1, 0]] {
            let mut counter = Counter::default();
            order.iter().for_each(|part: &usize| counter.add_all(&parts[*part]));
            assert_eq!(counter.spread(), whole);
        }
    }

    #[test]
    fn bins_hold_everything_within_their_ends() {
        let spread = counted([1_000_000, 2_000_000, 3_000_000, 9_000_000]);
        let seconds = Duration::from_secs;
        assert_eq!(spread.bins(seconds(1), seconds(9), 4), [2, 1, 0, 1]);
        assert_eq!(spread.bins(seconds(2), seconds(3), 1), [2]);
        assert_eq!(spread.bins(seconds(3), seconds(3), 2), [1, 0]);
    }
}
