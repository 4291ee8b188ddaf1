//! How sure a quantile or a share of so many runs is: 95 % confidence intervals in whole numbers.
//!
//! A quantile's interval comes from order statistics: how many of n runs lie below the true value
//! is binomial, whatever the figure's own distribution, so two ranks enclose it. Nothing is
//! assumed to be normal and nothing is a float, so every machine tells the same ranks.

/// One in so many estimates may lie beyond each end: together 5 %.
const ONE_IN: u128 = 40;
/// The largest weight of a binomial distribution in fixed point; what is 2^-80 of it counts as
/// nothing. With it, products of 2^40 runs stay below 2^128.
const ONE: u128 = 1 << 80;
/// The 97.5 % quantile of the normal distribution in millionths, which Wilson's interval is made
/// with.
const Z: u128 = 1_959_964;
const MILLION: u128 = 1_000_000;

/// The ranks, counted from 1 for the smallest, whose values enclose a quantile; absent where not
/// even the smallest or the largest of so few runs is far enough out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranks {
    pub low: Option<u64>,
    pub high: Option<u64>,
}

/// The ranks for the quantile of so many percent (1 to 99) over so many runs.
pub fn ranks(percent: u64, runs: u64) -> Ranks {
    let (first, weights) = binomial(percent, runs);
    let all: u128 = weights.iter().sum();
    let within = |sum: u128| sum * ONE_IN <= all;
    // `below` is how many runs are surely allowed to lie below the true value.
    let mut sum = 0;
    let below = weights.iter().take_while(|weight| {
        sum += **weight;
        within(sum)
    });
    let low = first + below.count() as u64;
    let mut sum = 0;
    let above = weights.iter().rev().take_while(|weight| {
        sum += **weight;
        within(sum)
    });
    let high = first + weights.len() as u64 - above.count() as u64;
    Ranks { low: (low >= 1).then_some(low), high: (high <= runs).then_some(high) }
}

/// How many runs a quantile needs at least until its interval has both ends.
pub fn runs_needed(percent: u64) -> u64 {
    let has_both = |ranks: Ranks| ranks.low.is_some() && ranks.high.is_some();
    (1..).find(|runs| has_both(ranks(percent, *runs))).expect("some number of runs is enough")
}

/// The rank of a quantile (nearest rank): the smallest value that so many percent do not exceed.
pub fn rank(percent: u64, runs: u64) -> u64 {
    (u128::from(percent) * u128::from(runs)).div_ceil(100).max(1) as u64
}

/// Wilson's interval of a share, in millionths: of `part` runs among `all`.
pub fn wilson(part: u64, all: u64) -> (u64, u64) {
    if all == 0 {
        return (0, MILLION as u64);
    }
    let (part, all) = (u128::from(part), u128::from(all));
    let square = Z * Z / MILLION; // In millionths.
    let middle = 2 * part * MILLION + square;
    let inner = square * MILLION + 4 * MILLION * MILLION * part * (all - part) / all;
    let half = Z * inner.isqrt() / MILLION;
    let whole = 2 * (all * MILLION + square);
    let low = middle.saturating_sub(half) * MILLION / whole;
    let high = ((middle + half) * MILLION).div_ceil(whole).min(MILLION);
    (low as u64, high as u64)
}

/// The weights of a binomial distribution around its mode, and the count that the first is of.
fn binomial(percent: u64, runs: u64) -> (u64, Vec<u128>) {
    let (hit, miss) = (u128::from(percent), u128::from(100 - percent));
    let mode = (u128::from(runs + 1) * hit / 100).min(u128::from(runs)) as u64;
    let mut weights = Vec::new();
    let (mut weight, mut first) = (ONE, mode);
    while first > 0 {
        weight = weight * u128::from(first) * miss / (u128::from(runs - first + 1) * hit);
        if weight == 0 {
            break;
        }
        first -= 1;
        weights.push(weight);
    }
    weights.reverse();
    weights.push(ONE);
    let (mut weight, mut count) = (ONE, mode);
    while count < runs {
        weight = weight * u128::from(runs - count) * hit / (u128::from(count + 1) * miss);
        if weight == 0 {
            break;
        }
        count += 1;
        weights.push(weight);
    }
    (first, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tables of the binomial distribution: of 10 runs the median lies between the second
    /// and the ninth in 97.9 %, of 100 between the 40th and the 61st in 96.5 %.
    #[test]
    fn the_ranks_are_those_of_the_tables() {
        assert_eq!(ranks(50, 10), Ranks { low: Some(2), high: Some(9) });
        assert_eq!(ranks(50, 100), Ranks { low: Some(40), high: Some(61) });
        assert_eq!(ranks(50, 1), Ranks::default());
        assert_eq!(ranks(50, 0), Ranks::default());
    }

    /// `p^n <= 2.5 %` has the first solutions 6, 36, 72 and 368.
    #[test]
    fn too_few_runs_give_no_interval() {
        assert_eq!([50, 90, 95, 99].map(runs_needed), [6, 36, 72, 368]);
        assert_eq!(ranks(99, 367).high, None);
        assert!(ranks(99, 367).low.is_some());
        assert_eq!(ranks(99, 368).high, Some(368));
    }

    #[test]
    fn many_runs_do_not_overflow_and_are_near_the_normal_ranks() {
        // 9,000,000 less and plus 1.96 standard deviations of 948.7.
        let Ranks { low, high } = ranks(90, 10_000_000);
        let (low, high) = (low.unwrap(), high.unwrap());
        assert!((8_998_139..=8_998_143).contains(&low), "{low}");
        assert!((9_001_858..=9_001_862).contains(&high), "{high}");
    }

    /// Wilson's own formula by hand: 0 of 10 reaches to 27.75 %, 5 of 10 from 23.66 % to 76.34 %.
    #[test]
    fn shares_have_wilsons_interval() {
        assert_eq!(wilson(0, 10), (0, 277_533));
        assert_eq!(wilson(5, 10), (236_593, 763_407));
        assert_eq!(wilson(10, 10), (722_467, 1_000_000));
        assert_eq!(wilson(0, 0), (0, 1_000_000));
        let (low, high) = wilson(5_000_000, 10_000_000);
        assert!(low > 499_600 && high < 500_400);
    }
}
