//! Job: Pods that have to run to their end, each replaced until enough have.
//!
//! A Pod that failed, or is being deleted before it succeeded, counts as a failure at once and is
//! replaced after a pause; past the limit the Job is given up. Each Pod carries a finalizer until it
//! is counted, so none is lost or counted twice. Follows `k/k:pkg/controller/job`. Simplified: as
//! many Pods run at a time as have to succeed; indexes, deadlines and suspension are not modeled.

use super::expectations::Expectations;
use crate::api::kinds::{Condition, Job, Pod, PodPhase, Status};
use crate::api::{Kind, Meta, Object, ObjectKey, Uid, Verb};
use crate::client::{
    Backoff, BackoffRules, Delta, Outcome, Reconciler, Reply, ShellRules, Step, View,
};
use crate::engine::{Duration, Purpose, Rule, SimTime, Text, name_suffix};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How the controller behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The pause after the first failure in a row, and the longest.
    pub backoff_first: Duration,
    pub backoff_limit: Duration,
    /// What happens to Pods is looked at together, so long after the first of it.
    pub batch: Duration,
    /// The pause after a request that failed, and the longest.
    pub api_backoff: Backoff,
    /// Whether a completed Job says why (`CompletionsReached`).
    pub completion: Completion,
    /// Whether a Job has ended only when none of its Pods terminates any more.
    pub termination: Termination,
}

/// How a release words that a Job is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    Bare,
    /// With a reason, and `SuccessCriteriaMet` before it.
    Reasoned,
}

/// When a Job has ended whose Pods still terminate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// As soon as the counts say so.
    Ignored,
    /// When they are gone or have ended too; until then `FailureTarget` or `SuccessCriteriaMet` says
    /// what will become of it.
    Awaited,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct JobController {
    settings: Settings,
    expected: Expectations,
    /// Failures since a Pod last succeeded, by Job. Gone with the process.
    streaks: BTreeMap<Text, Streak>,
}

/// Failures in a row.
#[derive(Clone, Debug, Default)]
struct Streak {
    failures: u32,
    last: SimTime,
    /// The Pods that were taken into account.
    seen: BTreeSet<Uid>,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    Created,
    Deleted(ObjectKey),
    /// The Job's status was written; what is to be said when that has succeeded.
    Tracked(Option<&'static str>),
    Released,
}

/// The finalizer that a Job's Pods carry until they are counted.
pub const TRACKING: Text = Text::word("batch.kubernetes.io/job-tracking");

const POD_NAME: Purpose = Purpose(12);

const BACKOFF: BackoffRules =
    BackoffRules { first: "kubernetes.jobBackoffFirst", limit: "kubernetes.jobBackoffLimit" };

/// A Job that could not be written waits longer than other objects.
pub const RULES: &ShellRules = &ShellRules {
    backoff: BackoffRules {
        first: "kubernetes.jobApiBackoffFirst",
        limit: "kubernetes.jobApiBackoffLimit",
    },
    ..*ShellRules::CONTROLLER_MANAGER
};

impl JobController {
    /// A controller with an empty memory.
    pub fn new(settings: Settings) -> JobController {
        JobController { settings, expected: Expectations::default(), streaks: BTreeMap::new() }
    }

    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        if let Some(job) = delta.object().meta.controlled_by(Kind::Job) {
            self.expected.observe(job, delta);
        }
    }

    fn sync(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(job) = object.job().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        let pods = owned_pods(&object, view);
        let new = pods.iter().filter(|pod| is_tracked(pod) && !job.uncounted.contains(&uid(pod)));
        let new: Vec<&Arc<Object>> = new.collect();
        let succeeded = job.succeeded + count(&new, |fate| fate == Fate::Succeeded);
        let failed = job.failed + count(&new, |fate| fate == Fate::Failed);
        let active: Vec<&Arc<Object>> =
            pods.iter().filter(|pod| fate(pod) == Fate::Active).collect();
        // What was once decided stays, whatever becomes of Pods that are left.
        let is_met = job.conditions.is("SuccessCriteriaMet", Status::True);
        let given_up = failed > job.backoff_limit && !is_met;
        let coming = self.expected.coming(&key.name) > 0;
        let mut pause = None;
        if !job.is_finished() && !coming {
            let stays = |pod: &&&Arc<Object>| !self.expected.is_leaving(pod.key());
            if given_up && let Some(pod) = active.iter().find(stays) {
                return self.delete(pod);
            }
            let wanted = job.completions.saturating_sub(succeeded);
            if !given_up && (active.len() as u32) < wanted {
                let left = self.pause_left(key, &new, view.now);
                if left.1.is_zero() {
                    return self.create(&object, job, view);
                }
                pause = Some(left);
            }
        }
        let terminates = |pod: &&Arc<Object>| {
            let leaves = pod.meta.is_deleting() || self.expected.is_leaving(pod.key());
            leaves && pod.pod().is_some_and(|body| !body.phase.is_terminal())
        };
        let terminating = pods.iter().any(|pod| terminates(&pod));
        let active = active.len() as u32;
        let now = Tally { succeeded, failed, active, given_up, coming, terminating };
        self.track(&object, job, &pods, &now, pause, view)
    }

    fn create(&mut self, object: &Object, job: &Job, view: &mut View) -> Step<State> {
        let suffix = name_suffix((view.draw)(POD_NAME));
        let name = Text::from(format!("{}-{suffix}", object.name()));
        self.expected.creates(object.name(), name.clone());
        let pod = new_pod(object, job, name);
        Step::ask(Verb::Create(Arc::new(pod)), State::Created)
    }

    fn delete(&mut self, pod: &Object) -> Step<State> {
        let key = pod.key().clone();
        self.expected.deletes(key.clone());
        let verb = Verb::Delete { key: key.clone(), grace: None, uid: Some(pod.meta.uid) };
        Step::ask(verb, State::Deleted(key))
    }

    /// Counts what has ended, lets go what is counted, and says what has become of the Job.
    fn track(
        &mut self,
        object: &Arc<Object>,
        job: &Job,
        pods: &[Arc<Object>],
        tally: &Tally,
        pause: Option<(Rule, Duration)>,
        view: &mut View,
    ) -> Step<State> {
        let mut changed = Object::clone(object);
        let Some(body) = changed.job_mut() else { return Step::done() };
        let news = (body.succeeded, body.failed) != (tally.succeeded, tally.failed);
        (body.succeeded, body.failed) = (tally.succeeded, tally.failed);
        body.active = tally.active;
        let mut said = None;
        if news {
            let counted = pods.iter().filter(|pod| is_tracked(pod)).map(uid);
            body.uncounted.extend(counted.filter(|uid| !job.uncounted.contains(uid)));
        } else {
            body.uncounted.retain(|uid| pods.iter().any(|pod| pod.meta.uid == *uid && holds(pod)));
        }
        if !job.is_finished() {
            said = self.conclude(body, tally, view.wall_clock());
        }
        if changed != **object {
            // A full update: whoever counts on a stale Job is refused, and counts again.
            return Step::ask(Verb::Update(Arc::new(changed)), State::Tracked(said));
        }
        let counted = |pod: &&Arc<Object>| job.uncounted.contains(&uid(pod)) && holds(pod);
        if let Some(pod) = pods.iter().find(counted) {
            let mut released = Object::clone(pod);
            released.meta.finalizers = Arc::new([]);
            let verb = Verb::Patch { base: pod.clone(), changed: Arc::new(released) };
            return Step::ask(verb, State::Released);
        }
        match pause {
            Some((rule, left)) => Step::Done(Outcome::after(rule, left.max(self.settings.batch))),
            None => Step::done(),
        }
    }

    /// Writes down that the Job is complete or given up; the reason of the Event to record then.
    fn conclude(&self, job: &mut Job, tally: &Tally, now: SimTime) -> Option<&'static str> {
        let (is_counted, completions) = (job.uncounted.is_empty(), job.completions);
        let mut say = |kind: &'static str, reason: &'static str, message: &'static str| {
            let [kind, reason, message] = [kind, reason, message].map(Text::word);
            job.conditions.say(Condition::new(kind, Status::True, reason, message, now));
        };
        let awaits = self.settings.termination == Termination::Awaited;
        let over = !awaits || !tally.terminating && is_counted;
        if tally.given_up {
            if awaits && !tally.coming {
                say("FailureTarget", "BackoffLimitExceeded", GIVEN_UP);
            }
            if tally.active == 0 && over {
                say("Failed", "BackoffLimitExceeded", GIVEN_UP);
                return Some("BackoffLimitExceeded");
            }
        } else if tally.succeeded >= completions {
            let (reason, message) = match self.settings.completion {
                Completion::Bare => ("", ""),
                Completion::Reasoned => ("CompletionsReached", REACHED),
            };
            if self.settings.completion == Completion::Reasoned {
                say("SuccessCriteriaMet", reason, message);
            }
            if over {
                say("Complete", reason, message);
                job.completed = Some(now);
                return Some("Completed");
            }
        }
        None
    }

    /// What is left of the pause after the last failure, and what it is there for.
    fn pause_left(&self, key: &ObjectKey, new: &[&Arc<Object>], now: SimTime) -> (Rule, Duration) {
        let streak = self.streak_with(key, new);
        let Settings { backoff_first, backoff_limit, .. } = self.settings;
        let mut pause = backoff_first;
        for _ in 1..streak.failures.min(64) {
            pause = pause.doubled_up_to(backoff_limit);
        }
        let left = match streak.failures {
            0 => Duration::ZERO,
            _ => (streak.last + pause).since(now),
        };
        (BACKOFF.of(pause, backoff_first, backoff_limit), left)
    }

    /// The failures in a row, with those of Pods that are not counted yet.
    fn streak_with(&self, key: &ObjectKey, new: &[&Arc<Object>]) -> Streak {
        let mut streak = self.streaks.get(&key.name).cloned().unwrap_or_default();
        let mut ended: Vec<(SimTime, &Arc<Object>)> =
            new.iter().map(|pod| (ended_at(pod), *pod)).collect();
        ended.sort_by_key(|(at, pod)| (*at, uid(pod)));
        for (at, pod) in ended {
            if streak.seen.insert(uid(pod)) {
                match fate(pod) {
                    Fate::Failed => streak.failures += 1,
                    _ => streak.failures = 0,
                }
                streak.last = at;
            }
        }
        streak
    }
}

/// What a Job has come to.
struct Tally {
    succeeded: u32,
    failed: u32,
    active: u32,
    given_up: bool,
    /// Pods were created that the watch has not shown yet.
    coming: bool,
    /// Some Pod is being deleted and has not ended.
    terminating: bool,
}

/// What a Pod counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Active,
    Succeeded,
    Failed,
}

const REACHED: &str = "Reached expected number of succeeded pods";
const GIVEN_UP: &str = "Job has reached the specified backoff limit";

impl Reconciler for JobController {
    type State = State;

    fn agent(&self) -> &'static str {
        "job-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        self.sync(key, view)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let answer = match reply {
            Reply::Answer(Ok(answer)) => answer,
            Reply::Answer(Err(error)) => {
                match state {
                    State::Created => self.expected.creation_failed(&key.name),
                    State::Deleted(pod) => self.expected.deletion_failed(&pod),
                    State::Tracked(_) | State::Released => {}
                }
                return Step::Done(Outcome::error(error.message));
            }
            Reply::Elapsed | Reply::Task(_) => return Step::done(),
        };
        match state {
            State::Created => {
                if let Some(pod) = answer.object() {
                    let message = format!("Created pod: {}", pod.name());
                    view.event(key, "SuccessfulCreate", message);
                }
            }
            State::Deleted(pod) => {
                view.event(key, "SuccessfulDelete", format!("Deleted pod: {}", pod.name));
            }
            State::Tracked(said) => {
                self.remember(key, view);
                match said {
                    Some("Completed") => view.event(key, "Completed", "Job completed"),
                    Some(reason) => view.warn(key, reason, GIVEN_UP),
                    None => {}
                }
            }
            State::Released => {}
        }
        // The watch shows what was written, and that is the next turn.
        Step::done()
    }
}

impl JobController {
    /// What was counted belongs to the streak from now on.
    fn remember(&mut self, key: &ObjectKey, view: &View) {
        let Some(object) = view.local.get(key).cloned() else { return };
        let pods = owned_pods(&object, view);
        let ended: Vec<&Arc<Object>> = pods.iter().filter(|pod| is_tracked(pod)).collect();
        let mut streak = self.streak_with(key, &ended);
        streak.seen.retain(|seen| pods.iter().any(|pod| pod.meta.uid == *seen));
        self.streaks.insert(key.name.clone(), streak);
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

fn owned_pods(job: &Object, view: &View) -> Vec<Arc<Object>> {
    view.local
        .list(Kind::Pod)
        .filter(|pod| pod.meta.controller().is_some_and(|by| by.uid == job.meta.uid))
        .cloned()
        .collect()
}

/// True if a Pod's change is this controller's own: it was counted, and let go.
///
/// The real one batches that too, but waits for it nowhere: it counts and lets go in one pass.
pub fn is_let_go(delta: &Delta) -> bool {
    let held = |object: &Option<Arc<Object>>| object.as_ref().is_some_and(holds);
    held(&delta.old) && delta.new.is_some() && !held(&delta.new)
}

/// A Pod that is being deleted before it succeeded may never say how it ended: it has failed.
fn fate(pod: &Arc<Object>) -> Fate {
    match pod.pod().map(|body| body.phase) {
        Some(PodPhase::Succeeded) => Fate::Succeeded,
        Some(PodPhase::Failed) => Fate::Failed,
        _ if pod.meta.is_deleting() => Fate::Failed,
        _ => Fate::Active,
    }
}

fn uid(pod: &Arc<Object>) -> Uid {
    pod.meta.uid
}

/// True for a Pod that carries the finalizer.
pub fn holds(pod: &Arc<Object>) -> bool {
    pod.meta.finalizers.contains(&TRACKING)
}

/// True for a Pod that has ended and still carries the finalizer.
fn is_tracked(pod: &Arc<Object>) -> bool {
    holds(pod) && fate(pod) != Fate::Active
}

fn count(pods: &[&Arc<Object>], wanted: impl Fn(Fate) -> bool) -> u32 {
    let count = pods.iter().filter(|pod| wanted(fate(pod))).count();
    u32::try_from(count).unwrap_or(u32::MAX)
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
