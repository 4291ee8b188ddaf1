//! The Node's status: registration, and a report whenever something changed or five minutes have
//! passed.
//!
//! A Node of that name that exists is adopted as it is: its cordon and its taints stay.

use super::{Beat, CloudProvider, Event, Kubelet, STATUS, Settings, Start, StatusReads};
use crate::api::kinds::{Condition, Node, Status, Taint, TaintEffect, label, taint};
use crate::api::{Answer, Answered, Kind, Labels, Meta, Object, ObjectKey, Reason, Verb};
use crate::client::{Backoff, BackoffRules};
use crate::engine::{Duration, Purpose, SimTime, Text, below};
use crate::infra::{Ctx, Place};
use std::sync::Arc;

/// What the loop has in its memory.
#[derive(Clone, Debug)]
pub struct StatusLoop {
    /// The Node as it was last read or written; known once it is registered.
    node: Option<Arc<Object>>,
    /// When it was read last, there was none any more: somebody has deleted it.
    is_gone: bool,
    registering: bool,
    registration: Backoff,
    /// Storage is ready; runtime and network are before the kubelet is.
    ready: bool,
    /// Until when it does not know how its runtime is.
    unchecked_until: SimTime,
    /// When a report is due even if nothing changed.
    report_at: SimTime,
    /// How long after the report that is under way that will be.
    next_report: Duration,
    tries: u32,
    /// True while a pass is under way.
    busy: bool,
    /// Something changed while a pass was under way.
    again: bool,
}

/// What the loop asked the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Registration,
    /// The Node that was there before.
    Adoption,
    Node,
    Report,
}

const REGISTER_AGAIN: BackoffRules = BackoffRules {
    first: "kubernetes.registrationBackoffFirst",
    limit: "kubernetes.registrationBackoffLimit",
};

const REPORT_AGE: Purpose = Purpose(1);
const LAST_RELIST: Purpose = Purpose(7);
const RELIST: Purpose = Purpose(8);
const RECKONING: Purpose = Purpose(9);
const RUNTIME_CHECK: Purpose = Purpose(23);
const REPORT_JITTER: Purpose = Purpose(25);

impl Default for StatusLoop {
    fn default() -> StatusLoop {
        StatusLoop {
            node: None,
            registering: false,
            registration: Backoff::new(Duration::ZERO, Duration::ZERO),
            is_gone: false,
            ready: false,
            unchecked_until: SimTime::ZERO,
            report_at: SimTime::ZERO,
            next_report: Duration::ZERO,
            tries: 0,
            busy: false,
            again: false,
        }
    }
}

impl Kubelet {
    pub(super) fn start_status(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        let first = self.settings.registration_first;
        self.status.registration = Backoff::new(first, self.settings.registration_limit);
        match start {
            Start::Steady => {
                self.status.ready = true;
                let age = below(self.settings.status_report, ctx.draw(REPORT_AGE));
                self.status.report_at = ctx.now() + age;
                self.adopt(ctx);
            }
            Start::Fresh => {
                let check = ctx.draw_delay(RUNTIME_CHECK, self.settings.runtime_check);
                self.status.unchecked_until = ctx.now() + check;
                self.begin_storage(ctx);
                self.register(ctx);
            }
        }
    }

    pub(super) fn register(&mut self, ctx: &mut Ctx<Event>) {
        self.status.registering = true;
        let mut meta = Meta::new(Kind::Node, "", self.name.clone());
        meta.labels = own_labels(&self.name, ctx.place());
        let mut node = Node {
            allocatable: self.settings.resources,
            kubelet_version: self.settings.version.clone(),
            ..Node::default()
        };
        match self.settings.cloud_provider {
            CloudProvider::None => {
                let id = format!("{}{}", self.settings.provider_prefix, ctx.uuid());
                node.provider_id = Text::from(id);
            }
            CloudProvider::External => node.taints.push(Taint {
                value: Text::word("true"),
                ..Taint::new(taint::UNINITIALIZED, TaintEffect::NoSchedule, None)
            }),
        }
        // The admission plugin TaintNodesByCondition puts it on every new Node.
        let added = Some(ctx.wall_clock());
        node.taints.push(Taint::new(taint::NOT_READY, TaintEffect::NoSchedule, added));
        self.set_conditions(&mut node, None, ctx);
        let verb = Verb::Create(Arc::new(Object::new(meta, node)));
        self.beat(verb, Beat::Status(Asked::Registration), STATUS, ctx);
    }

    fn adopt(&mut self, ctx: &mut Ctx<Event>) {
        let key = self.node_key();
        self.beat(Verb::Get(key), Beat::Status(Asked::Adoption), STATUS, ctx);
    }

    /// A tick: reads the Node, and writes it if there is something to say.
    pub(super) fn sync_status(&mut self, ctx: &mut Ctx<Event>) {
        if self.status.node.is_none() {
            return ctx.rest(STATUS);
        }
        if self.status.busy {
            self.status.again = true;
            return;
        }
        self.status.busy = true;
        self.status.tries = 0;
        self.read_node(ctx);
    }

    fn read_node(&mut self, ctx: &mut Ctx<Event>) {
        self.status.tries += 1;
        let key = self.node_key();
        if self.settings.status_reads == StatusReads::OwnWatch
            && self.status.tries == 1
            && let Some(node) = self.client.caches.get(&key).cloned()
        {
            return self.report(node, ctx);
        }
        self.beat(Verb::Get(key), Beat::Status(Asked::Node), STATUS, ctx);
    }

    /// The one-shot that reports readiness as soon as it is there.
    pub(super) fn node_became_ready(&mut self, ctx: &mut Ctx<Event>) {
        self.status.ready = true;
        if self.status.node.is_some() {
            self.sync_status(ctx);
        }
    }

    pub(super) fn status_answered(
        &mut self,
        asked: Asked,
        answered: Answered,
        ctx: &mut Ctx<Event>,
    ) {
        match (asked, answered) {
            (Asked::Registration | Asked::Adoption, Ok(Answer::Object(node))) => {
                self.registered(node, asked == Asked::Adoption, ctx);
            }
            (Asked::Registration, Err(error)) if error.reason == Reason::AlreadyExists => {
                self.adopt(ctx);
            }
            (Asked::Registration | Asked::Adoption, _) => {
                let (rule, pause) = self.status.registration.fail(&REGISTER_AGAIN);
                ctx.after(rule, pause, Event::Register);
            }
            (Asked::Node, Ok(Answer::Object(node))) => self.report(node, ctx),
            (Asked::Report, Ok(Answer::Object(node))) => {
                self.volumes_reported(&node, ctx);
                self.status.node = Some(node);
                self.status.report_at = ctx.now() + self.status.next_report;
                self.end_status_pass(ctx);
            }
            (Asked::Node | Asked::Report, answered) => {
                self.status.is_gone |=
                    answered.is_err_and(|error| error.reason == Reason::NotFound);
                if self.status.tries < self.settings.status_retries {
                    self.read_node(ctx);
                } else {
                    ctx.log("Unable to update node status: update node status exceeds retry count");
                    self.end_status_pass(ctx);
                }
            }
        }
    }

    fn registered(&mut self, node: Arc<Object>, adopted: bool, ctx: &mut Ctx<Event>) {
        self.status.node = Some(node);
        self.status.is_gone = false;
        self.status.registering = false;
        if !adopted {
            self.status.report_at = ctx.now() + self.settings.status_report;
            return self.storage_waits(ctx);
        }
        self.status.ready = true;
        // A kubelet that took a Node over says at once how it is; one that has been running knows
        // when its next report is due.
        if self.status.report_at == SimTime::ZERO {
            self.sync_status(ctx);
        }
    }

    /// Writes only if something but heartbeat times changed, or a report is due.
    fn report(&mut self, node: Arc<Object>, ctx: &mut Ctx<Event>) {
        self.status.is_gone = false;
        let mut changed = Object::clone(&node);
        self.name_cause_of_pressure(&node, ctx);
        let unknown = self.runtime_unchecked(&node, ctx).map(Text::word);
        let stale = unknown.or(self.pleg_silence(ctx).map(Text::from));
        let news = changed.node_mut().is_some_and(|body| {
            self.set_conditions(body, stale.as_deref(), ctx) | self.report_volumes(body)
        });
        if !news && ctx.now() < self.status.report_at {
            self.volumes_reported(&node, ctx);
            self.status.node = Some(node);
            return self.end_status_pass(ctx);
        }
        self.status.next_report = self.until_next_report(news, ctx);
        let verb = Verb::Patch { base: node, changed: Arc::new(changed) };
        self.beat(verb, Beat::Status(Asked::Report), STATUS, ctx);
    }

    /// How long after this report the next is due if nothing changes. What many kubelets report at
    /// the same time they must not report together ever after: once after a change or a start that
    /// is earlier or later (`calculateDelay`).
    fn until_next_report(&self, news: bool, ctx: &mut Ctx<Event>) -> Duration {
        let Settings { status_report: period, status_report_jitter_percent: percent, .. } =
            self.settings;
        let is_first = self.status.report_at == SimTime::ZERO;
        if percent == 0 || !(news || is_first) {
            return period;
        }
        let spread = period.scaled(percent, 100);
        period.saturating_sub(spread) + below(spread * 2, ctx.draw(REPORT_JITTER))
    }

    fn end_status_pass(&mut self, ctx: &mut Ctx<Event>) {
        self.status.busy = false;
        if std::mem::take(&mut self.status.again) {
            return self.sync_status(ctx);
        }
        ctx.rest(STATUS);
    }

    /// True if anything but times changed.
    fn set_conditions(&self, node: &mut Node, unhealthy: Option<&str>, ctx: &Ctx<Event>) -> bool {
        let now = ctx.wall_clock();
        let unready =
            unhealthy.or((!self.status.ready).then_some("CSINode is not yet initialized"));
        let (status, reason, ready_message) = match unready {
            None => (Status::True, "KubeletReady", Text::word("kubelet is posting ready status")),
            Some(why) => (Status::False, "KubeletNotReady", Text::from(why)),
        };
        let all = [
            (
                "MemoryPressure",
                Status::False,
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            match self.disk_pressure().0 {
                true => (
                    "DiskPressure",
                    Status::True,
                    "KubeletHasDiskPressure",
                    "kubelet has disk pressure",
                ),
                false => (
                    "DiskPressure",
                    Status::False,
                    "KubeletHasNoDiskPressure",
                    "kubelet has no disk pressure",
                ),
            },
            (
                "PIDPressure",
                Status::False,
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
        ];
        let pressures = all.map(|(kind, status, reason, message)| {
            let [kind, reason, message] = [kind, reason, message].map(Text::word);
            Condition::new(kind, status, reason, message, now)
        });
        let ready = Condition::new("Ready", status, reason, ready_message, now);
        let mut news = false;
        for condition in pressures.into_iter().chain([ready]) {
            news |= node.conditions.confirm(condition);
        }
        news
    }

    /// If a report says that its disk has become full, or has room again, it goes back to that.
    fn name_cause_of_pressure(&self, node: &Object, ctx: &mut Ctx<Event>) {
        let (is_pressed, cause) = self.disk_pressure();
        let said = node.node().is_some_and(|node| node.conditions.is("DiskPressure", Status::True));
        if said != is_pressed {
            ctx.turn_of(cause, None);
        }
    }

    /// What is wrong with a runtime that this kubelet has not looked at yet. Who finds its Node not
    /// ready goes on looking until it is (`fastStatusUpdateOnce`), and so reports twice.
    ///
    /// Simplified: that first of two reports is left out.
    fn runtime_unchecked(&self, node: &Object, ctx: &Ctx<Event>) -> Option<&'static str> {
        let ready = node.node().and_then(|node| node.conditions.get("Ready"));
        let is_ready = ready.is_some_and(|ready| ready.status == Status::True);
        (is_ready && ctx.now() < self.status.unchecked_until)
            .then_some("container runtime status check may not have completed yet")
    }

    /// What is wrong with a runtime that nobody has looked at for too long. A process that was
    /// frozen looks again as soon as it runs; a report that is quicker than that look says so.
    fn pleg_silence(&self, ctx: &mut Ctx<Event>) -> Option<String> {
        let (from, to) = ctx.slept()?;
        let now = ctx.now();
        // Who was thawed long ago has looked since.
        if self.settings.pleg_relist.high < now.since(to) {
            return None;
        }
        let last = below(self.settings.pleg_period, ctx.draw(LAST_RELIST));
        let silence = now.since(from) + last;
        let look = ctx.draw_delay(RELIST, self.settings.pleg_relist);
        let reckoning = ctx.draw_delay(RECKONING, self.settings.pleg_relist);
        let too_long = silence > self.settings.pleg_threshold;
        (too_long && now + reckoning < to + look).then(|| {
            format!(
                "PLEG is not healthy: pleg was last seen active {} ago; threshold is {}",
                go_duration(silence),
                go_duration(self.settings.pleg_threshold)
            )
        })
    }

    /// The Node as it was last read or written, once it is registered and unless it is gone.
    pub(super) fn registered_node(&self) -> Option<&Arc<Object>> {
        self.status.node.as_ref().filter(|_| !self.status.is_gone)
    }

    pub(super) fn node_key(&self) -> ObjectKey {
        ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: self.name.clone() }
    }
}

/// The labels with which a kubelet registers its Node.
pub fn own_labels(name: &Text, place: Option<&Place>) -> Labels {
    let mut own = vec![(label::HOSTNAME, name.clone())];
    if let Some(place) = place {
        own.extend([(label::REGION, place.region.clone()), (label::ZONE, place.zone.clone())]);
    }
    Arc::new(own.into_iter().map(|(key, value)| (Text::word(key), value)).collect())
}

/// A length as Go prints it: `3m20.655546s`, `3m0s`.
fn go_duration(length: Duration) -> String {
    let (minutes, seconds) = (length.as_secs() / 60, length.as_secs() % 60);
    let fraction = format!("{:06}", length.as_micros() % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    match minutes {
        0 => format!("{seconds}{point}{fraction}s"),
        minutes if minutes < 60 => format!("{minutes}m{seconds}{point}{fraction}s"),
        minutes => format!("{}h{}m{seconds}{point}{fraction}s", minutes / 60, minutes % 60),
    }
}
