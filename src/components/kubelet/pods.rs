//! Pods from watch to running to gone.
//!
//! Containers belong to the runtime: they run on while the kubelet is away, and are found again
//! when it returns. Simplified: one container per Pod, which never crashes; a Job's ends well; a Pod
//! that is stopped goes without a last `Succeeded`.

use super::eviction::{Evicted, say_failed_for};
use super::{AGENT, Asked, Event, ForcedGrace, Kubelet, Start};
use crate::api::kinds::{Condition, Pod, PodPhase, Status};
use crate::api::{Object, ObjectKey, Uid, Verb};
use crate::client::Delta;
use crate::engine::{Duration, Purpose, SimTime, Text, below};
use crate::infra::Ctx;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The Pods that this kubelet has taken on.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    taken: BTreeMap<ObjectKey, Taken>,
    /// One of the times at which the kubelet puts right what others wrote.
    sync_at: SimTime,
}

/// Where a Pod stands on this VM.
#[derive(Clone, Copy, Debug)]
struct Taken {
    uid: Uid,
    stage: Stage,
    /// A write about it is under way.
    writing: bool,
    /// How often its containers were started again, once they run.
    restarts: u32,
    /// When they were found gone that ran before.
    ended: Option<SimTime>,
    /// This kubelet has said that it runs.
    reported: bool,
    /// What others wrote will be put right.
    correcting: bool,
    /// Its containers were gone when this kubelet first looked: they count as killed, and that has
    /// to be said before the Pod goes.
    lost: bool,
    /// What is being written is not the last word.
    more_to_say: bool,
    /// It was ended, or never begun, for the sake of the Node.
    evicted: Option<Evicted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Running,
    Stopping,
    Stopped,
}

const POD_SYNC: Purpose = Purpose(3);
const CONTAINER_START: Purpose = Purpose(5);
const CONTAINER_STOP: Purpose = Purpose(6);
const SYNC_PHASE: Purpose = Purpose(10);

impl Pods {
    /// One of the times at which the kubelet puts right what others wrote.
    pub(super) fn sync_at(&self) -> SimTime {
        self.sync_at
    }

    /// The Pod of this uid, if it was taken on.
    pub(super) fn key_of(&self, uid: Uid) -> Option<ObjectKey> {
        self.taken.iter().find(|(_, taken)| taken.uid == uid).map(|(key, _)| key.clone())
    }
}

impl Kubelet {
    pub(super) fn start_pods(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        self.pods.sync_at = ctx.now();
        if start == Start::Steady {
            self.pods.sync_at += below(self.settings.pod_status_sync, ctx.draw(SYNC_PHASE));
        }
        self.find_volumes(ctx);
    }

    pub(super) fn pod_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let key = delta.key().clone();
        match &delta.new {
            Some(object) => {
                let uid = object.meta.uid;
                if self.pods.taken.get(&key).is_some_and(|taken| taken.uid != uid) {
                    self.let_go(&key, delta.old.as_deref(), ctx);
                }
                self.take_on(&key, object, ctx);
                self.sync_pod(&key, ctx);
            }
            None => self.let_go(&key, delta.old.as_deref(), ctx),
        }
    }

    /// The first look at a Pod: runs already, or is to be started.
    fn take_on(&mut self, key: &ObjectKey, object: &Object, ctx: &mut Ctx<Event>) {
        let uid = object.meta.uid;
        if self.pods.taken.contains_key(key) {
            return;
        }
        let terminal = object.pod().is_some_and(|pod| pod.phase.is_terminal());
        let runs = ctx.runs_container(uid);
        let mut evicted = None;
        let stage = match () {
            () if runs => Stage::Running,
            () if ctx.completed_container(uid) || is_lost(object) => Stage::Stopped,
            () if terminal || object.meta.is_deleting() => Stage::Stopped,
            () if !object.pod().is_some_and(|pod| self.admits(pod)) => {
                evicted = Some(Evicted::Refused);
                self.say_evicted(key, Evicted::Refused, ctx);
                Stage::Stopped
            }
            () => {
                let delay = ctx.draw_delay(POD_SYNC, self.settings.pod_sync);
                ctx.after("kubernetes.podSync", delay, Event::StartPod(key.clone()));
                Stage::Starting
            }
        };
        if stage != Stage::Stopped {
            self.hold_volume(object, runs, ctx);
        }
        let lost = stage == Stage::Stopped && !ctx.completed_container(uid) && evicted.is_none();
        let (writing, reported, correcting, more_to_say) = (false, false, false, false);
        // What has run, and does not run any more, is started again.
        let again =
            stage == Stage::Starting && object.pod().is_some_and(|pod| pod.started.is_some());
        let restarts = object.pod().map_or(0, |pod| {
            // Of what runs the runtime knows, though another kubelet has started it and not said so yet.
            let counted = ctx.restarts_of(uid);
            counted.unwrap_or(pod.restarts + u32::from(again)).max(pod.restarts)
        });
        // The runtime takes containers that it finds gone for ended when it looks
        // (`containerd/containerd:internal/cri/server/restart.go`).
        let ended = again.then(|| ctx.wall_clock());
        let taken = Taken {
            uid,
            stage,
            writing,
            restarts,
            ended,
            reported,
            correcting,
            lost,
            more_to_say,
            evicted,
        };
        self.pods.taken.insert(key.clone(), taken);
    }

    /// The Pods that may be ended for the Node's sake.
    pub(super) fn evictable(&self) -> Vec<(ObjectKey, Uid)> {
        let may_end = |key: &ObjectKey| {
            let object = self.client.caches.get(key).filter(|object| !object.meta.is_deleting());
            object.and_then(|it| it.pod()).is_some_and(|pod| !pod.template.is_critical)
        };
        let active = self.pods.taken.iter().filter(|(key, taken)| {
            matches!(taken.stage, Stage::Starting | Stage::Running) && may_end(key)
        });
        active.map(|(key, taken)| (key.clone(), taken.uid)).collect()
    }

    /// Ends a Pod for the Node's sake; its object stays, and is told when nothing runs any more.
    pub(super) fn evict(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let object = self.client.caches.get(key).cloned();
        let grace = self.grace_of_forced(object.as_deref());
        if let Some(taken) = self.pods.taken.get_mut(key) {
            taken.evicted = Some(Evicted::ForRoom);
            let uid = taken.uid;
            self.stop(key, uid, grace, ctx);
        }
    }

    pub(super) fn start_pod(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let uid = self.pods.taken.get(key).map(|taken| taken.uid);
        let waits = uid.is_some_and(|uid| self.awaits_volume(uid));
        if !waits {
            self.start_containers(key, ctx);
        }
    }

    /// Starts a Pod's containers, once their image is there.
    pub(super) fn start_containers(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(taken) = self.pods.taken.get(key).filter(|t| t.stage == Stage::Starting) else {
            return;
        };
        let (uid, restarts) = (taken.uid, taken.restarts);
        if !self.has_image((key, uid), ctx) {
            return;
        }
        let start = ctx.draw_delay(CONTAINER_START, self.settings.container_start);
        let pod = self.client.caches.get(key).and_then(|object| object.pod());
        let length = pod.and_then(|pod| pod.template.completes_after);
        let wait = ("kubernetes.containerStart", start);
        ctx.start_container(uid, wait, (length, restarts));
    }

    /// True if a Pod's containers are still to be started.
    pub(super) fn is_to_start(&self, key: &ObjectKey, uid: Uid) -> bool {
        let taken = self.pods.taken.get(key);
        taken.is_some_and(|taken| taken.uid == uid && taken.stage == Stage::Starting)
    }

    /// The container runtime reports.
    pub(super) fn container_changed(&mut self, pod: Uid, running: bool, ctx: &mut Ctx<Event>) {
        if !running {
            self.evicted_ended(pod, ctx);
        }
        let found = self.pods.taken.iter_mut().find(|(_, taken)| taken.uid == pod);
        let Some((key, taken)) = found else {
            if !running {
                // The last of a Pod whose object was gone before.
                self.must_unmount(pod, ctx);
            }
            return;
        };
        match (taken.stage, running) {
            (Stage::Starting, true) => taken.stage = Stage::Running,
            (_, false) => taken.stage = Stage::Stopped,
            _ => return,
        }
        let key = key.clone();
        self.sync_pod(&key, ctx);
    }

    /// Brings what runs and what is written closer to what is wanted; may be called at any time.
    pub(super) fn sync_pod(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(object) = self.client.caches.get(key).cloned() else { return };
        let Some(taken) = self.pods.taken.get(key).copied().filter(|taken| !taken.writing) else {
            return;
        };
        match (object.meta.deletion, taken.stage) {
            (Some(deletion), Stage::Running | Stage::Starting) => {
                self.stop(key, taken.uid, deletion.grace, ctx);
            }
            (Some(_), Stage::Stopped) if taken.lost && !has_ended(&object) => {
                if let Some(taken) = self.pods.taken.get_mut(key) {
                    (taken.lost, taken.more_to_say) = (false, true);
                }
                self.report_pod(key, &object, say_failed, ctx);
            }
            (Some(_), Stage::Stopped) if self.must_unmount(taken.uid, ctx) => {}
            (Some(_), Stage::Stopped) => {
                let (grace, uid) = (Some(Duration::ZERO), Some(taken.uid));
                self.write(key, Verb::Delete { key: key.clone(), grace, uid }, ctx);
            }
            (None, Stage::Running) if taken.reported && !taken.correcting => {
                self.put_right_later(key, &object, ctx);
            }
            (None, Stage::Running) => {
                let say = |pod: &mut Pod, now| say_running(pod, (taken.restarts, taken.ended), now);
                self.report_pod(key, &object, say, ctx);
            }
            (None, Stage::Starting) if object.pod().is_some_and(Pod::is_ready) => {
                if let Some(taken) = self.pods.taken.get_mut(key) {
                    taken.more_to_say = true;
                }
                self.report_pod(key, &object, say_lost, ctx);
            }
            (None, Stage::Stopped) => {
                if taken.evicted.is_some() {
                    self.must_unmount(taken.uid, ctx);
                }
                let completed = ctx.completed_container(taken.uid);
                let say = |pod: &mut Pod, now| match taken.evicted {
                    Some(why) => say_failed_for(pod, why, now),
                    None if completed => say_succeeded(pod, now),
                    None => say_failed(pod, now),
                };
                self.report_pod(key, &object, say, ctx);
            }
            _ => {}
        }
    }

    /// Somebody else wrote into the status of a Pod that runs and was reported so: the status
    /// manager notices in its next round.
    fn put_right_later(&mut self, key: &ObjectKey, object: &Object, ctx: &mut Ctx<Event>) {
        let ran = self.pods.taken.get(key).map(|taken| (taken.restarts, taken.ended));
        let ran = ran.unwrap_or_default();
        let is_wrong = |pod: &Pod| say_running(&mut pod.clone(), ran, ctx.wall_clock());
        if !object.pod().is_some_and(is_wrong) {
            return;
        }
        let period = self.settings.pod_status_sync.as_micros().max(1);
        let behind = ctx.now().since(self.pods.sync_at).as_micros() % period;
        let left = match ctx.now() < self.pods.sync_at {
            true => self.pods.sync_at.since(ctx.now()),
            false => Duration::from_micros(period - behind),
        };
        if let Some(taken) = self.pods.taken.get_mut(key) {
            taken.correcting = true;
            ctx.after("kubernetes.podStatusSync", left, Event::SyncPod(key.clone()));
        }
    }

    fn stop(&mut self, key: &ObjectKey, uid: Uid, grace: Duration, ctx: &mut Ctx<Event>) {
        let drawn = ctx.draw_delay(CONTAINER_STOP, self.settings.container_stop).min(grace);
        let runs = ctx.runs_container(uid);
        // What does not run yet has nothing to end: its start is given up at once, or it would come
        // to run when its Pod is gone.
        let time = if runs { drawn } else { Duration::ZERO };
        if let Some(taken) = self.pods.taken.get_mut(key) {
            taken.stage = if runs { Stage::Stopping } else { Stage::Stopped };
        }
        ctx.stop_container(uid, "kubernetes.containerStop", time);
        if !runs {
            self.give_up_pull(uid, ctx);
            self.evicted_ended(uid, ctx);
            self.sync_pod(key, ctx);
        }
    }

    fn report_pod(
        &mut self,
        key: &ObjectKey,
        object: &Arc<Object>,
        say: impl FnOnce(&mut Pod, SimTime) -> bool,
        ctx: &mut Ctx<Event>,
    ) {
        let mut changed = Object::clone(object);
        if changed.pod_mut().is_some_and(|pod| say(pod, ctx.wall_clock())) {
            let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
            self.write(key, verb, ctx);
        } else if let Some(taken) = self.pods.taken.get_mut(key) {
            taken.reported |= taken.stage == Stage::Running;
            taken.correcting = false;
        }
    }

    fn write(&mut self, key: &ObjectKey, verb: Verb, ctx: &mut Ctx<Event>) {
        if let Some(taken) = self.pods.taken.get_mut(key) {
            taken.writing = true;
            self.client.ask(ctx, AGENT, verb, Asked::Pod(key.clone()));
        }
    }

    pub(super) fn pod_written(&mut self, key: &ObjectKey, well: bool, ctx: &mut Ctx<Event>) {
        if let Some(taken) = self.pods.taken.get_mut(key) {
            taken.writing = false;
            taken.correcting = false;
            let more = std::mem::take(&mut taken.more_to_say);
            taken.reported |= well && !more && taken.stage == Stage::Running;
            taken.lost |= more && !well && taken.stage == Stage::Stopped;
            if more && well && taken.stage != Stage::Starting {
                return self.sync_pod(key, ctx);
            }
            if !well {
                let pause = self.settings.pod_status_retry;
                ctx.after("kubernetes.podStatusRetry", pause, Event::SyncPod(key.clone()));
            }
        }
    }

    /// The object is gone: whatever still runs is stopped, and what was mounted is unmounted then.
    fn let_go(&mut self, key: &ObjectKey, last: Option<&Object>, ctx: &mut Ctx<Event>) {
        let Some(taken) = self.pods.taken.remove(key) else { return };
        let uid = taken.uid;
        match taken.stage {
            // It has been told to end, and nothing takes that back or makes it sooner.
            Stage::Stopping if ctx.runs_container(uid) => {}
            Stage::Starting | Stage::Running if ctx.runs_container(uid) => {
                let grace = self.grace_of_forced(last);
                let time = ctx.draw_delay(CONTAINER_STOP, self.settings.container_stop).min(grace);
                ctx.stop_container(uid, "kubernetes.containerStop", time);
            }
            Stage::Starting => {
                self.give_up_pull(uid, ctx);
                ctx.stop_container(uid, "kubernetes.containerStop", Duration::ZERO);
                self.must_unmount(uid, ctx);
            }
            Stage::Running | Stage::Stopping | Stage::Stopped => {
                self.must_unmount(uid, ctx);
            }
        }
    }

    /// How long a Pod has that was deleted with a grace period of 0, or is evicted, by this release.
    fn grace_of_forced(&self, last: Option<&Object>) -> Duration {
        let least = self.settings.static_pods.orphan_grace;
        let own = last.and_then(Object::pod).map(|pod| pod.template.grace);
        match self.settings.forced_grace {
            ForcedGrace::Least => least,
            ForcedGrace::Own => own.unwrap_or_default().max(least),
        }
    }

    /// Containers whose Pods were deleted while no kubelet looked: of their Pods nothing is known.
    pub(super) fn kill_orphans(&mut self, ctx: &mut Ctx<Event>) {
        let grace = self.settings.static_pods.orphan_grace;
        for uid in ctx.containers() {
            if self.pods.key_of(uid).is_none() {
                let time = ctx.draw_delay(CONTAINER_STOP, self.settings.container_stop).min(grace);
                ctx.stop_container(uid, "kubernetes.containerStop", time);
            }
        }
        self.unmount_orphans(ctx);
    }
}

/// What a kubelet says of a Pod that runs, after so many restarts, the last of them since its container had
/// ended; true if that is news.
fn say_running(pod: &mut Pod, (restarts, ended): (u32, Option<SimTime>), now: SimTime) -> bool {
    let mut news = (pod.phase, pod.restarts) != (PodPhase::Running, restarts);
    (pod.phase, pod.restarts) = (PodPhase::Running, restarts);
    pod.last_ended = ended.or(pod.last_ended);
    pod.started = pod.started.or(Some(now));
    for kind in ["Initialized", "ContainersReady", "Ready"] {
        if !pod.conditions.is(kind, Status::True) {
            let condition = Condition::new(Text::word(kind), Status::True, "", "", now);
            news |= pod.conditions.say(condition);
        }
    }
    news
}

/// What a kubelet says of a Pod that ran, and whose containers it finds gone and starts again; true
/// if that is news.
fn say_lost(pod: &mut Pod, now: SimTime) -> bool {
    let said = ["ContainersReady", "Ready"].map(|kind| {
        let [kind, reason] = [kind, "ContainersNotReady"].map(Text::word);
        pod.conditions.say(Condition::new(kind, Status::False, reason, "", now))
    });
    said.contains(&true)
}

/// What a kubelet says of a Pod whose containers have done their work; true if that is news.
fn say_succeeded(pod: &mut Pod, now: SimTime) -> bool {
    say_ended(pod, PodPhase::Succeeded, "PodCompleted", now)
}

/// What it says of one whose containers are lost and must not be started again.
fn say_failed(pod: &mut Pod, now: SimTime) -> bool {
    say_ended(pod, PodPhase::Failed, "PodFailed", now)
}

fn say_ended(pod: &mut Pod, phase: PodPhase, reason: &'static str, now: SimTime) -> bool {
    if pod.phase.is_terminal() {
        return false;
    }
    pod.phase = phase;
    for kind in ["ContainersReady", "Ready"] {
        let (kind, reason) = (Text::word(kind), Text::word(reason));
        pod.conditions.say(Condition::new(kind, Status::False, reason, "", now));
    }
    true
}

fn has_ended(object: &Object) -> bool {
    object.pod().is_none_or(|pod| pod.phase.is_terminal())
}

/// True for a Pod that ran, has no containers any more, and is not to be started again
/// (`restartPolicy: Never`, as a Job's).
fn is_lost(object: &Object) -> bool {
    object
        .pod()
        .is_some_and(|pod| pod.phase == PodPhase::Running && pod.template.completes_after.is_some())
}
