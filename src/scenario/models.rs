//! The embedded folder `models/`: releases, platforms and scenarios as data.

use super::catalog::{Catalog, Written};
use super::mistake::{Mistake, hint, nearest};
use super::workloads::WrittenWorkload;
use super::yaml::{Source, Spanned};
use crate::components::cluster_api::Bootstrap;
use crate::engine::Text;
use crate::world::{ControlPlaneNodes, Management};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Every file of the folder, by its path below it.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// A named profile: releases, settings, delays.
#[derive(Clone, Debug)]
pub struct Platform {
    pub name: Text,
    pub description: String,
    pub kubernetes_version: Text,
    pub management: Management,
    pub control_plane_nodes: ControlPlaneNodes,
    pub bootstrap: Bootstrap,
    pub control_planes: u32,
    pub workers: u32,
    pub provider: WrittenProvider,
    pub zones: u32,
    pub hosts: u32,
    pub workloads: Vec<WrittenWorkload>,
    pub catalog: Catalog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenPlatform {
    description: String,
    kubernetes: String,
    etcd: String,
    cluster_api: String,
    vm_operator: Option<String>,
    load_balancer: String,
    kubernetes_version: String,
    infra_provider: WrittenProvider,
    bootstrap: WrittenBootstrap,
    management: WrittenManagement,
    control_plane_nodes: WrittenNodes,
    cluster: WrittenCluster,
    workloads: Vec<WrittenWorkload>,
    settings: BTreeMap<String, Written>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WrittenManagement {
    Separate,
    #[serde(rename = "self")]
    Own,
}

/// Where the user data of new Machines comes from.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WrittenBootstrap {
    Given,
    Kubeadm,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WrittenNodes {
    Cluster,
    External,
}

/// Who makes VMs of Machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenProvider {
    /// A plain provider: delays only.
    Delay,
    VmOperator,
}

/// A release's numbers and rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenRelease {
    based_on: Option<String>,
    settings: BTreeMap<String, Written>,
}

/// How many VMs a cluster has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WrittenCluster {
    pub control_plane: Option<Spanned<u32>>,
    pub workers: Option<Spanned<u32>>,
    /// Over how many zones they are spread; without, Nodes have no zone labels.
    pub zones: Option<Spanned<u32>>,
    /// How many hosts they are placed on; without, no host can fail.
    pub hosts: Option<Spanned<u32>>,
    /// Whether vSphere HA is on; without, as the platform's settings say.
    pub high_availability: Option<bool>,
    /// Which VMs are on a host when the run begins; the others keep apart.
    #[serde(default)]
    pub placement: Vec<WrittenPlacement>,
}

/// The VMs of one host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPlacement {
    pub host: Spanned<String>,
    pub vms: Vec<Spanned<String>>,
}

/// The file of this path below `models/`.
fn file(path: &str) -> Option<Source> {
    let (name, text) = FILES.iter().find(|(name, _)| *name == path)?;
    Some(Source::embedded(&format!("models/{name}"), text))
}

/// The names of the files directly in a folder, without their ending.
fn names(folder: &str) -> Vec<&'static str> {
    let name =
        |name: &'static str| name.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".yaml");
    let mut names: Vec<&str> = FILES.iter().filter_map(|(file, _)| name(file)).collect();
    // Files are in the order of names with their ending, which puts `a-b` before `a`.
    names.sort_unstable();
    names
}

/// The names of all platforms.
pub fn platforms() -> Vec<&'static str> {
    names("platforms")
}

/// The scenarios of the founding page, "Disaster Scenarios", in its order.
pub const FOUNDING_PAGE: [&str; 10] = [
    "worker-power-off",
    "worker-vm-deleted",
    "control-plane-power-off",
    "control-plane-vm-deleted",
    "worker-kubelet-stopped",
    "worker-kubelet-crashed",
    "control-plane-kubelet-stopped",
    "control-plane-kubelet-crashed",
    "etcd-one-of-three",
    "apiserver-removed",
];

/// The names of all embedded scenarios; those of the recordings begin with `lab/`.
pub fn scenarios() -> Vec<&'static str> {
    names("scenarios")
}

/// An embedded scenario's text.
pub fn scenario(name: &str) -> Option<Source> {
    file(&format!("scenarios/{name}.yaml"))
}

/// The names of all embedded lessons: scenarios that ask their reader.
pub fn lessons() -> Vec<&'static str> {
    names("lessons")
}

/// An embedded lesson's text.
pub fn lesson(name: &str) -> Option<Source> {
    file(&format!("lessons/{name}.yaml"))
}

/// A platform's text.
pub fn platform_text(name: &str) -> Option<Source> {
    file(&format!("platforms/{name}.yaml"))
}

/// Words for a name that is not known, with those that are like it.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match hint(name, known) {
        Some(hint) => format!("no {what} `{name}`; {hint}"),
        None => format!("no {what} `{name}`; known: {}", known.join(", ")),
    }
}

/// How many names are near enough to be told.
const NEAR: usize = 3;

/// The same for a scenario: there are too many to be told all.
pub fn unknown_scenario(name: &str) -> String {
    let known = [scenarios(), lessons()].concat();
    let has_it = |known: &&&str| name.chars().count() >= NEAR && known.contains(name);
    let mut near: Vec<&str> = known.iter().filter(has_it).copied().collect();
    // Who has left out the end of a name means rather a short one.
    near.sort_by_key(|known| (!known.starts_with(name), known.len()));
    near.truncate(NEAR);
    if near.is_empty() {
        near.extend(nearest(name, known.iter().copied()));
    }
    let near: Vec<String> = near.iter().map(|known| format!("`{known}`")).collect();
    let asked = match near.is_empty() {
        true => String::new(),
        false => format!("did you mean {}? ", near.join(" or ")),
    };
    format!(
        "no scenario `{name}`; {asked}`healsim list scenarios` and `healsim list lessons` name all"
    )
}

/// A platform with all its settings.
///
/// # Errors
/// There is no platform of this name; the words say which there are.
pub fn platform(name: &str) -> Result<Platform, Mistake> {
    // Embedded text never changes, and who plays thousands of short runs would read little else.
    static READ: Mutex<BTreeMap<String, Platform>> = Mutex::new(BTreeMap::new());
    let known = || READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(platform) = known().get(name) {
        return Ok(platform.clone());
    }
    let platform = read_platform(name)?;
    known().insert(name.to_owned(), platform.clone());
    Ok(platform)
}

fn read_platform(name: &str) -> Result<Platform, Mistake> {
    let Some(source) = platform_text(name) else {
        return Err(Mistake::of("platform", unknown("platform", name, &platforms())));
    };
    let written: WrittenPlatform = source.parse()?;
    match (&written.infra_provider, written.bootstrap) {
        (WrittenProvider::Delay, _) | (WrittenProvider::VmOperator, WrittenBootstrap::Kubeadm) => {}
        _ => {
            let message = "`infraProvider: vm-operator` goes with `bootstrap: kubeadm`, because its \
                           VMs wait for their user data";
            return Err(Mistake::of(&source.file, message));
        }
    }
    let mut catalog = Catalog::default();
    for (prefix, folder, release) in [
        ("kubernetes", "kubernetes", &written.kubernetes),
        ("etcd", "etcd", &written.etcd),
        ("clusterApi", "cluster-api", &written.cluster_api),
        ("users", "users", &"default".to_owned()),
        ("network", "network", &"linux".to_owned()),
        ("vsphere", "vsphere", &"8.0".to_owned()),
        ("loadBalancer", "load-balancer", &written.load_balancer),
    ] {
        add_release(&mut catalog, prefix, folder, release, &source)?;
    }
    if let Some(release) = &written.vm_operator {
        add_release(&mut catalog, "", "vm-operator", release, &source)?;
    }
    catalog.add("", written.settings);
    let count = |count: Option<Spanned<u32>>| count.map_or(1, |count| count.value);
    Ok(Platform {
        name: Text::from(name),
        description: written.description,
        kubernetes_version: Text::from(written.kubernetes_version),
        management: match written.management {
            WrittenManagement::Separate => Management::Separate,
            WrittenManagement::Own => Management::Own,
        },
        control_plane_nodes: match written.control_plane_nodes {
            WrittenNodes::Cluster => ControlPlaneNodes::InCluster,
            WrittenNodes::External => ControlPlaneNodes::External,
        },
        bootstrap: match written.bootstrap {
            WrittenBootstrap::Given => Bootstrap::Given,
            WrittenBootstrap::Kubeadm => Bootstrap::Kubeadm,
        },
        control_planes: count(written.cluster.control_plane),
        workers: count(written.cluster.workers),
        provider: written.infra_provider,
        zones: written.cluster.zones.map_or(0, |zones| zones.value),
        hosts: written.cluster.hosts.map_or(0, |hosts| hosts.value),
        workloads: written.workloads,
        catalog,
    })
}

/// How often short outages come, and how long they last: numbers of no platform.
pub(super) fn outages() -> Catalog {
    let source = file("outages/default.yaml").expect("models: outages");
    let written: WrittenRelease = source.parse().expect("models: outages are settings");
    let mut catalog = Catalog::default();
    catalog.add("", written.settings);
    catalog
}

/// How often things fail for long, and how soon people come: numbers of no platform.
pub(super) fn failures() -> Catalog {
    let source = file("rates/failures.yaml").expect("models: rates of failures");
    let written: WrittenRelease = source.parse().expect("models: rates are settings");
    let mut catalog = Catalog::default();
    catalog.add("", written.settings);
    catalog
}

/// The names of the clusters whose availability can be asked.
pub fn plants() -> Vec<&'static str> {
    names("availability")
}

/// The text of such a cluster.
pub fn plant(name: &str) -> Option<Source> {
    file(&format!("availability/{name}.yaml"))
}

/// Puts the settings of another file, such as a release of one component, over a platform's.
///
/// # Errors
/// There is no such file, or it is not one of settings.
pub fn overlay(
    platform: &mut Platform,
    prefix: &str,
    folder: &str,
    name: &str,
) -> Result<(), Mistake> {
    let asked_by = Source::embedded(folder, "");
    add_release(&mut platform.catalog, prefix, folder, name, &asked_by)
}

/// Adds a release's settings over those of the release that it is based on.
fn add_release(
    catalog: &mut Catalog,
    prefix: &str,
    folder: &str,
    release: &str,
    asked_by: &Source,
) -> Result<(), Mistake> {
    let Some(source) = file(&format!("{folder}/{release}.yaml")) else {
        let message = unknown("release", release, &names(folder));
        return Err(Mistake::of(&asked_by.file, message));
    };
    let written: WrittenRelease = source.parse()?;
    if let Some(base) = &written.based_on {
        add_release(catalog, prefix, folder, base, &source)?;
    }
    catalog.add(prefix, written.settings);
    Ok(())
}
