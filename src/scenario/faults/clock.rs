//! A VM's wall clock jumps, and is wrong by so much from then on. Its monotonic clock does not: timers,
//! and what a process measures itself, go on. What it writes is wrong, and so is what it makes of the
//! times that others have written.

use super::kind::{FaultKind, Strikes};
use crate::engine::{Skew, Text};
use crate::world::{Infra, View};

/// `skewClock: { vm: worker-0, by: -5s }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkewClock {
    pub vm: Text,
    /// How far it is from true time; not from what it showed before.
    pub by: Skew,
}

/// `syncClock: { vm: worker-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncClock {
    pub vm: Text,
}

/// The clock of a VM, if it will be another.
fn clock(view: View, vm: &str, skew: Skew) -> Option<String> {
    let vm = view.vm(vm).filter(|vm| vm.skew != skew)?;
    Some(format!("Clock/{}", vm.name))
}

impl FaultKind for SkewClock {
    const DOES: &'static str = "sets a VM's wall clock wrong, at once: { vm: worker-0, by: -5s }";
}

impl Strikes for SkewClock {
    /// The clock, unless it is wrong by as much already.
    fn resolve(&self, view: View) -> Option<String> {
        clock(view, &self.vm, self.by)
    }

    /// Sets it.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.skew_clock(vm, self.by);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}

impl FaultKind for SyncClock {
    const DOES: &'static str = "sets it right: { vm: worker-0 }";
}

impl Strikes for SyncClock {
    /// The clock, if it is wrong.
    fn resolve(&self, view: View) -> Option<String> {
        clock(view, &self.vm, Skew::NONE)
    }

    /// Sets it to true time, at once.
    fn inject(&self, infra: &mut Infra) {
        if let Some(vm) = infra.vm(&self.vm) {
            infra.skew_clock(vm, Skew::NONE);
        }
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        vec![&mut self.vm]
    }
}
