//! Node lifecycle: what becomes of a verdict that cannot be written.

use super::node_lifecycle::{events, no_execute, node_that_is, written_taints};
use super::*;
use crate::api::Reason;

/// Refuses the update of Node `a`; it is `live` by then. Returns whether it was read and asked for anew.
fn refused(manager: &mut Manager, live: Result<Object, ApiError>) -> [bool; 2] {
    let waits = |manager: &Manager, what: &str| manager.waiting().iter().position(|w| w == what);
    let at = waits(manager, "update Node/a").expect("it is asked for");
    let (connection, request) = manager.asked.remove(at);
    let conflict = ApiError::new(Reason::Conflict, "the object has been modified");
    manager.answer(connection, request.id, Err(conflict));
    let Some(at) = waits(manager, "get Node/a") else { return [false, false] };
    let (connection, request) = manager.asked.remove(at);
    let live = live.map(|object| Answer::Object(Arc::new(object)));
    manager.answer(connection, request.id, live);
    manager.pass(Duration::from_millis(20));
    [true, waits(manager, "update Node/a").is_some()]
}

#[test]
fn a_node_that_has_reported_meanwhile_is_left_ready() {
    let objects = [node("a"), node("b"), lease("a", 1), lease("b", 1), pod("web", "a")];
    let mut reported = node("a");
    let conditions = &mut reported.node_mut().expect("a Node").conditions;
    let mut ready = conditions.get("Ready").expect("there").clone();
    ready.last_heartbeat = SimTime::ZERO + Duration::from_secs(39);
    conditions.set(ready);
    // Only its labels, say, were changed meanwhile: it is still not heard of.
    for (live, again) in [(reported, false), (node("a"), true)] {
        let mut manager = manager(settings(), &objects);
        pass(&mut manager, 0);
        manager.shows(WatchKind::Modified, lease("b", 30));
        pass(&mut manager, 41);
        assert_eq!(refused(&mut manager, Ok(live)), [true, again]);
        if again {
            manager.grant("update Node/a");
        }
        assert_eq!(events(&mut manager).len(), if again { 2 } else { 0 });
        // The verdict counts from the heartbeat that was read, though no watch has shown it.
        manager.shows(WatchKind::Modified, lease("b", 60));
        pass(&mut manager, 40);
        let writes = about(&mut manager, "update Node/a");
        assert!(again || writes.is_empty(), "{writes:?}");
    }
}

#[test]
fn while_no_server_answers_no_pod_is_marked_and_each_pass_tries_anew() {
    let mut manager = manager(settings(), &[node("a"), lease("a", 1), pod("web", "a")]);
    pass(&mut manager, 0);
    for seconds in [41, 5] {
        pass(&mut manager, seconds);
        for asked in ["update Node/a", "get Node/a"] {
            assert_eq!(manager.waiting(), [asked]);
            let (connection, request) = manager.asked.remove(0);
            let error = ApiError::unreachable("connection refused");
            manager.answer(connection, request.id, Err(error));
        }
        manager.pass(Duration::from_millis(20));
        assert!(manager.asked.is_empty(), "{:?}", manager.waiting());
    }
}

#[test]
fn a_node_that_cannot_be_read_either_is_left_to_the_next_pass() {
    let mut manager = manager(settings(), &[node("a"), node("b"), lease("a", 1), lease("b", 1)]);
    pass(&mut manager, 0);
    manager.shows(WatchKind::Modified, lease("b", 30));
    pass(&mut manager, 41);
    let gone = ApiError::not_found(node("a").key());
    assert_eq!(refused(&mut manager, Err(gone)), [true, false]);
    pass(&mut manager, 5);
    for tried in 1..=5 {
        assert_eq!(refused(&mut manager, Ok(node("a"))), [true, tried < 5], "{tried}");
    }
}

#[test]
fn a_zone_is_judged_when_the_last_health_is_written() {
    // Both seem lost to a manager that has slept, and one of them has reported.
    let mut manager = manager(settings(), &[node("a"), node("b"), lease("a", 1), lease("b", 1)]);
    pass(&mut manager, 0);
    pass(&mut manager, 41);
    manager.grant("update Node/b");
    let mut reported = node("a");
    let heard = Condition::new("Ready", Status::True, "", "", SimTime::ZERO);
    let last_heartbeat = SimTime::ZERO + Duration::from_secs(40);
    reported.node_mut().expect("a Node").conditions.set(Condition { last_heartbeat, ..heard });
    assert_eq!(refused(&mut manager, Ok(reported)), [true, false]);
    manager.writes();
    manager.play(Input::Tick(TAINT_PASS));
    assert_eq!(written_taints(&mut manager), None, "its cache does not show b lost yet");
    manager.shows(WatchKind::Modified, node_that_is("b", Status::Unknown));
    manager.writes();
    pass(&mut manager, 5);
    manager.writes();
    manager.pass(Duration::from_secs(10));
    manager.play(Input::Tick(TAINT_PASS));
    assert_eq!(written_taints(&mut manager), Some(no_execute("unreachable")), "no disruption");
}
