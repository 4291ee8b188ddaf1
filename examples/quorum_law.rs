//! A law of one's own: as long as at most one of three control-plane VMs is broken, the etcd of the
//! workload cluster has a leader whom a quorum follows, but for one election.

use healsim::analysis::assertions::assert_law;
use healsim::analysis::fuzz::{Schedule, Shape};
use healsim::analysis::invariants::OwnLaw;
use healsim::engine::{Duration, SimTime};

fn etcd_is_never_without_a_leader_for_long() -> OwnLaw {
    let mut lost: Option<SimTime> = None;
    OwnLaw::always("etcd_is_never_without_a_leader_for_long", move |seen| {
        let now = seen.view.now();
        if seen.view.etcd_leader("workload").is_some() {
            lost = None;
            return Ok(());
        }
        let since = *lost.get_or_insert(now);
        match now.since(since) <= Duration::from_secs(5) {
            true => Ok(()),
            false => Err(format!("etcd has had no leader since {}", since.since(SimTime::ZERO))),
        }
    })
}

fn main() {
    let cluster = Schedule::on("tkgs-2024", Shape::new(3, 1));
    for fault in
        ["powerOff: { vm: leader(etcd) }", "freezeProcess: { vm: leader(etcd), process: etcd }"]
    {
        let schedule = cluster.clone().at(Duration::from_secs(60), fault);
        assert_law(&schedule, etcd_is_never_without_a_leader_for_long());
        println!("holds: {fault}");
    }
}
