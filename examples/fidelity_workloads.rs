//! Hanging kubelets, deleted Nodes, a zone half lost, workloads on a killed node: the simulator held
//! against recordings of Kubernetes, step by step.
//!
//! `cargo run --release --example fidelity_workloads > docs/fidelity-workloads.md`; some minutes.

use healsim::analysis::fidelity::recorded::WORKLOADS;
use healsim::analysis::fidelity::table::markdown;
use std::env;
use std::error::Error;
use std::path::Path;

const SEEDS: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    println!("{}", include_str!("fidelity_workloads.md").replace("{seeds}", &seeds.to_string()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured");
    for held in WORKLOADS {
        println!("{}", markdown(held.title, &held.compared(&folder, seeds, 2)?));
    }
    Ok(())
}
