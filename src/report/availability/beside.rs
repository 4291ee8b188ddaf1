//! Clusters beside the first of several: what another one buys.

use super::{column, minutes, things};
use crate::analysis::availability::{Availability, Beside, beside};
use crate::engine::Duration;
use crate::report::json::{length, list, object};
use crate::report::page::{Line, Mood, Style, say};
use serde_json::json;
use std::io;

/// What another cluster buys, if several are asked for.
pub fn differences(all: &[Availability], style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Some((first, others)) = all.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Ok(());
    };
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "Beside the first");
    line.add(Mood::Quiet, ": more or less down a year; what both have fails at the same times");
    line.write(style, to)?;
    for other in others {
        say(Mood::Neutral, &format!("  {}", things(other)), style, to)?;
        for Beside { service, longer, interval, years } in beside(first, other) {
            let sure = match interval {
                Some([low, high]) => format!("{}..{}", more(low), more(high)),
                None => "too little seen".to_owned(),
            };
            let [less, same, greater] = years;
            let mut line = Line::default();
            line.pad_to(4).add(Mood::Neutral, service.as_str());
            line.pad_to(column(0)).add(beside_mood(interval), more(longer));
            line.pad_to(column(1)).add(Mood::Neutral, sure).pad_to(column(3));
            let years = format!("years: {less} less, {same} same, {greater} more");
            line.add(Mood::Quiet, years);
            line.write(style, to)?;
        }
    }
    Ok(())
}

/// Good or bad only where it is sure.
fn beside_mood(interval: Option<[i64; 2]>) -> Mood {
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

/// The same of one cluster, as a list.
pub fn differences_json(first: &Availability, other: &Availability) -> String {
    list(beside(first, other).iter().map(beside_json))
}

fn beside_json(Beside { service, longer, interval, years: [less, same, more] }: &Beside) -> String {
    let seconds = |micros: i64| {
        let sign = if micros < 0 { "-" } else { "" };
        format!("{sign}{}", length(Some(Duration::from_micros(micros.unsigned_abs()))))
    };
    let ends = interval.map(|ends| list(ends.map(seconds).into_iter()));
    object([
        ("service", json!(service).to_string()),
        ("downPerYear", seconds(*longer)),
        ("interval95", ends.unwrap_or_else(|| "null".to_owned())),
        ("yearsLess", less.to_string()),
        ("yearsSame", same.to_string()),
        ("yearsMore", more.to_string()),
    ])
}
