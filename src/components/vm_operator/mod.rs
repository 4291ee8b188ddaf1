//! vmop-controller-manager: keeps VirtualMachine objects and the datacenter's VMs equal.
//!
//! It knows VirtualMachines and VMs by name, nothing of Machines or Nodes, and looks at a VM only
//! when something wakes it: an event of its VirtualMachine, a resync, or, where the datacenter's own
//! events are subscribed to (`async_signal`), a change of the VM. Follows
//! `vmware-tanzu/vm-operator`, controllers/virtualmachine and its vSphere provider.

mod prober;
#[cfg(test)]
mod prober_tests;
mod reconcile;
#[cfg(test)]
mod tests;

use crate::api::{Kind, ObjectKey, Selector};
use crate::client::{
    Alarm, Client, ClientSettings, Clients, Delta, Flight, News, Shell, ShellRules, ShellSettings,
    VcenterClient, Work,
};
use crate::engine::{
    Activity, Duration, Generation, Path, Phase, Purpose, Rhythm, SimTime, Text, below,
};
use crate::infra::{ActivityId, Address, ConnectionId, Ctx, Input, Start};
use crate::wire::{DatacenterRequest, Message, TaskEnd};
pub use prober::ProbeSettings;
use prober::{Prober, is_probers};
use reconcile::VirtualMachineController;

/// What its shell's waits are named after: it has a number of workers of its own.
pub const SHELL_RULES: &ShellRules = &ShellRules {
    workers: "vmOperator.maxConcurrentReconciles",
    ..*ShellRules::CONTROLLER_RUNTIME
};

/// How VM Operator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// Its number of workers is `MaxConcurrentReconciles`.
    pub shell: ShellSettings,
    pub resync: Duration,
    /// Each process draws its resync period once, so much around `resync`.
    pub resync_jitter_percent: u64,
    /// When one of the resyncs comes, if that is known of a process that has long been running.
    pub resync_at: Option<SimTime>,
    pub probe: ProbeSettings,
    pub rules: Rules,
}

/// The rules and pauses by which a VirtualMachine is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the datacenter's events wake it.
    pub async_signal: bool,
    /// Whether a creation blocks its worker until the VM is on.
    pub create_blocks: bool,
    /// How many VMs are made at once.
    pub max_creations: usize,
    /// Whether a VM that is made anew gets the UUID that the lost one had.
    pub recreate_keeps_uuid: bool,
    /// Whether a VM is left alone as long as vCenter has no connection to it.
    pub skips_disconnected: bool,
    /// Whether a reconcile that failed asks for a readiness probe too.
    pub probes_after_failure: bool,
    /// The next look while a VM is not created, or on without an address.
    pub requeue: Duration,
}

/// What VM Operator reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    Work(Work),
    /// Subscribes to the datacenter's events again.
    Subscribe,
    /// A VirtualMachine's next regular probe is due.
    Probe(ObjectKey, Generation),
    /// A probe has had its time.
    ProbeOver(ObjectKey, u32),
}

impl Settings {
    /// The shortest resync period that a process can draw.
    pub fn shortest_resync(&self) -> Duration {
        self.resync.scaled(100 - self.resync_jitter_percent.min(100), 100)
    }
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

impl From<Work> for Event {
    fn from(work: Work) -> Event {
        Event::Work(work)
    }
}

/// What a request to the datacenter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    /// A reconcile waits for it.
    Of(ObjectKey),
    /// A creation that blocks nobody.
    Creation(ObjectKey),
    Subscription,
}

/// VM Operator.
#[derive(Clone, Debug)]
pub struct VmOperator {
    settings: Settings,
    server: Address,
    datacenter: Address,
    clients: Clients<Flight>,
    vcenter: VcenterClient<Task>,
    vms: Shell<VirtualMachineController>,
    prober: Prober,
    /// True until its first list: to one that has long been running, that is no news.
    settled: bool,
}

const RESYNC: ActivityId = ActivityId(0);
const PERIOD: Purpose = Purpose(0);

impl VmOperator {
    /// A VM Operator with the management cluster's API server and the datacenter's management.
    pub fn new(settings: Settings, server: Address, datacenter: Address) -> VmOperator {
        VmOperator {
            clients: Clients {
                local: Client::new(0, server, settings.client),
                remote: None,
                remote_limit: None,
            },
            vcenter: VcenterClient::new(datacenter),
            vms: Shell::new(0, VirtualMachineController::new(settings.rules), settings.shell),
            prober: Prober::default(),
            settled: true,
            settings,
            server,
            datacenter,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        let client = &mut self.clients.local;
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Tick(_) => self.resync(ctx),
            Input::Due(Event::Work(work)) => self.vms.on_work(ctx, &work, &mut self.clients),
            Input::Due(Event::Client(alarm)) => client.on_alarm(ctx, alarm, &mut news),
            Input::Due(Event::Subscribe) => self.subscribe(ctx),
            Input::Due(Event::Probe(key, due)) => self.probe_due(&key, due, ctx),
            Input::Due(Event::ProbeOver(key, round)) => self.probe_over(&key, round, ctx),
            Input::Message(from, Message::Handshake) => {
                self.probe_heard(from, Ok(()), ctx);
            }
            Input::Message(from, Message::DatacenterTask(task, end)) => {
                if let Some((task, end)) = self.vcenter.ended(from, task, end) {
                    self.task_ended(task, Ok(end), ctx);
                }
            }
            Input::Message(_, Message::VmChanged(vm)) => self.vm_changed(&vm, ctx),
            Input::Message(from, message) => client.on_message(ctx, from, message, &mut news),
            Input::Broken(connection, _) if self.prober.is_under_way(connection) => {
                self.probe_heard(connection, Err("connect: connection refused"), ctx);
            }
            Input::Broken(connection, how) => {
                client.on_broken(ctx, connection, how, &mut news);
                self.broken(connection, ctx);
            }
            Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
        for item in news {
            self.on_news(item, ctx);
        }
        self.make_calls(ctx);
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = VmOperator::new(self.settings, self.server, self.datacenter);
        self.settled = start == Start::Fresh;
        self.clients.local.watch(ctx, Kind::VirtualMachine, Selector::All);
        self.subscribe(ctx);
        let period = self.period(ctx);
        let activity = Activity {
            rule: "vmOperator.resync",
            period,
            jitter_percent: 0,
            rhythm: Rhythm::Ticker,
            path: Path::Server,
        };
        let phase = match (start, self.settings.resync_at) {
            (Start::Fresh, _) => Phase::AfterPause,
            (Start::Steady, None) => Phase::Stationary,
            (Start::Steady, Some(at)) => Phase::In(at.since(ctx.now()).modulo(period)),
        };
        ctx.every(RESYNC, activity, phase);
    }

    /// As controller-runtime draws it: once, around what was asked for. If it is known when the next
    /// resync comes, the last one is taken to have come before the run began: else it could still
    /// be looking at one VM after the other when the first fault comes.
    fn period(&self, ctx: &mut Ctx<Event>) -> Duration {
        let Settings { resync, resync_jitter_percent: jitter, resync_at, .. } = self.settings;
        let shortest = self.settings.shortest_resync();
        let longest = shortest + resync.scaled(2 * jitter.min(100), 100);
        let away = resync_at.map_or(Duration::ZERO, |at| at.since(ctx.now()));
        let least = if away < longest { shortest.max(away) } else { shortest };
        least + below(longest - least, ctx.draw(PERIOD))
    }

    fn subscribe(&mut self, ctx: &mut Ctx<Event>) {
        if self.settings.rules.async_signal {
            self.vcenter.ask(ctx, DatacenterRequest::Subscribe, Task::Subscription);
        }
    }

    fn on_news(&mut self, news: News<Flight>, ctx: &mut Ctx<Event>) {
        match news {
            News::Changed(delta) => self.on_change(&delta, ctx),
            News::Synced(_) => self.settled = true,
            News::Answer(flight, _) if is_probers(&flight) => {}
            News::Answer(Flight { key, .. }, answered) => {
                self.vms.on_answer(ctx, &key, answered, &mut self.clients);
            }
        }
    }

    /// Every event counts, a change of the status too.
    fn on_change(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        self.follow_probe(delta.key(), delta.new.as_deref(), ctx);
        if self.settled {
            self.vms.enqueue(ctx, delta.key());
        }
    }

    /// The datacenter says that something became of a VM.
    fn vm_changed(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let all = self.clients.local.caches.list(Kind::VirtualMachine);
        let keys: Vec<ObjectKey> =
            all.filter(|vm| vm.name() == name).map(|vm| vm.key().clone()).collect();
        for key in keys {
            self.vms.enqueue(ctx, &key);
        }
    }

    fn resync(&mut self, ctx: &mut Ctx<Event>) {
        let all = self.clients.local.caches.list(Kind::VirtualMachine);
        let keys: Vec<ObjectKey> = all.map(|object| object.key().clone()).collect();
        for key in keys {
            self.vms.enqueue(ctx, &key);
        }
    }

    fn task_ended(&mut self, task: Task, end: Result<TaskEnd, Text>, ctx: &mut Ctx<Event>) {
        match task {
            Task::Of(key) => self.vms.on_task(ctx, &key, end, &mut self.clients),
            Task::Creation(key) => {
                self.vms.reconciler.creation_ended(&key);
                self.vms.enqueue(ctx, &key);
            }
            Task::Subscription => {}
        }
    }

    /// What was asked of the datacenter is looked for again; its events are subscribed to anew.
    fn broken(&mut self, connection: ConnectionId, ctx: &mut Ctx<Event>) {
        let Some(lost) = self.vcenter.lost(connection) else { return };
        for task in lost {
            self.task_ended(task, Err(Text::word("the datacenter's management is away")), ctx);
        }
        if self.settings.rules.async_signal {
            ctx.after("vmOperator.requeue", self.settings.rules.requeue, Event::Subscribe);
        }
    }

    /// Sends what reconciles want of the datacenter, and probes where one has ended.
    fn make_calls(&mut self, ctx: &mut Ctx<Event>) {
        for (key, request) in self.vms.take_calls() {
            self.vcenter.ask(ctx, request, Task::Of(key));
        }
        for (key, request) in self.vms.reconciler.take_creations() {
            self.vcenter.ask(ctx, request, Task::Creation(key));
        }
        for key in self.vms.reconciler.take_ended() {
            self.reconciled(&key, ctx);
        }
    }
}
