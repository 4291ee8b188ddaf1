//! What is held against what: each recorded file, and the experiment that plays the same fault.

use super::catch_up::{self, Lag};
use super::data_dir::{self, Start};
use super::one_member::{self, End};
use super::partition::{self, Isolated};
use super::quorum::{self, Survivor};
use super::recorded::Recorded;
use super::rig::Rig;
use super::trial::Trial;
use crate::analysis::parallel::each;
use crate::engine::{Delay, Duration, Owner, Purpose, Random};
use crate::scenario::{Mistakes, etcd_lab};
use crate::world::{Blueprint, History};
use std::io;
use std::path::Path;

/// One recorded file and how its fault is played.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its name in `tests/measured/etcd`.
    pub file: &'static str,
    /// The release in `models/etcd`, and the machine in `models/labs`.
    pub release: &'static str,
    pub lab: &'static str,
    pub experiment: Experiment,
}

/// Which fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    OneMember(End),
    /// Two of three are killed; by turns a follower and the leader is left.
    Quorum,
    Partition(Isolated),
    /// A follower is behind, by turns by so much.
    CatchUp,
    /// A follower has lost its data, and is started again in three ways by turns.
    DataDir,
}

/// All files.
pub const ALL: &[Held] = &[
    held("a_kill_leader_3.3.4.23", "3.4", Experiment::OneMember(End::KillLeader)),
    held("a_kill_leader_3.3.5.1", "3.5", Experiment::OneMember(End::KillLeader)),
    held("a_kill_leader_3.3.5.16", "3.5", Experiment::OneMember(End::KillLeader)),
    held("a_kill_leader_3.3.6.12", "3.6", Experiment::OneMember(End::KillLeader)),
    held("b_kill_follower_3.3.5.16", "3.5", Experiment::OneMember(End::KillFollower)),
    held("c_term_leader_3.3.4.23", "3.4", Experiment::OneMember(End::TerminateLeader)),
    held("c_term_leader_3.3.5.16", "3.5", Experiment::OneMember(End::TerminateLeader)),
    held("c_term_leader_3.3.6.12", "3.6", Experiment::OneMember(End::TerminateLeader)),
    held("e_lose2_of_3.3.4.23", "3.4", Experiment::Quorum),
    held("e_lose2_of_3.3.5.16", "3.5", Experiment::Quorum),
    held("e_lose2_of_3.3.6.12", "3.6", Experiment::Quorum),
    held("f_catchup_3.3.4.23", "3.4", Experiment::CatchUp),
    held("f_catchup_3.3.5.16", "3.5", Experiment::CatchUp),
    held("i_datadir_loss_3.3.4.23", "3.4", Experiment::DataDir),
    held("i_datadir_loss_3.3.5.16", "3.5", Experiment::DataDir),
    held("i_datadir_loss_3.3.6.12", "3.6", Experiment::DataDir),
    held("p_follower_isolated_3.3.4.23", "3.4", Experiment::Partition(Isolated::Follower)),
    held("p_follower_isolated_3.3.5.16", "3.5", Experiment::Partition(Isolated::Follower)),
    held("p_leader_isolated_3.3.4.23", "3.4", Experiment::Partition(Isolated::Leader)),
    held("p_leader_isolated_3.3.5.16", "3.5", Experiment::Partition(Isolated::Leader)),
];

const fn held(file: &'static str, release: &'static str, experiment: Experiment) -> Held {
    // The files of 3.6 came from another machine, which was busier.
    let lab = if matches!(release.as_bytes(), b"3.6") { "etcd-busy" } else { "etcd" };
    Held { file, release, lab, experiment }
}

/// The time-outs of TCP on the recording machine, one draw for each trial. Linux takes 200 ms and the
/// round trip that it has seen, 3 to 5 ms. With 250 timer interrupts a second its timer wheel
/// (`kernel/time/timer.c`) fires a timer of more than 256 ms up to 32 ms late, and one of more than 2 s
/// up to 256 ms late: of the 6.2 s until the fifth retransmission it makes up to 0.35 s more.
const RETRANSMISSION: Delay =
    Delay { low: Duration::from_millis(203), high: Duration::from_millis(216) };
const CONNECT: Delay =
    Delay { low: Duration::from_millis(1_000), high: Duration::from_millis(1_032) };
const KERNEL: &str = "kernel";

/// The recorded members spoke without TLS: then one of 3.4 stops its gRPC server, and waits for nobody
/// (`stopServers` in `embed/etcd.go`).
const PLAIN_3_4: &[(&str, &str)] = &[("etcd.peerShutdown", "0s")];

/// Lags that were recorded; the log is cut only with the smaller `--snapshot-count`, and not for
/// half a minute after a snapshot was sent, so there a second round follows the first.
const LAGS: [(Lag, &[(&str, &str)]); 3] = [
    (Lag { label: "default/2000", entries: 2_000, rounds: 1 }, &[]),
    (Lag { label: "default/20000", entries: 20_000, rounds: 1 }, &[]),
    (
        Lag { label: "snapshotCount1000/20000", entries: 20_000, rounds: 2 },
        &[("etcd.snapshotCount", "1000"), ("etcd.logCompactionEntries", "1000")],
    ),
];

impl Held {
    /// Reads what was recorded.
    ///
    /// # Errors
    /// There is no such file, or it is not a recording.
    pub fn recorded(&self, folder: &Path) -> io::Result<Recorded> {
        let text = std::fs::read_to_string(folder.join(format!("{}.json", self.file)))?;
        Ok(Recorded::read(&text)?)
    }

    /// Plays the fault so many times, with these settings besides the release's.
    ///
    /// # Errors
    /// A setting does not exist or cannot have its value.
    pub fn play(
        &self,
        set: &[(&str, &str)],
        times: u64,
        jobs: usize,
    ) -> Result<Vec<Trial>, Mistakes> {
        let plain = if self.release == "3.4" { PLAIN_3_4 } else { &[] };
        let lab =
            |more: &[(&str, &str)]| etcd_lab(self.release, self.lab, &[plain, set, more].concat());
        let labs = match self.experiment {
            Experiment::CatchUp => LAGS.iter().map(|(_, more)| lab(more)).collect(),
            _ => vec![lab(&[])],
        };
        let labs = labs.into_iter().collect::<Result<Vec<Blueprint>, _>>()?;
        let played = each(1..times + 1, jobs, |seed| self.trial(&labs, seed));
        Ok(played.into_iter().flatten().collect())
    }

    fn trial(&self, labs: &[Blueprint], seed: u64) -> Vec<Trial> {
        let random = Random::new(seed);
        let drawn =
            |delay: Delay, purpose| delay.pick(random.draw(Owner::named(KERNEL), purpose, 0));
        let rig = |lab: &Blueprint, history| {
            let mut lab = lab.clone();
            lab.settings.retransmission.first = drawn(RETRANSMISSION, Purpose(0));
            lab.settings.retransmission.connect_first = drawn(CONNECT, Purpose(1));
            Rig::new(&lab, history, seed)
        };
        let settled = || rig(&labs[0], History::Settled);
        match self.experiment {
            Experiment::OneMember(end) => vec![one_member::play(settled(), end)],
            Experiment::Partition(isolated) => vec![partition::play(settled(), isolated)],
            Experiment::Quorum => {
                let left =
                    if seed.is_multiple_of(2) { Survivor::Follower } else { Survivor::Leader };
                vec![quorum::play(settled(), left, seed / 2)]
            }
            Experiment::CatchUp => {
                let turn = turn(seed, LAGS.len());
                catch_up::play(rig(&labs[turn], History::Settled), LAGS[turn].0)
            }
            Experiment::DataDir => {
                let starts = [Start::New, Start::Existing, Start::RemovedAndAdded];
                let start = starts[turn(seed, starts.len())];
                let history = match start {
                    Start::RemovedAndAdded => History::New,
                    Start::New | Start::Existing => History::Settled,
                };
                vec![data_dir::play(rig(&labs[0], history), start)]
            }
        }
    }
}

/// Whose turn it is among so many.
fn turn(seed: u64, among: usize) -> usize {
    usize::try_from(seed % among as u64).expect("below a small number")
}
