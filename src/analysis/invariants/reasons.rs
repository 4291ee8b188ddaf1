//! Whoever does not heal says why, and a run that does not recover names what it waits for.

use super::facts::{EachEntry, have_kept_leaders, is_by, named, turns, were_clocks_right};
use super::{Breach, Ending, Invariant, Kind, Law, Verdict};
use crate::api::kinds::{Condition, Pod, Status};
use crate::api::{self, Object};
use crate::client::PAUSED;
use crate::engine::{Duration, Text};
use crate::infra::{DiskHealth, ProcessState, Vm};
use crate::scenario::{SEEN_ON_THE_SPOT, SERVES_NOT};
use crate::timeline::{Entry, Lack};
use crate::world::View;
use std::sync::Arc;

pub(super) const REFUSALS_HAVE_A_REASON: Invariant = Invariant {
    name: "refusals-have-a-reason",
    kind: Kind::Always,
    law: "a controller that refuses to remediate says why in a message that a user can read",
    source: "Cluster API, conditions OwnerRemediated and RemediationAllowed; v1beta1's \
             WaitingForRemediation is no refusal but hands a Machine over, without words",
    begin: || Box::new(EachEntry(a_refusal_says_nothing)),
};

pub(super) const WAITING_HAS_A_REASON: Invariant = Invariant {
    name: "waiting-has-a-reason",
    kind: Kind::Always,
    law: "at the end of a run a Machine that has been unhealthy for ten minutes while its \
          controllers work is going, or some condition or annotation says what it waits for, unless \
          etcd, an API server or they were frozen in the last 1000 s: who failed by it may pause \
          for so long",
    source: "Cluster API, conditions OwnerRemediated and RemediationAllowed, annotation \
             remediation-in-progress",
    begin: || Box::new(WaitingHasAReason),
};

pub(super) const RECOVERS_OR_SAYS_WHY: Invariant = Invariant {
    name: "recovers-or-says-why",
    kind: Kind::Eventually,
    law: "after its last fault a run recovers within the bound, or somebody without a key to the VMs can \
          read what it lacks: in the API, by etcdctl, or because the API does not answer; what lacks \
          nothing at the last instant has just become well",
    source: "twice the longest documented disaster that heals (docs/scenarios.md); Kubernetes API \
             conventions: status is what has been observed, conditions are for who has to act",
    begin: || Box::new(RecoversOrSaysWhy),
};

fn a_refusal_says_nothing(_: View, entry: &Entry) -> Option<Breach> {
    let by_owner =
        is_by(entry, "kubeadm-control-plane-controller") || is_by(entry, "machineset-controller");
    let goes = ["RemediationInProgress", "MachineDeleting"].contains(&entry.reason.as_str());
    let refuses = by_owner && !goes && turns(entry, "Machine", "OwnerRemediated", "False")
        || turns(entry, "MachineHealthCheck", "RemediationAllowed", "False");
    let is_silent = refuses && (entry.message.is_empty() || entry.reason.is_empty());
    let says = format!("refuses to remediate ({}) and says nothing", entry.reason);
    is_silent.then(|| Breach::shown_by(entry, says))
}

#[derive(Clone, Copy, Debug)]
struct WaitingHasAReason;

/// Controllers look again at least this often when something is wrong.
const LONG: Duration = Duration::from_secs(600);

impl Law for WaitingHasAReason {
    fn end(&mut self, ending: &Ending) -> Verdict {
        let view = ending.view;
        if !can_heal(view) || !were_clocks_right(view) || may_back_off(view) {
            return Verdict::Holds;
        }
        let broken = silent(view).next().map(|machine| Breach {
            object: Text::from(format!("Machine/{}", machine.name())),
            says: Text::word("has long been unhealthy, and nothing says what it waits for"),
            entries: super::facts::latest(view),
        });
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(*self)
    }
}

/// True if nobody who heals is dead or cut off.
fn can_heal(view: View) -> bool {
    let controllers = ["capi-controller-manager", "capi-kubeadm-control-plane-controller-manager"];
    let mut hosts =
        controllers.iter().flat_map(|program| view.hosts_of(program).map(move |vm| (program, vm)));
    let serves = |vm: &&Text| view.works("kube-apiserver", vm);
    let workload: Vec<&Text> = view.workload_hosts_of("kube-apiserver").collect();
    let mut management =
        view.hosts_of("kube-apiserver").filter(|vm| !workload.contains(vm)).peekable();
    let is_served = workload.iter().any(serves)
        && (management.peek().is_none() || management.any(|vm| serves(&vm)));
    is_served
        && view.etcd_clusters().into_iter().all(|cluster| view.etcd_leader(cluster).is_some())
        && hosts.all(|(program, vm)| view.works(program, vm))
        && view.are_links_whole()
}

/// The longest pause of a controller between two tries that fail: client-go, DefaultControllerRateLimiter.
const PAUSE: Duration = Duration::from_secs(1000);

/// True if something was frozen so lately that who failed because of it may not have tried again.
fn may_back_off(view: View) -> bool {
    // Whose silence a controller of Machines can have failed by.
    const ASKED: [&str; 4] = [
        "etcd",
        "kube-apiserver",
        "capi-controller-manager",
        "capi-kubeadm-control-plane-controller-manager",
    ];
    let asked = view.processes().filter(|process| ASKED.contains(&process.program.as_str()));
    let woke = asked.filter_map(|process: &ProcessState| process.slept);
    woke.map(|(_, woke)| woke).any(|woke| woke + PAUSE > view.now())
}

/// Machines that wait though nothing says what for.
pub(super) fn silent<'a>(view: View<'a>) -> impl Iterator<Item = &'a Arc<Object>> {
    long_unhealthy(view).filter(move |machine| !has_words(view, machine))
}

/// Machines that have long been unhealthy and stay.
pub(super) fn long_unhealthy<'a>(view: View<'a>) -> impl Iterator<Item = &'a Arc<Object>> {
    view.objects(api::Kind::Machine)
        .filter(move |machine| is_long_unhealthy(view, machine) && !machine.meta.is_deleting())
}

fn is_long_unhealthy(view: View, object: &Object) -> bool {
    let checked = object.machine().and_then(|body| body.conditions.get("HealthCheckSucceeded"));
    checked.is_some_and(|checked| {
        checked.status == Status::False && checked.last_transition + LONG <= view.now()
    })
}

/// What a health check of v1beta2 writes into `OwnerRemediated` of a Machine that it has marked.
const MARKED: &str = "Waiting for remediation";

/// True for words in `OwnerRemediated` that are not those of the health check.
pub fn is_the_owners(message: &str) -> bool {
    !message.is_empty() && message != MARKED
}

/// True if a user can read what a Machine waits for.
fn has_words(view: View, object: &Object) -> bool {
    let Some(machine) = object.machine() else { return false };
    let owner = machine.conditions.get("OwnerRemediated");
    let owner_says = owner.is_some_and(|owner| is_the_owners(&owner.message));
    let check_says = view.objects(api::Kind::MachineHealthCheck).any(|check| {
        check.machine_health_check().is_some_and(|body| {
            object.meta.matches(&body.selector)
                && body.conditions.is("RemediationAllowed", Status::False)
        })
    });
    let plane = object.meta.controlled_by(api::Kind::KubeadmControlPlane);
    let plane = plane.and_then(|name| named(view, api::Kind::KubeadmControlPlane, name));
    let is_another_first = plane.is_some_and(|plane| {
        let annotation = api::kinds::KubeadmControlPlane::IN_PROGRESS;
        plane.meta.annotation(annotation).is_some()
            || another_is_refused(view, object, plane)
            || waits_for_stranger(plane)
    });
    let is_paused = object.meta.annotation(PAUSED).is_some();
    owner_says || check_says || is_another_first || is_paused
}

/// True if a control plane has first to remove a member of etcd that belongs to no Machine, and says
/// so: it comes to its Machines only then. With fewer than two Nodes Cluster API up to 1.12 never does.
pub fn waits_for_stranger(plane: &Object) -> bool {
    let body = plane.kubeadm_control_plane();
    let etcd = body.and_then(|body| body.conditions.get("EtcdClusterHealthy"));
    etcd.is_some_and(|etcd| {
        etcd.status == Status::False && etcd.message.contains("does not have a corresponding")
    })
}

/// True if another Machine of the control plane has its turn, and says why it is not replaced, or that it
/// waits for the control plane to take its member out of etcd (which comes before all remediation, and
/// is refused while another member is dead): a control plane looks at one at a time, and says nothing
/// about the others.
fn another_is_refused(view: View, object: &Object, plane: &Object) -> bool {
    let says = |other: &Object| {
        let condition = |of| other.machine().and_then(|body| body.conditions.get(of));
        let refused = |it: &Condition| it.status == Status::False && is_the_owners(&it.message);
        let hooked = |it: &Condition| it.reason == *"WaitingForPreTerminateHook";
        condition("OwnerRemediated").is_some_and(refused)
            || condition("Deleting").is_some_and(hooked)
    };
    view.objects(api::Kind::Machine).any(|other| {
        let by = other.meta.controlled_by(api::Kind::KubeadmControlPlane);
        by == Some(plane.name()) && other.name() != object.name() && says(other)
    })
}

#[derive(Clone, Copy, Debug)]
struct RecoversOrSaysWhy;

impl Law for RecoversOrSaysWhy {
    fn end(&mut self, ending: &Ending) -> Verdict {
        let due = ending.last_fault.unwrap_or_default() + ending.bound;
        let view = ending.view;
        // What has just become well has yet to stay so.
        let is_well = ending.recovered_at.or(ending.well_since).is_some();
        if is_well || due >= view.now() {
            return Verdict::Holds;
        }
        // What lacks nothing at the last instant has its minute before it; a run that is well on and off to the end
        // counts as one that still changes.
        let (object, lack) = match ending.missing {
            [first, ..] if is_seen(view) && !ending.missing.iter().any(|it| shows(view, it)) => {
                (first.object.clone(), &*first.what)
            }
            _ => return Verdict::Holds,
        };
        let says = format!(
            "has not recovered {} after the last fault; it lacks this, and nobody can read it: {lack}",
            ending.bound
        );
        let entries = super::facts::latest(view);
        Verdict::Broken(Breach { object, says: Text::from(says), entries })
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(*self)
    }
}

/// True if those who write down what they see are at work, controllers of both clusters with clocks that
/// are right, and what they write gets through.
fn is_seen(view: View) -> bool {
    let mut managers = view.workload_hosts_of("kube-controller-manager");
    can_heal(view)
        && were_clocks_right(view)
        && have_kept_leaders(view)
        && are_written_in_time(view)
        && managers.any(|vm| view.works("kube-controller-manager", vm))
}

/// True if what is written is there before who writes gives up: a leader of controllers waits 5 s for its
/// Lease (half of client-go's renewDeadline), and on a disk that takes as long for each flush nobody
/// ever leads.
fn are_written_in_time(view: View) -> bool {
    let is_late = |vm: &Vm| match vm.disk.health {
        DiskHealth::Well => false,
        DiskHealth::Slow(flush) => flush >= Duration::from_secs(5),
        DiskHealth::Stalled => true,
    };
    let leaders = view.etcd_clusters().into_iter().filter_map(|cluster| view.etcd_leader(cluster));
    !leaders.filter_map(|leader| view.vm(&leader.info.vm)).any(is_late)
}

/// True if a lack can be read without a key to the VMs. That a VM or a kubelet is off only somebody on
/// the spot sees; others see what the API says of its Node. A program of a static Pod has its mirror.
pub(super) fn shows(view: View, lack: &Lack) -> bool {
    let (kind, name) = lack.object.split_once('/').unwrap_or((&lack.object, ""));
    match kind {
        "VM" => false,
        "Node" => lack.what != *SEEN_ON_THE_SPOT,
        "Process" if lack.what == *SERVES_NOT => true,
        "Process" => {
            let pod = name.replace('@', "-");
            let nobody_serves = super::endpoint::serving(view).is_empty();
            let is_ready = |pod: &Arc<Object>| pod.pod().is_some_and(Pod::is_ready);
            nobody_serves || !named(view, api::Kind::Pod, &pod).is_some_and(is_ready)
        }
        _ => true,
    }
}
