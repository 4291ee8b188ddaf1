//! The disk of a control plane's VM stalls: what of its etcd still answers, and how it ends.

use healsim::engine::{Duration, SimTime};
use healsim::infra::DiskHealth;
use healsim::scenario::{blueprint, models};
use healsim::timeline::{Entry, Value};
use healsim::world::{Infra, World};

const PLANE: &str = "control-plane-0";
const ETCD: &str = "etcd@control-plane-0";

fn cluster(platform: &str, seed: u64) -> World {
    let platform = models::platform(platform).expect("a platform");
    World::new(blueprint(&platform, 3, 2), seed)
}

fn play_for(world: &mut World, seconds: u64) {
    let end = world.now() + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
    world.pass_until(end);
}

/// Until the member on the VM has just applied a change.
fn play_until_it_applies(world: &mut World) {
    let mut before = None;
    loop {
        assert!(world.step(), "something is always written");
        let view = world.view();
        let Some(played) = view.etcd_just_played() else { continue };
        if *view.place_of(played.id).1 != *PLANE {
            continue;
        }
        let now = played.process.store().map(|store| store.revision());
        if before.replace(now).is_some_and(|before| before != now) {
            return;
        }
    }
}

fn set_disk(world: &mut World, health: DiskHealth) {
    let act = |infra: &mut Infra| {
        let vm = infra.vm(PLANE).expect("it exists");
        infra.set_disk(vm, health);
    };
    world.inject("test", format!("Disk/{PLANE}"), act);
}

/// What became of the process since a time: field and value, and seconds since then.
fn told(world: &World, since: SimTime) -> Vec<(String, f64)> {
    let of_process = |entry: &&Entry| {
        entry.name == *ETCD && matches!(entry.field.as_str(), "running" | "frozen")
    };
    let entries = world.timeline().entries().iter().filter(|entry| entry.at > since);
    let seconds = |at: SimTime| at.since(since).as_micros() as f64 / 1e6;
    let word = |entry: &Entry| format!("{} {}", entry.field, entry.to == Value::Bool(true));
    entries.filter(of_process).map(|entry| (word(entry), seconds(entry.at))).collect()
}

/// True if the kubelet has logged that a probe of etcd has failed.
fn has_probe_failed(world: &World) -> bool {
    let words = "\"Probe failed\" probeType=\"Liveness\" pod=\"kube-system/etcd-control-plane-0\"";
    world.timeline().entries().iter().any(|entry| entry.message.contains(words))
}

#[test]
fn an_etcd_that_hangs_in_its_database_is_killed_and_ends_when_its_disk_goes_on() {
    for platform in ["tkgs-2024", "tkgs-current"] {
        let mut world = cluster(platform, 1);
        play_for(&mut world, 60);
        play_until_it_applies(&mut world);
        let stalled = world.now();
        set_disk(&mut world, DiskHealth::Stalled);
        play_for(&mut world, 190);
        assert!(has_probe_failed(&world), "{platform}");
        let [(killed, at)] = &told(&world, stalled)[..] else {
            panic!("{platform}: {:?}", told(&world, stalled))
        };
        assert_eq!(killed, "frozen true", "{platform}: SIGTERM has it end, and it cannot");
        assert!((120.0..180.0).contains(at), "{platform}: eight probes of up to 15 s: {at}");
        assert!(world.view().runs("etcd", PLANE) && !world.view().works("etcd", PLANE));
        set_disk(&mut world, DiskHealth::Well);
        play_for(&mut world, 60);
        let told = told(&world, stalled);
        let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["frozen true", "running false", "running true"], "{platform}");
        assert!((189.0..191.0).contains(&told[1].1), "{platform}: with its disk, {told:?}");
        let (view, name) = (world.view(), "workload");
        let leader = view.etcd_leader(name).expect("two of three went on").info.id;
        let members = view.etcd_members(name);
        assert!(members.iter().all(|member| member.follows(leader)), "{platform}: it is back");
    }
}

#[test]
fn an_etcd_whose_database_is_on_disk_answers_its_probes_though_it_cannot_write() {
    let mut world = cluster("tkgs-2024", 1);
    play_for(&mut world, 60);
    // Nothing is on its way to its database for longer than there is between two commits.
    let applied = |world: &World| {
        let members = world.view().etcd_members("workload");
        let here = members.iter().find(|member| *member.info.vm == *PLANE);
        here.and_then(|member| Some(member.status.as_ref()?.applied))
    };
    let (mut last, mut since) = (applied(&world), world.now());
    while world.now() < since + Duration::from_millis(150) {
        world.step();
        let now = applied(&world);
        if std::mem::replace(&mut last, now) != now {
            since = world.now();
        }
    }
    let stalled = world.now();
    set_disk(&mut world, DiskHealth::Stalled);
    play_for(&mut world, 300);
    assert!(world.view().works("etcd", PLANE));
    assert_eq!(told(&world, stalled), []);
    assert!(!has_probe_failed(&world));
}
