//! Raft's laws against made-up members: what an ordinary group does holds, what breaks each law does
//! break it.

use super::members::{Glimpse, GroupId, Members, Moved};
use super::raft::{
    ELECTION_SAFETY, LEADER_COMPLETENESS, LOG_MATCHING, STATE_MACHINE_SAFETY, STORES_AGREE,
};
use super::{Invariant, Law, Verdict};
use crate::api::{Body, Kind, Meta, Object};
use crate::components::etcd::Store;
use crate::engine::SimTime;
use crate::infra::ProcessId;
use crate::raft::{
    Disk, Entry, HardState, Index, MemberId, Membership, Payload, Raft, Ready, Role, Settings,
    Snapshot, Term,
};
use crate::scenario::{Game, Simulation, load};
use crate::wire::{Proposal, Write};
use crate::world::WORKLOAD_CLUSTER;
use std::sync::Arc;

/// A member with entries of these terms from index 1 on, of which so many are committed.
fn member(id: u32, term: Term, terms: &[Term], commit: Index) -> Raft<Proposal> {
    let membership = Membership::of_voters([MemberId(id)]);
    let snapshot = Snapshot { index: 0, term: 0, membership };
    let mut disk = Disk::with_snapshot(snapshot);
    let mut ready = Ready::default();
    let entry =
        |(index, term): (Index, &Term)| Entry { index, term: *term, payload: normal(index) };
    ready.entries = (1..).zip(terms).map(entry).collect();
    ready.hard_state = Some(HardState { term, vote: None, commit });
    disk.write(&ready);
    let settings = Settings {
        election_ticks: 10,
        heartbeat_ticks: 1,
        pre_vote: false,
        check_quorum: false,
        max_entries_per_append: 10,
        max_inflight: 10,
    };
    Raft::new(MemberId(id), settings, &disk).unwrap()
}

fn normal(number: u64) -> Payload<Proposal> {
    Payload::Normal(Arc::new(crate::wire::Proposed {
        id: number,
        sender: crate::engine::Owner::named("test"),
        count: 0,
        cause: Default::default(),
        write: Write::PromoteMember,
        made: Default::default(),
    }))
}

/// The member after it has won an election of its own, in the term after its last.
fn elected(mut raft: Raft<Proposal>) -> Raft<Proposal> {
    raft.campaign();
    let mut ready = Ready::default();
    while raft.has_ready() {
        raft.ready(&mut ready);
        raft.advance(&ready);
    }
    assert_eq!(raft.role(), Role::Leader);
    raft
}

/// What the law says of these members of one group, each with its store, one after the other.
fn judge(law: &Invariant, members: &[(&Raft<Proposal>, &Store)]) -> Verdict {
    let world = beginning();
    let mut law: Box<dyn Law> = (law.begin)();
    for (raft, store) in members {
        let moved = Moved {
            view: world.view(),
            process: ProcessId(0),
            group: GroupId(0),
            raft,
            store,
            before: None,
            now: Glimpse::of(raft, store),
        };
        match law.look_at_member(&moved) {
            Verdict::Holds => {}
            found => return found,
        }
    }
    Verdict::Holds
}

fn beginning() -> Simulation {
    let scenario = load("worker-kubelet-stopped").unwrap();
    Game::new(&scenario, Some("lab-k8s-1.34-capi-1.14"), &[], None).unwrap().begin(1)
}

fn says(verdict: Verdict) -> String {
    match verdict {
        Verdict::Broken(breach) => breach.says.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The members without stores of interest.
fn of<'a>(
    members: &[&'a Raft<Proposal>],
    store: &'a Store,
) -> Vec<(&'a Raft<Proposal>, &'a Store)> {
    members.iter().map(|raft| (*raft, store)).collect()
}

#[test]
fn two_leaders_of_one_term_break_election_safety() {
    let store = Store::default();
    let (a, b) = (elected(member(1, 4, &[4], 1)), elected(member(2, 4, &[4], 1)));
    assert_eq!(
        says(judge(&ELECTION_SAFETY, &of(&[&a, &b], &store))),
        "leads in term 5, as another did"
    );
    let later = elected(member(2, 5, &[4], 1));
    assert_eq!(judge(&ELECTION_SAFETY, &of(&[&a, &later], &store)), Verdict::Holds);
}

#[test]
fn an_entry_after_different_ones_breaks_log_matching() {
    let store = Store::default();
    let (a, b) = (member(1, 4, &[1, 2, 4], 0), member(2, 4, &[1, 3, 4], 0));
    let found = says(judge(&LOG_MATCHING, &of(&[&a, &b], &store)));
    assert_eq!(found, "has another entry 3 of term 4 than others have");
    // One that is behind, and one that has what was never committed.
    let (behind, other) = (member(2, 4, &[1, 2], 0), member(3, 4, &[1, 2, 3], 0));
    assert_eq!(judge(&LOG_MATCHING, &of(&[&a, &behind, &other], &store)), Verdict::Holds);
}

#[test]
fn a_leader_without_a_committed_entry_breaks_leader_completeness() {
    let store = Store::default();
    let a = elected(member(1, 4, &[1, 2, 4], 3));
    let lacks = elected(member(2, 5, &[1, 2], 2));
    let found = says(judge(&LEADER_COMPLETENESS, &of(&[&a, &lacks], &store)));
    assert_eq!(found, "leads in term 6 without entry 4 of term 5, which was committed");
    // What was committed later than it led it cannot have.
    let stale = elected(member(2, 3, &[1, 2], 2));
    assert_eq!(judge(&LEADER_COMPLETENESS, &of(&[&a, &stale], &store)), Verdict::Holds);
    let whole = elected(member(2, 5, &[1, 2, 4, 5], 2));
    assert_eq!(judge(&LEADER_COMPLETENESS, &of(&[&a, &whole], &store)), Verdict::Holds);
}

#[test]
fn two_commits_at_one_index_break_state_machine_safety() {
    let store = Store::default();
    let (a, b) = (member(1, 4, &[1, 2], 2), member(2, 4, &[1, 3], 2));
    let found = says(judge(&STATE_MACHINE_SAFETY, &of(&[&a, &b], &store)));
    assert_eq!(found, "commits an entry of term 3 at index 2, where one of term 2 was committed");
    let knows_less = member(2, 4, &[1, 3], 1);
    assert_eq!(judge(&STATE_MACHINE_SAFETY, &of(&[&a, &knows_less], &store)), Verdict::Holds);
}

#[test]
fn two_revisions_after_one_entry_break_that_stores_agree() {
    let raft = member(1, 1, &[1], 1);
    let mut full = Store::default();
    let mut empty = Store::default();
    let meta = Meta::new(Kind::Node, "", "worker-0");
    let key = meta.key.clone();
    let node = Object::new(meta, Body::Node(Default::default()));
    full.transact(&key, Default::default(), Some(&node), &Default::default()).unwrap();
    full.set_applied(1);
    empty.set_applied(1);
    let found = says(judge(&STORES_AGREE, &[(&raft, &full), (&raft, &empty)]));
    assert_eq!(found, "is at revision 0 after entry 1, where another was at 1");
    assert_eq!(judge(&STORES_AGREE, &[(&raft, &full), (&raft, &full)]), Verdict::Holds);
}

/// A group is not judged any more once a member has come back without its disk.
#[test]
fn raft_binds_those_who_remember() {
    let scenario = load("etcd-crash-loop").unwrap();
    let mut simulation = Game::new(&scenario, None, &[], None).unwrap().begin(1);
    let mut members = Members::default();
    let minute = crate::engine::Duration::from_secs(60);
    let mut moved = [0; 4];
    while simulation.view().now() < SimTime::ZERO + minute * 3 && simulation.step() {
        let number = simulation.view().now().since(SimTime::ZERO).as_secs() / 60;
        // The management cluster's own group is whole.
        let is_of_workload =
            |moved: &Moved| moved.view.place_of(moved.process).0 == WORKLOAD_CLUSTER;
        let found = members.look(simulation.view()).filter(is_of_workload);
        moved[number as usize] += usize::from(found.is_some());
    }
    assert!(moved[0] > 100 && moved[1] < moved[0] / 4 && moved[2] == 0, "{moved:?}");
}
