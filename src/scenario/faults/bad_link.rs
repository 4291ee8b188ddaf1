//! A link gets slow, or loses a share of its packets. A lost segment comes with TCP's next
//! retransmission, and what was sent after it waits for it.

use super::Link;
use crate::engine::Duration;
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

impl SlowLink {
    /// The link, unless it is as slow already.
    pub fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().slowed(way) != Some(self.delay))
    }

    /// Slows it down.
    pub fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.slow(way, self.delay));
    }
}

impl LossyLink {
    /// The link, unless it loses as much already.
    pub fn resolve(&self, view: View) -> Option<String> {
        self.link.find(view, |way| view.links().loss_of(way) != Some(self.loss))
    }

    /// Has it lose packets.
    pub fn inject(&self, infra: &mut Infra) {
        self.link.on_each(infra, |infra, way| infra.lose(way, self.loss));
    }
}
