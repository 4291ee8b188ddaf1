//! The columns of Cluster API's kinds where v1beta2 is served, as from Cluster API 1.11 on, and of vSphere's
//! from its provider's 1.17 on, which goes with 1.14.
//!
//! Follows `cluster-api:api/core/v1beta2/*_types.go`, `api/{bootstrap,controlplane}/kubeadm/v1beta2` and
//! `cluster-api-provider-vsphere:api/supervisor/v1beta2/vspheremachine_types.go` (`+kubebuilder:printcolumn`): a
//! column of a priority above 0 is one of `-o wide`, and stands among the others. As with every custom
//! resource, what an object does not have is an empty cell.
//!
//! What the model's objects do not say of themselves follows from others where it can (`derived.rs`).

use super::derived::{self, Counts, Others, plane_counts, worker_counts};
use super::rows::UNKNOWN;
use super::{AGE, Form, cluster, owners, parts};
use crate::api::kinds::Status;
use crate::api::{Kind, Object};
use Cell::{Age, Condition, Count, Empty, Follows, Of, Said, Unmodeled};

/// A column, and what stands in it.
struct Column {
    name: &'static str,
    shown: Shown,
    cell: Cell,
}

/// In which tables it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Always,
    /// With `-o wide`.
    Wide,
}

/// Where its text is from.
enum Cell {
    Of(fn(&Object) -> Option<String>),
    /// The status of a condition.
    Condition(&'static str),
    /// The status of a condition that nobody writes here.
    Said(fn(&Object, &Others) -> Option<Status>),
    /// One of the counts of a part of a Cluster.
    Count(fn(&Object, &Others) -> Option<Counts>, fn(Counts) -> Option<u32>),
    /// What other objects make of it.
    Follows(fn(&Object, &Others) -> Option<String>),
    Age,
    /// Every real object has it, and none of the model.
    Unmodeled,
    /// Empty in a real cluster like this one as well.
    Empty,
}

/// The columns of a kind, if it is one of Cluster API's that has its own in v1beta2.
pub fn columns(kind: Kind, form: Form) -> Option<Vec<&'static str>> {
    let columns = all(kind)?.iter().filter(|column| column.is_in(form));
    Some(std::iter::once("NAME").chain(columns.map(|column| column.name)).collect())
}

/// What stands in them for an object of this age; nothing for one of another kind.
pub fn row(object: &Object, age: &str, others: &Others, form: Form) -> Vec<String> {
    let columns = all(object.key().kind).unwrap_or_default().iter();
    let cells =
        columns.filter(|column| column.is_in(form)).map(|column| column.text(object, age, others));
    std::iter::once(object.name().to_string()).chain(cells).collect()
}

impl Column {
    fn is_in(&self, form: Form) -> bool {
        self.shown == Shown::Always || form == Form::Wide
    }

    fn text(&self, object: &Object, age: &str, others: &Others) -> String {
        let found = match self.cell {
            Of(text) => text(object),
            Condition(kind) => object
                .conditions()
                .and_then(|conditions| conditions.get(kind))
                .map(|condition| condition.status.name().to_owned()),
            Said(status) => status(object, others).map(|status| status.name().to_owned()),
            Count(counts, one) => {
                counts(object, others).and_then(one).map(|count| count.to_string())
            }
            Follows(text) => text(object, others),
            Age => Some(age.to_owned()),
            Unmodeled => Some(UNKNOWN.to_owned()),
            Empty => None,
        };
        found.unwrap_or_default()
    }
}

/// All columns of a kind but its name.
fn all(kind: Kind) -> Option<&'static [Column]> {
    Some(match kind {
        Kind::Cluster => &CLUSTER,
        Kind::Machine => &MACHINE,
        Kind::MachineDeployment => &MACHINE_DEPLOYMENT,
        Kind::MachineSet => &MACHINE_SET,
        Kind::MachineHealthCheck => &MACHINE_HEALTH_CHECK,
        Kind::KubeadmControlPlane => &KUBEADM_CONTROL_PLANE,
        Kind::KubeadmConfig => &KUBEADM_CONFIG,
        Kind::VSphereMachine => &VSPHERE_MACHINE,
        _ => return None,
    })
}

const fn always(name: &'static str, cell: Cell) -> Column {
    Column { name, shown: Shown::Always, cell }
}

const fn wide(name: &'static str, cell: Cell) -> Column {
    Column { name, shown: Shown::Wide, cell }
}

/// A Cluster of no class, which has no version of its own then.
const CLUSTER: [Column; 16] = [
    always("CLUSTERCLASS", Empty),
    always("AVAILABLE", Said(derived::cluster_available)),
    always("CP DESIRED", Count(plane_counts, |it| Some(it.desired))),
    wide("CP CURRENT", Count(plane_counts, |it| Some(it.current))),
    wide("CP READY", Count(plane_counts, |it| Some(it.ready))),
    always("CP AVAILABLE", Count(plane_counts, |it| it.available)),
    always("CP UP-TO-DATE", Count(plane_counts, |it| it.up_to_date)),
    always("W DESIRED", Count(worker_counts, |it| Some(it.desired))),
    wide("W CURRENT", Count(worker_counts, |it| Some(it.current))),
    wide("W READY", Count(worker_counts, |it| Some(it.ready))),
    always("W AVAILABLE", Count(worker_counts, |it| it.available)),
    always("W UP-TO-DATE", Count(worker_counts, |it| it.up_to_date)),
    wide("PAUSED", Said(derived::paused)),
    always("PHASE", Of(|it| Some(cluster::phase(it, it.cluster()?).to_owned()))),
    always(AGE, Age),
    always("VERSION", Empty),
];

const MACHINE: [Column; 14] = [
    always("CLUSTER", Of(|it| Some(it.machine()?.spec.cluster.to_string()))),
    always("NODE NAME", Of(|it| Some(it.machine()?.node_ref.as_ref()?.to_string()))),
    wide("PROVIDER ID", Of(|it| Some(it.machine()?.spec.provider_id.to_string()))),
    always("FAILURE DOMAIN", Follows(derived::failure_domain)),
    always("READY", Condition("Ready")),
    always("AVAILABLE", Said(|it, _| derived::machine_available(it))),
    always("UP-TO-DATE", Said(derived::up_to_date)),
    wide("INTERNAL-IP", Follows(derived::address)),
    wide("EXTERNAL-IP", Empty),
    // A Node's, so a Machine without one has none.
    wide("OS-IMAGE", Of(|it| it.machine()?.node_ref.as_ref().map(|_| UNKNOWN.to_owned()))),
    wide("PAUSED", Condition("Paused")),
    always("PHASE", Of(|it| Some(it.machine()?.phase.name().to_owned()))),
    always(AGE, Age),
    always("VERSION", Of(|it| Some(it.machine()?.spec.version.to_string()))),
];

const MACHINE_DEPLOYMENT: [Column; 11] = [
    always("CLUSTER", Of(|it| Some(it.machine_deployment()?.template.cluster.to_string()))),
    always("AVAILABLE", Said(|it, _| derived::deployment_available(it))),
    always("DESIRED", Of(|it| Some(it.machine_deployment()?.replicas.to_string()))),
    always("CURRENT", Of(|it| Some(it.machine_deployment()?.status_replicas.to_string()))),
    always("READY", Of(|it| Some(it.machine_deployment()?.ready_replicas.to_string()))),
    always("AVAILABLE", Of(|it| Some(it.machine_deployment()?.available_replicas.to_string()))),
    always("UP-TO-DATE", Of(|it| Some(it.machine_deployment()?.updated_replicas.to_string()))),
    wide("PAUSED", Condition("Paused")),
    always("PHASE", Of(|it| Some(it.machine_deployment()?.phase.to_string()))),
    always(AGE, Age),
    always("VERSION", Of(|it| Some(it.machine_deployment()?.template.version.to_string()))),
];

const MACHINE_SET: [Column; 9] = [
    always("CLUSTER", Of(|it| Some(it.machine_set()?.template.cluster.to_string()))),
    always("DESIRED", Of(|it| Some(it.machine_set()?.replicas.to_string()))),
    always("CURRENT", Of(|it| Some(it.machine_set()?.status_replicas.to_string()))),
    always("READY", Of(|it| Some(it.machine_set()?.ready_replicas.to_string()))),
    always("AVAILABLE", Of(|it| Some(it.machine_set()?.available_replicas.to_string()))),
    always("UP-TO-DATE", Follows(|it, all| Some(derived::up_to_date_of_set(it, all)?.to_string()))),
    wide("PAUSED", Condition("Paused")),
    always(AGE, Age),
    always("VERSION", Of(|it| Some(it.machine_set()?.template.version.to_string()))),
];

const MACHINE_HEALTH_CHECK: [Column; 5] = [
    always("CLUSTER", Of(|it| owners::checked_cluster(it, it.machine_health_check()?))),
    always("REPLICAS", Of(|it| Some(it.machine_health_check()?.expected_machines.to_string()))),
    always("HEALTHY", Of(|it| Some(it.machine_health_check()?.current_healthy.to_string()))),
    wide("PAUSED", Condition("Paused")),
    always(AGE, Age),
];

const KUBEADM_CONTROL_PLANE: [Column; 11] = [
    always("CLUSTER", Of(|it| Some(it.kubeadm_control_plane()?.template.cluster.to_string()))),
    always("AVAILABLE", Said(derived::plane_available)),
    always("DESIRED", Of(|it| Some(it.kubeadm_control_plane()?.replicas.to_string()))),
    always("CURRENT", Of(|it| Some(it.kubeadm_control_plane()?.status_replicas.to_string()))),
    always("READY", Of(|it| Some(it.kubeadm_control_plane()?.ready_replicas.to_string()))),
    always("AVAILABLE", Of(|it| Some(it.kubeadm_control_plane()?.available_replicas?.to_string()))),
    always(
        "UP-TO-DATE",
        Of(|it| Some(it.kubeadm_control_plane()?.up_to_date_replicas?.to_string())),
    ),
    wide("PAUSED", Condition("Paused")),
    always(
        "INITIALIZED",
        Of(|it| it.kubeadm_control_plane()?.initialized.then(|| "true".to_owned())),
    ),
    always(AGE, Age),
    always("VERSION", Of(|it| Some(it.kubeadm_control_plane()?.version.to_string()))),
];

const KUBEADM_CONFIG: [Column; 4] = [
    always("CLUSTER", Of(parts::cluster)),
    wide("PAUSED", Condition("Paused")),
    always("DATA SECRET CREATED", Of(|it| it.kubeadm_config()?.ready.then(|| "true".to_owned()))),
    always(AGE, Age),
];

const VSPHERE_MACHINE: [Column; 10] = [
    always("CLUSTER", Of(parts::cluster)),
    always("CLASS", Unmodeled),
    wide("PROVIDER ID", Of(|it| Some(it.vsphere_machine()?.provider_id.to_string()))),
    always("FAILURE DOMAIN", Follows(derived::failure_domain)),
    wide("IP", Follows(derived::address)),
    wide("IMAGE", Unmodeled),
    wide("PAUSED", Said(derived::paused)),
    always("PROVISIONED", Of(|it| it.vsphere_machine()?.ready.then(|| "true".to_owned()))),
    always("PHASE", Of(|it| Some(parts::vsphere_machine_phase(it.vsphere_machine()?).to_owned()))),
    always(AGE, Age),
];
