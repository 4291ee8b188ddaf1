//! The state in which a run begins: a cluster that has long been healthy.
//!
//! Objects as the controllers would have left them; what a periodic activity has done last is
//! drawn by its owner when it starts.

mod control_plane;
mod leases;
mod room;
mod workloads;

use super::blueprint::{Blueprint, Provider, RunsOn, Settings};
use super::build::WORKLOAD_CLUSTER;
use super::core::Core;
use super::process::Process;
use super::view::leading_stores;
use crate::api::kinds::{
    Cluster, Condition, Conditions, ConfigMap, InfraMachine, InfrastructureRef, KubeadmConfig,
    KubeadmControlPlane, Lease, Machine, MachineDeployment, MachinePhase, MachineSet, MachineSpec,
    Node, PowerState, Secret, Status, Taint, TaintEffect, VSphereMachine, VirtualMachine, taint,
};
use crate::api::{Body, JoinConfiguration, Kind, Labels, Meta, Object, Uid, labels};
use crate::components::cluster_api::Bootstrap;
use crate::components::kubelet::mirror::{mirror_pod, show_running};
use crate::components::kubelet::own_labels;
use crate::engine::{Duration, Owner, SimTime, Text};
use crate::infra::{Place, Vm};
use crate::timeline::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The namespace of everything that users make.
const DEFAULT: &str = "default";
/// The worker pool's MachineDeployment.
const POOL: &str = "md-0";
/// The check over the pool.
const CHECK: &str = "node-unhealthy-5m";
/// The pool's MachineSet.
const POOL_SET: &str = "md-0-5k7x2";

/// The stored objects of both clusters.
pub struct Objects {
    pub workload: Vec<Object>,
    pub management: Vec<Object>,
}

/// All objects of a healthy cluster of this shape.
pub fn objects(blueprint: &Blueprint) -> Objects {
    let mut maker = Maker { blueprint, uids: 0, room: room::Room::of(blueprint) };
    let (mut workload, mut management) = (maker.workload(), maker.management());
    workload.extend(maker.held_leases());
    maker.mirror_pods(&mut workload);
    management.extend(maker.managers_leases());
    Objects { workload, management }
}

/// A Pod whose containers run when the run begins.
#[derive(Clone, Debug)]
pub struct RunningPod {
    pub vm: Text,
    pub pod: Uid,
    pub image: Text,
    /// When they end by themselves.
    pub completes_after: Option<Duration>,
}

/// The Pods whose containers run when the run begins.
pub fn running_pods(objects: &[Object]) -> Vec<RunningPod> {
    objects
        .iter()
        .filter(|object| !object.meta.is_mirror())
        .filter_map(|object| {
            let body = object.pod()?;
            let completes_after = body.template.completes_after;
            let (vm, image) = (body.node_name.clone(), body.template.image.clone());
            Some(RunningPod { vm, pod: object.meta.uid, image, completes_after })
        })
        .collect()
}

/// Writes the beginning down, as entries from null.
pub fn record(core: &mut Core, components: &[Process]) {
    let vms: Vec<Text> = core.datacenter.existing_vms().map(|(_, vm)| vm.name.clone()).collect();
    let none = Text::EMPTY;
    for vm in vms {
        core.recorder.initial(&none, "VM", &vm, "exists", Value::Bool(true));
        core.recorder.initial(&none, "VM", &vm, "power", Value::Text(Text::word("on")));
    }
    core.record_hosts(components);
    for (id, process) in core.datacenter.processes.iter() {
        if core.datacenter.can_fail(process.vm) && process.program != "cloud-init" {
            let cluster = core.clusters.get(&id).unwrap_or(&none);
            core.recorder.initial(cluster, "Process", &process.name, "running", Value::Bool(true));
        }
    }
    for component in components {
        if let Some(probe) = probe_of(component) {
            let ok = Value::Text(Text::word("ok"));
            core.recorder.initial(&WORKLOAD_CLUSTER, "Probe", probe, "status", ok);
        }
    }
    record_members(core, components);
    for (cluster, store) in leading_stores((&core.etcd, &core.clusters), components) {
        for object in store.iter() {
            core.recorder.initial_object(cluster, object);
        }
    }
    core.recorder.begin();
}

/// Who belongs to each cluster's etcd, and who leads it.
fn record_members(core: &mut Core, components: &[Process]) {
    for (component, (id, process)) in components.iter().zip(core.datacenter.processes.iter()) {
        let Process::Etcd(etcd) = component else { continue };
        let Some((role, leader)) = etcd.standing() else { continue };
        let cluster = core.clusters.get(&id).cloned().unwrap_or_default();
        let vm = &core.datacenter.vm(process.vm).name;
        let mut told = |field, value| {
            core.recorder.initial(&cluster, "EtcdMember", vm, field, value);
        };
        told("exists", Value::Bool(true));
        told("role", Value::Text(Text::word(role)));
        if let Some(leader) = leader {
            told("leader", Value::Text(leader));
        }
    }
}

/// What a user's tries are called.
fn probe_of(component: &Process) -> Option<&Text> {
    match component {
        Process::AppProber(user) => Some(user.probe()),
        Process::ApiProber(user) => Some(user.probe()),
        Process::DeployProber(user) => Some(user.probe()),
        _ => None,
    }
}

/// Makes objects, each with a uid of its own.
struct Maker<'a> {
    blueprint: &'a Blueprint,
    uids: u64,
    /// What the workloads that have been made so far have left.
    room: room::Room,
}

impl Maker<'_> {
    fn object(&mut self, meta: Meta, body: impl Into<Body>) -> Object {
        self.uids += 1;
        let mut object = Object::new(meta, body);
        object.meta.uid = Uid(self.uids);
        object
    }

    fn workload(&mut self) -> Vec<Object> {
        let mut all = Vec::new();
        let (planes, workers) = self.blueprint.node_names();
        for name in planes {
            self.node(&mut all, &name, RunsOn::ControlPlane);
        }
        for name in workers {
            self.node(&mut all, &name, RunsOn::Workers);
        }
        for workload in self.blueprint.workloads.clone() {
            self.add_workload(&mut all, &workload);
        }
        all.push(self.cluster_info());
        for app in self.blueprint.asked_apps() {
            self.add_service(&mut all, &app);
        }
        all
    }

    /// What shows the control plane's static Pods; made last, so that all others have the numbers
    /// that they have without them.
    fn mirror_pods(&mut self, all: &mut Vec<Object>) {
        let (planes, _) = self.blueprint.node_names();
        let is_plane =
            |object: &&Object| object.key().kind == Kind::Node && planes.contains(object.name());
        let nodes: Vec<Meta> =
            all.iter().filter(is_plane).map(|object| object.meta.clone()).collect();
        for node in nodes {
            for manifest in self.blueprint.settings.static_pods.clone() {
                let mut shown = mirror_pod(&manifest, &node);
                if let Some(pod) = shown.pod_mut() {
                    show_running(pod, SimTime::ZERO);
                }
                all.push(self.object(shown.meta, shown.body));
            }
        }
    }

    /// What joining machines ask for. The tokens of those that have joined are long gone, and with
    /// them their signatures.
    fn cluster_info(&mut self) -> Object {
        let kubeconfig = Text::word("server: https://workload:6443");
        let data = [(Text::word("kubeconfig"), kubeconfig)].into();
        let namespace = ConfigMap::CLUSTER_INFO_NAMESPACE;
        let meta = Meta::new(Kind::ConfigMap, namespace, ConfigMap::CLUSTER_INFO);
        self.object(meta, ConfigMap { data })
    }

    /// What the Machine's VM once joined with; nobody has touched it since.
    fn bootstrap(&mut self, all: &mut Vec<Object>, machine: &Meta) {
        let name = &machine.key.name;
        let hash = format!("{:016x}", Owner::named(name).number());
        let join = JoinConfiguration {
            node_name: name.clone(),
            control_plane: machine.labels.contains_key(KubeadmControlPlane::LABEL),
            token_id: Text::from(&hash[10..]),
            token_secret: Text::from(hash.as_str()),
            retry: self.blueprint.settings.bootstrap_provider.retry,
        };
        let mut conditions = Conditions::default();
        for kind in ["DataSecretAvailable", "Ready"].map(Text::word) {
            conditions.set(Condition::new(kind, Status::True, "", "", SimTime::ZERO));
        }
        let config = KubeadmConfig {
            ready: true,
            data_secret_name: name.clone(),
            token: Text::from(format!("{}.{}", join.token_id, join.token_secret)),
            conditions,
        };
        let mut meta = Meta::new(Kind::KubeadmConfig, DEFAULT, name.clone()).owned_by(machine);
        meta.labels = machine.labels.clone();
        let config = self.object(meta, config);
        let mut meta = Meta::new(Kind::Secret, DEFAULT, name.clone()).owned_by(&config.meta);
        meta.labels = machine.labels.clone();
        let secret = self.object(meta, Secret::of_user_data(join.to_user_data()));
        all.extend([config, secret]);
    }

    fn node(&mut self, all: &mut Vec<Object>, name: &Text, role: RunsOn) {
        let settings = &self.blueprint.settings;
        let mut node = Node {
            provider_id: self.provider_id(name),
            conditions: healthy_node_conditions(),
            allocatable: settings.kubelet.resources,
            kubelet_version: settings.kubelet.version.clone(),
            ..Node::default()
        };
        let mut meta = Meta::new(Kind::Node, "", name.clone());
        // VMs were placed one after the other, each in the emptiest zone.
        let number = name.rsplit_once('-').and_then(|(_, number)| number.parse::<u32>().ok());
        let zone = number.unwrap_or(0).checked_rem(self.blueprint.zones);
        let mut own = BTreeMap::clone(&own_labels(name, zone.map(Place::numbered).as_ref()));
        if role == RunsOn::ControlPlane {
            node.taints.push(Taint::new(taint::CONTROL_PLANE, TaintEffect::NoSchedule, None));
            own.insert(Text::word(taint::CONTROL_PLANE), Text::EMPTY);
        }
        meta.labels = Arc::new(own);
        let node = self.object(meta, node);
        let mut lease_meta = Meta::new(Kind::Lease, "kube-node-lease", name.clone());
        lease_meta = lease_meta.owned_by(&node.meta);
        let lease = Lease {
            holder: name.clone(),
            duration: self.blueprint.settings.kubelet.lease_duration,
            ..Lease::default()
        };
        all.push(node);
        let lease = self.object(lease_meta, lease);
        all.push(lease);
    }

    fn management(&mut self) -> Vec<Object> {
        let cluster_name = Text::word("workload");
        let mut cluster = Cluster { infrastructure_ready: true, ..Cluster::default() };
        for (kind, reason) in self.blueprint.settings.cluster_conditions() {
            cluster.conditions.set(Condition::new(kind, Status::True, reason, "", SimTime::ZERO));
        }
        let cluster = self.object(Meta::new(Kind::Cluster, DEFAULT, cluster_name.clone()), cluster);
        let spec = MachineSpec {
            cluster: cluster_name,
            version: self.blueprint.settings.kubelet.version.clone(),
            provider_id: Text::EMPTY,
            data_secret_name: Text::EMPTY,
            infrastructure: self.infrastructure(POOL),
            ..MachineSpec::default()
        };
        let spec = self.blueprint.settings.deletion.of(spec);
        let mut all = vec![cluster];
        self.pool(&mut all, &spec);
        if let Some(plane) = self.blueprint.settings.control_plane {
            self.control_plane(&mut all, &plane.deletion.of(spec), plane);
        }
        self.blueprint.settings.cluster_api.pauses.said_of_none(all)
    }

    fn pool(&mut self, all: &mut Vec<Object>, spec: &MachineSpec) {
        let workers = self.blueprint.workers;
        let pool_labels = pool_labels(spec);
        let mut meta = Meta::new(Kind::MachineDeployment, DEFAULT, POOL);
        meta.labels = pool_labels.clone();
        let settings = &self.blueprint.settings;
        let conditions = settings.set_conditions();
        let deployment = MachineDeployment {
            replicas: workers,
            selector: pool_labels.clone(),
            template: spec.clone(),
            status_replicas: workers,
            ready_replicas: workers,
            available_replicas: workers,
            unavailable_replicas: 0,
            updated_replicas: workers,
            phase: Text::word("Running"),
            max_in_flight: settings.known_max_in_flight(),
            conditions: conditions.clone(),
        };
        let set = MachineSet {
            replicas: workers,
            selector: set_labels(spec),
            template: spec.clone(),
            status_replicas: workers,
            ready_replicas: workers,
            available_replicas: workers,
            conditions,
        };
        let deployment = self.object(meta, deployment);
        let mut meta = Meta::new(Kind::MachineSet, DEFAULT, POOL_SET).owned_by(&deployment.meta);
        meta.labels = set_labels(spec);
        let set = self.object(meta, set);
        let (_, names) = self.blueprint.node_names();
        for name in names {
            self.machine(all, &name, spec, &set.meta, &set_labels(spec));
        }
        let mut check = self.blueprint.health_check.clone();
        check.selector = pool_labels;
        check.expected_machines = workers;
        check.current_healthy = workers;
        check.remediations_allowed = check.max_unhealthy.of(workers);
        let reason = self.blueprint.settings.condition_reason("RemediationAllowed");
        let allowed = Condition::new("RemediationAllowed", Status::True, reason, "", SimTime::ZERO);
        check.conditions.set(allowed);
        let check = self.object(Meta::new(Kind::MachineHealthCheck, DEFAULT, CHECK), check);
        all.extend([deployment, set, check]);
    }

    fn machine(
        &mut self,
        all: &mut Vec<Object>,
        name: &Text,
        spec: &MachineSpec,
        owner: &Meta,
        labels: &Labels,
    ) {
        let provider_id = self.provider_id(name);
        let infrastructure = self.infrastructure(name.clone());
        let mut meta = Meta::new(Kind::Machine, DEFAULT, name.clone()).owned_by(owner);
        meta.labels = labels.clone();
        meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
        let kubeadm = self.blueprint.settings.cluster_api.bootstrap == Bootstrap::Kubeadm;
        let data_secret_name = if kubeadm { name.clone() } else { Text::EMPTY };
        let machine = Machine {
            spec: MachineSpec { provider_id, data_secret_name, infrastructure, ..spec.clone() },
            phase: MachinePhase::Running,
            node_ref: Some(name.clone()),
            bootstrap_ready: true,
            infrastructure_ready: true,
            drain_started: None,
            volume_wait_started: None,
            pre_terminate_started: None,
            conditions: self.blueprint.settings.machine_conditions(),
        };
        let machine = self.object(meta, machine);
        self.provided(all, name, &machine.meta);
        if kubeadm {
            self.bootstrap(all, &machine.meta);
        }
        all.push(machine);
    }

    /// The provider's objects behind a Machine.
    fn provided(&mut self, all: &mut Vec<Object>, name: &Text, machine: &Meta) {
        let (provider_id, labels) = (self.provider_id(name), machine.labels.clone());
        let meta = |kind, owner: &Meta, finalizer| {
            let mut meta = Meta::new(kind, DEFAULT, name.clone()).owned_by(owner);
            meta.labels = labels.clone();
            meta.finalizers = Arc::new([finalizer]);
            meta
        };
        match self.blueprint.settings.provider {
            Provider::Delay(_) => {
                let finalizer = Text::word("infrastructure.cluster.x-k8s.io");
                let meta = meta(Kind::InfraMachine, machine, finalizer);
                let infra = self.object(meta, InfraMachine { provider_id, ready: true });
                all.push(infra);
            }
            Provider::VmOperator { operator, .. } => {
                let infra = meta(Kind::VSphereMachine, machine, VSphereMachine::FINALIZER);
                let infra = self.object(infra, ready_vsphere_machine(provider_id));
                let vm = meta(Kind::VirtualMachine, &infra.meta, VirtualMachine::FINALIZER);
                let uuid = self.blueprint.settings.provider.uuid_of(name);
                let keeps_uuid = operator.rules.recreate_keeps_uuid;
                let vm = self.object(vm, running_virtual_machine(name, uuid, keeps_uuid));
                all.extend([infra, vm]);
            }
        }
    }

    fn provider_id(&self, name: &Text) -> Text {
        let Settings { kubelet, provider, .. } = &self.blueprint.settings;
        Text::from(format!("{}{}", kubelet.provider_prefix, provider.uuid_of(name)))
    }

    fn infrastructure(&self, name: impl Into<Text>) -> InfrastructureRef {
        let kind = self.blueprint.settings.provider.kind();
        InfrastructureRef { kind, name: name.into() }
    }
}

fn ready_vsphere_machine(provider_id: Text) -> VSphereMachine {
    let kind = VSphereMachine::PROVISIONED;
    let provisioned = Condition::new(kind, Status::True, "", "", SimTime::ZERO);
    let conditions = [provisioned].into_iter().collect();
    VSphereMachine { provider_id, ready: true, vm_status: Text::word("ready"), conditions }
}

fn running_virtual_machine(name: &Text, bios_uuid: Text, keeps_uuid: bool) -> VirtualMachine {
    let created = Condition::new(VirtualMachine::CREATED, Status::True, "True", "", SimTime::ZERO);
    VirtualMachine {
        power_wanted: PowerState::PoweredOn,
        bootstrap_secret: name.clone(),
        uuid_wanted: if keeps_uuid { bios_uuid.clone() } else { Text::EMPTY },
        readiness_port: None,
        power: PowerState::PoweredOn,
        bios_uuid,
        ip: Vm::new(name.clone()).ip,
        conditions: [created].into_iter().collect(),
    }
}

fn pool_labels(spec: &MachineSpec) -> Labels {
    labels([
        ("cluster.x-k8s.io/cluster-name", spec.cluster.clone()),
        ("cluster.x-k8s.io/deployment-name", Text::word(POOL)),
    ])
}

fn set_labels(spec: &MachineSpec) -> Labels {
    labels([
        ("cluster.x-k8s.io/cluster-name", spec.cluster.clone()),
        ("cluster.x-k8s.io/deployment-name", Text::word(POOL)),
        ("cluster.x-k8s.io/set-name", Text::word(POOL_SET)),
    ])
}

/// What a healthy kubelet reports.
fn healthy_node_conditions() -> Conditions {
    [
        (
            "MemoryPressure",
            Status::False,
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", Status::False, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        (
            "PIDPressure",
            Status::False,
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        ("Ready", Status::True, "KubeletReady", "kubelet is posting ready status"),
    ]
    .into_iter()
    .map(|(kind, status, reason, message)| {
        let (kind, reason) = (Text::word(kind), Text::word(reason));
        Condition::new(kind, status, reason, Text::word(message), SimTime::ZERO)
    })
    .collect()
}
