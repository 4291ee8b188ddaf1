//! Cluster API's Machine, and the infrastructure provider's counterpart.

use super::Conditions;
use crate::api::Kind;
use crate::api::merge::merge_fields;
use crate::engine::{Duration, SimTime, Text};

/// A Machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    pub spec: MachineSpec,
    pub phase: MachinePhase,
    /// The name of its Node, once found.
    pub node_ref: Option<Text>,
    pub bootstrap_ready: bool,
    pub infrastructure_ready: bool,
    pub drain_started: Option<SimTime>,
    pub volume_wait_started: Option<SimTime>,
    /// Since when its end waits for hooks; from then on it is not drained any more.
    pub pre_terminate_started: Option<SimTime>,
    pub conditions: Conditions,
}

/// What is wanted of a Machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSpec {
    pub cluster: Text,
    pub version: Text,
    pub provider_id: Text,
    /// `bootstrap.dataSecretName`: the Secret with its user data; empty until it is written.
    pub data_secret_name: Text,
    pub infrastructure: InfrastructureRef,
    /// Nothing means: without limit.
    pub node_drain_timeout: Duration,
    /// Nothing means: without limit.
    pub node_volume_detach_timeout: Duration,
    /// Nothing means: retry for ever.
    pub node_deletion_timeout: Duration,
}

/// `spec.infrastructureRef`: the provider's object. A MachineSet's template refers to the template
/// of one; only its kind counts then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfrastructureRef {
    pub kind: Kind,
    pub name: Text,
}

/// `status.phase` of a Machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachinePhase {
    /// Not written yet.
    #[default]
    None,
    Pending,
    Provisioning,
    Provisioned,
    Running,
    Deleting,
}

/// The object of a plain provider behind a Machine (`RigMachine` in the recordings).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InfraMachine {
    pub provider_id: Text,
    pub ready: bool,
}

merge_fields!(Machine {
    spec,
    phase,
    node_ref,
    bootstrap_ready,
    infrastructure_ready,
    drain_started,
    volume_wait_started,
    pre_terminate_started,
} whole { conditions });
merge_fields!(InfraMachine { provider_id, ready });

impl Machine {
    /// Why nothing is known of a Node.
    pub const CONNECTION_DOWN: &'static str = "ConnectionDown";
}

impl Default for InfrastructureRef {
    fn default() -> InfrastructureRef {
        InfrastructureRef { kind: Kind::InfraMachine, name: Text::EMPTY }
    }
}

impl MachinePhase {
    /// As it is written in an object.
    pub const fn name(self) -> &'static str {
        match self {
            MachinePhase::None => "",
            MachinePhase::Pending => "Pending",
            MachinePhase::Provisioning => "Provisioning",
            MachinePhase::Provisioned => "Provisioned",
            MachinePhase::Running => "Running",
            MachinePhase::Deleting => "Deleting",
        }
    }
}
