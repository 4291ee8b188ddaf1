//! The words of a command that a person types: each part takes its own, and a mistake stands at its
//! letter.

use crate::scenario::mistake::nearest;

/// A mistake and the letter at which it stands.
pub type Wrong = (usize, String);

/// A command's words, in which each takes its part.
pub struct Words<'a> {
    /// With the letter at which each begins.
    pub words: Vec<(usize, &'a str)>,
    /// The letter after the last.
    pub end: usize,
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
        Words { words, end: text.trim_end().chars().count() }
    }

    /// Takes the first word that is left.
    pub fn next(&mut self, missing: &str) -> Result<(usize, &'a str), Wrong> {
        if self.words.is_empty() {
            return Err((self.end, missing.to_owned()));
        }
        Ok(self.words.remove(0))
    }

    /// Takes a word that is one of these, or begins with it and `=`; the value after that.
    pub fn flag(&mut self, flag: &str) -> Option<(usize, Option<&'a str>)> {
        let found = self.words.iter().position(|(_, word)| {
            word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })?;
        let (at, word) = self.words.remove(found);
        Some((at, word[flag.len()..].strip_prefix('=')))
    }

    /// The value of a flag that is a whole number.
    pub fn number(&mut self, flag: &str) -> Result<Option<u32>, Wrong> {
        let Some((at, value)) = self.flag(flag) else { return Ok(None) };
        let value = value.unwrap_or_default();
        let at = at + flag.len() + 1;
        match value.parse::<u32>() {
            Ok(number) if number <= LARGEST => Ok(Some(number)),
            _ => Err((at, format!("`{value}` is not a number; write {flag}=N, up to {LARGEST}"))),
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
        match self.words.first() {
            Some((at, word)) => Err((*at, format!("`{word}` is not known here"))),
            None => Ok(()),
        }
    }
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
