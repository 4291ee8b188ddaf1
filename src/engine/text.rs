//! Text that is cheap to copy: a word of the program, or one shared text made at run time.
//!
//! Names, reasons and messages are compared and copied far more often than they are made. This is
//! neither an interner (which would be a global, or a table to carry to every place that prints)
//! nor a `String` (which would allocate on each copy).

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// An immutable text; a copy costs no allocation. Order and equality are those of the characters.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Word(&'static str),
    Shared(Arc<str>),
}

impl Text {
    /// The empty text.
    pub const EMPTY: Text = Text::word("");

    /// A text known when the program was compiled.
    pub const fn word(word: &'static str) -> Text {
        Text(Repr::Word(word))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Word(word) => word,
            Repr::Shared(text) => text,
        }
    }
}

/// `1 run`, `2 runs`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// True if a text fits a pattern in which `*` stands for anything.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, mut rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    while let Some((part, after)) = rest.split_once('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
        rest = after;
    }
    text.ends_with(rest)
}

impl Default for Text {
    fn default() -> Text {
        Text::EMPTY
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Repr::Shared(text.into()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        match text {
            "" => Text::EMPTY,
            text => Text(Repr::Shared(text.into())),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        let (mine, theirs) = (self.as_str(), other.as_str());
        // Most comparisons are between copies of one text.
        (mine.as_ptr() == theirs.as_ptr() && mine.len() == theirs.len()) || mine == theirs
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> std::cmp::Ordering {
        let (mine, theirs) = (self.as_str(), other.as_str());
        if mine.as_ptr() == theirs.as_ptr() && mine.len() == theirs.len() {
            return std::cmp::Ordering::Equal;
        }
        mine.cmp(theirs)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        String::deserialize(from).map(Text::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;
    use std::collections::BTreeSet;

    #[test]
    fn a_star_stands_for_anything() {
        let like = ["worker-0", "*", "worker-*", "*-0", "w*r*0", "*worker-0*", "**"];
        for pattern in like {
            assert!(is_like("worker-0", pattern), "{pattern}");
        }
        for pattern in ["", "worker", "worker-", "orker*", "*worker", "w*0*r*", "worker-0*0"] {
            assert!(!is_like("worker-0", pattern), "{pattern}");
        }
        // What one star stands for is not looked at again.
        assert!(is_like("a-b-ab", "a*ab") && !is_like("ab", "*ab*b"));
    }

    #[test]
    fn texts_are_compared_by_their_characters_wherever_they_lie() {
        let (word, made) = (Text::word("node"), Text::from("node".to_owned()));
        assert!(word == made && made == made.clone() && word.cmp(&made) == Ordering::Equal);
        assert_eq!(word.partial_cmp(&made), Some(Ordering::Equal));
        for other in ["mode", "nodes", ""] {
            let other = Text::from(other);
            assert!(word != other && word.cmp(&other) == "node".cmp(other.as_str()));
            assert_eq!(word.partial_cmp(&other), Some(word.cmp(&other)));
        }
        // Both begin at the same place in memory.
        const LONG: &str = "nodes";
        let (long, short) = (Text::word(LONG), Text::word(LONG.split_at(4).0));
        assert!(long != short && long > short);
        assert!(word == *"node" && word != *"mode" && word == "node" && word != "mode");
    }

    #[test]
    fn a_text_is_found_by_its_characters() {
        let set: BTreeSet<Text> = ["a", "b"].map(Text::from).into_iter().collect();
        assert!(set.contains("a") && set.contains(&Text::word("b")) && !set.contains("c"));
    }

    #[test]
    fn a_text_is_printed_read_and_written_as_its_characters() {
        let text = Text::from("say \"no\"".to_owned());
        assert_eq!(format!("[{text:>9}] {text:?}"), r#"[ say "no"] "say \"no\"""#);
        assert_eq!((text.len(), &*text, text.as_str()), (8, r#"say "no""#, r#"say "no""#));
        let written = serde_json::to_string(&text).expect("a text can be written");
        assert_eq!(written, r#""say \"no\"""#);
        assert_eq!(serde_json::from_str::<Text>(&written).expect("and read"), text);
    }
}
