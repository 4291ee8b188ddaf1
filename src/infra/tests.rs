//! The network's ways to fail, and what outlives what.

use super::*;
use crate::api::Uid;
use crate::engine::{Delay, Duration, Random, SimTime, Text};

/// Two VMs, a client on the first and a server on the second, both alive.
struct Pair {
    datacenter: Datacenter,
    client: ProcessId,
    server: ProcessId,
    there: VmId,
}

const PORT: Port = Port(6443);
const RULES: [crate::engine::Rule; 2] = ["idle", "answer"];
const SERVER: EndpointId = EndpointId(0);

fn at(millis: u64) -> SimTime {
    SimTime::ZERO + Duration::from_millis(millis)
}

fn pair() -> Pair {
    let latency = Latency {
        between_vms: Delay::fixed(Duration::from_millis(2)),
        loopback: Delay::fixed(Duration::from_millis(1)),
    };
    let (idle, answer) = (Duration::from_secs(30), Duration::from_secs(15));
    let keep_alives = KeepAlives::all(KeepAlive::pings(idle, answer, RULES));
    let mut datacenter = Datacenter::new(latency, keep_alives, Retransmission::default(), 1);
    let [here, there] = ["here", "there"].map(|name| {
        let mut vm = Vm::new(name);
        (vm.power, vm.booted) = (Power::On, true);
        datacenter.add_vm(vm)
    });
    let client = datacenter.processes.add(ProcessState::new("client", here, "here", None));
    let server = datacenter.processes.add(ProcessState::new("server", there, "there", Some(PORT)));
    for process in [client, server] {
        datacenter.processes.get_mut(process).start(SimTime::ZERO);
    }
    datacenter.network.set_endpoint(SERVER, vec![(there, PORT)]);
    Pair { datacenter, client, server, there }
}

impl Pair {
    fn connect(&mut self, now: SimTime) -> ConnectionId {
        let count = self.datacenter.processes.get_mut(self.client).next_connection();
        let id = ConnectionId { client: self.client, count };
        self.datacenter.connect(id, Address::Endpoint(SERVER), &Random::new(1), now);
        id
    }

    fn route(&self, id: ConnectionId, now: SimTime) -> Route {
        let Datacenter { network, vms, processes, .. } = &self.datacenter;
        network.route(id, self.client, vms, processes, now)
    }
}

/// A datacenter with so many hosts, and VMs of these names placed one after the other.
fn placed(hosts: u32, zones: u32, pins: &[(&str, u32)], vms: &[&str]) -> (Datacenter, Vec<u32>) {
    let latency = Latency { between_vms: Delay::default(), loopback: Delay::default() };
    let keep_alives = KeepAlives::none();
    let mut datacenter = Datacenter::new(latency, keep_alives, Retransmission::default(), zones);
    for number in 0..hosts {
        datacenter.add_host(format!("esxi-{number}").as_str());
    }
    for (vm, host) in pins {
        datacenter.pin(Text::from(*vm), HostId(*host));
    }
    let place = |vm: &&str| {
        let vm = datacenter.add_vm(Vm::new(*vm));
        datacenter.vm(vm).host.expect("a host is up").0
    };
    let hosts = vms.iter().map(place).collect();
    (datacenter, hosts)
}

#[test]
fn vms_of_a_group_keep_apart_and_then_go_where_there_is_room() {
    let vms = ["supervisor-0", "control-plane-0", "control-plane-1", "worker-0", "worker-1"];
    assert_eq!(placed(3, 0, &[], &vms).1, [0, 1, 2, 0, 1]);
    let more = ["worker-0", "worker-1", "worker-2", "worker-3", "control-plane-0"];
    assert_eq!(placed(3, 0, &[], &more).1, [0, 1, 2, 0, 1]);
}

#[test]
fn room_is_kept_for_vms_that_are_pinned_and_zones_are_minded() {
    let pins = [("worker-0", 0), ("worker-1", 0)];
    let vms = ["supervisor-0", "worker-0", "worker-1", "worker-2"];
    assert_eq!(placed(2, 0, &pins, &vms).1, [1, 0, 0, 1]);
    let (datacenter, hosts) = placed(4, 2, &[], &["worker-0", "worker-1", "worker-2"]);
    assert_eq!(hosts, [0, 1, 2]);
    for (_, vm) in datacenter.existing_vms() {
        assert_eq!(vm.place, datacenter.host_of(vm.host.expect("placed")).place);
    }
}

#[test]
fn no_vm_is_placed_on_a_host_that_is_down() {
    let (mut datacenter, _) = placed(2, 0, &[], &[]);
    let machine = datacenter.host_of(HostId(0)).machine;
    datacenter.power_off(machine, at(1), &mut Vec::new());
    let vm = datacenter.add_vm(Vm::new("worker-0"));
    assert_eq!(datacenter.vm(vm).host, Some(HostId(1)));
    assert!(!datacenter.is_up(HostId(0)) && datacenter.is_reachable(vm));
    let machine = datacenter.host_of(HostId(1)).machine;
    datacenter.power_off(machine, at(2), &mut Vec::new());
    assert!(!datacenter.is_reachable(vm));
    let inventory = Inventory::of(&datacenter);
    assert_eq!(inventory.host_for("new", &[], |_| false), None);
    let trusting = inventory.host_for("new", &[], |_| true);
    assert_eq!(trusting, Some(Text::word("esxi-0")), "who has not heard of it believes it up");
}

const CLOSE: Fallback =
    Fallback { none_up: NoneUp::Close, redispatch: false, connect_timeout: Duration::ZERO };

#[test]
fn a_message_arrives_after_the_handshake_and_its_way() {
    let mut pair = pair();
    let id = pair.connect(at(0));
    assert_eq!(pair.route(id, at(0)), Route::Deliver { to: pair.server, at: at(6) });
    assert_eq!(pair.route(id, at(100)), Route::Deliver { to: pair.server, at: at(102) });
}

#[test]
fn a_live_host_without_the_process_refuses_after_a_round_trip() {
    let mut pair = pair();
    pair.datacenter.end_process(pair.server, at(1), &mut Vec::new());
    let id = pair.connect(at(10));
    assert_eq!(pair.route(id, at(10)), Route::Fail { at: at(14), how: Broken::Refused });
}

#[test]
fn a_machine_with_power_says_nothing_until_its_guest_has_booted() {
    let mut pair = pair();
    let before = pair.connect(at(0));
    pair.datacenter.power_off(pair.there, at(5), &mut Vec::new());
    pair.datacenter.vm_mut(pair.there).power = Power::On;
    let during = pair.connect(at(10));
    for id in [before, during] {
        assert_eq!(pair.route(id, at(10)), Route::Silent);
    }
    assert!(pair.datacenter.is_deaf(during));
    pair.datacenter.vm_mut(pair.there).booted = true;
    let after = pair.connect(at(20));
    assert_eq!(pair.route(before, at(20)), Route::Fail { at: at(24), how: Broken::Reset });
    assert_eq!(pair.route(after, at(20)), Route::Fail { at: at(24), how: Broken::Refused });
    assert!(!pair.datacenter.is_deaf(after));
}

#[test]
fn a_process_that_has_not_opened_its_ports_refuses_whom_it_does_not_know() {
    let mut pair = pair();
    let known = pair.connect(at(0));
    pair.datacenter.processes.get_mut(pair.server).is_closed = true;
    let id = pair.connect(at(10));
    assert_eq!(pair.route(id, at(10)), Route::Fail { at: at(14), how: Broken::Refused });
    assert!(matches!(pair.route(known, at(10)), Route::Deliver { .. }));
    pair.datacenter.processes.get_mut(pair.server).start(at(20));
    let again = pair.connect(at(30));
    assert!(
        matches!(pair.route(again, at(30)), Route::Deliver { .. }),
        "a new one is open at first"
    );
}

#[test]
fn a_process_that_ends_on_a_live_host_closes_its_connections() {
    let mut pair = pair();
    let id = pair.connect(at(0));
    let mut then = Vec::new();
    pair.datacenter.end_process(pair.server, at(50), &mut then);
    let (who, how) = (pair.client, Broken::Closed);
    let told = Happening::ConnectionEnds { who, connection: id, at: at(52), how };
    assert!(then.contains(&told), "{then:?}");
    // A server that has been started again is another one: it knows nothing of the connection.
    pair.datacenter.processes.get_mut(pair.server).start(at(60));
    assert_eq!(pair.route(id, at(70)), Route::Silent, "closed: nothing is told twice");
}

#[test]
fn a_host_without_power_is_silent_until_the_keep_alive_misses() {
    let mut pair = pair();
    let id = pair.connect(at(0));
    pair.datacenter.network.heard(id, at(20_000));
    let mut then = Vec::new();
    pair.datacenter.power_off(pair.there, at(21_000), &mut then);
    assert_eq!(pair.route(id, at(21_001)), Route::Silent);
    // 30 s after the last frame a ping, 15 s later nothing is left to hope for.
    let (who, asks) = (pair.client, at(50_000));
    let (at_last, rules) = (at(65_000), RULES);
    let told = Happening::ConnectionSilent { who, connection: id, asks, at: at_last, rules };
    assert!(then.contains(&told), "{then:?}");
    let another = pair.connect(at(22_000));
    assert_eq!(pair.route(another, at(22_000)), Route::Silent, "nobody refuses either");
}

#[test]
fn an_idle_connection_has_asked_before_and_asks_again_in_its_rhythm() {
    let mut pair = pair();
    let id = pair.connect(at(0));
    let asks = |pair: &Pair, millis| pair.datacenter.asks_at(id, at(millis));
    // It asked at 30, 60 and 90 s, and was answered.
    assert_eq!(asks(&pair, 20_000), at(30_000));
    assert_eq!(asks(&pair, 100_000), at(120_000));
    assert_eq!(asks(&pair, 119_999), at(120_000));
    pair.datacenter.network.heard(id, at(105_000));
    assert_eq!(asks(&pair, 120_000), at(135_000), "anything heard puts it off");
}

#[test]
fn a_container_outlives_its_kubelet_but_not_its_vm() {
    let mut pair = pair();
    let pod = Uid(7);
    pair.datacenter.start_container(pair.there, pod, at(0), (None, 0));
    pair.datacenter.end_process(pair.server, at(1), &mut Vec::new());
    let runs = |pair: &Pair| pair.datacenter.vm(pair.there).containers.contains_key(&pod);
    assert!(runs(&pair));
    let mut then = Vec::new();
    pair.datacenter.power_off(pair.there, at(2), &mut then);
    assert!(!runs(&pair));
    assert!(then.contains(&Happening::ContainerStopped(pair.there, pod)));
}

#[test]
fn a_file_outlives_a_power_cut_but_not_its_disk() {
    let mut pair = pair();
    pair.datacenter.vm_mut(pair.there).disk.write("/a", "b");
    pair.datacenter.power_off(pair.there, at(1), &mut Vec::new());
    assert_eq!(pair.datacenter.vm(pair.there).disk.read("/a"), Some(&Text::word("b")));
    pair.datacenter.destroy(pair.there, at(2), &mut Vec::new());
    assert_eq!(pair.datacenter.vm(pair.there).disk.read("/a"), None);
    assert_eq!(pair.datacenter.vm_named("there"), None, "the name is free again");
}

const POD: Uid = Uid(5);

impl Pair {
    /// A pair whose second VM runs a Pod's container.
    fn with_pod() -> Pair {
        let mut pair = pair();
        pair.datacenter.start_container(pair.there, POD, at(0), (None, 0));
        pair
    }

    /// What becomes of a request to the Pod.
    fn ask(&mut self) -> Route {
        let count = self.datacenter.processes.get_mut(self.client).next_connection();
        let id = ConnectionId { client: self.client, count };
        self.datacenter.connect_to_container(id, ("there", POD), &Random::new(1), at(1000));
        self.route(id, at(1000))
    }
}

#[test]
fn a_container_answers_while_it_runs_and_refuses_once_it_is_gone() {
    let mut pair = Pair::with_pod();
    assert_eq!(pair.ask(), Route::Echo { at: at(1008) });
    pair.datacenter.vm_mut(pair.there).containers.clear();
    assert_eq!(pair.ask(), Route::Fail { at: at(1004), how: Broken::Refused });
}

#[test]
fn a_vm_without_power_and_one_that_is_gone_are_silent() {
    let mut pair = Pair::with_pod();
    pair.datacenter.power_off(pair.there, at(1), &mut Vec::new());
    assert_eq!(pair.ask(), Route::Silent);
    pair.datacenter.destroy(pair.there, at(2), &mut Vec::new());
    assert_eq!(pair.ask(), Route::Silent);
}

impl Pair {
    /// Where a new connection to the endpoint leads at this time.
    fn leads(&mut self, now: SimTime) -> (Option<VmId>, Route) {
        let id = self.connect(now);
        (self.datacenter.network.host(id), self.route(id, now))
    }
}

#[test]
fn an_endpoint_that_is_steered_leads_to_the_vm_that_has_the_name_now() {
    let mut pair = pair();
    let to = |name| vec![(Text::word(name), PORT)];
    pair.datacenter.steer(SERVER, to("there"), CLOSE);
    let (host, route) = pair.leads(at(0));
    assert_eq!((host, route), (Some(pair.there), Route::Deliver { to: pair.server, at: at(6) }));
    pair.datacenter.steer(SERVER, to("here"), CLOSE);
    let (host, route) = pair.leads(at(0));
    assert_ne!(host, Some(pair.there));
    let how = Broken::Refused;
    assert!(matches!(route, Route::Fail { how: found, .. } if found == how), "{route:?}");
    pair.datacenter.steer(SERVER, to("gone"), CLOSE);
    assert_eq!(pair.leads(at(0)), (None, Route::Silent), "nobody has the address");
}

#[test]
fn an_endpoint_without_a_backend_refuses_or_closes() {
    let mut pair = pair();
    for (none_up, how) in [(NoneUp::Refuse, Broken::Refused), (NoneUp::Close, Broken::Reset)] {
        let fallback = Fallback { none_up, ..CLOSE };
        pair.datacenter.steer(SERVER, Vec::new(), fallback);
        assert_eq!(pair.leads(at(0)), (None, Route::Fail { at: at(4), how }));
    }
}

#[test]
fn a_backend_that_refuses_is_left_for_another_if_that_is_the_rule() {
    let mut pair = pair();
    let both = || vec![(Text::word("here"), PORT), (Text::word("there"), PORT)];
    let refused = |pair: &mut Pair| {
        let mut routes = (0..40).map(|_| pair.leads(at(0)).1);
        routes.any(|route| matches!(route, Route::Fail { how: Broken::Refused, .. }))
    };
    pair.datacenter.steer(SERVER, both(), CLOSE);
    assert!(refused(&mut pair), "nobody listens on one of the two");
    pair.datacenter.steer(SERVER, both(), Fallback { redispatch: true, ..CLOSE });
    assert!(!refused(&mut pair));
    // There is no other.
    let only = vec![(Text::word("here"), PORT)];
    pair.datacenter.steer(SERVER, only, Fallback { redispatch: true, ..CLOSE });
    assert!(refused(&mut pair));
}

#[test]
fn a_backend_that_does_not_answer_is_left_for_another_after_the_balancers_own_time_out() {
    let mut pair = pair();
    let both = vec![(Text::word("there"), PORT), (Text::word("off"), PORT)];
    pair.datacenter.add_vm(Vm::new("off"));
    let routes = |pair: &mut Pair| -> Vec<Route> { (0..40).map(|_| pair.leads(at(0)).1).collect() };
    let deliver = |millis| Route::Deliver { to: ProcessId(1), at: at(millis) };
    // Who passes packets on lets the client find out.
    pair.datacenter.steer(SERVER, both.clone(), Fallback { redispatch: true, ..CLOSE });
    assert!(routes(&mut pair).contains(&Route::Silent));
    let haproxy = Fallback { redispatch: true, connect_timeout: Duration::from_secs(5), ..CLOSE };
    pair.datacenter.steer(SERVER, both, haproxy);
    let found = routes(&mut pair);
    assert!(found.iter().all(|route| [deliver(6), deliver(5_006)].contains(route)), "{found:?}");
    assert!([deliver(6), deliver(5_006)].iter().all(|route| found.contains(route)));
    // There is no other: after another try the client's connection is closed.
    pair.datacenter.steer(SERVER, vec![(Text::word("off"), PORT)], haproxy);
    let closed = Route::Fail { at: at(10_004), how: Broken::Reset };
    assert!(routes(&mut pair).iter().all(|route| *route == closed));
}

#[test]
fn a_client_whom_the_balancer_knows_is_led_to_the_same_backend_while_it_is_up() {
    let mut pair = pair();
    let both = || vec![(Text::word("here"), PORT), (Text::word("there"), PORT)];
    let client = pair.connect(at(0)).client;
    pair.datacenter.remember(SERVER, client, Text::word("there"));
    let led_there = |pair: &mut Pair| {
        let led = (0..20).filter(|_| pair.leads(at(0)).0 == Some(pair.there));
        led.count()
    };
    pair.datacenter.steer(SERVER, both(), CLOSE);
    assert_eq!(led_there(&mut pair), 20);
    pair.datacenter.steer(SERVER, vec![(Text::word("here"), PORT)], CLOSE);
    assert_eq!(led_there(&mut pair), 0);
    pair.datacenter.steer(SERVER, both(), CLOSE);
    assert_eq!(led_there(&mut pair), 0, "he stays where he was led to since");
}

#[test]
fn a_connection_stays_with_its_backend_wherever_the_endpoint_leads() {
    let mut pair = pair();
    pair.datacenter.steer(SERVER, vec![(Text::word("there"), PORT)], CLOSE);
    let id = pair.connect(at(0));
    pair.datacenter.steer(SERVER, Vec::new(), CLOSE);
    assert_eq!(pair.route(id, at(100)), Route::Deliver { to: pair.server, at: at(102) });
    assert_eq!(pair.datacenter.network.sessions(SERVER, pair.there), [id]);
    assert!(pair.datacenter.network.sessions(EndpointId(9), pair.there).is_empty());
}

#[test]
fn what_ended_with_its_vm_counts_as_ended_when_the_runtime_is_back() {
    let at = |seconds| SimTime::ZERO + Duration::from_secs(seconds);
    let mut program = Program::new(ProcessId(0));
    program.begin(at(1));
    program.lose(at(10));
    assert_eq!((program.running_since, program.ended), (None, Some(at(10))));
    program.find(at(70));
    assert_eq!(program.ended, Some(at(70)));
    program.begin(at(71));
    program.end(at(80));
    program.lose(at(90));
    program.find(at(150));
    assert_eq!(program.ended, Some(at(80)), "it had ended before");
}
