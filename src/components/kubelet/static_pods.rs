//! Static Pods: what the files in the manifest folder say runs on this VM, whatever an API server
//! says or whether there is one.
//!
//! Their containers are programs that the container runtime keeps: they run on while the kubelet is
//! away, nobody restarts them meanwhile, and a kubelet that starts takes over what runs. Follows
//! `k/k:pkg/kubelet/{config/file_linux.go,pod_workers.go,kuberuntime}`.
//!
//! ```text
//! file ─> Waiting ─ back-off ─> Starting ─> Running ── exit, seen by the next relist ──> Waiting
//! no file, or a failed probe: Running ─ SIGTERM, grace, SIGKILL ─> Stopping ─> Waiting or Ended
//! ```
//!
//! Simplified: the look at the whole folder every 20 s (`fileCheckFrequency`) is left out, for it
//! finds nothing that inotify has not told; images are on the VM, or never come.

use super::{AGENT, Event, Kubelet, Start};
use crate::api::kinds::EventType;
use crate::api::{MANIFESTS, StaticPodManifest};
use crate::engine::{Delay, Duration, Generation, Purpose, Rule, SimTime, Text, Timer, below};
use crate::infra::{Ctx, Signal};
use std::collections::{BTreeMap, BTreeSet};

use super::mirror::Mirrors;
use super::probes::Probes;
use super::restarts::{RestartBackoff, RestartSettings};

/// How a kubelet looks after static Pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticPodSettings {
    pub restart: RestartSettings,
    /// How often what has ended is cleared away.
    pub housekeeping: Duration,
    /// What a container gets whose Pod nobody knows any more.
    pub orphan_grace: Duration,
    /// How often a Pod is looked at if nothing happens to it.
    pub resync: Delay,
}

/// The static Pods of a kubelet, by name.
#[derive(Clone, Debug, Default)]
pub struct StaticPods {
    pub(super) pods: BTreeMap<Text, StaticPod>,
    pub(super) mirrors: Mirrors,
    pub(super) slots: super::probes::Slots,
    /// The API server has once said which Pods there are; before that nothing is taken away.
    pub(super) sources_ready: bool,
    /// Times at which the runtime is looked at, and at which the kubelet clears up.
    relist: SimTime,
    housekeeping: SimTime,
}

/// One static Pod.
#[derive(Clone, Debug)]
pub struct StaticPod {
    pub(super) manifest: StaticPodManifest,
    /// What its file says now, if it is there.
    wanted: Option<StaticPodManifest>,
    pub(super) stage: Stage,
    /// The next step of the stage; whoever enters another stage makes it stale.
    timer: Timer,
    backoff: Option<RestartBackoff>,
    pub(super) probes: Probes,
}

/// Where a static Pod stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// For its first container, or for the next while the kubelet backs off.
    Waiting {
        backing_off: bool,
    },
    Starting,
    Running {
        since: SimTime,
    },
    Stopping(Why),
    /// It will not run again, and is about to be cleared away.
    Ended,
}

/// Why a container is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file says something else, or is gone.
    Unwanted,
    /// A probe says so; an earlier container of it had ended then.
    Unhealthy(Option<SimTime>),
}

const RELIST_PHASE: Purpose = Purpose(16);
const RELIST_TIME: Purpose = Purpose(17);
const HOUSEKEEPING_PHASE: Purpose = Purpose(18);
const SYNC: Purpose = Purpose(19);
const CONTAINER_START: Purpose = Purpose(20);
const RECHECK: Purpose = Purpose(21);

impl StaticPods {
    /// The static Pod of a name.
    pub(super) fn get(&self, name: &Text) -> Option<&StaticPod> {
        self.pods.get(name)
    }
}

impl Kubelet {
    pub(super) fn start_static_pods(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let (relist, housekeeping) =
            (self.settings.pleg_period, self.settings.static_pods.housekeeping);
        (self.statics.relist, self.statics.housekeeping) = (ctx.now(), ctx.now());
        if start == Start::Steady {
            self.statics.relist += below(relist, ctx.draw(RELIST_PHASE));
            self.statics.housekeeping += below(housekeeping, ctx.draw(HOUSEKEEPING_PHASE));
        }
        ctx.watch_folder(MANIFESTS);
        self.read_manifests(start, ctx);
    }

    /// The API server has said for the first time which Pods there are: from now on what is not
    /// wanted is taken away.
    pub(super) fn sources_are_ready(&mut self, ctx: &mut Ctx<Event>) {
        self.statics.sources_ready = true;
        self.read_manifests(Start::Fresh, ctx);
        for name in ctx.running_programs() {
            if !self.statics.pods.contains_key(&name) {
                ctx.signal_program(name.clone(), Signal::Terminate);
                let grace = self.settings.static_pods.orphan_grace;
                ctx.after("kubernetes.orphanGrace", grace, Event::KillOrphan(name));
            }
        }
        self.sync_all_mirrors(ctx);
    }

    /// A container without a Pod had its time.
    pub(super) fn kill_orphan(&mut self, name: Text, ctx: &mut Ctx<Event>) {
        if !self.statics.pods.contains_key(&name) {
            ctx.signal_program(name, Signal::Kill);
        }
    }

    /// Compares what the files say with what is looked after; may be called at any time.
    pub(super) fn read_manifests(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let mut wanted = BTreeMap::new();
        let files: Vec<(Text, Text)> =
            ctx.disk().under(MANIFESTS).map(|(path, text)| (path.clone(), text.clone())).collect();
        for (path, text) in files {
            match StaticPodManifest::from_file(&text) {
                Ok(manifest) => drop(wanted.entry(manifest.name.clone()).or_insert(manifest)),
                Err(why) => ctx.log(format!(
                    "\"Could not process manifest file\" err=\"{path}: {why}\" path=\"{path}\""
                )),
            }
        }
        let known = self.statics.pods.keys().chain(wanted.keys());
        let names: BTreeSet<Text> = known.cloned().collect();
        for name in names {
            let wanted = wanted.remove(&name);
            match (self.statics.pods.get_mut(&name), wanted) {
                (None, Some(manifest)) => self.take_on_static(manifest, start, ctx),
                (Some(_), None) if !self.statics.sources_ready => {}
                (Some(pod), wanted) => {
                    pod.wanted = wanted;
                    if pod.wanted.as_ref() != Some(&pod.manifest) {
                        self.stop_unwanted(&name, ctx);
                    }
                }
                (None, None) => {}
            }
        }
    }

    fn take_on_static(&mut self, manifest: StaticPodManifest, start: Start, ctx: &mut Ctx<Event>) {
        let name = manifest.name.clone();
        let Some(program) = ctx.program(&name).copied() else {
            return ctx.log(format!(
                "\"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \
                 \\\"{name}\\\" with ErrImagePull\" pod=\"kube-system/{name}-{}\"",
                self.name
            ));
        };
        let stage = match program.running_since {
            Some(since) => Stage::Running { since },
            None => Stage::Waiting { backing_off: false },
        };
        let probes = match program.running_since {
            Some(_) if start == Start::Steady => Probes::of_a_healthy_container(),
            Some(_) => Probes::of_an_unknown_container(&manifest),
            None => Probes::of_a_new_container(&manifest),
        };
        let wanted = Some(manifest.clone());
        let (timer, backoff) = (Timer::default(), None);
        let pod = StaticPod { manifest, wanted, stage, timer, backoff, probes };
        self.statics.pods.insert(name.clone(), pod);
        self.declare_probes(&name, start, ctx);
        if program.running_since.is_none() {
            let delay = ctx.draw_delay(SYNC, self.settings.pod_sync);
            self.enter(&name, stage, &[("kubernetes.podSync", delay)], ctx);
        }
        self.sync_mirror(&name, ctx);
    }

    /// Enters a stage, whose next step is due after a while.
    fn enter(
        &mut self,
        name: &Text,
        stage: Stage,
        waits: &[(Rule, Duration)],
        ctx: &mut Ctx<Event>,
    ) {
        let Some(pod) = self.statics.pods.get_mut(name) else { return };
        pod.stage = stage;
        pod.timer.cancel();
        if !waits.is_empty() {
            let due = pod.timer.restart();
            ctx.after_all(waits, Event::StaticPod(name.clone(), due));
        }
    }

    /// The next step of a stage is due.
    pub(super) fn static_pod_due(&mut self, name: &Text, due: Generation, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.statics.pods.get(name) else { return };
        if !pod.timer.is_current(due) {
            return;
        }
        match pod.stage {
            Stage::Waiting { .. } => {
                let ended = ctx.program(name).and_then(|program| program.ended);
                self.restart(name, ended, ctx);
            }
            Stage::Starting => self.run(name, ctx),
            // The grace period is over.
            Stage::Stopping(_) => ctx.signal_program(name.clone(), Signal::Kill),
            Stage::Ended => self.clear_away(name, ctx),
            Stage::Running { .. } => {}
        }
    }

    /// Starts a container, unless an earlier one ended too short a time ago.
    fn restart(&mut self, name: &Text, ended: Option<SimTime>, ctx: &mut Ctx<Event>) {
        let (settings, now) = (self.settings.static_pods.restart, ctx.now());
        let Some(pod) = self.statics.pods.get_mut(name) else { return };
        let Some(ended) = ended else { return self.create_container(name, ctx) };
        match pod.backoff.and_then(|backoff| backoff.left(ended, now, &settings)) {
            Some((pause, left)) => {
                let was_waiting = pod.stage == Stage::Waiting { backing_off: true };
                let waits = settings.waits((pause, left), ctx.draw(RECHECK));
                self.enter(name, Stage::Waiting { backing_off: true }, &waits, ctx);
                if !was_waiting {
                    self.say_backing_off(name, pause, ctx);
                }
            }
            None => {
                pod.backoff = Some(RestartBackoff::after(pod.backoff, ended, now, &settings));
                self.create_container(name, ctx);
            }
        }
    }

    fn create_container(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let delay = ctx.draw_delay(CONTAINER_START, self.settings.container_start);
        let waits = [("kubernetes.containerStart", delay)];
        self.enter(name, Stage::Starting, &waits, ctx);
        self.sync_mirror(name, ctx);
    }

    fn run(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        ctx.start_program(name.clone());
        self.enter(name, Stage::Running { since: ctx.now() }, &[], ctx);
        if let Some(pod) = self.statics.pods.get_mut(name) {
            pod.probes = Probes::of_a_new_container(&pod.manifest);
        }
        self.wake_startup_probe(name, ctx);
        let seen = self.next_relist(ctx);
        ctx.after("kubernetes.plegPeriod", seen, Event::ProgramSeen(name.clone()));
    }

    /// The runtime has the end of a container to show: to who waits for it at once, to who does not
    /// expect it in the next look at all containers.
    pub(super) fn program_ended(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        match self.statics.get(name).map(|pod| pod.stage) {
            Some(Stage::Running { .. }) => {
                let seen = self.next_relist(ctx);
                ctx.after("kubernetes.plegPeriod", seen, Event::ProgramSeen(name.clone()));
            }
            Some(Stage::Stopping(Why::Unwanted)) => self.end(name, ctx),
            Some(Stage::Stopping(Why::Unhealthy(ended_before))) => {
                self.restart(name, ended_before, ctx);
            }
            _ => {}
        }
    }

    /// The kubelet has looked at all containers.
    pub(super) fn program_seen(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let Some(Stage::Running { .. }) = self.statics.get(name).map(|pod| pod.stage) else {
            return;
        };
        match ctx.program(name) {
            Some(program) if program.running_since.is_none() => {
                let ended = program.ended;
                self.restart(name, ended, ctx);
            }
            _ => self.sync_mirror(name, ctx),
        }
    }

    /// A probe has failed too often: its container is stopped, and started again.
    pub(super) fn stop_unhealthy(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let ended_before = ctx.program(name).and_then(|program| program.ended);
        self.stop_program(name, Why::Unhealthy(ended_before), ctx);
    }

    fn stop_unwanted(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        match self.statics.get(name).map(|pod| pod.stage) {
            Some(Stage::Running { .. }) => {
                let words = format!("Stopping container {name}");
                self.record_static(name, EventType::Normal, "Killing", words, ctx);
                self.stop_program(name, Why::Unwanted, ctx);
            }
            // It is being stopped already; only what follows is another.
            Some(Stage::Stopping(Why::Unhealthy(_))) => {
                if let Some(pod) = self.statics.pods.get_mut(name) {
                    pod.stage = Stage::Stopping(Why::Unwanted);
                }
            }
            Some(Stage::Waiting { .. } | Stage::Starting) => self.end(name, ctx),
            _ => {}
        }
    }

    fn stop_program(&mut self, name: &Text, why: Why, ctx: &mut Ctx<Event>) {
        let Some(grace) = self.statics.get(name).map(|pod| pod.manifest.grace) else { return };
        // One that ended a moment ago has nobody left who would report its end.
        let runs = ctx.program(name).is_some_and(|program| program.running_since.is_some());
        let waits = [("kubernetes.staticPodGrace", grace)];
        self.enter(name, Stage::Stopping(why), &waits, ctx);
        match runs {
            true => ctx.signal_program(name.clone(), Signal::Terminate),
            false => self.program_ended(name, ctx),
        }
        self.sync_mirror(name, ctx);
    }

    /// Nothing of it runs any more; the kubelet clears up in its next round.
    fn end(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let period = self.settings.static_pods.housekeeping;
        let left = until_next(self.statics.housekeeping, period, ctx.now());
        let waits = [("kubernetes.housekeepingPeriod", left)];
        self.enter(name, Stage::Ended, &waits, ctx);
        self.sync_mirror(name, ctx);
    }

    /// What has ended is forgotten; if its file has come back meanwhile, it begins anew.
    fn clear_away(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.statics.pods.remove(name) else { return };
        ctx.remove_program(name);
        match pod.wanted {
            Some(manifest) => self.take_on_static(manifest, Start::Fresh, ctx),
            None => self.sync_mirror(name, ctx),
        }
    }

    fn say_backing_off(&mut self, name: &Text, pause: Duration, ctx: &mut Ctx<Event>) {
        let pod = format!("{name}-{}_kube-system", self.name);
        ctx.log(format!(
            "\"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \
             \\\"{name}\\\" with CrashLoopBackOff: \\\"back-off {pause} restarting failed \
             container={name} pod={pod}\\\"\" pod=\"kube-system/{name}-{}\"",
            self.name
        ));
        let words = format!("Back-off restarting failed container {name} in pod {pod}");
        self.record_static(name, EventType::Warning, "BackOff", words, ctx);
        self.sync_mirror(name, ctx);
    }

    /// An Event about a static Pod, which names the Pod that mirrors it.
    pub(super) fn record_static(
        &mut self,
        name: &Text,
        kind: EventType,
        reason: &'static str,
        message: String,
        ctx: &mut Ctx<Event>,
    ) {
        let key = super::mirror::mirror_key(name, &self.name);
        self.client.record(ctx, AGENT, kind, &key, reason, Text::from(message));
    }

    /// How long it is until a look at all containers is through.
    fn next_relist(&mut self, ctx: &mut Ctx<Event>) -> Duration {
        let look = ctx.draw_delay(RELIST_TIME, self.settings.pleg_relist);
        until_next(self.statics.relist, self.settings.pleg_period, ctx.now()) + look
    }
}

/// How long it is until the next of the times that lie a period apart, `at` among them.
pub(super) fn until_next(at: SimTime, period: Duration, now: SimTime) -> Duration {
    let period = period.as_micros().max(1);
    match now < at {
        true => Duration::from_micros(at.since(now).as_micros() % period),
        false => Duration::from_micros(period - now.since(at).as_micros() % period),
    }
}
