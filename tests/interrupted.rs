//! Ctrl-C: what is there is kept, is said to be partial, and the exit code tells.
#![cfg(unix)]

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

/// What a command leaves when somebody presses Ctrl-C in the middle of its work.
struct Left {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Of what plays many runs at once, and can tell how far it is.
fn interrupted(args: &[&str]) -> Left {
    interrupted_at_work(&[args, &["--jobs", "1", "--progress"]].concat())
}

/// As soon as it writes something to standard error.
fn interrupted_at_work(args: &[&str]) -> Left {
    let mut program = Command::new(env!("CARGO_BIN_EXE_healsim"));
    let program = program.args(args);
    let mut child =
        program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut stderr = child.stderr.take().expect("it is piped");
    let mut first = [0; 1];
    stderr.read_exact(&mut first).expect("it is at work");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill is there").success());
    let mut err = String::new();
    stderr.read_to_string(&mut err).expect("text");
    let output = child.wait_with_output().expect("it ends");
    let out = String::from_utf8(output.stdout).expect("text");
    Left { code: output.status.code(), out, err }
}

/// How many runs a partial document is of.
fn partial(json: &str) -> u64 {
    let read: serde_json::Value = serde_json::from_str(json).expect("a whole document");
    assert_eq!(read["partial"], true);
    read["runs"].as_u64().expect("a number")
}

#[test]
fn an_estimate_prints_what_there_is() {
    let folder = std::env::temp_dir().join(format!("healsim-interrupted-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the test");
    let json = folder.join("part.json");
    let file = format!("json={}", json.display());
    let args = [crate::estimate::SHORT, &["--runs", "100000", "-o", "plot", "--out", &file]];
    let left = interrupted(&args.concat());
    assert_eq!(left.code, Some(130), "{}", left.err);
    assert!(left.err.contains("\npartial: interrupted after "), "{}", left.err);
    assert!(left.out.starts_with("partial: interrupted after "), "{}", left.out);
    let runs = partial(&fs::read_to_string(json).expect("written"));
    assert!(runs > 0 && runs < 100_000, "{runs}");
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn a_comparison_of_settings_prints_what_there_is() {
    use crate::tune::{FEW, SHORT, VARY};
    let left = interrupted(&[SHORT, VARY, FEW, &["--runs", "100000", "-o", "json"]].concat());
    assert_eq!(left.code, Some(130), "{}", left.err);
    assert!(partial(&left.out) < 100_000, "{}", left.out);
    assert!(left.err.contains(" of 400000 runs, "), "{}", left.err);
    assert!(left.err.contains("partial: interrupted after"), "{}", left.err);
}

#[test]
fn pairs_and_ways_of_many_runs_say_that_they_are_partial() {
    let lab = ["--platform", "lab-k8s-1.30-capi-1.7", "--runs", "100000", "-o", "json"];
    let two = ["compare", "worker-kubelet-stopped", "worker-power-off"];
    let ways = ["why", "worker-kubelet-stopped"];
    for words in [&two[..], &ways] {
        let left = interrupted(&[words, &lab[..]].concat());
        assert_eq!(left.code, Some(130), "{}", left.err);
        assert!(partial(&left.out) < 100_000, "{}", left.out);
    }
}

/// What was not played is no test that has passed.
#[test]
fn a_check_writes_the_verdicts_that_there_are() {
    let file = std::env::temp_dir().join(format!("healsim-checked-{}.xml", std::process::id()));
    let junit = file.to_str().expect("text");
    let lab = ["--platform", "lab-k8s-1.30-capi-1.7", "--seeds", "1..10000", "--stats"];
    let inputs = ["check", "worker-kubelet-stopped", "worker-power-off", "--junit", junit];
    let left = interrupted_at_work(&[&inputs[..], &lab].concat());
    assert_eq!(left.code, Some(130), "{}", left.err);
    let told = "partial: interrupted at number 1 of 2 scenarios";
    assert!(left.err.contains(told), "{}", left.err);
    let line = "FAILED worker-kubelet-stopped on lab-k8s-1.30-capi-1.7: interrupted after ";
    assert!(left.out.starts_with(line) && left.out.ends_with(" of 10000 seeds\n"), "{}", left.out);
    let written = fs::read_to_string(&file).expect("written");
    assert!(written.contains("tests=\"1\" failures=\"1\""), "{written}");
    assert!(written.contains("interrupted after"), "{written}");
    fs::remove_file(file).expect("it is ours");
}

/// One that ends with its time ends well.
#[test]
fn a_campaign_prints_what_there_is_be_it_limited_by_number_or_by_time() {
    for limit in [["--runs", "100000"], ["--for", "1h"]] {
        let left = interrupted(&[&["fuzz"], &limit[..]].concat());
        assert_eq!(left.code, Some(130), "{limit:?}: {}", left.err);
        assert!(
            left.out.contains(" runs, seeds 1..") || left.out.contains(" run, seed"),
            "{}",
            left.out
        );
        assert!(left.err.contains("partial: interrupted after"), "{}", left.err);
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_healsim"));
    let folder = std::env::temp_dir();
    let folder = folder.join(format!("healsim-quiet-{}/found", std::process::id()));
    let quiet = ["fuzz", "--for", "1s", "--jobs", "1", "--dir", folder.to_str().expect("text")];
    let output = program.args(quiet).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!folder.parent().expect("a folder").exists(), "nothing was found");
}
