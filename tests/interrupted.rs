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

fn interrupted(args: &[&str]) -> Left {
    let mut program = Command::new(env!("CARGO_BIN_EXE_healsim"));
    let program = program.args(args).args(["--jobs", "1", "--progress"]);
    let mut child =
        program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    // The first line of progress tells that it is at work.
    let mut stderr = child.stderr.take().expect("it is piped");
    let mut first = [0; 1];
    stderr.read_exact(&mut first).expect("there is progress");
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
    let quiet = ["fuzz", "--for", "1s", "--jobs", "1", "--dir", folder.to_str().expect("text")];
    let output = program.args(quiet).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
