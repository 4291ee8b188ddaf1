//! Tasks: what they do, that they do it once, and that they see what others do to VMs.

use super::*;
use crate::infra::testbed::{Testbed, timers};
use crate::infra::{
    Broken, Datacenter, Effect, KeepAlives, Latency, Power, ProcessId, Retransmission, Vm, VmId,
};

const CLIENT: ConnectionId = ConnectionId { client: ProcessId(3), count: 1 };

struct Vcenter {
    hypervisor: Hypervisor,
    bed: Testbed<Event>,
}

impl Vcenter {
    /// A datacenter with one VM, `worker-0`, that is on.
    fn new() -> Vcenter {
        let fixed = |seconds| Delay::fixed(Duration::from_secs(seconds));
        let settings = Settings {
            find: fixed(1),
            clone_and_power_on: fixed(60),
            power_on: fixed(3),
            boot: fixed(20),
            delete: fixed(5),
            hosts: HostWatch {
                heartbeat: Duration::ZERO,
                limit: Duration::from_secs(60),
                reconnect: fixed(4),
            },
        };
        let latency = Latency { between_vms: Delay::default(), loopback: Delay::default() };
        let keep_alives = KeepAlives::none();
        let mut vcenter =
            Vcenter { hypervisor: Hypervisor::new(settings), bed: Testbed::new("vcenter", "vc") };
        vcenter.bed.datacenter =
            Some(Datacenter::new(latency, keep_alives, Retransmission::default(), 0));
        vcenter.add("worker-0");
        vcenter
    }

    fn datacenter(&mut self) -> &mut Datacenter {
        self.bed.datacenter.as_mut().expect("put there by new")
    }

    fn add(&mut self, name: &'static str) {
        let mut vm = Vm::new(name);
        vm.power = Power::On;
        vm.booted = true;
        self.datacenter().add_vm(vm);
    }

    fn play(&mut self, input: Input<Event>) -> Vec<Effect<Event>> {
        let hypervisor = &mut self.hypervisor;
        self.bed.play(|ctx| hypervisor.on_event(input, ctx))
    }

    fn ask(&mut self, request: DatacenterRequest) -> Vec<Effect<Event>> {
        self.play(Input::Message(CLIENT, Message::Datacenter(1, Box::new(request))))
    }

    /// Asks, and lets the task run; returns how long it took and what it did.
    fn run(&mut self, request: DatacenterRequest) -> (u64, Vec<Effect<Event>>) {
        let effects = self.ask(request);
        assert_eq!(ended(&effects), None, "a task takes its time");
        let (delay, due) = timers(&effects).remove(0);
        (delay.as_secs(), self.play(Input::Due(due)))
    }
}

fn clone(vm: &'static str, uuid: Option<Text>) -> DatacenterRequest {
    DatacenterRequest::Clone { vm: Text::word(vm), uuid, user_data: Text::word("join") }
}

fn find(vm: &'static str) -> DatacenterRequest {
    DatacenterRequest::Find { vm: Text::word(vm) }
}

fn ended(effects: &[Effect<Event>]) -> Option<TaskEnd> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(CLIENT, Message::DatacenterTask(1, end)) => Some(end.clone()),
        _ => None,
    })
}

fn created(effects: &[Effect<Event>]) -> (Text, u64) {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Datacenter(VmAction::CreateAndPowerOn { uuid, boot, .. }) => {
            Some((uuid.clone(), boot.as_secs()))
        }
        _ => None,
    });
    found.expect("a VM is made")
}

#[test]
fn a_clone_takes_its_time_and_then_there_is_a_vm_that_boots() {
    let mut vcenter = Vcenter::new();
    let (took, effects) = vcenter.run(clone("w", Some(Text::word("as-asked"))));
    assert_eq!((took, ended(&effects)), (60, Some(TaskEnd::Done)));
    assert_eq!(created(&effects), (Text::word("as-asked"), 20));
    vcenter.add("w");
    let effects = vcenter.ask(clone("w", None));
    assert_eq!(ended(&effects), Some(TaskEnd::DuplicateName));
}

#[test]
fn a_name_is_taken_as_soon_as_its_clone_runs() {
    let mut vcenter = Vcenter::new();
    vcenter.ask(clone("w", None));
    assert_eq!(ended(&vcenter.ask(clone("w", None))), Some(TaskEnd::DuplicateName));
}

#[test]
fn a_vm_that_may_be_anything_gets_a_uuid_that_no_other_has() {
    let mut vcenter = Vcenter::new();
    let (_, first) = vcenter.run(clone("w", None));
    let (_, second) = vcenter.run(clone("w", None));
    let (first, second) = (created(&first).0, created(&second).0);
    assert_ne!(first, second);
    assert!(first.starts_with("42") && first.len() == 36, "{first}");
}

#[test]
fn what_is_found_is_what_the_datacenter_has_whoever_changed_it() {
    let mut vcenter = Vcenter::new();
    let facts = |vcenter: &mut Vcenter| match ended(&vcenter.run(find("worker-0")).1) {
        Some(TaskEnd::Found(facts)) => Some((facts.is_on, facts.ip.is_some())),
        _ => None,
    };
    assert_eq!(facts(&mut vcenter), Some((true, true)));
    let mut then = Vec::new();
    vcenter.datacenter().power_off(VmId(0), Default::default(), &mut then);
    assert_eq!(facts(&mut vcenter), Some((false, false)), "without power it has no address");
    vcenter.datacenter().destroy(VmId(0), Default::default(), &mut then);
    assert_eq!(facts(&mut vcenter), None);
    assert_eq!(ended(&vcenter.run(find("nobody")).1), Some(TaskEnd::NotFound));
}

#[test]
fn power_comes_to_a_vm_that_is_off_and_still_there() {
    let mut vcenter = Vcenter::new();
    let on = || DatacenterRequest::PowerOn { vm: Text::word("worker-0") };
    assert_eq!(ended(&vcenter.ask(on())), Some(TaskEnd::Done), "it is on");
    let mut then = Vec::new();
    vcenter.datacenter().power_off(VmId(0), Default::default(), &mut then);
    let (took, effects) = vcenter.run(on());
    let acts = |e: &Effect<Event>| matches!(e, Effect::Datacenter(VmAction::PowerOn { .. }));
    assert!(took == 3 && effects.iter().any(acts));
    let due = timers(&vcenter.ask(on())).remove(0).1;
    vcenter.datacenter().destroy(VmId(0), Default::default(), &mut then);
    assert_eq!(ended(&vcenter.play(Input::Due(due))), Some(TaskEnd::NotFound));
}

#[test]
fn a_destroyed_vm_loses_its_power_at_once_and_its_disk_later() {
    let mut vcenter = Vcenter::new();
    let destroy = || DatacenterRequest::Destroy { vm: Text::word("worker-0") };
    let effects = vcenter.ask(destroy());
    assert!(matches!(effects[0], Effect::Datacenter(VmAction::BeginDestroy { .. })));
    let (_, due) = timers(&effects).remove(0);
    let effects = vcenter.play(Input::Due(due));
    assert!(matches!(effects[0], Effect::Datacenter(VmAction::Destroy { .. })));
    vcenter.datacenter().destroy(VmId(0), Default::default(), &mut Vec::new());
    let effects = vcenter.ask(destroy());
    assert_eq!(ended(&effects), Some(TaskEnd::Done), "one that is not there is well deleted");
}

#[test]
fn nobody_powers_a_vm_on_that_is_being_deleted() {
    let mut vcenter = Vcenter::new();
    let name = || Text::word("worker-0");
    vcenter.datacenter().power_off(VmId(0), Default::default(), &mut Vec::new());
    let begun = vcenter.ask(DatacenterRequest::PowerOn { vm: name() });
    let (_, due) = timers(&begun).remove(0);
    vcenter.ask(DatacenterRequest::Destroy { vm: name() });
    let late = vcenter.ask(DatacenterRequest::PowerOn { vm: name() });
    assert_eq!(ended(&late), Some(TaskEnd::TaskInProgress));
    let effects = vcenter.play(Input::Due(due));
    assert_eq!(ended(&effects), Some(TaskEnd::TaskInProgress), "begun before");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Datacenter(_))));
}

#[test]
fn subscribers_hear_of_every_change_until_they_go() {
    let mut vcenter = Vcenter::new();
    let told = |effects: &[Effect<Event>]| {
        effects.iter().any(|e| matches!(e, Effect::Send(CLIENT, Message::VmChanged(_))))
    };
    let changed = || Input::VmChanged(Text::word("worker-0"));
    assert!(!told(&vcenter.play(changed())));
    assert_eq!(ended(&vcenter.ask(DatacenterRequest::Subscribe)), Some(TaskEnd::Done));
    assert!(told(&vcenter.play(changed())));
    vcenter.play(Input::Broken(CLIENT, Broken::Lost));
    assert!(!told(&vcenter.play(changed())));
}

/// A vCenter with `worker-0` on its only host.
fn on_a_host() -> Vcenter {
    let mut vcenter = Vcenter::new();
    let host = vcenter.datacenter().add_host("esxi-0");
    let vm = vcenter.datacenter().vm_mut(VmId(0));
    (vm.host, vm.switched_on) = (Some(host), true);
    vcenter
}

impl Vcenter {
    fn lose_host(&mut self) -> Event {
        let host = self.datacenter().host_named("esxi-0").expect("a host");
        for vm in [self.datacenter().host_of(host).machine, VmId(0)] {
            self.datacenter().power_off(vm, Default::default(), &mut Vec::new());
        }
        let effects = self.play(Input::Host(HostNews::Silent(Text::word("esxi-0"))));
        let (pause, due) = timers(&effects).remove(0);
        assert_eq!(pause, Duration::from_secs(60));
        due
    }

    fn find_worker(&mut self) -> VmFacts {
        match ended(&self.run(find("worker-0")).1) {
            Some(TaskEnd::Found(facts)) => facts,
            other => panic!("{other:?}"),
        }
    }
}

fn host_words(effects: &[Effect<Event>]) -> Vec<String> {
    let words = effects.iter().filter_map(|effect| match effect {
        Effect::Trace(Trace::Host(change)) => Some(format!("{} {}", change.name, change.to)),
        _ => None,
    });
    words.collect()
}

#[test]
fn a_host_that_died_is_believed_alive_until_it_was_silent_for_too_long() {
    let mut vcenter = on_a_host();
    vcenter.ask(DatacenterRequest::Subscribe);
    let overdue = vcenter.lose_host();
    let facts = vcenter.find_worker();
    assert!(facts.is_on && facts.is_connected && facts.ip.is_some(), "{facts:?}");
    let effects = vcenter.play(Input::Due(overdue));
    assert_eq!(host_words(&effects), ["esxi-0 notResponding", "worker-0 disconnected"]);
    assert!(effects.iter().any(|e| matches!(e, Effect::Send(CLIENT, Message::VmChanged(_)))));
    assert!(!vcenter.hypervisor.hears("esxi-0"));
    let facts = vcenter.find_worker();
    assert!(facts.is_on && !facts.is_connected, "what was last heard: {facts:?}");
}

#[test]
fn nothing_is_done_to_a_vm_whose_host_does_not_answer() {
    let mut vcenter = on_a_host();
    let overdue = vcenter.lose_host();
    let destroy = || DatacenterRequest::Destroy { vm: Text::word("worker-0") };
    let (_, effects) = vcenter.run(destroy());
    assert_eq!(
        ended(&effects),
        Some(TaskEnd::HostNotConnected),
        "it is asked, and does not answer"
    );
    assert!(matches!(effects[0], Effect::Datacenter(VmAction::EndDestroy { .. })));
    let (_, effects) = vcenter.run(clone("new", None));
    assert_eq!(ended(&effects), Some(TaskEnd::HostNotConnected), "it is believed connected");
    vcenter.play(Input::Due(overdue));
    let on = DatacenterRequest::PowerOn { vm: Text::word("worker-0") };
    assert_eq!(ended(&vcenter.ask(on)), Some(TaskEnd::HostNotConnected));
    assert_eq!(ended(&vcenter.ask(destroy())), Some(TaskEnd::HostNotConnected));
    let (_, effects) = vcenter.run(clone("new", None));
    assert_eq!(ended(&effects), Some(TaskEnd::NoCompatibleHost));
}

#[test]
fn a_host_that_is_heard_again_is_connected_a_little_later() {
    let mut vcenter = on_a_host();
    let overdue = vcenter.lose_host();
    vcenter.play(Input::Due(overdue));
    let host = vcenter.datacenter().host_named("esxi-0").expect("a host");
    let machine = vcenter.datacenter().host_of(host).machine;
    let machine = vcenter.datacenter().vm_mut(machine);
    (machine.power, machine.booted) = (Power::On, true);
    let effects = vcenter.play(Input::Host(HostNews::Heard(Text::word("esxi-0"))));
    let (pause, back) = timers(&effects).remove(0);
    assert_eq!(pause, Duration::from_secs(4));
    assert!(!vcenter.find_worker().is_connected);
    let effects = vcenter.play(Input::Due(back));
    assert_eq!(host_words(&effects), ["esxi-0 connected", "worker-0 connected"]);
    let facts = vcenter.find_worker();
    assert!(facts.is_connected && !facts.is_on, "now it is seen as it is: {facts:?}");
}

#[test]
fn a_host_that_is_heard_in_time_was_never_lost() {
    let mut vcenter = on_a_host();
    let overdue = vcenter.lose_host();
    vcenter.play(Input::Host(HostNews::Heard(Text::word("esxi-0"))));
    assert_eq!(host_words(&vcenter.play(Input::Due(overdue))), Vec::<String>::new());
    assert!(vcenter.hypervisor.hears("esxi-0"));
}
