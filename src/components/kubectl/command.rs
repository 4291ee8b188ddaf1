//! What a person can tell kubectl to do, as data, and the words that kubectl prints about it.
//!
//! How a command is written is the scenario's matter. The words are those of kubectl 1.32.

use super::patch::Patch;
use crate::api::kinds::{Deployment, PodTemplate, Taint, TaintEffect};
use crate::api::{
    Answer, ApiError, Freshness, Kind, Labels, Meta, Object, ObjectKey, Reason, Selector, Verb,
    labels,
};
use crate::client::BEFORE;
use crate::engine::{Duration, SimTime, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub context: Context,
    pub object: ObjectKey,
    pub action: Action,
}

/// Which cluster it is for, as a kubeconfig's context says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    Management,
    Workload,
}

/// What is to be done to the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `get KIND [NAME]`: of one object, or of all of a namespace.
    Get { one: bool },
    /// `create deployment NAME --image=IMAGE [--replicas=N]`
    CreateDeployment { image: Text, replicas: u32 },
    /// `patch KIND NAME --type=merge -p JSON [--subresource=status]`
    Patch(Box<Patch>),
    /// `delete`; the grace period is the Pod's own if none is given.
    Delete { grace: Option<Duration>, force: bool },
    /// `cordon`, `uncordon`.
    Cordon(bool),
    /// `taint node NAME KEY[=VALUE]:EFFECT`
    Taint { key: Text, value: Text, effect: TaintEffect },
    /// `taint node NAME KEY[:EFFECT]-`
    Untaint { key: Text, effect: Option<TaintEffect> },
    /// `annotate KIND NAME KEY=VALUE`, or `KEY-` without a value.
    Annotate { key: Text, value: Option<Text>, overwrite: bool },
    /// `label KIND NAME KEY=VALUE`, or `KEY-` without a value.
    Label { key: Text, value: Option<Text>, overwrite: bool },
    /// `scale KIND NAME --replicas=N`
    Scale(u32),
}

/// What kubectl makes of an object that it has read.
#[derive(Debug)]
pub enum Plan {
    /// Writes, and prints this when it is done.
    Write(Verb, String),
    /// Prints and ends: nothing is to be done.
    Print(String),
    /// Says why it cannot be done.
    Refuse(String),
}

impl Context {
    /// The cluster's name, as it stands in an address.
    pub const fn name(self) -> &'static str {
        match self {
            Context::Management => "management",
            Context::Workload => "workload",
        }
    }
}

impl Command {
    /// The first request.
    pub fn opening(&self) -> Verb {
        match &self.action {
            Action::Get { one: false } => {
                Verb::List(self.object.kind, Selector::All, Freshness::InChunks)
            }
            Action::CreateDeployment { image, replicas } => {
                Verb::Create(Arc::new(deployment(&self.object, image, *replicas)))
            }
            Action::Delete { grace, .. } => {
                Verb::Delete { key: self.object.clone(), grace: *grace, uid: None }
            }
            _ => Verb::Get(self.object.clone()),
        }
    }

    /// What it prints about the answer to its first request, if that is all that it asks.
    pub fn answered(&self, answer: &Answer) -> Option<String> {
        let name = |name: &Text| format!("{}/{name}", resource(self.object.kind));
        match (&self.action, answer) {
            (Action::Delete { force, .. }, _) => {
                let how = if *force { "force deleted" } else { "deleted" };
                Some(format!("{} \"{}\" {how}", resource(self.object.kind), self.object.name))
            }
            (Action::CreateDeployment { .. }, _) => {
                Some(format!("{} created", name(&self.object.name)))
            }
            (Action::Get { .. }, Answer::Object(object)) => Some(name(object.name())),
            (Action::Get { .. }, Answer::List(_, objects)) => {
                let namespace = &self.object.namespace;
                let mine = objects.iter().filter(|object| object.key().namespace == *namespace);
                let names: Vec<String> = mine.map(|object| name(object.name())).collect();
                Some(match names.is_empty() {
                    true if namespace.is_empty() => "No resources found".to_owned(),
                    true => format!("No resources found in {namespace} namespace."),
                    false => names.join("\n"),
                })
            }
            _ => None,
        }
    }

    /// What is to be written to the object as it was read, at this time.
    pub fn plan(&self, read: &Arc<Object>, now: SimTime) -> Plan {
        let mut changed = Object::clone(read);
        let done = match self.change(&mut changed, now) {
            Ok(done) => done,
            Err(refusal) => return Plan::Refuse(refusal),
        };
        let name = format!("{}/{}", resource(self.object.kind), self.object.name);
        if changed == **read {
            return Plan::Print(match self.action {
                Action::Cordon(_) => format!("{name} already {done}"),
                Action::Annotate { .. } | Action::Label { .. } => format!("{name} not {done}"),
                Action::Patch(_) => format!("{name} {done} (no change)"),
                _ => format!("{name} {done}"),
            });
        }
        let verb = match self.action {
            Action::Scale(replicas) => Verb::Scale { key: self.object.clone(), replicas },
            _ => Verb::Patch { base: read.clone(), changed: Arc::new(changed) },
        };
        Plan::Write(verb, format!("{name} {done}"))
    }

    /// Changes the object; the word for what was done to it, or why kubectl refuses.
    fn change(&self, object: &mut Object, now: SimTime) -> Result<&'static str, String> {
        match &self.action {
            // These ask once and print.
            Action::Delete { .. } | Action::Get { .. } | Action::CreateDeployment { .. } => Ok(""),
            Action::Patch(patch) => {
                patch.apply(object, now);
                Ok("patched")
            }
            Action::Cordon(closed) => {
                if let Some(node) = object.node_mut() {
                    node.unschedulable = *closed;
                }
                Ok(if *closed { "cordoned" } else { "uncordoned" })
            }
            Action::Taint { key, value, effect } => {
                let Some(node) = object.node_mut() else { return Ok("tainted") };
                if node.has_taint(key, *effect) {
                    let name = &self.object.name;
                    return Err(format!(
                        "error: node {name} already has {key} taint(s) with same effect(s) and \
                         --overwrite is false"
                    ));
                }
                // kubectl writes no `timeAdded`.
                let (key, value) = (key.clone(), value.clone());
                node.taints.push(Taint { key, value, effect: *effect, added: None });
                Ok("tainted")
            }
            Action::Untaint { key, effect } => untaint(object, key, *effect),
            Action::Annotate { key, value, overwrite } => {
                let pairs = &mut object.meta.annotations;
                mark(pairs, key, value.as_ref(), *overwrite).map_err(|old| {
                    format!(
                        "error: --overwrite is false but found the following declared \
                         annotation(s): '{key}' already has a value ({old})"
                    )
                })?;
                Ok("annotated")
            }
            Action::Label { key, value, overwrite } => {
                let pairs = &mut object.meta.labels;
                mark(pairs, key, value.as_ref(), *overwrite).map_err(|old| {
                    format!("error: '{key}' already has a value ({old}), and --overwrite is false")
                })?;
                Ok(if value.is_some() { "labeled" } else { "unlabeled" })
            }
            Action::Scale(replicas) => {
                object.scale(*replicas);
                Ok("scaled")
            }
        }
    }

    /// What it prints when the API server does not do what was asked, or does not answer.
    pub fn failed(&self, error: &ApiError) -> String {
        let address = format!("{}:6443", self.context.name());
        match error.reason {
            // Two failures in one are no failure that kubectl has words of its own for.
            Reason::Unreachable
                if error.message.contains(BEFORE) && !matches!(self.action, Action::Scale(_)) =>
            {
                format!("error: Get \"https://{address}{}\": {}", path(&self.object), error.message)
            }
            Reason::Unreachable
                if error.message.contains("refused") && !error.message.contains(BEFORE) =>
            {
                format!(
                    "The connection to the server {address} was refused - did you specify the \
                     right host or port?"
                )
            }
            // Nobody answered at all: it never got beyond the handshake.
            Reason::Unreachable
                if !error.message.contains(BEFORE)
                    && ["deadline exceeded", "dial tcp"]
                        .iter()
                        .any(|it| error.message.contains(it)) =>
            {
                format!("Unable to connect to the server: dial tcp {address}: i/o timeout")
            }
            // A read that was ended without an answer, as its client words it.
            Reason::Unreachable if matches!(self.action, Action::Scale(_)) => format!(
                "error: no objects passed to scale Get \"https://{address}{}\": {}",
                path(&self.object),
                error.message
            ),
            Reason::Unreachable => format!("Unable to connect to the server: {}", error.message),
            // The server's own words for a read are not shown.
            Reason::Timeout if error.message.contains("allotted timeout") => {
                let what = self.asked_for();
                let words = format!(
                    "the server was unable to return a response in the time allotted, but may \
                     still be processing the request (get {what})"
                );
                match self.action {
                    Action::Scale(_) => format!("error: no objects passed to scale {words}"),
                    _ => format!("Error from server (Timeout): {words}"),
                }
            }
            _ if matches!(self.action, Action::CreateDeployment { .. }) => {
                format!("error: failed to create deployment: {}", error.message)
            }
            Reason::Unknown => format!("Error from server: {}", error.message),
            // Of all that the server says, kubectl shows what is wrong with which field.
            Reason::Invalid => {
                let all = match error.cause.contains('\n') {
                    true => format!("\n* {}", error.cause.replace('\n', "\n* ")),
                    false => error.cause.to_string(),
                };
                format!(
                    "The {} \"{}\" is invalid: {all}",
                    self.object.kind.name(),
                    self.object.name
                )
            }
            reason => format!("Error from server ({}): {}", reason.as_str(), error.message),
        }
    }

    /// What it reads, as a client's error names it: `nodes`, `deployments.apps web`.
    fn asked_for(&self) -> String {
        let kind = self.object.kind;
        let name = match self.action {
            Action::Get { one: false } => String::new(),
            _ => format!(" {}", self.object.name),
        };
        format!("{}{name}", kind.qualified_resource())
    }
}

fn untaint(
    object: &mut Object,
    key: &Text,
    effect: Option<TaintEffect>,
) -> Result<&'static str, String> {
    let Some(node) = object.node_mut() else { return Ok("untainted") };
    let before = node.taints.len();
    let goes = |taint: &Taint| taint.key == *key && effect.is_none_or(|e| e == taint.effect);
    node.taints.retain(|taint| !goes(taint));
    if node.taints.len() == before {
        let effect = effect.map_or(String::new(), |effect| format!(":{}", effect.name()));
        return Err(format!("error: taint \"{key}{effect}\" not found"));
    }
    Ok("untainted")
}

/// Writes or removes a pair; the value that stands there, if it may not be replaced.
fn mark(pairs: &mut Labels, key: &Text, value: Option<&Text>, overwrite: bool) -> Result<(), Text> {
    if let (Some(old), Some(new)) = (pairs.get(key), value)
        && old != new
        && !overwrite
    {
        return Err(old.clone());
    }
    let mut all: BTreeMap<Text, Text> = (**pairs).clone();
    match value {
        Some(value) => all.insert(key.clone(), value.clone()),
        None => all.remove(key),
    };
    *pairs = Arc::new(all);
    Ok(())
}

/// As kubectl makes it: labelled with its name, and its Pods too.
fn deployment(key: &ObjectKey, image: &Text, replicas: u32) -> Object {
    let app = labels([("app", key.name.clone())]);
    let template = PodTemplate {
        labels: app.clone(),
        image: image.clone(),
        grace: Duration::from_secs(30),
        ..PodTemplate::default()
    };
    let mut meta = Meta::new(Kind::Deployment, key.namespace.clone(), key.name.clone());
    meta.labels = app.clone();
    let template = Arc::new(template);
    Object::new(meta, Deployment { replicas, selector: app, template, ..Deployment::default() })
}

/// A kind as kubectl prints it: `node`, `deployment.apps`, `machine.cluster.x-k8s.io`.
fn resource(kind: Kind) -> String {
    let name = kind.name().to_lowercase();
    match kind.group() {
        "" => name,
        group => format!("{name}.{group}"),
    }
}

/// The path at which an API server has a namespaced object.
fn path(object: &ObjectKey) -> String {
    let ObjectKey { kind, namespace, name } = object;
    let root = if kind.group().is_empty() { "api" } else { "apis" };
    let (version, resource) = (kind.api_version(), kind.resource());
    let within = match namespace.is_empty() {
        true => String::new(),
        false => format!("/namespaces/{namespace}"),
    };
    match name.is_empty() {
        true => format!("/{root}/{version}{within}/{resource}?limit=500"),
        false => format!("/{root}/{version}{within}/{resource}/{name}"),
    }
}
