//! The two models, as far as they are the same in every engine: sizes, draws, and what is counted.
//!
//! Draws are looked up by their place, so that the order in which an engine handles what happens at one
//! instant changes nothing: engines of one time resolution have the same customers and failures.

use serde::{Deserialize, Serialize};

/// Servers of the queue.
pub const SERVERS: usize = 8;
/// Customers a second, and how many a server serves in a second: it is busy 70 % of the time.
pub const ARRIVALS: f64 = 5.6;
pub const SERVICES: f64 = 1.0;

/// Nodes, how often each sends a heartbeat, and for how long.
pub const NODES: u32 = 1_000;
pub const PERIOD: f64 = 10.0;
pub const HOUR: f64 = 3_600.0;
/// A node in so many fails, somewhere in the hour.
pub const ONE_FAILS_IN: u64 = 100;
/// How often the monitor looks, and after which silence it takes a node for lost.
pub const LOOK: f64 = 5.0;
pub const GRACE: f64 = 40.0;
/// How long a heartbeat travels at most.
pub const LATENCY: f64 = 0.005;

/// What an engine made of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Of the model: two for each customer, and for each heartbeat; one for each look.
    pub events: u64,
    /// The mean wait in the queue, or from a node's last heartbeat until it was found lost, in
    /// seconds.
    pub mean: f64,
    /// Customers served, or nodes found lost.
    pub count: u64,
}

/// What a draw is for.
#[derive(Clone, Copy)]
pub enum For {
    Arrival,
    Service,
    Phase,
    Fate,
    Moment,
    Latency,
}

/// The `k`-th draw for an owner, uniform over 64 bits: the finalizer of SplitMix64 over the address.
pub fn draw(what: For, owner: u32, k: u64) -> u64 {
    let address = (u64::from(owner) << 3 | what as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut value = address ^ k.wrapping_mul(0xd134_2543_de82_ef95);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A draw as a number from 0 to below 1.
pub fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1u64 << 53) as f64
}

/// A draw as an exponential length of this rate.
pub fn exponential(draw: u64, rate: f64) -> f64 {
    -(1.0 - unit(draw)).ln() / rate
}

/// How long after customer `k` the next one comes.
pub fn gap(k: u64) -> f64 {
    exponential(draw(For::Arrival, 0, k), ARRIVALS)
}

/// How long customer `k` is served.
pub fn service(k: u64) -> f64 {
    exponential(draw(For::Service, 0, k), SERVICES)
}

/// When a node sends its first heartbeat.
pub fn phase(node: u32) -> f64 {
    unit(draw(For::Phase, node, 0)) * PERIOD
}

/// When a node fails, if it does.
pub fn failure(node: u32) -> f64 {
    match draw(For::Fate, node, 0) % ONE_FAILS_IN {
        0 => unit(draw(For::Moment, node, 0)) * (HOUR - 2.0 * GRACE),
        _ => f64::INFINITY,
    }
}

/// How long the `k`-th heartbeat of a node travels.
pub fn latency(node: u32, k: u64) -> f64 {
    unit(draw(For::Latency, node, k)) * LATENCY
}

/// Adds up waits.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    pub count: u64,
    pub seconds: f64,
}

impl Sum {
    pub fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.seconds += seconds;
    }

    pub fn outcome(self, events: u64) -> Outcome {
        let mean = if self.count == 0 { 0.0 } else { self.seconds / self.count as f64 };
        Outcome { events, mean, count: self.count }
    }
}

/// What the monitor remembers: when it last heard of each node, and whom it has lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    heard: Vec<f64>,
    lost: Sum,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch { heard: vec![0.0; NODES as usize], lost: Sum::default() }
    }
}

impl Watch {
    pub fn hear(&mut self, node: u32, now: f64) {
        self.heard[node as usize] = now;
    }

    pub fn look(&mut self, now: f64) {
        for heard in &mut self.heard {
            if now - *heard > GRACE {
                self.lost.add(now - *heard);
                *heard = f64::INFINITY;
            }
        }
    }

    pub fn lost(&self) -> Sum {
        self.lost
    }

    pub fn outcome(&self, events: u64) -> Outcome {
        self.lost.outcome(events)
    }
}

/// The queue's mean wait by Erlang's formula.
pub fn erlang_wait() -> f64 {
    let load = ARRIVALS / SERVICES;
    let (mut term, mut sum) = (1.0, 0.0);
    for servers in 1..=SERVERS {
        sum += term;
        term *= load / servers as f64;
    }
    let free = SERVERS as f64 / (SERVERS as f64 - load);
    let waits = term * free / (sum + term * free);
    waits / (SERVERS as f64 * SERVICES - ARRIVALS)
}
