//! Which targets of a fault are alike: it makes no difference which of them is hit, but for phases
//! that are drawn and connections that are drawn.
//!
//! The cluster as a graph: VMs with what runs, leads and has struck on them and how their Nodes and
//! Machines stand, hosts, Pods by their workload. Two VMs are alike if the graph in which the one is
//! marked can be laid over that in which the other is.

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
    /// Of the world as it is, and what has struck each VM or host; without its hosts where none of
    /// them can fail.
    pub fn of<'a>(view: View, with_hosts: bool, struck: impl Fn(&str) -> Vec<&'a str>) -> Symmetry {
        let mut symmetry = Symmetry { graph: UnGraph::default(), places: BTreeMap::new() };
        for host in view.hosts().filter(|_| with_hosts) {
            let is_on = view.is_host_on(&host.name);
            symmetry.add(&host.name, format!("host {is_on} {:?}", struck(&host.name)));
        }
        for vm in view.vms() {
            let struck = struck(&vm.name);
            let label =
                format!("{} {} {struck:?}", label(view, &vm.name), standing(view, &vm.name));
            let place = symmetry.add(&vm.name, label);
            let host = view.host_of(vm).and_then(|host| symmetry.places.get(host).copied());
            host.map(|host| symmetry.graph.add_edge(place, host, ()));
        }
        for pod in view.objects(Kind::Pod) {
            symmetry.add_pod(pod);
        }
        symmetry
    }

    /// True if it makes no difference which of the two is hit.
    pub fn are_alike(&self, a: &str, b: &str) -> bool {
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
        let is_deleting = object.meta.is_deleting();
        let label = format!("Pod {:?} {:?} {is_deleting}", object.meta.labels, pod.phase);
        let place = self.graph.add_node(Part { label, is_marked: false });
        self.graph.add_edge(place, vm, ());
    }
}

/// What is on a VM, and which of it leads.
fn label(view: View, vm: &Text) -> String {
    let programs: Vec<&str> =
        view.processes_on(vm).map(|process| process.program.as_str()).collect();
    let leads = |object: &Object| match &object.body {
        // A holder is the VM's name, an underscore and what makes this process unique.
        Body::Lease(lease) if lease.holder.split('_').next() == Some(vm.as_str()) => {
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

/// How a VM's Node and Machine stand.
fn standing(view: View, vm: &Text) -> String {
    let nodes = view.objects(Kind::Node).filter(|object| object.name() == vm);
    let nodes = nodes.filter_map(|object| {
        let node = object.node()?;
        let taints: Vec<&str> = node.taints.iter().map(|taint| taint.key.as_str()).collect();
        let ready = node.conditions.get("Ready").map(|condition| condition.status);
        Some(format!("{ready:?} {} {taints:?}", node.unschedulable))
    });
    let machines = view.objects(Kind::Machine).filter_map(|object| {
        let machine = object.machine()?;
        let is_its = object.name() == vm || machine.node_ref.as_ref() == Some(vm);
        let healthy = machine.conditions.get("HealthCheckSucceeded").map(|it| it.status);
        let is_deleting = object.meta.is_deleting();
        is_its.then(|| format!("{:?} {healthy:?} {is_deleting}", machine.phase))
    });
    nodes.chain(machines).collect::<Vec<String>>().join(", ")
}
