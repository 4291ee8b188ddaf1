//! MachineSet: as many Machines as are wanted, and an end for those marked unhealthy.
//!
//! Machines that are being deleted still count, so a replacement comes only when the old one is
//! gone. Follows `internal/controllers/machineset` of Cluster API.

use super::machine_deployment::remediating;
use super::{Marking, Settings, Wording, node_in};
use crate::api::kinds::{Condition, InfrastructureRef, Machine, MachineSet, MachineSpec, Status};
use crate::api::{Answer, Body, Kind, Meta, Object, ObjectKey, Verb};
use crate::client::{Delta, Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Purpose, SimTime, Text, name_suffix};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The controller, with the Machines that it expects its watch to show or to drop soon.
#[derive(Clone, Debug)]
pub struct MachineSetController {
    settings: Settings,
    created: BTreeSet<ObjectKey>,
    deleted: BTreeSet<ObjectKey>,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// `OwnerRemediated` of this Machine was written; its deletion follows.
    Marked(ObjectKey),
    Deleted(ObjectKey),
    /// `OwnerRemediated` was written after the deletion.
    MarkedAfterwards,
    /// The provider's object is there; the Machine of the same name follows.
    InfraCreated(Text),
    Created(ObjectKey),
    /// Waits for the cache to show what was done; the status comes last.
    Catching {
        since: SimTime,
        counted: Box<Counts>,
    },
    Counted,
}

/// The status as it was when the reconcile began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    replicas: u32,
    ready: u32,
}

const MACHINE_NAME: Purpose = Purpose(20);

impl MachineSetController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> MachineSetController {
        MachineSetController { settings, created: BTreeSet::new(), deleted: BTreeSet::new() }
    }

    /// The watch shows a Machine.
    pub fn observe(&mut self, delta: &Delta) {
        self.created.remove(delta.key());
        if delta.new.as_ref().is_none_or(|machine| machine.meta.is_deleting()) {
            self.deleted.remove(delta.key());
        }
    }

    /// The log line for each Machine that is to stay and whose Node is not ready.
    fn mention_unready(&self, machines: &[Arc<Object>], view: &mut View) {
        for machine in machines.iter().filter(|machine| !machine.meta.is_deleting()) {
            if counts(std::slice::from_ref(machine), view).ready == 0 {
                view.logs.push(Text::from(format!(
                    "Waiting for the Kubernetes node on the machine to report ready state \
                     Machine=\"{}/{}\"",
                    machine.key().namespace,
                    machine.name()
                )));
            }
        }
    }

    /// Deletes the first Machine that was marked unhealthy, as its release does it.
    fn remediate(&mut self, machines: &[Arc<Object>], view: &View) -> Option<Step<State>> {
        let marked = machines.iter().find(|machine| {
            let unhealthy = machine
                .machine()
                .is_some_and(|body| body.conditions.is("OwnerRemediated", Status::False));
            unhealthy && !machine.meta.is_deleting() && !self.deleted.contains(machine.key())
        })?;
        let key = marked.key().clone();
        Some(match self.settings.marking {
            Marking::TrueAfterwards => self.delete(key),
            Marking::DeletingBefore => {
                let condition = Condition::new(
                    Text::word("OwnerRemediated"),
                    Status::False,
                    Text::word("MachineDeleting"),
                    Text::word("Machine is deleting"),
                    view.now,
                );
                Step::write(said(marked, condition), State::Marked(key))
            }
        })
    }

    fn delete(&mut self, key: ObjectKey) -> Step<State> {
        self.deleted.insert(key.clone());
        let verb = Verb::Delete { key: key.clone(), grace: None, uid: None };
        Step::ask(verb, State::Deleted(key))
    }

    fn deleted(&mut self, key: &ObjectKey, view: &View) -> Option<Step<State>> {
        if self.settings.marking != Marking::TrueAfterwards {
            return None;
        }
        let machine = view.local.get(key)?;
        let kind = Text::word("OwnerRemediated");
        let condition = Condition::new(kind, Status::True, "", "", view.now);
        Some(Step::write(said(machine, condition), State::MarkedAfterwards))
    }

    /// First the provider's object, then the Machine, both of one name.
    fn create_infra(&self, object: &Object, set: &MachineSet, view: &mut View) -> Step<State> {
        let suffix = name_suffix((view.draw)(MACHINE_NAME));
        let name = Text::from(format!("{}-{suffix}", object.name()));
        let kind = set.template.infrastructure.kind;
        let mut meta = Meta::new(kind, object.key().namespace.clone(), name.clone());
        meta = meta.owned_by(&object.meta);
        meta.labels = set.selector.clone();
        let infra = Object::new(meta, Body::of_infrastructure(kind));
        Step::write(Verb::Create(Arc::new(infra)), State::InfraCreated(name))
    }

    fn create_machine(&mut self, object: &Object, name: Text) -> Step<State> {
        let Some(set) = object.machine_set() else { return Step::done() };
        let infrastructure =
            InfrastructureRef { name: name.clone(), ..set.template.infrastructure };
        let mut meta = Meta::new(Kind::Machine, object.key().namespace.clone(), name);
        meta = meta.owned_by(&object.meta);
        meta.labels = set.selector.clone();
        meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
        let key = meta.key.clone();
        let template = set.template.clone();
        let spec = MachineSpec { provider_id: Text::EMPTY, infrastructure, ..template };
        let machine = Machine { spec, ..Machine::default() };
        self.created.insert(key.clone());
        Step::ask(Verb::Create(Arc::new(Object::new(meta, machine))), State::Created(key))
    }

    fn count(&self, key: &ObjectKey, counts: Counts, view: &View) -> Step<State> {
        let Some(object) = view.local.get(key) else { return Step::done() };
        let mut changed = Object::clone(object);
        let Some(body) = changed.machine_set_mut() else { return Step::done() };
        body.status_replicas = counts.replicas;
        body.ready_replicas = counts.ready;
        body.available_replicas = counts.ready;
        if self.settings.wording == Wording::V1Beta2 {
            body.conditions.say(remediating(object, "cluster.x-k8s.io/set-name", view));
        }
        let all_ready = counts.ready == body.replicas;
        if changed == **object {
            return Step::Done(self.outcome(all_ready));
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        Step::write(verb, State::Counted)
    }

    fn outcome(&self, all_ready: bool) -> Outcome {
        match all_ready {
            true => Outcome::done(),
            false => Outcome::after(self.settings.not_ready_requeue),
        }
    }
}

impl Reconciler for MachineSetController {
    type State = State;

    fn agent(&self) -> &'static str {
        "machineset-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(set) = object.machine_set() else { return Step::done() };
        let machines = machines_of(&object, view);
        self.mention_unready(&machines, view);
        if let Some(step) = self.remediate(&machines, view) {
            return step;
        }
        if machines.len() + self.created.len() < set.replicas as usize {
            return self.create_infra(&object, set, view);
        }
        self.count(key, counts(&machines, view), view)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        match (state, reply) {
            (State::Marked(machine), _) => self.delete(machine),
            (State::Deleted(machine), Reply::Answer(Ok(_))) => match self.deleted(&machine, view) {
                Some(step) => step,
                None => self.begin(key, view),
            },
            (State::Deleted(machine), Reply::Answer(Err(error))) => {
                self.deleted.remove(&machine);
                Step::Done(Outcome::error(error.message))
            }
            (State::MarkedAfterwards, _) => self.begin(key, view),
            (State::InfraCreated(name), _) => match view.local.get(key).cloned() {
                Some(object) => self.create_machine(&object, name),
                None => Step::done(),
            },
            (State::Created(machine), Reply::Answer(Ok(Answer::Object(_)))) => {
                let words = match self.settings.wording {
                    Wording::V1Beta1 => format!("Created machine \"{}\"", machine.name),
                    Wording::V1Beta2 => format!("Created Machine \"{}\"", machine.name),
                };
                view.event(key, "SuccessfulCreate", words);
                // The counts are those of the list from before the creation.
                let listed = view.local.get(key).map(|object| {
                    let mut listed = machines_of(object, view);
                    listed.retain(|known| *known.key() != machine);
                    counts(&listed, view)
                });
                let counted = Box::new(listed.unwrap_or(Counts { replicas: 0, ready: 0 }));
                Step::Wait(self.settings.cache_poll, State::Catching { since: view.now, counted })
            }
            (State::Created(machine), Reply::Answer(Err(error))) => {
                self.created.remove(&machine);
                Step::Done(Outcome::error(error.message))
            }
            (State::Catching { since, counted }, _) => {
                if self.created.is_empty() || view.now >= since + self.settings.cache_timeout {
                    self.created.clear();
                    return self.count(key, *counted, view);
                }
                Step::Wait(self.settings.cache_poll, State::Catching { since, counted })
            }
            (State::Counted, _) => {
                let ready = view
                    .local
                    .get(key)
                    .and_then(|object| object.machine_set())
                    .is_none_or(|body| body.ready_replicas == body.replicas);
                Step::Done(self.outcome(ready))
            }
            _ => Step::done(),
        }
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

fn counts(machines: &[Arc<Object>], view: &View) -> Counts {
    let count = |machines: usize| u32::try_from(machines).unwrap_or(u32::MAX);
    let ready = machines.iter().filter(|machine| {
        let node = machine.machine().and_then(|body| body.node_ref.as_ref());
        node.and_then(|name| node_in(view.remote, name))
            .and_then(|node| node.node())
            .is_some_and(|node| node.conditions.is("Ready", Status::True))
    });
    Counts { replicas: count(machines.len()), ready: count(ready.count()) }
}

/// The patch that sets one condition of a Machine.
fn said(machine: &Arc<Object>, condition: Condition) -> Verb {
    let mut changed = Object::clone(machine);
    if let Some(body) = changed.machine_mut() {
        body.conditions.say(condition);
    }
    Verb::Patch { base: machine.clone(), changed: Arc::new(changed) }
}
