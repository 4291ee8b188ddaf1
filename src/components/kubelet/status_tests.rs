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
