//! TCP over links that lose packets: what waits for its next retransmission, and when that is.
//!
//! Empty while nothing is cut: a segment that is acknowledged at once leaves nothing to remember.
//! Follows Linux (net/ipv4/tcp_timer.c, tcp_input.c): the time-out doubles with each retransmission,
//! and after the first one nothing new is sent before an acknowledgment has come, because the
//! congestion window has shrunk to one segment. Knows no processes and no links: whoever asks says
//! whether the way there and the way back carry.
//!
//! Simplified: the time-out begins at its lower limit, as it does where a round trip takes
//! milliseconds (over a slow link, later by the time that this takes longer); what waited is sent in
//! one burst, without slow start, and gets through whole (kernels make one segment of small ones). What
//! is lost always waits for its time-out: a sender that is told by
//! later acknowledgments (fast retransmit), or probes for the tail, would repeat it sooner. An
//! acknowledgment that a link loses counts as come: the next one says the same.

use super::{ConnectionId, ProcessId};
use crate::engine::{Duration, Generation, SimTime, Timer};
use crate::timeline::Cause;
use crate::wire::Message;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far apart two segments arrive at least over a slow link.
const JUST_AFTER: Duration = Duration::from_micros(1);

/// How a kernel retransmits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retransmission {
    /// The first time-out of a segment of an established connection; each further one is doubled.
    pub first: Duration,
    /// The longest time-out.
    pub limit: Duration,
    /// After how many retransmissions without an answer the connection is given up.
    pub retries: u32,
    /// The first time-out of a connection request, doubled likewise.
    pub connect_first: Duration,
    pub connect_retries: u32,
    /// For how long a process waits until its connection is open.
    pub dial: Duration,
    /// How often the end of a connection that its process has left is retransmitted.
    pub orphan_retries: u32,
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Client,
    Server,
}

/// The direction of a connection in which this end sends.
pub type Direction = (ConnectionId, End);

/// What an end sends.
#[derive(Clone, Debug)]
pub enum Segment {
    Data(Message, Cause),
    /// A keep-alive's question, and its answer.
    Ping,
    Pong,
    /// The end closes.
    Close(Cause),
}

/// Whether packets get there, and whether acknowledgments come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub there: bool,
    pub back: bool,
}

/// All directions in which something waits for an acknowledgment.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    stalls: BTreeMap<Direction, Stall>,
    /// Gives each setting of a retransmission its number.
    settings: Timer,
    /// The ends that look at their keep-alive at a time that is set.
    pub watched: BTreeSet<Direction>,
    /// When an end sent a ping that has not been answered.
    pub pings: BTreeMap<Direction, SimTime>,
    /// When the last of what was sent over a slow link arrives.
    latest: BTreeMap<Direction, SimTime>,
    /// How many segments were sent in a direction that loses some.
    risked: BTreeMap<Direction, u64>,
}

/// A direction in which something was sent and not acknowledged.
#[derive(Clone, Debug)]
struct Stall {
    head: Head,
    /// How often the head was retransmitted.
    retries: u32,
    /// The present time-out.
    pause: Duration,
    /// All time-outs that are over.
    waited: Duration,
    /// The retransmission that is set.
    due: Generation,
    /// What has not arrived, in order.
    waiting: VecDeque<Segment>,
}

/// What is retransmitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// A request to connect.
    Connect,
    /// The first of those that wait.
    First,
    /// What has arrived, and its acknowledgment has not.
    Unacknowledged,
}

/// When a direction is looked at again, and the number of that setting.
pub type Again = (Duration, Generation);

/// What becomes of a segment that is sent now.
#[derive(Clone, Debug)]
pub enum Sent {
    /// It goes its way.
    Passes(Segment),
    /// It goes its way, and its acknowledgment does not come.
    PassesUnseen(Segment, Again),
    /// It waits behind others.
    Waits,
    Lost(Again),
}

/// What becomes of a retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retransmitted {
    /// It was for something that is over.
    Void,
    /// The connection is open.
    Connected,
    /// Lost again, or its acknowledgment is.
    Again(Again),
    /// Nothing is missing any more.
    Through,
    GivenUp,
}

impl Retransmission {
    /// How long a kernel waits after so many retransmissions of one segment.
    pub fn pause(&self, tries: u32) -> Duration {
        (0..tries).fold(self.first, |pause, _| pause.doubled_up_to(self.limit))
    }
}

impl End {
    /// Where a process stands on a connection.
    pub fn of(process: ProcessId, connection: ConnectionId) -> End {
        if process == connection.client { End::Client } else { End::Server }
    }

    /// The other one.
    pub const fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }
}

impl Path {
    /// True if packets come and go.
    pub const fn is_whole(self) -> bool {
        self.there && self.back
    }
}

impl Transport {
    /// True if nothing waits anywhere.
    pub fn is_idle(&self) -> bool {
        self.stalls.is_empty() && self.latest.is_empty()
    }

    /// True if something may still be on its way over a link that was slow when it was sent.
    pub fn is_late(&self, direction: Direction) -> bool {
        self.latest.contains_key(&direction)
    }

    /// When something arrives that would at `at`, over a link that is slow or is not: after all that
    /// was sent before it.
    pub fn in_order(&mut self, direction: Direction, at: SimTime, is_slow: bool) -> SimTime {
        let latest = self.latest.get(&direction).copied();
        let at = latest.map_or(at, |latest| at.max(latest + JUST_AFTER));
        match is_slow || latest.is_some_and(|latest| at == latest + JUST_AFTER) {
            true => self.latest.insert(direction, at),
            false => self.latest.remove(&direction),
        };
        at
    }

    /// Forgets what has arrived by now.
    pub fn settle(&mut self, now: SimTime) {
        self.latest.retain(|_, latest| *latest >= now);
    }

    /// The count of the next segment in a direction that loses some.
    pub fn next_risk(&mut self, direction: Direction) -> u64 {
        let count = self.risked.entry(direction).or_default();
        *count += 1;
        *count - 1
    }

    /// True if something in this direction has not been acknowledged.
    pub fn is_stalled(&self, direction: Direction) -> bool {
        self.stalls.contains_key(&direction)
    }

    /// True if something waits for an acknowledgment on a connection that a process has opened.
    pub fn holds_up(&self, client: ProcessId) -> bool {
        self.stalls.keys().any(|(connection, _)| connection.client == client)
    }

    /// True if the connection is still being opened.
    pub fn is_connecting(&self, connection: ConnectionId) -> bool {
        let client = self.stalls.get(&(connection, End::Client));
        client.is_some_and(|stall| stall.head == Head::Connect)
    }

    /// A request to connect is lost.
    pub fn connect(&mut self, connection: ConnectionId, rules: &Retransmission) -> Again {
        self.stall((connection, End::Client), Head::Connect, VecDeque::new(), rules)
    }

    /// Sends a segment on a path.
    pub fn send(
        &mut self,
        direction: Direction,
        segment: Segment,
        path: Path,
        rules: &Retransmission,
    ) -> Sent {
        if let Some(stall) = self.stalls.get_mut(&direction) {
            // Until the first time-out nobody knows that acknowledgments are missing.
            if stall.head == Head::Unacknowledged && stall.retries == 0 && path.there {
                return Sent::Passes(segment);
            }
            stall.waiting.push_back(segment);
            return Sent::Waits;
        }
        match path {
            Path { there: true, back: true } => Sent::Passes(segment),
            Path { there: true, back: false } => {
                let none = VecDeque::new();
                let again = self.stall(direction, Head::Unacknowledged, none, rules);
                Sent::PassesUnseen(segment, again)
            }
            Path { there: false, .. } => {
                Sent::Lost(self.stall(direction, Head::First, [segment].into(), rules))
            }
        }
    }

    /// Sends the head again. What then arrives is added to `arrived`, in order.
    pub fn retransmit(
        &mut self,
        direction: Direction,
        due: Generation,
        path: Path,
        rules: &Retransmission,
        arrived: &mut Vec<Segment>,
    ) -> Retransmitted {
        let current = self.stalls.get_mut(&direction).filter(|stall| stall.due == due);
        let Some(stall) = current else { return Retransmitted::Void };
        if path.is_whole() {
            let connected = stall.head == Head::Connect;
            arrived.extend(std::mem::take(&mut stall.waiting));
            self.stalls.remove(&direction);
            return if connected { Retransmitted::Connected } else { Retransmitted::Through };
        }
        if path.there && stall.head == Head::First {
            arrived.extend(stall.waiting.pop_front());
            stall.head = Head::Unacknowledged;
        }
        stall.retries += 1;
        stall.waited = stall.waited + stall.pause;
        let dials = stall.head == Head::Connect;
        if stall.retries > stall.most(rules) || (dials && stall.waited >= rules.dial) {
            self.stalls.remove(&direction);
            return Retransmitted::GivenUp;
        }
        stall.pause = stall.pause.doubled_up_to(rules.limit);
        if dials {
            stall.pause = stall.pause.min(rules.dial.saturating_sub(stall.waited));
        }
        stall.due = self.settings.restart();
        Retransmitted::Again((stall.pause, stall.due))
    }

    /// Something came from the other end, and with it the acknowledgment of all that had arrived
    /// there. Returns the setting with which the direction goes on, if more waits in it.
    pub fn acknowledged(
        &mut self,
        direction: Direction,
        rules: &Retransmission,
    ) -> Option<Generation> {
        let stall = self.stalls.get_mut(&direction)?;
        if stall.head != Head::Unacknowledged {
            return None;
        }
        let waiting = std::mem::take(&mut stall.waiting);
        if waiting.is_empty() {
            self.stalls.remove(&direction);
            return None;
        }
        Some(self.stall(direction, Head::First, waiting, rules).1)
    }

    /// Forgets a connection.
    pub fn forget(&mut self, connection: ConnectionId) {
        for end in [End::Client, End::Server] {
            self.stalls.remove(&(connection, end));
            self.pings.remove(&(connection, end));
            self.latest.remove(&(connection, end));
            self.risked.remove(&(connection, end));
        }
    }

    /// Forgets the directions whose sender is gone with its kernel.
    pub fn forget_senders(&mut self, is_gone: impl Fn(Direction) -> bool) {
        self.stalls.retain(|direction, _| !is_gone(*direction));
    }

    fn stall(
        &mut self,
        direction: Direction,
        head: Head,
        waiting: VecDeque<Segment>,
        rules: &Retransmission,
    ) -> Again {
        let pause = if head == Head::Connect { rules.connect_first } else { rules.first };
        let (due, waited) = (self.settings.restart(), Duration::ZERO);
        self.stalls.insert(direction, Stall { head, retries: 0, pause, waited, due, waiting });
        (pause, due)
    }
}

impl Stall {
    fn most(&self, rules: &Retransmission) -> u32 {
        match (self.head, self.waiting.back()) {
            (Head::Connect, _) => rules.connect_retries,
            (_, Some(Segment::Close(_))) => rules.orphan_retries,
            _ => rules.retries,
        }
    }
}
