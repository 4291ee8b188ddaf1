//! kube-controller-manager: one process, one client, several controllers.
//!
//! The manager hands news from its informers to whoever cares; what each controller wants is in its own
//! file. Everything it knows is in its memory and is gone with it. Of several one leads (`leading`).

mod attach_detach;
#[cfg(test)]
mod attach_detach_tests;
mod bootstrap;
#[cfg(test)]
mod bootstrap_tests;
mod claims;
mod daemon_set;
mod deployment;
mod disruption;
#[cfg(test)]
mod disruption_tests;
mod endpoint_slice;
#[cfg(test)]
mod endpoint_slice_tests;
mod expectations;
mod garbage;
mod job;
mod job_orphans;
mod job_pods;
mod leading;
#[cfg(test)]
mod leading_tests;
mod news;
mod node_lifecycle;
mod of_machines;
mod pace;
mod pod_gc;
mod replica_set;
mod stale_disruptions;
mod stateful_set;
mod taint_eviction;
#[cfg(test)]
mod tests;

pub use attach_detach::VolumeSettings;
pub use daemon_set::{Settings as DaemonSetSettings, Suits};
pub use daemon_set::{suits as daemon_suits, tolerations as daemon_tolerations};
pub use deployment::ScalingWords;
pub use job::{Completion, Settings as JobSettings, TRACKING, Termination};
pub use node_lifecycle::NoExecute;
pub use of_machines::{Event as OfMachinesEvent, OfMachines};
pub use pace::TaintEvictionClient;

use crate::api::{Answered, Kind, ObjectKey, Verb};
use crate::client::{
    Alarm, Backoff, Client, ClientSettings, Clients, ElectionSettings, Flight, LeaderElection,
    News, Shell, ShellSettings, Standing, Turn, Work,
};
use crate::engine::{Delay, Duration, Text};
use crate::infra::{ActivityId, Address, Ctx, Input};
use crate::wire::Message;
use attach_detach::AttachDetach;
use bootstrap::Bootstrap;
use daemon_set::DaemonSetController;
use deployment::DeploymentController;
use disruption::DisruptionController;
use endpoint_slice::EndpointSliceController;
use garbage::GarbageCollector;
use job::JobController;
use job_orphans::JobOrphans;
use node_lifecycle::NodeLifecycle;
use pod_gc::PodGc;
use replica_set::ReplicaSetController;
use stale_disruptions::StaleDisruptions;
use stateful_set::StatefulSetController;
use taint_eviction::TaintEviction;

/// How the controllers behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    pub shell: ShellSettings,
    /// How many objects the garbage collector looks at at once (`--concurrent-gc-syncs`).
    pub garbage_workers: usize,
    /// Whether the cluster has Machines of its own, which own each other.
    pub has_machines: bool,
    /// `--node-monitor-period`, counted from the end of a pass.
    pub monitor_period: Duration,
    /// How long a pass runs.
    pub monitor_pass: Delay,
    /// `--node-monitor-grace-period`.
    pub grace_period: Duration,
    /// `--node-startup-grace-period`.
    pub startup_grace_period: Duration,
    /// Whether a Node is queued for its `NoExecute` taint in the pass in which it turned Unknown
    /// (from 1.34), or in the next.
    pub no_execute: NoExecute,
    /// Between two `NoExecute` taints in a healthy zone (`--node-eviction-rate`), and in a large
    /// zone that is partly disrupted (`--secondary-node-eviction-rate`).
    pub eviction_interval: Duration,
    pub secondary_eviction_interval: Duration,
    /// More Nodes than this are a large zone.
    pub large_zone: usize,
    /// From this share of unready Nodes on, a zone is partly disrupted.
    pub unhealthy_zone_percent: usize,
    pub taint_pass_period: Duration,
    pub pod_gc_period: Duration,
    pub pod_gc_quarantine: Duration,
    /// How volumes are moved from Node to Node.
    pub volumes: VolumeSettings,
    /// How long a pass of the Pod garbage collector takes.
    pub pod_gc_pass: Delay,
    /// By how much its delaying queue is late.
    pub pod_gc_hand_over: Delay,
    /// For how long a granted eviction may fail to show before its Pod counts again.
    pub disrupted_pod_timeout: Duration,
    /// For how long a Pod that stays may be marked as one that is to be disrupted.
    pub stale_pod_disruption_timeout: Duration,
    /// Between two requests, and how many may go at once (`--kube-api-qps`, `--kube-api-burst`).
    pub request_interval: Duration,
    pub request_burst: u64,
    pub taint_eviction_client: TaintEvictionClient,
    /// Tries of a write that fails, and the pause between them.
    pub write_retries: u32,
    pub write_retry_pause: Duration,
    /// Tries to delete a Pod for a taint, and the pause between them.
    pub evict_tries: u32,
    pub evict_pause: Duration,
    pub daemon_set: daemon_set::Settings,
    /// For how long a controller waits to be shown what it did to a workload's Pods.
    pub expectations_timeout: Duration,
    pub job: job::Settings,
    pub scaling_words: ScalingWords,
    /// The pause after a Service whose endpoints could not all be written, and the longest.
    pub endpoint_slice_backoff: Backoff,
    /// From a change of tokens or `cluster-info` until the new signatures are asked to be written.
    pub signing: Delay,
    pub election: ElectionSettings,
    /// From a process's start until it has read its settings.
    pub startup: Delay,
    /// For how long it then waits for whom to trust; none if its manifest names the files.
    pub lookup_timeout: Option<Duration>,
}

/// What the manager reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    Work(Work),
    /// A monitor pass is over.
    PassEnded,
    PodGcPassEnded,
    /// Judge a Node again whose health could not be written.
    RetryHealth(Text),
    /// A Pod's tolerated time is over, if this is still its timer.
    Evict(ObjectKey, u32),
    /// Some volume may not be where it is wanted.
    VolumePass,
    /// The attacher has done what it was to do with a volume on a Node.
    VolumeAttached(attach_detach::Place),
    VolumeDetached(attach_detach::Place),
    /// The signatures in `cluster-info` are computed.
    Sign,
    /// A bootstrap token's time may be over.
    TokenDue(ObjectKey),
    /// The new process has read its settings.
    Initialized,
}

impl Event {
    fn alarm(&self) -> Option<Alarm> {
        match self {
            Event::Client(alarm) => Some(*alarm),
            _ => None,
        }
    }
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

impl From<Work> for Event {
    fn from(work: Work) -> Event {
        Event::Work(work)
    }
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Flight(Flight),
    /// A Node that was seen for the first time has lost its `NoExecute` taints.
    Freed(Text),
    /// A Node's conditions were written Unknown.
    Health(Text),
    /// They could not be: how it is now.
    HealthRead(Text),
    /// A Pod of a Node that is not ready any more was marked as that.
    PodMark(Text),
    /// A pass over the Nodes has changed `NoExecute` taints: it waits for that, and the next looks again.
    PassTaint,
    /// A Node's `NoSchedule` taints were made what they are to be.
    NoSchedule(Text),
    Eviction(ObjectKey, taint_eviction::Asked),
    PodGc(pod_gc::Asked),
    Volume(attach_detach::Place, attach_detach::Asked),
    /// Its answer changes nothing: the next pass looks again.
    Unheeded,
    /// Whom to trust as a front proxy: who has to ask does not begin without.
    Authentication,
}

impl From<Flight> for Token {
    fn from(flight: Flight) -> Token {
        Token::Flight(flight)
    }
}

/// The manager.
#[derive(Clone, Debug)]
pub struct ControllerManager {
    settings: Settings,
    server: Address,
    standing: Standing,
    election: LeaderElection,
    /// The controllers run.
    works: bool,
    clients: Clients<Token>,
    node_lifecycle: NodeLifecycle,
    taint_eviction: TaintEviction,
    pod_gc: PodGc,
    garbage: Shell<GarbageCollector>,
    volumes: AttachDetach,
    bootstrap: Bootstrap,
    deployments: Shell<DeploymentController>,
    replica_sets: Shell<ReplicaSetController>,
    stateful_sets: Shell<StatefulSetController>,
    daemon_sets: Shell<DaemonSetController>,
    jobs: Shell<JobController>,
    job_orphans: Shell<JobOrphans>,
    budgets: Shell<DisruptionController>,
    stale_disruptions: Shell<StaleDisruptions>,
    endpoint_slices: Shell<EndpointSliceController>,
}

const MONITOR: ActivityId = ActivityId(0);
const TAINT_PASS: ActivityId = ActivityId(1);
const POD_GC: ActivityId = ActivityId(2);

const DEPLOYMENTS: u8 = 0;
const REPLICA_SETS: u8 = 1;
const STATEFUL_SETS: u8 = 2;
const DAEMON_SETS: u8 = 3;
const JOBS: u8 = 4;
const BUDGETS: u8 = 5;
const ENDPOINT_SLICES: u8 = 6;
const JOB_ORPHANS: u8 = 7;
const GARBAGE: u8 = 8;
const STALE_DISRUPTIONS: u8 = 9;

/// What the manager watches.
const WATCHED: [Kind; 13] = [
    Kind::Node,
    Kind::Lease,
    Kind::Pod,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::PodDisruptionBudget,
    Kind::Service,
    Kind::EndpointSlice,
    Kind::PersistentVolumeClaim,
    Kind::VolumeAttachment,
];

impl ControllerManager {
    /// A manager with its API server, and how it stands if the run begins with it.
    pub fn new(settings: Settings, server: Address, standing: Standing) -> ControllerManager {
        let shell = settings.shell;
        let election =
            LeaderElection::new(leading::CLIENT, server, leading::PROGRAM, settings.election);
        ControllerManager {
            clients: Clients {
                local: Client::new(0, server, settings.client).paced(settings.pace()),
                remote: None,
                remote_limit: None,
            },
            node_lifecycle: NodeLifecycle::default(),
            taint_eviction: TaintEviction::default(),
            pod_gc: PodGc::default(),
            garbage: Shell::new(GARBAGE, GarbageCollector::default(), settings.garbage_shell()),
            volumes: AttachDetach::default(),
            bootstrap: Bootstrap::new(&settings, server),
            deployments: Shell::new(
                DEPLOYMENTS,
                DeploymentController::new(settings.scaling_words),
                shell,
            ),
            replica_sets: Shell::new(
                REPLICA_SETS,
                ReplicaSetController::new(settings.expectations_timeout),
                shell,
            ),
            stateful_sets: Shell::new(STATEFUL_SETS, StatefulSetController::default(), shell),
            daemon_sets: Shell::new(
                DAEMON_SETS,
                DaemonSetController::new(settings.daemon_set, settings.expectations_timeout),
                shell,
            ),
            jobs: Shell::new(
                JOBS,
                JobController::new(settings.job, settings.expectations_timeout),
                ShellSettings { backoff: settings.job.api_backoff, rules: job::RULES, ..shell },
            ),
            job_orphans: Shell::new(JOB_ORPHANS, JobOrphans, shell),
            endpoint_slices: Shell::new(
                ENDPOINT_SLICES,
                EndpointSliceController,
                ShellSettings {
                    backoff: settings.endpoint_slice_backoff,
                    rules: endpoint_slice::RULES,
                    ..shell
                },
            ),
            budgets: Shell::new(
                BUDGETS,
                DisruptionController::new(settings.disrupted_pod_timeout),
                shell,
            ),
            stale_disruptions: Shell::new(
                STALE_DISRUPTIONS,
                StaleDisruptions::new(settings.stale_pod_disruption_timeout),
                ShellSettings { workers: 1, rules: stale_disruptions::RULES, ..shell },
            ),
            settings,
            server,
            standing,
            election,
            works: false,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        let Some(input) = self.election_input(input, ctx) else { return };
        let Some(input) = self.bootstrap_input(input, ctx) else { return };
        let client = &mut self.clients.local;
        match input {
            Input::Started(_) | Input::Due(Event::Initialized) => {}
            Input::Tick(TAINT_PASS) => return self.taint_pass(ctx),
            Input::Tick(MONITOR) => return self.monitor_pass(ctx),
            Input::Tick(_) => return self.pod_gc_pass(ctx),
            // Simplified: `/healthz` does not look at the Lease; who loses it exits anyway.
            Input::Message(from, Message::HealthCheck(id, _)) => {
                return ctx.send(from, Message::Health(id, 200, Text::EMPTY));
            }
            Input::Message(from, message) => client.on_message(ctx, from, message, &mut news),
            Input::Broken(connection, how) => client.on_broken(ctx, connection, how, &mut news),
            Input::Due(Event::Client(alarm)) => client.on_alarm(ctx, alarm, &mut news),
            Input::Due(Event::Work(work)) => return self.work(&work, ctx),
            Input::Due(Event::PassEnded) => return self.pass_ended(ctx),
            Input::Due(Event::PodGcPassEnded) => return ctx.rest(POD_GC),
            Input::Due(Event::RetryHealth(node)) => return self.judge_again(&node, ctx),
            Input::Due(Event::Evict(pod, timer)) => return self.evict(&pod, timer, ctx),
            Input::Due(Event::Sign | Event::TokenDue(_)) => {}
            Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
            Input::Due(Event::VolumePass) => return self.volume_pass(ctx),
            Input::Due(Event::VolumeAttached(place)) => return self.volume_attached(place, ctx),
            Input::Due(Event::VolumeDetached(place)) => return self.volume_detached(place, ctx),
        }
        for item in news {
            match item {
                News::Changed(delta) => self.on_change(&delta, ctx),
                News::Answer(token, answered) => self.on_answer(token, answered, ctx),
                News::Synced(_) => {
                    self.garbage_synced(ctx);
                    self.begin_passes(ctx);
                }
            }
        }
    }

    fn on_answer(&mut self, token: Token, answered: Answered, ctx: &mut Ctx<Event>) {
        match token {
            Token::Flight(Flight { controller, key }) => {
                self.resume(controller, &key, answered, ctx);
            }
            Token::Freed(node) => self.freed(&node, ctx),
            Token::Health(node) => self.health_written(&node, &answered, ctx),
            Token::HealthRead(node) => self.health_read(&node, answered, ctx),
            Token::PodMark(node) => self.pod_marked(node, &answered, ctx),
            Token::PassTaint => self.pass_answered(ctx),
            Token::NoSchedule(node) => self.no_schedule_changed(&node, ctx),
            Token::Eviction(pod, asked) => self.eviction_answered(&pod, asked, &answered, ctx),
            Token::PodGc(asked) => self.pod_gc_answered(asked, &answered, ctx),
            Token::Volume(place, asked) => self.volume_answered(place, asked, &answered, ctx),
            Token::Unheeded => {}
            Token::Authentication => self.authentication_read(&answered, ctx),
        }
    }

    fn resume(
        &mut self,
        controller: u8,
        key: &ObjectKey,
        answered: Answered,
        ctx: &mut Ctx<Event>,
    ) {
        let clients = &mut self.clients;
        match controller {
            DEPLOYMENTS => self.deployments.on_answer(ctx, key, answered, clients),
            REPLICA_SETS => self.replica_sets.on_answer(ctx, key, answered, clients),
            STATEFUL_SETS => self.stateful_sets.on_answer(ctx, key, answered, clients),
            DAEMON_SETS => self.daemon_sets.on_answer(ctx, key, answered, clients),
            BUDGETS => self.budgets.on_answer(ctx, key, answered, clients),
            ENDPOINT_SLICES => self.endpoint_slices.on_answer(ctx, key, answered, clients),
            JOB_ORPHANS => self.job_orphans.on_answer(ctx, key, answered, clients),
            GARBAGE => self.garbage.on_answer(ctx, key, answered, clients),
            STALE_DISRUPTIONS => self.stale_disruptions.on_answer(ctx, key, answered, clients),
            _ => self.jobs.on_answer(ctx, key, answered, clients),
        }
    }

    fn work(&mut self, work: &Work, ctx: &mut Ctx<Event>) {
        let clients = &mut self.clients;
        match work.controller {
            DEPLOYMENTS => self.deployments.on_work(ctx, work, clients),
            REPLICA_SETS => self.replica_sets.on_work(ctx, work, clients),
            STATEFUL_SETS => self.stateful_sets.on_work(ctx, work, clients),
            DAEMON_SETS => self.daemon_sets.on_work(ctx, work, clients),
            BUDGETS => self.budgets.on_work(ctx, work, clients),
            ENDPOINT_SLICES => self.endpoint_slices.on_work(ctx, work, clients),
            JOB_ORPHANS => self.job_orphans.on_work(ctx, work, clients),
            GARBAGE => self.garbage.on_work(ctx, work, clients),
            STALE_DISRUPTIONS => self.stale_disruptions.on_work(ctx, work, clients),
            _ => self.jobs.on_work(ctx, work, clients),
        }
    }

    fn ask(&mut self, agent: &'static str, verb: Verb, token: Token, ctx: &mut Ctx<Event>) {
        self.clients.local.ask(ctx, agent, verb, token);
    }

    /// Asks likewise, at its turn.
    fn ask_in_turn(
        &mut self,
        agent: &'static str,
        verb: Verb,
        token: Token,
        turn: Turn,
        ctx: &mut Ctx<Event>,
    ) {
        self.clients.local.ask_in_turn(ctx, agent, verb, token, turn);
    }
}

/// The key of an object beside another, in its namespace.
fn sibling(key: &ObjectKey, kind: Kind, name: &Text) -> ObjectKey {
    ObjectKey { kind, namespace: key.namespace.clone(), name: name.clone() }
}
