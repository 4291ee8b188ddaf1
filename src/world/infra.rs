//! What a fault can reach: VMs, disks, units, links and processes. No Kubernetes object.

use super::core::{Core, NOBODY, NOW, What, World, purpose};
use super::process::Event;
use crate::components::{etcdctl, kubectl};
use crate::engine::{Duration, Skew, Text};
use crate::infra::{DiskHealth, Loss, Place, ProcessId, VmId, Way};
use crate::timeline::{Cause, FAULT, StepId};

/// The datacenter in the hands of a fault.
pub struct Infra<'a> {
    core: &'a mut Core,
    cause: Cause,
}

impl World {
    /// Injects a fault of this kind on a target; `act` breaks things.
    pub fn inject(&mut self, kind: &'static str, target: String, act: impl FnOnce(&mut Infra)) {
        self.inject_in_words(kind, target, Text::EMPTY, act);
    }

    /// Injects what a person did, with the words that the person typed.
    pub fn inject_in_words(
        &mut self,
        kind: &'static str,
        target: String,
        words: Text,
        act: impl FnOnce(&mut Infra),
    ) {
        self.wake_resting();
        let entry = self.core.recorder.fault(self.core.now, kind, target, words);
        let injector = ProcessId(NOBODY);
        self.core.step = StepId::default();
        let now = self.core.now;
        let cause = self.core.step_on(Cause::NONE.of(entry), now, FAULT, injector);
        self.core.step = cause.step;
        self.core.note_entries(cause.step);
        act(&mut Infra { core: &mut self.core, cause });
        self.core.note_entries(cause.step);
        for vm in (0..).map(VmId).take(self.core.datacenter.vms.len()) {
            self.core.tell_of_files(vm, cause);
        }
    }
}

impl Infra<'_> {
    /// The VM of a name; with `*` in it, the first that fits.
    pub fn vm(&self, name: &str) -> Option<VmId> {
        self.core.datacenter.vm_like(name)
    }

    /// The process of a program on a VM.
    pub fn process(&self, program: &str, vm: &str) -> Option<ProcessId> {
        let vm = self.vm(vm)?;
        let mut all = self.core.datacenter.processes.iter();
        all.find(|(_, p)| p.vm == vm && p.program == *program).map(|(id, _)| id)
    }

    /// Cuts a VM's power, as in vCenter.
    pub fn power_off(&mut self, vm: VmId) {
        self.core.power_off(vm, &mut self.cause);
    }

    /// Powers a VM on, as in vCenter; it takes as long to boot as it last did.
    pub fn power_on(&mut self, vm: VmId) {
        let management = self.core.management.expect("every datacenter has its management");
        self.core.power_on(vm, management, &mut self.cause);
    }

    /// Cuts a host's power.
    pub fn power_off_host(&mut self, host: &str) {
        if let Some(host) = self.core.datacenter.host_named(host) {
            self.core.power_off_host(host, &mut self.cause);
        }
    }

    /// Powers a host on; it boots for as long as hosts do.
    pub fn power_on_host(&mut self, host: &str) {
        let management = self.core.management.expect("every datacenter has its management");
        if let Some(host) = self.core.datacenter.host_named(host) {
            self.core.power_on_host(host, management, &mut self.cause);
        }
    }

    /// Deletes a VM with its disk, as in vCenter.
    pub fn delete(&mut self, vm: VmId) {
        self.core.destroy(vm, &mut self.cause);
    }

    /// Writes a file, as a person with an editor does.
    pub fn write_file(&mut self, vm: VmId, path: &str, content: &str) {
        self.core.datacenter.vm_mut(vm).disk.write(path, content);
    }

    /// `rm`.
    pub fn remove_file(&mut self, vm: VmId, path: &str) {
        self.core.datacenter.vm_mut(vm).disk.take_away(path);
    }

    /// Puts a file back that `remove_file` took.
    pub fn restore_file(&mut self, vm: VmId, path: &str) {
        self.core.datacenter.vm_mut(vm).disk.restore(path);
    }

    /// Makes a VM's disk slow, stalled or well.
    pub fn set_disk(&mut self, vm: VmId, health: DiskHealth) {
        self.core.set_disk(vm, health);
    }

    /// Sets a VM's wall clock, at once.
    pub fn skew_clock(&mut self, vm: VmId, skew: Skew) {
        self.core.datacenter.vm_mut(vm).skew = skew;
    }

    /// Fills a VM's disk, or makes room on it.
    pub fn fill_disk(&mut self, vm: VmId, is_full: bool) {
        self.core.fill_disk(vm, is_full, self.cause);
    }

    /// Cuts a way: its packets are lost from now on.
    pub fn cut(&mut self, way: Way) {
        self.core.cut(way);
    }

    /// Cuts a zone off from all others, or has it back.
    pub fn cut_zone(&mut self, zone: &Text, is_cut: bool) {
        self.core.cut_zone(zone, is_cut);
    }

    /// The names of the hosts in a zone, and the VMs there that have no host.
    pub fn in_zone(&self, zone: &str) -> (Vec<Text>, Vec<VmId>) {
        let datacenter = &self.core.datacenter;
        let here = |place: &Option<Place>| place.as_ref().is_some_and(|at| at.zone == *zone);
        let hosts = datacenter.all_hosts().filter(|(_, host)| here(&host.place));
        let vms = datacenter.existing_vms();
        let vms = vms.filter(|(_, vm)| here(&vm.place) && vm.host.is_none());
        (hosts.map(|(_, host)| host.name.clone()).collect(), vms.map(|(id, _)| id).collect())
    }

    /// Has packets on a way take so much longer from now on.
    pub fn slow(&mut self, way: Way, delay: Duration) {
        self.core.slow(way, delay);
    }

    /// Has a share of the packets on a way get lost from now on.
    pub fn lose(&mut self, way: Way, loss: Loss) {
        self.core.lose(way, loss);
    }

    /// Takes back what was done to a way in the same words.
    pub fn heal(&mut self, way: Way) {
        self.core.heal(way);
    }

    /// `systemctl start`.
    pub fn start_unit(&mut self, vm: VmId, unit: &str) {
        self.core.start_unit(vm, unit, self.cause);
    }

    /// `systemctl stop`: the unit's process ends and is not started again.
    pub fn stop_unit(&mut self, vm: VmId, unit: &str) {
        self.core.stop_unit(vm, unit, self.cause);
    }

    /// Types a command on the laptop. What comes of it is between kubectl and an API server.
    pub fn type_command(&mut self, command: kubectl::Command) {
        self.on_laptop("kubectl", Event::Kubectl(kubectl::Event::Typed(Box::new(command))));
    }

    /// Types a command for a member of etcd on the laptop.
    pub fn type_etcdctl(&mut self, command: etcdctl::Command) {
        self.on_laptop("etcdctl", Event::Etcdctl(etcdctl::Event::Typed(Box::new(command))));
    }

    fn on_laptop(&mut self, program: &str, event: Event) {
        let laptop = {
            let mut all = self.core.datacenter.processes.iter();
            let found = all.find(|(_, process)| process.program == *program);
            found.expect("every world has a laptop").0
        };
        let now = self.core.now;
        let led = (self.cause, NOW);
        self.core.push_to(now, laptop, laptop, purpose::TIMER, led, What::Due(event));
    }

    /// `kill -STOP`.
    pub fn freeze(&mut self, process: ProcessId) {
        self.core.freeze(process, self.cause);
    }

    /// `kill -CONT`.
    pub fn thaw(&mut self, process: ProcessId) {
        self.core.thaw(process, self.cause);
    }

    /// `kill`: SIGTERM.
    pub fn terminate(&mut self, process: ProcessId) {
        self.core.terminate_process(process, self.cause);
    }

    /// `kill -9`; systemd starts its own units again.
    pub fn kill(&mut self, process: ProcessId) {
        self.core.end_process(process, self.cause);
    }
}
