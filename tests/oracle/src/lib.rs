//! healsim's Raft and the `raft` crate, member by member on the same inputs.
//!
//! A `Pair` is one member of both. After each input both carry out what they want; then their states
//! and the messages that they sent are compared as text. Messages travel in pairs as well, so neither
//! side ever hears anything that the other's counterpart did not say.

pub mod ours;
pub mod theirs;

use healsim::raft::Settings;
use ours::Ours;
use theirs::Theirs;

/// One member of both.
pub struct Pair {
    pub ours: Ours,
    pub theirs: Theirs,
}

/// One message of both, on its way.
#[derive(Clone)]
pub struct Letter {
    pub ours: healsim::raft::Message<u64>,
    pub theirs: raft::eraftpb::Message,
}

/// A group of members numbered from 1, and what is on its way among them.
pub struct Group {
    pub pairs: Vec<Pair>,
    pub flight: Vec<Letter>,
    settings: Settings,
    draws: u64,
}

/// Why a history cannot go on.
#[derive(Clone, Debug)]
pub enum End {
    /// The two differ, in these words.
    Differs(String),
    /// From here on they may differ, by a rule that one of them has and the other has not.
    Known(&'static str),
}

/// What a step does to a member of both.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    Tick,
    Propose(u64),
    AddVoter(u32),
    AddLearner(u32),
    Remove(u32),
    Transfer(u32),
    Read(u64),
}

impl Group {
    /// The first `voters` of `all` members are a group; the others join it when they are added.
    pub fn new(settings: Settings, voters: u32, all: u32, seed: u64) -> Group {
        let pair = |id| Pair {
            ours: Ours::new(id, settings, if id <= voters { voters } else { 0 }),
            theirs: Theirs::new(id, settings, if id <= voters { voters } else { 0 }),
        };
        let pairs = (1..=all).map(pair).collect();
        let mut group = Group { pairs, flight: Vec::new(), settings, draws: seed };
        (0..group.pairs.len()).for_each(|place| group.draw(place));
        group
    }

    /// Both members react; an error ends the history.
    pub fn input(&mut self, place: usize, input: Input) -> Result<(), End> {
        let Pair { ours, theirs } = &mut self.pairs[place];
        // The crate refuses a read that healsim (and etcd since 3.4.20) lets wait.
        if matches!(input, Input::Read(_)) && !ours.has_committed_in_term() {
            return Ok(());
        }
        ours.input(input);
        ours.is_in_office()?;
        theirs.input(input);
        self.compare(place, &format!("{input:?}"))
    }

    /// A message arrives at both.
    pub fn deliver(&mut self, which: usize) -> Result<(), End> {
        let Letter { ours, theirs } = self.flight.remove(which);
        let what = ours::words(&ours);
        let place = usize::try_from(ours.to.0).expect("a small number") - 1;
        self.pairs[place].ours.goes_its_own_way(&ours)?;
        self.pairs[place].ours.hear(ours);
        self.pairs[place].ours.is_in_office()?;
        self.pairs[place].theirs.hear(theirs::without_hints(theirs));
        self.compare(place, &what)
    }

    /// Both processes die and come back.
    pub fn restart(&mut self, place: usize) -> Result<(), End> {
        self.pairs[place].ours.restart(self.settings);
        self.pairs[place].theirs.restart(self.settings);
        self.draw(place);
        self.compare(place, "restart")
    }

    fn compare(&mut self, place: usize, what: &str) -> Result<(), End> {
        self.draw(place);
        let Pair { ours, theirs } = &mut self.pairs[place];
        let (mine, their) = (ours.take_sent(), theirs.take_sent());
        // The crate keeps its members in a hash map; only the order to each receiver counts.
        let words = |list: &[String]| list.join("; ");
        let mine_said: Vec<String> = mine.iter().map(ours::words).collect();
        let their_said: Vec<String> = their.iter().map(theirs::words).collect();
        let (state, their_state) = (ours.state(), theirs.state());
        // Once fewer are a quorum: etcd's raft waits for the next heartbeat's answers.
        let told = |said: &&String| !mine_said.contains(said) && said.contains(" read ");
        let told = their_said.iter().filter(told).count();
        let more = told > 0 && mine_said.len() + told == their_said.len();
        if more || ours.reads.len() < theirs.reads.len() && theirs.reads.starts_with(&ours.reads) {
            return Err(End::Known("the crate answers reads when its group shrinks"));
        }
        let (reads, their_reads) = (format!("{:?}", ours.reads), format!("{:?}", theirs.reads));
        if state != their_state || reads != their_reads || mine_said != their_said {
            return Err(End::Differs(format!(
                "{what}:\nours   {state} {reads} | {}\ntheirs {their_state} {their_reads} | {}",
                words(&mine_said),
                words(&their_said)
            )));
        }
        let letters = mine.into_iter().zip(their);
        self.flight.extend(letters.map(|(ours, theirs)| Letter { ours, theirs }));
        Ok(())
    }

    /// Both wait equally long.
    fn draw(&mut self, place: usize) {
        self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let Pair { ours, theirs } = &mut self.pairs[place];
        if ours.raft.wants_draw() {
            ours.draw(self.draws >> 33);
        }
        theirs.wait_for(ours.timeout);
    }
}
