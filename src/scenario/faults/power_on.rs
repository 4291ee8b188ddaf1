//! A VM is powered on by a person in vCenter: it boots from the disk that it has.

use crate::engine::Text;
use crate::infra::Vm;
use crate::world::{Infra, View};

/// `powerOn: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOn {
    pub vm: Text,
}

impl PowerOn {
    /// The VM, if it exists and is off, and its host is not.
    pub fn resolve(&self, view: View) -> Option<String> {
        let is_there = |vm: &&Vm| !vm.is_on() && view.is_reachable(&vm.name);
        view.vm(&self.vm).filter(is_there).map(|vm| format!("VM/{}", vm.name))
    }

    /// Powers it on.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.power_on(vm);
        }
    }
}
