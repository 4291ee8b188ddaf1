//! What a controller is to the shell: a function from what it sees to its next step.
//!
//! A reconcile is resumable plain data. It never sends anything itself: it returns the next step,
//! and the shell delivers the answer.

use super::api::Limit;
use super::cluster::Caches;
use crate::api::kinds::EventType;
use crate::api::{Answered, ObjectKey, Verb};
use crate::engine::{Duration, Purpose, Rule, SimTime, Skew, Text};
use crate::infra::{Elapsed, Written};
use crate::timeline::Cause;
use crate::wire::{DatacenterRequest, TaskEnd};

/// A controller: what to do about one object, step by step.
pub trait Reconciler {
    /// Where a reconcile in flight stands; one variant for each place where it waits.
    type State: Clone + std::fmt::Debug;

    /// The controller's user agent and the source of its Events.
    fn agent(&self) -> &'static str;

    /// True if its requests address servers' draws by themselves: where it has more to do, nobody
    /// else's times move.
    fn counts_for_itself(&self) -> bool {
        false
    }

    /// Begins to reconcile an object.
    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<Self::State>;

    /// Goes on with the answer to the last step.
    fn resume(
        &mut self,
        key: &ObjectKey,
        state: Self::State,
        reply: Reply,
        view: &mut View,
    ) -> Step<Self::State>;
}

/// The next step of a reconcile.
#[derive(Clone, Debug)]
pub enum Step<S> {
    /// Asks; any answer, good or bad, resumes the reconcile.
    Ask(Ask, S),
    /// Writes; a failure ends the reconcile with an error.
    Write(Ask, S),
    /// Has the datacenter's management do something, through the process that owns the shell.
    Call(DatacenterRequest, S),
    /// Blocks its worker for a while, because of a rule.
    Wait(Rule, Duration, S),
    Done(Outcome),
}

/// A request to one of the two clusters.
#[derive(Clone, Debug)]
pub struct Ask {
    pub target: Target,
    pub verb: Verb,
    /// Nothing if its answer is waited for as long as the client's settings say.
    pub within: Option<Limit>,
    /// What led to it, where that is not what led to the reconcile.
    pub ground: Option<Box<Ground>>,
}

/// What led a reconcile that looks at many objects to what it does about one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The entry that was last heard of an object.
    pub heard: Cause,
    /// The write of one of its fields, which is named where an entry tells of it.
    pub written: Option<Written>,
}

impl Ask {
    /// A request that is waited for as long as usual, and that the reconcile led to.
    pub fn new(target: Target, verb: Verb) -> Ask {
        Ask { target, verb, within: None, ground: None }
    }
}

/// Which cluster: the one whose objects are reconciled, or the one that they describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Local,
    Remote,
}

/// What resumes a reconcile.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer(Answered),
    /// How a call ended, or that nobody will hear it.
    Task(Result<TaskEnd, Text>),
    /// The wait is over.
    Elapsed,
}

/// How a reconcile ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The earliest time at which the answer can change by itself: after these waits.
    pub requeue_after: Option<[(Rule, Duration); 2]>,
    /// It failed, and is tried again with a growing pause.
    pub error: Option<Text>,
}

/// What a reconcile sees, and what it says beside its steps.
pub struct View<'a> {
    /// By the monotonic clock: for lengths, and what was noted in memory.
    pub now: SimTime,
    /// By how much the wall clock differs; see `wall_clock`.
    pub skew: Skew,
    pub local: &'a Caches,
    pub remote: &'a Caches,
    /// For draws that are the controller's own, such as the suffix of a new name.
    pub draw: &'a mut dyn FnMut(Purpose) -> u64,
    pub events: Vec<EventDraft>,
    pub logs: Vec<Text>,
    /// Lines of which each goes back to a ground of its own; they come before the others.
    pub grounded: Vec<(Ground, Text)>,
    /// The newest entry among what it was told of the objects that it has `found`.
    pub found: Cause,
    /// The limits that had to be over for what it decides.
    pub elapsed: Option<Elapsed>,
    /// The object is not looked at again before this time, whoever wants it, because of a rule.
    pub deferred: Option<(Rule, SimTime)>,
}

/// An Event to record in the local cluster.
#[derive(Clone, Debug)]
pub struct EventDraft {
    pub kind: EventType,
    pub regarding: ObjectKey,
    pub reason: &'static str,
    pub message: Text,
    /// What led to it, where that is not what led to the reconcile.
    pub ground: Option<Box<Ground>>,
}

impl Outcome {
    /// Nothing more to do until something changes.
    pub fn done() -> Outcome {
        Outcome::default()
    }

    /// Look again after a while, because of a rule.
    pub fn after(rule: Rule, delay: Duration) -> Outcome {
        Outcome { requeue_after: Some([(rule, delay), ("", Duration::ZERO)]), error: None }
    }

    /// Look again after two waits, one after the other.
    pub fn after_both(first: (Rule, Duration), second: (Rule, Duration)) -> Outcome {
        Outcome { requeue_after: Some([first, second]), error: None }
    }

    /// Failed; try again with a growing pause.
    pub fn error(why: impl Into<Text>) -> Outcome {
        Outcome { requeue_after: None, error: Some(why.into()) }
    }
}

impl<S> Step<S> {
    /// Ends, with nothing more to do until something changes.
    pub fn done() -> Step<S> {
        Step::Done(Outcome::done())
    }

    /// Writes to the local cluster.
    pub fn write(verb: Verb, then: S) -> Step<S> {
        Step::Write(Ask::new(Target::Local, verb), then)
    }

    /// Writes to the remote cluster.
    pub fn write_remote(verb: Verb, then: S) -> Step<S> {
        Step::Write(Ask::new(Target::Remote, verb), then)
    }

    /// Asks the remote cluster.
    pub fn ask_remote(verb: Verb, then: S) -> Step<S> {
        Step::Ask(Ask::new(Target::Remote, verb), then)
    }

    /// Asks the remote cluster, and waits no longer than this.
    pub fn ask_remote_within(verb: Verb, limit: Limit, then: S) -> Step<S> {
        Step::Ask(Ask { within: Some(limit), ..Ask::new(Target::Remote, verb) }, then)
    }

    /// Asks the local cluster.
    pub fn ask(verb: Verb, then: S) -> Step<S> {
        Step::Ask(Ask::new(Target::Local, verb), then)
    }
}

impl View<'_> {
    /// The time as it is written into objects, and compared with what stands there.
    pub fn wall_clock(&self) -> SimTime {
        self.skew.shown(self.now)
    }

    /// Says that this object was looked at though no watch of the controller tells of it. If
    /// nothing else called the reconcile, what was last heard of the object is its cause: so a
    /// resync names what it found.
    pub fn found(&mut self, key: &ObjectKey) {
        self.name(key, Caches::heard_of);
    }

    /// Says that this object was looked for and is gone: likewise, its end is then the cause.
    pub fn missed(&mut self, key: &ObjectKey) {
        self.name(key, Caches::heard_end_of);
    }

    /// What was last heard of an object, or of its end.
    pub fn heard_of(&self, key: &ObjectKey) -> Cause {
        let of = |caches: &Caches| caches.heard_of(key).or_else(|| caches.heard_end_of(key));
        of(self.remote).or_else(|| of(self.local)).unwrap_or_default()
    }

    /// Of all that was looked at the latest is named.
    fn name(&mut self, key: &ObjectKey, heard: fn(&Caches, &ObjectKey) -> Option<Cause>) {
        let here = || heard(self.local, key).unwrap_or_default();
        let heard = heard(self.remote, key).unwrap_or_else(here);
        if heard.entry > self.found.entry {
            self.found = heard;
        }
    }

    /// Says that a limit had to be over for what it decides, which began when an object was
    /// written.
    pub fn elapsed(&mut self, began: Written, limits: [(Rule, Duration); 2]) {
        self.elapsed = Some(Elapsed { began, limits });
    }

    /// Says that the object is not looked at again before this much time has passed, whoever wants
    /// it: events come sooner than what is waited for.
    pub fn defer(&mut self, rule: Rule, length: Duration) {
        self.deferred = Some((rule, self.now + length));
    }

    /// Records a Normal Event.
    pub fn event(&mut self, regarding: &ObjectKey, reason: &'static str, message: impl Into<Text>) {
        self.say(EventType::Normal, regarding, reason, message.into());
    }

    /// Records a Warning Event.
    pub fn warn(&mut self, regarding: &ObjectKey, reason: &'static str, message: impl Into<Text>) {
        self.say(EventType::Warning, regarding, reason, message.into());
    }

    fn say(&mut self, kind: EventType, regarding: &ObjectKey, reason: &'static str, message: Text) {
        let regarding = regarding.clone();
        self.events.push(EventDraft { kind, regarding, reason, message, ground: None });
    }
}
