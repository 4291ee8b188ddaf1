//! EndpointSlices: which Pods of a Service are there, and which of them serve.
//!
//! A Pod whose Node falls silent stops serving when it is marked not ready, long before it is
//! evicted; one whose Node is gone from the API is left out at the next look, ready or not, and the
//! Service is looked at again until it is either back or collected. Follows `k/k:pkg/controller/endpointslice` and `k/k:staging/src/k8s.io/endpointslice`.
//!
//! Simplified: one slice for each Service, however many endpoints there are.

use crate::api::kinds::{Endpoint, EndpointSlice, Pod, SERVICE_NAME};
use crate::api::{Kind, Meta, Object, ObjectKey, Verb, labels};
use crate::client::{BackoffRules, Delta, Outcome, Reconciler, Reply, ShellRules, Step, View};
use crate::engine::{Purpose, Text, name_suffix};
use std::sync::Arc;

/// The controller; it remembers nothing.
#[derive(Clone, Debug)]
pub struct EndpointSliceController;

/// Where a reconcile waits, and what is wrong though the slice is written.
#[derive(Clone, Debug)]
pub struct Written(Option<Text>);

const SLICE_NAME: Purpose = Purpose(13);

/// A Service that could not be served waits longer than other objects.
pub const RULES: &ShellRules = &ShellRules {
    backoff: BackoffRules {
        first: "kubernetes.endpointSliceBackoffFirst",
        limit: "kubernetes.endpointSliceBackoffLimit",
    },
    ..*ShellRules::CONTROLLER_MANAGER
};

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
        let (endpoints, wrong) = endpoints(&object, view);
        let (slice, wrong) = (EndpointSlice { endpoints }, Written(wrong));
        let mine = |slice: &&Arc<Object>| {
            slice.meta.controller().is_some_and(|owner| owner.uid == object.meta.uid)
        };
        let Some(old) = view.local.list(Kind::EndpointSlice).find(mine).cloned() else {
            let suffix = name_suffix((view.draw)(SLICE_NAME));
            return Step::write(Verb::Create(Arc::new(named(&object, &suffix, slice))), wrong);
        };
        if old.endpoint_slice() == Some(&slice) {
            return end(key, wrong, view);
        }
        let mut changed = Object::clone(&old);
        if let Some(body) = changed.endpoint_slice_mut() {
            *body = slice;
        }
        Step::write(Verb::Patch { base: old, changed: Arc::new(changed) }, wrong)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        wrong: Written,
        _: Reply,
        view: &mut View,
    ) -> Step<Written> {
        end(key, wrong, view)
    }
}

/// The slice is as it can be: all is well, or the Service is looked at again after a pause.
fn end(key: &ObjectKey, Written(wrong): Written, view: &mut View) -> Step<Written> {
    let Some(wrong) = wrong else { return Step::done() };
    let (namespace, name) = (&key.namespace, &key.name);
    let told = format!("Error updating Endpoint Slices for Service {namespace}/{name}: {wrong}");
    view.warn(key, "FailedToUpdateEndpointSlices", told);
    Step::Done(Outcome::error(wrong))
}

/// The Services that a Pod's change concerns: those that select it, and those that did.
pub fn concerned<'a>(
    delta: &'a Delta,
    services: impl Iterator<Item = &'a Arc<Object>> + 'a,
) -> impl Iterator<Item = ObjectKey> + 'a {
    let pods = move || delta.old.iter().chain(&delta.new);
    services.filter(move |service| pods().any(|pod| selects(service, pod))).map(|s| s.key().clone())
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

/// The Pods of a Service that have an address, by name; and what is wrong with those of a Node that
/// is not there (`reconcileByAddressType`).
fn endpoints(service: &Object, view: &View) -> (Vec<Endpoint>, Option<Text>) {
    let (mut endpoints, mut wrong) = (Vec::new(), Vec::new());
    for pod in view.local.list(Kind::Pod).filter(|pod| selects(service, pod)) {
        let Some(endpoint) = pod.pod().and_then(|body| endpoint(pod, body)) else { continue };
        let node = &endpoint.node;
        if view.local.named(Kind::Node, &Text::EMPTY, node).is_some() {
            endpoints.push(endpoint);
            continue;
        }
        let (namespace, name) = (&service.key().namespace, service.name());
        wrong.push(format!(
            "skipping Pod {} for Service {namespace}/{name}: Node {node} Not Found",
            pod.name()
        ));
    }
    // As k8s.io/apimachinery's aggregate of errors says several.
    let wrong = match wrong.len() {
        0 => None,
        1 => Some(wrong.remove(0).into()),
        _ => Some(format!("[{}]", wrong.join(", ")).into()),
    };
    (endpoints, wrong)
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
