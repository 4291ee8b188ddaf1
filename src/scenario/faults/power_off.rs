//! A VM's power is cut, as in vCenter: its guest notices nothing before it is gone.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `powerOff: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOff {
    pub vm: Text,
}

impl FaultKind for PowerOff {
    type Written = OnVm;
    const DOES: &'static str = "cuts a VM's power, as in vCenter: { vm: worker-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<PowerOff, Mistake> {
        Ok(PowerOff { vm: reading.vm(&on.vm)? })
    }
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
