//! The standard library's binary heap of whole keys: the engine's own queue until this was measured.

use super::place::{Order, Words};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Places of 32 bytes, each with its whole key.
#[derive(Default)]
pub struct Binary(BinaryHeap<Reverse<Words>>);

impl Order for Binary {
    type Place = Words;

    fn push(&mut self, place: Words) {
        self.0.push(Reverse(place));
    }

    fn pop(&mut self) -> Option<Words> {
        self.0.pop().map(|Reverse(place)| place)
    }

    fn first(&self) -> Option<&Words> {
        self.0.peek().map(|Reverse(place)| place)
    }
}
