//! What a kubelet that starts says of its Node before it has looked at its container runtime.

use super::tests::{kubelet, node, settings, started_as};
use super::*;
use crate::api::kinds::Status;
use crate::api::{Answer, ApiError, Object, Reason};
use crate::client::testing::Bench;
use crate::infra::Start;
use std::sync::Arc;

/// A kubelet that has been started again and looks at its runtime for a second; its registration
/// waits for an answer.
fn restarted() -> Bench<Kubelet, Event> {
    let runtime_check = Delay::fixed(Duration::from_secs(1));
    let kubelet = Kubelet { settings: Settings { runtime_check, ..settings() }, ..kubelet() };
    started_as(kubelet, Start::Fresh, &[])
}

/// The API server has this Node, and shows it whenever it is asked for.
fn knows(bench: &mut Bench<Kubelet, Event>, known: &Object) {
    let waiting = |bench: &Bench<Kubelet, Event>, words: &str| {
        bench.waiting().iter().position(|waits| waits == words)
    };
    if let Some(at) = waiting(bench, "create Node/w") {
        let (connection, request) = bench.asked.remove(at);
        let error = ApiError::new(Reason::AlreadyExists, "nodes \"w\" already exists");
        bench.answer(connection, request.id, Err(error));
    }
    while let Some(at) = waiting(bench, "get Node/w") {
        let (connection, request) = bench.asked.remove(at);
        bench.answer(connection, request.id, Ok(Answer::Object(Arc::new(known.clone()))));
    }
}

/// What it then says of its readiness, if it says anything.
fn says(bench: &mut Bench<Kubelet, Event>) -> Option<(Status, String)> {
    bench.waiting().iter().find(|words| *words == "patch Node/w")?;
    let object = bench.grant("patch Node/w");
    let ready = object.node()?.conditions.get("Ready")?.clone();
    Some((ready.status, ready.message.to_string()))
}

#[test]
fn a_node_that_is_still_ready_is_reported_unready_until_the_next_period() {
    let mut bench = restarted();
    knows(&mut bench, &node(true));
    let words = "container runtime status check may not have completed yet".to_owned();
    assert_eq!(says(&mut bench), Some((Status::False, words)));
    bench.bed.pass(Duration::from_secs(10));
    bench.play(Input::Tick(STATUS));
    knows(&mut bench, &node(false));
    let words = "kubelet is posting ready status".to_owned();
    assert_eq!(says(&mut bench), Some((Status::True, words)));
}

#[test]
fn who_registers_only_after_the_runtime_has_been_looked_at_says_that_it_is_ready() {
    let mut bench = restarted();
    bench.bed.pass(Duration::from_secs(1));
    knows(&mut bench, &node(true));
    assert!(says(&mut bench).is_none_or(|(status, _)| status == Status::True));
}

#[test]
fn a_node_that_is_not_ready_any_more_is_ready_with_the_first_report() {
    let mut bench = restarted();
    knows(&mut bench, &node(false));
    assert_eq!(says(&mut bench).map(|(status, _)| status), Some(Status::True));
}

/// After how many seconds a kubelet that has just reported does so again, though nothing is new.
fn reports_after(bench: &mut Bench<Kubelet, Event>) -> u64 {
    for seconds in 1..=1000 {
        bench.bed.pass(Duration::from_secs(1));
        bench.play(Input::Tick(STATUS));
        knows(bench, &node(true));
        if says(bench).is_some() {
            return seconds;
        }
    }
    panic!("it reports no more")
}

#[test]
fn after_a_change_the_next_report_comes_earlier_or_later_and_then_each_after_the_same_time() {
    for (percent, within) in [(0, 300..=300), (50, 150..=451)] {
        let settings = Settings { status_report_jitter_percent: percent, ..settings() };
        let mut bench = started_as(Kubelet { settings, ..kubelet() }, Start::Fresh, &[]);
        knows(&mut bench, &node(true));
        says(&mut bench).expect("a first report");
        let mut first = Vec::new();
        for _ in 0..20 {
            bench.bed.pass(Duration::from_secs(1));
            bench.play(Input::Tick(STATUS));
            knows(&mut bench, &node(false));
            says(&mut bench).expect("a change");
            first.push(reports_after(&mut bench));
            assert_eq!([reports_after(&mut bench), reports_after(&mut bench)], [300, 300]);
        }
        assert!(first.iter().all(|after| within.contains(after)), "{first:?}");
        let is_spread = first.iter().any(|after| *after != first[0]);
        assert_eq!(is_spread, percent > 0, "{first:?}");
    }
}
