//! capi-controller-manager: the controllers that keep Machines.
//!
//! It reads and writes the management cluster, and through another client the workload cluster;
//! where a platform manages itself both are one. It knows nothing of VMs. Follows
//! `kubernetes-sigs/cluster-api`, releases 1.7 and 1.14; where they differ, a setting named for the
//! rule says which.
//!
//! Simplified: a single instance that always leads.

#[cfg(test)]
mod bootstrap_tests;
#[cfg(test)]
mod brakes_tests;
#[cfg(test)]
mod counts_tests;
#[cfg(test)]
mod deletion_tests;
#[cfg(test)]
mod lost_tests;
mod machine;
mod machine_deployment;
#[cfg(test)]
mod machine_deployment_tests;
mod machine_health_check;
mod machine_set;
mod node_index;
#[cfg(test)]
mod pause_tests;
#[cfg(test)]
mod preflight_tests;
mod settings;
#[cfg(test)]
mod tests;

use crate::api::kinds::Cluster;
use crate::api::{Kind, Object, ObjectKey, Selector};
pub use crate::client::ManagerEvent as Event;
use crate::client::ManagerToken as Token;
use crate::client::{
    Caches, Client, Clients, Delta, Flight, News, Pauses, Shell, ShellRules, Target, View, Work,
};
use crate::engine::{Activity, Path, Phase, Rhythm, SimTime, Text};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use machine::MachineController;
use machine_deployment::MachineDeploymentController;
use machine_health_check::HealthCheckController;
use machine_set::MachineSetController;
use node_index::NodeIndex;
pub use settings::{
    Bootstrap, Counting, DeletePolicy, Drain, DrainClock, DrainStyle, Marking, Settings, Wording,
};
use std::sync::Arc;

/// The manager.
#[derive(Clone, Debug)]
pub struct ClusterApi {
    settings: Settings,
    management: Address,
    /// None where the platform manages itself.
    workload: Option<Address>,
    clients: Clients<Token>,
    nodes: NodeIndex,
    deployments: Shell<MachineDeploymentController>,
    sets: Shell<MachineSetController>,
    machines: Shell<MachineController>,
    checks: Shell<HealthCheckController>,
    /// When the end of the workload cluster's answers last made it look at all Machines.
    forgot: SimTime,
}

const RESYNC: ActivityId = ActivityId(0);
const PROBE: ActivityId = ActivityId(1);

const DEPLOYMENTS: u8 = 0;
const SETS: u8 = 1;
const MACHINES: u8 = 2;
const CHECKS: u8 = 3;

/// Of health checks, which have a gap of their own.
const CHECK_RULES: ShellRules =
    ShellRules { minimum_gap: "clusterApi.healthCheckGap", ..*ShellRules::CONTROLLER_RUNTIME };

impl ClusterApi {
    /// A manager with the API servers of both clusters.
    pub fn new(settings: Settings, management: Address, workload: Option<Address>) -> ClusterApi {
        let shell = settings.shell;
        let rules = &CHECK_RULES;
        let minimum_gap = settings.health_check_gap;
        let check_shell = crate::client::ShellSettings { minimum_gap, rules, ..shell };
        let remote = workload.map(|server| Client::new(1, server, settings.client));
        ClusterApi {
            clients: Clients {
                local: Client::new(0, management, settings.client),
                remote,
                remote_limit: Some(("clusterApi.remoteClientTimeout", settings.remote_timeout)),
            },
            nodes: NodeIndex::default(),
            deployments: Shell::new(DEPLOYMENTS, MachineDeploymentController::new(settings), shell),
            sets: Shell::new(SETS, MachineSetController::new(settings), shell),
            machines: Shell::new(MACHINES, MachineController::new(settings), shell),
            checks: Shell::new(CHECKS, HealthCheckController::new(settings), check_shell),
            forgot: SimTime::ZERO,
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
                let workload = &mut self.checks.reconciler.workload;
                if workload.tick(client, Token::Probe, &mut news, ctx) {
                    self.forget_if_run_out(ctx);
                }
            }
            Input::Due(Event::Work(work)) => return self.work(&work, ctx),
            Input::Message(from, message) => {
                for client in clients(&mut self.clients) {
                    client.on_message(ctx, from, message.clone(), &mut news);
                }
            }
            Input::Broken(connection, how) => {
                for client in clients(&mut self.clients) {
                    client.on_broken(ctx, connection, how, &mut news);
                }
            }
            Input::Due(Event::Client(alarm)) => {
                for client in clients(&mut self.clients) {
                    client.on_alarm(ctx, alarm, &mut news);
                }
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
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = ClusterApi::new(self.settings, self.management, self.workload);
        let own = [
            Kind::Cluster,
            Kind::MachineDeployment,
            Kind::MachineSet,
            Kind::Machine,
            Kind::MachineHealthCheck,
            self.settings.infrastructure,
        ];
        for kind in own {
            self.clients.local.watch(ctx, kind, Selector::All);
        }
        if self.settings.bootstrap == Bootstrap::Kubeadm {
            self.clients.local.watch(ctx, Kind::KubeadmConfig, Selector::All);
        }
        if self.settings.machine_set_preflight.is_some() {
            self.clients.local.watch(ctx, Kind::KubeadmControlPlane, Selector::All);
        }
        self.clients.of(Target::Remote).watch(ctx, Kind::Node, Selector::All);
        let activity = |rule, period, jitter_percent| Activity {
            rule,
            period,
            jitter_percent,
            rhythm: Rhythm::Ticker,
            path: Path::Server,
        };
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::AfterPause,
        };
        let Settings { resync, resync_jitter_percent, .. } = self.settings;
        ctx.every(RESYNC, activity("clusterApi.resync", resync, resync_jitter_percent), phase);
        if self.workload.is_some() {
            self.checks.reconciler.workload.start(phase, ctx);
        }
    }

    fn on_news(&mut self, news: News<Token>, ctx: &mut Ctx<Event>) {
        match news {
            News::Changed(delta) => self.on_change(&delta, ctx),
            News::Synced(Kind::Node) => self.workload_listed(ctx),
            News::Synced(_) => {}
            News::Answer(Token::Probe, answered) => {
                let (client, mut news) = (self.clients.of(Target::Remote), Vec::new());
                let workload = &mut self.checks.reconciler.workload;
                let has_changed = workload.answered(&answered, client, &mut news, ctx);
                news.into_iter().for_each(|news| self.on_news(news, ctx));
                if has_changed && self.settings.reconnection_enqueues {
                    self.look_at_all(ctx);
                } else {
                    self.forget_if_run_out(ctx);
                }
            }
            News::Answer(Token::Flight(Flight { controller, key }), answered) => {
                self.tell_of_contact();
                let clients = &mut self.clients;
                match controller {
                    DEPLOYMENTS => self.deployments.on_answer(ctx, &key, answered, clients),
                    SETS => self.sets.on_answer(ctx, &key, answered, clients),
                    MACHINES => self.machines.on_answer(ctx, &key, answered, clients),
                    _ => self.checks.on_answer(ctx, &key, answered, clients),
                }
            }
        }
    }

    /// The controllers of Machines and MachineSets learn whether the workload cluster is connected.
    fn tell_of_contact(&mut self) {
        let contact = self.checks.reconciler.workload.contact();
        self.machines.reconciler.contact = contact;
        self.sets.reconciler.connected = contact.connected;
    }

    /// After a probe or a try in vain: once what Machines say of their Nodes is too old to be kept, they
    /// are looked at.
    fn forget_if_run_out(&mut self, ctx: &mut Ctx<Event>) {
        let (contact, now) = (self.checks.reconciler.workload.contact(), ctx.now());
        let over = contact.reached + self.settings.conditions_grace;
        let has_run_out = !contact.connected && self.forgot < over && over < now;
        if self.settings.reconnection_enqueues && has_run_out {
            self.forgot = now;
            self.look_at(&[Kind::Machine], ctx);
        }
    }

    fn work(&mut self, work: &Work, ctx: &mut Ctx<Event>) {
        self.tell_of_contact();
        let clients = &mut self.clients;
        match work.controller {
            DEPLOYMENTS => self.deployments.on_work(ctx, work, clients),
            SETS => self.sets.on_work(ctx, work, clients),
            MACHINES => self.machines.on_work(ctx, work, clients),
            _ => self.checks.on_work(ctx, work, clients),
        }
    }

    fn on_change(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = delta.key();
        let meta = &delta.object().meta;
        if key.kind == Kind::Machine {
            self.nodes.observe(delta);
            self.sets.reconciler.observe(delta);
        }
        if self.settings.pauses.hides(delta.object()) {
            return;
        }
        match key.kind {
            Kind::MachineDeployment => self.deployments.enqueue(ctx, key),
            Kind::MachineHealthCheck => self.checks.enqueue(ctx, key),
            Kind::MachineSet => {
                self.sets.enqueue(ctx, key);
                self.pause_of_set_changed(delta, ctx);
                if let Some(owner) = meta.controlled_by(Kind::MachineDeployment) {
                    self.deployments.enqueue(ctx, &beside(key, Kind::MachineDeployment, owner));
                }
            }
            Kind::Machine => self.machine_changed(delta, ctx),
            kind if kind == self.settings.infrastructure => self.infrastructure_changed(key, ctx),
            Kind::KubeadmConfig => {
                self.machines.enqueue(ctx, &beside(key, Kind::Machine, &key.name));
            }
            Kind::Node => self.node_changed(delta, ctx),
            Kind::Cluster => self.cluster_changed(delta, ctx),
            _ => {}
        }
    }

    fn machine_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = delta.key();
        let meta = &delta.object().meta;
        self.machines.enqueue(ctx, key);
        if let Some(owner) = meta.controlled_by(Kind::MachineSet) {
            self.sets.enqueue(ctx, &beside(key, Kind::MachineSet, owner));
        }
        if let Some(pool) = meta.labels.get("cluster.x-k8s.io/deployment-name") {
            self.deployments.enqueue(ctx, &beside(key, Kind::MachineDeployment, pool));
        }
        if self.settings.health_check_filters_events && !concerns_checks(delta) {
            return;
        }
        self.enqueue_checks_of(delta.object(), ctx);
    }

    /// Where it is said that objects are paused, Machines hear of it through their sets.
    fn cluster_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let both = delta.old.as_ref().zip(delta.new.as_ref());
        let Some((old, new)) = both.and_then(|(old, new)| old.cluster().zip(new.cluster())) else {
            return self.look_at_all(ctx);
        };
        let pause = self.settings.pauses.are_news(old, new);
        if has_got_further(old, new) || (pause && self.settings.pauses == Pauses::Silent) {
            return self.look_at_all(ctx);
        }
        if pause {
            let owners = [Kind::MachineDeployment, Kind::MachineSet, Kind::MachineHealthCheck];
            self.look_at(&owners, ctx);
        }
    }

    /// Simplified: all that happens to a set wakes its Machines, and only this means anything to them.
    fn pause_of_set_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let paused = |object: &Arc<Object>| object.conditions()?.status("Paused");
        let (Some(old), Some(new)) = (&delta.old, &delta.new) else { return };
        if paused(old) == paused(new) {
            return;
        }
        let is_its = |machine: &&Arc<Object>| {
            machine.meta.controller().is_some_and(|owner| owner.uid == new.meta.uid)
        };
        let machines = self.clients.local.caches.list(Kind::Machine).filter(is_its);
        let keys: Vec<ObjectKey> = machines.map(|machine| machine.key().clone()).collect();
        for key in keys {
            self.machines.enqueue(ctx, &key);
        }
    }

    /// Machine and provider's object have one name: a MachineSet makes them so.
    fn infrastructure_changed(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        self.machines.enqueue(ctx, &beside(key, Kind::Machine, &key.name));
    }

    fn node_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let Some(machine) = self.machine_of(delta.object()) else { return };
        // MachineSets watch no Nodes: they hear of one through what its Machine's status says.
        self.machines.enqueue(ctx, machine.key());
        if self.settings.health_check_filters_events && !conditions_changed(delta) {
            return;
        }
        self.enqueue_checks_of(&machine, ctx);
    }

    /// The Machine that a Node belongs to.
    fn machine_of(&self, node: &Object) -> Option<Arc<Object>> {
        self.clients.local.caches.get(self.nodes.machine_of(node)?).cloned()
    }

    fn enqueue_checks_of(&mut self, machine: &Object, ctx: &mut Ctx<Event>) {
        let checks: Vec<ObjectKey> = self
            .clients
            .local
            .caches
            .list(Kind::MachineHealthCheck)
            .filter(|check| {
                let selector = check.machine_health_check().map(|body| &body.selector);
                selector.is_some_and(|selector| machine.meta.matches(selector))
            })
            .map(|check| check.key().clone())
            .collect();
        for check in checks {
            self.checks.enqueue(ctx, &check);
        }
    }

    /// Every object is looked at again.
    fn look_at_all(&mut self, ctx: &mut Ctx<Event>) {
        let all =
            [Kind::MachineDeployment, Kind::MachineSet, Kind::Machine, Kind::MachineHealthCheck];
        self.look_at(&all, ctx);
    }

    /// Every object of these kinds is.
    fn look_at(&mut self, kinds: &[Kind], ctx: &mut Ctx<Event>) {
        for kind in kinds {
            let keys: Vec<ObjectKey> =
                self.clients.local.caches.list(*kind).map(|object| object.key().clone()).collect();
            for key in keys {
                match kind {
                    Kind::MachineDeployment => self.deployments.enqueue(ctx, &key),
                    Kind::MachineSet => self.sets.enqueue(ctx, &key),
                    Kind::Machine => self.machines.enqueue(ctx, &key),
                    _ => self.checks.enqueue(ctx, &key),
                }
            }
        }
    }

    /// The workload cluster's Nodes are known, for the first time or anew.
    fn workload_listed(&mut self, ctx: &mut Ctx<Event>) {
        let is_back = self.checks.reconciler.workload.synced(ctx);
        if is_back && self.settings.reconnection_enqueues {
            self.look_at_all(ctx);
        }
    }
}

/// Both clients, or the one.
fn clients(clients: &mut Clients<Token>) -> impl Iterator<Item = &mut Client<Token>> {
    std::iter::once(&mut clients.local).chain(&mut clients.remote)
}

/// The key of an object of another kind in the same namespace.
fn beside(key: &ObjectKey, kind: Kind, name: &Text) -> ObjectKey {
    ObjectKey { kind, namespace: key.namespace.clone(), name: name.clone() }
}

/// True if a Cluster has got further with its start.
fn has_got_further(old: &Cluster, new: &Cluster) -> bool {
    !new.paused && Cluster { paused: new.paused, ..old.clone() } != *new
}

/// True if a Machine's change is one that health checks look at.
fn concerns_checks(delta: &Delta) -> bool {
    let (Some(old), Some(new)) = (&delta.old, &delta.new) else { return true };
    let (Some(before), Some(after)) = (old.machine(), new.machine()) else { return true };
    before.node_ref != after.node_ref
        || old.meta.labels != new.meta.labels
        || old.meta.annotations != new.meta.annotations
        || before.conditions != after.conditions
}

/// True if a Node's conditions changed, be it only their heartbeats.
fn conditions_changed(delta: &Delta) -> bool {
    let (Some(old), Some(new)) = (&delta.old, &delta.new) else { return true };
    match (old.node(), new.node()) {
        (Some(old), Some(new)) => old.conditions != new.conditions,
        _ => true,
    }
}

/// The Cluster that an object belongs to.
fn cluster_of<'a>(object: &Object, view: &View<'a>) -> Option<&'a Arc<Object>> {
    let name = object.meta.labels.get("cluster.x-k8s.io/cluster-name");
    let mut all = view.local.list(Kind::Cluster);
    all.find(|cluster| {
        cluster.key().namespace == object.key().namespace
            && name.is_none_or(|name| cluster.name() == name)
    })
}

/// The Node of a name, as the workload cluster's cache has it.
fn node_in<'a>(caches: &'a Caches, name: &Text) -> Option<&'a Arc<Object>> {
    caches.named(Kind::Node, &Text::EMPTY, name)
}
