//! The driver of an experiment as a process: users who ask API servers, each question once a
//! second, and a watch on Leases.
//!
//! It sees what a client of the API sees and notes it, a moment later: its machine is busy. It decides
//! nothing. Each request has a connection of its own, and none is given up before its server ends
//! it, unless the question has a time-out.

use crate::api::kinds::{ConfigMap, Lease};
use crate::api::{
    Answer, Answered, Freshness, Kind, Meta, Object, ObjectKey, PROBES, Request, Selector, Verb,
    WatchEvent,
};
use crate::engine::{Delay, Duration, Purpose, SimTime, Text, below};
use crate::infra::{Broken, ConnectionId, Ctx, Input};
use crate::wire::Message;
use crate::world::{API_PORT, CustomProcess};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// The recording's own script.
const LAB: &str = "the lab's own clock";

/// The driver's name as a program.
pub const DRIVER: &str = "driver";
/// From one request of a question to its next, if it is answered by then.
const PERIOD: Duration = Duration::from_secs(1);

/// What somebody asks over and over.
#[derive(Clone, Debug)]
pub struct Question {
    /// As the recordings call it: `livez@api-0`.
    pub name: String,
    /// The VM of the API server.
    pub vm: Text,
    pub ask: Ask,
    /// After how long a request is given up, if it is.
    pub timeout: Option<Duration>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Health(&'static str),
    /// `GET` of the Node `worker-0`.
    Node,
    Pods(Freshness),
    /// A ConfigMap is created.
    Write,
}

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The question's place.
    pub question: usize,
    pub sent: SimTime,
    pub done: SimTime,
    /// The HTTP status, or `error` where there was none.
    pub status: u16,
    pub words: Text,
}

/// A renewal as the watch showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    pub seen: SimTime,
    pub lease: Text,
    pub renewed: SimTime,
}

/// What lies between an experiment and its driver.
#[derive(Clone, Debug, Default)]
pub struct Desk(Arc<Mutex<Notes>>);

/// The driver's notes.
#[derive(Debug, Default)]
pub struct Notes {
    pub got: Vec<Got>,
    pub renewals: Vec<Renewal>,
}

impl Desk {
    /// The notes, to read and to write.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().expect("whoever holds the desk does not panic")
    }
}

/// The process.
#[derive(Clone, Debug)]
pub struct Driver {
    desk: Desk,
    questions: Vec<Question>,
    /// The API server whose Leases are watched.
    leases_of: Option<Text>,
    open: BTreeMap<ConnectionId, Open>,
    watch: Option<ConnectionId>,
    asked: u32,
    /// From an answer's arrival until the driver has seen it.
    busy: Delay,
    /// Answers that it has not seen yet, by the numbers of their requests.
    unseen: BTreeMap<u32, Got>,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    question: usize,
    number: u32,
    sent: SimTime,
}

/// The draw of a question's first moment.
const PHASE: Purpose = Purpose(0);
/// The draws for how long the driver takes to see an answer.
const SEEN: Purpose = Purpose(2);
/// A timer with a number from here on gives up the request of the number above it.
const GIVE_UP: u64 = 1 << 32;
/// A timer with a number from here on: the answer to that request is seen.
const SEE: u64 = 1 << 33;
const AGENT: &str = "python-requests";

impl Driver {
    /// A driver on a machine as busy as this with these questions, who watches the Leases at this VM's API server.
    pub fn new(
        desk: Desk,
        questions: Vec<Question>,
        leases_of: Option<Text>,
        busy: Delay,
    ) -> Driver {
        Driver {
            desk,
            questions,
            leases_of,
            open: BTreeMap::new(),
            watch: None,
            asked: 0,
            busy,
            unseen: BTreeMap::new(),
        }
    }

    fn start(&mut self, ctx: &mut Ctx<u64>) {
        for question in 0..self.questions.len() as u64 {
            let phase = below(PERIOD, ctx.draw(PHASE));
            ctx.after(LAB, phase, question);
        }
        if let Some(vm) = self.leases_of.clone() {
            let connection = ctx.connect_to_vm(vm, API_PORT);
            self.watch = Some(connection);
            self.send(connection, Verb::List(Kind::Lease, Selector::All, Freshness::Any), ctx);
        }
    }

    fn ask(&mut self, question: usize, ctx: &mut Ctx<u64>) {
        let Question { vm, ask, timeout, .. } = self.questions[question].clone();
        let connection = ctx.connect_to_vm(vm, API_PORT);
        let number = match ask {
            Ask::Health(path) => {
                self.asked += 1;
                ctx.send(connection, Message::HealthCheck(self.asked, path));
                self.asked
            }
            Ask::Node => self.send(connection, Verb::Get(node()), ctx),
            Ask::Pods(freshness) => {
                self.send(connection, Verb::List(Kind::Pod, Selector::All, freshness), ctx)
            }
            Ask::Write => {
                let meta = Meta::new(Kind::ConfigMap, PROBES, format!("written-{}", self.asked));
                let object = Object::new(meta, ConfigMap::default());
                self.send(connection, Verb::Create(Arc::new(object)), ctx)
            }
        };
        self.open.insert(connection, Open { question, number, sent: ctx.now() });
        if let Some(timeout) = timeout {
            ctx.after(LAB, timeout, GIVE_UP + u64::from(number));
        }
    }

    fn send(&mut self, connection: ConnectionId, verb: Verb, ctx: &mut Ctx<u64>) -> u32 {
        self.asked += 1;
        let (id, sender, count) = (self.asked, ctx.owner(), u64::from(self.asked));
        let request = Request { id, agent: AGENT, sender, count, verb };
        ctx.send(connection, Message::Request(Box::new(request)));
        id
    }

    fn got(&mut self, connection: ConnectionId, status: u16, words: Text, ctx: &mut Ctx<u64>) {
        let Some(Open { question, sent, number }) = self.open.remove(&connection) else { return };
        ctx.close(connection);
        let busy = ctx.draw_delay(SEEN, self.busy);
        let done = ctx.now() + busy;
        self.unseen.insert(number, Got { question, sent, done, status, words });
        ctx.after(LAB, busy, SEE + u64::from(number));
    }

    fn see(&mut self, number: u32, ctx: &mut Ctx<u64>) {
        let Some(got) = self.unseen.remove(&number) else { return };
        let (question, next, now) = (got.question, got.sent + PERIOD, ctx.now());
        self.desk.notes().got.push(got);
        let pause = if next > now { next.since(now) } else { Duration::ZERO };
        ctx.after(LAB, pause, question as u64);
    }

    fn give_up(&mut self, number: u32, ctx: &mut Ctx<u64>) {
        let found = self.open.iter().find(|(_, open)| open.number == number);
        if let Some(connection) = found.map(|(connection, _)| *connection) {
            self.got(connection, 0, Text::word("timeout"), ctx);
        }
    }

    fn answered(&mut self, connection: ConnectionId, answered: Answered, ctx: &mut Ctx<u64>) {
        if self.watch == Some(connection) {
            if let Ok(Answer::List(revision, leases)) = answered {
                leases.iter().for_each(|lease| self.note_lease(lease, ctx.now()));
                let watch = Verb::Watch(Kind::Lease, Selector::All, revision);
                self.send(connection, watch, ctx);
            }
            return;
        }
        match answered {
            Ok(_) => self.got(connection, 200, Text::EMPTY, ctx),
            Err(error) => {
                self.got(connection, error.reason.http_status(), error.message, ctx);
            }
        }
    }

    fn note_lease(&self, object: &Object, seen: SimTime) {
        let renewed = object.lease().map(|lease: &Lease| lease.renewed);
        if let Some(renewed) = renewed.filter(|_| object.key().namespace == "kube-node-lease") {
            let lease = object.name().clone();
            self.desk.notes().renewals.push(Renewal { seen, lease, renewed });
        }
    }

    fn broken(&mut self, connection: ConnectionId, how: Broken, ctx: &mut Ctx<u64>) {
        let words = match how {
            Broken::Refused => "refused",
            Broken::Closed | Broken::Reset => "connection reset by peer",
            Broken::Lost | Broken::Unanswered => "timeout",
        };
        self.got(connection, 0, Text::word(words), ctx);
    }
}

impl CustomProcess for Driver {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => self.start(ctx),
            Input::Due(timer) => {
                let number = u32::try_from(timer % GIVE_UP).expect("below 2^32");
                match timer {
                    SEE.. => self.see(number, ctx),
                    GIVE_UP.. => self.give_up(number, ctx),
                    _ => self.ask(number as usize, ctx),
                }
            }
            Input::Message(on, Message::Health(_, status, failed)) => {
                self.got(on, status, failed, ctx);
            }
            Input::Message(on, Message::Answer(_, answered)) => self.answered(on, answered, ctx),
            Input::Message(_, Message::Watch(WatchEvent { object, .. })) => {
                self.note_lease(&object, ctx.now());
            }
            // Over HTTP/1.1: what is not taken comes back with the end of its connection.
            Input::Message(on, Message::GoAway(last))
                if self.open.get(&on).is_some_and(|open| open.number > last) =>
            {
                self.broken(on, Broken::Closed, ctx);
            }
            Input::Broken(connection, how) => self.broken(connection, how, ctx),
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

fn node() -> ObjectKey {
    Meta::new(Kind::Node, "", "worker-0").key
}
