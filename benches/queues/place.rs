//! What most candidates share: places of 32 bytes that they keep in order, and the slab in which the
//! payloads lie still. The slab is as in `engine::Queue`, whose own is private.

use super::{Candidate, Event};
use healsim::engine::{Key, SimTime};

/// Keeps places in order; all that differs between these candidates.
pub trait Order: Default {
    type Place: Place;

    fn push(&mut self, place: Self::Place);
    fn pop(&mut self) -> Option<Self::Place>;
    fn first(&self) -> Option<&Self::Place>;
}

/// A key, packed, with the slot of its payload. There are two forms, and each candidate has the one
/// with which it is faster: up to 20 % lie between them, either way.
pub trait Place: Copy + Ord {
    fn new(key: Key, slot: u32) -> Self;
    fn key(self) -> Key;
    fn slot(self) -> u32;
}

/// Most comparisons end with the first of three words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Words {
    at: u64,
    target_and_source: u64,
    purpose_and_k: u64,
    slot: u32,
}

/// Two wide numbers: time, target and source; purpose, count and slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wide(u128, u128);

/// An order of places with the payloads beside it.
pub struct Slabbed<O, T> {
    order: O,
    slab: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<O: Order, T> Default for Slabbed<O, T> {
    fn default() -> Slabbed<O, T> {
        Slabbed { order: O::default(), slab: Vec::new(), free: Vec::new() }
    }
}

impl<O: Order, T: Event> Candidate for Slabbed<O, T> {
    type Event = T;

    fn push(&mut self, key: Key, event: T) {
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
        self.order.push(O::Place::new(key, slot));
    }

    fn pop(&mut self) -> Option<(Key, T)> {
        let place = self.order.pop()?;
        let event = self.slab[place.slot() as usize].take().expect("a queued slot holds its event");
        self.free.push(place.slot());
        Some((place.key(), event))
    }

    fn next_at(&self) -> Option<SimTime> {
        self.order.first().map(|place| place.key().at)
    }
}

impl Place for Words {
    fn new(key: Key, slot: u32) -> Words {
        Words {
            at: key.at.as_micros(),
            target_and_source: pair(key.target, key.source),
            purpose_and_k: pair(u32::from(key.purpose), key.k),
            slot,
        }
    }

    fn key(self) -> Key {
        unpacked(self.at, self.target_and_source, self.purpose_and_k)
    }

    fn slot(self) -> u32 {
        self.slot
    }
}

impl Wide {
    pub fn at(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl Place for Wide {
    fn new(key: Key, slot: u32) -> Wide {
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        Wide(
            wide(key.at.as_micros(), pair(key.target, key.source)),
            wide(pair(u32::from(key.purpose), key.k), u64::from(slot)),
        )
    }

    fn key(self) -> Key {
        unpacked(self.at(), self.0 as u64, (self.1 >> 64) as u64)
    }

    fn slot(self) -> u32 {
        self.1 as u32
    }
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn unpacked(at: u64, target_and_source: u64, purpose_and_k: u64) -> Key {
    let high = |pair: u64| (pair >> 32) as u32;
    let low = |pair: u64| pair as u32;
    Key {
        at: SimTime::from_micros(at),
        target: high(target_and_source),
        source: low(target_and_source),
        purpose: high(purpose_and_k) as u16,
        k: low(purpose_and_k),
    }
}
