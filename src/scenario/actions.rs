//! What an operator could do now: every action that the world's state suggests.
//!
//! They are looked for in the world as it is, and none is made for a scenario: what is off can be
//! powered on, what was removed put back, what is stuck deleted. Whether one helps is not known here,
//! only that it can be done: of a host without power the host is offered, not its VMs.

use super::faults::{
    DeleteVm, Etcdctl, Fault, FreeDisk, HealDisk, HealLink, Kubectl, Link, PowerOn, PowerOnHost,
    RejoinVm, RejoinZone, RestoreFile, StartUnit, SyncClock, ThawProcess, Ways,
};
use crate::api::kinds::Status;
use crate::api::{Kind, Object};
use crate::components::etcd::DATA_DIR;
use crate::engine::{Skew, Text};
use crate::infra::{DiskHealth, Restart, Unit, Vm, Way};
use crate::world::{EtcdMember, MANAGEMENT_CLUSTER, View, WORKLOAD_CLUSTER};
use std::sync::Arc;

/// An action, and how a scenario would write it.
#[derive(Clone, Debug)]
pub struct Action {
    pub words: Text,
    pub(super) faults: Vec<Fault>,
}

impl Action {
    pub(super) fn new(words: String, fault: Fault) -> Action {
        Action { words: Text::from(words), faults: vec![fault] }
    }

    /// All of these, one right after the other.
    fn together(actions: &[&Action]) -> Action {
        let words: Vec<&str> = actions.iter().map(|action| action.words.as_str()).collect();
        let faults = actions.iter().flat_map(|action| action.faults.clone()).collect();
        Action { words: Text::from(words.join(", then ")), faults }
    }
}

/// What has to be seen before the action can be done, in the words of a scenario; nothing if it can be
/// done now. Nobody powers on a VM whose host is off, or still boots.
pub fn waits_for(view: View, action: &Action) -> Option<Text> {
    let [Fault::PowerOn(PowerOn { vm })] = &action.faults[..] else { return None };
    let host = view.vm(vm).and_then(|vm| view.host_of(vm)).filter(|_| !view.is_reachable(vm))?;
    Some(Text::from(format!("Host/{host} connectionState=connected")))
}

/// What takes back what happened to machines, files and processes: done to all of a kind at once.
pub const REPAIRS: [&str; 11] = [
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

/// Each that can be done now, then all repairs of a kind together.
pub fn actions(view: View) -> Vec<Action> {
    let mut found = machines(view);
    found.retain(|action| waits_for(view, action).is_none());
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
        // Who has lost etcd's data has not moved them away.
        for path in vm.disk.restorable().filter(|path| **path != *DATA_DIR) {
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
        for process in view.processes_on(name).filter(|process| process.can_thaw()) {
            let process = process.program.clone();
            let fault = ThawProcess { vm: name.clone(), process: process.clone() };
            let words = format!("thawProcess: {{ vm: {name}, process: {process} }}");
            found.push(Action::new(words, Fault::ThawProcess(fault)));
        }
    }
    found
}

/// Another leader, one member less. Only a leader hands over, and only to another that works; only
/// who is listed can be removed.
fn etcd(view: View) -> Vec<Action> {
    let typed = |text: String| {
        let fault = Etcdctl::read(&text).ok()?;
        Some(Action::new(format!("etcdctl: \"{text}\""), Fault::Etcdctl(fault)))
    };
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let works = |member: &&EtcdMember| member.status.is_some();
    let leader = view.etcd_leader(&WORKLOAD_CLUSTER);
    let Some(asked) = leader.as_ref().or(members.iter().find(works)) else { return Vec::new() };
    let can_lead = |member: &&EtcdMember| {
        works(member) && !member.info.learner && member.info.id != asked.info.id
    };
    let others = members.iter().filter(|member| leader.is_some() && can_lead(member));
    let gone = members.iter().filter(|member| !works(member));
    let on = |verb: &str, member: &EtcdMember| {
        typed(format!("{verb} {} --endpoints={}", member.info.vm, asked.info.vm))
    };
    let moved = others.filter_map(|member| on("move-leader", member));
    let removed = gone.filter_map(|member| on("member remove", member));
    moved.chain(removed).collect()
}

/// Machines and Nodes that are ill are deleted, cordons lifted, if an API server is there to be asked.
fn objects(view: View) -> Vec<Action> {
    let ill: Vec<&Arc<Object>> = view.objects(Kind::Node).filter(|node| is_ill(node)).collect();
    let served = |cluster: &Text| {
        let members = view.etcd_members(cluster);
        let mut vms = members.iter().map(|member| &member.info.vm);
        vms.any(|vm| view.answers_users(vm) && view.hears_users(vm))
    };
    // A cluster that manages itself has its Machines in its own API server.
    let is_managed = view.etcd_clusters().contains(&MANAGEMENT_CLUSTER);
    let own = served(&WORKLOAD_CLUSTER);
    let managed = if is_managed { served(&MANAGEMENT_CLUSTER) } else { own };
    let nodes = ill.iter().filter_map(|node| kubectl(format!("delete node {}", node.name())));
    let machines = view.objects(Kind::Machine).filter(|machine| is_of_any(machine, &ill));
    let machines =
        machines.filter_map(|machine| kubectl(format!("delete machine {}", machine.name())));
    let vms = ill.iter().filter_map(|node| view.vm(node.name())).map(|vm| {
        let fault = DeleteVm { vm: vm.name.clone() };
        Action::new(format!("deleteVm: {{ vm: {} }}", vm.name), Fault::DeleteVm(fault))
    });
    let mut found: Vec<Action> = Vec::new();
    found.extend(nodes.filter(|_| own));
    found.extend(machines.filter(|_| managed));
    found.extend(vms);
    found.extend(cordons(view).into_iter().filter(|_| own));
    found
}

fn kubectl(text: String) -> Option<Action> {
    let fault = Kubectl::read(&text, None).ok()?;
    Some(Action::new(format!("kubectl: \"{text}\""), Fault::Kubectl(fault)))
}

/// Each cordon that a person has set, and all of them: one Node that is left cordoned is not well. A
/// Machine that is being deleted keeps its Node cordoned itself.
fn cordons(view: View) -> Vec<Action> {
    let goes = |node: &Object| {
        let of = |machine: &Object| {
            let body = machine.machine().filter(|_| machine.meta.is_deleting());
            body.is_some_and(|body| body.node_ref.as_ref() == Some(node.name()))
        };
        view.objects(Kind::Machine).any(|machine| of(machine))
    };
    let is_cordoned = |node: &Object| node.node().is_some_and(|body| body.unschedulable);
    let nodes = view.objects(Kind::Node).filter(|node| is_cordoned(node) && !goes(node));
    let mut found: Vec<Action> =
        nodes.filter_map(|node| kubectl(format!("uncordon {}", node.name()))).collect();
    if found.len() > 1 {
        let all: Vec<&Action> = found.iter().collect();
        found.push(Action::together(&all));
    }
    found
}

fn is_ill(node: &Object) -> bool {
    !node.node().is_some_and(|body| body.conditions.is("Ready", Status::True))
}

/// The conditions in which a Machine says itself whether it is ill; all but two only of a control plane.
const HEALTH: [&str; 7] = [
    "HealthCheckSucceeded",
    "NodeHealthy",
    "APIServerPodHealthy",
    "ControllerManagerPodHealthy",
    "SchedulerPodHealthy",
    "EtcdPodHealthy",
    "EtcdMemberHealthy",
];

/// True for a Machine that says itself that it is ill, or whose Node is one of these.
fn is_of_any(machine: &Object, nodes: &[&Arc<Object>]) -> bool {
    let Some(body) = machine.machine().filter(|_| !machine.meta.is_deleting()) else {
        return false;
    };
    let mut names = nodes.iter().map(|node| node.name());
    HEALTH.iter().any(|kind| body.conditions.is(kind, Status::False))
        || names.any(|name| body.node_ref.as_ref() == Some(name))
}
