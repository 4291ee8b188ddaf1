//! An episode by its name: played again, and written as a scenario that everybody can play.
//!
//! It is named by its year's seed and by the failure that begins it; which failures belong to it comes out
//! when it is played, so the year is played up to there.

use super::episode::Episode;
use super::year::failures_of;
use super::{episode, play_next};
use crate::analysis::fuzz::Moment;
use crate::engine::{Duration, counted};
use crate::scenario::{Failure, Mistake, Mistakes, Plant};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// Which episode of which year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpisodeId {
    /// Of its year.
    pub seed: u64,
    /// Which failure of the year begins it, from 1 on.
    pub failure: u64,
}

/// A word that is no such name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnEpisode(String);

/// An episode, and where it is from.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: EpisodeId,
    /// When in its year it begins.
    pub begins: Duration,
    pub episode: Episode,
}

/// Plays a year up to an episode.
///
/// # Errors
/// The cluster cannot be; or no episode begins with this failure.
pub fn find(plant: &Plant, id: EpisodeId) -> Result<Told, Mistakes> {
    episode::check(plant)?;
    let blows = failures_of(plant, id.seed);
    let count = blows.len() as u64;
    let place = usize::try_from(id.failure - 1).ok().filter(|place| *place < blows.len());
    let Some(place) = place else {
        let count = counted(count, "failure");
        let message = format!("there is no episode {id}: the year of seed {} has {count}", id.seed);
        return Err(Mistake::of(&plant.name, message).into());
    };
    let mut done = 0;
    loop {
        let episode = play_next(plant, &blows[done..])?;
        let after = done + episode.failures.len();
        match () {
            () if done == place => return Ok(Told { id, begins: blows[place].at, episode }),
            () if after > place => {
                let begun = EpisodeId { failure: done as u64 + 1, ..id };
                let message = format!("failure {} belongs to the episode {begun}", id.failure);
                return Err(Mistake::of(&plant.name, message).into());
            }
            () => done = after,
        }
    }
}

impl Told {
    /// The scenario, with what is to be known of it; `command` writes it again. It plays the same, and
    /// counts the same downtimes, until all is well.
    ///
    /// Simplified: what people do once a host is back they do the first time that it is; and nothing is
    /// played of a new cluster.
    pub fn scenario(&self, command: &str) -> String {
        let Told { id, episode, .. } = self;
        let mut text = String::new();
        for line in self.remarks(command) {
            // A name or a path may have any character in it.
            let _ = writeln!(text, "# {}", line.replace(char::is_control, " "));
        }
        let micros = episode.until.as_micros();
        let until = Duration::from_secs(micros.div_ceil(1_000_000));
        let mut schedule = episode.schedule.clone();
        // One that is to be built anew for longer than a run may last is still struck.
        schedule.strikes.retain(|strike| !matches!(strike.moment, Moment::At(at) if at > until));
        text.push_str(&schedule.scenario(
            &format!("episode-{}-{}", id.seed, id.failure),
            until,
            "",
        ));
        text
    }

    fn remarks(&self, command: &str) -> Vec<String> {
        let Told { id, begins, episode } = self;
        let day = begins.as_secs() / 86_400 + 1;
        let down = episode.down.iter().filter(|(_, down)| !down.is_zero());
        let down: Vec<String> = down.map(|(name, down)| format!("{name} for {down}")).collect();
        let failures = Failure::together(&episode.failures);
        let mut lines = vec![
            format!("Day {day} of the year of seed {}: {failures}.", id.seed),
            format!("Written by: {command}"),
            format!("Down: {}.", if down.is_empty() { "nothing".into() } else { down.join(", ") }),
        ];
        if episode.visits > 0 {
            let visits = counted(episode.visits, "visit");
            lines.push(format!("People mend what does not heal, in {visits}."));
        }
        if episode.is_rebuilt {
            let words =
                "That is in vain, and the cluster is built anew; played is the old one until then.";
            lines.push(words.to_owned());
        }
        lines
    }
}

impl fmt::Display for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.seed, self.failure)
    }
}

impl FromStr for EpisodeId {
    type Err = NotAnEpisode;
    fn from_str(text: &str) -> Result<EpisodeId, NotAnEpisode> {
        let numbers = text.split_once('/').map(|(seed, failure)| (seed.parse(), failure.parse()));
        match numbers {
            Some((Ok(seed), Ok(failure))) if failure > 0 => Ok(EpisodeId { seed, failure }),
            _ => Err(NotAnEpisode(text.to_owned())),
        }
    }
}

impl fmt::Display for NotAnEpisode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = "is not SEED/N, the seed of a year and the number of a failure in it, as 17/3";
        write!(f, "`{}` {words}", self.0)
    }
}

impl std::error::Error for NotAnEpisode {}

#[cfg(test)]
mod tests {
    use super::super::{Blow, play_episode};
    use super::*;
    use crate::scenario::{Game, Scenario, Source};

    fn plant(spec: &str) -> Plant {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Availability\nmetadata: {{ name: mine }}\nspec:\n{spec}"
        );
        Plant::read(&Source::embedded("mine.yaml", &text)).expect("a cluster with rates")
    }

    /// What the scenario of an episode plays is down for as long, and recovers where that did.
    fn plays_the_same(told: &Told) -> String {
        let text = told.scenario("healsim availability mine.yaml --episode 1/1");
        let scenario = Scenario::read(Source::embedded("episode.yaml", &text)).expect("a scenario");
        let game = Game::new(&scenario, None, &[], None);
        let game = game.unwrap_or_else(|all| panic!("{all}\n{text}"));
        let run = game.play(game.seed.expect("it has one"));
        for (name, down) in &told.episode.down {
            let again = run.availability[name].unavailable;
            // Who is down at the end is so for the rest of a second.
            let more = again.saturating_sub(*down);
            let most = Duration::from_secs(u64::from(told.episode.is_rebuilt));
            assert!(*down <= again && more <= most, "{name} {down} {again}: {text}");
        }
        assert_eq!(run.recovered_at.is_some(), !told.episode.is_rebuilt, "{text}");
        assert_eq!(run.unstruck, [""; 0], "{text}");
        text
    }

    #[test]
    fn an_episode_is_a_scenario_that_plays_the_same() {
        let told = |spec: &str, blows: &[(u64, Failure, u32)]| {
            let blow = |&(at, failure, target): &(u64, Failure, u32)| Blow {
                at: Duration::from_secs(at),
                failure,
                target,
                draw: 1,
            };
            let blows: Vec<Blow> = blows.iter().map(blow).collect();
            let episode = play_episode(&plant(spec), &blows, 7).expect("a cluster that can be");
            assert_eq!(episode.failures.len(), blows.len(), "{episode:?}");
            let id = EpisodeId { seed: 3, failure: 5 };
            plays_the_same(&Told { id, begins: Duration::ZERO, episode })
        };
        // A person powers on what has no host to be on, once that is back.
        let alone = "  cluster: { controlPlane: 1, workers: 3, highAvailability: false }\n  repair: { \
                     after: 10m..10m }\n";
        let text = told(alone, &[(0, Failure::HostDown, 0), (120, Failure::KubeletStopped, 2)]);
        assert!(text.contains("connectionState=connected\", powerOn: "), "{text}");
        assert!(text.contains("# People mend what does not heal, in 1 visit."), "{text}");
        // What has come to be since has no name when the run begins.
        let slow = "  cluster: { controlPlane: 1, workers: 3, hosts: 1, highAvailability: false }\n  \
                    repair: { after: 40m..40m }\n";
        let text = told(slow, &[(0, Failure::VmOff, 2), (570, Failure::HostDown, 0)]);
        assert!(text.contains("powerOn: { vm: worker-") && text.contains("* }"), "{text}");
        let lost = "  cluster: { controlPlane: 1, workers: 3 }\n  repair: { after: 10m..10m, rebuild: \
                    1h..1h }\n";
        let text = told(lost, &[(0, Failure::EtcdDataLost, 0)]);
        assert!(text.contains("# That is in vain, and the cluster is built anew"), "{text}");
        assert!(text.contains("\n  name: episode-3-5\n"), "{text}");
    }

    #[test]
    fn an_episode_is_named_by_the_failure_that_begins_it() {
        // Each failure lasts until a person comes after half a day, and so most have company.
        let plant = plant(
            "  cluster: { controlPlane: 1, workers: 3 }\n  rates: { hostDown: 500/year, vmOff: 0, vmDeleted: \
             0, diskFull: 0, networkLost: 0, kubeletStopped: 0, etcdDataLost: 0, apiServerRemoved: 0 }\n  \
             settings: { vsphere.highAvailability: false }\n  repair: { after: 12h..12h }\n",
        );
        let find = |text: &str| find(&plant, text.parse().expect("a name"));
        assert!(find("1/1").expect("the first begins one").episode.failures.len() > 1);
        let wrong = find("1/2").expect_err("it belongs to the first").to_string();
        assert_eq!(wrong, "mine: failure 2 belongs to the episode 1/1");
        let wrong = find("1/9999").expect_err("so many are not").to_string();
        assert!(
            wrong.starts_with("mine: there is no episode 1/9999: the year of seed 1 has "),
            "{wrong}"
        );
        for text in ["1", "1/0", "a/1", "1/2/3", ""] {
            assert!(text.parse::<EpisodeId>().is_err(), "{text}");
        }
    }
}
