//! What a write makes of an object: admission, merging, graceful deletion, finalizers, eviction.
//!
//! Pure rules over one object; who asks and what etcd says to it is the server's matter.

use super::admission;
use crate::api::kinds::{Condition, Status};
use crate::api::{ApiError, Deletion, Object, ObjectKey, Reason, Revision, Uid, Verb};
use crate::engine::{Duration, SimTime, Text};
use std::sync::Arc;

/// A change to an object as it is, computed anew whenever somebody else was faster.
#[derive(Clone, Debug)]
pub enum Modification {
    Patch {
        base: Arc<Object>,
        changed: Arc<Object>,
    },
    Scale {
        key: ObjectKey,
        replicas: u32,
    },
    Delete {
        key: ObjectKey,
        grace: Option<Duration>,
        uid: Option<Uid>,
    },
    /// The second half of ending a terminating Pod at once: its grace period is nothing by now.
    Remove {
        key: ObjectKey,
    },
    /// The first half of an eviction: the Pod is told why it goes.
    MarkEvicted {
        key: ObjectKey,
        grace: Option<Duration>,
        /// It goes only as it was read: one that has changed since may be ready again.
        as_read: Option<Revision>,
    },
    Bind {
        pod: ObjectKey,
        uid: Uid,
        node: Text,
    },
}

/// What is to be stored.
#[derive(Debug)]
pub enum Decision {
    Write(Box<Object>),
    Remove,
    /// The object is already as it should be.
    Leave,
    Refuse(ApiError),
    /// Later it may be granted.
    RefuseForNow(ApiError),
}

/// A new object as it is stored.
pub fn admitted(
    object: &Object,
    uid: Uid,
    now: SimTime,
    toleration: Duration,
    writer: u32,
) -> Object {
    let mut new = object.clone();
    new.meta.uid = uid;
    new.meta.created = now;
    new.meta.writer = writer;
    if let Some(pod) = new.pod_mut() {
        // The admission plugin DefaultTolerationSeconds.
        pod.tolerate_outages(toleration);
    }
    new
}

/// An object that replaces itself; nothing if its last finalizer was taken away.
pub fn replaced(object: &Object, writer: u32) -> Option<Object> {
    let mut new = object.clone();
    new.meta.writer = writer;
    (!is_finished(&new)).then_some(new)
}

impl Modification {
    /// The modification that a request asks for.
    pub fn of(verb: &Verb) -> Modification {
        match verb.clone() {
            Verb::Patch { base, changed } => Modification::Patch { base, changed },
            Verb::Scale { key, replicas } => Modification::Scale { key, replicas },
            Verb::Delete { key, grace, uid } => Modification::Delete { key, grace, uid },
            Verb::Bind { pod, uid, node } => Modification::Bind { pod, uid, node },
            other => unreachable!("{} is no modification", other.name()),
        }
    }

    /// The object's key.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Modification::Patch { base, .. } => base.key(),
            Modification::Scale { key, .. }
            | Modification::Delete { key, .. }
            | Modification::Remove { key }
            | Modification::MarkEvicted { key, .. } => key,
            Modification::Bind { pod, .. } => pod,
        }
    }

    /// The other half of a request that takes two writes.
    pub fn next_after(&self, object: &Object) -> Option<Modification> {
        match self {
            Modification::MarkEvicted { key, grace, .. } => {
                let uid = Some(object.meta.uid);
                Some(Modification::Delete { key: key.clone(), grace: *grace, uid })
            }
            // A Pod is seen with its grace period before it goes.
            Modification::Delete { key, .. }
                if object.pod().is_some()
                    && object.meta.deletion.is_some_and(|d| d.grace.is_zero())
                    && object.meta.finalizers.is_empty() =>
            {
                Some(Modification::Remove { key: key.clone() })
            }
            _ => None,
        }
    }

    /// What becomes of the object as it is.
    pub fn decide(&self, current: &Object, now: SimTime, writer: u32) -> Decision {
        let mut new = current.clone();
        match self {
            Modification::Patch { base, changed } => {
                if base.meta.uid != Uid::default() && base.meta.uid != current.meta.uid {
                    return Decision::Refuse(ApiError::not_found(self.key()));
                }
                new.apply_patch(base, changed);
                if let Some(error) = admission::refused_update(current, &new) {
                    return Decision::Refuse(error);
                }
            }
            Modification::Scale { replicas, .. } => {
                new.scale(*replicas);
                if let Some(error) = admission::refused_scale(current, &new) {
                    return Decision::Refuse(error);
                }
            }
            Modification::Delete { grace, uid, .. } => {
                if uid.is_some_and(|uid| uid != current.meta.uid) {
                    return Decision::Refuse(wrong_uid(self.key()));
                }
                delete(&mut new, *grace, now);
                // A Pod is seen with its grace period, even one of nothing, before it goes.
                if (current.meta.is_deleting() || current.pod().is_some()) && new != *current {
                    new.meta.writer = writer;
                    return Decision::Write(Box::new(new));
                }
            }
            Modification::Remove { .. } => {}
            Modification::MarkEvicted { as_read, .. } => {
                if as_read.is_some_and(|as_read| as_read != current.meta.resource_version) {
                    return Decision::RefuseForNow(super::eviction::refusal());
                }
                mark_evicted(&mut new, now);
            }
            Modification::Bind { uid, node, .. } => {
                if let Err(error) = bind(&mut new, *uid, node, now) {
                    return Decision::Refuse(error);
                }
            }
        }
        if is_finished(&new) {
            return Decision::Remove;
        }
        if new == *current {
            return Decision::Leave;
        }
        new.meta.writer = writer;
        Decision::Write(Box::new(new))
    }
}

/// True if nothing holds a deleted object back any more.
fn is_finished(object: &Object) -> bool {
    let Some(deletion) = object.meta.deletion else { return false };
    let waits_for_kubelet = object.pod().is_some() && !deletion.grace.is_zero();
    object.meta.finalizers.is_empty() && !waits_for_kubelet
}

/// Begins a deletion, or shortens its grace period.
fn delete(object: &mut Object, grace: Option<Duration>, now: SimTime) {
    let grace = match object.pod() {
        Some(pod) if !pod.node_name.is_empty() && !pod.phase.is_terminal() => {
            grace.unwrap_or(pod.template.grace)
        }
        _ => Duration::ZERO,
    };
    if object.meta.deletion.is_none_or(|earlier| grace < earlier.grace) {
        let at = (now + grace).to_whole_seconds();
        object.meta.deletion = Some(Deletion { at, grace });
    }
}

/// Follows `k/k:pkg/registry/core/pod/storage/eviction.go`: a Pod that would be removed at once is
/// not marked first.
fn mark_evicted(object: &mut Object, now: SimTime) {
    if let Some(pod) = object.pod_mut().filter(|pod| !pod.phase.is_terminal()) {
        let reason = Text::word("EvictionByEvictionAPI");
        let message = Text::word("Eviction API: evicting");
        let mark = Condition::new("DisruptionTarget", Status::True, reason, message, now);
        pod.conditions.say(mark);
    }
}

fn bind(object: &mut Object, uid: Uid, node: &Text, now: SimTime) -> Result<(), ApiError> {
    let key = object.key().clone();
    if object.meta.uid != uid {
        return Err(wrong_uid(&key));
    }
    if object.meta.is_deleting() {
        let message = format!("pod {} is being deleted, cannot be assigned to a host", key.name);
        return Err(ApiError::new(Reason::Conflict, message));
    }
    let Some(pod) = object.pod_mut() else { return Err(ApiError::not_found(&key)) };
    if !pod.node_name.is_empty() {
        let message = format!("pod {} is already assigned to node \"{}\"", key.name, pod.node_name);
        return Err(ApiError::new(Reason::Conflict, message));
    }
    pod.node_name = node.clone();
    pod.conditions.say(Condition::new("PodScheduled", Status::True, "", "", now));
    Ok(())
}

fn wrong_uid(key: &ObjectKey) -> ApiError {
    let message = format!(
        "Operation cannot be fulfilled on {} \"{}\": the UID in the precondition does not match \
         the UID in record",
        key.kind.qualified_resource(),
        key.name
    );
    ApiError::new(Reason::Conflict, message)
}
