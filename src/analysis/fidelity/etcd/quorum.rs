//! Two members of three are killed at once; the third is asked for everything, before it has noticed
//! and after.

use super::driver::{Load, Order};
use super::rig::{MEMBERS, Rig, at, millis};
use super::trial::{NEVER, OPEN, Trial};
use crate::engine::{Duration, SimTime};
use crate::wire::{Consistency, LeaseId, StoreOperation};

/// When the streams are opened.
const STREAMS: i64 = -300;
/// When the survivor is asked for the first time.
const EARLY: i64 = 53;
/// How long after the survivor knows no leader it is asked again.
const LATE: i64 = 600;
/// How long after the last answer one of the dead is started again.
const RESTART: i64 = 200;
/// A keep-alive of a survivor that led stays open; the driver gives it up at this time.
const STREAM_DEADLINE: i64 = 16_060;
/// Between two puts when one of the dead is started again.
const PUTS: Duration = Duration::from_millis(20);

/// Which member is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivor {
    Leader,
    Follower,
}

/// One trial; which of the dead comes back is drawn by `seed`.
pub fn play(mut rig: Rig, survivor: Survivor, seed: u64) -> Trial {
    let (mut trial, fault) = (Trial::default(), rig.fault());
    rig.run_until(at(fault, STREAMS - 300));
    rig.poll(true);
    rig.run_until(at(fault, STREAMS - 200));
    let leader = rig.leader().expect("a settled group has a leader");
    let follower = if seed.is_multiple_of(2) { 1 } else { 2 };
    let left = match survivor {
        Survivor::Leader => leader,
        Survivor::Follower => (leader + follower) % MEMBERS,
    };
    let dead: Vec<usize> = (0..MEMBERS).filter(|member| *member != left).collect();
    let back = dead[usize::from(seed / 2 % 2 == 1)];
    rig.ask([once("lease", left, StoreOperation::LeaseGrant(Duration::from_secs(120)))]);
    rig.run_until(at(fault, STREAMS));
    let lease = rig.notes().lease.expect("a settled group grants a lease");
    rig.ask(streams(left, lease));
    rig.run_until(fault);
    dead.iter().for_each(|member| rig.kill(*member));
    rig.run_until(at(fault, EARLY));
    rig.ask(probes(EARLY_KINDS, left, lease));
    let nobody = |leader: Option<usize>| leader.is_none();
    let lost = rig
        .run_until_noted(at(fault, NEVER), |notes| notes.first_seen(left, fault, nobody).is_some());
    let lost = lost.expect("who leads without a quorum steps down");
    let role = if survivor == Survivor::Leader { "Leader" } else { "Follower" };
    trial.add(format!("noLeader{role}"), Some(millis(fault, lost)));
    rig.run_until(at(lost, LATE));
    rig.ask(probes(LATE_KINDS, left, lease));
    rig.ask(late_watches(left));
    let answered = rig.run_until_noted(at(fault, NEVER), |notes| {
        let asked = notes.asked_once();
        asked.filter(|asked| !asked.kind.contains("keepalive")).all(|asked| asked.done.is_some())
    });
    let answered = answered.expect("every request ends");
    let restarted = match survivor {
        Survivor::Leader => at(answered, RESTART).max(at(fault, STREAM_DEADLINE + RESTART)),
        Survivor::Follower => at(answered, RESTART),
    };
    rig.run_until(restarted);
    trial.add("restartAt", Some(millis(fault, restarted)));
    observe(&rig, role, lost, &mut trial);
    come_back(&mut rig, left, back, restarted, &mut trial);
    trial
}

fn come_back(rig: &mut Rig, left: usize, back: usize, restarted: SimTime, trial: &mut Trial) {
    rig.forget_status(back);
    rig.start(back);
    rig.start_load(Load::new(vec![left, back], PUTS, 0));
    let known = rig.run_until_noted(at(restarted, NEVER), |notes| {
        notes.first_seen(left, restarted, |leader| leader.is_some()).is_some()
            && notes.first_ok("put", &[left, back], restarted).is_some()
    });
    if known.is_none() {
        return;
    }
    let notes = rig.notes();
    let leader = notes.first_seen(left, restarted, |leader| leader.is_some());
    trial.add("leaderKnown", leader.map(|known| millis(restarted, known)));
    let put = notes.first_ok("put", &[left, back], restarted);
    trial.add("firstPutAgain", put.map(|done| millis(restarted, done)));
}

fn observe(rig: &Rig, role: &str, lost: SimTime, trial: &mut Trial) {
    let (notes, fault) = (rig.notes(), rig.fault());
    for asked in notes.asked_once() {
        let mut kind = asked.kind.to_owned();
        if kind == "early:lease_keepalive" {
            kind = format!("{kind}/{role}");
        }
        // A keep-alive that was answered leaves its stream open.
        let keeps = asked.kind.contains("keepalive") && asked.is_ok();
        let is_open = asked.is_stream || asked.done.is_none() || keeps;
        let got = if is_open { OPEN } else { asked.got.clone() };
        // A stream that was open before the fault is counted from the fault.
        let from = asked.sent.max(fault);
        let latency = asked.done.filter(|_| !is_open).map(|done| millis(from, done.max(from)));
        trial.got(&kind, &got, latency);
        if kind == "watch_open_before_fault+hasleader" && !is_open {
            let Some(ended) = asked.done else { continue };
            trial.add(format!("watchEnds{role}"), Some(millis(fault, ended)));
            trial.add("watchAfterNoLeader", Some(millis(lost, ended.max(lost))));
        }
    }
}

/// The kinds of requests, in the order of sending.
type Kinds = [&'static str; 11];

const EARLY_KINDS: Kinds = [
    "early:put",
    "early:put_require_leader",
    "early:linearizable_get",
    "early:serializable_get",
    "early:serializable_get_require_leader",
    "early:member_list_linearizable",
    "early:member_list_local",
    "early:lease_grant",
    "early:lease_keepalive",
    "early:status",
    "early:",
];
const LATE_KINDS: Kinds = [
    "late:put",
    "late:put_require_leader",
    "late:linearizable_get",
    "late:serializable_get",
    "late:serializable_get_require_leader",
    "late:member_list_linearizable",
    "late:member_list_local",
    "late:lease_grant",
    "late:lease_keepalive",
    "late:status",
    "late:",
];

fn once(kind: &'static str, member: usize, operation: StoreOperation) -> Order {
    Order { member, kind, operation, require_leader: false }
}

fn probes(kinds: Kinds, member: usize, lease: LeaseId) -> Vec<Order> {
    use Consistency::{Linearizable, Serializable};
    let [put, put_led, get, stale, stale_led, list, list_here, grant, keep, status, when] = kinds;
    let length = Duration::from_secs(60);
    vec![
        Order::put(put, member, put, 0),
        Order::put(put_led, member, &format!("{when}led"), 0).with_leader(),
        Order::get(get, member, Linearizable),
        Order::get(stale, member, Serializable),
        Order::get(stale_led, member, Serializable).with_leader(),
        once(list, member, StoreOperation::MemberList(Linearizable)),
        once(list_here, member, StoreOperation::MemberList(Serializable)),
        once(grant, member, StoreOperation::LeaseGrant(length)),
        once(keep, member, StoreOperation::LeaseKeepAlive(lease)),
        once(status, member, StoreOperation::Status),
    ]
}

fn streams(member: usize, lease: LeaseId) -> Vec<Order> {
    vec![
        once("watch_open_before_fault+hasleader", member, StoreOperation::Watch(None))
            .with_leader(),
        once("watch_open_before_fault", member, StoreOperation::Watch(None)),
        once(
            "keepalive_open_before_fault+hasleader",
            member,
            StoreOperation::LeaseKeepAlive(lease),
        )
        .with_leader(),
    ]
}

fn late_watches(member: usize) -> Vec<Order> {
    vec![
        once("late:watch_new+hasleader", member, StoreOperation::Watch(None)).with_leader(),
        once("late:watch_new", member, StoreOperation::Watch(None)),
    ]
}
