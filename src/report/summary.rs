//! The verdict for people: did it recover, when did what happen, what was promised, what assumed.
//!
//! Stands alone as `-o summary` and closes the timeline. It judges nothing: all verdicts are in the
//! run, and milestones come from `analysis`.

use super::clock;
use super::page::{Line, Mood, Span, Style, hang, say};
use super::shell;
use crate::analysis::{Milestone, milestones};
use crate::engine::{Duration, SimTime, Text, counted};
use crate::scenario::STUCK_AFTER;
use crate::timeline::{Assumption, Changed, Downtime, End, Expectation, Level, Run};
use std::io;

/// Columns of a time in the tables.
const TIME: usize = 12;

/// Writes the title and the verdict.
pub fn write(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    title(run, style, to)?;
    writeln!(to)?;
    verdict(run, style, to)
}

/// What was played: scenario, platform, seed, and the phases that the scenario pinned.
pub fn title(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Heading, run.scenario.as_str());
    line.add(Mood::Neutral, format!(" on {}, seed {}", run.platform, run.seed));
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    if run.given.is_empty() {
        return Ok(());
    }
    let given: Vec<String> =
        run.given.iter().map(|(key, value)| format!("{key} {value}")).collect();
    let mut line = Line::default();
    line.add(Mood::Quiet, "given").pad_to(9);
    hang(line, 9, &[Span::new(Mood::Neutral, given.join(", "))], style, to)
}

/// Everything that is known when the run is over.
pub fn verdict(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    ending(run, style, to)?;
    unstruck(run, style, to)?;
    milestone_table(run, style, to)?;
    expectations(run, style, to)?;
    availability(run, style, to)?;
    invariants(run, style, to)?;
    settings(run, style, to)?;
    assumptions(run, style, to)?;
    again(run, style, to)
}

fn ending(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let played = clock::length(run.ended_at.since(SimTime::ZERO));
    let (mood, text) = match (run.end, run.recovery_time()) {
        (End::Budget, _) => (Mood::Fault, format!("{}.", out_of_events(run))),
        (_, Some(Duration::ZERO)) => (
            Mood::Good,
            "Nothing was lacking at the first fault, nor for a minute after it.".to_owned(),
        ),
        (_, Some(time)) => {
            (Mood::Good, format!("Recovered {} after the first fault.", clock::length(time)))
        }
        (End::Recovered, None) => (Mood::Good, "Nothing broke.".to_owned()),
        (End::Stuck, _) => (Mood::Fault, stuck(run)),
        (End::Horizon, _) => (Mood::Fault, format!("Not recovered within {played}.")),
    };
    let entries = run.timeline.entries().len();
    let counts = format!("{played} played, {entries} entries, hash {}", run.timeline.hash());
    let body = [Span::new(mood, text), Span::new(Mood::Quiet, counts)];
    hang(Line::default(), 0, &body, style, to)
}

/// Why a run was stopped that has used up its engine events.
pub fn out_of_events(run: &Run) -> String {
    let at = clock::length(run.ended_at.since(SimTime::ZERO));
    let events = counted(run.engine_events, "engine event");
    format!(
        "Stopped after {at} and {events}, more than ten times what a cluster of the scenario's size takes: \
         what was to come was not played"
    )
}

/// What the scenario was to break and has not.
fn unstruck(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let tell = |text: &Text| say(Mood::Bad, text, style, &mut *to);
    run.unstruck.iter().try_for_each(tell)
}

/// That processes end and are started again moves nothing, and stands in the timeline all the same.
fn stuck(run: &Run) -> String {
    let minutes = STUCK_AFTER.as_secs() / 60;
    let last = run.timeline.entries().last();
    match last.is_some_and(|last| last.at + STUCK_AFTER > run.ended_at) {
        false => format!("Not recovered, and nothing changed in the last {minutes} minutes."),
        true => format!(
            "Not recovered, and in the last {minutes} minutes nothing changed but processes that end \
             and start again, with what they log and who sees them come and go."
        ),
    }
}

fn milestone_table(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let milestones = milestones(run);
    if milestones.is_empty() {
        return Ok(());
    }
    heading("Milestones", "with the number of the entry", style, to)?;
    for milestone in &milestones {
        milestone_row(run, milestone, style, to)?;
    }
    Ok(())
}

fn milestone_row(
    run: &Run,
    milestone: &Milestone,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Neutral, format!("{:>TIME$}  ", since(run, milestone.at)));
    line.add(milestone_mood(&milestone.name), format!("{:<19}", milestone.name));
    line.add(Mood::Neutral, format!(" {:<32}", milestone.object));
    line.add(Mood::Quiet, format!(" {}", milestone.entry.0));
    line.write(style, to)
}

fn milestone_mood(name: &str) -> Mood {
    const GOOD: [&str; 8] =
        ["Ready", "Replaced", "On", "Recreated", "Created", "Up", "recovered", "Available"];
    const BAD: [&str; 8] =
        ["Unknown", "NotReady", "Off", "Unhealthy", "Refused", "Failed", "Down", "Unavailable"];
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    match (ends(&BAD), ends(&GOOD)) {
        (true, _) => Mood::Bad,
        (_, true) => Mood::Good,
        _ => Mood::Neutral,
    }
}

fn expectations(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if run.expectations.is_empty() {
        return Ok(());
    }
    let applicable = run.expectations.iter().filter(|expectation| expectation.applicable).count();
    let held = applicable - run.failed().count();
    heading("Expectations", &format!("{held} of {applicable} held"), style, to)?;
    run.expectations.iter().try_for_each(|expectation| expectation_row(run, expectation, style, to))
}

fn expectation_row(
    run: &Run,
    expectation: &Expectation,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    // What does not apply here was not decided at any time.
    let at = expectation.at.filter(|_| expectation.applicable);
    let at = at.map(|at| since(run, at)).unwrap_or_default();
    let mut line = Line::default();
    line.add(Mood::Neutral, format!("{at:>TIME$}  "));
    let (mood, word) = match (expectation.applicable, expectation.met) {
        (false, _) => (Mood::Quiet, "n/a"),
        (_, true) => (Mood::Good, "held"),
        _ => (Mood::Fault, "FAILED"),
    };
    line.add(mood, format!("{word:<8}"));
    let mut body = vec![Span::new(Mood::Neutral, expectation.text.as_str())];
    if !expectation.applicable {
        body = vec![Span::new(Mood::Quiet, expectation.text.as_str())];
    } else if !expectation.met && !expectation.why_not.is_empty() {
        body.push(Span::new(Mood::Bad, format!("— {}", expectation.why_not)));
    }
    let column = line.width();
    hang(line, column, &body, style, to)
}

fn availability(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if run.availability.is_empty() {
        return Ok(());
    }
    heading("Availability", "after the first fault", style, to)?;
    for (service, down) in &run.availability {
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("{:TIME$}  {service:<20}", ""));
        let (mood, text) = downtime(down);
        let column = line.width().max(34);
        hang(line, column, &[Span::new(mood, text)], style, to)?;
    }
    Ok(())
}

fn downtime(down: &Downtime) -> (Mood, String) {
    let told = |word: &str, length: Option<Duration>, level: Level| {
        let length = length.filter(|length| !length.is_zero())?;
        // What the end cut off would have been longer.
        let end = if down.at_end == level { " (still at the end)" } else { "" };
        let length = match length.as_micros() {
            // It was, so not for nothing.
            0..100_000 => "<0.1s".to_owned(),
            _ => clock::length(length),
        };
        Some(format!("{word} for {length}{end}"))
    };
    let unavailable = told("unavailable", Some(down.unavailable), Level::Down);
    let degraded = told("degraded", down.degraded, Level::Degraded);
    match (unavailable, degraded) {
        (None, None) => (Mood::Good, "always available".to_owned()),
        (None, Some(degraded)) => (Mood::Neutral, degraded),
        (Some(unavailable), None) => (Mood::Bad, unavailable),
        (Some(unavailable), Some(degraded)) => (Mood::Bad, format!("{unavailable}, {degraded}")),
    }
}

/// Silent as long as none is broken: then it is a bug, and has to be seen.
fn invariants(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if run.violated.is_empty() {
        return Ok(());
    }
    let checked = format!("{} of {}", run.violated.len(), run.invariants_checked);
    heading("Violated invariants", &checked, style, to)?;
    for violated in &run.violated {
        let words = violated.to_string();
        hang(Line::default(), TIME + 2, &[Span::new(Mood::Fault, words.as_str())], style, to)?;
    }
    Ok(())
}

/// What the user has chosen, and where it stands.
fn settings(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if run.changes.is_empty() {
        return Ok(());
    }
    heading("Settings", "chosen by you", style, to)?;
    run.changes.iter().try_for_each(|changed| {
        let Changed { key, value, instead_of, from } = changed;
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("{:TIME$}  {key:<42} ", ""));
        let mut body = vec![Span::new(Mood::Neutral, value.as_str())];
        if instead_of != value && !instead_of.is_empty() {
            body.push(Span::new(Mood::Neutral, format!("instead of {instead_of}")));
        }
        body.push(Span::new(Mood::Quiet, format!("({from})")));
        let column = line.width().clamp(45, 70);
        hang(line, column, &body, style, to)
    })
}

fn assumptions(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if run.assumptions.is_empty() {
        return Ok(());
    }
    heading("Assumed", "numbers that nobody has documented or measured", style, to)?;
    run.assumptions.iter().try_for_each(|assumption| assumption_row(assumption, style, to))
}

fn assumption_row(
    assumption: &Assumption,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let Assumption { key, value, range, source } = assumption;
    let mut line = Line::default();
    line.add(Mood::Neutral, format!("{:TIME$}  {key:<30} ", ""));
    let drawn = if range.is_empty() { value.to_string() } else { format!("{value} of {range}") };
    let body = [Span::new(Mood::Neutral, drawn), Span::new(Mood::Quiet, format!("({source})"))];
    let column = line.width().clamp(45, 60);
    hang(line, column, &body, style, to)
}

fn again(run: &Run, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Quiet, "Play it again:  ").add(Mood::Neutral, command(run));
    line.write(style, to)?;
    shell::hint(&run.command).map_or(Ok(()), |hint| say(Mood::Quiet, hint, style, to))
}

/// The command line of the run; for a run that was not a command, the one that comes nearest.
fn command(run: &Run) -> String {
    if run.command.is_empty() {
        let seed = run.seed.to_string();
        let words = ["run", &run.scenario, "--platform", &run.platform, "--seed", &seed];
        return shell::command(&words.map(Text::from));
    }
    shell::command(&run.command)
}

fn heading(text: &str, note: &str, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    say(Mood::Neutral, "", style, to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, text).add(Mood::Quiet, format!("  {note}"));
    line.write(style, to)
}

fn since(run: &Run, at: SimTime) -> String {
    clock::since(run.first_fault.unwrap_or(SimTime::ZERO), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_down_for_an_instant_was_not_down_for_nothing() {
        let told = |micros: u64| {
            let unavailable = Duration::from_micros(micros);
            downtime(&Downtime { unavailable, ..Downtime::default() }).1
        };
        assert_eq!(told(13_000), "unavailable for <0.1s");
        assert_eq!(told(100_000), "unavailable for 100ms");
        assert_eq!(told(0), "always available");
    }
}
