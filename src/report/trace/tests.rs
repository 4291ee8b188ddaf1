//! What is no whole trace of this version is refused at its line.

use super::*;
use crate::report::{Format, Style, write};
use crate::timeline::Run;

/// A trace of two entries, as it is written.
fn whole() -> String {
    let mut run = Run { scenario: Text::word("one"), ..Run::default() };
    let entry = |id: u32, micros: u64, from: Value, to: &str| Entry {
        id: EntryId(id),
        at: SimTime::from_micros(micros),
        cluster: Text::word("workload"),
        kind: Text::word("Node"),
        name: Text::word("worker-0"),
        field: Text::word("Ready"),
        from,
        to: Value::text(to),
        reason: Text::EMPTY,
        message: Text::EMPTY,
        by: Text::EMPTY,
        cause: (id > 1).then_some(EntryId(id - 1)),
        reads: if id > 1 { vec![EntryId(1)] } else { Vec::new() },
        took: (id > 1).then_some(crate::engine::Duration::from_millis(1500)),
    };
    run.timeline.push(entry(1, 0, Value::Null, "True"));
    run.timeline.begin();
    run.timeline.push(entry(2, 61_204_518, Value::text("True"), "Unknown"));
    let mut bytes = Vec::new();
    write(Format::Jsonl, &run, Style::Plain, &mut bytes).expect("memory takes it");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn what_was_written_is_read_back_whole() {
    let text = whole();
    let trace = Trace::parse("run.jsonl", &text).expect("a whole trace");
    assert_eq!((trace.scenario.as_str(), trace.timeline.beginning().len()), ("one", 1));
    let lines = trace.timeline.entries().iter().map(|entry| entry.to_json_line() + "\n");
    assert_eq!(lines.collect::<String>() + &trace.summary + "\n", text);
    let edited = format!("\u{feff}{}\r\n \n", text.trim_end().replace('\n', "\r\n"));
    let again = Trace::parse("run.jsonl", &edited).expect("what an editor has saved");
    assert_eq!(again.summary, trace.summary);
}

#[test]
fn what_is_no_trace_is_refused_at_its_line_with_what_would_be_right() {
    let text = whole();
    let lines: Vec<&str> = text.lines().collect();
    let [first, second, summary] = lines[..] else { panic!("{text}") };
    let version = env!("CARGO_PKG_VERSION");
    let cases = [
        (String::new(), ":1: the file is empty"),
        ("\n\n".to_owned(), ":1: the file is empty"),
        ("\0\0".to_owned(), ":1: no JSON at column 1 (expected value); is it cut off?"),
        (summary.to_owned(), ":1: the summary tells of 2 entries, and the file has 0; write it"),
        (format!("{first}\n{second}\n"), ":2: the trace ends here without its summary"),
        (format!("{first}\n{}\n", &second[..40]), ":2: no JSON at column 40"),
        (format!("{first}\nhello\n"), ":2: no JSON at column 1"),
        (format!("{first}\n[1]\n"), ":2: a line is a JSON object"),
        (format!("{second}\n{summary}\n"), ":1: entry 2 stands where entry 1 should be"),
        (format!("{first}\n{summary}\n"), ":2: the summary tells of 2 entries, and the file has 1"),
        (text.replace("Unknown", "False"), ":3: the entries' hash is"),
        (text.clone() + first, ":4: something follows the summary"),
        (text.replace("61.204518", "-1"), ":2: `t` is -1, and should be seconds"),
        (text.replace("Node/worker-0", "worker-0"), ":1: `object` is `worker-0`, and should be"),
        (text.replace("\"Unknown\"", "[2]"), ":2: `to` is [2], and should be one value"),
        (text.replace("\"field\":\"Ready\"", "\"x\":1"), ":1: `field` is missing"),
        (
            text.replace("\"cause\":1", "\"cause\":2"),
            ":2: `cause` is 2, which does not come before",
        ),
        (
            text.replace("\"seed\":0", "\"seed\":\"<img>\""),
            ":3: `seed` of the summary is \"<img>\"",
        ),
        (
            text.replace(&format!("\"healsim\":\"{version}\""), "\"healsim\":\"9.9.9\"")
                .replace("\"field\"", "\"part\""),
            ":3: this is a trace of healsim 9.9.9, and this is healsim",
        ),
        (
            text.replace(&format!("\"healsim\":\"{version}\""), "\"healsim\":\"9.9.9\""),
            ":3: this is a trace of healsim 9.9.9, and this is healsim",
        ),
    ];
    for (text, says) in cases {
        let wrong = Trace::parse("run.jsonl", &text).expect_err(says);
        assert!(wrong.starts_with("run.jsonl") && wrong.contains(says), "{says}: {wrong}");
    }
}

#[test]
fn no_cut_and_no_flipped_byte_makes_it_fall_over() {
    let text = whole();
    for end in 0..text.len() - 1 {
        assert!(Trace::parse("run.jsonl", &text[..end]).is_err(), "cut at {end}");
    }
    for place in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 0x11;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Trace::parse("run.jsonl", &text);
        }
    }
}
