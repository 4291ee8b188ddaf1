//! What the checks say, and where new connections go.

use super::*;
use crate::engine::{Delay, Text};
use crate::infra::NoneUp;
use crate::infra::testbed::{Testbed, started};
use crate::infra::{Datacenter, Effect, KeepAlives, Latency, Power, Retransmission, Vm};

const ENDPOINT: EndpointId = EndpointId(1);

struct Bench {
    bed: Testbed<Event>,
    balancer: LoadBalancer,
    /// The open checks, by backend.
    checks: BTreeMap<String, ConnectionId>,
    /// Where it last led new connections, and what it told of it.
    leads: Vec<String>,
    told: Vec<String>,
    shut: Vec<String>,
    timers: Vec<(Duration, Event)>,
    asked: usize,
}

fn haproxy() -> Rules {
    Rules {
        check: Check::Get("/healthz"),
        interval: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(2),
        answer_timeout: Duration::from_secs(10),
        fall: 3,
        rise: 2,
        marked_down: MarkedDown::Keep,
        fallback: Fallback {
            none_up: NoneUp::Close,
            redispatch: false,
            connect_timeout: Duration::ZERO,
        },
    }
}

impl Bench {
    /// A balancer before two control planes, beside which there is a worker.
    fn new(rules: Rules, start: Start) -> Bench {
        let latency = Latency { between_vms: Delay::default(), loopback: Delay::default() };
        let keep_alives = KeepAlives::none();
        let rules_of_tcp = Retransmission::default();
        let mut bed = Testbed::new("haproxy", "lb");
        bed.datacenter = Some(Datacenter::new(latency, keep_alives, rules_of_tcp, 0));
        let settings = Settings {
            name: Text::word("workload"),
            endpoint: ENDPOINT,
            pool: Text::word("control-plane-*"),
            port: Port(6443),
            rules,
        };
        let mut bench = Bench {
            bed,
            balancer: LoadBalancer::new(settings),
            checks: BTreeMap::new(),
            leads: Vec::new(),
            told: Vec::new(),
            shut: Vec::new(),
            timers: Vec::new(),
            asked: 0,
        };
        for name in ["control-plane-0", "control-plane-1", "worker-0"] {
            bench.add(name);
        }
        bench.play(started(start));
        bench
    }

    fn add(&mut self, name: &'static str) {
        let mut vm = Vm::new(name);
        vm.power = Power::On;
        self.bed.datacenter.as_mut().expect("put there by new").add_vm(vm);
    }

    fn play(&mut self, input: Input<Event>) {
        let Bench { bed, balancer, .. } = self;
        for effect in bed.play(|ctx| balancer.on_event(input, ctx)) {
            match effect {
                Effect::ConnectToVm(connection, vm, Port(6443)) => {
                    let earlier = self.checks.insert(vm.to_string(), connection);
                    assert!(earlier.is_none(), "one check of a backend at a time");
                }
                Effect::Send(_, Message::HealthCheck(_, "/healthz")) => self.asked += 1,
                Effect::Close(closed) => self.checks.retain(|_, open| *open != closed),
                Effect::Steer(ENDPOINT, to, _) => {
                    self.leads = to.iter().map(|(name, _)| name.to_string()).collect();
                }
                Effect::Trace(Trace::Backends(change)) => {
                    let to: Vec<&str> = change.to.iter().map(|name| &**name).collect();
                    self.told.push(format!("{} {}", to.join(","), change.why));
                }
                Effect::ShutSessions(ENDPOINT, vm) => self.shut.push(vm.to_string()),
                Effect::After(_, delay, event) => self.timers.push((delay, event)),
                _ => {}
            }
        }
    }

    fn tick(&mut self) {
        self.play(Input::Tick(ROUND));
    }

    fn of(&self, backend: &str) -> ConnectionId {
        self.checks[backend]
    }

    /// One round in which the first backend ends like this, and the second is well.
    fn round(&mut self, first: impl Fn(ConnectionId) -> Input<Event>) {
        self.tick();
        let (zero, one) = (self.of("control-plane-0"), self.of("control-plane-1"));
        self.play(first(zero));
        self.play(Input::Message(one, Message::Handshake));
        self.play(Input::Message(one, Message::Health(0, 200, Text::EMPTY)));
    }
}

fn refused(check: ConnectionId) -> Input<Event> {
    Input::Broken(check, Broken::Refused)
}

fn status(status: u16) -> impl Fn(ConnectionId) -> Input<Event> {
    move |check| Input::Message(check, Message::Health(0, status, Text::EMPTY))
}

fn overdue(check: ConnectionId) -> Input<Event> {
    Input::Due(Event::Overdue(check, Stage::Connecting))
}

const BOTH: [&str; 2] = ["control-plane-0", "control-plane-1"];

#[test]
fn a_backend_is_down_after_three_failed_checks_and_up_after_two_good_ones() {
    let mut bench = Bench::new(haproxy(), Start::Steady);
    assert_eq!(bench.leads, BOTH, "the worker is none of its backends");
    bench.round(refused);
    bench.round(status(500));
    assert!(bench.told.is_empty());
    bench.round(overdue);
    assert_eq!(bench.leads, ["control-plane-1"]);
    assert_eq!(bench.told, ["control-plane-1 control-plane-0 is DOWN: Layer4 timeout"]);
    bench.round(status(200));
    assert_eq!(bench.leads, ["control-plane-1"]);
    bench.round(status(200));
    assert_eq!(bench.leads, BOTH);
    assert!(bench.told[1].ends_with("control-plane-0 is UP: check passed"), "{:?}", bench.told);
    assert!(bench.shut.is_empty());
}

#[test]
fn a_check_between_that_is_otherwise_begins_the_count_anew() {
    let mut bench = Bench::new(haproxy(), Start::Steady);
    for _ in 0..3 {
        bench.round(refused);
        bench.round(refused);
        bench.round(status(200));
    }
    assert!(bench.told.is_empty());
    for _ in 0..3 {
        bench.round(refused);
    }
    bench.round(status(200));
    bench.round(refused);
    bench.round(status(200));
    assert_eq!(bench.leads, ["control-plane-1"]);
}

#[test]
fn a_check_that_lasts_delays_the_next_of_its_backend_alone() {
    let mut bench = Bench::new(haproxy(), Start::Steady);
    bench.tick();
    let (zero, one) = (bench.of(BOTH[0]), bench.of(BOTH[1]));
    bench.play(Input::Message(zero, Message::Handshake));
    bench.play(Input::Message(one, Message::Health(0, 200, Text::EMPTY)));
    bench.play(overdue(zero));
    assert_eq!(bench.of(BOTH[0]), zero, "it is connected: it has its answer time");
    bench.tick();
    assert_ne!(bench.of(BOTH[1]), one);
    assert_eq!(bench.of(BOTH[0]), zero);
    let waits = (Duration::from_secs(10), Event::Overdue(zero, Stage::Waiting));
    assert!(bench.timers.contains(&waits));
    bench.play(Input::Due(waits.1));
    assert!(!bench.checks.contains_key(BOTH[0]));
}

#[test]
fn a_connection_alone_is_enough_where_nothing_else_is_asked() {
    let rules = Rules { check: Check::Connect, fall: 1, rise: 1, ..haproxy() };
    let mut bench = Bench::new(rules, Start::Steady);
    bench.tick();
    let (zero, one) = (bench.of(BOTH[0]), bench.of(BOTH[1]));
    bench.play(Input::Message(zero, Message::Handshake));
    bench.play(overdue(one));
    assert_eq!((bench.leads.len(), bench.asked), (1, 0));
    assert_eq!(bench.leads, [BOTH[0]]);
}

#[test]
fn sessions_are_shut_if_it_is_told_to() {
    let rules = Rules { marked_down: MarkedDown::Shut, ..haproxy() };
    let mut bench = Bench::new(rules, Start::Steady);
    for _ in 0..3 {
        bench.round(refused);
    }
    assert_eq!(bench.shut, [BOTH[0]]);
}

#[test]
fn with_none_up_it_leads_nowhere() {
    let mut bench = Bench::new(Rules { fall: 1, ..haproxy() }, Start::Steady);
    bench.tick();
    let (zero, one) = (bench.of(BOTH[0]), bench.of(BOTH[1]));
    bench.play(refused(zero));
    bench.play(refused(one));
    assert!(bench.leads.is_empty());
    assert!(bench.told[1].starts_with(" control-plane-1 is DOWN"), "{:?}", bench.told);
}

#[test]
fn what_a_new_balancer_knows_nothing_of_is_up_until_its_first_failure() {
    let mut bench = Bench::new(haproxy(), Start::Fresh);
    assert_eq!(bench.leads, BOTH);
    bench.round(refused);
    assert_eq!(bench.leads, [BOTH[1]]);
}

#[test]
fn a_vm_that_joins_the_pool_is_down_until_it_has_risen() {
    let mut bench = Bench::new(haproxy(), Start::Steady);
    bench.add("control-plane-2");
    for expected in [2, 3] {
        bench.tick();
        for check in bench.checks.clone().into_values() {
            bench.play(status(200)(check));
        }
        assert_eq!(bench.leads.len(), expected);
    }
}

#[test]
fn a_vm_that_is_gone_is_forgotten_once_it_is_down() {
    let mut bench = Bench::new(haproxy(), Start::Steady);
    let datacenter = bench.bed.datacenter.as_mut().expect("put there by new");
    let gone = datacenter.vm_named(BOTH[0]).expect("it exists");
    datacenter.destroy(gone, bench.bed.now, &mut Vec::new());
    for _ in 0..3 {
        bench.round(overdue);
    }
    bench.tick();
    assert!(!bench.checks.contains_key(BOTH[0]));
    assert_eq!(bench.leads, [BOTH[1]]);
}
