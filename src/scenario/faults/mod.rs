//! Faults: each reads the world to find its target, then breaks something in the datacenter.
//!
//! No fault can touch a Kubernetes object: `inject` gets VMs, disks, units, links and processes only. What a
//! person does with kubectl is typed on a laptop, and asks an API server.

mod bad_link;
mod clock;
#[cfg(test)]
mod clock_tests;
mod delete_vm;
mod disk;
mod etcdctl;
mod fill_disk;
#[cfg(test)]
mod fill_disk_tests;
mod freeze_process;
mod kill_process;
mod kubectl;
mod kubectl_patch;
mod link;
#[cfg(test)]
mod link_tests;
mod power_off;
mod power_off_host;
mod power_on;
mod power_on_host;
mod remove_file;
mod restore_file;
mod role;
mod start_unit;
mod stop_unit;
#[cfg(test)]
mod tests;
mod words;
mod write_file;
mod zone;
#[cfg(test)]
mod zone_tests;

pub use bad_link::{LossyLink, SlowLink};
pub use clock::{SkewClock, SyncClock};
pub use delete_vm::DeleteVm;
pub use disk::{HealDisk, SlowDisk, StallDisk};
pub use etcdctl::Etcdctl;
pub use fill_disk::{FillDisk, FreeDisk};
pub use freeze_process::{FreezeProcess, ThawProcess};
pub use kill_process::{KillProcess, Signal};
pub use kubectl::Kubectl;
pub use link::{CutLink, HealLink, IsolateVm, Link, RejoinVm, Ways};
pub use power_off::PowerOff;
pub use power_off_host::PowerOffHost;
pub use power_on::PowerOn;
pub use power_on_host::PowerOnHost;
pub use remove_file::RemoveFile;
pub use restore_file::RestoreFile;
pub use role::{ROLES, is_like_a_role};
pub use start_unit::StartUnit;
pub use stop_unit::StopUnit;
pub use write_file::WriteFile;
pub use zone::{CutZone, PowerOffZone, PowerOnZone, RejoinZone};

use crate::engine::Text;
use crate::world::{View, World};

/// A fault of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    PowerOff(PowerOff),
    PowerOn(PowerOn),
    DeleteVm(DeleteVm),
    PowerOffHost(PowerOffHost),
    PowerOnHost(PowerOnHost),
    StopUnit(StopUnit),
    StartUnit(StartUnit),
    RemoveFile(RemoveFile),
    RestoreFile(RestoreFile),
    WriteFile(WriteFile),
    KillProcess(KillProcess),
    FreezeProcess(FreezeProcess),
    ThawProcess(ThawProcess),
    CutLink(CutLink),
    SlowLink(SlowLink),
    LossyLink(LossyLink),
    HealLink(HealLink),
    IsolateVm(IsolateVm),
    RejoinVm(RejoinVm),
    PowerOffZone(PowerOffZone),
    PowerOnZone(PowerOnZone),
    CutZone(CutZone),
    RejoinZone(RejoinZone),
    SlowDisk(SlowDisk),
    StallDisk(StallDisk),
    HealDisk(HealDisk),
    FillDisk(FillDisk),
    FreeDisk(FreeDisk),
    SkewClock(SkewClock),
    SyncClock(SyncClock),
    Kubectl(Kubectl),
    Etcdctl(Etcdctl),
}

/// What is written down as the target of a fault that hits nothing.
pub const NO_TARGET: &str = "nothing: no such target";

/// Every kind of fault with what it does, for `healsim list faults`.
pub const KINDS: [(&str, &str); 32] = [
    ("powerOff", "cuts a VM's power, as in vCenter: { vm: worker-0 }"),
    ("powerOn", "powers a VM on, as in vCenter: { vm: worker-0 }"),
    ("deleteVm", "deletes a VM from disk, as in vCenter: { vm: worker-0 }"),
    ("powerOffHost", "cuts a host's power, and its VMs with it: { host: esxi-0 }"),
    ("powerOnHost", "powers a host on; its VMs stay off by themselves: { host: esxi-0 }"),
    ("stopUnit", "systemctl stop, for good: { vm: worker-0, unit: kubelet }"),
    ("startUnit", "systemctl start: { vm: worker-0, unit: kubelet }"),
    ("removeFile", "rm: { vm: worker-0, path: /var/lib/kubelet/config.yaml }"),
    ("restoreFile", "puts back what removeFile took: { vm: worker-0, path: ... }"),
    ("writeFile", "as with an editor: { vm: worker-0, path: /etc/default/etcd, content: ... }"),
    (
        "killProcess",
        "kill -9; systemd restarts its own units: { vm: control-plane-0, process: etcd }; \
         signal: SIGTERM lets it end in its own way",
    ),
    (
        "freezeProcess",
        "kill -STOP: it hangs, its connections stay: { vm: worker-0, process: kubelet }",
    ),
    ("thawProcess", "kill -CONT: { vm: worker-0, process: kubelet }"),
    (
        "cutLink",
        "drops packets silently, both ways or one: { from: worker-0, to: control-plane-0, oneWay: true }",
    ),
    (
        "slowLink",
        "packets take so much longer: { from: worker-0, to: control-plane-0, delay: 200ms }; \
         without `to`, those to and from all others",
    ),
    (
        "lossyLink",
        "loses a share of the packets, which TCP repeats: { from: worker-0, to: control-plane-0, \
         loss: 30% }; without `to`, likewise",
    ),
    ("healLink", "ends cutLink, slowLink and lossyLink: { from: worker-0, to: control-plane-0 }"),
    ("isolateVm", "cuts a VM off from all others, both ways: { vm: worker-0 }"),
    ("rejoinVm", "ends isolateVm: { vm: worker-0 }"),
    ("powerOffZone", "cuts the power of a zone's hosts, or of its VMs: { zone: zone-0 }"),
    ("powerOnZone", "powers them on; VMs on hosts stay off by themselves: { zone: zone-0 }"),
    ("cutZone", "cuts a zone off from all others, both ways: { zone: zone-0 }"),
    ("rejoinZone", "ends cutZone: { zone: zone-0 }"),
    ("slowDisk", "each flush takes so much longer: { vm: control-plane-0, flush: 200ms }"),
    ("stallDisk", "flushes do not end: { vm: control-plane-0 }"),
    ("healDisk", "ends slowDisk and stallDisk; what waits ends: { vm: control-plane-0 }"),
    ("fillDisk", "no space is left, what is written fails: { vm: control-plane-0 }"),
    ("freeDisk", "ends fillDisk: { vm: control-plane-0 }"),
    ("skewClock", "sets a VM's wall clock wrong, at once: { vm: worker-0, by: -5s }"),
    ("syncClock", "sets it right: { vm: worker-0 }"),
    ("kubectl", "what a person does, from a laptop: \"delete node worker-0\"; see docs/faults.md"),
    ("etcdctl", "likewise, to a group of etcd members: \"member remove control-plane-0\""),
];

impl Fault {
    /// The kind, as it is written in a scenario.
    pub const fn kind(&self) -> &'static str {
        match self {
            Fault::PowerOff(_) => "powerOff",
            Fault::PowerOn(_) => "powerOn",
            Fault::DeleteVm(_) => "deleteVm",
            Fault::PowerOffHost(_) => "powerOffHost",
            Fault::PowerOnHost(_) => "powerOnHost",
            Fault::StopUnit(_) => "stopUnit",
            Fault::StartUnit(_) => "startUnit",
            Fault::RemoveFile(_) => "removeFile",
            Fault::RestoreFile(_) => "restoreFile",
            Fault::WriteFile(_) => "writeFile",
            Fault::KillProcess(_) => "killProcess",
            Fault::FreezeProcess(_) => "freezeProcess",
            Fault::ThawProcess(_) => "thawProcess",
            Fault::CutLink(_) => "cutLink",
            Fault::SlowLink(_) => "slowLink",
            Fault::LossyLink(_) => "lossyLink",
            Fault::HealLink(_) => "healLink",
            Fault::IsolateVm(_) => "isolateVm",
            Fault::RejoinVm(_) => "rejoinVm",
            Fault::PowerOffZone(_) => "powerOffZone",
            Fault::PowerOnZone(_) => "powerOnZone",
            Fault::CutZone(_) => "cutZone",
            Fault::RejoinZone(_) => "rejoinZone",
            Fault::SlowDisk(_) => "slowDisk",
            Fault::StallDisk(_) => "stallDisk",
            Fault::HealDisk(_) => "healDisk",
            Fault::FillDisk(_) => "fillDisk",
            Fault::FreeDisk(_) => "freeDisk",
            Fault::SkewClock(_) => "skewClock",
            Fault::SyncClock(_) => "syncClock",
            Fault::Kubectl(_) => "kubectl",
            Fault::Etcdctl(_) => "etcdctl",
        }
    }

    /// What it hits in this world, as `VM/worker-0`; nothing if there is no such thing (any more).
    pub fn resolve(&self, view: View) -> Option<String> {
        match self {
            Fault::PowerOff(fault) => fault.resolve(view),
            Fault::PowerOn(fault) => fault.resolve(view),
            Fault::DeleteVm(fault) => fault.resolve(view),
            Fault::PowerOffHost(fault) => fault.resolve(view),
            Fault::PowerOnHost(fault) => fault.resolve(view),
            Fault::StopUnit(fault) => fault.resolve(view),
            Fault::StartUnit(fault) => fault.resolve(view),
            Fault::RemoveFile(fault) => fault.resolve(view),
            Fault::RestoreFile(fault) => fault.resolve(view),
            Fault::WriteFile(fault) => fault.resolve(view),
            Fault::KillProcess(fault) => fault.resolve(view),
            Fault::FreezeProcess(fault) => fault.resolve(view),
            Fault::ThawProcess(fault) => fault.resolve(view),
            Fault::CutLink(fault) => fault.resolve(view),
            Fault::SlowLink(fault) => fault.resolve(view),
            Fault::LossyLink(fault) => fault.resolve(view),
            Fault::HealLink(fault) => fault.resolve(view),
            Fault::IsolateVm(fault) => fault.resolve(view),
            Fault::RejoinVm(fault) => fault.resolve(view),
            Fault::PowerOffZone(fault) => fault.resolve(view),
            Fault::PowerOnZone(fault) => fault.resolve(view),
            Fault::CutZone(fault) => fault.resolve(view),
            Fault::RejoinZone(fault) => fault.resolve(view),
            Fault::SlowDisk(fault) => fault.resolve(view),
            Fault::StallDisk(fault) => fault.resolve(view),
            Fault::HealDisk(fault) => fault.resolve(view),
            Fault::FillDisk(fault) => fault.resolve(view),
            Fault::FreeDisk(fault) => fault.resolve(view),
            Fault::SkewClock(fault) => fault.resolve(view),
            Fault::SyncClock(fault) => fault.resolve(view),
            Fault::Kubectl(fault) => fault.resolve(view),
            Fault::Etcdctl(fault) => fault.resolve(view),
        }
    }

    /// What a person typed, if it is something that a person does with words.
    pub(super) fn words(&self) -> Text {
        match self {
            Fault::Kubectl(fault) => Text::from(format!("kubectl {}", fault.text)),
            Fault::Etcdctl(fault) => Text::from(format!("etcdctl {}", fault.text)),
            _ => Text::EMPTY,
        }
    }

    /// The names of VMs in it.
    fn vms(&mut self) -> Vec<&mut Text> {
        match self {
            Fault::PowerOff(PowerOff { vm })
            | Fault::PowerOn(PowerOn { vm })
            | Fault::DeleteVm(DeleteVm { vm })
            | Fault::StopUnit(StopUnit { vm, .. })
            | Fault::StartUnit(StartUnit { vm, .. })
            | Fault::RemoveFile(RemoveFile { vm, .. })
            | Fault::RestoreFile(RestoreFile { vm, .. })
            | Fault::WriteFile(WriteFile { vm, .. })
            | Fault::KillProcess(KillProcess { vm, .. })
            | Fault::FreezeProcess(FreezeProcess { vm, .. })
            | Fault::ThawProcess(ThawProcess { vm, .. })
            | Fault::IsolateVm(IsolateVm { vm })
            | Fault::RejoinVm(RejoinVm { vm })
            | Fault::SlowDisk(SlowDisk { vm, .. })
            | Fault::StallDisk(StallDisk { vm })
            | Fault::HealDisk(HealDisk { vm })
            | Fault::FillDisk(FillDisk { vm })
            | Fault::FreeDisk(FreeDisk { vm })
            | Fault::SkewClock(SkewClock { vm, .. })
            | Fault::SyncClock(SyncClock { vm }) => vec![vm],
            Fault::CutLink(CutLink { link })
            | Fault::SlowLink(SlowLink { link, .. })
            | Fault::LossyLink(LossyLink { link, .. })
            | Fault::HealLink(HealLink { link }) => link.vms(),
            Fault::PowerOffHost(_)
            | Fault::PowerOnHost(_)
            | Fault::PowerOffZone(_)
            | Fault::PowerOnZone(_)
            | Fault::CutZone(_)
            | Fault::RejoinZone(_)
            | Fault::Kubectl(_) => Vec::new(),
            Fault::Etcdctl(fault) => fault.vms(),
        }
    }

    /// The same fault on what its roles and its `*` stand for at the moment.
    fn aimed(&self, view: View) -> Fault {
        let mut fault = self.clone();
        for vm in fault.vms() {
            if let Some(holder) = role::holder(vm, view) {
                *vm = holder;
            }
        }
        if let Fault::Kubectl(fault) = &mut fault {
            fault.aim(view);
        }
        fault
    }

    /// Breaks the target, if it is there; the resolved target is recorded either way.
    pub fn strike(&self, world: &mut World) {
        self.aimed(world.view()).strike_aimed(world);
    }

    fn strike_aimed(&self, world: &mut World) {
        let target = self.resolve(world.view());
        let is_there = target.is_some();
        let target = target.unwrap_or_else(|| NO_TARGET.to_owned());
        world.inject_in_words(self.kind(), target, self.words(), |infra| {
            if !is_there {
                return;
            }
            match self {
                Fault::PowerOff(fault) => fault.inject(infra),
                Fault::PowerOn(fault) => fault.inject(infra),
                Fault::DeleteVm(fault) => fault.inject(infra),
                Fault::PowerOffHost(fault) => fault.inject(infra),
                Fault::PowerOnHost(fault) => fault.inject(infra),
                Fault::StopUnit(fault) => fault.inject(infra),
                Fault::StartUnit(fault) => fault.inject(infra),
                Fault::RemoveFile(fault) => fault.inject(infra),
                Fault::RestoreFile(fault) => fault.inject(infra),
                Fault::WriteFile(fault) => fault.inject(infra),
                Fault::KillProcess(fault) => fault.inject(infra),
                Fault::FreezeProcess(fault) => fault.inject(infra),
                Fault::ThawProcess(fault) => fault.inject(infra),
                Fault::CutLink(fault) => fault.inject(infra),
                Fault::SlowLink(fault) => fault.inject(infra),
                Fault::LossyLink(fault) => fault.inject(infra),
                Fault::HealLink(fault) => fault.inject(infra),
                Fault::IsolateVm(fault) => fault.inject(infra),
                Fault::RejoinVm(fault) => fault.inject(infra),
                Fault::PowerOffZone(fault) => fault.inject(infra),
                Fault::PowerOnZone(fault) => fault.inject(infra),
                Fault::CutZone(fault) => fault.inject(infra),
                Fault::RejoinZone(fault) => fault.inject(infra),
                Fault::SlowDisk(fault) => fault.inject(infra),
                Fault::StallDisk(fault) => fault.inject(infra),
                Fault::HealDisk(fault) => fault.inject(infra),
                Fault::FillDisk(fault) => fault.inject(infra),
                Fault::FreeDisk(fault) => fault.inject(infra),
                Fault::SkewClock(fault) => fault.inject(infra),
                Fault::SyncClock(fault) => fault.inject(infra),
                Fault::Kubectl(fault) => fault.inject(infra),
                Fault::Etcdctl(fault) => fault.inject(infra),
            }
        });
    }
}
