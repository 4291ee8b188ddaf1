//! Merge patches: a client sends what it changed, and the API server changes just that.
//!
//! A patch travels as the pair (object as it was read, object as it is wanted). Fields that are
//! equal in both are not part of the patch, so concurrent writers of other fields don't conflict;
//! a list is one field, as in an RFC 7386 merge patch, except conditions, which merge by type: those of
//! Kubernetes field by field, those of Cluster API each as a whole.

use super::Meta;
use super::kinds::{Condition, Conditions};

/// A value that can take over what differs between two others.
pub trait Merge {
    /// Takes over each field in which `changed` differs from `base`.
    fn merge(&mut self, base: &Self, changed: &Self);
}

/// Takes over a field if the patch contains it.
pub fn take_over<T: Clone + PartialEq>(mine: &mut T, base: &T, changed: &T) {
    if base != changed {
        mine.clone_from(changed);
    }
}

/// Implements `Merge` field by field; `deep` fields merge by their own rule, and of `whole` ones each condition
/// that the patch changes.
macro_rules! merge_fields {
    (
        $type:ty { $($field:ident),* $(,)? }
        $(deep { $($deep:ident),* $(,)? })?
        $(whole { $($whole:ident),* $(,)? })?
    ) => {
        impl $crate::api::Merge for $type {
            fn merge(&mut self, base: &Self, changed: &Self) {
                $($crate::api::merge::take_over(
                    &mut self.$field, &base.$field, &changed.$field,
                );)*
                $($($crate::api::Merge::merge(
                    &mut self.$deep, &base.$deep, &changed.$deep,
                );)*)?
                $($(self.$whole.take_over(&base.$whole, &changed.$whole);)*)?
            }
        }
    };
}
pub(crate) use merge_fields;

merge_fields!(Meta { labels, annotations, owners, finalizers });

merge_fields!(Condition { status, reason, message, last_transition, last_heartbeat });

impl Merge for Conditions {
    fn merge(&mut self, base: &Conditions, changed: &Conditions) {
        for condition in changed.iter() {
            match (base.get(&condition.kind), self.get(&condition.kind).cloned()) {
                (Some(base), _) if base == condition => {}
                // Only the fields that the patch changes, as in a strategic merge patch: who says
                // nothing but "still so" of what he read long ago overwrites nobody.
                (Some(base), Some(mut mine)) => {
                    mine.merge(base, condition);
                    self.set(mine);
                }
                _ => self.set(condition.clone()),
            }
        }
        self.remove_gone(base, changed);
    }
}

impl Conditions {
    /// Takes over each condition that differs, whatever its fields were meanwhile, as Cluster API's patch
    /// helper does (`util/conditions/patch.go`).
    ///
    /// Simplified: there a condition that somebody else has changed meanwhile is a conflict.
    pub fn take_over(&mut self, base: &Conditions, changed: &Conditions) {
        for condition in changed.iter().filter(|one| base.get(&one.kind) != Some(one)) {
            self.set(condition.clone());
        }
        self.remove_gone(base, changed);
    }

    fn remove_gone(&mut self, base: &Conditions, changed: &Conditions) {
        for condition in base.iter() {
            if changed.get(&condition.kind).is_none() {
                self.remove(&condition.kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::Status;
    use crate::engine::{SimTime, Text};

    fn ready(status: Status, message: &'static str) -> Conditions {
        let mut conditions = Conditions::default();
        let (kind, reason) = (Text::word("Ready"), Text::EMPTY);
        conditions.set(Condition::new(kind, status, reason, message, SimTime::ZERO));
        conditions
    }

    /// Who read before somebody else wrote, and changes the status alone.
    #[test]
    fn kubernetes_merges_fields_of_a_condition_and_cluster_api_takes_it_whole() {
        let (base, changed) = (ready(Status::Unknown, ""), ready(Status::True, ""));
        let mut stored = ready(Status::False, "why not");
        stored.merge(&base, &changed);
        assert_eq!(stored, ready(Status::True, "why not"));
        let mut stored = ready(Status::False, "why not");
        stored.take_over(&base, &changed);
        assert_eq!(stored, ready(Status::True, ""));
        stored.take_over(&changed, &Conditions::default());
        assert_eq!(stored, Conditions::default());
    }
}
