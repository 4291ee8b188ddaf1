//! DaemonSet: one Pod on each Node that it suits.
//!
//! Its Pods are placed by the scheduler like all others, each with an affinity to its Node, and
//! tolerate what their Node suffers: no eviction, no cordon. A Pod that terminates still has the
//! place. A Pod that has failed is deleted at once, and one that fails again on the same Node after a
//! pause that doubles. Follows `k/k:pkg/controller/daemon`; rolling updates are not modeled.

use super::claims::{Claim, Claims};
use super::expectations::Expectations;
use crate::api::kinds::{DaemonSet, Node, Pod, PodPhase, TaintEffect, Toleration, taint};
use crate::api::{Answered, Kind, Meta, Object, ObjectKey, Uid, Verb};
use crate::client::{BackoffRules, Delta, Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, Purpose, Rule, SimTime, Text, name_suffix};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The controller, with what it expects its watch to show soon.
#[derive(Clone, Debug)]
pub struct DaemonSetController {
    settings: Settings,
    expected: Expectations,
    claims: Claims,
    failures: Failures,
}

/// The pauses before a Pod is deleted that has failed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub failed_pods_first: Duration,
    pub failed_pods_limit: Duration,
}

/// When a failed Pod of a set was deleted on a Node last, and the pause that began with that.
type Failures = BTreeMap<(ObjectKey, Text), (SimTime, Duration)>;

/// What is left to do in one turn, and the step that is under way.
#[derive(Clone, Debug)]
pub enum State {
    Claim(Claim),
    /// The set's uid.
    Created(Uid, Plan),
    Deleted(ObjectKey, Plan),
    /// What is looked at again, and why.
    Counted(Option<(Rule, Duration)>),
}

/// What one turn does, last first.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Nodes that need a Pod.
    create: Vec<Text>,
    delete: Vec<Arc<Object>>,
    /// The shortest of the pauses that failed Pods are in.
    look_again: Option<Duration>,
}

/// What a Node is to a DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suits {
    /// A Pod should run there.
    Run,
    /// A Pod that is there may stay; no new one comes.
    Keep,
    Not,
}

const POD_NAME: Purpose = Purpose(11);
const FAILED_PODS: BackoffRules = BackoffRules {
    first: "kubernetes.failedPodsBackoffFirst",
    limit: "kubernetes.failedPodsBackoffLimit",
};

impl DaemonSetController {
    /// A controller that has seen nothing.
    pub fn new(settings: Settings, expectations_timeout: Duration) -> DaemonSetController {
        DaemonSetController {
            settings,
            expected: Expectations::new(expectations_timeout),
            claims: Claims::default(),
            failures: Failures::new(),
        }
    }

    /// The watch shows a Pod.
    pub fn observe(&mut self, delta: &Delta) {
        self.claims.observe(delta);
        self.expected.observe(delta);
    }

    /// The next step of a plan; the counts come last.
    fn go_on(&mut self, key: &ObjectKey, mut plan: Plan, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(set) = object.daemon_set() else { return Step::done() };
        if let Some(node) = plan.create.pop() {
            let suffix = name_suffix((view.draw)(POD_NAME));
            let name = Text::from(format!("{}-{suffix}", object.name()));
            self.expected.creates(object.meta.uid, name.clone(), view.now);
            let pod = new_pod(&object, set, name, node);
            return Step::ask(Verb::Create(Arc::new(pod)), State::Created(object.meta.uid, plan));
        }
        if let Some(pod) = plan.delete.pop() {
            let key = pod.key().clone();
            self.expected.deletes(key.clone(), view.now);
            let verb = Verb::Delete { key: key.clone(), grace: None, uid: Some(pod.meta.uid) };
            return Step::ask(verb, State::Deleted(key, plan));
        }
        let look_again = plan.look_again.map(|pause| (self.rule_of(pause), pause));
        self.count(&object, set, look_again, view)
    }

    fn plan(&mut self, object: &Object, set: &DaemonSet, view: &mut View) -> Plan {
        let mut plan = Plan::default();
        let pods = self.pods_by_node(object, view);
        let nodes: Vec<Arc<Object>> = view.local.list(Kind::Node).cloned().collect();
        for node in nodes.iter().rev() {
            let Some(body) = node.node() else { continue };
            let there = pods.get(node.name()).map_or(&[][..], Vec::as_slice);
            let suits = suits(set, node, body);
            if suits == Suits::Run && there.is_empty() {
                plan.create.push(node.name().clone());
            }
            self.plan_leaving(object, node, suits, there, &mut plan, view);
        }
        // A Pod that was never bound, and whose Node is gone.
        let is_gone = |node: &Text| view.local.named(Kind::Node, &Text::EMPTY, node).is_none();
        for pod in pods.iter().filter(|(node, _)| is_gone(node)).flat_map(|(_, pods)| pods) {
            let unbound = pod.pod().is_some_and(|body| body.node_name.is_empty());
            if unbound && !pod.meta.is_deleting() {
                plan.delete.push(pod.clone());
            }
        }
        plan
    }

    /// The set's Pods by the Node that they are on, or meant for.
    fn pods_by_node(&self, set: &Object, view: &View) -> BTreeMap<Text, Vec<Arc<Object>>> {
        let mut all: BTreeMap<Text, Vec<Arc<Object>>> = BTreeMap::new();
        let owned = view.local.list(Kind::Pod).filter(|pod| self.claims.has(set, pod));
        for pod in owned {
            let Some(body) = pod.pod() else { continue };
            let node = match body.node_name.is_empty() {
                true => &body.required_node,
                false => &body.node_name,
            };
            // One that was adopted and is meant for no Node.
            if node.is_empty() {
                continue;
            }
            all.entry(node.clone()).or_default().push(pod.clone());
        }
        all
    }

    /// The Pods that are to go from a Node: all where none belongs, else those that have ended, and of
    /// those that live all but the oldest, one that is bound before one that is not
    /// (`podsShouldBeOnNode`).
    fn plan_leaving(
        &mut self,
        set: &Object,
        node: &Object,
        suits: Suits,
        there: &[Arc<Object>],
        plan: &mut Plan,
        view: &mut View,
    ) {
        let staying = there.iter().filter(|pod| !pod.meta.is_deleting()).cloned();
        if suits == Suits::Not {
            return plan.delete.extend(staying);
        }
        let has_ended = |pod: &Arc<Object>| pod.pod().is_some_and(|body| body.phase.is_terminal());
        let (ended, mut live): (Vec<Arc<Object>>, Vec<Arc<Object>>) = staying.partition(has_ended);
        for pod in ended {
            let has_failed = pod.pod().is_some_and(|body| body.phase == PodPhase::Failed);
            if has_failed && let Some(pause) = self.fails_again(set, node.name(), view.now) {
                let shortest = plan.look_again.map_or(pause, |other| other.min(pause));
                plan.look_again = Some(shortest);
                continue;
            }
            warn_of_ended(set.key(), &pod, node.name(), view);
            plan.delete.push(pod);
        }
        live.sort_by_cached_key(|pod| {
            let is_unbound = pod.pod().is_none_or(|body| body.node_name.is_empty());
            (is_unbound, pod.meta.created.to_whole_seconds(), pod.name().clone())
        });
        plan.delete.extend(live.into_iter().skip(1));
    }

    /// The pause that a Pod which has failed on a Node is in, if it is in one; else the next begins.
    /// Whoever looks while it lasts looks again after as much as the whole pause, as `syncNodes` does.
    fn fails_again(&mut self, set: &Object, node: &Text, now: SimTime) -> Option<Duration> {
        let Settings { failed_pods_first: first, failed_pods_limit: limit } = self.settings;
        let key = (set.key().clone(), node.clone());
        let before = self.failures.get(&key).copied();
        if let Some((since, pause)) = before
            && now.since(since) < pause
        {
            return Some(pause);
        }
        let pause = match before {
            // After two of the longest pauses it is forgotten.
            Some((since, pause)) if now.since(since) <= limit * 2 => pause.doubled_up_to(limit),
            _ => first,
        };
        self.failures.insert(key, (now, pause));
        None
    }

    fn rule_of(&self, pause: Duration) -> Rule {
        let Settings { failed_pods_first: first, failed_pods_limit: limit } = self.settings;
        FAILED_PODS.of(pause, first, limit)
    }

    fn count(
        &self,
        object: &Arc<Object>,
        set: &DaemonSet,
        look_again: Option<(Rule, Duration)>,
        view: &View,
    ) -> Step<State> {
        let pods = self.pods_by_node(object, view);
        let (mut desired, mut current, mut ready) = (0, 0, 0);
        for node in view.local.list(Kind::Node) {
            let Some(body) = node.node() else { continue };
            if suits(set, node, body) != Suits::Run {
                continue;
            }
            desired += 1;
            if let Some(there) = pods.get(node.name()) {
                current += 1;
                ready += u32::from(there.iter().any(|pod| pod.pod().is_some_and(Pod::is_ready)));
            }
        }
        let mut changed = Object::clone(object);
        let Some(body) = changed.daemon_set_mut() else { return Step::done() };
        (body.desired, body.current, body.ready, body.available) = (desired, current, ready, ready);
        if changed == **object {
            return look_later(look_again);
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        Step::write(verb, State::Counted(look_again))
    }
}

impl Reconciler for DaemonSetController {
    type State = State;

    fn agent(&self) -> &'static str {
        "daemonset-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(set) = object.daemon_set().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        let pods = view.local.list(Kind::Pod);
        if let Some(step) = self.claims.next(&object, &set.selector, pods, State::Claim) {
            return step;
        }
        // While its own Pods are still on their way nothing new is begun.
        let plan = match self.expected.coming(object.meta.uid, view.now) {
            0 => self.plan(&object, set, view),
            _ => Plan::default(),
        };
        self.go_on(key, plan, view)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let Reply::Answer(answered) = reply else { return Step::done() };
        let failed = |answered: Answered| answered.err().map(|error| error.message);
        match state {
            State::Claim(claim) => {
                let set = view.local.get(key).cloned();
                let claimed = self.claims.resume(set.as_ref(), claim, answered, State::Claim);
                claimed.or(|| self.begin(key, view))
            }
            State::Created(set, plan) => {
                let created = answered.as_ref().ok().and_then(|answer| answer.object());
                if let Some(pod) = created {
                    let message = format!("Created pod: {}", pod.name());
                    view.event(key, "SuccessfulCreate", message);
                }
                if let Some(error) = failed(answered) {
                    self.expected.creation_failed(set);
                    return Step::Done(Outcome::error(error));
                }
                self.go_on(key, plan, view)
            }
            State::Deleted(pod, plan) => {
                if let Some(error) = failed(answered) {
                    self.expected.deletion_failed(&pod);
                    return Step::Done(Outcome::error(error));
                }
                view.event(key, "SuccessfulDelete", format!("Deleted pod: {}", pod.name));
                self.go_on(key, plan, view)
            }
            State::Counted(look_again) => look_later(look_again),
        }
    }
}

/// Whether a Pod of the set should be on a Node. Room is the scheduler's matter.
pub fn suits(set: &DaemonSet, node: &Object, body: &Node) -> Suits {
    if !node.meta.matches(&set.template.node_selector) {
        return Suits::Not;
    }
    let tolerations = tolerations(set);
    let untolerated =
        |taint: &&crate::api::kinds::Taint| !tolerations.iter().any(|t| t.covers(taint));
    let mut refused = body.taints.iter().filter(untolerated).peekable();
    if refused.peek().is_none() {
        return Suits::Run;
    }
    match refused.any(|taint| taint.effect == TaintEffect::NoExecute) {
        true => Suits::Not,
        false => Suits::Keep,
    }
}

/// What a Pod of the set tolerates: its own, and what the controller adds to every one.
pub fn tolerations(set: &DaemonSet) -> Vec<Toleration> {
    let mut all = set.template.tolerations.clone();
    for (key, effect) in [
        (taint::NOT_READY, TaintEffect::NoExecute),
        (taint::UNREACHABLE, TaintEffect::NoExecute),
        (taint::DISK_PRESSURE, TaintEffect::NoSchedule),
        (taint::MEMORY_PRESSURE, TaintEffect::NoSchedule),
        (taint::PID_PRESSURE, TaintEffect::NoSchedule),
        (taint::UNSCHEDULABLE, TaintEffect::NoSchedule),
    ] {
        let (key, effect) = (Text::word(key), Some(effect));
        all.push(Toleration { key, value: None, effect, seconds: None });
    }
    all
}

/// A Pod for one Node; the scheduler binds it.
pub fn new_pod(object: &Object, set: &DaemonSet, name: Text, node: Text) -> Object {
    let meta = Meta::new(Kind::Pod, object.key().namespace.clone(), name);
    let mut meta = meta.owned_by(&object.meta);
    meta.labels = set.template.labels.clone();
    let mut pod = Pod::new(set.template.clone());
    pod.tolerations = tolerations(set).into();
    pod.required_node = node;
    Object::new(meta, pod)
}

/// Ends a turn; the object is looked at again after this.
fn look_later(look_again: Option<(Rule, Duration)>) -> Step<State> {
    Step::Done(look_again.map_or_else(Outcome::done, |(rule, pause)| Outcome::after(rule, pause)))
}

fn warn_of_ended(set: &ObjectKey, pod: &Object, node: &Text, view: &mut View) {
    let what = format!("{}/{} on node {node}", pod.key().namespace, pod.name());
    match pod.pod().map(|body| body.phase.name()) {
        Some("Failed") => {
            let message = format!("Found failed daemon pod {what}, will try to kill it");
            view.warn(set, "FailedDaemonPod", message);
        }
        _ => {
            let message = format!("Found succeeded daemon pod {what}, will try to delete it");
            view.event(set, "SucceededDaemonPod", message);
        }
    }
}
