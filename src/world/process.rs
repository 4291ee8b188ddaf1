//! The table of components: one line each.

use super::core::{Core, What};
use crate::client::Elected;
use crate::components::{
    apiserver, bootstrap_provider, cloud_controller, cluster_api, controller_manager, etcd,
    etcdctl, fault_domain_manager, hypervisor, infra_provider, ingress, kubeadm,
    kubeadm_control_plane, kubectl, kubelet, load_balancer, prober, scheduler, vm_operator,
    vsphere_provider,
};
use crate::infra::{Ctx, Effect, Input, ProcessId};
use crate::timeline::Cause;
use std::fmt::Debug;

/// A process written outside this crate: a controller of one's own, a user, a driver.
///
/// It lives on a VM and dies with it; `ctx` is that VM's operating system, and everything else it
/// learns by messages ([`crate::wire::Message`]) over connections that it opens. The repository has an
/// example that is tested, a healer, in `tests/outsider/src/controller.rs`.
pub trait CustomProcess: Debug + Send + Sync {
    /// Reacts to one event; its timers are numbers of its own.
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>);

    /// A copy, for a fork of the world.
    fn clone_box(&self) -> Box<dyn CustomProcess>;
}

/// Any custom process, as a component.
#[derive(Debug)]
pub struct Custom(pub Box<dyn CustomProcess>);

impl Clone for Custom {
    fn clone(&self) -> Custom {
        Custom(self.0.clone_box())
    }
}

impl Custom {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        self.0.on_event(input, ctx);
    }
}

macro_rules! processes {
    ($($name:ident($component:ty, $event:ty) $buffer:ident),* $(,)?) => {
        /// A component of any kind.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub enum Process {
            $($name(Box<$component>)),*
        }

        /// A timer of a component of any kind.
        #[derive(Clone, Debug)]
        pub(super) enum Event {
            $($name($event)),*
        }

        /// What a component asked for, before it is carried out; kept to spare allocations.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Buffers {
            $(pub(super) $buffer: Vec<Effect<$event>>),*
        }

        $(
            impl From<$component> for Process {
                fn from(component: $component) -> Process {
                    Process::$name(Box::new(component))
                }
            }
        )*

        impl Process {
            /// Lets the component react, then carries out what it asked for.
            pub(super) fn play(
                &mut self,
                id: ProcessId,
                what: What,
                cause: Cause,
                core: &mut Core,
                buffers: &mut Buffers,
            ) {
                match self {
                    $(Process::$name(component) => {
                        let input = match what {
                            What::Due(Event::$name(event))
                            | What::Flushed(Event::$name(event)) => Input::Due(event),
                            What::Due(_) | What::Flushed(_) => {
                                unreachable!("a timer returns to who set it")
                            }
                            other => other.into_input(),
                        };
                        let effects = &mut buffers.$buffer;
                        core.with_ctx(id, cause, effects, |ctx| component.on_event(input, ctx));
                        // Most passes of an activity find nothing to do.
                        if effects.is_empty() {
                            return;
                        }
                        let mut effects = std::mem::take(effects);
                        let mut cause = cause;
                        for effect in effects.drain(..) {
                            core.carry_out(id, effect, &mut cause, Event::$name);
                        }
                        buffers.$buffer = effects;
                    })*
                }
            }
        }
    };
}

processes! {
    Etcd(etcd::Etcd, etcd::Event) etcd,
    Apiserver(apiserver::Apiserver, apiserver::Event) apiserver,
    Kubelet(kubelet::Kubelet, kubelet::Event) kubelet,
    Kubeadm(kubeadm::Kubeadm, kubeadm::Event) kubeadm,
    ControllerManager(controller_manager::ControllerManager, controller_manager::Event)
        controller_manager,
    OfMachines(Elected<controller_manager::OfMachines>, controller_manager::OfMachinesEvent) of_machines,
    CloudController(cloud_controller::CloudController, cloud_controller::Event) cloud_controller,
    Scheduler(scheduler::Scheduler, scheduler::Event) scheduler,
    ClusterApi(Elected<cluster_api::ClusterApi>, cluster_api::Event) cluster_api,
    BootstrapProvider(Elected<bootstrap_provider::BootstrapProvider>, bootstrap_provider::Event)
        bootstrap_provider,
    ControlPlaneManager(
        Elected<kubeadm_control_plane::ControlPlaneManager>,
        kubeadm_control_plane::Event
    ) control_plane_manager,
    InfraProvider(Elected<infra_provider::InfraProvider>, infra_provider::Event) infra_provider,
    VSphereProvider(Elected<vsphere_provider::VSphereProvider>, vsphere_provider::Event) vsphere_provider,
    VmOperator(Elected<vm_operator::VmOperator>, vm_operator::Event) vm_operator,
    Hypervisor(hypervisor::Hypervisor, hypervisor::Event) hypervisor,
    FaultDomainManager(
        fault_domain_manager::FaultDomainManager,
        fault_domain_manager::Event
    ) fault_domain_manager,
    Etcdctl(etcdctl::Etcdctl, etcdctl::Event) etcdctl,
    Kubectl(kubectl::Kubectl, kubectl::Event) kubectl,
    LoadBalancer(load_balancer::LoadBalancer, load_balancer::Event) load_balancer,
    Ingress(ingress::Ingress, ingress::Event) ingress,
    AppProber(prober::app::AppProber, prober::app::Event) app_prober,
    ApiProber(prober::api::ApiProber, prober::api::Event) api_prober,
    DeployProber(prober::deploy::DeployProber, prober::deploy::Event) deploy_prober,
    Custom(Custom, u64) custom,
}

impl What {
    /// The same as a component sees it.
    fn into_input<E>(self) -> Input<E> {
        match self {
            What::Started(start) => Input::Started(start),
            What::Tick(activity, _) => Input::Tick(activity),
            What::Message(connection, message) => Input::Message(connection, message),
            What::Broken(connection, how) => Input::Broken(connection, how),
            What::Container(pod, running) => Input::Container(pod, running),
            What::VmChanged(vm) => Input::VmChanged(vm),
            What::Terminate => Input::Terminate,
            What::ProgramEnded(program) => Input::ProgramEnded(program),
            What::FileChanged(path) => Input::FileChanged(path),
            What::Host(news) => Input::Host(news),
            What::Due(_)
            | What::Flushed(_)
            | What::Runtime(..)
            | What::Booted(..)
            | What::Restart(..)
            | What::LivesOn(..)
            | What::Unanswered(..)
            | What::Retransmit(..)
            | What::PingDue(..)
            | What::ProbeDue(..)
            | What::ResendUnheard(..)
            | What::PingOverdue(..) => {
                unreachable!("not an input of a component")
            }
        }
    }
}

impl Core {
    /// Runs `react` in the context of a process.
    pub(super) fn with_ctx<E>(
        &mut self,
        id: ProcessId,
        cause: Cause,
        effects: &mut Vec<Effect<E>>,
        react: impl FnOnce(&mut Ctx<E>),
    ) {
        let (process, vm, inventory) = self.datacenter.host(id);
        let at = (self.now, cause);
        let ctx = Ctx::new(id, at, process, vm, inventory, &self.random, effects);
        react(&mut ctx.with_ledger(self.ledger.as_mut()));
    }
}
