//! Floor 4: one folder per process. They never import each other.

pub mod apiserver;
pub mod bootstrap_provider;
pub mod cloud_controller;
pub mod cluster_api;
pub mod controller_manager;
pub mod etcd;
pub mod etcdctl;
pub mod fault_domain_manager;
pub mod hypervisor;
pub mod infra_provider;
pub mod ingress;
pub mod kubeadm;
pub mod kubeadm_control_plane;
pub mod kubectl;
pub mod kubelet;
pub mod load_balancer;
pub mod prober;
pub mod scheduler;
pub mod vm_operator;
pub mod vsphere_provider;
