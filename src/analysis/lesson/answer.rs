//! Answers: read from words, and judged.

use super::sheet::{Choice, Form, Outcome, Posed, Sheet};
use crate::engine::{Duration, Text};
use std::collections::BTreeSet;

/// What a learner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The places of what is chosen.
    Chosen(BTreeSet<usize>),
    /// A time; nothing for never.
    Length(Option<Duration>),
}

/// What a right answer is worth.
pub const FULL: u32 = 10;
/// What a good one is worth that is not the best.
const HALF: u32 = FULL / 2;

/// One question as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The question's place on the sheet.
    pub question: usize,
    /// Nothing if it was passed over.
    pub answer: Option<Answer>,
    pub points: u32,
}

/// Why a lesson came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Everything was asked.
    Done,
    /// Nothing more came in.
    EndOfInput,
    /// The learner wanted no more.
    Quit,
    Interrupted,
}

/// What a learner has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// In the order in which they were asked; those that were not asked are missing.
    pub marks: Vec<Mark>,
    pub stop: Stop,
}

impl Score {
    /// All points together.
    pub fn points(&self) -> u32 {
        self.marks.iter().map(|mark| mark.points).sum()
    }
}

impl Stop {
    /// Its name in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Stop::Done => "done",
            Stop::EndOfInput => "endOfInput",
            Stop::Quit => "quit",
            Stop::Interrupted => "interrupted",
        }
    }
}

impl Sheet {
    /// What all questions together are worth.
    pub fn worth(&self) -> u32 {
        FULL * u32::try_from(self.questions.len()).expect("a file has fewer questions")
    }

    /// The one choice of an answer, and what came of it where it was done.
    pub fn chosen(&self, mark: &Mark) -> Option<(&Choice, &Outcome)> {
        let Some(Answer::Chosen(places)) = &mark.answer else { return None };
        let choice = self.questions[mark.question].form.choices().get(*places.first()?)?;
        Some((choice, choice.outcome.as_ref()?))
    }
}

impl Answer {
    /// One choice.
    pub fn one(place: usize) -> Answer {
        Answer::Chosen(BTreeSet::from([place]))
    }

    /// The answer in words, as it may be typed.
    pub fn words(&self) -> String {
        match self {
            Answer::Chosen(places) => {
                let letters: Vec<String> =
                    places.iter().map(|place| letter(*place).to_string()).collect();
                letters.join(" ")
            }
            Answer::Length(None) => NEVER.to_owned(),
            Answer::Length(Some(length)) => length.to_string(),
        }
    }
}

/// The letter of a choice.
pub fn letter(place: usize) -> char {
    let place = u8::try_from(place).expect("fewer choices than letters");
    char::from(b'a' + place)
}

const NEVER: &str = "never";

fn is_number(words: &str) -> bool {
    words.starts_with(|c: char| c.is_ascii_digit())
        && words.ends_with(|c: char| c.is_ascii_digit())
        && words.chars().all(|c| c.is_ascii_digit() || c == '.')
        && words.matches('.').count() <= 1
}

impl Posed {
    /// Reads an answer, or says what one looks like.
    pub fn read(&self, words: &str) -> Result<Answer, String> {
        let words = words.trim();
        match &self.form {
            Form::Length { .. } if words.eq_ignore_ascii_case(NEVER) => Ok(Answer::Length(None)),
            Form::Length { .. } => match words.parse::<Duration>() {
                Ok(length) => Ok(Answer::Length(Some(length))),
                // Seconds or minutes? Both are meant now and then.
                Err(_) if is_number(words) => Err(format!(
                    "`{words}` has no unit; write {words}s for seconds or {words}m for minutes"
                )),
                Err(_) => {
                    Err(format!("`{words}` is no time; write one as 45s or 5m30s, or `never`"))
                }
            },
            Form::One(_) => {
                let chosen = self.chosen(words)?;
                match chosen.len() {
                    1 => Ok(Answer::Chosen(chosen)),
                    _ => Err(format!("write one letter, {}", self.letters())),
                }
            }
            Form::All(_) => Ok(Answer::Chosen(self.chosen(words)?)),
        }
    }

    /// The places of the letters, or of a choice that is written out.
    fn chosen(&self, words: &str) -> Result<BTreeSet<usize>, String> {
        let choices = self.form.choices();
        if let Some(place) = choices.iter().position(|it| it.text.eq_ignore_ascii_case(words)) {
            return Ok(BTreeSet::from([place]));
        }
        let mut chosen = BTreeSet::new();
        for word in words.split([' ', ',', ';', '\t']).filter(|word| !word.is_empty()) {
            let mut letters = word.trim_end_matches([')', '.']).chars();
            let place = match (letters.next(), letters.next()) {
                (Some(only), None) => {
                    let only = only.to_ascii_lowercase();
                    (0..choices.len()).find(|place| letter(*place) == only)
                }
                _ => None,
            };
            let Some(place) = place else {
                return Err(format!("`{word}` is none of the choices; write {}", self.letters()));
            };
            chosen.insert(place);
        }
        match chosen.is_empty() {
            true => Err(format!("write {}", self.letters())),
            false => Ok(chosen),
        }
    }

    fn letters(&self) -> String {
        let last = letter(self.form.choices().len().saturating_sub(1));
        match self.form {
            Form::All(_) => format!("the letters of all that are true, a to {last}, as `a c`"),
            _ => format!("a to {last}"),
        }
    }

    /// How many points an answer gets, up to [`FULL`].
    ///
    /// Of one choice: all for the best, half for another that is right. Of several: each right one that
    /// is chosen counts for, each wrong one against. Of a time: all within the tolerance, half within
    /// twice of it.
    pub fn points(&self, answer: &Answer) -> u32 {
        match (&self.form, answer) {
            (Form::One(choices), Answer::Chosen(places)) => {
                let chosen = places.first().and_then(|place| choices.get(*place));
                match chosen {
                    Some(choice) if choice.is_best => FULL,
                    Some(choice) if choice.is_right => HALF,
                    _ => 0,
                }
            }
            (Form::All(choices), Answer::Chosen(places)) => {
                let is_right = |place: &&usize| choices.get(**place).is_some_and(|it| it.is_right);
                let hits = places.iter().filter(is_right).count();
                let misses = places.len() - hits;
                let all = choices.iter().filter(|choice| choice.is_right).count();
                let net = u32::try_from(hits.saturating_sub(misses)).unwrap_or(0);
                FULL * net / u32::try_from(all.max(1)).unwrap_or(1)
            }
            (Form::Length { right, tolerance }, Answer::Length(said)) => match (right, said) {
                (None, None) => FULL,
                (Some(right), Some(said)) => {
                    let off = right.saturating_sub(*said).max(said.saturating_sub(*right));
                    match () {
                        () if off <= *tolerance => FULL,
                        () if off <= *tolerance + *tolerance => HALF,
                        () => 0,
                    }
                }
                _ => 0,
            },
            _ => 0,
        }
    }

    /// An answer that gets all points.
    pub fn best(&self) -> Answer {
        match &self.form {
            Form::Length { right, .. } => Answer::Length(*right),
            Form::One(_) => Answer::one(self.bests().first().copied().unwrap_or_default()),
            Form::All(choices) => {
                let right = choices.iter().enumerate().filter(|(_, choice)| choice.is_right);
                Answer::Chosen(right.map(|(place, _)| place).collect())
            }
        }
    }

    /// The places of what is right: all that is true, or each choice that gets all points alone, what
    /// was soonest first.
    pub fn bests(&self) -> Vec<usize> {
        let choices = self.form.choices();
        let mut bests: Vec<usize> = (0..choices.len())
            .filter(|place| choices[*place].is_best && choices[*place].is_right)
            .collect();
        if let Form::One(_) = self.form {
            bests.sort_by_key(|place| choices[*place].outcome.as_ref().and_then(|it| it.took));
        }
        bests
    }

    /// The best answers in words of their own.
    pub fn best_words(&self) -> Vec<Text> {
        match &self.form {
            Form::Length { .. } => vec![Text::from(self.best().words())],
            form => self.bests().iter().map(|it| form.choices()[*it].text.clone()).collect(),
        }
    }
}
