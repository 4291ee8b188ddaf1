//! cloud-controller-manager: tells the cluster which machine a new Node is (`initialize.rs`), and which
//! of its machines the cloud has lost or turned off.
//!
//! It asks about Nodes that are not Ready, and knows of the cloud what the VirtualMachines on the
//! Supervisor say, which is old while VM Operator has not looked. A Node whose `providerID` no
//! VirtualMachine has is deleted (one without is known by its name); one whose VirtualMachine is off is
//! tainted until it is Ready.
//! Follows the cloud node lifecycle controller of `k/k:staging/src/k8s.io/cloud-provider`, with the
//! paravirtual provider of `kubernetes/cloud-provider-vsphere`.
//!
//! Of the replicas beside the API servers one leads; it begins to watch when it is elected, and who
//! loses its Lease ends.
//!
//! Simplified: one list answers both questions, and one that fails is not repeated before the next
//! pass. A Node that is still to be initialized is asked about like any other.

mod initialize;
#[cfg(test)]
mod tests;

use crate::api::kinds::{
    EventType, Node, PowerState, Status, Taint, TaintEffect, VirtualMachine, taint,
};
use crate::api::{Answer, Answered, Freshness, Kind, Object, ObjectKey, Selector, Verb};
use crate::client::{
    Alarm, Client, ClientSettings, ElectionSettings, Heard, LeaderElection, News, Standing,
};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm, SimTime, Text};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use crate::timeline::Cause;
pub use initialize::Initialization;
use initialize::Newcomers;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How the controller behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// `--node-monitor-period`, counted from the end of a pass.
    pub monitor_period: Duration,
    /// What stands before the UUID in a `providerID`.
    pub provider_prefix: Text,
    pub initialization: Initialization,
    pub election: ElectionSettings,
}

/// What the controller reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// The pause after a failure is over for this Node.
    Initialize(Text),
    /// Somebody else wrote the Node that is being initialized; it is written again.
    UpdateNode,
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// To learn what became of this Node's machine.
    Machines(Text),
    /// Whatever its answer, the next Node's turn comes.
    Written,
    /// To learn which machine a new Node is.
    Instance,
    Initialized,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct CloudController {
    settings: Settings,
    cluster: Address,
    supervisor: Address,
    standing: Standing,
    election: LeaderElection,
    client: Client<Token>,
    cloud: Client<Token>,
    /// The Nodes that the pass has yet to look at.
    left: VecDeque<Text>,
    /// What led to the last that was heard of each Node: it is looked at for that.
    heard: BTreeMap<Text, Cause>,
    /// On which VirtualMachine a Node was last seen to run; for the record of what led to what.
    machines: BTreeMap<Text, ObjectKey>,
    newcomers: Newcomers,
    /// Its passes have begun.
    works: bool,
}

/// The process, and its Lease.
pub const PROGRAM: &str = "cloud-controller-manager";
const AGENT: &str = "cloud-node-lifecycle-controller";
const MONITOR: ActivityId = ActivityId(0);

impl CloudController {
    /// A controller with its cluster's API server and the Supervisor's, and how it stands if the
    /// run begins with it.
    pub fn new(
        settings: Settings,
        cluster: Address,
        supervisor: Address,
        standing: Standing,
    ) -> CloudController {
        CloudController {
            standing,
            election: LeaderElection::new(2, cluster, PROGRAM, settings.election),
            client: Client::new(0, cluster, settings.client),
            cloud: Client::new(1, supervisor, settings.client),
            left: VecDeque::new(),
            heard: BTreeMap::new(),
            machines: BTreeMap::new(),
            newcomers: Newcomers::default(),
            works: false,
            settings,
            cluster,
            supervisor,
        }
    }

    /// For how long it asks for nothing more of its Lease once that is renewed; none if it does not lead.
    pub fn pause_after_renewal(&self) -> Option<Duration> {
        self.election.pause_after_renewal()
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let alarm = |event: &Event| match event {
            Event::Client(alarm) => Some(*alarm),
            Event::Initialize(_) | Event::UpdateNode => None,
        };
        let input = match self.election.hear(input, alarm, ctx) {
            Heard::NotMine(input) => input,
            Heard::Nothing => return,
            Heard::Elected => return self.elected(ctx),
        };
        let mut news = Vec::new();
        match input {
            Input::Started(start) => return self.start(start, ctx),
            Input::Tick(_) => return self.pass(ctx),
            Input::Message(from, message) => {
                for client in [&mut self.client, &mut self.cloud] {
                    client.on_message(ctx, from, message.clone(), &mut news);
                }
            }
            Input::Broken(connection, how) => {
                for client in [&mut self.client, &mut self.cloud] {
                    client.on_broken(ctx, connection, how, &mut news);
                }
            }
            Input::Due(Event::Initialize(node)) => return self.enqueue(node, ctx),
            Input::Due(Event::UpdateNode) => return self.update_node(ctx),
            Input::Due(Event::Client(alarm)) => {
                for client in [&mut self.client, &mut self.cloud] {
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
            self.learn(item, ctx);
        }
    }

    fn learn(&mut self, news: News<Token>, ctx: &mut Ctx<Event>) {
        match news {
            News::Answer(Token::Machines(node), answered) => {
                self.machines_listed(&node, &answered, ctx);
            }
            News::Answer(Token::Written, _) => self.look_at_next(ctx),
            News::Answer(Token::Instance, answered) => self.instance_read(answered, ctx),
            News::Answer(Token::Initialized, answered) => self.node_updated(answered, ctx),
            News::Changed(delta) => match &delta.new {
                None => {
                    self.heard.remove(delta.name());
                    self.machines.remove(delta.name());
                }
                Some(node) => {
                    self.heard.insert(delta.name().clone(), ctx.cause());
                    self.may_be_new(node, ctx);
                }
            },
            News::Synced(_) if !self.works => {
                self.work(Phase::Now, ctx);
                self.initialize_next(ctx);
            }
            News::Synced(_) => {}
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let (settings, standing) = (self.settings.clone(), self.standing);
        *self = CloudController::new(settings, self.cluster, self.supervisor, standing);
        self.election.start(start, standing, ctx);
        if self.election.is_leader() {
            self.client.watch(ctx, Kind::Node, Selector::All);
            self.work(Phase::Stationary, ctx);
        }
    }

    fn elected(&mut self, ctx: &mut Ctx<Event>) {
        let message = Text::from(format!("{} became leader", self.election.identity()));
        let (lock, kind) = (self.election.lock().clone(), EventType::Normal);
        self.client.record(ctx, PROGRAM, kind, &lock, "LeaderElection", message);
        self.client.watch(ctx, Kind::Node, Selector::All);
    }

    fn work(&mut self, phase: Phase, ctx: &mut Ctx<Event>) {
        self.works = true;
        let monitor = Activity {
            rule: "kubernetes.cloudNodeMonitorPeriod",
            period: self.settings.monitor_period,
            jitter_percent: 0,
            rhythm: Rhythm::AfterEnd,
            path: Path::Server,
        };
        ctx.every(MONITOR, monitor, phase);
    }

    /// Looks at every Node, one after the other.
    fn pass(&mut self, ctx: &mut Ctx<Event>) {
        let caches = &self.client.caches;
        if caches.are_synced() {
            let nodes = caches.list(Kind::Node);
            self.left = nodes.map(|node| node.name().clone()).collect();
        }
        self.look_at_next(ctx);
    }

    fn look_at_next(&mut self, ctx: &mut Ctx<Event>) {
        while let Some(name) = self.left.pop_front() {
            let Some(object) = self.node(&name) else { continue };
            let Some(node) = object.node() else { continue };
            ctx.turn_of(self.heard.get(&name).copied().unwrap_or_default(), None);
            if !node.conditions.is("Ready", Status::True) {
                let verb = Verb::List(Kind::VirtualMachine, Selector::All, Freshness::Latest);
                return self.cloud.ask(ctx, AGENT, verb, Token::Machines(name));
            }
            if is_tainted(node) {
                let free = |node: &mut Node| node.taints.retain(|taint| !is_shutdown(taint));
                return self.write(&object, free, ctx);
            }
        }
        ctx.rest(MONITOR);
    }

    /// The Supervisor has said which machines there are.
    fn machines_listed(&mut self, name: &Text, answered: &Answered, ctx: &mut Ctx<Event>) {
        let machines = match answered {
            Ok(Answer::List(_, machines)) => machines,
            Ok(_) => return self.look_at_next(ctx),
            Err(error) => {
                ctx.log(format!("error checking if node {name} exists: {}", error.message));
                return self.look_at_next(ctx);
            }
        };
        let Some(object) = self.node(name) else { return self.look_at_next(ctx) };
        let Some(node) = object.node() else { return self.look_at_next(ctx) };
        ctx.turn_of(self.heard.get(name).copied().unwrap_or_default(), None);
        let found = machine_of(&object, node, &self.settings.provider_prefix, machines);
        if let Some((key, _)) = found {
            self.machines.insert(name.clone(), key.clone());
        } else if let Some(missed) = self.machines.get(name) {
            ctx.missed(missed);
        }
        match found {
            None => self.delete(&object, ctx),
            Some((_, machine)) if machine.power == PowerState::PoweredOff && !is_tainted(node) => {
                let now = ctx.wall_clock();
                self.write(&object, |node| node.taints.push(shutdown(now)), ctx);
            }
            Some(_) => self.look_at_next(ctx),
        }
    }

    fn delete(&mut self, node: &Arc<Object>, ctx: &mut Ctx<Event>) {
        let name = node.name();
        ctx.log(format!("deleting node since it is no longer present in cloud provider: {name}"));
        let message =
            format!("Deleting node {name} because it does not exist in the cloud provider");
        let (kind, reason) = (EventType::Normal, "DeletingNode");
        self.client.record(ctx, AGENT, kind, node.key(), reason, message.into());
        let verb = Verb::Delete { key: node.key().clone(), grace: None, uid: None };
        self.client.ask(ctx, AGENT, verb, Token::Written);
    }

    fn write(&mut self, node: &Arc<Object>, change: impl FnOnce(&mut Node), ctx: &mut Ctx<Event>) {
        let mut changed = Object::clone(node);
        if let Some(body) = changed.node_mut() {
            change(body);
        }
        let verb = Verb::Patch { base: node.clone(), changed: Arc::new(changed) };
        self.client.ask(ctx, AGENT, verb, Token::Written);
    }

    fn node(&self, name: &Text) -> Option<Arc<Object>> {
        let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: name.clone() };
        self.client.caches.get(&key).cloned()
    }
}

/// The VirtualMachine that a Node runs on, by the UUID in its `providerID`; without one, by the name.
fn machine_of<'a>(
    object: &Object,
    node: &Node,
    prefix: &Text,
    machines: &'a [Arc<Object>],
) -> Option<(&'a ObjectKey, &'a VirtualMachine)> {
    let mut bodies = machines
        .iter()
        .filter_map(|machine: &'a Arc<Object>| Some((machine.key(), machine.virtual_machine()?)));
    if node.provider_id.is_empty() {
        return bodies.find(|(key, _)| key.name == *object.name());
    }
    let uuid = node.provider_id.strip_prefix(prefix.as_str())?;
    bodies.find(|(_, machine)| machine.bios_uuid == *uuid)
}

fn is_tainted(node: &Node) -> bool {
    node.has_taint(taint::SHUTDOWN, TaintEffect::NoSchedule)
}

fn is_shutdown(found: &Taint) -> bool {
    found.is(taint::SHUTDOWN, TaintEffect::NoSchedule)
}

fn shutdown(now: SimTime) -> Taint {
    Taint::new(taint::SHUTDOWN, TaintEffect::NoSchedule, Some(now))
}
