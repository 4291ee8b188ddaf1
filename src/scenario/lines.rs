//! The lines of `expect` as they are written: alone, or several under one observation of a source.

use super::catalog::Catalog;
use super::expect::{Expectation, Names, Pattern, RECOVERED, Sight};
use super::form;
use super::lesson::{Because, Claim, fill};
use super::mistake::Mistake;
use super::models;
use super::stage::Stage;
use super::yaml::{Source, Spanned};
use crate::engine::{Duration, Text};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// One item of `expect`: a line, or `lines` that share what they say.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenExpectation {
    /// The source's own words for what is observed.
    says: Option<Spanned<String>>,
    /// The mechanism by which it comes about.
    because: Option<Spanned<WrittenBecause>>,
    lines: Option<Vec<Spanned<WrittenExpectation>>>,
    see: Option<Spanned<String>>,
    never: Option<Spanned<String>>,
    after: Option<Spanned<String>>,
    on: Option<Vec<Spanned<String>>>,
}

/// Why something is so: in one text, or in one for each way in which a claim can come out.
#[derive(Debug)]
pub enum WrittenBecause {
    Always(String),
    Each(Reasons),
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasons {
    right: String,
    wrong: String,
}

impl<'de> Deserialize<'de> for WrittenBecause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WrittenBecause, D::Error> {
        deserializer.deserialize_any(OneOrEach)
    }
}

struct OneOrEach;

impl<'de> Visitor<'de> for OneOrEach {
    type Value = WrittenBecause;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, or `{ right: TEXT, wrong: TEXT }`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenBecause, E> {
        Ok(WrittenBecause::Always(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenBecause, A::Error> {
        Reasons::deserialize(MapAccessDeserializer::new(map)).map(WrittenBecause::Each)
    }
}

impl WrittenBecause {
    /// What is told where something is right, and where it is wrong.
    fn texts(&self) -> [&str; 2] {
        match self {
            WrittenBecause::Always(text) => [text, text],
            WrittenBecause::Each(Reasons { right, wrong }) => [right, wrong],
        }
    }
}

/// What the lines of a scenario are read with.
pub struct Reader<'a> {
    pub source: &'a Source,
    /// The platform that is played.
    pub platform: &'a str,
    pub stage: &'a Stage,
    /// The numbers of its texts.
    pub settings: &'a Catalog,
    /// How long the run goes on after the first fault.
    pub rest: Duration,
}

impl Reader<'_> {
    /// All lines in their order; each mistake is noted.
    pub fn read(
        &self,
        written: &[Spanned<WrittenExpectation>],
        note: &mut impl FnMut(Mistake),
    ) -> Vec<Expectation> {
        let mut found = Vec::new();
        for item in written {
            let Some(lines) = &item.value.lines else {
                self.add(self.line(item), &item.value, &mut found, note);
                continue;
            };
            if let Err(mistake) = self.only_lines(item, lines) {
                note(mistake);
            }
            for line in lines {
                let read = match line.value.is_bare() {
                    true => self.line(line),
                    false => Err(self.source.mistake(
                        line,
                        "`says`, `because` and `lines` are written once, for all lines of a group",
                    )),
                };
                self.add(read, &item.value, &mut found, note);
            }
        }
        found
    }

    fn add(
        &self,
        read: Result<Expectation, Mistake>,
        observed: &WrittenExpectation,
        found: &mut Vec<Expectation>,
        note: &mut impl FnMut(Mistake),
    ) {
        let says = observed.says.as_ref();
        let because = observed.because.as_ref();
        if let Some(each) = because.filter(|it| matches!(it.value, WrittenBecause::Each(_))) {
            let message =
                "what is expected has one reason; `right` and `wrong` are for a question's claims";
            note(self.source.mistake(each, message));
        }
        match read {
            Ok(mut expectation) => {
                expectation.says = says.map_or(Text::EMPTY, |it| Text::from(it.value.as_str()));
                let [because, _] = because.map_or_else(Default::default, |it| it.value.texts());
                expectation.because = Text::from(because.trim());
                found.push(expectation);
            }
            Err(mistake) => note(mistake),
        }
    }

    /// A group has lines, and what it says of them, and nothing of a line.
    fn only_lines(
        &self,
        item: &Spanned<WrittenExpectation>,
        lines: &[Spanned<WrittenExpectation>],
    ) -> Result<(), Mistake> {
        let WrittenExpectation { says, see, never, after, on, .. } = &item.value;
        let own = see.as_ref().or(never.as_ref()).or(after.as_ref());
        let on = on.as_ref().and_then(|on| on.first());
        if let Some(own) = own.or(on) {
            let message = "beside `lines` stand `says` and `because`; write this in the lines";
            return Err(self.source.mistake(own, message));
        }
        if says.is_none() || lines.is_empty() {
            let message = "a group `says` something, and has at least one of `lines`";
            return Err(self.source.mistake(item, message));
        }
        Ok(())
    }

    fn line(&self, item: &Spanned<WrittenExpectation>) -> Result<Expectation, Mistake> {
        let written = &item.value;
        let (words, never) = match (&written.see, &written.never) {
            (Some(see), None) => (see, false),
            (None, Some(never)) => (never, true),
            (Some(both), Some(_)) => {
                return Err(self.source.mistake(both, "`see` and `never` exclude each other"));
            }
            (None, None) => {
                let message = "an expectation says what to `see` or what `never` to see";
                return Err(self.source.mistake(item, message));
            }
        };
        let on = written.on.iter().flatten().map(|name| self.known_platform(name));
        let on = on.collect::<Result<Vec<Text>, Mistake>>()?;
        let sight = match on.is_empty() || on.iter().any(|name| *name == *self.platform) {
            true => self.sight(words)?,
            // What other platforms have is not known here.
            false => self.sight_of(words, &|kind| self.stage.names_anywhere(kind))?,
        };
        let after = written.after.as_ref().map(|range| self.range(range)).transpose()?;
        let text = Text::from(words.value.as_str());
        let (says, because) = (Text::EMPTY, Text::EMPTY);
        Ok(Expectation { text, sight, never, after, on, says, because })
    }

    /// What a claim of a question says, and what would show that it is true.
    pub fn claim(&self, item: &Spanned<WrittenExpectation>) -> Result<Claim, Mistake> {
        if let Some(lines) = item.value.lines.as_ref().and_then(|lines| lines.first()) {
            let message = "a claim is one line: `see` or `never`, without `lines`";
            return Err(self.source.mistake(lines, message));
        }
        let WrittenExpectation { says, because, .. } = &item.value;
        let says = says.as_ref().map(|says| self.text(says, &says.value)).transpose()?;
        let because = self.because(because.as_ref())?;
        Ok(Claim { says: says.unwrap_or_default(), is: self.line(item)?, because })
    }

    /// What is told of something to choose, where it is right and where it is wrong.
    pub fn because(&self, written: Option<&Spanned<WrittenBecause>>) -> Result<Because, Mistake> {
        let Some(written) = written else { return Ok(Because::default()) };
        let [right, wrong] = written.value.texts().map(|text| self.text(written, text));
        Ok(Because { right: right?, wrong: wrong? })
    }

    /// A text that stands at a place, with the numbers that it names.
    pub fn text<T>(&self, at: &Spanned<T>, text: &str) -> Result<Text, Mistake> {
        self.filled(at, text, false)
    }

    /// A question's words, which may name its object.
    pub fn ask(&self, words: &Spanned<String>, has_object: bool) -> Result<Text, Mistake> {
        self.filled(words, &words.value, has_object)
    }

    fn filled<T>(&self, at: &Spanned<T>, text: &str, has_object: bool) -> Result<Text, Mistake> {
        let filled = fill(text, self.settings, has_object);
        let filled =
            filled.map_err(|(word, message)| self.source.mistake_at(at, &word, message))?;
        Ok(Text::from(filled.trim()))
    }

    /// What is to be seen: a pattern, or the recovery.
    pub fn sight(&self, words: &Spanned<String>) -> Result<Sight, Mistake> {
        self.sight_of(words, &|kind| self.stage.names(kind))
    }

    fn sight_of(&self, words: &Spanned<String>, names: Names) -> Result<Sight, Mistake> {
        if words.value == RECOVERED {
            return Ok(Sight::Recovery);
        }
        let read = Pattern::read(&words.value, names);
        read.map(Sight::Entries)
            .map_err(|(at, message)| self.source.mistake_after(words, at, message))
    }

    fn range(&self, range: &Spanned<String>) -> Result<(Duration, Duration), Mistake> {
        let delay =
            form::delay(&range.value).map_err(|message| self.source.mistake(range, message))?;
        if delay.low > self.rest {
            let message = format!(
                "nothing can be seen {} after the first fault: the run ends {} after it; raise \
                 `until` or write an earlier range",
                delay.low, self.rest
            );
            return Err(self.source.mistake(range, message));
        }
        Ok((delay.low, delay.high))
    }

    fn known_platform(&self, name: &Spanned<String>) -> Result<Text, Mistake> {
        if models::platforms().contains(&name.value.as_str()) {
            return Ok(Text::from(name.value.as_str()));
        }
        let message = models::unknown("platform", &name.value, &models::platforms());
        Err(self.source.mistake(name, message))
    }
}

impl WrittenExpectation {
    fn is_bare(&self) -> bool {
        self.says.is_none() && self.because.is_none() && self.lines.is_none()
    }
}
