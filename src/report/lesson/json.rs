//! A lesson as documents: the sheet with its questions, and a learner's score.

use super::super::json::{length, list, object};
use crate::analysis::lesson::{Answer, Choice, FULL, Form, Mark, Posed, Score, Sheet};
use crate::analysis::milestones;
use crate::engine::{Duration, SimTime};
use crate::timeline::{Entry, Run};
use serde_json::json;

/// Whether a document tells what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    Hidden,
    Told,
}

/// The sheet as one line of JSON.
///
/// `{"lesson","platform","seed","introduction","firstFault","worth","questions":[...]}`; a question has
/// `number`, `t` (when it is asked, seconds since the run began), `kind`, `ask`, `form` (`one`, `all` or
/// `length`), `choices` as texts or `tolerance` in seconds; with the answers also `toldAt`, `best` (the
/// places of the right choices, of actions that are as good the soonest first, or seconds, null for
/// never), `because`, `shownBy` (ids of entries), and for each choice in `outcomes` `right`, `points`, `because`, `took` (seconds, null if it was not well
/// in time), and of what was done in a run of its own `milestones` and the `entries` since the question;
/// of a fork `differsAt` and `alikeUntil`, when it differs first from the lesson's run and when the last
/// comes that both have (null for never).
pub fn sheet_json(sheet: &Sheet, answers: Answers) -> String {
    let questions = sheet.questions.iter().enumerate();
    let questions = questions.map(|(place, posed)| question(place, posed, answers));
    object([
        ("lesson", json!(sheet.run.scenario).to_string()),
        ("platform", json!(sheet.run.platform).to_string()),
        ("seed", sheet.run.seed.to_string()),
        ("introduction", json!(sheet.introduction).to_string()),
        ("firstFault", length(sheet.run.first_fault.map(point))),
        ("worth", sheet.worth().to_string()),
        ("questions", list(questions)),
    ])
}

/// The score as one line of JSON.
///
/// Per question what was asked, answered and right, the points, and the simulated time. What is right
/// of a question that was not asked yet is null: it can still be answered.
pub fn score_json(sheet: &Sheet, score: &Score) -> String {
    let marks = sheet.questions.iter().enumerate().map(|(place, posed)| {
        let mark = score.marks.iter().find(|mark| mark.question == place);
        marked(place, posed, mark)
    });
    object([
        ("lesson", json!(sheet.run.scenario).to_string()),
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("platform", json!(sheet.run.platform).to_string()),
        ("seed", sheet.run.seed.to_string()),
        ("ended", json!(score.stop.as_str()).to_string()),
        ("points", score.points().to_string()),
        ("of", sheet.worth().to_string()),
        ("questions", list(marks)),
    ])
}

fn marked(place: usize, posed: &Posed, mark: Option<&Mark>) -> String {
    let answer = mark.and_then(|mark| mark.answer.as_ref());
    let best = mark.map(|_| posed.best_words());
    object([
        ("number", (place + 1).to_string()),
        ("t", length(Some(point(posed.at)))),
        ("kind", json!(posed.kind).to_string()),
        ("asked", json!(posed.ask).to_string()),
        ("wasAsked", mark.is_some().to_string()),
        ("answered", json!(answer.map(|answer| said(posed, answer))).to_string()),
        ("right", json!(best).to_string()),
        ("points", mark.map_or(0, |mark| mark.points).to_string()),
        ("of", FULL.to_string()),
    ])
}

/// An answer as texts.
fn said(posed: &Posed, answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Length(_) => vec![answer.words()],
        Answer::Chosen(places) => {
            let choices = posed.form.choices();
            let chosen = places.iter().filter_map(|place| choices.get(*place));
            chosen.map(|choice| choice.text.to_string()).collect()
        }
    }
}

fn question(place: usize, posed: &Posed, answers: Answers) -> String {
    let (form, tolerance) = match &posed.form {
        Form::One(_) => ("one", None),
        Form::All(_) => ("all", None),
        Form::Length { tolerance, .. } => ("length", Some(*tolerance)),
    };
    let choices = posed.form.choices();
    let mut members = vec![
        ("number", (place + 1).to_string()),
        ("t", length(Some(point(posed.at)))),
        ("kind", json!(posed.kind).to_string()),
        ("ask", json!(posed.ask).to_string()),
        ("form", json!(form).to_string()),
        ("tolerance", length(tolerance)),
        ("choices", list(choices.iter().map(|choice| json!(choice.text).to_string()))),
    ];
    if answers == Answers::Told {
        let ids: Vec<u32> = posed.shown_by.iter().map(|id| id.0).collect();
        let best = match posed.best() {
            Answer::Length(right) => length(right),
            Answer::Chosen(_) => list(posed.bests().iter().map(ToString::to_string)),
        };
        let outcomes = choices.iter().enumerate().map(|it| outcome(posed, it));
        members.extend([
            ("toldAt", length(Some(point(posed.told_at)))),
            ("best", best),
            ("because", json!(posed.because).to_string()),
            ("shownBy", json!(ids).to_string()),
            ("outcomes", list(outcomes)),
        ]);
    }
    object(members)
}

fn outcome(posed: &Posed, (place, choice): (usize, &Choice)) -> String {
    let alone = match posed.form {
        Form::One(_) => posed.points(&Answer::one(place)).to_string(),
        _ => "null".to_owned(),
    };
    let mut members = vec![
        ("right", choice.is_right.to_string()),
        ("points", alone),
        ("because", json!(choice.because).to_string()),
    ];
    if let Some(outcome) = &choice.outcome {
        let since = if posed.kind == "act" { posed.at } else { SimTime::ZERO };
        let entries = outcome.run.timeline.happened().iter().filter(|entry| entry.at >= since);
        members.extend([
            ("took", length(outcome.took)),
            ("differsAt", length(outcome.course.and_then(|it| it.differs_at).map(point))),
            ("alikeUntil", length(outcome.course.map(|it| point(it.alike_until)))),
            ("milestones", list(milestone_list(&outcome.run).into_iter())),
            ("entries", list(entries.map(Entry::to_json_line))),
        ]);
    }
    object(members)
}

fn milestone_list(run: &Run) -> Vec<String> {
    let all = milestones(run).into_iter().map(|it| {
        object([
            ("name", json!(it.name).to_string()),
            ("object", json!(it.object).to_string()),
            ("t", length(Some(point(it.at)))),
        ])
    });
    all.collect()
}

fn point(at: SimTime) -> Duration {
    at.since(SimTime::ZERO)
}
