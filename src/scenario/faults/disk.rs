//! A VM's disk gets slow, or stalls: its flushes take longer, or do not end. What was read from it
//! before, and what needs no flush, goes on.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::{Duration, Text};
use crate::infra::DiskHealth;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

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

/// A slow disk as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slowed {
    vm: Spanned<String>,
    flush: Spanned<String>,
}

impl FaultKind for SlowDisk {
    type Written = Slowed;
    const DOES: &'static str =
        "each flush takes so much longer: { vm: control-plane-0, flush: 200ms }";

    fn from_written(on: &Slowed, reading: &Reading) -> Result<SlowDisk, Mistake> {
        let (vm, flush) = (reading.vm(&on.vm)?, reading.scenario.duration(&on.flush)?);
        if flush.is_zero() {
            let message = "a disk that is slower by nothing is well; write a length, for \
                           example 200ms, or `healDisk`";
            return Err(reading.scenario.mistake(&on.flush, message));
        }
        Ok(SlowDisk { vm, flush })
    }
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
    type Written = OnVm;
    const DOES: &'static str = "flushes do not end: { vm: control-plane-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<StallDisk, Mistake> {
        Ok(StallDisk { vm: reading.vm(&on.vm)? })
    }
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
    type Written = OnVm;
    const DOES: &'static str =
        "ends slowDisk and stallDisk; what waits ends: { vm: control-plane-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<HealDisk, Mistake> {
        Ok(HealDisk { vm: reading.vm(&on.vm)? })
    }
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
