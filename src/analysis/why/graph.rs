//! The graph of causes: which entry led to which, as far as it led to any milestone.

use super::ask::Why;
use super::path::Part;
use crate::analysis::milestones;
use crate::engine::{Duration, SimTime};
use crate::timeline::{Entry, EntryId};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet};

/// Entries, and the time that each took to lead to the next.
pub type Graph = DiGraph<Node, Duration>;

/// An entry in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub entry: Entry,
    /// It lies on the critical path.
    pub is_critical: bool,
    /// It shows a milestone.
    pub is_milestone: bool,
}

/// The causes of all milestones of the run, back to the faults.
pub fn graph(why: &Why) -> Graph {
    let mut whole = Graph::new();
    let mut places: BTreeMap<EntryId, NodeIndex> = BTreeMap::new();
    let shown: BTreeSet<EntryId> = milestones(&why.run).iter().map(|it| it.entry).collect();
    let critical: BTreeSet<EntryId> = why.stations().iter().map(|entry| entry.id).collect();
    let since = why.fault();
    for entry in why
        .run
        .timeline
        .entries()
        .iter()
        .filter(|entry| entry.at >= since && entry.at > SimTime::ZERO)
    {
        let is_milestone = shown.contains(&entry.id);
        let is_critical = critical.contains(&entry.id);
        let place = whole.add_node(Node { entry: entry.clone(), is_critical, is_milestone });
        places.insert(entry.id, place);
        if let Some(cause) = entry.cause.and_then(|cause| places.get(&cause)) {
            let took = entry.at.since(whole[*cause].entry.at);
            whole.add_edge(*cause, place, took);
        }
    }
    leading(whole)
}

/// What leads to a milestone, or lies on the critical path.
fn leading(whole: Graph) -> Graph {
    let mut kept = BTreeSet::new();
    let ends = whole
        .node_indices()
        .filter(|place| whole[*place].is_milestone || whole[*place].is_critical);
    let mut open: Vec<NodeIndex> = ends.collect();
    while let Some(place) = open.pop() {
        if kept.insert(place) {
            open.extend(whole.neighbors_directed(place, Direction::Incoming));
        }
    }
    whole.filter_map(
        |place, node| kept.contains(&place).then(|| node.clone()),
        |_, took| Some(*took),
    )
}

/// The longest wait between two times.
pub fn longest(parts: &[Part], from: SimTime, to: SimTime) -> Option<&Part> {
    let within = parts.iter().filter(|part| part.from >= from && part.to <= to);
    within.max_by_key(|part| (part.length(), std::cmp::Reverse(part.from)))
}
