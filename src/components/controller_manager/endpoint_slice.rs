//! EndpointSlices: which Pods of a Service are there, and which of them serve.
//!
//! A Pod whose Node falls silent stops serving when it is marked not ready, long before it is
//! evicted. Follows `k/k:pkg/controller/endpointslice` and `k/k:staging/src/k8s.io/endpointslice`.
//!
//! Simplified: one slice for each Service, however many endpoints there are.

use crate::api::kinds::{Endpoint, EndpointSlice, Pod, SERVICE_NAME};
use crate::api::{Kind, Meta, Object, ObjectKey, Verb, labels};
use crate::client::{Delta, Reconciler, Reply, Step, View};
use crate::engine::{Purpose, Text, name_suffix};
use std::sync::Arc;

/// The controller; it remembers nothing.
#[derive(Clone, Debug)]
pub struct EndpointSliceController;

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub struct Written;

const SLICE_NAME: Purpose = Purpose(13);

impl Reconciler for EndpointSliceController {
    type State = Written;

    fn agent(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn counts_for_itself(&self) -> bool {
        true
    }

    /// The key is the Service's.
    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<Written> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        if object.service().is_none() || object.meta.is_deleting() {
            return Step::done();
        }
        let slice = EndpointSlice { endpoints: endpoints(&object, view) };
        let mine = |slice: &&Arc<Object>| {
            slice.meta.controller().is_some_and(|owner| owner.uid == object.meta.uid)
        };
        let Some(old) = view.local.list(Kind::EndpointSlice).find(mine).cloned() else {
            let suffix = name_suffix((view.draw)(SLICE_NAME));
            return Step::write(Verb::Create(Arc::new(named(&object, &suffix, slice))), Written);
        };
        if old.endpoint_slice() == Some(&slice) {
            return Step::done();
        }
        let mut changed = Object::clone(&old);
        if let Some(body) = changed.endpoint_slice_mut() {
            *body = slice;
        }
        Step::write(Verb::Patch { base: old, changed: Arc::new(changed) }, Written)
    }

    fn resume(&mut self, _: &ObjectKey, _: Written, _: Reply, _: &mut View) -> Step<Written> {
        Step::done()
    }
}

/// The Services that a Pod's change concerns.
pub fn concerned<'a>(
    delta: &'a Delta,
    services: impl Iterator<Item = &'a Arc<Object>> + 'a,
) -> impl Iterator<Item = ObjectKey> + 'a {
    services.filter(|service| selects(service, delta.object())).map(|s| s.key().clone())
}

/// A new slice of a Service.
fn named(service: &Object, suffix: &Text, slice: EndpointSlice) -> Object {
    let name = format!("{}-{suffix}", service.name());
    let meta = Meta::new(Kind::EndpointSlice, service.key().namespace.clone(), name);
    let mut meta = meta.owned_by(&service.meta);
    meta.labels = labels([(SERVICE_NAME, service.name().clone())]);
    Object::new(meta, slice)
}

fn selects(service: &Object, pod: &Object) -> bool {
    service.key().namespace == pod.key().namespace
        && service
            .service()
            .is_some_and(|body| !body.selector.is_empty() && pod.meta.matches(&body.selector))
}

/// The Pods of a Service that have an address, by name.
fn endpoints(object: &Object, view: &View) -> Vec<Endpoint> {
    view.local
        .list(Kind::Pod)
        .filter(|pod| selects(object, pod))
        .filter_map(|pod| endpoint(pod, pod.pod()?))
        .collect()
}

/// A Pod as an endpoint; none if it has ended, or has no address because nothing ran yet.
fn endpoint(object: &Object, pod: &Pod) -> Option<Endpoint> {
    if pod.phase.is_terminal() || pod.started.is_none() {
        return None;
    }
    let (serving, terminating) = (pod.is_ready(), object.meta.is_deleting());
    Some(Endpoint {
        pod: object.name().clone(),
        uid: object.meta.uid,
        node: pod.node_name.clone(),
        ready: serving && !terminating,
        serving,
        terminating,
    })
}
