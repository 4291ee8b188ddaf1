//! Pods that no Job holds on to any more.

use super::jobs::{job, job_pod};
use super::workloads::{pod_writes, settle};
use super::*;
use crate::api::kinds::Job;

/// A Job, as it is, or over.
fn finished(mut job: Object) -> Object {
    let body = job.job_mut().expect("a Job");
    *body = Job { active: 0, failed: 1, ..body.clone() };
    body.conditions.set(Condition::new("Failed", Status::True, "", "", SimTime::ZERO));
    job
}

#[test]
fn a_job_that_is_gone_or_over_holds_no_pod() {
    for over in [false, true] {
        let job = job(6);
        let pods = ["backup-x", "backup-y"].map(|name| job_pod(&job, name, PodPhase::Running));
        let [first, second] = pods.clone();
        let mut manager = manager(settings(), &[job.clone(), first, second]);
        settle(&mut manager);
        manager.writes();
        let (kind, now) = match over {
            false => (WatchKind::Deleted, job.clone()),
            true => (WatchKind::Modified, finished(job.clone())),
        };
        manager.shows(kind, now);
        settle(&mut manager);
        for name in ["patch Pod/backup-x", "patch Pod/backup-y"] {
            assert_eq!(manager.grant(name).meta.finalizers.len(), 0, "{name}, over: {over}");
        }
    }
}

#[test]
fn a_jobs_pod_that_is_deleted_when_the_job_is_long_gone_is_let_go() {
    let mut pod = job_pod(&job(6), "backup-x", PodPhase::Running);
    let mut manager = manager(settings(), std::slice::from_ref(&pod));
    assert_eq!(pod_writes(&mut manager), [""; 0], "whose Job it was is not looked at before");
    let (at, grace) = (SimTime::ZERO + Duration::from_secs(30), Duration::from_secs(30));
    pod.meta.deletion = Some(crate::api::Deletion { at, grace });
    manager.shows(WatchKind::Modified, pod);
    assert_eq!(pod_writes(&mut manager), ["patch Pod/backup-x"]);
}
