//! What follows from other objects: who is available, up to date, and how many.

use super::derived::*;
use crate::api::kinds::{
    Cluster, Condition, KubeadmControlPlane, Machine, MachineDeployment, MachineSet, MachineSpec,
    Node, Status, VSphereMachine, VirtualMachine, label,
};
use crate::api::{Body, Deletion, Kind, Meta, Object, labels};
use crate::engine::{Duration, SimTime, Text};

const ALL: [&str; 5] = [
    "APIServerPodHealthy",
    "ControllerManagerPodHealthy",
    "SchedulerPodHealthy",
    "EtcdPodHealthy",
    "EtcdMemberHealthy",
];

fn object(kind: Kind, name: &'static str, body: impl Into<Body>) -> Object {
    Object::new(Meta::new(kind, "default", name), body)
}

fn owned(mut object: Object, owner: &Object) -> Object {
    object.meta = object.meta.owned_by(&owner.meta);
    object
}

fn deleting(mut object: Object) -> Object {
    object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    object
}

fn spec(version: &'static str) -> MachineSpec {
    let [cluster, version] = ["one", version].map(Text::word);
    MachineSpec { cluster, version, ..MachineSpec::default() }
}

fn said(object: &mut Object, kind: &str, status: Status, message: &str) {
    let kind = Text::from(kind.to_owned());
    let condition = Condition::new(kind, status, "Said", message.to_owned(), SimTime::ZERO);
    object.conditions_mut().expect("a kind with conditions").say(condition);
}

/// A control plane that has begun, and that of three Machines on which all runs.
fn plane() -> (Object, Vec<Object>) {
    let body = KubeadmControlPlane {
        version: Text::word("v1"),
        template: spec("v1"),
        initialized: true,
        ..KubeadmControlPlane::default()
    };
    let plane = object(Kind::KubeadmControlPlane, "cp", body);
    let machines = ["cp-0", "cp-1", "cp-2"].map(|name| {
        let spec = MachineSpec { provider_id: Text::word(name), ..spec("v1") };
        let body = Machine { spec, node_ref: Some(Text::word(name)), ..Machine::default() };
        let mut machine = owned(object(Kind::Machine, name, body), &plane);
        ALL.iter().for_each(|kind| said(&mut machine, kind, Status::True, ""));
        machine
    });
    (plane, machines.into())
}

/// Whether the control plane is available among its Machines and these.
fn is_available(plane: &Object, machines: &[Object], more: &[Object]) -> Status {
    let others = Others::among(SimTime::ZERO, machines.iter().chain(more));
    plane_available(plane, &others).expect("a control plane")
}

#[test]
fn a_control_plane_is_available_with_a_quorum_and_one_that_serves() {
    let (plane, mut machines) = plane();
    assert_eq!(is_available(&plane, &machines, &[]), Status::True);
    said(&mut machines[0], "EtcdMemberHealthy", Status::Unknown, "");
    said(&mut machines[1], "SchedulerPodHealthy", Status::False, "");
    assert_eq!(
        is_available(&plane, &machines, &[]),
        Status::True,
        "two members and one that serves"
    );
    assert_eq!(is_available(&deleting(plane.clone()), &machines, &[]), Status::False);
    said(&mut machines[2], "APIServerPodHealthy", Status::Unknown, "");
    assert_eq!(is_available(&plane, &machines, &[]), Status::False, "none serves");
    said(&mut machines[2], "APIServerPodHealthy", Status::True, "");
    said(&mut machines[1], "EtcdMemberHealthy", Status::False, "");
    assert_eq!(is_available(&plane, &machines, &[]), Status::False, "no quorum");
    for machine in &mut machines {
        said(machine, "EtcdMemberHealthy", Status::Unknown, "Failed to connect to etcd: EOF");
    }
    assert_eq!(is_available(&plane, &machines, &[]), Status::Unknown, "nobody tells of members");
}

#[test]
fn a_control_plane_that_has_not_begun_is_not_available() {
    let (mut plane, machines) = plane();
    plane.kubeadm_control_plane_mut().expect("one").initialized = false;
    assert_eq!(is_available(&plane, &machines, &[]), Status::False);
}

#[test]
fn members_and_machines_have_to_match() {
    let (mut plane, machines) = plane();
    let words = "* Etcd member cp-9 does not have a corresponding Machine";
    said(&mut plane, "EtcdClusterHealthy", Status::False, words);
    assert_eq!(is_available(&plane, &machines, &[]), Status::False, "a member without a Machine");
    let new = Machine { spec: spec("v1"), ..Machine::default() };
    let new = owned(object(Kind::Machine, "cp-9", new), &plane);
    assert_eq!(is_available(&plane, &machines, &[new]), Status::True, "it may be that one's");

    let (plane, mut machines) = self::plane();
    let words = "Etcd doesn't have an etcd member for Node cp-0";
    said(&mut machines[0], "EtcdMemberHealthy", Status::False, words);
    assert_eq!(is_available(&plane, &machines, &[]), Status::True, "its Node is not known");
    let node = object(Kind::Node, "cp-0", Node::default());
    assert_eq!(is_available(&plane, &machines, &[node]), Status::False, "it is old");
}

#[test]
fn a_member_that_has_left_does_not_count() {
    let (plane, mut machines) = plane();
    machines.truncate(2);
    let mut leaving = deleting(machines.remove(0));
    let deleting =
        Condition::new("EtcdMemberHealthy", Status::False, "Deleting", "", SimTime::ZERO);
    leaving.conditions_mut().expect("conditions").say(deleting);
    leaving.meta.annotations = labels([(KubeadmControlPlane::HOOK, Text::EMPTY)]);
    let with = |leaving: &Object| is_available(&plane, &machines, std::slice::from_ref(leaving));
    assert_eq!(with(&leaving), Status::False, "one of two");
    leaving.meta.annotations = labels([]);
    assert_eq!(with(&leaving), Status::True, "the only one");
}

#[test]
fn a_machine_is_held_against_its_owner_or_its_sets() {
    let (plane, machines) = plane();
    let status = |machine: &Object, others: &[&Object]| {
        up_to_date(machine, &Others::among(SimTime::ZERO, others.iter().copied()))
    };
    assert_eq!(status(&machines[0], &[&plane]), Some(Status::True));
    let mut newer = plane.clone();
    newer.kubeadm_control_plane_mut().expect("one").version = Text::word("v2");
    assert_eq!(status(&machines[0], &[&newer]), Some(Status::False));

    let pool = |version| MachineDeployment { template: spec(version), ..Default::default() };
    let pool = |version| object(Kind::MachineDeployment, "md", pool(version));
    let set = MachineSet { template: spec("v1"), status_replicas: 3, ..Default::default() };
    let alone = object(Kind::MachineSet, "ms", set);
    let set = owned(alone.clone(), &pool("v1"));
    let machine = object(Kind::Machine, "w", Machine { spec: spec("v1"), ..Machine::default() });
    let machine = owned(machine, &set);
    assert_eq!(status(&machine, &[&set, &pool("v1")]), Some(Status::True));
    assert_eq!(status(&machine, &[&set, &pool("v2")]), Some(Status::False));
    assert_eq!(status(&machine, &[&alone]), None, "nobody says it of a set that stands alone");
    let count = |set: &Object, pool: &Object| {
        up_to_date_of_set(set, &Others::among(SimTime::ZERO, [set, pool]))
    };
    let counts = [count(&set, &pool("v1")), count(&set, &pool("v2")), count(&alone, &pool("v1"))];
    assert_eq!(counts, [Some(3), Some(0), Some(0)]);
}

#[test]
fn a_machine_is_available_while_it_is_ready() {
    let mut machine = object(Kind::Machine, "w", Machine::default());
    assert_eq!(machine_available(&machine), None, "nobody has looked at it");
    for (ready, available) in [
        (Status::True, Status::True),
        (Status::False, Status::False),
        (Status::Unknown, Status::False),
    ] {
        said(&mut machine, "Ready", ready, "");
        assert_eq!(machine_available(&machine), Some(available), "{ready:?}");
    }
}

#[test]
fn a_cluster_is_as_available_as_the_worst_of_its_parts() {
    let (plane, machines) = plane();
    let mut cluster = object(Kind::Cluster, "one", Cluster::default());
    said(&mut cluster, "InfrastructureReady", Status::True, "");
    let pool = |available_replicas| {
        let body = MachineDeployment {
            template: spec("v1"),
            replicas: 3,
            available_replicas,
            ..MachineDeployment::default()
        };
        object(Kind::MachineDeployment, "md", body)
    };
    let status = |cluster: &Object, plane: Option<&Object>, pool: &Object| {
        let all = machines.iter().chain(plane).chain([cluster, pool]);
        cluster_available(cluster, &Others::among(SimTime::ZERO, all)).expect("a Cluster")
    };
    assert_eq!(status(&cluster, Some(&plane), &pool(3)), Status::True);
    assert_eq!(status(&cluster, Some(&plane), &pool(2)), Status::False);
    assert_eq!(status(&cluster, None, &pool(3)), Status::Unknown, "no control plane of ours");
    assert_eq!(status(&cluster, None, &pool(2)), Status::False);
    assert_eq!(status(&deleting(cluster.clone()), Some(&plane), &pool(3)), Status::False);
    let mut lost = plane.clone();
    let down = Text::word(Machine::CONNECTION_DOWN);
    let down = Condition::new("EtcdClusterHealthy", Status::Unknown, down, "", SimTime::ZERO);
    lost.conditions_mut().expect("conditions").say(down);
    assert_eq!(status(&cluster, Some(&lost), &pool(3)), Status::False, "it is out of reach");
}

#[test]
fn a_cluster_counts_its_control_plane_and_all_its_pools() {
    let cluster = object(Kind::Cluster, "one", Cluster::default());
    let pool = |name, replicas| {
        let template = spec("v1");
        let body =
            MachineDeployment { template, replicas, available_replicas: 1, ..Default::default() };
        object(Kind::MachineDeployment, name, body)
    };
    let (mut plane, _) = plane();
    let body = plane.kubeadm_control_plane_mut().expect("one");
    (body.replicas, body.status_replicas, body.available_replicas) = (3, 4, Some(2));
    let all = [pool("a", 3), pool("b", 2), plane];
    let others = Others::among(SimTime::ZERO, &all);
    let workers = worker_counts(&cluster, &others).expect("two pools");
    assert_eq!((workers.desired, workers.available, workers.up_to_date), (5, Some(2), Some(0)));
    let plane = plane_counts(&cluster, &others).expect("a control plane");
    assert_eq!((plane.desired, plane.current, plane.available), (3, 4, Some(2)));
    let another = object(Kind::Cluster, "another", Cluster::default());
    assert_eq!(worker_counts(&another, &others), None);
    assert_eq!(plane_counts(&another, &others), None);
}

#[test]
fn a_machine_is_where_its_virtual_machine_and_its_node_are() {
    let mut machine = Machine { spec: spec("v1"), ..Machine::default() };
    machine.spec.infrastructure.kind = Kind::VSphereMachine;
    machine.spec.infrastructure.name = Text::word("w");
    let machine = object(Kind::Machine, "w", machine);
    let infra = |ready| {
        let body = VSphereMachine { ready, ..VSphereMachine::default() };
        object(Kind::VSphereMachine, "w", body)
    };
    let vm = VirtualMachine { ip: Text::word("10.0.0.9"), ..VirtualMachine::default() };
    let vm = object(Kind::VirtualMachine, "w", vm);
    let mut node = object(Kind::Node, "w", Node::default());
    node.meta.labels = labels([(label::ZONE, Text::word("zone-b"))]);
    let (early, late) = (infra(false), infra(true));
    let coming = Others::among(SimTime::ZERO, [&early, &vm]);
    assert_eq!([address(&early, &coming), address(&machine, &coming)], [None, None]);
    assert_eq!(failure_domain(&machine, &coming), None);
    let there = Others::among(SimTime::ZERO, [&late, &vm, &node]);
    for object in [&late, &machine] {
        assert_eq!(address(object, &there).as_deref(), Some("10.0.0.9"));
        assert_eq!(failure_domain(object, &there).as_deref(), Some("zone-b"));
    }
}

#[test]
fn a_paused_cluster_pauses_the_providers_objects() {
    let cluster = |paused| object(Kind::Cluster, "one", Cluster { paused, ..Cluster::default() });
    let mut infra = object(Kind::VSphereMachine, "w", VSphereMachine::default());
    infra.meta.labels = labels([("cluster.x-k8s.io/cluster-name", Text::word("one"))]);
    for (is_paused, status) in [(true, Status::True), (false, Status::False)] {
        let cluster = cluster(is_paused);
        let others = Others::among(SimTime::ZERO, [&cluster]);
        assert_eq!([paused(&cluster, &others), paused(&infra, &others)], [Some(status); 2]);
    }
}
