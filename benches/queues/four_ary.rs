//! An implicit heap with four children at each place: half as deep as a binary one, and the children
//! that are compared lie side by side.

use super::place::{Order, Words};

/// Places such that none is smaller than its parent; the parent of `i` is at `(i - 1) / 4`.
#[derive(Default)]
pub struct FourAry(Vec<Words>);

impl Order for FourAry {
    type Place = Words;

    fn push(&mut self, place: Words) {
        self.0.push(place);
        let mut gap = self.0.len() - 1;
        while gap > 0 && place < self.0[(gap - 1) / 4] {
            self.0[gap] = self.0[(gap - 1) / 4];
            gap = (gap - 1) / 4;
        }
        self.0[gap] = place;
    }

    fn pop(&mut self) -> Option<Words> {
        let last = self.0.pop()?;
        let Some(&first) = self.0.first() else { return Some(last) };
        let mut gap = 0;
        while let Some(child) = self.smallest_child(gap).filter(|&child| self.0[child] < last) {
            self.0[gap] = self.0[child];
            gap = child;
        }
        self.0[gap] = last;
        Some(first)
    }

    fn first(&self) -> Option<&Words> {
        self.0.first()
    }
}

impl FourAry {
    fn smallest_child(&self, parent: usize) -> Option<usize> {
        let eldest = 4 * parent + 1;
        let Some(four) = self.0.get(eldest..eldest + 4) else {
            return (eldest..self.0.len()).min_by_key(|&child| self.0[child]);
        };
        // As in a knock-out: the two games of the first round do not wait for each other.
        let left = usize::from(four[1] < four[0]);
        let right = 2 + usize::from(four[3] < four[2]);
        Some(eldest + if four[right] < four[left] { right } else { left })
    }
}
