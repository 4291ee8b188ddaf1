//! A group on a network that does what it is told: it delays, loses, doubles and reorders, members
//! crash with and without what they were writing, and the laws look on after each step.

use super::laws::Laws;
use crate::raft::*;

/// A rule broken on purpose; some law has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A restarted member does not know whom it voted for.
    ForgottenVote,
    /// Promises leave before the disk has what they tell.
    PromiseBeforeWrite,
    /// A refused vote counts as one.
    EveryAnswerIsYes,
    /// Every candidate's log counts as complete.
    AnyLogWins,
    /// A follower appends whatever comes, wherever its log ends.
    UncheckedAppend,
    /// A leader commits entries of earlier terms by counting.
    CommitOfEarlierTerms,
    /// A leader commits with one member less than a quorum.
    SmallQuorum,
    /// A leader drops its last entry.
    ForgetfulLeader,
    /// A follower takes everything that it has for committed.
    EagerFollower,
    /// Changes are proposed while others are on their way.
    ChangesTogether,
    /// Whoever believes that it leads answers reads at once.
    ReadWithoutQuorum,
    /// A follower returns to an earlier term.
    TermGoesBack,
    /// An owner skips an entry.
    SkippedEntry,
    /// All members wait equally long.
    SameTimeouts,
}

/// How a process ends in the middle of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Lost,
    /// Some of the entries are there, and what follows them is not.
    Torn(usize),
    Whole,
}

/// A member, its disk, and the `Ready` that it is carrying out.
#[derive(Clone, Debug)]
pub struct Node {
    pub id: MemberId,
    pub disk: Disk<u64>,
    /// None while its process is down.
    pub raft: Option<Raft<u64>>,
    pub ready: Ready<u64>,
    writing: bool,
    /// Writes take until `flush`.
    pub slow: bool,
}

/// A group of members numbered from 1.
#[derive(Clone, Debug)]
pub struct Network {
    pub nodes: Vec<Node>,
    pub flight: Vec<Message<u64>>,
    /// Nodes reach each other if they are on the same side.
    pub sides: u64,
    pub laws: Laws,
    pub sabotage: Option<Sabotage>,
    pub read_states: Vec<(MemberId, ReadState)>,
    pub settings: Settings,
    random: u64,
    payloads: u64,
    reads: u64,
}

impl Network {
    /// The first `voters` of `all` nodes are a group; the others have empty disks.
    pub fn new(settings: Settings, voters: u32, all: u32, seed: u64) -> Network {
        let group = Membership::of_voters((1..=voters).map(MemberId));
        let first = Snapshot { index: 1, term: 1, membership: group };
        let node = |id: u32| {
            let disk =
                if id <= voters { Disk::with_snapshot(first.clone()) } else { Disk::default() };
            let (id, ready) = (MemberId(id), Ready::default());
            Node { id, disk, raft: None, ready, writing: false, slow: false }
        };
        let mut network = Network {
            nodes: (1..=all).map(node).collect(),
            flight: Vec::new(),
            sides: 0,
            laws: Laws::default(),
            sabotage: None,
            read_states: Vec::new(),
            settings,
            random: seed,
            payloads: 0,
            reads: 0,
        };
        (0..network.nodes.len()).for_each(|place| network.restart(place));
        network
    }

    /// The member of this number, which runs.
    pub fn raft(&mut self, id: u32) -> &mut Raft<u64> {
        let place = usize::try_from(id - 1).unwrap();
        self.nodes[place].raft.as_mut().expect("it runs")
    }

    /// The leader of the latest term.
    pub fn leader(&self) -> Option<MemberId> {
        let running = self.nodes.iter().filter_map(|node| node.raft.as_ref());
        let leaders = running.filter(|raft| raft.role() == Role::Leader);
        leaders.max_by_key(|raft| raft.term()).map(Raft::id)
    }

    pub fn tick(&mut self, place: usize) {
        self.input(place, |raft| raft.tick());
    }

    /// A tick of each member; all messages arrive before the next.
    pub fn round(&mut self) {
        (0..self.nodes.len()).for_each(|place| self.tick(place));
        self.settle();
    }

    /// Delivers messages in order until there are none.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.flight.is_empty() {
                return;
            }
            self.deliver(0);
        }
        panic!("the members never stop talking");
    }

    pub fn deliver(&mut self, which: usize) {
        let mut message = self.flight.remove(which);
        let place = place_of(message.to);
        if !self.connected(message.from, message.to) || self.nodes[place].raft.is_none() {
            return self.report(&message, SnapshotStatus::Failed);
        }
        self.falsify(place, &mut message);
        let heard = message.clone();
        let mut outcome = Ok(());
        self.input(place, |raft| outcome = raft.step(heard));
        if outcome.is_err() {
            self.laws.law(false, "no log contradicts its leader's");
            self.crash(place, Write::Lost);
        }
        self.report(&message, SnapshotStatus::Finished);
    }

    pub fn lose(&mut self, which: usize) {
        let message = self.flight.remove(which);
        self.report(&message, SnapshotStatus::Failed);
    }

    /// What a transport tells the sender about its snapshots; about all else it is silent.
    fn report(&mut self, message: &Message<u64>, status: SnapshotStatus) {
        if matches!(message.body, Body::Snapshot(_)) {
            self.input(place_of(message.from), |raft| raft.report_snapshot(message.to, status));
        }
    }

    pub fn propose(&mut self, place: usize) {
        self.payloads += 1;
        let payload = Payload::Normal(self.payloads);
        self.input(place, |raft| _ = raft.propose(payload));
    }

    pub fn propose_change(&mut self, place: usize, change: ConfChange) {
        if self.sabotage == Some(Sabotage::ChangesTogether) {
            self.input(place, |raft| raft.pending_conf_index = 0);
        }
        self.payloads += 1;
        let payload = Payload::Change(change, self.payloads);
        self.input(place, |raft| _ = raft.propose(payload));
    }

    pub fn read(&mut self, place: usize) {
        self.reads += 1;
        let context = ReadContext(self.reads);
        self.laws.read_begins(context);
        let hasty = self.sabotage == Some(Sabotage::ReadWithoutQuorum);
        self.input(place, |raft| match hasty && raft.role == Role::Leader {
            true => raft.read_states.push(ReadState { context, index: raft.log.committed }),
            false => raft.read_index(context),
        });
    }

    /// Ends the process.
    pub fn crash(&mut self, place: usize, write: Write) {
        let node = &mut self.nodes[place];
        if node.raft.take().is_none() || !std::mem::take(&mut node.writing) {
            return;
        }
        match write {
            Write::Lost => {}
            Write::Whole => node.disk.write(&node.ready),
            Write::Torn(_) if node.ready.snapshot.is_some() => {}
            Write::Torn(entries) => {
                node.ready.hard_state = None;
                node.ready.entries.truncate(entries);
                node.disk.write(&node.ready);
            }
        }
    }

    /// Starts the process, if it does not run.
    pub fn restart(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.raft.is_none() {
            if self.sabotage == Some(Sabotage::ForgottenVote) {
                node.disk.hard_state.vote = None;
            }
            let raft = Raft::new(node.id, self.settings, &node.disk).expect("the disk is whole");
            node.raft = Some(raft);
            self.laws.restarted(node.id);
            self.input(place, |_| {});
        }
    }

    /// The disk is done with what it was writing.
    pub fn flush(&mut self, place: usize) {
        if self.nodes[place].writing {
            self.finish(place);
            self.input(place, |_| {});
        }
    }

    /// Takes a snapshot, and forgets all but `keep` of the entries before it.
    pub fn compact(&mut self, place: usize, keep: u64) {
        let node = &mut self.nodes[place];
        let worthwhile = |raft: &&mut Raft<u64>| {
            raft.applied() > raft.first_index() && !raft.log.snapshot_pending
        };
        if let Some(raft) = node.raft.as_mut().filter(worthwhile) {
            let snapshot = raft.take_snapshot();
            raft.compact(snapshot.index.saturating_sub(keep));
            node.disk.save_snapshot(snapshot);
        }
    }

    /// Hands something to a member, and carries out what it wants.
    pub fn input(&mut self, place: usize, act: impl FnOnce(&mut Raft<u64>)) {
        let Some(raft) = self.nodes[place].raft.as_mut() else { return };
        act(raft);
        self.misbehave(place);
        self.look(place);
        for _ in 0..1_000 {
            let raft = self.nodes[place].raft.as_ref().expect("it runs");
            if !raft.has_ready() {
                return;
            }
            self.begin(place);
            if self.nodes[place].slow {
                return;
            }
            self.finish(place);
        }
        panic!("a member never stops wanting something");
    }

    /// Takes a `Ready`; the disk begins to write.
    fn begin(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let raft = node.raft.as_mut().expect("it runs");
        raft.ready(&mut node.ready);
        node.writing = true;
        for message in &mut node.ready.messages {
            // The owner's state is ahead of the log's last snapshot, and is what it can send.
            if let Body::Snapshot(snapshot) = &mut message.body {
                **snapshot = raft.take_snapshot();
            }
        }
        self.flight.append(&mut node.ready.messages);
        if self.sabotage == Some(Sabotage::PromiseBeforeWrite) {
            self.flight.extend(node.ready.promises.iter().cloned());
        }
    }

    /// The disk has it: promises leave, commits are applied.
    fn finish(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let raft = node.raft.as_mut().expect("it runs");
        node.writing = false;
        node.disk.write(&node.ready);
        self.laws.wrote(node.id, &node.disk, &node.ready, raft);
        self.flight.append(&mut node.ready.promises);
        for entry in &node.ready.committed {
            if let Payload::Change(change, _) = entry.payload {
                raft.apply_conf_change(change);
            }
            self.laws.applied(node.id, entry, raft.membership());
        }
        for state in node.ready.read_states.drain(..) {
            self.laws.read_ends(state);
            self.read_states.push((node.id, state));
        }
        raft.advance(&node.ready);
        self.look(place);
    }

    fn look(&mut self, place: usize) {
        let same = self.sabotage == Some(Sabotage::SameTimeouts);
        let draw = if same { 0 } else { self.draw() };
        let raft = self.nodes[place].raft.as_mut().expect("it runs");
        if raft.wants_draw() {
            raft.draw_timeout(draw);
        }
        self.laws.look(&self.nodes, place);
    }

    fn connected(&self, a: MemberId, b: MemberId) -> bool {
        let side = |id: MemberId| self.sides >> id.0 & 1;
        side(a) == side(b)
    }

    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random >> 33
    }

    /// Sabotage of what a member hears.
    fn falsify(&self, place: usize, message: &mut Message<u64>) {
        let raft = self.nodes[place].raft.as_ref().expect("it runs");
        match (&mut message.body, self.sabotage) {
            (Body::Vote(case) | Body::PreVote(case), Some(Sabotage::AnyLogWins)) => {
                case.last_term = Term::MAX;
            }
            (Body::VoteResponse { granted }, Some(Sabotage::EveryAnswerIsYes)) => *granted = true,
            (
                Body::Append { previous_index, previous_term, .. },
                Some(Sabotage::UncheckedAppend),
            ) => {
                *previous_term = raft.term_at(*previous_index).unwrap_or(*previous_term);
            }
            _ => {}
        }
    }

    /// Sabotage of what a member does.
    fn misbehave(&mut self, place: usize) {
        let raft = self.nodes[place].raft.as_mut().expect("it runs");
        let leads = raft.role == Role::Leader;
        match self.sabotage {
            Some(Sabotage::CommitOfEarlierTerms) if leads => {
                raft.log.committed = raft.log.committed.max(raft.tracker.committed());
            }
            Some(Sabotage::SmallQuorum) if leads => {
                let matched = raft.tracker.peers.iter().map(|peer| peer.progress.matched);
                raft.log.committed = raft.log.committed.max(matched.max().unwrap_or(0));
            }
            Some(Sabotage::ForgetfulLeader) if leads && raft.last_index() > raft.committed() => {
                raft.log.truncate(raft.last_index());
            }
            Some(Sabotage::TermGoesBack) if raft.term() > 3 => raft.term = 1,
            Some(Sabotage::SkippedEntry) if raft.applied() == 3 && raft.committed() > 4 => {
                raft.log.applied = 4;
            }
            Some(Sabotage::EagerFollower) if raft.role == Role::Follower => {
                raft.log.committed = raft.last_index();
            }
            _ => {}
        }
    }
}

/// Where a member stands among the nodes.
pub fn place_of(id: MemberId) -> usize {
    usize::try_from(id.0).unwrap() - 1
}
