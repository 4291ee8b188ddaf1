//! What one thread does: ticks and messages of a group of three, healsim's Raft beside the crate's.
//!
//! The leader's heartbeats, their answers, and one proposal to every tenth tick; each message is
//! delivered at once. Both are driven by the same loop and carry out everything that they want.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use healsim::raft::Settings;
use healsim_raft_oracle::Input;
use healsim_raft_oracle::ours::Ours;
use healsim_raft_oracle::theirs::Theirs;

const SETTINGS: Settings = Settings {
    election_ticks: 10,
    heartbeat_ticks: 1,
    pre_vote: true,
    check_quorum: true,
    max_entries_per_append: usize::MAX,
    max_inflight: 512,
};

/// Ticks of the whole group in one measured round; a tick is four messages and a little more.
const TICKS: u64 = 100;

macro_rules! group {
    ($name:ident, $member:ident, $place:expr, $draw:expr) => {
        /// Plays `TICKS` ticks; returns how many messages arrived.
        fn $name(members: &mut [$member], proposals: &mut u64) -> u64 {
            let mut arrived = 0;
            for tick in 0..TICKS {
                for place in 0..members.len() {
                    members[place].input(Input::Tick);
                    if place == 0 && tick % 10 == 0 {
                        *proposals += 1;
                        members[place].input(Input::Propose(*proposals));
                    }
                    $draw(&mut members[place]);
                    let mut flight = members[place].take_sent();
                    while let Some(message) = flight.pop() {
                        let to: usize = $place(&message);
                        members[to].hear(message);
                        $draw(&mut members[to]);
                        flight.extend(members[to].take_sent());
                        arrived += 1;
                    }
                }
            }
            arrived
        }
    };
}

group!(
    ours,
    Ours,
    |message: &healsim::raft::Message<u64>| message.to.0 as usize - 1,
    |member: &mut Ours| {
        if member.raft.wants_draw() {
            member.draw(5);
        }
    }
);
group!(theirs, Theirs, |message: &raft::eraftpb::Message| message.to as usize - 1, |_| {});

fn throughput(c: &mut Criterion) {
    let mut mine: Vec<Ours> = (1..=3).map(|id| Ours::new(id, SETTINGS, 3)).collect();
    let mut their: Vec<Theirs> = (1..=3).map(|id| Theirs::new(id, SETTINGS, 3)).collect();
    for place in 0..3 {
        mine[place].draw(3 * place as u64);
        their[place].wait_for(10 + 3 * u32::try_from(place).expect("small"));
    }
    let (mut k, mut l) = (0, 0);
    // The first round elects a leader; the second says how many messages a round has.
    ours(&mut mine, &mut k);
    theirs(&mut their, &mut l);
    let (a, b) = (ours(&mut mine, &mut k), theirs(&mut their, &mut l));
    assert_eq!(a, b, "both say the same");
    let mut group = c.benchmark_group("raft");
    group.throughput(Throughput::Elements(3 * TICKS + a));
    group.bench_function("healsim", |bencher| bencher.iter(|| ours(&mut mine, &mut k)));
    group.bench_function("raft crate", |bencher| bencher.iter(|| theirs(&mut their, &mut l)));
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
