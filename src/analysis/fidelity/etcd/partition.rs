//! One member of three is cut off from the others for six seconds; its clients reach it.
//!
//! Each member gets a put every 40 ms and a linearizable get every 120 ms.

use super::driver::Load;
use super::rig::{MEMBERS, Rig, at, millis};
use super::trial::{COUNTED_BEFORE, NEVER, Trial};
use crate::engine::{Duration, SimTime};

const PUTS: Duration = Duration::from_millis(40);
const READS_EVERY: u64 = 3;
/// When the load begins: the next put comes 30 ms after the cut, the next get 110 ms after it.
const LOAD_BEGINS: i64 = -370;
/// How long it takes to set the packet filters, and to unset them.
const SETTING: i64 = 7;
/// How long the driver waits in between.
const CUT: i64 = 6_000;
/// How long the load goes on after everybody agrees.
const LOAD_GOES_ON: i64 = 1_500;
/// How long requests are waited for: two time-outs of a read behind another.
const WAIT: i64 = 14_200;

/// Who is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolated {
    Leader,
    Follower,
}

/// One trial.
pub fn play(mut rig: Rig, isolated: Isolated) -> Trial {
    let (mut trial, fault) = (Trial::default(), rig.fault());
    rig.run_until(at(fault, LOAD_BEGINS - 50));
    rig.poll(true);
    rig.run_until(at(fault, LOAD_BEGINS));
    let old = rig.leader().expect("a settled group has a leader");
    let alone = if isolated == Isolated::Leader { old } else { (old + 1) % MEMBERS };
    let all: Vec<usize> = (0..MEMBERS).collect();
    let majority: Vec<usize> = all.iter().copied().filter(|member| *member != alone).collect();
    rig.start_load(Load::new(all.clone(), PUTS, READS_EVERY));
    rig.run_until(fault);
    let term = rig.notes().term(&all);
    rig.run_until(at(fault, SETTING));
    rig.cut_off(alone);
    let healed = at(fault, SETTING + CUT);
    rig.run_until(at(healed, SETTING));
    rig.reconnect(alone);
    let agreed = converge(&mut rig, &all, healed);
    trial.add("converged", agreed.map(|agreed| millis(healed, agreed)));
    rig.run_until(at(rig.now(), LOAD_GOES_ON));
    rig.stop_load();
    rig.poll(false);
    let risen = rig.notes().term(&all) - term;
    trial.add("terms", Some(risen));
    trial.add("leaderKept", Some(u64::from(rig.leader() == Some(old))));
    if isolated == Isolated::Leader {
        let elected = rig.took_role("Leader", fault).into_iter();
        let mut elected = elected.filter(|(elected, member)| *elected < healed && *member != alone);
        trial.add("elected", elected.next().map(|(elected, _)| millis(fault, elected)));
    }
    let follows = rig.learned_leader(alone, healed);
    trial.add("followsAgain", follows.map(|follows| millis(healed, follows)));
    observe(&rig, alone, &majority, healed, &mut trial);
    rig.run_until(at(rig.now(), WAIT));
    let notes = rig.notes();
    let from = at(fault, -COUNTED_BEFORE);
    trial.got_all("put/majority", notes.asked("put", &majority, from));
    trial.got_all("put/isolated", notes.asked("put", &[alone], from));
    trial.got_all("read/isolated", notes.asked("read", &[alone], from));
    drop(notes);
    trial
}

/// Plays until all members agree as their statuses of one moment say.
fn converge(rig: &mut Rig, all: &[usize], healed: SimTime) -> Option<SimTime> {
    rig.run_until_noted(at(healed, NEVER), |notes| notes.agree(all))
}

fn observe(rig: &Rig, alone: usize, majority: &[usize], healed: SimTime, trial: &mut Trial) {
    let (notes, fault) = (rig.notes(), rig.fault());
    let nobody = |leader: Option<usize>| leader.is_none();
    let lost = notes.first_seen(alone, fault, nobody);
    trial.add("isolatedSeesNoLeader", lost.map(|lost| millis(fault, lost)));
    let before = at(fault, -COUNTED_BEFORE);
    trial.add("putGap", notes.longest_gap("put", majority, before));
    trial.add("putGapAfterHeal", notes.longest_gap("put", majority, healed));
}
