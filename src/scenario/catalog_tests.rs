//! What a catalog of settings takes and refuses.

use super::catalog::*;
use crate::scenario::models;

fn set(key: &str, value: &str) -> Catalog {
    let mut catalog = models::platform("tkgs-2024").expect("embedded").catalog;
    catalog.set(key, value).expect("a setting");
    catalog
}

#[test]
fn a_changed_number_is_no_assumption_but_may_be_doubted() {
    let catalog = set("infra.boot", "5s..20s");
    catalog.delay("infra.boot");
    assert!(catalog.mistakes().is_empty() && catalog.assumptions().is_empty());
    let doubts = catalog.doubts();
    assert_eq!(doubts[0], "infra.boot=5s..20s lies outside 10s..90s, where it is assumed");
    let within = set("infra.boot", "15s..20s");
    within.delay("infra.boot");
    assert!(within.doubts().is_empty());
    let unread = set("infra.nodeCpuMillis", "4000").doubts();
    assert_eq!(unread[0], "infra.nodeCpuMillis changes nothing here: nobody reads it");
}

#[test]
fn a_wrong_value_is_told_once_with_the_one_before() {
    let catalog = set("kubernetes.podGcPeriod", "0s");
    catalog.period("kubernetes.podGcPeriod");
    catalog.period("kubernetes.podGcPeriod");
    let mistakes = catalog.mistakes();
    assert_eq!(mistakes.len(), 1);
    let shown = mistakes[0].to_string();
    assert!(
        shown.starts_with("--set kubernetes.podGcPeriod=0s: `0s` would come again too soon"),
        "{shown}"
    );
    assert!(shown.ends_with("(it is `20s` here)"), "{shown}");
}

#[test]
fn what_comes_again_for_ever_comes_ten_times_a_second_at_most() {
    let shown = |key: &str, value: &str| {
        let catalog = set(key, value);
        catalog.rhythm(key);
        catalog.mistakes().iter().map(ToString::to_string).collect::<String>()
    };
    let key = "clusterApi.resync";
    assert!(shown(key, "1ms").contains("`1ms` would come again too soon"), "{key}");
    assert!(shown(key, "99ms").ends_with("write at least 100ms (it is `10m` here)"), "{key}");
    assert_eq!(shown(key, "100ms"), "");
    // What is set is never shorter than this by itself, and a tenth of it is no less.
    assert_eq!(shown("loadBalancer.checkInterval", "500ms"), "");
}

#[test]
fn a_user_changes_flags_and_fields_but_no_constants_rules_or_times_of_the_world() {
    for name in models::platforms() {
        let catalog = models::platform(name).expect("embedded").catalog;
        let keys: Vec<&str> = catalog.user_settings().map(|(key, _)| key.as_str()).collect();
        for key in ["kubernetes.nodeMonitorGracePeriod", "machineHealthCheck.unknownTimeout"] {
            assert!(keys.contains(&key), "{name}: {key}");
        }
        for key in ["clusterApi.healthCheckGap", "clusterApi.drainBlocks", "infra.boot"] {
            assert!(catalog.iter().any(|(known, _)| known == key), "{name}: {key}");
            assert!(!keys.contains(&key), "{name}: {key}");
        }
        for (key, setting) in catalog.user_settings() {
            let flag = &setting.flag;
            let is_fixed = ["const", "rule"].iter().any(|word| flag.starts_with(word));
            assert!(!is_fixed, "{name}: {key}: {flag}");
        }
    }
}
