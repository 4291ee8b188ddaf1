//! A campaign in print: how runs came out, what they were stuck on, what was tried, which laws broke.
//!
//! It counts nothing: all numbers are the campaign's.

mod exhausted;
mod json;

pub use exhausted::{exhausted_json, write_exhausted};
pub use json::campaign_json;

use super::page::{Line, Mood, Span, Style, hang, say};
use crate::analysis::estimate::MOST_RUNS;
use crate::analysis::fuzz::{Campaign, Count, KINDS, Outcome, Phase};
use crate::engine::counted;
use std::io;

/// The columns of counts, shares and seeds.
const RUNS: usize = 8;
const SHARE: usize = 9;
const SEED: usize = 12;
const TEXT: usize = RUNS + SHARE + SEED + 2;
const KIND: usize = 16;
const PHASE: usize = 10;

/// Writes a campaign; `again` are the words that play the run of a seed again.
pub fn write_campaign(
    campaign: &Campaign,
    again: &dyn Fn(u64) -> String,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    title(campaign, style, to)?;
    outcomes(campaign, style, to)?;
    for (name, gaps) in [
        ("what they were stuck on, before anybody came to repair", &campaign.gaps),
        ("what repairs of machines, links, files and processes did not mend", &campaign.left),
    ] {
        let mut rows: Vec<(String, Count)> =
            gaps.iter().map(|(gap, count)| (gap.to_string(), *count)).collect();
        rows.sort_by_key(|(_, count)| (u64::MAX - count.runs, count.first));
        table(name, &rows, campaign, style, to)?;
    }
    let reached = campaign.reached.iter().map(|(name, count)| ((*name).to_owned(), *count));
    table("what was reached", &reached.collect::<Vec<_>>(), campaign, style, to)?;
    pairs(campaign, style, to)?;
    verdict(campaign, again, style, to)
}

fn title(campaign: &Campaign, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Campaign { platform, first_seed, played, asked, struck, events, .. } = campaign;
    let mut line = Line::default();
    line.add(Mood::Heading, "fuzz");
    line.add(Mood::Neutral, format!(" on {platform}: random clusters, settings and faults"));
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    let last = first_seed.saturating_add(played.saturating_sub(1));
    let runs = format!(
        "{}, seeds {first_seed}..{last}; {} struck; {events} engine events",
        counted(*played, "run"),
        counted(*struck, "fault")
    );
    say(Mood::Quiet, if *played > 0 { &runs } else { "no run" }, style, to)?;
    with(&campaign.settings, style, to)?;
    // With so many only the clock was meant to end it.
    if played < asked && *asked < MOST_RUNS {
        let text = format!("ended after {played} of {}", counted(*asked, "run"));
        say(Mood::Bad, &text, style, to)?;
    }
    Ok(())
}

/// The settings that every run has, if any are asked for.
fn with(settings: &[(String, String)], style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = format!("with {}", all.join(", "));
    hang(Line::default(), 0, &[Span::new(Mood::Neutral, text)], style, to)
}

fn outcomes(campaign: &Campaign, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let count = |outcome: &Outcome| campaign.outcomes.get(outcome).copied().unwrap_or_default();
    let rows = Outcome::ALL.iter().map(|outcome| (outcome.words().to_owned(), count(outcome)));
    let rows: Vec<(String, Count)> = rows.filter(|(_, count)| count.runs > 0).collect();
    table("how they came out", &rows, campaign, style, to)
}

/// Rows of counts with the first seed of each.
fn table(
    name: &str,
    rows: &[(String, Count)],
    campaign: &Campaign,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    for (name, width) in [("runs", RUNS), ("share", SHARE), ("first seed", SEED)] {
        line.add(Mood::Quiet, format!("{name:>width$}"));
    }
    line.add(Mood::Quiet, format!("  {name}"));
    line.write(style, to)?;
    for (words, count) in rows {
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("{:>RUNS$}", count.runs));
        let share = share(count.runs, campaign.played);
        line.add(Mood::Quiet, format!("{share:>SHARE$}"));
        let seed = if count.runs > 0 { count.first.to_string() } else { "-".to_owned() };
        line.add(Mood::Quiet, format!("{seed:>SEED$}"));
        let mood = if count.runs > 0 { Mood::Neutral } else { Mood::Bad };
        hang(line, TEXT, &[Span::new(mood, words.as_str())], style, to)?;
    }
    Ok(())
}

/// How often which kind of fault struck in which phase of healing.
fn pairs(campaign: &Campaign, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if campaign.pairs.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Quiet, format!("{:<KIND$}", "  struck while"));
    for phase in Phase::ALL {
        line.add(Mood::Quiet, format!("{:>PHASE$}", phase.word()));
    }
    line.write(style, to)?;
    let count = |kind, phase| campaign.pairs.get(&(kind, phase)).copied().unwrap_or(0);
    for kind in KINDS.iter().map(|kind| kind.name) {
        if Phase::ALL.iter().all(|phase| count(kind, *phase) == 0) {
            continue;
        }
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("{:<KIND$}", format!("  {kind}")));
        for phase in Phase::ALL {
            let mood = if count(kind, phase) > 0 { Mood::Neutral } else { Mood::Quiet };
            line.add(mood, format!("{:>PHASE$}", count(kind, phase)));
        }
        line.write(style, to)?;
    }
    Ok(())
}

fn verdict(
    campaign: &Campaign,
    again: &dyn Fn(u64) -> String,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    writeln!(to)?;
    if campaign.violations.is_empty() {
        return say(Mood::Good, "no law was broken", style, to);
    }
    for (seed, violation) in &campaign.violations {
        let mut start = Line::default();
        start.add(Mood::Bad, "violated  ");
        hang(start, 10, &[Span::new(Mood::Neutral, violation.to_string())], style, to)?;
        let mut start = Line::default();
        start.add(Mood::Quiet, "          again: ");
        hang(start, 17, &[Span::new(Mood::Quiet, again(*seed))], style, to)?;
    }
    Ok(())
}

fn share(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 2000 + u128::from(whole)) / (u128::from(whole) * 2).max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}
