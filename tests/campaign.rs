//! The campaign that is written down reaches all that has to be reached, and breaks no law of data.

use healsim::analysis::invariants::{ALL, Kind};

const CAMPAIGN: &str = include_str!("../docs/campaign.md");

/// Raft's laws on the running cluster, and those of what is stored.
const OF_DATA: [&str; 6] = [
    "election-safety",
    "log-matching",
    "leader-completeness",
    "state-machine-safety",
    "stores-agree",
    "one-pod-of-an-identity",
];

/// The part of each platform, with how many runs were played.
fn platforms() -> impl Iterator<Item = (&'static str, u64, &'static str)> {
    let parts = CAMPAIGN.split("\n## ").skip(1);
    parts.filter_map(|part| {
        let name = part.lines().next()?;
        let runs = part.lines().find_map(|line| line.split(" runs, seeds").next()?.parse().ok())?;
        Some((name, runs, part))
    })
}

/// In how many runs something was reached: `   123    0.6 %    17  NAME`.
fn reached(part: &str, name: &str) -> Option<u64> {
    let line = part.lines().find(|line| line.split_whitespace().last() == Some(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn everything_that_has_to_be_reached_is_reached_ten_times_in_ten_thousand_runs() {
    let mut found = 0;
    for (platform, runs, part) in platforms() {
        assert!(runs >= 5_000, "{platform}: {runs} runs");
        for law in ALL.iter().filter(|law| law.kind == Kind::Sometimes) {
            let times = reached(part, law.name);
            let times = times.unwrap_or_else(|| panic!("{platform}: {} is not counted", law.name));
            assert!(times * 10_000 >= 10 * runs, "{platform}: {} in {times} of {runs}", law.name);
            found += 1;
        }
    }
    assert!(found > 0 && platforms().count() == 2);
}

#[test]
fn no_law_of_raft_or_of_data_was_broken() {
    for law in OF_DATA {
        assert!(ALL.iter().any(|it| it.name == law), "there is no law {law}");
    }
    for (platform, _, part) in platforms() {
        let told = part.lines().filter_map(|line| line.strip_prefix("violated  "));
        let broken: Vec<&str> = told.filter_map(|line| line.split(':').next()).collect();
        let bad = broken.iter().find(|law| OF_DATA.contains(law));
        assert_eq!(bad, None, "{platform}");
    }
}

/// What else was broken may be true of the real systems, or a fault of the law: the text says it.
#[test]
fn what_was_broken_is_explained() {
    for (platform, _, part) in platforms() {
        let prose = part.rsplit("```").next().expect("what follows the table");
        for again in part.lines().filter(|line| line.trim_start().starts_with("again: ")) {
            let seed = again.split(" --seed ").nth(1).and_then(|rest| rest.split(' ').next());
            let seed = seed.expect("the command has a seed");
            assert!(prose.contains(seed), "{platform}: nothing is said of seed {seed}");
        }
    }
}
