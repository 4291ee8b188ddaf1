//! Which of twenty seeds heals last, and what happened last before it was healthy?

use healsim::scenario::{Game, load};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let scenario = load("worker-kubelet-stopped")?;
    let game = Game::new(&scenario, Some("tkgs-2024"), &[], None)?;
    let slowest = (1..=20).map(|seed| game.play(seed)).max_by_key(|run| run.recovery_time());
    let run = slowest.ok_or("no seeds")?;
    let time = run.recovery_time().ok_or("one of them does not heal")?;
    println!("seed {}: healthy again after {time}", run.seed);
    let mut before =
        run.timeline.entries().iter().filter(|entry| Some(entry.at) <= run.recovered_at);
    if let Some(last) = before.next_back() {
        println!("last: {} {} → {} by {}", last.object(), last.field, last.to, last.by);
    }
    Ok(())
}
