//! MachineDeployment: makes and sizes its MachineSet and mirrors its counts. Remediation is not its business.
//!
//! Simplified: one MachineSet, and no other while an old one is left; of two that a slow cache led to neither is
//! scaled down; a changed template does not roll out yet.

use super::{Counting, Settings, Wording, cluster_of};
use crate::api::kinds::{Condition, Machine, MachineDeployment, MachineSet, remediating};
use crate::api::{Kind, Meta, Object, ObjectKey, Verb};
use crate::client::{Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, Purpose, SimTime, Text, name_suffix};
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
    /// It gets a MachineSet again, of this key.
    Created(ObjectKey),
    /// The cache does not show that yet; since when.
    Catching(ObjectKey, SimTime),
    /// Its MachineSet has another size now; what is announced about it.
    Scaled(Text),
}

const SET_NAME: Purpose = Purpose(24);

/// Between two looks at the cache (`createMachineSetAndWait`), in all releases.
const CACHE_POLL: Duration = Duration::from_millis(100);

impl MachineDeploymentController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> MachineDeploymentController {
        MachineDeploymentController { settings }
    }

    /// As `createMachineSetAndWait` does, whose name ends at random.
    fn create(&self, object: &Object, body: &MachineDeployment, view: &mut View) -> Step<State> {
        let suffix = name_suffix((view.draw)(SET_NAME));
        let name = Text::from(format!("{}-{suffix}", object.name()));
        let mut labels = (*body.selector).clone();
        labels.insert(Text::word("cluster.x-k8s.io/set-name"), name.clone());
        let labels = Arc::new(labels);
        let namespace = object.key().namespace.clone();
        let mut meta = Meta::new(Kind::MachineSet, namespace, name).owned_by(&object.meta);
        meta.labels = labels.clone();
        let set = MachineSet {
            replicas: body.replicas,
            selector: labels,
            template: body.template.clone(),
            ..MachineSet::default()
        };
        let key = meta.key.clone();
        let verb = Verb::Create(Arc::new(Object::new(meta, set)));
        Step::write(verb, State::Created(key))
    }

    /// Else the next look would make another.
    fn await_set(&self, set: ObjectKey, since: SimTime, view: &View) -> Step<State> {
        if view.local.get(&set).is_some() {
            return Step::done();
        }
        if since + self.settings.cache_timeout <= view.now {
            let words = format!("failed to wait for {set} to be in the cache");
            return Step::Done(Outcome::error(words));
        }
        Step::Wait("clusterApi.cachePoll", CACHE_POLL, State::Catching(set, since))
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
        let Some(set) = set.cloned() else {
            return match object.meta.is_deleting() {
                true => Step::done(),
                false => self.create(&object, deployment, view),
            };
        };
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
        match state {
            State::Created(set) => {
                let words = format!("Created MachineSet {}/{}", set.namespace, set.name);
                view.event(key, "SuccessfulCreate", words);
                return self.await_set(set, view.now, view);
            }
            State::Catching(set, since) => return self.await_set(set, since, view),
            State::Scaled(words) => view.event(key, "SuccessfulScale", words),
            State::Written => {}
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
