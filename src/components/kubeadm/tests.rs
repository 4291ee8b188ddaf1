//! The first boot, and those after it; discovery with every kind of answer.

use super::*;
use crate::api::kinds::ConfigMap;
use crate::api::{Answer, Answered, ApiError, Kind, Meta, Object, Reason};
use crate::engine::{SimTime, Text};
use crate::infra::testbed::{Testbed, answer, logs, requests, started, timers};
use crate::infra::{Broken, ConnectionId, Effect, EndpointId, Start};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A kubeadm whose timers are played in order; the test plays the server.
struct Join {
    kubeadm: Kubeadm,
    bed: Testbed<Event>,
    timers: Vec<(SimTime, Event)>,
    asked: Vec<(ConnectionId, u32)>,
    /// When each look came.
    looks: Vec<Duration>,
    logs: Vec<String>,
    exited: bool,
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings() -> Settings {
    Settings {
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
            learner: true,
            retry: Duration::from_millis(500),
            limit: secs(120),
            list_retry: Duration::from_millis(500),
            list_limit: secs(60),
        },
        local_mode: false,
    }
}

fn configuration(retry: Option<RetryJoin>) -> Text {
    let (token_id, token_secret) = (Text::word("5j3q2p"), Text::word("good"));
    let node_name = Text::word("worker-3");
    let control_plane = false;
    JoinConfiguration { node_name, control_plane, token_id, token_secret, retry }.to_user_data()
}

const SCRIPT: Option<RetryJoin> = Some(RetryJoin { tries: 5, pause: Duration::from_secs(15) });

impl Join {
    fn new(settings: Settings, user_data: Text) -> Join {
        let kubeadm = Kubeadm::new(settings, Address::Endpoint(EndpointId(1)));
        let mut join = Join {
            kubeadm,
            bed: Testbed::new("cloud-init", "worker-3"),
            timers: Vec::new(),
            asked: Vec::new(),
            looks: Vec::new(),
            logs: Vec::new(),
            exited: false,
        };
        join.bed.vm.disk.write(USER_DATA, user_data);
        join.play(started(Start::Fresh));
        join
    }

    fn play(&mut self, input: Input<Event>) {
        let effects = self.bed.play(|ctx| self.kubeadm.on_event(input, ctx));
        let now = self.bed.now;
        self.timers.extend(timers(&effects).into_iter().map(|(delay, event)| (now + delay, event)));
        for (connection, request) in requests(&effects) {
            self.asked.push((connection, request.id));
            self.looks.push(now.since(SimTime::ZERO));
        }
        self.logs.extend(logs(&effects));
        self.exited |= effects.iter().any(|effect| matches!(effect, Effect::Exit));
    }

    /// Plays everything up to a time; the server answers each request at once, or not at all.
    fn until(&mut self, seconds: u64, server: impl Fn(SimTime) -> Option<Answered>) {
        let end = SimTime::ZERO + secs(seconds);
        loop {
            if let Some((connection, id)) = self.asked.pop() {
                if let Some(answered) = server(self.bed.now) {
                    self.play(answer(connection, id, answered));
                }
                continue;
            }
            let next = (0..self.timers.len()).min_by_key(|at| self.timers[*at].0);
            let Some(next) = next.filter(|at| self.timers[*at].0 <= end && !self.exited) else {
                return self.bed.now = end;
            };
            let (at, event) = self.timers.remove(next);
            self.bed.now = at;
            self.play(Input::Due(event));
        }
    }

    fn said(&self, what: &str) -> usize {
        self.logs.iter().filter(|line| line.contains(what)).count()
    }
}

/// cluster-info with a signature made by this secret.
fn signed_by(secret: Option<&str>) -> Answered {
    let data = BTreeMap::from([(Text::word("kubeconfig"), Text::word("server: here"))]);
    let mut info = ConfigMap { data };
    if let Some(secret) = secret {
        let signature = info.sign(secret);
        info.data.insert(Text::word("jws-kubeconfig-5j3q2p"), signature);
    }
    let meta = Meta::new(Kind::ConfigMap, "kube-public", "cluster-info");
    Ok(Answer::Object(Arc::new(Object::new(meta, info))))
}

const UNSIGNED: &str = "error execution phase preflight: couldn't validate the identity of the API \
                        Server: could not find a JWS signature in the cluster-info ConfigMap for \
                        token ID \"5j3q2p\"";

#[test]
fn with_a_signed_token_the_first_boot_joins_and_starts_the_kubelet() {
    let mut join = Join::new(settings(), configuration(SCRIPT));
    join.until(39, |_| Some(signed_by(Some("good"))));
    assert!(join.bed.vm.disk.read(KUBELET_CONFIG).is_none(), "not before TLS bootstrap is done");
    join.until(41, |_| None);
    assert!(join.bed.vm.disk.read(KUBELET_CONFIG).is_some());
    assert_eq!(join.said("This node has joined the cluster:"), 1);
    assert!(join.exited);
}

#[test]
fn where_nobody_hands_out_tokens_joining_asks_nobody() {
    let mut join = Join::new(settings(), Text::word("kubeadm join --node-name=worker-3"));
    join.until(41, |_| panic!("nobody is asked"));
    assert_eq!(join.logs, ["This node has joined the cluster:"]);
}

#[test]
fn a_later_boot_leaves_everything_as_it_is() {
    let mut kubeadm = Kubeadm::new(settings(), Address::Endpoint(EndpointId(1)));
    let mut bed = Testbed::new("cloud-init", "worker-3");
    bed.vm.disk.write(USER_DATA, configuration(SCRIPT));
    bed.vm.disk.write(DONE, "");
    let effects = bed.play(|ctx| kubeadm.on_event(started(Start::Fresh), ctx));
    assert!(matches!(effects[..], [Effect::Exit]));
}

#[test]
fn a_boot_after_a_power_cut_in_the_middle_of_joining_does_not_go_on() {
    let mut kubeadm = Kubeadm::new(settings(), Address::Endpoint(EndpointId(1)));
    let mut bed = Testbed::new("cloud-init", "worker-3");
    bed.vm.disk.write(USER_DATA, configuration(SCRIPT));
    let effects = bed.play(|ctx| kubeadm.on_event(started(Start::Fresh), ctx));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Exit)), "it joins");
    let effects = bed.play(|ctx| kubeadm.on_event(started(Start::Fresh), ctx));
    assert!(matches!(effects[..], [Effect::Exit]), "{effects:?}");
}

#[test]
fn without_a_signature_it_looks_every_5_s_and_fails_after_300() {
    let mut join = Join::new(settings(), configuration(None));
    join.until(299, |_| Some(signed_by(None)));
    let beats: Vec<Duration> = (0..60).map(|beat| secs(5 * beat)).collect();
    assert_eq!(join.looks, beats);
    assert_eq!(join.said(UNSIGNED), 0);
    join.until(301, |_| None);
    assert_eq!(join.said(UNSIGNED), 1);
    assert!(join.exited, "without the script a failure is final");
    assert!(join.bed.vm.disk.read(KUBELET_CONFIG).is_none());
    assert!(join.bed.vm.disk.read(DONE).is_some(), "cloud-init runs once on a disk");
}

#[test]
fn a_token_that_is_signed_meanwhile_is_found_at_the_next_look() {
    let mut join = Join::new(settings(), configuration(None));
    let signed = SimTime::ZERO + Duration::from_millis(62_642);
    join.until(100, |now| Some(signed_by((now >= signed).then_some("good"))));
    assert_eq!(*join.looks.last().expect("looked"), secs(65));
}

#[test]
fn a_silent_server_is_asked_every_10_s() {
    let mut join = Join::new(settings(), configuration(None));
    join.until(301, |_| None);
    let tens: Vec<Duration> = (0..30).map(|ten| secs(10 * ten)).collect();
    assert_eq!(join.looks, tens);
    assert!(join.said("failed to request the cluster-info ConfigMap: Get") > 0);
    assert!(join.exited);
}

#[test]
fn a_refusing_port_is_asked_every_5_s_on_a_new_connection() {
    let mut join = Join::new(settings(), configuration(None));
    let (first, _) = join.until_asked();
    join.play(Input::Broken(first, Broken::Refused));
    let refused = "dial tcp workload:6443: connect: connection refused";
    assert_eq!(join.said(refused), 1, "{:?}", join.logs);
    join.bed.pass(secs(5));
    join.play(Input::Due(Event::Look(1)));
    let (second, _) = join.asked.pop().expect("asked again");
    assert_ne!(first, second);
}

impl Join {
    fn until_asked(&mut self) -> (ConnectionId, u32) {
        let at = self.timers.iter().position(|(_, event)| *event == Event::Checked);
        let (_, event) = self.timers.remove(at.expect("checks"));
        self.play(Input::Due(event));
        self.asked.pop().expect("asked")
    }
}

#[test]
fn an_error_of_the_server_is_no_end() {
    let mut join = Join::new(settings(), configuration(None));
    join.until(4, |_| Some(Err(ApiError::new(Reason::InternalError, "etcdserver: no leader"))));
    let line = "failed to request the cluster-info ConfigMap: etcdserver: no leader";
    assert_eq!(join.said(line), 1);
    assert!(!join.exited);
}

#[test]
fn a_signature_by_another_secret_ends_it_at_once() {
    let mut join = Join::new(settings(), configuration(None));
    join.until(1, |_| Some(signed_by(Some("bad"))));
    assert_eq!(join.said("failed to verify JWS signature"), 1);
    assert!(join.exited);
}

#[test]
fn the_script_tries_5_times_with_15_s_between() {
    let mut join = Join::new(settings(), configuration(SCRIPT));
    join.until(2_000, |_| Some(signed_by(None)));
    let first_of = |at: u64| join.looks.contains(&secs(at));
    assert!([0, 315, 630, 945, 1_260].into_iter().all(first_of), "{:?}", join.looks);
    assert_eq!(join.said(UNSIGNED), 5);
    let failed = "!!! [2024-09-12T14:05:00+00:00] kubeadm reported failed action(s) for 'kubeadm \
                  join phase preflight --ignore-preflight-errors=DirAvailable--etc-kubernetes-\
                  manifests'";
    let again = "+++ [2024-09-12T14:05:15+00:00] running 'kubeadm join phase preflight \
                 --ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests'";
    assert_eq!((join.said(failed), join.said(again)), (1, 1), "{:?}", join.logs);
    assert!(join.exited);
    assert_eq!(*join.looks.last().expect("looked"), secs(1_260 + 295), "and then no more");
    let too_many = "!!! [2024-09-12T14:26:15+00:00] too many errors, exiting";
    assert_eq!(join.said(too_many), 1, "after a last pause: {:?}", join.logs);
    assert_eq!(join.said("[reset] Stopping the kubelet service"), 1);
}

#[test]
fn older_releases_pause_after_each_look_and_say_that_they_will_try_again() {
    let rhythm = Rhythm::Pause { jitter_percent: 30 };
    let old = Settings { rhythm, wording: Wording::WillTryAgain, ..settings() };
    let mut join = Join::new(old, configuration(None));
    join.until(301, |_| Some(signed_by(None)));
    let gaps: Vec<Duration> =
        join.looks.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    assert!(gaps.iter().all(|gap| (secs(5)..Duration::from_millis(6_500)).contains(gap)));
    assert!(gaps.iter().any(|gap| *gap > secs(6)), "{gaps:?}");
    let line = "I token.go:223] [discovery] The cluster-info ConfigMap does not yet contain a JWS \
                signature for token ID \"5j3q2p\", will try again";
    assert!(join.said(line) > 40);
    assert_eq!(join.said(UNSIGNED), 1);
}
