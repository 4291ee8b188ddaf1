//! What a living Machine's status says, written in one patch at the end of a reconcile.

use super::super::{Bootstrap, Wording, node_in};
use super::ready::ready;
use super::{MachineController, State, bootstrap_of, infra_of};
use crate::api::kinds::{Condition, KubeadmConfig, Machine, MachinePhase, Node, Status};
use crate::api::{Kind, Object, Provided, Verb, rfc3339};
use crate::client::{Contact, Outcome, Step, View};
use crate::engine::{SimTime, Text};
use std::sync::Arc;

impl MachineController {
    /// Takes its parts over, from this place on, and says how it stands.
    pub(super) fn sync(
        &mut self,
        object: &Arc<Object>,
        from: usize,
        view: &mut View,
    ) -> Step<State> {
        self.take_over(object, from, view).unwrap_or_else(|| self.report(object, view))
    }

    fn report(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let mut changed = Object::clone(object);
        let infra = infra_of(object, view).and_then(|infra| infra.provided());
        let Some(machine) = changed.machine_mut() else { return Step::done() };
        let config = bootstrap_of(object, view).and_then(|config| config.kubeadm_config());
        self.follow_bootstrap(machine, config, view.wall_clock());
        self.follow_provider(machine, infra, view.wall_clock());
        if self.find_node(machine, view) {
            let name = machine.node_ref.clone().unwrap_or_default();
            view.event(object.key(), "SuccessfulSetNodeRef", name);
        }
        let node = machine.node_ref.as_ref().and_then(|name| node_in(view.remote, name));
        let said = match self.is_blind() {
            true => self.forgotten(machine, view),
            false => Some(self.node_healthy(
                machine,
                node.and_then(|node| node.node()),
                view.wall_clock(),
            )),
        };
        if let Some(condition) = said {
            machine.conditions.say(condition);
        }
        if self.settings.wording == Wording::V1Beta2 {
            machine.conditions.say(deleting(Status::False, "NotDeleting", "", view.wall_clock()));
            machine.conditions.say(ready(machine, view.wall_clock()));
        }
        machine.phase = phase(machine);
        finish(object, changed, Outcome::done())
    }

    /// The name of its user data is taken over once, when the bootstrap provider has written it.
    fn follow_bootstrap(
        &self,
        machine: &mut Machine,
        config: Option<&KubeadmConfig>,
        now: SimTime,
    ) {
        let wording = self.settings.wording;
        if self.settings.bootstrap == Bootstrap::Given {
            if wording == Wording::V1Beta2 {
                machine.conditions.say(bootstrap_ready(wording, true, "DataSecretProvided", now));
            }
            return;
        }
        let Some(config) = config else { return };
        machine.bootstrap_ready = config.ready;
        if config.ready && machine.spec.data_secret_name.is_empty() {
            machine.spec.data_secret_name = config.data_secret_name.clone();
        }
        let reason = match (config.ready, wording) {
            (true, Wording::V1Beta1) => "",
            (true, Wording::V1Beta2) => "Ready",
            (false, Wording::V1Beta1) => "WaitingForDataSecret",
            (false, Wording::V1Beta2) => "NotReady",
        };
        machine.conditions.say(bootstrap_ready(wording, config.ready, reason, now));
    }

    /// What the provider says is taken over each time.
    fn follow_provider(&self, machine: &mut Machine, infra: Option<Provided>, now: SimTime) {
        let Some(infra) = infra else { return };
        machine.infrastructure_ready = infra.ready;
        if infra.ready {
            machine.spec.provider_id = infra.provider_id.clone();
        }
        let (status, reason, message) = match (infra.ready, self.settings.wording) {
            (true, _) => (Status::True, "Ready", Text::EMPTY),
            (false, Wording::V1Beta1) => (Status::False, "WaitingForInfrastructure", Text::EMPTY),
            (false, Wording::V1Beta2) => {
                let kind = machine.spec.infrastructure.kind.name();
                let words = format!("{kind} status.initialization.provisioned is false");
                (Status::False, "NotReady", Text::from(words))
            }
        };
        let [kind, reason] = ["InfrastructureReady", reason].map(Text::word);
        machine.conditions.say(Condition::new(kind, status, reason, message, now));
    }

    /// Once found, a Node's name is never forgotten. True if it was found now.
    pub(super) fn find_node(&self, machine: &mut Machine, view: &View) -> bool {
        let is_known = machine.node_ref.is_some();
        if is_known || machine.spec.provider_id.is_empty() || self.is_blind() {
            return false;
        }
        let found = view.remote.list(Kind::Node).find(|node| {
            node.node().is_some_and(|node| node.provider_id == machine.spec.provider_id)
        });
        machine.node_ref = found.map(|node| node.name().clone());
        machine.node_ref.is_some()
    }

    /// In v1beta2 a Machine's Node is looked at until the end.
    pub(super) fn say_node_of_deleting(&self, machine: &mut Machine, view: &View) {
        if self.is_blind() {
            if let Some(condition) = self.forgotten(machine, view) {
                machine.conditions.say(condition);
            }
            return;
        }
        let node = machine.node_ref.as_ref().and_then(|name| node_in(view.remote, name));
        let condition = match (node, &machine.node_ref) {
            (Some(_), _) => {
                self.node_healthy(machine, node.and_then(|node| node.node()), view.wall_clock())
            }
            (None, Some(name)) => {
                let message = format!("Node {name} has been deleted");
                Condition::new(
                    "NodeHealthy",
                    Status::False,
                    "NodeDeleted",
                    message,
                    view.wall_clock(),
                )
            }
            (None, None) => {
                let (kind, reason) = ("NodeHealthy", "NodeDoesNotExist");
                Condition::new(
                    kind,
                    Status::Unknown,
                    reason,
                    "Node does not exist",
                    view.wall_clock(),
                )
            }
        };
        machine.conditions.say(condition);
    }

    /// From 1.9 on nothing is read of the Nodes of a cluster that is not connected. Up to 1.8 what was said of them
    /// stays; reading the old caches comes to the same.
    fn is_blind(&self) -> bool {
        self.settings.wording == Wording::V1Beta2 && !self.contact.connected
    }

    /// What is known of the Node of a lost cluster stays for a while, and is given up then.
    fn forgotten(&self, machine: &Machine, view: &View) -> Option<Condition> {
        let Contact { reached, .. } = self.contact;
        let is_over = view.now > reached + self.settings.conditions_grace;
        if machine.conditions.get("NodeHealthy").is_some() && !is_over {
            return None;
        }
        let words = format!("Last successful probe at {}", rfc3339(view.skew.shown(reached)));
        let [kind, reason] = ["NodeHealthy", Machine::CONNECTION_DOWN].map(Text::word);
        Some(Condition::new(kind, Status::Unknown, reason, words, view.wall_clock()))
    }

    fn node_healthy(&self, machine: &Machine, node: Option<&Node>, now: SimTime) -> Condition {
        let (status, reason, message) = match (self.settings.wording, node) {
            (Wording::V1Beta1, Some(node)) => v1beta1_health(node),
            (Wording::V1Beta2, Some(node)) => v1beta2_health(node),
            (Wording::V1Beta1, None) => {
                let waiting = self.settings.node_provisioning_says_what_for;
                let (reason, message) = match () {
                    () if machine.node_ref.is_some() => ("NodeNotFound", ""),
                    () if machine.spec.provider_id.is_empty() => ("WaitingForNodeRef", ""),
                    () if waiting => ("NodeProvisioning", WAITING_FOR_NODE),
                    () => ("NodeProvisioning", ""),
                };
                (Status::False, reason, message.to_owned())
            }
            (Wording::V1Beta2, None) => v1beta2_without_node(machine),
        };
        let [kind, reason] = ["NodeHealthy", reason].map(Text::word);
        Condition::new(kind, status, reason, message, now)
    }
}

const WAITING_FOR_NODE: &str = "Waiting for a node with matching ProviderID to exist";

/// Up to release 1.10: the worst of the Node's conditions, all named.
fn v1beta1_health(node: &Node) -> (Status, &'static str, String) {
    let mut message = String::new();
    let mut worst = Status::True;
    for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
        let status = node.conditions.status(kind).unwrap_or(Status::Unknown);
        let good = if kind == "Ready" { Status::True } else { Status::False };
        if status == good {
            continue;
        }
        message.push_str(&format!("Node condition {kind} is {}. ", status.name()));
        worst = match (worst, status) {
            (Status::True | Status::Unknown, Status::Unknown) => Status::Unknown,
            _ => Status::False,
        };
    }
    match worst {
        Status::True => (worst, "", message),
        _ => (worst, "NodeConditionsFailed", message),
    }
}

fn v1beta2_health(node: &Node) -> (Status, &'static str, String) {
    let Some(ready) = node.conditions.get("Ready") else {
        return (
            Status::Unknown,
            "NodeHealthyUnknown",
            "* Node.Ready: Condition not yet reported".into(),
        );
    };
    match ready.status {
        Status::True => (Status::True, "NodeHealthy", String::new()),
        Status::False => {
            (Status::False, "NodeNotHealthy", format!("* Node.Ready: {}", ready.message))
        }
        Status::Unknown => {
            let message = format!("* Node.AllConditions: {}", ready.message);
            (Status::Unknown, "NodeHealthyUnknown", message)
        }
    }
}

fn v1beta2_without_node(machine: &Machine) -> (Status, &'static str, String) {
    if let Some(name) = &machine.node_ref {
        let message = format!("Node {name} has been deleted while the Machine still exists");
        return (Status::False, "NodeDeleted", message);
    }
    let message = match machine.spec.provider_id.is_empty() {
        true => {
            let kind = machine.spec.infrastructure.kind.name();
            format!("Waiting for {kind} to report spec.providerID")
        }
        false => {
            format!("Waiting for a Node with spec.providerID {} to exist", machine.spec.provider_id)
        }
    };
    (Status::Unknown, "InspectionFailed", message)
}

/// The condition about a Machine's bootstrap data.
fn bootstrap_ready(wording: Wording, ready: bool, reason: &'static str, now: SimTime) -> Condition {
    let kind = match wording {
        Wording::V1Beta1 => "BootstrapReady",
        Wording::V1Beta2 => "BootstrapConfigReady",
    };
    let (status, message) = match (ready, wording) {
        (true, _) => (Status::True, ""),
        (false, Wording::V1Beta1) => (Status::False, ""),
        (false, Wording::V1Beta2) => {
            (Status::False, "KubeadmConfig status.initialization.dataSecretCreated is false")
        }
    };
    let [kind, reason, message] = [kind, reason, message].map(Text::word);
    Condition::new(kind, status, reason, message, now)
}

/// Later lines win; a Node's health is not among them.
pub fn phase(machine: &Machine) -> MachinePhase {
    let mut phase = MachinePhase::Pending;
    if machine.bootstrap_ready && !machine.infrastructure_ready {
        phase = MachinePhase::Provisioning;
    }
    if !machine.spec.provider_id.is_empty() {
        phase = MachinePhase::Provisioned;
    }
    if machine.node_ref.is_some() && machine.infrastructure_ready {
        phase = MachinePhase::Running;
    }
    phase
}

/// The v1beta2 condition Deleting.
pub fn deleting(
    status: Status,
    reason: &'static str,
    message: impl Into<Text>,
    now: SimTime,
) -> Condition {
    Condition::new(Text::word("Deleting"), status, Text::word(reason), message, now)
}

/// Writes what changed, and ends.
pub fn finish(object: &Arc<Object>, changed: Object, outcome: Outcome) -> Step<State> {
    if changed == **object {
        return Step::Done(outcome);
    }
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Last(outcome))
}
