//! The order of choices: drawn for each question, so that no letter is right more often.

use super::sheet::Choice;
use crate::engine::{Owner, Purpose, Random, Text};

/// What is drawn about one question of one seed.
#[derive(Clone, Debug)]
pub struct Dice {
    random: Random,
    owner: Owner,
}

const ORDER: Purpose = Purpose(1);
const OTHERS: Purpose = Purpose(2);

impl Dice {
    /// The draws of a question, by its place in the file.
    pub fn new(seed: u64, lesson: &str, question: usize) -> Dice {
        let owner = Owner::named(&format!("lesson/{lesson}/{question}"));
        Dice { random: Random::new(seed), owner }
    }

    /// The choices in a drawn order.
    pub fn shuffled(&self, choices: Vec<Choice>) -> Vec<Choice> {
        self.sorted(ORDER, choices)
    }

    /// So many of these, drawn.
    pub fn some<T>(&self, all: Vec<T>, count: usize) -> Vec<T> {
        let mut all = self.sorted(OTHERS, all);
        all.truncate(count);
        all
    }

    fn sorted<T>(&self, purpose: Purpose, all: Vec<T>) -> Vec<T> {
        let draw = |k| self.random.draw(self.owner, purpose, k);
        let mut keyed: Vec<(u64, T)> = (0..).map(draw).zip(all).collect();
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, item)| item).collect()
    }
}

impl Choice {
    /// A choice that is right or wrong, with nothing better among the right ones.
    pub fn plain(text: impl Into<Text>, is_right: bool) -> Choice {
        let text = text.into();
        Choice { text, is_right, is_best: is_right, because: Text::EMPTY, outcome: None }
    }
}
