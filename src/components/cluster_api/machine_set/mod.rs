//! MachineSet: as many Machines as are wanted, and an end for those marked unhealthy.
//!
//! Machines that are being deleted still count, so a replacement comes only when the old one is
//! gone. Follows `internal/controllers/machineset` of Cluster API.
//!
//! ```text
//! begin ─> remediate ─> scale up, or down ─> wait for the cache ─> status
//! ```
//! What is to be done is decided at the beginning, from one look at the cache, and then done act by
//! act. Simplified: there is one MachineSet, which is of the current revision.

mod preflight;
mod remediation;
mod scale;

use super::machine_deployment::remediating_by_label;
use super::{Bootstrap, Settings, Wording, cluster_of, node_in};
use crate::api::kinds::{
    Condition, InfrastructureRef, KubeadmConfig, Machine, MachineSet, MachineSpec, Status,
};
use crate::api::{Answer, Body, Kind, Meta, Object, ObjectKey, Reason, Verb};
use crate::client::{Delta, Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, Purpose, Rule, SimTime, Text, name_suffix};
use remediation::is;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The controller, with what it expects its watch to show soon of each set's Machines.
#[derive(Clone, Debug)]
pub struct MachineSetController {
    settings: Settings,
    /// Whether the workload cluster is connected, as far as the manager knows.
    pub(super) connected: bool,
    expected: BTreeMap<ObjectKey, Expected>,
}

/// The Machines of one set that the watch is to show or to drop.
#[derive(Clone, Debug, Default)]
struct Expected {
    created: BTreeSet<ObjectKey>,
    deleted: BTreeSet<ObjectKey>,
    /// When one was last begun to be created or deleted.
    acted: SimTime,
}

/// What is still to be done in one reconcile, and the list that it was decided on.
#[derive(Clone, Debug)]
pub struct Work {
    listed: Vec<Arc<Object>>,
    todo: VecDeque<Act>,
    /// Whether the cache has to show what was done before the status is written.
    scaled: bool,
    error: Option<Text>,
    /// What the control plane holds back is looked at again after this.
    held: Option<(Rule, Duration)>,
}

/// One thing to do.
#[derive(Clone, Debug)]
enum Act {
    Patch(Verb),
    /// Deletes a Machine, then writes this, if it is to be told afterwards.
    Delete {
        machine: ObjectKey,
        then: Option<Verb>,
        /// The Event of scaling down, for a Machine that nobody marked.
        announced: bool,
    },
    /// The provider's object and the Machine, both of one name.
    Create,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// A patch was sent.
    Patched(Box<Work>),
    Deleted(Box<Work>, ObjectKey, Option<Verb>, bool),
    /// The provider's object is there; the Machine of the same name follows.
    InfraCreated(Box<Work>, Text),
    /// The bootstrap configuration is there; the provider's object of the same name follows.
    BootstrapCreated(Box<Work>, Text),
    Created(Box<Work>, ObjectKey),
    /// Waits for the cache to show what was done; the status comes last.
    Catching(Box<Work>, SimTime),
    Counted(Outcome),
}

/// The status as the list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    replicas: u32,
    ready: u32,
}

const MACHINE_NAME: Purpose = Purpose(20);

impl MachineSetController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> MachineSetController {
        MachineSetController { settings, connected: true, expected: BTreeMap::new() }
    }

    /// The watch shows a Machine.
    pub fn observe(&mut self, delta: &Delta) {
        let goes = delta.new.as_ref().is_none_or(|machine| machine.meta.is_deleting());
        for expected in self.expected.values_mut() {
            expected.created.remove(delta.key());
            if goes {
                expected.deleted.remove(delta.key());
            }
        }
    }

    /// What is expected of a set's Machines.
    fn of(&mut self, set: &ObjectKey) -> &mut Expected {
        self.expected.entry(set.clone()).or_default()
    }

    /// How many of a set's Machines were created that the watch has not shown yet.
    fn unseen(&self, set: &ObjectKey) -> usize {
        self.expected.get(set).map_or(0, |expected| expected.created.len())
    }

    /// The log line for each Machine that is to stay and whose Node is not ready, or cannot be seen.
    fn mention_unready(&self, machines: &[Arc<Object>], view: &mut View) {
        for machine in machines.iter().filter(|machine| !machine.meta.is_deleting()) {
            let has_node = machine.machine().is_some_and(|body| body.node_ref.is_some());
            let line = match () {
                () if has_node && !self.connected => "Unable to retrieve Node status",
                () if has_ready_node(machine, view) => continue,
                () => "Waiting for the Kubernetes node on the machine to report ready state",
            };
            let (namespace, name) = (&machine.key().namespace, machine.name());
            view.logs.push(Text::from(format!("{line} Machine=\"{namespace}/{name}\"")));
        }
    }

    /// True if the Machine goes already, be it that the watch has not shown it yet.
    fn goes(&self, machine: &Object) -> bool {
        machine.meta.is_deleting()
            || self.expected.values().any(|expected| expected.deleted.contains(machine.key()))
    }

    /// Does the next thing.
    fn act(&mut self, key: &ObjectKey, mut work: Box<Work>, view: &mut View) -> Step<State> {
        match work.todo.pop_front() {
            Some(Act::Patch(verb)) => Step::ask(verb, State::Patched(work)),
            Some(Act::Delete { machine, then, announced }) => {
                let expected = self.of(key);
                expected.deleted.insert(machine.clone());
                expected.acted = view.now;
                let verb = Verb::Delete { key: machine.clone(), grace: None, uid: None };
                Step::ask(verb, State::Deleted(work, machine, then, announced))
            }
            Some(Act::Create) => self.create(key, work, view),
            None if work.scaled && !self.settings.cache_poll.is_zero() => Step::Wait(
                "clusterApi.cachePoll",
                self.settings.cache_poll,
                State::Catching(work, view.now),
            ),
            None => self.count(key, &work, view),
        }
    }

    /// The bootstrap configuration, then the provider's object, then the Machine, of one name.
    fn create(&self, key: &ObjectKey, work: Box<Work>, view: &mut View) -> Step<State> {
        let suffix = name_suffix((view.draw)(MACHINE_NAME));
        let name = Text::from(format!("{}-{suffix}", key.name));
        if self.settings.bootstrap == Bootstrap::Given {
            return self.create_infra(key, work, name, view);
        }
        let Some(object) = view.local.get(key) else { return Step::done() };
        let Some(set) = object.machine_set() else { return Step::done() };
        let config = KubeadmConfig::default();
        let config = part(object, set, Kind::KubeadmConfig, &name, config);
        Step::write(Verb::Create(Arc::new(config)), State::BootstrapCreated(work, name))
    }

    fn create_infra(
        &self,
        key: &ObjectKey,
        work: Box<Work>,
        name: Text,
        view: &View,
    ) -> Step<State> {
        let Some(object) = view.local.get(key) else { return Step::done() };
        let Some(set) = object.machine_set() else { return Step::done() };
        let kind = set.template.infrastructure.kind;
        let infra = part(object, set, kind, &name, Body::of_infrastructure(kind));
        Step::write(Verb::Create(Arc::new(infra)), State::InfraCreated(work, name))
    }

    fn create_machine(
        &mut self,
        key: &ObjectKey,
        work: Box<Work>,
        name: Text,
        view: &View,
    ) -> Step<State> {
        let Some(object) = view.local.get(key) else { return Step::done() };
        let Some(set) = object.machine_set() else { return Step::done() };
        let infrastructure =
            InfrastructureRef { name: name.clone(), ..set.template.infrastructure };
        let mut meta = Meta::new(Kind::Machine, key.namespace.clone(), name);
        meta = meta.owned_by(&object.meta);
        meta.labels = set.selector.clone();
        meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
        let machine = meta.key.clone();
        let template = set.template.clone();
        let spec = MachineSpec { provider_id: Text::EMPTY, infrastructure, ..template };
        let body = Machine { spec, ..Machine::default() };
        let expected = self.of(key);
        expected.created.insert(machine.clone());
        expected.acted = view.now;
        let verb = Verb::Create(Arc::new(Object::new(meta, body)));
        Step::ask(verb, State::Created(work, machine))
    }

    fn created(
        &mut self,
        key: &ObjectKey,
        mut work: Box<Work>,
        machine: &ObjectKey,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        if let Reply::Answer(Ok(Answer::Object(_))) = reply {
            let words = match self.settings.wording {
                Wording::V1Beta1 => format!("Created machine \"{}\"", machine.name),
                Wording::V1Beta2 => format!("Created Machine \"{}\"", machine.name),
            };
            view.event(key, "SuccessfulCreate", words);
            return self.act(key, work, view);
        }
        self.of(key).created.remove(machine);
        let error = failure(reply).unwrap_or_default();
        view.warn(key, "FailedCreate", format!("Failed to create machine: {error}"));
        work.error = Some(error);
        // Nobody wants the provider's object without its Machine.
        let infra = super::beside(machine, self.settings.infrastructure, &machine.name);
        let verb = Verb::Delete { key: infra, grace: None, uid: None };
        work.todo.push_front(Act::Patch(verb));
        self.act(key, work, view)
    }

    fn deleted(
        &mut self,
        key: &ObjectKey,
        mut work: Box<Work>,
        (machine, then, announced): (ObjectKey, Option<Verb>, bool),
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        if let Some(error) = failure(reply) {
            self.of(key).deleted.remove(&machine);
            work.error = Some(error);
            return self.act(key, work, view);
        }
        if announced {
            let words = match self.settings.wording {
                Wording::V1Beta1 => format!("Deleted machine \"{}\"", machine.name),
                Wording::V1Beta2 => format!("Deleted Machine \"{}\"", machine.name),
            };
            view.event(key, "SuccessfulDelete", words);
        }
        if let Some(then) = then {
            work.todo.push_front(Act::Patch(then));
        }
        self.act(key, work, view)
    }

    fn counts(&self, machines: &[Arc<Object>], view: &View) -> Counts {
        let count = |machines: usize| u32::try_from(machines).unwrap_or(u32::MAX);
        let ready = machines.iter().filter(|machine| match self.settings.counts_ready_machines {
            true => is(machine, "Ready", Status::True),
            // It looks at the Nodes itself, and sees none without a connection.
            false => self.connected && has_ready_node(machine, view),
        });
        Counts { replicas: count(machines.len()), ready: count(ready.count()) }
    }

    /// The status, from the list that the reconcile began with and from the Nodes as they are now.
    fn count(&self, key: &ObjectKey, work: &Work, view: &View) -> Step<State> {
        let Some(object) = view.local.get(key) else { return Step::done() };
        let counts = self.counts(&work.listed, view);
        let mut changed = Object::clone(object);
        let Some(body) = changed.machine_set_mut() else { return Step::done() };
        body.status_replicas = counts.replicas;
        body.ready_replicas = counts.ready;
        body.available_replicas = counts.ready;
        if self.settings.wording == Wording::V1Beta2 {
            let label = "cluster.x-k8s.io/set-name";
            body.conditions.say(remediating_by_label(object, label, "MachineSet", view));
        }
        let not_ready = (counts.ready != body.replicas)
            .then_some(("clusterApi.notReadyRequeue", self.settings.not_ready_requeue));
        let sooner = work.held.into_iter().chain(not_ready).min_by_key(|(_, pause)| *pause);
        let outcome = match (&work.error, sooner) {
            (Some(error), _) => Outcome::error(error.clone()),
            (None, Some((rule, pause))) => Outcome::after(rule, pause),
            (None, None) => Outcome::done(),
        };
        if changed == **object {
            return Step::Done(outcome);
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        Step::write(verb, State::Counted(outcome))
    }

    /// True once the cache shows what was created and deleted for a set, or nobody waits for it any
    /// longer: since that time, or since the last of it was begun.
    fn has_caught_up(&mut self, set: &ObjectKey, since: Option<SimTime>, now: SimTime) -> bool {
        let Some(expected) = self.expected.get(set) else { return true };
        let is_over = now >= since.unwrap_or(expected.acted) + self.settings.cache_timeout;
        let is_shown = expected.created.is_empty() && expected.deleted.is_empty();
        if is_over || is_shown {
            self.expected.remove(set);
        }
        is_over || is_shown
    }
}

impl Reconciler for MachineSetController {
    type State = State;

    fn agent(&self) -> &'static str {
        "machineset-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else {
            self.expected.remove(key);
            return Step::done();
        };
        let Some(set) = object.machine_set() else { return Step::done() };
        let cluster = cluster_of(&object, view).and_then(|cluster| cluster.cluster());
        let then = State::Counted(Outcome::done());
        if let Some(step) = self.settings.pauses.holds(&object, cluster, then, view) {
            return step;
        }
        if self.settings.cache_poll.is_zero() {
            // Simplified: the real one compares revisions; a watch that has missed both birth and end
            // of a Machine shows neither.
            self.has_caught_up(key, None, view.now);
        }
        let listed = machines_of(&object, view);
        // It watches no Nodes, and looks at them all the same.
        for name in listed.iter().filter_map(|machine| machine.machine()?.node_ref.as_ref()) {
            view.found(&ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: name.clone() });
        }
        self.mention_unready(&listed, view);
        let (todo, scaled) = (VecDeque::new(), false);
        let mut work = Work { listed, todo, scaled, error: None, held: None };
        self.remediate(&object, set, &mut work, view);
        self.scale(&object, set, &mut work, view);
        self.act(key, Box::new(work), view)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        match state {
            State::Patched(mut work) => {
                if let Some(error) = failure(reply) {
                    work.error = Some(error);
                }
                self.act(key, work, view)
            }
            State::Deleted(work, machine, then, announced) => {
                self.deleted(key, work, (machine, then, announced), reply, view)
            }
            State::BootstrapCreated(work, name) => self.create_infra(key, work, name, view),
            State::InfraCreated(work, name) => self.create_machine(key, work, name, view),
            State::Created(work, machine) => self.created(key, work, &machine, reply, view),
            State::Catching(work, since) => match self.has_caught_up(key, Some(since), view.now) {
                true => self.count(key, &work, view),
                false => Step::Wait(
                    "clusterApi.cachePoll",
                    self.settings.cache_poll,
                    State::Catching(work, since),
                ),
            },
            State::Counted(outcome) => Step::Done(outcome),
        }
    }
}

/// Why a request failed; that its object is gone is no failure.
fn failure(reply: Reply) -> Option<Text> {
    match reply {
        Reply::Answer(Err(error)) if error.reason != Reason::NotFound => Some(error.message),
        _ => None,
    }
}

/// The Machines that a MachineSet owns, those that are being deleted included.
fn machines_of(set: &Object, view: &View) -> Vec<Arc<Object>> {
    view.local
        .list(Kind::Machine)
        .filter(|machine| machine.meta.controller().is_some_and(|by| by.uid == set.meta.uid))
        .cloned()
        .collect()
}

fn has_ready_node(machine: &Object, view: &View) -> bool {
    let node = machine.machine().and_then(|body| body.node_ref.as_ref());
    node.and_then(|name| node_in(view.remote, name))
        .and_then(|node| node.node())
        .is_some_and(|node| node.conditions.is("Ready", Status::True))
}

/// The patch that changes a Machine's conditions; nothing if it changes none.
fn told(machine: &Arc<Object>, change: impl FnOnce(&mut Machine)) -> Option<Act> {
    let mut changed = Object::clone(machine);
    change(changed.machine_mut()?);
    if changed == **machine {
        return None;
    }
    Some(Act::Patch(Verb::Patch { base: machine.clone(), changed: Arc::new(changed) }))
}

/// `OwnerRemediated` as a MachineSet writes it.
fn owner_remediated(
    status: Status,
    reason: &'static str,
    message: impl Into<Text>,
    now: SimTime,
) -> Condition {
    Condition::new(Text::word("OwnerRemediated"), status, Text::word(reason), message, now)
}

/// An object that a new Machine of the set goes with, under the Machine's name.
fn part(
    object: &Object,
    set: &MachineSet,
    kind: Kind,
    name: &Text,
    body: impl Into<Body>,
) -> Object {
    let mut meta = Meta::new(kind, object.key().namespace.clone(), name.clone());
    meta = meta.owned_by(&object.meta);
    meta.labels = set.selector.clone();
    Object::new(meta, body)
}
