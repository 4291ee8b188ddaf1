//! Random disasters on two platforms under all laws: how they come out, what they are stuck on, and
//! what the campaign has reached. Prints its own time; fails if something that has to be reached was
//! reached less than ten times in ten thousand runs.
//!
//! `cargo run --release --example campaign > docs/campaign.md`, or with another number of runs, and after it
//! with the name of one platform.

use healsim::analysis::Control;
use healsim::analysis::fuzz::{Asked, Campaign, Deck, campaign};
use healsim::report::{Style, write_campaign};
use std::env;
use std::error::Error;
use std::process::ExitCode;

const RUNS: u64 = 20_000;
const PLATFORMS: [&str; 2] = ["tkgs-2024", "tkgs-current"];

#[expect(clippy::disallowed_types, reason = "it tells how long it took")]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let runs = env::args().nth(1).map_or(Ok(RUNS), |runs| runs.parse())?;
    let jobs = std::thread::available_parallelism().map_or(1, Into::into);
    println!("{}", include_str!("campaign.md").trim_end());
    let mut is_rare = false;
    let only = env::args().nth(2);
    let mut platforms = PLATFORMS.to_vec();
    platforms.retain(|name| only.as_deref().is_none_or(|only| only == *name));
    if platforms.is_empty() {
        return Err(format!("a campaign is of {}", PLATFORMS.join(" or ")).into());
    }
    for platform in platforms {
        let begun = std::time::Instant::now();
        let deck = Deck::new(platform, &[]).map_err(|wrong| wrong.join("\n"))?;
        let asked = Asked { deck, first_seed: 1, runs, jobs, go_on: true };
        let found = campaign(&asked, &Control::default());
        println!("\n## {platform}\n\n```text");
        let again = |seed| format!("healsim fuzz --platform {platform} --seed {seed} --runs 1");
        write_campaign(&found, &again, Style::Plain, &mut std::io::stdout())?;
        let seconds = begun.elapsed().as_secs().max(1);
        let rate = runs * 10 / seconds / jobs as u64;
        println!(
            "```\n\nMade in {} min {} s on {jobs} threads: {}.{} runs a second and thread.",
            seconds / 60,
            seconds % 60,
            rate / 10,
            rate % 10
        );
        is_rare |= too_rare(&found);
    }
    Ok(if is_rare { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says what was reached too seldom.
fn too_rare(found: &Campaign) -> bool {
    let rare = found.reached.iter().filter(|(_, count)| count.runs * 10_000 < 10 * found.played);
    let rare: Vec<&str> = rare.map(|(name, _)| *name).collect();
    if !rare.is_empty() {
        eprintln!("{}: too seldom reached: {}", found.platform, rare.join(", "));
    }
    !rare.is_empty()
}
