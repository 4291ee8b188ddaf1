//! A property of one's own MachineHealthCheck: whatever its time-outs, a worker whose kubelet stays
//! down is replaced soon after them, and no Machine of a Ready Node is deleted.

use healsim::analysis::assertions::Check;
use healsim::analysis::fuzz::{Schedule, Shape};
use healsim::analysis::invariants::OwnLaw;
use healsim::engine::{Duration, SimTime};
use proptest::prelude::*;

fn only_the_broken_worker_is_deleted() -> OwnLaw {
    OwnLaw::always("only_the_broken_worker_is_deleted", |seen| {
        let mut deleted = seen.news.iter().filter(|it| {
            it.kind == *"Machine" && it.field == *"deletionTimestamp" && it.at > SimTime::ZERO
        });
        match deleted.find(|it| it.name != *"worker-0") {
            Some(healthy) => Err(format!("{} was healthy, and is deleted", healthy.name)),
            None => Ok(()),
        }
    })
}

fn main() {
    let (cases, down) = (ProptestConfig::with_cases(12), Duration::from_secs(60));
    proptest!(cases, |(unknown in 1u64..15, most in 34u32..=100, seed in 1u64..1_000)| {
        let schedule = Schedule::on("tkgs-2024", Shape::new(1, 3))
            .set("machineHealthCheck.unknownTimeout", format!("{unknown}m"))
            .set("machineHealthCheck.maxUnhealthy", format!("{most}%"))
            .at(down, "stopUnit: { vm: worker-0, unit: kubelet }")
            .seed(seed);
        let check = Check::new().with(only_the_broken_worker_is_deleted());
        let healed = OwnLaw::in_the_end("healed_in_time", move |end| {
            let patience = Duration::from_secs(60 * unknown + 600);
            let in_time = end.recovered_at.is_some_and(|at| at.since(SimTime::ZERO) <= down + patience);
            if in_time { Ok(()) } else { Err(format!("has not healed within {patience}")) }
        });
        check.with(healed).holds(&schedule)?;
    });
    println!("12 health checks heal the worker, and it alone");
}
