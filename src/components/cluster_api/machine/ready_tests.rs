//! What is said as Ready, in the words that recordings have.

use super::ready::ready;
use crate::api::kinds::{Condition, Machine, Status};
use crate::engine::{Duration, SimTime};

const FAILED: &str = "Health check failed:\n  * Condition Ready on Node is reporting";

/// A Machine that says these, with their reasons and messages.
fn machine(said: &[(&'static str, Status, &'static str, &'static str)]) -> Machine {
    let all = ["BootstrapConfigReady", "InfrastructureReady", "NodeHealthy"];
    let mut machine = Machine::default();
    for kind in all {
        machine.conditions.set(Condition::new(kind, Status::True, "Ready", "", SimTime::ZERO));
    }
    for (kind, status, reason, message) in said {
        let condition = Condition::new(*kind, *status, *reason, *message, SimTime::ZERO);
        machine.conditions.set(condition);
    }
    machine
}

fn told(machine: &Machine, seconds: u64) -> (Status, String, String) {
    let said = ready(machine, SimTime::ZERO + Duration::from_secs(seconds));
    (said.status, said.reason.to_string(), said.message.to_string())
}

#[test]
fn the_worst_of_what_is_said_decides_and_all_that_is_bad_is_named() {
    let unknown =
        ("NodeHealthy", Status::Unknown, "NodeHealthyUnknown", "* Node.AllConditions: no");
    let unhealthy = ("HealthCheckSucceeded", Status::False, "UnhealthyNode", FAILED);
    assert_eq!(told(&machine(&[]), 0).0, Status::True, "nobody checks it");
    let (status, reason, message) = told(&machine(&[unknown]), 0);
    assert_eq!((status, reason.as_str()), (Status::Unknown, "ReadyUnknown"));
    assert_eq!(message, "* NodeHealthy:\n  * Node.AllConditions: no");
    let (status, reason, message) = told(&machine(&[unhealthy, unknown]), 0);
    assert_eq!((status, reason.as_str()), (Status::False, "NotReady"));
    assert_eq!(
        message,
        "* NodeHealthy:\n  * Node.AllConditions: no\n* HealthCheckSucceeded:\n  \
         * Health check failed:\n      * Condition Ready on Node is reporting"
    );
    let (status, _, message) = told(&Machine::default(), 0);
    assert_eq!(status, Status::Unknown);
    assert!(message.starts_with("* BootstrapConfigReady: Condition not yet reported"), "{message}");
}

#[test]
fn who_goes_is_not_ready_and_says_how_far_it_is() {
    let gone = ("NodeHealthy", Status::False, "NodeDeleted", "Node w has been deleted");
    let goes = |reason| ("Deleting", Status::True, reason, "* Pod a/b: waiting for completion");
    let (status, _, message) = told(&machine(&[goes("DeletionCompleted"), gone]), 900);
    assert_eq!(status, Status::False);
    assert_eq!(message, "* Deleting: Machine deletion in progress, stage: DeletionCompleted");
    let mut drains = machine(&[goes("DrainingNode")]);
    let long = "* Deleting: Machine deletion in progress since more than 15m, stage: DrainingNode";
    assert_eq!(told(&drains, 901).2, long);
    drains.drain_started = Some(SimTime::ZERO);
    assert_eq!(told(&drains, 901).2, format!("{long}, delay likely due to Pods not completed yet"));
}

#[test]
fn the_same_of_several_components_is_said_once() {
    let kinds = ["APIServerPodHealthy", "SchedulerPodHealthy", "EtcdPodHealthy"];
    let mut said = kinds.map(|kind| (kind, Status::Unknown, "Failed", "Node w is unreachable"));
    let all = "* Control plane components: Node w is unreachable";
    assert_eq!(told(&machine(&said), 0).2, all);
    said[1].3 = "Pod does not exist";
    assert_eq!(told(&machine(&said), 0).2.lines().count(), 3, "each its own");
}
