//! What the script around kubeadm takes back when it gives up.

use super::control_plane_tests::{ETCD, Join, failed, members, voters};
use super::*;
use crate::api::{ApiError, MANIFESTS, Reason, Verb};
use crate::infra::{ProcessId, Program};
use crate::wire::{StoreAnswer, StoreOperation};

const SCRIPT: Option<RetryJoin> = Some(RetryJoin { tries: 5, pause: Duration::from_secs(15) });
const DATA: &str = "/var/lib/etcd/member";

/// A control plane that joins by the script; its API server runs, and what etcd writes is there.
fn scripted() -> Join {
    let mut join = Join::trusted_by(true, SCRIPT);
    let mut program = Program::new(ProcessId(7));
    program.begin(join.bed.now);
    join.bed.vm.programs.insert(Text::word("kube-apiserver"), program);
    join.bed.vm.disk.write(DATA, "");
    join
}

/// Etcd has added the member, and will not promote it.
fn added() -> Join {
    let mut join = scripted();
    join.listed();
    join.found();
    join.stored(members(true));
    assert!(join.has(ETCD));
    let is_resetting = |join: &Join| join.logs.iter().any(|line| line.contains("fatal error"));
    while !is_resetting(&join) {
        join.again();
        join.stored(failed("etcdserver: can only promote a learner member which is in sync"));
    }
    assert!(!join.exited && join.ended.is_empty(), "etcd is asked before");
    join
}

/// Nothing is left of the join.
fn is_clean(join: &Join) {
    assert!(join.exited);
    assert_eq!(join.ended, ["kubelet", "kube-apiserver"]);
    let disk = &join.bed.vm.disk;
    assert_eq!(disk.under(MANIFESTS).chain(disk.under("/var/lib/kubelet")).count(), 0);
    assert!(disk.read("/etc/default/etcd").is_none());
    assert!(disk.read(DONE).is_some(), "cloud-init does not run again");
    let last = join.logs.last().expect("it says so");
    assert!(last.contains("bootstrap script exiting with status 1"), "{last}");
}

#[test]
fn a_member_that_is_not_promoted_is_removed_and_everything_else_with_it() {
    let mut join = added();
    join.listed();
    let lists = join.calls.drain(..).collect::<Vec<_>>();
    assert_eq!(lists.len(), 2, "all are dialed anew");
    let (to, request) = &lists[0];
    join.play(Input::Message(*to, crate::wire::Message::Stored(request.id, members(true))));
    let removed = join.stored(voters());
    assert!(matches!(removed, StoreOperation::MemberRemove(id) if id.0 == 4), "{removed:?}");
    is_clean(&join);
    assert!(!join.has(DATA));
}

/// Etcd has no leader for as long as it is asked.
fn refuse_until_it_ends(join: &mut Join) {
    while !join.exited {
        while !join.calls.is_empty() {
            join.stored(failed("etcdserver: no leader"));
        }
        if !join.exited {
            join.again();
        }
    }
}

#[test]
fn a_reset_that_etcd_refuses_goes_on_and_leaves_its_data() {
    let mut join = added();
    join.listed();
    refuse_until_it_ends(&mut join);
    is_clean(&join);
    assert!(join.has(DATA));
    let words = "[reset] Failed to remove etcd member: etcdserver: no leader";
    assert!(join.logs.iter().any(|line| line.starts_with(words)), "{:?}", join.logs);
}

#[test]
fn a_member_that_was_never_added_is_not_removed() {
    let mut join = scripted();
    join.listed();
    for _ in 0..241 {
        join.stored(failed("etcdserver: no leader"));
        join.stored(failed("etcdserver: no leader"));
        if !join.asked.is_empty() {
            break;
        }
        join.again();
    }
    join.listed();
    join.found();
    assert!(join.calls.is_empty(), "{:?}", join.calls);
    is_clean(&join);
}

#[test]
fn without_an_api_server_nobody_is_asked_and_all_the_same_it_is_cleaned_up() {
    let mut join = added();
    while !join.exited {
        join.answer(Err(ApiError::new(Reason::Timeout, "etcdserver: request timed out")));
        if let Some(at) = join.timers.iter().position(|(_, event)| *event == Event::ListMembers) {
            let (pause, event) = join.timers.remove(at);
            join.bed.pass(pause);
            join.play(Input::Due(event));
        }
    }
    is_clean(&join);
    assert!(join.has(DATA));
}

#[test]
fn a_full_disk_ends_in_a_reset_too() {
    let mut join = scripted();
    join.bed.vm.disk.is_full = true;
    join.listed();
    join.found();
    join.stored(members(true));
    assert!(!join.exited && matches!(join.asked[0].2, Verb::List(..)), "the member was added");
    join.listed();
    let (to, request) = join.calls.remove(0);
    join.play(Input::Message(to, crate::wire::Message::Stored(request.id, members(true))));
    join.calls.remove(0);
    let removed = join.stored(StoreAnswer::Done);
    assert!(matches!(removed, StoreOperation::MemberRemove(_)), "{removed:?}");
}

#[test]
fn without_a_script_what_was_done_stays() {
    let mut join = Join::trusted_by(true, None);
    join.listed();
    refuse_until_it_ends(&mut join);
    assert!(join.ended.is_empty() && join.has(KUBELET_CONFIG));
}
