//! A user's own manifests: which of their values are played, where each stands, and what of them
//! is not played.
//!
//! A manifest takes the place of the platform's object of its kind, so a field that it leaves out has
//! the default of Kubernetes or Cluster API, not the platform's value. Values become settings, as
//! `--set` makes them; what no setting has becomes part of the blueprint. Follows the API types of
//! kubernetes-sigs/cluster-api: api/core, api/controlplane/kubeadm, and of Kubernetes: apps/v1,
//! policy/v1.

mod arguments;
mod budget;
mod control_plane;
mod deployment;
mod fields;
mod health_check;
mod kinds;
mod machine_deployment;
#[cfg(test)]
mod play_tests;
mod pod;
mod quantity;
#[cfg(test)]
mod tests;
mod tree;

use super::catalog::Catalog;
use super::mistake::{Mistake, Mistakes, crop, nearest};
use super::yaml::Source;
use crate::api::Labels;
use crate::api::kinds::{UnhealthyCondition, Wanted};
use crate::world::{ControlPlaneNodes, Workload};
use fields::{Fields, Reader};
use kinds::kind_of;
use std::cell::{Cell, RefCell};
use std::fmt;
use tree::{Node, Value};

/// What a user's manifests ask for.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Values of settings.
    pub wishes: Vec<Wish>,
    /// Those of a KubeadmControlPlane, which not every platform has.
    pub plane_wishes: Vec<Wish>,
    /// The check over the control plane, if it is not the one over the workers: its own values, or
    /// none for what the platform has.
    pub control_plane_check: Option<Vec<Wish>>,
    /// Conditions of Nodes beside `Ready` that the check over the workers looks at.
    pub conditions: Vec<UnhealthyCondition>,
    pub control_plane_conditions: Vec<UnhealthyCondition>,
    pub control_planes: Option<VmCount>,
    pub workers: Option<VmCount>,
    pub workloads: Vec<OwnWorkload>,
    pub budgets: Vec<Budget>,
    /// The versions of Kubernetes that Machines are to have.
    pub versions: Vec<Versioned>,
    /// Values that became no setting.
    pub taken: Vec<Taken>,
    pub warnings: Vec<Warning>,
    /// Where the manifests stand of which there can be one, by what they are.
    seen: Vec<(&'static str, Place)>,
    /// Labels that Machines of the user's pool have, if it is there.
    pool_labels: Option<Vec<(String, String)>>,
    /// Labels that a check over the workers selects by.
    check_labels: Vec<(String, String, Place)>,
}

/// A setting that a manifest sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub key: &'static str,
    pub value: String,
    pub place: Place,
    pub source: WishSource,
}

/// Whether a value stands in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WishSource {
    Written,
    /// The field is left out, and this is its default.
    Default,
}

/// A value of a manifest that is no setting of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The object and its field, as `Deployment/web replicas`.
    pub key: String,
    pub value: String,
    pub place: Place,
}

/// A version of Kubernetes, which is a word here: the platform decides what is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    pub version: String,
    pub place: Place,
}

/// How many VMs there are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmCount {
    pub count: u32,
    pub place: Place,
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWorkload {
    pub workload: Workload,
    /// Of its Pods.
    pub labels: Labels,
    pub place: Place,
}

/// A PodDisruptionBudget; which workloads it is about is seen once all are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    pub name: String,
    pub selector: Labels,
    pub wanted: Wanted,
    pub place: Place,
}

/// Where something stands in a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

/// What a user should know about a manifest, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub place: Place,
    pub message: String,
}

const EXAMPLE: &str = "examples/my-health-check.yaml";

impl Manifests {
    /// Reads all documents of all files; every mistake is told at once, one for each document.
    pub fn read(sources: &[Source]) -> Result<Manifests, Mistakes> {
        let (mut manifests, mut mistakes) = (Manifests::default(), Vec::new());
        for source in sources {
            match source.documents(EXAMPLE) {
                Ok(documents) => {
                    let read = documents.iter().filter_map(|one| manifests.document(one).err());
                    mistakes.extend(read.collect::<Vec<_>>());
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        manifests.compare_labels();
        Mistakes::none_or(mistakes)?;
        Ok(manifests)
    }

    /// Where the manifest stands of which there is one.
    pub fn place_of(&self, what: &str) -> Option<&Place> {
        self.seen.iter().find(|(seen, _)| *seen == what).map(|(_, place)| place)
    }

    /// Changes a platform's settings. Where one of the two health checks is a user's own, the other stays as the
    /// platform has it.
    pub fn set(&self, catalog: &mut Catalog, planes: ControlPlaneNodes) {
        if let Some(wishes) = &self.control_plane_check {
            catalog.tell_checks_apart();
            wishes.iter().for_each(|wish| catalog.wish(wish));
        }
        // One over all Machines wins over what a scenario tells apart.
        let is_over_all = self.control_plane_check.is_none() && catalog.tells_checks_apart();
        let of_plane = self.wishes.iter().filter(|_| is_over_all);
        let of_plane: Vec<Wish> = of_plane.filter_map(health_check::of_plane).collect();
        self.wishes.iter().chain(&of_plane).for_each(|wish| catalog.wish(wish));
        if planes == ControlPlaneNodes::InCluster {
            self.plane_wishes.iter().for_each(|wish| catalog.wish(wish));
        }
    }

    fn document(&mut self, source: &Source) -> Result<(), Mistake> {
        let reader = Reader { source, warnings: RefCell::default(), reads: Cell::default() };
        let root = Node::read(source)?;
        let result = self.object(&reader, &root);
        self.warnings.extend(reader.warnings.into_inner());
        result
    }

    fn object(&mut self, reader: &Reader, node: &Node) -> Result<(), Mistake> {
        let root = reader.fields(node, "")?;
        let kind = root.needed("kind", "for example `kind: MachineHealthCheck`")?;
        let word = reader.text(kind, "kind")?;
        let api =
            root.needed("apiVersion", "for example `apiVersion: cluster.x-k8s.io/v1beta1`")?;
        let group = reader.text(api, "apiVersion")?;
        if word.ends_with("List")
            && matches!(root.get("items").map(|it| &it.value), Some(Value::List(_)))
        {
            let items = root.list("items")?;
            if items.is_empty() {
                let message =
                    "an empty list changes nothing; was it asked for in another namespace?";
                return Err(reader.mistake(kind.place, message));
            }
            return items.iter().try_for_each(|item| self.object(reader, item));
        }
        let version = match kind_of(word, group) {
            kinds::Found::Played(version) => version,
            kinds::Found::LeftOut(why) => {
                reader.warn(kind.place, format!("{word} is left out: {why}"));
                return Ok(());
            }
            kinds::Found::OtherVersion(right) => {
                let message =
                    format!("apiVersion `{}` is not one of a {word}; write {right}", crop(group));
                return Err(reader.mistake(api.place, message));
            }
            kinds::Found::Instead(instead) => {
                let message = format!("a {word} isn't read; {instead}");
                return Err(reader.mistake(kind.place, message));
            }
            kinds::Found::Unknown => {
                let near = nearest(word, kinds::PLAYED.iter().map(|played| played.kind));
                let hint = match near {
                    _ if word == "Scenario" => {
                        "a Scenario is named without -f, as `healsim run FILE`".to_owned()
                    }
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known: {}", kinds::names()),
                };
                let message = format!("kind `{}` is not known; {hint}", crop(word));
                return Err(reader.mistake(kind.place, message));
            }
        };
        let played = kinds::PLAYED.iter().find(|played| played.kind == word);
        reader.reads.set(played.map(|played| (played.kind, version)));
        match word {
            "MachineHealthCheck" => self.health_check(&root, version),
            "KubeadmControlPlane" => self.kubeadm_control_plane(&root, version),
            "MachineDeployment" => self.machine_deployment(&root, version),
            "Deployment" => self.deployment(&root),
            _ => self.budget(&root),
        }
    }

    /// The object's name; what else stands in its metadata decides nothing, but for annotations.
    fn name<'a>(&self, root: &Fields<'a>) -> Result<&'a str, Mistake> {
        let metadata = root.needed("metadata", "`metadata: { name: NAME }`")?;
        let metadata = root.reader.fields(metadata, "metadata")?;
        let name = metadata.needed("name", "`name: NAME`")?;
        for (key, _) in metadata.labels("annotations")? {
            if PAUSES.contains(&key.name.as_str()) {
                let message = format!(
                    "the annotation {} isn't modeled here: it stops a controller; a scenario's \
                     fault sets it, as `kubectl: annotate ...`",
                    key.name
                );
                root.reader.warn(key.place, message);
            }
        }
        metadata.finish(&[], METADATA);
        root.reader.text(name, "metadata.name")
    }

    /// Notes that there is one of this kind, and refuses a second.
    fn only(&mut self, root: &Fields, what: &'static str, why: &str) -> Result<(), Mistake> {
        if let Some(first) = self.place_of(what) {
            let message = format!("a second {what}; the first is at {first}. {why}");
            return Err(root.reader.mistake(root.place, message));
        }
        self.seen.push((what, root.reader.place(root.place)));
        Ok(())
    }

    /// A value of a field of `root`; one that stands at the object's own place is a default.
    fn wish(&mut self, root: &Fields, key: &'static str, value: String, place: (usize, usize)) {
        self.wishes.push(Wish::of(root, key, value, place));
    }

    fn take(&mut self, root: &Fields, key: String, value: String, place: (usize, usize)) {
        self.taken.push(Taken { key, value, place: root.reader.place(place) });
    }

    /// A check that selects by labels which the user's own pool does not have watches nobody; which
    /// labels Machines have is not known without a pool of the user's, but for Cluster API's own.
    fn compare_labels(&mut self) {
        for (key, value, place) in &self.check_labels {
            let message = match &self.pool_labels {
                Some(pool) if pool.iter().any(|(name, is)| (name, is) == (key, value)) => continue,
                None if key.contains("cluster.x-k8s.io/") => continue,
                Some(_) => format!(
                    "no Machine of the MachineDeployment has the label {key}={value}, so this check \
                     would watch none; it is played as the one over the workers"
                ),
                None => format!(
                    "no Machine here is known to have the label {key}={value}; this is played as the \
                     check over the workers (with their MachineDeployment beside it, it is compared)"
                ),
            };
            self.warnings.push(Warning { place: place.clone(), message });
        }
    }
}

/// What stands in metadata and decides nothing here.
const METADATA: &[&str] = &[
    "namespace",
    "labels",
    "annotations",
    "uid",
    "resourceVersion",
    "generation",
    "finalizers",
    "creationTimestamp",
    "managedFields",
    "ownerReferences",
    "generateName",
    "selfLink",
];
/// Annotations that stop a controller of Cluster API.
const PAUSES: [&str; 3] = [
    "cluster.x-k8s.io/paused",
    "cluster.x-k8s.io/skip-remediation",
    "machine.cluster.x-k8s.io/exclude-node-draining",
];

impl Wish {
    fn of(root: &Fields, key: &'static str, value: String, place: (usize, usize)) -> Wish {
        let source = match place == root.place {
            true => WishSource::Default,
            false => WishSource::Written,
        };
        Wish { key, value, place: root.reader.place(place), source }
    }
}

impl Place {
    /// `FILE:LINE:COLUMN`, as mistakes begin.
    pub fn with_column(&self) -> String {
        let Place { file, line, column } = self;
        format!("{file}:{line}:{column}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place.with_column(), self.message)
    }
}
