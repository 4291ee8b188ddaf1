//! The blueprint of a lab of etcd alone, on one machine, of any release.

use super::mistake::Mistakes;
use super::{models, settings};
use crate::world::Blueprint;

/// The platform that has the settings which a lab does not use.
const BASE: &str = "lab-k8s-1.34-capi-1.14";

/// Settings of a lab of `models/labs` with this release of etcd, and with these settings besides
/// (`KEY`, `VALUE`).
///
/// # Errors
/// There is no such release, lab or setting, or a setting cannot have its value.
pub fn etcd_lab(release: &str, lab: &str, set: &[(&str, &str)]) -> Result<Blueprint, Mistakes> {
    let mut platform = models::platform(BASE)?;
    for (prefix, folder, name) in [("etcd", "etcd", release), ("", "labs", lab)] {
        models::overlay(&mut platform, prefix, folder, name)?;
    }
    for (key, value) in set {
        platform.catalog.set(key, value)?;
    }
    let blueprint = settings::blueprint(&platform, 1, 0);
    Mistakes::none_or(platform.catalog.mistakes())?;
    Ok(blueprint)
}

#[cfg(test)]
mod tests {
    use super::etcd_lab;

    #[test]
    fn releases_differ_by_their_rules_and_mistakes_are_told() {
        let pre_vote =
            |release| etcd_lab(release, "etcd", &[]).unwrap().settings.etcd.raft.pre_vote;
        assert_eq!(["3.4", "3.5", "3.6"].map(pre_vote), [false, true, true]);
        let mistakes =
            |release, lab, set: &[(&str, &str)]| etcd_lab(release, lab, set).unwrap_err().len();
        assert_eq!(mistakes("3.3", "etcd", &[]), 1);
        assert_eq!(mistakes("3.5", "etcds", &[]), 1);
        assert_eq!(mistakes("3.5", "etcd", &[("etcd.snapshotcount", "7")]), 1);
        assert_eq!(mistakes("3.5", "etcd", &[("etcd.snapshotCount", "many")]), 1);
    }
}
