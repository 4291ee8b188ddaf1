//! How the components of each Machine do, written into its conditions.
//!
//! Two things are looked at: the mirror Pods of the Machine's Node, and its etcd member. Follows
//! `workload_cluster_conditions.go`. None of these conditions replaces a Machine by itself: that
//! takes a MachineHealthCheck.

use super::quorum::{COMPONENTS, ETCD_MEMBER, ETCD_POD};
use super::scene::{Scene, node_name, with};
use super::script::{Flow, Script};
use super::{Controller, Inspection, Wording};
use crate::api::kinds::{Condition, Machine, Node, PodPhase, Status, TaintEffect, taint};
use crate::api::{EtcdMember, Kind, Object, ObjectKey, Reason, Verb, rfc3339};
use crate::client::Target;
use crate::engine::Text;
use std::sync::Arc;

/// A condition's status, reason and message.
type Said = (Status, &'static str, Text);

/// Each condition with the component that it is about.
const PODS: [(&str, &str); 4] = [
    ("APIServerPodHealthy", "kube-apiserver"),
    ("ControllerManagerPodHealthy", "kube-controller-manager"),
    ("SchedulerPodHealthy", "kube-scheduler"),
    (ETCD_POD, "etcd"),
];

impl Controller {
    /// Looks at everything, then writes what is new into each Machine.
    pub(super) fn inspect(&self, scene: &mut Scene, script: &mut Script) -> Flow<()> {
        if !scene.is_initialized() {
            return Ok(());
        }
        let before = scene.machines.clone();
        for (place, machine) in before.iter().enumerate() {
            let said = self.pods_of(scene, machine, script)?;
            for (condition, said) in said {
                self.say(scene, place, condition, said, script);
            }
        }
        match self.settings.inspection {
            Inspection::EachMember => self.ask_each_member(scene, script)?,
            Inspection::AnyMember => self.ask_any_member(scene, script)?,
        }
        self.compare_members(scene, script);
        for (place, before) in before.iter().enumerate() {
            let changed = Object::clone(&scene.machines[place]);
            scene.machines[place] = script.patch(before, changed)?;
        }
        Ok(())
    }

    /// Nobody has seen the workload cluster for so long that nothing is known of it any more.
    pub(super) fn forget(&self, scene: &mut Scene, script: &mut Script) -> Flow<()> {
        let reached = rfc3339(script.shown(scene.contact.reached));
        let words = Text::from(format!("Last successful probe at {reached}"));
        let before = scene.machines.clone();
        for place in 0..before.len() {
            for condition in pod_conditions().chain([ETCD_MEMBER]) {
                let said = (Status::Unknown, Machine::CONNECTION_DOWN, words.clone());
                self.say(scene, place, condition, said, script);
            }
        }
        for (place, before) in before.iter().enumerate() {
            let changed = Object::clone(&scene.machines[place]);
            scene.machines[place] = script.patch(before, changed)?;
        }
        for kind in ["ControlPlaneComponentsHealthy", "EtcdClusterHealthy"].map(Text::word) {
            let reason = Text::word(Machine::CONNECTION_DOWN);
            let now = script.wall_clock();
            let said = Condition::new(kind, Status::Unknown, reason, words.clone(), now);
            scene.spec_mut().conditions.say(said);
        }
        Ok(())
    }

    fn say(
        &self,
        scene: &mut Scene,
        place: usize,
        kind: &'static str,
        (status, reason, message): Said,
        script: &Script,
    ) {
        let [kind, reason] = [kind, reason].map(Text::word);
        let condition = Condition::new(kind, status, reason, message, script.wall_clock());
        let changed = with(&scene.machines[place], |body| {
            body.conditions.say(condition);
        });
        scene.machines[place] = Arc::new(changed);
    }

    /// What the Pods of a Machine's Node say; nothing where nothing is said yet.
    fn pods_of(
        &self,
        scene: &Scene,
        machine: &Object,
        script: &mut Script,
    ) -> Flow<Vec<(&'static str, Said)>> {
        let all = |said: Said| PODS.map(|(condition, _)| (condition, said.clone())).to_vec();
        let v1beta2 = self.settings.wording == Wording::V1Beta2;
        let failed = if v1beta2 { "InspectionFailed" } else { "PodInspectionFailed" };
        if machine.meta.is_deleting() {
            return Ok(all(self.deleting()));
        }
        let Some(name) = node_name(machine) else {
            let waiting = (Status::Unknown, failed, waiting_for_node(machine));
            return Ok(if v1beta2 { all(waiting) } else { Vec::new() });
        };
        let Some(node) = scene.node_of(machine) else {
            return Ok(all(match v1beta2 {
                true => {
                    (Status::Unknown, failed, Text::from(format!("Node {name} does not exist")))
                }
                false => (Status::False, "PodFailed", Text::word("Missing node")),
            }));
        };
        if node.has_taint(taint::UNREACHABLE, TaintEffect::NoExecute) {
            let message = match v1beta2 {
                true => Text::from(format!("Node {name} is unreachable")),
                false => Text::word("Node is unreachable"),
            };
            return Ok(all((Status::Unknown, failed, message)));
        }
        let mut said = Vec::new();
        for (condition, component) in PODS {
            said.push((condition, self.pod(node, name, component, failed, script)?));
        }
        Ok(said)
    }

    fn pod(
        &self,
        node: &Node,
        name: &Text,
        component: &'static str,
        failed: &'static str,
        script: &mut Script,
    ) -> Flow<Said> {
        let v1beta2 = self.settings.wording == Wording::V1Beta2;
        if node.conditions.is("Ready", Status::Unknown) {
            let message = match v1beta2 {
                true => "Node Ready condition is Unknown, Pod data might be stale",
                false => "Node Ready condition is unknown, pod data might be stale",
            };
            return Ok((Status::Unknown, failed, Text::word(message)));
        }
        let pod = Text::from(format!("{component}-{name}"));
        let namespace = Text::word("kube-system");
        let key = ObjectKey { kind: Kind::Pod, namespace, name: pod.clone() };
        let answered = script.ask(Target::Remote, Verb::Get(key))?;
        Ok(match answered {
            Ok(answer) => match answer.object() {
                Some(pod) => pod_said(pod, self.settings.wording),
                None => (Status::Unknown, failed, Text::EMPTY),
            },
            Err(error) if error.reason == Reason::NotFound => match v1beta2 {
                true => (Status::False, "DoesNotExist", Text::word("Pod does not exist")),
                false => (Status::False, "PodMissing", Text::from(format!("Pod {pod} is missing"))),
            },
            Err(_) if v1beta2 => {
                (Status::Unknown, failed, Text::word("Please check controller logs for errors"))
            }
            Err(_) => (Status::Unknown, failed, Text::word("Failed to get pod status")),
        })
    }

    fn deleting(&self) -> Said {
        let message = match self.settings.wording {
            Wording::V1Beta1 => "",
            Wording::V1Beta2 => "Machine is deleting",
        };
        (Status::False, "Deleting", Text::word(message))
    }

    /// Up to 1.12: each member is asked who belongs to etcd; all have to say the same.
    fn ask_each_member(&self, scene: &mut Scene, script: &mut Script) -> Flow<()> {
        for node in scene.list_nodes(script) {
            let place = scene.machines.iter().position(|machine| node_name(machine) == Some(&node));
            let Some(place) = place else {
                if !scene.has_provisioning() {
                    let words =
                        format!("Control plane node {node} does not have a corresponding machine");
                    scene.kcp_errors.push(words);
                }
                continue;
            };
            let said = match scene.machines[place].meta.is_deleting() {
                true => self.deleting(),
                false => self.ask_member(scene, &node, script)?,
            };
            self.say(scene, place, ETCD_MEMBER, said, script);
        }
        Ok(())
    }

    fn ask_member(&self, scene: &mut Scene, node: &Text, script: &mut Script) -> Flow<Said> {
        let ill = |message: String| (Status::False, "EtcdMemberUnhealthy", Text::from(message));
        let connected = match self.connect(std::slice::from_ref(node), script)? {
            Ok(connected) => connected,
            Err(error) => {
                let message =
                    format!("Failed to connect to the etcd pod on the {node} node: {error}");
                return Ok((Status::Unknown, "MemberInspectionFailed", Text::from(message)));
            }
        };
        if !connected.status.errors.is_empty() {
            let errors = connected.status.errors.join(", ");
            return Ok(ill(format!("Etcd member status reports errors: {errors}")));
        }
        let Ok(members) = self.list(&connected, script)? else {
            return Ok(ill(format!("Failed get answer from the etcd member on the {node} node")));
        };
        if scene.members.is_empty() {
            let leads = |member: &&EtcdMember| Some(member.id) == connected.status.leader;
            scene.leader = members.iter().find(leads).cloned();
            scene.members.clone_from(&members);
        }
        let (mine, first) = (names(&members), names(&scene.members));
        if mine != first {
            return Ok(ill(format!(
                "etcd member reports the cluster is composed by members [{}], but all previously \
                 seen etcd members are reporting [{}]",
                mine.join(" "),
                first.join(" ")
            )));
        }
        if !mine.contains(node) {
            return Ok(ill(format!(
                "etcd member reports the cluster is composed by members [{}], but the member \
                 itself ({node}) is not included",
                mine.join(" ")
            )));
        }
        Ok((Status::True, "", Text::EMPTY))
    }

    /// From 1.13: the first member that can be reached tells of all; a dead kubelet then says
    /// nothing against its Node's member.
    fn ask_any_member(&self, scene: &mut Scene, script: &mut Script) -> Flow<()> {
        let failed = "InspectionFailed";
        for place in 0..scene.machines.len() {
            let machine = scene.machines[place].clone();
            if machine.meta.is_deleting() {
                self.say(scene, place, ETCD_MEMBER, self.deleting(), script);
            } else if node_name(&machine).is_none() {
                let said = (Status::Unknown, failed, waiting_for_node(&machine));
                self.say(scene, place, ETCD_MEMBER, said, script);
            }
        }
        let asked: Vec<usize> = (0..scene.machines.len())
            .filter(|place| {
                let machine = &scene.machines[*place];
                !machine.meta.is_deleting() && node_name(machine).is_some()
            })
            .collect();
        let nodes = nodes_by_health(scene, &asked, script);
        if nodes.is_empty() {
            return Ok(());
        }
        let error = match self.connect(&nodes, script)? {
            Err(error) => format!("Failed to connect to etcd: {}", last_part(&error)),
            Ok(connected) => match self.list(&connected, script)? {
                Err(error) => format!("Failed to get etcd members: {}", last_part(&error)),
                Ok(members) => {
                    let leader =
                        members.iter().find(|member| Some(member.id) == connected.status.leader);
                    // Without a leader nothing new is said.
                    let Some(leader) = leader.cloned() else { return Ok(()) };
                    (scene.members, scene.leader) = (members, Some(leader));
                    for place in asked {
                        let said = member_said(scene, place);
                        self.say(scene, place, ETCD_MEMBER, said, script);
                    }
                    return Ok(());
                }
            },
        };
        for place in asked {
            let said = (Status::Unknown, failed, Text::from(error.as_str()));
            self.say(scene, place, ETCD_MEMBER, said, script);
        }
        Ok(())
    }

    /// Machines without a member, and members without a Machine.
    fn compare_members(&self, scene: &mut Scene, script: &Script) {
        if scene.members.is_empty() {
            return;
        }
        let known = names(&scene.members);
        for place in 0..scene.machines.len() {
            let Some(node) = node_name(&scene.machines[place]).cloned() else { continue };
            if known.contains(&node) {
                continue;
            }
            let said = match self.settings.wording {
                Wording::V1Beta1 => {
                    (Status::False, "EtcdMemberUnhealthy", Text::word("Missing etcd member"))
                }
                Wording::V1Beta2 => {
                    let words = format!("Etcd doesn't have an etcd member for Node {node}");
                    (Status::False, "NotHealthy", Text::from(words))
                }
            };
            self.say(scene, place, ETCD_MEMBER, said, script);
        }
        let strangers = scene.members.iter().filter(|it| scene.machine_of(&it.name).is_none());
        let errors: Vec<String> = strangers.map(|it| self.stranger(it)).collect();
        scene.kcp_errors.extend(errors);
    }

    fn stranger(&self, member: &EtcdMember) -> String {
        let name = match member.name.is_empty() {
            true => format!("{} (Name not yet assigned)", member.id.0),
            false => member.name.to_string(),
        };
        match self.settings.wording {
            Wording::V1Beta1 => {
                format!("etcd member {name} does not have a corresponding machine")
            }
            Wording::V1Beta2 => {
                format!("Etcd member {name} does not have a corresponding Machine")
            }
        }
    }
}

/// What a mirror Pod says.
///
/// Simplified: a container that waits to be started again is told from one that waits for its
/// probes by the count of its restarts.
fn pod_said(object: &Object, wording: Wording) -> Said {
    let Some(pod) = object.pod() else { return (Status::Unknown, "", Text::EMPTY) };
    let v1beta2 = wording == Wording::V1Beta2;
    let reason = |old, new| if v1beta2 { new } else { old };
    let provisioning = reason("PodProvisioning", "Provisioning");
    let failed = reason("PodFailed", "Failed");
    let ready = pod.conditions.is("Ready", Status::True);
    match pod.phase {
        PodPhase::Running if ready => (Status::True, reason("", "Running"), Text::EMPTY),
        PodPhase::Running => {
            let words = "Waiting for startup or readiness probes";
            (Status::False, provisioning, Text::word(words))
        }
        PodPhase::Succeeded | PodPhase::Failed => {
            (Status::False, failed, Text::word("All the containers have been terminated"))
        }
        _ => (Status::False, provisioning, Text::EMPTY),
    }
}

/// What the list of members says of a Machine's own.
fn member_said(scene: &Scene, place: usize) -> Said {
    let machine = &scene.machines[place];
    let node = node_name(machine).cloned().unwrap_or_default();
    match scene.members.iter().find(|member| member.name == node) {
        None => {
            let all = names(&scene.members).join(" ");
            let words = format!(
                "Etcd reports the cluster is composed by [{all}], but the etcd member hosted on \
                 Machine {} ({node}) is not included",
                machine.name()
            );
            (Status::False, "NotHealthy", Text::from(words))
        }
        Some(member) if member.learner => {
            let words = "Waiting for learner etcd member to be promoted";
            (Status::False, "NotHealthy", Text::word(words))
        }
        Some(_) => (Status::True, "Healthy", Text::EMPTY),
    }
}

/// The Nodes of these Machines, those with a member that was last known as healthy first.
fn nodes_by_health(scene: &Scene, machines: &[usize], script: &mut Script) -> Vec<Text> {
    let mut nodes = Vec::new();
    for name in scene.list_nodes(script) {
        let is_its = |place: &&usize| node_name(&scene.machines[**place]) == Some(&name);
        if let Some(place) = machines.iter().find(is_its) {
            let healthy = super::scene::is(&scene.machines[*place], ETCD_MEMBER, Status::True);
            nodes.push((!healthy, name));
        }
    }
    // Among equals the drawn order stays.
    nodes.sort_by_key(|(ill, _)| *ill);
    nodes.into_iter().map(|(_, name)| name).collect()
}

fn names(members: &[EtcdMember]) -> Vec<Text> {
    let mut names: Vec<Text> = members.iter().map(|member| member.name.clone()).collect();
    names.sort();
    names
}

fn waiting_for_node(machine: &Object) -> Text {
    let Some(body) = machine.machine() else { return Text::EMPTY };
    Text::from(match body.spec.provider_id.is_empty() {
        true => {
            format!(
                "Waiting for {} to report spec.providerID",
                body.spec.infrastructure.kind.name()
            )
        }
        false => {
            format!("Waiting for a Node with spec.providerID {} to exist", body.spec.provider_id)
        }
    })
}

/// What is at the bottom of an error.
fn last_part(error: &Text) -> &str {
    error.rsplit(": ").next().unwrap_or_default()
}

/// All conditions about the Pods of a Machine.
pub fn pod_conditions() -> impl Iterator<Item = &'static str> {
    COMPONENTS.into_iter().chain([ETCD_POD])
}
