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

#[test]
fn a_set_that_may_make_no_machines_says_so_in_the_words_of_its_release() {
    for (wording, kind) in [(Wording::V1Beta1, "machine set"), (Wording::V1Beta2, "MachineSet")] {
        let mut bench = started(Settings { wording, ..settings() });
        let mut larger = set();
        let disable = "cluster.x-k8s.io/disable-machine-create";
        larger.meta.annotations = crate::api::labels([(disable, Text::word("true"))]);
        larger.scale(2);
        bench.shows(WatchKind::Modified, larger);
        written(&mut bench);
        let line = format!("Automatic creation of new machines disabled for {kind}");
        assert!(bench.lines.contains(&line), "{:?}", bench.lines);
    }
}

/// What is written within 4 ms, all of it granted.
fn made(bench: &mut Manager) -> Vec<String> {
    let mut made = Vec::new();
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
        while let Some(what) = bench.waiting().first().cloned() {
            bench.grant(&what);
            made.push(what);
        }
    }
    made
}

#[test]
fn a_set_does_not_wait_for_what_another_has_made() {
    for cache_poll in [Duration::ZERO, Duration::from_millis(100)] {
        let mut bench = started(Settings { cache_poll, ..settings() });
        let [mut one, mut other] = [set(), set()];
        one.scale(2);
        other.meta.key.name = Text::word("other");
        other.meta.uid.0 += 1_000;
        other.scale(1);
        bench.shows(WatchKind::Modified, one);
        bench.shows(WatchKind::Added, other);
        let all = made(&mut bench);
        for name in ["create Machine/ms-", "create Machine/other-"] {
            let of_it = all.iter().filter(|what| what.starts_with(name));
            assert_eq!(of_it.count(), 1, "{all:?}");
        }
    }
}

#[test]
fn a_set_that_does_not_wait_for_its_cache_counts_at_once_and_makes_nobody_twice() {
    for (cache_poll, waits) in [(Duration::ZERO, false), (Duration::from_millis(100), true)] {
        let mut bench = started(Settings { cache_poll, ..settings() });
        let mut larger = set();
        larger.scale(3);
        larger.machine_set_mut().expect("it is one").status_replicas = 0;
        bench.shows(WatchKind::Modified, larger.clone());
        let first = made(&mut bench);
        let machines = first.iter().filter(|what| what.starts_with("create Machine/"));
        assert_eq!(machines.count(), 2, "{first:?}");
        let counted = first.contains(&"patch MachineSet/ms".to_owned());
        assert_eq!(counted, !waits, "{first:?}");
        bench.shows(WatchKind::Modified, larger);
        let again = made(&mut bench);
        assert!(!again.iter().any(|what| what.starts_with("create")), "{again:?}");
    }
}
