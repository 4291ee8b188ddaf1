//! Volumes of Pods: waited for, mounted, reported in use, unmounted.
//!
//! Nothing is mounted before this kubelet has told its Node's status that it uses the volume, and
//! its watch of that Node shows that the controller has attached it; so a Pod with a volume starts no
//! sooner than the next status report. What is mounted stands on the disk, where a kubelet that
//! starts finds it: a volume that no Pod has any more is in use until it is unmounted. Follows
//! `k/k:pkg/kubelet/volumemanager`.
//!
//! ```text
//! Pod ── claim ─> in use, reported with the next status ── shown attached ── loop ─> GET ─> mount
//!                                                         not so: 500 ms .. 2 min <─┘
//! Pod stopped ── unmount ─> not in use, reported with the next status
//! ```

use super::{AGENT, Asked, Event, Kubelet};
use crate::api::kinds::{Node, VolumeNames, claim_of};
use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Uid, Verb};
use crate::client::{Backoff, BackoffRules};
use crate::engine::{Delay, Duration, Purpose, Text, below};
use crate::infra::Ctx;
use std::collections::BTreeMap;

/// How a kubelet deals with volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeSettings {
    /// Between two passes over what is to be mounted.
    pub pass_period: Duration,
    /// Until it is tried again to mount what could not be, at first and at most.
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
    /// Where its name stands, unless it was found on the disk and its Pod is not known.
    claim: Option<ObjectKey>,
    /// Its name, once the claim has been read.
    volume: Option<Text>,
    stage: Stage,
    /// The Pod could start but for the volume.
    awaited: bool,
    /// The Node's status, as this kubelet wrote or read it last, has it in use.
    reported: bool,
    /// A look at it is due, or under way.
    looking: bool,
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
const PASS: Purpose = Purpose(24);
/// What is mounted for a Pod: `pods/UID/volumes`, as the real ones keep `vol_data.json` there.
const PODS: &str = "/var/lib/kubelet/pods";

impl Kubelet {
    /// What the disk says is mounted, whoever mounted it.
    ///
    /// Simplified: after a boot nothing is, and the real kubelet unmounts in no time what it finds.
    pub(super) fn find_volumes(&mut self, ctx: &Ctx<Event>) {
        for (path, volume) in ctx.disk().under(PODS) {
            let of = path.strip_prefix(PODS).and_then(|rest| rest.strip_suffix("/volumes"));
            let Some(Ok(uid)) = of.map(|uid| uid.trim_start_matches('/').parse()) else { continue };
            let held = self.held(None, Some(volume.clone()), Stage::Mounted);
            self.volumes.of.insert(Uid(uid), held);
        }
    }

    fn held(&self, claim: Option<ObjectKey>, volume: Option<Text>, stage: Stage) -> Held {
        let settings = self.settings.volumes;
        let backoff = Backoff::new(settings.retry_first, settings.retry_limit);
        let (awaited, reported, looking) = (false, false, false);
        Held { claim, volume, stage, awaited, reported, looking, backoff }
    }

    /// A Pod was taken on: its volume, if it has one, is wanted from now on; it is mounted already
    /// if the Pod's containers run.
    pub(super) fn hold_volume(&mut self, object: &Object, runs: bool, ctx: &mut Ctx<Event>) {
        let Some(name) = claim_of(object) else { return };
        let namespace = object.key().namespace.clone();
        let claim = ObjectKey { kind: Kind::PersistentVolumeClaim, namespace, name };
        let stage = if runs { Stage::Mounted } else { Stage::Waiting };
        let uid = object.meta.uid;
        let found = self.volumes.of.remove(&uid).and_then(|held| held.volume);
        let is_known = found.is_some();
        // What an earlier kubelet has begun to mount is not reported anew first.
        let held = Held { reported: is_known, ..self.held(Some(claim), found, stage) };
        self.volumes.of.insert(uid, held);
        match is_known {
            true => self.look_at_volumes(ctx),
            false => self.look_at_volume(uid, ctx),
        }
    }

    /// True if the Pod has to wait for its volume, whose mount then starts it.
    pub(super) fn awaits_volume(&mut self, pod: Uid) -> bool {
        let Some(held) = self.volumes.of.get_mut(&pod) else { return false };
        held.awaited = held.stage == Stage::Waiting;
        held.awaited
    }

    /// The Node's status says this: what it has in use may be mounted once it is attached
    /// (`MarkVolumesAsReportedInUse`).
    pub(super) fn volumes_reported(&mut self, node: &Object, ctx: &mut Ctx<Event>) {
        let Some(node) = node.node() else { return };
        for held in self.volumes.of.values_mut() {
            held.reported = held.volume.as_ref().is_some_and(|v| node.volumes_in_use.0.contains(v));
        }
        self.look_at_volumes(ctx);
    }

    /// Something has changed: the next pass looks at what may be mounted now. Passes that would
    /// find nothing are not played.
    pub(super) fn look_at_volumes(&mut self, ctx: &mut Ctx<Event>) {
        let may = |held: &Held| !held.looking && self.may_be_mounted(held);
        let ready = self.volumes.of.iter().filter(|(_, held)| may(held)).map(|(uid, _)| *uid);
        for uid in ready.collect::<Vec<_>>() {
            if let Some(held) = self.volumes.of.get_mut(&uid) {
                held.looking = true;
            }
            let next = below(self.settings.volumes.pass_period, ctx.draw(PASS));
            ctx.after("kubernetes.volumePassPeriod", next, Event::LookAtVolume(uid));
        }
    }

    /// What is not shown attached is passed over, without a failure to pause after
    /// (`GenerateVerifyControllerAttachedVolumeFunc`, the node lister; PR 106853).
    fn may_be_mounted(&self, held: &Held) -> bool {
        let shown = self.client.caches.get(&self.node_key());
        let is_attached = |volume: &Text| {
            shown.and_then(|node| node.node()).is_none_or(|n| n.volumes_attached.0.contains(volume))
        };
        held.stage == Stage::Waiting
            && held.reported
            && held.volume.as_ref().is_some_and(is_attached)
    }

    /// Reads the claim, or at the server whether the volume is there.
    pub(super) fn look_at_volume(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get(&pod) else { return };
        let may = self.may_be_mounted(held);
        let (key, asked) = match (&held.claim, &held.volume) {
            (Some(claim), None) => (claim.clone(), Asked::Claim(pod)),
            (_, Some(_)) if may => (self.node_key(), Asked::Attached(pod)),
            _ => return self.looked_at(pod),
        };
        self.client.ask(ctx, AGENT, Verb::Get(key), asked);
    }

    fn looked_at(&mut self, pod: Uid) {
        if let Some(held) = self.volumes.of.get_mut(&pod) {
            held.looking = false;
        }
    }

    pub(super) fn claim_read(&mut self, pod: Uid, answered: &Answered, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get_mut(&pod) else { return };
        let claim = match answered {
            Ok(Answer::Object(object)) => object.persistent_volume_claim(),
            _ => None,
        };
        // Who puts volumes onto the list of those to mount looks again in its next pass.
        let Some(claim) = claim else {
            let next = self.settings.volumes.pass_period;
            return ctx.after("kubernetes.volumePassPeriod", next, Event::LookAtVolume(pod));
        };
        held.volume = Some(claim.volume_name.clone());
        if held.stage == Stage::Mounted {
            // Mounted before anybody looked: how a run begins. A full disk does not forget it.
            ctx.write(path(pod), claim.volume_name.clone()).ok();
        }
        self.look_at_volumes(ctx);
    }

    pub(super) fn attachment_read(&mut self, pod: Uid, answered: &Answered, ctx: &mut Ctx<Event>) {
        let Some(held) = self.volumes.of.get(&pod).filter(|h| h.stage == Stage::Waiting) else {
            return self.looked_at(pod);
        };
        let Some(volume) = held.volume.clone() else { return };
        let is_there = match answered {
            Ok(Answer::Object(object)) => {
                object.node().is_some_and(|node| node.volumes_attached.0.contains(&volume))
            }
            _ => false,
        };
        if !is_there || ctx.write(path(pod), volume).is_err() {
            return self.look_later(pod, ctx);
        }
        let mount = ctx.draw_delay(MOUNT, self.settings.volumes.mount);
        ctx.after("kubernetes.volumeMount", mount, Event::Mounted(pod));
    }

    /// An operation failed: the pause until the next.
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
        if held.awaited
            && let Some(key) = self.pods.key_of(pod)
        {
            self.start_containers(&key, ctx);
        }
    }

    /// True if a volume is mounted for a Pod, or is to be.
    pub(super) fn holds_volume(&self, pod: Uid) -> bool {
        self.volumes.of.contains_key(&pod)
    }

    /// True while a stopped Pod's volume has to be unmounted, which begins now.
    pub(super) fn must_unmount(&mut self, pod: Uid, ctx: &mut Ctx<Event>) -> bool {
        let Some(held) = self.volumes.of.get_mut(&pod) else { return false };
        let is_begun = ctx.disk().read(&path(pod)).is_some();
        match held.stage {
            Stage::Waiting if !is_begun => {
                self.volumes.of.remove(&pod);
                false
            }
            Stage::Unmounting => true,
            Stage::Waiting | Stage::Mounted => {
                held.stage = Stage::Unmounting;
                let unmount = ctx.draw_delay(UNMOUNT, self.settings.volumes.unmount);
                ctx.after("kubernetes.volumeUnmount", unmount, Event::Unmounted(pod));
                true
            }
        }
    }

    /// What is mounted for Pods of which the API server knows nothing any more. The real kubelet,
    /// too, does not ask whether their containers have ended: it no longer knows them.
    pub(super) fn unmount_orphans(&mut self, ctx: &mut Ctx<Event>) {
        for pod in self.volumes.of.keys().copied().collect::<Vec<_>>() {
            if self.pods.key_of(pod).is_none() {
                self.must_unmount(pod, ctx);
            }
        }
    }

    /// The volume is not used any more; the next status says so.
    pub(super) fn volume_unmounted(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        ctx.remove(&path(pod));
        if self.volumes.of.remove(&pod).is_some()
            && let Some(key) = self.pods.key_of(pod)
        {
            self.sync_pod(&key, ctx);
        }
    }

    /// Writes into the Node which volumes are used; true if that is news. While Pods are not known
    /// or a claim has yet to be read nobody can tell, and what the Node says stays.
    pub(super) fn report_volumes(&self, node: &mut Node) -> bool {
        let held = &self.volumes.of;
        if !self.client.caches.is_synced(Kind::Pod)
            || held.values().any(|held| held.volume.is_none())
        {
            return false;
        }
        let used = VolumeNames(held.values().filter_map(|held| held.volume.clone()).collect());
        let news = node.volumes_in_use != used;
        node.volumes_in_use = used;
        news
    }
}

/// Where it stands what is mounted for a Pod.
fn path(pod: Uid) -> String {
    format!("{PODS}/{}/volumes", pod.0)
}
