//! Jobs: what one turn of theirs does, and what it says.

use super::workloads::{owned, pod_writes, settle, template, terminating, with_phase};
use super::*;
use crate::api::kinds::Job;

pub(super) fn job(backoff_limit: u32) -> Object {
    let job = Job { completions: 1, backoff_limit, template: template(), ..Job::default() };
    let mut object = Object::new(Meta::new(Kind::Job, "default", "backup"), job);
    object.meta.uid = Uid(9);
    object
}

pub(super) fn job_pod(job: &Object, name: &'static str, phase: PodPhase) -> Object {
    let mut pod = with_phase(owned(job, name, "a"), phase);
    pod.meta.finalizers = Arc::new([TRACKING]);
    pod.pod_mut().expect("a Pod").conditions =
        [Condition::new("Ready", Status::False, "", "", SimTime::ZERO)].into_iter().collect();
    pod
}

/// A Job of which this many have to succeed.
fn job_of(completions: u32, backoff_limit: u32) -> Object {
    let mut job = job(backoff_limit);
    job.job_mut().expect("a Job").completions = completions;
    job
}

/// Settings of before and after the releases that await terminating Pods, and give reasons.
fn with_jobs(termination: Termination) -> Settings {
    let completion = match termination {
        Termination::Ignored => Completion::Bare,
        Termination::Awaited => Completion::Reasoned,
    };
    let job = JobSettings { termination, completion, ..settings().job };
    Settings { job, ..settings() }
}

/// The Job as the manager wants it stored.
fn written(manager: &mut Manager) -> Job {
    settle(manager);
    manager.grant("update Job/backup").job().expect("a Job").clone()
}

/// Grants all of a turn's requests, and shows none of what they did; what they were, in words.
fn turn(manager: &mut Manager) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        settle(manager);
        let is_its = |words: &&String| words.contains(" Pod/") || words.contains(" Job/");
        let Some(words) = manager.waiting().iter().find(is_its).cloned() else { return all };
        manager.grant(&words);
        all.push(words);
    }
}

/// Answers that a request is not done.
fn refuse(manager: &mut Manager, what: &str, reason: crate::api::Reason) {
    settle(manager);
    let at = manager.waiting().iter().position(|words| words.starts_with(what));
    let (connection, request) = manager.asked.remove(at.expect("asked"));
    manager.answer(connection, request.id, Err(ApiError::new(reason, "refused")));
}

/// Shows the Job as it was written, with what it says.
fn shown(manager: &mut Manager, mut job: Object, written: Job) -> Vec<(Text, Text)> {
    let said = written.conditions.iter().map(|c| (c.kind.clone(), c.reason.clone())).collect();
    *job.job_mut().expect("a Job") = written;
    manager.shows(WatchKind::Modified, job);
    said
}

fn says(kinds: &[&'static str], reason: &'static str) -> Vec<(Text, Text)> {
    kinds.iter().map(|kind| (Text::word(kind), Text::word(reason))).collect()
}

fn free(mut pod: Object) -> Object {
    pod.meta.finalizers = Arc::new([]);
    pod
}

#[test]
fn a_job_creates_all_its_pods_in_one_turn_however_stale_its_cache() {
    let mut manager = manager(settings(), &[job_of(3, 6)]);
    for _ in 0..3 {
        let writes = pod_writes(&mut manager);
        assert!(writes.len() == 1 && writes[0].starts_with("create Pod/backup-"), "{writes:?}");
        manager.grant(&writes[0].clone());
    }
    let counted = written(&mut manager);
    assert_eq!(counted.active, 3);
    // The watch has not shown the Pods yet, and the Job is looked at again: as it is, it stays.
    let mut stale = counted.clone();
    stale.active = 0;
    shown(&mut manager, job_of(3, 6), counted);
    manager.pass(Duration::from_secs(1));
    assert_eq!(written(&mut manager), stale, "only the Pods that it sees are counted");
    assert_eq!(turn(&mut manager), [""; 0]);
}

#[test]
fn a_job_whose_pod_cannot_be_created_writes_its_number_down_and_tries_again() {
    let mut manager = manager(settings(), &[job_of(3, 6)]);
    let first = pod_writes(&mut manager).remove(0);
    let created = manager.grant(&first);
    refuse(&mut manager, "create Pod/", crate::api::Reason::Forbidden);
    assert_eq!(written(&mut manager).active, 1, "the third is not even tried");
    assert_eq!(turn(&mut manager), [""; 0]);
    let mut shown = Object::clone(&created);
    shown.meta.uid = Uid(70);
    manager.shows(WatchKind::Added, shown);
    manager.pass(Duration::from_millis(900));
    assert_eq!(turn(&mut manager), [""; 0], "it waits for a second");
    manager.pass(Duration::from_millis(100));
    let all = turn(&mut manager);
    let creates = all.iter().filter(|words| words.starts_with("create Pod/backup-"));
    assert_eq!((creates.count(), all.len()), (2, 3), "{all:?}");
}

/// What was created before is still on its way.
#[test]
fn a_job_whose_last_pod_cannot_be_created_waits_for_the_others_to_be_shown() {
    let mut manager = manager(settings(), &[job_of(2, 6)]);
    let first = pod_writes(&mut manager).remove(0);
    manager.grant(&first);
    refuse(&mut manager, "create Pod/", crate::api::Reason::Forbidden);
    assert_eq!(turn(&mut manager), ["update Job/backup"]);
    manager.pass(Duration::from_secs(2));
    let all = turn(&mut manager);
    assert!(all.iter().all(|words| words == "update Job/backup"), "{all:?}");
}

#[test]
fn a_job_that_is_made_anew_knows_nothing_of_failures() {
    let old = job(6);
    let failed = job_pod(&old, "backup-x", PodPhase::Failed);
    let mut manager = manager(settings(), &[old.clone(), failed]);
    assert_eq!(turn(&mut manager).len(), 3, "it is counted, and not replaced yet");
    manager.shows(WatchKind::Deleted, old);
    let mut new = job(6);
    new.meta.uid = Uid(10);
    manager.shows(WatchKind::Added, new);
    assert!(pod_writes(&mut manager).iter().any(|words| words.starts_with("create Pod/")));
}

#[test]
fn a_job_is_complete_in_the_turn_that_lets_its_pod_go() {
    let (bare, reasoned) = (Termination::Ignored, Termination::Awaited);
    let met = says(&["SuccessCriteriaMet"], "CompletionsReached");
    let complete = says(&["SuccessCriteriaMet", "Complete"], "CompletionsReached");
    for (termination, first, last) in
        [(bare, vec![], says(&["Complete"], "")), (reasoned, met, complete)]
    {
        let job = job(6);
        let done = job_pod(&job, "backup-x", PodPhase::Succeeded);
        let mut manager = manager(with_jobs(termination), &[job.clone(), done.clone()]);
        let counted = written(&mut manager);
        assert_eq!((counted.succeeded, &counted.uncounted.succeeded[..]), (0, &[uid(&done)][..]));
        assert_eq!(shown(&mut manager, job.clone(), counted), first, "{termination:?}");
        assert!(manager.grant("patch Pod/backup-x").meta.finalizers.is_empty());
        let over = manager.grant("update Job/backup").job().expect("a Job").clone();
        assert!(over.succeeded == 1 && over.uncounted.is_empty());
        assert_eq!(shown(&mut manager, job, over), last);
        let message = about(&mut manager, "create Event/").pop().and_then(|(_, event)| event);
        let message = message.expect("an Event").event().expect("an Event").message.clone();
        assert_eq!(message, "Job completed");
        manager.shows(WatchKind::Modified, free(done));
        manager.pass(Duration::from_secs(2));
        assert_eq!(turn(&mut manager), [""; 0], "nothing is created any more");
    }
}

fn uid(pod: &Object) -> Uid {
    pod.meta.uid
}

#[test]
fn a_job_has_not_ended_while_one_of_its_pods_terminates() {
    for given_up in [false, true] {
        let job = job(if given_up { 0 } else { 6 });
        let leaving = terminating(job_pod(&job, "backup-y", PodPhase::Running));
        let mut objects = vec![job.clone(), leaving.clone()];
        if !given_up {
            objects.push(job_pod(&job, "backup-x", PodPhase::Succeeded));
        }
        let (first, last, reason) = match given_up {
            true => ("FailureTarget", "Failed", "BackoffLimitExceeded"),
            false => ("SuccessCriteriaMet", "Complete", "CompletionsReached"),
        };
        let mut manager = manager(settings(), &objects);
        let counted = written(&mut manager);
        assert_eq!(shown(&mut manager, job.clone(), counted), says(&[first], reason));
        for pod in objects[1..].iter().rev() {
            manager.grant(&format!("patch {}", pod.key()));
        }
        let counted = written(&mut manager);
        assert_eq!(counted.failed, 1);
        assert_eq!(shown(&mut manager, job.clone(), counted), says(&[first], reason));
        for pod in &objects[1..] {
            manager.shows(WatchKind::Modified, free(pod.clone()));
        }
        manager.pass(Duration::from_secs(2));
        assert_eq!(turn(&mut manager), [""; 0], "it says nothing new");
        manager.shows(WatchKind::Deleted, free(leaving));
        manager.pass(Duration::from_secs(1));
        let over = written(&mut manager);
        assert_eq!(shown(&mut manager, job, over), says(&[first, last], reason));
    }
}

#[test]
fn a_pod_that_is_deleted_counts_as_failed_and_is_replaced() {
    let job = job(6);
    let gone = terminating(job_pod(&job, "backup-x", PodPhase::Running));
    let mut manager = manager(settings(), &[job, gone]);
    manager.pass(Duration::from_secs(11));
    // Its Ready turned False at 0: more than the 10 s of a first failure ago.
    let writes = pod_writes(&mut manager);
    assert!(writes.len() == 1 && writes[0].starts_with("create Pod/backup-"), "{writes:?}");
    let created = manager.grant(&writes[0].clone());
    assert_eq!(created.meta.finalizers[..], [TRACKING]);
}

#[test]
fn a_failed_pod_is_replaced_only_after_a_pause() {
    let job = job(6);
    let failed = job_pod(&job, "backup-x", PodPhase::Failed);
    let mut manager = manager(settings(), &[job.clone(), failed.clone()]);
    let counted = written(&mut manager);
    assert_eq!((counted.failed, counted.active), (0, 0));
    manager.grant("patch Pod/backup-x");
    let counted = written(&mut manager);
    assert!(counted.failed == 1 && counted.uncounted.is_empty());
    // The watch may be late with either.
    shown(&mut manager, job, counted);
    manager.pass(Duration::from_secs(2));
    assert_eq!(turn(&mut manager), [""; 0], "it is not counted again");
    manager.shows(WatchKind::Modified, free(failed));
    manager.pass(Duration::from_secs(7));
    assert!(pod_writes(&mut manager).is_empty(), "10 s have not passed");
    manager.pass(Duration::from_secs(1));
    assert_eq!(pod_writes(&mut manager).len(), 1);
}

/// So a Pod that is marked and deleted within that second is seen as one that is being deleted.
#[test]
fn what_happens_to_a_job_and_its_pods_is_looked_at_a_second_later() {
    let job = job(6);
    let mut manager =
        manager(settings(), &[job.clone(), job_pod(&job, "backup-x", PodPhase::Running)]);
    let counted = written(&mut manager);
    shown(&mut manager, job.clone(), counted);
    manager.pass(Duration::from_secs(2));
    assert_eq!(turn(&mut manager), [""; 0]);
    manager.shows(WatchKind::Modified, job_pod(&job, "backup-x", PodPhase::Failed));
    manager.pass(Duration::from_millis(900));
    assert_eq!(turn(&mut manager), [""; 0]);
    manager.pass(Duration::from_millis(100));
    assert_eq!(written(&mut manager).uncounted.failed.len(), 1);
}

#[test]
fn past_its_backoff_limit_a_job_deletes_all_its_pods_in_the_turn_that_gives_it_up() {
    for termination in [Termination::Ignored, Termination::Awaited] {
        let job = job_of(3, 0);
        let pods = [("x", PodPhase::Failed), ("y", PodPhase::Running), ("z", PodPhase::Running)];
        let pods = pods.map(|(name, phase)| match name {
            "x" => job_pod(&job, "backup-x", phase),
            "y" => job_pod(&job, "backup-y", phase),
            _ => job_pod(&job, "backup-z", phase),
        });
        let mut objects = vec![job];
        objects.extend(pods);
        let mut manager = manager(with_jobs(termination), &objects);
        for pod in ["backup-y", "backup-z"] {
            assert_eq!(pod_writes(&mut manager), [format!("delete Pod/{pod}")]);
            manager.grant(&format!("delete Pod/{pod}"));
        }
        let counted = written(&mut manager);
        assert_eq!((counted.active, counted.failed, counted.uncounted.failed.len()), (0, 0, 3));
        let is_awaited = termination == Termination::Awaited;
        assert_eq!(counted.conditions.get("FailureTarget").is_some(), is_awaited);
        for pod in ["backup-x", "backup-y", "backup-z"] {
            manager.grant(&format!("patch Pod/{pod}"));
        }
        let over = written(&mut manager);
        assert_eq!((over.active, over.failed), (0, 3));
        assert_eq!(over.conditions.get("Failed").is_some(), !is_awaited, "two terminate");
        assert_eq!(turn(&mut manager), [""; 0]);
    }
}

#[test]
fn a_job_is_not_given_up_while_a_pod_of_its_is_left() {
    let job = job_of(2, 0);
    let failed = job_pod(&job, "backup-x", PodPhase::Failed);
    let running = job_pod(&job, "backup-y", PodPhase::Running);
    let mut manager = manager(settings(), &[job.clone(), failed, running]);
    refuse(&mut manager, "delete Pod/backup-y", crate::api::Reason::Forbidden);
    let counted = written(&mut manager);
    assert_eq!((counted.active, counted.uncounted.failed.len()), (1, 1));
    assert_eq!(counted.conditions.get("FailureTarget"), None);
    manager.grant("patch Pod/backup-x");
    let counted = written(&mut manager);
    shown(&mut manager, job, counted);
    manager.pass(Duration::from_secs(1));
    assert_eq!(pod_writes(&mut manager), ["delete Pod/backup-y"]);
}

#[test]
fn a_stale_job_is_refused_and_counted_again() {
    let job = job(6);
    let done = job_pod(&job, "backup-x", PodPhase::Succeeded);
    let mut manager = manager(settings(), &[job, done]);
    refuse(&mut manager, "update Job/", crate::api::Reason::Conflict);
    manager.pass(Duration::from_millis(999));
    assert!(manager.waiting().is_empty(), "it waits for a second");
    manager.pass(Duration::from_millis(1));
    assert_eq!(written(&mut manager).uncounted.succeeded.len(), 1);
}
