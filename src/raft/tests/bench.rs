//! One member on a bench: messages in, messages out as text.

use crate::raft::*;

/// Those of etcd 3.5, with small windows.
pub const SETTINGS: Settings = Settings {
    election_ticks: 10,
    heartbeat_ticks: 1,
    pre_vote: true,
    check_quorum: true,
    max_entries_per_append: 2,
    max_inflight: 2,
};

/// Member 1 and its disk.
pub struct Bench {
    pub raft: Raft<u64>,
    pub disk: Disk<u64>,
    ready: Ready<u64>,
    /// Every time-out is longer by so many ticks than the shortest.
    pub draw: u64,
}

impl Bench {
    /// One of so many voters, long ago in term 1.
    pub fn one_of(voters: u32) -> Bench {
        Bench::with(SETTINGS, voters)
    }

    pub fn with(settings: Settings, voters: u32) -> Bench {
        let membership = Membership::of_voters((1..=voters).map(MemberId));
        let disk = Disk::with_snapshot(Snapshot { index: 1, term: 1, membership });
        Bench::on(disk, settings)
    }

    pub fn on(disk: Disk<u64>, settings: Settings) -> Bench {
        let mut raft = Raft::new(MemberId(1), settings, &disk).expect("the disk is whole");
        raft.draw_timeout(0);
        Bench { raft, disk, ready: Ready::default(), draw: 0 }
    }

    /// A leader of so many, in term 2, its first entry committed.
    pub fn leader_of(voters: u32) -> Bench {
        let mut bench = Bench::one_of(voters);
        bench.elect();
        for other in 2..=voters {
            bench.hear(other, 2, appended(2));
        }
        bench
    }

    /// Wins the next election.
    pub fn elect(&mut self) {
        let term = self.raft.term() + 1;
        self.raft.campaign();
        self.turn();
        let voters = self.raft.membership().voters().to_vec();
        for voter in voters.iter().filter(|id| id.0 != 1) {
            if self.raft.role() == Role::PreCandidate {
                self.hear(voter.0, term, Body::PreVoteResponse { granted: true });
            }
        }
        for voter in voters.iter().filter(|id| id.0 != 1) {
            self.hear(voter.0, term, Body::VoteResponse { granted: true });
        }
        assert_eq!(self.raft.role(), Role::Leader);
    }

    /// A message comes; what the member answers, all writes done.
    pub fn hear(&mut self, from: u32, term: Term, body: Body<u64>) -> Vec<String> {
        self.step(from, term, body).expect("no disk was lost");
        self.turn()
    }

    pub fn step(&mut self, from: u32, term: Term, body: Body<u64>) -> Result<(), Fatal> {
        self.raft.step(Message { from: MemberId(from), to: MemberId(1), term, body })
    }

    pub fn ticks(&mut self, count: u32) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..count {
            self.raft.tick();
            said.extend(self.turn());
        }
        said
    }

    pub fn propose(&mut self, payload: u64) -> Vec<String> {
        self.raft.propose(Payload::Normal(payload)).expect("it leads");
        self.turn()
    }

    /// Carries out what the member wants.
    pub fn turn(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..100 {
            if !self.begin(&mut said) {
                return said;
            }
            said.extend(self.ready.promises.iter().map(words));
            self.finish();
        }
        panic!("the member never comes to rest");
    }

    /// Sends what may leave before the disk has anything; false if there is nothing to do.
    pub fn begin(&mut self, said: &mut Vec<String>) -> bool {
        if self.raft.wants_draw() {
            self.raft.draw_timeout(self.draw);
        }
        if !self.raft.has_ready() {
            return false;
        }
        self.raft.ready(&mut self.ready);
        said.extend(self.ready.messages.iter().map(words));
        true
    }

    /// The disk writes, and commits are applied.
    pub fn finish(&mut self) {
        self.disk.write(&self.ready);
        for entry in &self.ready.committed {
            if let Payload::Change(change, _) = entry.payload {
                self.raft.apply_conf_change(change);
            }
        }
        self.raft.advance(&self.ready);
    }

    /// The process dies and comes back.
    pub fn restart(self) -> Bench {
        Bench::on(self.disk, self.raft.settings)
    }

    /// Role, term, leader.
    pub fn state(&self) -> String {
        let leader = self.raft.leader().map_or("nobody".to_owned(), |leader| leader.0.to_string());
        format!("{:?} in term {}, led by {leader}", self.raft.role(), self.raft.term())
    }

    pub fn reads(&mut self) -> Vec<(u64, Index)> {
        let states = std::mem::take(&mut self.ready.read_states);
        states.iter().map(|state| (state.context.0, state.index)).collect()
    }
}

pub fn appended(index: Index) -> Body<u64> {
    Body::AppendResponse(Appended::UpTo(index))
}

pub fn heartbeat(commit: Index) -> Body<u64> {
    Body::Heartbeat { commit, context: None }
}

/// Entries 2, 3 and so on of these terms, after the one at which everybody began.
pub fn append(terms: &[Term], commit: Index) -> Body<u64> {
    let entries = (2..).zip(terms).map(|(index, term)| entry(index, *term)).collect();
    Body::Append { previous_index: 1, previous_term: 1, entries, commit }
}

pub fn entry(index: Index, term: Term) -> Entry<u64> {
    Entry { index, term, payload: Payload::Normal(index) }
}

pub fn campaign(last_index: Index, last_term: Term) -> Campaign {
    Campaign { last_index, last_term, transfer: false }
}

/// A message as text: whom, what, in which term.
pub fn words(message: &Message<u64>) -> String {
    let what = match &message.body {
        Body::Append { previous_index, previous_term, entries, commit } => {
            let list: Vec<_> = entries.iter().map(|e| format!(" {}@{}", e.index, e.term)).collect();
            format!(
                "Append after {previous_index}@{previous_term}{} commit {commit}",
                list.concat()
            )
        }
        Body::AppendResponse(Appended::UpTo(index)) => format!("Appended {index}"),
        Body::AppendResponse(Appended::Rejected { previous_index, hint_index, hint_term }) => {
            format!("Rejected {previous_index} hint {hint_index}@{hint_term}")
        }
        Body::Heartbeat { commit, context: None } => format!("Heartbeat commit {commit}"),
        Body::Heartbeat { context: Some(read), .. } => format!("Heartbeat for read {}", read.0),
        Body::HeartbeatResponse { .. } => "HeartbeatResponse".to_owned(),
        Body::Snapshot(snapshot) => format!("Snapshot {}@{}", snapshot.index, snapshot.term),
        Body::PreVote(case) => format!("PreVote {}@{}", case.last_index, case.last_term),
        Body::Vote(case) => {
            let force = if case.transfer { " by transfer" } else { "" };
            format!("Vote {}@{}{force}", case.last_index, case.last_term)
        }
        Body::PreVoteResponse { granted } => format!("PreVoteResponse {granted}"),
        Body::VoteResponse { granted } => format!("VoteResponse {granted}"),
        Body::ReadIndexResponse(state) => format!("Read {} at {}", state.context.0, state.index),
        other => format!("{other:?}"),
    };
    format!("{}: {what}, term {}", message.to.0, message.term)
}
