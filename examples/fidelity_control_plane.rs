//! Holds simulated control planes against recordings of real ones, and prints `docs/fidelity-control-plane.md`.
//!
//! `cargo run --release --example fidelity_control_plane > docs/fidelity-control-plane.md`. With two arguments, so many
//! trials and a word of a title: `cargo run --release --example fidelity_control_plane 50 quorum`.

use healsim::analysis::fidelity::control_plane::held::ALL;
use healsim::analysis::fidelity::table::markdown;
use std::env;
use std::error::Error;
use std::path::Path;

const TRIALS: u64 = 500;
const INTRO: &str = include_str!("fidelity-control-plane-intro.md");

fn main() -> Result<(), Box<dyn Error>> {
    let trials = env::args().nth(1).map_or(Ok(TRIALS), |trials| trials.parse())?;
    let only = env::args().nth(2);
    println!("{}", INTRO.replace("{trials}", &trials.to_string()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured");
    for held in ALL.iter().filter(|held| only.as_ref().is_none_or(|word| held.title.contains(word)))
    {
        println!("{}", markdown(held.title, &held.compared(&folder, &[], trials, 2)?));
    }
    Ok(())
}
