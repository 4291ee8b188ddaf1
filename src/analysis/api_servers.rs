//! When API servers stop serving, and serve again: one that runs, is through its start, and is not frozen.

use super::milestones::{Milestone, reached};
use crate::timeline::{Entry, Value};
use std::collections::BTreeMap;

/// What is known of one server.
#[derive(Clone, Copy, Default)]
struct Server {
    serves: bool,
    is_frozen: bool,
}

impl Server {
    fn is_up(self) -> bool {
        self.serves && !self.is_frozen
    }
}

/// The moments at which each stops serving, or serves.
pub fn milestones(entries: &[Entry]) -> Vec<Milestone> {
    let mut servers: BTreeMap<&str, Server> = BTreeMap::new();
    let mut found = Vec::new();
    let mine =
        |entry: &&Entry| entry.kind == "Process" && entry.name.starts_with("kube-apiserver@");
    for entry in entries.iter().filter(mine) {
        let server = servers.entry(&entry.name).or_default();
        let is_beginning = entry.at.as_micros() == 0;
        let was_up = server.is_up();
        match (entry.field.as_str(), &entry.to) {
            // Of one that has long been running nothing else is told.
            ("running", Value::Bool(runs)) => {
                *server = Server { serves: *runs && is_beginning, is_frozen: false };
            }
            ("serving", Value::Bool(serves)) => server.serves = *serves,
            ("frozen", Value::Bool(is_frozen)) => server.is_frozen = *is_frozen,
            _ => continue,
        }
        let name = match (was_up, server.is_up()) {
            (true, false) => "apiserverDown",
            (false, true) => "apiserverUp",
            _ => continue,
        };
        if !is_beginning {
            found.push(reached(name, entry.object(), entry));
        }
    }
    found
}
