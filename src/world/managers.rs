//! The managers of Machines: what they are, and the Leases for which those on a Supervisor's VMs are candidates.

use super::blueprint::{Blueprint, Management, Provider};
use super::build::{
    Builder, MANAGEMENT, MANAGEMENT_CLUSTER, VCENTER, WORKLOAD, WORKLOAD_CLUSTER, standing,
};
use super::process::Process;
use super::view::View;
use crate::api::ObjectKey;
use crate::client::{Alarm, Elected, ElectionSettings, Manager, lease_lock, manager_lock};
use crate::components::{
    bootstrap_provider, cluster_api, controller_manager, infra_provider, kubeadm_control_plane,
    vm_operator, vsphere_provider,
};
use crate::engine::Text;
use crate::infra::{Address, Ctx, Input, VmId};

impl Builder {
    /// What keeps the workload cluster's machines: on each VM of the Supervisor, or on one.
    pub(super) fn healers(&mut self, vm: (VmId, u32), cluster: &Text) {
        let management = Address::Endpoint(MANAGEMENT);
        let workload = match self.blueprint.management {
            Management::Separate => Some(Address::Endpoint(WORKLOAD)),
            Management::Own => None,
        };
        let settings = self.blueprint.settings.cluster_api;
        let manager = cluster_api::ClusterApi::new(settings, management, workload);
        self.manager(vm, CORE, cluster, manager);
        if self.blueprint.settings.cluster_api.bootstrap == cluster_api::Bootstrap::Kubeadm {
            let settings = self.blueprint.settings.bootstrap_provider;
            let provider =
                bootstrap_provider::BootstrapProvider::new(settings, management, workload);
            self.manager(vm, BOOTSTRAP, cluster, provider);
        }
        if let Some(plane) = self.blueprint.settings.control_plane {
            let manager = kubeadm_control_plane::ControlPlaneManager::new(
                plane.controller,
                management,
                workload,
            );
            self.manager(vm, CONTROL_PLANE, cluster, manager);
        }
        self.provider(vm, cluster);
        if self.blueprint.management == Management::Separate {
            let settings = self.blueprint.settings.controller_manager.clone();
            let manager = controller_manager::OfMachines::new(settings, management);
            self.manager(vm, CONTROLLER_MANAGER, cluster, manager);
        }
    }

    /// What makes VMs of Machines.
    fn provider(&mut self, vm: (VmId, u32), cluster: &Text) {
        let management = Address::Endpoint(MANAGEMENT);
        let vcenter = Address::Endpoint(VCENTER);
        match self.blueprint.settings.provider.clone() {
            Provider::Delay(settings) => {
                let provider = infra_provider::InfraProvider::new(settings, management, vcenter);
                self.manager(vm, INFRA, cluster, provider);
            }
            Provider::VmOperator { provider, operator } => {
                let capv = vsphere_provider::VSphereProvider::new(provider, management);
                self.manager(vm, CAPV, cluster, capv);
                let vmop = vm_operator::VmOperator::new(operator, management, vcenter);
                self.manager(vm, VM_OPERATOR, cluster, vmop);
            }
        }
    }

    /// Adds a manager; one of several works only while it leads.
    fn manager<M: Manager>(
        &mut self,
        (vm, number): (VmId, u32),
        kind: Kind,
        cluster: &Text,
        manager: M,
    ) where
        Process: From<Elected<M>>,
    {
        let leader = self.blueprint.leader_of(kind);
        let elected = match leader {
            None => Elected::alone(manager),
            leader => {
                let lock = (Address::Endpoint(MANAGEMENT), kind.lock());
                let settings = self.blueprint.settings.manager_elections.of(kind);
                Elected::among_others(manager, lock, settings, standing(leader, number))
            }
        };
        self.add(vm, kind.program, None, Some(cluster.clone()), elected);
    }
}

/// A manager, by its program.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub program: &'static str,
    namespace: &'static str,
    lease: &'static str,
    /// Where it stands among them: the first of them are led on one VM after the other.
    place: u32,
}

pub const CORE: Kind = Kind {
    program: "capi-controller-manager",
    namespace: "capi-system",
    lease: "controller-leader-election-capi",
    place: 0,
};
pub const BOOTSTRAP: Kind = Kind {
    program: "capi-kubeadm-bootstrap-controller-manager",
    namespace: "capi-kubeadm-bootstrap-system",
    lease: "kubeadm-bootstrap-manager-leader-election-capi",
    place: 1,
};
pub const CONTROL_PLANE: Kind = Kind {
    program: "capi-kubeadm-control-plane-controller-manager",
    namespace: "capi-kubeadm-control-plane-system",
    lease: "kubeadm-control-plane-manager-leader-election-capi",
    place: 2,
};
pub const INFRA: Kind = Kind {
    program: "infra-provider",
    namespace: "infra-system",
    lease: "controller-leader-election-infra",
    place: 3,
};
pub const CAPV: Kind = Kind {
    program: "capv-controller-manager",
    namespace: "capv-system",
    lease: "capv-controller-manager-runtime",
    place: 3,
};
pub const VM_OPERATOR: Kind = Kind {
    program: "vmop-controller-manager",
    namespace: "vmware-system-vmop",
    lease: "vmoperator-controller-manager-runtime",
    place: 4,
};

/// Where the managers of Machines have a cluster of their own.
pub const CONTROLLER_MANAGER: Kind = Kind {
    program: "kube-controller-manager",
    namespace: "kube-system",
    lease: "kube-controller-manager",
    place: 5,
};

impl Kind {
    /// The Lease's key.
    pub fn lock(self) -> ObjectKey {
        manager_lock(self.namespace, self.lease)
    }
}

impl Blueprint {
    /// Those of this blueprint.
    pub fn managers(&self) -> Vec<Kind> {
        let settings = &self.settings;
        let mut all = vec![CORE];
        all.extend(
            (settings.cluster_api.bootstrap == cluster_api::Bootstrap::Kubeadm)
                .then_some(BOOTSTRAP),
        );
        all.extend(settings.control_plane.map(|_| CONTROL_PLANE));
        match settings.provider {
            Provider::Delay(_) => all.push(INFRA),
            Provider::VmOperator { .. } => all.extend([CAPV, VM_OPERATOR]),
        }
        all.extend((self.management == Management::Separate).then_some(CONTROLLER_MANAGER));
        all
    }

    /// The number of the Supervisor's VM whose manager of a kind leads when the run begins; none where there
    /// is one of each.
    pub fn leader_of(&self, kind: Kind) -> Option<u32> {
        let several = self.management == Management::Separate && self.supervisors > 1;
        let first = self.leaders.first_manager.unwrap_or_default();
        several.then(|| (first + kind.place) % self.supervisors)
    }
}

/// The programs of a control plane of which one leads, each with a Lease of its own name.
const ELECTED: [&str; 3] =
    ["kube-controller-manager", "kube-scheduler", "cloud-controller-manager"];

impl<'a> View<'a> {
    /// The VM on which a program's leader is, by its Lease: of one of the workload cluster's control plane, or of
    /// a manager of Machines. Where that is alone, and so elects nobody, the VM on which it is.
    pub fn leader_of(self, program: &str) -> Option<Text> {
        if let Some(elected) = ELECTED.into_iter().find(|elected| *elected == program) {
            return self.holder(&WORKLOAD_CLUSTER, &lease_lock(elected));
        }
        let blueprint = &self.world.blueprint;
        let kind = blueprint.managers().into_iter().find(|kind| kind.program == program)?;
        match blueprint.leader_of(kind) {
            Some(_) => self.holder(&MANAGEMENT_CLUSTER, &kind.lock()),
            None => self.hosts_of(kind.program).next().cloned(),
        }
    }

    fn holder(self, cluster: &str, lock: &ObjectKey) -> Option<Text> {
        let lease = self.object_in(cluster, lock)?;
        let vm = lease.lease()?.holder.split('_').next()?;
        (!vm.is_empty()).then(|| Text::from(vm))
    }
}

/// How those of a Supervisor's VMs elect who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagerElections {
    pub usual: ElectionSettings,
    /// That of the control plane takes its time.
    pub control_plane: ElectionSettings,
}

impl ManagerElections {
    /// Those of this kind.
    pub fn of(self, kind: Kind) -> ElectionSettings {
        if kind.program == CONTROL_PLANE.program { self.control_plane } else { self.usual }
    }
}

macro_rules! managers {
    ($($module:ident::$name:ident($event:ident)),* $(,)?) => {
        $(impl Manager for $module::$name {
            type Event = $module::$event;

            fn alarm(event: &$module::$event) -> Option<Alarm> {
                match event {
                    $module::$event::Client(alarm) => Some(*alarm),
                    _ => None,
                }
            }

            fn on_event(&mut self, input: Input<$module::$event>, ctx: &mut Ctx<$module::$event>) {
                $module::$name::on_event(self, input, ctx);
            }
        })*
    };
}

managers! {
    cluster_api::ClusterApi(Event),
    bootstrap_provider::BootstrapProvider(Event),
    kubeadm_control_plane::ControlPlaneManager(Event),
    infra_provider::InfraProvider(Event),
    vsphere_provider::VSphereProvider(Event),
    vm_operator::VmOperator(Event),
    controller_manager::OfMachines(OfMachinesEvent),
}
