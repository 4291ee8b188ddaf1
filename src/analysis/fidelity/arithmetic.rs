//! When a dead kubelet's Node becomes Unknown, as a formula: `T = -A + B + k M`.
//!
//! A is the age of the last Lease renewal, B the wait from that renewal to the monitor pass that
//! sees it, M the distance of passes, k the number of passes until one finds more than the grace
//! period gone. Follows `MonitorNodeHealth` of the node lifecycle controller and the kubelet's
//! Lease controller. It does not know the simulator, whose runs are held against it.

use crate::engine::Duration;

/// The shortest distance of Lease renewals: a quarter of the Lease's 40 s.
const RENEWAL_SHORTEST: f64 = 10.0;
/// The longest: each distance is jittered by up to 4 %.
const RENEWAL_LONGEST: f64 = 10.4;
/// The taint eviction's work loop looks every 100 ms.
const TAINT_LOOP: f64 = 0.1;

/// The settings on which the times depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// `--node-monitor-grace-period`.
    pub grace: Duration,
    /// M: the 5 s between two monitor passes plus the run time of one.
    pub pass: Duration,
    /// L: how long after Ready=Unknown the NoExecute taint is queued (M through 1.33, then nothing).
    pub no_execute_lag: Duration,
}

impl Arithmetic {
    /// The earliest and the latest time of Ready=Unknown, in seconds after the kubelet's death.
    pub fn unknown_range(&self) -> (f64, f64) {
        let passes = self.until_the_pass();
        (passes - RENEWAL_LONGEST, passes + seconds(self.pass))
    }

    /// The probability that Ready=Unknown has come `after` seconds after the kubelet's death.
    ///
    /// The integral over A of the chance that B is small enough. Its integrand is a polynomial of
    /// degree two between the bends, for which Simpson's rule is exact.
    pub fn unknown_cdf(&self, after: f64) -> f64 {
        let pass = seconds(self.pass);
        let x = after - self.until_the_pass();
        let mut bends = [0.0, RENEWAL_SHORTEST, RENEWAL_LONGEST, -x, pass - x]
            .map(|bend: f64| bend.clamp(0.0, RENEWAL_LONGEST));
        bends.sort_by(f64::total_cmp);
        let integrand = |age: f64| age_density(age) * ((x + age) / pass).clamp(0.0, 1.0);
        bends.windows(2).map(|ends| simpson(ends[0], ends[1], 1, integrand)).sum()
    }

    /// The same for the NoExecute taint, if the limiter lets it through at once.
    pub fn no_execute_cdf(&self, after: f64) -> f64 {
        let queued = after - seconds(self.no_execute_lag);
        simpson(0.0, TAINT_LOOP, 16, |wait| self.unknown_cdf(queued - wait)) / TAINT_LOOP
    }

    /// The same for the deletion of a Pod that tolerates the taint for `toleration`.
    pub fn eviction_cdf(&self, after: f64, toleration: Duration) -> f64 {
        self.no_execute_cdf(after - seconds(toleration))
    }

    /// `k M`: the first pass that finds strictly more than the grace period gone.
    fn until_the_pass(&self) -> f64 {
        let passes = self.grace.as_micros() / self.pass.as_micros() + 1;
        passes as f64 * seconds(self.pass)
    }
}

/// The density of the last renewal's age at a fault that knows nothing of the cycle.
///
/// Such a fault falls into a long distance more often than into a short one (in proportion to its
/// length) and evenly within it. The two together make the age's density the chance that a distance
/// is longer than it, divided by the mean distance.
fn age_density(age: f64) -> f64 {
    let longer = (RENEWAL_LONGEST - age) / (RENEWAL_LONGEST - RENEWAL_SHORTEST);
    longer.clamp(0.0, 1.0) * 2.0 / (RENEWAL_SHORTEST + RENEWAL_LONGEST)
}

/// Simpson's rule on `parts` equal parts.
fn simpson(from: f64, to: f64, parts: u32, f: impl Fn(f64) -> f64) -> f64 {
    let width = (to - from) / f64::from(parts);
    let part = |index: u32| {
        let left = from + f64::from(index) * width;
        width / 6.0 * (f(left) + 4.0 * f(left + width / 2.0) + f(left + width))
    };
    (0..parts).map(part).sum()
}

fn seconds(length: Duration) -> f64 {
    length.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fidelity::statistics::ks_distance;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn era(grace: u64, lag: u64) -> Arithmetic {
        Arithmetic {
            grace: Duration::from_secs(grace),
            pass: Duration::from_millis(5_020),
            no_execute_lag: Duration::from_millis(lag),
        }
    }

    /// Plays the cycle itself: renewals one after the other, a fault at any instant.
    fn played(arithmetic: &Arithmetic, runs: usize) -> Vec<(f64, f64)> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut uniform = || random.next_u64() as f64 / 2f64.powi(64);
        let pass = seconds(arithmetic.pass);
        let play = |_| {
            let fault = 1_000.0 + 1_000.0 * uniform();
            let mut last = 10.0 * uniform();
            loop {
                let next = last + 10.0 * (1.0 + 0.04 * uniform());
                if next > fault {
                    break;
                }
                last = next;
            }
            let seen = last + pass * uniform();
            let passes = (seconds(arithmetic.grace) / pass).floor() + 1.0;
            let unknown = seen + passes * pass - fault;
            (unknown, unknown + seconds(arithmetic.no_execute_lag) + 0.1 * uniform())
        };
        (0..runs).map(play).collect()
    }

    #[test]
    fn the_cdf_agrees_with_a_brute_force_play() {
        for arithmetic in [era(40, 5_020), era(50, 0)] {
            let (unknown, tainted): (Vec<f64>, Vec<f64>) =
                played(&arithmetic, 20_000).into_iter().unzip();
            // The 99.9 % bound of the distance of 20,000 samples: 1.95 / sqrt(20,000) = 0.0138.
            assert!(ks_distance(&unknown, |x| arithmetic.unknown_cdf(x)) < 0.0138);
            assert!(ks_distance(&tainted, |x| arithmetic.no_execute_cdf(x)) < 0.0138);
            let (low, high) = arithmetic.unknown_range();
            assert!(unknown.iter().all(|x| (low..=high).contains(x)));
        }
    }

    #[test]
    fn the_range_and_the_ends_of_the_cdf_agree() {
        // 8 passes of 5.02 s = 40.16 s, less 10.4 s, plus 5.02 s.
        let (low, high) = era(40, 0).unknown_range();
        assert!((low - 29.76).abs() < 1e-9 && (high - 45.18).abs() < 1e-9, "{low}..{high}");
        assert!(era(40, 0).unknown_cdf(low).abs() < 1e-12);
        assert!((era(40, 0).unknown_cdf(high) - 1.0).abs() < 1e-12);
        let tolerated = Duration::from_secs(300);
        assert!((era(40, 0).eviction_cdf(high + 300.1, tolerated) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_pass_that_takes_no_time_just_misses_the_grace_period() {
        let idealized = Arithmetic { pass: Duration::from_secs(5), ..era(40, 0) };
        // Strictly more than 40 s: the ninth pass, 45 s after the one that saw the renewal.
        assert_eq!(idealized.unknown_range().1, 50.0);
    }
}
