//! What Cluster API's script around kubeadm does when it gives up: `kubeadm reset` takes back what
//! the join has done, so that no Node runs on that is none of the control plane's.
//!
//! ```text
//! failed ─> (etcd forgets the member) ─> kubelet stopped, containers, manifests, configuration gone
//! ```
//! Follows `log::error_exit` of Cluster API's `kubeadm-bootstrap-script.sh`, whose first reset does it
//! all, and `k/k:cmd/kubeadm/app/cmd/phases/reset`. The Node object is left as it is: nobody deletes it
//! here. Simplified: cleaning up takes no time.

use super::control_plane::FLAGS;
use super::{Event, Kubeadm, clock, finish};
use crate::api::MANIFESTS;
use crate::engine::Duration;
use crate::infra::{Ctx, Signal};

/// Whether a reset deletes what etcd has on the disk: only if it is no member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EtcdData {
    Deleted,
    Kept,
}

const KUBELET_DIR: &str = "/var/lib/kubelet";
const ETCD_DIR: &str = "/var/lib/etcd";

impl Kubeadm {
    /// The script exits with an error.
    pub(super) fn die(&mut self, why: &str, ctx: &mut Ctx<Event>) {
        let time = clock(ctx);
        ctx.log(format!("!!! [{time}] {why}"));
        // Before its manifests were written a control plane has no way to ask anybody.
        let is_plane = self.configuration.as_ref().is_some_and(|join| join.control_plane);
        match is_plane && self.is_prepared {
            true => {
                ctx.log(format!("+++ [{time}] Removing member from cluster status"));
                self.remove_member(ctx);
            }
            false => self.clean_up(EtcdData::Kept, ctx),
        }
    }

    /// Etcd could not be asked, or has said no: the reset goes on.
    pub(super) fn not_removed(&mut self, error: &str, ctx: &mut Ctx<Event>) {
        ctx.log(format!(
            "[reset] Failed to remove etcd member: {error}, please manually remove this etcd member \
             using etcdctl"
        ));
        self.clean_up(EtcdData::Kept, ctx);
    }

    /// What the runtime runs here ends at once; whom the kubelet does not run, nobody starts again.
    pub(super) fn clean_up(&mut self, etcd: EtcdData, ctx: &mut Ctx<Event>) {
        self.api.disconnect(ctx);
        ctx.log("[reset] Stopping the kubelet service");
        ctx.stop_unit("kubelet");
        for program in ctx.running_programs() {
            ctx.signal_program(program, Signal::Kill);
        }
        for pod in ctx.containers() {
            ctx.stop_container(pod, "kubernetes.containerStop", Duration::ZERO);
        }
        for folder in [MANIFESTS, KUBELET_DIR] {
            ctx.clean_folder(folder);
        }
        ctx.remove(FLAGS);
        if etcd == EtcdData::Deleted {
            ctx.clean_folder(ETCD_DIR);
        }
        let time = clock(ctx);
        ctx.log(format!("+++ [{time}] Resetting kubeadm"));
        ctx.log(format!(
            "!!! [{time}] cluster.x-k8s.io kubeadm bootstrap script exiting with status 1"
        ));
        finish(ctx);
    }

    /// The script says that a phase has failed.
    pub(super) fn say_failed(&self, phase: &str, ctx: &mut Ctx<Event>) {
        let time = clock(ctx);
        ctx.log(format!("!!! [{time}] kubeadm reported failed action(s) for '{phase}'"));
    }
}
