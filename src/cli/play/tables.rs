//! What there is at an instant, as rows of words.
//!
//! Names and columns are kubectl's and etcdctl's where they have them; it does not know how rows are
//! drawn.

use crate::analysis::lanes::state;
use crate::analysis::moment::{Fields, Moment, Thing};
use crate::engine::{Duration, SimTime};
use crate::report::Mood;

/// A table with its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub title: &'static str,
    pub columns: &'static [&'static str],
    pub rows: Vec<Row>,
}

/// A thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub cells: Vec<String>,
    pub mood: Mood,
    /// It has changed within the last seconds.
    pub is_new: bool,
}

/// For how long a change is news.
const NEWS: Duration = Duration::from_secs(15);

/// All tables, the most asked for first.
pub fn tables(moment: &Moment, now: SimTime) -> Vec<Table> {
    vec![
        Table { title: "Nodes", columns: &["NAME", "STATUS", "TAINTS"], rows: nodes(moment, now) },
        Table {
            title: "Machines",
            columns: &["NAME", "PHASE", "NODE"],
            rows: machines(moment, now),
        },
        Table { title: "Pods", columns: &["NAME", "STATUS", "NODE"], rows: pods(moment, now) },
        Table { title: "etcd", columns: &["MEMBER", "ROLE", "LEADER"], rows: etcd(moment, now) },
        Table { title: "VMs", columns: &["NAME", "POWER", "HOST"], rows: vms(moment, now) },
        Table { title: "Users", columns: &["TRY", "STATUS"], rows: users(moment, now) },
    ]
}

/// A row that begins with name and state.
fn row(moment: &Moment, now: SimTime, (thing, fields): (&Thing, &Fields), more: &[&str]) -> Row {
    let state = state(moment, thing).unwrap_or_default();
    let mood = mood(&state);
    let mut cells = vec![thing.name.to_string(), state];
    cells.extend(more.iter().map(|cell| (*cell).to_owned()));
    Row { cells, mood, is_new: is_new(fields, now) }
}

fn is_new(fields: &Fields, now: SimTime) -> bool {
    let latest = fields.iter().map(|(_, held)| held.at).max().unwrap_or_default();
    latest > SimTime::ZERO && now < latest + NEWS
}

/// Good, bad, or on the way.
fn mood(state: &str) -> Mood {
    let first = state.split([',', ' ']).next().unwrap_or_default();
    match first {
        _ if state.contains(',') => Mood::Bad,
        "Ready" | "Running" | "Leader" | "Follower" | "on" | "ok" | "Succeeded" => Mood::Good,
        "NotReady" | "Unknown" | "Failed" | "down" | "off" | "degraded" => Mood::Bad,
        _ => Mood::Neutral,
    }
}

fn nodes(moment: &Moment, now: SimTime) -> Vec<Row> {
    let taints = |fields: &Fields| {
        let taints = fields.text("taints").unwrap_or_default().to_owned();
        // The domains say nothing, and take the place of what does.
        taints.replace("node.kubernetes.io/", "").replace("node-role.kubernetes.io/", "")
    };
    let all = moment.all("Node");
    all.map(|(thing, fields)| row(moment, now, (thing, fields), &[&taints(fields)])).collect()
}

fn machines(moment: &Moment, now: SimTime) -> Vec<Row> {
    let node = |fields: &Fields| fields.text("nodeRef").unwrap_or_default().to_owned();
    let all = moment.all("Machine");
    all.map(|(thing, fields)| row(moment, now, (thing, fields), &[&node(fields)])).collect()
}

/// Those of users first; a static Pod is told of by its process and its Node as well.
fn pods(moment: &Moment, now: SimTime) -> Vec<Row> {
    let mut all: Vec<(&Thing, &Fields)> = moment.all("Pod").collect();
    all.sort_by_key(|(_, fields)| fields.namespace() != "default");
    let row = |(thing, fields): (&Thing, &Fields)| {
        let (status, mood) = pod_status(fields);
        let node = fields.text("nodeName").unwrap_or_default();
        let cells = vec![thing.name.to_string(), status, node.to_owned()];
        Row { cells, mood, is_new: is_new(fields, now) }
    };
    all.into_iter().map(row).collect()
}

/// kubectl's word, and whether it is Ready.
fn pod_status(fields: &Fields) -> (String, Mood) {
    let phase = fields.text("phase").unwrap_or_default();
    let ready = fields.text("Ready") == Some("True");
    match (fields.text("waiting"), phase) {
        _ if fields.text("deletionTimestamp").is_some() => ("Terminating".to_owned(), Mood::Bad),
        (Some(waiting), _) => (waiting.to_owned(), Mood::Bad),
        (None, "Running") if ready => ("Running".to_owned(), Mood::Good),
        (None, "Running") => ("Running 0/1".to_owned(), Mood::Bad),
        (None, phase) => (phase.to_owned(), mood(phase)),
    }
}

fn etcd(moment: &Moment, now: SimTime) -> Vec<Row> {
    let leader = |fields: &Fields| fields.text("leader").unwrap_or_default().to_owned();
    let all = moment.all("EtcdMember");
    all.map(|(thing, fields)| row(moment, now, (thing, fields), &[&leader(fields)])).collect()
}

fn vms(moment: &Moment, now: SimTime) -> Vec<Row> {
    let host = |fields: &Fields| fields.text("host").unwrap_or_default().to_owned();
    let all = moment.all("VM");
    all.map(|(thing, fields)| row(moment, now, (thing, fields), &[&host(fields)])).collect()
}

/// Who tries the cluster, and where its endpoints lead.
fn users(moment: &Moment, now: SimTime) -> Vec<Row> {
    let tries = moment.all("Probe").map(|(thing, fields)| row(moment, now, (thing, fields), &[]));
    let endpoints = moment.all("Endpoint").map(|(thing, fields)| {
        let leads_to = fields.text("backends").unwrap_or_default().to_owned();
        let mood = if leads_to == "none" { Mood::Bad } else { Mood::Good };
        Row { cells: vec![thing.name.to_string(), leads_to], mood, is_new: is_new(fields, now) }
    });
    tries.chain(endpoints).collect()
}
