//! The words of a scenario's questions, read into questions or refused with their place.

use super::super::expect::{Pattern, Subject};
use super::super::faults::{Moment, WrittenFault};
use super::super::file::Scenario;
use super::super::lines::{Reader, WrittenBecause, WrittenExpectation};
use super::super::mistake::{Mistake, crop};
use super::super::yaml::{Spanned, place};
use super::{About, Disaster, Instant, Question, Table};
use crate::api::Kind;
use crate::engine::{Duration, SimTime, Text};
use serde::Deserialize;
use std::collections::BTreeSet;

/// One item of `questions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WrittenQuestion {
    /// What was seen before it is asked; without, the first fault.
    when: Option<Spanned<String>>,
    /// How long after that.
    after: Option<Spanned<String>>,
    ask: Spanned<String>,
    because: Option<Spanned<String>>,
    show: Option<Vec<Spanned<String>>>,
    value: Option<Spanned<WrittenValue>>,
    which: Option<Spanned<Vec<Spanned<WrittenExpectation>>>>,
    heals: Option<Spanned<WrittenHeals>>,
    act: Option<Spanned<WrittenAct>>,
    how_long: Option<Spanned<WrittenLength>>,
    cause: Option<Spanned<WrittenCause>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenValue {
    of: Spanned<String>,
    field: Spanned<String>,
    #[serde(rename = "in")]
    ahead: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHeals {
    within: Spanned<String>,
    disasters: Vec<Spanned<WrittenDisaster>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDisaster {
    says: Spanned<String>,
    faults: Vec<Spanned<WrittenFault>>,
    because: Option<Spanned<WrittenBecause>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAct {
    within: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLength {
    until: Spanned<String>,
    tolerance: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCause {
    of: Spanned<String>,
}

/// What `show` can print, by its word.
const TABLES: [(&str, Table); 9] = [
    ("nodes", Table::Kind(Kind::Node)),
    ("machines", Table::Kind(Kind::Machine)),
    ("pods", Table::Kind(Kind::Pod)),
    ("deployments", Table::Kind(Kind::Deployment)),
    ("statefulsets", Table::Kind(Kind::StatefulSet)),
    ("kubeadmcontrolplanes", Table::Kind(Kind::KubeadmControlPlane)),
    ("virtualmachines", Table::Kind(Kind::VirtualMachine)),
    ("vms", Table::Vms),
    ("etcd", Table::Etcd),
];

const KINDS: &str = "a question has one of value, which, heals, act, howLong, cause";
/// What stands for the object's name.
pub(super) const OBJECT: &str = "{object}";
/// Fields that tell what happened, and hold nothing at other times.
const MOMENTARY: [&str; 3] = ["log", "event", "injected"];
/// A question with more to choose from is no longer read.
const MOST_CHOICES: usize = 8;
/// Forks are played to their end; longer ones teach no more.
const LONGEST_FORK: Duration = Duration::from_secs(4 * 3600);

/// What questions are read with.
struct Words<'a> {
    scenario: &'a Scenario,
    reader: &'a Reader<'a>,
}

impl Scenario {
    /// All questions in their order; each mistake is noted.
    pub(in crate::scenario) fn questions(
        &self,
        written: &[Spanned<WrittenQuestion>],
        reader: &Reader,
        note: &mut impl FnMut(Mistake),
    ) -> Vec<Question> {
        let words = Words { scenario: self, reader };
        let mut found = Vec::new();
        for item in written {
            match words.question(item) {
                Ok(question) => found.push(question),
                Err(mistake) => note(mistake),
            }
        }
        found
    }
}

impl Words<'_> {
    fn question(&self, item: &Spanned<WrittenQuestion>) -> Result<Question, Mistake> {
        let written = &item.value;
        if written.ask.value.trim().is_empty() {
            return Err(self.wrong(&written.ask, "the question has no words"));
        }
        let ask = self.reader.ask(&written.ask, written.value.is_some())?;
        let because = written.because.as_ref().map(|it| self.reader.text(it, &it.value));
        let show = match &written.show {
            None => vec![Table::Kind(Kind::Node), Table::Kind(Kind::Machine)],
            Some(names) => {
                names.iter().map(|name| self.table(name)).collect::<Result<_, Mistake>>()?
            }
        };
        let (line, column) = place(item);
        let when = self.instant(written)?;
        let (Instant::AfterFault(asked) | Instant::AfterSight(_, asked)) = when;
        Ok(Question {
            place: Text::from(format!("{}:{line}:{column}", self.reader.source.file)),
            when,
            ask,
            because: because.transpose()?.unwrap_or_default(),
            show,
            about: self.about(item, asked)?,
        })
    }

    fn instant(&self, written: &WrittenQuestion) -> Result<Instant, Mistake> {
        let after = written.after.as_ref();
        let time = after.map_or(Ok(Duration::ZERO), |after| self.scenario.duration(after))?;
        match (&written.when, after) {
            (Some(when), _) => Ok(Instant::AfterSight(self.pattern(when)?, time)),
            (None, None) => {
                let message = "a question says how long `after` the first fault it is asked, or `when` what was seen";
                Err(self.wrong(&written.ask, message))
            }
            (None, Some(after)) if time > self.reader.rest => {
                let rest = self.reader.rest;
                let message = format!(
                    "the run ends {rest} after the first fault; raise `until` or ask earlier"
                );
                Err(self.wrong(after, message))
            }
            (None, Some(_)) => Ok(Instant::AfterFault(time)),
        }
    }

    /// What is asked at the earliest so long after the first fault.
    fn about(&self, item: &Spanned<WrittenQuestion>, asked: Duration) -> Result<About, Mistake> {
        let written = &item.value;
        let mut found = Vec::new();
        if let Some(value) = &written.value {
            found.push(self.value(&value.value, asked)?);
        }
        if let Some(which) = &written.which {
            found.push(self.which(which, asked)?);
        }
        if let Some(heals) = &written.heals {
            found.push(self.heals(heals)?);
        }
        if let Some(act) = &written.act {
            found.push(About::Act { within: self.fork_length(&act.value.within)? });
        }
        if let Some(length) = &written.how_long {
            let until = self.reader.sight(&length.value.until)?;
            let tolerance = self.positive(&length.value.tolerance)?;
            found.push(About::HowLong { until, tolerance });
        }
        if let Some(cause) = &written.cause {
            found.push(About::Cause { of: self.pattern(&cause.value.of)? });
        }
        match found.pop() {
            Some(about) if found.is_empty() => Ok(about),
            _ => Err(self.wrong(&written.ask, KINDS)),
        }
    }

    /// Refuses what may be decided only when the run is over.
    fn in_time<T>(&self, at: &Spanned<T>, known: Duration) -> Result<(), Mistake> {
        let rest = self.reader.rest;
        if known <= rest {
            return Ok(());
        }
        let message = format!(
            "what is asked reaches to {known} after the first fault, and the run ends {rest} after it; \
             raise `until`, or ask earlier or for less"
        );
        Err(self.wrong(at, message))
    }

    fn value(&self, value: &WrittenValue, asked: Duration) -> Result<About, Mistake> {
        let WrittenValue { of, field, ahead: written } = value;
        let stage = self.reader.stage;
        let subject = Subject::read(&of.value, &|kind| stage.names(kind))
            .map_err(|(at, message)| self.reader.source.mistake_after(of, at, message))?;
        if MOMENTARY.contains(&field.value.as_str()) {
            let message = format!("`{}` holds nothing; ask for it with `which`", field.value);
            return Err(self.wrong(field, message));
        }
        subject.check_field(&field.value).map_err(|message| self.wrong(field, message))?;
        let ahead = self.positive(written)?;
        self.in_time(written, asked + ahead)?;
        Ok(About::Value { of: subject, field: Text::from(field.value.as_str()), ahead })
    }

    fn which(
        &self,
        which: &Spanned<Vec<Spanned<WrittenExpectation>>>,
        asked: Duration,
    ) -> Result<About, Mistake> {
        self.enough(which, which.value.len())?;
        let claim = |item: &Spanned<WrittenExpectation>| {
            let claim = self.reader.claim(item)?;
            if claim.says.is_empty() || !claim.is.on.is_empty() {
                let message = "something to choose `says` what is chosen, and is for all platforms";
                return Err(self.wrong(item, message));
            }
            let known = claim.is.after.map_or(asked, |(_, last)| asked + last);
            self.in_time(item, known)?;
            Ok(claim)
        };
        let claims = which.value.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        self.apart(which, claims.iter().map(|claim| &claim.says))?;
        Ok(About::Which { claims })
    }

    fn heals(&self, heals: &Spanned<WrittenHeals>) -> Result<About, Mistake> {
        let WrittenHeals { within, disasters } = &heals.value;
        self.enough(heals, disasters.len())?;
        let within = self.fork_length(within)?;
        let disasters = disasters.iter().map(|item| self.disaster(item, within));
        let disasters = disasters.collect::<Result<Vec<_>, _>>()?;
        self.apart(heals, disasters.iter().map(|disaster| &disaster.says))?;
        Ok(About::Heals { disasters, within })
    }

    fn disaster(
        &self,
        item: &Spanned<WrittenDisaster>,
        within: Duration,
    ) -> Result<Disaster, Mistake> {
        let WrittenDisaster { says, faults: written, because } = &item.value;
        let mut faults: Vec<(SimTime, super::Fault)> = Vec::new();
        for fault in written {
            let (moment, read) = self.scenario.fault(fault, self.reader.stage, LONGEST_FORK)?;
            let Moment::At(at) = moment else {
                let message = "a fault of a question has its time: `at` in the place of `when`";
                return Err(self.scenario.in_fault(fault, message));
            };
            if let Some(mistake) = self.scenario.target_that_is_not_there(fault, self.reader.stage)
            {
                return Err(mistake);
            }
            faults.push((at, read));
        }
        faults.sort_by_key(|(at, _)| *at);
        let Some((first, _)) = faults.first() else {
            return Err(self.wrong(item, "a disaster has at least one of `faults`"));
        };
        if let Some((last, _)) = faults.last().filter(|(at, _)| at.since(*first) >= within) {
            let message = format!(
                "its last fault comes {} after its first, and it has {within} to heal; raise `within`",
                last.since(*first)
            );
            return Err(self.wrong(item, message));
        }
        let because = self.reader.because(because.as_ref())?;
        Ok(Disaster { says: self.reader.text(says, &says.value)?, faults, because })
    }

    fn enough<T>(&self, item: &Spanned<T>, choices: usize) -> Result<(), Mistake> {
        if (2..=MOST_CHOICES).contains(&choices) {
            return Ok(());
        }
        let message = format!("{choices} to choose from; write 2 to {MOST_CHOICES}");
        Err(self.wrong(item, message))
    }

    /// Choices are told apart by what they say.
    fn apart<'t, T>(
        &self,
        item: &Spanned<T>,
        said: impl Iterator<Item = &'t Text>,
    ) -> Result<(), Mistake> {
        let mut seen = BTreeSet::new();
        let again = said.into_iter().find(|says| says.is_empty() || !seen.insert(says.as_str()));
        match again {
            Some(says) => {
                let message = format!("`{}` is said of two choices, or nothing is", crop(says));
                Err(self.wrong(item, message))
            }
            None => Ok(()),
        }
    }

    fn table(&self, name: &Spanned<String>) -> Result<Table, Mistake> {
        let found = TABLES.iter().find(|(word, _)| *word == name.value);
        let known = TABLES.map(|(word, _)| word);
        found.map(|(_, table)| *table).ok_or_else(|| self.scenario.unknown(name, &known, "table"))
    }

    fn pattern(&self, words: &Spanned<String>) -> Result<Pattern, Mistake> {
        Pattern::read(&words.value, &|kind| self.reader.stage.names(kind))
            .map_err(|(at, message)| self.reader.source.mistake_after(words, at, message))
    }

    fn positive(&self, spanned: &Spanned<String>) -> Result<Duration, Mistake> {
        let length = self.scenario.duration(spanned)?;
        match length.is_zero() {
            true => Err(self.wrong(spanned, "nothing comes in no time; write a duration above 0")),
            false => Ok(length),
        }
    }

    fn fork_length(&self, spanned: &Spanned<String>) -> Result<Duration, Mistake> {
        let length = self.positive(spanned)?;
        if length > LONGEST_FORK {
            let message = format!("{length} is too long; write up to {LONGEST_FORK}");
            return Err(self.wrong(spanned, message));
        }
        Ok(length)
    }

    fn wrong<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> Mistake {
        self.reader.source.mistake(at, message)
    }
}
