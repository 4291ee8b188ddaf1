//! Many runs at once. Runs share nothing, so the number of threads changes no result.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Does `play` for every seed on `jobs` threads, and returns what came of each, in their order.
pub fn each<T: Send>(seeds: Range<u64>, jobs: usize, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    // Counted from 0: threads that find nothing left never count over the largest number.
    let count = seeds.end.saturating_sub(seeds.start);
    let next = AtomicU64::new(0);
    let found: Mutex<Vec<(u64, T)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            // Taken one by one: a long run holds up nobody but its own thread.
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                return;
            }
            let seed = seeds.start + place;
            let result = play(seed);
            found.lock().expect("a run does not panic").push((seed, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    let mut found = found.into_inner().expect("a run does not panic");
    found.sort_by_key(|(seed, _)| *seed);
    found.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::each;

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
}
