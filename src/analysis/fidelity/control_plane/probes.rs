//! What users of an API server got, as steps: each answer that says no, when it first came and how long it
//! took, and when everything was well again.
//!
//! Both sides come here: the driver's notes, and the lines of a recording.

use super::super::steps::{Step, Steps};
use crate::engine::Duration;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// One answer to one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// As the recordings call the user: `livez@api-0`.
    pub probe: String,
    /// Microseconds after the fault at which it came.
    pub done: i64,
    pub took: Duration,
    /// The HTTP status and what stood in the answer; `200` alone if all is well.
    pub answer: String,
}

/// The answers in the lines of a recording.
///
/// # Errors
/// A line is not an answer.
pub fn of_recording(text: &str) -> Result<Vec<Heard>, String> {
    let mut heard = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |what: &str| format!("line {number} of the recording: {what}");
        let json: Json = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
        let Some(probe) = json["object"].as_str().and_then(|name| name.strip_prefix("Probe/"))
        else {
            continue;
        };
        let (Some(sent), Some(took)) = (json["t"].as_f64(), json["took"].as_f64()) else {
            continue;
        };
        let micros = |seconds: f64| (seconds * 1e6).round() as i64;
        let status = match &json["to"] {
            Json::String(word) => word.clone(),
            other => other.to_string(),
        };
        let words = json["message"].as_str().unwrap_or_default();
        heard.push(Heard {
            probe: probe.to_owned(),
            done: micros(sent + took),
            took: Duration::from_micros(micros(took).unsigned_abs()),
            answer: answer(&status, words),
        });
    }
    Ok(heard)
}

/// Status and words of an answer, in the words of both sides.
pub fn answer(status: &str, words: &str) -> String {
    // Who has one connection for each request sees its end where others see the end of a stream.
    let aborted = words.contains("RemoteDisconnected") || words.contains("stream error: stream ID");
    let words = if aborted { "aborted without an answer" } else { words };
    let words = words
        .replace("read tcp 127.0.0.1->127.0.0.1:2379", "read tcp $address")
        .replace("read tcp HOST:PORT->HOST:PORT", "read tcp $address");
    // Of a health check's answer only the failed checks count.
    let failed: Vec<&str> = words.lines().filter(|line| line.starts_with("[-]")).collect();
    let words = if failed.is_empty() { words.clone() } else { failed.join(" ") };
    let status = if status == "0" { "error" } else { status };
    format!("{status} {words}").trim_end().to_owned()
}

/// A request that waits longer than this hangs.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What came after the fault, as steps: `answered` (when an answer first came), `hung` (how long each
/// such answer took), and of the first good answer after the last bad one when it came and how long it
/// took.
pub fn steps(heard: &[Heard]) -> Steps {
    let probes: BTreeSet<&str> = heard.iter().map(|heard| heard.probe.as_str()).collect();
    let mut steps = Steps::new();
    for probe in probes {
        let mut answers: Vec<&Heard> =
            heard.iter().filter(|heard| heard.probe == probe && heard.done > 0).collect();
        answers.sort_by_key(|heard| heard.done);
        add_bad(probe, &answers, &mut steps);
        add_again(probe, &answers, &mut steps);
    }
    steps
}

fn add_bad(probe: &str, answers: &[&Heard], steps: &mut Steps) {
    for heard in answers.iter().filter(|heard| heard.answer != "200") {
        let (user, answer) = (format!("Probe/{probe}"), heard.answer.clone());
        let step = Step { role: user.clone(), field: "answered".to_owned(), value: answer };
        let first = steps.entry(step).or_default();
        if first.after.is_empty() {
            first.after.push(since_fault(heard));
        }
        // A role for each answer: how long two kinds of answers take has no order.
        let how = if heard.took < AT_ONCE { "at once" } else { "hung" };
        let role = format!("{user} {}", heard.answer);
        let step = Step { role, field: "took".to_owned(), value: how.to_owned() };
        steps.entry(step).or_default().after.push(heard.took);
    }
}

fn add_again(probe: &str, answers: &[&Heard], steps: &mut Steps) {
    let last_bad = answers.iter().rposition(|heard| heard.answer != "200");
    let Some(again) = last_bad.and_then(|last| answers.get(last + 1)) else { return };
    let step =
        |role: String, field: &str| Step { role, field: field.to_owned(), value: "200".to_owned() };
    let well = step(format!("Probe/{probe}"), "well again");
    steps.entry(well).or_default().after.push(since_fault(again));
    let waited = step(format!("Probe/{probe} well again"), "took");
    steps.entry(waited).or_default().after.push(again.took);
}

fn since_fault(heard: &Heard) -> Duration {
    Duration::from_micros(heard.done.max(0).unsigned_abs())
}
