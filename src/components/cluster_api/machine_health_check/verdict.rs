//! What a MachineHealthCheck finds about one Machine. The first rule that applies decides.
//!
//! Follows `needsRemediation` of `machinehealthcheck_targets.go`. It reads the caches and writes
//! nothing. Simplified: a check lists conditions of Nodes only; those of Machines (from release
//! 1.12) and references to external remediation have no setting yet.

use super::super::{Settings, Wording, node_in};
use crate::api::Object;
use crate::api::kinds::{Cluster, Machine, MachineHealthCheck, Node, Status, UnhealthyCondition};
use crate::client::View;
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// What is found about one Machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Healthy,
    /// A clock runs; look again after this.
    Waiting(Duration),
    /// There is nothing to judge.
    Nothing,
    Unhealthy {
        reason: &'static str,
        message: Text,
    },
}

/// A Machine with its Node, as the caches have them.
pub struct Target {
    pub object: Arc<Object>,
    pub node: Found,
    pub verdict: Verdict,
}

/// The Node of a Machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The Machine has never had one.
    None,
    /// It had one of this name.
    Missing(Text),
    Node(Arc<Object>),
}

/// What all verdicts of one pass rest on.
pub struct Bench<'a> {
    pub settings: &'a Settings,
    pub cluster: &'a Cluster,
    /// The Cluster's `ControlPlaneInitialized` and `InfrastructureReady`.
    pub initialized: bool,
    infrastructure_ready: bool,
    pub check: &'a MachineHealthCheck,
    pub now: SimTime,
}

const REMEDIATE: &str = "cluster.x-k8s.io/remediate-machine";
const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";

impl Target {
    /// The Node's name, empty if there is no Node.
    pub fn node_name(&self) -> Text {
        match &self.node {
            Found::Node(node) => node.name().clone(),
            _ => Text::EMPTY,
        }
    }

    /// True if it counts as healthy: judged so, and here to stay.
    pub fn is_healthy(&self) -> bool {
        self.verdict == Verdict::Healthy && !self.object.meta.is_deleting()
    }

    /// True if it is to be remediated.
    pub fn is_unhealthy(&self) -> bool {
        matches!(self.verdict, Verdict::Unhealthy { .. })
    }
}

impl<'a> Bench<'a> {
    /// A bench for one pass.
    pub fn new(
        settings: &'a Settings,
        cluster: &'a Cluster,
        check: &'a MachineHealthCheck,
        now: SimTime,
    ) -> Bench<'a> {
        let is = |condition| cluster.conditions.is(condition, Status::True);
        Bench {
            settings,
            cluster,
            initialized: is("ControlPlaneInitialized"),
            infrastructure_ready: is("InfrastructureReady"),
            check,
            now,
        }
    }

    /// Judges one Machine.
    pub fn judge(&self, object: &Arc<Object>, machine: &Machine, view: &View) -> Target {
        let node = self.node_of(machine, view);
        let verdict = self.verdict(object, machine, &node);
        Target { object: object.clone(), node, verdict }
    }

    /// Before the control plane is initialized nobody is asked for Nodes.
    fn node_of(&self, machine: &Machine, view: &View) -> Found {
        match &machine.node_ref {
            Some(name) if self.initialized => {
                let node = node_in(view.remote, name).cloned();
                node.map_or_else(|| Found::Missing(name.clone()), Found::Node)
            }
            _ => Found::None,
        }
    }

    fn verdict(&self, object: &Object, machine: &Machine, node: &Found) -> Verdict {
        if object.meta.annotation(REMEDIATE).is_some() {
            return self.annotated();
        }
        let gone = match node {
            Found::Missing(name) => Some(self.node_gone(name)),
            _ => None,
        };
        if let (Some(gone), false) = (&gone, self.settings.health_check_asks_cluster_first) {
            return gone.clone();
        }
        let is_control_plane = object.meta.labels.contains_key(CONTROL_PLANE);
        let initialized = self.initialized || is_control_plane;
        // Nobody is blamed for a cluster that is not up yet; the Cluster's change wakes the check.
        if !initialized || !self.infrastructure_ready {
            return self.without_clock(node);
        }
        if let Some(gone) = gone {
            return gone;
        }
        match node {
            Found::Node(node) => node.node().map_or(Verdict::Nothing, |body| self.conditions(body)),
            _ => self.not_started(object, machine),
        }
    }

    /// No clock runs: who has a Node is healthy.
    fn without_clock(&self, node: &Found) -> Verdict {
        if matches!(node, Found::Node(_)) { Verdict::Healthy } else { Verdict::Nothing }
    }

    fn annotated(&self) -> Verdict {
        let (reason, message) = match self.settings.wording {
            Wording::V1Beta1 => (
                "HasRemediateMachineAnnotation",
                "Marked for remediation via remediate-machine annotation",
            ),
            Wording::V1Beta2 => (
                "HasRemediateAnnotation",
                "Health check failed: marked for remediation via \
                 cluster.x-k8s.io/remediate-machine annotation",
            ),
        };
        Verdict::Unhealthy { reason, message: Text::word(message) }
    }

    fn node_gone(&self, name: &Text) -> Verdict {
        match self.settings.wording {
            Wording::V1Beta1 => Verdict::Unhealthy { reason: "NodeNotFound", message: Text::EMPTY },
            Wording::V1Beta2 => Verdict::Unhealthy {
                reason: "NodeDeleted",
                message: Text::from(format!(
                    "Health check failed:\n  * Node {name} has been deleted"
                )),
            },
        }
    }

    /// No Node yet: the startup clock, which begins with the latest of several events.
    fn not_started(&self, object: &Object, machine: &Machine) -> Verdict {
        let timeout = self.check.node_startup_timeout;
        if timeout.is_zero() {
            return Verdict::Nothing;
        }
        let own = self.settings.startup_counts_infrastructure.then_some(&machine.conditions);
        let since = [
            self.cluster.conditions.get("ControlPlaneInitialized"),
            self.cluster.conditions.get("InfrastructureReady"),
            own.and_then(|conditions| conditions.get("InfrastructureReady")),
        ];
        let since = since.into_iter().flatten().filter(|c| c.status == Status::True);
        // Times in objects are whole seconds.
        let created = object.meta.created.to_whole_seconds();
        let start = since.map(|c| c.last_transition).fold(created, SimTime::max);
        if start + timeout < self.now {
            let message = match self.settings.wording {
                Wording::V1Beta1 => format!("Node failed to report startup in {timeout}"),
                Wording::V1Beta2 => {
                    format!("Health check failed:\n  * Node failed to report startup in {timeout}")
                }
            };
            return Verdict::Unhealthy { reason: "NodeStartupTimeout", message: message.into() };
        }
        Verdict::Waiting(self.remaining(start, timeout))
    }

    /// Each configured condition has a clock: since when the Node has been so.
    fn conditions(&self, node: &Node) -> Verdict {
        let mut next: Option<Duration> = None;
        for rule in &self.check.unhealthy_conditions {
            let found = node.conditions.get(&rule.kind).filter(|c| c.status == rule.status);
            let Some(found) = found else { continue };
            if found.last_transition + rule.timeout < self.now {
                let message = self.words(rule, &found.reason);
                return Verdict::Unhealthy { reason: "UnhealthyNode", message };
            }
            let wait = self.remaining(found.last_transition, rule.timeout);
            next = Some(next.map_or(wait, |sooner| sooner.min(wait)));
        }
        next.map_or(Verdict::Healthy, Verdict::Waiting)
    }

    fn words(&self, rule: &UnhealthyCondition, reason: &Text) -> Text {
        let (kind, status, timeout) = (&rule.kind, rule.status.name(), rule.timeout);
        Text::from(match self.settings.wording {
            Wording::V1Beta1 => format!(
                "Condition {kind} on node is reporting status {status} for more than {timeout}"
            ),
            Wording::V1Beta2 => format!(
                "Health check failed:\n  * Condition {kind} on Node is reporting status {status} \
                 with reason {reason} for more than {timeout}"
            ),
        })
    }

    fn remaining(&self, start: SimTime, timeout: Duration) -> Duration {
        (start + timeout).since(self.now) + self.settings.health_check_slack
    }
}
