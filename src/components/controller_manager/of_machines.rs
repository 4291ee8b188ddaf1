//! The kube-controller-manager of a management cluster: of its controllers only the garbage collector has
//! anything to do with Machines.
//!
//! Simplified: its other controllers are not played, since nothing of what they look after is there; and it stands
//! for election, or works, as soon as it is started, as the other managers do.

use super::Settings;
use super::garbage::GarbageCollector;
use crate::api::{Kind, Selector};
pub use crate::client::ManagerEvent as Event;
use crate::client::{Client, Clients, Flight, News, Shell};
use crate::infra::{Address, Ctx, Input};

/// The kinds of a management cluster that own or are owned; owners come first.
pub const KINDS: [Kind; 11] = [
    Kind::Cluster,
    Kind::MachineDeployment,
    Kind::KubeadmControlPlane,
    Kind::MachineHealthCheck,
    Kind::MachineSet,
    Kind::Machine,
    Kind::InfraMachine,
    Kind::VSphereMachine,
    Kind::VirtualMachine,
    Kind::KubeadmConfig,
    Kind::Secret,
];

/// The manager.
#[derive(Clone, Debug)]
pub struct OfMachines {
    settings: Settings,
    server: Address,
    clients: Clients<Flight>,
    garbage: Shell<GarbageCollector>,
}

impl OfMachines {
    /// A manager with the management cluster's API server.
    pub fn new(settings: Settings, server: Address) -> OfMachines {
        OfMachines {
            clients: Clients {
                local: Client::new(0, server, settings.client).paced(settings.pace()),
                remote: None,
                remote_limit: None,
            },
            garbage: Shell::new(0, GarbageCollector::default(), settings.garbage_shell()),
            settings,
            server,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        let client = &mut self.clients.local;
        match input {
            Input::Started(_) => return self.start(ctx),
            Input::Due(Event::Work(work)) => {
                return self.garbage.on_work(ctx, &work, &mut self.clients);
            }
            Input::Message(from, message) => client.on_message(ctx, from, message, &mut news),
            Input::Broken(connection, how) => client.on_broken(ctx, connection, how, &mut news),
            Input::Due(Event::Client(alarm)) => client.on_alarm(ctx, alarm, &mut news),
            Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Tick(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
        for item in news {
            self.on_news(item, ctx);
        }
    }

    fn start(&mut self, ctx: &mut Ctx<Event>) {
        *self = OfMachines::new(self.settings.clone(), self.server);
        for kind in KINDS {
            self.clients.local.watch(ctx, kind, Selector::All);
        }
    }

    fn on_news(&mut self, news: News<Flight>, ctx: &mut Ctx<Event>) {
        let caches = &self.clients.local.caches;
        let collector = &mut self.garbage.reconciler;
        let orphans = match news {
            News::Changed(delta) => collector.observe(&delta, caches),
            News::Synced(_) if caches.are_synced() => collector.synced(caches),
            News::Synced(_) => return,
            News::Answer(Flight { key, .. }, answered) => {
                return self.garbage.on_answer(ctx, &key, answered, &mut self.clients);
            }
        };
        for orphan in orphans {
            self.garbage.enqueue(ctx, &orphan);
        }
    }
}
