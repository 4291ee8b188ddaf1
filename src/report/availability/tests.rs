//! Made-up years in print.

use super::*;
use crate::analysis::availability::{YEAR, beside};
use crate::scenario::{Plant, Source};
use std::collections::BTreeMap;

fn one(spec: &str, services: Vec<Service>, causes: Vec<(Vec<Failure>, Cause)>) -> Availability {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Availability\nmetadata: {{ name: mine }}\nspec:\n{spec}"
    );
    let plant = Plant::read(&Source::embedded("mine.yaml", &text)).expect("a cluster");
    Availability {
        plant,
        asked: 100,
        first_seed: 1,
        years: 100,
        services,
        causes,
        events: 4200,
        beside: None,
    }
}

fn command(plant: &Plant, id: EpisodeId) -> String {
    format!("healsim availability mine.yaml --vary workers={} --episode {id}", plant.workers)
}

fn again(episode: &dyn Fn(&Plant, EpisodeId) -> String) -> Again<'_> {
    Again { all: "healsim availability mine.yaml".to_owned(), episode }
}

fn json_of(all: &[Availability]) -> String {
    availability_json(all, &again(&command))
}

fn printed(one: Availability) -> String {
    let mut bytes = Vec::new();
    write_availability(&[one], &again(&command), Style::Plain, &mut bytes).expect("memory");
    String::from_utf8(bytes).expect("text")
}

const RATES: &str = "  platform: lab-k8s-1.30-capi-1.7
  cluster: { controlPlane: 1, workers: 3 }
  rates: { vmOff: 1/year, vmDeleted: 0, hostDown: 1/year, zoneDown: 1/month, diskFull: 0, \
                     networkLost: 0, kubeletStopped: 0, etcdDataLost: 0, apiServerRemoved: 0 }
";

#[test]
fn minutes_stand_by_service_and_by_what_they_come_from() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let api = Service {
        name: Text::word("api"),
        down: minutes(30),
        interval: Some([minutes(20), minutes(40)]),
        clean: 750,
        worst: (minutes(700), 17),
        worst_episode: Some(Outage {
            down: minutes(600),
            episode: EpisodeId { seed: 17, failure: 5 },
            failures: vec![Failure::VmOff, Failure::VmOff],
        }),
        each: Vec::new(),
    };
    let down = BTreeMap::from([(Text::word("api"), minutes(3000))]);
    let cause = Cause { episodes: 400, mended: 92, rebuilt: 8, down };
    let causes = [vec![Failure::VmOff], vec![Failure::VmOff, Failure::VmOff, Failure::HostDown]];
    let causes = causes.map(|failures| (failures, cause.clone())).to_vec();
    let text = printed(one(RATES, vec![api.clone()], causes));
    let wanted = [
        "mine on lab-k8s-1.30-capi-1.7: 1 control-plane VM, 3 workers\n",
        "  100 years from seed 1 on; 4200 engine events\n",
        "  api                     99.9942 %      99.9923 %..99.9961 %        30.00 min      75.0 %         11h40m0s (seed 17)\n",
        "  hostDown never strikes: the cluster has no host\n",
        "  zoneDown never strikes: the cluster has no zone\n",
        "  vmOff                             4.00    25 %          30.00 min\n",
        "  2 × vmOff + hostDown              4.00    25 %          30.00 min\n",
        "  of 800 episodes, 16 ended with another cluster: nothing that people mend had helped\n",
        "  not seen in 100 years: what comes 0.030 times a year or less (95 %); of outages",
    ];
    let wanted = wanted.into_iter().chain([
        "  api                     10h0m0s        2 × vmOff\n",
        "      healsim availability mine.yaml --vary workers=3 --episode 17/5 > episode-17-5.yaml\n",
    ]);
    for line in wanted {
        assert!(text.contains(line), "{line}in\n{text}");
    }
    assert!(!text.contains("vmDeleted"), "it has no rate\n{text}");
    assert!(text.ends_with("\n\nPlay it again:  healsim availability mine.yaml\n"), "{text}");
    let set = RATES.replace("  rates:", "  settings: { clusterApi.maxInFlight: 1 }\n  rates:");
    let json = json_of(&[one(&set, vec![api], Vec::new())]);
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read[0]["command"], json!("healsim availability mine.yaml"));
    assert_eq!(read[0]["settings"], json!([{ "key": "clusterApi.maxInFlight", "value": "1" }]));
    let worst = &read[0]["services"][0]["worstEpisode"];
    assert_eq!((&worst["seed"], &worst["failure"]), (&json!(17), &json!(5)));
    assert_eq!(
        worst["command"],
        json!(command(&one(&set, vec![], vec![]).plant, EpisodeId { seed: 17, failure: 5 }))
    );
    let text = printed(one(&set, Vec::new(), Vec::new()));
    assert!(text.contains("3 workers\n  with clusterApi.maxInFlight=1\n"), "{text}");
}

#[test]
fn several_clusters_stand_beside_the_first() {
    let minute = 60_000_000;
    let of = |planes: u32, each: Vec<i64>| {
        let api = Service {
            name: Text::word("api"),
            down: Duration::from_secs(60),
            interval: None,
            clean: 0,
            worst: (Duration::from_secs(60), 1),
            worst_episode: None,
            each,
        };
        let planes = format!("controlPlane: {planes}");
        one(&RATES.replace("controlPlane: 1", &planes), vec![api], Vec::new())
    };
    let year = |year: i64| minute * (10 + year % 3);
    let first = of(1, (0..100).map(year).collect());
    let mut other = of(3, (0..100).map(|number| year(number) - 9 * minute).collect());
    other.beside = Some(beside(&first, &other));
    let mut none = Availability { years: 0, services: Vec::new(), ..other.clone() };
    none.beside = Some(beside(&first, &none));
    let mut bytes = Vec::new();
    let all = [first.clone(), other.clone(), none];
    write_availability(&all, &again(&command), Style::Plain, &mut bytes).expect("memory");
    let text = String::from_utf8(bytes).expect("text");
    let head =
        "Beside the first: more or less down a year; what both have fails at the same times\n";
    let row = "    api                   -9.00 min      -9.00 min..-9.00 min                       of 100 years: \
               100 less, 0 same, 0 more\n";
    let three = "  3 control-plane VMs, 3 workers\n";
    let wanted =
        format!("{head}{three}{row}{three}    no year that both have played\n  years that");
    assert!(text.contains(&wanted), "{wanted}in\n{text}");
    let json = json_of(&[first, other]);
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read[0]["besideFirst"], json!(null));
    let row = &read[1]["besideFirst"][0];
    assert_eq!(
        (&row["downPerYear"], &row["interval95"]),
        (&json!(-540.0), &json!([-540.0, -540.0]))
    );
    assert_eq!((&row["yearsLess"], &row["yearsMore"]), (&json!(100), &json!(0)));
}

#[test]
fn a_year_in_which_nothing_failed_has_no_services() {
    let text = printed(one(RATES, Vec::new(), Vec::new()));
    assert!(text.contains("  nothing ever failed\n"), "{text}");
    let json = json_of(&[one(RATES, Vec::new(), Vec::new())]);
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read[0]["neverStrikes"], json!(["hostDown", "zoneDown"]));
    assert_eq!((&read[0]["years"], &read[0]["services"]), (&json!(100), &json!([])));
    // Where nothing can, no years are too few to see it, and there is nothing that it comes from.
    let mut never = one(RATES, Vec::new(), Vec::new());
    never.plant.rates.iter_mut().for_each(|(_, rate)| *rate = 0);
    let text = printed(never);
    let words = "  nothing fails: no thing of this cluster has a rate above 0\n\n";
    assert!(text.contains(words) && !text.contains("not seen") && !text.contains("comes from"));
}

#[test]
fn shares_are_rounded_down_and_long_times_told_in_hours() {
    assert_eq!(percent(999_989_999), "99.9989 %");
    assert_eq!(percent(999_999_999), "99.9999999 %");
    assert_eq!(percent(1_000_000_000), "100.0000 %");
    assert_eq!(minutes(Duration::from_micros(2_110_001)), "2.12 s");
    assert_eq!(minutes(Duration::from_secs(90)), "1.50 min");
    assert_eq!(minutes(Duration::from_micros(90_000_001)), "1.51 min");
    assert_eq!(minutes(YEAR), "8760h0m0s");
}

#[test]
fn who_is_down_for_an_instant_does_not_serve_all_year() {
    let api = |micros: u64| Service {
        name: Text::word("api"),
        down: Duration::from_micros(micros),
        interval: Some([Duration::from_micros(micros / 2), Duration::from_micros(micros)]),
        clean: 999,
        worst: (Duration::from_micros(micros), 17),
        worst_episode: None,
        each: Vec::new(),
    };
    let told = |micros: u64| {
        let one = one(RATES, vec![api(micros)], Vec::new());
        let read: serde_json::Value =
            serde_json::from_str(&json_of(std::slice::from_ref(&one))).expect("JSON");
        (printed(one), read[0]["services"][0].clone())
    };
    let (text, json) = told(2_250_000);
    assert!(text.contains("  api                     99.9999928 %"), "{text}");
    assert_eq!(json["availability"], json!(0.999_999_928));
    let (text, json) = told(1);
    assert!(text.contains("  api                     99.9999999 %"), "{text}");
    assert_eq!(json["availability"], json!(0.999_999_999));
    let (text, json) = told(0);
    assert!(text.contains("  api                     100.0000 %"), "{text}");
    assert_eq!(json["availability"], json!(1.0));
}

#[test]
fn what_is_seldom_is_not_told_as_never() {
    let told = [(29, 1000), (4, 1000), (5, 1000), (0, 1000), (400, 100), (0, 0)];
    let told = told.map(|(count, years)| hundredths(count, years));
    assert_eq!(told, ["0.03", "<0.01", "0.01", "0.00", "4.00", "0.00"]);
}
