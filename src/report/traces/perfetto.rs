//! The timeline as Chrome's trace events, which Perfetto opens: lanes as tracks, causes as arrows.
//!
//! Follows the "Trace Event Format" document of the Chromium project, in its JSON object form. A
//! kind of things in a cluster is a process, a thing a thread, a state a complete event (`X`), an
//! Event or a log line an instant (`i`), a cause a flow (`s` to `f`). Times are microseconds since
//! the run began. Nothing is drawn from a clock or an address, so equal runs give equal files.

use crate::analysis::lanes::{Band, Groups, Lane, lane_of, lanes};
use crate::analysis::moment::Thing;
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Entry, EntryId, Run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

/// How long a fault is drawn: it happens in an instant, but an arrow needs something to begin at.
const FAULT_LENGTH: Duration = Duration::from_secs(1);

/// The process of the faults; those of the lanes follow.
const FAULTS: usize = 1;

/// Writes the document.
pub fn perfetto(run: &Run, to: &mut impl io::Write) -> io::Result<()> {
    let lanes = lanes(run);
    let tracks = Tracks::of(run, &lanes);
    let mut events = tracks.names(run);
    events.extend(faults(run));
    for lane in &lanes {
        events.extend(lane.bands.iter().filter_map(|band| slice(run, &tracks, lane, band)));
    }
    events.extend(run.timeline.happened().iter().filter_map(|entry| instant(&tracks, entry)));
    events.extend(flows(run, &tracks, &lanes));
    // In order of time, for readers that do not sort; names come first, and an arrow after its slices.
    events.sort_by_key(|event| event["ts"].as_u64());
    writeln!(to, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{},", about(run))?;
    writeln!(to, "\"traceEvents\":[")?;
    for (place, event) in events.iter().enumerate() {
        let end = if place + 1 < events.len() { "," } else { "" };
        writeln!(to, "{event}{end}")?;
    }
    writeln!(to, "]}}")
}

fn about(run: &Run) -> Value {
    json!({
        "healsim": env!("CARGO_PKG_VERSION"),
        "scenario": run.scenario,
        "platform": run.platform,
        "seed": run.seed,
        "hash": run.timeline.hash(),
        "beginsAt": super::events::date(SimTime::ZERO),
    })
}

/// A process and a thread in it.
type Track = (usize, usize);

/// Where each thing is drawn.
struct Tracks {
    groups: Groups,
    of: BTreeMap<Thing, Track>,
}

impl Tracks {
    fn of(run: &Run, lanes: &[Lane]) -> Tracks {
        let mut of = BTreeMap::new();
        let (mut process, mut thread) = (FAULTS, 0);
        let mut before: Option<(&Text, &Text)> = None;
        for Lane { thing, .. } in lanes {
            let place = (&thing.kind, &thing.cluster);
            if before != Some(place) {
                (process, thread) = (process + 1, 0);
            }
            thread += 1;
            before = Some(place);
            of.insert(thing.clone(), (process, thread));
        }
        Tracks { groups: Groups::of(&run.timeline), of }
    }

    /// Where an entry is told of.
    fn track(&self, entry: &Entry) -> Option<Track> {
        self.of.get(&lane_of(&self.groups, entry)?).copied()
    }

    /// What processes and threads are called, and in which order they stand.
    fn names(&self, run: &Run) -> Vec<Value> {
        let mut named = process_name(FAULTS, "Faults");
        for (number, entry) in (1..).zip(fault_entries(run)) {
            named.extend(thread_name((FAULTS, number), &entry.name));
        }
        let mut by_track: Vec<(&Track, &Thing)> =
            self.of.iter().map(|(thing, track)| (track, thing)).collect();
        by_track.sort_unstable();
        for (track, thing) in by_track {
            if track.1 == 1 {
                named.extend(process_name(track.0, &process_title(thing)));
            }
            named.extend(thread_name(*track, &thing.name));
        }
        named
    }
}

fn process_title(thing: &Thing) -> String {
    let kind = match thing.kind.as_str() {
        "Pod" => "Pods",
        kind => kind,
    };
    match thing.cluster.as_str() {
        "" => kind.to_owned(),
        cluster => format!("{kind} ({cluster})"),
    }
}

fn process_name(pid: usize, name: &str) -> Vec<Value> {
    vec![
        json!({ "ph": "M", "name": "process_name", "pid": pid, "args": { "name": name } }),
        json!({ "ph": "M", "name": "process_sort_index", "pid": pid, "args": { "sort_index": pid } }),
    ]
}

fn thread_name((pid, tid): Track, name: &str) -> Vec<Value> {
    let meta = |what: &str, args: Value| json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": args });
    vec![
        meta("thread_name", json!({ "name": name })),
        meta("thread_sort_index", json!({ "sort_index": tid })),
    ]
}

fn fault_entries(run: &Run) -> impl Iterator<Item = &Entry> {
    run.timeline.entries().iter().filter(|entry| entry.kind == "Fault")
}

/// Each fault on a thread of its own: a slice for the arrows, and a mark across everything.
fn faults(run: &Run) -> impl Iterator<Item = Value> {
    (1..).zip(fault_entries(run)).flat_map(|(tid, entry): (usize, &Entry)| {
        let name = format!("{} {}", entry.name, entry.to);
        let event = |more: Value| {
            let mut event = json!({
                "name": name,
                "cat": "Fault",
                "pid": FAULTS,
                "tid": tid,
                "ts": entry.at.as_micros(),
                "args": args(entry),
            });
            extend(&mut event, more);
            event
        };
        let length = FAULT_LENGTH.as_micros();
        [event(json!({ "ph": "X", "dur": length })), event(json!({ "ph": "i", "s": "g" }))]
    })
}

fn slice(run: &Run, tracks: &Tracks, lane: &Lane, band: &Band) -> Option<Value> {
    let (pid, tid) = *tracks.of.get(&lane.thing)?;
    let entry = run.timeline.get(band.entry)?;
    Some(json!({
        "ph": "X",
        "name": band.state,
        "cat": lane.thing.kind,
        "pid": pid,
        "tid": tid,
        "ts": band.from.as_micros(),
        "dur": band.until.since(band.from).as_micros(),
        "args": args(entry),
    }))
}

/// A log line or an Event; what it is about may have no lane.
fn instant(tracks: &Tracks, entry: &Entry) -> Option<Value> {
    let name = match entry.field.as_str() {
        "log" => entry.message.to_string(),
        "event" => entry.to.to_string(),
        _ => return None,
    };
    let (pid, tid) = tracks.track(entry)?;
    Some(json!({
        "ph": "i",
        "s": "t",
        "name": name,
        "cat": entry.field,
        "pid": pid,
        "tid": tid,
        "ts": entry.at.as_micros(),
        "args": args(entry),
    }))
}

/// What a reader of the trace can look up.
fn args(entry: &Entry) -> Value {
    let mut args = json!({ "entry": entry.id.0, "object": entry.object() });
    for (name, text) in [("reason", &entry.reason), ("message", &entry.message), ("by", &entry.by)]
    {
        if !text.is_empty() {
            extend(&mut args, json!({ name: text }));
        }
    }
    if let Some(cause) = entry.cause {
        extend(&mut args, json!({ "cause": cause.0 }));
    }
    args
}

fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// Arrows from what led to a state to the state: from the nearest ancestor that is drawn itself.
fn flows(run: &Run, tracks: &Tracks, lanes: &[Lane]) -> Vec<Value> {
    let mut drawn: BTreeMap<EntryId, Track> = BTreeMap::new();
    for (number, entry) in (1..).zip(fault_entries(run)) {
        drawn.insert(entry.id, (FAULTS, number));
    }
    for lane in lanes {
        let Some(track) = tracks.of.get(&lane.thing) else { continue };
        let happened = lane.bands.iter().filter(|band| band.from > SimTime::ZERO);
        happened.for_each(|band| {
            // An etcd process's end is first of all its own.
            drawn.entry(band.entry).or_insert(*track);
        });
    }
    let mut flows = Vec::new();
    for (effect, track) in &drawn {
        let Some(entry) = run.timeline.get(*effect) else { continue };
        let Some(cause) = drawn_cause(run, &drawn, entry) else { continue };
        let flow = |ph: &str, at: SimTime, (pid, tid): Track| {
            json!({
                "ph": ph,
                "id": effect.0,
                "name": "leads to",
                "cat": "cause",
                "pid": pid,
                "tid": tid,
                "ts": at.as_micros(),
            })
        };
        flows.push(flow("s", cause.at, drawn[&cause.id]));
        let mut end = flow("f", entry.at, *track);
        extend(&mut end, json!({ "bp": "e" }));
        flows.push(end);
    }
    flows
}

fn drawn_cause<'a>(
    run: &'a Run,
    drawn: &BTreeMap<EntryId, Track>,
    entry: &'a Entry,
) -> Option<&'a Entry> {
    let mut entry = entry;
    loop {
        // A cause is older than its effect; a file that says otherwise ends here.
        let older = entry.cause.filter(|cause| *cause < entry.id)?;
        entry = run.timeline.get(older)?;
        if drawn.contains_key(&entry.id) {
            return Some(entry);
        }
    }
}
