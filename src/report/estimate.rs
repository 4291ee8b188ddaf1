//! Many runs as a table for people, or as one JSON document.
//!
//! It counts nothing: all numbers are in the estimate. Seconds are decimals made from integers.

use super::clock;
use super::json::{length, list, object};
use super::page::{Line, Mood, Style, say};
use crate::analysis::{Estimate, Outcome, Times};
use crate::engine::Duration;
use serde_json::json;
use std::io;

/// The percentiles that are told, with their names; 0 and 100 are the extremes.
const PERCENTILES: [(&str, usize); 5] =
    [("min", 0), ("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)];

/// Columns of the table: where the object, the count and the first time begin, and how wide a
/// number is.
const OBJECT: usize = 22;
const RUNS: usize = 49;
const NUMBER: usize = 10;

/// Writes the table.
pub fn write_estimate(
    estimate: &Estimate,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let Estimate { scenario, platform, first_seed, runs, .. } = estimate;
    let last = first_seed + runs.saturating_sub(1);
    let mut line = Line::default();
    line.add(Mood::Heading, scenario.as_str());
    line.add(Mood::Neutral, format!(" on {platform}, {runs} runs, seeds {first_seed}..{last}"));
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    writeln!(to)?;
    outcomes(estimate, style, to)?;
    if estimate.milestones.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    heading(style, to)?;
    estimate.milestones.iter().try_for_each(|times| row(times, style, to))
}

/// The document, as one line.
pub fn estimate_json(estimate: &Estimate) -> String {
    object([
        ("estimate", "true".to_owned()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("scenario", json!(estimate.scenario).to_string()),
        ("platform", json!(estimate.platform).to_string()),
        ("firstSeed", estimate.first_seed.to_string()),
        ("runs", estimate.runs.to_string()),
        ("outcomes", list(estimate.outcomes.iter().map(|found| outcome(found, estimate.runs)))),
        ("milestones", list(estimate.milestones.iter().map(milestone))),
    ])
}

fn outcomes(estimate: &Estimate, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    say(Mood::Heading, "Outcomes", style, to)?;
    for (outcome, runs) in &estimate.outcomes {
        let mut line = Line::default();
        line.pad_to(4).add(mood(*outcome), outcome.as_str()).pad_to(OBJECT + 8);
        line.add(Mood::Neutral, format!("{runs:>NUMBER$}"));
        line.add(Mood::Quiet, format!("{:>9} %", tenths(*runs, estimate.runs)));
        line.write(style, to)?;
    }
    Ok(())
}

fn heading(style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Heading, "Milestones").add(Mood::Quiet, "  after the first fault");
    line.pad_to(RUNS).add(Mood::Quiet, format!("{:>6}", "runs"));
    for (name, _) in PERCENTILES {
        line.add(Mood::Quiet, format!("{name:>9}"));
    }
    line.write(style, to)
}

fn row(times: &Times, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.pad_to(4).add(Mood::Neutral, times.milestone.as_str()).pad_to(OBJECT + 1);
    line.add(Mood::Quiet, shortened(&times.object, RUNS - OBJECT - 2)).pad_to(RUNS);
    line.add(Mood::Quiet, format!("{:>6}", times.sorted.len()));
    for (_, percent) in PERCENTILES {
        line.add(Mood::Neutral, format!("{:>9}", time(times.percentile(percent))));
    }
    line.write(style, to)
}

fn outcome((outcome, runs): &(Outcome, u64), all: u64) -> String {
    object([
        ("outcome", json!(outcome.as_str()).to_string()),
        ("runs", runs.to_string()),
        ("share", share(*runs, all)),
    ])
}

fn milestone(times: &Times) -> String {
    let mut members = vec![
        ("name", json!(times.milestone).to_string()),
        ("object", json!(times.object).to_string()),
        ("runs", times.sorted.len().to_string()),
    ];
    members
        .extend(PERCENTILES.map(|(name, percent)| (name, length(Some(times.percentile(percent))))));
    object(members)
}

fn mood(outcome: Outcome) -> Mood {
    match outcome {
        Outcome::Replaced | Outcome::PoweredOn | Outcome::CameBack => Mood::Good,
        Outcome::Refused | Outcome::Stuck | Outcome::Horizon | Outcome::Budget => Mood::Bad,
    }
}

/// As everywhere, but from one hour on without tenths: they would not fit and say nothing.
fn time(length: Duration) -> String {
    let text = clock::after(length);
    let text = text.trim_start_matches('+');
    match text.matches(':').count() {
        0 | 1 => text.to_owned(),
        _ => text.split('.').next().unwrap_or_default().to_owned(),
    }
}

/// A share in percent with one decimal, rounded to the nearest.
fn tenths(part: u64, all: u64) -> String {
    let tenths = (2000 * part + all) / (2 * all.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A share between 0 and 1 with six decimals, rounded down.
fn share(part: u64, all: u64) -> String {
    let millionths = u128::from(part) * 1_000_000 / u128::from(all.max(1));
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

/// A long name keeps its beginning.
fn shortened(name: &str, width: usize) -> String {
    match name.chars().count() <= width {
        true => name.to_owned(),
        false => name.chars().take(width - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Text;

    fn sample() -> Estimate {
        let seconds = |seconds: &[u64]| seconds.iter().map(|s| Duration::from_secs(*s)).collect();
        Estimate {
            scenario: Text::word("worker-power-off"),
            platform: Text::word("tkgs-2024"),
            first_seed: 1,
            runs: 3,
            outcomes: vec![(Outcome::Replaced, 2), (Outcome::Stuck, 1)],
            milestones: vec![Times {
                milestone: Text::word("nodeUnknown"),
                object: Text::word("Node/worker-0"),
                sorted: seconds(&[30, 40, 3700]),
            }],
        }
    }

    #[test]
    fn a_table_reads_at_a_glance_and_fits_the_page() {
        let mut bytes = Vec::new();
        write_estimate(&sample(), Style::Plain, &mut bytes).expect("memory takes everything");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        insta::assert_snapshot!(text, @r"
        worker-power-off on tkgs-2024, 3 runs, seeds 1..3   healsim 0.1.0

        Outcomes
            recovered by replacement           2     66.7 %
            stuck                              1     33.3 %

        Milestones  after the first fault                  runs      min      p50      p90      p99      max
            nodeUnknown        Node/worker-0                  3  00:30.0  00:40.0  1:01:40  1:01:40  1:01:40
        ");
    }

    #[test]
    fn a_document_has_seconds_and_shares() {
        let text = estimate_json(&sample());
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read["outcomes"][0]["share"], 0.666_666);
        assert_eq!(read["milestones"][0]["p50"], 40.0);
        assert_eq!(read["milestones"][0]["max"], 3700.0);
    }

    #[test]
    fn no_run_at_all_is_still_a_document() {
        let empty = Estimate::default();
        assert!(serde_json::from_str::<serde_json::Value>(&estimate_json(&empty)).is_ok());
        assert!(write_estimate(&empty, Style::Plain, &mut Vec::new()).is_ok());
    }
}
