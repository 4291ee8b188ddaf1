//! Whose Pod it is: those that leave their set's selector are released, orphans in it are adopted.
//!
//! Follows `ClaimPods`, `ReleasePod` and `AdoptPod` of `k/k:pkg/controller/controller_ref_manager.go`.
//! What is on its way counts at once, as there the list of claimed Pods does. Simplified: whether the set
//! still exists is asked before each Pod that is adopted, not once in a sync; Jobs claim nothing: they
//! select by the label with their own uid, which is not modeled.

use crate::api::{Answered, Labels, Object, ObjectKey, OwnerReference, Reason, Uid, Verb};
use crate::client::{Delta, Outcome, Step};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Pods that were released or adopted, each by which set, and not yet heard to be.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    released: BTreeSet<(ObjectKey, Uid)>,
    adopted: BTreeSet<(ObjectKey, Uid)>,
}

/// Where a reconcile waits that sees to its Pods' owners.
#[derive(Clone, Debug)]
pub enum Claim {
    /// A look whether the set still is what it was, before it adopts this Pod.
    CanAdopt(Arc<Object>),
    /// By the set of this uid.
    Written(ObjectKey, Uid),
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
        let owner = new.and_then(|pod| pod.meta.controller()).map(|owner| owner.uid);
        let is_orphan = new.is_some() && owner.is_none();
        self.released.retain(|(pod, by)| pod != key || owner == Some(*by));
        self.adopted.retain(|(pod, _)| pod != key || is_orphan);
    }

    /// True for a Pod of this set, as far as the set is concerned.
    pub fn has(&self, set: &Object, pod: &Object) -> bool {
        let of_set = || (pod.key().clone(), set.meta.uid);
        match pod.meta.controller() {
            Some(owner) => owner.uid == set.meta.uid && !self.released.contains(&of_set()),
            None => !self.adopted.is_empty() && self.adopted.contains(&of_set()),
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
        let of_set = (pod.key().clone(), set.meta.uid);
        self.adopted.remove(&of_set);
        self.released.insert(of_set);
        let others = pod.meta.owners.iter().filter(|owner| owner.uid != set.meta.uid);
        Some(write(pod, set, others.cloned().collect(), state))
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
                self.adopted.insert((pod.key().clone(), set.meta.uid));
                let mine = OwnerReference {
                    kind: set.key().kind,
                    name: set.name().clone(),
                    uid: set.meta.uid,
                    controller: true,
                };
                let owners = pod.meta.owners.iter().cloned().chain([mine]);
                Claimed::Next(write(&pod, set, owners.collect(), state))
            }
            (Claim::Written(..), Ok(_)) => Claimed::Done,
            (Claim::CanAdopt(_), Err(error)) => Claimed::Failed(error.message.to_string()),
            (Claim::Written(pod, by), Err(error)) => {
                let of_set = (pod, by);
                self.adopted.remove(&of_set);
                match self.released.remove(&of_set) && error.reason == Reason::NotFound {
                    // Who is gone is released.
                    true => Claimed::Done,
                    false => Claimed::Failed(error.message.to_string()),
                }
            }
        }
    }
}

fn write<S>(
    pod: &Arc<Object>,
    set: &Object,
    owners: Arc<[OwnerReference]>,
    state: fn(Claim) -> S,
) -> Step<S> {
    let mut changed = Object::clone(pod);
    changed.meta.owners = owners;
    let verb = Verb::Patch { base: pod.clone(), changed: Arc::new(changed) };
    Step::ask(verb, state(Claim::Written(pod.key().clone(), set.meta.uid)))
}

fn is_near(set: &Object, pod: &Object) -> bool {
    set.key().namespace == pod.key().namespace
}

/// True for an orphan that a set may adopt; a set without a selector adopts nobody.
fn is_free(set: &Object, selector: &Labels, pod: &Object) -> bool {
    let is_orphan = pod.meta.controller().is_none() && !pod.meta.is_deleting();
    is_orphan && !selector.is_empty() && is_near(set, pod)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::{Pod, ReplicaSet};
    use crate::api::{Kind, Meta};

    #[test]
    fn what_one_set_has_released_or_adopted_is_no_other_sets_matter() {
        let set = |name: &'static str, uid| {
            let mut meta = Meta::new(Kind::ReplicaSet, "default", name);
            meta.uid = Uid(uid);
            Object::new(meta, ReplicaSet::default())
        };
        let (web, api) = (set("web", 1), set("api", 2));
        let meta = Meta::new(Kind::Pod, "default", "web-x");
        let orphan = Object::new(meta.clone(), Pod::new(Arc::default()));
        let owned = Object::new(meta.owned_by(&api.meta), Pod::new(Arc::default()));
        let mut claims = Claims::default();
        claims.adopted.insert((orphan.key().clone(), api.meta.uid));
        assert!(claims.has(&api, &orphan) && !claims.has(&web, &orphan));
        claims.released.insert((orphan.key().clone(), web.meta.uid));
        claims.observe(&Delta { old: None, new: Some(Arc::new(owned.clone())) });
        assert!(claims.has(&api, &owned) && !claims.has(&web, &owned));
        assert!(claims.released.is_empty() && claims.adopted.is_empty());
    }
}
