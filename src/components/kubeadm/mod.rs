//! cloud-init with kubeadm: makes a Node out of a VM at its first boot.
//!
//! Simplified: joining is one delay here; discovery, the bootstrap token and its time limit are
//! not modeled yet, so a join never fails.

#[cfg(test)]
mod tests;

use crate::engine::{Delay, Purpose};
use crate::infra::{Ctx, Input};

/// How long joining takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From cloud-init's start until the kubelet is started with its configuration.
    pub join: Delay,
}

/// What it reacts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Joined,
}

/// The first boot's work.
#[derive(Clone, Debug)]
pub struct Kubeadm {
    settings: Settings,
}

const JOIN: Purpose = Purpose(0);
const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";
/// Where cloud-init notes that the first boot is behind it.
const DONE: &str = "/var/lib/cloud/instance/boot-finished";
/// What the kubelet needs before it can run.
const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";

impl Kubeadm {
    /// cloud-init as it lies in the template.
    pub fn new(settings: Settings) -> Kubeadm {
        Kubeadm { settings }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(_) => {
                let is_first_boot = ctx.disk().read(DONE).is_none();
                if !is_first_boot || ctx.disk().read(USER_DATA).is_none() {
                    return ctx.exit();
                }
                let join = ctx.draw_delay(JOIN, self.settings.join);
                ctx.after(join, Event::Joined);
            }
            Input::Due(Event::Joined) => {
                ctx.disk().write(KUBELET_CONFIG, "kind: KubeletConfiguration");
                ctx.disk().write(DONE, "");
                ctx.log("This node has joined the cluster");
                ctx.start_unit("kubelet");
                ctx.exit();
            }
            _ => {}
        }
    }
}
