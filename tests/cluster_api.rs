//! What people do with kubectl, and the brakes of Cluster API, each in a whole world: with it nothing
//! is deleted, without it something is.

use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run, Value};

/// A run of a scenario with these faults on a platform with one control plane and four workers.
fn play(platform: &str, set: &[(&str, &str)], faults: &[&str], until: &str) -> Run {
    let lines: Vec<String> = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
         platform: {platform}\n  cluster: {{ controlPlane: 1, workers: 4 }}\n  faults:\n{}  until: {until}\n",
        lines.concat()
    );
    play_text(&text, set)
}

fn play_text(text: &str, set: &[(&str, &str)]) -> Run {
    let scenario = Scenario::read(Source::embedded("test.yaml", text)).expect("a scenario");
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let set: Vec<_> = set.iter().map(pair).collect();
    Game::new(&scenario, None, &set, None).expect("valid").play(1)
}

const OLD: &str = "lab-k8s-1.30-capi-1.7";
const NEW: &str = "lab-k8s-1.34-capi-1.14";

/// The entries of one object's field after the first fault.
fn seen<'a>(run: &'a Run, object: &str, field: &str) -> Vec<&'a Entry> {
    let fits = |entry: &&Entry| {
        Some(entry.at) >= run.first_fault && entry.field == *field && entry.object() == object
    };
    run.timeline.entries().iter().filter(fits).collect()
}

/// What the person at the laptop has read.
fn read(run: &Run) -> Vec<String> {
    let lines = seen(run, "Process/kubectl@laptop", "log");
    lines.iter().map(|entry| entry.message.to_string()).collect()
}

#[test]
fn what_is_typed_is_a_fault_and_what_is_read_is_its_consequence() {
    for platform in [OLD, NEW, "tkgs-2024"] {
        let run = play(platform, &[], &["at: 1m, kubectl: \"cordon worker-1\""], "2m");
        let typed = seen(&run, "Fault/kubectl", "injected");
        assert_eq!(typed[0].to, Value::text("Node/worker-1"));
        assert_eq!(typed[0].message, "kubectl cordon worker-1");
        let cordoned = seen(&run, "Node/worker-1", "unschedulable");
        assert_eq!(cordoned[0].by, "kubectl@laptop");
        assert_eq!(read(&run), ["node/worker-1 cordoned"]);
        assert_eq!(seen(&run, "Process/kubectl@laptop", "log")[0].reason, "");
        let chain = cordoned[0].cause.expect("it has one");
        assert_eq!(chain, typed[0].id, "what was typed is the cause");
    }
}

/// What kubectl prints of a control plane of one, and whether its size has changed.
fn resized(command: &str) -> (Vec<String>, bool) {
    let fault = format!("at: 1m, kubectl: {}", serde_json::to_string(command).expect("a text"));
    let run = play("tkgs-2024", &[], &[&fault], "2m");
    let is_refused = seen(&run, "Process/kubectl@laptop", "log")[0].reason == *"exit 1";
    let is_changed = !seen(&run, "KubeadmControlPlane/control-plane", "spec.replicas").is_empty();
    assert_ne!(is_refused, is_changed, "{command}");
    (read(&run), is_changed)
}

#[test]
fn a_control_plane_with_stacked_etcd_has_an_odd_number_of_machines() {
    let scale = |replicas: u32| resized(&format!("scale kcp control-plane --replicas={replicas}"));
    let denied = "Error from server (Forbidden): admission webhook \
                  \"validation-scale.kubeadmcontrolplane.controlplane.cluster.x-k8s.io\" denied the \
                  request: replicas cannot be";
    for (replicas, why) in [
        (0, "0"),
        (2, "an even number when etcd is stacked"),
        (4, "an even number when etcd is stacked"),
    ] {
        assert_eq!(scale(replicas), (vec![format!("{denied} {why}")], false));
    }
    assert!(scale(3).1);
    let patch = |replicas: u32| {
        let json = format!("{{\"spec\":{{\"replicas\":{replicas}}}}}");
        resized(&format!("patch kcp control-plane --type=merge -p '{json}'"))
    };
    let even = "spec.replicas: Forbidden: cannot be an even number when etcd is stacked";
    let invalid = "The KubeadmControlPlane \"control-plane\" is invalid:";
    assert_eq!(patch(2), (vec![format!("{invalid} {even}")], false));
    let none = "spec.replicas: Forbidden: cannot be less than or equal to 0";
    assert_eq!(patch(0), (vec![format!("{invalid} \n* {none}\n* {even}")], false));
    assert!(patch(3).1);
}

#[test]
fn a_control_plane_skips_no_minor_version() {
    let patch = |version: &str| {
        let json = format!("{{\"spec\":{{\"version\":\"{version}\"}}}}");
        let command = format!("patch kcp control-plane --type=merge -p '{json}'");
        let fault =
            format!("at: 1m, kubectl: {}", serde_json::to_string(&command).expect("a text"));
        let run = play("tkgs-2024", &[], &[&fault], "2m");
        (read(&run), seen(&run, "Process/kubectl@laptop", "log")[0].reason.to_string())
    };
    let invalid = "The KubeadmControlPlane \"control-plane\" is invalid: spec.version: Forbidden: \
                   cannot update Kubernetes version from v1.28.8 to v1.30.14";
    assert_eq!(patch("v1.30.14"), (vec![invalid.to_owned()], "exit 1".to_owned()));
    let patched = "kubeadmcontrolplane.controlplane.cluster.x-k8s.io/control-plane patched";
    assert_eq!(patch("v1.29.4"), (vec![patched.to_owned()], String::new()));
}

#[test]
fn without_an_api_server_kubectl_changes_nothing_and_says_so() {
    let dead = "at: 50s, removeFile: { vm: control-plane-0, \
                path: /etc/kubernetes/manifests/kube-apiserver.yaml }";
    let delete = "at: 1m, kubectl: \"delete node worker-0\"";
    let run = play("tkgs-2024", &[], &[dead, delete], "2m");
    let words = "The connection to the server workload:6443 was refused - did you specify the \
                 right host or port?";
    assert_eq!(read(&run), [words]);
    assert_eq!(seen(&run, "Process/kubectl@laptop", "log")[0].reason, "exit 1");
    assert!(seen(&run, "Node/worker-0", "exists").is_empty());
    // One that is only off would be on again before kubectl gives up.
    let off = "at: 50s, deleteVm: { vm: control-plane-0 }";
    let run = play("tkgs-2024", &[], &[off, delete], "2m");
    assert_eq!(
        read(&run),
        ["Unable to connect to the server: dial tcp workload:6443: i/o timeout"]
    );
    // The other cluster still answers.
    let machine = "at: 1m, kubectl: \"annotate machine worker-0 example.com/note=hello\"";
    let run = play("tkgs-2024", &[], &[off, machine], "2m");
    assert_eq!(read(&run), ["machine.cluster.x-k8s.io/worker-0 annotated"]);
    let note = seen(&run, "Machine/worker-0", "annotation example.com/note");
    assert_eq!(
        (note[0].to.clone(), note[0].cluster.as_str()),
        (Value::text("hello"), "management")
    );
}

#[test]
fn a_name_with_a_star_is_the_first_that_fits_when_it_is_typed() {
    let delete = "at: 1m, kubectl: \"delete pod web-* on worker-1 --grace-period=0 --force\"";
    let run = play(NEW, &[], &[delete], "2m");
    let to = seen(&run, "Fault/kubectl", "injected")[0].to.to_string();
    let pod = to.strip_prefix("Pod/web-").expect("a Pod");
    let name = format!("Pod/web-{pod}");
    assert_eq!(seen(&run, &name, "exists")[0].to, Value::Null, "{to}");
    let none = "at: 1m, kubectl: \"delete pod web-* on worker-9\"";
    let run = play(NEW, &[], &[none], "2m");
    let to = seen(&run, "Fault/kubectl", "injected")[0].to.to_string();
    assert_eq!(to, "nothing: no such target");
    assert!(read(&run).is_empty());
}

#[test]
fn an_object_that_does_not_exist_is_the_servers_answer() {
    let run = play(NEW, &[], &["at: 1m, kubectl: \"delete node worker-9\""], "2m");
    assert_eq!(read(&run), ["Error from server (NotFound): nodes \"worker-9\" not found"]);
}

const DEAD: &str = "at: 1m, powerOff: { vm: worker-0 }";

/// When the Machine was deleted, if it was.
fn deleted(run: &Run, machine: &str) -> Option<u64> {
    let entries = seen(run, &format!("Machine/{machine}"), "deletionTimestamp");
    let fault = run.first_fault?;
    entries.first().map(|entry| entry.at.since(fault).as_secs())
}

#[test]
fn with_each_brake_nothing_is_deleted_and_without_it_something_is() {
    for platform in [OLD, NEW] {
        let plain = play(platform, &[], &[DEAD], "8m");
        assert!(deleted(&plain, "worker-0").is_some(), "{platform}: without a brake");
        let typed = |command: &str| format!("at: 30s, kubectl: {command:?}");
        let annotations = [
            "annotate machine worker-0 cluster.x-k8s.io/skip-remediation=",
            "annotate machine worker-0 cluster.x-k8s.io/paused=",
            "annotate mhc node-unhealthy-5m cluster.x-k8s.io/paused=",
            "annotate machineset md-0-5k7x2 cluster.x-k8s.io/paused=",
        ];
        for command in annotations {
            let run = play(platform, &[], &[&typed(command), DEAD], "8m");
            assert_eq!(deleted(&run, "worker-0"), None, "{platform}: {command}");
        }
        let settings = [
            ("machineHealthCheck.maxUnhealthy", "0%"),
            ("machineHealthCheck.unhealthyRange", "[2-4]"),
            ("machineHealthCheck.unknownTimeout", "20m"),
        ];
        for set in settings {
            let run = play(platform, &[set], &[DEAD], "8m");
            assert_eq!(deleted(&run, "worker-0"), None, "{platform}: {set:?}");
        }
    }
}

#[test]
fn a_brake_that_is_released_lets_the_machine_go() {
    let skip = "at: 30s, kubectl: \"annotate machine worker-0 cluster.x-k8s.io/skip-remediation=\"";
    let release =
        "at: 8m, kubectl: \"annotate machine worker-0 cluster.x-k8s.io/skip-remediation-\"";
    for platform in [OLD, NEW] {
        let run = play(platform, &[], &[skip, DEAD, release], "10m");
        let after = deleted(&run, "worker-0").expect("deleted");
        // The first fault is what was typed at 30 s.
        assert!((450..=467).contains(&after), "{platform}: {after}");
    }
}

#[test]
fn a_person_can_have_a_healthy_machine_remediated() {
    let ask = "at: 1m, kubectl: \"annotate machine worker-0 cluster.x-k8s.io/remediate-machine=\"";
    for platform in [OLD, NEW, "tkgs-2024"] {
        let run = play(platform, &[], &[ask], "4m");
        assert!(deleted(&run, "worker-0").is_some_and(|after| after <= 16), "{platform}");
        let said = seen(&run, "Machine/worker-0", "HealthCheckSucceeded");
        assert!(said[0].reason.starts_with("HasRemediate"), "{}", said[0].reason);
    }
}

/// Three are lost and one may go at a time: who waits stands together, and first while they are more.
#[test]
fn machines_that_wait_for_the_same_are_told_together() {
    let dead = |vm| format!("at: 1m, powerOff: {{ vm: worker-{vm} }}");
    let set = [("clusterApi.maxInFlight", "1"), ("machineHealthCheck.maxUnhealthy", "100%")];
    let run = play(NEW, &set, &[&dead(0), &dead(1), &dead(2)], "8m");
    let said: Vec<String> = seen(&run, "MachineSet/md-0-5k7x2", "Remediating")
        .iter()
        .map(|entry| entry.message.to_string())
        .collect();
    let waits = "Waiting because there are already too many remediations in progress \
                 (spec.strategy.remediation.maxInFlight is 1)";
    // Which of them goes first is chance.
    let told = [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])].map(|(goes, [one, other])| {
        format!(
            "* Machines worker-{one}, worker-{other}: {waits}\n\
             * Machine worker-{goes}: Machine is deleting"
        )
    });
    assert!(told.iter().any(|words| said.contains(words)), "{said:#?}");
}

/// A check that lists several conditions says all that were true for too long.
#[test]
fn a_health_check_names_all_conditions_that_are_over() {
    let check = "---\napiVersion: cluster.x-k8s.io/v1beta2\nkind: MachineHealthCheck\nmetadata: {{ \
                 name: mhc, namespace: default }}\nspec:\n  clusterName: workload\n  selector: {{ \
                 matchLabels: {{ cluster.x-k8s.io/deployment-name: md-0 }} }}\n  checks:\n    \
                 unhealthyNodeConditions:\n      - {{ type: Ready, status: Unknown, \
                 timeoutSeconds: 300 }}\n      - {{ type: MemoryPressure, status: Unknown, \
                 timeoutSeconds: 300 }}\n";
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
         {NEW}\n  cluster: {{ controlPlane: 1, workers: 4 }}\n  faults:\n    - {{ {DEAD} }}\n  \
         until: 8m\n{}",
        check.replace("{{", "{").replace("}}", "}")
    );
    let run = play_text(&text, &[]);
    let said = seen(&run, "Machine/worker-0", "HealthCheckSucceeded");
    let items =
        said[0].message.split('\n').filter(|line| line.starts_with("  * Condition")).count();
    assert_eq!(items, 2, "{}", said[0].message);
}

/// What a pause holds back, and how it is told, in both releases.
#[test]
fn a_paused_cluster_neither_sizes_its_pools_nor_judges_its_machines() {
    let patch = |paused| {
        format!("patch cluster workload --type=merge -p '{{\"spec\":{{\"paused\":{paused}}}}}'")
    };
    let typed = |at: &str, command: &str| format!("at: {at}, kubectl: {command:?}");
    let pause = typed("1m1s", &patch(true));
    let resume = typed("9m", &patch(false));
    let scale = typed("2m", "scale machinedeployment md-0 --replicas=5");
    let dead = "at: 65s, powerOff: { vm: worker-0 }";
    for platform in [OLD, NEW] {
        let run = play(platform, &[], &[&pause, dead, &scale, &resume], "12m");
        let sized = seen(&run, "MachineSet/md-0-5k7x2", "spec.replicas");
        let since = |entry: &Entry| entry.at.since(run.first_fault.expect("a fault")).as_secs();
        assert!((479..=481).contains(&since(sized[0])), "{platform}: {}", since(sized[0]));
        assert!(deleted(&run, "worker-0").is_some_and(|after| after >= 479), "{platform}");
        let line = run.timeline.entries().iter().any(|entry| {
            entry.field == *"log"
                && entry.message.contains(if platform == OLD {
                    "Reconciliation is paused for this object"
                } else {
                    "Pausing reconciliation for this object reason=\"Cluster spec.paused is set"
                })
        });
        assert!(line, "{platform}");
        for object in ["MachineDeployment/md-0", "MachineSet/md-0-5k7x2", "Machine/worker-1"] {
            let said = seen(&run, object, "Paused");
            let said: Vec<_> = said.iter().filter_map(|entry| entry.to.as_text()).collect();
            let wanted: &[&str] = if platform == OLD { &[] } else { &["True", "False"] };
            assert_eq!(said, wanted, "{platform} {object}");
        }
    }
}

/// A Machine that is made when the Cluster is paused gets nothing to join with.
#[test]
fn a_paused_cluster_gives_nobody_a_token() {
    let pause = "{\"spec\":{\"paused\":true}}";
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  platform: \
         tkgs-current\n  faults:\n    - {{ at: 1m, kubectl: \"scale machinedeployment md-0 \
         --replicas=4\" }}\n    - {{ when: \"new KubeadmConfig created\", kubectl: {:?} }}\n  \
         until: 4m\n",
        format!("patch cluster workload --type=merge -p '{pause}'")
    );
    let run = play_text(&text, &[]);
    let made = |kind: &str| {
        let after = |entry: &&Entry| Some(entry.at) > run.first_fault && entry.kind == *kind;
        run.timeline.entries().iter().filter(after).any(|entry| entry.field == *"exists")
    };
    assert!(made("KubeadmConfig") && !made("Secret"), "neither a token nor user data");
}

/// Of a Machine that nobody may remediate: what it says as Ready, and what its set counts.
#[test]
fn a_machine_that_failed_its_health_check_is_not_counted_as_ready() {
    let ask = "at: 1m, kubectl: \"annotate machine worker-0 cluster.x-k8s.io/remediate-machine=\"";
    let none = ("machineHealthCheck.maxUnhealthy", "0%");
    let counted = |platform| {
        let run = play(platform, &[none], &[ask], "3m");
        let ready = seen(&run, "Machine/worker-0", "Ready");
        let said = ready.iter().map(|entry| (entry.reason.to_string(), entry.message.to_string()));
        let counts = seen(&run, "MachineSet/md-0-5k7x2", "readyReplicas");
        (said.collect::<Vec<_>>(), counts.iter().map(|entry| entry.to.clone()).collect::<Vec<_>>())
    };
    assert_eq!(counted(OLD), (Vec::new(), Vec::new()), "here its Node alone counts");
    let words = "* HealthCheckSucceeded: Health check failed: marked for remediation via \
                 cluster.x-k8s.io/remediate-machine annotation";
    let said = vec![("NotReady".to_owned(), words.to_owned())];
    assert_eq!(counted(NEW), (said, vec![Value::Count(3)]));
}

#[test]
fn hooks_hold_a_deletion_until_they_are_taken_away() {
    for (prefix, drains) in [("pre-drain", false), ("pre-terminate", true)] {
        let hook = format!("{prefix}.delete.hook.machine.cluster.x-k8s.io/mine");
        let set = format!("at: 30s, kubectl: \"annotate machine worker-0 {hook}=\"");
        let delete = "at: 1m, kubectl: \"delete machine worker-0\"";
        let free = format!("at: 5m, kubectl: \"annotate machine worker-0 {hook}-\"");
        for platform in [OLD, NEW] {
            let held = play(platform, &[], &[&set, delete], "9m");
            assert!(seen(&held, "Machine/worker-0", "exists").is_empty(), "{platform} {prefix}");
            let cordoned = !seen(&held, "Node/worker-0", "unschedulable").is_empty();
            assert_eq!(cordoned, drains, "{platform} {prefix}");
            let freed = play(platform, &[], &[&set, delete, &free], "9m");
            let gone = seen(&freed, "Machine/worker-0", "exists");
            assert_eq!(gone.len(), 1, "{platform} {prefix}");
        }
    }
}

#[test]
fn a_pool_is_scaled_down_by_the_machine_that_a_person_names() {
    let name = "at: 30s, kubectl: \"annotate machine worker-2 cluster.x-k8s.io/delete-machine=\"";
    let scale = "at: 1m, kubectl: \"scale md md-0 --replicas=3\"";
    for platform in [OLD, NEW] {
        let run = play(platform, &[], &[name, scale], "9m");
        assert!(deleted(&run, "worker-2").is_some(), "{platform}");
        assert!(["worker-0", "worker-1", "worker-3"].iter().all(|w| deleted(&run, w).is_none()));
        let larger = "at: 1m, kubectl: \"scale md md-0 --replicas=6\"";
        let run = play(platform, &[], &[larger], "9m");
        let new = |entry: &&Entry| {
            entry.kind == *"Node" && entry.field == *"Ready" && entry.to == Value::text("True")
        };
        let joined = run.timeline.entries().iter().filter(|e| e.at > run.first_fault.unwrap());
        assert_eq!(joined.filter(new).count(), 2, "{platform}: two more Nodes");
    }
}

#[test]
fn a_machine_that_nobody_may_drain_goes_at_once() {
    let exclude = "machine.cluster.x-k8s.io/exclude-node-draining";
    let annotate = format!("at: 30s, kubectl: \"annotate machine worker-0 {exclude}=\"");
    for platform in [OLD, NEW] {
        let run = play(platform, &[], &[&annotate, DEAD], "8m");
        assert!(seen(&run, "Node/worker-0", "unschedulable").is_empty(), "{platform}");
        assert_eq!(seen(&run, "Machine/worker-0", "exists").len(), 1, "{platform}: it is gone");
    }
    // Without limit the drain of an unreachable Node lasts for 300 s after the Pods' 30 s.
    for (limit, gone) in [("0s", false), ("60s", true)] {
        let set = ("clusterApi.nodeDrainTimeout", limit);
        let run = play(OLD, &[set], &[DEAD], "9m");
        assert_eq!(!seen(&run, "Machine/worker-0", "exists").is_empty(), gone, "{limit}");
    }
}

#[test]
fn no_more_machines_are_remediated_at_once_than_the_pool_allows() {
    let both = [DEAD, "at: 1m, powerOff: { vm: worker-1 }"];
    let all = ("machineHealthCheck.maxUnhealthy", "100%");
    // When each deletion was asked for, and when the first Machine was gone.
    let times = |set: &[(&str, &str)]| {
        let run = play(NEW, set, &both, "12m");
        let at = |field| {
            ["worker-0", "worker-1"]
                .map(|w| seen(&run, &format!("Machine/{w}"), field).first().map(|entry| entry.at))
        };
        let (mut asked, mut gone) = (at("deletionTimestamp"), at("exists"));
        asked.sort();
        gone.sort();
        (asked[1].expect("both are deleted"), gone[0].expect("one is gone"))
    };
    let (second, first_gone) = times(&[all]);
    assert!(second < first_gone, "both go at once");
    let (second, first_gone) = times(&[all, ("clusterApi.maxInFlight", "1")]);
    assert!(second > first_gone, "the other waits");
}

#[test]
fn a_fault_may_wait_for_what_is_seen() {
    let back = "when: \"Node/worker-0 Ready=Unknown\", after: 30s, powerOn: { vm: worker-0 }";
    let run = play(NEW, &[], &[DEAD, back], "5m");
    let unknown = seen(&run, "Node/worker-0", "Ready")[0].at;
    let on = seen(&run, "Fault/powerOn", "injected")[0].at;
    assert_eq!(on.since(unknown).as_secs(), 30);
    assert!(run.recovered_at > Some(on), "nothing before the last fault counts");
    assert_eq!(run.last_fault, Some(on));
}

/// Cluster API's probe asks for nothing that an API server has to ask its etcd for.
#[test]
fn a_cluster_is_not_lost_as_long_as_an_api_server_lives_without_its_etcd() {
    let dead = "at: 1m, stopUnit: { vm: worker-0, unit: kubelet }";
    // Unknown some 50 s later and marked 5 minutes after that, of which the last 100 s are without etcd:
    // enough for five failures of 15 s, too few for the kubelet to end the API server.
    let etcd = "at: 5m15s, removeFile: { vm: control-plane-0, \
                path: /etc/kubernetes/manifests/etcd.yaml }";
    let run = play("tkgs-current", &[], &[dead, etcd], "8m");
    let at = |object, field| seen(&run, object, field)[0].at;
    let marked = at("Machine/worker-0", "HealthCheckSucceeded");
    let without = marked.since(at("Process/etcd@control-plane-0", "running"));
    assert!(without.as_secs() > 80, "{without}");
    assert!(marked < at("Process/kube-apiserver@control-plane-0", "running"));
}

/// A Pod of a DaemonSet would be made again on the cordoned Node, for ever.
#[test]
fn a_drain_leaves_the_pods_of_daemon_sets_alone() {
    for platform in ["tkgs-2024", "tkgs-current"] {
        let text = format!(
            "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
             platform: {platform}\n  cluster: {{ workers: 4 }}\n  workloads:\n    \
             - {{ name: agent, kind: DaemonSet }}\n  faults:\n    \
             - {{ at: 1m, kubectl: \"delete machine worker-3\" }}\n  until: 10m\n"
        );
        let run = play_text(&text, &[]);
        let agents = |entry: &&Entry| entry.kind == *"Pod" && entry.name.starts_with("agent-");
        let evicted = run
            .timeline
            .happened()
            .iter()
            .filter(agents)
            .filter(|entry| entry.reason == *"EvictionByEvictionAPI");
        assert_eq!(evicted.count(), 0, "{platform}");
        let gone = seen(&run, "Machine/worker-3", "exists");
        let after = gone[0].at.since(run.first_fault.expect("a fault")).as_secs();
        // The other Pods' 30 s, a look each 20 s, the VM's deletion.
        assert!((5..150).contains(&after), "{platform}: {after} s");
        assert!(run.recovery_time().is_some(), "{platform}");
    }
}

/// The events of a Machine that have this reason.
fn events<'a>(run: &'a Run, machine: &str, reason: &str) -> Vec<&'a Entry> {
    let told = seen(run, machine, "event");
    told.into_iter().filter(|entry| entry.to == Value::text(reason)).collect()
}

/// Its kernel still acknowledges what is sent to it: only the client's own limit ends the wait.
#[test]
fn a_frozen_api_server_costs_a_drain_ten_seconds() {
    let frozen = "at: 1m, freezeProcess: { vm: control-plane-0, process: kube-apiserver }";
    let deleted = "at: 61s, kubectl: \"delete machine worker-1\"";
    let run = play("tkgs-2024", &[], &[frozen, deleted], "2m");
    let asked = seen(&run, "Machine/worker-1", "deletionTimestamp")[0].at;
    let failed = events(&run, "Machine/worker-1", "FailedDrainNode");
    assert_eq!(failed[0].at.since(asked).as_secs(), 10);
}

/// Nobody serves the API of the workload cluster, of one control-plane VM, from 1 min 1 s on.
const NO_API: [&str; 2] = [
    "at: 1m, stopUnit: { vm: control-plane-0, unit: kubelet }",
    "at: 61s, killProcess: { vm: control-plane-0, process: kube-apiserver }",
];

#[test]
fn a_drain_that_cannot_reach_its_cluster_says_so_on_the_machine() {
    let faults = [NO_API[0], NO_API[1], "at: 62s, kubectl: \"delete machine worker-1\""];
    let run = play("tkgs-current", &[], &faults, "8m");
    let deleting = seen(&run, "Machine/worker-1", "Deleting");
    let said: Vec<(&str, &str)> =
        deleting.iter().map(|entry| (entry.reason.as_str(), entry.message.as_str())).collect();
    let words = "Error draining Node, please check controller logs for errors";
    assert_eq!(said, [("DrainingNode", words)]);
    let why = events(&run, "Machine/worker-1", "FailedDrainNode");
    let first = "failed to cordon Node worker-1: failed to cordon Node: ";
    assert!(why[0].message.contains(first), "{}", why[0].message);
    let last = &why.last().expect("one at least").message;
    let lost = "failed to drain Node worker-1: error getting client: connection to the workload cluster is down";
    assert!(last.ends_with(lost), "{last}");
}

/// Down for longer than anybody keeps what it knew: the counts say so, in the time of the release.
#[test]
fn a_cluster_that_is_lost_for_long_has_no_ready_machines() {
    // Five failed probes and the grace of 5 minutes; then all at once, each told by its Machine.
    let run = play("tkgs-current", &[], &NO_API, "10m");
    let since = |entry: &Entry| entry.at.since(run.first_fault.expect("a fault")).as_secs();
    let healthy = seen(&run, "Machine/worker-1", "NodeHealthy");
    assert_eq!(healthy.last().expect("said").reason, "ConnectionDown");
    for object in ["MachineDeployment/md-0", "KubeadmControlPlane/control-plane"] {
        let ready = *seen(&run, object, "readyReplicas").last().expect("counted");
        assert_eq!(ready.to, Value::Count(0), "{object}");
        assert!((290..350).contains(&since(ready)), "{object}: {} s", since(ready));
    }
    // Ten failed probes, and whenever the MachineSet is looked at next; the Machines say what they did.
    let run = play("tkgs-2024", &[], &NO_API, "14m");
    let since = |entry: &Entry| entry.at.since(run.first_fault.expect("a fault")).as_secs();
    assert!(seen(&run, "Machine/worker-1", "NodeHealthy").is_empty());
    for object in ["MachineDeployment/md-0", "KubeadmControlPlane/control-plane"] {
        let ready = *seen(&run, object, "readyReplicas").last().expect("counted");
        assert_eq!(ready.to, Value::Count(0), "{object}");
        assert!((90..780).contains(&since(ready)), "{object}: {} s", since(ready));
    }
}

#[test]
fn a_verdict_goes_back_to_the_machines_own_node() {
    for platform in [OLD, NEW] {
        let faults = ["at: 1m, powerOff: { vm: worker-0 }", "at: 1m, powerOff: { vm: worker-1 }"];
        let run = play(platform, &[("machineHealthCheck.maxUnhealthy", "100%")], &faults, "9m");
        for worker in ["worker-0", "worker-1"] {
            let judged = &seen(&run, &format!("Machine/{worker}"), "HealthCheckSucceeded")[0];
            let ill = &seen(&run, &format!("Node/{worker}"), "Ready")[0];
            assert_eq!(judged.cause, Some(ill.id), "{worker} on {platform}");
            let told = |entry: &&Entry| {
                let words = ["marking for remediation", worker];
                entry.field == *"log" && words.iter().all(|word| entry.message.contains(word))
            };
            let line = run.timeline.entries().iter().find(told).expect("it says so");
            assert_eq!(line.cause, Some(ill.id), "what is said of {worker} on {platform}");
        }
    }
}
