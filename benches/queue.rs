//! The event queue at three sizes: one event out, one in, as a running simulation does it.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use healsim::engine::{Duration, Key, Owner, Purpose, Queue, Random, SimTime};
use std::hint::black_box;

/// Turns of the queue in one measured round.
const TURNS: u64 = 1_000;

fn hold(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue");
    for pending in [100u32, 10_000, 1_000_000] {
        let mut queue = filled(pending);
        let mut turn = 0u64;
        group.throughput(Throughput::Elements(TURNS));
        group.bench_function(BenchmarkId::new("pop_push", pending), |bencher| {
            bencher.iter(|| {
                for _ in 0..TURNS {
                    let (mut key, event) = queue.pop().expect("it never runs empty");
                    turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    key.at += Duration::from_micros(turn >> 40);
                    key.k = key.k.wrapping_add(1);
                    queue.push(key, black_box(event));
                }
            });
        });
    }
    group.finish();
}

fn draws(c: &mut Criterion) {
    let random = Random::new(1);
    let owner = Owner::named("kubelet@worker-0");
    let mut k = 0;
    c.bench_function("random/addressed_draw", |bencher| {
        bencher.iter(|| {
            k += 1;
            black_box(random.draw(owner, Purpose(1), k))
        });
    });
}

fn filled(pending: u32) -> Queue<u64> {
    let mut queue = Queue::default();
    let random = Random::new(7);
    for target in 0..pending {
        let draw = random.draw(Owner::named("bench"), Purpose(0), u64::from(target));
        let at = SimTime::from_micros(draw >> 40);
        queue.push(Key { at, target, source: target, purpose: 0, k: 0 }, u64::from(target));
    }
    queue
}

criterion_group!(benches, hold, draws);
criterion_main!(benches);
