//! kube-scheduler: binds each Pod to a Node that fits.
//!
//! It knows Nodes and Pods as its watch shows them, and the Pods that it has bound itself and not
//! heard of yet. Follows `k/k:pkg/scheduler`.
//!
//! Simplified: one Pod at a time, no preemption, no priorities.

mod choose;
mod fit;
mod flushing;
#[cfg(test)]
mod flushing_tests;
mod leading;
#[cfg(test)]
mod leading_tests;
mod queue;
mod requeue;
#[cfg(test)]
mod requeue_tests;
mod score;
#[cfg(test)]
mod score_tests;
#[cfg(test)]
mod tests;

use crate::api::kinds::{Condition, EventType, Pod, Status};
use crate::api::{Answered, ApiError, Kind, Object, ObjectKey, Selector, Verb};
use crate::client::{
    Alarm, Client, ClientSettings, Delta, ElectionSettings, LeaderElection, News, Standing,
};
use crate::engine::{Delay, Duration, Purpose, Text};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use crate::wire::Message;
use fit::Misfits;
use queue::Queue;
pub use requeue::Requeue;
use requeue::{NodeChange, Refusals};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the scheduler behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// How long it thinks about one Pod.
    pub cycle: Delay,
    /// `podInitialBackoffSeconds`, `podMaxBackoffSeconds`.
    pub backoff_first: Duration,
    pub backoff_limit: Duration,
    /// Who is asked whether a change lets a waiting Pod fit.
    pub requeue: Requeue,
    /// Rule: a Pod that may fit now is tried in spite of its backoff while no other is to be.
    pub pops_backoff: bool,
    /// How often it looks whose backoff is over.
    pub backoff_check: Duration,
    /// After how long an unschedulable Pod is tried again without a reason, and how often it looks.
    pub unschedulable_timeout: Duration,
    pub unschedulable_check: Duration,
    /// How it words why no Node fits.
    pub wording: Wording,
    /// For how long a new process waits for whom to trust before it listens.
    pub lookup_timeout: Duration,
    pub election: ElectionSettings,
}

/// How a release words `FailedScheduling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// Names each taint.
    EachTaint,
    /// `node(s) had untolerated taint(s)`, and a word on claims (1.34).
    TaintsTogether,
}

/// What the scheduler reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// Thinking about the Pod is over.
    Decide(ObjectKey),
}

impl Event {
    fn alarm(&self) -> Option<Alarm> {
        match self {
            Event::Client(alarm) => Some(*alarm),
            _ => None,
        }
    }
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Binding(ObjectKey, Text),
    /// The condition that says why a Pod waits.
    Condition,
    /// Whom to trust as a front proxy; it goes on without.
    Authentication,
}

/// The scheduler.
#[derive(Clone, Debug)]
pub struct Scheduler {
    settings: Settings,
    server: Address,
    standing: Standing,
    election: LeaderElection,
    client: Client<Token>,
    queue: Queue,
    /// Pods that are bound as far as the scheduler is concerned, until the watch shows it.
    assumed: BTreeMap<ObjectKey, Text>,
}

const AGENT: &str = "default-scheduler";
/// What it watches (`k/k:pkg/scheduler/eventhandlers.go`, and the informers of its plugins). It looks at Nodes and
/// Pods only, but takes no part in an election before it has listed them all.
const WATCHED: [Kind; 7] = [
    Kind::Node,
    Kind::Pod,
    Kind::Service,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::PersistentVolumeClaim,
    Kind::PodDisruptionBudget,
];
/// It watches as many kinds that are not here: Namespaces, ReplicationControllers, persistent volumes, storage
/// classes and what CSI drivers tell. Nothing of them is ever seen, but each has a pause of its own, and the
/// longest of all decides when a new scheduler is ready.
const UNSEEN: [Kind; 7] = [Kind::PersistentVolumeClaim; 7];
const CYCLE: Purpose = Purpose(0);
const TIE: Purpose = Purpose(1);
const FLUSH: ActivityId = ActivityId(0);
const FLUSH_BACKOFF: ActivityId = ActivityId(1);

impl Scheduler {
    /// A scheduler with its API server, and how it stands if the run begins with it.
    pub fn new(settings: Settings, server: Address, standing: Standing) -> Scheduler {
        let election =
            LeaderElection::new(leading::CLIENT, server, leading::PROGRAM, settings.election);
        Scheduler {
            standing,
            election,
            client: Client::new(0, server, settings.client),
            queue: Queue::new(
                settings.backoff_first,
                settings.backoff_limit,
                settings.pops_backoff,
            ),
            assumed: BTreeMap::new(),
            settings,
            server,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        let Some(input) = self.election_input(input, ctx) else { return };
        match input {
            Input::Started(start) => self.start(start, ctx),
            // Simplified: `/healthz` does not look at the Lease; who loses it exits anyway.
            Input::Message(from, Message::HealthCheck(id, _)) => {
                ctx.send(from, Message::Health(id, 200, Text::EMPTY));
            }
            Input::Message(from, message) => self.client.on_message(ctx, from, message, &mut news),
            Input::Broken(connection, how) => {
                self.client.on_broken(ctx, connection, how, &mut news);
            }
            Input::Due(Event::Client(alarm)) => self.client.on_alarm(ctx, alarm, &mut news),
            Input::Due(Event::Decide(pod)) => self.decide(&pod, ctx),
            Input::Tick(FLUSH_BACKOFF) => self.flush_backoff(ctx),
            Input::Tick(_) => self.flush(ctx),
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
                News::Answer(token, answered) => self.on_answer(token, &answered, ctx),
                News::Synced(_) => self.take_part(ctx),
            }
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = Scheduler::new(self.settings, self.server, self.standing);
        match start {
            Start::Steady => {
                self.election.start(start, self.standing, ctx);
                self.begin(start, ctx);
            }
            Start::Fresh => self.look_up_trust(ctx),
        }
    }

    /// Its informers and its queue begin.
    fn begin(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        for kind in WATCHED {
            self.client.watch(ctx, kind, Selector::All);
        }
        for kind in UNSEEN {
            self.client.watch(ctx, kind, Selector::Named(Text::EMPTY));
        }
        if start == Start::Steady && self.election.is_leader() {
            self.run_queue(start, ctx);
        }
    }

    fn on_change(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        match delta.key().kind {
            Kind::Pod => self.pod_changed(delta, ctx),
            Kind::Node => self.node_changed(delta, ctx),
            _ => {}
        }
    }

    fn pod_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = delta.key();
        let waiting = delta.new.as_ref().filter(|object| waits(object));
        let is_same = |new: &Arc<Object>| {
            let old = delta.old.as_ref();
            old.is_some_and(|old| waits(old) && old.meta.uid == new.meta.uid)
        };
        if waiting.is_some_and(is_same) {
            return;
        }
        self.assumed.remove(key);
        self.queue.remove(key);
        if has_left_its_node(delta) {
            self.room_is_free(ctx);
        }
        // Also one that took another's name while the watch was away.
        if waiting.is_some() {
            self.queue.add(key.clone(), ctx.now(), ctx.cause());
            self.take_next(ctx);
        }
    }

    /// More room, fewer taints: who waits may fit now.
    fn node_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let waits = self.queue.unschedulable_pods().next().is_some();
        let Some(new) = delta.new.as_ref().filter(|_| waits) else { return };
        let there = self.pods_on(new.name());
        let change = NodeChange { old: delta.old.as_deref(), new, there: &there };
        let may_fit = |(key, refusals): &(&ObjectKey, Refusals)| {
            let pod = self.client.caches.get(key).and_then(|object| object.pod());
            pod.is_some_and(|pod| change.may_help(self.settings.requeue, pod, *refusals))
        };
        let fit: Vec<ObjectKey> =
            self.queue.unschedulable_pods().filter(may_fit).map(|(key, _)| key.clone()).collect();
        self.queue.wake(ctx.now(), ctx.cause(), |key, _| fit.contains(key));
        self.take_woken(ctx);
    }

    /// Pods that have waited for very long are tried again without a reason.
    fn flush(&mut self, ctx: &mut Ctx<Event>) {
        self.queue.flush(ctx.now(), self.settings.unschedulable_timeout);
        self.take_woken(ctx);
    }

    fn take_next(&mut self, ctx: &mut Ctx<Event>) {
        if !self.election.is_leader() {
            return;
        }
        if let Some(key) = self.queue.take() {
            let cycle = ctx.draw_delay(CYCLE, self.settings.cycle);
            ctx.after("kubernetes.schedulingCycle", cycle, Event::Decide(key));
        }
    }

    fn decide(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        if let Some(object) = self.client.caches.get(key).cloned()
            && let Some(pod) = object.pod().filter(|pod| pod.node_name.is_empty())
            && !object.meta.is_deleting()
        {
            ctx.turn_of(self.queue.cause_of(key), None);
            match self.choose(&object, pod, ctx) {
                Ok(node) => self.bind(&object, node, ctx),
                Err(misfits) => self.give_up(&object, &misfits, ctx),
            }
        }
        self.queue.decided();
        self.take_next(ctx);
    }

    fn bind(&mut self, object: &Arc<Object>, node: Text, ctx: &mut Ctx<Event>) {
        let key = object.key().clone();
        self.assumed.insert(key.clone(), node.clone());
        self.queue.bind(&key);
        let verb = Verb::Bind { pod: key.clone(), uid: object.meta.uid, node: node.clone() };
        self.client.ask(ctx, AGENT, verb, Token::Binding(key, node));
    }

    fn on_answer(&mut self, token: Token, answered: &Answered, ctx: &mut Ctx<Event>) {
        let (key, node) = match token {
            Token::Binding(key, node) => (key, node),
            Token::Condition => return,
            Token::Authentication => return self.trust_looked_up(answered, ctx),
        };
        match answered {
            Ok(_) => {
                let message =
                    format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
                let (kind, reason) = (EventType::Normal, "Scheduled");
                self.client.record(ctx, AGENT, kind, &key, reason, message.into());
            }
            Err(error) => self.not_bound(key, error, ctx),
        }
    }

    /// What the Pod was assumed to take up is free again, and it is tried once more
    /// (`handleBindingCycleError`, `handleSchedulingFailure`).
    fn not_bound(&mut self, key: ObjectKey, error: &ApiError, ctx: &mut Ctx<Event>) {
        self.assumed.remove(&key);
        self.room_is_free(ctx);
        if !self.queue.fail(&key, ctx.now(), ctx.cause()) {
            return;
        }
        self.take_woken(ctx);
        if let Some(object) = self.client.caches.get(&key).cloned() {
            let why = format!("running Bind plugin \"DefaultBinder\": {}", error.message);
            self.say_why(&object, "SchedulerError", why.into(), ctx);
        }
    }

    /// A Pod takes up no room any more: who waits for that is tried.
    fn room_is_free(&mut self, ctx: &mut Ctx<Event>) {
        let may_fit = |_: &ObjectKey, refusals: Refusals| refusals.end_of_a_pod_may_help();
        self.queue.wake(ctx.now(), ctx.cause(), may_fit);
        self.take_woken(ctx);
    }

    fn give_up(&mut self, object: &Arc<Object>, misfits: &Misfits, ctx: &mut Ctx<Event>) {
        let key = object.key();
        let nodes = self.client.caches.of(Kind::Node).map_or(0, |cache| cache.len());
        let message = Text::from(misfits.message(nodes, self.settings.wording));
        self.queue.give_up(key, Refusals::of(misfits), ctx.now());
        self.say_why(object, "Unschedulable", message, ctx);
    }

    /// Tells the Pod why it has no Node yet.
    fn say_why(
        &mut self,
        object: &Arc<Object>,
        reason: &'static str,
        message: Text,
        ctx: &mut Ctx<Event>,
    ) {
        let mut changed = Object::clone(object);
        let said = changed.pod_mut().is_some_and(|pod| {
            let [kind, reason] = ["PodScheduled", reason].map(Text::word);
            let why =
                Condition::new(kind, Status::False, reason, message.clone(), ctx.wall_clock());
            pod.conditions.say(why)
        });
        if said {
            let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
            self.client.ask(ctx, AGENT, verb, Token::Condition);
        }
        let key = object.key();
        self.client.record(ctx, AGENT, EventType::Warning, key, "FailedScheduling", message);
    }
}

/// True for a Pod that is to get a Node.
fn waits(object: &Arc<Object>) -> bool {
    let unbound = |pod: &Pod| pod.node_name.is_empty() && !pod.phase.is_terminal();
    !object.meta.is_deleting() && object.pod().is_some_and(unbound)
}

/// True if a Pod does not take up room on a Node any more: it is gone, or has ended.
fn has_left_its_node(delta: &Delta) -> bool {
    let is_there = |object: &Arc<Object>| {
        object.pod().is_some_and(|pod| !pod.node_name.is_empty() && !pod.phase.is_terminal())
    };
    delta.old.as_ref().is_some_and(is_there) && !delta.new.as_ref().is_some_and(is_there)
}
