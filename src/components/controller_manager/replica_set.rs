//! ReplicaSet: as many active Pods as are wanted.
//!
//! A Pod is active until it has ended or is being deleted, so a replacement is created as soon as
//! an eviction is accepted, wherever the old Pod's containers may still run. Follows
//! `k/k:pkg/controller/replicaset`; Pods are created one after the other, not in growing batches.

use super::claims::{Claim, Claims};
use super::expectations::Expectations;
use crate::api::kinds::{Pod, PodPhase, ReplicaSet};
use crate::api::{Answer, Kind, Meta, Object, ObjectKey, Uid, Verb};
use crate::client::{Delta, Reconciler, Reply, Step, View};
use crate::engine::{Duration, Purpose, SimTime, Text, name_suffix};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The controller, with what it expects its watch to show soon.
#[derive(Clone, Debug)]
pub struct ReplicaSetController {
    expected: Expectations,
    claims: Claims,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    Claim(Claim),
    /// The set's uid.
    Created(Uid),
    Deleted(ObjectKey),
    Counted,
}

const POD_NAME: Purpose = Purpose(10);

impl ReplicaSetController {
    /// A controller with an empty memory.
    pub fn new(expectations_timeout: Duration) -> ReplicaSetController {
        let expected = Expectations::new(expectations_timeout);
        ReplicaSetController { expected, claims: Claims::default() }
    }

    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        self.claims.observe(delta);
        self.expected.observe(delta);
    }

    /// The Pods of a set that count.
    fn active(&self, set: &Object, view: &View) -> Vec<Arc<Object>> {
        let pods = view.local.list(Kind::Pod).filter(|pod| self.claims.has(set, pod));
        let stays = |pod: &&Arc<Object>| !self.expected.is_leaving(pod.key(), view.now);
        pods.filter(|pod| is_active(pod)).filter(stays).cloned().collect()
    }

    fn create(&mut self, object: &Object, set: &ReplicaSet, view: &mut View) -> Step<State> {
        let suffix = name_suffix((view.draw)(POD_NAME));
        let name = Text::from(format!("{}-{suffix}", object.name()));
        let meta = Meta::new(Kind::Pod, object.key().namespace.clone(), name.clone());
        let mut meta = meta.owned_by(&object.meta);
        meta.labels = set.template.labels.clone();
        let pod = Object::new(meta, Pod::new(set.template.clone()));
        self.expected.creates(object.meta.uid, name, view.now);
        Step::ask(Verb::Create(Arc::new(pod)), State::Created(object.meta.uid))
    }

    fn delete(&mut self, pod: &Object, now: SimTime) -> Step<State> {
        let key = pod.key().clone();
        self.expected.deletes(key.clone(), now);
        let verb = Verb::Delete { key: key.clone(), grace: None, uid: Some(pod.meta.uid) };
        Step::ask(verb, State::Deleted(key))
    }
}

impl Reconciler for ReplicaSetController {
    type State = State;

    fn agent(&self) -> &'static str {
        "replicaset-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(set) = object.replica_set().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        let pods = view.local.list(Kind::Pod).filter(|pod| is_active(pod));
        if let Some(step) = self.claims.next(&object, &set.selector, pods, State::Claim) {
            return step;
        }
        let active = self.active(&object, view);
        let coming = self.expected.coming(object.meta.uid, view.now);
        let have = active.len() + coming;
        let wanted = set.replicas as usize;
        if have < wanted {
            return self.create(&object, set, view);
        }
        if have > wanted && coming == 0 {
            let companions = companions(&object, view);
            let victim = active.iter().min_by(|a, b| sooner(a, b, &companions, view.wall_clock()));
            if let Some(pod) = victim {
                return self.delete(pod, view.now);
            }
        }
        count(&object, &active)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        match (state, reply) {
            (State::Claim(claim), Reply::Answer(answered)) => {
                let set = view.local.get(key).cloned();
                let claimed = self.claims.resume(set.as_ref(), claim, answered, State::Claim);
                claimed.or(|| self.begin(key, view))
            }
            (State::Created(_), Reply::Answer(Ok(Answer::Object(pod)))) => {
                let message = format!("Created pod: {}", pod.name());
                view.event(key, "SuccessfulCreate", message);
                self.begin(key, view)
            }
            (State::Created(set), Reply::Answer(Err(error))) => {
                self.expected.creation_failed(set);
                Step::Done(crate::client::Outcome::error(error.message))
            }
            (State::Deleted(pod), Reply::Answer(Ok(_))) => {
                view.event(key, "SuccessfulDelete", format!("Deleted pod: {}", pod.name));
                self.begin(key, view)
            }
            (State::Deleted(pod), Reply::Answer(Err(error))) => {
                self.expected.deletion_failed(&pod);
                Step::Done(crate::client::Outcome::error(error.message))
            }
            _ => Step::done(),
        }
    }
}

fn is_active(pod: &Arc<Object>) -> bool {
    !pod.meta.is_deleting() && pod.pod().is_some_and(|body| !body.phase.is_terminal())
}

/// On each Node the active Pods of all sets of the same owner; none if the set has no owner.
fn companions(set: &Object, view: &View) -> BTreeMap<Text, usize> {
    let Some(owner) = set.meta.controller() else { return BTreeMap::new() };
    let is_sibling =
        |other: &&Arc<Object>| other.meta.controller().is_some_and(|by| by.uid == owner.uid);
    let sets = view.local.list(Kind::ReplicaSet).filter(is_sibling);
    let sets: BTreeSet<Uid> = sets.map(|other| other.meta.uid).collect();
    let mut on_node = BTreeMap::new();
    for pod in view.local.list(Kind::Pod) {
        let is_one = pod.meta.controller().is_some_and(|by| sets.contains(&by.uid));
        let Some(body) = pod.pod().filter(|body| is_one && !body.phase.is_terminal()) else {
            continue;
        };
        if !pod.meta.is_deleting() {
            *on_node.entry(body.node_name.clone()).or_insert(0) += 1;
        }
    }
    on_node
}

/// Which of two Pods is deleted sooner: one without a Node, one that does not run, one that is not
/// ready, one with more companions on its Node, one that has been ready for clearly less long, one
/// that was restarted more often, one that is clearly younger. Nobody writes
/// `pod-deletion-cost` here. Follows `ActivePodsWithRanks`.
fn sooner(a: &Object, b: &Object, companions: &BTreeMap<Text, usize>, now: SimTime) -> Ordering {
    let (Some(one), Some(other)) = (a.pod(), b.pod()) else { return Ordering::Equal };
    let stage = |pod: &Pod| {
        let company = companions.get(&pod.node_name).copied().unwrap_or_default();
        let runs = pod.phase == PodPhase::Running;
        (!pod.node_name.is_empty(), runs, pod.is_ready(), Reverse(company))
    };
    let by_chance = a.meta.uid.cmp(&b.meta.uid);
    let by_age =
        |one: SimTime, other: SimTime| match magnitude(one, now).cmp(&magnitude(other, now)) {
            _ if one.to_whole_seconds() == other.to_whole_seconds() => None,
            Ordering::Equal => Some(by_chance),
            order => Some(order),
        };
    let ready_since = |pod: &Pod| {
        let ready = pod.conditions.get("Ready").filter(|_| pod.is_ready());
        ready.map_or(SimTime::ZERO, |ready| ready.last_transition)
    };
    let by_readiness = || by_age(ready_since(one), ready_since(other));
    let by_restarts = || Some(other.restarts.cmp(&one.restarts)).filter(|order| order.is_ne());
    let by_creation = || by_age(a.meta.created, b.meta.created);
    match stage(one).cmp(&stage(other)) {
        Ordering::Equal => {
            by_readiness().or_else(by_restarts).or_else(by_creation).unwrap_or(by_chance)
        }
        order => order,
    }
}

/// The power of two that an age has reached, in nanoseconds: so ages that differ little are alike,
/// and chance decides (`LogarithmicScaleDown`).
fn magnitude(since: SimTime, now: SimTime) -> Option<u32> {
    (now.since(since.to_whole_seconds()).as_micros() * 1000).checked_ilog2()
}

fn count(object: &Arc<Object>, active: &[Arc<Object>]) -> Step<State> {
    let mut changed = Object::clone(object);
    let Some(body) = changed.replica_set_mut() else { return Step::done() };
    let count = |pods: usize| u32::try_from(pods).unwrap_or(u32::MAX);
    let ready = active.iter().filter(|pod| pod.pod().is_some_and(Pod::is_ready)).count();
    body.status_replicas = count(active.len());
    body.ready_replicas = count(ready);
    body.available_replicas = count(ready);
    if changed == **object {
        return Step::done();
    }
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Counted)
}
