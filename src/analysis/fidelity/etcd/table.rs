//! Prints a comparison with etcd as Markdown.

use super::judge::{Compared, Nature, Request, Row, Verdict};
use super::recorded::Got;
use crate::analysis::fidelity::statistics::percentile;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One section: the metrics, then what requests got.
pub fn markdown(file: &Compared) -> String {
    let mut out = format!(
        "## {}\n\n{} recorded, {} simulated; {} disagreements.\n\n",
        file.file,
        file.recorded,
        file.simulated,
        file.disagreements()
    );
    out.push_str("| metric | recorded min..median..max (n) | simulated 5..50..95 % (n) | ");
    out.push_str("distance, p | verdict |\n|---|---|---|---|---|\n");
    for row in &file.rows {
        out.push_str(&line(row));
    }
    out.push_str("\n| request | recorded | simulated | verdict |\n|---|---|---|---|\n");
    for request in &file.requests {
        out.push_str(&request_line(request));
    }
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &file.rows {
        if let Some(why) = row.why {
            let (calm, busy) = row.by_load;
            let said = format!("`{}` (calmer half {calm}, busier half {busy})", row.metric);
            reasons.entry(why).or_default().push(said);
        }
    }
    for request in &file.requests {
        if let Some(why) = request.why {
            let said = format!("`{}` ({})", request.kind, request.differences().join(", "));
            reasons.entry(why).or_default().push(said);
        }
    }
    for (why, subjects) in reasons {
        let _ = writeln!(out, "\nExplained: {}: {why}.", subjects.join(", "));
    }
    out
}

fn line(row: &Row) -> String {
    let spread = |side: &[u64], from, to| {
        let at = |per_mille| percentile(side, per_mille).unwrap_or_default();
        match side.len() {
            0 => "-".to_owned(),
            times => format!("{}..{}..{} ({times})", at(from), at(500), at(to)),
        }
    };
    let ks = row.ks.map_or("-".to_owned(), |ks| format!("{:.2}, {:.3}", ks.distance, ks.p));
    format!(
        "| `{}` | {} | {} | {ks} | {} |\n",
        row.metric,
        spread(&row.recorded, 0, 1_000),
        spread(&row.simulated, 50, 950),
        verdict(row)
    )
}

fn verdict(row: &Row) -> String {
    let found = match row.verdict() {
        Verdict::Same if row.nature == Nature::Machine => return "in range".to_owned(),
        Verdict::Same => return "agrees".to_owned(),
        Verdict::Rejected => "rejected".to_owned(),
        Verdict::TooFar => "too far".to_owned(),
        Verdict::Outside(count) => format!("{count} outside"),
        Verdict::NotInRange => "not in range".to_owned(),
        Verdict::Missing => "never seen".to_owned(),
    };
    if row.why.is_some() { format!("{found}, explained") } else { format!("**{found}**") }
}

fn request_line(request: &Request) -> String {
    let differences = request.differences();
    let verdict = match (differences.is_empty(), request.why) {
        (true, _) => "same".to_owned(),
        (false, Some(_)) => "explained".to_owned(),
        (false, None) => format!("**{}**", differences.join(", ")),
    };
    format!(
        "| `{}` | {} | {} | {verdict} |\n",
        request.kind,
        side(&request.recorded),
        side(&request.simulated)
    )
}

/// What one side got, with shares and latencies.
fn side(got: &BTreeMap<String, Got>) -> String {
    let total: u64 = got.values().map(|got| got.0).sum();
    let said = got.iter().map(|(what, Got(count, least, greatest))| {
        let share = count * 1_000 / total.max(1);
        let share = format!("{}.{} %", share / 10, share % 10);
        let what = what.replace('|', " ");
        match (least, greatest) {
            (Some(least), Some(greatest)) => format!("{what}: {share}, {least}..{greatest} ms"),
            _ => format!("{what}: {share}"),
        }
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "-".to_owned() } else { said.join("; ") }
}
