//! kubectl: what it asks for, what it prints, and what it prints when nobody answers.

use super::*;
use crate::api::kinds::{Deployment, Machine, Node, TaintEffect};
use crate::api::{ApiError, Kind, Meta, Object, ObjectKey, Reason, Verb};
use crate::client::testing::Bench;
use crate::engine::Text;
use crate::infra::{Broken, Effect, EndpointId, Start};
use std::sync::Arc;

type Laptop = Bench<Kubectl, Event>;

fn laptop() -> Laptop {
    let retries = crate::client::testing::RETRIES;
    let settings = Settings { dial_timeout: Duration::from_secs(30), retries };
    let [management, workload] = [0, 1].map(|n| Address::Endpoint(EndpointId(n)));
    let kubectl = Kubectl::new(settings, management, workload);
    Bench::started(kubectl, "kubectl", Kubectl::on_event, Start::Steady, &[])
}

fn command(kind: Kind, action: Action) -> Command {
    let namespace = if kind == Kind::Node { Text::EMPTY } else { Text::word("default") };
    let object = ObjectKey { kind, namespace, name: Text::word("w") };
    Command { context: Context::Workload, object, action }
}

/// Types a command; whom it connects to.
fn types(bench: &mut Laptop, command: Command) -> Vec<Address> {
    let effects = bench.play(Input::Due(Event::Typed(Box::new(command))));
    let address = |effect: &Effect<Event>| match effect {
        Effect::Connect(_, address) => Some(*address),
        _ => None,
    };
    effects.iter().filter_map(address).collect()
}

fn printed(effects: &[Effect<Event>]) -> Vec<String> {
    let line = |effect: &Effect<Event>| match effect {
        Effect::Trace(Trace::Printed(line, _)) => Some(line.to_string()),
        _ => None,
    };
    effects.iter().filter_map(line).collect()
}

/// Answers the one request that waits; what is printed then.
fn reply(bench: &mut Laptop, answered: Answered) -> Vec<String> {
    assert_eq!(bench.asked.len(), 1, "{:?}", bench.waiting());
    let (connection, request) = bench.asked.remove(0);
    printed(&bench.answer(connection, request.id, answered))
}

/// Types a command about an object that is read; what is written, and what is printed at the end.
fn changes(command: Command, read: Object) -> (Option<Arc<Object>>, String) {
    let mut bench = laptop();
    types(&mut bench, command);
    let refused = reply(&mut bench, Ok(Answer::Object(Arc::new(read))));
    let Some((_, request)) = bench.asked.first() else { return (None, refused.concat()) };
    let wanted = crate::client::testing::words(request).1.expect("a patch");
    let said = reply(&mut bench, Ok(Answer::Object(wanted.clone())));
    (Some(wanted), said.concat())
}

fn node(change: impl FnOnce(&mut Node)) -> Object {
    let mut node = Node::default();
    change(&mut node);
    Object::new(Meta::new(Kind::Node, "", "w"), node)
}

fn machine() -> Object {
    Object::new(Meta::new(Kind::Machine, "default", "w"), Machine::default())
}

#[test]
fn delete_is_one_request_to_the_cluster_of_the_context() {
    let mut bench = laptop();
    let delete = Action::Delete { grace: None, force: false };
    let to = types(&mut bench, command(Kind::Node, delete.clone()));
    assert_eq!(to, [Address::Endpoint(EndpointId(1))]);
    assert_eq!(bench.waiting(), ["delete Node/w"]);
    assert_eq!(reply(&mut bench, Ok(Answer::Done)), ["node \"w\" deleted"]);
    let management = Command { context: Context::Management, ..command(Kind::Machine, delete) };
    assert_eq!(types(&mut bench, management), [Address::Endpoint(EndpointId(0))]);
    let said = reply(&mut bench, Ok(Answer::Object(Arc::new(machine()))));
    assert_eq!(said, ["machine.cluster.x-k8s.io \"w\" deleted"]);
    let force = Action::Delete { grace: Some(Duration::ZERO), force: true };
    types(&mut bench, command(Kind::Pod, force));
    assert_eq!(reply(&mut bench, Ok(Answer::Done)), ["pod \"w\" force deleted"]);
}

#[test]
fn cordon_reads_first_and_writes_only_what_is_news() {
    let (wrote, said) = changes(command(Kind::Node, Action::Cordon(true)), node(|_| {}));
    assert!(wrote.expect("written").node().expect("a Node").unschedulable);
    assert_eq!(said, "node/w cordoned");
    let closed = node(|node| node.unschedulable = true);
    let (wrote, said) = changes(command(Kind::Node, Action::Cordon(true)), closed);
    assert_eq!((wrote, said.as_str()), (None, "node/w already cordoned"));
}

#[test]
fn a_taint_is_added_once_and_taken_away_by_key() {
    let (key, effect) = (Text::word("node.kubernetes.io/out-of-service"), TaintEffect::NoExecute);
    let taint = Action::Taint { key: key.clone(), value: Text::word("nodeshutdown"), effect };
    let (wrote, said) = changes(command(Kind::Node, taint.clone()), node(|_| {}));
    let tainted = wrote.expect("written");
    let taints = &tainted.node().expect("a Node").taints;
    assert_eq!((taints.len(), taints[0].value.as_str()), (1, "nodeshutdown"));
    assert_eq!(said, "node/w tainted");
    let (wrote, said) = changes(command(Kind::Node, taint), Object::clone(&tainted));
    assert!(wrote.is_none() && said.contains("--overwrite is false"), "{said}");
    let untaint = Action::Untaint { key, effect: None };
    let (wrote, said) = changes(command(Kind::Node, untaint.clone()), Object::clone(&tainted));
    assert!(wrote.expect("written").node().expect("a Node").taints.is_empty());
    assert_eq!(said, "node/w untainted");
    let (wrote, said) = changes(command(Kind::Node, untaint), node(|_| {}));
    let words = "error: taint \"node.kubernetes.io/out-of-service\" not found";
    assert_eq!((wrote, said.as_str()), (None, words));
}

#[test]
fn annotations_and_labels_are_not_overwritten_unless_asked() {
    let annotate = |value: Option<&'static str>, overwrite| Action::Annotate {
        key: Text::word("k"),
        value: value.map(Text::word),
        overwrite,
    };
    let (wrote, said) = changes(command(Kind::Machine, annotate(Some(""), false)), machine());
    let marked = Object::clone(&wrote.expect("written"));
    assert_eq!(marked.meta.annotation("k"), Some(&Text::EMPTY));
    assert_eq!(said, "machine.cluster.x-k8s.io/w annotated");
    let again = command(Kind::Machine, annotate(Some("v"), false));
    let (wrote, said) = changes(again, marked.clone());
    assert!(wrote.is_none() && said.contains("'k' already has a value ()"), "{said}");
    let (wrote, _) = changes(command(Kind::Machine, annotate(Some("v"), true)), marked.clone());
    assert_eq!(wrote.expect("written").meta.annotation("k"), Some(&Text::word("v")));
    let (wrote, _) = changes(command(Kind::Machine, annotate(None, false)), marked);
    assert_eq!(wrote.expect("written").meta.annotation("k"), None);
    let label = Action::Label { key: Text::word("zone"), value: None, overwrite: false };
    let (wrote, said) = changes(command(Kind::Node, label), node(|_| {}));
    assert_eq!((wrote, said.as_str()), (None, "node/w not unlabeled"));
}

#[test]
fn scale_sets_the_size_that_is_wanted() {
    let meta = Meta::new(Kind::Deployment, "default", "w");
    let deployment = Object::new(meta, Deployment { replicas: 3, ..Deployment::default() });
    let mut bench = laptop();
    let typed = command(Kind::Deployment, Action::Scale(5));
    let key = typed.object.clone();
    types(&mut bench, typed);
    let deployment = Arc::new(deployment);
    assert!(reply(&mut bench, Ok(Answer::Object(deployment.clone()))).is_empty());
    let asked = &bench.asked[0].1.verb;
    assert!(matches!(asked, Verb::Scale { key: of, replicas: 5 } if *of == key), "{asked:?}");
    assert_eq!(reply(&mut bench, Ok(Answer::Object(deployment))), ["deployment.apps/w scaled"]);
}

/// As recorded with kubectl 1.32.4 (`kubectl_words`).
#[test]
fn what_fails_on_the_server_is_told_in_kubectl_s_words() {
    let said = |command: Command, reason, message: &'static str| {
        let mut bench = laptop();
        types(&mut bench, command);
        reply(&mut bench, Err(ApiError::new(reason, message))).remove(0)
    };
    let nodes = || command(Kind::Node, Action::Get { one: false });
    let late = "Timeout: request did not complete within the allotted timeout";
    assert_eq!(
        said(nodes(), Reason::Timeout, late),
        "Error from server (Timeout): the server was unable to return a response in the time \
         allotted, but may still be processing the request (get nodes)"
    );
    assert_eq!(
        said(command(Kind::Deployment, Action::Scale(2)), Reason::Timeout, late),
        "error: no objects passed to scale the server was unable to return a response in the time \
         allotted, but may still be processing the request (get deployments.apps w)"
    );
    let aborted = "stream error: stream ID 3; INTERNAL_ERROR; received from peer";
    assert_eq!(
        said(nodes(), Reason::Unreachable, aborted),
        format!("Unable to connect to the server: {aborted}")
    );
    assert_eq!(
        said(command(Kind::Deployment, Action::Scale(2)), Reason::Unreachable, aborted),
        format!(
            "error: no objects passed to scale Get \"https://workload:6443/apis/apps/v1/namespaces/\
             default/deployments/w\": {aborted}"
        )
    );
    let create = Action::CreateDeployment { image: Text::word("web"), replicas: 2 };
    let late = "Timeout: request did not complete within requested timeout - context deadline \
                exceeded";
    assert_eq!(
        said(command(Kind::Deployment, create), Reason::Timeout, late),
        "error: failed to create deployment: Timeout: request did not complete within requested \
         timeout - context deadline exceeded"
    );
    let words = "storage is (re)initializing";
    assert_eq!(
        said(nodes(), Reason::TooManyRequests, words),
        "Error from server (TooManyRequests): storage is (re)initializing"
    );
    let words = "etcdserver: leader changed";
    assert_eq!(said(nodes(), Reason::Unknown, words), format!("Error from server: {words}"));
}

#[test]
fn a_server_that_has_accepted_the_connection_is_waited_for() {
    let mut bench = laptop();
    types(&mut bench, command(Kind::Node, Action::Get { one: false }));
    let (connection, request) = bench.asked.remove(0);
    bench.play(Input::Message(connection, crate::wire::Message::Health(0, 200, Text::EMPTY)));
    bench.pass(Duration::from_secs(30));
    let late = ApiError::new(Reason::Timeout, "Timeout: the allotted timeout");
    let effects = bench.answer(connection, request.id, Err(late));
    assert!(!effects.is_empty(), "it has not given up after 30 s");
}

#[test]
fn get_prints_names_of_its_namespace() {
    let mut bench = laptop();
    let list = |kind| command(kind, Action::Get { one: false });
    types(&mut bench, list(Kind::Machine));
    let other = Object::new(Meta::new(Kind::Machine, "other", "x"), Machine::default());
    let all = vec![Arc::new(machine()), Arc::new(other)];
    let said = reply(&mut bench, Ok(Answer::List(Default::default(), all)));
    assert_eq!(said, ["machine.cluster.x-k8s.io/w"]);
    types(&mut bench, list(Kind::Machine));
    let said = reply(&mut bench, Ok(Answer::List(Default::default(), Vec::new())));
    assert_eq!(said, ["No resources found in default namespace."]);
    types(&mut bench, command(Kind::Node, Action::Get { one: true }));
    assert_eq!(bench.waiting(), ["get Node/w"]);
    let said = reply(&mut bench, Ok(Answer::Object(Arc::new(node(|_| {})))));
    assert_eq!(said, ["node/w"]);
}

#[test]
fn a_deployment_is_created_with_its_name_as_label() {
    let mut bench = laptop();
    let create = Action::CreateDeployment { image: Text::word("web"), replicas: 2 };
    types(&mut bench, command(Kind::Deployment, create));
    let made = crate::client::testing::words(&bench.asked[0].1).1.expect("an object");
    let body = made.deployment().expect("a Deployment");
    assert_eq!((body.replicas, body.template.image.as_str()), (2, "web"));
    assert_eq!(body.selector.get("app").map(Text::as_str), Some("w"));
    let said = reply(&mut bench, Ok(Answer::Object(made)));
    assert_eq!(said, ["deployment.apps/w created"]);
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let unknown = PatchedCondition {
        kind: Text::word("Ready"),
        status: crate::api::kinds::Status::Unknown,
        reason: Text::word("NodeStatusUnknown"),
        message: Text::EMPTY,
    };
    let patch = Patch { conditions: vec![unknown], ..Patch::default() };
    let patched = command(Kind::Node, Action::Patch(Box::new(patch)));
    let (wrote, said) = changes(patched.clone(), node(|node| node.unschedulable = true));
    let wrote = wrote.expect("written");
    let body = wrote.node().expect("a Node");
    assert!(body.conditions.is("Ready", crate::api::kinds::Status::Unknown) && body.unschedulable);
    assert_eq!(said, "node/w patched");
    let (wrote, said) = changes(patched, Object::clone(&wrote));
    assert_eq!((wrote, said.as_str()), (None, "node/w patched (no change)"));
}

#[test]
fn what_a_person_reads_when_it_fails_are_kubectls_words() {
    let cordon = || command(Kind::Node, Action::Cordon(true));
    let mut bench = laptop();
    types(&mut bench, cordon());
    let error = ApiError::not_found(&cordon().object);
    let said = reply(&mut bench, Err(error));
    assert_eq!(said, ["Error from server (NotFound): nodes \"w\" not found"]);
    types(&mut bench, cordon());
    let (connection, _) = bench.asked.remove(0);
    let said = printed(&bench.play(Input::Broken(connection, Broken::Refused)));
    let words = "The connection to the server workload:6443 was refused - did you specify the \
                 right host or port?";
    assert_eq!(said, [words]);
    types(&mut bench, cordon());
    let error = ApiError::new(Reason::InternalError, "etcdserver: no leader");
    let said = reply(&mut bench, Err(error));
    assert_eq!(said, ["Error from server (InternalError): etcdserver: no leader"]);
}

#[test]
fn a_silent_server_is_given_up_after_the_dial_timeout() {
    let mut bench = laptop();
    types(&mut bench, command(Kind::Node, Action::Cordon(true)));
    let (delay, event) = bench.timers.pop().expect("a deadline");
    assert_eq!(delay, Duration::from_secs(30));
    bench.bed.pass(delay);
    let said = printed(&bench.play(Input::Due(event)));
    assert_eq!(said, ["Unable to connect to the server: dial tcp workload:6443: i/o timeout"]);
}
