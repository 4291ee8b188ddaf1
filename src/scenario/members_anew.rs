//! What a person does about a member of etcd that has lost its data: its Machine is deleted, and the control plane
//! makes another one.

use super::actions::Action;
use super::faults::{Fault, Kubectl};
use crate::api::Kind;
use crate::components::etcd::DATA_DIR;
use crate::engine::{Duration, Text};
use crate::world::{View, WORKLOAD_CLUSTER};

/// Between one Machine's turn and the next one's: a control plane replaces one at a time.
const APART: Duration = Duration::from_secs(600);

/// The Machines whose members have lost their data and do not come back, as long as the others are a quorum: without
/// one nobody can be taken out of the group.
pub(super) fn lost_members(view: View) -> Vec<Text> {
    if view.etcd_leader(&WORKLOAD_CLUSTER).is_none() {
        return Vec::new();
    }
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let is_left = |vm: &&Text| members.iter().any(|it| it.info.vm == **vm && it.leader.is_none());
    let is_kept = |vm: &&Text| {
        let mut machines = view.objects(Kind::Machine);
        machines.any(|it| it.name() == *vm && !it.meta.is_deleting())
    };
    // One that has begun with nothing has made its directory anew.
    let was_removed = |vm: &Text| {
        let file = format!("File{DATA_DIR}@{vm}");
        let mut faults = view.timeline().happened().iter().filter(|it| it.kind == *"Fault");
        faults.any(|it| it.name == *"removeFile" && it.to.as_text() == Some(&*file))
    };
    let lost = view.vms().filter(|vm| vm.is_on() && was_removed(&vm.name));
    lost.map(|vm| &vm.name).filter(is_left).filter(is_kept).cloned().collect()
}

/// What he does about these Machines, and how long after he begins.
pub(super) fn anew(machines: &[Text]) -> impl Iterator<Item = (Duration, Action)> {
    (0..).zip(machines).map(|(number, machine)| {
        let text = format!("delete machine {machine}");
        let fault = Kubectl::read(&text, None).expect("a command of our own");
        let action = Action::new(format!("kubectl: \"{text}\""), Fault::Kubectl(fault));
        (APART.scaled(number, 1), action)
    })
}
