//! etcdctl on a laptop outside the VMs: what a person does to a group of members is a request to
//! one of them, and fails when it does not answer.
//!
//! Each command opens a connection of its own, to the member that it names. A member is named by
//! its VM; the person looks its number up first (`member list`), as the real etcdctl wants it.
//!
//! Simplified: the program starts at once, and the laptop has the certificates of every VM.

mod command;
#[cfg(test)]
mod tests;

use crate::engine::{Duration, SimTime};
use crate::infra::{Broken, ConnectionId, Ctx, Input, Port, Trace};
use crate::wire::{MemberInfo, Message, StoreAnswer, StoreError, StoreOperation, StoreRequest};
pub use command::{Action, Command};
use std::collections::BTreeMap;

/// How etcdctl behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--command-timeout`: how long an answer may take.
    pub command_timeout: Duration,
    /// Where members listen for clients.
    pub port: Port,
}

/// What the laptop reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The person has typed a command.
    Typed(Box<Command>),
    /// The command of this number has taken too long.
    GiveUp(u32),
}

/// The laptop, with the commands that run on it.
#[derive(Clone, Debug)]
pub struct Etcdctl {
    settings: Settings,
    runs: BTreeMap<u32, Run>,
    typed: u32,
}

/// One command that waits for an answer.
#[derive(Clone, Debug)]
struct Run {
    command: Command,
    connection: ConnectionId,
    begun: SimTime,
    /// The members, once they are looked up.
    looked_up: bool,
    members: Vec<MemberInfo>,
}

impl Etcdctl {
    /// A laptop on which nothing runs.
    pub fn new(settings: Settings) -> Etcdctl {
        Etcdctl { settings, runs: BTreeMap::new(), typed: 0 }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Due(Event::Typed(command)) => self.start(*command, ctx),
            Input::Due(Event::GiveUp(number)) => {
                self.fail(number, "context deadline exceeded", ctx)
            }
            Input::Message(from, Message::Stored(number, answer)) => {
                if self.runs.get(&number).is_some_and(|run| run.connection == from) {
                    self.take(number, answer, ctx);
                }
            }
            Input::Broken(connection, how) => self.broken(connection, how, ctx),
            Input::Message(..)
            | Input::Started(_)
            | Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::ProgramEnded(_)
            | Input::FileChanged(_)
            | Input::Terminate => {}
        }
    }

    fn start(&mut self, command: Command, ctx: &mut Ctx<Event>) {
        self.typed = self.typed.wrapping_add(1);
        let connection = ctx.connect_to_vm(command.endpoint.clone(), self.settings.port);
        let first = command.opening();
        let (begun, members) = (ctx.now(), Vec::new());
        let run = Run { command, connection, begun, looked_up: false, members };
        self.runs.insert(self.typed, run);
        self.ask(self.typed, first, ctx);
        ctx.after(
            "etcd.etcdctlCommandTimeout",
            self.settings.command_timeout,
            Event::GiveUp(self.typed),
        );
    }

    fn ask(&self, number: u32, operation: StoreOperation, ctx: &mut Ctx<Event>) {
        let request = StoreRequest {
            id: number,
            operation,
            require_leader: false,
            sender: ctx.owner(),
            count: u64::from(number),
        };
        ctx.send(self.runs[&number].connection, Message::Store(Box::new(request)));
    }

    fn take(&mut self, number: u32, answer: StoreAnswer, ctx: &mut Ctx<Event>) {
        let run = self.runs.get_mut(&number).expect("looked up just before");
        let took = ctx.now().since(run.begun);
        if let StoreAnswer::Failed(StoreError { message, .. }) = &answer {
            return self.fail(number, message.as_str(), ctx);
        }
        if let (StoreAnswer::Members(members), false) = (&answer, run.looked_up)
            && let Some(next) = run.command.about(members)
        {
            run.looked_up = true;
            run.members.clone_from(members);
            return match next {
                Ok(operation) => self.ask(number, operation, ctx),
                Err(refusal) => self.end(number, (refusal, 1), ctx),
            };
        }
        let words = run.command.done(&answer, &run.members, took);
        self.end(number, (words, 0), ctx);
    }

    fn broken(&mut self, connection: ConnectionId, how: Broken, ctx: &mut Ctx<Event>) {
        let mine = self.runs.iter().find(|(_, run)| run.connection == connection);
        let Some(number) = mine.map(|(number, _)| *number) else { return };
        // The real client dials again until its time is over, and says only that.
        if how == Broken::Refused {
            return;
        }
        self.fail(number, "rpc error: code = Unavailable desc = transport is closing", ctx);
    }

    fn fail(&mut self, number: u32, message: &str, ctx: &mut Ctx<Event>) {
        let Some(run) = self.runs.get(&number) else { return };
        let words = run.command.failed(message);
        self.end(number, (words, 1), ctx);
    }

    fn end(&mut self, number: u32, (words, exit): (String, u8), ctx: &mut Ctx<Event>) {
        if let Some(run) = self.runs.remove(&number) {
            ctx.close(run.connection);
            ctx.trace(Trace::Printed(words.into(), exit));
        }
    }
}
