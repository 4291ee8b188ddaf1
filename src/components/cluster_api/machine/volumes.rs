//! The wait until the Node's volumes are detached.
//!
//! A VM that goes while a volume is attached may take it along. On an unreachable Node (Ready is
//! Unknown) nobody would unmount; older releases wait all the same, and without the Machine's time
//! limit for ever: the volume waits for the end of the Pod, the Pod for that of the Node, and the
//! Node for that of the Machine. Up to 1.8 only the Node's `volumesAttached` counts, and a change of
//! the Node wakes the Machine; from 1.9 on what VolumeAttachments say is attached counts too, and it
//! looks again every 20 s, no sooner.
//!
//! Simplified: volumes of Pods that a drain skips count too, and the message of `Deleting` does
//! not list the claims that are waited for.

use super::super::{DrainStyle, Wording, node_in};
use super::deletion::{NO_CLIENT, is_past_draining, listed};
use super::status::finish;
use super::{MachineController, State, node_name};
use crate::api::kinds::{Condition, Machine, Status};
use crate::api::{Freshness, Kind, Object, Selector, Verb, rfc3339};
use crate::client::{Outcome, Reply, Step, View};
use crate::engine::{SimTime, Text};
use std::sync::Arc;

const EXCLUDE_VOLUMES: &str = "machine.cluster.x-k8s.io/exclude-wait-for-node-volume-detach";

impl MachineController {
    pub(super) fn volumes(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let Some(machine) = object.machine() else { return Step::done() };
        let past = !self.settings.drain.repeats && is_past_draining(object, machine, view);
        let excluded = object.meta.annotation(EXCLUDE_VOLUMES).is_some();
        if excluded || past || timed_out(machine, view.wall_clock()) {
            return self.terminate(object, view);
        }
        if !self.contact.connected {
            let words = match self.settings.wording {
                Wording::V1Beta1 => "the workload cluster is not connected",
                Wording::V1Beta2 => NO_CLIENT,
            };
            return self.volumes_unknown(object, words, view);
        }
        let name = node_name(object).unwrap_or_default();
        let node = node_in(view.remote, &name).and_then(|object| object.node());
        let skips = self.settings.volume_wait_skips_unreachable;
        let node = node.filter(|node| !skips || !node.conditions.is("Ready", Status::Unknown));
        let Some(node) = node else {
            return self.detached(object, view);
        };
        match self.settings.drain.style {
            DrainStyle::Passes => {
                let verb = Verb::List(Kind::VolumeAttachment, Selector::All, Freshness::Latest);
                Step::ask_remote(verb, State::AttachmentsListed)
            }
            DrainStyle::Attempts { .. } if node.volumes_attached.0.is_empty() => {
                self.detached(object, view)
            }
            DrainStyle::Attempts { .. } => self.wait_for_volumes(object, view),
        }
    }

    pub(super) fn attachments_listed(
        &mut self,
        object: &Arc<Object>,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let name = node_name(object).unwrap_or_default();
        let all = match listed(reply) {
            Ok(all) => all,
            Err(error) => return self.volumes_unknown(object, &error, view),
        };
        let here = |one: &Arc<Object>| {
            let body = one.volume_attachment();
            body.is_some_and(|attachment| attachment.attached && attachment.node_name == name)
        };
        let node = node_in(view.remote, &name).and_then(|object| object.node());
        let reported = node.is_some_and(|node| !node.volumes_attached.0.is_empty());
        match reported || all.iter().any(here) {
            true => self.wait_for_volumes(object, view),
            false => self.detached(object, view),
        }
    }

    /// Nobody can say whether volumes are attached: the machine does not go before that is known.
    fn volumes_unknown(
        &mut self,
        object: &Arc<Object>,
        error: &str,
        view: &mut View,
    ) -> Step<State> {
        let name = node_name(object).unwrap_or_default();
        let words =
            format!("error waiting for node volumes detaching, Machine's node \"{name}\": {error}");
        view.warn(object.key(), "FailedWaitForVolumeDetach", words);
        let mut changed = Object::clone(object);
        if let Some(machine) = changed.machine_mut() {
            self.say_waiting(machine, view.wall_clock());
            let words = "Error waiting for volumes to be detached from Node, please check \
                         controller logs for errors";
            self.say_deleting(machine, ("WaitingForVolumeDetach", Text::word(words)), view);
        }
        finish(object, changed, Outcome::error(Text::from(error)))
    }

    /// That it waits for volumes counts from the first time on.
    fn say_waiting(&self, machine: &mut Machine, now: SimTime) -> SimTime {
        let started = *machine.volume_wait_started.get_or_insert(now);
        self.say_drained(machine, now);
        let words = "Waiting for node volumes to be detached";
        let [kind, reason] = [self.condition(), "WaitingForVolumeDetach"].map(Text::word);
        machine.conditions.say(Condition::new(kind, Status::False, reason, words, now));
        started
    }

    fn wait_for_volumes(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let mut changed = Object::clone(object);
        let Some(machine) = changed.machine_mut() else { return Step::done() };
        let started = self.say_waiting(machine, view.wall_clock());
        let words =
            format!("Waiting for Node volumes to be detached (started at {})", rfc3339(started));
        self.say_deleting(machine, ("WaitingForVolumeDetach", words.into()), view);
        let outcome = match self.settings.drain.style {
            DrainStyle::Passes => {
                let retry = ("clusterApi.drainRetryInterval", self.settings.drain.retry);
                view.defer(retry.0, retry.1);
                Outcome::after(retry.0, retry.1)
            }
            DrainStyle::Attempts { .. } => Outcome::done(),
        };
        finish(object, changed, outcome)
    }

    /// Goes on; with the next write the Machine says that nothing is waited for.
    fn detached(&mut self, object: &Arc<Object>, view: &mut View) -> Step<State> {
        let node = node_name(object).unwrap_or_default();
        let words = format!("success waiting for node volumes detaching Machine's node \"{node}\"");
        view.event(object.key(), "NodeVolumesDetached", words);
        self.terminate(object, view)
    }

    /// The wait for volumes is behind it; one that ran out of time has not succeeded.
    pub(super) fn say_detached(&self, object: &Object, machine: &mut Machine, now: SimTime) {
        let excluded = object.meta.annotation(EXCLUDE_VOLUMES).is_some();
        if machine.node_ref.is_some() && !excluded && !timed_out(machine, now) {
            let kind = Text::word(self.condition());
            machine.conditions.say(Condition::new(kind, Status::True, "", "", now));
        }
    }

    /// With v1beta2 it lives on among the deprecated ones.
    const fn condition(&self) -> &'static str {
        match self.settings.wording {
            Wording::V1Beta1 => "VolumeDetachSucceeded",
            Wording::V1Beta2 => "v1beta1.VolumeDetachSucceeded",
        }
    }
}

/// True if the Machine's `nodeVolumeDetachTimeout` has passed since the wait began.
fn timed_out(machine: &Machine, now: SimTime) -> bool {
    let timeout = machine.spec.node_volume_detach_timeout;
    !timeout.is_zero()
        && machine
            .volume_wait_started
            .is_some_and(|started| started.to_whole_seconds() + timeout <= now)
}
