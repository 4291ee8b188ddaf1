//! capi-kubeadm-bootstrap-controller-manager: makes the user data with which a new Machine's VM joins.
//!
//! It reads Clusters, KubeadmConfigs and Machines of the management cluster, and writes tokens in the
//! workload cluster. It knows no VM and never looks whether anybody joined but by the Machine's
//! `nodeRef`. Follows `kubernetes-sigs/cluster-api:bootstrap/kubeadm`.
//!
//! Simplified: a single instance that always leads; of a cluster whose control plane is initialized,
//! so nobody waits for the lock of the first.

mod config;
#[cfg(test)]
mod tests;

use crate::api::{Kind, ObjectKey, RetryJoin, Selector};
pub use crate::client::ManagerEvent as Event;
use crate::client::ManagerToken as Token;
use crate::client::{
    Client, ClientSettings, Clients, ClusterCache, News, Pauses, ProbeSettings, Shell,
    ShellSettings, Target,
};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use config::ConfigController;

/// How the provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// How long an answer of the workload cluster is waited for.
    pub remote_timeout: Duration,
    pub shell: ShellSettings,
    pub resync: Duration,
    pub resync_jitter_percent: u64,
    pub probe: ProbeSettings,
    /// Everything is looked at again when the workload cluster is lost, and when it is connected
    /// again; else new Machines wait for their growing pauses and the resync.
    pub reconnection_enqueues: bool,
    /// For how long a token is valid (`--bootstrap-token-ttl`).
    pub token_ttl: Duration,
    /// How often the token of a Machine without a Node is looked at, and with how little time left
    /// its end is put off.
    pub token_check: Duration,
    pub token_refresh_below: Duration,
    pub pauses: Pauses,
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
    clients: Clients<Token>,
    /// It has no informer there: whatever it asks of the workload cluster it asks anew.
    cache: ClusterCache,
    configs: Shell<ConfigController>,
}

const RESYNC: ActivityId = ActivityId(0);
const PROBE: ActivityId = ActivityId(1);

impl BootstrapProvider {
    /// A manager with the API servers of both clusters.
    pub fn new(
        settings: Settings,
        management: Address,
        workload: Option<Address>,
    ) -> BootstrapProvider {
        let remote = workload.map(|server| Client::new(1, server, settings.client));
        BootstrapProvider {
            clients: Clients {
                local: Client::new(0, management, settings.client),
                remote,
                remote_limit: Some(("clusterApi.remoteClientTimeout", settings.remote_timeout)),
            },
            cache: ClusterCache::new(PROBE, settings.probe),
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
            Input::Started(start) => return self.start(start, ctx),
            Input::Tick(RESYNC) => return self.look_at_all(ctx),
            Input::Tick(_) => {
                let client = self.clients.of(Target::Remote);
                // It lists nothing there, so no try of it lasts too long.
                self.cache.tick(client, Token::Probe, &mut news, ctx);
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
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = BootstrapProvider::new(self.settings, self.management, self.workload);
        for kind in [Kind::Cluster, Kind::KubeadmConfig, Kind::Machine] {
            self.clients.of(Target::Local).watch(ctx, kind, Selector::All);
        }
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::AfterPause,
        };
        let resync = Activity {
            rule: "clusterApi.resync",
            period: self.settings.resync,
            jitter_percent: self.settings.resync_jitter_percent,
            rhythm: Rhythm::Ticker,
            path: Path::Server,
        };
        ctx.every(RESYNC, resync, phase);
        if self.workload.is_some() {
            self.cache.start(phase, ctx);
        }
    }

    fn on_news(&mut self, news: News<Token>, ctx: &mut Ctx<Event>) {
        match news {
            News::Changed(delta) if self.settings.pauses.hides(delta.object()) => {}
            News::Changed(delta) if delta.key().kind == Kind::Cluster => {
                let both = delta.old.as_ref().zip(delta.new.as_ref());
                let both = both.and_then(|(old, new)| old.cluster().zip(new.cluster()));
                if both.is_some_and(|(old, new)| self.settings.pauses.are_news(old, new)) {
                    self.look_at_all(ctx);
                }
            }
            News::Changed(delta) => {
                let key = delta.key();
                let config = ObjectKey { kind: Kind::KubeadmConfig, ..key.clone() };
                self.configs.enqueue(ctx, &config);
            }
            News::Answer(Token::Probe, answered) => {
                let (client, mut news) = (self.clients.of(Target::Remote), Vec::new());
                let has_changed = self.cache.answered(&answered, client, &mut news, ctx);
                news.into_iter().for_each(|news| self.on_news(news, ctx));
                if has_changed && self.settings.reconnection_enqueues {
                    self.look_at_all(ctx);
                }
            }
            News::Answer(Token::Flight(flight), answered) => {
                self.configs.on_answer(ctx, &flight.key, answered, &mut self.clients);
            }
            News::Synced(_) => {}
        }
    }

    fn look_at_all(&mut self, ctx: &mut Ctx<Event>) {
        let configs = self.clients.local.caches.list(Kind::KubeadmConfig);
        let keys: Vec<ObjectKey> = configs.map(|config| config.key().clone()).collect();
        for key in keys {
            self.configs.enqueue(ctx, &key);
        }
    }
}

/// Both clients, or the one.
fn both(clients: &mut Clients<Token>) -> impl Iterator<Item = &mut Client<Token>> {
    std::iter::once(&mut clients.local).chain(&mut clients.remote)
}
