//! The estimate as one JSON document, for programs. It has every number of the table, and the
//! worst runs of every figure.

use super::numbers::{at_least, fraction, share};
use crate::analysis::Estimate;
use crate::analysis::estimate::{
    Assumed, Count, Ending, Figure, Kind, Recovered, STATISTICS, Seen, Upper, wilson,
};
use crate::engine::Duration;
use crate::report::json::{length, list, object};
use crate::report::shell::command;
use serde_json::json;

/// The document, as one line.
pub fn document(estimate: &Estimate) -> String {
    let Estimate { asked, seeds, runs, cut, outcomes, unstruck, figures, ends } = estimate;
    let of = |kind: Kind| {
        list(figures.iter().filter(|it| it.name.kind == kind).map(|it| figure(estimate, it)))
    };
    let mut members = vec![
        ("estimate", "true".to_owned()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("scenario", json!(asked.scenario).to_string()),
        ("platform", json!(asked.platform).to_string()),
        ("firstSeed", seeds.start.to_string()),
        ("runs", runs.to_string()),
        ("partial", cut.is_some().to_string()),
        ("outcomes", list(outcomes.iter().map(|(end, count)| outcome(estimate, end, *count)))),
        ("assumed", ends.map_or_else(null, |[low, high]| ends_of(low, high))),
        ("milestones", of(Kind::Milestone)),
        ("availability", of(Kind::Availability)),
    ];
    if let Some(Count { runs, seed }) = unstruck {
        let count = [("runs", runs.to_string()), ("seed", seed.to_string())];
        members.push(("unstruck", object(count)));
    }
    object(members)
}

fn outcome(estimate: &Estimate, ending: &Ending, count: Count) -> String {
    let (low, high) = wilson(count.runs, estimate.runs);
    let missing = Some(&ending.missing).filter(|missing| !missing.is_empty());
    object([
        ("outcome", json!(ending.outcome.as_str()).to_string()),
        ("missing", json!(missing).to_string()),
        ("runs", count.runs.to_string()),
        ("share", share(count.runs, estimate.runs)),
        ("interval", format!("[{},{}]", fraction(low), fraction(high))),
        ("seed", count.seed.to_string()),
        ("command", json!(command(&estimate.replay(count.seed))).to_string()),
    ])
}

fn figure(estimate: &Estimate, figure: &Figure) -> String {
    let Figure { name, happened, spread, worst, assumed, .. } = figure;
    let mut members = vec![
        ("name", json!(name.figure).to_string()),
        ("object", json!(name.object).to_string()),
        ("runs", happened.to_string()),
    ];
    members
        .extend(STATISTICS.map(|(name, percent)| (name, length(Some(spread.percentile(percent))))));
    let quantiles = STATISTICS.into_iter().filter(|(_, percent)| (1..100).contains(percent));
    let intervals = quantiles.map(|(name, percent)| (name, interval(figure.interval(percent))));
    members.push(("intervals", object(intervals)));
    if name.kind == Kind::Availability {
        let at_least = json!(at_least(figure)).to_string();
        members.extend([("stillAtEnd", figure.open().to_string()), ("atLeast", at_least)]);
    }
    members.extend(assumed.map(|assumed| ("assumed", moved(assumed))));
    members.push(("worst", list(worst.iter().map(|seen| run(estimate, name.kind, *seen)))));
    object(members)
}

/// Both ends; null where the runs are too few, and the upper where it lies among services that were
/// still down.
fn interval((low, high): (Option<Duration>, Upper)) -> String {
    format!("[{},{}]", length(low), length(high.length()))
}

fn moved(Assumed { low, high, share }: Assumed) -> String {
    let share = share.map(|thousandths| fraction(thousandths.saturating_mul(1000)));
    object([
        ("lowP95", length(low)),
        ("highP95", length(high)),
        ("share", share.unwrap_or_else(null)),
    ])
}

fn ends_of(low: Recovered, high: Recovered) -> String {
    object([
        ("runs", low.runs.to_string()),
        ("recoveredLow", share(low.recovered, low.runs)),
        ("recoveredHigh", share(high.recovered, high.runs)),
    ])
}

fn run(estimate: &Estimate, kind: Kind, seen: Seen) -> String {
    let still = (kind == Kind::Availability).then(|| ("stillAtEnd", seen.open.to_string()));
    let members = [("seed", seen.seed.to_string()), ("value", length(Some(seen.length())))];
    let command = json!(command(&estimate.replay(seen.seed))).to_string();
    object(members.into_iter().chain(still).chain([("command", command)]))
}

fn null() -> String {
    "null".to_owned()
}
