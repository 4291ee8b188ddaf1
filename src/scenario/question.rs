//! What kubectl would get now: a person types it in a copy of the run, which goes on until it has
//! printed something. The run itself does not notice.

use super::faults::{Fault, Kubectl};
use super::simulation::Simulation;
use crate::api::{Kind, ObjectKey};
use crate::engine::{Duration, Text};
use crate::timeline::Entry;

/// What a command on the laptop has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// It has done what it was told.
    Done(Text),
    /// It ends with the exit code 1.
    Failed(Text),
    /// It has been waiting for so long, and a person would press Ctrl-C.
    Waits(Duration),
}

/// A read that waits for etcd is given up by the API server after one minute.
const PATIENCE: Duration = Duration::from_secs(120);

impl Simulation {
    /// What kubectl prints if a person asks for the objects of a kind now, through the endpoint of
    /// the cluster that has it. What the scenario has in store happens while they wait.
    pub fn ask_for(&self, kind: Kind) -> Printed {
        self.typed(Kubectl::get(kind))
    }

    /// The same if he asks for one object.
    pub fn ask_for_one(&self, key: &ObjectKey) -> Printed {
        self.typed(Kubectl::get_one(key))
    }

    fn typed(&self, command: Kubectl) -> Printed {
        let mut copy = self.fork();
        let before = copy.view().timeline().entries().len();
        let end = copy.view().now() + PATIENCE;
        copy.extend_until(end);
        copy.strike(&Fault::Kubectl(command));
        loop {
            let entries = copy.view().timeline().entries();
            if let Some(entry) = entries[before..].iter().find(|entry| is_printed(entry)) {
                let words = entry.message.clone();
                return match entry.reason.is_empty() {
                    true => Printed::Done(words),
                    false => Printed::Failed(words),
                };
            }
            if copy.view().now() >= end || !copy.step() {
                return Printed::Waits(PATIENCE);
            }
        }
    }
}

/// A line of kubectl; while a command of the scenario's own waits as well, the first of both.
fn is_printed(entry: &Entry) -> bool {
    entry.kind == *"Process" && entry.name == *"kubectl@laptop" && entry.field == *"log"
}
