//! All schedules of few faults, as tables: which single faults and which pairs a platform does not
//! survive, and what then.

use super::with;
use crate::analysis::fuzz::{Case, Class, Exhausted, Phase};
use crate::engine::{SimTime, Text};
use crate::report::clock;
use crate::report::json::{length, list, object};
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

const CLASS: usize = 16;
const TOOK: usize = 9;
const TEXT: usize = CLASS + TOOK + 2;

/// Writes all single faults, and of more the groups that do not simply heal.
pub fn write_exhausted(found: &Exhausted, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Heading, "fuzz --exhaustive");
    let (platform, faults) = (&found.question.platform, found.question.faults);
    line.add(Mood::Neutral, format!(" on {platform}: all schedules of up to {faults} faults"));
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    let text = format!(
        "{} control-plane VMs, {} workers, seed {}; {} cases, {} more left out because their target \
         is like another; times after the first fault",
        found.shape.control_planes,
        found.shape.workers,
        found.question.seed,
        found.cases.len(),
        found.merged
    );
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)?;
    with(&found.question.settings, style, to)?;
    if found.partial {
        say(Mood::Bad, "partial: interrupted before all schedules were tried", style, to)?;
    }
    for faults in 1..=found.question.faults as usize {
        level(found, faults, style, to)?;
    }
    Ok(())
}

/// Everything as one line of JSON.
pub fn exhausted_json(found: &Exhausted) -> String {
    let case = |case: &Case| {
        let strikes = case.strikes.iter().map(|struck| {
            object([
                ("at", length(Some(struck.at.since(SimTime::ZERO)))),
                ("phase", json!(struck.phase.word()).to_string()),
                ("fault", json!(struck.words).to_string()),
            ])
        });
        let gap = case.gap.as_ref().map(ToString::to_string);
        object([
            ("faults", list(strikes)),
            ("class", json!(case.class.words()).to_string()),
            ("recoveryTime", length(case.took)),
            ("stuckOn", json!(gap).to_string()),
            ("violated", json!(case.violated).to_string()),
        ])
    };
    object([
        ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
        ("platform", json!(found.question.platform).to_string()),
        ("seed", found.question.seed.to_string()),
        ("faults", found.question.faults.to_string()),
        ("controlPlaneVMs", found.shape.control_planes.to_string()),
        ("workers", found.shape.workers.to_string()),
        ("partial", found.partial.to_string()),
        ("targetsLikeAnother", found.merged.to_string()),
        ("engineEvents", found.events.to_string()),
        ("cases", list(found.cases.iter().map(case))),
    ])
}

/// The cases of so many faults.
fn level(
    found: &Exhausted,
    faults: usize,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let cases: Vec<&Case> =
        found.cases.iter().filter(|case| case.strikes.len() == faults).collect();
    writeln!(to)?;
    let counted = Class::ALL.iter().filter_map(|class| {
        let count = cases.iter().filter(|case| case.class == *class).count();
        (count > 0).then(|| format!("{count} {}", class.words()))
    });
    let name = match faults {
        1 => "single faults".to_owned(),
        2 => "pairs".to_owned(),
        count => format!("{count} faults"),
    };
    let title = format!("{name}: {}", counted.collect::<Vec<String>>().join(", "));
    say(Mood::Heading, &title, style, to)?;
    if faults == 1 {
        return cases.iter().try_for_each(|case| row(case, &words(case), style, to));
    }
    let single = Singles::of(found);
    let alone = |case: &Case| single.worst(case);
    let is_worse = |case: &Case| alone(case).is_some_and(|alone| alone < case.class);
    let text = "those that end worse than each of their faults alone:";
    say(Mood::Quiet, text, style, to)?;
    groups(&cases, is_worse).iter().try_for_each(|it| row(it.first(), &it.text(), style, to))?;
    let others = || cases.iter().filter(|case| case.class != Class::Heals && !is_worse(case));
    let unknown = others().filter(|case| alone(case).is_none()).count();
    let known = others().count() - unknown;
    let mut text = format!(
        "{known} more do not simply heal, but end no worse than one of their faults alone (above)."
    );
    if unknown > 0 {
        let more = format!(" {unknown} more have a fault that was not tried alone.");
        text.push_str(&more);
    }
    hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)
}

/// Cases whose faults hit the same roles, at any instant, and that end alike.
struct Group<'a> {
    roles: String,
    /// How many there are with these roles, however they end.
    of: usize,
    cases: Vec<&'a Case>,
}

/// Those that end worse than each of their faults alone: the worst first, then the largest.
fn groups<'a>(cases: &[&'a Case], is_worse: impl Fn(&Case) -> bool) -> Vec<Group<'a>> {
    let mut all: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        all.entry(roles(&words(case))).or_default().push(case);
    }
    let mut found = Vec::new();
    for (roles, cases) in all {
        for class in Class::ALL {
            let alike = cases.iter().filter(|case| case.class == class && is_worse(case));
            let alike: Vec<&Case> = alike.copied().collect();
            if !alike.is_empty() {
                found.push(Group { roles: roles.clone(), of: cases.len(), cases: alike });
            }
        }
    }
    found.sort_by_key(|group| (Reverse(group.first().class), Reverse(group.cases.len())));
    found
}

impl<'a> Group<'a> {
    fn first(&self) -> &'a Case {
        self.cases.first().expect("a group has a case")
    }

    /// What they are, how many, and into which phases the last fault struck.
    fn text(&self) -> String {
        let mut phases: Vec<Phase> =
            self.cases.iter().filter_map(|case| Some(case.strikes.last()?.phase)).collect();
        phases.sort_unstable();
        phases.dedup();
        let phases: Vec<&str> = phases.into_iter().map(Phase::word).collect();
        format!("{} ({} of {}: {})", self.roles, self.cases.len(), self.of, phases.join(", "))
    }
}

/// The words of faults with letters for the numbers of VMs and hosts: a, b for the first, the second
/// of a name.
fn roles(words: &str) -> String {
    let mut known: Vec<&str> = Vec::new();
    let mut text = String::new();
    for (at, token) in words.split(' ').enumerate() {
        text.push_str(if at > 0 { " " } else { "" });
        let target = token.trim_end_matches(',');
        let name = target.trim_end_matches(|it: char| it.is_ascii_digit());
        if name == target || !name.ends_with('-') {
            text.push_str(token);
            continue;
        }
        if !known.contains(&target) {
            known.push(target);
        }
        let before = known.iter().take_while(|other| **other != target);
        let place = before.filter(|other| other.starts_with(name)).count();
        let letter = ('a'..='z').nth(place).unwrap_or('z');
        text.push_str(&format!("{name}{letter}{}", &token[target.len()..]));
    }
    text
}

/// How each fault ends alone.
struct Singles<'a> {
    found: &'a Exhausted,
    classes: BTreeMap<&'a Text, Class>,
}

impl<'a> Singles<'a> {
    fn of(found: &'a Exhausted) -> Singles<'a> {
        let single = |case: &'a Case| match &case.strikes[..] {
            [only] => Some((&only.words, case.class)),
            _ => None,
        };
        Singles { found, classes: found.cases.iter().filter_map(single).collect() }
    }

    /// The worst end of the faults of a case, each alone; nothing if one of them was not tried.
    fn worst(&self, case: &Case) -> Option<Class> {
        let alone = case.strikes.iter().map(|struck| {
            let like = self.found.alike.get(&struck.words).unwrap_or(&struck.words);
            self.classes.get(like).copied()
        });
        alone.collect::<Option<Vec<Class>>>()?.into_iter().max()
    }
}

fn words(case: &Case) -> String {
    let words: Vec<&str> = case.strikes.iter().map(|struck| struck.words.as_str()).collect();
    words.join(", then ")
}

fn row(case: &Case, text: &str, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mood = match case.class {
        Class::Heals => Mood::Good,
        Class::HealsSlowly => Mood::Neutral,
        Class::NeverHeals | Class::LosesData | Class::Violation => Mood::Bad,
    };
    let mut line = Line::default();
    line.add(mood, format!("  {:<width$}", case.class.words(), width = CLASS - 2));
    let took = case.took.map(clock::length).unwrap_or_default();
    line.add(Mood::Neutral, format!("{took:>TOOK$}"));
    let mut body = vec![Span::new(Mood::Neutral, text)];
    let why = case.violated.iter().map(ToString::to_string);
    let why = why.chain(case.gap.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ");
    if !why.is_empty() {
        body.push(Span::new(Mood::Quiet, format!(" - {why}")));
    }
    hang(line, TEXT, &body, style, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fuzz::{Question, Shape, Struck};

    fn case(faults: &[(&'static str, Phase)], class: Class) -> Case {
        let struck = |(words, phase): &(&'static str, Phase)| Struck {
            at: SimTime::ZERO,
            phase: *phase,
            words: Text::word(words),
        };
        let strikes = faults.iter().map(struck).collect();
        Case { strikes, class, took: None, gap: None, violated: Vec::new() }
    }

    #[test]
    fn cases_of_the_same_roles_that_end_otherwise_stand_in_rows_of_their_own() {
        let (one, two) = ("deleteVm: { vm: a-0 }", "deleteVm: { vm: a-1 }");
        let pair = |phase, class| case(&[(one, Phase::Quiet), (two, phase)], class);
        let cases = vec![
            case(&[(one, Phase::Quiet)], Class::Heals),
            case(&[(two, Phase::Quiet)], Class::Heals),
            pair(Phase::Quiet, Class::NeverHeals),
            pair(Phase::Joining, Class::HealsSlowly),
            pair(Phase::Joined, Class::HealsSlowly),
            pair(Phase::Joined, Class::Heals),
            case(
                &[(one, Phase::Quiet), ("powerOff: { vm: b-0 }", Phase::Quiet)],
                Class::NeverHeals,
            ),
        ];
        let question = Question {
            platform: Text::word("tkgs-2024"),
            settings: vec![("clusterApi.maxInFlight".to_owned(), "1".to_owned())],
            faults: 2,
            seed: 1,
            kinds: Vec::new(),
            jobs: 1,
        };
        let shape = Shape { control_planes: 3, workers: 3, zones: 0, hosts: 0 };
        let alike = BTreeMap::new();
        let found =
            Exhausted { question, shape, cases, merged: 0, alike, events: 0, partial: true };
        let mut bytes = Vec::new();
        write_exhausted(&found, Style::Plain, &mut bytes).expect("memory takes everything");
        let text = String::from_utf8(bytes).expect("text");
        let pairs = text.split_once("pairs: ").expect("their head line").1;
        let wanted = "1 heals, 2 heals slowly, 2 never heals\n\
            those that end worse than each of their faults alone:\n  \
            never heals              deleteVm: { vm: a-a }, then deleteVm: { vm: a-b } (1 of 4: quiet)\n  \
            heals slowly             deleteVm: { vm: a-a }, then deleteVm: { vm: a-b } (2 of 4: joining,\n\
            \u{20}                          joined)\n\
            0 more do not simply heal, but end no worse than one of their faults alone (above). 1 more have a\n\
            fault that was not tried alone.\n";
        assert_eq!(pairs, wanted);
        assert!(
            text.contains("\npartial: interrupted before all schedules were tried\n"),
            "{text}"
        );
        assert!(text.contains("\nwith clusterApi.maxInFlight=1\n"), "{text}");
        assert!(exhausted_json(&found).contains("\"partial\":true"));
    }

    #[test]
    fn roles_tell_the_same_target_from_another() {
        let same = "stopUnit: { vm: worker-1, unit: kubelet }, then powerOff: { vm: worker-1 }";
        let other = "powerOff: { vm: worker-2 }, then powerOff: { vm: worker-0 }";
        assert_eq!(
            roles(same),
            "stopUnit: { vm: worker-a, unit: kubelet }, then powerOff: { vm: worker-a }"
        );
        assert_eq!(roles(other), "powerOff: { vm: worker-a }, then powerOff: { vm: worker-b }");
        let mixed = "powerOffHost: { host: esxi-1 }, then deleteVm: { vm: control-plane-1 }";
        assert_eq!(
            roles(mixed),
            "powerOffHost: { host: esxi-a }, then deleteVm: { vm: control-plane-a }"
        );
    }
}
