//! A hierarchical timing wheel: six levels of 64 slots, the lowest of one microsecond each, which
//! together reach 2^36 µs (19 hours); what lies further off waits in a heap.
//!
//! As in the radix heap, a small binary heap holds what falls due at the head's time or before, since
//! a slot has no order of its own and may be queued to late.

use super::place::{Order, Wide};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bits of the time that choose a slot of one level.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = 6;

/// Never empty near the head unless nothing is pending at all.
pub struct Wheel {
    /// All that falls due up to `horizon`.
    near: BinaryHeap<Reverse<Wide>>,
    horizon: u64,
    /// What differs from `horizon` in a digit and in none above it, by that level and its own digit.
    slots: [[Vec<Wide>; SLOTS]; LEVELS],
    /// For each level a bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// What differs above all levels.
    far: BinaryHeap<Reverse<Wide>>,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel {
            near: BinaryHeap::new(),
            horizon: 0,
            slots: std::array::from_fn(|_| std::array::from_fn(|_| Vec::new())),
            occupied: [0; LEVELS],
            far: BinaryHeap::new(),
        }
    }
}

impl Order for Wheel {
    type Place = Wide;

    fn push(&mut self, place: Wide) {
        if self.near.is_empty() {
            self.horizon = place.at();
        }
        self.insert(place);
    }

    fn pop(&mut self) -> Option<Wide> {
        let Reverse(place) = self.near.pop()?;
        if self.near.is_empty() {
            self.advance();
        }
        Some(place)
    }

    fn first(&self) -> Option<&Wide> {
        self.near.peek().map(|Reverse(place)| place)
    }
}

impl Wheel {
    fn insert(&mut self, place: Wide) {
        if place.at() <= self.horizon {
            return self.near.push(Reverse(place));
        }
        let level = ((place.at() ^ self.horizon).ilog2() / DIGIT) as usize;
        if level >= LEVELS {
            return self.far.push(Reverse(place));
        }
        let slot = (place.at() >> (level as u32 * DIGIT)) as usize % SLOTS;
        self.slots[level][slot].push(place);
        self.occupied[level] |= 1 << slot;
    }

    /// Moves the horizon to the earliest time that waits, if any does. A slot goes to lower levels at
    /// once, relative to its earliest time; what waits elsewhere stays where it is.
    fn advance(&mut self) {
        let Some(level) = self.occupied.iter().position(|&slots| slots != 0) else {
            return self.fetch_far();
        };
        let slot = self.occupied[level].trailing_zeros() as usize;
        self.occupied[level] &= self.occupied[level] - 1;
        let mut waiting = std::mem::take(&mut self.slots[level][slot]);
        let times = waiting.iter().map(|place| place.at());
        self.horizon = times.min().expect("an occupied slot is not empty");
        for place in waiting.drain(..) {
            self.insert(place);
        }
        // With the memory that it has.
        self.slots[level][slot] = waiting;
    }

    /// Begins the next turn of the highest level, if anything is left for it.
    fn fetch_far(&mut self) {
        let Some(Reverse(first)) = self.far.peek() else { return };
        self.horizon = first.at();
        let is_near = |at: u64, horizon: u64| (at ^ horizon) >> (LEVELS as u32 * DIGIT) == 0;
        while let Some(Reverse(next)) = self.far.peek() {
            if !is_near(next.at(), self.horizon) {
                break;
            }
            let Reverse(next) = self.far.pop().expect("it was seen");
            self.insert(next);
        }
    }
}
