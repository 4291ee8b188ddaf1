//! The columns of Cluster API's kinds where v1beta2 is served, as from Cluster API 1.11 on.
//!
//! Follows `cluster-api:api/core/v1beta2/*_types.go` and `api/{bootstrap,controlplane}/kubeadm/v1beta2`
//! (`+kubebuilder:printcolumn`): a column of a priority above 0 is one of `-o wide`, and stands among the
//! others. As with every custom resource, what an object does not have is an empty cell.
//!
//! Simplified: the model's objects lack some of what these columns show (`Untold`): failure domains and
//! addresses of Machines, and how many Machines a Cluster has.

use super::{AGE, Form, cluster, owners, parts};
use crate::api::{Kind, Object};
use Cell::{Age, Condition, Of, Untold};

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
    Age,
    /// No object of the model has it.
    Untold,
}

/// The columns of a kind, if it is one of Cluster API's that has its own in v1beta2.
pub fn columns(kind: Kind, form: Form) -> Option<Vec<&'static str>> {
    let columns = all(kind)?.iter().filter(|column| column.is_in(form));
    Some(std::iter::once("NAME").chain(columns.map(|column| column.name)).collect())
}

/// What stands in them for an object of this age; nothing for one of another kind.
pub fn row(object: &Object, age: &str, form: Form) -> Vec<String> {
    let columns = all(object.key().kind).unwrap_or_default().iter();
    let cells = columns.filter(|column| column.is_in(form)).map(|column| column.text(object, age));
    std::iter::once(object.name().to_string()).chain(cells).collect()
}

impl Column {
    fn is_in(&self, form: Form) -> bool {
        self.shown == Shown::Always || form == Form::Wide
    }

    fn text(&self, object: &Object, age: &str) -> String {
        let found = match self.cell {
            Of(text) => text(object),
            Condition(kind) => object
                .conditions()
                .and_then(|conditions| conditions.get(kind))
                .map(|condition| condition.status.name().to_owned()),
            Age => Some(age.to_owned()),
            Untold => None,
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
        _ => return None,
    })
}

const fn always(name: &'static str, cell: Cell) -> Column {
    Column { name, shown: Shown::Always, cell }
}

const fn wide(name: &'static str, cell: Cell) -> Column {
    Column { name, shown: Shown::Wide, cell }
}

const CLUSTER: [Column; 16] = [
    always("CLUSTERCLASS", Untold),
    always("AVAILABLE", Condition("Available")),
    always("CP DESIRED", Untold),
    wide("CP CURRENT", Untold),
    wide("CP READY", Untold),
    always("CP AVAILABLE", Untold),
    always("CP UP-TO-DATE", Untold),
    always("W DESIRED", Untold),
    wide("W CURRENT", Untold),
    wide("W READY", Untold),
    always("W AVAILABLE", Untold),
    always("W UP-TO-DATE", Untold),
    wide("PAUSED", Condition("Paused")),
    always("PHASE", Of(|it| Some(cluster::phase(it, it.cluster()?).to_owned()))),
    always(AGE, Age),
    always("VERSION", Untold),
];

const MACHINE: [Column; 14] = [
    always("CLUSTER", Of(|it| Some(it.machine()?.spec.cluster.to_string()))),
    always("NODE NAME", Of(|it| Some(it.machine()?.node_ref.as_ref()?.to_string()))),
    wide("PROVIDER ID", Of(|it| Some(it.machine()?.spec.provider_id.to_string()))),
    always("FAILURE DOMAIN", Untold),
    always("READY", Condition("Ready")),
    always("AVAILABLE", Condition("Available")),
    always("UP-TO-DATE", Condition("UpToDate")),
    wide("INTERNAL-IP", Untold),
    wide("EXTERNAL-IP", Untold),
    wide("OS-IMAGE", Untold),
    wide("PAUSED", Condition("Paused")),
    always("PHASE", Of(|it| Some(it.machine()?.phase.name().to_owned()))),
    always(AGE, Age),
    always("VERSION", Of(|it| Some(it.machine()?.spec.version.to_string()))),
];

const MACHINE_DEPLOYMENT: [Column; 11] = [
    always("CLUSTER", Of(|it| Some(it.machine_deployment()?.template.cluster.to_string()))),
    always("AVAILABLE", Condition("Available")),
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
    always("UP-TO-DATE", Untold),
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
    always("AVAILABLE", Condition("Available")),
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
