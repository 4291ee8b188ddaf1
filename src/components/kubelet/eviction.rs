//! The eviction manager: what a kubelet does while its VM's disk is full.
//!
//! Its passes look at the disk. While it is full the Node is under pressure, one Pod after the other
//! is ended, whoever has filled the disk, and no new one is let in; static Pods and those of the
//! system's priority classes are spared. Follows `k/k:pkg/kubelet/eviction/eviction_manager.go`
//! (`synchronize`, `waitForPodsCleanup`, `Admit`).
//!
//! ```text
//! pass ── disk is full ─> end a Pod ─ its containers have ended, cleared away ─> pass at once
//!   └──── nobody to end, or there is room ─> 10 s ─> pass
//! ```
//!
//! Simplified: one file system for all, with the hard threshold alone (`nodefs.available<10%`), and
//! "full" is the only thing that is known of it: neither a Pod's usage nor the quantities that the
//! real messages end with. Clearing away images and dead containers frees nothing. A Pod that is being
//! stopped already is not chosen, and one whose containers run when a kubelet starts is let in.

use super::{AGENT, Event, Kubelet, Start};
use crate::api::kinds::{Condition, EventType, Pod, PodPhase, Status};
use crate::api::{ObjectKey, Uid};
use crate::engine::{
    Activity, Duration, Path, Phase, Purpose, Rhythm, Rule, SimTime, Text, index_below,
};
use crate::infra::{ActivityId, Ctx};
use crate::timeline::Cause;

/// How an eviction manager behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionSettings {
    /// Between two passes, if the first has ended no Pod.
    pub period: Duration,
    /// `evictionPressureTransitionPeriod`: for how long a Node is under pressure after it was seen so.
    pub transition: Duration,
    /// How often it looks whether what an evicted Pod has left is cleared away, and for how long.
    pub cleanup_period: Duration,
    pub cleanup_limit: Duration,
}

/// What the manager has in its memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evictions {
    /// When it saw the disk full last.
    full_at: Option<SimTime>,
    /// What its Node is said to be, since the last pass.
    is_pressed: bool,
    /// What led to that.
    cause: Cause,
    /// The Pod that it has ended and waits for; no pass begins meanwhile.
    ended: Option<Uid>,
    /// Until when it waits, once that Pod's containers have ended.
    wait_until: SimTime,
}

/// Why a kubelet has ended a Pod, or not begun it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// To make room.
    ForRoom,
    /// It was not let in.
    Refused,
}

pub(super) const PASS: ActivityId = ActivityId(2);
const CHOICE: Purpose = Purpose(26);
const PERIOD: Rule = "kubernetes.evictionMonitoringPeriod";
const CLEANUP: Rule = "kubernetes.podCleanupPollFreq";
/// The reason of the Event and of the Pod's status.
const REASON: &str = "Evicted";

impl Evicted {
    /// The Event's words; a blank ends them, as it does the real ones.
    const fn words(self) -> &'static str {
        match self {
            Evicted::ForRoom => "The node was low on resource: ephemeral-storage. ",
            Evicted::Refused => "The node had condition: [DiskPressure]. ",
        }
    }
}

impl Kubelet {
    /// The manager's loop begins. Who starts has looked before it hears of the first Pod.
    pub(super) fn start_evictions(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        self.look_at_disk(ctx);
        self.declare_passes(
            match start {
                Start::Steady => Phase::Stationary,
                Start::Fresh => Phase::AfterPause,
            },
            ctx,
        );
    }

    fn declare_passes(&self, phase: Phase, ctx: &mut Ctx<Event>) {
        let activity = Activity {
            rule: PERIOD,
            period: self.settings.eviction.period,
            jitter_percent: 0,
            rhythm: Rhythm::Ticker,
            path: Path::Own,
        };
        ctx.every(PASS, activity, phase);
    }

    /// A pass whose time has come. Passes that would find a disk with room and a Node without pressure
    /// are not played; who fills the disk wakes them.
    pub(super) fn eviction_pass(&mut self, ctx: &mut Ctx<Event>) {
        if self.evictions.ended.is_some() {
            return;
        }
        self.synchronize(ctx);
        if !self.evictions.is_pressed {
            ctx.sleep(PASS);
        }
    }

    /// Looks at the disk, and ends a Pod if it is full; true if it has.
    fn synchronize(&mut self, ctx: &mut Ctx<Event>) -> bool {
        let is_first = !self.evictions.is_pressed;
        self.look_at_disk(ctx);
        if !ctx.disk().is_full {
            return false;
        }
        ctx.turn_of(ctx.disk().room_changed, is_first.then_some(PERIOD));
        let words = Text::word("Attempting to reclaim ephemeral-storage");
        let node = self.node_key();
        self.client.record(ctx, AGENT, EventType::Warning, &node, "EvictionThresholdMet", words);
        let Some((key, uid)) = self.choose_for_eviction(ctx) else { return false };
        self.evictions.ended = Some(uid);
        self.say_evicted(&key, Evicted::ForRoom, ctx);
        self.evict(&key, ctx);
        true
    }

    /// A full disk is under pressure, and stays so for a while after there is room again.
    fn look_at_disk(&mut self, ctx: &Ctx<Event>) {
        let Evictions { full_at, is_pressed: before, .. } = self.evictions;
        let full_at = if ctx.disk().is_full { Some(ctx.now()) } else { full_at };
        let lasts = |at| ctx.now() < at + self.settings.eviction.transition;
        let is_pressed = full_at.is_some_and(lasts);
        self.evictions.full_at = full_at.filter(|_| is_pressed);
        self.evictions.is_pressed = is_pressed;
        if before != is_pressed {
            self.evictions.cause = ctx.disk().room_changed;
        }
    }

    /// Whom to end: of those that are alike, whichever the real one's map yields first. No Pod here
    /// has a usage or a priority that would set it apart (`rankDiskPressureFunc`).
    fn choose_for_eviction(&self, ctx: &mut Ctx<Event>) -> Option<(ObjectKey, Uid)> {
        let mut active = self.evictable();
        if active.is_empty() {
            return None;
        }
        let count = u64::try_from(active.len()).expect("no list is longer");
        let place = index_below(count, ctx.draw(CHOICE));
        Some(active.swap_remove(usize::try_from(place).expect("a place of the list")))
    }

    /// True if a Pod may be begun.
    pub(super) fn admits(&self, pod: &Pod) -> bool {
        pod.template.is_critical || !self.evictions.is_pressed
    }

    /// Whether the Node is under pressure, and what has led to that.
    pub(super) fn disk_pressure(&self) -> (bool, Cause) {
        (self.evictions.is_pressed, self.evictions.cause)
    }

    /// Says of a Pod why it is evicted.
    pub(super) fn say_evicted(&mut self, key: &ObjectKey, why: Evicted, ctx: &mut Ctx<Event>) {
        let words = Text::word(why.words());
        self.client.record(ctx, AGENT, EventType::Warning, key, REASON, words);
    }

    /// Containers have ended: if they are those that are waited for, what they have left is looked at.
    pub(super) fn evicted_ended(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        if self.evictions.ended == Some(pod) {
            let EvictionSettings { cleanup_period, cleanup_limit, .. } = self.settings.eviction;
            self.evictions.wait_until = ctx.now() + cleanup_limit;
            ctx.after(CLEANUP, cleanup_period, Event::LookAtEvicted(pod));
        }
    }

    /// A look whether an evicted Pod is cleared away: then the next pass is at once.
    pub(super) fn look_at_evicted(&mut self, pod: Uid, ctx: &mut Ctx<Event>) {
        // A Pod whose containers were just being started says twice that they have ended.
        if self.evictions.ended != Some(pod) {
            return;
        }
        if self.holds_volume(pod) && ctx.now() < self.evictions.wait_until {
            let pause = self.settings.eviction.cleanup_period;
            return ctx.after(CLEANUP, pause, Event::LookAtEvicted(pod));
        }
        self.evictions.ended = None;
        if !self.synchronize(ctx) {
            self.declare_passes(Phase::AfterPause, ctx);
        }
    }
}

/// What a kubelet says of a Pod that it has ended or not begun; true if that is news. All of it is
/// said when nothing runs any more.
pub(super) fn say_failed_for(pod: &mut Pod, why: Evicted, now: SimTime) -> bool {
    if pod.phase.is_terminal() {
        return false;
    }
    pod.phase = PodPhase::Failed;
    pod.reason = Text::word(REASON);
    pod.message = match why {
        Evicted::ForRoom => Text::word(why.words()),
        Evicted::Refused => Text::from(format!("Pod was rejected: {}", why.words())),
    };
    for kind in ["ContainersReady", "Ready"] {
        if pod.conditions.is(kind, Status::True) {
            let [kind, reason] = [kind, "PodFailed"].map(Text::word);
            pod.conditions.say(Condition::new(kind, Status::False, reason, "", now));
        }
    }
    if why == Evicted::ForRoom {
        let [kind, reason] = ["DisruptionTarget", "TerminationByKubelet"].map(Text::word);
        let message = pod.message.clone();
        pod.conditions.say(Condition::new(kind, Status::True, reason, message, now));
    }
    true
}
