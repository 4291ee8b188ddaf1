//! The event queue: what falls due, in one total order that does not depend on when it was queued.
//!
//! Most of what is queued falls due almost at once, before nearly everything that is pending: it goes
//! into a short sorted row. Many of the rest are waits of one length, each of which falls due after
//! the one before it: they stand in a lane. Only the first of each lane, and what fits into none, is in
//! a heap with four children at each place. Both were chosen by measurement (`bench-peers/` and
//! `benches/queue.rs`, docs/speed.md).
//!
//! Places are one wide number each, so four children are as long as a cache line. Payloads lie in a
//! slab, with what a place leaves out of its key. The queue does not know what the payloads mean.

use super::{Duration, SimTime};
use std::collections::VecDeque;

/// Where an event stands in the total order.
///
/// There is no global insertion number: an event that need not be played would shift it. `k` is
/// the source's own count for the purpose, so equal keys cannot occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub at: SimTime,
    pub target: u32,
    pub source: u32,
    pub purpose: u16,
    pub k: u32,
}

/// How long the row may get: to find a place in it has to be quicker than the way through a heap.
const LONGEST_ROW: usize = 32;

/// There are two to the power of this many lanes. Which one is tried depends on the length of the wait.
const LANE_BITS: u32 = 6;

/// Events with their keys; the earliest key comes out first.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    /// What comes before all that is elsewhere, the first last.
    row: Vec<Place>,
    /// No place is before its parent; the parent of the one at `i` is at `(i - 1) / 4`.
    heap: Vec<Place>,
    lanes: Vec<Lane>,
    /// When the one fell due that was taken last.
    now: SimTime,
    slab: Vec<Slot<T>>,
    free: Vec<u32>,
}

/// Places of which none is before the one in front of it. The first is in the heap.
#[derive(Clone, Debug, Default)]
struct Lane {
    behind: VecDeque<Place>,
    /// If there is any, in the heap or behind it.
    last: Option<Place>,
}

/// Time, target and slot, from high to low.
#[derive(Clone, Copy, Debug)]
struct Place(u128);

#[derive(Clone, Debug)]
struct Slot<T> {
    rest: Rest,
    /// The lane in which it stands, or at whose head in the heap.
    lane: Option<u8>,
    event: Option<T>,
}

/// What a place leaves out of its key: it is looked up for two events of one target at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    source: u32,
    purpose: u16,
    k: u32,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue {
            row: Vec::new(),
            heap: Vec::new(),
            lanes: vec![Lane::default(); 1 << LANE_BITS],
            now: SimTime::ZERO,
            slab: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Queues `event` at its place in the order.
    #[inline]
    pub fn push(&mut self, key: Key, event: T) {
        let rest = Rest { source: key.source, purpose: key.purpose, k: key.k };
        let new = Slot { rest, lane: None, event: Some(event) };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = new;
                slot
            }
            None => {
                self.slab.push(new);
                u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 pending events")
            }
        };
        let place = Place::new(key, slot);
        match self.heap.first() {
            Some(first) if self.is_before(*first, place) => self.push_later(place),
            _ => self.push_to_row(place),
        }
    }

    /// Takes the event with the smallest key.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, T)> {
        let first = self.row.pop().or_else(|| self.pop_from_heap())?;
        let slot = &mut self.slab[first.slot() as usize];
        let (key, event) = (first.key(slot.rest), slot.event.take());
        self.now = key.at;
        self.free.push(first.slot());
        Some((key, event.expect("a queued slot holds its event")))
    }

    /// When the next event falls due.
    pub fn next_at(&self) -> Option<SimTime> {
        self.first().map(|place| place.at())
    }

    /// The event with the smallest key.
    pub fn peek(&self) -> Option<(Key, &T)> {
        let place = self.first()?;
        let slot = &self.slab[place.slot() as usize];
        Some((place.key(slot.rest), slot.event.as_ref().expect("a queued slot holds its event")))
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        let behind: usize = self.lanes.iter().map(|lane| lane.behind.len()).sum();
        self.row.len() + self.heap.len() + behind
    }

    /// True if nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    fn first(&self) -> Option<&Place> {
        self.row.last().or_else(|| self.heap.first())
    }

    /// What falls due soonest has the shortest way. If the row gets too long, the later half of it goes
    /// into the heap.
    fn push_to_row(&mut self, place: Place) {
        let mut gap = self.row.len();
        self.row.push(place);
        while gap > 0 && self.is_before(self.row[gap - 1], place) {
            self.row[gap] = self.row[gap - 1];
            gap -= 1;
        }
        self.row[gap] = place;
        if self.row.len() > LONGEST_ROW {
            self.shorten_row();
        }
    }

    #[cold]
    fn shorten_row(&mut self) {
        const LATER: usize = LONGEST_ROW / 2;
        (0..LATER).for_each(|place| self.push_to_heap(self.row[place]));
        self.row.drain(..LATER);
    }

    /// Into the lane for waits of this length, unless another of its is later: a long wait that has
    /// the lane of short ones by chance keeps them in the heap until it is over. Seldom called, and
    /// kept out of `push`, which is small enough then to be a part of its callers.
    #[inline(never)]
    fn push_later(&mut self, place: Place) {
        let number = lane_of(place.at().since(self.now));
        match self.lanes[usize::from(number)].last {
            Some(last) if self.is_before(last, place) => {
                self.slab[place.slot() as usize].lane = Some(number);
                self.lanes[usize::from(number)].behind.push_back(place);
            }
            Some(_) => return self.push_to_heap(place),
            None => {
                self.slab[place.slot() as usize].lane = Some(number);
                self.push_to_heap(place);
            }
        }
        self.lanes[usize::from(number)].last = Some(place);
    }

    fn push_to_heap(&mut self, place: Place) {
        self.heap.push(place);
        self.rise(place);
    }

    /// The next of its lane takes its place.
    #[inline(never)]
    fn pop_from_heap(&mut self) -> Option<Place> {
        let first = *self.heap.first()?;
        if let Some(number) = self.slab[first.slot() as usize].lane {
            let lane = &mut self.lanes[usize::from(number)];
            if let Some(next) = lane.behind.pop_front() {
                self.sink(next);
                return Some(first);
            }
            lane.last = None;
        }
        let last = self.heap.pop()?;
        if !self.heap.is_empty() {
            self.sink(last);
        }
        Some(first)
    }

    /// Moves the place that was put last up to where it belongs.
    fn rise(&mut self, place: Place) {
        let mut gap = self.heap.len() - 1;
        while gap > 0 && self.is_before(place, self.heap[(gap - 1) / 4]) {
            self.heap[gap] = self.heap[(gap - 1) / 4];
            gap = (gap - 1) / 4;
        }
        self.heap[gap] = place;
    }

    /// Fills the root's gap, with `place` or from below it.
    fn sink(&mut self, place: Place) {
        let mut gap = 0;
        while let Some(child) = self.smallest_child(gap) {
            if !self.is_before(self.heap[child], place) {
                break;
            }
            self.heap[gap] = self.heap[child];
            gap = child;
        }
        self.heap[gap] = place;
    }

    fn smallest_child(&self, parent: usize) -> Option<usize> {
        let eldest = 4 * parent + 1;
        let before = |a: usize, b: usize| self.is_before(self.heap[a], self.heap[b]);
        if eldest + 4 > self.heap.len() {
            return (eldest..self.heap.len())
                .reduce(|best, next| if before(next, best) { next } else { best });
        }
        // As in a knock-out: the two games of the first round do not wait for each other.
        let left = eldest + usize::from(before(eldest + 1, eldest));
        let right = eldest + 2 + usize::from(before(eldest + 3, eldest + 2));
        Some(if before(right, left) { right } else { left })
    }

    fn is_before(&self, a: Place, b: Place) -> bool {
        if (a.0 ^ b.0) >> 32 == 0 {
            let rest = |place: Place| self.slab[place.slot() as usize].rest;
            return rest(a) < rest(b);
        }
        a.0 < b.0
    }
}

/// Lengths that differ mostly have different lanes (Fibonacci hashing).
fn lane_of(wait: Duration) -> u8 {
    let mixed = wait.as_micros().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u8::try_from(mixed >> (u64::BITS - LANE_BITS)).expect("fewer than 256 lanes")
}

impl Place {
    fn new(key: Key, slot: u32) -> Place {
        let at = u128::from(key.at.as_micros());
        Place(at << 64 | u128::from(key.target) << 32 | u128::from(slot))
    }

    fn at(self) -> SimTime {
        SimTime::from_micros((self.0 >> 64) as u64)
    }

    fn slot(self) -> u32 {
        self.0 as u32
    }

    fn key(self, Rest { source, purpose, k }: Rest) -> Key {
        Key { at: self.at(), target: (self.0 >> 32) as u32, source, purpose, k }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn key(at: u64, target: u32, source: u32, purpose: u16, k: u32) -> Key {
        Key { at: SimTime::from_micros(at), target, source, purpose, k }
    }

    #[test]
    fn the_order_is_time_then_target_source_purpose_and_count() {
        let mut queue = Queue::default();
        let sorted = [
            key(1, 9, 9, 9, 9),
            key(2, 0, 9, 9, 9),
            key(2, 1, 0, 9, 9),
            key(2, 1, 1, 0, 9),
            key(2, 1, 1, 1, 0),
            key(2, 1, 1, 1, 1),
        ];
        for place in [3, 0, 5, 1, 4, 2] {
            queue.push(sorted[place], place);
        }
        assert_eq!(queue.next_at(), Some(SimTime::from_micros(1)));
        assert_eq!(queue.peek(), Some((sorted[0], &0)));
        for (place, key) in sorted.into_iter().enumerate() {
            assert_eq!(queue.pop(), Some((key, place)));
        }
        assert!(queue.pop().is_none() && queue.is_empty());
    }

    #[test]
    fn a_queue_counts_what_is_pending() {
        let mut queue = Queue::default();
        for (k, pending) in [(0, 1), (1, 2), (2, 3)] {
            queue.push(key(5, 0, 0, 0, k), ());
            assert_eq!((queue.len(), queue.is_empty()), (pending, false));
        }
        queue.pop();
        assert_eq!(queue.len(), 2);
    }

    proptest! {
        /// Waits of a few lengths are as in a run; others are anything, before the present too.
        #[test]
        fn the_smallest_key_comes_out_whatever_was_pushed_and_popped_before(
            turns in proptest::collection::vec(
                proptest::option::weighted(0.6, (0u64..9, 0u64..60, 0u32..4, 0u32..3, 0u16..3)),
                0..400,
            ),
        ) {
            let mut queue = Queue::default();
            let mut oracle = BTreeSet::new();
            let mut now = 0;
            for (k, turn) in (0..).zip(turns) {
                if let Some((length, other, target, source, purpose)) = turn {
                    let at = match [1, 10, 10, 10, 100, 100, 1000].get(length as usize) {
                        Some(length) => now + length,
                        None => other,
                    };
                    let key = key(at, target, source, purpose, k);
                    queue.push(key, k);
                    oracle.insert(key);
                } else {
                    let first = oracle.pop_first();
                    now = first.map_or(now, |key| key.at.as_micros());
                    prop_assert_eq!(queue.pop(), first.map(|key| (key, key.k)));
                }
                prop_assert_eq!(queue.len(), oracle.len());
                prop_assert_eq!(queue.is_empty(), oracle.is_empty());
                prop_assert_eq!(queue.peek().map(|(key, _)| key), oracle.first().copied());
                prop_assert_eq!(queue.next_at(), oracle.first().map(|key| key.at));
            }
            let rest: Vec<_> = std::iter::from_fn(|| queue.pop().map(|(key, _)| key)).collect();
            prop_assert_eq!(rest, oracle.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn waits_of_one_length_stand_in_a_lane() {
        let mut queue = Queue::default();
        for turn in 0u32..3_000 {
            for (count, length) in (0..).zip([1_000, 2_000]) {
                queue.push(key(u64::from(turn) + length, 0, 0, 0, 2 * turn + count), ());
            }
            while queue.next_at() == Some(SimTime::from_micros(u64::from(turn))) {
                queue.pop();
            }
        }
        assert_eq!(queue.len(), 3_000);
        // Two would do if all had found their lanes free.
        assert!(queue.heap.len() <= 4, "{}", queue.heap.len());
    }
}
