//! When an owner need not play ticks and heartbeats, and how it makes good what it passed over.

use super::bench::{Bench, SETTINGS, appended, heartbeat};
use super::network::{Network, place_of};
use crate::raft::*;

const ANSWER: Body<u64> = Body::HeartbeatResponse { context: None };

/// A follower of member 2.
fn follower() -> Bench {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 2, heartbeat(1));
    bench
}

#[test]
fn a_follower_is_settled_once_it_has_a_leader_and_has_drawn() {
    let mut bench = Bench::one_of(3);
    assert!(!bench.raft.is_settled(&[]), "nobody leads");
    bench.step(2, 2, heartbeat(1)).unwrap();
    assert!(!bench.raft.is_settled(&[]), "its time-out is not drawn");
    bench.turn();
    assert!(bench.raft.is_settled(&[]));
    bench.ticks(10);
    assert_eq!(bench.raft.role(), Role::PreCandidate);
    assert!(!bench.raft.is_settled(&[]));
}

#[test]
fn a_follower_is_not_settled_while_a_snapshot_is_written() {
    let mut bench = follower();
    let membership = bench.raft.membership().clone();
    let snapshot = Snapshot { index: 9, term: 2, membership };
    bench.step(2, 2, Body::Snapshot(Box::new(snapshot))).unwrap();
    bench.begin(&mut Vec::new());
    assert!(!bench.raft.is_settled(&[]));
    bench.finish();
    assert!(bench.raft.is_settled(&[]));
}

#[test]
fn who_does_not_vote_unsettles_the_group() {
    let mut removed = follower();
    removed.raft.apply_conf_change(ConfChange::Remove(MemberId(1)));
    assert!(!removed.raft.is_settled(&[]));
    let mut demoted = follower();
    demoted.raft.apply_conf_change(ConfChange::AddLearner(MemberId(3)));
    assert!(!demoted.raft.is_settled(&[]));
    demoted.raft.apply_conf_change(ConfChange::AddVoter(MemberId(3)));
    assert!(demoted.raft.is_settled(&[]));
}

#[test]
fn a_leader_is_settled_while_all_followers_keep_up() {
    let mut bench = Bench::leader_of(3);
    assert!(bench.raft.is_settled(&[]));
    bench.raft.report_unreachable(MemberId(2));
    assert!(!bench.raft.is_settled(&[]), "it probes");
    bench.hear(2, 2, appended(2));
    assert!(bench.raft.is_settled(&[]));
    bench.propose(1);
    assert!(bench.raft.is_settled(&[]));
    bench.propose(2);
    assert!(!bench.raft.is_settled(&[]), "the window is full");
    bench.hear(2, 2, appended(4));
    bench.hear(3, 2, appended(4));
    assert!(bench.raft.is_settled(&[]));
    bench.ticks(10);
    assert!(!bench.raft.is_settled(&[]), "nobody has answered since it counted");
    bench.hear(2, 2, ANSWER);
    bench.hear(3, 2, ANSWER);
    assert!(bench.raft.is_settled(&[]));
}

#[test]
fn a_leader_is_not_settled_before_the_first_commit_of_its_term() {
    let mut bench = Bench::one_of(3);
    bench.elect();
    bench.hear(2, 2, appended(1));
    bench.hear(3, 2, appended(1));
    assert!(!bench.raft.is_settled(&[]));
    bench.hear(2, 2, appended(2));
    assert!(bench.raft.is_settled(&[]));
}

#[test]
fn a_change_or_a_hand_over_under_way_unsettles_a_leader() {
    let mut changing = Bench::leader_of(3);
    let change = ConfChange::Remove(MemberId(3));
    changing.raft.propose(Payload::Change(change, 0)).unwrap();
    changing.turn();
    assert!(!changing.raft.is_settled(&[]));
    changing.hear(2, 2, appended(3));
    assert!(changing.raft.is_settled(&[]));
    let mut handing_over = Bench::leader_of(3);
    handing_over.raft.transfer_leadership(MemberId(2));
    assert!(!handing_over.raft.is_settled(&[]));
}

#[test]
fn ticks_that_were_not_played_count_as_if_they_had_been() {
    let mut bench = follower();
    bench.ticks(2);
    assert_eq!(bench.raft.election_elapsed(), 2);
    bench.raft.pass_over_ticks(9);
    assert_eq!(bench.raft.election_elapsed(), 9);
    assert_eq!(bench.ticks(1), ["2: PreVote 1@1, term 3", "3: PreVote 1@1, term 3"]);
}

#[test]
fn answers_that_were_not_played_count_at_the_next_count() {
    for (has_come, role) in [(true, Role::Leader), (false, Role::Follower)] {
        let mut bench = Bench::leader_of(3);
        bench.ticks(10);
        bench.hear(2, 2, ANSWER);
        bench.raft.pass_over_answers(MemberId(2), has_come);
        // A stranger's are not missed.
        bench.raft.pass_over_answers(MemberId(9), true);
        bench.ticks(10);
        assert_eq!(bench.raft.role(), role);
    }
}

#[test]
fn a_heartbeat_that_was_not_played_is_answered_afterwards() {
    let mut bench = follower();
    bench.raft.answer_unplayed(MemberId(2));
    assert_eq!(bench.turn(), ["2: HeartbeatResponse, term 2"]);
}

#[test]
fn a_leader_is_settled_without_a_member_that_is_gone_once_it_has_given_it_up() {
    let gone = [MemberId(3)];
    let mut bench = Bench::leader_of(3);
    assert!(!bench.raft.is_settled(&gone), "it may still answer");
    bench.raft.report_unreachable(MemberId(3));
    assert!(!bench.raft.is_settled(&gone), "it has answered since the leader counted");
    bench.ticks(10);
    bench.hear(2, 2, ANSWER);
    assert!(bench.raft.is_settled(&gone));
    assert!(!bench.raft.is_settled(&[]), "it is missed");
    assert!(!bench.raft.is_settled(&[MemberId(2)]), "the other one is not gone");
    bench.propose(1);
    bench.hear(2, 2, appended(3));
    assert!(bench.raft.is_settled(&gone), "what is sent to it changes nothing");
}

#[test]
fn a_follower_is_not_settled_without_its_leader() {
    assert!(follower().raft.is_settled(&[MemberId(3)]));
    assert!(!follower().raft.is_settled(&[MemberId(2)]));
}

/// A group of so many that has agreed on some entries, and has nothing to do.
fn even_group(members: u32) -> (Network, usize) {
    even_group_with(SETTINGS, members)
}

fn even_group_with(settings: Settings, members: u32) -> (Network, usize) {
    let mut network = Network::new(settings, members, members, 1);
    (0..40).for_each(|_| network.round());
    let leader = place_of(network.leader().expect("one leads"));
    network.propose(leader);
    network.settle();
    (network, leader)
}

#[test]
fn an_entry_that_is_passed_over_leaves_what_one_that_is_played_leaves() {
    for members in [3, 5] {
        let (mut played, leader) = even_group(members);
        let others = usize::try_from(members).unwrap() - 1;
        assert!(played.nodes.iter().all(|node| node.raft.as_ref().unwrap().is_even(others)));
        let mut passed = played.clone();
        played.propose(leader);
        played.settle();
        let last = played.nodes[leader].raft.as_ref().unwrap().last_index();
        let entry = played.nodes[leader].raft.as_ref().unwrap().entry(last).unwrap().clone();
        for node in &mut passed.nodes {
            let raft = node.raft.as_mut().unwrap();
            assert_eq!(raft.pass_over_append(entry.payload.clone()), last);
            node.disk.write_entry(entry.clone());
            raft.pass_over_commit();
        }
        for (played, passed) in played.nodes.iter().zip(&passed.nodes) {
            assert_eq!(format!("{:?}", passed.raft), format!("{:?}", played.raft));
            assert_eq!(format!("{:?}", passed.disk), format!("{:?}", played.disk));
        }
    }
}

#[test]
fn a_group_is_not_even_while_an_entry_is_under_way() {
    let (mut network, leader) = even_group(3);
    network.propose(leader);
    while !network.flight.is_empty() {
        // The last acknowledgments say again what the leader has heard.
        let is_news = |message: &Message<u64>| !matches!(message.body, Body::AppendResponse(_));
        let is_even = network.nodes.iter().all(|node| node.raft.as_ref().unwrap().is_even(2));
        assert!(!is_even || !network.flight.iter().any(is_news), "{:?}", network.flight);
        network.deliver(0);
    }
    assert!(network.nodes.iter().all(|node| node.raft.as_ref().unwrap().is_even(2)));
    assert!(!network.raft(1 + leader as u32).is_even(3), "there would be one more");
}

#[test]
fn a_group_in_which_the_commit_waits_for_acknowledgments_is_never_even() {
    let (network, leader) = even_group_with(Settings { max_inflight: 1, ..SETTINGS }, 3);
    assert!(!network.nodes[leader].raft.as_ref().unwrap().is_even(2));
}
