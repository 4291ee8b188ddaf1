//! What a running world asks of its queue, made up with the mix of lengths that real runs have:
//! messages, what takes milliseconds, and mostly timers and tickers, which is what is pending.

use super::{Candidate, Event};
use healsim::engine::{Delay, Duration, Key, Owner, Purpose, Queue, Random, SimTime};
use std::hint::black_box;

/// Events that one replay takes out of the queue while it is between `FEWEST` and `MOST`.
const TURNS: u64 = 20_000;
const FEWEST: usize = 300;
const MOST: usize = 600;

/// One time in ten is the present instant or that of another event.
const TIES: u64 = 10;
const MESSAGE: Delay = between(1, 1_000);
const WORK: Delay = between(1_001, 10_000);
const TIMER: Delay = between(1_000_000, 10_000_000);

/// Keys in the order in which they are queued, and when.
pub struct Trace {
    /// Pending when it begins.
    pending: Vec<Key>,
    /// How many of `pushed` each event leads to.
    turns: Vec<u8>,
    pushed: Vec<Key>,
    /// Longer than any time in it.
    pub length: Duration,
}

/// A world that only keeps its queue busy.
struct Author {
    random: Random,
    draws: u64,
    queue: Queue<()>,
    now: SimTime,
    latest: SimTime,
}

impl Trace {
    pub fn drawn(seed: u64) -> Trace {
        let mut author = Author::new(seed);
        // Until what is pending has the mix that stays.
        for _ in 0..TURNS {
            author.turn();
        }
        let mut trace = Trace {
            pending: author.pending(),
            turns: Vec::new(),
            pushed: Vec::new(),
            length: Duration::ZERO,
        };
        for _ in 0..TURNS {
            let pushed = author.turn();
            trace.turns.push(pushed.len() as u8);
            trace.pushed.extend(pushed);
        }
        let last = trace.pending.iter().chain(&trace.pushed).map(|key| key.at).max();
        let last = last.expect("a trace has keys");
        trace.length = last.since(SimTime::ZERO) + Duration::from_secs(1);
        trace
    }

    /// How many events come out in a replay, the end included, at which the queue is emptied.
    pub fn events(&self) -> u64 {
        (self.pending.len() + self.pushed.len()) as u64
    }

    /// Plays it all, `later` than it was written. As in the world, the head is looked at before each
    /// event is taken.
    pub fn replay<Q: Candidate>(&self, queue: &mut Q, later: Duration) {
        let push = |queue: &mut Q, key: &Key| {
            let event = Q::Event::numbered(u64::from(key.k));
            queue.push(Key { at: key.at + later, ..*key }, black_box(event));
        };
        for key in &self.pending {
            push(queue, key);
        }
        let mut pushed = self.pushed.iter();
        for &count in &self.turns {
            black_box(queue.next_at());
            black_box(queue.pop());
            for key in pushed.by_ref().take(usize::from(count)) {
                push(queue, key);
            }
        }
        while black_box(queue.next_at()).is_some() {
            black_box(queue.pop());
        }
    }

    /// What a reader has to know of it, in a line.
    pub fn summary(&self) -> String {
        let mut pending = self.pending.len();
        let (mut fewest, mut most) = (pending, pending);
        for &pushed in &self.turns {
            pending = pending - 1 + usize::from(pushed);
            (fewest, most) = (fewest.min(pending), most.max(pending));
        }
        let mut times: Vec<SimTime> =
            self.pending.iter().chain(&self.pushed).map(|key| key.at).collect();
        times.sort_unstable();
        let ties = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let percent = 100 * ties / times.len();
        format!("{} events, {fewest} to {most} pending, {percent} % ties", self.events())
    }
}

impl Author {
    fn new(seed: u64) -> Author {
        let mut author = Author {
            random: Random::new(seed),
            draws: 0,
            queue: Queue::default(),
            now: SimTime::ZERO,
            latest: SimTime::ZERO,
        };
        for _ in FEWEST..=(FEWEST + MOST) / 2 {
            author.push();
        }
        author
    }

    /// Takes the next event; what it queues.
    fn turn(&mut self) -> Vec<Key> {
        let (key, ()) = self.queue.pop().expect("it is refilled");
        self.now = key.at;
        // Most events lead to one, as many to two as to none.
        let pushes = match self.draw() % 4 {
            _ if self.queue.len() < FEWEST => 2,
            _ if self.queue.len() + 2 > MOST => 0,
            0 => 0,
            1 => 2,
            _ => 1,
        };
        (0..pushes).map(|_| self.push()).collect()
    }

    fn push(&mut self) -> Key {
        let at = match self.draw() % (2 * TIES) {
            0 => self.now,
            1 => self.latest.max(self.now),
            _ => {
                let delay = match self.draw() % 10 {
                    0..3 => MESSAGE,
                    3..6 => WORK,
                    _ => TIMER,
                };
                self.now + delay.pick(self.draw())
            }
        };
        self.latest = at;
        let (target, source) = (self.draw() as u32 % 60, self.draw() as u32 % 60);
        let key = Key { at, target, source, purpose: 0, k: self.draws as u32 };
        self.queue.push(key, ());
        key
    }

    /// All that is pending, in the order in which it came to be queued.
    fn pending(&self) -> Vec<Key> {
        let mut queue = self.queue.clone();
        let mut keys: Vec<Key> = std::iter::from_fn(|| queue.pop().map(|(key, ())| key)).collect();
        keys.sort_by_key(|key| key.k);
        keys
    }

    fn draw(&mut self) -> u64 {
        self.draws += 1;
        self.random.draw(Owner::named("trace"), Purpose(0), self.draws)
    }
}

const fn between(low: u64, high: u64) -> Delay {
    Delay { low: Duration::from_micros(low), high: Duration::from_micros(high) }
}
