//! The event queue: what falls due, in one total order that does not depend on when it was queued.
//!
//! A binary heap of small keys; payloads lie in a slab. This is the reference queue: a faster one
//! must give the same order to the byte. It does not know what the payloads mean.

use super::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    heap: BinaryHeap<Reverse<Place>>,
    slab: Vec<Option<T>>,
    free: Vec<u32>,
}

/// A key, packed so that two are compared in at most three steps, with the slot of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: SimTime,
    target_and_source: u64,
    purpose_and_k: u64,
    slot: u32,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { heap: BinaryHeap::new(), slab: Vec::new(), free: Vec::new() }
    }
}

impl<T> Queue<T> {
    /// Queues `event` at its place in the order.
    pub fn push(&mut self, key: Key, event: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slab.push(Some(event));
                u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 pending events")
            }
        };
        self.heap.push(Reverse(Place::new(key, slot)));
    }

    /// Takes the event with the smallest key.
    pub fn pop(&mut self) -> Option<(Key, T)> {
        let Reverse(place) = self.heap.pop()?;
        let event = self.slab[place.slot as usize].take().expect("a queued slot holds its event");
        self.free.push(place.slot);
        Some((place.key(), event))
    }

    /// When the next event falls due.
    pub fn next_at(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(place)| place.at)
    }

    /// The event with the smallest key.
    pub fn peek(&self) -> Option<(Key, &T)> {
        let Reverse(place) = self.heap.peek()?;
        let event = self.slab[place.slot as usize].as_ref();
        Some((place.key(), event.expect("a queued slot holds its event")))
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True if nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl Place {
    fn new(key: Key, slot: u32) -> Place {
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        Place {
            at: key.at,
            target_and_source: pair(key.target, key.source),
            purpose_and_k: pair(u32::from(key.purpose), key.k),
            slot,
        }
    }

    fn key(self) -> Key {
        let high = |pair: u64| (pair >> 32) as u32;
        let low = |pair: u64| pair as u32;
        Key {
            at: self.at,
            target: high(self.target_and_source),
            source: low(self.target_and_source),
            purpose: high(self.purpose_and_k) as u16,
            k: low(self.purpose_and_k),
        }
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
