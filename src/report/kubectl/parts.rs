//! What stands behind a Machine and a Pod, as tables and as objects: KubeadmConfigs, VSphereMachines and
//! VolumeAttachments.
//!
//! Columns follow `cluster-api:bootstrap/kubeadm/api/v1beta1/kubeadmconfig_types.go` of 1.7,
//! `cluster-api-provider-vsphere:apis/vmware/v1beta1/vspheremachine_types.go` of 1.10, which goes with it and has
//! no age, and `printVolumeAttachment` of `k/k:pkg/printers/internalversion/printers.go`. The first two have
//! other columns with Cluster API 1.14 (`v1beta2.rs`).

use super::manifest::conditions;
use super::owners::CLUSTER;
use super::rows::UNKNOWN;
use crate::api::Object;
use crate::api::kinds::{KubeadmConfig, VSphereMachine, VolumeAttachment};
use serde_json::{Value, json};

pub const KUBEADM_CONFIG: [&str; 3] = ["NAME", "CLUSTER", "AGE"];
pub const VSPHERE_MACHINE: [&str; 4] = ["NAME", "ZONE", "PROVIDERID", "IPADDR"];
pub const VOLUME_ATTACHMENT: [&str; 6] = ["NAME", "ATTACHER", "PV", "NODE", "ATTACHED", "AGE"];

pub fn kubeadm_config_cells(object: &Object, created: String) -> Vec<String> {
    vec![cluster(object).unwrap_or_default(), created]
}

/// The cluster that its label names.
pub fn cluster(object: &Object) -> Option<String> {
    object.meta.labels.get(CLUSTER).map(ToString::to_string)
}

pub fn kubeadm_config_json(body: &KubeadmConfig) -> (Value, Value) {
    let discovery = json!({ "bootstrapToken": { "token": body.token } });
    let spec = match body.token.is_empty() {
        true => json!({}),
        false => json!({ "joinConfiguration": { "discovery": discovery } }),
    };
    let status = json!({
        "conditions": conditions(&body.conditions, false),
        "dataSecretName": body.data_secret_name,
        "ready": body.ready,
    });
    (spec, status)
}

/// All but its address, the last, which its VirtualMachine tells (`derived::address`). Nobody asks for a zone.
pub fn vsphere_machine_cells(body: &VSphereMachine) -> Vec<String> {
    vec![String::new(), body.provider_id.to_string(), String::new()]
}

/// `status.phase` in v1beta2, which writes the words of `status.vmstatus` in another way.
pub fn vsphere_machine_phase(body: &VSphereMachine) -> &str {
    match body.vm_status.as_str() {
        "pending" => "Pending",
        "created" => "Created",
        "poweredOn" => "PoweredOn",
        "ready" => "Ready",
        "deleting" => "Deleting",
        other => other,
    }
}

pub fn vsphere_machine_json(body: &VSphereMachine) -> (Value, Value) {
    let status = json!({
        "conditions": conditions(&body.conditions, false),
        "ready": body.ready,
        "vmstatus": body.vm_status,
    });
    (json!({ "providerID": body.provider_id }), status)
}

/// No driver has a name here.
pub fn volume_attachment_cells(body: &VolumeAttachment, created: String) -> Vec<String> {
    vec![
        UNKNOWN.to_owned(),
        body.volume_name.to_string(),
        body.node_name.to_string(),
        body.attached.to_string(),
        created,
    ]
}

pub fn volume_attachment_json(body: &VolumeAttachment) -> (Value, Value) {
    let spec = json!({
        "nodeName": body.node_name,
        "source": { "persistentVolumeName": body.volume_name },
    });
    (spec, json!({ "attached": body.attached }))
}
