//! What a whole cluster is called and reached by: Clusters of Cluster API, and Services.
//!
//! Follows the printer columns of `cluster-api:api/v1beta1/cluster_types.go`, and `printService` of
//! `k/k:pkg/printers/internalversion`.
//!
//! Simplified: an app has a Service if users ask it; the API server's own, `kubernetes`, is none.

use super::manifest::conditions;
use super::rows::{NONE, UNKNOWN, selector};
use crate::api::Object;
use crate::api::kinds::{Cluster, Service};
use serde_json::{Value, json};

/// The columns of Clusters.
pub const CLUSTER: [&str; 5] = ["NAME", "CLUSTERCLASS", "PHASE", "AGE", "VERSION"];
/// The columns of Services, without what `-o wide` adds.
pub const SERVICE: [&str; 6] = ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"];

/// Of a Cluster that is of no class, and so has no version of its own.
pub fn cluster_cells(object: &Object, body: &Cluster, created: String) -> Vec<String> {
    vec![String::new(), phase(object, body).to_owned(), created, String::new()]
}

/// The Cluster as `-o yaml` prints it.
pub fn cluster_json(object: &Object, body: &Cluster) -> (Value, Value) {
    let status = json!({
        "conditions": conditions(&body.conditions, false),
        "infrastructureReady": body.infrastructure_ready,
        "phase": phase(object, body),
    });
    (if body.paused { json!({ "paused": true }) } else { json!({}) }, status)
}

/// `reconcilePhase` of `cluster-api:internal/controllers/cluster`; its endpoint is always known.
pub(super) fn phase(object: &Object, body: &Cluster) -> &'static str {
    match body.infrastructure_ready {
        _ if object.meta.is_deleting() => "Deleting",
        true => "Provisioned",
        false => "Provisioning",
    }
}

/// Addresses and ports are not modeled: a Service is a name for Pods.
pub fn service_cells(body: &Service, created: String) -> Vec<String> {
    let cells = ["ClusterIP", UNKNOWN, NONE, UNKNOWN].map(str::to_owned);
    cells.into_iter().chain([created, selector(&body.selector)]).collect()
}

/// The Service as `-o yaml` prints it.
pub fn service_json(body: &Service) -> (Value, Value) {
    let spec = json!({ "selector": *body.selector, "type": "ClusterIP" });
    (spec, json!({ "loadBalancer": {} }))
}
