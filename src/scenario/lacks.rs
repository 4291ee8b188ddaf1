//! What is not as it is wanted, in the datacenter and in the API: the truth, as nobody inside the
//! cluster sees it. Nothing lacking is what "well" means.
//!
//! The order is that of consequences: without a leader of etcd no Machine is replaced, without a VM
//! no Node is Ready. So the first lack is the best short answer to "what is it waiting for?".

use super::etcd_health::{leaderless, strangers};
use super::health::{WORKLOADS, is_wanted, ready_pods, wanted_pods};
use crate::api::kinds::{Machine, MachinePhase, Status};
use crate::api::{Kind, Object};
use crate::engine::Text;
use crate::timeline::Lack;
use crate::world::View;
use std::cmp::Ordering;

/// Of a Node of which the API says that it is well.
pub const SEEN_ON_THE_SPOT: &str = "a Node has no kubelet that runs";

/// Of an API server that runs; whoever asks it sees that.
pub const SERVES_NOT: &str = "an API server does not serve";

const API_SERVER: &str = "kube-apiserver";

/// True if everything that is wanted is there; `bare` are the Pods that are wanted for themselves.
pub fn is_well(view: View, bare: &[Text]) -> bool {
    lacks(view, bare).next().is_none()
}

/// Everything that is not as it is wanted. Lazy: whoever only asks whether there is something stops
/// at the first.
pub fn lacks<'a>(view: View<'a>, bare: &'a [Text]) -> impl Iterator<Item = Lack> + 'a {
    let etcd = leaderless(view).map(|cluster| Lack {
        object: cluster.clone(),
        what: Text::word("etcd has no leader that a quorum follows"),
    });
    let members = strangers(view).map(|member| {
        let lack = "a member of etcd has not joined or does not follow the leader";
        lack_of(format!("EtcdMember/{}", member.info.vm), lack)
    });
    let nodes = view.objects(Kind::Node).filter_map(move |node| node_lacks(view, node));
    let workloads = WORKLOADS.into_iter().flat_map(move |kind| view.objects(kind));
    let workloads = workloads.filter(|object| is_wanted(object));
    let workloads = workloads.filter_map(move |object| workload_lacks(view, object));
    etcd.chain(vms(view))
        .chain(servers(view))
        .chain(members)
        .chain(silent_servers(view))
        .chain(machines(view))
        .chain(nodes)
        .chain(workloads)
        .chain(bare.iter().filter_map(move |name| bare_pod_lacks(view, name)))
        .chain(deletions(view))
}

fn lack_of(object: String, what: &'static str) -> Lack {
    Lack { object: Text::from(object), what: Text::word(what) }
}

/// The VMs of Machines, and the kubelets on them.
fn vms(view: View) -> impl Iterator<Item = Lack> {
    view.objects(Kind::Machine).filter_map(move |object| {
        let name = object.name();
        let what = match view.vm(name) {
            None => "a Machine's VM is not there",
            Some(vm) if !vm.is_on() => "a VM is off",
            Some(_) if !view.hears_users(name) => "a VM is cut off from the outside",
            Some(_) if !view.works("kubelet", name) => "a kubelet does not run",
            Some(_) => return None,
        };
        Some(lack_of(format!("VM/{name}"), what))
    })
}

/// Members of etcd and API servers where they were.
fn servers(view: View) -> impl Iterator<Item = Lack> {
    let programs =
        [("etcd", "a member of etcd does not run"), (API_SERVER, "an API server does not run")];
    programs.into_iter().flat_map(move |(program, what)| {
        let stopped = hosts_of(view, program).filter(move |vm| !view.works(program, vm));
        stopped.map(move |vm| lack_of(format!("Process/{program}@{vm}"), what))
    })
}

/// API servers that run, and are still in their start or without connections to etcd.
fn silent_servers(view: View) -> impl Iterator<Item = Lack> {
    let is_silent = move |vm: &&Text| view.works(API_SERVER, vm) && !view.serves_api(vm);
    let silent = hosts_of(view, API_SERVER).filter(is_silent);
    silent.map(|vm| lack_of(format!("Process/{API_SERVER}@{vm}"), SERVES_NOT))
}

/// The VMs on which a program was placed. One that a control plane has replaced is missed by nobody.
fn hosts_of<'a>(view: View<'a>, program: &'static str) -> impl Iterator<Item = &'a Text> {
    let is_kept = view.objects(Kind::KubeadmControlPlane).next().is_some();
    view.hosts_of(program).filter(move |vm| !is_kept || view.vm(vm).is_some())
}

fn machines(view: View) -> impl Iterator<Item = Lack> {
    let all = view.objects(Kind::Machine);
    let single = all.filter_map(move |object| machine_lacks(view, object));
    single.chain(std::iter::once_with(move || machine_count(view)).flatten())
}

fn machine_count(view: View) -> Option<Lack> {
    let pools = view.objects(Kind::MachineDeployment);
    let pools = pools.filter_map(|object| Some(object.machine_deployment()?.replicas));
    let planes = view.objects(Kind::KubeadmControlPlane);
    let planes = planes.filter_map(|object| Some(object.kubeadm_control_plane()?.replicas));
    let wanted: u32 = pools.chain(planes).sum();
    let what = match view.objects(Kind::Machine).count().cmp(&(wanted as usize)) {
        Ordering::Less => "there are fewer Machines than wanted",
        Ordering::Greater => "there are more Machines than wanted",
        Ordering::Equal => return None,
    };
    Some(lack_of("Cluster/workload".to_owned(), what))
}

fn machine_lacks(view: View, object: &Object) -> Option<Lack> {
    let lack = |what| Some(lack_of(format!("Machine/{}", object.name()), what));
    let Some(Machine { phase, node_ref, .. }) = object.machine() else {
        return lack("a Machine cannot be read");
    };
    let has_node = node_ref
        .as_ref()
        .is_some_and(|node| view.objects(Kind::Node).any(|object| object.name() == node));
    match phase {
        MachinePhase::Running if has_node => None,
        MachinePhase::Running => lack("a Machine has no Node"),
        MachinePhase::Deleting => lack("a Machine is being deleted"),
        _ => lack("a Machine is not Running"),
    }
}

fn node_lacks(view: View, object: &Object) -> Option<Lack> {
    let lack = |what| Some(lack_of(format!("Node/{}", object.name()), what));
    let Some(node) = object.node() else { return lack("a Node cannot be read") };
    if !node.conditions.is("Ready", Status::True) {
        return lack("a Node is not Ready");
    }
    if node.unschedulable {
        return lack("a Node is cordoned");
    }
    if !view.works("kubelet", object.name().as_str()) {
        return lack(SEEN_ON_THE_SPOT);
    }
    None
}

/// A workload is well if all its Pods are ready and their containers run; a Job also once it is
/// complete, for then there is nothing left to run.
fn workload_lacks(view: View, object: &Object) -> Option<Lack> {
    if object.job().is_some_and(|job| job.conditions.is("Complete", Status::True)) {
        return None;
    }
    let (ready, wanted) = (ready_pods(view, object), wanted_pods(view, object));
    // One that came to a Node before its taint stays there, and nobody minds.
    let is_well = ready == wanted || (object.key().kind == Kind::DaemonSet && ready > wanted);
    let name = || format!("{:?}/{}", object.key().kind, object.name());
    (!is_well).then(|| lack_of(name(), "a workload does not have all its Pods Ready"))
}

fn bare_pod_lacks(view: View, name: &Text) -> Option<Lack> {
    let mut pods = view.objects(Kind::Pod).filter(|pod| pod.name() == name);
    let is_well = pods.any(|pod| {
        pod.pod().is_some_and(|body| {
            body.is_ready() && view.runs_container(&body.node_name, pod.meta.uid)
        })
    });
    (!is_well).then(|| lack_of(format!("Pod/{name}"), "a Pod that nobody replaces is not Ready"))
}

fn deletions(view: View) -> impl Iterator<Item = Lack> {
    let kinds = [
        (Kind::Node, "a Node is being deleted"),
        (Kind::Pod, "a Pod is being deleted"),
        (Kind::Machine, "a Machine is being deleted"),
        (Kind::InfraMachine, "a Machine's infrastructure object is being deleted"),
        (Kind::VSphereMachine, "a VSphereMachine is being deleted"),
        (Kind::VirtualMachine, "a VirtualMachine is being deleted"),
    ];
    kinds.into_iter().flat_map(move |(kind, what)| {
        let all = view.objects(kind).filter(|object| is_wanted(object));
        let deleted = all.filter(|object| object.meta.is_deleting());
        deleted.map(move |object| lack_of(format!("{kind:?}/{}", object.name()), what))
    })
}

#[cfg(test)]
mod tests {
    use crate::engine::{Duration, SimTime};
    use crate::scenario::{Game, Scenario, Source};

    #[test]
    fn all_is_well_when_the_last_api_server_serves_not_when_it_runs() {
        let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  platform: \
                    tkgs-2024\n  faults:\n    - { at: 60s, killProcess: { vm: control-plane-1, \
                    process: kube-apiserver } }\n  until: 5m\n";
        let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
        let mut simulation = Game::new(&scenario, None, &[], None).expect("valid").begin(1);
        let after = |length| SimTime::ZERO + Duration::from_secs(60) + length;
        simulation.run_until(after(Duration::from_secs(5)));
        let lacks = simulation.lacks();
        let [lack] = &lacks[..] else { panic!("one thing is missed: {lacks:?}") };
        assert_eq!(lack.object, "Process/kube-apiserver@control-plane-1");
        assert_eq!(lack.what, "an API server does not serve");
        simulation.run_until_recovered();
        let recovered = simulation.recovered_at().expect("it recovers");
        // Its start takes 5 to 20 s.
        assert!(recovered > after(Duration::from_secs(5)), "{recovered:?}");
        assert!(recovered < after(Duration::from_secs(30)), "{recovered:?}");
    }
}
