//! What is refused in questions, each at its place.

use crate::engine::{Duration, Text};
use crate::scenario::{About, Because, Game, Mistakes, Question, Scenario, Source, models};
use std::collections::{BTreeMap, BTreeSet};

const LESSON: &str = "apiVersion: healsim/v1
kind: Scenario
metadata: { name: mine }
spec:
  platform: tkgs-2024
  faults:
    - { at: 1m, powerOff: { vm: worker-0 } }
  until: 10m
  questions:
    - { after: 5s, ask: 'What?', QUESTION }
";

fn read(text: &str) -> Result<Game, Mistakes> {
    let source = Source::embedded("mine.yaml", text);
    let scenario = Scenario::read(source)?;
    Game::new(&scenario, None, &[], None)
}

fn asked(question: &str) -> Result<Game, Mistakes> {
    read(&LESSON.replace("QUESTION", question))
}

#[test]
fn every_kind_of_question_can_be_written() {
    for question in [
        "value: { of: Node/worker-0, field: STATUS, in: 60s }",
        "value: { of: 'Pod/web-* on worker-0', field: phase, in: 60s }, show: []",
        "which: [{ says: a, see: 'VM/worker-0 power=on' }, { says: b, never: 'VM deleted' }]",
        "heals: { within: 5m, disasters: [{ says: a, faults: [{ at: 1m, powerOff: { vm: worker-1 } }] }, \
         { says: b, faults: [{ at: 1m, deleteVm: { vm: worker-1 } }] }] }",
        "act: { within: 5m }, show: [vms, pods, etcd]",
        "howLong: { until: recovered, tolerance: 30s }",
        "cause: { of: 'Node/worker-0 Ready=Unknown' }, because: 'so'",
    ] {
        let game = asked(question).unwrap_or_else(|wrong| panic!("{question}: {}", wrong[0]));
        assert_eq!(game.questions().len(), 1);
        assert_eq!(game.questions()[0].place, *"mine.yaml:10:7");
    }
}

fn value(of: &str, field: &str, ahead: &str) -> String {
    format!("value: {{ of: {of}, field: {field}, in: {ahead} }}")
}

fn which(claims: &str) -> String {
    format!("which: [{claims}]")
}

/// With a second disaster that has no fault.
fn heals(disaster: &str) -> String {
    let both = format!("{{ says: a, {disaster} }}, {{ says: b, faults: [] }}");
    format!("heals: {{ within: 5m, disasters: [{both}] }}")
}

/// Each with a word at which it is refused, and one of the way out.
#[test]
fn what_cannot_be_asked_is_refused_at_its_place() {
    let cases = [
        (value("Node/worker-9", "Ready", "1m"), "worker-9", "there are `worker-0` to `"),
        (value("Node/worker-0", "Redy", "1m"), "Redy", "did you mean `Ready`?"),
        (value("Machine/worker-0", "STATUS", "1m"), "STATUS", "no field `STATUS`"),
        (value("Node/worker-0", "event", "1m"), "event", "ask for it with `which`"),
        (value("Node/worker-0", "Ready", "0s"), "0s", "above 0"),
        (value("Node/worker-0", "Ready", "soon"), "soon", "not a duration"),
        (value("Node", "Ready", "1m"), "Node,", "as in Node/worker-0"),
        (value("'Pod/web-* on worker-9'", "phase", "1m"), "worker-9", "there are `worker-0`"),
        (which("{ says: a, see: 'VM deleted' }"), "[{ says", "write 2 to 8"),
        (
            which("{ says: a, see: 'VM delted' }, { says: b, never: 'VM deleted' }"),
            "delted",
            "created, deleted",
        ),
        (which("{ see: 'VM deleted' }, { says: b, never: 'VM deleted' }"), "{ see", "`says`"),
        (
            heals("faults: [{ at: 1m, powerOff: { vm: worker-9 } }]"),
            "worker-9",
            "there are `worker-0`",
        ),
        (heals("faults: [{ at: 1m, powerOff: { vm: worker-1 } }]"), "{ says: b", "at least one"),
        (
            heals("faults: [{ when: 'VM deleted', powerOff: { vm: worker-1 } }]"),
            "'VM deleted'",
            "has its time",
        ),
        (
            heals(
                "faults: [{ at: 1m, powerOff: { vm: worker-1 } }, { at: 6m, powerOn: { vm: worker-1 } }]",
            ),
            "{ says: a",
            "raise `within`",
        ),
        (
            which("{ says: a, see: 'VM deleted' }, { says: a, never: 'VM deleted' }"),
            "[{ says",
            "two choices",
        ),
        ("act: { within: 5h }".to_owned(), "5h", "up to 4h"),
        ("act: { within: 5m }, show: [leases]".to_owned(), "leases", "known: nodes"),
        ("act: { within: 5m }, cause: { of: 'VM deleted' }".to_owned(), "'What?'", "has one of"),
        ("because: 'so'".to_owned(), "'What?'", "has one of"),
        ("howLong: { until: recoverd, tolerance: 1s }".to_owned(), "recoverd", ""),
        (
            "howlong: { until: recovered, tolerance: 1s }".to_owned(),
            "howlong",
            "did you mean `howLong`?",
        ),
        ("when: 'VM vanished', act: { within: 5m }".to_owned(), "vanished", "created, deleted"),
    ];
    let mut wrong = Vec::new();
    for (question, word, hint) in cases {
        let text = LESSON.replace("QUESTION", &question);
        let Err(mistakes) = asked(&question) else {
            wrong.push(format!("{question} is read"));
            continue;
        };
        let message = &mistakes[0].message;
        let (line, column) = mistakes[0].place.expect("a place");
        let content = text.lines().nth(line - 1).expect("a line");
        let rest: String = content.chars().skip(column - 1).collect();
        if !rest.starts_with(word) || !message.contains(hint) {
            wrong.push(format!("{question}: `{rest}` is marked; {message}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_reason_is_one_text_or_one_for_each_truth() {
    let both = "because: { right: x, wrong: y }";
    for question in [
        which(&format!(
            "{{ says: a, see: 'VM deleted', {both} }}, {{ says: b, never: 'VM deleted' }}"
        )),
        heals(&format!("faults: [{{ at: 1m, powerOff: {{ vm: worker-1 }} }}], {both}"))
            .replace("faults: []", "because: so, faults: [{ at: 1m, powerOff: { vm: worker-2 } }]"),
    ] {
        let game = asked(&question).unwrap_or_else(|wrong| panic!("{question}: {}", wrong[0]));
        let because = match &game.questions()[0].about {
            About::Which { claims } => claims[0].because.clone(),
            About::Heals { disasters, .. } => disasters[0].because.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!([because.of(true), because.of(false)], ["x", "y"].map(Text::word));
        for (wrong, hint) in [("{ right: x }", "wrong"), ("{ rihgt: x, wrong: y }", "rihgt")] {
            let question = question.replace("{ right: x, wrong: y }", wrong);
            let mistake = asked(&question).expect_err(&question)[0].clone();
            assert_eq!(mistake.place.expect("a place").0, 10, "{mistake}");
            assert!(mistake.message.contains(hint), "{mistake}");
        }
    }
    let expected = LESSON.replace("QUESTION", "act: { within: 5m }")
        + &format!("  expect:\n    - {{ says: a, lines: [{{ see: recovered }}], {both} }}\n");
    let mistake = read(&expected).expect_err("a mistake")[0].clone();
    assert!(mistake.message.contains("has one reason"), "{mistake}");
}

#[test]
fn an_answer_is_known_before_the_run_is_over() {
    let place = |question: &str| {
        let mistake = asked(question).expect_err(question)[0].clone();
        let (line, column) = mistake.place.expect("a place");
        let text = LESSON.replace("QUESTION", question);
        let line = text.lines().nth(line - 1).expect("a line");
        (line.chars().skip(column - 1).collect::<String>(), mistake.message)
    };
    let (rest, message) = place(&value("Node/worker-0", "Ready", "8m56s"));
    assert!(
        rest.starts_with("8m56s") && message.contains("the run ends 9m0s after it"),
        "{message}"
    );
    let seen = |after: &str| format!("see: 'VM deleted', after: 1s..{after}");
    let claims = |after: &str| {
        which(&format!("{{ says: a, {} }}, {{ says: b, {} }}", seen("8m55s"), seen(after)))
    };
    let (rest, message) = place(&claims("8m56s"));
    assert!(rest.starts_with("{ says: b"), "{rest}");
    assert!(message.contains("what is asked reaches to 9m1s after the first fault"), "{message}");
    assert!(asked(&claims("8m55s")).is_ok());
    assert!(asked(&value("Node/worker-0", "Ready", "8m55s")).is_ok());
}

#[test]
fn a_question_needs_an_instant_within_the_run() {
    let late = LESSON.replace("after: 5s", "after: 11m").replace("QUESTION", "act: { within: 5m }");
    let mistake = read(&late).expect_err("a mistake");
    assert!(mistake[0].message.contains("the run ends 9m0s after"), "{}", mistake[0].message);
    let never = LESSON.replace("after: 5s, ", "").replace("QUESTION", "act: { within: 5m }");
    let mistake = read(&never).expect_err("a mistake");
    assert!(mistake[0].message.contains("`after` the first fault"), "{}", mistake[0].message);
    let mute = LESSON.replace("'What?'", "' '").replace("QUESTION", "act: { within: 5m }");
    assert!(read(&mute).is_err());
    let whose = LESSON.replace("What?", "What will {object} be?");
    let mistake = read(&whose.replace("QUESTION", "act: { within: 5m }")).expect_err("a mistake");
    let message = &mistake[0].message;
    assert!(message.contains("only the `ask` of a question with `value`"), "{message}");
    let unknown = LESSON.replace("What?", "What will {objct} be?");
    let question = value("Node/worker-0", "Ready", "1m");
    let mistake = read(&unknown.replace("QUESTION", &question)).expect_err("a mistake")[0].clone();
    assert_eq!(mistake.message, "nothing stands for `{objct}`; did you mean `{object}`?");
    assert_eq!(mistake.place, Some((10, 36)));
}

#[test]
fn a_lesson_has_a_name_that_no_scenario_has_and_says_what_it_is_about() {
    assert!(models::lessons().len() >= 5);
    for name in models::lessons() {
        assert!(models::scenario(name).is_none(), "{name}");
        let source = models::lesson(name).expect("embedded");
        let scenario = Scenario::read(source).expect("a scenario");
        assert_eq!(scenario.name, *name, "it is named like its file");
        let game = Game::new(&scenario, None, &[], None).expect("valid");
        assert!(!game.introduction().is_empty(), "{name}");
        assert!((4..=8).contains(&game.questions().len()), "{name}");
        for question in game.questions() {
            assert!(!question.because.is_empty(), "{}: the mechanism is missing", question.place);
        }
    }
}

/// All texts of a game that name numbers.
fn texts(game: &Game) -> Vec<Text> {
    let of = |question: &Question| {
        let mut texts = vec![question.ask.clone(), question.because.clone()];
        let mut choice = |says: &Text, because: &Because| {
            texts.extend([says.clone(), because.of(true), because.of(false)]);
        };
        match &question.about {
            About::Which { claims } => claims.iter().for_each(|it| choice(&it.says, &it.because)),
            About::Heals { disasters, .. } => {
                disasters.iter().for_each(|it| choice(&it.says, &it.because));
            }
            _ => {}
        }
        texts
    };
    let questions = game.questions().iter().flat_map(of);
    questions.chain([game.introduction().clone()]).collect()
}

#[test]
fn lessons_tell_the_numbers_that_are_in_force() {
    let keys = [
        "kubernetes.nodeMonitorGracePeriod",
        "machineHealthCheck.unknownTimeout",
        "loadBalancer.checkInterval",
    ];
    let mut told = BTreeMap::new();
    for name in models::lessons() {
        let source = models::lesson(name).expect("embedded");
        let scenario = Scenario::read(source.clone()).expect("a scenario");
        for platform in models::platforms() {
            for set in [None, Some("77s")] {
                let set = set.map(|value| keys.map(|key| (key.to_owned(), value.to_owned())));
                let set = set.as_ref().map_or(&[][..], |set| set);
                let Ok(game) = Game::new(&scenario, Some(platform), set, None) else { continue };
                let texts = texts(&game).join(" ");
                assert!(!texts.replace("{object}", "").contains('{'), "{name}: {texts}");
                for key in keys.iter().filter(|key| source.text.contains(&format!("{{{key}}}"))) {
                    let value = game.setting(key).expect("a setting");
                    let value = value.parse::<Duration>().expect("a length").to_string();
                    let is_told = texts.split([' ', '(', ')', ';', '.', ',']).any(|it| it == value);
                    assert!(is_told, "{name} on {platform}: {key}={value} is not in: {texts}");
                    told.entry(*key).or_insert_with(BTreeSet::new).insert(value);
                }
            }
        }
    }
    assert_eq!(told.len(), keys.len(), "{told:?}");
    let of = |key: &str| told[key].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of(keys[0]), ["1m17s", "40s", "50s"]);
}

/// What a mechanism takes is a setting; what a question asks about is its own.
#[test]
fn no_lesson_writes_down_what_a_setting_says() {
    for name in models::lessons() {
        let source = models::lesson(name).expect("embedded");
        let scenario = Scenario::read(source.clone()).expect("a scenario");
        let game = Game::new(&scenario, None, &[], None).expect("valid");
        let mechanisms = game.questions().iter().map(|question| &question.because);
        for text in mechanisms.chain([game.introduction()]) {
            let words: Vec<&str> = text.split([' ', '\n']).collect();
            for pair in words.windows(2) {
                let is_number = pair[0].parse::<u64>().is_ok();
                let is_unit = ["s", "seconds", "minutes"].iter().any(|it| pair[1].starts_with(it));
                let is_unit = is_unit && pair[1].len() < 9;
                assert!(!(is_number && is_unit), "{name}: `{}` in: {text}", pair.join(" "));
            }
        }
    }
}

#[test]
fn a_number_that_nobody_knows_is_refused_where_it_stands() {
    let mistake = |text: &str| read(text).expect_err(text)[0].clone();
    let question = "act: { within: 5m }, because: 'It takes {kubernetes.nodeMonitorGrace}.'";
    let wrong = mistake(&LESSON.replace("QUESTION", question));
    let words = "nothing stands for `{kubernetes.nodeMonitorGrace}`; did you mean `{";
    assert!(wrong.message.starts_with(words), "{wrong}");
    assert_eq!(wrong.place, Some((10, 74)), "{wrong}");
    let text = "  introduction: |\n    Look.\n\n    In {foo} it is over.\n  until: 10m";
    let text = LESSON.replace("  until: 10m", text).replace("QUESTION", "act: { within: 5m }");
    let wrong = mistake(&text);
    assert!(wrong.message.contains("`healsim list settings` names them all"), "{wrong}");
    assert_eq!(wrong.place, Some((11, 8)), "{wrong}");
    let reasons = "because: { right: 'x', wrong: 'y {object}' }";
    let claims = which(&format!(
        "{{ says: a, see: 'VM deleted', {reasons} }}, {{ says: b, never: 'VM deleted' }}"
    ));
    let wrong = mistake(&LESSON.replace("QUESTION", &claims));
    assert!(wrong.message.contains("only the `ask`"), "{wrong}");
    let (line, column) = wrong.place.expect("a place");
    let text = LESSON.replace("QUESTION", &claims);
    let rest: String =
        text.lines().nth(line - 1).expect("a line").chars().skip(column - 1).collect();
    assert!(rest.starts_with("{object}"), "{rest}");
}
