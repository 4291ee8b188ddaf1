//! Both sides go through the same histories.

use healsim::raft::Settings;
use healsim_raft_oracle::{End, Group, Input};
use std::collections::BTreeMap;

/// Numbers that decide what happens, the same for ever.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn both_agree_at_each_step() {
    let histories = std::env::var("HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let (mut agreed, mut known, mut differences) = (0u64, BTreeMap::new(), Vec::new());
    for seed in 0..histories {
        match play(seed, 1_000) {
            (steps, Ok(())) => agreed += steps,
            (steps, Err(End::Known(why))) => {
                agreed += steps;
                *known.entry(why).or_insert(0u32) += 1;
            }
            (steps, Err(End::Differs(how))) => {
                agreed += steps;
                differences.push(format!("history {seed}, step {steps}: {how}"));
            }
        }
    }
    println!("{agreed} steps agreed in {histories} histories; cut short: {known:#?}");
    for difference in differences.iter().take(8) {
        println!("{difference}");
    }
    assert!(differences.is_empty());
}

fn play(seed: u64, steps: u64) -> (u64, Result<(), End>) {
    let mut numbers = Numbers(seed);
    let settings = Settings {
        election_ticks: 3 + u32::try_from(numbers.below(8)).unwrap(),
        heartbeat_ticks: 1,
        pre_vote: numbers.below(2) == 0,
        check_quorum: numbers.below(2) == 0,
        max_entries_per_append: [1, usize::MAX][numbers.below(2)],
        max_inflight: 2 + numbers.below(4),
    };
    let voters = 1 + u32::try_from(numbers.below(5)).unwrap();
    let all = voters + u32::try_from(numbers.below(3)).unwrap();
    let mut group = Group::new(settings, voters, all, seed);
    for step in 0..steps {
        if let Err(difference) = act(&mut group, &mut numbers, step) {
            return (step, Err(difference));
        }
    }
    (steps, Ok(()))
}

fn act(group: &mut Group, numbers: &mut Numbers, step: u64) -> Result<(), End> {
    let members = group.pairs.len();
    let place = numbers.below(members);
    let other = u32::try_from(numbers.below(members)).unwrap() + 1;
    let which = numbers.below(group.flight.len().clamp(1, 3));
    match numbers.below(100) {
        0..25 => group.input(place, Input::Tick),
        25..85 if !group.flight.is_empty() => group.deliver(which),
        25..85 => group.input(place, Input::Tick),
        85 | 86 if !group.flight.is_empty() => {
            group.flight.remove(which);
            Ok(())
        }
        87 if !group.flight.is_empty() => {
            group.flight.push(group.flight[which].clone());
            Ok(())
        }
        88..93 => group.input(place, Input::Propose(step)),
        93 => group.input(place, Input::AddVoter(other)),
        94 => group.input(place, Input::AddLearner(other)),
        95 => group.input(place, Input::Remove(other)),
        96 => group.input(place, Input::Transfer(other)),
        97 | 98 => group.input(place, Input::Read(step + 1)),
        _ => group.restart(place),
    }
}
