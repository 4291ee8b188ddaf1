//! How a setting got another value than its platform's: by `--set`, a manifest or a scenario.
//!
//! Which value wins over which is not known here.

use super::catalog::{Basis, Setting};
use super::derived::Moved;
use super::manifests::{Manifests, Place, WishSource};
use crate::engine::{Duration, Text};

/// How a setting was changed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The value that it had on the platform.
    pub instead_of: String,
    pub by: By,
}

/// Who has changed a setting.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// `--set`.
    Option,
    /// A user's manifest, or a scenario.
    Manifest(Place, WishSource),
}

/// What a Pod of its own says of how long it may take to end. Not a setting: each Pod has its own.
const POD_GRACE: &str = "the Pod's terminationGracePeriodSeconds";

impl Change {
    /// `--set`, or FILE:LINE of a manifest.
    pub fn from(&self) -> Text {
        match &self.by {
            By::Option => Text::word("--set"),
            By::Manifest(place, WishSource::Written) => Text::from(place.to_string()),
            By::Manifest(place, WishSource::Default) => Text::from(format!("{place}, by default")),
        }
    }
}

impl Setting {
    /// The value that it has on its platform, if that is another one.
    pub(super) fn on_platform(&self) -> Option<&str> {
        let changed = self.changed.as_ref().map(|change| &change.instead_of);
        changed.or(self.moved.as_ref().map(|moved| &moved.was)).map(String::as_str)
    }

    /// Where its value comes from, if somebody has given it: `--set`, or FILE:LINE; of one that is
    /// derived also what he has given.
    pub fn given_by(&self) -> Option<Text> {
        let moved = || {
            let Moved { key, change, .. } = self.moved.as_ref()?;
            Some(Text::from(format!("{} of {key}", change.from())))
        };
        self.changed.as_ref().map(Change::from).or_else(moved)
    }
}

/// How long Pods may take to end, by the words for it: of all workloads, and where a user's own is.
pub(super) fn pod_grace(
    graces: impl Iterator<Item = Duration>,
    manifests: &Manifests,
) -> Option<(String, Setting)> {
    let graces: Vec<Duration> = graces.collect();
    let (low, high) = (*graces.iter().min()?, *graces.iter().max()?);
    let value = if low == high { low.to_string() } else { format!("{low}..{high}") };
    let field = "terminationGracePeriodSeconds";
    let own = manifests.taken.iter().find(|taken| taken.key.ends_with(field));
    let changed = own.map(|taken| Change {
        instead_of: String::new(),
        by: By::Manifest(taken.place.clone(), WishSource::Written),
    });
    let setting = Setting {
        value,
        flag: "Pod spec.terminationGracePeriodSeconds".to_owned(),
        settable: true,
        source: "Kubernetes API reference; 30s where nothing is said".to_owned(),
        basis: Basis::Documented,
        range: None,
        derived: None,
        changed,
        moved: None,
    };
    Some((POD_GRACE.to_owned(), setting))
}
