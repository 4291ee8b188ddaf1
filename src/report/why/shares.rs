//! What each rule takes of the way over many runs.

use super::{named, percent, place};
use crate::analysis::why::{RuleShare, Settings, Shares};
use crate::engine::{Duration, counted};
use crate::report::clock;
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use std::io;

const SHARE: usize = 9;
const RUNS: usize = 7;
const LENGTH: usize = 11;
const TEXT: usize = SHARE + RUNS + 2 * LENGTH + 2;

const PARTIAL: &str = "partial: interrupted before all runs were played";

/// Writes a table, the rules that take most first.
pub fn write_shares(
    shares: &Shares,
    label: &str,
    settings: &Settings,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let Shares { first_seed, runs, reached, .. } = shares;
    say(Mood::Heading, label, style, to)?;
    let last = first_seed + runs.saturating_sub(1);
    let mean = Duration::from_micros(shares.whole.as_micros() / (*reached).max(1));
    let mut text =
        format!("reached in {reached} of {} (seeds {first_seed}..{last})", counted(*runs, "run"));
    if *reached > 0 {
        text.push_str(&format!(", after {} on average", clock::length(mean)));
    }
    say(Mood::Quiet, &text, style, to)?;
    if shares.partial {
        say(Mood::Bad, PARTIAL, style, to)?;
    }
    if *reached == 0 {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    for (name, width) in [("share", SHARE), ("runs", RUNS), ("median", LENGTH), ("p95", LENGTH)] {
        line.add(Mood::Quiet, format!("{name:>width$}"));
    }
    line.add(Mood::Quiet, "  of those runs");
    line.write(style, to)?;
    for rule in &shares.rules {
        row(rule, shares, settings, style, to)?;
    }
    Ok(())
}

fn row(
    rule: &RuleShare,
    shares: &Shares,
    settings: &Settings,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Neutral, format!("{:>SHARE$}", percent(rule.sum(), shares.whole)));
    line.add(Mood::Quiet, format!("{:>RUNS$}", rule.lengths.len()));
    for percent in [50, 95] {
        let length = rule.percentile(percent).unwrap_or_default();
        line.add(Mood::Neutral, format!("{:>LENGTH$}", clock::fine(length)));
    }
    let body = [
        Span::new(Mood::Heading, named(rule.rule, settings)),
        Span::new(Mood::Quiet, place(rule.rule, settings)),
    ];
    hang(line, TEXT, &body, style, to)
}
