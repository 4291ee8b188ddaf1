//! An object of any kind, and how it is named.

use super::kinds::{
    Cluster, Conditions, ConfigMap, DaemonSet, Deployment, EndpointSlice, InfraMachine, Job,
    KubeEvent, KubeadmConfig, KubeadmControlPlane, Lease, Machine, MachineDeployment,
    MachineHealthCheck, MachineSet, Node, PersistentVolumeClaim, Pod, PodDisruptionBudget,
    ReplicaSet, Secret, Service, StatefulSet, VSphereMachine, VirtualMachine, VolumeAttachment,
};
use super::{Merge, Meta};
use crate::engine::Text;
use std::fmt;

/// The kinds that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    Node,
    Lease,
    Pod,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    Event,
    Secret,
    ConfigMap,
    Cluster,
    MachineDeployment,
    MachineSet,
    Machine,
    MachineHealthCheck,
    InfraMachine,
    KubeadmConfig,
    VSphereMachine,
    VirtualMachine,
    PodDisruptionBudget,
    Service,
    EndpointSlice,
    PersistentVolumeClaim,
    VolumeAttachment,
    KubeadmControlPlane,
}

/// Kind, namespace and name; unique at any one time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub kind: Kind,
    pub namespace: Text,
    pub name: Text,
}

/// Metadata and content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub meta: Meta,
    pub body: Body,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Kind; 26] = [
        Kind::Node,
        Kind::Lease,
        Kind::Pod,
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::Job,
        Kind::Event,
        Kind::Secret,
        Kind::ConfigMap,
        Kind::Cluster,
        Kind::MachineDeployment,
        Kind::MachineSet,
        Kind::Machine,
        Kind::MachineHealthCheck,
        Kind::InfraMachine,
        Kind::KubeadmConfig,
        Kind::VSphereMachine,
        Kind::VirtualMachine,
        Kind::PodDisruptionBudget,
        Kind::Service,
        Kind::EndpointSlice,
        Kind::PersistentVolumeClaim,
        Kind::VolumeAttachment,
        Kind::KubeadmControlPlane,
    ];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind's own name.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Node => "Node",
            Kind::Lease => "Lease",
            Kind::Pod => "Pod",
            Kind::Deployment => "Deployment",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::StatefulSet => "StatefulSet",
            Kind::DaemonSet => "DaemonSet",
            Kind::Job => "Job",
            Kind::Event => "Event",
            Kind::Secret => "Secret",
            Kind::ConfigMap => "ConfigMap",
            Kind::Cluster => "Cluster",
            Kind::MachineDeployment => "MachineDeployment",
            Kind::MachineSet => "MachineSet",
            Kind::Machine => "Machine",
            Kind::MachineHealthCheck => "MachineHealthCheck",
            Kind::InfraMachine => "InfraMachine",
            Kind::KubeadmConfig => "KubeadmConfig",
            Kind::VSphereMachine => "VSphereMachine",
            Kind::VirtualMachine => "VirtualMachine",
            Kind::PodDisruptionBudget => "PodDisruptionBudget",
            Kind::Service => "Service",
            Kind::EndpointSlice => "EndpointSlice",
            Kind::PersistentVolumeClaim => "PersistentVolumeClaim",
            Kind::VolumeAttachment => "VolumeAttachment",
            Kind::KubeadmControlPlane => "KubeadmControlPlane",
        }
    }

    /// The plural in lower case, as it stands in URLs and error messages.
    pub fn resource(self) -> String {
        format!("{}s", self.name().to_lowercase())
    }

    /// The resource with its group, as `schema.GroupResource` prints it: `nodes`, `deployments.apps`.
    pub fn qualified_resource(self) -> String {
        match self.group() {
            "" => self.resource(),
            group => format!("{}.{group}", self.resource()),
        }
    }

    /// True if its objects live in namespaces.
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Kind::Node | Kind::VolumeAttachment)
    }

    /// The API group; empty for the core group.
    pub fn group(self) -> &'static str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// The API group and version.
    pub const fn api_version(self) -> &'static str {
        match self {
            Kind::Node
            | Kind::Pod
            | Kind::Event
            | Kind::Service
            | Kind::PersistentVolumeClaim
            | Kind::Secret
            | Kind::ConfigMap => "v1",
            Kind::Lease => "coordination.k8s.io/v1",
            Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet => "apps/v1",
            Kind::Job => "batch/v1",
            Kind::Cluster
            | Kind::MachineDeployment
            | Kind::MachineSet
            | Kind::Machine
            | Kind::MachineHealthCheck => "cluster.x-k8s.io/v1beta1",
            Kind::InfraMachine => "infrastructure.cluster.x-k8s.io/v1beta1",
            Kind::KubeadmConfig => "bootstrap.cluster.x-k8s.io/v1beta1",
            Kind::VSphereMachine => "vmware.infrastructure.cluster.x-k8s.io/v1beta1",
            Kind::VirtualMachine => "vmoperator.vmware.com/v1alpha2",
            Kind::PodDisruptionBudget => "policy/v1",
            Kind::EndpointSlice => "discovery.k8s.io/v1",
            Kind::VolumeAttachment => "storage.k8s.io/v1",
            Kind::KubeadmControlPlane => "controlplane.cluster.x-k8s.io/v1beta1",
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

/// Declares `Body` and, for each kind, how an object is seen as one of that kind.
macro_rules! bodies {
    ($($kind:ident($body:ident) $get:ident $get_mut:ident),* $(,)?) => {
        /// The content of an object: `spec` and `status` of its kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Body {
            $($kind(Box<$body>)),*
        }

        impl Object {
            $(
                #[doc = concat!("The content, if this is a ", stringify!($kind), ".")]
                pub fn $get(&self) -> Option<&$body> {
                    match &self.body {
                        Body::$kind(body) => Some(body),
                        _ => None,
                    }
                }

                #[doc = concat!("The content to change, if this is a ", stringify!($kind), ".")]
                pub fn $get_mut(&mut self) -> Option<&mut $body> {
                    match &mut self.body {
                        Body::$kind(body) => Some(body),
                        _ => None,
                    }
                }
            )*

            /// Applies to this object what differs between `base` and `changed`: a merge patch.
            pub fn apply_patch(&mut self, base: &Object, changed: &Object) {
                self.meta.merge(&base.meta, &changed.meta);
                match (&mut self.body, &base.body, &changed.body) {
                    $((Body::$kind(mine), Body::$kind(base), Body::$kind(changed)) => {
                        mine.merge(base, changed);
                    })*
                    _ => unreachable!("a patch is made from an object of the same kind"),
                }
            }
        }

        $(
            impl From<$body> for Body {
                fn from(body: $body) -> Body {
                    Body::$kind(Box::new(body))
                }
            }
        )*
    };
}

bodies! {
    Node(Node) node node_mut,
    Lease(Lease) lease lease_mut,
    Pod(Pod) pod pod_mut,
    Deployment(Deployment) deployment deployment_mut,
    ReplicaSet(ReplicaSet) replica_set replica_set_mut,
    StatefulSet(StatefulSet) stateful_set stateful_set_mut,
    DaemonSet(DaemonSet) daemon_set daemon_set_mut,
    Job(Job) job job_mut,
    Event(KubeEvent) event event_mut,
    Secret(Secret) secret secret_mut,
    ConfigMap(ConfigMap) config_map config_map_mut,
    Cluster(Cluster) cluster cluster_mut,
    MachineDeployment(MachineDeployment) machine_deployment machine_deployment_mut,
    MachineSet(MachineSet) machine_set machine_set_mut,
    Machine(Machine) machine machine_mut,
    MachineHealthCheck(MachineHealthCheck) machine_health_check machine_health_check_mut,
    InfraMachine(InfraMachine) infra_machine infra_machine_mut,
    KubeadmConfig(KubeadmConfig) kubeadm_config kubeadm_config_mut,
    VSphereMachine(VSphereMachine) vsphere_machine vsphere_machine_mut,
    VirtualMachine(VirtualMachine) virtual_machine virtual_machine_mut,
    PodDisruptionBudget(PodDisruptionBudget) pod_disruption_budget pod_disruption_budget_mut,
    Service(Service) service service_mut,
    EndpointSlice(EndpointSlice) endpoint_slice endpoint_slice_mut,
    PersistentVolumeClaim(PersistentVolumeClaim)
        persistent_volume_claim persistent_volume_claim_mut,
    VolumeAttachment(VolumeAttachment) volume_attachment volume_attachment_mut,
    KubeadmControlPlane(KubeadmControlPlane) kubeadm_control_plane kubeadm_control_plane_mut,
}

/// What every provider's object says of itself: Cluster API's contract with providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provided<'a> {
    pub provider_id: &'a Text,
    pub ready: bool,
}

impl Body {
    /// A new object of a provider's kind, as it is cloned from a template.
    pub fn of_infrastructure(kind: Kind) -> Body {
        match kind {
            Kind::VSphereMachine => VSphereMachine::default().into(),
            _ => InfraMachine::default().into(),
        }
    }
}

impl Object {
    /// What it says to Cluster API, if it is a provider's object.
    pub fn provided(&self) -> Option<Provided<'_>> {
        let (provider_id, ready) = match &self.body {
            Body::InfraMachine(infra) => (&infra.provider_id, infra.ready),
            Body::VSphereMachine(infra) => (&infra.provider_id, infra.ready),
            _ => return None,
        };
        Some(Provided { provider_id, ready })
    }

    /// An object that has not been created yet.
    pub fn new(meta: Meta, body: impl Into<Body>) -> Object {
        Object { meta, body: body.into() }
    }

    /// Kind, namespace and name.
    pub fn key(&self) -> &ObjectKey {
        &self.meta.key
    }

    /// The name alone.
    pub fn name(&self) -> &Text {
        &self.meta.key.name
    }

    /// The conditions of its status, where it has any.
    pub fn conditions(&self) -> Option<&Conditions> {
        match &self.body {
            Body::Node(body) => Some(&body.conditions),
            Body::Pod(body) => Some(&body.conditions),
            Body::Job(body) => Some(&body.conditions),
            Body::Cluster(body) => Some(&body.conditions),
            Body::MachineDeployment(body) => Some(&body.conditions),
            Body::MachineSet(body) => Some(&body.conditions),
            Body::Machine(body) => Some(&body.conditions),
            Body::MachineHealthCheck(body) => Some(&body.conditions),
            Body::KubeadmControlPlane(body) => Some(&body.conditions),
            Body::KubeadmConfig(body) => Some(&body.conditions),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn conditions_mut(&mut self) -> Option<&mut Conditions> {
        match &mut self.body {
            Body::Node(body) => Some(&mut body.conditions),
            Body::Pod(body) => Some(&mut body.conditions),
            Body::Job(body) => Some(&mut body.conditions),
            Body::Cluster(body) => Some(&mut body.conditions),
            Body::MachineDeployment(body) => Some(&mut body.conditions),
            Body::MachineSet(body) => Some(&mut body.conditions),
            Body::Machine(body) => Some(&mut body.conditions),
            Body::MachineHealthCheck(body) => Some(&mut body.conditions),
            Body::KubeadmControlPlane(body) => Some(&mut body.conditions),
            Body::KubeadmConfig(body) => Some(&mut body.conditions),
            _ => None,
        }
    }

    /// Sets how many of its own it wants, if it is of a kind that has a size.
    pub fn scale(&mut self, replicas: u32) {
        match &mut self.body {
            Body::Deployment(body) => body.replicas = replicas,
            Body::ReplicaSet(body) => body.replicas = replicas,
            Body::StatefulSet(body) => body.replicas = replicas,
            Body::MachineDeployment(body) => body.replicas = replicas,
            Body::MachineSet(body) => body.replicas = replicas,
            Body::KubeadmControlPlane(body) => body.replicas = replicas,
            _ => {}
        }
    }
}
