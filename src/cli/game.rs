//! The player behind the command line: scenarios from the library, played and shown.

use super::args::{Moment, Setting};
use super::commands::game_notes;
use super::lists;
use super::named::are_there;
use super::player::{
    Answer, Asked as AskedWhy, Linted, Listing, Many, Mention, Options, Player, Question, Resource,
    Scope, Shown, Tuned, Tuning, Versus, View,
};
use crate::analysis::estimate::{self, Asked, Games, Part};
use crate::analysis::lesson::{self, NothingAsked, Prepared};
use crate::analysis::why::{self, Settings, Shares, Unanswered};
use crate::analysis::{Comparison, Control, compare, invariants, tune};
use crate::api::{Kind, ObjectKey};
use crate::engine::{SimTime, Text};
use crate::report::Listed;
use crate::report::html::{self, Film};
use crate::report::kubectl::{self, Got};
use crate::scenario::{self, Changes, Game, RangeEnd, at_end, models};
use crate::timeline::Run;
use std::sync::Arc;

/// Plays what the library knows.
pub struct Library;

impl Player for Library {
    fn play(&self, input: &str, options: &Options, seed: u64) -> Result<Run, Vec<String>> {
        Ok(invariants::play(&game(input, options)?, seed))
    }

    fn film(&self, input: &str, options: &Options, seed: u64) -> Result<Film, Vec<String>> {
        Ok(html::film(&game(input, options)?, seed))
    }

    fn lint(&self, input: &str, options: &Options) -> Result<Linted, Vec<String>> {
        let game = game(input, options)?;
        let notes = game_notes(game.doubts(), game.warnings());
        let (seed, reach) = (game.seed, game.reach());
        let asked = game.asked_services();
        Ok(Linted { name: game.scenario.to_string(), seed, reach, notes, asked })
    }

    fn knows(
        &self,
        input: &str,
        options: &Options,
        seed: u64,
        named: &[Mention],
    ) -> Result<(), Vec<String>> {
        are_there(&game(input, options)?, seed, named).map_err(|wrong| vec![wrong])
    }

    fn list(
        &self,
        what: Listing,
        platform: Option<&str>,
        word: Option<&str>,
    ) -> Result<Listed, Vec<String>> {
        lists::list(what, platform.unwrap_or("tkgs-2024"), word.unwrap_or_default())
    }

    fn show(&self, what: Shown, name: &str) -> Result<String, Vec<String>> {
        let (source, unknown): (_, fn(&str) -> String) = match what {
            Shown::Scenario => {
                let source = models::scenario(name).or_else(|| models::lesson(name));
                (source, models::unknown_scenario)
            }
            Shown::Platform => (models::platform_text(name), |name| {
                models::unknown("platform", name, &models::platforms())
            }),
        };
        source.map(|source| source.text).ok_or_else(|| vec![unknown(name)])
    }

    fn estimate(
        &self,
        input: &str,
        options: &Options,
        many: &Many,
        control: &Control,
    ) -> Result<Part, Vec<String>> {
        let cut = |game: Game| if many.until_recovered { game.until_recovered() } else { game };
        let game = cut(game_with_fault("estimate", input, options)?);
        let at = |end: RangeEnd| {
            let mut options = options.clone();
            let set = at_end(game.assumptions(), end).into_iter();
            options.set.extend(set.map(|(key, value)| Setting { key, value }));
            self::game(input, &options).map(cut)
        };
        let (low, high) = (at(RangeEnd::Low)?, at(RangeEnd::High)?);
        let asked = Asked {
            words: many.words.clone(),
            assumed_runs: many.assumed_runs,
            ..Asked::of(&game, many.first_seed, many.runs)
        };
        let games = Games { game, low, high };
        Ok(estimate::play(&games, asked, many.shard, many.jobs, control))
    }

    fn compare(
        &self,
        [a, b]: [(&str, &Options); 2],
        versus: &Versus,
        control: &Control,
    ) -> Result<Comparison, Vec<String>> {
        let [a, b] = [a, b].map(|(input, options)| game_with_fault("compare", input, options));
        let (a, b) = (a?, b?);
        let seeds = versus.first_seed..versus.first_seed + versus.runs;
        Ok(compare([&a, &b], seeds, versus.jobs, control))
    }

    fn why(
        &self,
        input: &str,
        options: &Options,
        question: &why::Question,
        asked: &AskedWhy,
    ) -> Result<Answer, Vec<String>> {
        let game = game(input, options)?;
        match why::why(&game, asked.seed, question) {
            Ok(found) => Ok(Answer::Way(Box::new(found))),
            Err(Unanswered::NoFault) => Err(vec![no_fault("why", input)]),
            Err(Unanswered::Never(_)) => {
                let AskedWhy { seed, patience, jobs, .. } = *asked;
                let found = why::never(&game, seed, question, patience, jobs);
                Ok(Answer::Never(Box::new(found)))
            }
        }
    }

    fn shares(
        &self,
        input: &str,
        options: &Options,
        question: &why::Question,
        asked: &AskedWhy,
        control: &Control,
    ) -> Result<(Shares, Settings, String), Vec<String>> {
        let game = game_with_fault("why", input, options)?;
        let seeds = asked.seed..asked.seed + asked.runs;
        let found = why::shares(&game, seeds, asked.jobs, question, control);
        let label = format!("{} on {}", game.scenario, game.platform);
        Ok((found, Arc::clone(game.settings()), label))
    }

    fn tune(
        &self,
        input: &str,
        options: &Options,
        tuning: &Tuning,
        control: &Control,
    ) -> Result<Tuned, Vec<String>> {
        let Tuning { of, vary, outages, first_seed, runs, screened, jobs } = tuning;
        let build = |set: &[(String, String)]| {
            let mut options = options.clone();
            let set = set.iter().cloned();
            options.set.extend(set.map(|(key, value)| Setting { key, value }));
            game(input, &options)
        };
        let base = game_with_fault("tune", input, options)?;
        let question = tune::Question { of, first_seed: *first_seed, runs: *runs, jobs: *jobs };
        if vary.is_empty() {
            let settings = base.user_settings().to_vec();
            let found = tune::sensitivity(&build, &settings, *screened, &question, control)?;
            return Ok(Tuned::Sensitivity(found));
        }
        let found = tune::sweep(&build, vary, outages, &question, control)?;
        Ok(Tuned::Sweep(found))
    }

    fn lesson(
        &self,
        input: &str,
        options: &Options,
        seed: u64,
        jobs: usize,
    ) -> Result<Prepared, Vec<String>> {
        lesson::prepare(&game(input, options)?, seed, jobs).map_err(|NothingAsked| {
            let known = models::lessons().join(", ");
            vec![format!("{input}: it has no `questions`; lessons: {known}")]
        })
    }

    fn get(&self, input: &str, options: &Options, asked: &Question) -> Result<Got, Vec<String>> {
        let game = game(input, options)?;
        let at = match asked.moment {
            Moment::At(at) => SimTime::ZERO + at,
            Moment::After(after) => game.first_fault().unwrap_or_default() + after,
        };
        if at > game.until() {
            let until = game.until().since(SimTime::ZERO);
            let asked = at.since(SimTime::ZERO);
            return Err(vec![format!("{asked} is after the run's end at {until}; see --until")]);
        }
        let mut simulation = game.begin(asked.seed);
        simulation.run_until(at);
        let resource = resource(asked);
        let form = match asked.view {
            None => kubectl::Form::Table,
            Some(View::Wide) => kubectl::Form::Wide,
            Some(View::Yaml) => kubectl::Form::Yaml,
            Some(View::Json) => kubectl::Form::Json,
            Some(View::Name) => kubectl::Form::Name,
        };
        Ok(kubectl::ask(&simulation, &resource, form))
    }
}

/// What is asked for, in kubectl's own terms.
fn resource(asked: &Question) -> kubectl::Resource {
    let kind = match asked.resource {
        Resource::Vms => return kubectl::Resource::Vms,
        Resource::Hosts => return kubectl::Resource::Hosts,
        Resource::Etcd => return kubectl::Resource::Etcd,
        Resource::All => return kubectl::Resource::Everything(namespaces(asked)),
        Resource::Nodes => Kind::Node,
        Resource::Machines => Kind::Machine,
        Resource::Pods => Kind::Pod,
        Resource::Deployments => Kind::Deployment,
        Resource::StatefulSets => Kind::StatefulSet,
        Resource::DaemonSets => Kind::DaemonSet,
        Resource::Jobs => Kind::Job,
        Resource::KubeadmControlPlanes => Kind::KubeadmControlPlane,
        Resource::VirtualMachines => Kind::VirtualMachine,
        Resource::Secrets => Kind::Secret,
        Resource::ConfigMaps => Kind::ConfigMap,
        Resource::Services => Kind::Service,
        Resource::Clusters => Kind::Cluster,
        Resource::PodDisruptionBudgets => Kind::PodDisruptionBudget,
        Resource::Events => Kind::Event,
        Resource::Leases => Kind::Lease,
        Resource::ReplicaSets => Kind::ReplicaSet,
        Resource::MachineDeployments => Kind::MachineDeployment,
        Resource::MachineSets => Kind::MachineSet,
        Resource::MachineHealthChecks => Kind::MachineHealthCheck,
        Resource::KubeadmConfigs => Kind::KubeadmConfig,
        Resource::VSphereMachines => Kind::VSphereMachine,
        Resource::VolumeAttachments => Kind::VolumeAttachment,
    };
    if let Some(name) = &asked.name {
        let namespace = match &asked.scope {
            _ if !kind.is_namespaced() => Text::EMPTY,
            Some(Scope::Namespace(namespace)) => Text::from(namespace.as_str()),
            _ => Text::word("default"),
        };
        let name = Text::from(name.as_str());
        return kubectl::Resource::One(ObjectKey { kind, namespace, name });
    }
    match &asked.scope {
        None => kubectl::Resource::Kind(kind),
        Some(_) => kubectl::Resource::KindIn(kind, namespaces(asked)),
    }
}

/// In which namespaces is looked.
fn namespaces(asked: &Question) -> kubectl::Scope {
    match &asked.scope {
        Some(Scope::All) => kubectl::Scope::All,
        Some(Scope::Namespace(name)) => kubectl::Scope::Namespace(Text::from(name.as_str())),
        None => kubectl::Scope::Namespace(Text::word("default")),
    }
}

/// Without a fault there is nothing to count from.
fn no_fault(command: &str, input: &str) -> String {
    format!("{input}: no fault: `{command}` counts from the first one")
}

fn game_with_fault(command: &str, input: &str, options: &Options) -> Result<Game, Vec<String>> {
    let game = game(input, options)?;
    match game.first_fault() {
        Some(_) => Ok(game),
        None => Err(vec![no_fault(command, input)]),
    }
}

fn game(input: &str, options: &Options) -> Result<Game, Vec<String>> {
    let set: Vec<(String, String)> =
        options.set.iter().map(|set| (set.key.clone(), set.value.clone())).collect();
    let scenario = scenario::load(input).map_err(|wrong| wrong.texts())?;
    let scenario = if options.free { scenario.free() } else { scenario };
    let changes = Changes {
        platform: options.platform.as_deref(),
        set: &set,
        until: options.until,
        manifests: &options.manifests,
    };
    let game = Game::with(&scenario, changes).map_err(|wrong| wrong.texts())?;
    Ok(if options.dense { game.dense() } else { game })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_need_not_fit_where_nothing_is() {
        let set = Setting { key: "vmOperator.resync".to_owned(), value: "5m".to_owned() };
        let options = |free| Options { set: vec![set.clone()], free, ..Options::default() };
        let refused = game("worker-power-off", &options(false)).expect_err("a resync in 9 min");
        assert!(
            refused[0].contains("vmOperatorResync") || refused[0].contains("9m"),
            "{refused:?}"
        );
        game("worker-power-off", &options(true)).expect("nothing is pinned");
    }
}
