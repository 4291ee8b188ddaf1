//! A heap with four children at each place, whose places are half as large: time, target and the slot
//! of the event, in one number. Four children are as long as a cache line.
//!
//! The rest of the key lies with the event, and is looked up for two events of one target at one time.

use super::{Candidate, Payload};
use healsim::engine::{Key, SimTime};

/// Time, target and slot, from high to low.
#[derive(Clone, Copy)]
struct Place(u128);

/// As `FourAry`, and the payloads with it.
#[derive(Default)]
pub struct Indexed {
    heap: Vec<Place>,
    slab: Vec<(Rest, Option<Payload>)>,
    free: Vec<u32>,
}

/// What a place leaves out of its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    source: u32,
    purpose: u16,
    k: u32,
}

impl Candidate for Indexed {
    type Event = Payload;

    fn push(&mut self, key: Key, event: Payload) {
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

    fn pop(&mut self) -> Option<(Key, Payload)> {
        let first = *self.heap.first()?;
        let last = self.heap.pop().expect("there is a first");
        if !self.heap.is_empty() {
            self.sink(last);
        }
        let slot = first.slot();
        let (rest, event) = &mut self.slab[slot];
        let event = event.take().expect("a queued slot holds its event");
        let Rest { source, purpose, k } = *rest;
        self.free.push(slot as u32);
        Some((Key { at: first.at(), target: first.target(), source, purpose, k }, event))
    }

    fn next_at(&self) -> Option<SimTime> {
        self.heap.first().map(|place| place.at())
    }
}

impl Indexed {
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
        let left = eldest + usize::from(before(eldest + 1, eldest));
        let right = eldest + 2 + usize::from(before(eldest + 3, eldest + 2));
        Some(if before(right, left) { right } else { left })
    }

    fn is_before(&self, a: Place, b: Place) -> bool {
        if a.0 >> 32 == b.0 >> 32 {
            return self.slab[a.slot()].0 < self.slab[b.slot()].0;
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

    fn target(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn slot(self) -> usize {
        self.0 as u32 as usize
    }
}
