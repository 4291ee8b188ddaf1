//! The few statistics that verdicts rest on: order statistics, Kolmogorov-Smirnov, Holm.
//!
//! Floats appear only here and in `arithmetic`, and only in results that are compared or printed.
//! This file does not know what its numbers mean.

/// The level of the family of tests: 99 %.
pub const FAMILY_ALPHA: f64 = 0.01;

/// The finest step that a recording is trusted to: rounding to it lets ties be ties on both sides.
pub const RECORDED_RESOLUTION_MICROS: u64 = 1_000;

/// Distance of two distribution functions and how often chance makes one at least as large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    pub distance: f64,
    pub p: f64,
}

/// The two-sample Kolmogorov-Smirnov test; `None` if a side is empty.
///
/// Both sides are first rounded to the nearest millisecond. `p` is exact for samples
/// without ties; with ties it is too large, so the test errs towards not rejecting.
pub fn ks_two_samples(one: &[u64], other: &[u64]) -> Option<KolmogorovSmirnov> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let (one, other) = (rounded(one), rounded(other));
    let (n, m) = (one.len() as u64, other.len() as u64);
    let widest = widest_gap(&one, &other);
    let distance = widest as f64 / (n as f64 * m as f64);
    Some(KolmogorovSmirnov { distance, p: chance_of_gap(n, m, widest) })
}

/// The largest distance between the samples' distribution function and `cdf`.
pub fn ks_distance(samples: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let at_sample = |(index, sample): (usize, &f64)| {
        let expected = cdf(*sample);
        // The sample's function jumps here: it is compared on both sides of the jump.
        (expected - index as f64 / n).max((index + 1) as f64 / n - expected)
    };
    sorted.iter().enumerate().map(at_sample).fold(0.0, f64::max)
}

/// Holm's correction: which of these p values are rejected if all together may err with `alpha`.
///
/// Valid whatever the dependence between the tests: steps of one chain share their random phases.
pub fn holm(p: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut rejected = vec![false; p.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if p[index] > alpha / (p.len() - rank) as f64 {
            break;
        }
        rejected[index] = true;
    }
    rejected
}

/// The order statistic with `per_mille` of the others below it; `None` of nothing.
///
/// Ranks are rounded outwards (down below the middle, up above), so a range is never too narrow.
pub fn percentile(sorted: &[u64], per_mille: usize) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = if per_mille <= 500 {
        last * per_mille / 1_000
    } else {
        last - last * (1_000 - per_mille) / 1_000
    };
    sorted.get(rank).copied()
}

/// Sorted, each to the nearest multiple of the recorded resolution.
fn rounded(samples: &[u64]) -> Vec<u64> {
    let unit = RECORDED_RESOLUTION_MICROS;
    let mut rounded: Vec<u64> = samples.iter().map(|x| (x + unit / 2) / unit * unit).collect();
    rounded.sort_unstable();
    rounded
}

/// The largest |i m - j n| after each distinct value: the distance times n m, as an integer.
fn widest_gap(one: &[u64], other: &[u64]) -> u64 {
    let (n, m) = (one.len() as u64, other.len() as u64);
    let (mut i, mut j, mut widest) = (0, 0, 0);
    while let Some(value) = one.get(i).into_iter().chain(other.get(j)).min() {
        // Equal values of both sides are passed in one step, or ties would make gaps.
        while one.get(i) == Some(value) {
            i += 1;
        }
        while other.get(j) == Some(value) {
            j += 1;
        }
        widest = widest.max((i as u64 * m).abs_diff(j as u64 * n));
    }
    widest
}

/// The probability that a random merge of n and m values reaches a gap of `widest`.
///
/// A merge is a walk from (0, 0) to (n, m), each next step drawn from what is left. The walk's
/// probability is pushed forward cell by cell and collected where it reaches the gap: a sum of
/// positive terms, so small probabilities keep their precision.
fn chance_of_gap(n: u64, m: u64, widest: u64) -> f64 {
    if widest == 0 {
        return 1.0;
    }
    let width = usize::try_from(m + 1).expect("a sample fits in memory");
    // arriving[j]: probability of standing at (i, j) without having met the gap before.
    let mut arriving = vec![0.0; width];
    arriving[0] = 1.0;
    let mut met = 0.0;
    for i in 0..=n {
        let mut next = vec![0.0; width];
        for j in 0..=m {
            let here = arriving[j as usize];
            if (i * m).abs_diff(j * n) >= widest {
                met += here;
                continue;
            }
            let left = n + m - i - j;
            if left > 0 {
                next[j as usize] += here * (n - i) as f64 / left as f64;
            }
            if j < m {
                arriving[j as usize + 1] += here * (m - j) as f64 / left as f64;
            }
        }
        arriving = next;
    }
    f64::min(met, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    fn millis(values: &[u64]) -> Vec<u64> {
        values.iter().map(|value| value * 1_000).collect()
    }

    #[test]
    fn separate_samples_have_the_chance_of_two_merges() {
        // Distance 1 needs all of one side first: 2 of the (6 over 3) = 20 merges.
        let ks = ks_two_samples(&millis(&[1, 2, 3]), &millis(&[4, 5, 6])).unwrap();
        assert!(close(ks.distance, 1.0) && close(ks.p, 0.1), "{ks:?}");
    }

    #[test]
    fn a_gap_of_a_half_is_met_by_most_merges_of_two_and_two() {
        // aabb and bbaa reach 1; abba, abab, baab, baba reach 1/2: every merge reaches 1/2.
        let ks = ks_two_samples(&millis(&[1, 3]), &millis(&[2, 4])).unwrap();
        assert!(close(ks.distance, 0.5) && close(ks.p, 1.0), "{ks:?}");
        // Of the 6 merges only aabb and bbaa reach 1.
        let ks = ks_two_samples(&millis(&[1, 2]), &millis(&[3, 4])).unwrap();
        assert!(close(ks.p, 1.0 / 3.0), "{ks:?}");
    }

    #[test]
    fn unequal_sizes_count_merges_by_hand() {
        // a among b b b: merges abbb, babb, bbab, bbba; gaps 1, 2/3, 2/3, 1.
        let ks = ks_two_samples(&millis(&[1]), &millis(&[2, 3, 4])).unwrap();
        assert!(close(ks.distance, 1.0) && close(ks.p, 0.5), "{ks:?}");
        let ks = ks_two_samples(&millis(&[2]), &millis(&[1, 3, 4])).unwrap();
        assert!(close(ks.distance, 2.0 / 3.0) && close(ks.p, 1.0), "{ks:?}");
    }

    #[test]
    fn what_differs_by_less_than_the_recorded_resolution_is_a_tie() {
        let ks = ks_two_samples(&[1_000_100, 2_000_000], &[1_000_000, 2_000_400]).unwrap();
        assert_eq!(ks, KolmogorovSmirnov { distance: 0.0, p: 1.0 });
        assert_eq!(ks_two_samples(&[], &[1]), None);
    }

    #[test]
    fn the_distance_to_a_uniform_is_read_on_both_sides_of_a_jump() {
        // One sample at 0.3: the function jumps from 0 to 1 there, so the distance is 0.7.
        assert!(close(ks_distance(&[0.3], |x| x), 0.7));
        // At 0.25 and 0.75 each side of each jump is 0.25 away.
        assert!(close(ks_distance(&[0.75, 0.25], |x| x), 0.25));
    }

    #[test]
    fn holm_stops_at_the_first_that_is_not_small_enough() {
        // 0.01 <= 0.05/4, 0.015 <= 0.05/3, 0.03 > 0.05/2: the last two stay, though 0.04 <= 0.05.
        assert_eq!(holm(&[0.04, 0.01, 0.03, 0.015], 0.05), [false, true, false, true]);
        assert!(holm(&[], 0.05).is_empty());
    }

    #[test]
    fn percentiles_are_members_of_the_sample() {
        let sorted: Vec<u64> = (0..2_000).collect();
        // 1999 * 0.005 = 9.995, rounded outwards on both ends.
        assert_eq!(percentile(&sorted, 5), Some(9));
        assert_eq!(percentile(&sorted, 995), Some(1_990));
        assert_eq!(percentile(&[7], 500), Some(7));
        assert_eq!(percentile(&[], 500), None);
    }
}
