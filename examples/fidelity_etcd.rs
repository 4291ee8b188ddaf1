//! Holds simulated etcd members against recordings of real ones, and prints `docs/fidelity-etcd.md`.
//!
//! `cargo run --release --example fidelity_etcd > docs/fidelity-etcd.md`. With arguments, so many
//! simulations of each file and how the files' names begin:
//! `cargo run --release --example fidelity_etcd 100 a_kill`.

use healsim::analysis::fidelity::etcd::explained::KNOWN;
use healsim::analysis::fidelity::etcd::held::ALL;
use healsim::analysis::fidelity::etcd::judge::{compare, judge};
use healsim::analysis::fidelity::etcd::table::markdown;
use std::env;
use std::error::Error;
use std::path::Path;

const TIMES: u64 = 1_200;
const JOBS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let times = env::args().nth(1).map_or(Ok(TIMES), |times| times.parse())?;
    let only = env::args().nth(2).unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured/etcd");
    let mut all = Vec::new();
    for held in ALL.iter().filter(|held| held.file.starts_with(&only)) {
        let recorded = held.recorded(&folder)?;
        let trials = held.play(&[], times, JOBS)?;
        all.push(compare(held.file, &recorded, &trials));
    }
    judge(&mut all, KNOWN);
    let disagreements: usize = all.iter().map(|file| file.disagreements()).sum();
    let intro = include_str!("fidelity-etcd-intro.md");
    let intro = intro.replace("{times}", &times.to_string());
    println!("{}", intro.replace("{disagreements}", &disagreements.to_string()));
    for file in &all {
        println!("{}", markdown(file));
    }
    Ok(())
}
