//! Where the time of a lost worker's recovery goes, over many runs with everything drawn that is
//! not known.
//!
//! `cargo run --release --example worker_recovery > docs/worker-recovery.md`; some minutes.

use healsim::analysis::estimate::{Count, Figure, Kind};
use healsim::analysis::{Estimate, Phases, estimate, phases};
use healsim::engine::Duration;
use healsim::scenario::{Game, Scenario, Source, models};
use std::env;
use std::error::Error;

const SEEDS: u64 = 10_000;

/// From the fault to the new Node, each milestone waiting for the one before.
const REPLACEMENT: [&str; 6] = [
    "nodeUnknown",
    "machineUnhealthy",
    "machineDeleting",
    "machineDeleted",
    "replacementReady",
    "recovered",
];

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    let (before, after) = include_str!("worker_recovery.md")
        .split_once("{deleted}\n")
        .ok_or("the text has a place for the tables")?;
    println!("{}", before.replace("{seeds}", &seeds.to_string()));
    for platform in ["tkgs-2024", "tkgs-current"] {
        let game = game("worker-vm-deleted", platform)?;
        print_phases(platform, &phases(&game, 1..seeds + 1, threads(), &REPLACEMENT));
    }
    println!("{after}");
    let game = game("worker-power-off", "tkgs-2024")?;
    print_outcomes(&estimate(&game, 1..seeds + 1, threads()));
    Ok(())
}

fn game(scenario: &str, platform: &str) -> Result<Game, Box<dyn Error>> {
    let text = models::scenario(scenario).ok_or("an embedded scenario")?.text;
    let text = text.replace("\n  faults:", "\n  cluster: { controlPlane: 1 }\n  faults:");
    let source = Source::embedded("one-control-plane.yaml", &text);
    Ok(Game::new(&Scenario::read(source)?, Some(platform), &[], None)?.free())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

fn print_phases(platform: &str, found: &Phases) {
    println!("### {platform}: {} of {} runs\n", found.totals.len(), found.played);
    println!("| until | p5 | p50 | p95 | share of the mean | share of the variance |");
    println!("|---|---:|---:|---:|---:|---:|");
    for phase in &found.phases {
        let [low, middle, high] = [5, 50, 95].map(|percent| at(&phase.sorted, percent));
        let variance = phase.share_of_variance.map_or("-".to_owned(), percent);
        let mean = percent(phase.share_of_mean);
        println!("| {} | {low} | {middle} | {high} | {mean} | {variance} |", phase.until);
    }
    let [low, middle, high] = [5, 50, 95].map(|percent| at(&found.totals, percent));
    println!("| **all** | {low} | {middle} | {high} | | |\n");
}

fn print_outcomes(found: &Estimate) {
    println!("| outcome | runs | share |\n|---|---:|---:|");
    for (ending, Count { runs, .. }) in &found.outcomes {
        let share = (2000 * runs + found.runs) / (2 * found.runs);
        println!("| {} | {runs} | {}.{} % |", ending.words(), share / 10, share % 10);
    }
    println!("\n| milestone | object | runs | p50 | p95 |\n|---|---|---:|---:|---:|");
    for Figure { name, happened, spread, .. } in &found.figures {
        if name.kind == Kind::Milestone {
            let [middle, high] = [50, 95].map(|percent| seconds(spread.percentile(percent)));
            println!("| {} | {} | {happened} | {middle} | {high} |", name.figure, name.object);
        }
    }
}

/// The time that so many percent do not exceed (nearest rank), in seconds with one decimal.
fn at(sorted: &[Duration], percent: usize) -> String {
    let rank = (percent * sorted.len()).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or("-".to_owned(), |length| seconds(*length))
}

fn seconds(length: Duration) -> String {
    let tenths = (length.as_micros() + 50_000) / 100_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn percent(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    format!("{sign}{}.{} %", thousandths.abs() / 10, thousandths.abs() % 10)
}
