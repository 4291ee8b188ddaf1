//! The eviction subresource: a Pod's deletion, if its disruption budget allows one.
//!
//! Pure rules over a Pod and the budgets of its namespace; what is asked of etcd in between is the
//! server's matter. Follows `k/k:pkg/registry/core/pod/storage/eviction.go`.
//!
//! ```text
//! Pod ── Pending, ended, terminating ────────────────────────────────────────> mark, delete
//!  └ budgets ── none, or the Pod is not ready and enough others are ─────────> mark, delete
//!      └ one ── not observed, or nothing allowed ─> 429       else spend one ─> mark, delete
//! ```

use super::modify::Modification;
use super::{Apiserver, Event, Stage};
use crate::api::kinds::{Pod, PodDisruptionBudget, PodPhase};
use crate::api::{ApiError, Kind, Object, ObjectKey, Reason};
use crate::engine::{Duration, SimTime};
use crate::infra::Ctx;
use crate::wire::{Consistency, StoreAnswer, StoreOperation};
use std::sync::Arc;

/// An eviction that is being decided.
#[derive(Clone, Debug)]
pub struct Eviction {
    pub key: ObjectKey,
    pub grace: Option<Duration>,
    pub waits: Waits,
}

/// What an eviction waits for.
#[derive(Clone, Debug)]
pub enum Waits {
    Pod,
    Budgets(Arc<Object>),
    /// The Pod's one budget is written with one disruption less.
    Spending(Asked),
    /// Somebody else wrote the budget: it is read again after a pause.
    Budget(Asked),
}

/// A Pod and its one budget, which so many tries have failed to write.
#[derive(Clone, Debug)]
pub struct Asked {
    pod: Arc<Object>,
    budget: ObjectKey,
    tries: u32,
}

/// What the budgets say of an eviction.
#[derive(Debug)]
pub enum Verdict {
    /// No budget is asked.
    Free,
    /// None has to be spent, as long as the Pod is as it was read: not ready.
    FreeAsRead,
    /// Granted once the budget is written so.
    Spend(Box<Object>),
    Refuse(ApiError),
    /// Nobody knows yet what the budget allows.
    RefuseForNow(ApiError),
}

impl Apiserver {
    /// Etcd has answered what the eviction asked.
    pub(super) fn eviction_stored(
        &mut self,
        id: u32,
        eviction: Eviction,
        answer: StoreAnswer,
        ctx: &mut Ctx<Event>,
    ) {
        match (eviction.waits.clone(), answer) {
            (Waits::Pod, StoreAnswer::Value(_, Some(pod))) if asks_no_budget(&pod) => {
                self.end_pod(id, &eviction, pod, ctx);
            }
            (Waits::Pod, StoreAnswer::Value(_, Some(pod))) => {
                let stage = Stage::Evicting(Eviction { waits: Waits::Budgets(pod), ..eviction });
                let operation =
                    StoreOperation::Range(Kind::PodDisruptionBudget, Consistency::Linearizable);
                self.ask_etcd(id, stage, operation, ctx);
            }
            (Waits::Pod, StoreAnswer::Value(_, None)) => {
                self.answer(id, Err(ApiError::not_found(&eviction.key)), ctx);
            }
            (Waits::Budgets(pod), StoreAnswer::Values(_, budgets)) => {
                let verdict = judge(&pod, &budgets, ctx.wall_clock());
                self.follow(id, eviction, pod, 0, verdict, ctx);
            }
            (Waits::Budget(Asked { pod, tries, .. }), StoreAnswer::Value(_, Some(budget))) => {
                let verdict = spend(&pod, &budget, ctx.wall_clock());
                self.follow(id, eviction, pod, tries, verdict, ctx);
            }
            (Waits::Budget(Asked { budget, .. }), StoreAnswer::Value(_, None)) => {
                self.answer(id, Err(ApiError::not_found(&budget)), ctx);
            }
            (Waits::Spending(Asked { pod, .. }), StoreAnswer::Committed(_)) => {
                self.end_pod(id, &eviction, pod, ctx);
            }
            (Waits::Spending(asked), StoreAnswer::Conflict(_)) => {
                self.spend_later(id, eviction, asked, ctx);
            }
            (_, _) => {
                let message = "etcd answered an eviction with nonsense";
                self.answer(id, Err(ApiError::new(Reason::InternalError, message)), ctx);
            }
        }
    }

    fn follow(
        &mut self,
        id: u32,
        eviction: Eviction,
        pod: Arc<Object>,
        tries: u32,
        verdict: Verdict,
        ctx: &mut Ctx<Event>,
    ) {
        match verdict {
            Verdict::Free => self.end_pod(id, &eviction, pod, ctx),
            Verdict::FreeAsRead => {
                let Eviction { key, grace, .. } = eviction;
                let as_read = Some(pod.meta.resource_version);
                let mark = Modification::MarkEvicted { key, grace, as_read };
                self.modify(id, mark, Some(pod), ctx);
            }
            Verdict::Refuse(error) => self.answer(id, Err(error), ctx),
            Verdict::RefuseForNow(error) => self.refuse_for_now(id, error, ctx),
            Verdict::Spend(budget) => {
                let Some((by, writer)) = self.author(id) else { return };
                let key = budget.key().clone();
                let expected = budget.meta.resource_version;
                let asked = Asked { pod, budget: key.clone(), tries };
                let put = Some(budget);
                let operation = StoreOperation::Transact { key, expected, put, by, writer };
                let waits = Waits::Spending(asked);
                self.ask_etcd(id, Stage::Evicting(Eviction { waits, ..eviction }), operation, ctx);
            }
        }
    }

    /// Two evictions at once: the slower one looks at the budget again.
    fn spend_later(&mut self, id: u32, eviction: Eviction, asked: Asked, ctx: &mut Ctx<Event>) {
        let tries = asked.tries + 1;
        if tries >= self.settings.eviction_tries {
            let name = &asked.budget.name;
            let message =
                format!("couldn't update PodDisruptionBudget \"{name}\" due to conflicts");
            return self.refuse_for_now(id, ApiError::new(Reason::Timeout, message), ctx);
        }
        let waits = Waits::Budget(Asked { tries, ..asked });
        self.wait_in(id, Stage::Evicting(Eviction { waits, ..eviction }));
        let pause = self.settings.eviction_pause;
        ctx.after("kubernetes.evictionPause", pause, Event::RetryEviction(id));
    }

    /// What could not be decided is to be asked again; what a budget forbids says nothing of that.
    pub(super) fn refuse_for_now(&mut self, id: u32, error: ApiError, ctx: &mut Ctx<Event>) {
        let pause = self.settings.eviction_retry_after;
        let error = error.retry_after("kubernetes.evictionRetryAfter", pause);
        self.answer(id, Err(error), ctx);
    }

    /// The pause after a conflict is over.
    pub(super) fn retry_eviction(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        if let Some(stage @ Stage::Evicting(_)) = self.stage_of(id)
            && let Stage::Evicting(Eviction { waits: Waits::Budget(asked), .. }) = &stage
        {
            let operation = StoreOperation::Get(asked.budget.clone(), Consistency::Linearizable);
            self.ask_etcd(id, stage, operation, ctx);
        }
    }

    /// Nothing stands against it any more: the Pod is marked, then deleted.
    fn end_pod(&mut self, id: u32, eviction: &Eviction, pod: Arc<Object>, ctx: &mut Ctx<Event>) {
        let Eviction { key, grace, .. } = eviction.clone();
        let mark = Modification::MarkEvicted { key, grace, as_read: None };
        self.modify(id, mark, Some(pod), ctx);
    }
}

/// True if the Pod goes without any budget being asked: it serves nobody, or goes already.
pub fn asks_no_budget(object: &Object) -> bool {
    let phase = object.pod().map(|pod| pod.phase);
    object.meta.is_deleting() || phase.is_none_or(|p| p.is_terminal() || p == PodPhase::Pending)
}

/// What the budgets of the Pod's namespace say.
pub fn judge(pod: &Object, budgets: &[Arc<Object>], now: SimTime) -> Verdict {
    let matching: Vec<&Arc<Object>> =
        budgets.iter().filter(|budget| concerns(budget, pod)).collect();
    match matching[..] {
        [] => Verdict::Free,
        [budget] => spend(pod, budget, now),
        _ => Verdict::Refuse(ApiError::new(
            Reason::InternalError,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does \
             not support.",
        )),
    }
}

/// What the one budget of a Pod says.
pub fn spend(object: &Object, budget: &Object, now: SimTime) -> Verdict {
    let Some(body) = budget.pod_disruption_budget() else { return Verdict::Free };
    let name = budget.name();
    let is_ready = object.pod().is_some_and(Pod::is_ready);
    if !is_ready && body.current_healthy >= body.desired_healthy && body.desired_healthy > 0 {
        return Verdict::FreeAsRead;
    }
    if body.observed_generation < body.generation {
        let cause = format!("The disruption budget {name} is still being processed by the server.");
        return Verdict::RefuseForNow(refusal().caused_by(cause));
    }
    if body.disruptions_allowed == 0 {
        let cause = format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            body.desired_healthy, body.current_healthy
        );
        return Verdict::Refuse(refusal().caused_by(cause));
    }
    let mut spent = budget.clone();
    if let Some(body) = spent.pod_disruption_budget_mut() {
        body.disruptions_allowed -= 1;
        body.disrupted_pods.insert(object.name().clone(), now.to_whole_seconds());
    }
    Verdict::Spend(Box::new(spent))
}

/// True if the budget selects the Pod; an empty selector selects nothing.
fn concerns(budget: &Object, pod: &Object) -> bool {
    let body: Option<&PodDisruptionBudget> = budget.pod_disruption_budget();
    budget.key().namespace == pod.key().namespace
        && body.is_some_and(|b| !b.selector.is_empty() && pod.meta.matches(&b.selector))
}

/// What an eviction is answered that a budget does not allow, or that finds its Pod changed.
pub fn refusal() -> ApiError {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    ApiError::new(Reason::TooManyRequests, message)
}
