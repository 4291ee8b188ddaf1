//! What becomes of Machines and their counts once nobody hears of the workload cluster any more.

use super::brakes_tests::{listed, say, secs};
use super::tests::{Manager, machine, node, pool, settings};
use super::*;
use crate::api::kinds::{MachineSet, Status};
use crate::api::{ApiError, Meta, WatchKind};
use crate::engine::Duration;

/// The rules of 1.14.
fn newer() -> Settings {
    Settings {
        wording: Wording::V1Beta2,
        reconnection_enqueues: true,
        counts_ready_machines: true,
        ..settings()
    }
}

/// A Machine that says this of its Node.
fn saying(status: Status, reason: &'static str) -> Object {
    machine(|object| say(object, "NodeHealthy", status, reason))
}

/// A manager that has lost the workload cluster at the beginning.
fn lost(rules: Settings, objects: &[Object]) -> Manager {
    let mut bench = listed(rules, objects);
    bench.component.checks.reconciler.workload.pretend_failed(rules.probe.failures);
    bench
}

fn think(bench: &mut Manager) {
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
    }
}

/// Lets the Machine be written until all is said; what the last write says of its Node.
fn told(bench: &mut Manager) -> Option<String> {
    let mut last = None;
    think(bench);
    while bench.waiting().contains(&"patch Machine/w".to_owned()) {
        let written = bench.grant("patch Machine/w");
        bench.shows(WatchKind::Modified, Object::clone(&written));
        think(bench);
        last = Some(written);
    }
    let said = last.as_ref()?.machine()?.conditions.get("NodeHealthy")?;
    Some(format!("{} {}: {}", said.status.name(), said.reason, said.message))
}

/// After a while another try to connect is in vain; what is then written of the Machine's Node.
fn tries_in_vain(bench: &mut Manager, after: u64) -> Option<String> {
    bench.pass(secs(after));
    bench.play(Input::Tick(PROBE));
    let probe = bench.waiting().iter().position(|words| words == "get /").expect("a probe");
    let (connection, request) = bench.asked.remove(probe);
    bench.answer(connection, request.id, Err(ApiError::unreachable("connection refused")));
    told(bench)
}

#[test]
fn the_newer_release_keeps_what_it_knew_of_a_node_for_a_while() {
    let objects = [saying(Status::True, "NodeHealthy"), node(Status::False, 0)];
    let mut bench = lost(newer(), &objects);
    assert_eq!(told(&mut bench).as_deref(), Some("True NodeHealthy: "), "old caches are not read");
    assert_eq!(tries_in_vain(&mut bench, 299), None);
    let said = tries_in_vain(&mut bench, 31).expect("the grace is over");
    assert!(said.starts_with("Unknown ConnectionDown: Last successful probe at 20"), "{said}");
    assert_eq!(tries_in_vain(&mut bench, 31), None, "it is looked at once");
}

/// What the set writes as ready, if it writes.
fn counted(rules: Settings, machine: Object, is_lost: bool) -> Option<u32> {
    let body = MachineSet {
        replicas: 1,
        selector: pool(),
        status_replicas: 1,
        ready_replicas: 1,
        available_replicas: 1,
        ..MachineSet::default()
    };
    let set = Object::new(Meta::new(Kind::MachineSet, "default", "ms"), body);
    let objects = [machine, node(Status::True, 0), set];
    let mut bench = listed(rules, &objects);
    if is_lost {
        bench.component.checks.reconciler.workload.pretend_failed(rules.probe.failures);
    }
    think(&mut bench);
    let writes = bench.writes().into_iter().filter(|(words, _)| words == "patch MachineSet/ms");
    let object = writes.last()?.1?;
    object.machine_set().map(|set| set.ready_replicas)
}

#[test]
fn up_to_1_8_a_set_counts_no_node_that_it_cannot_see() {
    let well = || saying(Status::True, "");
    assert_eq!(counted(settings(), well(), false), None, "it stays 1 of 1");
    assert_eq!(counted(settings(), well(), true), Some(0));
}

#[test]
fn later_a_set_counts_what_machines_say_who_forget_in_their_time() {
    let summed_up = |status, reason| machine(|object| say(object, "Ready", status, reason));
    let written = |machine| counted(newer(), machine, true).unwrap_or(1);
    assert_eq!(written(summed_up(Status::True, "Ready")), 1);
    assert_eq!(written(summed_up(Status::Unknown, "ReadyUnknown")), 0);
}
