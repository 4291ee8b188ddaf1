//! Mirror Pods: how an API server is shown what a kubelet runs from files.
//!
//! They follow what runs, never the other way round: one that somebody deletes is made again, one
//! whose static Pod is gone is deleted, and while the API server is away nothing but this waits.
//! Follows `k/k:pkg/kubelet/pod/mirror_client.go` and `pkg/kubelet/status`.

use super::static_pods::{Stage, until_next};
use super::{AGENT, Asked, Event, Kubelet};
use crate::api::kinds::{Condition, Pod, PodPhase, PodTemplate, Status, TaintEffect, Toleration};
use crate::api::{Answered, StaticPodManifest};
use crate::api::{Kind, MIRROR, Meta, Object, ObjectKey, Reason, Verb, labels};
use crate::engine::{Purpose, SimTime, Text};
use crate::infra::Ctx;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is under way about mirror Pods, by the name of the static Pod.
pub type Mirrors = BTreeMap<Text, Mirror>;

/// What is under way about one mirror Pod.
#[derive(Clone, Debug, Default)]
pub struct Mirror {
    /// A write about it is under way.
    writing: bool,
    /// There is more to say when that is over.
    again: bool,
    /// What this kubelet has said last.
    said: Option<Said>,
    /// What others wrote will be put right.
    correcting: bool,
}

/// What a mirror Pod shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    phase: PodPhase,
    ready: bool,
    restarts: u32,
    /// When the container before the one that runs, or is waited for, ended.
    last_ended: Option<SimTime>,
    waiting: Text,
}

const NAMESPACE: Text = Text::word("kube-system");
const RESYNC: Purpose = Purpose(22);

/// The mirror Pod of a static Pod on a Node.
pub fn mirror_key(name: &Text, node: &Text) -> ObjectKey {
    let name = Text::from(format!("{name}-{node}"));
    ObjectKey { kind: Kind::Pod, namespace: NAMESPACE, name }
}

/// The Pod that shows a static Pod on a Node, as it is created.
pub fn mirror_pod(manifest: &StaticPodManifest, node: &Meta) -> Object {
    let name = &manifest.name;
    let key = mirror_key(name, &node.key.name);
    let mut meta = Meta::new(Kind::Pod, key.namespace, key.name).owned_by(node);
    meta.labels = labels([("component", name.clone()), ("tier", Text::word("control-plane"))]);
    // The annotation's value is a hash of the file; what counts is that it is there.
    meta.annotations = Arc::new([(MIRROR, name.clone())].into());
    let template = PodTemplate {
        labels: meta.labels.clone(),
        image: name.clone(),
        grace: manifest.grace,
        // The kubelet adds it to every Pod from a file.
        tolerations: vec![Toleration {
            key: Text::EMPTY,
            value: None,
            effect: Some(TaintEffect::NoExecute),
            seconds: None,
        }],
        ..PodTemplate::default()
    };
    let mut pod = Pod::new(Arc::new(template));
    pod.node_name = node.key.name.clone();
    Object::new(meta, pod)
}

/// Lets a mirror Pod show a container that has long been running; for the beginning of a run.
pub fn show_running(pod: &mut Pod, now: SimTime) {
    let said = Said {
        phase: PodPhase::Running,
        ready: true,
        restarts: 0,
        last_ended: None,
        waiting: Text::EMPTY,
    };
    show(&said, pod, now);
}

impl Kubelet {
    /// Somebody changed a mirror Pod, or this kubelet hears of its own change.
    pub(super) fn mirror_changed(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        if let Some(name) = self.mirrored_by(key) {
            self.sync_mirror(&name, ctx);
        }
    }

    /// Looks after all mirror Pods, those that nothing stands behind any more too.
    pub(super) fn sync_all_mirrors(&mut self, ctx: &mut Ctx<Event>) {
        let shown = self.client.caches.list(Kind::Pod).filter(|pod| pod.meta.is_mirror());
        let mut names: Vec<Text> = shown.filter_map(|pod| self.mirrored_by(pod.key())).collect();
        names.extend(self.statics.pods.keys().cloned());
        names.sort_unstable();
        names.dedup();
        for name in names {
            self.sync_mirror(&name, ctx);
        }
    }

    /// Brings a mirror Pod closer to what it mirrors; may be called at any time.
    pub(super) fn sync_mirror(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        if !self.statics.sources_ready {
            return;
        }
        let mirror = self.statics.mirrors.entry(name.clone()).or_default();
        if mirror.writing {
            mirror.again = true;
            return;
        }
        let key = mirror_key(name, &self.name);
        let shown = self.client.caches.get(&key).filter(|pod| pod.meta.is_mirror()).cloned();
        let delete = |object: &Object| Verb::Delete {
            key: key.clone(),
            grace: Some(crate::engine::Duration::ZERO),
            uid: Some(object.meta.uid),
        };
        match (self.statics.get(name).is_some(), shown) {
            (false, None) => drop(self.statics.mirrors.remove(name)),
            (false, Some(shown)) => self.write_mirror(name, delete(&shown), ctx),
            (true, Some(shown)) if shown.meta.is_deleting() => {
                self.write_mirror(name, delete(&shown), ctx);
            }
            (true, None) => self.create_mirror(name, ctx),
            (true, Some(shown)) => self.report_mirror(name, &shown, ctx),
        }
    }

    fn create_mirror(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.statics.get(name) else { return };
        let Some(node) = self.registered_node() else { return self.resync_mirror(name, ctx) };
        let object = mirror_pod(&pod.manifest, &node.meta);
        if let Some(mirror) = self.statics.mirrors.get_mut(name) {
            mirror.said = None;
        }
        self.write_mirror(name, Verb::Create(Arc::new(object)), ctx);
    }

    fn report_mirror(&mut self, name: &Text, shown: &Arc<Object>, ctx: &mut Ctx<Event>) {
        let Some(said) = self.what_runs(name, shown, ctx) else { return };
        let mut changed = Object::clone(shown);
        let news = changed.pod_mut().is_some_and(|pod| show(&said, pod, ctx.wall_clock()));
        let Some(mirror) = self.statics.mirrors.get_mut(name) else { return };
        let by_others = mirror.said.as_ref() == Some(&said);
        match (news, by_others) {
            (false, _) => {
                (mirror.said, mirror.correcting) = (Some(said), false);
            }
            // What others wrote is noticed in the next round.
            (true, true) if !mirror.correcting => {
                mirror.correcting = true;
                let period = self.settings.pod_status_sync;
                let left = until_next(self.pods.sync_at(), period, ctx.now());
                ctx.after("kubernetes.podStatusSync", left, Event::CorrectMirror(name.clone()));
            }
            (true, true) => {}
            (true, false) => {
                mirror.said = Some(said);
                let verb = Verb::Patch { base: shown.clone(), changed: Arc::new(changed) };
                self.write_mirror(name, verb, ctx);
            }
        }
    }

    /// What a mirror Pod is to show; nothing while that is not known.
    fn what_runs(&self, name: &Text, shown: &Object, ctx: &Ctx<Event>) -> Option<Said> {
        let pod = self.statics.get(name)?;
        let program = ctx.program(name)?;
        let ready = match pod.stage {
            Stage::Running { .. } if program.running_since.is_some() => pod.probes.are_ready(),
            _ => false,
        };
        let has_run = program.starts > 0 || shown.pod().is_some_and(|pod| pod.started.is_some());
        let backs_off = pod.stage == Stage::Waiting { backing_off: true };
        // Until then it is the container's own state that has the end, not the last one.
        let is_over = backs_off || program.running_since.is_some();
        let before = shown.pod().and_then(|pod| pod.last_ended);
        let ended = program.ended.map(|at| wall_clock_at(at, ctx)).filter(|_| is_over);
        Some(Said {
            phase: if has_run { PodPhase::Running } else { PodPhase::Pending },
            ready,
            restarts: program.starts.saturating_sub(1),
            last_ended: ended.or(before),
            waiting: if backs_off { Text::word("CrashLoopBackOff") } else { Text::EMPTY },
        })
    }

    /// A round in which the kubelet puts right what others wrote.
    pub(super) fn correct_mirror(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        if let Some(mirror) = self.statics.mirrors.get_mut(name) {
            (mirror.correcting, mirror.said) = (false, None);
        }
        self.sync_mirror(name, ctx);
    }

    fn write_mirror(&mut self, name: &Text, verb: Verb, ctx: &mut Ctx<Event>) {
        if let Some(mirror) = self.statics.mirrors.get_mut(name) {
            (mirror.writing, mirror.again) = (true, false);
            let creates = matches!(verb, Verb::Create(_));
            self.client.ask(ctx, AGENT, verb, Asked::Mirror(name.clone(), creates));
        }
    }

    /// A write is over; what it changed is heard of by the watch.
    pub(super) fn mirror_written(
        &mut self,
        name: &Text,
        creates: bool,
        answered: &Answered,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(mirror) = self.statics.mirrors.get_mut(name) else { return };
        mirror.writing = false;
        let again = std::mem::take(&mut mirror.again);
        // What the watch has told meanwhile it does not tell again; what was made and is not shown yet it
        // will.
        let is_shown = self.client.caches.get(&mirror_key(name, &self.name)).is_some();
        match answered {
            Ok(_) if again && (!creates || is_shown) => self.sync_mirror(name, ctx),
            Ok(_) => {}
            // It is gone: the watch will tell, or has.
            Err(error) if error.reason == Reason::NotFound => {
                if again && !is_shown {
                    self.sync_mirror(name, ctx);
                }
            }
            Err(_) => {
                mirror.said = None;
                match creates {
                    true => self.resync_mirror(name, ctx),
                    false => {
                        let pause = self.settings.pod_status_retry;
                        ctx.after(
                            "kubernetes.podStatusRetry",
                            pause,
                            Event::SyncMirror(name.clone()),
                        );
                    }
                }
            }
        }
    }

    /// A mirror Pod that could not be made is tried again when its Pod is looked at next.
    fn resync_mirror(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let pause = ctx.draw_delay(RESYNC, self.settings.static_pods.resync);
        ctx.after("kubernetes.podResync", pause, Event::SyncMirror(name.clone()));
    }

    /// The name of the static Pod that a Pod of this name on this Node mirrors.
    fn mirrored_by(&self, key: &ObjectKey) -> Option<Text> {
        let rest = key.name.strip_suffix(self.name.as_str())?;
        (key.namespace == NAMESPACE).then_some(())?;
        rest.strip_suffix('-').map(Text::from)
    }
}

/// What the VM's clock showed at a time, or would have if nobody has set it since.
fn wall_clock_at(at: SimTime, ctx: &Ctx<Event>) -> SimTime {
    SimTime::ZERO + ctx.wall_clock().since(SimTime::ZERO + ctx.now().since(at))
}

/// Lets a Pod show what runs; true if that is news. When a container ended is none by itself: it is
/// told with what came of it.
fn show(said: &Said, pod: &mut Pod, now: SimTime) -> bool {
    let mut news =
        pod.phase != said.phase || pod.restarts != said.restarts || pod.waiting != said.waiting;
    pod.phase = said.phase;
    (pod.restarts, pod.last_ended) = (said.restarts, said.last_ended);
    pod.waiting.clone_from(&said.waiting);
    if said.phase == PodPhase::Running {
        pod.started = pod.started.or(Some(now));
    }
    let reason = if said.ready { "" } else { "ContainersNotReady" };
    for (kind, well, reason) in [
        ("PodScheduled", true, ""),
        ("Initialized", true, ""),
        ("ContainersReady", said.ready, reason),
        ("Ready", said.ready, reason),
    ] {
        let status = if well { Status::True } else { Status::False };
        let (kind, reason) = (Text::word(kind), Text::word(reason));
        let stands = pod.conditions.get(&kind);
        if stands.is_none_or(|old| old.status != status) {
            news |= pod.conditions.say(Condition::new(kind, status, reason, "", now));
        }
    }
    news
}
