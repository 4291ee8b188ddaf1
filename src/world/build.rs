//! Building a world: VMs, disks, processes, and who listens where.

use super::blueprint::{ApiUser, Blueprint, ControlPlaneNodes, Management, Probe};
use super::control_plane::{CONTROLLER_MANAGER_PORT, SCHEDULER_PORT};
use super::core::{Core, Runtime, What, World, empty_core};
use super::furnish::{install_units, put_template_images};
use super::process::{Buffers, Custom, CustomProcess, Process};
use super::steady;
use crate::api::Object;
use crate::client::Standing;
use crate::components::kubelet::images::put_image;
use crate::components::{
    apiserver, cloud_controller, controller_manager, etcd, etcdctl, hypervisor, ingress, kubectl,
    load_balancer, prober, scheduler,
};
use crate::engine::{Owner, Purpose, SimTime, Text, index_below};
use crate::infra::{
    Address, EndpointId, Port, Power, ProcessId, ProcessState, Restart, Start, Unit, Vm, VmId,
};
use crate::timeline::Cause;

/// The port of an API server.
pub const API_PORT: Port = Port(6443);
/// The port of etcd for its clients.
pub const ETCD_PORT: Port = Port(2379);
/// The port of a kubelet, for API servers.
pub const KUBELET_PORT: Port = Port(10250);
/// The port of the datacenter's management.
pub const VCENTER_PORT: Port = Port(443);

/// The load balancer before the management cluster's API servers.
pub const MANAGEMENT: EndpointId = EndpointId(0);
/// The load balancer before the workload cluster's API servers.
pub const WORKLOAD: EndpointId = EndpointId(1);
/// The datacenter's management.
pub const VCENTER: EndpointId = EndpointId(2);

/// The port of an app's ingress.
pub const INGRESS_PORT: Port = Port(80);
/// The first of the load balancers before the ingresses of apps.
const INGRESSES: u8 = 100;

/// The name of the cluster in which apps run, and of the one that manages it.
pub const WORKLOAD_CLUSTER: Text = Text::word("workload");
/// The name of the cluster that manages the other.
pub const MANAGEMENT_CLUSTER: Text = Text::word("management");

impl World {
    /// A world of this shape, long in steady state, about to begin.
    pub fn new(blueprint: Blueprint, seed: u64) -> World {
        let core = empty_core(&blueprint, seed);
        let mut builder = Builder { core, components: Vec::new(), blueprint };
        builder.build();
        let Builder { mut core, components, blueprint } = builder;
        steady::record(&mut core, &components);
        start_all(&mut core);
        World { core, components, buffers: Buffers::default(), blueprint }
    }

    /// Adds a process written outside this crate to a VM, as one that has just been started.
    /// False if there is no such VM.
    pub fn add_process(
        &mut self,
        vm: &str,
        program: &'static str,
        process: Box<dyn CustomProcess>,
    ) -> bool {
        self.add_server(vm, program, None, process)
    }

    /// Adds such a process that listens on a port, if it does.
    pub fn add_server(
        &mut self,
        vm: &str,
        program: &'static str,
        port: Option<Port>,
        process: Box<dyn CustomProcess>,
    ) -> bool {
        let Some(vm) = self.core.datacenter.vm_named(vm) else { return false };
        let component = Process::from(Custom(process));
        let id = add_process(&mut self.core, &mut self.components, vm, program, port, component);
        self.core.start_process(id, Start::Fresh, Cause::NONE);
        true
    }
}

impl World {
    /// Adds a load balancer on a machine of its own, out of the reach of faults.
    pub fn add_load_balancer(&mut self, settings: load_balancer::Settings) {
        let core = &mut self.core;
        let id = add_load_balancer(core, &mut self.components, settings);
        core.start_process(id, Start::Steady, Cause::NONE);
    }
}

/// A world in the making.
pub(super) struct Builder {
    core: Core,
    components: Vec<Process>,
    pub(super) blueprint: Blueprint,
}

impl Builder {
    fn build(&mut self) {
        self.draw_leaders();
        self.core.add_hosts(&self.blueprint);
        self.vcenter();
        let own = self.blueprint.management == Management::Own;
        let objects = steady::objects(&self.blueprint);
        let mut workload = objects.workload;
        let pods = steady::running_pods(&workload);
        if own {
            workload.extend(objects.management);
        } else {
            let supervisors = self.vms("supervisor", self.blueprint.supervisors);
            self.servers(&supervisors, MANAGEMENT, MANAGEMENT_CLUSTER, objects.management);
            for (number, vm) in (0..).zip(supervisors) {
                self.healers((vm, number), &MANAGEMENT_CLUSTER);
                self.started_at_boot(vm);
            }
        }
        let planes = self.vms("control-plane", self.blueprint.control_planes);
        self.servers(&planes, WORKLOAD, WORKLOAD_CLUSTER, workload);
        if own {
            let backends = planes.iter().map(|vm| (*vm, API_PORT)).collect();
            self.core.datacenter.network.set_endpoint(MANAGEMENT, backends);
            self.healers((planes[0], 0), &WORKLOAD_CLUSTER);
        }
        for (number, plane) in (0..).zip(&planes) {
            self.apps_control(*plane, number);
        }
        if self.blueprint.control_plane_nodes == ControlPlaneNodes::InCluster {
            for plane in &planes {
                self.node(*plane, &pods);
                self.core.add_static_pods(*plane, &self.blueprint.settings.static_pods);
            }
        }
        for number in 0..self.blueprint.workers {
            let worker = self.vm(&format!("worker-{number}"));
            self.node(worker, &pods);
        }
        self.laptop();
        self.users();
        self.load_balancer();
        self.core.add_agents(&self.blueprint, &mut self.components);
    }

    /// Before the API servers of a control plane of several VMs, and before those of a Supervisor.
    ///
    /// Simplified: also the Supervisor's own Pods come by it, where they use the Service `kubernetes`, from which
    /// an API server that has stopped renewing its Lease goes after 15 s.
    fn load_balancer(&mut self) {
        let blueprint = &self.blueprint;
        let supervisors = blueprint.management_balancer;
        let supervisors = supervisors.filter(|_| blueprint.management == Management::Separate);
        let pools = [
            (blueprint.load_balancer, WORKLOAD_CLUSTER, WORKLOAD, "control-plane-*"),
            (supervisors, MANAGEMENT_CLUSTER, MANAGEMENT, "supervisor-*"),
        ];
        for (rules, name, endpoint, pool) in pools {
            let Some(rules) = rules else { continue };
            let (pool, port) = (Text::word(pool), API_PORT);
            let settings = load_balancer::Settings { name, endpoint, pool, port, rules };
            add_load_balancer(&mut self.core, &mut self.components, settings);
        }
    }

    /// Who leads when the run begins, where it is not given.
    fn draw_leaders(&mut self) {
        let planes = u64::from(self.blueprint.control_planes.max(1));
        let random = &self.core.random;
        let draw = |leader: &mut Option<u32>, purpose| {
            let drawn = index_below(planes, random.draw(Owner::named("leaders"), purpose, 0));
            leader.get_or_insert(u32::try_from(drawn).expect("fewer VMs than 2^32"));
        };
        draw(&mut self.blueprint.leaders.controller_manager, Purpose(0));
        draw(&mut self.blueprint.leaders.scheduler, Purpose(1));
        draw(&mut self.blueprint.leaders.cloud_controller, Purpose(2));
        let supervisors = u64::from(self.blueprint.supervisors.max(1));
        let drawn = index_below(supervisors, random.draw(Owner::named("leaders"), Purpose(3), 0));
        let first = &mut self.blueprint.leaders.first_manager;
        first.get_or_insert(u32::try_from(drawn).expect("fewer VMs than 2^32"));
    }

    /// VMs of one kind, numbered from 0.
    fn vms(&mut self, kind: &str, count: u32) -> Vec<VmId> {
        (0..count).map(|number| self.vm(&format!("{kind}-{number}"))).collect()
    }

    /// A VM that has been running for long.
    fn vm(&mut self, name: &str) -> VmId {
        let mut vm = Vm::new(name);
        vm.uuid = self.blueprint.settings.provider.uuid_of(&vm.name);
        vm.power = Power::On;
        vm.booted = true;
        vm.switched_on = true;
        vm.boot = self.blueprint.settings.hypervisor.boot.low;
        self.core.datacenter.add_vm(vm)
    }

    pub(super) fn add(
        &mut self,
        vm: VmId,
        program: &'static str,
        listens: Option<Port>,
        cluster: Option<Text>,
        component: impl Into<Process>,
    ) -> ProcessId {
        let component = component.into();
        let id = add_process(&mut self.core, &mut self.components, vm, program, listens, component);
        if let Some(cluster) = cluster {
            self.core.clusters.insert(id, cluster);
        }
        id
    }

    /// On each VM an etcd member and an API server that asks it alone, and the endpoint before
    /// them all.
    fn servers(&mut self, vms: &[VmId], endpoint: EndpointId, cluster: Text, stored: Vec<Object>) {
        let apiserver = self.blueprint.settings.apiserver;
        for (number, (vm, member)) in
            vms.iter().zip(self.members(vms, &cluster, stored)).enumerate()
        {
            // kubeadm writes this into the manifests of those that join.
            if number > 0 {
                let disk = &mut self.core.datacenter.vm_mut(*vm).disk;
                disk.write(etcd::FLAGS, "ETCD_INITIAL_CLUSTER_STATE=existing");
            }
            let id = self.add(*vm, "etcd", Some(ETCD_PORT), Some(cluster.clone()), member);
            self.core.datacenter.processes.get_mut(id).listens.push(etcd::PEER_PORT);
            let server = apiserver::Apiserver::new(apiserver);
            let server =
                self.add(*vm, "kube-apiserver", Some(API_PORT), Some(cluster.clone()), server);
            // Without a kubelet on the VM they are started again by hand only.
            if self.blueprint.control_plane_nodes == ControlPlaneNodes::External {
                for process in [id, server] {
                    self.unit(*vm, process, Restart::Never);
                }
            }
        }
        let backends = vms.iter().map(|vm| (*vm, API_PORT)).collect();
        self.core.datacenter.network.set_endpoint(endpoint, backends);
    }

    /// Members that have long been one group; who leads is given, or drawn.
    fn members(&self, vms: &[VmId], cluster: &Text, stored: Vec<Object>) -> Vec<etcd::Etcd> {
        let names: Vec<Text> =
            vms.iter().map(|vm| self.core.datacenter.vm(*vm).name.clone()).collect();
        let given = self.blueprint.leaders.etcd.filter(|_| *cluster == WORKLOAD_CLUSTER);
        let count = names.len() as u64;
        let leader = given.map_or_else(
            || {
                let owner = Owner::named("etcd").part(Owner::named(cluster).number());
                index_below(count, self.core.random.draw(owner, Purpose(0), 0))
            },
            u64::from,
        );
        let leader = usize::try_from(leader).expect("a member of a small group");
        etcd::Etcd::group(self.blueprint.settings.etcd, &names, leader, stored)
    }

    /// What runs the workload cluster's apps. Each talks to the API server beside it.
    fn apps_control(&mut self, vm: VmId, number: u32) {
        let local = Address::Here(API_PORT);
        let cluster = || Some(WORKLOAD_CLUSTER);
        let settings = self.blueprint.settings.controller_manager.clone();
        let leaders = self.blueprint.leaders;
        let manager = controller_manager::ControllerManager::new(
            settings,
            local,
            standing(leaders.controller_manager, number),
        );
        let manager = self.add(
            vm,
            "kube-controller-manager",
            Some(CONTROLLER_MANAGER_PORT),
            cluster(),
            manager,
        );
        let settings = self.blueprint.settings.scheduler;
        let scheduler =
            scheduler::Scheduler::new(settings, local, standing(leaders.scheduler, number));
        let scheduler = self.add(vm, "kube-scheduler", Some(SCHEDULER_PORT), cluster(), scheduler);
        let cloud = self.blueprint.settings.cloud.clone().map(|settings| {
            let (supervisor, standing) =
                (Address::Endpoint(MANAGEMENT), standing(leaders.cloud_controller, number));
            let cloud =
                cloud_controller::CloudController::new(settings, local, supervisor, standing);
            self.add(vm, cloud_controller::PROGRAM, None, cluster(), cloud)
        });
        // Without a kubelet on the VM somebody else starts them again.
        if self.blueprint.control_plane_nodes == ControlPlaneNodes::External {
            let restart = Restart::After(self.blueprint.settings.controller_restart);
            for process in [Some(manager), Some(scheduler), cloud].into_iter().flatten() {
                self.unit(vm, process, restart);
            }
        }
    }

    /// A process as a unit of its VM, by the name of its program.
    fn unit(&mut self, vm: VmId, process: ProcessId, restart: Restart) {
        let program = self.core.datacenter.processes.get(process).program.clone();
        let unit = Unit { process, restart, wanted: true };
        self.core.datacenter.vm_mut(vm).units.insert(program, unit);
    }

    /// Everything on a VM is started when it boots, and again when it ends.
    ///
    /// Simplified: always after the same pause, where a kubelet waits longer and longer.
    fn started_at_boot(&mut self, vm: VmId) {
        let restart = Restart::After(self.blueprint.settings.controller_restart);
        let all = self.core.datacenter.processes.iter();
        let here = all.filter(|(_, process)| process.vm == vm);
        let units: Vec<(Text, Unit)> = here
            .map(|(process, state)| {
                let unit = Unit { process, restart, wanted: true };
                (state.program.clone(), unit)
            })
            .collect();
        self.core.datacenter.vm_mut(vm).units.extend(units);
    }

    /// The datacenter's management, out of the reach of faults.
    fn vcenter(&mut self) {
        let vm = self.core.datacenter.add_appliance("vcenter");
        let vcenter = hypervisor::Hypervisor::new(self.blueprint.settings.hypervisor);
        let vcenter = self.add(vm, "vcenter", Some(VCENTER_PORT), None, vcenter);
        self.core.management = Some(vcenter);
        self.core.datacenter.network.set_endpoint(VCENTER, vec![(vm, VCENTER_PORT)]);
    }

    /// Where a person sits who types commands, out of the reach of faults.
    fn laptop(&mut self) {
        let vm = self.core.datacenter.add_appliance("laptop");
        let settings = self.blueprint.settings.kubectl;
        let (management, workload) = (Address::Endpoint(MANAGEMENT), Address::Endpoint(WORKLOAD));
        let kubectl = kubectl::Kubectl::new(settings, management, workload);
        self.add(vm, "kubectl", None, None, kubectl);
        let etcdctl = etcdctl::Etcdctl::new(self.blueprint.settings.etcdctl);
        self.add(vm, "etcdctl", None, None, etcdctl);
    }

    /// Users with their ingresses, out of the reach of faults. They come last, so that everybody
    /// else has the numbers that he has without them.
    fn users(&mut self) {
        let Some(users) = self.blueprint.users.clone() else { return };
        let api = Address::Endpoint(WORKLOAD);
        let cluster = || Some(WORKLOAD_CLUSTER);
        let apps = self.blueprint.asked_apps();
        for (app, endpoint) in apps.iter().zip(INGRESSES..) {
            let endpoint = EndpointId(endpoint);
            let vm = self.core.datacenter.add_appliance("ingress");
            let ingress = ingress::Ingress::new(users.ingress, api, app.clone());
            self.add(vm, "ingress", Some(INGRESS_PORT), cluster(), ingress);
            self.core.datacenter.network.set_endpoint(endpoint, vec![(vm, INGRESS_PORT)]);
            let vm = self.core.datacenter.add_appliance("user");
            let user = prober::app::AppProber::new(users.app, Address::Endpoint(endpoint), app);
            self.add(vm, "app-prober", None, cluster(), user);
        }
        for probe in &users.probes {
            let (program, user) = match probe {
                Probe::App(_) => continue,
                Probe::Deploy(interval) => {
                    let settings = prober::deploy::Settings { interval: *interval, ..users.deploy };
                    let user = prober::deploy::DeployProber::new(settings, api);
                    ("deploy-prober", Process::from(user))
                }
                Probe::Api(user) => {
                    let way = match user {
                        ApiUser::At(vm) => prober::api::Way::Pinned(vm.clone(), API_PORT),
                        ApiUser::Fresh => prober::api::Way::Fresh(api),
                        ApiUser::Led(vm) => prober::api::Way::Led(api, vm.clone()),
                    };
                    ("api-prober", prober::api::ApiProber::new(users.api, way).into())
                }
            };
            let vm = self.core.datacenter.add_appliance("user");
            let user = self.add(vm, program, None, cluster(), user);
            if let Probe::Api(ApiUser::Led(plane)) = probe {
                self.core.datacenter.remember(WORKLOAD, user, plane.clone());
            }
        }
    }

    /// A VM that is a Node: its kubelet, with the files that joining has written, and its Pods.
    fn node(&mut self, vm: VmId, pods: &[steady::RunningPod]) {
        let host = self.core.datacenter.vm_mut(vm);
        host.disk.write("/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration");
        host.disk.write("/var/lib/cloud/instance/boot-finished", "");
        let name = host.name.clone();
        install_units(&mut self.core, &mut self.components, &self.blueprint.settings, vm);
        put_template_images(&mut self.core, &self.blueprint, vm);
        for pod in pods.iter().filter(|pod| pod.vm == name) {
            put_image(&mut self.core.datacenter.vm_mut(vm).disk, &pod.image);
            let (from, length) = (SimTime::ZERO, pod.completes_after);
            let ends_at = self.core.datacenter.start_container(vm, pod.pod, from, (length, 0));
            if let Some(at) = ends_at {
                let kubelet = self.core.datacenter.vm(vm).units["kubelet"].process;
                let ends = What::Runtime(vm, pod.pod, Runtime::Completes);
                let led = (Cause::NONE, "the container's own work");
                self.core.push_host(at, kubelet, led, ends);
            }
        }
    }
}

/// A load balancer on a machine of the datacenter's own.
fn add_load_balancer(
    core: &mut Core,
    components: &mut Vec<Process>,
    settings: load_balancer::Settings,
) -> ProcessId {
    let appliance = match settings.endpoint {
        MANAGEMENT => "management-load-balancer",
        _ => "load-balancer",
    };
    let vm = core.datacenter.add_appliance(appliance);
    let component = Process::from(load_balancer::LoadBalancer::new(settings));
    add_process(core, components, vm, "load-balancer", None, component)
}

/// How the process of the control plane of this number stands when the run begins.
pub(super) fn standing(leader: Option<u32>, number: u32) -> Standing {
    if leader == Some(number) { Standing::Leader } else { Standing::Standby }
}

pub(super) fn add_process(
    core: &mut Core,
    components: &mut Vec<Process>,
    vm: VmId,
    program: &'static str,
    listens: Option<Port>,
    component: Process,
) -> ProcessId {
    let host = core.datacenter.vm(vm).name.clone();
    let id = core.datacenter.processes.add(ProcessState::new(program, vm, &host, listens));
    if matches!(component, Process::Etcd(_)) {
        core.etcd.push(id);
    }
    components.push(component);
    assert_eq!(components.len(), id.0 as usize + 1, "components are numbered like processes");
    id
}

/// Every process has been running for long when the run begins; servers are met before clients.
pub(super) fn start_all(core: &mut Core) {
    let all: Vec<ProcessId> = core.datacenter.processes.iter().map(|(id, _)| id).collect();
    for id in all {
        // What runs at the first boot only has done so long ago.
        if core.datacenter.processes.get(id).program != "cloud-init" {
            core.resume_process(id);
        }
    }
}
