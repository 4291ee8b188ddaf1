//! What kubectl's STATUS was, object by object, while a run was played.

use super::value::{Change, Held};
use crate::api::Kind;
use crate::scenario::Observer;
use crate::timeline::EntryId;
use crate::world::View;
use std::collections::BTreeMap;

/// Every change of STATUS of Nodes and Pods.
#[derive(Debug, Default)]
pub struct Statuses {
    seen: usize,
    now: BTreeMap<String, String>,
    pub changes: Vec<Change>,
}

impl Observer for Statuses {
    fn look(&mut self, view: View) {
        let entries = view.timeline().entries();
        if entries.len() == self.seen {
            return;
        }
        let new = &entries[self.seen..];
        self.seen = entries.len();
        let mut now = BTreeMap::new();
        for kind in [Kind::Node, Kind::Pod] {
            for object in view.objects(kind) {
                let status = object.status_column().unwrap_or_default();
                now.insert(format!("{}/{}", kind.name(), object.name()), status);
            }
        }
        let mut change = |object: &String, held: Held| {
            let entry = new.iter().rfind(|entry| entry.object() == *object);
            let entry = entry.or(new.last()).map_or(EntryId::default(), |entry| entry.id);
            self.changes.push(Change { at: view.now(), object: object.clone(), held, entry });
        };
        for (object, status) in &now {
            if self.now.get(object) != Some(status) {
                change(object, Held::Is(status.clone()));
            }
        }
        for object in self.now.keys().filter(|object| !now.contains_key(*object)) {
            change(object, Held::Gone);
        }
        self.now = now;
    }
}
