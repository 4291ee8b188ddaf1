//! Cluster API: verdicts, marks and the order of a Machine's end.

use super::*;
use crate::api::kinds::{
    Cluster, Condition, Conditions, InfraMachine, Machine, MachineHealthCheck, MachineSet,
    MaxUnhealthy, Node, Status, UnhealthyCondition,
};
use crate::api::{Answer, ApiError, Meta, Reason, Uid, WatchKind};
use crate::client::testing::Bench;
use crate::client::{Backoff, ClientSettings, Pauses, ProbeSettings, ShellSettings};
use crate::engine::{Delay, Duration, SimTime};
use crate::infra::EndpointId;
use std::sync::Arc;

pub(super) type Manager = Bench<ClusterApi, Event>;

pub(super) fn settings() -> Settings {
    let (secs, millis) = (Duration::from_secs, Duration::from_millis);
    Settings {
        tells_checks_apart: false,
        client: ClientSettings {
            request_timeout: secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        remote_timeout: secs(10),
        shell: shell(),
        health_check_gap: Duration::ZERO,
        health_check_slack: secs(1),
        health_check_filters_events: false,
        health_check_requeues_restricted: false,
        health_check_asks_cluster_first: false,
        startup_counts_infrastructure: false,
        node_provisioning_says_what_for: false,
        marks_deleting_machines: true,
        marking: Marking::TrueAfterwards,
        forgives_recovered: false,
        counts_ready_machines: false,
        limits_remediation: false,
        delete_policy: DeletePolicy::Random,
        delete_annotation_first: false,
        scale_down_blames_unknown: true,
        deletion_looks_for_node: false,
        volume_wait_skips_unreachable: true,
        not_ready_requeue: secs(15),
        machine_set_preflight: None,
        cache_poll: millis(100),
        cache_timeout: secs(10),
        scaling_phase: Counting::Ready,
        drain: Drain {
            style: DrainStyle::Attempts { length: secs(20), poll: secs(1), refused_retry: secs(5) },
            unreachable_skip: secs(300),
            unreachable_grace: None,
            retry: secs(20),
            repeats: true,
            clock: super::DrainClock::Condition,
        },
        node_deletion_poll: secs(2),
        node_deletion_limit: secs(10),
        resync: secs(600),
        resync_jitter_percent: 10,
        probe: ProbeSettings {
            interval: secs(10),
            rhythm: crate::engine::Rhythm::Ticker,
            timeout: secs(5),
            failures: 10,
            reconnect: secs(30),
            sync: secs(300),
        },
        conditions_grace: secs(300),
        reconnection_enqueues: false,
        pauses: Pauses::Silent,
        bootstrap: Bootstrap::Given,
        wording: Wording::V1Beta1,
        infrastructure: Kind::InfraMachine,
    }
}

fn shell() -> ShellSettings {
    ShellSettings {
        workers: 10,
        backoff: Backoff::new(Duration::from_millis(5), Duration::from_secs(1000)),
        rules: crate::client::ShellRules::CONTROLLER_RUNTIME,
        minimum_gap: Duration::ZERO,
        thinking: Delay::fixed(Duration::from_millis(1)),
    }
}

pub(super) fn manager(settings: Settings, objects: &[Object]) -> Manager {
    let manager = ClusterApi::new(settings, Address::Endpoint(EndpointId(0)), None);
    let react = ClusterApi::on_event;
    let mut objects = objects.to_vec();
    if objects.iter().all(|object| object.key().kind != Kind::Cluster) {
        objects.push(cluster(|_| {}));
    }
    let mut bench =
        Bench::started(manager, "capi-controller-manager", react, Start::Steady, &objects);
    settle(&mut bench);
    bench
}

/// A Cluster that has long been up.
pub(super) fn cluster(change: impl FnOnce(&mut Cluster)) -> Object {
    let up = ["InfrastructureReady", "ControlPlaneInitialized"]
        .map(|kind| Condition::new(kind, Status::True, "", "", SimTime::ZERO));
    let mut body = Cluster { conditions: up.into_iter().collect(), ..Cluster::default() };
    change(&mut body);
    Object::new(Meta::new(Kind::Cluster, "default", "c1"), body)
}

/// Lets everybody think, and drops what they write about themselves.
fn settle(bench: &mut Manager) {
    for _ in 0..4 {
        bench.pass(Duration::from_millis(1));
    }
    bench.writes();
}

pub(super) fn node(ready: Status, since: u64) -> Object {
    let since = SimTime::ZERO + Duration::from_secs(since);
    let conditions = [Condition::new("Ready", ready, "", "", since)].into_iter().collect();
    Object::new(Meta::new(Kind::Node, "", "w"), Node { conditions, ..Node::default() })
}

pub(super) fn pool() -> crate::api::Labels {
    crate::api::labels([("pool", Text::word("a"))])
}

pub(super) fn machine(change: impl FnOnce(&mut Object)) -> Object {
    let set = Object::new(Meta::new(Kind::MachineSet, "default", "ms"), MachineSet::default());
    let mut meta = Meta::new(Kind::Machine, "default", "w").owned_by(&set.meta);
    meta.labels = pool();
    meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
    meta.uid = Uid(9);
    let mut body = Machine { node_ref: Some(Text::word("w")), ..Machine::default() };
    body.spec.infrastructure.name = Text::word("w");
    let mut object = Object::new(meta, body);
    change(&mut object);
    object
}

pub(super) fn check(max: MaxUnhealthy) -> Object {
    let body = MachineHealthCheck {
        selector: pool(),
        unhealthy_conditions: vec![UnhealthyCondition {
            kind: Text::word("Ready"),
            status: Status::Unknown,
            timeout: Duration::from_secs(300),
        }],
        max_unhealthy: max,
        node_startup_timeout: Duration::from_secs(600),
        expected_machines: 0,
        current_healthy: 0,
        remediations_allowed: 0,
        conditions: Conditions::default(),
    };
    Object::new(Meta::new(Kind::MachineHealthCheck, "default", "mhc"), body)
}

/// What is written into the Machine's conditions, as `TYPE=STATUS REASON`.
fn said(bench: &mut Manager, kinds: &[&str]) -> Vec<String> {
    let writes = bench.writes().into_iter().filter(|(words, _)| words == "patch Machine/w");
    writes
        .filter_map(|(_, object)| Some(object?.machine()?.conditions.clone()))
        .flat_map(|conditions| {
            let found = conditions.iter().filter(|c| kinds.contains(&c.kind.as_str()));
            found
                .map(|c| format!("{}={} {}", c.kind, c.status.name(), c.reason))
                .collect::<Vec<_>>()
        })
        .collect()
}

pub(super) const MARKS: [&str; 2] = ["HealthCheckSucceeded", "OwnerRemediated"];

#[test]
fn a_verdict_comes_strictly_after_the_timeout_and_marks_in_one_patch() {
    let all = MaxUnhealthy::Percent(100);
    let mut bench = manager(settings(), &[machine(|_| {}), node(Status::Unknown, 0), check(all)]);
    bench.pass(Duration::from_millis(299_990));
    settle(&mut bench);
    assert!(said(&mut bench, &MARKS).is_empty(), "300 s are not more than 300 s");
    bench.pass(Duration::from_millis(1_010));
    bench.pass(Duration::from_millis(1));
    bench.pass(Duration::from_millis(1));
    let marks = said(&mut bench, &MARKS);
    let both =
        ["HealthCheckSucceeded=False UnhealthyNode", "OwnerRemediated=False WaitingForRemediation"];
    assert_eq!(marks, both);
}

#[test]
fn beyond_max_unhealthy_nobody_is_marked() {
    let objects = [machine(|_| {}), node(Status::Unknown, 0), check(MaxUnhealthy::Count(0))];
    let mut bench = manager(settings(), &objects);
    bench.pass(Duration::from_secs(400));
    bench.shows(WatchKind::Modified, node(Status::Unknown, 0));
    bench.pass(Duration::from_millis(1));
    bench.pass(Duration::from_millis(1));
    let marks = said(&mut bench, &MARKS);
    assert_eq!(marks, ["HealthCheckSucceeded=False UnhealthyNode"], "judged, but not marked");
}

/// A Machine that is being deleted, with its Node and its provider's object.
fn ending(settings: Settings) -> Manager {
    ending_on(settings, Status::Unknown)
}

/// The same with a Node of this health.
fn ending_on(settings: Settings, ready: Status) -> Manager {
    let deleting = machine(|object| {
        let grace = Duration::ZERO;
        object.meta.deletion = Some(crate::api::Deletion { at: SimTime::ZERO, grace });
    });
    let infra = Object::new(
        Meta::new(Kind::InfraMachine, "default", "w"),
        InfraMachine { ready: true, ..InfraMachine::default() },
    );
    let manager = ClusterApi::new(settings, Address::Endpoint(EndpointId(0)), None);
    let react = ClusterApi::on_event;
    let objects = [deleting, node(ready, 0), infra];
    let mut bench =
        Bench::started(manager, "capi-controller-manager", react, Start::Steady, &objects);
    bench.pass(Duration::from_millis(1));
    bench.pass(Duration::from_millis(1));
    bench
}

/// Answers the oldest request of this kind with this.
pub(super) fn reply(bench: &mut Manager, what: &str, answer: Answer) {
    let words = |at: &usize| bench.waiting()[*at] == what;
    let at = (0..bench.asked.len()).find(words);
    let at = at.unwrap_or_else(|| panic!("{what}: {:?}", bench.waiting()));
    let (connection, request) = bench.asked.remove(at);
    bench.answer(connection, request.id, Ok(answer));
}

fn dying_pod(at: u64) -> Arc<Object> {
    let mut pod = crate::api::kinds::Pod::new(Arc::default());
    pod.node_name = Text::word("w");
    let mut object = Object::new(Meta::new(Kind::Pod, "default", "web"), pod);
    let (at, grace) = (SimTime::ZERO + Duration::from_secs(at), Duration::from_secs(30));
    object.meta.deletion = Some(crate::api::Deletion { at, grace });
    Arc::new(object)
}

#[test]
fn the_end_of_a_machine_has_its_order() {
    let mut bench = ending(settings());
    let announced = bench.grant("patch Machine/w");
    let conditions = &announced.machine().expect("a Machine").conditions;
    assert_eq!(conditions.get("DrainingSucceeded").expect("announced").reason, "Draining");
    reply(&mut bench, "get Node/w", Answer::Object(Arc::new(node(Status::Unknown, 0))));
    let cordoned = bench.grant("patch Node/w");
    assert!(cordoned.node().is_some_and(|node| node.unschedulable));
    reply(&mut bench, "list Pod", Answer::List(crate::api::Revision(1), Vec::new()));
    let told = bench.grant("patch Machine/w");
    let health = told.machine().and_then(|body| body.conditions.get("NodeHealthy")).cloned();
    assert_eq!(health.expect("said").reason, "Deleting", "told before it is done");
    assert!(bench.waiting().contains(&"delete InfraMachine/w".to_owned()), "{:?}", bench.waiting());
}

#[test]
fn on_an_unreachable_node_a_pod_is_waited_for_as_long_as_the_release_says() {
    for (skip, waits) in [(300, true), (1, false)] {
        let mut rules = settings();
        rules.drain.unreachable_skip = Duration::from_secs(skip);
        let mut bench = ending(rules);
        bench.grant("patch Machine/w");
        reply(&mut bench, "get Node/w", Answer::Object(Arc::new(node(Status::Unknown, 0))));
        bench.grant("patch Node/w");
        bench.bed.pass(Duration::from_secs(33));
        // Its deletion time is 3 s past.
        let pods = vec![dying_pod(30)];
        reply(&mut bench, "list Pod", Answer::List(crate::api::Revision(1), pods));
        let goes_on = bench.waiting().contains(&"patch Machine/w".to_owned());
        assert_eq!(goes_on, !waits, "{skip} s: {:?}", bench.waiting());
    }
}

/// A Pod that runs on the Node `w`.
fn running_pod() -> Arc<Object> {
    let mut pod = Object::clone(&dying_pod(0));
    pod.meta.deletion = None;
    Arc::new(pod)
}

fn pods_are(bench: &mut Manager, pods: Vec<Arc<Object>>) {
    reply(bench, "list Pod", Answer::List(crate::api::Revision(1), pods));
}

/// Refuses the eviction that is asked for.
fn refuse(bench: &mut Manager, error: ApiError) {
    let place = bench.waiting().iter().position(|words| words == "evict Pod/web");
    let (connection, request) = bench.asked.remove(place.expect("an eviction"));
    bench.answer(connection, request.id, Err(error));
}

fn over_budget() -> ApiError {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let cause = "The disruption budget web needs 3 healthy pods and has 3 currently";
    ApiError::new(Reason::TooManyRequests, message).caused_by(cause)
}

/// A Machine whose reachable Node is cordoned, with one Pod whose eviction is asked for.
fn evicting(settings: Settings) -> Manager {
    let mut bench = ending_on(settings, Status::True);
    bench.grant("patch Machine/w");
    if settings.wording == Wording::V1Beta1 {
        reply(&mut bench, "get Node/w", Answer::Object(Arc::new(node(Status::True, 0))));
    }
    bench.grant("patch Node/w");
    pods_are(&mut bench, vec![running_pod()]);
    bench
}

#[test]
fn within_an_attempt_a_refused_eviction_is_tried_again_after_five_seconds() {
    let mut bench = evicting(settings());
    refuse(&mut bench, over_budget());
    for second in 1..=5 {
        assert!(!bench.waiting().contains(&"evict Pod/web".to_owned()), "second {second}");
        bench.pass(Duration::from_secs(1));
        pods_are(&mut bench, vec![running_pod()]);
    }
    assert!(bench.waiting().contains(&"evict Pod/web".to_owned()), "{:?}", bench.waiting());
}

#[test]
fn an_attempt_that_fails_for_another_reason_is_over_and_the_machine_waits() {
    let mut bench = evicting(settings());
    refuse(&mut bench, ApiError::new(Reason::InternalError, "no"));
    bench.pass(Duration::from_secs(1));
    pods_are(&mut bench, vec![running_pod()]);
    let phase = bench.grant("patch Machine/w");
    assert_eq!(phase.machine().expect("a Machine").phase.name(), "Deleting");
    assert!(!bench.waiting().contains(&"delete InfraMachine/w".to_owned()));
}

#[test]
fn a_pass_says_which_budget_stands_in_the_way() {
    let mut rules = Settings { wording: Wording::V1Beta2, ..settings() };
    rules.drain.style = DrainStyle::Passes;
    let mut bench = evicting(rules);
    refuse(&mut bench, over_budget());
    let said = bench.grant("patch Machine/w");
    let deleting = said.machine().expect("a Machine").conditions.get("Deleting").cloned();
    let message = deleting.expect("said").message;
    let words = "\n* Pod default/web: cannot evict pod as it would violate the pod's disruption \
                 budget. The disruption budget web needs 3 healthy pods and has 3 currently";
    assert!(message.ends_with(words), "{message}");
}

#[test]
fn a_granted_eviction_is_said_to_be_under_way() {
    let mut rules = Settings { wording: Wording::V1Beta2, ..settings() };
    rules.drain.style = DrainStyle::Passes;
    let mut bench = evicting(rules);
    reply(&mut bench, "evict Pod/web", Answer::Done);
    let said = bench.grant("patch Machine/w");
    let deleting = said.machine().expect("a Machine").conditions.get("Deleting").cloned();
    let message = deleting.expect("said").message;
    let words = "\n* Pod default/web: deletionTimestamp set, but still not removed from the Node";
    assert!(message.ends_with(words), "{message}");
}

#[test]
fn a_pass_that_fails_is_tried_again_at_once_and_one_that_has_ended_is_not() {
    let mut rules = Settings { wording: Wording::V1Beta2, ..settings() };
    rules.drain.style = DrainStyle::Passes;
    let looks_again = |bench: &mut Manager| {
        bench.grant("patch Machine/w");
        bench.shows(WatchKind::Modified, node(Status::True, 0));
        for _ in 0..3 {
            bench.pass(Duration::from_millis(10));
        }
        bench.waiting().contains(&"patch Machine/w".to_owned())
    };
    let mut bench = evicting(rules);
    reply(&mut bench, "evict Pod/web", Answer::Done);
    assert!(!looks_again(&mut bench), "whoever wakes it");
    let mut bench = ending_on(rules, Status::True);
    bench.grant("patch Machine/w");
    bench.grant("patch Node/w");
    let place = bench.waiting().iter().position(|words| words == "list Pod").expect("asked");
    let (connection, request) = bench.asked.remove(place);
    bench.answer(connection, request.id, Err(ApiError::unreachable("connection refused")));
    assert!(looks_again(&mut bench), "{:?}", bench.waiting());
}
