//! The control plane's own hook on its Machines: an etcd member leaves only when everything else on
//! its Machine is over, and the VM goes only when the member has left.
//!
//! Follows `reconcilePreTerminateHook`, from 1.8.2 on.

use super::members::wrapped;
use super::quorum::{Change, components_stay, member_of, stays_healthy};
use super::remediation::annotate;
use super::scene::{Scene, is};
use super::script::{Flow, Script, fail};
use super::{Controller, MemberRemoval};
use crate::api::Object;
use crate::api::kinds::{KubeadmControlPlane, Status};
use crate::client::Outcome;
use crate::engine::Text;
use std::sync::Arc;

impl Controller {
    /// Lets one Machine go. While one goes, the reconcile ends here.
    pub(super) fn release(&self, scene: &Scene, script: &mut Script) -> Flow<Option<Outcome>> {
        if self.settings.removal != MemberRemoval::InHook || !scene.has_deleting() {
            return Ok(None);
        }
        let later = Some(Outcome::after(
            "clusterApi.controlPlaneDeletingRequeue",
            self.settings.requeue.deleting,
        ));
        let deleting: Vec<_> =
            scene.machines.iter().filter(|machine| machine.meta.is_deleting()).collect();
        // One whose hook is gone is on its way: only one at a time.
        if deleting.iter().any(|it| it.meta.annotation(KubeadmControlPlane::HOOK).is_none()) {
            return Ok(later);
        }
        let oldest = deleting.iter().min_by_key(|it| it.meta.deletion.map(|deletion| deletion.at));
        let Some(machine) = oldest.map(|machine| Arc::clone(machine)) else { return Ok(None) };
        if has_other_hooks(&machine) || !waits_at_hook(&machine) {
            return Ok(later);
        }
        if scene.machines.len() > 1 && !self.let_member_go(scene, &machine, script)? {
            return Ok(later);
        }
        let mut changed = Object::clone(&machine);
        annotate(&mut changed, KubeadmControlPlane::HOOK, None);
        script.patch(&machine, changed)?;
        let going: Vec<&str> = deleting.iter().map(|machine| machine.name().as_str()).collect();
        script.log(format!("Waiting for Machines to be deleted machines=\"{}\"", going.join(", ")));
        Ok(later)
    }

    /// Hands leadership on and removes the member. False if that is too dangerous now.
    fn let_member_go(
        &self,
        scene: &Scene,
        machine: &Arc<Object>,
        script: &mut Script,
    ) -> Flow<bool> {
        let name = machine.name();
        if !components_stay(scene, Some(name)) {
            script.log(format!(
                "Cannot delete control plane Machine {name} when there are no control plane \
                 Machines with all Kubernetes control plane components in healthy state. Please \
                 check Kubernetes control plane component status"
            ));
            return Ok(false);
        }
        if scene.members.is_empty() {
            return fail("unable to remove pre-terminate hook, etcd member list is empty");
        }
        let Some(member) = member_of(machine) else { return Ok(true) };
        if !stays_healthy(scene, &Change::Removes(member.clone())) {
            script.log(format!(
                "Cannot delete control plane Machine {name}, the operation can lead to etcd quorum \
                 loss. Please check the etcd status"
            ));
            return Ok(false);
        }
        if let Err(error) = self.forward(scene, machine, script)? {
            return fail(error);
        }
        let id = scene.members.iter().find(|it| it.name == member).map(|it| it.id);
        if id.is_some()
            && let Err(error) = self.remove_member(scene, &member, id, script)?
        {
            let what = format!("failed to remove etcd member for deleting Machine {name}");
            return fail(wrapped(&what, &error));
        }
        Ok(true)
    }
}

/// Others come first: the member is the last that goes.
///
/// Simplified: as with Kubernetes 1.31 and later; before, the order did not matter.
fn has_other_hooks(machine: &Object) -> bool {
    let prefix = "pre-terminate.delete.hook.machine.cluster.x-k8s.io";
    let names = &mut machine.meta.annotations.keys();
    names.any(|name: &Text| name.starts_with(prefix) && *name != *KubeadmControlPlane::HOOK)
}

fn waits_at_hook(machine: &Object) -> bool {
    is(machine, "Deleting", Status::True)
        && machine
            .machine()
            .and_then(|body| body.conditions.get("Deleting"))
            .is_some_and(|said| said.reason == "WaitingForPreTerminateHook")
}
