//! Pods that were marked to be disrupted and stay: when the mark is taken back, and whose is not.

use super::*;

const MARK: &str = "DisruptionTarget";

/// A Pod that was marked at so many seconds.
fn marked(name: &'static str, seconds: u64, change: impl FnOnce(&mut Object)) -> Object {
    let mut object = pod(name, "a");
    let at = SimTime::ZERO + Duration::from_secs(seconds);
    let mark = Condition::new(MARK, Status::True, "EvictionByEvictionAPI", "evicting", at);
    object.pod_mut().expect("a Pod").conditions.set(mark);
    change(&mut object);
    object
}

/// So much later, what is asked of Pods.
fn after(manager: &mut Manager, length: Duration) -> Vec<String> {
    manager.pass(length);
    manager.pass(Duration::from_millis(1));
    manager.waiting().into_iter().filter(|words| words.contains("Pod/")).collect()
}

#[test]
fn a_pod_that_is_marked_and_stays_loses_its_mark_after_two_minutes() {
    let mut manager = manager(settings(), &[pod("web", "a")]);
    manager.pass(Duration::from_secs(60));
    manager.shows(WatchKind::Modified, marked("web", 60, |_| {}));
    assert_eq!(after(&mut manager, Duration::from_millis(119_998)), [""; 0]);
    assert_eq!(after(&mut manager, Duration::from_millis(1)), ["update Pod/web"]);
    let agent = manager.asked.last().map(|(_, request)| request.agent);
    assert_eq!(agent, Some("disruption-controller"));
    let written = manager.grant("update Pod/web");
    let mark = written.pod().expect("a Pod").conditions.get(MARK).cloned().expect("it stays");
    assert_eq!((mark.status, mark.reason, mark.message), (Status::False, Text::EMPTY, Text::EMPTY));
    assert_eq!(mark.last_transition, SimTime::ZERO + Duration::from_secs(180));
    manager.shows(WatchKind::Modified, Object::clone(&written));
    assert_eq!(after(&mut manager, Duration::from_secs(1000)), [""; 0]);
}

#[test]
fn a_manager_that_starts_finds_marks_that_are_long_stale() {
    let mut young = manager(settings(), &[marked("web", 0, |_| {})]);
    assert_eq!(after(&mut young, Duration::ZERO), [""; 0]);
    let mut old = manager(settings(), &[]);
    old.pass(Duration::from_secs(500));
    old.shows(WatchKind::Added, marked("web", 0, |_| {}));
    assert_eq!(after(&mut old, Duration::ZERO), ["update Pod/web"]);
}

#[test]
fn a_pod_that_goes_or_has_ended_or_that_its_kubelet_ends_keeps_its_mark() {
    let going = marked("going", 0, |object| {
        let (at, grace) = (SimTime::ZERO, Duration::from_secs(30));
        object.meta.deletion = Some(crate::api::Deletion { at, grace });
    });
    let ended = marked("ended", 0, |object| {
        object.pod_mut().expect("a Pod").phase = PodPhase::Failed;
    });
    let by_kubelet = marked("by-kubelet", 0, |object| {
        let reason = "TerminationByKubelet";
        let mark = Condition::new(MARK, Status::True, reason, "", SimTime::ZERO);
        object.pod_mut().expect("a Pod").conditions.set(mark);
    });
    let mut manager = manager(settings(), &[going, ended, by_kubelet]);
    assert_eq!(after(&mut manager, Duration::from_secs(500)), [""; 0]);
}

#[test]
fn a_pod_that_is_deleted_in_time_is_looked_at_and_left() {
    let mut manager = manager(settings(), &[marked("web", 0, |_| {})]);
    manager.pass(Duration::from_secs(1));
    manager.shows(WatchKind::Deleted, marked("web", 0, |_| {}));
    assert_eq!(after(&mut manager, Duration::from_secs(500)), [""; 0]);
}

#[test]
fn a_mark_that_was_taken_back_and_set_anew_has_its_own_two_minutes() {
    let mut manager = manager(settings(), &[marked("web", 0, |_| {})]);
    manager.pass(Duration::from_secs(60));
    manager.shows(WatchKind::Modified, marked("web", 60, |_| {}));
    assert_eq!(after(&mut manager, Duration::from_secs(60)), [""; 0], "looked at too early");
    assert_eq!(after(&mut manager, Duration::from_secs(60)), ["update Pod/web"]);
}

#[test]
fn a_mark_is_not_taken_back_from_a_pod_that_has_changed_meanwhile() {
    let mut manager = manager(settings(), &[marked("web", 0, |_| {})]);
    assert_eq!(after(&mut manager, Duration::from_secs(120)), ["update Pod/web"]);
    let (connection, request) = manager.asked.remove(0);
    manager.answer(connection, request.id, Err(ApiError::conflict(pod("web", "a").key())));
    assert_eq!(
        after(&mut manager, Duration::from_millis(5)),
        ["update Pod/web"],
        "it is tried again"
    );
    let (connection, request) = manager.asked.remove(0);
    manager.shows(WatchKind::Modified, marked("web", 120, |_| {}));
    manager.answer(connection, request.id, Err(ApiError::conflict(pod("web", "a").key())));
    assert_eq!(after(&mut manager, Duration::from_secs(100)), [""; 0], "it was marked anew");
}

#[test]
fn pods_with_stale_marks_are_written_one_after_the_other() {
    let pods = ["web-a", "web-b"].map(|name| marked(name, 0, |_| {}));
    let mut manager = manager(settings(), &pods);
    assert_eq!(after(&mut manager, Duration::from_secs(120)), ["update Pod/web-a"]);
    manager.grant("update Pod/web-a");
    assert_eq!(after(&mut manager, Duration::from_millis(1)), ["update Pod/web-b"]);
}
