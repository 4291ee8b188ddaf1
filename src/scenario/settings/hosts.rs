//! Hosts and vSphere HA: from the catalog's keys to their settings.

use crate::components::{fault_domain_manager, hypervisor};
use crate::engine::Text;
use crate::scenario::catalog::Catalog;
use crate::world::{Blueprint, HostPlan};

/// Gives a world so many hosts, with these VMs placed already; without hosts nobody relies on
/// these numbers.
pub fn add_hosts(blueprint: &mut Blueprint, count: u32, pinned: Vec<(Text, u32)>, all: &Catalog) {
    if count == 0 {
        return;
    }
    let availability = all.rule("vsphere.highAvailability").then(|| availability(all));
    let boot = all.delay("vsphere.hostBoot");
    blueprint.hosts = HostPlan { count, pinned, boot, availability };
    blueprint.settings.hypervisor.hosts = hypervisor::HostWatch {
        heartbeat: all.duration("vsphere.hostHeartbeat"),
        limit: all.duration("vsphere.hostNotResponding"),
        reconnect: all.delay("vsphere.hostReconnect"),
    };
}

fn availability(all: &Catalog) -> fault_domain_manager::Settings {
    let count = |key: &str, most| all.count(&format!("vsphere.{key}"), 1..=most);
    fault_domain_manager::Settings {
        unreachable: all.duration("vsphere.haUnreachable"),
        dead: all.duration("vsphere.haDead"),
        election_begins: all.duration("vsphere.haElectionBegins"),
        election: all.period("vsphere.haElection"),
        placement: all.delay("vsphere.haPlacement"),
        power_on: all.delay("infra.powerOn"),
        boot: all.delay("infra.boot"),
        batch: super::size(count("haRestartBatch", 1_000_000)),
        tries: super::small(count("haRestartTries", 1_000_000)),
        pause: all.period("vsphere.haRestartPause"),
        pause_limit: all.period("vsphere.haRestartPauseLimit"),
        high_priority: all.word("vsphere.haHighPriority"),
    }
}
