//! How a process begins: with its data; without, asking the others who belongs to the cluster; out
//! of a backup; or as a cluster of its own, because a person wants it.
//!
//! Follows `etcdserver/bootstrap.go`. A data directory is one file on the VM's disk: who has lost
//! it has lost its vote, its log and its database.

use super::backend::Backend;
use super::group::first_snapshot;
use super::{
    BACKUP, COMPACTION, COUNTED, DATA_DIR, Etcd, Event, FILLED, FLAGS, Life, Member, PEER_PORT,
    Settings, Store, ticker,
};
use crate::engine::{Duration, Phase, Rule, Text, Timer, index_below};
use crate::infra::{ConnectionId, Ctx, Input};
use crate::raft::{Disk, MemberId, Role};
use crate::timeline::Cause;
use crate::wire::{Database, MemberInfo, Message, Origin, PeerMessage, Proposal};
use std::sync::Arc;

/// What the data directory is after `etcdutl snapshot restore`, until the next start.
pub const RESTORED: &str = "restored";

/// A process without data that asks who belongs to the cluster.
#[derive(Clone, Debug)]
pub struct Joining {
    state: ClusterState,
    /// The others whom it has not asked, the next at the end.
    unasked: Vec<Text>,
    asked: Option<ConnectionId>,
    /// How long it waits for the one that was asked.
    turn: Timer,
    /// What clients want: their connections wait until it serves, as in the kernel's backlog.
    held: Vec<(Input<Event>, Cause)>,
}

impl Joining {
    /// How long one of the others may take to answer: who is new would do without.
    fn limit(&self, settings: &Settings) -> (Rule, Duration) {
        match self.state {
            ClusterState::New => ("etcd.bootstrapTimeout", settings.bootstrap_timeout),
            ClusterState::Existing => ("etcd.joinTimeout", settings.join_timeout),
        }
    }
}

/// `--initial-cluster-state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClusterState {
    New,
    Existing,
}

/// What a person has written for this start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags {
    state: ClusterState,
    force_new_cluster: bool,
}

impl Flags {
    /// Reads the environment variables that override what the process is started with.
    fn read(text: Option<&Text>) -> Flags {
        let mut flags = Flags { state: ClusterState::New, force_new_cluster: false };
        for line in text.map_or("", Text::as_str).lines() {
            match line.trim() {
                "ETCD_INITIAL_CLUSTER_STATE=existing" => flags.state = ClusterState::Existing,
                "ETCD_FORCE_NEW_CLUSTER=true" => flags.force_new_cluster = true,
                _ => {}
            }
        }
        flags
    }
}

/// `--initial-cluster`, where somebody has written it for this member.
fn initial_cluster(text: Option<&Text>) -> Option<Vec<Text>> {
    let mut lines = text?.lines();
    let vms = lines.find_map(|line| line.trim().strip_prefix("ETCD_INITIAL_CLUSTER="))?;
    Some(vms.split(',').map(Text::from).collect())
}

impl Etcd {
    /// The process has read its flags and its files.
    pub(super) fn boot(&mut self, ctx: &mut Ctx<Event>) {
        let Life::Booting(held) = std::mem::replace(&mut self.phase, Life::Running) else { return };
        let written = ctx.disk().read(FLAGS).cloned();
        let flags = Flags::read(written.as_ref());
        if let Some(vms) = initial_cluster(written.as_ref()) {
            self.initial_cluster = vms;
        }
        if let Some(old) = self.member.take() {
            self.set_aside = Some(old);
        }
        match ctx.disk().read(DATA_DIR).map(Text::as_str) {
            Some(RESTORED) => self.restore(ctx),
            Some(FILLED) if self.set_aside.is_some() => {
                self.resume(flags.force_new_cluster, ctx);
            }
            // Without data, or with a directory that holds none.
            _ => self.join(flags.state, ctx),
        }
        self.serve_those_held(held, ctx);
    }

    /// A process with data goes on where the last one was, once it has asked the others for their hashes.
    fn resume(&mut self, force_new_cluster: bool, ctx: &mut Ctx<Event>) {
        let Some(old) = &self.set_aside else { return };
        let id = old.id;
        if old.store.is_removed(id) {
            ctx.log("the member has been permanently removed from the cluster");
            ctx.log("data-dir used by this member must be removed");
            return self.end(ctx);
        }
        // With all that it has: also who is to be dropped is asked.
        let others = self.to_check(id, &old.wal, &old.store);
        let (mut wal, store) = match force_new_cluster {
            true => alone(id, &old.wal, &old.store, ctx),
            false => (old.wal.clone(), old.store.clone()),
        };
        // The database has applied more of the log than its snapshot has: also of the changes of
        // the group.
        if store.applied() > wal.snapshot.index {
            wal.snapshot.membership = store.database().membership();
        }
        if self.load((id, wal, store), ctx) {
            match others.is_empty() {
                true => self.begin(&[], ctx),
                false => self.begin_check(others, ctx),
            }
        }
    }

    /// Starts a member with this on its disk, linked to those in its database and to these.
    fn run(
        &mut self,
        data: (MemberId, Disk<Proposal>, Store),
        others: &[MemberInfo],
        ctx: &mut Ctx<Event>,
    ) {
        if self.load(data, ctx) {
            self.begin(others, ctx);
        }
    }

    /// Reads what is on a member's disk; false if that ends the process, and what it had is as it was.
    fn load(
        &mut self,
        (id, wal, store): (MemberId, Disk<Proposal>, Store),
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let mut member = match Member::new(self.settings, id, wal, store) {
            Ok(member) => member,
            Err(fatal) => {
                ctx.log(format!("panic: {fatal}"));
                self.end(ctx);
                return false;
            }
        };
        let has_dir = ctx.disk().read(DATA_DIR).is_some_and(|dir| *dir == *FILLED);
        if !has_dir && let Err(full) = ctx.write(DATA_DIR, FILLED) {
            ctx.log(format!("failed to create WAL: mkdir {DATA_DIR}: {full}"));
            self.end(ctx);
            return false;
        }
        member.backup = self.saved(ctx);
        member.next = self.set_aside.take().map_or(0, |old| old.next);
        self.member = Some(Box::new(member));
        true
    }

    /// What `etcdctl snapshot save` has written on this VM, if the file is still there.
    fn saved(&self, ctx: &Ctx<Event>) -> Option<Arc<Database>> {
        let backup = self.set_aside.as_ref()?.backup.clone();
        backup.filter(|_| ctx.disk().read(BACKUP).is_some())
    }

    /// The member that has been read takes part.
    pub(super) fn begin(&mut self, others: &[MemberInfo], ctx: &mut Ctx<Event>) {
        if let Some(member) = &mut self.member {
            member.begin(others, ctx);
            self.phase = Life::Running;
        }
    }

    /// `etcdutl snapshot restore`: a new cluster of one, with new numbers and the old data.
    fn restore(&mut self, ctx: &mut Ctx<Event>) {
        let Some(backup) = self.saved(ctx) else {
            ctx.log(format!("snapshot restore: open {BACKUP}: no such file or directory"));
            return self.end(ctx);
        };
        let id = Store::of(&backup).next_member();
        let own = MemberInfo { id, vm: ctx.host().clone(), started: false, learner: false };
        let mut store = Store::of(&backup).restored(ctx.now(), own);
        store.set_applied(1);
        let wal = Disk::with_snapshot(first_snapshot(store.database().membership()));
        self.run((id, wal, store), &[], ctx);
    }

    /// Asks the others who belongs to the cluster, one after the other in the order of their addresses
    /// (`cluster_util.go`, `getClusterFromRemotePeers`).
    ///
    /// Simplified: a member's address is its VM's name.
    fn join(&mut self, state: ClusterState, ctx: &mut Ctx<Event>) {
        let host = ctx.host().clone();
        let others = self.initial_cluster.iter().filter(|vm| **vm != host);
        let mut unasked: Vec<Text> = others.cloned().collect();
        unasked.sort_unstable_by(|a, b| b.cmp(a));
        let (asked, turn, held) = (None, Timer::default(), Vec::new());
        self.phase = Life::Joining(Joining { state, unasked, asked, turn, held });
        self.ask_next(ctx);
    }

    /// Asks the next; if none is left, nobody has told.
    fn ask_next(&mut self, ctx: &mut Ctx<Event>) {
        let settings = self.settings;
        let Life::Joining(joining) = &mut self.phase else { return };
        if let Some(asked) = joining.asked.take() {
            ctx.close(asked);
        }
        let Some(vm) = joining.unasked.pop() else { return self.ask_in_vain(ctx) };
        let asked = ctx.connect_to_vm(vm, PEER_PORT);
        ctx.send(asked, Message::Handshake);
        ctx.send(asked, Message::Peer(PeerMessage::WhoIsMember));
        joining.asked = Some(asked);
        let due = joining.turn.restart();
        let (rule, limit) = joining.limit(&settings);
        // The dial may end sooner than the whole request.
        let dial = settings.peer_dial_timeout();
        match dial < limit {
            true => ctx.after("etcd.peerDialTimeoutBase", dial, Event::JoinLate(due)),
            false => ctx.after(rule, limit, Event::JoinLate(due)),
        }
    }

    /// An event while it asks.
    pub(super) fn on_joining(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let settings = self.settings;
        let Life::Joining(joining) = &mut self.phase else { return };
        match input {
            Input::Message(_, Message::Peer(PeerMessage::Members(members, origin))) => {
                self.told(members, origin, ctx);
            }
            // It is connected: now the whole request may take its time.
            Input::Message(from, Message::Handshake) if joining.asked == Some(from) => {
                let due = joining.turn.restart();
                let (rule, limit) = joining.limit(&settings);
                ctx.after(rule, limit, Event::JoinLate(due));
            }
            Input::Broken(connection, _) if joining.asked == Some(connection) => {
                joining.asked = None;
                self.ask_next(ctx);
            }
            // It does not know yet whether it belongs to those who ask.
            Input::Message(from, Message::Peer(PeerMessage::Open { .. })) => {
                ctx.send(from, Message::Peer(PeerMessage::Refused));
            }
            Input::Due(Event::JoinLate(due)) if joining.turn.is_current(due) => self.ask_next(ctx),
            // As what clients want, what members post lies in the sockets.
            Input::Message(
                _,
                Message::Store(_)
                | Message::HealthCheck(..)
                | Message::Peer(PeerMessage::Posted(..) | PeerMessage::AskHash),
            )
            | Input::Broken(..) => {
                joining.held.push((input, ctx.cause()));
            }
            _ => {}
        }
    }

    pub(super) fn serve_those_held(
        &mut self,
        held: Vec<(Input<Event>, Cause)>,
        ctx: &mut Ctx<Event>,
    ) {
        for (input, cause) in held {
            ctx.saw(cause);
            self.on_event(input, ctx);
        }
    }

    /// A running member has said who belongs to the cluster.
    fn told(&mut self, members: Vec<MemberInfo>, origin: Origin, ctx: &mut Ctx<Event>) {
        let Life::Joining(joining) = std::mem::replace(&mut self.phase, Life::Over) else { return };
        let Joining { state, asked, held, .. } = joining;
        if let Some(connection) = asked {
            ctx.close(connection);
        }
        let own = members.iter().find(|member| member.vm == *ctx.host());
        match (state, own) {
            (ClusterState::Existing, Some(own)) => {
                let store = Store::of(&Database { origin, ..Database::default() });
                self.run((own.id, Disk::default(), store), &members, ctx);
                self.serve_those_held(held, ctx);
            }
            (ClusterState::New, Some(own)) => {
                ctx.log(format!(
                    "discovery failed: member {} has already been bootstrapped",
                    own.vm
                ));
                self.end(ctx);
            }
            (_, None) => {
                ctx.log("error validating peerURLs: member count is unequal");
                self.end(ctx);
            }
        }
    }

    /// Nobody has answered.
    fn ask_in_vain(&mut self, ctx: &mut Ctx<Event>) {
        let Life::Joining(joining) = std::mem::replace(&mut self.phase, Life::Over) else { return };
        let Joining { state, asked, held, .. } = joining;
        if let Some(connection) = asked {
            ctx.close(connection);
        }
        if state == ClusterState::Existing {
            ctx.log(
                "cannot fetch cluster info from peer urls: could not retrieve cluster information \
                 from the given URLs",
            );
            return self.end(ctx);
        }
        let host = ctx.host().clone();
        let vms = if self.initial_cluster.is_empty() {
            vec![host.clone()]
        } else {
            self.initial_cluster.clone()
        };
        let members: Vec<MemberInfo> = (1..)
            .map(MemberId)
            .zip(vms)
            .map(|(id, vm)| MemberInfo { id, vm, started: false, learner: false })
            .collect();
        let Some(id) = members.iter().find(|member| member.vm == host).map(|member| member.id)
        else {
            ctx.log("couldn't find local name in the initial cluster configuration");
            return self.end(ctx);
        };
        let mut store = Store::default().of_members(members);
        store.set_applied(1);
        let wal = Disk::with_snapshot(first_snapshot(store.database().membership()));
        self.run((id, wal, store), &[], ctx);
        self.serve_those_held(held, ctx);
    }

    /// The start has failed: the disk has what it had.
    fn end(&mut self, ctx: &mut Ctx<Event>) {
        self.member = self.set_aside.take();
        self.phase = Life::Over;
        ctx.exit();
    }
}

/// `--force-new-cluster`: keeps what it has of the data and removes everybody else. What was not
/// committed is lost.
fn alone(
    id: MemberId,
    wal: &Disk<Proposal>,
    store: &Store,
    ctx: &Ctx<Event>,
) -> (Disk<Proposal>, Store) {
    let Some(own) = store.member(id).cloned() else { return (wal.clone(), store.clone()) };
    let own = MemberInfo { learner: false, ..own };
    let store = store.clone().without_others(ctx.now(), own);
    let snapshot = crate::raft::Snapshot {
        index: store.applied(),
        term: wal.hard_state.term,
        membership: store.database().membership(),
    };
    (Disk::with_snapshot(snapshot), store)
}

impl Member {
    /// The run begins, and this member has long been part of its group.
    pub fn begin_steady(&mut self, ctx: &mut Ctx<Event>) {
        self.started = ctx.now();
        let members = self.store.members().to_vec();
        self.set_peers(&members, ctx);
        self.open_links();
        ctx.every(
            COMPACTION,
            ticker("etcd.compactionInterval", self.settings.compaction),
            Phase::Stationary,
        );
        self.tick_if_needed(Phase::Stationary, ctx);
        // Somewhere between two counts of its quorum.
        if self.is_ticking && self.raft.role() == Role::Leader {
            let ticks = u64::from(self.settings.raft.election_ticks);
            let since = index_below(ticks, ctx.draw(COUNTED));
            (0..since).for_each(|_| self.raft_tick(ctx));
        }
    }

    /// A new process: nobody has heard of it, and it knows no leader.
    fn begin(&mut self, others: &[MemberInfo], ctx: &mut Ctx<Event>) {
        (self.started, self.ticked) = (ctx.now(), ctx.now());
        self.backend = Backend::opened(ctx.now());
        let members = self.store.members();
        let members = if members.is_empty() { others.to_vec() } else { members.to_vec() };
        self.set_peers(&members, ctx);
        ctx.every(
            COMPACTION,
            ticker("etcd.compactionInterval", self.settings.compaction),
            Phase::AfterPause,
        );
        self.tick_if_needed(Phase::AfterPause, ctx);
        self.watch_over_leader(ctx);
        let election = self.settings.raft.election_ticks;
        if self.peers.is_empty() {
            // Nobody is there whom it could disturb.
            (1..election).for_each(|_| self.raft_tick(ctx));
        } else {
            let polls = self.settings.peer_read_timeout.as_micros() / POLL.as_micros();
            self.advance_polls = u32::try_from(polls).unwrap_or(u32::MAX);
            ctx.after("a member that starts waits for its peers", POLL, Event::AdvanceTicks);
        }
        self.publish(ctx);
    }
}

/// How often a member that starts looks for links that are up.
pub const POLL: Duration = Duration::from_millis(50);
