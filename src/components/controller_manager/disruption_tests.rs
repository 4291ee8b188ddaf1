//! The disruption controller: what it counts, and what it does not undo.

use super::tests::{Manager, manager, pod, settings};
use super::*;
use crate::api::kinds::{
    Amount, Deployment, PodDisruptionBudget, PodTemplate, ReplicaSet, Status, Wanted,
};
use crate::api::{ApiError, Deletion, Meta, Object, Uid, WatchKind, labels};
use crate::engine::SimTime;
use std::sync::Arc;

/// A Pod of the ReplicaSet of the Deployment `web`.
fn web(name: &'static str, change: impl FnOnce(&mut Object)) -> Object {
    let mut object = pod(name, "a");
    object.meta = object.meta.owned_by(&set().meta);
    object.meta.labels = labels([("app", Text::word("web"))]);
    change(&mut object);
    object
}

fn set() -> Object {
    let mut meta = Meta::new(Kind::ReplicaSet, "default", "web-1").owned_by(&deployment().meta);
    meta.uid = Uid(7);
    let template = Arc::new(PodTemplate::default());
    Object::new(meta, ReplicaSet { replicas: 3, template, ..ReplicaSet::default() })
}

fn deployment() -> Object {
    let mut meta = Meta::new(Kind::Deployment, "default", "web");
    meta.uid = Uid(6);
    Object::new(meta, Deployment { replicas: 4, ..Deployment::default() })
}

fn budget(wanted: Wanted, change: impl FnOnce(&mut PodDisruptionBudget)) -> Object {
    let mut body = PodDisruptionBudget::new(labels([("app", Text::word("web"))]), wanted);
    change(&mut body);
    Object::new(Meta::new(Kind::PodDisruptionBudget, "default", "web"), body)
}

fn three_pods() -> Vec<Object> {
    ["web-1-a", "web-1-b", "web-1-c"].map(|name| web(name, |_| {})).to_vec()
}

/// What the controller writes about the budget among these objects, once it has thought.
fn status(mut objects: Vec<Object>, budget: Object) -> PodDisruptionBudget {
    objects.extend([set(), deployment(), budget]);
    let mut bench = counting(&objects);
    let written = bench.grant("update PodDisruptionBudget/web");
    written.pod_disruption_budget().expect("a budget").clone()
}

fn counting(objects: &[Object]) -> Manager {
    let mut bench = manager(settings(), objects);
    bench.pass(Duration::ZERO);
    bench.pass(Duration::from_millis(1));
    bench
}

fn at_least(count: u32) -> Wanted {
    Wanted::MinAvailable(Amount::Count(count))
}

#[test]
fn what_is_healthy_beyond_what_is_wanted_may_go() {
    let counted = status(three_pods(), budget(at_least(2), |_| {}));
    assert_eq!((counted.current_healthy, counted.desired_healthy), (3, 2));
    assert_eq!((counted.expected_pods, counted.disruptions_allowed), (3, 1));
    assert_eq!(counted.observed_generation, counted.generation, "counted");
}

#[test]
fn a_share_is_of_what_the_deployment_wants() {
    let half = Wanted::MinAvailable(Amount::Percent(50));
    let counted = status(three_pods(), budget(half, |_| {}));
    assert_eq!((counted.expected_pods, counted.desired_healthy), (4, 2));
    let quarter = Wanted::MaxUnavailable(Amount::Percent(25));
    let counted = status(three_pods(), budget(quarter, |_| {}));
    assert_eq!((counted.desired_healthy, counted.disruptions_allowed), (3, 0));
}

#[test]
fn a_pod_that_goes_or_is_not_ready_or_was_granted_to_go_does_not_count() {
    let mut pods = three_pods();
    pods.push(web("web-1-dying", |object| {
        object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::from_secs(30) });
    }));
    pods.push(web("web-1-ill", |object| {
        let body = object.pod_mut().expect("a Pod");
        body.conditions.set(crate::api::kinds::Condition::new(
            "Ready",
            Status::False,
            "",
            "",
            SimTime::ZERO,
        ));
    }));
    let granted = |body: &mut PodDisruptionBudget| {
        body.disrupted_pods.insert(Text::word("web-1-a"), SimTime::ZERO);
        body.disrupted_pods.insert(Text::word("web-1-gone"), SimTime::ZERO);
    };
    let counted = status(pods, budget(at_least(1), granted));
    assert_eq!(counted.current_healthy, 2);
    let known: Vec<&Text> = counted.disrupted_pods.keys().collect();
    assert_eq!(known, ["web-1-a"], "what is gone need not be remembered");
}

#[test]
fn a_granted_eviction_that_does_not_show_counts_again_after_two_minutes() {
    let granted = |body: &mut PodDisruptionBudget| {
        body.disrupted_pods.insert(Text::word("web-1-a"), SimTime::ZERO);
    };
    let mut objects = three_pods();
    objects.extend([set(), deployment(), budget(at_least(1), granted)]);
    let mut bench = counting(&objects);
    let written = bench.grant("update PodDisruptionBudget/web");
    bench.shows(WatchKind::Modified, Object::clone(&written));
    bench.pass(Duration::from_secs(119));
    bench.pass(Duration::from_millis(1));
    assert!(!bench.waiting().contains(&"update PodDisruptionBudget/web".to_owned()));
    bench.pass(Duration::from_secs(2));
    bench.pass(Duration::from_millis(1));
    let again = bench.grant("update PodDisruptionBudget/web");
    assert_eq!(again.pod_disruption_budget().expect("a budget").current_healthy, 3);
    let events = bench.writes().into_iter().filter_map(|(_, object)| object);
    let reasons: Vec<Text> =
        events.filter_map(|object| Some(object.event()?.reason.clone())).collect();
    assert!(reasons.contains(&Text::word("NotDeleted")), "{reasons:?}");
}

#[test]
fn a_status_computed_from_an_old_budget_is_not_written_over_a_newer_one() {
    let mut objects = three_pods();
    objects.extend([set(), deployment(), budget(at_least(2), |_| {})]);
    let mut bench = counting(&objects);
    let words = "update PodDisruptionBudget/web";
    let place = bench.waiting().iter().position(|waiting| waiting == words).expect("it counts");
    let (connection, request) = bench.asked.remove(place);
    let conflict = ApiError::conflict(budget(at_least(2), |_| {}).key());
    bench.answer(connection, request.id, Err(conflict));
    bench.pass(Duration::from_millis(5));
    bench.pass(Duration::from_millis(1));
    assert!(bench.waiting().contains(&words.to_owned()), "it looks again and writes anew");
}

#[test]
fn without_its_controllers_a_share_cannot_be_told_and_nothing_is_granted() {
    let half = Wanted::MinAvailable(Amount::Percent(50));
    let mut objects = three_pods();
    objects.push(budget(half, |body| body.disruptions_allowed = 1));
    let mut bench = counting(&objects);
    let written = bench.grant("update PodDisruptionBudget/web");
    assert_eq!(written.pod_disruption_budget().expect("a budget").disruptions_allowed, 0);
}
