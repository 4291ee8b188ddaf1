//! Ages and tables as kubectl prints them.

use super::table::{Table, age};
use crate::engine::{Duration, SimTime};

#[test]
fn ages_read_as_kubectl_prints_them() {
    let printed = |seconds: u64| {
        let created = SimTime::from_micros(1);
        age(created + Duration::from_secs(seconds), created)
    };
    let cases = [
        (0, "0s"),
        (110, "110s"),
        (120, "2m"),
        (142, "2m22s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (30_000, "8h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (800_000, "9d"),
    ];
    for (seconds, text) in cases {
        assert_eq!(printed(seconds), text, "{seconds} s");
    }
    assert_eq!(age(SimTime::from_micros(60_000_000), SimTime::ZERO), "30d");
}

#[test]
fn columns_stand_three_blanks_apart() {
    let mut table = Table::new(&["NAME", "STATUS"]);
    table.push(vec!["worker-0".to_owned(), "NotReady,SchedulingDisabled".to_owned()]);
    assert_eq!(table.to_string(), "NAME       STATUS\nworker-0   NotReady,SchedulingDisabled\n");
}
