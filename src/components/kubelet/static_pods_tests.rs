//! Static Pods, their restarts, probes and mirror Pods: events in, effects out.

use super::static_pods::{Stage, Why};
use super::tests::kubelet;
use super::*;
use crate::api::kinds::KubeEvent;
use crate::api::{ProbeSpec, StaticPodManifest};
use crate::client::testing::Bench;
use crate::infra::testbed::logs;
use crate::infra::{Effect, ProcessId, Program, Signal};

pub fn settings() -> StaticPodSettings {
    let secs = Duration::from_secs;
    StaticPodSettings {
        restart: RestartSettings {
            first: secs(10),
            limit: secs(300),
            reset: secs(600),
            recheck: secs(10),
            recheck_jitter_percent: 0,
            rechecks: Rechecks::AtTheEnd { limit: secs(60) },
        },
        housekeeping: secs(2),
        orphan_grace: secs(1),
        resync: Delay::fixed(secs(60)),
    }
}

pub const ETCD: Text = Text::word("etcd");

pub fn spec(kind: ProbeKind, period: u64, failure_threshold: u32) -> ProbeSpec {
    let secs = Duration::from_secs;
    let (initial_delay, timeout) = (secs(0), secs(15));
    let path = if kind == ProbeKind::Readiness { "/readyz" } else { "/livez" };
    let period = secs(period);
    ProbeSpec { kind, port: 2381, path, initial_delay, period, timeout, failure_threshold }
}

pub fn manifest(probes: Vec<ProbeSpec>) -> StaticPodManifest {
    StaticPodManifest { name: ETCD, grace: Duration::from_secs(30), probes }
}

pub type Kubelets = Bench<Kubelet, Event>;

/// A kubelet on a VM with this manifest, whose container runs or not.
pub fn with(start: Start, runs: bool, probes: Vec<ProbeSpec>) -> Kubelets {
    let mut bench = Bench::started(kubelet(), "kubelet", Kubelet::on_event, Start::Fresh, &[]);
    bench.bed.vm.disk.write(CONFIG, "kind: KubeletConfiguration");
    let manifest = manifest(probes);
    bench.bed.vm.disk.write(manifest.path(), manifest.to_file());
    let mut program = Program::new(ProcessId(7));
    if runs {
        program.begin(SimTime::ZERO);
    }
    bench.bed.vm.programs.insert(ETCD, program);
    bench.asked.clear();
    bench.play(Input::Started(start));
    bench
}

pub fn stage(bench: &Kubelets) -> Option<Stage> {
    bench.component.statics.get(&ETCD).map(|pod| pod.stage)
}

/// What a kubelet had the runtime do, and when, in whole milliseconds from now.
type Done = Vec<(u64, &'static str)>;

/// Plays an input; what it has the runtime do is done.
fn play(bench: &mut Kubelets, input: Input<Event>) -> Vec<&'static str> {
    let effects = bench.play(input);
    let now = bench.bed.now;
    let done = effects.iter().filter_map(|effect| match effect {
        Effect::StartProgram(name) => {
            bench.bed.vm.programs.get_mut(name).expect("known").begin(now);
            Some("start")
        }
        Effect::SignalProgram(_, Signal::Terminate) => Some("SIGTERM"),
        Effect::SignalProgram(_, Signal::Kill) => Some("SIGKILL"),
        _ => None,
    });
    done.collect()
}

/// Lets time pass, timer by timer.
fn pass(bench: &mut Kubelets, length: Duration) -> Done {
    let (begin, end) = (bench.bed.now, bench.bed.now + length);
    let mut done = Done::new();
    loop {
        let left = end.since(bench.bed.now);
        let next = bench.timers.iter().enumerate().min_by_key(|(place, (at, _))| (*at, *place));
        let place = next.filter(|(_, (at, _))| *at <= left).map(|(place, _)| place);
        let (delay, event) = match place {
            Some(place) => bench.timers.remove(place),
            None => (left, Event::Register),
        };
        bench.bed.pass(delay);
        for (at, _) in &mut bench.timers {
            *at = at.saturating_sub(delay);
        }
        if place.is_none() {
            return done;
        }
        let at = bench.bed.now.since(begin).as_micros() / 1000;
        done.extend(play(bench, Input::Due(event)).into_iter().map(|what| (at, what)));
    }
}

/// Its container ends by itself.
fn ends(bench: &mut Kubelets) -> Vec<&'static str> {
    bench.bed.vm.programs.get_mut(&ETCD).expect("there").end(bench.bed.now);
    play(bench, Input::ProgramEnded(ETCD))
}

fn remove_file(bench: &mut Kubelets) -> Vec<&'static str> {
    let path = manifest(vec![]).path();
    assert!(bench.bed.vm.disk.remove(&path));
    play(bench, Input::FileChanged(path))
}

fn write_file(bench: &mut Kubelets) -> Vec<&'static str> {
    let path = manifest(vec![]).path();
    bench.bed.vm.disk.write(path.clone(), manifest(vec![]).to_file());
    play(bench, Input::FileChanged(path))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_runs_is_taken_over_and_what_does_not_is_started_without_any_api_server() {
    for start in [Start::Steady, Start::Fresh] {
        let mut bench = with(start, true, vec![]);
        assert_eq!(pass(&mut bench, SECOND), [], "{start:?}: it runs");
        assert!(matches!(stage(&bench), Some(Stage::Running { .. })));
        let mut bench = with(start, false, vec![]);
        assert_eq!(pass(&mut bench, SECOND), [(510, "start")], "{start:?}");
    }
}

/// How long it takes until a container is started, in whole seconds.
fn until_start(bench: &mut Kubelets) -> u64 {
    let begin = bench.bed.now;
    for _ in 0..4000 {
        if !pass(bench, Duration::from_millis(100)).is_empty() {
            return bench.bed.now.since(begin).as_secs();
        }
    }
    panic!("it is not started");
}

#[test]
fn an_exit_is_seen_within_a_second_and_restarted_at_once_then_with_growing_pauses() {
    let mut bench = with(Start::Fresh, true, vec![]);
    bench.list(&[]);
    let mut waits = Vec::new();
    for _ in 0..7 {
        pass(&mut bench, Duration::from_millis(300));
        assert_eq!(ends(&mut bench), Vec::<&str>::new(), "the next look at all containers sees it");
        waits.push(until_start(&mut bench));
    }
    assert_eq!(waits, [1, 10, 20, 40, 80, 160, 300]);
}

#[test]
fn while_it_backs_off_the_kubelet_says_so_once_a_wait() {
    let mut bench = with(Start::Fresh, true, vec![]);
    bench.list(&[]);
    ends(&mut bench);
    until_start(&mut bench);
    bench.writes();
    ends(&mut bench);
    bench.bed.pass(SECOND);
    let seen = bench.timers.iter().position(|(_, e)| matches!(e, Event::ProgramSeen(_)));
    let (_, seen) = bench.timers.remove(seen.expect("it looks"));
    let effects = bench.play(Input::Due(seen));
    let said = logs(&effects).join("\n");
    assert!(
        said.contains("with CrashLoopBackOff: \\\"back-off 10s restarting failed container=etcd"),
        "{said}"
    );
    let events = back_off_events(&mut bench);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.regarding.name, "etcd-w");
    let words = "Back-off restarting failed container etcd in pod etcd-w_kube-system";
    assert_eq!(event.message, words);
    assert_eq!(until_start(&mut bench), 9);
    assert_eq!(back_off_events(&mut bench), []);
}

fn back_off_events(bench: &mut Kubelets) -> Vec<KubeEvent> {
    let written = bench.writes().into_iter().filter_map(|(_, object)| object?.event().cloned());
    written.filter(|event| event.reason == "BackOff").collect()
}

#[test]
fn a_removed_file_ends_the_container_within_its_grace_and_for_good() {
    let mut bench = with(Start::Fresh, true, vec![]);
    bench.list(&[]);
    assert_eq!(remove_file(&mut bench), ["SIGTERM"]);
    assert_eq!(pass(&mut bench, Duration::from_secs(40)), [(30_000, "SIGKILL")]);
    ends(&mut bench);
    assert_eq!(pass(&mut bench, Duration::from_secs(600)), []);
    assert_eq!(stage(&bench), None);
    assert_eq!(write_file(&mut bench), Vec::<&str>::new());
    assert_eq!(until_start(&mut bench), 0, "back, and at once: nothing of its past is left");
}

#[test]
fn a_file_that_is_back_too_early_waits_for_the_end_and_for_the_next_clearing_up() {
    let mut bench = with(Start::Fresh, true, vec![]);
    bench.list(&[]);
    remove_file(&mut bench);
    pass(&mut bench, Duration::from_millis(500));
    write_file(&mut bench);
    assert_eq!(stage(&bench), Some(Stage::Stopping(Why::Unwanted)));
    pass(&mut bench, Duration::from_secs(2));
    ends(&mut bench);
    assert_eq!(pass(&mut bench, SECOND), [], "it clears up every two seconds, at 4 s");
    assert_eq!(pass(&mut bench, Duration::from_secs(2)), [(1010, "start")]);
}

#[test]
fn a_changed_file_ends_the_container_and_starts_another() {
    let mut bench = with(Start::Fresh, true, vec![]);
    bench.list(&[]);
    let changed = StaticPodManifest { grace: SECOND, ..manifest(vec![]) };
    bench.bed.vm.disk.write(changed.path(), changed.to_file());
    assert_eq!(play(&mut bench, Input::FileChanged(changed.path())), ["SIGTERM"]);
    ends(&mut bench);
    until_start(&mut bench);
    assert_eq!(bench.component.statics.get(&ETCD).expect("there").manifest, changed);
}

#[test]
fn nothing_is_taken_away_before_the_api_server_has_once_answered() {
    let mut bench = with(Start::Fresh, true, vec![]);
    assert_eq!(remove_file(&mut bench), Vec::<&str>::new());
    pass(&mut bench, Duration::from_secs(100));
    assert!(matches!(stage(&bench), Some(Stage::Running { .. })));
    bench.asked.retain(|(_, request)| request.agent != "reflector");
    let mut bench = with(Start::Fresh, true, vec![]);
    remove_file(&mut bench);
    bench.list(&[]);
    assert_eq!(stage(&bench), Some(Stage::Stopping(Why::Unwanted)), "and then it is");
}

#[test]
fn a_container_whose_file_went_while_no_kubelet_looked_gets_a_second() {
    let mut bench = with(Start::Fresh, true, vec![]);
    bench.bed.vm.disk.remove(&manifest(vec![]).path());
    bench.play(Input::Started(Start::Fresh));
    assert_eq!(stage(&bench), None);
    bench.timers.clear();
    bench.list(&[]);
    assert_eq!(pass(&mut bench, Duration::from_secs(5)), [(1000, "SIGKILL")]);
}

#[test]
fn a_file_that_is_no_pod_and_an_image_that_is_not_there_disturb_nobody() {
    let mut bench = with(Start::Fresh, false, vec![]);
    let other = StaticPodManifest { name: Text::word("other"), ..manifest(vec![]) };
    bench.bed.vm.disk.write("/etc/kubernetes/manifests/bad.yaml", "kind: Nothing");
    bench.bed.vm.disk.write(other.path(), other.to_file());
    let effects = bench.play(Input::FileChanged(other.path()));
    let said = logs(&effects).join("\n");
    assert!(said.contains("bad.yaml: couldn't parse as pod: no `kind: Pod`"), "{said}");
    assert!(said.contains("\\\"other\\\" with ErrImagePull"), "{said}");
    assert_eq!(until_start(&mut bench), 0);
}

#[test]
fn an_end_while_no_kubelet_looks_is_made_good_by_the_next_one() {
    let mut bench = with(Start::Steady, true, vec![]);
    bench.bed.vm.programs.get_mut(&ETCD).expect("there").end(bench.bed.now);
    bench.timers.clear();
    bench.play(Input::Started(Start::Fresh));
    assert_eq!(until_start(&mut bench), 0);
}
