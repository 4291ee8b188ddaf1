//! Years of failures: how often they come, how long services are down for them, and what is refused.

use super::*;
use crate::engine::{Duration, Text};
use crate::scenario::{Failure, PlantCount, Source};

fn plant(spec: &str) -> Plant {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Availability\nmetadata: {{ name: mine }}\nspec:\n{spec}"
    );
    Plant::read(&Source::embedded("mine.yaml", &text)).expect("a cluster with rates")
}

/// Nothing fails but API servers' manifests, which somebody removes and a person puts back after 10
/// minutes.
const ONE_API_SERVER: &str = "  platform: tkgs-2024
  cluster: { controlPlane: 1, workers: 3 }
  rates: { vmOff: 0, vmDeleted: 0, hostDown: 0, zoneDown: 0, diskFull: 0, networkLost: 0, \
                              kubeletStopped: 0, etcdDataLost: 0, apiServerRemoved: 12/year }
  repair: { after: 10m..10m }
";

fn asked(plant: Plant, years: u64, jobs: usize) -> Asked {
    Asked { plant, years, first_seed: 1, jobs }
}

#[test]
fn failures_come_as_often_as_their_rates_say_each_kind_and_thing() {
    let plant = plant(
        "  cluster: { controlPlane: 3, workers: 5 }\n  rates: { vmOff: 2/year, vmDeleted: 1/month, \
         kubeletStopped: 0 }\n",
    );
    let years = 300;
    let all: Vec<Blow> = (0..years).flat_map(|seed| failures_of(&plant, seed)).collect();
    let count = |failure| all.iter().filter(|blow| blow.failure == failure).count() as u64;
    // The variance of a Poisson number is its mean: five times its root either way.
    for (failure, expected) in [
        (Failure::VmOff, 2 * 8 * years),
        (Failure::VmDeleted, 12 * 8 * years),
        (Failure::ApiServerRemoved, 3 * years / 20),
        (Failure::KubeletStopped, 0),
    ] {
        let found = count(failure);
        let slack = 5 * expected.isqrt();
        assert!(found.abs_diff(expected) <= slack, "{failure:?}: {found}, not {expected}");
    }
    let first = all.iter().filter(|blow| blow.failure == Failure::VmOff && blow.target == 0);
    assert!((first.count() as u64).abs_diff(2 * years) <= 5 * (2 * years).isqrt());
    // As many in each half of the year: the pauses are without memory.
    let early = all.iter().filter(|blow| blow.at < YEAR.scaled(1, 2)).count() as u64;
    assert!(early.abs_diff(all.len() as u64 / 2) <= 5 * (all.len() as u64).isqrt());
    let back = all.windows(2).filter(|two| two[0].at > two[1].at).count() as u64;
    assert!(back < years, "in order but for the ends of years");
}

#[test]
fn one_api_server_is_down_as_the_chain_of_two_states_says() {
    // Up, then down for the person's 10 minutes and the restart; then up again. With failures that
    // go on while it is down the chain's solution is: rate times the mean length of a down time, of
    // a year, as long as failures within one are rare.
    let found = availability(&asked(plant(ONE_API_SERVER), 4, 2), &Control::default());
    let found = found.expect("a cluster that can be");
    let api = found.services.iter().find(|service| service.name == *"api").expect("an API");
    let episodes: u64 = found.causes.iter().map(|(_, cause)| cause.episodes).sum();
    assert!(episodes.abs_diff(12 * 4) <= 5 * 48u64.isqrt(), "{episodes}");
    let each = Duration::from_micros(api.down.as_micros() * 4 / episodes);
    let (least, most) = (Duration::from_secs(9 * 60), Duration::from_secs(12 * 60));
    assert!(least < each && each < most, "{each} each of {episodes}");
    assert_eq!(found.causes.len(), 1);
    assert_eq!(found.causes[0].1.mended, episodes, "nothing else brings it back");
}

/// For how long the API is down when this strikes the first control-plane VM of so many.
fn api_down_by(failure: Failure, control_planes: u32) -> Duration {
    let planes = format!("controlPlane: {control_planes}");
    let spec = ONE_API_SERVER.replace("controlPlane: 1", &planes);
    let plant = plant(&spec.replace("after: 10m..10m", "after: 10m..10m, rebuild: 4h..4h"));
    let blow = Blow { at: Duration::ZERO, failure, target: 0, draw: 1 };
    let episode = play_episode(&plant, &[blow], 1).expect("a cluster that can be");
    assert!(episode.visits > 0, "it heals by itself: {episode:?}");
    episode.down[&Text::word("api")]
}

#[test]
fn a_cluster_that_has_lost_all_its_data_is_built_anew_and_has_no_api_meanwhile() {
    // Four times a person waits for 10 minutes; then it takes 4 h.
    let down = api_down_by(Failure::EtcdDataLost, 1);
    let sum = Duration::from_secs(4 * 600 + 4 * 3600);
    // A new member elects itself within seconds, and is seen to have nothing with the next entry.
    assert!(sum <= down + Duration::from_secs(5), "{down}");
    assert!(down <= sum + Duration::from_secs(60), "{down}");
    let spared = api_down_by(Failure::EtcdDataLost, 3);
    assert!(spared < Duration::from_secs(60), "{spared}");
}

/// What comes of failures of a cluster of so many control-plane VMs: so many seconds after the first, of
/// what, on which. A person comes after ten minutes.
fn episode(control_planes: u32, rebuild: &str, blows: &[(u64, Failure, u32)]) -> Episode {
    let spec = ONE_API_SERVER
        .replace("controlPlane: 1", &format!("controlPlane: {control_planes}"))
        .replace("after: 10m..10m", &format!("after: 10m..10m, rebuild: {rebuild}..{rebuild}"));
    let blow = |&(at, failure, target): &(u64, Failure, u32)| {
        let at = Duration::from_secs(at);
        Blow { at, failure, target, draw: 1 }
    };
    let blows: Vec<Blow> = blows.iter().map(blow).collect();
    play_episode(&plant(&spec), &blows, 1).expect("a cluster that can be")
}

const REMOVED: Failure = Failure::ApiServerRemoved;

#[test]
fn a_person_who_is_on_his_way_mends_what_fails_meanwhile() {
    let twice = episode(1, "4h", &[(0, REMOVED, 0), (540, REMOVED, 0)]);
    assert_eq!((twice.failures.as_slice(), twice.visits), (&[REMOVED; 2][..], 1));
    let down = twice.down[&Text::word("api")];
    assert!(Duration::from_secs(600) <= down && down < Duration::from_secs(720), "{down}");
}

#[test]
fn he_comes_again_for_what_fails_behind_his_back_and_that_is_not_in_vain() {
    let behind: Vec<_> = (0..6).map(|visit| (605 * visit, REMOVED, 0)).collect();
    let played = episode(1, "4h", &behind);
    assert_eq!((played.failures.len(), played.visits, played.is_rebuilt), (6, 6, false));
    let down = played.down[&Text::word("api")];
    assert!(down < Duration::from_secs(3_720), "{down}");
}

#[test]
fn where_nothing_is_on_a_person_comes_no_sooner_and_no_later() {
    let spec = ONE_API_SERVER.replace("workers: 3", "workers: 3, hosts: 1");
    let spec = spec.replace("10m..10m", "1h..1h");
    let blow = Blow { at: Duration::ZERO, failure: Failure::HostDown, target: 0, draw: 1 };
    let episode = play_episode(&plant(&spec), &[blow], 1).expect("a cluster that can be");
    assert_eq!((episode.visits, episode.is_rebuilt), (1, false), "{episode:?}");
    let down = episode.down[&Text::word("api")];
    // The host, its VMs and what runs on them start one after the other.
    assert!(Duration::from_secs(3_660) < down && down < Duration::from_secs(4_800), "{down}");
}

#[test]
fn what_fails_while_a_cluster_is_built_anew_hits_the_old_one() {
    // A lone member has lost its data, which is found in vain to mend for four times ten minutes.
    let lost = (0, Failure::EtcdDataLost, 0);
    let [short, long] = ["1h", "2h"].map(|rebuild| episode(1, rebuild, &[lost]).lasted);
    assert_eq!(long, short + Duration::from_secs(3600));
    // Then its worker is cut off, while the longer one of two rebuilds goes on.
    let second = (110 * 60, Failure::NetworkLost, 1);
    let [short, long] = ["1h", "2h"].map(|rebuild| episode(1, rebuild, &[lost, second]));
    assert_eq!((short.failures.len(), long.failures.len()), (1, 2));
    for episode in [short, long] {
        let (down, lasted) = (episode.down[&Text::word("api")], episode.lasted);
        assert!(lasted.saturating_sub(down) < Duration::from_secs(120), "{down} of {lasted}");
    }
}

#[test]
fn a_member_that_has_lost_its_data_is_replaced_if_the_others_are_a_quorum() {
    // The first member ends, for it was bootstrapped; another one begins with nothing, and panics.
    for (planes, target) in [(3, 0), (3, 1), (5, 4)] {
        let found = episode(planes, "1h", &[(0, Failure::EtcdDataLost, target)]);
        assert!(!found.is_rebuilt, "{found:?}");
        // Ten minutes until somebody comes, a minute, and a recovery that has to stay; if it has not come back
        // by itself, by another leader that knows nothing of what it had.
        assert!(found.visits < 2 && found.lasted < Duration::from_secs(20 * 60), "{found:?}");
        let deleted = format!("delete machine control-plane-{target}");
        let is_replaced = found.schedule.strikes.iter().any(|it| it.words.contains(&deleted));
        assert_eq!(is_replaced, found.visits == 1, "{found:?}");
        assert!(is_replaced || target > 0, "{found:?}");
    }
    // One has nobody to be taken out by.
    assert!(episode(1, "1h", &[(0, Failure::EtcdDataLost, 0)]).is_rebuilt);
}

#[test]
fn an_api_server_without_a_network_serves_nobody_until_a_person_comes() {
    let down = api_down_by(Failure::NetworkLost, 1);
    let person = Duration::from_secs(10 * 60);
    assert!(person <= down && down < person + Duration::from_secs(120), "{down}");
}

#[test]
fn a_few_bad_years_say_nothing_of_how_sure_their_average_is() {
    let played = episode(1, "4h", &[(0, REMOVED, 0)]);
    let service = |down: &dyn Fn(u64) -> u64| {
        let years: Vec<Year> = (0..30)
            .map(|seed| {
                let mut year = Year::new(seed);
                let down = Duration::from_secs(down(seed));
                let down = [(Text::word("api"), down)].into();
                let id = EpisodeId { seed, failure: 1 };
                year.add(id, &Episode { down, ..played.clone() });
                year
            })
            .collect();
        let found = Availability::of(&asked(plant(ONE_API_SERVER), 30, 1), &years);
        let worst = found.services[0].worst_episode.as_ref();
        assert_eq!(worst.map_or(0, |worst| worst.down.as_secs()), (0..30).map(down).max().unwrap());
        (found.services[0].interval, found.unseen(), found.unseen_down())
    };
    assert!(service(&|year| 60 + year).0.is_some());
    // Each year a second for a new leader; of one kind of outage that takes hours there were two.
    assert!(service(&|year| if year % 15 == 7 { 7_200 } else { 1 }).0.is_none());
    // One in ten years, each time for 10 minutes.
    let (_, often, down) = service(&|_| 0);
    assert_eq!((often, down), (100, Duration::from_secs(60)));
}

#[test]
fn a_failure_that_can_strike_nothing_is_refused() {
    let elsewhere = ONE_API_SERVER.replace("tkgs-2024", "lab-k8s-1.30-capi-1.7");
    let found = availability(&asked(plant(&elsewhere), 1, 1), &Control::default());
    let told = found.expect_err("its control plane has no manifest")[0].to_string();
    let words = "mine: apiServerRemoved cannot strike on lab-k8s-1.30-capi-1.7: `removeFile";
    assert!(told.starts_with(words) && told.ends_with(", or --rate apiServerRemoved=0"), "{told}");
    // With other rates than the file's, all that cannot be is told at once.
    let both = plant(&elsewhere).rated("kubeletStopped", "1/year").expect("a rate");
    let found = availability(&asked(both.clone(), 1, 1), &Control::default());
    let told = found.expect_err("neither a unit").texts();
    assert!(told.len() == 2 && told[0].contains("kubeletStopped cannot strike"), "{told:?}");
    let none = both.rated("kubeletStopped", "0").and_then(|it| it.rated("apiServerRemoved", "0"));
    let none = none.expect("no rate");
    assert!(availability(&asked(none.clone(), 1, 1), &Control::default()).is_ok());
    let wrong = |name, rate| none.clone().rated(name, rate).expect_err("no rate");
    assert!(wrong("kubeletStoped", "0").contains("did you mean `kubeletStopped`?"));
    assert!(wrong("vmOff", "2").contains("is not RATE/year, as 0.5/year"));
}

#[test]
fn three_api_servers_are_not_down_when_one_is() {
    let three = ONE_API_SERVER.replace("controlPlane: 1", "controlPlane: 3");
    let found = availability(&asked(plant(&three), 1, 2), &Control::default());
    let found = found.expect("a cluster that can be");
    let api = found.services.iter().find(|service| service.name == *"api").expect("an API");
    let episodes: u64 = found.causes.iter().map(|(_, cause)| cause.episodes).sum();
    assert!(episodes > 10, "{episodes}");
    assert!(api.down < Duration::from_secs(60), "{api:?}");
}

#[test]
fn a_cluster_that_is_never_well_is_refused() {
    // Its app wants more workers than there are.
    let small = ONE_API_SERVER.replace("workers: 3", "workers: 1");
    let found = availability(&asked(plant(&small), 1, 1), &Control::default());
    let told = found.expect_err("it is never well")[0].to_string();
    assert!(told.contains("1 control-plane VM and 1 worker on tkgs-2024 is never well"), "{told}");
}

#[test]
fn what_cannot_be_played_is_refused_with_its_place() {
    let refused = |spec: &str| {
        let head = "apiVersion: healsim/v1\nkind: Availability\nmetadata: { name: mine }\nspec:\n";
        let read = Plant::read(&Source::embedded("mine.yaml", &format!("{head}{spec}")));
        read.expect_err("it cannot be").to_string()
    };
    let late = refused("  repair: { after: 1h..50h }\n");
    assert!(late.contains("mine.yaml:5:20") && late.contains("at most 40h"), "{late}");
    let many = refused("  cluster: { workers: 100000 }\n");
    assert!(many.contains("100000 workers are not possible; write 1 to 1000"), "{many}");
    let none = refused("  cluster: { workers: 0 }\n");
    assert!(none.contains("0 workers are not possible; write 1 to 1000"), "{none}");
    let placed = refused("  cluster: { placement: [{ host: esxi-0, vms: [worker-0] }] }\n");
    assert!(placed.contains("availability places VMs itself"), "{placed}");
    let none = refused("  cluster: { hosts: 0 }\n");
    assert!(none.contains("mine.yaml:5:21") && none.contains("0 hosts are not possible"), "{none}");
    let few = refused("  cluster: { hosts: 2, zones: 3 }\n");
    assert!(few.contains("mine.yaml:5:21: 2 hosts cannot stand in 3 zones"), "{few}");
    for (what, least, most, words) in [
        (PlantCount::Workers, 1, 1_000, "workers are not possible; write 1 to 1000"),
        (PlantCount::Hosts, 1, 96, "hosts are not possible; write 1 to 96, or nothing"),
        (PlantCount::Zones, 0, 20, "zones are not possible; write 0 to 20"),
    ] {
        let with = |count: u32| plant(ONE_API_SERVER).with(what, count);
        assert!(with(least).is_ok() && with(most).is_ok(), "{words}");
        for count in [least.checked_sub(1), Some(most + 1)].into_iter().flatten() {
            let refused = with(count).expect_err(words);
            assert!(refused.contains(&format!("{count} {words}")), "{refused}");
        }
    }
    let missing = Plant::load("missing.yaml").expect_err("no such file").to_string();
    assert!(missing.contains("take three-and-three or three-zones"), "{missing}");
    let off = plant("  cluster: { highAvailability: false }\n");
    assert_eq!(off.settings, [("vsphere.highAvailability".to_owned(), "false".to_owned())]);
}

#[test]
fn another_platform_and_settings_stand_for_those_of_the_file() {
    let key = "machineHealthCheck.unknownTimeout";
    let set = |value: &str| [(key.to_owned(), value.to_owned())];
    let load = |platform, set: &[_]| Plant::load_on("three-and-three", platform, set);
    let plant = load(Some("tkgs-current"), &set("3m")).expect("it can be");
    assert_eq!((plant.platform.as_str(), plant.workers), ("tkgs-current", 3));
    assert_eq!(plant.settings, set("3m"));
    let wrong = load(None, &set("soon")).expect_err("no duration").to_string();
    assert!(wrong.starts_with(&format!("--set {key}=soon: `soon` is not a duration")), "{wrong}");
    let wrong = load(Some("tkgs-2042"), &[]).expect_err("no such platform").to_string();
    assert!(wrong.contains("tkgs-2042") && !wrong.contains("yaml"), "{wrong}");
}

#[test]
fn what_two_clusters_both_have_fails_at_the_same_times() {
    let of = |planes: u32| plant(&format!("  cluster: {{ controlPlane: {planes}, workers: 4 }}\n"));
    let [three, five] = [of(3), of(5)];
    let named = |plant: &Plant, seed: u64| {
        let name = |blow: &Blow| blow.failure.target(plant, blow.target);
        let all = failures_of(plant, seed).into_iter();
        all.map(|blow| (blow.at, blow.failure, name(&blow), blow.draw)).collect::<Vec<_>>()
    };
    for seed in 1..20 {
        let mut more = named(&five, seed);
        more.retain(|(_, _, name, _)| !["control-plane-3", "control-plane-4"].contains(&&**name));
        assert_eq!(named(&three, seed), more, "seed {seed}");
    }
}

#[test]
fn a_worker_more_is_no_other_luck_for_the_api() {
    let plant =
        |workers: u32| plant(&ONE_API_SERVER.replace("workers: 3", &format!("workers: {workers}")));
    let played = [3, 4].map(|workers| {
        availability(&asked(plant(workers), 3, 2), &Control::default()).expect("it can be")
    });
    let down =
        |one: &Availability| one.services.iter().find(|it| it.name == *"api").map(|it| it.down);
    assert!(down(&played[0]).is_some_and(|down| down > Duration::from_secs(3600)));
    let rows = beside(&played[0], &played[1]);
    let api = rows.iter().find(|row| row.service == *"api").expect("an API");
    // Half a dozen outages a year and more; each ends within seconds of its like.
    assert!(api.longer.abs() < 60_000_000, "{api:?}");
    assert_eq!(api.years, [0, 3, 0]);
    let itself = beside(&played[0], &played[0]);
    assert!(itself.iter().all(|row| row.is_same() && row.played() == 3), "{itself:?}");
    // One that was interrupted stands beside the years that it has.
    let two = availability(&asked(plant(3), 2, 2), &Control::default()).expect("it can be");
    let rows = beside(&played[1], &two);
    assert!(rows.iter().all(|row| row.played() == 2 && row.longer.abs() < 60_000_000), "{rows:?}");
}

#[test]
fn the_same_comes_of_any_number_of_threads() {
    let [one, three] = [1, 3].map(|jobs| {
        let found = availability(&asked(plant(ONE_API_SERVER), 2, jobs), &Control::default());
        found.expect("a cluster that can be")
    });
    assert_eq!(one, three);
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    let wrong = |spec: &str| {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Availability\nmetadata: {{ name: mine }}\nspec:\n{spec}"
        );
        let read = Plant::read(&Source::embedded("mine.yaml", &text));
        read.expect_err("it cannot be").to_string()
    };
    for (spec, words) in [
        ("  rates: { vmOf: 1/year }\n", "mine.yaml:5:12: no failure `vmOf`; did you mean `vmOff`?"),
        ("  rates: { vmOff: 1/day }\n", "`day` is neither month nor year"),
        ("  rates: { vmOff: often }\n", "`often` is not RATE/year, as 0.5/year"),
        ("  repair: { after: 10m }\n", "`10m` is not a range of durations"),
        ("  repair: { after: 10m..2000h }\n", "at most 40h"),
        ("  cluster: { controlPlane: 2 }\n", "a control plane of 2 is not possible"),
        ("  platform: tkgs-2042\n", "no platform `tkgs-2042`"),
        (
            "  settings: { machineHealthCheck.unknownTimeot: 8m }\n",
            "mine.yaml:5:15: no setting `machineHealthCheck.unknownTimeot`; did you mean \
             `machineHealthCheck.unknownTimeout`?",
        ),
        (
            "  settings: { machineHealthCheck.unknownTimeout: 8 }\n",
            "mine.yaml:5:50: machineHealthCheck.unknownTimeout: `8` is not a duration",
        ),
        ("  setings: {}\n", "mine.yaml:5:3: "),
        ("  repair: { afer: 10m..20m }\n", "mine.yaml:5:13: "),
    ] {
        let told = wrong(spec);
        assert!(told.contains(words), "{told}");
        assert!(told.starts_with("mine.yaml:"), "{told}");
    }
}
