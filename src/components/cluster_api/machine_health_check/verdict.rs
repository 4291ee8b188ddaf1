//! What a MachineHealthCheck finds about one Machine. The first rule that applies decides.
//!
//! Follows `needsRemediation` of `machinehealthcheck_targets.go`. It reads the caches and writes
//! nothing. Simplified: a check lists conditions of Nodes only; those of Machines (from release
//! 1.12) and references to external remediation have no setting yet.

use super::super::{Settings, Wording, node_in};
use crate::api::kinds::{
    Cluster, Condition, Machine, MachineHealthCheck, Node, Status, UnhealthyCondition,
};
use crate::api::{Kind, Object, ObjectKey};
use crate::client::{Ground, View};
use crate::engine::{Duration, Rule, SimTime, Text};
use crate::infra::Written;
use std::sync::Arc;

/// Where the limits of a check are set.
#[derive(Debug)]
struct Limits {
    /// The time in which a new Machine gets its Node.
    startup: Rule,
    /// The times after which a Node of this status is unhealthy.
    unknown: Rule,
    not_ready: Rule,
}

const LIMITS: Limits = Limits {
    startup: "machineHealthCheck.nodeStartupTimeout",
    unknown: "machineHealthCheck.unknownTimeout",
    not_ready: "machineHealthCheck.falseTimeout",
};

/// Those of a check that is the control plane's alone.
const OF_PLANE: Limits = Limits {
    startup: "controlPlaneHealthCheck.nodeStartupTimeout",
    unknown: "controlPlaneHealthCheck.unknownTimeout",
    not_ready: "controlPlaneHealthCheck.falseTimeout",
};

impl Limits {
    fn of(&self, status: Status) -> Rule {
        match status {
            Status::Unknown => self.unknown,
            _ => self.not_ready,
        }
    }
}

/// How much of a limit is left until who is unhealthy is blamed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock {
    pub left: Duration,
    /// Where the limit is set.
    pub rule: Rule,
}

/// What is found about one Machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Healthy,
    /// A clock runs; look again after this.
    Waiting(Clock),
    /// There is nothing to judge.
    Nothing,
    Unhealthy {
        reason: &'static str,
        message: Text,
        /// The limit that is over, if one is, and the write that began it.
        over: Option<Box<Over>>,
    },
}

/// A limit that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    pub began: Written,
    pub rule: Rule,
    pub limit: Duration,
}

/// A Machine with its Node, as the caches have them.
pub struct Target {
    pub object: Arc<Object>,
    pub node: Found,
    pub verdict: Verdict,
    /// Since when what decided has been so.
    began: Option<Written>,
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
    settings: &'a Settings,
    pub cluster_object: &'a Arc<Object>,
    cluster: &'a Cluster,
    /// The Cluster's `ControlPlaneInitialized` and `InfrastructureReady`.
    pub initialized: bool,
    infrastructure_ready: bool,
    pub check_object: &'a Arc<Object>,
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

    /// What its verdict goes back to: how its own Node is, or that it is gone; what the Machine says
    /// where it has none. Never what else the check has heard, which may be of another Node.
    pub fn ground(&self, view: &View) -> Ground {
        Ground { heard: view.heard_of(&self.judged_by()), written: self.began.clone() }
    }

    /// The object whose words decided.
    fn judged_by(&self) -> ObjectKey {
        match &self.node {
            _ if self.object.meta.annotation(REMEDIATE).is_some() => self.object.key().clone(),
            Found::Node(node) => node.key().clone(),
            Found::Missing(name) => {
                ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: name.clone() }
            }
            Found::None => self.object.key().clone(),
        }
    }

    /// True if nobody has said yet that it is unhealthy.
    pub fn is_news(&self) -> bool {
        let machine = self.object.machine();
        !machine.is_some_and(|body| body.conditions.is("HealthCheckSucceeded", Status::False))
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
    /// A bench for one pass; none if the objects are no Cluster and no check.
    pub fn new(
        settings: &'a Settings,
        cluster_object: &'a Arc<Object>,
        check_object: &'a Arc<Object>,
        now: SimTime,
    ) -> Option<Bench<'a>> {
        let (cluster, check) = (cluster_object.cluster()?, check_object.machine_health_check()?);
        let is = |condition| cluster.conditions.is(condition, Status::True);
        Some(Bench {
            settings,
            cluster_object,
            cluster,
            initialized: is("ControlPlaneInitialized"),
            infrastructure_ready: is("InfrastructureReady"),
            check_object,
            check,
            now,
        })
    }

    fn limits(&self) -> &'static Limits {
        let is_planes = self.check.selector.contains_key(CONTROL_PLANE);
        if self.settings.tells_checks_apart && is_planes { &OF_PLANE } else { &LIMITS }
    }

    /// Judges one Machine.
    pub fn judge(&self, object: &Arc<Object>, machine: &Machine, view: &View) -> Target {
        let node = self.node_of(machine, view);
        let verdict = self.verdict(object, machine, &node);
        let began = self.began(&verdict, &node);
        Target { object: object.clone(), node, verdict, began }
    }

    /// The write with which what decided began: of the condition whose time is up, or is up next; of a
    /// Node that is well, the latest among those that are looked at.
    fn began(&self, verdict: &Verdict, node: &Found) -> Option<Written> {
        let Found::Node(node) = node else {
            let Verdict::Unhealthy { over: Some(over), .. } = verdict else { return None };
            return Some(over.began.clone());
        };
        let body = node.node()?;
        let found = match verdict {
            Verdict::Unhealthy { over, .. } => return over.as_ref().map(|over| over.began.clone()),
            Verdict::Waiting(_) => self.ill(body).min_by_key(end).map(|(_, found)| found),
            _ => {
                let all = self.check.unhealthy_conditions.iter();
                let found = all.filter_map(|rule| body.conditions.get(&rule.kind));
                found.max_by_key(|condition| condition.last_transition)
            }
        };
        found.map(|condition| written(node.key(), condition))
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
            Found::Node(node) => match node.node() {
                Some(body) => self.conditions(node, body),
                None => Verdict::Nothing,
            },
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
        Verdict::Unhealthy { reason, message: Text::word(message), over: None }
    }

    fn node_gone(&self, name: &Text) -> Verdict {
        match self.settings.wording {
            Wording::V1Beta1 => {
                let message = Text::EMPTY;
                Verdict::Unhealthy { reason: "NodeNotFound", message, over: None }
            }
            Wording::V1Beta2 => Verdict::Unhealthy {
                reason: "NodeDeleted",
                message: Text::from(format!(
                    "Health check failed:\n  * Node {name} has been deleted"
                )),
                over: None,
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
        let cluster = self.cluster_object.key();
        let since = [
            (cluster, self.cluster.conditions.get("ControlPlaneInitialized")),
            (cluster, self.cluster.conditions.get("InfrastructureReady")),
            (object.key(), own.and_then(|conditions| conditions.get("InfrastructureReady"))),
        ];
        let said = since.into_iter().filter_map(|(of, condition)| Some((of, condition?)));
        let said = said.filter(|(_, condition)| condition.status == Status::True);
        // Times in objects are whole seconds.
        let at = object.meta.created.to_whole_seconds();
        let created = Written { object: object.key().clone(), field: Text::word("exists"), at };
        let all = said.map(|(of, condition)| written(of, condition));
        let began = all.fold(created, |latest, next| match next.at > latest.at {
            true => next,
            false => latest,
        });
        let start = began.at;
        if start + timeout < self.now {
            let message = match self.settings.wording {
                Wording::V1Beta1 => format!("Node failed to report startup in {timeout}"),
                Wording::V1Beta2 => {
                    format!("Health check failed:\n  * Node failed to report startup in {timeout}")
                }
            };
            let over = Some(Box::new(Over { began, rule: self.limits().startup, limit: timeout }));
            let message = message.into();
            return Verdict::Unhealthy { reason: "NodeStartupTimeout", message, over };
        }
        Verdict::Waiting(self.clock(self.limits().startup, start, timeout))
    }

    /// The configured conditions that a Node has, in the order of the check.
    fn ill<'n>(&'n self, node: &'n Node) -> impl Iterator<Item = Ill<'n>> {
        self.check.unhealthy_conditions.iter().filter_map(|rule| {
            let found = node.conditions.get(&rule.kind).filter(|c| c.status == rule.status);
            Some((rule, found?))
        })
    }

    /// Each configured condition has a clock: since when the Node has been so. In v1beta2 all of which
    /// the time is up are named, before that the first of the list.
    fn conditions(&self, object: &Object, node: &Node) -> Verdict {
        let mut next: Option<Clock> = None;
        let mut over: Vec<Ill> = Vec::new();
        for (rule, found) in self.ill(node) {
            if end(&(rule, found)) < self.now {
                over.push((rule, found));
                if self.settings.wording == Wording::V1Beta1 {
                    break;
                }
                continue;
            }
            let clock =
                self.clock(self.limits().of(rule.status), found.last_transition, rule.timeout);
            next = Some(next.map_or(clock, |sooner| sooner.min(clock)));
        }
        let Some((rule, found)) = over.iter().min_by_key(|ill| end(ill)) else {
            return next.map_or(Verdict::Healthy, Verdict::Waiting);
        };
        let began = written(object.key(), found);
        let limit = Over { began, rule: self.limits().of(rule.status), limit: rule.timeout };
        let (message, over) = (self.words(&over), Some(Box::new(limit)));
        Verdict::Unhealthy { reason: "UnhealthyNode", message, over }
    }

    fn words(&self, over: &[Ill]) -> Text {
        let each = over.iter().map(|(rule, found)| {
            let (kind, status, timeout) = (&rule.kind, rule.status.name(), rule.timeout);
            match self.settings.wording {
                Wording::V1Beta1 => format!(
                    "Condition {kind} on node is reporting status {status} for more than {timeout}"
                ),
                Wording::V1Beta2 => format!(
                    "\n  * Condition {kind} on Node is reporting status {status} with reason {} for \
                     more than {timeout}",
                    found.reason
                ),
            }
        });
        let each: String = each.collect();
        Text::from(match self.settings.wording {
            Wording::V1Beta1 => each,
            Wording::V1Beta2 => format!("Health check failed:{each}"),
        })
    }

    fn clock(&self, rule: Rule, start: SimTime, timeout: Duration) -> Clock {
        Clock { left: (start + timeout).since(self.now), rule }
    }
}

/// A condition that a check names, and the Node's that is so.
type Ill<'a> = (&'a UnhealthyCondition, &'a Condition);

/// When the time of a condition is up.
fn end((rule, found): &Ill) -> SimTime {
    found.last_transition + rule.timeout
}

/// The write of a condition.
fn written(object: &ObjectKey, condition: &Condition) -> Written {
    let (field, at) = (condition.kind.clone(), condition.last_transition);
    Written { object: object.clone(), field, at }
}
