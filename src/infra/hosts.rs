//! Hosts: the machines on which VMs run, and which VM is placed on which.
//!
//! A host's own system runs on a machine of the datacenter's, beside its VMs; what runs there dies
//! and boots with it. Who decides that a host is dead, and what is done then, is not known here.
//! Simplified: a host takes any number of VMs.

use super::{Datacenter, Inventory, Place, Vm, VmId};
use crate::engine::{Delay, Text};
use std::collections::BTreeMap;

/// A host's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub u32);

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    pub name: Text,
    /// Where its own system runs.
    pub machine: VmId,
    /// Where it stands; nowhere if there are no zones.
    pub place: Option<Place>,
}

/// All hosts, and where VMs are to be that do not exist yet.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    pub(super) all: Vec<Host>,
    pinned: BTreeMap<Text, HostId>,
    /// From a host's power-on until its own system runs.
    pub boot: Delay,
}

/// What becomes of a host, as its heartbeats tell all who listen for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNews {
    /// They have stopped. When that makes it a lost host is for each listener to say.
    Silent(Text),
    /// They are there again.
    Heard(Text),
    /// The agent on this host says that it is the primary of all.
    Leads(Text),
}

/// A change of how a host, or a VM through its host, is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChange {
    /// `Host` or `VM`.
    pub kind: &'static str,
    pub name: Text,
    pub field: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

/// Those of one group keep apart: control planes, the Supervisor's VMs, and workers among
/// themselves (the cluster modules of `kubernetes-sigs/cluster-api-provider-vsphere`).
pub(super) fn group_of(vm: &str) -> Option<usize> {
    ["control-plane-", "supervisor-"].iter().position(|own| vm.starts_with(own))
}

impl Datacenter {
    /// Adds a host that has long been up; with zones, hosts stand in them by turns.
    pub fn add_host(&mut self, name: impl Into<Text>) -> HostId {
        let name = name.into();
        let machine = self.add_appliance(name.clone());
        self.vm_mut(machine).booted = true;
        let number = u32::try_from(self.hosts.all.len()).expect("fewer than 2^32 hosts");
        let place = number.checked_rem(self.zones).map(Place::numbered);
        self.hosts.all.push(Host { name, machine, place });
        HostId(number)
    }

    /// Has a VM that does not exist yet be placed on a host; others keep room for it.
    pub fn pin(&mut self, vm: Text, host: HostId) {
        self.hosts.pinned.insert(vm, host);
    }

    /// From now on VMs go where there is most room.
    pub fn forget_pins(&mut self) {
        self.hosts.pinned.clear();
    }

    /// The hosts with their numbers.
    pub fn all_hosts(&self) -> impl Iterator<Item = (HostId, &Host)> {
        (0..).map(HostId).zip(&self.hosts.all)
    }

    /// The host of a number.
    pub fn host_of(&self, id: HostId) -> &Host {
        &self.hosts.all[id.0 as usize]
    }

    /// The host of a name.
    pub fn host_named(&self, name: &str) -> Option<HostId> {
        self.all_hosts().find(|(_, host)| host.name == *name).map(|(id, _)| id)
    }

    /// The host whose own system runs on this machine.
    pub fn host_on(&self, machine: VmId) -> Option<HostId> {
        self.all_hosts().find(|(_, host)| host.machine == machine).map(|(id, _)| id)
    }

    /// True while the host's own system runs.
    pub fn is_up(&self, host: HostId) -> bool {
        self.vm(self.host_of(host).machine).booted
    }

    /// True for a VM that exists and for a host, but not for what is out of the reach of faults.
    pub fn can_fail(&self, machine: VmId) -> bool {
        self.vm_named(&self.vm(machine).name).is_some() || self.host_on(machine).is_some()
    }

    /// True if a VM is where something can be done to it.
    pub fn is_reachable(&self, vm: VmId) -> bool {
        self.vm(vm).host.is_none_or(|host| self.is_up(host))
    }

    /// The VMs that are placed on a host, by name.
    pub fn vms_on(&self, host: HostId) -> Vec<VmId> {
        let here = self.existing_vms().filter(|(_, vm)| vm.host == Some(host));
        here.map(|(id, _)| id).collect()
    }
}

impl Hosts {
    /// Of the hosts that are believed up, in the VM's zone if it has one, that with the fewest VMs of its
    /// group; of these that with the fewest VMs, and the first. A VM that is pinned goes where it is
    /// pinned. `also` are VMs that are on their way to a host.
    pub(super) fn roomiest(
        &self,
        vm: (&str, Option<&Place>),
        inventory: Inventory<'_>,
        also: &[(Text, HostId)],
        is_up: impl Fn(&Host) -> bool,
    ) -> Option<HostId> {
        let (name, place) = vm;
        if let Some(host) = self.pinned.get(name) {
            return Some(*host);
        }
        let mut load = vec![(0_u32, 0_u32); self.all.len()];
        let placed = inventory.placed();
        let on_their_way = also.iter().map(|(name, host)| (name, *host));
        let coming = self.pinned.iter().map(|(name, host)| (name, *host));
        let coming = coming.filter(|(name, _)| !inventory.has(name));
        for (other, host) in placed.chain(coming).chain(on_their_way) {
            if *other != *name {
                let (alike, all) = &mut load[host.0 as usize];
                *all += 1;
                *alike += u32::from(group_of(other) == group_of(name));
            }
        }
        let fits = |(_, host): &(HostId, &Host)| {
            is_up(host) && (place.is_none() || host.place.as_ref() == place)
        };
        let up = (0..).map(HostId).zip(&self.all).filter(fits);
        up.map(|(id, _)| id).min_by_key(|id| load[id.0 as usize])
    }
}

impl Vm {
    /// True if it ought to run and does not, because its host went.
    pub fn is_lost(&self) -> bool {
        self.switched_on && !self.is_on()
    }
}
