//! The lessons: who knows everything gets all points, who is always wrong gets none, and no question
//! gives itself away.

use healsim::analysis::lesson::{Answer, FULL, Form, Posed, Prepared, prepare};
use healsim::engine::Duration;
use healsim::report::lesson::{Answers, sheet_json};
use healsim::scenario::{Game, load, models};
use std::collections::{BTreeMap, BTreeSet};

/// An answer that gets nothing.
fn worst(posed: &Posed) -> Answer {
    match &posed.form {
        Form::One(choices) => {
            Answer::one(choices.iter().position(|it| !it.is_right).expect("a wrong choice"))
        }
        Form::All(choices) => {
            let wrong = choices.iter().enumerate().filter(|(_, choice)| !choice.is_right);
            Answer::Chosen(wrong.map(|(place, _)| place).collect())
        }
        Form::Length { right: None, .. } => Answer::Length(Some(Duration::from_secs(1))),
        Form::Length { .. } => Answer::Length(None),
    }
}

fn lesson(name: &str, seed: u64) -> Prepared {
    let game = Game::new(&load(name).expect("embedded"), None, &[], None).expect("valid");
    let prepared = prepare(&game, seed, 2).expect("it asks");
    let left: Vec<&str> = prepared.sheet.left_out.iter().map(|text| text.as_str()).collect();
    assert_eq!(left, Vec::<&str>::new(), "{name}: every seed asks everything");
    assert_eq!(prepared.sheet.questions.len(), game.questions().len());
    prepared
}

/// Where the best choice stands, by question.
type Places = BTreeMap<usize, BTreeSet<usize>>;

fn hold_to_account(name: &str, prepared: &Prepared, places: &mut Places) {
    let sheet = &prepared.sheet;
    let (mut best, mut none) = (0, 0);
    for (number, posed) in sheet.questions.iter().enumerate() {
        let place = format!("{name}, seed {}, question {}", sheet.run.seed, number + 1);
        assert!(posed.at <= posed.told_at && posed.told_at <= sheet.run.ended_at, "{place}");
        assert!(!posed.ask.contains('{'), "{place}: {}", posed.ask);
        best += posed.points(&posed.best());
        none += posed.points(&worst(posed));
        let choices = posed.form.choices();
        if !matches!(posed.form, Form::Length { .. }) {
            let texts: BTreeSet<&str> = choices.iter().map(|it| it.text.as_str()).collect();
            assert!(texts.len() >= 2 && texts.len() == choices.len(), "{place}: {texts:?}");
            assert!(choices.iter().any(|it| it.is_best), "{place}: {texts:?}");
            assert!(choices.iter().any(|it| !it.is_right), "{place}: {texts:?}");
            places.entry(number).or_default().extend(choices.iter().position(|it| it.is_best));
        }
    }
    assert_eq!((best, none), (sheet.worth(), 0), "{name}, seed {}", sheet.run.seed);
    assert_eq!(sheet.worth(), FULL * u32::try_from(sheet.questions.len()).expect("few"));
}

#[test]
fn who_knows_all_gets_all_points_and_who_is_always_wrong_none() {
    let mut all = BTreeSet::new();
    for name in models::lessons() {
        let mut places = Places::new();
        let prepared = [1, 2].map(|seed| lesson(name, seed));
        prepared.iter().for_each(|prepared| hold_to_account(name, prepared, &mut places));
        all.extend(places.into_values().flatten());
        let [one, two] = prepared.map(|it| it.sheet.run.timeline.hash());
        assert_ne!(one, two, "{name}: neighbors see other timings");
    }
    assert!(all.len() >= 3, "the best choice stands at {all:?} only");
}

#[test]
fn the_same_seed_gives_the_same_sheet_on_any_number_of_threads() {
    let game = Game::new(&load("lost-api-servers").expect("embedded"), None, &[], None);
    let game = game.expect("valid");
    let [one, two] = [1, 2].map(|jobs| prepare(&game, 3, jobs).expect("it asks").sheet);
    assert_eq!(sheet_json(&one, Answers::Told), sheet_json(&two, Answers::Told));
    let hidden = sheet_json(&one, Answers::Hidden);
    for word in ["\"best\"", "\"right\"", "\"because\"", "\"took\"", "\"shownBy\""] {
        assert!(!hidden.contains(word), "{word}");
    }
}
