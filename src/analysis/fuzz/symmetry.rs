//! Which targets of a fault are alike: it makes no difference which of them is hit, but for phases
//! that are drawn and connections that are drawn.
//!
//! The cluster as a graph: VMs with what leads on them, hosts, Pods by their workload. Two VMs are
//! alike if the graph in which the one is marked can be laid over that in which the other is.

use crate::api::{Body, Kind, Object};
use crate::engine::Text;
use crate::world::{EtcdRole, View};
use petgraph::algo::is_isomorphic_matching;
use petgraph::graph::{NodeIndex, UnGraph};
use std::collections::BTreeMap;

/// A part of the cluster, without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// What it is, and what leads on it.
    label: String,
    is_marked: bool,
}

/// The cluster as a graph, and where its VMs and hosts are in it.
#[derive(Debug)]
pub struct Symmetry {
    graph: UnGraph<Part, ()>,
    places: BTreeMap<Text, NodeIndex>,
}

impl Symmetry {
    /// Of the world as it is; without its hosts where none of them can fail.
    pub fn of(view: View, with_hosts: bool) -> Symmetry {
        let mut symmetry = Symmetry { graph: UnGraph::default(), places: BTreeMap::new() };
        for host in view.hosts().filter(|_| with_hosts) {
            symmetry.add(&host.name, "host".to_owned());
        }
        for vm in view.vms() {
            let place = symmetry.add(&vm.name, label(view, &vm.name));
            let host = view.host_of(vm).and_then(|host| symmetry.places.get(host).copied());
            host.map(|host| symmetry.graph.add_edge(place, host, ()));
        }
        for pod in view.objects(Kind::Pod) {
            symmetry.add_pod(pod);
        }
        symmetry
    }

    /// The first of each group of names that are alike, with the number of the others.
    pub fn merged(&self, names: &[Text]) -> Vec<(Text, usize)> {
        let mut groups: Vec<(Text, usize)> = Vec::new();
        for name in names {
            match groups.iter_mut().find(|(other, _)| self.are_alike(other, name)) {
                Some((_, others)) => *others += 1,
                None => groups.push((name.clone(), 0)),
            }
        }
        groups
    }

    fn are_alike(&self, a: &str, b: &str) -> bool {
        let (Some(a), Some(b)) = (self.marked(a), self.marked(b)) else { return a == b };
        is_isomorphic_matching(&a, &b, PartialEq::eq, |(), ()| true)
    }

    fn marked(&self, name: &str) -> Option<UnGraph<Part, ()>> {
        let place = *self.places.get(name)?;
        let mut graph = self.graph.clone();
        graph[place].is_marked = true;
        Some(graph)
    }

    fn add(&mut self, name: &Text, label: String) -> NodeIndex {
        let place = self.graph.add_node(Part { label, is_marked: false });
        self.places.insert(name.clone(), place);
        place
    }

    /// A Pod has no name that matters.
    fn add_pod(&mut self, object: &Object) {
        let Body::Pod(pod) = &object.body else { return };
        let Some(vm) = self.places.get(&pod.node_name).copied() else { return };
        let labels = format!("Pod {:?}", object.meta.labels);
        let place = self.graph.add_node(Part { label: labels, is_marked: false });
        self.graph.add_edge(place, vm, ());
    }
}

/// What is on a VM, and which of it leads.
fn label(view: View, vm: &Text) -> String {
    let programs: Vec<&str> =
        view.processes_on(vm).map(|process| process.program.as_str()).collect();
    let leads = |object: &Object| match &object.body {
        Body::Lease(lease) if lease.holder.ends_with(vm.as_str()) => {
            Some(object.name().to_string())
        }
        _ => None,
    };
    // A Node's own Lease leads nothing.
    let leases = view.objects(Kind::Lease).filter(|lease| lease.name() != vm);
    let leases: Vec<String> = leases.filter_map(|object| leads(object)).collect();
    let leader = view.etcd_member(EtcdRole::Leader).is_some_and(|leader| leader == *vm);
    format!("VM {programs:?} {leases:?} {leader}")
}
