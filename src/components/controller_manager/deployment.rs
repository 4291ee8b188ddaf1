//! Deployment: keeps one ReplicaSet for its template and mirrors its counts.
//!
//! Follows `k/k:pkg/controller/deployment`. Simplified: a changed template makes a new ReplicaSet
//! at full size at once and empties the old ones; surge and unavailability are not modeled.

use crate::api::kinds::{Deployment, ReplicaSet};
use crate::api::{Kind, Meta, Object, ObjectKey, Verb};
use crate::client::{Reconciler, Reply, Step, View};
use crate::engine::{Owner, Text};
use std::sync::Arc;

/// The controller; it remembers nothing.
#[derive(Clone, Debug)]
pub struct DeploymentController {
    words: ScalingWords,
}

/// How a release words that a ReplicaSet gets another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingWords {
    /// The new size, and of a set that was there before also the old one.
    ToFrom,
    /// The old size, then the new one.
    FromTo,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// Its ReplicaSets are being brought to size, which is said when it is written; the status comes
    /// last.
    Sizing(Text),
    Counted,
}

impl Reconciler for DeploymentController {
    type State = State;

    fn agent(&self) -> &'static str {
        "deployment-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(deployment) = object.deployment().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        let sets = owned_sets(&object, view);
        let Some(current) = sets.iter().find(|set| is_current(set, deployment)) else {
            return self.create_set(&object, deployment);
        };
        for set in &sets {
            let wanted = if set.key() == current.key() { deployment.replicas } else { 0 };
            let size = set.replica_set().map_or(wanted, |body| body.replicas);
            if size != wanted {
                let mut changed = Object::clone(set);
                if let Some(body) = changed.replica_set_mut() {
                    body.replicas = wanted;
                }
                let verb = Verb::Patch { base: set.clone(), changed: Arc::new(changed) };
                let said = self.words.of(set.name(), Some(size), wanted);
                return Step::write(verb, State::Sizing(said));
            }
        }
        count(&object, &sets)
    }

    /// What was written comes back as an event of its own, with the cache up to date.
    fn resume(&mut self, key: &ObjectKey, state: State, _: Reply, view: &mut View) -> Step<State> {
        if let State::Sizing(said) = state {
            view.event(key, "ScalingReplicaSet", said);
        }
        Step::done()
    }
}

impl DeploymentController {
    /// A controller that words things like its release.
    pub fn new(words: ScalingWords) -> DeploymentController {
        DeploymentController { words }
    }

    fn create_set(&self, object: &Object, deployment: &Deployment) -> Step<State> {
        // Any function of the template will do, as long as it gives the same name each time.
        let hash = Owner::named(&format!("{:?}", deployment.template)).number();
        let name = Text::from(format!("{}-{:09x}", object.name(), hash >> 28));
        let meta = Meta::new(Kind::ReplicaSet, object.key().namespace.clone(), name.clone());
        let mut meta = meta.owned_by(&object.meta);
        meta.labels = deployment.template.labels.clone();
        let set = ReplicaSet {
            replicas: deployment.replicas,
            selector: deployment.selector.clone(),
            template: deployment.template.clone(),
            ..ReplicaSet::default()
        };
        let said = self.words.of(&name, None, deployment.replicas);
        Step::write(Verb::Create(Arc::new(Object::new(meta, set))), State::Sizing(said))
    }
}

impl ScalingWords {
    /// What is said of a set that is new, or had another size.
    fn of(self, set: &Text, before: Option<u32>, size: u32) -> Text {
        let from = before.unwrap_or_default();
        let way = if from < size { "up" } else { "down" };
        Text::from(match (self, before) {
            (ScalingWords::FromTo, _) => {
                format!("Scaled {way} replica set {set} from {from} to {size}")
            }
            (ScalingWords::ToFrom, Some(_)) => {
                format!("Scaled {way} replica set {set} to {size} from {from}")
            }
            (ScalingWords::ToFrom, None) => format!("Scaled up replica set {set} to {size}"),
        })
    }
}

fn is_current(set: &Object, deployment: &Deployment) -> bool {
    set.replica_set().is_some_and(|body| *body.template == *deployment.template)
}

fn owned_sets(deployment: &Object, view: &View) -> Vec<Arc<Object>> {
    let owner = deployment.meta.uid;
    view.local
        .list(Kind::ReplicaSet)
        .filter(|set| set.meta.controller().is_some_and(|by| by.uid == owner))
        .cloned()
        .collect()
}

fn count(object: &Arc<Object>, sets: &[Arc<Object>]) -> Step<State> {
    let mut changed = Object::clone(object);
    let Some(body) = changed.deployment_mut() else { return Step::done() };
    let sum = |of: fn(&ReplicaSet) -> u32| {
        sets.iter().filter_map(|set| set.replica_set()).map(of).sum::<u32>()
    };
    body.status_replicas = sum(|set| set.status_replicas);
    body.updated_replicas = body.status_replicas;
    body.ready_replicas = sum(|set| set.ready_replicas);
    body.available_replicas = sum(|set| set.available_replicas);
    body.unavailable_replicas = body.replicas.saturating_sub(body.available_replicas);
    if changed == **object {
        return Step::done();
    }
    let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
    Step::write(verb, State::Counted)
}
