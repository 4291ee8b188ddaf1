//! What the datacenter's management sees of its VMs: the datacenter itself, not a copy of it.
//!
//! Only a process on an appliance is offered this; every other one sees its own VM alone.

use super::{Datacenter, Vm, VmId};
use crate::engine::{Text, is_like};
use crate::wire::VmFacts;
use std::collections::BTreeMap;

/// The VMs that exist, to look at.
#[derive(Clone, Copy, Debug)]
pub struct Inventory<'a> {
    by_name: &'a BTreeMap<Text, VmId>,
    /// The VMs before and after the one on which the looking process runs.
    before: &'a [Vm],
    after: &'a [Vm],
}

impl<'a> Inventory<'a> {
    /// What one sees who is none of these VMs.
    pub fn of(datacenter: &'a Datacenter) -> Inventory<'a> {
        Inventory { by_name: datacenter.names(), before: &datacenter.vms, after: &[] }
    }

    /// The VMs around the one at a place in the list.
    pub(super) fn around(
        by_name: &'a BTreeMap<Text, VmId>,
        before: &'a [Vm],
        after: &'a [Vm],
    ) -> Inventory<'a> {
        Inventory { by_name, before, after }
    }

    /// The VM of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<VmFacts> {
        let place = self.by_name.get(name)?.0 as usize;
        let vm = match place.checked_sub(self.before.len() + 1) {
            Some(place) => self.after.get(place)?,
            None => self.before.get(place)?,
        };
        let ip = (vm.is_on() && vm.booted).then(|| vm.ip.clone());
        Some(VmFacts { is_on: vm.is_on(), uuid: vm.uuid.clone(), ip })
    }

    /// The names that fit a pattern in which `*` stands for anything, in order.
    pub fn names_like(&self, pattern: &str) -> Vec<Text> {
        self.by_name.keys().filter(|name| is_like(name, pattern)).cloned().collect()
    }
}
