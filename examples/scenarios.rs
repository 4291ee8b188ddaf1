//! The founding page's scenarios: its observations, our expectations, the mechanisms, and how often
//! each line was met on the page's platform and on today's.
//!
//! `cargo run --release --example scenarios > docs/scenarios.md`; a quarter of an hour on two
//! cores. Another number of seeds may be given as an argument, and after it the scenarios that are
//! wanted alone.

use healsim::analysis::{Line, Observation, observations};
use healsim::engine::Duration;
use healsim::scenario::{Game, Mistakes, load, models};
use std::env;
use std::error::Error;
use std::thread;

const SEEDS: u64 = 200;
const PLATFORMS: [&str; 2] = ["tkgs-2024", "tkgs-current"];

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = env::args().nth(1).map_or(Ok(SEEDS), |seeds| seeds.parse())?;
    let jobs = thread::available_parallelism().map_or(1, Into::into);
    print!("{}", include_str!("scenarios.md").replace("{seeds}", &seeds.to_string()));
    let mut missed = 0;
    let wanted: Vec<String> = env::args().skip(2).collect();
    let is_wanted = |name: &&str| wanted.is_empty() || wanted.iter().any(|it| it == name);
    for name in models::FOUNDING_PAGE.into_iter().filter(is_wanted) {
        let scenario = load(name)?;
        let mut of = PLATFORMS.iter().map(|platform| {
            let game = Game::new(&scenario, Some(platform), &[], None)?;
            Ok::<_, Mistakes>(observations(&game, 1..seeds + 1, jobs))
        });
        let [then, now] = [of.next(), of.next()].map(|found| found.ok_or("two platforms"));
        let (then, now) = (then??, now??);
        println!("\n## {name}\n");
        println!("| the page | expectation | {} | {} | mechanism |", PLATFORMS[0], PLATFORMS[1]);
        println!("|---|---|---|---|---|");
        then.iter().zip(&now).for_each(|(then, now)| row(then, now));
        missed += [&then, &now].into_iter().flatten().map(misses).sum::<u64>();
    }
    println!("\nLines that a run did not meet, over all: {missed}.");
    Ok(())
}

/// One observation: its lines one below the other, in each cell.
fn row(then: &Observation, now: &Observation) {
    let says = if then.says.is_empty() { "-".to_owned() } else { format!("\"{}\"", then.says) };
    let below = |cells: Vec<String>| cells.join("<br>");
    let text = |line: &Line| format!("`{}`", line.text.replace('|', "\\|"));
    println!(
        "| {says} | {} | {} | {} | {} |",
        below(then.lines.iter().map(text).collect()),
        below(then.lines.iter().map(met).collect()),
        below(now.lines.iter().map(met).collect()),
        then.because
    );
}

/// How often, and between which times it was seen.
fn met(line: &Line) -> String {
    if !line.applicable {
        return "n/a".to_owned();
    }
    let count = match line.met == line.runs {
        true => "all".to_owned(),
        false => format!("**{} of {}**", line.met, line.runs),
    };
    match line.seen {
        Some((low, high)) => format!("{count}, {}..{}", tenths(low), tenths(high)),
        None => count,
    }
}

/// Rounded down to the tenth of a second.
fn tenths(length: Duration) -> Duration {
    Duration::from_micros(length.as_micros() / 100_000 * 100_000)
}

fn misses(observation: &Observation) -> u64 {
    let applicable = observation.lines.iter().filter(|line| line.applicable);
    applicable.map(|line| line.runs - line.met).sum()
}
