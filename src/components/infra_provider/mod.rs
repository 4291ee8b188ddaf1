//! A plain infrastructure provider: keeps InfraMachine objects and VMs equal, and never looks at a
//! VM's power.
//!
//! It knows InfraMachines and the datacenter's management, not Nodes and not why a Machine goes. Where
//! bootstrap data is made for each Machine, it waits for them, as the contract wants it.
//! Follows the contract of Cluster API's infrastructure providers.

#[cfg(test)]
mod tests;

use crate::api::{Answer, Answered, Kind, Object, ObjectKey, Selector, Verb};
use crate::client::{Alarm, Backoff, Client, ClientSettings, News, ShellRules, VcenterClient};
use crate::engine::{Duration, Text};
use crate::infra::{Address, Ctx, Input};
use crate::wire::{DatacenterRequest, Message, TaskEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How the provider behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub client: ClientSettings,
    /// Before a VM's name in its `providerID`.
    pub provider_prefix: Text,
    /// Whether a VM is made only with its Machine's bootstrap data; else it starts by itself.
    pub waits_for_bootstrap: bool,
    /// The pause after a failed request, and its limit.
    pub backoff_first: Duration,
    pub backoff_limit: Duration,
}

/// What the provider reacts to besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Client(Alarm),
    /// Look at an object again.
    Retry(ObjectKey),
}

impl From<Alarm> for Event {
    fn from(alarm: Alarm) -> Event {
        Event::Client(alarm)
    }
}

/// The provider.
#[derive(Clone, Debug)]
pub struct InfraProvider {
    settings: Settings,
    api: Address,
    server: Address,
    client: Client<Token>,
    vcenter: VcenterClient<Task>,
    /// Objects with a write under way.
    writing: BTreeSet<ObjectKey>,
    failures: BTreeMap<ObjectKey, Backoff>,
}

/// What a request was for; each about the InfraMachine of this key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Write(ObjectKey),
    ReadUserData(ObjectKey),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Task {
    key: ObjectKey,
    wish: Wish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    /// With this user data.
    Create(Text),
    Delete,
}

/// Holds an InfraMachine until its VM is gone.
const FINALIZER: Text = Text::word("infrastructure.cluster.x-k8s.io");
const AGENT: &str = "infra-provider";

impl InfraProvider {
    /// A provider with its API server and its datacenter.
    pub fn new(settings: Settings, api: Address, vcenter: Address) -> InfraProvider {
        InfraProvider {
            client: Client::new(0, api, settings.client),
            settings,
            api,
            server: vcenter,
            vcenter: VcenterClient::new(vcenter),
            writing: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        let mut news = Vec::new();
        match input {
            Input::Started(_) => {
                *self = InfraProvider::new(self.settings.clone(), self.api, self.server);
                self.client.watch(ctx, Kind::InfraMachine, Selector::All);
                if self.settings.waits_for_bootstrap {
                    self.client.watch(ctx, Kind::Machine, Selector::All);
                }
            }
            Input::Message(from, Message::DatacenterTask(task, end)) => {
                match self.vcenter.ended(from, task, end) {
                    Some((task, TaskEnd::HostNotConnected | TaskEnd::NoCompatibleHost)) => {
                        self.retry_later(&task.key, ctx);
                    }
                    Some((task, _)) => self.task_ended(&task, ctx),
                    None => {}
                }
            }
            Input::Message(from, message) => {
                self.client.on_message(ctx, from, message, &mut news);
            }
            Input::Broken(connection, how) => {
                for task in self.vcenter.lost(connection).unwrap_or_default() {
                    self.retry_later(&task.key, ctx);
                }
                self.client.on_broken(ctx, connection, how, &mut news);
            }
            Input::Due(Event::Client(alarm)) => self.client.on_alarm(ctx, alarm, &mut news),
            Input::Due(Event::Retry(key)) => self.reconcile(&key, ctx),
            Input::Tick(_)
            | Input::Container(..)
            | Input::VmChanged(_)
            | Input::Host(_)
            | Input::Terminate
            | Input::ProgramEnded(_)
            | Input::FileChanged(_) => {}
        }
        for item in news {
            self.on_news(item, ctx);
        }
    }

    fn on_news(&mut self, news: News<Token>, ctx: &mut Ctx<Event>) {
        match news {
            // A Machine has its provider's object under its own name.
            News::Changed(delta) => {
                let key = ObjectKey { kind: Kind::InfraMachine, ..delta.key().clone() };
                self.reconcile(&key, ctx);
            }
            News::Answer(Token::ReadUserData(key), answered) => {
                self.writing.remove(&key);
                self.user_data_read(&key, &answered, ctx);
            }
            News::Answer(Token::Write(key), answered) => {
                self.writing.remove(&key);
                match answered {
                    Ok(_) => {
                        self.failures.remove(&key);
                        // The watch may have shown the write before its answer came.
                        self.reconcile(&key, ctx);
                    }
                    Err(_) => self.retry_later(&key, ctx),
                }
            }
            News::Synced(_) => {}
        }
    }

    /// Level-triggered: looks at what is, and does the next thing that is missing.
    fn reconcile(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let Some(object) = self.client.caches.get(key).cloned() else { return };
        if self.writing.contains(key) {
            return;
        }
        let Some(infra) = object.infra_machine() else { return };
        if self.settings.waits_for_bootstrap && object.meta.controlled_by(Kind::Machine).is_none() {
            return; // Its Machine has yet to take it over.
        }
        let held = object.meta.finalizers.contains(&FINALIZER);
        if object.meta.is_deleting() {
            if held {
                self.start_task(key, Wish::Delete, ctx);
            }
        } else if !held {
            self.patch(&object, ctx, |new| new.meta.finalizers = Arc::new([FINALIZER]));
        } else if !infra.ready && !infra.provider_id.is_empty() {
            // `spec` and `status` are written by themselves, in this order.
            self.patch(&object, ctx, |new| {
                if let Some(infra) = new.infra_machine_mut() {
                    infra.ready = true;
                }
            });
        } else if !infra.ready && self.settings.waits_for_bootstrap {
            self.read_user_data(key, ctx);
        } else if !infra.ready {
            let user_data = Text::from(format!("kubeadm join --node-name={}", key.name));
            self.start_task(key, Wish::Create(user_data), ctx);
        }
    }

    /// Waits until the Machine has its data; the watch says when.
    fn read_user_data(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let machine = self.client.caches.named(Kind::Machine, &key.namespace, &key.name);
        let Some(machine) = machine.and_then(|machine| machine.machine()) else { return };
        let name = machine.spec.data_secret_name.clone();
        if name.is_empty() || self.is_busy(key) {
            return;
        }
        let secret = ObjectKey { kind: Kind::Secret, namespace: key.namespace.clone(), name };
        self.writing.insert(key.clone());
        self.client.ask(ctx, AGENT, Verb::Get(secret), Token::ReadUserData(key.clone()));
    }

    fn user_data_read(&mut self, key: &ObjectKey, answered: &Answered, ctx: &mut Ctx<Event>) {
        let found = answered.as_ref().ok().and_then(Answer::object);
        let user_data = found.and_then(|found| found.secret()?.user_data().cloned());
        let goes = self.client.caches.get(key).is_none_or(|object| object.meta.is_deleting());
        match user_data {
            // It was deleted while its data were read.
            _ if goes => self.reconcile(key, ctx),
            Some(user_data) => {
                self.failures.remove(key);
                self.start_task(key, Wish::Create(user_data), ctx);
            }
            None => self.retry_later(key, ctx),
        }
    }

    fn start_task(&mut self, key: &ObjectKey, wish: Wish, ctx: &mut Ctx<Event>) {
        let task = Task { key: key.clone(), wish: wish.clone() };
        if self.is_busy(key) {
            return;
        }
        let vm = key.name.clone();
        let request = match wish {
            Wish::Create(user_data) => {
                DatacenterRequest::Clone { uuid: Some(vm.clone()), vm, user_data }
            }
            Wish::Delete => DatacenterRequest::Destroy { vm },
        };
        self.vcenter.ask(ctx, request, task);
    }

    /// A VM that is still being cloned is not there yet to be deleted.
    fn is_busy(&self, key: &ObjectKey) -> bool {
        self.vcenter.tasks().any(|running| running.key == *key)
    }

    /// A VM of the name existed already, or exists now: both are what was wished for.
    fn task_ended(&mut self, task: &Task, ctx: &mut Ctx<Event>) {
        let Some(object) = self.client.caches.get(&task.key).cloned() else { return };
        match task.wish {
            Wish::Delete => self.patch(&object, ctx, |new| new.meta.finalizers = Arc::new([])),
            Wish::Create(_) => {
                let provider_id =
                    Text::from(format!("{}{}", self.settings.provider_prefix, task.key.name));
                self.patch(&object, ctx, |new| {
                    if let Some(infra) = new.infra_machine_mut() {
                        infra.provider_id = provider_id;
                    }
                });
            }
        }
    }

    fn patch(
        &mut self,
        object: &Arc<Object>,
        ctx: &mut Ctx<Event>,
        change: impl FnOnce(&mut Object),
    ) {
        let mut changed = Object::clone(object);
        change(&mut changed);
        let verb = Verb::Patch { base: object.clone(), changed: Arc::new(changed) };
        self.writing.insert(object.key().clone());
        self.client.ask(ctx, AGENT, verb, Token::Write(object.key().clone()));
    }

    fn retry_later(&mut self, key: &ObjectKey, ctx: &mut Ctx<Event>) {
        let first = Backoff::new(self.settings.backoff_first, self.settings.backoff_limit);
        let backoff = self.failures.entry(key.clone()).or_insert(first);
        let (rule, pause) = backoff.fail(&ShellRules::CONTROLLER_RUNTIME.backoff);
        ctx.after(rule, pause, Event::Retry(key.clone()));
    }
}
