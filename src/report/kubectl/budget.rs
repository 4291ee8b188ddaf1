//! PodDisruptionBudgets, as a table and as objects: how many Pods may be evicted now.
//!
//! Follows `printPodDisruptionBudget` of `k/k:pkg/printers/internalversion/printers.go`. Simplified: the
//! condition DisruptionAllowed is left out.

use super::manifest::{selector, time};
use crate::api::kinds::{Amount, PodDisruptionBudget, Wanted};
use serde_json::{Map, Value, json};

pub const COLUMNS: [&str; 5] =
    ["NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"];

pub fn cells(body: &PodDisruptionBudget, created: String) -> Vec<String> {
    let none = || "N/A".to_owned();
    let (least, most) = match body.wanted {
        Wanted::MinAvailable(amount) => (words(amount), none()),
        Wanted::MaxUnavailable(amount) => (none(), words(amount)),
    };
    vec![least, most, body.disruptions_allowed.to_string(), created]
}

/// `spec` and `status`.
pub fn json(body: &PodDisruptionBudget) -> (Value, Value) {
    let (key, amount) = match body.wanted {
        Wanted::MinAvailable(amount) => ("minAvailable", amount),
        Wanted::MaxUnavailable(amount) => ("maxUnavailable", amount),
    };
    let amount = match amount {
        Amount::Count(count) => json!(count),
        Amount::Percent(_) => json!(words(amount)),
    };
    let spec = json!({ key: amount, "selector": selector(&body.selector) });
    let mut status = json!({
        "currentHealthy": body.current_healthy,
        "desiredHealthy": body.desired_healthy,
        "disruptionsAllowed": body.disruptions_allowed,
        "expectedPods": body.expected_pods,
        "observedGeneration": body.observed_generation,
    });
    if !body.disrupted_pods.is_empty() {
        let pods = body.disrupted_pods.iter().map(|(pod, at)| (pod.to_string(), time(*at)));
        status["disruptedPods"] = Value::Object(pods.collect::<Map<String, Value>>());
    }
    (spec, status)
}

/// As an `IntOrString` is printed.
fn words(amount: Amount) -> String {
    match amount {
        Amount::Count(count) => count.to_string(),
        Amount::Percent(percent) => format!("{percent}%"),
    }
}
