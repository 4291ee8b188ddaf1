//! Managers that work while they lead, and not before: events in, effects out.

use super::election::Standing;
use super::election_tests::DEFAULTS;
use super::{Alarm, Elected, Manager, manager_lock};
use crate::api::kinds::Lease;
use crate::api::{Answer, ApiError, Meta, Object, Verb};
use crate::engine::Text;
use crate::infra::testbed::{Testbed, requests};
use crate::infra::{Address, Ctx, Effect, Input, Port, Start};
use crate::wire::Message;
use std::sync::Arc;

/// What a manager was told, in words.
#[derive(Default)]
struct Told(Vec<&'static str>);

impl Manager for Told {
    type Event = Alarm;

    fn alarm(event: &Alarm) -> Option<Alarm> {
        Some(*event)
    }

    fn on_event(&mut self, input: Input<Alarm>, _: &mut Ctx<Alarm>) {
        self.0.push(match input {
            Input::Started(Start::Steady) => "has long run",
            Input::Started(Start::Fresh) => "starts",
            _ => "something else",
        });
    }
}

fn one_of_several(standing: Standing) -> Elected<Told> {
    let lock = manager_lock("capi-system", "controller-leader-election-capi");
    Elected::among_others(Told::default(), (Address::Here(Port(1)), lock), DEFAULTS, standing)
}

fn play(elected: &mut Elected<Told>, bed: &mut Testbed<Alarm>, input: Input<Alarm>) -> Vec<Verb> {
    let effects: Vec<Effect<Alarm>> = bed.play(|ctx| elected.on_event(input, ctx));
    requests(&effects).into_iter().map(|(_, request)| request.verb).collect()
}

#[test]
fn one_that_elects_nobody_works_at_once() {
    let (mut elected, mut bed) = (Elected::alone(Told::default()), Testbed::new("capi", "a"));
    play(&mut elected, &mut bed, Input::Started(Start::Fresh));
    assert_eq!(elected.manager.0, ["starts"]);
}

#[test]
fn who_has_led_for_long_works_and_who_has_waited_hears_of_nothing() {
    for (standing, told) in [(Standing::Leader, "has long run"), (Standing::Standby, "")] {
        let (mut elected, mut bed) = (one_of_several(standing), Testbed::new("capi", "a"));
        play(&mut elected, &mut bed, Input::Started(Start::Steady));
        play(&mut elected, &mut bed, Input::FileChanged(Text::word("/etc/hosts")));
        let all: Vec<&str> =
            [told, "something else"].into_iter().filter(|_| !told.is_empty()).collect();
        assert_eq!(elected.manager.0, all);
    }
}

#[test]
fn a_new_one_starts_when_it_is_elected() {
    let (mut elected, mut bed) = (one_of_several(Standing::Leader), Testbed::new("capi", "a"));
    let effects = bed.play(|ctx| elected.on_event(Input::Started(Start::Fresh), ctx));
    let (connection, look) = requests(&effects).pop().expect("it looks at its Lease");
    let Verb::Get(key) = &look.verb else { panic!("{look:?}") };
    assert_eq!((&*key.namespace, &*key.name), ("capi-system", "controller-leader-election-capi"));
    let nobody = Message::Answer(look.id, Err(ApiError::not_found(key)));
    let effects = bed.play(|ctx| elected.on_event(Input::Message(connection, nobody), ctx));
    assert!(elected.manager.0.is_empty(), "not before it holds it");
    let (connection, create) = requests(&effects).pop().expect("it writes its name");
    let made =
        Object::new(Meta::new(key.kind, key.namespace.clone(), key.name.clone()), Lease::default());
    let made = Message::Answer(create.id, Ok(Answer::Object(Arc::new(made))));
    play(&mut elected, &mut bed, Input::Message(connection, made));
    assert_eq!(elected.manager.0, ["starts"]);
}
