//! The event queue beside what it could be instead (`queues/`): one event out, one in, at four sizes,
//! and with the mix of times that runs have. Each candidate first shows that it gives the same order.

mod queues;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use healsim::engine::{Duration, Key, Owner, Purpose, Queue, Random, SimTime};
use queues::trace::Trace;
use queues::{
    Bare, Binary, Candidate, Event, FourAry, Payload, Radix, Wheel, assert_the_engines_order,
};
use std::hint::black_box;
use std::time::Duration as RealTime;

/// Turns of the queue in one measured round.
const TURNS: u64 = 1_000;

fn same_order(_: &mut Criterion) {
    assert_the_engines_order::<FourAry>("4-ary");
    assert_the_engines_order::<Binary>("binary");
    assert_the_engines_order::<Radix>("radix");
    assert_the_engines_order::<Wheel>("wheel");
    assert_the_engines_order::<Bare>("bare keys");
}

/// As many pending as before at each turn, times even over 17 seconds.
fn hold(c: &mut Criterion) {
    for pending in [100u32, 500, 10_000, 1_000_000] {
        let mut group = c.benchmark_group(format!("queue/{pending}"));
        short(&mut group);
        group.throughput(Throughput::Elements(TURNS));
        hold_one::<Queue<Payload>>(&mut group, "engine", pending);
        hold_one::<FourAry>(&mut group, "4-ary", pending);
        hold_one::<Binary>(&mut group, "binary", pending);
        hold_one::<Radix>(&mut group, "radix", pending);
        hold_one::<Wheel>(&mut group, "wheel", pending);
        hold_one::<Bare>(&mut group, "bare keys", pending);
        group.finish();
    }
}

fn hold_one<Q: Candidate>(group: &mut BenchmarkGroup<WallTime>, name: &str, pending: u32) {
    // Filled only if it is measured, and only once.
    let mut held = None;
    group.bench_function(name, |bencher| {
        let (queue, turn) = held.get_or_insert_with(|| (filled::<Q>(pending), 0u64));
        bencher.iter(|| {
            for _ in 0..TURNS {
                let (mut key, event) = queue.pop().expect("it never runs empty");
                *turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                key.at += Duration::from_micros(*turn >> 40);
                key.k = key.k.wrapping_add(1);
                queue.push(key, black_box(event));
            }
        });
    });
}

/// What a run asks of its queue.
fn replay(c: &mut Criterion) {
    let trace = Trace::drawn(29);
    println!("queue/run: {}", trace.summary());
    let mut group = c.benchmark_group("queue/run");
    short(&mut group);
    group.throughput(Throughput::Elements(trace.events()));
    replay_one::<Queue<Payload>>(&mut group, "engine", &trace);
    replay_one::<FourAry>(&mut group, "4-ary", &trace);
    replay_one::<Binary>(&mut group, "binary", &trace);
    replay_one::<Radix>(&mut group, "radix", &trace);
    replay_one::<Wheel>(&mut group, "wheel", &trace);
    replay_one::<Bare>(&mut group, "bare keys", &trace);
    group.finish();
}

fn replay_one<Q: Candidate>(group: &mut BenchmarkGroup<WallTime>, name: &str, trace: &Trace) {
    let mut queue = Q::default();
    let mut later = Duration::ZERO;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            trace.replay(&mut queue, later);
            // Time goes on from replay to replay.
            later = later + trace.length;
        });
    });
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

fn filled<Q: Candidate>(pending: u32) -> Q {
    let mut queue = Q::default();
    let random = Random::new(7);
    for target in 0..pending {
        let draw = random.draw(Owner::named("bench"), Purpose(0), u64::from(target));
        let at = SimTime::from_micros(draw >> 40);
        let event = Q::Event::numbered(u64::from(target));
        queue.push(Key { at, target, source: target, purpose: 0, k: 0 }, event);
    }
    queue
}

/// Ratios within a run are asked for, not digits.
fn short(group: &mut BenchmarkGroup<WallTime>) {
    group.sample_size(10);
    group.warm_up_time(RealTime::from_millis(500));
    group.measurement_time(RealTime::from_secs(1));
}

criterion_group!(benches, same_order, hold, replay, draws);
criterion_main!(benches);
