//! Disruption: keeps each budget's status, so that the eviction API knows what it may grant.
//!
//! A Pod counts while it is ready, is not being deleted, and no eviction of it was granted that has
//! yet to show. Follows `k/k:pkg/controller/disruption/disruption.go`.

use crate::api::kinds::{Amount, Pod, PodDisruptionBudget, Wanted};
use crate::api::{Kind, Object, ObjectKey, Uid, Verb};
use crate::client::{Delta, Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The controller; everything it knows stands in the objects.
#[derive(Clone, Debug)]
pub struct DisruptionController {
    /// For how long a granted eviction may fail to show.
    timeout: Duration,
}

/// Where a reconcile waits: for the status to be written, and how it will end.
#[derive(Clone, Debug)]
pub struct State(Outcome);

impl DisruptionController {
    /// A controller that waits so long for a granted eviction to show.
    pub fn new(timeout: Duration) -> DisruptionController {
        DisruptionController { timeout }
    }

    /// The granted evictions that have yet to show, and when the first of them is given up.
    fn expected_to_go(
        &self,
        body: &PodDisruptionBudget,
        pods: &[&Arc<Object>],
        view: &mut View,
    ) -> (BTreeMap<Text, SimTime>, Option<Duration>) {
        let (mut stay, mut next) = (BTreeMap::new(), None);
        for pod in pods.iter().filter(|pod| !pod.meta.is_deleting()) {
            let Some(granted) = body.disrupted_pods.get(pod.name()) else { continue };
            let end = *granted + self.timeout;
            if end < view.wall_clock() {
                let namespace = &pod.key().namespace;
                let message = format!(
                    "Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
                );
                view.warn(pod.key(), "NotDeleted", message);
                continue;
            }
            let wait = end.since(view.wall_clock()) + Duration::from_micros(1);
            next = Some(next.map_or(wait, |sooner: Duration| sooner.min(wait)));
            stay.insert(pod.name().clone(), *granted);
        }
        (stay, next)
    }
}

impl Reconciler for DisruptionController {
    type State = State;

    fn agent(&self) -> &'static str {
        "disruption-controller"
    }

    fn counts_for_itself(&self) -> bool {
        true
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(body) = object.pod_disruption_budget() else { return Step::done() };
        let pods: Vec<&Arc<Object>> =
            view.local.list(Kind::Pod).filter(|pod| selects(&object, pod)).collect();
        if pods.is_empty() {
            view.event(key, "NoPods", "No matching pods found");
        }
        let (disrupted, next) = self.expected_to_go(body, &pods, view);
        let mut changed = Object::clone(&object);
        let Some(status) = changed.pod_disruption_budget_mut() else { return Step::done() };
        let outcome = match expectation(body.wanted, &pods, view) {
            Ok((expected, desired)) => {
                let healthy = pods.iter().filter(|pod| is_healthy(pod, &disrupted)).count();
                status.current_healthy = u32::try_from(healthy).unwrap_or(u32::MAX);
                status.desired_healthy = desired;
                status.expected_pods = expected;
                let spare = status.current_healthy.saturating_sub(desired);
                status.disruptions_allowed = if expected == 0 { 0 } else { spare };
                status.disrupted_pods = disrupted;
                status.observed_generation = body.generation;
                next.map_or_else(Outcome::done, |left| {
                    Outcome::after("kubernetes.disruptedPodTimeout", left)
                })
            }
            // Where it cannot tell, nobody may be evicted.
            Err(pod) => {
                status.disruptions_allowed = 0;
                Outcome::error(format!("found no controllers for pod \"{pod}\""))
            }
        };
        if changed == *object {
            return Step::Done(outcome);
        }
        // Not a patch: a budget that was spent meanwhile must not be filled up again.
        Step::write(Verb::Update(Arc::new(changed)), State(outcome))
    }

    fn resume(&mut self, _: &ObjectKey, state: State, _: Reply, _: &mut View) -> Step<State> {
        Step::Done(state.0)
    }
}

/// The budgets that a Pod's change concerns.
pub fn concerned<'a>(
    delta: &'a Delta,
    budgets: impl Iterator<Item = &'a Arc<Object>> + 'a,
) -> impl Iterator<Item = ObjectKey> + 'a {
    budgets.filter(|budget| selects(budget, delta.object())).map(|budget| budget.key().clone())
}

/// True if a budget selects a Pod; an empty selector selects nothing.
fn selects(budget: &Object, pod: &Object) -> bool {
    budget.key().namespace == pod.key().namespace
        && budget
            .pod_disruption_budget()
            .is_some_and(|body| !body.selector.is_empty() && pod.meta.matches(&body.selector))
}

fn is_healthy(pod: &Object, disrupted: &BTreeMap<Text, SimTime>) -> bool {
    !pod.meta.is_deleting()
        && !disrupted.contains_key(pod.name())
        && pod.pod().is_some_and(Pod::is_ready)
}

/// How many Pods there should be, and how many of them healthy; or a Pod of an unknown controller.
fn expectation(wanted: Wanted, pods: &[&Arc<Object>], view: &View) -> Result<(u32, u32), Text> {
    if let Wanted::MinAvailable(Amount::Count(count)) = wanted {
        return Ok((u32::try_from(pods.len()).unwrap_or(u32::MAX), count));
    }
    let mut scales: BTreeMap<Uid, u32> = BTreeMap::new();
    for pod in pods {
        // A Pod that nobody manages adds nothing to what is expected.
        let Some(owner) = pod.meta.controller() else { continue };
        let key = super::sibling(pod.key(), owner.kind, &owner.name);
        let owner = view.local.get(&key).filter(|found| found.meta.uid == owner.uid);
        let (uid, scale) = owner.and_then(|o| scale(o, view)).ok_or(pod.name().clone())?;
        scales.insert(uid, scale);
    }
    let scale = scales.values().sum();
    Ok((scale, wanted.desired_healthy(scale)))
}

/// How many Pods a controller wants; a Deployment speaks for its ReplicaSets.
fn scale(owner: &Object, view: &View) -> Option<(Uid, u32)> {
    if let Some(set) = owner.stateful_set() {
        return Some((owner.meta.uid, set.replicas));
    }
    let set = owner.replica_set()?;
    let Some(deployment) = owner.meta.controlled_by(Kind::Deployment) else {
        return Some((owner.meta.uid, set.replicas));
    };
    let deployment = view.local.get(&super::sibling(owner.key(), Kind::Deployment, deployment))?;
    Some((deployment.meta.uid, deployment.deployment()?.replicas))
}
