//! The provider: one token and one Secret for each Machine, and how long it cares.

use super::*;
use crate::api::kinds::{BootstrapToken, Cluster, KubeadmConfig, Machine, Secret, TokenUsage};
use crate::api::{Answer, ApiError, JoinConfiguration, Meta, Object, Reason, WatchKind};
use crate::client::{Backoff, testing::Bench};
use crate::engine::{Delay, Rhythm, SimTime, Text};
use crate::infra::{EndpointId, Start};
use std::sync::Arc;

type Manager = Bench<BootstrapProvider, Event>;

const TICK: Duration = Duration::from_millis(1);

fn settings() -> Settings {
    let secs = Duration::from_secs;
    Settings {
        client: ClientSettings {
            request_timeout: secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        remote_timeout: secs(10),
        shell: ShellSettings {
            workers: 10,
            backoff: Backoff::new(Duration::from_millis(5), secs(1000)),
            rules: crate::client::ShellRules::CONTROLLER_RUNTIME,
            minimum_gap: Duration::ZERO,
            thinking: Delay::fixed(TICK),
        },
        resync: secs(600),
        resync_jitter_percent: 0,
        probe: ProbeSettings {
            interval: secs(10),
            rhythm: Rhythm::AfterEnd,
            timeout: secs(5),
            failures: 2,
            reconnect: secs(10),
            sync: secs(300),
        },
        reconnection_enqueues: true,
        token_ttl: secs(900),
        token_check: secs(300),
        token_refresh_below: secs(750),
        pauses: Pauses::Silent,
        retry: None,
    }
}

fn manager(objects: &[Object]) -> Manager {
    manager_by(settings(), objects)
}

fn manager_by(settings: Settings, objects: &[Object]) -> Manager {
    let [management, workload] = [EndpointId(0), EndpointId(1)].map(Address::Endpoint);
    let manager = BootstrapProvider::new(settings, management, Some(workload));
    let react = BootstrapProvider::on_event;
    let program = "capi-kubeadm-bootstrap-controller-manager";
    let mut bench = Bench::started(manager, program, react, Start::Fresh, objects);
    bench.pass(TICK);
    bench.pass(TICK);
    bench
}

fn config(change: impl FnOnce(&mut KubeadmConfig)) -> Object {
    let mut body = KubeadmConfig::default();
    change(&mut body);
    let machine = Meta::new(Kind::Machine, "default", "w");
    Object::new(Meta::new(Kind::KubeadmConfig, "default", "w").owned_by(&machine), body)
}

fn machine(node: Option<&'static str>) -> Object {
    let body = Machine { node_ref: node.map(Text::word), ..Machine::default() };
    Object::new(Meta::new(Kind::Machine, "default", "w"), body)
}

fn waiting(manager: &Manager, what: &str) -> Option<String> {
    manager.waiting().into_iter().find(|words| words.starts_with(what))
}

/// Grants the creation of the token and returns it.
fn token(manager: &mut Manager) -> BootstrapToken {
    let words = waiting(manager, "create Secret/bootstrap-token-").expect("a token");
    let secret = manager.grant(&words);
    secret.secret().and_then(|secret| secret.token.clone()).expect("it is a token")
}

#[test]
fn a_new_machine_gets_a_token_then_its_data_then_the_name_of_it() {
    let mut manager = manager(&[config(|_| {}), machine(None)]);
    let token = token(&mut manager);
    // Whole seconds, as RFC 3339 has them.
    assert_eq!(token.expiration, Some(SimTime::ZERO + Duration::from_secs(900)));
    assert_eq!(token.usages, [TokenUsage::Signing, TokenUsage::Authentication]);
    let data = manager.grant("create Secret/w");
    let user_data = data.secret().and_then(Secret::user_data).expect("user data");
    let join = JoinConfiguration::from_user_data(user_data).expect("a join");
    assert_eq!((join.token_id, join.token_secret), (token.id, token.secret));
    assert_eq!(join.node_name, "w");
    let ready = manager.grant("patch KubeadmConfig/w");
    let ready = ready.kubeadm_config().expect("a config");
    assert!(ready.ready && ready.data_secret_name == *"w");
}

#[test]
fn in_a_paused_cluster_nothing_is_made_until_the_pause_is_over() {
    let cluster = |paused| {
        let body = Cluster { paused, ..Cluster::default() };
        Object::new(Meta::new(Kind::Cluster, "default", ""), body)
    };
    let mut manager = manager(&[cluster(true), config(|_| {}), machine(None)]);
    assert_eq!(waiting(&manager, "create"), None);
    manager.shows(WatchKind::Modified, cluster(false));
    manager.pass(TICK);
    manager.pass(TICK);
    assert!(waiting(&manager, "create Secret/bootstrap-token-").is_some());
}

#[test]
fn until_its_machine_has_taken_it_over_it_is_left_alone() {
    let mut of_set = config(|_| {});
    of_set.meta = of_set.meta.owned_by(&Meta::new(Kind::MachineSet, "default", "ms"));
    assert_eq!(waiting(&manager(&[of_set, machine(None)]), "create"), None);
}

#[test]
fn without_a_machine_or_with_data_nothing_is_made() {
    assert_eq!(waiting(&manager(&[config(|_| {})]), "create"), None);
    let done = config(|config| config.ready = true);
    assert_eq!(waiting(&manager(&[done, machine(Some("w"))]), "create"), None);
}

#[test]
fn while_the_workload_cluster_is_away_there_is_no_data_and_it_tries_again() {
    let mut manager = manager(&[config(|_| {}), machine(None)]);
    let asked = manager.asked.iter().position(|(_, r)| r.verb.is_mutating()).expect("a token");
    let (connection, request) = manager.asked.remove(asked);
    manager.answer(connection, request.id, Err(ApiError::unreachable("connection refused")));
    assert_eq!(waiting(&manager, "create"), None);
    manager.pass(Duration::from_millis(5));
    manager.pass(TICK);
    assert!(waiting(&manager, "create Secret/bootstrap-token-").is_some());
}

#[test]
fn data_of_a_try_that_was_cut_short_is_replaced() {
    let mut manager = manager(&[config(|_| {}), machine(None)]);
    let token = token(&mut manager);
    let at = manager.asked.iter().position(|(_, r)| r.verb.is_mutating()).expect("the data");
    let (connection, request) = manager.asked.remove(at);
    let error = ApiError::new(Reason::AlreadyExists, "secrets \"w\" already exists");
    manager.answer(connection, request.id, Err(error));
    let replaced = manager.grant("patch Secret/w");
    let user_data = replaced.secret().and_then(Secret::user_data).expect("user data");
    assert!(user_data.contains(token.id.as_str()));
    assert!(waiting(&manager, "patch KubeadmConfig/w").is_some());
}

/// A Machine with data; its token ends at this second.
fn joining(node: Option<&'static str>, ends: u64) -> (Manager, Object) {
    let ready = config(|config| {
        config.ready = true;
        config.data_secret_name = Text::word("w");
        config.token = Text::word("5j3q2p.secret");
    });
    let token = BootstrapToken {
        id: Text::word("5j3q2p"),
        secret: Text::word("secret"),
        expiration: Some(SimTime::ZERO + Duration::from_secs(ends)),
        usages: vec![TokenUsage::Signing],
    };
    let meta = Meta::new(Kind::Secret, Secret::TOKEN_NAMESPACE, token.secret_name());
    (manager(&[ready, machine(node)]), Object::new(meta, Secret::of_token(token)))
}

fn read(manager: &mut Manager, answer: Result<Answer, ApiError>) {
    let gets = |r: &crate::api::Request| matches!(r.verb, crate::api::Verb::Get(_));
    let at = manager.asked.iter().position(|(_, request)| gets(request)).expect("a look");
    let (connection, request) = manager.asked.remove(at);
    manager.answer(connection, request.id, answer);
}

#[test]
fn a_token_is_put_off_only_when_its_end_is_near() {
    for (left, refreshed) in [(800, false), (750, true), (10, true)] {
        let (mut manager, token) = joining(None, left);
        read(&mut manager, Ok(Answer::Object(Arc::new(token))));
        let patch = waiting(&manager, "patch Secret/bootstrap-token-5j3q2p");
        assert_eq!(patch.is_some(), refreshed, "{left} s left");
        if refreshed {
            let patched = manager.grant("patch Secret/bootstrap-token-5j3q2p");
            let token = patched.secret().and_then(|secret| secret.token.clone()).expect("a token");
            assert_eq!(token.expiration, Some(SimTime::ZERO + Duration::from_secs(900)));
        }
        manager.pass(Duration::from_secs(300));
        manager.pass(TICK);
        assert!(waiting(&manager, "get Secret/").is_some(), "and looked at again after 5 min");
    }
}

#[test]
fn once_the_machine_has_a_node_nobody_cares_for_its_token() {
    let (mut manager, _) = joining(Some("w"), 10);
    assert_eq!(waiting(&manager, "get Secret/"), None);
    manager.shows(WatchKind::Modified, machine(Some("w")));
    manager.pass(Duration::from_secs(3_600));
    assert_eq!(waiting(&manager, "get Secret/"), None);
}

#[test]
fn a_token_that_is_gone_is_an_error_and_not_made_anew() {
    let (mut manager, token) = joining(None, 10);
    read(&mut manager, Err(ApiError::not_found(token.key())));
    assert_eq!(waiting(&manager, "create"), None);
    manager.pass(Duration::from_millis(5));
    manager.pass(TICK);
    assert!(waiting(&manager, "get Secret/").is_some(), "tried again with a growing pause");
}

/// The probe's time comes after ten seconds; it is answered, or not.
fn probe(manager: &mut Manager, answers: bool) {
    manager.bed.pass(Duration::from_secs(10));
    manager.play(Input::Tick(PROBE));
    let is_probe = |(_, it): &(_, crate::api::Request)| it.agent == "cluster-cache-probe";
    let place = manager.asked.iter().position(is_probe).expect("a probe");
    let (connection, request) = manager.asked.remove(place);
    let answered = match answers {
        true => Ok(Answer::Done),
        false => Err(ApiError::unreachable("context deadline exceeded")),
    };
    manager.answer(connection, request.id, answered);
}

/// A manager whose Machine waits for its data because the workload cluster was silent, and is now in
/// a pause that has grown; the cluster answers again.
fn waits_since_an_outage(enqueues: bool) -> Manager {
    let rules = Settings { reconnection_enqueues: enqueues, ..settings() };
    let mut manager = manager_by(rules, &[config(|_| {}), machine(None)]);
    (0..2).for_each(|_| probe(&mut manager, false));
    let mut pause = Duration::from_millis(5);
    for _ in 0..16 {
        let asked = manager.asked.iter().position(|(_, it)| it.verb.is_mutating());
        let Some(asked) = asked else { break };
        let (connection, request) = manager.asked.remove(asked);
        manager.answer(connection, request.id, Err(ApiError::unreachable("connection refused")));
        manager.pass(pause);
        manager.pass(TICK);
        pause = pause.doubled_up_to(Duration::from_secs(1000));
    }
    let (connection, request) = manager.asked.remove(0);
    manager.answer(connection, request.id, Err(ApiError::unreachable("connection refused")));
    probe(&mut manager, true);
    manager.pass(TICK);
    manager.pass(TICK);
    manager
}

#[test]
fn when_the_workload_cluster_is_back_nobody_waits_for_the_end_of_a_pause() {
    let manager = waits_since_an_outage(true);
    assert!(waiting(&manager, "create Secret/bootstrap-token-").is_some());
    let mut manager = waits_since_an_outage(false);
    assert_eq!(waiting(&manager, "create Secret/bootstrap-token-"), None);
    manager.play(Input::Tick(RESYNC));
    manager.pass(TICK);
    manager.pass(TICK);
    assert!(waiting(&manager, "create Secret/bootstrap-token-").is_some(), "the resync helps");
}
