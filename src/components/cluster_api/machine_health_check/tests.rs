//! One look of a health check: caches in; writes, Events, lines and the next look out.

use super::super::ClusterApi;
use super::super::brakes_tests::{annotate, say, secs};
use super::super::tests::{check, cluster, machine, manager, node, settings};
use super::*;
use crate::api::kinds::MaxUnhealthy;
use crate::api::{Answer, ApiError, Deletion, Reason};
use crate::engine::Skew;
use crate::infra::{Elapsed, Written};
use crate::timeline::Cause;

pub(super) const ALL: MaxUnhealthy = MaxUnhealthy::Percent(100);

/// What one look said and did.
#[derive(Debug)]
pub(super) struct Look {
    /// What is written of each Machine's health, as `NAME TYPE=STATUS REASON MESSAGE`.
    pub said: Vec<String>,
    /// The check as it is written, if it is.
    check: Option<MachineHealthCheck>,
    /// As `OBJECT REASON MESSAGE`.
    events: Vec<String>,
    logs: Vec<String>,
    pub elapsed: Option<Elapsed>,
    /// By what each Machine is judged that is written, as `MACHINE OBJECT FIELD TIME`.
    pub grounds: Vec<String>,
    /// By what it was judged who has an Event of his own, as `REASON OBJECT FIELD TIME`.
    pub event_grounds: Vec<String>,
    pub outcome: Outcome,
}

/// How the manager of this test is set up.
pub(super) struct Setup {
    pub settings: Settings,
    connected: bool,
    /// Every write is refused.
    refused: bool,
}

pub(super) fn plain() -> Setup {
    Setup { settings: settings(), connected: true, refused: false }
}

fn with(change: impl FnOnce(&mut Settings)) -> Setup {
    let mut setup = plain();
    change(&mut setup.settings);
    setup
}

pub(super) fn newer() -> Setup {
    with(|settings| settings.wording = Wording::V1Beta2)
}

/// One look, so many seconds after the beginning.
pub(super) fn look(setup: &Setup, seconds: u64, objects: &[Object]) -> Look {
    let mut controller = HealthCheckController::new(setup.settings);
    if !setup.connected {
        controller.workload.pretend_failed(setup.settings.probe.failures);
    }
    look_of(&mut controller, setup, seconds, &manager(setup.settings, objects).component)
}

/// One look of a controller at what its manager's caches have.
pub(super) fn look_of(
    controller: &mut HealthCheckController,
    setup: &Setup,
    seconds: u64,
    manager: &ClusterApi,
) -> Look {
    let mut view = View {
        now: SimTime::ZERO + secs(seconds),
        skew: Skew::NONE,
        local: &manager.clients.local.caches,
        remote: manager.clients.remote_caches(),
        draw: &mut |_| 0,
        events: Vec::new(),
        logs: Vec::new(),
        grounded: Vec::new(),
        found: Cause::NONE,
        elapsed: None,
        deferred: None,
    };
    let key = check(ALL).key().clone();
    let (mut said, mut written, mut grounds) = (Vec::new(), None, Vec::new());
    let mut step = controller.begin(&key, &mut view);
    let outcome = loop {
        let (ask, state) = match step {
            Step::Done(outcome) => break outcome,
            Step::Ask(ask, state) => (ask, state),
            other => panic!("a health check only asks: {other:?}"),
        };
        let Verb::Patch { changed, .. } = ask.verb else { panic!("{ask:?}") };
        if let Some(written) = ask.ground.and_then(|ground| ground.written) {
            grounds.push(format!("{} {}", changed.name(), words(&written)));
        }
        match changed.machine() {
            Some(body) => said.extend(body.conditions.iter().map(|c| {
                let words = [&changed.name()[..], c.kind.as_str()].join(" ");
                format!("{words}={} {} {}", c.status.name(), c.reason, c.message)
            })),
            None => written = changed.machine_health_check().cloned(),
        }
        let refusal = ApiError::new(Reason::Conflict, "the object has been modified");
        let answer = if setup.refused { Err(refusal) } else { Ok(Answer::Object(changed)) };
        step = controller.resume(&key, state, Reply::Answer(answer), &mut view);
    };
    let View { events, logs, grounded, elapsed, .. } = view;
    let grounded_events = events.iter().filter_map(|event| {
        Some(format!("{} {}", event.reason, words(event.ground.as_ref()?.written.as_ref()?)))
    });
    let event_grounds = grounded_events.collect();
    let events =
        events.iter().map(|e| format!("{} {} {}", e.regarding, e.reason, e.message)).collect();
    let judged = grounded.iter().map(|(_, line)| line);
    let logs = logs.iter().chain(judged).map(Text::to_string).collect();
    Look { said, check: written, events, logs, elapsed, grounds, event_grounds, outcome }
}

/// A write as `OBJECT FIELD TIME`.
pub(super) fn words(Written { object, field, at }: &Written) -> String {
    format!("{object} {field} {}", at.since(SimTime::ZERO))
}

/// A Machine of this name with its Node, whose Ready has been so since then.
pub(super) fn pair(name: &'static str, ready: Status, since: u64) -> Vec<Object> {
    let mut node = node(ready, since);
    node.meta.key.name = Text::word(name);
    let machine = machine(|object| {
        object.meta.key.name = Text::word(name);
        if let Some(body) = object.machine_mut() {
            body.node_ref = Some(Text::word(name));
        }
    });
    vec![machine, node]
}

/// `a` is well, the clock of `b` runs, and `c` is dead after 400 s.
fn three(max: MaxUnhealthy) -> Vec<Object> {
    let all = [
        pair("a", Status::True, 0),
        pair("b", Status::Unknown, 200),
        pair("c", Status::Unknown, 0),
        vec![check(max)],
    ];
    all.concat()
}

/// The Machine `w`, dead after 300 s.
fn dead(max: MaxUnhealthy, change: impl FnOnce(&mut Object)) -> Vec<Object> {
    vec![machine(change), node(Status::Unknown, 0), check(max)]
}

fn deleting(object: &mut Object) {
    object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
}

fn without_node(object: &mut Object) {
    if let Some(body) = object.machine_mut() {
        body.node_ref = None;
    }
}

fn allowed(look: &Look) -> String {
    let check = look.check.as_ref().expect("the check is written");
    let said = check.conditions.get("RemediationAllowed").expect("said");
    format!("{} {} {}", said.status.name(), said.reason, said.message)
}

#[test]
fn a_check_says_how_many_it_found_and_how_many_more_may_fall_ill() {
    for (max, more) in [(ALL, 1), (MaxUnhealthy::Count(2), 0), (MaxUnhealthy::Count(7), 5)] {
        let look = look(&plain(), 400, &three(max));
        assert_eq!(allowed(&look), "True  ");
        let check = look.check.expect("it is written");
        assert_eq!((check.expected_machines, check.current_healthy), (3, 1));
        assert_eq!(check.remediations_allowed, more, "{max}");
    }
    assert_eq!(allowed(&look(&newer(), 400, &three(ALL))), "True RemediationAllowed ");
}

#[test]
fn what_a_check_has_said_is_not_written_again() {
    let first = look(&plain(), 400, &pair("a", Status::True, 0));
    assert!(first.check.is_none() && first.said.is_empty(), "there is no check");
    let objects = [pair("a", Status::True, 0), vec![check(ALL)]].concat();
    let first = look(&plain(), 400, &objects);
    assert_eq!(first.said, ["a HealthCheckSucceeded=True  "]);
    let mut known = check(ALL);
    *known.machine_health_check_mut().expect("a check") = first.check.expect("it is written");
    let mut objects = pair("a", Status::True, 0);
    say(&mut objects[0], "HealthCheckSucceeded", Status::True, "");
    objects.push(known);
    let again = look(&plain(), 400, &objects);
    assert!(again.check.is_none() && again.said.is_empty(), "{again:?}");
}

#[test]
fn a_refusal_names_the_limit_and_what_was_counted() {
    let found = look(&plain(), 400, &three(MaxUnhealthy::Count(1)));
    let words = "Remediation is not allowed, the number of not started or unhealthy machines \
                 exceeds maxUnhealthy (total: 3, unhealthy: 1, maxUnhealthy: 1)";
    assert_eq!(allowed(&found), format!("False TooManyUnhealthy {words}"));
    let event = format!("MachineHealthCheck/mhc RemediationRestricted {words}");
    assert_eq!(found.events.last(), Some(&event));
    let line =
        "Short-circuiting remediation total target=3 max unhealthy=\"1\" unhealthy targets=1";
    assert_eq!(found.logs, [line]);
    assert_eq!(found.check.expect("written").remediations_allowed, 0);

    let found = look(&plain(), 400, &three(MaxUnhealthy::Range(3, 4)));
    assert!(allowed(&found).ends_with(
        "does not fall within the range (total: 3, unhealthy: 1, unhealthyRange: [3-4])"
    ));
    assert!(found.logs[0].contains("unhealthy range=\"[3-4]\""), "{:?}", found.logs);
}

#[test]
fn where_only_clocks_run_a_refusal_is_no_event() {
    let found = look(&plain(), 200, &dead(MaxUnhealthy::Count(0), |_| {}));
    assert_eq!(found.logs.len(), 1);
    assert_eq!(
        found.events,
        ["Machine/w DetectedUnhealthy Machine default/mhc/w/w has unhealthy node w"]
    );
    assert!(look(&newer(), 200, &dead(ALL, |_| {})).events.is_empty(), "the newer one is silent");
}

#[test]
fn a_mark_is_announced_in_the_words_of_its_release() {
    let found = look(&plain(), 301, &dead(ALL, |_| {}));
    let why = "Condition Ready on node is reporting status Unknown for more than 5m0s";
    assert_eq!(
        found.said,
        [
            format!("w HealthCheckSucceeded=False UnhealthyNode {why}"),
            "w OwnerRemediated=False WaitingForRemediation ".to_owned(),
        ]
    );
    let event =
        "Machine/w MachineMarkedUnhealthy Machine default/mhc/w/w has been marked as unhealthy";
    assert_eq!(found.events, [event]);
    let line = "Target has failed health check, marking for remediation target=\"default/mhc/w/w\"";
    assert_eq!(found.logs, [format!("{line} reason=\"UnhealthyNode\" message=\"{why}\"")]);

    let found = look(&newer(), 301, &dead(ALL, |_| {}));
    let why = "Condition Ready on Node is reporting status Unknown with reason  for more than 5m0s";
    assert_eq!(
        found.said,
        [
            format!("w HealthCheckSucceeded=False UnhealthyNode Health check failed:\n  * {why}"),
            "w OwnerRemediated=False WaitingForRemediation Waiting for remediation".to_owned(),
        ]
    );
    let event = "Machine/w MachineMarkedUnhealthy Machine default/w has been marked as unhealthy by \
                 default/mhc";
    assert_eq!(found.events, [event]);
    let line = "Machine has failed health check, marking for remediation Machine=\"default/w\" \
                Node=\"w\" reason=\"UnhealthyNode\" message=\"Health check failed:\\n  * ";
    assert_eq!(found.logs, [format!("{line}{why}\"")]);
}

#[test]
fn a_mark_is_announced_only_once_it_is_written() {
    let refused = Setup { refused: true, ..plain() };
    let found = look(&refused, 301, &dead(ALL, |_| {}));
    assert!(found.events.is_empty(), "{:?}", found.events);
    assert!(found.check.is_some(), "one that fails holds up none of the others");
    assert_eq!(found.outcome, Outcome::error("the object has been modified"));
    // Who is marked already is announced again at each look.
    let marked = dead(ALL, |object| {
        if let Some(body) = object.machine_mut() {
            let why = "Condition Ready on node is reporting status Unknown for more than 5m0s";
            for (kind, reason, message) in [
                ("HealthCheckSucceeded", "UnhealthyNode", why),
                ("OwnerRemediated", "WaitingForRemediation", ""),
            ] {
                let known = Condition::new(kind, Status::False, reason, message, SimTime::ZERO);
                body.conditions.set(known);
            }
        }
    });
    let found = look(&plain(), 301, &marked);
    assert_eq!((found.said.len(), found.events.len()), (0, 1));
    assert_eq!(found.elapsed, None, "its verdict is no news");
}

#[test]
fn what_its_owner_is_at_is_not_said_to_wait() {
    let found = look(
        &plain(),
        301,
        &dead(ALL, |object| {
            say(object, "OwnerRemediated", Status::False, "MachineDeleting");
        }),
    );
    assert!(found.said.contains(&"w OwnerRemediated=False MachineDeleting ".to_owned()));
}

#[test]
fn a_machine_that_goes_is_marked_only_where_the_release_says_so() {
    let keeps_off = with(|settings| settings.marks_deleting_machines = false);
    let count = |setup: &Setup, change: fn(&mut Object)| {
        let found = look(setup, 301, &dead(ALL, change));
        (found.said.len(), found.logs.len())
    };
    assert_eq!(count(&keeps_off, |_| {}), (2, 1));
    assert_eq!(count(&keeps_off, deleting), (1, 0), "judged, not marked");
    assert_eq!(count(&plain(), deleting), (2, 1));
    // One whose Node is well is neither healthy nor ill.
    let well = vec![machine(deleting), node(Status::True, 0), check(ALL)];
    let found = look(&plain(), 400, &well);
    assert!(found.said.is_empty(), "{:?}", found.said);
    assert_eq!(found.check.expect("written").current_healthy, 0);
}

#[test]
fn who_is_to_be_remediated_is_written_first_unless_nobody_may_be() {
    let names = |max| {
        let found = look(&plain(), 400, &three(max));
        let names = found.said.iter().map(|words| words[..1].to_owned());
        names.collect::<Vec<_>>().concat()
    };
    assert_eq!((names(ALL), names(MaxUnhealthy::Count(0))), ("cca".to_owned(), "ac".to_owned()));
}

#[test]
fn it_looks_again_when_the_first_clock_runs_out() {
    let slack = ("clusterApi.healthCheckSlack", secs(1));
    let unknown = ("machineHealthCheck.unknownTimeout", secs(100));
    let found = look(&plain(), 400, &three(ALL));
    assert_eq!(found.outcome, Outcome::after_both(unknown, slack));
    let startup = ("machineHealthCheck.nodeStartupTimeout", secs(50));
    let mut objects = three(ALL);
    objects.push(machine(without_node));
    let found = look(&plain(), 550, &objects);
    assert_eq!(found.outcome, Outcome::after_both(startup, slack));
    // Where nobody may be marked, no clock counts.
    assert_eq!(look(&plain(), 400, &three(MaxUnhealthy::Count(0))).outcome, Outcome::done());
    let again = with(|settings| settings.health_check_requeues_restricted = true);
    let found = look(&again, 400, &three(MaxUnhealthy::Count(0)));
    assert_eq!(found.outcome, Outcome::error("remediation is restricted"));
    assert_eq!(look(&again, 300, &[check(ALL)]).outcome, Outcome::done());
}

#[test]
fn a_status_false_has_a_time_of_its_own() {
    let mut rules = check(ALL);
    if let Some(body) = rules.machine_health_check_mut() {
        body.unhealthy_conditions[0].status = Status::False;
    }
    let objects = [machine(|_| {}), node(Status::False, 0), rules];
    let wait = look(&plain(), 100, &objects).outcome.requeue_after.expect("a clock runs");
    assert_eq!(wait[0], ("machineHealthCheck.falseTimeout", secs(200)));
    let elapsed = look(&plain(), 301, &objects).elapsed.expect("it is over");
    assert_eq!(elapsed.limits[0], ("machineHealthCheck.falseTimeout", secs(300)));
}

#[test]
fn a_limit_is_over_only_after_its_last_instant() {
    let started = || vec![machine(without_node), check(ALL)];
    assert!(look(&plain(), 300, &dead(ALL, |_| {})).said.is_empty());
    assert!(look(&plain(), 600, &started()).said.is_empty());
    let why = "NodeStartupTimeout Node failed to report startup in 10m0s";
    let found = look(&plain(), 601, &started());
    assert_eq!(found.said[0], format!("w HealthCheckSucceeded=False {why}"));
    let why = "NodeStartupTimeout Health check failed:\n  * Node failed to report startup in 10m0s";
    let found = look(&newer(), 601, &started());
    assert_eq!(found.said[0], format!("w HealthCheckSucceeded=False {why}"));
    let mut patient = check(ALL);
    patient.machine_health_check_mut().expect("a check").node_startup_timeout = Duration::ZERO;
    let found = look(&plain(), 9_000, &[machine(without_node), patient]);
    assert_eq!((found.said.len(), found.outcome), (0, Outcome::done()), "no limit at all");
}

#[test]
fn the_limit_that_was_over_last_led_to_the_verdicts() {
    let elapsed = look(&plain(), 400, &three(ALL)).elapsed.expect("one is over");
    assert_eq!(words(&elapsed.began), "Node/c Ready 0s");
    let limits = [("machineHealthCheck.unknownTimeout", secs(300)), ("", Duration::ZERO)];
    assert_eq!(elapsed.limits, limits);
    let mut objects = three(ALL);
    objects.push(machine(without_node));
    let elapsed = look(&plain(), 601, &objects).elapsed.expect("all are over");
    assert_eq!(words(&elapsed.began), "Machine/w exists 0s");
    assert_eq!(elapsed.limits[0], ("machineHealthCheck.nodeStartupTimeout", secs(600)));
}

#[test]
fn each_machine_is_judged_by_its_own_node() {
    let objects = [
        pair("a", Status::True, 7),
        pair("b", Status::Unknown, 20),
        pair("c", Status::Unknown, 0),
        vec![machine(without_node), check(ALL)],
    ];
    let found = look(&plain(), 601, &objects.concat());
    let times =
        ["b Node/b Ready 20s", "c Node/c Ready 0s", "w Machine/w exists 0s", "a Node/a Ready 7s"];
    assert_eq!(found.grounds, times);
}

#[test]
fn without_a_connection_nobody_is_judged_once_the_cluster_is_up() {
    let cut_off = Setup { connected: false, ..plain() };
    let found = look(&cut_off, 400, &three(ALL));
    assert!(found.check.is_none() && found.said.is_empty());
    assert_eq!(found.outcome, Outcome::error("connection to the workload cluster is down"));
    // Before that nobody is asked for Nodes, so none is missed.
    let objects = [three(ALL), vec![machine(|_| {}), not("ControlPlaneInitialized")]].concat();
    let found = look(&cut_off, 400, &objects);
    assert_eq!((found.said.len(), found.outcome), (0, Outcome::done()));
    assert_eq!(found.check.expect("written").expected_machines, 4);
}

/// A Cluster of which this is not true yet.
fn not(kind: &'static str) -> Object {
    cluster(|cluster| {
        cluster.conditions.set(Condition::new(kind, Status::False, "", "", SimTime::ZERO));
    })
}

#[test]
fn while_the_infrastructure_is_not_ready_who_has_a_node_is_healthy() {
    let objects = [three(ALL), vec![not("InfrastructureReady")]].concat();
    let check = look(&plain(), 400, &objects).check.expect("written");
    assert_eq!((check.expected_machines, check.current_healthy), (3, 3));
}

#[test]
fn the_clock_of_a_control_plane_machine_runs_before_the_control_plane_is_initialized() {
    let first = |label: &'static str| {
        let machine = machine(|object| {
            without_node(object);
            let mut all = (*object.meta.labels).clone();
            all.insert(Text::word(label), Text::EMPTY);
            object.meta.labels = Arc::new(all);
        });
        look(&plain(), 601, &[machine, check(ALL), not("ControlPlaneInitialized")]).said.len()
    };
    assert_eq!(first("cluster.x-k8s.io/control-plane"), 2);
    assert_eq!(first("cluster.x-k8s.io/set-name"), 0);
}

#[test]
fn a_node_that_is_gone_or_a_person_that_says_so_needs_no_clock() {
    let said = |setup: &Setup, object: Object| look(setup, 1, &[object, check(ALL)]).said.remove(0);
    let gone = || machine(|_| {});
    assert_eq!(said(&plain(), gone()), "w HealthCheckSucceeded=False NodeNotFound ");
    let words = "NodeDeleted Health check failed:\n  * Node w has been deleted";
    assert_eq!(said(&newer(), gone()), format!("w HealthCheckSucceeded=False {words}"));
    let named = || machine(|object| annotate(object, "cluster.x-k8s.io/remediate-machine"));
    let words =
        "HasRemediateMachineAnnotation Marked for remediation via remediate-machine annotation";
    assert_eq!(said(&plain(), named()), format!("w HealthCheckSucceeded=False {words}"));
    let words = "HasRemediateAnnotation Health check failed: marked for remediation via \
                 cluster.x-k8s.io/remediate-machine annotation";
    assert_eq!(said(&newer(), named()), format!("w HealthCheckSucceeded=False {words}"));
}

#[test]
fn only_machines_of_the_selector_count_and_the_exempt_are_named() {
    let other = machine(|object| {
        object.meta.key.name = Text::word("other");
        object.meta.labels = crate::api::labels([("pool", Text::word("b"))]);
    });
    let exempt = machine(|object| annotate(object, "cluster.x-k8s.io/skip-remediation"));
    let mut objects = [pair("a", Status::True, 0), vec![check(ALL)]].concat();
    objects.extend([other, exempt]);
    let why = "remediation Machine=\"default/w\" reason=\"machine has \
               \\\"cluster.x-k8s.io/skip-remediation\\\" annotation\"";
    for (setup, word) in [(plain(), "skipping"), (newer(), "Skipping")] {
        let found = look(&setup, 400, &objects);
        assert_eq!(found.check.expect("written").expected_machines, 1);
        assert_eq!(found.logs, [format!("{word} {why}")]);
    }
}

#[test]
fn events_and_requests_come_from_the_health_check_controller() {
    let controller = HealthCheckController::new(settings());
    assert_eq!(controller.agent(), "machinehealthcheck-controller");
}
