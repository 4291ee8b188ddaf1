//! A client of one cluster: requests, informers and an event recorder over one connection.

use super::Backoff;
use super::api::{Alarm, Api, Incoming, Limit, Ring, USUAL};
use super::informer::{Cache, Delta, Informer};
use super::recorder::{Recorder, RecorderSettings, Sent};
use super::retry::RetrySettings;
use super::throttle::{Pace, Turn};
use crate::api::{Answer, Answered, ApiError, Kind, Object, ObjectKey, Reason, Selector, Verb};
use crate::engine::{Duration, Generation, Owner, Purpose, Text, below};
use crate::infra::{Address, Broken, ConnectionId, Ctx};
use crate::timeline::Cause;
use crate::wire::Message;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// How long it waits for an answer.
    pub request_timeout: Duration,
    pub retries: RetrySettings,
    /// An informer's first pause after a failure, and its longest.
    pub relist_first: Duration,
    pub relist_limit: Duration,
    /// Each pause is longer by a random part of it, up to this percentage.
    pub relist_jitter_percent: u64,
    /// Without a failure for so long, the next is a first one again.
    pub relist_reset: Duration,
    pub recorder: RecorderSettings,
}

/// A client of one cluster; `T` says what an answer is for.
#[derive(Clone, Debug)]
pub struct Client<T> {
    number: u8,
    settings: ClientSettings,
    pub api: Api<Token<T>>,
    pub caches: Caches,
    pub(super) recorder: Recorder,
    /// How often each agent that counts for itself has asked.
    asked: BTreeMap<&'static str, u64>,
}

/// The caches of a client's informers.
#[derive(Clone, Debug, Default)]
pub struct Caches {
    informers: Vec<Informer>,
    /// The entry that each object's watch told of last.
    heard: BTreeMap<ObjectKey, Cause>,
    /// The entry with which each object that is gone went.
    gone: BTreeMap<ObjectKey, Cause>,
}

/// What a request is for: the client's own informers and events, or its user's.
#[derive(Clone, Debug)]
pub enum Token<T> {
    List(u8),
    Watch(u8),
    Event(Box<Sent>),
    Own(T),
}

impl<T> Token<T> {
    /// The place of the informer that it belongs to.
    fn informer(&self) -> Option<u8> {
        match self {
            Token::List(place) | Token::Watch(place) => Some(*place),
            Token::Event(_) | Token::Own(_) => None,
        }
    }
}

/// What a client has to tell its user.
#[derive(Clone, Debug)]
pub enum News<T> {
    /// An informer's cache changed.
    Changed(Delta),
    /// An informer has its first list.
    Synced(Kind),
    Answer(T, Answered),
}

/// Purpose of the draws for pauses; the informer's place is added.
const RELIST: u16 = 60_100;

impl Caches {
    /// The object of this key, as last heard.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.of(key.kind).and_then(|cache| cache.get(key))
    }

    /// The object of this kind and name in a namespace.
    pub fn named(&self, kind: Kind, namespace: &Text, name: &Text) -> Option<&Arc<Object>> {
        self.get(&ObjectKey { kind, namespace: namespace.clone(), name: name.clone() })
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        self.of(kind).into_iter().flat_map(Cache::iter)
    }

    /// The cache of a kind, if there is an informer for it.
    pub fn of(&self, kind: Kind) -> Option<&Cache> {
        self.informers.iter().find(|informer| informer.kind == kind).map(|i| &i.cache)
    }

    /// The entry that the watch told of last about this object.
    pub fn heard_of(&self, key: &ObjectKey) -> Option<Cause> {
        self.heard.get(key).copied()
    }

    /// The entry by which the watch told that there is no such object any more.
    pub fn heard_end_of(&self, key: &ObjectKey) -> Option<Cause> {
        self.gone.get(key).copied()
    }

    /// Notes what a watch event told of; one that only renews tells nothing.
    fn hear(&mut self, delta: &Delta, cause: Cause) {
        match (&delta.new, cause.entry) {
            (None, entry) => {
                self.heard.remove(delta.key());
                self.gone.extend(entry.map(|_| (delta.key().clone(), cause)));
            }
            (Some(object), Some(_)) => {
                self.gone.remove(object.key());
                self.heard.insert(object.key().clone(), cause);
            }
            (Some(_), None) => {}
        }
    }

    /// True if there is no informer.
    pub fn hold_nothing(&self) -> bool {
        self.informers.is_empty()
    }

    /// True once the informer of a kind has had its first list.
    pub fn is_synced(&self, kind: Kind) -> bool {
        self.informers.iter().any(|informer| informer.kind == kind && informer.synced)
    }

    /// True once every informer has had its first list.
    pub fn are_synced(&self) -> bool {
        self.informers.iter().all(|informer| informer.synced)
    }
}

impl<T: Clone> Client<T> {
    /// A client that knows nothing yet.
    pub fn new(number: u8, server: Address, settings: ClientSettings) -> Client<T> {
        Client {
            number,
            settings,
            api: Api::new(number, server, settings.request_timeout, settings.retries),
            caches: Caches::default(),
            recorder: Recorder::default(),
            asked: BTreeMap::new(),
        }
    }

    /// The same, with limits for its agents; its informers have none.
    ///
    /// Simplified: those of the real managers share a limit of their own, which a few dozen of them reach for a
    /// second at a start.
    pub fn paced(self, pace: Pace) -> Client<T> {
        Client { api: self.api.paced(pace), ..self }
    }

    /// Starts an informer for a kind.
    pub fn watch<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, kind: Kind, selector: Selector) {
        let backoff = Backoff::new(self.settings.relist_first, self.settings.relist_limit);
        self.caches.informers.push(Informer::new(kind, selector, backoff));
        let place = self.caches.informers.len() - 1;
        self.relist(ctx, u8::try_from(place).expect("a process has few informers"));
    }

    /// Asks the API server; the answer comes back as news with `token`.
    pub fn ask<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
    ) {
        self.api.send(ctx, agent, verb, Token::Own(token));
    }

    /// Asks likewise, at its turn.
    pub fn ask_in_turn<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
        turn: Turn,
    ) {
        self.api.send_in_turn(ctx, agent, verb, Token::Own(token), turn);
    }

    /// Asks likewise, and gives up after a time of its own.
    pub fn ask_within<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
        limit: Limit,
    ) {
        self.api.send_within(ctx, agent, verb, Token::Own(token), limit);
    }

    /// Asks likewise, with an address of the agent's own for the server's draws.
    pub fn ask_counting_for_itself<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        agent: &'static str,
        verb: Verb,
        token: T,
        limit: Limit,
    ) {
        let asked = self.asked.entry(agent).or_insert(0);
        *asked += 1;
        let (sender, count) = (ctx.owner().part(Owner::named(agent).number()), *asked);
        self.api.send_as(ctx, agent, verb, Token::Own(token), limit, sender, count);
    }

    /// Takes a message, if it came on this client's connection.
    pub fn on_message<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        from: ConnectionId,
        message: Message,
        news: &mut Vec<News<T>>,
    ) {
        if let Some(incoming) = self.api.on_message(ctx, from, message) {
            self.take(ctx, incoming, news);
        }
    }

    /// Notes that a connection is over.
    pub fn on_broken<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        connection: ConnectionId,
        how: Broken,
        news: &mut Vec<News<T>>,
    ) {
        for incoming in self.api.on_broken(ctx, connection, how) {
            self.take(ctx, incoming, news);
        }
    }

    /// One of the client's timers rang.
    pub fn on_alarm<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        alarm: Alarm,
        news: &mut Vec<News<T>>,
    ) {
        if alarm.client != self.number {
            return;
        }
        match alarm.ring {
            Ring::Relist(place, due) if self.informer(place).timer.is_current(due) => {
                self.relist(ctx, place);
            }
            Ring::Rewatch(place, due) if self.informer(place).timer.is_current(due) => {
                self.rewatch(ctx, place);
            }
            Ring::Event(place, due) => self.try_event_again(ctx, place, due),
            Ring::Relist(..) | Ring::Rewatch(..) => {}
            Ring::Attempt(_) | Ring::RenewalOver(_) => {}
            Ring::Deadline | Ring::Again(_) => {
                for incoming in self.api.on_alarm(ctx, alarm.ring) {
                    self.take(ctx, incoming, news);
                }
            }
        }
    }

    /// Drops the connection, and hears nothing more; what waits for an answer fails.
    pub fn let_go<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, news: &mut Vec<News<T>>) {
        self.caches.informers.iter_mut().for_each(Informer::let_go);
        for incoming in self.api.let_go(ctx) {
            self.take(ctx, incoming, news);
        }
    }

    /// Lists everything anew, as a new client would; when all is there its kinds are synced again.
    pub fn begin_again<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>) {
        self.caches.heard.clear();
        self.caches.gone.clear();
        for place in 0..self.caches.informers.len() {
            self.caches.informers[place].begin_again();
            self.relist(ctx, u8::try_from(place).expect("a process has few informers"));
        }
    }

    /// The number by which its process knows it.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    pub(super) fn recorder_settings(&self) -> RecorderSettings {
        self.settings.recorder
    }

    fn relist<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, place: u8) {
        let informer = &self.caches.informers[usize::from(place)];
        let verb = Verb::List(informer.kind, informer.selector.clone(), informer.freshness());
        self.reflect(ctx, place, verb, Token::List(place));
    }

    /// Lists or watches again after a pause.
    fn later<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        place: u8,
        ring: fn(u8, Generation) -> Ring,
    ) {
        let ClientSettings { relist_jitter_percent, relist_reset, .. } = self.settings;
        let informer = &mut self.caches.informers[usize::from(place)];
        let paused = informer.pause(ctx.now(), relist_reset);
        let spread = paused.1.scaled(relist_jitter_percent, 100);
        let jitter = below(spread, ctx.draw(Purpose(RELIST + u16::from(place))));
        let ring = ring(place, informer.timer.restart());
        let alarm = Alarm { client: self.number, ring };
        ctx.after_all(&[paused, ("kubernetes.relistJitterPercent", jitter)], E::from(alarm));
    }

    fn rewatch<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, place: u8) {
        let informer = &self.caches.informers[usize::from(place)];
        let verb = Verb::Watch(informer.kind, informer.selector.clone(), informer.revision);
        self.reflect(ctx, place, verb, Token::Watch(place));
    }

    /// An informer counts its requests for itself: one informer more shifts no other draw.
    fn reflect<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        place: u8,
        verb: Verb,
        token: Token<T>,
    ) {
        let informer = &mut self.caches.informers[usize::from(place)];
        informer.asked += 1;
        let kind = Owner::named(informer.kind.name()).number();
        let (sender, count) = (ctx.owner().part(kind), informer.asked);
        let limit = (USUAL, self.settings.request_timeout);
        self.api.send_as(ctx, "reflector", verb, token, limit, sender, count);
    }

    fn take<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        incoming: Incoming<Token<T>>,
        news: &mut Vec<News<T>>,
    ) {
        let of_informer = match &incoming {
            Incoming::Answer(token, _)
            | Incoming::WatchEnded(token, _)
            | Incoming::Watch(token, _) => token.informer(),
        };
        if of_informer.is_some_and(|place| self.informer(place).idle) {
            return;
        }
        match incoming {
            Incoming::Answer(Token::Own(token), answered) => {
                news.push(News::Answer(token, answered));
            }
            Incoming::Answer(Token::List(place), answered) => {
                self.listed(ctx, place, answered, news);
            }
            Incoming::Answer(Token::Watch(place), Err(error)) => {
                self.watch_refused(ctx, place, &error);
            }
            Incoming::WatchEnded(Token::Watch(place), error) => {
                self.watch_ended(ctx, place, &error);
            }
            Incoming::Watch(Token::Watch(place), event) => {
                let delta = self.caches.informers[usize::from(place)].apply(event);
                self.caches.hear(&delta, ctx.cause());
                news.push(News::Changed(delta));
            }
            Incoming::Answer(Token::Event(sent), answered) => {
                self.event_answered(ctx, *sent, &answered);
            }
            // The confirmation of a watch.
            _ => {}
        }
    }

    fn informer(&mut self, place: u8) -> &mut Informer {
        &mut self.caches.informers[usize::from(place)]
    }

    fn listed<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        place: u8,
        answered: Answered,
        news: &mut Vec<News<T>>,
    ) {
        let (revision, items) = match answered {
            Ok(Answer::List(revision, items)) => (revision, items),
            answered => {
                let informer = &mut self.caches.informers[usize::from(place)];
                return match informer.list_failed(answered.err().as_ref()) {
                    true => self.relist(ctx, place),
                    false => self.later(ctx, place, Ring::Relist),
                };
            }
        };
        let informer = &mut self.caches.informers[usize::from(place)];
        let (deltas, is_first) = informer.replace(revision, items);
        let kind = informer.kind;
        news.extend(deltas.into_iter().map(News::Changed));
        if is_first {
            news.push(News::Synced(kind));
        }
        self.rewatch(ctx, place);
    }

    /// A watch cannot be opened. A server that is not there, or not ready, has lost nothing: the
    /// same is asked again. Else it is begun anew with a list.
    fn watch_refused<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, place: u8, error: &ApiError) {
        let refused = error.reason == Reason::Unreachable && error.message.contains("refused");
        let ring = match refused || error.reason == Reason::TooManyRequests {
            true => Ring::Rewatch,
            false => Ring::Relist,
        };
        self.later(ctx, place, ring);
    }

    /// A watch that was ended or cut off resumes where it was; one that ended in an error is begun
    /// anew with a list.
    fn watch_ended<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, place: u8, error: &ApiError) {
        let cut = error.message == "EOF" || error.message.contains("reset by peer");
        match error.reason == Reason::Unreachable && cut {
            true => self.rewatch(ctx, place),
            false => self.later(ctx, place, Ring::Relist),
        }
    }
}
