//! Pods that no Job counts any more: their finalizer is taken off, so that they can go.
//!
//! A Job holds each of its Pods by a finalizer until it has counted it. Of one that was deleted, or has
//! ended, nobody would ever let go the Pods that are left. Follows `syncOrphanPod`,
//! `cleanupPodFinalizers` and the event handlers of `k/k:pkg/controller/job/job_controller.go`.

use super::job::TRACKING;
use super::job_pods::holds;
use super::{ControllerManager, Event};
use crate::api::{Kind, Object, ObjectKey, OwnerReference, Verb};
use crate::client::{Caches, Delta, Reconciler, Reply, Step, View};
use crate::infra::Ctx;
use std::sync::Arc;

/// The queue of Pods without a Job; it remembers nothing.
#[derive(Clone, Debug)]
pub struct JobOrphans;

/// The finalizer is being taken off.
#[derive(Clone, Debug)]
pub struct Released;

impl Reconciler for JobOrphans {
    type State = Released;

    fn agent(&self) -> &'static str {
        "job-controller"
    }

    fn counts_for_itself(&self) -> bool {
        true
    }

    /// The key is the Pod's.
    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<Released> {
        let Some(pod) = view.local.get(key).filter(|pod| is_orphan(pod, view.local)).cloned()
        else {
            return Step::done();
        };
        let mut changed = Object::clone(&pod);
        let others = pod.meta.finalizers.iter().filter(|one| **one != TRACKING);
        changed.meta.finalizers = others.cloned().collect();
        Step::write(Verb::Patch { base: pod, changed: Arc::new(changed) }, Released)
    }

    fn resume(&mut self, _: &ObjectKey, _: Released, _: Reply, _: &mut View) -> Step<Released> {
        Step::done()
    }
}

/// True for a Pod that is held for a Job which is not there, or has ended.
fn is_orphan(pod: &Arc<Object>, caches: &Caches) -> bool {
    let is_left = |owner: &OwnerReference| {
        let is_job = owner.kind == Kind::Job;
        let job = caches.named(Kind::Job, &pod.key().namespace, &owner.name);
        let counts = job.filter(|job| job.meta.uid == owner.uid).and_then(|job| job.job());
        is_job && counts.is_none_or(|job| job.is_finished())
    };
    holds(pod) && pod.meta.controller().is_none_or(is_left)
}

impl ControllerManager {
    /// A Job is gone, or has ended: whom it still holds is let go.
    pub(super) fn job_ended(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let is_over = delta
            .new
            .as_ref()
            .is_none_or(|object| object.job().is_some_and(crate::api::kinds::Job::is_finished));
        if !is_over {
            return;
        }
        let job = delta.object().meta.uid;
        let is_its = |pod: &&Arc<Object>| pod.meta.controller().is_some_and(|by| by.uid == job);
        let pods = self.clients.local.caches.list(Kind::Pod);
        let held: Vec<ObjectKey> =
            pods.filter(is_its).filter(|pod| holds(pod)).map(|pod| pod.key().clone()).collect();
        for pod in held {
            self.job_orphans.enqueue(ctx, &pod);
        }
    }

    /// A Pod came or changed: one without an owner is looked at, and one that is being deleted, whose Job
    /// will not let it go.
    pub(super) fn orphan_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let Some(pod) = &delta.new else { return };
        let is_due = pod.meta.is_deleting() || pod.meta.controller().is_none();
        if is_due && is_orphan(pod, &self.clients.local.caches) {
            self.job_orphans.enqueue(ctx, pod.key());
        }
    }
}
