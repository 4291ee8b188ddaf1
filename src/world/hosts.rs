//! Hosts: what follows when one loses or gets power, and who hears of it.
//!
//! A host's heartbeats are not played one by one: those who listen are told when they stop and when
//! they are there again, and count their own time-outs from there.

use super::blueprint::Blueprint;
use super::build::add_process;
use super::core::{Core, NOW, What, purpose};
use super::process::Process;
use crate::components::fault_domain_manager::{FaultDomainManager, state_at_first};
use crate::engine::{Owner, Purpose, Text};
use crate::infra::{HostId, HostNews, Power, ProcessId, Restart, Unit, Vm, VmId};
use crate::timeline::{Cause, EntryId, Value};

/// The program of vSphere HA's agent.
const AGENT: &str = "fdm";

impl Core {
    /// Puts the hosts there, and keeps room on them for the VMs that are placed already.
    pub(super) fn add_hosts(&mut self, blueprint: &Blueprint) {
        self.datacenter.hosts.boot = blueprint.hosts.boot;
        for number in 0..blueprint.hosts.count {
            self.datacenter.add_host(Text::from(host_name(number)));
        }
        for (vm, host) in &blueprint.hosts.pinned {
            self.datacenter.pin(vm.clone(), HostId(*host));
        }
    }

    /// From now on VMs go where there is most room. Each host gets its agent of vSphere HA, as a unit
    /// that starts when the host has booted.
    ///
    /// Simplified: nobody starts an agent again that ends alone, and nothing ends one.
    pub(super) fn add_agents(&mut self, blueprint: &Blueprint, components: &mut Vec<Process>) {
        self.datacenter.forget_pins();
        let Some(settings) = &blueprint.hosts.availability else { return };
        let machines: Vec<VmId> =
            self.datacenter.all_hosts().map(|(_, host)| host.machine).collect();
        for machine in machines {
            let agent = FaultDomainManager::new(settings.clone());
            let process = add_process(self, components, machine, AGENT, None, agent.into());
            let unit = Unit { process, restart: Restart::Never, wanted: true };
            self.datacenter.vm_mut(machine).units.insert(Text::word(AGENT), unit);
        }
    }

    /// The hosts, and which VMs are where.
    pub(super) fn record_hosts(&mut self, components: &[Process]) {
        let is_agent = |component: &Process| matches!(component, Process::FaultDomainManager(_));
        let has_agents = components.iter().any(is_agent);
        let hosts: Vec<Text> =
            self.datacenter.all_hosts().map(|(_, host)| host.name.clone()).collect();
        for name in &hosts {
            let mut told = |field, is| {
                let is = Value::Text(Text::word(is));
                self.recorder.initial(&Text::EMPTY, "Host", name, field, is);
            };
            told("power", "on");
            told("connectionState", "connected");
            if has_agents {
                told("dasHostState", state_at_first(name, hosts.iter()));
            }
        }
        let placed = |(_, vm): (_, &Vm)| {
            Some((vm.name.clone(), self.datacenter.host_of(vm.host?).name.clone()))
        };
        let placed: Vec<(Text, Text)> = self.datacenter.existing_vms().filter_map(placed).collect();
        for (vm, host) in placed {
            self.recorder.initial(&Text::EMPTY, "VM", &vm, "host", Value::Text(host));
        }
    }

    /// Cuts a host's power: what runs on it goes with it, its VMs too, and no one is told.
    pub(super) fn power_off_host(&mut self, host: HostId, cause: &mut Cause) {
        self.wake_resting();
        let machine = self.datacenter.host_of(host).machine;
        let mut then = Vec::new();
        self.datacenter.power_off(machine, self.now, &mut then);
        self.follow(then, cause);
        for vm in self.datacenter.vms_on(host) {
            let (mut then, mut cause) = (Vec::new(), *cause);
            self.datacenter.power_off(vm, self.now, &mut then);
            self.follow(then, &mut cause);
        }
    }

    /// Powers a host on; what runs on it starts when it has booted, and its VMs wait for somebody.
    pub(super) fn power_on_host(&mut self, host: HostId, source: ProcessId, cause: &mut Cause) {
        let machine = self.datacenter.host_of(host).machine;
        let owner = Owner::named("hosts").part(u64::from(host.0));
        let starts = u64::from(self.datacenter.vm(machine).starts);
        let draw = self.random.draw(owner, Purpose(0), starts);
        self.datacenter.vm_mut(machine).boot = self.datacenter.hosts.boot.pick(draw);
        self.power_on(machine, source, cause);
    }

    /// A host has got or lost its power; when that is seen is another question.
    pub(super) fn host_powered(&mut self, host: HostId, power: Power, cause: Cause) -> EntryId {
        let name = self.datacenter.host_of(host).name.clone();
        let words = |is: &'static str| Value::Text(Text::word(is));
        let change = match power {
            Power::On => (words("off"), words("on")),
            Power::Off | Power::Gone => (words("on"), words("off")),
        };
        let entry = self.recorder.thing(self.now, ("Host", &name), "power", change, cause.entry);
        if power != Power::On {
            self.tell_hosts(host, &HostNews::Silent(name), cause.of(entry));
        }
        entry
    }

    /// A process of a host tells the others.
    pub(super) fn tell_other_hosts(&mut self, by: ProcessId, news: &HostNews, cause: Cause) {
        let machine = self.datacenter.processes.get(by).vm;
        if let Some(host) = self.datacenter.host_on(machine) {
            self.tell_hosts(host, news, cause);
        }
    }

    /// Tells all who listen on the hosts' own network, but those on this host: the management, and
    /// what runs on other hosts.
    pub(super) fn tell_hosts(&mut self, from: HostId, news: &HostNews, cause: Cause) {
        let silent = self.datacenter.host_of(from).machine;
        let machines: Vec<VmId> =
            self.datacenter.all_hosts().map(|(_, host)| host.machine).collect();
        let listens = |vm: VmId| vm != silent && machines.contains(&vm);
        let all = self.datacenter.processes.iter().filter(|(_, process)| process.alive);
        let agents = all.filter(|(_, process)| listens(process.vm)).map(|(id, _)| id);
        let listeners: Vec<ProcessId> = self.management.into_iter().chain(agents).collect();
        for listener in listeners {
            let what = What::Host(news.clone());
            self.push_to(self.now, listener, listener, purpose::HOST, (cause, NOW), what);
        }
    }

    /// Registers a VM with another host, unless that has died meanwhile, and powers it on.
    pub(super) fn restart_on(
        &mut self,
        by: ProcessId,
        (vm, host): (&str, &str),
        cause: &mut Cause,
    ) {
        let named = (self.datacenter.vm_named(vm), self.datacenter.host_named(host));
        let (Some(vm), Some(host)) = named else { return };
        if !self.datacenter.is_up(host) {
            return;
        }
        let before = self.datacenter.vm_mut(vm).host.replace(host);
        // It may stay where it was, on a host that has come back meanwhile.
        if before != Some(host) {
            cause.entry = Some(self.record_placement(vm, before, by, *cause));
        }
        self.power_on(vm, by, cause);
    }

    /// A VM has got a place on a host.
    pub(super) fn record_placement(
        &mut self,
        vm: VmId,
        before: Option<HostId>,
        by: ProcessId,
        cause: Cause,
    ) -> EntryId {
        let words = |host: Option<HostId>| match host {
            Some(host) => Value::Text(self.datacenter.host_of(host).name.clone()),
            None => Value::Null,
        };
        let vm = self.datacenter.vm(vm);
        let change = (words(before), words(vm.host));
        let by = &self.datacenter.processes.get(by).name;
        self.recorder.vm(self.now, &vm.name, "host", change, by, cause.entry)
    }

    /// A machine of the datacenter's own has booted: a host's heartbeats are there again.
    pub(super) fn host_booted(&mut self, host: HostId, cause: Cause) {
        let name = self.datacenter.host_of(host).name.clone();
        self.tell_hosts(host, &HostNews::Heard(name), cause);
    }
}

/// What the host of a number is called.
pub fn host_name(number: u32) -> String {
    format!("esxi-{number}")
}
