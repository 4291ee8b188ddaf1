//! What is on the VMs that the datacenter's management creates while the world runs.

use super::blueprint::{Blueprint, Probe, Settings};
use super::build::{
    API_PORT, ETCD_PORT, KUBELET_PORT, MANAGEMENT, WORKLOAD, WORKLOAD_CLUSTER, add_process,
};
use super::control_plane::{CONTROLLER_MANAGER_PORT, SCHEDULER_PORT};
use super::core::{Core, World};
use super::process::Process;
use crate::api::JoinConfiguration;
use crate::client::Standing;
use crate::components::cloud_controller::{self, CloudController};
use crate::components::kubelet::images::put_image;
use crate::components::{apiserver, controller_manager, etcd, kubeadm, kubelet, prober, scheduler};
use crate::engine::Text;
use crate::infra::{Address, Program, Restart, Unit, Vm, VmId};

impl World {
    /// Puts the template's units on the VMs that the management has just created.
    pub(super) fn furnish_new_vms(&mut self) {
        while let Some(vm) = self.core.unfurnished.pop() {
            install_units(&mut self.core, &mut self.components, &self.blueprint.settings, vm);
            put_template_images(&mut self.core, &self.blueprint, vm);
            if joins_control_plane(self.core.datacenter.vm_mut(vm)) {
                self.furnish_control_plane(vm);
            }
        }
    }

    /// A VM that is to join the control plane: the images of its programs, which the kubelet starts
    /// when their manifests are there. A load balancer finds it by its name.
    fn furnish_control_plane(&mut self, vm: VmId) {
        let local = Address::Here(API_PORT);
        let Settings { etcd, apiserver, controller_manager, scheduler, cloud, .. } =
            &self.blueprint.settings;
        let member = etcd::Etcd::joining(*etcd, Vec::new());
        let server = apiserver::Apiserver::new(*apiserver);
        let (settings, stands_by) = (controller_manager.clone(), Standing::Standby);
        let manager = controller_manager::ControllerManager::new(settings, local, stands_by);
        let scheduler = scheduler::Scheduler::new(*scheduler, local, stands_by);
        let cloud = cloud.clone().map(|settings| {
            let supervisor = Address::Endpoint(MANAGEMENT);
            let cloud = CloudController::new(settings, local, supervisor, stands_by);
            (cloud_controller::PROGRAM, Vec::new(), Process::from(cloud))
        });
        let programs = [
            ("etcd", vec![ETCD_PORT, etcd::PEER_PORT], Process::from(member)),
            ("kube-apiserver", vec![API_PORT], server.into()),
            ("kube-controller-manager", vec![CONTROLLER_MANAGER_PORT], manager.into()),
            ("kube-scheduler", vec![SCHEDULER_PORT], scheduler.into()),
        ];
        let World { core, components, .. } = self;
        for (name, listens, component) in programs.into_iter().chain(cloud) {
            let process = add_process(core, components, vm, name, None, component);
            core.datacenter.processes.get_mut(process).listens = listens;
            core.clusters.insert(process, WORKLOAD_CLUSTER);
            let program = Program::new(process);
            core.datacenter.vm_mut(vm).programs.insert(Text::word(name), program);
        }
        if self.blueprint.load_balancer.is_some() {
            return;
        }
        let name = core.datacenter.vm(vm).name.clone();
        let mut backends = core.datacenter.network.backends(WORKLOAD).to_vec();
        backends.retain(|(other, _)| core.datacenter.vm(*other).name != name);
        backends.push((vm, API_PORT));
        core.datacenter.network.set_endpoint(WORKLOAD, backends);
    }
}

/// What a VM's user data says that it is to become.
fn joins_control_plane(vm: &mut Vm) -> bool {
    let user_data = vm.disk.read("/var/lib/cloud/instance/user-data.txt");
    let join = user_data.and_then(|text| JoinConfiguration::from_user_data(text));
    join.is_some_and(|join| join.control_plane)
}

/// True if an API server has been on this VM since the run began.
fn has_server(core: &Core, vm: VmId) -> bool {
    let mut all = core.datacenter.processes.iter();
    all.any(|(_, process)| process.vm == vm && process.program == "kube-apiserver")
}

/// The images that every VM of the template has, beside those of the control plane's programs.
pub(super) fn put_template_images(core: &mut Core, blueprint: &Blueprint, vm: VmId) {
    let disk = &mut core.datacenter.vm_mut(vm).disk;
    for workload in blueprint.workloads.iter().filter(|workload| workload.image_in_template) {
        put_image(disk, &workload.image);
    }
    // Who tries whether a Deployment becomes ready measures the cluster, and not his image.
    let probes = blueprint.users.iter().flat_map(|users| &users.probes);
    if probes.into_iter().any(|probe| matches!(probe, Probe::Deploy(_))) {
        put_image(disk, prober::deploy::IMAGE);
    }
}

/// The units that every VM of the template has.
///
/// In local mode `kubeadm init`, `join` and `upgrade` alike write the address of the API server beside it
/// into a control plane's kubelet.conf, so it is no matter how the VM came to be one.
pub(super) fn install_units(
    core: &mut Core,
    components: &mut Vec<Process>,
    settings: &Settings,
    vm: VmId,
) {
    let name = core.datacenter.vm(vm).name.clone();
    let is_local = settings.kubeadm.local_mode
        && (has_server(core, vm) || joins_control_plane(core.datacenter.vm_mut(vm)));
    let server = if is_local { Address::Here(API_PORT) } else { Address::Endpoint(WORKLOAD) };
    let kubelet = kubelet::Kubelet::new(settings.kubelet.clone(), server, name);
    let kubeadm = kubeadm::Kubeadm::new(settings.kubeadm, Address::Endpoint(WORKLOAD))
        .with_manifests(&settings.static_pods);
    let units = [
        ("kubelet", Restart::After(settings.unit_restart), Some(KUBELET_PORT), kubelet.into()),
        ("cloud-init", Restart::Never, None, Process::from(kubeadm)),
    ];
    for (unit, restart, port, component) in units {
        let process = add_process(core, components, vm, unit, port, component);
        core.clusters.insert(process, WORKLOAD_CLUSTER);
        let unit_state = Unit { process, restart, wanted: true };
        core.datacenter.vm_mut(vm).units.insert(Text::word(unit), unit_state);
    }
}
