//! One object that is meant by a kind, a name and perhaps a Node: `Pod/web-* on worker-0`.

use super::pattern::Glob;
use super::words::{Names, check_change, check_kind, check_name, letters, words};
use crate::scenario::lesson::{STATUS, WITH_STATUS};
use crate::timeline::{Entry, Value};
use std::collections::BTreeMap;

/// Which object is meant: the first by name of those that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    kind: String,
    name: Glob,
    on: Option<Glob>,
}

impl Subject {
    /// Reads `KIND/NAME ["on" NODE]`, or says at which letter it goes wrong.
    pub fn read(text: &str, names: Names) -> Result<Subject, (usize, String)> {
        let words = words(text)?;
        let (at, object, on) = match words.as_slice() {
            [(at, object)] => (*at, *object, None),
            [(at, object), (_, "on"), on] => (*at, *object, Some(on)),
            _ => {
                let message = "write one object, as Node/worker-0 or `Pod/web-* on worker-0`";
                return Err((0, message.to_owned()));
            }
        };
        let Some((kind, name)) = object.split_once('/') else {
            let message = "a name is missing, as in Node/worker-0".to_owned();
            return Err((at, message));
        };
        check_kind(at, kind)?;
        if kind.contains('*') {
            return Err((at, "one kind is asked for, without `*`".to_owned()));
        }
        check_name(at + letters(kind) + 1, kind, name, names)?;
        if let Some((at, node)) = on {
            check_name(*at, "Node", node, names)?;
        }
        Ok(Subject {
            kind: kind.to_owned(),
            name: Glob(name.to_owned()),
            on: on.map(|(_, node)| Glob((*node).to_owned())),
        })
    }

    /// The kind of the object.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Fails with what would be right if such an object has no such field.
    pub fn check_field(&self, field: &str) -> Result<(), String> {
        if field == STATUS && WITH_STATUS.contains(&self.kind.as_str()) {
            return Ok(());
        }
        check_change(0, &self.kind, field, None).map_err(|(_, message)| message)
    }

    /// The name of the object that is meant, after these entries.
    pub fn name<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> Option<String> {
        // An object that has no `exists` is there from its first entry on.
        let mut there: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for entry in entries.filter(|entry| entry.kind == *self.kind) {
            match (entry.field.as_str(), &entry.to) {
                ("exists", Value::Null) => drop(there.remove(entry.name.as_str())),
                ("nodeName", to) => drop(there.insert(&entry.name, to.as_text())),
                _ => drop(there.entry(&entry.name).or_default()),
            }
        }
        let is_meant = |(name, node): &(&str, Option<&str>)| {
            let on = self.on.as_ref();
            self.name.matches(name) && on.is_none_or(|on| node.is_some_and(|it| on.matches(it)))
        };
        there.into_iter().find(is_meant).map(|(name, _)| name.to_owned())
    }
}
