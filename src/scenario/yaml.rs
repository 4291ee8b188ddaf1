//! Reading YAML: the only place that knows the library, and the only one that reads files.
//!
//! What is too large, not text, or built to explode is refused before it costs anything.

use super::mistake::{Mistake, nearest};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use serde_saphyr::Spanned;

/// A larger scenario is a mistake, or an attack.
const MOST_BYTES: u64 = 1 << 20;

/// A text with the name under which mistakes in it are reported.
#[derive(Clone, Debug)]
pub struct Source {
    pub file: String,
    pub text: String,
}

impl Source {
    /// A text that is part of the program.
    pub fn embedded(file: &str, text: &str) -> Source {
        Source { file: file.to_owned(), text: text.to_owned() }
    }

    /// Reads a file, up to the limit.
    pub fn read(path: &Path) -> Result<Source, Mistake> {
        let name = path.display().to_string();
        let fail = |what: String| Mistake::at(&name, "", (1, 1), what);
        let file = File::open(path).map_err(|error| fail(format!("cannot be opened: {error}")))?;
        let mut bytes = Vec::new();
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| fail(format!("cannot be read: {error}")))?;
        if bytes.len() as u64 > MOST_BYTES {
            let limit = MOST_BYTES >> 20;
            return Err(fail(format!("is larger than {limit} MiB; a scenario is a short text")));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            fail(format!("is not UTF-8 text: byte {at} belongs to no character"))
        })?;
        Ok(Source { file: name, text })
    }

    /// Reads the one document of the text.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistake> {
        if self.text.trim().is_empty() {
            let message =
                "is empty; `healsim show scenario worker-kubelet-stopped` shows an example";
            return Err(Mistake::of(&self.file, message));
        }
        serde_saphyr::from_str(&self.text).map_err(|error| self.translate(&error))
    }

    /// A mistake at a place that the library reports.
    pub fn mistake<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> Mistake {
        self.mistake_after(at, 0, message)
    }

    /// A mistake some letters after the beginning of a value.
    pub fn mistake_after<T>(
        &self,
        at: &Spanned<T>,
        letters: usize,
        message: impl Into<String>,
    ) -> Mistake {
        let line = usize::try_from(at.referenced.line()).unwrap_or(1);
        let column = usize::try_from(at.referenced.column()).unwrap_or(1);
        let quoted = self.text.lines().nth(line - 1).is_some_and(|content| {
            content.chars().nth(column - 1).is_some_and(|c| c == '"' || c == '\'')
        });
        let column = column + letters + usize::from(quoted && letters > 0);
        Mistake::at(&self.file, &self.text, (line, column), message)
    }

    fn translate(&self, error: &serde_saphyr::Error) -> Mistake {
        let message = error.without_snippet().to_string();
        // The library ends its message with the place, which stands in front here.
        let message = message.split(" at line ").next().unwrap_or_default();
        let message = in_our_words(message.lines().next().unwrap_or_default());
        match error.location() {
            Some(at) => {
                let line = usize::try_from(at.line()).unwrap_or(1);
                let column = usize::try_from(at.column()).unwrap_or(1);
                Mistake::at(&self.file, &self.text, (line, column), message)
            }
            None => Mistake::of(&self.file, message),
        }
    }
}

/// The library's message, without what only its programmers understand, and with the way out.
fn in_our_words(message: &str) -> String {
    if let Some(key) = between(message, "duplicate mapping key: ", ",") {
        return format!("duplicate key `{key}`; each key stands once");
    }
    if message.contains("from_str_multiple") || message.contains("multiple YAML documents") {
        return "a second document; a scenario file has one".to_owned();
    }
    let unknown = between(message, "unknown field `", "`");
    if let (Some(field), Some((_, known))) = (unknown, message.split_once("expected one of ")) {
        let known: Vec<&str> = known.split(", ").map(|word| word.trim_matches('`')).collect();
        let known_words = known.join(", ");
        return match nearest(field, known.into_iter()) {
            Some(near) => format!("unknown key `{field}`; did you mean `{near}`?"),
            None => format!("unknown key `{field}`; known: {known_words}"),
        };
    }
    message.to_owned()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after).map_or(rest, |(word, _)| word))
}
