//! The laws over random histories: members crash, messages are lost, doubled and reordered, the
//! network splits, the group changes. Each law is also shown to find a rule broken on purpose.

use super::bench::SETTINGS;
use super::network::{Network, Sabotage, Write, place_of};
use crate::raft::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// One random history.
#[derive(Clone, Debug)]
struct History {
    voters: u32,
    spare: u32,
    seed: u64,
    settings: Settings,
    /// Whether members may be removed, or demoted.
    removals: bool,
    /// What happens, one number a step.
    steps: Vec<u32>,
}

fn history(steps: usize) -> impl Strategy<Value = History> {
    let rules = (2u32..7, any::<bool>(), any::<bool>(), 1usize..4, 1usize..4);
    let settings =
        rules.prop_map(|(election_ticks, pre_vote, check_quorum, entries, inflight)| Settings {
            election_ticks,
            heartbeat_ticks: 1,
            pre_vote,
            check_quorum,
            max_entries_per_append: entries,
            max_inflight: inflight,
        });
    let steps = prop::collection::vec(any::<u32>(), steps / 4..steps);
    (1u32..6, 0u32..3, any::<u64>(), settings, steps).prop_map(
        |(voters, spare, seed, settings, steps)| {
            let removals = true;
            History { voters, spare, seed, settings, removals, steps }
        },
    )
}

fn play(history: &History, sabotage: Option<Sabotage>) -> Network {
    let all = history.voters + history.spare;
    let mut network = Network::new(history.settings, history.voters, all, history.seed);
    network.sabotage = sabotage;
    for step in &history.steps {
        act(&mut network, *step, history.removals);
    }
    network
}

/// One step: what in the low bits, whom and how in the others.
fn act(network: &mut Network, step: u32, removals: bool) {
    let (what, how) = (step % 64, usize::try_from(step / 64).unwrap());
    let place = how % network.nodes.len();
    let rest = how / network.nodes.len();
    let other = MemberId(u32::try_from(rest % network.nodes.len()).unwrap() + 1);
    // Mostly one of those that have waited longest.
    let reach = if rest.is_multiple_of(4) { usize::MAX } else { 3 };
    let which = how % network.flight.len().clamp(1, reach);
    match what {
        0..12 => network.tick(place),
        12..42 if !network.flight.is_empty() => network.deliver(which),
        12..42 => network.tick(place),
        42 if !network.flight.is_empty() => network.lose(which),
        44 if !network.flight.is_empty() => {
            let again = network.flight[which].clone();
            network.flight.push(again);
        }
        45..49 => network.propose(place),
        49 | 50 if network.nodes[place].raft.is_none() => network.restart(place),
        49 => {
            let write = [Write::Lost, Write::Torn(how % 3), Write::Whole][rest % 3];
            network.crash(place, write);
        }
        51 => network.nodes[place].slow = true,
        52 | 53 => network.flush(place),
        54 => network.sides = u64::try_from(how).unwrap(),
        55 => network.sides = 0,
        56 if removals => {
            let change = [ConfChange::AddVoter, ConfChange::AddLearner, ConfChange::Remove];
            network.propose_change(place, change[how % 3](other));
        }
        56 => network.propose_change(place, ConfChange::AddVoter(other)),
        57 => network.input(place, |raft| raft.transfer_leadership(other)),
        43 | 58 => network.read(place),
        59 => network.compact(place, u64::try_from(rest % 4).unwrap()),
        60 => network.input(place, |raft| raft.report_unreachable(other)),
        61 | 62 => calm(network),
        _ => network.nodes[place].slow = false,
    }
    while network.flight.len() > 200 {
        network.lose(0);
    }
}

/// A round in which messages arrive in order.
fn calm(network: &mut Network) {
    for place in 0..network.nodes.len() {
        network.tick(place);
    }
    for _ in 0..100 {
        if !network.flight.is_empty() {
            network.deliver(0);
        }
    }
}

/// No faults from now on.
fn heal(network: &mut Network) {
    network.sides = 0;
    for place in 0..network.nodes.len() {
        network.nodes[place].slow = false;
        network.flush(place);
        network.restart(place);
    }
    network.settle();
}

/// True if there is soon a leader that commits, and all of its group follow.
///
/// Within twice the election ticks each voter without a leader campaigns once, by draws of their own.
/// Even if only one of eight has a complete log, and the others draw from two lengths, it is the
/// first or alone at least once in eight times; that it fails so often has a chance below 10^-17.
fn recovers(network: &mut Network) -> bool {
    let rounds = 300 * 2 * network.settings.election_ticks;
    heal(network);
    for _ in 0..rounds {
        network.round();
        let Some(leader) = network.leader() else { continue };
        network.propose(place_of(leader));
        network.settle();
        let raft = network.raft(leader.0);
        let (last, members) = (raft.last_index(), raft.membership().clone());
        let everywhere = members.members().all(|id| network.raft(id.0).committed() == last);
        if everywhere {
            return true;
        }
    }
    false
}

/// Cases per law; `PROPTEST_CASES` asks for more or fewer.
fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(10_000))]
    #[test]
    fn no_law_is_broken_whatever_happens(history in history(800)) {
        let network = play(&history, None);
        prop_assert!(network.laws.broken.is_empty(), "{:?}", network.laws.broken);
    }
}

proptest! {
    #![proptest_config(cases(500))]
    #[test]
    fn a_group_recovers_when_faults_end(history in history(400)) {
        // Who removes the leader of two before the other knows may be left without a quorum: etcd's
        // raft warns of it.
        let mut network = play(&History { removals: false, ..history }, None);
        prop_assert!(recovers(&mut network), "no leader, or not all follow");
        prop_assert!(network.laws.broken.is_empty(), "{:?}", network.laws.broken);
    }

    #[test]
    fn the_same_history_ends_in_the_same_state(history in history(200)) {
        let (once, again) = (play(&history, None), play(&history, None));
        prop_assert_eq!(format!("{once:?}"), format!("{again:?}"));
    }
}

proptest! {
    #![proptest_config(cases(500))]
    /// Nobody knows of a return: neither term nor leader changes, at any moment of it.
    #[test]
    fn a_member_that_returns_changes_nothing(
        (voters, cut, seed) in (3u32..8, any::<u64>(), any::<u64>()),
        (away, home) in (1u32..60, 1u32..30),
    ) {
        let mut network = returning(true, voters, seed);
        let (leader, term) = leads(&mut network);
        cut_minority(&mut network, cut, leader);
        for round in 0..away + home {
            if round == away {
                network.sides = 0;
            }
            network.round();
            prop_assert_eq!(leads(&mut network), (leader, term));
        }
        for id in 1..=voters {
            prop_assert_eq!((network.raft(id).term(), network.raft(id).leader()), (term, Some(leader)));
        }
    }

    /// Between one and two counts after the last answer, whatever the others do meanwhile.
    #[test]
    fn a_leader_cut_off_steps_down_within_two_election_time_outs(
        (voters, seed, phase) in (3u32..8, any::<u64>(), 0u32..10),
    ) {
        let mut network = returning(true, voters, seed);
        (0..phase).for_each(|_| network.round());
        let (leader, _) = leads(&mut network);
        network.sides = 1 << leader.0;
        let place = place_of(leader);
        let ticks = (1..100).find(|_| {
            network.tick(place);
            network.settle();
            network.raft(leader.0).role() != Role::Leader
        });
        prop_assert!(ticks.is_some_and(|ticks| 10 < ticks && ticks <= 20), "{ticks:?}");
    }
}

#[test]
fn without_pre_vote_a_member_that_returns_deposes_the_leader() {
    let mut network = returning(false, 3, 1);
    let (leader, term) = leads(&mut network);
    cut_minority(&mut network, 0, leader);
    (0..30).for_each(|_| network.round());
    assert_eq!(leads(&mut network), (leader, term));
    network.sides = 0;
    (0..30).for_each(|_| network.round());
    assert!(network.raft(leader.0).term() > term);
}

#[test]
fn without_the_quorum_check_a_leader_cut_off_never_knows() {
    let settings = Settings { check_quorum: false, ..SETTINGS };
    let mut network = Network::new(settings, 3, 3, 1);
    (0..40).for_each(|_| network.round());
    let (leader, _) = leads(&mut network);
    network.sides = 1 << leader.0;
    (0..100).for_each(|_| network.round());
    assert_eq!(network.raft(leader.0).role(), Role::Leader);
}

/// Equal time-outs and ticks at the same moment: every campaign is a tie.
#[test]
fn a_group_that_does_not_draw_never_finds_a_leader() {
    let settings = Settings { pre_vote: false, ..SETTINGS };
    let mut network = Network::new(settings, 3, 3, 1);
    network.sabotage = Some(Sabotage::SameTimeouts);
    network.input(0, |raft| raft.draw_timeout(0));
    network.input(1, |raft| raft.draw_timeout(0));
    network.input(2, |raft| raft.draw_timeout(0));
    assert!(!recovers(&mut network));
}

/// Figure 8 of the paper: what an earlier leader has left on a quorum may still be replaced.
fn figure_8(sabotage: Option<Sabotage>) -> Network {
    let plain = Settings { pre_vote: false, check_quorum: false, ..SETTINGS };
    let one = Settings { max_entries_per_append: 1, ..plain };
    let mut network = Network::new(one, 5, 5, 0);
    network.sabotage = sabotage;
    // The first leads in term 2; its entry reaches only the second.
    win(&mut network, 1, [2, 3]);
    bring(&mut network, 1, 2, 1);
    end(&mut network, 1);
    // The fifth leads in term 3; its entry reaches nobody.
    win(&mut network, 5, [3, 4]);
    end(&mut network, 5);
    // The first leads in term 4, and brings its old entry to the third and the fourth: a quorum.
    // They reject its new one, which comes after that.
    win(&mut network, 1, [2, 3]);
    bring(&mut network, 1, 3, 4);
    bring(&mut network, 1, 4, 4);
    end(&mut network, 1);
    win(&mut network, 5, [3, 4]);
    network
}

/// Campaigns until these two votes make it the leader, and leaves its first entry on the way.
fn win(network: &mut Network, candidate: u32, voters: [u32; 2]) {
    network.sides = 1 << candidate | 1 << voters[0] | 1 << voters[1];
    while network.leader() != Some(MemberId(candidate)) {
        if network.flight.is_empty() {
            network.input(place_of(MemberId(candidate)), Raft::campaign);
        }
        network.deliver(0);
    }
    network.sides = 0;
    network.flight.retain(|message| matches!(message.body, Body::Append { .. }));
}

/// So many messages between two members arrive.
fn bring(network: &mut Network, a: u32, b: u32, count: u32) {
    let pair = [(MemberId(a), MemberId(b)), (MemberId(b), MemberId(a))];
    for _ in 0..count {
        let which = network.flight.iter().position(|m| pair.contains(&(m.from, m.to)));
        network.deliver(which.expect("they have something to say"));
    }
}

/// The member's process dies and comes back; everything on its way is lost.
fn end(network: &mut Network, id: u32) {
    network.flight.clear();
    network.crash(place_of(MemberId(id)), Write::Lost);
    network.restart(place_of(MemberId(id)));
}

#[test]
fn what_an_earlier_leader_left_on_a_quorum_is_not_committed_by_that() {
    assert!(figure_8(None).laws.broken.is_empty());
    let network = figure_8(Some(Sabotage::CommitOfEarlierTerms));
    assert!(network.laws.broken.contains("leader completeness"), "{:?}", network.laws.broken);
}

/// Plays histories until the law is broken.
fn finds(sabotage: Sabotage, law: &str) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20_000 {
        let history = history(800).new_tree(&mut runner).expect("any history will do").current();
        if play(&history, Some(sabotage)).laws.broken.contains(law) {
            return;
        }
    }
    panic!("{sabotage:?} breaks no law by the name of {law}");
}

#[test]
fn each_law_finds_a_rule_that_was_broken_on_purpose() {
    finds(Sabotage::EveryAnswerIsYes, "election safety");
    finds(Sabotage::ForgottenVote, "one vote in a term");
    finds(Sabotage::ForgetfulLeader, "leader append-only");
    finds(Sabotage::UncheckedAppend, "log matching");
    finds(Sabotage::AnyLogWins, "leader completeness");
    finds(Sabotage::AnyLogWins, "state machine safety");
    finds(Sabotage::PromiseBeforeWrite, "no commit without a quorum");
    finds(Sabotage::PromiseBeforeWrite, "no log contradicts its leader's");
    finds(Sabotage::SmallQuorum, "no commit without a quorum");
    finds(Sabotage::SmallQuorum, "no two disjoint quorums");
    finds(Sabotage::SmallQuorum, "a snapshot holds what is committed");
    finds(Sabotage::EagerFollower, "state machine safety");
    finds(Sabotage::EagerFollower, "one configuration at an index");
    finds(Sabotage::ChangesTogether, "one change at a time");
    finds(Sabotage::ReadWithoutQuorum, "linearizable reads");
    finds(Sabotage::TermGoesBack, "nothing goes back");
    finds(Sabotage::SkippedEntry, "applied in order");
}

/// A group that has had a leader for a while.
fn returning(pre_vote: bool, voters: u32, seed: u64) -> Network {
    let mut network = Network::new(Settings { pre_vote, ..SETTINGS }, voters, voters, seed);
    let led = (0..300).any(|_| {
        network.round();
        network.leader().is_some()
    });
    assert!(led, "a group without faults finds a leader");
    (0..10).for_each(|_| network.round());
    network
}

fn leads(network: &mut Network) -> (MemberId, Term) {
    let leader = network.leader().expect("it has a leader");
    (leader, network.raft(leader.0).term())
}

/// Cuts some members off, fewer than a quorum, at least one and not the leader.
fn cut_minority(network: &mut Network, cut: u64, leader: MemberId) {
    let most = (network.nodes.len() - 1) / 2;
    let others = network.nodes.iter().map(|node| node.id).filter(|id| *id != leader);
    let chosen: Vec<MemberId> = others.filter(|id| cut >> id.0 & 1 == 0).take(most).collect();
    let chosen = if chosen.is_empty() { vec![MemberId(leader.0 % 3 + 1)] } else { chosen };
    network.sides = chosen.iter().fold(0, |sides, id| sides | 1 << id.0);
}
