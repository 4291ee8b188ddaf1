//! Which waiting Pods a change lets fit, as far as the queue can tell without trying them.
//!
//! Up to 1.31 a Node that comes or changes is checked first: whoever it would not admit goes on waiting,
//! so a new Node whose taint is still there costs nobody a try (`k/k:pkg/scheduler/eventhandlers.go`,
//! `preCheckForNode`). From 1.32 on each plugin that has refused the Pod is asked whether the change makes
//! a difference to it (`QueueingHintFn` of `k/k:pkg/scheduler/framework/plugins`).

use super::fit::{self, Misfit, Misfits, Occupied};
use crate::api::Object;
use crate::api::kinds::{Node, Pod, Taint, TaintEffect};

/// Who is asked whether a waiting Pod may fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// The Node, once.
    Prechecks,
    /// The plugins that have refused the Pod.
    Hints,
}

/// The plugins that have refused a Pod, each on some Node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    taints: bool,
    unschedulable: bool,
    selector: bool,
    room: bool,
    anti_affinity: bool,
}

impl Refusals {
    /// Those behind the reasons why nothing fits.
    pub fn of(misfits: &Misfits) -> Refusals {
        let mut refusals = Refusals::default();
        for misfit in misfits.reasons() {
            *match misfit {
                Misfit::Taint(..) => &mut refusals.taints,
                Misfit::Unschedulable => &mut refusals.unschedulable,
                Misfit::Elsewhere | Misfit::Selector => &mut refusals.selector,
                Misfit::TooManyPods | Misfit::Insufficient(_) => &mut refusals.room,
                Misfit::AntiAffinity | Misfit::UnwantedThere => &mut refusals.anti_affinity,
            } = true;
        }
        refusals
    }

    /// True if room or company was what was lacking: then the end of another Pod may help.
    pub const fn end_of_a_pod_may_help(self) -> bool {
        self.room || self.anti_affinity
    }
}

/// A Node that came or changed.
pub struct NodeChange<'a> {
    /// As it was, if it was.
    pub old: Option<&'a Object>,
    pub new: &'a Object,
    /// The Pods that take up room on it.
    pub there: &'a [Occupied<'a>],
}

impl NodeChange<'_> {
    /// True if the change may let a Pod fit that was refused so.
    pub fn may_help(&self, requeue: Requeue, pod: &Pod, refusals: Refusals) -> bool {
        let Some(new) = self.new.node() else { return false };
        let old = self.old.and_then(|old| Some((old, old.node()?)));
        match requeue {
            Requeue::Prechecks => {
                let matters = |(object, node)| self.matters((object, node), new);
                old.is_none_or(matters) && self.admits(pod, new)
            }
            Requeue::Hints => self.hints(pod, old, new, refusals),
        }
    }

    /// True if something changed that any plugin looks at.
    fn matters(&self, (object, old): (&Object, &Node), new: &Node) -> bool {
        old.taints != new.taints
            || old.unschedulable != new.unschedulable
            || old.allocatable != new.allocatable
            || object.meta.labels != self.new.meta.labels
            || old.conditions.status("Ready") != new.conditions.status("Ready")
    }

    fn admits(&self, pod: &Pod, node: &Node) -> bool {
        let repels = |taint: &Taint| {
            taint.effect == TaintEffect::NoSchedule && pod.tolerates(taint).is_none()
        };
        fit::lacks_room(pod, node, self.there).is_none()
            && fit::is_wanted(pod, self.new)
            && !node.taints.iter().any(repels)
            && (!node.unschedulable || fit::tolerates_cordon(pod))
    }

    fn hints(
        &self,
        pod: &Pod,
        old: Option<(&Object, &Node)>,
        new: &Node,
        refusals: Refusals,
    ) -> bool {
        let repels = |node: &Node| node.taints.iter().any(|taint| pod.tolerates(taint).is_none());
        let matches = |object: &Object| fit::is_wanted(pod, object);
        let is_roomier = |old: &Node| {
            let (before, now) = (old.allocatable, new.allocatable);
            now.pods > before.pods
                || now.cpu_millis > before.cpu_millis
                || now.memory_mib > before.memory_mib
        };
        let was = |test: &dyn Fn(&Object, &Node) -> bool| old.is_none_or(|(o, n)| test(o, n));
        (refusals.taints && was(&|_, node| repels(node)) && !repels(new))
            || (refusals.unschedulable && was(&|_, node| node.unschedulable) && !new.unschedulable)
            || (refusals.selector && was(&|object, _| !matches(object)) && matches(self.new))
            || (refusals.room
                && was(&|_, node| is_roomier(node))
                && fit::lacks_room(pod, new, &[]).is_none())
            || (refusals.anti_affinity && old.is_none() && pod.template.anti_affinity.is_some())
    }
}
