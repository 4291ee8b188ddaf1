//! A Supervisor of three VMs: the managers of Machines run on each, one of each kind leads, and another takes over
//! from one that is lost.

use healsim::engine::{Duration, SimTime};
use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run};

const PLATFORMS: [&str; 2] = ["tkgs-2024", "tkgs-current"];

/// A run of half an hour on a Supervisor of so many VMs, in which this goes wrong.
fn run(platform: &str, supervisors: u32, faults: &str, seed: u64) -> Run {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
         {platform}\n  settings: {{ infra.supervisors: {supervisors} }}\n  given: {{ \
         clusterApiLeader: supervisor-0 }}\n  faults: [{faults}]\n  until: 30m\n"
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
    Game::new(&scenario, None, &[], None).expect("valid").play(seed)
}

fn entries<'a>(run: &'a Run, object: &'a str, field: &'a str) -> impl Iterator<Item = &'a Entry> {
    let entries = run.timeline.happened().iter();
    entries.filter(move |entry| entry.object() == object && entry.field == *field)
}

/// How long after the first fault, which strikes after a minute.
fn after(entry: &Entry) -> Duration {
    entry.at.since(SimTime::ZERO + Duration::from_secs(60))
}

const LEASE: &str = "Lease/controller-leader-election-capi";
const LEADER_AND_WORKER: &str = "{ at: 1m, powerOff: { vm: supervisor-0 } }, { at: 1m, stopUnit: { vm: worker-0, unit: kubelet } }";

#[test]
fn another_vm_of_the_supervisor_takes_over_and_the_worker_is_replaced() {
    for (platform, seed) in PLATFORMS.into_iter().zip(1..) {
        let run = run(platform, 3, LEADER_AND_WORKER, seed);
        let taken = entries(&run, LEASE, "holder").next().expect("somebody takes it");
        // The Lease lasts for 15 s from when the other last saw it change, and he looks every 2.0 to 4.4 s. Who
        // asked the API server of the lost VM hears nothing on that connection until a ping of HTTP/2 is
        // given up, 45 s after the last answer.
        let (least, most) = (Duration::from_secs(10), Duration::from_secs(60));
        assert!((least..most).contains(&after(taken)), "{platform}: {}", after(taken));
        assert!(!taken.to.to_string().starts_with("supervisor-0"), "{platform}: {}", taken.to);
        let marked = entries(&run, "Machine/worker-0", "HealthCheckSucceeded").next();
        assert!(
            marked.is_some_and(|entry| after(entry) < Duration::from_secs(15 * 60)),
            "{platform}"
        );
    }
}

#[test]
fn a_supervisor_of_one_vm_has_nobody_to_take_over() {
    let run = run(PLATFORMS[0], 1, LEADER_AND_WORKER, 1);
    assert_eq!(entries(&run, LEASE, "holder").count(), 0);
    assert_eq!(entries(&run, "Machine/worker-0", "HealthCheckSucceeded").count(), 0);
}

#[test]
fn a_manager_that_is_killed_waits_for_its_own_lease_like_anybody() {
    let kill = "{ at: 1m, killProcess: { vm: supervisor-0, process: capi-controller-manager } }";
    let run = run(PLATFORMS[0], 3, kill, 1);
    let back = entries(&run, "Process/capi-controller-manager@supervisor-0", "running").nth(1);
    assert!(back.is_some_and(|entry| after(entry) < Duration::from_secs(5)), "it is started again");
    let taken = entries(&run, LEASE, "holder").next().expect("somebody takes it");
    assert!((10..25).contains(&after(taken).as_secs()), "{}", after(taken));
}

/// Its Lease lasts for a minute, and others look every 5 to 11 s.
#[test]
fn the_control_planes_manager_takes_its_time() {
    let run = run(PLATFORMS[1], 3, "{ at: 1m, powerOff: { vm: supervisor-2 } }", 1);
    let lease = "Lease/kubeadm-control-plane-manager-leader-election-capi";
    let taken = entries(&run, lease, "holder").next().expect("somebody takes it");
    assert!((50..80).contains(&after(taken).as_secs()), "{}", after(taken));
}

#[test]
fn the_others_leaders_are_on_the_next_vms() {
    let run = run(PLATFORMS[0], 3, "{ at: 1m, powerOff: { vm: supervisor-1 } }", 1);
    assert_eq!(entries(&run, LEASE, "holder").count(), 0, "its leader lives");
    let bootstrap = "Lease/kubeadm-bootstrap-manager-leader-election-capi";
    assert_eq!(entries(&run, bootstrap, "holder").count(), 1);
}

/// Two leaders in turn lose their VMs, each named by what it does.
#[test]
fn a_leader_is_named_by_its_program() {
    let off = "{ at: 1m, powerOff: { vm: leader(capi-controller-manager) } }, \
               { at: 5m, killProcess: { vm: leader(kube-scheduler), process: kube-scheduler } }, \
               { at: 6m, powerOff: { vm: leader(capi-controller-manager) } }";
    let run = run(PLATFORMS[0], 3, off, 1);
    let hit: Vec<String> =
        entries(&run, "Fault/powerOff", "injected").map(|entry| entry.to.to_string()).collect();
    let [first, second] = &hit[..] else { panic!("{hit:?}") };
    assert_eq!(first, "VM/supervisor-0");
    assert!(second != first && second.starts_with("VM/supervisor-"), "{second}");
    let killed = entries(&run, "Fault/killProcess", "injected").next().expect("it strikes");
    let by = entries(&run, "Lease/kube-scheduler", "holder").next().expect("another leads");
    let vm = killed.to.to_string().rsplit('@').next().map(str::to_owned).expect("a VM");
    assert!(by.from.to_string().starts_with(&vm), "{vm}: {}", by.from);
}

/// One that is alone elects nobody, and is where it is.
#[test]
fn the_only_one_leads() {
    let off = "{ at: 1m, powerOff: { vm: leader(vmop-controller-manager) } }";
    let run = run(PLATFORMS[0], 1, off, 1);
    let hit = entries(&run, "Fault/powerOff", "injected").next().expect("it strikes");
    assert_eq!(hit.to.to_string(), "VM/supervisor-0");
}
