//! A VM's disk is full: what is written to it fails, and each program makes of that what it does. What
//! is on it stays, and can be read.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `fillDisk: { vm: control-plane-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillDisk {
    pub vm: Text,
}

/// `freeDisk: { vm: control-plane-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeDisk {
    pub vm: Text,
}

/// The disk of a VM, if it will be otherwise.
fn disk(view: View, vm: &str, is_full: bool) -> Option<String> {
    let vm = view.vm(vm).filter(|vm| vm.disk.is_full != is_full)?;
    Some(format!("Disk/{}", vm.name))
}

impl FaultKind for FillDisk {
    type Written = OnVm;
    const DOES: &'static str = "no space is left, what is written fails: { vm: control-plane-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<FillDisk, Mistake> {
        Ok(FillDisk { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for FillDisk {
    /// The disk, unless it is full already.
    fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, true)
    }

    /// Fills it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.fill_disk(vm, true);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for FreeDisk {
    type Written = OnVm;
    const DOES: &'static str = "ends fillDisk: { vm: control-plane-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<FreeDisk, Mistake> {
        Ok(FreeDisk { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for FreeDisk {
    /// The disk, if it is full.
    fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, false)
    }

    /// Makes room; who failed to write is not told.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.fill_disk(vm, false);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
