//! The datacenter's management (vCenter): looks VMs up, clones, powers and destroys them, each as a
//! task that takes its time, and tells its subscribers of their changes.
//!
//! What exists it reads from the datacenter itself, so it sees what anybody does there. It knows
//! nothing of what runs in a VM.

#[cfg(test)]
mod tests;

use crate::engine::{Delay, Duration, Owner, Purpose, Text};
use crate::infra::{ConnectionId, Ctx, Input, VmAction, bios_uuid};
use crate::wire::{DatacenterRequest, Message, TaskEnd, VmFacts};
use std::collections::{BTreeMap, BTreeSet};

/// How long tasks take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Until a VM is found, or found missing.
    pub find: Delay,
    /// From the request until the new VM is powered on.
    pub clone_and_power_on: Delay,
    /// From the request until an existing VM is on.
    pub power_on: Delay,
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
    /// How often each name was asked for each kind of task: addresses the draws, so that one VM's
    /// don't move another's.
    asked: BTreeMap<(Text, u16), u64>,
    tasks: BTreeMap<u32, Task>,
    next_task: u32,
    subscribers: BTreeSet<ConnectionId>,
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
const FIND: Purpose = Purpose(303);
const POWER_ON: Purpose = Purpose(304);
const UUID: Purpose = Purpose(305);

impl Hypervisor {
    /// A management without tasks.
    pub fn new(settings: Settings) -> Hypervisor {
        Hypervisor {
            settings,
            asked: BTreeMap::new(),
            tasks: BTreeMap::new(),
            next_task: 0,
            subscribers: BTreeSet::new(),
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Message(client, Message::Datacenter(number, request)) => {
                self.begin(Task { client, number, request: *request }, ctx);
            }
            Input::Due(Event::TaskDue(task)) => self.finish(task, ctx),
            Input::VmChanged(vm) => {
                for subscriber in &self.subscribers {
                    ctx.send(*subscriber, Message::VmChanged(vm.clone()));
                }
            }
            Input::Broken(client, _) => {
                self.subscribers.remove(&client);
            }
            _ => {}
        }
    }

    fn begin(&mut self, task: Task, ctx: &mut Ctx<Event>) {
        let Settings { find, clone_and_power_on, power_on, delete, .. } = self.settings;
        let time = match &task.request {
            DatacenterRequest::Subscribe => {
                self.subscribers.insert(task.client);
                return answer(&task, TaskEnd::Done, ctx);
            }
            DatacenterRequest::Find { vm } => self.draw(FIND, find, vm, ctx),
            DatacenterRequest::Clone { vm, .. } => {
                if facts(vm, ctx).is_some() || self.is_cloning(vm) {
                    return answer(&task, TaskEnd::DuplicateName, ctx);
                }
                self.draw(CLONE, clone_and_power_on, vm, ctx)
            }
            DatacenterRequest::PowerOn { vm } => match facts(vm, ctx) {
                None => return answer(&task, TaskEnd::NotFound, ctx),
                Some(facts) if facts.is_on => return answer(&task, TaskEnd::Done, ctx),
                Some(_) if self.is_destroying(vm) => {
                    return answer(&task, TaskEnd::TaskInProgress, ctx);
                }
                Some(_) => self.draw(POWER_ON, power_on, vm, ctx),
            },
            DatacenterRequest::Destroy { vm } => {
                if facts(vm, ctx).is_none() {
                    return answer(&task, TaskEnd::Done, ctx);
                }
                ctx.datacenter(VmAction::BeginDestroy { vm: vm.clone() });
                self.draw(DELETE, delete, vm, ctx)
            }
        };
        self.next_task = self.next_task.wrapping_add(1);
        self.tasks.insert(self.next_task, task);
        ctx.after(time, Event::TaskDue(self.next_task));
    }

    /// The VM may have come or gone while the task ran.
    fn finish(&mut self, number: u32, ctx: &mut Ctx<Event>) {
        let Some(task) = self.tasks.remove(&number) else { return };
        let boot = self.settings.boot;
        let end = match &task.request {
            DatacenterRequest::Find { vm } => {
                facts(vm, ctx).map_or(TaskEnd::NotFound, TaskEnd::Found)
            }
            DatacenterRequest::Clone { vm, uuid, user_data } => {
                let uuid = uuid.clone().unwrap_or_else(|| self.new_uuid(vm, ctx));
                let boot = self.draw(BOOT, boot, vm, ctx);
                let (vm, user_data) = (vm.clone(), user_data.clone());
                ctx.datacenter(VmAction::CreateAndPowerOn { vm, uuid, user_data, boot });
                TaskEnd::Done
            }
            DatacenterRequest::PowerOn { vm } if facts(vm, ctx).is_none() => TaskEnd::NotFound,
            DatacenterRequest::PowerOn { vm } if self.is_destroying(vm) => TaskEnd::TaskInProgress,
            DatacenterRequest::PowerOn { vm } => {
                let boot = self.draw(BOOT, boot, vm, ctx);
                ctx.datacenter(VmAction::PowerOn { vm: vm.clone(), boot });
                TaskEnd::Done
            }
            DatacenterRequest::Destroy { vm } => {
                ctx.datacenter(VmAction::Destroy { vm: vm.clone() });
                TaskEnd::Done
            }
            DatacenterRequest::Subscribe => TaskEnd::Done,
        };
        answer(&task, end, ctx);
    }

    fn is_cloning(&self, name: &Text) -> bool {
        self.tasks
            .values()
            .any(|task| matches!(&task.request, DatacenterRequest::Clone { vm, .. } if vm == name))
    }

    fn is_destroying(&self, name: &Text) -> bool {
        self.tasks
            .values()
            .any(|task| matches!(&task.request, DatacenterRequest::Destroy { vm } if vm == name))
    }

    fn new_uuid(&mut self, vm: &Text, ctx: &Ctx<Event>) -> Text {
        let count = self.count(UUID, vm);
        let half = |part| ctx.draw_for(UUID, Owner::named(vm).part(part), count);
        bios_uuid(half(0), half(1))
    }

    fn draw(&mut self, purpose: Purpose, delay: Delay, vm: &Text, ctx: &Ctx<Event>) -> Duration {
        let count = self.count(purpose, vm);
        ctx.draw_delay_for(purpose, delay, Owner::named(vm), count)
    }

    fn count(&mut self, purpose: Purpose, vm: &Text) -> u64 {
        let count = self.asked.entry((vm.clone(), purpose.0)).or_insert(0);
        *count += 1;
        *count
    }
}

/// The VM of this name, as the datacenter has it now.
fn facts(vm: &Text, ctx: &Ctx<Event>) -> Option<VmFacts> {
    ctx.inventory()?.find(vm)
}

fn answer(task: &Task, end: TaskEnd, ctx: &mut Ctx<Event>) {
    ctx.send(task.client, Message::DatacenterTask(task.number, end));
}
