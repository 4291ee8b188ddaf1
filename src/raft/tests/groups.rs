//! Changes of the group, and reads.

use super::bench::{Bench, SETTINGS, appended, heartbeat};
use crate::raft::*;

fn propose_change(bench: &mut Bench, change: ConfChange) -> Vec<String> {
    bench.raft.propose(Payload::Change(change, 0)).expect("it leads");
    bench.turn()
}

fn asked(context: u64) -> Body<u64> {
    Body::HeartbeatResponse { context: Some(ReadContext(context)) }
}

#[test]
fn a_quorum_is_more_than_half_of_the_voters() {
    for (voters, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)] {
        let mut membership = Membership::of_voters((1..=voters).map(MemberId));
        membership.apply(ConfChange::AddLearner(MemberId(99)));
        assert_eq!(membership.quorum(), quorum, "of {voters}");
    }
}

#[test]
fn a_change_adds_promotes_demotes_or_removes_one_member() {
    let mut membership = Membership::of_voters([MemberId(1)]);
    let mut after = |change| {
        membership.apply(change);
        let numbers = |list: &[MemberId]| list.iter().map(|id| id.0).collect::<Vec<_>>();
        (numbers(membership.voters()), numbers(membership.learners()))
    };
    assert_eq!(after(ConfChange::AddLearner(MemberId(2))), (vec![1], vec![2]));
    assert_eq!(after(ConfChange::AddVoter(MemberId(2))), (vec![1, 2], vec![]));
    assert_eq!(after(ConfChange::AddVoter(MemberId(2))), (vec![1, 2], vec![]));
    assert_eq!(after(ConfChange::AddLearner(MemberId(1))), (vec![2], vec![1]));
    assert_eq!(after(ConfChange::Remove(MemberId(1))), (vec![2], vec![]));
    assert_eq!(after(ConfChange::Remove(MemberId(7))), (vec![2], vec![]));
    // Nobody would be left to decide anything.
    assert_eq!(after(ConfChange::Remove(MemberId(2))), (vec![2], vec![]));
    assert_eq!(after(ConfChange::AddLearner(MemberId(2))), (vec![2], vec![]));
}

#[test]
fn a_change_is_in_force_when_it_is_applied_not_when_it_is_appended() {
    let mut bench = Bench::leader_of(3);
    propose_change(&mut bench, ConfChange::AddVoter(MemberId(4)));
    assert_eq!(bench.raft.membership().voters().len(), 3);
    bench.hear(2, 2, appended(3));
    assert_eq!(bench.raft.membership().voters().len(), 4);
    // Three of four are needed now.
    bench.propose(7);
    bench.hear(2, 2, appended(4));
    assert_eq!(bench.raft.committed(), 3);
    bench.hear(3, 2, appended(4));
    assert_eq!(bench.raft.committed(), 4);
}

#[test]
fn a_change_that_comes_while_another_is_on_its_way_becomes_an_empty_entry() {
    let mut bench = Bench::leader_of(3);
    propose_change(&mut bench, ConfChange::AddVoter(MemberId(4)));
    propose_change(&mut bench, ConfChange::Remove(MemberId(3)));
    let payload = |index| bench.raft.entry(index).map(|entry| entry.payload.clone());
    assert_eq!(payload(3), Some(Payload::Change(ConfChange::AddVoter(MemberId(4)), 0)));
    assert_eq!(payload(4), Some(Payload::Empty));
    bench.hear(2, 2, appended(4));
    bench.hear(3, 2, appended(4));
    propose_change(&mut bench, ConfChange::Remove(MemberId(3)));
    let payload = bench.raft.entry(5).map(|entry| entry.payload.clone());
    assert_eq!(payload, Some(Payload::Change(ConfChange::Remove(MemberId(3)), 0)));
}

#[test]
fn the_next_change_is_taken_as_soon_as_the_last_is_applied() {
    let mut bench = Bench::leader_of(3);
    propose_change(&mut bench, ConfChange::AddVoter(MemberId(4)));
    bench.hear(2, 2, appended(3));
    assert_eq!(bench.raft.applied(), 3);
    let change = ConfChange::Remove(MemberId(3));
    propose_change(&mut bench, change);
    let payload = bench.raft.entry(4).map(|entry| entry.payload.clone());
    assert_eq!(payload, Some(Payload::Change(change, 0)));
}

#[test]
fn a_new_leader_takes_no_change_before_it_has_applied_what_it_found() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, super::bench::append(&[2], 1));
    bench.elect();
    propose_change(&mut bench, ConfChange::Remove(MemberId(3)));
    assert_eq!(bench.raft.entry(4).map(|entry| entry.payload.clone()), Some(Payload::Empty));
}

#[test]
fn a_newcomer_is_not_held_for_silent_at_the_next_count() {
    let mut bench = Bench::leader_of(1);
    bench.ticks(9);
    propose_change(&mut bench, ConfChange::AddVoter(MemberId(2)));
    bench.ticks(1);
    assert_eq!(bench.raft.role(), Role::Leader);
    bench.ticks(10);
    assert_eq!(bench.raft.role(), Role::Follower);
}

#[test]
fn a_newcomer_gets_the_log_from_the_beginning() {
    let mut bench = Bench::leader_of(1);
    bench.propose(5);
    let said = propose_change(&mut bench, ConfChange::AddLearner(MemberId(2)));
    assert_eq!(said, ["2: Append after 3@2 4@2 commit 4, term 2"]);
    let nothing = Appended::Rejected { previous_index: 3, hint_index: 0, hint_term: 0 };
    bench.raft.take_snapshot();
    let said = bench.hear(2, 2, Body::AppendResponse(nothing));
    // Entry 1 was never an entry: the group began with a snapshot of it.
    assert_eq!(said, ["2: Snapshot 4@2, term 2"]);
}

#[test]
fn a_removed_leader_keeps_its_role_but_counts_no_more_and_takes_no_proposals() {
    let mut bench = Bench::leader_of(3);
    propose_change(&mut bench, ConfChange::Remove(MemberId(1)));
    bench.hear(2, 2, appended(3));
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
    assert_eq!(bench.raft.propose(Payload::Normal(7)), Err(ProposalDropped));
    assert!(!bench.ticks(1).is_empty());
    bench.ticks(30);
    assert_eq!(bench.state(), "Follower in term 2, led by nobody");
    assert!(bench.ticks(50).is_empty());
}

#[test]
fn the_answer_of_a_removed_member_does_not_depose_a_leader() {
    let mut bench = Bench::leader_of(3);
    bench.raft.apply_conf_change(ConfChange::Remove(MemberId(3)));
    bench.hear(3, 9, appended(0));
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
}

#[test]
fn fewer_voters_may_commit_what_waited() {
    let mut bench = Bench::leader_of(3);
    bench.propose(7);
    // Applied by hand: the entry itself does not matter here.
    bench.raft.apply_conf_change(ConfChange::Remove(MemberId(2)));
    bench.raft.apply_conf_change(ConfChange::Remove(MemberId(3)));
    assert_eq!(bench.raft.committed(), 3);
}

#[test]
fn the_office_is_not_handed_to_a_member_that_was_removed_meanwhile() {
    let mut bench = Bench::leader_of(3);
    bench.raft.transfer_leadership(MemberId(3));
    bench.raft.apply_conf_change(ConfChange::Remove(MemberId(3)));
    assert_eq!(bench.raft.transferee(), None);
}

#[test]
fn a_restarted_member_applies_the_changes_again() {
    let mut bench = Bench::leader_of(1);
    propose_change(&mut bench, ConfChange::AddLearner(MemberId(2)));
    let mut bench = bench.restart();
    assert_eq!(bench.raft.membership().learners(), []);
    bench.turn();
    assert_eq!(bench.raft.membership().learners(), [MemberId(2)]);
    assert_eq!(bench.raft.applied(), 3);
}

#[test]
fn a_read_waits_for_one_round_of_heartbeats() {
    let mut bench = Bench::leader_of(3);
    bench.raft.read_index(ReadContext(5));
    assert_eq!(
        bench.turn(),
        ["2: Heartbeat for read 5, term 2", "3: Heartbeat for read 5, term 2"]
    );
    assert_eq!(bench.reads(), []);
    bench.hear(3, 2, asked(5));
    assert_eq!(bench.reads(), [(5, 2)]);
    assert!(bench.hear(2, 2, asked(5)).is_empty());
    assert_eq!(bench.reads(), []);
}

#[test]
fn the_answer_to_a_later_read_confirms_those_before_it_at_their_own_index() {
    let mut bench = Bench::leader_of(3);
    bench.raft.read_index(ReadContext(5));
    bench.propose(7);
    bench.hear(2, 2, appended(3));
    bench.raft.read_index(ReadContext(6));
    bench.turn();
    // Heartbeats are lost; the next one asks for the latest.
    let said = bench.ticks(1);
    assert_eq!(said[0], "2: Heartbeat for read 6, term 2");
    bench.hear(3, 2, asked(6));
    assert_eq!(bench.reads(), [(5, 2), (6, 3)]);
}

#[test]
fn a_leader_that_has_not_committed_in_its_term_lets_reads_wait() {
    let mut bench = Bench::one_of(3);
    bench.elect();
    bench.raft.read_index(ReadContext(5));
    assert!(bench.turn().is_empty());
    let said = bench.hear(2, 2, appended(2));
    assert_eq!(said.iter().filter(|words| words.contains("for read 5")).count(), 2);
    bench.hear(2, 2, asked(5));
    assert_eq!(bench.reads(), [(5, 2)]);
}

#[test]
fn learners_do_not_confirm_reads() {
    let mut bench = Bench::leader_of(3);
    bench.raft.apply_conf_change(ConfChange::AddLearner(MemberId(4)));
    bench.raft.read_index(ReadContext(5));
    bench.turn();
    bench.hear(4, 2, asked(5));
    assert_eq!(bench.reads(), []);
}

#[test]
fn a_member_alone_answers_at_once() {
    let mut bench = Bench::leader_of(1);
    bench.raft.read_index(ReadContext(5));
    bench.turn();
    assert_eq!(bench.reads(), [(5, 2)]);
}

#[test]
fn a_follower_asks_its_leader_and_is_told() {
    let mut bench = Bench::one_of(3);
    bench.raft.read_index(ReadContext(5));
    assert!(bench.turn().is_empty());
    bench.hear(2, 2, heartbeat(1));
    bench.raft.read_index(ReadContext(5));
    assert_eq!(bench.turn(), ["2: ReadIndex(ReadContext(5)), term 0"]);
    let state = ReadState { context: ReadContext(5), index: 1 };
    bench.hear(2, 2, Body::ReadIndexResponse(state));
    assert_eq!(bench.reads(), [(5, 1)]);
    // Who campaigns meanwhile is not told any more.
    bench.ticks(20);
    bench.hear(2, 2, Body::ReadIndexResponse(state));
    assert_eq!(bench.reads(), []);

    let mut leader = Bench::leader_of(3);
    leader.hear(3, 0, Body::ReadIndex(ReadContext(5)));
    assert_eq!(leader.hear(2, 2, asked(5)), ["3: Read 5 at 2, term 2"]);
}

#[test]
fn a_leader_that_is_deposed_answers_no_read() {
    let mut bench = Bench::leader_of(3);
    bench.raft.read_index(ReadContext(5));
    bench.turn();
    bench.hear(2, 3, heartbeat(2));
    bench.hear(3, 2, asked(5));
    bench.hear(3, 3, asked(5));
    assert_eq!(bench.reads(), []);
}

#[test]
#[should_panic(expected = "a follower waits longer than from heartbeat to heartbeat")]
fn settings_with_which_no_leader_stays_are_refused() {
    Bench::with(Settings { election_ticks: 1, ..SETTINGS }, 3);
}
