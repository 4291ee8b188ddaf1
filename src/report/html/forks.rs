//! What comes of an action that a learner can choose, as the page shows it: a fork of the lesson's run.
//!
//! A fork is the run up to the question and then its own, so only what is new in it is written; the
//! texts and objects of the run keep their numbers. `assets/fork.js` puts both together.

use super::Shown;
use super::data::{self, Writer, wide};
use super::film::{film_fork, new_in};
use super::levels;
use super::texts::numbers;
use super::troubles;
use crate::analysis::lesson::Outcome;
use crate::report::json::{list, object};
use crate::scenario::Simulation;
use serde_json::Value;

/// What of a summary is a fork's own.
const OWN: [&str; 6] =
    ["end", "endedAt", "recovered", "recoveryTime", "milestones", "availability"];

/// The fork of an outcome as one JSON object; `stop` is the run at the question's instant, and `writer` has
/// written the run.
pub fn fork(stop: &Simulation, outcome: &Outcome, mut writer: Writer) -> String {
    let film = film_fork(stop, outcome);
    let shown = Shown::filmed(&film, "");
    let new = new_in(stop, outcome);
    let kept = film.run.timeline.happened().len() - new.len();
    let (texts, objects) = writer.counts();
    let entries = writer.entries(new);
    let troubles = troubles::changes(film.run.timeline.happened());
    let troubles = writer.troubles(troubles.iter().filter(|change| change.place >= kept));
    let rows = list(shown.tables.iter().map(|table| writer.rows(table)));
    let answers = writer.answers(&film);
    let told = shown.told.iter().filter(|place| **place >= kept);
    object([
        ("at", stop.view().now().as_micros().to_string()),
        ("kept", kept.to_string()),
        ("entries", entries),
        ("took", data::took(kept, new)),
        ("troubles", troubles),
        ("told", numbers(told.map(|place| wide(*place)))),
        ("rows", rows),
        ("etcd", data::etcd(&film.members)),
        ("answers", answers),
        ("levels", levels::written(&film.levels)),
        ("summary", own_summary(&shown)),
        ("objects", writer.objects_json(objects)),
        ("texts", writer.texts_json(texts)),
    ])
}

fn own_summary(shown: &Shown) -> String {
    let whole: Value = serde_json::from_str(&shown.summary).expect("a summary is JSON");
    object(OWN.map(|name| (name, whole[name].to_string())))
}
