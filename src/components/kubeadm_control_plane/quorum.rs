//! What is left of etcd and of the control plane's components when a Machine goes or comes.
//!
//! Follows `canSafelyRemoveEtcdMember` (up to 1.12) and `targetEtcdClusterHealthy` (from 1.13).

use super::scene::{Scene, is, node_name};
use crate::api::kinds::Status;
use crate::engine::Text;

/// The components of a Machine besides its etcd member.
pub const COMPONENTS: [&str; 3] =
    ["APIServerPodHealthy", "ControllerManagerPodHealthy", "SchedulerPodHealthy"];
pub const ETCD_POD: &str = "EtcdPodHealthy";
pub const ETCD_MEMBER: &str = "EtcdMemberHealthy";

/// A change of the members that is considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The member of this Node leaves.
    Removes(Text),
    /// One more comes; the worst is expected of it.
    Adds,
}

/// Up to 1.12: whether those that stay keep a majority of themselves healthy. `names` are the
/// members; one without a Machine counts as ill.
pub fn keeps_quorum(scene: &Scene, names: &[Text], without: Option<&Text>) -> bool {
    let stays: Vec<&Text> = names.iter().filter(|name| Some(*name) != without).collect();
    let ill = stays.iter().filter(|name| {
        scene.machine_of(name).is_none_or(|machine| !is(machine, ETCD_MEMBER, Status::True))
    });
    stays.len() - ill.count() > stays.len() / 2
}

/// From 1.13: the same for voting members alone. A learner anywhere holds every change back; a
/// member without a Machine is healthy as long as nothing is known against it.
pub fn stays_healthy(scene: &Scene, change: &Change) -> bool {
    let (mut voters, mut ill) = (0, 0);
    if *change == Change::Adds {
        voters += 1;
        ill += usize::from(scene.members.len() > 1);
    }
    for member in &scene.members {
        if member.name.is_empty() {
            return false;
        }
        if *change == Change::Removes(member.name.clone()) {
            continue;
        }
        if member.learner {
            return false;
        }
        voters += 1;
        let machine = scene.machine_of(&member.name);
        ill += usize::from(machine.is_some_and(|it| !is(it, ETCD_MEMBER, Status::True)));
    }
    voters > ill && voters - ill > voters / 2
}

/// From 1.13: whether somewhere else all components run.
pub fn components_stay(scene: &Scene, without: Option<&Text>) -> bool {
    scene.machines.iter().filter(|machine| Some(machine.name()) != without).any(|machine| {
        let mut all = COMPONENTS.iter().chain([&ETCD_POD]);
        all.all(|component| is(machine, component, Status::True))
    })
}

/// The name of the member that goes with a Machine.
pub fn member_of(machine: &crate::api::Object) -> Option<Text> {
    node_name(machine).cloned()
}
