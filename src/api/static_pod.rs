//! The manifest of a static Pod, and the file in which a kubelet finds it.
//!
//! Whoever writes the file is not known here: the world at the beginning, a person, `kubeadm join`.
//! Follows `k/k:cmd/kubeadm/app/util/staticpod`. Simplified: one container, named like its Pod.

use crate::engine::{Duration, Text};

/// The folder in which a kubelet looks for manifests (`staticPodPath`).
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPodManifest {
    /// The Pod's name without its Node's, which is its container's too, and the program in it.
    pub name: Text,
    /// `terminationGracePeriodSeconds`.
    pub grace: Duration,
    pub probes: Vec<ProbeSpec>,
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeKind {
    /// The others wait until it has succeeded.
    Startup,
    Liveness,
    Readiness,
}

/// A probe by HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSpec {
    pub kind: ProbeKind,
    pub port: u16,
    pub path: &'static str,
    /// From the container's start until the first try.
    pub initial_delay: Duration,
    pub period: Duration,
    pub timeout: Duration,
    /// So many failures in a row count.
    pub failure_threshold: u32,
}

/// What can be asked for; a health check names one of these.
const PATHS: [&str; 6] = [
    "/livez",
    "/readyz",
    "/healthz",
    "/health",
    "/health?exclude=NOSPACE&serializable=true",
    "/health?serializable=false",
];

impl ProbeKind {
    /// All kinds, in the order in which they matter.
    pub const ALL: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness];

    /// As events and logs begin with it.
    pub const fn name(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        }
    }

    /// The field of a container.
    const fn field(self) -> &'static str {
        match self {
            ProbeKind::Startup => "startupProbe:",
            ProbeKind::Liveness => "livenessProbe:",
            ProbeKind::Readiness => "readinessProbe:",
        }
    }
}

impl StaticPodManifest {
    /// The path of its file.
    pub fn path(&self) -> Text {
        Text::from(format!("{MANIFESTS}/{}.yaml", self.name))
    }

    /// The file's content.
    pub fn to_file(&self) -> Text {
        let StaticPodManifest { name, grace, probes } = self;
        let mut text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: kube-system\n\
             spec:\n  terminationGracePeriod: {grace}\n  containers:\n  - image: {name}\n"
        );
        for probe in probes {
            let ProbeSpec { kind, port, path, initial_delay, period, timeout, .. } = probe;
            text += &format!(
                "    {}\n      port: {port}\n      path: {path}\n      \
                 initialDelay: {initial_delay}\n      period: {period}\n      \
                 timeout: {timeout}\n      failureThreshold: {}\n",
                kind.field(),
                probe.failure_threshold
            );
        }
        Text::from(text)
    }

    /// What a file says, or what is wrong with it.
    pub fn from_file(text: &str) -> Result<StaticPodManifest, String> {
        let lines = || text.lines().map(str::trim);
        let missing = |field: &str| format!("couldn't parse as pod: no `{field}`");
        lines().find(|line| *line == "kind: Pod").ok_or_else(|| missing("kind: Pod"))?;
        let name = lines().find_map(|line| line.strip_prefix("name: "));
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| missing("metadata.name"))?;
        let grace = field(lines(), "terminationGracePeriod")?;
        let mut probes = Vec::new();
        for kind in ProbeKind::ALL {
            let mut rest = lines().skip_while(|line| *line != kind.field());
            if rest.next().is_some() {
                probes.push(probe(kind, rest)?);
            }
        }
        Ok(StaticPodManifest { name: Text::from(name), grace, probes })
    }
}

fn probe<'a>(
    kind: ProbeKind,
    lines: impl Iterator<Item = &'a str> + Clone,
) -> Result<ProbeSpec, String> {
    let path: String = field(lines.clone(), "path")?;
    let known = PATHS.into_iter().find(|known| **known == path);
    let period: Duration = field(lines.clone(), "period")?;
    if period.is_zero() {
        return Err(format!(
            "couldn't parse as pod: {} period: must be greater than 0",
            kind.name()
        ));
    }
    Ok(ProbeSpec {
        kind,
        port: field(lines.clone(), "port")?,
        path: known.ok_or_else(|| format!("couldn't parse as pod: path `{path}`"))?,
        initial_delay: field(lines.clone(), "initialDelay")?,
        period,
        timeout: field(lines.clone(), "timeout")?,
        failure_threshold: field(lines, "failureThreshold")?,
    })
}

/// The first field of this name.
fn field<'a, T: std::str::FromStr>(
    mut lines: impl Iterator<Item = &'a str>,
    name: &str,
) -> Result<T, String> {
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let value = value.ok_or_else(|| format!("couldn't parse as pod: no `{name}`"))?;
    value.parse().map_err(|_| format!("couldn't parse as pod: {name} `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(probes: Vec<ProbeSpec>) -> StaticPodManifest {
        StaticPodManifest { name: Text::word("etcd"), grace: Duration::from_secs(30), probes }
    }

    fn spec(kind: ProbeKind, path: &'static str) -> ProbeSpec {
        let (initial_delay, period) = (Duration::ZERO, Duration::from_secs(1));
        let timeout = Duration::from_secs(15);
        let failure_threshold = 3;
        ProbeSpec { kind, port: 2381, path, initial_delay, period, timeout, failure_threshold }
    }

    #[test]
    fn what_is_written_is_what_a_kubelet_reads() {
        let all = [
            vec![],
            vec![spec(ProbeKind::Readiness, "/readyz")],
            vec![spec(ProbeKind::Startup, PATHS[5]), spec(ProbeKind::Liveness, PATHS[4])],
        ];
        for probes in all {
            let manifest = manifest(probes);
            let file = manifest.to_file();
            assert_eq!(StaticPodManifest::from_file(&file), Ok(manifest), "{file}");
        }
    }

    #[test]
    fn a_file_that_is_no_pod_is_refused_with_what_is_wrong() {
        let good = manifest(vec![spec(ProbeKind::Liveness, "/livez")]).to_file();
        for (from, to, wrong) in [
            ("kind: Pod", "kind: Job", "kind: Pod"),
            ("name: etcd", "name: ", "metadata.name"),
            ("path: /livez", "path: /other", "`/other`"),
            ("port: 2381", "port: many", "`many`"),
            ("period: 1s", "period: 0s", "greater than 0"),
            ("timeout: 15s", "", "no `timeout`"),
        ] {
            let file = good.replace(from, to);
            let error = StaticPodManifest::from_file(&file).expect_err(to);
            assert!(error.contains(wrong), "{error}");
        }
        assert!(StaticPodManifest::from_file("").is_err());
    }
}
