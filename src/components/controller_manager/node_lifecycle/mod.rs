//! Node lifecycle: judges Nodes by their heartbeats, and taints those that are not ready.
//!
//! It compares nothing with its own clock but the time at which it last saw a heartbeat change; so
//! a new leader grants every Node a new grace period. Follows
//! `k/k:pkg/controller/nodelifecycle/node_lifecycle_controller.go`.
//!
//! ```text
//! monitor pass, every 5 s    seen for the first time ─> NoExecute taken off, before any is looked at
//!                            heartbeat seen? ── no, for the grace period ─> status Unknown (`health`)
//!                            not ready ─> queue of its zone        ready ─> taint and queue off
//! taint pass, every 100 ms   queue ── limiter ─> NoExecute taint
//! Node event                 conditions, cordon ─> NoSchedule taints
//! ```

mod health;
mod taints;
mod zones;

use super::{ControllerManager, Event, MONITOR, TAINT_PASS, Token};
use crate::api::kinds::{Condition, EventType, Node, Status, TaintEffect, taint};
use crate::api::{Answered, Kind, Object, ObjectKey, Reason, Verb};
use crate::client::{Delta, Turn};
use crate::engine::{Activity, Path, Phase, Purpose, Rhythm, SimTime, Text, index_below};
use crate::infra::{Ctx, Start};
use health::{Writing, heartbeat_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use zones::Zones;

pub const AGENT: &str = "node-lifecycle";
/// The source of this controller's Events.
pub const EVENT_SOURCE: &str = "node-controller";
const PASS_TIME: Purpose = Purpose(0);
const FIRST_NODE: Purpose = Purpose(1);

/// When a Node that turned Unknown is queued for its `NoExecute` taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExecute {
    SamePass,
    NextPass,
}

/// What the controller has in its memory.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle {
    known: BTreeMap<Text, Health>,
    zones: Zones,
    /// The run begins in the middle: Nodes on the first pass are no news.
    steady: bool,
    /// Writes of health that are under way.
    writing: BTreeMap<Text, Writing>,
    /// Nodes that are seen for the first time and whose taints are being taken off: the pass goes on
    /// once all are answered.
    freeing: BTreeSet<Text>,
    /// What that pass looks at then: the Nodes as it listed them.
    listed: Vec<Arc<Object>>,
    /// What the pass has found so far; its zones are judged when the last write has ended.
    counts: Option<zones::Counts>,
    /// Nodes of whose Pods not all could be marked: the next pass tries again.
    to_retry: BTreeSet<Text>,
    /// Marks of Pods, and taints that the pass itself changes, that are not answered yet.
    asked: usize,
    /// Nodes whose `NoSchedule` taints are being changed, and whether they have to be looked at again then.
    scheduling: BTreeMap<Text, bool>,
    /// The pass has gone on until its requests are no longer held back.
    pass_waits: bool,
    removed: BTreeSet<Text>,
}

/// What is remembered of one Node.
#[derive(Clone, Debug)]
struct Health {
    /// When a heartbeat was last seen to change, on this process's clock.
    probed: SimTime,
    heartbeat: SimTime,
    renewed: SimTime,
    had_ready: bool,
}

/// What a pass found a Node to be, before and after its own verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Judged {
    observed: Status,
    current: Status,
}

impl NodeLifecycle {
    /// Forgets everything.
    pub fn begin(&mut self, start: Start) {
        *self = NodeLifecycle { steady: start == Start::Steady, ..NodeLifecycle::default() };
    }

    /// The pass has something to wait for.
    fn is_under_way(&self) -> bool {
        !self.writing.is_empty() || !self.freeing.is_empty() || self.asked > 0
    }
}

impl ControllerManager {
    pub(super) fn start_node_lifecycle(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::Now,
        };
        let monitor = Activity {
            rule: "kubernetes.nodeMonitorPeriod",
            period: self.settings.monitor_period,
            jitter_percent: 0,
            rhythm: Rhythm::AfterEnd,
            path: Path::Server,
        };
        let taint_pass = Activity {
            rule: "kubernetes.noExecuteTaintPassPeriod",
            period: self.settings.taint_pass_period,
            rhythm: Rhythm::Ticker,
            path: Path::Own,
            ..monitor
        };
        ctx.every(MONITOR, monitor, phase);
        ctx.every(TAINT_PASS, taint_pass, phase);
    }

    /// Looks at every Node once.
    pub(super) fn monitor_pass(&mut self, ctx: &mut Ctx<Event>) {
        let run_time = ctx.draw_delay(PASS_TIME, self.settings.monitor_pass);
        ctx.after("kubernetes.nodeMonitorPass", run_time, Event::PassEnded);
        // A pass ends with its last write; until then there is no other.
        if self.node_lifecycle.is_under_way() || !self.clients.local.caches.are_synced() {
            return;
        }
        self.forget_removed(ctx);
        let mut nodes: Vec<Arc<Object>> =
            self.clients.local.caches.list(Kind::Node).cloned().collect();
        // The real one ranges over a map, which begins anywhere: who is first is chance.
        let first = index_below(nodes.len() as u64, ctx.draw(FIRST_NODE));
        nodes.rotate_left(usize::try_from(first).expect("an index of a list"));
        for object in &nodes {
            let Some(node) = object.node() else { continue };
            self.welcome(object, node, ctx);
        }
        self.node_lifecycle.steady = false;
        self.node_lifecycle.listed = nodes;
        if self.node_lifecycle.freeing.is_empty() {
            self.look_at_listed(ctx);
        }
    }

    /// A pass has run for its time. While the client's limit holds it back it goes on, and what is
    /// to be done in the next one comes later by that.
    pub(super) fn pass_ended(&mut self, ctx: &mut Ctx<Event>) {
        let is_held = self.clients.local.api.holds_back(AGENT);
        self.node_lifecycle.pass_waits = is_held && self.node_lifecycle.is_under_way();
        if !self.node_lifecycle.pass_waits {
            ctx.rest(MONITOR);
        }
    }

    /// Ends a pass that has gone on beyond its time, if that was its last request.
    fn end_late_pass(&mut self, ctx: &mut Ctx<Event>) {
        if !self.node_lifecycle.is_under_way()
            && std::mem::take(&mut self.node_lifecycle.pass_waits)
        {
            ctx.rest(MONITOR);
        }
    }

    /// A Node that was seen for the first time is free of its taints, or could not be freed: the pass
    /// goes on with the last of them.
    pub(super) fn freed(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        if self.node_lifecycle.freeing.remove(name) && self.node_lifecycle.freeing.is_empty() {
            self.look_at_listed(ctx);
        }
    }

    /// Judges the Nodes of the pass, as they were listed.
    fn look_at_listed(&mut self, ctx: &mut Ctx<Event>) {
        self.node_lifecycle.counts = Some(zones::Counts::default());
        for object in &std::mem::take(&mut self.node_lifecycle.listed) {
            let Some(node) = object.node() else { continue };
            let zone = zones::zone_of(&object.meta.labels);
            // A Node that is known may have got another zone's label.
            self.node_lifecycle.zones.add(&zone, &self.settings);
            let judged = self.judge(object, node, ctx);
            if !self.node_lifecycle.writing.contains_key(object.name()) {
                self.count(object, judged.current);
            }
            self.queue_or_release(object, &zone, judged, ctx);
            self.mark_again(object.name(), judged.observed, ctx);
        }
        self.end_of_looks(ctx);
    }

    /// Counts a Node in its zone, with what it is now.
    fn count(&mut self, object: &Object, current: Status) {
        if let Some(counts) = &mut self.node_lifecycle.counts
            && !zones::is_excluded(&object.meta.labels)
        {
            counts.add(&zones::zone_of(&object.meta.labels), current == Status::True);
        }
    }

    /// All Nodes of a pass are looked at once no write is under way any more: zones are judged.
    fn end_of_looks(&mut self, ctx: &mut Ctx<Event>) {
        if self.node_lifecycle.writing.is_empty()
            && let Some(counts) = self.node_lifecycle.counts.take()
        {
            self.disrupt(&counts, ctx);
        }
        self.end_late_pass(ctx);
    }

    /// A Node that is seen for the first time.
    fn welcome(&mut self, object: &Arc<Object>, node: &Node, ctx: &mut Ctx<Event>) {
        let name = object.name();
        if self.node_lifecycle.known.contains_key(name) {
            return;
        }
        // A Node that never reported is judged from its creation.
        let had_ready = node.conditions.get("Ready").is_some();
        let created_for = ctx.wall_clock().since(object.meta.created);
        let created = SimTime::ZERO + ctx.now().since(SimTime::ZERO + created_for);
        let probed = if had_ready { ctx.now() } else { created };
        let health = Health {
            probed,
            heartbeat: heartbeat_of(node),
            renewed: self.renewal_of(name),
            had_ready,
        };
        self.node_lifecycle.known.insert(name.clone(), health);
        if !self.node_lifecycle.steady {
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            self.say_of_node(object.key(), "RegisteredNode", message, ctx);
            if self.remove_no_execute(object, Token::Freed(name.clone()), ctx) {
                self.node_lifecycle.freeing.insert(name.clone());
            }
        }
    }

    fn forget_removed(&mut self, ctx: &mut Ctx<Event>) {
        let removed = std::mem::take(&mut self.node_lifecycle.removed);
        for name in removed {
            if self.clients.local.caches.named(Kind::Node, &Text::EMPTY, &name).is_some() {
                continue;
            }
            if self.node_lifecycle.known.remove(&name).is_some() {
                self.node_lifecycle.zones.release(&name);
                self.node_lifecycle.writing.remove(&name);
                self.node_lifecycle.to_retry.remove(&name);
                let message = format!("Node {name} event: Removing Node {name} from Controller");
                let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name };
                self.say_of_node(&key, "RemovingNode", message, ctx);
            }
        }
    }

    /// In the pass that turned the Node. Of one that was ready its Pods stop being endpoints, long before
    /// eviction; one that was not has been through that.
    fn node_became_unknown(&mut self, name: &Text, was_ready: bool, ctx: &mut Ctx<Event>) {
        let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: name.clone() };
        if was_ready {
            let message = format!("Node {name} status is now: NodeNotReady");
            self.say_of_node(&key, "NodeNotReady", message, ctx);
            self.mark_pods_not_ready(name, ctx);
        }
        self.node_lifecycle.zones.note_cause(name, ctx.cause());
        if self.settings.no_execute == NoExecute::SamePass {
            let node = self.clients.local.caches.get(&key).and_then(|object| object.node());
            let tainted = |node: &Node| node.has_taint(taint::UNREACHABLE, TaintEffect::NoExecute);
            self.queue_for_taint(name, node.is_some_and(tainted), ctx);
        }
    }

    /// Marks those that could not be marked before, while the Node is still not ready.
    fn mark_again(&mut self, name: &Text, observed: Status, ctx: &mut Ctx<Event>) {
        if self.node_lifecycle.to_retry.remove(name) && observed != Status::True {
            self.mark_pods_not_ready(name, ctx);
        }
    }

    fn mark_pods_not_ready(&mut self, node: &Text, ctx: &mut Ctx<Event>) {
        for pod in self.pods_on(node) {
            if pod.pod().is_some_and(|body| body.is_ready()) {
                self.mark_not_ready(node, &pod, ctx);
            }
        }
    }

    fn mark_not_ready(&mut self, node: &Text, pod: &Arc<Object>, ctx: &mut Ctx<Event>) {
        let mut changed = Object::clone(pod);
        if let Some(body) = changed.pod_mut() {
            body.conditions.say(Condition::new("Ready", Status::False, "", "", ctx.wall_clock()));
        }
        // A full update of the status: on a stale Pod it is refused, and the next pass tries again.
        let verb = Verb::Update(Arc::new(changed));
        self.node_lifecycle.asked += 1;
        // Of each Node one Pod after the other (`MarkPodsNotReady`). Simplified: all Nodes at the same time,
        // where the real ones are eight; and where it waits, the condition is dated as of now all the same.
        let turn = Turn::after_others(node.clone());
        self.ask_in_turn(AGENT, verb, Token::PodMark(node.clone()), turn, ctx);
        let message = Text::word("Node is not ready");
        let client = &mut self.clients.local;
        client.record(ctx, EVENT_SOURCE, EventType::Warning, pod.key(), "NodeNotReady", message);
    }

    pub(super) fn pod_marked(&mut self, node: Text, answered: &Answered, ctx: &mut Ctx<Event>) {
        if answered.as_ref().is_err_and(|error| error.reason != Reason::NotFound) {
            self.node_lifecycle.to_retry.insert(node);
        }
        self.pass_answered(ctx);
    }

    /// One of the requests for whose answers a pass waits has ended.
    pub(super) fn pass_answered(&mut self, ctx: &mut Ctx<Event>) {
        self.node_lifecycle.asked = self.node_lifecycle.asked.saturating_sub(1);
        self.end_late_pass(ctx);
    }

    /// A Node came, changed or went.
    pub(super) fn node_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        match &delta.new {
            Some(node) => self.sync_no_schedule(&node.clone(), ctx),
            None => drop(self.node_lifecycle.removed.insert(delta.name().clone())),
        }
    }

    fn renewal_of(&self, node: &Text) -> SimTime {
        let caches = &self.clients.local.caches;
        let lease = caches.named(Kind::Lease, &NODE_LEASES, node);
        lease.and_then(|object| object.lease()).map_or(SimTime::ZERO, |lease| lease.renewed)
    }

    fn say_of_node(
        &mut self,
        node: &ObjectKey,
        reason: &'static str,
        message: String,
        ctx: &mut Ctx<Event>,
    ) {
        let client = &mut self.clients.local;
        client.record(ctx, EVENT_SOURCE, EventType::Normal, node, reason, message.into());
    }
}

/// The namespace of all Nodes' Leases.
const NODE_LEASES: Text = Text::word("kube-node-lease");
