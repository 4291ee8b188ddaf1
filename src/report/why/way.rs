//! One way, from the fault to the milestone: what happened, what each step waited for, and the sum.

use super::{named, percent, place};
use crate::analysis::why::{Part, Settings, Share, Why, sum_up};
use crate::engine::{Duration, Rule, Text};
use crate::report::clock;
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use crate::report::{shell, words};
use crate::timeline::Entry;
use std::io;

/// Waits that are shorter than this part of the whole are told together.
const SMALL: u64 = 200;
/// The columns of a wait.
const TOOK: usize = 12;
const SHARE: usize = 8;
const TEXT: usize = 26;

/// Writes the way and the sums; `replay` are the words that play the run.
pub fn write_why(
    why: &Why,
    replay: &[Text],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    title(why, style, to)?;
    writeln!(to)?;
    steps(why, style, to)?;
    writeln!(to)?;
    sums(&sum_up(&why.parts), why.whole(), &why.settings, style, to)?;
    let words = format!("The parts add up to the whole. Play it:  {}", shell::command(replay));
    writeln!(to)?;
    say(Mood::Quiet, &words, style, to)?;
    shell::hint(replay).map_or(Ok(()), |hint| say(Mood::Quiet, hint, style, to))
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
    // The last is told at the end, also where a wait of no length begins with it.
    let Some((last, stations)) = stations.split_last() else { return Ok(()) };
    let mut told = 0;
    // Before a wait stands what it began with. Of what happened within short waits that is the last.
    let mut begin = |part: &Part, to: &mut _| {
        let before = stations.partition_point(|entry| entry.at <= part.from);
        let new = stations[std::mem::replace(&mut told, before)..before].last();
        new.map_or(Ok(()), |entry| station(entry, why, style, to))
    };
    let mut small: Vec<&Part> = Vec::new();
    for part in &why.parts {
        if is_small(part, why.whole()) {
            if small.is_empty() {
                begin(part, to)?;
            }
            small.push(part);
            continue;
        }
        together(&std::mem::take(&mut small), why, style, to)?;
        begin(part, to)?;
        wait(part, why, style, to)?;
    }
    together(&small, why, style, to)?;
    station(last, why, style, to)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Milestone;
    use crate::engine::{SimTime, Text};
    use crate::timeline::{EntryId, Run, StepId, Timeline, Value};
    use insta::assert_snapshot;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Duration::from_secs(seconds)
    }

    fn entry(seconds: u64, object: &str, field: &str, to: &str) -> Entry {
        let (kind, name) = object.split_once('/').expect("a kind and a name");
        let cluster = Text::EMPTY;
        Entry {
            id: EntryId(0),
            at: at(seconds),
            cluster,
            kind: kind.into(),
            name: name.into(),
            field: field.into(),
            from: Value::Null,
            to: Value::text(to),
            reason: Text::EMPTY,
            message: Text::EMPTY,
            by: Text::EMPTY,
            cause: None,
            reads: Vec::new(),
            took: None,
        }
    }

    /// A way through these entries, the first of which is the fault, with waits of these seconds.
    fn told(entries: &[Entry], waits: &[(u64, Rule)]) -> String {
        let mut timeline = Timeline::default();
        entries
            .iter()
            .for_each(|entry| timeline.push(Entry { id: timeline.next_id(), ..entry.clone() }));
        let entries: Vec<EntryId> = timeline.entries().iter().map(|entry| entry.id).collect();
        let first = timeline.entries().first().expect("a fault").at;
        let mut parts: Vec<Part> = Vec::new();
        for (seconds, rule) in waits {
            let from = parts.last().map_or(first, |part| part.to);
            parts.push(Part {
                from,
                to: from + Duration::from_secs(*seconds),
                rule,
                step: StepId::default(),
            });
        }
        let last = timeline.entries().last().expect("a milestone");
        let milestone = Milestone {
            name: Text::word("nodeReady"),
            object: last.object().into(),
            at: last.at,
            entry: last.id,
        };
        let run = Run { first_fault: Some(first), timeline, ..Run::default() };
        let why = Why {
            run,
            milestone,
            who: vec![Text::EMPTY; parts.len()],
            parts,
            entries: entries.into_iter().collect(),
            settings: Settings::default(),
        };
        let mut bytes = Vec::new();
        steps(&why, Style::Plain, &mut bytes).expect("memory");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn what_happened_stands_before_the_waits_that_followed_it() {
        let entries = [
            entry(60, "Fault/deleteVm", "injected", "VM/worker-0"),
            entry(61, "Lease/kube-scheduler", "holder", "one"),
            entry(62, "Lease/kube-scheduler", "holder", "two"),
            entry(1062, "Node/worker-0", "Ready", "Unknown"),
            entry(1064, "Node/worker-0", "Ready", "True"),
        ];
        let waits = [(1, "soon"), (1, "soon"), (1000, "late"), (1, "soon"), (1, "soon")];
        assert_snapshot!(told(&entries, &waits), @r"
        +00:00.0    Fault/deleteVm injected: VM/worker-0
                      2s   0.1 %  2 short waits: soon 2s
        +00:02.0    Lease/kube-scheduler holder: two
                  16m40s  99.6 %  late
        +16:42.0    Node/worker-0 Ready: Unknown
                      2s   0.1 %  2 short waits: soon 2s
        +16:44.0    Node/worker-0 Ready: True
        ");
    }
}
