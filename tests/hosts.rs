//! Whole hosts: every expectation over seeds on the page's platform and on today's, what makes lines
//! fail, and what becomes of a host that carries the Supervisor or the primary of vSphere HA.

use healsim::engine::{Duration, SimTime};
use healsim::scenario::{Game, Scenario, Source, load};
use healsim::timeline::{End, Entry, Run};

const THEN: &str = "tkgs-2024";
const NOW: &str = "tkgs-current";

const SCENARIOS: [(&str, End); 3] = [
    ("host-down", End::Recovered),
    ("host-down-without-ha", End::Stuck),
    ("host-down-returns", End::Recovered),
];

/// A scenario, a platform, a setting that is changed, and the lines that fail then.
type Case = (&'static str, &'static str, (&'static str, &'static str), &'static [&'static str]);

fn play(name: &str, platform: &str, set: &[(&str, &str)], seed: u64) -> Run {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let scenario = load(name).expect("an embedded scenario");
    Game::new(&scenario, Some(platform), &set, None).expect("a valid scenario").play(seed)
}

fn failed(run: &Run) -> Vec<String> {
    run.failed().map(|line| line.text.to_string()).collect()
}

#[test]
fn every_expectation_holds_on_both_platforms() {
    for (name, end) in SCENARIOS {
        for platform in [THEN, NOW] {
            let run = play(name, platform, &[], 1);
            assert_eq!(failed(&run), Vec::<String>::new(), "{name}, {platform}");
            assert_eq!(run.end, end, "{name}, {platform}");
        }
    }
}

#[test]
fn each_line_fails_when_its_mechanism_is_changed() {
    let cases: [Case; 10] = [
        ("host-down", THEN, ("vsphere.haUnreachable", "12s"), &["dasHostState=fdmUnreachable"]),
        ("host-down", THEN, ("vsphere.haDead", "25s"), &["dasHostState=hostDown"]),
        (
            "host-down",
            THEN,
            ("vsphere.haPlacement", "2m..2m"),
            &["VM/control-plane-1 power=on", "VM/worker-0 power=on", "VM connectionState"],
        ),
        ("host-down", NOW, ("vsphere.hostNotResponding", "2m"), &["connectionState=notResp"]),
        (
            "host-down",
            THEN,
            ("infra.boot", "9m..9m"),
            &["Process/kubelet@worker-0", "Machine HealthCheckSucceeded", "Machine deletionTime"],
        ),
        ("host-down", NOW, ("vsphere.highAvailability", "false"), &["VM/worker-1 power=on"]),
        (
            "host-down-without-ha",
            THEN,
            ("machineHealthCheck.unknownTimeout", "15m"),
            &["Machine/worker-0 HealthCheck", "Machine/worker-1 HealthCheck", "Machine/control-"],
        ),
        (
            "host-down-without-ha",
            NOW,
            ("vsphere.hostNotResponding", "2m"),
            &["Host/esxi-1 connectionState", "VM/worker-0 connectionState=disconnected"],
        ),
        ("host-down-returns", NOW, ("vsphere.hostBoot", "9m..9m"), &["Host/esxi-1 connection"]),
        (
            "host-down-returns",
            NOW,
            ("vsphere.hostReconnect", "10m..10m"),
            &["VM/worker-0 deleted", "VM/control-plane-1 deleted"],
        ),
    ];
    for (name, platform, set, lines) in cases {
        let before = failed(&play(name, platform, &[], 1));
        let after = failed(&play(name, platform, &[set], 1));
        for line in lines {
            assert!(!before.iter().any(|text| text.contains(line)), "{name}: {line} holds");
            let fails = after.iter().any(|text| text.contains(line));
            assert!(fails, "{name}, {platform}: {line} with {set:?}: {after:?}");
        }
    }
}

/// A run of ten minutes with these hosts and faults.
fn run(cluster: &str, faults: &str) -> Run {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: hosts }}\nspec:\n  \
         platform: tkgs-2024\n  cluster: {{ {cluster} }}\n  faults: [{faults}]\n  until: 12m\n"
    );
    let scenario = Scenario::read(Source::embedded("hosts.yaml", &text)).expect("a scenario");
    Game::new(&scenario, None, &[], None).expect("valid").play(1)
}

/// How long after the first fault an object's field got a value.
fn seen(run: &Run, object: &str, field: &str, to: &str) -> Option<u64> {
    let is_it = |entry: &&Entry| {
        entry.object() == object && entry.field == *field && entry.to.to_string() == to
    };
    let found = run.timeline.happened().iter().find(is_it)?;
    Some((found.at.since(SimTime::ZERO) - Duration::from_secs(60)).as_secs())
}

#[test]
fn the_primarys_host_is_missed_by_an_election_and_its_vms_come_later() {
    let run = run("hosts: 3", "{ at: 1m, powerOffHost: { host: esxi-2 } }");
    assert_eq!(seen(&run, "Host/esxi-1", "dasHostState", "election"), Some(10));
    assert_eq!(seen(&run, "Host/esxi-1", "dasHostState", "master"), Some(25));
    let lost = run.timeline.entries().iter().filter(|entry| entry.to.to_string() == "esxi-2");
    let vm = lost.map(|entry| entry.name.to_string()).next().expect("a VM on the host");
    let back = seen(&run, &format!("VM/{vm}"), "power", "on").expect("it is restarted");
    assert!((36..=45).contains(&back), "{back}");
}

#[test]
fn the_supervisor_comes_back_on_another_host_and_heals_on() {
    let cluster = "placement: [{ host: esxi-0, vms: [supervisor-0] }]";
    let dead =
        "{ at: 1m, powerOffHost: { host: esxi-0 } }, { at: 3m, deleteVm: { vm: control-plane-2 } }";
    let run = run(cluster, dead);
    let back = seen(&run, "VM/supervisor-0", "power", "on").expect("it is restarted");
    assert!((28..=38).contains(&back), "{back}");
    assert!(
        seen(&run, "VM/control-plane-2", "exists", "true").is_some(),
        "VM Operator makes it again"
    );
}

#[test]
fn without_any_host_nothing_is_restarted_until_one_is_back() {
    let all = (0..3).map(|n| format!("{{ at: 1m, powerOffHost: {{ host: esxi-{n} }} }}"));
    let all: Vec<String> = all.collect();
    let faults = format!("{}, {{ at: 2m, powerOnHost: {{ host: esxi-0 }} }}", all.join(", "));
    let run = run("hosts: 3", &faults);
    let back = seen(&run, "VM/worker-0", "power", "on").expect("it is restarted");
    // A minute without power, 4 to 8 min of boot, 15 s of election, 10 to 15 s of placing, 1 to 5 s.
    assert!((60 + 240 + 26..=60 + 480 + 35).contains(&back), "{back}");
    let off = run.timeline.happened().iter().filter(|entry| entry.field == *"power");
    assert_eq!(off.filter(|entry| entry.to.to_string() == "off").count(), 3 + 7);
    // Some were on the one that is back, and stay there: of that nothing is told but their power.
    let mut told = run.timeline.happened().iter().filter(|entry| entry.field == *"host");
    assert!(told.all(|entry| entry.from != entry.to));
}

/// Without vSphere HA, and without the Supervisor, nobody else powers on the VMs of a host that is back.
#[test]
fn who_repairs_a_host_powers_on_its_vms_as_soon_as_it_is_back() {
    let set = [("vsphere.highAvailability".to_owned(), "false".to_owned())];
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: test }\nspec:\n  \
                platform: tkgs-2024\n  cluster: { placement: [{ host: esxi-0, vms: [supervisor-0, \
                worker-0] }] }\n  faults: [{ at: 1m, powerOffHost: { host: esxi-0 } }]\n  until: 30m\n";
    let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
    let mut simulation = Game::new(&scenario, None, &set, None).expect("valid").begin(1);
    let at = |minutes: u64| SimTime::ZERO + Duration::from_secs(60 * minutes);
    simulation.run_until(at(4));
    let repairs = simulation.repair_at(at(5));
    let told: Vec<(&str, Option<&str>)> =
        repairs.iter().map(|repair| (repair.words.as_str(), repair.seen.as_deref())).collect();
    let back = Some("Host/esxi-0 connectionState=connected");
    assert_eq!(
        told,
        [
            ("powerOnHost: { host: esxi-0 }", None),
            ("powerOn: { vm: supervisor-0 }", back),
            ("powerOn: { vm: worker-0 }", back),
        ]
    );
    simulation.run_until(at(20));
    let entries = simulation.view().timeline().happened();
    let typed = entries.iter().filter(|entry| entry.object() == "Fault/powerOn");
    let found: Vec<String> = typed.map(|entry| entry.to.to_string()).collect();
    assert_eq!(found, ["VM/supervisor-0", "VM/worker-0"]);
    assert!(simulation.view().vms().all(|vm| vm.is_on()));
}
