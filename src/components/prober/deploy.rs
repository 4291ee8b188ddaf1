//! A user who creates a Deployment of one Pod every so often, waits until it is ready, and deletes
//! it again: "deploying is still working".
//!
//! ```text
//! tick ── create ── get, each second ─ ready ──> delete        no answer, not ready in time: failed
//! ```
//! What could not be deleted is deleted before the next try. Its objects live in a namespace of
//! their own, which nobody writes down: a user's tries are no news.

use super::{Outcome, Standing};
use crate::api::kinds::{Deployment, PodTemplate, Resources};
use crate::api::{
    Answer, Answered, ApiError, Kind, Meta, Object, ObjectKey, PROBES, Reason, Verb, labels,
};
use crate::client::{Alarm, Api, Incoming, RetrySettings};
use crate::engine::{Activity, Duration, Path, Phase, Rhythm, SimTime, Text};
use crate::infra::{ActivityId, Address, Ctx, Input};
use std::collections::VecDeque;
use std::sync::Arc;

/// How the user deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub interval: Duration,
    /// Between two looks whether it is ready.
    pub poll: Duration,
    /// After how long a try without success has failed.
    pub patience: Duration,
    pub retries: RetrySettings,
}

/// What the user reacts to besides messages and ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// Time to look at the Deployment of this try.
    Poll(u32),
    /// The try of this number has had its time.
    GiveUp(u32),
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Creation(u32),
    Look(u32),
    Deletion(Text),
}

/// The user.
#[derive(Clone, Debug)]
pub struct DeployProber {
    settings: Settings,
    api: Api<Asked>,
    probe: Text,
    tries: u32,
    /// The try under way, and when it began.
    current: Option<(u32, SimTime)>,
    /// Deployments that are to be deleted.
    leftover: VecDeque<Text>,
    standing: Standing,
}

const DEPLOY: ActivityId = ActivityId(0);
const AGENT: &str = "deploy-prober";
/// The image of the Pods that it has made.
pub const IMAGE: &str = "probe";

impl DeployProber {
    /// A user of this cluster.
    pub fn new(settings: Settings, server: Address) -> DeployProber {
        DeployProber {
            api: Api::new(0, server, settings.patience, settings.retries),
            settings,
            probe: Text::word("deploy"),
            tries: 0,
            current: None,
            leftover: VecDeque::new(),
            // One try says it all.
            standing: Standing::new(Duration::ZERO, Duration::ZERO),
        }
    }

    /// What his tries are called in a timeline.
    pub fn probe(&self) -> &Text {
        &self.probe
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(_) => {
                let activity = Activity {
                    rule: "the user deploys at intervals",
                    period: self.settings.interval,
                    jitter_percent: 0,
                    rhythm: Rhythm::Ticker,
                    path: Path::Server,
                };
                ctx.every(DEPLOY, activity, Phase::Stationary);
            }
            Input::Tick(_) => self.begin(ctx),
            Input::Message(from, message) => {
                if let Some(incoming) = self.api.on_message(ctx, from, message) {
                    self.take(incoming, ctx);
                }
            }
            Input::Broken(connection, how) => {
                for incoming in self.api.on_broken(ctx, connection, how) {
                    self.take(incoming, ctx);
                }
            }
            Input::Due(Event::Client(alarm)) => {
                for incoming in self.api.on_alarm(ctx, alarm.ring) {
                    self.take(incoming, ctx);
                }
            }
            Input::Due(Event::Poll(number)) => self.look(number, ctx),
            Input::Due(Event::GiveUp(number)) => {
                let words = format!("not ready within {}", self.settings.patience);
                self.ended(number, ctx, |took| Outcome::failure("Timeout", words, took));
            }
            Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
    }

    fn begin(&mut self, ctx: &mut Ctx<Event>) {
        while let Some(name) = self.leftover.pop_front() {
            self.delete(name, ctx);
        }
        if self.current.is_some() {
            return; // The last try still waits.
        }
        // Each try is a command of its own, with a connection of its own.
        self.api.disconnect(ctx);
        self.tries += 1;
        self.current = Some((self.tries, ctx.now()));
        let verb = Verb::Create(Arc::new(deployment(self.tries)));
        self.api.send(ctx, AGENT, verb, Asked::Creation(self.tries));
        ctx.after("users.deployPatience", self.settings.patience, Event::GiveUp(self.tries));
    }

    fn look(&mut self, number: u32, ctx: &mut Ctx<Event>) {
        if self.is_current(number) {
            let verb = Verb::Get(key(name(number)));
            self.api.send(ctx, AGENT, verb, Asked::Look(number));
        }
    }

    fn take(&mut self, incoming: Incoming<Asked>, ctx: &mut Ctx<Event>) {
        let Incoming::Answer(asked, answered) = incoming else { return };
        match (asked, answered) {
            // It was given up meanwhile, and deleted before it was there.
            (Asked::Creation(number), Ok(_)) if !self.is_current(number) => {
                self.delete(name(number), ctx);
            }
            (Asked::Creation(number), Ok(_)) => {
                ctx.after("users.deployPoll", self.settings.poll, Event::Poll(number));
            }
            (Asked::Creation(number) | Asked::Look(number), Err(error)) => {
                self.failed(number, &error, ctx);
            }
            (Asked::Look(number), answered) => match is_ready(&answered) {
                true => self.ended(number, ctx, Outcome::success),
                false => ctx.after("users.deployPoll", self.settings.poll, Event::Poll(number)),
            },
            (Asked::Deletion(name), Err(error)) if error.reason != Reason::NotFound => {
                self.leftover.push_back(name);
            }
            (Asked::Deletion(_), _) => {}
        }
    }

    fn failed(&mut self, number: u32, error: &ApiError, ctx: &mut Ctx<Event>) {
        let words = error.message.clone();
        self.ended(number, ctx, |took| Outcome::failure(error.reason.as_str(), words, took));
    }

    /// The try is over, if it is still under way: what it made goes.
    fn ended(&mut self, number: u32, ctx: &mut Ctx<Event>, how: impl FnOnce(Duration) -> Outcome) {
        let Some((_, begun)) = self.current.filter(|(current, _)| *current == number) else {
            return;
        };
        self.current = None;
        let outcome = how(ctx.now().since(begun));
        self.standing.note(&self.probe, outcome, ctx);
        self.delete(name(number), ctx);
    }

    fn delete(&mut self, name: Text, ctx: &mut Ctx<Event>) {
        let verb = Verb::Delete { key: key(name.clone()), grace: None, uid: None };
        self.api.send(ctx, AGENT, verb, Asked::Deletion(name));
    }

    fn is_current(&self, number: u32) -> bool {
        self.current.is_some_and(|(current, _)| current == number)
    }
}

fn is_ready(answered: &Answered) -> bool {
    let Ok(Answer::Object(object)) = answered else { return false };
    object.deployment().is_some_and(|deployment| deployment.ready_replicas >= 1)
}

fn name(number: u32) -> Text {
    Text::from(format!("probe-{number}"))
}

fn key(name: Text) -> ObjectKey {
    ObjectKey { kind: Kind::Deployment, namespace: PROBES, name }
}

/// A Deployment of one small Pod.
fn deployment(number: u32) -> Object {
    let app = labels([("app", name(number))]);
    let template = PodTemplate {
        labels: app.clone(),
        image: Text::word(IMAGE),
        requests: Resources { cpu_millis: 10, memory_mib: 16, pods: 1 },
        grace: Duration::from_secs(1),
        ..PodTemplate::default()
    };
    let mut meta = Meta::new(Kind::Deployment, PROBES, name(number));
    meta.labels = app.clone();
    let body = Deployment {
        replicas: 1,
        selector: app,
        template: Arc::new(template),
        ..Deployment::default()
    };
    Object::new(meta, body)
}
