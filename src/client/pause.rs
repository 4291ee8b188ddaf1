//! A pause: what Cluster API's controllers ask of an object before all else.
//!
//! A person pauses a Cluster, and with it all that belongs to it, or one object by an annotation. What
//! the controller does otherwise is not known here. Follows `util/annotations` (`IsPaused`) and
//! `util/predicates` (`ResourceNotPaused`), and where objects say that they are paused `util/paused`
//! (`EnsurePausedCondition`). Simplified: of a new object the last logs that it is not paused any more,
//! at a verbosity that few set; here it is silent.

use super::reconcile::{Step, View};
use crate::api::kinds::{Cluster, Condition, Status};
use crate::api::{Kind, Object, Verb};
use crate::engine::{SimTime, Text};
use std::sync::Arc;

/// The annotation by which a person takes an object out of its controller's hands.
pub const PAUSED: &str = "cluster.x-k8s.io/paused";

/// Whether objects say that they are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pauses {
    Silent,
    /// The condition Paused is there first, of each object; who writes it leaves the rest to the
    /// reconcile that the write calls.
    Said,
}

impl Pauses {
    /// The only step of a reconcile whose object is paused, or does not say how it is; nothing if the
    /// reconcile goes on. `then` is where it ends.
    pub fn holds<S>(
        self,
        object: &Arc<Object>,
        cluster: Option<&Cluster>,
        then: S,
        view: &mut View,
    ) -> Option<Step<S>> {
        let why = why(object, cluster);
        if self == Pauses::Silent {
            why.as_ref()?;
            view.logs.push(Text::word("Reconciliation is paused for this object"));
            return Some(Step::done());
        }
        let (status, reason) = match why {
            Some(_) => (Status::True, "Paused"),
            None => (Status::False, "NotPaused"),
        };
        let [kind, reason] = ["Paused", reason].map(Text::word);
        let is_paused = why.is_some();
        let message = why.unwrap_or_default();
        let said = Condition::new(kind, status, reason, message.as_str(), view.wall_clock());
        let before = object.conditions().and_then(|all| all.get("Paused"));
        if before.is_some_and(|before| before.says_the_same_as(&said)) {
            return is_paused.then(Step::done);
        }
        match before.map(|before| before.status) {
            Some(before) if before == status => {}
            Some(_) if !is_paused => {
                view.logs.push(Text::word("Unpausing reconciliation for this object"));
            }
            None if !is_paused => {}
            _ => view.logs.push(Text::from(format!(
                "Pausing reconciliation for this object reason=\"{message}\""
            ))),
        }
        let mut changed = Object::clone(object);
        changed.conditions_mut()?.say(said);
        Some(Step::write(Verb::Patch { base: object.clone(), changed: Arc::new(changed) }, then))
    }

    /// These objects, of which nobody has ever been paused. Clusters would say so too, but nobody plays
    /// their controller.
    pub fn said_of_none(self, mut all: Vec<Object>) -> Vec<Object> {
        let says = |object: &&mut Object| match object.key().kind {
            Kind::MachineDeployment | Kind::MachineSet | Kind::Machine => self == Pauses::Said,
            Kind::MachineHealthCheck | Kind::KubeadmControlPlane | Kind::KubeadmConfig => {
                self == Pauses::Said
            }
            _ => false,
        };
        for conditions in all.iter_mut().filter(says).filter_map(Object::conditions_mut) {
            let [kind, reason] = ["Paused", "NotPaused"].map(Text::word);
            conditions.set(Condition::new(kind, Status::False, reason, "", SimTime::ZERO));
        }
        all
    }

    /// True if controllers hear nothing of what happens to an object that is paused by itself.
    pub fn hides(self, object: &Object) -> bool {
        self == Pauses::Silent && object.meta.annotation(PAUSED).is_some()
    }

    /// True if a change of a Cluster wakes what belongs to it: its pause is over, or, where that is
    /// said, has begun.
    pub fn are_news(self, old: &Cluster, new: &Cluster) -> bool {
        old.paused != new.paused && (self == Pauses::Said || old.paused)
    }
}

/// Why an object is paused, if it is.
fn why(object: &Object, cluster: Option<&Cluster>) -> Option<String> {
    let cluster = cluster.is_some_and(|cluster| cluster.paused);
    let mut all = Vec::new();
    if cluster {
        all.push("Cluster spec.paused is set to true".to_owned());
    }
    if object.meta.annotation(PAUSED).is_some() {
        all.push(format!("{} has the {PAUSED} annotation", object.key().kind.name()));
    }
    (!all.is_empty()).then(|| all.join(", "))
}
