//! A process that writes to its disk, and what faults on the disk and signals do to it; and what a
//! cluster makes of a worker whose disk is full.

use healsim::engine::{Duration, SimTime};
use healsim::infra::{Ctx, DiskHealth, Input};
use healsim::scenario::{Game, Scenario, Source, blueprint, models};
use healsim::timeline::{End, Entry, EntryId, Run};
use healsim::world::{CustomProcess, Infra, World};
use std::sync::{Arc, Mutex};

type Noted = Arc<Mutex<Vec<String>>>;

/// Every second it writes its next number, and flushes for 10 ms.
#[derive(Clone, Debug)]
struct Writer {
    noted: Noted,
    catches_term: bool,
    number: u64,
}

/// A tick, among the numbers that are flushed.
const TICK: u64 = 0;

impl CustomProcess for Writer {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        let second = Duration::from_secs(1);
        match input {
            Input::Started(_) => {
                if self.catches_term {
                    ctx.catch_term();
                }
                ctx.after("the test", second, TICK);
            }
            Input::Due(TICK) => {
                self.number += 1;
                if let Err(full) = ctx.flush("the test", Duration::from_millis(10), self.number) {
                    self.note(ctx, &full.to_string());
                }
                ctx.after("the test", second, TICK);
            }
            Input::Due(number) => self.note(ctx, &number.to_string()),
            Input::Terminate => {
                self.note(ctx, "told to end");
                ctx.exit();
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

impl Writer {
    fn note(&self, ctx: &Ctx<u64>, what: &str) {
        let line = format!("{:.2} {what}", ctx.now().as_micros() as f64 / 1e6);
        self.noted.lock().expect("one thread").push(line);
    }
}

struct Stage {
    world: World,
    noted: Noted,
}

impl Stage {
    fn new(catches_term: bool) -> Stage {
        let platform = models::platform("lab-k8s-1.34-capi-1.14").expect("a platform");
        let mut world = World::new(blueprint(&platform, 1, 1), 1);
        let noted = Noted::default();
        let writer = Writer { noted: noted.clone(), catches_term, number: 0 };
        assert!(world.add_process("worker-0", "writer", Box::new(writer)));
        Stage { world, noted }
    }

    fn until(&mut self, millis: u64) -> &mut Stage {
        let end = SimTime::ZERO + Duration::from_millis(millis);
        while self.world.next_at().is_some_and(|next| next <= end) {
            self.world.step();
        }
        self.world.pass_until(end);
        self
    }

    fn act(&mut self, act: impl FnOnce(&mut Infra)) -> &mut Stage {
        self.world.inject("stallDisk", "Disk/worker-0".to_owned(), act);
        self
    }

    fn set_disk(&mut self, health: DiskHealth) -> &mut Stage {
        self.act(|infra| {
            let vm = infra.vm("worker-0").expect("it exists");
            infra.set_disk(vm, health);
        })
    }

    fn writer(&self) -> &'static str {
        let view = self.world.view();
        match (view.runs("writer", "worker-0"), view.works("writer", "worker-0")) {
            (true, true) => "works",
            (true, false) => "hangs",
            (false, _) => "ended",
        }
    }

    fn noted(&self) -> Vec<String> {
        self.noted.lock().expect("one thread").clone()
    }
}

#[test]
fn a_slow_disk_takes_so_much_longer_for_what_is_flushed_from_then_on() {
    let mut stage = Stage::new(false);
    let slow = DiskHealth::Slow(Duration::from_millis(200));
    stage.until(1005).set_disk(slow).until(2500).set_disk(DiskHealth::Well).until(3500);
    assert_eq!(stage.noted(), ["1.01 1", "2.21 2", "3.01 3"]);
}

#[test]
fn what_waits_for_a_stalled_disk_ends_in_order_when_it_is_well_again() {
    let mut stage = Stage::new(false);
    stage.until(1005).set_disk(DiskHealth::Stalled).until(3500);
    assert!(stage.noted().is_empty(), "not even the flush that was under way has ended");
    stage.set_disk(DiskHealth::Well).until(4500);
    assert_eq!(stage.noted(), ["3.50 1", "3.50 2", "3.50 3", "4.01 4"]);
}

#[test]
fn on_a_full_disk_writes_fail_at_once_and_what_was_written_is_flushed() {
    let mut stage = Stage::new(false);
    let fill = |is_full| {
        move |infra: &mut Infra| {
            let vm = infra.vm("worker-0").expect("it exists");
            infra.fill_disk(vm, is_full);
        }
    };
    stage.until(1005).act(fill(true)).until(2500).act(fill(false)).until(3500);
    assert_eq!(stage.noted(), ["1.01 1", "2.00 no space left on device", "3.01 3"]);
}

/// What becomes of the writer that is killed after so many milliseconds.
fn kill(stage: &mut Stage, millis: u64) -> &mut Stage {
    stage.until(millis).act(|infra| {
        let writer = infra.process("writer", "worker-0").expect("it exists");
        infra.kill(writer);
    })
}

#[test]
fn a_process_that_is_killed_lives_on_in_the_kernel_until_its_disk_goes_on() {
    for catches in [true, false] {
        let mut stage = Stage::new(catches);
        kill(stage.until(500).set_disk(DiskHealth::Stalled), 2500).until(4500);
        assert_eq!(stage.writer(), "hangs");
        stage.act(|infra| {
            let writer = infra.process("writer", "worker-0").expect("it exists");
            infra.thaw(writer);
            infra.terminate(writer);
            infra.kill(writer);
        });
        assert_eq!(stage.writer(), "hangs", "no signal reaches it");
        stage.set_disk(DiskHealth::Well).until(4500);
        assert_eq!((stage.writer(), stage.noted().len()), ("ended", 0));
    }
}

#[test]
fn a_process_that_ends_itself_waits_for_its_disk_too() {
    let mut stage = Stage::new(true);
    stage.until(500).set_disk(DiskHealth::Stalled).until(2500).act(|infra| {
        let writer = infra.process("writer", "worker-0").expect("it exists");
        infra.terminate(writer);
    });
    stage.until(3000);
    assert_eq!((stage.writer(), stage.noted()), ("hangs", vec!["2.50 told to end".to_owned()]));
    stage.set_disk(DiskHealth::Well).until(3000);
    assert_eq!(stage.writer(), "ended");
}

#[test]
fn a_process_that_is_killed_on_a_slow_disk_ends_with_its_flush() {
    let slow = DiskHealth::Slow(Duration::from_millis(200));
    let mut stage = Stage::new(false);
    kill(stage.until(500).set_disk(slow), 1100).until(1209);
    assert_eq!(stage.writer(), "hangs");
    stage.until(1210);
    assert_eq!((stage.writer(), stage.noted().len()), ("ended", 0));
    let mut stage = Stage::new(false);
    kill(stage.until(500).set_disk(slow), 1500);
    assert_eq!(stage.writer(), "ended", "its disk has nothing to do for it");
}

#[test]
fn a_process_that_is_killed_while_it_is_frozen_waits_for_flushes_alone() {
    let freeze = |stage: &mut Stage| {
        stage.act(|infra| {
            let writer = infra.process("writer", "worker-0").expect("it exists");
            infra.freeze(writer);
        });
    };
    let mut stage = Stage::new(false);
    freeze(stage.until(500).set_disk(DiskHealth::Stalled).until(1005));
    kill(&mut stage, 2000).until(3000);
    assert_eq!(stage.writer(), "hangs");
    stage.set_disk(DiskHealth::Well).until(3000);
    assert_eq!(stage.writer(), "ended");
    // It has not learned of the end of its flush, and nothing else is left.
    let mut stage = Stage::new(false);
    freeze(stage.until(1005));
    kill(stage.until(1500).set_disk(DiskHealth::Stalled), 2000);
    assert_eq!(stage.writer(), "ended");
}

#[test]
fn a_vm_without_power_has_no_processes_that_wait_for_its_disk() {
    let mut stage = Stage::new(false);
    kill(stage.until(500).set_disk(DiskHealth::Stalled), 2500).act(|infra| {
        let vm = infra.vm("worker-0").expect("it exists");
        infra.power_off(vm);
    });
    assert_eq!(stage.writer(), "ended");
    stage.set_disk(DiskHealth::Well).until(9000);
    assert_eq!((stage.writer(), stage.noted().len()), ("ended", 0));
}

#[test]
fn a_disk_stays_stalled_over_a_power_cut() {
    let mut stage = Stage::new(false);
    stage.set_disk(DiskHealth::Stalled).act(|infra| {
        let vm = infra.vm("worker-0").expect("it exists");
        infra.power_off(vm);
        infra.power_on(vm);
    });
    let vm = stage.world.view().vm("worker-0").expect("it exists");
    assert_eq!(vm.disk.health, DiskHealth::Stalled);
}

#[test]
fn who_catches_sigterm_ends_in_its_own_way() {
    for (catches, told) in [(true, &["1.01 1", "1.50 told to end"][..]), (false, &["1.01 1"])] {
        let mut stage = Stage::new(catches);
        stage.until(1500).act(|infra| {
            let writer = infra.process("writer", "worker-0").expect("it exists");
            infra.terminate(writer);
        });
        stage.until(9000);
        assert_eq!(stage.noted(), told);
        assert!(!stage.world.view().runs("writer", "worker-0"));
    }
}

const FULL: &str = "
apiVersion: healsim/v1
kind: Scenario
metadata: { name: full }
spec:
  platform: tkgs-2024
  cluster: { workers: 4 }
  workloads:
    - { name: agent, kind: DaemonSet }
    - { name: db, kind: StatefulSet, replicas: 3, repelEachOther: true }
    - { name: dns, kind: DaemonSet, priorityClassName: system-node-critical }
  faults:
    - { at: 1m, fillDisk: { vm: worker-0 } }
    - { at: 4m, freeDisk: { vm: worker-0 } }
  until: 30m
";

/// The entries of Pods in which this field becomes this.
fn pods<'a>(run: &'a Run, field: &'a str, to: &'a str) -> impl Iterator<Item = &'a Entry> {
    let entries = run.timeline.entries().iter();
    entries.filter(move |entry| {
        entry.kind == *"Pod" && entry.field == *field && entry.to.as_text() == Some(to)
    })
}

/// When something of worker-0 became this after the faults, and what led to it.
fn worker(run: &Run, field: &str, to: &str) -> (SimTime, Option<EntryId>) {
    let entries = run.timeline.entries().iter();
    let mut found = entries.filter(|entry| {
        (entry.kind.as_str(), entry.name.as_str()) == ("Node", "worker-0")
            && entry.field == *field
            && entry.to.as_text() == Some(to)
            && Some(entry.at) > run.first_fault
    });
    let entry = found.next().unwrap_or_else(|| panic!("worker-0 {field} {to}"));
    (entry.at, entry.cause)
}

/// The entry with which a fault struck.
fn fault(run: &Run, kind: &str) -> EntryId {
    let mut entries = run.timeline.entries().iter();
    entries.find(|entry| entry.kind == *"Fault" && entry.name == *kind).expect("it struck").id
}

#[test]
fn a_worker_with_a_full_disk_loses_its_pods_and_gets_them_back_five_minutes_after_there_is_room() {
    for platform in ["tkgs-2024", "tkgs-current"] {
        let scenario = Scenario::read(Source::embedded("full.yaml", FULL)).expect("a scenario");
        let game = Game::new(&scenario, Some(platform), &[], None).expect("it fits");
        for seed in 1..=3 {
            let run = game.play(seed);
            let what = format!("{platform}, seed {seed}");
            assert_eq!((run.end, run.violated.len()), (End::Recovered, 0), "{what}");
            let filled = fault(&run, "fillDisk");
            // One of each that ran there and is not spared.
            let ended = pods(&run, "DisruptionTarget", "True").filter(|entry| {
                entry.reason == *"TerminationByKubelet" && entry.cause == Some(filled)
            });
            let mut ended: Vec<&str> = ended.map(|entry| &entry.name[..2]).collect();
            ended.sort_unstable();
            assert_eq!(ended, ["ag", "db", "we"], "{what}");
            let dns = pods(&run, "phase", "Failed").find(|entry| entry.name.starts_with("dns"));
            assert_eq!(dns, None, "{what}");
            let failed = pods(&run, "phase", "Failed");
            let agents = failed.filter(|entry| entry.name.starts_with("agent")).count();
            assert!((8..=12).contains(&agents), "{what}: its pause doubles, {agents}");
            // The next report of the Node says it, and the one after the pressure is over.
            let (full, cause) = worker(&run, "DiskPressure", "True");
            assert_eq!(cause, Some(filled), "{what}");
            let (free, cause) = worker(&run, "DiskPressure", "False");
            assert_eq!(cause, Some(fault(&run, "freeDisk")), "{what}");
            let at = |minute: u64| SimTime::ZERO + Duration::from_secs(60 * minute);
            let late = [full.since(at(1)), free.since(at(4))].map(|late| late.as_secs());
            assert!(late[0] < 21 && (290..321).contains(&late[1]), "{what}: {late:?}");
            let on_worker = pods(&run, "nodeName", "worker-0").last().expect("one comes back");
            assert!(on_worker.at > free && run.recovered_at > Some(free), "{what}");
            let web = run.availability.get("app/web").expect("it serves").unavailable;
            assert!(web < Duration::from_secs(1), "{what}: it goes elsewhere");
            let dense = game.clone().dense().play(seed);
            assert_eq!(run.timeline.entries(), dense.timeline.entries(), "{what}");
        }
    }
}
