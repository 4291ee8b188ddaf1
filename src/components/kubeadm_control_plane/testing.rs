//! A control plane played by hand for tests: both clusters' API, the mirror Pods, and an etcd that
//! is reached through each Node's kubelet.

use super::*;
use crate::api::kinds::{
    Cluster, Condition, Machine, MachineSpec, Node, Pod, PodPhase, Taint, TaintEffect, taint,
};
use crate::api::{
    Answer, Answered, ApiError, Deletion, EtcdCall, EtcdMember, EtcdReply, EtcdStatus, Forward,
    Meta, Reason, Request, Uid, Verb, WatchKind, labels,
};
use crate::client::testing::{Bench, words};
use crate::client::{Backoff, ClientSettings, Pauses, ProbeSettings, ShellSettings};
use crate::engine::{Delay, Duration, SimTime, Text};
use crate::infra::EndpointId;
use crate::raft::MemberId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A manager with everything around it.
pub struct Play {
    pub bench: Bench<ControlPlaneManager, Event>,
    /// Machines, the control plane and Nodes, as they are now.
    pub objects: Vec<Object>,
    /// Nodes whose kubelet does not run.
    pub dead: BTreeSet<&'static str>,
    /// Mirror Pods that do not exist.
    pub missing: BTreeSet<String>,
    pub members: Vec<EtcdMember>,
    pub leader: Option<u32>,
    /// What was done, with the second at which it was.
    pub done: Vec<String>,
    pub forwards: usize,
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The rules of 1.7, or those of 1.14.
pub fn settings(wording: Wording) -> Settings {
    let old = wording == Wording::V1Beta1;
    let pick = |old_is, new_is| if old { old_is } else { new_is };
    let millis = Duration::from_millis;
    Settings {
        client: ClientSettings {
            request_timeout: secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        remote_timeout: secs(10),
        shell: ShellSettings {
            workers: 10,
            backoff: Backoff::new(millis(5), secs(1000)),
            rules: crate::client::ShellRules::CONTROLLER_RUNTIME,
            minimum_gap: Duration::ZERO,
            thinking: Delay::fixed(millis(1)),
        },
        resync: secs(600),
        resync_jitter_percent: 10,
        probe: ProbeSettings {
            interval: secs(10),
            rhythm: if old { Rhythm::Ticker } else { Rhythm::AfterEnd },
            timeout: secs(5),
            failures: 5,
            reconnect: secs(30),
            sync: secs(300),
        },
        conditions_grace: secs(300),
        reconnection_enqueues: !old,
        etcd: EtcdAccess { connect: secs(pick(10, 15)), retry: secs(1), call: secs(15) },
        requeue: Requeue {
            not_ready: secs(20),
            preflight: secs(15),
            preflight_deferral: secs(pick(0, 5)),
            deleting: secs(30),
        },
        inspection: if old { Inspection::EachMember } else { Inspection::AnyMember },
        picks: if old { Picks::Oldest } else { Picks::MostBroken },
        leader: if old { LeaderAccess::Always } else { LeaderAccess::ForItsOwnMachine },
        removal: if old { MemberRemoval::BeforeDeletion } else { MemberRemoval::InHook },
        needs_healthy_components: !old,
        relaxes_for_replacement: !old,
        pauses: Pauses::Silent,
        wording,
        infrastructure: Kind::InfraMachine,
    }
}

pub const NAMES: [&str; 5] = ["cp-0", "cp-1", "cp-2", "cp-3", "cp-4"];

impl Play {
    /// A healthy control plane of so many Machines; the first one's member leads.
    pub fn new(rules: Settings, machines: usize) -> Play {
        let names = &NAMES[..machines];
        let mut objects = vec![plane(u32::try_from(machines).expect("few"))];
        for (age, name) in names.iter().enumerate() {
            objects.push(machine(name, age));
            objects.push(node(name, age));
        }
        let cluster = Cluster { infrastructure_ready: true, ..Cluster::default() };
        let mut all = objects.clone();
        all.push(Object::new(Meta::new(Kind::Cluster, "default", "c1"), cluster));
        let manager = ControlPlaneManager::new(rules, Address::Endpoint(EndpointId(0)), None);
        let react = ControlPlaneManager::on_event;
        let program = "capi-kubeadm-control-plane-controller-manager";
        let bench = Bench::started(manager, program, react, Start::Steady, &all);
        let member = |(name, id): (&&'static str, u32)| EtcdMember {
            id: MemberId(id),
            name: Text::word(name),
            learner: false,
        };
        let mut play = Play {
            bench,
            objects,
            dead: BTreeSet::new(),
            missing: BTreeSet::new(),
            members: names.iter().zip(1..).map(member).collect(),
            leader: Some(1),
            done: Vec::new(),
            forwards: 0,
        };
        play.pass(secs(100));
        play.done.clear();
        play
    }

    /// Lets time pass; everything that is asked is answered.
    pub fn pass(&mut self, length: Duration) {
        let mut left = length;
        loop {
            while !self.bench.asked.is_empty() {
                let (connection, request) = self.bench.asked.remove(0);
                self.serve(connection, &request);
            }
            let next = self.bench.timers.iter().map(|(delay, _)| *delay).min();
            match next.filter(|next| *next <= left) {
                Some(next) => {
                    self.bench.pass(next);
                    left = left.saturating_sub(next);
                }
                None => return self.bench.pass(left),
            }
        }
    }

    /// Changes an object as somebody else, and shows it.
    pub fn change(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Object)) {
        let mut object = self.get(kind, name).clone();
        change(&mut object);
        self.show(object);
    }

    /// The object as it is now.
    pub fn get(&self, kind: Kind, name: &str) -> &Object {
        let is_it = |object: &&Object| object.key().kind == kind && *object.name() == *name;
        self.objects.iter().find(is_it).unwrap_or_else(|| panic!("no {name}"))
    }

    /// A condition of a Machine as `status reason: message`.
    pub fn said(&self, machine: &str, condition: &str) -> String {
        let body = self.get(Kind::Machine, machine).machine().expect("a Machine");
        spoken(body.conditions.get(condition))
    }

    /// The same of the control plane.
    pub fn plane_said(&self, condition: &str) -> String {
        let body = self.get(Kind::KubeadmControlPlane, "cp");
        spoken(body.kubeadm_control_plane().expect("a control plane").conditions.get(condition))
    }

    /// The kubelet of a Node dies; the node lifecycle controller has noticed.
    pub fn stop_kubelet(&mut self, name: &'static str) {
        self.dead.insert(name);
        self.change(Kind::Node, name, |object| {
            let Some(node) = object.node_mut() else { return };
            node.conditions.set(condition("Ready", Status::Unknown, ""));
            let unreachable = Taint::new(taint::UNREACHABLE, TaintEffect::NoExecute, None);
            node.taints.push(unreachable);
        });
    }

    /// A MachineHealthCheck marks a Machine.
    pub fn mark(&mut self, name: &str) {
        self.change(Kind::Machine, name, |object| {
            let Some(body) = object.machine_mut() else { return };
            let failed = condition("HealthCheckSucceeded", Status::False, "UnhealthyNode");
            body.conditions.set(failed);
            let waits = condition("OwnerRemediated", Status::False, "WaitingForRemediation");
            body.conditions.set(waits);
        });
    }

    /// A Machine is gone, its Node with it.
    pub fn remove(&mut self, name: &str) {
        for kind in [Kind::Node, Kind::Machine] {
            let object = self.get(kind, name).clone();
            self.objects.retain(|it| it.key() != object.key());
            self.bench.shows(WatchKind::Deleted, object);
        }
    }

    fn show(&mut self, object: Object) {
        match self.objects.iter_mut().find(|it| it.key() == object.key()) {
            Some(mine) => *mine = object.clone(),
            None => self.objects.push(object.clone()),
        }
        self.bench.shows(WatchKind::Modified, object);
    }

    fn serve(&mut self, connection: crate::infra::ConnectionId, request: &Request) {
        let answered = match &request.verb {
            Verb::Get(key) if key.kind == Kind::Pod => self.pod(key),
            Verb::Forward(forward) => self.forward(forward),
            verb => {
                let at = self.bench.bed.now.since(SimTime::ZERO).as_secs().saturating_sub(100);
                let (what, object) = words(request);
                self.done.push(format!("{at} {what}"));
                if let Verb::Delete { key, .. } = verb {
                    self.change(key.kind, &key.name, |object| {
                        object.meta.deletion =
                            Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
                    });
                } else if let Some(object) = &object
                    && matches!(object.key().kind, Kind::Machine | Kind::KubeadmControlPlane)
                {
                    let mut stored = Object::clone(object);
                    if let Verb::Patch { base, changed } = verb {
                        stored = self.get(object.key().kind, object.name()).clone();
                        stored.apply_patch(base, changed);
                    }
                    stored.meta.created = self.bench.bed.now;
                    if let Verb::Patch { base, .. } = verb {
                        stored.meta.created = base.meta.created;
                    }
                    self.show(stored);
                }
                Ok(object.map_or(Answer::Done, Answer::Object))
            }
        };
        self.bench.answer(connection, request.id, answered);
    }

    fn pod(&self, key: &ObjectKey) -> Answered {
        if self.missing.contains(key.name.as_str()) {
            return Err(ApiError::not_found(key));
        }
        let mut pod = Pod::new(Arc::default());
        pod.phase = PodPhase::Running;
        pod.conditions.set(condition("Ready", Status::True, ""));
        let meta = Meta::new(Kind::Pod, "kube-system", key.name.clone());
        Ok(Answer::Object(Arc::new(Object::new(meta, pod))))
    }

    fn forward(&mut self, forward: &Forward) -> Answered {
        self.forwards += 1;
        if self.dead.contains(forward.node.as_str()) {
            let words =
                "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused";
            return Err(ApiError::new(Reason::InternalError, words));
        }
        let own = self.members.iter().find(|member| member.name == forward.node);
        let Some(own) = own.map(|member| member.id) else {
            return Err(ApiError::new(Reason::InternalError, "no member here"));
        };
        let at = self.bench.bed.now.since(SimTime::ZERO).as_secs().saturating_sub(100);
        let reply = match forward.call {
            EtcdCall::Status => EtcdReply::Status(EtcdStatus {
                member: own,
                leader: self.leader.map(MemberId),
                errors: Vec::new(),
            }),
            EtcdCall::MemberList => EtcdReply::Members(self.members.clone()),
            EtcdCall::MoveLeader(to) => {
                self.done.push(format!("{at} leadership to {}", to.0));
                self.leader = Some(to.0);
                EtcdReply::Done
            }
            EtcdCall::MemberRemove(id) => {
                self.done.push(format!("{at} member {} leaves", id.0));
                self.members.retain(|member| member.id != id);
                EtcdReply::Members(self.members.clone())
            }
        };
        Ok(Answer::Etcd(reply))
    }
}

fn spoken(condition: Option<&Condition>) -> String {
    condition.map_or_else(String::new, |it| {
        format!("{} {}: {}", it.status.name(), it.reason, it.message)
    })
}

fn condition(kind: &'static str, status: Status, reason: &'static str) -> Condition {
    Condition::new(kind, status, Text::word(reason), "", SimTime::ZERO)
}

fn plane(replicas: u32) -> Object {
    let mut body = crate::api::kinds::KubeadmControlPlane {
        replicas,
        version: Text::word("v1.30.0"),
        max_surge: 1,
        initialized: true,
        ready: true,
        ..Default::default()
    };
    body.template.cluster = Text::word("c1");
    body.template.version = Text::word("v1.30.0");
    let mut object = Object::new(Meta::new(Kind::KubeadmControlPlane, "default", "cp"), body);
    object.meta.uid = Uid(7);
    object
}

/// A healthy Machine of the control plane.
pub fn machine(name: &'static str, age: usize) -> Object {
    let mut meta = Meta::new(Kind::Machine, "default", name).owned_by(&plane(1).meta);
    meta.created = SimTime::from_micros(1 + age as u64);
    meta.finalizers = Arc::new([Text::word("machine.cluster.x-k8s.io")]);
    let hook = crate::api::kinds::KubeadmControlPlane::HOOK;
    meta.annotations = labels([(hook, Text::EMPTY)]);
    let spec = MachineSpec {
        version: Text::word("v1.30.0"),
        provider_id: Text::word(name),
        ..MachineSpec::default()
    };
    let conditions = [condition("HealthCheckSucceeded", Status::True, "")].into_iter().collect();
    let node_ref = Some(Text::word(name));
    Object::new(meta, Machine { spec, node_ref, conditions, ..Machine::default() })
}

fn node(name: &'static str, age: usize) -> Object {
    let mut meta = Meta::new(Kind::Node, "", name);
    meta.created = SimTime::from_micros(1 + age as u64);
    meta.labels = labels([(taint::CONTROL_PLANE, Text::EMPTY)]);
    let conditions = [condition("Ready", Status::True, "")].into_iter().collect();
    Object::new(meta, Node { conditions, ..Node::default() })
}
