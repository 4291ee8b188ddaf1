//! The end of a Machine, in its order: drain, provider's object, Node, finalizer.

use super::super::Wording;
use super::status::{deleting, finish};
use super::{MachineController, State, infra_of, node_name};
use crate::api::kinds::{Condition, Machine, MachinePhase, Status};
use crate::api::{Answer, Kind, Object, ObjectKey, Reason, Verb};
use crate::client::{Outcome, Reply, Step, View};
use crate::engine::{SimTime, Text};
use std::sync::Arc;

impl MachineController {
    /// Begins where the last reconcile left off.
    pub(super) fn delete(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let Some(machine) = object.machine() else { return Step::done() };
        let infra = infra_of(object, view);
        let infra_goes = infra.is_none_or(|infra| infra.meta.is_deleting());
        if machine.node_ref.is_some() && !infra_goes && !is_drained(machine, self.settings.wording)
        {
            return self.drain(object, view);
        }
        match infra {
            Some(_) => self.delete_infra(object, view),
            None => self.delete_node(object, view.now),
        }
    }

    pub(super) fn go_on(
        &mut self,
        object: &Arc<Object>,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        match (state, reply) {
            (State::InfraDeleted, _) => self.say_infra_goes(object, view.now),
            (State::NodeDeleted(since), Reply::Answer(answered)) => match answered {
                Ok(_) => self.finish(object, view.now),
                Err(error) if error.reason == Reason::NotFound => self.finish(object, view.now),
                Err(error) => self.node_stays(object, since, error.message, view.now),
            },
            (State::NodeRetry(since), _) => node_deletion(object, since),
            (State::Finished, _) => remove_finalizer(object),
            (state, reply) => self.drain_on(object, state, reply, view),
        }
    }

    /// After the drain: the provider's object is deleted, and waited for by watch.
    pub(super) fn delete_infra(&mut self, object: &Arc<Object>, view: &View) -> Step<State> {
        let Some(infra) = infra_of(object, view) else {
            return self.delete_node(object, view.now);
        };
        if infra.meta.is_deleting() {
            return self.say_infra_goes(object, view.now);
        }
        let verb = Verb::Delete { key: infra.key().clone(), grace: None, uid: None };
        Step::write(verb, State::InfraDeleted)
    }

    fn say_infra_goes(&mut self, object: &Arc<Object>, now: SimTime) -> Step<State> {
        let mut changed = Object::clone(object);
        let had_node = node_name(object).is_some();
        if let Some(machine) = changed.machine_mut() {
            machine.phase = MachinePhase::Deleting;
            match self.settings.wording {
                Wording::V1Beta1 if had_node => {
                    drained(machine, self.settings.wording, Status::True, ("", ""), now);
                    let reason = Text::word("Deleting");
                    let kind = Text::word("NodeHealthy");
                    machine.conditions.say(Condition::new(kind, Status::False, reason, "", now));
                }
                Wording::V1Beta1 => {}
                Wording::V1Beta2 => {
                    if had_node {
                        drained(machine, self.settings.wording, Status::True, ("", ""), now);
                    }
                    let kind = machine.spec.infrastructure.kind.name();
                    let words = format!("Waiting for {kind} to be deleted");
                    let reason = "WaitingForInfrastructureDeletion";
                    machine.conditions.say(deleting(Status::True, reason, words, now));
                }
            }
        }
        finish(object, changed, Outcome::done())
    }

    fn delete_node(&mut self, object: &Arc<Object>, now: SimTime) -> Step<State> {
        match node_name(object) {
            Some(_) => node_deletion(object, now),
            None => self.finish(object, now),
        }
    }

    /// Tried again for a while; after the Machine's own limit it goes without.
    fn node_stays(
        &mut self,
        object: &Arc<Object>,
        since: SimTime,
        error: Text,
        now: SimTime,
    ) -> Step<State> {
        if now < since + self.settings.node_deletion_limit {
            return Step::Wait(self.settings.node_deletion_poll, State::NodeRetry(since));
        }
        let timeout = object.machine().map(|m| m.spec.node_deletion_timeout).unwrap_or_default();
        let asked = object.meta.deletion.map_or(now, |deletion| deletion.at);
        if !timeout.is_zero() && asked + timeout <= now {
            return self.finish(object, now);
        }
        Step::Done(Outcome::error(error))
    }

    fn finish(&mut self, object: &Arc<Object>, now: SimTime) -> Step<State> {
        // The patch helper writes conditions first, the finalizer with the rest.
        let mut changed = Object::clone(object);
        if let Some(machine) = changed.machine_mut() {
            machine.phase = MachinePhase::Deleting;
            match self.settings.wording {
                Wording::V1Beta1 => {
                    for kind in ["BootstrapReady", "InfrastructureReady"].map(Text::word) {
                        let reason = Text::word("Deleted");
                        machine.conditions.say(Condition::new(
                            kind,
                            Status::False,
                            reason,
                            "",
                            now,
                        ));
                    }
                }
                Wording::V1Beta2 => {
                    let words = Text::word("Deletion completed");
                    machine.conditions.say(deleting(Status::True, "DeletionCompleted", words, now));
                }
            }
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        Step::write(verb, State::Finished)
    }
}

/// True once the Machine's own status says so.
fn is_drained(machine: &Machine, wording: Wording) -> bool {
    machine.conditions.is(draining_condition(wording), Status::True)
}

/// The condition about the drain; with v1beta2 it lives on among the deprecated ones.
pub fn draining_condition(wording: Wording) -> &'static str {
    match wording {
        Wording::V1Beta1 => "DrainingSucceeded",
        Wording::V1Beta2 => "v1beta1.DrainingSucceeded",
    }
}

fn node_deletion(object: &Arc<Object>, since: SimTime) -> Step<State> {
    let name = node_name(object).unwrap_or_default();
    let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name };
    let verb = Verb::Delete { key, grace: None, uid: None };
    Step::ask_remote(verb, State::NodeDeleted(since))
}

fn remove_finalizer(object: &Arc<Object>) -> Step<State> {
    let mut changed = Object::clone(object);
    changed.meta.finalizers = Arc::new([]);
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Last(Outcome::done()))
}

/// Says how far the drain is, with a reason and a message.
pub fn drained(
    machine: &mut Machine,
    wording: Wording,
    status: Status,
    (reason, message): (&'static str, &'static str),
    now: SimTime,
) {
    let [kind, reason, message] = [draining_condition(wording), reason, message].map(Text::word);
    machine.conditions.say(Condition::new(kind, status, reason, message, now));
}

/// The Pods of a good answer to a list.
pub fn listed(reply: Reply) -> Result<Vec<Arc<Object>>, Text> {
    match reply {
        Reply::Answer(Ok(Answer::List(_, pods))) => Ok(pods),
        Reply::Answer(Err(error)) => Err(error.message),
        _ => Err(Text::word("not a list")),
    }
}
