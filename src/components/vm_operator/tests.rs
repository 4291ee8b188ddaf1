//! VM Operator: what wakes it, what it does about what it finds, and what it never looks at.

use super::*;
use crate::api::kinds::{PowerState, Status, VirtualMachine};
use crate::api::{Deletion, Meta, Object, WatchKind};
use crate::client::testing::Bench;
use crate::client::{Backoff, ClientSettings, ShellSettings};
use crate::engine::Delay;
use crate::infra::{Broken, Effect, EndpointId};
use crate::wire::VmFacts;
use std::sync::Arc;

pub(super) type Operator = Bench<VmOperator, Event>;

pub(super) fn settings() -> Settings {
    let (secs, millis) = (Duration::from_secs, Duration::from_millis);
    Settings {
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
            workers: 1,
            backoff: Backoff::new(secs(5), secs(1000)),
            rules: SHELL_RULES,
            minimum_gap: Duration::ZERO,
            thinking: Delay::fixed(millis(1)),
        },
        resync: secs(600),
        resync_jitter_percent: 10,
        resync_at: None,
        probe: ProbeSettings { period: secs(10), timeout: secs(10) },
        rules: Rules {
            skips_disconnected: false,
            async_signal: false,
            create_blocks: true,
            max_creations: 16,
            recreate_keeps_uuid: true,
            probes_after_failure: false,
            requeue: secs(10),
        },
    }
}

pub(super) fn operator(settings: Settings, start: Start, objects: &[Object]) -> Operator {
    let [api, vcenter] = [EndpointId(0), EndpointId(2)].map(Address::Endpoint);
    let operator = VmOperator::new(settings, api, vcenter);
    let mut bench =
        Bench::started(operator, "vmop-controller-manager", VmOperator::on_event, start, objects);
    bench.pass(Duration::ZERO);
    bench
}

pub(super) fn vm(name: &'static str, change: impl FnOnce(&mut Object)) -> Object {
    let body = VirtualMachine {
        power_wanted: PowerState::PoweredOn,
        uuid_wanted: Text::word("42-its-own"),
        ..VirtualMachine::default()
    };
    let mut object = Object::new(Meta::new(Kind::VirtualMachine, "default", name), body);
    object.meta.finalizers = Arc::new([VirtualMachine::FINALIZER]);
    change(&mut object);
    object
}

fn deleted(object: &mut Object) {
    object.meta.deletion = Some(Deletion { at: SimTime::ZERO, grace: Duration::ZERO });
}

fn found(is_on: bool, ip: Option<&'static str>) -> TaskEnd {
    let ip = ip.map(Text::word);
    TaskEnd::Found(VmFacts { is_on, uuid: Text::word("42-its-own"), ip, is_connected: true })
}

/// What is asked of the datacenter, oldest first: `clone w`.
fn calls(bench: &Operator) -> Vec<String> {
    let words = |request: &DatacenterRequest| match request {
        DatacenterRequest::Find { vm } => format!("find {vm}"),
        DatacenterRequest::Clone { vm, .. } => format!("clone {vm}"),
        DatacenterRequest::PowerOn { vm } => format!("power on {vm}"),
        DatacenterRequest::Destroy { vm } => format!("destroy {vm}"),
        DatacenterRequest::Subscribe => "subscribe".to_owned(),
    };
    bench.calls.iter().map(|(_, _, request)| words(request)).collect()
}

/// The status that is written next.
fn written(bench: &mut Operator) -> (PowerState, Text, Text) {
    bench.pass(Duration::from_millis(1));
    let object = bench.grant("patch VirtualMachine/w");
    let vm = object.virtual_machine().expect("of its kind");
    assert!(vm.conditions.is(&VirtualMachine::CREATED, Status::True));
    (vm.power, vm.bios_uuid.clone(), vm.ip.clone())
}

#[test]
fn one_that_has_long_been_running_looks_at_nothing_before_its_resync() {
    let mut bench = operator(settings(), Start::Steady, &[vm("w", |_| {})]);
    assert_eq!(calls(&bench), [""; 0], "whatever becomes of the VM, nobody looks");
    bench.play(Input::Tick(RESYNC));
    bench.pass(Duration::ZERO);
    assert_eq!(calls(&bench), ["find w"]);
    let fresh = operator(settings(), Start::Fresh, &[vm("w", |_| {})]);
    assert_eq!(calls(&fresh), ["find w"], "a new process looks at everything");
}

#[test]
fn a_given_resync_comes_when_it_was_given() {
    for (at, first) in [(300, 300), (1_500, 1_500 % 600)] {
        let resync_at = Some(SimTime::ZERO + Duration::from_secs(at));
        let known = Settings { resync_jitter_percent: 0, resync_at, ..settings() };
        let [api, vcenter] = [EndpointId(0), EndpointId(2)].map(Address::Endpoint);
        let operator = VmOperator::new(known, api, vcenter);
        let react = VmOperator::on_event;
        let mut bench = Bench::started(operator, "vmop", react, Start::Fresh, &[]);
        let effects = bench.play(Input::Started(Start::Steady));
        let pause = effects.iter().find_map(|effect| match effect {
            Effect::Arm(RESYNC, pause) => Some(pause.as_secs()),
            _ => None,
        });
        assert_eq!(pause, Some(first));
    }
}

#[test]
fn before_a_given_resync_none_comes_in_the_run_if_a_period_can_be_that_long() {
    let secs = Duration::from_secs;
    for (away, range) in [(300, 540..660), (600, 600..660), (655, 655..660), (700, 540..660)] {
        let resync_at = Some(SimTime::ZERO + secs(away));
        let known = Settings { resync_jitter_percent: 10, resync_at, ..settings() };
        let mut bench = operator(known, Start::Fresh, &[]);
        let [server, datacenter] = [bench.component.server, bench.component.datacenter];
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let mut period = Duration::ZERO;
            bench.bed.play(|ctx| period = VmOperator::new(known, server, datacenter).period(ctx));
            assert!(secs(range.start) <= period && period <= secs(range.end), "{away}: {period}");
            seen.insert(period);
        }
        assert!(seen.len() > 40, "{away}: it is drawn");
    }
}

#[test]
fn a_resync_period_is_drawn_around_the_wanted_one() {
    let mut periods = Vec::new();
    for jitter in [0, 10] {
        let rules = Settings { resync_jitter_percent: jitter, ..settings() };
        let mut bench = operator(rules, Start::Steady, &[]);
        let period = bench.bed.play(|ctx| {
            let period = VmOperator::new(rules, bench.component.server, bench.component.datacenter)
                .period(ctx);
            ctx.after("vmOperator.requeue", period, Event::Subscribe);
        });
        periods.extend(crate::infra::testbed::timers(&period).into_iter().map(|(p, _)| p));
    }
    assert_eq!(periods[0], Duration::from_secs(600));
    let (low, high) = (Duration::from_secs(540), Duration::from_secs(660));
    assert!(periods[1] != periods[0] && (low..high).contains(&periods[1]), "{:?}", periods[1]);
}

#[test]
fn a_new_object_is_held_and_named_before_anything_is_made_for_it() {
    let new = vm("w", |object| {
        object.meta.finalizers = Arc::new([]);
        object.virtual_machine_mut().expect("of its kind").uuid_wanted = Text::EMPTY;
    });
    for keeps in [true, false] {
        let mut rules = settings();
        rules.rules.recreate_keeps_uuid = keeps;
        let mut bench = operator(rules, Start::Fresh, std::slice::from_ref(&new));
        bench.pass(Duration::from_millis(1));
        assert_eq!(calls(&bench), [""; 0]);
        let held = bench.grant("patch VirtualMachine/w");
        assert_eq!(held.meta.finalizers[..], [VirtualMachine::FINALIZER]);
        let uuid = &held.virtual_machine().expect("of its kind").uuid_wanted;
        assert_eq!(!uuid.is_empty(), keeps, "only then it is settled for ever");
    }
}

#[test]
fn a_vm_that_is_not_there_is_made_under_the_same_name_with_the_same_uuid() {
    let mut bench = operator(settings(), Start::Fresh, &[vm("w", |_| {})]);
    bench.end_call(TaskEnd::NotFound);
    assert_eq!(calls(&bench), ["clone w"]);
    let clone = bench.end_call(TaskEnd::Done);
    let DatacenterRequest::Clone { uuid, .. } = clone else { panic!("{clone:?}") };
    assert_eq!(uuid, Some(Text::word("42-its-own")));
    assert_eq!(calls(&bench), ["find w"], "what came of it is looked at");
    bench.end_call(found(true, None));
    let status = written(&mut bench);
    assert_eq!(status, (PowerState::PoweredOn, Text::word("42-its-own"), Text::EMPTY));
    bench.pass(Duration::from_secs(10));
    assert_eq!(calls(&bench), ["find w"], "until it has an address, every 10 s");
}

#[test]
fn a_vm_that_may_be_anything_is_made_without_a_uuid() {
    let mut rules = settings();
    rules.rules.recreate_keeps_uuid = false;
    let mut bench = operator(rules, Start::Fresh, &[vm("w", |_| {})]);
    bench.end_call(TaskEnd::NotFound);
    let clone = bench.end_call(TaskEnd::Done);
    assert!(matches!(clone, DatacenterRequest::Clone { uuid: None, .. }), "{clone:?}");
}

#[test]
fn a_vm_that_is_off_against_its_spec_is_powered_on() {
    let mut bench = operator(settings(), Start::Fresh, &[vm("w", |_| {})]);
    bench.end_call(found(false, None));
    assert_eq!(calls(&bench), ["power on w"]);
    bench.end_call(TaskEnd::Done);
    bench.end_call(found(true, Some("10.0.0.9")));
    assert_eq!(written(&mut bench).2, "10.0.0.9");
    bench.pass(Duration::from_secs(60));
    assert_eq!(calls(&bench), [""; 0], "all is as it should be");
}

#[test]
fn one_that_goes_while_it_is_powered_on_is_tried_again_with_a_pause() {
    let mut bench = operator(settings(), Start::Fresh, &[vm("w", |_| {})]);
    bench.end_call(found(false, None));
    bench.end_call(TaskEnd::NotFound);
    assert_eq!(calls(&bench), [""; 0]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(calls(&bench), ["find w"]);
}

#[test]
fn what_is_well_is_not_written() {
    let well = vm("w", |object| {
        let vm = object.virtual_machine_mut().expect("of its kind");
        vm.power = PowerState::PoweredOn;
        vm.bios_uuid = Text::word("42-its-own");
        vm.ip = Text::word("10.0.0.9");
        vm.conditions.set(crate::api::kinds::Condition::new(
            VirtualMachine::CREATED,
            Status::True,
            "True",
            "",
            SimTime::ZERO,
        ));
    });
    let mut bench = operator(settings(), Start::Fresh, &[well]);
    bench.end_call(found(true, Some("10.0.0.9")));
    bench.pass(Duration::from_millis(1));
    assert!(bench.waiting().is_empty(), "{:?}: it would wake itself for ever", bench.waiting());
}

#[test]
fn a_deleted_object_goes_when_its_vm_is_gone() {
    let mut bench = operator(settings(), Start::Fresh, &[vm("w", deleted)]);
    bench.end_call(found(true, None));
    assert_eq!(calls(&bench), ["destroy w"]);
    bench.end_call(TaskEnd::Done);
    let released = bench.grant("patch VirtualMachine/w");
    assert!(released.meta.finalizers.is_empty());
    let mut bench = operator(settings(), Start::Fresh, &[vm("w", deleted)]);
    bench.end_call(TaskEnd::NotFound);
    bench.grant("patch VirtualMachine/w");
    assert_eq!(calls(&bench), [""; 0], "one that is not there is not made to be destroyed");
}

#[test]
fn one_worker_makes_a_deletion_wait_for_a_creation_unless_creations_block_nobody() {
    for (blocks, waits) in [(true, true), (false, false)] {
        let mut rules = settings();
        rules.rules.create_blocks = blocks;
        let mut bench = operator(rules, Start::Fresh, &[vm("new", |_| {})]);
        bench.end_call(TaskEnd::NotFound);
        assert_eq!(calls(&bench), ["clone new"]);
        bench.shows(WatchKind::Added, vm("old", deleted));
        bench.pass(Duration::ZERO);
        let looks = calls(&bench).contains(&"find old".to_owned());
        assert_eq!(looks, !waits, "creations block: {blocks}");
    }
}

#[test]
fn of_many_vms_so_many_are_made_at_once_and_the_others_looked_at_again() {
    for blocks in [true, false] {
        let mut rules = settings();
        (rules.shell.workers, rules.rules.max_creations) = (20, 1);
        rules.rules.create_blocks = blocks;
        let mut bench = operator(rules, Start::Fresh, &[vm("a", |_| {}), vm("b", |_| {})]);
        let end = |bench: &mut Operator, end| {
            bench.end_call(end);
            bench.pass(Duration::ZERO);
        };
        end(&mut bench, TaskEnd::NotFound);
        end(&mut bench, TaskEnd::NotFound);
        assert_eq!(calls(&bench), ["clone a"], "creations block: {blocks}");
        bench.pass(rules.rules.requeue);
        assert!(calls(&bench).contains(&"find b".to_owned()), "{:?}", calls(&bench));
    }
}

#[test]
fn a_creation_that_blocks_nobody_is_looked_at_when_it_ends_and_not_before() {
    let mut rules = settings();
    rules.rules.create_blocks = false;
    let mut bench = operator(rules, Start::Fresh, &[vm("w", |_| {})]);
    bench.end_call(TaskEnd::NotFound);
    bench.shows(WatchKind::Modified, vm("w", deleted));
    bench.pass(Duration::ZERO);
    assert_eq!(calls(&bench), ["clone w"], "nor is it deleted while it is being made");
    bench.end_call(TaskEnd::Done);
    bench.pass(Duration::ZERO);
    assert_eq!(calls(&bench), ["find w"]);
}

#[test]
fn the_datacenters_events_wake_it_where_it_listens() {
    for listens in [true, false] {
        let mut rules = settings();
        rules.rules.async_signal = listens;
        let mut bench = operator(rules, Start::Steady, &[vm("w", |_| {})]);
        assert_eq!(calls(&bench).contains(&"subscribe".to_owned()), listens);
        if listens {
            let (from, ..) = bench.calls[0];
            bench.end_call(TaskEnd::Done);
            bench.play(Input::Message(from, Message::VmChanged(Text::word("other"))));
            bench.play(Input::Message(from, Message::VmChanged(Text::word("w"))));
            bench.pass(Duration::ZERO);
            assert_eq!(calls(&bench), ["find w"]);
            bench.play(Input::Broken(from, Broken::Lost));
            bench.calls.clear();
            bench.pass(Duration::from_secs(10));
            assert!(calls(&bench).contains(&"subscribe".to_owned()), "and listens again");
        }
    }
}

/// One whose VM is not there, and whose user data is in a Secret.
fn bootstrapped() -> Operator {
    let object = vm("w", |object| {
        let vm = object.virtual_machine_mut().expect("of its kind");
        vm.bootstrap_secret = Text::word("w-secret");
    });
    let mut bench = operator(settings(), Start::Fresh, &[object]);
    bench.end_call(TaskEnd::NotFound);
    bench
}

fn reply(bench: &mut Operator, answered: crate::api::Answered) {
    assert_eq!(bench.waiting(), ["get Secret/w-secret"]);
    let (connection, request) = bench.asked.remove(0);
    bench.answer(connection, request.id, answered);
}

#[test]
fn a_new_disk_gets_the_user_data_that_the_secret_has_however_old() {
    let mut bench = bootstrapped();
    let secret = crate::api::kinds::Secret::of_user_data("kubeadm join with an old token");
    let meta = Meta::new(Kind::Secret, "default", "w-secret");
    let secret = Arc::new(Object::new(meta, secret));
    reply(&mut bench, Ok(crate::api::Answer::Object(secret)));
    let clone = bench.end_call(TaskEnd::Done);
    let DatacenterRequest::Clone { user_data, .. } = clone else { panic!("{clone:?}") };
    assert_eq!(user_data, "kubeadm join with an old token");
}

#[test]
fn without_its_secret_nothing_is_made_and_it_is_tried_again() {
    let mut bench = bootstrapped();
    reply(&mut bench, Err(crate::api::ApiError::unreachable("gone")));
    assert_eq!(calls(&bench), [""; 0]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(calls(&bench), ["find w"]);
}
