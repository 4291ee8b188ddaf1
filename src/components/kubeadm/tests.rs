//! The first boot, and those after it.

use super::*;
use crate::engine::Duration;
use crate::infra::testbed::{Testbed, started, timers};
use crate::infra::{Effect, Start};

fn kubeadm() -> (Kubeadm, Testbed<Event>) {
    let join = Delay::fixed(Duration::from_secs(40));
    (Kubeadm::new(Settings { join }), Testbed::new("cloud-init", "worker-3"))
}

#[test]
fn the_first_boot_joins_and_starts_the_kubelet() {
    let (mut kubeadm, mut bed) = kubeadm();
    bed.vm.disk.write(USER_DATA, "kubeadm join");
    let effects = bed.play(|ctx| kubeadm.on_event(started(Start::Fresh), ctx));
    let (delay, event) = timers(&effects).remove(0);
    assert_eq!(delay, Duration::from_secs(40));
    let effects = bed.play(|ctx| kubeadm.on_event(Input::Due(event), ctx));
    assert!(bed.vm.disk.read(KUBELET_CONFIG).is_some());
    assert!(effects.iter().any(|e| matches!(e, Effect::StartUnit(unit) if *unit == "kubelet")));
}

#[test]
fn a_later_boot_leaves_everything_as_it_is() {
    let (mut kubeadm, mut bed) = kubeadm();
    bed.vm.disk.write(USER_DATA, "kubeadm join");
    bed.vm.disk.write(DONE, "");
    let effects = bed.play(|ctx| kubeadm.on_event(started(Start::Fresh), ctx));
    assert!(matches!(effects[..], [Effect::Exit]));
}
