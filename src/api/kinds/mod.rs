//! The kinds of objects, each with the fields that a component or a command uses, and no others.

mod cluster_api;
mod condition;
mod config;
mod control_plane;
mod machine;
mod node;
mod pod;
mod policy;
mod service;
mod summary;
mod version;
mod volume;
mod vsphere;
mod workload;

pub use cluster_api::{
    Cluster, InFlight, MachineDeployment, MachineHealthCheck, MachineSet, MaxUnhealthy,
    UnhealthyCondition,
};
pub use condition::{Condition, Conditions, Status};
pub use config::{BootstrapToken, ConfigMap, KubeadmConfig, Secret, TokenUsage};
pub use control_plane::{KubeadmControlPlane, LastRemediation, RemediationStrategy};
pub use machine::{InfraMachine, InfrastructureRef, Machine, MachinePhase, MachineSpec};
pub use node::{Lease, Node, Resources, Taint, TaintEffect, label, taint};
pub use pod::{Pod, PodPhase, PodTemplate, Toleration};
pub use policy::{Amount, PodDisruptionBudget, Wanted};
pub use service::{Endpoint, EndpointSlice, SERVICE_NAME, Service};
pub use summary::{behind_colon, remediating};
pub use version::Version;
pub use volume::{PersistentVolumeClaim, VolumeAttachment, VolumeNames, VolumeSource, claim_of};
pub use vsphere::{PowerState, VSphereMachine, VirtualMachine};
pub use workload::{
    DaemonSet, Deployment, EventType, Job, KubeEvent, PodManagement, ReplicaSet, StatefulSet,
    Uncounted,
};
