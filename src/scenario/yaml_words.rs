//! What the YAML library found, in our words: what stands there, and what would be right.
//!
//! Every kind of its errors has words of ours; what only its programmers understand is left out.

use super::mistake::{crop, nearest};
use serde_saphyr::{Error, Location};

/// Where something is wrong, and what.
pub struct Trouble {
    /// Line and column, counted from 1.
    pub place: (usize, usize),
    pub message: String,
}

/// Says what the library found in a text.
pub fn trouble(error: &Error, text: &str) -> Trouble {
    let mut error = error.without_snippet();
    let mut at = error.location();
    while let Error::AliasError { error: inner, locations, .. } = error {
        at = Some(locations.reference_location);
        error = inner;
    }
    let number = |number: u64| usize::try_from(number).unwrap_or(1).max(1);
    let place = at.map_or((1, 1), |at: Location| (number(at.line()), number(at.column())));
    let message = message(error, &found(text, place));
    // The parser stops before the line in which it finds the tab.
    match next_tab(text, place).filter(|_| message.ends_with(TAB)) {
        Some(place) => Trouble { place, message: TAB.to_owned() },
        None => Trouble { place, message },
    }
}

/// Where the first tab stands from a place on.
fn next_tab(text: &str, (line, column): (usize, usize)) -> Option<(usize, usize)> {
    let mut lines = text.lines().enumerate().skip(line - 1);
    lines.find_map(|(number, content)| {
        let from = if number == line - 1 { column - 1 } else { 0 };
        let tab = content.chars().skip(from).position(|letter| letter == '\t')?;
        Some((number + 1, from + tab + 1))
    })
}

/// What is wrong with a tab.
const TAB: &str = "a tab; indent and separate with blanks";

/// What stands at a place, as far as it is one value.
pub fn found(text: &str, (line, column): (usize, usize)) -> String {
    let content = text.lines().nth(line - 1).unwrap_or_default();
    let rest: String = content.chars().skip(column - 1).collect();
    let rest = rest.trim();
    let end = match rest.chars().next() {
        Some('[') => rest.find(']').map(|end| end + 1),
        Some('{') => rest.find('}').map(|end| end + 1),
        Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map(|end| end + 2),
        _ => rest.find([',', '}', ']']).or_else(|| rest.find(": ")).or_else(|| rest.find(" #")),
    };
    crop(rest[..end.unwrap_or(rest.len())].trim_end_matches(':').trim())
}

fn message(error: &Error, found: &str) -> String {
    let value = if found.is_empty() || found == "-" {
        "nothing stands here".to_owned()
    } else {
        format!("`{found}` stands here")
    };
    match error {
        Error::NullIntoString { .. } => format!("{value}, which is no value; write a text"),
        Error::Unexpected { expected, .. } => format!("{value}; write {}", wanted(expected)),
        Error::InvalidScalar { ty, .. } => match largest(ty).filter(|_| is_whole(found)) {
            Some(largest) => {
                format!("`{found}` is too large; no number here is larger than {largest}")
            }
            None => format!("`{found}` is not {}", wanted(ty)),
        },
        Error::SerdeInvalidType { expected, .. }
        | Error::SerdeInvalidValue { expected, .. }
        | Error::SerdeInvalidLength { expected, .. } => {
            format!("{value}; write {}", wanted(expected))
        }
        Error::SerdeMissingField { field, .. } => {
            format!("the key `{field}` is missing; `healsim show scenario NAME` shows a whole one")
        }
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(|| found.to_owned(), crop);
            format!("duplicate key `{key}`; each key stands once")
        }
        Error::MultipleDocuments { .. } => "a second document; write one".to_owned(),
        Error::UnknownAnchor { .. } => {
            format!("`{found}` refers to no anchor; write the value itself, or `&NAME` before it")
        }
        Error::Eof { .. } => "the text ends too early; something is not closed".to_owned(),
        Error::MergeValueNotMapOrSeqOfMaps { .. } | Error::MergeKeyNotAllowed { .. } => {
            format!("{value}; `<<` takes the keys of a mapping, as `<<: *NAME`")
        }
        Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::UnsupportedTag { .. }
        | Error::TaggedEnumMismatch { .. }
        | Error::TaggedStructFieldName { .. } => {
            format!("{value}, with a tag (`!...`) that means nothing here; leave the tag out")
        }
        error if explodes(error) => {
            "aliases (`*NAME`) or nesting make this far larger than it looks; write out what is \
             meant, without them"
                .to_owned()
        }
        other => not_yaml(&other.to_string(), found),
    }
}

/// True for a limit against texts that are built to explode.
fn explodes(error: &Error) -> bool {
    matches!(
        error,
        Error::Budget { .. }
            | Error::AliasReplayCounterOverflow { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::RecursiveReferencesRequireWeakTypes { .. }
    ) || {
        let text = error.to_string();
        text.contains("recursion limit") || text.contains("nesting")
    }
}

/// The largest number that a field of this type takes; what it stands for may take less.
fn largest(ty: &str) -> Option<u64> {
    match ty {
        "u16" => Some(u16::MAX.into()),
        "u32" => Some(u32::MAX.into()),
        "u64" | "usize" => Some(u64::MAX),
        _ => None,
    }
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// What the library wanted, with an example where that helps.
fn wanted(expected: &str) -> String {
    let words = match expected {
        "string scalar" | "missing string" | "str expected" | "a string" | "string" => "a text",
        "sequence start" | "a sequence" => "a list, for example `[ ... ]` or lines with `- `",
        "mapping start" | "a map" => "keys with values, for example `{ key: value }`",
        "scalar" | "value" => "a single value",
        "non-scalar key" => "a plain word as the key",
        "boolean" | "bool expected" => "`true` or `false`",
        "u32" | "u64" | "u16" | "usize" => "a whole number without a sign",
        "i32" | "i64" => "a whole number",
        "floating point" => "a number",
        struct_of if struct_of.starts_with("struct ") => "keys with values",
        other => other,
    };
    words.to_owned()
}

fn unknown(what: &str, word: &str, known: &[&'static str]) -> String {
    let word = crop(word);
    match nearest(&word, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{word}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{word}`; known: {}", known.join(", ")),
    }
}

/// The parser's own complaint, with the way out that it nearly always has.
fn not_yaml(message: &str, found: &str) -> String {
    const WAYS: [(&str, &str); 8] = [
        ("unclosed quote", "this quotation mark is not closed"),
        ("mapping values are not allowed", "a second `:` in one value; put the value in quotes"),
        ("expected ':'", "a key without `:`; write KEY: VALUE"),
        ("tab", TAB),
        ("misplaced bracket", "this bracket has no partner"),
        ("invalid indentation", "indented like nothing above it; align it with its neighbors"),
        ("did not find expected ',' or", "a comma or the closing bracket is missing before this"),
        ("did not find expected", "something else belongs here; check indentation and brackets"),
    ];
    let way = WAYS.iter().find(|(words, _)| message.contains(words)).map(|(_, way)| *way);
    let way = way.unwrap_or("this is not YAML; put texts with special letters in quotes");
    if found.is_empty() { way.to_owned() } else { format!("`{found}`: {way}") }
}
