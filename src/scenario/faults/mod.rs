//! Faults: each reads the world to find its target, then breaks something in the datacenter.
//!
//! No fault can touch a Kubernetes object: `inject` gets VMs, disks, units and processes only. What a
//! person does with kubectl is typed on a laptop, and asks an API server.

mod delete_vm;
mod freeze_process;
mod kill_process;
mod kubectl;
mod kubectl_patch;
mod power_off;
mod power_on;
mod remove_file;
mod start_unit;
mod stop_unit;
#[cfg(test)]
mod tests;

pub use delete_vm::DeleteVm;
pub use freeze_process::{FreezeProcess, ThawProcess};
pub use kill_process::KillProcess;
pub use kubectl::Kubectl;
pub use power_off::PowerOff;
pub use power_on::PowerOn;
pub use remove_file::RemoveFile;
pub use start_unit::StartUnit;
pub use stop_unit::StopUnit;

use crate::engine::Text;
use crate::world::{View, World};

/// A fault of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    PowerOff(PowerOff),
    PowerOn(PowerOn),
    DeleteVm(DeleteVm),
    StopUnit(StopUnit),
    StartUnit(StartUnit),
    RemoveFile(RemoveFile),
    KillProcess(KillProcess),
    FreezeProcess(FreezeProcess),
    ThawProcess(ThawProcess),
    Kubectl(Kubectl),
}

/// Every kind of fault with what it does, for `healsim list faults`.
pub const KINDS: [(&str, &str); 10] = [
    ("powerOff", "cuts a VM's power, as in vCenter: { vm: worker-0 }"),
    ("powerOn", "powers a VM on, as in vCenter: { vm: worker-0 }"),
    ("deleteVm", "deletes a VM from disk, as in vCenter: { vm: worker-0 }"),
    ("stopUnit", "systemctl stop, for good: { vm: worker-0, unit: kubelet }"),
    ("startUnit", "systemctl start: { vm: worker-0, unit: kubelet }"),
    ("removeFile", "rm: { vm: worker-0, path: /var/lib/kubelet/config.yaml }"),
    (
        "killProcess",
        "kill -9; systemd restarts its own units: { vm: control-plane-0, process: etcd }",
    ),
    (
        "freezeProcess",
        "kill -STOP: it hangs, its connections stay: { vm: worker-0, process: kubelet }",
    ),
    ("thawProcess", "kill -CONT: { vm: worker-0, process: kubelet }"),
    ("kubectl", "what a person does, from a laptop: \"delete node worker-0\"; see docs/faults.md"),
];

impl Fault {
    /// The kind, as it is written in a scenario.
    pub const fn kind(&self) -> &'static str {
        match self {
            Fault::PowerOff(_) => "powerOff",
            Fault::PowerOn(_) => "powerOn",
            Fault::DeleteVm(_) => "deleteVm",
            Fault::StopUnit(_) => "stopUnit",
            Fault::StartUnit(_) => "startUnit",
            Fault::RemoveFile(_) => "removeFile",
            Fault::KillProcess(_) => "killProcess",
            Fault::FreezeProcess(_) => "freezeProcess",
            Fault::ThawProcess(_) => "thawProcess",
            Fault::Kubectl(_) => "kubectl",
        }
    }

    /// What it hits in this world, as `VM/worker-0`; nothing if there is no such thing (any more).
    pub fn resolve(&self, view: View) -> Option<String> {
        match self {
            Fault::PowerOff(fault) => fault.resolve(view),
            Fault::PowerOn(fault) => fault.resolve(view),
            Fault::DeleteVm(fault) => fault.resolve(view),
            Fault::StopUnit(fault) => fault.resolve(view),
            Fault::StartUnit(fault) => fault.resolve(view),
            Fault::RemoveFile(fault) => fault.resolve(view),
            Fault::KillProcess(fault) => fault.resolve(view),
            Fault::FreezeProcess(fault) => fault.resolve(view),
            Fault::ThawProcess(fault) => fault.resolve(view),
            Fault::Kubectl(fault) => fault.resolve(view),
        }
    }

    /// What a person typed, if it is something that a person does with words.
    fn words(&self) -> Text {
        match self {
            Fault::Kubectl(fault) => Text::from(format!("kubectl {}", fault.text)),
            _ => Text::EMPTY,
        }
    }

    /// Breaks the target, if it is there; the resolved target is recorded either way.
    pub fn strike(&self, world: &mut World) {
        let target = self.resolve(world.view());
        let words = target.clone().unwrap_or_else(|| "nothing: no such target".to_owned());
        world.inject_in_words(self.kind(), words, self.words(), |infra| {
            let Some(target) = &target else { return };
            match self {
                Fault::PowerOff(fault) => fault.inject(infra),
                Fault::PowerOn(fault) => fault.inject(infra),
                Fault::DeleteVm(fault) => fault.inject(infra),
                Fault::StopUnit(fault) => fault.inject(infra),
                Fault::StartUnit(fault) => fault.inject(infra),
                Fault::RemoveFile(fault) => fault.inject(infra),
                Fault::KillProcess(fault) => fault.inject(infra),
                Fault::FreezeProcess(fault) => fault.inject(infra),
                Fault::ThawProcess(fault) => fault.inject(infra),
                Fault::Kubectl(fault) => fault.inject(infra, target),
            }
        });
    }
}
