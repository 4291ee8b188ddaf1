//! What a scrape finds at an instant.
//!
//! A target is a process of the control plane or a kubelet, found by its Node as Prometheus'
//! discovery of the role `node` does, so that what has died on a Node that is still listed is a
//! target that is down; in a cluster whose timeline has no Nodes, by its VM. Objects are those of
//! the committed state: kube-state-metrics keeps what it has heard last while no API server answers.

use super::Page;
use super::families::{TOLD, Told};
use crate::analysis::moment::{Fields, Moment, Thing};
use crate::api::{AGE_AT_BEGIN, unix_micros};
use crate::engine::{SimTime, Text};
use crate::timeline::vocabulary::{Holds, holds};
use crate::timeline::{Entry, Timeline, Value};
use std::collections::BTreeMap;

/// Looks at everything now and then.
#[derive(Default)]
pub(super) struct Scraper {
    moment: Moment,
    /// How many leaders each member has seen since it started.
    leaders: BTreeMap<(Text, Text), i64>,
}

/// Job, program, and the port on which it serves metrics: Kubernetes' "Ports and Protocols", and
/// kubeadm's `--listen-metrics-urls` of etcd.
const TARGETS: [(&str, &str, u16); 5] = [
    ("apiserver", "kube-apiserver", 6443),
    ("etcd", "etcd", ETCD_PORT),
    ("kube-controller-manager", "kube-controller-manager", 10257),
    ("kube-scheduler", "kube-scheduler", 10259),
    ("kubelet", "kubelet", 10250),
];
const ETCD_PORT: u16 = 2381;

const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
const POD_PHASES: [&str; 5] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];
const MACHINE_PHASES: [&str; 9] = [
    "Pending",
    "Provisioning",
    "Provisioned",
    "Running",
    "Updating",
    "Deleting",
    "Deleted",
    "Failed",
    "Unknown",
];
const MACHINE_DEPLOYMENT_PHASES: [&str; 5] =
    ["ScalingUp", "ScalingDown", "Running", "Failed", "Unknown"];

impl Scraper {
    /// Takes everything up to an instant.
    pub fn advance(&mut self, timeline: &Timeline, at: SimTime) {
        let rest = timeline.entries()[self.moment.taken()..].iter();
        for entry in rest.take_while(|entry| entry.at <= at) {
            self.count_leaders(entry);
            self.moment.apply(timeline, entry);
        }
    }

    /// A member's count begins anew with its process.
    fn count_leaders(&mut self, entry: &Entry) {
        let member = |name: &str| (entry.cluster.clone(), Text::from(name));
        if entry.kind == "EtcdMember" && entry.field == "leader" && entry.to != Value::Null {
            *self.leaders.entry(member(&entry.name)).or_default() += 1;
        }
        let started = entry.field == "running" && entry.to == Value::Bool(true);
        if let (true, Some(vm)) = (started, entry.name.strip_prefix("etcd@")) {
            self.leaders.insert(member(vm), 0);
        }
    }

    /// Notes what there is.
    pub fn scrape(&self, page: &mut Page) {
        self.targets(page);
        self.probes(page);
        self.nodes(page);
        self.pods(page);
        self.machines(page);
        for told in TOLD {
            for (thing, fields) in self.moment.all(told.kind) {
                object(told, thing, fields, page);
            }
        }
    }

    fn targets(&self, page: &mut Page) {
        for (thing, _) in self.moment.all("Process") {
            let Some((program, vm)) = thing.name.split_once('@') else { continue };
            let target = TARGETS.iter().find(|(_, of, _)| *of == program);
            let Some((job, _, port)) = target.filter(|_| self.is_listed(&thing.cluster, vm)) else {
                continue;
            };
            let instance = format!("{vm}:{port}");
            let labels = [("cluster", &*thing.cluster), ("job", job), ("instance", &instance)];
            let up = self.moment.runs(&thing.cluster, program, vm);
            page.put("up", &[&labels[..], &[("node", vm)]].concat(), i64::from(up));
            if up && program == "etcd" {
                self.member(&thing.cluster, vm, &labels, page);
            }
        }
    }

    /// True if the discovery of targets finds this machine.
    fn is_listed(&self, cluster: &Text, vm: &str) -> bool {
        let mut nodes = self.moment.all("Node").filter(|(thing, _)| thing.cluster == *cluster);
        match nodes.next() {
            Some(_) => self.moment.get("Node", cluster, vm).is_some(),
            None => self.moment.get("VM", &Text::EMPTY, vm).is_some(),
        }
    }

    fn member(&self, cluster: &Text, vm: &str, labels: &[(&str, &str)], page: &mut Page) {
        let member = self.moment.get("EtcdMember", cluster, vm);
        let role = member.and_then(|member| member.text("role"));
        let has_leader = member.is_some_and(|member| member.text("leader").is_some());
        page.put("etcd_server_has_leader", labels, i64::from(has_leader));
        page.put("etcd_server_is_leader", labels, i64::from(role == Some("Leader")));
        let seen = self.leaders.get(&(cluster.clone(), Text::from(vm))).copied().unwrap_or(0);
        page.put("etcd_server_leader_changes_seen_total", labels, seen);
    }

    fn probes(&self, page: &mut Page) {
        for (thing, fields) in self.moment.all("Probe") {
            let labels =
                [("cluster", &*thing.cluster), ("job", "probe"), ("instance", &*thing.name)];
            let down = fields.text("status") == Some("down");
            page.put("probe_success", &labels, i64::from(!down));
        }
    }

    fn nodes(&self, page: &mut Page) {
        for (thing, fields) in self.moment.all("Node") {
            let labels = [("cluster", &*thing.cluster), ("node", &*thing.name)];
            created("kube_node_created", &labels, fields, page);
            let cordoned = fields.is_true("unschedulable");
            page.put("kube_node_spec_unschedulable", &labels, i64::from(cordoned));
            for taint in fields.text("taints").unwrap_or_default().split(',') {
                let Some((key, effect)) = taint.rsplit_once(':') else { continue };
                let taint = [("key", key), ("effect", effect)];
                page.put("kube_node_spec_taint", &[&labels[..], &taint].concat(), 1);
            }
            for (condition, status) in conditions("Node", fields) {
                let labels = [&labels[..], &[("condition", condition)]].concat();
                let words = lower(status);
                page.put_states("kube_node_status_condition", &labels, "status", words);
            }
        }
    }

    fn pods(&self, page: &mut Page) {
        for (thing, fields) in self.moment.all("Pod") {
            let labels = [
                ("cluster", &*thing.cluster),
                ("namespace", fields.namespace()),
                ("pod", &*thing.name),
            ];
            created("kube_pod_created", &labels, fields, page);
            let node = fields.text("nodeName").unwrap_or_default();
            page.put("kube_pod_info", &[&labels[..], &[("node", node)]].concat(), 1);
            states("kube_pod_status_phase", &labels, fields, &POD_PHASES, page);
            for (condition, name) in
                [("Ready", "kube_pod_status_ready"), ("PodScheduled", "kube_pod_status_scheduled")]
            {
                if let Some(status) = fields.text(condition) {
                    page.put_states(name, &labels, "condition", lower(status));
                }
            }
            let restarts = fields.count("restartCount").unwrap_or(0);
            page.put("kube_pod_container_status_restarts_total", &labels, restarts);
        }
    }

    /// What Machines and MachineDeployments have besides what `TOLD` says of them.
    fn machines(&self, page: &mut Page) {
        for (thing, fields) in self.moment.all("Machine") {
            let labels = object_labels("name", thing, fields);
            states("capi_machine_status_phase", &labels, fields, &MACHINE_PHASES, page);
            if let Some(node) = fields.text("nodeRef") {
                let labels = [&labels[..], &[("node_name", node)]].concat();
                page.put("capi_machine_status_noderef", &labels, 1);
            }
        }
        for (thing, fields) in self.moment.all("MachineDeployment") {
            let labels = object_labels("name", thing, fields);
            let (name, phases) =
                ("capi_machinedeployment_status_phase", &MACHINE_DEPLOYMENT_PHASES);
            states(name, &labels, fields, phases, page);
        }
    }
}

fn object(told: &Told, thing: &Thing, fields: &Fields, page: &mut Page) {
    let labels = object_labels(told.label, thing, fields);
    if let Some(name) = told.created {
        created(name, &labels, fields, page);
    }
    for (field, name) in told.counts {
        if let Some(count) = fields.count(field) {
            page.put(name, &labels, count);
        }
    }
    let Some(name) = told.conditions else { return };
    for (condition, status) in conditions(told.kind, fields) {
        let labels = [&labels[..], &[("type", condition)]].concat();
        let words = STATUSES.into_iter().map(|word| (word, word == status));
        page.put_states(name, &labels, "status", words);
    }
}

fn object_labels<'a>(
    label: &'a str,
    thing: &'a Thing,
    fields: &'a Fields,
) -> [(&'a str, &'a str); 3] {
    [("cluster", &thing.cluster), ("namespace", fields.namespace()), (label, &thing.name)]
}

/// When it was created, in seconds of Unix time; what was there at first is as old as the cluster.
fn created(name: &'static str, labels: &[(&str, &str)], fields: &Fields, page: &mut Page) {
    let Some(at) = fields.created() else { return };
    let age = if at == SimTime::ZERO { AGE_AT_BEGIN.as_secs() } else { 0 };
    let seconds = unix_micros(at) / 1_000_000 - age;
    page.put(name, labels, i64::try_from(seconds).unwrap_or(i64::MAX));
}

/// The phase, if it has been told: 1 for the one that it is in.
fn states(
    name: &'static str,
    labels: &[(&str, &str)],
    fields: &Fields,
    phases: &[&'static str],
    page: &mut Page,
) {
    let Some(phase) = fields.text("phase") else { return };
    let words = phases.iter().map(|word| (*word, *word == phase));
    page.put_states(name, labels, "phase", words);
}

/// The conditions among the fields, each with its status. Those of an older contract beside a newer
/// one are prefixed, and no metric tells of them.
fn conditions<'a>(
    kind: &'static str,
    fields: &'a Fields,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_condition = move |field: &str| match holds(kind, field) {
        Some(Holds::OneOf(words)) => words == STATUSES && !field.contains('.'),
        _ => false,
    };
    let told = fields.iter().filter(move |(field, _)| is_condition(field));
    told.filter_map(|(field, held)| Some((field.as_str(), held.value.as_text()?)))
}

/// The statuses as kube-state-metrics spells them.
fn lower(status: &str) -> impl Iterator<Item = (&'static str, bool)> {
    let words = [("true", "True"), ("false", "False"), ("unknown", "Unknown")];
    words.map(|(word, is)| (word, is == status)).into_iter()
}
