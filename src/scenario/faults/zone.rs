//! A whole zone loses its power, or is cut off from all others and from what stands in none. A zone is
//! named as in the label `topology.kubernetes.io/zone` of its Nodes.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::infra::Place;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `powerOffZone: { zone: zone-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOffZone {
    pub zone: Text,
}

/// `powerOnZone: { zone: zone-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOnZone {
    pub zone: Text,
}

/// `cutZone: { zone: zone-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutZone {
    pub zone: Text,
}

/// `rejoinZone: { zone: zone-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejoinZone {
    pub zone: Text,
}

/// What a zone is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnZone {
    zone: Spanned<String>,
}

impl OnZone {
    /// The zone.
    fn read(&self, reading: &Reading) -> Result<Text, Mistake> {
        match reading.stage.zones().as_slice() {
            [] => {
                let message = format!(
                    "no zone `{}`: there are none here; write, for example, `cluster: {{ zones: 3 }}`",
                    self.zone.value
                );
                Err(reading.scenario.mistake(&self.zone, message))
            }
            zones => reading.one_of(&self.zone, zones, "zone"),
        }
    }
}

/// The zone, if one of its hosts, or of its VMs without a host, has power or has not.
fn powered(view: View, zone: &Text, is_on: bool) -> Option<String> {
    let here = |place: &Option<Place>| place.as_ref().is_some_and(|at| at.zone == *zone);
    let mut hosts = view.hosts().filter(|host| here(&host.place));
    let mut vms = view.vms().filter(|vm| here(&vm.place) && vm.host.is_none());
    let found =
        hosts.any(|host| view.is_host_on(&host.name) == is_on) || vms.any(|vm| vm.is_on() == is_on);
    found.then(|| format!("Zone/{zone}"))
}

/// The zone, if it is there, and cut off or not.
fn cut(view: View, zone: &Text, is_cut: bool) -> Option<String> {
    let found = view.zones().any(|other| other == *zone);
    (found && view.links().has_cut_zone(zone) == is_cut).then(|| format!("Zone/{zone}"))
}

impl FaultKind for PowerOffZone {
    type Written = OnZone;
    const DOES: &'static str = "cuts the power of a zone's hosts, or of its VMs: { zone: zone-0 }";

    fn from_written(on: &OnZone, reading: &Reading) -> Result<PowerOffZone, Mistake> {
        Ok(PowerOffZone { zone: on.read(reading)? })
    }
}

impl Strikes for PowerOffZone {
    /// The zone, if something in it has power.
    fn resolve(&self, view: View) -> Option<String> {
        powered(view, &self.zone, true)
    }

    /// Cuts the power of its hosts, and their VMs with them.
    fn inject(&self, infra: &mut Infra) {
        let (hosts, vms) = infra.in_zone(&self.zone);
        hosts.iter().for_each(|host| infra.power_off_host(host));
        vms.into_iter().for_each(|vm| infra.power_off(vm));
    }
}

impl FaultKind for PowerOnZone {
    type Written = OnZone;
    const DOES: &'static str =
        "powers them on; VMs on hosts stay off by themselves: { zone: zone-0 }";

    fn from_written(on: &OnZone, reading: &Reading) -> Result<PowerOnZone, Mistake> {
        Ok(PowerOnZone { zone: on.read(reading)? })
    }
}

impl Strikes for PowerOnZone {
    /// The zone, if something in it has no power.
    fn resolve(&self, view: View) -> Option<String> {
        powered(view, &self.zone, false)
    }

    /// Powers its hosts on; their VMs wait for somebody. Where no hosts are known, its VMs.
    fn inject(&self, infra: &mut Infra) {
        let (hosts, vms) = infra.in_zone(&self.zone);
        hosts.iter().for_each(|host| infra.power_on_host(host));
        vms.into_iter().for_each(|vm| infra.power_on(vm));
    }
}

impl FaultKind for CutZone {
    type Written = OnZone;
    const DOES: &'static str = "cuts a zone off from all others, both ways: { zone: zone-0 }";

    fn from_written(on: &OnZone, reading: &Reading) -> Result<CutZone, Mistake> {
        Ok(CutZone { zone: on.read(reading)? })
    }
}

impl Strikes for CutZone {
    /// The zone, unless it is cut off already.
    fn resolve(&self, view: View) -> Option<String> {
        cut(view, &self.zone, false)
    }

    /// Cuts it off, both ways; what is in it still reaches each other.
    fn inject(&self, infra: &mut Infra) {
        infra.cut_zone(&self.zone, true);
    }
}

impl FaultKind for RejoinZone {
    type Written = OnZone;
    const DOES: &'static str = "ends cutZone: { zone: zone-0 }";

    fn from_written(on: &OnZone, reading: &Reading) -> Result<RejoinZone, Mistake> {
        Ok(RejoinZone { zone: on.read(reading)? })
    }
}

impl Strikes for RejoinZone {
    /// The zone, if it is cut off.
    fn resolve(&self, view: View) -> Option<String> {
        cut(view, &self.zone, true)
    }

    /// Joins it with the others; what was done to single links stays.
    fn inject(&self, infra: &mut Infra) {
        infra.cut_zone(&self.zone, false);
    }
}
