//! A VM is cut off from all others, both ways: packets are lost, and nobody is told. Connections stay;
//! only their ends' own timers notice.

use super::kind::{FaultKind, Strikes};
use super::reading::{OnVm, Reading};
use crate::engine::Text;
use crate::infra::Way;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `isolateVm: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolateVm {
    pub vm: Text,
}

/// `rejoinVm: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejoinVm {
    pub vm: Text,
}

impl FaultKind for IsolateVm {
    type Written = OnVm;
    const DOES: &'static str = "cuts a VM off from all others, both ways: { vm: worker-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<IsolateVm, Mistake> {
        Ok(IsolateVm { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for IsolateVm {
    /// The VM, if it is not cut off already.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm_id(&self.vm)?;
        (!view.has_cut(Way::From(vm))).then_some(format!("VM/{}", view.vm(&self.vm)?.name))
    }

    /// Cuts it off, both ways.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.cut(Way::From(vm));
            infra.cut(Way::To(vm));
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for RejoinVm {
    type Written = OnVm;
    const DOES: &'static str = "ends isolateVm: { vm: worker-0 }";

    fn from_written(on: &OnVm, reading: &Reading) -> Result<RejoinVm, Mistake> {
        Ok(RejoinVm { vm: reading.vm(&on.vm)? })
    }
}

impl Strikes for RejoinVm {
    /// The VM, if it is cut off.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm_id(&self.vm)?;
        view.has_cut(Way::From(vm)).then_some(format!("VM/{}", view.vm(&self.vm)?.name))
    }

    /// Takes back what was done to it and all others; what was done to single links stays.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.heal(Way::From(vm));
            infra.heal(Way::To(vm));
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
