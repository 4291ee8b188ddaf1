//! capi-kubeadm-control-plane-controller-manager: keeps as many control-plane Machines as are
//! wanted, and replaces one that a MachineHealthCheck has marked, if etcd can bear it.
//!
//! It reads and writes the management cluster; the workload cluster's Nodes, Pods and etcd it sees
//! through that cluster's API servers only, and through the kubelet of each Node. It knows nothing of
//! VMs. Follows `kubernetes-sigs/cluster-api:controlplane/kubeadm`, releases 1.7 and 1.14; where they
//! differ, a setting named for the rule says which.
//!
//! Simplified: a single instance that always leads; a control plane that is deleted waits for its workers to be
//! deleted first, as `reconcileDelete` does, and stays after that; one that is not yet initialized does
//! not occur.

mod aggregate;
mod hook;
mod inspection;
mod members;
mod quorum;
mod remediation;
mod scale;
mod scene;
mod script;
mod settings;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use crate::api::kinds::{Cluster, Status};
use crate::api::{Kind, Object, ObjectKey, Selector};
pub use crate::client::ManagerEvent as Event;
use crate::client::ManagerToken as Token;
use crate::client::{
    Client, Clients, ClusterCache, Delta, News, Outcome, Reconciler, Reply, Shell, Step, Target,
    View,
};
use crate::engine::{Activity, Path, Phase, Rhythm, SimTime};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use scene::Scene;
use script::{Flow, Heard, Script, Stop};
pub use settings::{
    EtcdAccess, Inspection, LeaderAccess, MemberRemoval, Picks, Requeue, Settings, Wording,
};

/// The manager.
#[derive(Clone, Debug)]
pub struct ControlPlaneManager {
    settings: Settings,
    management: Address,
    /// None where the platform manages itself.
    workload: Option<Address>,
    clients: Clients<Token>,
    planes: Shell<Controller>,
    /// When the end of the workload cluster's answers last made it look at everything.
    forgot: SimTime,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct Controller {
    settings: Settings,
    workload: ClusterCache,
}

/// A reconcile that waits: its objects, and what it has heard.
#[derive(Clone, Debug)]
pub struct Pass {
    scene: Scene,
    heard: Vec<Heard>,
    /// All was said with its last write.
    is_over: bool,
}

const RESYNC: ActivityId = ActivityId(0);
const PROBE: ActivityId = ActivityId(1);

impl ControlPlaneManager {
    /// A manager with the API servers of both clusters.
    pub fn new(
        settings: Settings,
        management: Address,
        workload: Option<Address>,
    ) -> ControlPlaneManager {
        let remote = workload.map(|server| Client::new(1, server, settings.client));
        let workload_cache = ClusterCache::new(PROBE, settings.probe);
        let controller = Controller { settings, workload: workload_cache };
        ControlPlaneManager {
            clients: Clients {
                local: Client::new(0, management, settings.client),
                remote,
                remote_limit: Some(("clusterApi.remoteClientTimeout", settings.remote_timeout)),
            },
            planes: Shell::new(0, controller, settings.shell),
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
                let workload = &mut self.planes.reconciler.workload;
                if workload.tick(client, Token::Probe, &mut news, ctx) {
                    self.look_if(false, ctx);
                }
            }
            Input::Due(Event::Work(work)) => {
                return self.planes.on_work(ctx, &work, &mut self.clients);
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
        *self = ControlPlaneManager::new(self.settings, self.management, self.workload);
        for kind in [Kind::Cluster, Kind::KubeadmControlPlane, Kind::Machine] {
            self.clients.local.watch(ctx, kind, Selector::All);
        }
        self.clients.of(Target::Remote).watch(ctx, Kind::Node, Selector::All);
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::AfterPause,
        };
        let activity = |rule, period, jitter_percent| Activity {
            rule,
            period,
            jitter_percent,
            rhythm: Rhythm::Ticker,
            path: Path::Server,
        };
        let Settings { resync, resync_jitter_percent, .. } = self.settings;
        ctx.every(RESYNC, activity("clusterApi.resync", resync, resync_jitter_percent), phase);
        if self.workload.is_some() {
            self.planes.reconciler.workload.start(phase, ctx);
        }
    }

    fn on_news(&mut self, news: News<Token>, ctx: &mut Ctx<Event>) {
        match news {
            News::Changed(delta) => self.on_change(&delta, ctx),
            News::Synced(Kind::Node) => self.workload_listed(ctx),
            News::Synced(_) => {}
            News::Answer(Token::Probe, answered) => {
                let (client, mut news) = (self.clients.of(Target::Remote), Vec::new());
                let workload = &mut self.planes.reconciler.workload;
                let has_changed = workload.answered(&answered, client, &mut news, ctx);
                news.into_iter().for_each(|news| self.on_news(news, ctx));
                self.look_if(has_changed, ctx);
            }
            News::Answer(Token::Flight(flight), answered) => {
                self.planes.on_answer(ctx, &flight.key, answered, &mut self.clients);
            }
        }
    }

    /// It watches no Nodes: what happens to one is heard of through its Machine.
    fn on_change(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = delta.key();
        if self.settings.pauses.hides(delta.object()) {
            return;
        }
        match key.kind {
            Kind::KubeadmControlPlane => self.planes.enqueue(ctx, key),
            Kind::Machine => {
                if let Some(owner) = delta.object().meta.controlled_by(Kind::KubeadmControlPlane) {
                    let (kind, namespace) = (Kind::KubeadmControlPlane, key.namespace.clone());
                    let key = ObjectKey { kind, namespace, name: owner.clone() };
                    self.planes.enqueue(ctx, &key);
                }
            }
            Kind::Cluster => self.look_at_all(ctx),
            _ => {}
        }
    }

    fn look_at_all(&mut self, ctx: &mut Ctx<Event>) {
        let planes = self.clients.local.caches.list(Kind::KubeadmControlPlane);
        let keys: Vec<ObjectKey> = planes.map(|plane| plane.key().clone()).collect();
        for key in keys {
            self.planes.enqueue(ctx, &key);
        }
    }

    /// After a probe or a try: the planes are looked at if the cluster is lost or back by that, or if
    /// it was in vain and the grace of their conditions is over, which are then to be forgotten.
    fn look_if(&mut self, has_changed: bool, ctx: &mut Ctx<Event>) {
        if self.settings.reconnection_enqueues && (has_changed || self.has_run_out(ctx.now())) {
            self.forgot = ctx.now();
            self.look_at_all(ctx);
        }
    }

    /// True once.
    fn has_run_out(&self, now: SimTime) -> bool {
        let contact = self.planes.reconciler.workload.contact();
        let over = contact.reached + self.settings.conditions_grace;
        !contact.connected && self.forgot < over && over < now
    }

    /// The workload cluster's Nodes are known, for the first time or anew.
    fn workload_listed(&mut self, ctx: &mut Ctx<Event>) {
        let is_back = self.planes.reconciler.workload.synced(ctx);
        if is_back && self.settings.reconnection_enqueues {
            self.look_at_all(ctx);
        }
    }
}

/// Both clients, or the one.
fn both(clients: &mut Clients<Token>) -> impl Iterator<Item = &mut Client<Token>> {
    std::iter::once(&mut clients.local).chain(&mut clients.remote)
}

impl Controller {
    /// Plays a pass as far as it gets.
    fn play(&self, mut pass: Box<Pass>, view: &mut View) -> Step<Box<Pass>> {
        let mut scene = pass.scene.clone();
        let mut script = Script::new((scene.began, scene.skew), &mut pass.heard, view);
        let ended = match self.reconcile(&mut scene, &mut script) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Failed(error)) => Ok(Outcome::error(error)),
            Err(stop) => Err(stop),
        };
        // Whatever came of it, the status is written.
        let ended = ended.and_then(|outcome| self.end(&mut scene, outcome, &mut script));
        match ended {
            Ok(outcome) => Step::Done(outcome),
            Err(Stop::Ask(ask)) => Step::Ask(*ask, pass),
            Err(Stop::Wait(length)) => Step::Wait("clusterApi.etcdConnectRetry", length, pass),
            Err(Stop::Failed(error)) => Step::Done(Outcome::error(error)),
        }
    }

    /// The order of everything; the first that has something to say ends it.
    fn reconcile(&self, scene: &mut Scene, script: &mut Script) -> Flow<Outcome> {
        if !scene.contact.connected {
            return self.disconnected(scene, script);
        }
        self.inspect(scene, script)?;
        self.sum_up(scene, script.wall_clock());
        if self.reconcile_members(scene, script)? {
            let soon = crate::engine::Duration::from_secs(1);
            return Ok(Outcome::after("the members of etcd are looked at again", soon));
        }
        if let Some(outcome) = self.release(scene, script)? {
            return Ok(outcome);
        }
        if self.remediate(scene, script)? {
            return Ok(Outcome::done());
        }
        self.scale(scene, script)
    }

    fn end(&self, scene: &mut Scene, outcome: Outcome, script: &mut Script) -> Flow<Outcome> {
        self.count(scene, script.wall_clock());
        let read = scene.read.clone();
        if scene.plane != *read {
            script.patch(&read, scene.plane.clone())?;
        }
        let plane = scene.spec();
        let is_ready = match self.settings.wording {
            Wording::V1Beta1 => plane.ready,
            Wording::V1Beta2 => plane.initialized,
        };
        let ill = plane.conditions.is("ControlPlaneComponentsHealthy", Status::False);
        Ok(match outcome == Outcome::done() && (!is_ready || ill) {
            true => Outcome::after(
                "clusterApi.controlPlaneNotReadyRequeue",
                self.settings.requeue.not_ready,
            ),
            false => outcome,
        })
    }
}

impl Controller {
    /// The workload cluster has not answered for a while: nothing is judged and nothing changed.
    fn disconnected(&self, scene: &mut Scene, script: &mut Script) -> Flow<Outcome> {
        let grace = self.settings.conditions_grace;
        if self.settings.wording == Wording::V1Beta2
            && script.now() >= scene.contact.reached + grace
        {
            self.forget(scene, script)?;
        }
        script::fail("cannot get remote client to workload cluster: cluster is not connected")
    }
}

impl Reconciler for Controller {
    type State = Box<Pass>;

    fn agent(&self) -> &'static str {
        "kubeadm-control-plane-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<Box<Pass>> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let cluster = cluster_of(&object, view);
        if object.meta.is_deleting() {
            view.logs.push("Waiting for worker nodes to be deleted first".into());
        }
        if object.meta.is_deleting() || cluster.is_none() {
            return Step::done();
        }
        let Some(scene) = Scene::of(&object, self.workload.contact(), view) else {
            return Step::done();
        };
        let mut pass = Box::new(Pass { scene, heard: Vec::new(), is_over: true });
        if let Some(step) = self.settings.pauses.holds(&object, cluster, pass.clone(), view) {
            return step;
        }
        pass.is_over = false;
        self.play(pass, view)
    }

    fn resume(
        &mut self,
        _key: &ObjectKey,
        mut pass: Box<Pass>,
        reply: Reply,
        view: &mut View,
    ) -> Step<Box<Pass>> {
        if pass.is_over {
            return Step::done();
        }
        pass.heard.push(match reply {
            Reply::Answer(answered) => Heard::Answer(view.now, answered),
            Reply::Task(_) | Reply::Elapsed => Heard::Elapsed(view.now),
        });
        self.play(pass, view)
    }
}

/// The Cluster of a control plane.
fn cluster_of<'a>(object: &Object, view: &View<'a>) -> Option<&'a Cluster> {
    let name = object.kubeadm_control_plane().map(|plane| &plane.template.cluster);
    let cluster = view.local.list(Kind::Cluster).find(|cluster| {
        cluster.key().namespace == object.key().namespace && Some(cluster.name()) == name
    });
    cluster.and_then(|cluster| cluster.cluster())
}
