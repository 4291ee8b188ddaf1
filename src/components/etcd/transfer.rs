//! Handing over the leader's office: on request, and before a leader that is told to stop does so; and how
//! a member ends that is told to.
//!
//! Follows `TransferLeadership` and `moveLeader` of etcd's `server.go`, and `Close` of `embed/etcd.go`.

use super::errors::{BAD_TRANSFEREE, NOT_LEADER, TRANSFER_TOO_LONG, failed};
use super::requests::Client;
use super::{Event, Member, PEER_PORT};
use crate::engine::SimTime;
use crate::infra::Ctx;
use crate::raft::{MemberId, Role};
use crate::wire::StoreAnswer;

/// A transfer on its way.
#[derive(Clone, Debug)]
pub struct Transfer {
    to: MemberId,
    deadline: SimTime,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Answer(Client),
    Stop,
}

impl Member {
    /// SIGTERM: clients are let go, and nobody new is served. A leader hands over to the voter that it
    /// has been linked to for longest; then Raft stops.
    pub fn terminate(&mut self, ctx: &mut Ctx<Event>) {
        if std::mem::replace(&mut self.is_closing, true) {
            return;
        }
        ctx.serve_only(PEER_PORT);
        let voters = self.raft.membership().voters();
        let other = |id: &&MemberId| **id != self.id;
        let since = |id: &MemberId| self.peer(*id).and_then(|peer| peer.active_since());
        let linked = voters.iter().filter(other).filter_map(|id| Some((since(id)?, *id)));
        match linked.min().filter(|_| self.raft.role() == Role::Leader) {
            Some((_, to)) => self.begin_transfer(to, Then::Stop, ctx),
            None => self.shut_down(ctx),
        }
    }

    /// Raft stops, and the links end. The server of the peers' port waits for a second until their last
    /// connections are of no use to them any more (`http.Server.Shutdown`).
    ///
    /// Simplified: always for the whole second. One in nine of the recorded leaders found none of use at
    /// once, and Go looks at 1, 3, 7 ... 511 ms.
    fn shut_down(&mut self, ctx: &mut Ctx<Event>) {
        self.is_stopping = true;
        ctx.close_ports();
        let is_dialed = self.peers.iter().any(|peer| peer.writer().is_some());
        self.close_links(ctx);
        let wait = self.settings.peer_shutdown;
        match is_dialed && !wait.is_zero() {
            true => ctx.after("etcd.peerShutdown", wait, Event::Closed),
            false => ctx.exit(),
        }
    }

    /// A client wants another member to lead.
    pub fn move_leader(&mut self, client: Client, to: MemberId, ctx: &mut Ctx<Event>) {
        if self.raft.role() != Role::Leader {
            self.answer(client, failed(NOT_LEADER), ctx);
        } else if !self.raft.membership().is_voter(to) {
            self.answer(client, failed(BAD_TRANSFEREE), ctx);
        } else {
            self.begin_transfer(to, Then::Answer(client), ctx);
        }
    }

    /// Whoever waits for a transfer looks once per heartbeat whether it has happened.
    pub fn poll_transfers(&mut self, ctx: &mut Ctx<Event>) {
        let leader = self.raft.leader();
        let now = ctx.now();
        let is_over = |transfer: &Transfer| leader == Some(transfer.to) || now >= transfer.deadline;
        let (over, open) =
            std::mem::take(&mut self.transfers).into_iter().partition::<Vec<Transfer>, _>(is_over);
        self.transfers = open;
        for transfer in over {
            let done = leader == Some(transfer.to);
            match transfer.then {
                Then::Stop => return self.shut_down(ctx),
                Then::Answer(client) => {
                    let answer = if done { StoreAnswer::Done } else { failed(TRANSFER_TOO_LONG) };
                    self.answer(client, answer, ctx);
                }
            }
        }
        if !self.transfers.is_empty() {
            ctx.after("etcd.heartbeatInterval", self.settings.heartbeat, Event::TransferPoll);
        }
    }

    fn begin_transfer(&mut self, to: MemberId, then: Then, ctx: &mut Ctx<Event>) {
        self.raft.transfer_leadership(to);
        let deadline = ctx.now() + self.settings.request_timeout();
        if self.transfers.is_empty() {
            ctx.after("etcd.heartbeatInterval", self.settings.heartbeat, Event::TransferPoll);
        }
        self.transfers.push(Transfer { to, deadline, then });
    }
}
