//! The milestone that is asked about, by its name and perhaps its object.

use crate::analysis::estimate::{Kind, Name, Sample};
use crate::analysis::milestones::NAMES;
use crate::engine::{Duration, Text};
use crate::scenario::Game;
use std::fmt;
use std::str::FromStr;

/// `recovered`, `nodeReady`, `nodeReady:Node/worker-0`: without an object the first of any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfMilestone {
    pub name: Text,
    pub object: Option<Text>,
}

/// Words that name no milestone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAMilestone(String);

impl OfMilestone {
    /// When it came in the run of this seed, after the first fault.
    pub fn when(&self, game: &Game, seed: u64) -> Option<Duration> {
        let run = game.play_until_recovered(seed);
        if self.is_recovery() {
            return run.recovery_time();
        }
        let is_cut = run.recovered_at.is_some() && run.ended_at < game.until();
        let found = self.within(&Sample::of(&run));
        // A milestone may come after the recovery, though few do.
        if found.is_none() && is_cut { self.within(&Sample::of(&game.play(seed))) } else { found }
    }

    fn is_recovery(&self) -> bool {
        self.name == *"recovered"
    }

    fn within(&self, sample: &Sample) -> Option<Duration> {
        let is_it = |name: &Name| {
            name.kind == Kind::Milestone
                && name.figure == self.name
                && self.object.as_ref().is_none_or(|object| *object == name.object)
        };
        sample.figures.iter().filter(|(name, _)| is_it(name)).map(|(_, time)| *time).min()
    }
}

impl Default for OfMilestone {
    fn default() -> OfMilestone {
        OfMilestone { name: Name::recovered().figure, object: None }
    }
}

impl FromStr for OfMilestone {
    type Err = NotAMilestone;
    fn from_str(text: &str) -> Result<OfMilestone, NotAMilestone> {
        let mut words = text.split([':', ' ']).filter(|word| !word.is_empty());
        let (name, object) = (words.next().unwrap_or_default(), words.next());
        if !NAMES.contains(&name) {
            return Err(NotAMilestone(format!(
                "no milestone `{name}`; known: {}",
                NAMES.join(", ")
            )));
        }
        if words.next().is_some() || object.is_some_and(|object| !object.contains('/')) {
            let words = "write MILESTONE or MILESTONE:KIND/NAME, as nodeReady:Node/worker-0";
            return Err(NotAMilestone(words.to_owned()));
        }
        Ok(OfMilestone { name: Text::from(name), object: object.map(Text::from) })
    }
}

impl fmt::Display for OfMilestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            None => self.name.fmt(f),
            Some(object) => write!(f, "{} {object}", self.name),
        }
    }
}

impl fmt::Display for NotAMilestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAMilestone {}
