//! A host for one component under test: events in, effects out, nothing else.

use super::{
    ConnectionId, Ctx, Datacenter, Effect, Input, Inventory, ProcessId, Start, Trace, Vm, VmId,
    process::ProcessState,
};
use crate::api::{Answered, Request, WatchEvent};
use crate::engine::{Duration, Random, SimTime};
use crate::timeline::Cause;
use crate::wire::Message;

/// A VM with one process on it; the test plays everybody else.
pub struct Testbed<E> {
    pub now: SimTime,
    pub vm: Vm,
    pub process: ProcessState,
    pub cause: Cause,
    /// The VMs that it is shown, if it is the datacenter's management.
    pub datacenter: Option<Datacenter>,
    random: Random,
    /// Everything that was asked for since the last `take`.
    pub effects: Vec<Effect<E>>,
}

impl<E: Clone> Testbed<E> {
    /// A process of this program on a VM of this name.
    pub fn new(program: &'static str, vm: &str) -> Testbed<E> {
        let mut vm_state = Vm::new(vm);
        (vm_state.power, vm_state.booted) = (super::Power::On, true);
        let mut process = ProcessState::new(program, VmId(0), vm, None);
        process.start(SimTime::ZERO);
        Testbed {
            now: SimTime::ZERO,
            vm: vm_state,
            process,
            cause: Cause::NONE,
            datacenter: None,
            random: Random::new(1),
            effects: Vec::new(),
        }
    }

    /// Lets the component react to something at the present time.
    pub fn play(&mut self, react: impl FnOnce(&mut Ctx<E>)) -> Vec<Effect<E>> {
        let mut ctx = Ctx::new(
            ProcessId(0),
            (self.now, self.cause),
            &mut self.process,
            &mut self.vm,
            self.datacenter.as_ref().map(Inventory::of),
            &self.random,
            &mut self.effects,
        );
        react(&mut ctx);
        std::mem::take(&mut self.effects)
    }

    /// Moves the clock.
    pub fn pass(&mut self, length: Duration) {
        self.now += length;
    }
}

/// The requests among effects, with their connections.
pub fn requests<E>(effects: &[Effect<E>]) -> Vec<(ConnectionId, Request)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(connection, Message::Request(request)) => {
                Some((*connection, Request::clone(request)))
            }
            _ => None,
        })
        .collect()
}

/// The timers among effects.
pub fn timers<E: Clone>(effects: &[Effect<E>]) -> Vec<(Duration, E)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::After(_, delay, event) => Some((*delay, event.clone())),
            _ => None,
        })
        .collect()
}

/// The log lines among effects.
pub fn logs<E>(effects: &[Effect<E>]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Trace(Trace::Log(line)) => Some(line.to_string()),
            _ => None,
        })
        .collect()
}

/// An API server's answer as it arrives.
pub fn answer<E>(connection: ConnectionId, id: u32, answered: Answered) -> Input<E> {
    Input::Message(connection, Message::Answer(id, answered))
}

/// A watch event as it arrives.
pub fn watch_event<E>(connection: ConnectionId, event: WatchEvent) -> Input<E> {
    Input::Message(connection, Message::Watch(event))
}

/// The input with which a process begins.
pub fn started<E>(start: Start) -> Input<E> {
    Input::Started(start)
}
