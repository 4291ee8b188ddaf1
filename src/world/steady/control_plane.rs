//! The Machines of the control plane and what keeps them, where Cluster API does.

use super::{DEFAULT, Maker};
use crate::api::kinds::{
    Condition, InfrastructureRef, KubeadmControlPlane, MachineHealthCheck, MachineSpec, Status,
    VirtualMachine,
};
use crate::api::{Kind, Labels, Meta, Object, labels};
use crate::components::cluster_api::Wording;
use crate::components::kubeadm_control_plane::MemberRemoval;
use crate::engine::{SimTime, Text};
use crate::world::{ControlPlaneMachines, Provider};
use std::sync::Arc;

/// The KubeadmControlPlane, and the check over its Machines.
const PLANE: &str = "control-plane";

/// What the controller has found healthy in each Machine.
const HEALTHY: [(&str, &str); 5] = [
    ("APIServerPodHealthy", "Running"),
    ("ControllerManagerPodHealthy", "Running"),
    ("SchedulerPodHealthy", "Running"),
    ("EtcdPodHealthy", "Running"),
    ("EtcdMemberHealthy", "Healthy"),
];

impl Maker<'_> {
    /// The control plane, its Machines, and their health check.
    pub(super) fn control_plane(
        &mut self,
        all: &mut Vec<Object>,
        template: &MachineSpec,
        plane: ControlPlaneMachines,
    ) {
        let labels = machine_labels(template);
        let kind = template.infrastructure.kind;
        let infrastructure = InfrastructureRef { kind, name: Text::word(PLANE) };
        let template = MachineSpec { infrastructure, ..template.clone() };
        let mut meta = Meta::new(Kind::KubeadmControlPlane, DEFAULT, PLANE);
        meta.labels = labels.clone();
        meta.finalizers = Arc::new([KubeadmControlPlane::FINALIZER]);
        let body = self.healthy_plane(&template, plane);
        let plane_object = self.object(meta, body);
        let (names, _) = self.blueprint.node_names();
        for name in names {
            let place = all.len();
            self.machine(all, &name, &template, &plane_object.meta, &labels);
            let machine = all[place..].iter_mut().find(|it| it.key().kind == Kind::Machine);
            if let Some(machine) = machine {
                self.found_healthy(machine, plane);
            }
            for object in &mut all[place..] {
                self.probed(object);
            }
        }
        let check = self.check(&labels);
        all.extend([plane_object, check]);
    }

    fn healthy_plane(
        &self,
        template: &MachineSpec,
        plane: ControlPlaneMachines,
    ) -> KubeadmControlPlane {
        let settings = &self.blueprint.settings;
        let replicas = self.blueprint.control_planes;
        let v1beta1 = settings.cluster_api.wording == Wording::V1Beta1;
        let (old, new) = if v1beta1 { (Some(replicas), None) } else { (None, Some(replicas)) };
        let mut body = KubeadmControlPlane {
            replicas,
            version: template.version.clone(),
            template: template.clone(),
            max_surge: plane.max_surge,
            remediation: plane.remediation,
            initialized: true,
            ready: true,
            lowest_version: template.version.clone(),
            status_replicas: replicas,
            ready_replicas: replicas,
            updated_replicas: old,
            unavailable_replicas: v1beta1.then_some(0),
            up_to_date_replicas: new,
            available_replicas: new,
            last_remediation: None,
            conditions: Default::default(),
        };
        let is = [
            ("ControlPlaneComponentsHealthy", Status::True, "Healthy"),
            ("EtcdClusterHealthy", Status::True, "Healthy"),
        ];
        let only_old = [("Resized", Status::True, "")];
        let only_new = [
            ("ScalingUp", Status::False, "NotScalingUp"),
            ("Remediating", Status::False, "NotRemediating"),
        ];
        let rest = if v1beta1 { only_old.as_slice() } else { only_new.as_slice() };
        for (kind, status, reason) in is.iter().chain(rest) {
            let reason = settings.condition_reason(reason);
            let said = Condition::new(Text::word(kind), *status, reason, "", SimTime::ZERO);
            body.conditions.set(said);
        }
        body
    }

    /// What the controller has written into a Machine that has long been healthy.
    fn found_healthy(&self, machine: &mut Object, plane: ControlPlaneMachines) {
        if plane.controller.removal == MemberRemoval::InHook {
            machine.meta.annotations = labels([(KubeadmControlPlane::HOOK, Text::EMPTY)]);
        }
        let Some(body) = machine.machine_mut() else { return };
        for (kind, reason) in HEALTHY {
            let reason = self.blueprint.settings.condition_reason(reason);
            let said = Condition::new(Text::word(kind), Status::True, reason, "", SimTime::ZERO);
            body.conditions.set(said);
        }
    }

    /// A VirtualMachine whose readiness has long been probed.
    fn probed(&self, object: &mut Object) {
        let Provider::VmOperator { provider, .. } = &self.blueprint.settings.provider else {
            return;
        };
        let Some(vm) = object.virtual_machine_mut() else { return };
        vm.readiness_port = provider.readiness_port;
        if vm.readiness_port.is_some() {
            let kind = VirtualMachine::READY;
            vm.conditions.set(Condition::new(kind, Status::True, "", "", SimTime::ZERO));
        }
    }

    /// The same rules as for the pool, unless somebody tells the two apart.
    fn check(&mut self, selector: &Labels) -> Object {
        let machines = self.blueprint.control_planes;
        let blueprint = self.blueprint;
        let rules = blueprint.control_plane_check.as_ref().unwrap_or(&blueprint.health_check);
        let mut check = MachineHealthCheck {
            selector: selector.clone(),
            expected_machines: machines,
            current_healthy: machines,
            ..rules.clone()
        };
        check.remediations_allowed = check.max_unhealthy.of(machines);
        let reason = self.blueprint.settings.condition_reason("RemediationAllowed");
        let allowed = Condition::new("RemediationAllowed", Status::True, reason, "", SimTime::ZERO);
        check.conditions.set(allowed);
        self.object(Meta::new(Kind::MachineHealthCheck, DEFAULT, PLANE), check)
    }
}

fn machine_labels(template: &MachineSpec) -> Labels {
    let pairs = [
        (KubeadmControlPlane::LABEL, Text::EMPTY),
        ("cluster.x-k8s.io/cluster-name", template.cluster.clone()),
    ];
    labels(pairs)
}
