//! Pod garbage collection: Pods of Nodes that no longer exist, or are out of service.
//!
//! Follows `k/k:pkg/controller/podgc/gc_controller.go`: a pass 20 s after the last; a missing Node
//! waits 40 s in a delaying queue and is looked up live before its Pods go. Two passes later those
//! 40 s are just over, and whether the queue hands the Node over before or after that pass is a race
//! of milliseconds. Pods that terminate on a Node that is not ready and that a person has declared
//! out of service are ended in the next pass.

use super::{ControllerManager, Event, POD_GC, Token};
use crate::api::kinds::{Condition, PodPhase, Status, taint};
use crate::api::{Answered, Kind, Object, ObjectKey, Reason, Verb};
use crate::client::{Delta, Turn};
use crate::engine::{Activity, Duration, Path, Phase, Purpose, Rhythm, Rule, SimTime, Text};
use crate::infra::{Ctx, Start};
use crate::timeline::Cause;
use std::collections::BTreeMap;
use std::sync::Arc;

const AGENT: &str = "pod-garbage-collector";
const PASS_TIME: Purpose = Purpose(15);
const HAND_OVER: Purpose = Purpose(14);
const QUARANTINE: Rule = "kubernetes.podGcQuarantine";
const NODE_GONE: &str = "PodGC: node no longer exists";

/// Nodes that are missing.
#[derive(Clone, Debug, Default)]
pub struct PodGc {
    missing: BTreeMap<Text, Missing>,
    /// What led to the end of each Node that was heard to be gone.
    ended: BTreeMap<Text, Cause>,
}

/// A Node that Pods are bound to and that is not there.
#[derive(Clone, Copy, Debug)]
struct Missing {
    /// When its quarantine is over.
    over: SimTime,
    /// The pass that put it there, and what led to that.
    since: Cause,
}

/// What it asked the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether the Node is really gone.
    Node(Text),
    /// To mark the Pod; its deletion follows.
    Mark(ObjectKey),
}

impl ControllerManager {
    pub(super) fn start_pod_gc(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let activity = Activity {
            rule: "kubernetes.podGcPeriod",
            period: self.settings.pod_gc_period,
            jitter_percent: 0,
            rhythm: Rhythm::AfterEnd,
            path: Path::Server,
        };
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::Now,
        };
        ctx.every(POD_GC, activity, phase);
    }

    pub(super) fn pod_gc_pass(&mut self, ctx: &mut Ctx<Event>) {
        let now = ctx.now();
        for pod in self.pods_out_of_service() {
            self.mark_failed(&pod, None, ctx);
        }
        let gone = self.nodes_without_object();
        self.pod_gc.missing.retain(|node, _| gone.contains(node));
        self.pod_gc.ended.retain(|node, _| gone.contains(node));
        let pass = ctx.cause();
        for node in gone {
            let missing = self.pod_gc.missing.get(&node).copied();
            if missing.is_some_and(|it| it.over > now) {
                continue;
            }
            // Whoever is handed over goes into quarantine again, for if nobody can tell whether it
            // exists.
            let late = ctx.draw_delay(HAND_OVER, self.settings.pod_gc_hand_over);
            let over = now + self.settings.pod_gc_quarantine + late;
            match missing {
                Some(it) => ctx.limit_over(it.since, QUARANTINE, it.over),
                None => ctx.turn_of(self.pod_gc.ended.get(&node).copied().unwrap_or(pass), None),
            }
            let since = ctx.cause();
            self.pod_gc.missing.insert(node.clone(), Missing { over, since });
            if missing.is_some() {
                let key =
                    ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: node.clone() };
                self.ask(AGENT, Verb::Get(key), Token::PodGc(Asked::Node(node)), ctx);
            }
            ctx.back_to(pass);
        }
        self.collect_unscheduled(ctx);
        let run_time = ctx.draw_delay(PASS_TIME, self.settings.pod_gc_pass);
        ctx.after("kubernetes.podGcPass", run_time, Event::PodGcPassEnded);
    }

    /// What led to the end of a Node is what its Pods are ended for.
    pub(super) fn node_ended(&mut self, delta: &Delta, ctx: &Ctx<Event>) {
        match &delta.new {
            Some(_) => drop(self.pod_gc.ended.remove(delta.name())),
            None => drop(self.pod_gc.ended.insert(delta.name().clone(), ctx.cause())),
        }
    }

    pub(super) fn pod_gc_answered(
        &mut self,
        asked: Asked,
        answered: &Answered,
        ctx: &mut Ctx<Event>,
    ) {
        match (asked, answered) {
            (Asked::Node(node), Err(error)) if error.reason == Reason::NotFound => {
                for pod in self.pods_on(&node) {
                    self.mark_failed(&pod, Some(NODE_GONE), ctx);
                }
            }
            (Asked::Mark(key), Ok(_)) => {
                let grace = Some(Duration::ZERO);
                let verb = Verb::Delete { key, grace, uid: None };
                self.ask(AGENT, verb, Token::Unheeded, ctx);
            }
            // The Node is there after all, or nobody can tell: the next pass looks again.
            _ => {}
        }
    }

    /// Declares a Pod failed; when that is written it is deleted at once.
    fn mark_failed(&mut self, pod: &Arc<Object>, why: Option<&'static str>, ctx: &mut Ctx<Event>) {
        let mut changed = Object::clone(pod);
        if let Some(body) = changed.pod_mut().filter(|body| !body.phase.is_terminal()) {
            body.phase = PodPhase::Failed;
            if let Some(why) = why {
                let [kind, reason, message] =
                    ["DisruptionTarget", "DeletionByPodGC", why].map(Text::word);
                let mark = Condition::new(kind, Status::True, reason, message, ctx.wall_clock());
                body.conditions.say(mark);
            }
        }
        let key = pod.key().clone();
        let verb = Verb::Patch { base: pod.clone(), changed: Arc::new(changed) };
        // One Pod after the other.
        let turn = Turn::after_others(Text::word("pods"));
        self.ask_in_turn(AGENT, verb, Token::PodGc(Asked::Mark(key)), turn, ctx);
    }

    /// Pods that terminate on a Node that is not ready and has the out-of-service taint.
    fn pods_out_of_service(&self) -> Vec<Arc<Object>> {
        let caches = &self.clients.local.caches;
        let is_out = |node: &Text| {
            let object = caches.named(Kind::Node, &Text::EMPTY, node);
            object.and_then(|object| object.node()).is_some_and(|node| {
                !node.conditions.is("Ready", Status::True)
                    && node.taints.iter().any(|taint| taint.key == *taint::OUT_OF_SERVICE)
            })
        };
        caches
            .list(Kind::Pod)
            .filter(|object| object.meta.is_deleting())
            .filter(|object| object.pod().is_some_and(|pod| is_out(&pod.node_name)))
            .cloned()
            .collect()
    }

    /// Pods that are being deleted and never ran anywhere.
    fn collect_unscheduled(&mut self, ctx: &mut Ctx<Event>) {
        let caches = &self.clients.local.caches;
        let stuck: Vec<ObjectKey> = caches
            .list(Kind::Pod)
            .filter(|object| object.meta.is_deleting())
            .filter(|object| object.pod().is_some_and(|pod| pod.node_name.is_empty()))
            .map(|object| object.key().clone())
            .collect();
        for key in stuck {
            let grace = Some(Duration::ZERO);
            self.ask(AGENT, Verb::Delete { key, grace, uid: None }, Token::Unheeded, ctx);
        }
    }

    /// Names of Nodes that Pods are bound to and that the cache does not have.
    fn nodes_without_object(&self) -> Vec<Text> {
        let caches = &self.clients.local.caches;
        let mut names: Vec<Text> = caches
            .list(Kind::Pod)
            .filter_map(|object| Some(object.pod()?.node_name.clone()))
            .filter(|node| !node.is_empty())
            .filter(|node| caches.named(Kind::Node, &Text::EMPTY, node).is_none())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The Pods that are bound to a Node, as last heard.
    pub(super) fn pods_on(&self, node: &str) -> Vec<Arc<Object>> {
        let caches = &self.clients.local.caches;
        caches
            .list(Kind::Pod)
            .filter(|object| object.pod().is_some_and(|pod| pod.node_name == *node))
            .cloned()
            .collect()
    }
}
