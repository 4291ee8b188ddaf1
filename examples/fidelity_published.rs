//! Holds the simulator against published recovery times, and prints `docs/fidelity-published.md`.
//!
//! `cargo run --release --example fidelity_published > docs/fidelity-published.md`, or with another number of seeds
//! as its argument.

use healsim::analysis::fidelity::published::{hold, markdown};
use std::env;
use std::error::Error;

const SEEDS: u64 = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let seeds: u64 = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let held = hold(1..seeds + 1, threads);
    let held =
        held.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let text = include_str!("fidelity_published.md").trim_end();
    println!("{}\n", text.replace("{seeds}", &seeds.to_string()));
    print!("{}", markdown(&held));
    Ok(())
}
