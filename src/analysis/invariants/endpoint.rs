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
          worked on an etcd with quorum for two minutes and been led to for as long, over links that \
          are whole and no member's disk slow or full",
    source: "Kubernetes documentation, Options for highly available topology; etcd, raftNode.start: a \
             member hands out what it may read between two flushes; the load balancer's reaction and a \
             server's start are shorter than two minutes (models: loadBalancer.*, \
             kubernetes.apiserverStartup)",
    begin: || Box::new(Answers::watch(Side::IfItCan)),
};

pub(super) const API_ANSWERS_ONLY_IF_IT_CAN: Invariant = Invariant {
    name: "api-answers-only-if-it-can",
    kind: Kind::Always,
    law: "no user gets an answer of the API while no API server works on an etcd with quorum, and the API \
          is down for him within two minutes",
    source: "Kubernetes documentation, Operating etcd clusters: a read is a quorum's; a user gives up after \
             5 s, and calls the API down after 5 s without an answer (models: users.*)",
    begin: || Box::new(Answers::watch(Side::OnlyIfItCan)),
};

/// How the API servers are, and since when.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Since when every server behind the endpoint has been there and served, over whole links, with no
    /// member of etcd on a disk that is slowed, stuck or full: what is asked is answered in time.
    pub all_since: Option<SimTime>,
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
    /// How the API stands for its user; nothing if nobody asks, or before the first look.
    standing: Option<Text>,
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
            let vms: BTreeSet<Text> =
                vms.split(',').filter(|vm| !vm.is_empty()).map(Text::from).collect();
            if self.behind.as_ref().is_some_and(|before| !vms.is_subset(before)) {
                // Who has just come up has not been led to for long.
                self.all_since = None;
            }
            self.behind = Some(vms);
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
        // Of one that starts or dials nobody has to find that it serves.
        let answers = |vm: &Text| serving.contains(vm) && view.serves_api(vm);
        let leads_to = |behind: &BTreeSet<Text>| !behind.is_empty() && behind.iter().all(answers);
        let all_serve = self.behind.as_ref().is_some_and(leads_to);
        let now = view.now();
        let is_fine = all_serve && view.are_links_whole() && disks_are_well(view);
        self.all_since = is_fine.then(|| self.all_since.unwrap_or(now));
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
/// follows a leader with a quorum. Those that are cut off are among them: who finds the API up while
/// one of these serves does not break a law.
pub fn serving(view: View) -> BTreeSet<Text> {
    let Some(leader) = view.etcd_leader(&WORKLOAD_CLUSTER) else { return BTreeSet::new() };
    let members = view.etcd_members(&WORKLOAD_CLUSTER);
    let follow = members.iter().filter(|member| member.follows(leader.info.id));
    let serve = follow.filter(|member| view.works("kube-apiserver", &member.info.vm));
    serve.map(|member| member.info.vm.clone()).collect()
}

impl Answers {
    fn watch(side: Side) -> Answers {
        Answers { side, service: Service::default(), standing: None }
    }

    /// A user who still takes the API for up though no server has served for long.
    fn is_fooled(&self, view: View) -> Option<Breach> {
        let since = self.service.none_since.filter(|since| *since + HEARD <= view.now())?;
        let is_up = self.standing.as_ref().is_some_and(|standing| *standing != *"down");
        let says = format!(
            "is not down, and no API server has had etcd's quorum since {}",
            since.since(SimTime::ZERO)
        );
        let breach = Breach {
            object: Text::word("Probe/api"),
            says: Text::from(says),
            entries: super::facts::latest(view),
        };
        (self.side == Side::OnlyIfItCan && is_up).then_some(breach)
    }

    fn note_standing(&mut self, seen: Seen) {
        let before = match self.standing {
            None => seen.view.timeline().beginning(),
            Some(_) => &[],
        };
        let tells = |entry: &&Entry| {
            entry.kind == *"Probe" && entry.name == *"api" && entry.field == *"status"
        };
        let last = before.iter().chain(seen.news).rfind(tells);
        if let Some(status) = last.and_then(|entry| entry.to.as_text()) {
            self.standing = Some(Text::from(status));
        }
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
        self.note_standing(seen);
        let broken = broken.or_else(|| self.is_fooled(seen.view));
        self.service.look(seen);
        broken.map_or(Verdict::Holds, Verdict::Broken)
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}
