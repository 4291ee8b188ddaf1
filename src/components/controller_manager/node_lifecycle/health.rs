//! Health: whether a Node is still heard of, and the write that says that it is not.
//!
//! The write is a full update of the status as it was read: whoever reported meanwhile is not
//! overwritten. After a refusal the Node is read from the API server and judged anew, so a manager
//! that slept leaves Nodes in peace whose heartbeats it has not heard yet. Follows
//! `tryUpdateNodeHealth` and the poll around it in `monitorNodeHealth`.

use super::super::{ControllerManager, Event, Token};
use super::{AGENT, Judged, NODE_LEASES, zones};
use crate::api::kinds::{Condition, Node, Status};
use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Verb};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::Ctx;
use crate::timeline::Cause;
use std::sync::Arc;

/// The write of a Node's health.
#[derive(Clone, Debug)]
pub struct Writing {
    tries: u32,
    /// The Node as it was judged.
    object: Arc<Object>,
}

impl ControllerManager {
    /// Notes new heartbeats; without one for the grace period, the Node becomes Unknown.
    pub(super) fn judge(
        &mut self,
        object: &Arc<Object>,
        node: &Node,
        ctx: &mut Ctx<Event>,
    ) -> Judged {
        let now = ctx.now();
        let name = object.name();
        let observed = node.conditions.status("Ready").unwrap_or(Status::Unknown);
        let (heartbeat, renewed) = (heartbeat_of(node), self.renewal_of(name));
        let Some(health) = self.node_lifecycle.known.get_mut(name) else {
            return Judged { observed, current: observed };
        };
        let has_ready = node.conditions.get("Ready").is_some();
        if heartbeat != health.heartbeat
            || renewed > health.renewed
            || has_ready != health.had_ready
        {
            health.probed = now;
            health.heartbeat = heartbeat;
            health.renewed = renewed;
            health.had_ready = has_ready;
        }
        let grace = match has_ready {
            true => self.settings.grace_period,
            false => self.settings.startup_grace_period,
        };
        if now <= health.probed + grace {
            return Judged { observed, current: observed };
        }
        if !has_ready || observed != Status::Unknown {
            let probed = health.probed;
            self.blame_silence(name, (has_ready, probed, grace), ctx);
            self.write_health(object, ctx);
            ctx.because(Cause::NONE);
        }
        Judged { observed, current: Status::Unknown }
    }

    /// For the record: what follows was led to by the end of whoever wrote the heartbeats.
    fn blame_silence(
        &self,
        node: &Text,
        (has_ready, probed, grace): (bool, SimTime, Duration),
        ctx: &mut Ctx<Event>,
    ) {
        let rule = match has_ready {
            true => "kubernetes.nodeMonitorGracePeriod",
            false => "kubernetes.nodeStartupGracePeriod",
        };
        let lease = self.clients.local.caches.named(Kind::Lease, &NODE_LEASES, node);
        if let Some(lease) = lease {
            ctx.because_silent(lease.meta.writer, rule, probed, grace);
        }
    }

    /// Writes that nothing is known of the Node any more, if it still is as it was judged.
    fn write_health(&mut self, object: &Arc<Object>, ctx: &mut Ctx<Event>) {
        let writing = Writing { tries: 0, object: object.clone() };
        let writing = self.node_lifecycle.writing.entry(object.name().clone()).or_insert(writing);
        writing.object = object.clone();
        let mut changed = Object::clone(object);
        let Some(node) = changed.node_mut() else { return };
        let now = ctx.wall_clock();
        for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
            make_unknown(node, kind, object.meta.created, now);
        }
        let token = Token::Health(object.name().clone());
        self.ask(AGENT, Verb::Update(Arc::new(changed)), token, ctx);
    }

    pub(in super::super) fn health_written(
        &mut self,
        name: &Text,
        answered: &Answered,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(writing) = self.node_lifecycle.writing.get_mut(name) else { return };
        writing.tries += 1;
        if answered.is_err() {
            let key = ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: name.clone() };
            return self.ask(AGENT, Verb::Get(key), Token::HealthRead(name.clone()), ctx);
        }
        let was_ready = is_ready(&writing.object);
        if let Some(writing) = self.node_lifecycle.writing.remove(name) {
            self.count(&writing.object, Status::Unknown);
        }
        self.node_became_unknown(name, was_ready, ctx);
        self.end_of_looks(ctx);
    }

    /// After a refusal: the Node as it is, to be judged in a moment. Without it, or after too many
    /// tries, it is left to the next pass, and does not count in its zone until then.
    pub(in super::super) fn health_read(
        &mut self,
        name: &Text,
        answered: Answered,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(writing) = self.node_lifecycle.writing.get_mut(name) else { return };
        match answered {
            Ok(Answer::Object(live)) if writing.tries < self.settings.write_retries => {
                writing.object = live;
                let pause = self.settings.write_retry_pause;
                let event = Event::RetryHealth(name.clone());
                ctx.after("kubernetes.nodeWriteRetryPause", pause, event);
            }
            _ => {
                self.node_lifecycle.writing.remove(name);
                ctx.log("Update health of Node from Controller error, Skipping - no pods will be evicted");
                self.end_of_looks(ctx);
            }
        }
    }

    /// Judges a Node again whose health could not be written.
    pub(in super::super) fn judge_again(&mut self, name: &Text, ctx: &mut Ctx<Event>) {
        let Some(Writing { tries, object }) = self.node_lifecycle.writing.remove(name) else {
            return;
        };
        let Some(node) = object.node() else { return };
        let judged = self.judge(&object, node, ctx);
        if let Some(writing) = self.node_lifecycle.writing.get_mut(name) {
            writing.tries = tries;
            return;
        }
        self.count(&object, judged.current);
        let zone = zones::zone_of(&object.meta.labels);
        self.queue_or_release(&object, &zone, judged, ctx);
        self.end_of_looks(ctx);
    }
}

fn is_ready(object: &Object) -> bool {
    object.node().is_some_and(|node| node.conditions.is("Ready", Status::True))
}

/// When the kubelet last reported.
pub(super) fn heartbeat_of(node: &Node) -> SimTime {
    node.conditions.get("Ready").map_or(SimTime::ZERO, |ready| ready.last_heartbeat)
}

fn make_unknown(node: &mut Node, kind: &'static str, created: SimTime, now: SimTime) {
    let before = node.conditions.get(kind).cloned();
    if before.as_ref().is_some_and(|before| before.status == Status::Unknown) {
        return;
    }
    let (reason, message) = match before {
        Some(_) => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
        None => ("NodeStatusNeverUpdated", "Kubelet never posted node status."),
    };
    let mut condition = Condition::new(
        Text::word(kind),
        Status::Unknown,
        Text::word(reason),
        Text::word(message),
        now,
    );
    condition.last_heartbeat = before.map_or(created, |before| before.last_heartbeat);
    node.conditions.set(condition);
}
