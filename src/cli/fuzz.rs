//! `fuzz` and `replay`: campaigns of random disasters, and what they found.

use super::Run;
use super::args::{Common, Setting, can_begin_with, seed};
use super::commands::{Exit, Trouble, file, play, stdout};
use super::output::{note, print, try_file, write_file};
use super::player::Player;
use super::progress::{Progress, watch};
use crate::analysis::Control;
use crate::analysis::estimate::MOST_RUNS;
use crate::analysis::fuzz::{
    Asked, Campaign, Deck, Finding, Gap, MOST_STRIKES, Question, Shown, campaign, exhaust, shrink,
};
use crate::engine::{Duration, Text, counted};
use crate::report::{
    Format, Style, campaign_json, exhausted_json, shell, write_campaign, write_exhausted,
};
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// Search for disasters that nobody wrote down
///
/// Plays random clusters, settings, workloads and schedules of faults under all laws (`healsim list
/// invariants`). Each run switches on a few kinds of faults. What does not heal by itself is repaired
/// by an operator at last, and what it was stuck on is counted. The first broken law ends the
/// campaign: it is reduced to the simplest scenario that still breaks it, and written into a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim fuzz
  healsim fuzz --platform tkgs-current --runs 20000
  healsim fuzz --set machineHealthCheck.unknownTimeout=3m
  healsim fuzz --for 10m --kinds powerOff,stopUnit --keep-going
  healsim fuzz --runs 2000 --gaps --dir found
  healsim fuzz --exhaustive --faults 2 --kinds powerOff,stopUnit

Exit code 5: a law was broken.")]
pub struct Fuzz {
    /// The platform
    #[arg(long, value_name = "P", default_value = "tkgs-2024")]
    pub platform: String,
    /// Change a number in every run (see `healsim list settings`); the others are drawn as ever. May
    /// be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// How many runs; 1000 if nothing is said, with --for as many as there is time for
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = super::args::count::<u64>(1..=MOST_RUNS))]
    pub runs: Option<u64>,
    /// Begin no more runs after this time (of a clock on the wall), for example 10m
    #[arg(long = "for", value_name = "D", allow_hyphen_values = true)]
    pub time: Option<Duration>,
    /// The seed of the first run; each further run takes the next
    #[arg(long, value_name = "S", value_parser = seed, allow_negative_numbers = true, default_value_t = 1)]
    pub seed: u64,
    /// Play all schedules of up to --faults faults instead of random ones, on the platform's cluster
    #[arg(long, conflicts_with_all = ["runs", "time", "keep_going", "gaps", "no_shrink", "dir"])]
    pub exhaustive: bool,
    /// How many faults strike: with --exhaustive at most (1 if it is not given), else in each run
    /// (drawn if it is not given)
    #[arg(long, value_name = "K")]
    pub faults: Option<u32>,
    /// Only these kinds of faults
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub kinds: Vec<String>,
    /// How many runs are played at once; by default as many as there are processors
    #[arg(long, value_name = "J", allow_hyphen_values = true, value_parser = super::args::count::<u16>(1..=1024))]
    pub jobs: Option<u16>,
    /// Go on after a law was broken
    #[arg(long)]
    pub keep_going: bool,
    /// Write a file for each way to be stuck as well, reduced like the others
    #[arg(long)]
    pub gaps: bool,
    /// Write what was found as it was found
    #[arg(long)]
    pub no_shrink: bool,
    /// The folder for what was found
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "table")]
    pub output: FuzzFormat,
    /// Tell the progress on standard error even if that is no terminal
    #[arg(long)]
    pub progress: bool,
}

/// How many runs a campaign has if nothing is said.
const RUNS: u64 = 1000;

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FuzzFormat {
    Table,
    Json,
}

impl Fuzz {
    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        Setting::each_once("--set", &self.set)?;
        if self.exhaustive {
            return self.question().fits();
        }
        if let Some(faults) = self.faults
            && !(1..=MOST_STRIKES).contains(&u64::from(faults))
        {
            return Err(format!("{faults} faults are not possible; write 1 to {MOST_STRIKES}"));
        }
        can_begin_with(self.seed, self.runs())
    }

    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.time.is_some() { MOST_RUNS } else { RUNS })
    }

    fn jobs(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(processors, usize::from)
    }

    fn progress(&self) -> Progress {
        if self.progress { Progress::Always } else { Progress::IfTerminal }
    }

    /// What is asked of an exhaustive search.
    fn question(&self) -> Question {
        Question {
            platform: Text::from(self.platform.as_str()),
            settings: Setting::pairs(&self.set),
            faults: self.faults.unwrap_or(1),
            seed: self.seed,
            kinds: self.kinds.clone(),
            jobs: self.jobs(),
        }
    }

    /// The words that play the run of a seed again.
    fn again(&self, seed: u64, gaps: bool) -> String {
        let mut words = vec!["fuzz".to_owned()];
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        add("--platform", self.platform.clone());
        words.extend(Setting::words("--set", &self.set));
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        add("--seed", seed.to_string());
        add("--runs", "1".to_owned());
        if let Some(faults) = self.faults {
            add("--faults", faults.to_string());
        }
        if !self.kinds.is_empty() {
            add("--kinds", self.kinds.join(","));
        }
        if gaps {
            words.push("--gaps".to_owned());
        }
        shell::command(&words.into_iter().map(Text::from).collect::<Vec<Text>>())
    }
}

/// Play what a campaign has found, and say whether it still shows it
///
/// The scenario is played with its own seed under all laws. Exit code 5 if a law is broken, 4 if
/// something expected is not seen, 0 if the file shows nothing any more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  healsim replay found/stuck-control-plane-a-kubelet-does-not-run-7.yaml
  healsim replay found.yaml --platform tkgs-current -o timeline")]
pub struct Replay {
    /// The file
    #[arg(value_name = "FILE")]
    pub input: String,
    /// What to print
    #[arg(short = 'o', value_name = "FORMAT", default_value = "summary")]
    pub output: Format,
    #[command(flatten)]
    pub common: Common,
}

/// Plays a found schedule again.
pub(super) fn replay(asked: &Replay, player: &impl Player) -> Result<Exit, Trouble> {
    let run = Run {
        inputs: vec![asked.input.clone()],
        seed: None,
        output: asked.output,
        out: Vec::new(),
        stats: false,
        play: false,
        speed: 60,
        common: asked.common.clone(),
    };
    let exit = play(&run, player)?;
    note(match exit {
        Exit::Invariant => "it still breaks a law",
        Exit::Expectation => "it still does not do what is expected",
        _ => "it shows nothing any more",
    });
    Ok(exit)
}

/// Plays a campaign, prints it, and writes what it found.
pub(super) fn fuzz(asked: &Fuzz) -> Result<Exit, Trouble> {
    if asked.exhaustive {
        return try_all(asked);
    }
    let deck = Deck::new(&asked.platform, &asked.kinds);
    let deck = deck.and_then(|deck| deck.with_settings(&Setting::pairs(&asked.set)));
    let mut deck = deck.map_err(Trouble::Input)?;
    let made = make_folder(&asked.dir)?;
    deck.strikes = asked.faults.map(u64::from);
    let question = Asked {
        deck,
        first_seed: asked.seed,
        runs: asked.runs(),
        jobs: asked.jobs(),
        go_on: asked.keep_going,
    };
    let progress = asked.progress();
    let work = |control: &Control| match asked.time {
        None => (campaign(&question, control), false),
        Some(time) => within(time, control, || campaign(&question, control)),
    };
    let ((found, is_time_over), stopped) = watch(asked.runs(), progress, work);
    let again = |seed| asked.again(seed, false);
    let mut bytes = Vec::new();
    match asked.output {
        FuzzFormat::Table => {
            write_campaign(&found, &again, Style::Colored, &mut bytes).map_err(stdout)?;
        }
        FuzzFormat::Json => bytes = format!("{}\n", campaign_json(&found)).into_bytes(),
    }
    print(&bytes).map_err(stdout)?;
    // A first violation stops a campaign as well, unless it is to go on.
    let has_ended_itself = is_time_over || !asked.keep_going && !found.violations.is_empty();
    let is_cut = stopped && !has_ended_itself;
    if is_cut {
        note(&format!("partial: interrupted after {}", counted(found.played, "run")));
    }
    write_findings(asked, &question.deck, &found, progress)?;
    // From the innermost on, as far as they are empty.
    made.iter().take_while(|folder| fs::remove_dir(folder).is_ok()).count();
    Ok(match (found.violations.is_empty(), is_cut) {
        (false, _) => Exit::Invariant,
        (true, true) => Exit::Interrupted,
        (true, false) => Exit::Done,
    })
}

/// Makes the folder for what will be found, if it is not there; returns those that were not there, the
/// innermost first. That nothing can be written into it is said before the runs, which would be in vain.
fn make_folder(dir: &Path) -> Result<Vec<&Path>, Trouble> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new = dir.ancestors().take_while(is_new).collect();
    fs::create_dir_all(dir).and_then(|()| try_file(&dir.join("finding"))).map_err(|error| {
        Trouble::Failed(format!("cannot write into the folder {}: {error}", dir.display()))
    })?;
    Ok(new)
}

/// Plays all schedules of few faults; what they come to is an answer, not a failure.
fn try_all(asked: &Fuzz) -> Result<Exit, Trouble> {
    let question = asked.question();
    let (found, interrupted) = watch(0, asked.progress(), |control| exhaust(&question, control));
    let found = found.map_err(Trouble::Input)?;
    let mut bytes = Vec::new();
    match asked.output {
        FuzzFormat::Table => {
            write_exhausted(&found, Style::Colored, &mut bytes).map_err(stdout)?;
        }
        FuzzFormat::Json => bytes = format!("{}\n", exhausted_json(&found)).into_bytes(),
    }
    print(&bytes).map_err(stdout)?;
    if interrupted {
        note("partial: interrupted before all schedules were played");
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}

/// Begins no more runs once the time is over; whether it was, before anybody else stopped the work.
fn within<T>(time: Duration, control: &Control, work: impl FnOnce() -> T) -> (T, bool) {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    thread::scope(|scope| {
        let clock = scope.spawn(move || {
            let time = std::time::Duration::from_micros(time.as_micros());
            let waited = ended.recv_timeout(time);
            let is_over = waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
            let is_first = is_over && !control.is_stopped();
            if is_first {
                control.stop();
            }
            is_first
        });
        let result = work();
        drop(end);
        (result, clock.join().expect("it only waits"))
    })
}

/// One file for the first run of each broken law, and of each gap if they are wanted.
fn write_findings(
    asked: &Fuzz,
    deck: &Deck,
    found: &Campaign,
    progress: Progress,
) -> Result<(), Trouble> {
    let mut wanted: Vec<(u64, Shown)> = Vec::new();
    for (seed, violation) in &found.violations {
        let law = Shown::Law(violation.law);
        if wanted.iter().all(|(_, shown)| *shown != law) {
            wanted.push((*seed, law));
        }
    }
    if asked.gaps {
        let gap = |(gap, count): (&Gap, &crate::analysis::fuzz::Count)| {
            (count.first, Shown::Gap(gap.clone()))
        };
        wanted.extend(found.gaps.iter().map(gap));
    }
    for (seed, shown) in wanted {
        let schedule = deck.draw(seed);
        let (reduced, _) = watch(0, progress, |control| match asked.no_shrink {
            true => None,
            false => shrink(&schedule, &shown, control),
        });
        let strikes = schedule.strikes.len();
        let finding = Finding {
            command: asked.again(seed, matches!(shown, Shown::Gap(_))),
            shown,
            reduced: reduced.as_ref().map(|shrunk| (strikes, shrunk.runs)),
            name: seed,
            schedule: reduced.map_or(schedule, |shrunk| shrunk.schedule),
        };
        let path = asked.dir.join(finding.file_name());
        let text = finding.text().map_err(|wrong| Trouble::Failed(wrong.to_string()))?;
        write_file(&path, text.as_bytes()).map_err(|error| file(&path, &error))?;
        note(&format!("wrote {}", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn a_finding_names_the_words_that_find_it_again() {
        let words = "healsim fuzz --set a.b=1..2s --set c.d=x --kinds powerOff --faults 2";
        let Ok(Cli { command: Command::Fuzz(asked) }) = Cli::try_parse_from(words.split(' '))
        else {
            panic!("a campaign")
        };
        let again = "healsim fuzz --platform tkgs-2024 --set a.b=1..2s --set c.d=x --seed 7 --runs 1 \
                     --faults 2 --kinds powerOff --gaps";
        assert_eq!(asked.again(7, true), again);
    }

    #[test]
    fn the_folder_for_what_is_found_is_made_or_named() {
        let folder = std::env::temp_dir().join(format!("healsim-fuzz-{}", std::process::id()));
        let dir = folder.join("found/today");
        let made = make_folder(&dir).expect("it is made");
        assert_eq!(made, [&*dir, &folder.join("found"), &folder]);
        assert!(fs::read_dir(&dir).expect("a folder").next().is_none(), "nothing is left in it");
        assert!(make_folder(&dir).expect("it is there already").is_empty());
        fs::write(folder.join("file"), b"").expect("a file in the way");
        let dir = folder.join("file/found");
        let Err(Trouble::Failed(why)) = make_folder(&dir) else { panic!("a file is no folder") };
        assert!(why.starts_with(&format!("cannot write into the folder {}: ", dir.display())));
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
