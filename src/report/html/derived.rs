//! kubectl's tables as far as the entries of a trace tell of them.
//!
//! Follows `report::kubectl`'s rows field by field. An entry names no namespace, so Pods of all
//! namespaces stand together, and versions and clusters are in no entry: a mark stands in their place.

use super::data::Table;
use super::film::{RowChange, TABLES};
use crate::api::Kind;
use crate::engine::{SimTime, Text};
use crate::report::kubectl::{self, Row};
use crate::timeline::{Entry, Value};
use std::collections::BTreeMap;

/// Stands where no entry tells.
const UNTOLD: &str = "·";

/// The tables, and what is missing in them.
pub fn tables(entries: &[Entry]) -> (Vec<Table>, Vec<String>) {
    let tables = TABLES.iter().map(|(name, kind)| Table {
        name,
        columns: kubectl::head(*kind),
        empty: kubectl::nothing(*kind),
        changes: changes(*kind, entries),
    });
    let notes = [
        "Made from a stored trace: no entry tells versions, clusters and namespaces, so `·` stands \
         for them, and Pods of all namespaces are listed.",
        "Whether kubectl would be answered at all is not in a trace: see the probes of the API.",
        "A trace has no ledger: the causes of events are drawn instead of the critical path.",
    ];
    (tables.collect(), notes.map(str::to_owned).into())
}

fn changes(kind: Kind, entries: &[Entry]) -> Vec<RowChange> {
    let mut known: BTreeMap<&Text, Known> = BTreeMap::new();
    let mut changes: Vec<RowChange> = Vec::new();
    let mut of_kind = entries.iter().filter(|entry| entry.kind == *kind.name()).peekable();
    while let Some(entry) = of_kind.next() {
        let object = known.entry(&entry.name).or_default();
        object.take(entry);
        // What is written at once is one row.
        let same = |next: &&Entry| next.at == entry.at && next.name == entry.name;
        if of_kind.peek().is_some_and(same) {
            continue;
        }
        let row = object.exists().then(|| object.row(kind, &entry.name));
        if object.shown != row {
            object.shown.clone_from(&row);
            changes.push(RowChange { at: entry.at, name: entry.name.clone(), row });
        }
    }
    changes
}

/// What is known of one object.
#[derive(Default)]
struct Known<'a> {
    created: SimTime,
    fields: BTreeMap<&'a str, &'a Value>,
    shown: Option<Row>,
}

impl<'a> Known<'a> {
    fn take(&mut self, entry: &'a Entry) {
        if entry.field == "exists" {
            // A new object of the name has nothing of the old one.
            self.fields.clear();
            self.created = entry.at.to_whole_seconds();
        }
        self.fields.insert(&entry.field, &entry.to);
    }

    fn exists(&self) -> bool {
        self.fields.get("exists").is_some_and(|exists| **exists == Value::Bool(true))
    }

    fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(|value| value.as_text()).unwrap_or_default()
    }

    fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| **value != Value::Null)
    }

    fn row(&self, kind: Kind, name: &Text) -> Row {
        let age = String::new();
        let untold = || UNTOLD.to_owned();
        let mut cells = vec![name.to_string()];
        cells.extend(match kind {
            Kind::Node => vec![self.node_status(), self.role(), age, untold()],
            Kind::Machine => vec![
                untold(),
                self.text("nodeRef").to_owned(),
                self.text("providerID").to_owned(),
                self.text("phase").to_owned(),
                age,
                untold(),
            ],
            _ => {
                let ready = u8::from(self.text("ContainersReady") == "True");
                let restarts = self.fields.get("restartCount");
                let restarts = restarts.map_or("0".to_owned(), |count| count.to_string());
                vec![format!("{ready}/1"), self.pod_status().to_owned(), restarts, age]
            }
        });
        Row { cells, created: self.created }
    }

    fn node_status(&self) -> String {
        let ready = match self.text("Ready") {
            "True" => "Ready",
            "" => "Unknown",
            _ => "NotReady",
        };
        let cordoned = self.fields.get("unschedulable").is_some_and(|it| **it == Value::Bool(true));
        format!("{ready}{}", if cordoned { ",SchedulingDisabled" } else { "" })
    }

    fn role(&self) -> String {
        let label = "node-role.kubernetes.io/control-plane";
        let is_plane = self.has(&format!("label {label}")) || self.text("taints").contains(label);
        if is_plane { "control-plane" } else { "<none>" }.to_owned()
    }

    fn pod_status(&self) -> &str {
        match self.text("phase") {
            "Succeeded" => "Completed",
            "Failed" => "Failed",
            _ if self.has("deletionTimestamp") => "Terminating",
            _ if !self.text("waiting").is_empty() => self.text("waiting"),
            "Pending" if !self.text("nodeName").is_empty() => "ContainerCreating",
            phase => phase,
        }
    }
}
