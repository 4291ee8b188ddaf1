//! Machine: from its provider's object to its Node, and back.
//!
//! ```text
//! lives     bootstrap data ─> provider ready ─> Node found by providerID ─> Running, whatever the Node's health
//! goes      cordon, drain ─> provider's object ─> bootstrap configuration ─> Node ─> finalizer
//! ```
//! Follows `internal/controllers/machine` of Cluster API.

mod deletion;
mod drain;
mod parts;
mod ready;
#[cfg(test)]
mod ready_tests;
mod status;
mod volumes;

use super::{Settings, cluster_of};
use crate::api::{Object, ObjectKey};
use crate::client::{Contact, Outcome, Reconciler, Reply, Step, View};
use crate::engine::{SimTime, Text};
use parts::{bootstrap_of, infra_of};

/// The controller; it remembers nothing.
#[derive(Clone, Debug)]
pub struct MachineController {
    pub(super) settings: Settings,
    /// Whether the workload cluster is connected, as far as the manager knows.
    pub(super) contact: Contact,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// The last write: nothing follows but the outcome.
    Last(Outcome),
    /// A part was taken over; from which place on the others follow.
    TakenOver(usize),
    /// The Machine was told that its Node is being drained.
    DrainAnnounced,
    /// The Node is being looked up live.
    NodeRead,
    /// The Node is being cordoned.
    Cordoned(drain::Attempt),
    /// The Pods on the Node are being listed.
    PodsListed(drain::Attempt),
    Evicting(drain::Attempt),
    /// Between two looks of one attempt.
    Polling(drain::Attempt),
    /// The attachments of volumes are being listed.
    AttachmentsListed,
    /// The Machine was told that its end has come.
    EndAnnounced,
    /// The provider's object was deleted.
    InfraDeleted,
    /// The bootstrap configuration was deleted.
    BootstrapDeleted,
    /// The Node is being deleted; since when it is tried.
    NodeDeleted(SimTime),
    /// Between two tries: since when, and why the last one failed.
    NodeRetry(SimTime, Text),
    /// Everything is gone but the Machine itself.
    Finished,
}

impl MachineController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> MachineController {
        let contact = Contact { connected: true, reached: SimTime::ZERO };
        MachineController { settings, contact }
    }
}

impl Reconciler for MachineController {
    type State = State;

    fn agent(&self) -> &'static str {
        "machine-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let cluster = cluster_of(&object, view).and_then(|cluster| cluster.cluster());
        let then = State::Last(Outcome::done());
        if let Some(step) = self.settings.pauses.holds(&object, cluster, then, view) {
            return step;
        }
        match object.meta.is_deleting() {
            true => self.delete(&object, view),
            false => self.sync(&object, 0, view),
        }
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        if let State::Last(outcome) = state {
            return Step::Done(outcome);
        }
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        if let State::TakenOver(next) = state {
            return match object.meta.is_deleting() {
                true => Step::done(),
                false => self.sync(&object, next, view),
            };
        }
        self.go_on(&object, state, reply, view)
    }
}

/// The name of the Node of a Machine.
fn node_name(object: &Object) -> Option<Text> {
    object.machine().and_then(|machine| machine.node_ref.clone())
}
