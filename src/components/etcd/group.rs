//! Members that have long agreed: with what a run begins.
//!
//! Their pure Rafts are run against each other until one leads and all have applied everything.

use super::{Etcd, Life, Member, Settings, Store};
use crate::api::Object;
use crate::engine::{SimTime, Text};
use crate::raft::{Disk, Fatal, MemberId, Membership, Message, Raft, Ready, Role, Snapshot};
use crate::wire::{MemberInfo, Proposal};

/// In more rounds than this something is wrong.
const ROUNDS: usize = 1_000;

impl Etcd {
    /// The settled members of a cluster on these VMs, led by the one at `leader`, whose store holds
    /// these objects.
    ///
    /// Panics if there is no such member.
    pub fn group(
        settings: Settings,
        vms: &[Text],
        leader: usize,
        objects: Vec<Object>,
    ) -> Vec<Etcd> {
        assert!(leader < vms.len(), "one of the members leads");
        let numbered = || (1..).map(MemberId).zip(vms);
        let store = Store::holding(objects).of_members(
            numbered()
                .map(|(id, vm)| MemberInfo { id, vm: vm.clone(), started: true, learner: false })
                .collect(),
        );
        let mut members: Vec<Member> =
            numbered().map(|(id, _)| settled(settings, id, store.clone())).collect();
        elect(&mut members, leader);
        members
            .into_iter()
            .map(|member| Etcd {
                settings,
                initial_cluster: vms.to_vec(),
                phase: Life::Running,
                set_aside: None,
                member: Some(Box::new(member)),
            })
            .collect()
    }
}

impl Member {
    /// A member with this on its disk, whose process has just begun. Of a disk that contradicts
    /// itself it says so.
    pub fn new(
        settings: Settings,
        id: MemberId,
        wal: Disk<Proposal>,
        store: Store,
    ) -> Result<Member, Fatal> {
        let raft = Raft::new(id, settings.raft, &wal)?;
        Ok(Member {
            settings,
            id,
            last_cut: wal.snapshot.index,
            compact_next: store.revision(),
            wal,
            store,
            backend: Default::default(),
            backup: None,
            next: 0,
            raft,
            ready: Ready::default(),
            writing: None,
            tick_pending: false,
            is_ticking: false,
            ticked: SimTime::ZERO,
            followed: SimTime::ZERO,
            seen: (Role::Follower, None),
            seen_commit: 0,
            said_leader: None,
            applied_term: 0,
            elected: None,
            peers: Vec::new(),
            incoming: None,
            sending: Vec::new(),
            sent_snapshot: None,
            is_serving: false,
            early: Vec::new(),
            forwarded: Vec::new(),
            proposals: Default::default(),
            reads: Default::default(),
            streams: Default::default(),
            lessor: Default::default(),
            transfers: Vec::new(),
            started: SimTime::ZERO,
            advance_polls: 0,
            is_closing: false,
            is_stopping: false,
        })
    }
}

/// One of the first members: its log begins with a snapshot that names them all.
fn settled(settings: Settings, id: MemberId, mut store: Store) -> Member {
    let membership = store.database().membership();
    store.set_applied(1);
    let wal = Disk::with_snapshot(first_snapshot(membership));
    Member::new(settings, id, wal, store).expect("a new disk is whole")
}

/// What a log begins with in which nothing has happened yet.
pub fn first_snapshot(membership: Membership) -> Snapshot {
    Snapshot { index: 1, term: 1, membership }
}

fn elect(members: &mut [Member], leader: usize) {
    members[leader].raft.campaign();
    let mut flight: Vec<Message<Proposal>> = Vec::new();
    for _ in 0..ROUNDS {
        for member in members.iter_mut() {
            exchange(member, &mut flight);
        }
        if flight.is_empty() {
            for member in members.iter_mut() {
                member.seen = (member.raft.role(), member.raft.leader());
                member.said_leader = member.raft.leader();
                member.seen_commit = member.raft.committed();
                member.applied_term = member.raft.term();
                member.is_serving = true;
            }
            return;
        }
        for message in flight.drain(..) {
            let to = members.iter_mut().find(|member| member.id == message.to);
            let to = to.expect("members write to members");
            to.raft.step(message).expect("no disk was lost");
        }
    }
    panic!("members that hear each other come to an agreement");
}

/// Everything that one member wants done, at once.
fn exchange(member: &mut Member, flight: &mut Vec<Message<Proposal>>) {
    let mut ready = Ready::default();
    while member.raft.has_ready() {
        member.raft.ready(&mut ready);
        member.wal.write(&ready);
        flight.append(&mut ready.messages);
        flight.append(&mut ready.promises);
        if let Some(last) = ready.committed.last() {
            member.store.set_applied(last.index);
        }
        member.raft.advance(&ready);
    }
}
