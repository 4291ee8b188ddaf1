//! Node lifecycle: what a pass notes of each Node, which taints it keeps, and who waits for one.

use super::*;
use crate::api::{Reason, Request, labels};
use crate::client::testing::words;
use crate::engine::{Activity, Path, Rhythm};
use crate::infra::Effect;
use crate::timeline::{Cause, EntryId};

/// A Node whose Ready is so.
pub(super) fn node_that_is(name: &'static str, ready: Status) -> Object {
    let mut object = node(name);
    let condition = Condition::new("Ready", ready, "", "", SimTime::ZERO);
    object.node_mut().expect("a Node").conditions.set(condition);
    object
}

/// A Node with these taints.
fn tainted(mut node: Object, taints: &[(&'static str, TaintEffect)]) -> Object {
    let taints = taints.iter().map(|(key, effect)| Taint::new(key, *effect, None));
    node.node_mut().expect("a Node").taints = taints.collect();
    node
}

/// A Node whose kubelet has never reported.
fn silent(name: &'static str) -> Object {
    let mut object = node(name);
    object.node_mut().expect("a Node").conditions = Conditions::default();
    object
}

/// The Events that wait, as `OBJECT REASON MESSAGE`.
pub(super) fn events(manager: &mut Manager) -> Vec<String> {
    let said = |object: Option<Arc<Object>>| {
        let object = object?;
        let event = object.event()?;
        Some(format!("{} {} {}", event.regarding, event.reason, event.message))
    };
    manager.writes().into_iter().filter_map(|(_, object)| said(object)).collect()
}

/// The taints of the only Node that is written.
pub(super) fn written_taints(manager: &mut Manager) -> Option<Vec<String>> {
    let writes = about(manager, "patch Node/");
    assert!(writes.len() < 2, "{writes:?}");
    writes.first().map(|(_, node)| taints(node.as_ref().expect("a Node")))
}

pub(super) fn no_execute(taint: &str) -> Vec<String> {
    vec![format!("node.kubernetes.io/{taint}:NoExecute")]
}

#[test]
fn the_controller_looks_every_five_seconds_and_taints_ten_times_a_second() {
    let mut manager = manager(settings(), &[]);
    let monitor = Activity {
        rule: "kubernetes.nodeMonitorPeriod",
        period: Duration::from_secs(5),
        jitter_percent: 0,
        rhythm: Rhythm::AfterEnd,
        path: Path::Server,
    };
    let taint_pass = Activity {
        rule: "kubernetes.noExecuteTaintPassPeriod",
        period: Duration::from_millis(100),
        rhythm: Rhythm::Ticker,
        path: Path::Own,
        ..monitor
    };
    for (id, expected) in [(MONITOR, monitor), (TAINT_PASS, taint_pass)] {
        let declared = manager.bed.process.activity(id).expect("it is declared");
        assert_eq!(declared.activity, expected);
    }
}

#[test]
fn a_pass_ends_after_its_time_even_if_nothing_is_known_yet() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
    manager.timers.clear();
    pass(&mut manager, 0);
    let ends = (Duration::from_millis(50), Event::PassEnded);
    assert!(manager.timers.contains(&ends), "{:?}", manager.timers);
}

#[test]
fn only_a_new_leader_says_which_nodes_it_found_and_frees_them() {
    let unreachable = [(taint::UNREACHABLE, TaintEffect::NoExecute)];
    let lost = tainted(node_that_is("a", Status::Unknown), &unreachable);
    let objects = [lost, node("b"), lease("a", 1), lease("b", 1)];
    for (start, is_new) in [(Start::Steady, false), (Start::Fresh, true)] {
        let mut manager = manager(settings(), &objects);
        manager.writes();
        manager.component.node_lifecycle.begin(start);
        pass(&mut manager, 1);
        let freed = manager.waiting().contains(&"patch Node/a".to_owned());
        let registered = "Node/a RegisteredNode Node a event: Registered Node a in Controller";
        let said = events(&mut manager);
        assert_eq!(said.iter().any(|words| words == registered), is_new, "{said:?}");
        assert_eq!((said.len(), freed), if is_new { (2, true) } else { (0, false) }, "{start:?}");
    }
}

#[test]
fn a_node_that_is_gone_is_forgotten_once() {
    let mut manager = manager(settings(), &[node("a"), node("b"), lease("a", 1), lease("b", 1)]);
    pass(&mut manager, 0);
    manager.shows(WatchKind::Deleted, node("a"));
    // It went and came between two passes: the same Node.
    manager.shows(WatchKind::Deleted, node("b"));
    manager.shows(WatchKind::Added, node("b"));
    manager.writes();
    pass(&mut manager, 5);
    let removed = "Node/a RemovingNode Node a event: Removing Node a from Controller";
    assert_eq!(events(&mut manager), [removed]);
    pass(&mut manager, 5);
    assert!(events(&mut manager).is_empty());
}

#[test]
fn a_heartbeat_in_the_status_alone_begins_the_grace_period_anew() {
    let mut manager = manager(settings(), &[node("a")]);
    pass(&mut manager, 0);
    pass(&mut manager, 39);
    let mut alive = node("a");
    let conditions = &mut alive.node_mut().expect("a Node").conditions;
    let mut ready = conditions.get("Ready").expect("there").clone();
    ready.last_heartbeat = SimTime::ZERO + Duration::from_secs(39);
    conditions.set(ready);
    manager.shows(WatchKind::Modified, alive);
    pass(&mut manager, 1);
    pass(&mut manager, 40);
    assert!(about(&mut manager, "Node/").is_empty());
    pass(&mut manager, 1);
    assert_eq!(about(&mut manager, "Node/").len(), 1);
}

#[test]
fn a_node_that_never_reported_is_judged_from_its_creation() {
    let mut manager = manager(settings(), &[silent("a"), node("b"), lease("b", 1)]);
    manager.pass(Duration::from_secs(55));
    manager.play(Input::Tick(MONITOR));
    pass(&mut manager, 5);
    assert!(about(&mut manager, "Node/a").is_empty(), "60 s are not more than 60 s");
    pass(&mut manager, 1);
    let writes = about(&mut manager, "Node/a");
    let node = writes[0].1.as_ref().expect("a patch").node().expect("a Node");
    let ready = node.conditions.get("Ready").expect("written");
    assert_eq!((ready.status, &ready.reason[..]), (Status::Unknown, "NodeStatusNeverUpdated"));
    assert_eq!(ready.message, "Kubelet never posted node status.");
    assert_eq!(ready.last_heartbeat, SimTime::ZERO, "its creation");
}

#[test]
fn the_first_report_ends_the_long_grace_of_a_new_node() {
    let mut manager = manager(settings(), &[silent("a")]);
    pass(&mut manager, 0);
    pass(&mut manager, 30);
    manager.shows(WatchKind::Modified, node("a"));
    pass(&mut manager, 0);
    pass(&mut manager, 40);
    assert!(about(&mut manager, "Node/").is_empty());
    pass(&mut manager, 1);
    assert_eq!(about(&mut manager, "Node/").len(), 1);
}

#[test]
fn a_node_that_is_unknown_already_is_not_written_again() {
    let objects = [node_that_is("a", Status::Unknown), node("b"), lease("a", 1), lease("b", 1)];
    let mut manager = manager(settings(), &objects);
    manager.writes();
    pass(&mut manager, 0);
    manager.shows(WatchKind::Modified, lease("b", 30));
    pass(&mut manager, 41);
    assert!(about(&mut manager, "Node/").is_empty());
}

#[test]
fn what_was_unknown_before_keeps_its_reason() {
    let mut half = node("a");
    let known = Condition::new("DiskPressure", Status::Unknown, "Mine", "", SimTime::ZERO);
    half.node_mut().expect("a Node").conditions.set(known);
    let mut manager = manager(settings(), &[half, lease("a", 1)]);
    pass(&mut manager, 0);
    pass(&mut manager, 41);
    let writes = about(&mut manager, "Node/");
    let conditions = &writes[0].1.as_ref().expect("a patch").node().expect("a Node").conditions;
    let reason = |kind| conditions.get(kind).expect("there").reason.clone();
    assert_eq!(
        (reason("DiskPressure"), reason("Ready")),
        ("Mine".into(), "NodeStatusUnknown".into())
    );
}

#[test]
fn the_silence_of_a_kubelet_is_blamed_for_the_verdict() {
    let blamed = |first: Object, seconds: u64| {
        let mut manager = manager(settings(), &[first, lease("a", 1)]);
        pass(&mut manager, 0);
        manager.pass(Duration::from_secs(seconds));
        let effects = manager.play(Input::Tick(MONITOR));
        let mut blamed = effects.iter().filter_map(|effect| match effect {
            Effect::BecauseSilent { rule, since, limit, .. } => Some((*rule, *since, *limit)),
            _ => None,
        });
        (blamed.next().expect("one is"), blamed.count())
    };
    let grace = |rule, limit| ((rule, SimTime::ZERO, Duration::from_secs(limit)), 0);
    assert_eq!(blamed(node("a"), 41), grace("kubernetes.nodeMonitorGracePeriod", 40));
    assert_eq!(blamed(silent("a"), 61), grace("kubernetes.nodeStartupGracePeriod", 60));
}

#[test]
fn a_pod_that_is_not_ready_anyway_is_left_alone() {
    let mut waiting = pod("web", "a");
    let not_ready = Condition::new("Ready", Status::False, "", "", SimTime::ZERO);
    waiting.pod_mut().expect("a Pod").conditions.set(not_ready);
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), waiting]);
    pass(&mut manager, 0);
    pass(&mut manager, 41);
    manager.grant("update Node/a");
    assert_eq!(events(&mut manager), ["Node/a NodeNotReady Node a status is now: NodeNotReady"]);
    assert!(about(&mut manager, "Pod/").is_empty());
}

#[test]
fn conditions_and_cordon_are_mirrored_as_no_schedule_taints() {
    for (name, condition) in [
        ("not-ready", Some(("Ready", Status::False))),
        ("unreachable", Some(("Ready", Status::Unknown))),
        ("disk-pressure", Some(("DiskPressure", Status::True))),
        ("memory-pressure", Some(("MemoryPressure", Status::True))),
        ("pid-pressure", Some(("PIDPressure", Status::True))),
        ("network-unavailable", Some(("NetworkUnavailable", Status::True))),
        ("unschedulable", None),
    ] {
        let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
        let mut changed = node("a");
        let body = changed.node_mut().expect("a Node");
        match condition {
            Some((kind, status)) => {
                body.conditions.set(Condition::new(kind, status, "", "", SimTime::ZERO));
            }
            None => body.unschedulable = true,
        }
        manager.shows(WatchKind::Modified, changed);
        let expected = vec![format!("node.kubernetes.io/{name}:NoSchedule")];
        assert_eq!(written_taints(&mut manager), Some(expected));
    }
}

#[test]
fn taints_that_are_right_or_somebody_elses_are_left_alone() {
    let mine = ("example.com/mine", TaintEffect::NoSchedule);
    let (stale, right) = (
        (taint::DISK_PRESSURE, TaintEffect::NoSchedule),
        (taint::NOT_READY, TaintEffect::NoSchedule),
    );
    let mut manager = manager(settings(), &[node("a"), lease("a", 1)]);
    manager.shows(WatchKind::Modified, tainted(node("a"), &[mine]));
    assert_eq!(written_taints(&mut manager), None);
    let ill = tainted(node_that_is("a", Status::False), &[mine, stale, right]);
    manager.shows(WatchKind::Modified, ill);
    let kept =
        ["example.com/mine", "node.kubernetes.io/not-ready"].map(|key| format!("{key}:NoSchedule"));
    assert_eq!(written_taints(&mut manager), Some(kept.to_vec()));
    let ill = tainted(node_that_is("a", Status::False), &[mine, right]);
    manager.shows(WatchKind::Modified, ill);
    assert_eq!(written_taints(&mut manager), None);
}

/// A manager that has looked once at `a`, which is so and has these taints, and `b`, which is well.
fn beside_a_ready_one(a: Object) -> Manager {
    let mut manager = manager(settings(), &[a, node("b"), lease("a", 1), lease("b", 1)]);
    pass(&mut manager, 0);
    manager
}

#[test]
fn a_node_that_turns_from_not_ready_to_unreachable_changes_its_taint_at_once() {
    let pairs = [
        (Status::Unknown, taint::NOT_READY, "unreachable"),
        (Status::False, taint::UNREACHABLE, "not-ready"),
    ];
    for (ready, other, mine) in pairs {
        let lost = tainted(node_that_is("a", ready), &[(other, TaintEffect::NoExecute)]);
        let mut manager = beside_a_ready_one(lost);
        let writes = about(&mut manager, "patch Node/a");
        let last = taints(writes.last().expect("a patch").1.as_ref().expect("a Node"));
        assert_eq!(last, no_execute(mine));
    }
}

#[test]
fn a_node_waits_for_the_taint_that_its_status_asks_for_until_it_has_it() {
    let pairs = [
        (Status::Unknown, "unreachable", taint::UNREACHABLE),
        (Status::False, "not-ready", taint::NOT_READY),
    ];
    for (ready, mine, key) in pairs {
        for is_shown in [true, false] {
            let mut manager = beside_a_ready_one(node_that_is("a", ready));
            manager.grant("patch Node/a");
            manager.play(Input::Tick(TAINT_PASS));
            assert_eq!(written_taints(&mut manager), Some(no_execute(mine)));
            // Else its write has failed: it is queued again, and the limiter lets it through.
            if is_shown {
                let shown = tainted(node_that_is("a", ready), &[(key, TaintEffect::NoExecute)]);
                manager.shows(WatchKind::Modified, shown);
                manager.writes();
            }
            pass(&mut manager, 5);
            manager.pass(Duration::from_secs(60));
            manager.play(Input::Tick(TAINT_PASS));
            let again = if is_shown { None } else { Some(no_execute(mine)) };
            assert_eq!(written_taints(&mut manager), again);
        }
    }
}

#[test]
fn a_new_leader_takes_the_taint_off_and_puts_it_on_again_without_waiting_for_the_next_pass() {
    let unreachable = [(taint::UNREACHABLE, TaintEffect::NoExecute)];
    let lost = tainted(node_that_is("a", Status::Unknown), &unreachable);
    let objects = [lost, node("b"), lease("a", 1), lease("b", 1)];
    // Its own cache may still show the taint when its turn has come: the Node has to get it all the same.
    for is_shown in [true, false] {
        let mut manager = manager(settings(), &objects);
        manager.writes();
        manager.component.node_lifecycle.begin(Start::Fresh);
        pass(&mut manager, 1);
        // The taint pass of that instant comes before the Node is free, and takes nobody's turn.
        manager.play(Input::Tick(TAINT_PASS));
        let patches = manager.waiting().into_iter().filter(|words| words == "patch Node/a");
        assert_eq!(patches.count(), 1);
        let freed = manager.grant("patch Node/a");
        assert_eq!(taints(&freed), [""; 0]);
        if is_shown {
            manager.shows(WatchKind::Modified, Object::clone(&freed));
        }
        manager.writes();
        manager.play(Input::Tick(TAINT_PASS));
        assert_eq!(written_taints(&mut manager), Some(no_execute("unreachable")), "{is_shown}");
    }
}

#[test]
fn a_node_that_could_not_be_freed_waits_for_its_taint_all_the_same() {
    let unreachable = [(taint::UNREACHABLE, TaintEffect::NoExecute)];
    let lost = tainted(node_that_is("a", Status::Unknown), &unreachable);
    let mut manager = manager(settings(), &[lost, node("b"), lease("a", 1), lease("b", 1)]);
    manager.writes();
    manager.component.node_lifecycle.begin(Start::Fresh);
    pass(&mut manager, 1);
    let frees = |(_, request): &(_, Request)| words(request).0 == "patch Node/a";
    let at = manager.asked.iter().position(frees).expect("it is asked for");
    let (connection, request) = manager.asked.remove(at);
    manager.answer(connection, request.id, Err(ApiError::new(Reason::Timeout, "too late")));
    manager.play(Input::Tick(TAINT_PASS));
    assert_eq!(written_taints(&mut manager), Some(no_execute("unreachable")));
}

#[test]
fn pods_of_a_node_that_was_not_ready_before_it_fell_silent_are_not_marked_anew() {
    let ill = node_that_is("a", Status::False);
    let mut manager = manager(settings(), &[ill, lease("a", 1), pod("web", "a")]);
    pass(&mut manager, 0);
    pass(&mut manager, 41);
    manager.grant("update Node/a");
    assert_eq!(events(&mut manager), [""; 0]);
    assert!(about(&mut manager, "Pod/").is_empty());
}

#[test]
fn a_pod_that_could_not_be_marked_is_marked_by_the_next_pass() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    pass(&mut manager, 0);
    pass(&mut manager, 41);
    let unknown = manager.grant("update Node/a");
    manager.shows(WatchKind::Modified, Object::clone(&unknown));
    let gone = ApiError::not_found(pod("web", "a").key());
    for (error, again) in [(ApiError::new(Reason::Timeout, "too late"), 1), (gone, 0)] {
        let mark = |(_, request): &(_, Request)| words(request).0 == "update Pod/web";
        let at = manager.asked.iter().position(mark).expect("it is asked for");
        let (connection, request) = manager.asked.remove(at);
        manager.answer(connection, request.id, Err(error));
        pass(&mut manager, 5);
        let marks = manager.waiting().into_iter().filter(|words| words == "update Pod/web");
        assert_eq!(marks.count(), again, "of one that is gone nothing is left to do");
    }
}

#[test]
fn a_node_that_returned_before_its_turn_is_not_tainted_and_the_next_one_is() {
    let lost = |name| node_that_is(name, Status::Unknown);
    let objects = [lost("a"), lost("b"), node("c"), lease("a", 1), lease("b", 1), lease("c", 1)];
    // Either the monitor takes it out, or the taint pass sees it ready.
    for looks_again in [false, true] {
        let mut manager = manager(settings(), &objects);
        pass(&mut manager, 0);
        manager.shows(WatchKind::Modified, node("a"));
        if looks_again {
            pass(&mut manager, 0);
        }
        manager.writes();
        let mut tainted = Vec::new();
        for _ in 0..2 {
            manager.play(Input::Tick(TAINT_PASS));
            tainted.extend(about(&mut manager, "Node/").into_iter().map(|(words, _)| words));
            manager.pass(Duration::from_secs(10));
        }
        assert_eq!(tainted, ["patch Node/b"], "{looks_again}");
    }
}

#[test]
fn a_ready_node_loses_both_no_execute_taints_and_keeps_the_others() {
    let (all, kept) = (TaintEffect::NoExecute, "example.com/mine");
    let back =
        tainted(node("a"), &[(taint::NOT_READY, all), (taint::UNREACHABLE, all), (kept, all)]);
    let mut manager = beside_a_ready_one(back);
    assert_eq!(written_taints(&mut manager), Some(vec![format!("{kept}:NoExecute")]));
    let mut manager = beside_a_ready_one(tainted(node("a"), &[(kept, all)]));
    assert_eq!(written_taints(&mut manager), None);
}

#[test]
fn a_taint_goes_back_to_the_write_that_made_its_node_unknown() {
    let mut manager = manager(settings(), &[node("a"), node("b"), lease("a", 1), lease("b", 1)]);
    pass(&mut manager, 0);
    manager.shows(WatchKind::Modified, lease("b", 30));
    pass(&mut manager, 41);
    manager.bed.cause = Cause { entry: Some(EntryId(7)), ..Cause::NONE };
    let unknown = manager.grant("update Node/a");
    manager.bed.cause = Cause::NONE;
    manager.shows(WatchKind::Modified, Object::clone(&unknown));
    let effects = manager.play(Input::Tick(TAINT_PASS));
    let because = |effect: &Effect<Event>| matches!(effect, Effect::Because(Some(EntryId(7))));
    assert!(effects.iter().any(because), "{effects:?}");
}

#[test]
fn in_a_large_zone_that_is_partly_lost_taints_come_slowly() {
    for (large, pace) in [(4, Some(100)), (5, None)] {
        let names = ["a", "b", "c", "d", "e"];
        let objects: Vec<Object> = (names.iter().enumerate())
            .map(|(place, name)| {
                let ready = if place < 3 { Status::Unknown } else { Status::True };
                let mut object = node_that_is(name, ready);
                object.meta.labels = labels([("topology.kubernetes.io/zone", Text::word("z"))]);
                object
            })
            .collect();
        let mut manager = manager(Settings { large_zone: large, ..settings() }, &objects);
        pass(&mut manager, 0);
        manager.writes();
        let mut seconds = Vec::new();
        for second in 0..250 {
            manager.play(Input::Tick(TAINT_PASS));
            seconds.extend(about(&mut manager, "Node/").iter().map(|_| second));
            manager.bed.pass(Duration::from_secs(1));
        }
        let expected: Vec<u64> = pace.map_or(vec![], |pace| vec![0, pace, 2 * pace]);
        assert_eq!(seconds, expected, "more than {large} are many");
    }
}
