//! What a question names has to be there: an object or a service of the scenario.
//!
//! What the cluster begins with is known before anything is played. An object that comes later is
//! known when one run was played to its end; over many runs it has its kind for a name.

use super::player::Mention;
use crate::analysis::estimate::{Name, names_over_runs};
use crate::analysis::milestones;
use crate::scenario::{Game, models, probes_that_say};
use crate::timeline::Run;
use std::collections::BTreeSet;

/// Of so many names nobody reads more.
const MOST: usize = 20;

/// Refuses the first name that nothing has, with what there is.
pub(super) fn are_there(game: &Game, seed: u64, named: &[Mention]) -> Result<(), String> {
    let is_known = |it: &Mention| matches!(it, Mention::Milestone(name) if user_of(name).is_none());
    if named.iter().all(is_known) {
        return Ok(());
    }
    let mut simulation = game.begin(seed);
    simulation.run_until(game.first_fault().unwrap_or_default());
    let begun = game.judge(simulation.finish(), seed);
    named.iter().try_for_each(|named| match named {
        Mention::Service(service) => {
            let known: Vec<&str> = begun.availability.keys().map(|it| it.as_str()).collect();
            match known.contains(&service.as_str()) {
                true => Ok(()),
                false => Err(models::unknown("service", service, &known)),
            }
        }
        Mention::Milestone(milestone) => is_asked_for(milestone, &begun),
        Mention::Object(object) => is_there(object, &objects, &begun, || game.play(seed)),
        Mention::OfMany(object) => is_there(object, &over_runs, &begun, || game.play(seed)),
    })
}

/// Refuses the milestones of users whom the scenario does not have: they would never come.
fn is_asked_for(milestone: &str, begun: &Run) -> Result<(), String> {
    let Some((user, whom, like)) = user_of(milestone) else { return Ok(()) };
    let mut entries = begun.timeline.entries().iter();
    if entries.any(|entry| entry.kind == *"Probe" && entry.name.starts_with(user)) {
        return Ok(());
    }
    let probes = probes_that_say(like);
    Err(format!(
        "`{milestone}` never comes, for nobody in this scenario asks {whom}: write `{probes}` into its spec"
    ))
}

/// Who finds this out, if it is a user: how his name begins, whom he asks, and a name like his.
fn user_of(milestone: &str) -> Option<(&'static str, &'static str, &'static str)> {
    match milestone {
        "apiUnavailable" | "apiAvailable" => Some(("api", "the API", "api@*")),
        "appUnavailable" | "appAvailable" => Some(("app-", "an app", "app-*")),
        _ => None,
    }
}

/// Refuses an object that has none of these names, neither at the beginning nor later.
fn is_there(
    object: &str,
    names: &dyn Fn(&Run) -> BTreeSet<String>,
    begun: &Run,
    played: impl FnOnce() -> Run,
) -> Result<(), String> {
    let known = names(begun);
    let is_there = known.contains(object) || names(&played()).contains(object);
    if is_there { Ok(()) } else { Err(no_object(object, &known)) }
}

/// What figures of many runs can be told of.
fn over_runs(run: &Run) -> BTreeSet<String> {
    names_over_runs(run).iter().map(ToString::to_string).collect()
}

/// All objects that a run tells of.
fn objects(run: &Run) -> BTreeSet<String> {
    let written = run.timeline.entries().iter().map(|entry| entry.object());
    let shown = milestones(run).into_iter().map(|milestone| milestone.object.to_string());
    let all = written.chain(shown);
    all.chain([Name::recovered().object.to_string()]).collect()
}

/// With those of the same kind, if there is one of that kind.
fn no_object(object: &str, known: &BTreeSet<String>) -> String {
    let kind = |object: &str| object.split('/').next().unwrap_or_default().to_owned();
    let alike = || known.iter().filter(|other| kind(other) == kind(object));
    if alike().next().is_none() {
        let kinds: BTreeSet<String> = known.iter().map(|object| kind(object)).collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        return models::unknown("object of kind", &kind(object), &kinds);
    }
    let names: Vec<&str> = alike().map(String::as_str).collect();
    let (shown, rest) = names.split_at(names.len().min(MOST));
    let near = models::unknown("object", object, &names);
    match !near.contains("; known: ") || rest.is_empty() {
        true => near,
        false => {
            let more = rest.len();
            format!("{} and {more} more", models::unknown("object", object, shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Text;
    use crate::scenario::load;

    #[test]
    fn over_many_runs_a_new_object_has_the_name_of_its_kind() {
        let scenario = load("worker-kubelet-stopped").expect("embedded");
        let game = Game::new(&scenario, None, &[], None).expect("valid");
        let ask = |name: &'static str| are_there(&game, 1, &[Mention::OfMany(Text::word(name))]);
        assert_eq!(ask("Machine/worker-0"), Ok(()));
        assert_eq!(ask("Machine/new"), Ok(()));
        assert_eq!(ask("Cluster/workload"), Ok(()));
        let wrong = ask("Machine/neww").expect_err("nothing has this name");
        assert!(wrong.ends_with("did you mean `Machine/new`?"), "{wrong}");
        // Of one run's drawn names no figure is told.
        let run = game.play(1);
        let known = over_runs(&run);
        let drawn: Vec<String> = objects(&run).difference(&known).cloned().collect();
        let drawn = drawn.iter().find(|name| name.starts_with("Machine/")).expect("a replacement");
        let in_one = |object: &str| are_there(&game, 1, &[Mention::Object(Text::from(object))]);
        assert_eq!(in_one(drawn), Ok(()));
        assert!(in_one("Machine/new").is_err());
        let over_many = are_there(&game, 1, &[Mention::OfMany(Text::from(drawn.as_str()))]);
        let wrong = over_many.expect_err("a drawn name");
        assert!(wrong.contains("Machine/new"), "{wrong}");
    }

    #[test]
    fn what_only_a_user_finds_out_needs_one_who_asks() {
        let ask = |name: &str, milestone: &'static str| {
            let scenario = load(name).expect("embedded");
            let game = Game::new(&scenario, None, &[], None).expect("valid");
            are_there(&game, 1, &[Mention::Milestone(Text::word(milestone))])
        };
        let nobody = "worker-kubelet-stopped";
        assert_eq!(ask(nobody, "nodeUnknown"), Ok(()));
        for (milestone, hint) in [
            ("apiUnavailable", "asks the API: write `probes: [{ api: each }]`"),
            ("appAvailable", "asks an app: write `probes: [{ app: WORKLOAD }]`"),
        ] {
            let wrong = ask(nobody, milestone).expect_err("nobody asks");
            assert!(wrong.contains(milestone) && wrong.contains(hint), "{wrong}");
        }
        assert_eq!(ask("control-plane-power-off", "apiUnavailable"), Ok(()));
    }

    #[test]
    fn what_nothing_has_is_refused_with_what_there_is() {
        let scenario = load("worker-kubelet-stopped").expect("embedded");
        let game = Game::new(&scenario, None, &[], None).expect("valid");
        let ask = |named: Mention| are_there(&game, 1, &[named]);
        let object = |name: &'static str| ask(Mention::Object(Text::word(name)));
        let service = |name: &'static str| ask(Mention::Service(Text::word(name)));
        assert_eq!(object("Node/worker-0"), Ok(()));
        assert_eq!(object("Cluster/workload"), Ok(()));
        assert_eq!(service("api"), Ok(()));
        for (found, hint) in [
            (object("Node/worker-00"), "did you mean `Node/worker-0`?"),
            (object("Node/somebody-else"), "known: Node/control-plane-0, "),
            (object("Nod/worker-0"), "no object of kind `Nod`; did you mean `Node`?"),
            (service("apii"), "no service `apii`; did you mean `api`?"),
            (service("everything"), "no service `everything`; known: api"),
        ] {
            let wrong = found.expect_err(hint);
            assert!(wrong.contains(hint), "{wrong}");
        }
    }
}
