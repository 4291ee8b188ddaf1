//! capi-kubeadm-bootstrap-controller-manager: makes the user data with which a new Machine's VM joins.
//!
//! It reads KubeadmConfigs and Machines of the management cluster, and writes bootstrap tokens in the
//! workload cluster. It knows no VM and never looks whether anybody joined but by the Machine's
//! `nodeRef`. Follows `kubernetes-sigs/cluster-api:bootstrap/kubeadm`.
//!
//! Simplified: a single instance that always leads; of a cluster whose control plane is initialized,
//! so nobody waits for the lock of the first; no resync.

mod config;
#[cfg(test)]
mod tests;

use crate::api::{Kind, ObjectKey, RetryJoin, Selector};
pub use crate::client::ManagerEvent as Event;
use crate::client::{Client, ClientSettings, Clients, Flight, News, Shell, ShellSettings, Target};
use crate::engine::Duration;
use crate::infra::{Address, Ctx, Input};
use config::ConfigController;

/// How the provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    pub shell: ShellSettings,
    /// For how long a token is valid (`--bootstrap-token-ttl`).
    pub token_ttl: Duration,
    /// How often the token of a Machine without a Node is looked at, and with how little time left
    /// its end is put off.
    pub token_check: Duration,
    pub token_refresh_below: Duration,
    /// The script around kubeadm, where the Machines' template asks for it.
    pub retry: Option<RetryJoin>,
}

/// The manager.
#[derive(Clone, Debug)]
pub struct BootstrapProvider {
    settings: Settings,
    management: Address,
    /// None where the platform manages itself.
    workload: Option<Address>,
    clients: Clients<Flight>,
    configs: Shell<ConfigController>,
}

impl BootstrapProvider {
    /// A manager with the API servers of both clusters.
    pub fn new(
        settings: Settings,
        management: Address,
        workload: Option<Address>,
    ) -> BootstrapProvider {
        let remote = workload.map(|server| Client::new(1, server, settings.client));
        BootstrapProvider {
            clients: Clients { local: Client::new(0, management, settings.client), remote },
            configs: Shell::new(0, ConfigController::new(settings), settings.shell),
            settings,
            management,
            workload,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        match input {
            Input::Started(_) => {
                *self = BootstrapProvider::new(self.settings, self.management, self.workload);
                for kind in [Kind::KubeadmConfig, Kind::Machine] {
                    self.clients.of(Target::Local).watch(ctx, kind, Selector::All);
                }
            }
            Input::Message(from, message) => {
                for client in both(&mut self.clients) {
                    client.on_message(ctx, from, message.clone(), &mut news);
                }
            }
            Input::Broken(connection, how) => {
                for client in both(&mut self.clients) {
                    client.on_broken(ctx, connection, how, &mut news);
                }
            }
            Input::Due(Event::Client(alarm)) => {
                for client in both(&mut self.clients) {
                    client.on_alarm(ctx, alarm, &mut news);
                }
            }
            Input::Due(Event::Work(work)) => self.configs.on_work(ctx, &work, &mut self.clients),
            Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
        for item in news {
            match item {
                News::Changed(delta) => {
                    let key = delta.key();
                    let config = ObjectKey { kind: Kind::KubeadmConfig, ..key.clone() };
                    self.configs.enqueue(ctx, &config);
                }
                News::Answer(flight, answered) => {
                    self.configs.on_answer(ctx, &flight.key, answered, &mut self.clients);
                }
                News::Synced(_) => {}
            }
        }
    }
}

/// Both clients, or the one.
fn both(clients: &mut Clients<Flight>) -> impl Iterator<Item = &mut Client<Flight>> {
    std::iter::once(&mut clients.local).chain(&mut clients.remote)
}
