//! Users of the app and of the API, in whole worlds: what each disaster costs them, and that asking
//! changes nothing.

use healsim::analysis::milestones;
use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{End, Entry, Level, Run};

/// A scenario with three control planes, three workers and these lines below `spec`.
fn game(lines: &[&str], until: &str) -> Game {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
         platform: tkgs-2024\n  until: {until}\n  {}\n",
        lines.join("\n  ")
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
    Game::new(&scenario, None, &[], None).expect("valid")
}

const ASK: &str = "probes: [{ app: web }]";
const DEPLOY: &str = "probes: [{ deploy: 1m }]";
const POWER_OFF: &str = "faults: [{ at: 1m, powerOff: { vm: worker-0 } }]";
const KUBELET: &str = "faults: [{ at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }]";

/// Every API server goes, all at once.
fn no_api() -> String {
    let remove = |n| {
        format!(
            "{{ at: 1m, removeFile: {{ vm: control-plane-{n}, \
             path: /etc/kubernetes/manifests/kube-apiserver.yaml }} }}"
        )
    };
    format!("faults: [{}]", (0..3).map(remove).collect::<Vec<_>>().join(", "))
}

/// What a user says after the beginning, as `SECONDS STATUS REASON`, seconds after the fault.
fn said(run: &Run, probe: &str) -> Vec<(f64, String)> {
    let fits = |e: &&Entry| e.object() == probe && Some(e.at) >= run.first_fault;
    let entries = run.timeline.entries().iter().filter(fits);
    let after =
        |e: &Entry| e.at.since(run.first_fault.unwrap_or_default()).as_micros() as f64 / 1e6;
    entries.map(|e| (after(e), format!("{} {}", e.to, e.reason).trim().to_owned())).collect()
}

fn words(said: &[(f64, String)]) -> Vec<&str> {
    said.iter().map(|(_, words)| words.as_str()).collect()
}

#[test]
fn a_dead_worker_costs_some_requests_until_its_pods_are_no_endpoints() {
    for seed in 1..=5 {
        let run = game(&[ASK, POWER_OFF], "10m").play(seed);
        let said = said(&run, "Probe/app-web");
        assert_eq!(words(&said), ["degraded Timeout", "ok"], "seed {seed}");
        // One of three Pods is asked each third second; a request waits one second.
        assert!((1.0..=4.2).contains(&said[0].0), "seed {seed}: {said:?}");
        // Unknown after 29 to 46 s, the ingress up to 1 s later; then 30 s without a failure.
        let gone = run.timeline.entries().iter().find(|e| {
            e.kind == *"EndpointSlice" && e.field == *"endpoints" && e.to.to_string() == "2"
        });
        let gone = gone.expect("the Pod leaves").at.since(run.first_fault.expect("a fault"));
        let gone = gone.as_micros() as f64 / 1e6;
        assert!((29.0..=46.5).contains(&gone), "seed {seed}: {gone}");
        assert!((gone + 26.0..=gone + 32.5).contains(&said[1].0), "seed {seed}: {gone} {said:?}");
        let app = run.availability["app/web"];
        assert!(app.unavailable.is_zero(), "seed {seed}: two of three always answer");
        assert!(app.degraded.expect("an app has it").as_secs() >= 50, "seed {seed}");
        assert_eq!(app.at_end, Level::Full, "seed {seed}");
    }
}

#[test]
fn what_a_service_is_short_of_when_the_run_ends_is_not_over() {
    let all = (0..3).map(|n| format!("{{ at: 1m, powerOff: {{ vm: worker-{n} }} }}"));
    let all = format!("faults: [{}]", all.collect::<Vec<_>>().join(", "));
    let api = "probes: [{ api: each }]";
    for (lines, service, level) in [
        ([ASK, POWER_OFF], "app/web", Level::Degraded),
        ([ASK, &all], "app/web", Level::Down),
        ([api, &no_api()], "api", Level::Down),
        ([api, POWER_OFF], "api", Level::Full),
    ] {
        let run = game(&lines, "1m20s").play(1);
        assert_eq!(run.availability[service].at_end, level, "{lines:?}");
        // What runs says the same where nobody asks.
        let nobody = ["", lines[1]];
        let run = game(&nobody, "1m20s").play(1);
        assert_eq!(run.availability[service].at_end, level, "nobody asks: {lines:?}");
    }
}

#[test]
fn a_stopped_kubelet_costs_its_users_nothing() {
    let run = game(&[ASK, KUBELET], "30m").play(1);
    assert_eq!(words(&said(&run, "Probe/app-web")), Vec::<&str>::new());
    assert_eq!(run.end, End::Recovered);
    assert!(run.availability["app/web"].unavailable.is_zero());
}

#[test]
fn while_the_api_is_away_apps_run_on_and_nothing_can_be_deployed() {
    let both = "probes: [{ app: web }, { deploy: 1m }]";
    let run = game(&[both, &no_api()], "10m").play(1);
    assert_eq!(words(&said(&run, "Probe/app-web")), Vec::<&str>::new());
    let deploy = said(&run, "Probe/deploy");
    assert_eq!(words(&deploy), ["down Unreachable"]);
    assert!(deploy[0].0 <= 61.0, "the next try fails: {deploy:?}");
}

#[test]
fn without_any_worker_the_app_is_down_five_seconds_after_its_last_answer() {
    let all = (0..3).map(|n| format!("{{ at: 1m, powerOff: {{ vm: worker-{n} }} }}"));
    let all = format!("faults: [{}]", all.collect::<Vec<_>>().join(", "));
    let run = game(&[ASK, &all], "5m").play(1);
    let said = said(&run, "Probe/app-web");
    assert_eq!(words(&said)[..2], ["degraded Timeout", "down Timeout"]);
    assert!((4.0..=5.1).contains(&said[1].0), "{said:?}");
    let milestones = milestones(&run);
    let of = |name: &str| milestones.iter().find(|milestone| milestone.name == *name);
    let down = of("appUnavailable").expect("it goes down");
    assert_eq!(down.object, "Probe/app-web");
    // The provider may switch the VMs on again before the run is over.
    let until = of("appAvailable").map_or(run.ended_at, |again| again.at);
    let unavailable = run.availability["app/web"].unavailable;
    let fault = run.first_fault.expect("a fault");
    assert_eq!(unavailable, until.since(fault), "its last answer came before the fault");
}

#[test]
fn deploying_works_before_during_and_after_the_loss_of_a_worker() {
    let run = game(&[DEPLOY, POWER_OFF], "30m").play(1);
    assert_eq!(words(&said(&run, "Probe/deploy")), Vec::<&str>::new());
    let traces = run.timeline.entries().iter().filter(|entry| entry.name.starts_with("probe-"));
    assert_eq!(traces.count(), 0, "what a user tries is no news");
    assert_eq!(run.end, End::Recovered);
}

#[test]
fn with_no_worker_left_nothing_that_is_deployed_gets_ready() {
    let all =
        (0..3).map(|n| format!("{{ at: 1m, stopUnit: {{ vm: worker-{n}, unit: kubelet }} }}"));
    let all = format!("faults: [{}]", all.collect::<Vec<_>>().join(", "));
    let run = game(&[DEPLOY, &all], "6m").play(1);
    assert_eq!(words(&said(&run, "Probe/deploy")), ["down Timeout"]);
}

/// Every entry but those of users and of what serves only them, without ids.
fn others(run: &Run) -> Vec<(String, u64)> {
    let mine = ["Probe", "Service", "EndpointSlice"];
    let entries = run.timeline.entries().iter().filter(|e| !mine.contains(&e.kind.as_str()));
    let line = |e: &Entry| {
        let (from, to) = (e.from.to_string(), e.to.to_string());
        let words = format!("{} {} {from} {to} {} {}", e.object(), e.field, e.reason, e.message);
        (words, e.at.as_micros())
    };
    let mut lines: Vec<(String, u64)> = entries.map(line).collect();
    lines.sort();
    lines
}

#[test]
fn asking_changes_nothing_of_what_happens_otherwise() {
    for seed in [1, 2, 77] {
        let without = others(&game(&[POWER_OFF], "20m").play(seed));
        let with = others(&game(&[ASK, POWER_OFF], "20m").play(seed));
        assert_eq!(with.len(), without.len(), "seed {seed}");
        // The app's endpoints are written too, and writes of one moment share a flush of the disk.
        for ((one, at), (other, then)) in with.iter().zip(&without) {
            assert_eq!(one, other, "seed {seed}");
            assert!(at.abs_diff(*then) < 20_000, "seed {seed}: {one} {at} {then}");
        }
    }
}

#[test]
fn the_api_is_down_when_nobody_who_asks_it_has_an_answer() {
    let run = game(&["probes: [{ api: each }]", &no_api()], "3m").play(1);
    for probe in ["Probe/api", "Probe/api@control-plane-0"] {
        let said = said(&run, probe);
        let words: Vec<&str> = words(&said).into_iter().filter(|w| !w.is_empty()).collect();
        assert!(words.contains(&"down Refused"), "{probe}: {said:?}");
    }
    let names: Vec<String> = milestones(&run).iter().map(|m| m.name.to_string()).collect();
    assert!(names.contains(&"apiUnavailable".to_owned()), "{names:?}");
    // From the last answer, at most a second before the kill, to the end.
    let down = run.availability["api"].unavailable;
    assert!((120..=121).contains(&down.as_secs()), "{down}");
}
