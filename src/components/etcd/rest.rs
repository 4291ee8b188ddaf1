//! What the world has to know of members, and to tell them, so that ticks and heartbeats that change
//! nothing need not be played.
//!
//! A heartbeat that finds everybody well touches `election_elapsed` and the times of the last
//! message at a follower, `recent_active` at the leader (`raft`), and nothing else: what it tells
//! of the commit the appends before it on the same stream have told. When they are to count again,
//! the member is told what has passed.

use super::peers::Peer;
use super::{ALIVE, Etcd, Event, Life, Member, TICK};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::{ActivityId, ConnectionId};
use crate::raft::{Appended, Body, Index, MemberId, Membership, Payload, Role, Term};
use crate::wire::{Message, PeerMessage, StoreOperation};

/// How a member stands that has nothing to do but to tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poise {
    pub id: MemberId,
    pub term: Term,
    pub leader: MemberId,
    pub membership: Membership,
    /// The members to which it is linked, and where what is for them leaves.
    pub links: Vec<(MemberId, ConnectionId)>,
    /// The others: nothing comes from them, and nothing reaches them but what is posted.
    pub gone: Vec<MemberId>,
    /// The VMs of those of them to which it posts what it has for them.
    pub posts: Vec<Text>,
    /// The length of a tick, how many there are between two counts of a quorum, and how many there
    /// have been since the last.
    pub tick: Duration,
    pub election_ticks: u32,
    pub election_elapsed: u32,
}

/// What has passed while a member's ticks were not played.
#[derive(Clone, Debug)]
pub struct Passed {
    /// When they began not to be.
    pub since: SimTime,
    /// How many ticks it took, and when the latest, the last first.
    pub taken: u64,
    pub latest: Vec<SimTime>,
    /// One more waits for the disk.
    pub tick_pending: bool,
    /// Of a leader: when it counted its quorum last, if it did.
    pub counted: Option<SimTime>,
    pub heard: Vec<Heard>,
    /// From whom it last heard that he lives, and when.
    pub alive: Vec<(MemberId, SimTime)>,
}

/// What has come from another member meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub from: MemberId,
    /// When the latest came, if any did.
    pub at: Option<SimTime>,
    /// It asked for an answer that waits for the disk: to a heartbeat, or, of a leader that is ahead,
    /// to such an answer.
    pub owes_answer: bool,
}

impl Etcd {
    /// The activity that is a member's tick.
    pub const TICK: ActivityId = TICK;
    /// The activity that shows the others that it lives.
    pub const ALIVE: ActivityId = ALIVE;

    /// How the member stands, if nothing is on its way in it but what ticks and reads need.
    pub fn poise(&self, now: SimTime) -> Option<Poise> {
        let member = self.member.as_ref().filter(|_| matches!(self.phase, Life::Running))?;
        member.poise(now)
    }

    /// True while the member waits for its disk.
    pub fn is_writing(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.writing.is_some())
    }

    /// True if the member leads a group in which there are others.
    pub fn leads_others(&self) -> bool {
        let leads =
            |member: &Member| member.raft.role() == Role::Leader && !member.peers.is_empty();
        self.member.as_ref().is_some_and(|member| leads(member))
    }

    /// True if the member has nothing to do: no disk to wait for, no read under way, nothing to send.
    pub fn is_idle(&self) -> bool {
        self.member.as_ref().is_some_and(|member| {
            let is_busy = member.writing.is_some()
                || !member.backend.is_idle()
                || member.is_stopping
                || !member.is_serving
                || member.raft.has_ready()
                || member.raft.confirms_reads()
                || member.reads.are_open();
            !is_busy
        })
    }

    /// True for the end of a wait for something that has been answered.
    pub fn is_void(&self, event: &Event) -> bool {
        let answered = |due| self.member.as_ref().is_some_and(|it| !it.reads.is_retry_current(due));
        matches!(event, Event::ReadRetry(due) if answered(*due))
    }

    /// After how long a read without an answer is asked for again.
    pub fn read_retry(&self) -> Duration {
        self.member.as_ref().map_or(Duration::ZERO, |member| member.settings.read_retry)
    }

    /// True if another has not acknowledged all that the member has, as its leader.
    pub fn is_ahead_of(&self, other: MemberId) -> bool {
        self.member.as_ref().is_some_and(|member| member.raft.is_ahead_of(other))
    }

    /// The last entry of the member's log.
    pub fn last_index(&self) -> Index {
        self.member.as_ref().map_or(0, |member| member.raft.last_index())
    }

    /// True if the member knows this entry to be committed.
    pub fn is_committed(&self, index: Index) -> bool {
        self.member.as_ref().is_some_and(|member| member.raft.committed() >= index)
    }

    /// True if this entry is in the member's store.
    pub fn has_applied(&self, index: Index) -> bool {
        self.member.as_ref().is_some_and(|member| member.store.applied() >= index)
    }

    /// A read was answered ahead: it takes its number as every other.
    pub fn count_read(&mut self) {
        if let Some(member) = &mut self.member {
            member.next_number();
        }
    }

    /// Something came from another member then that was not played.
    pub fn hear_unplayed(&mut self, from: MemberId, at: SimTime) {
        if let Some(member) = &mut self.member {
            member.hear_unplayed(from, at);
        }
    }

    /// True if the member is its whole group: it answers reads at once.
    pub fn leads_alone(&self) -> bool {
        let leads = |member: &Member| {
            member.raft.role() == Role::Leader && member.raft.membership().voters() == [member.id]
        };
        matches!(self.phase, Life::Running) && self.member.as_ref().is_some_and(|it| leads(it))
    }

    /// Takes in what has passed unplayed.
    pub fn pass_over(&mut self, passed: &Passed) {
        if let Some(member) = &mut self.member {
            member.pass_over(passed);
        }
    }
}

impl Member {
    fn poise(&self, now: SimTime) -> Option<Poise> {
        let raft = &self.raft;
        let is_busy = self.is_stopping
            || self.writing.is_some()
            || !self.backend.is_idle()
            || self.tick_pending
            || self.is_sending_database(now)
            || self.incoming.is_some()
            || self.settings.raft.heartbeat_ticks != 1
            || self.ticks_late(now);
        let (linked, gone): (Vec<&Peer>, Vec<&Peer>) =
            self.peers.iter().partition(|peer| peer.is_active() || peer.writer().is_some());
        let posts = gone.iter().filter_map(|peer| peer.post().cloned()).collect();
        let gone: Vec<MemberId> = gone.into_iter().map(|peer| peer.id).collect();
        if is_busy || !raft.is_settled(&gone) {
            return None;
        }
        let link = |peer: &&Peer| Some((peer.id, peer.writer().filter(|_| peer.is_active())?));
        let links = linked.iter().map(link).collect::<Option<Vec<_>>>()?;
        Some(Poise {
            id: self.id,
            term: raft.term(),
            leader: raft.leader()?,
            membership: raft.membership().clone(),
            links,
            gone,
            posts,
            tick: self.settings.heartbeat,
            election_ticks: self.settings.raft.election_ticks,
            election_elapsed: raft.election_elapsed(),
        })
    }

    /// True if its ticks come late, or may: a leader says so, and a follower may campaign.
    fn ticks_late(&self, now: SimTime) -> bool {
        let tick = self.settings.heartbeat;
        let has_been = self.raft.role() == Role::Leader && now.since(self.ticked) > tick * 2;
        has_been || self.settings.wal_fsync.high > tick.scaled(1, 4)
    }

    fn hear_unplayed(&mut self, from: MemberId, at: SimTime) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == from) {
            peer.hear(at);
        }
    }

    /// The same, of an answer to this member as its leader.
    pub fn answered_unplayed(&mut self, from: MemberId, at: SimTime) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == from) {
            peer.hear(at);
            peer.answer(at);
        }
    }

    fn pass_over(&mut self, passed: &Passed) {
        for (from, at) in &passed.alive {
            self.hear_unplayed(*from, *at);
        }
        self.ticked = passed.latest.first().copied().unwrap_or(self.ticked);
        self.tick_pending |= passed.tick_pending;
        for heard in &passed.heard {
            if heard.owes_answer {
                self.raft.answer_unplayed(heard.from);
            }
            if let Some(at) = heard.at {
                self.hear_unplayed(heard.from, at);
            }
        }
        match self.raft.role() {
            Role::Leader => self.pass_over_as_leader(passed),
            _ => self.pass_over_as_follower(passed),
        }
    }

    fn pass_over_as_leader(&mut self, passed: &Passed) {
        let per_count = u64::from(self.settings.raft.election_ticks);
        let elapsed = (u64::from(self.raft.election_elapsed()) + passed.taken) % per_count;
        self.raft.pass_over_ticks(u32::try_from(elapsed).expect("less than between two counts"));
        for heard in &passed.heard {
            let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == heard.from) else {
                continue;
            };
            let answered = peer.answer(heard.at.unwrap_or_default());
            if let Some(counted) = passed.counted {
                self.raft.pass_over_answers(heard.from, answered > counted);
            }
        }
    }

    fn pass_over_as_follower(&mut self, passed: &Passed) {
        let heard = passed.heard.iter().filter_map(|heard| heard.at).max();
        self.followed = self.followed.max(heard.unwrap_or_default());
        let elapsed = match self.followed > passed.since {
            true => passed.latest.iter().filter(|tick| **tick > self.followed).count() as u64,
            false => u64::from(self.raft.election_elapsed()) + passed.taken,
        };
        let elapsed = u32::try_from(elapsed).expect("fewer ticks than a time-out has");
        self.raft.pass_over_ticks(elapsed);
    }
}

/// True for a message that leaves a resting group as it is: what members and clients say to each
/// other all day.
pub fn is_routine(message: &Message) -> bool {
    match message {
        Message::Store(request) => is_daily(&request.operation),
        Message::Peer(PeerMessage::Raft(message)) => is_daily_talk(&message.body),
        Message::Peer(PeerMessage::Alive) | Message::HealthCheck(..) | Message::Handshake => true,
        _ => false,
    }
}

/// True for what a member will have to write: a change that is wanted in the log, or entries.
pub fn is_to_write(message: &Message) -> bool {
    match message {
        Message::Store(request) => request.is_proposal(),
        Message::Peer(PeerMessage::Raft(message)) => match &message.body {
            Body::Propose(_) => true,
            Body::Append { entries, .. } => !entries.is_empty(),
            _ => false,
        },
        _ => false,
    }
}

/// True for what may make a member send something to others.
pub fn may_send(message: &Message) -> bool {
    match message {
        Message::Store(request) => request.is_proposal() || request.operation.asks_quorum(),
        // The way to find out whether there is a leader is a read, in some releases.
        Message::Peer(PeerMessage::Raft(_)) | Message::HealthCheck(..) => true,
        _ => false,
    }
}

/// True for a timer by which a member may propose something of its own.
pub fn may_propose(event: &Event) -> bool {
    matches!(event, Event::Leases(_))
}

/// True for a timer by which it may propose something, or ask again for a read.
pub fn may_send_later(event: &Event) -> bool {
    may_propose(event) || matches!(event, Event::ReadRetry(_))
}

fn is_daily_talk<E>(body: &Body<E>) -> bool {
    matches!(
        body,
        Body::Propose(Payload::Normal(_))
            | Body::Append { .. }
            | Body::AppendResponse(Appended::UpTo(_))
            | Body::Heartbeat { .. }
            | Body::HeartbeatResponse { .. }
            | Body::ReadIndex(_)
            | Body::ReadIndexResponse(_)
    )
}

fn is_daily(operation: &StoreOperation) -> bool {
    match operation {
        StoreOperation::Get(..)
        | StoreOperation::Range(..)
        | StoreOperation::Transact { .. }
        | StoreOperation::Watch(_)
        | StoreOperation::LeaseGrant(_)
        | StoreOperation::LeaseRevoke(_)
        | StoreOperation::Status
        | StoreOperation::MemberList(_) => true,
        StoreOperation::Leased(_, operation) => is_daily(operation),
        _ => false,
    }
}

/// True for a timer that leaves a resting group as it is. Whether a peer has been silent for too long
/// is not one: who was heard when is known once the group is woken.
pub fn is_routine_timer(event: &Event) -> bool {
    matches!(
        event,
        Event::Flushed
            | Event::Deadline
            | Event::ReadRetry(_)
            | Event::Monitor(_)
            | Event::Leases(_)
            | Event::Dial(..)
            | Event::DialLate(..)
    )
}
