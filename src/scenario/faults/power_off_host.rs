//! A host loses its power: its own system and its VMs end at once, and nobody is told.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `powerOffHost: { host: esxi-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOffHost {
    pub host: Text,
}

impl PowerOffHost {
    /// The host, if it has power.
    pub fn resolve(&self, view: View) -> Option<String> {
        view.is_host_on(&self.host).then(|| format!("Host/{}", self.host))
    }

    /// Cuts the power.
    pub fn inject(&self, infra: &mut Infra) {
        infra.power_off_host(&self.host);
    }
}
