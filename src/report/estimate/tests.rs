//! A small hand-made estimate in all formats.

use super::*;
use crate::analysis::estimate::{
    Asked, Ending, Kind, Name, Outcome, Part, Sample, Shard, Sums, Tally,
};
use crate::engine::{Duration, Text};
use insta::assert_snapshot;
use std::collections::{BTreeMap, BTreeSet};

fn name(kind: Kind, figure: &'static str, object: &'static str) -> Name {
    Name { kind, figure: Text::word(figure), object: Text::word(object) }
}

/// A run in which everything takes `seconds`, and one of ten does not recover.
fn sample(seed: u64, seconds: u64) -> Sample {
    let length = Duration::from_millis(seconds * 1000 + seed * 100);
    let stuck = seed.is_multiple_of(10);
    let missing = Text::word(if stuck { "a VM is off" } else { "" });
    let outcome = if stuck { Outcome::Stuck } else { Outcome::Replaced };
    let mut figures = BTreeMap::from([
        (name(Kind::Milestone, "nodeUnknown", "Node/worker-0"), length),
        (name(Kind::Availability, "unavailable", "app/web"), Duration::from_secs(seed % 2)),
    ]);
    if !stuck {
        figures.insert(Name::recovered(), Duration::from_secs(3000) + length);
    }
    Sample {
        seed,
        ending: Ending { outcome, missing },
        figures,
        open: BTreeSet::new(),
        unstruck: false,
    }
}

fn sums(runs: u64, seconds: u64) -> Sums {
    let mut tally = Tally::default();
    (1..=runs).for_each(|seed| tally.add(sample(seed, seconds)));
    tally.sums()
}

fn estimate(runs: u64, assumed_runs: u64) -> Estimate {
    let asked = Asked {
        scenario: Text::word("worker-power-off"),
        platform: Text::word("tkgs-2024"),
        fingerprint: Text::EMPTY,
        words: ["./my worker.yaml", "--free"].map(Text::from).to_vec(),
        first_seed: 1,
        runs,
        assumed_runs,
        until_recovered: false,
        reach: None,
        users: BTreeSet::new(),
    };
    let all = [sums(runs, 40), sums(assumed_runs, 30), sums(assumed_runs, 60)];
    Estimate::of(Part::new(asked, Shard::WHOLE, all))
}

fn printed(format: EstimateFormat, estimate: &Estimate) -> String {
    let mut bytes = Vec::new();
    write_estimate(format, estimate, &[], Style::Plain, &mut bytes)
        .expect("memory takes everything");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_table_reads_at_a_glance_and_fits_the_page() {
    let text = printed(EstimateFormat::Table, &estimate(100, 20));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_snapshot!(text, @r"
    worker-power-off on tkgs-2024, 100 runs, seeds 1..100   healsim 0.1.0

    Outcomes                                                   runs    share   95 % interval
        recovered by replacement                                 90   90.0 %   82.5 to 94.5 %
        stuck: a VM is off                                       10   10.0 %   5.5 to 17.5 %
        recovered with all assumed numbers low 90.0 %, high 90.0 %, in 20 runs each

    Milestones  after first fault     runs      min      p50      p90      p95      p99      max assumed
      nodeUnknown                      100  00:40.1  00:45.1  00:49.1  00:49.6  00:50.0  00:50.0    61 %
        Node/worker-0                               -1.2+1.1 -0.8+0.6 -0.7+0.4        -
      recovered                         90  50:40.1  50:45.0  50:49.0  50:49.6  50:49.9  50:49.9     1 %
        Cluster/workload                            -1.2+1.2 -0.9+0.8 -0.8+0.3        -

    Down  after first fault           runs      min      p50      p90      p95      p99      max assumed
      app/web unavailable               50  00:00.0  00:00.0  00:01.0  00:01.0  00:01.0  00:01.0     0 %
                                                    -0.0+1.0 -0.1+0.0 -0.1+0.0        -

    Below each number: how far its 95 % confidence interval reaches, in seconds unless `m` or `h`
    follows. `-`: too few runs for one; so many are needed at least: p99 368. assumed: what moves
    between all assumed numbers at the low and at the high ends of their ranges, in percent of p95.

    Worst runs
        healsim run './my worker.yaml' --free --seed 10   # stuck: a VM is off
        healsim run './my worker.yaml' --free --seed 99   # recovered after 50:49.9
        healsim run './my worker.yaml' --free --seed 98   # recovered after 50:49.8
        healsim run './my worker.yaml' --free --seed 97   # recovered after 50:49.7
        healsim run './my worker.yaml' --free --seed 96   # recovered after 50:49.6
        healsim run './my worker.yaml' --free --seed 95   # recovered after 50:49.5
    ");
}

#[test]
fn a_document_has_seconds_shares_intervals_and_commands() {
    let text = printed(EstimateFormat::Json, &estimate(100, 20));
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["outcomes"][0]["share"], 0.9);
    assert_eq!(read["outcomes"][1]["missing"], "a VM is off");
    // Rounded up to four digits, as everything that is counted, and the lower end of an interval down.
    assert_eq!(read["milestones"][0]["p50"], 45.001);
    assert_eq!(read["milestones"][0]["max"], 50.0);
    assert_eq!(read["milestones"][0]["intervals"]["p50"], serde_json::json!([43.999, 46.101]));
    assert_eq!(read["milestones"][0]["intervals"]["p99"][1], serde_json::Value::Null);
    assert_eq!(read["milestones"][0]["assumed"]["lowP95"], 31.9);
    assert_eq!(read["milestones"][0]["worst"][0]["seed"], 100);
    let command = "healsim run './my worker.yaml' --free --seed 100";
    assert_eq!(read["milestones"][0]["worst"][0]["command"], command);
    assert_eq!(read["availability"][0]["runs"], 50);
}

#[test]
fn csv_has_a_line_for_each_figure_and_as_many_cells_in_each() {
    let text = printed(EstimateFormat::Csv, &estimate(100, 0));
    assert!(text.starts_with("scenario,platform,kind,name,object,runs,min,p50,p50_from,p50_to,"));
    assert_eq!(text.lines().count(), 4);
    let cells: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
    assert!(cells.iter().all(|count| *count == cells[0]), "{text}");
    assert!(
        text.contains(",milestone,nodeUnknown,Node/worker-0,100,40.1,45.001,43.999,46.101,"),
        "{text}"
    );
}

/// Of 100 runs the ten that do not recover end with the app down, after 1 to 10 minutes.
fn still_down() -> Estimate {
    let one = |seed: u64| {
        let mut sample = sample(seed, 40);
        let down = name(Kind::Availability, "unavailable", "app/web");
        if seed.is_multiple_of(10) {
            sample.figures.insert(down.clone(), Duration::from_secs(6 * seed));
            sample.open.insert(down);
        }
        sample
    };
    let asked = Asked { assumed_runs: 0, ..estimate(100, 0).asked };
    Estimate::of_samples(asked, (1..=100).map(one))
}

#[test]
fn a_service_that_is_still_down_at_the_end_is_told_as_at_least_so_long() {
    let text = printed(EstimateFormat::Table, &still_down());
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Down")).collect();
    assert_snapshot!(lines[..7].join("\n"), @r"
    Down  after first fault           runs      min      p50      p90      p95      p99      max
      app/web unavailable               60  00:00.0  00:01.0  00:01.0 ≥05:00.0 ≥09:00.0 ≥10:00.0
        still down at the end of 10 runs            -1.0+0.0   -0.1+∞    -5m+∞        -

    Below each number: how far its 95 % confidence interval reaches, in seconds unless `m` or `h`
    follows. `-`: too few runs for one; so many are needed at least: p99 368. ≥, ∞: the service was
    still down, or not whole, at the end of so many runs, and nobody knows for how much longer.
    ");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let read: serde_json::Value =
        serde_json::from_str(&printed(EstimateFormat::Json, &still_down())).expect("JSON");
    let app = &read["availability"][0];
    assert_eq!(app["stillAtEnd"], 10);
    assert_eq!(app["atLeast"], serde_json::json!(["p95", "p99", "max"]));
    assert_eq!(
        (&app["p95"], &app["intervals"]["p95"][1]),
        (&300.015.into(), &serde_json::Value::Null)
    );
    assert_eq!(read["milestones"][0]["stillAtEnd"], serde_json::Value::Null);
    let text = printed(EstimateFormat::Csv, &still_down());
    assert!(
        text.lines()
            .next()
            .is_some_and(|line| line.ends_with(",still_at_end,at_least,partial,played"))
    );
    assert!(text.lines().any(|line| line.contains(",10,p95 p99 max,false,")), "{text}");
    for format in [EstimateFormat::Plot, EstimateFormat::Svg] {
        let text = printed(format, &still_down());
        assert!(text.contains("still down at the end of 10 runs"), "{text}");
    }
}

/// Without the ends of lines.
fn unbroken(text: &str) -> String {
    text.replace('\n', " ")
}

/// Down when each of them ends, the app has not been degraded yet.
#[test]
fn what_a_service_that_is_down_has_not_been_yet_is_told_as_at_least_nothing() {
    let degraded = || name(Kind::Availability, "degraded", "app/web");
    let one = |seed| {
        let mut sample = sample(seed, 40);
        sample.figures.insert(degraded(), Duration::ZERO);
        sample.open.insert(degraded());
        sample
    };
    let asked = Asked { assumed_runs: 0, ..estimate(10, 0).asked };
    let estimate = Estimate::of_samples(asked, (1..=10).map(one));
    let text = printed(EstimateFormat::Table, &estimate);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Down")).collect();
    assert_snapshot!(lines[1..3].join("\n"), @r"
    app/web degraded                   0 ≥00:00.0 ≥00:00.0 ≥00:00.0 ≥00:00.0 ≥00:00.0 ≥00:00.0
      still not whole at the end of 10 runs         -0.0+∞        -        -        -
    ");
    let told = " degraded means of app/web that some of the wanted Pods do not run.";
    assert!(unbroken(&text).contains(told), "{text}");
    let asked = Asked { users: BTreeSet::from([Text::word("app/web")]), ..estimate.asked.clone() };
    let text = printed(EstimateFormat::Table, &Estimate { asked, ..estimate.clone() });
    let told = " degraded means of app/web that some requests of a user in `probes` fail.";
    assert!(unbroken(&text).contains(told), "{text}");
    for format in [EstimateFormat::Plot, EstimateFormat::Svg] {
        let text = printed(format, &estimate);
        assert!(text.contains("still not whole at the end of 10 runs"), "{text}");
        assert!(!text.contains("in 0 runs"), "{text}");
    }
}

/// The seeds of both ends have to be the same: of those of the high end 24 were played.
#[test]
fn an_interruption_is_told_with_the_pass_that_it_cut() {
    let asked = Asked { assumed_runs: 100, ..estimate(100, 0).asked };
    let cut = |low: u64, high: u64| {
        let all = [sums(100, 40), sums(low, 30), sums(high, 60)];
        Estimate::of(Part::new(asked.clone(), Shard::WHOLE, all))
    };
    for (cut, end) in [(cut(100, 24), "high"), (cut(24, 0), "low")] {
        let words = format!(
            "partial: interrupted after 24 of 100 runs with all assumed numbers {end}; assumed is left out\n"
        );
        for format in [EstimateFormat::Table, EstimateFormat::Plot] {
            let text = printed(format, &cut);
            assert!(text.contains(&words) && !text.contains("in 100 runs each"), "{text}");
        }
        let read: serde_json::Value =
            serde_json::from_str(&printed(EstimateFormat::Json, &cut)).expect("JSON");
        assert_eq!((&read["partial"], &read["assumed"]), (&true.into(), &().into()));
        assert_eq!(read["milestones"][0]["assumed"], serde_json::Value::Null);
        let csv = printed(EstimateFormat::Csv, &cut);
        assert!(csv.lines().skip(1).all(|line| line.contains(",true,")), "{csv}");
    }
    let text = printed(EstimateFormat::Table, &cut(100, 100));
    assert!(text.contains("in 100 runs each") && !text.contains("partial"), "{text}");
    let none = Part::new(asked.clone(), Shard::WHOLE, [sums(0, 40), sums(0, 30), sums(0, 60)]);
    let text = printed(EstimateFormat::Table, &Estimate::of(none));
    assert!(text.contains(" 0 runs, no seed ") && text.contains("after 0 of 100 runs\n"), "{text}");
}

#[test]
fn no_run_at_all_is_still_printed() {
    for (_, format) in EstimateFormat::ALL {
        assert!(
            printed(format, &estimate(0, 0)).contains("worker-power-off")
                || format == EstimateFormat::Csv
        );
    }
}

#[test]
fn a_run_is_too_few_for_any_interval() {
    let text = printed(EstimateFormat::Table, &estimate(1, 0));
    assert!(text.contains("so many are needed at least: p50 6, p90 36, p95 72, p99 368"), "{text}");
}

#[test]
fn a_plot_shows_every_figure_with_all_its_runs() {
    let text = printed(EstimateFormat::Plot, &estimate(100, 0));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.starts_with("nodeUnknown Node/worker-0  in 100 of 100 runs"), "{text}");
    let last: Vec<&str> = text.lines().filter(|line| line.ends_with("100.0 %")).collect();
    assert!(last.len() >= 3, "each ends with everything: {text}");
    // The rows are even: a bar of nearly the whole width each.
    assert!(text.lines().nth(3).is_some_and(|line| line.contains(&"█".repeat(50))), "{text}");
}

#[test]
fn a_picture_has_a_panel_for_each_figure_with_axes_and_units() {
    let text = printed(EstimateFormat::Svg, &estimate(100, 0));
    assert_eq!(text.matches("class=\"curve\"").count(), 3);
    assert_eq!(text.matches("time after the first fault (min:s)").count(), 2);
    assert!(text.contains(">50:42<") && text.contains(">100 %<"), "{text}");
    assert!(text.ends_with("</svg>\n") && !text.contains("NaN"));
    let open = text.matches("<g ").count();
    assert_eq!((open, text.matches("</g>").count()), (3, 3));
    let empty = printed(EstimateFormat::Svg, &estimate(0, 0));
    assert!(empty.contains("0 runs") && !empty.contains("curve\" d"));
}

/// Ten VMs go, the first after 1 s and each further one a second later, and a Node does.
fn ten_vms() -> Estimate {
    let one = |seed: u64| {
        let mut sample = sample(seed, 40);
        let vm = |number: u64| Name {
            object: Text::from(format!("VM/worker-{number}")),
            ..name(Kind::Milestone, "vmPoweredOff", "")
        };
        sample.figures.extend((0..10).map(|n| (vm(n), Duration::from_secs(1 + n))));
        sample
    };
    let asked = Asked { assumed_runs: 0, ..estimate(10, 0).asked };
    Estimate::of_samples(asked, (1..=10).map(one))
}

#[test]
fn of_many_objects_alike_the_first_and_the_last_are_told_and_all_to_programs() {
    let text = printed(EstimateFormat::Table, &ten_vms());
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Mile")).collect();
    assert_snapshot!(lines[..9].join("\n"), @r"
    Milestones  after first fault     runs      min      p50      p90      p95      p99      max
      vmPoweredOff                      10  00:01.0  00:01.0  00:01.0  00:01.0  00:01.0  00:01.0
        VM/worker-0, first of 10                    -0.0+0.0        -        -        -
      vmPoweredOff                      10  00:10.0  00:10.0  00:10.0  00:10.0  00:10.0  00:10.0
        VM/worker-9, last of 10                     -0.0+0.0        -        -        -
      nodeUnknown                       10  00:40.1  00:40.6  00:41.0  00:41.0  00:41.0  00:41.0
        Node/worker-0                               -0.5+0.4        -        -        -
      recovered                          9  50:40.1  50:40.6  50:40.9  50:40.9  50:40.9  50:40.9
        Cluster/workload                            -0.5+0.3        -        -        -
    ");
    assert!(unbroken(&text).contains("first, last of N: "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(printed(EstimateFormat::Csv, &ten_vms()).matches("VM/worker-").count(), 10);
    assert!(!printed(EstimateFormat::Table, &estimate(10, 0)).contains("of N"));
}

#[test]
fn the_milestones_that_are_asked_for_are_told_alone_and_whole() {
    let told = |format, wanted: &str, estimate: &Estimate| {
        let wanted: Vec<Wanted> =
            wanted.split(' ').map(|it| it.parse().expect("milestones")).collect();
        let mut bytes = Vec::new();
        write_estimate(format, estimate, &wanted, Style::Plain, &mut bytes).expect("memory");
        String::from_utf8(bytes).expect("text")
    };
    let table = |wanted: &str| told(EstimateFormat::Table, wanted, &ten_vms());
    assert_eq!(table("vm").matches("VM/worker-").count(), 10);
    assert_eq!(table("vmPoweredOff:VM/worker-7 recovered").matches("  10  ").count(), 1);
    assert!(table("*Unknown:Node/*").contains("Node/worker-0"));
    assert!(!table("recovered").contains("VM/worker") && !table("recovered").contains("Outcomes"));
    assert!(
        table("nodeReady nodeUnknown:Node/x").ends_with("\nnever: nodeReady, nodeUnknown:Node/x\n")
    );
    let plot = told(EstimateFormat::Plot, "recovered", &ten_vms());
    assert!(plot.starts_with("recovered ") && !plot.contains("VM/"), "{plot}");
    for format in [EstimateFormat::Json, EstimateFormat::Csv] {
        assert_eq!(told(format, "recovered", &ten_vms()), printed(format, &ten_vms()));
    }
    for (wrong, hint) in [
        ("nodeUnknwon", "did you mean `nodeUnknown`?"),
        ("*x", "known: nodeUnknown, "),
        ("", "known: nodeUnknown, "),
        ("nodeReady:worker-0", "KIND/NAME"),
    ] {
        let told = wrong.parse::<Wanted>().expect_err(wrong).to_string();
        assert!(told.contains(hint), "{told}");
    }
}
