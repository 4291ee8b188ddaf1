//! EndpointSlices: who is in them, and as what.

use super::tests::{manager, pod, settings};
use super::*;
use crate::api::kinds::{Condition, Endpoint, EndpointSlice, PodPhase, Service, Status};
use crate::api::{Deletion, Meta, Object, Uid, labels};
use crate::engine::SimTime;
use std::sync::Arc;

fn service() -> Object {
    let selector = labels([("app", Text::word("web"))]);
    let mut meta = Meta::new(Kind::Service, "default", "web");
    meta.uid = Uid(8);
    Object::new(meta, Service { selector })
}

fn web(name: &'static str, change: impl FnOnce(&mut Object)) -> Object {
    let mut object = pod(name, "a");
    object.meta.labels = labels([("app", Text::word("web"))]);
    object.pod_mut().expect("a Pod").started = Some(SimTime::ZERO);
    change(&mut object);
    object
}

/// The slice that the controller writes among these objects.
fn written(objects: &[Object], words: &str) -> Arc<Object> {
    let mut bench = manager(settings(), objects);
    bench.pass(Duration::ZERO);
    bench.pass(Duration::from_millis(1));
    let waiting = bench.waiting();
    let found = waiting.iter().find(|waiting| waiting.starts_with(words));
    bench.grant(&found.unwrap_or_else(|| panic!("{waiting:?}")).clone())
}

fn endpoints(objects: &[Object]) -> Vec<(String, [bool; 3])> {
    let slice = written(objects, "create EndpointSlice/web-");
    let flags = |e: &Endpoint| (e.pod.to_string(), [e.ready, e.serving, e.terminating]);
    slice.endpoint_slice().expect("a slice").endpoints.iter().map(flags).collect()
}

#[test]
fn a_pod_is_ready_while_it_serves_and_stays() {
    let unready = |object: &mut Object| {
        let conditions = &mut object.pod_mut().expect("a Pod").conditions;
        conditions.set(Condition::new("Ready", Status::False, "", "", SimTime::ZERO));
    };
    let dying = |object: &mut Object| {
        object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    };
    let objects = [service(), web("well", |_| {}), web("unready", unready), web("dying", dying)];
    let found = endpoints(&objects);
    let wanted = [
        ("dying".to_owned(), [false, true, true]),
        ("unready".to_owned(), [false, false, false]),
        ("well".to_owned(), [true, true, false]),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn who_has_ended_never_ran_or_is_another_apps_is_no_endpoint() {
    let ended = |object: &mut Object| object.pod_mut().expect("a Pod").phase = PodPhase::Failed;
    let starting = |object: &mut Object| object.pod_mut().expect("a Pod").started = None;
    let other = |object: &mut Object| {
        object.meta.labels = labels([("app", Text::word("db"))]);
    };
    let objects = [service(), web("ended", ended), web("starting", starting), web("other", other)];
    assert_eq!(endpoints(&objects), []);
}

#[test]
fn a_slice_that_is_right_is_left_alone_and_another_is_changed() {
    let slice = |endpoints| {
        let meta = Meta::new(Kind::EndpointSlice, "default", "web-1").owned_by(&service().meta);
        Object::new(meta, EndpointSlice { endpoints })
    };
    let changed = written(&[service(), web("well", |_| {}), slice(Vec::new())], "patch Endpoint");
    let right = changed.endpoint_slice().expect("a slice").endpoints.clone();
    assert_eq!(right.len(), 1);
    let mut bench = manager(settings(), &[service(), web("well", |_| {}), slice(right)]);
    bench.pass(Duration::ZERO);
    bench.pass(Duration::from_millis(1));
    assert!(bench.writes().is_empty());
}
