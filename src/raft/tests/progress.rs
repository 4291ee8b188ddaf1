//! What a leader knows of one member's log, number by number.

use crate::raft::*;

/// The entry up to which the logs agree, and the next to send.
fn stands(progress: &Progress) -> (Index, Index) {
    (progress.matched, progress.next)
}

#[test]
fn an_acknowledgement_is_news_only_beyond_what_is_known() {
    let mut progress = Progress::new(1);
    assert!(progress.maybe_update(4));
    assert_eq!(stands(&progress), (4, 5));
    assert!(!progress.maybe_update(4) && !progress.maybe_update(2));
    assert_eq!(stands(&progress), (4, 5));
    progress.next = 9;
    assert!(progress.maybe_update(6));
    assert_eq!(stands(&progress), (6, 9), "what was sent ahead is not sent again");
}

#[test]
fn while_appends_stream_a_rejection_counts_only_beyond_what_is_known() {
    let mut progress = Progress::new(1);
    progress.maybe_update(4);
    progress.become_replicate();
    assert_eq!([3, 4, 5].map(|index| progress.maybe_decrease(index, 0)), [false, false, true]);
}

#[test]
fn a_probe_steps_back_to_the_hint_but_never_behind_what_is_known() {
    // Sent after 7, known up to 4: the hint, then the next entry to send.
    for (hint, next) in [(0, 5), (3, 5), (4, 5), (5, 6), (6, 7), (9, 7)] {
        let mut progress = Progress::new(8);
        progress.matched = 4;
        assert!(!progress.maybe_decrease(6, hint), "that was about an earlier append");
        assert!(progress.maybe_decrease(7, hint));
        assert_eq!(stands(&progress), (4, next), "{hint}");
    }
}

#[test]
fn after_a_snapshot_that_arrived_the_probe_begins_behind_it_and_else_where_it_stood() {
    for (pending, next) in [(9, 10), (3, 5), (0, 5)] {
        let mut progress = Progress::new(1);
        progress.maybe_update(4);
        progress.become_snapshot(pending);
        assert!(progress.is_paused(2));
        progress.become_probe();
        assert_eq!((stands(&progress), progress.is_paused(2)), ((4, next), false), "{pending}");
    }
}

#[test]
fn a_window_holds_so_many_appends_until_they_are_acknowledged() {
    let mut progress = Progress::new(5);
    progress.maybe_update(4);
    progress.become_replicate();
    for (last, paused) in [(6, false), (8, true)] {
        progress.sent(last);
        assert_eq!((stands(&progress), progress.is_paused(2)), ((4, last + 1), paused));
    }
    progress.free_inflight(7);
    assert_eq!((progress.inflight.len(), progress.is_paused(2)), (1, false));
    progress.become_probe();
    progress.sent(9);
    assert_eq!((stands(&progress), progress.is_paused(2)), ((4, 5), true), "one, and no more");
}
