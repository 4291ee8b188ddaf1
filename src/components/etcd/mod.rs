//! Etcd: the store behind an API server, kept by members that agree through Raft.
//!
//! Each member is one process on a VM. It knows objects only as values under keys. Follows
//! `etcd-io/etcd:server/etcdserver`; the agreement itself is floor 0's (`raft`). Where to look:
//!
//! | file | is |
//! |---|---|
//! | `boot` | how a process begins: with its data, without, out of a backup |
//! | `check` | whom it asks before, for a hash of theirs |
//! | `turn` | the loop: ticks, messages, the disk; who leads |
//! | `peers` | links to the other members |
//! | `requests`, `proposals`, `reads`, `streams` | what clients get |
//! | `apply` | what an entry does to the store |
//! | `members`, `transfer`, `lessor` | the group, its leader's office, leases |
//! | `backend` | what waits while the database is written to a disk that is ill |
//! | `group` | members that have long agreed |
//! | `rest` | ticks and heartbeats that are not played |
//! | `undisturbed` | renewals that are not |
//! | `store` | the data |
//!
//! Simplified: on a disk that is well what is committed is applied at once, and nobody gets `too many requests`; there is
//! no space quota.

mod apply;
mod backend;
mod boot;
mod check;
mod errors;
mod group;
mod lessor;
mod members;
mod peers;
mod proposals;
mod reads;
mod requests;
mod rest;
mod settings;
mod store;
mod streams;
#[cfg(test)]
mod tests;
mod transfer;
mod turn;
mod undisturbed;

use crate::engine::{Activity, Generation, Path, Phase, Purpose, Rhythm, SimTime, Text};
use crate::infra::{ActivityId, Ctx, Input, Port, Start};
use crate::raft::{Disk, Index, MemberId, Raft, Ready, Role, Term};
use crate::timeline::Cause;
use crate::wire::{Database, MemberStatus, Message, Proposal};
use backend::Backend;
pub use boot::RESTORED;
use lessor::Lessor;
use peers::Peer;
use proposals::Proposals;
use reads::Reads;
use requests::{Early, Forwarded};
pub use rest::{
    Heard, Passed, Poise, is_routine, is_routine_timer, is_to_write, may_propose, may_send,
    may_send_later,
};
pub use settings::Settings;
use std::sync::Arc;
pub use store::Store;
use streams::Streams;
use transfer::Transfer;
use turn::Writing;
pub use undisturbed::Course;

/// The port on which members talk to each other.
pub const PEER_PORT: Port = Port(2380);
/// The data directory: a member whose VM has lost it has lost everything.
pub const DATA_DIR: &str = "/var/lib/etcd/member";
/// What a data directory holds that is in use.
const FILLED: &str = "snap, wal";
/// Where a person writes the flags that a start needs once, as environment variables.
pub const FLAGS: &str = "/etc/default/etcd";
/// The file that `etcdctl snapshot save` writes on the member's VM.
pub const BACKUP: &str = "/var/lib/etcd-backup/snapshot.db";

/// What etcd reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The process has read its flags and its files.
    Booted,
    /// The one that was asked has not told in time who belongs to the cluster.
    JoinLate(Generation),
    /// The one that was asked has not told its hash in time.
    CheckLate(Generation),
    /// What a turn had to write is on disk.
    Flushed,
    /// It is time to commit to the database what was applied.
    CommitDue,
    /// A flush of that has ended.
    Committed,
    /// Some proposal may have taken too long.
    Deadline,
    /// The batch of reads has had no answer for a while.
    ReadRetry(Generation),
    /// The no-leader monitor looks.
    Monitor(Generation),
    /// Time to open a stream to a member.
    Dial(MemberId, Generation),
    /// A stream was asked for, and nothing came.
    DialLate(MemberId, Generation),
    /// Nothing may have come on a stream for too long.
    ReadLate(MemberId, Generation),
    /// A snapshot that was sent may be lost.
    SnapshotLate(MemberId),
    /// Are there enough peers to shorten the first time-out?
    AdvanceTicks,
    /// The leader looks for leases that have expired.
    Leases(Generation),
    /// A request that only the leader can answer is tried (again).
    Forward(u64),
    /// Who leads now?
    TransferPoll,
    /// A removed member stops.
    Stop,
    /// One that was told to end has waited for the others' connections.
    Closed,
}

/// One etcd process and what its VM's disk has of it.
#[derive(Clone, Debug)]
pub struct Etcd {
    settings: Settings,
    /// `--initial-cluster`: the VMs of those with whom it begins.
    initial_cluster: Vec<Text>,
    phase: Life,
    /// Its data survive the process, and are lost with the data directory.
    member: Option<Box<Member>>,
    /// What was on the disk before this start, until a member has begun with it or in its place.
    set_aside: Option<Box<Member>>,
}

/// How far a process has come.
#[derive(Clone, Debug)]
enum Life {
    /// Not there yet; what comes meanwhile lies in the sockets.
    Booting(Vec<(Input<Event>, Cause)>),
    /// Without data, it asks who belongs to the cluster.
    Joining(boot::Joining),
    /// With its data read, it asks the others for their hashes.
    Checking(check::Checking),
    Running,
    Over,
}

/// A member: what is on its disk, and what its process has in memory.
#[derive(Clone, Debug)]
struct Member {
    settings: Settings,
    id: MemberId,
    wal: Disk<Proposal>,
    store: Store,
    backend: Backend,
    /// What `etcdctl snapshot save` has written on this VM.
    backup: Option<Arc<Database>>,
    /// Makes the numbers of proposals, reads and leases unique.
    next: u32,

    raft: Raft<Proposal>,
    ready: Ready<Proposal>,
    /// The turn whose write is on its way.
    writing: Option<Writing>,
    /// A tick that fell due while the disk was writing; a ticker keeps no more than one.
    tick_pending: bool,
    is_ticking: bool,
    ticked: SimTime,
    /// When it last heard from its leader what keeps it from campaigning.
    followed: SimTime,
    /// Role and leader as they were at the last turn, and what was committed then.
    seen: (Role, Option<MemberId>),
    seen_commit: Index,
    /// Who leads as its log said last.
    said_leader: Option<MemberId>,
    /// The term of the last entry that it has applied.
    applied_term: Term,
    /// When it became leader last.
    elected: Option<SimTime>,
    peers: Vec<Peer>,
    /// A snapshot's state, until raft has taken the snapshot.
    incoming: Option<(Index, Arc<Database>)>,
    /// Members to which a snapshot is on its way, and when the last one was.
    sending: Vec<MemberId>,
    sent_snapshot: Option<SimTime>,
    /// Up to here entries were applied when the log was cut last.
    last_cut: Index,
    /// It has published itself and serves clients; what they ask before waits.
    is_serving: bool,
    early: Vec<Early>,
    forwarded: Vec<Forwarded>,
    proposals: Proposals,
    reads: Reads,
    streams: Streams,
    lessor: Lessor,
    transfers: Vec<Transfer>,
    /// The revision at the last compaction.
    compact_next: crate::api::Revision,
    started: SimTime,
    /// The number of polls that are left for `AdvanceTicks`.
    advance_polls: u32,
    /// It was told to end, and serves clients no more.
    is_closing: bool,
    is_stopping: bool,
}

/// The draws for disk flushes; the number of the member is added, since each has a disk of its own.
const FLUSH: Purpose = Purpose(199);
/// The draws for flushes without a client's request.
const OWN_FLUSH: Purpose = Purpose(0);
/// Election time-outs.
const ELECTION: Purpose = Purpose(1);
/// The time that a process takes to begin.
const BOOT: Purpose = Purpose(2);
/// How long ago a leader has counted its quorum when the run begins.
const COUNTED: Purpose = Purpose(4);
/// Flushes of commits to the database, and when in a pause between two a disk gets ill.
const COMMIT_FLUSH: Purpose = Purpose(5);
const COMMIT_PHASE: Purpose = Purpose(6);
/// The phase of the no-leader monitor.
const MONITOR: Purpose = Purpose(3);

const COMPACTION: ActivityId = ActivityId(0);
const TICK: ActivityId = ActivityId(1);
const ALIVE: ActivityId = ActivityId(2);

impl Etcd {
    /// A member that is to join a cluster of members on these VMs, without data as yet.
    pub fn joining(settings: Settings, initial_cluster: Vec<Text>) -> Etcd {
        Etcd { settings, initial_cluster, phase: Life::Over, member: None, set_aside: None }
    }

    /// The number of the member whose data these are; nothing without data.
    pub fn id(&self) -> Option<MemberId> {
        self.member.as_ref().map(|member| member.id)
    }

    /// What this member has applied, for those who look at the whole world; nothing if it has no
    /// data.
    pub fn store(&self) -> Option<&Store> {
        self.member.as_ref().map(|member| &member.store)
    }

    /// The agreement of this member with the others, for those who look at the whole world; nothing
    /// if it has no data.
    pub fn raft(&self) -> Option<&Raft<Proposal>> {
        self.member.as_ref().map(|member| &member.raft)
    }

    /// The term in which this member leads its cluster, as far as it knows; none if it does not.
    pub fn leads_in(&self) -> Option<Term> {
        let member = self.at_work()?;
        (member.raft.role() == Role::Leader).then(|| member.raft.term())
    }

    /// What a member on this disk is, and whom it follows, for those who look at the whole world.
    pub fn standing(&self) -> Option<(&'static str, Option<Text>)> {
        let member = self.member.as_ref()?;
        let leader = member.raft.leader().map(|leader| member.name_of(leader));
        Some((turn::role_word(member.raft.role()), leader))
    }

    /// How a running member would answer `endpoint status`.
    pub fn status(&self) -> Option<MemberStatus> {
        self.at_work().map(|member| member.status())
    }

    /// The member of a process that has begun, and has not stopped Raft to end.
    fn at_work(&self) -> Option<&Member> {
        let is_running = matches!(self.phase, Life::Running);
        self.member.as_deref().filter(|member| is_running && !member.is_stopping)
    }

    /// Since when a running member has waited for its disk, and does nothing else; none if it does not.
    pub fn writes_since(&self) -> Option<SimTime> {
        Some(self.member.as_ref()?.writing?.since())
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Due(Event::Booted) => self.boot(ctx),
            input => match &mut self.phase {
                Life::Booting(_) | Life::Joining(_) | Life::Checking(_)
                    if matches!(input, Input::Terminate) =>
                {
                    self.phase = Life::Over;
                    ctx.exit();
                }
                Life::Booting(held) => held.push((input, ctx.cause())),
                Life::Joining(_) => self.on_joining(input, ctx),
                Life::Checking(_) => self.on_checking(input, ctx),
                Life::Running => {
                    let member = self.member.as_mut().expect("a running process has data");
                    member.on_event(input, ctx);
                }
                Life::Over => {}
            },
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        ctx.catch_term();
        match start {
            Start::Steady => {
                let member = self.member.as_mut().expect("a member that has long run has data");
                ctx.write(DATA_DIR, FILLED).expect("a run begins with room on every disk");
                member.begin_steady(ctx);
                self.phase = Life::Running;
            }
            Start::Fresh => {
                self.phase = Life::Booting(Vec::new());
                let takes = ctx.draw_delay(BOOT, self.settings.boot);
                ctx.after("etcd.processStart", takes, Event::Booted);
            }
        }
    }
}

impl Member {
    fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        if self.is_stopping {
            if matches!(input, Input::Due(Event::Closed)) {
                ctx.exit();
            }
            return;
        }
        self.see_to_commit(ctx);
        match input {
            Input::Tick(TICK) => self.tick(ctx),
            Input::Tick(ALIVE) => self.keep_links(ctx),
            Input::Tick(_) => {
                let upto = std::mem::replace(&mut self.compact_next, self.store.revision());
                self.store.compact(upto);
            }
            Input::Message(from, Message::Peer(message)) => self.hear_peer(from, message, ctx),
            Input::Message(from, Message::Store(request)) => self.accept(from, *request, ctx),
            Input::Message(from, Message::HealthCheck(id, path)) => {
                self.check_health((from, id), path, ctx);
            }
            Input::Due(event) => self.on_timer(event, ctx),
            Input::Broken(connection, how) => self.on_broken(connection, how, ctx),
            Input::Terminate => self.terminate(ctx),
            Input::Message(..)
            | Input::Container(..)
            | Input::ProgramEnded(_)
            | Input::FileChanged(_)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Started(_) => {}
        }
        self.say_leader(ctx);
        self.turn(ctx);
        self.arm_reads(ctx);
        self.see_to_commit(ctx);
    }

    fn on_timer(&mut self, event: Event, ctx: &mut Ctx<Event>) {
        match event {
            Event::Flushed => self.flushed(ctx),
            Event::CommitDue => self.commit_due(ctx),
            Event::Committed => self.committed(ctx),
            Event::Deadline => self.fail_late(ctx),
            Event::ReadRetry(due) => self.retry_reads(due, ctx),
            Event::Monitor(due) => self.monitor(due, ctx),
            Event::Dial(peer, due) => self.dial(peer, due, ctx),
            Event::DialLate(peer, due) => self.dial_late(peer, due, ctx),
            Event::ReadLate(peer, due) => self.read_late(peer, due, ctx),
            Event::SnapshotLate(peer) => self.end_snapshot(peer, ctx),
            Event::AdvanceTicks => self.advance_ticks(ctx),
            Event::Leases(due) => self.expire_leases(due, ctx),
            Event::Forward(number) => self.forward(number, ctx),
            Event::TransferPoll => self.poll_transfers(ctx),
            Event::Stop => self.stop(ctx),
            Event::Booted | Event::JoinLate(_) | Event::CheckLate(_) | Event::Closed => {}
        }
    }

    /// Ends the process.
    fn stop(&mut self, ctx: &mut Ctx<Event>) {
        self.is_stopping = true;
        ctx.exit();
    }

    /// A number that nothing else in this cluster has.
    fn next_number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        u64::from(self.id.0) << 32 | u64::from(self.next)
    }

    /// Where a member runs, which is also its name.
    fn name_of(&self, id: MemberId) -> Text {
        let known = self.store.member(id).map(|member| member.vm.clone());
        let peer = || self.peers.iter().find(|peer| peer.id == id).map(|peer| peer.vm.clone());
        known.or_else(peer).unwrap_or_default()
    }

    /// Its loop ticks, unless nothing could come of it: whoever leads alone goes on to do so.
    fn tick_if_needed(&mut self, phase: Phase, ctx: &mut Ctx<Event>) {
        let alone = self.peers.is_empty() && self.raft.role() == Role::Leader;
        if alone || std::mem::replace(&mut self.is_ticking, true) {
            return;
        }
        ctx.every(TICK, ticker("etcd.heartbeatInterval", self.settings.heartbeat), phase);
        ctx.every(ALIVE, ticker("etcd.peerReadTimeout", self.settings.link_heartbeat()), phase);
    }
}

fn ticker(rule: crate::engine::Rule, period: crate::engine::Duration) -> Activity {
    Activity { rule, period, jitter_percent: 0, rhythm: Rhythm::Ticker, path: Path::Own }
}
