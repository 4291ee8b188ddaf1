//! Why a run never heals: who waits for what, since when, and what would release it.

use crate::analysis::milestones;
use crate::analysis::why::Never;
use crate::report::clock;
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use std::io;

const SINCE: usize = 12;

/// Writes what is missing, what is refused, and which actions help.
pub fn write_never(never: &Never, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let run = &never.run;
    let fault = run.first_fault.unwrap_or_default();
    let title = format!("{} on {}, seed {}", run.scenario, run.platform, run.seed);
    say(Mood::Heading, &title, style, to)?;
    let end = clock::since(fault, run.ended_at);
    let words = format!("{} has not come by {end}, when the run ends", never.milestone);
    say(Mood::Bad, &words, style, to)?;
    if let Some(words) = no_outage(never) {
        hang(Line::default(), 0, &[Span::new(Mood::Neutral, words)], style, to)?;
    }
    writeln!(to)?;
    say(Mood::Heading, "Who waits for what, and when it was last written", style, to)?;
    for wait in &never.waiting {
        let since = wait.since.map_or_else(String::new, |at| clock::since(fault, at));
        let mut line = Line::default();
        line.add(Mood::Quiet, since).pad_to(SINCE);
        let body = [
            Span::new(Mood::Neutral, wait.object.as_str()),
            Span::new(Mood::Bad, wait.what.as_str()),
        ];
        hang(line, SINCE, &body, style, to)?;
    }
    if never.waiting.is_empty() {
        say(Mood::Quiet, "nobody waits: everything is well", style, to)?;
    }
    writeln!(to)?;
    releases(never, style, to)
}

/// What ends has to begin: without an outage there is no end of one, and nothing is wrong.
fn no_outage(never: &Never) -> Option<String> {
    let name = never.milestone.split(' ').next()?;
    let begin = match name {
        "apiAvailable" => "apiUnavailable",
        "appAvailable" => "appUnavailable",
        _ => return None,
    };
    let has_begun = milestones(&never.run).iter().any(|it| it.name == *begin);
    let words = || {
        format!("{name} is the end of an outage, and there was none: {begin} has not come either")
    };
    (!has_begun).then(words)
}

fn releases(never: &Never, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let (run, patience) = (&never.run, never.patience);
    if let Some(took) = never.by_itself {
        let words = match run.recovered_at.is_some() {
            true => {
                "Everything is well at the end of the run: there is nothing to release.".to_owned()
            }
            false => format!("It recovers by itself {} after the run's end.", clock::length(took)),
        };
        return say(Mood::Good, &words, style, to);
    }
    say(Mood::Heading, "What an operator could do to release it", style, to)?;
    let tried = format!(
        "{} actions were tried, each in a copy of the run's end that went on for {patience}",
        never.tried
    );
    for release in &never.releases {
        let mut line = Line::default();
        let took = format!("in {}", clock::length(release.took));
        line.add(Mood::Good, took).pad_to(SINCE);
        hang(line, SINCE, &[Span::new(Mood::Neutral, release.action.as_str())], style, to)?;
    }
    if never.releases.is_empty() {
        say(Mood::Bad, "none of those that were tried", style, to)?;
    }
    say(Mood::Quiet, &tried, style, to)
}
