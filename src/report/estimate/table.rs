//! The estimate for people: how the runs end, when what comes, and which runs are worth a look.

use super::numbers::{self, ends, partial, reach, share_of, statistic, still, tenths, time};
use super::rows::{Row, Wanted, folded};
use crate::analysis::Estimate;
use crate::analysis::estimate::{
    Assumed, Count, Ending, Figure, Kind, Name, STATISTICS, Seen, runs_needed, wilson,
};
use crate::engine::counted;
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use crate::report::services::degraded;
use crate::report::shell::{command, hint};
use std::io;

/// Columns of the figures: where the count and the first number end, and how wide a number is.
const LABEL: usize = 31;
const RUNS: usize = 7;
const NUMBER: usize = 9;
/// Columns of the outcomes.
const OUTCOME: usize = 56;

/// Writes the table.
pub fn write(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    title(estimate, style, to)?;
    outcomes(estimate, style, to)?;
    let milestones = section(estimate, Kind::Milestone, folded, style, to)?;
    let services = section(estimate, Kind::Availability, apart, style, to)?;
    notes(estimate, milestones || services, style, to)?;
    worst(estimate, style, to)
}

/// Writes of the table the rows of these milestones, whole.
pub fn write_only(
    wanted: &[Wanted],
    estimate: &Estimate,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    title(estimate, style, to)?;
    let found = Wanted::only(wanted, estimate);
    if found.figures.is_empty() {
        let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        writeln!(to)?;
        return say(Mood::Quiet, &format!("never: {}", names.join(", ")), style, to);
    }
    section(&found, Kind::Milestone, apart, style, to)?;
    notes(&found, false, style, to)
}

fn title(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Estimate { asked, seeds, runs, cut, .. } = estimate;
    let mut line = Line::default();
    line.add(Mood::Heading, asked.scenario.as_str());
    line.add(
        Mood::Neutral,
        format!(
            " on {}, {}, {}",
            asked.platform,
            counted(*runs, "run"),
            numbers::seeds(seeds.start, *runs)
        ),
    );
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    cut.map_or(Ok(()), |cut| say(Mood::Bad, &partial(cut), style, to))
}

fn outcomes(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "Outcomes").pad_to(OUTCOME);
    line.add(Mood::Quiet, format!("{:>RUNS$}{:>9}   {}", "runs", "share", "95 % interval"));
    line.write(style, to)?;
    for (ending, count) in &estimate.outcomes {
        outcome(ending, *count, estimate.runs, style, to)?;
    }
    unstruck(estimate, style, to)?;
    let Some([low, high]) = estimate.ends else { return Ok(()) };
    let shares = [low, high].map(|end| tenths(end.recovered, end.runs));
    let text = format!(
        "recovered with all assumed numbers low {} %, high {} %, in {} each",
        shares[0],
        shares[1],
        counted(low.runs, "run")
    );
    let mut line = Line::default();
    line.pad_to(4).add(Mood::Quiet, text);
    line.write(style, to)
}

/// In how many runs not all struck that the scenario was to break.
fn unstruck(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Some(Count { runs, seed }) = estimate.unstruck else { return Ok(()) };
    let replay = command(&estimate.replay(seed));
    let text = format!(
        "in {} a fault did not strike, or hit nothing; which:  {replay}",
        counted(runs, "run")
    );
    let mut line = Line::default();
    line.pad_to(4);
    hang(line, 4, &[Span::new(Mood::Bad, text)], style, to)
}

fn outcome(
    ending: &Ending,
    count: Count,
    all: u64,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mood = if ending.outcome.is_recovery() { Mood::Good } else { Mood::Bad };
    let [low, high] = ends(wilson(count.runs, all));
    let mut line = Line::default();
    line.pad_to(4).add(mood, shortened(&ending.words(), OUTCOME - 5)).pad_to(OUTCOME);
    let share = tenths(count.runs, all);
    line.add(Mood::Neutral, format!("{:>RUNS$}{share:>7} %", count.runs));
    line.add(Mood::Quiet, format!("   {low} to {high} %"));
    line.write(style, to)
}

/// Each figure for itself.
fn apart<'a>(figures: &[&'a Figure]) -> Vec<Row<'a>> {
    figures.iter().map(|figure| Row { figure, of: None }).collect()
}

/// Writes the figures of a kind; true if some stand for others.
fn section(
    estimate: &Estimate,
    kind: Kind,
    rows: impl for<'a> Fn(&[&'a Figure]) -> Vec<Row<'a>>,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<bool> {
    let all = estimate.figures.iter().filter(|it| it.name.kind == kind);
    let (happened, never): (Vec<&Figure>, Vec<&Figure>) = all.partition(|it| it.is_of_note());
    if happened.is_empty() && never.is_empty() {
        return Ok(false);
    }
    let (heading, note) = match kind {
        Kind::Milestone => ("Milestones", "after first fault"),
        Kind::Availability => ("Down", "after first fault"),
    };
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, heading).add(Mood::Quiet, format!("  {note}")).pad_to(LABEL);
    line.add(Mood::Quiet, format!("{:>RUNS$}", "runs"));
    for (name, _) in STATISTICS {
        line.add(Mood::Quiet, format!("{name:>NUMBER$}"));
    }
    if estimate.ends.is_some() {
        line.add(Mood::Quiet, " assumed");
    }
    line.write(style, to)?;
    let rows = rows(&happened);
    rows.iter().try_for_each(|row| figure(row, style, to))?;
    let has_folded = rows.iter().any(|row| row.of.is_some());
    if never.is_empty() {
        return Ok(has_folded);
    }
    let names = never.iter().map(|it| format!("{} {}", it.name.object, it.name.figure));
    let text = format!("never: {}", names.collect::<Vec<_>>().join(", "));
    let mut start = Line::default();
    start.pad_to(2);
    hang(start, 2, &[Span::new(Mood::Quiet, text)], style, to)?;
    Ok(has_folded)
}

fn figure(row: &Row<'_>, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let Row { figure, of } = row;
    let Figure { name: Name { kind, figure: what, object }, happened, assumed, .. } = figure;
    let (title, below) = match kind {
        Kind::Milestone => (what.to_string(), object.to_string()),
        Kind::Availability => (format!("{object} {what}"), still(figure).unwrap_or_default()),
    };
    let mut line = Line::default();
    line.pad_to(2).add(Mood::Neutral, shortened(&title, LABEL - 2)).pad_to(LABEL);
    line.add(Mood::Quiet, format!("{happened:>RUNS$}"));
    for (_, percent) in STATISTICS {
        line.add(Mood::Neutral, format!("{:>NUMBER$}", statistic(figure, percent)));
    }
    let share = assumed.map(|Assumed { share, .. }| share.map_or("-".to_owned(), share_of));
    line.add(Mood::Quiet, format!("{:>8}", share.unwrap_or_default()));
    line.write(style, to)?;
    intervals(figure, &below, of.as_deref(), style, to)
}

/// The line below a figure's numbers: its object, perhaps of how many, or in how many runs it was not over,
/// and how far the intervals reach.
fn intervals(
    figure: &Figure,
    object: &str,
    of: Option<&str>,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    let first = LABEL + RUNS + NUMBER;
    let of = of.map(|of| format!(", {of}")).unwrap_or_default();
    let object = shortened(object, first - 6 - of.len());
    line.pad_to(4).add(Mood::Quiet, object + &of).pad_to(first);
    for (_, percent) in STATISTICS.into_iter().filter(|(_, percent)| (1..100).contains(percent)) {
        let text = reach(figure, percent).unwrap_or_else(|| "-".to_owned());
        line.add(Mood::Quiet, format!("{text:>NUMBER$}"));
    }
    line.write(style, to)
}

fn notes(
    estimate: &Estimate,
    has_folded: bool,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    if estimate.figures.is_empty() {
        return Ok(());
    }
    let mut text =
        "Below each number: how far its 95 % confidence interval reaches, in seconds unless \
                    `m` or `h` follows."
            .to_owned();
    let lacking = |percent: u64| {
        let (low, high) = (estimate.runs, runs_needed(percent));
        (low < high).then(|| format!("p{percent} {high}"))
    };
    let lacking: Vec<String> = [50, 90, 95, 99].into_iter().filter_map(lacking).collect();
    if lacking.is_empty() {
        text.push_str(" `-`: it happened in too few runs for one.");
    } else {
        text.push_str(&format!(
            " `-`: too few runs for one; so many are needed at least: {}.",
            lacking.join(", ")
        ));
    }
    if estimate.figures.iter().any(|figure| figure.open() > 0) {
        text.push_str(
            " ≥, ∞: the service was still down, or not whole, at the end of so many runs, and nobody knows \
             for how much longer.",
        );
    }
    if has_folded {
        text.push_str(
            " first, last of N: it came to N objects of one kind; told are the one with the smallest p50 \
             and the one with the largest, `--of MILESTONE` tells all.",
        );
    }
    let is_short = |it: &&Figure| it.name.figure == *"degraded" && it.is_of_note();
    let short = estimate.figures.iter().filter(is_short).map(|it| &it.name.object);
    if let Some(words) = degraded(short.map(|it| (it, estimate.asked.users.contains(it)))) {
        text.push_str(&format!(" {words}"));
    }
    if estimate.ends.is_some() {
        text.push_str(
            " assumed: what moves between all assumed numbers at the low and at the high ends of their \
             ranges, in percent of p95.",
        );
    }
    writeln!(to)?;
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)
}

/// The slowest recoveries, and one run of each way not to recover.
fn worst(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let slowest = estimate.figure(&Name::recovered()).map(|it| it.worst.as_slice());
    let slowest = slowest.unwrap_or_default().iter();
    let slowest = slowest.map(|seen: &Seen| {
        (Mood::Neutral, format!("recovered after {}", time(seen.length())), seen.seed)
    });
    let failed = estimate.outcomes.iter().filter(|(ending, _)| !ending.outcome.is_recovery());
    let failed = failed.map(|(ending, count)| (Mood::Bad, ending.words(), count.seed));
    let all: Vec<(Mood, String, u64)> = failed.chain(slowest).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    say(Mood::Heading, "Worst runs", style, to)?;
    for (mood, words, seed) in all {
        let mut line = Line::default();
        line.pad_to(4).add(Mood::Neutral, command(&estimate.replay(seed)));
        line.add(Mood::Quiet, "   # ").add(mood, words);
        line.write(style, to)?;
    }
    hint(&estimate.replay(0)).map_or(Ok(()), |hint| say(Mood::Quiet, hint, style, to))
}

/// A long name keeps its beginning.
fn shortened(name: &str, width: usize) -> String {
    match name.chars().count() <= width {
        true => name.to_owned(),
        false => name.chars().take(width - 1).chain(['…']).collect(),
    }
}
