//! capv-controller-manager on a Supervisor: makes a VirtualMachine of each VSphereMachine.
//!
//! It reads and writes objects of the management cluster and never speaks to the datacenter; that a
//! VM is off or gone it knows from its VirtualMachine's status, as stale as that may be. Follows
//! `kubernetes-sigs/cluster-api-provider-vsphere`, pkg/services/vmoperator.

mod reconcile;
#[cfg(test)]
mod tests;

use crate::api::{Kind, ObjectKey, Selector};
pub use crate::client::ManagerEvent as Event;
use crate::client::{
    Client, ClientSettings, Clients, Delta, Flight, News, Shell, ShellRules, ShellSettings,
};
use crate::engine::{Activity, Duration, Path, Phase, Purpose, Rhythm, below};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use reconcile::VSphereMachineController;

/// What its shell's waits are named after: it has a number of workers of its own.
pub const SHELL_RULES: &ShellRules =
    &ShellRules { workers: "capv.workers", ..*ShellRules::CONTROLLER_RUNTIME };

/// How the provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    pub shell: ShellSettings,
    /// The next look while a VirtualMachine is not ready yet, or goes.
    pub requeue: Duration,
    pub resync: Duration,
    /// Each process draws its resync period once, so much around `resync`.
    pub resync_jitter_percent: u64,
    /// Where a control-plane VM's readiness is probed, where the network lets VM Operator do so.
    pub readiness_port: Option<u16>,
}

/// The provider.
#[derive(Clone, Debug)]
pub struct VSphereProvider {
    settings: Settings,
    server: Address,
    clients: Clients<Flight>,
    machines: Shell<VSphereMachineController>,
}

const RESYNC: ActivityId = ActivityId(0);
const PERIOD: Purpose = Purpose(0);

impl VSphereProvider {
    /// A provider with the management cluster's API server.
    pub fn new(settings: Settings, server: Address) -> VSphereProvider {
        let controller = VSphereMachineController::new(settings.requeue, settings.readiness_port);
        VSphereProvider {
            clients: Clients {
                local: Client::new(0, server, settings.client),
                remote: None,
                remote_limit: None,
            },
            machines: Shell::new(0, controller, settings.shell),
            settings,
            server,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        let client = &mut self.clients.local;
        match input {
            Input::Started(start) => return self.start(start, ctx),
            Input::Tick(_) => return self.resync(ctx),
            Input::Due(Event::Work(work)) => {
                return self.machines.on_work(ctx, &work, &mut self.clients);
            }
            Input::Message(from, message) => client.on_message(ctx, from, message, &mut news),
            Input::Broken(connection, how) => client.on_broken(ctx, connection, how, &mut news),
            Input::Due(Event::Client(alarm)) => client.on_alarm(ctx, alarm, &mut news),
            Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
        for item in news {
            match item {
                News::Changed(delta) => self.on_change(&delta, ctx),
                News::Answer(Flight { key, .. }, answered) => {
                    self.machines.on_answer(ctx, &key, answered, &mut self.clients);
                }
                News::Synced(_) => {}
            }
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = VSphereProvider::new(self.settings, self.server);
        for kind in [Kind::VSphereMachine, Kind::Machine, Kind::VirtualMachine] {
            self.clients.local.watch(ctx, kind, Selector::All);
        }
        let Settings { resync, resync_jitter_percent: jitter, .. } = self.settings;
        let activity = Activity {
            rule: "capv.resync",
            period: drawn_resync(resync, jitter, ctx.draw(PERIOD)),
            jitter_percent: 0,
            rhythm: Rhythm::Ticker,
            path: Path::Server,
        };
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::AfterPause,
        };
        ctx.every(RESYNC, activity, phase);
    }

    fn on_change(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = delta.key();
        let concerned = match key.kind {
            Kind::VSphereMachine => Some(key.name.clone()),
            Kind::Machine => delta.object().machine().and_then(|machine| {
                let reference = &machine.spec.infrastructure;
                (reference.kind == Kind::VSphereMachine).then(|| reference.name.clone())
            }),
            _ => delta.object().meta.controlled_by(Kind::VSphereMachine).cloned(),
        };
        if let Some(name) = concerned {
            let namespace = key.namespace.clone();
            let key = ObjectKey { kind: Kind::VSphereMachine, namespace, name };
            self.machines.enqueue(ctx, &key);
        }
    }

    fn resync(&mut self, ctx: &mut Ctx<Event>) {
        let all = self.clients.local.caches.list(Kind::VSphereMachine);
        let keys: Vec<ObjectKey> = all.map(|object| object.key().clone()).collect();
        for key in keys {
            self.machines.enqueue(ctx, &key);
        }
    }
}

/// As controller-runtime draws the period of an informer: once, around what was asked for.
fn drawn_resync(resync: Duration, jitter_percent: u64, draw: u64) -> Duration {
    let jitter = jitter_percent.min(100);
    resync.scaled(100 - jitter, 100) + below(resync.scaled(2 * jitter, 100), draw)
}
