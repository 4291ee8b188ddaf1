//! From the catalog's keys to the manifests of a control plane: those that kubeadm writes, and the
//! cloud's controller.

use super::small;
use crate::api::{ProbeKind, ProbeSpec, StaticPodManifest};
use crate::components::cloud_controller;
use crate::engine::Text;
use crate::infra::Port;
use crate::scenario::catalog::Catalog;
use crate::world::{API_PORT, CONTROLLER_MANAGER_PORT, ETCD_PORT, SCHEDULER_PORT};

/// How etcd is asked, in the words of the catalog.
const ETCD_PROBES: [&str; 3] = ["livez", "serializableHealth", "health"];

/// The manifests of a control plane.
///
/// Simplified: etcd is asked at its clients' port, where the real one has another for this (2381).
/// The cloud's controller is a static Pod beside each API server, as Kubernetes documents the
/// replicas of a control plane's programs; vSphere's own manifests make a DaemonSet or a Deployment
/// of it, whose Pods run on the same Nodes.
pub fn manifests(all: &Catalog, has_cloud: bool) -> Vec<StaticPodManifest> {
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
    let probed = |name: &'static str, port: Port, probes: Vec<(ProbeKind, &'static str)>| {
        (name, probes.into_iter().map(|(kind, path)| probe(all, kind, port, path)).collect())
    };
    let mut written: Vec<(&'static str, Vec<ProbeSpec>)> = vec![
        probed("etcd", ETCD_PORT, etcd),
        probed("kube-apiserver", API_PORT, apiserver),
        probed("kube-controller-manager", CONTROLLER_MANAGER_PORT, controller()),
        probed("kube-scheduler", SCHEDULER_PORT, controller()),
    ];
    written.extend(has_cloud.then(|| (cloud_controller::PROGRAM, Vec::new())));
    let grace = all.duration("kubernetes.staticPodGrace");
    let manifest = |(name, probes)| StaticPodManifest { name: Text::word(name), grace, probes };
    written.into_iter().map(manifest).collect()
}

fn probe(all: &Catalog, kind: ProbeKind, port: Port, path: &'static str) -> ProbeSpec {
    let key = |what: &str| format!("kubernetes.probe{}{what}", kind.name());
    ProbeSpec {
        kind,
        port: port.0,
        path,
        initial_delay: all.duration(&key("Delay")),
        period: all.rhythm(&key("Period")),
        timeout: all.period("kubernetes.probeTimeout"),
        failure_threshold: small(all.count(&key("Failures"), 1..=1000)),
    }
}
