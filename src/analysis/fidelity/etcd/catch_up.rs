//! A follower is down while many entries are written, and has to catch up.

use super::driver::Burst;
use super::one_member::restart;
use super::rig::{MEMBERS, Rig, at};
use super::trial::{NEVER, Trial};

/// How many puts are on their way at once.
const AT_ONCE: usize = 64;
/// How long the group rests before the follower is started again.
const REST: i64 = 300;

/// What is written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// How the metric is called.
    pub label: &'static str,
    pub entries: usize,
    /// How often in a row, in one group.
    pub rounds: usize,
}

/// One trial for each round.
pub fn play(mut rig: Rig, lag: Lag) -> Vec<Trial> {
    let fault = rig.fault();
    rig.run_until(at(fault, -50));
    rig.poll(true);
    rig.run_until(fault);
    let leader = rig.leader().expect("a settled group has a leader");
    let follower = (leader + 1) % MEMBERS;
    let mut trials = Vec::new();
    for _ in 0..lag.rounds {
        let began = rig.now();
        rig.kill(follower);
        rig.poll(false);
        let burst = Burst { member: leader, left: lag.entries, at_once: AT_ONCE };
        rig.burst(burst);
        let written = rig.run_until_noted(at(began, NEVER), |notes| notes.burst.is_none());
        written.expect("two members of three take every put");
        rig.poll(true);
        rig.run_until(at(rig.now(), REST));
        let mut trial = Trial::default();
        let sent = rig.snapshots_sent();
        trial.add(format!("caughtUp/{}", lag.label), restart(&mut rig, follower));
        let by = if rig.snapshots_sent() > sent { "SNAPSHOT" } else { "LOG" };
        trial.got(format!("catchUp/{}", lag.label), by, None);
        trials.push(trial);
    }
    trials
}
