//! Draining a Node: cordon, evict, and wait until its Pods are gone or need not be waited for.
//!
//! Up to 1.8 an attempt blocks its worker for 20 s, looks every second and evicts every Pod, dying
//! ones too. From 1.9 it is one pass without waiting, each 20 s, that leaves dying Pods alone. On
//! an unreachable Node (Ready is Unknown) Pods are not waited for once their deletion time is long
//! enough past: nobody there will end them. An eviction that a disruption budget refuses is tried
//! again every 5 s within an attempt, or by the next pass; only the Machine's `nodeDrainTimeout`
//! ends that. Pods of DaemonSets, and those that mirror static Pods, are neither evicted nor waited
//! for.
//!
//! Simplified: whether the DaemonSet of such a Pod still exists is not asked; without it the real
//! drain evicts the Pod.

use super::super::{DrainClock, DrainStyle, Wording, node_in};
use super::deletion::{NO_CLIENT, drained, draining_condition, listed};
use super::status::finish;
use super::{MachineController, State, node_name};
use crate::api::kinds::{Machine, MachinePhase, Status};
use crate::api::{
    Answer, Answered, ApiError, Freshness, Kind, Object, ObjectKey, Reason, Selector, Verb, rfc3339,
};
use crate::client::{Outcome, Reply, Step, View};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::Written;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// One attempt, or one pass.
#[derive(Clone, Debug)]
pub struct Attempt {
    node: Text,
    since: SimTime,
    unreachable: bool,
    /// Pods to evict; filled by the first look.
    evict: VecDeque<ObjectKey>,
    evicted: bool,
    /// The Pod whose eviction was asked for last.
    asked: Option<ObjectKey>,
    /// Pods that are waited for.
    waiting: Vec<ObjectKey>,
    /// Those among them that are being deleted, or whose eviction was granted.
    dying: BTreeSet<ObjectKey>,
    /// Those whose eviction was refused, and why.
    refused: BTreeMap<ObjectKey, Text>,
    /// When refused evictions are tried again within this attempt.
    retry_at: Option<SimTime>,
    /// Pods that an attempt gave up, because their eviction failed for another reason.
    given_up: BTreeSet<ObjectKey>,
}

impl MachineController {
    /// Announces the drain, then looks the Node up.
    pub(super) fn drain(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let now = view.wall_clock();
        let machine = object.machine();
        let announced = machine
            .is_some_and(|m| m.conditions.get(draining_condition(self.settings.wording)).is_some());
        if announced {
            return self.read_node(object, view);
        }
        let mut changed = Object::clone(object);
        if let Some(machine) = changed.machine_mut() {
            machine.drain_started = Some(now);
            let words = ("Draining", "Draining the node before deletion");
            drained(machine, self.settings.wording, Status::False, words, now);
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        Step::write(verb, State::DrainAnnounced)
    }

    pub(super) fn drain_on(
        &mut self,
        object: &Arc<Object>,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        match (state, reply) {
            (State::DrainAnnounced, _) => self.read_node(object, view),
            (State::NodeRead, Reply::Answer(Ok(Answer::Object(node)))) => cordon(&node, view.now),
            (State::NodeRead, Reply::Answer(Err(error))) => match error.reason {
                // Without its Node there is nothing to drain.
                Reason::NotFound => self.drain_done(object, view),
                _ => {
                    let node = node_name(object).unwrap_or_default();
                    self.drain_failed(object, format!("unable to get node {node}: {error}"), view)
                }
            },
            (State::Cordoned(attempt), Reply::Answer(Err(error))) => {
                let node = attempt.node;
                let words = match self.settings.wording {
                    Wording::V1Beta1 => format!("unable to cordon node {node}: {error}"),
                    // Who calls the helper and the helper itself say the same.
                    Wording::V1Beta2 => {
                        format!("failed to cordon Node {node}: failed to cordon Node: {error}")
                    }
                };
                self.drain_failed(object, words, view)
            }
            (State::Cordoned(attempt) | State::Polling(attempt), _) => list_pods(attempt),
            (State::PodsListed(attempt), reply) => match listed(reply) {
                Ok(pods) => self.look(object, attempt, &pods, view),
                // An attempt that fails is one that is tried again after its pause.
                Err(error) => match self.settings.drain.style {
                    DrainStyle::Attempts { .. } => self.attempt_over(object),
                    DrainStyle::Passes => {
                        let words = format!("failed to get Pods for eviction: {error}");
                        self.drain_failed(object, words, view)
                    }
                },
            },
            (State::Evicting(attempt), Reply::Answer(answered)) => {
                let attempt = self.evicted(attempt, answered, view);
                self.evict_next(object, attempt, view)
            }
            _ => Step::done(),
        }
    }

    /// Up to 1.8 the Node is looked up live, and a cluster that nobody can reach is not drained, which is no error;
    /// but its volumes are waited for. From then on the Node is what the informer last heard, and without a
    /// connection the drain fails.
    fn read_node(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let name = node_name(object).unwrap_or_default();
        match (self.settings.wording, self.contact.connected) {
            (Wording::V1Beta1, true) => {}
            (Wording::V1Beta1, false) => return self.drain_done(object, view),
            (Wording::V1Beta2, true) => {
                return match node_in(view.remote, &name) {
                    Some(node) => cordon(node, view.now),
                    None => self.drain_done(object, view),
                };
            }
            (Wording::V1Beta2, false) => {
                let words = format!("failed to drain Node {name}: {NO_CLIENT}");
                return self.drain_failed(object, words, view);
            }
        }
        let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name };
        Step::ask_remote(Verb::Get(key), State::NodeRead)
    }

    /// The Node could not be read or cordoned, or its Pods could not be listed: all of it is tried again.
    fn drain_failed(
        &mut self,
        object: &Arc<Object>,
        words: String,
        view: &mut View,
    ) -> Step<State> {
        let node = node_name(object).unwrap_or_default();
        let words = Text::from(words);
        let said = format!("error draining Machine's node \"{node}\": {words}");
        view.warn(object.key(), "FailedDrainNode", said);
        let mut changed = Object::clone(object);
        if let Some(machine) = changed.machine_mut() {
            let why = ("DrainingFailed", words.clone());
            drained(machine, self.settings.wording, Status::False, why, view.wall_clock());
            let said = "Error draining Node, please check controller logs for errors";
            self.say_deleting(machine, ("DrainingNode", Text::word(said)), view);
        }
        finish(object, changed, Outcome::error(words))
    }

    /// One look at the Pods of the Node.
    fn look(
        &mut self,
        object: &Arc<Object>,
        mut attempt: Attempt,
        pods: &[Arc<Object>],
        view: &mut View,
    ) -> Step<State> {
        let (now, wall_clock) = (view.now, view.wall_clock());
        let waited: Vec<&Arc<Object>> =
            pods.iter().filter(|pod| self.is_waited_for(pod, &attempt, wall_clock)).collect();
        if waited.is_empty() {
            self.say_what_was_skipped(pods, &attempt, view);
            return match attempt.given_up.is_empty() {
                true => self.drain_done(object, view),
                false => self.attempt_over(object),
            };
        }
        attempt.waiting = waited.iter().map(|pod| pod.key().clone()).collect();
        let dying = waited.iter().filter(|pod| pod.meta.is_deleting());
        attempt.dying = dying.map(|pod| pod.key().clone()).collect();
        if !attempt.evicted {
            attempt.evicted = true;
            let dying_too = matches!(self.settings.drain.style, DrainStyle::Attempts { .. });
            attempt.evict = waited
                .iter()
                .filter(|pod| dying_too || !pod.meta.is_deleting())
                .map(|pod| pod.key().clone())
                .collect();
        } else if attempt.retry_at.is_some_and(|at| at <= now) {
            attempt.retry_at = None;
            let refused = std::mem::take(&mut attempt.refused).into_keys();
            attempt.evict = refused.filter(|pod| attempt.waiting.contains(pod)).collect();
        }
        self.evict_next(object, attempt, view)
    }

    /// Notes what became of an eviction.
    fn evicted(&self, mut attempt: Attempt, answered: Answered, view: &mut View) -> Attempt {
        let Some(pod) = attempt.asked.take() else { return attempt };
        let style = self.settings.drain.style;
        match (answered, style) {
            (Ok(_), _) => drop(attempt.dying.insert(pod)),
            (Err(error), _) if error.reason == Reason::NotFound => {
                attempt.waiting.retain(|waiting| *waiting != pod);
            }
            (Err(error), DrainStyle::Attempts { refused_retry, .. })
                if error.reason == Reason::TooManyRequests =>
            {
                view.logs.push(Text::from(format!(
                    "error when evicting pods/\"{}\" -n \"{}\" (will retry after {}s): {error}",
                    pod.name,
                    pod.namespace,
                    refused_retry.as_secs()
                )));
                let at = view.now + refused_retry;
                attempt.retry_at = Some(attempt.retry_at.map_or(at, |sooner| sooner.min(at)));
                attempt.refused.insert(pod, error.message);
            }
            // kubectl's drain does not wait for a Pod whose eviction failed, and fails itself.
            (Err(_), DrainStyle::Attempts { .. }) => drop(attempt.given_up.insert(pod)),
            (Err(error), DrainStyle::Passes) => {
                attempt.refused.insert(pod, refusal_words(&error));
            }
        }
        attempt
    }

    fn is_waited_for(&self, pod: &Object, attempt: &Attempt, now: SimTime) -> bool {
        !is_daemon(pod)
            && !pod.meta.is_mirror()
            && !self.is_skipped(pod, attempt, now)
            && !attempt.given_up.contains(pod.key())
    }

    /// A Pod of a dead kubelet is not waited for for ever.
    fn is_skipped(&self, pod: &Object, attempt: &Attempt, now: SimTime) -> bool {
        let skip = self.settings.drain.unreachable_skip.as_secs();
        // Whole seconds are compared, as kubectl's drain does it.
        let dead_for = |at: SimTime| now.since(at).as_secs();
        attempt.unreachable && pod.meta.deletion.is_some_and(|it| dead_for(it.at) > skip)
    }

    /// For the record: a Pod whose kubelet is gone is not waited for for ever.
    fn say_what_was_skipped(&self, pods: &[Arc<Object>], attempt: &Attempt, view: &mut View) {
        let skipped = pods.iter().filter(|pod| self.is_skipped(pod, attempt, view.wall_clock()));
        let deleted = skipped.filter_map(|pod| Some((pod, pod.meta.deletion.as_ref()?)));
        let last = deleted.max_by_key(|(_, it)| it.at);
        if let Some((pod, deletion)) = last {
            let asked_at = SimTime::ZERO + deletion.at.since(SimTime::ZERO + deletion.grace);
            // Whole seconds are compared: one more has to begin.
            let skip = self.settings.drain.unreachable_skip + Duration::from_secs(1);
            let grace = ("the Pod's terminationGracePeriodSeconds", deletion.grace);
            let (object, field) = (pod.key().clone(), Text::word("deletionTimestamp"));
            let began = Written { object, field, at: asked_at };
            view.elapsed(began, [grace, ("clusterApi.drainUnreachableSkip", skip)]);
        }
    }

    fn evict_next(
        &mut self,
        object: &Arc<Object>,
        mut attempt: Attempt,
        view: &mut View,
    ) -> Step<State> {
        let now = view.now;
        if let Some(key) = attempt.evict.pop_front() {
            let grace = self.settings.drain.unreachable_grace.filter(|_| attempt.unreachable);
            attempt.asked = Some(key.clone());
            let verb = Verb::Evict { key, grace };
            return Step::ask_remote(verb, State::Evicting(attempt));
        }
        match self.settings.drain.style {
            DrainStyle::Passes if attempt.waiting.is_empty() => self.drain_done(object, view),
            DrainStyle::Passes => self.pass_over(object, &attempt, view),
            DrainStyle::Attempts { length, poll, .. } => match now < attempt.since + length {
                true => {
                    let retry = attempt.retry_at.map_or(poll, |at| at.since(now));
                    Step::Wait("clusterApi.drainPoll", poll.min(retry), State::Polling(attempt))
                }
                false => self.attempt_over(object),
            },
        }
    }

    /// The deferred patch: only now does the phase show what is going on.
    fn attempt_over(&mut self, object: &Arc<Object>) -> Step<State> {
        let mut changed = Object::clone(object);
        if let Some(machine) = changed.machine_mut() {
            machine.phase = MachinePhase::Deleting;
        }
        let retry = Outcome::after("clusterApi.drainRetryInterval", self.settings.drain.retry);
        finish(object, changed, retry)
    }

    /// Only a pass that has ended holds the next one back: one that fails is tried again with a
    /// growing pause.
    fn pass_over(
        &mut self,
        object: &Arc<Object>,
        attempt: &Attempt,
        view: &mut View,
    ) -> Step<State> {
        let mut changed = Object::clone(object);
        if let Some(machine) = changed.machine_mut() {
            let started = machine.drain_started.unwrap_or(view.wall_clock());
            let words = Text::from(words(attempt, started));
            self.say_deleting(machine, ("DrainingNode", words), view);
        }
        let retry = ("clusterApi.drainRetryInterval", self.settings.drain.retry);
        view.defer(retry.0, retry.1);
        finish(object, changed, Outcome::after(retry.0, retry.1))
    }

    fn drain_done(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let node = node_name(object).unwrap_or_default();
        let words = format!("success draining Machine's node \"{node}\"");
        view.event(object.key(), "SuccessfulDrainNode", words);
        self.volumes(object, view)
    }
}

/// True for a Pod of a DaemonSet that has not finished: it would be made again on the same Node.
fn is_daemon(pod: &Object) -> bool {
    let finished = pod.pod().is_some_and(|pod| pod.phase.is_terminal());
    pod.meta.controlled_by(Kind::DaemonSet).is_some() && !finished
}

fn cordon(node: &Arc<Object>, now: SimTime) -> Step<State> {
    let unreachable = node.node().is_some_and(|body| body.conditions.is("Ready", Status::Unknown));
    let attempt = Attempt {
        node: node.name().clone(),
        since: now,
        unreachable,
        evict: VecDeque::new(),
        evicted: false,
        asked: None,
        waiting: Vec::new(),
        dying: BTreeSet::new(),
        refused: BTreeMap::new(),
        retry_at: None,
        given_up: BTreeSet::new(),
    };
    if node.node().is_some_and(|body| body.unschedulable) {
        return list_pods(attempt);
    }
    let mut changed = Object::clone(node);
    if let Some(body) = changed.node_mut() {
        body.unschedulable = true;
    }
    let verb = Verb::Patch { base: node.clone(), changed: Arc::new(changed) };
    Step::ask_remote(verb, State::Cordoned(attempt))
}

fn list_pods(attempt: Attempt) -> Step<State> {
    let verb = Verb::List(Kind::Pod, Selector::OnNode(attempt.node.clone()), Freshness::Latest);
    Step::ask_remote(verb, State::PodsListed(attempt))
}

/// True if the Machine's `nodeDrainTimeout` has passed since its drain began, by this clock.
pub fn drain_timed_out(machine: &Machine, clock: DrainClock, now: SimTime) -> bool {
    let timeout = machine.spec.node_drain_timeout;
    let since = match clock {
        DrainClock::Condition => {
            let said = machine.conditions.get(draining_condition(Wording::V1Beta1));
            said.map(|said| said.last_transition)
        }
        DrainClock::Beginning => machine.drain_started.map(SimTime::to_whole_seconds),
    };
    !timeout.is_zero() && since.is_some_and(|since| since + timeout <= now)
}

/// What the condition Deleting says while a drain goes on.
fn words(attempt: &Attempt, started: SimTime) -> String {
    let mut words = format!("Drain not completed yet (started at {}):", rfc3339(started));
    let mut add = |pods: &[&ObjectKey], what: &str| {
        let kind = if pods.len() > 1 { "Pods" } else { "Pod" };
        words.push_str(&format!("\n* {kind} {}: {what}", pod_list(pods)));
    };
    let dying: Vec<&ObjectKey> =
        attempt.waiting.iter().filter(|pod| attempt.dying.contains(pod)).collect();
    if !dying.is_empty() {
        add(&dying, "deletionTimestamp set, but still not removed from the Node");
    }
    let mut refused: BTreeMap<&Text, Vec<&ObjectKey>> = BTreeMap::new();
    for (pod, why) in &attempt.refused {
        refused.entry(why).or_default().push(pod);
    }
    for (why, pods) in refused {
        add(&pods, why);
    }
    words
}

/// Why an eviction failed, as the condition Deleting says it.
fn refusal_words(error: &ApiError) -> Text {
    let budget = "Cannot evict pod as it would violate the pod's disruption budget.";
    Text::from(match (error.reason, error.message.strip_prefix(budget)) {
        (Reason::TooManyRequests, Some(_)) => {
            format!(
                "cannot evict pod as it would violate the pod's disruption budget. {}",
                error.cause
            )
        }
        _ => format!("failed to evict Pod, {error}"),
    })
}

/// The first three Pods, and how many more there are.
fn pod_list(pods: &[&ObjectKey]) -> String {
    let mut names: Vec<String> =
        pods.iter().take(3).map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
    if pods.len() > 3 {
        names.push(format!("... ({} more)", pods.len() - 3));
    }
    names.join(", ")
}
