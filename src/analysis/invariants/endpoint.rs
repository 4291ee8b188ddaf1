//! Whether the API answers when it can, and only then; what a user gets against the truth.

use super::facts::HEARD;
use super::{Breach, Invariant, Kind, Law, Seen, Verdict};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::Entry;
use crate::world::{View, WORKLOAD_CLUSTER};
use std::collections::BTreeSet;

pub(super) const API_ANSWERS_IF_IT_CAN: Invariant = Invariant {
    name: "api-answers-if-it-can",
    kind: Kind::Always,
    law: "the API is not down for users while every API server to which the load balancer leads has \
          worked on an etcd with quorum for two minutes, over links that are whole",
    source: "Kubernetes documentation, Options for highly available topology; the load balancer's \
             reaction and a server's start are shorter (models: loadBalancer.*, \
             kubernetes.apiserverStart)",
    begin: || Box::new(Answers::watch(Side::IfItCan)),
};

pub(super) const API_ANSWERS_ONLY_IF_IT_CAN: Invariant = Invariant {
    name: "api-answers-only-if-it-can",
    kind: Kind::Always,
    law: "no user gets an answer of the API while no API server works on an etcd with quorum",
    source: "Kubernetes documentation, Operating etcd clusters: a read is a quorum's",
    begin: || Box::new(Answers::watch(Side::OnlyIfItCan)),
};

/// How the API servers are, and since when.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Since when every server behind the endpoint serves, over whole links.
    pub all_since: Option<SimTime>,
    /// Since when they do so, and no member of etcd has a disk that is slowed, stuck or full: what is
    /// asked of them is also written.
    pub writes_since: Option<SimTime>,
    /// Since when no server serves.
    pub none_since: Option<SimTime>,
    /// Where the load balancer leads: at first to all; nothing before the first look.
    behind: Option<BTreeSet<Text>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    IfItCan,
    OnlyIfItCan,
}

#[derive(Clone, Debug)]
struct Answers {
    side: Side,
    service: Service,
}

/// In whole seconds a look at members may be late.
const SLACK: Duration = Duration::from_secs(2);

impl Service {
    /// Takes in what was written down.
    pub fn look(&mut self, seen: Seen) {
        let is_endpoint = |entry: &&Entry| {
            entry.kind == *"Endpoint"
                && entry.name == WORKLOAD_CLUSTER
                && entry.field == *"backends"
        };
        if let Some(entry) = seen.news.iter().rfind(is_endpoint) {
            let vms = entry.to.as_text().filter(|words| *words != "none").unwrap_or_default();
            let vms = vms.split(',').filter(|vm| !vm.is_empty());
            self.behind = Some(vms.map(Text::from).collect());
        }
        let begins = self.behind.is_none();
        if begins {
            let members = seen.view.etcd_members(&WORKLOAD_CLUSTER);
            self.behind = Some(members.iter().map(|member| member.info.vm.clone()).collect());
        }
        if begins || seen.news.iter().any(bears_on_servers) {
            self.judge(seen.view);
        }
    }

    fn judge(&mut self, view: View) {
        let serving = serving(view);
        let leads_to = |behind: &BTreeSet<Text>| !behind.is_empty() && behind.is_subset(&serving);
        let all_serve = self.behind.as_ref().is_some_and(leads_to);
        let now = view.now();
        let is_fine = all_serve && view.are_links_whole();
        self.all_since = is_fine.then(|| self.all_since.unwrap_or(now));
        let writes = is_fine && disks_are_well(view);
        self.writes_since = writes.then(|| self.writes_since.unwrap_or(now));
        self.none_since = serving.is_empty().then(|| self.none_since.unwrap_or(now));
    }
}

fn disks_are_well(view: View) -> bool {
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    members.iter().all(|it| view.vm(&it.info.vm).is_none_or(|vm| vm.disk.flushes_well()))
}

/// True if the entry may tell of API servers or of what they need.
fn bears_on_servers(entry: &Entry) -> bool {
    match entry.kind.as_str() {
        "EtcdMember" | "Endpoint" | "VM" | "Fault" | "Host" => true,
        "Process" => entry.field != *"log",
        _ => false,
    }
}

/// The VMs of the workload cluster's API servers that work, each beside a member of etcd that
/// follows a leader with a quorum.
pub fn serving(view: View) -> BTreeSet<Text> {
    let Some(leader) = view.etcd_leader(&WORKLOAD_CLUSTER) else { return BTreeSet::new() };
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let follow = members.iter().filter(|member| member.follows(leader.info.id));
    let serve = follow.filter(|member| view.works("kube-apiserver", &member.info.vm));
    serve.map(|member| member.info.vm.clone()).collect()
}

impl Answers {
    fn watch(side: Side) -> Answers {
        Answers { side, service: Service::default() }
    }

    fn judge(&self, view: View, entry: &Entry) -> Option<Breach> {
        if entry.kind != *"Probe" || entry.name != *"api" {
            return None;
        }
        let Service { all_since, none_since, .. } = &self.service;
        match (self.side, entry.field.as_str(), entry.to.as_text()?) {
            (Side::IfItCan, "status", "down") => {
                let since = all_since.filter(|since| *since + HEARD <= view.now())?;
                let says = format!(
                    "is down, and all that the load balancer leads to has served since {}",
                    since.since(SimTime::ZERO)
                );
                Some(Breach::shown_by(entry, says))
            }
            (Side::OnlyIfItCan, "response", "200") => {
                let asked = view.now().since(SimTime::ZERO + entry.took.unwrap_or_default());
                let since =
                    none_since.filter(|since| since.since(SimTime::ZERO) + SLACK <= asked)?;
                let says = format!(
                    "gets an answer, and no API server has had etcd's quorum since {}",
                    since.since(SimTime::ZERO)
                );
                Some(Breach::shown_by(entry, says))
            }
            _ => None,
        }
    }
}

impl Law for Answers {
    fn look(&mut self, seen: Seen) -> Verdict {
        // What is told now was so before what follows from it.
        let broken = seen.news.iter().find_map(|entry| self.judge(seen.view, entry));
        self.service.look(seen);
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}
