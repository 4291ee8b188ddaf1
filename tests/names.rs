//! Which names an expectation may have: those that something can have in a run, and no others.

use healsim::scenario::{Game, Mistakes, Scenario, Source};

/// A scenario with this expectation, and with more in its `spec`.
fn expecting(pattern: &str, more: &str) -> Result<Game, Mistakes> {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: mine }}\nspec:\n  platform: \
         tkgs-2024\n  expect: [{{ never: '{pattern}' }}]\n  faults:\n    - {{ at: 1m, kubectl: \
         \"create deployment late --image=x\" }}\n  until: 30m\n{more}"
    );
    let scenario = Scenario::read(Source::embedded("mine.yaml", &text))?;
    Game::new(&scenario, None, &[], None)
}

const USERS: &str = "  probes: [{ app: web }]\n";

/// A `never` of each of these would be met for ever.
#[test]
fn a_name_that_nothing_can_have_is_refused_at_its_place() {
    for (pattern, more, letter, hint) in [
        ("Probe/app-web status=down", "", 6, "write `probes: [{ app: web }]`"),
        ("Probe status=down", "", 6, "nobody asks here"),
        ("Probe/api status=down", USERS, 6, "or write `probes: [{ api: endpoint }]`"),
        ("Probe/app-wbe status=down", USERS, 6, "did you mean `app-web`?"),
        ("Process/kublet@worker-0 running=false", "", 8, "did you mean `kubelet@worker-0`?"),
        ("Process/kubelet@worker-9 running=false", "", 8, "there are `kubelet@worker-0` to `kub"),
        ("Process/kublet@* running=false", "", 8, "did you mean `kubelet@*`?"),
        ("Deployment/wbe availableReplicas=0", "", 11, "no Deployment `wbe`"),
        ("PodDisruptionBudget/web disruptionsAllowed=0", "", 20, "no PodDisruptionBudget `web`"),
        ("StatefulSet/db readyReplicas=0", "", 12, "no StatefulSet `db`"),
        ("ConfigMap/cluster-inof exists=false", "", 10, "did you mean `cluster-info`?"),
        ("PersistentVolumeClaim/data-db-0 deleted", "", 22, "no PersistentVolumeClaim `data-db-0`"),
        ("EtcdMember/control-plane-9 deleted", "", 11, "there are `control-plane-0` to `control-"),
        (
            "Process/kubelet@control-plane-9 log=x",
            "",
            8,
            "there are `kubelet@control-plane-0` to `",
        ),
        ("Process/kubelet@md-1-* log=x", "", 8, "did you mean `kubelet@md-0-*`?"),
        ("Pod/wbe-* deleted", "", 4, "no Pod `wbe-*`"),
        ("Pod deleted on wroker-*", "", 15, "no Node `wroker-*`"),
        ("Pod event=FailedSchedulng", "", 10, "did you mean `FailedScheduling`?"),
    ] {
        let wrong = expecting(pattern, more).expect_err(pattern);
        let wrong = wrong.iter().map(ToString::to_string).collect::<String>();
        // The pattern's first letter stands in column 22.
        assert!(wrong.starts_with(&format!("mine.yaml:6:{}: ", 22 + letter)), "{pattern}: {wrong}");
        assert!(wrong.contains(hint), "{pattern}: {wrong}");
    }
}

#[test]
fn what_comes_to_be_in_a_run_may_be_named() {
    for pattern in [
        "Probe/app-web status=down",
        "Process/kubectl@laptop log=x",
        "Process/cloud-init@worker-0 log=x",
        "Process/kubelet@md-0-* running=false",
        "Process/etcd@control-plane-* running=false",
        "Node/md-0-* created",
        "new Machine/* created",
        "EtcdMember/control-plane-abcde created",
        "Pod/web-6d4b75cb6d-abcde deleted",
        "Pod/etcd-control-plane-abcde created",
        "Deployment/late created",
        "ReplicaSet/late-* created",
        "Pod/late-* Ready=True",
        "Lease/kube-scheduler holder=*",
        "VirtualMachine/worker-0 deleted",
        "StatefulSet readyReplicas=0",
        "ConfigMap/cluster-info deleted",
        "Pod event=Failed*",
    ] {
        let read = expecting(pattern, USERS);
        assert!(
            read.is_ok(),
            "{pattern}: {}",
            read.err().map_or(String::new(), |it| it[0].to_string())
        );
    }
}
