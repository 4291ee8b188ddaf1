//! Where a Machine's user data comes from: what is made, what is waited for, what goes when.

use super::tests::{Manager, machine, manager, settings};
use super::*;
use crate::api::kinds::{InfraMachine, KubeadmConfig, Machine, MachinePhase, MachineSet, Status};
use crate::api::{Deletion, Meta, Uid, WatchKind};
use crate::engine::{Duration, SimTime};

fn kubeadm() -> Settings {
    Settings { bootstrap: Bootstrap::Kubeadm, ..settings() }
}

fn config(ready: bool) -> Object {
    let data_secret_name = if ready { Text::word("w-data") } else { Text::EMPTY };
    let body = KubeadmConfig { ready, data_secret_name, ..KubeadmConfig::default() };
    let meta = Meta::new(Kind::KubeadmConfig, "default", "w");
    Object::new(meta.owned_by(&machine(|_| {}).meta), body)
}

fn think(bench: &mut Manager) {
    for _ in 0..3 {
        bench.pass(Duration::from_millis(1));
    }
}

/// What is asked for a set that wants one Machine and has none, as kinds in their order.
fn makes(rules: Settings) -> Vec<String> {
    let mut set = MachineSet { replicas: 1, ..MachineSet::default() };
    set.template.infrastructure.kind = Kind::InfraMachine;
    let mut bench = manager(rules, &[]);
    bench.shows(WatchKind::Added, Object::new(Meta::new(Kind::MachineSet, "default", "ms"), set));
    let mut made = Vec::new();
    think(&mut bench);
    while let Some(create) = bench.waiting().into_iter().find(|what| what.starts_with("create")) {
        let object = bench.grant(&create);
        let kind = object.key().kind;
        if kind != Kind::Event {
            made.push(kind.name().to_owned());
        }
        think(&mut bench);
    }
    made
}

#[test]
fn a_set_makes_the_configuration_first_where_data_is_not_given() {
    assert_eq!(makes(kubeadm()), ["KubeadmConfig", "InfraMachine", "Machine"]);
    assert_eq!(makes(settings()), ["InfraMachine", "Machine"]);
}

/// What is written of a new Machine once its configuration is so.
fn told(ready: bool) -> Machine {
    let mut bench = manager(kubeadm(), &[config(ready)]);
    let new = machine(|object| {
        if let Some(body) = object.machine_mut() {
            body.node_ref = None;
        }
    });
    bench.shows(WatchKind::Added, new);
    think(&mut bench);
    let written = bench.grant("patch Machine/w");
    written.machine().expect("a Machine").clone()
}

#[test]
fn a_machine_takes_over_the_name_of_its_data_and_is_provisioning() {
    let waiting = told(false);
    let said = waiting.conditions.get("BootstrapReady").expect("said");
    assert_eq!((said.status, said.reason.as_str()), (Status::False, "WaitingForDataSecret"));
    assert_eq!(waiting.phase, MachinePhase::Pending);
    assert!(waiting.spec.data_secret_name.is_empty());
    let ready = told(true);
    assert!(ready.conditions.is("BootstrapReady", Status::True));
    assert_eq!(ready.phase, MachinePhase::Provisioning);
    assert_eq!(ready.spec.data_secret_name, "w-data");
}

#[test]
fn the_name_of_the_data_is_written_once() {
    let mut bench = manager(kubeadm(), &[config(true)]);
    let new = machine(|object| {
        if let Some(body) = object.machine_mut() {
            body.spec.data_secret_name = Text::word("what-it-was-made-with");
        }
    });
    bench.shows(WatchKind::Added, new);
    think(&mut bench);
    let written = bench.grant("patch Machine/w");
    let name = &written.machine().expect("a Machine").spec.data_secret_name;
    assert_eq!(*name, "what-it-was-made-with");
}

#[test]
fn the_configuration_goes_after_the_providers_object_and_before_the_node() {
    let going = |objects: &[Object]| {
        let mut bench = manager(kubeadm(), objects);
        let object = machine(|object| {
            object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
            if let Some(body) = object.machine_mut() {
                body.node_ref = None;
            }
        });
        bench.shows(WatchKind::Added, object);
        think(&mut bench);
        if bench.waiting().iter().any(|what| what == "patch Machine/w") {
            bench.grant("patch Machine/w");
        }
        bench.waiting()
    };
    // The provider's object is gone.
    let waiting = going(&[config(true)]);
    assert!(waiting.contains(&"delete KubeadmConfig/w".to_owned()), "{waiting:?}");
    let waiting = going(&[]);
    assert_eq!(waiting, ["patch Machine/w"], "nothing but its own finalizer is left");
}

/// A new Machine whose parts are still the set's that made them.
fn with_new_parts(change: impl FnOnce(&mut Object)) -> Manager {
    let set = Meta { uid: Uid(7), ..Meta::new(Kind::MachineSet, "default", "ms") };
    let mut config = config(false);
    config.meta = config.meta.owned_by(&set);
    let meta = Meta::new(Kind::InfraMachine, "default", "w").owned_by(&set);
    let mut bench = manager(kubeadm(), &[config, Object::new(meta, InfraMachine::default())]);
    let mut new = machine(|object| object.meta.uid = Uid(9));
    change(&mut new);
    bench.shows(WatchKind::Added, new);
    think(&mut bench);
    bench
}

#[test]
fn a_machine_takes_over_what_was_made_before_it() {
    let mut bench = with_new_parts(|_| {});
    for part in ["patch KubeadmConfig/w", "patch InfraMachine/w"] {
        let owners = bench.grant(part).meta.owners.clone();
        let [owner] = &owners[..] else { panic!("{part}: {owners:?}") };
        assert_eq!((owner.kind, owner.uid, owner.controller), (Kind::Machine, Uid(9), true));
        think(&mut bench);
    }
    assert_eq!(bench.waiting(), ["patch Machine/w"]);
}

#[test]
fn a_machine_that_goes_takes_over_nothing() {
    let bench = with_new_parts(|new| {
        new.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
    });
    let waiting = bench.waiting();
    assert!(!waiting.iter().any(|what| what.starts_with("patch KubeadmConfig")), "{waiting:?}");
}
