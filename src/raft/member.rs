//! A member: its state, what it reacts to, and what it wants done.

use super::log::Log;
use super::progress::Tracker;
use super::reads::{Reads, Waiting};
use super::replication::Batch;
use super::{
    Body, ConfChange, Disk, Entry, Fatal, HardState, Index, MemberId, Membership, Message, Payload,
    Progress, ReadContext, ReadState, Ready, Settings, Snapshot, Term,
};

/// One member of a group.
#[derive(Clone, Debug)]
pub struct Raft<E> {
    pub(super) id: MemberId,
    pub(super) settings: Settings,

    pub(super) term: Term,
    /// Whom it voted for in this term.
    pub(super) vote: Option<MemberId>,
    pub(super) log: Log<E>,
    pub(super) tracker: Tracker,

    pub(super) role: Role,
    /// Who leads, as far as this member knows.
    pub(super) leader: Option<MemberId>,
    /// Ticks since it heard from its leader or granted a vote; of a leader, since it counted.
    pub(super) election_elapsed: u32,
    pub(super) heartbeat_elapsed: u32,
    /// After how many ticks without a leader it campaigns; none until the owner has drawn.
    pub(super) randomized_timeout: Option<u32>,

    /// A leader's: whom it hands its office to, and takes no proposals meanwhile.
    pub(super) transferee: Option<MemberId>,
    /// A leader's: no further change before everything up to here is applied.
    pub(super) pending_conf_index: Index,
    pub(super) reads: Reads,

    pub(super) batch: Batch<E>,
    pub(super) messages: Vec<Message<E>>,
    pub(super) promises: Vec<Message<E>>,
    pub(super) read_states: Vec<ReadState>,
    /// What the last `Ready` had written.
    pub(super) written: HardState,
    /// A `Ready` is being carried out.
    turn_open: bool,
}

/// What a member is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Follower,
    /// It asks whether it could win, and has not raised its term.
    PreCandidate,
    Candidate,
    Leader,
}

/// What became of a snapshot that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotStatus {
    Finished,
    Failed,
}

/// A proposal was not even tried: there is no leader, or it is handing over its office, or it was
/// removed from its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalDropped;

impl<E: Clone> Raft<E> {
    /// The member that this disk belongs to, as its process starts: a follower without a leader.
    pub fn new(id: MemberId, settings: Settings, disk: &Disk<E>) -> Result<Raft<E>, Fatal> {
        settings.validate();
        let log = Log::from_disk(disk)?;
        let tracker = Tracker::new(disk.snapshot.membership.clone(), log.last_index() + 1);
        Ok(Raft {
            id,
            settings,
            term: disk.hard_state.term,
            vote: disk.hard_state.vote,
            log,
            tracker,
            role: Role::Follower,
            leader: None,
            election_elapsed: 0,
            heartbeat_elapsed: 0,
            randomized_timeout: None,
            transferee: None,
            pending_conf_index: 0,
            reads: Reads::default(),
            batch: Batch(None),
            messages: Vec::new(),
            promises: Vec::new(),
            read_states: Vec::new(),
            written: disk.hard_state,
            turn_open: false,
        })
    }

    /// Time passes.
    pub fn tick(&mut self) {
        match self.role {
            Role::Leader => self.tick_leader(),
            _ => self.tick_election(),
        }
    }

    /// True if the owner has to draw a time-out before the next tick.
    pub fn wants_draw(&self) -> bool {
        self.randomized_timeout.is_none()
    }

    /// Sets the time-out to one of `election_ticks` equally likely lengths.
    pub fn draw_timeout(&mut self, draw: u64) {
        let shortest = self.settings.election_ticks;
        let more = draw % u64::from(shortest);
        let more = u32::try_from(more).expect("below a number of 32 bits");
        self.randomized_timeout = Some(shortest + more);
    }

    /// Reacts to a message of another member. An error ends this member.
    pub fn step(&mut self, message: Message<E>) -> Result<(), Fatal> {
        // Not even its term counts: it may have been removed without knowing.
        if message.body.is_response() && !self.tracker.membership.contains(message.from) {
            return Ok(());
        }
        if message.term > self.term {
            if !self.heed_later_term(&message) {
                return Ok(());
            }
        } else if message.term < self.term && message.term > 0 {
            self.answer_stale(&message);
            return Ok(());
        }
        let Message { from, term, body, .. } = message;
        match body {
            Body::PreVote(campaign) => self.answer_pre_vote(from, term, campaign),
            Body::Vote(campaign) => self.answer_vote(from, campaign),
            _ => return self.step_in_role(from, body),
        }
        Ok(())
    }

    /// Proposes an entry: a leader appends it, a follower passes it on and hears no more of it. A
    /// change that is proposed while another is on its way becomes an empty entry.
    pub fn propose(&mut self, payload: Payload<E>) -> Result<(), ProposalDropped> {
        match (self.role, self.leader) {
            (Role::Leader, _) => self.append_proposal(payload),
            (_, None) => Err(ProposalDropped),
            (_, Some(leader)) => {
                self.send_outside_terms(leader, Body::Propose(payload));
                Ok(())
            }
        }
    }

    /// Asks at which index a read is fresh; the answer is a `ReadState`, or never comes.
    pub fn read_index(&mut self, context: ReadContext) {
        match (self.role, self.leader) {
            (Role::Leader, _) => self.lead_read(Waiting { context, from: self.id }),
            (_, None) => {}
            (_, Some(leader)) => self.send_outside_terms(leader, Body::ReadIndex(context)),
        }
    }

    /// Hands the office of the leader to `to`; a follower passes the wish on.
    pub fn transfer_leadership(&mut self, to: MemberId) {
        match (self.role, self.leader) {
            (Role::Leader, _) => self.begin_transfer(to),
            (_, None) => {}
            (_, Some(leader)) => self.send(leader, Body::TransferLeader(to)),
        }
    }

    /// Campaigns now, without waiting for the time-out.
    pub fn campaign(&mut self) {
        self.campaign_if_promotable();
    }

    /// The last messages to this member did not arrive.
    pub fn report_unreachable(&mut self, peer: MemberId) {
        self.lose_appends(peer);
    }

    /// A snapshot for this member has arrived, or has not.
    pub fn report_snapshot(&mut self, peer: MemberId, status: SnapshotStatus) {
        self.end_snapshot(peer, status);
    }

    /// Puts a committed change in force. A change that the owner refuses is not applied by anybody.
    pub fn apply_conf_change(&mut self, change: ConfChange) {
        self.tracker.apply(change, self.log.last_index().max(1));
        self.follow_conf_change();
    }

    /// True if `ready` would hand out anything.
    pub fn has_ready(&self) -> bool {
        !self.turn_open
            && (!self.messages.is_empty()
                || !self.promises.is_empty()
                || !self.read_states.is_empty()
                || self.log.snapshot_pending
                || self.hard_state() != self.written
                || self.log.has_news())
    }

    /// Fills `ready` with all that is to be done since the last one, which must be done.
    pub fn ready(&mut self, ready: &mut Ready<E>) {
        assert!(!self.turn_open, "the last Ready is done before the next is taken");
        self.turn_open = true;
        ready.clear();
        std::mem::swap(&mut ready.messages, &mut self.messages);
        std::mem::swap(&mut ready.promises, &mut self.promises);
        std::mem::swap(&mut ready.read_states, &mut self.read_states);
        let state = self.hard_state();
        if state != self.written {
            let before = (self.written.term, self.written.vote);
            ready.term_or_vote_changed = before != (state.term, state.vote);
            ready.hard_state = Some(state);
            self.written = state;
        }
        if self.log.snapshot_pending {
            let snapshot = self.log.snapshot.clone();
            self.tracker = Tracker::new(snapshot.membership.clone(), snapshot.index + 1);
            ready.snapshot = Some(snapshot);
        }
        ready.entries.extend(self.log.unstable().cloned());
        ready.committed.extend(self.log.next_committed().cloned());
    }

    /// What the last `Ready` wanted is done: written, sent and applied.
    pub fn advance(&mut self, ready: &Ready<E>) {
        assert!(self.turn_open, "a Ready is taken before it is done");
        self.turn_open = false;
        if let Some(snapshot) = &ready.snapshot {
            self.log.stable_snapshot(snapshot.index);
        }
        if let Some(last) = ready.entries.last() {
            self.log.stable_to(last.index, last.term);
        }
        if let Some(last) = ready.committed.last() {
            self.log.applied = self.log.applied.max(last.index);
        }
        match self.role {
            Role::Candidate => self.count_own_vote(self.written),
            Role::Leader => self.count_own_entries(),
            Role::Follower | Role::PreCandidate => {}
        }
    }

    /// A snapshot has come that is still to be written.
    pub fn has_snapshot_to_write(&self) -> bool {
        self.log.snapshot_pending
    }

    /// Takes a snapshot of what is applied; members far behind get it instead of entries.
    pub fn take_snapshot(&mut self) -> Snapshot {
        assert!(!self.log.snapshot_pending, "a snapshot that has come is written first");
        let index = self.log.applied;
        let term = self.log.term(index).expect("what is applied last is not compacted");
        let membership = self.tracker.membership.clone();
        self.log.snapshot = Snapshot { index, term, membership };
        self.log.snapshot.clone()
    }

    /// What a snapshot is of a state machine that is behind what it was given to apply; none if the log has no
    /// such entry any more.
    pub fn snapshot_at(&self, index: Index, membership: Membership) -> Option<Snapshot> {
        let term = self.log.term(index).filter(|_| index <= self.log.applied)?;
        Some(Snapshot { index, term, membership })
    }

    /// Forgets entries up to `index`, or up to the latest snapshot if that is less.
    pub fn compact(&mut self, index: Index) {
        self.log.compact(index);
    }

    pub(super) fn send(&mut self, to: MemberId, body: Body<E>) {
        self.messages.push(Message { from: self.id, to, term: self.term, body });
    }

    /// Sends when the disk has what the message tells.
    pub(super) fn promise(&mut self, to: MemberId, term: Term, body: Body<E>) {
        self.promises.push(Message { from: self.id, to, term, body });
    }

    fn send_outside_terms(&mut self, to: MemberId, body: Body<E>) {
        self.messages.push(Message { from: self.id, to, term: 0, body });
    }

    pub(super) fn hard_state(&self) -> HardState {
        HardState { term: self.term, vote: self.vote, commit: self.log.committed }
    }

    /// A message of this member's term, or of none.
    fn step_in_role(&mut self, from: MemberId, body: Body<E>) -> Result<(), Fatal> {
        match body {
            Body::Append { .. } | Body::Heartbeat { .. } | Body::Snapshot(_) => {
                self.follow(from, body)?;
            }
            Body::AppendResponse(appended) => self.hear_appended(from, appended),
            Body::HeartbeatResponse { context } => self.hear_heartbeat(from, context),
            Body::PreVoteResponse { granted } => {
                self.hear_vote(from, Role::PreCandidate, granted);
            }
            Body::VoteResponse { granted } => self.hear_vote(from, Role::Candidate, granted),
            // What cannot be passed on is lost: nobody answers a proposal or a read.
            Body::Propose(payload) => _ = self.propose(payload),
            Body::ReadIndex(context) => self.hear_read(Waiting { context, from }),
            Body::ReadIndexResponse(state) if self.role == Role::Follower => {
                self.read_states.push(state);
            }
            Body::ReadIndexResponse(_) => {}
            Body::TransferLeader(to) => self.transfer_leadership(to),
            Body::TimeoutNow => self.hear_timeout_now(),
            Body::PreVote(_) | Body::Vote(_) => unreachable!("votes do not depend on the role"),
        }
        Ok(())
    }
}

/// For those who look on.
impl<E: Clone> Raft<E> {
    /// The member's own number.
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// The current term.
    pub fn term(&self) -> Term {
        self.term
    }

    /// Whom it voted for in this term.
    pub fn vote(&self) -> Option<MemberId> {
        self.vote
    }

    /// What the member is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Who leads, as far as this member knows.
    pub fn leader(&self) -> Option<MemberId> {
        self.leader
    }

    /// The configuration in force on this member.
    pub fn membership(&self) -> &Membership {
        &self.tracker.membership
    }

    /// What a leader knows of a member's log.
    pub fn progress(&self, id: MemberId) -> Option<&Progress> {
        self.tracker.progress(id)
    }

    /// To whom the leader is handing over.
    pub fn transferee(&self) -> Option<MemberId> {
        self.transferee
    }

    /// The first entry that is not compacted.
    pub fn first_index(&self) -> Index {
        self.log.first_index()
    }

    /// The last entry.
    pub fn last_index(&self) -> Index {
        self.log.last_index()
    }

    /// Everything up to here is committed.
    pub fn committed(&self) -> Index {
        self.log.committed
    }

    /// Everything up to here was handed out and done.
    pub fn applied(&self) -> Index {
        self.log.applied
    }

    /// An entry of the log.
    pub fn entry(&self, index: Index) -> Option<&Entry<E>> {
        self.log.entry(index)
    }

    /// The term of an entry, also of the last one compacted.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        self.log.term(index)
    }
}
