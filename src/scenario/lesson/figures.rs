//! Numbers in the texts of a lesson: `{KEY}` is the value of a setting, as it is in force in the run.
//!
//! A number that is written down is right on one platform, until somebody sets another. What a text
//! says about it is not known here.

use super::super::catalog::Catalog;
use super::super::mistake::nearest;
use super::words::OBJECT;
use crate::engine::Duration;

/// A placeholder as it stands in the text, and what is wrong with it.
pub type Wrong = (String, String);

/// The text with the values in the places of their keys; `{object}` stays where a question has one.
pub fn fill(text: &str, settings: &Catalog, has_object: bool) -> Result<String, Wrong> {
    let mut filled = String::with_capacity(text.len());
    let mut from = 0;
    for (at, word) in placeholders(text) {
        let value = match word {
            OBJECT if has_object => word.to_owned(),
            _ => value(word, settings).map_err(|message| (word.to_owned(), message))?,
        };
        filled += &text[from..at];
        filled += &value;
        from = at + word.len();
    }
    filled += &text[from..];
    Ok(filled)
}

/// Lengths of time look alike however they are written; all else is as it is written.
fn value(word: &str, settings: &Catalog) -> Result<String, String> {
    let key = &word[1..word.len() - 1];
    if let Some(value) = settings.value(key) {
        let length = value.parse::<Duration>().map(|length| length.to_string());
        return Ok(length.unwrap_or_else(|_| value.to_owned()));
    }
    if word == OBJECT {
        return Err(format!("only the `ask` of a question with `value` has an `{OBJECT}`"));
    }
    let known = settings.iter().map(|(key, _)| key.as_str());
    Err(match nearest(key, known.chain([&OBJECT[1..OBJECT.len() - 1]])) {
        Some(near) => format!("nothing stands for `{word}`; did you mean `{{{near}}}`?"),
        None => format!(
            "nothing stands for `{word}`; write the key of a setting in the braces, as \
             {{kubernetes.nodeMonitorGracePeriod}}; `healsim list settings` names them all"
        ),
    })
}

/// The words in braces of a text, each with where it begins.
fn placeholders(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('{').filter_map(|(at, _)| {
        let word = &text[at..=at + text[at..].find('}')?];
        let inner = &word[1..word.len() - 1];
        let is_word = !inner.is_empty() && inner.chars().all(|c| c.is_alphanumeric() || c == '.');
        is_word.then_some((at, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::models;

    #[test]
    fn a_key_in_braces_is_its_value_and_other_braces_are_text() {
        let mut settings = models::platform("tkgs-2024").expect("embedded").catalog;
        let filled = |text: &str, settings: &Catalog| fill(text, settings, true);
        let text = "after {kubernetes.nodeMonitorGracePeriod}, {object} ({loadBalancer.fall})";
        assert_eq!(filled(text, &settings), Ok("after 40s, {object} (3)".to_owned()));
        settings.set("kubernetes.nodeMonitorGracePeriod", "120s").expect("a setting");
        assert_eq!(filled(text, &settings), Ok("after 2m0s, {object} (3)".to_owned()));
        // A range, a word, what follows from others, and no key at all.
        let text = "{infra.boot} {machineHealthCheck.unknownTimeout} {}{\"a\": {b-c}} {";
        settings.set("machineHealthCheck.unknownTimeout", "none").expect("a setting");
        let filled = filled(text, &settings).expect("known");
        assert!(filled.ends_with("s none {}{\"a\": {b-c}} {") && filled.contains(".."), "{filled}");
    }
}
