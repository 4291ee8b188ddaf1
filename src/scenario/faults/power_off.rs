//! A VM's power is cut, as in vCenter: its guest notices nothing before it is gone.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `powerOff: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOff {
    pub vm: Text,
}

impl PowerOff {
    /// The VM, if it exists.
    pub fn resolve(&self, view: View) -> Option<String> {
        view.vm(&self.vm).map(|vm| format!("VM/{}", vm.name))
    }

    /// Cuts the power.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.power_off(vm);
        }
    }
}
