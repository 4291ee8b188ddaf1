//! Clocks that are wrong: who feels it is who compares with a time that another VM has written.

use super::tests::{NOTHING, pass, target, w, world};
use super::*;
use crate::engine::{Duration, SimTime, Skew, Text};
use crate::scenario::{blueprint, models};

fn skew(vm: &'static str, seconds: i64) -> Fault {
    let by = Skew::from_micros(seconds * 1_000_000);
    Fault::SkewClock(SkewClock { vm: Text::word(vm), by })
}

fn sync(vm: &'static str) -> Fault {
    Fault::SyncClock(SyncClock { vm: Text::word(vm) })
}

fn strike(world: &mut World, fault: Fault) -> String {
    fault.strike(world);
    target(world)
}

/// How often a field of an object turned to a value, and when first, since a time.
fn turned(world: &World, what: (&str, &str, &str), to: &str, since: SimTime) -> Vec<SimTime> {
    let (kind, name, field) = what;
    let entries = world.timeline().entries().iter().filter(|entry| entry.at >= since);
    let found = entries.filter(|entry| {
        entry.kind == *kind
            && entry.name == *name
            && entry.field == *field
            && (to.is_empty() || entry.to.to_string() == to)
    });
    found.map(|entry| entry.at).collect()
}

#[test]
fn a_clock_is_set_wrong_once_and_right_once() {
    let mut world = world();
    assert_eq!(strike(&mut world, sync("worker-0")), NOTHING, "it is right");
    assert_eq!(strike(&mut world, skew("worker-0", -5)), "Clock/worker-0");
    assert_eq!(strike(&mut world, skew("worker-0", -5)), NOTHING);
    assert_eq!(strike(&mut world, skew("worker-0", 5)), "Clock/worker-0");
    let actions = crate::scenario::actions(world.view());
    let words: Vec<&str> = actions.iter().map(|action| action.words.as_str()).collect();
    assert_eq!(words, ["syncClock: { vm: worker-0 }"]);
    assert_eq!(strike(&mut world, sync("worker-0")), "Clock/worker-0");
    assert_eq!(strike(&mut world, skew("worker-9", 5)), NOTHING);
}

#[test]
fn a_kubelet_whose_clock_was_set_back_is_taken_for_dead_once() {
    is_taken_for_dead_once(400, -300);
}

#[test]
fn so_is_one_whose_clock_shows_what_was_before_the_run() {
    is_taken_for_dead_once(100, -3_600);
}

fn is_taken_for_dead_once(at: u64, by: i64) {
    let mut world = world();
    pass(&mut world, at);
    let ready = ("Node", "worker-0", "Ready");
    let jump = world.now();
    strike(&mut world, skew("worker-0", by));
    pass(&mut world, 240);
    // A renewal that is not later than the last is no sign of life; a status is. With it what was
    // known of the Lease is forgotten, and what comes after is compared with what was set back.
    let unknown = turned(&world, ready, "Unknown", jump);
    assert_eq!(unknown.len(), 1, "no Lease is newer than the last: {unknown:?}");
    assert!(!turned(&world, ready, "True", unknown[0]).is_empty(), "its status still counts");
    assert!(world.view().runs("kubelet", "worker-0"));
    let right = world.now();
    strike(&mut world, sync("worker-0"));
    pass(&mut world, 120);
    assert!(turned(&world, ready, "Unknown", right).is_empty());
}

#[test]
fn a_clock_that_is_ahead_costs_no_lease() {
    let mut world = world();
    pass(&mut world, 1);
    for vm in ["worker-0", "control-plane-0"] {
        strike(&mut world, skew(vm, 3600));
    }
    pass(&mut world, 120);
    assert!(turned(&world, ("Node", "worker-0", "Ready"), "Unknown", SimTime::ZERO).is_empty());
    let ended = world.timeline().entries().iter().filter(|entry| {
        entry.kind == *"Process" && entry.field == *"running" && entry.to.to_string() == "false"
    });
    assert_eq!(ended.count(), 0, "whoever leads goes on");
}

#[test]
fn cluster_api_judges_a_node_by_its_own_clock() {
    let deleted_after = |ahead: Option<i64>| {
        let platform = models::platform("tkgs-2024").expect("a platform");
        let mut world = World::new(blueprint(&platform, 1, 3), 1);
        pass(&mut world, 1);
        if let Some(seconds) = ahead {
            assert_eq!(strike(&mut world, skew("supervisor-0", seconds)), "Clock/supervisor-0");
        }
        let (vm, unit) = (w(), Text::word("kubelet"));
        strike(&mut world, Fault::StopUnit(StopUnit { vm, unit }));
        pass(&mut world, 370);
        let turned = |what, to| {
            let at = turned(&world, what, to, SimTime::ZERO);
            *at.first().expect("it comes to that")
        };
        let unknown = turned(("Node", "worker-0", "Ready"), "Unknown");
        turned(("Machine", "worker-0", "deletionTimestamp"), "").since(unknown)
    };
    let (right, ahead) = (deleted_after(None), deleted_after(Some(120)));
    let earlier = right.saturating_sub(ahead);
    let two_minutes = Duration::from_secs(118)..Duration::from_secs(122);
    assert!(two_minutes.contains(&earlier), "{right} by a clock that is right, {ahead} ahead");
}
