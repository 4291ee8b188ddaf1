//! Why a milestone comes when it comes, or why it does not: for people, as JSON, and for Graphviz.
//!
//! It adds nothing up but what it prints: parts, shares and the graph are the analysis's.

mod dot;
mod json;
mod never;
mod shares;
mod way;

pub use dot::dot;
pub use json::{never_json, shares_json, why_json};
pub use never::write_never;
pub use shares::write_shares;
pub use way::write_why;

use crate::analysis::why::Settings;
use crate::engine::Duration;
use crate::scenario::Setting;

/// `39.1 %`, rounded down; of nothing, nothing.
fn percent(part: Duration, whole: Duration) -> String {
    let whole = u128::from(whole.as_micros()).max(1);
    let tenths = u128::from(part.as_micros()) * 1_000 / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Where a rule can be changed, and on what it rests: `- a flag or a field (documented)`, or who has
/// given it: `(my-health-check.yaml:17)`.
fn place(rule: &str, settings: &Settings) -> String {
    let Some(setting) = settings.get(rule) else { return String::new() };
    let Setting { flag, basis, .. } = setting;
    match setting.given_by() {
        Some(given_by) => format!("- {flag} ({given_by})"),
        None => format!("- {flag} ({})", basis.name()),
    }
}

/// `machineHealthCheck.unknownTimeout=5m`.
fn named(rule: &str, settings: &Settings) -> String {
    match settings.get(rule) {
        Some(setting) => format!("{rule}={}", setting.value),
        None => rule.to_owned(),
    }
}
