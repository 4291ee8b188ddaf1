//! What is asked of members whose heartbeats are not played.

use super::cluster::{Cluster, get};
use crate::components::etcd::*;
use crate::wire::Consistency;

#[test]
fn a_reads_second_try_is_of_no_use_once_it_is_answered_and_not_before() {
    for (killed, is_void) in [(&[][..], true), (&[1, 2][..], false)] {
        let mut cluster = Cluster::of(3, 1);
        cluster.run_for(500);
        killed.iter().for_each(|number| cluster.kill(*number));
        let id = cluster.ask(0, get("a", Consistency::Linearizable));
        cluster.run_for(20);
        assert_eq!(cluster.answers.contains_key(&id), is_void);
        let tries: Vec<&Event> =
            cluster.timers_of(0).filter(|event| matches!(event, Event::ReadRetry(_))).collect();
        assert!(!tries.is_empty(), "it was set");
        assert!(tries.iter().all(|event| cluster.hosts[0].etcd.is_void(event) == is_void));
    }
}
