//! Many samples added up, in whole numbers and so in any order: by threads, then by shards.

use super::outcome::Ending;
use super::part::MOST_RUNS;
use super::sample::{Name, Sample};
use super::spread::{Counter, Spread};
use crate::engine::Duration;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many of the worst runs are kept of each figure.
const WORST: usize = 5;

/// Samples being added up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    endings: BTreeMap<Ending, Count>,
    unstruck: Option<Count>,
    figures: BTreeMap<Name, Counted>,
}

/// One figure being added up.
#[derive(Clone, Debug, Default)]
struct Counted {
    all: Counter,
    /// Without the open ones; nothing while there is none.
    ended: Option<Counter>,
    worst: Vec<Seen>,
}

/// Samples that have been added up: plain data, which can be written down and added up again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    pub endings: Vec<(Ending, Count)>,
    /// The runs in which not all faults struck and hit something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstruck: Option<Count>,
    pub figures: Vec<Sum>,
}

/// How many runs ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    pub runs: u64,
    /// The smallest seed of them.
    pub seed: u64,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    pub name: Name,
    pub spread: Spread,
    /// The lengths that were over when their runs ended, where not all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Spread>,
    /// The longest first, of equals the smaller seed.
    pub worst: Vec<Seen>,
}

/// A length with the seed of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub micros: u64,
    pub seed: u64,
    /// It was cut off at its run's end: it is at least so long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

impl Tally {
    /// Adds one run.
    pub fn add(&mut self, sample: Sample) {
        let Sample { seed, ending, figures, open, unstruck } = sample;
        let one = Count { runs: 1, seed };
        self.count(ending, one);
        self.count_unstruck(unstruck.then_some(one));
        for (name, length) in figures {
            let is_open = open.contains(&name);
            let counted = self.figures.entry(name).or_default();
            if is_open {
                counted.set_ended_apart();
            } else if let Some(ended) = &mut counted.ended {
                ended.add(length);
            }
            counted.all.add(length);
            let worst = &mut counted.worst;
            worst.push(Seen { micros: length.as_micros(), seed, open: is_open });
            if worst.len() > 100 * WORST {
                keep_worst(worst);
            }
        }
    }

    /// Adds what was added up elsewhere.
    pub fn add_all(&mut self, other: &Sums) {
        for (ending, count) in &other.endings {
            self.count(ending.clone(), *count);
        }
        self.count_unstruck(other.unstruck);
        for sum in &other.figures {
            let counted = self.figures.entry(sum.name.clone()).or_default();
            if sum.ended.is_some() {
                counted.set_ended_apart();
            }
            if let Some(ended) = &mut counted.ended {
                ended.add_all(sum.ended());
            }
            counted.all.add_all(&sum.spread);
            counted.worst.extend(&sum.worst);
        }
    }

    /// What was added up, in the order of names.
    pub fn sums(self) -> Sums {
        let sum = |(name, counted): (Name, Counted)| {
            let Counted { all, ended, mut worst } = counted;
            keep_worst(&mut worst);
            Sum { name, spread: all.spread(), ended: ended.map(|ended| ended.spread()), worst }
        };
        Sums {
            endings: self.endings.into_iter().collect(),
            unstruck: self.unstruck,
            figures: self.figures.into_iter().map(sum).collect(),
        }
    }

    fn count(&mut self, ending: Ending, more: Count) {
        self.endings.entry(ending).and_modify(|count| count.add(more)).or_insert(more);
    }

    fn count_unstruck(&mut self, more: Option<Count>) {
        match (&mut self.unstruck, more) {
            (Some(count), Some(more)) => count.add(more),
            (none @ None, more) => *none = more,
            (Some(_), None) => {}
        }
    }
}

impl Count {
    fn add(&mut self, more: Count) {
        self.runs += more.runs;
        self.seed = self.seed.min(more.seed);
    }
}

impl Counted {
    /// Up to the first that is open all have ended.
    fn set_ended_apart(&mut self) {
        self.ended.get_or_insert_with(|| self.all.clone());
    }
}

impl Sums {
    /// Several added up.
    pub fn of<'a>(all: impl IntoIterator<Item = &'a Sums>) -> Sums {
        let mut tally = Tally::default();
        all.into_iter().for_each(|sums| tally.add_all(sums));
        tally.sums()
    }

    /// How many runs were added up.
    pub fn runs(&self) -> u64 {
        self.endings.iter().map(|(_, count)| count.runs).sum()
    }

    /// The figure of this name.
    pub fn figure(&self, name: &Name) -> Option<&Sum> {
        self.figures.iter().find(|sum| sum.name == *name)
    }

    /// Whether this can be the sum of so many runs with seeds from `first` on.
    pub(super) fn are_sound(&self, first: u64, runs: u64) -> bool {
        let seeds = |seed: u64| seed >= first && seed - first < runs;
        // What was counted is checked first: only then no sum can overflow.
        self.endings.iter().all(|(_, count)| (1..=MOST_RUNS).contains(&count.runs))
            && self.runs() == runs
            && self.endings.iter().all(|(_, count)| seeds(count.seed))
            && self.figures.iter().all(|sum| {
                sum.spread.is_sound()
                    && sum
                        .ended
                        .iter()
                        .all(|ended| ended.is_sound() && ended.is_less_than(&sum.spread))
                    && sum.spread.runs() <= runs
                    && sum.worst.iter().all(|seen| seeds(seen.seed))
            })
    }
}

impl Sum {
    /// The lengths that were over when their runs ended.
    pub fn ended(&self) -> &Spread {
        self.ended.as_ref().unwrap_or(&self.spread)
    }
}

impl Seen {
    /// The length.
    pub fn length(self) -> Duration {
        Duration::from_micros(self.micros)
    }
}

/// The order does not depend on that of the runs.
fn keep_worst(seen: &mut Vec<Seen>) {
    seen.sort_by_key(|seen| (Reverse(seen.micros), seen.seed));
    seen.truncate(WORST);
}
