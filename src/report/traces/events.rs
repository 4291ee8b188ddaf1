//! The Events of a run as Kubernetes objects: a List, as `kubectl get events -o json` prints it.
//!
//! Events are those that an API server has committed, with what the timeline knows of them. The
//! model's counts of repetitions are no entries, so each Event stands as it was first recorded,
//! with `count` 1. Simplified: names are made as client-go does (object and time), not those of
//! the run; UIDs are numbers of entries; `involvedObject` has no UID.

use crate::api::{Kind, unix_micros};
use crate::engine::SimTime;
use crate::report::kubectl::uid;
use crate::timeline::{Aside, Entry, Run};
use serde_json::{Value, json};
use std::io;

/// Writes the List.
pub fn events(run: &Run, to: &mut impl io::Write) -> io::Result<()> {
    let told = run.timeline.happened().iter().filter(|entry| entry.field == "event");
    let items: Vec<Value> = told.map(|entry| event(run, entry)).collect();
    let list = json!({
        "apiVersion": "v1",
        "items": items,
        "kind": "List",
        "metadata": { "resourceVersion": "" },
    });
    writeln!(to, "{list:#}")
}

/// An instant as objects write it; unlike `rfc3339` it does not take the run's beginning for the
/// cluster's.
pub fn date(at: SimTime) -> String {
    let micros = i64::try_from(unix_micros(at)).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(micros / 1_000_000).unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn event(run: &Run, entry: &Entry) -> Value {
    let usual = Aside { namespace: "default".into(), is_warning: false };
    let aside = run.timeline.aside(entry.id).unwrap_or(&usual);
    let (component, host) = entry.by.split_once('@').unwrap_or((&entry.by, ""));
    // Only a kubelet says where it runs.
    let host = if component == "kubelet" { host } else { "" };
    let mut source = json!({ "component": component });
    if !host.is_empty() {
        source["host"] = json!(host);
    }
    let at = date(entry.at);
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata(entry, aside),
        "involvedObject": involved(entry, aside),
        "reason": entry.to.to_string(),
        "message": entry.message,
        "source": source,
        "type": if aside.is_warning { "Warning" } else { "Normal" },
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "eventTime": null,
        "reportingComponent": component,
        "reportingInstance": host,
    })
}

fn metadata(entry: &Entry, aside: &Aside) -> Value {
    let at = date(entry.at);
    let namespace = match aside.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    // Nanoseconds, as client-go names Events; the entry's number keeps those of an instant apart.
    let nanos = unix_micros(entry.at) * 1_000 + u64::from(entry.id.0 % 1_000);
    let mut annotations = json!({ "healsim/entry": entry.id.0.to_string() });
    if let Some(cause) = entry.cause {
        annotations["healsim/cause"] = json!(cause.0.to_string());
    }
    json!({
        "name": format!("{}.{nanos:x}", entry.name),
        "namespace": namespace,
        "uid": uid(u64::from(entry.id.0)),
        "creationTimestamp": at,
        "annotations": annotations,
        "labels": { "healsim/cluster": entry.cluster },
    })
}

fn involved(entry: &Entry, aside: &Aside) -> Value {
    let kind = Kind::named(&entry.kind);
    let mut object = json!({ "kind": entry.kind, "name": entry.name });
    if let Some(kind) = kind {
        object["apiVersion"] = json!(kind.api_version());
        if kind.is_namespaced() {
            object["namespace"] = json!(aside.namespace);
        }
    }
    object
}
