//! When a backoff ends, as each release looks for that.

use super::tests::{node, pod, settings};
use super::*;
use crate::client::testing::Bench;
use crate::engine::SimTime;
use crate::infra::{Effect, EndpointId};

/// A scheduler that pops Pods out of their backoff (from 1.33), or not.
fn scheduler(pops_backoff: bool) -> Scheduler {
    let settings = Settings { pops_backoff, ..settings() };
    Scheduler::new(settings, Address::Endpoint(EndpointId(1)), Standing::Leader)
}

/// A leading scheduler at 0.3 s with a Pod that could just not be bound, and what came of that.
fn failed_at_300_ms(pops_backoff: bool) -> (Bench<Scheduler, Event>, Vec<Effect<Event>>) {
    failed_for(Duration::from_secs(1), pops_backoff)
}

fn failed_for(
    backoff_first: Duration,
    pops_backoff: bool,
) -> (Bench<Scheduler, Event>, Vec<Effect<Event>>) {
    let objects = [node("a", |_| {}), pod("web", "")];
    let settings = Settings { pops_backoff, backoff_first, ..settings() };
    let new = Scheduler::new(settings, Address::Endpoint(EndpointId(1)), Standing::Leader);
    let react = Scheduler::on_event;
    let mut bench = Bench::started(new, "kube-scheduler", react, Start::Steady, &objects);
    bench.pass(Duration::from_millis(300));
    let at = bench.waiting().iter().position(|words| words == "bind Pod/web");
    let (connection, request) = bench.asked.remove(at.expect("it is bound"));
    let error = ApiError::new(crate::api::Reason::Unknown, "etcdserver: request timed out");
    let effects = bench.answer(connection, request.id, Err(error));
    (bench, effects)
}

/// True if a look at a time has the Pod tried.
fn leaves_at(bench: &mut Bench<Scheduler, Event>, millis: u64) -> bool {
    bench.bed.now = SimTime::ZERO + Duration::from_millis(millis);
    let effects = bench.play(Input::Tick(FLUSH_BACKOFF));
    let decides = |effect: &Effect<Event>| matches!(effect, Effect::After(_, _, Event::Decide(_)));
    effects.iter().any(decides)
}

#[test]
fn up_to_1_32_a_backoff_ends_with_the_first_look_that_finds_it_over() {
    let (mut bench, _) = failed_at_300_ms(false);
    assert!(!leaves_at(&mut bench, 1_299));
    assert!(leaves_at(&mut bench, 1_300), "`After` does not hold at that instant");
}

#[test]
fn from_1_33_on_the_backoff_of_an_error_ends_with_the_second_that_it_is_in() {
    let (mut bench, _) = failed_at_300_ms(true);
    assert!(!leaves_at(&mut bench, 1_000));
    assert!(leaves_at(&mut bench, 2_000), "it was over at 1.3 s");
    let (mut bench, _) = failed_for(Duration::from_millis(700), true);
    assert!(!leaves_at(&mut bench, 1_000), "over at 1 s, in the second that has just begun");
    assert!(leaves_at(&mut bench, 2_000));
}

#[test]
fn who_looks_sleeps_while_nothing_is_in_backoff() {
    for pops_backoff in [false, true] {
        let sleeps = |effects: &[Effect<Event>]| {
            effects.iter().any(|effect| matches!(effect, Effect::Sleep(FLUSH_BACKOFF)))
        };
        let (mut bench, failed) = failed_at_300_ms(pops_backoff);
        let wakes = |effect: &Effect<Event>| matches!(effect, Effect::Wake(FLUSH_BACKOFF));
        assert!(failed.iter().any(wakes));
        assert!(!sleeps(&bench.play(Input::Tick(FLUSH_BACKOFF))), "one waits");
        bench.bed.now = SimTime::ZERO + Duration::from_secs(3);
        assert!(sleeps(&bench.play(Input::Tick(FLUSH_BACKOFF))), "it is tried");
    }
}

/// After how long a scheduler looks for the first time.
fn first_look(pops_backoff: bool, start: Start) -> Duration {
    let mut bed = crate::infra::testbed::Testbed::new("kube-scheduler", "control-plane-0");
    bed.now = SimTime::ZERO + Duration::from_millis(40_300);
    let effects = bed.play(|ctx| scheduler(pops_backoff).run_queue(start, ctx));
    let armed = effects.iter().find_map(|effect| match effect {
        Effect::Arm(FLUSH_BACKOFF, pause) => Some(*pause),
        _ => None,
    });
    armed.expect("it looks")
}

#[test]
fn looks_count_from_the_election_and_from_1_33_on_come_with_whole_seconds() {
    assert_eq!(first_look(false, Start::Fresh), Duration::ZERO);
    let steady = first_look(false, Start::Steady);
    assert!(steady < Duration::from_secs(1) && steady != Duration::ZERO, "{steady}");
    for start in [Start::Fresh, Start::Steady] {
        assert_eq!(first_look(true, start), Duration::from_millis(700));
    }
}

#[test]
fn a_standby_does_not_look() {
    let (standing, server) = (Standing::Standby, Address::Endpoint(EndpointId(1)));
    let mut standby = Scheduler::new(settings(), server, standing);
    let mut bed = crate::infra::testbed::Testbed::new("kube-scheduler", "control-plane-0");
    let effects = bed.play(|ctx| standby.on_event(Input::Started(Start::Steady), ctx));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Arm(..))));
}
