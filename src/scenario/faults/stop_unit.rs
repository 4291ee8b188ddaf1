//! A systemd unit is stopped by hand and stays stopped; its containers run on.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `stopUnit: { vm: worker-0, unit: kubelet }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopUnit {
    pub vm: Text,
    pub unit: Text,
}

/// The units that a VM has.
pub const UNITS: [&str; 2] = ["kubelet", "cloud-init"];

/// What a unit is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnUnit {
    vm: Spanned<String>,
    unit: Spanned<String>,
}

impl OnUnit {
    /// The VM and its unit.
    pub(super) fn read(&self, reading: &Reading) -> Result<(Text, Text), Mistake> {
        Ok((reading.vm(&self.vm)?, reading.one_of(&self.unit, &UNITS, "unit")?))
    }

    /// A mistake if the VM does not have it when the run begins.
    pub(super) fn not_there(&self, reading: &Reading) -> Option<Mistake> {
        reading.not_on(&self.vm, &self.unit, "unit", &reading.stage.units(&self.vm.value))
    }
}

impl FaultKind for StopUnit {
    type Written = OnUnit;
    const DOES: &'static str = "systemctl stop, for good: { vm: worker-0, unit: kubelet }";

    fn from_written(on: &OnUnit, reading: &Reading) -> Result<StopUnit, Mistake> {
        let (vm, unit) = on.read(reading)?;
        Ok(StopUnit { vm, unit })
    }

    fn not_there(on: &OnUnit, reading: &Reading) -> Option<Mistake> {
        on.not_there(reading)
    }
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
