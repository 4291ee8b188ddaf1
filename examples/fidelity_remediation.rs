//! Holds control planes that are remediated against recordings of Cluster API's managers, and prints
//! `docs/fidelity-remediation.md`.
//!
//! `cargo run --release --example fidelity_remediation > docs/fidelity-remediation.md`; with two
//! arguments, so many seeds and a word of a title.

use healsim::analysis::fidelity::remediation::REMEDIATION;
use healsim::analysis::fidelity::table::markdown;
use std::env;
use std::error::Error;
use std::path::Path;

const SEEDS: u64 = 200;
const INTRO: &str = include_str!("fidelity-remediation-intro.md");

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    let only = env::args().nth(2);
    println!("{}", INTRO.replace("{seeds}", &seeds.to_string()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured");
    let named = |title: &str| only.as_ref().is_none_or(|word| title.contains(word));
    for held in REMEDIATION.iter().filter(|held| named(held.title)) {
        println!("{}", markdown(held.title, &held.compared(&folder, seeds, 2)?));
    }
    Ok(())
}
