//! Several conditions of one Node.

use super::super::brakes_tests::secs;
use super::super::tests::check;
use super::tests::*;
use super::*;
use crate::api::kinds::UnhealthyCondition;

#[test]
fn newer_releases_name_all_conditions_of_which_the_time_is_up() {
    let kinds = ["Ready", "MemoryPressure", "DiskPressure"].map(Text::word);
    let mut objects = pair("a", Status::Unknown, 0);
    let mut all = check(ALL);
    for (kind, since) in kinds.iter().zip([0, 50, 200]) {
        let at = SimTime::ZERO + secs(since);
        let said = Condition::new(kind.clone(), Status::Unknown, "Lost", "", at);
        objects[1].conditions_mut().expect("a Node has some").set(said);
        if let Some(body) = all.machine_health_check_mut() {
            let rule =
                UnhealthyCondition { kind: kind.clone(), ..body.unhealthy_conditions[0].clone() };
            body.unhealthy_conditions.push(rule);
        }
    }
    all.machine_health_check_mut().expect("it is one").unhealthy_conditions.remove(0);
    objects.push(all);
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
