//! A user of the API, who asks once a second: always over the same connection, as one who stays
//! pinned to an API server, or over a new one each time, as each command of kubectl has.
//!
//! What he gets is told whenever it becomes another answer; how things stand for him, as for every
//! user.

use super::{Outcome, Standing};
use crate::api::kinds::ConfigMap;
use crate::api::{Answered, Kind, ObjectKey, Request, Verb};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm, SimTime, Text};
use crate::infra::{
    ActivityId, Address, Broken, ConnectionId, Ctx, Input, Port, ProbeReport, Trace,
};
use crate::wire::Message;
use std::collections::{BTreeMap, BTreeSet};

/// How the user asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub interval: Duration,
    /// After how long a request without an answer is given up.
    pub timeout: Duration,
    /// Without a success for so long the API is down for him.
    pub outage: Duration,
    /// Without a failure for so long it is well again.
    pub calm: Duration,
}

/// Which API server the user asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// That of one VM, over one connection for as long as it lasts.
    Pinned(Text, Port),
    /// Any behind the load balancer, over a new connection each time.
    Fresh(Address),
    /// Likewise, but the balancer knows him by his address and leads him to this VM while it is up.
    Led(Address, Text),
}

/// What the user reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The request of this number has waited long enough.
    GiveUp(u32),
    /// The status may have become another.
    Look,
}

/// The user.
#[derive(Clone, Debug)]
pub struct ApiProber {
    settings: Settings,
    way: Way,
    probe: Text,
    connection: Option<ConnectionId>,
    asked: u32,
    /// The requests that wait, with when each was sent.
    waiting: BTreeMap<u32, (ConnectionId, SimTime)>,
    /// What he got last, as it was told.
    response: Text,
    /// What he got since things were well, each told once.
    told: BTreeSet<(Text, Text)>,
    standing: Standing,
}

const ASK: ActivityId = ActivityId(0);
const AGENT: &str = "api-prober";
const WELL: Text = Text::word("200");

impl ApiProber {
    /// A user who asks in this way.
    pub fn new(settings: Settings, way: Way) -> ApiProber {
        let probe = match &way {
            Way::Pinned(vm, _) => Text::from(format!("api@{vm}")),
            Way::Fresh(_) => Text::word("api"),
            Way::Led(_, vm) => Text::from(format!("api@via-{vm}")),
        };
        ApiProber {
            settings,
            way,
            probe,
            connection: None,
            asked: 0,
            waiting: BTreeMap::new(),
            response: WELL,
            told: BTreeSet::new(),
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
            Input::Message(_, Message::Answer(id, answered)) => self.answered(id, answered, ctx),
            Input::Message(from, Message::GoAway(last)) => self.sent_away(from, last, ctx),
            Input::Broken(connection, how) => self.broken(connection, how, ctx),
            Input::Due(Event::GiveUp(id)) => {
                let words = format!("no answer within {}", self.settings.timeout);
                self.ended(id, ctx, |took| Outcome::failure("Timeout", words, took));
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
        // An API server needs a moment at the run's beginning to hear what it has long known.
        if ctx.now() < SimTime::ZERO + self.settings.interval {
            return;
        }
        self.asked = self.asked.wrapping_add(1);
        self.send(self.asked, ctx.now(), ctx);
        ctx.after("users.apiTimeout", self.settings.timeout, Event::GiveUp(self.asked));
    }

    fn send(&mut self, id: u32, sent: SimTime, ctx: &mut Ctx<Event>) {
        let connection = match (&self.way, self.connection) {
            (Way::Pinned(..), Some(connection)) => connection,
            (Way::Pinned(vm, port), None) => ctx.connect_to_vm(vm.clone(), *port),
            (Way::Fresh(endpoint) | Way::Led(endpoint, _), _) => ctx.connect(*endpoint),
        };
        self.connection = Some(connection);
        self.waiting.insert(id, (connection, sent));
        let (sender, count, verb) = (ctx.owner(), u64::from(id), Verb::Get(asked_for()));
        let request = Request { id, agent: AGENT, sender, count, verb };
        ctx.send(connection, Message::Request(Box::new(request)));
    }

    /// A server takes nothing more on a connection: what it has not taken is asked again on a new one, as every
    /// client has it (`client/away.rs`).
    fn sent_away(&mut self, from: ConnectionId, last: u32, ctx: &mut Ctx<Event>) {
        self.connection.take_if(|connection| *connection == from);
        let later = self.waiting.range(last.saturating_add(1)..);
        let untaken = later.filter(|(_, (on, _))| *on == from);
        let untaken: Vec<(u32, SimTime)> = untaken.map(|(id, (_, sent))| (*id, *sent)).collect();
        for (id, sent) in untaken {
            self.send(id, sent, ctx);
        }
        self.close_if_done(from, ctx);
    }

    /// Closes a connection on which he asks nothing more, once nothing is open on it.
    fn close_if_done(&self, connection: ConnectionId, ctx: &mut Ctx<Event>) {
        let is_used = matches!(self.way, Way::Pinned(..)) && self.connection == Some(connection);
        if !is_used && !self.waiting.values().any(|(on, _)| *on == connection) {
            ctx.close(connection);
        }
    }

    fn answered(&mut self, id: u32, answered: Answered, ctx: &mut Ctx<Event>) {
        self.ended(id, ctx, |took| match answered {
            Ok(_) => Outcome::success(took),
            Err(error) => Outcome::failure(error.reason.as_str(), error.message, took),
        });
    }

    fn broken(&mut self, connection: ConnectionId, how: Broken, ctx: &mut Ctx<Event>) {
        if self.connection == Some(connection) {
            self.connection = None;
        }
        let (how, words) = match how {
            Broken::Refused => ("Refused", "connect: connection refused"),
            Broken::Closed | Broken::Reset => ("Reset", "read: connection reset by peer"),
            Broken::Lost | Broken::Unanswered => ("Lost", "http2: client connection lost"),
        };
        let on_it = self.waiting.iter().filter(|(_, (on, _))| *on == connection);
        let failed: Vec<u32> = on_it.map(|(id, _)| *id).collect();
        for id in failed {
            self.ended(id, ctx, |took| Outcome::failure(how, words, took));
        }
    }

    /// A request is over, if it still waits.
    fn ended(&mut self, id: u32, ctx: &mut Ctx<Event>, how: impl FnOnce(Duration) -> Outcome) {
        let Some((connection, sent)) = self.waiting.remove(&id) else { return };
        self.close_if_done(connection, ctx);
        let outcome = how(ctx.now().since(sent));
        self.tell(&outcome, ctx);
        if let Some(pause) = self.standing.note(&self.probe, outcome, ctx) {
            ctx.after("users.calm", pause, Event::Look);
        }
    }

    /// Tells what came back, if it has not come back before since things were well: who asks several
    /// servers in turn would tell of each request else.
    fn tell(&mut self, outcome: &Outcome, ctx: &mut Ctx<Event>) {
        let to = outcome.failure.map_or(WELL, Text::word);
        if self.standing.is_well() {
            self.told.clear();
            if to == WELL {
                return;
            }
        }
        if !self.told.insert((to.clone(), outcome.message.clone())) {
            return;
        }
        let from = std::mem::replace(&mut self.response, to.clone());
        ctx.trace(Trace::Probe(Box::new(ProbeReport {
            probe: self.probe.clone(),
            field: "response",
            from,
            to,
            reason: Text::EMPTY,
            message: outcome.message.clone(),
            took: outcome.took,
        })));
    }
}

/// What is asked for is always there: what machines join with, which everybody may read.
fn asked_for() -> ObjectKey {
    ObjectKey {
        kind: Kind::ConfigMap,
        namespace: ConfigMap::CLUSTER_INFO_NAMESPACE,
        name: ConfigMap::CLUSTER_INFO,
    }
}
