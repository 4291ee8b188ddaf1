//! A radix heap: what is further off than the head waits, unordered, in the bucket of the highest bit
//! in which its time differs from the head's.
//!
//! A radix heap alone needs keys that never fall, and does not order equal times. So a small binary
//! heap holds what falls due at the head's time or before, in the full order; that is also what may
//! be queued late.

use super::place::{Order, Wide};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Never empty near the head unless nothing is pending at all.
pub struct Radix {
    /// All that falls due up to `horizon`.
    near: BinaryHeap<Reverse<Wide>>,
    horizon: u64,
    /// All else, by the highest bit that differs from `horizon`.
    buckets: [Vec<Wide>; 64],
    /// A bit for each bucket that is not empty.
    occupied: u64,
}

impl Default for Radix {
    fn default() -> Radix {
        Radix {
            near: BinaryHeap::new(),
            horizon: 0,
            buckets: std::array::from_fn(|_| Vec::new()),
            occupied: 0,
        }
    }
}

impl Order for Radix {
    type Place = Wide;

    fn push(&mut self, place: Wide) {
        if self.near.is_empty() {
            self.horizon = place.at();
        }
        self.insert(place);
    }

    fn pop(&mut self) -> Option<Wide> {
        let Reverse(place) = self.near.pop()?;
        if self.near.is_empty() && self.occupied != 0 {
            self.advance();
        }
        Some(place)
    }

    fn first(&self) -> Option<&Wide> {
        self.near.peek().map(|Reverse(place)| place)
    }
}

impl Radix {
    fn insert(&mut self, place: Wide) {
        if place.at() <= self.horizon {
            return self.near.push(Reverse(place));
        }
        let bucket = (place.at() ^ self.horizon).ilog2();
        self.buckets[bucket as usize].push(place);
        self.occupied |= 1 << bucket;
    }

    /// Moves the horizon to the earliest time that waits. All of its bucket goes to lower ones, and
    /// what waits in higher ones still differs from the new horizon in the same bit.
    fn advance(&mut self) {
        let bucket = self.occupied.trailing_zeros() as usize;
        self.occupied &= self.occupied - 1;
        let mut waiting = std::mem::take(&mut self.buckets[bucket]);
        let times = waiting.iter().map(|place| place.at());
        self.horizon = times.min().expect("an occupied bucket is not empty");
        for place in waiting.drain(..) {
            self.insert(place);
        }
        // With the memory that it has.
        self.buckets[bucket] = waiting;
    }
}
