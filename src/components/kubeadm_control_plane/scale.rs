//! As many Machines as are wanted: one more, one less, and one by one to another version.
//!
//! Follows `scale.go`, `preflight.go` and `upgrade.go`. Simplified: one failure domain; certificates
//! and the endpoint are there; nothing is updated in place; the very first Machine is not made here.

use super::quorum::{
    COMPONENTS, Change, ETCD_MEMBER, ETCD_POD, components_stay, member_of, stays_healthy,
};
use super::remediation::annotate;
use super::scene::{Scene, node_name};
use super::script::{Flow, Script, fail};
use super::{Controller, MemberRemoval, Wording};
use crate::api::kinds::{
    InfrastructureRef, KubeadmConfig, KubeadmControlPlane, Machine, MachineSpec, Status,
};
use crate::api::{Body, Kind, Labels, Meta, Object, Verb};
use crate::client::{Outcome, Target};
use crate::engine::{Purpose, Text, name_suffix};
use std::collections::BTreeMap;
use std::sync::Arc;

const MACHINE_NAME: Purpose = Purpose(0);
/// A person wants this one to go first.
const DELETE_MACHINE: &str = "cluster.x-k8s.io/delete-machine";

/// Why the control plane is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Growth,
    Removal,
}

impl Controller {
    /// Takes the next step towards what is wanted.
    pub(super) fn scale(&self, scene: &mut Scene, script: &mut Script) -> Flow<Outcome> {
        let (have, wanted) = (scene.machines.len(), scene.spec().replicas as usize);
        let version = scene.spec().version.clone();
        let is_old = |machine: &&Arc<Object>| {
            machine.machine().is_some_and(|body| body.spec.version != version)
                && !machine.meta.is_deleting()
        };
        let outdated: Vec<Arc<Object>> = scene.machines.iter().filter(is_old).cloned().collect();
        let most = wanted + scene.spec().max_surge as usize;
        match () {
            () if have == 0 => Ok(Outcome::done()),
            () if !outdated.is_empty() && have < most => self.grow(scene, script),
            () if !outdated.is_empty() => self.shrink(scene, &outdated, script),
            () if have < wanted => self.grow(scene, script),
            () if have > wanted => self.shrink(scene, &[], script),
            () => Ok(Outcome::done()),
        }
    }

    fn grow(&self, scene: &mut Scene, script: &mut Script) -> Flow<Outcome> {
        if let Some(later) = self.preflight(scene, For::Growth, None, script) {
            return Ok(later);
        }
        let suffix = name_suffix(script.draw(MACHINE_NAME));
        let name = Text::from(format!("{}-{suffix}", scene.plane.name()));
        let parts = self.parts(scene, &name);
        for part in parts {
            if let Err(error) = script.ask(Target::Local, Verb::Create(part.into()))? {
                let (namespace, name) =
                    (&scene.read.key().namespace, &scene.spec().template.cluster);
                let cluster = match self.settings.wording {
                    // The older format lacks a letter, and Go takes the next one for it.
                    Wording::V1Beta1 => {
                        format!("{{%!c(string={name}) %!c(string={namespace})}}ontrol plane")
                    }
                    Wording::V1Beta2 => format!("{namespace}/{name}"),
                };
                let words = format!(
                    "Failed to create additional control plane Machine for cluster {cluster}: {error}"
                );
                script.warn(scene.read.key(), "FailedScaleUp", words);
                return fail(error.message);
            }
        }
        // What was to be remembered stands in the new Machine now.
        annotate(&mut scene.plane, KubeadmControlPlane::IN_PROGRESS, None);
        if self.settings.wording == Wording::V1Beta2 {
            let namespace = &scene.read.key().namespace;
            script.log(format!("Machine {namespace}/{name} created (scale up)"));
        }
        Ok(Outcome::done())
    }

    /// The provider's object, the bootstrap configuration, and the Machine, all of one name.
    fn parts(&self, scene: &Scene, name: &Text) -> [Object; 3] {
        let (plane, spec) = (&scene.read, scene.spec());
        let kind = self.settings.infrastructure;
        let mut labels = BTreeMap::from([(Text::word(KubeadmControlPlane::LABEL), Text::EMPTY)]);
        let cluster = spec.template.cluster.clone();
        labels.insert(Text::word("cluster.x-k8s.io/cluster-name"), cluster);
        let labels: Labels = Arc::new(labels);
        let meta = |kind| {
            let namespace = plane.key().namespace.clone();
            let mut meta = Meta::new(kind, namespace, name.clone()).owned_by(&plane.meta);
            meta.labels = labels.clone();
            meta
        };
        let infra = Object::new(meta(kind), Body::of_infrastructure(kind));
        let config = Object::new(meta(Kind::KubeadmConfig), KubeadmConfig::default());
        let infrastructure = InfrastructureRef { kind, name: name.clone() };
        let spec = MachineSpec {
            version: spec.version.clone(),
            provider_id: Text::EMPTY,
            data_secret_name: Text::EMPTY,
            infrastructure,
            ..spec.template.clone()
        };
        let mut machine = Object::new(meta(Kind::Machine), Machine { spec, ..Machine::default() });
        machine.meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
        let remembered = scene.plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).cloned();
        if remembered.is_some() {
            annotate(&mut machine, KubeadmControlPlane::REMEDIATION_FOR, remembered);
        }
        if self.settings.removal == MemberRemoval::InHook {
            annotate(&mut machine, KubeadmControlPlane::HOOK, Some(Text::EMPTY));
        }
        [infra, config, machine]
    }

    fn shrink(
        &self,
        scene: &mut Scene,
        outdated: &[Arc<Object>],
        script: &mut Script,
    ) -> Flow<Outcome> {
        let Some(machine) = choose(scene, outdated) else {
            return fail("failed to pick control plane Machine to delete");
        };
        if let Some(later) = self.preflight(scene, For::Removal, Some(machine.name()), script) {
            return Ok(later);
        }
        if let Err(error) = self.forward(scene, &machine, script)? {
            return fail(error);
        }
        if let (MemberRemoval::BeforeDeletion, Some(member)) =
            (self.settings.removal, member_of(&machine))
            && let Err(error) = self.remove_member(scene, &member, None, script)?
        {
            return fail(error);
        }
        script.must(Verb::Delete { key: machine.key().clone(), grace: None, uid: None })?;
        Ok(Outcome::done())
    }

    /// When to look again, if the control plane may not be changed now. What holds it takes its time:
    /// newer releases do not look again at once whatever happens.
    fn preflight(
        &self,
        scene: &Scene,
        why: For,
        without: Option<&Text>,
        script: &mut Script,
    ) -> Option<Outcome> {
        if scene.has_deleting() {
            let going = scene.machines.iter().filter(|machine| machine.meta.is_deleting());
            let names: Vec<&str> = going.map(|machine| machine.name().as_str()).collect();
            script.log(format!(
                "Waiting for machines to be deleted machines=\"{}\"",
                names.join(", ")
            ));
            self.slow_down(script);
            return Some(Outcome::after(
                "clusterApi.controlPlaneDeletingRequeue",
                self.settings.requeue.deleting,
            ));
        }
        let mut errors = self.unhealthy(scene, without);
        let replaces = scene.plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).is_some();
        if self.settings.relaxes_for_replacement
            && replaces
            && why == For::Growth
            && !errors.is_empty()
        {
            errors = bad_for_a_replacement(scene);
        }
        let message = match errors.as_slice() {
            [] => return None,
            [one] => one.clone(),
            all => format!("[{}]", all.join(", ")),
        };
        let words = format!(
            "Waiting for control plane to pass preflight checks to continue reconciliation: \
             {message}"
        );
        script.warn(scene.read.key(), "ControlPlaneUnhealthy", words);
        script.log(format!(
            "Waiting for control plane to pass preflight checks failures=\"{message}\""
        ));
        self.slow_down(script);
        Some(Outcome::after(
            "clusterApi.controlPlanePreflightRequeue",
            self.settings.requeue.preflight,
        ))
    }

    fn slow_down(&self, script: &mut Script) {
        script.defer(
            "clusterApi.controlPlanePreflightDeferral",
            self.settings.requeue.preflight_deferral,
        );
    }

    /// What is wrong with the Machines that stay.
    fn unhealthy(&self, scene: &Scene, without: Option<&Text>) -> Vec<String> {
        let mut errors = Vec::new();
        for machine in scene.machines.iter().filter(|it| Some(it.name()) != without) {
            let name = machine.name();
            if node_name(machine).is_none() {
                errors.push(format!(
                    "Machine {name} does not have a corresponding Node yet (Machine.status.nodeRef \
                     not set)"
                ));
                continue;
            }
            let Some(body) = machine.machine() else { continue };
            for condition in COMPONENTS.into_iter().chain([ETCD_POD, ETCD_MEMBER]) {
                let error = match body.conditions.get(condition) {
                    None => format!("Machine {name} does not have {condition} condition"),
                    Some(said) => match (said.status, self.settings.wording) {
                        (Status::True, _) => continue,
                        (Status::Unknown, _) => format!(
                            "Machine {name} reports {condition} condition is unknown ({})",
                            said.message
                        ),
                        (Status::False, Wording::V1Beta1) => format!(
                            "Machine {name} reports {condition} condition is false ({}, {})",
                            super::aggregate::severity(&said.reason).name(),
                            said.message
                        ),
                        (Status::False, Wording::V1Beta2) => format!(
                            "Machine {name} reports {condition} condition is false ({})",
                            said.message
                        ),
                    },
                };
                errors.push(error);
            }
        }
        errors
    }
}

/// While one is being replaced: what a newcomer that turns out badly would break.
fn bad_for_a_replacement(scene: &Scene) -> Vec<String> {
    let mut errors = Vec::new();
    if !components_stay(scene, None) {
        errors.push(
            "cannot add a new control plane Machine when there are no control plane Machines with \
             all Kubernetes control plane components in healthy state. Please check Kubernetes \
             control plane component status"
                .to_owned(),
        );
    }
    if scene.members.is_empty() {
        errors.push(
            "cannot check etcd cluster health before scale up, etcd member list is empty"
                .to_owned(),
        );
    } else if !stays_healthy(scene, &Change::Adds) {
        errors.push(
            "adding a new control plane Machine can lead to etcd quorum loss. Please check the etcd \
             status"
                .to_owned(),
        );
    }
    errors
}

/// Who goes: somebody's choice, then one that is ill, then the oldest. What nobody knows is not ill:
/// it may pass, and the checks before a removal hold on account of it.
fn choose(scene: &Scene, outdated: &[Arc<Object>]) -> Option<Arc<Object>> {
    let asked = |machine: &&Arc<Object>| machine.meta.annotation(DELETE_MACHINE).is_some();
    let ill = |machine: &&Arc<Object>| {
        let mut all = COMPONENTS.into_iter().chain([ETCD_POD, ETCD_MEMBER]);
        all.any(|condition| super::scene::is(machine, condition, Status::False))
    };
    let by_hand = outdated.iter().find(asked).or_else(|| scene.machines.iter().find(asked));
    let broken = by_hand.or_else(|| outdated.iter().find(ill));
    let oldest = broken.or_else(|| outdated.first()).or_else(|| scene.machines.first());
    oldest.cloned()
}
