//! The words of a command that a person types: each part takes its own, and a mistake stands at its
//! letter.

use crate::api::Kind;
use crate::scenario::mistake::nearest;

/// A mistake and the letter at which it stands.
pub type Wrong = (usize, String);

/// A command's words, in which each takes its part.
pub struct Words<'a> {
    /// With the letter at which each begins.
    pub words: Vec<(usize, &'a str)>,
    /// Those that begin with `-`, once they are set apart.
    flags: Vec<Flag<'a>>,
    /// The letter after the last.
    pub end: usize,
}

/// A flag of a command, with the letters at which it and its value begin.
#[derive(Clone, Copy, Debug)]
pub struct Flag<'a> {
    pub at: usize,
    name: &'static str,
    pub value_at: usize,
    /// Empty for a flag that has none.
    pub value: &'a str,
}

/// What comes after a flag: `--flag=VALUE` or `--flag VALUE`, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Value,
    Nothing,
}

impl<'a> Words<'a> {
    /// The words of a command.
    pub fn of(text: &'a str) -> Words<'a> {
        let mut words = Vec::new();
        let mut from = 0;
        while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
            // What stands in quotation marks is one word.
            let quoted = rest.strip_prefix('\'').and_then(|inner| inner.split_once('\''));
            let (word, length) = match quoted {
                Some((word, _)) => (word, word.len() + 2),
                None => {
                    let word = rest.split(' ').next().unwrap_or_default();
                    (word, word.len())
                }
            };
            if !word.is_empty() || quoted.is_some() {
                words.push((text[..from].chars().count(), word));
            }
            from += length.max(1);
        }
        Words { words, flags: Vec::new(), end: text.trim_end().chars().count() }
    }

    /// Takes the first word that is left.
    pub fn next(&mut self, missing: &str) -> Result<(usize, &'a str), Wrong> {
        if self.words.is_empty() {
            return Err((self.end, missing.to_owned()));
        }
        Ok(self.words.remove(0))
    }

    /// Sets all words apart that begin with `-`, wherever they stand, so that none is taken for a name;
    /// the word after a flag that takes a value is its value, whatever it begins with.
    pub fn set_flags_apart(&mut self, known: &[(&'static str, Takes)]) -> Result<(), Wrong> {
        let mut words = std::mem::take(&mut self.words).into_iter();
        while let Some((at, word)) = words.next() {
            if !word.starts_with('-') {
                self.words.push((at, word));
                continue;
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some((at + name.chars().count() + 1, value))),
                None => (word, None),
            };
            let Some((name, takes)) = known.iter().find(|(flag, _)| *flag == name) else {
                let known: Vec<&str> = known.iter().map(|(flag, _)| *flag).collect();
                return Err((at, unknown("flag", name, &known)));
            };
            let (value_at, value) = match (takes, value) {
                (Takes::Value, Some(value)) => value,
                (Takes::Value, None) => {
                    let missing = || (self.end, format!("a value is missing after `{name}`"));
                    words.next().ok_or_else(missing)?
                }
                (Takes::Nothing, None | Some((_, "true"))) => (at, ""),
                (Takes::Nothing, Some((value_at, value))) => {
                    return Err((
                        value_at,
                        format!("`{name}` cannot be `{value}`; write `{name}`"),
                    ));
                }
            };
            self.flags.push(Flag { at, name, value_at, value });
        }
        Ok(())
    }

    /// Takes a flag; of several of a name the last one counts.
    pub fn flag(&mut self, name: &str) -> Option<Flag<'a>> {
        let found = self.flags.iter().rfind(|flag| flag.name == name).copied();
        self.flags.retain(|flag| flag.name != name);
        found
    }

    /// The value of a flag that is a whole number.
    pub fn number(&mut self, name: &str) -> Result<Option<u32>, Wrong> {
        let Some(Flag { value_at, value, .. }) = self.flag(name) else { return Ok(None) };
        match value.parse::<u32>() {
            Ok(number) if number <= LARGEST => Ok(Some(number)),
            _ => {
                let message = format!("`{value}` is not a number; write {name}=N, up to {LARGEST}");
                Err((value_at, message))
            }
        }
    }

    /// Takes one of these words.
    pub fn one_of(&mut self, what: &str, known: &[&'static str]) -> Result<&'static str, Wrong> {
        let (at, word) = self.next(&format!("a {what} is missing; known: {}", known.join(", ")))?;
        let found = known.iter().find(|one| **one == word);
        found.copied().ok_or_else(|| (at, unknown(what, word, known)))
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Wrong> {
        let flags = self.flags.iter().map(|flag| (flag.at, flag.name));
        match self.words.iter().copied().chain(flags).min() {
            Some((at, word)) => Err((at, format!("`{word}` is not known here"))),
            None => Ok(()),
        }
    }
}

/// Words for the name of an object that is left out.
pub fn no_name(kind: Kind) -> String {
    let name = match kind {
        Kind::Node | Kind::Machine | Kind::VirtualMachine => "worker-0",
        _ => "NAME",
    };
    format!("a name is missing, as in `{} {name}`", kind.name().to_lowercase())
}

/// The largest size or grace period that anybody means.
pub const LARGEST: u32 = 100_000;

/// A word that is none of those that are known.
pub fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("no {what} `{word}`; did you mean `{near}`?"),
        None => format!("no {what} `{word}`; known: {}", known.join(", ")),
    }
}
