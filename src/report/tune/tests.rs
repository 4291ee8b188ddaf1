//! Tests of the tables and pictures: small results in, text out.

use super::*;
use crate::analysis::tune::{
    Bar, OfMilestone, Point, Price, Sensitivity, Side, Struck, Sweep, Untried,
};
use crate::engine::Text;
use crate::scenario::{Form, KnownSetting, OutageKind, OutageRate};

fn played(wanted: u64, runs: u64) -> Played {
    Played {
        scenario: Text::word("mine"),
        platform: Text::word("here"),
        of: OfMilestone::default(),
        first_seed: 1,
        wanted,
        runs,
    }
}

fn at(seconds: u64) -> Quantile {
    let time = |seconds| Some(Duration::from_secs(seconds));
    Quantile { value: time(seconds), interval: Some([time(seconds - 1), time(seconds + 2)]) }
}

fn by(seconds: i64) -> Moved {
    let by = |seconds: i64| Move::By(seconds * 1_000_000);
    Moved { by: by(seconds), interval: Some([by(seconds - 1), by(seconds + 1)]) }
}

fn sensitivity() -> Sensitivity {
    let setting = |key: &str, value: &str| KnownSetting {
        key: key.to_owned(),
        value: value.to_owned(),
        flag: format!("--{key}; a note"),
        form: Form::Duration,
    };
    let side = |value: &str, came, p50, p95| Side { value: value.to_owned(), came, p50, p95 };
    let fails = Moved { by: Move::Fails, interval: Some([Move::By(5), Move::Fails]) };
    Sensitivity {
        played: played(100, 100),
        came: 100,
        p50: at(805),
        p95: at(850),
        bars: vec![
            Bar {
                setting: setting("check.timeout", "5m"),
                sides: vec![
                    side("2m30s", 100, by(-150), by(-149)),
                    side("10m0s", 100, by(300), by(301)),
                ],
            },
            Bar {
                setting: setting("check.limit", "100%"),
                sides: vec![side("50%", 2, fails, fails)],
            },
        ],
        idle: vec!["a.b".to_owned(), "c.d".to_owned()],
        untried: vec![Untried { key: "e.f".to_owned(), value: "word".to_owned() }],
    }
}

fn sweep() -> Sweep {
    let point = |value: &str, p95, machines, is_own, is_on_front| Point {
        values: vec![value.to_owned()],
        is_own,
        came: 10,
        p50: at(500),
        p95,
        struck: vec![Struck {
            kind: OutageKind::Network,
            outages: 10,
            costly: machines,
            machines,
            most: 1,
        }],
        price: Price {
            per_node_year: machines * 100_000,
            interval: [machines * 50_000, machines * 100_000 + 300_000],
            per_thousand: machines * 100_000_000,
        },
        is_on_front,
    };
    let rate = |text: &str| text.parse::<OutageRate>().expect(text);
    Sweep {
        played: played(20, 10),
        keys: vec!["check.timeout".to_owned()],
        points: vec![
            point("1m0s", at(600), 7, false, true),
            point("5m", at(840), 2, true, true),
            point("8m0s", at(1020), 2, false, false),
            point("1h0m0s", Quantile { value: None, interval: None }, 0, false, false),
        ],
        outages: vec![OutageRate {
            basis: "assumed; no source".to_owned(),
            ..rate("network=1/year,10s..15m")
        }],
        nodes: 6,
    }
}

fn text(write: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("memory takes it");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_tornado_reads_on_a_terminal() {
    let table = text(|to| write_sensitivity(&sensitivity(), Style::Plain, to));
    insta::assert_snapshot!(table);
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

/// Five runs of each have an interval of nothing, 20 one of p50.
#[test]
fn what_too_few_runs_say_is_marked_and_not_certain() {
    let few = |percentiles: &[u64]| {
        let mut found = sensitivity();
        for percent in percentiles {
            let base = if *percent == 50 { &mut found.p50 } else { &mut found.p95 };
            base.interval = None;
            for side in found.bars.iter_mut().flat_map(|bar| &mut bar.sides) {
                let moved = if *percent == 50 { &mut side.p50 } else { &mut side.p95 };
                moved.interval = None;
            }
        }
        found
    };
    for (found, row, title) in [
        (few(&[50, 95]), "  -2m30s? too few runs             -2m29s?\n", "for an interval<"),
        (few(&[95]), "  -2m30s  -2m31s..-2m29s           -2m29s?\n", "for an interval of p95<"),
    ] {
        let table = text(|to| write_sensitivity(&found, Style::Plain, to));
        assert!(table.contains(row), "{table}");
        let note = table.split_whitespace().collect::<Vec<_>>().join(" ");
        let words =
            "`?`: too few runs for an interval, so it may be luck; p50 needs 6 runs, p95 72.";
        assert!(note.ends_with(words), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
        let svg = sensitivity_svg(&found);
        assert!(svg.contains(title) && svg.contains(">2m30s?<"), "{svg}");
        let read = serde_json::from_str::<serde_json::Value>(&sensitivity_json(&found));
        let side = read.expect("JSON")["settings"][0]["tried"][0].clone();
        assert_eq!(
            (&side["p95"]["interval"], &side["p95"]["certain"]),
            (&().into(), &false.into())
        );
        assert_eq!(side["p50"]["certain"], side["p50"]["interval"].is_array());
    }
}

#[test]
fn a_sweep_reads_on_a_terminal() {
    insta::assert_snapshot!(text(|to| write_sweep(&sweep(), Style::Plain, to)));
}

#[test]
fn where_nothing_was_played_no_result_is_stated() {
    let none = Quantile { value: None, interval: None };
    let (bars, idle) = (Vec::new(), Vec::new());
    let found =
        Sensitivity { played: played(500, 0), p50: none, p95: none, bars, idle, ..sensitivity() };
    let table = text(|to| write_sensitivity(&found, Style::Plain, to));
    insta::assert_snapshot!(table, @r"
    mine on here: what moves recovered   healsim 0.1.0
    0 runs of each with the same random numbers, no seed; times after the first fault
    partial: interrupted after 0 of 500 runs of each
    nothing was played
    ");
    assert!(sensitivity_svg(&found).contains(">nothing was played, partial<"));
    let swept = Sweep { played: played(500, 0), points: Vec::new(), ..sweep() };
    let table = text(|to| write_sweep(&swept, Style::Plain, to));
    assert!(table.ends_with("varied: check.timeout\nnothing was played\n"), "{table}");
}

#[test]
fn documents_can_be_read_and_say_the_same() {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let found = read(&sensitivity_json(&sensitivity()));
    assert_eq!(found["settings"][0]["tried"][0]["p50"]["by"], -150.0);
    assert_eq!(found["settings"][1]["tried"][0]["p95"]["by"], "fails");
    assert_eq!(found["moveNothing"][1], "c.d");
    let found = read(&sweep_json(&sweep()));
    assert_eq!((&found["partial"], &found["wanted"]), (&true.into(), &20.into()));
    assert_eq!(found["points"][1]["perNodeYear"], 0.2);
    assert_eq!(found["points"][3]["p95"]["value"], serde_json::Value::Null);
    let lines = text(|to| sensitivity_csv(&sensitivity(), to));
    let line = "mine,here,recovered,100,check.limit,--check.limit; a note,100%,50%,2,fails,0.000005,fails,";
    assert!(lines.contains(line), "{lines}");
    let lines = text(|to| sweep_csv(&sweep(), to));
    let line = "mine,here,recovered,10,5m,true,10,500.0,499.0,502.0,840.0,839.0,842.0,0.200000,";
    assert!(lines.contains(line), "{lines}");
}

#[test]
fn pictures_name_their_axes_and_all_that_is_in_them() {
    let tornado = sensitivity_svg(&sensitivity());
    for words in ["sooner (−) or later (+)", "timeout = 5m", "2m30s", "50% fails", "−2:00", "+4:00"]
    {
        assert!(tornado.contains(words), "{words}\n{tornado}");
    }
    let front = sweep_svg(&sweep());
    for words in [
        "Machines replaced needlessly per Node and year",
        "p95 of recovered after the first fault (min:s)",
        "5m (as it is)",
        "never comes: 1h",
        "partial",
    ] {
        assert!(front.contains(words), "{words}\n{front}");
    }
    assert_eq!(front.matches("class=\"on\"").count(), 2);
    assert_eq!(front.matches("class=\"off\"").count(), 1);
    assert_eq!(front.matches("class=\"own\"").count(), 1);
    let empty = Sweep { points: Vec::new(), outages: Vec::new(), ..sweep() };
    assert!(sweep_svg(&empty).ends_with("</svg>\n"));
    let none = Sensitivity { bars: Vec::new(), ..sensitivity() };
    assert!(sensitivity_svg(&none).ends_with("</svg>\n"));
}

#[test]
fn a_picture_has_a_bar_for_each_word_that_was_tried() {
    let mut found = sensitivity();
    let Bar { setting, sides } = &mut found.bars[1];
    let words = ["never", "always", "sometimes", "rarely"].map(str::to_owned);
    setting.form = Form::Choice(words.to_vec());
    let side = |word: &String| Side { value: word.clone(), ..sides[0].clone() };
    *sides = words[1..].iter().map(side).collect();
    let svg = sensitivity_svg(&found);
    for word in &words[1..] {
        assert!(svg.contains(&format!(">{word} fails<")), "{word}\n{svg}");
    }
    let bars = |class: &str| svg.matches(&format!("<rect class=\"{class}\"")).count();
    assert_eq!((bars("low"), bars("high")), (4, 1), "no word is larger than another");
    let top = |word: &str| {
        let end = svg.find(&format!(">{word} fails<")).expect("it is named");
        let from = svg[..end].rfind("y=\"").expect("it has a place") + 3;
        svg[from..end].split('"').next().and_then(|y| y.parse::<u64>().ok()).expect("pixels")
    };
    assert!(top("always") < top("sometimes") && top("sometimes") < top("rarely"));
    assert!(top("rarely") < 76 + 2 * 42 + 16, "within the plot");
}

#[test]
fn no_interval_is_told_narrower_than_it_is() {
    let [low, high] = [-1_950_001, 1_950_001].map(Move::By);
    let told = interval(&Moved { by: Move::By(0), interval: Some([low, high]) });
    assert_eq!(told, "-2s..+2s");
    let comes = Moved { by: Move::Comes, interval: Some([Move::Comes, low]) };
    assert_eq!(interval(&comes), "comes..-1.9s");
    assert_eq!(price_interval([1_400, 2_000]), "0.001..0.002");
    assert_eq!(price_interval([999, 2_001]), "0.000..0.003");
}

#[test]
fn small_numbers_are_not_told_as_none() {
    assert_eq!(
        [0, 1, 499, 500, 1_234_567].map(millionths),
        ["0.000", "<0.001", "<0.001", "0.001", "1.235"]
    );
    assert_eq!([0, 200, 1000, 12_500].map(decimal), ["0", "0.2", "1", "12.5"]);
    assert_eq!(
        ["5m", "5m0s", "1h0m0s", "1h0m5s", "90s", "100%"].map(short),
        ["5m", "5m", "1h", "1h0m5s", "1m30s", "100%"]
    );
}
