//! What kubectl would print at an instant, in its columns and words.
//!
//! Prints committed objects, as an API server with quorum would serve them. Whether one does is not
//! asked here. Follows `k/k:pkg/printers/internalversion` and the printer columns of Cluster
//! API and VM Operator.

mod datacenter;
mod etcd;
mod manifest;
mod rows;
mod table;
#[cfg(test)]
mod tests;

use crate::api::{Kind, Object};
use crate::world::View;
use manifest::manifest;
use std::sync::Arc;
use table::Table;

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The objects of a kind: those in the namespace `default`, unless the kind has none.
    Kind(Kind),
    /// What the datacenter has.
    Vms,
    /// What they run on.
    Hosts,
    /// The members of etcd.
    Etcd,
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

/// The text that kubectl would print.
pub fn get(view: View, resource: Resource, form: Form) -> String {
    let kind = match resource {
        Resource::Vms => return datacenter::vms(view, form),
        Resource::Hosts => return datacenter::hosts(view, form),
        Resource::Etcd => return etcd::members(view, form),
        Resource::Kind(kind) => kind,
    };
    let shown = |object: &&Arc<Object>| !kind.is_namespaced() || object.key().namespace == *DEFAULT;
    let objects: Vec<&Arc<Object>> = view.objects(kind).filter(shown).collect();
    match form {
        Form::Yaml | Form::Json => manifest(&objects, form),
        _ if objects.is_empty() && kind.is_namespaced() => {
            format!("No resources found in {DEFAULT} namespace.\n")
        }
        _ if objects.is_empty() => "No resources found\n".to_owned(),
        Form::Name => names(objects.iter().map(|object| (kind_word(kind), object.name().as_str()))),
        _ => {
            let mut table = Table::new(rows::columns(kind, form));
            for object in objects {
                table.push(rows::row(view.now(), object, form));
            }
            table.to_string()
        }
    }
}

const DEFAULT: &str = "default";

/// A kind as kubectl prints it: `node`, `deployment.apps`, `machine.cluster.x-k8s.io`.
fn kind_word(kind: Kind) -> String {
    let name = kind.name().to_lowercase();
    match kind.group() {
        "" => name,
        group => format!("{name}.{group}"),
    }
}

/// `-o name`
fn names<'a>(all: impl Iterator<Item = (String, &'a str)>) -> String {
    all.map(|(kind, name)| format!("{kind}/{name}\n")).collect()
}
