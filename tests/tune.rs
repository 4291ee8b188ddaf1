//! `tune` from outside: the same bytes, files, what is refused, Ctrl-C. Each run is cut short: what is
//! asked here happens within two simulated minutes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

pub const SHORT: &[&str] =
    &["tune", "worker-kubelet-stopped", "--until", "2m", "--of", "nodeUnknown"];
pub const VARY: &[&str] =
    &["--vary", "kubernetes.nodeMonitorGracePeriod=20s..40s/20s", "--outages", "kubelet=0"];
pub const FEW: &[&str] = &["--outages", "workers=0", "--outages", "api=0"];

fn healsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healsim")).args(args).output().expect("the binary runs")
}

fn short(args: &[&[&str]]) -> Output {
    healsim(&[SHORT, &args.concat()].concat())
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn a_sweep_is_the_same_at_any_number_of_threads_and_its_files_are_whole() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tune-files");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder is writable");
    let files = ["svg", "csv"].map(|kind| format!("{kind}={}", folder.join(kind).display()));
    let network = ["--outages", "network=1/year,30s..31s", "--runs", "2"];
    let one = short(&[VARY, FEW, &network, &["--jobs", "1", "-o", "json"]]);
    assert_eq!(one.status.code(), Some(0), "{}", err(&one));
    let read: serde_json::Value = serde_json::from_slice(&one.stdout).expect("a document");
    let points = read["points"].as_array().expect("points");
    assert_eq!((points.len(), &read["runs"]), (2, &2.into()));
    assert_eq!((&points[0]["asItIs"], &points[1]["asItIs"]), (&false.into(), &true.into()));
    assert!(points[0]["p50"]["value"].as_f64() < points[1]["p50"]["value"].as_f64());
    let more = ["--jobs", "3", "-o", "json", "--out", &files[0], "--out", &files[1]];
    let three = short(&[VARY, FEW, &network, &more]);
    assert_eq!(out(&three), out(&one));
    assert!(err(&three).is_empty(), "no progress into a pipe: {}", err(&three));
    assert!(fs::read_to_string(folder.join("svg")).expect("written").ends_with("</svg>\n"));
    assert_eq!(fs::read_to_string(folder.join("csv")).expect("written").lines().count(), 3);
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 2, "nothing is left over");
}

#[test]
fn the_settings_that_decide_when_a_node_is_unknown_are_named() {
    let output = short(&[&["--runs", "1", "-o", "table"]]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let table = out(&output);
    assert!(table.contains("kubernetes.nodeMonitorGracePeriod = 40s"), "{table}");
    assert!(table.contains("settings move nothing"), "{table}");
    assert!(table.contains("too few runs") && table.contains("p50 needs 6 runs, p95"), "{table}");
    assert!(!table.contains("machineHealthCheck.unknownTimeout ="), "{table}");
    for not_the_users in ["infra.boot", "clusterApi.healthCheckGap"] {
        assert!(!table.contains(not_the_users), "{table}");
    }
}

#[test]
fn what_cannot_be_varied_is_refused_with_what_would_be_right() {
    for (range, code, words) in [
        ("machineHealthCheck.unknownTimeOut=1m..2m/1m", 3, "did you mean"),
        ("kubernetes.unhealthyZoneThresholdPercent=50..150/50", 3, "`150` is not"),
        ("machineHealthCheck.unknownTimeout=2m..1m/1m", 2, "reversed"),
        ("kubernetes.nodeMonitorPeriod=0s..10s/5s", 3, "write at least"),
    ] {
        let output = short(&[&["--runs", "1", "--vary", range]]);
        assert_eq!(output.status.code(), Some(code), "{range}: {}", err(&output));
        assert!(err(&output).contains(words), "{range}: {}", err(&output));
        assert!(out(&output).is_empty(), "{range}");
    }
}

#[test]
fn what_nobody_reads_is_not_varied_in_silence() {
    let output = short(&[&["--vary", "kubernetes.forcedDetach=1m..3m/1m"], FEW, &["--runs", "1"]]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = "kubernetes.forcedDetach changes nothing here: nobody reads it";
    assert_eq!(err(&output).matches(said).count(), 1, "{}", err(&output));
}
