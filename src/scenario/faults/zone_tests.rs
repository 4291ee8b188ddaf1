//! A zone without power, and one that is cut off.

use super::tests::{NOTHING, pass, target};
use super::*;
use crate::api::Kind;
use crate::api::kinds::Status;
use crate::engine::Text;
use crate::scenario::{blueprint, models};

/// Three workers in three zones.
fn world(platform: &str, control_planes: u32) -> World {
    let platform = models::platform(platform).expect("a platform");
    let mut blueprint = blueprint(&platform, control_planes, 3);
    blueprint.zones = 3;
    World::new(blueprint, 1)
}

const WITH_HOSTS: &str = "tkgs-2024";
const WITHOUT_HOSTS: &str = "lab-k8s-1.34-capi-1.14";

fn zone() -> Text {
    Text::word("zone-1")
}

fn strike(world: &mut World, fault: Fault) -> String {
    fault.strike(world);
    target(world)
}

/// The VMs that stand in the zone.
fn vms(world: &World) -> Vec<(Text, bool)> {
    let here = |place: &crate::infra::Place| place.zone == zone();
    let vms = world.view().vms().filter(|vm| vm.place.as_ref().is_some_and(here));
    vms.map(|vm| (vm.name.clone(), vm.is_on())).collect()
}

fn off() -> Fault {
    Fault::PowerOffZone(PowerOffZone { zone: zone() })
}

fn on() -> Fault {
    Fault::PowerOnZone(PowerOnZone { zone: zone() })
}

#[test]
fn a_zone_without_hosts_loses_the_power_of_its_vms_and_gets_it_back() {
    let mut world = world(WITHOUT_HOSTS, 1);
    assert_eq!(strike(&mut world, on()), NOTHING, "it has power");
    let before = vms(&world);
    assert!(!before.is_empty() && before.iter().all(|(_, on)| *on), "{before:?}");
    assert_eq!(strike(&mut world, off()), "Zone/zone-1");
    assert!(vms(&world).iter().all(|(_, on)| !on));
    let others = world.view().vms().filter(|vm| !vm.is_on()).count();
    assert_eq!(others, before.len(), "nothing outside it");
    assert_eq!(strike(&mut world, off()), NOTHING);
    assert_eq!(strike(&mut world, on()), "Zone/zone-1");
    assert!(vms(&world).iter().all(|(_, on)| *on));
    let unknown = PowerOffZone { zone: Text::word("zone-7") };
    assert_eq!(strike(&mut world, Fault::PowerOffZone(unknown)), NOTHING);
}

#[test]
fn a_zone_with_hosts_loses_them_with_their_vms() {
    let mut world = world(WITH_HOSTS, 3);
    let hosts = |world: &World| {
        let view = world.view();
        let here = |place: &crate::infra::Place| place.zone == zone();
        let hosts = view.hosts().filter(|host| host.place.as_ref().is_some_and(here));
        hosts.map(|host| view.is_host_on(&host.name)).collect::<Vec<bool>>()
    };
    assert!(hosts(&world).contains(&true), "{:?}", hosts(&world));
    assert!(vms(&world).len() >= 2, "a control plane and a worker");
    assert_eq!(strike(&mut world, off()), "Zone/zone-1");
    assert!(!hosts(&world).contains(&true));
    assert!(vms(&world).iter().all(|(_, on)| !on));
    assert_eq!(strike(&mut world, on()), "Zone/zone-1");
    assert!(!hosts(&world).contains(&false));
    assert!(vms(&world).iter().all(|(_, on)| !on), "they wait for somebody");
    assert_eq!(strike(&mut world, on()), NOTHING);
}

#[test]
fn a_zone_that_is_cut_off_turns_unknown_and_comes_back() {
    let mut world = world(WITH_HOSTS, 3);
    let cut = || Fault::CutZone(CutZone { zone: zone() });
    let rejoin = || Fault::RejoinZone(RejoinZone { zone: zone() });
    pass(&mut world, 5);
    assert_eq!(strike(&mut world, rejoin()), NOTHING);
    assert_eq!(strike(&mut world, cut()), "Zone/zone-1");
    assert_eq!(strike(&mut world, cut()), NOTHING);
    pass(&mut world, 90);
    let unready = |world: &World| {
        let nodes = world.view().objects(Kind::Node);
        let lost = nodes.filter(|node| {
            node.node().is_some_and(|body| body.conditions.is("Ready", Status::Unknown))
        });
        lost.map(|node| node.name().clone()).collect::<Vec<Text>>()
    };
    let nodes = |world: &World| -> Vec<Text> {
        let is_node = |vm: &Text| world.view().runs("kubelet", vm);
        vms(world).into_iter().map(|(vm, _)| vm).filter(is_node).collect()
    };
    assert_eq!(unready(&world), nodes(&world), "those in it, and no others");
    let actions = crate::scenario::actions(world.view());
    assert!(actions.iter().any(|action| action.words == *"rejoinZone: { zone: zone-1 }"));
    assert_eq!(strike(&mut world, rejoin()), "Zone/zone-1");
    pass(&mut world, 60);
    assert!(unready(&world).is_empty(), "{:?}", unready(&world));
}
