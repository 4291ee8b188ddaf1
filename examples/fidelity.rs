//! Holds the simulator against recordings of the real systems, and prints `docs/fidelity.md`.
//!
//! `cargo run --release --example fidelity > docs/fidelity.md`; about ten minutes on two cores. With two arguments,
//! so many seeds and a word of a title: `cargo run --release --example fidelity 200 1.7.4`.

use healsim::analysis::fidelity::arithmetic::Arithmetic;
use healsim::analysis::fidelity::campaign::Campaign;
use healsim::analysis::fidelity::heartbeats;
use healsim::analysis::fidelity::recorded::{ALL, NEW, OLD};
use healsim::analysis::fidelity::recording::Recording;
use healsim::analysis::fidelity::statistics::{ks_distance, percentile};
use healsim::analysis::fidelity::table::markdown;
use healsim::engine::Duration;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

const SEEDS: u64 = 2_000;
/// The platforms that reproduce the recordings, with their Kubernetes releases.
const ERAS: [(&str, &str); 2] = [(OLD, "1.30.14"), (NEW, "1.34.4")];

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    let only = env::args().nth(2);
    println!("{}", include_str!("fidelity-intro.md").replace("{seeds}", &seeds.to_string()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured");
    for held in ALL.iter().filter(|held| only.as_ref().is_none_or(|word| held.title.contains(word)))
    {
        // A quarter of the seeds is enough for what was recorded once or twice.
        let many = held.title.contains("from its last heartbeat") || held.blows > 1;
        let seeds = if many { seeds } else { seeds.div_ceil(4) };
        println!("{}", markdown(held.title, &held.compared(&folder, seeds, 2)?));
    }
    if only.is_some() {
        return Ok(());
    }
    for (platform, release) in ERAS {
        renewals(platform, release)?;
    }
    println!("## The arithmetic of `Ready=Unknown`\n");
    println!("| platform | grace | seeds | KS distance from the formula | outside its range by |");
    println!("|---|---|---|---|---|");
    for (platform, grace) in [(ERAS[0].0, 40), (ERAS[1].0, 50)] {
        unknown(platform, grace, seeds)?;
    }
    Ok(())
}

fn campaign(scenario: &'static str, platform: &'static str, seeds: u64) -> Campaign {
    Campaign { scenario, platform, set: Vec::new(), seeds: 1..seeds + 1, jobs: 2 }
}

fn renewals(platform: &'static str, release: &str) -> Result<(), Box<dyn Error>> {
    let recording = read(&format!("heartbeats.k8s-{release}.jsonl"))?;
    let recorded = heartbeats::written_intervals(&recording);
    let simulated = campaign("lab/heartbeats", platform, 20).renewals()?;
    let test = heartbeats::compare(&recorded, &simulated).ok_or("no renewals")?;
    println!("## Lease renewals: Kubernetes {release}\n");
    println!("| | least | median | greatest | n |\n|---|---|---|---|---|");
    for (side, times) in [("recorded", &recorded), ("simulated", &simulated)] {
        let mut micros: Vec<u64> = times.iter().map(|time| time.as_micros()).collect();
        micros.sort_unstable();
        let at = |per_mille| percentile(&micros, per_mille).unwrap_or(0) as f64 / 1e6;
        println!("| {side} | {:.3} | {:.3} | {:.3} | {} |", at(0), at(500), at(1000), micros.len());
    }
    println!("\nKolmogorov-Smirnov: p = {:.3}.\n", test.p);
    Ok(())
}

fn unknown(platform: &'static str, grace: u64, seeds: u64) -> Result<(), Box<dyn Error>> {
    let times = campaign("worker-kubelet-stopped", platform, seeds).first(
        "Node/worker-0",
        "Ready",
        "Unknown",
    )?;
    let seconds: Vec<f64> =
        times.iter().flatten().map(|time| time.as_micros() as f64 / 1e6).collect();
    // The model's own pass: 5 s, and 10 to 100 ms of run time.
    let pass = Duration::from_micros(5_055_000);
    let grace_period = Duration::from_secs(grace);
    let formula = Arithmetic { grace: grace_period, pass, no_execute_lag: Duration::ZERO };
    let distance = ks_distance(&seconds, |time| formula.unknown_cdf(time));
    let (low, high) = formula.unknown_range();
    let beyond = seconds.iter().map(|t| (low - t).max(t - high).max(0.0)).fold(0.0, f64::max);
    println!("| {platform} | {grace} s | {} | {distance:.4} | {beyond:.3} s |", seconds.len());
    Ok(())
}

fn read(name: &str) -> Result<Recording, Box<dyn Error>> {
    let path = format!("{}/tests/measured/{name}", env!("CARGO_MANIFEST_DIR"));
    Ok(Recording::read(&fs::read_to_string(path)?)?)
}
