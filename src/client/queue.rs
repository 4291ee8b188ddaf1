//! A work queue as in client-go's workqueue: each key once, never two workers on one key, growing
//! pauses after failures.

use crate::api::ObjectKey;
use crate::engine::{Duration, Rule, SimTime};
use crate::timeline::Cause;
use std::collections::BTreeMap;

/// A pause that doubles with each failure up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    next: Duration,
}

/// What the pauses of a backoff are there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffRules {
    pub first: Rule,
    pub limit: Rule,
}

/// Keys to work on, with the entry that led to each.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    items: BTreeMap<ObjectKey, Item>,
    backoff: Backoff,
    /// Between two beginnings of work on one key.
    minimum_gap: Duration,
}

/// What the queue knows of a key.
#[derive(Clone, Debug)]
struct Item {
    /// Wanted now, or as soon as the minimum gap allows: when, and which timer is valid.
    ready: Option<(SimTime, u32)>,
    /// Wanted later. It stays, even if the key is wanted now as well.
    delayed: Option<(SimTime, u32)>,
    timers: u32,
    processing: bool,
    /// Wanted again as soon as the work in progress ends.
    dirty: bool,
    cause: Cause,
    delayed_cause: Cause,
    dirty_cause: Cause,
    /// The last entry that led to this key: a resync or a timer has none of its own.
    known_cause: Cause,
    last_begun: Option<SimTime>,
    /// It is not worked on before, whoever wants it: until when, and because of which rule.
    deferred: Option<(Rule, SimTime)>,
    backoff: Backoff,
}

impl Backoff {
    /// A backoff that begins with `first`.
    pub const fn new(first: Duration, limit: Duration) -> Backoff {
        Backoff { first, limit, next: first }
    }

    /// The pause after one more failure, and what it is there for.
    pub fn fail(&mut self, rules: &BackoffRules) -> (Rule, Duration) {
        let pause = self.next;
        self.next = self.next.doubled_up_to(self.limit);
        (rules.of(pause, self.first, self.limit), pause)
    }

    /// Success: the next failure is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

impl BackoffRules {
    /// What a pause is there for: the limit once it has taken over. Until then the first value, from
    /// which it has grown.
    pub fn of(&self, pause: Duration, first: Duration, limit: Duration) -> Rule {
        if pause >= limit && pause != first { self.limit } else { self.first }
    }
}

impl Item {
    fn new(backoff: Backoff) -> Item {
        Item {
            ready: None,
            delayed: None,
            timers: 0,
            processing: false,
            dirty: false,
            cause: Cause::NONE,
            delayed_cause: Cause::NONE,
            dirty_cause: Cause::NONE,
            known_cause: Cause::NONE,
            last_begun: None,
            deferred: None,
            backoff,
        }
    }

    fn is_idle(&self) -> bool {
        self.ready.is_none()
            && self.delayed.is_none()
            && self.deferred.is_none()
            && !self.processing
            && !self.dirty
    }

    /// Sets a timer in a slot, unless an earlier one stands there.
    fn set(&mut self, at: SimTime, is_delayed: bool, cause: Cause) -> Option<u32> {
        let slot = if is_delayed { &mut self.delayed } else { &mut self.ready };
        if slot.is_some_and(|(earlier, _)| earlier <= at) {
            return None;
        }
        self.timers += 1;
        *slot = Some((at, self.timers));
        *(if is_delayed { &mut self.delayed_cause } else { &mut self.cause }) = cause;
        Some(self.timers)
    }
}

impl WorkQueue {
    /// An empty queue.
    pub fn new(backoff: Backoff, minimum_gap: Duration) -> WorkQueue {
        WorkQueue { items: BTreeMap::new(), backoff, minimum_gap }
    }

    /// Wants `key` worked on after `delay`. Returns the pause and the number of the timer to set,
    /// unless an earlier or equal one stands.
    pub fn add(
        &mut self,
        key: &ObjectKey,
        delay: Duration,
        cause: Cause,
        now: SimTime,
    ) -> Option<(Duration, u32)> {
        let item = self.items.entry(key.clone()).or_insert_with(|| Item::new(self.backoff));
        let cause = cause.or(item.known_cause);
        item.known_cause = cause;
        if item.processing && delay.is_zero() {
            item.dirty = true;
            item.dirty_cause = cause;
            return None;
        }
        let mut at = now + delay;
        if let Some(begun) = item.last_begun.filter(|_| !self.minimum_gap.is_zero()) {
            at = at.max(begun + self.minimum_gap);
        }
        if let Some((_, until)) = item.deferred {
            at = at.max(until);
        }
        let timer = item.set(at, !delay.is_zero(), cause)?;
        Some((at.since(now), timer))
    }

    /// From now on the key is not worked on before a time, whoever wants it.
    pub fn defer(&mut self, key: &ObjectKey, rule: Rule, until: SimTime) {
        if let Some(item) = self.items.get_mut(key) {
            item.deferred = Some((rule, until));
        }
    }

    /// Why work on a key comes later than it is wanted, where `gap` is the rule of the minimum gap.
    pub fn held_by(&self, key: &ObjectKey, gap: Rule) -> Rule {
        let Some(item) = self.items.get(key) else { return gap };
        let free = item.last_begun.map_or(SimTime::ZERO, |begun| begun + self.minimum_gap);
        item.deferred.filter(|(_, until)| *until > free).map_or(gap, |(rule, _)| rule)
    }

    /// A timer fell due that was set before its key was deferred: why it is to be set anew, for how
    /// long, and its new number.
    pub fn hold_back(
        &mut self,
        key: &ObjectKey,
        timer: u32,
        now: SimTime,
    ) -> Option<(Rule, Duration, u32)> {
        let item = self.items.get_mut(key)?;
        let (rule, until) = item.deferred.filter(|(_, until)| now < *until)?;
        let mut slots = [&mut item.ready, &mut item.delayed].into_iter();
        let slot = slots.find(|slot| slot.is_some_and(|(_, number)| number == timer))?;
        item.timers += 1;
        *slot = Some((until, item.timers));
        Some((rule, until.since(now), item.timers))
    }

    /// A timer fell due: begins work on the key, unless it was reset or is being worked on.
    pub fn begin(&mut self, key: &ObjectKey, timer: u32, now: SimTime) -> Option<Cause> {
        let item = self.items.get_mut(key)?;
        let is = |slot: Option<(SimTime, u32)>| slot.is_some_and(|(_, number)| number == timer);
        let cause = if is(item.ready) {
            item.ready = None;
            item.cause
        } else if is(item.delayed) {
            item.delayed = None;
            item.delayed_cause
        } else {
            return None;
        };
        if item.processing {
            item.dirty = true;
            item.dirty_cause = cause;
            return None;
        }
        item.processing = true;
        item.last_begun = Some(now);
        Some(cause)
    }

    /// Work on the key ended well.
    pub fn succeed(&mut self, key: &ObjectKey) {
        if let Some(item) = self.items.get_mut(key) {
            item.backoff.reset();
        }
    }

    /// Work on the key failed: the pause until the next try, and what it is there for.
    pub fn fail(&mut self, key: &ObjectKey, rules: &BackoffRules) -> (Rule, Duration) {
        let item = self.items.get_mut(key);
        item.map_or((rules.first, Duration::ZERO), |item| item.backoff.fail(rules))
    }

    /// Work on the key is over; returns the cause if it is wanted again at once.
    pub fn end(&mut self, key: &ObjectKey) -> Option<Cause> {
        let item = self.items.get_mut(key)?;
        item.processing = false;
        std::mem::take(&mut item.dirty).then_some(item.dirty_cause)
    }

    /// How many keys are being worked on.
    pub fn processing(&self) -> usize {
        self.items.values().filter(|item| item.processing).count()
    }

    /// Forgets a key that waits for nothing and has no minimum gap or backoff to remember.
    pub fn forget(&mut self, key: &ObjectKey) {
        if self.minimum_gap.is_zero() && self.items.get(key).is_some_and(Item::is_idle) {
            self.items.remove(key);
        }
    }
}
