//! The limit: the standard library's binary heap with the keys and nothing else.
//!
//! It queues no events, so it is no candidate: what a queue costs beyond it is the price of its
//! payloads.

use super::Candidate;
use healsim::engine::{Key, SimTime};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Keys alone; the smallest comes out first.
#[derive(Default)]
pub struct Bare(BinaryHeap<Reverse<Key>>);

impl Candidate for Bare {
    type Event = ();

    fn push(&mut self, key: Key, (): ()) {
        self.0.push(Reverse(key));
    }

    fn pop(&mut self) -> Option<(Key, ())> {
        self.0.pop().map(|Reverse(key)| (key, ()))
    }

    fn next_at(&self) -> Option<SimTime> {
        self.0.peek().map(|Reverse(key)| key.at)
    }
}
