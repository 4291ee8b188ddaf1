//! `get`: what is asked of the simulated kubectl, and of which object.

use super::args::{Common, Moment};
use super::player::{Resource, Scope, View};
use crate::scenario::NO_NAMESPACES;
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use std::ffi::OsStr;

/// Print what kubectl would print at an instant of a run
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "healsim get [OPTIONS] <RESOURCE> [OBJECT] <NAME|FILE> <--at <D>|--after <D>>
       healsim get [OPTIONS] <RESOURCE>/<OBJECT> <NAME|FILE> <--at <D>|--after <D>>"
)]
#[command(group = clap::ArgGroup::new("moment").required(true).args(["at", "after"]))]
#[command(after_help = "Examples:
  healsim get nodes --at 5m30s worker-kubelet-stopped
  healsim get etcd --after 8m etcd-one-of-three
  healsim get pods --after 45s worker-kubelet-stopped -o wide
  healsim get machine worker-0 --after 6m worker-kubelet-stopped -o yaml
  healsim get all --after 6m worker-vm-deleted
  healsim get pods -n kube-system --after 1m etcd-one-of-three
  healsim get events -A --after 10m worker-vm-deleted")]
pub struct Get {
    /// What to print
    #[arg(value_name = "RESOURCE", value_parser = Words)]
    pub what: What,
    /// The name of one object, if one is asked for, and then the scenario: a name or a file
    #[arg(value_name = "NAME|FILE", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// The instant, counted from the run's beginning
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub at: Option<crate::engine::Duration>,
    /// The instant, counted from the first fault
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub after: Option<crate::engine::Duration>,
    /// The draw of everything that is random: the scenario's `seed`, or 1
    #[arg(long, value_name = "N", value_parser = super::args::seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// The namespace to look in: default
    #[arg(short = 'n', long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    pub namespace: Option<String>,
    /// Look in all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// More columns, or the objects themselves: Cluster API's are written in v1beta1 on every platform
    #[arg(short = 'o', value_name = "FORMAT")]
    pub output: Option<View>,
    #[command(flatten)]
    pub common: Common,
}

/// `KIND`, or `KIND/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct What {
    pub resource: Resource,
    pub name: Option<String>,
}

/// Reads it. A kind that is not known is refused as clap does it, with those that are.
#[derive(Clone)]
struct Words;

impl Get {
    /// Fails with what would be right if the words do not fit one another.
    pub fn fits(&self) -> Result<(), String> {
        let Some(name) = self.name() else { return Ok(()) };
        let is_named_twice = self.what.name.is_some() && self.words.len() > 1;
        match self.what.resource {
            _ if is_named_twice => Err(format!("`{name}` is one object; name no other beside it")),
            _ if name.is_empty() => {
                Err("a name is missing after the `/`, as in node/worker-0".to_owned())
            }
            Resource::Vms | Resource::Hosts | Resource::Etcd | Resource::All => {
                Err("of these, all are printed; leave the name out".to_owned())
            }
            // As kubectl says it.
            _ if self.all_namespaces => {
                Err("a resource cannot be retrieved by name across all namespaces".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The scenario: a name or a file.
    pub fn input(&self) -> &str {
        self.words.last().expect("one word at least")
    }

    /// The name of the one object that is asked for.
    pub fn name(&self) -> Option<&str> {
        let beside = self.words.split_last().and_then(|(_, before)| before.first());
        self.what.name.as_deref().or(beside.map(String::as_str))
    }

    /// In which namespaces it looks, if not in `default`.
    pub fn scope(&self) -> Option<Scope> {
        let named = || self.namespace.clone().map(Scope::Namespace);
        if self.all_namespaces { Some(Scope::All) } else { named() }
    }

    /// The instant asked for.
    pub(super) fn moment(&self) -> Moment {
        match (self.at, self.after) {
            (_, Some(after)) => Moment::After(after),
            (at, None) => Moment::At(at.unwrap_or_default()),
        }
    }
}

impl TypedValueParser for Words {
    type Value = What;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<What, clap::Error> {
        let text = value.to_string_lossy();
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (kind, Some(name.to_owned())),
            None => (&*text, None),
        };
        if ["namespaces", "namespace", "ns"].contains(&kind) {
            return Err(command.clone().error(ErrorKind::ValueValidation, NO_NAMESPACES));
        }
        let kinds = EnumValueParser::<Resource>::new();
        let resource = kinds.parse_ref(command, arg, OsStr::new(kind))?;
        Ok(What { resource, name })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let all: Vec<PossibleValue> =
            EnumValueParser::<Resource>::new().possible_values()?.collect();
        Some(Box::new(all.into_iter()))
    }
}
