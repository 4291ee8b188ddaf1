//! A load balancer before two servers that break: who is led where, and how soon.

use healsim::components::load_balancer::{Check, MarkedDown, Rules, Settings};
use healsim::engine::{Duration, SimTime, Text};
use healsim::infra::{Address, ConnectionId, Ctx, EndpointId, Input, NoneUp, Port, Way};
use healsim::scenario::{blueprint, models};
use healsim::wire::Message;
use healsim::world::{CustomProcess, Infra, World};
use std::sync::{Arc, Mutex};

const ENDPOINT: EndpointId = EndpointId(200);
const PORT: Port = Port(7000);

type Noted = Arc<Mutex<Vec<(SimTime, String)>>>;

/// Answers checks with a status that the test sets, and users with its name.
#[derive(Clone, Debug)]
struct Server {
    status: Arc<Mutex<u16>>,
    name: &'static str,
    noted: Noted,
}

/// Keeps one connection, and asks on it every second.
#[derive(Clone, Debug)]
struct Client {
    connection: Option<ConnectionId>,
    noted: Noted,
}

impl CustomProcess for Server {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Message(from, Message::HealthCheck(id, _)) => {
                let status = *self.status.lock().expect("one thread");
                ctx.send(from, Message::Health(id, status, Text::EMPTY));
            }
            Input::Message(from, Message::App(number)) => {
                let line = format!("at {}", self.name);
                self.noted.lock().expect("one thread").push((ctx.now(), line));
                ctx.send(from, Message::App(number));
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

impl CustomProcess for Client {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => ctx.after("the test", Duration::from_secs(1), 0),
            Input::Due(_) => {
                let to = Address::Endpoint(ENDPOINT);
                let connection = *self.connection.get_or_insert_with(|| ctx.connect(to));
                ctx.send(connection, Message::App(0));
                ctx.after("the test", Duration::from_secs(1), 0);
            }
            Input::Broken(connection, how) if self.connection == Some(connection) => {
                self.connection = None;
                self.noted.lock().expect("one thread").push((ctx.now(), format!("{how:?}")));
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

struct Stage {
    world: World,
    noted: Noted,
    status: [Arc<Mutex<u16>>; 2],
}

const WORKERS: [&str; 2] = ["worker-0", "worker-1"];

impl Stage {
    fn new(marked_down: MarkedDown) -> Stage {
        let platform = models::platform("lab-k8s-1.34-capi-1.14").expect("a platform");
        let haproxy = blueprint(&platform, 3, 2).load_balancer.expect("before three API servers");
        assert_eq!(blueprint(&platform, 1, 2).load_balancer, None, "one alone has none");
        let rules = Rules { marked_down, ..haproxy };
        assert_eq!((rules.check, rules.fallback.none_up), (Check::Get("/healthz"), NoneUp::Close));
        let mut world = World::new(blueprint(&platform, 1, 2), 1);
        let (noted, status) = (Noted::default(), [200, 200].map(|up| Arc::new(Mutex::new(up))));
        for (name, status) in WORKERS.into_iter().zip(&status) {
            let server = Server { status: status.clone(), name, noted: noted.clone() };
            assert!(world.add_server(name, "server", Some(PORT), Box::new(server)));
        }
        let client = Client { connection: None, noted: noted.clone() };
        assert!(world.add_process("control-plane-0", "client", Box::new(client)));
        world.add_load_balancer(Settings {
            name: Text::word("workload"),
            endpoint: ENDPOINT,
            pool: Text::word("worker-*"),
            port: PORT,
            rules,
        });
        Stage { world, noted, status }
    }

    fn until(&mut self, second: u64) {
        let end = SimTime::ZERO + Duration::from_secs(second);
        while self.world.next_at().is_some_and(|next| next <= end) {
            self.world.step();
        }
        self.world.pass_until(end);
    }

    fn act(&mut self, act: impl FnOnce(&mut Infra)) {
        self.world.inject("killProcess", "Process/server".to_owned(), act);
    }

    fn kill(&mut self, vm: &str) {
        self.act(|infra| {
            let server = infra.process("server", vm).expect("it exists");
            infra.kill(server);
        });
    }

    /// The worker that the client's connection leads to.
    fn pinned(&self) -> usize {
        let noted = self.noted.lock().expect("one thread");
        let last = noted.iter().rev().find(|(_, line)| line.starts_with("at ")).expect("served");
        usize::from(last.1 == "at worker-1")
    }

    /// What the client met since a second.
    fn met(&self, since: u64) -> Vec<String> {
        let since = SimTime::ZERO + Duration::from_secs(since);
        let noted = self.noted.lock().expect("one thread");
        let mut met: Vec<String> =
            noted.iter().filter(|(at, _)| *at >= since).map(|(_, line)| line.clone()).collect();
        met.dedup();
        met
    }

    /// Each change of the endpoint, with how long after a second it came.
    fn changes(&self, second: u64) -> Vec<(Duration, String)> {
        let since = SimTime::ZERO + Duration::from_secs(second);
        let entries = self.world.timeline().entries().iter();
        let changes = entries.filter(|entry| entry.kind == *"Endpoint");
        changes.map(|e| (e.at.since(since), format!("{} {}", e.to, e.message))).collect()
    }
}

#[test]
fn a_server_that_is_killed_is_down_within_three_checks() {
    let mut stage = Stage::new(MarkedDown::Keep);
    stage.until(10);
    assert!(stage.changes(10).is_empty(), "what is well is not told");
    let (dead, other) = (stage.pinned(), 1 - stage.pinned());
    stage.kill(WORKERS[dead]);
    stage.until(30);
    let changes = stage.changes(10);
    let (after, what) = &changes[0];
    // haproxy: three checks that fail, 2 s apart.
    assert!((4_000_000..6_010_000).contains(&after.as_micros()), "{after}");
    let refused = "Layer4 connection problem, info: \"Connection refused\"";
    let to = format!("{} {} is DOWN: {refused}", WORKERS[other], WORKERS[dead]);
    assert_eq!((what, changes.len()), (&to, 1));
    assert_eq!(stage.met(20), [format!("at {}", WORKERS[other])]);
}

#[test]
fn a_connection_to_an_unhealthy_server_stays_unless_it_is_shut() {
    for (marked_down, met) in [(MarkedDown::Keep, 0), (MarkedDown::Shut, 1)] {
        let mut stage = Stage::new(marked_down);
        stage.until(10);
        let ill = stage.pinned();
        *stage.status[ill].lock().expect("one thread") = 500;
        stage.until(30);
        assert_eq!(stage.met(10).iter().filter(|line| *line == "Reset").count(), met);
        let last = stage.met(29).pop().expect("it asks every second");
        let stays = if marked_down == MarkedDown::Keep { ill } else { 1 - ill };
        assert_eq!(last, format!("at {}", WORKERS[stays]));
    }
}

#[test]
fn a_server_behind_a_cut_is_down_after_its_checks_have_waited() {
    let mut stage = Stage::new(MarkedDown::Keep);
    stage.until(10);
    let vm = stage.world.view().vm_id(WORKERS[0]).expect("it exists");
    stage.act(|infra| [Way::From(vm), Way::To(vm)].into_iter().for_each(|way| infra.cut(way)));
    stage.until(20);
    stage.act(|infra| [Way::From(vm), Way::To(vm)].into_iter().for_each(|way| infra.heal(way)));
    stage.until(40);
    let changes = stage.changes(10);
    let (down, up) = (&changes[0], &changes[1]);
    assert!((6_000_000..8_010_000).contains(&down.0.as_micros()), "{}", down.0);
    assert_eq!(down.1, "worker-1 worker-0 is DOWN: Layer4 timeout");
    // Two good checks; the first may have been asked for in vain, and again a second later.
    assert!((11_000_000..14_010_000).contains(&up.0.as_micros()), "{}", up.0);
    assert_eq!(up.1, "worker-0,worker-1 worker-0 is UP: check passed");
}

#[test]
fn with_no_server_up_a_connection_is_closed_at_once() {
    let mut stage = Stage::new(MarkedDown::Keep);
    stage.until(10);
    WORKERS.into_iter().for_each(|vm| stage.kill(vm));
    stage.until(30);
    assert_eq!(stage.met(20), ["Reset"]);
    let last = stage.changes(10).pop().expect("both are down");
    assert!(last.1.starts_with("none worker-"), "{}", last.1);
}
