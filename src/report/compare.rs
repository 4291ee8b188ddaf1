//! Two games beside each other, for people and as one JSON document.
//!
//! It counts nothing: all differences are in the comparison. Seconds are decimals made from
//! integers.

use super::clock;
use super::estimate::numbers::seeds;
use super::json::{difference, length, list, object};
use super::page::{Line, Mood, Span, Style, hang, say};
use super::services::degraded;
use super::words;
use crate::analysis::estimate::{Kind, runs_needed};
use crate::analysis::{Comparison, Difference, Differing, Paired, Side};
use crate::engine::{Duration, counted};
use serde_json::json;
use std::io;

/// Columns of the figures: where the counts and the differences begin, and how wide they are.
const LABEL: usize = 46;
const COUNT: usize = 6;
const NUMBER: usize = 11;
/// A tenth of a second in microseconds.
const TENTH: i64 = 100_000;

/// Writes the tables; the labels say what the two sides are.
pub fn write_comparison(
    comparison: &Comparison,
    labels: [&str; 2],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    title(comparison, labels, style, to)?;
    endings(comparison, style, to)?;
    for (kind, heading) in [(Kind::Milestone, "Milestones"), (Kind::Availability, "Availability")] {
        figures(comparison, kind, heading, style, to)?;
    }
    let needed = runs_needed(50);
    if comparison.runs < needed {
        say(
            Mood::Quiet,
            &format!("an interval needs {needed} runs in which both have it"),
            style,
            to,
        )?;
    }
    services(comparison, style, to)?;
    settings(comparison, style, to)?;
    parting(comparison, style, to)
}

/// What it means that they are degraded. Of one that is asked on one side only nothing is right.
fn services(comparison: &Comparison, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let [a, b] = &comparison.users;
    let is_short = |it: &&Paired| it.name.figure == *"degraded" && !it.is_same();
    let all = comparison.figures.iter().filter(is_short);
    let all = all.map(|paired| &paired.name.object);
    let alike = all.filter(|name| a.contains(*name) == b.contains(*name));
    match degraded(alike.map(|name| (name, a.contains(name)))) {
        Some(words) => hang(Line::default(), 0, &[Span::new(Mood::Quiet, words)], style, to),
        None => Ok(()),
    }
}

/// The document, as one line.
pub fn comparison_json(comparison: &Comparison, labels: [&str; 2]) -> String {
    let Comparison { first_seed, runs, partial, endings, figures, settings, parting, .. } =
        comparison;
    let ending = |(words, runs): &([String; 2], u64)| {
        object([
            ("a", json!(words[0]).to_string()),
            ("b", json!(words[1]).to_string()),
            ("runs", runs.to_string()),
        ])
    };
    let side = |side: &Option<Side>| side.as_ref().map_or("null".to_owned(), side_json);
    let parting = parting.as_ref().map_or("null".to_owned(), |parting| {
        object([
            ("seed", parting.seed.to_string()),
            ("a", side(&parting.sides[0])),
            ("b", side(&parting.sides[1])),
        ])
    });
    object([
        ("comparison", "true".to_owned()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("a", json!(labels[0]).to_string()),
        ("b", json!(labels[1]).to_string()),
        ("firstSeed", first_seed.to_string()),
        ("runs", runs.to_string()),
        ("partial", partial.to_string()),
        ("outcomes", list(endings.iter().map(ending))),
        ("figures", list(figures.iter().map(figure_json))),
        ("settings", list(settings.iter().map(setting_json))),
        ("parting", parting),
    ])
}

fn title(
    comparison: &Comparison,
    labels: [&str; 2],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let Comparison { first_seed, runs, .. } = comparison;
    for (name, label) in ["A", "B"].into_iter().zip(labels) {
        let mut line = Line::default();
        line.add(Mood::Heading, name).pad_to(4).add(Mood::Neutral, label);
        line.write(style, to)?;
    }
    let text = format!(
        "{} of each with the same random numbers, {}",
        counted(*runs, "run"),
        seeds(*first_seed, *runs)
    );
    say(Mood::Quiet, &text, style, to)?;
    match comparison.partial {
        true => say(Mood::Bad, "partial: interrupted before all seeds were played", style, to),
        false => Ok(()),
    }
}

fn endings(comparison: &Comparison, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "Outcomes").add(Mood::Quiet, "  A, then B of the same seed");
    line.write(style, to)?;
    for ([a, b], runs) in &comparison.endings {
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("{runs:>8}  "));
        match a == b {
            true => line.add(Mood::Neutral, format!("both {a}")),
            false => line.add(Mood::Bad, format!("{a} → {b}")),
        };
        line.write(style, to)?;
    }
    Ok(())
}

fn figures(
    comparison: &Comparison,
    kind: Kind,
    heading: &'static str,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let of_kind = || comparison.figures.iter().filter(|paired| paired.name.kind == kind);
    if of_kind().next().is_none() {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, heading).add(Mood::Quiet, "  B minus A, seed by seed").pad_to(LABEL);
    for name in ["both", "only A", "only B"] {
        line.add(Mood::Quiet, format!(" {name:>COUNT$}"));
    }
    for name in ["min", "median", "max"] {
        line.add(Mood::Quiet, format!("{name:>NUMBER$}"));
    }
    line.add(Mood::Quiet, "   median's 95 % interval");
    line.write(style, to)?;
    let same: Vec<&Paired> = of_kind().filter(|paired| paired.is_same()).collect();
    for paired in of_kind().filter(|paired| !paired.is_same()) {
        row(paired, style, to)?;
    }
    if !same.is_empty() {
        let text = format!("    the same in every seed: {}", counted(same.len() as u64, "other"));
        say(Mood::Quiet, &text, style, to)?;
    }
    Ok(())
}

fn row(paired: &Paired, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    let label = format!("{} {}", paired.name.figure, paired.name.object);
    line.pad_to(4).add(Mood::Neutral, label);
    if line.width() > LABEL {
        line.write(style, to)?;
        line = Line::default();
    }
    line.pad_to(LABEL);
    for count in [paired.both, paired.only[0], paired.only[1]] {
        line.add(Mood::Neutral, format!(" {count:>COUNT$}"));
    }
    for percent in [0, 50, 100] {
        let found = paired.percentile(percent);
        let text = found.map_or("-".to_owned(), bounded);
        line.add(mood(found), format!("{text:>NUMBER$}"));
    }
    if paired.compared() >= runs_needed(50) {
        let [low, high] = paired.interval(50);
        let low = low.map_or("-∞".to_owned(), floor);
        let high = high.map_or("+∞".to_owned(), ceil);
        line.add(Mood::Quiet, format!("   {low} .. {high}"));
    }
    line.write(style, to)?;
    let remarks = remarks(paired);
    if remarks.is_empty() {
        return Ok(());
    }
    let mut line = Line::default();
    line.pad_to(6).add(Mood::Quiet, remarks.join("; "));
    line.write(style, to)
}

/// What the numbers of a row do not say.
fn remarks(paired: &Paired) -> Vec<String> {
    let Paired { open: [a, b], neither, .. } = paired;
    let words = match paired.name.kind {
        Kind::Milestone => "counts as longer than the run",
        Kind::Availability => "not over at the end",
    };
    let open = (paired.open != [0, 0]).then(|| format!("{words} in {a} of A and {b} of B"));
    let neither =
        (*neither > 0).then(|| format!("in {} neither has it", counted(*neither, "seed")));
    open.into_iter().chain(neither).collect()
}

fn settings(comparison: &Comparison, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let all = &comparison.settings;
    if all.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "Settings that differ").pad_to(LABEL);
    line.add(Mood::Quiet, format!("{:<24} {}", "A", "B"));
    line.write(style, to)?;
    for Differing { key, values } in all {
        let [a, b] = values.each_ref().map(|value| value.as_deref().unwrap_or("-"));
        let mut line = Line::default();
        line.pad_to(4).add(Mood::Neutral, key.as_str()).add(Mood::Neutral, " ").pad_to(LABEL);
        line.add(Mood::Neutral, format!("{a:<24} {b}"));
        line.write(style, to)?;
    }
    Ok(())
}

fn setting_json(Differing { key, values }: &Differing) -> String {
    let [a, b] = values;
    object([
        ("key", json!(key).to_string()),
        ("a", json!(a).to_string()),
        ("b", json!(b).to_string()),
    ])
}

fn parting(comparison: &Comparison, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    writeln!(to)?;
    let Some(parting) = &comparison.parting else {
        let text = "The timelines of the first seed are the same.";
        return say(Mood::Neutral, text, style, to);
    };
    let text = format!("Where the timelines of seed {} part", parting.seed);
    say(Mood::Heading, &text, style, to)?;
    for (name, side) in ["A", "B"].into_iter().zip(&parting.sides) {
        let mut line = Line::default();
        line.pad_to(4).add(Mood::Heading, name).pad_to(8);
        let Some(Side { entry, cause, first_fault }) = side else {
            line.add(Mood::Quiet, "nothing more happens");
            line.write(style, to)?;
            continue;
        };
        let at = clock::since(*first_fault, entry.at);
        line.add(words::mood(entry), format!("{at}  {}  {}", entry.object(), words::change(entry)));
        line.write(style, to)?;
        if let Some(cause) = cause {
            let at = clock::since(*first_fault, cause.at);
            let text = format!("because of {at}  {}  {}", cause.object(), words::change(cause));
            let mut line = Line::default();
            line.pad_to(10).add(Mood::Quiet, text);
            line.write(style, to)?;
        }
    }
    Ok(())
}

/// Less time is good news, if it is sure.
fn mood(difference: Option<Difference>) -> Mood {
    match difference {
        Some(Difference::Exactly(micros) | Difference::AtMost(micros)) if micros < 0 => Mood::Good,
        Some(Difference::Exactly(micros) | Difference::AtLeast(micros)) if micros > 0 => Mood::Bad,
        _ => Mood::Neutral,
    }
}

/// A difference as far as it is known: `≥` of at least so much, `?` where not even its sign is.
fn bounded(difference: Difference) -> String {
    match difference {
        Difference::Exactly(micros) => signed(micros),
        Difference::AtLeast(micros) => format!("≥{}", floor(micros)),
        Difference::AtMost(micros) => format!("≤{}", ceil(micros)),
        Difference::Unknown => "?".to_owned(),
    }
}

/// A difference to the tenth of a second, with its sign.
pub(super) fn signed(micros: i64) -> String {
    let tenths = micros / TENTH;
    let sign = if tenths < 0 { "-" } else { "+" };
    match tenths {
        0 => "0s".to_owned(),
        _ => format!("{sign}{}", clock::length(Duration::from_micros(micros.unsigned_abs()))),
    }
}

/// What is told of a difference as its least, rounded down: no interval is told narrower than it is.
pub(super) fn floor(micros: i64) -> String {
    signed(micros.div_euclid(TENTH).saturating_mul(TENTH))
}

/// What is told as its most, rounded up.
pub(super) fn ceil(micros: i64) -> String {
    signed(micros.saturating_neg().div_euclid(TENTH).saturating_mul(-TENTH))
}

fn figure_json(paired: &Paired) -> String {
    let seconds = |micros: Option<i64>| micros.map_or("null".to_owned(), difference);
    let [low, high] = paired.interval(50);
    let statistics = [("min", 0), ("median", 50), ("max", 100)];
    let statistics = statistics.map(|(name, percent)| (name, paired.percentile(percent)));
    let [min, median, max] =
        statistics.map(|(_, found)| seconds(found.and_then(Difference::known)));
    let named = |is_it: fn(Difference) -> bool| {
        let all = statistics.into_iter().filter(|(_, found)| found.is_some_and(is_it));
        json!(all.map(|(name, _)| name).collect::<Vec<_>>()).to_string()
    };
    let mut members = vec![
        ("name", json!(paired.name.figure).to_string()),
        ("object", json!(paired.name.object).to_string()),
        ("both", paired.both.to_string()),
        ("onlyA", paired.only[0].to_string()),
        ("onlyB", paired.only[1].to_string()),
        ("neither", paired.neither.to_string()),
        ("min", min),
        ("median", median),
        ("medianLow", seconds(low)),
        ("medianHigh", seconds(high)),
        ("max", max),
        ("atLeast", named(|it| matches!(it, Difference::AtLeast(_)))),
        ("atMost", named(|it| matches!(it, Difference::AtMost(_)))),
    ];
    if paired.name.kind == Kind::Availability {
        members.extend([
            ("stillAtEndA", paired.open[0].to_string()),
            ("stillAtEndB", paired.open[1].to_string()),
        ]);
    }
    object(members)
}

fn side_json(side: &Side) -> String {
    let Side { entry, cause, first_fault } = side;
    let after = entry.at.since(*first_fault);
    object([
        ("after", length(Some(after))),
        ("object", json!(entry.object()).to_string()),
        ("change", json!(words::change(entry)).to_string()),
        ("reason", json!(entry.reason).to_string()),
        ("id", entry.id.0.to_string()),
        ("cause", cause.as_ref().map_or("null".to_owned(), |cause| cause.id.0.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::estimate::Name;
    use crate::engine::Text;

    #[test]
    fn what_was_cut_off_is_told_as_a_bound() {
        let [short, long] = [60, 600].map(Duration::from_secs);
        let down = |object: &'static str| Name {
            kind: Kind::Availability,
            figure: Text::word("unavailable"),
            object: Text::word(object),
        };
        let long_name = "app/whose-name-leaves-no-room-for-numbers";
        let rows =
            [("worse", [short, long], [false, true]), (long_name, [long, long], [true, true])];
        let figures =
            rows.map(|(name, lengths, open)| Paired::made_up(down(name), &[(lengths, open); 8]));
        let found =
            Comparison { runs: 8, partial: true, figures: figures.into(), ..Default::default() };
        let mut bytes = Vec::new();
        write_comparison(&found, ["a", "b"], Style::Plain, &mut bytes).expect("memory holds it");
        let text = String::from_utf8(bytes).expect("text");
        for wanted in [
            "partial: interrupted before all seeds were played\n",
            "     ≥+9m0s     ≥+9m0s     ≥+9m0s   +9m0s .. +∞\n      not over at the end in 0 of A and 8 of B\n",
            "    unavailable app/whose-name-leaves-no-room-for-numbers\n                                  \
             \u{20}                 8      0      0          ?          ?          ?   -∞ .. +∞\n      not over at the end in 8 of A and 8 of B\n",
        ] {
            assert!(text.contains(wanted), "{wanted}in\n{text}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&comparison_json(&found, ["a", "b"])).expect("JSON");
        assert_eq!(json["partial"], true);
        let [worse, unknown] = [0, 1].map(|row: usize| &json["figures"][row]);
        assert_eq!(
            (&worse["median"], &worse["atLeast"]),
            (&json!(540.0), &json!(["min", "median", "max"]))
        );
        assert_eq!((&worse["medianHigh"], &worse["stillAtEndB"]), (&json!(null), &json!(8)));
        assert_eq!((&unknown["median"], &unknown["atMost"]), (&json!(null), &json!([])));
    }

    #[test]
    fn ends_are_rounded_outward() {
        let told = |ends: [i64; 2]| (floor(ends[0]), ceil(ends[1]));
        let words = |low: &str, high: &str| (low.to_owned(), high.to_owned());
        assert_eq!(told([-1_950_000, -1_950_000]), words("-2s", "-1.9s"));
        assert_eq!(told([1_950_000, 1_950_000]), words("+1.9s", "+2s"));
        assert_eq!(told([-1, 1]), words("-100ms", "+100ms"));
        assert_eq!(told([-300_000, 300_000]), words("-300ms", "+300ms"));
        assert_eq!(told([0, 0]), words("0s", "0s"));
        assert_eq!(bounded(Difference::AtLeast(1_950_000)), "≥+1.9s");
        assert_eq!(bounded(Difference::AtMost(-1_950_000)), "≤-1.9s");
    }

    #[test]
    fn seeds_in_which_neither_has_it_are_told() {
        let lengths = [60, 600].map(Duration::from_secs);
        let cut = [[false, true], [true, true], [false, false]];
        let pairs = cut.map(|open| (lengths, open));
        let recovered = Paired::made_up(Name::recovered(), &pairs);
        let name = Name { figure: Text::word("nodeDeleted"), ..Name::recovered() };
        let mut deleted = Paired::made_up(name, &[(lengths, [false, false])]);
        deleted.neither = 2;
        let figures = vec![recovered, deleted];
        let found = Comparison { runs: 3, figures, ..Default::default() };
        let mut bytes = Vec::new();
        write_comparison(&found, ["a", "b"], Style::Plain, &mut bytes).expect("memory holds it");
        let text = String::from_utf8(bytes).expect("text");
        for wanted in [
            "      counts as longer than the run in 1 of A and 2 of B; in 1 seed neither has it\n",
            "      in 2 seeds neither has it\n",
        ] {
            assert!(text.contains(wanted), "{wanted}in\n{text}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&comparison_json(&found, ["a", "b"])).expect("JSON");
        let [recovered, deleted] = [0, 1].map(|row: usize| &json["figures"][row]);
        assert_eq!((&recovered["both"], &recovered["neither"]), (&json!(1), &json!(1)));
        assert_eq!(&recovered["onlyA"], &json!(1));
        assert_eq!((&deleted["neither"], &deleted["atLeast"]), (&json!(2), &json!([])));
    }
}
