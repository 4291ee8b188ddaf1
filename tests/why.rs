//! `why`: the parts add up, name what they wait for, and predict.

use Growth::{Times, UpTo};
use healsim::analysis::why::{Part, Question, Settings, Share, Why, never, sum_up, why};
use healsim::engine::{Duration, Rule, Text};
use healsim::scenario::{Game, load, models};
use healsim::timeline::FAULT;
use std::collections::BTreeMap;
use std::process::Command;

fn game(name: &str, set: &[(String, String)]) -> Game {
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, None, set, None).expect("valid")
}

fn recovery(game: &Game, seed: u64) -> Why {
    why(game, seed, &Question::default()).unwrap_or_else(|_| panic!("seed {seed} recovers"))
}

/// How many seeds the laws are tried with; more by `HEALSIM_SEEDS`.
fn seeds() -> u64 {
    let asked = std::env::var("HEALSIM_SEEDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(8)
}

#[test]
fn the_readme_shows_what_why_prints() {
    let readme = include_str!("../README.md");
    let section = readme.split_once("## Why so long").expect("the section").1;
    let shown = section.split("```\n").nth(1).expect("a block of text");
    let why =
        Command::new(env!("CARGO_BIN_EXE_healsim")).args(["why", "worker-vm-deleted"]).output();
    let printed = String::from_utf8(why.expect("the binary runs").stdout).expect("text");
    let parts: Vec<&str> = shown.split("...\n").collect();
    assert_eq!(parts.len(), 2);
    for part in parts {
        assert!(printed.contains(part), "{part}is not in\n{printed}");
    }
}

/// Seeds whose way passes through somebody who looks at his own times and finds an object gone: the
/// cloud controller, and the garbage collector of Pods.
const POLLED: [u64; 2] = [50, 804];

#[test]
fn the_parts_add_up_in_every_seed_and_nearly_all_of_the_time_has_a_source() {
    let game = game("worker-vm-deleted", &[]);
    for seed in (1..seeds() + 1).chain(POLLED) {
        let why = recovery(&game, seed);
        assert_eq!(why.parts.first().map(|part| part.from), Some(why.fault()), "seed {seed}");
        assert_eq!(why.parts.last().map(|part| part.to), Some(why.milestone.at), "seed {seed}");
        let gap = why.parts.windows(2).find(|two| two[0].to != two[1].from);
        assert_eq!(gap, None, "seed {seed}");
        let sum = why.parts.iter().fold(Duration::ZERO, |sum, part| sum + part.length());
        assert_eq!(sum, why.whole(), "seed {seed}");
        let shares = sum_up(&why.parts);
        let sourced = shares.iter().filter(|share| why.settings.contains_key(share.rule));
        let sourced = sourced.fold(Duration::ZERO, |sum, share| sum + share.length);
        let percent = sourced.as_micros() * 100 / why.whole().as_micros();
        assert!(percent >= 95, "seed {seed}: {percent} % of {}", why.whole());
        assert!(shares.iter().all(|share| share.rule != "other" && !share.rule.is_empty()));
        // Nothing that ticks beside the way is taken for it.
        let limit = Duration::from_secs(280);
        for rule in ["machineHealthCheck.unknownTimeout", "clusterApi.drainUnreachableSkip"] {
            let of = shares.iter().find(|share| share.rule == rule);
            assert!(of.is_some_and(|share| share.length > limit), "seed {seed}: {rule} {of:?}");
        }
    }
}

#[test]
fn a_ledger_changes_nothing() {
    // Power, deletions, joins, quorum, hosts, files: whatever the steps go through.
    for name in ["worker-vm-deleted", "control-plane-power-off", "etcd-one-of-three", "host-down"] {
        let game = game(name, &[]);
        let mut kept = game.begin(3);
        kept.keep_ledger();
        kept.run_to_end();
        assert!(kept.take_ledger().is_some_and(|ledger| !ledger.is_empty()), "{name}");
        let (mut kept, mut plain) = (game.judge(kept.finish(), 3), game.play(3));
        // With a ledger every heartbeat is played.
        (kept.engine_events, plain.engine_events) = (0, 0);
        assert_eq!(format!("{kept:?}"), format!("{plain:?}"), "{name}");
    }
}

/// Settings with which nothing heals if they are 10 s longer: a network, a disk and a server that slow
/// make every request end too late. There is no way to read then.
const NOTHING_HEALS: [&str; 4] = [
    "etcd.walFsync",
    "kubernetes.apiserverService",
    "infra.networkLatency",
    "infra.loopbackLatency",
];

/// What comes again and again: somebody looks up to a whole period later, or in time all the same.
const PERIODS: [&str; 3] =
    ["kubernetes.nodeMonitorPeriod", "clusterApi.drainPoll", "kubernetes.nodeReadyLook"];

#[test]
fn ten_seconds_more_of_a_setting_move_the_milestone_as_it_says_or_it_names_what_takes_over() {
    let before = recovery(&game("worker-vm-deleted", &[]), 1);
    let ten = signed(Duration::from_secs(10));
    let (mut said, mut nothing_heals) = (0, Vec::new());
    for share in sum_up(&before.parts).iter().filter(|share| is_key(share.rule)) {
        let Some(setting) = before.settings.get(share.rule) else { continue };
        let Some(value) = raised(&setting.value, Duration::from_secs(10)) else { continue };
        let set = [(share.rule.to_owned(), value)];
        let Ok(after) = why(&game("worker-vm-deleted", &set), 1, &Question::default()) else {
            nothing_heals.push(share.rule);
            continue;
        };
        let moved = signed(after.whole()) - signed(before.whole());
        let (old, new) = (sum_up(&before.parts), sum_up(&after.parts));
        let changed = changes(&old, &new);
        let sum: i64 = changed.values().sum();
        assert_eq!(sum, moved, "{}: what changed adds up to the move", share.rule);
        let own = changed.get(share.rule).copied().unwrap_or_default();
        let waits = new.iter().find(|it| it.rule == share.rule).map_or(0, |it| it.count);
        let most = ten * i64::try_from(waits).expect("few");
        // Of its waits each is so much longer. A look that comes every second may see it a look
        // earlier or later.
        let as_said = waits > 0 && (own - most).abs() < 1_500_000;
        let is_bounded = PERIODS.contains(&share.rule) && (0..=most).contains(&own);
        // Else it is not what is waited for any more, and the new way names what is: with a
        // health check of 5m10s, the Pods' toleration of 5m evicts them before the drain does.
        let others = changed.iter().filter(|(rule, _)| **rule != share.rule);
        let over = others.max_by_key(|(_, by)| **by);
        let takes_over = own < 0 && over.is_some_and(|(_, by)| *by * 2 >= -own);
        assert!(as_said || is_bounded || takes_over, "{}: {moved} {changed:?}", share.rule);
        said += usize::from(as_said);
    }
    nothing_heals.sort_unstable();
    let mut expected = NOTHING_HEALS;
    expected.sort_unstable();
    assert_eq!(nothing_heals, expected);
    assert!(said > 12, "only {said} moved it as they say");
}

/// The same with so much more, at both ends of a range; nothing for what is no length of time.
fn raised(value: &str, more: Duration) -> Option<String> {
    let one = |text: &str| Some((text.parse::<Duration>().ok()? + more).to_string());
    match value.split_once("..") {
        Some((low, high)) => Some(format!("{}..{}", one(low)?, one(high)?)),
        None => one(value),
    }
}

fn signed(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).expect("a run ends")
}

fn changes(before: &[Share], after: &[Share]) -> BTreeMap<Rule, i64> {
    let mut changed: BTreeMap<Rule, i64> = BTreeMap::new();
    for (shares, sign) in [(before, -1), (after, 1)] {
        for share in shares {
            *changed.entry(share.rule).or_default() += sign * signed(share.length);
        }
    }
    changed.retain(|_, by| *by != 0);
    changed
}

#[test]
fn who_only_looks_again_and_again_is_not_blamed_and_who_is_blamed_moves_it() {
    let mut untold = 0;
    for (name, platform, seed) in [
        // A load balancer's check, a requeue, a probe of the cluster, an API server's members that dial each other.
        ("control-plane-vm-deleted", "tkgs-2024", 1),
        ("control-plane-vm-deleted", "tkgs-2024", 4),
        ("control-plane-upgrade-vm-dies", "tkgs-2024", 1),
        ("worker-vm-deleted", "tkgs-current", 2),
        ("host-down", "tkgs-current", 2),
    ] {
        let of = |set: &[(String, String)]| {
            let scenario = load(name).expect("embedded");
            let game = Game::new(&scenario, Some(platform), set, None).expect("valid");
            recovery(&game, seed)
        };
        let before = of(&[]);
        let shares = sum_up(&before.parts);
        let is_blamed =
            |share: &&Share| share.count > 10 && share.length.scaled(4, 1) > before.whole();
        let blamed = shares.iter().find(is_blamed);
        assert!(blamed.is_none(), "{name} {seed}: {blamed:?}");
        let top = &shares[0];
        let Some(setting) = before.settings.get(top.rule) else {
            untold += 1;
            continue;
        };
        let more = top.length.scaled(3, 10).scaled(1, u64::try_from(top.count).expect("few"));
        let Some(value) = raised(&setting.value, more) else { continue };
        let after = of(&[(top.rule.to_owned(), value)]);
        let moved = signed(after.whole()) - signed(before.whole());
        let takes_over = sum_up(&after.parts)[0].rule != top.rule;
        let moves = moved.abs() * 10 > signed(more);
        assert!(moves || takes_over, "{name} {seed}: {} by {more}: {moved}", top.rule);
    }
    assert!(untold < 2, "of {untold} nothing tells what they waited for");
}

#[test]
fn for_what_never_heals_it_names_what_was_tried_and_helped() {
    let patience = Duration::from_secs(20 * 60);
    let found = never(&game("apiserver-removed", &[]), 1, &Question::default(), patience, 2);
    assert!(found.waiting.iter().any(|it| it.object == *"Process/kube-apiserver@control-plane-0"));
    let best = found.releases.first().expect("putting the files back helps");
    assert_eq!(best.action.matches("restoreFile").count(), 3, "{:?}", found.releases);
    assert!(found.releases.len() < usize::try_from(found.tried).expect("few"), "not all help");
    // A machine whose disk is gone has nothing that could be put back.
    let patience = Duration::from_secs(10 * 60);
    let found =
        never(&game("control-plane-single-deleted", &[]), 1, &Question::default(), patience, 2);
    assert_eq!(found.releases, []);
    assert!(found.tried > 0 && !found.waiting.is_empty());
}

#[test]
fn a_run_in_which_everything_is_well_needs_nobody() {
    let question = Question {
        milestone: Some(Text::word("nodeReady")),
        object: Some(Text::word("Node/worker-0")),
    };
    let found = never(&game("worker-vm-deleted", &[]), 1, &question, Duration::from_secs(600), 1);
    assert!(found.by_itself.is_some() && found.tried == 0, "{:?}", found.by_itself);
    assert_eq!((found.waiting, found.releases), (Vec::new(), Vec::new()));
}

#[test]
fn a_milestone_of_one_object_is_asked_for_by_its_name() {
    let game = game("worker-vm-deleted", &[]);
    let of = |object: &'static str| Question {
        milestone: Some(Text::word("nodeReady")),
        object: Some(Text::word(object)),
    };
    assert!(why(&game, 1, &of("Node/worker-0")).is_err(), "it does not come back");
    let machine = Question {
        milestone: Some(Text::word("machineDeleted")),
        object: Some(Text::word("Machine/worker-0")),
    };
    let found = why(&game, 1, &machine).unwrap_or_else(|_| panic!("it goes"));
    assert_eq!(found.milestone.object, "Machine/worker-0");
    assert!(found.whole() < recovery(&game, 1).whole());
}

#[test]
fn whose_machine_is_stuck_waits_for_the_person_who_deletes_it() {
    // The controller looks from minute 32 on, and the person comes at 49; the new Machine has another name.
    let why = recovery(&game("control-planes-two-deleted-restored", &[]), 2);
    let shares = sum_up(&why.parts);
    assert_eq!(shares[0].rule, FAULT, "{:?}", shares[0]);
    let created = why.parts.iter().find(|part| part.rule == "infra.cloneAndPowerOn");
    let person = why.parts.iter().rfind(|part| part.rule == FAULT).expect("the scenario itself");
    let late = created.expect("a new VM").from.since(person.to);
    assert!(late < Duration::from_secs(60), "{late}");
}

#[test]
fn a_wait_for_a_worker_is_named_after_the_setting_that_gives_more_of_them() {
    const WORKERS: &str = "vmOperator.maxConcurrentReconciles";
    let is_for_one = |part: &Part| part.rule.ends_with("orkers") || part.rule == WORKERS;
    let waits = |set: &[(String, String)]| {
        let parts = recovery(&game("worker-power-off", set), 1).parts;
        parts.into_iter().filter(is_for_one).collect::<Vec<_>>()
    };
    // Of a single worker nothing would be left to make VMs.
    let set = [(WORKERS, "1"), ("vmOperator.maxCreatePercent", "100")];
    let found = waits(&set.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(!found.is_empty() && found.iter().all(|part| part.rule == WORKERS), "{found:?}");
    assert_eq!(waits(&[]), Vec::new());
}

#[test]
fn every_rule_that_a_wait_is_named_by_is_a_setting() {
    let game = game("worker-vm-deleted", &[]);
    let mut found = 0;
    for path in sources("src/components").chain(sources("src/client")).chain(sources("src/world")) {
        let text = std::fs::read_to_string(&path).expect("a source");
        for literal in text.split('"').skip(1).step_by(2).filter(|text| is_key(text)) {
            found += 1;
            let place = path.display();
            assert!(game.settings().contains_key(literal), "{place}: no setting `{literal}`");
        }
    }
    assert!(found > 100, "only {found} rules");
}

/// A latency is drawn for one way: a first message has a handshake before it, and an answer after it.
const LATENCIES: [&str; 2] = ["infra.networkLatency", "infra.loopbackLatency"];
const WAYS: u64 = 4;

/// Backoffs: the first pause and the limit, to how many percent each pause grows, and by how many
/// percent one can be longer for chance. Without a limit a pause grows so many times.
const BACKOFFS: [(&str, Growth, u64, u64); 13] = [
    ("kubernetes.nodeLeaseBackoffFirst", UpTo("kubernetes.nodeLeaseBackoffLimit"), 200, 0),
    ("kubernetes.registrationBackoffFirst", UpTo("kubernetes.registrationBackoffLimit"), 200, 0),
    ("kubernetes.restartBackoffFirst", UpTo("kubernetes.restartBackoffLimit"), 200, 0),
    ("kubernetes.controllerBackoffFirst", UpTo("kubernetes.controllerBackoffLimit"), 200, 0),
    ("kubernetes.podInitialBackoff", UpTo("kubernetes.podMaxBackoff"), 200, 0),
    ("kubernetes.volumeRetryFirst", UpTo("kubernetes.volumeRetryLimit"), 200, 0),
    ("kubernetes.etcdBackoffFirst", UpTo("kubernetes.etcdBackoffLimit"), 160, 20),
    ("kubernetes.relistBackoffFirst", UpTo("kubernetes.relistBackoffLimit"), 200, 0),
    ("kubernetes.jobBackoffFirst", UpTo("kubernetes.jobBackoffLimit"), 200, 0),
    ("kubernetes.endpointSliceBackoffFirst", UpTo("kubernetes.endpointSliceBackoffLimit"), 200, 0),
    ("clusterApi.backoffFirst", UpTo("clusterApi.backoffLimit"), 200, 0),
    ("kubernetes.csiNodeTryFirst", Times(2), 500, 10),
    ("kubernetes.csiNodeRoundFirst", Times(4), 600, 10),
];

/// How far a pause grows while it has the name of the first.
#[derive(Clone, Copy)]
enum Growth {
    UpTo(&'static str),
    Times(u32),
}

/// The longest wait that can have the name of a rule; nothing where no law is known.
fn longest(rule: &str, settings: &Settings) -> Option<Duration> {
    let high = |key: &str| {
        let value = &settings[key].value;
        let end = value.split_once("..").map_or(value.as_str(), |(_, high)| high);
        end.parse::<Duration>().expect("a length of time")
    };
    if LATENCIES.contains(&rule) {
        return Some(high(rule) * WAYS);
    }
    for (first, growth, percent, jitter) in BACKOFFS {
        let mut pause = high(first);
        match growth {
            UpTo(limit) if limit == rule => pause = high(limit),
            _ if first != rule => continue,
            UpTo(limit) => {
                while pause.scaled(percent, 100) < high(limit) {
                    pause = pause.scaled(percent, 100);
                }
            }
            Times(times) => (0..times).for_each(|_| pause = pause.scaled(percent, 100)),
        }
        return Some(pause.scaled(100 + jitter, 100));
    }
    None
}

/// Power, disks, kubelets, links and repairs; of all scenarios with `HEALSIM_SEEDS`.
const READ: [&str; 7] = [
    "worker-vm-deleted",
    "worker-power-off",
    "control-plane-kubelet-stopped-follower",
    "control-plane-upgrade-vm-dies",
    "etcd-crash-loop-repaired",
    "lab/kcp-remediate-annotation",
    "published/gateway-lost-short-circuit",
];

#[test]
fn no_wait_is_longer_than_what_it_is_named_after() {
    let (mut read, mut bound) = (0, 0);
    let asked = std::env::var("HEALSIM_SEEDS").is_ok();
    for name in if asked { models::scenarios() } else { READ.to_vec() } {
        let Ok(found) = why(&game(name, &[]), 1, &Question::default()) else { continue };
        read += 1;
        for part in &found.parts {
            let Some(longest) = longest(part.rule, &found.settings) else { continue };
            bound += 1;
            let Part { rule, from, .. } = part;
            let length = part.length();
            assert!(length <= longest, "{name}: {rule} for {length} since {from:?}, not {longest}");
        }
    }
    assert!(read >= READ.len() && bound > 1_000, "only {bound} waits of {read} scenarios");
}

/// The sources below a folder that are no tests.
fn sources(folder: &str) -> impl Iterator<Item = std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut open = vec![root];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        match path.is_dir() {
            true => {
                let entries = std::fs::read_dir(&path).expect("a folder");
                open.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
            false => found.push(path),
        }
    }
    let is_test = |path: &std::path::PathBuf| path.to_string_lossy().contains("test");
    found.into_iter().filter(move |path| !is_test(path))
}

/// `kubernetes.nodeMonitorPeriod`: a prefix of the catalog, a dot, a word.
fn is_key(text: &str) -> bool {
    const PREFIXES: [&str; 11] = [
        "kubernetes",
        "etcd",
        "clusterApi",
        "machineHealthCheck",
        "infra",
        "vmOperator",
        "capv",
        "vsphere",
        "loadBalancer",
        "network",
        "users",
    ];
    let parts = text.split_once('.');
    parts.is_some_and(|(prefix, word)| {
        PREFIXES.contains(&prefix) && !word.is_empty() && word.chars().all(char::is_alphanumeric)
    })
}
