//! The members of etcd, as `etcdctl member list` and `etcdctl endpoint status` tell of them.
//!
//! No API server knows them: this is the datacenter's own list, of all clusters. A member that does
//! not answer has no status; health is what `etcdctl endpoint health` finds with a read that needs a
//! quorum.

use super::Form;
use super::manifest::list;
use super::names;
use super::table::Table;
use crate::world::{EtcdMember, MANAGEMENT_CLUSTER, View, WORKLOAD_CLUSTER};
use serde_json::{Value, json};

/// The members of each cluster.
pub fn members(view: View, form: Form) -> Option<String> {
    let mut all: Vec<Listed> = Vec::new();
    for cluster in [WORKLOAD_CLUSTER.as_str(), MANAGEMENT_CLUSTER.as_str()] {
        let leader = view.etcd_leader(cluster).map(|leader| leader.info.id);
        let is_healthy = |member: &EtcdMember| leader.is_some_and(|leader| member.follows(leader));
        all.extend(view.etcd_members(cluster).into_iter().map(|member| Listed {
            cluster: if cluster == WORKLOAD_CLUSTER.as_str() { "workload" } else { "management" },
            is_healthy: is_healthy(&member),
            member,
        }));
    }
    Some(match form {
        Form::Json | Form::Yaml => list(all.iter().map(Listed::to_json).collect(), form),
        _ if all.is_empty() => return None,
        Form::Name => {
            names(all.iter().map(|one| ("etcdmember".to_owned(), one.member.info.vm.as_str())))
        }
        Form::Table | Form::Wide => {
            let wide: &[&str] = if form == Form::Wide { &WIDE } else { &[] };
            let mut table = Table::new([&PLAIN[..], wide].concat());
            all.iter().for_each(|one| table.push(one.cells()));
            table.to_string()
        }
    })
}

const PLAIN: [&str; 9] =
    ["NAME", "CLUSTER", "STATUS", "HEALTH", "LEADER", "LEARNER", "TERM", "INDEX", "APPLIED"];
const WIDE: [&str; 5] = ["ID", "REVISION", "PEER-URL", "CLIENT-URL", "ERRORS"];

/// What the model does not have, or nobody can tell now.
const UNKNOWN: &str = "<unknown>";
const NONE: &str = "<none>";

/// A member, and what can be found out about it.
struct Listed<'a> {
    cluster: &'static str,
    member: EtcdMember<'a>,
    is_healthy: bool,
}

impl Listed<'_> {
    fn cells(&self) -> Vec<String> {
        let info = self.member.info;
        let status = self.member.status.as_ref();
        let told = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        let errors = status.map(|status| match status.errors.is_empty() {
            true => NONE.to_owned(),
            false => status.errors.join(", "),
        });
        vec![
            info.vm.to_string(),
            self.cluster.to_owned(),
            started(info.started).to_owned(),
            self.is_healthy.to_string(),
            told(status.map(|status| (status.leader == Some(info.id)).to_string())),
            info.learner.to_string(),
            told(status.map(|status| status.term.to_string())),
            told(status.map(|status| status.index.to_string())),
            told(status.map(|status| status.applied.to_string())),
            format!("{:x}", info.id.0),
            told(status.map(|status| status.revision.0.to_string())),
            self.peer_url(),
            self.client_url().unwrap_or_else(|| NONE.to_owned()),
            told(errors),
        ]
    }

    /// In the words of `etcdctl -w json`.
    fn to_json(&self) -> Value {
        let info = self.member.info;
        let status = self.member.status.as_ref().map(|status| {
            json!({
                "leader": status.leader.map(|leader| format!("{:x}", leader.0)),
                "isLeader": status.leader == Some(info.id),
                "raftTerm": status.term,
                "raftIndex": status.index,
                "raftAppliedIndex": status.applied,
                "revision": status.revision.0,
                "errors": status.errors,
            })
        });
        json!({
            "kind": "EtcdMember",
            "name": info.vm,
            "cluster": self.cluster,
            "ID": format!("{:x}", info.id.0),
            "memberStatus": started(info.started),
            "peerURLs": [self.peer_url()],
            "clientURLs": self.client_url().into_iter().collect::<Vec<String>>(),
            "isLearner": info.learner,
            "health": self.is_healthy,
            "status": status,
        })
    }

    fn peer_url(&self) -> String {
        format!("https://{}:2380", self.member.info.vm)
    }

    /// A member tells it when it has started for the first time.
    fn client_url(&self) -> Option<String> {
        let info = self.member.info;
        info.started.then(|| format!("https://{}:2379", info.vm))
    }
}

fn started(is: bool) -> &'static str {
    if is { "started" } else { "unstarted" }
}
