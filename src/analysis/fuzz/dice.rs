//! The random choices of a schedule. Each topic has its own draws, so that one more choice of a kind
//! moves no choice of another.

use crate::engine::{Duration, Owner, Purpose, Random, index_below};

/// All choices of one schedule.
#[derive(Debug)]
pub struct Dice {
    random: Random,
    owner: Owner,
    counts: [u64; 7],
}

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Shape,
    Settings,
    Workloads,
    /// Which kinds of faults there are in this run.
    Kinds,
    /// Which of them strikes, and what.
    Faults,
    Times,
    /// Whether Machines have little time to start.
    StartUp,
}

impl Dice {
    /// The choices of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice { random: Random::new(seed), owner: Owner::named("fuzz"), counts: [0; 7] }
    }

    /// A number below `bound`.
    pub fn below(&mut self, topic: Topic, bound: u64) -> u64 {
        let place = topic as usize;
        let purpose = Purpose(u16::try_from(place).expect("a few topics"));
        let draw = self.random.draw(self.owner, purpose, self.counts[place]);
        self.counts[place] += 1;
        index_below(bound, draw)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, topic: Topic, percent: u64) -> bool {
        self.below(topic, 100) < percent
    }

    /// One of several.
    pub fn one<'a, T>(&mut self, topic: Topic, of: &'a [T]) -> &'a T {
        let place = self.below(topic, of.len() as u64);
        &of[usize::try_from(place).expect("a place in memory")]
    }

    /// A length of time below a bound, in whole milliseconds.
    pub fn length(&mut self, bound: Duration) -> Duration {
        Duration::from_millis(self.below(Topic::Times, (bound.as_micros() / 1000).max(1)))
    }
}
