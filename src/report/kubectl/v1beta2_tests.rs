//! Which columns Cluster API's kinds have on which platform, and what stands in those of v1beta2.

use super::derived::Others;
use super::v1beta2::{columns, row};
use super::{Form, Resource, ask};
use crate::api::kinds::{
    Condition, KubeadmControlPlane, Machine, MachinePhase, MachineSpec, Status, VSphereMachine,
};
use crate::api::{Kind, Meta, Object};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Game, Scenario, Source};

/// What `get KIND` prints on a platform in a cluster where nothing has happened.
fn told(platform: &str, kind: Kind, form: Form) -> String {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: tables }}\nspec:\n  \
         platform: {platform}\n  faults: []\n  until: 10m\n"
    );
    let scenario = Scenario::read(Source::embedded("tables.yaml", &text)).expect("a scenario");
    let mut simulation = Game::new(&scenario, None, &[], None).expect("a game").begin(1);
    simulation.run_until(SimTime::ZERO + Duration::from_secs(1));
    ask(&simulation, &Resource::Kind(kind), form).text
}

/// Its first two lines, their words one blank apart.
fn head_and_first(platform: &str, kind: Kind) -> [String; 2] {
    let text = told(platform, kind, Form::Table);
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    [lines.next().expect("columns"), lines.next().expect("a row")]
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

#[test]
fn with_cluster_api_1_14_its_kinds_have_the_columns_of_v1beta2() {
    for (platform, n) in [("tkgs-current", 3), ("lab-k8s-1.34-capi-1.14", 4)] {
        let [head, first] = head_and_first(platform, Kind::MachineDeployment);
        assert_eq!(
            head,
            "NAME CLUSTER AVAILABLE DESIRED CURRENT READY AVAILABLE UP-TO-DATE PHASE AGE VERSION",
            "{platform}"
        );
        assert!(
            first.contains(&format!(" True {n} {n} {n} {n} {n} Running 30d v1.34.")),
            "{platform}: {first}"
        );
        let [head, first] = head_and_first(platform, Kind::Machine);
        assert_eq!(
            head,
            "NAME CLUSTER NODE NAME FAILURE DOMAIN READY AVAILABLE UP-TO-DATE PHASE AGE VERSION"
        );
        assert!(first.contains(" True True True Running 30d v1.34."), "{platform}: {first}");
        let [head, first] = head_and_first(platform, Kind::MachineHealthCheck);
        assert_eq!(head, "NAME CLUSTER REPLICAS HEALTHY AGE");
        assert!(first.ends_with(&format!(" {n} {n} 30d")), "{platform}: {first}");
        let [head, first] = head_and_first(platform, Kind::MachineSet);
        assert_eq!(head, "NAME CLUSTER DESIRED CURRENT READY AVAILABLE UP-TO-DATE AGE VERSION");
        assert!(first.contains(&format!(" {n} {n} {n} {n} {n} 30d v1.34.")), "{platform}: {first}");
    }
    let [_, first] = head_and_first("tkgs-current", Kind::KubeadmControlPlane);
    assert_eq!(first, "control-plane workload True 3 3 3 3 3 true 30d v1.34.4");
    let [head, first] = head_and_first("tkgs-current", Kind::Cluster);
    assert_eq!(
        head,
        "NAME CLUSTERCLASS AVAILABLE CP DESIRED CP AVAILABLE CP UP-TO-DATE W DESIRED W AVAILABLE \
         W UP-TO-DATE PHASE AGE VERSION"
    );
    assert_eq!(first, "workload True 3 3 3 3 3 3 Provisioned 30d");
    let [head, first] = head_and_first("tkgs-current", Kind::VSphereMachine);
    assert_eq!(head, "NAME CLUSTER CLASS FAILURE DOMAIN PROVISIONED PHASE AGE");
    assert_eq!(first, "control-plane-0 workload <unknown> true Ready 30d");
    // The rigs' control plane is none of Cluster API's: nobody knows how it is.
    let [_, first] = head_and_first("lab-k8s-1.34-capi-1.14", Kind::Cluster);
    assert_eq!(first, "workload Unknown 4 4 4 Provisioned 30d");
}

#[test]
fn with_cluster_api_1_7_they_have_those_of_v1beta1() {
    for platform in ["tkgs-2024", "lab-k8s-1.30-capi-1.7"] {
        let [head, _] = head_and_first(platform, Kind::Machine);
        assert_eq!(head, "NAME CLUSTER NODENAME PROVIDERID PHASE AGE VERSION", "{platform}");
        let [head, _] = head_and_first(platform, Kind::MachineHealthCheck);
        assert_eq!(head, "NAME CLUSTER EXPECTEDMACHINES MAXUNHEALTHY CURRENTHEALTHY AGE");
    }
    let [head, first] = head_and_first("tkgs-2024", Kind::VSphereMachine);
    assert_eq!(head, "NAME ZONE PROVIDERID IPADDR");
    let cells: Vec<&str> = first.split(' ').collect();
    assert_eq!((cells.len(), cells[0]), (3, "control-plane-0"), "{first}");
    assert!(cells[1].starts_with("vsphere://") && is_address(cells[2]), "{first}");
}

#[test]
fn wide_columns_stand_among_the_others_and_other_kinds_have_none() {
    let of = |kind| columns(kind, Form::Wide).expect("one of Cluster API's").join(" | ");
    assert_eq!(
        of(Kind::Machine),
        "NAME | CLUSTER | NODE NAME | PROVIDER ID | FAILURE DOMAIN | READY | AVAILABLE | UP-TO-DATE | \
         INTERNAL-IP | EXTERNAL-IP | OS-IMAGE | PAUSED | PHASE | AGE | VERSION"
    );
    assert_eq!(
        of(Kind::Cluster),
        "NAME | CLUSTERCLASS | AVAILABLE | CP DESIRED | CP CURRENT | CP READY | CP AVAILABLE | \
         CP UP-TO-DATE | W DESIRED | W CURRENT | W READY | W AVAILABLE | W UP-TO-DATE | PAUSED | PHASE | \
         AGE | VERSION"
    );
    assert_eq!(
        of(Kind::KubeadmControlPlane),
        "NAME | CLUSTER | AVAILABLE | DESIRED | CURRENT | READY | AVAILABLE | UP-TO-DATE | PAUSED | \
         INITIALIZED | AGE | VERSION"
    );
    assert_eq!(
        of(Kind::VSphereMachine),
        "NAME | CLUSTER | CLASS | PROVIDER ID | FAILURE DOMAIN | IP | IMAGE | PAUSED | PROVISIONED | \
         PHASE | AGE"
    );
    assert_eq!(columns(Kind::Node, Form::Table), None);
}

#[test]
fn wide_tables_have_the_addresses_of_the_virtual_machines() {
    for (kind, place) in [(Kind::Machine, 7), (Kind::VSphereMachine, 4)] {
        let text = told("tkgs-current", kind, Form::Wide);
        let first = text.lines().nth(1).expect("a row");
        let cells: Vec<&str> = first.split_whitespace().collect();
        assert!(is_address(cells[place]), "{first}");
        assert!(cells.contains(&"False"), "not paused: {first}");
    }
}

#[test]
fn a_condition_that_nobody_writes_follows_or_is_an_empty_cell() {
    let spec = MachineSpec { cluster: Text::word("one"), ..MachineSpec::default() };
    let mut body = Machine { spec, phase: MachinePhase::Deleting, ..Machine::default() };
    body.conditions.say(Condition::new("Ready", Status::Unknown, "", "", SimTime::ZERO));
    body.conditions.say(Condition::new("Paused", Status::False, "", "", SimTime::ZERO));
    let machine = Object::new(Meta::new(Kind::Machine, "default", "w"), body);
    let none = Others::among(SimTime::ZERO, []);
    assert_eq!(
        row(&machine, "5m", &none, Form::Table),
        ["w", "one", "", "", "Unknown", "False", "", "Deleting", "5m", ""]
    );
    let wide = row(&machine, "5m", &none, Form::Wide);
    assert_eq!((wide.len(), wide[11].as_str()), (15, "False"));
}

#[test]
fn a_control_plane_has_the_counts_of_its_contract() {
    let mut body = KubeadmControlPlane { replicas: 3, status_replicas: 4, ..Default::default() };
    let cells = |body: &KubeadmControlPlane| {
        let meta = Meta::new(Kind::KubeadmControlPlane, "default", "cp");
        let none = Others::among(SimTime::ZERO, []);
        row(&Object::new(meta, body.clone()), "5m", &none, Form::Table)
    };
    assert_eq!(cells(&body), ["cp", "", "False", "3", "4", "0", "", "", "", "5m", ""]);
    (body.ready_replicas, body.initialized) = (3, true);
    (body.available_replicas, body.up_to_date_replicas) = (Some(2), Some(1));
    assert_eq!(cells(&body), ["cp", "", "Unknown", "3", "4", "3", "2", "1", "true", "5m", ""]);
}

#[test]
fn a_vsphere_machine_has_the_phases_of_its_newer_version() {
    let none = Others::among(SimTime::ZERO, []);
    for (written, phase) in [
        ("pending", "Pending"),
        ("created", "Created"),
        ("poweredOn", "PoweredOn"),
        ("ready", "Ready"),
        ("deleting", "Deleting"),
        ("", ""),
    ] {
        let ready = written == "ready";
        let body = VSphereMachine { vm_status: Text::word(written), ready, ..Default::default() };
        let machine = Object::new(Meta::new(Kind::VSphereMachine, "default", "w"), body);
        let provisioned = if ready { "true" } else { "" };
        let cells = row(&machine, "5m", &none, Form::Table);
        assert_eq!(cells, ["w", "", "<unknown>", "", provisioned, phase, "5m"]);
    }
}
