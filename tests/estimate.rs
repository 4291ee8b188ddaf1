//! `estimate` and `merge` from outside: bounds, shards, what is refused, Ctrl-C. Each run is cut
//! short: what is asked here happens within two simulated minutes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

pub const SHORT: &[&str] = &["estimate", "worker-kubelet-stopped", "--until", "2m"];

fn healsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healsim")).args(args).output().expect("the binary runs")
}

fn short(args: &[&str]) -> Output {
    healsim(&[SHORT, args].concat())
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

#[test]
fn an_estimate_is_the_same_at_any_number_of_threads() {
    let with = |jobs: &str, format: &str| {
        let runs = ["--runs", "5", "--assumed-runs", "1"];
        out(&short(&[&runs[..], &["--jobs", jobs, "-o", format]].concat()))
    };
    let one = with("1", "json");
    assert!(one.contains("\"name\":\"nodeUnknown\"") && one.contains("\"assumed\":{"), "{one}");
    for jobs in ["2", "3", "8"] {
        assert_eq!(with(jobs, "json"), one, "{jobs}");
    }
    assert_eq!(with("8", "svg"), with("1", "svg"));
}

#[test]
fn a_bound_that_fails_is_exit_code_4_and_one_that_is_none_2() {
    let with = |bound: &str| short(&["--runs", "8", "--assumed-runs", "0", "--threshold", bound]);
    let output = with("nodeUnknown p50 < 50s");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(err(&output).contains("nodeUnknown p50 < 50s holds: nodeUnknown Node/worker-0 is"));
    let output = with("recoveryTime p95 < 15m");
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    assert!(out(&output).contains("horizon: a kubelet does not run"), "{}", out(&output));
    let output = with("nodeUnknown p50 < soon");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("column 19: `soon` is not a duration"), "{}", err(&output));
    let output = with("app/wob unavailable p50 < 1s");
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("no service `app/wob`; did you mean `app/web`?"));
    assert!(out(&output).is_empty(), "it is refused before anything is played");
    let output = with("nodeReady Node/worker-00 p50 < 1s");
    assert_eq!(output.status.code(), Some(3));
    assert!(err(&output).contains("did you mean `Node/worker-0`?"), "{}", err(&output));
    // As it is called in the table.
    let output = with("replacementReady Machine/new p50 < 15m");
    assert_eq!(output.status.code(), Some(4), "within two minutes there is none: {}", err(&output));
    let bound = ["--threshold", "nodeReady Node/worker-00 p50 < 1s"];
    let check = ["check", "worker-kubelet-stopped", "--until", "2m", "--seeds", "1..2"];
    let output = healsim(&[&check[..], &bound].concat());
    assert_eq!(output.status.code(), Some(3), "`check` refuses it as well");
    assert!(err(&output).contains("did you mean `Node/worker-0`?"), "{}", err(&output));
    assert!(out(&output).is_empty(), "before anything is played");
}

/// The API has 20 of the 30 minutes left to be down, and never comes back.
#[test]
fn a_service_that_the_end_cuts_off_keeps_no_bound() {
    let estimate = ["estimate", "apiserver-removed", "--runs", "2", "--assumed-runs", "0"];
    let bound = ["--threshold", "api unavailable p50 < 3h"];
    let output = healsim(&[&estimate[..], &bound].concat());
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    let words = "api unavailable p50 < 3h fails: unavailable api is longer than the runs";
    assert!(err(&output).contains(words), "{}", err(&output));
    let table = out(&output);
    assert!(table.contains("still down at the end of 2 runs") && table.contains("≥20:"), "{table}");
}

#[test]
fn a_killed_set_of_shards_is_completed_with_what_merge_says_is_missing() {
    let folder = folder("killed-shards");
    let runs = ["--runs", "7", "--assumed-runs", "3"];
    let file = |number: u64| folder.join(format!("shard-{number}-of-4.json"));
    for number in 1..=4 {
        let shard = format!("{number}/4");
        let output = short(&[&runs[..], &["--shard", &shard, "-o", "json"]].concat());
        fs::write(file(number), output.stdout).expect("the folder is writable");
    }
    let files = || (1..=4).rev().map(|number| file(number).display().to_string());
    let merge = |more: &[&str]| {
        let files: Vec<String> = files().collect();
        let files = files.iter().map(String::as_str);
        healsim(&["merge"].into_iter().chain(files).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let whole = out(&short(&[&runs[..], &["-o", "json"]].concat()));
    assert_eq!(out(&merge(&["-o", "json"])), whole, "shards change nothing");

    // One was never begun, one was killed while it wrote.
    fs::remove_file(file(2)).expect("it was there");
    let text = fs::read_to_string(file(3)).expect("it is there");
    fs::write(file(3), &text[..text.len() / 2]).expect("the folder is writable");
    let refused = merge(&[]);
    assert_eq!(refused.status.code(), Some(3));
    let said = err(&refused);
    assert!(
        said.contains("shard-3-of-4.json: it is cut off") && said.contains("shard 2/4"),
        "{said}"
    );
    assert!(out(&refused).is_empty(), "nothing is half done");

    // What else lies there does not hide what is missing.
    let notes = folder.join("notes.json").display().to_string();
    fs::write(&notes, "hello").expect("the folder is writable");
    let found = merge(&["--missing", &notes]);
    let commands = out(&found);
    assert_eq!(commands.lines().count(), 2, "{commands}");
    assert!(err(&found).contains("notes.json: not a shard"), "{}", err(&found));
    for command in commands.lines() {
        let mut shell = Command::new("sh");
        let program =
            format!("healsim() {{ {} \"$@\"; }}; {command}", env!("CARGO_BIN_EXE_healsim"));
        let status = shell.current_dir(&folder).args(["-c", &program]).status();
        assert!(status.expect("a shell").success(), "{command}");
    }
    assert_eq!(out(&merge(&["-o", "json"])), whole, "as if nothing had happened");
    let nothing = merge(&["--missing"]);
    assert_eq!((out(&nothing), nothing.status.code()), (String::new(), Some(0)));
}

#[test]
fn shards_of_other_questions_are_refused_with_what_would_be_right() {
    let folder = folder("other-shards");
    let shard = |name: &str, args: &[&str]| {
        let path = folder.join(name);
        let common = ["--runs", "2", "--assumed-runs", "0", "-o", "json"];
        let output = short(&[args, &common[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        fs::write(&path, output.stdout).expect("the folder is writable");
        path.display().to_string()
    };
    let first = shard("first.json", &["--shard", "1/2"]);
    let set = shard("set.json", &["--shard", "2/2", "--set", "infra.boot=20s..30s"]);
    let summary = shard("summary.json", &[]);
    let other = shard("other.json", &["--shard", "2/2", "--platform", "tkgs-current"]);
    for (file, words) in [
        (&set, "--set infra.boot=20s..30s`, not `worker-kubelet-stopped --until 2m0s`"),
        (&summary, "not a shard: no member `kind` says that it is one"),
        (&other, "the platform is tkgs-current, not tkgs-2024"),
        (&first, "named twice, with shard 1/2; name each file once"),
    ] {
        let output = healsim(&["merge", &first, file]);
        assert_eq!(output.status.code(), Some(3));
        let said = err(&output);
        assert!(said.starts_with(&format!("{file}: ")) && said.contains(words), "{said}");
    }
    let empty = short(&["--runs", "2", "--shard", "1/3"]);
    assert_eq!(empty.status.code(), Some(2));
    assert!(err(&empty).contains("write at most 2"), "{}", err(&empty));
}

#[test]
fn pictures_and_tables_are_written_whole_beside_the_result() {
    let folder = folder("estimate-files");
    let [svg, csv] = ["a.svg", "a.csv"].map(|name| folder.join(name));
    let files = [format!("svg={}", svg.display()), format!("csv={}", csv.display())];
    let args = ["--runs", "2", "--assumed-runs", "0", "-o", "plot", "--out", &files[0]];
    let output = short(&[&args[..], &["--out", &files[1]]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("nodeUnknown Node/worker-0  in 2 of 2 runs"));
    assert!(err(&output).is_empty(), "no progress into a pipe: {}", err(&output));
    assert!(fs::read_to_string(svg).expect("written").ends_with("</svg>\n"));
    assert!(fs::read_to_string(csv).expect("written").contains(",nodeUnknown,Node/worker-0,2,"));
    assert_eq!(fs::read_dir(folder).expect("it is there").count(), 2, "nothing is left over");
}
