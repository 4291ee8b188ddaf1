//! What a member has on its disk, and what one turn of its loop hands out.
//!
//! The order is what makes a crash harmless. Of one `Ready`, `messages` may leave at once, while
//! the disk writes; `promises` only when the disk has everything, since they tell others what it
//! will still know after a crash; `committed` is applied after that too.

use super::{Entry, Index, MemberId, Membership, Message, ReadState, Term};

/// The state of a disk: written with each `Ready`, read at a restart.
#[derive(Clone, Debug)]
pub struct Disk<E> {
    pub hard_state: HardState,
    pub snapshot: Snapshot,
    entries: Vec<Entry<E>>,
}

/// What a member must never forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    pub term: Term,
    pub vote: Option<MemberId>,
    /// A hint: a member that has forgotten it learns it anew from its leader.
    pub commit: Index,
}

/// What stands for the log up to an index. The state itself is the owner's, who adds it to the
/// message and takes it out again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub index: Index,
    pub term: Term,
    pub membership: Membership,
}

/// What is to be done after one or more inputs. The owner keeps one and has it filled again and
/// again, so that its vectors are allocated once.
#[derive(Clone, Debug)]
pub struct Ready<E> {
    /// May leave while the disk writes.
    pub messages: Vec<Message<E>>,
    /// To write, if changed.
    pub hard_state: Option<HardState>,
    /// To write; it replaces the whole log, and the owner's state.
    pub snapshot: Option<Snapshot>,
    /// To write; they replace what the disk has from the first one's index on.
    pub entries: Vec<Entry<E>>,
    /// May leave only when all that is on disk.
    pub promises: Vec<Message<E>>,
    /// To apply in this order, when all that is on disk.
    pub committed: Vec<Entry<E>>,
    /// Reads that may be answered once their index is applied.
    pub read_states: Vec<ReadState>,
    /// Term and vote have changed, not only the commit.
    pub(super) term_or_vote_changed: bool,
}

impl<E: Clone> Disk<E> {
    /// A disk that begins with a snapshot: the first members of a group, or a restored backup.
    pub fn with_snapshot(snapshot: Snapshot) -> Disk<E> {
        let (term, commit) = (snapshot.term, snapshot.index);
        let hard_state = HardState { term, vote: None, commit };
        Disk { hard_state, snapshot, entries: Vec::new() }
    }

    /// Writes what has to be on disk before the promises of `ready` may leave.
    pub fn write(&mut self, ready: &Ready<E>) {
        if let Some(hard_state) = ready.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(snapshot) = &ready.snapshot {
            self.snapshot = snapshot.clone();
            self.entries.clear();
        }
        if let Some(first) = ready.entries.first() {
            // Mostly they follow what is there.
            if self.entries.last().is_some_and(|last| last.index >= first.index) {
                let kept = self.entries.partition_point(|entry| entry.index < first.index);
                self.entries.truncate(kept);
            }
            self.entries.extend_from_slice(&ready.entries);
        }
    }

    /// Writes an entry that follows what is there, with the commit that is known once it is applied.
    pub fn write_entry(&mut self, entry: Entry<E>) {
        self.hard_state.commit = entry.index;
        self.entries.push(entry);
    }

    /// Writes the member's own snapshot; a restart does not look at earlier entries any more.
    pub fn save_snapshot(&mut self, snapshot: Snapshot) {
        self.entries.retain(|entry| entry.index > snapshot.index);
        self.snapshot = snapshot;
    }

    /// The log after the snapshot.
    pub fn entries_after_snapshot(&self) -> impl Iterator<Item = &Entry<E>> {
        self.entries.iter().filter(|entry| entry.index > self.snapshot.index)
    }

    /// True if the disk's log has such an entry, or a snapshot that holds it.
    pub fn has(&self, index: Index, term: Term) -> bool {
        let place = self.entries.binary_search_by_key(&index, |entry| entry.index);
        index <= self.snapshot.index || place.is_ok_and(|place| self.entries[place].term == term)
    }
}

/// A disk without anything: a member that joins a group.
impl<E> Default for Disk<E> {
    fn default() -> Disk<E> {
        let (hard_state, snapshot) = (HardState::default(), Snapshot::default());
        Disk { hard_state, snapshot, entries: Vec::new() }
    }
}

impl<E> Ready<E> {
    /// True if there is nothing to do at all.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.hard_state.is_none()
            && self.snapshot.is_none()
            && self.entries.is_empty()
            && self.promises.is_empty()
            && self.committed.is_empty()
            && self.read_states.is_empty()
    }

    /// True if the write must have reached the disk; a new commit alone need not.
    pub fn must_sync(&self) -> bool {
        !self.entries.is_empty() || self.snapshot.is_some() || self.term_or_vote_changed
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.hard_state = None;
        self.snapshot = None;
        self.entries.clear();
        self.promises.clear();
        self.committed.clear();
        self.read_states.clear();
        self.term_or_vote_changed = false;
    }
}

impl<E> Default for Ready<E> {
    fn default() -> Ready<E> {
        Ready {
            messages: Vec::new(),
            hard_state: None,
            snapshot: None,
            entries: Vec::new(),
            promises: Vec::new(),
            committed: Vec::new(),
            read_states: Vec::new(),
            term_or_vote_changed: false,
        }
    }
}
