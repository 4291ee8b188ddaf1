//! The end of a Machine, in its order, each step of which may have to wait.
//!
//! ```text
//! pre-drain hooks ─> drain ─> volumes ─> pre-terminate hooks
//! └─── only with a Node that it may delete ───┘
//!   ─> provider's object ─> bootstrap configuration ─> Node ─> finalizer
//! ```
//! A reconcile begins at the front each time and passes what is done. Follows `reconcileDelete`.
//!
//! Simplified: a Cluster or control plane that is itself being deleted does not occur; the conditions of
//! hooks are written only where there is or was a hook.

use super::super::{Bootstrap, Wording, beside};
use super::drain::drain_timed_out;
use super::ready::ready;
use super::status::{deleting, finish};
use super::{MachineController, State, bootstrap_of, infra_of, node_name};
use crate::api::kinds::{
    Condition, InfrastructureRef, KubeadmControlPlane, Machine, MachinePhase, Status,
};
use crate::api::{Answer, Kind, Object, ObjectKey, Reason, Verb};
use crate::client::{Outcome, Reply, Step, View};
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// Annotations that hold a deletion back until their owner takes them away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    PreDrain,
    PreTerminate,
}

/// Why nothing is asked of a workload cluster that is not connected.
pub const NO_CLIENT: &str = "error getting client: connection to the workload cluster is down";

const EXCLUDE_DRAINING: &str = "machine.cluster.x-k8s.io/exclude-node-draining";

impl Hook {
    const fn prefix(self) -> &'static str {
        match self {
            Hook::PreDrain => "pre-drain.delete.hook.machine.cluster.x-k8s.io",
            Hook::PreTerminate => "pre-terminate.delete.hook.machine.cluster.x-k8s.io",
        }
    }

    /// The condition of v1beta1, the reason of `Deleting`, and the word in its message.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Hook::PreDrain => {
                ("PreDrainDeleteHookSucceeded", "WaitingForPreDrainHook", "pre-drain")
            }
            Hook::PreTerminate => {
                ("PreTerminateDeleteHookSucceeded", "WaitingForPreTerminateHook", "pre-terminate")
            }
        }
    }

    /// The annotations that are left, sorted and joined; empty if nobody waits.
    fn left_on(self, object: &Object) -> String {
        let mine = |name: &&Text| name.starts_with(self.prefix());
        let names: Vec<&str> =
            object.meta.annotations.keys().filter(mine).map(Text::as_str).collect();
        names.join(",")
    }
}

impl MachineController {
    /// Begins at the front.
    pub(super) fn delete(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let Some(machine) = object.machine() else { return Step::done() };
        if !self.has_control_plane(object, view) {
            return self.terminate(object, view);
        }
        if machine.node_ref.is_none() {
            if self.settings.deletion_looks_for_node {
                let mut changed = Object::clone(object);
                if changed.machine_mut().is_some_and(|machine| self.find_node(machine, view)) {
                    // The write wakes the Machine, which then has its Node.
                    return finish(object, changed, Outcome::done());
                }
            }
            return self.terminate(object, view);
        }
        if !Hook::PreDrain.left_on(object).is_empty() {
            return self.wait_for_hook(object, Hook::PreDrain, view);
        }
        match self.may_drain(object, machine, view) {
            true => self.drain(object, view),
            false => self.volumes(object, view),
        }
    }

    /// Without a control-plane Machine that stays there is no API whose Node could be drained or deleted. One
    /// that is managed by others has no Machines here.
    fn has_control_plane(&self, object: &Object, view: &View) -> bool {
        let stays = |machine: &Arc<Object>| {
            machine.key().namespace == object.key().namespace
                && machine.meta.labels.contains_key(KubeadmControlPlane::LABEL)
                && !machine.meta.is_deleting()
        };
        self.settings.bootstrap != Bootstrap::Kubeadm || view.local.list(Kind::Machine).any(stays)
    }

    pub(super) fn go_on(
        &mut self,
        object: &Arc<Object>,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        match (state, reply) {
            (State::AttachmentsListed, reply) => self.attachments_listed(object, reply, view),
            (State::EndAnnounced, _) => self.delete_infra(object, view),
            (State::InfraDeleted, _) => self.say_infra_goes(object, view),
            (State::BootstrapDeleted, _) => self.say_bootstrap_goes(object, view),
            (State::NodeDeleted(since), Reply::Answer(answered)) => match answered {
                Ok(_) => self.finish(object, view.wall_clock()),
                Err(error) if error.reason == Reason::NotFound => {
                    self.finish(object, view.wall_clock())
                }
                Err(error) => {
                    let node = node_name(object).unwrap_or_default();
                    let words = format!("error deleting node {node}: {error}");
                    self.node_stays(object, since, Text::from(words), view)
                }
            },
            (State::NodeRetry(since, _), _) if self.time_to_delete(since, view.now).is_some() => {
                self.node_deletion(object, since, view)
            }
            (State::NodeRetry(_, error), _) => self.node_given_up(object, error, view),
            (State::Finished, _) => remove_finalizer(object),
            (state, reply) => self.drain_on(object, state, reply, view),
        }
    }

    fn may_drain(&self, object: &Object, machine: &Machine, view: &View) -> bool {
        object.meta.annotation(EXCLUDE_DRAINING).is_none()
            && !drain_timed_out(machine, self.settings.drain.clock, view.wall_clock())
            && (self.settings.drain.repeats || !is_past_draining(object, machine, view))
    }

    /// Nothing holds the provider's object any more, unless somebody hooks in.
    pub(super) fn terminate(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        if !Hook::PreTerminate.left_on(object).is_empty() {
            return self.wait_for_hook(object, Hook::PreTerminate, view);
        }
        if self.settings.wording == Wording::V1Beta1 {
            let mut changed = Object::clone(object);
            if let Some(machine) = changed.machine_mut() {
                let (kind, reason) = (Text::word("NodeHealthy"), Text::word("Deleting"));
                let gone = Condition::new(kind, Status::False, reason, "", view.wall_clock());
                machine.conditions.say(gone);
            }
            if changed != **object {
                let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
                return Step::write(verb, State::EndAnnounced);
            }
        }
        self.delete_infra(object, view)
    }

    /// Says who is waited for; the next look comes when the annotation goes.
    fn wait_for_hook(&mut self, object: &Arc<Object>, hook: Hook, view: &mut View) -> Step<State> {
        let hooks = hook.left_on(object);
        let (condition, reason, word) = hook.words();
        let message = format!("Waiting for {word} hooks to succeed (hooks: {hooks})");
        let mut changed = Object::clone(object);
        let Some(machine) = changed.machine_mut() else { return Step::done() };
        if hook == Hook::PreTerminate {
            machine.pre_terminate_started.get_or_insert(view.wall_clock());
            self.say_drained(machine, view.wall_clock());
        }
        if self.settings.wording == Wording::V1Beta1 {
            let [kind, reason] = [condition, "WaitingExternalHook"].map(Text::word);
            machine.conditions.say(Condition::new(
                kind,
                Status::False,
                reason,
                "",
                view.wall_clock(),
            ));
        } else {
            let line = format!("Waiting for {word} hooks to succeed hooks=\"{hooks}\"");
            view.logs.push(line.into());
        }
        self.say_deleting(machine, (reason, message.into()), view);
        finish(object, changed, Outcome::done())
    }

    /// The provider's object is deleted, and waited for by watch.
    fn delete_infra(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let Some(infra) = infra_of(object, view) else {
            if let Some(machine) = object.machine() {
                let InfrastructureRef { kind, name } = &machine.spec.infrastructure;
                view.missed(&beside(object.key(), *kind, name));
            }
            return self.delete_bootstrap(object, view);
        };
        if infra.meta.is_deleting() {
            return self.say_infra_goes(object, view);
        }
        let verb = Verb::Delete { key: infra.key().clone(), grace: None, uid: None };
        Step::write(verb, State::InfraDeleted)
    }

    fn say_infra_goes(&mut self, object: &Arc<Object>, view: &View) -> Step<State> {
        let mut changed = Object::clone(object);
        let Some(machine) = changed.machine_mut() else { return Step::done() };
        self.say_drained(machine, view.wall_clock());
        self.say_detached(object, machine, view.wall_clock());
        for hook in [Hook::PreDrain, Hook::PreTerminate] {
            let (condition, ..) = hook.words();
            if machine.conditions.is(condition, Status::False) {
                let kind = Text::word(condition);
                machine.conditions.say(Condition::new(
                    kind,
                    Status::True,
                    "",
                    "",
                    view.wall_clock(),
                ));
            }
        }
        let kind = machine.spec.infrastructure.kind.name();
        let words = Text::from(format!("Waiting for {kind} to be deleted"));
        self.say_deleting(machine, ("WaitingForInfrastructureDeletion", words), view);
        finish(object, changed, Outcome::done())
    }

    /// Strictly after the provider's object: what the VM was started with stays as long as the VM.
    fn delete_bootstrap(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let Some(config) = bootstrap_of(object, view) else {
            view.missed(&beside(object.key(), Kind::KubeadmConfig, object.name()));
            return self.delete_node(object, view);
        };
        if config.meta.is_deleting() {
            return self.say_bootstrap_goes(object, view);
        }
        let verb = Verb::Delete { key: config.key().clone(), grace: None, uid: None };
        Step::write(verb, State::BootstrapDeleted)
    }

    fn say_bootstrap_goes(&mut self, object: &Arc<Object>, view: &View) -> Step<State> {
        let mut changed = Object::clone(object);
        let Some(machine) = changed.machine_mut() else { return Step::done() };
        let words = Text::word("Waiting for KubeadmConfig to be deleted");
        self.say_deleting(machine, ("WaitingForBootstrapDeletion", words), view);
        finish(object, changed, Outcome::done())
    }

    /// A drain that was begun is behind it.
    pub(super) fn say_drained(&self, machine: &mut Machine, now: SimTime) {
        let excluded = machine.conditions.get(draining_condition(self.settings.wording)).is_none();
        // One that ran out of time has not succeeded.
        let too_late = drain_timed_out(machine, self.settings.drain.clock, now);
        if machine.node_ref.is_some() && !excluded && !too_late {
            drained(machine, self.settings.wording, Status::True, ("", ""), now);
        }
    }

    /// What a reconcile of a Machine that goes writes at its end.
    pub(super) fn say_deleting(
        &self,
        machine: &mut Machine,
        (reason, message): (&'static str, Text),
        view: &View,
    ) {
        machine.phase = MachinePhase::Deleting;
        if self.settings.wording == Wording::V1Beta2 {
            machine.conditions.say(deleting(Status::True, reason, message, view.wall_clock()));
            self.say_node_of_deleting(machine, view);
            machine.conditions.say(ready(machine, view.wall_clock()));
        }
    }

    fn delete_node(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        // Up to 1.8 a cluster that nobody can reach keeps its Node, and that is no error.
        let is_given_up = self.settings.wording == Wording::V1Beta1 && !self.contact.connected;
        let may = !is_given_up && self.has_control_plane(object, view);
        match node_name(object).filter(|_| may) {
            Some(_) => self.node_deletion(object, view.now, view),
            None => self.finish(object, view.wall_clock()),
        }
    }

    /// One try, for no longer than all of them together may take.
    fn node_deletion(
        &mut self,
        object: &Arc<Object>,
        since: SimTime,
        view: &mut View,
    ) -> Step<State> {
        if self.settings.wording == Wording::V1Beta2 && !self.contact.connected {
            let why = "failed deleting Node because connection to the workload cluster is down";
            return self.node_stays(object, since, Text::from(format!("{why}: {NO_CLIENT}")), view);
        }
        let name = node_name(object).unwrap_or_default();
        let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name };
        let verb = Verb::Delete { key, grace: None, uid: None };
        let left = self.time_to_delete(since, view.now).unwrap_or_default();
        let limit = ("clusterApi.nodeDeletionLimit", left);
        Step::ask_remote_within(verb, limit, State::NodeDeleted(since))
    }

    /// How long the tries to delete a Node may go on; nothing if that is over.
    fn time_to_delete(&self, since: SimTime, now: SimTime) -> Option<Duration> {
        let end = since + self.settings.node_deletion_limit;
        (now < end).then(|| end.since(now))
    }

    /// Tried again for a while.
    fn node_stays(
        &mut self,
        object: &Arc<Object>,
        since: SimTime,
        error: Text,
        view: &mut View,
    ) -> Step<State> {
        let Some(left) = self.time_to_delete(since, view.now) else {
            return self.node_given_up(object, error, view);
        };
        let limit = ("clusterApi.nodeDeletionLimit", left);
        let poll = ("clusterApi.nodeDeletionPoll", self.settings.node_deletion_poll);
        let (rule, wait) = if poll.1 < left { poll } else { limit };
        Step::Wait(rule, wait, State::NodeRetry(since, error))
    }

    /// After the Machine's own limit it goes without.
    fn node_given_up(&mut self, object: &Arc<Object>, error: Text, view: &mut View) -> Step<State> {
        let node = match self.settings.wording {
            Wording::V1Beta1 => "node",
            Wording::V1Beta2 => "Node",
        };
        let words = format!("error deleting Machine's {node}: {error}");
        view.warn(object.key(), "FailedDeleteNode", words);
        let mut changed = Object::clone(object);
        let timeout = object.machine().map(|m| m.spec.node_deletion_timeout).unwrap_or_default();
        let asked = object.meta.deletion.map_or(view.wall_clock(), |deletion| deletion.at);
        let is_over = !timeout.is_zero() && asked + timeout <= view.wall_clock();
        if let Some(machine) = changed.machine_mut() {
            match self.settings.wording {
                Wording::V1Beta1 => {
                    let [kind, reason] = ["NodeHealthy", "DeletionFailed"].map(Text::word);
                    let now = view.wall_clock();
                    machine.conditions.say(Condition::new(kind, Status::False, reason, "", now));
                }
                Wording::V1Beta2 => {
                    let words = "Error deleting Node, please check controller logs for errors";
                    self.say_deleting(machine, ("DeletingNode", Text::word(words)), view);
                }
            }
        }
        match is_over {
            true => self.finish_as(object, changed, view.wall_clock()),
            false => finish(object, changed, Outcome::error(error)),
        }
    }

    fn finish(&mut self, object: &Arc<Object>, now: SimTime) -> Step<State> {
        self.finish_as(object, Object::clone(object), now)
    }

    /// The patch helper writes conditions first, the finalizer with the rest.
    fn finish_as(
        &mut self,
        object: &Arc<Object>,
        mut changed: Object,
        now: SimTime,
    ) -> Step<State> {
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
                    machine.conditions.say(ready(machine, now));
                }
            }
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        Step::write(verb, State::Finished)
    }
}

/// From 1.9 on nobody drains once the end of the machine has begun.
pub fn is_past_draining(object: &Object, machine: &Machine, view: &View) -> bool {
    machine.pre_terminate_started.is_some()
        || infra_of(object, view).is_none_or(|infra| infra.meta.is_deleting())
}

/// The condition about the drain; with v1beta2 it lives on among the deprecated ones.
pub fn draining_condition(wording: Wording) -> &'static str {
    match wording {
        Wording::V1Beta1 => "DrainingSucceeded",
        Wording::V1Beta2 => "v1beta1.DrainingSucceeded",
    }
}

fn remove_finalizer(object: &Arc<Object>) -> Step<State> {
    let mut changed = Object::clone(object);
    changed.meta.finalizers = Arc::new([]);
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Last(Outcome::done()))
}

/// Says how far the drain is, with a reason and a message: a condition of v1beta1, in every release.
pub fn drained(
    machine: &mut Machine,
    wording: Wording,
    status: Status,
    (reason, message): (&'static str, impl Into<Text>),
    now: SimTime,
) {
    let [kind, reason] = [draining_condition(wording), reason].map(Text::word);
    machine.conditions.say_anew(Condition::new(kind, status, reason, message, now));
}

/// The Pods of a good answer to a list.
pub fn listed(reply: Reply) -> Result<Vec<Arc<Object>>, Text> {
    match reply {
        Reply::Answer(Ok(Answer::List(_, pods))) => Ok(pods),
        Reply::Answer(Err(error)) => Err(error.message),
        _ => Err(Text::word("not a list")),
    }
}
