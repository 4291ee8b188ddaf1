//! A lesson as the page's course mode reads it: the questions, and what is right.
//!
//! For a teacher the answers stand in the page. Else each is veiled: the page has a salted hash of the
//! right answer, by which it knows it, and what there is to say about it, turned by a key that only
//! the right answer makes. Nobody reads it by looking at the source; who tries all answers finds it, as
//! the page itself does once the learner has answered. `assets/lesson.js` is the other side.

use super::Shown;
use super::data::{self, Writer};
use super::forks::fork;
use crate::analysis::lesson::{Answer, Posed, Prepared};
use crate::report::kubectl::manifest::base64;
use crate::report::lesson::{Answers, sheet_json, tables};
use crate::scenario::Simulation;
use serde_json::{Map, Value, json};

/// What stands in the sheet's document of a question that is not for learners.
const HIDDEN: [&str; 5] = ["toldAt", "best", "because", "shownBy", "outcomes"];

/// The lesson as one JSON object, beside its run.
pub fn lesson(prepared: &Prepared, run: &Shown, answers: Answers) -> String {
    let Prepared { sheet, stops } = prepared;
    let whole = sheet_json(sheet, Answers::Told);
    let mut lesson: Value = serde_json::from_str(&whole).expect("what was just written is JSON");
    let salt = sheet.run.timeline.hash();
    let writer = data::written(run).1;
    let questions = lesson["questions"].as_array_mut().expect("a sheet has a list of questions");
    for (place, (question, posed)) in questions.iter_mut().zip(&sheet.questions).enumerate() {
        let question = question.as_object_mut().expect("a question is an object");
        let mut answer = taken(question);
        if let Some(stop) = stops.get(place) {
            let shown = tables(posed, stop);
            let shown =
                shown.iter().map(|(command, text)| json!({ "command": command, "text": text }));
            question.insert("show".to_owned(), shown.collect());
        }
        if let Some(stop) = stops.get(place).filter(|_| posed.kind == "act") {
            add_forks(&mut answer, posed, stop, &writer);
        }
        let words = format!("{salt}|{}|{}", question["number"], canonical(posed));
        match answers {
            Answers::Told => question.insert("answer".to_owned(), answer),
            Answers::Hidden => question.insert("veil".to_owned(), veil(&words, &answer)),
        };
    }
    lesson["salt"] = json!(salt);
    lesson.to_string()
}

/// What is hidden of a question, taken out of it. The outcomes' entries stay behind: the page has those of
/// forks in a form of its own, and of other disasters they would be most of it.
fn taken(question: &mut Map<String, Value>) -> Value {
    let mut answer: Map<String, Value> = Map::new();
    for name in HIDDEN {
        answer.extend(question.remove(name).map(|value| (name.to_owned(), value)));
    }
    let outcomes = answer.get_mut("outcomes").and_then(Value::as_array_mut);
    for outcome in outcomes.into_iter().flatten().filter_map(Value::as_object_mut) {
        outcome.remove("entries");
    }
    Value::Object(answer)
}

/// Adds to each outcome what is seen in its fork.
fn add_forks(answer: &mut Value, posed: &Posed, stop: &Simulation, writer: &Writer) {
    let outcomes = answer["outcomes"].as_array_mut().expect("an answer has a list of outcomes");
    for (written, choice) in outcomes.iter_mut().zip(posed.form.choices()) {
        let Some(outcome) = &choice.outcome else { continue };
        let text = fork(stop, outcome, writer.clone());
        written["fork"] = serde_json::from_str(&text).expect("what was just written is JSON");
    }
}

/// The best answer as the page's script writes it: the places of choices, whole seconds, or never.
fn canonical(posed: &Posed) -> String {
    match posed.best() {
        Answer::Chosen(places) => {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            places.join(",")
        }
        Answer::Length(None) => "never".to_owned(),
        Answer::Length(Some(length)) => length.as_secs().to_string(),
    }
}

fn veil(words: &str, answer: &Value) -> Value {
    let check = format!("{words}|check");
    let [first, second] = OFFSETS.map(|offset| hash(&check, offset));
    let mut state = hash(&format!("{words}|key"), OFFSETS[0]).max(1);
    let turned = answer.to_string().into_bytes().into_iter().map(|byte| {
        // xorshift, as small in the page's script.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        byte ^ state.to_le_bytes()[0]
    });
    let turned: Vec<u8> = turned.collect();
    json!({ "check": format!("{first}-{second}"), "text": base64(&turned) })
}

/// Two hashes of 32 bits are one of 64, without numbers that a script cannot hold.
const OFFSETS: [u32; 2] = [0x811c_9dc5, 0x9747_b28c];

/// FNV-1a.
fn hash(text: &str, offset: u32) -> u32 {
    text.bytes().fold(offset, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
