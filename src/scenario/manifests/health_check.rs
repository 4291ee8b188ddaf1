//! A MachineHealthCheck: when a Machine counts as unhealthy, and when too many are.

use super::fields::{Fields, Placed, Unit};
use super::kinds::Version;
use super::{Manifests, Wish};
use crate::api::kinds::{Status, UnhealthyCondition};
use crate::engine::{Duration, Text};
use crate::scenario::mistake::{Mistake, crop};

/// Which Machines a check watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    All,
    Workers,
    ControlPlane,
}

/// The values of a check, as they are written.
#[derive(Debug, Default)]
struct Check {
    unknown: Option<Placed<Duration>>,
    not_ready: Option<Placed<Duration>>,
    others: Vec<Placed<UnhealthyCondition>>,
    most: Option<Placed<String>>,
    range: Option<Placed<String>>,
    startup: Option<Placed<Duration>>,
}

/// `nodeStartupTimeout` where nothing is said: api/core, DefaultNodeStartupTimeout.
const STARTUP: Duration = Duration::from_secs(600);
const HEALED_ELSEWHERE: &str = "a remediation by somebody else than the Machine's owner; the owner \
                                is played";
const MACHINE_CONDITIONS: &str = "only conditions of Nodes are looked at";

/// The settings of a check, and what they are called where the control plane has one of its own.
const KEYS: [(&str, &str); 5] = [
    ("machineHealthCheck.unknownTimeout", "controlPlaneHealthCheck.unknownTimeout"),
    ("machineHealthCheck.falseTimeout", "controlPlaneHealthCheck.falseTimeout"),
    ("machineHealthCheck.maxUnhealthy", "controlPlaneHealthCheck.maxUnhealthy"),
    ("machineHealthCheck.unhealthyRange", "controlPlaneHealthCheck.unhealthyRange"),
    ("machineHealthCheck.nodeStartupTimeout", "controlPlaneHealthCheck.nodeStartupTimeout"),
];

/// What a check wishes, for the control plane's own; none if it is no wish of a check.
pub(super) fn of_plane(wish: &Wish) -> Option<Wish> {
    let (_, key) = KEYS.iter().find(|(key, _)| *key == wish.key)?;
    Some(Wish { key, ..wish.clone() })
}

impl Manifests {
    pub(super) fn health_check(&mut self, root: &Fields, version: Version) -> Result<(), Mistake> {
        let name = self.name(root)?.to_owned();
        let spec = root.needed("spec", "`spec: ...`")?;
        let spec = root.reader.fields(spec, "spec")?;
        let over = self.selected(&spec)?;
        let (what, other) = match over {
            Over::ControlPlane => ("MachineHealthCheck over the control plane", None),
            Over::Workers => ("MachineHealthCheck over the workers", None),
            Over::All => (
                "MachineHealthCheck over the workers",
                Some("MachineHealthCheck over the control plane"),
            ),
        };
        let why = "One over the workers and one over the control plane are played; leave one out";
        for what in std::iter::once(what).chain(other) {
            self.only(root, what, why)?;
        }
        let check = match version {
            Version::V1Beta2 => in_groups(&spec)?,
            _ => flat(&spec)?,
        };
        spec.finish(
            &[
                ("remediationTemplate", HEALED_ELSEWHERE),
                ("unhealthyMachineConditions", MACHINE_CONDITIONS),
            ],
            &["clusterName"],
        );
        root.finish(&[], &["status"]);
        self.apply(root, &name, over, check);
        Ok(())
    }

    fn apply(&mut self, root: &Fields, name: &str, over: Over, check: Check) {
        let none = Placed { value: "none".to_owned(), place: root.place };
        let length = |found: Option<Placed<Duration>>| {
            found.map_or(none.clone(), |Placed { value, place }| Placed {
                value: value.to_string(),
                place,
            })
        };
        let startup = check.startup.or(Some(Placed { value: STARTUP, place: root.place }));
        let all = Placed { value: "100%".to_owned(), place: root.place };
        let values = [
            length(check.unknown),
            length(check.not_ready),
            check.most.unwrap_or(all),
            check.range.unwrap_or(none.clone()),
            length(startup),
        ];
        for Placed { value, place } in &check.others {
            let UnhealthyCondition { kind, status, timeout } = value;
            let key = format!("MachineHealthCheck/{name} {kind}={}", status.name());
            self.take(root, key, timeout.to_string(), *place);
        }
        let wishes = KEYS
            .iter()
            .zip(values)
            .map(|((key, _), Placed { value, place })| Wish::of(root, key, value, place));
        let others: Vec<UnhealthyCondition> =
            check.others.into_iter().map(|condition| condition.value).collect();
        match over {
            Over::ControlPlane => {
                self.control_plane_check =
                    Some(wishes.filter_map(|wish| of_plane(&wish)).collect());
                self.control_plane_conditions = others;
            }
            Over::Workers => {
                self.wishes.extend(wishes);
                self.conditions = others;
                self.control_plane_check.get_or_insert_default();
            }
            Over::All => {
                self.wishes.extend(wishes);
                self.control_plane_conditions.clone_from(&others);
                self.conditions = others;
            }
        }
    }

    /// Which Machines the selector means. Names of clusters and pools are the user's own; here there
    /// are one cluster and one pool.
    fn selected(&mut self, spec: &Fields) -> Result<Over, Mistake> {
        let needed = spec.needed("selector", "`selector: { matchLabels: { ... } }`")?;
        let selector = spec.reader.fields(needed, "spec.selector")?;
        let mut over = Over::All;
        for (key, value) in selector.labels("matchLabels")? {
            match key.name.as_str() {
                CLUSTER => {}
                CONTROL_PLANE => return Ok(Over::ControlPlane),
                name => {
                    over = Over::Workers;
                    let place = spec.reader.place(key.place);
                    self.check_labels.push((name.to_owned(), value.to_owned(), place));
                }
            }
        }
        for item in selector.list("matchExpressions")? {
            let one = spec.reader.fields(item, "spec.selector.matchExpressions")?;
            let key = one.text("key")?.unwrap_or_default();
            match (key, one.text("operator")?.unwrap_or_default()) {
                (CONTROL_PLANE, "Exists") => return Ok(Over::ControlPlane),
                (CONTROL_PLANE, "DoesNotExist") => over = Over::Workers,
                (CLUSTER, _) => {}
                (key, operator) => {
                    over = Over::Workers;
                    let message = format!(
                        "the expression {key} {operator} isn't modeled; this is played as the \
                         check over the workers"
                    );
                    spec.reader.warn(item.place, message);
                }
            }
        }
        Ok(over)
    }
}

const CLUSTER: &str = "cluster.x-k8s.io/cluster-name";
const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";

/// v1beta1.
fn flat(spec: &Fields) -> Result<Check, Mistake> {
    let mut check = Check {
        most: spec.amount("maxUnhealthy")?,
        range: range(spec, "unhealthyRange")?,
        startup: spec.length("nodeStartupTimeout", Unit::Go)?,
        ..Check::default()
    };
    conditions(spec, "unhealthyConditions", ("timeout", Unit::Go), &mut check)?;
    Ok(check)
}

/// v1beta2.
fn in_groups(spec: &Fields) -> Result<Check, Mistake> {
    let mut check = Check::default();
    if let Some(checks) = spec.fields("checks")? {
        check.startup = checks.length("nodeStartupTimeoutSeconds", Unit::Seconds)?;
        let timeout = ("timeoutSeconds", Unit::Seconds);
        conditions(&checks, "unhealthyNodeConditions", timeout, &mut check)?;
        let expressions = "expressions in CEL are not evaluated";
        checks.finish(
            &[
                ("unhealthyMachineConditions", MACHINE_CONDITIONS),
                ("unhealthyExpressions", expressions),
            ],
            &[],
        );
    }
    if let Some(remediation) = spec.fields("remediation")? {
        if let Some(trigger) = remediation.fields("triggerIf")? {
            check.most = trigger.amount("unhealthyLessThanOrEqualTo")?;
            check.range = range(&trigger, "unhealthyInRange")?;
            trigger.finish(&[], &[]);
        }
        remediation.finish(&[("templateRef", HEALED_ELSEWHERE)], &[]);
    }
    Ok(check)
}

/// `[3-5]`.
fn range(fields: &Fields, name: &str) -> Result<Option<Placed<String>>, Mistake> {
    let Some(node) = fields.get(name) else { return Ok(None) };
    let path = fields.path_of(name);
    // Without quotes it is a list of one text.
    let wanted = "a range in quotes, as \"[3-5]\"";
    let text = match &node.value {
        super::tree::Value::Text(text) => text,
        _ => return Err(fields.reader.wrong(node, &path, wanted)),
    };
    let ends = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ends = ends.and_then(|ends| ends.split_once('-'));
    match ends.map(|(low, high)| (low.parse::<u32>(), high.parse::<u32>())) {
        Some((Ok(low), Ok(high))) if low <= high => {
            Ok(Some(Placed { value: text.clone(), place: node.place }))
        }
        _ => Err(fields.reader.wrong(node, &path, wanted)),
    }
}

fn conditions(
    fields: &Fields,
    name: &str,
    (timeout, unit): (&str, Unit),
    check: &mut Check,
) -> Result<(), Mistake> {
    for (number, item) in fields.list(name)?.iter().enumerate() {
        let one = fields.reader.fields(item, &format!("{}[{number}]", fields.path_of(name)))?;
        let kind = one.needed("type", "`type: Ready`")?;
        let kind = fields.reader.text(kind, &one.path_of("type"))?;
        let status = one.needed("status", "`status: Unknown`")?;
        let word = fields.reader.text(status, &one.path_of("status"))?;
        let status = match word {
            "True" => Status::True,
            "False" => Status::False,
            "Unknown" => Status::Unknown,
            other => {
                let message = format!(
                    "`{}` is no status of a condition; write \"True\", \"False\" or Unknown",
                    crop(other)
                );
                return Err(fields.reader.mistake(status.place, message));
            }
        };
        let length = one.needed(
            timeout,
            if unit == Unit::Go { "`timeout: 5m`" } else { "`timeoutSeconds: 300`" },
        )?;
        let value = fields.reader.length(length, &one.path_of(timeout), unit)?;
        one.finish(&[], &[]);
        let placed = Placed { value, place: length.place };
        let slot = match (kind, status) {
            ("Ready", Status::Unknown) => Some(&mut check.unknown),
            ("Ready", Status::False) => Some(&mut check.not_ready),
            _ => None,
        };
        match slot {
            Some(slot) if slot.is_none() => *slot = Some(placed),
            _ => {
                let kind = Text::from(kind);
                let value = UnhealthyCondition { kind, status, timeout: value };
                check.others.push(Placed { value, place: item.place });
            }
        }
    }
    Ok(())
}
