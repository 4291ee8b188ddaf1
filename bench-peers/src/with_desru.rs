//! The models on desru: events are boxed closures over a shared state; its log is turned off.

use crate::model::{
    HOUR, LOOK, NODES, Outcome, PERIOD, SERVERS, Sum, Watch, failure, gap, latency, phase, service,
};
use desru::{Event, EventScheduler};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Default)]
struct Shop {
    customers: u64,
    arrived: u64,
    busy: usize,
    waiting: VecDeque<(u64, f64)>,
    waits: Sum,
    events: u64,
}

type Shared<T> = Rc<RefCell<T>>;

fn after(
    scheduler: &mut EventScheduler,
    delay: f64,
    mut action: impl FnMut(&mut EventScheduler) + 'static,
) {
    let action = move |scheduler: &mut EventScheduler| {
        action(scheduler);
        None
    };
    let at = scheduler.current_time + delay;
    scheduler.schedule(Event::new(at, Some(Box::new(action)), None));
}

fn run(scheduler: &mut EventScheduler, until: f64) {
    let stop = move |scheduler: &EventScheduler| {
        scheduler.event_queue.peek().is_none_or(|event| event.time > until)
    };
    scheduler.run(Box::new(stop), Some(Box::new(|_, _| false)));
}

/// The queue with this many customers.
pub fn mmc(customers: u64) -> Outcome {
    let shop = Rc::new(RefCell::new(Shop { customers, ..Shop::default() }));
    let mut scheduler = EventScheduler::new();
    let first = shop.clone();
    after(&mut scheduler, gap(0), move |scheduler| arrive(&first, scheduler));
    run(&mut scheduler, f64::INFINITY);
    let shop = shop.borrow();
    shop.waits.outcome(shop.events)
}

fn arrive(shared: &Shared<Shop>, scheduler: &mut EventScheduler) {
    let mut shop = shared.borrow_mut();
    shop.events += 1;
    let customer = shop.arrived;
    shop.arrived += 1;
    if shop.arrived < shop.customers {
        let next = shared.clone();
        after(scheduler, gap(shop.arrived), move |scheduler| arrive(&next, scheduler));
    }
    if shop.busy < SERVERS {
        shop.busy += 1;
        shop.waits.add(0.0);
        serve(shared, customer, scheduler);
    } else {
        shop.waiting.push_back((customer, scheduler.current_time));
    }
}

fn serve(shared: &Shared<Shop>, customer: u64, scheduler: &mut EventScheduler) {
    let shop = shared.clone();
    after(scheduler, service(customer), move |scheduler| depart(&shop, scheduler));
}

fn depart(shared: &Shared<Shop>, scheduler: &mut EventScheduler) {
    let mut shop = shared.borrow_mut();
    shop.events += 1;
    match shop.waiting.pop_front() {
        Some((customer, since)) => {
            shop.waits.add(scheduler.current_time - since);
            serve(shared, customer, scheduler);
        }
        None => shop.busy -= 1,
    }
}

#[derive(Default)]
struct Cluster {
    watch: Watch,
    failures: Vec<f64>,
    beats: Vec<u64>,
    events: u64,
}

/// The nodes for an hour.
pub fn heartbeats() -> Outcome {
    let cluster = Cluster {
        failures: (0..NODES).map(failure).collect(),
        beats: vec![0; NODES as usize],
        ..Cluster::default()
    };
    let cluster = Rc::new(RefCell::new(cluster));
    let mut scheduler = EventScheduler::new();
    for node in 0..NODES {
        let shared = cluster.clone();
        after(&mut scheduler, phase(node), move |scheduler| beat(&shared, node, scheduler));
    }
    let shared = cluster.clone();
    after(&mut scheduler, LOOK, move |scheduler| look(&shared, scheduler));
    run(&mut scheduler, HOUR);
    let cluster = cluster.borrow();
    cluster.watch.outcome(cluster.events)
}

fn beat(shared: &Shared<Cluster>, node: u32, scheduler: &mut EventScheduler) {
    let mut cluster = shared.borrow_mut();
    cluster.events += 1;
    if scheduler.current_time >= cluster.failures[node as usize] {
        return;
    }
    let k = &mut cluster.beats[node as usize];
    *k += 1;
    let monitor = shared.clone();
    after(scheduler, latency(node, *k), move |scheduler| {
        let mut cluster = monitor.borrow_mut();
        cluster.events += 1;
        cluster.watch.hear(node, scheduler.current_time);
    });
    let next = shared.clone();
    after(scheduler, PERIOD, move |scheduler| beat(&next, node, scheduler));
}

fn look(shared: &Shared<Cluster>, scheduler: &mut EventScheduler) {
    let mut cluster = shared.borrow_mut();
    cluster.events += 1;
    cluster.watch.look(scheduler.current_time);
    let next = shared.clone();
    after(scheduler, LOOK, move |scheduler| look(&next, scheduler));
}
