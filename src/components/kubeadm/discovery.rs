//! Discovery: asks anybody at the endpoint for `cluster-info` until it carries a signature of the
//! token, and gives up after some minutes.
//!
//! A token that has expired looks like one that is not signed yet.

use super::{Asked, Event, Kubeadm};
use crate::api::kinds::ConfigMap;
use crate::api::{Answer, Answered, ApiError, JoinConfiguration, Kind, ObjectKey, Reason, Verb};
use crate::engine::{Purpose, SimTime, Text, below};
use crate::infra::Ctx;

/// One discovery under way.
#[derive(Clone, Debug)]
pub struct Discovery {
    began: SimTime,
    /// When the last look began.
    looked: SimTime,
    /// Why it was not the last.
    error: Option<Text>,
}

/// When the next look comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// A pause after each look, longer by up to so many percent.
    Pause { jitter_percent: u64 },
    /// On a fixed beat since the beginning; one beat that is missed is made up for at once.
    Beat,
}

/// The words of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// `... does not yet contain a JWS signature ..., will try again`
    WillTryAgain,
    /// `Retrying due to error: could not find a JWS signature ...`
    Retrying,
}

/// Where the cluster answers, as kubeadm names it.
const ENDPOINT: &str = "workload:6443";
const AGENT: &str = "kubeadm";
const JITTER: Purpose = Purpose(2);

impl Kubeadm {
    /// True while this try looks for its signature.
    pub(super) fn is_discovering(&self, of: u32) -> bool {
        self.tries == of && self.discovery.is_some()
    }

    pub(super) fn discover(&mut self, ctx: &mut Ctx<Event>) {
        let Some(id) = self.token_id() else { return };
        if self.settings.wording == Wording::Retrying {
            // The missing space is theirs.
            ctx.log(format!(
                "I token.go:210] [discovery] Waiting for the cluster-info ConfigMap to receive a \
                 JWS signaturefor token ID \"{id}\""
            ));
        }
        self.discovery = Some(Discovery { began: ctx.now(), looked: ctx.now(), error: None });
        ctx.after("kubernetes.discoveryTimeout", self.settings.limit, Event::Limit(self.tries));
        self.look(ctx);
    }

    pub(super) fn look(&mut self, ctx: &mut Ctx<Event>) {
        if let Some(discovery) = &mut self.discovery {
            discovery.looked = ctx.now();
        }
        let (namespace, name) = (ConfigMap::CLUSTER_INFO_NAMESPACE, ConfigMap::CLUSTER_INFO);
        let key = ObjectKey { kind: Kind::ConfigMap, namespace, name };
        self.api.send(ctx, AGENT, Verb::Get(key), Asked::Info(self.tries));
    }

    pub(super) fn looked(&mut self, answered: Answered, ctx: &mut Ctx<Event>) {
        let Some(join) = self.configuration.clone() else { return };
        let error = match answered {
            Ok(Answer::Object(object)) => match verdict(object.config_map(), &join) {
                Verdict::Trusted => {
                    ctx.log(
                        "I discovery.go:52] [discovery] Using provided TLSBootstrapToken as \
                         authentication credentials for the join process",
                    );
                    return self.trusted(ctx);
                }
                Verdict::Forged => return self.fail(FORGED, ctx),
                Verdict::Unsigned => {
                    self.say_unsigned(&join.token_id, ctx);
                    unsigned(&join.token_id)
                }
            },
            Ok(_) => return,
            Err(error) => {
                if error.reason == Reason::Unreachable {
                    // What was never established is not used again.
                    self.api.disconnect(ctx);
                }
                let error = unreachable(&error);
                self.say_unreachable(&error, ctx);
                error
            }
        };
        if let Some(discovery) = &mut self.discovery {
            discovery.error = Some(Text::from(error));
        }
        self.look_again(ctx);
    }

    fn look_again(&mut self, ctx: &mut Ctx<Event>) {
        let Some(Discovery { began, looked, .. }) = self.discovery else { return };
        let retry = self.settings.retry;
        let pause = match self.settings.rhythm {
            Rhythm::Pause { jitter_percent } => {
                retry + below(retry.scaled(jitter_percent, 100), ctx.draw(JITTER))
            }
            Rhythm::Beat => {
                let beats = looked.since(began).as_micros() / retry.as_micros().max(1);
                (began + retry * (beats + 1)).since(ctx.now())
            }
        };
        ctx.after("kubernetes.discoveryRetry", pause, Event::Look(self.tries));
    }

    /// The limit is reached: what went wrong last is what goes wrong.
    pub(super) fn give_up(&mut self, ctx: &mut Ctx<Event>) {
        let error = self.discovery.as_ref().and_then(|discovery| discovery.error.clone());
        let error = error.unwrap_or_else(|| {
            Text::word("failed to request the cluster-info ConfigMap: context deadline exceeded")
        });
        self.fail(&error, ctx);
    }

    fn fail(&mut self, error: &str, ctx: &mut Ctx<Event>) {
        ctx.log(format!(
            "error execution phase preflight: couldn't validate the identity of the API Server: \
             {error}"
        ));
        self.failed(ctx);
    }

    fn say_unsigned(&self, id: &str, ctx: &mut Ctx<Event>) {
        ctx.log(match self.settings.wording {
            Wording::WillTryAgain => format!(
                "I token.go:223] [discovery] The cluster-info ConfigMap does not yet contain a JWS \
                 signature for token ID \"{id}\", will try again"
            ),
            Wording::Retrying => {
                format!("I token.go:228] [discovery] Retrying due to error: {}", unsigned(id))
            }
        });
    }

    fn say_unreachable(&self, error: &str, ctx: &mut Ctx<Event>) {
        ctx.log(match self.settings.wording {
            Wording::WillTryAgain => {
                format!("[discovery] Failed to request cluster-info, will try again: {error}")
            }
            Wording::Retrying => {
                format!("I token.go:221] [discovery] Retrying due to error: {error}")
            }
        });
    }

    fn token_id(&self) -> Option<Text> {
        self.configuration.as_ref().map(|join| join.token_id.clone())
    }
}

/// What a look at `cluster-info` tells.
enum Verdict {
    Trusted,
    Unsigned,
    /// Signed with another secret: there is no second look.
    Forged,
}

const FORGED: &str = "failed to verify JWS signature of received cluster info object, can't trust \
                      this API Server";

fn verdict(info: Option<&ConfigMap>, join: &JoinConfiguration) -> Verdict {
    let Some(info) = info else { return Verdict::Unsigned };
    match info.signature_of(&join.token_id) {
        None => Verdict::Unsigned,
        Some(signature) if *signature == info.sign(&join.token_secret) => Verdict::Trusted,
        Some(_) => Verdict::Forged,
    }
}

fn unsigned(id: &str) -> String {
    format!("could not find a JWS signature in the cluster-info ConfigMap for token ID \"{id}\"")
}

fn unreachable(error: &ApiError) -> String {
    let what = "failed to request the cluster-info ConfigMap";
    let message = match (error.reason, &error.message) {
        (Reason::Unreachable, message) if message.starts_with("connect:") => {
            format!("dial tcp {ENDPOINT}: {message}")
        }
        (_, message) => message.to_string(),
    };
    if error.reason != Reason::Unreachable {
        return format!("{what}: {message}");
    }
    let path = "api/v1/namespaces/kube-public/configmaps/cluster-info?timeout=10s";
    format!("{what}: Get \"https://{ENDPOINT}/{path}\": {message}")
}
