//! Clusters beside the first of several: what another one buys.

use super::{column, minutes, things};
use crate::analysis::availability::{AS_LONG, Availability, Beside};
use crate::engine::{Duration, counted};
use crate::report::json::{difference, list, object};
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use serde_json::json;
use std::io;

/// What another cluster buys, if several are asked for.
pub fn differences(all: &[Availability], style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let others = || all.iter().filter_map(|one| Some((one, one.beside.as_ref()?)));
    if others().next().is_none() {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "Beside the first");
    line.add(Mood::Quiet, ": more or less down a year; what both have fails at the same times");
    line.write(style, to)?;
    for (other, rows) in others() {
        say(Mood::Neutral, &format!("  {}", things(other)), style, to)?;
        if rows.is_empty() {
            say(Mood::Quiet, "    no year that both have played", style, to)?;
        }
        rows.iter().try_for_each(|it| row(it, style, to))?;
    }
    let text = format!(
        "years that differ by less than {AS_LONG} are the same; what was not seen in so many years is in \
         none of these numbers"
    );
    let mut start = Line::default();
    start.pad_to(2);
    hang(start, 2, &[Span::new(Mood::Quiet, text)], style, to)
}

fn row(beside: &Beside, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Beside { service, longer, interval, years: [less, same, greater] } = beside;
    let sure = match interval {
        Some([low, high]) => format!("{}..{}", more(*low), more(*high)),
        None if beside.is_same() => "no difference seen".to_owned(),
        None => "too little seen".to_owned(),
    };
    let mut line = Line::default();
    line.pad_to(4).add(Mood::Neutral, service.as_str());
    line.pad_to(column(0)).add(mood(*interval), more(*longer));
    line.pad_to(column(1)).add(Mood::Neutral, sure).pad_to(column(3));
    let years = counted(beside.played(), "year");
    let text = format!("of {years}: {less} less, {same} same, {greater} more");
    line.add(Mood::Quiet, text);
    line.write(style, to)
}

/// Good or bad only where it is sure.
fn mood(interval: Option<[i64; 2]>) -> Mood {
    match interval {
        Some([_, high]) if high < 0 => Mood::Good,
        Some([low, _]) if low > 0 => Mood::Bad,
        _ => Mood::Neutral,
    }
}

fn more(micros: i64) -> String {
    let sign = match micros {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", minutes(Duration::from_micros(micros.unsigned_abs())))
}

/// The same of one cluster, as a list; null for the first.
pub fn differences_json(one: &Availability) -> String {
    let rows = one.beside.as_ref().map(|rows| list(rows.iter().map(beside_json)));
    rows.unwrap_or_else(|| "null".to_owned())
}

fn beside_json(beside: &Beside) -> String {
    let Beside { service, longer, interval, years: [less, same, more] } = beside;
    let ends = interval.map(|ends| list(ends.map(difference).into_iter()));
    object([
        ("service", json!(service).to_string()),
        ("years", beside.played().to_string()),
        ("downPerYear", difference(*longer)),
        ("interval95", ends.unwrap_or_else(|| "null".to_owned())),
        ("yearsLess", less.to_string()),
        ("yearsSame", same.to_string()),
        ("yearsMore", more.to_string()),
    ])
}
