//! StatefulSets: at most one Pod of an identity runs.

use super::facts::{is_by, is_gone};
use super::{Breach, Ending, Invariant, Kind, Law, Seen, Verdict};
use crate::api::{self, Uid};
use crate::engine::Text;
use crate::infra::Vm;
use crate::timeline::{Entry, Value};
use crate::world::{View, WORKLOAD_CLUSTER};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ONE_OF_AN_IDENTITY: Invariant = Invariant {
    name: "one-pod-of-an-identity",
    kind: Kind::Always,
    law: "containers of two Pods of one StatefulSet identity do not run at once, unless the first \
          Pod's object was removed by force: by a user, or by the Pod garbage collector because \
          its Node is gone or tainted out-of-service, though its VM may run on; or a kubelet that begins \
          hears of the first Pod from an API server that has lost its etcd, and so of what was then",
    source: "Kubernetes documentation, Force Delete StatefulSet Pods: at most one semantics; \
             Non-graceful node shutdown; kubernetes/kubernetes#59848: a list at resourceVersion 0 comes \
             out of a watch cache, however old",
    begin: || Box::new(OneOfAnIdentity::default()),
};

#[derive(Clone, Debug, Default)]
pub(super) struct OneOfAnIdentity {
    /// By name, all Pods that have had it since the run began, in order.
    pods: BTreeMap<Text, Vec<Known>>,
    /// The VMs whose kubelets began while an API server without etcd could tell them of the past.
    misled: BTreeSet<Text>,
    has_begun: bool,
}

#[derive(Clone, Debug)]
struct Known {
    uid: Uid,
    /// Its object was removed though nobody knew whether its containers had stopped.
    by_force: bool,
}

impl OneOfAnIdentity {
    /// A watch that has seen these Pods of an identity.
    #[cfg(test)]
    pub(super) fn holding(name: &str, uids: &[Uid], by_force: bool) -> OneOfAnIdentity {
        let known = uids.iter().map(|uid| Known { uid: *uid, by_force }).collect();
        let pods = BTreeMap::from([(Text::from(name), known)]);
        OneOfAnIdentity { pods, has_begun: true, ..OneOfAnIdentity::default() }
    }

    fn meet(&mut self, view: View) {
        for pod in view.objects(api::Kind::Pod) {
            if pod.meta.controlled_by(api::Kind::StatefulSet).is_none() {
                continue;
            }
            let known = self.pods.entry(pod.name().clone()).or_default();
            if known.last().is_none_or(|last| last.uid != pod.meta.uid) {
                known.push(Known { uid: pod.meta.uid, by_force: false });
            }
        }
    }

    fn judge(&self, view: View, name: &str) -> Option<Breach> {
        let known = self.pods.get(name)?;
        if known.len() < 2 {
            return None;
        }
        let where_it_runs = |pod: &Known| {
            let mut vms = view.vms().filter(|vm| vm.is_on());
            let runs = |vm: &&Vm| {
                vm.containers.get(&pod.uid).is_some_and(|held| held.is_running(view.now()))
            };
            vms.find(runs).map(|vm| &vm.name)
        };
        let running: Vec<(&Known, &Text)> =
            known.iter().filter_map(|pod| Some((pod, where_it_runs(pod)?))).collect();
        let (_, earlier) = running.split_last()?;
        let is_wrong = |(pod, vm): &(&Known, &Text)| !pod.by_force && !self.misled.contains(*vm);
        earlier.iter().any(is_wrong).then(|| Breach {
            object: Text::from(format!("Pod/{name}")),
            says: Text::word("runs twice: an earlier Pod of its identity has not stopped"),
            entries: super::facts::latest(view),
        })
    }
}

impl Law for OneOfAnIdentity {
    fn look(&mut self, seen: Seen) -> Verdict {
        let begins = !std::mem::replace(&mut self.has_begun, true);
        let is_about_pods = seen.news.iter().any(|entry| entry.kind == *"Pod");
        if begins || is_about_pods {
            self.meet(seen.view);
        }
        for vm in seen.news.iter().filter_map(kubelet_that_begins) {
            if is_told_of_the_past(seen.view) {
                self.misled.insert(Text::from(vm));
            }
        }
        for entry in seen.news.iter().filter(|entry| entry.kind == *"Pod") {
            let Some(last) = self.pods.get_mut(&entry.name).and_then(|known| known.last_mut())
            else {
                continue;
            };
            if is_gone(entry, "Pod") && is_by_force(entry) {
                last.by_force = true;
            }
            if let Some(breach) = self.judge(seen.view, &entry.name) {
                return Verdict::Broken(breach);
            }
        }
        Verdict::Holds
    }

    fn end(&mut self, ending: &Ending) -> Verdict {
        let broken = self.pods.keys().find_map(|name| self.judge(ending.view, name));
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

/// The VM of a kubelet that begins with this entry.
fn kubelet_that_begins(entry: &Entry) -> Option<&str> {
    let begins =
        entry.kind == *"Process" && entry.field == *"running" && entry.to == Value::Bool(true);
    entry.name.strip_prefix("kubelet@").filter(|_| begins)
}

/// True if an API server works whose member of etcd does not, or follows nobody.
fn is_told_of_the_past(view: View) -> bool {
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let follows =
        |vm: &Text| members.iter().any(|member| member.info.vm == *vm && member.leader.is_some());
    let mut servers = view.workload_hosts_of("kube-apiserver");
    servers.any(|vm| view.works("kube-apiserver", vm) && !follows(vm))
}

fn is_by_force(entry: &Entry) -> bool {
    is_by(entry, "pod-garbage-collector") || is_by(entry, "kubectl")
}
