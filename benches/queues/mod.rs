//! Queues that were candidates for `engine::Queue`, behind one face, so that they can be measured
//! beside it. None of them is part of the library.
//!
//! Each keeps the engine's whole promise, not a simpler one: the full order of keys, also for what
//! is queued at the present instant or before what came out last (the world drops void events from
//! the head without moving its clock), and a look at the head that changes nothing.

mod bare;
mod binary;
mod four_ary;
mod place;
mod radix;
mod same_order;
pub mod trace;
mod wheel;

pub use bare::Bare;
pub use same_order::assert_the_engines_order;

use healsim::engine::{Key, Queue, SimTime};
use place::Slabbed;

pub type Binary = Slabbed<binary::Binary, Payload>;
pub type FourAry = Slabbed<four_ary::FourAry, Payload>;
pub type Radix = Slabbed<radix::Radix, Payload>;
pub type Wheel = Slabbed<wheel::Wheel, Payload>;

/// What the measurements ask of a queue.
pub trait Candidate: Default {
    /// What is queued beside the key.
    type Event: Event;

    fn push(&mut self, key: Key, event: Self::Event);
    fn pop(&mut self) -> Option<(Key, Self::Event)>;
    fn next_at(&self) -> Option<SimTime>;
}

/// Something to queue that a test can tell apart.
pub trait Event: PartialEq {
    fn numbered(number: u64) -> Self;
}

/// As large as what the world queues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Payload([u64; 13]);

impl Event for Payload {
    fn numbered(number: u64) -> Payload {
        Payload([number; 13])
    }
}

/// Nothing, for the limit.
impl Event for () {
    fn numbered(_: u64) {}
}

impl Candidate for Queue<Payload> {
    type Event = Payload;

    fn push(&mut self, key: Key, event: Payload) {
        Queue::push(self, key, event);
    }

    fn pop(&mut self) -> Option<(Key, Payload)> {
        Queue::pop(self)
    }

    fn next_at(&self) -> Option<SimTime> {
        Queue::next_at(self)
    }
}
