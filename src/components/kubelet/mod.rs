//! The kubelet: registers its Node, renews its Lease, reports status, runs Pods.
//!
//! Two loops show that it lives, and neither knows of the other. It knows its own VM and the Pods
//! bound to it; what becomes of a Node that falls silent is not its business. Follows
//! `k/k:pkg/kubelet` and `k/k:staging/src/k8s.io/component-helpers/apimachinery/lease`.
//!
//! ```text
//! lease loop     tick ── PUT ─ ok ─> rest      5 failures ─> GET, 200 ms .. 7 s apart ─> PUT
//! status loop    tick ── GET ── PATCH if anything changed, or 5 min have passed ─> rest
//! pods           watch ─> image, start ─> Running       deleted ─> stop ─> DELETE grace 0
//! evictions      tick ── disk is full ─> stop a Pod ─> Failed
//! ```

mod eviction;
#[cfg(test)]
mod eviction_tests;
mod forward;
#[cfg(test)]
mod forward_tests;
pub mod images;
#[cfg(test)]
mod images_tests;
mod lease;
pub mod mirror;
#[cfg(test)]
mod mirror_tests;
mod pods;
#[cfg(test)]
mod pods_tests;
mod probes;
#[cfg(test)]
mod probes_tests;
mod restarts;
mod static_pods;
#[cfg(test)]
mod static_pods_tests;
mod status;
#[cfg(test)]
mod status_tests;
pub mod storage;
#[cfg(test)]
mod tests;
mod volumes;
#[cfg(test)]
mod volumes_tests;

pub use eviction::EvictionSettings;
pub use images::ImageSettings;
pub use restarts::{Rechecks, RestartSettings};
pub use static_pods::StaticPodSettings;
pub use status::own_labels;

use crate::api::kinds::Resources;
use crate::api::{Kind, ObjectKey, ProbeKind, Selector, Uid};
use crate::client::{Alarm, Client, ClientSettings, News};
use crate::engine::{
    Activity, Delay, Duration, Generation, Path, Phase, Purpose, Rhythm, SimTime, Text,
};
use crate::infra::{ActivityId, Address, Ctx, Input, Start};
use crate::wire::Message;
use eviction::Evictions;
use forward::Forwards;
use images::{Images, Pull};
use lease::LeaseLoop;
use pods::Pods;
use static_pods::StaticPods;
use status::StatusLoop;
pub use volumes::VolumeSettings;
use volumes::Volumes;

/// How a kubelet behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// How long a heartbeat's request may take.
    pub heartbeat_timeout: Duration,
    /// `nodeLeaseDurationSeconds`.
    pub lease_duration: Duration,
    /// Between the end of one renewal and the next, and by how much it is jittered.
    pub lease_renewal: Duration,
    pub lease_jitter_percent: u64,
    /// Renewals in a row before the Lease is looked up again.
    pub lease_retries: u32,
    /// The pauses of that look-up.
    pub lease_backoff_first: Duration,
    pub lease_backoff_limit: Duration,
    /// `nodeStatusUpdateFrequency` and its jitter.
    pub status_period: Duration,
    pub status_jitter_percent: u64,
    /// `nodeStatusReportFrequency`, and by how much it is more or less once after a change.
    pub status_report: Duration,
    pub status_report_jitter_percent: u64,
    pub status_retries: u32,
    pub eviction: EvictionSettings,
    pub status_reads: StatusReads,
    /// A runtime that was not looked at for longer than this is not healthy.
    pub pleg_threshold: Duration,
    /// How long a kubelet that starts does not know how its runtime is, though it reports; nothing
    /// where it looks before.
    pub runtime_check: Delay,
    /// How often it is looked at.
    pub pleg_period: Duration,
    /// How long a look takes, and how long the kubelet reckons before it looks at this in a report.
    pub pleg_relist: Delay,
    pub registration_first: Duration,
    pub registration_limit: Duration,
    /// From the start of the process until it asks for its registration.
    pub start: Delay,
    pub storage: storage::Settings,
    pub cloud_provider: CloudProvider,
    /// Before the VM's UUID in a `providerID`.
    pub provider_prefix: Text,
    pub version: Text,
    pub resources: Resources,
    /// From hearing of a Pod until its image is asked for.
    pub pod_sync: Delay,
    pub images: ImageSettings,
    pub container_start: Delay,
    /// From SIGTERM until a container has ended, if its grace period is not shorter.
    pub container_stop: Delay,
    pub forced_grace: ForcedGrace,
    /// Between tries to write a Pod's status.
    pub pod_status_retry: Duration,
    /// How often the kubelet puts right what others wrote into a Pod's status.
    pub pod_status_sync: Duration,
    pub volumes: VolumeSettings,
    pub static_pods: StaticPodSettings,
}

/// `--cloud-provider`: who says which machine a Node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudProvider {
    /// The kubelet itself.
    None,
    /// The cloud's controller; until then nothing is scheduled to the Node.
    External,
}

/// Where a kubelet reads its Node before it reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReads {
    /// At the API server, each time.
    Server,
    /// What its own watch showed last, the first time; at the server after a failure.
    OwnWatch,
}

/// How long the containers of a Pod have that was deleted with a grace period of 0, or is evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForcedGrace {
    /// As long as if nobody had said so: 0 counts as no answer.
    Own,
    /// The least that there is, a second.
    Least,
}

/// What a kubelet reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// The process is up.
    Begin,
    /// Register again after a failure.
    Register,
    /// Look the Lease up again after failures.
    EnsureLease,
    /// Storage has become ready, and the kubelet sees it.
    NodeReady,
    /// A Pod's containers can be started.
    StartPod(ObjectKey),
    /// The pull of this number has had its time.
    ImagePulled(u64),
    /// Pull it again after a failure.
    PullAgain(Pull),
    /// Try to write a Pod's status again.
    SyncPod(ObjectKey),
    /// Read a Pod's claim, or whether its volume is attached.
    LookAtVolume(Uid),
    /// A Pod's volume is mounted, or is not any more.
    Mounted(Uid),
    Unmounted(Uid),
    /// The next step of a static Pod's stage.
    StaticPod(Text, Generation),
    /// The kubelet has looked at all containers, this program's among them.
    ProgramSeen(Text),
    /// The grace period of a container without a Pod is over.
    KillOrphan(Text),
    /// Look whether what an evicted Pod has left is cleared away.
    LookAtEvicted(Uid),
    /// A probe has had its time.
    ProbeLate(Text, ProbeKind, u32),
    /// Try to write a mirror Pod again.
    SyncMirror(Text),
    /// Put right what others wrote into a mirror Pod.
    CorrectMirror(Text),
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// What a heartbeat's request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beat {
    Lease(lease::Asked),
    Status(status::Asked),
}

/// A kubelet.
#[derive(Clone, Debug)]
pub struct Kubelet {
    settings: Settings,
    server: Address,
    name: Text,
    /// One connection for everything, heartbeats among it: the real one's clients share a transport
    /// (`pkg/kubelet/certificate/transport.go`), and only the time-outs are the heartbeats' own.
    client: Client<Asked>,
    lease: LeaseLoop,
    status: StatusLoop,
    pods: Pods,
    images: Images,
    volumes: Volumes,
    statics: StaticPods,
    evictions: Evictions,
    forwards: Forwards,
    /// When this process was started.
    started: SimTime,
    /// When it asked for its registration, and for how long it had tried to make its CSINode then.
    storage_asked: SimTime,
    storage_lead: Duration,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Beat(Beat),
    /// Its status was written, or it was deleted.
    Pod(ObjectKey),
    /// Its claim.
    Claim(Uid),
    /// Whether its volume is attached.
    Attached(Uid),
    /// The mirror Pod of a static Pod; true if it was to be made.
    Mirror(Text, bool),
}

const LEASE: ActivityId = ActivityId(0);
const STATUS: ActivityId = ActivityId(1);
const AGENT: &str = "kubelet";
const START: Purpose = Purpose(13);
const CONFIG: &str = "/var/lib/kubelet/config.yaml";

impl Kubelet {
    /// The kubelet of a VM; its Node has the VM's name.
    pub fn new(settings: Settings, server: Address, name: Text) -> Kubelet {
        Kubelet {
            client: Client::new(0, server, settings.client),
            lease: LeaseLoop::default(),
            status: StatusLoop::default(),
            pods: Pods::default(),
            images: Images::default(),
            volumes: Volumes::default(),
            statics: StaticPods::default(),
            evictions: Evictions::default(),
            forwards: Forwards::default(),
            started: SimTime::ZERO,
            storage_asked: SimTime::ZERO,
            storage_lead: Duration::ZERO,
            settings,
            server,
            name,
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        match input {
            Input::Started(start) => return self.start(start, ctx),
            Input::Tick(LEASE) => return self.renew_lease(ctx),
            Input::Tick(STATUS) => return self.sync_status(ctx),
            Input::Tick(eviction::PASS) => return self.eviction_pass(ctx),
            Input::Tick(activity) => return self.probe(activity, ctx),
            Input::Message(from, Message::Forward(id, call)) => {
                return self.forward(from, id, call, ctx);
            }
            Input::Message(from, message) => {
                if self.forward_answered(from, &message, ctx) {
                    return;
                }
                if self.probe_answered(from, &message, ctx) {
                    return;
                }
                self.client.on_message(ctx, from, message, &mut news);
            }
            Input::Broken(connection, how) => {
                self.forward_broken(connection, ctx);
                self.probe_broken(connection, how, ctx);
                self.client.on_broken(ctx, connection, how, &mut news);
            }
            Input::Container(pod, running) => return self.container_changed(pod, running, ctx),
            Input::Due(Event::Client(alarm)) => self.client.on_alarm(ctx, alarm, &mut news),
            Input::Due(Event::Begin) => return self.begin(Start::Fresh, ctx),
            Input::Due(Event::Register) => self.register(ctx),
            Input::Due(Event::EnsureLease) => self.ensure_lease(ctx),
            Input::Due(Event::NodeReady) => self.node_became_ready(ctx),
            Input::Due(Event::StartPod(key)) => self.start_pod(&key, ctx),
            Input::Due(Event::ImagePulled(number)) => self.image_pulled(number, ctx),
            Input::Due(Event::PullAgain(pull)) => self.pull_again(pull, ctx),
            Input::Due(Event::SyncPod(key)) => self.sync_pod(&key, ctx),
            Input::VmChanged(_) | Input::Host(_) | Input::Terminate => {}
            Input::ProgramEnded(program) => return self.program_ended(&program, ctx),
            Input::FileChanged(_) => return self.read_manifests(Start::Fresh, ctx),
            Input::Due(Event::StaticPod(name, due)) => self.static_pod_due(&name, due, ctx),
            Input::Due(Event::ProgramSeen(name)) => self.program_seen(&name, ctx),
            Input::Due(Event::LookAtEvicted(pod)) => self.look_at_evicted(pod, ctx),
            Input::Due(Event::KillOrphan(name)) => self.kill_orphan(name, ctx),
            Input::Due(Event::ProbeLate(name, kind, number)) => {
                self.probe_late(&name, kind, number, ctx);
            }
            Input::Due(Event::SyncMirror(name)) => self.sync_mirror(&name, ctx),
            Input::Due(Event::CorrectMirror(name)) => self.correct_mirror(&name, ctx),
            Input::Due(Event::LookAtVolume(pod)) => self.look_at_volume(pod, ctx),
            Input::Due(Event::Mounted(pod)) => self.volume_mounted(pod, ctx),
            Input::Due(Event::Unmounted(pod)) => self.volume_unmounted(pod, ctx),
        }
        for item in news {
            self.on_news(item, ctx);
        }
    }

    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = Kubelet::new(self.settings.clone(), self.server, self.name.clone());
        self.started = ctx.now();
        if ctx.disk().read(CONFIG).is_none() {
            ctx.log(format!(
                "\"command failed\" err=\"failed to load kubelet config file, error: failed to \
                 load Kubelet config file {CONFIG}, error failed to read kubelet config file \
                 \\\"{CONFIG}\\\", error: open {CONFIG}: no such file or directory, path: {CONFIG}\""
            ));
            return ctx.exit();
        }
        let time = match start {
            Start::Steady => Duration::ZERO,
            Start::Fresh => ctx.draw_delay(START, self.settings.start),
        };
        match time.is_zero() {
            true => self.begin(start, ctx),
            false => ctx.after("kubernetes.kubeletStart", time, Event::Begin),
        }
    }

    fn begin(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        self.start_evictions(start, ctx);
        self.start_status(start, ctx);
        self.start_lease(start, ctx);
        self.start_pods(start, ctx);
        self.start_static_pods(start, ctx);
        self.client.watch(ctx, Kind::Pod, Selector::OnNode(self.name.clone()));
        self.client.watch(ctx, Kind::Node, Selector::Named(self.name.clone()));
        let phase = match start {
            Start::Steady => Phase::Stationary,
            Start::Fresh => Phase::Now,
        };
        let Settings { lease_renewal, lease_jitter_percent, .. } = self.settings;
        let Settings { status_period, status_jitter_percent, .. } = self.settings;
        for (id, rule, period, jitter_percent) in [
            (LEASE, "kubernetes.nodeLeaseRenewInterval", lease_renewal, lease_jitter_percent),
            (STATUS, "kubernetes.nodeStatusUpdateFrequency", status_period, status_jitter_percent),
        ] {
            let rhythm = Rhythm::AfterEnd;
            let path = Path::Server;
            ctx.every(id, Activity { rule, period, jitter_percent, rhythm, path }, phase);
        }
    }

    fn on_news(&mut self, news: News<Asked>, ctx: &mut Ctx<Event>) {
        match news {
            News::Changed(delta) if delta.object().meta.is_mirror() => {
                self.mirror_changed(delta.key(), ctx);
            }
            News::Changed(delta) if delta.key().kind == Kind::Pod => self.pod_changed(&delta, ctx),
            News::Synced(Kind::Pod) => {
                self.kill_orphans(ctx);
                self.sources_are_ready(ctx);
            }
            News::Changed(_) | News::Synced(Kind::Node) => self.look_at_volumes(ctx),
            News::Synced(_) => {}
            News::Answer(Asked::Beat(Beat::Lease(asked)), answered) => {
                self.lease_answered(asked, answered, ctx);
            }
            News::Answer(Asked::Beat(Beat::Status(asked)), answered) => {
                self.status_answered(asked, answered, ctx);
            }
            News::Answer(Asked::Pod(key), answered) => {
                self.pod_written(&key, answered.is_ok(), ctx);
            }
            News::Answer(Asked::Claim(pod), answered) => self.claim_read(pod, &answered, ctx),
            News::Answer(Asked::Mirror(name, creates), answered) => {
                self.mirror_written(&name, creates, &answered, ctx);
            }
            News::Answer(Asked::Attached(pod), answered) => {
                self.attachment_read(pod, &answered, ctx);
            }
        }
    }
}
