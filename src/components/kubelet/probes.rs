//! Probes: how a kubelet asks a static Pod's container whether it starts, lives and is ready.
//!
//! Each probe asks by HTTP on the VM's own port and has its own rhythm. A refused connection, no
//! answer in time, and a status that is no success are failures; so many in a row count. What
//! follows from that for the container is decided in `static_pods`. Follows
//! `k/k:pkg/kubelet/prober`. Probes are declared activities: one that finds what the last one found
//! changes nothing, and a startup probe sleeps while its container has started.
//!
//! Simplified: a probe keeps its connection while it is answered, where the real one opens another
//! each time; of failures in a row the first is an Event. A Pod that comes back goes on in the
//! rhythm that it had.

use super::static_pods::Stage;
use super::{Event, Kubelet, Start};
use crate::api::kinds::EventType;
use crate::api::{ProbeKind, ProbeSpec, StaticPodManifest};
use crate::engine::{Activity, Path, Phase, Rhythm, SimTime, Text};
use crate::infra::{ActivityId, Address, Broken, ConnectionId, Ctx, Port};
use crate::wire::Message;
use std::collections::{BTreeMap, BTreeSet};

/// What the probes of one container have found.
#[derive(Clone, Debug)]
pub struct Probes {
    started: bool,
    ready: bool,
    /// Those that have not looked once at a container that ran before this kubelet did.
    unmet: BTreeSet<ProbeKind>,
    each: BTreeMap<ProbeKind, Probe>,
}

/// One probe of one container.
#[derive(Clone, Debug, Default)]
struct Probe {
    connection: Option<ConnectionId>,
    /// The number of the question without an answer, and when it was asked.
    asked: Option<(u32, SimTime)>,
    /// Its end is set.
    timed: bool,
    /// It was due while it waited for an answer: its ticker keeps one tick.
    tick_pending: bool,
    /// Failures in a row.
    failures: u32,
    /// It has led to the container's end, and waits for the next.
    on_hold: bool,
}

/// The activities that ask, by number from `FIRST` on; they stay as long as the kubelet.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    slots: Vec<(Text, ProbeSpec)>,
    /// Questions so far.
    asked: u32,
}

/// The number of the first probe's activity.
const FIRST: u8 = 8;

impl Probes {
    /// Of a container that has just been started.
    pub(super) fn of_a_new_container(manifest: &StaticPodManifest) -> Probes {
        let lacks = |kind| !has(manifest, kind);
        let (started, ready) = (lacks(ProbeKind::Startup), lacks(ProbeKind::Readiness));
        Probes { started, ready, ..Probes::of_a_healthy_container() }
    }

    /// Of one that ran before this kubelet did: its Pod is looked at before its probes begin, and a
    /// container without one that has begun counts as well. What an earlier kubelet knew is forgotten
    /// (until 1.35, whose gate ChangeContainerStatusOnKubeletRestart is off).
    pub(super) fn of_an_unknown_container(manifest: &StaticPodManifest) -> Probes {
        let unmet = [ProbeKind::Startup, ProbeKind::Readiness].into_iter();
        let unmet = unmet.filter(|kind| has(manifest, *kind)).collect();
        Probes { unmet, ..Probes::of_a_healthy_container() }
    }

    /// Of one that has long been well.
    pub(super) fn of_a_healthy_container() -> Probes {
        Probes { started: true, ready: true, unmet: BTreeSet::new(), each: BTreeMap::new() }
    }

    pub(super) fn are_ready(&self) -> bool {
        self.started && self.ready
    }
}

fn has(manifest: &StaticPodManifest, kind: ProbeKind) -> bool {
    manifest.probes.iter().any(|probe| probe.kind == kind)
}

impl Kubelet {
    /// Declares the rhythm of each probe of a Pod, unless it has it already.
    pub(super) fn declare_probes(&mut self, name: &Text, start: Start, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.statics.pods.get(name) else { return };
        let up_for = ctx.now().since(self.started);
        for spec in pod.manifest.probes.clone() {
            let slots = &mut self.statics.slots.slots;
            let same = |(of, other): &(Text, ProbeSpec)| of == name && other.kind == spec.kind;
            let place = match slots.iter().position(same) {
                Some(place) if slots[place].1.period == spec.period => {
                    slots[place].1 = spec;
                    self.wake_startup_probe(name, ctx);
                    continue;
                }
                Some(place) => {
                    slots[place].1 = spec;
                    place
                }
                None => {
                    slots.push((name.clone(), spec));
                    slots.len() - 1
                }
            };
            let Ok(number) = u8::try_from(place + usize::from(FIRST)) else { continue };
            let (period, path) = (spec.period, Path::Server);
            let rule = match spec.kind {
                ProbeKind::Startup => "kubernetes.probeStartupPeriod",
                ProbeKind::Liveness => "kubernetes.probeLivenessPeriod",
                ProbeKind::Readiness => "kubernetes.probeReadinessPeriod",
            };
            // What a kubelet finds when it starts is not to be probed all at once.
            let phase = match start {
                Start::Fresh if up_for >= period => Phase::Now,
                Start::Fresh | Start::Steady => Phase::Stationary,
            };
            let (jitter_percent, rhythm) = (0, Rhythm::Ticker);
            let activity = Activity { rule, period, jitter_percent, rhythm, path };
            ctx.every(ActivityId(number), activity, phase);
        }
    }

    /// It is time for a probe.
    pub(super) fn probe(&mut self, activity: ActivityId, ctx: &mut Ctx<Event>) {
        if self.meets_container(activity, ctx) {
            return;
        }
        let Some((name, spec)) = self.due_probe(activity, ctx.now()) else {
            return self.let_sleep(activity, ctx);
        };
        let Some(pod) = self.statics.pods.get_mut(&name) else { return };
        let probe = pod.probes.each.entry(spec.kind).or_default();
        probe.tick_pending = probe.asked.is_some();
        if probe.asked.is_none() {
            let to = probe.connection.get_or_insert_with(|| {
                ctx.connect(Address::Here(Port(spec.port))) //
            });
            self.statics.slots.asked = self.statics.slots.asked.wrapping_add(1);
            let number = self.statics.slots.asked;
            probe.asked = Some((number, ctx.now()));
            probe.timed = false;
            ctx.send(*to, Message::HealthCheck(number, spec.path));
        }
        // Most are answered long before the next is due: an end is set for those that are not.
        let Some((number, at)) = probe.asked.filter(|_| !probe.timed) else { return };
        let left = (at + spec.timeout).since(ctx.now());
        if left < spec.period || at < ctx.now() {
            probe.timed = true;
            ctx.after("kubernetes.probeTimeout", left, Event::ProbeLate(name, spec.kind, number));
        }
    }

    /// A startup probe asks no more once its container has started, until the next one.
    fn let_sleep(&self, activity: ActivityId, ctx: &mut Ctx<Event>) {
        let Some((name, spec)) = self.statics.slots.of(activity) else { return };
        let pod = self.statics.pods.get(name);
        let has_started = pod.is_some_and(|pod| pod.probes.started);
        if spec.kind == ProbeKind::Startup && has_started {
            ctx.sleep(activity);
        }
    }

    /// Another container of a Pod may have to start.
    pub(super) fn wake_startup_probe(&self, name: &Text, ctx: &mut Ctx<Event>) {
        let numbered = (FIRST..).zip(&self.statics.slots.slots);
        let startup =
            |(of, spec): &(Text, ProbeSpec)| of == name && spec.kind == ProbeKind::Startup;
        for (number, _) in numbered.filter(|(_, slot)| startup(slot)) {
            ctx.wake(ActivityId(number));
        }
    }

    /// A probe that looks for the first time at a container that ran before this kubelet did has found
    /// nothing yet: the container has not started, or is not ready. True if that was all for now: a
    /// startup probe takes what counted until this moment for a container that has started.
    fn meets_container(&mut self, activity: ActivityId, ctx: &mut Ctx<Event>) -> bool {
        let Some((name, spec)) = self.statics.slots.of(activity) else { return false };
        let (name, kind) = (name.clone(), spec.kind);
        let Some(pod) = self.statics.pods.get_mut(&name) else { return false };
        if !pod.probes.unmet.remove(&kind) {
            return false;
        }
        if pod.probes.say(kind, false) {
            self.sync_mirror(&name, ctx);
        }
        kind == ProbeKind::Startup
    }

    /// On which connection a probe that is due would ask for what, if success would be no news, and
    /// before when the answer would have to be there.
    pub fn foresee_probe(
        &self,
        activity: ActivityId,
        now: SimTime,
    ) -> Option<(ConnectionId, &'static str, SimTime)> {
        let (name, spec) = self.due_probe(activity, now)?;
        let probes = &self.statics.pods.get(&name)?.probes;
        let probe = probes.each.get(&spec.kind)?;
        let is_well = probes.are_ready() && (probe.failures, probe.asked) == (0, None);
        let limit = now + spec.timeout.min(spec.period);
        is_well.then_some((probe.connection?, spec.path, limit))
    }

    /// The container and the probe that an activity stands for, if it asks at this time.
    fn due_probe(&self, activity: ActivityId, now: SimTime) -> Option<(Text, ProbeSpec)> {
        let (name, spec) = self.statics.slots.of(activity)?;
        let pod = self.statics.pods.get(name)?;
        let Stage::Running { since } = pod.stage else { return None };
        let has_started = pod.probes.started;
        let waits = pod.probes.each.get(&spec.kind).is_some_and(|probe| probe.on_hold);
        let asks = pod.manifest.probes.contains(spec)
            && now.since(since) >= spec.initial_delay
            && has_started != (spec.kind == ProbeKind::Startup)
            && !waits;
        asks.then(|| (name.clone(), *spec))
    }

    /// A probe was not played that has succeeded as foreseen.
    pub fn pass_probe(&mut self) {
        self.statics.slots.asked = self.statics.slots.asked.wrapping_add(1);
    }

    /// An answer to a probe; false if it is none.
    pub(super) fn probe_answered(
        &mut self,
        from: ConnectionId,
        message: &Message,
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let Message::Health(number, status, _) = *message else { return false };
        let Some((name, kind)) = self.statics.probe_on(from) else { return true };
        let asked = self.statics.probe_mut(&name, kind).and_then(|probe| probe.asked);
        if asked.is_some_and(|(asked, _)| asked == number) {
            let failed = || format!("HTTP probe failed with statuscode: {status}");
            let found = if (200..400).contains(&status) { Ok(()) } else { Err(failed()) };
            self.probe_found(&name, kind, found, ctx);
        }
        true
    }

    /// The connection of a probe is over.
    pub(super) fn probe_broken(
        &mut self,
        connection: ConnectionId,
        how: Broken,
        ctx: &mut Ctx<Event>,
    ) {
        let Some((name, kind)) = self.statics.probe_on(connection) else { return };
        let Some(probe) = self.statics.probe_mut(&name, kind) else { return };
        probe.connection = None;
        if probe.asked.is_some() {
            let what = match how {
                Broken::Refused => "connect: connection refused",
                Broken::Closed => "EOF",
                Broken::Reset => "read: connection reset by peer",
                Broken::Lost | Broken::Unanswered => "i/o timeout",
            };
            self.probe_found(&name, kind, Err(what.to_owned()), ctx);
        }
    }

    /// A probe has had its time.
    pub(super) fn probe_late(
        &mut self,
        name: &Text,
        kind: ProbeKind,
        number: u32,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(probe) = self.statics.probe_mut(name, kind) else { return };
        if probe.asked.is_none_or(|(asked, _)| asked != number) {
            return;
        }
        if let Some(connection) = probe.connection.take() {
            ctx.close(connection);
        }
        let what = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
        self.probe_found(name, kind, Err(what.to_owned()), ctx);
    }

    fn probe_found(
        &mut self,
        name: &Text,
        kind: ProbeKind,
        found: Result<(), String>,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(pod) = self.statics.pods.get_mut(name) else { return };
        let spec = pod.manifest.probes.iter().find(|spec| spec.kind == kind).copied();
        let probe = pod.probes.each.entry(kind).or_default();
        probe.asked = None;
        let was_due = std::mem::take(&mut probe.tick_pending);
        let (Some(spec), Stage::Running { .. }) = (spec, pod.stage) else { return };
        match found {
            Ok(()) => {
                probe.failures = 0;
                let news = pod.probes.say(kind, true);
                if news {
                    self.sync_mirror(name, ctx);
                }
            }
            Err(what) => {
                probe.failures += 1;
                let failures = probe.failures;
                if failures == 1 {
                    self.say_unhealthy(name, kind, &what, ctx);
                }
                if failures >= spec.failure_threshold {
                    self.failed_too_often(name, kind, ctx);
                }
            }
        }
        if was_due {
            self.probe_at_once(name, kind, ctx);
        }
    }

    /// The tick that has come meanwhile is taken (`k/k:pkg/kubelet/prober/worker.go`, run).
    fn probe_at_once(&mut self, name: &Text, kind: ProbeKind, ctx: &mut Ctx<Event>) {
        let mut slots = (FIRST..).zip(&self.statics.slots.slots);
        let number = slots.find_map(|(number, (of, spec))| {
            (of == name && spec.kind == kind).then_some(number) //
        });
        if let Some(number) = number {
            self.probe(ActivityId(number), ctx);
        }
    }

    fn failed_too_often(&mut self, name: &Text, kind: ProbeKind, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.statics.pods.get_mut(name) else { return };
        if kind == ProbeKind::Readiness {
            if pod.probes.say(kind, false) {
                self.sync_mirror(name, ctx);
            }
            return;
        }
        pod.probes.each.entry(kind).or_default().on_hold = true;
        let probe = kind.name().to_lowercase();
        let words = format!("Container {name} failed {probe} probe, will be restarted");
        self.record_static(name, EventType::Normal, "Killing", words, ctx);
        self.stop_unhealthy(name, ctx);
    }

    fn say_unhealthy(&mut self, name: &Text, kind: ProbeKind, what: &str, ctx: &mut Ctx<Event>) {
        let probe = kind.name();
        ctx.log(format!(
            "\"Probe failed\" probeType=\"{probe}\" pod=\"kube-system/{name}-{}\" \
             containerName=\"{name}\" probeResult=\"failure\" output=\"{what}\"",
            self.name
        ));
        let words = format!("{probe} probe failed: {what}");
        self.record_static(name, EventType::Warning, "Unhealthy", words, ctx);
    }
}

impl Slots {
    /// The probe that an activity is.
    fn of(&self, activity: ActivityId) -> Option<&(Text, ProbeSpec)> {
        self.slots.get(usize::from(activity.0.checked_sub(FIRST)?))
    }
}

impl Probes {
    /// Notes what a probe has shown; true if that is news.
    fn say(&mut self, kind: ProbeKind, well: bool) -> bool {
        let before = self.are_ready();
        match kind {
            ProbeKind::Startup => self.started = well,
            ProbeKind::Readiness => self.ready = well,
            ProbeKind::Liveness => {}
        }
        self.are_ready() != before
    }
}

impl super::static_pods::StaticPods {
    /// The probe that asks on a connection.
    fn probe_on(&self, connection: ConnectionId) -> Option<(Text, ProbeKind)> {
        self.pods.iter().find_map(|(name, pod)| {
            let mut each = pod.probes.each.iter();
            let found = each.find(|(_, probe)| probe.connection == Some(connection));
            found.map(|(kind, _)| (name.clone(), *kind))
        })
    }

    fn probe_mut(&mut self, name: &Text, kind: ProbeKind) -> Option<&mut Probe> {
        self.pods.get_mut(name)?.probes.each.get_mut(&kind)
    }
}
