//! What differs from a recording of a control plane, by name and with its reason. What is not named here counts as
//! a disagreement.

use super::super::explained::Known;

const LATE_PROCESSES: &str = "two members of etcd were being started on saturated cores, and requests took up to 2 s \
     meanwhile";
const AT_DEADLINE: &str = "a race at a reading request's deadline between its handler and the filter that answers for \
     it (apiserver filters/timeout.go): of 25 such requests in the recordings 7 were ended without an answer, and \
     each of these users has only two or three";
const UNDER_WAY: &str = "the one request that was under way when the member was killed: it had taken 0.35 s by then on \
     saturated cores, and here takes milliseconds";
const TURNS: &str = "the member reads for all who wait in rounds of 7 s, and whoever has just been answered takes part \
     in every second one: which of two rounds sees the new leader is chance";
const DRIFT: &str = "twenty requests in a row took 7.01 to 7.98 s, and the last of them lasted until there was a \
     quorum again; here they drift less, so the last may be sent before it and wait";
const CHECKS: &str = "both checks have a channel of their own, and which finds its member first is chance; and whoever \
     comes within a second after another is told what was found before";
const BOOKMARK: &str = "the one kubelet of five that heard something between its last renewal and the fault, 0.3 s \
     before it: a watch's bookmark, of which an API server sends one a minute, and here none";

const LISTENS: &str = "a new API server listens only when it has made its storage, 0.3 to 2.6 s after its start; here \
     it listens at once (Simplified)";
const SATURATED_START: &str = "the starting server accepted connections and answered nobody within 2 s for 10 to 13 s, \
     on saturated cores; here it says 500 meanwhile";

const LISTED_AGAIN: &str = "a list that the starting server accepted and did not answer within the 10 s of a TLS \
     handshake, on saturated cores, was made again after 30 to 60 s; here it waits and is answered";
const SLOW_START: &str = "the longest starts of a controller-manager took 3.1 to 3.7 s on saturated cores, which add seconds \
     to the start of a process (README of the recordings)";

const ABORTED: &str = "error aborted without an answer";
const TIMEOUT: &str = "504 Timeout: request did not complete within the allotted timeout";
const ETCD: &str = "500 [-]etcd failed: reason withheld";
const READINESS: &str = "500 [-]etcd-readiness failed: reason withheld";

/// The lost quorum of 1.34.4.
pub const QUORUM_1_34: [Known; 7] = [
    Known::Late {
        roles: &["Probe/list-pods@api-0 well again", "Probe/readyz@api-0 well again"],
        seconds: 3,
        why: LATE_PROCESSES,
    },
    chance("Probe/get-node@api-1", TIMEOUT, AT_DEADLINE),
    chance("Probe/list-pods@api-1", ABORTED, AT_DEADLINE),
    chance("Probe/readyz@api-0", ETCD, CHECKS),
    chance("Probe/readyz@api-0", READINESS, CHECKS),
    chance("Probe/readyz@api-1", ETCD, CHECKS),
    chance("Probe/readyz@api-1", READINESS, CHECKS),
];

/// The lost quorum of 1.30.14.
pub const QUORUM_1_30: [Known; 11] = [
    Known::Step {
        role: "Probe/list-pods@api-1",
        field: "answered",
        value: "500 rpc error: code = Unavailable desc = error reading from server: read tcp $address: read: \
                connection reset by peer",
        why: UNDER_WAY,
    },
    Known::Step {
        role: "Probe/list-pods@api-1 500 rpc error: code = Unavailable desc = error reading from server: read tcp \
               $address: read: connection reset by peer",
        field: "took",
        value: "at once",
        why: UNDER_WAY,
    },
    Known::Step { role: "Probe/write@api-0 well again", field: "took", value: "200", why: DRIFT },
    chance("Probe/get-node@api-1", ABORTED, AT_DEADLINE),
    chance("Probe/list-pods@api-1", ABORTED, AT_DEADLINE),
    chance("Probe/list-pods@api-0", "500 etcdserver: leader changed", TURNS),
    chance("Probe/livez@api-1", ETCD, CHECKS),
    chance("Probe/readyz@api-0", ETCD, CHECKS),
    chance("Probe/readyz@api-0", READINESS, CHECKS),
    chance("Probe/readyz@api-1", ETCD, CHECKS),
    chance("Probe/readyz@api-1", READINESS, CHECKS),
];

/// A silent API server of 1.34.4.
pub const SILENT: [Known; 1] =
    [Known::Late { roles: &["Lease/$pinned pause"], seconds: 6, why: BOOKMARK }];

/// The API server that is away for a minute.
pub const DOWN_FOR_60_S: [Known; 5] = [
    Known::Late { roles: &["Lease/kube-scheduler"], seconds: 12, why: LISTED_AGAIN },
    Known::Late { roles: &["Process/kube-controller-manager life"], seconds: 2, why: SLOW_START },
    Known::Step { role: "Probe/readyz", field: "status", value: "500", why: SATURATED_START },
    Known::Step { role: "Probe/readyz", field: "status", value: "refused", why: LISTENS },
    Known::Step { role: "Probe/readyz", field: "status", value: "timeout", why: SATURATED_START },
];

const BUSY: &str =
    "kubectl itself took up to 4 s longer on saturated cores while several ran at once";

/// What kubectl prints.
pub const WORDS: [Known; 1] = [Known::Late {
    roles: &[
        "kubectl create: error: failed to create $kind: Timeout: request did not complete within requested timeout \
         - context deadline exceeded",
        "kubectl get pods: Error from server (Timeout): the server was unable to return a response in the time \
         allotted, but may still be processing the request (get pods)",
        "kubectl scale deployment: error: no objects passed to scale the server was unable to return a response in \
         the time allotted, but may still be processing the request (get deployments.apps web)",
    ],
    seconds: 4,
    why: BUSY,
}];

const fn chance(user: &'static str, answer: &'static str, why: &'static str) -> Known {
    Known::Chance { user, answer, why }
}
