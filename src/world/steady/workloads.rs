//! The workloads with which a run begins, and their Pods: placed, running and ready.
//!
//! Each is as its controller and the scheduler would have left it.

use super::super::blueprint::{RunsOn, Workload, WorkloadKind};
use super::{DEFAULT, Maker};
use crate::api::kinds::{
    Condition, DaemonSet, Deployment, Endpoint, EndpointSlice, Job, PersistentVolumeClaim, Pod,
    PodDisruptionBudget, PodManagement, PodPhase, PodTemplate, ReplicaSet, SERVICE_NAME, Service,
    StatefulSet, Status, TaintEffect, Toleration, VolumeAttachment, claim_of, taint,
};
use crate::api::{Body, Kind, Labels, Meta, Object, labels};
use crate::components::controller_manager::{TRACKING, daemon_tolerations};
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// A workload in the making.
struct Making<'a> {
    workload: &'a Workload,
    app: Labels,
    template: Arc<PodTemplate>,
    /// The Nodes that its Pods have found, in the order of their numbers.
    hosts: Vec<Text>,
    /// How many have found one.
    placed: u32,
}

impl Maker<'_> {
    pub(super) fn add_workload(&mut self, all: &mut Vec<Object>, workload: &Workload) {
        let app = labels([("app", workload.name.clone())]);
        let template = Arc::new(template(workload, &app));
        let hosts = self.room.place(workload, self.blueprint);
        let placed = hosts.len() as u32;
        let making = Making { workload, app, template, hosts, placed };
        match workload.kind {
            WorkloadKind::Deployment => self.deployment(all, &making),
            WorkloadKind::StatefulSet(policy) => self.stateful_set(all, &making, policy),
            WorkloadKind::DaemonSet => self.daemon_set(all, &making),
            WorkloadKind::Job { backoff_limit, .. } => self.job(all, &making, backoff_limit),
            WorkloadKind::Pod => self.bare_pods(all, &making),
        }
        self.budget(all, &making);
        self.volumes(all, workload);
    }

    /// The claims of a workload's Pods, their volumes attached where the Pods are.
    fn volumes(&mut self, all: &mut Vec<Object>, workload: &Workload) {
        if workload.volume.is_none() {
            return;
        }
        let mine = |object: &&Object| object.meta.labels.get("app") == Some(&workload.name);
        let used: Vec<(Text, Text)> = all
            .iter()
            .filter(mine)
            .filter_map(|object| Some((claim_of(object)?, object.pod()?.node_name.clone())))
            .collect();
        for (claim, node) in used {
            let volume_name = Text::from(format!("pvc-{claim}"));
            let meta = Meta::new(Kind::PersistentVolumeClaim, DEFAULT, claim);
            let claim = PersistentVolumeClaim { volume_name: volume_name.clone() };
            let claim = self.object(meta, claim);
            all.push(claim);
            if node.is_empty() {
                continue;
            }
            let name = format!("csi-{volume_name}-{node}");
            let meta = Meta::new(Kind::VolumeAttachment, "", name);
            let (node_name, volume) = (node.clone(), volume_name.clone());
            let attachment = VolumeAttachment { node_name, volume_name: volume, attached: true };
            let attachment = self.object(meta, attachment);
            all.push(attachment);
            let host = all.iter_mut().find(|object| *object.name() == node);
            if let Some(body) = host.and_then(Object::node_mut) {
                body.volumes_attached.0.insert(volume_name.clone());
                body.volumes_in_use.0.insert(volume_name);
            }
        }
    }

    /// The budget over a workload's Pods, as its controller has left it.
    fn budget(&mut self, all: &mut Vec<Object>, making: &Making) {
        let Some(wanted) = making.workload.budget else { return };
        let replicas = making.workload.replicas;
        let mut budget = PodDisruptionBudget::new(making.app.clone(), wanted);
        budget.observed_generation = budget.generation;
        budget.expected_pods = replicas;
        budget.current_healthy = making.placed;
        budget.desired_healthy = wanted.desired_healthy(replicas);
        budget.disruptions_allowed = making.placed.saturating_sub(budget.desired_healthy);
        let budget = self.owner(Kind::PodDisruptionBudget, making, budget);
        all.push(budget);
    }

    /// The Service of an app that users ask, with its endpoints.
    pub(super) fn add_service(&mut self, all: &mut Vec<Object>, app: &Text) {
        let selector = labels([("app", app.clone())]);
        let meta = Meta::new(Kind::Service, DEFAULT, app.clone());
        let service = self.object(meta, Service { selector: selector.clone() });
        let pods = all.iter().filter(|object| object.meta.matches(&selector));
        let mut endpoints: Vec<Endpoint> = pods
            .filter_map(|object| Some((object, object.pod().filter(|pod| pod.is_ready())?)))
            .map(|(object, pod)| Endpoint {
                pod: object.name().clone(),
                uid: object.meta.uid,
                node: pod.node_name.clone(),
                ready: true,
                serving: true,
                terminating: false,
            })
            .collect();
        endpoints.sort_by(|one, other| one.pod.cmp(&other.pod));
        let name = format!("{app}-9l4dx");
        let mut meta = Meta::new(Kind::EndpointSlice, DEFAULT, name).owned_by(&service.meta);
        meta.labels = labels([(SERVICE_NAME, app.clone())]);
        let slice = self.object(meta, EndpointSlice { endpoints });
        all.extend([service, slice]);
    }

    fn owner(&mut self, kind: Kind, making: &Making, body: impl Into<Body>) -> Object {
        let mut meta = Meta::new(kind, DEFAULT, making.workload.name.clone());
        meta.labels = making.app.clone();
        self.object(meta, body)
    }

    /// The Pod of this number, on the Node that it has found, if it has.
    fn pod(&mut self, making: &Making, number: u32, name: Text, owner: Option<&Meta>) -> Object {
        let host = making.hosts.get(number as usize).cloned();
        let mut meta = Meta::new(Kind::Pod, DEFAULT, name);
        if let Some(owner) = owner {
            meta = meta.owned_by(owner);
        }
        meta.labels = making.app.clone();
        let toleration = self.blueprint.settings.apiserver.default_toleration;
        self.object(meta, running_pod(&making.template, host, toleration))
    }

    fn deployment(&mut self, all: &mut Vec<Object>, making: &Making) {
        let Making { workload, app, template, placed, .. } = making;
        let deployment = Deployment {
            replicas: workload.replicas,
            selector: app.clone(),
            template: template.clone(),
            updated_replicas: workload.replicas,
            ready_replicas: *placed,
            available_replicas: *placed,
            unavailable_replicas: workload.replicas - placed,
            status_replicas: workload.replicas,
        };
        let deployment = self.owner(Kind::Deployment, making, deployment);
        // The suffix stands for the template's hash; a new template would get another.
        let set_name = Text::from(format!("{}-6d4b75cb6d", workload.name));
        let mut meta = Meta::new(Kind::ReplicaSet, DEFAULT, set_name.clone());
        meta = meta.owned_by(&deployment.meta);
        meta.labels = app.clone();
        let set = ReplicaSet {
            replicas: workload.replicas,
            selector: app.clone(),
            template: template.clone(),
            status_replicas: workload.replicas,
            ready_replicas: *placed,
            available_replicas: *placed,
        };
        let set = self.object(meta, set);
        for number in 0..workload.replicas {
            let name = suffixed(&set_name, number);
            let pod = self.pod(making, number, name, Some(&set.meta));
            all.push(pod);
        }
        all.push(deployment);
        all.push(set);
    }

    fn stateful_set(&mut self, all: &mut Vec<Object>, making: &Making, policy: PodManagement) {
        let Making { workload, app, template, placed, .. } = making;
        // In order, the first Pod that finds no Node holds up all after it.
        let created = match policy {
            PodManagement::OrderedReady => workload.replicas.min(placed + 1),
            PodManagement::Parallel => workload.replicas,
        };
        let set = StatefulSet {
            replicas: workload.replicas,
            selector: app.clone(),
            template: template.clone(),
            policy,
            status_replicas: created,
            ready_replicas: *placed,
            available_replicas: *placed,
        };
        let set = self.owner(Kind::StatefulSet, making, set);
        for number in 0..created {
            let name = Text::from(format!("{}-{number}", workload.name));
            let pod = self.pod(making, number, name, Some(&set.meta));
            all.push(pod);
        }
        all.push(set);
    }

    fn daemon_set(&mut self, all: &mut Vec<Object>, making: &Making) {
        let nodes = making.placed;
        let set = DaemonSet {
            selector: making.app.clone(),
            template: making.template.clone(),
            desired: nodes,
            current: nodes,
            ready: nodes,
            available: nodes,
        };
        let tolerations = daemon_tolerations(&set);
        let set = self.owner(Kind::DaemonSet, making, set);
        for number in 0..nodes {
            let name = suffixed(&making.workload.name, number);
            let mut pod = self.pod(making, number, name, Some(&set.meta));
            if let Some(body) = pod.pod_mut() {
                body.tolerations = tolerations.clone().into();
                body.required_node = body.node_name.clone();
            }
            all.push(pod);
        }
        all.push(set);
    }

    /// Its Pods have just been started: how long they still run is what the platform says.
    fn job(&mut self, all: &mut Vec<Object>, making: &Making, backoff_limit: u32) {
        let Making { workload, template, .. } = making;
        let job = Job {
            completions: workload.replicas,
            backoff_limit,
            template: template.clone(),
            active: workload.replicas,
            ..Job::default()
        };
        let job = self.owner(Kind::Job, making, job);
        for number in 0..workload.replicas {
            let name = suffixed(&workload.name, number);
            let mut pod = self.pod(making, number, name, Some(&job.meta));
            pod.meta.finalizers = Arc::new([TRACKING]);
            all.push(pod);
        }
        all.push(job);
    }

    /// Pods that nobody would replace.
    fn bare_pods(&mut self, all: &mut Vec<Object>, making: &Making) {
        for (number, name) in (0..).zip(making.workload.bare_pods()) {
            let pod = self.pod(making, number, name, None);
            all.push(pod);
        }
    }
}

/// A name with a suffix such as controllers draw.
fn suffixed(of: &str, number: u32) -> Text {
    let suffix = POD_SUFFIXES[number as usize % POD_SUFFIXES.len()];
    match number as usize / POD_SUFFIXES.len() {
        0 => Text::from(format!("{of}-{suffix}")),
        round => Text::from(format!("{of}-{suffix}{round}")),
    }
}

/// Suffixes of the Pods' names, as ReplicaSets make them.
const POD_SUFFIXES: [&str; 20] = [
    "2rzk5", "88zx9", "wdtkm", "ctl4f", "lbl26", "rv9w7", "b2gwr", "nm7sw", "x8h4k", "j5v6d",
    "9x2rw", "pngjw", "6gj29", "2jxj2", "tghlv", "vfq9g", "szjp8", "qp6cs", "kj84l", "dw8ng",
];

fn template(workload: &Workload, app: &Labels) -> PodTemplate {
    let on_control_plane = workload.runs_on == RunsOn::ControlPlane;
    let tolerate = Toleration {
        key: Text::word(taint::CONTROL_PLANE),
        value: None,
        effect: Some(TaintEffect::NoSchedule),
        seconds: None,
    };
    let mut tolerations = workload.tolerations.clone();
    tolerations.extend(on_control_plane.then_some(tolerate));
    PodTemplate {
        volume: workload.volume.clone(),
        labels: app.clone(),
        image: workload.image.clone(),
        requests: workload.requests,
        grace: workload.grace,
        node_selector: match on_control_plane {
            true => labels([(taint::CONTROL_PLANE, Text::EMPTY)]),
            false => Labels::default(),
        },
        anti_affinity: workload.repel_each_other.then(|| app.clone()),
        tolerations,
        completes_after: match workload.kind {
            WorkloadKind::Job { run_time, .. } => Some(run_time),
            _ => None,
        },
        is_critical: workload.is_critical,
    }
}

fn running_pod(template: &Arc<PodTemplate>, host: Option<Text>, toleration: Duration) -> Pod {
    let mut pod = Pod::new(template.clone());
    pod.tolerate_outages(toleration);
    let Some(host) = host else { return pod };
    pod.node_name = host;
    pod.phase = PodPhase::Running;
    pod.started = Some(SimTime::ZERO);
    for kind in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
        let kind = Text::word(kind);
        pod.conditions.set(Condition::new(kind, Status::True, "", "", SimTime::ZERO));
    }
    pod
}
