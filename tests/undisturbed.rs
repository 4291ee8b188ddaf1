//! What is not played changes nothing: small worlds, played in both ways.

use healsim::api::{Kind, ObjectKey};
use healsim::engine::{Activity, Duration, Owner, Path, Phase, Rhythm, SimTime, Text};
use healsim::infra::{ActivityId, Address, ConnectionId, Ctx, Input, Port};
use healsim::scenario::{blueprint, models};
use healsim::wire::{Consistency, Message, StoreOperation, StoreRequest};
use healsim::world::{CustomProcess, Infra, World};
use proptest::prelude::*;

/// Has work to do at some times, and does a piece of it at each pass of a ticker.
#[derive(Clone, Debug)]
struct Sleeper {
    works: Vec<Duration>,
    open: u32,
    /// It forgets to be woken.
    is_deaf: bool,
}

const PASS: ActivityId = ActivityId(0);

impl CustomProcess for Sleeper {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => {
                let (rule, period) = ("a test's", Duration::from_millis(100));
                let (rhythm, path) = (Rhythm::Ticker, Path::Own);
                ctx.every(
                    PASS,
                    Activity { rule, period, jitter_percent: 0, rhythm, path },
                    Phase::Now,
                );
                for (number, after) in (0..).zip(self.works.clone()) {
                    ctx.after("a test's", after, number);
                }
            }
            Input::Due(_) => {
                self.open += 1;
                if !self.is_deaf {
                    ctx.wake(PASS);
                }
            }
            Input::Tick(PASS) if self.open > 0 => {
                self.open -= 1;
                let (count, last) = (ctx.count(PASS), ctx.last(PASS));
                ctx.log(format!("did some in pass {count}, begun at {last:?}"));
            }
            Input::Tick(PASS) => ctx.sleep(PASS),
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

/// Reads at some times from the member of etcd on its VM, and says when it was answered.
#[derive(Clone, Debug)]
struct Reader {
    reads: Vec<Duration>,
    etcd: Option<ConnectionId>,
}

impl CustomProcess for Reader {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => {
                self.etcd = Some(ctx.connect(Address::Here(Port(2379))));
                for (number, after) in (0..).zip(self.reads.clone()) {
                    ctx.after("a test's", after, number);
                }
            }
            Input::Due(number) => {
                let (kind, name) = (Kind::Node, Text::word("worker-0"));
                let key = ObjectKey { kind, namespace: Text::EMPTY, name };
                let request = StoreRequest {
                    id: u32::try_from(number).expect("few reads"),
                    operation: StoreOperation::Get(key, Consistency::Linearizable),
                    require_leader: false,
                    sender: Owner::named("reader"),
                    count: number,
                };
                let etcd = self.etcd.expect("it was opened at the start");
                ctx.send(etcd, Message::Store(Box::new(request)));
            }
            Input::Message(_, Message::Stored(id, answer)) => {
                let answer = format!("{answer:?}");
                ctx.log(format!("read {id} at {:?}: {}", ctx.now(), &answer[..40]));
            }
            Input::Broken(_, how) => ctx.log(format!("{how:?} at {:?}", ctx.now())),
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

/// What is done to the world, and when.
type Blow = (SimTime, fn(&mut World));

/// The timeline of half a minute, and how many events it took.
fn played(process: Box<dyn CustomProcess>, dense: bool, blows: &[Blow]) -> (String, u64) {
    let platform = models::platform("tkgs-2024").expect("a platform");
    let mut world = World::new(blueprint(&platform, 3, 1), 1);
    assert!(world.add_process("control-plane-1", "tester", process));
    if dense {
        world.play_densely();
    }
    let end = SimTime::ZERO + Duration::from_secs(30);
    let nothing: Blow = (end, |_| ());
    for (stop, strike) in blows.iter().copied().chain([nothing]) {
        while world.next_at().is_some_and(|next| next < stop) {
            world.leave_alone_until(stop);
            world.step();
        }
        world.pass_until(stop);
        strike(&mut world);
    }
    (format!("{:#?}", world.timeline().entries()), world.played())
}

fn inject(world: &mut World, act: impl FnOnce(&mut Infra)) {
    world.inject("test", "VM/control-plane-1".to_owned(), act);
}

fn freeze(world: &mut World) {
    inject(world, |infra| {
        let tester = infra.process("tester", "control-plane-1").expect("it was added");
        infra.freeze(tester);
    });
}

fn thaw(world: &mut World) {
    inject(world, |infra| {
        let tester = infra.process("tester", "control-plane-1").expect("it was added");
        infra.thaw(tester);
    });
}

fn kill_etcd(world: &mut World) {
    inject(world, |infra| {
        let vm = infra.vm("control-plane-0").expect("a VM of the beginning");
        infra.remove_file(vm, "/etc/kubernetes/manifests/etcd.yaml");
    });
}

fn cut_off(world: &mut World) {
    inject(world, |infra| {
        let vm = infra.vm("control-plane-0").expect("a VM of the beginning");
        infra.power_off(vm);
    });
}

fn times(count: usize) -> impl Strategy<Value = Vec<Duration>> {
    // Close together now and then: then one read waits for the other.
    let time = prop_oneof![0u64..28_000_000, 5_000_000u64..5_003_000, 9_000_000u64..9_200_000];
    proptest::collection::vec(time.prop_map(Duration::from_micros), 1..count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_ticker_that_sleeps_works_when_it_would_have(works in times(12), at in 1u64..28_000_000) {
        let sleeper = || Box::new(Sleeper { works: works.clone(), open: 0, is_deaf: false });
        let at = SimTime::from_micros(at);
        let blows: [Blow; 2] = [(at, freeze), (at + Duration::from_millis(777), thaw)];
        for blows in [&[], &blows[..]] {
            let (sparse, few) = played(sleeper(), false, blows);
            let (dense, all) = played(sleeper(), true, blows);
            prop_assert_eq!(sparse, dense);
            prop_assert!(few < all);
        }
    }

    #[test]
    fn reads_are_answered_when_they_would_have_been(reads in times(40), at in 4_900_000u64..9_300_000) {
        let reader = || Box::new(Reader { reads: reads.clone(), etcd: None });
        let at = SimTime::from_micros(at);
        let (kill, cut): (Blow, Blow) = ((at, kill_etcd), (at, cut_off));
        for blows in [&[][..], &[kill], &[cut]] {
            let (sparse, few) = played(reader(), false, blows);
            let (dense, all) = played(reader(), true, blows);
            prop_assert_eq!(sparse, dense);
            prop_assert!(few < all);
        }
    }
}

#[test]
fn a_ticker_whose_owner_forgets_to_wake_it_sleeps_on() {
    let works = vec![Duration::from_secs(3), Duration::from_secs(5)];
    let sleeper = |is_deaf| Box::new(Sleeper { works: works.clone(), open: 0, is_deaf });
    let [(sparse, _), (dense, _)] = [false, true].map(|dense| played(sleeper(true), dense, &[]));
    assert!(!sparse.contains("did some") && dense.contains("did some in pass"));
}
