//! The least that an engine with a binary heap does: the same pushes and pops, of bare keys.

use crate::healsim::Turn;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

/// Repeats them; each pop is an event.
pub fn repeat(turns: &[Turn]) -> u64 {
    let mut heap: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let (mut count, mut events) = (0, 0);
    for turn in turns {
        match turn {
            Turn::Push(at) => {
                count += 1;
                heap.push(Reverse((*at, count)));
            }
            Turn::Pop => {
                events += 1;
                black_box(heap.pop());
            }
        }
    }
    events
}
