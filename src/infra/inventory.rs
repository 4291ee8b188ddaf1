//! What the datacenter's management sees of its VMs and hosts: the datacenter itself, not a copy of
//! it. What a host reported before it died it reports for ever.
//!
//! Only a process on an appliance is offered this; every other one sees its own VM alone.

use super::hosts::group_of;
use super::{Datacenter, Host, HostId, Hosts, Place, Vm, VmId};
use crate::engine::{Text, is_like};
use crate::wire::VmFacts;
use std::collections::BTreeMap;

/// The VMs that exist, to look at.
#[derive(Clone, Copy, Debug)]
pub struct Inventory<'a> {
    by_name: &'a BTreeMap<Text, VmId>,
    hosts: &'a Hosts,
    zones: u32,
    /// The VMs before and after the one on which the looking process runs.
    before: &'a [Vm],
    after: &'a [Vm],
}

impl<'a> Inventory<'a> {
    /// What one sees who is none of these VMs.
    pub fn of(datacenter: &'a Datacenter) -> Inventory<'a> {
        let (by_name, hosts) = (datacenter.names(), &datacenter.hosts);
        Inventory { by_name, hosts, zones: datacenter.zones, before: &datacenter.vms, after: &[] }
    }

    /// The VMs around the one at a place in the list.
    pub(super) fn around(
        by_name: &'a BTreeMap<Text, VmId>,
        hosts: &'a Hosts,
        zones: u32,
        (before, after): (&'a [Vm], &'a [Vm]),
    ) -> Inventory<'a> {
        Inventory { by_name, hosts, zones, before, after }
    }

    /// The VM of this name, if there is one. Of one whose host is down it is known how it was when
    /// that was last heard of (vSphere Web Services API, connection state `disconnected`).
    pub fn find(&self, name: &str) -> Option<VmFacts> {
        let vm = self.vm(name)?;
        let is_heard = vm.host.is_none_or(|host| self.is_up(host));
        let (is_on, has_ip) = match is_heard {
            true => (vm.is_on(), vm.answers()),
            // Simplified: one that was still booting had no address.
            false => (vm.switched_on, vm.switched_on),
        };
        let ip = has_ip.then(|| vm.ip.clone());
        Some(VmFacts { is_on, uuid: vm.uuid.clone(), ip, is_connected: is_heard })
    }

    /// The names that fit a pattern in which `*` stands for anything, in order.
    pub fn names_like(&self, pattern: &str) -> Vec<Text> {
        self.by_name.keys().filter(|name| is_like(name, pattern)).cloned().collect()
    }

    /// The hosts, each with whether its own system runs.
    pub fn hosts(self) -> impl Iterator<Item = (&'a Text, bool)> {
        self.hosts.all.iter().map(move |host| (&host.name, self.is_on(host.machine)))
    }

    /// The host on which a VM is placed, if hosts are known.
    pub fn host_of(&self, vm: &str) -> Option<&'a Text> {
        Some(&self.host(self.vm(vm)?.host?).name)
    }

    /// The VMs that are placed on a host, by name.
    pub fn vms_on(self, host: &'a str) -> impl Iterator<Item = &'a Text> {
        let is_it = move |at: HostId| self.host(at).name == *host;
        self.placed().filter(move |(_, at)| is_it(*at)).map(|(name, _)| name)
    }

    /// The VMs that ought to run and do not, because their host went, by name.
    pub fn lost_vms(self) -> impl Iterator<Item = &'a Text> {
        self.by_name.keys().filter(move |name| self.vm(name).is_some_and(Vm::is_lost))
    }

    /// The host on which a VM is best placed now, while others are on their way to theirs; none if
    /// no host is believed up. Whoever asks knows of each host only what it heard of it.
    pub fn host_for(
        &self,
        vm: &str,
        also: &[(Text, Text)],
        is_believed_up: impl Fn(&Text) -> bool,
    ) -> Option<Text> {
        let number = |name: &Text| {
            let mut all = (0..).map(HostId).zip(&self.hosts.all);
            all.find(|(_, host)| host.name == *name).map(|(id, _)| id)
        };
        let also: Vec<(Text, HostId)> =
            also.iter().filter_map(|(vm, host)| Some((vm.clone(), number(host)?))).collect();
        let place = match self.vm(vm) {
            Some(vm) => vm.place.clone(),
            None => self.emptiest_zone(vm),
        };
        let is_up = |host: &Host| is_believed_up(&host.name);
        let host = self.hosts.roomiest((vm, place.as_ref()), *self, &also, is_up)?;
        Some(self.host(host).name.clone())
    }

    /// True if hosts are known: else VMs run somewhere.
    pub fn has_hosts(&self) -> bool {
        !self.hosts.all.is_empty()
    }

    /// The zone with the fewest VMs of this kind: control planes are spread for themselves.
    pub(super) fn emptiest_zone(&self, name: &str) -> Option<Place> {
        let alike = || self.by_name.iter().filter(|(other, _)| group_of(other) == group_of(name));
        let vms_in = |zone: &Text| {
            let places = alike().filter_map(|(_, id)| self.at(*id)?.place.as_ref());
            places.filter(|at| at.zone == *zone).count()
        };
        (0..self.zones).map(Place::numbered).min_by_key(|place| vms_in(&place.zone))
    }

    /// The VMs that are placed on hosts.
    pub(super) fn placed(self) -> impl Iterator<Item = (&'a Text, HostId)> {
        let all = self.by_name.iter();
        all.filter_map(move |(name, id)| Some((name, self.at(*id)?.host?)))
    }

    /// True if there is a VM of this name.
    pub(super) fn has(&self, vm: &str) -> bool {
        self.by_name.contains_key(vm)
    }

    /// True if what runs on a machine has booted; who looks from there sees that it has.
    pub(super) fn is_on(&self, machine: VmId) -> bool {
        self.at(machine).is_none_or(|machine| machine.booted)
    }

    fn is_up(&self, host: HostId) -> bool {
        self.is_on(self.host(host).machine)
    }

    fn host(&self, host: HostId) -> &'a Host {
        &self.hosts.all[host.0 as usize]
    }

    fn vm(&self, name: &str) -> Option<&'a Vm> {
        self.at(*self.by_name.get(name)?)
    }

    /// The VM of a number, unless the looking process runs there.
    fn at(&self, id: VmId) -> Option<&'a Vm> {
        let place = id.0 as usize;
        if place < self.before.len() {
            return self.before.get(place);
        }
        self.after.get(place.checked_sub(self.before.len() + 1)?)
    }
}
