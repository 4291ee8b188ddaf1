//! Who was well and is as he was need not be judged again: nothing else comes of it.

use super::super::brakes_tests::{annotate, say};
use super::super::tests::{check, cluster, manager};
use super::tests::{ALL, look_of, pair, plain};
use super::*;
use crate::api::WatchKind;
use crate::api::kinds::MaxUnhealthy;
use proptest::prelude::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What happens between two looks.
#[derive(Clone, Debug)]
enum Change {
    /// A Node is this from then on.
    Node(usize, Status, u64),
    NodeGone(usize),
    /// A Machine says that it is well, is left out, or has no Node yet.
    Says(usize),
    Skipped(usize),
    Unborn(usize),
    MachineGone(usize),
    Cluster(Status),
    Check(MaxUnhealthy),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let status = || prop_oneof![Just(Status::True), Just(Status::Unknown), Just(Status::False)];
    let who = || 0..NAMES.len();
    let change = prop_oneof![
        3 => (who(), status(), 0u64..900).prop_map(|(who, is, since)| Change::Node(who, is, since)),
        1 => who().prop_map(Change::NodeGone),
        4 => who().prop_map(Change::Says),
        1 => who().prop_map(Change::Skipped),
        1 => who().prop_map(Change::Unborn),
        1 => who().prop_map(Change::MachineGone),
        1 => status().prop_map(Change::Cluster),
        1 => (0u32..4).prop_map(|max| Change::Check(MaxUnhealthy::Count(max))),
    ];
    proptest::collection::vec(change, 1..24)
}

/// What a watch shows of a change.
fn shown(change: &Change) -> (WatchKind, Object) {
    let machine = |who: &usize| pair(NAMES[*who], Status::True, 0).swap_remove(0);
    let changed = |who: &usize, change: fn(&mut Object)| {
        let mut object = machine(who);
        change(&mut object);
        object
    };
    let says = |object: &mut Object| say(object, "HealthCheckSucceeded", Status::True, "");
    let object = match change {
        Change::NodeGone(who) => {
            return (WatchKind::Deleted, pair(NAMES[*who], Status::True, 0).swap_remove(1));
        }
        Change::MachineGone(who) => return (WatchKind::Deleted, machine(who)),
        Change::Node(who, is, since) => pair(NAMES[*who], *is, *since).swap_remove(1),
        Change::Says(who) => changed(who, says),
        Change::Skipped(who) => changed(who, |object| annotate(object, SKIP)),
        Change::Unborn(who) => changed(who, |object| {
            object.machine_mut().expect("a Machine").node_ref = None;
        }),
        Change::Cluster(is) => cluster(|body| {
            body.conditions.say(Condition::new("InfrastructureReady", *is, "", "", SimTime::ZERO));
        }),
        Change::Check(max) => check(*max),
    };
    (WatchKind::Modified, object)
}

fn pool() -> Vec<Object> {
    let mut objects = vec![check(ALL), cluster(|_| {})];
    for name in NAMES {
        let mut pair = pair(name, Status::True, 0);
        say(&mut pair[0], "HealthCheckSucceeded", Status::True, "");
        objects.append(&mut pair);
    }
    objects
}

proptest! {
    #[test]
    fn a_controller_that_remembers_finds_what_one_finds_that_does_not(changes in changes()) {
        let mut bench = manager(plain().settings, &pool());
        let mut old = HealthCheckController::new(plain().settings);
        for (seconds, change) in (400..).step_by(50).zip(&changes) {
            let (kind, object) = shown(change);
            bench.shows(kind, object);
            let mut new = HealthCheckController::new(plain().settings);
            let [told, all] = [&mut old, &mut new]
                .map(|it| format!("{:#?}", look_of(it, &plain(), seconds, &bench.component)));
            prop_assert_eq!(told, all, "after {:?}", change);
        }
    }
}

#[test]
fn only_who_has_changed_is_judged_again() {
    let mut bench = manager(plain().settings, &pool());
    let mut controller = HealthCheckController::new(plain().settings);
    let known = |controller: &HealthCheckController| controller.well[check(ALL).key()].count();
    look_of(&mut controller, &plain(), 400, &bench.component);
    assert_eq!(known(&controller), 4);
    let ill = pair("b", Status::Unknown, 390).swap_remove(1);
    bench.shows(WatchKind::Modified, ill);
    let look = look_of(&mut controller, &plain(), 401, &bench.component);
    assert_eq!(known(&controller), 3);
    assert!(look.outcome.requeue_after.is_some(), "a clock runs");
}

#[test]
fn of_a_check_that_is_gone_nothing_is_remembered() {
    let mut bench = manager(plain().settings, &pool());
    let mut controller = HealthCheckController::new(plain().settings);
    look_of(&mut controller, &plain(), 400, &bench.component);
    bench.shows(WatchKind::Deleted, check(ALL));
    look_of(&mut controller, &plain(), 401, &bench.component);
    assert!(controller.well.is_empty());
}
