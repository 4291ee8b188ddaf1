//! EndpointSlices: who is in them, and as what.

use super::tests::{Manager, manager, node, pod, settings};
use super::*;
use crate::api::kinds::{Condition, Endpoint, EndpointSlice, PodPhase, Service, Status};
use crate::api::{Deletion, Meta, Object, Uid, WatchKind, labels};
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
    let objects = [&[node("a")], objects].concat();
    granted(&mut manager(settings(), &objects), words)
}

/// The next write of a slice, which is granted.
fn granted(bench: &mut Manager, words: &str) -> Arc<Object> {
    bench.pass(Duration::ZERO);
    bench.pass(Duration::from_millis(1));
    let waiting = bench.waiting();
    let found = waiting.iter().find(|waiting| waiting.starts_with(words));
    bench.grant(&found.unwrap_or_else(|| panic!("{waiting:?}")).clone())
}

/// A slice of the Service that is stored, with these endpoints.
fn stored(endpoints: &[Endpoint]) -> Object {
    let meta = Meta::new(Kind::EndpointSlice, "default", "web-1").owned_by(&service().meta);
    Object::new(meta, EndpointSlice { endpoints: endpoints.to_vec() })
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
    let changed = written(&[service(), web("well", |_| {}), stored(&[])], "patch Endpoint");
    let right = changed.endpoint_slice().expect("a slice").endpoints.clone();
    assert_eq!(right.len(), 1);
    let objects = [node("a"), service(), web("well", |_| {}), stored(&right)];
    let mut bench = manager(settings(), &objects);
    bench.pass(Duration::ZERO);
    bench.pass(Duration::from_millis(1));
    assert!(bench.writes().is_empty());
}

/// What the stored slice becomes.
fn patched(bench: &mut Manager) -> Vec<Endpoint> {
    let slice = granted(bench, "patch EndpointSlice/web-1");
    slice.endpoint_slice().expect("a slice").endpoints.clone()
}

/// A manager that finds a Pod of the Service as its endpoint.
fn serving() -> (Manager, Object) {
    let pod = web("well", |_| {});
    let found = written(&[service(), pod.clone()], "create EndpointSlice/web-");
    let right = found.endpoint_slice().expect("a slice").endpoints.clone();
    let mut bench = manager(settings(), &[node("a"), service(), pod.clone(), stored(&right)]);
    bench.pass(Duration::from_millis(1));
    bench.pass(Duration::from_millis(1));
    assert!(bench.writes().is_empty());
    (bench, pod)
}

#[test]
fn a_pod_whose_labels_change_leaves_the_service_that_selected_it() {
    let (mut bench, mut pod) = serving();
    pod.meta.labels = labels([("app", Text::word("quarantine"))]);
    bench.shows(WatchKind::Modified, pod);
    assert_eq!(patched(&mut bench), []);
}

#[test]
fn a_pod_of_a_node_that_is_gone_is_left_out_at_the_next_look_and_until_the_node_is_back() {
    let (mut bench, pod) = serving();
    bench.shows(WatchKind::Deleted, node("a"));
    bench.pass(Duration::from_millis(1));
    let slices = |bench: &Manager| {
        bench.waiting().iter().filter(|words| words.contains("EndpointSlice")).count()
    };
    assert_eq!(slices(&bench), 0, "nobody looks at the Service because of a Node");
    bench.shows(WatchKind::Modified, pod);
    assert_eq!(patched(&mut bench), []);
    bench.shows(WatchKind::Modified, stored(&[]));
    let told = bench.writes().into_iter().find_map(|(_, object)| {
        let event = object?.event().cloned()?;
        (event.reason == *"FailedToUpdateEndpointSlices").then_some(event.message)
    });
    let wrong = "skipping Pod well for Service default/web: Node a Not Found";
    let words = format!("Error updating Endpoint Slices for Service default/web: {wrong}");
    assert_eq!(told.as_deref(), Some(words.as_str()));
    bench.shows(WatchKind::Added, node("a"));
    bench.pass(Duration::from_millis(100));
    assert_eq!(slices(&bench), 0, "it is tried again after a pause");
    bench.pass(Duration::from_secs(2));
    assert_eq!(patched(&mut bench).len(), 1);
}
