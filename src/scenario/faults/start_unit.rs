//! A systemd unit is started by hand: what ends an outage that `stopUnit` began.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `startUnit: { vm: worker-0, unit: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartUnit {
    pub vm: Text,
    pub unit: Text,
}

impl StartUnit {
    /// The unit's process, if the VM runs and has the unit.
    pub fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm).filter(|vm| vm.booted)?;
        vm.units.get(&self.unit).map(|_| format!("Process/{}@{}", self.unit, vm.name))
    }

    /// Starts it.
    pub fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.start_unit(vm, &self.unit);
        }
    }
}
