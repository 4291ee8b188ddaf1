//! Joining as it is: tokens with their time, their signer and their cleaner, kubeadm's discovery;
//! held beside the recording of the real ones.

use healsim::analysis::fidelity::recording::{Recording, Row};
use healsim::api::kinds::{BootstrapToken, Secret, TokenUsage};
use healsim::api::{JoinConfiguration, Kind, Meta, Object, Request, RetryJoin, Verb};
use healsim::engine::{Duration, SimTime, Text};
use healsim::infra::{Address, Ctx, EndpointId, Input, VmAction};
use healsim::scenario::{Game, Scenario, Source, blueprint, models};
use healsim::timeline::{Entry, Timeline, Value};
use healsim::wire::Message;
use healsim::world::{CustomProcess, World};
use proptest::prelude::*;
use std::sync::Arc;

/// Somebody in the laboratory: makes tokens with kubectl, and VMs with user data of their own.
#[derive(Debug, Clone)]
struct Driver {
    acts: Vec<(Duration, Act)>,
}

#[derive(Debug, Clone)]
enum Act {
    /// A token that ends so long after its creation.
    Token(&'static str, Duration),
    /// A VM that joins with this user data.
    Vm(&'static str, Text),
}

const LAB: &str = "lab-k8s-1.30-capi-1.7";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secret_of(id: &str) -> Text {
    Text::from(format!("{id}0123456789"))
}

/// The user data with a token, with or without the script that tries again.
fn joining(id: &'static str, retry: Option<RetryJoin>) -> Text {
    let (token_id, token_secret) = (Text::word(id), secret_of(id));
    JoinConfiguration {
        node_name: Text::word("by-hand"),
        control_plane: false,
        token_id,
        token_secret,
        retry,
    }
    .to_user_data()
}

impl CustomProcess for Driver {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) => {
                for (at, (delay, _)) in self.acts.iter().enumerate() {
                    ctx.after("the test", *delay, at as u64);
                }
            }
            Input::Due(at) => match self.acts[at as usize].1.clone() {
                Act::Vm(name, user_data) => {
                    let (vm, boot) = (Text::word(name), Duration::ZERO);
                    ctx.datacenter(VmAction::CreateAndPowerOn {
                        uuid: vm.clone(),
                        vm,
                        host: None,
                        user_data,
                        boot,
                    });
                }
                Act::Token(id, ttl) => {
                    let token = BootstrapToken {
                        id: Text::word(id),
                        secret: secret_of(id),
                        expiration: Some((ctx.now() + ttl).to_whole_seconds()),
                        usages: vec![TokenUsage::Signing, TokenUsage::Authentication],
                    };
                    let namespace = Secret::TOKEN_NAMESPACE;
                    let meta = Meta::new(Kind::Secret, namespace, token.secret_name());
                    let verb = Verb::Create(Arc::new(Object::new(meta, Secret::of_token(token))));
                    let (id, sender) = (at as u32 + 1, ctx.owner());
                    let request = Request { id, agent: "kubectl", sender, count: at, verb };
                    let connection = ctx.connect(Address::Endpoint(EndpointId(1)));
                    ctx.send(connection, Message::Request(Box::new(request)));
                }
            },
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

fn lab(platform: &str, seed: u64, acts: Vec<(Duration, Act)>) -> World {
    let platform = models::platform(platform).expect("a platform");
    let mut world = World::new(blueprint(&platform, 1, 1), seed);
    assert!(world.add_process("control-plane-0", "driver", Box::new(Driver { acts })));
    world
}

fn play_until(world: &mut World, seconds: u64) {
    let end = SimTime::ZERO + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
    world.pass_until(end);
}

/// When something first came, in seconds.
fn first(timeline: &Timeline, is: impl Fn(&&Entry) -> bool) -> Option<f64> {
    let entry = timeline.entries().iter().filter(|entry| entry.at > SimTime::ZERO).find(is)?;
    Some(entry.at.as_micros() as f64 / 1e6)
}

fn said(timeline: &Timeline, process: &str, what: &str) -> Option<f64> {
    first(timeline, |entry| {
        entry.field == *"log" && entry.name == *process && entry.message.contains(what)
    })
}

fn became(timeline: &Timeline, object: &str, field: &str, to: &Value) -> Option<f64> {
    first(timeline, |entry| entry.object() == object && entry.field == *field && entry.to == *to)
}

const WAITING: &str = "Waiting for the cluster-info ConfigMap to receive a JWS signature";
const TRUSTED: &str = "Using provided TLSBootstrapToken";
const UNSIGNED: &str = "could not find a JWS signature in the cluster-info ConfigMap for token ID";
const JOINED: &str = "This node has joined the cluster:";

// ---- beside the recording

fn recording() -> Recording {
    let file = "tests/measured/kubeadm_discovery.k8s-1.30.14.jsonl";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    Recording::read(&std::fs::read_to_string(path).expect("the file")).expect("a recording")
}

fn seconds(row: &Row) -> f64 {
    row.micros as f64 / 1e6
}

fn recorded(rows: &[Row], name: &str, field: &str, of: &str) -> Vec<f64> {
    let is = |row: &&Row| {
        let told = row.message.contains(of) || row.to.as_deref() == Some(of);
        row.name == name && row.field == field && (told || of.is_empty())
    };
    rows.iter().filter(is).map(seconds).collect()
}

fn gaps(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The recorded hour as it was played: t counts from the request for the first token.
fn recorded_acts() -> Vec<(Duration, Act)> {
    vec![
        (millis(21), Act::Token("aaaaaa", Duration::from_secs(60))),
        (millis(5_025), Act::Vm("valid-token", joining("aaaaaa", None))),
        (millis(80_026), Act::Vm("expired-token", joining("aaaaaa", None))),
        (millis(80_032), Act::Vm("token-created-later", joining("cccccc", None))),
        (millis(143_049), Act::Token("cccccc", Duration::from_secs(900))),
    ]
}

#[test]
fn the_signer_and_the_cleaner_keep_the_recorded_times() {
    let rows = recording().rows;
    let exists = |id: &str, to: &str| {
        recorded(&rows, &format!("bootstrap-token-{id}"), "exists", to).first().copied()
    };
    let signature = |id: &str| {
        let key = format!("jws-kubeconfig-{id}");
        recorded(&rows, "cluster-info", &key, "")
    };
    let recorded_lags =
        ["aaaaaa", "cccccc"].map(|id| signature(id)[0] - exists(id, "true").expect("created"));
    assert!(recorded_lags.iter().all(|lag| (0.1..0.2).contains(lag)), "{recorded_lags:?}");
    let gone = recorded(&rows, "bootstrap-token-aaaaaa", "exists", "");
    assert_eq!(gone.last(), signature("aaaaaa").last(), "both in the same instant");
    let mut lags = Vec::new();
    for seed in 1..=20 {
        let mut world = lab(LAB, seed, recorded_acts());
        play_until(&mut world, 160);
        let timeline = world.timeline();
        let yes = Value::Bool(true);
        for id in ["aaaaaa", "cccccc"] {
            let secret = format!("Secret/bootstrap-token-{id}");
            let created = became(timeline, &secret, "exists", &yes).expect("created");
            let key = format!("jws-kubeconfig-{id}");
            let signed = became(timeline, "ConfigMap/cluster-info", &key, &yes);
            lags.push(signed.expect("signed") - created);
        }
        let none = Value::Null;
        let secret = "Secret/bootstrap-token-aaaaaa";
        let gone = became(timeline, secret, "exists", &none).expect("cleaned");
        // It was to end at a whole second, 60 s after it was asked for.
        assert!((60.0..60.1).contains(&gone), "seed {seed}: {gone}");
        let key = "jws-kubeconfig-aaaaaa";
        let unsigned = became(timeline, "ConfigMap/cluster-info", key, &none).expect("unsigned");
        assert!((gone..gone + 0.2).contains(&unsigned), "seed {seed}: {unsigned}");
    }
    let most = lags.iter().fold(0.0_f64, |most, lag| most.max(*lag));
    assert!(recorded_lags.iter().all(|lag| *lag < most + 0.05), "{recorded_lags:?}, up to {most}");
}

#[test]
fn discovery_keeps_the_recorded_rhythm_and_limit() {
    let rows = recording().rows;
    let near = |times: Vec<f64>, wanted: f64| {
        let off = times.iter().map(|time| (time - wanted).abs()).fold(0.0_f64, f64::max);
        assert!(off < 0.15, "{wanted} s: off by up to {off}");
    };
    near(
        gaps(&recorded(&rows, "kubeadm@expired-token", "log", "for token ID \"aaaaaa\""))[1..]
            .to_vec(),
        5.0,
    );
    near(gaps(&recorded(&rows, "kubeadm@refused", "log", "connection refused")), 5.0);
    let silent = recorded(&rows, "kubeadm@silent", "log", "Retrying due to error");
    near(gaps(&silent[..silent.len() - 1]), 10.0);
    // The same rhythm of the model is the matter of its unit tests; here its limit and its find.
    let recorded_limit = recorded(&rows, "kubeadm@expired-token", "running", "false")[0]
        - recorded(&rows, "kubeadm@expired-token", "log", "Waiting for the cluster-info")[0];
    near(vec![recorded_limit], 300.0);
    for seed in 1..=10 {
        let mut world = lab(LAB, seed, recorded_acts());
        play_until(&mut world, 400);
        let timeline = world.timeline();
        let expired = "cloud-init@expired-token";
        let began = said(timeline, expired, WAITING).expect("discovery began");
        let stopped = Value::Bool(false);
        let process = "Process/cloud-init@expired-token";
        let ended = became(timeline, process, "running", &stopped).expect("and ended");
        near(vec![ended - began], 300.0);
        assert_eq!(said(timeline, expired, JOINED), None, "seed {seed}");
        // A token that comes meanwhile is found at the next look, as in the recording at 145.496.
        let later = "cloud-init@token-created-later";
        let began = said(timeline, later, WAITING).expect("discovery began");
        let found = said(timeline, later, TRUSTED).expect("found");
        let beats = ((143.3 - began) / 5.0).ceil();
        near(vec![found - began], 5.0 * beats);
    }
}

#[test]
fn kubeadm_says_what_the_recording_says() {
    let rows = recording().rows;
    let plain = |line: &str| {
        let line = line.replace("workload:6443", "HOST:PORT");
        line.split(" (Client.Timeout").next().unwrap_or_default().to_owned()
    };
    let known: Vec<String> =
        rows.iter().filter(|row| row.field == "log").map(|row| plain(&row.message)).collect();
    let mut world = lab(LAB, 1, recorded_acts());
    play_until(&mut world, 400);
    // Lines that come after discovery, or that only the page has.
    let other = [JOINED, "error execution phase", "To see the stack trace"];
    let lines = world.timeline().entries().iter().filter(|entry| {
        entry.field == *"log"
            && entry.name.starts_with("cloud-init@")
            && !other.iter().any(|other| entry.message.contains(other))
    });
    let mut count = 0;
    for entry in lines {
        count += 1;
        let line = plain(&entry.message);
        assert!(known.contains(&line), "{line} is not among the recorded lines");
    }
    assert!(count >= 9, "three joins of several lines each: {count}");
}

#[test]
fn a_refusing_and_a_silent_server_are_asked_until_the_limit() {
    // VMs come with the driver, so it sits on the worker; what is killed is the control plane.
    for (silent, words) in [(false, "connection refused"), (true, "context deadline exceeded")] {
        let platform = models::platform(LAB).expect("a platform");
        let mut world = World::new(blueprint(&platform, 1, 1), 3);
        let acts = vec![(Duration::from_secs(2), Act::Vm("joiner", joining("bbbbbb", None)))];
        assert!(world.add_process("worker-0", "driver", Box::new(Driver { acts })));
        play_until(&mut world, 1);
        world.inject("away", "VM/control-plane-0".to_owned(), |infra| {
            let vm = infra.vm("control-plane-0").expect("the VM exists");
            match silent {
                true => infra.power_off(vm),
                false => {
                    let server = infra.process("kube-apiserver", "control-plane-0");
                    infra.kill(server.expect("it runs"));
                }
            }
        });
        play_until(&mut world, 310);
        let timeline = world.timeline();
        let process = "cloud-init@joiner";
        let began = said(timeline, process, WAITING).expect("discovery began");
        let error = "failed to request the cluster-info ConfigMap";
        assert!(said(timeline, process, words).is_some(), "{words}");
        let identity = "error execution phase preflight: couldn't validate the identity";
        let failed = said(timeline, process, identity).expect("at the limit");
        assert!((failed - began - 300.0).abs() < 0.01, "{}", failed - began);
        assert!(said(timeline, process, error).is_some());
    }
}

// ---- whole worlds

fn play(text: &str, platform: &str, set: &[(&str, &str)]) -> healsim::timeline::Run {
    let scenario = Scenario::read(Source::embedded("joining.yaml", text)).expect("a scenario");
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Game::new(&scenario, Some(platform), &set, None).expect("valid").play(1)
}

fn stopped_kubelet(more: &str, until: &str) -> String {
    format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: joining }}\nspec:\n  \
         platform: tkgs-2024\n  until: {until}\n  faults:\n    \
         - {{ at: 1m, stopUnit: {{ vm: worker-0, unit: kubelet }} }}\n{more}"
    )
}

/// The process in which the only new VM joins.
fn new_join(timeline: &Timeline) -> Text {
    let born = timeline.entries().iter().filter(|entry| entry.at > SimTime::ZERO).find(|entry| {
        entry.kind == *"VM" && entry.field == *"exists" && entry.to == Value::Bool(true)
    });
    Text::from(format!("cloud-init@{}", born.expect("a new VM").name))
}

#[test]
fn a_new_machine_joins_with_a_token_of_its_own_that_ends_after_15_minutes() {
    let run = play(&stopped_kubelet("", "40m"), "tkgs-2024", &[]);
    let timeline = &run.timeline;
    assert!(said(timeline, &new_join(timeline), JOINED).is_some());
    let is_token =
        |entry: &&Entry| entry.name.starts_with("bootstrap-token-") && entry.field == *"exists";
    let lives: Vec<f64> = timeline
        .entries()
        .iter()
        .filter(is_token)
        .map(|entry| entry.at.as_micros() as f64 / 1e6)
        .collect();
    // Where its own write's answer is sooner than its watch, the provider looks once more at what it has
    // written over already, and makes a second token. Neither write is atomic in the real one either; whether it
    // makes two there has not been seen.
    assert!(lives.len() == 2 || lives.len() == 4, "each token goes: {lives:?}");
    let (created, gone) = lives.split_at(lives.len() / 2);
    for (created, gone) in created.iter().zip(gone) {
        assert!((898.9..900.1).contains(&(gone - created)), "{lives:?}");
    }
    let refreshed = timeline.entries().iter().any(|entry| entry.field == *"expiration");
    assert!(!refreshed, "it joined before the first look");
}

#[test]
fn with_the_controller_manager_stopped_nobody_signs_and_the_join_fails() {
    let dead = (0..3).map(|n| {
        format!(
            "    - {{ at: 12m, removeFile: {{ vm: control-plane-{n}, \
             path: /etc/kubernetes/manifests/kube-controller-manager.yaml }} }}\n"
        )
    });
    let run = play(&stopped_kubelet(&dead.collect::<String>(), "45m"), "tkgs-2024", &[]);
    let timeline = &run.timeline;
    let process = new_join(timeline);
    assert_eq!(said(timeline, &process, JOINED), None);
    assert!(said(timeline, &process, "does not yet contain a JWS signature").is_some());
    assert!(said(timeline, &process, UNSIGNED).is_some());
    let signed = timeline.entries().iter().any(|entry| entry.field.starts_with("jws-kubeconfig-"));
    assert!(!signed, "the token is there, and nobody signs for it");
    assert_eq!(run.recovered_at, None);
}

#[test]
fn a_machine_that_takes_long_keeps_its_token_alive() {
    let late = [("infra.boot", "25m..25m")];
    let run = play(&stopped_kubelet("", "60m"), "tkgs-2024", &late);
    let timeline = &run.timeline;
    let refreshed = timeline.entries().iter().filter(|entry| entry.field == *"expiration").count();
    assert!(refreshed >= 4, "every 5 minutes while it has no Node: {refreshed}");
    let joined = said(timeline, &new_join(timeline), JOINED);
    assert!(joined.is_some(), "25 minutes are longer than a token lives by itself");
}

/// How often it is looked at, and how near its end must be, are parts of its own time.
#[test]
fn a_token_of_a_short_time_is_kept_alive_in_shorter_steps() {
    let short = [("infra.boot", "25m..25m"), ("clusterApi.bootstrapTokenTtl", "4m")];
    let run = play(&stopped_kubelet("", "60m"), "tkgs-2024", &short);
    let timeline = &run.timeline;
    let refreshed = timeline.entries().iter().filter(|entry| entry.field == *"expiration").count();
    assert!(refreshed >= 15, "every 80 seconds while it has no Node: {refreshed}");
    assert!(said(timeline, &new_join(timeline), JOINED).is_some());
}

#[test]
fn old_user_data_finds_no_signature_in_the_words_of_the_page() {
    let platform = models::platform("tkgs-2024").expect("a platform");
    let mut world = World::new(blueprint(&platform, 1, 2), 1);
    let data = world.view().objects(Kind::Secret).find(|secret| secret.name() == "worker-0");
    let data = data.and_then(|secret| secret.secret()?.user_data().cloned()).expect("user data");
    let old = JoinConfiguration::from_user_data(&data).expect("a join");
    let acts = vec![(Duration::from_secs(1), Act::Vm("worker-7", data))];
    assert!(world.add_process("control-plane-0", "driver", Box::new(Driver { acts })));
    play_until(&mut world, 1_700);
    let timeline = world.timeline();
    let (process, id) = ("cloud-init@worker-7", &old.token_id);
    let page = [
        format!(
            "token.go:223] [discovery] The cluster-info ConfigMap does not yet contain a JWS \
             signature for token ID \"{id}\", will try again"
        ),
        format!(
            "error execution phase preflight: couldn't validate the identity of the API Server: \
             could not find a JWS signature in the cluster-info ConfigMap for token ID \"{id}\""
        ),
        "To see the stack trace of this error execute with --v=5 or higher".to_owned(),
        "kubeadm reported failed action(s) for 'kubeadm join phase preflight \
         --ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests'"
            .to_owned(),
    ];
    let mut at = 0.0;
    for line in page {
        let next = said(timeline, process, &line).unwrap_or_else(|| panic!("{line}"));
        assert!(next >= at, "the page's order");
        at = next;
    }
    let scripts = |what: &str| {
        let entries = timeline.entries().iter();
        let lines = entries.filter(|e| e.name == *process && e.message.contains(what));
        lines.map(|entry| entry.at.as_micros() as f64 / 1e6).collect::<Vec<_>>()
    };
    let runs = scripts("running 'kubeadm join phase preflight");
    let failures = scripts("kubeadm reported failed action(s)");
    assert_eq!((runs.len(), failures.len()), (5, 5), "five tries");
    assert!((runs[1] - failures[0] - 15.0).abs() < 0.001, "15 s between");
    assert_eq!(said(timeline, process, JOINED), None);
    let kubelet = said(timeline, "kubelet@worker-7", "failed to load kubelet config file");
    assert!(kubelet.is_some(), "its kubelet has no configuration");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A token is good until its end, and never after: the signature goes with it.
    #[test]
    fn nobody_joins_with_a_token_after_its_end(seed: u64, ttl in 5u64..40, start in 1u64..60) {
        let acts = vec![
            (millis(500), Act::Token("aaaaaa", Duration::from_secs(ttl))),
            (Duration::from_secs(start), Act::Vm("joiner", joining("aaaaaa", None))),
        ];
        let mut world = lab(LAB, seed, acts);
        play_until(&mut world, 120);
        let timeline = world.timeline();
        let began = said(timeline, "cloud-init@joiner", WAITING).expect("discovery began");
        let signature = "jws-kubeconfig-aaaaaa";
        let gone = became(timeline, "ConfigMap/cluster-info", signature, &Value::Null);
        let gone = gone.expect("every token ends");
        let found = said(timeline, "cloud-init@joiner", TRUSTED);
        // A look that is under way while the signature goes may see it or not.
        if (began - gone).abs() > 0.02 {
            prop_assert_eq!(found.is_some(), began < gone, "{} {} {:?}", began, gone, found);
        }
        // Not longer than the cleaner and the signer need.
        prop_assert!(found.is_none_or(|found| found < ttl as f64 + 0.5 + 0.2));
    }
}
