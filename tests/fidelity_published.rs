//! Published recovery times, with few seeds: no row is far from its number that is said to agree, and none
//! meets it that is said to differ. `docs/fidelity-published.md` has more seeds.

use healsim::analysis::fidelity::published::{Published, ROWS, hold};
use healsim::engine::Duration;

/// What two seeds can be away from a number that forty have among them: a fifth of it, but no less
/// than 2 s and no more than 15 s.
fn slack(published: Published) -> Duration {
    let seconds = match published {
        Published::Between(low, _) => low / 5,
        Published::Never => 0,
    };
    Duration::from_secs(seconds.clamp(2, 15))
}

#[test]
fn each_published_time_is_where_its_row_says() {
    let held = hold(1..3, 2).expect("every scenario can be played");
    for (row, held) in ROWS.iter().zip(held) {
        let apart = held.apart;
        let what = format!("{}, {}: {held:?}", row.source, row.says);
        match row.differs {
            true => assert!(apart.is_none_or(|apart| apart > Duration::ZERO), "{what}"),
            false => assert!(apart.is_some_and(|apart| apart <= slack(row.published)), "{what}"),
        }
    }
}
