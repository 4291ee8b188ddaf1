//! How Cluster API's contract v1beta2 puts the conditions of an object, or one condition of many
//! objects, into one message.
//!
//! Follows `util/conditions/merge_strategies.go` and, of Machines that are replaced, the
//! `setRemediatingCondition` of their owners. Who is asked about which condition is for the owner to say.

use super::{Condition, Machine, Status};
use crate::engine::{SimTime, Text};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// So many are named of those that say the same, and so many messages are told.
const NAMED: usize = 3;

/// Remediating of an owner, over its Machines. `by` says who doesn't remediate those that are unhealthy
/// and not marked for it.
pub fn remediating(machines: &[(&Text, &Machine)], by: &str, now: SimTime) -> Condition {
    let is_unhealthy =
        |machine: &Machine| machine.conditions.is("HealthCheckSucceeded", Status::False);
    let unhealthy = machines.iter().filter(|(_, machine)| is_unhealthy(machine));
    let marked = unhealthy.clone().filter_map(|(name, machine)| {
        let said = machine.conditions.get("OwnerRemediated")?;
        (said.status == Status::False).then_some((*name, &said.message))
    });
    let marked: Vec<(&Text, &Text)> = marked.collect();
    let (status, reason, message) = match marked.is_empty() {
        true => {
            let names = unhealthy.map(|(name, _)| *name).collect();
            (Status::False, "NotRemediating", left_alone(names, by))
        }
        false => (Status::True, "Remediating", issues_of_machines(&marked)),
    };
    let [kind, reason] = ["Remediating", reason].map(Text::word);
    Condition::new(kind, status, reason, message, now)
}

/// Who says what, of Machines that all say something bad: the same stands once, what most say first.
/// Simplified: the real one orders messages of as many Machines by names in the order of their times.
pub fn issues_of_machines(said: &[(&Text, &Text)]) -> String {
    let mut by_message: BTreeMap<&Text, Vec<&Text>> = BTreeMap::new();
    for (name, message) in said {
        by_message.entry(message).or_default().push(name);
    }
    let mut groups: Vec<(&Text, Vec<&Text>)> = by_message.into_iter().collect();
    for (_, names) in &mut groups {
        names.sort_unstable();
    }
    groups.sort_by(|(_, some), (_, others)| {
        (Reverse(some.len()), some).cmp(&(Reverse(others.len()), others))
    });
    let told = groups
        .iter()
        .take(NAMED)
        .map(|(message, names)| format!("* {}:{}", named(names), behind_colon(message)));
    let mut lines: Vec<String> = told.collect();
    match groups.iter().skip(NAMED).map(|(_, names)| names.len()).sum() {
        0 => {}
        1 => lines.push("And 1 Machine with other issues".to_owned()),
        rest => lines.push(format!("And {rest} Machines with other issues")),
    }
    lines.join("\n")
}

/// What is said of unhealthy Machines that nobody remediates.
fn left_alone(mut machines: Vec<&Text>, by: &str) -> String {
    if machines.is_empty() {
        return String::new();
    }
    machines.sort_unstable();
    let verb = if machines.len() == 1 { "is" } else { "are" };
    format!("{} {verb} not healthy (not to be remediated by {by})", named(&machines))
}

/// Machines by their names; of more than three, how many more.
fn named(names: &[&Text]) -> String {
    let first = names.iter().take(NAMED).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match names.len() {
        1 => format!("Machine {first}"),
        many if many <= NAMED => format!("Machines {first}"),
        many => format!("Machines {first}, ... ({} more)", many - NAMED),
    }
}

/// A message as it stands behind a colon: on lines of its own, further in, if it has several lines or
/// items.
pub fn behind_colon(message: &str) -> String {
    if !message.contains('\n') && !has_item(message) {
        return format!(" {message}");
    }
    let all_items = message.split('\n').all(has_item);
    let lines = message.split('\n').map(|line| {
        let further_in = match (all_items, has_item(line)) {
            (true, _) => "  ",
            (false, true) => "    ",
            (false, false) => "  * ",
        };
        format!("\n{further_in}{line}")
    });
    lines.collect()
}

/// True if there is a star with space behind it, wherever it stands.
fn has_item(text: &str) -> bool {
    text.match_indices('*').any(|(at, _)| text[at + 1..].starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(marked: Option<&'static str>) -> Machine {
        let mut machine = Machine::default();
        let said = |kind, message| Condition::new(kind, Status::False, "R", message, SimTime::ZERO);
        machine.conditions.set(said("HealthCheckSucceeded", ""));
        if let Some(message) = marked {
            machine.conditions.set(said("OwnerRemediated", message));
        }
        machine
    }

    fn told(machines: &[(&'static str, Option<&'static str>)]) -> String {
        let all: Vec<(Text, Machine)> =
            machines.iter().map(|(name, marked)| (Text::word(name), machine(*marked))).collect();
        let all: Vec<(&Text, &Machine)> = all.iter().map(|(name, body)| (name, body)).collect();
        let said = remediating(&all, "MachineSet", SimTime::ZERO);
        format!("{} {}", said.status.name(), said.message)
    }

    #[test]
    fn who_is_left_alone_is_named_up_to_three() {
        let names = ["d", "b", "a", "c"].map(|name| (name, None));
        let by = "not healthy (not to be remediated by MachineSet)";
        assert_eq!(told(&names[..0]), "False ");
        assert_eq!(told(&names[..1]), format!("False Machine d is {by}"));
        assert_eq!(told(&names[..2]), format!("False Machines b, d are {by}"));
        assert_eq!(told(&names), format!("False Machines a, b, c, ... (1 more) are {by}"));
    }

    #[test]
    fn machines_of_which_the_same_is_said_stand_together_the_most_first() {
        let (goes, waits) = (Some("Machine is deleting"), Some("Waiting"));
        assert_eq!(
            told(&[("b", goes), ("c", waits), ("a", waits), ("d", None)]),
            "True * Machines a, c: Waiting\n* Machine b: Machine is deleting"
        );
        let many = ["e", "d", "c", "b", "a"].map(|name| (name, goes));
        assert_eq!(told(&many), "True * Machines a, b, c, ... (2 more): Machine is deleting");
        let each = [("a", Some("1")), ("b", Some("2")), ("c", Some("3")), ("d", Some("4"))];
        let three = "True * Machine a: 1\n* Machine b: 2\n* Machine c: 3\n";
        assert_eq!(told(&each), format!("{three}And 1 Machine with other issues"));
    }

    #[test]
    fn a_list_is_moved_further_in_and_a_sentence_above_one_becomes_an_item() {
        assert_eq!(behind_colon("Machine is deleting"), " Machine is deleting");
        assert_eq!(behind_colon("* Node.Ready: no"), "\n  * Node.Ready: no");
        assert_eq!(behind_colon("* a: x\n* b: y"), "\n  * a: x\n  * b: y");
        let failed = "Health check failed:\n  * Condition Ready on Node is reporting";
        assert_eq!(
            behind_colon(failed),
            "\n  * Health check failed:\n      * Condition Ready on Node is reporting"
        );
    }
}
