//! A systemd unit is stopped by hand and stays stopped; its containers run on.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::world::{Infra, View};

/// `stopUnit: { vm: worker-0, unit: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopUnit {
    pub vm: Text,
    pub unit: Text,
}

impl FaultKind for StopUnit {
    const DOES: &'static str = "systemctl stop, for good: { vm: worker-0, unit: kubelet }";
}

impl Strikes for StopUnit {
    /// The unit's process, if the VM exists and has the unit.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm)?;
        vm.units.get(&self.unit).map(|_| format!("Process/{}@{}", self.unit, vm.name))
    }

    /// Stops it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.stop_unit(vm, &self.unit);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
