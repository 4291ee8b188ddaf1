//! Bootstrap tokens: the signer, which keeps a signature in `cluster-info` for each living token,
//! and the cleaner, which deletes a token at its end.
//!
//! Both know Secrets and one ConfigMap, not who joins with them. Follows
//! `k/k:pkg/controller/bootstrap/{bootstrapsigner,tokencleaner}.go`; kubeadm switches both on.
//!
//! ```text
//! signer    any token or cluster-info changes ─> compute all signatures ─> update; a failure waits
//!           for the next change, nothing else
//! cleaner   a token appears or changes ─> expired: delete     else: look again at its expiration
//! ```

use super::{ControllerManager, Event, Settings};
use crate::api::kinds::{BootstrapToken, ConfigMap, TokenUsage};
use crate::api::{Answered, Kind, Object, ObjectKey, Reason, Selector, Verb};
use crate::client::{Backoff, Client, News};
use crate::engine::{Purpose, SimTime, Text};
use crate::infra::{Address, Ctx, Input};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the two controllers know.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    client: Client<Asked>,
    signer: Signer,
    /// When each token is looked at again; a timer that is not the latest is void.
    due: BTreeMap<ObjectKey, Due>,
    failures: BTreeMap<ObjectKey, Backoff>,
}

/// The timer of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    /// By the wall clock.
    expiration: SimTime,
    /// When the timer falls due.
    at: SimTime,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Signatures,
    Deletion(ObjectKey),
}

/// Where the signer stands: one worker, one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Signer {
    #[default]
    Idle,
    /// It is going to compute.
    Queued,
    /// Its update is under way.
    Writing { again: bool },
}

const SIGNER: &str = "bootstrap-signer";
const CLEANER: &str = "token-cleaner";
const SIGNING: Purpose = Purpose(40);
/// Informers of their own client: what they ask moves nobody else's draws.
const CLIENT: u8 = 1;

impl Bootstrap {
    /// Controllers that know nothing yet.
    pub fn new(settings: &Settings, server: Address) -> Bootstrap {
        Bootstrap {
            client: Client::new(CLIENT, server, settings.client).paced(settings.pace()),
            signer: Signer::Idle,
            due: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    fn cluster_info(&self) -> Option<&Arc<Object>> {
        let namespace = ConfigMap::CLUSTER_INFO_NAMESPACE;
        self.client.caches.named(Kind::ConfigMap, &namespace, &ConfigMap::CLUSTER_INFO)
    }

    /// `cluster-info` with a signature of each token that may sign, and no other.
    fn signed(&self, now: SimTime) -> Option<(Arc<Object>, Object)> {
        let stored = self.cluster_info()?;
        let mut changed = Object::clone(stored);
        let info = changed.config_map_mut()?;
        info.data.retain(|key, _| !key.starts_with(ConfigMap::SIGNATURE));
        for secret in self.client.caches.list(Kind::Secret) {
            if let Some(token) = signing_token(secret, now) {
                let key = format!("{}{}", ConfigMap::SIGNATURE, token.id);
                let signature = info.sign(&token.secret);
                info.data.insert(Text::from(key), signature);
            }
        }
        Some((stored.clone(), changed))
    }
}

impl ControllerManager {
    pub(super) fn start_bootstrap(&mut self, ctx: &mut Ctx<Event>) {
        for kind in [Kind::Secret, Kind::ConfigMap] {
            self.bootstrap.client.watch(ctx, kind, Selector::All);
        }
    }

    /// Takes what is for these two controllers; gives back what is not.
    pub(super) fn bootstrap_input(
        &mut self,
        input: Input<Event>,
        ctx: &mut Ctx<Event>,
    ) -> Option<Input<Event>> {
        let mut news = Vec::new();
        let client = &mut self.bootstrap.client;
        match input {
            Input::Message(from, message) if client.api.is_on(from) => {
                client.on_message(ctx, from, message, &mut news);
            }
            Input::Broken(connection, how) if client.api.is_on(connection) => {
                client.on_broken(ctx, connection, how, &mut news);
            }
            Input::Due(Event::Client(alarm)) if alarm.client == CLIENT => {
                client.on_alarm(ctx, alarm, &mut news);
            }
            Input::Due(Event::Sign) => self.sign(ctx),
            Input::Due(Event::TokenDue(key)) => self.token_due(&key, ctx),
            other => return Some(other),
        }
        self.on_bootstrap_news(news, ctx);
        None
    }

    fn on_bootstrap_news(&mut self, news: Vec<News<Asked>>, ctx: &mut Ctx<Event>) {
        for item in news {
            match item {
                News::Changed(delta) => {
                    let key = delta.key().clone();
                    match &delta.new {
                        Some(object) if key.kind == Kind::Secret => self.clean(object, ctx),
                        None => drop(self.bootstrap.due.remove(&key)),
                        Some(_) => {}
                    }
                    let is_token = delta.object().secret().is_some_and(|s| s.token.is_some());
                    if is_token || key.name == ConfigMap::CLUSTER_INFO {
                        self.want_signatures(ctx);
                    }
                }
                News::Synced(_) => self.want_signatures(ctx),
                News::Answer(Asked::Signatures, _) => self.signatures_written(ctx),
                News::Answer(Asked::Deletion(key), answered) => {
                    self.token_deleted(key, &answered, ctx);
                }
            }
        }
    }

    fn want_signatures(&mut self, ctx: &mut Ctx<Event>) {
        match &mut self.bootstrap.signer {
            // Without all of its first lists it would drop what it has not heard of.
            _ if !self.bootstrap.client.caches.are_synced() => {}
            Signer::Queued => {}
            Signer::Writing { again } => *again = true,
            signer => {
                *signer = Signer::Queued;
                let thinking = ctx.draw_delay(SIGNING, self.settings.signing);
                ctx.after("kubernetes.bootstrapSigning", thinking, Event::Sign);
            }
        }
    }

    fn sign(&mut self, ctx: &mut Ctx<Event>) {
        self.bootstrap.signer = Signer::Idle;
        let Some((stored, changed)) = self.bootstrap.signed(ctx.wall_clock()) else { return };
        if changed == *stored {
            return;
        }
        self.bootstrap.signer = Signer::Writing { again: false };
        let verb = Verb::Update(Arc::new(changed));
        self.bootstrap.client.ask(ctx, SIGNER, verb, Asked::Signatures);
    }

    /// Whether it went well or not: only a change brings the signer back.
    fn signatures_written(&mut self, ctx: &mut Ctx<Event>) {
        let before = std::mem::take(&mut self.bootstrap.signer);
        if before == (Signer::Writing { again: true }) {
            self.want_signatures(ctx);
        }
    }

    /// Deletes a token that is over, or looks again when it will be.
    fn clean(&mut self, object: &Arc<Object>, ctx: &mut Ctx<Event>) {
        let token = object.secret().and_then(|secret| secret.token.as_ref());
        let Some(expiration) = token.and_then(|token| token.expiration) else { return };
        let key = object.key().clone();
        let left = expiration.since(ctx.wall_clock());
        let due = Due { expiration, at: ctx.now() + left };
        let earlier = self.bootstrap.due.insert(key.clone(), due);
        if !left.is_zero() {
            match earlier.filter(|earlier| earlier.expiration == expiration) {
                // That timer is set already.
                Some(earlier) => drop(self.bootstrap.due.insert(key, earlier)),
                None => ctx.after("clusterApi.bootstrapTokenTtl", left, Event::TokenDue(key)),
            }
            return;
        }
        let uid = Some(object.meta.uid);
        let verb = Verb::Delete { key: key.clone(), grace: None, uid };
        self.bootstrap.client.ask(ctx, CLEANER, verb, Asked::Deletion(key));
    }

    /// A token's time is over, unless it was put off meanwhile.
    fn token_due(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(due) = self.bootstrap.due.get(key).copied() else { return };
        if due.expiration > ctx.wall_clock() {
            if due.at > ctx.now() {
                return;
            }
            // The clock was set back: the rest is waited for anew.
            self.bootstrap.due.remove(key);
        }
        if let Some(object) = self.bootstrap.client.caches.get(key).cloned() {
            self.clean(&object, ctx);
        }
    }

    fn token_deleted(&mut self, key: ObjectKey, answered: &Answered, ctx: &mut Ctx<Event>) {
        let gone = |reason| matches!(reason, Reason::NotFound | Reason::Conflict);
        match answered {
            Err(error) if !gone(error.reason) => {
                let first = self.settings.shell.backoff;
                let backoff = self.bootstrap.failures.entry(key.clone()).or_insert(first);
                let (rule, pause) = backoff.fail(&self.settings.shell.rules.backoff);
                ctx.after(rule, pause, Event::TokenDue(key));
            }
            _ => drop(self.bootstrap.failures.remove(&key)),
        }
    }
}

/// The token of a Secret, if it is well named, alive, and meant for signing.
fn signing_token(secret: &Object, now: SimTime) -> Option<&BootstrapToken> {
    let token = secret.secret()?.token.as_ref()?;
    let well_named = *secret.name() == token.secret_name();
    let alive = !token.is_expired(now);
    (well_named && alive && token.serves_for(TokenUsage::Signing)).then_some(token)
}
