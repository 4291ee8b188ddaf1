//! Made-up samples: what is added up, told, joined and judged. Also how often an interval holds the
//! true value.

use super::*;
use crate::engine::Text;
use std::collections::BTreeSet;

fn name(figure: &'static str) -> Name {
    let object = Text::word("Node/worker-0");
    Name { kind: Kind::Milestone, figure: Text::word(figure), object }
}

/// Of four runs one does not recover.
fn sample(seed: u64) -> Sample {
    let micros = 1_000_000 * seed + 17;
    let is_stuck = seed.is_multiple_of(4);
    let (outcome, missing) = match is_stuck {
        true => (Outcome::Stuck, Text::word("a VM is off")),
        false => (Outcome::Replaced, Text::EMPTY),
    };
    let mut figures = std::collections::BTreeMap::new();
    figures.insert(name("nodeUnknown"), Duration::from_micros(micros));
    let kind = Kind::Availability;
    let down = Name { kind, figure: Text::word("unavailable"), object: Text::word("api") };
    figures.insert(down, Duration::from_secs(if is_stuck { 5 } else { 0 }));
    if !is_stuck {
        figures.insert(Name::recovered(), Duration::from_micros(10 * micros));
    }
    Sample {
        seed,
        ending: Ending { outcome, missing },
        figures,
        open: BTreeSet::new(),
        unstruck: false,
    }
}

fn asked(runs: u64) -> Asked {
    Asked {
        scenario: Text::word("made-up"),
        platform: Text::word("nowhere"),
        fingerprint: Text::word("00ff"),
        words: vec![Text::word("made-up")],
        first_seed: 1,
        runs,
        assumed_runs: runs / 3,
        until_recovered: false,
        reach: None,
        users: Default::default(),
    }
}

fn sums(seeds: Range<u64>) -> Sums {
    let mut tally = Tally::default();
    seeds.for_each(|seed| tally.add(sample(seed)));
    tally.sums()
}

fn part(runs: u64, shard: Shard) -> Part {
    let asked = asked(runs);
    let ends = || sums(shard.seeds(1, asked.assumed_runs));
    let all = [sums(shard.seeds(1, runs)), ends(), ends()];
    Part::new(asked, shard, all)
}

fn named(file: &str, part: Part) -> Named {
    Named { file: file.to_owned(), found: Ok(part) }
}

/// Uniform lengths between 0 and 10 s from a generator of the test's own.
fn uniform(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % 10_000_000
}

/// The interval promises at least 95 %, and with ranks that are whole numbers it is a little more.
/// The second distribution is skewed: nothing may depend on the shape.
#[test]
fn of_1000_estimates_the_interval_of_p90_holds_the_true_value_in_93_to_97_percent() {
    type Shape = fn(u64) -> u64;
    let even: (Shape, u64) = (|micros| micros, 9_000_000);
    let skewed: (Shape, u64) = (|micros| micros * micros / 10_000_000, 8_100_000);
    for (shape, truth) in [even, skewed] {
        let mut state = 7;
        let holds = (0..1000).filter(|_| {
            let lengths = (0..400).map(|_| shape(uniform(&mut state)));
            let mut counter = spread::Counter::default();
            lengths.for_each(|micros| counter.add(Duration::from_micros(micros)));
            let (low, high) = counter.spread().interval(90);
            let truth = Duration::from_micros(truth);
            low.is_some_and(|low| low <= truth) && high.is_some_and(|high| truth <= high)
        });
        let holds = holds.count();
        assert!((930..=970).contains(&holds), "{holds}");
    }
}

#[test]
fn an_estimate_tells_who_when_how_often_and_with_which_seed() {
    let told = Estimate::of(part(40, Shard::WHOLE));
    assert_eq!((told.runs, told.cut), (40, None));
    let words: Vec<(String, u64, u64)> = told
        .outcomes
        .iter()
        .map(|(ending, count)| (ending.words(), count.runs, count.seed))
        .collect();
    assert_eq!(words[0], ("recovered by replacement".to_owned(), 30, 1));
    assert_eq!(words[1], ("stuck: a VM is off".to_owned(), 10, 4));
    let recovered = told.figure(&Name::recovered()).expect("most do");
    assert_eq!((recovered.happened, recovered.worst[0].seed), (30, 39));
    assert_eq!(recovered.spread.max().as_micros(), 390_000_170);
    let down = told.figures.last().expect("availability comes last");
    assert_eq!((down.happened, down.spread.runs()), (10, 40));
    let words = told.replay(39).join(" ");
    assert_eq!(words, "run made-up --seed 39");
}

#[test]
fn what_moves_with_the_assumed_numbers_is_a_share_of_p95() {
    let asked = Asked { assumed_runs: 2, ..asked(2) };
    let one = |seconds: u64| {
        let mut tally = Tally::default();
        for seed in [1, 2] {
            let mut sample = sample(seed);
            sample.figures.insert(name("nodeUnknown"), Duration::from_secs(seconds));
            tally.add(sample);
        }
        tally.sums()
    };
    let part = Part::new(asked, Shard::WHOLE, [one(100), one(80), one(130)]);
    let told = Estimate::of(part);
    let assumed = told.figure(&name("nodeUnknown")).unwrap().assumed.unwrap();
    let seconds = Duration::from_secs;
    let expected = Assumed { low: Some(seconds(80)), high: Some(seconds(130)), share: Some(500) };
    assert_eq!(assumed, expected);
    assert_eq!(told.ends, Some([Recovered { runs: 2, recovered: 2 }; 2]));
}

#[test]
fn any_split_into_shards_in_any_order_gives_the_same_document() {
    let whole = part(41, Shard::WHOLE);
    for of in [1, 2, 3, 20] {
        let mut files: Vec<Named> = (1..=of)
            .map(|number| part(41, Shard { number, of }))
            .map(|part| Part::from_json(&part.to_json()).expect("what was written can be read"))
            .map(|part| named("f", part))
            .collect();
        files.reverse();
        files.rotate_left(of as usize / 3);
        let merged = merge(files);
        assert_eq!(merged.whole.expect("nothing is missing").to_json(), whole.to_json(), "{of}");
    }
}

#[test]
fn shards_share_the_seeds_without_gap_or_overlap() {
    for (runs, of) in [(10, 3), (7, 7), (10_000_000, 1024), (5, 2)] {
        let mut next = 5;
        for number in 1..=of {
            let seeds = Shard { number, of }.seeds(5, runs);
            assert_eq!(seeds.start, next);
            next = seeds.end;
        }
        assert_eq!(next, 5 + runs);
    }
}

#[test]
fn what_does_not_belong_together_is_refused_by_name() {
    let shard = |number, of| part(30, Shard { number, of });
    let mistake = |other: Part| {
        let merged = merge(vec![named("a.json", shard(1, 3)), named("b.json", other)]);
        assert!(merged.whole.is_none());
        merged.mistakes.first().cloned().unwrap_or_default()
    };
    assert_eq!(
        mistake(shard(1, 3)),
        "b.json: shard 1/3, which a.json holds too; leave one of them out"
    );
    let merged = merge(vec![named("a.json", shard(1, 3)), named("a.json", shard(1, 3))]);
    assert_eq!(merged.mistakes, ["a.json: named twice, with shard 1/3; name each file once"]);
    assert_eq!(mistake(shard(2, 4)), "b.json: the number of shards is 4, not 3 (in a.json)");
    let longer = part(33, Shard { number: 2, of: 3 });
    assert_eq!(mistake(longer), "b.json: --runs is 33, not 30 (in a.json)");
    let mut other = shard(2, 3);
    other.asked.scenario = Text::word("other");
    assert_eq!(mistake(other), "b.json: the scenario is other, not made-up (in a.json)");
    let mut other = shard(2, 3);
    other.asked.fingerprint = Text::word("11");
    other.asked.words.push(Text::word("--free"));
    assert!(mistake(other).contains("`made-up --free`, not `made-up`"));
    let mut other = shard(2, 3);
    other.asked.fingerprint = Text::word("11");
    other.asked.until_recovered = true;
    let words = "the shard is with --until-recovered, not without --until-recovered (in a.json)";
    assert_eq!(mistake(other), format!("b.json: {words}"));
}

#[test]
fn what_is_missing_is_named_with_the_command_that_makes_it() {
    let merged = merge(vec![named("c.json", part(30, Shard { number: 3, of: 3 }))]);
    assert!(merged.whole.is_none() && merged.mistakes.is_empty());
    let Missing { shard, first_seed, last_seed, words } = &merged.missing[1];
    assert_eq!((shard.to_string(), *first_seed, *last_seed), ("2/3".to_owned(), 11, 20));
    let command = "estimate made-up --seed 1 --runs 30 --assumed-runs 10 --shard 2/3 -o json";
    assert_eq!(words.join(" "), command);
    assert_eq!(merged.missing.len(), 2);
    assert_eq!(merge(Vec::new()).missing, Vec::new());
}

/// A document that was changed, with the checksum that it would have.
fn signed(changed: &str) -> String {
    serde_json::from_str::<Part>(changed).expect("of the same form").to_json()
}

#[test]
fn documents_that_are_cut_off_changed_foreign_or_of_another_version_are_told_apart() {
    let text = part(30, Shard { number: 1, of: 3 }).to_json();
    let read = |text: &str| Part::from_json(text).expect_err("not a part");
    for cut in [0, 1, text.len() / 2, text.len() - 1] {
        assert_eq!(read(&text[..cut]), NotAPart::CutOff, "{cut}");
    }
    let version = format!("\"healsim\":\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    let other = text.replace(&version, "\"healsim\":\"9.9\"");
    assert_eq!(read(&other), NotAPart::Version("9.9 (form 2)".to_owned()));
    assert_eq!(read(&text.replace("\"runs\":30", "\"runs\":60")), NotAPart::Unsound);
    for (right, absurd) in [
        ("\"of\":3}", "\"of\":18446744073709551615}"),
        ("\"partial\":false", "\"partial\":true"),
        ("\"shard\":{\"number\":1", "\"shard\":{\"number\":0"),
        ("{\"runs\":8,", "{\"runs\":18446744073709551615,"),
        ("\"counts\":[[1001,1]", "\"counts\":[[1001,18446744073709551615]"),
        ("\"counts\":[[1001,1]", "\"counts\":[[18446744073709551615,1]"),
        ("\"firstSeed\":1", "\"firstSeed\":18446744073709551615"),
    ] {
        assert!(text.contains(right), "{right} in {text}");
        assert_eq!(read(&signed(&text.replace(right, absurd))), NotAPart::Unsound, "{absurd}");
    }
    // Numbers that could be are told from those that were written.
    let possible = text.replace("\"counts\":[[1001,1]", "\"counts\":[[1002,1]");
    assert_eq!(read(&possible), NotAPart::Unsound);
    assert!(Part::from_json(&signed(&possible)).is_ok());
    assert!(matches!(read("{\"estimate\":true}"), NotAPart::Other(_)));
    assert!(matches!(read("[1]"), NotAPart::Other(_)));
    assert!(matches!(read("hello"), NotAPart::Other(_)));
}

#[test]
fn an_interrupted_shard_is_no_whole_one() {
    let mut part = part(30, Shard { number: 1, of: 1 });
    part = Part::new(part.asked, part.shard, [sums(1..8), Sums::default(), Sums::default()]);
    assert!(part.partial);
    let merged = merge(vec![named("a.json", Part::from_json(&part.to_json()).unwrap())]);
    assert_eq!(merged.unusable, ["a.json: interrupted after 7 of 30 runs; play shard 1/1 again"]);
    assert!(merged.whole.is_none() && merged.missing.len() == 1);
    let ends = [sums(1..31), sums(1..11), sums(1..4)];
    let high = Part::new(asked(30), Shard::WHOLE, ends);
    let words = "interrupted after 3 of 10 runs with all assumed numbers high";
    assert_eq!(high.cut().map(|cut| cut.to_string()).as_deref(), Some(words));
}

fn judged(threshold: &str, runs: u64) -> Verdict {
    let threshold: Threshold = threshold.parse().expect("a threshold");
    threshold.judge(&Estimate::of(part(runs, Shard::WHOLE))).expect("something there is")
}

#[test]
fn a_threshold_holds_or_fails_and_says_how_sure_that_is() {
    let verdict = judged("nodeUnknown p50 < 90s", 100);
    assert!(verdict.met && verdict.certain, "{}", verdict.text);
    let verdict = judged("nodeUnknown Node/worker-0 p50<55s", 100);
    assert!(verdict.met && !verdict.certain, "{}", verdict.text);
    assert!(verdict.text.contains("not certain"), "{}", verdict.text);
    let verdict = judged("nodeUnknown p50 >= 80s", 100);
    assert!(!verdict.met && verdict.certain, "{}", verdict.text);
    let verdict = judged("nodeUnknown p50 < 90s", 3);
    assert!(
        verdict.met && !verdict.certain && verdict.text.contains("too few"),
        "{}",
        verdict.text
    );
    assert!(judged("api unavailable p50 <= 0s", 100).met);
    assert!(judged("recovered share >= 75%", 100).met);
    assert!(!judged("recovered share > 75.5%", 100).met);
    assert!(!judged("nodeDeleted p50 < 1h", 100).met, "what never came has no time");
}

/// Wilson's interval of none among 100 reaches to 3.70 %, of none among one to 79.35 %.
#[test]
fn what_never_happened_has_an_interval_too() {
    let verdict = judged("nodeDeleted share < 5%", 100);
    assert!(verdict.met && verdict.certain, "{}", verdict.text);
    let words = "holds: nodeDeleted is 0.00 % (95 % interval 0.00 % to 3.6994 %)";
    assert_eq!(verdict.text, format!("nodeDeleted share < 5% {words}"));
    let verdict = judged("nodeDeleted Node/worker-0 share < 1%", 1);
    assert!(verdict.met && !verdict.certain, "{}", verdict.text);
    let words =
        "nodeDeleted Node/worker-0 is 0.00 % (95 % interval 0.00 % to 79.3451 %; not certain";
    assert!(verdict.text.contains(words), "{}", verdict.text);
    let verdict = judged("nodeDeleted share >= 1%", 100);
    assert!(!verdict.met && !verdict.certain, "{}", verdict.text);
}

/// A quarter of the runs do not recover: their recoveries are longer than any bound.
#[test]
fn a_run_that_does_not_recover_keeps_no_bound() {
    assert!(judged("recoveryTime p50 < 1h", 100).met);
    let verdict = judged("recoveryTime p90 < 100h", 100);
    assert!(!verdict.met && verdict.certain, "{}", verdict.text);
    assert!(verdict.text.contains("longer than the runs"), "{}", verdict.text);
    assert!(!judged("recoveryTime max < 100h", 100).met);
}

#[test]
fn where_no_run_recovers_the_recovery_is_longer_than_any_bound() {
    let stuck: Vec<Sample> = (0..10).map(|seed| Sample { seed, ..sample(4) }).collect();
    let estimate = Estimate::of_samples(Asked { assumed_runs: 0, ..asked(10) }, stuck);
    let judged = |text: &str| {
        let threshold: Threshold = text.parse().expect("a threshold");
        threshold.judge(&estimate).expect("something there is")
    };
    for (text, met, certain) in [
        ("recoveryTime p50 < 100h", false, true),
        ("recoveryTime p50 > 1h", true, true),
        ("recoveryTime p95 > 1h", true, false),
        ("recoveryTime min > 1h", true, false),
        ("recovered share < 50%", true, true),
    ] {
        let verdict = judged(text);
        assert_eq!((verdict.met, verdict.certain), (met, certain), "{}", verdict.text);
    }
}

fn down() -> Name {
    let (figure, object) = (Text::word("unavailable"), Text::word("api"));
    Name { kind: Kind::Availability, figure, object }
}

/// So many seconds of outage in each run, which are over at its end but where a run is `open`.
fn outages(seconds: impl IntoIterator<Item = u64>, open: impl Fn(u64) -> bool) -> Vec<Sample> {
    let one = |(seed, seconds)| {
        let mut sample = sample(seed);
        sample.figures.insert(down(), Duration::from_secs(seconds));
        sample.open.extend(open(seed).then(down));
        sample
    };
    (1..).zip(seconds).map(one).collect()
}

fn of_outages(samples: Vec<Sample>) -> Estimate {
    let asked = Asked { assumed_runs: 0, ..asked(samples.len() as u64) };
    Estimate::of_samples(asked, samples)
}

/// 20 minutes are only what was left of each run.
#[test]
fn a_service_that_is_down_until_the_end_keeps_no_bound() {
    let judged = |estimate: &Estimate, text: &str| {
        let threshold: Threshold = text.parse().expect("a threshold");
        threshold.judge(estimate).expect("something there is")
    };
    let all = of_outages(outages([1200; 10], |_| true));
    let verdict = judged(&all, "api unavailable p50 < 3h");
    assert!(!verdict.met && !verdict.certain, "{}", verdict.text);
    let words = "api is longer than the runs (95 % interval longer than the runs to longer than";
    assert!(verdict.text.contains(words), "{}", verdict.text);
    for (text, met) in [
        ("api unavailable min < 3h", false),
        ("api unavailable max < 3h", false),
        ("api unavailable p50 > 15m", true),
        ("api unavailable share >= 100%", true),
    ] {
        assert_eq!(judged(&all, text).met, met, "{text}");
    }
    let beyond: Threshold = "api unavailable p50 > 3h".parse().expect("a threshold");
    let wrong = beyond.judge(&all).expect_err("nobody knows");
    assert!(wrong.contains("which is up to 20m0s"), "{wrong}");
    // Of 100 runs one has not ended: it is the longest, and p95's interval reaches to the longest.
    let one = of_outages(outages(1..=100, |seed| seed == 1));
    for (text, met, certain) in [
        ("api unavailable p50 < 1h", true, true),
        ("api unavailable p90 < 1h", true, true),
        ("api unavailable p95 < 1h", true, false),
        ("api unavailable max < 1h", false, false),
        ("api unavailable min <= 2s", true, false),
    ] {
        let verdict = judged(&one, text);
        assert_eq!((verdict.met, verdict.certain), (met, certain), "{}", verdict.text);
    }
}

#[test]
fn a_figure_tells_what_is_known_of_a_service_that_is_still_down() {
    let estimate = of_outages(outages(1..=100, |seed| seed > 97 || seed == 20));
    let figure = estimate.figure(&down()).expect("it was down");
    assert_eq!((figure.open(), figure.happened), (4, 100));
    let seconds = |interval: (Option<Duration>, Upper)| {
        // A lower end is told by up to a step too short.
        let low = interval.0.map(|low| low.as_micros().div_ceil(1_000_000));
        (low, interval.1.length().map(Duration::as_secs))
    };
    // Of run 20 nobody knows by how many places it would move up.
    let at_least = STATISTICS.map(|(_, percent)| figure.is_at_least(percent));
    assert_eq!(at_least, [false, true, true, true, true, true]);
    assert_eq!(seconds(figure.interval(50)), (Some(40), Some(62)));
    assert_eq!(figure.interval(95).1, Upper::Open);
    assert_eq!(figure.interval(99).1, Upper::Absent);
    let over = of_outages(outages(1..=100, |_| false));
    let figure = over.figure(&down()).expect("it was down");
    assert_eq!((figure.open(), figure.is_at_least(100)), (0, false));
    assert_eq!(seconds(figure.interval(50)), (Some(40), Some(61)));
}

#[test]
fn what_is_open_at_an_end_of_the_assumed_numbers_has_no_share() {
    let sums = |open: bool| {
        let mut tally = Tally::default();
        outages([60, 60], |_| open).into_iter().for_each(|sample| tally.add(sample));
        tally.sums()
    };
    let share = |low: bool, high: bool| {
        let asked = Asked { assumed_runs: 2, ..asked(2) };
        let part = Part::new(asked, Shard::WHOLE, [sums(false), sums(low), sums(high)]);
        let told = Estimate::of(part);
        told.figure(&down()).and_then(|figure| figure.assumed).expect("it was asked").share
    };
    assert_eq!(
        [share(false, false), share(false, true), share(true, false)],
        [Some(0), None, None]
    );
}

/// Also with parts in which nothing was open, and whose documents look as they always have.
#[test]
fn what_is_open_adds_up_in_any_split_and_order() {
    let samples = outages((1..=60).map(|k| k * 7 % 41), |seed| seed > 40 && seed % 3 > 0);
    let sums = |samples: &[Sample]| {
        let mut tally = Tally::default();
        samples.iter().for_each(|sample| tally.add(sample.clone()));
        tally.sums()
    };
    let whole = sums(&samples);
    for size in [1, 7, 20, 59] {
        let parts: Vec<Sums> = samples.chunks(size).map(sums).collect();
        assert_eq!(Sums::of(&parts), whole, "{size}");
        assert_eq!(Sums::of(parts.iter().rev()), whole, "{size}");
    }
    let part = |samples: &[Sample]| {
        let asked = Asked { assumed_runs: 0, ..asked(samples.len() as u64) };
        let all = [sums(samples), Sums::default(), Sums::default()];
        Part::new(asked, Shard::WHOLE, all).to_json()
    };
    assert!(!part(&samples[..40]).contains("ended"));
    let text = part(&samples);
    assert_eq!(Part::from_json(&text).expect("a part").to_json(), text);
    let (right, absurd) =
        ("\"ended\":{\"shortest\":1000000,", "\"ended\":{\"shortest\":9999999999,");
    assert!(text.contains(right), "{text}");
    assert_eq!(Part::from_json(&signed(&text.replace(right, absurd))), Err(NotAPart::Unsound));
}

#[test]
fn a_threshold_that_is_none_is_shown_at_its_column() {
    for (text, column, words) in [
        ("", 1, "no statistic"),
        ("p95 < 3m", 1, "no figure"),
        ("recoverytime p95 < 3m", 1, "no figure `recoverytime`"),
        ("recoveryTime 95 < 3m", 14, "write one of min, p50"),
        ("recoveryTime p95 = 3m", 18, "`=` is none of"),
        ("recoveryTime p95", 17, "is none of"),
        ("recoveryTime p95 < 3 m", 20, "`3` is not a duration"),
        ("recoveryTime p95 < 3m please", 23, "`please` is too much"),
        ("nodeReady Node/a b p95 < 3m", 18, "`b` is too much"),
        ("recovered share > 101%", 19, "not a percentage"),
        ("recovered share > 3m", 19, "not a percentage"),
    ] {
        let wrong = text.parse::<Threshold>().expect_err(text);
        assert_eq!((wrong.column, wrong.why.contains(words)), (column, true), "{text}: {wrong}");
    }
    let threshold: Threshold = "app/none unavailable p95 < 3m".parse().expect("a threshold");
    let wrong = threshold.judge(&Estimate::of(part(3, Shard::WHOLE))).expect_err("no such app");
    assert!(wrong.contains("no app/none unavailable; there: api unavailable"), "{wrong}");
}
