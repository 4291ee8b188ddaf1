//! A campaign as one line of JSON.

use crate::analysis::fuzz::{Campaign, Count, Outcome};
use crate::engine::SimTime;
use crate::report::json::{length, list, object};
use serde_json::json;

/// Everything that was counted, in the order of the page.
pub fn campaign_json(campaign: &Campaign) -> String {
    let row = |(words, count): (String, &Count)| {
        object([
            ("what", json!(words).to_string()),
            ("runs", count.runs.to_string()),
            ("firstSeed", if count.runs > 0 { count.first.to_string() } else { "null".into() }),
        ])
    };
    let outcome = |outcome: &Outcome| campaign.outcomes.get(outcome).map(|count| (*outcome, count));
    let outcomes = Outcome::ALL.iter().filter_map(outcome);
    let pair = |((kind, phase), times): (&(&str, crate::analysis::fuzz::Phase), &u64)| {
        object([
            ("kind", json!(kind).to_string()),
            ("phase", json!(phase.word()).to_string()),
            ("times", times.to_string()),
        ])
    };
    let violation = |(seed, found): &(u64, crate::analysis::invariants::Violation)| {
        let entries = found.breach.entries.iter().map(|entry| entry.0.to_string());
        object([
            ("seed", seed.to_string()),
            ("law", json!(found.law).to_string()),
            ("object", json!(found.breach.object).to_string()),
            ("says", json!(found.breach.says).to_string()),
            ("at", length(Some(found.at.since(SimTime::ZERO)))),
            ("entries", list(entries)),
        ])
    };
    let gaps = |gaps: &std::collections::BTreeMap<crate::analysis::fuzz::Gap, Count>| {
        list(gaps.iter().map(|(gap, count)| row((gap.to_string(), count))))
    };
    object([
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("platform", json!(campaign.platform).to_string()),
        ("firstSeed", campaign.first_seed.to_string()),
        ("asked", campaign.asked.to_string()),
        ("runs", campaign.played.to_string()),
        ("faults", campaign.struck.to_string()),
        ("engineEvents", campaign.events.to_string()),
        ("outcomes", list(outcomes.map(|(it, count)| row((it.words().to_owned(), count))))),
        ("stuckOn", gaps(&campaign.gaps)),
        ("leftAfterRepairs", gaps(&campaign.left)),
        ("reached", list(campaign.reached.iter().map(|(name, it)| row(((*name).to_owned(), it))))),
        ("struck", list(campaign.pairs.iter().map(pair))),
        ("violated", list(campaign.violations.iter().map(violation))),
    ])
}
