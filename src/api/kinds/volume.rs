//! Volumes that are attached to one Node at a time: PersistentVolumeClaim and VolumeAttachment.
//!
//! Only what the way of a volume from Node to Node needs: every claim is bound to a volume that
//! exists, exclusive (`ReadWriteOnce`) and attached by a CSI driver.

use crate::api::Object;
use crate::api::merge::{Merge, merge_fields};
use crate::engine::Text;
use std::collections::BTreeSet;

/// A PersistentVolumeClaim that is bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistentVolumeClaim {
    /// The PersistentVolume.
    pub volume_name: Text,
}

/// The wish that a volume be attached to a Node, and whether it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeAttachment {
    pub node_name: Text,
    pub volume_name: Text,
    pub attached: bool,
}

/// From which claim a Pod has its volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// The one of this name, whichever Pod it is.
    Claim(Text),
    /// One for each Pod name, as a StatefulSet's `volumeClaimTemplates` make them.
    PerPod,
}

/// Names of volumes in a Node's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeNames(pub BTreeSet<Text>);

merge_fields!(PersistentVolumeClaim { volume_name });
merge_fields!(VolumeAttachment { node_name, volume_name, attached });

/// Two writers who each add or remove one do not undo each other.
impl Merge for VolumeNames {
    fn merge(&mut self, base: &VolumeNames, changed: &VolumeNames) {
        self.0.retain(|name| !base.0.contains(name) || changed.0.contains(name));
        self.0.extend(changed.0.difference(&base.0).cloned());
    }
}

/// The name of the claim that a Pod uses, if it uses one.
pub fn claim_of(pod: &Object) -> Option<Text> {
    match pod.pod()?.template.volume.as_ref()? {
        VolumeSource::Claim(name) => Some(name.clone()),
        VolumeSource::PerPod => Some(Text::from(format!("data-{}", pod.name()))),
    }
}
