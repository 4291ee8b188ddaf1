//! The rest of a control plane's join, after the cluster is trusted.

use super::*;
use crate::api::kinds::{Node, Pod, TaintEffect, taint};
use crate::api::{
    Answer, Answered, ApiError, Kind, Meta, Object, ProbeSpec, Reason, Revision, Verb,
};
use crate::engine::Delay;
use crate::infra::testbed::{Testbed, answer, logs, requests, timers};
use crate::infra::{ConnectionId, Effect, EndpointId, Signal};
use crate::raft::MemberId;
use crate::wire::{
    GrpcCode, MemberInfo, Message, StoreAnswer, StoreError, StoreOperation, StoreRequest,
};

/// A control plane that joins, trusted already; the test plays the server and etcd.
pub(super) struct Join {
    pub kubeadm: Kubeadm,
    pub bed: Testbed<Event>,
    pub timers: Vec<(Duration, Event)>,
    pub asked: Vec<(ConnectionId, u32, Verb)>,
    pub calls: Vec<(ConnectionId, StoreRequest)>,
    pub logs: Vec<String>,
    /// Units that were stopped, and programs that were killed.
    pub ended: Vec<Text>,
    pub exited: bool,
}

impl Join {
    fn trusted(learner: bool) -> Join {
        Join::trusted_by(learner, None)
    }

    /// The same, perhaps by a script, with its Node.
    pub fn trusted_by(learner: bool, retry: Option<RetryJoin>) -> Join {
        let mut join = Join::begun(learner, retry, false);
        assert!(join.asks_for_node(), "{:?}", join.asked);
        join.answer(Ok(Answer::Object(Arc::new(node()))));
        join
    }

    fn asks_for_node(&self) -> bool {
        matches!(&self.asked[..], [(_, _, Verb::Get(key))] if key == node().key())
    }

    /// Its kubelet has just been started.
    pub fn begun(learner: bool, retry: Option<RetryJoin>, local_mode: bool) -> Join {
        let secs = Duration::from_secs;
        let settings = Settings {
            checks: Delay::fixed(Duration::ZERO),
            retry: secs(5),
            rhythm: Rhythm::Beat,
            request_timeout: secs(10),
            retries: crate::client::testing::RETRIES,
            limit: secs(300),
            wording: Wording::Retrying,
            join: Delay::fixed(secs(40)),
            node_retry: Duration::from_millis(500),
            node_limit: secs(300),
            etcd: EtcdJoin {
                learner,
                retry: Duration::from_millis(500),
                limit: secs(120),
                list_retry: Duration::from_millis(500),
                list_limit: secs(60),
            },
            local_mode,
        };
        let manifest = |name| StaticPodManifest {
            name: Text::word(name),
            grace: secs(30),
            probes: Vec::<ProbeSpec>::new(),
        };
        let all = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
        let mut kubeadm = Kubeadm::new(settings, Address::Endpoint(EndpointId(1)))
            .with_manifests(&all.map(manifest));
        kubeadm.configuration = Some(JoinConfiguration {
            node_name: Text::word("cp-new"),
            control_plane: true,
            token_id: Text::word("5j3q2p"),
            token_secret: Text::word("good"),
            retry,
        });
        let mut join = Join {
            kubeadm,
            bed: Testbed::new("cloud-init", "cp-new"),
            timers: Vec::new(),
            asked: Vec::new(),
            calls: Vec::new(),
            logs: Vec::new(),
            ended: Vec::new(),
            exited: false,
        };
        join.play(Input::Due(Event::Joined));
        join
    }

    pub fn play(&mut self, input: Input<Event>) {
        let effects = self.bed.play(|ctx| self.kubeadm.on_event(input, ctx));
        self.timers.extend(timers(&effects));
        let asked = requests(&effects).into_iter().map(|(to, it)| (to, it.id, it.verb));
        self.asked.extend(asked);
        self.calls.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Send(to, Message::Store(request)) => Some((*to, StoreRequest::clone(request))),
            _ => None,
        }));
        self.logs.extend(logs(&effects));
        self.ended.extend(effects.iter().filter_map(|effect| match effect {
            Effect::StopUnit(name) | Effect::SignalProgram(name, Signal::Kill) => {
                Some(name.clone())
            }
            _ => None,
        }));
        self.exited |= effects.iter().any(|effect| matches!(effect, Effect::Exit));
    }

    pub fn answer(&mut self, answered: Answered) {
        let (to, id, _) = self.asked.remove(0);
        self.play(answer(to, id, answered));
    }

    /// The API server lists the Pods of two members.
    pub fn listed(&mut self) {
        assert!(matches!(&self.asked[0].2, Verb::List(Kind::Pod, ..)));
        let pods = ["cp-0", "cp-1"].map(|node| {
            let mut pod = Pod::new(Arc::default());
            pod.node_name = Text::word(node);
            let name = format!("etcd-{node}");
            Arc::new(Object::new(Meta::new(Kind::Pod, "kube-system", name), pod))
        });
        self.answer(Ok(Answer::List(Revision(9), pods.to_vec())));
    }

    /// Both members are asked who belongs to etcd, and the second is the first to answer.
    pub fn found(&mut self) {
        let lists = self.calls.drain(..).collect::<Vec<_>>();
        assert_eq!(lists.len(), 2, "all are dialed at once");
        let (to, request) = &lists[1];
        assert!(matches!(request.operation, StoreOperation::MemberList(_)), "{request:?}");
        self.play(Input::Message(*to, Message::Stored(request.id, voters())));
    }

    /// Ends the call that waits; what it was.
    pub fn stored(&mut self, answer: StoreAnswer) -> StoreOperation {
        let (to, request) = self.calls.remove(0);
        self.play(Input::Message(to, Message::Stored(request.id, answer)));
        request.operation
    }

    /// Plays the pause before the next try.
    pub fn again(&mut self) {
        self.next(|event| matches!(event, Event::AskMember(_)));
    }

    /// Plays a pause; how long it was.
    fn next(&mut self, due: impl Fn(&Event) -> bool) -> Duration {
        let at = self.timers.iter().position(|(_, event)| due(event)).expect("a pause");
        let (pause, event) = self.timers.remove(at);
        self.bed.pass(pause);
        self.play(Input::Due(event));
        pause
    }

    pub fn has(&mut self, file: &str) -> bool {
        self.bed.vm.disk.read(file).is_some()
    }
}

fn node() -> Object {
    Object::new(Meta::new(Kind::Node, "", "cp-new"), Node::default())
}

fn member(id: u32, vm: &'static str, started: bool, learner: bool) -> MemberInfo {
    MemberInfo { id: MemberId(id), vm: Text::word(vm), started, learner }
}

pub(super) fn voters() -> StoreAnswer {
    StoreAnswer::Members(vec![member(1, "cp-0", true, false), member(2, "cp-1", true, false)])
}

pub(super) fn members(learner: bool) -> StoreAnswer {
    StoreAnswer::Members(vec![
        member(1, "cp-0", true, false),
        member(2, "cp-1", true, false),
        member(4, "cp-new", false, learner),
    ])
}

pub(super) fn failed(message: &'static str) -> StoreAnswer {
    StoreAnswer::Failed(StoreError::new(GrpcCode::Unavailable, message))
}

/// Looks for a Node that does not come until the wait for it is over.
fn wait_in_vain(join: &mut Join) {
    for _ in 0..600 {
        join.answer(Err(ApiError::not_found(node().key())));
        assert_eq!(join.next(|event| *event == Event::SeekNode), Duration::from_millis(500));
    }
    assert!(join.asks_for_node() && !join.exited, "for five minutes");
    join.answer(Err(ApiError::not_found(node().key())));
}

#[test]
fn without_local_mode_etcd_is_asked_for_nothing_before_the_node_is_there() {
    let mut join = Join::begun(true, None, true);
    join.listed(); // Its Node needs the API server beside it, and that the member.
    let mut join = Join::begun(true, None, false);
    wait_in_vain(&mut join);
    assert!(join.exited && join.asked.is_empty() && join.calls.is_empty() && !join.has(ETCD));
    let error = "error execution phase kubelet-start: timed out waiting for the condition";
    assert!(join.logs.iter().any(|line| line == error), "{:?}", join.logs);
}

#[test]
fn a_script_starts_a_kubelet_again_that_makes_no_node_then_takes_all_back() {
    let mut join = Join::begun(true, SCRIPT, false);
    for tries in 1..=5 {
        wait_in_vain(&mut join);
        assert_eq!(join.next(|event| *event == Event::StartKubelet), Duration::from_secs(15));
        assert_eq!(join.ended.len(), tries.min(4), "{:?}", join.ended);
    }
    let listed = join.asked.iter().any(|(_, _, verb)| matches!(verb, Verb::List(Kind::Pod, ..)));
    assert!(listed, "etcd may have its member: {:?}", join.asked);
    assert!(join.logs.iter().any(|line| line.ends_with("too many errors, exiting")));
    assert!(!join.exited && !join.has(ETCD));
    // Once it makes its Node all goes on.
    let mut join = Join::begun(true, SCRIPT, false);
    wait_in_vain(&mut join);
    join.next(|event| *event == Event::StartKubelet);
    join.answer(Ok(Answer::Object(Arc::new(node()))));
    join.listed();
}

const SCRIPT: Option<RetryJoin> = Some(RetryJoin { tries: 5, pause: Duration::from_secs(15) });

#[test]
fn a_list_of_members_that_fails_or_is_empty_is_asked_for_again_for_a_minute() {
    let mut join = Join::trusted(true);
    for tries in 0..120 {
        assert!(!join.exited, "after {tries} tries");
        join.answer(match tries % 2 {
            0 => Err(ApiError::new(Reason::Timeout, "etcdserver: request timed out")),
            _ => Ok(Answer::List(Revision(9), Vec::new())),
        });
        let at = join.timers.iter().position(|(_, event)| *event == Event::ListMembers);
        let (pause, event) = join.timers.remove(at.expect("a pause"));
        assert_eq!(pause, Duration::from_millis(500));
        join.bed.pass(pause);
        join.play(Input::Due(event));
    }
    join.answer(Err(ApiError::new(Reason::Timeout, "etcdserver: request timed out")));
    assert!(join.exited);
    let last = join.logs.last().expect("it says why");
    let why = "could not retrieve the list of etcd endpoints: etcdserver: request timed out";
    assert!(last.ends_with(why), "{last}");
}

#[test]
fn a_member_that_is_listed_already_is_not_added_again() {
    for learner in [true, false] {
        let mut join = Join::trusted(learner);
        join.listed();
        let lists = join.calls.drain(..).collect::<Vec<_>>();
        let (to, request) = &lists[0];
        join.play(Input::Message(*to, Message::Stored(request.id, members(learner))));
        assert!(join.calls.is_empty(), "{:?}", join.calls);
        assert!(join.has(ETCD));
        let promotes = join.timers.iter().any(|(_, event)| matches!(event, Event::AskMember(_)));
        assert_eq!(promotes, learner);
    }
}

pub(super) const ETCD: &str = "/etc/kubernetes/manifests/etcd.yaml";

#[test]
fn the_components_come_before_the_member_and_the_label_last() {
    let mut join = Join::trusted(true);
    assert!(join.has(KUBELET_CONFIG) && join.has("/etc/kubernetes/manifests/kube-apiserver.yaml"));
    assert!(!join.has(ETCD), "nobody has added the member yet");
    join.listed();
    join.found();
    let added = join.stored(members(true));
    let StoreOperation::MemberAdd { vm, learner: true } = added else { panic!("{added:?}") };
    assert_eq!(vm, "cp-new");
    assert!(join.has(ETCD));
    let flags = join.bed.vm.disk.read("/etc/default/etcd").cloned().expect("written");
    assert!(flags.contains("existing") && flags.contains("cp-0,cp-1,cp-new"), "{flags}");
    // It has not caught up at once.
    for _ in 0..3 {
        join.again();
        let words = "etcdserver: can only promote a learner member which is in sync with leader";
        let asked = join.stored(failed(words));
        assert!(matches!(asked, StoreOperation::MemberPromote(MemberId(4))), "{asked:?}");
    }
    join.again();
    join.stored(members(false));
    join.answer(Ok(Answer::Object(Arc::new(node()))));
    let Verb::Patch { changed, .. } = join.asked[0].2.clone() else { panic!("a patch") };
    assert!(changed.meta.labels.contains_key(taint::CONTROL_PLANE));
    let tainted =
        changed.node().map(|node| node.has_taint(taint::CONTROL_PLANE, TaintEffect::NoSchedule));
    assert_eq!(tainted, Some(true));
    assert!(!join.exited);
    join.answer(Ok(Answer::Done));
    assert!(join.exited && join.has(DONE));
}

#[test]
fn without_learners_a_new_member_votes_at_once() {
    let mut join = Join::trusted(false);
    join.listed();
    join.found();
    let added = join.stored(members(false));
    assert!(matches!(added, StoreOperation::MemberAdd { learner: false, .. }), "{added:?}");
    assert!(matches!(&join.asked[0].2, Verb::Get(key) if key.kind == Kind::Node));
}

#[test]
fn without_a_quorum_the_member_is_not_added_and_the_join_fails_for_good() {
    let mut join = Join::trusted(true);
    join.listed();
    let mut tries = 0;
    while !join.exited {
        join.stored(failed("etcdserver: no leader"));
        join.stored(failed("etcdserver: no leader"));
        tries += 1;
        if !join.exited {
            join.again();
        }
    }
    assert_eq!(tries, 241, "two minutes, each half second");
    assert!(join.logs.iter().any(|line| line.contains("etcdserver: no leader")), "{:?}", join.logs);
    assert!(!join.has(ETCD) && join.has(DONE), "cloud-init does not run again");
}

/// A Pod outlives its VM by up to a minute.
#[test]
fn nobody_waits_for_a_member_whose_vm_is_gone() {
    let mut join = Join::trusted(true);
    join.listed();
    let gone = join.calls[0].0;
    join.found();
    assert!(matches!(join.calls[0].1.operation, StoreOperation::MemberAdd { .. }));
    join.play(Input::Broken(gone, crate::infra::Broken::Lost));
    assert_eq!(join.calls.len(), 1, "the dial of the dead one was given up before");
}

#[test]
fn when_the_asked_member_goes_all_are_dialed_again() {
    let mut join = Join::trusted(true);
    join.listed();
    join.found();
    let (to, _) = join.calls.remove(0);
    join.play(Input::Broken(to, crate::infra::Broken::Refused));
    join.again();
    join.found();
    assert!(matches!(join.calls[0].1.operation, StoreOperation::MemberAdd { .. }));
}
