//! What a primary does for VMs that have lost their hosts: it places them, by restart priority, and
//! has their new hosts power them on.

use super::{Event, FaultDomainManager, Role};
use crate::engine::{Duration, Purpose, Text, is_like};
use crate::infra::{Ctx, VmAction};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// VMs on their way back.
#[derive(Clone, Debug, Default)]
pub struct Restarts {
    is_placing: bool,
    /// VMs with their new hosts, which have not begun.
    waiting: VecDeque<(Text, Text)>,
    /// VMs with the hosts that power them on now.
    starting: BTreeMap<Text, Text>,
    /// How often each VM could not be powered on.
    failures: BTreeMap<Text, u32>,
    /// VMs that are left alone for a while after a failure.
    pub pausing: BTreeSet<Text>,
}

const PLACEMENT: Purpose = Purpose(10);
const POWER_ON: Purpose = Purpose(11);
const BOOT: Purpose = Purpose(12);

impl FaultDomainManager {
    /// Begins to place VMs if any is lost: on hosts that are dead, or that have come back without
    /// them.
    pub(super) fn look_for_lost(&mut self, ctx: &mut Ctx<Event>) {
        if self.role != Role::Primary || self.restarts.is_placing || self.lost(ctx).is_empty() {
            return;
        }
        self.restarts.is_placing = true;
        let pause = ctx.draw_delay(PLACEMENT, self.settings.placement);
        ctx.after("vsphere.haPlacement", pause, Event::Placed);
    }

    /// The lost VMs of which nobody takes care yet, in the order in which they are restarted. VMs of
    /// a host that is silent and not dead yet may still run.
    fn lost(&self, ctx: &Ctx<Event>) -> Vec<Text> {
        let Some(inventory) = ctx.inventory() else { return Vec::new() };
        let dead = self.dead();
        let may_run = |host: &Text| self.silent.contains_key(host) && !dead.contains(host);
        let Restarts { waiting, starting, failures, pausing, .. } = &self.restarts;
        let is_cared_for = |vm: &Text| {
            let has_failed = failures.get(vm).is_some_and(|times| *times >= self.settings.tries);
            has_failed
                || starting.contains_key(vm)
                || pausing.contains(vm)
                || waiting.iter().any(|(other, _)| other == vm)
        };
        let lost = inventory.lost_vms().filter(|vm| !is_cared_for(vm));
        let lost = lost.filter(|vm| inventory.host_of(vm).is_some_and(|host| !may_run(host)));
        let mut lost: Vec<Text> = lost.cloned().collect();
        lost.sort_by_key(|vm| !is_like(vm, &self.settings.high_priority));
        lost
    }

    /// If no host is known to be up but this one, it takes them all.
    pub(super) fn place(&mut self, ctx: &mut Ctx<Event>) {
        self.restarts.is_placing = false;
        let Some(inventory) = ctx.inventory().filter(|_| self.role == Role::Primary) else {
            return;
        };
        for vm in self.lost(ctx) {
            let Restarts { waiting, starting, .. } = &self.restarts;
            let on_their_way = starting.iter().map(|(vm, host)| (vm.clone(), host.clone()));
            let also: Vec<(Text, Text)> = on_their_way.chain(waiting.iter().cloned()).collect();
            let is_believed_up = |host: &Text| !self.is_missed(host, ctx.now());
            if let Some(host) = inventory.host_for(&vm, &also, is_believed_up) {
                self.restarts.waiting.push_back((vm, host));
            }
        }
        self.begin_waiting(ctx);
    }

    /// A host powers on so many at once.
    fn begin_waiting(&mut self, ctx: &mut Ctx<Event>) {
        for (vm, host) in std::mem::take(&mut self.restarts.waiting) {
            let busy = self.restarts.starting.values().filter(|other| **other == host).count();
            if busy >= self.settings.batch {
                self.restarts.waiting.push_back((vm, host));
                continue;
            }
            self.restarts.starting.insert(vm.clone(), host.clone());
            let takes = ctx.draw_delay(POWER_ON, self.settings.power_on);
            ctx.after("infra.powerOn", takes, Event::PoweredOn(vm, host));
        }
    }

    /// The VM's new host has powered it on, unless it has died itself; then it is tried again later,
    /// but not for ever. Somebody may have deleted the VM, or have switched it off or on meanwhile.
    pub(super) fn power_on(&mut self, vm: Text, host: &Text, ctx: &mut Ctx<Event>) {
        if self.restarts.starting.remove(&vm).is_none() {
            return;
        }
        let Some(inventory) = ctx.inventory() else { return };
        let is_lost = inventory.lost_vms().any(|other| *other == vm);
        let is_up = inventory.hosts().any(|(other, is_up)| other == host && is_up);
        if is_lost && is_up {
            self.restarts.failures.remove(&vm);
            ctx.log(format!("Virtual machine {vm} was restarted on {host}"));
            let boot = ctx.draw_delay(BOOT, self.settings.boot);
            ctx.datacenter(VmAction::RestartOn { vm, host: host.clone(), boot });
        } else if is_lost {
            let failures = self.restarts.failures.entry(vm.clone()).or_insert(0);
            *failures += 1;
            let pause = self.settings.pause_after(*failures);
            self.restarts.pausing.insert(vm.clone());
            ctx.after("vsphere.haRestartPause", pause, Event::Again(vm));
        }
        self.begin_waiting(ctx);
    }
}

impl super::Settings {
    /// The pause after so many failures.
    fn pause_after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        (self.pause * (1 << doublings)).min(self.pause_limit)
    }
}
