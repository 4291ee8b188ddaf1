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
pub fn vms(view: View, form: Form) -> String {
    if form == Form::Name {
        return names(view.vms().map(|vm| ("vm".to_owned(), vm.name.as_str())));
    }
    let mut columns = vec!["NAME", "POWER", "KUBELET", "CONTAINERS"];
    if form == Form::Wide {
        columns.extend(["HOST", "CONNECTION"]);
    }
    let mut table = Table::new(columns);
    for vm in view.vms() {
        table.push(vm_cells(view, vm));
    }
    table.to_string()
}

fn vm_cells(view: View, vm: &Vm) -> Vec<String> {
    let kubelet = match vm.units.contains_key("kubelet") {
        false => NONE,
        true if view.runs("kubelet", &vm.name) => "running",
        true => "stopped",
    };
    let running = vm.containers.values().filter(|c| c.is_running(view.now())).count();
    let host = view.host_of(vm);
    let is_lost = host.is_some_and(|host| !view.responds(host));
    vec![
        vm.name.to_string(),
        power(vm.is_on()).to_owned(),
        kubelet.to_owned(),
        running.to_string(),
        host.map_or(NONE, |host| host.as_str()).to_owned(),
        if is_lost { "disconnected" } else { "connected" }.to_owned(),
    ]
}

/// The hosts.
pub fn hosts(view: View, form: Form) -> String {
    let all: Vec<&Host> = view.hosts().collect();
    match form {
        Form::Yaml | Form::Json => {
            list(all.iter().map(|host| host_json(view, host)).collect(), form)
        }
        _ if all.is_empty() => "No resources found\n".to_owned(),
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
    }
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
