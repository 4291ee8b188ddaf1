//! A follower has lost its data directory, and is started again in three ways.

use super::driver::{Load, Order};
use super::one_member::restart;
use super::rig::{MEMBERS, Rig, at, millis};
use super::trial::{NEVER, Trial};
use crate::components::etcd::{DATA_DIR, FLAGS};
use crate::engine::{Duration, Text};
use crate::wire::StoreOperation;

/// Between two puts to each survivor.
const PUTS: Duration = Duration::from_millis(20);
/// Between two tries to add the member.
const TRIES: i64 = 50;
/// How many puts a new group gets before its member is lost.
const WRITTEN: usize = 200;
/// How many puts are on their way at once.
const AT_ONCE: usize = 4;
/// How long the load runs before and after the fault.
const BEFORE: i64 = 310;
const AFTER: i64 = 2_000;
const EXISTING: &str = "ETCD_INITIAL_CLUSTER_STATE=existing";

/// How the member is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As at the beginning: `--initial-cluster-state=new`.
    New,
    /// `--initial-cluster-state=existing`.
    Existing,
    /// The same, after it was removed from the group and added again.
    RemovedAndAdded,
}

/// One trial.
pub fn play(rig: Rig, start: Start) -> Trial {
    match start {
        Start::New => start_again(rig, "new"),
        Start::Existing => start_again(rig, "existing"),
        Start::RemovedAndAdded => remove_and_add(rig),
    }
}

/// In a group that has long been settled, under load.
fn start_again(mut rig: Rig, mode: &'static str) -> Trial {
    let (mut trial, fault) = (Trial::default(), rig.fault());
    rig.run_until(at(fault, -BEFORE - 50));
    rig.poll(true);
    rig.run_until(at(fault, -BEFORE));
    let leader = rig.leader().expect("a settled group has a leader");
    let lost = (leader + 1) % MEMBERS;
    let survivors: Vec<usize> = (0..MEMBERS).filter(|member| *member != lost).collect();
    rig.poll(false);
    rig.start_load(Load::new(survivors.clone(), PUTS, 0));
    rig.run_until(fault);
    rig.kill(lost);
    rig.remove_file(lost, DATA_DIR);
    if mode == "existing" {
        rig.write_file(lost, FLAGS, EXISTING);
    }
    rig.start(lost);
    rig.run_until(at(fault, AFTER));
    rig.stop_load();
    rig.run_until(at(fault, AFTER + BEFORE));
    if !rig.is_alive(lost) {
        let line = ["has already been bootstrapped", "panic"];
        let line = line.iter().find_map(|words| rig.logged(lost, words)).unwrap_or_default();
        trial.got(mode, &format!("EXIT|{}", without_names(&line)), None);
    }
    let notes = rig.notes();
    trial.add(format!("putGap/{mode}"), notes.longest_gap("put", &survivors, at(fault, -100)));
    trial.got_all(&format!("put/{mode}"), notes.asked("put", &survivors, at(fault, -100)));
    drop(notes);
    trial
}

/// In a group that has just been made: how long its links are up counts.
fn remove_and_add(mut rig: Rig) -> Trial {
    let mut trial = Trial::default();
    rig.poll(true);
    let all: Vec<usize> = (0..MEMBERS).collect();
    let settled = rig.run_until_noted(at(rig.now(), NEVER), |notes| notes.agree(&all));
    let Some(leader) = settled.and_then(|_| rig.leader()) else { return trial };
    let lost = (leader + 1) % MEMBERS;
    rig.burst(super::driver::Burst { member: leader, left: WRITTEN, at_once: AT_ONCE });
    rig.run_until_noted(at(rig.now(), NEVER), |notes| notes.burst.is_none());
    rig.pause();
    rig.kill(lost);
    rig.remove_file(lost, DATA_DIR);
    let identity = rig.notes().status[lost].expect("every member was seen").member;
    let asked = rig.now();
    ask(&mut rig, "remove", leader, StoreOperation::MemberRemove(identity));
    let removed = rig.notes().first_ok("remove", &all, asked);
    trial.add("remove", removed.map(|removed| millis(asked, removed)));
    let Some(removed) = removed else { return trial };
    let vm = Text::from(format!("m{lost}"));
    let mut tries = 0;
    while rig.notes().first_ok("add", &all, removed).is_none() && tries * TRIES < NEVER {
        rig.run_until(at(removed, tries * TRIES));
        let add = StoreOperation::MemberAdd { vm: vm.clone(), learner: false };
        ask(&mut rig, "add", leader, add);
        tries += 1;
    }
    let added = rig.notes().first_ok("add", &all, removed);
    trial.add("addAccepted", added.map(|added| millis(removed, added)));
    trial.got_all("add", rig.notes().asked("add", &all, removed));
    rig.write_file(lost, FLAGS, EXISTING);
    trial.add("serving", restart(&mut rig, lost));
    trial
}

/// Asks once and waits for the answer.
fn ask(rig: &mut Rig, kind: &'static str, member: usize, operation: StoreOperation) {
    rig.ask([Order { member, kind, operation, require_leader: false }]);
    let limit = at(rig.now(), NEVER);
    rig.run_until_noted(limit, |notes| {
        notes.orders.is_empty() && notes.requests.last().is_some_and(|last| last.done.is_some())
    });
}

/// A line of a log without what differs from run to run.
fn without_names(line: &str) -> String {
    let line = line.split(": member ").last().map_or(line.to_owned(), |rest| {
        match line.contains(": member ") {
            true => format!("member {rest}"),
            false => line.to_owned(),
        }
    });
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        words.push(match word {
            word if word.starts_with("tocommit(") => "tocommit(INDEX)".to_owned(),
            _ if words.last().is_some_and(|last| last == "member") => "ID".to_owned(),
            word => word.to_owned(),
        });
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::without_names;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        let refused = "discovery failed: member m1 has already been bootstrapped";
        assert_eq!(without_names(refused), "member ID has already been bootstrapped");
        let panic = "panic: tocommit(208) is out of range [lastIndex(0)].";
        assert_eq!(without_names(panic), "panic: tocommit(INDEX) is out of range [lastIndex(0)].");
    }
}
