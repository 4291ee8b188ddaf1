//! One member of three ends: killed or told to stop, the leader or a follower.
//!
//! While it does, each survivor gets a put every 20 ms and a linearizable get every 60 ms. The
//! recording driver's load had begun 310 ms before the fault.

use super::driver::Load;
use super::rig::{MEMBERS, Rig, at, millis};
use super::trial::{COUNTED_BEFORE, NEVER, Trial};
use crate::engine::Duration;

/// Between two puts to a member.
const PUTS: Duration = Duration::from_millis(20);
/// With each so many-th put goes a get.
const READS_EVERY: u64 = 3;
/// When the load begins: the next put comes 10 ms after the fault, the next get 50 ms after it.
const LOAD_BEGINS: i64 = -310;
/// How long the load goes on after everybody knows the new leader.
const LOAD_GOES_ON: i64 = 500;
/// How long requests are waited for.
const WAIT: i64 = 7_200;

/// Who ends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    KillLeader,
    KillFollower,
    TerminateLeader,
}

/// One trial.
pub fn play(mut rig: Rig, end: End) -> Trial {
    let (mut trial, fault) = (Trial::default(), rig.fault());
    rig.run_until(at(fault, LOAD_BEGINS - 50));
    rig.poll(true);
    rig.run_until(at(fault, LOAD_BEGINS));
    let leader = rig.leader().expect("a settled group has a leader");
    let victim = if end == End::KillFollower { (leader + 1) % MEMBERS } else { leader };
    let survivors: Vec<usize> = (0..MEMBERS).filter(|member| *member != victim).collect();
    rig.start_load(Load::new(survivors.clone(), PUTS, READS_EVERY));
    rig.run_until(fault);
    let term = rig.notes().term(&survivors);
    match end {
        End::KillLeader | End::KillFollower => rig.kill(victim),
        End::TerminateLeader => rig.terminate(victim),
    }
    if end == End::KillFollower {
        rig.run_until(at(fault, 2_500));
    } else {
        let all_know = |notes: &super::driver::Notes| {
            let other = |leader: Option<usize>| leader.is_some_and(|leader| leader != victim);
            survivors.iter().all(|member| notes.first_seen(*member, fault, other).is_some())
        };
        rig.run_until_noted(at(fault, NEVER), all_know);
        rig.run_until(at(rig.now(), LOAD_GOES_ON));
        observe_election(&rig, victim, &survivors, &mut trial);
    }
    rig.stop_load();
    let risen = rig.notes().term(&survivors) - term;
    trial.add("terms", Some(risen));
    let gap = rig.notes().longest_gap("put", &survivors, at(fault, -COUNTED_BEFORE));
    trial.add("putGap", gap);
    if end == End::TerminateLeader {
        let ended = rig.run_until_ended(victim, at(fault, NEVER));
        trial.add("exit", ended.map(|ended| millis(fault, ended)));
    }
    trial.add("restart", restart(&mut rig, victim));
    rig.poll(false);
    rig.run_until(at(rig.now(), WAIT));
    for kind in ["put", "read"] {
        let notes = rig.notes();
        trial.got_all(kind, notes.asked(kind, &survivors, at(fault, -COUNTED_BEFORE)));
    }
    if end == End::KillFollower {
        for (metric, kind) in [("slowestPut", "put"), ("slowestRead", "read")] {
            let slowest = trial.outcomes[kind].get("OK").and_then(|got| got.2);
            trial.add(metric, slowest);
        }
    }
    trial
}

/// Starts a member that has ended; milliseconds until it answers, and has what there was.
pub fn restart(rig: &mut Rig, member: usize) -> Option<u64> {
    let target = rig.notes().applied();
    rig.forget_status(member);
    let started = rig.now();
    rig.start(member);
    rig.run_until_noted(at(started, NEVER), |notes| {
        notes.status[member]
            .is_some_and(|status| status.leader.is_some() && status.applied >= target)
    })
    .map(|caught_up| millis(started, caught_up))
}

fn observe_election(rig: &Rig, victim: usize, survivors: &[usize], trial: &mut Trial) {
    let fault = rig.fault();
    let elected = rig.took_role("Leader", fault).first().map(|(elected, _)| *elected);
    trial.add("elected", elected.map(|elected| millis(fault, elected)));
    let campaigns = rig.campaigns(fault);
    trial.add("campaigns", Some(campaigns));
    let notes = rig.notes();
    let other = |leader: Option<usize>| leader.is_some_and(|leader| leader != victim);
    let seen = survivors.iter().filter_map(|member| notes.first_seen(*member, fault, other));
    let seen: Vec<u64> = seen.map(|seen| millis(fault, seen)).collect();
    trial.add("seenByFirst", seen.iter().min().copied());
    if seen.len() == survivors.len() {
        trial.add("seenByAll", seen.iter().max().copied());
    }
    for (metric, kind) in [("firstPut", "put"), ("firstRead", "read")] {
        let first = notes.first_ok(kind, survivors, fault);
        trial.add(metric, first.map(|first| millis(fault, first)));
    }
}
