//! The shell in which a controller runs: queue, workers, backoff, and talking to API servers.
//!
//! A reconcile is resumable plain data. It never sends anything itself: it returns the next step,
//! and the shell delivers the answer. Follows controller-runtime's controller and client-go's
//! sample controller; what any controller decides is not known here.

use super::api::Alarm;
use super::cluster::{Caches, Client};
use super::queue::{Backoff, WorkQueue};
use crate::api::kinds::EventType;
use crate::api::{Answered, ObjectKey, Verb};
use crate::engine::{Delay, Duration, Purpose, SimTime, Text};
use crate::infra::Ctx;
use crate::timeline::EntryId;
use std::collections::{BTreeMap, VecDeque};

/// A controller: what to do about one object, step by step.
pub trait Reconciler {
    /// Where a reconcile in flight stands; one variant for each place where it waits.
    type State: Clone + std::fmt::Debug;

    /// The controller's user agent and the source of its Events.
    fn agent(&self) -> &'static str;

    /// Begins to reconcile an object.
    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<Self::State>;

    /// Goes on with the answer to the last step.
    fn resume(
        &mut self,
        key: &ObjectKey,
        state: Self::State,
        reply: Reply,
        view: &mut View,
    ) -> Step<Self::State>;
}

/// The next step of a reconcile.
#[derive(Clone, Debug)]
pub enum Step<S> {
    /// Asks; any answer, good or bad, resumes the reconcile.
    Ask(Ask, S),
    /// Writes; a failure ends the reconcile with an error.
    Write(Ask, S),
    /// Blocks its worker for a while.
    Wait(Duration, S),
    Done(Outcome),
}

/// A request to one of the two clusters.
#[derive(Clone, Debug)]
pub struct Ask {
    pub target: Target,
    pub verb: Verb,
}

/// Which cluster: the one whose objects are reconciled, or the one that they describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Local,
    Remote,
}

/// What resumes a reconcile.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer(Answered),
    /// The wait is over.
    Elapsed,
}

/// How a reconcile ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The earliest time at which the answer can change by itself.
    pub requeue_after: Option<Duration>,
    /// It failed, and is tried again with a growing pause.
    pub error: Option<Text>,
}

/// What a reconcile sees, and what it says beside its steps.
pub struct View<'a> {
    pub now: SimTime,
    pub local: &'a Caches,
    pub remote: &'a Caches,
    /// For draws that are the controller's own, such as the suffix of a new name.
    pub draw: &'a mut dyn FnMut(Purpose) -> u64,
    pub events: Vec<EventDraft>,
    pub logs: Vec<Text>,
}

/// An Event to record in the local cluster.
#[derive(Clone, Debug)]
pub struct EventDraft {
    pub kind: EventType,
    pub regarding: ObjectKey,
    pub reason: &'static str,
    pub message: Text,
}

/// The clients of a manager; without a remote one, both clusters are the same.
#[derive(Clone, Debug)]
pub struct Clients<T> {
    pub local: Client<T>,
    pub remote: Option<Client<T>>,
}

/// A request of a reconcile; its answer resumes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    pub controller: u8,
    pub key: ObjectKey,
}

/// A timer of a shell. Shells are numbered by their process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub controller: u8,
    pub key: ObjectKey,
    pub call: Call,
}

/// What a shell's timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A key's turn has come, if this is still its latest setting.
    Begin(u32),
    /// A reconcile's wait is over.
    Resume,
    /// A reconcile has decided: its first request goes out.
    Decided,
}

/// How a shell behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellSettings {
    pub workers: usize,
    pub backoff: Backoff,
    /// Between two beginnings of work on one object.
    pub minimum_gap: Duration,
    /// The controller's own time from reading its caches until its first request.
    pub thinking: Delay,
}

/// A reconcile that waits.
#[derive(Clone, Debug)]
struct InFlight<S> {
    state: S,
    cause: Option<EntryId>,
    /// True if a bad answer ends it with an error.
    must_succeed: bool,
    /// The first request, while the reconcile is still thinking.
    decided: Option<Ask>,
}

/// A controller with its queue and the reconciles in flight.
#[derive(Clone, Debug)]
pub struct Shell<R: Reconciler> {
    number: u8,
    pub reconciler: R,
    queue: WorkQueue,
    settings: ShellSettings,
    flights: BTreeMap<ObjectKey, InFlight<R::State>>,
    /// Keys whose turn came while every worker was busy.
    starved: VecDeque<(ObjectKey, Option<EntryId>)>,
}

impl Outcome {
    /// Nothing more to do until something changes.
    pub fn done() -> Outcome {
        Outcome::default()
    }

    /// Look again after a while.
    pub fn after(delay: Duration) -> Outcome {
        Outcome { requeue_after: Some(delay), error: None }
    }

    /// Failed; try again with a growing pause.
    pub fn error(why: impl Into<Text>) -> Outcome {
        Outcome { requeue_after: None, error: Some(why.into()) }
    }
}

impl<S> Step<S> {
    /// Ends, with nothing more to do until something changes.
    pub fn done() -> Step<S> {
        Step::Done(Outcome::done())
    }

    /// Writes to the local cluster.
    pub fn write(verb: Verb, then: S) -> Step<S> {
        Step::Write(Ask { target: Target::Local, verb }, then)
    }

    /// Writes to the remote cluster.
    pub fn write_remote(verb: Verb, then: S) -> Step<S> {
        Step::Write(Ask { target: Target::Remote, verb }, then)
    }

    /// Asks the remote cluster.
    pub fn ask_remote(verb: Verb, then: S) -> Step<S> {
        Step::Ask(Ask { target: Target::Remote, verb }, then)
    }

    /// Asks the local cluster.
    pub fn ask(verb: Verb, then: S) -> Step<S> {
        Step::Ask(Ask { target: Target::Local, verb }, then)
    }
}

impl View<'_> {
    /// Records a Normal Event.
    pub fn event(&mut self, regarding: &ObjectKey, reason: &'static str, message: impl Into<Text>) {
        self.say(EventType::Normal, regarding, reason, message.into());
    }

    /// Records a Warning Event.
    pub fn warn(&mut self, regarding: &ObjectKey, reason: &'static str, message: impl Into<Text>) {
        self.say(EventType::Warning, regarding, reason, message.into());
    }

    fn say(&mut self, kind: EventType, regarding: &ObjectKey, reason: &'static str, message: Text) {
        self.events.push(EventDraft { kind, regarding: regarding.clone(), reason, message });
    }
}

impl<T: Clone> Clients<T> {
    /// The client of a target.
    pub fn of(&mut self, target: Target) -> &mut Client<T> {
        match (target, &mut self.remote) {
            (Target::Remote, Some(remote)) => remote,
            _ => &mut self.local,
        }
    }

    /// True once every informer of both has had its first list.
    pub fn are_synced(&self) -> bool {
        self.local.caches.are_synced() && self.remote_caches().are_synced()
    }

    /// The caches that describe the remote cluster.
    pub fn remote_caches(&self) -> &Caches {
        self.remote.as_ref().map_or(&self.local.caches, |remote| &remote.caches)
    }
}

/// How often a manager that starts looks whether its caches are filled.
const SYNC_POLL: Duration = Duration::from_millis(100);

/// Purpose of the draws for a shell's thinking time; the shell's number is added.
const THINKING: u16 = 61_000;

impl<R: Reconciler> Shell<R> {
    /// A shell with an empty queue.
    pub fn new(number: u8, reconciler: R, settings: ShellSettings) -> Shell<R> {
        Shell {
            number,
            reconciler,
            queue: WorkQueue::new(settings.backoff, settings.minimum_gap),
            settings,
            flights: BTreeMap::new(),
            starved: VecDeque::new(),
        }
    }

    /// Wants an object reconciled, because of what led to the current event.
    pub fn enqueue<E: From<Work>>(&mut self, ctx: &mut Ctx<E>, key: &ObjectKey) {
        self.enqueue_after(ctx, key, Duration::ZERO);
    }

    /// Wants an object reconciled after a while.
    pub fn enqueue_after<E: From<Work>>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        delay: Duration,
    ) {
        let cause = ctx.cause();
        if let Some((pause, generation)) = self.queue.add(key, delay, cause, ctx.now()) {
            let call = Call::Begin(generation);
            let work = Work { controller: self.number, key: key.clone(), call };
            ctx.after(pause, E::from(work));
        }
    }

    /// A timer of this shell fell due.
    pub fn on_work<E, T>(&mut self, ctx: &mut Ctx<E>, work: &Work, clients: &mut Clients<T>)
    where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        match work.call {
            // As in controller-runtime: nobody works before the caches have had their first list.
            Call::Begin(_) if !clients.are_synced() => {
                ctx.after(SYNC_POLL, E::from(work.clone()));
            }
            Call::Begin(generation) => {
                let Some(cause) = self.queue.begin(&work.key, generation, ctx.now()) else {
                    return;
                };
                if self.flights.len() >= self.settings.workers {
                    return self.starved.push_back((work.key.clone(), cause));
                }
                self.begin(ctx, &work.key, cause, clients);
            }
            Call::Resume => self.resume(ctx, &work.key, Reply::Elapsed, clients),
            Call::Decided => {
                let flight = self.flights.get_mut(&work.key);
                if let Some((ask, cause)) = flight.and_then(|f| Some((f.decided.take()?, f.cause)))
                {
                    ctx.because(cause);
                    self.send(ctx, &work.key, ask, clients);
                }
            }
        }
    }

    /// The answer to a request of this shell arrived.
    pub fn on_answer<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        answered: Answered,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        self.resume(ctx, key, Reply::Answer(answered), clients);
    }

    fn begin<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        cause: Option<EntryId>,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        ctx.because(cause);
        let step = self.look(ctx, clients, |reconciler, view| reconciler.begin(key, view));
        let must_succeed = matches!(step, Step::Write(..));
        match step {
            // The caches were read now; computing what follows takes its time.
            Step::Ask(ask, state) | Step::Write(ask, state) => {
                let decided = Some(ask);
                self.flights.insert(key.clone(), InFlight { state, cause, must_succeed, decided });
                let purpose = Purpose(THINKING + u16::from(self.number));
                let thinking = ctx.draw_delay(purpose, self.settings.thinking);
                let work = Work { controller: self.number, key: key.clone(), call: Call::Decided };
                ctx.after(thinking, E::from(work));
            }
            step => self.take(ctx, key, step, cause, clients),
        }
    }

    fn send<E, T>(&mut self, ctx: &mut Ctx<E>, key: &ObjectKey, ask: Ask, clients: &mut Clients<T>)
    where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let flight = Flight { controller: self.number, key: key.clone() };
        clients.of(ask.target).ask(ctx, self.reconciler.agent(), ask.verb, T::from(flight));
    }

    fn resume<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        reply: Reply,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let Some(InFlight { state, cause, must_succeed, .. }) = self.flights.remove(key) else {
            return;
        };
        if let (true, Reply::Answer(Err(error))) = (must_succeed, &reply) {
            let outcome = Outcome::error(error.message.clone());
            return self.end(ctx, key, &outcome, clients);
        }
        // What was just written leads on, if it was an entry; a mere wait leads back to the cause.
        let cause = ctx.cause().or(cause);
        ctx.because(cause);
        let step =
            self.look(ctx, clients, |reconciler, view| reconciler.resume(key, state, reply, view));
        self.take(ctx, key, step, cause, clients);
    }

    /// Lets the reconciler decide, then records what it said.
    fn look<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        clients: &mut Clients<T>,
        decide: impl FnOnce(&mut R, &mut View) -> Step<R::State>,
    ) -> Step<R::State>
    where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let now = ctx.now();
        let mut draw = |purpose| ctx.draw(purpose);
        let mut view = View {
            now,
            local: &clients.local.caches,
            remote: clients.remote_caches(),
            draw: &mut draw,
            events: Vec::new(),
            logs: Vec::new(),
        };
        let step = decide(&mut self.reconciler, &mut view);
        let View { events, logs, .. } = view;
        for line in logs {
            ctx.log(line);
        }
        let source = self.reconciler.agent();
        for EventDraft { kind, regarding, reason, message } in events {
            clients.local.record(ctx, source, kind, &regarding, reason, message);
        }
        step
    }

    fn take<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        step: Step<R::State>,
        cause: Option<EntryId>,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let must_succeed = matches!(step, Step::Write(..));
        match step {
            Step::Ask(ask, state) | Step::Write(ask, state) => {
                let decided = None;
                self.flights.insert(key.clone(), InFlight { state, cause, must_succeed, decided });
                self.send(ctx, key, ask, clients);
            }
            Step::Wait(delay, state) => {
                let decided = None;
                self.flights.insert(key.clone(), InFlight { state, cause, must_succeed, decided });
                let work = Work { controller: self.number, key: key.clone(), call: Call::Resume };
                ctx.after(delay, E::from(work));
            }
            Step::Done(outcome) => self.end(ctx, key, &outcome, clients),
        }
    }

    fn end<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        outcome: &Outcome,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let again = if outcome.error.is_some() {
            Some(self.queue.fail(key))
        } else {
            self.queue.succeed(key);
            outcome.requeue_after
        };
        let dirty = self.queue.end(key);
        if let Some(pause) = again {
            self.enqueue_after(ctx, key, pause);
        }
        if let Some(cause) = dirty {
            ctx.because(cause);
            self.enqueue(ctx, key);
        }
        self.queue.forget(key);
        if let Some((key, cause)) = self.starved.pop_front() {
            self.begin(ctx, &key, cause, clients);
        }
    }
}
