//! What people do with kubectl, and the brakes of Cluster API, each in a whole world: with it nothing
//! is deleted, without it something is.

use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Entry, Run, Value};

/// A run of a scenario with these faults on a platform with four workers.
fn play(platform: &str, set: &[(&str, &str)], faults: &[&str], until: &str) -> Run {
    let lines: Vec<String> = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: test }}\nspec:\n  \
         platform: {platform}\n  cluster: {{ workers: 4 }}\n  faults:\n{}  until: {until}\n",
        lines.concat()
    );
    let scenario = Scenario::read(Source::embedded("test.yaml", &text)).expect("a scenario");
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
        let chain = cordoned[0].cause.expect("it has one");
        assert_eq!(chain, typed[0].id, "what was typed is the cause");
    }
}

#[test]
fn without_an_api_server_kubectl_changes_nothing_and_says_so() {
    let dead = "at: 50s, killProcess: { vm: control-plane-0, process: kube-apiserver }";
    let delete = "at: 1m, kubectl: \"delete node worker-0\"";
    let run = play("tkgs-2024", &[], &[dead, delete], "2m");
    let words = "The connection to the server workload:6443 was refused - did you specify the \
                 right host or port?";
    assert_eq!(read(&run), [words]);
    assert!(seen(&run, "Node/worker-0", "exists").is_empty());
    let off = "at: 50s, powerOff: { vm: control-plane-0 }";
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
