//! Plays two models on healsim's engine and on its peers, several rounds in turn, and prints how they
//! compare. See README.md.

#[allow(
    dead_code,
    unused_imports,
    reason = "the engine's own files; the models need a part of them"
)]
#[path = "../../src/engine/mod.rs"]
mod engine;
mod healsim;
mod limit;
mod model;
mod with_desru;
mod with_nexosim;
mod with_simcore;

use healsim::{Addressed, Shared};
use model::{ARRIVALS, NODES, Outcome, SERVERS, erlang_wait};
use std::path::Path;
use std::process::Command;

/// Rounds, customers and nodes of an engine: the slower ones play less, and are told per event.
#[derive(Clone, Copy)]
struct Size {
    rounds: usize,
    customers: u64,
    nodes: u64,
}

const COMPILED: Size = Size { rounds: 7, customers: 500_000, nodes: NODES as u64 };
const SIMPY: Size = Size { rounds: 3, customers: 50_000, nodes: NODES as u64 };
const SALABIM: Size = Size { rounds: 1, customers: 5_000, nodes: 100 };

/// The two models.
#[derive(Clone, Copy, PartialEq)]
enum Model {
    Queue,
    Heartbeats,
}

/// An engine: what it is called, and how it plays a model.
struct Engine {
    name: &'static str,
    size: Size,
    /// Whether it has the same draws as all other engines that say so.
    same_draws: bool,
    play: Box<dyn Fn(Model) -> Option<Played>>,
}

/// One round.
#[derive(Clone, Copy)]
struct Played {
    outcome: Outcome,
    /// Of processor time.
    seconds: f64,
}

fn main() {
    let engines = engines();
    for (model, title) in [
        (Model::Queue, format!("M/M/{SERVERS} queue, {ARRIVALS} customers a second")),
        (Model::Heartbeats, format!("{NODES} nodes, a heartbeat each 10 s for an hour, 1 % fail")),
    ] {
        let rounds = rounds(&engines, model);
        table(&engines, &rounds, model, &title);
        agree(&engines, &rounds, model);
    }
}

/// Healsim first: all others are compared with it.
fn engines() -> Vec<Engine> {
    let engine = |name, same_draws, mmc: fn(u64) -> Outcome, beats: fn() -> Outcome| {
        let play = move |model| {
            Some(timed(|| match model {
                Model::Queue => mmc(COMPILED.customers),
                Model::Heartbeats => beats(),
            }))
        };
        Engine { name, size: COMPILED, same_draws, play: Box::new(play) }
    };
    let (queue, hour) = (healsim::mmc_turns(COMPILED.customers), healsim::heartbeats_turns());
    let limit = move |model| {
        let turns = if model == Model::Queue { &queue } else { &hour };
        Some(timed(|| Outcome { events: limit::repeat(turns), ..Outcome::default() }))
    };
    vec![
        engine(
            "healsim",
            true,
            |size| healsim::mmc(size, &Shared),
            || healsim::heartbeats(&Shared),
        ),
        engine(
            "healsim, addressed draws",
            false,
            |size| healsim::mmc(size, &Addressed::new(1)),
            || healsim::heartbeats(&Addressed::new(1)),
        ),
        Engine {
            name: "a bare binary heap",
            size: COMPILED,
            same_draws: false,
            play: Box::new(limit),
        },
        engine("simcore 0.1", true, with_simcore::mmc, with_simcore::heartbeats),
        engine("nexosim 1.0, one thread", true, with_nexosim::mmc, with_nexosim::heartbeats),
        engine("desru 0.1", true, with_desru::mmc, with_desru::heartbeats),
        python("SimPy 4.1", "simpy_models.py", SIMPY),
        python("salabim 26.0", "salabim_models.py", SALABIM),
    ]
}

/// A script of `python/`, run by the Python that `PYTHON` names.
fn python(name: &'static str, script: &'static str, size: Size) -> Engine {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let play = move |model| {
        let program = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let (word, many) = match model {
            Model::Queue => ("mmc", size.customers),
            Model::Heartbeats => ("heartbeats", size.nodes),
        };
        let output =
            Command::new(program).arg(&path).args([word, &many.to_string(), "1"]).output().ok()?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let outcome = Outcome {
            events: json["events"].as_u64()?,
            mean: json["mean"].as_f64()?,
            count: json["count"].as_u64()?,
        };
        Some(Played { outcome, seconds: json["seconds"].as_f64()? })
    };
    Engine { name, size, same_draws: false, play: Box::new(play) }
}

fn timed(play: impl FnOnce() -> Outcome) -> Played {
    let begun = processor_seconds();
    let outcome = play();
    Played { outcome, seconds: processor_seconds() - begun }
}

/// Of all threads of this process: others on the machine do not count.
fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every POSIX system, and `time` is ours.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "no clock of processor time");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// What each engine did in each of its rounds, which take turns.
fn rounds(engines: &[Engine], model: Model) -> Vec<Vec<Played>> {
    let mut played = vec![Vec::new(); engines.len()];
    for round in 0..COMPILED.rounds {
        let plays = |engine: &Engine| round < engine.size.rounds;
        for (engine, played) in engines.iter().zip(&mut played).filter(|(engine, _)| plays(engine))
        {
            played.extend((engine.play)(model));
        }
    }
    played
}

fn table(engines: &[Engine], rounds: &[Vec<Played>], model: Model, title: &str) {
    println!("\n{title}\n");
    println!("| engine | events/s | ns per event | spread | healsim is faster by |");
    println!("|---|---:|---:|---:|---:|");
    let healsim = per_event(&rounds[0]).map_or(f64::NAN, |(median, ..)| median);
    for (engine, rounds) in engines.iter().zip(rounds) {
        let Some((median, least, most)) = per_event(rounds) else {
            println!("| {} | not there | | | |", engine.name);
            continue;
        };
        println!(
            "| {} | {:.2} M | {median:.0} | {least:.0} to {most:.0} | {:.2} × |",
            engine.name,
            1e3 / median,
            median / healsim
        );
    }
    if model == Model::Queue {
        println!("\nBy Erlang's formula a customer waits {:.4} s.", erlang_wait());
    }
}

/// Nanoseconds for an event: median, least, most.
fn per_event(rounds: &[Played]) -> Option<(f64, f64, f64)> {
    let each = rounds.iter().map(|played| played.seconds * 1e9 / played.outcome.events as f64);
    let mut each: Vec<f64> = each.collect();
    each.sort_by(f64::total_cmp);
    Some((*each.get(each.len() / 2)?, *each.first()?, *each.last()?))
}

/// Engines with the same draws have the same customers and failures, up to their clocks' resolution;
/// the others have as many, up to chance.
fn agree(engines: &[Engine], rounds: &[Vec<Played>], model: Model) {
    let of = |played: &[Played]| played.first().map(|played| played.outcome);
    let healsim = of(&rounds[0]).expect("a round");
    for (engine, rounds) in engines.iter().zip(rounds) {
        let Some(found) = of(rounds).filter(|found| found.count > 0) else { continue };
        println!(
            "{}: {} of {:.4} s in {} events",
            engine.name, found.count, found.mean, found.events
        );
        let near = |a: f64, b: f64, part: f64| (a - b).abs() <= part * b;
        let mean = match (engine.same_draws, model) {
            (true, _) => near(found.mean, healsim.mean, 1e-4),
            // Waits of one run hang together: the mean of 50,000 customers is off by 7 % or so, and
            // four times that is a mistake.
            (false, Model::Queue) => {
                near(found.mean, erlang_wait(), 0.3 * (5e4 / engine.size.customers as f64).sqrt())
            }
            // From 40 s to 45 s of silence.
            (false, Model::Heartbeats) => near(found.mean, healsim.mean, 0.07),
        };
        let count = match (engine.same_draws, model) {
            (true, _) => found.count == healsim.count,
            (false, Model::Queue) => found.count == engine.size.customers,
            // Four standard deviations of a binomial count.
            (false, Model::Heartbeats) => {
                let expected = engine.size.nodes as f64 / 100.0;
                (found.count as f64 - expected).abs() <= 4.0 * expected.sqrt()
            }
        };
        assert!(mean && count, "{} plays another model: {found:?}, not {healsim:?}", engine.name);
    }
}
