//! Replays a schedule that was found, from its file, under all laws; fails if one is broken.
//!
//! `cargo run --example replay -- FINDING.yaml`, with a file of `healsim fuzz` or one written by hand.

use healsim::analysis::invariants;
use healsim::scenario::{Game, Mistakes, load};
use std::process::ExitCode;

fn replay(file: &str) -> Result<bool, Mistakes> {
    let scenario = load(file)?;
    let game = Game::new(&scenario, None, &[], None)?;
    let run = invariants::play(&game, scenario.seed().unwrap_or(1));
    for entry in run.timeline.happened().iter().filter(|entry| entry.kind == *"Fault") {
        println!("{}", entry.to_json_line());
    }
    for violated in &run.violated {
        println!("{violated}");
    }
    for failed in run.failed() {
        println!("not met: {}", failed.text);
    }
    println!("{} after {} events", run.end.as_str(), run.engine_events);
    Ok(run.violated.is_empty() && run.failed().next().is_none())
}

fn main() -> ExitCode {
    let file = std::env::args().nth(1).unwrap_or_else(|| "worker-kubelet-stopped".to_owned());
    match replay(&file) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            ExitCode::from(2)
        }
    }
}
