//! The lessons: who knows everything gets all points, who is always wrong gets none, and no question
//! gives itself away.

use healsim::analysis::lesson::{Answer, FULL, Form, Outcome, Posed, Prepared, Sheet, prepare};
use healsim::engine::Duration;
use healsim::report::lesson::{Answers, sheet_json};
use healsim::scenario::{Game, load, models};
use healsim::timeline::Entry;
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

/// Nothing that the run still has to show is seen in a fork before it may be.
fn tells_nothing_too_soon(name: &str, prepared: &Prepared) -> (usize, usize) {
    let Sheet { run, questions, .. } = &prepared.sheet;
    let (mut cut, mut whole) = (0, 0);
    for (number, posed) in questions.iter().enumerate().filter(|(_, posed)| posed.kind == "act") {
        for open in questions[number + 1..].iter().map(|posed| posed.at) {
            let late = run.timeline.entries().iter().filter(|entry| entry.at > open);
            let late: BTreeSet<String> = late.map(said).collect();
            for choice in posed.form.choices() {
                let Outcome { course, run: fork, .. } = choice.outcome.as_ref().expect("played");
                let until = course.expect("of a fork").told_until(Some(open));
                *(if until.is_some() { &mut cut } else { &mut whole }) += 1;
                let until = until.unwrap_or(fork.ended_at);
                let seen = fork.timeline.entries().iter().filter(|entry| entry.at <= until);
                let told: Vec<String> = seen.map(said).filter(|said| late.contains(said)).collect();
                assert_eq!(told, [""; 0], "{name}, question {}, {}", number + 1, choice.text);
            }
        }
    }
    (cut, whole)
}

fn said(entry: &Entry) -> String {
    format!("{:?} {} {} {}", entry.at, entry.object(), entry.field, entry.to)
}

#[test]
fn who_knows_all_gets_all_points_and_who_is_always_wrong_none() {
    let (mut all, mut forks) = (BTreeSet::new(), Vec::new());
    for name in models::lessons() {
        let mut places = Places::new();
        let prepared = [1, 2].map(|seed| lesson(name, seed));
        prepared.iter().for_each(|prepared| hold_to_account(name, prepared, &mut places));
        all.extend(places.into_values().flatten());
        let told = prepared.each_ref().map(|prepared| tells_nothing_too_soon(name, prepared));
        forks.extend(told.map(|told| (name, told)));
        let [one, two] = prepared.map(|it| it.sheet.run.timeline.hash());
        assert_ne!(one, two, "{name}: neighbors see other timings");
    }
    let some = |of: fn(&(usize, usize)) -> usize| forks.iter().any(|(_, told)| of(told) > 0);
    assert!(some(|told| told.0) && some(|told| told.1), "cut, and shown whole: {forks:?}");
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

/// On the page's platform and on today's, with five seeds each.
#[test]
fn what_is_told_of_a_choice_is_never_told_of_its_opposite() {
    for name in models::lessons() {
        // By question and choice: what is told where it is right, and where it is wrong.
        let mut told: BTreeMap<(String, String), [BTreeSet<String>; 2]> = BTreeMap::new();
        for platform in ["tkgs-2024", "tkgs-current"] {
            let scenario = load(name).expect("embedded");
            let game = Game::new(&scenario, Some(platform), &[], None).expect("valid");
            for seed in 1..=5 {
                let sheet = prepare(&game, seed, 2).expect("it asks").sheet;
                let claims = |posed: &&Posed| ["which", "heals"].contains(&posed.kind);
                for posed in sheet.questions.iter().filter(claims) {
                    for choice in posed.form.choices() {
                        let key = (posed.ask.to_string(), choice.text.to_string());
                        let reasons =
                            &mut told.entry(key).or_default()[usize::from(choice.is_right)];
                        reasons.insert(choice.because.to_string());
                    }
                }
            }
        }
        for ((ask, choice), [wrong, right]) in told {
            let varies = !wrong.is_empty() && !right.is_empty();
            let two = wrong.is_disjoint(&right) && !wrong.contains("") && !right.contains("");
            assert!(
                !varies || two,
                "{name}, `{ask}`, `{choice}` is true or not: {right:?}, {wrong:?}"
            );
        }
    }
}
