//! The default output: a timeline that is read from top to bottom like a story.
//!
//! Header, the beginning in a few counts, then one line per step: number, time since the first
//! fault, object, what changed, and who did it because of which earlier line. Waits stand as lines
//! of their own, because in healing the waits are the plot. It knows no mechanism.

use super::clock;
use super::page::{Line, Mood, Span, Style, WIDTH, hang, say, wrap};
use super::story::{Step, steps};
use super::{summary, words};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Entry, Run};
use std::collections::BTreeMap;
use std::io;

/// Waits shorter than this are not worth a line.
const WAIT: Duration = Duration::from_secs(10);
/// Columns before the object: the number and the time.
const BEFORE: usize = 16;
/// Longer messages are cut; the whole text is in `-o jsonl`.
const MESSAGE: usize = 160;

/// Writes the whole page.
pub fn write(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    header(run, style, to)?;
    beginning(run, style, to)?;
    writeln!(to)?;
    story(run, style, to)?;
    writeln!(to)?;
    summary::verdict(run, style, to)
}

fn header(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    summary::title(run, style, to)?;
    let fault = run.first_fault.unwrap_or(SimTime::ZERO);
    let faults = run.timeline.entries().iter().filter(|entry| entry.kind == "Fault");
    let mut label = "breaks";
    for entry in faults {
        let mut line = Line::default();
        line.add(Mood::Quiet, label).pad_to(9);
        line.add(Mood::Neutral, format!("{}  ", clock::since(fault, entry.at)));
        let words = format!("{} {}", entry.name, entry.to);
        let column = line.width();
        hang(line, column, &[Span::new(Mood::Fault, words)], style, to)?;
        label = "";
    }
    Ok(())
}

/// The state at time 0 as counts, a line for each cluster.
fn beginning(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut label = "begins";
    for (cluster, kinds) in counts(run) {
        let place = if cluster.is_empty() { "datacenter" } else { &cluster };
        let said: Vec<String> = kinds.iter().map(|(kind, states)| count(kind, states)).collect();
        let mut line = Line::default();
        line.add(Mood::Quiet, label).pad_to(9);
        line.add(Mood::Quiet, format!("{place:<10}  "));
        let column = line.width();
        hang(line, column, &[Span::new(Mood::Neutral, said.join(", "))], style, to)?;
        label = "";
    }
    Ok(())
}

/// The field that says in a word how an object of a kind is doing.
const STATES: &[(&str, &str)] =
    &[("Node", "Ready"), ("Machine", "phase"), ("Pod", "phase"), ("VM", "power")];

type Counts = BTreeMap<Text, BTreeMap<Text, BTreeMap<String, usize>>>;

/// Cluster, kind, state, and how many begin in it.
fn counts(run: &Run) -> Counts {
    let mut counts = Counts::new();
    for entry in run.timeline.beginning() {
        if STATES.contains(&(entry.kind.as_str(), entry.field.as_str())) {
            let kinds = counts.entry(entry.cluster.clone()).or_default();
            let states = kinds.entry(entry.kind.clone()).or_default();
            *states.entry(state(entry)).or_default() += 1;
        }
    }
    counts
}

fn state(entry: &Entry) -> String {
    match (entry.field.as_str(), entry.to.as_text()) {
        ("Ready", Some("True")) => "Ready".to_owned(),
        ("Ready", _) => "NotReady".to_owned(),
        _ => entry.to.to_string(),
    }
}

/// `3 Nodes Ready`, or with several states `4 Pods (3 Running, 1 Pending)`.
fn count(kind: &str, states: &BTreeMap<String, usize>) -> String {
    let all: usize = states.values().sum();
    let plural = if all == 1 { "" } else { "s" };
    if let (1, Some(state)) = (states.len(), states.keys().next()) {
        return format!("{all} {kind}{plural} {state}");
    }
    let each: Vec<String> =
        states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    format!("{all} {kind}{plural} ({})", each.join(", "))
}

fn story(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let fault = run.first_fault.unwrap_or(SimTime::ZERO);
    let steps = steps(&run.timeline);
    write_steps(fault, &steps.iter().collect::<Vec<_>>(), style, to)
}

/// Writes steps of a story, one a line, with the waits between them.
pub(super) fn write_steps(
    fault: SimTime,
    steps: &[&Step],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let column = BEFORE + object_width(steps) + 2;
    let mut before: Option<&Entry> = None;
    for step in steps {
        let head = step.head();
        let wait = head.at.since(before.map_or(head.at, |entry| entry.at));
        if wait >= WAIT {
            say(Mood::Quiet, &format!("       ⋮ {}", clock::length(wait)), style, to)?;
        }
        let same =
            before.filter(|_| wait < WAIT).is_some_and(|entry| entry.object() == head.object());
        let mut line = Line::default();
        line.add(Mood::Quiet, format!("{:>4}", head.id.0));
        line.add(Mood::Neutral, format!("{:>10}", clock::since(fault, head.at)));
        line.pad_to(BEFORE).add(Mood::Neutral, if same { String::new() } else { head.object() });
        if line.width() + 2 > column {
            std::mem::take(&mut line).write(style, to)?;
        }
        hang(line, column, &body(step, WIDTH - column), style, to)?;
        before = Some(head);
    }
    Ok(())
}

/// Wide enough for nearly all names; a longer one gets a line for itself.
fn object_width(steps: &[&Step]) -> usize {
    let widths = steps.iter().map(|step| step.head().object().chars().count());
    widths.filter(|width| *width <= 32).max().unwrap_or(0)
}

/// What changed, why the object says so, and at the right who did it because of what.
fn body(step: &Step, width: usize) -> Vec<Span> {
    let last = step.entries.len() - 1;
    let mut explained = false;
    let mut spans = Vec::new();
    for (i, entry) in step.entries.iter().enumerate() {
        // One message explains a step; the others would say it again in other words. What a log
        // or an Event says is all that it is.
        let says = matches!(entry.field.as_str(), "log" | "event");
        let message = if explained && !says { None } else { message(entry) };
        explained |= message.is_some();
        let end = if i < last { ";" } else { "" };
        let why = why(entry, message);
        let words = words::change(entry);
        let (words, why) = match why.is_empty() {
            true => (format!("{words}{end}"), why),
            false => (words, format!("{why}{end}")),
        };
        spans.push(Span::new(words::mood(entry), words));
        spans.push(Span::new(Mood::Neutral, why));
    }
    spans.extend(source(step, &spans, width));
    spans
}

/// Reason and message; good news needs none.
fn why(entry: &Entry, message: Option<String>) -> String {
    let reason = if words::mood(entry) == Mood::Good { "" } else { entry.reason.as_str() };
    match (reason, message) {
        ("", message) => message.unwrap_or_default(),
        (reason, None) => format!("({reason})"),
        (reason, Some(message)) => format!("({reason}) {message}"),
    }
}

/// A message on one line, cut if it is very long; good news is told by its field alone.
fn message(entry: &Entry) -> Option<String> {
    let good = words::mood(entry) == Mood::Good;
    if entry.message.is_empty() || (good && !matches!(entry.field.as_str(), "log" | "event")) {
        return None;
    }
    // A list of one is a sentence.
    let list = entry.message.matches("* ").count() > 1;
    let words: Vec<&str> =
        entry.message.split_whitespace().filter(|word| list || *word != "*").collect();
    let text = words.join(" ");
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => Some(format!("{}…", text[..end].trim_end())),
        None => Some(text),
    }
}

/// Who did it and the number of the line that led to it, pushed to the right edge.
fn source(step: &Step, before: &[Span], width: usize) -> Option<Span> {
    let by = step.head().by.split('@').next().unwrap_or_default();
    let cause = step.cause.map(|cause| format!("←{}", cause.0)).unwrap_or_default();
    // Blanks that do not break keep the two together.
    let text = [by, &cause].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let text = text.join("\u{a0}");
    if text.is_empty() {
        return None;
    }
    let lines = wrap(before, width);
    let used: usize = lines.last()?.iter().map(|span| span.text.chars().count()).sum();
    let length = text.chars().count();
    let free = width.checked_sub(used + 1 + length).unwrap_or(width.saturating_sub(length));
    Some(Span::new(Mood::Quiet, format!("{}{text}", "\u{a0}".repeat(free))))
}
