//! The shell in which a controller runs: queue, workers, backoff, and talking to API servers.
//!
//! It plays reconciles step by step. Follows controller-runtime's controller and client-go's sample
//! controller; what any controller decides is not known here.

use super::api::Alarm;
use super::clients::Clients;
use super::queue::{Backoff, BackoffRules, WorkQueue};
use super::reconcile::{Ask, EventDraft, Ground, Outcome, Reconciler, Reply, Step, View};
use crate::api::{Answered, ObjectKey};
use crate::engine::{Delay, Duration, Purpose, Rule, Text};
use crate::infra::Ctx;
use crate::timeline::Cause;
use crate::wire::{DatacenterRequest, TaskEnd};
use std::collections::{BTreeMap, VecDeque};

/// A request of a reconcile; its answer resumes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    pub controller: u8,
    pub key: ObjectKey,
}

/// What a manager of Cluster API asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerToken {
    Flight(Flight),
    /// The regular look whether the workload cluster's API answers.
    Probe,
}

impl From<Flight> for ManagerToken {
    fn from(flight: Flight) -> ManagerToken {
        ManagerToken::Flight(flight)
    }
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

/// What a manager that is nothing but controllers reacts to, besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerEvent {
    Client(Alarm),
    Work(Work),
}

impl From<Alarm> for ManagerEvent {
    fn from(alarm: Alarm) -> ManagerEvent {
        ManagerEvent::Client(alarm)
    }
}

impl From<Work> for ManagerEvent {
    fn from(work: Work) -> ManagerEvent {
        ManagerEvent::Work(work)
    }
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
    pub rules: &'static ShellRules,
}

/// What the waits of a shell are there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellRules {
    pub workers: Rule,
    pub backoff: BackoffRules,
    pub minimum_gap: Rule,
    pub thinking: Rule,
}

impl ShellRules {
    /// Of a controller of Cluster API, or of another that is built on controller-runtime.
    pub const CONTROLLER_RUNTIME: &'static ShellRules = &ShellRules {
        workers: "clusterApi.workers",
        backoff: BackoffRules {
            first: "clusterApi.backoffFirst",
            limit: "clusterApi.backoffLimit",
        },
        minimum_gap: "clusterApi.reconcileGap",
        thinking: "clusterApi.thinking",
    };

    /// Of a controller of Kubernetes' own.
    pub const CONTROLLER_MANAGER: &'static ShellRules = &ShellRules {
        workers: "kubernetes.controllerWorkers",
        backoff: BackoffRules {
            first: "kubernetes.controllerBackoffFirst",
            limit: "kubernetes.controllerBackoffLimit",
        },
        minimum_gap: "kubernetes.controllerBackoffFirst",
        thinking: "kubernetes.controllerThinking",
    };
}

/// A reconcile that waits.
#[derive(Clone, Debug)]
struct InFlight<S> {
    state: S,
    cause: Cause,
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
    starved: VecDeque<(ObjectKey, Cause)>,
    /// Calls that the owner has not made yet.
    calls: Vec<(ObjectKey, DatacenterRequest)>,
}

/// How often a manager that starts looks whether its caches are filled.
const SYNC_POLL: Duration = Duration::from_millis(100);

const NO_WAIT: (Rule, Duration) = ("", Duration::ZERO);

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
            calls: Vec::new(),
        }
    }

    /// Wants an object reconciled, because of what led to the current event.
    pub fn enqueue<E: From<Work>>(&mut self, ctx: &mut Ctx<E>, key: &ObjectKey) {
        self.enqueue_after(ctx, key, &[]);
    }

    /// The same after a while, together with what else comes until then.
    pub fn enqueue_later<E: From<Work>>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        wait: (Rule, Duration),
    ) {
        self.enqueue_after(ctx, key, &[wait]);
    }

    /// Wants an object reconciled after these waits.
    fn enqueue_after<E: From<Work>>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        waits: &[(Rule, Duration)],
    ) {
        let cause = ctx.cause();
        let delay = waits.iter().fold(Duration::ZERO, |sum, (_, wait)| sum + *wait);
        if let Some((pause, generation)) = self.queue.add(key, delay, cause, ctx.now()) {
            let call = Call::Begin(generation);
            let work = Work { controller: self.number, key: key.clone(), call };
            let held_by = self.queue.held_by(key, self.settings.rules.minimum_gap);
            let gap = (held_by, pause.saturating_sub(delay));
            let [first, second] = [0, 1].map(|n| waits.get(n).copied().unwrap_or(NO_WAIT));
            ctx.after_all(&[first, second, gap], E::from(work));
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
                ctx.after("the caches are filled first", SYNC_POLL, E::from(work.clone()));
            }
            Call::Begin(generation) => {
                let held = self.queue.hold_back(&work.key, generation, ctx.now());
                if let Some((rule, pause, generation)) = held {
                    let work = Work { call: Call::Begin(generation), ..work.clone() };
                    return ctx.after(rule, pause, E::from(work));
                }
                let Some(cause) = self.queue.begin(&work.key, generation, ctx.now()) else {
                    return;
                };
                // What it waited for until its turn came is told already.
                let cause = Cause { step: ctx.cause().step, ..cause };
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

    /// The calls of reconciles that wait for them, to be made by the owner.
    pub fn take_calls(&mut self) -> Vec<(ObjectKey, DatacenterRequest)> {
        std::mem::take(&mut self.calls)
    }

    /// A call of this shell has ended.
    pub fn on_task<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        end: Result<TaskEnd, Text>,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        self.resume(ctx, key, Reply::Task(end), clients);
    }

    fn begin<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        cause: Cause,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        ctx.because(cause);
        let step = self.look(ctx, key, clients, |reconciler, view| reconciler.begin(key, view));
        let cause = ctx.cause();
        let must_succeed = matches!(step, Step::Write(..));
        match step {
            // The caches were read now; computing what follows takes its time.
            Step::Ask(ask, state) | Step::Write(ask, state) => {
                let decided = Some(ask);
                self.flights.insert(key.clone(), InFlight { state, cause, must_succeed, decided });
                let purpose = Purpose(THINKING + u16::from(self.number));
                let thinking = ctx.draw_delay(purpose, self.settings.thinking);
                let work = Work { controller: self.number, key: key.clone(), call: Call::Decided };
                ctx.after(self.settings.rules.thinking, thinking, E::from(work));
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
        let limit = clients.limit_of(&ask);
        if let Some(ground) = ask.ground {
            go_back_to(ctx, *ground);
        }
        let (client, agent) = (clients.of(ask.target), self.reconciler.agent());
        match self.reconciler.counts_for_itself() {
            true => client.ask_counting_for_itself(ctx, agent, ask.verb, T::from(flight), limit),
            false => client.ask_within(ctx, agent, ask.verb, T::from(flight), limit),
        }
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
        let step = self
            .look(ctx, key, clients, |reconciler, view| reconciler.resume(key, state, reply, view));
        let cause = ctx.cause();
        self.take(ctx, key, step, cause, clients);
    }

    /// Lets the reconciler decide, then records what it said.
    fn look<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        clients: &mut Clients<T>,
        decide: impl FnOnce(&mut R, &mut View) -> Step<R::State>,
    ) -> Step<R::State>
    where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let (now, skew) = (ctx.now(), ctx.skew());
        let mut draw = |purpose| ctx.draw(purpose);
        let mut view = View {
            now,
            skew,
            local: &clients.local.caches,
            remote: clients.remote_caches(),
            draw: &mut draw,
            events: Vec::new(),
            logs: Vec::new(),
            grounded: Vec::new(),
            found: Cause::NONE,
            elapsed: None,
            deferred: None,
        };
        let step = decide(&mut self.reconciler, &mut view);
        let View { events, logs, grounded, found, elapsed, deferred, .. } = view;
        if let Some((rule, until)) = deferred {
            self.queue.defer(key, rule, until);
        }
        if ctx.cause().is_none() {
            ctx.turn_of(found, None);
        }
        let cause = ctx.cause();
        for (ground, line) in grounded {
            go_back_to(ctx, ground);
            ctx.log(line);
            ctx.because(cause);
        }
        let source = self.reconciler.agent();
        let mut record = |ctx: &mut Ctx<E>, event: EventDraft| {
            let EventDraft { kind, regarding, reason, message, .. } = event;
            clients.local.record(ctx, source, kind, &regarding, reason, message);
        };
        let (grounded, events): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.ground.is_some());
        for mut event in grounded {
            if let Some(ground) = event.ground.take() {
                go_back_to(ctx, *ground);
            }
            record(ctx, event);
            ctx.because(cause);
        }
        if let Some(elapsed) = elapsed {
            ctx.elapsed(elapsed);
        }
        for line in logs {
            ctx.log(line);
        }
        for event in events {
            record(ctx, event);
        }
        step
    }

    fn take<E, T>(
        &mut self,
        ctx: &mut Ctx<E>,
        key: &ObjectKey,
        step: Step<R::State>,
        cause: Cause,
        clients: &mut Clients<T>,
    ) where
        E: From<Work> + From<Alarm>,
        T: Clone + From<Flight>,
    {
        let must_succeed = matches!(step, Step::Write(..));
        match step {
            Step::Ask(ask, state) | Step::Write(ask, state) => {
                self.keep(key, state, cause, must_succeed);
                self.send(ctx, key, ask, clients);
            }
            Step::Call(request, state) => {
                self.keep(key, state, cause, must_succeed);
                self.calls.push((key.clone(), request));
            }
            Step::Wait(rule, delay, state) => {
                self.keep(key, state, cause, must_succeed);
                let work = Work { controller: self.number, key: key.clone(), call: Call::Resume };
                ctx.after(rule, delay, E::from(work));
            }
            Step::Done(outcome) => self.end(ctx, key, &outcome, clients),
        }
    }

    fn keep(&mut self, key: &ObjectKey, state: R::State, cause: Cause, must: bool) {
        let flight = InFlight { state, cause, must_succeed: must, decided: None };
        self.flights.insert(key.clone(), flight);
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
            Some([self.queue.fail(key, &self.settings.rules.backoff), NO_WAIT])
        } else {
            self.queue.succeed(key);
            outcome.requeue_after
        };
        let dirty = self.queue.end(key);
        if let Some(waits) = again {
            self.enqueue_after(ctx, key, &waits);
        }
        if let Some(cause) = dirty {
            ctx.turn_of(cause, None);
            self.enqueue(ctx, key);
        }
        self.queue.forget(key);
        if let Some((key, cause)) = self.starved.pop_front() {
            ctx.turn_of(cause, Some(self.settings.rules.workers));
            self.begin(ctx, &key, cause, clients);
        }
    }
}

/// Names what led to what follows.
fn go_back_to<E>(ctx: &mut Ctx<E>, ground: Ground) {
    let Ground { heard, written } = ground;
    ctx.because(heard.or(ctx.cause()));
    if let Some(written) = written {
        ctx.because_written(written);
    }
}
