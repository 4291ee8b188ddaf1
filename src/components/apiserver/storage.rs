//! What the API server makes of etcd's refusals and silences: which calls it makes again, and what
//! a user is told.
//!
//! Follows etcd's `client/v3/retry_interceptor.go`: a read that found etcd unavailable is made
//! again, a write only if it cannot have been heard; what etcd gave up for its own deadline is made
//! again either way. A user's own deadline ends it all.

use super::channel::Line;
use super::reflector::newest_of;
use super::{AT_DEADLINE, Apiserver, Event, Open, Stage};
use crate::api::{Answer, Answered, ApiError, Reason, Request, Verb};
use crate::engine::{Duration, SimTime, index_below};
use crate::infra::{Broken, Ctx};
use crate::wire::{Consistency, GrpcCode, StoreAnswer, StoreError, StoreOperation, StoreRequest};

/// Whether etcd's client makes failed calls again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    pub by_client: Retries,
    /// Between two tries.
    pub pause: Duration,
    /// How often a call is made.
    pub limit: u32,
}

/// Whether etcd's retry interceptor is in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// The tracing interceptor took its place: each failure is handed on (1.27 to 1.30).
    Overwritten,
    InPlace,
}

impl Apiserver {
    /// Asks etcd on behalf of a client's request.
    pub(super) fn ask_etcd(
        &mut self,
        id: u32,
        stage: Stage,
        operation: StoreOperation,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.stage = stage;
        let (sender, count) = (open.request.sender, open.request.count);
        let require_leader = false;
        let kind = operation.kind().expect("an API server asks for objects");
        let line = Line::Kind(kind);
        self.channels.send(
            line,
            StoreRequest { id, operation, require_leader, sender, count },
            ctx,
        );
    }

    /// Etcd failed a client's request: it is made again, or the client is told.
    pub(super) fn etcd_failed(
        &mut self,
        id: u32,
        is_proposal: bool,
        error: &StoreError,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.tries += 1;
        let left = open.tries < self.settings.retry.limit;
        if left && self.repeats(is_proposal, error) {
            let pause = self.settings.retry.pause;
            return ctx.after("kubernetes.etcdRetryPause", pause, Event::AskEtcdAgain(id));
        }
        self.answer(id, Err(ApiError::new(Reason::Unknown, words(error))), ctx);
    }

    /// Makes the call again that etcd has failed. Whatever has become of the cache meanwhile, a list's
    /// read is the same read: etcd's client makes it again, who knows of no cache.
    pub(super) fn ask_etcd_again(&mut self, id: u32, ctx: &mut Ctx<Event>) {
        let (Some(stage), Some(verb)) = (self.stage_of(id), self.verb_of(id)) else { return };
        let operation = match (&stage, verb) {
            (Stage::AskingRevision, Verb::List(kind, ..)) => newest_of(kind),
            (Stage::Reading, Verb::List(kind, ..)) => {
                StoreOperation::Range(kind, Consistency::Linearizable)
            }
            _ => {
                self.wait_in(id, Stage::Serving);
                return self.serve(id, ctx);
            }
        };
        self.ask_etcd(id, stage, operation, ctx);
    }

    /// True if etcd's client makes such a call again by itself.
    pub(super) fn repeats(&self, is_proposal: bool, error: &StoreError) -> bool {
        self.settings.retry.by_client == Retries::InPlace
            && match error.code {
                // Not the caller's deadline: that one would have ended the call itself.
                GrpcCode::DeadlineExceeded => true,
                GrpcCode::Unavailable => !is_proposal,
                _ => false,
            }
    }

    /// The connection to etcd is over.
    pub(super) fn etcd_broken(&mut self, channel: u8, how: Broken, ctx: &mut Ctx<Event>) {
        // Simplified: the real log has such a line for each channel.
        let was_open = !matches!(how, Broken::Refused | Broken::Unanswered);
        if was_open && self.channels.are_connected() {
            ctx.log("etcd: transport is closing; retrying");
        }
        let why = match how {
            Broken::Lost | Broken::Unanswered => {
                "keepalive ping failed to receive ACK within timeout"
            }
            Broken::Closed | Broken::Reset | Broken::Refused => {
                "error reading from server: read tcp 127.0.0.1->127.0.0.1:2379: read: connection \
                 reset by peer"
            }
        };
        let error = StoreError::new(GrpcCode::Unavailable, why);
        let lost = self.channels.on_broken(channel, how, ctx);
        self.tell_if_serves(ctx);
        if Line::Watch.is(channel) {
            self.reopen_watch(ctx);
        }
        for (id, is_proposal) in lost {
            match self.own.contains_key(&id) {
                true => self.own_lost(id, &error, ctx),
                false => self.etcd_failed(id, is_proposal, &error, ctx),
            }
        }
    }

    /// Answers the requests whose time is over.
    pub(super) fn give_up_late(&mut self, ctx: &mut Ctx<Event>) {
        let now = ctx.now();
        if !self.deadline.has_come(now) {
            return;
        }
        let late: Vec<u32> =
            self.open.iter().filter(|(_, open)| open.is_late(now)).map(|(id, _)| *id).collect();
        for id in late {
            self.channels.forget(id);
            let Some(open) = self.open.get(&id) else { continue };
            let error = match self.is_aborted(open, ctx) {
                true => aborted(open),
                false => ApiError::new(Reason::Timeout, open.timed_out()),
            };
            self.answer(id, Err(error), ctx);
        }
        if let Some(next) = self.open.values().filter_map(|open| open.deadline).min() {
            self.set_deadline(next, ctx);
        }
    }

    /// A reading request's deadline wakes both its handler and the filter that answers for it
    /// (`k/k:staging/src/k8s.io/apiserver/pkg/server/filters/timeout.go`). If the handler has begun to
    /// write, the filter can but end the stream.
    fn is_aborted(&self, open: &Open, ctx: &Ctx<Event>) -> bool {
        let Request { sender, count, .. } = open.request;
        let drawn = index_below(100, ctx.draw_for(AT_DEADLINE, sender, count));
        !open.request.verb.is_mutating() && drawn < self.settings.aborted_percent
    }

    pub(super) fn set_deadline(&mut self, deadline: SimTime, ctx: &mut Ctx<Event>) {
        if self.deadline.set(deadline) {
            let left = deadline.since(ctx.now());
            ctx.after("kubernetes.requestTimeout", left, Event::Deadline);
        }
    }

    /// Who asked for a request, as the store notes it down.
    pub(super) fn author(&self, id: u32) -> Option<(&'static str, u32)> {
        self.open.get(&id).map(|open| (open.request.agent, open.writer.0))
    }

    pub(super) fn stage_of(&self, id: u32) -> Option<Stage> {
        self.open.get(&id).map(|open| open.stage.clone())
    }

    pub(super) fn wait_in(&mut self, id: u32, stage: Stage) {
        if let Some(open) = self.open.get_mut(&id) {
            open.stage = stage;
        }
    }

    pub(super) fn verb_of(&self, id: u32) -> Option<Verb> {
        self.open.get(&id).map(|open| open.request.verb.clone())
    }
}

impl Open {
    /// What its client is told when its time is over.
    fn timed_out(&self) -> &'static str {
        match self.request.verb.is_mutating() {
            true => {
                "Timeout: request did not complete within requested timeout - context deadline \
                 exceeded"
            }
            false => "Timeout: request did not complete within the allotted timeout",
        }
    }

    fn is_late(&self, now: SimTime) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// How a client learns that its stream has ended without an answer.
fn aborted(open: &Open) -> ApiError {
    let stream = 2 * u64::from(open.request.id) + 1;
    ApiError::unreachable(format!(
        "stream error: stream ID {stream}; INTERNAL_ERROR; received from peer"
    ))
}

/// An error of etcd as its client words it: etcd's own texts stand alone.
pub fn words(error: &StoreError) -> String {
    match error.message.starts_with("etcdserver: ") {
        true => error.message.to_string(),
        false => format!("rpc error: code = {:?} desc = {}", error.code, error.message),
    }
}

/// The answer to a request that is served by one operation.
pub fn plain_answer(stage: &Stage, verb: &Verb, answer: StoreAnswer) -> Answered {
    match (stage, verb, answer) {
        (_, Verb::Get(key), StoreAnswer::Value(_, None)) => Err(ApiError::not_found(key)),
        (_, _, StoreAnswer::Value(_, Some(object))) | (_, _, StoreAnswer::Committed(object)) => {
            Ok(Answer::Object(object))
        }
        (_, Verb::List(_, selector, _), StoreAnswer::Values(revision, mut items)) => {
            items.retain(|object| selector.matches(object));
            Ok(Answer::List(revision, items))
        }
        (Stage::Creating(key), _, StoreAnswer::Conflict(_)) => Err(ApiError::already_exists(key)),
        (Stage::Updating(key), _, StoreAnswer::Conflict(None)) => Err(ApiError::not_found(key)),
        (Stage::Updating(key), _, StoreAnswer::Conflict(Some(_))) => Err(ApiError::conflict(key)),
        (_, verb, _) => Err(unfitting(verb)),
    }
}

/// What etcd answers belongs to another question: a broken rule of the store's.
fn unfitting(verb: &Verb) -> ApiError {
    ApiError::new(Reason::InternalError, format!("etcd answered a {} with nonsense", verb.name()))
}
