//! The scheduling queue: Pods to try now, Pods in backoff, Pods for which nothing fits.
//!
//! Follows `k/k:pkg/scheduler/backend/queue/scheduling_queue.go`.

use super::requeue::Refusals;
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
    /// Who left the unschedulable Pods does not sit out its backoff while nothing else is to do.
    pops_backoff: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: Place,
    backoff: Backoff,
    last_try: SimTime,
    pause: (Rule, Duration),
    cause: Cause,
    refusals: Refusals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active,
    /// A Node was chosen, and the Pod is being bound to it.
    Binding,
    Backoff,
    Unschedulable,
}

/// What is left of a pause, and what it is there for.
type Left = (Rule, Duration);

const BACKOFF: BackoffRules =
    BackoffRules { first: "kubernetes.podInitialBackoff", limit: "kubernetes.podMaxBackoff" };

impl Queue {
    /// An empty queue.
    pub fn new(first: Duration, limit: Duration, pops_backoff: bool) -> Queue {
        let backoff = Backoff::new(first, limit);
        Queue { pods: BTreeMap::new(), active: VecDeque::new(), busy: false, backoff, pops_backoff }
    }

    /// A new Pod is tried at once.
    pub fn add(&mut self, key: ObjectKey, now: SimTime, cause: Cause) {
        let waiting = self.waiting(Place::Active, now, cause);
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
    pub fn give_up(&mut self, key: &ObjectKey, refusals: Refusals, now: SimTime) {
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.place = Place::Unschedulable;
            waiting.last_try = now;
            waiting.refusals = refusals;
            waiting.pause = waiting.backoff.fail(&BACKOFF);
        }
    }

    /// The Pods that wait until something changes, and who has refused each.
    pub fn unschedulable_pods(&self) -> impl Iterator<Item = (&ObjectKey, Refusals)> {
        let all = self.pods.iter().filter(|(_, waiting)| waiting.place == Place::Unschedulable);
        all.map(|(key, waiting)| (key, waiting.refusals))
    }

    /// A Node was chosen.
    pub fn bind(&mut self, key: &ObjectKey) {
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.place = Place::Binding;
        }
    }

    /// It could not be bound: the pause until the next try, unless the Pod is gone or bound all the
    /// same. It grows with every try of this Pod that failed, whatever the reason.
    ///
    /// Simplified: from 1.33 errors in a row count for themselves.
    pub fn fail(&mut self, key: &ObjectKey, now: SimTime) -> Option<(Rule, Duration)> {
        let waiting = self.pods.get_mut(key).filter(|w| w.place == Place::Binding)?;
        (waiting.place, waiting.last_try) = (Place::Backoff, now);
        Some(waiting.backoff.fail(&BACKOFF))
    }

    /// Pods that may fit now, each with what is left of its backoff: those that are in it. The others
    /// are tried as soon as their turn comes.
    pub fn wake(
        &mut self,
        now: SimTime,
        cause: Cause,
        mut may_fit: impl FnMut(&ObjectKey, Refusals) -> bool,
    ) -> Vec<(ObjectKey, Left)> {
        self.leave_unschedulable(now, |key, waiting| may_fit(key, waiting.refusals), cause)
    }

    /// Pods that have been unschedulable for too long.
    pub fn flush(&mut self, now: SimTime, timeout: Duration) -> Vec<(ObjectKey, Left)> {
        let has_waited = |_: &ObjectKey, waiting: &Waiting| waiting.last_try + timeout < now;
        self.leave_unschedulable(now, has_waited, Cause::NONE)
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

    fn waiting(&self, place: Place, last_try: SimTime, cause: Cause) -> Waiting {
        let (backoff, pause) = (self.backoff, (BACKOFF.first, Duration::ZERO));
        Waiting { place, backoff, last_try, pause, cause, refusals: Refusals::default() }
    }

    fn leave_unschedulable(
        &mut self,
        now: SimTime,
        mut leaves: impl FnMut(&ObjectKey, &Waiting) -> bool,
        cause: Cause,
    ) -> Vec<(ObjectKey, Left)> {
        let mut left = Vec::new();
        for (key, waiting) in &mut self.pods {
            if waiting.place != Place::Unschedulable || !leaves(key, waiting) {
                continue;
            }
            waiting.cause = cause;
            if self.pops_backoff {
                waiting.place = Place::Active;
                waiting.last_try = now;
                self.active.push_back(key.clone());
                continue;
            }
            waiting.place = Place::Backoff;
            let (rule, pause) = waiting.pause;
            left.push((key.clone(), (rule, (waiting.last_try + pause).since(now))));
        }
        left
    }
}
