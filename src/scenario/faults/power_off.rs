//! A VM's power is cut, as in vCenter: its guest notices nothing before it is gone.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::world::{Infra, View};

/// `powerOff: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOff {
    pub vm: Text,
}

impl FaultKind for PowerOff {
    const DOES: &'static str = "cuts a VM's power, as in vCenter: { vm: worker-0 }";
}

impl Strikes for PowerOff {
    /// The VM, if it exists.
    fn resolve(&self, view: View) -> Option<String> {
        view.vm(&self.vm).map(|vm| format!("VM/{}", vm.name))
    }

    /// Cuts the power.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.power_off(vm);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
