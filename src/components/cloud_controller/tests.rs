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
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        monitor_period: secs(5),
        provider_prefix: Text::word("vsphere://"),
        initialization: Initialization {
            backoff_first: Duration::from_millis(5),
            backoff_limit: secs(1000),
            update_pause: crate::engine::Delay::fixed(Duration::from_millis(50)),
            update_tries: 2,
        },
        election: ElectionSettings {
            lease: secs(15),
            deadline: secs(10),
            retry: secs(2),
            jitter_percent: 120,
            retries: crate::client::testing::RETRIES,
            release_on_cancel: false,
            renewal: crate::client::Renewal::Unread("optimistically"),
            rules: crate::client::ElectionRules::KUBERNETES,
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

/// A Node as its kubelet registers it.
fn newcomer() -> Object {
    let mut node = node("w", Status::False);
    let body = node.node_mut().expect("a Node");
    body.provider_id = Text::EMPTY;
    body.taints = vec![
        Taint::new(taint::UNINITIALIZED, TaintEffect::NoSchedule, None),
        Taint::new(taint::NOT_READY, TaintEffect::NoSchedule, None),
    ];
    node
}

/// Answers the oldest request with this.
fn answer(bench: &mut Controller, wanted: &str, answered: Answered) {
    assert_eq!(bench.waiting().first().map(String::as_str), Some(wanted));
    let (connection, request) = bench.asked.remove(0);
    bench.answer(connection, request.id, answered);
}

const LOOK: &str = "get VirtualMachine/w";
const UPDATE: &str = "update Node/w";

#[test]
fn a_new_node_gets_the_identity_of_its_machine_and_is_freed() {
    let mut bench = controller(&[]);
    bench.shows(WatchKind::Added, newcomer());
    answer(&mut bench, LOOK, Ok(Answer::Object(machine("w", PowerState::PoweredOn))));
    let written = bench.grant(UPDATE);
    let node = written.node().expect("a Node");
    assert_eq!(node.provider_id, "vsphere://uuid-of-w");
    let left: Vec<&str> = node.taints.iter().map(|taint| taint.key.as_str()).collect();
    assert_eq!(left, [taint::NOT_READY], "the other one is not the cloud's");
    let event = bench.writes().into_iter().find_map(|(_, it)| it?.event().cloned());
    assert_eq!(event.expect("one").reason, "Synced");
    bench.shows(WatchKind::Modified, Object::clone(&written));
    assert_eq!(bench.waiting(), Vec::<String>::new(), "it is known now");
}

#[test]
fn a_machine_that_is_not_found_is_looked_for_again_after_growing_pauses() {
    let mut bench = controller(&[]);
    bench.shows(WatchKind::Added, newcomer());
    let missing = ApiError::new(Reason::NotFound, "not found");
    for pause in [5, 10, 20] {
        bench.timers.clear();
        answer(&mut bench, LOOK, Err(missing.clone()));
        let again = Event::Initialize(Text::word("w"));
        assert_eq!(bench.timers, [(Duration::from_millis(pause), again.clone())]);
        bench.play(Input::Due(again));
    }
    let nameless = VirtualMachine::default();
    let nameless = Object::new(Meta::new(Kind::VirtualMachine, "default", "w"), nameless);
    answer(&mut bench, LOOK, Ok(Answer::Object(Arc::new(nameless))));
    assert_eq!(bench.waiting(), Vec::<String>::new(), "the machine has no UUID yet");
}

#[test]
fn what_somebody_else_writes_meanwhile_stays_and_the_node_is_written_again() {
    let mut bench = controller(&[]);
    bench.shows(WatchKind::Added, newcomer());
    answer(&mut bench, LOOK, Ok(Answer::Object(machine("w", PowerState::PoweredOn))));
    let mut theirs = newcomer();
    theirs.node_mut().expect("a Node").unschedulable = true;
    bench.shows(WatchKind::Modified, theirs);
    bench.timers.clear();
    answer(&mut bench, UPDATE, Err(ApiError::new(Reason::Conflict, "it was modified")));
    assert_eq!(bench.timers, [(Duration::from_millis(50), Event::UpdateNode)]);
    bench.play(Input::Due(Event::UpdateNode));
    let Verb::Update(object) = &bench.asked[0].1.verb else { panic!("{:?}", bench.waiting()) };
    assert!(object.node().expect("a Node").unschedulable);
    answer(&mut bench, UPDATE, Err(ApiError::new(Reason::Conflict, "it was modified")));
    let again = Event::Initialize(Text::word("w"));
    assert_eq!(bench.timers.last(), Some(&(Duration::from_millis(5), again)), "two tries, no more");
}

#[test]
fn one_that_is_still_to_be_initialized_is_found_by_its_name() {
    for (name, goes) in [("w", false), ("another", true)] {
        let mut bench = controller(&[newcomer()]);
        let mut named = Object::clone(&machine("w", PowerState::PoweredOn));
        named.meta.key.name = Text::word(name);
        pass(&mut bench, &[Arc::new(named)]);
        assert_eq!(bench.waiting().contains(&"delete Node/w".to_owned()), goes);
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
