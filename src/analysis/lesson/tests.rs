//! Answers and their points, and what is offered to choose from.

use super::choices::Dice;
use super::value::{self, Change, Held};
use super::{Answer, Choice, FULL, Form, Outcome, Posed, cause};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Entry, EntryId, Run, Timeline, Value};
use std::collections::BTreeSet;

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + Duration::from_secs(seconds)
}

fn posed(form: Form) -> Posed {
    Posed {
        at: at(1),
        told_at: at(2),
        kind: "value",
        ask: Text::EMPTY,
        because: Text::EMPTY,
        show: Vec::new(),
        form,
        shown_by: Vec::new(),
    }
}

fn points(posed: &Posed, words: &str) -> u32 {
    posed.points(&posed.read(words).expect("an answer"))
}

fn choices(right: &[bool]) -> Vec<Choice> {
    right.iter().zip('A'..).map(|(it, name)| Choice::plain(name.to_string(), *it)).collect()
}

#[test]
fn of_one_choice_the_best_gets_all_points_and_another_right_one_half() {
    let mut all = choices(&[false, true, true]);
    all[1].is_best = false;
    let posed = posed(Form::One(all));
    assert_eq!(["a", "b", "C)"].map(|words| points(&posed, words)), [0, FULL / 2, FULL]);
    assert_eq!(points(&posed, " c "), FULL, "a choice may be written out, here by its own word");
    assert_eq!(posed.best(), Answer::one(2));
    for wrong in ["", "d", "a b", "ab", "1", "é", "yes please"] {
        assert!(posed.read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn of_actions_that_are_as_good_all_are_named_and_the_soonest_first() {
    let mut all = choices(&[true, false, true, true]);
    for (choice, seconds) in all.iter_mut().zip([70, 0, 60, 300]) {
        let took = choice.is_right.then_some(Duration::from_secs(seconds));
        let run = Run::default();
        choice.outcome = Some(Outcome { took, action: None, course: None, run });
    }
    all[3].is_best = false;
    let posed = posed(Form::One(all));
    assert_eq!(
        (posed.best(), posed.best_words()),
        (Answer::one(2), ["C", "A"].map(Text::word).into())
    );
    assert_eq!(["a", "c"].map(|words| points(&posed, words)), [FULL, FULL]);
}

#[test]
fn of_several_each_wrong_one_takes_a_right_one_away() {
    let posed = posed(Form::All(choices(&[true, false, true, false])));
    let cases = [("a c", FULL), ("a,c", FULL), ("a", FULL / 2), ("a b", 0), ("a b c", FULL / 2)];
    for (words, expected) in cases {
        assert_eq!(points(&posed, words), expected, "{words}");
    }
    assert_eq!(points(&posed, "b d"), 0);
    assert_eq!(points(&posed, "a b c d"), 0, "to choose everything is worth nothing");
    assert_eq!(posed.best(), Answer::Chosen(BTreeSet::from([0, 2])));
    assert!(posed.read("a e").is_err());
}

#[test]
fn a_time_is_right_within_the_tolerance_and_half_right_within_twice_of_it() {
    let tolerance = Duration::from_secs(10);
    let right = Some(Duration::from_secs(60));
    let timed = posed(Form::Length { right, tolerance });
    let cases = [("60s", FULL), ("1m10s", FULL), ("50s", FULL), ("49s", FULL / 2), ("80s", 5)];
    for (words, expected) in cases {
        assert_eq!(points(&timed, words), expected, "{words}");
    }
    assert_eq!(["39s", "81s", "never"].map(|words| points(&timed, words)), [0, 0, 0]);
    let never = posed(Form::Length { right: None, tolerance });
    assert_eq!(["Never", "10h"].map(|words| points(&never, words)), [FULL, 0]);
    assert!(timed.read("soon").is_err_and(|hint| hint.contains("45s")));
    assert!(timed.read("").is_err());
    let bare = timed.read("45").expect_err("no unit");
    assert_eq!(bare, "`45` has no unit; write 45s for seconds or 45m for minutes");
    assert!(timed.read("1.5").is_err_and(|hint| hint.contains("1.5m for minutes")));
    assert!(timed.read("1.2.3").is_err_and(|hint| hint.contains("no time")));
}

fn change(seconds: u64, object: &str, word: &str) -> Change {
    let held = if word.is_empty() { Held::Gone } else { Held::Is(word.to_owned()) };
    Change { at: at(seconds), object: object.to_owned(), held, entry: EntryId(7) }
}

fn texts(form: &Form) -> Vec<&str> {
    let mut texts: Vec<&str> = form.choices().iter().map(|it| it.text.as_str()).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn a_value_is_chosen_among_those_that_the_field_takes_elsewhere() {
    let all = [
        change(0, "Deployment/web", "3"),
        change(50, "Deployment/web", "2"),
        change(90, "Deployment/web", "4"),
        change(0, "Deployment/csi", "1"),
    ];
    let dice = Dice::new(1, "lesson", 1);
    let of = ("Deployment/web", "readyReplicas");
    let (form, entry) = value::form(&all, of, (at(20), at(60)), &dice).expect("choices");
    assert_eq!(texts(&form), ["1", "2", "3", "4"]);
    let right: Vec<&Choice> = form.choices().iter().filter(|it| it.is_right).collect();
    assert_eq!((right.len(), right[0].text.as_str(), entry), (1, "2", Some(EntryId(7))));
    let (_, entry) = value::form(&all, of, (at(20), at(40)), &dice).expect("choices");
    assert_eq!(entry, None, "what has not changed since is shown by nothing");
    let alone = [change(0, "Deployment/web", "3")];
    assert!(value::form(&alone, of, (at(1), at(2)), &dice).is_err(), "nothing else to choose");
}

#[test]
fn an_object_that_is_gone_is_a_value_too() {
    let all = [change(0, "Node/worker-0", "True"), change(50, "Node/worker-0", "")];
    let dice = Dice::new(1, "lesson", 1);
    let found = value::form(&all, ("Node/worker-0", "Ready"), (at(20), at(60)), &dice);
    let (form, _) = found.expect("choices");
    let right = form.choices().iter().find(|it| it.is_right).expect("one");
    assert!(right.text.contains("no such object"), "{}", right.text);
    assert!(texts(&form).contains(&"Unknown"), "what a condition can be is plausible");
}

/// The position of the right choice must be of no help.
#[test]
fn the_right_choice_stands_anywhere() {
    let mut places = BTreeSet::new();
    for question in 1..=40 {
        let shuffled = Dice::new(7, "lesson", question).shuffled(choices(&[true, false, false]));
        places.extend(shuffled.iter().position(|it| it.is_right));
    }
    assert_eq!(places.len(), 3);
    let again = |seed| Dice::new(seed, "lesson", 1).some((0..20).collect(), 5);
    assert_eq!(again(1), again(1));
    assert_ne!(again(1), again(2));
}

/// A timeline of lines `SECONDS KIND/NAME FIELD VALUE CAUSE`, the cause 0 for none.
fn timeline(lines: &str) -> Timeline {
    let mut timeline = Timeline::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let (kind, name) = words[1].split_once('/').expect("an object");
        let cause: u32 = words[4].parse().expect("a number");
        timeline.push(Entry {
            id: timeline.next_id(),
            at: at(words[0].parse().expect("seconds")),
            cluster: Text::EMPTY,
            kind: kind.into(),
            name: name.into(),
            field: words[2].into(),
            from: Value::Null,
            to: words[3].parse().map_or(Value::text(words[3]), Value::Bool),
            reason: Text::EMPTY,
            message: Text::EMPTY,
            by: Text::EMPTY,
            cause: (cause > 0).then_some(EntryId(cause)),
            reads: Vec::new(),
            took: None,
        });
    }
    timeline
}

#[test]
fn a_process_that_ends_is_not_said_to_start() {
    let lines = "
        60 Fault/stopUnit injected VM/worker-0 0
        60 Process/kubelet@worker-0 running false 1
        70 Process/etcd@worker-0 frozen true 0
        75 Process/kubelet@worker-1 running true 0
        100 Node/worker-0 Ready Unknown 2
    ";
    let dice = Dice::new(1, "lesson", 1);
    let (form, _) = cause::form(&timeline(lines), at(60), EntryId(5), &dice).expect("choices");
    let texts = texts(&form);
    for words in ["kubelet@worker-0 ends", "etcd@worker-0 hangs", "kubelet@worker-1 starts"] {
        assert!(texts.iter().any(|text| text.contains(words)), "{words}: {texts:?}");
    }
}

#[test]
fn a_cause_is_chosen_among_entries_that_did_not_lead_to_it() {
    let lines = "
        60 Fault/powerOff injected VM/worker-0 0
        60 VM/worker-0 power off 1
        100 Node/worker-0 Ready Unknown 2
        100 Node/worker-0 taints unreachable 3
        101 Deployment/web readyReplicas 2 3
        102 Process/capi log x 3
        103 Machine/worker-9 phase Running 0
        400 Machine/worker-0 HealthCheckSucceeded False 3
    ";
    let timeline = timeline(lines);
    let dice = Dice::new(1, "lesson", 1);
    let (form, right) = cause::form(&timeline, at(60), EntryId(8), &dice).expect("choices");
    assert_eq!(right, EntryId(3));
    let texts = texts(&form);
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("Node/worker-0 Ready → Unknown, 40 s")));
    let fair = |text: &&str| !text.contains("power") && !text.contains("taints");
    assert!(texts.iter().all(fair), "neither what led to it, nor what was written with that");
    assert!(cause::form(&timeline, at(60), EntryId(7), &dice).is_err(), "it has no cause");
    assert!(cause::form(&timeline, at(60), EntryId(2), &dice).is_err(), "and nothing beside it");
}
