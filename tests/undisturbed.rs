//! What is not played changes nothing: small worlds, played in both ways.

use healsim::api::kinds::Lease;
use healsim::api::{Kind, Meta, Object, ObjectKey, Revision};
use healsim::engine::{Activity, Duration, Owner, Path, Phase, Rhythm, SimTime, Text};
use healsim::infra::{ActivityId, Address, ConnectionId, Ctx, Input, Port};
use healsim::scenario::{Game, Scenario, Source, blueprint, models};
use healsim::wire::{Consistency, Message, StoreAnswer, StoreOperation, StoreRequest};
use healsim::world::{CustomProcess, Infra, Settings, World};
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

/// Reads at some times from the member of etcd on its VM, and renews a Lease of its own at others, as
/// far as it knows it; says when it was answered.
#[derive(Clone, Debug)]
struct Reader {
    reads: Vec<Duration>,
    writes: Vec<Duration>,
    etcd: Option<ConnectionId>,
    /// Its Lease as it was last seen.
    lease: Revision,
}

impl Reader {
    fn new(reads: Vec<Duration>, writes: Vec<Duration>) -> Box<Reader> {
        Box::new(Reader { reads, writes, etcd: None, lease: Revision(0) })
    }
}

/// From this number on requests are writes.
const WRITES: u64 = 1_000;

fn read() -> StoreOperation {
    let (kind, name) = (Kind::Node, Text::word("worker-0"));
    let key = ObjectKey { kind, namespace: Text::EMPTY, name };
    StoreOperation::Get(key, Consistency::Linearizable)
}

fn write(expected: Revision, renewed: SimTime, writer: u32) -> StoreOperation {
    let meta = Meta::new(Kind::Lease, "default", "of-the-test");
    let lease = Lease { holder: Text::word("the test"), renewed, ..Lease::default() };
    let object = Object::new(meta, lease);
    let (key, put) = (object.key().clone(), Some(Box::new(object)));
    StoreOperation::Transact { key, expected, put, by: "test", writer }
}

impl CustomProcess for Reader {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => {
                self.etcd = Some(ctx.connect(Address::Here(Port(2379))));
                let reads = (0..).zip(self.reads.clone());
                for (number, after) in reads.chain((WRITES..).zip(self.writes.clone())) {
                    ctx.after("a test's", after, number);
                }
            }
            Input::Due(number) => {
                let writer = ctx.process().0;
                let request = StoreRequest {
                    id: u32::try_from(number).expect("few requests"),
                    operation: match number < WRITES {
                        true => read(),
                        false => write(self.lease, ctx.now(), writer),
                    },
                    require_leader: false,
                    sender: Owner::named("reader"),
                    count: number,
                };
                let etcd = self.etcd.expect("it was opened at the start");
                ctx.send(etcd, Message::Store(Box::new(request)));
            }
            Input::Message(_, Message::Stored(id, answer)) => {
                if let StoreAnswer::Committed(object) = &answer {
                    self.lease = object.meta.resource_version;
                }
                let answer = format!("{answer:?}");
                ctx.log(format!("request {id} at {:?}: {}", ctx.now(), &answer[..40]));
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

/// From this seed on.
const PROBES_READ: u64 = 20;

/// Three or five control planes and a worker, and a process of the test's beside a member of etcd.
fn world(process: Box<dyn CustomProcess>, (seed, dense): (u64, bool)) -> World {
    // Here a kubelet's probe of etcd reads.
    let probes_read = seed >= PROBES_READ;
    let platform = if probes_read { "tkgs-current" } else { "tkgs-2024" };
    let platform = models::platform(platform).expect("a platform");
    let mut blueprint = blueprint(&platform, if seed % 5 == 4 { 5 } else { 3 }, 1);
    // On a slow disk a member is often still writing when the others have long gone on.
    if seed % 2 == 1 {
        blueprint.settings.etcd.wal_fsync.high = Duration::from_millis(20);
    }
    // So that Leases are renewed many times in the little while that is looked at.
    if seed % 3 == 0 {
        let Settings { controller_manager, scheduler, cloud, .. } = &mut blueprint.settings;
        let elections = [&mut controller_manager.election, &mut scheduler.election];
        let all = elections.into_iter().chain(cloud.as_mut().map(|cloud| &mut cloud.election));
        all.for_each(|election| election.retry = Duration::from_millis(40));
    }
    let mut world = World::new(blueprint, seed);
    assert!(world.add_process("control-plane-1", "tester", process));
    if dense {
        world.play_densely();
    }
    world
}

/// Plays what falls due before a time.
fn play_until(world: &mut World, stop: SimTime) {
    while world.next_at().is_some_and(|next| next < stop) {
        world.leave_alone_until(stop);
        world.step();
    }
    world.pass_until(stop);
}

/// The timeline of half a minute, and how many events it took.
fn played(process: Box<dyn CustomProcess>, how: (u64, bool), blows: &[Blow]) -> (String, u64) {
    let mut world = world(process, how);
    let end = SimTime::ZERO + Duration::from_secs(30);
    let nothing: Blow = (end, |_| ());
    for (stop, strike) in blows.iter().copied().chain([nothing]) {
        play_until(&mut world, stop);
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

/// Both others are gone: without an answer of theirs nothing is read.
fn cut_off_others(world: &mut World) {
    inject(world, |infra| {
        for vm in ["control-plane-0", "control-plane-2"] {
            let vm = infra.vm(vm).expect("a VM of the beginning");
            infra.power_off(vm);
        }
    });
}

fn kill_own(world: &mut World) {
    inject(world, |infra| {
        let etcd = infra.process("etcd", "control-plane-1").expect("it runs");
        infra.kill(etcd);
    });
}

fn times(count: usize) -> impl Strategy<Value = Vec<Duration>> {
    // Close together now and then: then one read waits for the other.
    let time = prop_oneof![0u64..28_000_000, 5_000_000u64..5_003_000, 9_000_000u64..9_200_000];
    proptest::collection::vec(time.prop_map(Duration::from_micros), 1..count)
}

/// What members of etcd remember of each other, and how far their clocks have come.
fn memories(world: &World) -> Vec<String> {
    const KEPT: [&str; 14] = [
        "stable: ",
        "committed: ",
        "applied: ",
        "commit: ",
        "last_cut: ",
        "deadline_at: ",
        "ticked: ",
        "followed: ",
        "election_elapsed: ",
        "recent_active: ",
        "tick_pending: ",
        "matched: ",
        "heard: ",
        "answered: ",
    ];
    let all = format!("{world:?}");
    let members = all.split("Etcd(Etcd {").skip(1);
    let memory = |member: &str| {
        let own = member.split("is_stopping").next().unwrap_or_default();
        let parts = own.split([',', '{']).map(str::trim);
        // What the last turn handed out lies about until the next, and means nothing.
        let means = |part: &&str| !part.ends_with("})") && !part.contains('[');
        let kept =
            parts.filter(means).filter(|part| KEPT.iter().any(|field| part.starts_with(field)));
        kept.collect::<Vec<_>>().join("\n")
    };
    let memories: Vec<String> = members.map(memory).collect();
    assert!(memories.iter().any(|memory| memory.lines().count() > KEPT.len()), "{memories:?}");
    memories
}

/// The first tick of the leader of the group that has followers, after a time.
fn tick_after(time: SimTime, seed: u64) -> SimTime {
    let mut world = world(Reader::new(Vec::new(), Vec::new()), (seed, true));
    play_until(&mut world, time);
    let all = memories(&world);
    let leader = all.iter().find(|memory| memory.contains("recent_active: true"));
    let ticked =
        leader.and_then(|memory| memory.split("ticked: SimTime(").nth(1)?.split(')').next());
    let ticked: u64 = ticked.and_then(|ticked| ticked.parse().ok()).expect("a leader ticks");
    SimTime::from_micros(ticked) + Duration::from_millis(100)
}

/// A client writes and reads so many microseconds after a tick of a leader. When members that are woken
/// first remember anything else than members that have never rested, and what.
fn first_part(writes: &[u64], reads: &[u64], seed: u64) -> Option<(SimTime, String)> {
    let begin = tick_after(SimTime::from_micros(3_000_000), seed);
    let times = |after: &[u64]| {
        let time = |after| begin.since(SimTime::ZERO) + Duration::from_micros(after);
        after.iter().copied().map(time).collect::<Vec<Duration>>()
    };
    let near = |begin: &u64| (0..10).map(move |step| begin + 230 * step).collect::<Vec<u64>>();
    let far = (2_000..120_000).step_by(4_170);
    // Where a look follows at once, no read is answered ahead.
    let looked_at = if seed < PROBES_READ { reads } else { &[] };
    let mut stops: Vec<u64> = far.chain(looked_at.iter().chain([&0]).flat_map(near)).collect();
    stops.sort_unstable();
    let (reads, writes) = (times(reads), times(writes));
    let [mut sparse, mut dense] = [false, true].map(|dense| {
        let (reads, writes) = (reads.clone(), writes.clone());
        world(Reader::new(reads, writes), (seed, dense))
    });
    let part = stops.into_iter().find_map(|after| {
        let stop = begin + Duration::from_micros(after);
        let [woken, awake] = [&mut sparse, &mut dense].map(|world| {
            play_until(world, stop);
            let mut woken = world.clone();
            woken.play_densely();
            memories(&woken).join("\n\n")
        });
        (woken != awake).then(|| (stop, format!("woken:\n{woken}\n\nawake:\n{awake}")))
    });
    assert!(sparse.played() < dense.played(), "they never rest");
    part
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_ticker_that_sleeps_works_when_it_would_have(works in times(12), at in 1u64..28_000_000) {
        let sleeper = || Box::new(Sleeper { works: works.clone(), open: 0, is_deaf: false });
        let at = SimTime::from_micros(at);
        let blows: [Blow; 2] = [(at, freeze), (at + Duration::from_millis(777), thaw)];
        for blows in [&[], &blows[..]] {
            let (sparse, few) = played(sleeper(), (1, false), blows);
            let (dense, all) = played(sleeper(), (1, true), blows);
            prop_assert_eq!(sparse, dense);
            prop_assert!(few < all);
        }
    }

    #[test]
    fn reads_are_answered_when_they_would_have_been(
        reads in times(40),
        // Most are still being written when a read comes.
        writes in proptest::collection::vec((any::<proptest::sample::Index>(), 0u64..25_000), 12),
        // Most strike while a read is under way.
        strikes in proptest::collection::vec((any::<proptest::sample::Index>(), 0u64..1_500), 3),
        seed in 0u64..6,
    ) {
        let before = |(which, by): (proptest::sample::Index, u64)| {
            which.get(&reads).saturating_sub(Duration::from_micros(by))
        };
        let writes: Vec<Duration> = writes.into_iter().map(before).collect();
        let reader = || {
            let (reads, writes) = (reads.clone(), writes.clone());
            Reader::new(reads, writes)
        };
        let blow = |(which, after): (proptest::sample::Index, u64), strike| -> Blow {
            let at = SimTime::ZERO + *which.get(&reads) + Duration::from_micros(after);
            (at, strike)
        };
        let mut all = vec![vec![]];
        for strike in strikes {
            all.extend([vec![blow(strike, cut_off_others)], vec![blow(strike, kill_own)]]);
        }
        for blows in all {
            let (sparse, few) = played(reader(), (seed, false), &blows);
            let (dense, all) = played(reader(), (seed, true), &blows);
            prop_assert_eq!(sparse, dense);
            prop_assert!(few < all);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Whatever a timeline shows of it: who is woken has in mind what it would have.
    #[test]
    fn members_that_are_woken_remember_what_they_would(
        // After a tick of the leader: most come while its heartbeats are on their way.
        writes in proptest::collection::vec(prop_oneof![0u64..1_000, 0u64..100_000], 6),
        reads in proptest::collection::vec(2_000u64..100_000, 6),
        seed in 0u64..2 * PROBES_READ,
    ) {
        prop_assert_eq!(first_part(&writes, &reads, seed), None);
    }
}

#[test]
fn a_ticker_whose_owner_forgets_to_wake_it_sleeps_on() {
    let works = vec![Duration::from_secs(3), Duration::from_secs(5)];
    let sleeper = |is_deaf| Box::new(Sleeper { works: works.clone(), open: 0, is_deaf });
    let [(sparse, _), (dense, _)] =
        [false, true].map(|dense| played(sleeper(true), (1, dense), &[]));
    assert!(!sparse.contains("did some") && dense.contains("did some in pass"));
}

/// The same scenario with settings, sparse and dense: what differs first, and how many events each took.
fn parts(text: &str, set: &[(&str, &str)], seed: u64) -> (Option<String>, [u64; 2]) {
    let source = Source::embedded("made-up.yaml", text);
    let scenario = Scenario::read(source).expect("a scenario");
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let game = Game::new(&scenario, None, &set, None).expect("it is valid");
    let (sparse, dense) = (game.play(seed), game.clone().dense().play(seed));
    let entries = sparse.timeline.entries().iter().zip(dense.timeline.entries());
    let first = entries.into_iter().find(|(entry, other)| entry != other);
    let lengths = sparse.timeline.entries().len() == dense.timeline.entries().len();
    let parts = first.map(|it| format!("{it:?}")).or((!lengths).then(|| "the end".to_owned()));
    (parts, [sparse.engine_events, dense.engine_events])
}

fn scenario(control_planes: u32, faults: &str) -> String {
    format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: made-up }}\nspec:\n  platform: \
         tkgs-2024\n  given: {{ etcdLeader: control-plane-0 }}\n  cluster: {{ controlPlane: \
         {control_planes}, workers: 1 }}\n  faults:\n{faults}\n  until: 1m\n"
    )
}

#[test]
fn a_leader_that_ticks_late_says_so_in_both() {
    let frozen = "    - { at: 20655ms, freezeProcess: { vm: control-plane-0, process: etcd } }\n    - { \
                  at: 21255ms, thawProcess: { vm: control-plane-0, process: etcd } }";
    for seed in 1..4 {
        assert_eq!(parts(&scenario(3, frozen), &[], seed).0, None, "seed {seed}");
    }
    let killed = scenario(3, "    - { at: 31s, powerOff: { vm: control-plane-1 } }");
    for fsync in ["50ms..100ms", "20ms..60ms", "15ms..25ms", "100us..100us"] {
        assert_eq!(parts(&killed, &[("etcd.walFsync", fsync)], 2).0, None, "{fsync}");
    }
}

#[test]
fn probes_that_would_come_too_late_fail_in_both() {
    let stopped = scenario(3, "    - { at: 30s, stopUnit: { vm: worker-0, unit: kubelet } }");
    for timeout in ["1ms", "2ms", "3ms"] {
        let set = [("kubernetes.probeTimeout", timeout)];
        assert_eq!(parts(&stopped, &set, 1).0, None, "{timeout}");
    }
}

#[test]
fn a_member_alone_is_spared_reads_and_probes_and_dense_runs_are_not() {
    let stopped = scenario(1, "    - { at: 30s, stopUnit: { vm: worker-0, unit: kubelet } }");
    let (parts, [sparse, dense]) = parts(&stopped, &[], 1);
    assert_eq!(parts, None);
    assert!(sparse * 10 < dense * 9, "{sparse} of {dense} were played");
}

/// Who rests asks only of its own links that they carry.
#[test]
fn members_rest_though_a_link_of_somebody_else_is_ill() {
    let ill = |from: &str, to: &str| {
        let link = format!("from: {from}, to: {to}");
        ["cutLink: { LINK }", "slowLink: { LINK, delay: 30ms }", "lossyLink: { LINK, loss: 50% }"]
            .map(|fault| format!("    - {{ at: 2s, {} }}", fault.replace("LINK", &link)))
    };
    let [follower, other] = ["control-plane-2", "control-plane-1"];
    let links = [(follower, "worker-0", true), (follower, other, false)];
    for (from, to, rests) in links.into_iter().chain([("control-plane-0", other, false)]) {
        for (fault, seed) in ill(from, to).into_iter().zip(1..) {
            let killed = "    - { at: 40s, killProcess: { vm: control-plane-1, process: etcd } }";
            let (parts, [sparse, dense]) =
                parts(&scenario(3, &format!("{fault}\n{killed}")), &[], seed);
            assert_eq!(parts, None, "{fault}");
            assert_eq!(sparse * 2 < dense, rests, "{fault}: {sparse} of {dense} were played");
        }
    }
}

/// Who begins with data asks the others first: those who rest, those who do not answer, and those who ask
/// likewise.
#[test]
fn members_that_ask_before_they_begin_are_answered_in_both() {
    let fault = |what: &str, vm: u32, at: u32| {
        let vm = format!("vm: control-plane-{vm}");
        format!("    - {{ at: {at}s, {} }}", what.replace("VM", &vm))
    };
    let killed = |vm, at| fault("killProcess: { VM, process: etcd }", vm, at);
    let all = (0..3).map(|vm| killed(vm, 20)).collect::<Vec<_>>().join("\n");
    let faults = [
        killed(2, 20),
        [fault("powerOff: { VM }", 1, 5), killed(2, 20)].join("\n"),
        [fault("freezeProcess: { VM, process: etcd }", 1, 5), killed(2, 20)].join("\n"),
        all,
    ];
    for (faults, seed) in faults.iter().zip(1..) {
        assert_eq!(parts(&scenario(3, faults), &[], seed).0, None, "{faults}");
    }
}

/// Here rests and their ends have differed once, each in another way.
#[test]
fn members_remember_what_they_would_where_they_once_did_not() {
    for (writes, reads, seed) in [
        ([412, 3, 74115, 40802, 86033, 807], [18918, 94015, 13557, 48143, 59468, 48167], 4),
        ([613, 41369, 99550, 58986, 92017, 67720], [21847, 85724, 95133, 23368, 13902, 63194], 1),
        ([798, 787, 428, 682, 12, 356], [49680, 17862, 31223, 96330, 6776, 28553], 17),
        ([838, 97480, 20342, 78405, 19, 154], [91983, 20348, 8433, 85134, 19742, 46335], 16),
    ] {
        let part = first_part(&writes, &reads, seed);
        assert_eq!(part, None, "{writes:?}, {reads:?}, seed {seed}");
    }
}
