//! The answers as JSON: exact microseconds, every part, and the graph.

use crate::analysis::why::{Graph, Never, Part, Settings, Share, Shares, Why, sum_up};
use crate::engine::SimTime;
use crate::report::json::{length, list, object};
use petgraph::visit::EdgeRef;
use serde_json::json;

/// The way with all its parts, and the graph of causes, as one line.
pub fn why_json(why: &Why, graph: &Graph) -> String {
    let run = &why.run;
    let part = |(part, who): (&Part, &crate::engine::Text)| {
        object([
            ("from", seconds(part.from)),
            ("to", seconds(part.to)),
            ("length", length(Some(part.length()))),
            ("rule", json!(part.rule).to_string()),
            ("process", json!(who).to_string()),
        ])
    };
    let entries = why.stations().into_iter().map(|entry| entry.id.0.to_string());
    object([
        ("why", json!("way").to_string()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("scenario", json!(run.scenario).to_string()),
        ("platform", json!(run.platform).to_string()),
        ("seed", run.seed.to_string()),
        ("milestone", json!(why.milestone.name).to_string()),
        ("object", json!(why.milestone.object).to_string()),
        ("firstFault", seconds(why.fault())),
        ("at", seconds(why.milestone.at)),
        ("whole", length(Some(why.whole()))),
        ("parts", list(why.parts.iter().zip(&why.who).map(part))),
        ("rules", list(sum_up(&why.parts).iter().map(|share| rule(share, &why.settings)))),
        ("path", list(entries)),
        ("graph", graph_json(graph)),
    ])
}

/// What each rule takes over many runs, as one line.
pub fn shares_json(shares: &Shares, label: &str, settings: &Settings) -> String {
    let row = |it: &crate::analysis::why::RuleShare| {
        let mut members = vec![
            ("rule", json!(it.rule).to_string()),
            ("runs", it.lengths.len().to_string()),
            ("sum", length(Some(it.sum()))),
            ("p50", length(it.percentile(50))),
            ("p95", length(it.percentile(95))),
        ];
        members.extend(setting(it.rule, settings));
        object(members)
    };
    object([
        ("why", json!("shares").to_string()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("asked", json!(label).to_string()),
        ("firstSeed", shares.first_seed.to_string()),
        ("runs", shares.runs.to_string()),
        ("partial", shares.partial.to_string()),
        ("reached", shares.reached.to_string()),
        ("whole", length(Some(shares.whole))),
        ("rules", list(shares.rules.iter().map(row))),
    ])
}

/// Who waits for what, and what would release it, as one line.
pub fn never_json(never: &Never) -> String {
    let run = &never.run;
    let wait = |wait: &crate::analysis::why::Waiting| {
        object([
            ("object", json!(wait.object).to_string()),
            ("what", json!(wait.what).to_string()),
            ("since", wait.since.map_or("null".to_owned(), seconds)),
        ])
    };
    let release = |it: &crate::analysis::why::Release| {
        object([("action", json!(it.action).to_string()), ("took", length(Some(it.took)))])
    };
    object([
        ("why", json!("never").to_string()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("scenario", json!(run.scenario).to_string()),
        ("platform", json!(run.platform).to_string()),
        ("seed", run.seed.to_string()),
        ("milestone", json!(never.milestone).to_string()),
        ("firstFault", run.first_fault.map_or("null".to_owned(), seconds)),
        ("end", json!(run.end.as_str()).to_string()),
        ("endedAt", seconds(run.ended_at)),
        ("byItself", length(never.by_itself)),
        ("waiting", list(never.waiting.iter().map(wait))),
        ("tried", never.tried.to_string()),
        ("patience", length(Some(never.patience))),
        ("releases", list(never.releases.iter().map(release))),
    ])
}

fn rule(share: &Share, settings: &Settings) -> String {
    let mut members = vec![
        ("rule", json!(share.rule).to_string()),
        ("length", length(Some(share.length))),
        ("count", share.count.to_string()),
    ];
    members.extend(setting(share.rule, settings));
    object(members)
}

fn setting(rule: &str, settings: &Settings) -> Vec<(&'static str, String)> {
    settings.get(rule).map_or_else(Vec::new, |setting| {
        vec![
            ("value", json!(setting.value).to_string()),
            ("flag", json!(setting.flag).to_string()),
            (
                "basis",
                json!(setting.given_by().map_or(setting.basis.name(), |_| "given")).to_string(),
            ),
            ("source", json!(setting.source).to_string()),
            ("from", json!(setting.given_by()).to_string()),
        ]
    })
}

fn graph_json(graph: &Graph) -> String {
    let nodes = graph.node_indices().map(|place| {
        let node = &graph[place];
        object([
            ("id", node.entry.id.0.to_string()),
            ("t", seconds(node.entry.at)),
            ("object", json!(node.entry.object()).to_string()),
            ("field", json!(node.entry.field).to_string()),
            ("what", json!(crate::report::words::change(&node.entry)).to_string()),
            ("critical", node.is_critical.to_string()),
            ("milestone", node.is_milestone.to_string()),
        ])
    });
    let edges = graph.edge_references().map(|edge| {
        let [from, to] = [edge.source(), edge.target()].map(|place| graph[place].entry.id.0);
        object([
            ("from", from.to_string()),
            ("to", to.to_string()),
            ("took", length(Some(*edge.weight()))),
        ])
    });
    object([("nodes", list(nodes)), ("edges", list(edges))])
}

fn seconds(at: SimTime) -> String {
    length(Some(at.since(SimTime::ZERO)))
}
