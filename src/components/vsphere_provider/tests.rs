//! The provider: the VirtualMachine that it writes, and when it calls a Machine ready.

use super::*;
use crate::api::kinds::{
    Condition, InfrastructureRef, Machine, PowerState, Status, VSphereMachine, VirtualMachine,
};
use crate::api::{Deletion, Meta, Object, WatchKind};
use crate::client::Backoff;
use crate::client::testing::Bench;
use crate::engine::{Delay, SimTime, Text};
use crate::infra::{Effect, EndpointId};
use std::sync::Arc;

type Provider = Bench<VSphereProvider, Event>;

fn provider(objects: &[Object]) -> Provider {
    let (secs, millis) = (Duration::from_secs, Duration::from_millis);
    let settings = Settings {
        client: ClientSettings {
            request_timeout: secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: secs(1),
            relist_limit: secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        },
        shell: ShellSettings {
            workers: 10,
            backoff: Backoff::new(millis(5), secs(1000)),
            rules: SHELL_RULES,
            minimum_gap: Duration::ZERO,
            thinking: Delay::fixed(millis(1)),
        },
        requeue: secs(10),
        readiness_port: Some(6443),
        resync: secs(600),
        resync_jitter_percent: 10,
    };
    let provider = VSphereProvider::new(settings, Address::Endpoint(EndpointId(0)));
    let react = VSphereProvider::on_event;
    let program = "capv-controller-manager";
    let mut bench = Bench::started(provider, program, react, Start::Fresh, objects);
    look(&mut bench);
    bench
}

/// Lets it begin, and think.
fn look(bench: &mut Provider) {
    bench.pass(Duration::ZERO);
    bench.pass(Duration::from_millis(1));
}

fn machine() -> Object {
    let mut body = Machine::default();
    body.spec.data_secret_name = Text::word("w-secret");
    body.spec.infrastructure =
        InfrastructureRef { kind: Kind::VSphereMachine, name: Text::word("w") };
    Object::new(Meta::new(Kind::Machine, "default", "w"), body)
}

fn infra(change: impl FnOnce(&mut Object)) -> Object {
    let machine = Meta::new(Kind::Machine, "default", "w");
    let meta = Meta::new(Kind::VSphereMachine, "default", "w").owned_by(&machine);
    let mut object = Object::new(meta, VSphereMachine::default());
    object.meta.finalizers = Arc::new([VSphereMachine::FINALIZER]);
    change(&mut object);
    object
}

fn deleted(object: &mut Object) {
    object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
}

fn virtual_machine(change: impl FnOnce(&mut VirtualMachine)) -> Object {
    let created = Condition::new(VirtualMachine::CREATED, Status::True, "", "", SimTime::ZERO);
    let mut body = VirtualMachine {
        power_wanted: PowerState::PoweredOn,
        bootstrap_secret: Text::word("w-secret"),
        power: PowerState::PoweredOn,
        bios_uuid: Text::word("42-its-own"),
        ip: Text::word("10.0.0.9"),
        conditions: [created].into_iter().collect(),
        ..VirtualMachine::default()
    };
    change(&mut body);
    let meta = Meta::new(Kind::VirtualMachine, "default", "w").owned_by(&infra(|_| {}).meta);
    Object::new(meta, body)
}

/// What it says of the VSphereMachine: state, reason, ready, providerID.
fn says(bench: &mut Provider) -> (String, String, bool, String) {
    let object = bench.grant("patch VSphereMachine/w");
    let body = object.vsphere_machine().expect("of its kind");
    let provisioned = body.conditions.get(&VSphereMachine::PROVISIONED).expect("always said");
    let [state, reason, id] =
        [&body.vm_status, &provisioned.reason, &body.provider_id].map(ToString::to_string);
    (state, reason, body.ready, id)
}

#[test]
fn a_new_object_gets_a_finalizer_first_then_its_virtual_machine() {
    let mut bench = provider(&[machine(), infra(|new| new.meta.finalizers = Arc::new([]))]);
    let held = bench.grant("patch VSphereMachine/w");
    assert_eq!(held.meta.finalizers[..], [VSphereMachine::FINALIZER]);
    let mut bench = provider(&[machine(), infra(|_| {})]);
    let made = bench.grant("create VirtualMachine/w");
    let vm = made.virtual_machine().expect("of its kind");
    assert_eq!(vm.power_wanted, PowerState::PoweredOn);
    assert_eq!(vm.bootstrap_secret, "w-secret");
    assert_eq!(made.meta.controlled_by(Kind::VSphereMachine), Some(&Text::word("w")));
    let (state, reason, ready, _) = says(&mut bench);
    assert_eq!((state.as_str(), reason.as_str(), ready), ("pending", "VMProvisionStarted", false));
}

#[test]
fn without_its_machine_nothing_is_made() {
    assert_eq!(provider(&[infra(|_| {})]).waiting(), [""; 0]);
}

#[test]
fn until_its_machine_has_taken_it_over_it_is_left_alone() {
    let of_set = infra(|new| {
        new.meta.finalizers = Arc::new([]);
        new.meta = new.meta.clone().owned_by(&Meta::new(Kind::MachineSet, "default", "ms"));
    });
    assert_eq!(provider(&[machine(), of_set]).waiting(), [""; 0]);
}

#[test]
fn what_is_missing_is_named_in_its_order_and_looked_for_every_10_s() {
    type Change = fn(&mut VirtualMachine);
    let cases: [(&str, &str, Change); 4] = [
        ("pending", "VMProvisionStarted", |vm| vm.conditions = Default::default()),
        ("created", "PoweringOn", |vm| vm.power = PowerState::PoweredOff),
        ("poweredOn", "WaitingForNetworkAddress", |vm| vm.ip = Text::EMPTY),
        ("poweredOn", "WaitingForBIOSUUID", |vm| vm.bios_uuid = Text::EMPTY),
    ];
    for (state, reason, change) in cases {
        let mut bench = provider(&[machine(), infra(|_| {}), virtual_machine(change)]);
        let said = says(&mut bench);
        assert_eq!(said, (state.to_owned(), reason.to_owned(), false, String::new()));
        assert!(bench.timers.iter().any(|(pause, _)| *pause == Duration::from_secs(10)));
    }
    let mut bench = provider(&[machine(), infra(|_| {}), virtual_machine(|_| {})]);
    let ready = ("ready".to_owned(), String::new(), true, "vsphere://42-its-own".to_owned());
    assert_eq!(says(&mut bench), ready);
}

#[test]
fn a_vm_that_is_off_later_does_not_clear_ready() {
    let ready = infra(|object| {
        let body = object.vsphere_machine_mut().expect("of its kind");
        (body.ready, body.provider_id) = (true, Text::word("vsphere://42-its-own"));
    });
    let off = virtual_machine(|vm| vm.power = PowerState::PoweredOff);
    let mut bench = provider(&[machine(), ready, off]);
    let (state, reason, ready, id) = says(&mut bench);
    assert_eq!((state.as_str(), reason.as_str()), ("created", "PoweringOn"));
    assert!(ready && id == "vsphere://42-its-own");
}

#[test]
fn a_new_uuid_makes_another_provider_id() {
    let ready = infra(|object| {
        let body = object.vsphere_machine_mut().expect("of its kind");
        (body.ready, body.provider_id) = (true, Text::word("vsphere://42-lost"));
    });
    let mut bench = provider(&[machine(), ready, virtual_machine(|_| {})]);
    assert_eq!(says(&mut bench).3, "vsphere://42-its-own");
}

#[test]
fn a_virtual_machine_is_written_only_if_it_differs() {
    let off = virtual_machine(|vm| vm.power_wanted = PowerState::PoweredOff);
    let mut bench = provider(&[machine(), infra(|_| {}), off]);
    let patched = bench.grant("patch VirtualMachine/w");
    let vm = patched.virtual_machine().expect("of its kind");
    assert_eq!(vm.power_wanted, PowerState::PoweredOn);
    let bench = provider(&[machine(), infra(|_| {}), virtual_machine(|_| {})]);
    assert_eq!(bench.waiting(), ["patch VSphereMachine/w"], "else it would wake VM Operator");
}

#[test]
fn a_deleted_object_goes_after_its_virtual_machine() {
    let mut bench = provider(&[machine(), infra(deleted), virtual_machine(|_| {})]);
    bench.grant("delete VirtualMachine/w");
    let held = bench.grant("patch VSphereMachine/w");
    assert!(!held.meta.finalizers.is_empty());
    assert!(bench.timers.iter().any(|(pause, _)| *pause == Duration::from_secs(10)));
    let mut going = virtual_machine(|_| {});
    deleted(&mut going);
    bench.shows(WatchKind::Deleted, going);
    look(&mut bench);
    assert!(bench.grant("patch VSphereMachine/w").meta.finalizers.is_empty());
}

#[test]
fn a_resync_period_is_drawn_once_around_the_wanted_one() {
    let drawn = |jitter, draw| drawn_resync(Duration::from_secs(600), jitter, draw);
    assert_eq!(drawn(0, 77), Duration::from_secs(600));
    assert_eq!(drawn(10, 0), Duration::from_secs(540));
    assert_eq!(drawn(10, u64::MAX).as_secs(), 659);
    let effects = provider(&[]).play(Input::Started(Start::Fresh));
    let period = effects.iter().find_map(|effect| match effect {
        Effect::Arm(RESYNC, period) => Some(*period),
        _ => None,
    });
    let period = period.expect("it begins with a whole period");
    assert!((540..660).contains(&period.as_secs()) && period.as_secs() != 600, "{period}");
}
