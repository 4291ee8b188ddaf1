//! What a Machine is made of: its bootstrap configuration, and its provider's object.
//!
//! Both are made before the Machine, so whoever makes them owns them at first; the Machine takes them over, and only
//! then their own controllers begin. Follows `ensureExternalOwnershipAndWatch` and
//! `removeOnCreateOwnerRefs` of `internal/controllers/machine`.
//!
//! Simplified: one that is being deleted takes over nothing more, which is so up to Cluster API 1.8; and their
//! controllers look at the reference alone, not whether the Machine is there.

use super::super::beside;
use super::{MachineController, State};
use crate::api::{Kind, Object, OwnerReference, Verb};
use crate::client::{Step, View};
use std::sync::Arc;

/// Who makes parts before their Machine.
const MAKERS: [Kind; 2] = [Kind::MachineSet, Kind::KubeadmControlPlane];

/// The provider's object of a Machine.
pub(super) fn infra_of<'a>(object: &Object, view: &View<'a>) -> Option<&'a Arc<Object>> {
    let reference = &object.machine()?.spec.infrastructure;
    view.local.get(&beside(object.key(), reference.kind, &reference.name))
}

/// The bootstrap configuration of a Machine, where it has one.
pub(super) fn bootstrap_of<'a>(object: &Object, view: &View<'a>) -> Option<&'a Arc<Object>> {
    view.local.get(&beside(object.key(), Kind::KubeadmConfig, object.name()))
}

impl MachineController {
    /// Takes over the first of its parts, from this place on, that is not its own yet.
    pub(super) fn take_over(
        &self,
        object: &Object,
        from: usize,
        view: &View,
    ) -> Option<Step<State>> {
        let parts = [bootstrap_of(object, view), infra_of(object, view)];
        let mut others = parts.into_iter().enumerate().skip(from).filter_map(|(place, part)| {
            let part = part?;
            let is_own = part.meta.controller().is_some_and(|owner| owner.uid == object.meta.uid);
            (!is_own).then_some((place, part))
        });
        let (place, part) = others.next()?;
        let mut changed = Object::clone(part);
        let is_others =
            |owner: &&OwnerReference| !MAKERS.contains(&owner.kind) && !owner.controller;
        let others = part.meta.owners.iter().filter(is_others).cloned();
        let mine = changed.meta.clone().owned_by(&object.meta).owners;
        changed.meta.owners = others.chain(mine.iter().cloned()).collect();
        let verb = Verb::Patch { base: part.clone(), changed: Arc::new(changed) };
        Some(Step::write(verb, State::TakenOver(place + 1)))
    }
}
