//! A host gets power again: its own system boots; its VMs stay off until somebody powers them on.

use crate::engine::Text;
use crate::world::{Infra, View};

/// `powerOnHost: { host: esxi-0 }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerOnHost {
    pub host: Text,
}

impl PowerOnHost {
    /// The host, if there is one without power.
    pub fn resolve(&self, view: View) -> Option<String> {
        let is_off =
            view.hosts().any(|host| host.name == self.host) && !view.is_host_on(&self.host);
        is_off.then(|| format!("Host/{}", self.host))
    }

    /// Powers it on.
    pub fn inject(&self, infra: &mut Infra) {
        infra.power_on_host(&self.host);
    }
}
