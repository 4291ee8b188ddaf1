//! Whole runs: replays of a scenario, and engine events, per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use healsim::scenario::{Game, load};
use std::hint::black_box;

fn game() -> Game {
    let scenario = load("worker-kubelet-stopped").expect("an embedded scenario");
    Game::new(&scenario, None, &[], None).expect("it is valid")
}

fn replays(c: &mut Criterion) {
    let game = game();
    let mut seed = 0;
    c.bench_function("run/worker-kubelet-stopped", |bencher| {
        bencher.iter(|| {
            seed += 1;
            black_box(game.play(seed))
        });
    });
}

fn events(c: &mut Criterion) {
    let game = game();
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
