//! What kubectl would print at an instant, in its columns and words.
//!
//! Prints committed objects, as an API server with quorum would serve them; when none serves, what
//! kubectl says then. Follows `k/k:pkg/printers/internalversion` and the printer columns of Cluster
//! API and VM Operator.

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
}

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Wide,
    Yaml,
    Json,
}

/// The text that kubectl would print.
pub fn get(view: View, resource: Resource, form: Form) -> String {
    let kind = match resource {
        Resource::Vms => return vms(view),
        Resource::Kind(kind) => kind,
    };
    if let Some(error) = unreachable(view, kind) {
        return error;
    }
    let shown = |object: &&Arc<Object>| !kind.is_namespaced() || object.key().namespace == *DEFAULT;
    let objects: Vec<&Arc<Object>> = view.objects(kind).filter(shown).collect();
    match form {
        Form::Yaml | Form::Json => manifest(&objects, form),
        _ if objects.is_empty() && kind.is_namespaced() => {
            format!("No resources found in {DEFAULT} namespace.\n")
        }
        _ if objects.is_empty() => "No resources found\n".to_owned(),
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

/// The datacenter's own list; there is no kubectl for it.
fn vms(view: View) -> String {
    let mut table = Table::new(vec!["NAME", "POWER", "KUBELET", "CONTAINERS"]);
    for vm in view.vms() {
        let kubelet = match vm.units.contains_key("kubelet") {
            false => "<none>",
            true if view.runs("kubelet", &vm.name) => "running",
            true => "stopped",
        };
        let running = vm.containers.values().filter(|c| c.is_running(view.now())).count();
        table.push(vec![
            vm.name.to_string(),
            if vm.is_on() { "on" } else { "off" }.to_owned(),
            kubelet.to_owned(),
            running.to_string(),
        ]);
    }
    table.to_string()
}

/// What kubectl says when nobody serves.
fn unreachable(view: View, kind: Kind) -> Option<String> {
    let own = view.vm("supervisor-0").is_none();
    let host = match kind {
        // The Secrets of `default` are those with which machines are started.
        Kind::Machine | Kind::VirtualMachine | Kind::Secret if !own => "supervisor-0",
        _ => "control-plane-0",
    };
    if view.runs("kube-apiserver", host) {
        return (!view.runs("etcd", host)).then(|| {
            "Error from server: rpc error: code = Unavailable desc = connection error: desc = \
             \"transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection \
             refused\"\n"
                .to_owned()
        });
    }
    let is_on = view.vm(host).is_some_and(|vm| vm.is_on());
    Some(match is_on {
        true => format!(
            "The connection to the server {host}:6443 was refused - did you specify the right \
             host or port?\n"
        ),
        false => format!("Unable to connect to the server: dial tcp {host}:6443: i/o timeout\n"),
    })
}
