//! A lesson's questions with their answers, as data.

use super::course::Course;
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Action, Table};
use crate::timeline::{EntryId, Run};

/// All questions of a lesson that one seed asks, each with its choices, which of them are right, what
/// shows it, and for actions and disasters the runs in which they were done.
///
/// A page or a terminal asks `questions` in their order, each when the clock is at its `at`, and tells
/// the answer when the clock is at its `told_at`: a question may be asked before an earlier one is
/// answered. `report::sheet_json` writes it, with the answers or without.
#[derive(Clone, Debug)]
pub struct Sheet {
    pub introduction: Text,
    /// The lesson's run, whole: its scenario, platform, seed and timeline.
    pub run: Run,
    /// In order of time.
    pub questions: Vec<Posed>,
    /// Why a question of the file is not asked with this seed, each with its place.
    pub left_out: Vec<Text>,
}

/// A question as it is posed.
#[derive(Clone, Debug)]
pub struct Posed {
    /// When it is asked.
    pub at: SimTime,
    /// When the run has shown the answer; not before `at`.
    pub told_at: SimTime,
    /// Its key in the file: `value`, `which`, `heals`, `act`, `howLong` or `cause`.
    pub kind: &'static str,
    pub ask: Text,
    /// The mechanism behind the answer; empty if the file says nothing.
    pub because: Text,
    /// The tables that are printed before it.
    pub show: Vec<Table>,
    pub form: Form,
    /// The entries of the run that show the answer.
    pub shown_by: Vec<EntryId>,
}

/// What an answer looks like.
#[derive(Clone, Debug)]
pub enum Form {
    /// One of these.
    One(Vec<Choice>),
    /// All of these that are true, of which there is at least one.
    All(Vec<Choice>),
    /// A time from the question on; nothing if it never comes.
    Length { right: Option<Duration>, tolerance: Duration },
}

/// Something to choose. At least one choice of a question is right, and at least one is not.
#[derive(Clone, Debug)]
pub struct Choice {
    pub text: Text,
    pub is_right: bool,
    /// It is right, and no other is better.
    pub is_best: bool,
    /// What there is to say about it afterwards; empty if nothing.
    pub because: Text,
    /// What came of it where it was done.
    pub outcome: Option<Outcome>,
}

/// A run of its own in which a choice was made true.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From what was done on until everything was well; nothing if it was not in the given time.
    pub took: Option<Duration>,
    /// What an operator did; nothing where nobody did anything, or another disaster struck.
    pub action: Option<Action>,
    /// How a fork goes beside the lesson's run; nothing where another disaster struck.
    pub course: Option<Course>,
    /// Of an action: a fork, the same as the lesson's run up to the question. Of a disaster: from the
    /// beginning. It ends once it has recovered.
    pub run: Run,
}

impl Form {
    /// What there is to choose; nothing for a time.
    pub fn choices(&self) -> &[Choice] {
        match self {
            Form::One(choices) | Form::All(choices) => choices,
            Form::Length { .. } => &[],
        }
    }
}
