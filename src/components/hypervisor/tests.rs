//! Tasks: what they do, and that they do it once.

use super::*;
use crate::engine::Duration;
use crate::infra::{Effect, ProcessId, testbed::Testbed, testbed::timers};

const CLIENT: ConnectionId = ConnectionId { client: ProcessId(3), count: 1 };

fn hypervisor() -> (Hypervisor, Testbed<Event>) {
    let fixed = |seconds| Delay::fixed(Duration::from_secs(seconds));
    let settings = Settings { clone_and_power_on: fixed(60), boot: fixed(20), delete: fixed(5) };
    let inventory = BTreeSet::from([Text::word("worker-0")]);
    (Hypervisor::new(settings, inventory), Testbed::new("vcenter", "vcenter"))
}

fn ask(request: DatacenterRequest) -> Input<Event> {
    Input::Message(CLIENT, Message::Datacenter(1, request))
}

fn ended(effects: &[Effect<Event>]) -> Option<TaskEnd> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(CLIENT, Message::DatacenterTask(1, end)) => Some(*end),
        _ => None,
    })
}

#[test]
fn a_clone_takes_its_time_and_then_there_is_a_vm_that_boots() {
    let (mut vcenter, mut bed) = hypervisor();
    let clone = DatacenterRequest::Clone { vm: Text::word("w"), user_data: Text::word("join") };
    let effects = bed.play(|ctx| vcenter.on_event(ask(clone.clone()), ctx));
    let (delay, due) = timers(&effects).remove(0);
    assert_eq!((delay, ended(&effects)), (Duration::from_secs(60), None));
    let effects = bed.play(|ctx| vcenter.on_event(Input::Due(due), ctx));
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Datacenter(VmAction::CreateAndPowerOn { boot, .. }) if boot.as_secs() == 20
    )));
    assert_eq!(ended(&effects), Some(TaskEnd::Done));
    let effects = bed.play(|ctx| vcenter.on_event(ask(clone), ctx));
    assert_eq!(ended(&effects), Some(TaskEnd::DuplicateName));
}

#[test]
fn a_destroyed_vm_loses_its_power_at_once_and_its_disk_later() {
    let (mut vcenter, mut bed) = hypervisor();
    let destroy = || ask(DatacenterRequest::Destroy { vm: Text::word("worker-0") });
    let effects = bed.play(|ctx| vcenter.on_event(destroy(), ctx));
    assert!(matches!(effects[0], Effect::Datacenter(VmAction::PowerOff { .. })));
    let (_, due) = timers(&effects).remove(0);
    let effects = bed.play(|ctx| vcenter.on_event(Input::Due(due), ctx));
    assert!(matches!(effects[0], Effect::Datacenter(VmAction::Destroy { .. })));
    let effects = bed.play(|ctx| vcenter.on_event(destroy(), ctx));
    assert_eq!(ended(&effects), Some(TaskEnd::Done), "one that is not there is well deleted");
}
