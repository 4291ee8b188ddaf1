//! The scheduling queue: Pods to try now, Pods in backoff, Pods for which nothing fits.
//!
//! Follows `k/k:pkg/scheduler/backend/queue/scheduling_queue.go`.

use crate::api::ObjectKey;
use crate::client::{Backoff, BackoffRules};
use crate::engine::{Duration, Rule, SimTime};
use crate::timeline::Cause;
use std::collections::{BTreeMap, VecDeque};

/// All Pods that wait for a Node.
#[derive(Clone, Debug)]
pub struct Queue {
    pods: BTreeMap<ObjectKey, Waiting>,
    active: VecDeque<ObjectKey>,
    /// A Pod is being thought about.
    busy: bool,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: Place,
    backoff: Backoff,
    last_try: SimTime,
    pause: (Rule, Duration),
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active,
    Backoff,
    Unschedulable,
}

/// What is left of a pause, and what it is there for.
type Left = (Rule, Duration);

const BACKOFF: BackoffRules =
    BackoffRules { first: "kubernetes.podInitialBackoff", limit: "kubernetes.podMaxBackoff" };

impl Queue {
    /// An empty queue.
    pub fn new(first: Duration, limit: Duration) -> Queue {
        let backoff = Backoff::new(first, limit);
        Queue { pods: BTreeMap::new(), active: VecDeque::new(), busy: false, backoff }
    }

    /// A new Pod is tried at once.
    pub fn add(&mut self, key: ObjectKey, now: SimTime, cause: Cause) {
        let waiting = Waiting {
            place: Place::Active,
            backoff: self.backoff,
            last_try: now,
            pause: (BACKOFF.first, Duration::ZERO),
            cause,
        };
        if self.pods.insert(key.clone(), waiting).is_none() {
            self.active.push_back(key);
        }
    }

    /// The next Pod to think about, unless one is being thought about.
    pub fn take(&mut self) -> Option<ObjectKey> {
        if self.busy {
            return None;
        }
        let next = self.active.pop_front()?;
        self.busy = true;
        Some(next)
    }

    /// Thinking is over.
    pub fn decided(&mut self) {
        self.busy = false;
    }

    /// The entry that led to a Pod's turn.
    pub fn cause_of(&self, key: &ObjectKey) -> Cause {
        self.pods.get(key).map_or(Cause::NONE, |waiting| waiting.cause)
    }

    /// Nothing fits: the Pod waits until something changes.
    pub fn unschedulable(&mut self, key: &ObjectKey, now: SimTime) {
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.place = Place::Unschedulable;
            waiting.last_try = now;
            waiting.pause = waiting.backoff.fail(&BACKOFF);
        }
    }

    /// A try failed for another reason: the pause until the next.
    pub fn fail(&mut self, key: &ObjectKey, now: SimTime) -> (Rule, Duration) {
        let backoff = self.backoff;
        let waiting = self.pods.entry(key.clone()).or_insert(Waiting {
            place: Place::Backoff,
            backoff,
            last_try: now,
            pause: (BACKOFF.first, Duration::ZERO),
            cause: Cause::NONE,
        });
        waiting.place = Place::Backoff;
        waiting.backoff.fail(&BACKOFF)
    }

    /// Pods that may fit now, each with what is left of its backoff.
    pub fn wake(&mut self, now: SimTime, cause: Cause) -> Vec<(ObjectKey, Left)> {
        self.leave_unschedulable(now, |_| true, cause)
    }

    /// Pods that have been unschedulable for too long.
    pub fn flush(&mut self, now: SimTime, timeout: Duration) -> Vec<(ObjectKey, Left)> {
        self.leave_unschedulable(now, |waiting| waiting.last_try + timeout < now, Cause::NONE)
    }

    /// A backoff is over: the Pod is tried as soon as its turn comes.
    pub fn activate(&mut self, key: &ObjectKey, now: SimTime) {
        if let Some(waiting) = self.pods.get_mut(key).filter(|w| w.place == Place::Backoff) {
            waiting.place = Place::Active;
            waiting.last_try = now;
            self.active.push_back(key.clone());
        }
    }

    /// The Pod is bound, or gone.
    pub fn remove(&mut self, key: &ObjectKey) {
        if self.pods.remove(key).is_some() {
            self.active.retain(|waiting| waiting != key);
        }
    }

    fn leave_unschedulable(
        &mut self,
        now: SimTime,
        mut leaves: impl FnMut(&Waiting) -> bool,
        cause: Cause,
    ) -> Vec<(ObjectKey, Left)> {
        let mut left = Vec::new();
        for (key, waiting) in &mut self.pods {
            if waiting.place == Place::Unschedulable && leaves(waiting) {
                waiting.place = Place::Backoff;
                waiting.cause = cause;
                let (rule, pause) = waiting.pause;
                left.push((key.clone(), (rule, (waiting.last_try + pause).since(now))));
            }
        }
        left
    }
}
