//! The signer and the token cleaner: when they act, and what they leave alone.

use super::tests::settings;
use super::*;
use crate::api::kinds::{BootstrapToken, ConfigMap, Secret, TokenUsage};
use crate::api::{ApiError, Meta, Object, Reason, Uid, WatchKind};
use crate::client::{Standing, testing::Bench};
use crate::engine::{SimTime, Skew};
use crate::infra::{EndpointId, Start};
use std::collections::BTreeMap;

type Manager = Bench<ControllerManager, Event>;

fn manager(objects: &[Object]) -> Manager {
    let manager =
        ControllerManager::new(settings(), Address::Endpoint(EndpointId(1)), Standing::Leader);
    let react = ControllerManager::on_event;
    Bench::started(manager, "kube-controller-manager", react, Start::Steady, objects)
}

fn token(id: &'static str, ends: u64, usages: &[TokenUsage]) -> Object {
    let token = BootstrapToken {
        id: Text::word(id),
        secret: Text::from(format!("secret-of-{id}")),
        expiration: Some(SimTime::ZERO + Duration::from_secs(ends)),
        usages: usages.to_vec(),
    };
    let meta = Meta::new(Kind::Secret, Secret::TOKEN_NAMESPACE, token.secret_name());
    let mut object = Object::new(meta, Secret::of_token(token));
    object.meta.uid = Uid(7);
    object
}

fn cluster_info(signatures: &[&'static str]) -> Object {
    let mut data = BTreeMap::from([(Text::word("kubeconfig"), Text::word("server: here"))]);
    for id in signatures {
        let key = format!("{}{id}", ConfigMap::SIGNATURE);
        let signed = ConfigMap { data: data.clone() }.sign(&format!("secret-of-{id}"));
        data.insert(Text::from(key), signed);
    }
    let meta =
        Meta::new(Kind::ConfigMap, ConfigMap::CLUSTER_INFO_NAMESPACE, ConfigMap::CLUSTER_INFO);
    Object::new(meta, ConfigMap { data })
}

const BOTH: [TokenUsage; 2] = [TokenUsage::Signing, TokenUsage::Authentication];
const TICK: Duration = Duration::from_millis(1);

/// The ids that the latest update of cluster-info signs; none if it is not updated.
fn signed(manager: &mut Manager) -> Option<Vec<String>> {
    manager.pass(TICK);
    let writes = manager.writes();
    let update = writes.into_iter().find(|(words, _)| words == "update ConfigMap/cluster-info")?;
    let object = update.1?;
    let info = object.config_map()?;
    Some(
        info.data
            .keys()
            .filter_map(|key| key.strip_prefix(ConfigMap::SIGNATURE))
            .map(String::from)
            .collect(),
    )
}

/// The requests that are not about informers and not of other controllers.
fn deletions(manager: &mut Manager) -> Vec<String> {
    let writes = manager.writes().into_iter().map(|(words, _)| words);
    writes.filter(|words| words.starts_with("delete Secret")).collect()
}

#[test]
fn a_new_token_is_signed_and_a_token_that_may_not_sign_is_not() {
    let mut manager = manager(&[cluster_info(&[])]);
    assert_eq!(signed(&mut manager), None, "there is nothing to sign with");
    let mute = token("bbbbbb", 900, &[TokenUsage::Authentication]);
    manager.shows(WatchKind::Added, mute);
    assert_eq!(signed(&mut manager), None);
    manager.shows(WatchKind::Added, token("aaaaaa", 900, &BOTH));
    assert_eq!(signed(&mut manager), Some(vec!["aaaaaa".to_owned()]));
}

#[test]
fn what_has_no_token_any_more_loses_its_signature() {
    let mut manager = manager(&[cluster_info(&["aaaaaa"]), token("aaaaaa", 900, &BOTH)]);
    assert_eq!(signed(&mut manager), None, "everything is as it should be");
    manager.shows(WatchKind::Deleted, token("aaaaaa", 900, &BOTH));
    assert_eq!(signed(&mut manager), Some(Vec::new()));
}

#[test]
fn a_failed_update_waits_for_the_next_change() {
    let mut manager = manager(&[cluster_info(&[]), token("aaaaaa", 900, &BOTH)]);
    manager.pass(TICK);
    let update = manager.asked.iter().position(|(_, request)| request.agent == "bootstrap-signer");
    let (connection, request) = manager.asked.remove(update.expect("an update"));
    let error = ApiError::new(Reason::InternalError, "etcdserver: request timed out");
    manager.answer(connection, request.id, Err(error));
    for _ in 0..100 {
        assert_eq!(signed(&mut manager), None, "nobody puts it back into the queue");
    }
    manager.shows(WatchKind::Modified, cluster_info(&[]));
    assert_eq!(signed(&mut manager), Some(vec!["aaaaaa".to_owned()]));
}

#[test]
fn a_change_during_an_update_is_signed_after_it() {
    let mut manager = manager(&[cluster_info(&[]), token("aaaaaa", 900, &BOTH)]);
    manager.pass(TICK);
    manager.shows(WatchKind::Added, token("bbbbbb", 900, &BOTH));
    let updates = |manager: &Manager| {
        manager.asked.iter().filter(|(_, request)| request.agent == "bootstrap-signer").count()
    };
    manager.pass(TICK);
    assert_eq!(updates(&manager), 1, "one worker, one update at a time");
    let written = manager.grant("update ConfigMap/cluster-info");
    manager.shows(WatchKind::Modified, Object::clone(&written));
    assert_eq!(signed(&mut manager).map(|ids| ids.len()), Some(2));
}

#[test]
fn a_token_is_deleted_at_its_end_and_not_before() {
    let mut manager = manager(&[cluster_info(&["aaaaaa"]), token("aaaaaa", 60, &BOTH)]);
    manager.writes();
    manager.pass(Duration::from_millis(59_999));
    assert_eq!(deletions(&mut manager), Vec::<String>::new());
    manager.pass(TICK);
    assert_eq!(deletions(&mut manager), ["delete Secret/bootstrap-token-aaaaaa"]);
}

#[test]
fn a_token_whose_end_was_put_off_lives_on() {
    let mut manager = manager(&[cluster_info(&[]), token("aaaaaa", 60, &BOTH)]);
    manager.shows(WatchKind::Modified, token("aaaaaa", 120, &BOTH));
    manager.writes();
    manager.pass(Duration::from_secs(60));
    assert_eq!(deletions(&mut manager), Vec::<String>::new());
    manager.pass(Duration::from_secs(60));
    assert_eq!(deletions(&mut manager).len(), 1);
}

#[test]
fn a_manager_that_starts_finds_what_expired_while_nobody_looked() {
    let mut manager = manager(&[cluster_info(&["aaaaaa"]), token("aaaaaa", 0, &BOTH)]);
    let delete = manager.asked.iter().position(|(_, request)| request.agent == "token-cleaner");
    let (connection, request) = manager.asked.remove(delete.expect("at once"));
    let Verb::Delete { uid, .. } = &request.verb else { panic!("{:?}", request.verb) };
    assert_eq!(*uid, Some(Uid(7)), "not another token of that name");
    assert_eq!(signed(&mut manager), Some(Vec::new()), "deleted or not, it signs nothing");
    // It fails, and is tried again after a pause.
    let error = ApiError::new(Reason::InternalError, "etcdserver: request timed out");
    manager.answer(connection, request.id, Err(error));
    manager.pass(Duration::from_millis(5));
    assert_eq!(deletions(&mut manager).len(), 1);
}

#[test]
fn other_secrets_are_nobody_s_business() {
    let meta = Meta::new(Kind::Secret, "default", "worker-0");
    let data = Object::new(meta, Secret::of_user_data("kubeadm join"));
    let mut manager = manager(&[cluster_info(&[])]);
    manager.shows(WatchKind::Added, data);
    assert_eq!(signed(&mut manager), None);
    assert_eq!(deletions(&mut manager), Vec::<String>::new());
}

#[test]
fn a_token_is_over_by_the_clock_of_who_cleans() {
    let ahead = |seconds: i64| Skew::from_micros(seconds * 1_000_000);
    let mut manager = manager(&[cluster_info(&[]), token("aaaaaa", 60, &BOTH)]);
    assert_eq!(signed(&mut manager).map(|ids| ids.len()), Some(1));
    // Set back before the timer falls due: the rest is waited for anew.
    manager.bed.vm.skew = ahead(-30);
    manager.pass(Duration::from_secs(60));
    assert_eq!(deletions(&mut manager), Vec::<String>::new(), "it shows 30 s");
    manager.pass(Duration::from_secs(31));
    assert_eq!(deletions(&mut manager).len(), 1);
    // Ahead: a token that others believe to be young signs nothing from the start.
    manager.bed.vm.skew = ahead(1000);
    manager.shows(WatchKind::Added, token("bbbbbb", 900, &BOTH));
    assert_eq!(deletions(&mut manager).len(), 1);
    assert_eq!(signed(&mut manager), None);
}
