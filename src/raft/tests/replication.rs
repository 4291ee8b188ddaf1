//! Entries, commits, snapshots, and the hand-over of the office.

use super::bench::{Bench, SETTINGS, append, appended, campaign, entry, heartbeat};
use crate::raft::*;
use std::sync::Arc;

const ANSWER: Body<u64> = Body::HeartbeatResponse { context: None };

#[test]
fn an_entry_commits_when_a_quorum_has_it_on_disk() {
    let mut bench = Bench::leader_of(3);
    let said = bench.propose(7);
    assert_eq!(
        said,
        ["2: Append after 2@2 3@2 commit 2, term 2", "3: Append after 2@2 3@2 commit 2, term 2"]
    );
    assert_eq!(bench.raft.committed(), 2);
    let said = bench.hear(3, 2, appended(3));
    // Everybody hears of the commit at once, not with the next heartbeat.
    assert_eq!(
        said,
        ["2: Append after 3@2 commit 3, term 2", "3: Append after 3@2 commit 3, term 2"]
    );
    let matched = |id| bench.raft.progress(MemberId(id)).map(|progress| progress.matched);
    assert_eq!([1, 2, 3, 4].map(matched), [Some(3), Some(2), Some(3), None]);
}

#[test]
fn a_leader_counts_its_own_entries_only_once_its_disk_has_them() {
    let mut bench = Bench::leader_of(3);
    bench.raft.propose(Payload::Normal(7)).unwrap();
    assert!(bench.begin(&mut Vec::new()));
    bench.step(3, 2, appended(3)).unwrap();
    assert_eq!(bench.raft.committed(), 2);
    bench.finish();
    assert_eq!(bench.raft.committed(), 3);
}

#[test]
fn an_entry_of_an_earlier_term_commits_only_with_one_of_the_own() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, append(&[2], 1));
    bench.elect();
    bench.hear(3, 3, appended(2));
    assert_eq!(bench.raft.committed(), 1);
    bench.hear(3, 3, appended(3));
    assert_eq!(bench.raft.committed(), 3);
}

#[test]
fn heartbeats_carry_no_commit_that_the_member_may_not_have() {
    let mut bench = Bench::one_of(3);
    bench.elect();
    bench.hear(2, 2, appended(2));
    let said = bench.ticks(1);
    assert_eq!(said, ["2: Heartbeat commit 2, term 2", "3: Heartbeat commit 0, term 2"]);
}

#[test]
fn what_a_leader_says_lets_a_follower_wait_anew() {
    let snapshot = Snapshot { index: 1, term: 1, membership: Membership::default() };
    for body in [heartbeat(1), append(&[], 1), Body::Snapshot(Box::new(snapshot))] {
        let mut bench = Bench::one_of(3);
        bench.hear(2, 2, heartbeat(1));
        bench.ticks(9);
        bench.hear(2, 2, body);
        assert!(bench.ticks(9).is_empty());
        assert_eq!(bench.ticks(1).len(), 2);
    }
}

#[test]
fn a_follower_replaces_what_differs_and_keeps_what_agrees() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 4, append(&[2, 2, 4], 1));
    assert_eq!(bench.hear(3, 5, append(&[2], 1)), ["3: Appended 2, term 5"]);
    assert_eq!(bench.raft.last_index(), 4);
    assert_eq!(bench.hear(3, 5, append(&[2, 5], 3)), ["3: Appended 3, term 5"]);
    assert_eq!((bench.raft.last_index(), bench.raft.term_at(3)), (3, Some(5)));
    assert_eq!(bench.raft.committed(), 3);
    assert_eq!(bench.restart().raft.term_at(3), Some(5));
}

#[test]
fn a_rejection_hints_past_a_whole_term() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 4, append(&[2, 2, 4, 4], 1));
    let body = Body::Append { previous_index: 9, previous_term: 3, entries: [].into(), commit: 1 };
    assert_eq!(bench.hear(3, 5, body), ["3: Rejected 9 hint 3@2, term 5"]);
}

#[test]
fn a_leader_probes_where_the_hint_points_and_then_streams() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 4, append(&[2, 2, 4, 4], 5));
    bench.elect();
    let rejected = Appended::Rejected { previous_index: 5, hint_index: 4, hint_term: 2 };
    let said = bench.hear(3, 5, Body::AppendResponse(rejected));
    assert_eq!(said, ["3: Append after 3@2 4@4 5@4 commit 5, term 5"]);
    // One append at a time until the logs agree; the same rejection again is stale.
    assert!(bench.hear(3, 5, Body::AppendResponse(rejected)).is_empty());
    let said = bench.hear(3, 5, appended(5));
    assert_eq!(said, ["3: Append after 5@4 6@5 commit 5, term 5"]);
}

#[test]
fn a_hint_without_a_term_is_taken_at_its_word() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 4, append(&[2, 2, 4, 4], 5));
    bench.elect();
    let rejected = Appended::Rejected { previous_index: 5, hint_index: 3, hint_term: 0 };
    let said = bench.hear(3, 5, Body::AppendResponse(rejected));
    assert_eq!(said, ["3: Append after 3@2 4@4 5@4 commit 5, term 5"]);
}

#[test]
fn an_old_acknowledgement_ends_no_probe() {
    let mut bench = Bench::leader_of(2);
    bench.propose(1);
    bench.hear(2, 2, appended(3));
    bench.raft.report_unreachable(MemberId(2));
    bench.hear(2, 2, appended(2));
    assert_eq!(member_2(&bench).state, ProgressState::Probe);
    bench.hear(2, 2, appended(3));
    assert_eq!(member_2(&bench).state, ProgressState::Replicate);
}

fn member_2(bench: &Bench) -> &Progress {
    bench.raft.progress(MemberId(2)).expect("it belongs to the group")
}

#[test]
fn an_answer_to_a_heartbeat_frees_a_place_only_of_a_full_window() {
    let mut bench = Bench::leader_of(2);
    bench.propose(1);
    bench.hear(2, 2, ANSWER);
    assert_eq!(member_2(&bench).inflight.len(), 1);
}

#[test]
fn no_more_appends_are_on_their_way_than_the_window_holds() {
    let mut bench = Bench::leader_of(2);
    assert_eq!((bench.propose(1).len(), bench.propose(2).len(), bench.propose(3).len()), (1, 1, 0));
    // A heartbeat's answer frees one place: what was lost cannot block the rest for ever.
    assert_eq!(bench.hear(2, 2, ANSWER), ["2: Append after 4@2 5@2 commit 2, term 2"]);
    bench.propose(4);
    let said = bench.hear(2, 2, appended(5));
    assert_eq!(said.last().unwrap(), "2: Append after 5@2 6@2 commit 5, term 2");
}

#[test]
fn appends_that_are_lost_are_sent_again() {
    let mut bench = Bench::leader_of(2);
    bench.propose(1);
    bench.raft.report_unreachable(MemberId(2));
    assert_eq!(bench.hear(2, 2, ANSWER), ["2: Append after 2@2 3@2 commit 2, term 2"]);
}

/// A campaign's run sent a member the same thousand entries with each answer to a heartbeat, and kept 4 GB of them.
#[test]
fn entries_that_are_sent_again_are_not_copied_again() {
    let mut bench = Bench::leader_of(2);
    bench.propose(1);
    bench.raft.report_unreachable(MemberId(2));
    let mut sent = || {
        bench.step(2, 2, ANSWER).unwrap();
        let last = bench.raft.messages.last().map(|message| message.body.clone());
        let Some(Body::Append { entries, .. }) = last else { panic!("no append") };
        entries
    };
    let (first, again) = (sent(), sent());
    assert_eq!((first.len(), first[0].index, Arc::ptr_eq(&first, &again)), (1, 3, true));
    bench.propose(2);
    assert_eq!(bench.hear(2, 2, ANSWER), ["2: Append after 2@2 3@2 4@2 commit 2, term 2"]);
}

#[test]
fn a_member_whose_next_entry_is_gone_gets_a_snapshot_once_it_answers() {
    let mut bench = Bench::one_of(3);
    bench.elect();
    bench.hear(2, 2, appended(2));
    bench.raft.take_snapshot();
    bench.raft.compact(2);
    let rejected = Appended::Rejected { previous_index: 1, hint_index: 0, hint_term: 0 };
    let said = bench.hear(3, 2, Body::AppendResponse(rejected));
    assert_eq!(said, ["3: Snapshot 2@2, term 2"]);
    assert!(!bench.propose(7).iter().any(|words| words.starts_with('3')));
    bench.raft.report_snapshot(MemberId(3), SnapshotStatus::Failed);
    assert_eq!(bench.hear(3, 2, ANSWER), ["3: Snapshot 2@2, term 2"]);
    bench.raft.report_snapshot(MemberId(3), SnapshotStatus::Finished);
    assert_eq!(bench.hear(3, 2, appended(2)), ["3: Append after 2@2 3@2 commit 2, term 2"]);
}

#[test]
fn a_snapshot_has_arrived_once_its_index_is_acknowledged() {
    let mut bench = Bench::leader_of(3);
    bench.raft.take_snapshot();
    bench.raft.compact(2);
    bench.raft.tracker.peers[1].progress = Progress { recent_active: true, ..Progress::new(1) };
    assert!(bench.propose(7).contains(&"2: Snapshot 2@2, term 2".to_owned()));
    assert!(bench.hear(2, 2, appended(1)).is_empty());
    assert_eq!(member_2(&bench).state, ProgressState::Snapshot(2));
    assert_eq!(bench.hear(2, 2, appended(2)), ["2: Append after 2@2 3@2 commit 2, term 2"]);
    assert_eq!(member_2(&bench).state, ProgressState::Replicate);
}

#[test]
fn no_snapshot_is_sent_to_a_member_that_does_not_answer() {
    let mut bench = Bench::one_of(3);
    bench.elect();
    bench.hear(2, 2, appended(2));
    for proposal in 0..4 {
        bench.propose(proposal);
        bench.hear(2, 2, appended(3 + proposal));
    }
    bench.raft.take_snapshot();
    bench.raft.compact(6);
    bench.raft.tracker.peers[2].progress.probe_sent = false;
    assert!(!bench.propose(9).iter().any(|words| words.starts_with('3')));
}

#[test]
fn a_snapshot_replaces_log_and_membership() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, append(&[2, 2], 1));
    let membership = Membership::of_voters([1, 2, 4].map(MemberId));
    let snapshot = Snapshot { index: 9, term: 3, membership: membership.clone() };
    let body = || Body::Snapshot(Box::new(snapshot.clone()));
    assert_eq!(bench.hear(2, 4, body()), ["2: Appended 9, term 4"]);
    assert_eq!((bench.raft.first_index(), bench.raft.last_index()), (10, 9));
    assert_eq!((bench.raft.applied(), bench.raft.membership()), (9, &membership));
    // Again: nothing happens.
    assert_eq!(bench.hear(2, 4, body()), ["2: Appended 9, term 4"]);
    let bench = bench.restart();
    assert_eq!((bench.raft.applied(), bench.raft.membership()), (9, &membership));
}

#[test]
fn a_snapshot_of_what_the_log_has_only_commits() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, append(&[2, 2], 1));
    let membership = bench.raft.membership().clone();
    let snapshot = Snapshot { index: 2, term: 2, membership };
    assert_eq!(bench.hear(2, 2, Body::Snapshot(Box::new(snapshot))), ["2: Appended 2, term 2"]);
    assert_eq!((bench.raft.committed(), bench.raft.last_index()), (2, 3));
}

#[test]
fn a_snapshot_of_what_is_committed_already_takes_nothing_away() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, append(&[2, 2], 2));
    let membership = bench.raft.membership().clone();
    let snapshot = Snapshot { index: 2, term: 2, membership };
    assert_eq!(bench.hear(2, 2, Body::Snapshot(Box::new(snapshot))), ["2: Appended 2, term 2"]);
    assert_eq!((bench.raft.first_index(), bench.raft.last_index()), (2, 3));
}

#[test]
fn a_snapshot_of_a_group_without_this_member_is_refused() {
    let mut bench = Bench::one_of(3);
    let membership = Membership::of_voters([2, 3].map(MemberId));
    let snapshot = Snapshot { index: 9, term: 3, membership };
    assert_eq!(bench.hear(2, 4, Body::Snapshot(Box::new(snapshot))), ["2: Appended 1, term 4"]);
}

#[test]
fn changes_on_their_way_to_the_owner_do_not_follow_a_later_snapshot() {
    let mut bench = Bench::one_of(3);
    let change = Payload::Change(ConfChange::Remove(MemberId(3)), 0);
    let entries = [Entry { index: 2, term: 2, payload: change }].into();
    let body = Body::Append { previous_index: 1, previous_term: 1, entries, commit: 2 };
    bench.step(2, 2, body).unwrap();
    bench.begin(&mut Vec::new());
    // Member 3 was added again before index 9.
    let membership = Membership::of_voters([1, 2, 3].map(MemberId));
    let snapshot = Snapshot { index: 9, term: 2, membership: membership.clone() };
    bench.step(2, 2, Body::Snapshot(Box::new(snapshot))).unwrap();
    bench.finish();
    bench.turn();
    assert_eq!(bench.raft.membership(), &membership);
}

#[test]
fn a_member_that_lost_its_disk_ends_as_the_real_one_does() {
    let mut empty = Bench::on(Disk::default(), SETTINGS);
    let fatal = empty.step(2, 2, heartbeat(208)).unwrap_err();
    assert_eq!(
        fatal.to_string(),
        "tocommit(208) is out of range [lastIndex(0)]. Was the raft log corrupted, truncated, or \
         lost?"
    );
    let mut disk: Disk<u64> = Disk::default();
    disk.hard_state.commit = 4;
    let fatal = Raft::new(MemberId(1), SETTINGS, &disk).unwrap_err();
    assert_eq!(fatal.to_string(), "state.commit 4 is out of range [0, 0]");
}

#[test]
fn a_torn_write_leaves_the_entries_that_were_whole() {
    let mut bench = Bench::one_of(3);
    bench.step(2, 2, append(&[2, 2, 2], 1)).unwrap();
    let mut ready = Ready::default();
    bench.raft.ready(&mut ready);
    assert!(ready.must_sync());
    ready.entries.truncate(1);
    bench.disk.write(&ready);
    assert_eq!(bench.restart().raft.last_index(), 2);
}

#[test]
fn a_commit_alone_need_not_reach_the_disk() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, append(&[2], 1));
    bench.step(2, 2, heartbeat(2)).unwrap();
    let mut ready = Ready::default();
    bench.raft.ready(&mut ready);
    assert_eq!(ready.committed, [entry(2, 2)]);
    assert!(!ready.must_sync() && !ready.is_empty());
}

#[test]
fn a_follower_passes_a_proposal_on_and_without_a_leader_it_is_dropped() {
    let mut bench = Bench::one_of(3);
    assert_eq!(bench.raft.propose(Payload::Normal(7)), Err(ProposalDropped));
    bench.hear(2, 2, heartbeat(1));
    assert_eq!(bench.propose(7), ["2: Propose(Normal(7)), term 0"]);

    let mut leader = Bench::leader_of(3);
    assert_eq!(leader.hear(2, 0, Body::Propose(Payload::Normal(7))).len(), 2);
    let mut candidate = Bench::one_of(3);
    candidate.ticks(10);
    assert!(candidate.hear(2, 0, Body::Propose(Payload::Normal(7))).is_empty());
}

#[test]
fn the_office_goes_at_once_to_a_member_with_the_whole_log() {
    let mut bench = Bench::leader_of(3);
    bench.raft.transfer_leadership(MemberId(2));
    assert_eq!(bench.turn(), ["2: TimeoutNow, term 2"]);
    assert_eq!(bench.raft.transferee(), Some(MemberId(2)));
    assert_eq!(bench.raft.propose(Payload::Normal(7)), Err(ProposalDropped));
    // After one election time-out it goes on itself.
    for _ in 0..10 {
        bench.ticks(1);
        bench.hear(2, 2, ANSWER);
    }
    assert_eq!(bench.raft.propose(Payload::Normal(7)), Ok(()));
}

#[test]
fn a_member_that_lacks_entries_gets_them_before_the_office() {
    let mut bench = Bench::leader_of(3);
    bench.propose(7);
    bench.raft.transfer_leadership(MemberId(2));
    assert_eq!(bench.turn(), ["2: Append after 3@2 commit 2, term 2"]);
    let said = bench.hear(2, 2, appended(3));
    assert_eq!(said.last().unwrap(), "2: TimeoutNow, term 2");
}

#[test]
fn learners_and_strangers_do_not_get_the_office() {
    let mut bench = Bench::leader_of(2);
    bench.raft.apply_conf_change(ConfChange::AddLearner(MemberId(3)));
    bench.turn();
    for to in [1, 3, 9] {
        bench.raft.transfer_leadership(MemberId(to));
        assert_eq!((bench.turn().len(), bench.raft.transferee()), (0, None));
    }
}

#[test]
fn a_new_wish_for_a_leader_replaces_the_old_one() {
    let mut bench = Bench::leader_of(3);
    bench.raft.transfer_leadership(MemberId(2));
    bench.raft.transfer_leadership(MemberId(3));
    assert_eq!(bench.turn(), ["2: TimeoutNow, term 2", "3: TimeoutNow, term 2"]);
    bench.raft.transfer_leadership(MemberId(1));
    assert_eq!(bench.raft.transferee(), None);
    assert_eq!(bench.raft.propose(Payload::Normal(7)), Ok(()));
}

#[test]
fn who_is_handed_the_office_campaigns_at_once_without_asking_first() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, heartbeat(1));
    assert_eq!(
        bench.hear(2, 2, Body::TimeoutNow),
        ["2: Vote 1@1 by transfer, term 3", "3: Vote 1@1 by transfer, term 3"]
    );
    let mut follower = Bench::one_of(3);
    follower.hear(2, 2, heartbeat(1));
    follower.raft.transfer_leadership(MemberId(3));
    assert_eq!(follower.turn(), ["2: TransferLeader(MemberId(3)), term 2"]);
}

#[test]
fn a_vote_for_a_later_term_ends_an_office_that_is_being_handed_over() {
    let mut bench = Bench::leader_of(3);
    bench.raft.transfer_leadership(MemberId(2));
    bench.turn();
    let by_transfer = Campaign { transfer: true, ..campaign(2, 2) };
    assert_eq!(bench.hear(2, 3, Body::Vote(by_transfer)), ["2: VoteResponse true, term 3"]);
    assert_eq!(bench.state(), "Follower in term 3, led by nobody");
}
