//! The `raft` crate's member with its storage.

use crate::Input;
use healsim::raft::Settings;
use protobuf::Message as _;
use raft::eraftpb::{
    ConfChange, ConfChangeType, ConfState, Entry, EntryType, Message, MessageType, Snapshot,
};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole, Storage};

/// A member that carries out at once what it wants.
pub struct Theirs {
    node: RawNode<MemStorage>,
    /// The members as of the storage's last snapshot: what a restart begins with.
    at_snapshot: ConfState,
    sent: Vec<Message>,
    /// Answered reads: which, and at which index.
    pub reads: Vec<(u64, u64)>,
}

impl Theirs {
    pub fn new(id: u32, settings: Settings, voters: u32) -> Theirs {
        let storage = MemStorage::new();
        if voters > 0 {
            let mut snapshot = Snapshot::default();
            snapshot.mut_metadata().index = 1;
            snapshot.mut_metadata().term = 1;
            let members: Vec<u64> = (1..=u64::from(voters)).collect();
            *snapshot.mut_metadata().mut_conf_state() = ConfState::from((members, vec![]));
            storage.wl().apply_snapshot(snapshot).expect("an empty storage takes it");
        }
        let node = start(id.into(), settings, storage);
        let at_snapshot = node.raft.prs().conf().to_conf_state();
        Theirs { node, at_snapshot, sent: Vec::new(), reads: Vec::new() }
    }

    pub fn wait_for(&mut self, ticks: u32) {
        let ticks = usize::try_from(ticks).expect("a small number");
        self.node.raft.set_randomized_election_timeout(ticks);
    }

    pub fn input(&mut self, input: Input) {
        let node = &mut self.node;
        match input {
            Input::Tick => _ = node.tick(),
            Input::Propose(payload) => {
                _ = node.propose(vec![], payload.to_be_bytes().to_vec());
            }
            Input::AddVoter(id) => propose_change(node, ConfChangeType::AddNode, id),
            Input::AddLearner(id) => propose_change(node, ConfChangeType::AddLearnerNode, id),
            Input::Remove(id) => propose_change(node, ConfChangeType::RemoveNode, id),
            Input::Transfer(to) => node.transfer_leader(to.into()),
            Input::Read(context) => node.read_index(context.to_be_bytes().to_vec()),
        }
        self.turn();
    }

    pub fn hear(&mut self, message: Message) {
        // Errors are about members that are not there any more: nothing happens.
        _ = self.node.step(message);
        self.turn();
    }

    pub fn restart(&mut self, settings: Settings) {
        let (id, storage) = (self.node.raft.id, self.node.raft.raft_log.store.clone());
        storage.wl().set_conf_state(self.at_snapshot.clone());
        self.node = start(id, settings, storage);
        self.turn();
    }

    /// What it has sent, in order of the receivers' numbers.
    pub fn take_sent(&mut self) -> Vec<Message> {
        let mut sent = std::mem::take(&mut self.sent);
        sent.sort_by_key(|message| message.to);
        sent
    }

    pub fn state(&self) -> String {
        let raft = &self.node.raft;
        let role = match raft.state {
            StateRole::Follower => "Follower",
            StateRole::PreCandidate => "PreCandidate",
            StateRole::Candidate => "Candidate",
            StateRole::Leader => "Leader",
        };
        let conf = raft.prs().conf().to_conf_state();
        let sorted = |list: &[u64]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        let (voters, learners) = (sorted(&conf.voters), sorted(&conf.learners));
        let log = &raft.raft_log;
        format!(
            "{role} term {} vote {} leader {} last {} commit {} applied {} {voters:?}+{learners:?}",
            raft.term,
            raft.vote,
            raft.leader_id,
            log.last_index(),
            log.committed,
            log.applied,
        )
    }

    fn turn(&mut self) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            self.sent.append(&mut ready.take_messages());
            let storage = self.node.raft.raft_log.store.clone();
            if !ready.snapshot().is_empty() {
                let snapshot = ready.snapshot().clone();
                self.at_snapshot = snapshot.get_metadata().get_conf_state().clone();
                storage.wl().apply_snapshot(snapshot).expect("it is later");
            }
            self.apply(ready.take_committed_entries());
            storage.wl().append(ready.entries()).expect("they follow each other");
            if let Some(state) = ready.hs() {
                storage.wl().set_hardstate(state.clone());
            }
            self.sent.append(&mut ready.take_persisted_messages());
            for state in ready.take_read_states() {
                self.reads.push((number(&state.request_ctx), state.index));
            }
            let mut light = self.node.advance(ready);
            if let Some(commit) = light.commit_index() {
                storage.wl().mut_hard_state().commit = commit;
            }
            self.sent.append(&mut light.take_messages());
            self.apply(light.take_committed_entries());
            self.node.advance_apply();
        }
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if entry.entry_type != EntryType::EntryConfChange {
                continue;
            }
            let mut change = ConfChange::default();
            change.merge_from_bytes(&entry.data).expect("it was written by the same crate");
            // The last voter is never removed: the crate says so by an error.
            if let Ok(state) = self.node.apply_conf_change(&change) {
                self.node.raft.raft_log.store.wl().set_conf_state(state);
            }
        }
    }
}

fn start(id: u64, settings: Settings, storage: MemStorage) -> RawNode<MemStorage> {
    let ticks = |ticks| usize::try_from(ticks).expect("a small number");
    let applied = storage.first_index().expect("a storage has one") - 1;
    let config = Config {
        id,
        election_tick: ticks(settings.election_ticks),
        heartbeat_tick: ticks(settings.heartbeat_ticks),
        applied,
        // The crate limits bytes: all entries, or one at a time.
        max_size_per_msg: if settings.max_entries_per_append == 1 { 0 } else { u64::MAX },
        max_inflight_msgs: settings.max_inflight,
        check_quorum: settings.check_quorum,
        pre_vote: settings.pre_vote,
        ..Config::default()
    };
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&config, storage, &logger).expect("the settings are valid")
}

fn propose_change(node: &mut RawNode<MemStorage>, kind: ConfChangeType, id: u32) {
    let mut change = ConfChange::default();
    change.set_change_type(kind);
    change.node_id = id.into();
    _ = node.propose_conf_change(vec![], change);
}

fn number(context: &[u8]) -> u64 {
    context.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A message as text, in the words that both sides share.
pub fn words(message: &Message) -> String {
    let Message { index, log_term, commit, .. } = *message;
    let granted = !message.reject;
    let read = number(&message.context);
    let what = match message.get_msg_type() {
        MessageType::MsgAppend => {
            let entries: Vec<_> = message.entries.iter().map(|e| (e.index, e.term)).collect();
            format!("append {index}@{log_term} {entries:?} commit {commit}")
        }
        MessageType::MsgAppendResponse if granted => format!("appended {index}"),
        MessageType::MsgAppendResponse => {
            format!("rejected {index} hint {}@{log_term}", message.reject_hint)
        }
        MessageType::MsgHeartbeat => format!("heartbeat commit {commit} read {read}"),
        MessageType::MsgHeartbeatResponse => format!("heard read {read}"),
        MessageType::MsgSnapshot => {
            let about = message.get_snapshot().get_metadata();
            format!("snapshot {}@{}", about.index, about.term)
        }
        MessageType::MsgRequestPreVote => format!("pre-vote {index}@{log_term}"),
        MessageType::MsgRequestVote => {
            format!("vote {index}@{log_term} transfer {}", !message.context.is_empty())
        }
        MessageType::MsgRequestPreVoteResponse => format!("pre-vote response {granted}"),
        MessageType::MsgRequestVoteResponse => format!("vote response {granted}"),
        MessageType::MsgPropose if is_change(message) => "propose change".to_owned(),
        MessageType::MsgPropose => "propose".to_owned(),
        MessageType::MsgReadIndex => format!("read {}", number(&message.entries[0].data)),
        MessageType::MsgReadIndexResp => {
            format!("read {} at {index}", number(&message.entries[0].data))
        }
        MessageType::MsgTransferLeader => format!("transfer to {}", message.from),
        MessageType::MsgTimeoutNow => "timeout now".to_owned(),
        other => format!("{other:?}"),
    };
    // See the other side.
    let nameless = what.starts_with("transfer") || what.starts_with("propose");
    let from = if nameless { 0 } else { message.from };
    format!("{from}->{} term {} {what}", message.to, message.term)
}

fn is_change(message: &Message) -> bool {
    message.entries.iter().any(|entry| entry.entry_type == EntryType::EntryConfChange)
}

/// Nothing but what etcd's raft says too: the crate also tells its commit with votes and their
/// answers, and learns from it.
pub fn without_hints(mut message: Message) -> Message {
    let votes = [
        MessageType::MsgRequestVote,
        MessageType::MsgRequestPreVote,
        MessageType::MsgRequestVoteResponse,
        MessageType::MsgRequestPreVoteResponse,
    ];
    if votes.contains(&message.get_msg_type()) {
        (message.commit, message.commit_term) = (0, 0);
    }
    message
}
