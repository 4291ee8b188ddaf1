//! MachineHealthCheck: judges Machines by their Nodes, and marks those that stay unhealthy.
//!
//! It deletes nothing: owners act on its mark. Without a connection to the workload cluster it
//! judges nobody. Follows `internal/controllers/machinehealthcheck` of Cluster API.
//!
//! ```text
//! paused? ─> Machines of the selector, but skipped and paused ones ─> verdicts ─> allowed?
//!   yes  mark the unhealthy, then the healthy; come back when the next clock runs out
//!   no   write what was found, mark nobody; come back as the release does
//! ```

#[cfg(test)]
mod conditions_tests;
#[cfg(test)]
mod tests;
mod verdict;
mod well;
#[cfg(test)]
mod well_tests;

use super::{Settings, Wording, cluster_of};
use crate::api::kinds::{Condition, EventType, MachineHealthCheck, Status};
use crate::api::{Kind, Object, ObjectKey, Verb};
use crate::client::{
    self, Ask, ClusterCache, EventDraft, Ground, Outcome, PAUSED, Reconciler, Reply, Step, View,
};
use crate::engine::{Duration, SimTime, Text};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use verdict::{Bench, Clock, Found, Over, Target, Verdict};
use well::Well;

/// The controller.
#[derive(Clone, Debug)]
pub struct HealthCheckController {
    settings: Settings,
    /// Whether the workload cluster's API answers.
    pub workload: ClusterCache,
    /// Who was well at each check's last look.
    well: BTreeMap<ObjectKey, Well>,
}

/// Where a reconcile waits: what is still to be written, and how it will end.
#[derive(Clone, Debug)]
pub struct State {
    writes: VecDeque<Write>,
    /// What is announced once the write under way is accepted.
    announce: Option<EventDraft>,
    outcome: Outcome,
}

/// What is written about one object, and announced afterwards.
#[derive(Clone, Debug, Default)]
struct Write {
    /// Nothing if the object says so already.
    verb: Option<Verb>,
    /// By what it was judged.
    ground: Option<Box<Ground>>,
    announce: Option<EventDraft>,
}

const SKIP: &str = "cluster.x-k8s.io/skip-remediation";

/// What one pass found, together.
struct Counted {
    expected: u32,
    healthy: u32,
    unhealthy: u32,
    allowed: bool,
}

impl Counted {
    /// Of those that were well already, the number is enough.
    fn of(well: usize, targets: &[Target], check: &MachineHealthCheck) -> Counted {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let expected = count(well + targets.len());
        let healthy = count(well + targets.iter().filter(|target| target.is_healthy()).count());
        let unhealthy = count(targets.iter().filter(|target| target.is_unhealthy()).count());
        // Whoever is not healthy counts: a running clock, no Node yet, on its way out.
        let allowed = check.max_unhealthy.allows(expected - healthy, expected);
        Counted { expected, healthy, unhealthy, allowed }
    }

    /// Why nothing is remediated; the number of the unhealthy leaves out running clocks.
    fn refusal(&self, check: &MachineHealthCheck) -> String {
        let (limit, words) = match check.max_unhealthy.is_range() {
            true => ("unhealthyRange", "does not fall within the range"),
            false => ("maxUnhealthy", "exceeds maxUnhealthy"),
        };
        format!(
            "Remediation is not allowed, the number of not started or unhealthy machines {words} \
             (total: {}, unhealthy: {}, {limit}: {})",
            self.expected, self.unhealthy, check.max_unhealthy
        )
    }
}

impl HealthCheckController {
    /// A controller with these rules.
    pub fn new(settings: Settings) -> HealthCheckController {
        let workload = ClusterCache::new(super::PROBE, settings.probe);
        HealthCheckController { settings, workload, well: BTreeMap::new() }
    }

    /// The Machine with the verdict written into it, if that changes anything.
    fn marked(&self, target: &Target, allowed: bool, now: SimTime) -> Option<Verb> {
        let conditions = &target.object.machine()?.conditions;
        let mut news = self.said(target, allowed, now).into_iter().flatten().peekable();
        // Most Machines of a large pool say so already, at every look.
        while news.next_if(|condition| conditions.says(condition)).is_some() {}
        news.peek()?;
        let mut changed = Object::clone(&target.object);
        for condition in news {
            changed.machine_mut()?.conditions.say(condition);
        }
        Some(Verb::Patch { base: target.object.clone(), changed: Arc::new(changed) })
    }

    /// What a Machine has to say about its verdict, and to whom it is handed over.
    fn said(&self, target: &Target, allowed: bool, now: SimTime) -> [Option<Condition>; 2] {
        let succeeded = |status, reason, message: &Text| {
            let kind = Text::word("HealthCheckSucceeded");
            Some(Condition::new(kind, status, Text::word(reason), message.clone(), now))
        };
        match &target.verdict {
            Verdict::Healthy if target.is_healthy() => {
                let reason = match self.settings.wording {
                    Wording::V1Beta1 => "",
                    Wording::V1Beta2 => "HealthCheckSucceeded",
                };
                [succeeded(Status::True, reason, &Text::EMPTY), None]
            }
            Verdict::Unhealthy { reason, message, .. } => {
                let waits = allowed && self.may_be_marked(&target.object) && !is_owners(target);
                let handed_over = waits.then(|| self.waiting_for_remediation(now));
                [succeeded(Status::False, reason, message), handed_over]
            }
            _ => [None, None],
        }
    }

    fn may_be_marked(&self, object: &Object) -> bool {
        !object.meta.is_deleting() || self.settings.marks_deleting_machines
    }

    fn waiting_for_remediation(&self, now: SimTime) -> Condition {
        let message = match self.settings.wording {
            Wording::V1Beta1 => "",
            Wording::V1Beta2 => "Waiting for remediation",
        };
        let kind = Text::word("OwnerRemediated");
        let reason = Text::word("WaitingForRemediation");
        Condition::new(kind, Status::False, reason, Text::word(message), now)
    }

    /// The check's own status.
    fn status(&self, object: &Arc<Object>, counted: &Counted, now: SimTime) -> Option<Verb> {
        let mut changed = Object::clone(object);
        let check = changed.machine_health_check_mut()?;
        let most = check.max_unhealthy.of(counted.expected);
        check.expected_machines = counted.expected;
        check.current_healthy = counted.healthy;
        check.remediations_allowed = match counted.allowed {
            true => most.saturating_sub(counted.expected - counted.healthy),
            false => 0,
        };
        let kind = Text::word("RemediationAllowed");
        let condition = match (counted.allowed, self.settings.wording) {
            (true, Wording::V1Beta1) => Condition::new(kind, Status::True, "", "", now),
            (true, Wording::V1Beta2) => Condition::new(kind.clone(), Status::True, kind, "", now),
            (false, _) => {
                let (reason, message) = (Text::word("TooManyUnhealthy"), counted.refusal(check));
                Condition::new(kind, Status::False, reason, message, now)
            }
        };
        check.conditions.say(condition);
        let is_news = changed != **object;
        is_news.then(|| Verb::Patch { base: object.clone(), changed: Arc::new(changed) })
    }

    /// The Event about a clock that runs, and the line about a verdict; both come with the judging.
    fn mention(&self, check: &ObjectKey, target: &Target, allowed: bool, view: &mut View) {
        let (key, node) = (target.object.key(), target.node_name());
        match (&target.verdict, self.settings.wording) {
            (Verdict::Waiting(_), Wording::V1Beta1) => {
                let path = path(check, target);
                let message = format!("Machine {path} has unhealthy node {node}");
                view.event(key, "DetectedUnhealthy", message);
                let ground = Some(Box::new(target.ground(view)));
                let event = view.events.pop();
                view.events.extend(event.map(|event| EventDraft { ground, ..event }));
            }
            (Verdict::Unhealthy { reason, message, .. }, wording)
                if allowed && self.may_be_marked(&target.object) =>
            {
                let who = match wording {
                    Wording::V1Beta1 => format!(
                        "Target has failed health check, marking for remediation target=\"{}\"",
                        path(check, target)
                    ),
                    Wording::V1Beta2 => format!(
                        "Machine has failed health check, marking for remediation \
                         Machine=\"{}/{}\" Node=\"{node}\"",
                        key.namespace, key.name
                    ),
                };
                let message = message.replace('\n', "\\n");
                let line = format!("{who} reason=\"{reason}\" message=\"{message}\"");
                view.grounded.push((target.ground(view), line.into()));
            }
            _ => {}
        }
    }

    /// The Event about a mark; it comes once the mark is written.
    fn marked_event(
        &self,
        check: &ObjectKey,
        target: &Target,
        allowed: bool,
    ) -> Option<EventDraft> {
        if !allowed || !target.is_unhealthy() {
            return None;
        }
        let key = target.object.key();
        let message = match self.settings.wording {
            Wording::V1Beta1 => {
                format!("Machine {} has been marked as unhealthy", path(check, target))
            }
            Wording::V1Beta2 => format!(
                "Machine {}/{} has been marked as unhealthy by {}/{}",
                key.namespace, key.name, check.namespace, check.name
            ),
        };
        Some(EventDraft {
            kind: EventType::Normal,
            regarding: key.clone(),
            reason: "MachineMarkedUnhealthy",
            message: message.into(),
            ground: None,
        })
    }

    fn announce_refusal(
        &self,
        key: &ObjectKey,
        check: &MachineHealthCheck,
        counted: &Counted,
        view: &mut View,
    ) {
        let limit =
            if check.max_unhealthy.is_range() { "unhealthy range" } else { "max unhealthy" };
        view.logs.push(Text::from(format!(
            "Short-circuiting remediation total target={} {limit}=\"{}\" unhealthy targets={}",
            counted.expected, check.max_unhealthy, counted.unhealthy
        )));
        // Without anybody unhealthy the Event would mislead.
        if counted.unhealthy > 0 {
            view.warn(key, "RemediationRestricted", counted.refusal(check));
        }
    }

    fn outcome(&self, allowed: bool, targets: &[Target]) -> Outcome {
        let clock = |target: &Target| match target.verdict {
            Verdict::Waiting(clock) => Some(clock),
            _ => None,
        };
        match (allowed, targets.iter().filter_map(clock).min()) {
            (true, Some(Clock { left, rule })) => {
                let slack = self.settings.health_check_slack;
                Outcome::after_both((rule, left), ("clusterApi.healthCheckSlack", slack))
            }
            // Up to 1.11 it comes again by itself, with growing pauses; the clocks do not count.
            (false, _) if self.settings.health_check_requeues_restricted => {
                Outcome::error("remediation is restricted")
            }
            _ => Outcome::done(),
        }
    }

    /// The Machines of the check, each with its verdict, but those that are well and say so; those
    /// that are exempt are named.
    fn targets(&self, bench: &Bench, well: Well, view: &mut View) -> (Well, Vec<Target>) {
        let mut targets = Vec::new();
        let nodes = view.remote;
        let mut round = well.look([bench.check_object, bench.cluster_object], nodes);
        for object in view.local.list(Kind::Machine) {
            if round.passes(object, nodes) || !object.meta.matches(&bench.check.selector) {
                continue;
            }
            let Some(machine) = object.machine() else { continue };
            if let Some(annotation) = exempt(object) {
                view.logs.push(self.skipping(object.key(), annotation));
                continue;
            }
            let target = bench.judge(object, machine, view);
            match &target.node {
                Found::Node(node) if target.is_healthy() && self.says_so(&target, bench.now) => {
                    round.note(object, node);
                }
                _ => targets.push(target),
            }
        }
        say_what_is_over(&targets, view);
        (round.end(), targets)
    }

    /// True if the Machine says of itself what was found.
    fn says_so(&self, target: &Target, now: SimTime) -> bool {
        self.marked(target, true, now).is_none()
    }

    fn skipping(&self, key: &ObjectKey, annotation: &str) -> Text {
        let word = match self.settings.wording {
            Wording::V1Beta1 => "skipping",
            Wording::V1Beta2 => "Skipping",
        };
        Text::from(format!(
            "{word} remediation Machine=\"{}/{}\" reason=\"machine has \\\"{annotation}\\\" \
             annotation\"",
            key.namespace, key.name
        ))
    }

    /// Announces what has been written, and goes on to the next write.
    fn next_write(&self, mut state: State, view: &mut View) -> Step<State> {
        while let Some(Write { verb, ground, announce }) = state.writes.pop_front() {
            match verb {
                // One that fails holds up none of the others.
                Some(verb) => {
                    state.announce = announce;
                    let ask = Ask { ground, ..Ask::new(client::Target::Local, verb) };
                    return Step::Ask(ask, state);
                }
                None => view.events.extend(announce.map(|event| EventDraft { ground, ..event })),
            }
        }
        Step::Done(state.outcome)
    }
}

impl Reconciler for HealthCheckController {
    type State = State;

    fn agent(&self) -> &'static str {
        "machinehealthcheck-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else {
            self.well.remove(key);
            return Step::done();
        };
        let Some(cluster) = cluster_of(&object, view).cloned() else {
            return Step::Done(Outcome::error("the Cluster is not found"));
        };
        let settings = self.settings;
        let (writes, outcome) = (VecDeque::new(), Outcome::done());
        let then = State { writes, announce: None, outcome };
        if let Some(step) = settings.pauses.holds(&object, cluster.cluster(), then, view) {
            return step;
        }
        let Some(bench) = Bench::new(&settings, &cluster, &object, view.wall_clock()) else {
            return Step::done();
        };
        if bench.initialized && (!self.workload.contact().connected || !view.remote.are_synced()) {
            return Step::Done(Outcome::error("connection to the workload cluster is down"));
        }
        let (check, now) = (bench.check, bench.now);
        let well = self.well.remove(key).unwrap_or_default();
        let (well, targets) = self.targets(&bench, well, view);
        let counted = Counted::of(well.count(), &targets, check);
        self.well.insert(key.clone(), well);
        let allowed = counted.allowed;
        for target in &targets {
            self.mention(key, target, allowed, view);
        }
        if !allowed {
            self.announce_refusal(key, check, &counted, view);
        }
        // Whoever is to be remediated is written first, unless nobody is.
        let (first, second): (Vec<_>, Vec<_>) =
            targets.iter().partition(|target| target.is_unhealthy() == allowed);
        let mut writes = VecDeque::new();
        for target in first.into_iter().chain(second) {
            let verb = self.marked(target, allowed, now);
            let announce = self.marked_event(key, target, allowed);
            if verb.is_some() || announce.is_some() {
                let ground = Some(Box::new(target.ground(view)));
                writes.push_back(Write { verb, ground, announce });
            }
        }
        if let Some(verb) = self.status(&object, &counted, now) {
            writes.push_back(Write { verb: Some(verb), ..Write::default() });
        }
        let outcome = self.outcome(allowed, &targets);
        self.next_write(State { writes, announce: None, outcome }, view)
    }

    fn resume(
        &mut self,
        _: &ObjectKey,
        mut state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let announce = state.announce.take();
        match reply {
            Reply::Answer(Err(error)) => state.outcome = Outcome::error(error.message),
            _ => view.events.extend(announce),
        }
        self.next_write(state, view)
    }
}

/// The annotation by which a Machine is left out, if it has one.
fn exempt(object: &Object) -> Option<&'static str> {
    [PAUSED, SKIP].into_iter().find(|name| object.meta.annotation(name).is_some())
}

/// True if the owner is working on it already.
fn is_owners(target: &Target) -> bool {
    let machine = target.object.machine();
    machine.is_some_and(|machine| machine.conditions.is("OwnerRemediated", Status::False))
}

/// Check, Machine and Node with their namespace, as the older release names a target.
fn path(check: &ObjectKey, target: &Target) -> String {
    let key = target.object.key();
    format!("{}/{}/{}/{}", key.namespace, check.name, key.name, target.node_name())
}

/// For the record: the limit that was over last, which the verdicts had to wait for.
fn say_what_is_over(targets: &[Target], view: &mut View) {
    let news = targets.iter().filter(|target| target.is_news());
    let over = news.filter_map(|target| match &target.verdict {
        Verdict::Unhealthy { over, .. } => over.as_deref(),
        _ => None,
    });
    let last = over.max_by_key(|over| over.began.at + over.limit);
    if let Some(Over { began, rule, limit }) = last {
        view.elapsed(began.clone(), [(rule, *limit), ("", Duration::ZERO)]);
    }
}
