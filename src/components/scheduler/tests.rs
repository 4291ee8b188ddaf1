//! Choosing a Node, and saying why there is none.

use super::*;
use crate::api::kinds::{Node, Pod, PodTemplate, Resources, Taint, TaintEffect, Toleration, taint};
use crate::api::{Labels, Meta, WatchKind, labels};
use crate::client::testing::Bench;
use crate::infra::EndpointId;

pub(super) fn settings() -> Settings {
    let secs = Duration::from_secs;
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
        cycle: Delay::fixed(Duration::from_millis(1)),
        backoff_first: secs(1),
        backoff_limit: secs(10),
        requeue: Requeue::Prechecks,
        pops_backoff: false,
        backoff_check: secs(1),
        unschedulable_timeout: secs(300),
        unschedulable_check: secs(30),
        wording: Wording::TaintsTogether,
        lookup_timeout: secs(10),
        election: ElectionSettings {
            lease: secs(15),
            deadline: secs(10),
            retry: secs(2),
            jitter_percent: 120,
            retries: crate::client::testing::RETRIES,
            release_on_cancel: true,
            renewal: crate::client::Renewal::Unread("optimistically"),
            rules: crate::client::ElectionRules::KUBERNETES,
        },
    }
}

fn scheduler(objects: &[Object]) -> Bench<Scheduler, Event> {
    let scheduler = Scheduler::new(settings(), Address::Endpoint(EndpointId(1)), Standing::Leader);
    Bench::started(scheduler, "kube-scheduler", Scheduler::on_event, Start::Steady, objects)
}

pub(super) fn node(name: &'static str, change: impl FnOnce(&mut Node)) -> Object {
    let allocatable = Resources { cpu_millis: 1000, memory_mib: 1000, pods: 10 };
    let mut node = Node { allocatable, ..Node::default() };
    change(&mut node);
    Object::new(Meta::new(Kind::Node, "", name), node)
}

fn app() -> Labels {
    labels([("app", Text::word("web"))])
}

/// A Pod that repels others of its kind.
pub(super) fn pod(name: &'static str, bound: &'static str) -> Object {
    let template = PodTemplate {
        labels: app(),
        anti_affinity: Some(app()),
        requests: Resources { cpu_millis: 100, memory_mib: 100, pods: 1 },
        ..PodTemplate::default()
    };
    let mut pod = Pod::new(Arc::new(template));
    pod.node_name = Text::word(bound);
    let mut meta = Meta::new(Kind::Pod, "default", name);
    meta.labels = app();
    Object::new(meta, pod)
}

fn unreachable(node: &mut Node) {
    node.taints.push(Taint::new(taint::UNREACHABLE, TaintEffect::NoSchedule, None));
}

/// The Nodes to which Pods are to be bound, in the order of the requests.
pub(super) fn bound_to(bench: &Bench<Scheduler, Event>) -> Vec<Text> {
    let verbs = bench.asked.iter().map(|(_, request)| &request.verb);
    verbs
        .filter_map(|verb| match verb {
            Verb::Bind { node, .. } => Some(node.clone()),
            _ => None,
        })
        .collect()
}

/// What the Pods were told, and where they were bound.
fn decided(bench: &mut Bench<Scheduler, Event>) -> Vec<String> {
    bench.pass(Duration::from_millis(1));
    bench.pass(Duration::from_millis(1));
    let said = |object: &Object| {
        let condition = object.pod()?.conditions.get("PodScheduled")?;
        Some(condition.message.to_string())
    };
    let writes = bench.writes().into_iter().filter(|(words, _)| !words.contains("Event/"));
    writes.map(|(words, object)| object.and_then(|object| said(&object)).unwrap_or(words)).collect()
}

#[test]
fn a_pod_is_bound_to_the_one_node_that_fits() {
    let objects =
        [node("a", unreachable), node("b", |n| n.unschedulable = true), node("c", |_| {})];
    let mut bench = scheduler(&[&objects[..], &[pod("web", "")]].concat());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bound_to(&bench), ["c"]);
}

#[test]
fn two_pods_that_repel_each_other_do_not_meet_while_the_watch_lags() {
    let objects = [node("a", |_| {}), node("b", |_| {}), pod("one", ""), pod("two", "")];
    let mut bench = scheduler(&objects);
    bench.pass(Duration::from_millis(1));
    bench.pass(Duration::from_millis(1));
    let mut nodes = bound_to(&bench);
    nodes.sort();
    assert_eq!(nodes, ["a", "b"]);
}

#[test]
fn a_pod_without_a_node_is_told_why_in_the_releases_words() {
    let objects = [
        node("a", unreachable),
        node("b", unreachable),
        node("c", |_| {}),
        pod("old", "c"),
        pod("new", ""),
    ];
    let told = decided(&mut scheduler(&objects));
    assert_eq!(
        told,
        ["0/3 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 2 node(s) had \
          untolerated taint(s). no new claims to deallocate, preemption: 0/3 nodes are available: \
          1 No preemption victims found for incoming pod, 2 Preemption is not helpful for \
          scheduling."]
    );
}

#[test]
fn a_waiting_pod_is_tried_again_when_a_node_loses_its_taint_and_its_backoff_is_over() {
    let mut bench = scheduler(&[node("a", unreachable), pod("web", "")]);
    assert_eq!(decided(&mut bench).len(), 1);
    bench.shows(WatchKind::Modified, node("a", |_| {}));
    bench.pass(Duration::from_millis(500));
    bench.play(Input::Tick(FLUSH_BACKOFF));
    bench.pass(Duration::from_millis(1));
    assert!(bench.writes().is_empty(), "its first backoff is 1 s");
    bench.pass(Duration::from_millis(500));
    bench.play(Input::Tick(FLUSH_BACKOFF));
    assert_eq!(decided(&mut bench), ["bind Pod/web"]);
}

#[test]
fn a_pod_that_asks_for_more_than_any_node_has_waits() {
    let small = |node: &mut Node| node.allocatable.cpu_millis = 50;
    let told = decided(&mut scheduler(&[node("a", small), pod("web", "")]));
    assert!(told[0].starts_with("0/1 nodes are available: 1 Insufficient cpu."), "{told:?}");
}

#[test]
fn a_pod_that_could_not_be_bound_is_told_and_tried_again_after_growing_pauses() {
    let mut bench = scheduler(&[node("a", |_| {}), pod("web", "")]);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        bench.pass(Duration::from_millis(1));
        let at = bench.waiting().iter().position(|words| words == "bind Pod/web");
        let (connection, request) = bench.asked.remove(at.expect("it is bound"));
        bench.timers.clear();
        let error = ApiError::new(crate::api::Reason::Unknown, "etcdserver: request timed out");
        bench.answer(connection, request.id, Err(error));
        let mut looks = 0;
        while !bench.timers.iter().any(|(_, event)| matches!(event, Event::Decide(_))) {
            assert!(looks < 20, "its pause never ends");
            bench.pass(Duration::from_secs(1));
            bench.play(Input::Tick(FLUSH_BACKOFF));
            looks += 1;
        }
        pauses.push(looks);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    let told = bench
        .writes()
        .into_iter()
        .find_map(|(_, object)| object?.pod()?.conditions.get("PodScheduled").cloned());
    let told = told.expect("it is told");
    assert_eq!(told.reason, "SchedulerError");
    let words = "running Bind plugin \"DefaultBinder\": etcdserver: request timed out";
    assert_eq!(told.message, words);
}

#[test]
fn a_pod_that_is_bound_in_spite_of_an_error_is_not_tried_again() {
    let mut bench = scheduler(&[node("a", |_| {}), pod("web", "")]);
    bench.pass(Duration::from_millis(1));
    let (connection, request) = bench.asked.remove(0);
    bench.shows(WatchKind::Modified, pod("web", "a"));
    bench.timers.clear();
    let error = ApiError::new(crate::api::Reason::Timeout, "too late");
    bench.answer(connection, request.id, Err(error));
    assert!(bench.timers.is_empty() && bench.waiting().is_empty(), "{:?}", bench.waiting());
}

#[test]
fn a_pod_that_took_anothers_name_while_the_watch_was_away_gets_a_node() {
    let mut bench = scheduler(&[node("a", |_| {}), pod("web", "a")]);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bound_to(&bench), [""; 0]);
    let mut next = pod("web", "");
    next.meta.uid = crate::api::Uid(77);
    bench.shows(WatchKind::Modified, next.clone());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bound_to(&bench), ["a"]);
    // That it is shown once more is no reason to bind it twice.
    bench.shows(WatchKind::Modified, next);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bound_to(&bench), ["a"]);
}

/// A DaemonSet's Pod: for the Node of this name.
fn pod_for(node: &'static str) -> Object {
    let mut pod = pod("agent", "");
    pod.pod_mut().expect("a Pod").required_node = Text::word(node);
    pod
}

#[test]
fn a_pod_that_is_for_one_node_goes_to_no_other() {
    let full = |node: &mut Node| node.allocatable.cpu_millis = 50;
    let mut bench = scheduler(&[node("a", full), node("b", |_| {}), pod_for("a")]);
    let told = decided(&mut bench);
    let words = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) \
                 [NodeAffinity]. no new claims to deallocate, preemption: 0/2 nodes are available: \
                 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for \
                 scheduling.";
    assert_eq!(told, [words]);
    let mut bench = scheduler(&[node("a", |_| {}), node("b", |_| {}), pod_for("b")]);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bound_to(&bench), ["b"]);
}

#[test]
fn only_its_own_node_has_a_pod_tried_again_that_is_for_one() {
    for requeue in [Requeue::Prechecks, Requeue::Hints] {
        let settings = Settings { requeue, ..settings() };
        let server = Address::Endpoint(EndpointId(1));
        let scheduler = Scheduler::new(settings, server, Standing::Leader);
        let react = Scheduler::on_event;
        let objects = [node("b", |_| {}), pod_for("a")];
        let mut bench = Bench::started(scheduler, "kube-scheduler", react, Start::Steady, &objects);
        assert_eq!(decided(&mut bench).len(), 1, "its Node is not there");
        bench.pass(Duration::from_secs(2));
        bench.shows(WatchKind::Added, node("c", |_| {}));
        assert!(decided(&mut bench).is_empty(), "{requeue:?}: another Node helps nobody");
        bench.shows(WatchKind::Added, node("a", |_| {}));
        assert_eq!(decided(&mut bench), ["bind Pod/agent"], "{requeue:?}");
    }
}

/// A Pod that tolerates this.
fn tolerant(key: &'static str, value: Option<&'static str>) -> Object {
    let mut pod = pod("web", "");
    let toleration = Toleration {
        key: Text::word(key),
        value: value.map(Text::word),
        effect: None,
        seconds: None,
    };
    pod.pod_mut().expect("a Pod").tolerations = Arc::new([toleration]);
    pod
}

#[test]
fn who_tolerates_every_taint_goes_onto_a_cordoned_node() {
    let cordoned = node("a", |node| {
        node.unschedulable = true;
        node.taints.push(Taint::new(taint::UNSCHEDULABLE, TaintEffect::NoSchedule, None));
    });
    for (key, binds) in [("", true), (taint::UNSCHEDULABLE, true), (taint::NOT_READY, false)] {
        let mut bench = scheduler(&[cordoned.clone(), tolerant(key, None)]);
        let bound = decided(&mut bench) == ["bind Pod/web"];
        assert_eq!(bound, binds, "`{key}`");
    }
}

#[test]
fn a_toleration_with_a_value_is_of_the_taint_with_that_value() {
    let mine = Taint { value: Text::word("x"), ..Taint::new("mine", TaintEffect::NoExecute, None) };
    for (value, binds) in [(None, true), (Some("x"), true), (Some("y"), false), (Some(""), false)] {
        let tainted = node("a", |node| node.taints.push(mine.clone()));
        let mut bench = scheduler(&[tainted, tolerant("mine", value)]);
        let bound = decided(&mut bench) == ["bind Pod/web"];
        assert_eq!(bound, binds, "{value:?}");
    }
}
