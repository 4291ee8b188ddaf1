//! The driver of an experiment as a process: it asks members, and notes when it got what.
//!
//! It sees what a client of etcd sees. What it is to do it is told through its desk, and there it
//! puts its notes; it decides nothing.

use crate::api::{Body, Kind, Meta, Object, PROBES, Revision};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::{ConnectionId, Ctx, Input};
use crate::raft::MemberId;
use crate::wire::{
    Consistency, GrpcCode, LeaseId, MemberStatus, Message, StoreAnswer, StoreOperation,
    StoreRequest,
};
use crate::world::{CustomProcess, ETCD_PORT};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// The driver's name as a program, and that of the machine on which it runs.
pub const DRIVER: &str = "driver";

/// Pause between two looks at each member's status.
pub const POLL: Duration = Duration::from_millis(7);

/// The desk between an experiment and its driver.
#[derive(Clone, Debug, Default)]
pub struct Desk(Arc<Mutex<Notes>>);

/// What lies on the desk.
#[derive(Debug, Default)]
pub struct Notes {
    /// What the driver is to send when it is woken.
    pub orders: Vec<Order>,
    /// The load that runs.
    pub load: Option<Load>,
    /// The burst that runs.
    pub burst: Option<Burst>,
    /// The lease that was granted last.
    pub lease: Option<LeaseId>,
    /// True while it looks at each member's status.
    pub polls: bool,
    /// Every request but the looks at the status, in the order of sending.
    pub requests: Vec<Asked>,
    /// The changes of what each member's status says, as the driver saw them.
    pub seen: Vec<Seen>,
    /// What each member's status said last.
    pub status: Vec<Option<Status>>,
}

/// A request that is to be sent once.
#[derive(Clone, Debug)]
pub struct Order {
    /// The number of the member that is asked.
    pub member: usize,
    pub kind: &'static str,
    pub operation: StoreOperation,
    pub require_leader: bool,
}

/// Requests that are sent whether or not earlier ones are answered.
#[derive(Clone, Debug)]
pub struct Load {
    pub members: Vec<usize>,
    /// Between two puts to a member.
    pub period: Duration,
    /// With each so many-th put goes a linearizable get; none at all if 0.
    pub reads_every: u64,
    sent: u64,
}

/// Many puts, each sent when an earlier one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    pub member: usize,
    /// How many have not been answered.
    pub left: usize,
    /// How many are on their way at once.
    pub at_once: usize,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub member: usize,
    pub kind: &'static str,
    pub sent: SimTime,
    pub done: Option<SimTime>,
    /// `OK`, or code and text; empty until it is answered.
    pub got: Text,
    /// The stream that it opened has not ended.
    pub is_stream: bool,
}

/// What a member's status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub member: MemberId,
    pub leader: Option<MemberId>,
    pub term: u64,
    pub applied: u64,
}

/// A change of who leads, in the eyes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub at: SimTime,
    pub member: usize,
    pub leader: Option<MemberId>,
    pub term: u64,
}

impl Load {
    /// Puts to these members with this period, and with each so many-th a get.
    pub fn new(members: Vec<usize>, period: Duration, reads_every: u64) -> Load {
        Load { members, period, reads_every, sent: 0 }
    }
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
    members: Vec<Text>,
    /// By member; none while there is nobody to talk to.
    connections: Vec<Option<ConnectionId>>,
    /// What is open, by the request's number.
    open: BTreeMap<u32, Open>,
    next: u32,
}

/// An open request.
#[derive(Clone, Copy, Debug)]
enum Open {
    /// A look at a member's status.
    Status(usize),
    /// A request in the notes.
    Noted(usize),
    /// One put of a burst.
    Burst,
}

/// The driver's timers, which are numbers.
pub mod timer {
    /// There are orders on the desk.
    pub const WAKE: u64 = 0;
    /// Time to look at each member's status.
    pub const POLL: u64 = 1;
    /// Time for the next requests of the load.
    pub const LOAD: u64 = 2;
    /// A burst begins.
    pub const BURST: u64 = 3;
}

impl Driver {
    /// A driver of these members, by the names of their machines.
    pub fn new(desk: Desk, members: Vec<Text>) -> Driver {
        desk.notes().status = vec![None; members.len()];
        let connections = vec![None; members.len()];
        Driver { desk, members, connections, open: BTreeMap::new(), next: 0 }
    }

    fn obey(&mut self, ctx: &mut Ctx<u64>) {
        let orders = std::mem::take(&mut self.desk.notes().orders);
        for order in orders {
            self.ask(order, ctx);
        }
    }

    fn poll(&mut self, ctx: &mut Ctx<u64>) {
        ctx.after("the lab's own clock", POLL, timer::POLL);
        if !self.desk.notes().polls {
            return;
        }
        for member in 0..self.members.len() {
            let number = self.send(member, StoreOperation::Status, false, ctx);
            self.open.insert(number, Open::Status(member));
        }
    }

    fn put_load(&mut self, ctx: &mut Ctx<u64>) {
        let mut notes = self.desk.notes();
        let Some(load) = &mut notes.load else { return };
        let reads = load.reads_every > 0 && load.sent.is_multiple_of(load.reads_every);
        load.sent += 1;
        ctx.after("the lab's own clock", load.period, timer::LOAD);
        let members = load.members.clone();
        drop(notes);
        for member in members {
            let name = format!("{member}-{}", self.next);
            self.ask(Order::put("put", member, &name, ctx.process().0), ctx);
            if reads {
                self.ask(Order::get("read", member, Consistency::Linearizable), ctx);
            }
        }
    }

    fn begin_burst(&mut self, ctx: &mut Ctx<u64>) {
        let Some(burst) = self.desk.notes().burst else { return };
        (0..burst.at_once.min(burst.left)).for_each(|_| self.put_of_burst(burst.member, ctx));
    }

    fn put_of_burst(&mut self, member: usize, ctx: &mut Ctx<u64>) {
        let name = format!("burst-{}", self.next);
        let put = Order::put("burst", member, &name, ctx.process().0);
        let number = self.send(member, put.operation, false, ctx);
        self.open.insert(number, Open::Burst);
    }

    fn burst_answered(&mut self, ctx: &mut Ctx<u64>) {
        let mut notes = self.desk.notes();
        let Some(burst) = &mut notes.burst else { return };
        burst.left -= 1;
        let Burst { member, left, at_once } = *burst;
        if left == 0 {
            notes.burst = None;
        }
        drop(notes);
        if left >= at_once {
            self.put_of_burst(member, ctx);
        }
    }

    /// Sends a request and notes it.
    fn ask(&mut self, order: Order, ctx: &mut Ctx<u64>) {
        let Order { member, kind, operation, require_leader } = order;
        let is_stream = matches!(operation, StoreOperation::Watch(_));
        let number = self.send(member, operation, require_leader, ctx);
        let mut notes = self.desk.notes();
        self.open.insert(number, Open::Noted(notes.requests.len()));
        let (sent, got) = (ctx.now(), Text::EMPTY);
        notes.requests.push(Asked { member, kind, sent, done: None, got, is_stream });
    }

    fn send(
        &mut self,
        member: usize,
        operation: StoreOperation,
        require_leader: bool,
        ctx: &mut Ctx<u64>,
    ) -> u32 {
        self.next += 1;
        let (id, sender, count) = (self.next, ctx.owner(), u64::from(self.next));
        let request = StoreRequest { id, operation, require_leader, sender, count };
        let vm = self.members[member].clone();
        let connection =
            *self.connections[member].get_or_insert_with(|| ctx.connect_to_vm(vm, ETCD_PORT));
        ctx.send(connection, Message::Store(Box::new(request)));
        id
    }

    fn answered(&mut self, number: u32, answer: StoreAnswer, ctx: &mut Ctx<u64>) {
        if let Some(Open::Burst) = self.open.get(&number) {
            self.open.remove(&number);
            return self.burst_answered(ctx);
        }
        let mut notes = self.desk.notes();
        if let StoreAnswer::Lease(lease, _) = answer {
            notes.lease = Some(lease);
        }
        match self.open.get(&number) {
            Some(Open::Status(member)) => {
                if let StoreAnswer::Status(status) = answer {
                    notes.see(ctx.now(), *member, &status);
                }
                self.open.remove(&number);
            }
            Some(Open::Noted(place)) => {
                let asked = &mut notes.requests[*place];
                asked.done = Some(ctx.now());
                asked.got = words(&answer);
                // A stream that was opened may end later.
                if !matches!(answer, StoreAnswer::Watching(_)) {
                    asked.is_stream = false;
                    self.open.remove(&number);
                }
            }
            Some(Open::Burst) | None => {}
        }
    }

    fn broken(&mut self, connection: ConnectionId) {
        for known in self.connections.iter_mut().filter(|known| **known == Some(connection)) {
            *known = None;
        }
    }
}

impl CustomProcess for Driver {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => self.poll(ctx),
            Input::Due(timer::WAKE) => self.obey(ctx),
            Input::Due(timer::POLL) => self.poll(ctx),
            Input::Due(timer::LOAD) => self.put_load(ctx),
            Input::Due(timer::BURST) => self.begin_burst(ctx),
            Input::Message(_, Message::Stored(number, answer)) => {
                self.answered(number, answer, ctx);
            }
            Input::Message(_, Message::StoreEnded(number, error)) => {
                self.answered(number, StoreAnswer::Failed(error), ctx);
            }
            Input::Broken(connection, _) => self.broken(connection),
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

impl Order {
    /// A put with a key of its own.
    pub fn put(kind: &'static str, member: usize, name: &str, writer: u32) -> Order {
        let meta = Meta::new(Kind::ConfigMap, PROBES, name);
        let operation = StoreOperation::Transact {
            key: meta.key.clone(),
            expected: Revision(0),
            put: Some(Box::new(Object { meta, body: Body::ConfigMap(Box::default()) })),
            by: DRIVER,
            writer,
        };
        Order { member, kind, operation, require_leader: false }
    }

    /// A get of a key that nobody writes.
    pub fn get(kind: &'static str, member: usize, consistency: Consistency) -> Order {
        let key = Meta::new(Kind::ConfigMap, PROBES, "nobody").key;
        let operation = StoreOperation::Get(key, consistency);
        Order { member, kind, operation, require_leader: false }
    }

    /// The same with the metadata `hasleader`.
    pub fn with_leader(self) -> Order {
        Order { require_leader: true, ..self }
    }
}

impl Notes {
    fn see(&mut self, at: SimTime, member: usize, status: &MemberStatus) {
        let now = Status {
            member: status.member,
            leader: status.leader,
            term: status.term,
            applied: status.applied,
        };
        let before = self.status[member].replace(now);
        if before.is_none_or(|before| (before.leader, before.term) != (now.leader, now.term)) {
            self.seen.push(Seen { at, member, leader: now.leader, term: now.term });
        }
    }
}

/// What a client reads: `OK`, or the code and the text of an error.
fn words(answer: &StoreAnswer) -> Text {
    match answer {
        StoreAnswer::Failed(error) => Text::from(format!("{}|{}", code(error.code), error.message)),
        StoreAnswer::Status(status) if !status.errors.is_empty() => {
            Text::from(format!("OK|{}", status.errors[0]))
        }
        _ => Text::word("OK"),
    }
}

fn code(code: GrpcCode) -> &'static str {
    match code {
        GrpcCode::Unknown => "UNKNOWN",
        GrpcCode::InvalidArgument => "INVALID_ARGUMENT",
        GrpcCode::DeadlineExceeded => "DEADLINE_EXCEEDED",
        GrpcCode::NotFound => "NOT_FOUND",
        GrpcCode::ResourceExhausted => "RESOURCE_EXHAUSTED",
        GrpcCode::FailedPrecondition => "FAILED_PRECONDITION",
        GrpcCode::OutOfRange => "OUT_OF_RANGE",
        GrpcCode::Unavailable => "UNAVAILABLE",
        GrpcCode::DataLoss => "DATA_LOSS",
    }
}
