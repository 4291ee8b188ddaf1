//! The same for programs: one JSON document, or a line of CSV for each value or point. Times are
//! seconds, prices Machines; what never comes is null, or empty.

use crate::analysis::tune::{
    Bar, Move, Moved, Played, Point, Price, Quantile, Sensitivity, Side, Struck, Sweep,
};
use crate::engine::Duration;
use crate::report::json::{difference, length, list, object};
use crate::report::list::csv_line;
use crate::scenario::OutageRate;
use serde_json::json;
use std::io;

/// The document, as one line.
pub fn sensitivity_json(found: &Sensitivity) -> String {
    let Sensitivity { played, came, p50, p95, bars, idle, untried } = found;
    let mut members = head("sensitivity", played);
    members.extend([
        ("came", came.to_string()),
        ("p50", quantile(p50)),
        ("p95", quantile(p95)),
        ("settings", list(bars.iter().map(bar))),
        ("moveNothing", json!(idle).to_string()),
        ("untried", list(untried.iter().map(|it| json!(it.key).to_string()))),
    ]);
    object(members)
}

/// The document, as one line.
pub fn sweep_json(found: &Sweep) -> String {
    let Sweep { played, keys, points, outages, nodes } = found;
    let mut members = head("sweep", played);
    members.extend([
        ("keys", json!(keys).to_string()),
        ("nodes", nodes.to_string()),
        ("outages", list(outages.iter().map(rate))),
        ("points", list(points.iter().map(point))),
    ]);
    object(members)
}

/// A line of names and one for each value of each setting that moves something.
pub fn sensitivity_csv(found: &Sensitivity, to: &mut impl io::Write) -> io::Result<()> {
    let names = [
        "scenario",
        "platform",
        "milestone",
        "runs",
        "setting",
        "flag",
        "value",
        "tried",
        "came",
        "p50_moves",
        "p50_from",
        "p50_to",
        "p95_moves",
        "p95_from",
        "p95_to",
    ];
    csv_line(&names.map(str::to_owned), to)?;
    for Bar { setting, sides } in &found.bars {
        for Side { value, came, p50, p95 } in sides {
            let mut cells = first_cells(&found.played);
            cells.extend([&setting.key, &setting.flag, &setting.value, value].map(String::clone));
            cells.push(came.to_string());
            cells.extend(moved_cells(p50));
            cells.extend(moved_cells(p95));
            csv_line(&cells, to)?;
        }
    }
    Ok(())
}

/// A line of names and one for each point.
pub fn sweep_csv(found: &Sweep, to: &mut impl io::Write) -> io::Result<()> {
    let mut names = ["scenario", "platform", "milestone", "runs"].map(str::to_owned).to_vec();
    names.extend(found.keys.iter().cloned());
    let rest = [
        "as_it_is",
        "came",
        "p50",
        "p50_from",
        "p50_to",
        "p95",
        "p95_from",
        "p95_to",
        "per_node_year",
        "per_node_year_from",
        "per_node_year_to",
        "per_1000_outages",
        "front",
    ];
    names.extend(rest.map(str::to_owned));
    csv_line(&names, to)?;
    for point in &found.points {
        let mut cells = first_cells(&found.played);
        cells.extend(point.values.iter().cloned());
        cells.extend([point.is_own.to_string(), point.came.to_string()]);
        for quantile in [point.p50, point.p95] {
            cells.push(seconds(quantile.value));
            let ends = quantile.interval.unwrap_or([None, None]);
            cells.extend(ends.map(seconds));
        }
        let Price { per_node_year, interval: [low, high], per_thousand } = point.price;
        cells.extend([per_node_year, low, high, per_thousand].map(decimals));
        cells.push(point.is_on_front.to_string());
        csv_line(&cells, to)?;
    }
    Ok(())
}

fn head(kind: &'static str, played: &Played) -> Vec<(&'static str, String)> {
    let Played { scenario, platform, of, first_seed, wanted, runs } = played;
    vec![
        ("tune", json!(kind).to_string()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("scenario", json!(scenario).to_string()),
        ("platform", json!(platform).to_string()),
        ("milestone", json!(of.to_string()).to_string()),
        ("firstSeed", first_seed.to_string()),
        ("wanted", wanted.to_string()),
        ("runs", runs.to_string()),
        ("partial", played.is_partial().to_string()),
    ]
}

fn bar(Bar { setting, sides }: &Bar) -> String {
    object([
        ("key", json!(setting.key).to_string()),
        ("value", json!(setting.value).to_string()),
        ("flag", json!(setting.flag).to_string()),
        ("tried", list(sides.iter().map(side))),
    ])
}

fn side(Side { value, came, p50, p95 }: &Side) -> String {
    object([
        ("value", json!(value).to_string()),
        ("came", came.to_string()),
        ("p50", moved(p50)),
        ("p95", moved(p95)),
    ])
}

fn point(point: &Point) -> String {
    let Price { per_node_year, interval: [low, high], per_thousand } = point.price;
    object([
        ("values", json!(point.values).to_string()),
        ("asItIs", point.is_own.to_string()),
        ("came", point.came.to_string()),
        ("p50", quantile(&point.p50)),
        ("p95", quantile(&point.p95)),
        ("perNodeYear", decimals(per_node_year)),
        ("perNodeYearInterval", list([low, high].map(decimals).into_iter())),
        ("per1000Outages", decimals(per_thousand)),
        ("outages", list(point.struck.iter().map(struck))),
        ("front", point.is_on_front.to_string()),
    ])
}

fn struck(struck: &Struck) -> String {
    object([
        ("kind", json!(struck.kind.name()).to_string()),
        ("runs", struck.outages.to_string()),
        ("costly", struck.costly.to_string()),
        ("machines", struck.machines.to_string()),
    ])
}

fn rate(rate: &OutageRate) -> String {
    let per = if rate.kind.is_per_node() { "node" } else { "cluster" };
    object([
        ("kind", json!(rate.kind.name()).to_string()),
        ("perYear", decimals(1000 * rate.per_year)),
        ("per", json!(per).to_string()),
        ("low", length(Some(rate.length.low))),
        ("high", length(Some(rate.length.high))),
        ("basis", json!(rate.basis).to_string()),
    ])
}

fn quantile(quantile: &Quantile) -> String {
    let interval =
        quantile.interval.map_or("null".to_owned(), |ends| list(ends.into_iter().map(length)));
    object([("value", length(quantile.value)), ("interval", interval)])
}

fn moved(moved: &Moved) -> String {
    let interval = moved.interval.map_or("null".to_owned(), |ends| list(ends.into_iter().map(by)));
    let certain = moved.is_certain().to_string();
    object([("by", by(moved.by)), ("interval", interval), ("certain", certain)])
}

/// Seconds, or the word for what is beyond them.
fn by(by: Move) -> String {
    match by {
        Move::Comes => json!("comes").to_string(),
        Move::Fails => json!("fails").to_string(),
        Move::By(micros) => difference(micros),
    }
}

fn moved_cells(moved: &Moved) -> [String; 3] {
    let cell = |it: Move| by(it).trim_matches('"').to_owned();
    let ends = moved.interval.map(|ends| ends.map(cell));
    let [low, high] = ends.unwrap_or_default();
    [cell(moved.by), low, high]
}

fn first_cells(played: &Played) -> Vec<String> {
    let Played { scenario, platform, of, runs, .. } = played;
    vec![scenario.to_string(), platform.to_string(), of.to_string(), runs.to_string()]
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(String::new, |time| length(Some(time)))
}

fn decimals(number: u64) -> String {
    format!("{}.{:06}", number / 1_000_000, number % 1_000_000)
}
