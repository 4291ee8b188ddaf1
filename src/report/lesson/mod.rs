//! A lesson in print: what happened up to a question, the tables, the question, and what came of it.
//!
//! It knows no mechanism; whether an answer is right is computed elsewhere.

mod json;

pub use json::{Answers, score_json, sheet_json};

use super::clock;
use super::kubectl::{self, Resource};
use super::page::{Line, Mood, Span, Style, hang, say};
use super::story::{Step, steps};
use super::timeline::write_steps;
use crate::analysis::lesson::{
    Answer, FULL, Form, Mark, Outcome, Posed, Score, Sheet, Stop, letter,
};
use crate::api::Kind;
use crate::engine::SimTime;
use crate::scenario::{Simulation, Table};
use crate::timeline::{EntryId, Run};
use std::collections::BTreeMap;
use std::io;

/// Steps between two questions that are told; of more the latest.
const MOST_STEPS: usize = 40;

/// Writes the title, and what the lesson says before it begins.
pub fn write_introduction(sheet: &Sheet, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Run { scenario, platform, seed, .. } = &sheet.run;
    let count = sheet.questions.len();
    say(
        Mood::Heading,
        &format!(
            "{scenario} on {platform}, seed {seed}: {count} questions, {} points",
            sheet.worth()
        ),
        style,
        to,
    )?;
    for paragraph in sheet.introduction.split("\n\n") {
        writeln!(to)?;
        words(0, Mood::Neutral, paragraph, style, to)?;
    }
    Ok(())
}

/// Writes what happened after a time, up to and with another, below an empty line; nothing if nothing did.
pub fn write_between(
    run: &Run,
    (after, upto): (Option<SimTime>, SimTime),
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let all = steps(&run.timeline);
    let is_new = |step: &&Step| step.head().at <= upto && after.is_none_or(|t| step.head().at > t);
    let new: Vec<&Step> = all.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    let hidden = new.len().saturating_sub(MOST_STEPS);
    if hidden > 0 {
        let words: Vec<&str> = run.command.iter().map(|word| word.as_str()).collect();
        // A fork is played by no command.
        let command = match words.is_empty() {
            true => String::new(),
            false => format!(": healsim {}", words.join(" ")),
        };
        let hint = format!("       ({hidden} steps before these{command})");
        say(Mood::Quiet, &hint, style, to)?;
    }
    write_steps(run.first_fault.unwrap_or_default(), &new[hidden..], style, to)
}

/// Writes a question with what a person would see at its instant.
pub fn write_question(
    sheet: &Sheet,
    place: usize,
    stop: &Simulation,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let posed = &sheet.questions[place];
    title(sheet, place, posed.at, style, to)?;
    for (command, text) in tables(posed, stop) {
        writeln!(to)?;
        say(Mood::Quiet, &format!("$ {command}"), style, to)?;
        write!(to, "{text}")?;
    }
    writeln!(to)?;
    words(0, Mood::Heading, &posed.ask, style, to)?;
    for (place, choice) in posed.form.choices().iter().enumerate() {
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("  {}) ", letter(place)));
        hang(line, 5, &[Span::new(Mood::Neutral, choice.text.as_str())], style, to)?;
    }
    let hint = match &posed.form {
        Form::One(_) => "One letter.".to_owned(),
        Form::All(_) => "The letters of all that are true, as `a c`.".to_owned(),
        Form::Length { tolerance, .. } => format!(
            "A time from now on, as 45s or 5m30s, or `never`; {tolerance} more or less is right."
        ),
    };
    say(Mood::Quiet, &hint, style, to)
}

/// Writes how a question was answered, what the answer is, and what led to it.
pub fn write_told(
    sheet: &Sheet,
    mark: &Mark,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let posed = &sheet.questions[mark.question];
    let (mood, verdict) = match (&mark.answer, mark.points) {
        (None, _) => (Mood::Quiet, "Not answered"),
        (_, FULL) => (Mood::Good, "Right"),
        (_, 0) => (Mood::Bad, "Not so"),
        _ => (Mood::Neutral, "In part"),
    };
    let mut line = Line::default();
    line.add(mood, format!("Question {}: {verdict}.", mark.question + 1));
    line.add(Mood::Quiet, format!(" {} of {FULL} points.", mark.points));
    if let Form::Length { right: Some(right), .. } = &posed.form
        && let Some(Answer::Length(Some(said))) = &mark.answer
    {
        let off = right.saturating_sub(*said).max(said.saturating_sub(*right));
        line.add(Mood::Quiet, format!(" You were off by {}.", clock::length(off)));
    }
    line.write(style, to)?;
    answer(sheet, posed, style, to)
}

/// Writes what the answer is, and what led to it.
fn answer(sheet: &Sheet, posed: &Posed, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let best = match &posed.form {
        Form::Length { right, .. } => right.map_or("never".to_owned(), clock::length),
        _ => {
            let best: Vec<String> = posed.best_words().iter().map(ToString::to_string).collect();
            best.join(if let Form::One(_) = posed.form { "; as good: " } else { "; " })
        }
    };
    words(2, Mood::Neutral, &format!("The answer: {best}"), style, to)?;
    for choice in posed.form.choices() {
        if let Some(outcome) = &choice.outcome {
            words(2, Mood::Neutral, &format!("{}: {}", choice.text, came(outcome)), style, to)?;
        }
        if !choice.because.is_empty() {
            words(2, Mood::Neutral, &format!("{}: {}", choice.text, choice.because), style, to)?;
        }
    }
    if !posed.because.is_empty() {
        words(2, Mood::Neutral, &format!("Why: {}", posed.because), style, to)?;
    }
    chain(&sheet.run, &posed.shown_by, style, to)
}

/// Writes what happened where the chosen action was done, from then on; while a question is open, whose
/// time is given, only as far as nothing is told of what it asks.
pub fn write_fork(
    sheet: &Sheet,
    mark: &Mark,
    open: Option<SimTime>,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let posed = &sheet.questions[mark.question];
    let Some((choice, outcome)) = sheet.chosen(mark) else { return Ok(()) };
    words(0, Mood::Heading, &format!("Done: {}", choice.text), style, to)?;
    let course = outcome.course.unwrap_or_default();
    let cut = course.told_until(open);
    let until = cut.unwrap_or(outcome.run.ended_at);
    if course.differs_by(until) {
        write_between(&outcome.run, (Some(posed.at), until), style, to)?;
        if cut.is_some() {
            let hint = "What comes later is as in the run, and still to be asked.";
            words(0, Mood::Quiet, hint, style, to)?;
        }
    } else {
        let so_far = if cut.is_some() { " so far" } else { "" };
        let same = format!("Nothing else than in the run happens{so_far}.");
        words(0, Mood::Neutral, &same, style, to)?;
    }
    words(0, Mood::Neutral, &format!("There: {}", came(outcome)), style, to)?;
    words(0, Mood::Quiet, "Back to the run, in which nobody did anything.", style, to)
}

/// Writes the points of each question and of all.
pub fn write_score(
    sheet: &Sheet,
    score: &Score,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    match score.stop {
        Stop::Done => {}
        Stop::EndOfInput => say(Mood::Quiet, "The input has ended.", style, to)?,
        Stop::Quit => say(Mood::Quiet, "You left the lesson.", style, to)?,
        Stop::Interrupted => say(Mood::Quiet, "Interrupted.", style, to)?,
    }
    for mark in &score.marks {
        let posed = &sheet.questions[mark.question];
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("{:>4}  {:>2}/{FULL}  ", mark.question + 1, mark.points));
        let column = line.width();
        hang(line, column, &[Span::new(Mood::Neutral, posed.ask.as_str())], style, to)?;
    }
    let (points, worth) = (score.points(), sheet.worth());
    say(Mood::Heading, &format!("Score: {points} of {worth} points"), style, to)
}

/// Writes all questions with their answers, for a teacher.
pub fn write_answers(
    prepared: (&Sheet, &[Simulation]),
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let (sheet, stops) = prepared;
    write_introduction(sheet, style, to)?;
    for (place, (posed, stop)) in sheet.questions.iter().zip(stops).enumerate() {
        writeln!(to)?;
        write_question(sheet, place, stop, style, to)?;
        answer(sheet, posed, style, to)?;
    }
    Ok(())
}

fn title(
    sheet: &Sheet,
    place: usize,
    at: SimTime,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let since = clock::since(sheet.run.first_fault.unwrap_or_default(), at);
    let count = sheet.questions.len();
    say(Mood::Heading, &format!("Question {} of {count}, at {since}", place + 1), style, to)
}

/// The tables before a question, each with what a person types for it; `stop` is the run at its instant.
pub fn tables(posed: &Posed, stop: &Simulation) -> Vec<(String, String)> {
    let asked = posed.show.iter().map(|table| {
        let (command, resource, form) = shown(*table);
        let got = kubectl::ask(stop, &resource, form);
        (command, got.text + &got.beside)
    });
    asked.collect()
}

/// What a person types for a table, and what that is here.
fn shown(table: Table) -> (String, Resource, kubectl::Form) {
    match table {
        Table::Vms => {
            ("healsim get vms   # as vCenter has them".into(), Resource::Vms, kubectl::Form::Table)
        }
        // Its columns are of `member list`, `endpoint status` and `endpoint health`, of all members.
        Table::Etcd => {
            let command = "healsim get etcd   # what etcdctl finds out, in one table".into();
            (command, Resource::Etcd, kubectl::Form::Table)
        }
        Table::Kind(kind) => {
            let (wide, form) = match kind {
                Kind::Pod => (" -o wide", kubectl::Form::Wide),
                _ => ("", kubectl::Form::Table),
            };
            let plural = format!("{}s", kind.name().to_lowercase());
            (format!("kubectl get {plural}{wide}"), Resource::Kind(kind), form)
        }
    }
}

/// What came of something that was done.
fn came(outcome: &Outcome) -> String {
    match outcome.took {
        Some(took) => format!("everything is well after {}", clock::length(took)),
        None => {
            let lacks = outcome.run.missing.first();
            let lacks = lacks.map(|lack| format!("; still {}: {}", lack.object, lack.what));
            format!("not well in time{}", lacks.unwrap_or_default())
        }
    }
}

/// The steps that led to entries, from the fault on.
fn chain(run: &Run, entries: &[EntryId], style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let all = steps(&run.timeline);
    let places: BTreeMap<EntryId, usize> = all.iter().enumerate().map(at_head).collect();
    let step_of =
        |id: EntryId| all.iter().position(|step| step.entries.iter().any(|entry| entry.id == id));
    let mut told: BTreeMap<usize, &Step> = BTreeMap::new();
    for entry in entries {
        // What the story does not tell has led from something that it tells.
        let mut open = Some(*entry);
        let mut next = loop {
            match open {
                Some(id) if step_of(id).is_some() => break step_of(id),
                Some(id) => open = run.timeline.get(id).and_then(|entry| entry.cause),
                None => break None,
            }
        };
        while let Some(place) = next.filter(|place| !told.contains_key(place)) {
            told.insert(place, &all[place]);
            next = all[place].cause.and_then(|cause| places.get(&cause)).copied();
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    words(2, Mood::Quiet, "What led to it:", style, to)?;
    let told: Vec<&Step> = told.into_values().collect();
    write_steps(run.first_fault.unwrap_or_default(), &told, style, to)
}

fn at_head((place, step): (usize, &Step)) -> (EntryId, usize) {
    (step.head().id, place)
}

fn words(
    column: usize,
    mood: Mood,
    text: &str,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    hang(Line::default(), column, &[Span::new(mood, text)], style, to)
}
