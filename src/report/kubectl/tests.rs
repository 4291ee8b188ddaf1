//! Ages and tables as kubectl prints them.

use super::manifest::{base64, manifest, quantity};
use super::rows::{columns, row};
use super::table::{Table, age};
use super::{Form, Resource, Scope, ask};
use crate::api::kinds::{
    Amount, BootstrapToken, Cluster, Condition, ConfigMap, EventType, KubeEvent, KubeadmConfig,
    KubeadmControlPlane, Lease, MachineDeployment, Pod, PodDisruptionBudget, PodPhase, PodTemplate,
    ReplicaSet, Secret, Service, Status, TokenUsage, VSphereMachine, VolumeAttachment, Wanted,
};
use crate::api::{Deletion, Kind, Labels, Meta, Object, ObjectKey, rfc3339};
use crate::engine::{Duration, SimTime, Text};
use crate::scenario::{Game, Scenario, Source};
use std::sync::Arc;

#[test]
fn ages_read_as_kubectl_prints_them() {
    let printed = |seconds: u64| {
        let created = SimTime::from_micros(1);
        age(created + Duration::from_secs(seconds), created)
    };
    let cases = [
        (0, "0s"),
        (110, "110s"),
        (120, "2m"),
        (142, "2m22s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (30_000, "8h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (800_000, "9d"),
    ];
    for (seconds, text) in cases {
        assert_eq!(printed(seconds), text, "{seconds} s");
    }
    assert_eq!(age(SimTime::from_micros(60_000_000), SimTime::ZERO), "30d");
}

#[test]
fn columns_stand_three_blanks_apart() {
    let mut table = Table::new(vec!["NAME", "STATUS"]);
    table.push(vec!["worker-0".to_owned(), "NotReady,SchedulingDisabled".to_owned()]);
    assert_eq!(table.to_string(), "NAME       STATUS\nworker-0   NotReady,SchedulingDisabled\n");
    table.push(vec!["worker-1".to_owned(), "Ready".to_owned()]);
    assert_eq!(table.without("STATUS").to_string(), "NAME\nworker-0\nworker-1\n");
}

#[test]
fn a_pods_status_is_one_word_for_phase_deletion_and_container() {
    let (pending, running) = (PodPhase::Pending, PodPhase::Running);
    let cases = [
        (pending, "", false, "Pending"),
        (pending, "worker-0", false, "ContainerCreating"),
        (pending, "worker-0", true, "Terminating"),
        (running, "worker-0", false, "Running"),
        (running, "worker-0", true, "Terminating"),
        (PodPhase::Succeeded, "worker-0", false, "Completed"),
        (PodPhase::Succeeded, "worker-0", true, "Completed"),
        (PodPhase::Failed, "worker-0", true, "Failed"),
    ];
    for (phase, node, deleted, status) in cases {
        let mut pod = Pod::new(Arc::default());
        pod.phase = phase;
        pod.node_name = Text::word(node);
        let mut object = Object::new(Meta::new(Kind::Pod, "default", "web"), pod);
        let deletion = Deletion { at: SimTime::ZERO, grace: Duration::ZERO };
        object.meta.deletion = deleted.then_some(deletion);
        let cells = row(SimTime::ZERO, &object, Form::Table);
        assert_eq!(cells[2], status, "{} on {node:?}, deleted: {deleted}", phase.name());
        object.pod_mut().expect("a Pod").reason = Text::word("Evicted");
        let cells = row(SimTime::ZERO, &object, Form::Table);
        assert_eq!(cells[2] == "Evicted", phase == PodPhase::Failed, "{}", phase.name());
    }
}

#[test]
fn data_of_secrets_is_in_base64() {
    let cases = [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("#?~", "Iz9+")];
    for (text, encoded) in cases {
        assert_eq!(base64(text.as_bytes()), encoded, "{text}");
    }
}

#[test]
fn a_tokens_secret_holds_what_makes_it_a_token() {
    let token = BootstrapToken {
        id: Text::word("abcdef"),
        secret: Text::word("0123456789abcdef"),
        expiration: Some(at(900)),
        usages: vec![TokenUsage::Signing, TokenUsage::Authentication],
    };
    let meta = Meta::new(Kind::Secret, "kube-system", "bootstrap-token-abcdef");
    let secret = |token| Object::new(meta.clone(), Secret::of_token(token));
    let cells = row(at(60), &secret(token.clone()), Form::Table);
    let kind = "bootstrap.kubernetes.io/token";
    assert_eq!(cells, ["bootstrap-token-abcdef", kind, "7", "30d"]);
    let json = printed(secret(token.clone()));
    let data = &json["data"];
    assert_eq!(data["token-id"], base64(b"abcdef"), "{json}");
    assert_eq!(data["expiration"], base64(rfc3339(at(900)).as_bytes()));
    assert_eq!(data["usage-bootstrap-signing"], base64(b"true"));
    let for_ever = BootstrapToken { expiration: None, usages: vec![], ..token };
    assert_eq!(row(at(60), &secret(for_ever), Form::Table)[2], "4");
}

#[test]
fn quantities_stand_in_the_largest_whole_unit() {
    let cpu = |millis| quantity(millis, 1000, ["m", ""]);
    assert_eq!([4000, 3500, 0].map(cpu), ["4", "3500m", "0"]);
    assert_eq!(quantity(16384, 1024, ["Mi", "Gi"]), "16Gi");
    assert_eq!(quantity(1500, 1024, ["Mi", "Gi"]), "1500Mi");
}

#[test]
fn a_control_plane_shows_what_its_machines_make() {
    let body = KubeadmControlPlane {
        replicas: 3,
        initialized: true,
        status_replicas: 3,
        ready_replicas: 2,
        updated_replicas: Some(3),
        ..KubeadmControlPlane::default()
    };
    let object = Object::new(Meta::new(Kind::KubeadmControlPlane, "default", "cp"), body);
    let printed = |form| row(SimTime::from_micros(60_000_000), &object, form);
    assert_eq!(printed(Form::Table), ["cp", "", "true", "", "3", "2", "3", "1", "30d", ""]);
    let wide = printed(Form::Wide);
    assert_eq!(wide, ["cp", "", "true", "", "3", "3", "2", "3", "1", "30d", ""]);
    let columns = columns(Kind::KubeadmControlPlane, Form::Wide);
    assert_eq!((columns.len(), columns[4]), (wide.len(), "DESIRED"));
}

/// The one object of a List, as `-o json` prints it.
fn printed(object: Object) -> serde_json::Value {
    let text = manifest(&[&Arc::new(object)], Form::Json);
    serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["items"][0].clone()
}

#[test]
fn a_control_plane_is_printed_with_what_is_wanted_and_what_is_there() {
    let mut body = KubeadmControlPlane {
        replicas: 3,
        version: Text::word("v1.30.0"),
        initialized: true,
        status_replicas: 3,
        ready_replicas: 2,
        available_replicas: Some(2),
        ..KubeadmControlPlane::default()
    };
    body.conditions.say(Condition::new("Ready", Status::True, "", "", SimTime::ZERO));
    let json = printed(Object::new(Meta::new(Kind::KubeadmControlPlane, "default", "cp"), body));
    assert_eq!(
        (&json["spec"]["replicas"], &json["spec"]["version"]),
        (&3.into(), &"v1.30.0".into())
    );
    let status = &json["status"];
    let counts = ["replicas", "readyReplicas", "unavailableReplicas"].map(|it| status[it].as_u64());
    assert_eq!(counts, [Some(3), Some(2), Some(1)], "{status}");
    assert_eq!(status["v1beta2"]["availableReplicas"], 2);
    assert_eq!(status["conditions"][0]["type"], "Ready");
}

#[test]
fn a_pod_has_one_container_whose_status_says_how_it_is() {
    let image = Text::word("harbor.example:5000/shop/web:1.2");
    let template = PodTemplate { image: image.clone(), ..PodTemplate::default() };
    let pod = |change: fn(&mut Pod)| {
        let mut pod = Pod::new(Arc::new(template.clone()));
        change(&mut pod);
        printed(Object::new(Meta::new(Kind::Pod, "default", "web-1"), pod))
    };
    let waits = pod(|_| {});
    let container = &waits["spec"]["containers"][0];
    assert_eq!((&container["name"], &container["image"]), (&"web".into(), &(*image).into()));
    let pinned = PodTemplate { image: Text::word("web@sha256:0"), ..PodTemplate::default() };
    assert_eq!(pinned.container(), "web");
    assert!(waits["status"]["containerStatuses"].is_null(), "no kubelet has taken it: {waits}");
    let runs = pod(|pod| {
        (pod.node_name, pod.phase, pod.restarts) = (Text::word("w"), PodPhase::Running, 1);
        let ready = Condition::new("ContainersReady", Status::True, "", "", SimTime::ZERO);
        pod.conditions.say(ready);
    });
    let container = &runs["status"]["containerStatuses"][0];
    assert_eq!((&container["ready"], &container["restartCount"]), (&true.into(), &1.into()));
    assert!(container["state"]["running"].is_object(), "{container}");
    assert_eq!(container["lastState"], serde_json::json!({}));
    let crashes = pod(|pod| {
        (pod.node_name, pod.waiting) = (Text::word("w"), Text::word("CrashLoopBackOff"));
        pod.last_ended = Some(at(90));
    });
    let last = &crashes["status"]["containerStatuses"][0]["lastState"];
    assert_eq!(last["terminated"]["finishedAt"], rfc3339(at(90)));
    let state = &crashes["status"]["containerStatuses"][0]["state"];
    assert_eq!(state["waiting"]["reason"], "CrashLoopBackOff");
    let refused = pod(|pod| {
        (pod.node_name, pod.phase) = (Text::word("w"), PodPhase::Failed);
        (pod.reason, pod.message) = (Text::word("Evicted"), Text::word("Pod was rejected"));
    });
    let status = &refused["status"];
    assert_eq!(
        (&status["reason"], &status["message"]),
        (&"Evicted".into(), &"Pod was rejected".into())
    );
    assert!(status["containerStatuses"].is_null(), "it never had one: {status}");
}

#[test]
fn restarts_say_how_long_ago_the_last_container_ended() {
    let mut pod = Pod::new(Arc::default());
    let cell = |pod: &Pod, now| {
        let object = Object::new(Meta::new(Kind::Pod, "default", "web-1"), pod.clone());
        row(at(now), &object, Form::Table)[3].clone()
    };
    pod.last_ended = Some(at(100));
    assert_eq!(cell(&pod, 190), "0", "it has ended, and was not started again");
    pod.restarts = 2;
    assert_eq!(cell(&pod, 190), "2 (90s ago)");
    assert_eq!(cell(&pod, 730), "2 (10m ago)");
    assert_eq!(cell(&pod, 0), "2", "a row that is to stand for long");
    pod.last_ended = None;
    assert_eq!(cell(&pod, 190), "2");
}

#[test]
fn what_owns_and_what_is_told_has_kubectls_columns() {
    let cells = |kind: Kind, body: crate::api::Body, form: Form| {
        let object = Object { meta: Meta::new(kind, "default", "one"), body };
        let mut table = Table::new(columns(kind, form));
        table.push(row(at(600), &object, form));
        table.to_string()
    };
    let event = KubeEvent {
        kind: EventType::Warning,
        regarding: ObjectKey {
            kind: Kind::Pod,
            namespace: Text::word("default"),
            name: Text::word("web-1"),
        },
        reason: Text::word("Unhealthy"),
        message: Text::word("Liveness probe failed"),
        source: Text::word("kubelet"),
        count: 3,
        first: at(420),
        last: at(570),
    };
    let told = cells(Kind::Event, event.clone().into(), Form::Table);
    assert_eq!(
        told,
        "LAST SEEN           TYPE      REASON      OBJECT      MESSAGE\n\
         30s (x3 over 3m)   Warning   Unhealthy   pod/web-1   Liveness probe failed\n"
            .replace("LAST SEEN           ", "LAST SEEN          ")
    );
    let once = cells(Kind::Event, KubeEvent { count: 1, ..event }.into(), Form::Wide);
    assert!(once.contains("30s ") && once.contains("kubelet") && once.contains("   1       one"));
    let set =
        ReplicaSet { replicas: 3, status_replicas: 3, ready_replicas: 2, ..ReplicaSet::default() };
    let set = cells(Kind::ReplicaSet, set.into(), Form::Table);
    assert!(set.contains("NAME   DESIRED   CURRENT   READY   AGE"), "{set}");
    assert!(set.contains("one    3         3         2"), "{set}");
    let pool =
        MachineDeployment { replicas: 3, phase: Text::word("ScalingUp"), ..Default::default() };
    let wide = cells(Kind::MachineDeployment, pool.clone().into(), Form::Wide);
    assert!(wide.contains("CLUSTER   DESIRED   REPLICAS"), "{wide}");
    assert!(!cells(Kind::MachineDeployment, pool.into(), Form::Table).contains("DESIRED"));
    let lease = Lease { holder: Text::word("cm-0"), ..Lease::default() };
    assert!(cells(Kind::Lease, lease.into(), Form::Table).contains("one    cm-0"));
}

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + Duration::from_secs(seconds)
}

#[test]
fn a_budget_tells_what_it_allows() {
    let object = |wanted: Wanted| {
        let mut body = PodDisruptionBudget::new(Labels::default(), wanted);
        (body.disruptions_allowed, body.current_healthy, body.desired_healthy) = (1, 3, 2);
        let meta = Meta::new(Kind::PodDisruptionBudget, "default", "web");
        Arc::new(Object { meta, body: body.into() })
    };
    let mut table = Table::new(columns(Kind::PodDisruptionBudget, Form::Table));
    let all = [Wanted::MinAvailable(Amount::Count(2)), Wanted::MaxUnavailable(Amount::Percent(25))]
        .map(object);
    all.iter().for_each(|object| table.push(row(at(60), object, Form::Table)));
    assert_eq!(
        table.to_string(),
        "NAME   MIN AVAILABLE   MAX UNAVAILABLE   ALLOWED DISRUPTIONS   AGE\n\
         web    2               N/A               1                     30d\n\
         web    N/A             25%               1                     30d\n"
    );
    let json = manifest(&all.each_ref(), Form::Json);
    for part in ["\"minAvailable\": 2", "\"maxUnavailable\": \"25%\"", "\"disruptionsAllowed\": 1"]
    {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn clusters_and_services_have_kubectls_columns() {
    let meta = |kind, name| Meta::new(kind, "default", name);
    let mut cluster = Object::new(meta(Kind::Cluster, "one"), Cluster::default());
    let told = |object: &Object, form: Form| {
        let mut table = Table::new(columns(object.key().kind, form));
        table.push(row(at(60), object, form));
        table.to_string()
    };
    assert_eq!(
        told(&cluster, Form::Table),
        "NAME   CLUSTERCLASS   PHASE          AGE   VERSION\none                   Provisioning   30d\n"
    );
    cluster.meta.deletion = Some(Deletion { at: at(30), grace: Duration::ZERO });
    assert!(told(&cluster, Form::Wide).contains("   Deleting   "));
    let selector: Labels = Arc::new([(Text::word("app"), Text::word("web"))].into());
    let service = Object::new(meta(Kind::Service, "web"), Service { selector });
    assert_eq!(
        told(&service, Form::Wide),
        "NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)     AGE   SELECTOR\n\
         web    ClusterIP   <unknown>    <none>        <unknown>   30d   app=web\n"
    );
    assert!(!told(&service, Form::Table).contains("SELECTOR"));
    let json = printed(service);
    assert_eq!(json["spec"]["selector"]["app"], "web", "{json}");
}

#[test]
fn a_config_map_is_its_data() {
    let data = [(Text::word("kubeconfig"), Text::word("apiVersion: v1"))].into();
    let meta = Meta::new(Kind::ConfigMap, "kube-public", "cluster-info");
    let object = Arc::new(Object { meta, body: ConfigMap { data }.into() });
    let mut table = Table::new(columns(Kind::ConfigMap, Form::Table));
    table.push(row(at(60), &object, Form::Table));
    assert_eq!(table.to_string(), "NAME           DATA   AGE\ncluster-info   1      30d\n");
    let yaml = manifest(&[&object], Form::Yaml);
    assert!(yaml.contains("kubeconfig: ") && !yaml.contains("spec"), "{yaml}");
}

#[test]
fn one_object_is_that_of_the_cluster_that_is_asked() {
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: leases }\nspec:\n  platform: tkgs-2024\n  \
                settings: { infra.supervisors: \"3\" }\n  faults: []\n  until: 10m\n";
    let scenario = Scenario::read(Source::embedded("leases.yaml", text)).expect("a scenario");
    let mut simulation = Game::new(&scenario, None, &[], None).expect("a game").begin(1);
    simulation.run_until(at(60));
    let (namespace, name) = ("kube-system".into(), "kube-controller-manager".into());
    let lease = super::Resource::One(ObjectKey { kind: Kind::Lease, namespace, name });
    let got = super::ask(&simulation, &lease, Form::Table);
    assert!(got.text.contains("control-plane-0_"), "{}", got.text);
}

#[test]
fn what_stands_behind_machines_and_pods_is_printed_too() {
    let told = |kind: Kind, body: crate::api::Body| {
        let mut object = Object { meta: Meta::new(kind, "", "w"), body };
        let label = (Text::word("cluster.x-k8s.io/cluster-name"), Text::word("one"));
        object.meta.labels = Arc::new([label].into());
        let mut table = Table::new(columns(kind, Form::Wide));
        table.push(row(at(60), &object, Form::Wide));
        (table.to_string(), printed(object))
    };
    let provider_id = Text::word("vsphere://1");
    let infra = VSphereMachine { provider_id, ready: true, ..VSphereMachine::default() };
    let (table, json) = told(Kind::VSphereMachine, infra.into());
    assert_eq!(table, "NAME   ZONE   PROVIDERID    IPADDR\nw             vsphere://1\n");
    assert_eq!(
        (&json["spec"]["providerID"], &json["status"]["ready"]),
        (&"vsphere://1".into(), &true.into())
    );
    let config = KubeadmConfig { token: Text::word("abcdef.0"), ..KubeadmConfig::default() };
    let (table, json) = told(Kind::KubeadmConfig, config.into());
    assert_eq!(table, "NAME   CLUSTER   AGE\nw      one       30d\n");
    let discovery = &json["spec"]["joinConfiguration"]["discovery"];
    assert_eq!(discovery["bootstrapToken"]["token"], "abcdef.0");
    let (node_name, volume_name) = (Text::word("worker-0"), Text::word("pv-1"));
    let attachment = VolumeAttachment { node_name, volume_name, attached: true };
    let (table, json) = told(Kind::VolumeAttachment, attachment.into());
    assert_eq!(
        table,
        "NAME   ATTACHER    PV     NODE       ATTACHED   AGE\n\
         w      <unknown>   pv-1   worker-0   true       30d\n"
    );
    assert_eq!(json["spec"]["source"]["persistentVolumeName"], "pv-1", "{json}");
}

#[test]
fn all_is_a_table_of_each_kind_of_kubernetes_own_that_there_is() {
    let text = "apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: all }\nspec:\n  platform: tkgs-2024\n  \
                workloads:\n    - { name: web, kind: Deployment, replicas: 1 }\n    - { name: sum, kind: Job, replicas: 1, runTime: 2m }\n  \
                faults: []\n  until: 10m\n";
    let scenario = Scenario::read(Source::embedded("all.yaml", text)).expect("a scenario");
    let mut simulation = Game::new(&scenario, None, &[], None).expect("a game").begin(1);
    simulation.run_until(at(60));
    let here = || Scope::Namespace(Text::word("default"));
    let got = |scope, form| ask(&simulation, &Resource::Everything(scope), form).text;
    let text = got(here(), Form::Table);
    let first_rows = text.split("\n\n").filter_map(|part| part.lines().nth(1));
    let kinds: Vec<&str> = first_rows.filter_map(|row| row.split('/').next()).collect();
    assert_eq!(kinds, ["pod", "deployment.apps", "replicaset.apps", "job.batch"], "{text}");
    assert!(
        !text.contains("STATUS     COMPLETIONS"),
        "Kubernetes 1.28 has no STATUS of Jobs: {text}"
    );
    let everywhere = got(Scope::All, Form::Table);
    assert!(everywhere.starts_with("NAMESPACE     NAME "), "{everywhere}");
    assert!(everywhere.contains("kube-system   pod/etcd-control-plane-0 "), "{everywhere}");
    let names = got(here(), Form::Name);
    assert!(names.contains("\ndeployment.apps/web\n") && !names.contains("\n\n"), "{names}");
    let list = got(here(), Form::Json);
    assert!(list.contains("\"kind\": \"ReplicaSet\"") && list.contains("\"kind\": \"List\""));
    let nowhere =
        ask(&simulation, &Resource::Everything(Scope::Namespace(Text::word("x"))), Form::Table);
    let said = (nowhere.text.as_str(), nowhere.beside.as_str(), nowhere.failed);
    assert_eq!(said, ("", "No resources found in x namespace.\n", false));
}
