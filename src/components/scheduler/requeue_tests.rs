//! Which changes have a waiting Pod tried again, and when, as each release does it.

use super::tests::{node, pod, settings};
use super::*;
use crate::api::WatchKind;
use crate::api::kinds::{Node, Taint, TaintEffect, taint};
use crate::client::testing::Bench;
use crate::infra::EndpointId;

const UP_TO_1_31: (Requeue, bool) = (Requeue::Prechecks, false);
const FROM_1_33: (Requeue, bool) = (Requeue::Hints, true);

fn scheduler(
    (requeue, pops_backoff): (Requeue, bool),
    objects: &[Object],
) -> Bench<Scheduler, Event> {
    let settings = Settings { requeue, pops_backoff, ..settings() };
    let scheduler = Scheduler::new(settings, Address::Endpoint(EndpointId(1)), Standing::Leader);
    let mut bench =
        Bench::started(scheduler, "kube-scheduler", Scheduler::on_event, Start::Steady, objects);
    pass(&mut bench, 10);
    assert_eq!(tries(&mut bench), ["nothing fits"], "nothing fits at the beginning");
    bench
}

fn not_ready(node: &mut Node) {
    node.taints.push(Taint::new(taint::NOT_READY, TaintEffect::NoSchedule, None));
}

fn small(node: &mut Node) {
    node.allocatable.cpu_millis = 50;
}

/// What a timer starts falls due with the next step; with each second it looks who is out of backoff.
fn pass(bench: &mut Bench<Scheduler, Event>, millis: u64) {
    for _ in 0..millis {
        bench.pass(Duration::from_millis(1));
        if bench.bed.now.as_micros().is_multiple_of(1_000_000) {
            bench.play(Input::Tick(FLUSH_BACKOFF));
        }
    }
}

/// What came of each try since the last look.
fn tries(bench: &mut Bench<Scheduler, Event>) -> Vec<&'static str> {
    let told = bench.writes().into_iter().filter_map(|(words, _)| {
        let is_bound = words.starts_with("bind ");
        (is_bound || words.contains("Event/")).then_some(if is_bound {
            "bound"
        } else {
            "nothing fits"
        })
    });
    told.collect()
}

#[test]
fn a_new_node_with_its_taint_costs_no_try_and_so_no_backoff() {
    for rules in [UP_TO_1_31, FROM_1_33] {
        let mut bench = scheduler(rules, &[node("old", not_ready), pod("web", "")]);
        pass(&mut bench, 5_000);
        bench.shows(WatchKind::Added, node("new", not_ready));
        pass(&mut bench, 500);
        assert_eq!(tries(&mut bench), [""; 0], "{rules:?}: it is not asked for");
        bench.shows(WatchKind::Modified, node("new", |_| {}));
        pass(&mut bench, 10);
        assert_eq!(tries(&mut bench), ["bound"], "{rules:?}: its backoff ended long ago");
    }
}

#[test]
fn from_1_33_on_a_pod_that_may_fit_does_not_sit_out_its_backoff() {
    for (rules, early) in [(UP_TO_1_31, &[][..]), (FROM_1_33, &["bound"][..])] {
        let mut bench = scheduler(rules, &[node("a", not_ready), pod("web", "")]);
        bench.shows(WatchKind::Modified, node("a", |_| {}));
        pass(&mut bench, 500);
        assert_eq!(tries(&mut bench), early, "{rules:?}: its first backoff is 1 s");
    }
}

#[test]
fn with_hints_only_a_plugin_that_refused_asks_for_a_try() {
    // Refused for want of room: a new Node that is large enough may help, and its taint is not looked at.
    let mut bench = scheduler(FROM_1_33, &[node("small", small), pod("web", "")]);
    bench.shows(WatchKind::Added, node("large", not_ready));
    pass(&mut bench, 10);
    assert_eq!(tries(&mut bench), ["nothing fits"]);
    // Refused for a taint alone: that a Node has more room now is no reason.
    let mut bench = scheduler(FROM_1_33, &[node("a", not_ready), pod("web", "")]);
    bench.shows(
        WatchKind::Modified,
        node("a", |node| {
            not_ready(node);
            node.allocatable.cpu_millis = 2_000;
        }),
    );
    pass(&mut bench, 10);
    assert_eq!(tries(&mut bench), [""; 0]);
}

#[test]
fn the_end_of_a_pod_helps_who_lacked_room_and_not_who_met_a_taint() {
    for rules in [UP_TO_1_31, FROM_1_33] {
        let mut bench = scheduler(rules, &[node("a", |_| {}), pod("there", "a"), pod("web", "")]);
        pass(&mut bench, 2_000);
        bench.shows(WatchKind::Deleted, pod("there", "a"));
        pass(&mut bench, 10);
        assert_eq!(tries(&mut bench), ["bound"], "{rules:?}: it had repelled the other");
        let tainted = [node("a", not_ready), pod("there", "a"), pod("web", "")];
        let mut bench = scheduler(rules, &tainted);
        pass(&mut bench, 2_000);
        bench.shows(WatchKind::Deleted, pod("there", "a"));
        pass(&mut bench, 10);
        assert_eq!(tries(&mut bench), [""; 0], "{rules:?}: the taint is still there");
    }
}
