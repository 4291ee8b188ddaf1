//! What kubectl would print at an instant, in its columns and words.
//!
//! Prints committed objects, as an API server with quorum would serve them. Whether one does is not
//! asked here. Follows `k/k:pkg/printers/internalversion` and the printer columns of Cluster
//! API and VM Operator.

mod budget;
mod cluster;
mod datacenter;
mod derived;
#[cfg(test)]
mod derived_tests;
mod etcd;
pub(super) mod manifest;
mod owners;
mod parts;
mod rows;
mod secret;
mod table;
#[cfg(test)]
mod tests;
mod v1beta2;
#[cfg(test)]
mod v1beta2_tests;

use crate::api::{ApiError, Kind, Object, ObjectKey};
use crate::engine::{SimTime, Text};
use crate::scenario::{Kubectl, Printed, Simulation};
use crate::world::{ClusterApiTables, JobsTable, MANAGEMENT_CLUSTER, View, WORKLOAD_CLUSTER};
use derived::Others;
use manifest::manifest;
pub(super) use manifest::uid;
use std::sync::Arc;
use table::{Table, age};

/// What to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The objects of a kind: those in the namespace `default`, unless the kind has none.
    Kind(Kind),
    /// The same in other namespaces.
    KindIn(Kind, Scope),
    /// One object.
    One(ObjectKey),
    /// `all`: the objects of each kind of that category.
    Everything(Scope),
    /// What the datacenter has.
    Vms,
    /// What they run on.
    Hosts,
    /// The members of etcd.
    Etcd,
}

/// In which namespaces objects are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `-n`
    Namespace(Text),
    /// `-A`
    All,
}

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Wide,
    Yaml,
    Json,
    /// Kind and name only.
    Name,
}

/// The text that kubectl would print, on its standard output or, where nothing is found, beside it.
pub fn get(view: View, resource: &Resource, form: Form) -> String {
    found(view, resource, form).unwrap_or_else(|| not_found(resource, form))
}

/// What goes to standard output; nothing where there is nothing to print.
fn found(view: View, resource: &Resource, form: Form) -> Option<String> {
    let here = Scope::Namespace(Text::word(DEFAULT));
    let (kind, scope) = match resource {
        Resource::Vms => return datacenter::vms(view, form),
        Resource::Hosts => return datacenter::hosts(view, form),
        Resource::Etcd => return etcd::members(view, form),
        Resource::Kind(kind) => (*kind, &here),
        Resource::KindIn(kind, scope) => (*kind, scope),
        Resource::One(key) => return one(view, key, form),
        Resource::Everything(scope) => return everything(view, scope, form),
    };
    let objects = view.objects(kind).filter(|object| scope.has(object.key())).collect();
    printed(view, (kind, scope), objects, form)
}

/// The kinds of the category `all`, in the order in which an API server tells of them; those of Cluster
/// API and its providers are not among them.
const EVERYTHING: [Kind; 7] = [
    Kind::Pod,
    Kind::Service,
    Kind::DaemonSet,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::Job,
];

/// `get all`: a table of each kind of which there is one, with an empty line between them and names that
/// say their kinds.
fn everything(view: View, scope: &Scope, form: Form) -> Option<String> {
    let of_kind = |kind: Kind| -> Vec<&Arc<Object>> {
        let mut objects: Vec<_> =
            view.objects(kind).filter(|object| scope.has(object.key())).collect();
        objects.sort_by(|one, other| one.key().cmp(other.key()));
        objects
    };
    let parts = EVERYTHING.into_iter().map(|kind| (kind, of_kind(kind)));
    let parts = parts.filter(|(_, objects)| !objects.is_empty());
    let text = match form {
        Form::Yaml | Form::Json => {
            let all: Vec<&Arc<Object>> = parts.flat_map(|(_, objects)| objects).collect();
            manifest(&all, form)
        }
        Form::Name => parts.map(|(kind, objects)| object_names(kind, &objects)).collect(),
        Form::Table | Form::Wide => {
            let tables = parts.map(|(kind, objects)| {
                let word = kind_word(kind);
                let names = objects.iter().map(|object| format!("{word}/{}", object.name()));
                let table = table(view, kind, &objects, form).with_first(names);
                with_namespaces(table, (kind, scope), &objects).to_string()
            });
            tables.collect::<Vec<_>>().join("\n")
        }
    };
    (!text.is_empty()).then_some(text)
}

/// One object, by itself: that of the cluster that is asked, if it has it.
fn one(view: View, key: &ObjectKey, form: Form) -> Option<String> {
    let asks_workload = Kubectl::get_one(key).asks_workload();
    let asked = if asks_workload { WORKLOAD_CLUSTER } else { MANAGEMENT_CLUSTER };
    let here = view.objects_in(&asked, key.kind);
    let found = here.chain(view.objects(key.kind)).find(|object| object.key() == key)?;
    match form {
        Form::Yaml | Form::Json => Some(manifest::one(found, form)),
        _ => {
            let scope = Scope::Namespace(key.namespace.clone());
            printed(view, (key.kind, &scope), vec![found], form)
        }
    }
}

/// These objects of a kind.
fn printed(
    view: View,
    (kind, scope): (Kind, &Scope),
    mut objects: Vec<&Arc<Object>>,
    form: Form,
) -> Option<String> {
    // Those of two clusters are one list.
    objects.sort_by(|one, other| one.key().cmp(other.key()));
    match form {
        Form::Yaml | Form::Json => Some(manifest(&objects, form)),
        _ if objects.is_empty() => None,
        Form::Name => Some(object_names(kind, &objects)),
        _ => {
            let table = table(view, kind, &objects, form);
            Some(with_namespaces(table, (kind, scope), &objects).to_string())
        }
    }
}

/// The rows of these objects of a kind, in the columns of the version that is served.
fn table(view: View, kind: Kind, objects: &[&Arc<Object>], form: Form) -> Table {
    let now = view.now();
    let newer = match view.cluster_api_tables() {
        ClusterApiTables::V1Beta1 => None,
        ClusterApiTables::V1Beta2 => v1beta2::columns(kind, form),
    };
    let is_newer = newer.is_some();
    let others = Others::of(view);
    let mut table = Table::new(newer.unwrap_or_else(|| rows::columns(kind, form)));
    for object in objects {
        table.push(match is_newer {
            true => v1beta2::row(object, &age(now, object.meta.created), &others, form),
            false => {
                let mut row = rows::row(now, object, form);
                if let (Kind::VSphereMachine, Some(ip)) = (kind, row.last_mut()) {
                    *ip = derived::address(object, &others).unwrap_or_default();
                }
                row
            }
        });
    }
    let is_bare = kind == Kind::Job && view.jobs_table() == JobsTable::WithoutStatus;
    if is_bare { table.without("STATUS") } else { table }
}

/// The table with the column that `-A` puts before those of a kind that lives in namespaces.
fn with_namespaces(table: Table, (kind, scope): (Kind, &Scope), objects: &[&Arc<Object>]) -> Table {
    match *scope == Scope::All && kind.is_namespaced() {
        true => {
            let namespaces = objects.iter().map(|object| object.key().namespace.to_string());
            table.after_a_column("NAMESPACE", namespaces)
        }
        false => table,
    }
}

/// What kubectl says where nothing is found: with `-o name`, nothing (`printGeneric` of
/// `kubernetes/kubectl:pkg/cmd/get/get.go`).
fn not_found(resource: &Resource, form: Form) -> String {
    match (form, resource) {
        (Form::Name, Resource::Kind(_) | Resource::KindIn(..) | Resource::Everything(_)) => {
            String::new()
        }
        (_, Resource::Kind(kind)) => format!("{}\n", nothing(*kind)),
        (_, Resource::KindIn(kind, Scope::Namespace(name))) if kind.is_namespaced() => {
            format!("No resources found in {name} namespace.\n")
        }
        (_, Resource::Everything(Scope::Namespace(name))) => {
            format!("No resources found in {name} namespace.\n")
        }
        (_, Resource::One(key)) => {
            let error = ApiError::not_found(key);
            format!("{NOT_FOUND}{}\n", error.message)
        }
        _ => "No resources found\n".to_owned(),
    }
}

/// How kubectl begins to say that there is no such object.
const NOT_FOUND: &str = "Error from server (NotFound): ";

/// A row of a plain table. What stands under `AGE` is left empty, for it goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub cells: Vec<String>,
    /// From when the age counts.
    pub created: SimTime,
}

impl Row {
    /// The row of an object.
    pub fn of(object: &Object) -> Row {
        let columns = head(object.key().kind);
        let mut cells = rows::row(object.meta.created, object, Form::Table);
        cells.truncate(columns.len());
        for (cell, _) in cells.iter_mut().zip(columns).filter(|(_, column)| *column == AGE) {
            cell.clear();
        }
        Row { cells, created: object.meta.created }
    }
}

/// The columns of a kind's plain table.
pub fn head(kind: Kind) -> Vec<&'static str> {
    rows::columns(kind, Form::Table)
}

impl Scope {
    /// True for an object that is in one of them, or in none.
    fn has(&self, key: &ObjectKey) -> bool {
        match self {
            Scope::Namespace(name) => !key.kind.is_namespaced() || key.namespace == *name,
            Scope::All => true,
        }
    }
}

/// True for what `get` prints without `-n`.
pub fn is_shown(key: &ObjectKey) -> bool {
    !key.kind.is_namespaced() || key.namespace == *DEFAULT
}

/// The key under which `get` finds an object of this name without `-n`.
pub fn key(kind: Kind, name: &Text) -> ObjectKey {
    let namespace = if kind.is_namespaced() { Text::word(DEFAULT) } else { Text::EMPTY };
    ObjectKey { kind, namespace, name: name.clone() }
}

/// What it prints where there is no object of a kind.
pub fn nothing(kind: Kind) -> String {
    match kind.is_namespaced() {
        true => format!("No resources found in {DEFAULT} namespace."),
        false => "No resources found".to_owned(),
    }
}

/// What a person gets who asks for this now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// What is printed, ending in a line's end.
    pub text: String,
    /// What is said on standard error, as kubectl says it: that nothing is found, or why nobody answers. A
    /// script that counts lines does not count it.
    pub beside: String,
    /// Whether the command ends with exit code 1, because nobody answers it.
    pub failed: bool,
}

/// The text that a person gets who asks now, or what kubectl says if no API server answers.
pub fn ask(simulation: &Simulation, resource: &Resource, form: Form) -> Got {
    let refused = match resource {
        Resource::Kind(kind) | Resource::KindIn(kind, _) => refusal(simulation.ask_for(*kind)),
        // Each kind is asked for by itself, and what is said twice is printed once. Simplified: who is
        // refused for one kind is for all.
        Resource::Everything(_) => refusal(simulation.ask_for(Kind::Pod)),
        // One that only the other cluster has is found all the same, as in a list.
        Resource::One(key) => refusal(simulation.ask_for_one(key)).filter(|words| {
            !words.starts_with(NOT_FOUND) || one(simulation.view(), key, form).is_none()
        }),
        _ => None,
    };
    match refused {
        Some(words) => Got { text: String::new(), beside: format!("{words}\n"), failed: true },
        None => {
            let text = found(simulation.view(), resource, form);
            let beside = if text.is_some() { String::new() } else { not_found(resource, form) };
            Got { text: text.unwrap_or_default(), beside, failed: false }
        }
    }
}

/// What kubectl says instead of an answer.
pub fn refusal(printed: Printed) -> Option<String> {
    match printed {
        Printed::Done(_) => None,
        Printed::Failed(words) => Some(words.to_string()),
        Printed::Waits(time) => Some(format!("(kubectl has printed nothing for {time})")),
    }
}

/// The column that changes while nothing happens.
pub const AGE: &str = "AGE";
const DEFAULT: &str = "default";

/// A kind as kubectl prints it: `node`, `deployment.apps`, `machine.cluster.x-k8s.io`.
fn kind_word(kind: Kind) -> String {
    let name = kind.name().to_lowercase();
    match kind.group() {
        "" => name,
        group => format!("{name}.{group}"),
    }
}

/// `-o name` of objects of one kind.
fn object_names(kind: Kind, objects: &[&Arc<Object>]) -> String {
    names(objects.iter().map(|object| (kind_word(kind), object.name().as_str())))
}

/// `-o name`
fn names<'a>(all: impl Iterator<Item = (String, &'a str)>) -> String {
    all.map(|(kind, name)| format!("{kind}/{name}\n")).collect()
}
