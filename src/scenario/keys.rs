//! What to say of a key that no setting has: which one was meant, or where those of its group are listed.
//!
//! A key is a group and a name in it, `kubernetes.maxPods`. A group in common makes no two keys alike, so
//! names are held against names.

use super::mistake::distance;

/// More than this is no suggestion but a list.
const MOST: usize = 3;
/// A shorter word is in too many names.
const SHORTEST: usize = 4;

/// The end of a sentence, by what is known: which setting was meant, or the command that lists them.
pub fn hint(written: &str, known: &[&str]) -> String {
    let keys = || known.iter().filter_map(|key| Some((key.split_once('.')?, *key)));
    let groups = || keys().map(|((group, _), _)| group);
    let (group, name) = written.split_once('.').unwrap_or(("", written));
    // The group may have been written wrong as well, or left out, or nothing else been written.
    let is_in = |own: &str| match groups().any(|known| known == group) {
        true => own == group,
        false => group.is_empty() || is_near(group, own),
    };
    let near = nearest(name, keys().filter(|((group, _), _)| is_in(group)));
    if !near.is_empty() {
        let near: Vec<String> = near.into_iter().map(|key| format!("`{key}`")).collect();
        let (last, others) = near.split_last().expect("it is not empty");
        return match others {
            [] => format!("did you mean {last}?"),
            others => format!("did you mean {} or {last}?", others.join(", ")),
        };
    }
    let meant = if group.is_empty() { name } else { group };
    let exact = groups().find(|own| *own == meant);
    match exact.or_else(|| groups().find(|own| is_near(meant, own))) {
        Some(group) => format!("`healsim list settings {group}.` names those of {group}"),
        None => "`healsim list settings` names them all".to_owned(),
    }
}

/// The keys whose names have the word in them, as long as these are few; else those with the nearest names.
fn nearest<'a>(
    word: &str,
    keys: impl Iterator<Item = ((&'a str, &'a str), &'a str)>,
) -> Vec<&'a str> {
    let keys: Vec<_> = keys.map(|((_, name), key)| (name, key)).collect();
    let lower = word.to_lowercase();
    let has = |name: &str| word.len() >= SHORTEST && name.to_lowercase().contains(&lower);
    let found: Vec<&str> = keys.iter().filter(|(name, _)| has(name)).map(|it| it.1).collect();
    if (1..=MOST).contains(&found.len()) {
        return found;
    }
    let near: Vec<_> = keys.iter().filter(|(name, _)| is_near(word, name)).collect();
    let far = |name: &str| distance(word, name);
    let least = near.iter().map(|(name, _)| far(name)).min();
    let found = near.iter().filter(|(name, _)| Some(far(name)) == least).map(|it| it.1);
    let found: Vec<&str> = found.collect();
    if found.len() > MOST { Vec::new() } else { found }
}

/// True if a third of the shorter word at most is written otherwise.
fn is_near(word: &str, known: &str) -> bool {
    distance(word, known) <= word.len().min(known.len()).max(3) / 3
}

#[cfg(test)]
mod tests {
    use super::hint;

    const KNOWN: [&str; 10] = [
        "clusterApi.nodeDrainTimeout",
        "clusterApi.probeTimeout",
        "kubernetes.controllerWorkers",
        "kubernetes.maxPods",
        "kubernetes.nodeMonitorGracePeriod",
        "machineHealthCheck.falseTimeout",
        "machineHealthCheck.unknownTimeout",
        "users.outage",
        "vmOperator.resync",
        "vsphere.resync",
    ];

    #[test]
    fn a_name_is_held_against_the_names_of_its_group() {
        for (written, said) in [
            ("kubernetes.nope", "`healsim list settings kubernetes.` names those of kubernetes"),
            ("kubernetes", "`healsim list settings kubernetes.` names those of kubernetes"),
            ("kubernetes.maxPod", "did you mean `kubernetes.maxPods`?"),
            ("kubernets.maxpods", "did you mean `kubernetes.maxPods`?"),
            ("nodeMonitorGracPeriod", "did you mean `kubernetes.nodeMonitorGracePeriod`?"),
            ("vSphere.resinc", "did you mean `vsphere.resync`?"),
            ("resync", "did you mean `vmOperator.resync` or `vsphere.resync`?"),
            (
                "machineHealthCheck.timeout",
                "did you mean `machineHealthCheck.falseTimeout` or `machineHealthCheck.unknownTimeout`?",
            ),
            ("kubernets.nope", "`healsim list settings kubernetes.` names those of kubernetes"),
            ("clusterApi.drainTimeout", "did you mean `clusterApi.nodeDrainTimeout`?"),
            ("users.maxPods", "`healsim list settings users.` names those of users"),
            ("nope.nope", "`healsim list settings` names them all"),
            ("", "`healsim list settings` names them all"),
        ] {
            assert_eq!(hint(written, &KNOWN), said, "{written}");
        }
    }
}
