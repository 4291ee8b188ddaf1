//! A page of 100 columns: words wrapped into a column with a hanging indent, painted by mood.
//!
//! It knows nothing of what it prints.
//! Simplified: each character counts as one column; the texts of a cluster are ASCII and arrows.

use anstyle::{AnsiColor, Effects};
use std::io;

/// The width of every page.
pub const WIDTH: usize = 100;

/// Whether the text carries color codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Colored,
}

/// What a piece of text means to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Neutral,
    /// Somebody broke something.
    Fault,
    Bad,
    Good,
    /// There for those who look closer.
    Quiet,
    Heading,
}

/// A piece of text in one mood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub mood: Mood,
    pub text: String,
}

/// One line in the making: spans side by side.
#[derive(Clone, Debug, Default)]
pub struct Line {
    spans: Vec<Span>,
}

impl Span {
    /// A piece of text in one mood.
    pub fn new(mood: Mood, text: impl Into<String>) -> Span {
        Span { mood, text: text.into() }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl Line {
    /// Appends text.
    pub fn add(&mut self, mood: Mood, text: impl Into<String>) -> &mut Line {
        self.spans.push(Span::new(mood, text));
        self
    }

    /// Fills with blanks up to `column`.
    pub fn pad_to(&mut self, column: usize) -> &mut Line {
        let blanks = column.saturating_sub(self.width());
        self.add(Mood::Neutral, " ".repeat(blanks))
    }

    /// The columns taken so far.
    pub fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }

    /// Writes the line without blanks at its end.
    pub fn write(mut self, style: Style, to: &mut impl io::Write) -> io::Result<()> {
        while let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                break;
            }
            self.spans.pop();
        }
        for span in self.spans {
            paint(&span, style, to)?;
        }
        writeln!(to)
    }
}

/// Writes a line that has one mood.
pub fn say(mood: Mood, text: &str, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.add(mood, text);
    line.write(style, to)
}

/// Writes `start`, then `body` from `column` on, wrapped, each further line below the first.
pub fn hang(
    start: Line,
    column: usize,
    body: &[Span],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = start;
    for spans in wrap(body, WIDTH - column) {
        line.pad_to(column);
        line.spans.extend(spans);
        std::mem::take(&mut line).write(style, to)?;
    }
    Ok(())
}

/// A sentence in lines that fit the page, without the last line's end.
pub fn wrapped(text: &str) -> String {
    let lines = wrap(&[Span::new(Mood::Neutral, text)], WIDTH);
    let line = |spans: Vec<Span>| spans.into_iter().map(|span| span.text).collect::<String>();
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Breaks spans at blanks into lines of at most `width`; there is always a first line. A no-break
/// space (U+00A0) holds words together and is printed as a blank.
pub fn wrap(body: &[Span], width: usize) -> Vec<Vec<Span>> {
    let mut lines = vec![Vec::new()];
    let mut used = 0;
    for span in body {
        for word in span.text.split_ascii_whitespace().flat_map(|word| pieces(word, width)) {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > width {
                lines.push(Vec::new());
                used = 0;
            }
            let gap = if used > 0 { " " } else { "" };
            append(lines.last_mut().expect("never empty"), span.mood, gap, &word);
            used += gap.len() + length;
        }
    }
    lines
}

/// A word, cut where it is longer than a whole line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// Adds a word to a line, as part of the last span if that has the same mood.
fn append(line: &mut Vec<Span>, mood: Mood, gap: &str, word: &str) {
    match line.last_mut() {
        Some(last) if last.mood == mood => last.text.push_str(&format!("{gap}{word}")),
        _ => {
            line.extend((!gap.is_empty()).then(|| Span::new(Mood::Neutral, gap)));
            line.push(Span::new(mood, word));
        }
    }
}

fn paint(span: &Span, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let look = look(span.mood);
    let text = span.text.replace('\u{a0}', " ");
    if style == Style::Plain || look.is_plain() || text.trim().is_empty() {
        return write!(to, "{text}");
    }
    write!(to, "{}{text}{}", look.render(), look.render_reset())
}

fn look(mood: Mood) -> anstyle::Style {
    let color = |color: AnsiColor| anstyle::Style::new().fg_color(Some(color.into()));
    match mood {
        Mood::Neutral => anstyle::Style::new(),
        Mood::Fault => color(AnsiColor::Red).effects(Effects::BOLD),
        Mood::Bad => color(AnsiColor::Yellow),
        Mood::Good => color(AnsiColor::Green),
        Mood::Quiet => anstyle::Style::new().effects(Effects::DIMMED),
        Mood::Heading => anstyle::Style::new().effects(Effects::BOLD),
    }
}
