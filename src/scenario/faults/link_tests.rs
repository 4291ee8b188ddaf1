//! Links, disks, files and roles: what faults on them hit, and what they leave alone.

use super::tests::{NOTHING, pass, target, w, world};
use super::*;
use crate::engine::{Duration, Text};
use crate::infra::{DiskHealth, Loss};

fn link(ways: Ways) -> Link {
    Link { from: w(), to: Some(Text::word("control-plane-0")), ways }
}

/// What the fault was found to hit.
fn strike(world: &mut World, fault: Fault) -> String {
    fault.strike(world);
    target(world)
}

#[test]
fn a_link_is_cut_once_and_healed_once() {
    let mut world = world();
    let cut = |ways| Fault::CutLink(CutLink { link: link(ways) });
    let heal = |ways| Fault::HealLink(HealLink { link: link(ways) });
    assert_eq!(strike(&mut world, heal(Ways::Both)), NOTHING);
    assert_eq!(strike(&mut world, cut(Ways::One)), "Link/worker-0->control-plane-0");
    assert_eq!(strike(&mut world, cut(Ways::One)), NOTHING);
    assert_eq!(strike(&mut world, cut(Ways::Both)), "Link/worker-0<->control-plane-0");
    assert_eq!(strike(&mut world, heal(Ways::One)), "Link/worker-0->control-plane-0");
    assert_eq!(strike(&mut world, heal(Ways::Both)), "Link/worker-0<->control-plane-0");
    assert_eq!(strike(&mut world, heal(Ways::Both)), NOTHING);
}

#[test]
fn a_link_is_slow_or_lossy_until_it_is_healed() {
    let mut world = world();
    let slow = |millis| {
        let delay = Duration::from_millis(millis);
        Fault::SlowLink(SlowLink { link: link(Ways::One), delay })
    };
    let lossy = |loss| Fault::LossyLink(LossyLink { link: link(Ways::Both), loss: Loss(loss) });
    let heal = || Fault::HealLink(HealLink { link: link(Ways::Both) });
    assert_eq!(strike(&mut world, slow(100)), "Link/worker-0->control-plane-0");
    assert_eq!(strike(&mut world, slow(100)), NOTHING);
    assert_eq!(strike(&mut world, slow(200)), "Link/worker-0->control-plane-0");
    assert_eq!(strike(&mut world, lossy(3000)), "Link/worker-0<->control-plane-0");
    assert_eq!(strike(&mut world, lossy(3000)), NOTHING);
    assert_eq!(strike(&mut world, heal()), "Link/worker-0<->control-plane-0");
    assert!(world.view().links().are_whole());
    assert_eq!(strike(&mut world, heal()), NOTHING);
}

#[test]
fn all_links_of_a_vm_are_slow_until_they_are_healed() {
    let mut world = world();
    let link = Link { from: w(), to: None, ways: Ways::Both };
    let delay = Duration::from_millis(100);
    let slow = Fault::SlowLink(SlowLink { link: link.clone(), delay });
    assert_eq!(strike(&mut world, slow), "Link/worker-0<->*");
    let gone = Link { from: Text::word("worker-9"), ..link.clone() };
    assert_eq!(strike(&mut world, Fault::SlowLink(SlowLink { link: gone, delay })), NOTHING);
    let actions = crate::scenario::actions(world.view());
    let words: Vec<&str> = actions.iter().map(|action| action.words.as_str()).collect();
    assert_eq!(words, ["healLink: { from: worker-0 }"]);
    assert_eq!(strike(&mut world, Fault::HealLink(HealLink { link })), "Link/worker-0<->*");
    assert!(world.view().links().are_whole());
}

#[test]
fn a_vm_that_is_cut_off_turns_unknown_and_comes_back() {
    let mut world = world();
    pass(&mut world, 60);
    let ready = |world: &World| {
        let entries = world.timeline().entries().iter().rev();
        let mut ready = entries.filter(|e| e.name == *"worker-0" && e.field == *"Ready");
        ready.next().map(|entry| entry.to.to_string()).unwrap_or_default()
    };
    let isolated = Fault::IsolateVm(IsolateVm { vm: w() });
    assert_eq!(strike(&mut world, isolated.clone()), "VM/worker-0");
    assert_eq!(strike(&mut world, isolated), NOTHING);
    pass(&mut world, 120);
    assert_eq!(ready(&world), "Unknown");
    assert!(world.view().runs("kubelet", "worker-0"), "nothing ended");
    let rejoined = Fault::RejoinVm(RejoinVm { vm: w() });
    assert_eq!(strike(&mut world, rejoined.clone()), "VM/worker-0");
    assert_eq!(strike(&mut world, rejoined), NOTHING);
    pass(&mut world, 120);
    assert_eq!(ready(&world), "True");
}

#[test]
fn a_vm_that_is_gone_leaves_no_cut_behind() {
    let mut world = world();
    strike(&mut world, Fault::CutLink(CutLink { link: link(Ways::Both) }));
    strike(&mut world, Fault::DeleteVm(DeleteVm { vm: w() }));
    assert_eq!(strike(&mut world, Fault::HealLink(HealLink { link: link(Ways::Both) })), NOTHING);
}

#[test]
fn a_disk_is_slow_stalled_or_well() {
    let mut world = world();
    let slow = |millis| {
        let flush = Duration::from_millis(millis);
        Fault::SlowDisk(SlowDisk { vm: w(), flush })
    };
    let stall = || Fault::StallDisk(StallDisk { vm: w() });
    let heal = || Fault::HealDisk(HealDisk { vm: w() });
    assert_eq!(strike(&mut world, heal()), NOTHING, "it is well");
    assert_eq!(strike(&mut world, slow(200)), "Disk/worker-0");
    assert_eq!(strike(&mut world, slow(200)), NOTHING);
    assert_eq!(strike(&mut world, slow(300)), "Disk/worker-0");
    assert_eq!(strike(&mut world, stall()), "Disk/worker-0");
    assert_eq!(strike(&mut world, stall()), NOTHING);
    assert_eq!(strike(&mut world, heal()), "Disk/worker-0");
    let vm = world.view().vm("worker-0").expect("it exists");
    assert_eq!(vm.disk.health, DiskHealth::Well);
}

#[test]
fn a_removed_file_comes_back_as_it_was() {
    let mut world = world();
    let path = Text::word("/var/lib/kubelet/config.yaml");
    let content = |world: &World| {
        let vm = world.view().vm("worker-0").expect("it exists");
        vm.disk.read("/var/lib/kubelet/config.yaml").cloned()
    };
    let before = content(&world);
    assert!(before.is_some());
    let remove = Fault::RemoveFile(RemoveFile { vm: w(), path: path.clone() });
    let restore = Fault::RestoreFile(RestoreFile { vm: w(), path });
    assert_eq!(strike(&mut world, restore.clone()), NOTHING, "nobody took it");
    strike(&mut world, remove);
    assert_eq!(content(&world), None);
    strike(&mut world, restore.clone());
    assert_eq!(content(&world), before);
    assert_eq!(strike(&mut world, restore), NOTHING);
}

#[test]
fn a_role_is_filled_when_the_fault_strikes() {
    let mut world = world();
    pass(&mut world, 1);
    let etcd = Text::word("etcd");
    let kill = |vm: &'static str| {
        let (vm, process, signal) = (Text::word(vm), etcd.clone(), Signal::Kill);
        Fault::KillProcess(KillProcess { vm, process, signal })
    };
    assert_eq!(strike(&mut world, kill("follower(etcd)")), NOTHING, "there is one member");
    assert_eq!(strike(&mut world, kill("leader(etcd)")), "Process/etcd@control-plane-0");
    assert_eq!(strike(&mut world, kill("leader(etcd)")), NOTHING, "nobody leads");
}

#[test]
fn who_does_not_catch_sigterm_ends_by_it() {
    let mut world = world();
    pass(&mut world, 1);
    let process = Text::word("kube-controller-manager");
    let kill = KillProcess {
        vm: Text::word("control-plane-0"),
        process: process.clone(),
        signal: Signal::Terminate,
    };
    assert_eq!(
        strike(&mut world, Fault::KillProcess(kill)),
        "Process/kube-controller-manager@control-plane-0"
    );
    assert!(!world.view().runs(&process, "control-plane-0"));
}
