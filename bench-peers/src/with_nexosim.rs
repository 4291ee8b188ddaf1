//! The models on nexosim, on one thread: a model for the shop, for each node and for the monitor.

use crate::model::{
    HOUR, LOOK, NODES, Outcome, PERIOD, SERVERS, Sum, Watch, failure, gap, latency, phase, service,
};
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, EventSource, Output, SinkState, event_queue};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Nothing may be scheduled for the same instant.
fn length(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds).max(Duration::from_nanos(1))
}

fn seconds(at: MonotonicTime) -> f64 {
    at.as_secs() as f64 + f64::from(at.subsec_nanos()) / 1e9
}

/// Count, seconds and events of an outcome.
type Report = (Sum, u64);

#[derive(Serialize, Deserialize)]
struct Shop {
    report: Output<Report>,
    customers: u64,
    arrived: u64,
    busy: usize,
    waiting: VecDeque<(u64, f64)>,
    waits: Sum,
    events: u64,
}

#[Model]
impl Shop {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        cx.schedule_event(length(gap(0)), schedulable!(Self::arrive), ()).expect("later");
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        self.events += 1;
        let customer = self.arrived;
        self.arrived += 1;
        if self.arrived < self.customers {
            let gap = length(gap(self.arrived));
            cx.schedule_event(gap, schedulable!(Self::arrive), ()).expect("later");
        }
        if self.busy < SERVERS {
            self.busy += 1;
            self.waits.add(0.0);
            self.serve(customer, cx);
        } else {
            self.waiting.push_back((customer, seconds(cx.time())));
        }
    }

    #[nexosim(schedulable)]
    async fn depart(&mut self, _: (), cx: &Context<Self>) {
        self.events += 1;
        match self.waiting.pop_front() {
            Some((customer, since)) => {
                self.waits.add(seconds(cx.time()) - since);
                self.serve(customer, cx);
            }
            None => self.busy -= 1,
        }
    }

    fn serve(&mut self, customer: u64, cx: &Context<Self>) {
        let service = length(service(customer));
        cx.schedule_event(service, schedulable!(Self::depart), ()).expect("later");
    }

    pub async fn tell(&mut self, _: ()) {
        self.report.send((self.waits, self.events)).await;
    }
}

/// The queue with this many customers.
pub fn mmc(customers: u64) -> Outcome {
    let mut shop = Shop {
        report: Output::default(),
        customers,
        arrived: 0,
        busy: 0,
        waiting: VecDeque::new(),
        waits: Sum::default(),
        events: 0,
    };
    let mailbox = Mailbox::new();
    let mut bench = SimInit::with_num_threads(1);
    let ask = EventSource::new().connect(Shop::tell, &mailbox).register(&mut bench);
    let (sink, mut told) = event_queue(SinkState::Enabled);
    shop.report.connect_sink(sink);
    let bench = bench.add_model(shop, mailbox, "shop");
    let mut simulation = bench.init(MonotonicTime::EPOCH).expect("a bench");
    // Long after the last customer has left.
    let end = Duration::from_secs(10 * customers);
    simulation.step_until(end).expect("a run");
    simulation.process_event(&ask, ()).expect("an answer");
    let (waits, events): Report = told.try_read().expect("what was told");
    waits.outcome(events)
}

#[derive(Serialize, Deserialize)]
struct Node {
    heartbeat: Output<u32>,
    number: u32,
    fails: f64,
    beats: u64,
}

#[Model]
impl Node {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        let phase = length(phase(self.number));
        cx.schedule_event(phase, schedulable!(Self::beat), ()).expect("later");
    }

    #[nexosim(schedulable)]
    async fn beat(&mut self, _: (), cx: &Context<Self>) {
        if seconds(cx.time()) >= self.fails {
            return;
        }
        self.beats += 1;
        let latency = length(latency(self.number, self.beats));
        cx.schedule_event(latency, schedulable!(Self::arrive), ()).expect("later");
        cx.schedule_event(length(PERIOD), schedulable!(Self::beat), ()).expect("later");
    }

    /// A message to another model takes no time, so the heartbeat travels here.
    #[nexosim(schedulable)]
    async fn arrive(&mut self) {
        self.heartbeat.send(self.number).await;
    }
}

#[derive(Serialize, Deserialize)]
struct Monitor {
    report: Output<Report>,
    watch: Watch,
    events: u64,
}

#[Model]
impl Monitor {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        cx.schedule_event(length(LOOK), schedulable!(Self::look), ()).expect("later");
    }

    pub fn hear(&mut self, node: u32, cx: &Context<Self>) {
        // The node's own event and this one.
        self.events += 2;
        self.watch.hear(node, seconds(cx.time()));
    }

    #[nexosim(schedulable)]
    async fn look(&mut self, _: (), cx: &Context<Self>) {
        self.events += 1;
        self.watch.look(seconds(cx.time()));
        cx.schedule_event(length(LOOK), schedulable!(Self::look), ()).expect("later");
    }

    pub async fn tell(&mut self, _: ()) {
        self.report.send((self.watch.lost(), self.events)).await;
    }
}

/// The nodes for an hour.
pub fn heartbeats() -> Outcome {
    let mut monitor = Monitor { report: Output::default(), watch: Watch::default(), events: 0 };
    let mailbox = Mailbox::new();
    let mut bench = SimInit::with_num_threads(1);
    let ask = EventSource::new().connect(Monitor::tell, &mailbox).register(&mut bench);
    let (sink, mut told) = event_queue(SinkState::Enabled);
    monitor.report.connect_sink(sink);
    for number in 0..NODES {
        let mut node =
            Node { heartbeat: Output::default(), number, fails: failure(number), beats: 0 };
        node.heartbeat.connect(Monitor::hear, &mailbox);
        bench = bench.add_model(node, Mailbox::new(), &format!("node-{number}"));
    }
    let bench = bench.add_model(monitor, mailbox, "monitor");
    let mut simulation = bench.init(MonotonicTime::EPOCH).expect("a bench");
    simulation.step_until(Duration::from_secs_f64(HOUR)).expect("a run");
    simulation.process_event(&ask, ()).expect("an answer");
    let (lost, events): Report = told.try_read().expect("what was told");
    lost.outcome(events)
}
