//! A user of an app, who asks once a second, each time on a connection of its own.

use super::{Outcome, Standing};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm, SimTime, Text};
use crate::infra::{ActivityId, Address, Broken, ConnectionId, Ctx, Input};
use crate::wire::{Message, Served};
use std::collections::BTreeMap;

/// How the user asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub interval: Duration,
    /// After how long a request without an answer is given up.
    pub timeout: Duration,
    /// Without a success for so long the app is down for him.
    pub outage: Duration,
    /// Without a failure for so long it is well again.
    pub calm: Duration,
}

/// What the user reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request has waited long enough.
    GiveUp(ConnectionId),
    /// The status may have become another.
    Look,
}

/// The user.
#[derive(Clone, Debug)]
pub struct AppProber {
    settings: Settings,
    ingress: Address,
    /// `app-web`
    probe: Text,
    asked: u32,
    /// When each request that waits was sent.
    waiting: BTreeMap<ConnectionId, SimTime>,
    standing: Standing,
}

const ASK: ActivityId = ActivityId(0);

impl AppProber {
    /// A user of the app of this name.
    pub fn new(settings: Settings, ingress: Address, app: &Text) -> AppProber {
        AppProber {
            settings,
            ingress,
            probe: Text::from(format!("app-{app}")),
            asked: 0,
            waiting: BTreeMap::new(),
            standing: Standing::new(settings.outage, settings.calm),
        }
    }

    /// What his tries are called in a timeline.
    pub fn probe(&self) -> &Text {
        &self.probe
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(_) => {
                let activity = Activity {
                    rule: "users.askInterval",
                    period: self.settings.interval,
                    jitter_percent: 0,
                    rhythm: Rhythm::Ticker,
                    path: Path::Server,
                };
                ctx.every(ASK, activity, Phase::Stationary);
            }
            Input::Tick(_) => self.ask(ctx),
            Input::Message(from, Message::AppServed(_, served)) => {
                self.ended(from, ctx, |took| match served {
                    Served::Well => Outcome::success(took),
                    Served::NoEndpoint => {
                        Outcome::failure("NoEndpoint", "503 Service Temporarily Unavailable", took)
                    }
                    Served::BadGateway => Outcome::failure("BadGateway", "502 Bad Gateway", took),
                });
            }
            Input::Broken(connection, how) => {
                let (how, words) = match how {
                    Broken::Refused => ("Refused", "connect: connection refused"),
                    Broken::Closed | Broken::Reset | Broken::Lost | Broken::Unanswered => {
                        ("Reset", "read: connection reset by peer")
                    }
                };
                self.ended(connection, ctx, |took| Outcome::failure(how, words, took));
            }
            Input::Due(Event::GiveUp(connection)) => {
                let words = format!("no answer within {}", self.settings.timeout);
                self.ended(connection, ctx, |took| Outcome::failure("Timeout", words, took));
            }
            Input::Due(Event::Look) => self.standing.look(&self.probe, ctx),
            Input::Message(..)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn ask(&mut self, ctx: &mut Ctx<Event>) {
        // The ingress needs a moment at the run's beginning to hear what it has long known.
        if ctx.now() < SimTime::ZERO + self.settings.interval {
            return;
        }
        let connection = ctx.connect(self.ingress);
        self.asked = self.asked.wrapping_add(1);
        self.waiting.insert(connection, ctx.now());
        ctx.send(connection, Message::App(self.asked));
        ctx.after("users.askTimeout", self.settings.timeout, Event::GiveUp(connection));
    }

    /// A request is over, if it still waits.
    fn ended(
        &mut self,
        connection: ConnectionId,
        ctx: &mut Ctx<Event>,
        how: impl FnOnce(Duration) -> Outcome,
    ) {
        let Some(sent) = self.waiting.remove(&connection) else { return };
        ctx.close(connection);
        let outcome = how(ctx.now().since(sent));
        if let Some(pause) = self.standing.note(&self.probe, outcome, ctx) {
            ctx.after("users.calm", pause, Event::Look);
        }
    }
}
