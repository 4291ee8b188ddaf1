//! Whole runs: replays of a scenario, and engine events, per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use healsim::scenario::{Game, load, models};
use std::hint::black_box;

fn game(name: &str) -> Game {
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, None, &[], None).expect("it is valid")
}

/// Each of them, played to its end and judged: without the heartbeats that change nothing, and with
/// every one of them, in one run.
fn replays(c: &mut Criterion) {
    let mut group = c.benchmark_group("run");
    group.sample_size(20);
    // Runs per second, on one core.
    group.throughput(Throughput::Elements(1));
    for name in models::FOUNDING_PAGE {
        let game = game(name);
        for (mode, game) in [("sparse", game.clone()), ("dense", game.dense())] {
            let mut seed = 0;
            group.bench_function(format!("{name}/{mode}"), |bencher| {
                bencher.iter(|| {
                    seed += 1;
                    black_box(game.play(seed))
                });
            });
        }
    }
    group.finish();
}

fn events(c: &mut Criterion) {
    let game = game("worker-kubelet-stopped").dense();
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(game.play(1).engine_events));
    group.bench_function("events", |bencher| {
        bencher.iter(|| {
            let mut simulation = game.begin(1);
            simulation.run_to_end();
            black_box(simulation.played())
        });
    });
    group.finish();
}

criterion_group!(benches, replays, events);
criterion_main!(benches);
