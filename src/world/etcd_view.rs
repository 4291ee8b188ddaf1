//! The members of a cluster's etcd, as one who sees everything would see them: who is listed, who
//! answers, who leads in truth.

use super::process::Process;
use super::view::{View, leading_stores};
use crate::components::etcd;
use crate::engine::{Duration, SimTime, Text};
use crate::infra::ProcessId;
use crate::raft::{Index, MemberId};
use crate::wire::{MemberInfo, MemberStatus};
use std::collections::BTreeSet;

/// A member that a cluster lists, and what its process says of itself.
#[derive(Clone, Debug)]
pub struct EtcdMember<'a> {
    pub info: &'a MemberInfo,
    /// What it would answer to `endpoint status`; none while no process of it works.
    pub status: Option<MemberStatus>,
    /// Whom its Raft takes for the leader, which it may not have told anybody yet.
    pub leader: Option<MemberId>,
    /// The last entry of its log, committed or not; of a member that works.
    pub last: Index,
    /// Since when a member that works has waited for its disk.
    pub writes_since: Option<SimTime>,
}

/// A process of etcd, with what its member has on disk and in memory.
#[derive(Clone, Copy, Debug)]
pub struct EtcdProcess<'a> {
    pub id: ProcessId,
    pub process: &'a etcd::Etcd,
}

impl<'a> View<'a> {
    /// The process of etcd that reacted to the latest event, if it was one. Looking costs next to
    /// nothing, so it can be done after each event.
    pub fn etcd_just_played(self) -> Option<EtcdProcess<'a>> {
        let id = ProcessId(self.world.core.latest);
        match self.world.components.get(id.0 as usize)? {
            Process::Etcd(process) => Some(EtcdProcess { id, process }),
            _ => None,
        }
    }

    /// The cluster and the VM of a process.
    pub fn place_of(self, id: ProcessId) -> (Text, &'a Text) {
        let core = &self.world.core;
        let cluster = core.clusters.get(&id).cloned().unwrap_or_default();
        (cluster, &core.datacenter.vm(core.datacenter.processes.get(id).vm).name)
    }

    /// For how long a member of etcd takes another for connected that fell silent: until the kernel gives their stream
    /// up.
    pub fn stream_silence(self) -> Duration {
        let keep_alives = &self.world.core.datacenter.keep_alives;
        let of_peers = keep_alives.to_port.get(&etcd::PEER_PORT);
        of_peers.unwrap_or(&keep_alives.usual).silence()
    }

    /// True if etcd refuses to be left without a quorum by a change of its members (`--strict-reconfig-check`).
    pub fn is_etcd_strict(self) -> bool {
        self.world.blueprint.settings.etcd.strict_reconfig
    }

    /// True if whoever takes a member out leaves it to etcd to refuse that: a control plane of Cluster API up to 1.12
    /// looks at the other members itself.
    pub fn is_removal_left_to_etcd(self) -> bool {
        let plane = self.world.blueprint.settings.control_plane.as_ref();
        plane.is_none_or(|plane| plane.controller.needs_healthy_components)
    }

    /// The clusters that have an etcd, whether or not any member of it lives.
    pub fn etcd_clusters(self) -> BTreeSet<&'a Text> {
        let core = &self.world.core;
        core.etcd.iter().filter_map(|id| core.clusters.get(id)).collect()
    }

    /// The members of a cluster's etcd, as the member that is ahead of the others lists them.
    pub fn etcd_members(self, cluster: &str) -> Vec<EtcdMember<'a>> {
        let core = &self.world.core;
        let stores = leading_stores((&core.etcd, &core.clusters), &self.world.components);
        let store = stores.into_iter().find(|(name, _)| **name == *cluster);
        let listed = store.map_or(&[][..], |(_, store)| store.members());
        let of = |info: &'a MemberInfo| {
            let works = self.working_member(cluster, info.id);
            let status = works.and_then(|etcd| etcd.status());
            let last = works.map_or(0, |etcd| etcd.last_index());
            let writes_since = works.and_then(|etcd| etcd.writes_since());
            let leader = works.and_then(|etcd| etcd.raft()?.leader());
            EtcdMember { info, status, leader, last, writes_since }
        };
        listed.iter().map(of).collect()
    }

    /// The member that leads a cluster's etcd in truth: it works, and a quorum of the voters works
    /// and follows it. None if there is no such member.
    pub fn etcd_leader(self, cluster: &str) -> Option<EtcdMember<'a>> {
        let members = self.etcd_members(cluster);
        let voters = || members.iter().filter(|member| !member.info.learner);
        let quorum = voters().count() / 2 + 1;
        let found = voters().position(|leader| {
            leader.follows(leader.info.id)
                && voters().filter(|voter| voter.follows(leader.info.id)).count() >= quorum
        });
        let leader = found.and_then(|place| voters().nth(place));
        leader.cloned()
    }

    /// The name of which two clusters of etcd are at work, if there is one: one was restored beside the other.
    pub fn split_cluster(self) -> Option<&'a Text> {
        let core = &self.world.core;
        let at_work =
            core.etcd.iter().filter(|id| core.datacenter.processes.get(**id).is_at_work());
        let mut seen: Vec<(&Text, SimTime)> = Vec::new();
        for id in at_work {
            let Process::Etcd(etcd) = &self.world.components[id.0 as usize] else { continue };
            let (Some(store), Some(name)) = (etcd.store(), core.clusters.get(id)) else { continue };
            let cluster = store.origin().cluster;
            match seen.iter().find(|(other, _)| *other == name) {
                Some((_, other)) if *other != cluster => return Some(name),
                Some(_) => {}
                None => seen.push((name, cluster)),
            }
        }
        None
    }

    /// True if the data of the member of this number are still there, on the disk of a VM that exists
    /// or open in a process that works, whether or not anybody can be asked for them.
    pub fn keeps_data(self, cluster: &str, id: MemberId) -> bool {
        let core = &self.world.core;
        let keeps = |process_id: &ProcessId| {
            let Process::Etcd(etcd) = &self.world.components[process_id.0 as usize] else {
                return false;
            };
            let process = core.datacenter.processes.get(*process_id);
            let vm = core.datacenter.vm(process.vm);
            let mine = core.clusters.get(process_id).map(Text::as_str) == Some(cluster);
            let exists = core.datacenter.vm_named(&vm.name) == Some(process.vm);
            let has_dir = vm.disk.read(etcd::DATA_DIR).is_some() || process.is_at_work();
            mine && etcd.id() == Some(id) && exists && has_dir
        };
        core.etcd.iter().any(keeps)
    }

    /// The process of the member of this number, if it works.
    fn working_member(self, cluster: &str, id: MemberId) -> Option<&'a etcd::Etcd> {
        let core = &self.world.core;
        let mut working = core.etcd.iter().filter_map(|process_id| {
            let component = &self.world.components[process_id.0 as usize];
            let Process::Etcd(etcd) = component else { return None };
            let mine = core.clusters.get(process_id).map(Text::as_str) == Some(cluster);
            let works = core.datacenter.processes.get(*process_id).is_at_work();
            (works && mine).then_some(&**etcd)
        });
        working.find(|etcd| etcd.status().is_some_and(|status| status.member == id))
    }
}

impl EtcdMember<'_> {
    /// True if it works and takes this member for its leader.
    pub fn follows(&self, leader: MemberId) -> bool {
        self.leader == Some(leader)
    }
}
