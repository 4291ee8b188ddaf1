//! Attach/detach: a volume follows its Pod from Node to Node, but is not torn from a Node that may
//! still write to it.
//!
//! A Pod's volume stays wanted where the Pod is while its object exists, even when it is being
//! deleted. After that it is detached once its Node reports it unmounted; a Node that is not Ready,
//! or gone, is waited for six minutes; one with the taint out-of-service is not waited for. What a
//! Node has not reported yet counts as mounted, so a manager that begins anew begins to wait anew.
//! Follows `k/k:pkg/controller/volume/attachdetach`.
//!
//! Simplified: the CSI driver's attacher is played here, as two delays, so it ends and begins with
//! this process; a failed operation is tried again by the next pass, without a growing pause. The
//! loop runs only while a volume is not where it is wanted: passes that find nothing to do are not
//! played. Volumes know no zone: where storage has, a Pod stays Pending while its zone is lost, with
//! `volume node affinity conflict`; here its volume is attached in another.

use super::{ControllerManager, Event, Token};
use crate::api::kinds::{
    EventType, PodPhase, Status, VolumeAttachment, VolumeNames, claim_of, taint,
};
use crate::api::{Answered, Kind, Meta, Object, ObjectKey, Reason, Uid, Verb};
use crate::client::Delta;
use crate::engine::{Delay, Duration, Purpose, SimTime, Text, below};
use crate::infra::Ctx;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How volumes are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeSettings {
    /// Between two passes.
    pub pass_period: Duration,
    /// For how long a Node that is not healthy may go on having a volume mounted.
    pub unmount_limit: Duration,
    /// From the wish to attach until the attacher reports it done, and likewise for detaching.
    pub attach: Delay,
    pub detach: Delay,
}

/// What the controller has in its memory.
#[derive(Clone, Debug, Default)]
pub struct AttachDetach {
    /// A pass is due.
    armed: bool,
    /// Since when each attachment has not been wanted.
    unwanted: BTreeMap<Place, SimTime>,
    /// What each Node last reported in use; the report of a Node that is gone stays.
    in_use: BTreeMap<Text, VolumeNames>,
    /// Volumes about which something is under way: one thing at a time.
    busy: BTreeSet<Text>,
    /// Pods that have been told that their volume is elsewhere.
    told: BTreeSet<Uid>,
}

/// What it asked the server about a volume on a Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To create the attachment; the attacher's time follows.
    Creation,
    /// To say that it is attached.
    Attached,
    /// To put the volume into the Node's status.
    Report,
    /// To take it out of there; the attacher's time follows.
    Withdrawal,
    /// To delete the attachment.
    Deletion,
}

/// A volume on a Node, as wanted or as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    volume: Text,
    node: Text,
}

const AGENT: &str = "attachdetach-controller";
const PHASE: Purpose = Purpose(20);
const ATTACH: Purpose = Purpose(21);
const DETACH: Purpose = Purpose(22);

impl ControllerManager {
    /// A Pod, a Node or an attachment changed.
    pub(super) fn volumes_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        match delta.key().kind {
            Kind::Node => {
                self.note_in_use(delta);
                if self.clients.local.caches.list(Kind::VolumeAttachment).next().is_none() {
                    return;
                }
            }
            Kind::Pod if claim_of(delta.object()).is_some() => {}
            Kind::VolumeAttachment => {}
            _ => return,
        }
        if !std::mem::replace(&mut self.volumes.armed, true) {
            // The loop runs for ever; where in it a change falls is drawn.
            let phase = below(self.settings.volumes.pass_period, ctx.draw(PHASE));
            ctx.after("kubernetes.attachDetachPeriod", phase, Event::VolumePass);
        }
    }

    fn note_in_use(&mut self, delta: &Delta) {
        if let Some(node) = delta.new.as_ref().and_then(|object| object.node()) {
            self.volumes.in_use.insert(delta.name().clone(), node.volumes_in_use.clone());
        }
    }

    /// One look at every volume; comes again while something is not where it is wanted.
    pub(super) fn volume_pass(&mut self, ctx: &mut Ctx<Event>) {
        self.volumes.armed = false;
        if !self.clients.local.caches.are_synced() {
            return self.pass_again(ctx);
        }
        let wanted = self.wanted_places();
        let caches = &self.clients.local.caches;
        let attachments: Vec<VolumeAttachment> = caches
            .list(Kind::VolumeAttachment)
            .filter_map(|a| a.volume_attachment())
            .cloned()
            .collect();
        let there: BTreeSet<Place> = attachments.iter().map(Place::of).collect();
        self.volumes.unwanted.retain(|place, _| there.contains(place));
        let unwanted: Vec<Place> =
            there.iter().filter(|place| !wanted.contains_key(place)).cloned().collect();
        for place in &unwanted {
            self.detach(place, ctx);
        }
        let mut pending = !unwanted.is_empty();
        for (place, pod) in &wanted {
            self.volumes.unwanted.remove(place);
            let mut of_it = attachments.iter().filter(|a| a.volume_name == place.volume);
            let settled = match of_it.next() {
                Some(body) if body.node_name == place.node => {
                    self.settle(place, body.attached, ctx)
                }
                Some(_) => {
                    self.tell_elsewhere(pod, place, &wanted, ctx);
                    false
                }
                None => {
                    self.attach(place, ctx);
                    false
                }
            };
            pending |= !settled;
        }
        if pending {
            self.pass_again(ctx);
        }
    }

    fn pass_again(&mut self, ctx: &mut Ctx<Event>) {
        self.volumes.armed = true;
        let pause = self.settings.volumes.pass_period;
        ctx.after("kubernetes.attachDetachPeriod", pause, Event::VolumePass);
    }

    /// Where volumes are wanted, with the Pod that wants each.
    fn wanted_places(&self) -> BTreeMap<Place, Arc<Object>> {
        let caches = &self.clients.local.caches;
        let mut wanted = BTreeMap::new();
        for object in caches.list(Kind::Pod) {
            let Some(pod) = object.pod() else { continue };
            // Nothing of it runs any more, or ever ran.
            let over = pod.phase.is_terminal()
                || object.meta.is_deleting() && pod.phase == PodPhase::Pending;
            if pod.node_name.is_empty() || over {
                continue;
            }
            let Some(claim) = claim_of(object) else { continue };
            let key = super::sibling(object.key(), Kind::PersistentVolumeClaim, &claim);
            let Some(claim) = caches.get(&key) else { continue };
            let Some(claim) = claim.persistent_volume_claim() else { continue };
            let (volume, node) = (claim.volume_name.clone(), pod.node_name.clone());
            wanted.insert(Place { volume, node }, object.clone());
        }
        wanted
    }

    /// A volume that nobody wants where it is.
    fn detach(&mut self, place: &Place, ctx: &mut Ctx<Event>) {
        if self.volumes.busy.contains(&place.volume) {
            return;
        }
        let now = ctx.now();
        let since = *self.volumes.unwanted.entry(place.clone()).or_insert(now);
        let node = self.node_of(place);
        let body = node.as_ref().and_then(|node| node.node());
        let healthy = body.is_some_and(|node| node.conditions.is("Ready", Status::True));
        let given_up = !healthy && since + self.settings.volumes.unmount_limit < now;
        // Any effect counts here.
        let out_of_service = body.is_some_and(|node| {
            node.taints.iter().any(|taint| taint.key == *taint::OUT_OF_SERVICE)
        });
        let in_use = self.volumes.in_use.get(&place.node);
        let mounted = in_use.is_none_or(|volumes| volumes.0.contains(&place.volume));
        if mounted && !given_up && !out_of_service {
            return;
        }
        self.volumes.busy.insert(place.volume.clone());
        match node {
            Some(node) => {
                let verb = reported(&node, |volumes| {
                    volumes.remove(&place.volume);
                });
                self.ask(AGENT, verb, Token::Volume(place.clone(), Asked::Withdrawal), ctx);
            }
            None => self.detaching(place.clone(), ctx),
        }
    }

    /// The attacher works; then the attachment goes.
    fn detaching(&mut self, place: Place, ctx: &mut Ctx<Event>) {
        let time = ctx.draw_delay(DETACH, self.settings.volumes.detach);
        ctx.after("kubernetes.volumeDetach", time, Event::VolumeDetached(place));
    }

    /// The attacher has detached the volume.
    pub(super) fn volume_detached(&mut self, place: Place, ctx: &mut Ctx<Event>) {
        let verb = Verb::Delete { key: place.attachment(), grace: None, uid: None };
        self.ask(AGENT, verb, Token::Volume(place, Asked::Deletion), ctx);
    }

    fn attach(&mut self, place: &Place, ctx: &mut Ctx<Event>) {
        if !self.volumes.busy.insert(place.volume.clone()) {
            return;
        }
        let meta = Meta::new(Kind::VolumeAttachment, "", place.attachment().name);
        let body = VolumeAttachment {
            node_name: place.node.clone(),
            volume_name: place.volume.clone(),
            attached: false,
        };
        let verb = Verb::Create(Arc::new(Object::new(meta, body)));
        self.ask(AGENT, verb, Token::Volume(place.clone(), Asked::Creation), ctx);
    }

    /// The attacher works; then the attachment says that it is done.
    fn attaching(&mut self, place: Place, ctx: &mut Ctx<Event>) {
        let time = ctx.draw_delay(ATTACH, self.settings.volumes.attach);
        ctx.after("kubernetes.volumeAttach", time, Event::VolumeAttached(place));
    }

    /// The attacher has attached the volume.
    pub(super) fn volume_attached(&mut self, place: Place, ctx: &mut Ctx<Event>) {
        let Some(object) = self.clients.local.caches.get(&place.attachment()).cloned() else {
            self.volumes.busy.remove(&place.volume);
            return;
        };
        let mut changed = Object::clone(&object);
        if let Some(body) = changed.volume_attachment_mut() {
            body.attached = true;
        }
        let verb = Verb::Patch { base: object, changed: Arc::new(changed) };
        self.ask(AGENT, verb, Token::Volume(place, Asked::Attached), ctx);
    }

    /// An attachment where it is wanted is attached and then reported in the Node's status; true
    /// once that is so.
    fn settle(&mut self, place: &Place, attached: bool, ctx: &mut Ctx<Event>) -> bool {
        let Some(node) = self.node_of(place) else { return attached };
        let known = node.node().is_some_and(|n| n.volumes_attached.0.contains(&place.volume));
        if attached && known {
            return true;
        }
        if !self.volumes.busy.insert(place.volume.clone()) {
            return false;
        }
        match attached {
            // Begun before this process was.
            false => self.attaching(place.clone(), ctx),
            true => {
                let verb = reported(&node, |volumes| {
                    volumes.insert(place.volume.clone());
                });
                self.ask(AGENT, verb, Token::Volume(place.clone(), Asked::Report), ctx);
            }
        }
        false
    }

    pub(super) fn volume_answered(
        &mut self,
        place: Place,
        asked: Asked,
        answered: &Answered,
        ctx: &mut Ctx<Event>,
    ) {
        let gone = answered.as_ref().is_err_and(|error| error.reason == Reason::NotFound);
        match asked {
            Asked::Creation if answered.is_ok() => self.attaching(place, ctx),
            // Without the Node's status nothing is detached, unless the Node is gone.
            Asked::Withdrawal if answered.is_ok() || gone => self.detaching(place, ctx),
            // Done, or to be tried again by the next pass.
            _ => {
                if asked == Asked::Attached && answered.is_ok() {
                    self.tell_attached(&place, ctx);
                }
                self.volumes.busy.remove(&place.volume);
            }
        }
    }

    fn node_of(&self, place: &Place) -> Option<Arc<Object>> {
        self.clients.local.caches.named(Kind::Node, &Text::EMPTY, &place.node).cloned()
    }

    /// The Pod that wants the volume there is told that it has it.
    fn tell_attached(&mut self, place: &Place, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.wanted_places().remove(place) else { return };
        let volume = &place.volume;
        let message = format!("AttachVolume.Attach succeeded for volume \"{volume}\"");
        let client = &mut self.clients.local;
        let (kind, reason) = (EventType::Normal, "SuccessfulAttachVolume");
        client.record(ctx, AGENT, kind, pod.key(), reason, message.into());
    }

    /// A Pod whose volume is on another Node is told so, once.
    fn tell_elsewhere(
        &mut self,
        pod: &Arc<Object>,
        place: &Place,
        wanted: &BTreeMap<Place, Arc<Object>>,
        ctx: &mut Ctx<Event>,
    ) {
        let leaving = self.volumes.busy.contains(&place.volume);
        if leaving || !self.volumes.told.insert(pod.meta.uid) {
            return;
        }
        let users: Vec<&str> = wanted
            .iter()
            .filter(|(other, _)| other.volume == place.volume && other.node != place.node)
            .map(|(_, user)| user.name().as_str())
            .collect();
        let volume = &place.volume;
        let message = match users.is_empty() {
            true => format!(
                "Multi-Attach error for volume \"{volume}\" Volume is already exclusively attached \
                 to one node and can't be attached to another"
            ),
            false => format!(
                "Multi-Attach error for volume \"{volume}\" Volume is already used by pod(s) {}",
                users.join(", ")
            ),
        };
        let client = &mut self.clients.local;
        let (kind, reason) = (EventType::Warning, "FailedAttachVolume");
        client.record(ctx, AGENT, kind, pod.key(), reason, message.into());
    }
}

impl Place {
    fn of(body: &VolumeAttachment) -> Place {
        Place { volume: body.volume_name.clone(), node: body.node_name.clone() }
    }

    /// As CSI names it: a function of driver, volume and Node.
    fn attachment(&self) -> ObjectKey {
        let name = Text::from(format!("csi-{}-{}", self.volume, self.node));
        ObjectKey { kind: Kind::VolumeAttachment, namespace: Text::EMPTY, name }
    }
}

/// The patch of a Node's `status.volumesAttached`.
fn reported(node: &Arc<Object>, change: impl FnOnce(&mut BTreeSet<Text>)) -> Verb {
    let mut changed = Object::clone(node);
    if let Some(body) = changed.node_mut() {
        change(&mut body.volumes_attached.0);
    }
    Verb::Patch { base: node.clone(), changed: Arc::new(changed) }
}
