//! What a person does with kubectl, in kubectl's own words.
//!
//! ```text
//! get KIND [NAME]        create deployment NAME --image=IMAGE [--replicas=N]
//! patch KIND NAME --type=merge -p JSON [--subresource=status]
//! delete KIND NAME [--grace-period=N] [--force]     cordon NODE        uncordon NODE
//! taint node NAME KEY[=VALUE]:EFFECT | KEY[:EFFECT]-                   scale KIND NAME --replicas=N
//! annotate KIND NAME KEY=VALUE | KEY- [--overwrite]     label, likewise
//! ```
//! `KIND/NAME` is `KIND NAME`; `-n NAMESPACE` is understood, and a flag stands where it likes, with `=` or a
//! blank before its value. A name with `*` stands for the first
//! object (by name, not being deleted) that fits when the command is typed; `on NODE` after it, for
//! Pods, looks on one Node only. The person looks; what the command does is the API server's matter.

use super::WrittenFault;
use super::kind::{FaultKind, Strikes};
use super::kubectl_patch;
use super::reading::Reading;
use super::words::{Flag, Takes, Words, Wrong, no_name, unknown};
use crate::api::kinds::TaintEffect;
use crate::api::{Kind, Object, ObjectKey};
use crate::components::kubectl::{Action, Command, Context};
use crate::engine::{Duration, Text, is_like};
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};
use std::sync::Arc;

/// `kubectl: "delete node worker-0"`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubectl {
    /// As it was written.
    pub text: Text,
    /// The object's name may contain `*` until it is aimed.
    command: Command,
    /// Only Pods on this Node.
    on: Option<Text>,
}

const VERBS: [&str; 10] = [
    "get", "create", "delete", "patch", "cordon", "uncordon", "taint", "annotate", "label", "scale",
];

/// All flags of all verbs; which verb has which is seen when it takes its own.
const FLAGS: [(&str, Takes); 10] = [
    ("--namespace", Takes::Value),
    ("-n", Takes::Value),
    ("--replicas", Takes::Value),
    ("--image", Takes::Value),
    ("--type", Takes::Value),
    ("--subresource", Takes::Value),
    ("-p", Takes::Value),
    ("--grace-period", Takes::Value),
    ("--force", Takes::Nothing),
    ("--overwrite", Takes::Nothing),
];

/// What kubectl calls kinds for short: `ShortNames` of the API server's storages and `shortName` of
/// the CRDs; the other kinds have none.
const SHORT: [(&str, Kind); 18] = [
    ("no", Kind::Node),
    ("po", Kind::Pod),
    ("deploy", Kind::Deployment),
    ("rs", Kind::ReplicaSet),
    ("sts", Kind::StatefulSet),
    ("ds", Kind::DaemonSet),
    ("ev", Kind::Event),
    ("cm", Kind::ConfigMap),
    ("svc", Kind::Service),
    ("pvc", Kind::PersistentVolumeClaim),
    ("pdb", Kind::PodDisruptionBudget),
    ("cl", Kind::Cluster),
    ("md", Kind::MachineDeployment),
    ("ms", Kind::MachineSet),
    ("ma", Kind::Machine),
    ("kcp", Kind::KubeadmControlPlane),
    ("mhc", Kind::MachineHealthCheck),
    ("vm", Kind::VirtualMachine),
];

/// What is said to who asks for Namespaces.
pub const NO_NAMESPACES: &str = "there are no Namespace objects here: a namespace is a word that \
objects have, as `default` and `kube-system`";

/// The kinds that `scale` knows.
const SCALABLE: [Kind; 6] = [
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::MachineDeployment,
    Kind::MachineSet,
    Kind::KubeadmControlPlane,
];

impl Kubectl {
    /// Reads a command; without a context, its kind says in which cluster it lives.
    pub fn read(text: &str, context: Option<Context>) -> Result<Kubectl, Wrong> {
        let mut words = Words::of(text);
        let (at, verb) = words.next("a verb is missing, for example `delete node worker-0`")?;
        if !VERBS.contains(&verb) {
            return Err((at, unknown("verb", verb, &VERBS)));
        }
        words.set_flags_apart(&FLAGS)?;
        let name_at = words.name_at();
        let (kind, name) = match verb {
            "cordon" | "uncordon" => (Kind::Node, words.node(verb)?),
            "get" => words.kind_and_perhaps_name()?,
            _ => words.object()?,
        };
        let on = words.on(kind)?;
        let action = match verb {
            "delete" => words.delete(kind)?,
            "taint" => words.taint(kind, at)?,
            "annotate" | "label" => words.mark(verb)?,
            "scale" => words.scale(kind, at)?,
            "get" => Action::Get { one: !name.is_empty() },
            "create" => {
                can_be_named(kind, name).map_err(|message| (name_at, message))?;
                words.create(kind, at)?
            }
            "patch" => words.patch(kind)?,
            _ => Action::Cordon(verb == "cordon"),
        };
        let namespace = words.namespace()?;
        words.end()?;
        let namespace = match kind.is_namespaced() {
            true => namespace.map_or(Text::word("default"), Text::from),
            false => Text::EMPTY,
        };
        let object = ObjectKey { kind, namespace, name: Text::from(name) };
        let context = context.unwrap_or_else(|| home_of(kind));
        let command = Command { context, object, action };
        Ok(Kubectl { text: Text::from(text.trim()), command, on: on.map(Text::from) })
    }

    /// `get KIND`, where the kind lives; the Secrets of `default` are those with which machines
    /// are started.
    pub fn get(kind: Kind) -> Kubectl {
        let namespace = if kind.is_namespaced() { Text::word("default") } else { Text::EMPTY };
        Kubectl::get_one(&ObjectKey { kind, namespace, name: Text::EMPTY })
    }

    /// `get KIND NAME`, likewise; without a name, `get KIND`.
    pub fn get_one(object: &ObjectKey) -> Kubectl {
        let ObjectKey { kind, name, .. } = object;
        let context = if *kind == Kind::Secret { Context::Management } else { home_of(*kind) };
        let text = format!("get {} {name}", kind.resource());
        let action = Action::Get { one: !name.is_empty() };
        let command = Command { context, object: object.clone(), action };
        Kubectl { text: Text::from(text.trim_end()), command, on: None }
    }

    /// True if the workload cluster's API is asked, else the one that manages it, which may be the same.
    pub fn asks_workload(&self) -> bool {
        self.command.context == Context::Workload
    }

    /// The size that it gives its object, if it does.
    fn size(&self) -> Option<u32> {
        match &self.command.action {
            Action::Scale(replicas) => Some(*replicas),
            Action::Patch(patch) => patch.replicas,
            _ => None,
        }
    }

    /// The name of the Deployment that it creates, if it does.
    pub fn deploys(&self) -> Option<&str> {
        let Command { object, action, .. } = &self.command;
        matches!(action, Action::CreateDeployment { .. }).then_some(object.name.as_str())
    }
}

impl FaultKind for Kubectl {
    type Written = Spanned<String>;
    const DOES: &'static str =
        "what a person does, from a laptop: \"delete node worker-0\"; see docs/faults.md";

    fn from_written(text: &Spanned<String>, reading: &Reading) -> Result<Kubectl, Mistake> {
        let context = match reading.cluster.map(|cluster| (cluster, cluster.value.as_str())) {
            None => None,
            Some((_, "management")) => Some(Context::Management),
            Some((_, "workload")) => Some(Context::Workload),
            Some((cluster, _)) => {
                let known = ["management", "workload"];
                return Err(reading.scenario.unknown(cluster, &known, "cluster"));
            }
        };
        let mistake = |(at, message)| reading.scenario.source.mistake_after(text, at, message);
        let read = Kubectl::read(&text.value, context).map_err(mistake)?;
        let size = read.size().unwrap_or_default();
        let lacking = reading.stage.lacking_volumes(&read.command.object, size);
        lacking.map_or(Ok(read), |message| Err(mistake((0, message))))
    }
}

impl Strikes for Kubectl {
    /// Names the object that a name with `*` stands for at the moment; the name stays if none fits.
    fn aim(&mut self, view: View) {
        let ObjectKey { kind, namespace, name } = &self.command.object;
        if !name.contains('*') {
            return;
        }
        let is_there = |object: &Object| {
            let node = object.pod().map(|pod| &pod.node_name);
            self.on.is_none() || self.on.as_ref() == node
        };
        let fits = |object: &&Arc<Object>| {
            object.key().namespace == *namespace
                && is_like(object.name(), name)
                && !object.meta.is_deleting()
                && is_there(object)
        };
        let found = view.objects(*kind).filter(fits).map(|object| object.name().clone()).min();
        if let Some(found) = found {
            self.command.object.name = found;
        }
    }

    /// The object that is meant, once it is named; it is typed whether or not it exists. Of a list it
    /// is the kind.
    fn resolve(&self, _: View) -> Option<String> {
        let object = &self.command.object;
        match object.name.as_str() {
            "" => Some(object.kind.resource().to_owned()),
            name => (!name.contains('*')).then(|| object.to_string()),
        }
    }

    /// Types it.
    fn inject(&self, infra: &mut Infra) {
        infra.type_command(self.command.clone());
    }

    fn words(&self) -> Text {
        Text::from(format!("kubectl {}", self.text))
    }
}

impl WrittenFault {
    /// The Deployment that it creates, if it does.
    pub fn deploys(&self) -> Option<String> {
        let read = Kubectl::read(&self.kubectl.as_ref()?.value, None).ok()?;
        read.deploys().map(str::to_owned)
    }

    /// A mistake if it names a cluster, and nobody types kubectl.
    pub(super) fn idle_cluster(&self, reading: &Reading) -> Option<Mistake> {
        let cluster = reading.cluster.filter(|_| self.kubectl.is_none())?;
        let message = "`cluster` says where `kubectl` goes; this is another fault";
        Some(reading.scenario.mistake(cluster, message))
    }
}

/// Kubernetes' own kinds live in the workload cluster, everything else in the one that manages it.
fn home_of(kind: Kind) -> Context {
    let group = kind.group();
    let own = !group.contains('.') || group.ends_with(".k8s.io") && !group.contains(".x-k8s.io");
    if own { Context::Workload } else { Context::Management }
}

impl<'a> Words<'a> {
    /// `KIND NAME`, or `KIND/NAME`.
    fn object(&mut self) -> Result<(Kind, &'a str), Wrong> {
        let (at, word) = self.next("a kind is missing, for example `node`")?;
        let (kind, name) = match word.split_once('/') {
            Some((kind, name)) => (kind, Some(name)),
            None => (word, None),
        };
        let kind = kind_of(kind).map_err(|message| (at, message))?;
        match name {
            Some("") => Err((at + word.chars().count(), no_name(kind))),
            Some(name) => Ok((kind, name)),
            None => Ok((kind, self.next(&no_name(kind))?.1)),
        }
    }

    /// Where the name of `KIND NAME`, or of `KIND/NAME`, stands.
    fn name_at(&self) -> usize {
        match self.words.first().map(|(at, word)| (at, word.split_once('/'))) {
            Some((at, Some((kind, _)))) => at + kind.chars().count() + 1,
            _ => self.words.get(1).map_or(self.end, |(at, _)| *at),
        }
    }

    /// `NAME`, or `node/NAME`: the words of `cordon` are names of Nodes.
    fn node(&mut self, verb: &str) -> Result<&'a str, Wrong> {
        let missing = format!("a Node's name is missing, as in `{verb} worker-0`");
        let (at, word) = self.next(&missing)?;
        if let Some((kind, name)) = word.split_once('/') {
            return match kind_of(kind).map_err(|message| (at, message))? {
                _ if name.is_empty() => Err((at + word.chars().count(), no_name(Kind::Node))),
                Kind::Node => Ok(name),
                other => Err((at, format!("{verb} is for Nodes; this is a {}", other.name()))),
            };
        }
        match self.words.first() {
            Some((_, name)) if kind_of(word) == Ok(Kind::Node) => {
                let right = format!("{verb} {name}` or `{verb} node/{name}");
                Err((at, format!("`{word}` is read as a Node's name here; write `{right}`")))
            }
            _ => Ok(word),
        }
    }

    /// `on NODE`, after a Pod.
    fn on(&mut self, kind: Kind) -> Result<Option<&'a str>, Wrong> {
        let Some(found) = self.words.iter().position(|(_, word)| *word == "on") else {
            return Ok(None);
        };
        let (at, _) = self.words.remove(found);
        if kind != Kind::Pod {
            return Err((at, format!("`on NODE` is for Pods; this is a {}", kind.name())));
        }
        if found >= self.words.len() {
            return Err((
                self.end,
                "a Node's name is missing after `on`, as in `on worker-0`".to_owned(),
            ));
        }
        Ok(Some(self.words.remove(found).1))
    }

    /// `KIND`, `KIND NAME` or `KIND/NAME`; without a name, all of the kind are meant.
    fn kind_and_perhaps_name(&mut self) -> Result<(Kind, &'a str), Wrong> {
        if self.words.len() > 1 || self.words.first().is_some_and(|(_, it)| it.contains('/')) {
            return self.object();
        }
        let (at, word) = self.next("a kind is missing, for example `nodes`")?;
        Ok((kind_of(word).map_err(|message| (at, message))?, ""))
    }

    fn create(&mut self, kind: Kind, verb_at: usize) -> Result<Action, Wrong> {
        if kind != Kind::Deployment {
            let message = format!(
                "a {} cannot be created so; write `create deployment NAME --image=IMAGE`",
                kind.name()
            );
            return Err((verb_at, message));
        }
        let replicas = self.number("--replicas")?.unwrap_or(1);
        match self.flag("--image") {
            Some(Flag { value: "", at, .. }) => {
                Err((at, "an image's name is missing after `=`, as in --image=nginx".to_owned()))
            }
            Some(Flag { value, .. }) => {
                Ok(Action::CreateDeployment { image: Text::from(value), replicas })
            }
            None => Err((self.end, "--image=IMAGE is missing".to_owned())),
        }
    }

    fn patch(&mut self, kind: Kind) -> Result<Action, Wrong> {
        match self.flag("--type") {
            Some(Flag { value: "merge", .. }) => {}
            Some(Flag { at, .. }) => {
                return Err((at, "only --type=merge is known here".to_owned()));
            }
            None => return Err((self.end, "--type=merge is missing".to_owned())),
        }
        let of_status = match self.flag("--subresource") {
            None => false,
            Some(Flag { value: "status", .. }) => true,
            Some(Flag { at, .. }) => return Err((at, "write --subresource=status".to_owned())),
        };
        let Some(Flag { value_at: at, value, .. }) = self.flag("-p") else {
            return Err((self.end, "-p '{...}' is missing".to_owned()));
        };
        let patch = kubectl_patch::read(value, of_status).map_err(|message| (at, message))?;
        match patch.misfit(kind) {
            Some(message) => Err((at, message)),
            None => Ok(Action::Patch(Box::new(patch))),
        }
    }

    fn namespace(&mut self) -> Result<Option<&'a str>, Wrong> {
        let (long, short) = (self.flag("--namespace"), self.flag("-n"));
        match long.or(short) {
            Some(Flag { value: "", at, .. }) => Err((at, "write --namespace=NAME".to_owned())),
            flag => Ok(flag.map(|flag| flag.value)),
        }
    }

    fn delete(&mut self, kind: Kind) -> Result<Action, Wrong> {
        let force = self.flag("--force");
        let seconds = self.number("--grace-period")?;
        if let (Some(Flag { at, .. }), None | Some(1..)) = (force, seconds) {
            return Err((at, "--force goes with --grace-period=0".to_owned()));
        }
        // As kubectl does it: without --force, a Pod's end is waited for, if only for a second.
        let seconds = match seconds {
            Some(0) if force.is_none() && kind == Kind::Pod => Some(1),
            seconds => seconds,
        };
        let grace = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(Action::Delete { grace, force: force.is_some() })
    }

    fn taint(&mut self, kind: Kind, verb_at: usize) -> Result<Action, Wrong> {
        if kind != Kind::Node {
            return Err((verb_at, format!("only a node is tainted, not a {}", kind.name())));
        }
        let (at, word) = self.next("a taint is missing; write KEY[=VALUE]:EFFECT, or KEY-")?;
        if let Some(word) = word.strip_suffix('-') {
            let (key, effect) = match word.split_once(':') {
                Some((key, effect)) => (key, Some(self.effect(at + key.len() + 1, effect)?)),
                None => (word, None),
            };
            return Ok(Action::Untaint { key: Text::from(key), effect });
        }
        let Some((pair, effect)) = word.split_once(':') else {
            let message = format!("`{word}` is no taint; write KEY[=VALUE]:EFFECT, or KEY-");
            return Err((at, message));
        };
        let effect = self.effect(at + pair.chars().count() + 1, effect)?;
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key.is_empty() {
            return Err((at, "a taint's key is missing".to_owned()));
        }
        Ok(Action::Taint { key: Text::from(key), value: Text::from(value), effect })
    }

    fn effect(&self, at: usize, word: &str) -> Result<TaintEffect, Wrong> {
        [TaintEffect::NoSchedule, TaintEffect::NoExecute]
            .into_iter()
            .find(|effect| effect.name() == word)
            .ok_or_else(|| (at, unknown("effect", word, &["NoSchedule", "NoExecute"])))
    }

    fn mark(&mut self, verb: &str) -> Result<Action, Wrong> {
        let overwrite = self.flag("--overwrite").is_some();
        let (at, word) = self.next("KEY=VALUE, or KEY-, is missing")?;
        let (key, value) = match (word.split_once('='), word.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Some(Text::from(value))),
            (None, Some(key)) => (key, None),
            (None, None) => {
                return Err((at, format!("`{word}` is not known; write KEY=VALUE, or KEY-")));
            }
        };
        if key.is_empty() {
            return Err((at, "the key is missing before `=`".to_owned()));
        }
        let key = Text::from(key);
        Ok(match verb {
            "label" => Action::Label { key, value, overwrite },
            _ => Action::Annotate { key, value, overwrite },
        })
    }

    fn scale(&mut self, kind: Kind, verb_at: usize) -> Result<Action, Wrong> {
        if !SCALABLE.contains(&kind) {
            let known = SCALABLE.map(|kind| kind.name().to_lowercase()).join(", ");
            return Err((verb_at, format!("a {} has no size; known: {known}", kind.name())));
        }
        let missing = (self.end, "--replicas=N is missing".to_owned());
        self.number("--replicas")?.map(Action::Scale).ok_or(missing)
    }
}

/// An API server refuses other names than an RFC 1123 subdomain; that of a Deployment is also the value
/// of the label that kubectl gives it, and such a value is not longer than this.
const LONGEST_NAME: usize = 63;

fn can_be_named(kind: Kind, name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(inner)
            && part.ends_with(inner)
            && part.chars().all(|c| inner(c) || c == '-')
    };
    match name.len() <= LONGEST_NAME && name.split('.').all(part) {
        true => Ok(()),
        false => Err(format!(
            "a {} cannot be named `{name}`; write up to {LONGEST_NAME} lower-case letters, digits, `-` \
             and `.`, with a letter or a digit at both ends",
            kind.name()
        )),
    }
}

fn kind_of(word: &str) -> Result<Kind, String> {
    let lower = word.to_lowercase();
    if let Some((_, kind)) = SHORT.iter().find(|(short, _)| *short == lower) {
        return Ok(*kind);
    }
    if ["namespaces", "namespace", "ns"].contains(&lower.as_str()) {
        return Err(NO_NAMESPACES.to_owned());
    }
    let is = |kind: &&Kind| [kind.name().to_lowercase(), kind.resource()].contains(&lower);
    let singular: Vec<String> = Kind::ALL.iter().map(|kind| kind.name().to_lowercase()).collect();
    let singular: Vec<&str> = singular.iter().map(String::as_str).collect();
    Kind::ALL.iter().find(is).copied().ok_or_else(|| unknown("kind", word, &singular))
}

#[cfg(test)]
#[path = "kubectl_tests.rs"]
mod tests;
