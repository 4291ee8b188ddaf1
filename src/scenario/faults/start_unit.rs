//! A systemd unit is started by hand: what ends an outage that `stopUnit` began.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use super::stop_unit::OnUnit;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `startUnit: { vm: worker-0, unit: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartUnit {
    pub vm: Text,
    pub unit: Text,
}

impl FaultKind for StartUnit {
    type Written = OnUnit;
    const DOES: &'static str = "systemctl start: { vm: worker-0, unit: kubelet }";

    fn from_written(on: &OnUnit, reading: &Reading) -> Result<StartUnit, Mistake> {
        let (vm, unit) = on.read(reading)?;
        Ok(StartUnit { vm, unit })
    }

    fn not_there(on: &OnUnit, reading: &Reading) -> Option<Mistake> {
        on.not_there(reading)
    }
}

impl Strikes for StartUnit {
    /// The unit's process, if the VM runs and has the unit.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.vm).filter(|vm| vm.booted)?;
        vm.units.get(&self.unit).map(|_| format!("Process/{}@{}", self.unit, vm.name))
    }

    /// Starts it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.start_unit(vm, &self.unit);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
