//! A VM's disk gets slow, or stalls: its flushes take longer, or do not end. What was read from it
//! before, and what needs no flush, goes on.

use super::kind::{FaultKind, Strikes};
use crate::engine::{Duration, Text};
use crate::infra::DiskHealth;
use crate::world::{Infra, View};

/// `slowDisk: { vm: control-plane-0, flush: 200ms }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowDisk {
    pub vm: Text,
    /// How much longer each flush takes.
    pub flush: Duration,
}

/// `stallDisk: { vm: control-plane-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StallDisk {
    pub vm: Text,
}

/// `healDisk: { vm: control-plane-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealDisk {
    pub vm: Text,
}

/// The disk of a VM that fits, if its state will be another.
fn disk(view: View, vm: &str, health: DiskHealth) -> Option<String> {
    let vm = view.vm(vm).filter(|vm| vm.disk.health != health)?;
    Some(format!("Disk/{}", vm.name))
}

impl FaultKind for SlowDisk {
    const DOES: &'static str =
        "each flush takes so much longer: { vm: control-plane-0, flush: 200ms }";
}

impl Strikes for SlowDisk {
    /// The disk, unless it is as slow already.
    fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, DiskHealth::Slow(self.flush))
    }

    /// Slows it down; a stalled one goes on, slowly.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.set_disk(vm, DiskHealth::Slow(self.flush));
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for StallDisk {
    const DOES: &'static str = "flushes do not end: { vm: control-plane-0 }";
}

impl Strikes for StallDisk {
    /// The disk, unless it is stalled already.
    fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, DiskHealth::Stalled)
    }

    /// Stalls it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.set_disk(vm, DiskHealth::Stalled);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for HealDisk {
    const DOES: &'static str =
        "ends slowDisk and stallDisk; what waits ends: { vm: control-plane-0 }";
}

impl Strikes for HealDisk {
    /// The disk, unless it is well.
    fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, DiskHealth::Well)
    }

    /// Makes it well; what waited for it ends at once, in order.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.set_disk(vm, DiskHealth::Well);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
