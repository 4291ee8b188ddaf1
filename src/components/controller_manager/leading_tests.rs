//! Who leads, what a standby does, and how a manager begins and ends.

use super::tests::{node, settings};
use super::*;
use crate::api::Object;
use crate::api::{Answer, ApiError, Reason};
use crate::client::testing::Bench;
use crate::infra::testbed::logs;
use crate::infra::{Effect, EndpointId, Start};

type Manager = Bench<ControllerManager, Event>;

fn started(start: Start, standing: Standing, objects: &[Object]) -> Manager {
    let manager = ControllerManager::new(settings(), Address::Endpoint(EndpointId(1)), standing);
    let react = ControllerManager::on_event;
    Bench::started(manager, "kube-controller-manager", react, start, objects)
}

fn exits(effects: &[Effect<Event>]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Exit))
}

/// A new manager that has asked its API server whom to trust.
fn asking() -> Manager {
    let mut bench = started(Start::Fresh, Standing::Leader, &[]);
    bench.elects = false;
    assert!(bench.waiting().is_empty(), "it has its settings to read");
    assert!(bench.bed.process.is_closed, "nobody can ask it how it is");
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.waiting(), ["get ConfigMap/extension-apiserver-authentication"]);
    assert!(bench.bed.process.is_closed, "nor while it waits for the answer");
    bench
}

fn answer_all(bench: &mut Manager, answered: &Answered) -> Vec<Effect<Event>> {
    let (connection, request) = bench.asked.remove(0);
    bench.answer(connection, request.id, answered.clone())
}

#[test]
fn a_standby_does_nothing_but_look_at_the_lease() {
    let mut bench = started(Start::Steady, Standing::Standby, &[node("worker-0")]);
    bench.elects = false;
    let effects = bench.play(Input::Tick(MONITOR));
    assert!(effects.iter().all(|effect| !matches!(effect, Effect::Send(..))));
    bench.pass(Duration::from_millis(4_400));
    assert_eq!(bench.waiting(), ["get Lease/kube-controller-manager"]);
}

#[test]
fn without_an_api_server_a_new_manager_ends() {
    let mut bench = asking();
    let refused = Err(ApiError::unreachable("connect: connection refused"));
    let effects = answer_all(&mut bench, &refused);
    assert!(exits(&effects));
    let words = "unable to load configmap based request-header-client-ca-file: connect: connection \
                 refused";
    assert_eq!(logs(&effects), [words]);
    let mut bench = asking();
    let ill = Err(ApiError::new(Reason::Unknown, "etcdserver: request timed out"));
    assert!(exits(&answer_all(&mut bench, &ill)));
}

#[test]
fn a_manager_that_is_told_whom_to_trust_stands_without_an_api_server() {
    let told = Settings { lookup_timeout: None, ..settings() };
    let manager = ControllerManager::new(told, Address::Endpoint(EndpointId(1)), Standing::Leader);
    let react = ControllerManager::on_event;
    let program = "kube-controller-manager";
    let mut bench = Bench::started(manager, program, react, Start::Fresh, &[]);
    bench.elects = false;
    assert!(bench.bed.process.is_closed, "it has its settings to read");
    bench.pass(Duration::from_millis(500));
    assert!(!bench.bed.process.is_closed, "it listens");
    assert_eq!(bench.waiting(), ["get Lease/kube-controller-manager"]);
    let refused = Err(ApiError::unreachable("connect: connection refused"));
    assert!(!exits(&answer_all(&mut bench, &refused)), "a candidate has time");
    bench.pass(Duration::from_millis(4_400));
    assert_eq!(bench.waiting(), ["get Lease/kube-controller-manager"]);
}

#[test]
fn a_new_leader_lists_everything_before_its_controllers_begin() {
    let mut bench = asking();
    let key = crate::client::lease_lock("kube-controller-manager");
    answer_all(&mut bench, &Err(ApiError::not_found(&key)));
    assert!(!bench.bed.process.is_closed);
    assert_eq!(bench.waiting(), ["get Lease/kube-controller-manager"]);
    answer_all(&mut bench, &Err(ApiError::not_found(&key)));
    bench.grant("create Lease/kube-controller-manager");
    let waiting = bench.waiting();
    let lists = waiting.iter().filter(|words| words.starts_with("list ")).count();
    assert_eq!(lists, WATCHED.len() + 2, "{waiting:?}");
    let said = waiting.iter().filter(|words| words.starts_with("create Event/")).count();
    assert_eq!(said, 1, "that it leads: {waiting:?}");
    assert!(!bench.component.works);
    for left in (0..WATCHED.len()).rev() {
        assert!(!bench.component.works, "{left} more are to come");
        let of_controllers =
            |verb: &Verb| matches!(verb, Verb::List(kind, ..) if WATCHED.contains(kind));
        let at = bench.asked.iter().position(|(_, request)| of_controllers(&request.verb));
        let (connection, request) = bench.asked.remove(at.expect("a list"));
        let list = Answer::List(crate::api::Revision(7), Vec::new());
        bench.answer(connection, request.id, Ok(list));
    }
    assert!(bench.component.works, "the first pass is armed");
}

#[test]
fn a_manager_whose_lease_is_lost_ends() {
    let mut bench = started(Start::Steady, Standing::Leader, &[node("worker-0")]);
    bench.elects = false;
    let mut ends = Vec::new();
    for _ in 0..140 {
        bench.pass(Duration::from_millis(100));
        while let Some(at) = bench.waiting().iter().position(|words| words.contains("Lease/kube-"))
        {
            let (connection, request) = bench.asked.remove(at);
            let refused = Err(ApiError::unreachable("connect: connection refused"));
            bench.answer(connection, request.id, refused);
        }
        let due = std::mem::take(&mut bench.timers);
        let (now, later): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|(delay, _)| delay.is_zero());
        bench.timers = later;
        for (_, event) in now {
            let effects = bench.play(Input::Due(event));
            if exits(&effects) {
                ends.extend(logs(&effects));
            }
        }
        // What falls due within the next 100 ms is played here, to see its effects.
        let over = |event: &Event| {
            matches!(event, Event::Client(Alarm { ring: crate::client::Ring::RenewalOver(_), .. }))
        };
        let soon = |delay: &Duration| *delay <= Duration::from_millis(100);
        if let Some(at) = bench.timers.iter().position(|(delay, event)| over(event) && soon(delay))
        {
            let (_, event) = bench.timers.remove(at);
            let effects = bench.play(Input::Due(event));
            assert!(exits(&effects), "10 s in vain");
            ends.extend(logs(&effects));
        }
    }
    assert_eq!(
        ends,
        [
            "failed to renew lease kube-system/kube-controller-manager: context deadline exceeded",
            "leaderelection lost"
        ]
    );
}
