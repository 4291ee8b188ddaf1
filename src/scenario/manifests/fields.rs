//! The fields of one mapping: those that are read, those that would matter, those that do not.
//!
//! A field that is read is marked; `finish` says of each other one that it is not played, or not
//! known. Null counts as absent, as in Kubernetes.

use super::kinds::{self, Version};
use super::tree::{Key, Node, Value};
use super::{Place, Warning};
use crate::engine::Duration;
use crate::scenario::mistake::{Mistake, crop, nearest};
use crate::scenario::yaml::Source;
use crate::scenario::yaml_words::found;
use std::cell::{Cell, RefCell};

/// Reads one document and notes what its user should know.
#[derive(Debug)]
pub struct Reader<'a> {
    pub source: &'a Source,
    pub warnings: RefCell<Vec<Warning>>,
    /// The kind and the version of the object that is read.
    pub reads: Cell<Option<(&'static str, Version)>>,
}

/// The fields of a mapping.
#[derive(Debug)]
pub struct Fields<'a> {
    pub reader: &'a Reader<'a>,
    /// From the document's beginning, as `spec.template`.
    pub path: String,
    /// Where the mapping itself stands.
    pub place: (usize, usize),
    entries: &'a [(Key, Node)],
    read: Vec<Cell<bool>>,
}

impl<'a> Reader<'a> {
    /// A mistake at a place of the document.
    pub fn mistake(&self, place: (usize, usize), message: impl Into<String>) -> Mistake {
        Mistake::at(&self.source.file, &self.source.text, place, message)
    }

    /// A place of the document that is told later.
    pub fn place(&self, (line, column): (usize, usize)) -> Place {
        Place { file: self.source.file.clone(), line, column }
    }

    /// What this object's version calls a field of the other version, if it is one.
    fn called_here(&self, name: &str) -> Option<String> {
        let (kind, version) = self.reads.get()?;
        let called = kinds::called(kind, version, name);
        let quoted: Vec<String> = called.iter().map(|name| format!("`{name}`")).collect();
        (!quoted.is_empty()).then(|| quoted.join(" or "))
    }

    /// Notes a warning, once.
    pub fn warn(&self, place: (usize, usize), message: impl Into<String>) {
        let warning = Warning { place: self.place(place), message: message.into() };
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// A mapping.
    pub fn fields(&'a self, node: &'a Node, path: &str) -> Result<Fields<'a>, Mistake> {
        let Value::Map(entries) = &node.value else {
            let wanted = "keys with values, as `{ key: value }`";
            return Err(self.wrong(node, path, wanted));
        };
        let read = entries.iter().map(|_| Cell::new(false)).collect();
        Ok(Fields { reader: self, path: path.to_owned(), place: node.place, entries, read })
    }

    /// A value of another kind than the field has.
    pub fn wrong(&self, node: &Node, path: &str, wanted: &str) -> Mistake {
        let of = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let message = format!("{of}{} stands here; write {wanted}", self.shown(node));
        self.mistake(node.place, message)
    }

    /// A value as it stands in the file: `y` is no `true` to who has written it, and quotes matter.
    fn shown(&self, node: &Node) -> String {
        let written = found(&self.source.text, node.place);
        match &node.value {
            Value::Text(text) if text.is_empty() || text.contains('\n') => node.shown(),
            Value::Flag(_) | Value::Whole(_) | Value::Broken(_) | Value::Text(_)
                if !written.is_empty() =>
            {
                format!("`{written}`")
            }
            _ => node.shown(),
        }
    }

    /// A text.
    pub fn text(&self, node: &'a Node, path: &str) -> Result<&'a str, Mistake> {
        match &node.value {
            Value::Text(text) => Ok(text),
            Value::Flag(_) | Value::Whole(_) | Value::Broken(_) => {
                let written = self.shown(node);
                let text = match node.value {
                    // As Kubernetes writes a status.
                    Value::Flag(true) if path.ends_with("status") => "True",
                    Value::Flag(false) if path.ends_with("status") => "False",
                    _ => written.trim_matches('`'),
                };
                Err(self.wrong(node, path, &format!("it in quotes: \"{text}\"")))
            }
            _ => Err(self.wrong(node, path, "a text")),
        }
    }

    /// A list.
    pub fn list(&self, node: &'a Node, path: &str) -> Result<&'a [Node], Mistake> {
        match &node.value {
            Value::List(items) => Ok(items),
            _ => Err(self.wrong(node, path, "a list, as lines with `- `")),
        }
    }

    /// A whole number up to a bound; whether it can be nothing is for who takes it to say.
    pub fn count(&self, node: &Node, path: &str, most: u32) -> Result<u32, Mistake> {
        let count = match &node.value {
            Value::Whole(number) => u32::try_from(*number).ok().filter(|count| *count <= most),
            _ => None,
        };
        count.ok_or_else(|| self.wrong(node, path, &format!("a whole number up to {most}")))
    }

    /// A length of time: of so many seconds, or as Go writes it.
    pub fn length(&self, node: &Node, path: &str, unit: Unit) -> Result<Duration, Mistake> {
        match (unit, &node.value) {
            (Unit::Seconds, _) => {
                let most = 1_000_000_000;
                let seconds = self.count(node, path, most);
                seconds.map(|seconds| Duration::from_secs(u64::from(seconds))).map_err(|_| {
                    self.wrong(node, path, "whole seconds without a unit, for example 300")
                })
            }
            (Unit::Go, Value::Text(text)) => text
                .parse::<Duration>()
                .map_err(|error| self.mistake(node.place, format!("{path}: {error}"))),
            (Unit::Go, _) => Err(self.wrong(node, path, "a duration with its unit, as 5m or 300s")),
        }
    }
}

/// How a length of time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `5m`, `300s`.
    Go,
    /// `300`.
    Seconds,
}

impl<'a> Fields<'a> {
    /// The path of a field.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A field, if it is there.
    pub fn get(&self, name: &str) -> Option<&'a Node> {
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        self.read[at].set(true);
        let node = &self.entries[at].1;
        (node.value != Value::Null).then_some(node)
    }

    /// A field that has to be there.
    pub fn needed(&self, name: &str, example: &str) -> Result<&'a Node, Mistake> {
        self.get(name).ok_or_else(|| {
            let message = format!("{} is missing; write {example}", self.path_of(name));
            self.reader.mistake(self.place, message)
        })
    }

    /// A mapping within.
    pub fn fields(&self, name: &str) -> Result<Option<Fields<'a>>, Mistake> {
        let node = self.get(name);
        node.map(|node| self.reader.fields(node, &self.path_of(name))).transpose()
    }

    /// A text within.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Mistake> {
        let node = self.get(name);
        node.map(|node| self.reader.text(node, &self.path_of(name))).transpose()
    }

    /// A text within, if it is one of these; any other stays unread.
    pub fn one_of(&self, name: &str, known: &[&str]) -> Option<Placed<&'a str>> {
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        let node = &self.entries[at].1;
        let value = self.reader.text(node, name).ok().filter(|value| known.contains(value))?;
        self.read[at].set(true);
        Some(Placed { value, place: node.place })
    }

    /// A list within; empty if it is absent.
    pub fn list(&self, name: &str) -> Result<&'a [Node], Mistake> {
        let node = self.get(name);
        node.map_or(Ok(&[]), |node| self.reader.list(node, &self.path_of(name)))
    }

    /// A whole number within.
    pub fn count(&self, name: &str, most: u32) -> Result<Option<Placed<u32>>, Mistake> {
        let node = self.get(name);
        node.map(|node| {
            let value = self.reader.count(node, &self.path_of(name), most)?;
            Ok(Placed { value, place: node.place })
        })
        .transpose()
    }

    /// A length of time within.
    pub fn length(&self, name: &str, unit: Unit) -> Result<Option<Placed<Duration>>, Mistake> {
        let node = self.get(name);
        node.map(|node| {
            let value = self.reader.length(node, &self.path_of(name), unit)?;
            Ok(Placed { value, place: node.place })
        })
        .transpose()
    }

    /// A number, or a percentage of up to 100: as it is written.
    pub fn amount(&self, name: &str) -> Result<Option<Placed<String>>, Mistake> {
        let Some(node) = self.get(name) else { return Ok(None) };
        let percent = |text: &str| {
            let number = text.strip_suffix('%')?.parse::<u32>().ok()?;
            (number <= 100).then(|| text.to_owned())
        };
        let value = match &node.value {
            Value::Whole(number) => u32::try_from(*number).ok().map(|number| number.to_string()),
            Value::Text(text) => percent(text),
            _ => None,
        };
        let wanted = "a whole number, or a percentage up to 100%, as 2 or 40%";
        match value {
            Some(value) => Ok(Some(Placed { value, place: node.place })),
            None => Err(self.reader.wrong(node, &self.path_of(name), wanted)),
        }
    }

    /// All keys with text values, as labels are.
    pub fn labels(&self, name: &str) -> Result<Vec<(&'a Key, &'a str)>, Mistake> {
        let Some(fields) = self.fields(name)? else { return Ok(Vec::new()) };
        let one = |(key, node): &'a (Key, Node)| {
            let path = format!("{}.{}", fields.path, key.name);
            Ok((key, if node.value == Value::Null { "" } else { self.reader.text(node, &path)? }))
        };
        fields.entries.iter().map(one).collect()
    }

    /// Says of every field that was not read what becomes of it: one that would matter is named
    /// with what is lost, one that cannot matter is passed over, and one that nobody knows is named.
    pub fn finish(&self, matters: &[(&str, &str)], harmless: &[&str]) {
        let unread = self.entries.iter().zip(&self.read).filter(|(_, read)| !read.get());
        for ((key, node), _) in unread {
            let path = self.path_of(&key.name);
            if node.is_empty() || harmless.contains(&key.name.as_str()) {
                continue;
            }
            if let Some((_, why)) = matters.iter().find(|(name, _)| *name == key.name) {
                self.reader.warn(key.place, format!("{path} isn't modeled: {why}"));
                continue;
            }
            let read = self.entries.iter().zip(&self.read).filter(|(_, read)| read.get());
            let there: Vec<&str> = read.map(|((key, _), _)| key.name.as_str()).collect();
            let known = matters.iter().map(|(name, _)| *name).chain(harmless.iter().copied());
            let known = known.chain(KNOWN.iter().copied().filter(|name| !there.contains(name)));
            let name = crop(&path);
            if let Some(here) = self.reader.called_here(&key.name) {
                let message = format!("{name} is a field of another apiVersion; write {here} here");
                self.reader.warn(key.place, message);
                continue;
            }
            let near = nearest(&key.name, known).map(|near| {
                let here = self.reader.called_here(near).unwrap_or_else(|| format!("`{near}`"));
                format!("; did you mean {here}?")
            });
            let near = near.unwrap_or_default();
            self.reader.warn(key.place, format!("{name} is no field that is known here{near}"));
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    pub value: T,
    pub place: (usize, usize),
}

/// The fields that are read somewhere, to find what a misspelled one means.
const KNOWN: [&str; 40] = [
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "name",
    "labels",
    "selector",
    "matchLabels",
    "matchExpressions",
    "template",
    "replicas",
    "version",
    "unhealthyConditions",
    "checks",
    "unhealthyNodeConditions",
    "type",
    "status",
    "timeout",
    "timeoutSeconds",
    "maxUnhealthy",
    "unhealthyRange",
    "nodeStartupTimeout",
    "nodeStartupTimeoutSeconds",
    "remediation",
    "remediationStrategy",
    "triggerIf",
    "unhealthyLessThanOrEqualTo",
    "unhealthyInRange",
    "maxRetry",
    "retryPeriod",
    "minHealthyPeriod",
    "maxInFlight",
    "nodeDrainTimeout",
    "nodeVolumeDetachTimeout",
    "nodeDeletionTimeout",
    "containers",
    "tolerations",
    "affinity",
    "minAvailable",
    "maxUnavailable",
];
