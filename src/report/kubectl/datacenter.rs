//! The datacenter's own lists, its VMs and hosts; there is no kubectl for them. They show the truth,
//! but for CONNECTION, which is what vCenter believes.

use super::names;
use super::table::Table;
use super::{Form, manifest::list};
use crate::infra::{Host, Vm};
use crate::world::View;
use serde_json::{Value, json};

/// What the model does not have.
const NONE: &str = "<none>";

/// The VMs.
pub fn vms(view: View, form: Form) -> Option<String> {
    let all: Vec<&Vm> = view.vms().collect();
    Some(match form {
        Form::Yaml | Form::Json => list(all.iter().map(|vm| vm_json(view, vm)).collect(), form),
        _ if all.is_empty() => return None,
        Form::Name => names(all.iter().map(|vm| ("vm".to_owned(), vm.name.as_str()))),
        Form::Table | Form::Wide => {
            let mut columns = vec!["NAME", "POWER", "KUBELET", "CONTAINERS"];
            if form == Form::Wide {
                columns.extend(["HOST", "CONNECTION"]);
            }
            let mut table = Table::new(columns);
            all.iter().for_each(|vm| table.push(vm_cells(view, vm)));
            table.to_string()
        }
    })
}

fn vm_cells(view: View, vm: &Vm) -> Vec<String> {
    vec![
        vm.name.to_string(),
        power(vm.is_on()).to_owned(),
        kubelet(view, vm).unwrap_or(NONE).to_owned(),
        containers(view, vm).to_string(),
        view.host_of(vm).map_or(NONE, |host| host.as_str()).to_owned(),
        connection_of(view, vm).to_owned(),
    ]
}

fn vm_json(view: View, vm: &Vm) -> Value {
    json!({
        "kind": "VM",
        "name": vm.name,
        "power": power(vm.is_on()),
        "kubelet": kubelet(view, vm),
        "containers": containers(view, vm),
        "host": view.host_of(vm),
        "connectionState": connection_of(view, vm),
    })
}

/// Whether its kubelet runs, if it has one.
fn kubelet(view: View, vm: &Vm) -> Option<&'static str> {
    let runs = view.runs("kubelet", &vm.name);
    vm.units.contains_key("kubelet").then_some(if runs { "running" } else { "stopped" })
}

/// How many containers run, those of static Pods among them.
fn containers(view: View, vm: &Vm) -> usize {
    let programs = vm.programs.values().filter(|program| program.running_since.is_some());
    vm.containers.values().filter(|c| c.is_running(view.now())).count() + programs.count()
}

fn connection_of(view: View, vm: &Vm) -> &'static str {
    let is_lost = view.host_of(vm).is_some_and(|host| !view.responds(host));
    if is_lost { "disconnected" } else { "connected" }
}

/// The hosts.
pub fn hosts(view: View, form: Form) -> Option<String> {
    let all: Vec<&Host> = view.hosts().collect();
    Some(match form {
        Form::Yaml | Form::Json => {
            list(all.iter().map(|host| host_json(view, host)).collect(), form)
        }
        _ if all.is_empty() => return None,
        Form::Name => names(all.iter().map(|host| ("host".to_owned(), host.name.as_str()))),
        Form::Table | Form::Wide => {
            let mut columns = vec!["NAME", "POWER", "CONNECTION", "HA", "VMS"];
            if form == Form::Wide {
                columns.push("VM-NAMES");
            }
            let mut table = Table::new(columns);
            for host in all {
                let vms = vms_on(view, host);
                let named = if vms.is_empty() { NONE.to_owned() } else { vms.join(",") };
                table.push(vec![
                    host.name.to_string(),
                    power(view.is_host_on(&host.name)).to_owned(),
                    connection(view, host).to_owned(),
                    view.das_host_state(host).unwrap_or(NONE).to_owned(),
                    vms.len().to_string(),
                    named,
                ]);
            }
            table.to_string()
        }
    })
}

fn host_json(view: View, host: &Host) -> Value {
    json!({
        "kind": "Host",
        "name": host.name,
        "power": power(view.is_host_on(&host.name)),
        "connectionState": connection(view, host),
        "dasHostState": view.das_host_state(host),
        "vms": vms_on(view, host),
    })
}

fn vms_on<'a>(view: View<'a>, host: &Host) -> Vec<&'a str> {
    let here = view.vms().filter(|vm| view.host_of(vm) == Some(&host.name));
    here.map(|vm| vm.name.as_str()).collect()
}

fn connection(view: View, host: &Host) -> &'static str {
    if view.responds(&host.name) { "connected" } else { "notResponding" }
}

fn power(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}
