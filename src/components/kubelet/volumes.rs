//! Volumes of Pods: waited for, mounted, reported in use, unmounted.
//!
//! Nothing is mounted before the Node's status shows both that this kubelet uses the volume and
//! that the controller has attached it; so a Pod with a volume starts no sooner than the next
//! status report. Follows `k/k:pkg/kubelet/volumemanager`.
//!
//! ```text
//! Pod ── claim ─> in use, reported with the next status ── attached? pauses 500 ms .. 2 min ─> mount
//! Pod stopped ── unmount ─> not in use, reported with the next status
//! ```

use super::{AGENT, Asked, Event, Kubelet};
use crate::api::kinds::{Node, VolumeNames, claim_of};
use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Uid, Verb};
use crate::client::{Backoff, BackoffRules};
use crate::engine::{Delay, Duration, Purpose, Text};
use crate::infra::Ctx;
use std::collections::BTreeMap;

/// How a kubelet deals with volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeSettings {
    /// Between two looks whether a volume is attached, at first and at most.
    pub retry_first: Duration,
    pub retry_limit: Duration,
    pub mount: Delay,
    pub unmount: Delay,
}

const RETRY: BackoffRules =
    BackoffRules { first: "kubernetes.volumeRetryFirst", limit: "kubernetes.volumeRetryLimit" };

/// The volumes of this kubelet's Pods.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    of: BTreeMap<Uid, Held>,
}

/// The volume of a Pod.
#[derive(Clone, Debug)]
struct Held {
    pod: ObjectKey,
    claim: ObjectKey,
    /// Its name, once the claim has been read.
    volume: Option<Text>,
    stage: Stage,
    /// The Pod could start but for the volume.
    awaited: bool,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Mounted,
    Unmounting,
}

const MOUNT: Purpose = Purpose(11);
const UNMOUNT: Purpose = Purpose(12);

impl Kubelet {
    /// A Pod was taken on: its volume, if it has one, is wanted from now on; it is mounted already
    /// if the Pod's containers run.
    pub(super) fn hold_volume(&mut self, object: &Object, runs: bool, ctx: &mut Ctx<Event>) {
        let Some(name) = claim_of(object) else { return };
        let pod = object.key().clone();
        let claim =
            ObjectKey { kind: Kind::PersistentVolumeClaim, namespace: pod.namespace.clone(), name };
        let stage = if runs { Stage::Mounted } else { Stage::Waiting };
        let settings = self.settings.volumes;
        let backoff = Backoff::new(settings.retry_first, settings.retry_limit);
        let held = Held { pod, claim, volume: None, stage, awaited: false, backoff };
        self.volumes.of.insert(object.meta.uid, held);
        self.look_at_volume(object.meta.uid, ctx);
    }

    /// True if the Pod has to wait for its volume, whose mount then starts it.
    pub(super) fn awaits_volume(&mut self, pod: Uid) -> bool {
        let Some(held) = self.volumes.of.get_mut(&pod) else { return false };
        held.awaited = held.stage == Stage::Waiting;
        held.awaited
    }

    /// Reads the claim, or whether the volume is there.
    pub(super) fn look_at_volume(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get(&pod) else { return };
        let (key, asked) = match &held.volume {
            None => (held.claim.clone(), Asked::Claim(pod)),
            Some(_) if held.stage == Stage::Waiting => (self.node_key(), Asked::Attached(pod)),
            Some(_) => return,
        };
        self.client.ask(ctx, AGENT, Verb::Get(key), asked);
    }

    pub(super) fn claim_read(&mut self, pod: Uid, answered: &Answered, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get_mut(&pod) else { return };
        let claim = match answered {
            Ok(Answer::Object(object)) => object.persistent_volume_claim(),
            _ => None,
        };
        match claim {
            Some(claim) => {
                held.volume = Some(claim.volume_name.clone());
                self.look_at_volume(pod, ctx);
            }
            None => self.look_later(pod, ctx),
        }
    }

    pub(super) fn attachment_read(&mut self, pod: Uid, answered: &Answered, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get(&pod).filter(|h| h.stage == Stage::Waiting) else {
            return;
        };
        let is_there = |node: &Node| {
            let among =
                |names: &VolumeNames| held.volume.as_ref().is_some_and(|v| names.0.contains(v));
            among(&node.volumes_in_use) && among(&node.volumes_attached)
        };
        let there = match answered {
            Ok(Answer::Object(object)) => object.node().is_some_and(is_there),
            _ => false,
        };
        if !there {
            return self.look_later(pod, ctx);
        }
        let mount = ctx.draw_delay(MOUNT, self.settings.volumes.mount);
        ctx.after("kubernetes.volumeMount", mount, Event::Mounted(pod));
    }

    fn look_later(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        if let Some(held) = self.volumes.of.get_mut(&pod) {
            let (rule, pause) = held.backoff.fail(&RETRY);
            ctx.after(rule, pause, Event::LookAtVolume(pod));
        }
    }

    /// The volume is mounted: the Pod's containers can start.
    pub(super) fn volume_mounted(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get_mut(&pod).filter(|h| h.stage == Stage::Waiting) else {
            return;
        };
        held.stage = Stage::Mounted;
        if held.awaited {
            let key = held.pod.clone();
            self.start_containers(&key, ctx);
        }
    }

    /// True while a stopped Pod's volume has to be unmounted, which begins now.
    pub(super) fn must_unmount(&mut self, pod: Uid, ctx: &mut Ctx<Event>) -> bool {
        let Some(held) = self.volumes.of.get_mut(&pod) else { return false };
        match held.stage {
            Stage::Waiting => {
                self.volumes.of.remove(&pod);
                false
            }
            Stage::Unmounting => true,
            Stage::Mounted => {
                held.stage = Stage::Unmounting;
                let unmount = ctx.draw_delay(UNMOUNT, self.settings.volumes.unmount);
                ctx.after("kubernetes.volumeUnmount", unmount, Event::Unmounted(pod));
                true
            }
        }
    }

    /// The volume is not used any more; the next status says so.
    pub(super) fn volume_unmounted(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        if let Some(held) = self.volumes.of.remove(&pod) {
            self.sync_pod(&held.pod, ctx);
        }
    }

    /// Writes into the Node which volumes are used; true if that is news. While Pods are not known
    /// or a claim has yet to be read nobody can tell, and what the Node says stays.
    pub(super) fn report_volumes(&self, node: &mut Node) -> bool {
        let held = &self.volumes.of;
        if !self.client.caches.are_synced() || held.values().any(|held| held.volume.is_none()) {
            return false;
        }
        let used = VolumeNames(held.values().filter_map(|held| held.volume.clone()).collect());
        let news = node.volumes_in_use != used;
        node.volumes_in_use = used;
        news
    }
}
