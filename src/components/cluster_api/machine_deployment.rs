//! MachineDeployment: sizes its MachineSet and mirrors its counts. Remediation is not its business.
//!
//! Simplified: one MachineSet; a changed template does not roll out yet.

use super::{Counting, Settings, Wording, cluster_of};
use crate::api::kinds::{Condition, MachineDeployment, Status};
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
            body.conditions.say(remediating(&object, label, by, view));
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
///
/// `by` says who doesn't remediate the Machines that are unhealthy and not marked for it.
pub fn remediating(owner: &Object, label: &'static str, by: &str, view: &View) -> Condition {
    let (mut marked, mut unhealthy): (Vec<String>, Vec<&Text>) = (Vec::new(), Vec::new());
    for machine in view.local.list(Kind::Machine) {
        let Some(body) = machine.machine() else { continue };
        let mine = machine.meta.labels.get(label) == Some(owner.name());
        if mine && body.conditions.is("OwnerRemediated", Status::False) {
            let message = body.conditions.get("OwnerRemediated").map(|c| c.message.clone());
            let message = message.unwrap_or_default();
            marked.push(format!("* Machine {}: {message}", machine.name()));
        }
        if mine && body.conditions.is("HealthCheckSucceeded", Status::False) {
            unhealthy.push(machine.name());
        }
    }
    let (status, reason, message) = match marked.is_empty() {
        true => (Status::False, "NotRemediating", left_alone(unhealthy, by)),
        false => (Status::True, "Remediating", marked.join("\n")),
    };
    let [kind, reason] = ["Remediating", reason].map(Text::word);
    Condition::new(kind, status, reason, message, view.wall_clock())
}

/// What is said of unhealthy Machines that nobody remediates; of more than three, how many more.
fn left_alone(mut machines: Vec<&Text>, by: &str) -> String {
    const NAMED: usize = 3;
    machines.sort_unstable();
    let named = machines.iter().take(NAMED).map(|name| name.as_str()).collect::<Vec<_>>();
    let mut names = named.join(", ");
    if NAMED < machines.len() {
        names.push_str(&format!(", ... ({} more)", machines.len() - NAMED));
    }
    let (noun, verb) = match machines.len() {
        0 => return String::new(),
        1 => ("Machine", "is"),
        _ => ("Machines", "are"),
    };
    format!("{noun} {names} {verb} not healthy (not to be remediated by {by})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_left_alone_is_named_up_to_three() {
        let names: Vec<Text> = ["d", "b", "a", "c"].map(Text::word).into();
        let said = |count: usize| left_alone(names.iter().take(count).collect(), "MachineSet");
        assert_eq!(said(0), "");
        assert_eq!(said(1), "Machine d is not healthy (not to be remediated by MachineSet)");
        assert_eq!(said(2), "Machines b, d are not healthy (not to be remediated by MachineSet)");
        let four =
            "Machines a, b, c, ... (1 more) are not healthy (not to be remediated by MachineSet)";
        assert_eq!(said(4), four);
    }
}
