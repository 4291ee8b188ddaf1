//! A full disk: who fails, who goes on, and what comes back when there is room again.

use super::tests::{NOTHING, pass, target, w, world};
use super::*;
use crate::api::kinds::{Status, TaintEffect, taint};
use crate::engine::Text;
use crate::scenario::{blueprint, models};

fn fill(vm: &'static str) -> Fault {
    Fault::FillDisk(FillDisk { vm: Text::word(vm) })
}

fn free(vm: &'static str) -> Fault {
    Fault::FreeDisk(FreeDisk { vm: Text::word(vm) })
}

fn strike(world: &mut World, fault: Fault) -> String {
    fault.strike(world);
    target(world)
}

/// How often a line was logged.
fn logged(world: &World, line: &str) -> usize {
    let entries = world.timeline().entries().iter();
    entries.filter(|entry| entry.field == *"log" && entry.message.contains(line)).count()
}

#[test]
fn a_disk_is_filled_once_and_freed_once() {
    let mut world = world();
    assert_eq!(strike(&mut world, free("worker-0")), NOTHING, "there is room");
    assert_eq!(strike(&mut world, fill("worker-0")), "Disk/worker-0");
    assert_eq!(strike(&mut world, fill("worker-0")), NOTHING);
    let path = Text::word("/etc/default/etcd");
    let write = WriteFile { vm: w(), path, content: Text::word("mine") };
    assert_eq!(strike(&mut world, Fault::WriteFile(write)), NOTHING, "an editor fails too");
    let actions = crate::scenario::actions(world.view());
    let words: Vec<&str> = actions.iter().map(|action| action.words.as_str()).collect();
    assert_eq!(words, ["freeDisk: { vm: worker-0 }"]);
    assert_eq!(strike(&mut world, free("worker-0")), "Disk/worker-0");
    assert_eq!(strike(&mut world, fill("worker-9")), NOTHING);
}

#[test]
fn etcd_ends_with_its_first_write_and_crashes_until_there_is_room() {
    const DIES: &str = "failed to save Raft hard state and entries: \
                        write /var/lib/etcd/member/wal: no space left on device";
    let platform = models::platform("tkgs-2024").expect("a platform");
    let mut world = World::new(blueprint(&platform, 1, 1), 1);
    pass(&mut world, 1);
    strike(&mut world, fill("control-plane-0"));
    pass(&mut world, 120);
    assert!(logged(&world, DIES) > 0, "it could not write");
    let committed = |world: &World| {
        let entries = world.timeline().entries().iter();
        entries.filter(|entry| entry.kind == *"Node").count()
    };
    let before = committed(&world);
    pass(&mut world, 120);
    assert_eq!(committed(&world), before, "nothing is committed without etcd");
    strike(&mut world, free("control-plane-0"));
    // No longer than the longest back-off of a container.
    pass(&mut world, 330);
    assert!(world.view().runs("etcd", "control-plane-0"), "the kubelet has tried again");
    assert!(world.view().runs("kubelet", "control-plane-0"));
}

#[test]
fn a_full_worker_is_under_pressure_for_five_minutes_longer_and_gets_no_pods() {
    let mut world = world();
    pass(&mut world, 1);
    strike(&mut world, fill("worker-0"));
    pass(&mut world, 30);
    let is_pressed = |world: &World| {
        let mut nodes = world.view().objects(crate::api::Kind::Node);
        let node = nodes.find(|node| *node.name() == *"worker-0").expect("it is there");
        let node = node.node().expect("a Node");
        let pressed = node.conditions.is("DiskPressure", Status::True);
        assert_eq!(node.has_taint(taint::DISK_PRESSURE, TaintEffect::NoSchedule), pressed);
        assert!(node.conditions.is("Ready", Status::True), "its kubelet goes on");
        pressed
    };
    assert!(is_pressed(&world));
    strike(&mut world, free("worker-0"));
    pass(&mut world, 270);
    assert!(is_pressed(&world), "for evictionPressureTransitionPeriod");
    pass(&mut world, 60);
    assert!(!is_pressed(&world));
}
