//! A systemd unit is stopped by hand and stays stopped; its containers run on.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `stopUnit: { vm: worker-0, unit: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopUnit {
    pub vm: Text,
    pub unit: Text,
}

impl StopUnit {
    /// The unit's process, if the VM exists and has the unit.
    pub fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm)?;
        vm.units.get(&self.unit).map(|_| format!("Process/{}@{}", self.unit, vm.name))
    }

    /// Stops it.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.stop_unit(vm, &self.unit);
        }
    }
}
