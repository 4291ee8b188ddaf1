//! Of several schedulers one binds; a new one first fills its caches.

use super::tests::{node, pod, settings};
use super::*;
use crate::api::{Answer, ApiError, Revision, WatchKind};
use crate::client::testing::Bench;
use crate::client::trusted_front_proxy;
use crate::infra::{Effect, EndpointId, Start};

fn started(start: Start, standing: Standing) -> Bench<Scheduler, Event> {
    let scheduler = Scheduler::new(settings(), Address::Endpoint(EndpointId(1)), standing);
    let objects = [node("worker-0", |_| {})];
    Bench::started(scheduler, "kube-scheduler", Scheduler::on_event, start, &objects)
}

#[test]
fn a_standby_queues_what_waits_and_binds_it_once_it_leads() {
    let mut bench = started(Start::Steady, Standing::Standby);
    bench.elects = false;
    bench.shows(WatchKind::Added, pod("web", ""));
    bench.pass(Duration::from_secs(1));
    assert!(bench.writes().is_empty(), "somebody else leads");
    bench.pass(Duration::from_millis(3_400));
    let key = crate::client::lease_lock("kube-scheduler");
    let at = bench.waiting().iter().position(|words| words == "get Lease/kube-scheduler");
    let (connection, request) = bench.asked.remove(at.expect("it looks"));
    bench.answer(connection, request.id, Err(ApiError::not_found(&key)));
    bench.grant("create Lease/kube-scheduler");
    bench.pass(Duration::from_millis(1));
    let bound = bench.waiting().iter().any(|words| words == "bind Pod/web");
    assert!(bound, "{:?}", bench.waiting());
}

#[test]
fn a_new_scheduler_is_no_candidate_before_its_caches_are_filled() {
    let scheduler = Scheduler::new(settings(), Address::Endpoint(EndpointId(1)), Standing::Leader);
    let react = Scheduler::on_event;
    let mut bench = Bench::started(scheduler, "kube-scheduler", react, Start::Fresh, &[]);
    trust_answered(&mut bench, ApiError::not_found(&trusted_front_proxy()));
    bench.list(&[]);
    assert!(bench.component.election.is_leader(), "listed, elected");

    let scheduler = Scheduler::new(settings(), Address::Endpoint(EndpointId(1)), Standing::Leader);
    let mut component = scheduler;
    let effects = bench.bed.play(|ctx| component.begin(Start::Fresh, ctx));
    let asked = crate::infra::testbed::requests(&effects);
    assert!(asked.iter().all(|(_, request)| request.verb.name() == "list"), "{asked:?}");
    for (connection, request) in asked {
        assert!(component.election.is_idle());
        let list = Ok(Answer::List(Revision(7), Vec::new()));
        let message = crate::wire::Message::Answer(request.id, list);
        bench.bed.play(|ctx| component.on_event(Input::Message(connection, message), ctx));
    }
    assert!(!component.election.is_idle());
}

/// Whom to trust is all that a new scheduler asks for; this is the answer.
fn trust_answered(bench: &mut Bench<Scheduler, Event>, error: ApiError) {
    assert_eq!(bench.waiting(), ["get ConfigMap/extension-apiserver-authentication"]);
    assert!(bench.bed.process.is_closed, "nobody can ask it how it is");
    let (connection, request) = bench.asked.remove(0);
    bench.answer(connection, request.id, Err(error));
    assert!(!bench.bed.process.is_closed);
}

#[test]
fn a_new_scheduler_listens_once_it_has_asked_whom_to_trust_and_goes_on_without_an_answer() {
    let mut bench = started(Start::Fresh, Standing::Leader);
    trust_answered(&mut bench, ApiError::unreachable("connect: connection refused"));
    let words = "Error looking up in-cluster authentication configuration: connect: connection \
                 refused";
    assert_eq!(bench.lines, [words]);
    assert!(bench.waiting().iter().all(|words| words.starts_with("list ")));
}

#[test]
fn a_leader_that_is_told_to_end_gives_its_lease_away_first() {
    let ends = |effects: &[Effect<Event>]| effects.iter().any(|it| matches!(it, Effect::Exit));
    let mut bench = started(Start::Steady, Standing::Leader);
    assert!(bench.component.election.is_leader());
    // It knows the Lease once it has renewed it.
    bench.pass(Duration::from_secs(3));
    bench.elects = false;
    let effects = bench.play(Input::Terminate);
    assert!(!ends(&effects), "it waits for the answer");
    let released = bench.waiting().iter().position(|words| words == "update Lease/kube-scheduler");
    let (connection, request) = bench.asked.remove(released.expect("it writes"));
    let Verb::Update(object) = &request.verb else { panic!("{request:?}") };
    let lease = object.lease().expect("a Lease");
    assert_eq!((&lease.holder[..], lease.duration), ("", Duration::from_secs(1)));
    let gone = Err(ApiError::unreachable("connection refused"));
    assert!(ends(&bench.answer(connection, request.id, gone)), "whatever comes of it");
}

#[test]
fn a_standby_that_is_told_to_end_just_ends() {
    let mut bench = started(Start::Steady, Standing::Standby);
    bench.elects = false;
    let effects = bench.play(Input::Terminate);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Exit)));
    assert!(bench.writes().is_empty());
}
