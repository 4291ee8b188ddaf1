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

/// A Pod's turn comes after its backoff.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// What it goes back to.
    pub cause: Cause,
    /// What it has waited for, and until when.
    pub rule: Rule,
    pub until: SimTime,
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

    /// It could not be bound: it is tried after a pause, unless the Pod is gone or bound all the same; true if
    /// it is. The pause grows with every try of this Pod that failed, whatever the reason.
    ///
    /// Simplified: from 1.33 errors in a row count for themselves.
    pub fn fail(&mut self, key: &ObjectKey, now: SimTime, cause: Cause) -> bool {
        let waiting = self.pods.get_mut(key).filter(|w| w.place == Place::Binding);
        let Some(waiting) = waiting else { return false };
        (waiting.place, waiting.last_try) = (Place::Backoff, now);
        waiting.pause = waiting.backoff.fail(&BACKOFF);
        waiting.cause.step = cause.step;
        true
    }

    /// Pods that may fit now: those whose backoff is not over go on waiting for that, the others are
    /// tried as soon as their turn comes.
    pub fn wake(
        &mut self,
        now: SimTime,
        cause: Cause,
        mut may_fit: impl FnMut(&ObjectKey, Refusals) -> bool,
    ) {
        self.leave_unschedulable(now, |key, waiting| may_fit(key, waiting.refusals), cause);
    }

    /// Pods that have been unschedulable for too long.
    pub fn flush(&mut self, now: SimTime, timeout: Duration) {
        let has_waited = |_: &ObjectKey, waiting: &Waiting| waiting.last_try + timeout < now;
        self.leave_unschedulable(now, has_waited, Cause::NONE);
    }

    /// Pods whose backoff is over when somebody looks are tried, in the order in which it ended;
    /// `turn` says what each then goes back to.
    pub fn flush_backoff(&mut self, now: SimTime, mut turn: impl FnMut(Turn) -> Cause) {
        let in_backoff = self.pods.iter().filter(|(_, waiting)| waiting.place == Place::Backoff);
        let over = in_backoff.filter(|(_, waiting)| !self.backs_off(waiting, now));
        let mut over: Vec<(SimTime, ObjectKey)> =
            over.map(|(key, waiting)| (waiting.until(), key.clone())).collect();
        over.sort();
        for (until, key) in over {
            let Some(waiting) = self.pods.get_mut(&key) else { continue };
            let (cause, (rule, _)) = (waiting.cause, waiting.pause);
            waiting.cause = turn(Turn { cause, rule, until });
            (waiting.place, waiting.last_try) = (Place::Active, now);
            self.active.push_back(key);
        }
    }

    /// True while some Pod waits for the end of its backoff.
    pub fn has_backoff(&self) -> bool {
        self.pods.values().any(|waiting| waiting.place == Place::Backoff)
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
    ) {
        let pops_backoff = self.pops_backoff;
        for (key, waiting) in &mut self.pods {
            if waiting.place != Place::Unschedulable || !leaves(key, waiting) {
                continue;
            }
            waiting.cause = cause;
            if waiting.until() > now && !pops_backoff {
                waiting.place = Place::Backoff;
                continue;
            }
            (waiting.place, waiting.last_try) = (Place::Active, now);
            self.active.push_back(key.clone());
        }
    }

    /// With `pops_backoff` the end of a backoff counts only with the end of the second that it is in
    /// (`alignToWindow`), and looks come with whole seconds.
    fn backs_off(&self, waiting: &Waiting, now: SimTime) -> bool {
        match self.pops_backoff {
            true => waiting.until() >= now,
            false => waiting.until() > now,
        }
    }
}

impl Waiting {
    /// When its backoff is over.
    fn until(&self) -> SimTime {
        self.last_try + self.pause.1
    }
}
