//! Which Machines a MachineSet counts as ready.

use super::tests::{Manager, machine, node, settings};
use super::*;
use crate::api::kinds::{Condition, MachineSet, Status};
use crate::api::{Meta, WatchKind};
use crate::client::testing::Bench;
use crate::engine::{Duration, SimTime};
use crate::infra::EndpointId;

fn set() -> Object {
    let body = MachineSet {
        replicas: 1,
        status_replicas: 1,
        ready_replicas: 1,
        available_replicas: 1,
        ..MachineSet::default()
    };
    Object::new(Meta::new(Kind::MachineSet, "default", "ms"), body)
}

/// The Machine `w` with these conditions, the first of them True.
fn saying(health: Status, ready: Status) -> Object {
    machine(|object| {
        let Some(body) = object.machine_mut() else { return };
        for (kind, status) in [
            ("BootstrapConfigReady", Status::True),
            ("InfrastructureReady", Status::True),
            ("NodeHealthy", Status::True),
            ("HealthCheckSucceeded", health),
            ("Ready", ready),
        ] {
            body.conditions.set(Condition::new(kind, status, kind, "", SimTime::ZERO));
        }
    })
}

/// What the Machine says as Ready, and what its set counts, if they are written.
fn written(bench: &mut Manager) -> (Option<Status>, Option<u32>) {
    let (mut ready, mut counted) = (None, None);
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
        while let Some(what) = bench.waiting().first().cloned() {
            let object = bench.grant(&what);
            ready = object.machine().and_then(|body| body.conditions.status("Ready")).or(ready);
            counted = object.machine_set().map(|body| body.ready_replicas).or(counted);
        }
    }
    (ready, counted)
}

/// A manager that has looked at a set of one Machine.
fn started(settings: Settings) -> Manager {
    let manager = ClusterApi::new(settings, Address::Endpoint(EndpointId(0)), None);
    let objects = [set(), saying(Status::True, Status::True), node(Status::True, 0)];
    let react = ClusterApi::on_event;
    let mut bench =
        Bench::started(manager, "capi-controller-manager", react, Start::Steady, &objects);
    written(&mut bench);
    bench
}

#[test]
fn a_failed_health_check_makes_a_machine_unready_and_its_set_counts_it_once_it_says_so() {
    let wording = Wording::V1Beta2;
    let rules = Settings { wording, counts_ready_machines: true, ..settings() };
    let mut bench = started(rules);
    bench.shows(WatchKind::Modified, saying(Status::False, Status::True));
    let (ready, counted) = written(&mut bench);
    assert_eq!(ready, Some(Status::False), "the Machine's own controller sums up");
    assert_ne!(counted, Some(0), "the set knows what the Machine says, which is old");
    bench.shows(WatchKind::Modified, saying(Status::False, Status::False));
    assert_eq!(written(&mut bench).1, Some(0), "though its Node is ready");
}

#[test]
fn an_older_release_asks_the_node_alone() {
    let mut bench = started(settings());
    bench.shows(WatchKind::Modified, saying(Status::False, Status::False));
    assert_ne!(written(&mut bench).1, Some(0));
}
