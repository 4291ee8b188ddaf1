//! What is named after a setting is decided by it.

use super::*;
use crate::scenario::{Changes, Game, Scenario, Source};
use std::collections::BTreeSet;

#[test]
fn a_shells_waits_are_named_after_the_settings_that_decide_them() {
    let mut platform = models::platform("tkgs-2024").expect("embedded");
    // Different for each, so that nobody can be named after another's.
    for (key, value) in [
        ("clusterApi.workers", "3"),
        ("vmOperator.maxConcurrentReconciles", "5"),
        ("capv.workers", "7"),
        ("kubernetes.controllerWorkers", "9"),
    ] {
        platform.catalog.set(key, value).expect("a setting");
    }
    let settings = settings(&platform);
    let Provider::VmOperator { provider, operator } = &settings.provider else {
        panic!("tkgs-2024 has VM Operator");
    };
    let control_plane = settings.control_plane.as_ref().expect("it is kept");
    for shell in [
        settings.controller_manager.shell,
        settings.cluster_api.shell,
        settings.bootstrap_provider.shell,
        control_plane.controller.shell,
        provider.shell,
        operator.shell,
    ] {
        let all = &platform.catalog;
        let ShellRules { workers, backoff, thinking, .. } = *shell.rules;
        assert_eq!(shell.workers, size(all.count(workers, 1..=1_000_000)), "{workers}");
        let expected = Backoff::new(all.period(backoff.first), all.period(backoff.limit));
        assert_eq!(shell.backoff, expected, "{workers}: {}", backoff.first);
        assert_eq!(shell.thinking, all.delay(thinking), "{workers}: {thinking}");
    }
}

#[test]
fn no_write_may_take_longer_than_any_request() {
    let mut platform = models::platform("tkgs-2024").expect("embedded");
    let mutating = |platform: &Platform| settings(platform).apiserver.mutating_timeout;
    assert_eq!(mutating(&platform), Duration::from_secs(34));
    platform.catalog.set("kubernetes.requestTimeout", "20s").expect("a setting");
    assert_eq!(mutating(&platform), Duration::from_secs(20));
}

/// With all that can make somebody read a number: hosts, volumes, users of each kind.
const ALL: &str = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: all }\nspec:\n  \
    platform: tkgs-2024\n  \
    cluster: { controlPlane: 3, workers: 3, hosts: 6, highAvailability: true }\n  \
    workloads:\n    - { name: db, kind: StatefulSet, replicas: 3, volume: true }\n  \
    probes: [{ app: db }, { deploy: 1m }, { api: each }]\n  \
    faults: [{ at: 1m, kubectl: get nodes }]\n  until: 2m\n";

/// As the webhook of Cluster API does.
#[test]
fn a_start_up_is_given_half_a_minute_or_no_limit() {
    let mut platform = models::platform("tkgs-2024").expect("embedded");
    let key = "machineHealthCheck.nodeStartupTimeout";
    for (value, fits) in [("0s", true), ("1ms", false), ("29s", false), ("30s", true), ("3m", true)]
    {
        platform.catalog.set(key, value).expect("a duration");
        blueprint(&platform, 3, 3);
        let wrong = platform.catalog.mistakes();
        assert_eq!(wrong.is_empty(), fits, "{value}");
        assert!(wrong.iter().all(|it| it.message.contains("at least 30s, or 0s")), "{wrong:?}");
    }
}

/// As the webhook of Cluster API does.
#[test]
fn one_control_plane_is_not_deleted_before_another_is_made() {
    let mut platform = models::platform("tkgs-2024").expect("embedded");
    let key = "clusterApi.controlPlaneMaxSurge";
    for (planes, surge, fits) in [(1, "1", true), (1, "0", false), (3, "0", true)] {
        platform.catalog.set(key, surge).expect("a count");
        blueprint(&platform, planes, 3);
        let wrong = platform.catalog.mistakes();
        assert_eq!(wrong.is_empty(), fits, "{planes} and {surge}");
        let words =
            format!("--set {key}=0: maxSurge `0` is refused for a control plane of 1: one that");
        assert!(wrong.iter().all(|it| it.to_string().starts_with(&words)), "{wrong:?}");
    }
}

/// A number that no code reads would be a promise that nobody keeps.
#[test]
fn every_setting_is_read_on_some_platform() {
    let scenario = Scenario::read(Source::embedded("all.yaml", ALL)).expect("a scenario");
    let mut unread: BTreeSet<String> = BTreeSet::new();
    let mut read: BTreeSet<String> = BTreeSet::new();
    for name in models::platforms() {
        let catalog = models::platform(name).expect("embedded").catalog;
        let set: Vec<(String, String)> = catalog
            .iter()
            .filter(|(_, setting)| setting.derived.is_none())
            .map(|(key, setting)| (key.clone(), setting.value.clone()))
            .collect();
        let changes = Changes { platform: Some(name), set: &set, until: None, manifests: &[] };
        // Some platforms have no workers for these workloads.
        let Ok(game) = Game::with(&scenario, changes) else { continue };
        let doubted: Vec<&str> = game
            .doubts()
            .iter()
            .filter_map(|doubt| doubt.split_once(" changes nothing"))
            .map(|(key, _)| key)
            .collect();
        for (key, _) in &set {
            match doubted.contains(&key.as_str()) {
                true => unread.insert(key.clone()),
                false => read.insert(key.clone()),
            };
        }
    }
    let never: Vec<&String> = unread.difference(&read).collect();
    assert_eq!(never, Vec::<&String>::new());
    assert!(read.iter().any(|key| key.starts_with("vmOperator.")), "tkgs-2024 is among them");
}
