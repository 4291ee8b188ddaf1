//! A Job's Pods: which are its own, what each counts as, and how many failed in a row.
//!
//! Nothing is decided here. Follows `k/k:pkg/controller/job/backoff_utils.go` and `isPodFailed`.

use super::job::TRACKING;
use crate::api::kinds::{Job, Pod, PodPhase, Status};
use crate::api::{Kind, Meta, Object, Uid};
use crate::client::View;
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// What a Pod counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Active,
    Succeeded,
    Failed,
}

/// Failures in a row.
#[derive(Clone, Debug, Default)]
pub struct Streak {
    failures: u32,
    last: SimTime,
}

impl Streak {
    /// A streak that was known, with Pods that have ended since.
    pub fn with(known: Option<&Streak>, new: &[&Arc<Object>]) -> Streak {
        let mut streak = known.cloned().unwrap_or_default();
        let mut ended: Vec<(SimTime, &Arc<Object>)> =
            new.iter().map(|pod| (ended_at(pod), *pod)).collect();
        ended.sort_by_key(|(at, pod)| (*at, uid(pod)));
        for (at, pod) in ended {
            match fate(pod) {
                Fate::Active => {}
                Fate::Succeeded => streak.failures = 0,
                Fate::Failed => {
                    streak.failures += 1;
                    streak.last = at;
                }
            }
        }
        streak
    }

    /// The pause after the last failure, and what is left of it.
    pub fn pause(&self, first: Duration, limit: Duration, now: SimTime) -> (Duration, Duration) {
        let mut pause = first;
        for _ in 1..self.failures.min(64) {
            pause = pause.doubled_up_to(limit);
        }
        let left = match self.failures {
            0 => Duration::ZERO,
            _ => (self.last + pause).since(now),
        };
        (pause, left)
    }
}

/// A Pod of a Job.
pub fn new_pod(object: &Object, job: &Job, name: Text) -> Object {
    let meta = Meta::new(Kind::Pod, object.key().namespace.clone(), name);
    let mut meta = meta.owned_by(&object.meta);
    meta.labels = job.template.labels.clone();
    meta.finalizers = Arc::new([TRACKING]);
    Object::new(meta, Pod::new(job.template.clone()))
}

pub fn owned_pods(job: &Object, view: &View) -> Vec<Arc<Object>> {
    view.local
        .list(Kind::Pod)
        .filter(|pod| pod.meta.controller().is_some_and(|by| by.uid == job.meta.uid))
        .cloned()
        .collect()
}

/// A Pod that is being deleted before it succeeded may never say how it ended: it has failed.
pub fn fate(pod: &Arc<Object>) -> Fate {
    match pod.pod().map(|body| body.phase) {
        Some(PodPhase::Succeeded) => Fate::Succeeded,
        Some(PodPhase::Failed) => Fate::Failed,
        _ if pod.meta.is_deleting() => Fate::Failed,
        _ => Fate::Active,
    }
}

pub fn uid(pod: &Arc<Object>) -> Uid {
    pod.meta.uid
}

/// True for a Pod that carries the finalizer.
pub fn holds(pod: &Arc<Object>) -> bool {
    pod.meta.finalizers.contains(&TRACKING)
}

/// When a Pod ended, as far as the API tells: it stopped being ready, or its deletion was asked
/// for. A Pod that was cut off minutes ago is replaced without a pause.
fn ended_at(pod: &Arc<Object>) -> SimTime {
    let unready = pod.pod().and_then(|body| body.conditions.get("Ready"));
    match (unready, pod.meta.deletion) {
        (Some(ready), _) if ready.status == Status::False => ready.last_transition,
        (_, Some(deletion)) => {
            SimTime::ZERO + deletion.at.since(SimTime::ZERO).saturating_sub(deletion.grace)
        }
        _ => pod.meta.created,
    }
}
