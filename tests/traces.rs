//! Standard traces, read by the tools that they are made for: promtool takes the metrics, and alerts on
//! them fire when the timeline says that they must.

use healsim::engine::Duration;
use healsim::report::{self, Format, Style};
use healsim::scenario::{Game, load};
use healsim::timeline::{Run, Value};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// What is played, and the alerts that fire in it.
const PLAYED: [(&str, &[&str]); 3] = [
    ("worker-vm-deleted", &["NodeNotReady"]),
    ("control-plane-vm-deleted", &["NodeNotReady"]),
    (
        "etcd-one-of-three",
        // Without a quorum nobody can say of a Node that it is not ready.
        &["ApiUnavailable", "EtcdInsufficientMembers", "EtcdNoLeader"],
    ),
];

/// Each alert of `tests/traces/alerts.yml`, and for how many seconds it is pending.
const ALERTS: [(&str, u64); 4] = [
    ("NodeNotReady", 120),
    ("EtcdNoLeader", 60),
    ("EtcdInsufficientMembers", 180),
    ("ApiUnavailable", 60),
];

/// Seconds from one scrape, and one evaluation, to the next.
const INTERVAL: u64 = 15;

fn played(name: &str) -> Run {
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, None, &[], None).expect("a valid scenario").play(1)
}

fn metrics(run: &Run) -> String {
    let mut bytes = Vec::new();
    report::write(Format::Metrics, run, Style::Plain, &mut bytes).expect("memory takes everything");
    String::from_utf8(bytes).expect("metrics are text")
}

#[test]
fn promtool_takes_the_metrics_and_alerts_fire_when_the_timeline_says_so() {
    if Command::new("promtool").arg("--version").output().is_err() {
        // Past the test's capture: who reads the log has to know.
        let words = "SKIPPED: no promtool; what it says of metrics and alerts was not tested";
        writeln!(std::io::stderr(), "{words}").expect("standard error");
        return;
    }
    for (name, alerts) in PLAYED {
        let run = played(name);
        let text = metrics(&run);
        let file = folder(name).join("metrics.om");
        fs::write(&file, &text).expect("a file of our own");
        let blocks = folder(name).join("blocks");
        promtool(&["tsdb", "create-blocks-from", "openmetrics"], [&file, &blocks]);

        let facts = facts(&run);
        let fired: BTreeSet<&str> = (0..=scrapes(&run))
            .flat_map(|at| facts.iter().filter(move |fact| fact.fires(at)))
            .map(|fact| fact.alert)
            .collect();
        assert_eq!(fired.into_iter().collect::<Vec<_>>(), alerts, "{name}");
        let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/traces/alerts.yml");
        let test = json!({
            "rule_files": [rules],
            "evaluation_interval": format!("{INTERVAL}s"),
            "tests": [{
                "interval": format!("{INTERVAL}s"),
                "input_series": series(&text, scrapes(&run)),
                "alert_rule_test": expected(&facts, scrapes(&run)),
            }],
        });
        let file = folder(name).join("alerts_test.yml");
        fs::write(&file, test.to_string()).expect("a file of our own");
        promtool(&["test", "rules"], [&file]);
    }
}

/// What the document "Trace Event Format" asks of a file, and what Perfetto needs to draw an arrow.
#[test]
fn a_perfetto_trace_is_well_formed() {
    for name in ["worker-vm-deleted", "etcd-one-of-three"] {
        let scenario = load(name).expect("an embedded scenario");
        let until = Some(Duration::from_secs(900));
        let run = Game::new(&scenario, None, &[], until).expect("a valid scenario").play(1);
        let mut bytes = Vec::new();
        report::write(Format::Perfetto, &run, Style::Plain, &mut bytes).expect("memory takes it");
        let trace: Json = serde_json::from_slice(&bytes).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("a list");
        let of = |ph: &'static str| events.iter().filter(move |event| event["ph"] == ph);
        let known = ["M", "X", "i", "s", "f"];
        assert!(events.iter().all(|it| known.iter().any(|ph| it["ph"] == *ph)), "{name}");

        let names: BTreeSet<(u64, u64)> =
            of("M").filter(|it| it["name"] == "thread_name").map(track).collect();
        let processes: BTreeSet<u64> =
            of("M").filter(|it| it["name"] == "process_name").map(|it| number(it, "pid")).collect();
        let timed: Vec<&Json> = events.iter().filter(|event| event["ph"] != "M").collect();
        let is_named = |it: &&Json| names.contains(&track(it)) && processes.contains(&track(it).0);
        assert!(timed.len() > 100 && timed.iter().all(is_named), "{name}: a track has no name");
        let all: Vec<u64> = timed.iter().map(|event| number(event, "ts")).collect();
        assert!(all.is_sorted(), "{name}: not in order of time");
        assert!(*all.last().expect("some") <= run.ended_at.as_micros() + 1_000_000);

        // Slices of a track are one after the other; a negative length is no number of `as_u64`.
        let mut slices: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
        for slice in of("X") {
            let from = number(slice, "ts");
            slices.entry(track(slice)).or_default().push((from, from + number(slice, "dur")));
        }
        for (track, slices) in &slices {
            let fits = slices.windows(2).all(|two| two[0].1 <= two[1].0);
            assert!(fits, "{name}: slices of {track:?} overlap");
        }

        let ends: Vec<BTreeMap<u64, &Json>> =
            ["s", "f"].map(|ph| of(ph).map(|it| (number(it, "id"), it)).collect()).into();
        assert_eq!([of("s").count(), of("f").count()], [ends[0].len(), ends[0].len()], "{name}");
        assert!(
            ends[0].len() > 10 && ends[0].keys().eq(ends[1].keys()),
            "{name}: arrows have two ends"
        );
        for (id, start) in &ends[0] {
            let end = ends[1][id];
            assert!(number(start, "ts") <= number(end, "ts"), "{name}: arrow {id} leads back");
            assert_eq!(["name", "cat"].map(|it| &start[it]), ["name", "cat"].map(|it| &end[it]));
            for event in [*start, end] {
                let at = number(event, "ts");
                let holds = |(from, to): &(u64, u64)| (*from..=*to).contains(&at);
                let found = slices.get(&track(event)).is_some_and(|all| all.iter().any(holds));
                assert!(found, "{name}: an end of arrow {id} is in no slice");
            }
        }
    }
}

fn number(event: &Json, name: &str) -> u64 {
    event[name].as_u64().unwrap_or_else(|| panic!("`{name}` of {event}"))
}

fn track(event: &Json) -> (u64, u64) {
    (number(event, "pid"), number(event, "tid"))
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("traces").join(name);
    fs::create_dir_all(&folder).expect("a folder of our own");
    folder
}

fn promtool<const N: usize>(words: &[&str], files: [&PathBuf; N]) {
    let output = Command::new("promtool").args(words).args(files).output().expect("promtool");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said));
}

/// The last scrape.
fn scrapes(run: &Run) -> u64 {
    run.ended_at.as_micros() / 1_000_000 / INTERVAL
}

/// The samples that the alerts ask for, as promtool writes series. What a scrape does not find any
/// more a Prometheus marks as stale.
fn series(text: &str, last: u64) -> Vec<Json> {
    let asked = |series: &str| {
        series.starts_with("etcd_server_has_leader{")
            || series.starts_with("up{") && series.contains("job=\"etcd\"")
            || series.starts_with("probe_success{")
            || series.starts_with("kube_node_status_condition{")
                && series.contains("condition=\"Ready\",status=\"true\"")
    };
    let mut found: BTreeMap<&str, BTreeMap<u64, &str>> = BTreeMap::new();
    for line in text.lines().filter(|line| asked(line)) {
        let (rest, at) = line.rsplit_once(' ').expect("a sample with a time");
        let (series, value) = rest.rsplit_once(' ').expect("a sample with a value");
        let at = at.parse::<u64>().expect("whole seconds") - 1_726_149_600;
        found.entry(series).or_default().insert(at / INTERVAL, value);
    }
    let values = |samples: &BTreeMap<u64, &str>| {
        let mut words = Vec::new();
        for at in 0..=last {
            let before = at > 0 && samples.contains_key(&(at - 1));
            words.push(*samples.get(&at).unwrap_or(if before { &"stale" } else { &"_" }));
        }
        words.join(" ")
    };
    found
        .into_iter()
        .map(|(series, samples)| json!({ "series": series, "values": values(&samples) }))
        .collect()
}

/// What each alert has to say at each evaluation.
fn expected(facts: &[Fact], last: u64) -> Vec<Json> {
    let at = |at: u64, alert: &str| {
        let firing = facts.iter().filter(|fact| fact.alert == alert && fact.fires(at));
        let alerts: Vec<Json> = firing.map(|fact| json!({ "exp_labels": fact.labels })).collect();
        json!({ "eval_time": format!("{}s", at * INTERVAL), "alertname": alert, "exp_alerts": alerts })
    };
    let names = ALERTS.iter().map(|(name, _)| *name);
    names.flat_map(|alert| (0..=last).map(move |scrape| at(scrape, alert))).collect()
}

/// Something that an alert watches, and in which scrapes it is the case.
struct Fact {
    alert: &'static str,
    labels: BTreeMap<&'static str, String>,
    scrapes: BTreeSet<u64>,
}

impl Fact {
    /// True if it has been the case for as long as the alert waits.
    fn fires(&self, at: u64) -> bool {
        let (_, pending) = ALERTS.iter().find(|(name, _)| *name == self.alert).expect("an alert");
        let wait = pending / INTERVAL;
        at >= wait && (at - wait..=at).all(|scrape| self.scrapes.contains(&scrape))
    }
}

type Fields<'a> = BTreeMap<&'a str, &'a Value>;
/// Everything that there is at an instant, by kind and name; only the workload cluster is watched.
type State<'a> = BTreeMap<(&'a str, &'a str), Fields<'a>>;

/// What the timeline itself says, read entry by entry and without what the metrics are made with.
fn facts(run: &Run) -> Vec<Fact> {
    let mut facts: BTreeMap<(&str, Vec<String>), Fact> = BTreeMap::new();
    for scrape in 0..=scrapes(run) {
        let state = state(run, scrape * INTERVAL);
        for (alert, labels) in happening(&state) {
            let key = (alert, labels.values().cloned().collect());
            let fact = facts.entry(key);
            let new = || Fact { alert, labels, scrapes: BTreeSet::new() };
            fact.or_insert_with(new).scrapes.insert(scrape);
        }
    }
    facts.into_values().collect()
}

fn state(run: &Run, seconds: u64) -> State<'_> {
    let mut state = State::new();
    let until = seconds * 1_000_000;
    for entry in run.timeline.entries().iter().take_while(|entry| entry.at.as_micros() <= until) {
        if entry.cluster != *"workload" {
            continue;
        }
        let key = (entry.kind.as_str(), entry.name.as_str());
        if entry.field == *"exists" && entry.to == Value::Null {
            state.remove(&key);
            continue;
        }
        if let (Some(vm), "running") = (entry.name.strip_prefix("etcd@"), entry.field.as_str()) {
            state.entry(("EtcdMember", vm)).or_default().remove("leader");
        }
        state.entry(key).or_default().insert(&entry.field, &entry.to);
    }
    state
}

fn happening(state: &State) -> Vec<(&'static str, BTreeMap<&'static str, String>)> {
    let text = |kind, name, field: &str| state.get(&(kind, name))?.get(field)?.as_text();
    let cluster = [("cluster", "workload".to_owned())];
    let mut found = Vec::new();
    let mut say = |alert, labels: Vec<(&'static str, String)>| {
        found.push((alert, cluster.iter().cloned().chain(labels).collect()));
    };
    let nodes = state.keys().filter(|(kind, _)| *kind == "Node").map(|(_, name)| *name);
    for node in nodes {
        if text("Node", node, "Ready").is_some_and(|ready| ready != "True") {
            let [ready, status] = [("condition", "Ready"), ("status", "true")];
            let words = [ready, status].map(|(label, word)| (label, word.to_owned()));
            say("NodeNotReady", [vec![("node", node.to_owned())], words.to_vec()].concat());
        }
    }
    let members = state.iter().filter_map(|((_, name), fields)| {
        let vm = name.strip_prefix("etcd@").filter(|vm| state.contains_key(&("Node", *vm)))?;
        Some((vm, fields.get("running") == Some(&&Value::Bool(true))))
    });
    let members: Vec<(&str, bool)> = members.collect();
    for (vm, _) in members.iter().filter(|(_, runs)| *runs) {
        if text("EtcdMember", vm, "leader").is_none() {
            let instance = format!("{vm}:2381");
            say("EtcdNoLeader", vec![("job", "etcd".to_owned()), ("instance", instance)]);
        }
    }
    let up = members.iter().filter(|(_, runs)| *runs).count();
    if 2 * up < members.len() + 1 {
        say("EtcdInsufficientMembers", Vec::new());
    }
    if text("Probe", "api", "status") == Some("down") {
        let words = [("job", "probe"), ("instance", "api")];
        say("ApiUnavailable", words.map(|(label, word)| (label, word.to_owned())).to_vec());
    }
    found
}
