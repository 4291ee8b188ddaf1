//! Reads a recording of a real cluster: a header line, then one observed change a line.
//!
//! A `Row` is also the common form of a simulated entry, so that both sides are judged by the same
//! code. This file does not know which fields matter.

use crate::timeline::{Entry, Value};
use serde_json::Value as Json;
use std::fmt;

/// One recorded run.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The first line: scenario, versions, settings, fault.
    pub header: Json,
    pub rows: Vec<Row>,
}

/// One change of one field, recorded or simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Microseconds on the run's clock; recordings begin before their fault, so it can be negative.
    pub micros: i64,
    pub kind: String,
    pub name: String,
    pub field: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub reason: String,
    pub message: String,
    pub by: String,
}

/// Why a text is not a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotARecording {
    line: usize,
    message: String,
}

impl Recording {
    /// Reads the text of one file.
    pub fn read(text: &str) -> Result<Recording, NotARecording> {
        let mut header = Json::Null;
        let mut rows = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |message: String| NotARecording { line: index + 1, message };
            let json: Json = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
            if json["header"] == true {
                header = json;
            } else {
                rows.push(Row::from_json(&json).map_err(wrong)?);
            }
        }
        if header.is_null() {
            let message = "no line with `\"header\": true`; the first line must be one".to_owned();
            return Err(NotARecording { line: 1, message });
        }
        Ok(Recording { header, rows })
    }
}

impl Row {
    /// The same change as a simulation wrote it.
    pub fn from_entry(entry: &Entry) -> Row {
        let held = |value: &Value| match value {
            Value::Null => None,
            other => Some(other.to_string()),
        };
        Row {
            micros: i64::try_from(entry.at.as_micros()).expect("a run is shorter than 2^63 us"),
            kind: entry.kind.to_string(),
            name: entry.name.to_string(),
            field: entry.field.to_string(),
            from: held(&entry.from),
            to: held(&entry.to),
            reason: entry.reason.to_string(),
            message: entry.message.to_string(),
            by: entry.by.to_string(),
        }
    }

    fn from_json(json: &Json) -> Result<Row, String> {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let object = text("object");
        let (kind, name) = object
            .split_once('/')
            .ok_or_else(|| format!("object `{object}` is not written as Kind/name"))?;
        let seconds = json["t"].as_f64().ok_or("`t` is missing; it must be a number of seconds")?;
        Ok(Row {
            // Recorded with at most six decimals, so rounding gives back the exact microsecond.
            micros: (seconds * 1e6).round() as i64,
            kind: kind.to_owned(),
            name: name.to_owned(),
            field: text("field"),
            from: held(&json["from"]),
            to: held(&json["to"]),
            reason: text("reason"),
            message: text("message"),
            by: text("by"),
        })
    }
}

/// What a field held, as text; `None` for nothing.
fn held(json: &Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl fmt::Display for NotARecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the recording: {}", self.line, self.message)
    }
}

impl std::error::Error for NotARecording {}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "{\"header\": true, \"scenario\": \"worker_killed\"}\n";

    #[test]
    fn a_row_keeps_every_value_as_text() {
        let line = "{\"t\": -3.0071, \"object\": \"MachineSet/md\", \"field\": \"replicas\", \
                    \"from\": null, \"to\": 4}";
        let read = Recording::read(&format!("{HEADER}{line}\n")).unwrap();
        assert_eq!(read.header["scenario"], "worker_killed");
        assert_eq!(read.rows[0].micros, -3_007_100);
        assert_eq!(read.rows[0].from, None);
        assert_eq!(read.rows[0].to.as_deref(), Some("4"));
    }

    #[test]
    fn a_mistake_names_its_line() {
        let wrong = Recording::read(&format!("{HEADER}{{\"t\": 1, \"object\": \"x\"}}\n"));
        assert!(wrong.unwrap_err().to_string().starts_with("line 2 of the recording: object `x`"));
        assert!(Recording::read("").is_err());
    }
}
