//! Worlds played without a scenario: messages, failures, causes.

use healsim::api::kinds::Lease;
use healsim::api::{Answer, Answered, Kind, Meta, Object, Request, Verb};
use healsim::engine::{Duration, SimTime, Text};
use healsim::infra::{Address, ConnectionId, Ctx, EndpointId, Input};
use healsim::scenario::{blueprint, models};
use healsim::wire::Message;
use healsim::world::{CustomProcess, World};
use std::sync::{Arc, Mutex};

/// What a client was told, shared with the test.
type Told = Arc<Mutex<Vec<String>>>;

/// A client that creates a Lease each second and notes down what it is told.
#[derive(Debug, Clone)]
struct Scribe {
    told: Told,
    connection: Option<ConnectionId>,
    count: u32,
}

impl Scribe {
    fn new(told: &Told) -> Box<Scribe> {
        Box::new(Scribe { told: told.clone(), connection: None, count: 0 })
    }

    fn write(&mut self, ctx: &mut Ctx<u64>) {
        let connection =
            *self.connection.get_or_insert_with(|| ctx.connect(Address::Endpoint(EndpointId(1))));
        self.count += 1;
        let meta = Meta::new(Kind::Lease, "default", format!("lease-{}", self.count));
        let verb = Verb::Create(Arc::new(Object::new(meta, Lease::default())));
        let request = Request {
            id: self.count,
            agent: "scribe",
            sender: ctx.owner(),
            count: u64::from(self.count),
            verb,
        };
        ctx.send(connection, Message::Request(Box::new(request)));
        ctx.after("the test", Duration::from_secs(1), 0);
    }

    fn note(&self, what: String) {
        self.told.lock().expect("one thread").push(what);
    }
}

impl CustomProcess for Scribe {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) | Input::Due(_) => self.write(ctx),
            Input::Message(_, Message::Answer(id, answered)) => {
                self.note(format!("{id}: {}", words(&answered)));
            }
            Input::Broken(_, how) => {
                self.connection = None;
                self.note(format!("{how:?}"));
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

fn words(answered: &Answered) -> String {
    match answered {
        Ok(Answer::Object(object)) => format!("wrote {}", object.name()),
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?}", error.reason),
    }
}

/// A world with one worker, for tests of single mechanisms.
fn small(seed: u64) -> World {
    let platform = models::platform("lab-k8s-1.34-capi-1.14").expect("a platform");
    World::new(blueprint(&platform, 1, 1), seed)
}

fn play_until(world: &mut World, seconds: u64) {
    let end = SimTime::ZERO + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
    world.pass_until(end);
}

fn with_scribe(seed: u64) -> (World, Told) {
    let told = Told::default();
    let mut world = small(seed);
    assert!(world.add_process("worker-0", "scribe", Scribe::new(&told)));
    (world, told)
}

fn notes(told: &Told) -> Vec<String> {
    std::mem::take(&mut told.lock().expect("one thread"))
}

fn kill(world: &mut World, program: &str, vm: &str) {
    let (program, target) = (program.to_owned(), format!("Process/{program}@{vm}"));
    let vm = vm.to_owned();
    world.inject("killProcess", target, |infra| {
        let process = infra.process(&program, &vm).expect("the process exists");
        infra.kill(process);
    });
}

#[test]
fn what_etcd_committed_is_in_the_timeline_with_its_writer() {
    let (mut world, told) = with_scribe(1);
    play_until(&mut world, 1);
    assert_eq!(notes(&told), ["1: wrote lease-1"]);
    let view = world.view();
    assert!(view.objects(Kind::Lease).any(|lease| lease.name() == &Text::word("lease-1")));
}

#[test]
fn without_its_etcd_an_api_server_gives_a_write_up_after_34_seconds() {
    let (mut world, told) = with_scribe(1);
    play_until(&mut world, 1);
    notes(&told);
    kill(&mut world, "etcd", "control-plane-0");
    play_until(&mut world, 35);
    assert_eq!(notes(&told), Vec::<String>::new(), "it waits for its member");
    play_until(&mut world, 37);
    assert_eq!(notes(&told), ["2: Timeout", "3: Timeout"]);
}

#[test]
fn a_dead_api_server_on_a_live_host_breaks_its_connections_and_refuses_new_ones() {
    let (mut world, told) = with_scribe(1);
    play_until(&mut world, 1);
    notes(&told);
    kill(&mut world, "kube-apiserver", "control-plane-0");
    play_until(&mut world, 3);
    assert_eq!(notes(&told), ["Closed", "Refused"]);
}

#[test]
fn a_host_without_power_is_silent_until_the_transport_gives_up() {
    let (mut world, told) = with_scribe(1);
    play_until(&mut world, 1);
    notes(&told);
    world.inject("powerOff", "VM/control-plane-0".to_owned(), |infra| {
        let vm = infra.vm("control-plane-0").expect("the VM exists");
        infra.power_off(vm);
    });
    play_until(&mut world, 40);
    assert!(notes(&told).is_empty(), "only the sender's own timer can tell");
    play_until(&mut world, 47);
    assert_eq!(notes(&told), ["Lost"], "30 s without a frame, then 15 s without a pong");
}

/// A process that does one thing that nobody should notice.
#[derive(Debug, Clone, Copy)]
enum Quiet {
    Silent,
    Draws,
    Connects,
}

impl CustomProcess for Quiet {
    fn on_event(&mut self, _: Input<u64>, ctx: &mut Ctx<u64>) {
        match self {
            Quiet::Silent => {}
            Quiet::Draws => {
                ctx.draw(healsim::engine::Purpose(7));
            }
            // A link that is never used.
            Quiet::Connects => {
                ctx.connect(Address::Endpoint(EndpointId(1)));
            }
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(*self)
    }
}

/// The whole healing of a lost worker as lines, without what is said of the quiet process itself.
fn healing(seed: u64, quiet: Option<Quiet>) -> Vec<String> {
    let platform = models::platform("lab-k8s-1.34-capi-1.14").expect("a platform");
    let mut world = World::new(blueprint(&platform, 1, 3), seed);
    if let Some(quiet) = quiet {
        assert!(world.add_process("worker-0", "quiet", Box::new(quiet)));
    }
    play_until(&mut world, 60);
    world.inject("powerOff", "VM/worker-0".to_owned(), |infra| {
        let vm = infra.vm("worker-0").expect("the VM exists");
        infra.power_off(vm);
    });
    play_until(&mut world, 12 * 60);
    let timeline = world.into_timeline();
    let others: Vec<_> =
        timeline.entries().iter().filter(|entry| !entry.name.starts_with("quiet@")).collect();
    // Ids are ordinals: without the quiet one's own entries they are counted anew.
    let ordinal = |id| others.iter().position(|other| other.id == id);
    let line = |entry: &&healsim::timeline::Entry| {
        let (id, cause) = (ordinal(entry.id), entry.cause.and_then(ordinal));
        let mut plain = (*entry).clone();
        (plain.id, plain.cause) = (others[0].id, None);
        format!("{id:?} because of {cause:?}: {plain:?}")
    };
    others.iter().map(line).collect()
}

#[test]
fn a_silent_process_a_draw_and_an_unused_link_change_no_byte() {
    for seed in [1, 2, 77] {
        let without = healing(seed, None);
        assert!(without.iter().any(|line| line.contains("Machine") && line.contains("Deleting")));
        for quiet in [Quiet::Silent, Quiet::Draws, Quiet::Connects] {
            let with = healing(seed, Some(quiet));
            let different = with.iter().zip(&without).find(|(one, other)| one != other);
            assert_eq!(different, None, "{quiet:?}, seed {seed}");
            assert_eq!(with.len(), without.len(), "{quiet:?}, seed {seed}");
        }
    }
}

#[test]
fn a_cluster_in_steady_state_writes_nothing_down() {
    for name in models::platforms() {
        let platform = models::platform(name).expect("a platform");
        for (seed, settings) in
            (1..=25).zip([("", ""), ("infra.networkLatency", "0s..0s")].iter().cycle())
        {
            let mut platform = platform.clone();
            if !settings.0.is_empty() {
                platform.catalog.set(settings.0, settings.1).expect("a setting");
            }
            let mut world = World::new(blueprint(&platform, 1, 3), seed);
            play_until(&mut world, 15 * 60);
            let news: Vec<_> = world
                .timeline()
                .entries()
                .iter()
                .filter(|entry| entry.at > SimTime::ZERO)
                .collect();
            assert!(news.is_empty(), "{name}, seed {seed}: {news:#?}");
        }
    }
}

#[test]
fn every_entry_after_a_fault_leads_back_to_it_or_to_a_timer() {
    let mut world = small(1);
    play_until(&mut world, 10);
    kill(&mut world, "etcd", "control-plane-0");
    let timeline = world.timeline();
    let fault = timeline.entries().iter().find(|e| e.kind == *"Fault").expect("the fault");
    let ended = timeline.entries().last().expect("an entry");
    assert_eq!(ended.object(), "Process/etcd@control-plane-0");
    assert_eq!(ended.cause, Some(fault.id));
}
