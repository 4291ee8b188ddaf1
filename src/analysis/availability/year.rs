//! The failures of a year: each kind on its own, at random times, as often as its rate says.
//!
//! The pauses between them are exponential, drawn by von Neumann's game of comparing numbers, which
//! needs no logarithm and so gives the same on every machine.

use crate::engine::{Duration, Owner, Purpose, Random, index_below};
use crate::scenario::{Failure, Plant};

/// A failure of a year, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    pub at: Duration,
    pub failure: Failure,
    /// Which of the things that can fail so.
    pub target: u32,
}

/// 365 days.
pub const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// All failures of the year of a seed, in their order.
pub fn failures_of(plant: &Plant, seed: u64) -> Vec<Blow> {
    let mut dice = Dice { random: Random::new(seed), count: 0 };
    let things: Vec<(Failure, u64, u32)> = plant
        .rates
        .iter()
        .map(|(failure, rate)| (*failure, *rate, failure.targets(plant)))
        .filter(|(_, rate, targets)| *rate > 0 && *targets > 0)
        .collect();
    let total: u64 = things.iter().map(|(_, rate, targets)| rate * u64::from(*targets)).sum();
    let mut found = Vec::new();
    if total == 0 {
        return found;
    }
    let mut at = dice.pause(total);
    while at < YEAR {
        let mut place = index_below(total, dice.next());
        for (failure, rate, targets) in &things {
            let all = rate * u64::from(*targets);
            if place < all {
                let target = u32::try_from(place / rate).expect("one of its targets");
                found.push(Blow { at, failure: *failure, target });
                break;
            }
            place -= all;
        }
        at = at + dice.pause(total);
    }
    found
}

struct Dice {
    random: Random,
    count: u64,
}

impl Dice {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.random.draw(Owner::named("failures"), Purpose(0), self.count)
    }

    /// The time to the next of so many thousandths a year.
    fn pause(&mut self, rate: u64) -> Duration {
        // Whole parts and a fraction of 2^64 of a variable with the mean 1.
        let mut whole = 0u64;
        loop {
            let first = self.next();
            let mut last = first;
            let mut falls = 1u32;
            loop {
                let next = self.next();
                if next >= last {
                    break;
                }
                last = next;
                falls += 1;
            }
            if falls % 2 == 1 {
                let exponential = u128::from(whole) << 32 | u128::from(first >> 32);
                let year = u128::from(YEAR.as_micros()) * 1000;
                let micros = (exponential * year / u128::from(rate)) >> 32;
                // A rate of nearly nothing: after the year in any case.
                return Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX / 8))
                    .min(YEAR);
            }
            whole += 1;
        }
    }
}
