//! What settings move, and what they cost, in print: tables for people, JSON and CSV for programs,
//! pictures for both.
//!
//! It counts nothing: all numbers are in the sensitivity or the sweep.

mod data;
mod front;
mod sensitivity;
mod sweep;
#[cfg(test)]
mod tests;
mod tornado;

pub use data::{sensitivity_csv, sensitivity_json, sweep_csv, sweep_json};
pub use front::sweep_svg;
pub use sensitivity::write_sensitivity;
pub use sweep::write_sweep;
pub use tornado::sensitivity_svg;

use super::compare::{ceil, floor, signed};
use super::estimate::numbers::{around, open_above, seeds, time, up};
use super::page::{Line, Mood, Style, say};
use crate::analysis::tune::{Move, Moved, Played, Quantile};
use crate::engine::{Duration, counted};
use std::io;

/// What is said where an interruption came before the first seed was played with all.
const NOTHING: &str = "nothing was played";

/// What was played, in two lines.
fn title(what: &str, played: &Played, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Played { scenario, platform, first_seed, runs, wanted, .. } = played;
    let mut line = Line::default();
    line.add(Mood::Heading, scenario.as_str());
    line.add(Mood::Neutral, format!(" on {platform}: {what}"));
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    let text = format!(
        "{} of each with the same random numbers, {}; times after the first fault",
        counted(*runs, "run"),
        seeds(*first_seed, *runs)
    );
    say(Mood::Quiet, &text, style, to)?;
    match played.is_partial() {
        true => {
            let text =
                format!("partial: interrupted after {runs} of {} of each", counted(*wanted, "run"));
            say(Mood::Bad, &text, style, to)
        }
        false => Ok(()),
    }
}

/// A percentile: `never` if it does not come in so many runs.
fn quantile(quantile: &Quantile) -> String {
    quantile.value.map_or("never".to_owned(), time)
}

/// How far the interval of a percentile reaches; nothing if there is none.
fn reach(quantile: &Quantile) -> String {
    match (quantile.value, quantile.interval) {
        (Some(value), Some([Some(low), Some(high)])) => around(up(value), (low, high)),
        (Some(value), Some([Some(low), None])) => open_above(up(value), low),
        _ => String::new(),
    }
}

fn moved(by: Move) -> String {
    end(by, signed)
}

fn end(by: Move, rounded: fn(i64) -> String) -> String {
    match by {
        Move::Comes => "comes".to_owned(),
        Move::By(micros) => rounded(micros),
        Move::Fails => "fails".to_owned(),
    }
}

fn interval(moved_: &Moved) -> String {
    match moved_.interval {
        Some([low, high]) => format!("{}..{}", end(low, floor), end(high, ceil)),
        None if moved_.is_doubtful() => "too few runs".to_owned(),
        None => String::new(),
    }
}

/// After a move of which the runs are too few to say whether it is luck.
fn doubt(moved: &Moved) -> &'static str {
    if moved.is_doubtful() { "?" } else { "" }
}

/// Less time is good news.
fn mood(moved: &Moved) -> Mood {
    match moved.by {
        _ if !moved.is_certain() => Mood::Quiet,
        by if by < Move::By(0) => Mood::Good,
        _ => Mood::Bad,
    }
}

/// Millionths with three decimals, rounded to the nearest; what is more than none is never told as none.
fn millionths(number: u64) -> String {
    match (number + 500) / 1000 {
        0 if number > 0 => "<0.001".to_owned(),
        thousandths => format!("{}.{:03}", thousandths / 1000, thousandths % 1000),
    }
}

/// The ends of an interval of millionths, rounded outward.
fn price_interval([low, high]: [u64; 2]) -> String {
    let decimals = |thousandths: u64| format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    format!("{}..{}", decimals(low / 1000), decimals(high.div_ceil(1000)))
}

/// A rate in thousandths, as `0.2`.
fn decimal(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A duration that a person has written: without parts that are none.
fn short(value: &str) -> String {
    let Ok(length) = value.parse::<Duration>() else { return value.to_owned() };
    let text = length.to_string();
    let text = text.strip_suffix("m0s").map(|text| format!("{text}m")).unwrap_or(text);
    text.strip_suffix("h0m").map(|text| format!("{text}h")).unwrap_or(text)
}
