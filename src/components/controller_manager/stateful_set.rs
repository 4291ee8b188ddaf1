//! StatefulSet: Pods with names of their own, never two of one name.
//!
//! A Pod's identity is its name, so a replacement can exist only when the old object is gone: on a
//! Node that is lost, not before somebody ends it there. In order, a Pod that terminates or is not
//! ready holds up all that come after it. Follows
//! `k/k:pkg/controller/statefulset/stateful_set_control.go`; revisions are not modeled. Simplified: it
//! makes no claims. A Pod finds that of its name, which stays when the set gets smaller; a scenario that
//! wants more of them than it begins with is refused (`scenario/stage.rs`).

use super::claims::{Claim, Claims};
use crate::api::kinds::{Pod, PodManagement, PodPhase, StatefulSet};
use crate::api::{Kind, Meta, Object, ObjectKey, Verb};
use crate::client::{Delta, Outcome, Reconciler, Reply, Step, View};
use crate::engine::Text;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The controller; but for claims, what exists says all that it needs to know.
#[derive(Clone, Debug, Default)]
pub struct StatefulSetController {
    claims: Claims,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    Claim(Claim),
    /// The Pod of this ordinal is being created, or deleted.
    Created(u32),
    Deleted(u32),
    Counted,
}

impl Reconciler for StatefulSetController {
    type State = State;

    fn agent(&self) -> &'static str {
        "statefulset-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(set) = object.stateful_set().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        let members =
            view.local.list(Kind::Pod).filter(|pod| ordinal_in(object.name(), pod).is_some());
        if let Some(step) = self.claims.next(&object, &set.selector, members, State::Claim) {
            return step;
        }
        self.sync(key, 0..u32::MAX, view)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let (ordinal, reason, done) = match state {
            State::Created(ordinal) => (ordinal, "SuccessfulCreate", "create"),
            State::Deleted(ordinal) => (ordinal, "SuccessfulDelete", "delete"),
            State::Counted => return Step::done(),
            State::Claim(claim) => {
                let Reply::Answer(answered) = reply else { return Step::done() };
                let set = view.local.get(key).cloned();
                let claimed = self.claims.resume(set.as_ref(), claim, answered, State::Claim);
                return claimed.or(|| self.begin(key, view));
            }
        };
        let Reply::Answer(answered) = reply else { return Step::done() };
        if let Err(error) = answered {
            return Step::Done(Outcome::error(error.message));
        }
        let (set, pod) = (&key.name, pod_name(&key.name, ordinal));
        view.event(key, reason, format!("{done} Pod {pod} in StatefulSet {set} successful"));
        let set = view.local.get(key).and_then(|set| set.stateful_set());
        let (policy, replicas) = set.map_or((None, 0), |set| (Some(set.policy), set.replicas));
        match policy {
            // Ordinals that are wanted are gone through upwards, those that are not downwards.
            Some(PodManagement::Parallel) => match ordinal < replicas {
                true => self.sync(key, ordinal + 1..u32::MAX, view),
                false => self.sync(key, replicas..ordinal, view),
            },
            // The watch shows what was written, and that is the next turn.
            _ => Step::done(),
        }
    }
}

impl StatefulSetController {
    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        self.claims.observe(delta);
    }

    /// Looks at each ordinal that is left; in order, the first that needs something ends the turn.
    fn sync(&self, key: &ObjectKey, left: Range<u32>, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(set) = object.stateful_set().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        let pods = self.owned_pods(&object, view);
        let in_order = set.policy == PodManagement::OrderedReady;
        for ordinal in left.start..set.replicas {
            let Some(object_and_pod) = pods.get(&ordinal) else {
                return create(&object, set, ordinal);
            };
            let (pod, body) = object_and_pod;
            if body.phase.is_terminal() && !pod.meta.is_deleting() {
                // However it ended: a new Pod comes when this one is gone.
                return delete(pod, ordinal);
            }
            if in_order && (pod.meta.is_deleting() || !is_running_and_ready(body)) {
                return count(&object, &pods);
            }
        }
        let condemned = || pods.range(set.replicas.max(left.start)..left.end.max(set.replicas));
        let is_well = |(pod, body): &(Arc<Object>, Pod)| {
            !pod.meta.is_deleting() && is_running_and_ready(body)
        };
        let first_ill =
            condemned().find(|(_, member)| !is_well(member)).map(|(ordinal, _)| *ordinal);
        for (ordinal, (pod, body)) in condemned().rev() {
            let waits_for_another = !is_running_and_ready(body) && first_ill != Some(*ordinal);
            match pod.meta.is_deleting() {
                true if in_order => break,
                true => {}
                // One that is ill is not deleted before one below it that is ill has got well.
                false if in_order && waits_for_another => break,
                false => return delete(pod, *ordinal),
            }
        }
        count(&object, &pods)
    }

    /// The set's Pods by ordinal.
    fn owned_pods(&self, set: &Object, view: &View) -> BTreeMap<u32, (Arc<Object>, Pod)> {
        let pods = view.local.list(Kind::Pod).filter(|pod| self.claims.has(set, pod));
        pods.filter_map(|pod| {
            Some((ordinal_in(set.name(), pod)?, (pod.clone(), pod.pod()?.clone())))
        })
        .collect()
    }
}

fn create(object: &Object, set: &StatefulSet, ordinal: u32) -> Step<State> {
    let name = pod_name(object.name(), ordinal);
    let meta = Meta::new(Kind::Pod, object.key().namespace.clone(), name);
    let mut meta = meta.owned_by(&object.meta);
    meta.labels = set.template.labels.clone();
    let pod = Object::new(meta, Pod::new(set.template.clone()));
    Step::ask(Verb::Create(Arc::new(pod)), State::Created(ordinal))
}

fn delete(pod: &Object, ordinal: u32) -> Step<State> {
    let verb = Verb::Delete { key: pod.key().clone(), grace: None, uid: Some(pod.meta.uid) };
    Step::ask(verb, State::Deleted(ordinal))
}

/// The name by which a Pod is what it is.
pub fn pod_name(set: &str, ordinal: u32) -> Text {
    Text::from(format!("{set}-{ordinal}"))
}

/// The ordinal that a Pod's name gives it in a set; none if it is another's name.
fn ordinal_in(set: &str, pod: &Object) -> Option<u32> {
    let (name, ordinal) = pod.name().rsplit_once('-')?;
    (name == set).then(|| ordinal.parse().ok())?
}

fn is_running_and_ready(pod: &Pod) -> bool {
    pod.phase == PodPhase::Running && pod.is_ready()
}

fn count(object: &Arc<Object>, pods: &BTreeMap<u32, (Arc<Object>, Pod)>) -> Step<State> {
    let mut changed = Object::clone(object);
    let Some(body) = changed.stateful_set_mut() else { return Step::done() };
    let count = |pods: usize| u32::try_from(pods).unwrap_or(u32::MAX);
    body.status_replicas = count(pods.len());
    body.ready_replicas = count(pods.values().filter(|(_, pod)| is_running_and_ready(pod)).count());
    body.available_replicas = body.ready_replicas;
    if changed == **object {
        return Step::done();
    }
    Step::write(Verb::Patch { base: object.clone(), changed: Arc::new(changed) }, State::Counted)
}
