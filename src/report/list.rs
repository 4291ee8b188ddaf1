//! What `list` prints: lines for scripts, a table for people, JSON, CSV.
//!
//! It knows no list: names and settings come from its caller, in the order in which they appear.

use super::page::{Line, Mood, Span, Style, hang, say};
use serde_json::json;
use std::fmt;
use std::io;
use std::str::FromStr;

/// One list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Names, each with what is to be said of it.
    Names(Vec<(String, String)>),
    /// The settings of a platform.
    Settings { platform: String, rows: Vec<SettingRow> },
}

/// One setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingRow {
    /// As `--set` takes it: words with dots between them.
    pub key: String,
    /// What it is on this platform unless it is changed.
    pub value: String,
    /// What a value is: a duration, a number within bounds, one of some words.
    pub unit: String,
    pub basis: &'static str,
    /// Within which nobody knows where it lies; empty if it is known.
    pub range: String,
    /// Whether who runs a cluster can set it.
    pub settable: bool,
    /// The flag, field or constant that it is.
    pub flag: String,
    pub source: String,
}

/// The forms in which a list can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListFormat {
    /// One a line, the name first.
    Lines,
    /// For people: grouped and wrapped.
    Table,
    Json,
    Csv,
}

/// A word that is not the name of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAListFormat {
    word: String,
}

/// Columns of a table of settings: where values and words begin.
const VALUE: usize = 32;
const WORDS: usize = 50;

/// Prints a list; only the table takes a style.
pub fn write_list(
    format: ListFormat,
    list: &Listed,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    match (format, list) {
        (ListFormat::Lines, Listed::Names(names)) => {
            name_lines(names).iter().try_for_each(|line| writeln!(to, "{line}"))
        }
        (ListFormat::Table, Listed::Names(names)) => {
            let width = widest(names.iter().map(|(name, _)| name));
            names.iter().try_for_each(|(name, says)| {
                let mut line = Line::default();
                line.add(Mood::Neutral, name.as_str());
                hang(line, width + 2, &[Span::new(Mood::Quiet, says.as_str())], style, to)
            })
        }
        (ListFormat::Lines, Listed::Settings { rows, .. }) => setting_lines(rows, to),
        (ListFormat::Table, Listed::Settings { platform, rows }) => {
            setting_table(platform, rows, style, to)
        }
        (ListFormat::Json, list) => writeln!(to, "{}", document(list)),
        (ListFormat::Csv, list) => {
            let (columns, rows) = cells(list);
            let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
            csv_line(&columns, to)?;
            rows.iter().try_for_each(|row| csv_line(row, to))
        }
    }
}

/// A line of CSV (RFC 4180).
pub(super) fn csv_line(cells: &[String], to: &mut impl io::Write) -> io::Result<()> {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    writeln!(to, "{}", cells.join(","))
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

fn widest<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(String::len).max().unwrap_or_default()
}

fn name_lines(names: &[(String, String)]) -> Vec<String> {
    let width = widest(names.iter().map(|(name, _)| name));
    names.iter().map(|(name, says)| format!("{name:width$}  {says}")).collect()
}

fn setting_lines(rows: &[SettingRow], to: &mut impl io::Write) -> io::Result<()> {
    let width = widest(rows.iter().map(|row| &row.key));
    let values = widest(rows.iter().map(|row| &row.value));
    rows.iter().try_for_each(|row| {
        let SettingRow { key, value, unit, flag, source, .. } = row;
        let by = if row.settable { "settable" } else { "fixed" };
        let known = known(row);
        writeln!(to, "{key:width$}  {value:values$}  {unit}; {by}; {flag}; {known}; {source}")
    })
}

/// How its value is known.
fn known(row: &SettingRow) -> String {
    match row.range.is_empty() {
        true => row.basis.to_owned(),
        false => format!("{} in {}", row.basis, row.range),
    }
}

fn setting_table(
    platform: &str,
    rows: &[SettingRow],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut group = "";
    for row in rows {
        let (prefix, name) = row.key.rsplit_once('.').unwrap_or(("", &row.key));
        if prefix != group {
            let mut line = Line::default();
            line.add(Mood::Heading, prefix).add(Mood::Quiet, format!("  on {platform}"));
            if !group.is_empty() {
                say(Mood::Neutral, "", style, to)?;
            }
            line.write(style, to)?;
            group = prefix;
        }
        setting_row(name, row, style, to)?;
    }
    say(Mood::Neutral, "", style, to)?;
    let words = "* whoever runs a cluster can set it: a flag, a field, an environment variable. All \
                 else is how a release is built, or how long the world takes; --set changes both.";
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, words)], style, to)
}

fn setting_row(
    name: &str,
    row: &SettingRow,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Good, if row.settable { "* " } else { "  " });
    line.add(Mood::Neutral, name).add(Mood::Neutral, " ").pad_to(VALUE);
    let mood = if row.range.is_empty() { Mood::Neutral } else { Mood::Bad };
    line.add(mood, row.value.as_str()).add(Mood::Neutral, " ");
    // What is too long for its column has a line of its own.
    if line.width() > WORDS {
        line.write(style, to)?;
        line = Line::default();
    }
    let body = [
        Span::new(Mood::Neutral, format!("{}.", row.flag)),
        Span::new(Mood::Quiet, format!("{}; {}: {}", row.unit, known(row), row.source)),
    ];
    hang(line, WORDS, &body, style, to)
}

/// All that is known, by column.
fn cells(list: &Listed) -> (Vec<&'static str>, Vec<Vec<String>>) {
    match list {
        Listed::Names(names) => {
            let rows = names.iter().map(|(name, says)| vec![name.clone(), says.clone()]);
            (vec!["name", "says"], rows.collect())
        }
        Listed::Settings { platform, rows } => {
            let columns = vec![
                "key", "platform", "value", "unit", "settable", "flag", "basis", "range", "source",
            ];
            let row = |row: &SettingRow| {
                vec![
                    row.key.clone(),
                    platform.clone(),
                    row.value.clone(),
                    row.unit.clone(),
                    row.settable.to_string(),
                    row.flag.clone(),
                    row.basis.to_owned(),
                    row.range.clone(),
                    row.source.clone(),
                ]
            };
            (columns, rows.iter().map(row).collect())
        }
    }
}

/// A list of objects, one a line; what is empty is null.
fn document(list: &Listed) -> String {
    let (columns, rows) = cells(list);
    let object = |row: &Vec<String>| {
        let fields = columns.iter().zip(row).map(|(column, cell)| {
            let value = match (*column, cell.as_str()) {
                ("settable", flag) => flag.to_owned(),
                (_, "") => "null".to_owned(),
                (_, text) => json!(text).to_string(),
            };
            format!("{}:{value}", json!(column))
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let objects: Vec<String> = rows.iter().map(object).collect();
    format!("[{}]", objects.join(",\n"))
}

impl ListFormat {
    /// All formats, with the name of each.
    pub const ALL: [(&str, ListFormat); 4] = [
        ("lines", ListFormat::Lines),
        ("table", ListFormat::Table),
        ("json", ListFormat::Json),
        ("csv", ListFormat::Csv),
    ];
}

impl FromStr for ListFormat {
    type Err = NotAListFormat;
    fn from_str(word: &str) -> Result<ListFormat, NotAListFormat> {
        let found = ListFormat::ALL.iter().find(|(name, _)| *name == word);
        found.map(|(_, format)| *format).ok_or_else(|| NotAListFormat { word: word.to_owned() })
    }
}

impl fmt::Display for NotAListFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ListFormat::ALL.map(|(name, _)| name).join(", ");
        write!(f, "`{}` is not a format of a list; known: {names}", self.word)
    }
}

impl std::error::Error for NotAListFormat {}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: ListFormat, list: &Listed) -> String {
        let mut bytes = Vec::new();
        write_list(format, list, Style::Plain, &mut bytes).expect("memory");
        String::from_utf8(bytes).expect("text")
    }

    fn settings() -> Listed {
        let row = |key: &str, value: &str, range: &str, settable| SettingRow {
            key: key.to_owned(),
            value: value.to_owned(),
            unit: "duration".to_owned(),
            basis: if range.is_empty() { "documented" } else { "assumed" },
            range: range.to_owned(),
            settable,
            flag: "Kind field, \"so\"".to_owned(),
            source: "a page".to_owned(),
        };
        let rows = vec![
            row("a.one", "5m", "", true),
            row("b.two", "1s..2s", "1s..9s", false),
            row(
                "b.aVeryLongNameThatTakesMoreThanItsColumn",
                "none of a rather long value",
                "",
                true,
            ),
        ];
        Listed::Settings { platform: "tkgs-2024".to_owned(), rows }
    }

    #[test]
    fn people_get_groups_and_scripts_a_line_each() {
        insta::assert_snapshot!(printed(ListFormat::Table, &settings()), @r#"
        a  on tkgs-2024
        * one                           5m                Kind field, "so". duration; documented: a page

        b  on tkgs-2024
          two                           1s..2s            Kind field, "so". duration; assumed in 1s..9s: a
                                                          page
        * aVeryLongNameThatTakesMoreThanItsColumn none of a rather long value
                                                          Kind field, "so". duration; documented: a page

        * whoever runs a cluster can set it: a flag, a field, an environment variable. All else is how a
        release is built, or how long the world takes; --set changes both.
        "#);
        insta::assert_snapshot!(printed(ListFormat::Lines, &settings()), @r#"
        a.one                                      5m                           duration; settable; Kind field, "so"; documented; a page
        b.two                                      1s..2s                       duration; fixed; Kind field, "so"; assumed in 1s..9s; a page
        b.aVeryLongNameThatTakesMoreThanItsColumn  none of a rather long value  duration; settable; Kind field, "so"; documented; a page
        "#);
    }

    #[test]
    fn documents_have_every_column_and_null_where_nothing_is() {
        insta::assert_snapshot!(printed(ListFormat::Json, &settings()), @r#"
        [{"key":"a.one","platform":"tkgs-2024","value":"5m","unit":"duration","settable":true,"flag":"Kind field, \"so\"","basis":"documented","range":null,"source":"a page"},
        {"key":"b.two","platform":"tkgs-2024","value":"1s..2s","unit":"duration","settable":false,"flag":"Kind field, \"so\"","basis":"assumed","range":"1s..9s","source":"a page"},
        {"key":"b.aVeryLongNameThatTakesMoreThanItsColumn","platform":"tkgs-2024","value":"none of a rather long value","unit":"duration","settable":true,"flag":"Kind field, \"so\"","basis":"documented","range":null,"source":"a page"}]
        "#);
        let csv = printed(ListFormat::Csv, &settings());
        assert!(csv.starts_with("key,platform,value,unit,settable,flag,basis,range,source\n"));
        assert!(csv.contains("\"Kind field, \"\"so\"\"\""), "{csv}");
        let names = Listed::Names(vec![("stopUnit".to_owned(), "stops a unit".to_owned())]);
        assert_eq!(printed(ListFormat::Csv, &names), "name,says\nstopUnit,stops a unit\n");
        assert_eq!(printed(ListFormat::Lines, &names), "stopUnit  stops a unit\n");
    }
}
