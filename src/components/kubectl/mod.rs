//! kubectl on a laptop outside the VMs: what a person does is a request like any other, and fails
//! when nobody answers.
//!
//! Each command opens a connection of its own, as a program does that is started and ends. It
//! knows neither which cluster is healthy nor what its command will lead to.
//!
//! Simplified: the program starts at once, with its discovery cache warm (0.2 to 0.5 s in reality);
//! `delete` does not wait until the object is gone, since it has printed everything by then, and says
//! it as clients before 1.34 do, without the namespace. A server that accepts the connection is waited
//! for, as kubectl has no time-out of its own; whether it does is found out by asking for its version,
//! where the real client sees the handshake.

mod command;
mod patch;
#[cfg(test)]
mod tests;

use crate::api::{Answer, Answered};
use crate::client::{Alarm, Api, Incoming, RetrySettings};
use crate::engine::Duration;
use crate::infra::{Address, Ctx, Input, Trace};
use command::Plan;
pub use command::{Action, Command, Context};
pub use patch::{Patch, PatchedCondition};
use std::collections::BTreeMap;

/// How kubectl behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// After how long a server that does not answer is given up.
    pub dial_timeout: Duration,
    pub retries: RetrySettings,
}

/// What the laptop reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// The person has typed a command.
    Typed(Box<Command>),
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// The laptop, with the commands that run on it.
#[derive(Clone, Debug)]
pub struct Kubectl {
    settings: Settings,
    management: Address,
    workload: Address,
    /// By the number of their client.
    runs: BTreeMap<u8, Run>,
    typed: u8,
}

/// One command that waits for an answer.
#[derive(Clone, Debug)]
struct Run {
    command: Command,
    api: Api<()>,
    /// What it prints if the write that is under way succeeds.
    done: Option<String>,
}

impl Kubectl {
    /// A laptop with a kubeconfig for both clusters.
    pub fn new(settings: Settings, management: Address, workload: Address) -> Kubectl {
        Kubectl { settings, management, workload, runs: BTreeMap::new(), typed: 0 }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Due(Event::Typed(command)) => self.start(*command, ctx),
            Input::Due(Event::Client(alarm)) => {
                if let Some(run) = self.runs.get_mut(&alarm.client) {
                    let late = run.api.on_alarm(ctx, alarm.ring);
                    self.take(alarm.client, late, ctx);
                }
            }
            Input::Message(from, message) => {
                let found = self.runs.iter_mut().find(|(_, run)| run.api.is_on(from));
                if let Some((number, run)) = found {
                    let (number, incoming) = (*number, run.api.on_message(ctx, from, message));
                    self.take(number, incoming.into_iter().collect(), ctx);
                }
            }
            Input::Broken(connection, how) => {
                let numbers: Vec<u8> = self.runs.keys().copied().collect();
                for number in numbers {
                    let run = self.runs.get_mut(&number).expect("only this loop removes one");
                    let failed = run.api.on_broken(ctx, connection, how);
                    self.take(number, failed, ctx);
                }
            }
            Input::Started(_)
            | Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn start(&mut self, command: Command, ctx: &mut Ctx<Event>) {
        self.typed = self.typed.wrapping_add(1);
        let server = match command.context {
            Context::Management => self.management,
            Context::Workload => self.workload,
        };
        let Settings { dial_timeout, retries } = self.settings;
        let mut api = Api::new(self.typed, server, dial_timeout, retries).patient();
        api.send(ctx, AGENT, command.opening(), ());
        self.runs.insert(self.typed, Run { command, api, done: None });
    }

    fn take(&mut self, number: u8, incoming: Vec<Incoming<()>>, ctx: &mut Ctx<Event>) {
        for one in incoming {
            if let Incoming::Answer((), answered) = one {
                self.go_on(number, answered, ctx);
            }
        }
    }

    fn go_on(&mut self, number: u8, answered: Answered, ctx: &mut Ctx<Event>) {
        let Some(run) = self.runs.get_mut(&number) else { return };
        let (words, exit) = match (answered, run.done.take()) {
            (Err(error), _) => (run.command.failed(&error), 1),
            (Ok(_), Some(done)) => (done, 0),
            (Ok(answer), None) => match (run.command.answered(&answer), answer) {
                (Some(words), _) => (words, 0),
                (None, Answer::Object(read)) => match run.command.plan(&read, ctx.now()) {
                    Plan::Write(verb, done) => {
                        run.done = Some(done);
                        return run.api.send(ctx, AGENT, verb, ());
                    }
                    Plan::Print(words) => (words, 0),
                    Plan::Refuse(words) => (words, 1),
                },
                (None, _) => return,
            },
        };
        run.api.disconnect(ctx);
        self.runs.remove(&number);
        ctx.trace(Trace::Printed(words.into(), exit));
    }
}

const AGENT: &str = "kubectl";
