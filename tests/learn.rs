//! `healsim learn` from outside: what is asked, what may be typed, and what is kept when it ends early.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const LESSON: &str = "apiVersion: healsim/v1
kind: Scenario
metadata: { name: mine }
spec:
  platform: tkgs-2024
  introduction: Watch the Node.
  faults: [{ at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }]
  until: 3m
  questions:
    - after: 5s
      ask: 'What will {object} be?'
      because: The grace period.
      value: { of: Node/worker-0, field: STATUS, in: 10s }
    - { after: 6s, ask: 'How long?', howLong: { until: 'Node/worker-0 Ready=Unknown', tolerance: 15s } }
    - { when: 'VM/worker-0 deleted', ask: 'What now?', act: { within: 1m } }
";

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    path.display().to_string()
}

fn lesson(name: &str) -> String {
    let path = file(name);
    fs::write(&path, LESSON).expect("the target folder is writable");
    path
}

fn begun(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_healsim"));
    let command = command.arg("learn").args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

/// What comes of typing these lines, and nothing more.
fn typed(args: &[&str], lines: &str) -> Output {
    let mut child = begun(args);
    let mut input = child.stdin.take().expect("a pipe");
    // Who asks nothing may be gone already.
    let _ = input.write_all(lines.as_bytes());
    drop(input);
    child.wait_with_output().expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn document(path: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[test]
fn answers_are_judged_and_the_score_is_written() {
    let (path, score) = (lesson("learn.yaml"), file("learn.json"));
    let args = [path.as_str(), "--seed", "3", "--out", &format!("json={score}")];
    let output = typed(&args, "soon\nready\n30s\n");
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for words in [
        "mine on tkgs-2024, seed 3: 2 questions, 20 points",
        "Watch the Node.",
        "$ kubectl get nodes",
        "What will Node/worker-0 be?",
        "`soon` is none of the choices; write a to d",
        "Question 1: Right. 10 of 10 points.",
        "Why: The grace period.",
        "What led to it:",
        "Score: 20 of 20 points",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    let left = "not asked with seed 3: `when` is not seen";
    assert!(err(&output).contains(&format!("{path}:15:7: {left}")), "{}", err(&output));
    let score = document(&score);
    assert_eq!(
        (&score["ended"], &score["points"], &score["of"]),
        (&"done".into(), &20.into(), &20.into())
    );
    assert_eq!(score["questions"][0]["answered"][0], "Ready");
    assert_eq!(score["questions"][0]["t"], 65.0);
    assert_eq!(out(&typed(&args, "soon\nready\n30s\n")), text, "same input, same bytes");
}

#[test]
fn a_lesson_that_ends_early_keeps_its_score() {
    let (path, score) = (lesson("early.yaml"), file("early.json"));
    let args = [path.as_str(), "--out", &format!("json={score}")];
    for (lines, ended, points) in [
        ("", "endOfInput", 0),
        ("Ready", "endOfInput", 10),
        ("Ready\nquit\n", "quit", 10),
        ("skip\nnever\n", "done", 0),
        ("x\nx\nx\nx\nx\n", "endOfInput", 0),
    ] {
        let output = typed(&args, lines);
        assert_eq!(output.status.code(), Some(0), "{lines:?}: {}", err(&output));
        let written = document(&score);
        let found = (&written["ended"], &written["points"]);
        assert_eq!(found, (&ended.into(), &points.into()), "{lines:?}");
        if ended != "done" {
            assert_eq!(written["questions"][1]["right"], serde_json::Value::Null, "{lines:?}");
        }
    }
    assert!(out(&typed(&args, "x\nx\nx\nx\nx\n")).contains("Passed over after 5 answers"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_lesson_and_keeps_its_score() {
    let (path, score) = (lesson("interrupted.yaml"), file("interrupted.json"));
    let mut child = begun(&[&path, "--out", &format!("json={score}")]);
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"Ready\n").expect("it reads");
    let mut output = child.stdout.take().expect("a pipe");
    let (mut text, mut byte) = (Vec::new(), [0]);
    let asks_twice = |text: &[u8]| text.windows(3).filter(|three| three == b"\n> ").count() == 2;
    while !asks_twice(&text) && output.read(&mut byte).expect("it writes") > 0 {
        text.push(byte[0]);
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let written = document(&score);
    assert_eq!((&written["ended"], &written["points"]), (&"interrupted".into(), &10.into()));
}

#[test]
fn a_teacher_gets_all_answers_and_is_asked_nothing() {
    let (path, sheet) = (lesson("teacher.yaml"), file("teacher.json"));
    let output = typed(&[&path, "--with-answers", "--out", &format!("json={sheet}")], "");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("The answer: Ready") && !out(&output).contains("\n> "));
    let sheet = document(&sheet);
    let question = &sheet["questions"][0];
    let best = question["best"][0].as_u64().and_then(|it| usize::try_from(it).ok());
    assert_eq!(question["choices"][best.expect("a place")], "Ready");
}

#[test]
fn lessons_are_listed_and_what_asks_nothing_is_refused() {
    let listed = out(&typed(&[], ""));
    assert!(listed.lines().any(|line| line.starts_with("lost-worker ")), "{listed}");
    let output = typed(&["worker-power-off"], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("it has no `questions`; lessons: lost-"), "{}", err(&output));
    let output = typed(&["lost-wroker"], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("lost-worker"), "{}", err(&output));
}

/// Who does nothing sees in his fork what the run does: what is still to be asked of it is not told there.
#[test]
fn a_fork_answers_nothing_that_is_still_to_be_asked() {
    let path = file("fork.yaml");
    let (head, _) = LESSON.split_once("  questions:").expect("it asks");
    let asked = "  questions:
    - { after: 10s, ask: 'What now?', act: { within: 3m } }
    - { after: 12s, ask: 'How long?', howLong: { until: 'Node/worker-0 Ready=Unknown', tolerance: 15s } }
";
    fs::write(&path, format!("{head}{asked}")).expect("the target folder is writable");
    let output = typed(&[&path], "do nothing, and wait\nnever\n");
    let text = out(&output);
    let (before, after) = text.split_once("Question 2 of 2").expect("a second question");
    assert!(before.contains("Nothing else than in the run happens so far."), "{text}");
    assert!(!before.contains("Unknown"), "{before}");
    assert!(after.contains("Unknown"), "{after}");
    let again = "Question 1 again, now that nothing is asked.";
    assert!(after.contains(again) && after.contains("in the run happens."), "{after}");
}
