//! What there is when a run begins: the names that a scenario can mean.
//!
//! Asked of a world that is about to begin, so that no name stands in a second list. Of what comes
//! to be later it knows the part of a name that is not drawn (`names.rs`).

use super::names::{AllKnown, Known, known};
use crate::api::kinds::VolumeSource;
use crate::api::{Kind, Object, ObjectKey};
use crate::engine::is_like;
use crate::world::{Blueprint, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The VMs of the beginning with what is on them, and the objects that are named like them.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    vms: BTreeMap<String, Host>,
    hosts: Vec<String>,
    zones: Vec<String>,
    /// How many volumes the StatefulSets have whose Pods have one each.
    volumes: Vec<(ObjectKey, u32)>,
    names: AllKnown,
}

/// What is on one VM.
#[derive(Clone, Debug, Default)]
struct Host {
    units: Vec<String>,
    /// Programs that run.
    programs: Vec<String>,
}

impl Stage {
    /// What a world of this blueprint has when it begins; the same for every seed.
    /// `deployed` are the Deployments that a person creates in the run.
    pub fn of(blueprint: Blueprint, deployed: &[String]) -> Stage {
        let world = World::new(blueprint.clone(), 0);
        let view = world.view();
        let names = known(view, &blueprint, deployed);
        let host = |vm: &crate::infra::Vm| {
            let alive = view.processes_on(&vm.name).filter(|process| process.alive);
            let programs = alive.map(|process| process.program.to_string()).collect();
            let units = vm.units.keys().map(ToString::to_string).collect();
            (vm.name.to_string(), Host { units, programs })
        };
        let vms = world.view().vms().map(host).collect();
        let hosts = view.hosts().map(|host| host.name.to_string()).collect();
        let zones = view.zones().map(|zone| zone.to_string()).collect();
        let volumes_of = |object: &Arc<Object>| {
            let set = object.stateful_set()?;
            let has_one = set.template.volume == Some(VolumeSource::PerPod);
            has_one.then(|| (object.key().clone(), set.replicas))
        };
        let volumes = view.objects(Kind::StatefulSet).filter_map(volumes_of).collect();
        Stage { vms, hosts, zones, volumes, names }
    }

    /// The names of the VMs.
    pub fn vms(&self) -> Vec<&str> {
        self.vms.keys().map(String::as_str).collect()
    }

    /// The names of the hosts.
    pub fn hosts(&self) -> Vec<&str> {
        words(&self.hosts)
    }

    /// The names of the zones.
    pub fn zones(&self) -> Vec<&str> {
        words(&self.zones)
    }

    /// Why objects of this name (with `*`, any that it fits) cannot have a size: a StatefulSet's new Pods
    /// would wait for volumes for ever.
    pub fn lacking_volumes(&self, object: &ObjectKey, size: u32) -> Option<String> {
        let ObjectKey { kind, namespace, name } = object;
        let is_meant = |set: &ObjectKey| {
            set.kind == *kind && set.namespace == *namespace && is_like(&set.name, name)
        };
        let (set, volumes) =
            self.volumes.iter().find(|(set, volumes)| *volumes < size && is_meant(set))?;
        Some(format!(
            "{set} begins with {volumes} volumes, and nobody here makes another; write {volumes} replicas \
             at most, or let it begin with more"
        ))
    }

    /// The units of a VM.
    pub fn units(&self, vm: &str) -> Vec<&str> {
        self.vms.get(vm).map(|host| words(&host.units)).unwrap_or_default()
    }

    /// The programs that run on a VM.
    pub fn programs(&self, vm: &str) -> Vec<&str> {
        self.vms.get(vm).map(|host| words(&host.programs)).unwrap_or_default()
    }

    /// The programs that run on any VM, each once.
    pub fn all_programs(&self) -> Vec<&str> {
        let all: BTreeSet<&str> = self.vms.keys().flat_map(|vm| self.programs(vm)).collect();
        all.into_iter().collect()
    }

    /// The names of the Nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        let nodes = self.names.get("Node");
        nodes.into_iter().flat_map(|known| known.names.iter().map(String::as_str))
    }

    /// The same, of kinds whose names are the scenario's own affair, whatever the platform.
    pub fn names_anywhere(&self, kind: &str) -> Option<&Known> {
        self.names(kind).filter(|_| ["VM", "Host", "Node", "Machine", "Probe"].contains(&kind))
    }

    /// The names that objects of a kind can have, if a scenario can know them all.
    pub fn names(&self, kind: &str) -> Option<&Known> {
        self.names.get(kind)
    }
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}
