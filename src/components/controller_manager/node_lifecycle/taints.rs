//! Which taints a Node is to have, and the pass that adds `NoExecute` through the limiter.

use super::super::{ControllerManager, Event, NoExecute, TAINT_PASS, Token};
use super::{AGENT, Judged};
use crate::api::kinds::{Node, Status, Taint, TaintEffect, taint};
use crate::api::{Kind, Object, Verb};
use crate::client::Turn;
use crate::engine::Text;
use crate::infra::{Ctx, Written};
use std::sync::Arc;

/// The `NoSchedule` taints that follow from conditions (`nodeConditionToTaintKeyStatusMap`); that of
/// the cordon comes with them.
const OF_CONDITIONS: [(&str, &str, Status); 6] = [
    (taint::NOT_READY, "Ready", Status::False),
    (taint::UNREACHABLE, "Ready", Status::Unknown),
    (taint::DISK_PRESSURE, "DiskPressure", Status::True),
    (taint::MEMORY_PRESSURE, "MemoryPressure", Status::True),
    (taint::PID_PRESSURE, "PIDPressure", Status::True),
    (taint::NETWORK_UNAVAILABLE, "NetworkUnavailable", Status::True),
];

impl ControllerManager {
    /// Makes the `NoSchedule` taints what the Node's conditions and cordon say, of each Node in one
    /// request at a time: what changes meanwhile is looked at behind it.
    pub(super) fn sync_no_schedule(&mut self, object: &Arc<Object>, ctx: &mut Ctx<Event>) {
        let Some(node) = object.node() else { return };
        if let Some(again) = self.node_lifecycle.scheduling.get_mut(object.name()) {
            *again = true;
            return;
        }
        let effect = TaintEffect::NoSchedule;
        let of_conditions =
            OF_CONDITIONS.map(|(key, kind, at)| (key, node.conditions.is(kind, at)));
        let managed =
            || of_conditions.into_iter().chain([(taint::UNSCHEDULABLE, node.unschedulable)]);
        if managed().all(|(key, wanted)| node.has_taint(key, effect) == wanted) {
            return;
        }
        let managed: Vec<(&'static str, bool)> = managed().collect();
        let token = Token::NoSchedule(object.name().clone());
        let is_asked = self.change_taints(object, token, ctx, |node, now| {
            for (key, wanted) in managed {
                match wanted {
                    false => node.taints.retain(|taint| !taint.is(key, effect)),
                    true if node.has_taint(key, effect) => {}
                    true => node.taints.push(Taint::new(key, effect, Some(now))),
                }
            }
        });
        if is_asked {
            self.node_lifecycle.scheduling.insert(object.name().clone(), false);
        }
    }

    /// A Node's `NoSchedule` taints were changed, or could not be.
    pub(in super::super) fn no_schedule_changed(&mut self, node: &Text, ctx: &mut Ctx<Event>) {
        let again = self.node_lifecycle.scheduling.remove(node);
        let caches = &self.clients.local.caches;
        if again == Some(true)
            && let Some(object) = caches.named(Kind::Node, &Text::EMPTY, node).cloned()
        {
            self.sync_no_schedule(&object, ctx);
        }
    }

    /// After the verdict: a Node that is not ready waits for its taint, a ready one loses it.
    pub(super) fn queue_or_release(
        &mut self,
        object: &Arc<Object>,
        zone: &Text,
        judged: Judged,
        ctx: &mut Ctx<Event>,
    ) {
        let before = ctx.cause();
        ctx.saw(self.clients.local.caches.heard_of(object.key()).unwrap_or_default());
        self.queue_or_release_seen(object, zone, judged, ctx);
        ctx.back_to(before);
    }

    fn queue_or_release_seen(
        &mut self,
        object: &Arc<Object>,
        zone: &Text,
        judged: Judged,
        ctx: &mut Ctx<Event>,
    ) {
        let Some(node) = object.node() else { return };
        let name = object.name();
        // Up to 1.33 the condition from before this pass's own verdict decides.
        let status = match self.settings.no_execute {
            NoExecute::SamePass => judged.current,
            NoExecute::NextPass => judged.observed,
        };
        if status == Status::True {
            if judged.current == Status::True {
                self.node_lifecycle.zones.release(name);
                name_what_made_it_ready(object, node, ctx);
                self.remove_no_execute_in_pass(object, ctx);
                return;
            }
            return self.node_lifecycle.zones.place(name, zone);
        }
        self.node_lifecycle.zones.place(name, zone);
        if self.node_lifecycle.writing.contains_key(name) {
            return; // Its status is being written; queued when that has succeeded.
        }
        let (mine, other) = keys(status);
        if node.has_taint(other, TaintEffect::NoExecute) {
            // Swapped at once: no rate limit.
            self.node_lifecycle.asked += 1;
            return self.swap(object, (mine, other), Token::PassTaint, ctx);
        }
        // The taint may be that of the leader before, and just be taken off.
        self.queue_for_taint(name, node.has_taint(mine, TaintEffect::NoExecute), ctx);
    }

    /// Adds `NoExecute` to the Nodes that the limiters let through.
    pub(in super::super) fn taint_pass(&mut self, ctx: &mut Ctx<Event>) {
        while let Some((name, cause)) = self.node_lifecycle.zones.next(ctx.now()) {
            let caches = &self.clients.local.caches;
            let Some(object) = caches.named(Kind::Node, &Text::EMPTY, &name).cloned() else {
                continue;
            };
            let Some(status) = object.node().and_then(|node| node.conditions.status("Ready"))
            else {
                continue;
            };
            if status == Status::True {
                continue;
            }
            ctx.turn_of(cause.or(ctx.cause()), None);
            self.swap(&object, keys(status), Token::Unheeded, ctx);
        }
        if !self.node_lifecycle.zones.have_waiting() {
            ctx.sleep(TAINT_PASS);
        }
    }

    /// Queues a Node for its taint.
    pub(super) fn queue_for_taint(&mut self, node: &Text, tainted: bool, ctx: &mut Ctx<Event>) {
        let zones = &mut self.node_lifecycle.zones;
        zones.queue(node, tainted, ctx.cause());
        if zones.have_waiting() {
            ctx.wake(TAINT_PASS);
        }
    }

    /// Gives a Node its taint and takes the other one off.
    ///
    /// Whether it has the taint is for the API server to say: the cache may still show the one that
    /// this controller has just taken off. Simplified: the real one reads the Node first
    /// (`AddOrUpdateTaintOnNode`), and dates a taint anew that is there already.
    fn swap(
        &mut self,
        object: &Arc<Object>,
        (mine, other): (&'static str, &'static str),
        token: Token,
        ctx: &mut Ctx<Event>,
    ) {
        let effect = TaintEffect::NoExecute;
        let mut without = Object::clone(object);
        if let Some(node) = without.node_mut() {
            node.taints.retain(|taint| !taint.is(mine, effect));
        }
        self.change_taints(&Arc::new(without), token, ctx, |node, now| {
            node.taints.retain(|taint| !taint.is(other, effect));
            node.taints.push(Taint::new(mine, effect, Some(now)));
        });
    }

    /// Takes them off, and lets the pass wait for it.
    pub(super) fn remove_no_execute_in_pass(&mut self, object: &Arc<Object>, ctx: &mut Ctx<Event>) {
        if self.remove_no_execute(object, Token::PassTaint, ctx) {
            self.node_lifecycle.asked += 1;
        }
    }

    /// True if it had any to take off.
    pub(super) fn remove_no_execute(
        &mut self,
        object: &Arc<Object>,
        token: Token,
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let effect = TaintEffect::NoExecute;
        self.change_taints(object, token, ctx, |node, _| {
            node.taints.retain(|taint| {
                !taint.is(taint::NOT_READY, effect) && !taint.is(taint::UNREACHABLE, effect)
            });
        })
    }

    /// True if that changes something, as far as is known.
    fn change_taints(
        &mut self,
        object: &Arc<Object>,
        token: Token,
        ctx: &mut Ctx<Event>,
        change: impl FnOnce(&mut Node, crate::engine::SimTime),
    ) -> bool {
        let mut changed = Object::clone(object);
        let Some(node) = changed.node_mut() else { return false };
        change(node, ctx.wall_clock());
        if changed == **object {
            return false;
        }
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        // Simplified: the real one reads the Node first; only the limit hears of that.
        self.ask_in_turn(AGENT, verb, token, Turn::FREE.with_read(), ctx);
        true
    }
}

/// A Node that has a `NoExecute` taint is ready: that is what led to the end of the taint.
fn name_what_made_it_ready(object: &Object, node: &Node, ctx: &mut Ctx<Event>) {
    let effect = TaintEffect::NoExecute;
    let tainted =
        [taint::NOT_READY, taint::UNREACHABLE].iter().any(|it| node.has_taint(it, effect));
    if let Some(ready) = node.conditions.get("Ready").filter(|_| tainted) {
        let (field, at) = (ready.kind.clone(), ready.last_transition);
        ctx.because_written(Written { object: object.key().clone(), field, at });
    }
}

/// The taint for a status, and the one that it replaces.
fn keys(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Unknown => (taint::UNREACHABLE, taint::NOT_READY),
        _ => (taint::NOT_READY, taint::UNREACHABLE),
    }
}
