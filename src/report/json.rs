//! The summary document and JSON Lines: the outside form that scripts rely on.
//!
//! Written by hand in a fixed order of keys, because seconds are decimals made from integers and
//! must not pass through floats. It leaves out what is for people only.

use crate::analysis::milestones;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Changed, Downtime, Expectation, Level, Run};
use serde_json::json;
use std::io;

/// All entries, one a line, then the summary.
pub fn write_lines(run: &Run, to: &mut impl io::Write) -> io::Result<()> {
    for entry in run.timeline.entries() {
        writeln!(to, "{}", entry.to_json_line())?;
    }
    writeln!(to, "{}", summary(run))
}

/// The summary as one line.
pub fn summary(run: &Run) -> String {
    let mut members = vec![
        ("summary", json!(true).to_string()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("scenario", json!(run.scenario).to_string()),
        ("platform", json!(run.platform).to_string()),
        ("seed", run.seed.to_string()),
        ("given", json!(run.given).to_string()),
        ("firstFault", point(run.first_fault)),
        ("end", json!(run.end.as_str()).to_string()),
        ("endedAt", point(Some(run.ended_at))),
        ("entries", run.timeline.entries().len().to_string()),
        ("hash", json!(run.timeline.hash()).to_string()),
        ("milestones", milestone_list(run)),
        ("recovered", run.recovered_at.is_some().to_string()),
        ("recoveryTime", length(run.recovery_time())),
        ("availability", availability(run)),
        ("expectations", list(run.expectations.iter().map(expectation))),
        ("invariants", invariants(run)),
        ("assumptions", json!(keys(run)).to_string()),
        ("settings", list(run.changes.iter().map(changed))),
    ];
    if !run.unstruck.is_empty() {
        members.push(("unstruck", json!(run.unstruck).to_string()));
    }
    object(members)
}

fn milestone_list(run: &Run) -> String {
    list(milestones(run).iter().map(|milestone| {
        let after = run.first_fault.map(|fault| signed(fault, milestone.at));
        object([
            ("name", json!(milestone.name).to_string()),
            ("object", json!(milestone.object).to_string()),
            ("at", point(Some(milestone.at))),
            ("after", after.unwrap_or_else(null)),
            ("id", milestone.entry.0.to_string()),
        ])
    }))
}

fn changed(changed: &Changed) -> String {
    let Changed { key, value, instead_of, from } = changed;
    let instead_of = (!instead_of.is_empty()).then_some(instead_of);
    object([
        ("key", json!(key).to_string()),
        ("value", json!(value).to_string()),
        ("insteadOf", json!(instead_of).to_string()),
        ("from", json!(from).to_string()),
    ])
}

fn availability(run: &Run) -> String {
    let services = run.availability.iter();
    let members = services.map(|(name, down)| format!("{}:{}", json!(name), downtime(down)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn downtime(down: &Downtime) -> String {
    let mut members = vec![("unavailable", length(Some(down.unavailable)))];
    members.extend(down.degraded.map(|degraded| ("degraded", length(Some(degraded)))));
    // What has lasted for no time was not so.
    let still = match down.at_end {
        Level::Degraded if down.degraded.is_some_and(|it| !it.is_zero()) => Some("degraded"),
        Level::Down if !down.unavailable.is_zero() => Some("unavailable"),
        _ => None,
    };
    members.extend(still.map(|still| ("atEnd", json!(still).to_string())));
    object(members)
}

fn expectation(expectation: &Expectation) -> String {
    object([
        ("text", json!(expectation.text).to_string()),
        ("met", expectation.met.to_string()),
        ("at", point(expectation.at)),
        ("applicable", expectation.applicable.to_string()),
    ])
}

fn invariants(run: &Run) -> String {
    let violated: Vec<String> = run.violated.iter().map(ToString::to_string).collect();
    object([
        ("checked", run.invariants_checked.to_string()),
        ("violated", json!(violated).to_string()),
    ])
}

fn keys(run: &Run) -> Vec<&Text> {
    run.assumptions.iter().map(|assumption| &assumption.key).collect()
}

/// A point as seconds since the run began.
fn point(at: Option<SimTime>) -> String {
    length(at.map(|at| at.since(SimTime::ZERO)))
}

/// Seconds after the first fault, negative before it.
fn signed(fault: SimTime, at: SimTime) -> String {
    let sign = if at < fault { "-" } else { "" };
    format!("{sign}{}", length(Some(fault.since(at).max(at.since(fault)))))
}

/// A difference in microseconds, as seconds.
pub(super) fn difference(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}", length(Some(Duration::from_micros(micros.unsigned_abs()))))
}

/// Seconds with as many decimals as they need, at least one.
pub(super) fn length(length: Option<Duration>) -> String {
    let Some(length) = length else { return null() };
    let micros = length.as_micros();
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn null() -> String {
    "null".to_owned()
}

pub(super) fn object(members: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let members = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}
