//! The datacenter's management (vCenter): looks VMs up, clones, powers and destroys them, each as a
//! task that takes its time, and tells its subscribers of their changes.
//!
//! What exists it reads from the datacenter itself, so it sees what anybody does there; that a host is
//! gone it learns from its silence. It knows nothing of what runs in a VM. Simplified: where a new VM
//! goes is decided when its clone is done.

#[cfg(test)]
mod tests;

use crate::engine::{Delay, Duration, Generation, Owner, Purpose, Text, Timer};
use crate::infra::{
    ConnectionId, Ctx, HostChange, HostNews, Input, Inventory, Trace, VmAction, bios_uuid,
};
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
    pub hosts: HostWatch,
}

/// How the management hears of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostWatch {
    /// Between two heartbeats of a host.
    pub heartbeat: Duration,
    /// A host that was not heard of for so long does not respond.
    pub limit: Duration,
    /// From a host's first heartbeat until it is connected again.
    pub reconnect: Delay,
}

/// What the management reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task of this number has run its time.
    TaskDue(u32),
    /// A host of this name was not heard of for too long since then.
    HostOverdue(Text, Generation),
    /// A host of this name is connected again.
    HostBack(Text, Generation),
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
    /// What was last heard of each host that was ever silent.
    heard: BTreeMap<Text, Timer>,
    not_responding: BTreeSet<Text>,
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
const HEARTBEAT: Purpose = Purpose(306);
const RECONNECT: Purpose = Purpose(307);

impl Hypervisor {
    /// A management without tasks.
    pub fn new(settings: Settings) -> Hypervisor {
        Hypervisor {
            settings,
            asked: BTreeMap::new(),
            tasks: BTreeMap::new(),
            next_task: 0,
            subscribers: BTreeSet::new(),
            heard: BTreeMap::new(),
            not_responding: BTreeSet::new(),
        }
    }

    /// True unless a host of this name has not been heard of for too long.
    pub fn hears(&self, host: &str) -> bool {
        !self.not_responding.contains(host)
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Message(client, Message::Datacenter(number, request)) => {
                self.begin(Task { client, number, request: *request }, ctx);
            }
            Input::Due(Event::TaskDue(task)) => self.finish(task, ctx),
            Input::VmChanged(vm) => self.tell(&vm, ctx),
            Input::Host(news) => self.host_told(news, ctx),
            Input::Due(Event::HostOverdue(host, due)) => self.host_overdue(&host, due, ctx),
            Input::Due(Event::HostBack(host, due)) => self.host_back(&host, due, ctx),
            Input::Broken(client, _) => {
                self.subscribers.remove(&client);
            }
            _ => {}
        }
    }

    fn begin(&mut self, task: Task, ctx: &mut Ctx<Event>) {
        let Settings { find, clone_and_power_on, power_on, delete, .. } = self.settings;
        let (rule, time) = match &task.request {
            DatacenterRequest::Subscribe => {
                self.subscribers.insert(task.client);
                return answer(&task, TaskEnd::Done, ctx);
            }
            DatacenterRequest::Find { vm } => ("infra.findVm", self.draw(FIND, find, vm, ctx)),
            DatacenterRequest::Clone { vm, .. } => {
                if self.facts(vm, ctx).is_some() || self.is_cloning(vm) {
                    return answer(&task, TaskEnd::DuplicateName, ctx);
                }
                ("infra.cloneAndPowerOn", self.draw(CLONE, clone_and_power_on, vm, ctx))
            }
            DatacenterRequest::PowerOn { vm } => match self.facts(vm, ctx) {
                None => return answer(&task, TaskEnd::NotFound, ctx),
                Some(facts) if !facts.is_connected => {
                    return answer(&task, TaskEnd::HostNotConnected, ctx);
                }
                Some(facts) if facts.is_on => return answer(&task, TaskEnd::Done, ctx),
                Some(_) if self.is_destroying(vm) => {
                    return answer(&task, TaskEnd::TaskInProgress, ctx);
                }
                Some(_) => ("infra.powerOn", self.draw(POWER_ON, power_on, vm, ctx)),
            },
            DatacenterRequest::Destroy { vm } => {
                match self.facts(vm, ctx) {
                    None => return answer(&task, TaskEnd::Done, ctx),
                    Some(facts) if !facts.is_connected => {
                        return answer(&task, TaskEnd::HostNotConnected, ctx);
                    }
                    Some(_) => {}
                }
                // A host that has died is asked in vain, which nobody notices before the end.
                if is_answered(vm, ctx) {
                    ctx.datacenter(VmAction::BeginDestroy { vm: vm.clone() });
                }
                ("infra.deleteVm", self.draw(DELETE, delete, vm, ctx))
            }
        };
        self.next_task = self.next_task.wrapping_add(1);
        self.tasks.insert(self.next_task, task);
        ctx.after(rule, time, Event::TaskDue(self.next_task));
    }

    /// The VM may have come or gone while the task ran.
    fn finish(&mut self, number: u32, ctx: &mut Ctx<Event>) {
        let Some(task) = self.tasks.remove(&number) else { return };
        let boot = self.settings.boot;
        let end = match &task.request {
            DatacenterRequest::Find { vm } => {
                self.facts(vm, ctx).map_or(TaskEnd::NotFound, TaskEnd::Found)
            }
            DatacenterRequest::Clone { vm, uuid, user_data } => match self.host_for(vm, ctx) {
                Ok(host) => {
                    let uuid = uuid.clone().unwrap_or_else(|| self.new_uuid(vm, ctx));
                    let boot = self.draw(BOOT, boot, vm, ctx);
                    let (vm, user_data) = (vm.clone(), user_data.clone());
                    ctx.datacenter(VmAction::CreateAndPowerOn { vm, host, uuid, user_data, boot });
                    TaskEnd::Done
                }
                Err(end) => end,
            },
            DatacenterRequest::PowerOn { vm } if self.facts(vm, ctx).is_none() => TaskEnd::NotFound,
            DatacenterRequest::PowerOn { vm } if self.is_destroying(vm) => TaskEnd::TaskInProgress,
            DatacenterRequest::PowerOn { vm } if !is_answered(vm, ctx) => TaskEnd::HostNotConnected,
            DatacenterRequest::PowerOn { vm } => {
                let boot = self.draw(BOOT, boot, vm, ctx);
                ctx.datacenter(VmAction::PowerOn { vm: vm.clone(), boot });
                TaskEnd::Done
            }
            DatacenterRequest::Destroy { vm } if !is_answered(vm, ctx) => {
                ctx.datacenter(VmAction::EndDestroy { vm: vm.clone() });
                TaskEnd::HostNotConnected
            }
            DatacenterRequest::Destroy { vm } => {
                ctx.datacenter(VmAction::Destroy { vm: vm.clone() });
                TaskEnd::Done
            }
            DatacenterRequest::Subscribe => TaskEnd::Done,
        };
        answer(&task, end, ctx);
    }

    /// The VM of this name, as the management knows it: that a host is gone it learns late.
    fn facts(&self, vm: &Text, ctx: &Ctx<Event>) -> Option<VmFacts> {
        let inventory = ctx.inventory()?;
        let facts = inventory.find(vm)?;
        let host = inventory.host_of(vm);
        let is_connected = host.is_none_or(|host| !self.not_responding.contains(host));
        Some(VmFacts { is_connected, ..facts })
    }

    /// Where a new VM goes; nowhere in particular if no hosts are known. A host that has died and is
    /// believed connected still is asked in vain.
    fn host_for(&self, vm: &Text, ctx: &Ctx<Event>) -> Result<Option<Text>, TaskEnd> {
        let Some(inventory) = ctx.inventory().filter(Inventory::has_hosts) else { return Ok(None) };
        let host = inventory.host_for(vm, &[], |host| self.hears(host));
        let host = host.ok_or(TaskEnd::NoCompatibleHost)?;
        match inventory.hosts().any(|(other, is_up)| *other == host && is_up) {
            true => Ok(Some(host)),
            false => Err(TaskEnd::HostNotConnected),
        }
    }

    /// Tells those who want to hear of VMs.
    fn tell(&self, vm: &Text, ctx: &mut Ctx<Event>) {
        for subscriber in &self.subscribers {
            ctx.send(*subscriber, Message::VmChanged(vm.clone()));
        }
    }

    /// The next heartbeat would have come within the period; the last one counts.
    fn host_told(&mut self, news: HostNews, ctx: &mut Ctx<Event>) {
        let HostWatch { heartbeat, limit, reconnect } = self.settings.hosts;
        match news {
            HostNews::Silent(host) => {
                let due = self.heard.entry(host.clone()).or_default().restart();
                let since = Delay { low: Duration::ZERO, high: heartbeat };
                let since = self.draw(HEARTBEAT, since, &host, ctx);
                let left = limit.saturating_sub(since);
                ctx.after("vsphere.hostNotResponding", left, Event::HostOverdue(host, due));
            }
            HostNews::Heard(host) => {
                let due = self.heard.entry(host.clone()).or_default().restart();
                let pause = self.draw(RECONNECT, reconnect, &host, ctx);
                ctx.after("vsphere.hostReconnect", pause, Event::HostBack(host, due));
            }
            // What the agents settle among themselves.
            HostNews::Leads(_) => {}
        }
    }

    fn host_overdue(&mut self, host: &Text, due: Generation, ctx: &mut Ctx<Event>) {
        let is_current = self.heard.get(host).is_some_and(|timer| timer.is_current(due));
        if is_current && self.not_responding.insert(host.clone()) {
            self.connection_changed(host, true, ctx);
        }
    }

    fn host_back(&mut self, host: &Text, due: Generation, ctx: &mut Ctx<Event>) {
        let is_current = self.heard.get(host).is_some_and(|timer| timer.is_current(due));
        if is_current && self.not_responding.remove(host) {
            self.connection_changed(host, false, ctx);
        }
    }

    /// A host was lost or found, and with it the VMs that are placed there.
    fn connection_changed(&self, host: &Text, is_lost: bool, ctx: &mut Ctx<Event>) {
        let turned =
            |lost: &'static str| if is_lost { ("connected", lost) } else { (lost, "connected") };
        let told = |kind, name: &Text, (from, to)| {
            let (name, field) = (name.clone(), "connectionState");
            Trace::Host(Box::new(HostChange { kind, name, field, from, to }))
        };
        ctx.trace(told("Host", host, turned("notResponding")));
        let Some(inventory) = ctx.inventory() else { return };
        for vm in inventory.vms_on(host) {
            ctx.trace(told("VM", vm, turned("disconnected")));
            self.tell(vm, ctx);
        }
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

/// True unless the VM's host is down, whether or not that is known.
fn is_answered(vm: &Text, ctx: &Ctx<Event>) -> bool {
    ctx.inventory().and_then(|all| all.find(vm)).is_none_or(|facts| facts.is_connected)
}

fn answer(task: &Task, end: TaskEnd, ctx: &mut Ctx<Event>) {
    ctx.send(task.client, Message::DatacenterTask(task.number, end));
}
