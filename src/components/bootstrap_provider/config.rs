//! KubeadmConfig: a token in the workload cluster, then the user data beside the Machine, once.
//!
//! ```text
//! no data    token Secret ─> data Secret ─> ready, dataSecretName
//! no Node    every 5 min: put the token's end off if it is near
//! a Node     nothing, for ever: the token ends by itself, the user data stays as it is
//! ```

use super::Settings;
use crate::api::kinds::{
    BootstrapToken, Cluster, Condition, KubeadmControlPlane, Secret, Status, TokenUsage,
};
use crate::api::{
    Answer, Answered, JoinConfiguration, Kind, Meta, Object, ObjectKey, Reason, Verb,
};
use crate::client::{Outcome, Reconciler, Reply, Step, View};
use crate::engine::{Duration, Purpose, SimTime, Text};
use std::sync::Arc;

/// The controller; it remembers nothing.
#[derive(Clone, Debug)]
pub struct ConfigController {
    settings: Settings,
}

/// Where a reconcile waits.
#[derive(Clone, Debug)]
pub enum State {
    /// The token is in the workload cluster; the user data follows.
    TokenCreated(JoinConfiguration),
    /// The user data is to be written; an earlier try may have done so.
    DataWritten(JoinConfiguration),
    /// The user data of an earlier try is replaced; the KubeadmConfig says that it is there.
    DataReplaced(JoinConfiguration),
    /// The token is being looked at.
    TokenRead,
    /// The last write.
    Last(Outcome),
}

const TOKEN_ID: Purpose = Purpose(0);
const TOKEN_SECRET: Purpose = Purpose(1);

impl ConfigController {
    /// A controller with these numbers.
    pub fn new(settings: Settings) -> ConfigController {
        ConfigController { settings }
    }

    fn create_token(&self, machine: &Object, view: &mut View) -> Step<State> {
        let join = JoinConfiguration {
            node_name: machine.name().clone(),
            control_plane: machine.meta.labels.contains_key(KubeadmControlPlane::LABEL),
            token_id: letters((view.draw)(TOKEN_ID), 6),
            token_secret: Text::from(format!("{:016x}", (view.draw)(TOKEN_SECRET))),
            retry: self.settings.retry,
        };
        let token = BootstrapToken {
            id: join.token_id.clone(),
            secret: join.token_secret.clone(),
            expiration: Some(self.expiration(view.wall_clock())),
            usages: vec![TokenUsage::Signing, TokenUsage::Authentication],
        };
        let meta = Meta::new(Kind::Secret, Secret::TOKEN_NAMESPACE, token.secret_name());
        let secret = Object::new(meta, Secret::of_token(token));
        Step::write_remote(Verb::Create(Arc::new(secret)), State::TokenCreated(join))
    }

    /// Everything that is written in RFC 3339 has whole seconds.
    fn expiration(&self, now: SimTime) -> SimTime {
        (now + self.settings.token_ttl).to_whole_seconds()
    }

    /// The data of an earlier try names a token that nobody keeps alive.
    fn replace_data(&self, config: &Object, join: JoinConfiguration) -> Step<State> {
        let changed = data_secret(config, &join);
        let mut base = changed.clone();
        if let Some(secret) = base.secret_mut() {
            secret.data.clear();
        }
        let verb = Verb::Patch { base: Arc::new(base), changed: Arc::new(changed) };
        Step::write(verb, State::DataReplaced(join))
    }

    fn say_ready(
        &self,
        config: &Arc<Object>,
        join: &JoinConfiguration,
        now: SimTime,
    ) -> Step<State> {
        let mut changed = Object::clone(config);
        let name = config.name().clone();
        if let Some(body) = changed.kubeadm_config_mut() {
            body.token = Text::from(format!("{}.{}", join.token_id, join.token_secret));
            body.data_secret_name = name;
            body.ready = true;
            for kind in ["DataSecretAvailable", "Ready"].map(Text::word) {
                body.conditions.say(Condition::new(kind, Status::True, "", "", now));
            }
        }
        let verb = Verb::Patch { base: config.clone(), changed: Arc::new(changed) };
        Step::write(
            verb,
            State::Last(Outcome::after(
                "clusterApi.bootstrapTokenCheck",
                self.settings.token_check,
            )),
        )
    }

    /// The token's end is put off while the Machine has no Node, and only if it is near.
    fn token_read(&self, answered: Answered, now: SimTime) -> Step<State> {
        let object = match answered {
            Ok(Answer::Object(object)) => object,
            Ok(_) => return Step::done(),
            Err(error) => {
                let what = "failed to get bootstrap token secret in order to refresh it";
                return Step::Done(Outcome::error(format!("{what}: {}", error.message)));
            }
        };
        let again = Outcome::after("clusterApi.bootstrapTokenCheck", self.settings.token_check);
        let token = object.secret().and_then(|secret| secret.token.as_ref());
        let Some(expiration) = token.and_then(|token| token.expiration) else {
            return Step::Done(again);
        };
        let left: Duration = expiration.since(now);
        if left > self.settings.token_refresh_below {
            return Step::Done(again);
        }
        let mut changed = Object::clone(&object);
        if let Some(token) = changed.secret_mut().and_then(|secret| secret.token.as_mut()) {
            token.expiration = Some(self.expiration(now));
        }
        let verb = Verb::Patch { base: object, changed: Arc::new(changed) };
        Step::write_remote(verb, State::Last(again))
    }
}

impl Reconciler for ConfigController {
    type State = State;

    fn agent(&self) -> &'static str {
        "kubeadmconfig-controller"
    }

    fn begin(&mut self, key: &ObjectKey, view: &mut View) -> Step<State> {
        let Some(object) = view.local.get(key).cloned() else { return Step::done() };
        let Some(config) = object.kubeadm_config().filter(|_| !object.meta.is_deleting()) else {
            return Step::done();
        };
        // Until the Machine exists, and has taken it over, nobody asks for its data.
        if object.meta.controlled_by(Kind::Machine).is_none() {
            return Step::done();
        }
        let machine = view.local.named(Kind::Machine, &key.namespace, &key.name).cloned();
        let Some(machine) = machine.filter(|machine| !machine.meta.is_deleting()) else {
            return Step::done();
        };
        let cluster = cluster_of(&machine, view);
        let then = State::Last(Outcome::done());
        if let Some(step) = self.settings.pauses.holds(&object, cluster, then, view) {
            return step;
        }
        if !config.ready {
            return self.create_token(&machine, view);
        }
        if machine.machine().is_none_or(|body| body.node_ref.is_some()) {
            return Step::done();
        }
        let id = config.token.split('.').next().unwrap_or_default();
        let name = Text::from(format!("bootstrap-token-{id}"));
        let key = ObjectKey { kind: Kind::Secret, namespace: Secret::TOKEN_NAMESPACE, name };
        Step::ask_remote(Verb::Get(key), State::TokenRead)
    }

    fn resume(
        &mut self,
        key: &ObjectKey,
        state: State,
        reply: Reply,
        view: &mut View,
    ) -> Step<State> {
        let config = view.local.get(key).cloned();
        match (state, reply, config) {
            (State::Last(outcome), ..) => Step::Done(outcome),
            (State::TokenRead, Reply::Answer(answered), _) => {
                self.token_read(answered, view.wall_clock())
            }
            (State::TokenCreated(join), _, Some(config)) => {
                let secret = data_secret(&config, &join);
                Step::ask(Verb::Create(Arc::new(secret)), State::DataWritten(join))
            }
            (State::DataWritten(join), Reply::Answer(answered), Some(config)) => match answered {
                Ok(_) => self.say_ready(&config, &join, view.wall_clock()),
                Err(error) if error.reason == Reason::AlreadyExists => {
                    self.replace_data(&config, join)
                }
                Err(error) => Step::Done(Outcome::error(error.message)),
            },
            (State::DataReplaced(join), _, Some(config)) => {
                self.say_ready(&config, &join, view.wall_clock())
            }
            _ => Step::done(),
        }
    }
}

/// The Cluster of a Machine. Simplified: without one the real provider waits for it.
fn cluster_of<'a>(machine: &Object, view: &View<'a>) -> Option<&'a Cluster> {
    let name = &machine.machine()?.spec.cluster;
    view.local.named(Kind::Cluster, &machine.key().namespace, name)?.cluster()
}

/// The Secret with a Machine's user data.
fn data_secret(config: &Object, join: &JoinConfiguration) -> Object {
    let key = config.key();
    let meta = Meta::new(Kind::Secret, key.namespace.clone(), key.name.clone());
    let mut meta = meta.owned_by(&config.meta);
    meta.labels = config.meta.labels.clone();
    Object::new(meta, Secret::of_user_data(join.to_user_data()))
}

/// So many of the characters of a token.
fn letters(mut draw: u64, count: u32) -> Text {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut letters = String::new();
    for _ in 0..count {
        letters.push(char::from(ALPHABET[usize::try_from(draw % 36).expect("a small index")]));
        draw /= 36;
    }
    Text::from(letters)
}
