//! What is named after a setting is decided by it.

use super::*;

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
