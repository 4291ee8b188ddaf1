//! Events: one that was recorded before only counts up, and one that nobody takes is tried again.
//!
//! A server that refuses an Event has it dropped. While none answers, the Events of a source wait
//! behind the first that failed, which is tried again every ten seconds, twelve times in all; what
//! waits is gone with the process. Follows `client-go:tools/record/event.go`. Simplified: while the
//! server answers, Events are sent at once, where the real ones go one after the other.

use super::api::{Alarm, Ring};
use super::cluster::{Client, Token};
use super::throttle::{EVENTS as LINE, Turn};
use crate::api::kinds::{EventType, KubeEvent};
use crate::api::{Answered, Kind, Meta, Object, ObjectKey, Reason, Verb, unix_micros};
use crate::engine::{Duration, Generation, Purpose, Text, Timer, below};
use crate::infra::Ctx;
use crate::timeline::Cause;
use crate::timeline::vocabulary::EVENTS;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a recorder behaves while nobody takes its Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderSettings {
    /// Tries of one Event.
    pub tries: u32,
    /// Between two tries; the first pause is a random part of it.
    pub pause: Duration,
    /// How many Events of a source may wait.
    pub queue: usize,
}

/// A client's recorder.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    recorded: BTreeMap<Recorded, Arc<Object>>,
    /// How many were recorded: their order.
    count: u64,
    sources: Vec<Source>,
}

/// An Event that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its source's place in the recorder's list.
    place: u8,
    number: u64,
    verb: Verb,
    cause: Cause,
}

/// What makes two Events one with a higher count.
type Recorded = (ObjectKey, Text, Text);

/// One source of Events, and those of its Events that nobody has taken yet.
#[derive(Clone, Debug, Default)]
struct Source {
    name: &'static str,
    /// In their order; the first is on its way, or waits for the timer.
    waiting: BTreeMap<u64, Sent>,
    /// Failures of the first.
    tries: u32,
    timer: Timer,
}

/// Purpose of the draws for first pauses.
const FIRST_PAUSE: Purpose = Purpose(60_001);

impl<T: Clone> Client<T> {
    /// Records an Event about an object; one that was recorded before only counts up.
    pub fn record<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        source: &'static str,
        kind: EventType,
        regarding: &ObjectKey,
        reason: &'static str,
        message: Text,
    ) {
        debug_assert!(EVENTS.contains(&reason), "add {reason} to src/timeline/vocabulary.rs");
        let now = ctx.wall_clock();
        let reason = Text::word(reason);
        let index = (regarding.clone(), reason.clone(), message.clone());
        if let Some(base) = self.recorder.recorded.get(&index).cloned() {
            let mut changed = Object::clone(&base);
            if let Some(event) = changed.event_mut() {
                event.count += 1;
                event.last = now;
            }
            let changed = Arc::new(changed);
            self.recorder.recorded.insert(index, changed.clone());
            return self.hand_over(ctx, source, Verb::Patch { base, changed });
        }
        let namespace = match regarding.namespace.is_empty() {
            true => Text::word("default"),
            false => regarding.namespace.clone(),
        };
        // As `makeEvent` names it: the nanoseconds of the clock in hex. What is recorded in one
        // microsecond is a few nanoseconds apart.
        let nanoseconds = unix_micros(now) * 1_000 + self.recorder.count % 1_000;
        let name = format!("{}.{nanoseconds:x}", regarding.name);
        let event = KubeEvent {
            kind,
            regarding: regarding.clone(),
            reason,
            message,
            source: Text::word(source),
            count: 1,
            first: now,
            last: now,
        };
        let object = Arc::new(Object::new(Meta::new(Kind::Event, namespace, name), event));
        self.recorder.recorded.insert(index, object.clone());
        self.hand_over(ctx, source, Verb::Create(object));
    }

    /// Sends an Event, or has it wait behind those that nobody has taken.
    fn hand_over<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, name: &'static str, verb: Verb) {
        let place = self.recorder.place_of(name);
        self.recorder.count += 1;
        let number = self.recorder.count;
        let sent = Sent { place, number, verb, cause: ctx.cause() };
        let limit = self.recorder_settings().queue;
        let waiting = &mut self.recorder.source(place).waiting;
        if waiting.is_empty() {
            self.send_event(ctx, sent);
        } else if waiting.len() < limit {
            waiting.insert(number, sent);
        }
    }

    /// The pause after a failure is over.
    pub(super) fn try_event_again<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        place: u8,
        due: Generation,
    ) {
        if self.recorder.source(place).timer.is_current(due) {
            self.send_first(ctx, place);
        }
    }

    /// What came of an Event that was sent.
    pub(super) fn event_answered<E: From<Alarm>>(
        &mut self,
        ctx: &mut Ctx<E>,
        mut sent: Sent,
        answered: &Answered,
    ) {
        let reason = answered.as_ref().err().map(|error| error.reason);
        if let (Some(Reason::NotFound), Verb::Patch { changed, .. }) = (reason, &sent.verb) {
            // It was never written, or is gone by now: it begins anew, with its count.
            sent.verb = Verb::Create(changed.clone());
            return self.send_event(ctx, sent);
        }
        let has_failed = reason == Some(Reason::Unreachable);
        let tries = self.recorder_settings().tries;
        let (place, number) = (sent.place, sent.number);
        let source = self.recorder.source(place);
        let is_waiting = source.waiting.contains_key(&number);
        if !is_waiting {
            // Sent while all was well. The first that fails begins the wait, others join it.
            if has_failed {
                source.waiting.insert(number, sent);
                if source.waiting.len() == 1 {
                    source.tries = 1;
                    self.pause_events(ctx, place);
                }
            }
            return;
        }
        source.tries += u32::from(has_failed);
        if has_failed && source.tries < tries {
            return self.pause_events(ctx, place);
        }
        // Taken, refused, or given up.
        source.waiting.remove(&number);
        source.tries = 0;
        self.send_first(ctx, place);
    }

    fn pause_events<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, place: u8) {
        let RecorderSettings { pause, .. } = self.recorder_settings();
        let source = self.recorder.source(place);
        let pause = match source.tries {
            1 => below(pause, ctx.draw(FIRST_PAUSE)),
            _ => pause,
        };
        let ring = Ring::Event(place, source.timer.restart());
        let alarm = Alarm { client: self.number(), ring };
        ctx.after("kubernetes.eventRetryPause", pause, E::from(alarm));
    }

    /// Sends the first of those that wait: what led to it is what led to it then.
    fn send_first<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, place: u8) {
        let Some(sent) = self.recorder.source(place).waiting.values().next().cloned() else {
            return;
        };
        let before = ctx.cause();
        ctx.because(sent.cause.or(before));
        self.send_event(ctx, sent);
        ctx.back_to(before);
    }

    fn send_event<E: From<Alarm>>(&mut self, ctx: &mut Ctx<E>, sent: Sent) {
        let (name, verb) = (self.recorder.source(sent.place).name, sent.verb.clone());
        let turn = Turn::after_others(LINE);
        self.api.send_in_turn(ctx, name, verb, Token::Event(Box::new(sent)), turn);
    }
}

impl Recorder {
    fn place_of(&mut self, name: &'static str) -> u8 {
        let known = self.sources.iter().position(|source| source.name == name);
        let place = known.unwrap_or_else(|| {
            self.sources.push(Source { name, ..Source::default() });
            self.sources.len() - 1
        });
        u8::try_from(place).expect("a process has few sources of Events")
    }

    fn source(&mut self, place: u8) -> &mut Source {
        &mut self.sources[usize::from(place)]
    }
}
