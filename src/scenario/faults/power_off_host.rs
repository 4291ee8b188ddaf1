//! A host loses its power: its own system and its VMs end at once, and nobody is told.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use serde::Deserialize;

/// `powerOffHost: { host: esxi-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOffHost {
    pub host: Text,
}

/// What a host is named with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnHost {
    host: Spanned<String>,
}

impl OnHost {
    /// The host.
    pub(super) fn read(&self, reading: &Reading) -> Result<Text, Mistake> {
        let (name, scenario) = (&self.host, reading.scenario);
        match reading.stage.hosts().as_slice() {
            [] => Err(scenario.mistake(name, scenario.no_hosts(&name.value))),
            hosts => reading.one_of(name, hosts, "host"),
        }
    }
}

impl FaultKind for PowerOffHost {
    type Written = OnHost;
    const DOES: &'static str = "cuts a host's power, and its VMs with it: { host: esxi-0 }";

    fn from_written(on: &OnHost, reading: &Reading) -> Result<PowerOffHost, Mistake> {
        Ok(PowerOffHost { host: on.read(reading)? })
    }
}

impl Strikes for PowerOffHost {
    /// The host, if it has power.
    fn resolve(&self, view: View) -> Option<String> {
        view.is_host_on(&self.host).then(|| format!("Host/{}", self.host))
    }

    /// Cuts the power.
    fn inject(&self, infra: &mut Infra) {
        infra.power_off_host(&self.host);
    }
}
