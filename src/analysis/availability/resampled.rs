//! The average of years, and how sure it is: a bootstrap with draws that have an address.

use crate::engine::{Owner, Purpose, Random, index_below};

/// How often years are drawn again, and how many of these lie beyond each end of the interval.
const RESAMPLES: u64 = 1000;
const BEYOND: usize = 25;
/// Of years that were down equally long so many are the fewest that tell how sure their average is; of
/// others more.
const FEWEST_YEARS: u128 = 20;

/// The average, rounded down; 0 of nothing.
pub fn mean(all: &[i64]) -> i64 {
    whole(sum(all.iter().copied()).checked_div_euclid(all.len() as i128))
}

/// The average, rounded up: a little is not nothing.
pub fn mean_up(all: &[i64]) -> i64 {
    up(sum(all.iter().copied()), all.len())
}

/// The ends of the average's 95 % interval, rounded outward; nothing where the years that it rests on are too
/// few for one.
pub fn interval(all: &[i64]) -> Option<[i64; 2]> {
    if carrying(all) < FEWEST_YEARS {
        return None;
    }
    let random = Random::new(1);
    let owner = Owner::named("years");
    let count = all.len() as u64;
    let again = |number: u64| {
        let one = |place: u64| {
            let draw = random.draw(owner, Purpose(0), number * count + place);
            all[usize::try_from(index_below(count, draw)).expect("a place in memory")]
        };
        sum((0..count).map(one))
    };
    let mut sums: Vec<i128> = (0..RESAMPLES).map(again).collect();
    sums.sort_unstable();
    let (low, high) = (sums[BEYOND], sums[sums.len() - 1 - BEYOND]);
    Some([whole(low.checked_div_euclid(all.len() as i128)), up(high, all.len())])
}

fn sum(all: impl Iterator<Item = i64>) -> i128 {
    all.map(i128::from).sum()
}

fn up(sum: i128, count: usize) -> i64 {
    whole((-sum).checked_div_euclid(count as i128).map(|less| -less))
}

fn whole(mean: Option<i128>) -> i64 {
    i64::try_from(mean.unwrap_or_default()).expect("none is beyond all of them")
}

/// How many years that are equally long down would tell as much of their average as these do: a few bad
/// ones are nearly all of it (Kish's effective size).
fn carrying(all: &[i64]) -> u128 {
    // Milliseconds and a bit: the square of a million years' sum still fits.
    let parts = || all.iter().map(|micros| u128::from(micros.unsigned_abs() >> 10));
    let (sum, squares) = (parts().sum::<u128>(), parts().map(|down| down * down).sum::<u128>());
    (sum * sum).checked_div(squares).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_rounded_either_way_and_intervals_outward() {
        assert_eq!([mean(&[0, 0, 1]), mean_up(&[0, 0, 1])], [0, 1]);
        assert_eq!([mean(&[0, 0, -1]), mean_up(&[0, 0, -1])], [-1, 0]);
        assert_eq!([mean(&[6, 2]), mean_up(&[6, 2])], [4, 4]);
        assert_eq!([mean(&[]), mean_up(&[])], [0, 0]);
        let years: Vec<i64> = (0..101).map(|year| 60_000_000 + year % 2).collect();
        assert_eq!(interval(&years), Some([60_000_000, 60_000_001]));
    }
}
