//! A VM is deleted from disk by a person in vCenter: its power, its disk and its name go at once.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `deleteVm: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteVm {
    pub vm: Text,
}

impl FaultKind for DeleteVm {
    type Written = OnVm;
    const DOES: &'static str = "deletes a VM from disk, as in vCenter: { vm: worker-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<DeleteVm, Mistake> {
        Ok(DeleteVm { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for DeleteVm {
    /// The VM, if it exists.
    fn resolve(&self, view: View) -> Option<String> {
        view.vm(&self.vm)
            .filter(|vm| view.is_reachable(&vm.name))
            .map(|vm| format!("VM/{}", vm.name))
    }

    /// Deletes it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.delete(vm);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
