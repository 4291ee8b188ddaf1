//! The datacenter's management (vCenter): clones, powers and destroys VMs, each as a task that
//! takes its time.
//!
//! It knows VMs by name and nothing of what runs in them.

#[cfg(test)]
mod tests;

use crate::engine::{Delay, Owner, Purpose, Text};
use crate::infra::{ConnectionId, Ctx, Input, VmAction};
use crate::wire::{DatacenterRequest, Message, TaskEnd};
use std::collections::{BTreeMap, BTreeSet};

/// How long tasks take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From the request until the new VM is powered on.
    pub clone_and_power_on: Delay,
    /// From power-on until the guest's units start.
    pub boot: Delay,
    /// From the request until the VM and its disk are gone; its power goes at once.
    pub delete: Delay,
}

/// What the management reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task of this number has run its time.
    TaskDue(u32),
}

/// The management.
#[derive(Clone, Debug)]
pub struct Hypervisor {
    settings: Settings,
    inventory: BTreeSet<Text>,
    /// How often a name was cloned: addresses the draws, so that one VM's don't move another's.
    clones: BTreeMap<Text, u64>,
    tasks: BTreeMap<u32, Task>,
    next_task: u32,
}

#[derive(Clone, Debug)]
struct Task {
    client: ConnectionId,
    number: u32,
    request: DatacenterRequest,
}

const CLONE: Purpose = Purpose(300);
const BOOT: Purpose = Purpose(301);
const DELETE: Purpose = Purpose(302);

impl Hypervisor {
    /// A management that knows these VMs.
    pub fn new(settings: Settings, inventory: BTreeSet<Text>) -> Hypervisor {
        let (clones, tasks) = Default::default();
        Hypervisor { settings, inventory, clones, tasks, next_task: 0 }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Message(client, Message::Datacenter(number, request)) => {
                self.begin(Task { client, number, request }, ctx);
            }
            Input::Due(Event::TaskDue(task)) => self.finish(task, ctx),
            _ => {}
        }
    }

    fn begin(&mut self, task: Task, ctx: &mut Ctx<Event>) {
        let time = match &task.request {
            DatacenterRequest::Clone { vm, .. } => {
                if !self.inventory.insert(vm.clone()) {
                    return answer(&task, TaskEnd::DuplicateName, ctx);
                }
                *self.clones.entry(vm.clone()).or_insert(0) += 1;
                self.draw(CLONE, self.settings.clone_and_power_on, vm, ctx)
            }
            DatacenterRequest::Destroy { vm } => {
                if !self.inventory.contains(vm) {
                    return answer(&task, TaskEnd::Done, ctx);
                }
                ctx.datacenter(VmAction::PowerOff { vm: vm.clone() });
                self.draw(DELETE, self.settings.delete, vm, ctx)
            }
        };
        self.next_task = self.next_task.wrapping_add(1);
        self.tasks.insert(self.next_task, task);
        ctx.after(time, Event::TaskDue(self.next_task));
    }

    fn finish(&mut self, task: u32, ctx: &mut Ctx<Event>) {
        let Some(task) = self.tasks.remove(&task) else { return };
        match &task.request {
            DatacenterRequest::Clone { vm, user_data } => {
                let boot = self.draw(BOOT, self.settings.boot, vm, ctx);
                let (vm, user_data) = (vm.clone(), user_data.clone());
                ctx.datacenter(VmAction::CreateAndPowerOn { vm, user_data, boot });
            }
            DatacenterRequest::Destroy { vm } => {
                self.inventory.remove(vm);
                ctx.datacenter(VmAction::Destroy { vm: vm.clone() });
            }
        }
        answer(&task, TaskEnd::Done, ctx);
    }

    fn draw(
        &self,
        purpose: Purpose,
        delay: Delay,
        vm: &Text,
        ctx: &Ctx<Event>,
    ) -> crate::engine::Duration {
        let count = self.clones.get(vm).copied().unwrap_or(0);
        ctx.draw_delay_for(purpose, delay, Owner::named(vm), count)
    }
}

fn answer(task: &Task, end: TaskEnd, ctx: &mut Ctx<Event>) {
    ctx.send(task.client, Message::DatacenterTask(task.number, end));
}
