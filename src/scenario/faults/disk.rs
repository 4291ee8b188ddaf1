//! A VM's disk gets slow, or stalls: its flushes take longer, or do not end. What was read from it
//! before, and what needs no flush, goes on.

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

impl SlowDisk {
    /// The disk, unless it is as slow already.
    pub fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, DiskHealth::Slow(self.flush))
    }

    /// Slows it down; a stalled one goes on, slowly.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.set_disk(vm, DiskHealth::Slow(self.flush));
        }
    }
}

impl StallDisk {
    /// The disk, unless it is stalled already.
    pub fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, DiskHealth::Stalled)
    }

    /// Stalls it.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.set_disk(vm, DiskHealth::Stalled);
        }
    }
}

impl HealDisk {
    /// The disk, unless it is well.
    pub fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, DiskHealth::Well)
    }

    /// Makes it well; what waited for it ends at once, in order.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.set_disk(vm, DiskHealth::Well);
        }
    }
}
