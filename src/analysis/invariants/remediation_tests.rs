//! The laws of who may be marked, and when.

use super::Verdict;
use super::tests::{breach, judge, mark, world};
use crate::engine::SimTime;

#[test]
fn marks_are_limited_and_blame_nobody_who_is_well() {
    let off = ["at: 1m, powerOff: { vm: worker-0 }", "at: 1m, powerOff: { vm: worker-1 }"];
    let limit = [("machineHealthCheck.maxUnhealthy", "1")];
    let simulation = world(&off, &limit, 600);
    let view = simulation.view();
    let found = breach(judge("max-unhealthy-is-kept", view, &[mark(view, "worker-0")]));
    assert!(found.starts_with("Machine/worker-0 is marked for remediation while 2 of"), "{found}");
    let found = breach(judge("healthy-nodes-stay", view, &[mark(view, "worker-2")]));
    assert!(found.ends_with("while Node worker-2 has long been healthy"), "{found}");
    assert_eq!(judge("healthy-nodes-stay", view, &[mark(view, "worker-0")]), Verdict::Holds);
    let limit = [("machineHealthCheck.maxUnhealthy", "2")];
    let simulation = world(&off, &limit, 380);
    let view = simulation.view();
    assert_eq!(judge("max-unhealthy-is-kept", view, &[mark(view, "worker-0")]), Verdict::Holds);
}

#[test]
fn who_hears_from_a_server_without_etcd_is_not_held_to_what_is_true() {
    let faults = [
        "at: 1m, freezeProcess: { vm: control-plane-0, process: etcd }",
        "at: 11m, thawProcess: { vm: control-plane-0, process: etcd }",
    ];
    let judged = |seconds| {
        let simulation = world(&faults, &[], seconds);
        let view = simulation.view();
        judge("healthy-nodes-stay", view, &[mark(view, "worker-2")])
    };
    assert_eq!(judged(600), Verdict::Holds, "the server knows nothing new");
    assert_eq!(judged(700), Verdict::Holds, "it has just heard");
    let found = breach(judged(960));
    assert!(found.ends_with("while Node worker-2 has long been healthy"), "{found}");
}

#[test]
fn a_machine_has_time_to_start() {
    let simulation = world(&["at: 1m, kubectl: \"delete machine worker-0\""], &[], 90);
    let view = simulation.view();
    let mut machines = view.objects(crate::api::Kind::Machine);
    let new = machines.find(|machine| machine.meta.created > SimTime::ZERO);
    let new = new.expect("a replacement").name().clone();
    let found = breach(judge("start-up-is-waited-for", view, &[mark(view, &new)]));
    assert!(found.contains("after it was created, though nodeStartupTimeout is"), "{found}");
    assert_eq!(judge("start-up-is-waited-for", view, &[mark(view, "worker-1")]), Verdict::Holds);
}
