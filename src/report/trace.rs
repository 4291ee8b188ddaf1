//! A stored trace, read back: what `-o jsonl` has written, line by line, with its summary.
//!
//! It takes nothing for granted: each mistake names its line, what stands there and what would be
//! right. A trace of another version is refused, for its words may mean something else.

use crate::engine::{SimTime, Text};
use crate::timeline::{Entry, EntryId, Timeline, Value};
use serde_json::{Map, Value as Json};
use std::fs;
use std::path::Path;

/// A timeline and its summary.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub scenario: String,
    /// The summary as it stands in the file.
    pub summary: String,
    pub timeline: Timeline,
    /// False from the first entry on that tells what happened.
    begins: bool,
}

/// What to do about a file that is no whole trace of this version.
const ADVICE: &str = "write it with `healsim run NAME -o jsonl`";

impl Trace {
    /// Reads a file; a mistake is one text that begins with FILE:LINE.
    pub fn read(path: &Path) -> Result<Trace, String> {
        let name = path.display();
        let bytes = fs::read(path).map_err(|error| format!("{name}: cannot be read: {error}"))?;
        match String::from_utf8(bytes) {
            Ok(text) => Trace::parse(&name.to_string(), &text),
            Err(wrong) => {
                let good = wrong.utf8_error().valid_up_to();
                let line = 1 + wrong.as_bytes()[..good].iter().filter(|it| **it == b'\n').count();
                Err(format!("{name}:{line}: this is not UTF-8 text; {ADVICE}"))
            }
        }
    }

    /// Reads the text of a file of this name.
    pub fn parse(file: &str, text: &str) -> Result<Trace, String> {
        // What editors and shells put before and after it is no part of it.
        let text = text.trim_start_matches('\u{feff}').trim_end();
        other_version(text).map_or(Ok(()), |wrong| Err(format!("{file}:{wrong}")))?;
        let mut trace = Trace { begins: true, ..Trace::default() };
        let mut last = 0;
        for (line, text) in (1..).zip(text.lines()) {
            last = line;
            let wrong = |what: String| format!("{file}:{line}: {what}");
            if !trace.summary.is_empty() {
                return Err(wrong(
                    "something follows the summary, which is the last line of a \
                                  trace; one file holds one run"
                        .to_owned(),
                ));
            }
            let json: Json = serde_json::from_str(text).map_err(|error| {
                let (column, told) = (error.column(), error.to_string());
                // Its own place is that in the line alone.
                let told = told.split(" at line ").next().unwrap_or_default();
                wrong(format!("no JSON at column {column} ({told}); is it cut off? {ADVICE}"))
            })?;
            let Json::Object(members) = json else {
                return Err(wrong(format!("a line is a JSON object, {{...}}; {ADVICE}")));
            };
            match members.get("summary") {
                Some(_) => trace.close(&members, text).map_err(wrong)?,
                None => trace.push(&Members(&members)).map_err(wrong)?,
            }
        }
        match trace.summary.is_empty() {
            true if last == 0 => Err(format!("{file}:1: the file is empty; {ADVICE}")),
            true => Err(format!(
                "{file}:{last}: the trace ends here without its summary, which is the last line of \
                 a whole one; {ADVICE}"
            )),
            false => Ok(trace),
        }
    }

    fn push(&mut self, members: &Members) -> Result<(), String> {
        let entry = members.entry()?;
        let (id, next) = (entry.id.0, self.timeline.next_id().0);
        if id != next {
            return Err(format!(
                "entry {id} stands where entry {next} should be; a line is missing"
            ));
        }
        if let Some(cause) = entry.cause.filter(|cause| cause.0 >= id) {
            return Err(format!("`cause` is {}, which does not come before entry {id}", cause.0));
        }
        if let Some(last) = self.timeline.entries().last().filter(|last| last.at > entry.at) {
            let (at, before) = (entry.at.seconds_text(), last.at.seconds_text());
            return Err(format!("`t` is {at}, before that of the line above, {before}"));
        }
        let is_first = entry.at == SimTime::ZERO
            && entry.from == Value::Null
            && entry.cause.is_none()
            && entry.by.is_empty()
            && entry.kind != "Fault";
        if self.begins && !is_first {
            self.timeline.begin();
            self.begins = false;
        }
        self.timeline.push(entry);
        Ok(())
    }

    fn close(&mut self, members: &Map<String, Json>, text: &str) -> Result<(), String> {
        let word = |name: &str| members.get(name).and_then(Json::as_str);
        if word("healsim").is_none() {
            return Err(format!("the summary does not tell its version; {ADVICE}"));
        }
        let counted = members.get("entries").and_then(Json::as_u64);
        let found = self.timeline.entries().len();
        if counted != Some(found as u64) {
            let told = counted.map_or("no number".to_owned(), |count| count.to_string());
            return Err(format!(
                "the summary tells of {told} entries, and the file has {found}; {ADVICE}"
            ));
        }
        let hash = self.timeline.hash();
        if word("hash") != Some(&hash) {
            let told = word("hash").unwrap_or("none");
            return Err(format!(
                "the entries' hash is {hash}, and the summary says {told}: a line was changed; {ADVICE}"
            ));
        }
        let Some(scenario) = word("scenario") else {
            return Err(format!("the summary does not name its scenario; {ADVICE}"));
        };
        if let Some((name, _)) = SHAPES.iter().find(|(name, fits)| !fits(members.get(*name))) {
            let told = members.get(*name).map_or("nothing".to_owned(), Json::to_string);
            return Err(format!("`{name}` of the summary is {told}, which it never is; {ADVICE}"));
        }
        if self.begins {
            self.timeline.begin();
        }
        self.scenario = scenario.to_owned();
        self.summary = text.to_owned();
        Ok(())
    }
}

/// Whether a member of a summary, if it is there, is of the right shape.
type Fits = fn(Option<&Json>) -> bool;

/// What a reader counts on in a summary.
const SHAPES: [(&str, Fits); 5] = [
    ("seed", |it| it.is_some_and(Json::is_u64)),
    ("endedAt", |it| it.is_some_and(Json::is_number)),
    ("firstFault", is_number_or_null),
    ("recoveryTime", is_number_or_null),
    ("availability", |it| {
        let services = it.and_then(Json::as_object);
        services.is_some_and(|all| {
            let is_down = |own: &Json| own.get("unavailable").is_some_and(Json::is_number);
            let is_less = |own: &Json| own.get("degraded").is_none_or(Json::is_number);
            all.values().all(|own| is_down(own) && is_less(own))
        })
    }),
];

fn is_number_or_null(it: Option<&Json>) -> bool {
    it.is_some_and(|it| it.is_number() || it.is_null())
}

/// What is wrong with a trace of another version, whose lines may read otherwise, with its line.
fn other_version(text: &str) -> Option<String> {
    let (line, last) = (1..).zip(text.lines()).last()?;
    let summary: Json = serde_json::from_str(last).ok()?;
    let version = summary.get("summary").and(summary.get("healsim"))?.as_str()?;
    let own = env!("CARGO_PKG_VERSION");
    (version != own).then(|| {
        format!(
            "{line}: this is a trace of healsim {version}, and this is healsim {own}; play it \
             again, or use that version"
        )
    })
}

/// The members of one line.
struct Members<'a>(&'a Map<String, Json>);

impl Members<'_> {
    fn entry(&self) -> Result<Entry, String> {
        let object = self.word("object")?.ok_or("`object` is missing, as `Node/worker-0`")?;
        let (kind, name) = object
            .split_once('/')
            .ok_or_else(|| format!("`object` is `{object}`, and should be `Kind/name`"))?;
        let field = self.word("field")?.ok_or("`field` is missing, as `Ready`")?;
        let text = |name: &str| Ok::<Text, String>(self.word(name)?.unwrap_or_default().into());
        Ok(Entry {
            id: self.id("id")?.ok_or("`id` is missing, the entry's number")?,
            at: self.time("t")?.ok_or("`t` is missing, in seconds")?,
            cluster: text("cluster")?,
            kind: kind.into(),
            name: name.into(),
            field: field.into(),
            from: self.value("from")?,
            to: self.value("to")?,
            reason: text("reason")?,
            message: text("message")?,
            by: text("by")?,
            cause: self.id("cause")?,
            reads: self.reads()?,
            took: self.time("took")?.map(|took| took.since(SimTime::ZERO)),
        })
    }

    /// A member that is there and not null.
    fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn word(&self, name: &str) -> Result<Option<&str>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let word = value.as_str();
        word.map(Some).ok_or_else(|| format!("`{name}` is {value}, and should be a text"))
    }

    fn id(&self, name: &str) -> Result<Option<EntryId>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| format!("`{name}` is {value}, and should be an entry's number"));
        id.map(|id| Some(EntryId(id)))
    }

    fn reads(&self) -> Result<Vec<EntryId>, String> {
        let Some(value) = self.get("reads") else { return Ok(Vec::new()) };
        let id = |id: &Json| id.as_u64().and_then(|id| u32::try_from(id).ok()).map(EntryId);
        let ids = value.as_array().and_then(|all| all.iter().map(id).collect());
        ids.ok_or_else(|| format!("`reads` is {value}, and should be a list of entries' numbers"))
    }

    fn time(&self, name: &str) -> Result<Option<SimTime>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| (0.0..=1e10).contains(seconds));
        let seconds = seconds
            .ok_or_else(|| format!("`{name}` is {value}, and should be seconds since the start"))?;
        // Six decimals of less than 1e10 survive the way through a float.
        Ok(Some(SimTime::from_micros((seconds * 1e6).round() as u64)))
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        match self.0.get(name).unwrap_or(&Json::Null) {
            Json::Null => Ok(Value::Null),
            Json::Bool(truth) => Ok(Value::Bool(*truth)),
            Json::String(text) => Ok(Value::text(text.as_str())),
            Json::Number(number) => number.as_i64().map(Value::Count).ok_or_else(|| {
                format!("`{name}` is {number}, and should be a whole number, a text, true, false or null")
            }),
            other => Err(format!("`{name}` is {other}, and should be one value, not a list")),
        }
    }
}

#[cfg(test)]
mod tests;
