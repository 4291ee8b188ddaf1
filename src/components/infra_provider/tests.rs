//! The provider: what it asks of the datacenter, and what it writes when that is done.

use super::*;
use crate::api::kinds::InfraMachine;
use crate::api::{Answer, Deletion, Meta, Request, Revision};
use crate::engine::SimTime;
use crate::infra::testbed::{Testbed, requests, started};
use crate::infra::{Broken, ConnectionId, Effect, EndpointId, Start};
use crate::wire::TaskEnd;

struct Provider {
    provider: InfraProvider,
    bed: Testbed<Event>,
}

impl Provider {
    fn new() -> Provider {
        Provider::with(false)
    }

    fn with(waits_for_bootstrap: bool) -> Provider {
        let client = ClientSettings {
            request_timeout: Duration::from_secs(60),
            retries: crate::client::testing::RETRIES,
            relist_first: Duration::from_millis(800),
            relist_limit: Duration::from_secs(30),
            relist_jitter_percent: 0,
            relist_reset: Duration::from_secs(120),
            recorder: crate::client::testing::RECORDER,
        };
        let settings = Settings {
            client,
            provider_prefix: Text::word("vsphere://"),
            waits_for_bootstrap,
            backoff_first: Duration::from_secs(1),
            backoff_limit: Duration::from_secs(60),
        };
        let [api, vcenter] = [EndpointId(0), EndpointId(2)].map(Address::Endpoint);
        let provider = InfraProvider::new(settings, api, vcenter);
        Provider { provider, bed: Testbed::new("infra-provider", "supervisor-0") }
    }

    fn play(&mut self, input: Input<Event>) -> Vec<Effect<Event>> {
        self.bed.play(|ctx| self.provider.on_event(input, ctx))
    }

    /// Starts it on a list of one object; returns what it does about it.
    fn listing(&mut self, object: Object) -> Vec<Effect<Event>> {
        let effects = self.play(started(Start::Fresh));
        let (connection, list) = requests(&effects).remove(0);
        let list_of = Answer::List(Revision(1), vec![Arc::new(object)]);
        self.play(Input::Message(connection, Message::Answer(list.id, Ok(list_of))))
    }
}

fn infra(change: impl FnOnce(&mut Object)) -> Object {
    let machine = Meta::new(Kind::Machine, "default", "worker-0");
    let meta = Meta::new(Kind::InfraMachine, "default", "worker-0").owned_by(&machine);
    let mut object = Object::new(meta, InfraMachine::default());
    object.meta.finalizers = Arc::new([FINALIZER]);
    change(&mut object);
    object
}

fn task(effects: &[Effect<Event>]) -> Option<(ConnectionId, u32, DatacenterRequest)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(to, Message::Datacenter(n, request)) => Some((*to, *n, (**request).clone())),
        _ => None,
    })
}

fn patch(effects: &[Effect<Event>]) -> Option<Arc<Object>> {
    requests(effects).into_iter().find_map(|(_, request): (_, Request)| match request.verb {
        Verb::Patch { changed, .. } => Some(changed),
        _ => None,
    })
}

#[test]
fn a_new_object_gets_a_finalizer_before_anything_is_made_for_it() {
    let effects = Provider::new().listing(infra(|new| new.meta.finalizers = Arc::new([])));
    assert!(task(&effects).is_none());
    assert_eq!(patch(&effects).expect("a patch").meta.finalizers[..], [FINALIZER]);
}

#[test]
fn until_its_machine_has_taken_it_over_it_is_left_alone() {
    let set = Meta::new(Kind::MachineSet, "default", "ms");
    let of_set = infra(|new| new.meta = new.meta.clone().owned_by(&set));
    let effects = Provider::with(true).listing(of_set.clone());
    assert!(task(&effects).is_none() && patch(&effects).is_none());
    let effects = Provider::new().listing(of_set);
    assert!(task(&effects).is_some(), "one that waits for nobody");
}

#[test]
fn a_vm_is_cloned_then_the_object_is_named_and_then_ready() {
    let mut provider = Provider::new();
    let effects = provider.listing(infra(|_| {}));
    let (to, number, request) = task(&effects).expect("a task");
    assert!(matches!(request, DatacenterRequest::Clone { vm, .. } if vm == "worker-0"));
    let effects = provider.play(Input::Message(to, Message::DatacenterTask(number, TaskEnd::Done)));
    let object = patch(&effects).expect("a patch");
    let body = object.infra_machine().expect("of its kind");
    assert!(!body.ready && body.provider_id == "vsphere://worker-0");
    let named = infra(|new| {
        new.infra_machine_mut().expect("of its kind").provider_id = body.provider_id.clone();
    });
    let effects = Provider::new().listing(named);
    assert!(task(&effects).is_none());
    assert!(patch(&effects).expect("a patch").infra_machine().is_some_and(|infra| infra.ready));
}

#[test]
fn a_provider_that_forgot_its_task_takes_the_vm_of_that_name_for_its_own() {
    let mut provider = Provider::new();
    let effects = provider.listing(infra(|_| {}));
    let (to, number, _) = task(&effects).expect("a task");
    let end = Message::DatacenterTask(number, TaskEnd::DuplicateName);
    assert!(patch(&provider.play(Input::Message(to, end))).is_some());
}

#[test]
fn a_deleted_object_keeps_its_finalizer_until_the_vm_is_gone() {
    let mut provider = Provider::new();
    let deletion = Deletion { at: SimTime::ZERO, grace: Duration::ZERO };
    let effects = provider.listing(infra(|old| old.meta.deletion = Some(deletion)));
    assert!(patch(&effects).is_none());
    let (to, number, request) = task(&effects).expect("a task");
    assert!(matches!(request, DatacenterRequest::Destroy { .. }));
    let effects = provider.play(Input::Message(to, Message::DatacenterTask(number, TaskEnd::Done)));
    assert!(patch(&effects).expect("a patch").meta.finalizers.is_empty());
}

#[test]
fn a_lost_datacenter_is_asked_again_after_a_pause() {
    let mut provider = Provider::new();
    let effects = provider.listing(infra(|_| {}));
    let (to, _, _) = task(&effects).expect("a task");
    let effects = provider.play(Input::Broken(to, Broken::Lost));
    let retry = effects.iter().find_map(|effect| match effect {
        Effect::After(_, pause, event @ Event::Retry(_)) => Some((*pause, event.clone())),
        _ => None,
    });
    let (pause, event) = retry.expect("a retry");
    assert_eq!(pause, Duration::from_secs(1));
    let effects = provider.play(Input::Due(event));
    assert!(task(&effects).is_some_and(|(again, ..)| again != to), "on a new connection");
}

fn machine(data_secret_name: &'static str) -> Object {
    let mut body = crate::api::kinds::Machine::default();
    body.spec.data_secret_name = Text::word(data_secret_name);
    Object::new(Meta::new(Kind::Machine, "default", "worker-0"), body)
}

/// Starts one that waits for bootstrap data, on lists of these.
fn listing_both(provider: &mut Provider, machine: Object) -> Vec<Effect<Event>> {
    let effects = provider.play(started(Start::Fresh));
    let mut last = Vec::new();
    for (connection, request) in requests(&effects) {
        let Verb::List(kind, ..) = &request.verb else { continue };
        let object = if *kind == Kind::Machine { machine.clone() } else { infra(|_| {}) };
        let list = Answer::List(Revision(1), vec![Arc::new(object)]);
        last.extend(
            provider.play(Input::Message(connection, Message::Answer(request.id, Ok(list)))),
        );
    }
    last
}

#[test]
fn no_vm_is_made_before_its_bootstrap_data_are_there() {
    let mut provider = Provider::with(true);
    let effects = listing_both(&mut provider, machine(""));
    assert!(task(&effects).is_none());
    assert!(!requests(&effects).iter().any(|(_, request)| matches!(request.verb, Verb::Get(_))));
}

#[test]
fn a_vm_gets_the_user_data_of_its_machines_secret() {
    let mut provider = Provider::with(true);
    let effects = listing_both(&mut provider, machine("worker-0"));
    let get = requests(&effects).into_iter().find(|(_, it)| matches!(it.verb, Verb::Get(_)));
    let (connection, get) = get.expect("the Secret is read");
    let meta = Meta::new(Kind::Secret, "default", "worker-0");
    let secret = Object::new(meta, crate::api::kinds::Secret::of_user_data(Text::word("join!")));
    let answer = Ok(Answer::Object(Arc::new(secret)));
    let effects = provider.play(Input::Message(connection, Message::Answer(get.id, answer)));
    let (_, _, request) = task(&effects).expect("a task");
    assert!(matches!(request, DatacenterRequest::Clone { user_data, .. } if user_data == "join!"));
}

#[test]
fn bootstrap_data_that_cannot_be_read_are_asked_for_again() {
    let mut provider = Provider::with(true);
    let effects = listing_both(&mut provider, machine("worker-0"));
    let get = requests(&effects).into_iter().find(|(_, it)| matches!(it.verb, Verb::Get(_)));
    let (connection, get) = get.expect("the Secret is read");
    let meta = Meta::new(Kind::Secret, "default", "worker-0");
    let empty = Object::new(meta, crate::api::kinds::Secret::default());
    let answer = Ok(Answer::Object(Arc::new(empty)));
    let effects = provider.play(Input::Message(connection, Message::Answer(get.id, answer)));
    assert!(task(&effects).is_none());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::After(_, _, Event::Retry(_)))));
}
