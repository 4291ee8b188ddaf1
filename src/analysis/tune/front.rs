//! The Pareto front: the points that no other one beats in both gain and price.
//!
//! It knows two numbers of each point, the less the better, and not what they mean.

/// Which of these points are on the front, in their order. Equal points are on it together.
pub fn front<G: Ord + Copy, P: Ord + Copy>(points: &[(G, P)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|place| points[*place]);
    let mut on = vec![false; points.len()];
    // Of those with a smaller gain nobody may be as cheap; of equals in gain the cheapest stay.
    let mut cheapest: Option<P> = None;
    for same in order.chunk_by(|a, b| points[*a].0 == points[*b].0) {
        let price = points[same[0]].1;
        if cheapest.is_none_or(|cheapest| price < cheapest) {
            cheapest = Some(price);
            same.iter().filter(|place| points[**place].1 == price).for_each(|it| on[*it] = true);
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_dearer_and_no_faster_is_not_on_it() {
        let points = [(1, 9), (2, 5), (2, 5), (2, 6), (3, 5), (4, 1), (5, 1)];
        assert_eq!(front(&points), [true, true, true, false, false, true, false]);
        assert!(front::<u8, u8>(&[]).is_empty());
    }

    fn beats(a: (u8, u8), b: (u8, u8)) -> bool {
        a.0 <= b.0 && a.1 <= b.1 && a != b
    }

    proptest! {
        #[test]
        fn no_point_on_it_is_beaten_and_every_other_is_by_one_on_it(
            points in proptest::collection::vec((0u8..12, 0u8..12), 0..40)
        ) {
            let on = front(&points);
            prop_assert_eq!(on.len(), points.len());
            let of_front = || points.iter().zip(&on).filter(|(_, on)| **on).map(|(point, _)| *point);
            for (point, on) in points.iter().zip(&on) {
                let beaten = of_front().any(|other| beats(other, *point));
                prop_assert_eq!(beaten, !on);
                prop_assert!(!on || !points.iter().any(|other| beats(*other, *point)));
            }
        }
    }
}
