//! Reading YAML: the only place that knows the library, and the only one that reads files.
//!
//! What is too large, not text, or built to explode is refused before it costs anything. What the
//! library says about a text is said in our words by `yaml_words`.

use super::mistake::Mistake;
use super::yaml_words::{Trouble, trouble};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::path::Path;

pub use serde_saphyr::Spanned;

/// A larger scenario is a mistake, or an attack.
const MOST_BYTES: u64 = 1 << 20;
/// Nobody keeps more manifests in one file.
const MOST_DOCUMENTS: usize = 64;
/// What a text may be after its aliases are filled in: far more than a scenario of 1000 faults.
const MOST_NODES: usize = 100_000;
const MOST_EXPANDED_BYTES: usize = 4 << 20;

/// A text with the name under which mistakes in it are reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub file: String,
    pub text: String,
}

impl Source {
    /// A text that is part of the program.
    pub fn embedded(file: &str, text: &str) -> Source {
        Source { file: file.to_owned(), text: text.to_owned() }
    }

    /// Reads a file, up to the limit; the words say what else can be done if there is none.
    pub fn read(path: &Path, instead: &str) -> Result<Source, Mistake> {
        let name = path.display().to_string();
        let fail = |what: String| Mistake::at(&name, "", (1, 1), what);
        if path.is_dir() {
            let files = path.join("*.yaml");
            return Err(fail(format!("is a folder; name the files in it, as {}", files.display())));
        }
        let file = File::open(path).map_err(|error| {
            fail(format!("cannot be opened: {error}; check the path, or {instead}"))
        })?;
        Source::take(&name, file)
    }

    /// Reads a file of manifests, or standard input for `-`.
    pub fn manifests(path: &Path) -> Result<Source, Mistake> {
        if path == Path::new("-") {
            return Source::take("standard input", std::io::stdin().lock());
        }
        Source::read(path, "write `-` for standard input")
    }

    /// Reads a text up to the limit.
    fn take(name: &str, from: impl Read) -> Result<Source, Mistake> {
        let fail = |what: String| Mistake::at(name, "", (1, 1), what);
        let mut bytes = Vec::new();
        let read = from.take(MOST_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| fail(format!("cannot be read: {error}; is it a file?")))?;
        if bytes.len() as u64 > MOST_BYTES {
            let limit = MOST_BYTES >> 20;
            return Err(fail(format!("is larger than {limit} MiB; a scenario is a short text")));
        }
        String::from_utf8(bytes)
            .map(|text| Source { file: name.to_owned(), text })
            .map_err(|error| not_text(name, error.as_bytes(), error.utf8_error().valid_up_to()))
    }

    /// The documents of the text that are not empty, each at its own lines. A line of `---` ends a
    /// document even within a text of several lines, so no parser is needed to find it. Of an empty
    /// text it is said where an example is.
    pub fn documents(&self, example: &str) -> Result<Vec<Source>, Mistake> {
        let mut documents: Vec<String> = vec![String::new()];
        for (number, line) in self.text.split_inclusive('\n').enumerate() {
            let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
            let ends =
                rest.is_some_and(|rest| rest.trim_end() == "" || rest.starts_with([' ', '\t']));
            let current = documents.last_mut().expect("begins with one");
            match rest.filter(|_| ends) {
                None => current.push_str(line),
                Some(rest) if documents.len() < MOST_DOCUMENTS => {
                    documents.push(format!("{}   {rest}", "\n".repeat(number)));
                }
                Some(_) => {
                    let message = format!("more than {MOST_DOCUMENTS} documents; split the file");
                    return Err(Mistake::at(&self.file, &self.text, (number + 1, 1), message));
                }
            }
        }
        let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        documents.retain(|text| text.lines().any(says));
        if documents.is_empty() {
            let message = format!("is empty; {example} shows an example");
            return Err(Mistake::at(&self.file, &self.text, (1, 1), message));
        }
        let source = |text| Source { file: self.file.clone(), text };
        Ok(documents.into_iter().map(source).collect())
    }

    /// Reads the one document of the text.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistake> {
        let options = serde_saphyr::options! {
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_nodes: MOST_NODES,
                max_total_scalar_bytes: MOST_EXPANDED_BYTES,
            },
        };
        serde_saphyr::from_str_with_options(&self.text, options).map_err(|error| {
            let Trouble { place, message } = trouble(&error, &self.text);
            Mistake::at(&self.file, &self.text, place, message)
        })
    }

    /// A mistake at a place that the library reports.
    pub fn mistake<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> Mistake {
        Mistake::at(&self.file, &self.text, place(at), message)
    }

    /// A mistake at the first such word in a value, which may have many lines; at its beginning where
    /// the word does not stand letter by letter in the file.
    pub fn mistake_at<T>(
        &self,
        at: &Spanned<T>,
        word: &str,
        message: impl Into<String>,
    ) -> Mistake {
        let (line, column) = place(at);
        let lines = self.text.lines().enumerate().skip(line - 1);
        let found = lines.into_iter().find_map(|(number, content)| {
            let before = if number == line - 1 { column - 1 } else { 0 };
            let start = content.char_indices().nth(before).map_or(content.len(), |(at, _)| at);
            let at = start + content[start..].find(word)?;
            Some((number + 1, content[..at].chars().count() + 1))
        });
        Mistake::at(&self.file, &self.text, found.unwrap_or((line, column)), message)
    }

    /// A mistake some letters after the beginning of a value; at its beginning where the value does
    /// not stand letter by letter in the file, as in a folded text.
    pub fn mistake_after(
        &self,
        at: &Spanned<String>,
        letters: usize,
        message: impl Into<String>,
    ) -> Mistake {
        let (line, column) = place(at);
        let content = self.text.lines().nth(line - 1).unwrap_or_default();
        let content: String = content.chars().skip(column - 1).collect();
        let quote = usize::from(content.starts_with(['"', '\'']));
        let letter_by_letter = content[quote..].starts_with(&at.value);
        let within = if letters > 0 && letter_by_letter { quote + letters } else { 0 };
        let column = column + within;
        Mistake::at(&self.file, &self.text, (line, column), message)
    }
}

/// A mapping whose keys know their places too, in the file's order. That no key comes twice is the
/// library's to see.
#[derive(Clone, Debug)]
pub struct Mapping<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Mapping<T> {
    fn default() -> Mapping<T> {
        Mapping(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Mapping<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mapping<T>, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Mapping<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Mapping<T>, A::Error> {
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            found.push(entry);
        }
        Ok(Mapping(found))
    }
}

/// Line and column of a value, counted from 1.
pub(super) fn place<T>(at: &Spanned<T>) -> (usize, usize) {
    let number = |number: u64| usize::try_from(number).unwrap_or(1).max(1);
    (number(at.referenced.line()), number(at.referenced.column()))
}

/// A byte that belongs to no character, at its place.
fn not_text(file: &str, bytes: &[u8], at: usize) -> Mistake {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let byte = bytes.get(at).copied().unwrap_or_default();
    let message = format!("byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8");
    Mistake::at(file, &String::from_utf8_lossy(bytes), (line, column), message)
}
