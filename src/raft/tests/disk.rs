//! What a disk keeps, and what a `Ready` says of itself.

use super::bench::{Bench, append, entry, heartbeat};
use crate::raft::*;

/// A member whose disk has the entries 2, 3 and 4, the first two of them applied.
fn with_three_entries() -> Bench {
    let mut bench = Bench::one_of(3);
    bench.hear(2, 3, append(&[2, 2, 3], 3));
    bench
}

#[test]
fn an_own_snapshot_stands_for_what_is_applied_and_leaves_the_rest() {
    let mut bench = with_three_entries();
    let snapshot = bench.raft.take_snapshot();
    assert_eq!((snapshot.index, snapshot.term), (3, 2));
    bench.disk.save_snapshot(snapshot);
    let kept: Vec<_> = bench.disk.entries_after_snapshot().cloned().collect();
    assert_eq!(kept, [entry(4, 3)]);
    let bench = bench.restart();
    assert_eq!((bench.raft.first_index(), bench.raft.last_index()), (4, 4));
    assert_eq!((bench.raft.applied(), bench.raft.committed()), (3, 3));
}

#[test]
fn a_disk_has_the_entries_of_its_log_and_all_that_its_snapshot_holds() {
    let mut bench = with_three_entries();
    let has =
        |bench: &Bench| [(1, 1), (3, 2), (3, 3), (4, 3), (5, 3)].map(|(i, t)| bench.disk.has(i, t));
    assert_eq!(has(&bench), [true, true, false, true, false]);
    let snapshot = bench.raft.take_snapshot();
    bench.disk.save_snapshot(snapshot);
    // Which term it was is not known any more.
    assert_eq!(has(&bench), [true, true, true, true, false]);
}

#[test]
fn a_ready_with_anything_to_do_is_not_empty() {
    let message = || Message { from: MemberId(1), to: MemberId(2), term: 2, body: heartbeat(1) };
    let state = ReadState { context: ReadContext(5), index: 1 };
    let fill: [fn(&mut Ready<u64>); 3] = [
        |ready| ready.hard_state = Some(HardState::default()),
        |ready| ready.snapshot = Some(Snapshot::default()),
        |ready| ready.entries = vec![entry(2, 2)],
    ];
    for fill in fill {
        let mut ready = Ready::default();
        assert!(ready.is_empty());
        fill(&mut ready);
        assert!(!ready.is_empty(), "{ready:?}");
        ready.clear();
        assert!(ready.is_empty());
    }
    let all: [Ready<u64>; 4] = [
        Ready { messages: vec![message()], ..Ready::default() },
        Ready { promises: vec![message()], ..Ready::default() },
        Ready { committed: vec![entry(2, 2)], ..Ready::default() },
        Ready { read_states: vec![state], ..Ready::default() },
    ];
    assert!(all.iter().all(|ready| !ready.is_empty()));
}

#[test]
fn entries_a_snapshot_or_a_vote_must_reach_the_disk() {
    let must_sync = |ready: Ready<u64>| ready.must_sync();
    assert!(must_sync(Ready { entries: vec![entry(2, 2)], ..Ready::default() }));
    assert!(must_sync(Ready { snapshot: Some(Snapshot::default()), ..Ready::default() }));
    assert!(must_sync(Ready { term_or_vote_changed: true, ..Ready::default() }));
    assert!(!must_sync(Ready { hard_state: Some(HardState::default()), ..Ready::default() }));
}

#[test]
fn an_entry_that_is_replaced_while_it_is_written_is_written_anew() {
    let mut bench = Bench::one_of(3);
    bench.step(2, 2, append(&[2], 1)).unwrap();
    bench.begin(&mut Vec::new());
    bench.step(3, 3, append(&[3], 1)).unwrap();
    bench.finish();
    assert!(bench.disk.has(2, 2));
    assert_eq!(bench.turn(), ["3: Appended 2, term 3"]);
    assert!(bench.disk.has(2, 3) && !bench.disk.has(2, 2));
}

#[test]
fn a_snapshot_that_comes_while_another_is_written_is_written_next() {
    let mut bench = Bench::one_of(3);
    let membership = bench.raft.membership().clone();
    let body = |index| {
        let membership = membership.clone();
        Body::Snapshot(Box::new(Snapshot { index, term: 2, membership }))
    };
    bench.step(2, 2, body(9)).unwrap();
    bench.begin(&mut Vec::new());
    bench.step(2, 2, body(12)).unwrap();
    bench.finish();
    assert_eq!((bench.disk.snapshot.index, bench.raft.applied()), (9, 1));
    bench.turn();
    assert_eq!((bench.disk.snapshot.index, bench.raft.applied()), (12, 12));
}
