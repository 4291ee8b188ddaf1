//! Links that are cut, slow or lossy, and healed, seen by two processes that talk over one connection.

use healsim::engine::{Duration, SimTime, Text};
use healsim::infra::{ConnectionId, Ctx, Input, Loss, Port, Way};
use healsim::scenario::{blueprint, models};
use healsim::wire::Message;
use healsim::world::{CustomProcess, World};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

const HERE: &str = "worker-0";
const THERE: &str = "control-plane-0";
const PORT: Port = Port(7000);
const PEER_PORT: Port = Port(2380);

/// What was noticed: when, by whom, what.
type Noted = Arc<Mutex<Vec<(SimTime, &'static str, String)>>>;

/// Opens a connection when it first has something to say, and anew after it was told that it is over.
#[derive(Clone, Debug)]
struct Client {
    /// When it says which number.
    says: Vec<(Duration, u32)>,
    connection: Option<ConnectionId>,
    to: (&'static str, Port),
    noted: Noted,
}

/// Answers each number with itself, and says some of its own to whoever came last.
#[derive(Clone, Debug)]
struct Server {
    says: Vec<(Duration, u32)>,
    client: Option<ConnectionId>,
    noted: Noted,
}

fn note(noted: &Noted, ctx: &Ctx<u64>, who: &'static str, what: String) {
    noted.lock().expect("one thread").push((ctx.now(), who, what));
}

impl CustomProcess for Client {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => {
                self.connection = None;
                for (at, number) in &self.says {
                    ctx.after("the test", *at, u64::from(*number));
                }
            }
            Input::Due(number) => {
                let to = self.to;
                let connection = *self
                    .connection
                    .get_or_insert_with(|| ctx.connect_to_vm(Text::word(to.0), to.1));
                let number = u32::try_from(number).expect("a number that it was given");
                ctx.send(connection, Message::App(number));
            }
            Input::Message(from, Message::App(number)) if Some(from) == self.connection => {
                note(&self.noted, ctx, "client", number.to_string());
            }
            Input::Broken(connection, how) if Some(connection) == self.connection => {
                self.connection = None;
                note(&self.noted, ctx, "client", format!("{how:?}"));
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

impl CustomProcess for Server {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => {
                for (at, number) in &self.says {
                    ctx.after("the test", *at, u64::from(*number));
                }
            }
            Input::Due(number) => {
                let number = u32::try_from(number).expect("a number that it was given");
                if let Some(client) = self.client {
                    ctx.send(client, Message::App(number));
                }
            }
            Input::Message(from, Message::App(number)) => {
                self.client = Some(from);
                note(&self.noted, ctx, "server", number.to_string());
                ctx.send(from, Message::App(number));
            }
            Input::Broken(connection, how) => {
                self.client = self.client.filter(|client| *client != connection);
                note(&self.noted, ctx, "server", format!("{how:?}"));
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

/// Which ways are cut, or otherwise hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    There,
    Back,
    Both,
}

/// What is done to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hurt {
    Cut,
    /// By milliseconds.
    Slow(u64),
    /// By percent.
    Lossy(u16),
}

struct Stage {
    world: World,
    noted: Noted,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Stage {
    fn new(client: &[(u64, u32)], server: &[(u64, u32)]) -> Stage {
        Stage::between("lab-k8s-1.34-capi-1.14", (HERE, THERE, PORT), client, server)
    }

    /// A stream as between two members of etcd; the control plane's reads, and the worker writes.
    fn of_peers(platform: &str, client: &[(u64, u32)], server: &[(u64, u32)]) -> Stage {
        Stage::between(platform, (THERE, HERE, PEER_PORT), client, server)
    }

    fn between(
        platform: &str,
        (from, to, port): (&'static str, &'static str, Port),
        client: &[(u64, u32)],
        server: &[(u64, u32)],
    ) -> Stage {
        let platform = models::platform(platform).expect("a platform");
        let mut world = World::new(blueprint(&platform, 1, 1), 1);
        let noted = Noted::default();
        let timed = |says: &[(u64, u32)]| says.iter().map(|(at, n)| (millis(*at), *n)).collect();
        let server = Server { says: timed(server), client: None, noted: noted.clone() };
        let client =
            Client { says: timed(client), connection: None, to: (to, port), noted: noted.clone() };
        assert!(world.add_server(to, "server", Some(port), Box::new(server)));
        assert!(world.add_process(from, "client", Box::new(client)));
        Stage { world, noted }
    }

    fn until(&mut self, at: u64) {
        let end = SimTime::ZERO + millis(at);
        while self.world.next_at().is_some_and(|next| next <= end) {
            self.world.step();
        }
        self.world.pass_until(end);
    }

    fn ways(&self, cut: Cut) -> Vec<Way> {
        let vm = |name| self.world.view().vm_id(name).expect("it exists");
        let (here, there) = (vm(HERE), vm(THERE));
        match cut {
            Cut::There => vec![Way::Between(here, there)],
            Cut::Back => vec![Way::Between(there, here)],
            Cut::Both => vec![Way::From(here), Way::To(here)],
        }
    }

    fn cut(&mut self, cut: Cut) {
        self.hurt(cut, Hurt::Cut);
    }

    fn hurt(&mut self, cut: Cut, hurt: Hurt) {
        let ways = self.ways(cut);
        self.world.inject("hurtLink", "Link/a-b".to_owned(), |infra| {
            ways.into_iter().for_each(|way| match hurt {
                Hurt::Cut => infra.cut(way),
                Hurt::Slow(by) => infra.slow(way, millis(by)),
                Hurt::Lossy(percent) => infra.lose(way, Loss(percent * 100)),
            });
        });
    }

    fn heal(&mut self, cut: Cut) {
        let ways = self.ways(cut);
        self.world.inject("healLink", "Link/a-b".to_owned(), |infra| {
            ways.into_iter().for_each(|way| infra.heal(way));
        });
    }

    fn kill(&mut self, program: &'static str, vm: &'static str) {
        self.world.inject("killProcess", format!("Process/{program}@{vm}"), |infra| {
            let process = infra.process(program, vm).expect("it exists");
            infra.kill(process);
        });
    }

    fn power(&mut self, vm: &'static str, on: bool) {
        self.world.inject("power", format!("VM/{vm}"), |infra| {
            let vm = infra.vm(vm).expect("it exists");
            match on {
                true => infra.power_on(vm),
                false => infra.power_off(vm),
            }
        });
    }

    /// What was noticed so far, in tenths of seconds.
    fn noted(&self) -> Vec<String> {
        let noted = self.noted.lock().expect("one thread");
        let tenths = |at: SimTime| at.as_micros() / 100_000;
        let words = |(at, who, what): &(SimTime, &str, String)| {
            format!("{}.{} {who} {what}", tenths(*at) / 10, tenths(*at) % 10)
        };
        noted.iter().map(words).collect()
    }
}

#[test]
fn what_was_written_while_the_link_was_cut_comes_with_the_next_retransmission() {
    let mut stage = Stage::new(&[(500, 1), (1500, 2), (2000, 3), (4100, 4)], &[]);
    stage.until(1000);
    stage.cut(Cut::Both);
    stage.until(4000);
    stage.heal(Cut::Both);
    stage.until(10_000);
    // 200, 600, 1400 ms after the first time they are lost; 3 s after it they get through. What is
    // written meanwhile waits behind the lost one, even when the link is whole again.
    let told = ["0.5 server 1", "0.5 client 1"];
    let rest = ["4.5 server 2", "4.5 server 3", "4.5 server 4"];
    let back = ["4.5 client 2", "4.5 client 3", "4.5 client 4"];
    assert_eq!(stage.noted(), [&told[..], &rest, &back].concat());
}

#[test]
fn a_connection_is_opened_by_the_next_syn_after_healing() {
    let mut stage = Stage::new(&[(1500, 1)], &[]);
    stage.until(1000);
    stage.cut(Cut::There);
    stage.until(4000);
    stage.heal(Cut::There);
    stage.until(10_000);
    // Sent at 1.5, 2.5 and 4.5 s.
    assert_eq!(stage.noted(), ["4.5 server 1", "4.5 client 1"]);
}

#[test]
fn a_connection_that_nobody_answers_is_given_up_after_the_dials_time() {
    let mut stage = Stage::new(&[(1500, 1)], &[]);
    stage.until(1000);
    stage.cut(Cut::Both);
    stage.until(300_000);
    assert_eq!(stage.noted(), ["31.5 client Lost"]);
}

#[test]
fn both_ends_give_up_a_silent_connection_by_their_keep_alives() {
    for cut in [Cut::Both, Cut::There, Cut::Back] {
        let mut stage = Stage::new(&[(500, 1), (60_000, 2)], &[]);
        stage.until(10_000);
        stage.cut(cut);
        stage.until(50_000);
        // 30 s without a frame, and 15 s without an answer to the ping.
        assert_eq!(stage.noted()[2..], ["45.5 client Lost", "45.5 server Lost"], "{cut:?}");
        stage.heal(cut);
        stage.until(70_000);
        assert_eq!(stage.noted()[4..], ["60.0 server 2", "60.0 client 2"], "a new connection");
    }
}

#[test]
fn a_stream_between_members_is_given_up_by_its_readers_kernel_after_nine_probes() {
    // 30 s of silence, and then nine probes, 30 s apart with the Go of 3.5 and 15 s with that of 3.6.
    let releases = [("lab-k8s-1.30-capi-1.7", "300.5"), ("lab-k8s-1.34-capi-1.14", "165.5")];
    for (platform, given_up) in releases {
        let mut stage = Stage::of_peers(platform, &[(500, 1)], &[(20_000, 2)]);
        stage.until(10_000);
        stage.cut(Cut::Both);
        stage.until(400_000);
        assert_eq!(stage.noted()[2..], [format!("{given_up} client Lost")], "{platform}");
        // The writer's kernel sends again what was never acknowledged: 15 times.
        stage.until(1_000_000);
        assert_eq!(stage.noted()[3..], ["944.6 server Lost"], "{platform}");
    }
}

#[test]
fn a_stream_between_members_outlives_a_cut_and_goes_on_with_the_next_retransmission() {
    let mut stage = Stage::of_peers("lab-k8s-1.30-capi-1.7", &[(500, 1)], &[(10_000, 2)]);
    stage.until(5_000);
    stage.cut(Cut::Both);
    stage.until(70_000);
    stage.heal(Cut::Both);
    stage.until(1_000_000);
    // Lost at 10 s, and sent again after 0.2, 0.6, 1.4 ... 51.0 and 102.2 s. The probe of 90.5 s found it
    // alive.
    assert_eq!(stage.noted()[2..], ["112.2 client 2"]);
}

#[test]
fn a_member_whose_peer_was_powered_on_again_is_told_by_its_next_probe() {
    let mut stage = Stage::of_peers("lab-k8s-1.30-capi-1.7", &[(500, 1)], &[]);
    stage.until(10_000);
    stage.power(HERE, false);
    stage.until(100_000);
    stage.power(HERE, true);
    stage.until(400_000);
    assert_eq!(stage.noted()[2..], ["120.5 client Reset"]);
}

#[test]
fn a_ping_that_comes_late_still_saves_the_connection() {
    let mut stage = Stage::new(&[(500, 1), (43_000, 2)], &[]);
    stage.until(10_000);
    stage.cut(Cut::Both);
    stage.until(42_000);
    stage.heal(Cut::Both);
    stage.until(120_000);
    // The pings of 30.5 s come with the retransmission of 43.1 s, and what was written at 43 s
    // behind them.
    assert_eq!(stage.noted()[2..], ["43.1 server 2", "43.1 client 2"]);
}

#[test]
fn a_cut_that_nobody_wrote_across_leaves_nothing() {
    let mut stage = Stage::new(&[(500, 1), (25_000, 2)], &[]);
    stage.until(5000);
    stage.cut(Cut::Both);
    stage.until(24_000);
    stage.heal(Cut::Both);
    stage.until(100_000);
    assert_eq!(stage.noted()[2..], ["25.0 server 2", "25.0 client 2"]);
}

#[test]
fn one_way_cut_what_goes_the_open_way_arrives_until_acknowledgments_are_missed() {
    let client = [(500, 1), (1500, 2), (1600, 3), (1800, 4)];
    let mut stage = Stage::new(&client, &[]);
    stage.until(1000);
    stage.cut(Cut::Back);
    stage.until(4000);
    // After the first time-out the window is shut: 4 waits, although its way is open.
    assert_eq!(stage.noted()[2..], ["1.5 server 2", "1.6 server 3"]);
    stage.heal(Cut::Back);
    stage.until(10_000);
    // The client's retransmission of 4.5 s comes before that of the server's answers.
    let mut came = stage.noted()[4..].to_vec();
    came.sort();
    assert_eq!(came, ["4.5 client 2", "4.5 client 3", "4.5 client 4", "4.5 server 4"]);
}

#[test]
fn who_dies_behind_a_cut_is_found_dead_only_when_it_heals_or_is_given_up() {
    let mut stage = Stage::new(&[(500, 1)], &[]);
    stage.until(1000);
    stage.cut(Cut::Both);
    stage.kill("server", THERE);
    stage.until(3500);
    assert_eq!(stage.noted().len(), 2);
    stage.heal(Cut::Both);
    stage.until(20_000);
    // The end of the connection, lost at 1 s, is sent again at 1.2, 1.6, 2.4 and 4.0 s.
    assert_eq!(stage.noted()[2..], ["4.0 client Closed"]);
}

#[test]
fn who_writes_to_a_process_that_has_gone_is_reset_when_the_link_heals() {
    let mut stage = Stage::new(&[(500, 1), (119_500, 2)], &[]);
    stage.until(112_000);
    stage.cut(Cut::Both);
    stage.until(112_500);
    stage.kill("server", THERE);
    stage.until(119_000);
    stage.heal(Cut::Both);
    stage.until(119_400);
    assert_eq!(stage.noted().len(), 2, "the end is sent again at 118.7 and 125.1 s");
    stage.until(140_000);
    assert_eq!(stage.noted()[2..], ["119.5 client Reset"]);
}

#[test]
fn over_a_slow_link_all_comes_later_and_in_order_when_it_is_healed() {
    let mut stage = Stage::new(&[(500, 1), (1500, 2), (2500, 3), (2900, 4), (5000, 5)], &[]);
    stage.until(1000);
    stage.hurt(Cut::Both, Hurt::Slow(500));
    stage.until(2600);
    stage.heal(Cut::Both);
    stage.until(6000);
    // What was sent at 2.5 s is on its way until 3.0 s; what was sent at 2.9 s waits for it.
    let rest = ["2.0 server 2", "2.5 client 2", "3.0 server 3", "3.0 server 4"];
    let back = ["3.0 client 3", "3.0 client 4", "5.0 server 5", "5.0 client 5"];
    assert_eq!(stage.noted()[2..], [&rest[..], &back].concat());
}

#[test]
fn a_connection_over_a_slow_link_is_open_after_a_round_trip() {
    let mut stage = Stage::new(&[(1500, 1)], &[]);
    stage.until(1000);
    stage.hurt(Cut::There, Hurt::Slow(500));
    stage.until(6000);
    assert_eq!(stage.noted(), ["2.5 server 1", "2.5 client 1"], "a handshake, then the number");
}

#[test]
fn what_a_lossy_link_takes_comes_with_a_retransmission_and_the_rest_behind_it() {
    let says: Vec<(u64, u32)> = (0..200).map(|n| (1000 + 50 * u64::from(n), n)).collect();
    let mut stage = Stage::new(&says, &[]);
    stage.until(500);
    stage.hurt(Cut::There, Hurt::Lossy(30));
    stage.until(60_000);
    let noted = stage.noted.lock().expect("one thread");
    let came: Vec<(u64, u32)> = noted
        .iter()
        .filter(|(_, who, _)| *who == "server")
        .map(|(at, _, what)| (at.as_micros() / 1000, what.parse().expect("a number")))
        .collect();
    let numbers: Vec<u32> = came.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<u32>>(), "all, once and in order");
    let late = came.iter().zip(&says).filter(|((at, _), (said, _))| at - said > 10).count();
    // Of five messages in 200 ms one is lost, or two, and most of the others wait behind them.
    assert!((60..180).contains(&late), "{late} of 200 were late");
}

#[test]
fn a_link_that_loses_nearly_all_is_given_up_by_the_keep_alives() {
    let mut stage = Stage::new(&[(500, 1)], &[]);
    stage.until(10_000);
    stage.hurt(Cut::Both, Hurt::Lossy(99));
    stage.until(200_000);
    let noted = stage.noted();
    let lost = |who: &str| noted.iter().any(|line| line.ends_with(&format!("{who} Lost")));
    assert!(lost("client") && lost("server"), "{noted:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn messages_arrive_once_and_in_order_or_never_and_none_crosses_a_cut(
        client in proptest::collection::vec(1u64..100_000, 1..20),
        server in proptest::collection::vec(1u64..100_000, 0..20),
        cuts in proptest::collection::vec(
            (
                0u64..40_000,
                1u64..60_000,
                prop_oneof![Just(Cut::There), Just(Cut::Back), Just(Cut::Both)],
                prop_oneof![
                    2 => Just(Hurt::Cut),
                    1 => (1u64..5000).prop_map(Hurt::Slow),
                    1 => (1u16..95).prop_map(Hurt::Lossy),
                ],
            ),
            1..4,
        ),
    ) {
        let numbered = |mut at: Vec<u64>, first: u32| -> Vec<(u64, u32)> {
            at.sort_unstable();
            at.into_iter().zip(first..).collect()
        };
        let mut stage = Stage::new(&numbered(client, 0), &numbered(server, 1000));
        let (mut now, mut closed) = (0, Vec::new());
        let all_cut = cuts.iter().all(|(_, _, _, hurt)| *hurt == Hurt::Cut);
        for (pause, length, cut, hurt) in cuts {
            now += pause;
            stage.until(now);
            stage.hurt(cut, hurt);
            now += length;
            stage.until(now);
            stage.heal(cut);
            if hurt == Hurt::Cut {
                closed.push((now - length, now, cut));
            }
        }
        stage.until(now + 400_000);
        let noted = stage.noted.lock().expect("one thread");
        for (who, way) in [("client", Cut::Back), ("server", Cut::There)] {
            let came: Vec<(SimTime, u32)> = noted
                .iter()
                .filter(|(_, by, _)| *by == who)
                .filter_map(|(at, _, what)| Some((*at, what.parse().ok()?)))
                .collect();
            for own in [false, true] {
                let numbers: Vec<u32> =
                    came.iter().map(|(_, n)| *n).filter(|n| (*n >= 1000) == own).collect();
                prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{who}: {numbers:?}");
            }
            for (from, to, cut) in &closed {
                // What was on its way when the link was cut arrives, if it had been slow too.
                let on_its_way = if all_cut { 2 } else { 10_000 };
                let (from, to) = (from + on_its_way, SimTime::ZERO + millis(*to));
                let from = SimTime::ZERO + millis(from);
                let crossed = came.iter().find(|(at, _)| from < *at && *at < to);
                prop_assert!(*cut != way && *cut != Cut::Both || crossed.is_none(), "{crossed:?}");
            }
        }
    }
}
