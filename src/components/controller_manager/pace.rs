//! With which clientset each controller asks, and how fast.
//!
//! Each has its own (`ClientOrDie` in `k/k:cmd/kube-controller-manager/app/core.go`), so each has `--kube-api-qps`
//! and `--kube-api-burst` for itself; informers and the election have others.

use super::{Settings, garbage, node_lifecycle, taint_eviction};
use crate::client::{Clientset, Pace, ShellRules, ShellSettings};

/// With which clientset Pods are evicted for taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintEvictionClient {
    /// That of the node lifecycle controller, a part of which it is up to 1.28.
    OfNodeLifecycle,
    /// One of its own.
    Own,
}

impl Settings {
    /// How the garbage collector works off whom it looks at.
    pub fn garbage_shell(&self) -> ShellSettings {
        const RULES: &ShellRules = &ShellRules {
            workers: "kubernetes.garbageCollectorWorkers",
            ..*ShellRules::CONTROLLER_MANAGER
        };
        ShellSettings { workers: self.garbage_workers, rules: RULES, ..self.shell }
    }

    /// The limit of each controller's clientset.
    pub fn pace(&self) -> Pace {
        Pace {
            rule: "kubernetes.controllerRequestInterval",
            interval: self.request_interval,
            burst: self.request_burst,
            clientset: match self.taint_eviction_client {
                TaintEvictionClient::OfNodeLifecycle => |agent| match agent {
                    taint_eviction::AGENT => clientset(node_lifecycle::AGENT),
                    _ => clientset(agent),
                },
                TaintEvictionClient::Own => clientset,
            },
        }
    }
}

fn clientset(agent: &'static str) -> Option<Clientset> {
    match agent {
        "reflector" => None,
        node_lifecycle::EVENT_SOURCE => clientset(node_lifecycle::AGENT),
        // It asks twice for each object that it deletes, so it may ask twice as fast
        // (`startGarbageCollectorController`).
        garbage::AGENT => Some(Clientset { name: agent, times: 2 }),
        _ => Some(Clientset { name: agent, times: 1 }),
    }
}
