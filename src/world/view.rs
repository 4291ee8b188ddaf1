//! A read-only look at the whole world, for observers, invariants and reports.

use super::blueprint::{ClusterApiTables, JobsTable};
use super::build::{WORKLOAD, WORKLOAD_CLUSTER};
use super::core::World;
use super::process::Process;
use crate::api::{Kind, Object, ObjectKey, Uid};
use crate::components::{apiserver, etcd};
use crate::engine::{SimTime, Text};
use crate::infra::{Datacenter, Host, Links, ProcessId, ProcessState, Vm, VmId, Way};
use crate::timeline::Timeline;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The world as one who sees everything would see it. It has no method that changes anything.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) world: &'a World,
}

/// What a member of the workload cluster's etcd does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtcdRole {
    Leader,
    Follower,
}

impl World {
    /// The world, to look at.
    pub fn view(&self) -> View<'_> {
        View { world: self }
    }
}

impl<'a> View<'a> {
    /// The present.
    pub fn now(self) -> SimTime {
        self.world.now()
    }

    /// What has happened so far.
    pub fn timeline(self) -> &'a Timeline {
        self.world.timeline()
    }

    /// The committed objects of a kind in whichever cluster has them, by namespace and name.
    pub fn objects(self, kind: Kind) -> impl Iterator<Item = &'a Arc<Object>> {
        self.stores().flat_map(move |store| store.of_kind(kind))
    }

    /// Those of one cluster.
    pub fn objects_in(
        self,
        cluster: &str,
        kind: Kind,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.store_of(cluster).into_iter().flat_map(move |store| store.of_kind(kind))
    }

    /// The committed object of a key in one cluster.
    pub fn object_in(self, cluster: &str, key: &ObjectKey) -> Option<Arc<Object>> {
        self.store_of(cluster)?.get(key)
    }

    /// The committed object of a key in whichever cluster has it.
    pub fn object(self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.stores().find_map(|store| store.get(key))
    }

    /// What the API servers' table of Jobs has.
    pub fn jobs_table(self) -> JobsTable {
        self.world.blueprint.settings.jobs_table
    }

    /// Which columns the tables of Cluster API's kinds have.
    pub fn cluster_api_tables(self) -> ClusterApiTables {
        self.world.blueprint.settings.cluster_api_tables()
    }

    /// The VMs that exist, by name.
    pub fn vms(self) -> impl Iterator<Item = &'a Vm> {
        self.datacenter().existing_vms().map(|(_, vm)| vm)
    }

    /// The VM of a name; with `*` in it, the first that fits.
    pub fn vm(self, name: &str) -> Option<&'a Vm> {
        let datacenter = self.datacenter();
        datacenter.vm_like(name).map(|id| datacenter.vm(id))
    }

    /// The hosts, in order.
    pub fn hosts(self) -> impl Iterator<Item = &'a Host> {
        self.datacenter().all_hosts().map(|(_, host)| host)
    }

    /// True if the host of this name is there and has power.
    pub fn is_host_on(self, name: &str) -> bool {
        let mut all = self.hosts();
        all.any(|host| host.name == *name && self.datacenter().vm(host.machine).is_on())
    }

    /// True if vCenter believes that the host of this name responds.
    pub fn responds(self, host: &str) -> bool {
        self.world.components.iter().all(|component| match component {
            Process::Hypervisor(vcenter) => vcenter.hears(host),
            _ => true,
        })
    }

    /// The state of a host in vSphere HA, as its own agent tells it, or the primary; nothing if nobody
    /// does.
    pub fn das_host_state(self, host: &Host) -> Option<&'static str> {
        let processes = self.datacenter().processes.iter().map(|(_, process)| process);
        let agents = processes.zip(&self.world.components).filter(|(process, _)| process.alive);
        let states = agents.filter_map(|(process, component)| match component {
            Process::FaultDomainManager(agent) => {
                let own = &self.datacenter().vm(process.vm).name;
                Some((own == &host.name, agent.state_of(&host.name, own)?))
            }
            _ => None,
        });
        states.max_by_key(|(is_own, _)| *is_own).map(|(_, state)| state)
    }

    /// The host of a VM, if hosts are known.
    pub fn host_of(self, vm: &Vm) -> Option<&'a Text> {
        vm.host.map(|host| &self.datacenter().host_of(host).name)
    }

    /// True if the VM of this name is where something can be done to it.
    pub fn is_reachable(self, vm: &str) -> bool {
        self.vm_id(vm).is_some_and(|vm| self.datacenter().is_reachable(vm))
    }

    /// True if packets get from the VM of this name to those outside, users and the load balancer, and
    /// back. So do appliances, which stand there themselves; whether a VM exists is not asked here.
    ///
    /// Simplified: a link that loses nearly all of them counts as whole.
    pub fn hears_users(self, vm: &str) -> bool {
        let is_joined = |vm| {
            let path = self.datacenter().path_outside(vm);
            path.there && path.back
        };
        self.are_links_whole() || self.vm_id(vm).is_none_or(is_joined)
    }

    /// The number of the VM of a name; with `*` in it, the first that fits.
    pub fn vm_id(self, name: &str) -> Option<VmId> {
        self.datacenter().vm_like(name)
    }

    /// True if the way was cut in these words.
    pub fn has_cut(self, way: Way) -> bool {
        self.datacenter().links.has_cut(way)
    }

    /// True if no link is cut or bad anywhere.
    pub fn are_links_whole(self) -> bool {
        self.datacenter().links.are_whole()
    }

    /// The zones, in order.
    pub fn zones(self) -> impl Iterator<Item = Text> {
        self.datacenter().zones().map(|place| place.zone)
    }

    /// What is wrong with which links.
    pub fn links(self) -> &'a Links {
        &self.datacenter().links
    }

    /// The VM of the first member of the workload cluster's etcd, by number, that has this role. Of
    /// several that believe to lead, the one of the latest term does.
    pub fn etcd_member(self, role: EtcdRole) -> Option<Text> {
        let core = &self.world.core;
        let members = core.datacenter.processes.iter().zip(&self.world.components);
        let working: Vec<(&ProcessState, Option<u64>)> = members
            .filter_map(|((id, process), component)| match component {
                Process::Etcd(etcd)
                    if process.is_at_work()
                        && core.clusters.get(&id) == Some(&WORKLOAD_CLUSTER) =>
                {
                    Some((process, etcd.leads_in()))
                }
                _ => None,
            })
            .collect();
        let latest = working.iter().filter_map(|(_, term)| *term).max();
        let leads = |term: Option<u64>| term.is_some() && term == latest;
        let is_it = |term: Option<u64>| leads(term) == (role == EtcdRole::Leader);
        let found = working.iter().find(|(_, term)| is_it(*term));
        found.map(|(process, _)| core.datacenter.vm(process.vm).name.clone())
    }

    /// All processes, living and dead, by their numbers.
    pub fn processes(self) -> impl Iterator<Item = &'a ProcessState> {
        self.datacenter().processes.iter().map(|(_, process)| process)
    }

    /// The processes on a VM that exists, living and dead.
    pub fn processes_on(self, vm: &'a str) -> impl Iterator<Item = &'a ProcessState> {
        let datacenter = self.datacenter();
        let id = datacenter.vm_like(vm);
        datacenter.processes.iter().map(|(_, p)| p).filter(move |p| Some(p.vm) == id)
    }

    /// True if the program runs on the VM.
    pub fn runs(self, program: &str, vm: &'a str) -> bool {
        self.processes_on(vm).any(|process| process.alive && process.program == *program)
    }

    /// True if the program runs on the VM and is not frozen.
    pub fn works(self, program: &str, vm: &'a str) -> bool {
        self.processes_on(vm)
            .any(|process| process.alive && process.frozen.is_none() && process.program == *program)
    }

    /// True if the API server on the VM would serve whatever it is asked: its start is over, and it has its
    /// connections to etcd.
    pub fn serves_api(self, vm: &str) -> bool {
        self.has_api_server(vm, apiserver::Apiserver::serves)
    }

    /// True if the API server on the VM would serve the users by whom the API's availability is defined.
    pub fn answers_users(self, vm: &str) -> bool {
        self.has_api_server(vm, |server| server.serves_kind(apiserver::ASKED))
    }

    fn has_api_server(self, vm: &str, is_so: impl Fn(&apiserver::Apiserver) -> bool) -> bool {
        let datacenter = self.datacenter();
        let Some(vm) = datacenter.vm_like(vm) else { return false };
        let mut all = datacenter.processes.iter().zip(&self.world.components);
        all.any(|((_, process), component)| match component {
            Process::Apiserver(server) => process.vm == vm && process.is_at_work() && is_so(server),
            _ => false,
        })
    }

    /// True if the program is frozen on the VM, and would go on if it was thawed.
    pub fn is_frozen(self, program: &str, vm: &'a str) -> bool {
        self.processes_on(vm).any(|process| process.can_thaw() && process.program == *program)
    }

    /// True if a Pod's containers run on a VM that is on.
    pub fn runs_container(self, vm: &str, pod: Uid) -> bool {
        self.vm(vm).is_some_and(|vm| {
            vm.is_on() && vm.containers.get(&pod).is_some_and(|c| c.is_running(self.now()))
        })
    }

    /// The VMs that should run a program, because it was placed on them when the world was built.
    pub fn hosts_of(self, program: &'static str) -> impl Iterator<Item = &'a Text> {
        self.placed(program).map(|(_, vm)| vm)
    }

    /// Those of them on which it is the workload cluster's.
    pub fn workload_hosts_of(self, program: &'static str) -> impl Iterator<Item = &'a Text> {
        let clusters = &self.world.core.clusters;
        let of_workload = |id: &ProcessId| clusters.get(id) == Some(&WORKLOAD_CLUSTER);
        self.placed(program).filter(move |(id, _)| of_workload(id)).map(|(_, vm)| vm)
    }

    fn placed(self, program: &'static str) -> impl Iterator<Item = (ProcessId, &'a Text)> {
        let datacenter = self.datacenter();
        datacenter
            .processes
            .iter()
            .filter(move |(_, process)| process.program == *program)
            .map(|(id, process)| (id, process.vm, &datacenter.vm(process.vm).name))
            // What ran on a VM that was there before under the name is gone with it.
            .filter(|(_, vm, name)| datacenter.vm_like(name).is_none_or(|now| now == *vm))
            .map(|(id, _, name)| (id, name))
    }

    /// Where the load balancer of the workload cluster's API leads now; none if there is no load balancer.
    pub fn balanced_backends(self) -> Option<Vec<Text>> {
        let datacenter = self.datacenter();
        let mut programs = datacenter.processes.iter().map(|(_, process)| &process.program);
        programs.any(|program| *program == *"load-balancer").then(|| {
            let backends = datacenter.network.backends(WORKLOAD).iter();
            backends.map(|(vm, _)| datacenter.vm(*vm).name.clone()).collect()
        })
    }

    fn datacenter(self) -> &'a Datacenter {
        &self.world.core.datacenter
    }

    /// Of each cluster the store of the member that is ahead of the others.
    fn store_of(self, cluster: &str) -> Option<&'a etcd::Store> {
        let mut stores = self.world.leading_stores().into_iter();
        stores.find(|(name, _)| **name == *cluster).map(|(_, store)| store)
    }

    fn stores(self) -> impl Iterator<Item = &'a etcd::Store> {
        self.world.leading_stores().into_iter().map(|(_, store)| store)
    }
}

impl World {
    fn leading_stores(&self) -> Vec<(&Text, &etcd::Store)> {
        leading_stores((&self.core.etcd, &self.core.clusters), &self.components)
    }
}

/// Of each cluster the store of the member that is ahead of the others, with the cluster's name.
pub(super) fn leading_stores<'a>(
    (processes, clusters): (&[ProcessId], &'a BTreeMap<ProcessId, Text>),
    components: &'a [Process],
) -> Vec<(&'a Text, &'a etcd::Store)> {
    const NONE: &Text = &Text::EMPTY;
    let mut found: Vec<(&Text, &etcd::Store)> = Vec::new();
    for id in processes {
        let Process::Etcd(etcd) = &components[id.0 as usize] else { continue };
        let Some(store) = etcd.store() else { continue };
        let cluster = clusters.get(id).unwrap_or(NONE);
        match found.iter_mut().find(|(name, _)| *name == cluster) {
            Some((_, best)) if store.is_ahead_of(best) => *best = store,
            Some(_) => {}
            None => found.push((cluster, store)),
        }
    }
    found
}
