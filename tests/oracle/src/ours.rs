//! healsim's member with its disk.

use crate::{End, Input};
use healsim::raft::{
    Appended, Body, ConfChange, Disk, MemberId, Membership, Message, Payload, ProgressState, Raft,
    ReadContext, Ready, Role, Settings, Snapshot,
};

/// A member that carries out at once what it wants.
pub struct Ours {
    pub raft: Raft<u64>,
    pub timeout: u32,
    disk: Disk<u64>,
    ready: Ready<u64>,
    sent: Vec<Message<u64>>,
    /// Answered reads: which, and at which index.
    pub reads: Vec<(u64, u64)>,
    settings: Settings,
}

impl Ours {
    pub fn new(id: u32, settings: Settings, voters: u32) -> Ours {
        let membership = Membership::of_voters((1..=voters).map(MemberId));
        let disk = match voters {
            0 => Disk::default(),
            _ => Disk::with_snapshot(Snapshot { index: 1, term: 1, membership }),
        };
        let raft = Raft::new(MemberId(id), settings, &disk).expect("the disk is whole");
        let (sent, reads) = (Vec::new(), Vec::new());
        Ours { raft, timeout: 0, disk, ready: Ready::default(), sent, reads, settings }
    }

    pub fn draw(&mut self, draw: u64) {
        self.raft.draw_timeout(draw);
        let more = draw % u64::from(self.settings.election_ticks);
        self.timeout = self.settings.election_ticks + u32::try_from(more).expect("small");
    }

    pub fn input(&mut self, input: Input) {
        let change = |change| Payload::Change(change, 0);
        // A dropped proposal is dropped on both sides, or the states differ.
        match input {
            Input::Tick => self.raft.tick(),
            Input::Propose(payload) => _ = self.raft.propose(Payload::Normal(payload)),
            Input::AddVoter(id) => {
                _ = self.raft.propose(change(ConfChange::AddVoter(MemberId(id))));
            }
            Input::AddLearner(id) => {
                _ = self.raft.propose(change(ConfChange::AddLearner(MemberId(id))));
            }
            Input::Remove(id) => _ = self.raft.propose(change(ConfChange::Remove(MemberId(id)))),
            Input::Transfer(to) => self.raft.transfer_leadership(MemberId(to)),
            Input::Read(context) => self.raft.read_index(ReadContext(context)),
        }
        self.turn();
    }

    pub fn hear(&mut self, message: Message<u64>) {
        self.raft.step(message).expect("no disk was lost");
        self.turn();
    }

    pub fn restart(&mut self, settings: Settings) {
        self.raft = Raft::new(self.raft.id(), settings, &self.disk).expect("the disk is whole");
        self.turn();
    }

    pub fn has_committed_in_term(&self) -> bool {
        self.raft.term_at(self.raft.committed()) == Some(self.raft.term())
    }

    /// An error if it leads a group that it does not belong to.
    pub fn is_in_office(&self) -> Result<(), End> {
        let belongs = self.raft.membership().is_voter(self.raft.id());
        match self.raft.role() == Role::Leader && !belongs {
            true => {
                Err(End::Known("a removed leader goes on; the crate panics at its next commit"))
            }
            false => Ok(()),
        }
    }

    /// An error if this message makes the two differ, and why.
    pub fn goes_its_own_way(&self, message: &Message<u64>) -> Result<(), End> {
        let leads = self.raft.role() == Role::Leader;
        let progress = self.raft.progress(message.from).filter(|_| leads);
        let why = match (&message.body, progress.map(|known| (known, known.state))) {
            // etcd 3.4 to 3.6 go on to replicate at once.
            (
                Body::AppendResponse(Appended::UpTo(index)),
                Some((_, ProgressState::Snapshot(pending))),
            ) if *index >= pending => "after a snapshot the crate probes",
            // Since etcd 3.6.
            (Body::AppendResponse(Appended::UpTo(index)), Some((known, ProgressState::Probe)))
                if known.matched == *index =>
            {
                "a repeated answer does not end the crate's probe"
            }
            // Since etcd 3.6.
            (
                Body::AppendResponse(Appended::Rejected { previous_index, .. }),
                Some((known, ProgressState::Probe)),
            ) if *previous_index <= known.matched => {
                "an old rejection moves the crate's probe to what agrees already"
            }
            (Body::ReadIndexResponse(state), _) if state.index > self.raft.committed() => {
                "a read's answer tells the crate of a commit"
            }
            (Body::ReadIndex(_), _) if leads && !self.has_committed_in_term() => {
                "the crate drops a read that comes before its term's first commit"
            }
            _ => return Ok(()),
        };
        Err(End::Known(why))
    }

    /// What it has sent, in order of the receivers' numbers.
    pub fn take_sent(&mut self) -> Vec<Message<u64>> {
        let mut sent = std::mem::take(&mut self.sent);
        sent.sort_by_key(|message| message.to);
        sent
    }

    pub fn state(&self) -> String {
        let raft = &self.raft;
        let number = |member: Option<MemberId>| member.map_or(0, |id| id.0);
        let ids = |list: &[MemberId]| list.iter().map(|id| id.0).collect::<Vec<_>>();
        let membership = raft.membership();
        format!(
            "{:?} term {} vote {} leader {} last {} commit {} applied {} {:?}+{:?}",
            raft.role(),
            raft.term(),
            number(raft.vote()),
            number(raft.leader()),
            raft.last_index(),
            raft.committed(),
            raft.applied(),
            ids(membership.voters()),
            ids(membership.learners()),
        )
    }

    fn turn(&mut self) {
        while self.raft.has_ready() {
            self.raft.ready(&mut self.ready);
            self.sent.append(&mut self.ready.messages);
            self.disk.write(&self.ready);
            self.sent.append(&mut self.ready.promises);
            let reads = self.ready.read_states.drain(..);
            self.reads.extend(reads.map(|state| (state.context.0, state.index)));
            for entry in &self.ready.committed {
                if let Payload::Change(change, _) = entry.payload {
                    self.raft.apply_conf_change(change);
                }
            }
            self.raft.advance(&self.ready);
            // The crate's storage makes a snapshot of what is committed whenever it is asked for one.
            self.raft.take_snapshot();
        }
    }
}

/// A message as text, in the words that both sides share.
pub fn words(message: &Message<u64>) -> String {
    let what = match &message.body {
        Body::Append { previous_index, previous_term, entries, commit } => {
            let entries: Vec<_> = entries.iter().map(|e| (e.index, e.term)).collect();
            format!("append {previous_index}@{previous_term} {entries:?} commit {commit}")
        }
        Body::AppendResponse(Appended::UpTo(index)) => format!("appended {index}"),
        Body::AppendResponse(Appended::Rejected { previous_index, hint_index, hint_term }) => {
            format!("rejected {previous_index} hint {hint_index}@{hint_term}")
        }
        Body::Heartbeat { commit, context } => {
            format!("heartbeat commit {commit} read {}", context.map_or(0, |read| read.0))
        }
        Body::HeartbeatResponse { context } => {
            format!("heard read {}", context.map_or(0, |read| read.0))
        }
        Body::Snapshot(snapshot) => format!("snapshot {}@{}", snapshot.index, snapshot.term),
        Body::PreVote(case) => format!("pre-vote {}@{}", case.last_index, case.last_term),
        Body::Vote(case) => {
            format!("vote {}@{} transfer {}", case.last_index, case.last_term, case.transfer)
        }
        Body::PreVoteResponse { granted } => format!("pre-vote response {granted}"),
        Body::VoteResponse { granted } => format!("vote response {granted}"),
        Body::Propose(Payload::Change(..)) => "propose change".to_owned(),
        Body::Propose(_) => "propose".to_owned(),
        Body::ReadIndex(context) => format!("read {}", context.0),
        Body::ReadIndexResponse(state) => format!("read {} at {}", state.context.0, state.index),
        Body::TransferLeader(to) => format!("transfer to {}", to.0),
        Body::TimeoutNow => "timeout now".to_owned(),
    };
    // The crate sends a wish for a leader in that member's name, and a proposal that is passed on
    // again in the first one's; nobody looks.
    let nameless = what.starts_with("transfer") || what.starts_with("propose");
    let from = if nameless { 0 } else { message.from.0 };
    format!("{from}->{} term {} {what}", message.to.0, message.term)
}
