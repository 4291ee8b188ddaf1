//! No line of the founding page's scenarios holds whatever happens: each fails when something else
//! is done to the world than what the scenario does.

use healsim::scenario::{Game, Scenario, Source, models};
use std::collections::BTreeMap;

/// In the place of the scenario's own faults: what hurts nobody.
const HARMLESS: &str = r#"
    - { at: 1m, kubectl: "get nodes" }"#;

/// Beside them: what people can do to healthy objects.
const HANDS: &str = r#"
    - { at: 1m20s, kubectl: "cordon worker-0" }
    - { at: 1m20s, kubectl: "cordon control-plane-1" }
    - { at: 1m20s, kubectl: "delete pod csi-controller-* on control-plane-1" }
    - { at: 1m30s, kubectl: "delete deployment web" }
    - { at: 1m40s, etcdctl: "--endpoints=leader(etcd) move-leader control-plane-0" }
    - { at: 1m40s, etcdctl: "--endpoints=leader(etcd) move-leader control-plane-2" }
    - { at: 2m, stopUnit: { vm: worker-0, unit: kubelet } }
    - { at: 2m, stopUnit: { vm: worker-2, unit: kubelet } }
    - { at: 2m30s, powerOff: { vm: worker-0 } }
    - { at: 2m40s, powerOn: { vm: worker-0 } }
    - { at: 3m, stopUnit: { vm: worker-0, unit: kubelet } }
    - { at: 4m, kubectl: "patch node worker-0 --subresource=status --type=merge -p '{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}'" }
    - { at: 4m, kubectl: "patch node control-plane-0 --subresource=status --type=merge -p '{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}'" }
    - { at: 12m, kubectl: "delete machine worker-1" }
    - { at: 12m, etcdctl: "--endpoints=control-plane-2 member remove control-plane-1" }"#;

/// Beside them: what ends the control plane for all, and a worker.
const BLACKOUT: &str = r#"
    - { at: 3m20s, deleteVm: { vm: worker-1 } }
    - { at: 3m20s, powerOff: { vm: worker-0 } }
    - { at: 3m20s, powerOff: { vm: worker-2 } }
    - { at: 3m20s, powerOff: { vm: control-plane-0 } }
    - { at: 3m20s, powerOff: { vm: control-plane-1 } }
    - { at: 3m20s, powerOff: { vm: control-plane-2 } }"#;

/// Beside them: what mends a control plane's broken parts.
const REPAIR: &str = r#"
    - { at: 8m, startUnit: { vm: control-plane-1, unit: kubelet } }
    - { at: 8m, restoreFile: { vm: control-plane-1, path: /etc/kubernetes/manifests/etcd.yaml } }
    - { at: 8m, restoreFile: { vm: control-plane-1, path: /var/lib/kubelet/config.yaml } }"#;

#[test]
fn each_line_fails_when_something_else_is_done_on_the_pages_platform() {
    every_line_can_fail("tkgs-2024");
}

#[test]
fn each_line_fails_when_something_else_is_done_today() {
    every_line_can_fail("tkgs-current");
}

fn every_line_can_fail(platform: &str) {
    let mut whatever_happens = Vec::new();
    for name in models::FOUNDING_PAGE {
        let mut can_fail: BTreeMap<String, bool> = BTreeMap::new();
        let text = models::scenario(name).expect("embedded").text;
        let own = faults(&text);
        let more = [HANDS, BLACKOUT, REPAIR].map(|more| format!("{own}{more}"));
        for done in [HARMLESS.to_owned()].iter().chain(&more) {
            let run = game(&text.replace(own, done), platform).play(1);
            for line in run.expectations.iter().filter(|line| line.applicable) {
                *can_fail.entry(line.text.to_string()).or_default() |= !line.met;
            }
        }
        let lines = can_fail.into_iter().filter(|(_, can_fail)| !can_fail);
        whatever_happens.extend(lines.map(|(line, _)| format!("{name}: {line}")));
    }
    assert!(whatever_happens.is_empty(), "on {platform}: {whatever_happens:#?}");
}

/// The scenario's own faults, as they are written.
fn faults(text: &str) -> &str {
    let begins = text.find("  faults:").expect("faults") + "  faults:".len();
    let ends = text.find("\n  until:").expect("an end");
    &text[begins..ends]
}

fn game(text: &str, platform: &str) -> Game {
    let scenario = Scenario::read(Source::embedded("changed.yaml", text)).expect("readable");
    Game::new(&scenario, Some(platform), &[], None).expect("valid")
}
