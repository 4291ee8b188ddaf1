//! What people may write, and what they are told when it is wrong.

use super::*;

fn read(text: &str) -> Kubectl {
    Kubectl::read(text, None).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

fn wrong(text: &str) -> (usize, String) {
    Kubectl::read(text, None).expect_err(text)
}

#[test]
fn each_verb_is_read_as_kubectl_would() {
    let action = |text: &str| read(text).command.action;
    let (grace, force) = (Some(Duration::ZERO), true);
    assert_eq!(action("delete node w"), Action::Delete { grace: None, force: false });
    assert_eq!(action("delete pod a --grace-period=0 --force"), Action::Delete { grace, force });
    // kubectl makes 1 of 0 where it is not forced.
    let one = Some(Duration::from_secs(1));
    assert_eq!(action("delete po/a --grace-period=0"), Action::Delete { grace: one, force: false });
    assert_eq!(action("cordon w"), Action::Cordon(true));
    assert_eq!(action("uncordon w"), Action::Cordon(false));
    for words in ["cordon w", "cordon node/w", "cordon no/w"] {
        assert_eq!(read(words).command.object.to_string(), "Node/w");
    }
    assert_eq!(read("cordon node").command.object.name, "node");
    let (key, effect) = (Text::word("a.b/c"), TaintEffect::NoExecute);
    let taint = Action::Taint { key: key.clone(), value: Text::word("v"), effect };
    assert_eq!(action("taint node w a.b/c=v:NoExecute"), taint);
    let gone = Action::Untaint { key: key.clone(), effect: Some(effect) };
    assert_eq!(action("taint nodes w a.b/c:NoExecute-"), gone);
    assert_eq!(action("taint no w a.b/c-"), Action::Untaint { key: key.clone(), effect: None });
    let none = Action::Annotate { key: key.clone(), value: None, overwrite: false };
    assert_eq!(action("annotate machine w a.b/c-"), none);
    let empty = Action::Annotate { key: key.clone(), value: Some(Text::EMPTY), overwrite: true };
    assert_eq!(action("annotate machine w a.b/c= --overwrite"), empty);
    let label = Action::Label { key, value: Some(Text::word("v")), overwrite: false };
    assert_eq!(action("label node w a.b/c=v"), label);
    assert_eq!(action("scale md md-0 --replicas=4"), Action::Scale(4));
    assert_eq!(action("scale statefulset db --replicas=1"), Action::Scale(1));
    // A flag's value stands after `=` or a blank, and a flag before or after a name.
    for words in
        ["scale md md-0 --replicas 4", "scale --replicas 4 md md-0", "scale --replicas=4 md/md-0"]
    {
        let Command { object, action, .. } = read(words).command;
        assert_eq!(
            (object.to_string().as_str(), action),
            ("MachineDeployment/md-0", Action::Scale(4))
        );
    }
    assert_eq!(action("scale md md-0 --replicas 3 --replicas 4"), Action::Scale(4));
    assert_eq!(action("delete --force pod a --grace-period 0"), Action::Delete { grace, force });
    for words in
        ["get pods -n kube-system", "get -n=kube-system pods", "get pods --namespace kube-system"]
    {
        let Command { object, action, .. } = read(words).command;
        assert_eq!(
            (object.namespace.as_str(), action),
            ("kube-system", Action::Get { one: false })
        );
    }
}

#[test]
fn a_kind_has_the_short_name_that_kubectl_api_resources_lists() {
    for (short, kind) in [
        ("ds", Kind::DaemonSet),
        ("sts", Kind::StatefulSet),
        ("ev", Kind::Event),
        ("cm", Kind::ConfigMap),
        ("svc", Kind::Service),
        ("pvc", Kind::PersistentVolumeClaim),
        ("pdb", Kind::PodDisruptionBudget),
        ("mhc", Kind::MachineHealthCheck),
        ("vm", Kind::VirtualMachine),
    ] {
        assert_eq!(read(&format!("get {short}")).command.object.kind, kind, "{short}");
        assert_eq!(read(&format!("delete {short}/x")).command.object.kind, kind, "{short}");
    }
}

#[test]
fn a_kind_lives_in_its_cluster_and_namespace() {
    let (node, machine) = (read("delete node w"), read("delete machine w"));
    assert_eq!((node.command.context, machine.command.context), {
        (Context::Workload, Context::Management)
    });
    assert_eq!(node.command.object.namespace, "");
    assert_eq!(machine.command.object.namespace, "default");
    assert_eq!(read("delete lease w").command.context, Context::Workload);
    let other = read("delete lease w -n kube-node-lease").command.object;
    assert_eq!(other.namespace, "kube-node-lease");
    let asked = Kubectl::read("delete node w", Some(Context::Management)).expect("valid");
    assert_eq!(asked.command.context, Context::Management);
}

#[test]
fn a_mistake_stands_at_its_letter() {
    let cases = [
        ("", 0, "a verb"),
        ("destroy node w", 0, "known: get, create, delete"),
        ("delet node w", 0, "did you mean `delete`?"),
        ("delete nod w", 7, "did you mean `node`?"),
        ("get namespaces", 4, "there are no Namespace objects here"),
        ("delete", 6, "a kind is missing, for example `node`"),
        ("cordon", 6, "a Node's name is missing, as in `cordon worker-0`"),
        ("cordon node/", 12, "a name is missing"),
        ("cordon pod/web", 7, "cordon is for Nodes; this is a Pod"),
        ("uncordon node w", 9, "write `uncordon w` or `uncordon node/w`"),
        ("taint node w", 12, "a taint is missing; write KEY[=VALUE]:EFFECT"),
        ("label node w", 12, "KEY=VALUE, or KEY-, is missing"),
        ("delete node", 11, "a name is missing, as in `node worker-0`"),
        ("create deployment My_App --image=i", 18, "lower-case letters"),
        ("create deployment/-a --image=i", 18, "cannot be named `-a`"),
        ("create deployment a..b --image=i", 18, "cannot be named `a..b`"),
        ("create deployment web-* --image=i", 18, "cannot be named `web-*`"),
        ("delete node/", 12, "a name is missing, as in `node worker-0`"),
        ("delete node -w", 12, "no flag `-w`; did you mean `-n`?"),
        ("delete -worker-0", 7, "no flag `-worker-0`; known: --namespace, -n"),
        ("delete node --worker-0", 12, "no flag `--worker-0`; known: "),
        ("cordon -worker-0", 7, "no flag `-worker-0`"),
        ("get node -worker-0", 9, "no flag `-worker-0`"),
        ("label node w -a=b", 13, "no flag `-a`"),
        ("taint node w -a:NoExecute", 13, "no flag `-a:NoExecute`"),
        ("create deployment -a --image=i", 18, "no flag `-a`"),
        ("scale md w --replica=4", 11, "no flag `--replica`; did you mean `--replicas`?"),
        ("scale md w --replicas", 21, "a value is missing after `--replicas`"),
        ("scale md w --replicas five", 22, "`five` is not a number"),
        ("scale md w --replicas 4 5", 24, "`5` is not known here"),
        ("delete node w --replicas=4", 14, "`--replicas` is not known here"),
        ("delete node -n", 14, "a value is missing after `-n`"),
        ("delete pod w --grace-period=0 --force=no", 38, "write `--force`"),
        ("delete node w now", 14, "`now` is not known here"),
        ("delete pod w --force", 13, "--grace-period=0"),
        ("delete pod w --grace-period=x", 28, "`x` is not a number"),
        ("taint node w a.b/c", 13, "write KEY[=VALUE]:EFFECT"),
        ("taint node w a:NoExecut", 15, "did you mean `NoExecute`?"),
        ("taint machine w a:NoExecute", 0, "only a node"),
        ("annotate machine w a.b/c", 19, "write KEY=VALUE, or KEY-"),
        ("scale node w --replicas=1", 0, "a Node has no size"),
        ("scale md w", 10, "--replicas=N is missing"),
        ("scale md w --replicas=-1", 22, "`-1` is not a number"),
        ("delete node w on worker-0", 14, "`on NODE` is for Pods"),
        ("delete pod web-* on", 19, "a Node's name is missing"),
        ("get", 3, "a kind is missing"),
        ("get nods", 4, "did you mean `node`?"),
        ("create node w", 0, "write `create deployment NAME --image=IMAGE`"),
        ("create deployment w", 19, "--image=IMAGE is missing"),
        ("create deployment w --image=", 20, "an image's name is missing"),
        ("patch node w -p '{}'", 20, "--type=merge is missing"),
        ("patch node w --type=json -p '{}'", 13, "only --type=merge"),
        ("patch node w --type=merge", 25, "-p '{...}' is missing"),
        ("patch node w --type=merge -p '{'", 29, "is not JSON"),
        ("patch node w --type=merge -p '{\"spec\":{\"replica\":1}}'", 29, "`spec.replicas`?"),
        ("patch node w --type=merge -p '{\"spec\":{\"replicas\":1}}'", 29, "a Node has no spec.re"),
        ("patch md w --type=merge -p '{\"spec\":{\"replicas\":-1}}'", 27, "cannot be `-1`"),
        ("patch node w --type=merge -p '{\"status\":{\"conditions\":[]}}'", 29, "=status"),
        ("patch node w --type=merge -p '[]'", 29, "a patch is an object"),
    ];
    for (text, at, words) in cases {
        let (place, message) = wrong(text);
        assert_eq!(place, at, "{text}: {message}");
        assert!(message.contains(words), "{text}: {message}");
    }
}

#[test]
fn what_is_read_created_and_patched_is_written_as_for_kubectl() {
    let action = |text: &str| read(text).command.action;
    assert_eq!(action("get nodes"), Action::Get { one: false });
    assert_eq!(action("get pods -n kube-system"), Action::Get { one: false });
    assert_eq!(action("get no/w"), Action::Get { one: true });
    assert_eq!(action("get node w"), Action::Get { one: true });
    let (image, replicas) = (Text::word("web"), 2);
    let create = Action::CreateDeployment { image, replicas };
    assert_eq!(action("create deployment w --image=web --replicas=2"), create);
    let Action::Patch(patch) = action(
        "patch node w --type=merge --subresource=status -p \
         '{\"status\": {\"conditions\": [{\"type\": \"Ready\", \"status\": \"Unknown\"}]}}'",
    ) else {
        panic!("a patch");
    };
    assert_eq!(patch.conditions.len(), 1);
    assert_eq!(patch.conditions[0].kind, "Ready");
    let text = "patch cluster w --type=merge -p '{\"spec\":{\"paused\":true},\"metadata\":\
                {\"annotations\":{\"a\":\"b\",\"c\":null},\"finalizers\":[]}}'";
    let Action::Patch(patch) = action(text) else { panic!("a patch") };
    assert_eq!(patch.paused, Some(true));
    assert_eq!(patch.finalizers, Some(Vec::new()));
    assert_eq!(patch.annotations[&Text::word("c")], None);
    let text = "patch kcp w --type=merge -p '{\"spec\":{\"version\":\"v1.29.4\"}}'";
    let Action::Patch(patch) = action(text) else { panic!("a patch") };
    assert_eq!(patch.version, Some(Text::word("v1.29.4")));
}

#[test]
fn what_an_object_has_and_nothing_here_looks_at_is_no_field_that_it_lacks() {
    for (kind, spec, words) in [
        ("md", "{\"paused\":true}", "spec.paused of a MachineDeployment isn't modeled"),
        ("ds", "{\"replicas\":1}", "a DaemonSet has no spec.replicas"),
        ("node", "{\"paused\":true}", "a Node has no spec.paused"),
    ] {
        let (_, message) = wrong(&format!("patch {kind} w --type=merge -p '{{\"spec\":{spec}}}'"));
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_star_stands_for_anything() {
    assert!(is_like("web-6d4-abc", "web-*") && is_like("web-6d4-abc", "*-6d4-*"));
    assert!(is_like("web", "web*") && is_like("web", "*") && is_like("web", "web"));
    assert!(!is_like("api-6d4", "web-*") && !is_like("web-6d4", "web-*-x"));
}
