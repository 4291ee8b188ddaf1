//! cloud-init with kubeadm: makes a Node out of a VM at its first boot.
//!
//! It reads what lies on its VM's disk and asks the cluster's endpoint; whose VM this is, and whether
//! it ever was a Node under this name, it does not know. Follows `k/k:cmd/kubeadm/app/discovery/token`
//! and the script around kubeadm of Cluster API's bootstrap provider.
//!
//! ```text
//! first boot ─> checks ─> discovery ─ trusted ─> TLS bootstrap, kubelet ─> done
//!                  ^         └ 5 min ─> failed ─> pause ┐   (with the script, some tries)
//!                  └────────────────────────────────────┴─> too many ─> reset
//! ```
//! Simplified: of what follows discovery a worker's part is one delay and does not fail; the second
//! look at `cluster-info`, with the pinned certificate, is not played.

mod control_plane;
#[cfg(test)]
mod control_plane_tests;
mod discovery;
mod reset;
#[cfg(test)]
mod reset_tests;
#[cfg(test)]
mod tests;

use crate::api::{JoinConfiguration, RetryJoin, StaticPodManifest, rfc3339};
use crate::client::{Alarm, Api, Incoming, RetrySettings};
use crate::engine::{Delay, Duration, Purpose, Text};
use crate::infra::{Address, Ctx, Input, NoSpace};
pub use control_plane::EtcdJoin;
use control_plane::{ControlPlaneJoin, Manifests};
use discovery::Discovery;
pub use discovery::{Rhythm, Wording};
use std::sync::Arc;

/// How joining goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// kubeadm's checks before it asks the cluster.
    pub checks: Delay,
    /// Between two looks at `cluster-info`, and when they come.
    pub retry: Duration,
    pub rhythm: Rhythm,
    /// How long one look may take.
    pub request_timeout: Duration,
    pub retries: RetrySettings,
    /// How long discovery goes on.
    pub limit: Duration,
    pub wording: Wording,
    /// From trust in the cluster until the kubelet is started with its configuration.
    pub join: Delay,
    /// Between two looks for the Node of a kubelet that was started, and for how long it is waited for.
    pub node_retry: Duration,
    pub node_limit: Duration,
    pub etcd: EtcdJoin,
    /// Whether the kubelet of a control plane that joins asks the API server beside it (feature gate
    /// ControlPlaneKubeletLocalMode): then its Node comes after its etcd member.
    pub local_mode: bool,
}

/// What it reacts to besides messages. Where a number stands, it is the try that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// The checks are through.
    Checked,
    /// Look at `cluster-info` again.
    Look(u32),
    /// Discovery has gone on for long enough.
    Limit(u32),
    /// The script's pause is over.
    Again,
    Joined,
    /// Start the kubelet again, after a pause of the script.
    StartKubelet,
    /// Look for the kubelet's Node again.
    SeekNode,
    /// List the Pods of etcd's members again.
    ListMembers,
    /// Ask an etcd member again, if nothing was asked since.
    AskMember(u32),
    /// Label and taint the Node again.
    Mark,
}

/// What a request to the API server was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// `cluster-info`, and the try that it belongs to.
    Info(u32),
    /// The Node that the kubelet makes.
    Registered,
    /// The Pods of etcd's members.
    Members,
    Node,
    Marked,
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// The first boot's work.
#[derive(Clone, Debug)]
pub struct Kubeadm {
    settings: Settings,
    server: Address,
    api: Api<Asked>,
    /// What the user data says, where it names a token.
    configuration: Option<JoinConfiguration>,
    /// Tries of the join, this one included.
    tries: u32,
    discovery: Option<Discovery>,
    manifests: Manifests,
    /// What a control plane has besides a kubelet is there: its certificates, and a way to the cluster.
    is_prepared: bool,
    plane: ControlPlaneJoin,
    /// How often the kubelet was started in vain.
    failed_starts: u32,
}

const JOIN: Purpose = Purpose(0);
const CHECKS: Purpose = Purpose(1);
const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";
/// Where cloud-init notes that the first boot is behind it.
const DONE: &str = "/var/lib/cloud/instance/boot-finished";
/// cloud-init writes it before it runs the script, and never runs one again whose it finds: a VM that
/// loses its power while it joins does not join any more.
const BEGUN: &str = "/var/lib/cloud/instance/sem/config_scripts_user";
/// What the kubelet needs before it can run.
const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";
const PREFLIGHT: &str = "kubeadm join phase preflight \
                         --ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests";
const KUBELET_START: &str = "kubeadm join phase kubelet-start";

impl Kubeadm {
    /// cloud-init as it lies in the template, with the cluster's endpoint.
    pub fn new(settings: Settings, server: Address) -> Kubeadm {
        Kubeadm {
            settings,
            server,
            api: Api::new(0, server, settings.request_timeout, settings.retries),
            configuration: None,
            tries: 0,
            discovery: None,
            manifests: Arc::new([]),
            is_prepared: false,
            plane: ControlPlaneJoin::default(),
            failed_starts: 0,
        }
    }

    /// The same with what it writes for a control plane.
    pub fn with_manifests(self, manifests: &[StaticPodManifest]) -> Kubeadm {
        Kubeadm { manifests: manifests.into(), ..self }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(_) => self.start(ctx),
            Input::Due(Event::Checked) => self.discover(ctx),
            Input::Due(Event::Look(of)) if self.is_discovering(of) => self.look(ctx),
            Input::Due(Event::Limit(of)) if self.is_discovering(of) => self.give_up(ctx),
            Input::Due(Event::Again) => self.again(ctx),
            Input::Due(Event::Joined) => self.joined(ctx),
            Input::Due(Event::StartKubelet) => self.start_kubelet_again(ctx),
            Input::Due(Event::SeekNode) => self.seek_node(ctx),
            Input::Due(Event::ListMembers) => self.find_members(ctx),
            Input::Due(Event::AskMember(made)) => self.ask_member(made, ctx),
            Input::Due(Event::Mark) => self.mark_again(ctx),
            Input::Due(Event::Client(alarm)) => {
                for incoming in self.api.on_alarm(ctx, alarm.ring) {
                    self.heard(incoming, ctx);
                }
            }
            Input::Message(from, message) => {
                if self.member_answered(from, &message, ctx) {
                    return;
                }
                if let Some(incoming) = self.api.on_message(ctx, from, message) {
                    self.heard(incoming, ctx);
                }
            }
            Input::Broken(connection, how) => {
                if self.member_broken(connection, ctx) {
                    return;
                }
                for incoming in self.api.on_broken(ctx, connection, how) {
                    self.heard(incoming, ctx);
                }
            }
            Input::Due(_)
            | Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn start(&mut self, ctx: &mut Ctx<Event>) {
        let manifests = self.manifests.clone();
        *self = Kubeadm { manifests, ..Kubeadm::new(self.settings, self.server) };
        let has_run = [BEGUN, DONE].iter().any(|path| ctx.disk().read(path).is_some());
        let user_data = ctx.disk().read(USER_DATA).cloned().unwrap_or_default();
        if has_run || !user_data.contains("kubeadm join") {
            return ctx.exit();
        }
        // Without room for it the script runs all the same, and would again.
        let _ = ctx.write(BEGUN, "");
        self.configuration = JoinConfiguration::from_user_data(&user_data);
        match self.configuration {
            Some(_) => self.try_to_join(ctx),
            // Where nobody hands out tokens, trust comes with the VM.
            None => self.trusted(ctx),
        }
    }

    fn try_to_join(&mut self, ctx: &mut Ctx<Event>) {
        self.tries += 1;
        self.say_phase("running", PREFLIGHT, ctx);
        ctx.log("[preflight] Running pre-flight checks");
        let checks = ctx.draw_delay(CHECKS, self.settings.checks);
        ctx.after("kubernetes.joinChecks", checks, Event::Checked);
    }

    fn heard(&mut self, incoming: Incoming<Asked>, ctx: &mut Ctx<Event>) {
        let Incoming::Answer(asked, answered) = incoming else { return };
        match asked {
            Asked::Info(of) if self.is_discovering(of) => self.looked(answered, ctx),
            Asked::Info(_) => {}
            Asked::Registered => self.node_sought(&answered, ctx),
            Asked::Members => self.members_listed(answered, ctx),
            Asked::Node => self.node_read(answered, ctx),
            Asked::Marked => self.node_marked(&answered, ctx),
        }
    }

    /// The cluster is who it says it is, or cannot be anybody else.
    fn trusted(&mut self, ctx: &mut Ctx<Event>) {
        self.discovery = None;
        if self.configuration.is_some() {
            self.say_phase("kubeadm reported successful execution for", PREFLIGHT, ctx);
            self.say_phase("running", KUBELET_START, ctx);
        }
        let join = ctx.draw_delay(JOIN, self.settings.join);
        ctx.after("infra.joinWorker", join, Event::Joined);
    }

    fn joined(&mut self, ctx: &mut Ctx<Event>) {
        if self.configuration.as_ref().is_some_and(|join| join.control_plane) {
            return self.prepare_control_plane(ctx);
        }
        if let Err(full) = ctx.write(KUBELET_CONFIG, "kind: KubeletConfiguration") {
            return self.no_space("kubelet-start", KUBELET_CONFIG, full, ctx);
        }
        ctx.log("This node has joined the cluster:");
        ctx.start_unit("kubelet");
        finish(ctx);
    }

    /// kubeadm has exited with an error; the script, if there is one, tries again after a pause.
    fn failed(&mut self, ctx: &mut Ctx<Event>) {
        self.discovery = None;
        self.api.disconnect(ctx);
        ctx.log("To see the stack trace of this error execute with --v=5 or higher");
        let Some(RetryJoin { pause, .. }) = self.script() else { return finish(ctx) };
        self.say_failed(PREFLIGHT, ctx);
        ctx.after("clusterApi.retryJoinPause", pause, Event::Again);
    }

    /// The script's pause is over; it makes one after the last try too.
    fn again(&mut self, ctx: &mut Ctx<Event>) {
        match self.script() {
            Some(RetryJoin { tries, .. }) if self.tries >= tries => self.die(TOO_MANY, ctx),
            _ => self.try_to_join(ctx),
        }
    }

    /// kubeadm cannot write a file.
    fn no_space(&mut self, phase: &str, path: &str, full: NoSpace, ctx: &mut Ctx<Event>) {
        self.api.disconnect(ctx);
        ctx.log(format!("error execution phase {phase}: failed to write {path}: {full}"));
        self.kubelet_not_started(ctx);
    }

    /// The kubelet was started, and has not come into the cluster.
    fn kubelet_failed(&mut self, error: &str, ctx: &mut Ctx<Event>) {
        ctx.log(format!("error execution phase kubelet-start: {error}"));
        self.kubelet_not_started(ctx);
    }

    /// The script, if there is one, tries this phase again too.
    ///
    /// Simplified: it does not look at `cluster-info` again before that.
    fn kubelet_not_started(&mut self, ctx: &mut Ctx<Event>) {
        ctx.log("To see the stack trace of this error execute with --v=5 or higher");
        let Some(RetryJoin { pause, .. }) = self.script() else { return finish(ctx) };
        self.say_failed(KUBELET_START, ctx);
        self.failed_starts += 1;
        ctx.after("clusterApi.retryJoinPause", pause, Event::StartKubelet);
    }

    /// kubeadm stops a kubelet before it starts one with what it writes.
    fn start_kubelet_again(&mut self, ctx: &mut Ctx<Event>) {
        let limit = self.script().map_or(0, |script| script.tries);
        if self.failed_starts >= limit {
            return self.die(TOO_MANY, ctx);
        }
        self.say_phase("running", KUBELET_START, ctx);
        ctx.stop_unit("kubelet");
        self.joined(ctx);
    }

    fn script(&self) -> Option<RetryJoin> {
        self.configuration.as_ref().and_then(|configuration| configuration.retry)
    }

    /// The script says what it does, and when.
    fn say_phase(&self, what: &str, phase: &str, ctx: &mut Ctx<Event>) {
        if self.script().is_some() {
            let time = clock(ctx);
            ctx.log(format!("+++ [{time}] {what} '{phase}'"));
        }
    }
}

/// Why the script gives a phase up that it has tried again and again.
const TOO_MANY: &str = "too many errors, exiting";

/// cloud-init has run once, well or not: it does not run again on this disk, unless nothing of that
/// could be written down.
fn finish(ctx: &mut Ctx<Event>) {
    if let Err(full) = ctx.write(DONE, "") {
        ctx.log(format!("cloud-init: failed to write {DONE}: {full}"));
    }
    ctx.exit();
}

/// The time as the script writes it.
fn clock(ctx: &Ctx<Event>) -> Text {
    Text::from(rfc3339(ctx.wall_clock()).replace('Z', "+00:00"))
}
