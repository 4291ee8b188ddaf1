//! A kernel's own keep-alive: probes of which no program knows, on connections that nobody pings, like
//! the streams between members of etcd.
//!
//! As with pings, none is played while all is well: the first is when a link of the connection, or the
//! power at its other end, has failed.

use super::core::{Core, What, purpose};
use super::messages::RETRANSMISSION;
use crate::engine::SimTime;
use crate::infra::{Asker, Broken, Direction, End, Path, Probing, Route, Vm};
use crate::timeline::Cause;

impl Core {
    /// The host of the other end has lost its power.
    pub(super) fn unheard(&mut self, direction: Direction, cause: Cause) {
        let (connection, end) = direction;
        let (now, network) = (self.now, &self.datacenter.network);
        match end {
            End::Client => {
                let Some(heard) = network.heard_at(connection) else { return };
                let keep_alive = self.datacenter.keep_alive(connection);
                let Some(at) = keep_alive.next_ping(heard, now) else { return };
                let what = What::ProbeDue(direction, Probing { heard, unanswered: 0 });
                self.push_host(at, connection.client, (cause, keep_alive.rules[0]), what);
            }
            // It writes, and that is not acknowledged. Simplified: its first write is now.
            End::Server => self.resend_later(direction, 0, cause),
        }
    }

    fn resend_later(&mut self, direction: Direction, tries: u32, cause: Cause) {
        let at = self.now + self.datacenter.retransmission.pause(tries);
        let what = What::ResendUnheard(direction, tries);
        self.push_host(at, direction.0.client, (cause, RETRANSMISSION), what);
    }

    /// A segment for a host that had no power when it was written is sent again. If the host, or another
    /// of its name, has booted since, it knows no such connection, and says so.
    pub(super) fn resend_unheard(&mut self, direction: Direction, tries: u32, cause: Cause) {
        let (connection, end) = direction;
        let Some(who) = self.datacenter.network.process_at(connection, end) else { return };
        if !self.datacenter.processes.get(who).alive {
            return;
        }
        let Path { there, back } = self.try_way(direction);
        let how = match there && back && self.has_booted_again(direction) {
            true => Broken::Reset,
            false if tries >= self.datacenter.retransmission.retries => Broken::Lost,
            false => return self.resend_later(direction, tries + 1, cause),
        };
        let led = (cause, self.way_rule(connection));
        self.push_to(self.now, who, who, purpose::CONNECTION, led, What::Broken(connection, how));
    }

    /// True if the host of the other end was started again after the connection was lost with it, or another
    /// was made with its name and so with its address.
    fn has_booted_again(&self, (connection, end): Direction) -> bool {
        let datacenter = &self.datacenter;
        let lost = datacenter.vm_of((connection, end.other()));
        let now = lost.and_then(|vm| datacenter.vm_named(&datacenter.vm(vm).name));
        let (here, now) = (datacenter.vm_of((connection, end)), now.map(|vm| datacenter.vm(vm)));
        let can_speak = here.is_some_and(|vm| datacenter.vm(vm).answers());
        can_speak && now.is_some_and(Vm::answers)
    }

    /// An end has heard nothing for long, or its last probes had no answer: it sends another, or gives
    /// the connection up.
    pub(super) fn probe_due(&mut self, direction: Direction, probing: Probing, cause: Cause) {
        let (connection, end) = direction;
        self.datacenter.transport.watched.remove(&direction);
        let (keep_alive, network) =
            (self.datacenter.keep_alive(connection), &self.datacenter.network);
        let (Asker::Kernel { probes }, Some(heard)) = (keep_alive.by, network.heard_at(connection))
        else {
            return;
        };
        let process = network.process_at(connection, end);
        let lives = process.is_some_and(|process| self.datacenter.processes.get(process).alive);
        if !lives || network.left(connection) == Some(end) {
            return;
        }
        if heard != probing.heard {
            // What was on its way when the power went has come since.
            return match self.datacenter.is_deaf(connection) {
                true => self.unheard(direction, cause),
                false => self.watch(direction),
            };
        }
        if probing.unanswered >= probes {
            return self.give_up(direction, cause);
        }
        match self.answer_to_probe(direction) {
            Answer::None => {
                let unanswered = probing.unanswered + 1;
                let what = What::ProbeDue(direction, Probing { unanswered, ..probing });
                let at = self.now + keep_alive.answer;
                self.push_host(at, connection.client, (cause, keep_alive.rules[1]), what);
            }
            Answer::Lives => {
                self.datacenter.network.heard(connection, self.now);
                self.watch(direction);
            }
            Answer::Gone(at) => {
                let Some(process) = process else { return };
                let led = (cause, self.way_rule(connection));
                let what = What::Broken(connection, Broken::Reset);
                self.push_to(at, process, process, purpose::CONNECTION, led, what);
            }
        }
    }

    fn answer_to_probe(&mut self, direction: Direction) -> Answer {
        let (connection, end) = direction;
        let Some(process) = self.datacenter.network.process_at(connection, end) else {
            return Answer::None;
        };
        let Path { there, back } = self.try_way(direction);
        let back =
            (there && back) && !self.datacenter.loses((connection, end.other()), &self.random);
        match self.route_of(connection, process) {
            _ if !back => Answer::None,
            Route::Silent if self.has_booted_again(direction) => Answer::Gone(self.now),
            Route::Silent => Answer::None,
            Route::Deliver { .. } | Route::Echo { .. } => Answer::Lives,
            Route::Fail { at, .. } => Answer::Gone(at),
        }
    }
}

/// What comes of a probe.
enum Answer {
    None,
    Lives,
    /// The other end's host says at this time that it knows no such connection.
    Gone(SimTime),
}
