//! Several conditions of one Node.

use super::super::brakes_tests::secs;
use super::super::tests::check;
use super::tests::*;
use super::*;
use crate::api::kinds::UnhealthyCondition;

/// The Machine `a`, its Node of these conditions, each so since then, and a check that names them.
fn ill(conditions: &[(&'static str, Status, u64)]) -> Vec<Object> {
    let mut objects = pair("a", Status::True, 0);
    let mut all = check(ALL);
    let rules = &mut all.machine_health_check_mut().expect("it is one").unhealthy_conditions;
    let first = rules.remove(0);
    rules.clear();
    for (kind, status, since) in conditions {
        let at = SimTime::ZERO + secs(*since);
        let said = Condition::new(Text::word(kind), *status, "Lost", "", at);
        objects[1].conditions_mut().expect("a Node has some").set(said);
        let kind = Text::word(kind);
        rules.push(UnhealthyCondition { kind, status: Status::Unknown, ..first.clone() });
    }
    objects.push(all);
    objects
}

#[test]
fn what_is_done_goes_back_to_the_condition_that_decided() {
    let unknown = Status::Unknown;
    let (ready, pressure) = (("Ready", Status::True, 0), ("MemoryPressure", unknown, 50));
    let found = look(&plain(), 360, &ill(&[ready, pressure]));
    assert_eq!(found.grounds[0], "a Node/a MemoryPressure 50s");
    assert_eq!(words(&found.elapsed.expect("its time is up").began), "Node/a MemoryPressure 50s");
    // Of several the one whose time was up first; while clocks run, the one that runs out first.
    let all = ill(&[("Ready", unknown, 40), pressure]);
    assert_eq!(look(&newer(), 360, &all).grounds[0], "a Node/a Ready 40s");
    let found = look(&plain(), 330, &all);
    assert_eq!(found.event_grounds, ["DetectedUnhealthy Node/a Ready 40s"]);
    // Whoever is well is so since the last of them changed.
    let well = ill(&[ready, ("MemoryPressure", Status::False, 70)]);
    assert_eq!(look(&plain(), 360, &well).grounds[0], "a Node/a MemoryPressure 1m10s");
}

#[test]
fn a_mark_that_is_there_already_is_announced_with_what_it_goes_back_to() {
    let mut objects = ill(&[("MemoryPressure", Status::Unknown, 50)]);
    let marked = look(&plain(), 360, &objects);
    assert!(marked.event_grounds.is_empty(), "the write that it follows leads to it");
    let machine = objects[0].machine_mut().expect("a Machine");
    for words in &marked.said {
        let words: Vec<&str> = words.splitn(4, [' ', '=']).collect();
        let (reason, message) = words[3].split_once(' ').expect("a reason and perhaps a message");
        let now = SimTime::ZERO + secs(360);
        let (kind, reason) = (Text::from(words[1].to_owned()), Text::from(reason.to_owned()));
        let status = Status::False;
        machine.conditions.set(Condition::new(kind, status, reason, message.to_owned(), now));
    }
    let again = look(&plain(), 361, &objects);
    assert_eq!(again.event_grounds, ["MachineMarkedUnhealthy Node/a MemoryPressure 50s"]);
}

#[test]
fn newer_releases_name_all_conditions_of_which_the_time_is_up() {
    let lost = |kind, since| (kind, Status::Unknown, since);
    let objects = ill(&[lost("Ready", 0), lost("MemoryPressure", 50), lost("DiskPressure", 200)]);
    let said = |setup: &Setup| {
        let said = look(setup, 360, &objects).said;
        said.into_iter().find(|words| words.contains("HealthCheckSucceeded")).expect("judged")
    };
    let item = |kind: &str| {
        format!(
            "\n  * Condition {kind} on Node is reporting status Unknown with reason Lost for more \
             than 5m0s"
        )
    };
    let newer = said(&newer());
    let both = [item("Ready"), item("MemoryPressure")].concat();
    assert!(newer.ends_with(&format!("UnhealthyNode Health check failed:{both}")), "{newer}");
    let older = said(&plain());
    let first = "Condition Ready on node is reporting status Unknown for more than 5m0s";
    assert!(older.ends_with(first), "{older}");
}
