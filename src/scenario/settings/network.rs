//! From the catalog's keys to what lies between VMs: retransmissions, and load balancers.

use super::small;
use crate::components::etcd::PEER_PORT;
use crate::components::load_balancer::{Check, MarkedDown, Rules};
use crate::infra::{Asker, Fallback, KeepAlive, KeepAlives, NoneUp, Retransmission};
use crate::scenario::catalog::Catalog;
use crate::world::ETCD_PORT;

/// How kernels retransmit.
pub fn retransmission(all: &Catalog) -> Retransmission {
    let period = |key: &str| all.period(&format!("network.{key}"));
    let tries = |key: &str| small(all.count(&format!("network.{key}"), 0..=255));
    Retransmission {
        first: period("retransmissionFirst"),
        limit: period("retransmissionLimit"),
        retries: tries("retransmissions"),
        connect_first: period("connectRetransmissionFirst"),
        connect_retries: tries("connectRetransmissions"),
        dial: period("dialTimeout"),
        orphan_retries: tries("orphanRetransmissions"),
    }
}

/// How silent connections are given up: client-go's, those to etcd, and those between its members.
pub fn keep_alives(all: &Catalog) -> KeepAlives {
    let rules = ["kubernetes.http2ReadIdleTimeout", "kubernetes.http2PingTimeout"];
    let usual = KeepAlive::pings(all.duration(rules[0]), all.duration(rules[1]), rules);
    let rules = ["kubernetes.etcdKeepAliveTime", "kubernetes.etcdKeepAliveTimeout"];
    let etcd = KeepAlive::pings(all.period(rules[0]), all.duration(rules[1]), rules);
    let rules = ["etcd.peerKeepAliveIdle", "etcd.peerKeepAliveInterval"];
    let peers = KeepAlive {
        by: Asker::Kernel { probes: small(all.count("etcd.peerKeepAliveProbes", 1..=127)) },
        idle: all.period(rules[0]),
        answer: all.period(rules[1]),
        rules,
    };
    let handshake = "kubernetes.tlsHandshakeTimeout";
    let tls_handshake = (handshake, all.period(handshake));
    KeepAlives { tls_handshake, usual, to_port: [(ETCD_PORT, etcd), (PEER_PORT, peers)].into() }
}

/// How the load balancer before several API servers behaves.
pub fn load_balancer(all: &Catalog) -> Rules {
    let period = |key: &str| all.period(&format!("loadBalancer.{key}"));
    let tries = |key: &str| small(all.count(&format!("loadBalancer.{key}"), 1..=100));
    let choice = |key: &str, words: &[&str]| all.choice(&format!("loadBalancer.{key}"), words);
    Rules {
        check: match choice("check", &["connect", "/healthz", "/readyz", "/livez"]) {
            1 => Check::Get("/healthz"),
            2 => Check::Get("/readyz"),
            3 => Check::Get("/livez"),
            _ => Check::Connect,
        },
        interval: all.rhythm("loadBalancer.checkInterval"),
        connect_timeout: period("checkConnectTimeout"),
        answer_timeout: period("checkAnswerTimeout"),
        fall: tries("fall"),
        rise: tries("rise"),
        marked_down: match choice("markedDown", &["keep", "shutdown-sessions"]) {
            0 => MarkedDown::Keep,
            _ => MarkedDown::Shut,
        },
        fallback: Fallback {
            none_up: match choice("noneUp", &["refuse", "close"]) {
                0 => NoneUp::Refuse,
                _ => NoneUp::Close,
            },
            redispatch: all.rule("loadBalancer.redispatch"),
            connect_timeout: all.duration("loadBalancer.connectTimeout"),
        },
    }
}
