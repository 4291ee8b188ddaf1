//! One way, from the fault to the milestone: what happened, what each step waited for, and the sum.

use super::{named, percent, place};
use crate::analysis::why::{Part, Settings, Share, Why, sum_up};
use crate::engine::{Duration, Rule};
use crate::report::clock;
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use crate::report::words;
use crate::timeline::Entry;
use std::io;

/// Waits that are shorter than this part of the whole are told together.
const SMALL: u64 = 200;
/// The columns of a wait.
const TOOK: usize = 12;
const SHARE: usize = 8;
const TEXT: usize = 26;

/// Writes the way and the sums; `replay` is the command that plays the run.
pub fn write_why(why: &Why, replay: &str, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    title(why, style, to)?;
    writeln!(to)?;
    steps(why, style, to)?;
    writeln!(to)?;
    sums(&sum_up(&why.parts), why.whole(), &why.settings, style, to)?;
    let words = format!("The parts add up to the whole. Play it:  {replay}");
    writeln!(to)?;
    say(Mood::Quiet, &words, style, to)
}

fn title(why: &Why, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let run = &why.run;
    let mut line = Line::default();
    line.add(Mood::Heading, format!("{} on {}, seed {}", run.scenario, run.platform, run.seed));
    line.write(style, to)?;
    let mut line = Line::default();
    let (name, object) = (&why.milestone.name, &why.milestone.object);
    let whole = clock::length(why.whole());
    line.add(Mood::Neutral, format!("{name}  {object}  {whole} after the first fault"));
    line.write(style, to)
}

/// What happened, and between two happenings what was waited for.
fn steps(why: &Why, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let stations = why.stations();
    let mut told = 0;
    let mut small: Vec<&Part> = Vec::new();
    for part in &why.parts {
        if is_small(part, why.whole()) {
            small.push(part);
            continue;
        }
        // Of what happened within short waits, the last is what the long one began with.
        let before = stations.partition_point(|entry| entry.at <= part.from);
        together(&std::mem::take(&mut small), why, style, to)?;
        if let Some(entry) = stations[..before].last().filter(|_| before > told) {
            station(entry, why, style, to)?;
        }
        told = before;
        wait(part, why, style, to)?;
    }
    together(&small, why, style, to)?;
    match stations.last() {
        Some(entry) => station(entry, why, style, to),
        None => Ok(()),
    }
}

fn is_small(part: &Part, whole: Duration) -> bool {
    part.length().as_micros() * SMALL < whole.as_micros()
}

fn station(entry: &Entry, why: &Why, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Quiet, clock::since(why.fault(), entry.at)).pad_to(TOOK);
    let says = match entry.field == *"log" {
        true => entry.message.to_string(),
        false => words::change(entry),
    };
    let text = format!("{}  {says}", entry.object());
    hang(line, TOOK, &[Span::new(words::mood(entry), text)], style, to)
}

fn wait(part: &Part, why: &Why, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let length = part.length();
    let line = amount(length, why.whole());
    let place = place(part.rule, &why.settings);
    let body =
        [Span::new(Mood::Heading, named(part.rule, &why.settings)), Span::new(Mood::Quiet, place)];
    hang(line, TEXT, &body, style, to)
}

fn amount(length: Duration, whole: Duration) -> Line {
    let mut line = Line::default();
    let took = clock::fine(length);
    line.add(Mood::Neutral, format!("{took:>width$}", width = TOOK + 4));
    line.add(Mood::Quiet, format!("{:>SHARE$}", percent(length, whole)));
    line.pad_to(TEXT);
    line
}

/// Short waits, named by their rules, the longest first.
fn together(small: &[&Part], why: &Why, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if small.is_empty() {
        return Ok(());
    }
    let parts: Vec<Part> = small.iter().map(|part| **part).collect();
    let shares = sum_up(&parts);
    let total = shares.iter().fold(Duration::ZERO, |sum, share| sum + share.length);
    let words = |share: &Share| format!("{} {}", share.rule, clock::fine(share.length));
    let named: Vec<String> = shares.iter().take(3).map(words).collect();
    let rest = match shares.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = parts.len();
    let waits = if count == 1 { "wait" } else { "waits" };
    let text = format!("{count} short {waits}: {}{rest}", named.join(", "));
    hang(amount(total, why.whole()), TEXT, &[Span::new(Mood::Quiet, text)], style, to)
}

/// What each rule takes in all.
fn sums(
    shares: &[Share],
    whole: Duration,
    settings: &Settings,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    say(Mood::Heading, "What it waited for, in all", style, to)?;
    let (large, small): (Vec<&Share>, Vec<&Share>) =
        shares.iter().partition(|share| share.length.as_micros() * 1_000 >= whole.as_micros());
    for share in large {
        let times =
            if share.count > 1 { format!("({} times)", share.count) } else { String::new() };
        let body = [
            Span::new(Mood::Neutral, named(share.rule, settings)),
            Span::new(Mood::Quiet, times),
            Span::new(Mood::Quiet, place(share.rule, settings)),
        ];
        hang(amount(share.length, whole), TEXT, &body, style, to)?;
    }
    if small.is_empty() {
        return Ok(());
    }
    let total = small.iter().fold(Duration::ZERO, |sum, share| sum + share.length);
    let names: Vec<Rule> = small.iter().map(|share| share.rule).collect();
    let text = format!("less than 0.1 % each: {}", names.join(", "));
    hang(amount(total, whole), TEXT, &[Span::new(Mood::Quiet, text)], style, to)
}
