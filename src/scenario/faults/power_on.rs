//! A VM is powered on by a person in vCenter: it boots from the disk that it has.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `powerOn: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOn {
    pub vm: Text,
}

impl PowerOn {
    /// The VM, if it exists and is off.
    pub fn resolve(&self, view: View) -> Option<String> {
        view.vm(&self.vm).filter(|vm| !vm.is_on()).map(|vm| format!("VM/{}", vm.name))
    }

    /// Powers it on.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.power_on(vm);
        }
    }
}
