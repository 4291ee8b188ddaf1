//! What users of an API server get when its etcd refuses, is silent, or is gone.

use super::bench::{Server, settings, settings_of_1_30};
use super::channel::Line;
use super::*;
use crate::api::kinds::Node;
use crate::api::{Freshness, Kind, Meta, Selector};
use crate::engine::Text;
use crate::infra::Broken;
use crate::wire::{GrpcCode, StoreError};

fn node() -> Object {
    Object::new(Meta::new(Kind::Node, "", "worker-0"), Node::default())
}

fn get() -> Verb {
    Verb::Get(node().key().clone())
}

fn list(freshness: Freshness) -> Verb {
    Verb::List(Kind::Node, Selector::All, freshness)
}

fn failed(code: GrpcCode, message: &'static str) -> StoreAnswer {
    StoreAnswer::Failed(StoreError::new(code, message))
}

fn timed_out() -> StoreAnswer {
    failed(GrpcCode::Unavailable, "etcdserver: request timed out")
}

fn no_leader() -> StoreError {
    StoreError::new(GrpcCode::Unavailable, "etcdserver: no leader")
}

/// What the user got last, and after how many whole seconds of the run.
fn got(server: &Server) -> (u64, String) {
    let (at, answered) = server.answered.last().expect("an answer");
    let words = match answered {
        Ok(Answer::List(revision, items)) => format!("{} at {}", items.len(), revision.0),
        Ok(_) => "well".to_owned(),
        Err(error) => format!("{}: {}", error.reason.as_str(), error.message),
    };
    (at.since(SimTime::ZERO).as_secs(), words)
}

const READ_504: &str = "Timeout: Timeout: request did not complete within the allotted timeout";
const WRITE_504: &str = "Timeout: Timeout: request did not complete within requested timeout - \
                         context deadline exceeded";

#[test]
fn a_read_that_etcd_gives_up_is_made_again_until_the_user_s_own_deadline() {
    let mut server = Server::up(settings());
    server.ask(get());
    for _ in 0..8 {
        server.pass(Duration::from_secs(7));
        assert!(server.answered.is_empty(), "nobody is told");
        assert_eq!(server.stores(timed_out()), "get");
        server.pass(Duration::from_millis(25));
    }
    server.pass(Duration::from_secs(7));
    assert_eq!(got(&server), (60, READ_504.to_owned()));
}

#[test]
fn what_paths_there_are_is_told_without_etcd() {
    let mut server = Server::up(settings());
    server.ask(Verb::Paths);
    assert_eq!(got(&server), (0, "well".to_owned()));
    assert!(server.asked.is_empty());
}

#[test]
fn with_the_retries_overwritten_a_read_tells_what_etcd_said() {
    let mut server = Server::up(settings_of_1_30());
    server.ask(get());
    server.pass(Duration::from_secs(14));
    server.stores(timed_out());
    assert_eq!(got(&server), (14, ": etcdserver: request timed out".to_owned()));
}

#[test]
fn a_write_that_may_have_been_heard_is_not_made_again() {
    let mut server = Server::up(settings());
    server.ask(Verb::Create(Arc::new(node())));
    server.pass(Duration::from_secs(7));
    assert_eq!(server.stores(timed_out()), "put");
    assert_eq!(got(&server), (7, ": etcdserver: request timed out".to_owned()));
}

#[test]
fn a_write_that_etcd_gave_up_for_its_deadline_is_made_again_for_34_s_or_told() {
    let given_up = || failed(GrpcCode::DeadlineExceeded, "context deadline exceeded");
    let mut server = Server::up(settings());
    server.ask(Verb::Create(Arc::new(node())));
    for _ in 0..4 {
        server.pass(Duration::from_secs(7));
        server.stores(given_up());
        server.pass(Duration::from_millis(25));
    }
    server.pass(Duration::from_secs(7));
    assert_eq!(got(&server), (34, WRITE_504.to_owned()));

    let mut server = Server::up(settings_of_1_30());
    server.ask(Verb::Create(Arc::new(node())));
    server.pass(Duration::from_secs(7));
    server.stores(given_up());
    let words = ": rpc error: code = DeadlineExceeded desc = context deadline exceeded";
    assert_eq!(got(&server), (7, words.to_owned()));
}

#[test]
fn what_was_under_way_when_the_connection_broke_fails_or_is_made_again() {
    let reset = ": rpc error: code = Unavailable desc = error reading from server: read tcp \
                 127.0.0.1->127.0.0.1:2379: read: connection reset by peer";
    let mut server = Server::up(settings_of_1_30());
    server.ask(get());
    server.breaks(Broken::Reset);
    assert_eq!(got(&server).1, reset);

    let mut server = Server::up(settings());
    server.ask(get());
    server.breaks(Broken::Reset);
    server.pass(Duration::from_secs(1));
    assert!(server.answered.is_empty(), "a read is made again");
    let asked = server.asked.iter().filter(|(_, request)| request.id != 0).count();
    assert_eq!(asked, 2, "with the watch, on the new connections");
}

#[test]
fn a_member_that_refuses_is_waited_for_with_a_growing_pause() {
    for settings in [settings(), settings_of_1_30()] {
        let mut server = Server::up(settings);
        server.breaks(Broken::Reset);
        server.pass(Duration::ZERO);
        server.ask(get());
        let mut dials = vec![server.bed.now.since(SimTime::ZERO).as_secs()];
        for pause in [1000, 1600, 2560, 4096, 6553, 10485, 16777, 26843] {
            server.breaks(Broken::Refused);
            let before = server.etcd_count();
            server.pass(Duration::from_millis(pause - 1));
            assert_eq!(server.etcd_count(), before, "not before {pause} ms");
            server.pass(Duration::from_millis(2));
            assert_eq!(server.etcd_count(), before + 1, "after {pause} ms");
            dials.push(server.bed.now.since(SimTime::ZERO).as_secs());
        }
        assert_eq!(got(&server), (60, READ_504.to_owned()), "a user waits for his deadline");
        assert_eq!(dials, [0, 1, 2, 5, 9, 15, 26, 43, 69]);
    }
}

#[test]
fn a_member_that_accepts_and_says_nothing_counts_like_one_that_refuses() {
    let mut server = Server::up(settings());
    server.breaks(Broken::Lost);
    server.pass(Duration::ZERO);
    server.ask(get());
    for pause in [1000, 1600, 2560] {
        server.breaks(Broken::Unanswered);
        assert!(server.answered.is_empty(), "it waits for the next connection");
        let before = server.etcd_count();
        server.pass(Duration::from_millis(pause - 1));
        assert_eq!(server.etcd_count(), before, "not before {pause} ms");
        server.pass(Duration::from_millis(2));
        assert_eq!(server.etcd_count(), before + 1, "after {pause} ms");
    }
    server.asked.retain(|(_, request)| !matches!(request.operation, StoreOperation::Watch(_)));
    assert_eq!(server.stores(StoreAnswer::Value(Revision(9), Some(Arc::new(node())))), "get");
    assert_eq!(got(&server), (5, "well".to_owned()));
}

#[test]
fn each_kind_comes_back_when_its_own_channel_does() {
    let mut server = Server::up(settings());
    server.breaks(Broken::Reset);
    server.pass(Duration::ZERO);
    // The Leases' channel finds the member sooner than that of the Nodes.
    server.breaks_one(Line::Kind(Kind::Node), Broken::Refused);
    server.pass(Duration::from_millis(1_001));
    server.breaks_one(Line::Kind(Kind::Node), Broken::Refused);
    server.asked.clear();
    server.ask(get());
    let lease = ObjectKey { kind: Kind::Lease, ..node().key().clone() };
    server.ask(Verb::Get(lease.clone()));
    assert_eq!(server.asked.len(), 1, "a Node's read waits for its channel");
    assert_eq!(server.stores(StoreAnswer::Value(Revision(5), None)), "get");
    assert_eq!(got(&server).1, format!("NotFound: {}", ApiError::not_found(&lease).message));
    server.pass(Duration::from_millis(1_600));
    assert_eq!(server.stores(StoreAnswer::Value(Revision(5), Some(Arc::new(node())))), "get");
    assert_eq!(got(&server), (2, "well".to_owned()));
}

#[test]
fn a_list_s_read_is_made_again_whatever_becomes_of_the_cache() {
    let mut server = Server::up(settings());
    server.ask(list(Freshness::Latest));
    server.watch_ends(no_leader());
    for _ in 0..31 {
        server.pass(Duration::from_secs(1));
        let watch = server.asked.pop().expect("the watch is opened again");
        let refused = StoreAnswer::Failed(no_leader());
        server.play(Input::Message(watch.0, Message::Stored(watch.1.id, refused)));
    }
    server.ask(list(Freshness::AtLeast(Revision(5))));
    assert_eq!(got(&server).1, "TooManyRequests: storage is (re)initializing");
    assert_eq!(server.stores(timed_out()), "get");
    server.pass(Duration::from_millis(25));
    server.pass(Duration::from_secs(30));
    assert_eq!(got(&server), (60, READ_504.to_owned()), "not refused for the cache");
}

#[test]
fn a_read_at_its_deadline_may_end_without_an_answer_and_a_write_does_not() {
    let mut server = Server::up(Settings { aborted_percent: 100, ..settings() });
    server.ask(get());
    server.pass(Duration::from_secs(61));
    let words = "Unreachable: stream error: stream ID 3; INTERNAL_ERROR; received from peer";
    assert_eq!(got(&server), (60, words.to_owned()));
    server.ask(Verb::Create(Arc::new(node())));
    server.pass(Duration::from_secs(35));
    assert_eq!(got(&server).1, WRITE_504);
}

#[test]
fn a_waiting_request_is_served_by_the_member_that_came_back() {
    let mut server = Server::up(settings());
    server.breaks(Broken::Reset);
    server.pass(Duration::ZERO);
    server.breaks(Broken::Refused);
    server.ask(get());
    server.pass(Duration::from_secs(1));
    server.asked.retain(|(_, request)| !matches!(request.operation, StoreOperation::Watch(_)));
    assert_eq!(server.stores(StoreAnswer::Value(Revision(9), Some(Arc::new(node())))), "get");
    assert_eq!(got(&server), (1, "well".to_owned()));
}

#[test]
fn without_a_leader_the_cache_serves_for_half_a_minute_and_then_refuses() {
    let mut server = Server::up(settings());
    server.ask(Verb::Watch(Kind::Node, Selector::All, Revision(5)));
    server.pass(Duration::from_secs(3));
    server.watch_ends(no_leader());
    assert_eq!(server.logged, ["watch chan error: etcdserver: no leader"]);
    for second in 4..33 {
        server.pass(Duration::from_secs(1));
        server.ask(list(Freshness::Any));
        assert_eq!(got(&server), (second, "0 at 5".to_owned()));
        let open = server.asked.pop().expect("the watch is opened again");
        server.play(Input::Message(
            open.0,
            Message::Stored(open.1.id, StoreAnswer::Failed(no_leader())),
        ));
    }
    assert!(server.sent.is_empty(), "the user's own watch is open");
    server.pass(Duration::from_secs(1));
    let open = server.asked.pop().expect("the watch is opened again");
    let refused = StoreAnswer::Failed(no_leader());
    server.play(Input::Message(open.0, Message::Stored(open.1.id, refused)));
    let [(_, Message::WatchEnded(1, error))] = &server.sent[..] else {
        panic!("{:?}", server.sent)
    };
    assert_eq!(error.message, "EOF");
    let some = Selector::Named(Text::word("worker-0"));
    for verb in [
        list(Freshness::Any),
        list(Freshness::AtLeast(Revision(5))),
        list(Freshness::Latest),
        Verb::List(Kind::Node, some, Freshness::AnyInChunks),
        Verb::Watch(Kind::Node, Selector::All, Revision(5)),
    ] {
        server.ask(verb);
        assert_eq!(got(&server).1, "TooManyRequests: storage is (re)initializing");
    }
    for freshness in [Freshness::InChunks, Freshness::AnyInChunks] {
        server.ask(list(freshness));
        assert_eq!(server.stores(StoreAnswer::Values(Revision(6), Vec::new())), "range");
        assert_eq!(got(&server).1, "0 at 6", "kubectl's list, and an informer's first: of etcd");
    }
    assert_eq!(server.logged.len(), 1, "{:?}", server.logged);
    server.pass(Duration::from_secs(1));
    server.fill();
    server.ask(list(Freshness::Any));
    assert_eq!(got(&server).1, "0 at 5");
}

#[test]
fn in_1_30_a_list_of_any_revision_is_asked_of_etcd_without_a_cache_and_others_wait() {
    let mut server = Server::up(settings_of_1_30());
    server.watch_ends(no_leader());
    for _ in 0..31 {
        server.pass(Duration::from_secs(1));
        server.stores(StoreAnswer::Failed(no_leader()));
    }
    server.ask(Verb::Watch(Kind::Node, Selector::All, Revision(5)));
    server.ask(list(Freshness::AtLeast(Revision(5))));
    server.ask(list(Freshness::Any));
    assert_eq!(server.stores(timed_out()), "range");
    assert_eq!(got(&server).1, ": etcdserver: request timed out");
    assert_eq!(server.answered.len(), 1);
    server.pass(Duration::from_secs(1));
    server.fill();
    assert!(matches!(server.answered[1].1, Ok(Answer::Watching)));
    assert!(
        matches!(server.answered[2].1, Ok(Answer::List(..))),
        "it waits for a certain revision"
    );
}

#[test]
fn a_broken_connection_leaves_the_cache_as_it_is() {
    let mut server = Server::up(settings());
    server.commits(6, &node());
    server.breaks(Broken::Reset);
    server.pass(Duration::ZERO);
    for _ in 0..3 {
        server.breaks(Broken::Refused);
        server.pass(Duration::from_secs(60));
        server.ask(list(Freshness::Any));
        assert_eq!(got(&server).1, "1 at 6", "stale, and served");
    }
    let (_, watch) = server.asked.first().expect("the watch");
    let StoreOperation::Watch(after) = watch.operation else { panic!("{watch:?}") };
    assert_eq!(after, Some(Revision(6)), "it goes on where it was");
}

#[test]
fn a_latest_list_comes_from_the_cache_once_that_is_fresh_enough() {
    let mut server = Server::up(settings());
    server.ask(list(Freshness::Latest));
    assert_eq!(server.stores(StoreAnswer::Value(Revision(6), None)), "get");
    assert!(server.answered.is_empty(), "the cache is at 5");
    server.commits(6, &node());
    assert_eq!(got(&server).1, "1 at 6");
    server.ask(list(Freshness::Latest));
    server.stores(StoreAnswer::Value(Revision(7), None));
    server.pass(Duration::from_secs(3));
    let items = vec![Arc::new(node())];
    assert_eq!(server.stores(StoreAnswer::Values(Revision(7), items)), "range", "asked after all");
    assert_eq!(got(&server).1, "1 at 7");

    let mut server = Server::up(settings_of_1_30());
    server.ask(list(Freshness::Latest));
    assert_eq!(server.stores(StoreAnswer::Values(Revision(6), Vec::new())), "range");
}

#[test]
fn a_list_that_is_newer_than_the_cache_is_waited_for_and_refused() {
    let mut server = Server::up(settings());
    server.ask(list(Freshness::AtLeast(Revision(9))));
    server.pass(Duration::from_secs(3));
    let words = "Timeout: Timeout: Too large resource version: 9, current: 5";
    assert_eq!(got(&server), (3, words.to_owned()));
    let Err(error) = &server.answered[0].1 else { panic!("it is refused") };
    assert_eq!(error.retry_after.map(|(_, pause)| pause), Some(Duration::from_secs(1)));
}

#[test]
fn health_is_a_quorum_read_that_may_take_two_seconds() {
    let mut server = Server::up(settings());
    server.probe("/livez");
    assert_eq!(server.stores(StoreAnswer::Value(Revision(5), None)), "get");
    assert_eq!(server.health(), [(0, 200)]);
    server.pass(Duration::from_secs(1));
    server.probe("/readyz");
    server.pass(Duration::from_secs(2));
    assert_eq!(server.health().len(), 1, "the second check follows the first");
    server.pass(Duration::from_secs(2));
    assert_eq!(server.health()[1..], [(5000, 500)]);
    server.probe("/healthz");
    server.pass(Duration::from_millis(100));
    server.probe("/livez");
    assert_eq!(server.health()[2..], [(5100, 500)], "within a second it tells what it found last");
}

#[test]
fn a_check_that_is_foreseen_goes_as_one_that_is_played() {
    let took = Duration::from_millis(3);
    let mut server = Server::up(settings());
    assert_eq!(server.foresees("/readyz", took), None, "etcd has not spoken to its checks yet");
    let well = || StoreAnswer::Value(Revision(5), None);
    let mut played = Server::up(settings());
    for server in [&mut server, &mut played] {
        server.probe("/readyz");
        assert_eq!([server.stores(well()), server.stores(well())], ["get", "get"]);
    }
    // Each of the two checks asks once a second: sometimes none does, or the second alone.
    for pause in [200, 1_000, 997, 500, 400, 1_100, 998, 2, 3_000] {
        let pass = Duration::from_millis(pause);
        server.pass(pass);
        let foreseen = server.foresees("/readyz", took).expect("all is well");
        played.pass(pass);
        let (begun, before) = (played.bed.now, played.health().len());
        let mut reads = 0;
        played.probe("/readyz");
        while !played.asked.is_empty() {
            played.pass(took);
            played.stores(well());
            reads += 1;
        }
        assert_eq!(played.health().len(), before + 1);
        assert_eq!(foreseen, (played.bed.now.since(begun), reads));
        server.pass(foreseen.0);
    }
}

#[test]
fn a_check_of_a_server_that_is_not_well_is_not_foreseen() {
    let mut server = Server::up(settings());
    let took = Duration::from_millis(3);
    server.probe("/livez");
    server.stores(StoreAnswer::Value(Revision(5), None));
    assert_eq!(server.foresees("/livez", took), Some((Duration::ZERO, 0)));
    assert_eq!(server.foresees("/version", took), None);
    server.pass(Duration::from_secs(1));
    server.probe("/livez");
    server.pass(Duration::from_secs(2));
    assert_eq!(server.health().last(), Some(&(3000, 500)));
    assert_eq!(server.foresees("/livez", took), None, "its last check has failed");
    let mut new = Server::started(settings(), Start::Fresh);
    assert_eq!(new.foresees("/livez", took), None);
}

#[test]
fn a_new_server_serves_when_its_hooks_are_through() {
    let mut server = Server::started(settings(), Start::Fresh);
    server.probe("/livez");
    assert_eq!(server.health(), [(0, 500)]);
    server.ask(get());
    server.fill();
    server.pass(Duration::from_secs(9));
    assert!(server.asked.is_empty());
    server.pass(Duration::from_secs(1));
    assert_eq!(server.stores(StoreAnswer::Value(Revision(5), Some(Arc::new(node())))), "get");
    assert_eq!(got(&server), (10, "well".to_owned()));
}

#[test]
fn a_new_server_opens_its_port_once_every_storage_has_its_etcd() {
    let mut server = Server::started(settings(), Start::Steady);
    assert!(!server.bed.process.is_closed, "it has long been up");
    server = Server::started(settings(), Start::Fresh);
    server.stores(StoreAnswer::Values(Revision(5), Vec::new()));
    let last = server.dials.pop();
    server.takes_dials();
    assert!(server.bed.process.is_closed, "one storage waits for its connection");
    server.dials.extend(last);
    server.takes_dials();
    assert!(!server.bed.process.is_closed, "its hooks are not through, and it listens");
}

#[test]
fn a_new_server_dials_an_etcd_again_that_ends_before_it_serves() {
    for settings in [settings(), settings_of_1_30()] {
        let mut server = Server::started(settings, Start::Fresh);
        server.dials.clear();
        server.breaks(Broken::Reset);
        server.pass(Duration::from_millis(100));
        assert!(!server.exited && server.bed.process.is_closed);
        assert!(!server.dials.is_empty(), "it asks again");
        server.takes_dials();
        assert!(!server.bed.process.is_closed);
    }
}

#[test]
fn a_new_server_ends_without_an_etcd_that_serves_it() {
    let mut server = Server::started(settings(), Start::Fresh);
    server.breaks(Broken::Refused);
    server.pass(Duration::from_secs(20));
    assert!(server.exited);
    assert!(server.logged[0].ends_with("context deadline exceeded"), "{:?}", server.logged);

    let mut server = Server::started(settings_of_1_30(), Start::Fresh);
    server.pass(Duration::from_secs(7));
    server.stores(timed_out());
    assert!(server.exited);
    let words = "Unable to perform initial IP allocation check: unable to refresh the service IP \
                 block: etcdserver: request timed out";
    assert_eq!(server.logged, [words]);
}

#[test]
fn words_of_etcd_stand_alone_and_those_of_its_transport_do_not() {
    let words = |code, text| storage::words(&StoreError { code, message: Text::word(text) });
    assert_eq!(words(GrpcCode::Unavailable, "etcdserver: no leader"), "etcdserver: no leader");
    let wrapped = words(GrpcCode::DeadlineExceeded, "context deadline exceeded");
    assert_eq!(wrapped, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
}
