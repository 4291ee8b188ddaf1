//! The event queue: what falls due, in one total order that does not depend on when it was queued.
//!
//! A heap with four children at each place, chosen by measurement (`benches/queue.rs`): places are
//! one wide number each, so four children are as long as a cache line. Payloads lie in a slab, with
//! what a place leaves out of its key. The queue does not know what the payloads mean.

use super::SimTime;

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

/// Events with their keys; the earliest key comes out first.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    /// No place is before its parent; the parent of the one at `i` is at `(i - 1) / 4`.
    heap: Vec<Place>,
    slab: Vec<(Rest, Option<T>)>,
    free: Vec<u32>,
}

/// Time, target and slot, from high to low.
#[derive(Clone, Copy, Debug)]
struct Place(u128);

/// What a place leaves out of its key: it is looked up for two events of one target at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    source: u32,
    purpose: u16,
    k: u32,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { heap: Vec::new(), slab: Vec::new(), free: Vec::new() }
    }
}

impl<T> Queue<T> {
    /// Queues `event` at its place in the order.
    pub fn push(&mut self, key: Key, event: T) {
        let rest = Rest { source: key.source, purpose: key.purpose, k: key.k };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = (rest, Some(event));
                slot
            }
            None => {
                self.slab.push((rest, Some(event)));
                u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 pending events")
            }
        };
        let place = Place::new(key, slot);
        self.heap.push(place);
        self.rise(place);
    }

    /// Takes the event with the smallest key.
    pub fn pop(&mut self) -> Option<(Key, T)> {
        let last = self.heap.pop()?;
        let first = self.heap.first().copied().unwrap_or(last);
        if !self.heap.is_empty() {
            self.sink(last);
        }
        let (rest, event) = &mut self.slab[first.slot() as usize];
        let (key, event) = (first.key(*rest), event.take());
        self.free.push(first.slot());
        Some((key, event.expect("a queued slot holds its event")))
    }

    /// When the next event falls due.
    pub fn next_at(&self) -> Option<SimTime> {
        self.heap.first().map(|place| place.at())
    }

    /// The event with the smallest key.
    pub fn peek(&self) -> Option<(Key, &T)> {
        let place = self.heap.first()?;
        let (rest, event) = &self.slab[place.slot() as usize];
        Some((place.key(*rest), event.as_ref().expect("a queued slot holds its event")))
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True if nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
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
        if a.0 >> 32 == b.0 >> 32 {
            return self.slab[a.slot() as usize].0 < self.slab[b.slot() as usize].0;
        }
        a.0 < b.0
    }
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
        #[test]
        fn events_come_out_sorted_whatever_the_insertion_order(
            mut keys in proptest::collection::btree_set((0u64..50, 0u32..4, 0u32..4, 0u16..3, 0u32..9), 0..200)
                .prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle(),
            early in 0usize..50,
        ) {
            let mut queue = Queue::default();
            let mut popped = Vec::new();
            for (place, &(at, target, source, purpose, k)) in keys.iter().enumerate() {
                queue.push(key(at, target, source, purpose, k), (at, target, source, purpose, k));
                // Slots are reused while others are pending.
                if place == early {
                    popped.extend(queue.pop().map(|(_, event)| event));
                }
            }
            let early: Vec<_> = popped.clone();
            keys.retain(|key| !early.contains(key));
            keys.sort_unstable();
            let rest: Vec<_> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
            prop_assert_eq!(rest, keys);
        }
    }
}
