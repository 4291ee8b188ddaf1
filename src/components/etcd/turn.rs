//! The loop of a member: ticks, messages and the disk, one after the other.
//!
//! Follows `etcdserver/raft.go`. While the log is being flushed no tick is taken; messages are
//! taken, and what comes of them waits. A leader's messages leave while its disk writes; those of
//! others leave after it.

use super::boot::POLL;
use super::errors::LEADER_CHANGED;
use super::peers::Peer;
use super::{ELECTION, Event, FLUSH, Member, OWN_FLUSH, PEER_PORT, Settings};
use crate::engine::{Duration, Purpose, SimTime, Text};
use crate::infra::{Ctx, MemberChange, NoSpace, Trace};
use crate::raft::{
    Body, Index, MemberId, Message as RaftMessage, Payload, Ready, Role, SnapshotStatus,
};
use crate::timeline::Value;
use crate::wire::{Message, PeerMessage, Proposal};

/// Where the log is.
const WAL: &str = "/var/lib/etcd/member/wal";

/// A turn whose write is on its way.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    since: SimTime,
    is_sent: bool,
    is_applied: bool,
    /// The disk has it, and what is left waits for the database.
    is_written: bool,
}

impl Writing {
    /// When the write was handed to the disk.
    pub fn since(self) -> SimTime {
        self.since
    }
}

impl Member {
    /// Takes what raft wants done, until it waits for the disk or for others.
    pub fn turn(&mut self, ctx: &mut Ctx<Event>) {
        // That it steps down is nothing to write or send, and yet a turn of its own.
        if self.writing.is_none() && !self.is_stopping {
            self.follow_leadership(ctx);
        }
        while self.writing.is_none() && self.raft.has_ready() && !self.is_stopping {
            let mut ready = std::mem::take(&mut self.ready);
            self.raft.ready(&mut ready);
            self.follow_leadership(ctx);
            let must_sync = ready.must_sync();
            let is_sent = self.raft.role() == Role::Leader || !must_sync;
            if is_sent {
                self.send_all(&mut ready.messages, ctx);
            }
            self.note_read_states(&ready.read_states);
            // What is committed is on a quorum's disks; what this disk has not begun to write
            // is applied after it.
            let unwritten = ready.entries.first().map_or(Index::MAX, |first| first.index);
            let last = ready.committed.last().map_or(0, |last| last.index);
            let is_kept = self.is_kept_by_backend(&ready);
            let is_applied = ready.snapshot.is_none() && last < unwritten && !is_kept;
            if is_applied {
                self.apply_all(&ready, ctx);
            }
            self.answer_reads(ctx);
            let writing = Writing { since: ctx.now(), is_sent, is_applied, is_written: !must_sync };
            if must_sync {
                let takes = self.flush_time(&ready, ctx);
                if let Err(full) = ctx.flush("etcd.walFsync", takes, Event::Flushed) {
                    return self.die_of_disk(full, ctx);
                }
            }
            if must_sync || is_kept {
                (self.ready, self.writing) = (ready, Some(writing));
                return;
            }
            self.finish(ready, writing, ctx);
        }
    }

    /// What cannot be saved ends the process at once: it has promised nothing of it yet but, as a
    /// leader, to have sent it (`r.storage.Save` in `etcdserver/raft.go`).
    ///
    /// Simplified: the first write fails. A real member goes on in the segment of 64 MB that it has
    /// set aside, until it needs another, or its database more room.
    fn die_of_disk(&mut self, full: NoSpace, ctx: &mut Ctx<Event>) {
        ctx.log(format!("failed to save Raft hard state and entries: write {WAL}: {full}"));
        self.stop(ctx);
    }

    /// The disk has it.
    pub fn flushed(&mut self, ctx: &mut Ctx<Event>) {
        if let Some(writing) = &mut self.writing {
            writing.is_written = true;
        }
        self.go_on_writing(ctx);
    }

    /// What was written is done with, once the database takes what has to be in it first.
    pub fn go_on_writing(&mut self, ctx: &mut Ctx<Event>) {
        let is_over = |writing: &mut Writing| writing.is_written;
        if self.is_kept_by_backend(&self.ready) {
            return;
        }
        let Some(writing) = self.writing.take_if(is_over) else { return };
        let ready = std::mem::take(&mut self.ready);
        self.finish(ready, writing, ctx);
        if std::mem::take(&mut self.tick_pending) {
            self.turn(ctx);
            self.tick(ctx);
        }
    }

    /// Time passes, unless the disk is writing.
    pub fn tick(&mut self, ctx: &mut Ctx<Event>) {
        if self.writing.is_some() {
            self.tick_pending = true;
            return;
        }
        let gap = ctx.now().since(std::mem::replace(&mut self.ticked, ctx.now()));
        if self.raft.role() == Role::Leader && gap > self.settings.heartbeat * 2 {
            ctx.log(
                "leader failed to send out heartbeat on time; took too long, leader is overloaded \
                 likely from slow disk",
            );
        }
        self.raft_tick(ctx);
    }

    /// A member that starts waits less long for a leader, once it has peers that would tell of one.
    pub fn advance_ticks(&mut self, ctx: &mut Ctx<Event>) {
        if self.peers.iter().filter(|peer| peer.is_active()).count() > 1 {
            (2..self.settings.raft.election_ticks).for_each(|_| self.raft_tick(ctx));
        } else if self.advance_polls > 0 {
            self.advance_polls -= 1;
            ctx.after("a member that starts waits for its peers", POLL, Event::AdvanceTicks);
        }
    }

    /// A tick of raft, with the draw that it may need.
    pub fn raft_tick(&mut self, ctx: &mut Ctx<Event>) {
        if self.raft.wants_draw() {
            self.raft.draw_timeout(ctx.draw(ELECTION));
        }
        self.raft.tick();
    }

    fn finish(&mut self, mut ready: Ready<Proposal>, writing: Writing, ctx: &mut Ctx<Event>) {
        self.wal.write(&ready);
        if !writing.is_sent {
            self.send_all(&mut ready.messages, ctx);
        }
        self.send_all(&mut ready.promises, ctx);
        if let Some(snapshot) = &ready.snapshot {
            self.take_over_snapshot(snapshot.index, ctx);
        }
        if !writing.is_applied {
            self.apply_all(&ready, ctx);
        }
        self.raft.advance(&ready);
        self.ready = ready;
        self.answer_reads(ctx);
        self.cut_log(ctx.now());
    }

    /// How long this flush takes; it is drawn for the first request in it.
    fn flush_time(&self, ready: &Ready<Proposal>, ctx: &mut Ctx<Event>) -> Duration {
        let proposal = ready.entries.iter().find_map(|entry| match &entry.payload {
            Payload::Empty => None,
            Payload::Normal(proposal) | Payload::Change(_, proposal) => Some(proposal),
        });
        let delay = self.settings.wal_fsync;
        match proposal {
            Some(proposal) => {
                ctx.draw_delay_for(self.flush_purpose(), delay, proposal.sender, proposal.count)
            }
            None => ctx.draw_delay(OWN_FLUSH, delay),
        }
    }

    /// The draws of this member's disk.
    pub fn flush_purpose(&self) -> Purpose {
        let number = u16::try_from(self.id.0 % 1_000).expect("below 1,000");
        Purpose(FLUSH.0 + number)
    }

    /// Messages that cannot leave are lost, and raft is told. Simplified: it is also told of one that is
    /// posted, as if it were lost: so it sends no more entries than one until it has heard an answer.
    fn send_all(&mut self, messages: &mut Vec<RaftMessage<Proposal>>, ctx: &mut Ctx<Event>) {
        for message in messages.drain(..) {
            let to = message.to;
            let way = self.peer(to).and_then(Peer::way);
            let post = self.peer(to).and_then(Peer::post).cloned();
            match (way, &message.body) {
                (Some(way), Body::Snapshot(_)) => self.send_snapshot(way, message, ctx),
                (Some(way), _) => {
                    ctx.send(way, Message::Peer(PeerMessage::Raft(message)));
                }
                (None, Body::Snapshot(_)) => {
                    self.raft.report_unreachable(to);
                    self.raft.report_snapshot(to, SnapshotStatus::Failed);
                }
                (None, _) => {
                    if let Some(vm) = post {
                        let posted = PeerMessage::Posted(self.store.origin().cluster, message);
                        ctx.post(vm, PEER_PORT, Message::Peer(posted));
                    }
                    self.raft.report_unreachable(to);
                }
            }
        }
    }

    /// Writes a snapshot, and forgets entries that only members far behind would ask for. While a member
    /// is sent a database nothing is forgotten until the next one is due: it needs what follows.
    pub fn cut_log(&mut self, now: SimTime) {
        let Settings { snapshot_count, compact_log_every, catch_up_entries, .. } = self.settings;
        let applied = self.raft.applied();
        if applied <= self.last_cut + compact_log_every {
            return;
        }
        // The store is behind; once it has what is missing this is called again.
        if self.backend.has_backlog() {
            return;
        }
        // One that came while the disk wrote takes the place of this log, with the next turn.
        if self.raft.has_snapshot_to_write() {
            return;
        }
        self.last_cut = applied;
        let snapshot = self.raft.take_snapshot();
        if !self.is_sending_database(now) {
            self.raft.compact(applied.saturating_sub(catch_up_entries));
        }
        if applied > self.wal.snapshot.index + snapshot_count {
            self.wal.save_snapshot(snapshot);
        }
    }

    /// True until some time after a database has been sent.
    pub fn is_sending_database(&self, now: SimTime) -> bool {
        let release = self.settings.snapshot_release;
        let is_held = |sent: SimTime| now.since(sent) < release;
        !self.sending.is_empty() || self.sent_snapshot.is_some_and(is_held)
    }

    /// Says who leads, as soon as raft knows: also while the disk writes (`run` of `raft/node.go`).
    pub fn say_leader(&mut self, ctx: &mut Ctx<Event>) {
        let now = self.raft.leader();
        let said = std::mem::replace(&mut self.said_leader, now);
        if said != now && !self.is_stopping {
            let name = |id: Option<MemberId>| id.map_or(Text::EMPTY, |id| self.name_of(id));
            ctx.log(leader_line(ctx.host(), &name(said), &name(now), self.raft.term()));
        }
    }

    /// Notices who leads, what it is itself, and what follows for those who wait. Clients are told of
    /// what it has noticed, not of what raft knows (`getLead` of `etcdserver/server.go`).
    fn follow_leadership(&mut self, ctx: &mut Ctx<Event>) {
        self.say_leader(ctx);
        self.seen_commit = self.raft.committed();
        let now = (self.raft.role(), self.raft.leader());
        let (role, leader) = std::mem::replace(&mut self.seen, now);
        if (role, leader) == now {
            return;
        }
        let member = ctx.host().clone();
        let tell = |field, from: Text, to: Text, ctx: &mut Ctx<Event>| {
            let value = |text: Text| if text.is_empty() { Value::Null } else { Value::Text(text) };
            let (from, to) = (value(from), value(to));
            let change = MemberChange { member: member.clone(), field, from, to, once: None };
            ctx.trace(Trace::Member(Box::new(change)));
        };
        if leader != now.1 {
            let name = |id: Option<MemberId>| id.map_or(Text::EMPTY, |id| self.name_of(id));
            let (from, to) = (name(leader), name(now.1));
            tell("leader", from, to, ctx);
        }
        if role != now.0 {
            let [from, to] = [role, now.0].map(|role| Text::word(role_word(role)));
            tell("role", from, to, ctx);
            match (role, now.0) {
                (_, Role::Leader) => {
                    self.elected = Some(ctx.now());
                    self.promote_lessor(ctx);
                }
                (Role::Leader, _) => self.demote_lessor(),
                _ => {}
            }
        }
        if now.1.is_some() && leader != now.1 {
            self.fail_reads(LEADER_CHANGED, ctx);
            self.propose_waiting(ctx);
        }
        self.watch_over_leader(ctx);
    }
}

/// A role as it stands in a timeline.
pub const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Follower => "Follower",
        Role::PreCandidate => "PreCandidate",
        Role::Candidate => "Candidate",
        Role::Leader => "Leader",
    }
}

fn leader_line(member: &str, from: &str, to: &str, term: u64) -> String {
    match (from, to) {
        (from, "") => format!("raft.node: {member} lost leader {from} at term {term}"),
        ("", to) => format!("raft.node: {member} elected leader {to} at term {term}"),
        (from, to) => {
            format!("raft.node: {member} changed leader from {from} to {to} at term {term}")
        }
    }
}
