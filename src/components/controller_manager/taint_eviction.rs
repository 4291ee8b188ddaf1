//! Taint eviction: deletes Pods that do not tolerate a `NoExecute` taint, or not for ever.
//!
//! A Pod's time counts from when this controller saw the taint, not from `timeAdded`, and is gone
//! with the process. Budgets are not asked. Follows `k/k:pkg/controller/tainteviction`.

use super::{ControllerManager, Event, Token};
use crate::api::kinds::{Condition, EventType, Node, Pod, Status, Taint, TaintEffect};
use crate::api::{Answered, Kind, Object, ObjectKey, Reason, Verb};
use crate::client::{Delta, Turn};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::Ctx;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const AGENT: &str = "taint-eviction-controller";

/// Timers of Pods on tainted Nodes.
#[derive(Clone, Debug, Default)]
pub struct TaintEviction {
    timers: BTreeMap<ObjectKey, Timer>,
    generations: u32,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    /// When the first taint that set it was seen: swapping taints extends nothing.
    created: SimTime,
    fires: SimTime,
    generation: u32,
    tries: u32,
    /// Fired: requests are under way.
    fired: bool,
}

/// What it asked the server about a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Mark,
    Delete,
}

impl ControllerManager {
    /// A Node changed: its Pods are looked at if its `NoExecute` taints did. That it is gone stops no
    /// timer: a Pod's time runs on until the Pod is gone too, or a Node of that name comes without taints.
    pub(super) fn taints_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        if delta.new.is_none() {
            return;
        }
        let taints = |object: &Option<Arc<Object>>| no_execute(object.as_deref());
        let (before, after) = (taints(&delta.old), taints(&delta.new));
        let same = before.len() == after.len()
            && before.iter().zip(&after).all(|(a, b)| a.is(&b.key, b.effect));
        if same && delta.old.is_some() {
            return;
        }
        for pod in self.pods_on(delta.name()) {
            self.consider(&pod, &after, ctx);
        }
    }

    /// A Pod came, went or was bound.
    pub(super) fn evictable_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let Some(pod) = &delta.new else {
            return self.cancel(delta.key(), ctx);
        };
        let node_of = |object: &Object| object.pod().map(|pod| pod.node_name.clone());
        if delta.old.as_ref().is_some_and(|old| node_of(old) == node_of(pod)) {
            return;
        }
        let node = node_of(pod).unwrap_or_default();
        let node = self.clients.local.caches.named(Kind::Node, &Text::EMPTY, &node);
        let taints = no_execute(node.map(|node| &**node));
        if !taints.is_empty() {
            self.consider(&pod.clone(), &taints, ctx);
        }
    }

    /// Sets, keeps or cancels the Pod's timer.
    fn consider(&mut self, object: &Arc<Object>, taints: &[Taint], ctx: &mut Ctx<Event>) {
        let key = object.key();
        let Some(pod) = object.pod() else { return };
        let now = ctx.now();
        match tolerated_for(pod, taints) {
            Tolerated::ForEver => self.cancel(key, ctx),
            Tolerated::Not => {
                // A timer that still runs is cut short, and that is said.
                self.cancel(key, ctx);
                self.set(key, now, Duration::ZERO, ctx);
            }
            Tolerated::For(length) => {
                let timer = self.taint_eviction.timers.get(key);
                if timer.is_some_and(|timer| {
                    timer.created + length < now + length && timer.fires >= now
                }) {
                    return;
                }
                self.set(key, now, length, ctx);
            }
        }
    }

    fn set(&mut self, key: &ObjectKey, now: SimTime, length: Duration, ctx: &mut Ctx<Event>) {
        self.taint_eviction.generations += 1;
        let generation = self.taint_eviction.generations;
        let fires = now + length;
        let timer = Timer { created: now, fires, generation, tries: 0, fired: false };
        self.taint_eviction.timers.insert(key.clone(), timer);
        ctx.after(
            "kubernetes.defaultTolerationSeconds",
            length,
            Event::Evict(key.clone(), generation),
        );
    }

    fn cancel(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        if self.taint_eviction.timers.remove(key).is_some_and(|timer| !timer.fired) {
            let message = format!("Cancelling deletion of Pod {}/{}", key.namespace, key.name);
            self.say(key, message, ctx);
        }
    }

    /// A Pod's time is over.
    pub(super) fn evict(&mut self, key: &ObjectKey, generation: u32, ctx: &mut Ctx<Event>) {
        let Some(timer) = self.taint_eviction.timers.get_mut(key) else { return };
        if timer.generation != generation {
            return;
        }
        // It is said once, whatever comes of it (`deletePodHandler`).
        if !std::mem::replace(&mut timer.fired, true) {
            let message = format!("Marking for deletion Pod {}/{}", key.namespace, key.name);
            self.say(key, message, ctx);
        }
        self.mark(key, ctx);
    }

    fn mark(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(pod) = self.clients.local.caches.get(key).cloned() else { return };
        let mut changed = Object::clone(&pod);
        if let Some(body) = changed.pod_mut() {
            body.conditions.say(Condition::new(
                Text::word("DisruptionTarget"),
                Status::True,
                Text::word("DeletionByTaintManager"),
                Text::word("Taint manager: deleting due to NoExecute taint"),
                ctx.wall_clock(),
            ));
        }
        let verb = Verb::Patch { base: pod, changed: Arc::new(changed) };
        let token = Token::Eviction(key.clone(), Asked::Mark);
        // Simplified: `addConditionAndDeletePod` reads the Pod first; only the limit hears of that.
        self.ask_in_turn(AGENT, verb, token, Turn::FREE.with_read(), ctx);
    }

    pub(super) fn eviction_answered(
        &mut self,
        key: &ObjectKey,
        asked: Asked,
        answered: &Answered,
        ctx: &mut Ctx<Event>,
    ) {
        match (asked, answered) {
            (Asked::Mark, Ok(_)) => {
                let verb = Verb::Delete { key: key.clone(), grace: None, uid: None };
                self.ask(AGENT, verb, Token::Eviction(key.clone(), Asked::Delete), ctx);
            }
            (Asked::Delete, Ok(_)) => {}
            (_, Err(error)) if error.reason == Reason::NotFound => {}
            (_, Err(_)) => {
                let Some(timer) = self.taint_eviction.timers.get_mut(key) else { return };
                timer.tries += 1;
                if timer.tries < self.settings.evict_tries {
                    let generation = timer.generation;
                    let pause = self.settings.evict_pause;
                    let again = Event::Evict(key.clone(), generation);
                    ctx.after("kubernetes.taintEvictionRetryPause", pause, again);
                }
            }
        }
    }

    fn say(&mut self, pod: &ObjectKey, message: String, ctx: &mut Ctx<Event>) {
        let client = &mut self.clients.local;
        let reason = "TaintManagerEviction";
        client.record(ctx, AGENT, EventType::Normal, pod, reason, message.into());
    }
}

/// For how long a Pod may stay.
enum Tolerated {
    ForEver,
    For(Duration),
    Not,
}

fn tolerated_for(pod: &Pod, taints: &[Taint]) -> Tolerated {
    let mut least = None;
    for taint in taints {
        match pod.tolerates(taint) {
            None => return Tolerated::Not,
            Some(toleration) => {
                if let Some(length) = toleration.seconds {
                    least = Some(least.map_or(length, |least: Duration| least.min(length)));
                }
            }
        }
    }
    least.map_or(Tolerated::ForEver, Tolerated::For)
}

fn no_execute(object: Option<&Object>) -> Vec<Taint> {
    let taints = object.and_then(Object::node).map_or(&[][..], |node: &Node| &node.taints);
    taints.iter().filter(|taint| taint.effect == TaintEffect::NoExecute).cloned().collect()
}
