//! Which names objects can have in a run, as far as its beginning says so.
//!
//! A pattern on any other name would be met, or missed, for ever. Of what comes to be later a part of
//! the name is drawn; such a part is a `*` here. Kinds whose names nobody can tell beforehand have no
//! list, and any name of them is taken as it is. It does not know what a pattern asks of an object.

use super::faults::UNITS;
use crate::api::Kind;
use crate::world::{ApiUser, Blueprint, Probe, View};
use std::collections::{BTreeMap, BTreeSet};

/// The names of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Those that a scenario can write; `*` stands for anything, `?` for one letter that is drawn.
    pub names: BTreeSet<String>,
    /// Those that only a pattern with `*` can mean: of replacements, since each seed draws others.
    pub later: BTreeSet<String>,
}

/// By kind.
pub type AllKnown = BTreeMap<&'static str, Known>;

/// Kinds of which a run makes no more than it begins with.
const FIXED: [Kind; 10] = [
    Kind::Cluster,
    Kind::MachineDeployment,
    Kind::MachineHealthCheck,
    Kind::KubeadmControlPlane,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::PodDisruptionBudget,
    Kind::ConfigMap,
    Kind::PersistentVolumeClaim,
];

/// Kinds whose objects have the name of their Machine.
const LIKE_MACHINES: [Kind; 5] = [
    Kind::VirtualMachine,
    Kind::VSphereMachine,
    Kind::InfraMachine,
    Kind::KubeadmConfig,
    Kind::Lease,
];

/// Whose Pods are named after them.
const OWNERS: [Kind; 4] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job];

/// Who makes Machines, and how it names them after itself: a MachineDeployment by way of a MachineSet.
const POOLS: [(Kind, &str); 3] = [
    (Kind::MachineDeployment, "-?????-?????"),
    (Kind::MachineSet, "-?????"),
    (Kind::KubeadmControlPlane, "-?????"),
];

impl Known {
    /// True if something can have such a name; `*` in it stands for anything.
    pub fn has(&self, name: &str) -> bool {
        let later = self.later.iter().filter(|_| name.contains('*'));
        self.names.iter().chain(later).any(|known| overlap(name, known))
    }

    /// The names as people write them: `*` in the place of all that is drawn.
    pub fn written(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let written = |name: &String| match name.split_once('?') {
            Some((head, _)) => format!("{head}*"),
            None => name.clone(),
        };
        let all = |names: &BTreeSet<String>| names.iter().map(written).collect();
        (all(&self.names), all(&self.later))
    }
}

/// The names that there can be in a world that is about to begin. `deployed` are the Deployments
/// that a person creates in the run.
pub fn known(view: View, blueprint: &Blueprint, deployed: &[String]) -> AllKnown {
    let of = |kind: Kind| view.objects(kind).map(|object| object.name().to_string());
    let all = |kinds: &[Kind]| kinds.iter().copied().flat_map(of).collect::<BTreeSet<String>>();
    let named = |(kind, rest): (Kind, &'static str)| of(kind).map(move |pool| pool + rest);
    let pools: BTreeSet<String> = POOLS.into_iter().flat_map(named).collect();
    let mut known = AllKnown::new();
    let mut put = |kind: &'static str, names: BTreeSet<String>, later: BTreeSet<String>| {
        known.insert(kind, Known { names, later });
    };
    let vms: BTreeSet<String> = view.vms().map(|vm| vm.name.to_string()).collect();
    put("Host", view.hosts().map(|host| host.name.to_string()).collect(), BTreeSet::new());
    for kind in [Kind::Node, Kind::Machine] {
        // Where a control plane's VMs are no Nodes, `never ... on control-plane-*` is still right.
        put(kind.name(), all(&[kind]), pools.iter().chain(&vms).cloned().collect());
    }
    for kind in LIKE_MACHINES {
        let machines = of(kind).chain(vms.clone()).chain(pools.clone());
        put(kind.name(), machines.collect(), BTreeSet::new());
    }
    for kind in FIXED {
        put(kind.name(), all(&[kind]), BTreeSet::new());
    }
    let sets = of(Kind::MachineDeployment).map(|pool| format!("{pool}-*"));
    put("MachineSet", of(Kind::MachineSet).chain(sets).collect(), BTreeSet::new());
    put("Probe", probes(blueprint), BTreeSet::new());
    put("Process", processes(view, &pools), BTreeSet::new());
    put("EtcdMember", members(view).chain(pools.clone()).collect(), BTreeSet::new());
    put("VM", vms, pools.clone());
    let made = deployed.iter().cloned().chain(tries(blueprint));
    let deployments: BTreeSet<String> = of(Kind::Deployment).chain(made.clone()).collect();
    let after = |owner: &String| format!("{}-*", owner.trim_end_matches("-*"));
    let replica_sets = deployments.iter().map(after).chain(of(Kind::ReplicaSet));
    put("ReplicaSet", replica_sets.collect(), BTreeSet::new());
    let owners = OWNERS.into_iter().flat_map(of).chain(made);
    let pods = owners.map(|owner| after(&owner)).chain(of(Kind::Pod));
    put("Pod", pods.chain(static_pods(view, &pools)).collect(), BTreeSet::new());
    put("Deployment", deployments, BTreeSet::new());
    put("Service", all(&[Kind::Service]), BTreeSet::new());
    let slices = of(Kind::Service).map(|service| format!("{service}-*"));
    put("EndpointSlice", slices.chain(of(Kind::EndpointSlice)).collect(), BTreeSet::new());
    known
}

/// The users whom the scenario's `probes` name.
fn probes(blueprint: &Blueprint) -> BTreeSet<String> {
    let probes = blueprint.users.iter().flat_map(|users| &users.probes);
    let name = |probe: &Probe| match probe {
        Probe::App(app) => format!("app-{app}"),
        Probe::Deploy(_) => "deploy".to_owned(),
        Probe::Api(ApiUser::Fresh) => "api".to_owned(),
        Probe::Api(ApiUser::At(vm)) => format!("api@{vm}"),
        Probe::Api(ApiUser::Led(vm)) => format!("api@via-{vm}"),
    };
    probes.map(name).collect()
}

/// What a user creates who tries whether something can be deployed.
fn tries(blueprint: &Blueprint) -> impl Iterator<Item = String> + Clone + use<> {
    let mut probes = blueprint.users.iter().flat_map(|users| &users.probes);
    let deploys = probes.any(|probe| matches!(probe, Probe::Deploy(_)));
    deploys.then(|| "probe-*".to_owned()).into_iter()
}

/// Programs, each at its VM; a VM that is made later has those of the VMs of the beginning.
fn processes(view: View, pools: &BTreeSet<String>) -> BTreeSet<String> {
    let there = view.processes().map(|process| process.name.to_string());
    let mut all: BTreeSet<String> = there.collect();
    let mut programs: BTreeSet<&str> = UNITS.into();
    for vm in view.vms() {
        all.extend(UNITS.iter().map(|unit| format!("{unit}@{}", vm.name)));
        programs.extend(view.processes_on(&vm.name).map(|process| process.program.as_str()));
    }
    let at = |program: &str, pool: &String| format!("{program}@{pool}");
    all.extend(programs.iter().flat_map(|program| pools.iter().map(|pool| at(program, pool))));
    all
}

/// The VMs that have a member of etcd.
fn members(view: View<'_>) -> impl Iterator<Item = String> {
    let processes = view.processes().filter(|process| process.program == *"etcd");
    processes.filter_map(|process| Some(process.name.split_once('@')?.1.to_owned()))
}

/// The Pods that kubelets have of themselves, at VMs of the beginning and at later ones.
fn static_pods(view: View, pools: &BTreeSet<String>) -> BTreeSet<String> {
    let mut pods = BTreeSet::new();
    for vm in view.vms() {
        for program in vm.programs.keys() {
            pods.insert(format!("{program}-{}", vm.name));
            pods.extend(pools.iter().map(|pool| format!("{program}-{pool}")));
        }
    }
    pods
}

/// True if two patterns, in which `*` stands for anything and `?` for one letter, can mean one and the
/// same text.
fn overlap(one: &str, other: &str) -> bool {
    let other: Vec<char> = other.chars().collect();
    // A star may stand for nothing.
    let past_stars = |reached: &mut Vec<bool>| {
        for (at, letter) in other.iter().enumerate() {
            reached[at + 1] |= *letter == '*' && reached[at];
        }
    };
    // `reached[n]`: what was read of the one fits the first n letters of the other.
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    past_stars(&mut reached);
    for letter in one.chars() {
        let mut next = vec![false; other.len() + 1];
        for at in 0..=other.len() {
            match other.get(at) {
                _ if letter == '*' => next[at] = reached[at] || at > 0 && next[at - 1],
                Some('*') => next[at] |= reached[at],
                Some(known) if *known == letter || [*known, letter].contains(&'?') => {
                    next[at + 1] |= reached[at];
                }
                _ => {}
            }
        }
        past_stars(&mut next);
        reached = next;
    }
    reached[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_patterns_overlap_if_one_text_fits_both() {
        for (one, other) in [
            ("worker-0", "worker-0"),
            ("worker-*", "worker-0"),
            ("*", ""),
            ("md-0-*", "*-x"),
            ("web-6d4b75cb6d-abcde", "web-*"),
            ("*a*b", "a*cb*"),
            ("kubelet@*", "kubelet@md-0-*"),
            ("md-0-5k7x2-x7k2p", "md-0-?????-?????"),
            ("md-0-*", "md-0-?????-?????"),
            ("*", "?"),
        ] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("wroker-*", "worker-0"),
            ("worker-0", "worker-01"),
            ("wbe-*", "web-*"),
            ("*-x", "*-y"),
            ("", "a*"),
            ("control-plane-9", "control-plane-?????"),
            ("control-plane-x7k2pq*", "control-plane-?????"),
        ] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
    }
}
