//! From the catalog's keys to the manifests that kubeadm writes for a control plane.

use super::small;
use crate::api::{ProbeKind, ProbeSpec, StaticPodManifest};
use crate::engine::Text;
use crate::infra::Port;
use crate::scenario::catalog::Catalog;
use crate::world::{API_PORT, CONTROLLER_MANAGER_PORT, ETCD_PORT, SCHEDULER_PORT};

/// How etcd is asked, in the words of the catalog.
const ETCD_PROBES: [&str; 3] = ["livez", "serializableHealth", "health"];

/// The manifests of a control plane.
///
/// Simplified: etcd is asked at its clients' port, where the real one has another for this (2381).
pub fn manifests(all: &Catalog) -> Vec<StaticPodManifest> {
    use ProbeKind::{Liveness, Readiness, Startup};
    let etcd = match all.choice("kubernetes.etcdProbes", &ETCD_PROBES) {
        0 => vec![(Startup, "/readyz"), (Liveness, "/livez"), (Readiness, "/readyz")],
        1 => vec![
            (Startup, "/health?serializable=false"),
            (Liveness, "/health?exclude=NOSPACE&serializable=true"),
        ],
        _ => vec![(Startup, "/health"), (Liveness, "/health")],
    };
    let apiserver = vec![(Startup, "/livez"), (Liveness, "/livez"), (Readiness, "/readyz")];
    let controller = || vec![(Startup, "/healthz"), (Liveness, "/healthz")];
    [
        ("etcd", ETCD_PORT, etcd),
        ("kube-apiserver", API_PORT, apiserver),
        ("kube-controller-manager", CONTROLLER_MANAGER_PORT, controller()),
        ("kube-scheduler", SCHEDULER_PORT, controller()),
    ]
    .map(|(name, port, probes)| StaticPodManifest {
        name: Text::word(name),
        grace: all.duration("kubernetes.staticPodGrace"),
        probes: probes.into_iter().map(|(kind, path)| probe(all, kind, port, path)).collect(),
    })
    .into()
}

fn probe(all: &Catalog, kind: ProbeKind, port: Port, path: &'static str) -> ProbeSpec {
    let key = |what: &str| format!("kubernetes.probe{}{what}", kind.name());
    ProbeSpec {
        kind,
        port: port.0,
        path,
        initial_delay: all.duration(&key("Delay")),
        period: all.period(&key("Period")),
        timeout: all.period("kubernetes.probeTimeout"),
        failure_threshold: small(all.count(&key("Failures"), 1..=1000)),
    }
}
