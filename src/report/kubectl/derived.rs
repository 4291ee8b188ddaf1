//! What real controllers write and the model's do not, for the tables of v1beta2: it follows from what other
//! objects say.
//!
//! Follows Cluster API 1.14: `core/reconcilers/{machine,machinedeployment,machineset,cluster}` (`setAvailableCondition`,
//! `setUpToDateCondition`, `setReplicas`), and `controlplane/kubeadm/reconcilers/kubeadmcontrolplane/status.go`.
//!
//! Simplified: all of it is as new as the objects are, where a real one waits for its controller. A Machine is
//! held against its owner by version alone. A Cluster has no `RemoteConnectionProbe`: that its connection is
//! down shows once a Machine or the control plane says so. An address is that of the VirtualMachine now, where a
//! real Machine keeps the last one of a VM that is off.

use crate::api::kinds::{Condition, KubeadmControlPlane, Machine, Status, VSphereMachine, label};
use crate::api::{Kind, Object};
use crate::client::PAUSED;
use crate::engine::{Duration, SimTime, Text};
use crate::world::View;

/// The objects from which the cells of others follow.
pub struct Others<'a> {
    now: SimTime,
    objects: Vec<&'a Object>,
}

/// How many Machines a part of a Cluster has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub desired: u32,
    pub current: u32,
    pub ready: u32,
    pub available: Option<u32>,
    pub up_to_date: Option<u32>,
}

/// The kinds that are looked at.
const KINDS: [Kind; 8] = [
    Kind::Cluster,
    Kind::KubeadmControlPlane,
    Kind::Machine,
    Kind::MachineDeployment,
    Kind::MachineSet,
    Kind::Node,
    Kind::VSphereMachine,
    Kind::VirtualMachine,
];

/// What has to run of a control plane's Machine: one talks to the other on its own VM alone.
const COMPONENTS: [&str; 5] = [
    "APIServerPodHealthy",
    "ControllerManagerPodHealthy",
    "SchedulerPodHealthy",
    "EtcdPodHealthy",
    MEMBER,
];
const MEMBER: &str = "EtcdMemberHealthy";

/// How the controller says that a member has no Machine, and how that a Machine has no member.
const STRANGER: &str = "does not have a corresponding Machine";
const NO_MEMBER: &str = "Etcd doesn't have an etcd member for Node";
/// How it says that a member does not vote yet.
const LEARNER: &str = "Waiting for learner etcd member";
/// A Node so young may still get its member.
const YOUNG: Duration = Duration::from_secs(120);

impl<'a> Others<'a> {
    /// Those that there are now.
    pub fn of(view: View<'a>) -> Others<'a> {
        let objects = KINDS.into_iter().flat_map(|kind| view.objects(kind));
        Others::among(view.now(), objects.map(|object| &**object))
    }

    /// These, as they are at an instant.
    pub fn among(now: SimTime, objects: impl IntoIterator<Item = &'a Object>) -> Others<'a> {
        Others { now, objects: objects.into_iter().collect() }
    }

    fn all(&self, kind: Kind) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().copied().filter(move |object| object.key().kind == kind)
    }

    /// The object of this kind and name in the namespace of another.
    fn beside(&self, object: &Object, kind: Kind, name: &Text) -> Option<&'a Object> {
        let namespace = &object.key().namespace;
        self.all(kind).find(|it| it.name() == name && it.key().namespace == *namespace)
    }

    fn owner(&self, object: &Object, kind: Kind) -> Option<&'a Object> {
        self.beside(object, kind, object.meta.controlled_by(kind)?)
    }

    /// What of a kind is of a Cluster.
    fn of_cluster(&self, cluster: &Object, kind: Kind) -> impl Iterator<Item = &'a Object> {
        let (namespace, name) = (&cluster.key().namespace, cluster.name());
        self.all(kind).filter(move |object| {
            object.key().namespace == *namespace && cluster_of(object) == Some(name)
        })
    }

    fn machines_of(&self, plane: &Object) -> Vec<&'a Object> {
        let (namespace, name) = (&plane.key().namespace, plane.name());
        let is_its = |machine: &&Object| {
            machine.key().namespace == *namespace
                && machine.meta.controlled_by(Kind::KubeadmControlPlane) == Some(name)
        };
        self.all(Kind::Machine).filter(is_its).collect()
    }

    fn node(&self, name: &Text) -> Option<&'a Object> {
        self.all(Kind::Node).find(|node| node.name() == name)
    }
}

/// A Machine's `Available`: Ready is enough, for its `minReadySeconds` are 0.
pub fn machine_available(object: &Object) -> Option<Status> {
    let ready = object.conditions()?.status("Ready")?;
    Some(if ready == Status::True { Status::True } else { Status::False })
}

/// A Machine's `UpToDate`; nobody says it of one whose MachineSet stands alone.
pub fn up_to_date(object: &Object, others: &Others) -> Option<Status> {
    if let Some(plane) = others.owner(object, Kind::KubeadmControlPlane) {
        let wanted = &plane.kubeadm_control_plane()?.version;
        return Some(truth(object.machine()?.spec.version == *wanted));
    }
    is_set_current(others.owner(object, Kind::MachineSet)?, others).map(truth)
}

/// How many Machines of a MachineSet are: all or none, for its template is held against its owner's.
pub fn up_to_date_of_set(object: &Object, others: &Others) -> Option<u32> {
    let body = object.machine_set()?;
    Some(if is_set_current(object, others) == Some(true) { body.status_replicas } else { 0 })
}

fn is_set_current(set: &Object, others: &Others) -> Option<bool> {
    let deployment = others.owner(set, Kind::MachineDeployment)?.machine_deployment()?;
    Some(set.machine_set()?.template.version == deployment.template.version)
}

/// A MachineDeployment's `Available`: its `maxUnavailable` is 0, the default.
pub fn deployment_available(object: &Object) -> Option<Status> {
    let body = object.machine_deployment()?;
    Some(truth(body.available_replicas >= body.replicas))
}

/// A KubeadmControlPlane's `Available`: etcd has a quorum of healthy members, and on one Machine all runs.
pub fn plane_available(object: &Object, others: &Others) -> Option<Status> {
    let plane = object.kubeadm_control_plane()?;
    if !plane.initialized {
        return Some(Status::False);
    }
    let machines = others.machines_of(object);
    // Else nobody has got an answer from etcd.
    if !machines.iter().any(|machine| tells_of_etcd(machine)) {
        return Some(Status::Unknown);
    }
    let strangers = strangers(plane);
    let is_coming = machines.iter().any(|machine| node_of(machine).is_none());
    let lacks = machines.iter().any(|machine| lacks_member(machine, others));
    if lacks || (strangers > 0 && !is_coming) {
        return Some(Status::False);
    }
    let voters = machines.iter().filter(|machine| is_voter(machine)).count() + strangers;
    let healthy = machines.iter().filter(|machine| is_true(machine, MEMBER)).count();
    let serves = machines.iter().any(|machine| {
        machine.machine().is_some_and(|body| !body.spec.provider_id.is_empty())
            && COMPONENTS.iter().all(|component| is_true(machine, component))
    });
    Some(truth(!object.meta.is_deleting() && healthy > voters / 2 && serves))
}

/// A Cluster's `Available`: the worst of what it is asked for.
pub fn cluster_available(object: &Object, others: &Others) -> Option<Status> {
    let body = object.cluster()?;
    let mut plane = others.of_cluster(object, Kind::KubeadmControlPlane);
    let plane = plane.next().and_then(|plane| plane_available(plane, others));
    let pools = others.of_cluster(object, Kind::MachineDeployment);
    let asked = [
        Some(truth(!object.meta.is_deleting())),
        Some(truth(!is_connection_down(object, others))),
        body.conditions.status("InfrastructureReady"),
        plane,
    ];
    let asked = asked.into_iter().chain(pools.map(deployment_available));
    let asked: Vec<Status> = asked.map(|status| status.unwrap_or(Status::Unknown)).collect();
    let worst = [Status::False, Status::Unknown].into_iter().find(|bad| asked.contains(bad));
    Some(worst.unwrap_or(Status::True))
}

/// What a Cluster shows of its control plane.
pub fn plane_counts(object: &Object, others: &Others) -> Option<Counts> {
    let plane = others.of_cluster(object, Kind::KubeadmControlPlane).next()?;
    let plane = plane.kubeadm_control_plane()?;
    Some(Counts {
        desired: plane.replicas,
        current: plane.status_replicas,
        ready: plane.ready_replicas,
        available: plane.available_replicas,
        up_to_date: plane.up_to_date_replicas,
    })
}

/// What it shows of all its MachineDeployments; nothing if it has none.
pub fn worker_counts(object: &Object, others: &Others) -> Option<Counts> {
    let pools = others.of_cluster(object, Kind::MachineDeployment);
    pools.filter_map(Object::machine_deployment).fold(None, |sum: Option<Counts>, pool| {
        let sum = sum.unwrap_or_default();
        Some(Counts {
            desired: sum.desired + pool.replicas,
            current: sum.current + pool.status_replicas,
            ready: sum.ready + pool.ready_replicas,
            available: Some(sum.available.unwrap_or(0) + pool.available_replicas),
            up_to_date: Some(sum.up_to_date.unwrap_or(0) + pool.updated_replicas),
        })
    })
}

/// `Paused` of a Cluster or a VSphereMachine, whose controllers are not played or do not say it.
pub fn paused(object: &Object, others: &Others) -> Option<Status> {
    let is_its = |cluster: &&Object| {
        cluster.key() == object.key() || cluster_of(object) == Some(cluster.name())
    };
    let cluster = others.all(Kind::Cluster).find(is_its).and_then(Object::cluster);
    let is_paused = cluster.is_some_and(|cluster| cluster.paused);
    Some(truth(is_paused || object.meta.annotation(PAUSED).is_some()))
}

/// The address of a Machine or a VSphereMachine: its VirtualMachine's, from when that was all there.
pub fn address(object: &Object, others: &Others) -> Option<String> {
    let (object, body) = vsphere_machine(object, others)?;
    let machine = others.beside(object, Kind::VirtualMachine, object.name());
    let ip = &machine?.virtual_machine()?.ip;
    (body.ready && !ip.is_empty()).then(|| ip.to_string())
}

/// Where it was put: the zone that its Node is in.
pub fn failure_domain(object: &Object, others: &Others) -> Option<String> {
    let (object, _) = vsphere_machine(object, others)?;
    others.node(object.name())?.meta.labels.get(label::ZONE).map(ToString::to_string)
}

/// The VSphereMachine itself, or that of a Machine.
fn vsphere_machine<'a>(
    object: &'a Object,
    others: &Others<'a>,
) -> Option<(&'a Object, &'a VSphereMachine)> {
    let found = match object.machine() {
        Some(Machine { spec, .. }) => {
            others.beside(object, spec.infrastructure.kind, &spec.infrastructure.name)?
        }
        None => object,
    };
    Some((found, found.vsphere_machine()?))
}

/// The name of the Cluster that an object is of.
fn cluster_of(object: &Object) -> Option<&Text> {
    let template = || Some(&object.kubeadm_control_plane()?.template);
    let template = template().or_else(|| Some(&object.machine_deployment()?.template));
    let spec = template.or_else(|| Some(&object.machine()?.spec));
    match spec {
        Some(spec) => Some(&spec.cluster),
        None => object.meta.labels.get(super::owners::CLUSTER),
    }
}

fn truth(is_true: bool) -> Status {
    if is_true { Status::True } else { Status::False }
}

fn is_true(object: &Object, kind: &str) -> bool {
    object.conditions().is_some_and(|all| all.is(kind, Status::True))
}

fn node_of(machine: &Object) -> Option<&Text> {
    machine.machine()?.node_ref.as_ref()
}

fn member(machine: &Object) -> Option<&Condition> {
    machine.conditions()?.get(MEMBER)
}

/// True if what is said of its member was read from etcd's list.
fn tells_of_etcd(machine: &Object) -> bool {
    member(machine).is_some_and(|said| match said.status {
        Status::True => true,
        Status::False => said.reason != *"Deleting",
        Status::Unknown => false,
    })
}

/// True for a Machine that should have a member for long and has none.
fn lacks_member(machine: &Object, others: &Others) -> bool {
    let node = node_of(machine).and_then(|name| others.node(name));
    let is_old = |node: &Object| {
        node.meta.created == SimTime::ZERO || others.now.since(node.meta.created) > YOUNG
    };
    !machine.meta.is_deleting()
        && member(machine).is_some_and(|said| said.message.starts_with(NO_MEMBER))
        && node.is_some_and(is_old)
}

/// True for a Machine with a member that votes: one that goes has it as long as its hook is there.
fn is_voter(machine: &Object) -> bool {
    let has_left =
        machine.meta.is_deleting() && machine.meta.annotation(KubeadmControlPlane::HOOK).is_none();
    let words = member(machine).map(|said| said.message.as_str()).unwrap_or_default();
    let is_none = words.starts_with(NO_MEMBER) || words.starts_with(LEARNER);
    node_of(machine).is_some() && !has_left && !is_none
}

/// How many members have no Machine.
fn strangers(plane: &KubeadmControlPlane) -> usize {
    let said = plane.conditions.get("EtcdClusterHealthy");
    said.map_or(0, |said| said.message.matches(STRANGER).count())
}

/// True if a controller has given up the Cluster's connection.
fn is_connection_down(cluster: &Object, others: &Others) -> bool {
    let mut all = others
        .of_cluster(cluster, Kind::KubeadmControlPlane)
        .chain(others.of_cluster(cluster, Kind::Machine))
        .filter_map(Object::conditions)
        .flat_map(|conditions| conditions.iter());
    all.any(|said| said.reason == *Machine::CONNECTION_DOWN)
}
