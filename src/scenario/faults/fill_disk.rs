//! A VM's disk is full: what is written to it fails, and each program makes of that what it does. What
//! is on it stays, and can be read.

use crate::engine::Text;
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

impl FillDisk {
    /// The disk, unless it is full already.
    pub fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, true)
    }

    /// Fills it.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.fill_disk(vm, true);
        }
    }
}

impl FreeDisk {
    /// The disk, if it is full.
    pub fn resolve(&self, view: View) -> Option<String> {
        disk(view, &self.vm, false)
    }

    /// Makes room; who failed to write is not told.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.fill_disk(vm, false);
        }
    }
}
