//! The graph of causes for Graphviz: the critical path drawn thick.

use crate::analysis::why::{Graph, Part, Why, longest};
use crate::report::{clock, words};
use crate::timeline::Entry;
use petgraph::visit::EdgeRef;
use std::fmt::Write;

/// The graph, as one `digraph`.
pub fn dot(why: &Why, graph: &Graph) -> String {
    let mut text = String::from("digraph why {\n");
    text.push_str("  rankdir=TB; node [shape=box, fontname=\"sans-serif\", fontsize=10];\n");
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=9];\n");
    for place in graph.node_indices() {
        let node = &graph[place];
        let style = match (node.is_critical, node.is_milestone) {
            (true, _) => ", penwidth=3",
            (false, true) => ", style=filled, fillcolor=\"#eeeeee\"",
            (false, false) => ", style=dashed",
        };
        let label = escaped(&label(why, &node.entry));
        writeln!(text, "  e{} [label=\"{label}\"{style}];", node.entry.id.0).expect("a string");
    }
    for edge in graph.edge_references() {
        let [from, to] = [edge.source(), edge.target()].map(|place| &graph[place]);
        let label = clock::fine(*edge.weight());
        let (from, to) = (from.entry.id.0, to.entry.id.0);
        writeln!(text, "  e{from} -> e{to} [label=\"{label}\"];").expect("a string");
    }
    for two in why.stations().windows(2) {
        let [from, to] = [two[0], two[1]];
        let part = longest(&why.parts, from.at, to.at);
        let label = part.map_or(String::new(), |part: &Part| {
            format!("{} {}", clock::fine(part.length()), escaped(part.rule))
        });
        let ends = format!("e{} -> e{}", from.id.0, to.id.0);
        writeln!(text, "  {ends} [label=\"{label}\", penwidth=3, constraint=false];")
            .expect("a string");
    }
    text.push_str("}\n");
    text
}

fn label(why: &Why, entry: &Entry) -> String {
    let at = clock::since(why.fault(), entry.at);
    format!("{at}\n{}\n{}", entry.object(), words::change(entry))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
