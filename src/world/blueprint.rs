//! What a world is built from: machines, workloads and numbers. Data only.

use super::managers::ManagerElections;
use crate::api::kinds::{
    Condition, Conditions, InFlight, MachineHealthCheck, MachineSpec, PodManagement,
    RemediationStrategy, Resources, Status, Toleration, VolumeSource, Wanted,
};
use crate::api::{Kind, StaticPodManifest};
use crate::components::cluster_api::{Bootstrap, Wording};
use crate::components::{
    apiserver, bootstrap_provider, cloud_controller, cluster_api, controller_manager, etcd,
    etcdctl, fault_domain_manager, hypervisor, infra_provider, ingress, kubeadm,
    kubeadm_control_plane, kubectl, kubelet, load_balancer, prober, scheduler, vm_operator,
    vsphere_provider,
};
use crate::engine::{Delay, Duration, Owner, SimTime, Text};
use crate::infra::{KeepAlives, Latency, Retransmission, bios_uuid};

/// Everything that a world is built from, but the seed.
#[derive(Clone, Debug)]
pub struct Blueprint {
    pub control_planes: u32,
    /// VMs that serve the management cluster's API, each with an etcd member and the managers of Machines.
    pub supervisors: u32,
    pub workers: u32,
    /// Over how many zones of one region the VMs are spread; none at all if 0.
    pub zones: u32,
    pub hosts: HostPlan,
    /// How the load balancer before several API servers behaves; one alone has none.
    pub load_balancer: Option<load_balancer::Rules>,
    /// The same before those of a Supervisor.
    pub management_balancer: Option<load_balancer::Rules>,
    /// Who leads when the run begins; drawn where it is not given.
    pub leaders: Leaders,
    pub management: Management,
    /// Whether the control plane's VMs are Nodes of the cluster.
    pub control_plane_nodes: ControlPlaneNodes,
    pub workloads: Vec<Workload>,
    /// The check over the workers, but its selector.
    pub health_check: MachineHealthCheck,
    /// The check over the control plane, if it is another.
    pub control_plane_check: Option<MachineHealthCheck>,
    /// Who tries from outside whether things work.
    pub users: Option<Users>,
    pub settings: Settings,
}

/// Which control-plane VM, by its number, has the process that leads, where that is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaders {
    pub etcd: Option<u32>,
    pub controller_manager: Option<u32>,
    pub scheduler: Option<u32>,
    pub cloud_controller: Option<u32>,
    /// The Supervisor's VM whose manager is the first of Cluster API's; the others' leaders follow on the next.
    pub first_manager: Option<u32>,
}

/// The hosts on which VMs run.
#[derive(Clone, Debug, Default)]
pub struct HostPlan {
    /// How many; with none, VMs run nowhere in particular, and no host can fail.
    pub count: u32,
    /// VMs that are on the host of this number when the run begins; the others keep apart.
    pub pinned: Vec<(Text, u32)>,
    /// From power-on until a host's own system runs.
    pub boot: Delay,
    /// How vSphere HA's agents behave, if it is on.
    pub availability: Option<fault_domain_manager::Settings>,
}

/// Users who try whether things work, and how they do it.
#[derive(Clone, Debug)]
pub struct Users {
    pub probes: Vec<Probe>,
    pub ingress: ingress::Settings,
    pub app: prober::app::Settings,
    pub deploy: prober::deploy::Settings,
    pub api: prober::api::Settings,
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Asks the app of this name through its ingress.
    App(Text),
    /// Deploys something this often.
    Deploy(Duration),
    Api(ApiUser),
}

/// Over which connections a user asks the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiUser {
    /// One that stays with the API server of this VM.
    At(Text),
    /// A new one each time, through the load balancer.
    Fresh,
    /// A new one each time; the load balancer knows him by his address and leads him to this VM's
    /// API server while it is up.
    Led(Text),
}

/// Which cluster runs Cluster API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Management {
    /// A cluster of its own, on the VMs `supervisor-0` and on.
    Separate,
    /// The cluster that it manages.
    Own,
}

/// Whether the control plane's VMs are Nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlPlaneNodes {
    InCluster,
    External,
}

/// A workload that runs when the run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub name: Text,
    pub kind: WorkloadKind,
    /// How many Pods; a DaemonSet has as many as there are Nodes for it.
    pub replicas: u32,
    pub runs_on: RunsOn,
    /// Required anti-affinity of its Pods among themselves, by hostname.
    pub repel_each_other: bool,
    pub grace: Duration,
    /// What its PodDisruptionBudget wants, if it has one.
    pub budget: Option<Wanted>,
    /// Its exclusive volume, if it has one: one for each Pod name, or one for all.
    pub volume: Option<VolumeSource>,
    /// What each of its Pods asks for.
    pub requests: Resources,
    /// Beside those that every Pod gets.
    pub tolerations: Vec<Toleration>,
    /// Its Pods' priority class is one of the system's two.
    pub is_critical: bool,
    pub image: Text,
    /// The VMs' template has it.
    pub image_in_template: bool,
}

/// Who looks after a workload's Pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    Deployment,
    StatefulSet(PodManagement),
    DaemonSet,
    /// Its Pods start when the run begins, and each has done its work after this time.
    Job {
        run_time: Duration,
        backoff_limit: u32,
    },
    /// Nobody: a Pod that goes is gone for good.
    Pod,
}

/// On which Nodes a workload's Pods run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOn {
    Workers,
    ControlPlane,
}

/// The numbers of every component.
#[derive(Clone, Debug)]
pub struct Settings {
    pub etcd: etcd::Settings,
    pub apiserver: apiserver::Settings,
    pub kubelet: kubelet::Settings,
    pub kubeadm: kubeadm::Settings,
    pub controller_manager: controller_manager::Settings,
    pub scheduler: scheduler::Settings,
    pub cluster_api: cluster_api::Settings,
    pub bootstrap_provider: bootstrap_provider::Settings,
    /// How the control plane's Machines are kept, where Cluster API keeps them.
    pub control_plane: Option<ControlPlaneMachines>,
    pub provider: Provider,
    /// How managers elect who works, where several of a kind run.
    pub manager_elections: ManagerElections,
    /// Who asks the provider about Nodes that are not Ready, where it has such a controller.
    pub cloud: Option<cloud_controller::Settings>,
    pub hypervisor: hypervisor::Settings,
    pub kubectl: kubectl::Settings,
    pub jobs_table: JobsTable,
    pub etcdctl: etcdctl::Settings,
    pub latency: Latency,
    pub keep_alives: KeepAlives,
    pub retransmission: Retransmission,
    /// Of the pool's MachineDeployment: how many Machines may be remediated at once.
    pub max_in_flight: Option<InFlight>,
    /// Of the pool's Machines.
    pub deletion: DeletionTimeouts,
    /// How long after its exit a controller-manager or scheduler is started again.
    pub controller_restart: Duration,
    /// `RestartSec` of the kubelet's unit.
    pub unit_restart: Duration,
    /// What kubeadm writes for a control plane whose VMs are Nodes.
    pub static_pods: Vec<StaticPodManifest>,
}

/// Whether an API server's table of Jobs says how each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobsTable {
    WithStatus,
    WithoutStatus,
}

/// The version of Cluster API's kinds that an API server prefers, in whose columns kubectl prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterApiTables {
    V1Beta1,
    V1Beta2,
}

/// How long a Machine that goes waits for what; nothing means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionTimeouts {
    pub node_drain: Duration,
    pub node_volume_detach: Duration,
    pub node_deletion: Duration,
}

/// A KubeadmControlPlane, and who looks after it.
#[derive(Clone, Copy, Debug)]
pub struct ControlPlaneMachines {
    pub controller: kubeadm_control_plane::Settings,
    pub remediation: RemediationStrategy,
    pub max_surge: u32,
    /// Of its Machines.
    pub deletion: DeletionTimeouts,
}

impl Workload {
    /// The names of its Pods, if they are bare ones.
    pub fn bare_pods(&self) -> Vec<Text> {
        match (self.kind, self.replicas) {
            (WorkloadKind::Pod, 1) => vec![self.name.clone()],
            (WorkloadKind::Pod, many) => {
                (0..many).map(|number| Text::from(format!("{}-{number}", self.name))).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Who makes VMs of Machines.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a world has one")]
pub enum Provider {
    /// A plain one, which never looks at a VM's power.
    Delay(infra_provider::Settings),
    /// VM Operator, with the vSphere provider before it.
    VmOperator { provider: vsphere_provider::Settings, operator: vm_operator::Settings },
}

impl Provider {
    /// The kind of its objects.
    pub fn kind(&self) -> Kind {
        match self {
            Provider::Delay(_) => Kind::InfraMachine,
            Provider::VmOperator { .. } => Kind::VSphereMachine,
        }
    }

    /// What the firmware of a VM that has long been there says that it is.
    pub fn uuid_of(&self, vm: &Text) -> Text {
        match self {
            Provider::Delay(_) => vm.clone(),
            Provider::VmOperator { .. } => {
                let owner = Owner::named(vm);
                bios_uuid(owner.number(), owner.part(1).number())
            }
        }
    }
}

impl Blueprint {
    /// The names of the VMs with which the run begins.
    pub fn vm_names(&self) -> Vec<Text> {
        let supervisors = if self.management == Management::Own { 0 } else { self.supervisors };
        let all = [
            ("control-plane", self.control_planes),
            ("supervisor", supervisors),
            ("worker", self.workers),
        ];
        let named = |(kind, count)| {
            (0..count).map(move |number: u32| Text::from(format!("{kind}-{number}")))
        };
        all.into_iter().flat_map(named).collect()
    }

    /// The apps that users ask through an ingress.
    pub fn asked_apps(&self) -> Vec<Text> {
        let probes = self.users.iter().flat_map(|users| &users.probes);
        let mut apps: Vec<Text> = probes
            .filter_map(|probe| match probe {
                Probe::App(app) => Some(app.clone()),
                Probe::Deploy(_) | Probe::Api(_) => None,
            })
            .collect();
        apps.sort_unstable();
        apps.dedup();
        apps
    }
}

impl DeletionTimeouts {
    /// A Machine's `spec` with these.
    pub fn of(self, spec: MachineSpec) -> MachineSpec {
        MachineSpec {
            node_drain_timeout: self.node_drain,
            node_volume_detach_timeout: self.node_volume_detach,
            node_deletion_timeout: self.node_deletion,
            ..spec
        }
    }
}

impl Settings {
    /// The reason of a condition that is True.
    pub fn condition_reason(&self, when_v1beta2: &'static str) -> Text {
        match self.cluster_api.wording {
            Wording::V1Beta1 => Text::EMPTY,
            Wording::V1Beta2 => Text::word(when_v1beta2),
        }
    }

    /// The columns of Cluster API's kinds: those of the version whose conditions its objects have.
    pub(super) fn cluster_api_tables(&self) -> ClusterApiTables {
        match self.cluster_api.wording {
            Wording::V1Beta1 => ClusterApiTables::V1Beta1,
            Wording::V1Beta2 => ClusterApiTables::V1Beta2,
        }
    }

    /// The conditions of a healthy Cluster, each True, with its reason.
    pub fn cluster_conditions(&self) -> Vec<(Text, Text)> {
        [("InfrastructureReady", "Ready"), ("ControlPlaneInitialized", "Initialized")]
            .map(|(kind, reason)| (Text::word(kind), self.condition_reason(reason)))
            .to_vec()
    }

    /// The conditions of a healthy Machine.
    pub fn machine_conditions(&self) -> Conditions {
        let healthy = [
            ("InfrastructureReady", "Ready"),
            ("NodeHealthy", "NodeHealthy"),
            ("HealthCheckSucceeded", "HealthCheckSucceeded"),
        ];
        let mut conditions = Conditions::default();
        for (kind, reason) in healthy {
            // The provider's own condition is mirrored with its reason, in every release.
            let reason = match kind {
                "InfrastructureReady" => Text::word(reason),
                _ => self.condition_reason(reason),
            };
            conditions.set(Condition::new(
                Text::word(kind),
                Status::True,
                reason,
                "",
                SimTime::ZERO,
            ));
        }
        let bootstrap = match (self.cluster_api.wording, self.cluster_api.bootstrap) {
            (Wording::V1Beta1, Bootstrap::Given) => None,
            (Wording::V1Beta1, Bootstrap::Kubeadm) => Some(("BootstrapReady", "")),
            (Wording::V1Beta2, Bootstrap::Given) => {
                Some(("BootstrapConfigReady", "DataSecretProvided"))
            }
            (Wording::V1Beta2, Bootstrap::Kubeadm) => Some(("BootstrapConfigReady", "Ready")),
        };
        if let Some((kind, reason)) = bootstrap {
            let [kind, reason] = [kind, reason].map(Text::word);
            conditions.set(Condition::new(kind, Status::True, reason, "", SimTime::ZERO));
        }
        if self.cluster_api.wording == Wording::V1Beta2 {
            conditions.set(never("Deleting", "NotDeleting"));
            let ready = Text::word("Ready");
            conditions.set(Condition::new(ready.clone(), Status::True, ready, "", SimTime::ZERO));
        }
        conditions
    }

    /// How many Machines may be remediated at once: an API server prunes a field that its release does
    /// not know.
    pub(super) fn known_max_in_flight(&self) -> Option<InFlight> {
        self.max_in_flight.filter(|_| self.cluster_api.limits_remediation)
    }

    /// The conditions of a healthy MachineSet or MachineDeployment.
    pub fn set_conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if self.cluster_api.wording == Wording::V1Beta2 {
            conditions.set(never("Remediating", "NotRemediating"));
        }
        conditions
    }
}

/// A condition that is False in a healthy cluster.
fn never(kind: &'static str, reason: &'static str) -> Condition {
    let (kind, reason) = (Text::word(kind), Text::word(reason));
    Condition::new(kind, Status::False, reason, "", SimTime::ZERO)
}
