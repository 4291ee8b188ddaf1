//! Whether a Machine that was marked unhealthy goes now, in the order in which that is asked.
//!
//! Follows `reconcileUnhealthyMachines`. Each refusal says its reason in `OwnerRemediated`. What is
//! most often missed: the way to etcd's leader leads through the kubelet of its own Node, so a dead
//! kubelet there keeps its Machine for ever.

use super::members::{Tried, newest_healthy, wrapped};
use super::quorum::{
    COMPONENTS, Change, ETCD_MEMBER, ETCD_POD, components_stay, keeps_quorum, member_of,
    stays_healthy,
};
use super::scene::{Scene, is, node_name, with};
use super::script::{Flow, Script, fail};
use super::{Controller, LeaderAccess, MemberRemoval, Picks, Wording};
use crate::api::kinds::{Condition, KubeadmControlPlane, LastRemediation, Status};
use crate::api::{Object, Verb};
use crate::client::Target;
use crate::engine::{SimTime, Text};
use std::sync::Arc;

/// By hand, a Machine is marked so.
const REMEDIATE: &str = "cluster.x-k8s.io/remediate-machine";
const HEALTHY: &str = "HealthCheckSucceeded";
const OWNED: &str = "OwnerRemediated";

/// What `OwnerRemediated` says, in the words of both contracts: reason and message.
struct Refusal {
    reason: [&'static str; 2],
    message: [String; 2],
    /// The line of the log.
    line: Text,
}

/// What came of one look.
enum Verdict {
    Goes(LastRemediation),
    Refused(Refusal),
    /// Refused, and the reconcile ends with an error.
    Failed(Refusal, Text),
}

impl Controller {
    /// Remediates one Machine, if that is due. True if the reconcile ends here.
    pub(super) fn remediate(&self, scene: &mut Scene, script: &mut Script) -> Flow<bool> {
        self.forgive(scene, script)?;
        self.drop_stale_annotation(scene)?;
        let Some(machine) = self.pick(scene) else { return Ok(false) };
        if machine.meta.is_deleting() {
            return Ok(false);
        }
        if scene.plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS).is_some() {
            script.log("Another remediation is already in progress. Skipping remediation.");
            return Ok(false);
        }
        match self.judge(scene, &machine, script)? {
            Verdict::Refused(refusal) => {
                script.log(refusal.line.clone());
                self.tell(scene, &machine, &refusal, script)?;
                Ok(false)
            }
            Verdict::Failed(refusal, error) => {
                // The reconcile's own error says it.
                self.tell(scene, &machine, &refusal, script)?;
                fail(error)
            }
            Verdict::Goes(data) => self.delete(scene, &machine, &data, script).map(|()| true),
        }
    }

    /// Who has recovered by itself is not to be replaced any more.
    fn forgive(&self, scene: &mut Scene, script: &mut Script) -> Flow<()> {
        for place in 0..scene.machines.len() {
            let machine = scene.machines[place].clone();
            if is(&machine, HEALTHY, Status::True)
                && is(&machine, OWNED, Status::False)
                && !machine.meta.is_deleting()
            {
                let changed = with(&machine, |body| body.conditions.remove(OWNED));
                scene.machines[place] = script.patch(&machine, changed)?;
            }
        }
        Ok(())
    }

    /// The replacement is there, but the annotation was not taken away with it.
    fn drop_stale_annotation(&self, scene: &mut Scene) -> Flow<()> {
        let Some(text) = scene.plane.meta.annotation(KubeadmControlPlane::IN_PROGRESS) else {
            return Ok(());
        };
        let Some(data) = LastRemediation::from_annotation(text) else {
            return fail(format!("failed to unmarshal value {text} for RemediationInProgress"));
        };
        let is_stale = self.settings.wording == Wording::V1Beta2
            && scene.machines.iter().any(|machine| machine.meta.created > data.at);
        if is_stale {
            annotate(&mut scene.plane, KubeadmControlPlane::IN_PROGRESS, None);
        }
        Ok(())
    }

    /// The Machine to look at among those that are marked.
    fn pick(&self, scene: &Scene) -> Option<Arc<Object>> {
        let marked = |machine: &&Arc<Object>| {
            is(machine, HEALTHY, Status::False) && is(machine, OWNED, Status::False)
        };
        let marked = scene.machines.iter().filter(marked);
        let of_old = |machine: &Arc<Object>| node_name(machine).is_some();
        match self.settings.picks {
            // Those without a Node first; `min_by_key` keeps the first, which is the oldest.
            Picks::Oldest => marked.min_by_key(|machine| of_old(machine)).cloned(),
            Picks::MostBroken => marked
                .min_by_key(|machine| {
                    let components = COMPONENTS.into_iter();
                    let order = [ETCD_MEMBER, ETCD_POD].into_iter().chain(components);
                    let good: Vec<bool> =
                        order.map(|condition| is(machine, condition, Status::True)).collect();
                    (machine.meta.annotation(REMEDIATE).is_none(), of_old(machine), good)
                })
                .cloned(),
        }
    }

    /// All that is asked, in its order.
    fn judge(&self, scene: &Scene, machine: &Arc<Object>, script: &mut Script) -> Flow<Verdict> {
        let data = match self.retry_limits(scene, machine)? {
            Ok(data) => data,
            Err(refusal) => return Ok(Verdict::Refused(refusal)),
        };
        if !scene.is_initialized() {
            return Ok(Verdict::Goes(data));
        }
        if let Some(refusal) = self.transition(scene) {
            return Ok(Verdict::Refused(refusal));
        }
        let refused = match self.settings.needs_healthy_components {
            false => self.judge_members(scene, machine, script)?,
            true => judge_all(scene, machine).map(Verdict::Refused),
        };
        if let Some(refused) = refused {
            return Ok(refused);
        }
        if let Err(error) = self.forward(scene, machine, script)? {
            return Ok(failed(error));
        }
        if let (MemberRemoval::BeforeDeletion, Some(member)) =
            (self.settings.removal, member_of(machine))
            && let Err(error) = self.remove_member(scene, &member, None, script)?
        {
            return Ok(failed(error));
        }
        Ok(Verdict::Goes(data))
    }

    /// Too few Machines, or something under way already.
    fn transition(&self, scene: &Scene) -> Option<Refusal> {
        let provisioning = scene
            .machines
            .iter()
            .any(|machine| !is(machine, HEALTHY, Status::False) && node_name(machine).is_none());
        let (what, line, deferred) = match () {
            () if scene.machines.len() <= 1 => (
                "can't remediate if current replicas are less or equal to 1",
                "A control plane machine needs remediation, but the number of current replicas is \
                 less or equal to 1. Skipping remediation",
                false,
            ),
            () if provisioning => (
                "waiting for control plane machine provisioning to complete before triggering \
                 remediation",
                "A control plane machine needs remediation, but there are other control-plane \
                 machines being provisioned. Skipping remediation",
                true,
            ),
            () if scene.has_deleting() => (
                "waiting for control plane machine deletion to complete before triggering \
                 remediation",
                "A control plane machine needs remediation, but there are other control-plane \
                 machines being deleted. Skipping remediation",
                true,
            ),
            () => return None,
        };
        Some(waits(what, line, deferred))
    }

    /// Up to 1.12: etcd itself tells who its members are, and those that stay have to be well.
    fn judge_members(
        &self,
        scene: &Scene,
        machine: &Arc<Object>,
        script: &mut Script,
    ) -> Flow<Option<Verdict>> {
        let names = match self.member_names(scene, script)? {
            Ok(names) => names,
            Err(error) => {
                let cluster = &scene.spec().template.cluster;
                let what = format!("failed to get etcdStatus for workload cluster {cluster}");
                return Ok(Some(failed(wrapped(&what, &error))));
            }
        };
        if !keeps_quorum(scene, &names, node_name(machine)) {
            return Ok(Some(Verdict::Refused(waits(
                "can't remediate this machine because this could result in etcd loosing quorum",
                "A control plane machine needs remediation, but removing this machine could \
                 result in etcd quorum loss. Skipping remediation",
                false,
            ))));
        }
        if newest_healthy(scene).is_some() {
            return Ok(None);
        }
        let what = "A control plane machine needs remediation, but there is no healthy machine to \
                    forward etcd leadership to. Skipping remediation";
        Ok(Some(Verdict::Refused(Refusal {
            reason: ["RemediationFailed", "CannotBeRemediated"],
            message: [what.to_owned(), what.to_owned()],
            line: Text::word(what),
        })))
    }

    fn member_names(&self, scene: &Scene, script: &mut Script) -> Flow<Tried<Vec<Text>>> {
        let nodes = scene.list_nodes(script);
        let connected = match self.settings.leader {
            LeaderAccess::Always => self.connect_to_leader(&nodes, script)?,
            LeaderAccess::ForItsOwnMachine => self.connect(&nodes, script)?,
        };
        let connected = match connected {
            Ok(connected) => connected,
            Err(error) => return Ok(Err(wrapped("failed to create etcd client", &error))),
        };
        let listed = self.list(&connected, script)?;
        let what = "failed to list etcd members using etcd client";
        Ok(listed
            .map(|members| members.into_iter().map(|member| member.name).collect())
            .map_err(|error| wrapped(what, &error)))
    }

    /// Whether it is too soon after the last remediation, or once too often.
    fn retry_limits(
        &self,
        scene: &Scene,
        machine: &Object,
    ) -> Flow<Result<LastRemediation, Refusal>> {
        let began = scene.skew.shown(scene.began);
        let now = began.to_whole_seconds();
        let first = LastRemediation { machine: machine.name().clone(), at: now, retry_count: 0 };
        let Some(text) = machine.meta.annotation(KubeadmControlPlane::REMEDIATION_FOR) else {
            return Ok(Ok(first));
        };
        let Some(last) = LastRemediation::from_annotation(text) else {
            return fail(format!("failed to unmarshal value {text} for RemediationInProgress"));
        };
        let strategy = scene.spec().remediation;
        if last.at + strategy.min_healthy_period <= began {
            return Ok(Ok(first));
        }
        if last.at + strategy.retry_period > began {
            let why =
                format!("the operation already failed in the latest {}", strategy.retry_period);
            let line = format!(
                "A control plane machine needs remediation, but {why}. Skipping remediation"
            );
            let what = format!("can't remediate this machine because {why}");
            let mut refusal = waits(&what, line, true);
            refusal.message[0].push_str(" (RetryPeriod)");
            refusal.message[1].push_str(" (RetryPeriodSeconds)");
            return Ok(Err(refusal));
        }
        if let Some(most) = strategy.max_retry.filter(|most| last.retry_count >= *most) {
            let failed = last.retry_count;
            let line = format!(
                "A control plane machine needs remediation, but the operation already failed \
                 {failed} times (MaxRetry {most}). Skipping remediation"
            );
            let what = format!(
                "can't remediate this machine because the operation already failed {most} times \
                 (MaxRetry)"
            );
            return Ok(Err(waits(&what, line, false)));
        }
        Ok(Ok(LastRemediation { retry_count: last.retry_count + 1, ..first }))
    }

    fn tell(
        &self,
        scene: &mut Scene,
        machine: &Arc<Object>,
        refusal: &Refusal,
        script: &mut Script,
    ) -> Flow<()> {
        let contract = match self.settings.wording {
            Wording::V1Beta1 => 0,
            Wording::V1Beta2 => 1,
        };
        let said = owned(
            refusal.reason[contract],
            refusal.message[contract].as_str(),
            script.wall_clock(),
        );
        let changed = with(machine, |body| {
            body.conditions.say(said);
        });
        let told = script.patch(machine, changed)?;
        replace(scene, told);
        Ok(())
    }

    /// The Machine is deleted; what is to be remembered goes to the control plane.
    fn delete(
        &self,
        scene: &mut Scene,
        machine: &Arc<Object>,
        data: &LastRemediation,
        script: &mut Script,
    ) -> Flow<()> {
        let verb = Verb::Delete { key: machine.key().clone(), grace: None, uid: None };
        if let Err(error) = script.ask(Target::Local, verb)? {
            let refusal = Refusal {
                reason: ["RemediationFailed", "RemediationInternalError"],
                message: [error.to_string(), "Please check controller logs for errors".to_owned()],
                line: Text::EMPTY,
            };
            self.tell(scene, machine, &refusal, script)?;
            let what = format!("failed to delete unhealthy machine {}", machine.name());
            return fail(wrapped(&what, &error.message));
        }
        let said = match self.settings.wording {
            Wording::V1Beta1 => {
                script.log("Remediating unhealthy machine");
                owned("RemediationInProgress", "", script.wall_clock())
            }
            Wording::V1Beta2 => {
                script.log("Deleting Machine (remediating unhealthy Machine)");
                owned("MachineDeleting", "Machine is deleting", script.wall_clock())
            }
        };
        let changed = with(machine, |body| {
            body.conditions.say(said);
        });
        let told = script.patch(machine, changed)?;
        replace(scene, told);
        let value = data.to_annotation();
        annotate(&mut scene.plane, KubeadmControlPlane::IN_PROGRESS, Some(value));
        Ok(())
    }
}

/// From 1.13: what the look at the conditions has found decides.
fn judge_all(scene: &Scene, machine: &Object) -> Option<Refusal> {
    if scene.members.is_empty() {
        let what = "Failed to check etcd cluster health before remediation";
        return Some(Refusal {
            reason: ["WaitingForRemediation", "RemediationDeferred"],
            message: [what.to_owned(), what.to_owned()],
            line: Text::word(
                "A control plane machine needs remediation, but unable to check etcd cluster health \
                 before remediation. Skipping remediation",
            ),
        });
    }
    let member = member_of(machine);
    let etcd_stays = member.is_none_or(|member| stays_healthy(scene, &Change::Removes(member)));
    if components_stay(scene, Some(machine.name())) && etcd_stays {
        return None;
    }
    Some(waits(
        "can't remediate this Machine because this could result in loosing Kubernetes control \
         plane components or in etcd quorum loss",
        "A control plane Machine needs remediation, but removing this Machine could result in \
         loosing Kubernetes control plane components or in etcd quorum loss. Skipping remediation",
        false,
    ))
}

/// A refusal that waits for something else, in the words of both contracts.
fn waits(what: &str, line: impl Into<Text>, deferred: bool) -> Refusal {
    let reason = if deferred { "RemediationDeferred" } else { "CannotBeRemediated" };
    let new = match what.strip_prefix("waiting for control plane machine ") {
        Some(rest) => format!("waiting for control plane Machine {rest}"),
        None => what.to_owned(),
    };
    Refusal {
        reason: ["WaitingForRemediation", reason],
        message: [format!("KCP {what}"), format!("KubeadmControlPlane {new}")],
        line: line.into(),
    }
}

/// A refusal because etcd could not be asked.
fn failed(error: Text) -> Verdict {
    let refusal = Refusal {
        reason: ["RemediationFailed", "CannotBeRemediated"],
        message: [error.to_string(), error.to_string()],
        line: Text::EMPTY,
    };
    Verdict::Failed(refusal, error)
}

fn owned(reason: &'static str, message: impl Into<Text>, now: SimTime) -> Condition {
    Condition::new(Text::word(OWNED), Status::False, Text::word(reason), message, now)
}

fn replace(scene: &mut Scene, machine: Arc<Object>) {
    let place = scene.machines.iter().position(|it| it.key() == machine.key());
    if let Some(place) = place {
        scene.machines[place] = machine;
    }
}

/// Sets an annotation, or takes it away.
pub fn annotate(object: &mut Object, name: &'static str, value: Option<Text>) {
    let mut annotations = object.meta.annotations.as_ref().clone();
    match value {
        Some(value) => annotations.insert(Text::word(name), value),
        None => annotations.remove(name),
    };
    object.meta.annotations = Arc::new(annotations);
}
