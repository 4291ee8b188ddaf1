//! Which Nodes are asked about, and what becomes of them.

use super::*;
use crate::api::kinds::Condition;
use crate::api::{ApiError, Labels, Meta, Reason, Revision, WatchKind};
use crate::client::testing::Bench;
use crate::infra::EndpointId;
use std::collections::BTreeMap;

type Controller = Bench<CloudController, Event>;

fn controller(objects: &[Object]) -> Controller {
    started(Start::Steady, Standing::Leader, objects)
}

fn started(start: Start, standing: Standing, objects: &[Object]) -> Controller {
    let secs = Duration::from_secs;
    let settings = Settings {
        client: ClientSettings {
            request_timeout: secs(60),
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
        },
        monitor_period: secs(5),
        provider_prefix: Text::word("vsphere://"),
        election: ElectionSettings {
            lease: secs(15),
            deadline: secs(10),
            retry: secs(2),
            jitter_percent: 120,
            release_on_cancel: false,
        },
    };
    let [cluster, supervisor] = [EndpointId(1), EndpointId(0)].map(Address::Endpoint);
    let controller = CloudController::new(settings, cluster, supervisor, standing);
    let react = CloudController::on_event;
    Bench::started(controller, PROGRAM, react, start, objects)
}

fn node(name: &'static str, ready: Status) -> Object {
    let provider_id = Text::from(format!("vsphere://uuid-of-{name}"));
    let mut body = Node { provider_id, ..Node::default() };
    body.conditions.set(Condition::new("Ready", ready, "", "", SimTime::ZERO));
    Object::new(Meta::new(Kind::Node, "", name), body)
}

fn machine(of: &str, power: PowerState) -> Arc<Object> {
    let bios_uuid = Text::from(format!("uuid-of-{of}"));
    let body = VirtualMachine { bios_uuid, power, ..VirtualMachine::default() };
    Arc::new(Object::new(Meta::new(Kind::VirtualMachine, "default", "whatever"), body))
}

/// Begins a pass, and answers each look with these.
fn pass(bench: &mut Controller, machines: &[Arc<Object>]) {
    bench.play(Input::Tick(MONITOR));
    while let Some(at) = bench.waiting().iter().position(|what| what == "list VirtualMachine") {
        let (connection, request) = bench.asked.remove(at);
        let answer = Answer::List(Revision(1), machines.to_vec());
        bench.answer(connection, request.id, Ok(answer));
    }
}

#[test]
fn a_node_without_a_machine_is_deleted_unless_it_is_ready() {
    for ready in [Status::True, Status::False, Status::Unknown] {
        let mut bench = controller(&[node("w", ready)]);
        pass(&mut bench, &[machine("another", PowerState::PoweredOn)]);
        let goes = bench.waiting().contains(&"delete Node/w".to_owned());
        assert_eq!(goes, ready != Status::True, "{}: {:?}", ready.name(), bench.waiting());
        let said = bench
            .writes()
            .into_iter()
            .find_map(|(_, object)| Some(object?.event()?.message.to_string()));
        let words = "Deleting node w because it does not exist in the cloud provider";
        assert_eq!(said.as_deref(), goes.then_some(words));
    }
}

#[test]
fn a_node_whose_machine_is_there_stays() {
    let mut bench = controller(&[node("w", Status::Unknown)]);
    pass(&mut bench, &[machine("another", PowerState::PoweredOn), machine("w", PowerState::None)]);
    assert_eq!(bench.waiting(), Vec::<String>::new());
}

#[test]
fn one_whose_machine_is_off_is_tainted_once_and_freed_when_it_is_ready() {
    let off = [machine("w", PowerState::PoweredOff)];
    let mut bench = controller(&[node("w", Status::Unknown)]);
    pass(&mut bench, &off);
    let tainted = bench.grant("patch Node/w");
    let taints = &tainted.node().expect("a Node").taints;
    assert_eq!((taints.len(), taints[0].key.as_str()), (1, taint::SHUTDOWN));
    bench.shows(WatchKind::Modified, Object::clone(&tainted));
    pass(&mut bench, &off);
    assert_eq!(bench.waiting(), Vec::<String>::new(), "it is tainted already");
    let mut back = Object::clone(&tainted);
    let conditions = &mut back.node_mut().expect("a Node").conditions;
    conditions.set(Condition::new("Ready", Status::True, "", "", SimTime::ZERO));
    bench.shows(WatchKind::Modified, back);
    pass(&mut bench, &off);
    assert!(bench.grant("patch Node/w").node().expect("a Node").taints.is_empty());
}

#[test]
fn while_the_supervisor_does_not_answer_nothing_happens_and_the_next_node_gets_its_turn() {
    let mut bench = controller(&[node("a", Status::Unknown), node("b", Status::Unknown)]);
    bench.play(Input::Tick(MONITOR));
    for looks in 0..2 {
        assert_eq!(bench.waiting(), ["list VirtualMachine"], "look {looks}");
        let (connection, request) = bench.asked.remove(0);
        let error = ApiError::new(Reason::InternalError, "etcdserver: no leader");
        bench.answer(connection, request.id, Err(error));
    }
    assert_eq!(bench.waiting(), Vec::<String>::new());
}

#[test]
fn a_control_plane_is_asked_about_like_any_other_node() {
    let mut plane = node("control-plane-0", Status::Unknown);
    let label = (Text::word(taint::CONTROL_PLANE), Text::EMPTY);
    plane.meta.labels = Labels::new(BTreeMap::from([label]));
    for (machines, goes) in
        [(vec![machine("control-plane-0", PowerState::None)], false), (vec![], true)]
    {
        let mut bench = controller(std::slice::from_ref(&plane));
        pass(&mut bench, &machines);
        assert_eq!(bench.waiting().contains(&"delete Node/control-plane-0".to_owned()), goes);
    }
}

#[test]
fn a_standby_knows_and_does_nothing_until_it_is_elected() {
    let mut bench = started(Start::Steady, Standing::Standby, &[node("w", Status::Unknown)]);
    bench.elects = false;
    bench.pass(Duration::from_millis(4_400));
    assert_eq!(bench.waiting(), ["get Lease/cloud-controller-manager"]);
    let (connection, request) = bench.asked.remove(0);
    let missing = ApiError::not_found(&crate::client::lease_lock(PROGRAM));
    bench.answer(connection, request.id, Err(missing));
    bench.grant("create Lease/cloud-controller-manager");
    assert!(bench.waiting().contains(&"list Node".to_owned()), "{:?}", bench.waiting());
    assert!(!bench.component.works, "it knows no Nodes yet");
    bench.list(&[node("w", Status::Unknown)]);
    assert!(bench.component.works);
    pass(&mut bench, &[]);
    assert!(bench.waiting().contains(&"delete Node/w".to_owned()), "{:?}", bench.waiting());
}
