//! A StatefulSet that a person gives another size.

use healsim::analysis::invariants;
use healsim::scenario::{Game, Scenario, Source};
use healsim::timeline::{Run, Value};

/// `db` of three, with these properties and these faults.
fn game(like: &str, faults: &[&str]) -> Result<Game, String> {
    let lines: Vec<String> = faults.iter().map(|fault| format!("    - {{ {fault} }}\n")).collect();
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: sizes }}\nspec:\n  platform: \
         lab-k8s-1.34-capi-1.14\n  until: 20m\n  workloads:\n    - {{ name: db, kind: StatefulSet, \
         replicas: 3{like} }}\n  faults:\n{}",
        lines.concat()
    );
    let scenario = Scenario::read(Source::embedded("sizes.yaml", &text)).expect("a scenario");
    Game::new(&scenario, None, &[], None)
        .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n"))
}

/// What becomes of the Pods of `db`, in order.
fn story(run: &Run) -> Vec<String> {
    let entries =
        run.timeline.happened().iter().filter(|e| e.kind == *"Pod" && e.name.starts_with("db-"));
    let told = entries.filter_map(|e| {
        let what = match (e.field.as_str(), &e.to) {
            ("exists", Value::Null) => "goes",
            ("exists", _) => "comes",
            ("deletionTimestamp", _) => "is deleted",
            ("Ready", to) if *to == Value::text("True") => "is ready",
            _ => return None,
        };
        Some(format!("{} {what}", e.name))
    });
    let mut all: Vec<String> = told.collect();
    // A kubelet asks again, without a grace period, once the containers have ended.
    all.dedup();
    all
}

const SMALLER: &str = "at: 1m, kubectl: \"scale statefulset db --replicas=1\"";
const AS_IT_WAS: &str =
    "at: 5m, kubectl: \"patch sts db --type=merge -p '{\\\"spec\\\":{\\\"replicas\\\":3}}'\"";

#[test]
fn in_order_its_pods_go_from_the_last_and_come_again_from_the_first() {
    for like in ["", ", volume: true"] {
        for seed in 1..=3 {
            let game = game(like, &[SMALLER, AS_IT_WAS]).expect("a game");
            let run = invariants::play(&game, seed);
            assert!(run.violated.is_empty(), "{:?}", run.violated);
            let one = |pod: u32, all: &[&str]| {
                all.iter().map(|what| format!("db-{pod} {what}")).collect::<Vec<String>>()
            };
            let goes = |pod| one(pod, &["is deleted", "goes"]);
            let comes = |pod| one(pod, &["comes", "is ready"]);
            let wanted = [goes(2), goes(1), comes(1), comes(2)].concat();
            assert_eq!(story(&run), wanted, "{like} {seed}");
            assert!(run.recovered_at.is_some(), "{like} {seed}");
        }
    }
}

#[test]
fn one_with_volumes_cannot_have_more_pods_than_it_begins_with() {
    let grows = [
        "at: 1m, kubectl: \"scale sts/db --replicas=4\"",
        "at: 1m, kubectl: \"scale sts d* --replicas=4\"",
        "when: \"Pod/db-0 Ready=False\", kubectl: \"patch sts db --type=merge -p \
         '{\\\"spec\\\":{\\\"replicas\\\":4}}'\"",
    ];
    for grow in grows {
        let why = game(", volume: true", &[SMALLER, grow]).map(|_| ()).expect_err("refused");
        let words = "StatefulSet/db begins with 3 volumes, and nobody here makes another; write 3";
        assert!(why.starts_with("sizes.yaml:11:") && why.contains(words), "{why}");
        assert!(game("", &[SMALLER, grow]).is_ok(), "{grow}");
    }
    let other = "at: 2m, kubectl: \"scale deployment web --replicas=9\"";
    assert!(game(", volume: true", &[SMALLER, other]).is_ok());
}
