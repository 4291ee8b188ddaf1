//! Each figure as a histogram of lines: when, how many, and how many until then. For a terminal.

use super::numbers::{begin, partial, still, tenths};
use crate::analysis::Estimate;
use crate::analysis::estimate::{Figure, Kind, Name};
use crate::engine::{Duration, counted};
use crate::report::page::{Line, Mood, Style, say};
use std::io;

/// How many lines a figure has.
const BINS: u64 = 16;
/// Columns of the longest bar.
const BAR: u64 = 60;
/// A bar's last column, in eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Writes a plot of every figure of which there is anything to tell.
pub fn write(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if let Some(cut) = estimate.cut {
        say(Mood::Bad, &partial(cut), style, to)?;
        writeln!(to)?;
    }
    let mut figures = estimate.figures.iter().filter(|figure| figure.is_of_note()).peekable();
    if figures.peek().is_none() {
        let scenario = &estimate.asked.scenario;
        return say(Mood::Quiet, &format!("{scenario}: nothing happened"), style, to);
    }
    while let Some(figure) = figures.next() {
        plot(estimate, figure, style, to)?;
        if figures.peek().is_some() {
            writeln!(to)?;
        }
    }
    Ok(())
}

fn plot(
    estimate: &Estimate,
    figure: &Figure,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let Figure { name: Name { kind, figure: what, object }, happened, spread, .. } = figure;
    let unit = match kind {
        Kind::Milestone => "min:s after the first fault",
        Kind::Availability => "min:s in all, of all runs",
    };
    let mut line = Line::default();
    line.add(Mood::Heading, format!("{what} {object}"));
    line.add(Mood::Quiet, format!("  in {happened} of {}; {unit}", counted(estimate.runs, "run")));
    line.write(style, to)?;
    if let Some(words) = still(figure) {
        say(Mood::Bad, &format!("    {words}, and so longer than is shown"), style, to)?;
    }
    let (low, high) = (spread.min(), spread.max());
    let bins = if low == high { 1 } else { BINS };
    let counts = spread.bins(low, high, bins);
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let (all, mut until) = (spread.runs(), 0);
    for (place, count) in (0..).zip(counts) {
        until += count;
        let from =
            low + Duration::from_micros(high.saturating_sub(low).as_micros()).scaled(place, bins);
        let mut line = Line::default();
        line.add(Mood::Quiet, format!("{:>9} ", begin(from))).add(Mood::Neutral, bar(count, most));
        line.pad_to(10 + BAR as usize + 1);
        line.add(Mood::Neutral, format!("{:>6} %", tenths(count, all)));
        line.add(Mood::Quiet, format!("{:>8} %", tenths(until, all)));
        line.write(style, to)?;
    }
    Ok(())
}

/// As long as its part of the most; what is there is seen.
fn bar(count: u64, most: u64) -> String {
    let eighths = (u128::from(count) * u128::from(8 * BAR)).div_ceil(u128::from(most)) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}
