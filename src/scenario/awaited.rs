//! Faults that wait for something to be seen: what is awaited, in the language of expectations, and how long
//! after that the fault strikes.
//!
//! It reads entries and nothing else, as one does who sits before the timeline and then acts.

use super::expect::{Age, Pattern, State};
use super::faults::{Fault, NO_TARGET};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Entry, Timeline};

/// A fault and what it waits for.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// The pattern as it is written.
    pub seen: Text,
    pub pattern: Pattern,
    pub after: Duration,
    pub fault: Fault,
}

/// Looks at each new entry; each fault is released once.
#[derive(Clone, Debug)]
pub struct Lookout {
    awaited: Vec<Awaited>,
    state: State,
    seen: usize,
    first_fault: SimTime,
}

impl Lookout {
    /// Waits for these; nothing before the first fault counts.
    pub fn new(awaited: Vec<Awaited>, first_fault: SimTime) -> Lookout {
        Lookout { awaited, state: State::default(), seen: 0, first_fault }
    }

    /// Waits for these too; nothing that is written down already counts.
    pub fn add(&mut self, more: Vec<Awaited>, timeline: &Timeline) {
        let beginning = timeline.beginning().len();
        for (place, entry) in timeline.entries().iter().enumerate().skip(self.seen) {
            let old = place < beginning || entry.at < self.first_fault;
            self.state.note(entry, if old { Age::Old } else { Age::New });
        }
        self.seen = timeline.entries().len();
        self.awaited.extend(more);
    }

    /// Those that were not seen yet.
    pub fn awaited(&self) -> &[Awaited] {
        &self.awaited
    }

    /// The faults that the new entries release, with their times.
    pub fn look(&mut self, timeline: &Timeline) -> Vec<(SimTime, Fault)> {
        let mut released = Vec::new();
        if self.awaited.is_empty() {
            return released;
        }
        let beginning = timeline.beginning().len();
        for (place, entry) in timeline.entries().iter().enumerate().skip(self.seen) {
            let old = place < beginning || entry.at < self.first_fault;
            self.state.note(entry, if old { Age::Old } else { Age::New });
            if old {
                continue;
            }
            let state = &self.state;
            self.awaited.retain(|awaited| {
                let comes = awaited.pattern.holds(entry, state);
                if comes {
                    released.push((entry.at + awaited.after, awaited.fault.clone()));
                }
                !comes
            });
        }
        self.seen = timeline.entries().len();
        released
    }
}

/// The faults that have hit nothing, commands that an API server refused, the faults that were still to come when
/// the run ended, and those that wait for what was never seen, a sentence each.
pub fn unstruck(lookout: &Lookout, left: &[(SimTime, Fault)], timeline: &Timeline) -> Vec<Text> {
    let seconds = |at: SimTime| at.since(SimTime::ZERO);
    let faults = timeline.entries().iter().filter(|entry| entry.kind == *"Fault");
    let in_vain = faults.filter(|entry| entry.to.to_string() == NO_TARGET);
    let in_vain = in_vain.map(|entry| {
        format!("{} at {} has hit nothing: there was no such target", entry.name, seconds(entry.at))
    });
    let refused = timeline.happened().iter().filter_map(|entry| refused(entry, timeline));
    let late = left.iter().map(|(at, fault)| {
        let at = seconds(*at);
        format!("{} did not strike: it was to come at {at}, after the run's end", name(fault))
    });
    let waiting = lookout.awaited().iter().map(|awaited| {
        let Awaited { seen, fault, .. } = awaited;
        format!("{} did not strike: `{seen}` was never seen", name(fault))
    });
    in_vain.chain(refused).chain(late).chain(waiting).map(Text::from).collect()
}

/// What an API server did not do for a person who asked it to change something. That it did not answer is what a
/// disaster does, and who only looks changes nothing.
fn refused(entry: &Entry, timeline: &Timeline) -> Option<String> {
    const REASONS: [&str; 6] =
        ["NotFound", "Invalid", "BadRequest", "AlreadyExists", "Forbidden", "MethodNotAllowed"];
    let is_answer = |reason: &&str| {
        let words = entry.message.strip_prefix("Error from server (");
        words
            .and_then(|words| words.strip_prefix(*reason))
            .is_some_and(|rest| rest.starts_with(')'))
    };
    if !entry.by.starts_with("kubectl@") || !REASONS.iter().any(is_answer) {
        return None;
    }
    let asked = timeline.get(entry.cause?).filter(|fault| fault.kind == *"Fault")?;
    let at = asked.at.since(SimTime::ZERO);
    let told = || format!("{} at {at} has changed nothing: {}", asked.message, entry.message);
    (!only_looks(&asked.message)).then(told)
}

/// True for a command that changes nothing, whatever comes of it.
pub fn only_looks(command: &str) -> bool {
    ["kubectl get ", "kubectl describe "].iter().any(|verb| command.starts_with(verb))
}

/// What a person typed, or the kind of the fault.
fn name(fault: &Fault) -> Text {
    Some(fault.words()).filter(|words| !words.is_empty()).unwrap_or(Text::word(fault.kind()))
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Game, Scenario, Source};
    use crate::timeline::Run;

    fn game(faults: &str, until: &str) -> Game {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: waits }}\nspec:\n  platform: \
             tkgs-2024\n  cluster: {{ controlPlane: 1, workers: 3 }}\n  until: {until}\n  \
             faults:\n{faults}"
        );
        let scenario = Scenario::read(Source::embedded("waits.yaml", &text)).expect("a scenario");
        Game::new(&scenario, None, &[], None).expect("a game")
    }

    fn unstruck(run: &Run) -> Vec<&str> {
        run.unstruck.iter().map(|text| text.as_str()).collect()
    }

    #[test]
    fn what_does_not_strike_or_hits_nothing_is_told() {
        let faults = "    - { at: 10s, stopUnit: { vm: worker-0, unit: kubelet } }
    - { at: 20s, removeFile: { vm: worker-1, path: /etc/nosuch } }
    - { when: 'Node/worker-0 Ready=False', stopUnit: { vm: worker-1, unit: kubelet } }
    - { when: 'Process/kubelet@worker-0 running=false', after: 9m, kubectl: 'get nodes' }
";
        let run = game(faults, "1m").play(1);
        let told = [
            "removeFile at 20s has hit nothing: there was no such target",
            "kubectl get nodes did not strike: it was to come at 9m10s, after the run's end",
            "stopUnit did not strike: `Node/worker-0 Ready=False` was never seen",
        ];
        assert_eq!(unstruck(&run), told);
    }

    #[test]
    fn a_command_that_was_refused_is_told_and_one_that_only_looks_is_not() {
        let faults = "    - { at: 10s, kubectl: 'delete machine worker-9' }
    - { at: 12s, kubectl: 'get machine worker-9' }
    - { at: 14s, kubectl: 'cordon worker-0' }
    - { at: 20s, powerOff: { vm: control-plane-0 } }
    - { at: 30s, kubectl: 'delete deployment nosuch' }
";
        let run = game(faults, "3m").play(1);
        let told = "kubectl delete machine worker-9 at 10s has changed nothing: Error from server \
                    (NotFound): machines.cluster.x-k8s.io \"worker-9\" not found";
        assert_eq!(unstruck(&run), [told]);
    }

    #[test]
    fn once_all_have_struck_a_run_need_not_wait_for_more() {
        let faults = "    - { at: 10s, powerOff: { vm: worker-0 } }
    - { when: 'VM/worker-0 power=off', after: 5s, powerOn: { vm: worker-0 } }
";
        let game = game(faults, "30m");
        let run = game.play_until_recovered(1);
        assert!(unstruck(&run).is_empty(), "{:?}", run.unstruck);
        assert!(run.recovered_at.is_some() && run.ended_at < game.until());
    }
}
