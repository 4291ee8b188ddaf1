//! Job: Pods that have to run to their end, each replaced until enough have.
//!
//! A Pod that failed, or is being deleted before it succeeded, counts as a failure at once and is
//! replaced after a pause; past the limit the Job is given up. Each Pod carries a finalizer until it
//! is counted, so none is lost or counted twice. One turn does all that one look at the caches calls
//! for: creates or deletes, writes the Job, lets its Pods go, writes the Job again. Follows
//! `k/k:pkg/controller/job`. Simplified: as many Pods run at a time as have to succeed; requests are
//! sent one after the other, not at once; indexes, deadlines and suspension are not modeled.

use super::expectations::Expectations;
use super::job_pods::{Fate, Streak, fate, holds, new_pod, owned_pods, uid};
use crate::api::kinds::{Condition, Job, Status};
use crate::api::{Answered, Object, ObjectKey, Reason, Uid, Verb};
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

/// The finalizer that a Job's Pods carry until they are counted.
pub const TRACKING: Text = Text::word("batch.kubernetes.io/job-tracking");

/// The controller.
#[derive(Clone, Debug)]
pub struct JobController {
    settings: Settings,
    expected: Expectations,
    /// Pods that were let go and are not shown so yet: they are counted already.
    released: BTreeSet<Uid>,
    /// Failures since a Pod last succeeded, by Job. Gone with the process.
    streaks: BTreeMap<Uid, Streak>,
}

/// The step that is under way, and the turn that it belongs to.
#[derive(Clone, Debug)]
pub struct State(Asked, Box<Turn>);

#[derive(Clone, Debug)]
enum Asked {
    Created,
    Deleted(Arc<Object>),
    /// The Job says which Pods are being counted.
    Counted,
    Released(Arc<Object>),
    /// The Job says how many there were, and what has become of it.
    Concluded,
}

/// What one look at the caches calls for, and what has come of it.
#[derive(Clone, Debug)]
struct Turn {
    /// The Job as it was read, or written last.
    job: Arc<Object>,
    /// Its Pods that carry the finalizer.
    held: Vec<Arc<Object>>,
    /// How many Pods are still to be created.
    create: u32,
    /// Pods that are still to be deleted, last first, and to be let go.
    delete: Vec<Arc<Object>>,
    release: Vec<Arc<Object>>,
    succeeded: u32,
    active: u32,
    /// Pods that are being deleted and have not ended.
    terminating: u32,
    /// What will become of the Job.
    verdict: Option<Verdict>,
    /// The cache shows all that was created.
    is_current: bool,
    streak: Streak,
    pause: Option<(Rule, Duration)>,
    /// What failed; the rest of the turn is done all the same.
    error: Option<Text>,
}

/// How a Job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Complete,
    Failed,
}

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

const REACHED: &str = "Reached expected number of succeeded pods";
const GIVEN_UP: &str = "Job has reached the specified backoff limit";

impl Reconciler for JobController {
    type State = State;

    fn agent(&self) -> &'static str {
        "job-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(job) = object.job().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        if job.is_finished() {
            self.streaks.remove(&object.meta.uid);
            return Step::done();
        }
        let turn = self.look(&object, job, view);
        self.go_on(turn, view)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        State(asked, mut turn): State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let Reply::Answer(answered) = reply else { return Step::done() };
        match asked {
            Asked::Created => self.created(key, &mut turn, answered, view),
            Asked::Deleted(pod) => deleted(key, &pod, &mut turn, answered, view),
            Asked::Released(pod) => {
                self.let_go(&pod, &mut turn, answered);
                return self.release(turn, view);
            }
            Asked::Counted | Asked::Concluded => {
                match answered {
                    // The watch may be behind: what was written is the Job from now on.
                    Ok(answer) => turn.job = answer.object().cloned().unwrap_or(turn.job),
                    Err(error) => return Step::Done(Outcome::error(error.message)),
                }
                if matches!(asked, Asked::Counted) {
                    self.streaks.insert(turn.job.meta.uid, turn.streak.clone());
                    return self.release(turn, view);
                }
                return self.end(key, *turn, view);
            }
        }
        self.go_on(turn, view)
    }
}

impl JobController {
    /// A controller with an empty memory.
    pub fn new(settings: Settings, expectations_timeout: Duration) -> JobController {
        JobController {
            settings,
            expected: Expectations::new(expectations_timeout),
            released: BTreeSet::new(),
            streaks: BTreeMap::new(),
        }
    }

    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        self.expected.observe(delta);
        if !delta.new.as_ref().is_some_and(holds) {
            self.released.remove(&delta.object().meta.uid);
        }
    }

    /// A Job is gone.
    pub fn forget(&mut self, job: Uid) {
        self.streaks.remove(&job);
    }

    /// Reads the caches, once for the whole turn.
    fn look(&self, object: &Arc<Object>, job: &Job, view: &View) -> Box<Turn> {
        let pods = owned_pods(object, view);
        let is_held = |pod: &&Arc<Object>| holds(pod) && !self.released.contains(&uid(pod));
        let held: Vec<Arc<Object>> = pods.iter().filter(is_held).cloned().collect();
        let is_new = |pod: &&Arc<Object>| !job.uncounted.has(uid(pod));
        let new: Vec<&Arc<Object>> = held.iter().filter(is_new).collect();
        let count = |wanted: Fate| number(new.iter().filter(|pod| fate(pod) == wanted).count());
        let known = &job.uncounted;
        let succeeded = job.succeeded + number(known.succeeded.len()) + count(Fate::Succeeded);
        let failed = job.failed + number(known.failed.len()) + count(Fate::Failed);
        let active: Vec<Arc<Object>> =
            pods.iter().filter(|pod| fate(pod) == Fate::Active).cloned().collect();
        let terminates = |pod: &&Arc<Object>| {
            let has_ended = pod.pod().is_none_or(|body| body.phase.is_terminal());
            pod.meta.is_deleting() && !has_ended
        };
        // What was once decided stays, whatever becomes of Pods that are left.
        let verdict = if job.conditions.is("SuccessCriteriaMet", Status::True) {
            Some(Verdict::Complete)
        } else {
            let is_given_up = job.conditions.is("FailureTarget", Status::True);
            (is_given_up || failed > job.backoff_limit).then_some(Verdict::Failed)
        };
        let mut turn = Box::new(Turn {
            job: object.clone(),
            create: 0,
            delete: Vec::new(),
            release: Vec::new(),
            succeeded,
            active: number(active.len()),
            terminating: number(pods.iter().filter(terminates).count()),
            verdict,
            is_current: self.expected.coming(object.meta.uid, view.now) == 0,
            streak: Streak::with(self.streaks.get(&object.meta.uid), &new),
            pause: None,
            error: None,
            held,
        });
        if verdict.is_some() {
            turn.delete = active.into_iter().rev().collect();
        } else if turn.is_current {
            self.manage(job, &mut turn, view.now);
        }
        turn
    }

    /// How many Pods are to be created; none while the last failure is too near.
    fn manage(&self, job: &Job, turn: &mut Turn, now: SimTime) {
        let missing = job.completions.saturating_sub(turn.succeeded).saturating_sub(turn.active);
        if missing == 0 {
            return;
        }
        let Settings { backoff_first, backoff_limit, batch, .. } = self.settings;
        let (pause, left) = turn.streak.pause(backoff_first, backoff_limit, now);
        if left.is_zero() {
            turn.create = missing;
        } else {
            let rule = BACKOFF.of(pause, backoff_first, backoff_limit);
            turn.pause = Some((rule, left.max(batch)));
            // While it waits the real one writes down none, whoever else runs.
            turn.active = 0;
        }
    }

    /// Creates or deletes the next Pod; the Job is written when that is done.
    fn go_on(&mut self, mut turn: Box<Turn>, view: &mut View) -> Step<State> {
        if turn.create > 0 {
            turn.create -= 1;
            let object = turn.job.clone();
            let Some(job) = object.job() else { return Step::done() };
            let suffix = name_suffix((view.draw)(POD_NAME));
            let name = Text::from(format!("{}-{suffix}", object.name()));
            self.expected.creates(object.meta.uid, name.clone(), view.now);
            let pod = new_pod(&object, job, name);
            return Step::ask(Verb::Create(Arc::new(pod)), State(Asked::Created, turn));
        }
        if let Some(pod) = turn.delete.pop() {
            let uid = Some(pod.meta.uid);
            let verb = Verb::Delete { key: pod.key().clone(), grace: None, uid };
            return Step::ask(verb, State(Asked::Deleted(pod), turn));
        }
        self.count(turn, view)
    }

    fn created(&mut self, key: &ObjectKey, turn: &mut Turn, answered: Answered, view: &mut View) {
        match answered {
            Ok(answer) => {
                turn.active += 1;
                if let Some(pod) = answer.object() {
                    let message = format!("Created pod: {}", pod.name());
                    view.event(key, "SuccessfulCreate", message);
                }
            }
            Err(error) => {
                self.expected.creation_failed(turn.job.meta.uid);
                // The others would most likely fail as well.
                turn.create = 0;
                turn.error = Some(error.message);
            }
        }
    }

    /// Writes down which Pods are being counted, before they are let go.
    fn count(&mut self, mut turn: Box<Turn>, view: &mut View) -> Step<State> {
        let mut changed = Object::clone(&turn.job);
        let Some(job) = changed.job_mut() else { return Step::done() };
        turn.verdict = match turn.verdict {
            // Some Pod may be left that nobody has deleted.
            Some(_) if turn.active > 0 || !turn.is_current => None,
            None if turn.succeeded >= job.completions && turn.active == 0 => {
                Some(Verdict::Complete)
            }
            verdict => verdict,
        };
        job.active = turn.active;
        job.settle(|uid| turn.held.iter().any(|pod| pod.meta.uid == uid));
        for pod in &turn.held {
            let (fate, uncounted) = (fate(pod), &mut job.uncounted);
            if fate == Fate::Active && turn.verdict.is_none() {
                continue;
            }
            turn.release.push(pod.clone());
            let is_known = uncounted.has(uid(pod));
            match fate {
                _ if is_known => {}
                Fate::Succeeded => uncounted.succeeded.push(uid(pod)),
                // Who is deleted because the Job has failed has failed too.
                Fate::Active if turn.verdict == Some(Verdict::Complete) => {}
                Fate::Failed | Fate::Active => uncounted.failed.push(uid(pod)),
            }
        }
        turn.release.reverse();
        self.foretell(job, turn.verdict, view.wall_clock());
        if changed == *turn.job {
            return self.release(turn, view);
        }
        // A full update: whoever counts on a stale Job is refused, and counts again.
        Step::ask(Verb::Update(Arc::new(changed)), State(Asked::Counted, turn))
    }

    /// Says what will become of the Job once its Pods are let go, in releases that do.
    fn foretell(&self, job: &mut Job, verdict: Option<Verdict>, now: SimTime) {
        let (kind, reason, message) = match verdict {
            Some(Verdict::Failed) if self.settings.termination == Termination::Awaited => {
                ("FailureTarget", "BackoffLimitExceeded", GIVEN_UP)
            }
            Some(Verdict::Complete) if self.settings.completion == Completion::Reasoned => {
                ("SuccessCriteriaMet", "CompletionsReached", REACHED)
            }
            _ => return,
        };
        say(job, kind, reason, message, now);
    }

    /// Lets the next Pod go that is counted; the Job is written again when all are.
    fn release(&mut self, mut turn: Box<Turn>, view: &mut View) -> Step<State> {
        let Some(pod) = turn.release.pop() else { return self.conclude(turn, view) };
        let mut changed = Object::clone(&pod);
        let others = pod.meta.finalizers.iter().filter(|one| **one != TRACKING);
        changed.meta.finalizers = others.cloned().collect();
        self.released.insert(uid(&pod));
        let verb = Verb::Patch { base: pod.clone(), changed: Arc::new(changed) };
        Step::ask(verb, State(Asked::Released(pod), turn))
    }

    fn let_go(&mut self, pod: &Arc<Object>, turn: &mut Turn, answered: Answered) {
        if let Err(error) = answered {
            self.released.remove(&uid(pod));
            if error.reason != Reason::NotFound {
                turn.error = Some(error.message);
                return;
            }
        }
        turn.held.retain(|held| uid(held) != uid(pod));
    }

    /// Adds up whom it has let go, and says what has become of the Job.
    fn conclude(&mut self, turn: Box<Turn>, view: &mut View) -> Step<State> {
        let mut changed = Object::clone(&turn.job);
        let Some(job) = changed.job_mut() else { return Step::done() };
        job.settle(|uid| turn.held.iter().any(|pod| pod.meta.uid == uid));
        let is_over = match self.settings.termination {
            Termination::Ignored => true,
            Termination::Awaited => turn.terminating == 0,
        };
        let now = view.wall_clock();
        match turn.verdict.filter(|_| is_over && job.uncounted.is_empty()) {
            Some(Verdict::Failed) => say(job, "Failed", "BackoffLimitExceeded", GIVEN_UP, now),
            Some(Verdict::Complete) => {
                let (reason, message) = match self.settings.completion {
                    Completion::Bare => ("", ""),
                    Completion::Reasoned => ("CompletionsReached", REACHED),
                };
                say(job, "Complete", reason, message, now);
                job.completed = Some(now);
            }
            None => {}
        }
        if changed == *turn.job {
            return self.end(&turn.job.key().clone(), *turn, view);
        }
        Step::ask(Verb::Update(Arc::new(changed)), State(Asked::Concluded, turn))
    }

    fn end(&mut self, key: &ObjectKey, turn: Turn, view: &mut View) -> Step<State> {
        if turn.job.job().is_some_and(Job::is_finished) {
            self.streaks.remove(&turn.job.meta.uid);
            match turn.verdict {
                Some(Verdict::Complete) => view.event(key, "Completed", "Job completed"),
                _ => view.warn(key, "BackoffLimitExceeded", GIVEN_UP),
            }
        }
        match (turn.error, turn.pause) {
            (Some(error), _) => Step::Done(Outcome::error(error)),
            (None, Some((rule, left))) => Step::Done(Outcome::after(rule, left)),
            (None, None) => Step::done(),
        }
    }
}

fn deleted(key: &ObjectKey, pod: &Object, turn: &mut Turn, answered: Answered, view: &mut View) {
    match answered {
        Ok(_) => view.event(key, "SuccessfulDelete", format!("Deleted pod: {}", pod.name())),
        Err(error) if error.reason == Reason::NotFound => {}
        Err(error) => {
            turn.error = Some(error.message);
            return;
        }
    }
    turn.active -= 1;
    turn.terminating += 1;
}

fn say(
    job: &mut Job,
    kind: &'static str,
    reason: &'static str,
    message: &'static str,
    now: SimTime,
) {
    let [kind, reason, message] = [kind, reason, message].map(Text::word);
    job.conditions.say(Condition::new(kind, Status::True, reason, message, now));
}

/// True if a Job's change is none of what it is to do: it waits like what happens to its Pods.
pub fn is_status_only(delta: &Delta) -> bool {
    let wish = |object: &Option<Arc<Object>>| {
        let job = object.as_ref()?.job()?;
        Some((job.completions, job.backoff_limit, job.template.clone()))
    };
    let (old, new) = (wish(&delta.old), wish(&delta.new));
    old.is_some() && old == new
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
