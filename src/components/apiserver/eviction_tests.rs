//! Evictions: what the budgets say, and what the server asks etcd on the way.

use super::bench::{Server, settings};
use super::eviction::{Verdict, asks_no_budget, judge};
use super::*;
use crate::api::kinds::{Amount, Condition, Pod, PodDisruptionBudget, PodPhase, Status, Wanted};
use crate::api::{Deletion, Kind, Meta, Reason, labels};
use crate::engine::Text;

const NOW: SimTime = SimTime::from_micros(100_000_000);

fn pod(change: impl FnOnce(&mut Pod)) -> Object {
    let mut pod = Pod::new(Arc::default());
    pod.node_name = Text::word("worker-0");
    pod.phase = PodPhase::Running;
    pod.conditions.set(Condition::new("Ready", Status::True, "", "", SimTime::ZERO));
    change(&mut pod);
    let mut object = Object::new(Meta::new(Kind::Pod, "default", "web-1"), pod);
    object.meta.labels = labels([("app", Text::word("web"))]);
    object.meta.resource_version = Revision(5);
    object
}

fn budget(name: &'static str, change: impl FnOnce(&mut PodDisruptionBudget)) -> Object {
    let selector = labels([("app", Text::word("web"))]);
    let wanted = Wanted::MinAvailable(Amount::Count(2));
    let mut body = PodDisruptionBudget::new(selector, wanted);
    body.observed_generation = 1;
    body.current_healthy = 3;
    body.desired_healthy = 2;
    body.expected_pods = 3;
    body.disruptions_allowed = 1;
    change(&mut body);
    let mut object = Object::new(Meta::new(Kind::PodDisruptionBudget, "default", name), body);
    object.meta.resource_version = Revision(7);
    object
}

fn unready(pod: &mut Pod) {
    pod.conditions.set(Condition::new("Ready", Status::False, "", "", SimTime::ZERO));
}

fn verdict(pod: &Object, budgets: Vec<Object>) -> Verdict {
    let budgets: Vec<Arc<Object>> = budgets.into_iter().map(Arc::new).collect();
    judge(pod, &budgets, NOW)
}

fn refusal(verdict: Verdict) -> ApiError {
    match verdict {
        Verdict::Refuse(error) | Verdict::RefuseForNow(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_serves_nobody_or_goes_already_is_no_matter_of_budgets() {
    assert!(!asks_no_budget(&pod(|_| {})));
    for phase in [PodPhase::Pending, PodPhase::Succeeded, PodPhase::Failed] {
        assert!(asks_no_budget(&pod(|pod| pod.phase = phase)), "{phase:?}");
    }
    let mut terminating = pod(|_| {});
    terminating.meta.deletion = Some(Deletion { at: NOW, grace: Duration::from_secs(30) });
    assert!(asks_no_budget(&terminating), "what a taint has condemned passes every budget");
}

#[test]
fn without_a_budget_of_its_own_a_pod_goes_freely() {
    let mut elsewhere = budget("other", |_| {});
    elsewhere.meta.key.namespace = Text::word("kube-system");
    let unselective = budget("all", |body| body.selector = Default::default());
    let verdict = verdict(&pod(|_| {}), vec![elsewhere, unselective]);
    assert!(matches!(verdict, Verdict::Free), "{verdict:?}");
}

#[test]
fn two_budgets_over_one_pod_are_an_error() {
    let error = refusal(verdict(&pod(|_| {}), vec![budget("a", |_| {}), budget("b", |_| {})]));
    assert_eq!(error.reason, Reason::InternalError);
    assert!(error.message.starts_with("This pod has more than one PodDisruptionBudget"));
}

#[test]
fn a_pod_that_is_not_ready_costs_nothing_while_enough_others_are() {
    let ill = pod(unready);
    let enough = |body: &mut PodDisruptionBudget| {
        body.current_healthy = 2;
        body.disruptions_allowed = 0;
    };
    assert!(matches!(verdict(&ill, vec![budget("web", enough)]), Verdict::FreeAsRead));
    let too_few = |body: &mut PodDisruptionBudget| {
        body.current_healthy = 1;
        body.disruptions_allowed = 0;
    };
    let error = refusal(verdict(&ill, vec![budget("web", too_few)]));
    assert_eq!(error.cause, "The disruption budget web needs 2 healthy pods and has 1 currently");
    let nothing_wanted = |body: &mut PodDisruptionBudget| {
        body.desired_healthy = 0;
        body.disruptions_allowed = 0;
    };
    refusal(verdict(&ill, vec![budget("web", nothing_wanted)]));
}

#[test]
fn a_budget_that_nobody_has_counted_yet_grants_nothing() {
    let error = refusal(verdict(&pod(|_| {}), vec![budget("web", |b| b.observed_generation = 0)]));
    assert_eq!(error.reason, Reason::TooManyRequests);
    assert_eq!(error.cause, "The disruption budget web is still being processed by the server.");
}

#[test]
fn a_spent_budget_refuses_with_its_numbers() {
    let spent = budget("web", |body| body.disruptions_allowed = 0);
    let error = refusal(verdict(&pod(|_| {}), vec![spent]));
    assert_eq!(error.reason, Reason::TooManyRequests);
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert_eq!(error.message, message);
    assert_eq!(error.cause, "The disruption budget web needs 2 healthy pods and has 3 currently");
}

#[test]
fn a_granted_eviction_is_noted_in_the_budget() {
    let Verdict::Spend(spent) = verdict(&pod(|_| {}), vec![budget("web", |_| {})]) else {
        panic!("granted")
    };
    let body = spent.pod_disruption_budget().expect("a budget");
    assert_eq!(body.disruptions_allowed, 0);
    assert_eq!(body.disrupted_pods.get("web-1"), Some(&NOW));
}

/// A server in the middle of an eviction.
fn evicting() -> Server {
    let mut server = Server::up(settings());
    server.ask(Verb::Evict { key: pod(|_| {}).key().clone(), grace: None });
    server
}

fn retry_now(server: &mut Server) {
    server.pass(Duration::from_millis(500));
}

fn value(object: &Object) -> StoreAnswer {
    StoreAnswer::Value(Revision(9), Some(Arc::new(object.clone())))
}

#[test]
fn an_eviction_reads_the_pod_then_the_budgets_spends_one_and_marks_the_pod() {
    let mut server = evicting();
    assert_eq!(server.stores(value(&pod(|_| {}))), "get");
    let budgets = vec![Arc::new(budget("web", |_| {}))];
    assert_eq!(server.stores(StoreAnswer::Values(Revision(9), budgets)), "range");
    let spent = Arc::new(budget("web", |_| {}));
    assert_eq!(server.stores(StoreAnswer::Committed(spent)), "put");
    let StoreOperation::Transact { put: Some(marked), .. } = &server.asked[0].1.operation else {
        panic!("{:?}", server.asked)
    };
    assert!(marked.pod().is_some_and(|pod| pod.conditions.is("DisruptionTarget", Status::True)));
    assert!(server.answered.is_empty(), "the deletion is still to come");
}

#[test]
fn of_two_evictions_at_once_the_slower_one_asks_the_budget_again() {
    let mut server = evicting();
    server.stores(value(&pod(|_| {})));
    let budgets = vec![Arc::new(budget("web", |_| {}))];
    server.stores(StoreAnswer::Values(Revision(9), budgets));
    server.stores(StoreAnswer::Conflict(None));
    assert!(server.asked.is_empty(), "it pauses");
    retry_now(&mut server);
    let spent = budget("web", |body| body.disruptions_allowed = 0);
    assert_eq!(server.stores(value(&spent)), "get");
    let (_, Err(error)) = &server.answered[0] else { panic!("{:?}", server.answered) };
    assert_eq!(error.reason, Reason::TooManyRequests, "the other one has spent it");
    assert_eq!(error.retry_after, None, "nobody knows when there will be more of it");
}

#[test]
fn a_budget_that_others_keep_writing_is_given_up() {
    let mut server = evicting();
    server.stores(value(&pod(|_| {})));
    let budgets = vec![Arc::new(budget("web", |_| {}))];
    server.stores(StoreAnswer::Values(Revision(9), budgets));
    for _ in 0..2 {
        server.stores(StoreAnswer::Conflict(None));
        retry_now(&mut server);
        server.stores(value(&budget("web", |_| {})));
    }
    server.stores(StoreAnswer::Conflict(None));
    let (_, Err(error)) = &server.answered[0] else { panic!("{:?}", server.answered) };
    assert_eq!(error.message, "couldn't update PodDisruptionBudget \"web\" due to conflicts");
    assert_eq!(error.retry_after.map(|(_, pause)| pause), Some(Duration::from_secs(10)));
}

#[test]
fn a_pod_that_is_gone_cannot_be_evicted() {
    let mut server = evicting();
    server.stores(StoreAnswer::Value(Revision(9), None));
    assert_eq!(server.answered[0].1.as_ref().expect_err("gone").reason, Reason::NotFound);
}

#[test]
fn a_pod_that_was_not_ready_goes_only_as_it_was_read() {
    let read = pod(unready);
    let mark = |as_read| {
        let key = read.key().clone();
        super::modify::Modification::MarkEvicted { key, grace: None, as_read }
    };
    let mut ready_again = pod(|_| {});
    ready_again.meta.resource_version = Revision(6);
    let decided = |current: &Object, as_read| mark(as_read).decide(current, NOW, 1);
    assert!(matches!(decided(&read, Some(Revision(5))), Decision::Write(_)));
    assert!(matches!(decided(&ready_again, None), Decision::Write(_)), "its budget was spent");
    let refused = decided(&ready_again, Some(Revision(5)));
    let Decision::RefuseForNow(error) = refused else { panic!("429") };
    assert_eq!(error.reason, Reason::TooManyRequests);
}
