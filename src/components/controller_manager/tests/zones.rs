//! Zones: how fast Nodes are tainted depends on how many of a zone are lost.

use super::*;
use crate::api::labels;
use crate::client::testing::words;
use crate::infra::{Effect, testbed};

/// A manager with these Nodes, judged once as healthy.
fn healthy(nodes: &[Object]) -> Manager {
    let leases = nodes.iter().map(|node| lease_of(node, 1));
    let objects: Vec<Object> = nodes.iter().cloned().chain(leases).collect();
    let mut manager = manager(settings(), &objects);
    pass(&mut manager, 0);
    manager
}

fn lease_of(node: &Object, renewed: u64) -> Object {
    let renewed = SimTime::ZERO + Duration::from_secs(renewed);
    let lease = Lease { renewed, ..Lease::default() };
    Object::new(Meta::new(Kind::Lease, "kube-node-lease", node.name().clone()), lease)
}

fn in_zone(mut node: Object, zone: &'static str) -> Object {
    node.meta.labels = labels([
        ("topology.kubernetes.io/region", Text::word("r")),
        ("topology.kubernetes.io/zone", Text::word(zone)),
    ]);
    node
}

/// A pass after so many seconds, before which these Nodes renew; what turns Unknown is granted and
/// shown. Returns what was logged.
fn pass_with(
    manager: &mut Manager,
    seconds: u64,
    renewing: &[Object],
    lost: &mut [Object],
) -> Vec<String> {
    manager.pass(Duration::from_secs(seconds));
    let now = manager.bed.now.since(SimTime::ZERO).as_secs();
    for node in renewing {
        manager.shows(WatchKind::Modified, lease_of(node, 10 + now));
    }
    let mut effects: Vec<Effect<Event>> = manager.play(Input::Tick(MONITOR));
    for node in lost {
        let update = format!("update Node/{}", node.name());
        let unknown = |object: &Object| {
            object.node().is_some_and(|body| body.conditions.is("Ready", Status::Unknown))
        };
        let waits = manager.waiting().into_iter().position(|words| words == update);
        if let Some(at) = waits.filter(|_| !unknown(node)) {
            let (connection, request) = manager.asked.remove(at);
            let written = words(&request).1.expect("an update");
            *node = Object::clone(&written);
            effects.extend(manager.answer(connection, request.id, Ok(Answer::Object(written))));
            manager.shows(WatchKind::Modified, node.clone());
        }
    }
    testbed::logs(&effects)
}

/// The Nodes that get `NoExecute` within so many seconds, with the second.
fn tainted_within(manager: &mut Manager, seconds: u64) -> Vec<(u64, String)> {
    manager.writes();
    let mut tainted = Vec::new();
    for tenth in 0..seconds * 10 {
        manager.play(Input::Tick(TAINT_PASS));
        for (_, written) in about(manager, "patch Node/") {
            let node = written.expect("a Node");
            if taints(&node).iter().any(|taint| taint.ends_with("unreachable:NoExecute")) {
                tainted.push((tenth / 10, node.name().to_string()));
            }
        }
        manager.bed.pass(Duration::from_millis(100));
    }
    tainted
}

fn names(nodes: &[&'static str]) -> Vec<Object> {
    nodes.iter().map(|name| node(name)).collect()
}

#[test]
fn from_55_percent_of_a_small_zone_on_nobody_is_tainted() {
    let mut all = names(&["a", "b", "c", "d", "e"]);
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(3);
    let logs = pass_with(&mut manager, 41, alive, lost);
    assert!(logs[0].ends_with("newState=\"PartialDisruption\""), "{logs:?}");
    assert!(tainted_within(&mut manager, 120).is_empty());
}

#[test]
fn two_lost_nodes_are_never_a_disruption() {
    let mut all = names(&["a", "b", "c"]);
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(2);
    let logs = pass_with(&mut manager, 41, alive, lost);
    assert!(logs.is_empty(), "{logs:?}");
    assert_eq!(tainted_within(&mut manager, 12).len(), 2);
}

#[test]
fn an_excluded_node_does_not_count() {
    let mut all = names(&["a", "b", "c", "d", "e"]);
    all[0].meta.labels = labels([("node.kubernetes.io/exclude-disruption", Text::EMPTY)]);
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(3);
    // Three of five are 60 %; without the excluded one it is two of four, and two never are.
    let logs = pass_with(&mut manager, 41, alive, lost);
    assert!(logs.is_empty(), "{logs:?}");
    assert_eq!(tainted_within(&mut manager, 22).len(), 3);
}

#[test]
fn a_zone_that_is_lost_whole_is_tainted_at_the_normal_pace_while_another_lives() {
    let mut all = names(&["a", "b", "c"]);
    all = all.into_iter().map(|node| in_zone(node, "lost")).collect();
    all.push(in_zone(node("d"), "alive"));
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(3);
    let logs = pass_with(&mut manager, 41, alive, lost);
    assert!(logs[0].contains("zone=\"r/lost\" newState=\"FullDisruption\""), "{logs:?}");
    let at: Vec<u64> = tainted_within(&mut manager, 25).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [0, 10, 20]);
}

#[test]
fn zones_have_a_pace_each() {
    let mut all = vec![in_zone(node("a"), "one"), in_zone(node("b"), "two")];
    all.extend([in_zone(node("c"), "one"), in_zone(node("d"), "two")]);
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(2);
    pass_with(&mut manager, 41, alive, lost);
    let at: Vec<u64> = tainted_within(&mut manager, 5).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [0, 0], "one at a time in each");
}

/// A person labels it while it runs, or while it waits in a zone that lets nobody through.
#[test]
fn a_node_is_tainted_in_the_zone_that_its_labels_say_now() {
    let mut all = names(&["a", "b"]);
    let mut manager = healthy(&all);
    all[0] = in_zone(node("a"), "new");
    manager.shows(WatchKind::Modified, all[0].clone());
    let (lost, alive) = all.split_at_mut(1);
    pass_with(&mut manager, 41, alive, lost);
    assert_eq!(tainted_within(&mut manager, 1), [(0, "a".to_owned())]);

    let mut all = names(&["a", "b", "c", "d"]);
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(3);
    pass_with(&mut manager, 41, alive, lost);
    assert!(tainted_within(&mut manager, 20).is_empty(), "the zone is partly disrupted");
    lost[0] = in_zone(lost[0].clone(), "new");
    manager.shows(WatchKind::Modified, lost[0].clone());
    pass_with(&mut manager, 5, alive, lost);
    assert!(tainted_within(&mut manager, 1).contains(&(0, "a".to_owned())));
}

#[test]
fn when_all_are_lost_nobody_is_and_when_one_returns_the_others_wait_for_their_turn() {
    let mut all = names(&["a", "b", "c"]);
    let mut manager = healthy(&all);
    let (lost, alive) = all.split_at_mut(1);
    pass_with(&mut manager, 41, alive, lost);
    let first = tainted_within(&mut manager, 1);
    assert_eq!(first, [(0, "a".to_owned())]);
    let unreachable = Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, None);
    lost[0].node_mut().expect("a Node").taints.push(unreachable);
    manager.shows(WatchKind::Modified, lost[0].clone());
    // The others fall silent as well.
    let logs = pass_with(&mut manager, 60, &[], &mut all);
    let entering =
        "Controller detected that all Nodes are not-Ready. Entering master disruption mode";
    assert_eq!(logs, [entering]);
    let mut patches = manager.waiting();
    patches.retain(|what| what == "patch Node/a");
    let patched: Vec<_> = patches.iter().map(|what| manager.grant(what)).collect();
    let is_free =
        |node: &Arc<Object>| !taints(node).iter().any(|taint| taint.ends_with("NoExecute"));
    assert!(patched.iter().any(is_free));
    all[0].node_mut().expect("a Node").taints.clear();
    manager.shows(WatchKind::Modified, all[0].clone());
    pass_with(&mut manager, 5, &[], &mut all);
    assert!(tainted_within(&mut manager, 60).is_empty(), "nobody is tainted now");
    // One comes back.
    all[2] = node("c");
    manager.shows(WatchKind::Modified, all[2].clone());
    let (rest, back) = all.split_at_mut(2);
    let logs = pass_with(&mut manager, 0, back, rest);
    let leaving = "Controller detected that some Nodes are Ready. Exiting master disruption mode";
    assert_eq!(logs, [leaving]);
    let at: Vec<u64> = tainted_within(&mut manager, 22).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [10, 20], "the new limiter begins without a token");
}

#[test]
fn a_terminating_pod_on_a_node_out_of_service_is_ended_in_the_next_pass() {
    for (ready, key, ended) in [
        (Status::Unknown, taint::OUT_OF_SERVICE, true),
        (Status::True, taint::OUT_OF_SERVICE, false),
        (Status::Unknown, taint::UNREACHABLE, false),
    ] {
        let mut lost = node("a");
        let body = lost.node_mut().expect("a Node");
        body.conditions.set(Condition::new("Ready", ready, "", "", SimTime::ZERO));
        body.taints.push(Taint::new(key, TaintEffect::NoSchedule, None));
        let mut going = pod("db-0", "a");
        let (at, grace) = (SimTime::ZERO + Duration::from_secs(30), Duration::from_secs(30));
        going.meta.deletion = Some(crate::api::Deletion { at, grace });
        let mut manager = manager(settings(), &[lost, going]);
        manager.writes();
        manager.play(Input::Tick(POD_GC));
        assert_eq!(!manager.waiting().is_empty(), ended, "{ready:?} {key}");
        if ended {
            let failed = manager.grant("patch Pod/db-0");
            let body = failed.pod().expect("a Pod");
            assert_eq!(body.phase, PodPhase::Failed);
            assert!(body.conditions.get("DisruptionTarget").is_none(), "its Node is still there");
            assert_eq!(manager.waiting(), ["delete Pod/db-0"]);
        }
    }
}
