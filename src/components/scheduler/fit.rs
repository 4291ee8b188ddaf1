//! Which Nodes fit a Pod, and in which words a Pod is told why none does.
//!
//! The words are those of `k/k:pkg/scheduler/framework/types.go` and of the plugins.

use super::Wording;
use crate::api::kinds::{Node, Pod, Taint, TaintEffect, taint};
use crate::api::{Labels, Object};
use crate::engine::Text;
use std::collections::BTreeMap;

/// A Pod that takes up room.
#[derive(Clone, Copy)]
pub struct Occupied<'a> {
    pub object: &'a Object,
    pub pod: &'a Pod,
}

/// Why a Node does not fit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// The Pod is for another Node by its name.
    Elsewhere,
    /// One of its taints: key and value.
    Taint(Text, Text),
    Unschedulable,
    Selector,
    TooManyPods,
    Insufficient(&'static str),
    AntiAffinity,
    /// A Pod there does not want this one beside it.
    UnwantedThere,
}

/// How many Nodes do not fit, by reason.
#[derive(Clone, Debug, Default)]
pub struct Misfits(BTreeMap<Misfit, usize>);

/// The first reason why a Pod does not fit a Node.
pub fn why_not(
    pod: &Pod,
    object: &Object,
    node: &Object,
    body: &Node,
    there: &[Occupied],
) -> Option<Misfit> {
    // Before any other plugin is asked: NodeAffinity's PreFilter leaves one Node to be looked at.
    if !is_for(pod, node) {
        return Some(Misfit::Elsewhere);
    }
    if body.unschedulable && !tolerates_cordon(pod) {
        return Some(Misfit::Unschedulable);
    }
    if let Some(taint) = body.taints.iter().find(|taint| pod.tolerates(taint).is_none()) {
        debug_assert!(matches!(taint.effect, TaintEffect::NoSchedule | TaintEffect::NoExecute));
        return Some(Misfit::Taint(taint.key.clone(), taint.value.clone()));
    }
    if !node.meta.matches(&pod.template.node_selector) {
        return Some(Misfit::Selector);
    }
    lacks_room(pod, body, there).or_else(|| is_repelled(pod, object, there))
}

/// True if a Pod's required affinity by name, if it has one, is to this Node.
fn is_for(pod: &Pod, node: &Object) -> bool {
    pod.required_node.is_empty() || pod.required_node == *node.name()
}

/// True if NodeAffinity has nothing against a Node: it is the one wanted, with the labels wanted.
pub fn is_wanted(pod: &Pod, node: &Object) -> bool {
    is_for(pod, node) && node.meta.matches(&pod.template.node_selector)
}

/// True for a Pod that goes onto cordoned Nodes too.
pub fn tolerates_cordon(pod: &Pod) -> bool {
    pod.tolerates(&Taint::new(taint::UNSCHEDULABLE, TaintEffect::NoSchedule, None)).is_some()
}

/// Why there is no room for a Pod beside others, if there is none.
pub fn lacks_room(pod: &Pod, node: &Node, there: &[Occupied]) -> Option<Misfit> {
    let (room, wants) = (node.allocatable, pod.template.requests);
    if there.len() as u64 + 1 > room.pods {
        return Some(Misfit::TooManyPods);
    }
    let used = |of: fn(&Pod) -> u64| there.iter().map(|other| of(other.pod)).sum::<u64>();
    if used(|pod| pod.template.requests.cpu_millis) + wants.cpu_millis > room.cpu_millis {
        return Some(Misfit::Insufficient("cpu"));
    }
    if used(|pod| pod.template.requests.memory_mib) + wants.memory_mib > room.memory_mib {
        return Some(Misfit::Insufficient("memory"));
    }
    None
}

/// Anti-affinity by hostname, both ways.
fn is_repelled(pod: &Pod, object: &Object, there: &[Occupied]) -> Option<Misfit> {
    let among = |selector: &Labels, labels: &Labels| {
        selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    if let Some(repelled) = &pod.template.anti_affinity
        && there.iter().any(|other| among(repelled, &other.object.meta.labels))
    {
        return Some(Misfit::AntiAffinity);
    }
    let unwanted = there.iter().any(|other| {
        let repelled = other.pod.template.anti_affinity.as_ref();
        repelled.is_some_and(|repelled| among(repelled, &object.meta.labels))
    });
    unwanted.then_some(Misfit::UnwantedThere)
}

impl Misfits {
    /// Counts a Node that does not fit.
    pub fn add(&mut self, why: Misfit) {
        *self.0.entry(why).or_insert(0) += 1;
    }

    /// The reasons, each once.
    pub fn reasons(&self) -> impl Iterator<Item = &Misfit> {
        self.0.keys()
    }

    /// What the Pod's condition and Event say.
    pub fn message(&self, nodes: usize, wording: Wording) -> String {
        let head = format!("0/{nodes} nodes are available: ");
        if nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for (why, count) in &self.0 {
            *reasons.entry(why.words(wording)).or_insert(0) += count;
        }
        let mut reasons: Vec<String> =
            reasons.into_iter().map(|(words, count)| format!("{count} {words}")).collect();
        reasons.sort_unstable();
        let claims = match wording {
            Wording::EachTaint => "preemption:",
            Wording::TaintsTogether => "no new claims to deallocate, preemption:",
        };
        format!("{head}{}. {claims} {head}{}.", reasons.join(", "), self.preemption())
    }

    /// Pods elsewhere could only be preempted where they are what is in the way.
    fn preemption(&self) -> String {
        let (mut helps, mut does_not) = (0, 0);
        for (why, count) in &self.0 {
            *(if why.is_about_pods() { &mut helps } else { &mut does_not }) += count;
        }
        let mut words = Vec::new();
        if helps > 0 {
            words.push(format!("{helps} No preemption victims found for incoming pod"));
        }
        if does_not > 0 {
            words.push(format!("{does_not} Preemption is not helpful for scheduling"));
        }
        words.sort_unstable();
        words.join(", ")
    }
}

impl Misfit {
    fn is_about_pods(&self) -> bool {
        let is_about_node = matches!(
            self,
            Misfit::Elsewhere | Misfit::Taint(..) | Misfit::Unschedulable | Misfit::Selector
        );
        !is_about_node
    }

    fn words(&self, wording: Wording) -> String {
        match (self, wording) {
            // Simplified: those of 1.29 to 1.31; 1.28 does not name Nodes that PreFilter leaves out.
            (Misfit::Elsewhere, Wording::EachTaint) => {
                "node is filtered out by the prefilter result".to_owned()
            }
            (Misfit::Elsewhere, Wording::TaintsTogether) => {
                "node(s) didn't satisfy plugin(s) [NodeAffinity]".to_owned()
            }
            (Misfit::Taint(..), Wording::TaintsTogether) => {
                "node(s) had untolerated taint(s)".to_owned()
            }
            (Misfit::Taint(key, value), Wording::EachTaint) => {
                format!("node(s) had untolerated taint {{{key}: {value}}}")
            }
            (Misfit::Unschedulable, _) => "node(s) were unschedulable".to_owned(),
            (Misfit::Selector, _) => "node(s) didn't match Pod's node affinity/selector".to_owned(),
            (Misfit::TooManyPods, _) => "Too many pods".to_owned(),
            (Misfit::Insufficient(what), _) => format!("Insufficient {what}"),
            (Misfit::AntiAffinity, _) => "node(s) didn't match pod anti-affinity rules".to_owned(),
            (Misfit::UnwantedThere, _) => {
                "node(s) didn't satisfy existing pods anti-affinity rules".to_owned()
            }
        }
    }
}
