//! The failures of a year: each kind of each thing on its own, at random times, as often as its rate says.
//!
//! What a thing goes through has its own draws, named after it: two clusters that both have it see it fail
//! at the same times, and their difference is not one of luck.
//!
//! The pauses between failures are exponential, drawn by von Neumann's game of comparing numbers, which
//! needs no logarithm and so gives the same on every machine.

use crate::engine::{Duration, Owner, Purpose, Random};
use crate::scenario::{Failure, Plant};

/// A failure of a year, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    pub at: Duration,
    pub failure: Failure,
    /// Which of the things that can fail so.
    pub target: u32,
    /// What else is drawn because of it.
    pub draw: u64,
}

/// 365 days.
pub const YEAR: Duration = Duration::from_secs(365 * 86_400);
const PAUSE: Purpose = Purpose(0);
const REST: Purpose = Purpose(1);

/// All failures of the year of a seed, in their order.
pub fn failures_of(plant: &Plant, seed: u64) -> Vec<Blow> {
    let random = Random::new(seed);
    let mut found = Vec::new();
    for (failure, rate) in plant.rates.iter().filter(|(_, rate)| *rate > 0) {
        for target in 0..failure.targets(plant) {
            let name = format!("{}@{}", failure.name(), failure.target(plant, target));
            let mut dice = Dice { random: &random, owner: Owner::named(&name), count: 0 };
            let mut at = dice.pause(*rate);
            let mut number = 0;
            while at < YEAR {
                let draw = random.draw(dice.owner, REST, number);
                found.push(Blow { at, failure: *failure, target, draw });
                at = at + dice.pause(*rate);
                number += 1;
            }
        }
    }
    found.sort_unstable_by_key(|blow| (blow.at, blow.failure, blow.target));
    found
}

struct Dice<'a> {
    random: &'a Random,
    owner: Owner,
    count: u64,
}

impl Dice<'_> {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.random.draw(self.owner, PAUSE, self.count)
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
