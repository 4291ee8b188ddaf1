//! Leader election: candidates for one Lease, of whom one holds it and works.
//!
//! Follows client-go's `tools/leaderelection/leaderelection.go`. Nobody compares the Lease's times
//! with his own clock: what counts is for how long the record has not been seen to change.
//!
//! ```text
//! candidate ── every 2.0 to 4.4 s: look ─> held, and seen to change within 15 s ─> wait on
//!    └ nobody's, or unchanged for 15 s ─> write it ─> leader
//! leader ── 2 s after each success: write ── fails ─> again every 2 s; for 10 s in vain ─> lost
//! ```
//! Up to 1.29 a leader looks before it writes. One that finds another's name in its Lease only looks
//! from then on, silently: for the rest of its 10 s two lead.
//! What an outcome means is its owner's matter: a process whose leadership is lost ends.

mod record;
mod release;
mod settings;

pub use settings::{ElectionRules, ElectionSettings, Renewal};

use super::api::{Alarm, Api, Incoming, Ring, USUAL};
use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Reason, Verb};
use crate::engine::{Duration, Owner, Purpose, SimTime, Text, Timer, below};
use crate::infra::{Address, Broken, ConnectionId, Ctx, Input, Start};
use crate::wire::Message;
use std::sync::Arc;

/// How a candidate begins when the run begins in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has been leading for long.
    Leader,
    /// It has been waiting for long.
    Standby,
}

/// What an input was to an election.
#[derive(Clone, Debug)]
pub enum Heard<E> {
    /// It was for somebody else.
    NotMine(Input<E>),
    /// It was for the election; there is nothing to do about it.
    Nothing,
    /// By it the process leads from now on.
    Elected,
}

/// What has just become of a candidate or leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Unchanged,
    Elected,
    Lost,
    /// Its last request has been answered.
    Released,
}

/// One candidate, with a client of its own.
#[derive(Clone, Debug)]
pub struct LeaderElection {
    number: u8,
    settings: ElectionSettings,
    lock: ObjectKey,
    api: Api<Asked>,
    identity: Text,
    role: Role,
    /// The Lease as it was last seen, and when it was seen to change.
    observed: Option<(Arc<Object>, SimTime)>,
    /// The try that is under way began then.
    began: SimTime,
    attempt: Timer,
    over: Timer,
    asked: u64,
    /// The last failure as it was logged: the same again says nothing new.
    complaint: Text,
}

/// Where a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It does not take part (yet, or any more).
    Idle,
    Candidate,
    Leader(Round),
    /// It gives its Lease away, and that comes of it.
    Releasing(Verdict),
}

/// A leader's tries to renew its Lease, until one succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Round {
    began: SimTime,
    /// When the last try was due.
    tick: SimTime,
    /// It has failed at least once, so its end is set.
    failing: bool,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Look,
    Create,
    /// The leader writes without looking.
    Renew,
    Write,
    /// Nobody is to hold it any more.
    Release,
}

/// The draws for candidates' pauses, and for identities.
const PAUSE: Purpose = Purpose(60_200);
const IDENTITY: Purpose = Purpose(60_201);
const AGENT: &str = "leader-election";

/// The id by which a process that has been running for long holds its Lease: its host and a UUID.
pub fn steady_identity(host: &Text, process: Owner) -> Text {
    identity(host, process.part(0).number(), process.part(1).number())
}

fn identity(host: &Text, high: u64, low: u64) -> Text {
    let digits = format!("{high:016x}{low:016x}");
    let (time, version) = (&digits[0..12], &digits[13..16]);
    let (variant, node) = (&digits[17..20], &digits[20..32]);
    Text::from(format!("{host}_{}-{}-4{version}-a{variant}-{node}", &time[..8], &time[8..]))
}

impl LeaderElection {
    /// A candidate for the Lease of this name that does not take part yet.
    pub fn new(
        number: u8,
        server: Address,
        lease: &'static str,
        settings: ElectionSettings,
    ) -> LeaderElection {
        LeaderElection::for_lock(number, server, lock(lease), settings)
    }

    /// The same for a Lease anywhere.
    pub fn for_lock(
        number: u8,
        server: Address,
        lock: ObjectKey,
        settings: ElectionSettings,
    ) -> LeaderElection {
        LeaderElection {
            number,
            settings,
            lock,
            api: Api::new(number, server, settings.deadline.scaled(1, 2), settings.retries),
            identity: Text::EMPTY,
            role: Role::Idle,
            observed: None,
            began: SimTime::ZERO,
            attempt: Timer::default(),
            over: Timer::default(),
            asked: 0,
            complaint: Text::EMPTY,
        }
    }

    /// The Lease's key.
    pub fn lock(&self) -> &ObjectKey {
        &self.lock
    }

    /// Its id: its host, and a UUID of this process.
    pub fn identity(&self) -> &Text {
        &self.identity
    }

    /// True if it does not take part yet, or any more.
    pub fn is_idle(&self) -> bool {
        self.role == Role::Idle
    }

    /// True if it holds the Lease as far as it knows.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// For how long a leader does nothing once it has renewed its Lease; none of who does not lead: he
    /// who finds that he holds it begins to work.
    pub fn pause_after_renewal(&self) -> Option<Duration> {
        self.is_leader().then_some(self.settings.retry)
    }

    /// Takes part from now on: as a new candidate, or as it has stood for long.
    pub fn start<E: From<Alarm>>(&mut self, start: Start, standing: Standing, ctx: &mut Ctx<E>) {
        let now = ctx.now();
        if self.settings.release_on_cancel {
            ctx.catch_term();
        }
        self.identity = match start {
            Start::Steady => steady_identity(ctx.host(), ctx.owner()),
            Start::Fresh => {
                let (high, low) = (ctx.draw(IDENTITY), ctx.draw(IDENTITY));
                identity(ctx.host(), high, low)
            }
        };
        self.role = Role::Candidate;
        match (start, standing) {
            (Start::Steady, Standing::Leader) => {
                self.role = Role::Leader(Round { began: now, tick: now, failing: false });
                let phase = below(self.settings.retry, ctx.draw(PAUSE));
                self.try_after(phase, ctx);
            }
            (Start::Steady, Standing::Standby) => {
                let pause = self.pause(ctx);
                let phase = below(pause, ctx.draw(PAUSE));
                self.try_after(phase, ctx);
            }
            (Start::Fresh, _) => self.try_now(ctx),
        }
    }

    /// Takes an input if it is the election's; `alarm` finds the client's timer in a process's own
    /// event. A process that has lost its Lease says so and ends.
    pub fn hear<E: From<Alarm>>(
        &mut self,
        input: Input<E>,
        alarm: impl FnOnce(&E) -> Option<Alarm>,
        ctx: &mut Ctx<E>,
    ) -> Heard<E> {
        let verdict = match input {
            Input::Message(from, message) if self.is_on(from) => {
                self.on_message(from, message, ctx)
            }
            Input::Broken(connection, how) if self.is_on(connection) => {
                self.on_broken(connection, how, ctx)
            }
            Input::Due(event) => match alarm(&event) {
                Some(alarm) if alarm.client == self.number => self.on_alarm(alarm.ring, ctx),
                _ => return Heard::NotMine(Input::Due(event)),
            },
            Input::Terminate if self.settings.release_on_cancel => {
                self.terminate(ctx);
                Verdict::Unchanged
            }
            other => return Heard::NotMine(other),
        };
        match verdict {
            Verdict::Unchanged => {}
            Verdict::Elected => return Heard::Elected,
            Verdict::Lost => {
                ctx.log("leaderelection lost");
                ctx.exit();
            }
            Verdict::Released => ctx.exit(),
        }
        Heard::Nothing
    }

    /// True if this is its connection.
    fn is_on(&self, connection: ConnectionId) -> bool {
        self.api.is_on(connection)
    }

    /// Takes a message on its connection.
    pub(super) fn on_message<E: From<Alarm>>(
        &mut self,
        from: ConnectionId,
        message: Message,
        ctx: &mut Ctx<E>,
    ) -> Verdict {
        let incoming = self.api.on_message(ctx, from, message);
        self.take(incoming.into_iter().collect(), ctx)
    }

    /// Notes that its connection is over.
    pub(super) fn on_broken<E: From<Alarm>>(
        &mut self,
        connection: ConnectionId,
        how: Broken,
        ctx: &mut Ctx<E>,
    ) -> Verdict {
        let failed = self.api.on_broken(ctx, connection, how);
        self.take(failed, ctx)
    }

    /// One of its timers rang.
    pub(super) fn on_alarm<E: From<Alarm>>(&mut self, ring: Ring, ctx: &mut Ctx<E>) -> Verdict {
        match ring {
            Ring::Deadline | Ring::Again(_) => {
                let late = self.api.on_alarm(ctx, ring);
                return self.take(late, ctx);
            }
            Ring::Attempt(due) if self.attempt.is_current(due) => self.begin_try(ctx),
            Ring::RenewalOver(due) if self.over.is_current(due) => {
                let lock = self.path();
                ctx.log(format!("failed to renew lease {lock}: context deadline exceeded"));
                if !self.release(Verdict::Lost, ctx) {
                    return Verdict::Lost;
                }
            }
            _ => {}
        }
        Verdict::Unchanged
    }

    fn take<E: From<Alarm>>(
        &mut self,
        incoming: Vec<Incoming<Asked>>,
        ctx: &mut Ctx<E>,
    ) -> Verdict {
        let mut verdict = Verdict::Unchanged;
        for one in incoming {
            let Incoming::Answer(asked, answered) = one else { continue };
            let is_awaited = match self.role {
                Role::Idle => false,
                Role::Releasing(_) => asked == Asked::Release,
                Role::Candidate | Role::Leader(_) => true,
            };
            if is_awaited {
                let now = self.answered(asked, answered, ctx);
                verdict = if now == Verdict::Unchanged { verdict } else { now };
            }
        }
        verdict
    }

    /// A try begins. Whoever was seen to hold the Lease writes at once, where the release does so.
    fn begin_try<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) {
        self.began = ctx.now();
        if let Role::Leader(round) = &mut self.role
            && !round.failing
        {
            (round.began, round.tick) = (self.began, self.began);
        }
        let is_unread = self.settings.renewal != Renewal::Read;
        match (&self.observed, is_unread && self.is_holder() && self.is_valid()) {
            (Some((object, _)), true) => {
                let verb = Verb::Update(Arc::new(record::renewed(object, ctx.wall_clock())));
                self.ask(verb, Asked::Renew, ctx);
            }
            _ => self.ask(Verb::Get(self.lock.clone()), Asked::Look, ctx),
        }
    }

    fn answered<E: From<Alarm>>(
        &mut self,
        asked: Asked,
        answered: Answered,
        ctx: &mut Ctx<E>,
    ) -> Verdict {
        match (asked, answered) {
            (Asked::Look, Ok(Answer::Object(object))) => self.looked(object, ctx),
            (Asked::Look, Err(error)) if error.reason == Reason::NotFound => {
                let new = self.claim(None, ctx.wall_clock());
                self.ask(Verb::Create(Arc::new(new)), Asked::Create, ctx);
            }
            (Asked::Create | Asked::Renew | Asked::Write, Ok(Answer::Object(object))) => {
                self.observed = Some((object, ctx.now()));
                return self.succeeded(ctx);
            }
            (Asked::Renew, Err(error)) => {
                if let Renewal::Unread(word) = self.settings.renewal {
                    let words = format!("Failed to update lock {word}: {error}");
                    self.complain(format!("{words}, falling back to slow path"), ctx);
                }
                self.ask(Verb::Get(self.lock.clone()), Asked::Look, ctx);
            }
            (Asked::Release, answered) => {
                if let Err(error) = answered {
                    ctx.log(format!("Failed to release lock: {error}"));
                }
                return match self.role {
                    Role::Releasing(verdict) => verdict,
                    _ => Verdict::Released,
                };
            }
            (asked, Err(error)) => {
                let words = match asked {
                    Asked::Look => format!("error retrieving resource lock {}", self.path()),
                    Asked::Create => "error initially creating leader election record".to_owned(),
                    Asked::Renew | Asked::Write | Asked::Release => {
                        "Failed to update lock".to_owned()
                    }
                };
                self.complain(format!("{words}: {error}"), ctx);
                self.failed(ctx);
            }
            (_, Ok(_)) => self.failed(ctx),
        }
        Verdict::Unchanged
    }

    /// The Lease as it is: whether it may be taken.
    fn looked<E: From<Alarm>>(&mut self, object: Arc<Object>, ctx: &mut Ctx<E>) {
        let seen = match &self.observed {
            Some((old, at)) if old.lease() == object.lease() => *at,
            _ => ctx.now(),
        };
        self.observed = Some((object.clone(), seen));
        let is_held = object.lease().is_some_and(|lease| !lease.holder.is_empty());
        if is_held && !self.is_holder() && self.is_valid() {
            return self.failed(ctx);
        }
        let written = match self.is_holder() {
            true => record::renewed(&object, ctx.wall_clock()),
            false => self.claim(Some(&object), ctx.wall_clock()),
        };
        self.ask(Verb::Update(Arc::new(written)), Asked::Write, ctx);
    }

    /// True if the Lease as it was last seen has this candidate's name.
    fn is_holder(&self) -> bool {
        let lease = self.observed.as_ref().and_then(|(object, _)| object.lease());
        lease.is_some_and(|lease| lease.holder == self.identity)
    }

    /// True if the Lease was seen to change within its duration, counted at the try's beginning.
    fn is_valid(&self) -> bool {
        self.observed.as_ref().is_some_and(|(object, at)| {
            let duration = object.lease().map_or(Duration::ZERO, |lease| lease.duration);
            *at + duration > self.began
        })
    }

    fn succeeded<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) -> Verdict {
        let now = ctx.now();
        self.complaint = Text::EMPTY;
        self.over.cancel();
        let first = self.role == Role::Candidate;
        self.role = Role::Leader(Round { began: now, tick: now, failing: false });
        if first {
            ctx.log(format!("successfully acquired lease {}", self.path()));
            // The first renewal follows at once.
            self.try_now(ctx);
            return Verdict::Elected;
        }
        self.try_after(self.settings.retry, ctx);
        Verdict::Unchanged
    }

    fn failed<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) {
        let now = ctx.now();
        let Role::Leader(round) = &mut self.role else {
            let pause = self.pause(ctx);
            return self.try_after(pause, ctx);
        };
        let retry = self.settings.retry;
        // A ticker: what was missed while a try took long comes at once, and only once.
        let missed = now.since(round.tick).as_micros() / retry.as_micros().max(1);
        let next = if missed > 0 { now } else { round.tick + retry };
        round.tick = if missed > 0 { round.tick + retry * missed } else { next };
        if !std::mem::replace(&mut round.failing, true) {
            let left = (round.began + self.settings.deadline).since(now);
            let ring = Ring::RenewalOver(self.over.restart());
            let alarm = Alarm { client: self.number, ring };
            ctx.after(self.settings.rules.deadline, left, E::from(alarm));
        }
        self.try_after(next.since(now), ctx);
    }

    /// A candidate's pause.
    fn pause<E>(&self, ctx: &mut Ctx<E>) -> Duration {
        let ElectionSettings { retry, jitter_percent, .. } = self.settings;
        retry + below(retry.scaled(jitter_percent, 100), ctx.draw(PAUSE))
    }

    fn try_now<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) {
        self.attempt.cancel();
        self.begin_try(ctx);
    }

    fn try_after<E: From<Alarm>>(&mut self, pause: Duration, ctx: &mut Ctx<E>) {
        let ring = Ring::Attempt(self.attempt.restart());
        let alarm = Alarm { client: self.number, ring };
        ctx.after(self.settings.rules.retry, pause, E::from(alarm));
    }

    /// Each counts for itself: elections shift nobody's draws.
    fn ask<E: From<Alarm>>(&mut self, verb: Verb, asked: Asked, ctx: &mut Ctx<E>) {
        self.asked += 1;
        let sender = ctx.owner().part(Owner::named(AGENT).number());
        let limit = (USUAL, self.settings.deadline.scaled(1, 2));
        self.api.send_as(ctx, AGENT, verb, asked, limit, sender, self.asked);
    }

    fn complain<E>(&mut self, words: String, ctx: &mut Ctx<E>) {
        if self.complaint != words.as_str() {
            self.complaint = Text::from(words);
            ctx.log(self.complaint.clone());
        }
    }

    fn path(&self) -> String {
        format!("{}/{}", self.lock.namespace, self.lock.name)
    }
}

/// The Lease of this name, where those of a cluster's own components are.
pub fn lock(lease: &'static str) -> ObjectKey {
    let namespace = Text::word("kube-system");
    ObjectKey { kind: Kind::Lease, namespace, name: Text::word(lease) }
}
