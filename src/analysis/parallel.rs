//! Many runs at once. Runs share nothing, so the number of threads changes no result.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Watches over runs while they are played: how many are done, and whether to go on. Shared by the
/// threads that play and one that looks.
#[derive(Debug, Default)]
pub struct Control {
    done: AtomicU64,
    expected: AtomicU64,
    stopped: Arc<AtomicBool>,
}

impl Control {
    /// How many runs are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Says how many runs there will be, for whoever finds out only when all is read.
    pub fn expect(&self, runs: u64) {
        self.expected.store(runs, Ordering::Relaxed);
    }

    /// How many runs there will be; 0 if nobody has said it.
    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    /// Begins no more runs; those that are being played come to their end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether no more runs are to begin.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// What becomes true when no more runs are to begin, for whoever can only set a flag.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stopped)
    }
}

/// Does `play` for every seed on `jobs` threads, and returns what came of each, in their order.
pub fn each<T: Send>(seeds: Range<u64>, jobs: usize, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let add = |found: &mut Vec<(u64, T)>, seed| found.push((seed, play(seed)));
    let found = fold(seeds, jobs, &Control::default(), Vec::new, add);
    let mut found: Vec<(u64, T)> = found.into_iter().flatten().collect();
    found.sort_by_key(|(seed, _)| *seed);
    found.into_iter().map(|(_, result)| result).collect()
}

/// Lets each of `jobs` threads add the seeds that it plays to a sum of its own. Which seed is in
/// which sum is chance: only sums that can be added in any order are worth having. Once stopped,
/// the seeds that were played are still the first ones without a gap.
pub fn fold<S: Send>(
    seeds: Range<u64>,
    jobs: usize,
    control: &Control,
    start: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, u64) + Sync,
) -> Vec<S> {
    // Counted from 0: threads that find nothing left never count over the largest number.
    let count = seeds.end.saturating_sub(seeds.start);
    let next = AtomicU64::new(0);
    let sums = Mutex::new(Vec::new());
    let work = || {
        let mut sum = start();
        while !control.stopped.load(Ordering::Relaxed) {
            // Taken one by one: a long run holds up nobody but its own thread.
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                break;
            }
            add(&mut sum, seeds.start + place);
            control.done.fetch_add(1, Ordering::Relaxed);
        }
        sums.lock().expect("a run does not panic").push(sum);
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    sums.into_inner().expect("a run does not panic")
}

#[cfg(test)]
mod tests {
    use super::{Control, each, fold};

    #[test]
    fn the_order_is_that_of_the_seeds_at_any_number_of_threads() {
        let squares: Vec<u64> = (3..40).map(|seed| seed * seed).collect();
        for jobs in [0, 1, 2, 7, 100] {
            assert_eq!(each(3..40, jobs, |seed| seed * seed), squares);
        }
        assert!(each(5..5, 2, |seed| seed).is_empty());
    }

    #[test]
    fn the_largest_seeds_end() {
        let (first, end) = (u64::MAX - 2, u64::MAX);
        assert_eq!(each(first..end, 7, |seed| seed), [first, first + 1]);
    }

    #[test]
    fn what_was_played_before_a_stop_are_the_first_seeds() {
        let control = Control::default();
        let add = |seeds: &mut Vec<u64>, seed| {
            seeds.push(seed);
            if seed == 13 {
                control.stop();
            }
        };
        let played = fold(10..1000, 3, &control, Vec::new, add);
        let mut played: Vec<u64> = played.into_iter().flatten().collect();
        played.sort_unstable();
        assert!(played.len() >= 4 && played.len() < 990, "{}", played.len());
        assert_eq!(control.done(), played.len() as u64);
        assert!(played.iter().copied().eq(10..10 + control.done()));
    }
}
