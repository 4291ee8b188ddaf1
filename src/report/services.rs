//! What is said of services in all tables: what it means that one is degraded.
//!
//! A user's own requests are counted for an app that he asks, and running containers for all others: two
//! things of one name.

use crate::engine::Text;
use std::collections::BTreeSet;

/// What it means that these services are degraded; with true those that a user of `probes` asks.
pub fn degraded<'a>(services: impl Iterator<Item = (&'a Text, bool)>) -> Option<String> {
    let (asked, others): (BTreeSet<_>, BTreeSet<_>) = services.partition(|(_, has_user)| *has_user);
    let of = |services: BTreeSet<(&Text, bool)>, what: &str| {
        let names: Vec<&str> = services.iter().map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| format!("of {} that {what}", names.join(", ")))
    };
    let meant = [
        of(asked, "some requests of a user in `probes` fail"),
        of(others, "some of the wanted Pods do not run"),
    ];
    let meant: Vec<String> = meant.into_iter().flatten().collect();
    (!meant.is_empty()).then(|| format!("degraded means {}.", meant.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_finds_and_what_runs_are_told_apart() {
        let [web, db, csi] = ["app/web", "app/db", "app/csi-controller"].map(Text::word);
        let told = |services: &[(&Text, bool)]| degraded(services.iter().copied());
        assert_eq!(told(&[]), None);
        let runs =
            "degraded means of app/csi-controller, app/db that some of the wanted Pods do not run.";
        assert_eq!(told(&[(&db, false), (&csi, false)]).as_deref(), Some(runs));
        let both = "degraded means of app/web that some requests of a user in `probes` fail, of app/db that \
                    some of the wanted Pods do not run.";
        assert_eq!(told(&[(&web, true), (&db, false)]).as_deref(), Some(both));
    }
}
