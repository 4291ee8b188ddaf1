//! A VM is deleted from disk by a person in vCenter: its power, its disk and its name go at once.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `deleteVm: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteVm {
    pub vm: Text,
}

impl DeleteVm {
    /// The VM, if it exists.
    pub fn resolve(&self, view: View) -> Option<String> {
        view.vm(&self.vm)
            .filter(|vm| view.is_reachable(&vm.name))
            .map(|vm| format!("VM/{}", vm.name))
    }

    /// Deletes it.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.delete(vm);
        }
    }
}
