//! Users: what they ask, when they give up, and what they say of it.

use super::app::AppProber;
use super::deploy::DeployProber;
use super::*;
use crate::api::kinds::Deployment;
use crate::api::{Answer, ApiError, Object, Reason, Request, Verb};
use crate::infra::testbed::{Testbed, requests, started};
use crate::infra::{Address, ConnectionId, Effect, EndpointId, Input, Start};
use crate::wire::{Message, Served};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// What is told of a status, as `FROM TO REASON`.
fn told<E>(effects: &[Effect<E>]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Trace(Trace::Probe(report)) => {
                Some(format!("{} {} {}", report.from, report.to, report.reason))
            }
            _ => None,
        })
        .collect()
}

/// A user of the app `web` at 100 s, who has asked nothing yet.
struct User {
    prober: AppProber,
    bed: Testbed<app::Event>,
    waiting: Vec<ConnectionId>,
    told: Vec<String>,
    timers: Vec<(Duration, app::Event)>,
}

impl User {
    fn new() -> User {
        let settings = app::Settings {
            interval: SECOND,
            timeout: SECOND,
            outage: SECOND * 5,
            calm: SECOND * 30,
        };
        let prober = AppProber::new(settings, Address::Endpoint(EndpointId(9)), &Text::word("web"));
        let bed = Testbed::new("app-prober", "user");
        let (waiting, told, timers) = Default::default();
        let mut user = User { prober, bed, waiting, told, timers };
        user.play(started(Start::Steady));
        user.bed.pass(SECOND * 100);
        user
    }

    fn play(&mut self, input: Input<app::Event>) {
        let prober = &mut self.prober;
        let effects = self.bed.play(|ctx| prober.on_event(input, ctx));
        self.told.extend(told(&effects));
        self.timers.extend(crate::infra::testbed::timers(&effects));
        for effect in effects {
            match effect {
                Effect::Connect(connection, _) => self.waiting.push(connection),
                Effect::Close(closed) => self.waiting.retain(|waiting| *waiting != closed),
                _ => {}
            }
        }
    }

    /// A second passes; the timers that fall due are played.
    fn pass(&mut self) {
        self.bed.pass(SECOND);
        let due = std::mem::take(&mut self.timers);
        for (left, event) in due {
            match left <= SECOND {
                true => self.play(Input::Due(event)),
                false => self.timers.push((left.saturating_sub(SECOND), event)),
            }
        }
    }

    /// Asks, and is answered so, or not at all.
    fn ask(&mut self, served: Option<Served>) {
        self.play(Input::Tick(crate::infra::ActivityId(0)));
        if let Some(served) = served {
            let connection = *self.waiting.last().expect("a request");
            self.play(Input::Message(connection, Message::AppServed(1, served)));
        }
        self.pass();
    }
}

#[test]
fn while_every_request_is_answered_there_is_nothing_to_tell() {
    let mut user = User::new();
    for _ in 0..60 {
        user.ask(Some(Served::Well));
    }
    assert_eq!(user.told, Vec::<String>::new());
    assert!(user.waiting.is_empty(), "each connection is closed");
}

#[test]
fn one_failure_among_successes_is_told_once_and_forgotten_after_a_while() {
    let mut user = User::new();
    user.ask(Some(Served::Well));
    for served in [Served::BadGateway, Served::Well, Served::BadGateway, Served::Well] {
        user.ask(Some(served));
    }
    assert_eq!(user.told, ["ok degraded BadGateway"]);
    for _ in 0..30 {
        user.ask(Some(Served::Well));
    }
    assert_eq!(user.told, ["ok degraded BadGateway", "degraded ok "]);
}

#[test]
fn silence_is_down_five_seconds_after_the_last_answer() {
    let mut user = User::new();
    user.ask(Some(Served::Well));
    let mut down_after = 0;
    while user.told.len() < 2 {
        user.ask(None);
        down_after += 1;
        assert!(down_after < 10, "{:?}", user.told);
    }
    assert_eq!(user.told, ["ok degraded Timeout", "degraded down Timeout"]);
    assert_eq!(down_after, 4, "the last answer came a second before the first silence");
    user.ask(Some(Served::Well));
    assert_eq!(user.told.last().map(String::as_str), Some("down degraded "));
}

#[test]
fn an_app_without_endpoints_is_told_as_such() {
    let mut user = User::new();
    user.ask(Some(Served::Well));
    user.ask(Some(Served::NoEndpoint));
    assert_eq!(user.told, ["ok degraded NoEndpoint"]);
}

/// A user who deploys.
struct Deployer {
    prober: DeployProber,
    bed: Testbed<deploy::Event>,
    asked: Vec<(ConnectionId, Request)>,
    told: Vec<String>,
    timers: Vec<(Duration, deploy::Event)>,
}

impl Deployer {
    /// One who has just begun a try.
    fn trying() -> Deployer {
        let settings = deploy::Settings {
            interval: SECOND * 60,
            poll: SECOND,
            patience: SECOND * 30,
            retries: crate::client::testing::RETRIES,
        };
        let prober = DeployProber::new(settings, Address::Endpoint(EndpointId(1)));
        let (asked, told, timers) = Default::default();
        let bed = Testbed::new("deploy-prober", "user");
        let mut deployer = Deployer { prober, bed, asked, told, timers };
        deployer.play(started(Start::Steady));
        deployer.bed.pass(SECOND * 100);
        deployer.tick();
        deployer
    }

    fn tick(&mut self) {
        self.play(Input::Tick(crate::infra::ActivityId(0)));
    }

    fn play(&mut self, input: Input<deploy::Event>) {
        let prober = &mut self.prober;
        let effects = self.bed.play(|ctx| prober.on_event(input, ctx));
        self.told.extend(told(&effects));
        self.timers.extend(crate::infra::testbed::timers(&effects));
        self.asked.extend(requests(&effects));
    }

    /// Answers the oldest request; which verb it was.
    fn answer(&mut self, answered: Result<Answer, ApiError>) -> &'static str {
        let (connection, request) = self.asked.remove(0);
        let message = Message::Answer(request.id, answered);
        self.play(Input::Message(connection, message));
        request.verb.name()
    }

    fn due(&mut self, which: fn(&deploy::Event) -> bool) {
        let at = self.timers.iter().position(|(_, event)| which(event)).expect("a timer");
        let (pause, event) = self.timers.remove(at);
        self.bed.pass(pause);
        self.play(Input::Due(event));
    }
}

fn deployment(ready: u32) -> Answer {
    let body = Deployment { ready_replicas: ready, ..Deployment::default() };
    let meta = crate::api::Meta::new(crate::api::Kind::Deployment, "probes", "probe-1");
    Answer::Object(Arc::new(Object::new(meta, body)))
}

#[test]
fn what_was_deployed_is_looked_at_until_it_is_ready_and_then_deleted() {
    let mut deployer = Deployer::trying();
    assert_eq!(deployer.answer(Ok(deployment(0))), "create");
    for ready in [0, 1] {
        deployer.due(|event| matches!(event, deploy::Event::Poll(_)));
        assert_eq!(deployer.answer(Ok(deployment(ready))), "get");
    }
    assert_eq!(deployer.answer(Ok(Answer::Done)), "delete");
    assert_eq!(deployer.told, Vec::<String>::new(), "that it works is no news");
}

#[test]
fn what_is_not_ready_in_time_has_failed_and_goes_as_well() {
    let mut deployer = Deployer::trying();
    deployer.answer(Ok(deployment(0)));
    deployer.due(|event| matches!(event, deploy::Event::GiveUp(_)));
    assert_eq!(deployer.told, ["ok down Timeout"]);
    assert_eq!(deployer.answer(Ok(Answer::Done)), "delete");
}

#[test]
fn what_could_not_be_deleted_is_deleted_before_the_next_try() {
    let mut deployer = Deployer::trying();
    let refused = || ApiError::new(Reason::InternalError, "no");
    deployer.answer(Err(refused()));
    assert_eq!(deployer.told, ["ok down InternalError"]);
    assert_eq!(deployer.answer(Err(refused())), "delete");
    deployer.tick();
    let verbs: Vec<&str> = deployer.asked.iter().map(|(_, request)| request.verb.name()).collect();
    assert_eq!(verbs, ["delete", "create"]);
    let Verb::Create(object) = &deployer.asked[1].1.verb else { panic!("a creation") };
    assert_eq!(object.name().as_str(), "probe-2");
}

/// A user of the API of `control-plane-1` at 100 s, who has asked nothing yet.
struct ApiUser {
    prober: super::api::ApiProber,
    bed: Testbed<super::api::Event>,
    told: Vec<String>,
}

impl ApiUser {
    fn new(way: super::api::Way) -> ApiUser {
        let settings = super::api::Settings {
            interval: SECOND,
            timeout: SECOND * 5,
            outage: SECOND * 5,
            calm: SECOND * 30,
        };
        let prober = super::api::ApiProber::new(settings, way);
        let mut user = ApiUser { prober, bed: Testbed::new("api-prober", "user"), told: vec![] };
        user.play(started(Start::Steady));
        user.bed.pass(SECOND * 100);
        user
    }

    fn pinned() -> ApiUser {
        let port = crate::infra::Port(6443);
        ApiUser::new(super::api::Way::Pinned(Text::word("control-plane-1"), port))
    }

    /// Plays an input; the connections that were opened, used and closed, as `open 1`.
    fn play(&mut self, input: Input<super::api::Event>) -> Vec<String> {
        let prober = &mut self.prober;
        let effects = self.bed.play(|ctx| prober.on_event(input, ctx));
        self.told.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Trace(Trace::Probe(told)) => {
                Some(format!("{} {} {}", told.field, told.to, told.message).trim().to_owned())
            }
            _ => None,
        }));
        let words = effects.iter().filter_map(|effect| match effect {
            Effect::ConnectToVm(id, vm, _) => Some(format!("open {} to {vm}", id.count)),
            Effect::Connect(id, _) => Some(format!("open {}", id.count)),
            Effect::Send(id, _) => Some(format!("ask {}", id.count)),
            Effect::Close(id) => Some(format!("close {}", id.count)),
            _ => None,
        });
        words.collect()
    }

    fn ask(&mut self) -> Vec<String> {
        self.play(Input::Tick(crate::infra::ActivityId(0)))
    }

    fn answer(&mut self, connection: u32, id: u32, answered: Result<(), ApiError>) -> Vec<String> {
        let on = ConnectionId { client: crate::infra::ProcessId(0), count: connection };
        let answered = answered.map(|()| Answer::Watching);
        self.play(Input::Message(on, Message::Answer(id, answered)))
    }
}

#[test]
fn a_pinned_user_of_the_api_stays_on_his_connection_until_it_breaks() {
    let mut user = ApiUser::pinned();
    assert_eq!(user.ask(), ["open 1 to control-plane-1", "ask 1"]);
    assert_eq!(user.answer(1, 1, Ok(())), [""; 0]);
    assert_eq!(user.ask(), ["ask 1"]);
    let on = ConnectionId { client: crate::infra::ProcessId(0), count: 1 };
    user.play(Input::Broken(on, crate::infra::Broken::Reset));
    let reset = "response Reset read: connection reset by peer";
    assert_eq!(user.told, [reset, "status degraded read: connection reset by peer"]);
    assert_eq!(user.ask(), ["open 2 to control-plane-1", "ask 2"]);
}

#[test]
fn a_user_who_connects_anew_each_time_closes_what_he_opened() {
    let endpoint = Address::Endpoint(EndpointId(1));
    let mut user = ApiUser::new(super::api::Way::Fresh(endpoint));
    assert_eq!(user.ask(), ["open 1", "ask 1"]);
    assert_eq!(user.ask(), ["open 2", "ask 2"]);
    assert_eq!(user.answer(1, 1, Ok(())), ["close 1"]);
    assert_eq!(user.answer(2, 2, Ok(())), ["close 2"]);
    assert_eq!(user.told, [""; 0]);
}

#[test]
fn what_the_api_answers_is_told_when_it_becomes_another_answer() {
    let mut user = ApiUser::pinned();
    let failed = || Err(ApiError::new(Reason::InternalError, "etcdserver: request timed out"));
    user.ask();
    user.answer(1, 1, Ok(()));
    for id in 2..=4 {
        user.ask();
        user.answer(1, id, failed());
        user.bed.pass(SECOND);
    }
    let told = [
        "response InternalError etcdserver: request timed out",
        "status degraded etcdserver: request timed out",
    ];
    assert_eq!(user.told, told);
    user.bed.pass(SECOND * 5);
    user.ask();
    user.answer(1, 5, failed());
    assert_eq!(user.told[2..], ["status down etcdserver: request timed out"]);
    user.ask();
    user.answer(1, 6, Ok(()));
    assert_eq!(user.told[3..], ["response 200", "status degraded"]);
}

#[test]
fn an_answer_that_does_not_come_is_a_failure_after_the_users_patience() {
    let mut user = ApiUser::pinned();
    user.ask();
    user.bed.pass(SECOND * 5);
    user.play(Input::Due(super::api::Event::GiveUp(1)));
    assert_eq!(user.told[0], "response Timeout no answer within 5s");
    // What comes later counts no more.
    user.answer(1, 1, Ok(()));
    assert_eq!(user.told.len(), 2, "{:?}", user.told);
}
