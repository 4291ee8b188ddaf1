//! Pods that were to be disrupted and are still there: after two minutes nobody means it any more.
//!
//! Whoever evicts a Pod marks it with `DisruptionTarget` first and deletes it then. Where the second
//! fails, the mark would stand for ever, and tell of a deletion that never came. Follows the third queue of
//! `k/k:pkg/controller/disruption/disruption.go` (`syncStalePodDisruption`, `addPod`, `updatePod`), which
//! has one worker and the clientset of the budgets.

use super::{ControllerManager, Event};
use crate::api::kinds::{Condition, Status};
use crate::api::{Object, ObjectKey, Verb};
use crate::client::{Delta, Outcome, Reconciler, Reply, ShellRules, Step, View};
use crate::engine::{Duration, Rule, SimTime};
use crate::infra::Ctx;
use std::sync::Arc;

/// Pods wait for its one worker, whatever other controllers are allowed.
pub const RULES: &ShellRules =
    &ShellRules { workers: "one Pod after the other", ..*ShellRules::CONTROLLER_MANAGER };

const MARK: &str = "DisruptionTarget";
const STALE: Rule = "kubernetes.stalePodDisruptionTimeout";

/// The queue of Pods with a mark; it remembers nothing.
#[derive(Clone, Debug)]
pub struct StaleDisruptions {
    /// For how long a mark may stand on a Pod that stays.
    timeout: Duration,
}

/// The mark is being taken back.
#[derive(Clone, Debug)]
pub struct TakenBack;

impl StaleDisruptions {
    /// A queue that lets a mark stand for so long.
    pub fn new(timeout: Duration) -> StaleDisruptions {
        StaleDisruptions { timeout }
    }

    /// How long the Pod's mark may still stand, nothing if it is stale; none for a Pod without, or one
    /// that goes or has ended. A kubelet's own mark may come long before its Pod goes.
    fn left(&self, pod: &Object, wall_clock: SimTime) -> Option<Duration> {
        let body = pod.pod().filter(|body| !pod.meta.is_deleting() && !body.phase.is_terminal())?;
        let mark = body.conditions.get(MARK)?;
        let counts = mark.status == Status::True && mark.reason != *"TerminationByKubelet";
        counts.then(|| (mark.last_transition + self.timeout).since(wall_clock))
    }
}

impl Reconciler for StaleDisruptions {
    type State = TakenBack;

    fn agent(&self) -> &'static str {
        "disruption-controller"
    }

    fn counts_for_itself(&self) -> bool {
        true
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<TakenBack> {
        let Some(pod) = view.local.get(key) else { return Step::done() };
        match self.left(pod, view.wall_clock()) {
            None => Step::done(),
            Some(Duration::ZERO) => {
                let mut changed = Object::clone(pod);
                if let Some(body) = changed.pod_mut() {
                    // Who meant it, and why, goes with it.
                    let mark = Condition::new(MARK, Status::False, "", "", view.wall_clock());
                    body.conditions.say(mark);
                }
                // Not a patch: a Pod that was marked anew meanwhile must stay so.
                Step::write(Verb::Update(Arc::new(changed)), TakenBack)
            }
            Some(left) => Step::Done(Outcome::after(STALE, left)),
        }
    }

    fn resume(&mut self, _: &ObjectKey, _: TakenBack, _: Reply, _: &mut View) -> Step<TakenBack> {
        Step::done()
    }
}

impl ControllerManager {
    /// A Pod came or changed: one with a mark is looked at when that is stale.
    pub(super) fn disruption_changed(&mut self, delta: &Delta, ctx: &mut Ctx<Event>) {
        let Some(pod) = &delta.new else { return };
        let left = self.stale_disruptions.reconciler.left(pod, ctx.wall_clock());
        if let Some(left) = left {
            self.stale_disruptions.enqueue_later(ctx, pod.key(), (STALE, left));
        }
    }
}
