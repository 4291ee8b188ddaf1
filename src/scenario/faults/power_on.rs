//! A VM is powered on by a person in vCenter: it boots from the disk that it has.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::Text;
use crate::infra::Vm;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `powerOn: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOn {
    pub vm: Text,
}

impl FaultKind for PowerOn {
    type Written = OnVm;
    const DOES: &'static str = "powers a VM on, as in vCenter: { vm: worker-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<PowerOn, Mistake> {
        Ok(PowerOn { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for PowerOn {
    /// The VM, if it exists and is off, and its host is not.
    fn resolve(&self, view: View) -> Option<String> {
        let is_there = |vm: &&Vm| !vm.is_on() && view.is_reachable(&vm.name);
        view.vm(&self.vm).filter(is_there).map(|vm| format!("VM/{}", vm.name))
    }

    /// Powers it on.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.power_on(vm);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
