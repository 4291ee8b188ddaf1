//! A member's log: entries, how far they are on disk, committed and applied.
//!
//! Everything stays in memory until it is compacted; the disk has its own copy (`Disk`), which is
//! what a restart begins with.

use super::{Disk, Entry, Fatal, Index, Payload, Snapshot, Term};
use std::collections::VecDeque;

/// The log. Its indexes have no gap: `base`, then `entries`.
#[derive(Clone, Debug)]
pub struct Log<E> {
    /// Index and term of the entry before the first: compacted, or in a snapshot.
    base: (Index, Term),
    entries: VecDeque<Entry<E>>,
    /// The latest snapshot, for members whose next entry is gone.
    pub snapshot: Snapshot,
    /// The snapshot came from the leader, and is not on disk yet.
    pub snapshot_pending: bool,
    /// Entries up to here are on disk.
    pub stable: Index,
    pub committed: Index,
    pub applied: Index,
}

impl<E: Clone> Log<E> {
    /// The log as the disk has it.
    pub fn from_disk(disk: &Disk<E>) -> Result<Log<E>, Fatal> {
        let base = (disk.snapshot.index, disk.snapshot.term);
        let entries: VecDeque<_> = disk.entries_after_snapshot().cloned().collect();
        let last = entries.back().map_or(base.0, |entry| entry.index);
        let commit = disk.hard_state.commit.max(base.0);
        if commit > last {
            return Err(Fatal::StateOutOfRange { commit, first: base.0, last });
        }
        Ok(Log {
            base,
            entries,
            snapshot: disk.snapshot.clone(),
            snapshot_pending: false,
            stable: last,
            committed: commit,
            applied: base.0,
        })
    }

    /// The first entry that is still there.
    pub fn first_index(&self) -> Index {
        self.base.0 + 1
    }

    /// The last entry's index.
    pub fn last_index(&self) -> Index {
        self.entries.back().map_or(self.base.0, |entry| entry.index)
    }

    /// The last entry's term.
    pub fn last_term(&self) -> Term {
        self.entries.back().map_or(self.base.1, |entry| entry.term)
    }

    /// The term of an entry; none if it is compacted, or was never here.
    pub fn term(&self, index: Index) -> Option<Term> {
        match index.checked_sub(self.base.0)? {
            0 => Some(self.base.1),
            _ => self.entry(index).map(|entry| entry.term),
        }
    }

    /// True if the log has such an entry.
    pub fn has(&self, index: Index, term: Term) -> bool {
        self.term(index) == Some(term)
    }

    /// True if a log that ends so is at least as complete as this one (section 5.4.1 of the paper).
    pub fn is_up_to_date(&self, last_index: Index, last_term: Term) -> bool {
        (last_term, last_index) >= (self.last_term(), self.last_index())
    }

    /// Up to `limit` entries from `from` on; nothing if they are not here.
    pub fn slice(&self, from: Index, limit: usize) -> impl Iterator<Item = &Entry<E>> {
        let skipped = self.offset(from).unwrap_or(self.entries.len()).min(self.entries.len());
        self.entries.range(skipped..).take(limit)
    }

    /// Entries that have to be written.
    pub fn unstable(&self) -> impl Iterator<Item = &Entry<E>> {
        self.slice(self.stable + 1, usize::MAX)
    }

    /// True if there are entries that have to be written, or committed ones that have not been handed
    /// out.
    pub fn has_news(&self) -> bool {
        let applied = self.applied.max(self.base.0);
        self.stable < self.last_index() || applied < self.committed
    }

    /// Committed entries that have not been handed out.
    pub fn next_committed(&self) -> impl Iterator<Item = &Entry<E>> {
        let from = self.applied.max(self.base.0);
        let count = usize::try_from(self.committed - from).expect("as many as there are in memory");
        self.slice(from + 1, count)
    }

    /// Appends as a leader does; returns the new entry's index.
    pub fn append(&mut self, term: Term, payload: Payload<E>) -> Index {
        let index = self.last_index() + 1;
        self.entries.push_back(Entry { index, term, payload });
        index
    }

    /// Appends as a follower does: if the entry before is the leader's, what differs is replaced.
    /// Returns the index up to which the logs agree now; none if they do not at `previous`.
    pub fn maybe_append(&mut self, previous: (Index, Term), entries: &[Entry<E>]) -> Option<Index> {
        if !self.has(previous.0, previous.1) {
            return None;
        }
        let agreed = entries.last().map_or(previous.0, |entry| entry.index);
        for entry in entries {
            if self.has(entry.index, entry.term) {
                continue;
            }
            assert!(entry.index > self.committed, "what is committed is never replaced");
            self.truncate(entry.index);
            self.entries.push_back(entry.clone());
        }
        Some(agreed)
    }

    /// The last place at or before `index` at which this log may agree with one that has `term` at
    /// `index`, and this log's term there; 0 if that is not known any more.
    pub fn find_conflict(&self, index: Index, term: Term) -> (Index, Term) {
        for place in (1..=index).rev() {
            match self.term(place) {
                Some(own) if own > term => {}
                own => return (place, own.unwrap_or(0)),
            }
        }
        (0, 0)
    }

    /// The leader says that everything up to `index` is committed.
    pub fn commit_to(&mut self, index: Index) -> Result<(), Fatal> {
        if index > self.last_index() {
            return Err(Fatal::CommitOutOfRange { commit: index, last: self.last_index() });
        }
        self.committed = self.committed.max(index);
        Ok(())
    }

    /// A quorum has `index`; only an entry of the leader's own term commits by that.
    pub fn maybe_commit(&mut self, index: Index, term: Term) -> bool {
        let commits = index > self.committed && self.has(index, term);
        if commits {
            self.committed = index;
        }
        commits
    }

    /// Replaces everything by a snapshot from the leader.
    pub fn restore(&mut self, snapshot: Snapshot) {
        self.base = (snapshot.index, snapshot.term);
        self.entries.clear();
        // What the disk has after it belongs to the old log.
        self.stable = snapshot.index;
        self.committed = snapshot.index;
        self.snapshot = snapshot;
        self.snapshot_pending = true;
    }

    /// The disk has entries up to this one, unless it was replaced while they were written.
    pub fn stable_to(&mut self, index: Index, term: Term) {
        if index > self.stable && self.has(index, term) {
            self.stable = index;
        }
    }

    /// The disk has the snapshot.
    pub fn stable_snapshot(&mut self, index: Index) {
        if self.snapshot_pending && self.snapshot.index == index {
            self.snapshot_pending = false;
            self.applied = self.applied.max(index);
        }
    }

    /// Forgets entries up to `index`, which a snapshot holds.
    pub fn compact(&mut self, index: Index) {
        let Some(term) = self.term(index.min(self.snapshot.index)) else { return };
        self.base = (index.min(self.snapshot.index), term);
        while self.entries.front().is_some_and(|first| first.index <= self.base.0) {
            self.entries.pop_front();
        }
    }

    /// The entry at an index.
    pub fn entry(&self, index: Index) -> Option<&Entry<E>> {
        self.entries.get(self.offset(index)?)
    }

    /// Forgets entries from `index` on; the disk will hear of it by what replaces them.
    pub fn truncate(&mut self, index: Index) {
        if let Some(kept) = self.offset(index) {
            self.entries.truncate(kept);
            self.stable = self.stable.min(index - 1);
        }
    }

    /// Where an entry stands in `entries`.
    fn offset(&self, index: Index) -> Option<usize> {
        usize::try_from(index.checked_sub(self.base.0 + 1)?).ok()
    }
}
