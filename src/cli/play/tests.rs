//! Keys in, instants out; and what stands in the tables.

use super::state::{Flow, Key, Playback};
use super::tables::tables;
use crate::engine::{Duration, SimTime, Text};
use crate::report::Mood;
use crate::timeline::{Entry, EntryId, Run, Timeline, Value};

/// A worker that is lost in the twentieth second of a minute, and its Node half a minute later.
pub fn run() -> Run {
    let mut timeline = Timeline::default();
    let lines = [
        (0u64, "VM", "worker-0", "exists", "true", None),
        (0, "VM", "worker-0", "power", "on", None),
        (0, "Node", "worker-0", "exists", "true", None),
        (0, "Node", "worker-0", "Ready", "True", None),
        (0, "Pod", "web-0", "exists", "true", None),
        (0, "Pod", "web-0", "phase", "Running", None),
        (0, "Pod", "web-0", "Ready", "True", None),
        (20, "Fault", "powerOff", "injected", "VM/worker-0", None),
        (20, "VM", "worker-0", "power", "off", Some(8)),
        (50, "Node", "worker-0", "Ready", "Unknown", Some(9)),
    ];
    for (seconds, kind, name, field, to, cause) in lines {
        if seconds > 0 && timeline.beginning().is_empty() {
            timeline.begin();
        }
        timeline.push(Entry {
            id: timeline.next_id(),
            at: at(seconds),
            cluster: if kind == "VM" { Text::EMPTY } else { Text::word("workload") },
            kind: kind.into(),
            name: name.into(),
            field: field.into(),
            from: Value::Null,
            to: if to == "true" { Value::Bool(true) } else { Value::text(to) },
            reason: Text::EMPTY,
            message: Text::EMPTY,
            by: Text::EMPTY,
            cause: cause.map(EntryId),
            reads: Vec::new(),
            took: None,
        });
    }
    Run {
        scenario: Text::word("lost"),
        platform: Text::word("here"),
        timeline,
        first_fault: Some(at(20)),
        ended_at: at(60),
        ..Run::default()
    }
}

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + Duration::from_secs(seconds)
}

fn press(playback: &mut Playback, keys: &str) {
    for key in keys.chars() {
        let key = if key == '\n' { Key::Enter } else { Key::Char(key) };
        assert_eq!(playback.press(key), Flow::Go);
    }
}

/// Name and state of each row of a table.
fn rows(playback: &Playback, title: &str) -> Vec<(String, String)> {
    let tables = tables(playback.moment(), playback.now());
    let table = tables.into_iter().find(|table| table.title == title).expect("a table");
    let pair = |cells: Vec<String>| (cells[0].clone(), cells[1].clone());
    table.rows.into_iter().map(|row| pair(row.cells)).collect()
}

#[test]
fn time_passes_at_its_speed_and_stops_at_the_end() {
    let mut playback = Playback::new(run(), 10);
    playback.pass(std::time::Duration::from_millis(2_500));
    assert_eq!(playback.now(), at(25));
    assert_eq!(rows(&playback, "VMs"), [("worker-0".to_owned(), "off".to_owned())]);
    press(&mut playback, " ");
    playback.pass(std::time::Duration::from_secs(1));
    assert_eq!(playback.now(), at(25), "paused");
    press(&mut playback, " ");
    playback.pass(std::time::Duration::MAX);
    assert_eq!((playback.now(), playback.is_paused()), (at(60), true));
    press(&mut playback, " ");
    assert_eq!((playback.now(), playback.is_paused()), (at(0), false), "and begins anew");
}

#[test]
fn brackets_go_from_step_to_step_and_back_to_what_there_was() {
    let mut playback = Playback::new(run(), 60);
    press(&mut playback, "]");
    assert_eq!((playback.now(), playback.is_paused()), (at(20), true));
    press(&mut playback, "]");
    assert_eq!(playback.now(), at(50));
    assert_eq!(rows(&playback, "Nodes"), [("worker-0".to_owned(), "Unknown".to_owned())]);
    assert_eq!(playback.told().last().map(|step| step.cause), Some(Some(EntryId(9))));
    press(&mut playback, "[");
    assert_eq!(rows(&playback, "Nodes"), [("worker-0".to_owned(), "Ready".to_owned())]);
    press(&mut playback, "[[");
    assert_eq!(playback.now(), at(0));
    press(&mut playback, "]]]]");
    assert_eq!(playback.now(), at(60));
}

#[test]
fn arrows_seek_and_change_the_speed_within_bounds() {
    let mut playback = Playback::new(run(), 60);
    for (key, now, speed) in [
        (Key::Right, 10, 60),
        (Key::Left, 0, 60),
        (Key::Left, 0, 60),
        (Key::End, 60, 60),
        (Key::Right, 60, 60),
        (Key::Home, 0, 60),
        (Key::Up, 0, 120),
        (Key::Down, 0, 60),
    ] {
        assert_eq!(playback.press(key), Flow::Go);
        assert_eq!((playback.now(), playback.speed()), (at(now), speed), "{key:?}");
    }
    for _ in 0..20 {
        playback.press(Key::Down);
    }
    assert_eq!(playback.speed(), 1);
    for _ in 0..20 {
        playback.press(Key::Up);
    }
    assert_eq!(playback.speed(), 3_600);
}

#[test]
fn a_jump_takes_an_instant_of_the_run_or_one_after_the_fault() {
    let mut playback = Playback::new(run(), 60);
    press(&mut playback, "g30s\n");
    assert_eq!(playback.now(), at(30));
    press(&mut playback, "g+5s\n");
    assert_eq!(playback.now(), at(25));
    press(&mut playback, "g100h\n");
    assert_eq!(playback.now(), at(60));
    press(&mut playback, "gsoon\n");
    assert!(playback.prompt().expect("a note").contains("`soon` is no instant"));
    press(&mut playback, "g5q");
    assert_eq!(playback.prompt().as_deref(), Some("go to: 5q"), "typed, not obeyed");
    assert_eq!(playback.press(Key::Backspace), Flow::Go);
    assert_eq!(playback.prompt().as_deref(), Some("go to: 5"));
    assert_eq!(playback.press(Key::Escape), Flow::Go);
    assert_eq!((playback.now(), playback.prompt()), (at(60), None));
}

#[test]
fn it_ends_when_told() {
    let mut playback = Playback::new(run(), 60);
    assert_eq!(playback.press(Key::Char('q')), Flow::Quit);
    assert_eq!(playback.press(Key::Interrupt), Flow::Interrupted);
    assert_eq!(playback.into_run().scenario, "lost");
}

#[test]
fn what_has_just_changed_is_marked() {
    let mut playback = Playback::new(run(), 60);
    press(&mut playback, "g22s\n");
    let is_new = |playback: &Playback| {
        let vms = tables(playback.moment(), playback.now()).remove(4);
        (vms.rows[0].is_new, vms.rows[0].mood)
    };
    assert_eq!(is_new(&playback), (true, Mood::Bad));
    press(&mut playback, "g40s\n");
    assert_eq!(is_new(&playback), (false, Mood::Bad));
}

#[test]
fn a_run_without_entries_can_be_played() {
    let mut playback = Playback::new(Run::default(), 60);
    assert_eq!(playback.run().ended_at, at(0));
    press(&mut playback, "][ ");
    playback.pass(std::time::Duration::from_secs(1));
    assert_eq!(playback.now(), at(0));
}
