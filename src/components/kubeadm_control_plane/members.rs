//! Reaching etcd, each member through its own Node's kubelet, and changing who belongs to it.
//!
//! Follows `etcd_client_generator.go` and `workload_cluster_etcd.go`. The weak spot that both
//! releases have: leadership can only be moved over a connection to the leader itself, which its
//! Node's kubelet has to carry, however well the member does.
//!
//! Simplified: gRPC's growing pause between tries of one connection is one pause; alarms do not
//! occur.

use super::quorum::{Change, ETCD_MEMBER, stays_healthy};
use super::scene::{Scene, is, node_name};
use super::script::{Flow, Script, fail};
use super::{Controller, EtcdAccess, Inspection, LeaderAccess};
use crate::api::kinds::Status;
use crate::api::{Answer, EtcdCall, EtcdMember, EtcdReply, EtcdStatus, Forward, Object, Verb};
use crate::client::Target;
use crate::engine::Text;
use crate::raft::MemberId;
use std::cmp::Reverse;
use std::sync::Arc;

/// A connection to the member on a Node.
#[derive(Clone, Debug)]
pub struct Connected {
    node: Text,
    pub status: EtcdStatus,
}

/// What came of something that is tried at etcd; what went wrong, in the words of the client.
pub type Tried<T> = Result<T, Text>;

impl Controller {
    /// A connection to the first of these Nodes' members that can be reached.
    pub(super) fn connect(&self, nodes: &[Text], script: &mut Script) -> Flow<Tried<Connected>> {
        let mut errors = Vec::new();
        for node in nodes {
            match self.dial(node, script)? {
                Ok(connected) => return Ok(Ok(connected)),
                Err(error) => errors.push(error),
            }
        }
        let errors = match errors.as_slice() {
            [] => "no control plane Nodes".to_owned(),
            [one] => one.to_string(),
            all => format!("[{}]", all.join(", ")),
        };
        Ok(Err(Text::from(match self.settings.inspection {
            Inspection::EachMember => {
                format!("could not establish a connection to any etcd node: {errors}")
            }
            Inspection::AnyMember => format!(
                "could not establish a connection to etcd members hosted on {}: {errors}",
                nodes.join(",")
            ),
        })))
    }

    /// Tries one member until it answers or the time is over.
    fn dial(&self, node: &Text, script: &mut Script) -> Flow<Tried<Connected>> {
        let EtcdAccess { connect, retry, .. } = self.settings.etcd;
        let until = script.now() + connect;
        loop {
            let timeout = until.since(script.now());
            let forward = Forward { node: node.clone(), call: EtcdCall::Status, timeout };
            let answered = script.ask(Target::Remote, Verb::Forward(forward))?;
            if let Ok(Answer::Etcd(EtcdReply::Status(status))) = answered {
                return Ok(Ok(Connected { node: node.clone(), status }));
            }
            if script.now() + retry >= until {
                let left = until.since(script.now());
                if !left.is_zero() {
                    script.wait(left)?;
                }
                let words = match self.settings.inspection {
                    Inspection::EachMember => "unable to create etcd client",
                    Inspection::AnyMember => "failed to get etcd status",
                };
                return Ok(Err(Text::from(format!("{words}: context deadline exceeded"))));
            }
            script.wait(retry)?;
        }
    }

    fn call(
        &self,
        to: &Connected,
        call: EtcdCall,
        script: &mut Script,
    ) -> Flow<Tried<Vec<EtcdMember>>> {
        let timeout = self.settings.etcd.call;
        let forward = Forward { node: to.node.clone(), call, timeout };
        Ok(match script.ask(Target::Remote, Verb::Forward(forward))? {
            Ok(Answer::Etcd(EtcdReply::Members(members))) => Ok(members),
            Ok(Answer::Etcd(EtcdReply::Failed(error))) => Err(error),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(error.message),
        })
    }

    /// Who belongs to etcd, as the member at the other end and a quorum say.
    pub(super) fn list(&self, to: &Connected, script: &mut Script) -> Flow<Tried<Vec<EtcdMember>>> {
        let listed = self.call(to, EtcdCall::MemberList, script)?;
        Ok(listed.map_err(|error| match self.settings.inspection {
            Inspection::EachMember => {
                Text::from(format!("failed to get list of members for etcd cluster: {error}"))
            }
            Inspection::AnyMember => Text::from(format!("failed to get etcd members: {error}")),
        }))
    }

    /// Up to 1.12: a connection to the leader, asked for at one member after the other.
    pub(super) fn connect_to_leader(
        &self,
        nodes: &[Text],
        script: &mut Script,
    ) -> Flow<Tried<Connected>> {
        let mut errors = Vec::new();
        for node in nodes {
            let asked = match self.connect(std::slice::from_ref(node), script)? {
                Ok(asked) => asked,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let members = match self.list(&asked, script)? {
                Ok(members) => members,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let leader = members.iter().find(|member| Some(member.id) == asked.status.leader);
            return match leader {
                Some(leader) if nodes.contains(&leader.name) => {
                    self.connect(std::slice::from_ref(&leader.name), script)
                }
                Some(leader) => Ok(Err(Text::from(format!(
                    "etcd leader is reported as {:x} with name \"{}\", but we couldn't find a \
                     corresponding Node in the cluster",
                    leader.id.0, leader.name
                )))),
                None => Ok(Err(Text::from(format!(
                    "etcd leader is reported as {:x}, but we couldn't find any matching member",
                    asked.status.leader.map_or(0, |leader| leader.0)
                )))),
            };
        }
        let errors = errors.join(", ");
        Ok(Err(Text::from(format!(
            "could not establish a connection to the etcd leader: [{errors}]"
        ))))
    }

    /// Leadership leaves a Machine that goes.
    pub(super) fn forward(
        &self,
        scene: &Scene,
        from: &Object,
        script: &mut Script,
    ) -> Flow<Tried<()>> {
        if self.settings.leader == LeaderAccess::ForItsOwnMachine {
            return self.forward_from_own(scene, from, script);
        }
        match newest_healthy(scene) {
            Some(candidate) => self.forward_from_any(scene, from, &candidate, script),
            None => Ok(Err(Text::word("leader candidate cannot be nil"))),
        }
    }

    /// Up to 1.12: leadership goes to a candidate, if the Machine that goes has it.
    fn forward_from_any(
        &self,
        scene: &Scene,
        from: &Object,
        candidate: &Object,
        script: &mut Script,
    ) -> Flow<Tried<()>> {
        let Some(from) = node_name(from) else { return Ok(Ok(())) };
        let Some(to) = node_name(candidate) else {
            return Ok(Err(Text::word("leader has no node reference")));
        };
        let leader = match self.connect_to_leader(&scene.list_nodes(script), script)? {
            Ok(leader) => leader,
            Err(error) => return Ok(Err(wrapped("failed to create etcd client", &error))),
        };
        self.move_leadership(&leader, from, to, script)
    }

    /// From 1.14: only the leader's own Machine has anything to hand over.
    fn forward_from_own(
        &self,
        scene: &Scene,
        from: &Object,
        script: &mut Script,
    ) -> Flow<Tried<()>> {
        let Some(leader) = &scene.leader else {
            let words = "unable to move etcd leadership, failed to detect etcd leader";
            return Ok(Err(Text::word(words)));
        };
        let Some(node) = node_name(from).filter(|node| **node == leader.name) else {
            return Ok(Ok(()));
        };
        let candidates = candidates(scene, from);
        if candidates.is_empty() {
            let words =
                "unable to move etcd leadership, no candidate machines for etcd leadership found";
            return Ok(Err(Text::word(words)));
        }
        for candidate in candidates {
            let Some(to) = node_name(&candidate) else { continue };
            let moved = match self.connect(std::slice::from_ref(node), script)? {
                Ok(leader) => self.move_leadership(&leader, node, to, script)?,
                Err(error) => Err(wrapped("failed to create etcd client", &error)),
            };
            match moved {
                Ok(()) => return Ok(Ok(())),
                Err(error) => script.log(format!(
                    "Failed to move etcd leadership err=\"{error}\" \
                     currentLeaderMachine=\"{}\" candidateLeaderMachine=\"{}\"",
                    from.name(),
                    candidate.name()
                )),
            }
        }
        Ok(Err(Text::word("failed to move etcd leadership")))
    }

    fn move_leadership(
        &self,
        leader: &Connected,
        from: &Text,
        to: &Text,
        script: &mut Script,
    ) -> Flow<Tried<()>> {
        let members = match self.list(leader, script)? {
            Ok(members) => members,
            Err(error) => {
                let what = "failed to list etcd members using etcd client";
                return Ok(Err(wrapped(what, &error)));
            }
        };
        let id = |name: &Text| members.iter().find(|member| member.name == *name).map(|it| it.id);
        if id(from).is_none() || id(from) != leader.status.leader {
            return Ok(Ok(()));
        }
        let Some(to) = id(to) else {
            return Ok(Err(Text::from(format!("failed to get etcd member from node \"{to}\""))));
        };
        let moved = self.call(leader, EtcdCall::MoveLeader(to), script)?;
        Ok(moved.map(|_| ()).map_err(|error| wrapped("failed to move leader", &error)))
    }

    /// The member of a Node leaves, through a connection to any other's.
    pub(super) fn remove_member(
        &self,
        scene: &Scene,
        name: &Text,
        id: Option<MemberId>,
        script: &mut Script,
    ) -> Flow<Tried<()>> {
        let each = self.settings.inspection == Inspection::EachMember;
        if each && scene.nodes.len() < 2 {
            return Ok(Err(Text::word(
                "cluster has fewer than 2 control plane nodes; removing an \
                                      etcd member is not supported",
            )));
        }
        let others: Vec<Text> =
            scene.list_nodes(script).into_iter().filter(|node| node != name).collect();
        let any = match self.connect(&others, script)? {
            Ok(any) => any,
            Err(error) => return Ok(Err(wrapped("failed to create etcd client", &error))),
        };
        let members = match self.list(&any, script)? {
            Ok(members) => members,
            Err(error) => {
                let what = "failed to list etcd members using etcd client";
                return Ok(Err(wrapped(what, &error)));
            }
        };
        let is_it = |member: &&EtcdMember| match id {
            Some(id) => member.id == id,
            None => member.name == *name,
        };
        let Some(member) = members.iter().find(is_it) else { return Ok(Ok(())) };
        if !each && members.len() == 1 {
            let words = "cannot remove the last etcd member in the cluster";
            return Ok(Err(Text::word(words)));
        }
        let removed = self.call(&any, EtcdCall::MemberRemove(member.id), script)?;
        let what = "failed to remove member from etcd";
        Ok(removed.map(|_| ()).map_err(|error| wrapped(what, &error)))
    }

    /// Members whose Machine is gone leave. True if the reconcile ends with that.
    pub(super) fn reconcile_members(&self, scene: &Scene, script: &mut Script) -> Flow<bool> {
        let healthy = scene.spec().conditions.is("EtcdClusterHealthy", Status::True);
        if scene.machines.is_empty() || scene.has_provisioning() || healthy {
            return Ok(false);
        }
        match self.settings.inspection {
            Inspection::EachMember => self.remove_strangers(scene, script).map(|()| false),
            Inspection::AnyMember => self.remove_stranger(scene, script),
        }
    }

    /// Up to 1.13: each member is asked, with best effort, and every stranger leaves.
    fn remove_strangers(&self, scene: &Scene, script: &mut Script) -> Flow<()> {
        let mut errors: Vec<Text> = Vec::new();
        let nodes: Vec<Text> =
            scene.machines.iter().filter_map(|machine| node_name(machine).cloned()).collect();
        for node in &nodes {
            let Ok(asked) = self.connect(std::slice::from_ref(node), script)? else { continue };
            let Ok(members) = self.list(&asked, script)? else { continue };
            for member in members {
                // One that was just added has no name until it starts.
                if member.name.is_empty() || nodes.contains(&member.name) {
                    continue;
                }
                match self.remove_member(scene, &member.name, None, script)? {
                    Ok(()) => script.log(format!(
                        "Etcd members without nodes removed from the cluster members=[\"{}\"]",
                        member.name
                    )),
                    Err(error) => errors.push(error),
                }
            }
        }
        match errors.as_slice() {
            [] => Ok(()),
            all => fail(format!("failed attempt to reconcile etcd members: {}", all.join(", "))),
        }
    }

    /// From 1.14: one at a time, and only if the others can spare it.
    fn remove_stranger(&self, scene: &Scene, script: &mut Script) -> Flow<bool> {
        let stranger = scene.members.iter().find(|member| scene.machine_of(&member.name).is_none());
        let Some(stranger) = stranger else { return Ok(false) };
        let name = match stranger.name.is_empty() {
            true => "(Name not yet assigned)",
            false => stranger.name.as_str(),
        };
        let change = Change::Removes(stranger.name.clone());
        if !stranger.name.is_empty() && !stays_healthy(scene, &change) {
            return fail(format!(
                "etcd member {name} does not have a corresponding Machine, it must be removed \
                 from the cluster but this operation can lead to quorum loss. Please check the \
                 etcd status"
            ));
        }
        match self.remove_member(scene, &stranger.name, Some(stranger.id), script)? {
            Ok(()) => {
                script.log(format!(
                    "Etcd member without a corresponding Machine removed from the cluster \
                     member=\"{name}\""
                ));
                Ok(true)
            }
            Err(error) => fail(format!(
                "failed to remove etcd member {name}. Please check the etcd status: {error}"
            )),
        }
    }
}

/// The newest Machine with which nothing is known to be wrong.
pub fn newest_healthy(scene: &Scene) -> Option<Arc<Object>> {
    let healthy = scene.machines.iter().filter(|it| !is(it, "HealthCheckSucceeded", Status::False));
    healthy.max_by_key(|it| it.meta.created).cloned()
}

/// Who could lead etcd, the best first.
fn candidates(scene: &Scene, from: &Object) -> Vec<Arc<Object>> {
    let stays = |machine: &&Arc<Object>| {
        node_name(machine).is_some() && !machine.meta.is_deleting() && machine.name() != from.name()
    };
    let mut candidates: Vec<_> = scene.machines.iter().filter(stays).cloned().collect();
    candidates.sort_by_key(|machine| {
        let good = |condition: &str| Reverse(is(machine, condition, Status::True));
        (good(ETCD_MEMBER), good("HealthCheckSucceeded"), Reverse(machine.meta.created))
    });
    candidates
}

/// An error in the words of who met it.
pub fn wrapped(what: &str, error: &str) -> Text {
    Text::from(format!("{what}: {error}"))
}
