//! VMs come, go, and get and lose power; and who is told.

use super::core::{Core, NOW, What, purpose};
use crate::engine::{Rule, Text};
use crate::infra::{Happening, Power, ProcessId, Vm, VmAction, VmId};
use crate::timeline::{Cause, Value};

/// How long a machine takes from getting power until its units start.
const BOOT: Rule = "infra.boot";

impl Core {
    /// The datacenter's management acts.
    pub(super) fn act(&mut self, id: ProcessId, action: VmAction, cause: &mut Cause) {
        match action {
            VmAction::CreateAndPowerOn { vm, host, uuid, user_data, boot } => {
                let mut new = Vm::new(vm);
                new.host = host.and_then(|host| self.datacenter.host_named(&host));
                new.uuid = uuid;
                new.disk.write("/var/lib/cloud/instance/user-data.txt", user_data);
                new.boot = boot;
                let vm = self.datacenter.add_vm(new);
                let host = self.datacenter.vm(vm).name.clone();
                let manager = self.datacenter.processes.get(id).name.clone();
                let exists = (Value::Null, Value::Bool(true));
                let entry =
                    self.recorder.vm(self.now, &host, "exists", exists, &manager, cause.entry);
                cause.entry = Some(entry);
                if self.datacenter.vm(vm).host.is_some() {
                    self.record_placement(vm, None, id, *cause);
                }
                self.unfurnished.push(vm);
                self.power_on(vm, id, cause);
            }
            VmAction::PowerOn { vm, boot } => {
                if let Some(vm) = self.datacenter.vm_named(&vm) {
                    self.datacenter.vm_mut(vm).boot = boot;
                    self.power_on(vm, id, cause);
                }
            }
            VmAction::BeginDestroy { vm } => {
                if let Some(vm) = self.datacenter.vm_named(&vm) {
                    self.datacenter.vm_mut(vm).is_locked = true;
                    self.power_off(vm, cause);
                }
            }
            VmAction::Destroy { vm } => {
                if let Some(vm) = self.datacenter.vm_named(&vm) {
                    self.destroy(vm, cause);
                }
            }
            VmAction::EndDestroy { vm } => {
                if let Some(vm) = self.datacenter.vm_named(&vm) {
                    self.datacenter.vm_mut(vm).is_locked = false;
                }
            }
            VmAction::RestartOn { vm, host, boot } => {
                if let Some(vm) = self.datacenter.vm_named(&vm) {
                    self.datacenter.vm_mut(vm).boot = boot;
                }
                self.restart_on(id, (&vm, &host), cause);
            }
        }
    }

    /// Switches a VM on, unless it is being deleted or its host is down; its units start when it has
    /// booted.
    pub(super) fn power_on(&mut self, vm: VmId, source: ProcessId, cause: &mut Cause) {
        let it = self.datacenter.vm(vm);
        if it.is_on() || it.is_locked || !self.datacenter.is_reachable(vm) {
            return;
        }
        let state = self.datacenter.vm_mut(vm);
        state.power = Power::On;
        state.switched_on = true;
        state.starts += 1;
        let (at, starts) = (self.now + state.boot, state.starts);
        self.follow(vec![Happening::PowerChanged(vm, Power::On)], cause);
        self.push_host(at, source, (*cause, BOOT), What::Booted(vm, starts));
    }

    /// Cuts a VM's power.
    pub(super) fn power_off(&mut self, vm: VmId, cause: &mut Cause) {
        self.wake_resting();
        let mut then = Vec::new();
        if self.datacenter.is_reachable(vm) {
            self.datacenter.vm_mut(vm).switched_on = false;
        }
        self.datacenter.power_off(vm, self.now, &mut then);
        self.follow(then, cause);
    }

    /// Deletes a VM with its disk.
    pub(super) fn destroy(&mut self, vm: VmId, cause: &mut Cause) {
        self.wake_resting();
        let mut then = Vec::new();
        self.datacenter.destroy(vm, self.now, &mut then);
        self.follow(then, cause);
    }

    pub(super) fn power_changed(&mut self, vm: VmId, power: Power, cause: &mut Cause) {
        if let Some(host) = self.datacenter.host_on(vm) {
            cause.entry = Some(self.host_powered(host, power, *cause));
            return;
        }
        let (field, change) = match power {
            Power::On => ("power", (Value::Text(Text::word("off")), Value::Text(Text::word("on")))),
            Power::Off => {
                ("power", (Value::Text(Text::word("on")), Value::Text(Text::word("off"))))
            }
            Power::Gone => ("exists", (Value::Bool(true), Value::Null)),
        };
        let name = self.datacenter.vm(vm).name.clone();
        let entry = self.recorder.vm(self.now, &name, field, change, &Text::EMPTY, cause.entry);
        cause.entry = Some(entry);
        // A host that is down tells nobody what became of its VMs.
        if self.datacenter.is_reachable(vm) {
            self.tell_management(name, *cause);
        }
    }

    /// The datacenter's management sees what becomes of its VMs, whoever did it.
    pub(super) fn tell_management(&mut self, vm: Text, cause: Cause) {
        if let Some(management) = self.management {
            let what = What::VmChanged(vm);
            self.push_to(self.now, management, management, purpose::HOST, (cause, NOW), what);
        }
    }
}
