//! The models on healsim's engine: its queue and its time, and on request its addressed draws.

use crate::engine::{Duration, Key, Owner, Purpose, Queue, Random, SimTime};
use crate::model::{
    ARRIVALS, GRACE, HOUR, LATENCY, LOOK, NODES, ONE_FAILS_IN, Outcome, PERIOD, SERVERS, SERVICES,
    Sum, Watch, exponential, failure, gap, latency, phase, service, unit,
};
use std::collections::VecDeque;

/// Where draws come from.
pub trait Draws {
    fn gap(&self, k: u64) -> f64;
    fn service(&self, k: u64) -> f64;
    fn phase(&self, node: u32) -> f64;
    fn failure(&self, node: u32) -> f64;
    fn latency(&self, node: u32, k: u64) -> f64;
}

/// The models' own.
pub struct Shared;

/// healsim's: ChaCha, by the address (seed, owner, purpose, k).
pub struct Addressed(Random, Vec<Owner>);

impl Draws for Shared {
    fn gap(&self, k: u64) -> f64 {
        gap(k)
    }
    fn service(&self, k: u64) -> f64 {
        service(k)
    }
    fn phase(&self, node: u32) -> f64 {
        phase(node)
    }
    fn failure(&self, node: u32) -> f64 {
        failure(node)
    }
    fn latency(&self, node: u32, k: u64) -> f64 {
        latency(node, k)
    }
}

impl Addressed {
    pub fn new(seed: u64) -> Addressed {
        let owners = (0..NODES).map(|node| Owner::named(&format!("node-{node}"))).collect();
        Addressed(Random::new(seed), owners)
    }

    fn draw(&self, node: u32, purpose: u16, k: u64) -> u64 {
        self.0.draw(self.1[node as usize], Purpose(purpose), k)
    }
}

impl Draws for Addressed {
    fn gap(&self, k: u64) -> f64 {
        exponential(self.draw(0, 0, k), ARRIVALS)
    }
    fn service(&self, k: u64) -> f64 {
        exponential(self.draw(0, 1, k), SERVICES)
    }
    fn phase(&self, node: u32) -> f64 {
        unit(self.draw(node, 2, 0)) * PERIOD
    }
    fn failure(&self, node: u32) -> f64 {
        match self.draw(node, 3, 0) % ONE_FAILS_IN {
            0 => unit(self.draw(node, 4, 0)) * (HOUR - 2.0 * GRACE),
            _ => f64::INFINITY,
        }
    }
    fn latency(&self, node: u32, k: u64) -> f64 {
        unit(self.draw(node, 5, k)) * LATENCY
    }
}

enum Event {
    Arrival,
    Departure,
    Beat,
    Heard(u32),
    Look,
}

/// The queue, with the key that each event needs.
#[derive(Default)]
struct Engine {
    queue: Queue<Event>,
    now: SimTime,
    count: u32,
    /// Every push (with its time) and pop, if somebody wants to repeat them.
    turns: Option<Vec<Turn>>,
}

/// What was done to the queue.
#[derive(Clone, Copy)]
pub enum Turn {
    Push(u64),
    Pop,
}

impl Engine {
    fn after(&mut self, seconds: f64, target: u32, event: Event) {
        let at = self.now + length(seconds);
        self.count = self.count.wrapping_add(1);
        let key = Key { at, target, source: target, purpose: 0, k: self.count };
        if let Some(turns) = &mut self.turns {
            turns.push(Turn::Push(at.as_micros()));
        }
        self.queue.push(key, event);
    }

    fn next(&mut self) -> Option<(u32, Event)> {
        let (key, event) = self.queue.pop()?;
        if let Some(turns) = &mut self.turns {
            turns.push(Turn::Pop);
        }
        self.now = key.at;
        Some((key.target, event))
    }
}

fn length(seconds: f64) -> Duration {
    // Never negative: `round` would be a call, and a cast to unsigned takes longer.
    Duration::from_micros((seconds * 1e6 + 0.5) as i64 as u64)
}

fn seconds(at: SimTime) -> f64 {
    at.as_micros() as f64 / 1e6
}

/// The queue with this many customers.
pub fn mmc(customers: u64, draws: &impl Draws) -> Outcome {
    mmc_on(&mut Engine::default(), customers, draws)
}

/// What it does to its queue of events.
pub fn mmc_turns(customers: u64) -> Vec<Turn> {
    let mut engine = Engine { turns: Some(Vec::new()), ..Engine::default() };
    mmc_on(&mut engine, customers, &Shared);
    engine.turns.unwrap_or_default()
}

fn mmc_on(engine: &mut Engine, customers: u64, draws: &impl Draws) -> Outcome {
    let mut waiting: VecDeque<(u64, SimTime)> = VecDeque::new();
    let (mut busy, mut arrived, mut events) = (0, 0, 0);
    let mut waits = Sum::default();
    engine.after(draws.gap(0), 0, Event::Arrival);
    while let Some((_, event)) = engine.next() {
        events += 1;
        match event {
            Event::Arrival => {
                let customer = arrived;
                arrived += 1;
                if arrived < customers {
                    engine.after(draws.gap(arrived), 0, Event::Arrival);
                }
                if busy < SERVERS {
                    busy += 1;
                    waits.add(0.0);
                    engine.after(draws.service(customer), 0, Event::Departure);
                } else {
                    waiting.push_back((customer, engine.now));
                }
            }
            _ => match waiting.pop_front() {
                Some((customer, since)) => {
                    waits.add(seconds(engine.now) - seconds(since));
                    engine.after(draws.service(customer), 0, Event::Departure);
                }
                None => busy -= 1,
            },
        }
    }
    waits.outcome(events)
}

/// The nodes for an hour.
pub fn heartbeats(draws: &impl Draws) -> Outcome {
    heartbeats_on(&mut Engine::default(), draws)
}

/// What they do to their queue of events.
pub fn heartbeats_turns() -> Vec<Turn> {
    let mut engine = Engine { turns: Some(Vec::new()), ..Engine::default() };
    heartbeats_on(&mut engine, &Shared);
    engine.turns.unwrap_or_default()
}

fn heartbeats_on(engine: &mut Engine, draws: &impl Draws) -> Outcome {
    let mut watch = Watch::default();
    let failures: Vec<f64> = (0..NODES).map(|node| draws.failure(node)).collect();
    let mut beats = vec![0u64; NODES as usize];
    let mut events = 0;
    for node in 0..NODES {
        engine.after(draws.phase(node), node, Event::Beat);
    }
    engine.after(LOOK, NODES, Event::Look);
    let end = SimTime::ZERO + length(HOUR);
    while let Some((target, event)) = engine.next() {
        if engine.now > end {
            break;
        }
        events += 1;
        match event {
            Event::Beat if seconds(engine.now) < failures[target as usize] => {
                let k = &mut beats[target as usize];
                *k += 1;
                engine.after(draws.latency(target, *k), NODES, Event::Heard(target));
                engine.after(PERIOD, target, Event::Beat);
            }
            Event::Heard(node) => watch.hear(node, seconds(engine.now)),
            Event::Look => {
                watch.look(seconds(engine.now));
                engine.after(LOOK, NODES, Event::Look);
            }
            _ => {}
        }
    }
    watch.outcome(events)
}
