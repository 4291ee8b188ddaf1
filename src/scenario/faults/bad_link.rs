//! A link gets slow, or loses a share of its packets. A lost segment comes with TCP's next
//! retransmission, and what was sent after it waits for it.

use super::Link;
use super::kind::{FaultKind, Strikes};
use crate::engine::{Duration, Text};
use crate::infra::Loss;
use crate::world::{Infra, View};

/// `slowLink: { from: worker-0, to: control-plane-0, delay: 200ms }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowLink {
    pub link: Link,
    /// How much longer a packet takes, each way.
    pub delay: Duration,
}

/// `lossyLink: { from: worker-0, to: control-plane-0, loss: 30% }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossyLink {
    pub link: Link,
    /// How many packets are lost, each way.
    pub loss: Loss,
}

impl FaultKind for SlowLink {
    const DOES: &'static str = "packets take so much longer: \
        { from: worker-0, to: control-plane-0, delay: 200ms }; without `to`, those to and from all others";
}

impl Strikes for SlowLink {
    /// The link, unless it is as slow already.
    fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().slowed(way) != Some(self.delay))
    }

    /// Slows it down.
    fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.slow(way, self.delay));
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        self.link.vms()
    }
}

impl FaultKind for LossyLink {
    const DOES: &'static str = "loses a share of the packets, which TCP repeats: \
        { from: worker-0, to: control-plane-0, loss: 30% }; without `to`, likewise";
}

impl Strikes for LossyLink {
    /// The link, unless it loses as much already.
    fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().loss_of(way) != Some(self.loss))
    }

    /// Has it lose packets.
    fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.lose(way, self.loss));
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        self.link.vms()
    }
}
