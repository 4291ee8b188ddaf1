//! A Machine's end: what holds each of its steps back.

use super::brakes_tests::{annotate, say, secs};
use super::tests::{Manager, machine, manager, node, reply, settings};
use super::*;
use crate::api::kinds::{Condition, InfraMachine, KubeadmControlPlane, Status, VolumeAttachment};
use crate::api::{Answer, ApiError, Deletion, Meta, Reason, Revision, WatchKind};
use crate::engine::{Duration, SimTime};
use std::sync::Arc;

/// A Machine that goes, shown 100 s after the beginning to a manager that knows these objects.
fn going(rules: Settings, objects: &[Object], change: impl FnOnce(&mut Object)) -> Manager {
    let mut bench = manager(rules, objects);
    bench.bed.pass(secs(100));
    let object = machine(|object| {
        object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
        change(object);
    });
    bench.shows(WatchKind::Added, object);
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
    }
    bench
}

fn infra(deleting: bool) -> Object {
    let body = InfraMachine { ready: true, ..InfraMachine::default() };
    let mut object = Object::new(Meta::new(Kind::InfraMachine, "default", "w"), body);
    if deleting {
        object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
        object.meta.finalizers = Arc::new([Text::word("infrastructure.cluster.x-k8s.io")]);
    }
    object
}

const EXCLUDE_DRAINING: &str = "machine.cluster.x-k8s.io/exclude-node-draining";
const EXCLUDE_VOLUMES: &str = "machine.cluster.x-k8s.io/exclude-wait-for-node-volume-detach";
const PRE_DRAIN: &str = "pre-drain.delete.hook.machine.cluster.x-k8s.io/mine";
const PRE_TERMINATE: &str = "pre-terminate.delete.hook.machine.cluster.x-k8s.io/mine";

fn alive() -> [Object; 2] {
    [node(Status::True, 0), infra(false)]
}

#[test]
fn a_pre_drain_hook_holds_back_everything() {
    let mut bench = going(settings(), &alive(), |object| annotate(object, PRE_DRAIN));
    let waiting = bench.grant("patch Machine/w");
    let said = &waiting.machine().expect("a Machine").conditions;
    let hook = said.get("PreDrainDeleteHookSucceeded").expect("said");
    assert_eq!((hook.status, hook.reason.as_str()), (Status::False, "WaitingExternalHook"));
    assert_eq!(bench.waiting(), Vec::<String>::new(), "nothing is drained");
    // Without a Node there is nothing that a drain could disturb.
    let bench = going(settings(), &alive(), |object| {
        annotate(object, PRE_DRAIN);
        if let Some(body) = object.machine_mut() {
            body.node_ref = None;
        }
    });
    assert_eq!(bench.waiting(), ["patch Machine/w"], "its end is announced");
}

#[test]
fn a_pre_terminate_hook_holds_back_the_machine_itself() {
    let rules = Settings { wording: Wording::V1Beta2, ..settings() };
    let mut bench = going(rules, &alive(), |object| {
        annotate(object, PRE_TERMINATE);
        annotate(object, EXCLUDE_DRAINING);
    });
    let waiting = bench.grant("patch Machine/w");
    let body = waiting.machine().expect("a Machine");
    let deleting = body.conditions.get("Deleting").expect("said");
    assert_eq!(deleting.reason, "WaitingForPreTerminateHook");
    let words = format!("Waiting for pre-terminate hooks to succeed (hooks: {PRE_TERMINATE})");
    assert_eq!(deleting.message, *words);
    assert!(body.pre_terminate_started.is_some());
    assert!(!bench.waiting().iter().any(|words| words.contains("InfraMachine")));
}

#[test]
fn who_is_excluded_from_draining_loses_the_machine_at_once() {
    let mut bench = going(settings(), &alive(), |object| annotate(object, EXCLUDE_DRAINING));
    let told = bench.grant("patch Machine/w");
    let health = told.machine().expect("a Machine").conditions.get("NodeHealthy").cloned();
    assert_eq!(health.expect("said").reason, "Deleting");
    assert!(bench.waiting().contains(&"delete InfraMachine/w".to_owned()), "{:?}", bench.waiting());
}

#[test]
fn the_volumes_event_is_left_out_for_whom_they_are() {
    for (annotation, told) in [(EXCLUDE_VOLUMES, false), ("example.com/other", true)] {
        let bench = going(settings(), &alive(), |object| {
            annotate(object, EXCLUDE_DRAINING);
            annotate(object, annotation);
        });
        let events = bench.waiting().iter().filter(|words| words.contains("Event/w")).count();
        assert_eq!(events, usize::from(told), "{:?}", bench.waiting());
    }
}

#[test]
fn a_drain_ends_with_its_timeout() {
    for (limit, drains) in [(0, true), (60, false), (200, true)] {
        let bench = going(settings(), &alive(), |object| {
            let Some(body) = object.machine_mut() else { return };
            body.spec.node_drain_timeout = secs(limit);
            body.drain_started = Some(SimTime::ZERO);
            let said = Condition::new("DrainingSucceeded", Status::False, "", "", SimTime::ZERO);
            body.conditions.set(said);
        });
        let asks = bench.waiting().contains(&"get Node/w".to_owned());
        assert_eq!(asks, drains, "{limit} s: {:?}", bench.waiting());
    }
}

/// While the workload cluster answers now so, now so, the end of the time does not come nearer.
#[test]
fn with_each_new_error_the_older_release_begins_the_drains_timeout_anew() {
    for (clock, drains) in [(DrainClock::Condition, true), (DrainClock::Beginning, false)] {
        let mut rules = settings();
        rules.drain.clock = clock;
        let mut bench = going(rules, &alive(), |object| {
            let Some(body) = object.machine_mut() else { return };
            body.spec.node_drain_timeout = secs(150);
            body.drain_started = Some(SimTime::ZERO);
            let said = Condition::new("DrainingSucceeded", Status::False, "", "", SimTime::ZERO);
            body.conditions.set(said);
        });
        refuse(&mut bench, "get Node/w");
        let failed = bench.grant("patch Machine/w");
        bench.shows(WatchKind::Modified, Object::clone(&failed));
        bench.pass(secs(100));
        for _ in 0..4 {
            bench.pass(Duration::from_millis(1));
        }
        let asks = bench.waiting().contains(&"get Node/w".to_owned());
        assert_eq!(asks, drains, "{clock:?}: {:?}", bench.waiting());
    }
}

#[test]
fn the_older_release_drains_again_while_the_machine_goes() {
    for repeats in [true, false] {
        let mut rules = settings();
        rules.drain.repeats = repeats;
        let bench = going(rules, &[node(Status::True, 0), infra(true)], |object| {
            say(object, "DrainingSucceeded", Status::True, "");
        });
        let asks = bench.waiting().contains(&"get Node/w".to_owned());
        assert_eq!(asks, repeats, "{:?}", bench.waiting());
    }
}

#[test]
fn a_machine_that_goes_without_a_node_may_look_for_one_once_more() {
    let mut named = node(Status::True, 0);
    if let Some(body) = named.node_mut() {
        body.provider_id = Text::word("lab://w");
    }
    for looks in [true, false] {
        let rules = Settings { deletion_looks_for_node: looks, ..settings() };
        let mut bench = going(rules, &[named.clone(), infra(false)], |object| {
            let Some(body) = object.machine_mut() else { return };
            body.node_ref = None;
            body.spec.provider_id = Text::word("lab://w");
        });
        let wrote = bench.grant("patch Machine/w");
        let found = wrote.machine().is_some_and(|body| body.node_ref.is_some());
        assert_eq!(found, looks);
    }
}

/// A Node of this health that has a volume.
fn with_volume(ready: Status) -> [Object; 2] {
    let mut node = node(ready, 0);
    if let Some(body) = node.node_mut() {
        body.volumes_attached.0.insert(Text::word("pvc-1"));
    }
    [node, infra(false)]
}

#[test]
fn a_machine_waits_for_the_volumes_of_its_node_unless_that_is_unreachable() {
    for (ready, waits) in [(Status::True, true), (Status::False, true), (Status::Unknown, false)] {
        let objects = with_volume(ready);
        let mut bench = going(settings(), &objects, |object| annotate(object, EXCLUDE_DRAINING));
        let told = bench.grant("patch Machine/w");
        let conditions = &told.machine().expect("a Machine").conditions;
        let said = conditions.get("VolumeDetachSucceeded").map(|said| said.reason.as_str());
        assert_eq!(said, waits.then_some("WaitingForVolumeDetach"), "{}", ready.name());
        let goes = bench.waiting().contains(&"delete InfraMachine/w".to_owned());
        assert_eq!(goes, !waits, "{}: {:?}", ready.name(), bench.waiting());
    }
}

#[test]
fn an_older_release_waits_for_those_of_an_unreachable_node_too() {
    let rules = Settings { volume_wait_skips_unreachable: false, ..settings() };
    let objects = with_volume(Status::Unknown);
    let mut bench = going(rules, &objects, |object| annotate(object, EXCLUDE_DRAINING));
    bench.grant("patch Machine/w");
    assert!(!bench.waiting().contains(&"delete InfraMachine/w".to_owned()));
}

#[test]
fn a_wait_for_volumes_ends_with_its_timeout() {
    for (limit, waits) in [(0, true), (60, false), (200, true)] {
        let mut bench = going(settings(), &with_volume(Status::True), |object| {
            annotate(object, EXCLUDE_DRAINING);
            let Some(body) = object.machine_mut() else { return };
            body.spec.node_volume_detach_timeout = secs(limit);
            body.volume_wait_started = Some(SimTime::ZERO);
        });
        bench.grant("patch Machine/w");
        let goes = bench.waiting().contains(&"delete InfraMachine/w".to_owned());
        assert_eq!(goes, !waits, "{limit} s: {:?}", bench.waiting());
    }
}

#[test]
fn the_newer_release_waits_for_attachments_too() {
    for (there, waits) in [("w", true), ("another", false)] {
        let mut rules = Settings { wording: Wording::V1Beta2, ..settings() };
        rules.drain.style = DrainStyle::Passes;
        rules.drain.repeats = false;
        let mut bench = going(rules, &alive(), |object| {
            annotate(object, EXCLUDE_DRAINING);
            if let Some(body) = object.machine_mut() {
                body.volume_wait_started = Some(SimTime::ZERO);
            }
        });
        let (node_name, volume_name) = (Text::word(there), Text::word("pvc-1"));
        let body = VolumeAttachment { node_name, volume_name, attached: true };
        let one = Object::new(Meta::new(Kind::VolumeAttachment, "", "csi-1"), body);
        reply(&mut bench, "list VolumeAttachment", Answer::List(Revision(1), vec![Arc::new(one)]));
        let goes = bench.waiting().contains(&"delete InfraMachine/w".to_owned());
        assert_eq!(goes, !waits, "{there}: {:?}", bench.waiting());
    }
}

/// Refuses the oldest request.
fn fail(bench: &mut Manager) {
    let (connection, request) = bench.asked.remove(0);
    let error = ApiError::new(Reason::Timeout, "etcdserver: request timed out");
    bench.answer(connection, request.id, Err(error));
    bench.pass(Duration::from_millis(1));
}

fn drained_as(machine: &Object) -> Option<String> {
    let said = machine.machine()?.conditions.get("DrainingSucceeded")?;
    Some(format!("{} {}", said.status.name(), said.reason))
}

/// An API server that answers with errors, or has stopped to answer at all.
#[test]
fn a_machine_whose_node_cannot_be_read_stays_and_is_tried_again() {
    let mut bench = going(settings(), &alive(), |_| {});
    let told = bench.grant("patch Machine/w");
    assert_eq!(drained_as(&told).as_deref(), Some("False Draining"));
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.waiting(), ["get Node/w"]);
    fail(&mut bench);
    let told = bench.grant("patch Machine/w");
    assert_eq!(drained_as(&told).as_deref(), Some("False DrainingFailed"));
    assert!(!bench.waiting().contains(&"delete InfraMachine/w".to_owned()));
}

#[test]
fn of_a_cluster_that_is_lost_no_machine_goes_before_its_volumes_are_known() {
    for (limit, waits) in [(0, true), (60, false)] {
        let mut bench = manager(settings(), &alive());
        let failures = settings().probe.failures;
        bench.component.checks.reconciler.workload.pretend_failed(failures);
        bench.bed.pass(secs(100));
        let object = machine(|object| {
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
            if let Some(body) = object.machine_mut() {
                body.spec.node_volume_detach_timeout = secs(limit);
                body.volume_wait_started = Some(SimTime::ZERO);
            }
        });
        bench.shows(WatchKind::Added, object);
        for _ in 0..4 {
            bench.pass(Duration::from_millis(1));
        }
        bench.grant("patch Machine/w");
        bench.pass(Duration::from_millis(1));
        assert!(!bench.waiting().contains(&"get Node/w".to_owned()), "it is not drained");
        let told = bench.grant("patch Machine/w");
        let health = told.machine().and_then(|body| body.conditions.get("NodeHealthy"));
        assert_eq!(health.is_none_or(|it| it.reason != *"Deleting"), waits, "{limit} s");
    }
}

#[test]
fn without_a_control_plane_that_stays_no_node_is_drained_or_deleted() {
    let rules = Settings { bootstrap: Bootstrap::Kubeadm, ..settings() };
    for (is_there, drains) in [(true, true), (false, false)] {
        let plane = machine(|object| {
            object.meta.key.name = Text::word("cp");
            let label = (Text::word(KubeadmControlPlane::LABEL), Text::EMPTY);
            object.meta.labels = Arc::new([label].into());
        });
        let objects = alive().into_iter().chain(is_there.then_some(plane)).collect::<Vec<_>>();
        let mut bench = going(rules, &objects, |_| {});
        let told = bench.grant("patch Machine/w");
        assert_eq!(drained_as(&told).is_some(), drains);
    }
}

/// The same by a clock that its timers know of.
fn goes_now(rules: Settings, objects: &[Object], change: impl FnOnce(&mut Object)) -> Manager {
    let mut bench = manager(rules, objects);
    let object = machine(|object| {
        object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
        change(object);
    });
    bench.shows(WatchKind::Added, object);
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
    }
    bench.grant("patch Machine/w");
    bench
}

/// What an API server that accepts connections and says nothing costs: each request its ten seconds.
#[test]
fn a_silent_workload_cluster_is_waited_for_no_longer_than_its_client_does() {
    let mut bench = goes_now(settings(), &alive(), |_| {});
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.waiting(), ["get Node/w"]);
    bench.pass(Duration::from_millis(9_990));
    assert_eq!(bench.waiting(), ["get Node/w"], "it has the time");
    bench.pass(Duration::from_millis(10));
    assert!(bench.waiting().contains(&"patch Machine/w".to_owned()), "{:?}", bench.waiting());
    let told = bench.grant("patch Machine/w");
    assert_eq!(drained_as(&told).as_deref(), Some("False DrainingFailed"));
}

/// A Machine of which only its Node is left.
fn without_a_vm(rules: Settings) -> Manager {
    goes_now(rules, &[node(Status::True, 0)], |object| {
        annotate(object, EXCLUDE_DRAINING);
        annotate(object, EXCLUDE_VOLUMES);
    })
}

fn deleting_node() -> String {
    "delete Node/w".to_owned()
}

#[test]
fn all_tries_to_delete_a_node_have_ten_seconds_together() {
    let rules = Settings { remote_timeout: secs(60), ..settings() };
    let mut bench = without_a_vm(rules);
    // The first is refused after 4 s; the next comes 2 s later and is cut off with the rest.
    bench.pass(secs(4));
    let at = bench.waiting().iter().position(|words| *words == deleting_node()).expect("asked");
    let (connection, request) = bench.asked.remove(at);
    let error = ApiError::new(Reason::Timeout, "etcdserver: request timed out");
    bench.answer(connection, request.id, Err(error));
    assert!(!bench.waiting().contains(&deleting_node()));
    bench.pass(secs(2));
    assert!(bench.waiting().contains(&deleting_node()), "{:?}", bench.waiting());
    let failed = |bench: &Manager| bench.waiting().iter().any(|it| it.starts_with("create Event"));
    bench.writes();
    bench.pass(Duration::from_millis(3_990));
    assert!(!failed(&bench), "{:?}", bench.waiting());
    bench.pass(Duration::from_millis(10));
    assert!(failed(&bench), "{:?}", bench.waiting());
}

/// The rules of 1.14.
fn newer() -> Settings {
    let mut rules = Settings { wording: Wording::V1Beta2, ..settings() };
    rules.drain.style = DrainStyle::Passes;
    rules.drain.repeats = false;
    rules
}

/// Takes what was asked with these words, and refuses it.
fn refuse(bench: &mut Manager, what: &str) {
    let at = bench.waiting().iter().position(|words| words == what);
    let at = at.unwrap_or_else(|| panic!("{what}: {:?}", bench.waiting()));
    let (connection, request) = bench.asked.remove(at);
    let error = ApiError::unreachable("connect: connection refused");
    bench.answer(connection, request.id, Err(error));
}

/// What `Deleting` says, and the Warning that came with it.
fn complaint(bench: &mut Manager) -> (String, String) {
    let told = bench.grant("patch Machine/w");
    let said = told.machine().and_then(|body| body.conditions.get("Deleting").cloned());
    let said = said.map(|it| format!("{} {}: {}", it.status.name(), it.reason, it.message));
    let writes = bench.writes();
    let mut events = writes.iter().filter_map(|(_, object)| object.as_ref()?.event());
    let warned = events.next_back().map(|event| format!("{}: {}", event.reason, event.message));
    (said.unwrap_or_default(), warned.unwrap_or_default())
}

const CHECK_LOGS: &str = "please check controller logs for errors";

#[test]
fn the_newer_release_says_of_a_drain_that_it_fails_and_why_in_an_event() {
    let said = format!("True DrainingNode: Error draining Node, {CHECK_LOGS}");
    let event = |why: &str| format!("FailedDrainNode: error draining Machine's node \"w\": {why}");
    // It knows the Node from its informer: the first who finds nobody is the one who cordons.
    let mut bench = goes_now(newer(), &alive(), |_| {});
    refuse(&mut bench, "patch Node/w");
    let why = "failed to cordon Node w: failed to cordon Node: connect: connection refused";
    assert_eq!(complaint(&mut bench), (said.clone(), event(why)));
    let mut bench = goes_now(newer(), &alive(), |_| {});
    bench.grant("patch Node/w");
    refuse(&mut bench, "list Pod");
    let why = "failed to get Pods for eviction: connect: connection refused";
    assert_eq!(complaint(&mut bench), (said, event(why)));
}

/// The workload cluster counts as lost.
fn lose(bench: &mut Manager) {
    let failures = settings().probe.failures;
    bench.component.checks.reconciler.workload.pretend_failed(failures);
}

#[test]
fn of_a_cluster_that_is_lost_the_newer_release_asks_nothing() {
    let goes = |change: fn(&mut Object), objects: &[Object]| {
        let mut bench = manager(newer(), objects);
        lose(&mut bench);
        let object = machine(|object| {
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
            change(object);
        });
        bench.shows(WatchKind::Added, object);
        for _ in 0..4 {
            bench.pass(Duration::from_millis(1));
        }
        bench
    };
    let why = "error getting client: connection to the workload cluster is down";
    let mut bench = goes(|_| {}, &alive());
    bench.grant("patch Machine/w");
    assert!(bench.waiting().iter().all(|it| !it.contains("Node/w")), "{:?}", bench.waiting());
    let event = format!(
        "FailedDrainNode: error draining Machine's node \"w\": failed to drain Node w: {why}"
    );
    assert_eq!(complaint(&mut bench).1, event);
    let mut bench = goes(|object| annotate(object, EXCLUDE_DRAINING), &alive());
    let said = format!("Error waiting for volumes to be detached from Node, {CHECK_LOGS}");
    let event = format!(
        "FailedWaitForVolumeDetach: error waiting for node volumes detaching, Machine's node \"w\": {why}"
    );
    assert_eq!(complaint(&mut bench), (format!("True WaitingForVolumeDetach: {said}"), event));
}

#[test]
fn a_node_that_nobody_can_delete_keeps_its_machine_which_says_so() {
    let tries = |rules: Settings, lost: bool| {
        let mut bench = manager(rules, &[node(Status::True, 0)]);
        if lost {
            lose(&mut bench);
        }
        let object = machine(|object| {
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
            annotate(object, EXCLUDE_DRAINING);
            annotate(object, EXCLUDE_VOLUMES);
        });
        bench.shows(WatchKind::Added, object);
        for _ in 0..4 {
            bench.pass(Duration::from_millis(1));
        }
        if rules.wording == Wording::V1Beta1 {
            bench.grant("patch Machine/w");
        }
        for _ in 0..5 {
            if !lost {
                refuse(&mut bench, "delete Node/w");
            }
            bench.pass(secs(2));
        }
        bench
    };
    let said = format!("True DeletingNode: Error deleting Node, {CHECK_LOGS}");
    let event = |why: &str| format!("FailedDeleteNode: error deleting Machine's Node: {why}");
    let why = "error deleting node w: connect: connection refused";
    assert_eq!(complaint(&mut tries(newer(), false)), (said.clone(), event(why)));
    let why = "failed deleting Node because connection to the workload cluster is down: error \
               getting client: connection to the workload cluster is down";
    assert_eq!(complaint(&mut tries(newer(), true)), (said, event(why)));
    let told = tries(settings(), false).grant("patch Machine/w");
    let health = told.machine().and_then(|body| body.conditions.get("NodeHealthy").cloned());
    assert_eq!(health.expect("said").reason, "DeletionFailed");
}
