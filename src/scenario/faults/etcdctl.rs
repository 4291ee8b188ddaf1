//! What a person does to a group of etcd members, in etcdctl's own words.
//!
//! ```text
//! member list | member add VM [--learner] | member remove VM | member promote VM
//! move-leader VM | endpoint status | endpoint health | snapshot save
//! ```
//! `--endpoints=VM` says whose member is asked; the first control plane's, if none is named.
//! Members are named by their VMs.

use super::kind::{FaultKind, Strikes};
use super::reading::Reading;
use super::words::{Flag, Takes, Words, Wrong, unknown};
use crate::components::etcdctl::{Action, Command};
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use crate::scenario::yaml::Spanned;
use crate::world::{Infra, View};

/// `etcdctl: "member remove control-plane-0"`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etcdctl {
    /// As it was written.
    pub text: Text,
    command: Command,
}

const VERBS: [&str; 4] = ["member", "move-leader", "endpoint", "snapshot"];
const OF_MEMBERS: [&str; 4] = ["list", "add", "remove", "promote"];
const OF_ENDPOINTS: [&str; 2] = ["status", "health"];

impl Etcdctl {
    /// Reads a command.
    pub fn read(text: &str) -> Result<Etcdctl, Wrong> {
        let mut words = Words::of(text);
        words.set_flags_apart(&[("--endpoints", Takes::Value), ("--learner", Takes::Nothing)])?;
        let endpoint = match words.flag("--endpoints") {
            Some(Flag { value: "", at, .. }) => {
                return Err((at, "write --endpoints=VM".to_owned()));
            }
            Some(Flag { value, .. }) => Text::from(value),
            None => Text::word("control-plane-0"),
        };
        let (at, verb) = words.next("a command is missing, for example `member list`")?;
        let action = match verb {
            "member" => member(&mut words)?,
            "move-leader" => Action::MoveLeader(vm(&mut words)?),
            "endpoint" => match words.one_of("command", &OF_ENDPOINTS)? {
                "status" => Action::EndpointStatus,
                _ => Action::EndpointHealth,
            },
            "snapshot" => {
                words.one_of("command", &["save"])?;
                Action::SnapshotSave
            }
            _ => return Err((at, unknown("command", verb, &VERBS))),
        };
        words.end()?;
        Ok(Etcdctl { text: Text::from(text.trim()), command: Command { endpoint, action } })
    }
}

impl FaultKind for Etcdctl {
    type Written = Spanned<String>;
    const DOES: &'static str =
        "likewise, to a group of etcd members: \"member remove control-plane-0\"";

    fn from_written(text: &Spanned<String>, reading: &Reading) -> Result<Etcdctl, Mistake> {
        Etcdctl::read(&text.value)
            .map_err(|(at, message)| reading.scenario.source.mistake_after(text, at, message))
    }
}

impl Strikes for Etcdctl {
    /// The member that is asked, wherever it is.
    fn resolve(&self, view: View) -> Option<String> {
        let vm = view.vm(&self.command.endpoint)?;
        Some(format!("EtcdMember/{}", vm.name))
    }

    /// Types it.
    fn inject(&self, infra: &mut Infra) {
        infra.type_etcdctl(self.command.clone());
    }

    fn vms(&mut self) -> Vec<&mut Text> {
        let Command { endpoint, action } = &mut self.command;
        let about = match action {
            Action::MemberAdd { vm, .. }
            | Action::MemberRemove(vm)
            | Action::MemberPromote(vm)
            | Action::MoveLeader(vm) => Some(vm),
            _ => None,
        };
        [endpoint].into_iter().chain(about).collect()
    }

    fn words(&self) -> Text {
        Text::from(format!("etcdctl {}", self.text))
    }
}

fn member(words: &mut Words) -> Result<Action, Wrong> {
    Ok(match words.one_of("command", &OF_MEMBERS)? {
        "list" => Action::MemberList,
        "add" => {
            let learner = words.flag("--learner").is_some();
            Action::MemberAdd { vm: vm(words)?, learner }
        }
        "remove" => Action::MemberRemove(vm(words)?),
        _ => Action::MemberPromote(vm(words)?),
    })
}

fn vm(words: &mut Words) -> Result<Text, Wrong> {
    Ok(Text::from(words.next("the VM of a member is missing")?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_read_as_etcdctl_would() {
        let read =
            |text: &str| Etcdctl::read(text).unwrap_or_else(|wrong| panic!("{wrong:?}")).command;
        let vm = || Text::word("control-plane-1");
        let actions = [
            ("member list", Action::MemberList),
            ("member add control-plane-1", Action::MemberAdd { vm: vm(), learner: false }),
            ("member add control-plane-1 --learner", Action::MemberAdd { vm: vm(), learner: true }),
            ("member remove control-plane-1", Action::MemberRemove(vm())),
            ("member promote control-plane-1", Action::MemberPromote(vm())),
            ("move-leader control-plane-1", Action::MoveLeader(vm())),
            ("endpoint status", Action::EndpointStatus),
            ("endpoint health", Action::EndpointHealth),
            ("snapshot save", Action::SnapshotSave),
        ];
        for (text, action) in actions {
            let command = read(text);
            assert_eq!((command.endpoint.as_str(), command.action), ("control-plane-0", action));
        }
        assert_eq!(read("--endpoints=control-plane-2 member list").endpoint, "control-plane-2");
    }

    #[test]
    fn a_mistake_stands_at_its_letter() {
        let cases = [
            ("", 0, "a command is missing"),
            ("members list", 0, "did you mean `member`?"),
            ("member", 6, "list, add, remove, promote"),
            ("member kick x", 7, "known: list, add"),
            ("member add", 10, "the VM of a member is missing"),
            ("move-leader", 11, "the VM of a member is missing"),
            ("endpoint hashkv", 9, "known: status, health"),
            ("snapshot restore", 9, "known: save"),
            ("member list now", 12, "`now` is not known here"),
            ("--endpoints= member list", 0, "write --endpoints=VM"),
        ];
        for (text, at, words) in cases {
            let (place, message) = Etcdctl::read(text).expect_err(text);
            assert_eq!(place, at, "{text}: {message}");
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
