//! How long a group of three is without a leader after the leader's process was killed, beside
//! recordings of real etcd.
//!
//! Only ticks take time here: each survivor's begin at a random point of their period, and messages
//! arrive at once. What the recordings have beyond that is a few milliseconds of a busy machine.

use super::bench::SETTINGS;
use super::network::{Network, Write};
use crate::raft::*;

/// etcd 3.5.16: milliseconds from the kill to the next leader's own log line, 60 kills.
const WITH_PRE_VOTE: [u64; 60] = [
    925, 938, 943, 949, 955, 959, 963, 979, 989, 1015, 1030, 1031, 1034, 1035, 1035, 1043, 1067,
    1067, 1076, 1082, 1092, 1113, 1114, 1122, 1136, 1142, 1143, 1146, 1155, 1176, 1193, 1196, 1198,
    1213, 1214, 1216, 1224, 1241, 1257, 1270, 1345, 1348, 1374, 1401, 1413, 1434, 1472, 1516, 1520,
    1528, 1533, 1572, 1578, 1636, 1640, 1655, 1750, 1762, 1802, 1863,
];

/// etcd 3.4.23, the same.
const WITHOUT_PRE_VOTE: [u64; 60] = [
    942, 946, 953, 957, 974, 982, 987, 992, 992, 996, 1016, 1023, 1026, 1029, 1044, 1051, 1064,
    1075, 1130, 1141, 1142, 1152, 1153, 1185, 1186, 1194, 1196, 1197, 1204, 1215, 1220, 1221, 1228,
    1238, 1255, 1255, 1271, 1280, 1294, 1315, 1369, 1390, 1420, 1423, 1499, 1524, 1532, 1535, 1544,
    1570, 1586, 1637, 1680, 1737, 1770, 1838, 2062, 2290, 2317, 2574,
];

/// The distance that two samples exceed in one case of a hundred if one of them has 60 values.
const CRITICAL_PERMILLE: u64 = 210;

#[test]
fn the_next_leader_comes_as_soon_as_recorded() {
    let with = times(SETTINGS);
    assert!(distance(&with, &WITH_PRE_VOTE) < CRITICAL_PERMILLE);
    let without = times(Settings { pre_vote: false, ..SETTINGS });
    assert!(distance(&without, &WITHOUT_PRE_VOTE) < CRITICAL_PERMILLE);
    // A tick less than the shortest time-out, and the age of the leader's last word.
    assert!(with[0] >= 885 && with[with.len() / 2] < 1_300, "{with:?}");
}

#[test]
fn a_group_that_waits_two_ticks_longer_is_told_apart() {
    let slow = times(Settings { election_ticks: 12, ..SETTINGS });
    assert!(distance(&slow, &WITH_PRE_VOTE) > CRITICAL_PERMILLE);
}

/// 2,000 kills, the shortest first.
fn times(settings: Settings) -> Vec<u64> {
    let mut times: Vec<u64> = (0..2_000).map(|seed| time_without_leader(settings, seed)).collect();
    times.sort_unstable();
    times
}

/// Milliseconds from the leader's death to the next one.
fn time_without_leader(settings: Settings, seed: u64) -> u64 {
    let mut network = Network::new(settings, 3, 3, seed);
    network.input(0, Raft::campaign);
    network.settle();
    network.propose(0);
    network.settle();
    network.crash(0, Write::Lost);
    // The recordings' users wrote every 20 ms through each survivor: the last append is that young.
    let mut numbers = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut below = |bound| {
        numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (numbers >> 33) % bound
    };
    let age = below(16);
    let mut next_tick = [below(100), below(100)];
    loop {
        let first = usize::from(next_tick[1] < next_tick[0]);
        network.tick(first + 1);
        network.settle();
        if network.leader().is_some() {
            return next_tick[first] - age;
        }
        next_tick[first] += 100;
    }
}

/// The largest difference of the two distributions, in thousandths.
fn distance(simulated: &[u64], recorded: &[u64]) -> u64 {
    let share = |list: &[u64], most: u64| {
        let below = list.partition_point(|time| *time <= most);
        u64::try_from(1_000 * below / list.len()).expect("at most a thousand")
    };
    let all = simulated.iter().chain(recorded);
    let differences = all.map(|time| share(simulated, *time).abs_diff(share(recorded, *time)));
    differences.max().expect("there are times")
}
