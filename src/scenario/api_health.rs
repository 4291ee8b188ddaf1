//! Whether the workload cluster's API serves its users: the truth, as nobody inside the cluster sees it.
//!
//! One figure is for reads and writes: nothing in this program lets an API read for long and not write. A
//! member of etcd whose disk is full ends with its first write, one that waits for its disk lets no
//! read be confirmed, and there is no space quota whose alarm would refuse writes alone.

use crate::engine::SimTime;
use crate::world::{EtcdMember, View, WORKLOAD_CLUSTER};

/// How the workload cluster's API is at an instant.
pub enum Api {
    Serves,
    /// Since when the leader of its etcd waits for its disk, or so many members do that no quorum is
    /// left, or none beside a server.
    Hangs(SimTime),
    Down,
}

/// The API serves if one of its API servers that users reach answers them, beside an etcd member that
/// follows a leader with a quorum. A member that waits for its disk neither writes nor lets a read be
/// confirmed.
pub fn api_now(view: View) -> Api {
    let Some(leader) = view.etcd_leader(&WORKLOAD_CLUSTER) else { return Api::Down };
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let follows = |member: &&EtcdMember| member.follows(leader.info.id);
    let serves = |member: &&EtcdMember| {
        let vm = &member.info.vm;
        view.answers_users(vm) && view.hears_users(vm)
    };
    let mut serving = members.iter().filter(follows).filter(serves).peekable();
    if serving.peek().is_none() {
        return Api::Down;
    }
    let voters = || members.iter().filter(|member| !member.info.learner);
    let spare = voters().filter(follows).count() - (voters().count() / 2 + 1);
    let mut waiting: Vec<SimTime> =
        voters().filter(follows).filter_map(|member| member.writes_since).collect();
    waiting.sort_unstable();
    let without_quorum = waiting.get(spare).copied();
    let all_wait: Option<Vec<SimTime>> = serving.map(|member| member.writes_since).collect();
    let without_server = all_wait.and_then(|since| since.into_iter().max());
    let begun = [leader.writes_since, without_quorum, without_server].into_iter().flatten().min();
    begun.map_or(Api::Serves, Api::Hangs)
}
