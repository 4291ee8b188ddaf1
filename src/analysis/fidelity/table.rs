//! Prints a comparison as Markdown, for `docs/fidelity.md`.
//!
//! It judges nothing: every verdict comes from `compare`.

use super::compare::{Comparison, Messages, Row, Spread, Verdict};
use super::steps::Step;
use crate::engine::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// One section: title, table of steps, then what disagrees beyond single steps.
pub fn markdown(title: &str, found: &Comparison) -> String {
    let mut out = format!(
        "## {title}\n\n{} recorded, {} simulated; {} disagreements. Seconds after the fault.\n\n",
        found.recorded,
        found.simulated,
        found.disagreements()
    );
    out.push_str("| step | recorded min..median..max (n) | simulated 0.5..50..99.5 % | ");
    out.push_str("verdict | KS p |\n|---|---|---|---|---|\n");
    for row in &found.rows {
        out.push_str(&line(row));
    }
    for (first, second) in &found.orders {
        let _ = write!(out, "\nOrder that hardly a simulated run has: {}", code(first));
        let _ = writeln!(out, " before {}.", code(second));
    }
    for (first, second, why) in &found.explained {
        let _ = write!(out, "\nOrder that is explained: {}", code(first));
        let _ = writeln!(out, " before {}: {why}.", code(second));
    }
    let mut explained: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in found.rows.iter().filter(|row| row.differs()) {
        if let Some(why) = row.why {
            explained.entry(why).or_default().push(code(&row.step));
        }
    }
    for (why, steps) in explained {
        let _ = writeln!(out, "\nExplained: {}: {why}.", steps.join(", "));
    }
    for both in &found.messages {
        out.push_str(&words(both));
    }
    for (both, why) in &found.other_words {
        let _ = writeln!(out, "{}Explained: {why}.", words(both));
    }
    out
}

fn line(row: &Row) -> String {
    let mark = if row.ks_rejected { " (rejected)" } else { "" };
    let ks = row.ks.map_or("-".to_owned(), |ks| format!("{:.3}{mark}", ks.p));
    format!(
        "| {} | {} | {} | {} | {ks} |\n",
        code(&row.step),
        times(row.recorded),
        times(row.simulated),
        verdict(row),
    )
}

fn verdict(row: &Row) -> String {
    match row.verdict {
        Verdict::Outside(count) if row.why.is_some() => format!("outside: {count}, explained"),
        Verdict::Missing if row.why.is_some() => "missing, explained".to_owned(),
        Verdict::OnlySimulated if row.why.is_some() => "only simulated, explained".to_owned(),
        Verdict::Inside => "inside".to_owned(),
        Verdict::Outside(count) => format!("**outside: {count}**"),
        Verdict::Missing => "**missing**".to_owned(),
        Verdict::RareMissing => "rare, not simulated".to_owned(),
        Verdict::OnlySimulated => "**only simulated**".to_owned(),
        Verdict::RareSimulated => "rare, only simulated".to_owned(),
    }
}

fn times(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |spread| {
        let [low, median, high] = [spread.low, spread.median, spread.high].map(hundredths);
        format!("{low}..{median}..{high} ({})", spread.times)
    })
}

/// Seconds with two decimals, rounded to the nearest.
fn hundredths(length: Duration) -> String {
    let hundredths = (length.as_micros() + 5_000) / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn code(step: &Step) -> String {
    format!("`{} {} {}`", step.role, step.field, step.value)
}

fn words(both: &Messages) -> String {
    let said = |messages: &BTreeSet<String>| match messages.len() {
        0 => "nothing".to_owned(),
        _ => messages
            .iter()
            .map(|message| format!("\"{}\"", message.replace('\n', " / ")))
            .collect::<Vec<_>>()
            .join(" or "),
    };
    format!(
        "\nMessage of {}: recorded {}; simulated {}.\n",
        code(&both.step),
        said(&both.recorded),
        said(&both.simulated)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fidelity::compare::compare;
    use crate::analysis::fidelity::steps::{Seen, Steps};

    fn run(millis: u64, message: &str) -> Steps {
        let step = Step {
            role: "Node/$victim".to_owned(),
            field: "Ready".to_owned(),
            value: "Unknown".to_owned(),
        };
        let messages = BTreeSet::from([message.to_owned()]);
        Steps::from([(step, Seen { after: vec![Duration::from_millis(millis)], messages })])
    }

    #[test]
    fn a_section_reads_as_a_table() {
        let found = compare(&[run(36_426, "a\nb")], &[run(36_000, "c"), run(37_000, "c")]);
        let expected = "\
## Eight

1 recorded, 2 simulated; 1 disagreements. Seconds after the fault.

| step | recorded min..median..max (n) | simulated 0.5..50..99.5 % | verdict | KS p |
|---|---|---|---|---|
| `Node/$victim Ready Unknown` | 36.43..36.43..36.43 (1) | 36.00..36.00..37.00 (2) | inside | - |

Message of `Node/$victim Ready Unknown`: recorded \"a / b\"; simulated \"c\".
";
        assert_eq!(markdown("Eight", &found), expected);
    }
}
