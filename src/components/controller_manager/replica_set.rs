//! ReplicaSet: as many active Pods as are wanted.
//!
//! A Pod is active until it has ended or is being deleted, so a replacement is created as soon as
//! an eviction is accepted, wherever the old Pod's containers may still run. Follows
//! `k/k:pkg/controller/replicaset`; Pods are created one after the other, not in growing batches.

use super::expectations::Expectations;
use crate::api::kinds::{Pod, ReplicaSet};
use crate::api::{Answer, Kind, Meta, Object, ObjectKey, Verb};
use crate::client::{Delta, Reconciler, Reply, Step, View};
use crate::engine::{Purpose, Text, name_suffix};
use std::sync::Arc;

/// The controller, with what it expects its watch to show soon.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSetController {
    expected: Expectations,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    Created,
    Deleted(ObjectKey),
    Counted,
}

const POD_NAME: Purpose = Purpose(10);

impl ReplicaSetController {
    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        if let Some(set) = delta.object().meta.controlled_by(Kind::ReplicaSet) {
            self.expected.observe(set, delta);
        }
    }

    /// The Pods of a set that count.
    fn active(&self, set: &Object, view: &View) -> Vec<Arc<Object>> {
        view.local
            .list(Kind::Pod)
            .filter(|pod| pod.meta.controller().is_some_and(|by| by.uid == set.meta.uid))
            .filter(|pod| !pod.meta.is_deleting() && !self.expected.is_leaving(pod.key()))
            .filter(|pod| pod.pod().is_some_and(|body| !body.phase.is_terminal()))
            .cloned()
            .collect()
    }

    fn create(&mut self, object: &Object, set: &ReplicaSet, view: &mut View) -> Step<State> {
        let suffix = name_suffix((view.draw)(POD_NAME));
        let name = Text::from(format!("{}-{suffix}", object.name()));
        let meta = Meta::new(Kind::Pod, object.key().namespace.clone(), name.clone());
        let mut meta = meta.owned_by(&object.meta);
        meta.labels = set.template.labels.clone();
        let pod = Object::new(meta, Pod::new(set.template.clone()));
        self.expected.creates(object.name(), name);
        Step::ask(Verb::Create(Arc::new(pod)), State::Created)
    }

    fn delete(&mut self, pod: &Object) -> Step<State> {
        let key = pod.key().clone();
        self.expected.deletes(key.clone());
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
        let active = self.active(&object, view);
        let coming = self.expected.coming(&key.name);
        let have = active.len() + coming;
        let wanted = set.replicas as usize;
        if have < wanted {
            return self.create(&object, set, view);
        }
        if have > wanted && coming == 0 {
            // Pods that run nowhere or are not ready go first.
            let last = active.iter().min_by_key(|pod| {
                pod.pod().map(|body| (!body.node_name.is_empty(), body.is_ready()))
            });
            if let Some(pod) = last {
                return self.delete(pod);
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
            (State::Created, Reply::Answer(Ok(Answer::Object(pod)))) => {
                let message = format!("Created pod: {}", pod.name());
                view.event(key, "SuccessfulCreate", message);
                self.begin(key, view)
            }
            (State::Created, Reply::Answer(Err(error))) => {
                self.expected.creation_failed(&key.name);
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
