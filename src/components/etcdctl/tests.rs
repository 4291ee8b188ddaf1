//! etcdctl: what it asks for, what it prints, and what it prints when nobody answers.

use super::*;
use crate::engine::Text;
use crate::infra::testbed::{Testbed, timers};
use crate::infra::{Effect, ProcessId};
use crate::raft::MemberId;
use crate::wire::{Consistency, GrpcCode, MemberStatus};

/// A laptop and the member that it talks to, whom the test plays.
struct Laptop {
    etcdctl: Etcdctl,
    bed: Testbed<Event>,
    dialled: Vec<String>,
    asked: Vec<StoreRequest>,
    printed: Vec<String>,
    timers: Vec<(Duration, Event)>,
}

const CONNECTION: ConnectionId = ConnectionId { client: ProcessId(0), count: 1 };

impl Laptop {
    fn types(action: Action) -> Laptop {
        let settings = Settings { command_timeout: Duration::from_secs(5), port: Port(2379) };
        let (dialled, asked, printed, timers) = Default::default();
        let (etcdctl, bed) = (Etcdctl::new(settings), Testbed::new("etcdctl", "laptop"));
        let mut laptop = Laptop { etcdctl, bed, dialled, asked, printed, timers };
        let command = Command { endpoint: Text::word("control-plane-2"), action };
        laptop.play(Input::Due(Event::Typed(Box::new(command))));
        assert_eq!(laptop.dialled, ["control-plane-2:2379"]);
        laptop
    }

    fn play(&mut self, input: Input<Event>) {
        let etcdctl = &mut self.etcdctl;
        let effects = self.bed.play(|ctx| etcdctl.on_event(input, ctx));
        self.timers.extend(timers(&effects));
        for effect in effects {
            match effect {
                Effect::ConnectToVm(_, vm, port) => self.dialled.push(format!("{vm}:{}", port.0)),
                Effect::Send(_, Message::Store(request)) => self.asked.push(*request),
                Effect::Trace(Trace::Printed(line, _)) => self.printed.push(line.to_string()),
                _ => {}
            }
        }
    }

    fn answers(&mut self, answer: StoreAnswer) {
        let request = self.asked.pop().expect("something was asked");
        self.play(Input::Message(CONNECTION, Message::Stored(request.id, answer)));
    }

    fn refuses(&mut self, message: &'static str) {
        self.answers(StoreAnswer::Failed(StoreError::new(GrpcCode::Unavailable, message)));
    }
}

fn members() -> Vec<MemberInfo> {
    let member = |number: u32, vm: &'static str, started| MemberInfo {
        id: MemberId(number),
        vm: Text::word(vm),
        started,
        learner: !started,
    };
    vec![member(1, "control-plane-0", true), member(2, "control-plane-1", false)]
}

#[test]
fn members_are_listed_as_etcdctl_lists_them() {
    let mut laptop = Laptop::types(Action::MemberList);
    assert!(matches!(
        laptop.asked[0].operation,
        StoreOperation::MemberList(Consistency::Linearizable)
    ));
    laptop.answers(StoreAnswer::Members(members()));
    let listed = "1, started, control-plane-0, https://control-plane-0:2380, \
                  https://control-plane-0:2379, false\n\
                  2, unstarted, , https://control-plane-1:2380, , true";
    assert_eq!(laptop.printed, [listed]);
}

#[test]
fn a_member_is_looked_up_before_it_is_removed() {
    let mut laptop = Laptop::types(Action::MemberRemove(Text::word("control-plane-0")));
    laptop.answers(StoreAnswer::Members(members()));
    assert!(matches!(laptop.asked[0].operation, StoreOperation::MemberRemove(MemberId(1))));
    laptop.answers(StoreAnswer::Members(members()[1..].to_vec()));
    assert_eq!(laptop.printed, ["Member 1 removed from cluster"]);
}

#[test]
fn whom_nobody_knows_cannot_be_promoted() {
    let mut laptop = Laptop::types(Action::MemberPromote(Text::word("worker-0")));
    laptop.answers(StoreAnswer::Members(members()));
    let words = "Error: no member on worker-0; there: control-plane-0, control-plane-1";
    assert_eq!(laptop.printed, [words]);
}

#[test]
fn leadership_is_moved_by_the_leader_only() {
    let mut laptop = Laptop::types(Action::MoveLeader(Text::word("control-plane-0")));
    laptop.answers(StoreAnswer::Members(members()));
    laptop.refuses("etcdserver: not leader");
    let words = "Error: no leader endpoint given at [https://control-plane-2:2379]";
    assert_eq!(laptop.printed, [words]);
    let mut laptop = Laptop::types(Action::MoveLeader(Text::word("control-plane-0")));
    laptop.answers(StoreAnswer::Members(members()));
    laptop.answers(StoreAnswer::Done);
    assert_eq!(laptop.printed, ["Leadership transferred to 1"]);
}

#[test]
fn an_unhealthy_member_is_told_in_etcdctls_words() {
    let mut laptop = Laptop::types(Action::EndpointHealth);
    laptop.refuses("etcdserver: request timed out");
    let words = "https://control-plane-2:2379 is unhealthy: failed to commit proposal: etcdserver: \
                 request timed out\nError: unhealthy cluster";
    assert_eq!(laptop.printed, [words]);
}

#[test]
fn status_says_who_leads() {
    let mut laptop = Laptop::types(Action::EndpointStatus);
    laptop.answers(StoreAnswer::Status(Box::new(MemberStatus {
        member: MemberId(3),
        leader: None,
        term: 4,
        index: 9,
        applied: 8,
        revision: Default::default(),
        is_learner: false,
        errors: vec!["etcdserver: no leader"],
    })));
    let words = "https://control-plane-2:2379, 3, false, false, 4, 9, 8, etcdserver: no leader";
    assert_eq!(laptop.printed, [words]);
}

#[test]
fn a_member_that_does_not_answer_is_given_up_after_the_command_timeout() {
    let mut laptop = Laptop::types(Action::MemberList);
    // A refused connection is dialled again until then, and nothing is said of it.
    laptop.play(Input::Broken(CONNECTION, Broken::Refused));
    assert!(laptop.printed.is_empty());
    let (delay, event) = laptop.timers.pop().expect("a deadline");
    assert_eq!(delay, Duration::from_secs(5));
    laptop.bed.pass(delay);
    laptop.play(Input::Due(event));
    assert_eq!(laptop.printed, ["Error: context deadline exceeded"]);
    laptop.play(Input::Message(CONNECTION, Message::Stored(1, StoreAnswer::Done)));
    assert_eq!(laptop.printed.len(), 1, "it has ended");
}
