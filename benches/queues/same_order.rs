//! Before a candidate is measured it is held against the engine's own queue: the same operations,
//! the same answers.

use super::{Candidate, Event};
use healsim::engine::{Duration, Key, Owner, Purpose, Queue, Random, SimTime};

const SEQUENCES: u64 = 200;
const OPERATIONS: u64 = 1_000;

/// A random sequence of operations as it goes on.
struct Sequence<Q: Candidate> {
    candidate: Q,
    engine: Queue<Q::Event>,
    /// What the simulation's clock would show: nothing is queued before it.
    now: SimTime,
    /// The time of what was queued last, to be met again.
    latest: SimTime,
    k: u32,
}

/// Panics if `Q` ever answers otherwise than `engine::Queue`.
pub fn assert_the_engines_order<Q: Candidate>(name: &str) {
    let random = Random::new(9);
    let owner = Owner::named("operations");
    for sequence in 0..SEQUENCES {
        let mut game = Sequence::<Q> {
            candidate: Q::default(),
            engine: Queue::default(),
            now: SimTime::ZERO,
            latest: SimTime::ZERO,
            k: 0,
        };
        // Some sequences fill the queue, some keep it nearly empty.
        let pushes = 30 + sequence % 50;
        for k in 0..OPERATIONS {
            let draw = random.draw(owner.part(sequence), Purpose(0), k);
            let same =
                if draw % 100 < pushes { game.push(draw / 100) } else { game.pop(draw / 100) };
            assert!(same, "{name}: not the engine's answer (sequence {sequence}, operation {k})");
        }
        while !game.engine.is_empty() {
            assert!(game.pop(0), "{name}: not the engine's order at the end of {sequence}");
        }
        assert!(game.pop(0), "{name}: something is left at the end of {sequence}");
    }
}

impl<Q: Candidate> Sequence<Q> {
    fn push(&mut self, draw: u64) -> bool {
        let far = draw >> 8;
        let at = match draw % 16 {
            0..3 => self.now,
            3..6 => self.latest.max(self.now),
            6..8 => self.now + Duration::from_micros(far % 4),
            8..11 => self.now + Duration::from_micros(far % 1_000),
            11..14 => self.now + Duration::from_micros(far % 10_000_000),
            14 => self.now + Duration::from_micros(far % (1 << 40)),
            _ => self.now + Duration::from_micros(far % (1 << 50)),
        };
        self.latest = at;
        self.k += 1;
        let part = |shift: u32, bound: u64| (far >> shift) % bound;
        let key = Key {
            at,
            target: part(24, 4) as u32,
            source: part(28, 3) as u32,
            purpose: part(32, 2) as u16,
            k: self.k,
        };
        self.candidate.push(key, Q::Event::numbered(u64::from(self.k)));
        self.engine.push(key, Q::Event::numbered(u64::from(self.k)));
        self.candidate.next_at() == self.engine.next_at()
    }

    fn pop(&mut self, draw: u64) -> bool {
        let (theirs, ours) = (self.candidate.pop(), self.engine.pop());
        // One in eight is dropped as void: the clock stands still, and the next may come earlier.
        if let Some((key, _)) = ours.as_ref().filter(|_| !draw.is_multiple_of(8)) {
            self.now = self.now.max(key.at);
        }
        theirs == ours && self.candidate.next_at() == self.engine.next_at()
    }
}
