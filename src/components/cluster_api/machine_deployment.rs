//! MachineDeployment: sizes its MachineSet and mirrors its counts. Remediation is not its business.
//!
//! Simplified: one MachineSet; a changed template does not roll out yet.

use super::{Counting, Settings, Wording};
use crate::api::kinds::{Condition, MachineDeployment, Status};
use crate::api::{Kind, Object, ObjectKey, Verb};
use crate::client::{Reconciler, Reply, Step, View};
use crate::engine::{SimTime, Text};
use std::sync::Arc;

/// The controller; it remembers nothing.
#[derive(Clone, Debug)]
pub struct MachineDeploymentController {
    settings: Settings,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    Written,
    /// Its MachineSet has another size now; what is announced about it.
    Scaled(Text),
}

impl MachineDeploymentController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> MachineDeploymentController {
        MachineDeploymentController { settings }
    }

    /// The words of the Event about another size.
    fn scaled(&self, set: &Object, wanted: u32) -> Text {
        let had = set.machine_set().map_or(0, |body| body.replicas);
        let (namespace, name) = (&set.key().namespace, set.name());
        Text::from(match self.settings.wording {
            Wording::V1Beta1 => format!("Scaled MachineSet {namespace}/{name}: {had} -> {wanted}"),
            Wording::V1Beta2 => {
                let way = if wanted > had { "up" } else { "down" };
                format!("Scaled {way} MachineSet {name}: {had} -> {wanted}")
            }
        })
    }

    fn count(&self, body: &mut MachineDeployment, set: &Object) {
        let Some(set) = set.machine_set() else { return };
        body.status_replicas = set.status_replicas;
        body.updated_replicas = set.status_replicas;
        body.ready_replicas = set.ready_replicas;
        body.available_replicas = set.available_replicas;
        if self.settings.wording == Wording::V1Beta1 {
            body.unavailable_replicas = body.replicas.saturating_sub(set.available_replicas);
        }
        let have = match self.settings.scaling_phase {
            Counting::Ready => body.ready_replicas,
            Counting::All => body.status_replicas,
        };
        body.phase = Text::word(match have.cmp(&body.replicas) {
            std::cmp::Ordering::Less => "ScalingUp",
            std::cmp::Ordering::Greater => "ScalingDown",
            std::cmp::Ordering::Equal => "Running",
        });
    }
}

impl Reconciler for MachineDeploymentController {
    type State = State;

    fn agent(&self) -> &'static str {
        "machinedeployment-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(deployment) = object.machine_deployment() else { return Step::done() };
        let set = view
            .local
            .list(Kind::MachineSet)
            .find(|set| set.meta.controller().is_some_and(|owner| owner.uid == object.meta.uid));
        let Some(set) = set.cloned() else { return Step::done() };
        if set.machine_set().is_some_and(|body| body.replicas != deployment.replicas) {
            let words = self.scaled(&set, deployment.replicas);
            let mut changed = Object::clone(&set);
            if let Some(body) = changed.machine_set_mut() {
                body.replicas = deployment.replicas;
            }
            let verb = Verb::Patch { base: set, changed: Arc::new(changed) };
            return Step::write(verb, State::Scaled(words));
        }
        let mut changed = Object::clone(&object);
        let Some(body) = changed.machine_deployment_mut() else { return Step::done() };
        self.count(body, &set);
        if self.settings.wording == Wording::V1Beta2 {
            body.conditions.say(remediating(&object, "cluster.x-k8s.io/deployment-name", view));
        }
        if changed == *object {
            return Step::done();
        }
        Step::write(Verb::Patch { base: object, changed: Arc::new(changed) }, State::Written)
    }

    fn resume(&mut self, key: &ObjectKey, state: State, _: Reply, view: &mut View) -> Step<State> {
        if let State::Scaled(words) = state {
            view.event(key, "SuccessfulScale", words);
        }
        Step::done()
    }
}

/// The v1beta2 condition Remediating, over the Machines that carry this label.
pub fn remediating(owner: &Object, label: &'static str, view: &View) -> Condition {
    let mut words: Vec<String> = Vec::new();
    for machine in view.local.list(Kind::Machine) {
        let Some(body) = machine.machine() else { continue };
        let mine = machine.meta.labels.get(label) == Some(owner.name());
        if mine && body.conditions.is("OwnerRemediated", Status::False) {
            let message = body.conditions.get("OwnerRemediated").map(|c| c.message.clone());
            let message = message.unwrap_or_default();
            words.push(format!("* Machine {}: {message}", machine.name()));
        }
    }
    condition("Remediating", words, view.now)
}

fn condition(kind: &'static str, words: Vec<String>, now: SimTime) -> Condition {
    let (status, reason) = match words.is_empty() {
        true => (Status::False, "NotRemediating"),
        false => (Status::True, "Remediating"),
    };
    Condition::new(Text::word(kind), status, Text::word(reason), words.join("\n"), now)
}
