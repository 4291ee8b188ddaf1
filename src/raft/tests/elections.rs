//! Time-outs, votes, leases and the quorum check.

use super::bench::{Bench, SETTINGS, append, appended, campaign, heartbeat};
use crate::raft::*;

const NO_PRE_VOTE: Settings = Settings { pre_vote: false, ..SETTINGS };

#[test]
fn a_time_out_takes_each_length_from_the_election_ticks_to_just_under_twice_that() {
    let mut lengths: Vec<u32> = (0..20)
        .map(|draw| {
            let mut bench = Bench::one_of(3);
            bench.raft.draw_timeout(draw);
            (1..100).find(|_| !bench.ticks(1).is_empty()).expect("it campaigns")
        })
        .collect();
    lengths.sort_unstable();
    let each_twice: Vec<u32> = (10..20).flat_map(|length| [length, length]).collect();
    assert_eq!(lengths, each_twice);
}

#[test]
fn a_member_alone_asks_at_a_constant_pace_and_keeps_its_term() {
    let mut bench = Bench::one_of(3);
    bench.raft.draw_timeout(3);
    for _ in 0..4 {
        assert!(bench.ticks(12).is_empty());
        assert_eq!(bench.ticks(1), ["2: PreVote 1@1, term 2", "3: PreVote 1@1, term 2"]);
        assert_eq!(bench.state(), "PreCandidate in term 1, led by nobody");
    }
}

#[test]
fn without_pre_vote_a_member_alone_raises_its_term_and_draws_anew() {
    let mut bench = Bench::with(NO_PRE_VOTE, 3);
    bench.draw = 7;
    assert_eq!(bench.ticks(10), ["2: Vote 1@1, term 2", "3: Vote 1@1, term 2"]);
    assert!(bench.ticks(16).is_empty());
    assert_eq!(bench.ticks(1), ["2: Vote 1@1, term 3", "3: Vote 1@1, term 3"]);
}

#[test]
fn a_pre_vote_won_leads_to_the_campaign_and_a_campaign_won_to_the_office() {
    let mut bench = Bench::one_of(3);
    bench.ticks(10);
    let said = bench.hear(3, 2, Body::PreVoteResponse { granted: true });
    assert_eq!(said, ["2: Vote 1@1, term 2", "3: Vote 1@1, term 2"]);
    assert_eq!(bench.disk.hard_state.vote, Some(MemberId(1)));
    let said = bench.hear(3, 2, Body::VoteResponse { granted: true });
    assert_eq!(
        said,
        ["2: Append after 1@1 2@2 commit 1, term 2", "3: Append after 1@1 2@2 commit 1, term 2"]
    );
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
}

#[test]
fn refused_by_a_majority_a_candidate_is_a_follower_of_the_same_term() {
    let mut bench = Bench::one_of(5);
    bench.ticks(10);
    for refusing in [2, 3] {
        bench.hear(refusing, 1, Body::PreVoteResponse { granted: false });
        assert_eq!(bench.state(), "PreCandidate in term 1, led by nobody");
    }
    bench.hear(4, 1, Body::PreVoteResponse { granted: false });
    assert_eq!(bench.state(), "Follower in term 1, led by nobody");
}

#[test]
fn a_candidate_counts_its_own_vote_only_once_the_disk_has_it() {
    let mut bench = Bench::with(NO_PRE_VOTE, 3);
    bench.raft.campaign();
    assert!(bench.begin(&mut Vec::new()));
    bench.step(2, 2, Body::VoteResponse { granted: true }).unwrap();
    assert_eq!(bench.raft.role(), Role::Candidate);
    bench.finish();
    assert_eq!(bench.raft.role(), Role::Leader);
}

#[test]
fn a_member_alone_in_its_group_leads_and_commits_by_itself() {
    let mut bench = Bench::one_of(1);
    assert!(bench.ticks(10).is_empty());
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
    assert_eq!(bench.raft.committed(), 2);
}

#[test]
fn who_hears_a_leader_ignores_campaigns_for_as_long_as_the_election_ticks() {
    let ask = || Body::PreVote(campaign(9, 9));
    let mut bench = Bench::one_of(3);
    bench.draw = 9;
    bench.hear(2, 2, heartbeat(1));
    bench.ticks(9);
    assert!(bench.hear(3, 9, ask()).is_empty());
    assert!(bench.hear(3, 9, Body::Vote(campaign(9, 9))).is_empty());
    assert_eq!(bench.state(), "Follower in term 2, led by 2");
    bench.ticks(1);
    assert_eq!(bench.hear(3, 9, ask()), ["3: PreVoteResponse true, term 9"]);
    assert_eq!(bench.raft.term(), 2);
}

#[test]
fn a_campaign_that_the_leader_asked_for_is_not_ignored() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, heartbeat(1));
    let by_transfer = Campaign { transfer: true, ..campaign(9, 9) };
    let said = bench.hear(3, 3, Body::Vote(by_transfer));
    assert_eq!(said, ["3: VoteResponse true, term 3"]);
}

#[test]
fn without_the_quorum_check_there_is_no_lease() {
    let mut bench = Bench::with(Settings { check_quorum: false, ..SETTINGS }, 3);
    bench.hear(2, 2, heartbeat(1));
    let said = bench.hear(3, 3, Body::Vote(campaign(9, 9)));
    assert_eq!(said, ["3: VoteResponse true, term 3"]);
}

#[test]
fn a_restarted_member_has_no_lease_and_knows_its_vote() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, Body::Vote(campaign(1, 1)));
    bench.hear(2, 2, heartbeat(1));
    let mut bench = bench.restart();
    assert_eq!(bench.state(), "Follower in term 2, led by nobody");
    let said = bench.hear(3, 2, Body::Vote(campaign(1, 1)));
    assert_eq!(said, ["3: VoteResponse false, term 2"]);
    let said = bench.hear(3, 3, Body::Vote(campaign(1, 1)));
    assert_eq!(said, ["3: VoteResponse true, term 3"]);
}

#[test]
fn only_a_log_that_lacks_nothing_gets_a_vote() {
    let cases = [(3, 3, true), (4, 3, true), (2, 3, false), (9, 2, false), (1, 4, true)];
    for (last_index, last_term, granted) in cases {
        let mut bench = Bench::one_of(3);
        bench.hear(2, 3, append(&[2, 3], 1));
        let mut bench = bench.restart();
        let said = bench.hear(3, 5, Body::Vote(campaign(last_index, last_term)));
        let expected = format!("3: VoteResponse {granted}, term 5");
        assert_eq!(said, [expected], "a log that ends with {last_index}@{last_term}");
    }
}

#[test]
fn a_pre_vote_needs_such_a_log_as_well_even_for_a_later_term() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 3, append(&[2, 3], 1));
    let mut bench = bench.restart();
    let said = bench.hear(3, 5, Body::PreVote(campaign(2, 3)));
    assert_eq!(said, ["3: PreVoteResponse false, term 3"]);
}

#[test]
fn a_pre_vote_for_the_own_term_needs_a_vote_that_is_still_free() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, Body::Vote(campaign(1, 1)));
    let said = bench.hear(3, 2, Body::PreVote(campaign(1, 1)));
    assert_eq!(said, ["3: PreVoteResponse false, term 2"]);
    let said = bench.hear(2, 2, Body::PreVote(campaign(1, 1)));
    assert_eq!(said, ["2: PreVoteResponse true, term 2"]);
}

#[test]
fn there_is_one_vote_in_a_term_and_it_is_repeated_when_asked_again() {
    let mut bench = Bench::one_of(3);
    let said = bench.hear(2, 2, Body::Vote(campaign(1, 1)));
    assert_eq!(said, ["2: VoteResponse true, term 2"]);
    assert_eq!(bench.raft.vote(), Some(MemberId(2)));
    let said = bench.hear(3, 2, Body::Vote(campaign(1, 1)));
    assert_eq!(said, ["3: VoteResponse false, term 2"]);
    let said = bench.hear(2, 2, Body::Vote(campaign(1, 1)));
    assert_eq!(said, ["2: VoteResponse true, term 2"]);
}

#[test]
fn a_vote_leaves_only_when_the_disk_has_it() {
    let mut bench = Bench::one_of(3);
    bench.step(2, 2, Body::Vote(campaign(1, 1))).unwrap();
    let mut at_once = Vec::new();
    bench.begin(&mut at_once);
    assert!(at_once.is_empty());
}

#[test]
fn a_vote_lets_the_member_wait_anew_and_a_pre_vote_does_not() {
    let mut voted = Bench::one_of(3);
    voted.ticks(9);
    voted.hear(2, 2, Body::Vote(campaign(1, 1)));
    assert!(voted.ticks(9).is_empty());
    let mut asked = Bench::one_of(3);
    asked.ticks(9);
    asked.hear(2, 2, Body::PreVote(campaign(1, 1)));
    assert_eq!(asked.ticks(1).len(), 2);
}

#[test]
fn a_leader_of_an_earlier_term_is_told_the_later_one() {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 5, heartbeat(1));
    assert_eq!(bench.hear(3, 4, heartbeat(1)), ["3: Appended 0, term 5"]);
    assert_eq!(bench.hear(3, 4, append(&[4], 1)), ["3: Appended 0, term 5"]);
    let said = bench.hear(3, 4, Body::PreVote(campaign(1, 1)));
    assert_eq!(said, ["3: PreVoteResponse false, term 5"]);
    assert!(bench.hear(3, 4, Body::Vote(campaign(1, 1))).is_empty());

    let plain = Settings { check_quorum: false, ..NO_PRE_VOTE };
    let mut silent = Bench::with(plain, 3);
    silent.hear(2, 5, heartbeat(1));
    assert!(silent.hear(3, 4, heartbeat(1)).is_empty());
}

#[test]
fn pre_vote_or_the_quorum_check_alone_lets_an_earlier_leader_know() {
    let pre_vote = Settings { check_quorum: false, ..SETTINGS };
    for settings in [pre_vote, NO_PRE_VOTE] {
        let mut bench = Bench::with(settings, 3);
        bench.hear(2, 5, heartbeat(1));
        assert_eq!(bench.hear(3, 4, heartbeat(1)), ["3: Appended 0, term 5"]);
    }
}

#[test]
fn a_leader_that_hears_of_a_later_term_follows() {
    let mut bench = Bench::leader_of(3);
    bench.hear(2, 7, appended(0));
    assert_eq!(bench.state(), "Follower in term 7, led by nobody");
}

#[test]
fn a_leader_without_answers_steps_down_at_its_second_count() {
    let mut bench = Bench::leader_of(3);
    bench.ticks(10);
    // The answers to its first entry were enough for the first count.
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
    bench.ticks(9);
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
    assert!(bench.ticks(1).is_empty());
    assert_eq!(bench.state(), "Follower in term 2, led by nobody");
}

#[test]
fn a_leader_with_one_answer_of_two_goes_on() {
    let mut bench = Bench::leader_of(3);
    for _ in 0..40 {
        bench.ticks(1);
        bench.hear(3, 2, Body::HeartbeatResponse { context: None });
    }
    assert_eq!(bench.state(), "Leader in term 2, led by 1");
}

#[test]
fn learners_count_neither_for_the_quorum_nor_campaign_but_vote() {
    let mut leader = Bench::leader_of(1);
    for learner in [2, 3] {
        leader.raft.apply_conf_change(ConfChange::AddLearner(MemberId(learner)));
    }
    leader.raft.apply_conf_change(ConfChange::AddVoter(MemberId(4)));
    leader.ticks(10);
    for learner in [2, 3] {
        leader.hear(learner, 2, Body::HeartbeatResponse { context: None });
    }
    leader.ticks(10);
    assert_eq!(leader.raft.role(), Role::Follower);

    let mut membership = Membership::of_voters([MemberId(2), MemberId(3)]);
    membership.apply(ConfChange::AddLearner(MemberId(1)));
    let disk = Disk::with_snapshot(Snapshot { index: 1, term: 1, membership });
    let mut learner = Bench::on(disk, SETTINGS);
    assert!(learner.ticks(50).is_empty());
    let said = learner.hear(2, 2, Body::Vote(campaign(1, 1)));
    assert_eq!(said, ["2: VoteResponse true, term 2"]);
}

#[test]
fn who_may_not_campaign_does_not_take_the_office_over() {
    let mut membership = Membership::of_voters([MemberId(2), MemberId(3)]);
    membership.apply(ConfChange::AddLearner(MemberId(1)));
    let disk = Disk::with_snapshot(Snapshot { index: 1, term: 1, membership });
    let mut learner = Bench::on(disk, SETTINGS);
    assert!(learner.hear(2, 2, Body::TimeoutNow).is_empty());
    let mut candidate = Bench::one_of(3);
    candidate.ticks(10);
    assert!(candidate.hear(2, 1, Body::TimeoutNow).is_empty());
}

#[test]
fn nobody_campaigns_with_a_committed_change_that_it_has_not_applied() {
    let mut bench = Bench::one_of(3);
    let change = ConfChange::Remove(MemberId(3));
    let entry = Entry { index: 2, term: 2, payload: Payload::Change(change, 0) };
    let entries = [entry].into();
    let body = Body::Append { previous_index: 1, previous_term: 1, entries, commit: 2 };
    bench.step(2, 2, body).unwrap();
    bench.begin(&mut Vec::new());
    bench.raft.campaign();
    assert_eq!(bench.raft.role(), Role::Follower);
    bench.finish();
    bench.raft.campaign();
    assert_eq!(bench.turn(), ["2: PreVote 2@2, term 3"]);
}

#[test]
fn a_candidate_follows_the_leader_of_its_term() {
    let mut bench = Bench::with(NO_PRE_VOTE, 3);
    bench.ticks(10);
    assert_eq!(bench.hear(2, 2, heartbeat(1)), ["2: HeartbeatResponse, term 2"]);
    assert_eq!(bench.state(), "Follower in term 2, led by 2");
}
