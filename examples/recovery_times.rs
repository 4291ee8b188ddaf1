//! The ten scenarios of the disaster page on two platforms, with everything drawn that is not known:
//! how they end and how long they take. Prints its own time.
//!
//! `cargo run --release --example recovery_times > docs/recovery-times.md`; with fewer runs as its
//! argument, and only one platform and one scenario of it as two more.

use healsim::analysis::Control;
use healsim::analysis::estimate::{
    Asked, Assumed, Estimate, Figure, Games, Kind, Name, Shard, play, wilson,
};
use healsim::engine::{Duration, Text};
use healsim::scenario::{Game, RangeEnd, at_end, load, models};
use std::env;
use std::error::Error;

const RUNS: u64 = 10_000;
/// Those that never recover have no times: they are there for their shares, in few of the runs.
const NEVER: [(&str, &[&str]); 4] = [
    ("control-plane-kubelet-stopped", &PLATFORMS),
    ("control-plane-kubelet-crashed", &PLATFORMS),
    ("etcd-one-of-three", &PLATFORMS),
    // With kubelets in local mode its Nodes fall silent, and their Machines are replaced.
    ("apiserver-removed", &["tkgs-2024"]),
];
/// How many are played again with the assumed numbers at the ends of their ranges.
const ASSUMED_RUNS: u64 = 200;
const PLATFORMS: [&str; 2] = ["tkgs-2024", "tkgs-current"];

#[expect(clippy::disallowed_types, reason = "it tells how long it took")]
fn main() -> Result<(), Box<dyn Error>> {
    let begun = std::time::Instant::now();
    let mut args = env::args().skip(1);
    let number = |text: String| text.parse().map_err(|_| format!("`{text}` is no number of runs"));
    let runs = args.next().map_or(Ok(RUNS), number)?;
    let (platform, scenario) = (args.next(), args.next());
    let is_asked =
        |asked: &Option<String>, it: &str| asked.as_ref().is_none_or(|asked| asked == it);
    let known = |known: &[&str], asked: &Option<String>| match asked {
        Some(asked) if !known.contains(&asked.as_str()) => {
            Err(format!("no `{asked}` here; there are {}", known.join(", ")))
        }
        _ => Ok(()),
    };
    known(&PLATFORMS, &platform)?;
    known(&models::FOUNDING_PAGE, &scenario)?;
    let text = include_str!("recovery_times.md");
    let (most, few) = (runs.to_string(), of_never(runs).to_string());
    println!("{}", text.trim_end().replace("{runs}", &most).replace("{few}", &few));
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let mut plays = 0;
    for platform in PLATFORMS.into_iter().filter(|it| is_asked(&platform, it)) {
        println!("\n## {platform}\n");
        println!(
            "| scenario | outcomes | recovery p50 | p95 | p99 | longest | assumed | API down p95 |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|");
        for scenario in models::FOUNDING_PAGE.into_iter().filter(|it| is_asked(&scenario, it)) {
            let never = NEVER.iter().any(|(it, on)| *it == scenario && on.contains(&platform));
            let runs = if never { of_never(runs) } else { runs };
            let found = estimate(scenario, platform, runs, threads)?;
            if never && found.figure(&Name::recovered()).is_some() {
                return Err(
                    format!("{scenario} recovers: it is to be played as often as others").into()
                );
            }
            println!("{}", row(scenario, &found));
            plays += runs + 2 * runs.min(ASSUMED_RUNS);
            eprintln!(
                "{scenario} on {platform}: {} s since the beginning",
                begun.elapsed().as_secs()
            );
        }
    }
    let millis = u64::try_from(begun.elapsed().as_millis())?.max(1);
    let seconds = millis / 1000;
    let rate = plays * 10_000 / millis;
    println!(
        "\nMade in {} min {} s on {threads} threads: {plays} runs, {}.{} a second.",
        seconds / 60,
        seconds % 60,
        rate / 10,
        rate % 10
    );
    Ok(())
}

fn of_never(runs: u64) -> u64 {
    (runs / 25).max(1)
}

fn estimate(
    scenario: &str,
    platform: &str,
    runs: u64,
    threads: usize,
) -> Result<Estimate, Box<dyn Error>> {
    let game = game(scenario, platform, &[])?;
    let [low, high] = [RangeEnd::Low, RangeEnd::High].map(|end| at_end(game.assumptions(), end));
    let games = Games {
        low: self::game(scenario, platform, &low)?,
        high: self::game(scenario, platform, &high)?,
        game,
    };
    let asked = Asked::of(&games.game, 1, runs);
    let asked = Asked { assumed_runs: runs.min(ASSUMED_RUNS), ..asked };
    Ok(Estimate::of(play(&games, asked, Shard::WHOLE, threads, &Control::default())))
}

fn game(scenario: &str, platform: &str, set: &[(String, String)]) -> Result<Game, Box<dyn Error>> {
    Ok(Game::new(&load(scenario)?, Some(platform), set, None)?.free().until_recovered())
}

fn row(scenario: &str, found: &Estimate) -> String {
    let outcomes = found.outcomes.iter().map(|(ending, count)| {
        let (low, high) = wilson(count.runs, found.runs);
        // No interval is told narrower than it is.
        let (low, high) = (low / 1000 * 1000, high.next_multiple_of(1000));
        let share = count.runs * 1_000_000 / found.runs.max(1);
        format!("{} {} ({} to {})", ending.words(), percent(share), percent(low), percent(high))
    });
    let outcomes = outcomes.collect::<Vec<_>>().join("<br>");
    let recovered = found.figure(&Name::recovered());
    let quantile = |percent| recovered.map_or("-".to_owned(), |it| interval(it, percent));
    let longest = recovered.map_or("-".to_owned(), |it| seconds(it.spread.max()));
    let assumed = recovered.and_then(|it| it.assumed).and_then(|Assumed { share, .. }| share);
    let assumed = assumed.map_or("-".to_owned(), |share| percent(share * 1000));
    let (figure, object) = (Text::word("unavailable"), Text::word("api"));
    let api = found.figure(&Name { kind: Kind::Availability, figure, object });
    let api = api.map_or("-".to_owned(), |it| interval(it, 95));
    let [p50, p95, p99] = [50, 95, 99].map(quantile);
    format!("| `{scenario}` | {outcomes} | {p50} | {p95} | {p99} | {longest} | {assumed} | {api} |")
}

/// A quantile with its interval below it.
fn interval(figure: &Figure, percent: u64) -> String {
    let value = seconds(figure.spread.percentile(percent));
    match figure.spread.interval(percent) {
        (Some(low), Some(high)) => format!("{value}<br>{} to {}", seconds(low), seconds(high)),
        _ => value,
    }
}

/// Minutes and seconds.
fn seconds(length: Duration) -> String {
    let tenths = (length.as_micros() + 50_000) / 100_000;
    format!("{}:{:02}.{}", tenths / 600, tenths % 600 / 10, tenths % 10)
}

fn percent(millionths: u64) -> String {
    let tenths = (millionths + 500) / 1000;
    format!("{}.{} %", tenths / 10, tenths % 10)
}
