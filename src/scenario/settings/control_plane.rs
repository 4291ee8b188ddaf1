//! The settings of API servers, their clients, and of who is elected beside them.

use super::{size, small};
use crate::client::{
    ClientSettings, ElectionRules, ElectionSettings, RecorderSettings, Renewal, RetrySettings,
    UnansweredPings,
};
use crate::components::apiserver;
use crate::engine::Duration;
use crate::scenario::catalog::Catalog;
use crate::world::ETCD_PORT;
use crate::world::ManagerElections;

/// How every client of an API server behaves.
pub fn client(all: &Catalog) -> ClientSettings {
    ClientSettings {
        request_timeout: all.period("kubernetes.clientRequestTimeout"),
        retries: retries(all),
        relist_first: all.period("kubernetes.relistBackoffFirst"),
        relist_limit: all.period("kubernetes.relistBackoffLimit"),
        relist_jitter_percent: all.count("kubernetes.relistJitterPercent", 0..=1_000),
        relist_reset: all.duration("kubernetes.relistBackoffReset"),
        recorder: RecorderSettings {
            tries: small(all.count("kubernetes.eventTries", 1..=1_000)),
            pause: all.period("kubernetes.eventRetryPause"),
            queue: size(all.count("kubernetes.eventQueue", 1..=1_000_000)),
        },
    }
}

/// When a client of an API server sends a request again by itself.
pub fn retries(all: &Catalog) -> RetrySettings {
    RetrySettings {
        limit: small(all.count("kubernetes.clientRetries", 0..=1_000)),
        pause: all.period("kubernetes.clientRetryPause"),
        unanswered_pings: match all.rule("kubernetes.clientRetriesUnansweredPings") {
            true => UnansweredPings::Retry,
            false => UnansweredPings::Fail,
        },
    }
}

/// How an API server behaves.
pub fn apiserver(all: &Catalog) -> apiserver::Settings {
    let request_timeout = all.period("kubernetes.requestTimeout");
    apiserver::Settings {
        service: all.delay("kubernetes.apiserverService"),
        request_timeout,
        aborted_percent: all.percent("kubernetes.abortedAtDeadlinePercent"),
        // A bound within that of every request, so the shorter of the two decides.
        mutating_timeout: all.period("kubernetes.mutatingRequestTimeout").min(request_timeout),
        default_toleration: all.duration("kubernetes.defaultTolerationSeconds"),
        eviction_tries: small(all.count("kubernetes.evictionTries", 1..=1_000)),
        eviction_pause: all.duration("kubernetes.evictionPause"),
        eviction_retry_after: all.duration("kubernetes.evictionRetryAfter"),
        channel: apiserver::ChannelSettings {
            etcd: ETCD_PORT,
            backoff_first: all.period("kubernetes.etcdBackoffFirst"),
            backoff_limit: all.period("kubernetes.etcdBackoffLimit"),
            backoff_growth_percent: all.count("kubernetes.etcdBackoffGrowthPercent", 100..=1_000),
            jitter_percent: all.count("kubernetes.etcdBackoffJitterPercent", 0..=99),
            min_connect_timeout: all.period("kubernetes.etcdMinConnectTimeout"),
        },
        retry: apiserver::RetrySettings {
            by_client: match all.rule("kubernetes.etcdClientRetries") {
                true => apiserver::Retries::InPlace,
                false => apiserver::Retries::Overwritten,
            },
            pause: all.period("kubernetes.etcdRetryPause"),
            limit: small(all.count("kubernetes.etcdRetryLimit", 1..=1_000)),
        },
        cache: watch_cache(all),
        health_timeout: all.period("kubernetes.etcdHealthcheckTimeout"),
        startup: all.delay("kubernetes.apiserverStartup"),
        dial_timeout: all.period("kubernetes.etcdDialTimeout"),
        removal_timeout: all.period("kubernetes.endpointRemovalTimeout"),
    }
}

fn watch_cache(all: &Catalog) -> apiserver::CacheSettings {
    apiserver::CacheSettings {
        window: size(all.count("kubernetes.watchWindow", 1..=1_000_000)),
        latest_lists: match all.rule("kubernetes.latestListsFromCache") {
            true => apiserver::LatestLists::Cache,
            false => apiserver::LatestLists::Etcd,
        },
        unfilled: match all.rule("kubernetes.unfilledCacheRefuses") {
            true => apiserver::Unfilled::Refuse,
            false => apiserver::Unfilled::Delegate,
        },
        watch_retry: all.duration("kubernetes.etcdWatchRetry"),
        retry_pause: all.period("kubernetes.watchCacheRetryPause"),
        fresh_wait: all.period("kubernetes.watchCacheFreshWait"),
        fresh_retry_after: all.period("kubernetes.watchCacheFreshRetryAfter"),
        unfilled_retry_after: apiserver::UnfilledRetryAfter {
            doubling: all.period("kubernetes.unfilledCacheRetryAfterDoubling"),
            limit: all.period("kubernetes.unfilledCacheRetryAfterLimit"),
        },
    }
}

/// How the controller-manager and the scheduler elect their leaders.
pub fn election(all: &Catalog) -> ElectionSettings {
    election_by(all, "kubernetes.leaderElect", ElectionRules::KUBERNETES)
}

/// How managers of Cluster API elect theirs, and how that of the control plane does.
pub fn manager_elections(all: &Catalog) -> ManagerElections {
    ManagerElections {
        usual: election_by(all, "clusterApi.leaderElect", ElectionRules::CLUSTER_API),
        control_plane: election_by(
            all,
            "clusterApi.controlPlaneLeaderElect",
            ElectionRules::CONTROL_PLANE,
        ),
    }
}

/// An election whose three flags are settings that begin so. Candidates refuse to start with a lease that is
/// not longer than the deadline, and with a deadline that is not longer than 1.2 retries.
fn election_by(all: &Catalog, flags: &str, rules: ElectionRules) -> ElectionSettings {
    let key = |flag: &str| format!("{flags}{flag}");
    let longer = |flag: &str, than: Duration, words: &str| {
        let length = |text: &str| text.parse().ok().filter(|length: &Duration| *length > than);
        all.parsed(&key(flag), &format!("a duration of more than {than}, {words}"), length)
            .unwrap_or_else(|| than + Duration::from_secs(1))
    };
    let retry = all.rhythm(&key("RetryPeriod"));
    let words = format!("1.2 times `{}`", key("RetryPeriod"));
    let deadline = longer("RenewDeadline", retry.scaled(12, 10), &words);
    let words = format!("`{}`", key("RenewDeadline"));
    ElectionSettings {
        lease: longer("LeaseDuration", deadline, &words),
        deadline,
        retry,
        jitter_percent: all.count("kubernetes.leaderElectJitterPercent", 0..=1_000),
        retries: retries(all),
        release_on_cancel: false,
        renewal: renewal(all),
        rules,
    }
}

fn renewal(all: &Catalog) -> Renewal {
    let word = match all.rule("kubernetes.leaderMisspellsOptimistically") {
        true => "optimitically",
        false => "optimistically",
    };
    match all.rule("kubernetes.leaderRenewsUnread") {
        true => Renewal::Unread(word),
        false => Renewal::Read,
    }
}
