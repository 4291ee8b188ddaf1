//! A host gets power again: its own system boots; its VMs stay off until somebody powers them on.

use super::kind::{FaultKind, Strikes};
use super::power_off_host::OnHost;
use super::reading::Reading;
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::world::{Infra, View};

/// `powerOnHost: { host: esxi-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOnHost {
    pub host: Text,
}

impl FaultKind for PowerOnHost {
    type Written = OnHost;
    const DOES: &'static str = "powers a host on; its VMs stay off by themselves: { host: esxi-0 }";

    fn from_written(on: &OnHost, reading: &Reading) -> Result<PowerOnHost, Mistake> {
        Ok(PowerOnHost { host: on.read(reading)? })
    }
}

impl Strikes for PowerOnHost {
    /// The host, if there is one without power.
    fn resolve(&self, view: View) -> Option<String> {
        let is_off =
            view.hosts().any(|host| host.name == self.host) && !view.is_host_on(&self.host);
        is_off.then(|| format!("Host/{}", self.host))
    }

    /// Powers it on.
    fn inject(&self, infra: &mut Infra) {
        infra.power_on_host(&self.host);
    }
}
