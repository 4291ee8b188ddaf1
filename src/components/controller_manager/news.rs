//! Who is told of what the informers show.
//!
//! Nothing is decided here: an object that came, changed or went is handed to the controllers that care
//! for it, or for the object that it belongs to. Follows the event handlers with which each of them
//! begins (`k/k:pkg/controller/*`).

use super::{ControllerManager, Event, disruption, endpoint_slice, job, sibling};
use crate::api::{Kind, Labels, Object, ObjectKey, OwnerReference};
use crate::client::Delta;
use crate::engine::{Duration, Rule};
use crate::infra::Ctx;
use std::sync::Arc;

impl ControllerManager {
    pub(super) fn on_change(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        self.garbage_changed(delta, ctx);
        self.volumes_changed(delta, ctx);
        match delta.key().kind {
            Kind::Node => {
                self.node_changed(delta, ctx);
                self.node_ended(delta, ctx);
                self.taints_changed(delta, ctx);
                self.daemons_place_changed(delta, ctx);
            }
            Kind::Pod => {
                self.evictable_changed(delta, ctx);
                self.budgeted_changed(delta, ctx);
                self.disruption_changed(delta, ctx);
                self.endpoint_changed(delta, ctx);
                self.orphan_changed(delta, ctx);
                self.workload_of_pod(delta, ctx);
            }
            Kind::ReplicaSet => {
                self.replica_sets.enqueue(ctx, delta.key());
                if let Some(owner) = delta.object().meta.controlled_by(Kind::Deployment) {
                    let owner = sibling(delta.key(), Kind::Deployment, owner);
                    self.deployments.enqueue(ctx, &owner);
                }
            }
            Kind::Deployment => self.deployments.enqueue(ctx, delta.key()),
            Kind::StatefulSet => self.stateful_sets.enqueue(ctx, delta.key()),
            Kind::DaemonSet => self.daemon_sets.enqueue(ctx, delta.key()),
            Kind::Job => {
                match job::is_status_only(delta) {
                    true => self.jobs.enqueue_later(ctx, delta.key(), self.job_batch()),
                    false => self.jobs.enqueue(ctx, delta.key()),
                }
                if delta.new.is_none() {
                    self.jobs.reconciler.forget(delta.object().meta.uid);
                }
                self.job_ended(delta, ctx);
            }
            Kind::PodDisruptionBudget => self.budgets.enqueue(ctx, delta.key()),
            Kind::Service => self.endpoint_slices.enqueue(ctx, delta.key()),
            Kind::EndpointSlice => {
                if let Some(service) = delta.object().meta.controlled_by(Kind::Service) {
                    let service = sibling(delta.key(), Kind::Service, service);
                    self.endpoint_slices.enqueue(ctx, &service);
                }
            }
            _ => {}
        }
    }

    /// A Pod came, changed or went: the budgets that count it are counted anew.
    fn budgeted_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let budgets = self.clients.local.caches.list(Kind::PodDisruptionBudget);
        let concerned: Vec<ObjectKey> = disruption::concerned(delta, budgets).collect();
        for budget in concerned {
            self.budgets.enqueue(ctx, &budget);
        }
    }

    /// A Pod came, changed or went: the Services that it serves are looked at.
    fn endpoint_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let services = self.clients.local.caches.list(Kind::Service);
        let concerned: Vec<ObjectKey> = endpoint_slice::concerned(delta, services).collect();
        for service in concerned {
            self.endpoint_slices.enqueue(ctx, &service);
        }
    }

    /// Whose Pod came, changed or went is looked at, and who may adopt one that is nobody's.
    fn workload_of_pod(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        self.replica_sets.reconciler.observe(delta);
        self.stateful_sets.reconciler.observe(delta);
        self.daemon_sets.reconciler.observe(delta);
        let of = |object: &Arc<Object>| object.meta.controller().cloned();
        let (old, new) = (delta.old.as_ref().and_then(of), delta.new.as_ref().and_then(of));
        if delta.new.is_some() && old != new {
            // Its set has released it: that one counts anew.
            old.into_iter().for_each(|owner| self.enqueue_owner(&owner, delta, ctx));
        }
        match delta.object().meta.controller().cloned() {
            Some(owner) => self.enqueue_owner(&owner, delta, ctx),
            None => self.offer(delta, ctx),
        }
    }

    /// An orphan that is new, or looks new, is offered to the sets that select it.
    fn offer(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let looks = |pod: &Arc<Object>| (pod.meta.labels.clone(), pod.meta.owners.clone());
        let Some(pod) = &delta.new else { return };
        if delta.old.as_ref().is_some_and(|old| looks(old) == looks(pod)) {
            return;
        }
        for kind in [Kind::ReplicaSet, Kind::StatefulSet, Kind::DaemonSet] {
            let selects = |set: &&Arc<Object>| {
                let selector = selector_of(set);
                let is_near = set.key().namespace == pod.key().namespace;
                is_near && selector.is_some_and(|it| !it.is_empty() && pod.meta.matches(it))
            };
            let sets = self.clients.local.caches.list(kind).filter(selects);
            let sets: Vec<ObjectKey> = sets.map(|set| set.key().clone()).collect();
            for set in sets {
                match kind {
                    Kind::ReplicaSet => self.replica_sets.enqueue(ctx, &set),
                    Kind::StatefulSet => self.stateful_sets.enqueue(ctx, &set),
                    _ => self.daemon_sets.enqueue(ctx, &set),
                }
            }
        }
    }

    fn enqueue_owner(&mut self, owner: &OwnerReference, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = sibling(delta.key(), owner.kind, &owner.name);
        match owner.kind {
            Kind::ReplicaSet => self.replica_sets.enqueue(ctx, &key),
            Kind::StatefulSet => self.stateful_sets.enqueue(ctx, &key),
            Kind::DaemonSet => self.daemon_sets.enqueue(ctx, &key),
            Kind::Job => {
                self.jobs.reconciler.observe(delta);
                self.jobs.enqueue_later(ctx, &key, self.job_batch());
            }
            _ => {}
        }
    }

    /// Before what happens to a Job and its Pods is looked at, together with what else comes until then.
    fn job_batch(&self) -> (Rule, Duration) {
        ("kubernetes.jobSyncBatch", self.settings.job.batch)
    }

    /// A Node came, or another set of DaemonSets may suit it.
    fn daemons_place_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let looks = |object: &Object| {
            let taints = object.node().map(|node| node.taints.clone());
            (object.meta.labels.clone(), taints)
        };
        let same = match (&delta.old, &delta.new) {
            (Some(old), Some(new)) => looks(old) == looks(new),
            (None, Some(_)) => false,
            // Its Pods are the garbage collector's matter.
            _ => true,
        };
        if same {
            return;
        }
        let caches = &self.clients.local.caches;
        let sets: Vec<ObjectKey> =
            caches.list(Kind::DaemonSet).map(|set| set.key().clone()).collect();
        for set in sets {
            self.daemon_sets.enqueue(ctx, &set);
        }
    }
}

/// The labels by which a set knows its Pods.
fn selector_of(set: &Object) -> Option<&Labels> {
    let by_replicas = set.replica_set().map(|set| &set.selector);
    let by_name = || set.stateful_set().map(|set| &set.selector);
    by_replicas.or_else(by_name).or_else(|| set.daemon_set().map(|set| &set.selector))
}
