//! MachineHealthCheck: judges Machines by their Nodes, and marks those that stay unhealthy.
//!
//! It deletes nothing: owners act on its mark. Without a connection to the workload cluster it
//! judges nobody. Follows `internal/controllers/machinehealthcheck` of Cluster API.

use super::{Settings, Wording, node_in};
use crate::api::kinds::{
    Condition, EventType, Machine, MachineHealthCheck, Node, Status, UnhealthyCondition,
};
use crate::api::{Kind, Object, ObjectKey, Verb};
use crate::client::{EventDraft, Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, SimTime, Text};
use std::collections::VecDeque;
use std::sync::Arc;

/// The controller.
#[derive(Clone, Debug)]
pub struct HealthCheckController {
    settings: Settings,
    /// Whether the workload cluster's API has answered lately.
    pub connected: bool,
}

/// Where a reconcile waits: what is still to be written, and how it will end.
#[derive(Clone, Debug)]
pub struct State {
    writes: VecDeque<Write>,
    /// What is announced once the write under way is accepted.
    announce: Option<EventDraft>,
    outcome: Outcome,
}

/// What is written about one object, and announced afterwards.
#[derive(Clone, Debug, Default)]
struct Write {
    /// Nothing if the object says so already.
    verb: Option<Verb>,
    announce: Option<EventDraft>,
}

/// What is found about one Machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Healthy,
    /// A clock runs, or there is nothing to judge yet.
    Waiting(Option<Duration>),
    Unhealthy {
        reason: &'static str,
        message: Text,
    },
}

const SKIP: &str = "cluster.x-k8s.io/skip-remediation";
const PAUSED: &str = "cluster.x-k8s.io/paused";
const REMEDIATE: &str = "cluster.x-k8s.io/remediate-machine";

impl HealthCheckController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> HealthCheckController {
        HealthCheckController { settings, connected: true }
    }

    /// The first rule that applies decides.
    fn judge(
        &self,
        object: &Object,
        machine: &Machine,
        check: &MachineHealthCheck,
        view: &View,
    ) -> Verdict {
        if object.meta.annotation(REMEDIATE).is_some() {
            let message = Text::word("Marked for remediation via remediate-machine annotation");
            return Verdict::Unhealthy { reason: "HasRemediateMachineAnnotation", message };
        }
        let node = machine.node_ref.as_ref().map(|name| node_in(view.remote, name));
        match node {
            Some(None) => self.node_gone(machine),
            None => self.not_started(object, machine, check, view.now),
            Some(Some(node)) => node
                .node()
                .map_or(Verdict::Waiting(None), |node| self.conditions(node, check, view.now)),
        }
    }

    fn node_gone(&self, machine: &Machine) -> Verdict {
        let name = machine.node_ref.clone().unwrap_or_default();
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

    /// No Node yet: the startup clock.
    fn not_started(
        &self,
        object: &Object,
        machine: &Machine,
        check: &MachineHealthCheck,
        now: SimTime,
    ) -> Verdict {
        let timeout = check.node_startup_timeout;
        if timeout.is_zero() {
            return Verdict::Waiting(None);
        }
        let mut start = object.meta.created;
        if self.settings.startup_counts_infrastructure {
            let ready = machine.conditions.get("InfrastructureReady");
            if let Some(ready) = ready.filter(|ready| ready.status == Status::True) {
                start = start.max(ready.last_transition);
            }
        }
        if start + timeout < now {
            let message = match self.settings.wording {
                Wording::V1Beta1 => format!("Node failed to report startup in {timeout}"),
                Wording::V1Beta2 => {
                    format!("Health check failed:\n  * Node failed to report startup in {timeout}")
                }
            };
            return Verdict::Unhealthy { reason: "NodeStartupTimeout", message: message.into() };
        }
        Verdict::Waiting(Some(self.remaining(start, timeout, now)))
    }

    /// Each configured condition has a clock: since when the Node has been so.
    fn conditions(&self, node: &Node, check: &MachineHealthCheck, now: SimTime) -> Verdict {
        let mut next: Option<Duration> = None;
        for rule in &check.unhealthy_conditions {
            let found = node.conditions.get(&rule.kind).filter(|c| c.status == rule.status);
            let Some(found) = found else { continue };
            if found.last_transition + rule.timeout < now {
                let message = self.unhealthy_words(rule, found);
                return Verdict::Unhealthy { reason: "UnhealthyNode", message };
            }
            let wait = self.remaining(found.last_transition, rule.timeout, now);
            next = Some(next.map_or(wait, |sooner| sooner.min(wait)));
        }
        next.map_or(Verdict::Healthy, |wait| Verdict::Waiting(Some(wait)))
    }

    fn unhealthy_words(&self, rule: &UnhealthyCondition, found: &Condition) -> Text {
        let (kind, status, timeout) = (&rule.kind, rule.status.name(), rule.timeout);
        Text::from(match self.settings.wording {
            Wording::V1Beta1 => {
                format!(
                    "Condition {kind} on node is reporting status {status} for more than {timeout}"
                )
            }
            Wording::V1Beta2 => format!(
                "Health check failed:\n  * Condition {kind} on Node is reporting status {status} \
                 with reason {} for more than {timeout}",
                found.reason
            ),
        })
    }

    fn remaining(&self, start: SimTime, timeout: Duration, now: SimTime) -> Duration {
        (start + timeout).since(now) + self.settings.health_check_slack
    }

    /// The Machine with the verdict written into it, if that changes anything.
    fn marked(
        &self,
        object: &Arc<Object>,
        verdict: &Verdict,
        allowed: bool,
        now: SimTime,
    ) -> Option<Verb> {
        let mut changed = Object::clone(object);
        let deleting = object.meta.is_deleting();
        let conditions = &mut changed.machine_mut()?.conditions;
        let kind = Text::word("HealthCheckSucceeded");
        match verdict {
            Verdict::Waiting(_) => return None,
            Verdict::Healthy if deleting => return None,
            Verdict::Healthy => {
                let reason = match self.settings.wording {
                    Wording::V1Beta1 => "",
                    Wording::V1Beta2 => "HealthCheckSucceeded",
                };
                let reason = Text::word(reason);
                conditions.say(Condition::new(kind, Status::True, reason, "", now));
            }
            Verdict::Unhealthy { reason, message } => {
                let reason = Text::word(reason);
                conditions.say(Condition::new(kind, Status::False, reason, message.clone(), now));
                let marked = conditions.is("OwnerRemediated", Status::False);
                if allowed && !marked && (!deleting || self.settings.marks_deleting_machines) {
                    conditions.say(self.waiting_for_remediation(now));
                }
            }
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed.clone()) };
        (changed != **object).then_some(verb)
    }

    fn waiting_for_remediation(&self, now: SimTime) -> Condition {
        let message = match self.settings.wording {
            Wording::V1Beta1 => "",
            Wording::V1Beta2 => "Waiting for remediation",
        };
        let kind = Text::word("OwnerRemediated");
        let reason = Text::word("WaitingForRemediation");
        Condition::new(kind, Status::False, reason, Text::word(message), now)
    }

    /// The check's own status.
    fn status(
        &self,
        object: &Arc<Object>,
        (expected, healthy): (u32, u32),
        allowed: bool,
        now: SimTime,
    ) -> Option<Verb> {
        let mut changed = Object::clone(object);
        let check = changed.machine_health_check_mut()?;
        let most = check.max_unhealthy.of(expected);
        check.expected_machines = expected;
        check.current_healthy = healthy;
        check.remediations_allowed = match allowed {
            true => most.saturating_sub(expected - healthy),
            false => 0,
        };
        let kind = Text::word("RemediationAllowed");
        let condition = match (allowed, self.settings.wording) {
            (true, Wording::V1Beta1) => Condition::new(kind, Status::True, "", "", now),
            (true, Wording::V1Beta2) => Condition::new(kind.clone(), Status::True, kind, "", now),
            (false, _) => {
                let message = format!(
                    "Remediation is not allowed, the number of not started or unhealthy machines \
                     exceeds maxUnhealthy (total: {expected}, unhealthy: {}, maxUnhealthy: {most})",
                    expected - healthy
                );
                Condition::new(kind, Status::False, Text::word("TooManyUnhealthy"), message, now)
            }
        };
        check.conditions.say(condition);
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed.clone()) };
        (changed != **object).then_some(verb)
    }

    /// The Event about a clock that runs; it comes with the judging.
    fn detected(&self, check: &ObjectKey, object: &Object, verdict: &Verdict, view: &mut View) {
        if let (Verdict::Waiting(Some(_)), Wording::V1Beta1) = (verdict, self.settings.wording) {
            let node = node_of(object);
            let path = path(check, object);
            let message = format!("Machine {path} has unhealthy node {node}");
            view.event(object.key(), "DetectedUnhealthy", message);
        }
    }

    /// The Event about a mark; it comes once the mark is written.
    fn marked_event(
        &self,
        check: &ObjectKey,
        object: &Object,
        (verdict, allowed): (&Verdict, bool),
    ) -> Option<EventDraft> {
        if !allowed || !matches!(verdict, Verdict::Unhealthy { .. }) {
            return None;
        }
        let key = object.key();
        let message = match self.settings.wording {
            Wording::V1Beta1 => {
                format!("Machine {} has been marked as unhealthy", path(check, object))
            }
            Wording::V1Beta2 if object.meta.is_deleting() => return None,
            Wording::V1Beta2 => format!(
                "Machine {}/{} has been marked as unhealthy by {}/{}",
                key.namespace, key.name, check.namespace, check.name
            ),
        };
        Some(EventDraft {
            kind: EventType::Normal,
            regarding: key.clone(),
            reason: "MachineMarkedUnhealthy",
            message: message.into(),
        })
    }

    fn outcome(&self, restricted: bool, next: Option<Duration>) -> Outcome {
        match (restricted, next) {
            (true, _) if self.settings.health_check_requeues_restricted => {
                Outcome::error("remediation is restricted")
            }
            (true, _) | (false, None) => Outcome::done(),
            (false, Some(next)) => Outcome::after(next),
        }
    }

    /// Announces what has been written, and goes on to the next write.
    fn next_write(&self, mut state: State, view: &mut View) -> Step<State> {
        view.events.extend(state.announce.take());
        while let Some(Write { verb, announce }) = state.writes.pop_front() {
            match verb {
                Some(verb) => {
                    state.announce = announce;
                    return Step::write(verb, state);
                }
                None => view.events.extend(announce),
            }
        }
        Step::Done(state.outcome)
    }
}

impl Reconciler for HealthCheckController {
    type State = State;

    fn agent(&self) -> &'static str {
        "machinehealthcheck-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(check) = object.machine_health_check() else { return Step::done() };
        if object.meta.annotation(PAUSED).is_some() {
            return Step::done();
        }
        if !self.connected || !view.remote.are_synced() {
            return Step::Done(Outcome::error("connection to the workload cluster is down"));
        }
        let targets: Vec<(Arc<Object>, Verdict)> = view
            .local
            .list(Kind::Machine)
            .filter(|machine| machine.meta.matches(&check.selector))
            .filter(|machine| [SKIP, PAUSED].iter().all(|a| machine.meta.annotation(a).is_none()))
            .filter_map(|object| {
                let verdict = self.judge(object, object.machine()?, check, view);
                Some((object.clone(), verdict))
            })
            .collect();
        let count = |targets: usize| u32::try_from(targets).unwrap_or(u32::MAX);
        let expected = count(targets.len());
        let is_healthy = |(object, verdict): &&(Arc<Object>, Verdict)| {
            *verdict == Verdict::Healthy && !object.meta.is_deleting()
        };
        let healthy = count(targets.iter().filter(is_healthy).count());
        let allowed = expected - healthy <= check.max_unhealthy.of(expected);
        let mut writes = VecDeque::new();
        let (mut next, mut unhealthy): (Option<Duration>, bool) = (None, false);
        for (object, verdict) in &targets {
            if let Verdict::Waiting(Some(wait)) = verdict {
                next = Some(next.map_or(*wait, |sooner| sooner.min(*wait)));
            }
            unhealthy |= matches!(verdict, Verdict::Unhealthy { .. });
            self.detected(key, object, verdict, view);
            let verb = self.marked(object, verdict, allowed, view.now);
            let announce = self.marked_event(key, object, (verdict, allowed));
            writes.push_back(Write { verb, announce });
        }
        let verb = self.status(&object, (expected, healthy), allowed, view.now);
        writes.push_back(Write { verb, announce: None });
        if !allowed && unhealthy {
            let message = "Remediation restricted due to exceeded number of unhealthy machines";
            view.warn(key, "RemediationRestricted", Text::word(message));
        }
        let outcome = self.outcome(!allowed, next);
        self.next_write(State { writes, announce: None, outcome }, view)
    }

    fn resume(&mut self, _: &ObjectKey, state: State, _: Reply, view: &mut View) -> Step<State> {
        self.next_write(state, view)
    }
}

/// The name of a Machine's Node, or nothing.
fn node_of(object: &Object) -> Text {
    object.machine().and_then(|machine| machine.node_ref.clone()).unwrap_or_default()
}

/// Namespace, check, Machine and Node, as the controller's Events name a target.
fn path(check: &ObjectKey, object: &Object) -> String {
    let key = object.key();
    format!("{}/{}/{}/{}", key.namespace, check.name, key.name, node_of(object))
}
