//! MachineDeployment: sizes its MachineSet and mirrors its counts. Remediation is not its business.
//!
//! Simplified: one MachineSet; a changed template does not roll out yet.

use super::{Counting, Settings, Wording, cluster_of};
use crate::api::kinds::{Condition, Machine, MachineDeployment, remediating};
use crate::api::{Kind, Object, ObjectKey, Verb};
use crate::client::{Reconciler, Reply, Step, View};
use crate::engine::Text;
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
        let cluster = cluster_of(&object, view).and_then(|cluster| cluster.cluster());
        if let Some(step) = self.settings.pauses.holds(&object, cluster, State::Written, view) {
            return step;
        }
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
            let label = "cluster.x-k8s.io/deployment-name";
            let by = "MachineDeployment/MachineSet";
            body.conditions.say(remediating_by_label(&object, label, by, view));
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
pub fn remediating_by_label(owner: &Object, label: &str, by: &str, view: &View) -> Condition {
    let machines: Vec<(&Text, &Machine)> = view
        .local
        .list(Kind::Machine)
        .filter(|machine| machine.meta.labels.get(label) == Some(owner.name()))
        .filter_map(|machine| Some((machine.name(), machine.machine()?)))
        .collect();
    remediating(&machines, by, view.wall_clock())
}
