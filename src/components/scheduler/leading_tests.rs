//! Of several schedulers one binds; a new one first fills its caches.

use super::tests::{node, pod, settings};
use super::*;
use crate::api::{Answer, ApiError, Revision, WatchKind};
use crate::client::testing::Bench;
use crate::infra::{EndpointId, Start};

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
    assert!(bench.component.election.is_leader(), "listed, elected");

    let scheduler = Scheduler::new(settings(), Address::Endpoint(EndpointId(1)), Standing::Leader);
    let mut component = scheduler;
    let effects = bench.bed.play(|ctx| component.on_event(Input::Started(Start::Fresh), ctx));
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
