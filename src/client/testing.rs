//! A component under test with an API server played by hand: lists are answered from what the test
//! says exists, writes are shown to the test, which answers them.

use super::{RecorderSettings, RetrySettings, UnansweredPings};
use crate::api::{
    Answer, Answered, ApiError, Kind, Object, Request, Revision, Verb, WatchEvent, WatchKind,
};
use crate::engine::Duration;
use crate::infra::testbed::Testbed;
use crate::infra::{ConnectionId, Ctx, Effect, Input, Start};
use crate::wire::{DatacenterRequest, Message, TaskEnd};
use std::sync::Arc;

/// The defaults.
pub const RECORDER: RecorderSettings =
    RecorderSettings { tries: 12, pause: Duration::from_secs(10), queue: 1000 };
pub const RETRIES: RetrySettings = RetrySettings {
    limit: 10,
    pause: Duration::from_secs(1),
    unanswered_pings: UnansweredPings::Fail,
};

/// A component, its host, and the requests that wait for an answer.
pub struct Bench<C, E> {
    pub component: C,
    pub bed: Testbed<E>,
    react: fn(&mut C, Input<E>, &mut Ctx<E>),
    /// Requests without an answer, oldest first.
    pub asked: Vec<(ConnectionId, Request)>,
    /// Timers that were set and have not been played.
    pub timers: Vec<(Duration, E)>,
    /// Requests to the datacenter's management without an end, oldest first.
    pub calls: Vec<(ConnectionId, u32, DatacenterRequest)>,
    /// All lines that were logged.
    pub lines: Vec<String>,
    watches: Vec<(Kind, ConnectionId, u32)>,
    revision: u64,
    /// Whether elections are won at once; else their requests are shown like all others.
    pub elects: bool,
}

impl<C, E: Clone> Bench<C, E> {
    /// A component that is started and has listed these objects.
    pub fn started(
        component: C,
        program: &'static str,
        react: fn(&mut C, Input<E>, &mut Ctx<E>),
        start: Start,
        objects: &[Object],
    ) -> Bench<C, E> {
        let mut bench = Bench {
            component,
            bed: Testbed::new(program, "control-plane-0"),
            react,
            asked: Vec::new(),
            timers: Vec::new(),
            calls: Vec::new(),
            lines: Vec::new(),
            watches: Vec::new(),
            revision: 100,
            elects: true,
        };
        bench.play(Input::Started(start));
        bench.list(objects);
        bench
    }

    /// Answers the lists and watches that wait: these are the objects that there are.
    pub fn list(&mut self, objects: &[Object]) {
        while let Some(at) = self.asked.iter().position(|(_, request)| is_reflecting(request)) {
            let (connection, request) = self.asked.remove(at);
            let answer = match &request.verb {
                Verb::List(kind, selector, _) => {
                    let listed = objects.iter().filter(|object| object.key().kind == *kind);
                    let listed = listed.filter(|object| selector.matches(object));
                    let items = listed.map(|object| Arc::new(object.clone())).collect();
                    Answer::List(Revision(100), items)
                }
                Verb::Watch(kind, ..) => {
                    self.watches.push((*kind, connection, request.id));
                    Answer::Watching
                }
                _ => continue,
            };
            self.answer(connection, request.id, Ok(answer));
        }
    }

    /// Plays one input and takes up what was asked and set.
    pub fn play(&mut self, input: Input<E>) -> Vec<Effect<E>> {
        let (component, react) = (&mut self.component, self.react);
        let effects = self.bed.play(|ctx| react(component, input, ctx));
        self.asked.extend(crate::infra::testbed::requests(&effects));
        self.timers.extend(crate::infra::testbed::timers(&effects));
        self.lines.extend(crate::infra::testbed::logs(&effects));
        self.calls.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Send(to, Message::Datacenter(number, request)) => {
                Some((*to, *number, (**request).clone()))
            }
            _ => None,
        }));
        self.grant_elections();
        effects
    }

    /// Nobody else stands for election, and the API server answers at once.
    fn grant_elections(&mut self) {
        let elects = self.elects;
        let (elections, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|(_, request)| elects && request.agent == "leader-election");
        self.asked = rest;
        for (connection, request) in elections {
            let answered = match (words(&request).1, &request.verb) {
                (Some(object), _) => Ok(Answer::Object(object)),
                (None, Verb::Get(key)) => Err(ApiError::not_found(key)),
                (None, verb) => panic!("an election {}s", verb.name()),
            };
            self.answer(connection, request.id, answered);
        }
    }

    /// Ends the oldest request to the datacenter's management; returns what it was.
    pub fn end_call(&mut self, end: TaskEnd) -> DatacenterRequest {
        let (from, number, request) = self.calls.remove(0);
        self.play(Input::Message(from, Message::DatacenterTask(number, end)));
        request
    }

    /// Answers a request.
    pub fn answer(&mut self, to: ConnectionId, id: u32, answered: Answered) -> Vec<Effect<E>> {
        self.play(Input::Message(to, Message::Answer(id, answered)))
    }

    /// Shows an object as it is now to whoever watches its kind, in the way that it was written; what
    /// comes of it.
    pub fn shows(&mut self, kind: WatchKind, mut object: Object) -> Vec<Effect<E>> {
        self.revision += 1;
        object.meta.resource_version = Revision(self.revision);
        let of = object.key().kind;
        let watches: Vec<_> =
            self.watches.iter().filter(|(kind, ..)| *kind == of).cloned().collect();
        let mut effects = Vec::new();
        for (_, connection, watch) in watches {
            let event = WatchEvent { watch, kind, object: Arc::new(object.clone()) };
            effects.extend(self.play(Input::Message(connection, Message::Watch(event))));
        }
        effects
    }

    /// Takes the writes that wait, each as `verb Kind/name`, and what they want stored.
    pub fn writes(&mut self) -> Vec<(String, Option<Arc<Object>>)> {
        let (writes, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|(_, request)| request.verb.is_mutating());
        self.asked = rest;
        writes.into_iter().map(|(_, request)| words(&request)).collect()
    }

    /// Answers the oldest request that does this; what it wants is stored as it is.
    pub fn grant(&mut self, what: &str) -> Arc<Object> {
        let at = self.asked.iter().position(|(_, request)| words(request).0 == what);
        let at = at.unwrap_or_else(|| panic!("nobody asked to {what}: {:?}", self.waiting()));
        let (connection, request) = self.asked.remove(at);
        let object = words(&request).1;
        let answer = object.clone().map_or(Answer::Done, Answer::Object);
        self.answer(connection, request.id, Ok(answer));
        object.unwrap_or_else(|| {
            Arc::new(Object::new(
                crate::api::Meta::new(Kind::Lease, "", ""),
                crate::api::kinds::Lease::default(),
            ))
        })
    }

    /// What waits for an answer, in words.
    pub fn waiting(&self) -> Vec<String> {
        self.asked.iter().map(|(_, request)| words(request).0).collect()
    }

    /// Plays the timers that are due after a while, in order, and moves the clock there.
    pub fn pass(&mut self, length: Duration) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.timers).into_iter().partition(|(delay, _)| *delay <= length);
        self.timers =
            later.into_iter().map(|(delay, event)| (delay.saturating_sub(length), event)).collect();
        self.bed.pass(length);
        for (_, event) in due {
            self.play(Input::Due(event));
        }
    }
}

fn is_reflecting(request: &Request) -> bool {
    request.agent == "reflector"
}

/// A request as `verb Kind/name`, with the object that it wants stored.
pub fn words(request: &Request) -> (String, Option<Arc<Object>>) {
    let (key, object) = match &request.verb {
        Verb::Create(object) | Verb::Update(object) => (object.key().clone(), Some(object.clone())),
        Verb::Patch { changed, .. } => (changed.key().clone(), Some(changed.clone())),
        Verb::Get(key) | Verb::Delete { key, .. } | Verb::Evict { key, .. } => (key.clone(), None),
        Verb::Bind { pod, .. } => (pod.clone(), None),
        Verb::Scale { key, .. } => (key.clone(), None),
        Verb::Paths => return ("get /".to_owned(), None),
        Verb::Forward(forward) => {
            return (format!("{:?} {}", forward.call, forward.pod()), None);
        }
        Verb::List(kind, ..) | Verb::Watch(kind, ..) => {
            return (format!("list {}", kind.name()), None);
        }
    };
    (format!("{} {key}", request.verb.name()), object)
}
