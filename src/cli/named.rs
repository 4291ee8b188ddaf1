//! What a question names has to be there: an object or a service of the scenario.
//!
//! What the cluster begins with is known before anything is played. An object that comes later is
//! known when one run was played to its end.

use super::player::Mention;
use crate::analysis::estimate::Name;
use crate::analysis::milestones;
use crate::scenario::{Game, models};
use crate::timeline::Run;
use std::collections::BTreeSet;

/// Of so many names nobody reads more.
const MOST: usize = 20;

/// Refuses the first name that nothing has, with what there is.
pub(super) fn are_there(game: &Game, seed: u64, named: &[Mention]) -> Result<(), String> {
    if named.is_empty() {
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
        Mention::Object(object) => {
            let is_there = objects(&begun).contains(object.as_str())
                || objects(&game.play(seed)).contains(object.as_str());
            if is_there { Ok(()) } else { Err(no_object(object, &objects(&begun))) }
        }
    })
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
    match near.ends_with('?') || rest.is_empty() {
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
