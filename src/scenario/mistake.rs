//! A user's mistake: where it stands, what stands there, and the way out.
//!
//! The first line is always `FILE:LINE:COLUMN: message`, so that editors and people find the place.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::error::Error;
use std::fmt;
use std::ops::Deref;

/// All mistakes that were found in an input, in the order of their places; at least one.
///
/// An [`Error`], so that a program of one's own can pass it on with `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

/// One mistake in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Line and column, counted from 1, if it stands at a place.
    pub place: Option<(usize, usize)>,
    pub message: String,
    /// The marked place, as a picture; empty if there is none.
    picture: String,
}

impl Mistake {
    /// A mistake that has no place in a text, such as a missing file.
    pub fn of(file: &str, message: impl Into<String>) -> Mistake {
        let (file, message) = (printable(file), printable(&message.into()));
        Mistake { file, place: None, message, picture: String::new() }
    }

    /// A mistake at a place in a text.
    pub fn at(
        file: &str,
        text: &str,
        (line, column): (usize, usize),
        message: impl Into<String>,
    ) -> Mistake {
        let picture = printable(&picture(text, line, column));
        let (file, message) = (printable(file), printable(&message.into()));
        Mistake { file, place: Some((line, column)), message, picture }
    }
}

impl Mistakes {
    /// An error if there is any.
    pub(crate) fn none_or(all: Vec<Mistake>) -> Result<(), Mistakes> {
        if all.is_empty() { Ok(()) } else { Err(Mistakes(all)) }
    }

    /// Each in its words.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// These, after others.
    pub(crate) fn after(self, mut others: Vec<Mistake>) -> Mistakes {
        others.extend(self);
        Mistakes(others)
    }

    /// One mistake in the place of some, if there are such; the others come after it.
    pub(crate) fn instead(
        self,
        of: impl Fn(&Mistake) -> bool,
        tell: impl FnOnce(&[Mistake]) -> Mistake,
    ) -> Mistakes {
        let (some, others): (Vec<_>, Vec<_>) = self.0.into_iter().partition(of);
        let told = (!some.is_empty()).then(|| tell(&some));
        Mistakes(told.into_iter().chain(others).collect())
    }

    /// The same mistakes, told in another way.
    pub(crate) fn map(self, tell: impl FnMut(Mistake) -> Mistake) -> Mistakes {
        Mistakes(self.0.into_iter().map(tell).collect())
    }
}

impl Error for Mistakes {}

impl fmt::Display for Mistakes {
    /// Each on lines of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.0.iter().enumerate() {
            let before = if place == 0 { "" } else { "\n" };
            write!(f, "{before}{mistake}")?;
        }
        Ok(())
    }
}

impl Deref for Mistakes {
    type Target = [Mistake];

    fn deref(&self) -> &[Mistake] {
        &self.0
    }
}

impl IntoIterator for Mistakes {
    type Item = Mistake;
    type IntoIter = std::vec::IntoIter<Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Mistake> for Mistakes {
    fn from(one: Mistake) -> Mistakes {
        Mistakes(vec![one])
    }
}

impl Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            None => write!(f, "{}: {}", self.file, self.message),
            Some((line, column)) => {
                write!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
                if self.picture.is_empty() { Ok(()) } else { write!(f, "\n{}", self.picture) }
            }
        }
    }
}

/// A text that does nothing to a terminal but appear on it.
fn printable(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\n';
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// A value as it is shown in a message: what nobody would read is cut off.
pub fn crop(value: &str) -> String {
    const MOST: usize = 60;
    match value.char_indices().nth(MOST) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}...", &value[..end]),
    }
}

/// The line with a mark under the word that is meant.
fn picture(text: &str, line: usize, column: usize) -> String {
    let Some(content) = text.lines().nth(line.saturating_sub(1)) else { return String::new() };
    if content.len() > 400 {
        return String::new(); // Nobody reads such a line on a terminal.
    }
    let start: usize = content.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let rest = &content[start..];
    let word = rest.find([',', '}', ' ', ']']).filter(|length| *length > 0).unwrap_or(rest.len());
    let end = (start + word).min(content.len());
    let snippet = Snippet::source(content)
        .line_start(line)
        .annotation(AnnotationKind::Primary.span(start..end));
    let report = &[Level::ERROR.no_name().primary_title("").element(snippet)];
    let rendered = Renderer::plain().render(report);
    rendered.lines().filter(|line| line.contains('|')).collect::<Vec<_>>().join("\n")
}

/// How the sentence about a name that is not known ends: with those that differ in their number alone, if there are
/// some, or else with the nearest one, if any is near.
pub fn hint(written: &str, known: &[&str]) -> Option<String> {
    let near = || nearest(written, known.iter().copied());
    numbered(written, known).or_else(|| near().map(|near| format!("did you mean `{near}`?")))
}

/// Who writes another number has made no mistake with a letter: he thinks that there are more.
fn numbered(written: &str, known: &[&str]) -> Option<String> {
    let (stem, _) = number_of(written)?;
    let numbers = known.iter().filter_map(|name| number_of(name));
    let mut numbers: Vec<u64> = numbers.filter(|(own, _)| *own == stem).map(|it| it.1).collect();
    numbers.sort_unstable();
    let (first, last) = (numbers.first()?, numbers.last()?);
    // Else it is no count: `tkgs-2024` is a name.
    if *first != 0 {
        return None;
    }
    let told = match numbers.len() as u64 {
        1 => return Some(format!("there is only `{stem}{first}`")),
        count if count > 2 && last - first + 1 == count => {
            return Some(format!("there are `{stem}{first}` to `{stem}{last}`"));
        }
        _ => numbers.iter().map(|number| format!("`{stem}{number}`")),
    };
    Some(format!("there are {}", told.collect::<Vec<_>>().join(", ")))
}

/// `worker-` and 9; nothing of a name that does not end in a dash and a plain number.
fn number_of(name: &str) -> Option<(&str, u64)> {
    let (stem, digits) = name.split_at(name.rfind('-')? + 1);
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some((stem, number))
}

/// The known word that is nearest to what was written, if any is near.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (distance(written, word), word))
        .min()
        .filter(|(distance, word)| *distance <= word.len().max(3) / 3)
        .map(|(_, word)| word)
}

/// How many letters have to be changed, added or left out.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_one_error_that_tells_each_on_a_line_of_its_own() {
        let both = vec![Mistake::of("a.yaml", "is empty"), Mistake::of("b.yaml", "is missing")];
        let fails = || -> Result<(), Box<dyn Error>> { Ok(Mistakes::none_or(both)?) };
        let told = fails().expect_err("there are two").to_string();
        assert_eq!(told, "a.yaml: is empty\nb.yaml: is missing");
        assert_eq!(Mistakes::none_or(Vec::new()), Ok(()));
    }

    #[test]
    fn a_mistake_shows_file_line_column_and_the_marked_word() {
        let text = "spec:\n  until: 5 min\n";
        let mistake = Mistake::at("my.yaml", text, (2, 10), "`5 min` is not a duration");
        let shown = mistake.to_string();
        assert!(shown.starts_with("my.yaml:2:10: `5 min` is not a duration\n"), "{shown}");
        assert!(shown.contains("until: 5 min") && shown.contains("         ^"), "{shown}");
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["worker-kubelet-stopped", "worker-power-off"];
        assert_eq!(nearest("worker-kubelet-stoped", known.into_iter()), Some(known[0]));
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }

    #[test]
    fn of_names_that_differ_in_their_number_all_are_told() {
        let told = |written: &str, known: &[&str]| hint(written, known).unwrap_or_default();
        let vms = ["control-plane-0", "worker-0", "worker-1", "worker-10", "worker-2"];
        assert_eq!(told("worker-9", &vms[..3]), "there are `worker-0`, `worker-1`");
        assert_eq!(
            told("worker-9", &vms),
            "there are `worker-0`, `worker-1`, `worker-2`, `worker-10`"
        );
        assert_eq!(told("control-plane-1", &vms), "there is only `control-plane-0`");
        let nodes = ["Node/worker-2", "Node/worker-1", "Node/worker-0", "VM/worker-7"];
        assert_eq!(told("Node/worker-3", &nodes), "there are `Node/worker-0` to `Node/worker-2`");
        assert_eq!(told("worker-00", &vms), "did you mean `worker-0`?");
        assert_eq!(told("wroker-1", &vms), "did you mean `worker-1`?");
        assert_eq!(told("zzz-1", &vms), "");
        assert_eq!(told("tkgs-2042", &["tkgs-2024"]), "did you mean `tkgs-2024`?");
    }
}
