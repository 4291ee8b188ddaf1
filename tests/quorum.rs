//! Without a quorum nothing heals, and no line of a controller says so: a store that commits without
//! one, put in the place of the last member, brings healing back.

use healsim::api::kinds::Status;
use healsim::api::{Kind, Object};
use healsim::components::etcd::Store;
use healsim::engine::{Duration, SimTime};
use healsim::infra::{ConnectionId, Ctx, Input, Port};
use healsim::scenario::{Game, blueprint, load, models};
use healsim::wire::{Message, StoreAnswer, StoreOperation, StoreRequest};
use healsim::world::{CustomProcess, Leaders, World};
use std::sync::{Arc, Mutex, OnceLock};

/// A store that asks nobody before it commits.
#[derive(Debug, Clone)]
struct Lonely {
    store: Arc<Mutex<Store>>,
    watchers: Vec<ConnectionId>,
}

impl Lonely {
    fn answer(&mut self, from: ConnectionId, request: StoreRequest, ctx: &mut Ctx<u64>) {
        let mut store = self.store.lock().expect("one thread");
        let answer = match &request.operation {
            StoreOperation::Get(key, _) => StoreAnswer::Value(store.revision(), store.get(key)),
            StoreOperation::Range(kind, _) => {
                StoreAnswer::Values(store.revision(), store.range(*kind))
            }
            StoreOperation::Transact { key, expected, put, .. } => {
                match store.transact(key, *expected, put.as_deref(), &OnceLock::new()) {
                    Err(current) => StoreAnswer::Conflict(current),
                    Ok(committed) => {
                        for watcher in &self.watchers {
                            ctx.send(*watcher, Message::Committed(committed.clone()));
                        }
                        let object = committed.new.or(committed.old).expect("an object");
                        StoreAnswer::Committed(object)
                    }
                }
            }
            StoreOperation::Watch(after) => {
                let after = after.unwrap_or(store.revision());
                ctx.send(from, Message::Stored(request.id, StoreAnswer::Watching(after)));
                for committed in store.since(after) {
                    ctx.send(from, Message::Committed(committed.clone()));
                }
                return self.watchers.push(from);
            }
            // Whether it is there at all.
            StoreOperation::Status => StoreAnswer::Done,
            other => panic!("an API server does not ask for {other:?}"),
        };
        ctx.send(from, Message::Stored(request.id, answer));
    }
}

impl CustomProcess for Lonely {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Message(from, Message::Store(request)) => self.answer(from, *request, ctx),
            Input::Broken(connection, _) => self.watchers.retain(|watcher| *watcher != connection),
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

/// Three control planes, of which the last leads everything.
fn world() -> World {
    let platform = models::platform("tkgs-2024").expect("a platform");
    let mut shape = blueprint(&platform, 3, 3);
    let (etcd, controller_manager, scheduler) = (Some(2), Some(2), Some(2));
    shape.leaders = Leaders { etcd, controller_manager, scheduler, ..Leaders::default() };
    World::new(shape, 1)
}

fn play_until(world: &mut World, seconds: u64) {
    let end = SimTime::ZERO + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
    world.pass_until(end);
}

fn remove_etcd(world: &mut World, vm: &'static str) {
    world.inject("removeFile", format!("VM/{vm}"), |infra| {
        let id = infra.vm(vm).expect("a VM of the beginning");
        infra.remove_file(id, "/etc/kubernetes/manifests/etcd.yaml");
    });
}

fn is_unknown(object: &Object) -> bool {
    *object.name() == "worker-0"
        && object.node().is_some_and(|node| node.conditions.is("Ready", Status::Unknown))
}

fn is_marked(world: &World) -> bool {
    let mut machines = world.view().objects(Kind::Machine);
    machines.any(|machine| {
        *machine.name() == "worker-0"
            && machine
                .machine()
                .is_some_and(|body| body.conditions.is("HealthCheckSucceeded", Status::False))
    })
}

#[test]
fn without_a_quorum_nothing_heals_and_with_a_store_that_needs_none_it_does() {
    let mut world = world();
    play_until(&mut world, 30);
    remove_etcd(&mut world, "control-plane-0");
    remove_etcd(&mut world, "control-plane-1");
    play_until(&mut world, 60);
    world.inject("stopUnit", "VM/worker-0".to_owned(), |infra| {
        let id = infra.vm("worker-0").expect("a VM of the beginning");
        infra.stop_unit(id, "kubelet");
    });
    // A healthy cluster marks the Node within a minute, and the Machine five minutes later.
    play_until(&mut world, 15 * 60);
    assert!(!world.view().objects(Kind::Node).any(|node| is_unknown(node)));
    assert!(!is_marked(&world), "nobody marked the Machine");

    // The last member goes, and with what it has a store begins that commits without a quorum.
    remove_etcd(&mut world, "control-plane-2");
    play_until(&mut world, 16 * 60);
    let objects: Vec<Object> = Kind::ALL
        .iter()
        .flat_map(|kind| world.view().objects(*kind))
        .map(|object| Object::clone(object))
        .collect();
    let store = Arc::new(Mutex::new(Store::holding(objects)));
    let lonely = Lonely { store: store.clone(), watchers: Vec::new() };
    assert!(world.add_server("control-plane-2", "lonely", Some(Port(2379)), Box::new(lonely)));
    // The API server is started again after its back-off, then a leader takes over, then the grace.
    play_until(&mut world, 25 * 60);
    let nodes = store.lock().expect("one thread").range(Kind::Node);
    assert!(nodes.iter().any(|node| is_unknown(node)), "the Node is marked again");
    play_until(&mut world, 30 * 60);
    assert!(is_marked(&world), "and the Machine with it");
}

const PLATFORMS: [&str; 2] = ["tkgs-2024", "tkgs-current"];

/// The page's disasters of etcd and of API servers, with their variants, and where the cluster is
/// well again at the end.
const SCENARIOS: [(&str, &[&str]); 8] = [
    ("etcd-one-of-three", &[]),
    ("etcd-one-of-three-follower", &[]),
    ("etcd-one-of-three-worker-dies", &[]),
    ("etcd-one-of-three-repaired", &PLATFORMS),
    ("etcd-crash-loop", &["tkgs-current"]),
    ("etcd-crash-loop-repaired", &PLATFORMS),
    ("apiserver-removed", &["tkgs-current"]),
    ("apiserver-removed-repaired", &PLATFORMS),
];

#[test]
fn every_expectation_holds_on_both_platforms() {
    for (name, recovers) in SCENARIOS {
        for platform in PLATFORMS {
            let scenario = load(name).expect("an embedded scenario");
            let game = Game::new(&scenario, Some(platform), &[], None).expect("valid");
            let run = game.play(1);
            let failed: Vec<&str> = run.failed().map(|line| line.text.as_str()).collect();
            assert!(failed.is_empty(), "{name} on {platform}: {failed:?}");
            let recovered = run.recovered_at.is_some();
            assert_eq!(recovered, recovers.contains(&platform), "{name} on {platform}");
        }
    }
}
