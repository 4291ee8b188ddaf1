//! vSphere's kinds: the provider's object behind a Machine, and VM Operator's object behind a VM.

use super::Conditions;
use crate::api::merge::merge_fields;
use crate::engine::Text;

/// CAPV's VSphereMachine, as it is on a Supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VSphereMachine {
    pub provider_id: Text,
    /// Once true it stays so: a VM that is powered off later does not clear it.
    pub ready: bool,
    /// `status.vmstatus`: how far its VirtualMachine is.
    pub vm_status: Text,
    pub conditions: Conditions,
}

/// VM Operator's VirtualMachine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualMachine {
    /// What its power is to be.
    pub power_wanted: PowerState,
    /// `spec.bootstrap`: the Secret with the guest's user data.
    pub bootstrap_secret: Text,
    /// `spec.biosUUID`: what the VM is to be, each time that it is made; empty if it may be
    /// anything.
    pub uuid_wanted: Text,
    /// `spec.readinessProbe.tcpSocket`: the guest is ready while somebody listens there.
    pub readiness_port: Option<u16>,
    /// What its power was when somebody last looked.
    pub power: PowerState,
    pub bios_uuid: Text,
    /// `status.network.primaryIP4`.
    pub ip: Text,
    pub conditions: Conditions,
}

/// The power of a VM, as an object writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PowerState {
    /// Not written yet.
    #[default]
    None,
    PoweredOn,
    PoweredOff,
}

merge_fields!(VSphereMachine { provider_id, ready, vm_status } whole { conditions });
merge_fields!(VirtualMachine {
    power_wanted,
    bootstrap_secret,
    uuid_wanted,
    readiness_port,
    power,
    bios_uuid,
    ip,
} whole { conditions });

impl VSphereMachine {
    /// True while its VirtualMachine is there, on, and known.
    pub const PROVISIONED: Text = Text::word("VMProvisioned");
    /// Holds it until its VirtualMachine is gone.
    pub const FINALIZER: Text = Text::word("vspheremachine.vmware.infrastructure.cluster.x-k8s.io");
}

impl VirtualMachine {
    /// True once its VM was made.
    pub const CREATED: Text = Text::word("VirtualMachineCreated");
    /// True while its readiness probe succeeds, where it has one.
    pub const READY: Text = Text::word("Ready");
    /// Holds it until its VM is gone.
    pub const FINALIZER: Text = Text::word("virtualmachine.vmoperator.vmware.com");
}

impl PowerState {
    /// As it is written in an object.
    pub const fn name(self) -> &'static str {
        match self {
            PowerState::None => "",
            PowerState::PoweredOn => "PoweredOn",
            PowerState::PoweredOff => "PoweredOff",
        }
    }
}
