//! DaemonSets: a Pod for each Node, and on it.

use super::facts::{HEARD, has_just_woken, have_kept_leaders, is_by, is_new, named};
use super::{Breach, Ending, Invariant, Kind, Law, Seen, Verdict};
use crate::api::{self, Object, OwnerReference};
use crate::engine::Text;
use crate::timeline::Entry;
use crate::world::View;
use std::sync::Arc;

pub(super) const ONE_DAEMON_POD: Invariant = Invariant {
    name: "one-daemon-pod-per-node",
    kind: Kind::Always,
    law: "a Pod of a DaemonSet is bound to no Node but the one that it is for; its controller creates \
          none for a Node for which one that lives has long been there, as far as it can have heard; and \
          once a run has recovered for two minutes no Node has two that live. Two at a time are possible \
          for as long as it takes a new leader to hear of the first and to delete the younger",
    source: "kubernetes/kubernetes, daemon_controller.go, podsShouldBeOnNode; Kubernetes documentation, \
             DaemonSet: how daemon Pods are scheduled",
    begin: || Box::new(OneDaemonPod),
};

#[derive(Clone, Copy, Debug)]
struct OneDaemonPod;

impl Law for OneDaemonPod {
    fn look(&mut self, seen: Seen) -> Verdict {
        let broken = seen.news.iter().find_map(|entry| judge(seen.view, entry));
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn end(&mut self, ending: &Ending) -> Verdict {
        let view = ending.view;
        if ending.recovered_at.is_none_or(|at| at + HEARD > view.now()) {
            return Verdict::Holds;
        }
        let pods = || view.objects(api::Kind::Pod);
        let two = pods().find(|pod| rival(pods(), pod).is_some());
        two.map_or(Verdict::Holds, |pod| {
            Verdict::Broken(Breach {
                object: Text::from(format!("Pod/{}", pod.name())),
                says: Text::word("lives on a Node beside another of its DaemonSet"),
                entries: super::facts::latest(view),
            })
        })
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(*self)
    }
}

fn judge(view: View, entry: &Entry) -> Option<Breach> {
    if is_bound(entry) {
        let pod = named(view, api::Kind::Pod, &entry.name)?;
        let wanted = &place(pod)?.1.required_node;
        let (to, is_wrong) = (entry.to.as_text()?, entry.to.as_text() != Some(wanted.as_str()));
        return (is_wrong && !wanted.is_empty())
            .then(|| Breach::shown_by(entry, format!("is bound to {to}, and is for {wanted}")));
    }
    if !is_new(entry, "Pod") || !is_by(entry, "daemonset-controller") {
        return None;
    }
    let rival = rival(view.objects(api::Kind::Pod), named(view, api::Kind::Pod, &entry.name)?)?;
    let is_old = rival.meta.created + HEARD <= view.now();
    (is_old && have_kept_leaders(view) && !has_just_woken(view, entry)).then(|| {
        let says = format!("is created though {} has long been there", rival.name());
        Breach::shown_by(entry, says)
    })
}

fn is_bound(entry: &Entry) -> bool {
    entry.kind == *"Pod" && entry.field == *"nodeName"
}

/// The DaemonSet of a Pod, and what it is.
fn place(pod: &Object) -> Option<(&OwnerReference, &api::kinds::Pod)> {
    let owner = pod.meta.controller().filter(|owner| owner.kind == api::Kind::DaemonSet)?;
    Some((owner, pod.pod()?))
}

/// Another Pod of the same DaemonSet that lives on, or is for, the same Node as this one.
pub(super) fn rival<'a>(
    mut pods: impl Iterator<Item = &'a Arc<Object>>,
    pod: &Object,
) -> Option<&'a Arc<Object>> {
    let lives = |pod: &Object| {
        !pod.meta.is_deleting() && pod.pod().is_some_and(|body| !body.phase.is_terminal())
    };
    let (owner, body) = place(pod).filter(|_| lives(pod))?;
    let node = |body: &api::kinds::Pod| match body.node_name.is_empty() {
        true => body.required_node.clone(),
        false => body.node_name.clone(),
    };
    pods.find(|other| {
        other.meta.uid != pod.meta.uid
            && lives(other)
            && place(other)
                .is_some_and(|(by, other)| by.uid == owner.uid && node(other) == node(body))
    })
}
