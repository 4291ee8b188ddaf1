//! What becomes of programs, Leases and Nodes around a fault, as steps: who exits and is started again, who becomes
//! leader, which Nodes are marked.
//!
//! Both sides come here as rows: those of a recording, and those of a simulated run. A program is known by its
//! name alone, so one experiment has one of each.

use super::super::recording::Row;
use super::super::steps::{Step, Steps};
use crate::engine::Duration;
use crate::world::OUT_OF_CRASH_LOOP;
use std::collections::BTreeMap;

/// A time in microseconds after the fault.
type Micros = i64;

/// How the recordings call programs.
const PROGRAMS: [(&str, &str); 3] = [
    ("kcm0", "kube-controller-manager"),
    ("sched", "kube-scheduler"),
    ("kube-apiserver", "kube-apiserver"),
];

/// The steps in these rows after a fault at a time of theirs; `until` is when the API server was started again.
pub fn steps(rows: &[Row], fault: Micros, until: Micros) -> Steps {
    let mut steps = Steps::new();
    let after: Vec<(Micros, &Row)> =
        rows.iter().map(|row| (row.micros - fault, row)).filter(|(at, _)| *at > EARLY).collect();
    for (at, row) in &after {
        match (row.kind.as_str(), row.field.as_str()) {
            ("Lease", "event") => add_said(&mut steps, *at, row),
            ("Node", "event") => add_said(&mut steps, *at, row),
            ("Lease", "holder") if row.name.starts_with("kube-") => {
                add(&mut steps, &format!("Lease/{}", row.name), "holder", "another", *at);
            }
            ("Probe", "status") => {
                let status = row.to.as_deref().unwrap_or_default();
                add(&mut steps, &format!("Probe/{}", row.name), "status", status, *at);
            }
            ("Node", "Ready") => {
                add(&mut steps, "Node", "Ready", row.to.as_deref().unwrap_or("none"), *at);
            }
            _ => {}
        }
    }
    lives(&after, until, &mut steps);
    steps
}

/// A fault's own entries may come this much before the time that is noted for it.
const EARLY: Micros = 1;

/// An Event, its names taken out.
fn add_said(steps: &mut Steps, at: Micros, row: &Row) {
    let role = match row.kind.as_str() {
        "Lease" => format!("Lease/{}", row.name),
        kind => kind.to_owned(),
    };
    let reason = row.to.as_deref().unwrap_or_default();
    add(steps, &role, "event", reason, at);
    let who = row.message.split(' ').next().unwrap_or_default();
    let said = match row.kind.as_str() {
        "Lease" => row.message.replace(who, "$id"),
        _ => row.message.replace(&row.name, "$node"),
    };
    let step = step(&role, "event", reason);
    steps.entry(step).or_default().messages.insert(said);
}

/// The first exit of each program, the pauses until it was started again, and how long each life lasted that began
/// and ended while there was no API server.
fn lives(after: &[(Micros, &Row)], until: Micros, steps: &mut Steps) {
    // Of who is out of a crash loop nobody has told when he was started.
    let mut last: BTreeMap<&str, (bool, Option<Micros>)> = BTreeMap::new();
    for (at, row) in after.iter().filter(|(_, row)| row.kind == "Process") {
        let Some(program) = program(&row.name).filter(|_| row.field == "running") else { continue };
        let runs = row.to.as_deref().is_some_and(|to| to.eq_ignore_ascii_case("true"));
        let role = format!("Process/{program}");
        let began = (row.message != *OUT_OF_CRASH_LOOP).then_some(*at);
        match last.insert(program, (runs, began)) {
            None if !runs => add(steps, &role, "running", "false", *at),
            Some((false, Some(since))) if runs && began.is_some() => {
                add(steps, &format!("{role} pause"), "took", "until started again", at - since);
            }
            Some((true, Some(since))) if !runs && *at < until => {
                add(steps, &format!("{role} life"), "took", "without an API server", at - since);
            }
            _ => {}
        }
    }
}

fn program(name: &str) -> Option<&'static str> {
    let bare = name.split('@').next().unwrap_or(name);
    let known = PROGRAMS.iter().find(|(short, long)| *short == bare || *long == bare);
    known.map(|(_, long)| *long).filter(|program| *program != "kube-apiserver")
}

fn add(steps: &mut Steps, role: &str, field: &str, value: &str, micros: Micros) {
    let after = Duration::from_micros(micros.max(0).unsigned_abs());
    steps.entry(step(role, field, value)).or_default().after.push(after);
}

fn step(role: &str, field: &str, value: &str) -> Step {
    Step { role: role.to_owned(), field: field.to_owned(), value: value.to_owned() }
}

/// Trials of which a file has the milliseconds until another held the Lease, one a line.
///
/// # Errors
/// A line is no number.
pub fn takeovers(text: &str) -> Result<Vec<Steps>, String> {
    let trial = |line: &str| {
        let millis: Micros = line.parse().map_err(|_| format!("`{line}` is not a time in ms"))?;
        let mut steps = Steps::new();
        add(&mut steps, "Lease/kube-controller-manager", "holder", "another", millis * 1_000);
        Ok(steps)
    };
    text.lines().map(trial).collect()
}
