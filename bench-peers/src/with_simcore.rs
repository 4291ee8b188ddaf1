//! The models on simcore: a component for the shop, for each node and for the monitor.

use crate::model::{
    HOUR, LOOK, NODES, Outcome, PERIOD, SERVERS, Sum, Watch, failure, gap, latency, phase, service,
};
use serde::Serialize;
use simcore::{Event, EventHandler, Id, Simulation, SimulationContext, cast};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Departure {}

struct Shop {
    context: SimulationContext,
    customers: u64,
    arrived: u64,
    busy: usize,
    waiting: VecDeque<(u64, f64)>,
    waits: Sum,
    events: u64,
}

impl EventHandler for Shop {
    fn on(&mut self, event: Event) {
        self.events += 1;
        let now = event.time;
        cast!(match event.data {
            Arrival {} => {
                let customer = self.arrived;
                self.arrived += 1;
                if self.arrived < self.customers {
                    self.context.emit_self(Arrival {}, gap(self.arrived));
                }
                if self.busy < SERVERS {
                    self.busy += 1;
                    self.waits.add(0.0);
                    self.context.emit_self(Departure {}, service(customer));
                } else {
                    self.waiting.push_back((customer, now));
                }
            }
            Departure {} => {
                match self.waiting.pop_front() {
                    Some((customer, since)) => {
                        self.waits.add(now - since);
                        self.context.emit_self(Departure {}, service(customer));
                    }
                    None => self.busy -= 1,
                }
            }
        })
    }
}

/// The queue with this many customers.
pub fn mmc(customers: u64) -> Outcome {
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("shop");
    context.emit_self(Arrival {}, gap(0));
    let shop = Rc::new(RefCell::new(Shop {
        context,
        customers,
        arrived: 0,
        busy: 0,
        waiting: VecDeque::new(),
        waits: Sum::default(),
        events: 0,
    }));
    simulation.add_handler("shop", shop.clone());
    simulation.step_until_no_events();
    let shop = shop.borrow();
    shop.waits.outcome(shop.events)
}

#[derive(Clone, Serialize)]
struct Beat {}

#[derive(Clone, Serialize)]
struct Heard {
    node: u32,
}

#[derive(Clone, Serialize)]
struct Look {}

struct Node {
    context: SimulationContext,
    monitor: Id,
    number: u32,
    fails: f64,
    beats: u64,
    events: u64,
}

impl EventHandler for Node {
    fn on(&mut self, event: Event) {
        self.events += 1;
        if event.time >= self.fails {
            return;
        }
        self.beats += 1;
        let heard = Heard { node: self.number };
        self.context.emit(heard, self.monitor, latency(self.number, self.beats));
        self.context.emit_self(Beat {}, PERIOD);
    }
}

struct Monitor {
    context: SimulationContext,
    watch: Watch,
    events: u64,
}

impl EventHandler for Monitor {
    fn on(&mut self, event: Event) {
        self.events += 1;
        let now = event.time;
        cast!(match event.data {
            Heard { node } => {
                self.watch.hear(node, now);
            }
            Look {} => {
                self.watch.look(now);
                self.context.emit_self(Look {}, LOOK);
            }
        })
    }
}

/// The nodes for an hour.
pub fn heartbeats() -> Outcome {
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("monitor");
    context.emit_self(Look {}, LOOK);
    let monitor = Monitor { context, watch: Watch::default(), events: 0 };
    let monitor = Rc::new(RefCell::new(monitor));
    let id = simulation.add_handler("monitor", monitor.clone());
    let nodes: Vec<Rc<RefCell<Node>>> = (0..NODES)
        .map(|number| {
            let name = format!("node-{number}");
            let context = simulation.create_context(&name);
            context.emit_self(Beat {}, phase(number));
            let fails = failure(number);
            let node = Node { context, monitor: id, number, fails, beats: 0, events: 0 };
            let node = Rc::new(RefCell::new(node));
            simulation.add_handler(&name, node.clone());
            node
        })
        .collect();
    simulation.step_until_time(HOUR);
    let events: u64 = nodes.iter().map(|node| node.borrow().events).sum();
    let monitor = monitor.borrow();
    monitor.watch.outcome(events + monitor.events)
}
