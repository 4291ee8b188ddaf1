//! Faults on a small world: what they hit, and what they leave alone.

use super::*;
use crate::engine::{Duration, Text};
use crate::infra::Power;
use crate::scenario::{blueprint, models};
use crate::timeline::{Entry, Value};

pub(super) fn world() -> World {
    let platform = models::platform("lab-k8s-1.34-capi-1.14").expect("a platform");
    World::new(blueprint(&platform, 1, 2), 1)
}

pub(super) fn pass(world: &mut World, seconds: u64) {
    let end = world.now() + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
    world.pass_until(end);
}

pub(super) fn target(world: &World) -> String {
    let last = world.timeline().entries().iter().rev().find(|entry| entry.kind == *"Fault");
    last.map(|entry| entry.to.to_string()).unwrap_or_default()
}

pub(super) const NOTHING: &str = "nothing: no such target";
const CONFIG: &str = "/var/lib/kubelet/config.yaml";

pub(super) fn w() -> Text {
    Text::word("worker-0")
}

#[test]
fn a_vm_that_is_deleted_is_gone_with_its_name_and_disk() {
    let mut world = world();
    Fault::DeleteVm(DeleteVm { vm: w() }).strike(&mut world);
    assert_eq!(target(&world), "VM/worker-0");
    assert!(world.view().vm("worker-0").is_none());
    Fault::DeleteVm(DeleteVm { vm: w() }).strike(&mut world);
    assert_eq!(target(&world), NOTHING);
}

#[test]
fn a_vm_that_is_powered_on_boots_from_its_disk_with_no_container_left() {
    let mut world = world();
    Fault::PowerOn(PowerOn { vm: w() }).strike(&mut world);
    assert_eq!(target(&world), NOTHING, "it is on");
    let pods = world.view().vm("worker-0").expect("it exists").containers.len();
    assert!(pods > 0, "there is something to lose");
    Fault::PowerOff(PowerOff { vm: w() }).strike(&mut world);
    assert!(!world.view().runs("kubelet", "worker-0"));
    Fault::PowerOn(PowerOn { vm: w() }).strike(&mut world);
    let vm = world.view().vm("worker-0").expect("it exists");
    assert_eq!((vm.power, vm.containers.len()), (Power::On, 0));
    assert!(vm.disk.read(CONFIG).is_some());
    pass(&mut world, 30);
    assert!(world.view().runs("kubelet", "worker-0"));
    let again = world.view().vm("worker-0").expect("it exists").containers.len();
    assert_eq!(again, pods, "its Pods are still bound to it");
}

#[test]
fn a_stopped_unit_can_be_started_again_while_its_vm_runs() {
    let mut world = world();
    let unit = Text::word("kubelet");
    Fault::StopUnit(StopUnit { vm: w(), unit: unit.clone() }).strike(&mut world);
    Fault::StartUnit(StartUnit { vm: w(), unit: unit.clone() }).strike(&mut world);
    assert_eq!(target(&world), "Process/kubelet@worker-0");
    assert!(world.view().runs("kubelet", "worker-0"));
    Fault::PowerOff(PowerOff { vm: w() }).strike(&mut world);
    Fault::StartUnit(StartUnit { vm: w(), unit }).strike(&mut world);
    assert_eq!(target(&world), NOTHING);
}

#[test]
fn a_file_is_written_in_place_of_another_while_the_vm_runs() {
    let mut world = world();
    let write = |content: &'static str| {
        let (path, content) = (Text::word(CONFIG), Text::word(content));
        Fault::WriteFile(WriteFile { vm: w(), path, content })
    };
    let there = |world: &World| {
        world.view().vm("worker-0").and_then(|vm| vm.disk.read(CONFIG).map(ToString::to_string))
    };
    write("mine").strike(&mut world);
    assert_eq!(target(&world), format!("File{CONFIG}@worker-0"));
    assert_eq!(there(&world).as_deref(), Some("mine"));
    Fault::PowerOff(PowerOff { vm: w() }).strike(&mut world);
    write("too late").strike(&mut world);
    assert_eq!(target(&world), NOTHING);
    assert_eq!(there(&world).as_deref(), Some("mine"));
}

#[test]
fn a_removed_file_is_missed_only_by_who_starts_anew() {
    let mut world = world();
    pass(&mut world, 1); // Everybody has begun.
    let path = Text::word(CONFIG);
    Fault::RemoveFile(RemoveFile { vm: w(), path: path.clone() }).strike(&mut world);
    assert_eq!(target(&world), format!("File{CONFIG}@worker-0"));
    pass(&mut world, 60);
    assert!(world.view().runs("kubelet", "worker-0"), "it has read it long ago");
    Fault::RemoveFile(RemoveFile { vm: w(), path }).strike(&mut world);
    assert_eq!(target(&world), NOTHING);
    let kill = KillProcess { vm: w(), process: Text::word("kubelet"), signal: Signal::Kill };
    Fault::KillProcess(kill).strike(&mut world);
    pass(&mut world, 60);
    assert!(!world.view().runs("kubelet", "worker-0"));
    let crashed = world.timeline().entries().iter().filter(|entry| {
        entry.field == *"log" && entry.message.contains("failed to load kubelet config file")
    });
    assert_eq!(crashed.count(), 1, "a crash loop is told once");
}

#[test]
fn a_start_by_hand_of_what_is_in_a_crash_loop_is_told_only_if_it_starts_something() {
    let mut world = world();
    pass(&mut world, 1); // Everybody has begun.
    let unit = Text::word("kubelet");
    Fault::RemoveFile(RemoveFile { vm: w(), path: Text::word(CONFIG) }).strike(&mut world);
    let kill = KillProcess { vm: w(), process: unit.clone(), signal: Signal::Kill };
    Fault::KillProcess(kill).strike(&mut world);
    let start = || Fault::StartUnit(StartUnit { vm: w(), unit: unit.clone() });
    for runs in [true, false, true] {
        while world.view().runs("kubelet", "worker-0") != runs {
            assert!(world.step(), "systemd starts it again and again");
        }
    }
    start().strike(&mut world);
    pass(&mut world, 5);
    assert!(!world.view().runs("kubelet", "worker-0"), "systemd waits");
    start().strike(&mut world);
    pass(&mut world, 60);
    let entries = world.timeline().entries().iter();
    let its = |entry: &&Entry| entry.name == *"kubelet@worker-0" && entry.field == *"running";
    let told: Vec<Value> = entries.filter(its).map(|entry| entry.to.clone()).collect();
    // At the beginning it runs; killed, started again by systemd, and by hand.
    assert_eq!(told, [true, false, true, false, true, false].map(Value::Bool));
}
