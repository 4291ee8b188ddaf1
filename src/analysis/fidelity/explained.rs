//! What a recording has and the simulation (almost) never, or at another time, with its explanation.
//!
//! A race that the recording machine's own slowness decided stays visible in the tables; it is not
//! tuned away, and nothing that is not named here is excused.

use super::compare::{Row, Verdict, slack};
use super::steps::Step;
use crate::engine::Duration;

/// A step, written down: role, field, value.
pub type Place = (&'static str, &'static str, &'static str);

/// What is known to differ in one comparison, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// One step, whatever is found about it, and its order among others.
    Step { role: &'static str, field: &'static str, value: &'static str, why: &'static str },
    /// Steps of these roles were recorded later than simulated, by at most so many seconds.
    Late { roles: &'static [&'static str], seconds: u64, why: &'static str },
    /// An answer that a user gets in most simulated runs and did not get when it was recorded: what decides
    /// is chance.
    Chance { user: &'static str, answer: &'static str, why: &'static str },
    /// These steps (role, field, value) were recorded earlier than simulated.
    Earlier { steps: &'static [Place], why: &'static str },
    /// Steps that lead to each other, on a recording machine that was late by up to so many seconds at
    /// each: the n-th may be late by n times as much.
    Chain { links: &'static [&'static [Place]], seconds: u64, why: &'static str },
    /// These fields of one role, whatever is found about them, and their order among others.
    Fields { role: &'static str, fields: &'static [&'static str], why: &'static str },
    /// Two steps of one role, recorded in this order.
    Order {
        role: &'static str,
        first: (&'static str, &'static str),
        second: (&'static str, &'static str),
        why: &'static str,
    },
}

impl Known {
    /// The explanation.
    pub const fn why(&self) -> &'static str {
        match self {
            Known::Step { why, .. }
            | Known::Late { why, .. }
            | Known::Chance { why, .. }
            | Known::Earlier { why, .. }
            | Known::Chain { why, .. }
            | Known::Fields { why, .. }
            | Known::Order { why, .. } => why,
        }
    }

    /// True if it explains why the two sides of a row differ.
    pub fn covers(&self, row: &Row) -> bool {
        match self {
            Known::Step { role, field, value, .. } => is(&row.step, role, (field, value)),
            Known::Late { roles, seconds, .. } => {
                let (Some(recorded), Some(simulated)) = (row.recorded, row.simulated) else {
                    return false;
                };
                let latest = simulated.high + Duration::from_secs(*seconds);
                matches!(row.verdict, Verdict::Outside(_))
                    && roles.contains(&row.step.role.as_str())
                    && simulated.low <= recorded.low
                    && recorded.high <= latest
            }
            Known::Chance { user, answer, .. } => {
                let of_it = row.step.role == *user && row.step.value == *answer;
                let about_it = row.step.role == format!("{user} {answer}");
                row.verdict == Verdict::OnlySimulated && (of_it || about_it)
            }
            Known::Earlier { steps, .. } => {
                steps.iter().any(|place| is_at(&row.step, place)) && is_beyond(row, Side::Before)
            }
            Known::Chain { links, seconds, .. } => {
                let holds = |link: &&[Place]| link.iter().any(|place| is_at(&row.step, place));
                let place = links.iter().position(holds);
                place.is_some_and(|place| {
                    let late = Duration::from_secs(seconds * (place as u64 + 1));
                    is_beyond(row, Side::AfterBy(late))
                })
            }
            Known::Fields { .. } => self.has_field(&row.step),
            Known::Order { .. } => false,
        }
    }

    fn has_field(&self, step: &Step) -> bool {
        matches!(self, Known::Fields { role, fields, .. }
            if step.role == *role && fields.iter().any(|field| step.field.starts_with(field)))
    }

    /// True if it explains why a step comes in other words.
    pub fn covers_words(&self, step: &Step) -> bool {
        let is_it = matches!(self, Known::Step { role, field, value, .. } if is(step, role, (field, value)));
        is_it || self.has_field(step)
    }

    /// True if it explains an order that hardly a simulated run has.
    pub fn covers_order(&self, one: &Step, other: &Step) -> bool {
        match self {
            Known::Step { role, field, value, .. } => {
                [one, other].iter().any(|step| is(step, role, (field, value)))
            }
            Known::Order { role, first, second, .. } => {
                is(one, role, *first) && is(other, role, *second)
            }
            Known::Fields { .. } => self.has_field(one) || self.has_field(other),
            Known::Late { .. }
            | Known::Earlier { .. }
            | Known::Chain { .. }
            | Known::Chance { .. } => false,
        }
    }
}

/// On which side of the simulated times a recorded one may be.
enum Side {
    Before,
    /// After them by no more than this.
    AfterBy(Duration),
}

/// True if all that is wrong with a row is that recorded times are on this side.
fn is_beyond(row: &Row, side: Side) -> bool {
    let (Verdict::Outside(_), Some(recorded), Some(simulated)) =
        (row.verdict, row.recorded, row.simulated)
    else {
        return false;
    };
    match side {
        Side::Before => recorded.high <= simulated.high + slack(recorded.high),
        Side::AfterBy(late) => {
            simulated.low <= recorded.low + slack(recorded.low)
                && recorded.high <= simulated.high + late + slack(recorded.high)
        }
    }
}

fn is_at(step: &Step, (role, field, value): &Place) -> bool {
    is(step, role, (field, value))
}

fn is(step: &Step, role: &str, (field, value): (&str, &str)) -> bool {
    step.role == role && step.field == field && step.value == value
}

const SATURATED: &str = "the recording machine was saturated: a step from reconcile to reconcile took 0.1 to 3 s \
     longer than on an idle one (README of the recordings), and here several follow each other";
const STARTED_SLOWLY: &str = "the new kubelet registered 1.6 to 2.6 s after its start in the three recordings of 1.14.0 \
     that have this phase, and in less than 0.9 s in its others: between, the Machine is looked at, as it is once a second";

/// A kubelet that comes back finds Pods without their containers.
pub const FAKE_PROBES: Known = Known::Step {
    role: "Pod/$pod",
    field: "Ready",
    value: "True",
    why: "the probe manager of a hollow kubelet is fake: the containers of before its restart count as ready until they \
          are found dead, 0.01 to 0.14 s later",
};

/// A Pod whose containers were gone for less time than anybody notices.
pub const NEVER_UNREADY: [Known; 2] = [never_unready("False"), never_unready("True")];

const fn never_unready(value: &'static str) -> Known {
    Known::Step {
        role: "Pod/$pod",
        field: "Ready",
        value,
        why: "the probe manager of a hollow kubelet is fake, and a Pod that was Ready stays so over its restart; a real kubelet \
              says that the containers are gone before it starts them again",
    }
}

/// The Event that came 107 s after what it tells of.
pub const SPAM_FILTER: Known = Known::Step {
    role: "Machine/$victim",
    field: "event",
    value: "MachineMarkedUnhealthy",
    why: "client-go stores no more than 25 Events at once of one object, and then one in 300 s; this Machine's were used up \
          by DetectedUnhealthy, whose recorded counts jump from 10 to 17, so that the seventh of these Events is the \
          first that was stored. Here no Event is dropped",
};

/// The Node was Ready before anybody looked.
pub const READY_AT_ONCE: [Known; 3] = [
    Known::Step {
        role: "Machine/$new",
        field: "NodeHealthy",
        value: "False NodeConditionsFailed",
        why: READY_BEFORE_THE_LOOK,
    },
    Known::Order {
        role: "Machine/$new",
        first: ("NodeHealthy", "True"),
        second: ("nodeRef", "set"),
        why: READY_BEFORE_THE_LOOK,
    },
    Known::Order {
        role: "Machine/$new",
        first: ("NodeHealthy", "True"),
        second: ("phase", "Running"),
        why: READY_BEFORE_THE_LOOK,
    },
];
const READY_BEFORE_THE_LOOK: &str = "the Node was Ready 0.09 s after it registered, and the controller of the saturated \
     machine came to look only then; here a look takes some milliseconds";

/// Two controllers were woken by the same deletion.
pub const CHECK_BEFORE_MACHINE: Known = Known::Order {
    role: "Machine/$victim",
    first: ("OwnerRemediated", "False WaitingForRemediation"),
    second: ("NodeHealthy", "False NodeNotFound"),
    why: "the same deletion wakes the health check and the Machine's controller, and which of them writes first is \
          chance; they are 0.03 s apart in the recording",
};

/// A MachineDeployment that looked once where the model looks twice.
pub const SEEN_ONCE: [Known; 2] = [
    Known::Step { role: "MachineDeployment", field: "replicas", value: "3", why: WRITTEN_LATE },
    Known::Step { role: "MachineDeployment", field: "replicas", value: "4", why: WRITTEN_LATE },
];
const WRITTEN_LATE: &str = "the recorded MachineSet wrote 3 late and 4 0.6 s after it, and the MachineDeployment, which \
     looks once a second, met only the 4";

/// The phase of a Machine whose Node takes its time.
pub const PROVISIONED: Known =
    Known::Step { role: "Machine/$new", field: "phase", value: "Provisioned", why: STARTED_SLOWLY };

/// The first report of one restarted kubelet in fourteen.
pub const CSI_NODE_LATE: [Known; 3] = [
    csi_node_late("Ready", "False KubeletNotReady"),
    csi_node_late("taint not-ready:NoSchedule", "added"),
    csi_node_late("taint not-ready:NoSchedule", "gone"),
];

const fn csi_node_late(field: &'static str, value: &'static str) -> Known {
    Known::Step {
        role: "Node/$victim",
        field,
        value,
        why: "one of fourteen restarted kubelets reported before it had found its own CSINode: seven processes started at \
              once on two saturated cores; here reading it takes no time",
    }
}

/// Many Pods created at once.
pub const COMBINED: Known = Known::Step {
    role: "ReplicaSet",
    field: "event",
    value: "SuccessfulCreate",
    why: "client-go combines Events from the tenth similar one within ten minutes on, and says so; here each stands alone",
};

/// Everything that followed the first delays, up to so many seconds later.
pub const fn late(roles: &'static [&'static str], seconds: u64) -> Known {
    Known::Late { roles, seconds, why: SATURATED }
}

/// Recorded once in seven trials.
const LOOKED_BEFORE_AND_WROTE_AFTER: &str = "recorded once in seven trials, 0.15 s apart: the taint \
     pass looks at the Node, finds it not ready and writes; on the saturated recording machine the \
     Node became Ready between look and write, which here are milliseconds apart \
     (doNoExecuteTaintingPass looks once and writes without looking again)";

/// Recorded once in four trials of Kubernetes 1.34.
const EVENT_CAME_LATE: &str = "recorded once in four trials, 0.27 s apart: both taints follow one \
     status update, NoExecute by a queue that is looked at every 100 ms, NoSchedule by the worker of \
     the Node's event, which came late on the saturated recording machine; here the two writes follow \
     each other by milliseconds and often share a flush of etcd's disk";

/// Orders that are explained in every comparison.
const EVERYWHERE: [Known; 3] = [
    Known::Order {
        role: "Node/$victim",
        first: ("taint unreachable:NoExecute", "added"),
        second: ("taint unreachable:NoSchedule", "added"),
        why: EVENT_CAME_LATE,
    },
    Known::Order {
        role: "Node/$new",
        first: ("Ready", "True KubeletReady"),
        second: ("taint not-ready:NoExecute", "added"),
        why: LOOKED_BEFORE_AND_WROTE_AFTER,
    },
    Known::Order {
        role: "Node/$new",
        first: ("taint not-ready:NoSchedule", "gone"),
        second: ("taint not-ready:NoExecute", "added"),
        why: LOOKED_BEFORE_AND_WROTE_AFTER,
    },
];

/// Why an order is foreign to the simulation, if that is known of every comparison.
pub fn explanation(first: &Step, second: &Step) -> Option<&'static str> {
    EVERYWHERE.iter().find(|known| known.covers_order(first, second)).map(Known::why)
}
