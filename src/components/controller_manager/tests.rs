//! The controllers of the manager, each with its events in and effects out.

mod claims;
mod garbage;
mod health;
mod jobs;
mod limits;
mod node_lifecycle;
mod orphans;
mod sizes;
mod stale_disruptions;
mod workloads;
mod zones;

use super::*;
use crate::api::kinds::{
    Condition, Conditions, Lease, Node, Pod, PodPhase, PodTemplate, ReplicaSet, Status, Taint,
    TaintEffect, Toleration, taint,
};
use crate::api::{Answer, ApiError, Meta, Object, Uid, WatchKind};
use crate::client::{Backoff, testing::Bench};
use crate::engine::SimTime;
use crate::infra::{EndpointId, Start};
use std::sync::Arc;

pub(super) type Manager = Bench<ControllerManager, Event>;

/// The defaults.
pub const ELECTION: ElectionSettings = ElectionSettings {
    lease: Duration::from_secs(15),
    deadline: Duration::from_secs(10),
    retry: Duration::from_secs(2),
    jitter_percent: 120,
    retries: crate::client::testing::RETRIES,
    release_on_cancel: false,
    renewal: crate::client::Renewal::Unread("optimistically"),
    rules: crate::client::ElectionRules::KUBERNETES,
};

pub fn settings() -> Settings {
    let (secs, fixed) = (Duration::from_secs, |millis| Delay::fixed(Duration::from_millis(millis)));
    Settings {
        client: ClientSettings {
            request_timeout: secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        shell: ShellSettings {
            workers: 5,
            backoff: Backoff::new(Duration::from_millis(5), secs(1000)),
            rules: crate::client::ShellRules::CONTROLLER_MANAGER,
            minimum_gap: Duration::ZERO,
            thinking: fixed(1),
        },
        garbage_workers: 20,
        has_machines: false,
        monitor_period: secs(5),
        monitor_pass: fixed(50),
        grace_period: secs(40),
        startup_grace_period: secs(60),
        no_execute: NoExecute::SamePass,
        eviction_interval: secs(10),
        secondary_eviction_interval: secs(100),
        large_zone: 50,
        unhealthy_zone_percent: 55,
        taint_pass_period: Duration::from_millis(100),
        pod_gc_period: secs(20),
        pod_gc_quarantine: secs(40),
        pod_gc_pass: fixed(1),
        pod_gc_hand_over: fixed(0),
        disrupted_pod_timeout: secs(120),
        stale_pod_disruption_timeout: secs(120),
        volumes: VolumeSettings {
            pass_period: Duration::from_millis(100),
            unmount_limit: secs(360),
            attach: fixed(2000),
            detach: fixed(3000),
        },
        request_interval: Duration::from_millis(50),
        request_burst: 30,
        taint_eviction_client: TaintEvictionClient::Own,
        write_retries: 5,
        write_retry_pause: Duration::from_millis(20),
        evict_tries: 5,
        evict_pause: Duration::from_millis(10),
        signing: fixed(1),
        election: ELECTION,
        startup: fixed(500),
        lookup_timeout: Some(Duration::from_secs(10)),
        scaling_words: ScalingWords::FromTo,
        endpoint_slice_backoff: Backoff::new(secs(1), secs(1000)),
        daemon_set: DaemonSetSettings { failed_pods_first: secs(1), failed_pods_limit: secs(900) },
        expectations_timeout: secs(300),
        job: JobSettings {
            backoff_first: secs(10),
            backoff_limit: secs(600),
            batch: secs(1),
            api_backoff: Backoff::new(secs(1), secs(60)),
            completion: Completion::Reasoned,
            termination: Termination::Awaited,
        },
    }
}

pub(super) fn manager(settings: Settings, objects: &[Object]) -> Manager {
    let manager =
        ControllerManager::new(settings, Address::Endpoint(EndpointId(1)), Standing::Leader);
    let react = ControllerManager::on_event;
    Bench::started(manager, "kube-controller-manager", react, Start::Steady, objects)
}

pub fn node(name: &'static str) -> Object {
    let kinds = ["MemoryPressure", "DiskPressure", "PIDPressure"].map(|kind| (kind, Status::False));
    let conditions: Conditions = kinds
        .into_iter()
        .chain([("Ready", Status::True)])
        .map(|(kind, status)| Condition::new(kind, status, "", "", SimTime::ZERO))
        .collect();
    let mut node =
        Object::new(Meta::new(Kind::Node, "", name), Node { conditions, ..Node::default() });
    node.meta.uid = Uid(name.len() as u64 * 100 + u64::from(name.as_bytes()[name.len() - 1]));
    node
}

fn lease(name: &'static str, renewed: u64) -> Object {
    let renewed = SimTime::ZERO + Duration::from_secs(renewed);
    let lease = Lease { renewed, ..Lease::default() };
    Object::new(Meta::new(Kind::Lease, "kube-node-lease", name).owned_by(&node(name).meta), lease)
}

pub(super) fn pod(name: impl Into<Text>, node: &'static str) -> Object {
    let mut pod =
        Pod::new(Arc::new(PodTemplate { grace: Duration::from_secs(30), ..Default::default() }));
    pod.node_name = Text::word(node);
    pod.phase = PodPhase::Running;
    pod.conditions.set(Condition::new("Ready", Status::True, "", "", SimTime::ZERO));
    pod.tolerations = Arc::new([Toleration {
        key: Text::word(taint::UNREACHABLE),
        value: None,
        effect: Some(TaintEffect::NoExecute),
        seconds: Some(Duration::from_secs(300)),
    }]);
    Object::new(Meta::new(Kind::Pod, "default", name), pod)
}

fn pass(manager: &mut Manager, seconds: u64) {
    manager.pass(Duration::from_secs(seconds));
    manager.play(Input::Tick(MONITOR));
}

fn taints(object: &Object) -> Vec<String> {
    let node = object.node().expect("a Node");
    node.taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect.name())).collect()
}

/// Writes about a kind, in words.
fn about(manager: &mut Manager, kind: &str) -> Vec<(String, Option<Arc<Object>>)> {
    manager.writes().into_iter().filter(|(words, _)| words.contains(kind)).collect()
}

#[test]
fn a_node_is_judged_only_strictly_after_its_grace_period() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
    pass(&mut manager, 0);
    pass(&mut manager, 40);
    assert!(about(&mut manager, "Node/").is_empty(), "40 s are not more than 40 s");
    pass(&mut manager, 1);
    let writes = about(&mut manager, "Node/");
    let [(words, Some(written))] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!(words, "update Node/a");
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let condition = written.node().expect("a Node").conditions.get(kind).expect("there");
        assert_eq!(condition.status, Status::Unknown);
        assert_eq!(condition.reason, "NodeStatusUnknown");
        assert_eq!(condition.message, "Kubelet stopped posting node status.");
    }
}

#[test]
fn a_renewed_lease_begins_the_grace_period_anew() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
    pass(&mut manager, 0);
    pass(&mut manager, 39);
    manager.shows(WatchKind::Modified, lease("a", 30));
    pass(&mut manager, 1);
    pass(&mut manager, 40);
    assert!(about(&mut manager, "Node/").is_empty());
    pass(&mut manager, 1);
    assert_eq!(about(&mut manager, "Node/").len(), 1);
}

#[test]
fn with_the_node_its_pods_stop_being_ready() {
    let objects = [node("a"), node("b"), lease("a", 1), lease("b", 1), pod("web", "a")];
    let mut manager = manager(settings(), &objects);
    pass(&mut manager, 0);
    manager.shows(WatchKind::Modified, lease("b", 30));
    pass(&mut manager, 41);
    manager.shows(WatchKind::Modified, lease("b", 40));
    manager.grant("update Node/a");
    let mut words: Vec<String> = manager.writes().into_iter().map(|(words, _)| words).collect();
    words.sort();
    assert_eq!(words.iter().filter(|word| word.starts_with("create Event/")).count(), 2);
    assert!(words.contains(&"update Pod/web".to_owned()), "{words:?}");
}

/// A manager whose Node `a` of two has just turned Unknown and is shown so.
fn with_lost_node(no_execute: NoExecute) -> Manager {
    let objects = [node("a"), node("b"), lease("a", 1), lease("b", 1), pod("web", "a")];
    let mut manager = manager(Settings { no_execute, ..settings() }, &objects);
    pass(&mut manager, 0);
    manager.shows(WatchKind::Modified, lease("b", 30));
    pass(&mut manager, 41);
    let unknown = manager.grant("update Node/a");
    manager.shows(WatchKind::Modified, Object::clone(&unknown));
    manager.grant("update Pod/web");
    manager
}

#[test]
fn no_execute_comes_in_the_same_pass_or_one_later() {
    for (era, after_pass) in [(NoExecute::SamePass, false), (NoExecute::NextPass, true)] {
        let mut manager = with_lost_node(era);
        let no_schedule = about(&mut manager, "Node/a");
        assert_eq!(taints(no_schedule[0].1.as_ref().expect("a patch")).len(), 1);
        manager.play(Input::Tick(TAINT_PASS));
        assert_eq!(about(&mut manager, "Node/a").is_empty(), after_pass, "{era:?}");
        if after_pass {
            manager.shows(WatchKind::Modified, lease("b", 41));
            pass(&mut manager, 5);
            manager.play(Input::Tick(TAINT_PASS));
            let writes = about(&mut manager, "Node/a");
            let added = taints(writes[0].1.as_ref().expect("a patch"));
            assert!(added.contains(&"node.kubernetes.io/unreachable:NoExecute".to_owned()));
        }
    }
}

#[test]
fn a_node_that_is_ready_again_loses_no_execute_in_the_next_pass() {
    let mut back = node("a");
    let added = Some(SimTime::ZERO);
    back.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, added)];
    let mut manager = manager(settings(), &[back, lease("a", 1)]);
    pass(&mut manager, 1);
    let writes = about(&mut manager, "Node/a");
    assert!(taints(writes[0].1.as_ref().expect("a patch")).is_empty());
}

#[test]
fn lost_nodes_get_their_taints_ten_seconds_apart() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let objects: Vec<Object> =
        names.into_iter().flat_map(|name| [node(name), lease(name, 1)]).collect();
    let mut manager = manager(settings(), &objects);
    pass(&mut manager, 0);
    for name in &names[2..] {
        manager.shows(WatchKind::Modified, lease(name, 30));
    }
    pass(&mut manager, 41);
    for name in &names[2..] {
        manager.shows(WatchKind::Modified, lease(name, 41));
    }
    for name in ["a", "b"] {
        let unknown = manager.grant(&format!("update Node/{name}"));
        manager.shows(WatchKind::Modified, Object::clone(&unknown));
    }
    manager.writes();
    let mut tainted = Vec::new();
    for tenth in 0..150 {
        manager.play(Input::Tick(TAINT_PASS));
        tainted.extend(about(&mut manager, "Node/").into_iter().map(|(words, _)| (tenth, words)));
        manager.pass(Duration::from_millis(100));
    }
    assert_eq!(tainted, [(0, "patch Node/a".to_owned()), (100, "patch Node/b".to_owned())]);
}

#[test]
fn a_pod_that_goes_by_itself_takes_its_eviction_with_it() {
    let mut tainted = node("a");
    tainted.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, Some(SimTime::ZERO))];
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    manager.shows(WatchKind::Modified, tainted);
    manager.writes();
    manager.shows(WatchKind::Deleted, pod("web", "a"));
    let (words, event) = manager.writes().remove(0);
    assert!(words.starts_with("create Event/"), "{words}");
    let event = event.expect("an Event");
    assert!(format!("{event:?}").contains("Cancelling deletion of Pod default/web"), "{event:?}");
}

#[test]
fn a_pod_goes_when_its_tolerated_time_is_over() {
    let mut tainted = node("a");
    let added = Some(SimTime::ZERO);
    tainted.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, added)];
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    manager.shows(WatchKind::Modified, tainted);
    manager.writes();
    manager.pass(Duration::from_secs(299));
    assert!(manager.writes().is_empty());
    manager.pass(Duration::from_secs(1));
    let marked = manager.grant("patch Pod/web");
    let target = marked.pod().expect("a Pod").conditions.get("DisruptionTarget").cloned();
    assert_eq!(target.expect("marked").reason, "DeletionByTaintManager");
    let words: Vec<String> = manager.writes().into_iter().map(|(words, _)| words).collect();
    assert_eq!(words.last().map(String::as_str), Some("delete Pod/web"), "{words:?}");
}

#[test]
fn an_eviction_that_nobody_grants_is_tried_five_times_and_said_once() {
    let mut tainted = node("a");
    tainted.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::OUT_OF_SERVICE, TaintEffect::NoExecute, None)];
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    manager.shows(WatchKind::Modified, tainted);
    let mut tries = Vec::new();
    for pass in 1..=100 {
        manager.pass(Duration::from_millis(10));
        while let Some(at) = manager.waiting().iter().position(|words| words == "patch Pod/web") {
            let (connection, request) = manager.asked.remove(at);
            tries.push(pass);
            let error = ApiError::new(crate::api::Reason::Timeout, "too late");
            manager.answer(connection, request.id, Err(error));
        }
    }
    assert_eq!((tries, about(&mut manager, " Event/").len()), (vec![1, 2, 3, 4, 5], 1));
}

#[test]
fn a_taint_that_is_not_tolerated_cuts_a_running_timer_short_and_says_so_once() {
    let tainted = |keys: &[&'static str]| {
        let mut tainted = node("a");
        let taints = keys.iter().map(|key| Taint::new(key, TaintEffect::NoExecute, None));
        tainted.node_mut().expect("a Node").taints = taints.collect();
        tainted
    };
    let (lost, unserved) = (taint::UNREACHABLE, taint::OUT_OF_SERVICE);
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    let said = |manager: &mut Manager| {
        manager.pass(Duration::ZERO);
        let events = about(manager, "create Event/").into_iter();
        let message = |object: Arc<Object>| object.event().expect("an Event").message.to_string();
        events.filter_map(|(_, event)| event.map(message)).collect::<Vec<String>>()
    };
    manager.shows(WatchKind::Modified, tainted(&[lost]));
    assert_eq!(said(&mut manager), [""; 0]);
    manager.shows(WatchKind::Modified, tainted(&[lost, unserved]));
    let both = ["Cancelling deletion of Pod", "Marking for deletion Pod"];
    assert_eq!(said(&mut manager), both.map(|words| format!("{words} default/web")));
    // What has fired is not cancelled: it is only counted again.
    manager.shows(WatchKind::Modified, tainted(&[unserved]));
    assert_eq!(said(&mut manager), [""; 0]);
}

#[test]
fn a_pod_whose_node_returns_in_time_stays() {
    let mut tainted = node("a");
    let added = Some(SimTime::ZERO);
    tainted.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, added)];
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    manager.shows(WatchKind::Modified, tainted);
    manager.pass(Duration::from_secs(200));
    manager.shows(WatchKind::Modified, node("a"));
    manager.writes();
    manager.pass(Duration::from_secs(200));
    assert!(about(&mut manager, "Pod/").is_empty());
}

#[test]
fn the_end_of_a_node_stops_no_pods_time_and_its_return_does() {
    let mut tainted = node("a");
    tainted.node_mut().expect("a Node").taints =
        vec![Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, Some(SimTime::ZERO))];
    for returns in [false, true] {
        let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
        manager.shows(WatchKind::Modified, tainted.clone());
        manager.pass(Duration::from_secs(290));
        manager.shows(WatchKind::Deleted, tainted.clone());
        if returns {
            manager.shows(WatchKind::Added, node("a"));
        }
        manager.writes();
        manager.pass(Duration::from_secs(10));
        assert_eq!(about(&mut manager, "patch Pod/web").len(), usize::from(!returns));
    }
}

fn replica_set() -> Object {
    let labels = crate::api::labels([("app", Text::word("web"))]);
    let template = Arc::new(PodTemplate { labels: labels.clone(), ..Default::default() });
    let set = ReplicaSet { replicas: 1, selector: labels, template, ..Default::default() };
    let mut object = Object::new(Meta::new(Kind::ReplicaSet, "default", "web-1"), set);
    object.meta.uid = Uid(7);
    object
}

#[test]
fn a_replica_set_creates_what_is_missing_once_however_stale_its_cache() {
    let mut manager = manager(settings(), &[replica_set()]);
    manager.pass(Duration::ZERO);
    manager.pass(Duration::from_millis(1));
    let [word] = &manager.waiting()[..] else { panic!("{:?}", manager.waiting()) };
    let word = word.clone();
    assert!(word.starts_with("create Pod/web-1-"));
    manager.grant(&word);
    // The watch has not shown the Pod yet, and the set is looked at again.
    manager.shows(WatchKind::Modified, replica_set());
    manager.pass(Duration::from_millis(2));
    assert!(about(&mut manager, "create Pod/").is_empty());
}

#[test]
fn pods_of_a_node_that_is_gone_are_collected_after_the_quarantine_and_a_live_look() {
    let mut manager = manager(settings(), &[pod("web", "gone")]);
    for _ in 0..2 {
        manager.play(Input::Tick(POD_GC));
        assert!(manager.waiting().is_empty());
        manager.pass(Duration::from_secs(20));
    }
    manager.play(Input::Tick(POD_GC));
    let (connection, request) = manager.asked.remove(0);
    let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: Text::word("gone") };
    manager.answer(connection, request.id, Err(ApiError::not_found(&key)));
    let failed = manager.grant("patch Pod/web");
    let body = failed.pod().expect("a Pod");
    assert_eq!(body.phase, PodPhase::Failed);
    let target = body.conditions.get("DisruptionTarget").expect("marked");
    assert_eq!(target.message, "PodGC: node no longer exists");
    assert_eq!(manager.waiting(), ["delete Pod/web"]);
}

#[test]
fn a_node_handed_over_late_waits_for_the_next_pass() {
    let late = Delay::fixed(Duration::from_millis(5));
    let settings = Settings { pod_gc_hand_over: late, ..settings() };
    let mut manager = manager(settings, &[pod("web", "gone")]);
    for _ in 0..3 {
        manager.play(Input::Tick(POD_GC));
        assert!(manager.waiting().is_empty());
        manager.pass(Duration::from_millis(20_001));
    }
    manager.play(Input::Tick(POD_GC));
    assert_eq!(manager.waiting(), ["get Node/gone"]);
}

#[test]
fn a_node_that_exists_after_all_keeps_its_pods() {
    let mut manager = manager(settings(), &[pod("web", "gone")]);
    for _ in 0..3 {
        manager.play(Input::Tick(POD_GC));
        manager.pass(Duration::from_secs(20));
    }
    let (connection, request) = manager.asked.remove(0);
    let found = Answer::Object(Arc::new(node("gone")));
    manager.answer(connection, request.id, Ok(found));
    assert!(manager.writes().is_empty());
}

#[test]
fn a_lease_goes_with_its_node() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
    manager.shows(WatchKind::Deleted, node("a"));
    (0..3).for_each(|_| manager.pass(Duration::from_millis(1)));
    assert_eq!(manager.waiting(), ["get Lease/a"]);
    let (connection, request) = manager.asked.remove(0);
    manager.answer(connection, request.id, Ok(Answer::Object(Arc::new(lease("a", 1)))));
    assert_eq!(manager.waiting(), ["delete Lease/a"]);
}
