//! Whose Pod it is: those that leave their set's selector are released, orphans in it are adopted.
//!
//! Follows `ClaimPods`, `ReleasePod` and `AdoptPod` of `k/k:pkg/controller/controller_ref_manager.go`.
//! What is on its way counts at once, as there the list of claimed Pods does. Simplified: whether the set
//! still exists is asked before each Pod that is adopted, not once in a sync; Jobs claim nothing: they
//! select by the label with their own uid, which is not modeled.

use crate::api::{Answered, Labels, Object, ObjectKey, OwnerReference, Verb};
use crate::client::{Delta, Outcome, Step};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Pods that were released or adopted, and not yet heard to be.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    released: BTreeSet<ObjectKey>,
    adopted: BTreeSet<ObjectKey>,
}

/// Where a reconcile waits that sees to its Pods' owners.
#[derive(Clone, Debug)]
pub enum Claim {
    /// A look whether the set still is what it was, before it adopts this Pod.
    CanAdopt(Arc<Object>),
    Written(ObjectKey),
}

/// How a claim went.
pub enum Claimed<S> {
    /// It is written, or there was nothing any more to write.
    Done,
    Next(Step<S>),
    Failed(String),
}

impl<S> Claimed<S> {
    /// The next step of a reconcile that looks again once the claim is written.
    pub fn or(self, again: impl FnOnce() -> Step<S>) -> Step<S> {
        match self {
            Claimed::Done => again(),
            Claimed::Next(step) => step,
            Claimed::Failed(why) => Step::Done(Outcome::error(why)),
        }
    }
}

impl Claims {
    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        let (key, new) = (delta.key(), delta.new.as_ref());
        if new.is_none_or(|pod| pod.meta.controller().is_none()) {
            self.released.remove(key);
        }
        if new.is_none_or(|pod| pod.meta.controller().is_some()) {
            self.adopted.remove(key);
        }
    }

    /// True for a Pod of this set, as far as the set is concerned.
    pub fn has(&self, set: &Object, pod: &Object) -> bool {
        match pod.meta.controller() {
            Some(owner) => owner.uid == set.meta.uid && !self.released.contains(pod.key()),
            None => is_near(set, pod) && self.adopted.contains(pod.key()),
        }
    }

    /// The first of these Pods about whose owner there is something to do.
    pub fn next<'a, S>(
        &mut self,
        set: &Object,
        selector: &Labels,
        mut pods: impl Iterator<Item = &'a Arc<Object>>,
        state: fn(Claim) -> S,
    ) -> Option<Step<S>> {
        let pod = pods.find(|pod| {
            let fits = pod.meta.matches(selector);
            match self.has(set, pod) {
                true => !fits,
                false => fits && is_free(set, selector, pod),
            }
        })?;
        if !self.has(set, pod) {
            return Some(Step::ask(
                Verb::Get(set.key().clone()),
                state(Claim::CanAdopt(pod.clone())),
            ));
        }
        self.adopted.remove(pod.key());
        self.released.insert(pod.key().clone());
        let others = pod.meta.owners.iter().filter(|owner| owner.uid != set.meta.uid);
        Some(write(pod, others.cloned().collect(), state))
    }

    /// Goes on after an answer.
    pub fn resume<S>(
        &mut self,
        set: Option<&Arc<Object>>,
        claim: Claim,
        answered: Answered,
        state: fn(Claim) -> S,
    ) -> Claimed<S> {
        match (claim, answered) {
            (Claim::CanAdopt(pod), Ok(answer)) => {
                let is_same = |live: &Arc<Object>| {
                    set.is_some_and(|set| set.meta.uid == live.meta.uid) && !live.meta.is_deleting()
                };
                let Some(set) = answer.object().filter(|live| is_same(live)) else {
                    return Claimed::Failed(format!("can't adopt Pod {}", pod.name()));
                };
                self.adopted.insert(pod.key().clone());
                let mine = OwnerReference {
                    kind: set.key().kind,
                    name: set.name().clone(),
                    uid: set.meta.uid,
                    controller: true,
                };
                let owners = pod.meta.owners.iter().cloned().chain([mine]);
                Claimed::Next(write(&pod, owners.collect(), state))
            }
            (Claim::Written(_), Ok(_)) => Claimed::Done,
            (Claim::CanAdopt(_), Err(error)) => Claimed::Failed(error.message.to_string()),
            (Claim::Written(pod), Err(error)) => {
                self.released.remove(&pod);
                self.adopted.remove(&pod);
                Claimed::Failed(error.message.to_string())
            }
        }
    }
}

fn write<S>(pod: &Arc<Object>, owners: Arc<[OwnerReference]>, state: fn(Claim) -> S) -> Step<S> {
    let mut changed = Object::clone(pod);
    changed.meta.owners = owners;
    let verb = Verb::Patch { base: pod.clone(), changed: Arc::new(changed) };
    Step::ask(verb, state(Claim::Written(pod.key().clone())))
}

fn is_near(set: &Object, pod: &Object) -> bool {
    set.key().namespace == pod.key().namespace
}

/// True for an orphan that a set may adopt; a set without a selector adopts nobody.
fn is_free(set: &Object, selector: &Labels, pod: &Object) -> bool {
    let is_orphan = pod.meta.controller().is_none() && !pod.meta.is_deleting();
    is_orphan && !selector.is_empty() && is_near(set, pod)
}
