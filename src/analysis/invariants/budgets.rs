//! PodDisruptionBudgets: what eviction and drain may take, and what the disruption controller allows.

use super::facts::{EachEntry, HEARD, is_by, is_deleted, is_gone, named, were_clocks_right};
use super::{Breach, Invariant, Kind};
use crate::api::kinds::{Pod, PodDisruptionBudget};
use crate::api::{self, Object};
use crate::engine::SimTime;
use crate::timeline::{Entry, Timeline, Value};
use crate::world::{View, WORKLOAD_CLUSTER};
use std::collections::BTreeSet;

pub(super) const BUDGETS_ARE_KEPT: Invariant = Invariant {
    name: "budgets-are-kept",
    kind: Kind::Always,
    law: "an eviction leaves a budget's desiredHealthy Pods ready, but for what was lost since the \
          disruption controller wrote the budget's status: eviction trusts that status; taint \
          eviction and deletion ask no budget",
    source: "Kubernetes documentation, Disruptions and API-initiated Eviction; \
             pkg/registry/core/pod/storage/eviction.go",
    begin: || Box::new(EachEntry(an_eviction_takes_too_many)),
};

pub(super) const BUDGETS_ARE_SPENT: Invariant = Invariant {
    name: "budgets-are-spent",
    kind: Kind::Always,
    law: "the eviction of a Pod that has long been ready is written into its budget first",
    source: "Kubernetes, pkg/registry/core/pod/storage/eviction.go, checkAndDecrement",
    begin: || Box::new(EachEntry(an_eviction_spends_nothing)),
};

pub(super) const BUDGETS_ALLOW_WHAT_IS_THERE: Invariant = Invariant {
    name: "budgets-allow-what-is-there",
    kind: Kind::Always,
    law: "the disruption controller allows no more disruptions than there are ready Pods beyond \
          those that the budget wants",
    source: "Kubernetes, pkg/controller/disruption/disruption.go, updatePdbStatus",
    begin: || Box::new(EachEntry(more_is_allowed_than_there_is)),
};

const MANAGER: &str = "kube-controller-manager";

/// The Pod that is evicted with this entry, and its budgets, each with its object.
fn evicted<'a>(
    view: View<'a>,
    entry: &Entry,
) -> Option<(&'a Object, Vec<(&'a Object, &'a PodDisruptionBudget)>)> {
    if !is_deleted(entry, "Pod") {
        return None;
    }
    let pod: &Object = named(view, api::Kind::Pod, &entry.name)?;
    let budgets = view.objects(api::Kind::PodDisruptionBudget).filter_map(|object| {
        let budget = object.pod_disruption_budget()?;
        selects(object, budget, pod).then_some((&**object, budget))
    });
    is_eviction(view.timeline(), entry).then(|| (pod, budgets.collect()))
}

/// True if the deletion of a Pod is an eviction's: Cluster API's drain deletes none by other means, and
/// anybody else has marked the Pod himself, in the same request. A mark may be left of an eviction
/// that failed: who deletes the Pod then, as the controller of a set that is scaled, evicts nobody.
pub(super) fn is_eviction(timeline: &Timeline, deletion: &Entry) -> bool {
    if is_by(deletion, "machine-controller") {
        return true;
    }
    let is_word = |entry: &&Entry| {
        entry.id < deletion.id
            && entry.field == *"DisruptionTarget"
            && entry.kind == *"Pod"
            && entry.name == deletion.name
    };
    let not_long_ago = |entry: &&Entry| entry.at + HEARD >= deletion.at;
    let last_word = timeline.happened().iter().rev().take_while(not_long_ago).find(is_word);
    last_word.is_some_and(|mark| {
        mark.to.as_text() == Some("True")
            && mark.reason == *"EvictionByEvictionAPI"
            && mark.program() == deletion.program()
    })
}

fn selects(object: &Object, budget: &PodDisruptionBudget, pod: &Object) -> bool {
    object.key().namespace == pod.key().namespace
        && !budget.selector.is_empty()
        && pod.meta.matches(&budget.selector)
}

/// Since when a Pod is ready.
fn ready_since(pod: &Object) -> Option<SimTime> {
    let body = pod.pod().filter(|body| body.is_ready())?;
    body.conditions.get("Ready").map(|ready| ready.last_transition)
}

fn an_eviction_spends_nothing(view: View, entry: &Entry) -> Option<Breach> {
    let (pod, budgets) = evicted(view, entry)?;
    ready_since(pod).filter(|since| *since + HEARD <= view.now() && were_clocks_right(view))?;
    let unspent =
        budgets.iter().find(|(_, budget)| !budget.disrupted_pods.contains_key(pod.name()));
    let says = |name: &str| format!("is evicted, and its budget {name} was not asked");
    unspent.map(|(object, _)| Breach::shown_by(entry, says(object.name())))
}

fn an_eviction_takes_too_many(view: View, entry: &Entry) -> Option<Breach> {
    let (pod, budgets) = evicted(view, entry)?;
    ready_since(pod)?;
    budgets.iter().find_map(|(object, budget)| {
        let left = ready(view, object, budget, Some(pod)) + lost(view, object, pod.name());
        let wanted = budget.desired_healthy as usize;
        let says = format!(
            "is evicted, and its budget {} has {left} ready Pods left and wants {wanted}",
            object.name()
        );
        (left < wanted).then(|| Breach::shown_by(entry, says))
    })
}

/// How many of a budget's Pods, without this one, are ready and stay.
fn ready(
    view: View,
    object: &Object,
    budget: &PodDisruptionBudget,
    without: Option<&Object>,
) -> usize {
    let all = view.objects(api::Kind::Pod).filter(|pod| selects(object, budget, pod));
    let others = all.filter(|pod| without.is_none_or(|without| without.name() != pod.name()));
    others.filter(|pod| pod.pod().is_some_and(Pod::is_ready) && !pod.meta.is_deleting()).count()
}

/// How many Pods of the same maker were lost, not evicted, since the disruption controller can have
/// counted them last.
fn lost(view: View, budget: &Object, like: &str) -> usize {
    let happened = view.timeline().happened();
    let is_write = |entry: &&Entry| {
        entry.kind == *"PodDisruptionBudget"
            && entry.name == *budget.name()
            && is_by(entry, "disruption-controller")
    };
    let written = || happened.iter().rfind(is_write).map_or(SimTime::ZERO, |entry| entry.at);
    // Who counts all the time has counted what is not new; who is away has not since it wrote last.
    let counted = if counts_now(view) { view.now() } else { written() };
    let maker = |pod: &str| pod.rsplit_once('-').map(|(maker, _)| maker.to_owned());
    let since = happened.iter().filter(|entry| {
        entry.at + HEARD >= counted && entry.kind == *"Pod" && maker(&entry.name) == maker(like)
    });
    let (mut evicted, mut lost) = (BTreeSet::new(), BTreeSet::new());
    for entry in since {
        if is_deleted(entry, "Pod") && is_eviction(view.timeline(), entry) {
            evicted.insert(&entry.name);
        }
        let unready = entry.field == *"Ready" && entry.to.as_text() != Some("True");
        if unready || is_deleted(entry, "Pod") || is_gone(entry, "Pod") {
            lost.insert(&entry.name);
        }
    }
    lost.difference(&evicted).count()
}

/// True if the controller-manager that leads has long been there, and nothing keeps it from the API.
fn counts_now(view: View) -> bool {
    let leases = view.objects(api::Kind::Lease).filter(|lease| *lease.name() == *MANAGER);
    let mut holders =
        leases.filter_map(|lease| lease.lease()?.holder.split('_').next()).filter(|vm| {
            let members = view.etcd_members(&WORKLOAD_CLUSTER);
            members.iter().any(|member| member.info.vm == **vm)
        });
    let works = |vm: &str| {
        view.processes_on(vm).any(|process| {
            let is_well = process.alive && process.frozen.is_none();
            let is_it = process.program == *MANAGER;
            is_it && is_well && process.started + HEARD <= view.now()
        })
    };
    view.are_links_whole() && holders.any(works)
}

fn more_is_allowed_than_there_is(view: View, entry: &Entry) -> Option<Breach> {
    let is_it = entry.kind == *"PodDisruptionBudget" && entry.field == *"disruptionsAllowed";
    let Value::Count(allowed) = entry.to else { return None };
    let is_judged = is_it && allowed > 0 && is_by(entry, "disruption-controller");
    // How old a granted eviction is tells the clock of who counts.
    if !is_judged || !were_clocks_right(view) {
        return None;
    }
    let object = named(view, api::Kind::PodDisruptionBudget, &entry.name)?;
    let budget = object.pod_disruption_budget()?;
    let wanted = budget.wanted.desired_healthy(budget.expected_pods);
    let one = view.objects(api::Kind::Pod).find(|pod| selects(object, budget, pod))?;
    let there = ready(view, object, budget, None) + lost(view, object, one.name());
    let says = format!(
        "allows {allowed} disruptions, and of the {there} Pods that are ready {wanted} are wanted"
    );
    let allowed = usize::try_from(allowed).unwrap_or_default();
    (allowed + wanted as usize > there).then(|| Breach::shown_by(entry, says))
}
