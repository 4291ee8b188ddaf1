//! What an operator could do now: every action that the world's state suggests.
//!
//! They are looked for in the world as it is, and none is made for a scenario: what is off can be
//! powered on, what was removed put back, what is stuck deleted. Whether one helps is not known here.

use super::faults::{
    DeleteVm, Etcdctl, Fault, FreeDisk, HealDisk, HealLink, Kubectl, Link, PowerOn, PowerOnHost,
    RejoinVm, RejoinZone, RestoreFile, StartUnit, SyncClock, ThawProcess, Ways,
};
use crate::api::kinds::Status;
use crate::api::{Kind, Object};
use crate::engine::{Skew, Text};
use crate::infra::{DiskHealth, Restart, Unit, Vm, Way};
use crate::world::View;
use std::sync::Arc;

/// An action, and how a scenario would write it.
#[derive(Clone, Debug)]
pub struct Action {
    pub words: Text,
    pub(super) faults: Vec<Fault>,
}

impl Action {
    fn new(words: String, fault: Fault) -> Action {
        Action { words: Text::from(words), faults: vec![fault] }
    }

    /// All of these, one right after the other.
    fn together(actions: &[&Action]) -> Action {
        let words: Vec<&str> = actions.iter().map(|action| action.words.as_str()).collect();
        let faults = actions.iter().flat_map(|action| action.faults.clone()).collect();
        Action { words: Text::from(words.join(", then ")), faults }
    }
}

/// What takes back what happened to machines, files and processes: done to all of a kind at once.
const REPAIRS: [&str; 11] = [
    "powerOnHost",
    "powerOn",
    "rejoinZone",
    "rejoinVm",
    "healLink",
    "healDisk",
    "freeDisk",
    "syncClock",
    "restoreFile",
    "thawProcess",
    "startUnit",
];

/// All that takes back what happened to machines, links, files and processes, what others need first.
pub fn repairs(view: View) -> Vec<Action> {
    let found = [machines(view), links(view), processes(view)].concat();
    let of_kind = |kind| found.iter().filter(move |action| action.faults[0].kind() == kind);
    REPAIRS.into_iter().flat_map(of_kind).cloned().collect()
}

/// Each of them, then all repairs of a kind together.
pub fn actions(view: View) -> Vec<Action> {
    let mut found = machines(view);
    found.extend(links(view));
    found.extend(processes(view));
    found.extend(etcd(view));
    found.extend(objects(view));
    for kind in REPAIRS {
        let is_one = |action: &&Action| action.faults.iter().all(|fault| fault.kind() == kind);
        let all: Vec<&Action> = found.iter().filter(is_one).collect();
        if all.len() > 1 {
            let all = Action::together(&all);
            found.push(all);
        }
    }
    found
}

/// VMs and hosts: power, disks, links, files.
fn machines(view: View) -> Vec<Action> {
    let mut found = Vec::new();
    for host in view.hosts().filter(|host| !view.is_host_on(&host.name)) {
        let fault = PowerOnHost { host: host.name.clone() };
        let words = format!("powerOnHost: {{ host: {} }}", host.name);
        found.push(Action::new(words, Fault::PowerOnHost(fault)));
    }
    for vm in view.vms() {
        let name = &vm.name;
        if !vm.is_on() {
            let fault = PowerOn { vm: name.clone() };
            found.push(Action::new(format!("powerOn: {{ vm: {name} }}"), Fault::PowerOn(fault)));
        }
        if vm.disk.health != DiskHealth::Well {
            let fault = HealDisk { vm: name.clone() };
            found.push(Action::new(format!("healDisk: {{ vm: {name} }}"), Fault::HealDisk(fault)));
        }
        if vm.disk.is_full {
            let fault = FreeDisk { vm: name.clone() };
            found.push(Action::new(format!("freeDisk: {{ vm: {name} }}"), Fault::FreeDisk(fault)));
        }
        if vm.skew != Skew::NONE {
            let fault = SyncClock { vm: name.clone() };
            found
                .push(Action::new(format!("syncClock: {{ vm: {name} }}"), Fault::SyncClock(fault)));
        }
        if view.vm_id(name).is_some_and(|id| view.has_cut(Way::From(id))) {
            let fault = RejoinVm { vm: name.clone() };
            found.push(Action::new(format!("rejoinVm: {{ vm: {name} }}"), Fault::RejoinVm(fault)));
        } else if view.vm_id(name).is_some_and(|id| {
            view.links().is_hurt(Way::From(id)) || view.links().is_hurt(Way::To(id))
        }) {
            found.push(heal(name.clone(), None));
        }
        for path in vm.disk.restorable() {
            let fault = RestoreFile { vm: name.clone(), path: path.clone() };
            let words = format!("restoreFile: {{ vm: {name}, path: {path} }}");
            found.push(Action::new(words, Fault::RestoreFile(fault)));
        }
    }
    found
}

fn heal(from: Text, to: Option<Text>) -> Action {
    let other = to.as_ref().map(|to| format!(", to: {to}")).unwrap_or_default();
    let words = format!("healLink: {{ from: {from}{other} }}");
    Action::new(words, Fault::HealLink(HealLink { link: Link { from, to, ways: Ways::Both } }))
}

/// Zones that are cut off, and links between two VMs that are cut, slow or lossy.
fn links(view: View) -> Vec<Action> {
    let ids = |vm: &Vm| view.vm_id(&vm.name);
    let mut found = Vec::new();
    for zone in view.zones().filter(|zone| view.links().has_cut_zone(zone)) {
        let words = format!("rejoinZone: {{ zone: {zone} }}");
        found.push(Action::new(words, Fault::RejoinZone(RejoinZone { zone })));
    }
    for (from, a) in view.vms().filter_map(|vm| Some((vm, ids(vm)?))) {
        for (to, b) in view.vms().filter_map(|vm| Some((vm, ids(vm)?))) {
            let is_hurt = [Way::Between(a, b), Way::Between(b, a)]
                .into_iter()
                .any(|way| view.links().is_hurt(way));
            if a < b && is_hurt {
                found.push(heal(from.name.clone(), Some(to.name.clone())));
            }
        }
    }
    found
}

/// Units that have stopped, processes that hang.
fn processes(view: View) -> Vec<Action> {
    let mut found = Vec::new();
    for vm in view.vms().filter(|vm| vm.booted) {
        let name = &vm.name;
        let kept = |unit: &Unit| matches!(unit.restart, Restart::After(_));
        let down = vm.units.iter().filter(|(unit, it)| kept(it) && !view.runs(unit, name));
        for (unit, _) in down {
            let fault = StartUnit { vm: name.clone(), unit: unit.clone() };
            let words = format!("startUnit: {{ vm: {name}, unit: {unit} }}");
            found.push(Action::new(words, Fault::StartUnit(fault)));
        }
        for process in view.processes_on(name).filter(|process| process.frozen.is_some()) {
            let process = process.program.clone();
            let fault = ThawProcess { vm: name.clone(), process: process.clone() };
            let words = format!("thawProcess: {{ vm: {name}, process: {process} }}");
            found.push(Action::new(words, Fault::ThawProcess(fault)));
        }
    }
    found
}

/// Another leader, one member less.
fn etcd(view: View) -> Vec<Action> {
    // The Supervisor's own members are not the cluster's.
    let is_node = |vm: &&Text| view.vm(vm).is_some_and(|vm| vm.units.contains_key("kubelet"));
    let hosts: Vec<&Text> = view.hosts_of("etcd").filter(is_node).collect();
    let typed = |text: String| {
        let fault = Etcdctl::read(&text).ok()?;
        Some(Action::new(format!("etcdctl: \"{text}\""), Fault::Etcdctl(fault)))
    };
    let asked = hosts.iter().copied().find(|vm| view.works("etcd", vm));
    let Some(asked) = asked else { return Vec::new() };
    let others = hosts.iter().filter(|vm| view.works("etcd", vm));
    let moved = others.map(|vm| format!("move-leader {vm} --endpoints={asked}"));
    let gone = hosts.iter().filter(|vm| !view.works("etcd", vm));
    let removed = gone.map(|vm| format!("member remove {vm} --endpoints={asked}"));
    moved.chain(removed).filter_map(typed).collect()
}

/// Machines and Nodes that are ill are deleted.
fn objects(view: View) -> Vec<Action> {
    let mut found = Vec::new();
    let mut typed = |text: String| {
        if let Ok(fault) = Kubectl::read(&text, None) {
            found.push(Action::new(format!("kubectl: \"{text}\""), Fault::Kubectl(fault)));
        }
    };
    let is_ill = |node: &&Arc<Object>| {
        !node.node().is_some_and(|body| body.conditions.is("Ready", Status::True))
    };
    for node in view.objects(Kind::Node).filter(is_ill) {
        typed(format!("delete node {}", node.name()));
    }
    for machine in view.objects(Kind::Machine).filter(|machine| !machine.meta.is_deleting()) {
        let ill =
            |kind| machine.machine().is_some_and(|body| body.conditions.is(kind, Status::False));
        if ill("HealthCheckSucceeded") || ill("NodeHealthy") {
            typed(format!("delete machine {}", machine.name()));
        }
    }
    for vm in view.objects(Kind::Node).filter(is_ill).filter_map(|node| view.vm(node.name())) {
        let fault = DeleteVm { vm: vm.name.clone() };
        let words = format!("deleteVm: {{ vm: {} }}", vm.name);
        found.push(Action::new(words, Fault::DeleteVm(fault)));
    }
    found
}
