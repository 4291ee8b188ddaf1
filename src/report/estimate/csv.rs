//! The estimate's figures as CSV (RFC 4180): one line for each, seconds, empty where there is no
//! number.

use super::numbers::{at_least, fraction};
use crate::analysis::Estimate;
use crate::analysis::estimate::{Figure, Kind, STATISTICS};
use crate::engine::Duration;
use crate::report::json::length;
use crate::report::list::csv_line as line;
use std::io;

/// Writes a line of names and one for each figure.
pub fn write(estimate: &Estimate, to: &mut impl io::Write) -> io::Result<()> {
    let mut names: Vec<String> =
        ["scenario", "platform", "kind", "name", "object", "runs"].map(str::to_owned).to_vec();
    for (name, percent) in STATISTICS {
        names.push(name.to_owned());
        if is_quantile(percent) {
            names.extend([format!("{name}_from"), format!("{name}_to")]);
        }
    }
    names.extend(["assumed_low_p95", "assumed_high_p95", "assumed_share"].map(str::to_owned));
    names.extend(["still_at_end", "at_least", "partial", "played"].map(str::to_owned));
    line(&names, to)?;
    estimate.figures.iter().try_for_each(|figure| line(&row(estimate, figure), to))
}

fn row(estimate: &Estimate, figure: &Figure) -> Vec<String> {
    let Figure { name, happened, spread, assumed, .. } = figure;
    let kind = match name.kind {
        Kind::Milestone => "milestone",
        Kind::Availability => "availability",
    };
    let asked = &estimate.asked;
    let mut cells = vec![asked.scenario.to_string(), asked.platform.to_string(), kind.to_owned()];
    cells.extend([name.figure.to_string(), name.object.to_string(), happened.to_string()]);
    for (_, percent) in STATISTICS {
        cells.push(length(Some(spread.percentile(percent))));
        if is_quantile(percent) {
            let (low, high) = figure.interval(percent);
            cells.extend([seconds(low), seconds(high.length())]);
        }
    }
    let share = assumed.and_then(|assumed| assumed.share);
    let share = share.map(|thousandths| fraction(thousandths.saturating_mul(1000)));
    cells.extend([
        seconds(assumed.and_then(|assumed| assumed.low)),
        seconds(assumed.and_then(|assumed| assumed.high)),
        share.unwrap_or_default(),
    ]);
    cells.extend(match name.kind {
        Kind::Milestone => [String::new(), String::new()],
        Kind::Availability => [figure.open().to_string(), at_least(figure).join(" ")],
    });
    cells.push(estimate.cut.is_some().to_string());
    cells.push(estimate.runs.to_string());
    cells
}

fn is_quantile(percent: u64) -> bool {
    (1..100).contains(&percent)
}

fn seconds(value: Option<Duration>) -> String {
    value.map_or_else(String::new, |value| length(Some(value)))
}
