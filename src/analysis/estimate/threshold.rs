//! A bound that an estimate has to keep: `recoveryTime p95 < 15m`.
//!
//! ```text
//! threshold  = figure statistic comparison bound
//! figure     = "recoveryTime" | MILESTONE [OBJECT] | SERVICE ("unavailable" | "degraded")
//! statistic  = "min" | "p50" | "p90" | "p95" | "p99" | "max"   bound: a duration
//!            | "share"                                         bound: a percentage
//! comparison = "<" | "<=" | ">" | ">="
//! ```
//! A run that does not recover keeps no upper bound on its recovery time, and so does a service that
//! is still down at its run's end with its downtime; whether they keep a lower one is known only up to
//! where their runs end. Every other milestone is judged over the runs in which it came. Without an
//! object all objects have to keep the bound.

use super::interval::{rank, ranks, wilson};
use super::sample::{Kind, Name};
use super::spread::Spread;
use super::{Estimate, Figure, STATISTICS};
use crate::analysis::milestones::NAMES;
use crate::engine::{Duration, Text};
use std::fmt;
use std::str::FromStr;

/// A bound on one statistic of some figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    text: String,
    figure: Text,
    /// Any, if it names none.
    object: Option<Text>,
    kind: Kind,
    statistic: Statistic,
    comparison: Comparison,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statistic {
    Length {
        percent: u64,
        bound: Duration,
    },
    /// In how many of all runs it happened, in millionths.
    Share {
        bound: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// How an estimate stands to a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub met: bool,
    /// Whether the whole confidence interval lies on the same side of the bound.
    pub certain: bool,
    /// What was found, in a sentence.
    pub text: String,
}

/// Words that are no threshold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAThreshold {
    pub text: String,
    /// Counted from 1.
    pub column: usize,
    pub why: String,
}

/// A value with its interval; nothing is longer than what the runs show.
struct Found<T> {
    value: Option<T>,
    /// What is known of such a value: it is not shorter than this.
    least: Option<T>,
    low: Option<T>,
    high: Option<T>,
    has_interval: bool,
}

const COMPARISONS: [(&str, Comparison); 4] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl Threshold {
    /// How an estimate stands to this bound: the worst of all figures that it means.
    ///
    /// # Errors
    /// It means a service or an object that there is not, and the words say what there is; or the runs end
    /// before anybody could know.
    pub fn judge(&self, estimate: &Estimate) -> Result<Verdict, String> {
        let figures: Vec<&Figure> =
            estimate.figures.iter().filter(|figure| self.means(&figure.name)).collect();
        if figures.is_empty() {
            return self.judge_absent(estimate);
        }
        let verdicts = figures.iter().map(|figure| self.judge_one(estimate, figure));
        let verdicts = verdicts.collect::<Result<Vec<_>, String>>()?.into_iter();
        // What fails for certain is worse than what may only be luck, and what holds only by luck worse than
        // what holds for certain.
        let worst = verdicts.min_by_key(|(verdict, worth)| {
            let Verdict { met, certain, .. } = *verdict;
            (met, met == certain, *worth)
        });
        Ok(worst.expect("there are figures").0)
    }

    /// The object or the service that it means, if it names one.
    pub fn object(&self) -> Option<&Text> {
        self.object.as_ref()
    }

    /// The milestone that it bounds; none where it bounds a service's availability.
    pub fn milestone(&self) -> Option<&Text> {
        (self.kind == Kind::Milestone).then_some(&self.figure)
    }

    /// Whether it bounds the availability of a service.
    pub fn is_of_a_service(&self) -> bool {
        self.kind == Kind::Availability
    }

    fn means(&self, name: &Name) -> bool {
        let same = name.kind == self.kind && name.figure == self.figure;
        same && self.object.as_ref().is_none_or(|object| name.object == *object)
    }

    /// A milestone that never came has no time; in how few runs it comes can still be asked, and no
    /// recovery at all is one that takes longer than any bound.
    fn judge_absent(&self, estimate: &Estimate) -> Result<Verdict, String> {
        if self.kind == Kind::Availability {
            let all = estimate.figures.iter().filter(|figure| figure.name.kind == self.kind);
            let all: Vec<String> =
                all.map(|it| format!("{} {}", it.name.object, it.name.figure)).collect();
            let what = format!("{} {}", self.object.clone().unwrap_or_default(), self.figure);
            return Err(format!("`{}`: no {what}; there: {}", self.text, all.join(", ")));
        }
        let object = self.object.iter().map(|object| format!(" {object}"));
        let name = format!("{}{}", self.figure, object.collect::<String>());
        Ok(match self.statistic {
            Statistic::Share { bound } => self.share(&name, 0, estimate.runs, bound),
            Statistic::Length { percent, bound } if self.figure == Name::recovered().figure => {
                let found = length(&Spread::default(), estimate.runs, percent);
                self.of_length(&name, Found { least: reach(estimate), ..found }, bound)?
            }
            Statistic::Length { .. } => {
                let text = format!("{} fails: {name} came in no run", self.text);
                Verdict { met: false, certain: false, text }
            }
        })
    }

    /// The verdict on a figure, and how far it is on the better side of the bound: the more, the better.
    ///
    /// # Errors
    /// The runs end before anybody could know.
    fn judge_one(&self, estimate: &Estimate, figure: &Figure) -> Result<(Verdict, u64), String> {
        let name = format!("{} {}", figure.name.figure, figure.name.object);
        Ok(match self.statistic {
            Statistic::Length { percent, bound } => {
                // Of a recovery that did not come, and of a service that did not come back, is known that
                // it is longer.
                let (of, least) = match figure.name == Name::recovered() {
                    true => (estimate.runs, reach(estimate)),
                    false => (figure.spread.runs(), Some(figure.spread.percentile(percent))),
                };
                let found = Found { least, ..length(figure.ended(), of, percent) };
                let worth = self.worth(found.value.map(Duration::as_micros));
                (self.of_length(&name, found, bound)?, worth)
            }
            Statistic::Share { bound } => {
                let verdict = self.share(&name, figure.happened, estimate.runs, bound);
                (verdict, self.worth(Some(figure.happened)))
            }
        })
    }

    /// # Errors
    /// It is longer than the runs show, and the bound still longer.
    fn of_length(
        &self,
        name: &str,
        found: Found<Duration>,
        bound: Duration,
    ) -> Result<Verdict, String> {
        match found.least.filter(|least| found.value.is_none() && *least < bound) {
            Some(least) if self.comparison.is_lower() => Err(format!(
                "`{}` cannot be judged: {name} is longer than the runs show, which is up to {least}, and \
                 nobody knows by how much; play longer ones with --until",
                self.text
            )),
            _ => Ok(self.verdict(name, &found, bound, |length| length.to_string())),
        }
    }

    /// The better a value is for the bound, the more; nothing is longer than any.
    fn worth(&self, value: Option<u64>) -> u64 {
        let value = value.unwrap_or(u64::MAX);
        match self.comparison {
            Comparison::Less | Comparison::AtMost => u64::MAX - value,
            Comparison::More | Comparison::AtLeast => value,
        }
    }

    fn share(&self, name: &str, happened: u64, runs: u64, bound: u64) -> Verdict {
        let (low, high) = wilson(happened, runs);
        let share = happened * 1_000_000 / runs.max(1);
        let (value, low, high) = (Some(share), Some(low), Some(high));
        let found = Found { value, least: None, low, high, has_interval: true };
        self.verdict(name, &found, bound, percentage)
    }

    fn verdict<T: Ord + Copy>(
        &self,
        name: &str,
        found: &Found<T>,
        bound: T,
        words: impl Fn(T) -> String,
    ) -> Verdict {
        let holds = |value: Option<T>| match value {
            Some(value) => self.comparison.holds(value, bound),
            None => self.comparison.is_lower(),
        };
        let met = holds(found.value);
        // An upper bound beyond what the runs show fails, and might hold in longer ones.
        let least = found.least.filter(|least| found.value.is_none() && *least < bound);
        let certain = found.has_interval
            && least.is_none()
            && holds(found.low) == met
            && holds(found.high) == met;
        let word =
            |value: Option<T>| value.map_or_else(|| "longer than the runs".to_owned(), &words);
        let (verb, value) = (if met { "holds" } else { "fails" }, word(found.value));
        let interval = match found.has_interval {
            true => format!("95 % interval {} to {}", word(found.low), word(found.high)),
            false => "no interval: too few runs, or an extreme".to_owned(),
        };
        let doubt = match (certain, least, found.has_interval) {
            (_, Some(least), _) => format!(
                "; not certain: the runs show it up to {} only, play longer ones with --until",
                words(least)
            ),
            (true, ..) | (.., false) => String::new(),
            (false, None, true) => {
                "; not certain: the bound lies within it, play more runs".to_owned()
            }
        };
        let text = format!("{} {verb}: {name} is {value} ({interval}{doubt})", self.text);
        Verdict { met, certain, text }
    }
}

/// The longest recovery time that a run can show.
fn reach(estimate: &Estimate) -> Option<Duration> {
    estimate.asked.reach.map(Duration::from_micros)
}

/// A statistic over so many runs; those that are not in the spread are longer than any bound.
fn length(spread: &Spread, of: u64, percent: u64) -> Found<Duration> {
    if percent == 0 || percent == 100 {
        let has_it = spread.runs() > 0 && (percent == 0 || of == spread.runs());
        let value = has_it.then(|| spread.percentile(percent));
        return Found { value, least: None, low: None, high: None, has_interval: false };
    }
    let ranks = ranks(percent, of);
    Found {
        value: spread.at(rank(percent, of)),
        least: None,
        low: ranks.low.and_then(|rank| spread.not_above(rank)),
        high: ranks.high.and_then(|rank| spread.at(rank)),
        has_interval: ranks.low.is_some() && ranks.high.is_some(),
    }
}

impl Comparison {
    /// Whether what is longer than any bound keeps it.
    fn is_lower(self) -> bool {
        matches!(self, Comparison::More | Comparison::AtLeast)
    }

    fn holds<T: Ord>(self, value: T, bound: T) -> bool {
        match self {
            Comparison::Less => value < bound,
            Comparison::AtMost => value <= bound,
            Comparison::More => value > bound,
            Comparison::AtLeast => value >= bound,
        }
    }
}

/// A word with its column.
type Word<'a> = (usize, &'a str);

impl FromStr for Threshold {
    type Err = NotAThreshold;
    fn from_str(text: &str) -> Result<Threshold, NotAThreshold> {
        let wrong = |column: usize, why: String| {
            let text = text.to_owned();
            NotAThreshold { text, column, why }
        };
        let words = words_of(text);
        let statistic = words.iter().position(|(_, word)| {
            *word == "share" || STATISTICS.iter().any(|(name, _)| name == word)
        });
        let end = text.chars().count() + 1;
        let Some(at) = statistic else {
            let names = STATISTICS.map(|(name, _)| name).join(", ");
            let column = words.get(1).map_or(end, |(column, _)| *column);
            return Err(wrong(column, format!("no statistic; write one of {names}, share")));
        };
        let (kind, figure, object) = figure(&words[..at]).map_err(|(c, why)| wrong(c, why))?;
        let mut rest = words[at + 1..].iter();
        let &(column, word) = rest.next().unwrap_or(&(end, ""));
        let comparison = COMPARISONS.iter().find(|(sign, _)| *sign == word);
        let Some((_, comparison)) = comparison else {
            return Err(wrong(column, format!("`{word}` is none of < <= > >=")));
        };
        let &(column, word) = rest.next().unwrap_or(&(end, ""));
        let statistic = bound(words[at].1, word).map_err(|why| wrong(column, why))?;
        if let Some((column, word)) = rest.next() {
            return Err(wrong(*column, format!("`{word}` is too much: nothing follows the bound")));
        }
        let (text, comparison) = (text.trim().to_owned(), *comparison);
        Ok(Threshold { text, figure, object, kind, statistic, comparison })
    }
}

/// The words with their columns; comparisons need no blanks around them.
fn words_of(text: &str) -> Vec<Word<'_>> {
    let is_sign = |c: char| "<>=".contains(c);
    let class = |c: char| (c.is_whitespace(), is_sign(c));
    let mut words: Vec<Word> = Vec::new();
    let mut last = None;
    let mut start = 0;
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    for (place, (at, letter)) in letters.iter().enumerate() {
        if last != Some(class(*letter)) {
            start = *at;
            last = Some(class(*letter));
            words.push((place + 1, ""));
        }
        words.last_mut().expect("just pushed").1 = &text[start..at + letter.len_utf8()];
    }
    words.retain(|(_, word)| !word.trim().is_empty());
    words
}

/// The figure that these words mean.
fn figure(words: &[Word]) -> Result<(Kind, Text, Option<Text>), (usize, String)> {
    let too_much = |&(column, word): &Word| (column, format!("`{word}` is too much"));
    match words {
        [] => Err((1, "no figure; write a milestone, `recoveryTime`, or `api unavailable`".into())),
        [(_, service), (_, figure @ ("unavailable" | "degraded")), rest @ ..] => {
            rest.first().map_or(Ok(()), |word| Err(too_much(word)))?;
            Ok((Kind::Availability, Text::from(*figure), Some(Text::from(*service))))
        }
        [(_, "recoveryTime"), rest @ ..] => {
            rest.first().map_or(Ok(()), |word| Err(too_much(word)))?;
            Ok((Kind::Milestone, Name::recovered().figure, Some(Name::recovered().object)))
        }
        [(_, name), rest @ ..] if NAMES.contains(name) => {
            rest.get(1).map_or(Ok(()), |word| Err(too_much(word)))?;
            let object = rest.first().map(|(_, object)| Text::from(*object));
            Ok((Kind::Milestone, Text::from(*name), object))
        }
        [(column, name), ..] => {
            let names = NAMES.join(", ");
            let known = format!("recoveryTime, SERVICE unavailable, SERVICE degraded, {names}");
            Err((*column, format!("no figure `{name}`; known: {known}")))
        }
    }
}

fn bound(statistic: &str, word: &str) -> Result<Statistic, String> {
    let percent = STATISTICS.iter().find(|(name, _)| *name == statistic);
    match percent {
        Some((_, percent)) => match word.parse() {
            Ok(bound) => Ok(Statistic::Length { percent: *percent, bound }),
            Err(_) => Err(format!("`{word}` is not a duration; write for example 15m or 1m30s")),
        },
        None => match millionths(word) {
            Some(bound) => Ok(Statistic::Share { bound }),
            None => Err(format!("`{word}` is not a percentage; write for example 99% or 99.5%")),
        },
    }
}

/// `99.5%` in millionths.
fn millionths(word: &str) -> Option<u64> {
    let number = word.strip_suffix('%')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 4 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u64 = format!("{part:0<4}").parse().ok()?;
    let all = whole.parse::<u64>().ok()?.checked_mul(10_000)?.checked_add(part)?;
    (all <= 1_000_000).then_some(all)
}

/// As exact as it is: neither end of an interval is told nearer than it lies.
fn percentage(millionths: u64) -> String {
    let (whole, part) = (millionths / 10_000, millionths % 10_000);
    match part % 100 {
        0 => format!("{whole}.{:02} %", part / 100),
        _ => format!("{whole}.{part:04} %"),
    }
}

impl fmt::Display for NotAThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotAThreshold { text, column, why } = self;
        writeln!(f, "column {column}: {why}")?;
        writeln!(f, "  {text}")?;
        write!(f, "  {}^", " ".repeat(column - 1))
    }
}

impl std::error::Error for NotAThreshold {}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
