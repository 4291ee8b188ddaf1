//! A manager of controllers of which several run, and one works: the one that leads.
//!
//! Follows `controllerManager.Start` of controller-runtime's `pkg/manager/internal.go`: controllers start when the
//! process is elected, and the process ends when it leads no more. It does not give its Lease
//! away (`LeaderElectionReleaseOnCancel`, off by default), so who follows waits until that runs out.
//!
//! Simplified: a manager that runs once elects nobody, and works as soon as it is started; all caches are filled
//! after the election, where those that indexes ask for are filled before; and a manager whose caches are not
//! filled after two minutes (`CacheSyncTimeout`) does not end.

use super::api::Alarm;
use super::election::{ElectionSettings, Heard, LeaderElection, Standing};
use crate::api::ObjectKey;
use crate::engine::Text;
use crate::infra::{Address, Ctx, Input, Start};

/// A process that is nothing but controllers.
pub trait Manager {
    /// What it reacts to besides messages and ticks.
    type Event: From<Alarm>;

    /// A client's timer in such an event.
    fn alarm(event: &Self::Event) -> Option<Alarm>;

    /// Reacts to one event; the first is that it is started.
    fn on_event(&mut self, input: Input<Self::Event>, ctx: &mut Ctx<Self::Event>);
}

/// The number of the election's own client, which no manager's own has.
const CLIENT: u8 = 200;

/// A manager, and the election that it takes part in if there are others of its kind.
#[derive(Clone, Debug)]
pub struct Elected<M> {
    pub(super) manager: M,
    candidate: Option<Candidate>,
}

/// What a candidate begins anew with, and its election.
#[derive(Clone, Debug)]
struct Candidate {
    server: Address,
    lock: ObjectKey,
    settings: ElectionSettings,
    standing: Standing,
    election: LeaderElection,
    works: bool,
}

/// The Lease for which the managers of a program are candidates.
pub fn manager_lock(namespace: &'static str, lease: &'static str) -> ObjectKey {
    let (namespace, name) = (Text::word(namespace), Text::word(lease));
    ObjectKey { kind: crate::api::Kind::Lease, namespace, name }
}

impl<M: Manager> Elected<M> {
    /// The only one of its kind.
    pub fn alone(manager: M) -> Elected<M> {
        Elected { manager, candidate: None }
    }

    /// One of several, which stands so when the run begins.
    pub fn among_others(
        manager: M,
        (server, lock): (Address, ObjectKey),
        settings: ElectionSettings,
        standing: Standing,
    ) -> Elected<M> {
        let election = LeaderElection::for_lock(CLIENT, server, lock.clone(), settings);
        let candidate = Candidate { server, lock, settings, standing, election, works: false };
        Elected { manager, candidate: Some(candidate) }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<M::Event>, ctx: &mut Ctx<M::Event>) {
        let Some(candidate) = &mut self.candidate else {
            return self.manager.on_event(input, ctx);
        };
        if let Input::Started(start) = input {
            return self.start(start, ctx);
        }
        match candidate.election.hear(input, M::alarm, ctx) {
            Heard::NotMine(input) if candidate.works => self.manager.on_event(input, ctx),
            Heard::NotMine(_) | Heard::Nothing => {}
            Heard::Elected => {
                candidate.works = true;
                self.manager.on_event(Input::Started(Start::Fresh), ctx);
            }
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<M::Event>) {
        let Some(candidate) = &mut self.candidate else { return };
        let (server, lock) = (candidate.server, candidate.lock.clone());
        candidate.election = LeaderElection::for_lock(CLIENT, server, lock, candidate.settings);
        candidate.election.start(start, candidate.standing, ctx);
        candidate.works = candidate.election.is_leader();
        if candidate.works {
            self.manager.on_event(Input::Started(start), ctx);
        }
    }
}
