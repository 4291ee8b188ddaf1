//! The hosts of a scenario: how many there are, and which VMs are on them when the run begins.

use super::file::Scenario;
use super::mistake::Mistake;
use super::models::Platform;
use super::settings::add_hosts;
use super::yaml::Spanned;
use crate::engine::Text;
use crate::world::{Blueprint, host_name};

/// vSphere has no larger cluster (configuration maximums of vSphere 8.0).
pub(super) const MOST_HOSTS: u32 = 96;

impl Scenario {
    /// Gives the world the hosts that the scenario asks for, or else the platform's.
    pub(super) fn hosts(
        &self,
        platform: &Platform,
        blueprint: &mut Blueprint,
        note: &mut impl FnMut(Mistake),
    ) {
        let written = self.cluster().and_then(|cluster| cluster.hosts.as_ref());
        let count = self.host_count(written, platform.hosts, blueprint.zones, note);
        let pinned = self.placement(count, blueprint, note);
        add_hosts(blueprint, count, pinned, &platform.catalog);
        if self.cluster().and_then(|cluster| cluster.high_availability) == Some(false) {
            blueprint.hosts.availability = None;
        }
    }

    /// Each zone has a host, if there are any.
    fn host_count(
        &self,
        written: Option<&Spanned<u32>>,
        platforms: u32,
        zones: u32,
        note: &mut impl FnMut(Mistake),
    ) -> u32 {
        let Some(hosts) = written else {
            return if platforms == 0 { 0 } else { platforms.max(zones) };
        };
        let message = match hosts.value {
            0 | 97.. => format!(
                "{} hosts are not possible; write 1 to {MOST_HOSTS}, or nothing for the platform's",
                hosts.value
            ),
            few if few < zones => {
                format!("{few} hosts cannot stand in {zones} zones; write at least {zones}")
            }
            fine => return fine,
        };
        note(self.mistake(hosts, message));
        zones.max(1)
    }

    /// The VMs that are placed by hand, each with its host's number.
    fn placement(
        &self,
        hosts: u32,
        blueprint: &Blueprint,
        note: &mut impl FnMut(Mistake),
    ) -> Vec<(Text, u32)> {
        let written =
            self.cluster().map(|cluster| cluster.placement.as_slice()).unwrap_or_default();
        let names: Vec<String> = (0..hosts).map(host_name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let vms = blueprint.vm_names();
        let vms: Vec<&str> = vms.iter().map(Text::as_str).collect();
        let mut pinned: Vec<(Text, u32)> = Vec::new();
        for item in written {
            let host = &item.host;
            if hosts == 0 {
                note(self.mistake(host, self.no_hosts(&host.value)));
                continue;
            }
            if blueprint.zones > 0 {
                let message = "with `zones` VMs are spread by turns; leave one of both out";
                note(self.mistake(host, message.to_owned()));
                continue;
            }
            let Some((number, _)) = (0..).zip(&names).find(|(_, name)| **name == host.value) else {
                note(self.unknown(host, &names, "host"));
                continue;
            };
            for vm in &item.vms {
                let earlier = pinned.iter().find(|(name, _)| *name == *vm.value);
                match earlier {
                    _ if !vms.contains(&vm.value.as_str()) => note(self.unknown(vm, &vms, "VM")),
                    Some((_, there)) => {
                        let (vm_name, there) = (&vm.value, host_name(*there));
                        let message = format!("{vm_name} is on {there} already; name it once");
                        note(self.mistake(vm, message));
                    }
                    None => pinned.push((Text::from(vm.value.as_str()), number)),
                }
            }
        }
        pinned
    }

    /// What is wrong with a host on a platform that has none.
    pub(super) fn no_hosts(&self, name: &str) -> String {
        format!(
            "no host `{name}`: there are none here; write, for example, `cluster: {{ hosts: 4 }}`"
        )
    }
}
