//! When storage is ready: a kubelet reports ready only once its CSINode object exists.
//!
//! The object is owned by the Node, so a kubelet that starts begins to try before its Node is there,
//! and succeeds with the first try after it has registered. Who takes an old Node over finds its
//! CSINode with it, and is ready at once. Follows `k/k:pkg/volume/csi/csi_plugin.go` and
//! `nodeinfomanager`: rounds of tries, with growing pauses within and between them, and
//! `k/k:pkg/kubelet/kubelet.go`, whose `fastStatusUpdateOnce` looks often until it is ready.
//!
//! Simplified: a try takes no time, the object itself is not kept, and the real kubelet exits after its
//! last round, while this one goes on with its longest pause.

use super::{Event, Kubelet};
use crate::engine::{Delay, Duration, Purpose, Rule, below};
use crate::infra::Ctx;

/// How a kubelet tries to make its CSINode, and how it notices that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From the kubelet's first try until it asks for its registration.
    pub lead: Delay,
    /// The tries of one round.
    pub within: Pauses,
    /// The rounds.
    pub between: Pauses,
    /// By up to how much each pause is lengthened.
    pub jitter_percent: u64,
    /// How often a kubelet that is not ready yet looks whether it is.
    pub look_period: Duration,
}

/// Growing pauses between some tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    pub first: Duration,
    pub factor: u64,
    pub tries: u32,
}

/// The pauses within a round of tries, and between two of them.
const TRY: Rule = "kubernetes.csiNodeTryFirst";
const ROUND: Rule = "kubernetes.csiNodeRoundFirst";

const LEAD: Purpose = Purpose(2);
const JITTER: Purpose = Purpose(14);
const LOOK: Purpose = Purpose(15);

impl Kubelet {
    /// Draws when this process began to try: before it asked for its registration.
    pub(super) fn begin_storage(&mut self, ctx: &mut Ctx<Event>) {
        self.storage_lead = ctx.draw_delay(LEAD, self.settings.storage.lead);
        self.storage_asked = ctx.now();
    }

    /// The Node is there now: the next try succeeds, and the look after it sees that.
    pub(super) fn storage_waits(&mut self, ctx: &mut Ctx<Event>) {
        let trying_for = self.storage_lead + ctx.now().since(self.storage_asked);
        let (rule, try_at) = self.next_try(trying_for, ctx);
        let look = below(self.settings.storage.look_period, ctx.draw(LOOK));
        let tries = (rule, try_at.saturating_sub(trying_for));
        ctx.after_all(&[tries, ("kubernetes.nodeReadyLook", look)], Event::NodeReady);
    }

    /// The first try that comes later than `elapsed` after the first of all, and what is waited for
    /// until then.
    fn next_try(&self, elapsed: Duration, ctx: &mut Ctx<Event>) -> (Rule, Duration) {
        let Settings { within, between, jitter_percent, .. } = self.settings.storage;
        let mut at = Duration::ZERO;
        let (mut round, mut rule) = (0, TRY);
        loop {
            for number in 1..=within.tries {
                if at > elapsed {
                    return (rule, at);
                }
                if number < within.tries {
                    at = at + jittered(within.pause(number - 1), jitter_percent, ctx);
                    rule = TRY;
                }
            }
            let last = between.tries.saturating_sub(2);
            at = at + jittered(between.pause(round.min(last)), jitter_percent, ctx);
            (round, rule) = (round + 1, ROUND);
        }
    }
}

impl Pauses {
    /// The pause after the try of this number, counted from nothing.
    fn pause(&self, number: u32) -> Duration {
        let factor = self.factor.saturating_pow(number);
        Duration::from_micros(self.first.as_micros().saturating_mul(factor))
    }
}

fn jittered(pause: Duration, percent: u64, ctx: &mut Ctx<Event>) -> Duration {
    pause + below(pause.scaled(percent, 100), ctx.draw(JITTER))
}
