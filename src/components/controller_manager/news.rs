//! Who is told of what the informers show.
//!
//! Nothing is decided here: an object that came, changed or went is handed to the controllers that care
//! for it, or for the object that it belongs to. Follows the event handlers with which each of them
//! begins (`k/k:pkg/controller/*`).

use super::{ControllerManager, Event, disruption, endpoint_slice, job, sibling};
use crate::api::{Kind, Object, ObjectKey};
use crate::client::Delta;
use crate::infra::Ctx;

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
                self.jobs.enqueue(ctx, delta.key());
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

    /// Whose Pod came, changed or went is looked at.
    fn workload_of_pod(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let Some(owner) = delta.object().meta.controller() else { return };
        let key = sibling(delta.key(), owner.kind, &owner.name);
        match owner.kind {
            Kind::ReplicaSet => {
                self.replica_sets.reconciler.observe(delta);
                self.replica_sets.enqueue(ctx, &key);
            }
            Kind::StatefulSet => self.stateful_sets.enqueue(ctx, &key),
            Kind::DaemonSet => {
                self.daemon_sets.reconciler.observe(delta);
                self.daemon_sets.enqueue(ctx, &key);
            }
            Kind::Job => {
                self.jobs.reconciler.observe(delta);
                match job::is_let_go(delta) {
                    true => self.jobs.enqueue(ctx, &key),
                    false => {
                        let wait = ("kubernetes.jobSyncBatch", self.settings.job.batch);
                        self.jobs.enqueue_later(ctx, &key, wait);
                    }
                }
            }
            _ => {}
        }
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
