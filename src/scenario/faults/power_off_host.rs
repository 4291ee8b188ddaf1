//! A host loses its power: its own system and its VMs end at once, and nobody is told.

use super::kind::{FaultKind, Strikes};
use crate::engine::Text;
use crate::world::{Infra, View};

/// `powerOffHost: { host: esxi-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOffHost {
    pub host: Text,
}

impl FaultKind for PowerOffHost {
    const DOES: &'static str = "cuts a host's power, and its VMs with it: { host: esxi-0 }";
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
