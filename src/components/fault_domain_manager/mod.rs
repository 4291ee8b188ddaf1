//! vSphere HA's agent on a host (Fault Domain Manager): the agents elect a primary; it declares
//! hosts dead whose heartbeats have stopped, and has other hosts power on what ran there.
//!
//! ```text
//! secondary silent   10 s unreachable, 18 s dead ─> placement ─> other hosts power VMs on
//! primary silent     10 s ─> election of 15 s ─> the new primary looks for what is dead
//! ```
//! It knows VMs by where they are registered and whether somebody switched them off; nothing of
//! Kubernetes. Follows the vSphere Availability guide and yellow-bricks.com on its sequence.
//! Simplified: networks of hosts do not part and no datastore is lost, so nobody is isolated, and who
//! is up in an election or has touched its datastores is read from the hosts themselves.

mod restarts;
#[cfg(test)]
mod tests;

use crate::engine::{Delay, Duration, Generation, SimTime, Text, Timer};
use crate::infra::{Ctx, HostChange, HostNews, Input, Start, Trace};
use restarts::Restarts;
use std::collections::{BTreeMap, BTreeSet};

/// How the agents behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A secondary that was silent for so long is unreachable, and pinged.
    pub unreachable: Duration,
    /// One that was silent for so long, on its datastores too, is dead.
    pub dead: Duration,
    /// The secondaries elect when the primary was silent for so long.
    pub election_begins: Duration,
    /// How long an election takes.
    pub election: Duration,
    /// From the verdict until hosts are told what to power on.
    pub placement: Delay,
    /// Until a host has powered a VM on.
    pub power_on: Delay,
    /// From power-on until the guest's units start.
    pub boot: Delay,
    /// How many VMs a host powers on at once.
    pub batch: usize,
    /// How often it is tried to power a VM on, and the pause after the first failure, which doubles
    /// up to the limit.
    pub tries: u32,
    pub pause: Duration,
    pub pause_limit: Duration,
    /// The VMs of restart priority `high`: a pattern of names. All others have `medium`.
    pub high_priority: Text,
}

/// What an agent reacts to besides news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A host has been silent for so long since then.
    Unreachable(Text, Generation),
    Dead(Text, Generation),
    /// The primary, this host, was silent for so long.
    ElectionBegins(Text, Generation),
    ElectionEnds(Generation),
    /// It is decided where lost VMs go.
    Placed,
    /// A host has had the time to power a VM on.
    PoweredOn(Text, Text),
    /// A VM that could not be powered on is looked at again.
    Again(Text),
}

/// What an agent is, in the words of `dasHostState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Primary,
    Secondary,
    Electing,
}

/// The agent of one host.
#[derive(Clone, Debug)]
pub struct FaultDomainManager {
    settings: Settings,
    role: Role,
    /// Whom it follows.
    primary: Option<Text>,
    /// Hosts whose heartbeats have stopped, and since when.
    silent: BTreeMap<Text, Silence>,
    election: Timer,
    restarts: Restarts,
}

#[derive(Clone, Debug, Default)]
struct Silence {
    since: SimTime,
    timer: Timer,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    #[default]
    None,
    Unreachable,
    Dead,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Role::Primary => "master",
            Role::Secondary => "connectedToMaster",
            Role::Electing => "election",
        }
    }
}

const DOWN: &str = "hostDown";

/// Who wins an election: all see the same datastores, so the highest identifier does, compared as
/// a text.
pub fn winner<'a>(hosts: impl Iterator<Item = &'a Text>) -> Option<&'a Text> {
    hosts.max()
}

/// The state of a host when all have long been up.
pub fn state_at_first<'a>(host: &Text, hosts: impl Iterator<Item = &'a Text>) -> &'static str {
    let role = if winner(hosts) == Some(host) { Role::Primary } else { Role::Secondary };
    role.word()
}

impl FaultDomainManager {
    /// An agent that has not been started yet.
    pub fn new(settings: Settings) -> FaultDomainManager {
        FaultDomainManager {
            settings,
            role: Role::Electing,
            primary: None,
            silent: BTreeMap::new(),
            election: Timer::default(),
            restarts: Restarts::default(),
        }
    }

    /// The state of a host as this agent, which runs on `own`, tells it; nothing if it does not.
    pub fn state_of(&self, host: &Text, own: &Text) -> Option<&'static str> {
        if host == own {
            return Some(self.role.word());
        }
        let silence = self.silent.get(host).filter(|_| self.role == Role::Primary)?;
        Some(self.told(host, silence.verdict))
    }

    /// Reacts to one event.
    pub fn on_event(&mut self, input: Input<Event>, ctx: &mut Ctx<Event>) {
        match input {
            Input::Started(start) => self.start(start, ctx),
            Input::Host(HostNews::Silent(host)) => self.fell_silent(host, ctx),
            Input::Host(HostNews::Heard(host)) => self.heard(&host, ctx),
            Input::Host(HostNews::Leads(host)) => self.follow(host, ctx),
            Input::Due(Event::Unreachable(host, due)) => {
                self.pass(&host, due, Verdict::Unreachable, ctx);
            }
            Input::Due(Event::Dead(host, due)) => {
                self.pass(&host, due, Verdict::Dead, ctx);
                self.look_for_lost(ctx);
            }
            Input::Due(Event::ElectionBegins(host, due)) => {
                let silence = self.silent.get(&host);
                if silence.is_some_and(|silence| silence.timer.is_current(due)) {
                    self.elect(ctx);
                }
            }
            Input::Due(Event::ElectionEnds(due)) => self.count_votes(due, ctx),
            Input::Due(Event::Placed) => self.place(ctx),
            Input::Due(Event::PoweredOn(vm, host)) => self.power_on(vm, &host, ctx),
            Input::Due(Event::Again(vm)) => {
                self.restarts.pausing.remove(&vm);
                self.look_for_lost(ctx);
            }
            _ => {}
        }
    }

    /// An agent that starts with its host does not know whether there is a primary.
    fn start(&mut self, start: Start, ctx: &mut Ctx<Event>) {
        *self = FaultDomainManager::new(self.settings.clone());
        if start == Start::Fresh {
            ctx.trace(changed(ctx.host(), DOWN, self.role.word()));
            let due = self.election.restart();
            ctx.after("vsphere.haElection", self.settings.election, Event::ElectionEnds(due));
            return;
        }
        let Some(inventory) = ctx.inventory() else { return };
        self.primary = winner(inventory.hosts().map(|(host, _)| host)).cloned();
        self.role = match self.primary.as_ref() == Some(ctx.host()) {
            true => Role::Primary,
            false => Role::Secondary,
        };
    }

    fn fell_silent(&mut self, host: Text, ctx: &mut Ctx<Event>) {
        let silence = self.silent.entry(host.clone()).or_default();
        *silence = Silence { since: ctx.now(), timer: silence.timer.clone(), ..Silence::default() };
        let due = silence.timer.restart();
        if self.role == Role::Primary {
            let limit = self.settings.unreachable;
            ctx.after("vsphere.haUnreachable", limit, Event::Unreachable(host.clone(), due));
            ctx.after("vsphere.haDead", self.settings.dead, Event::Dead(host, due));
        } else if self.primary.as_ref() == Some(&host) {
            let pause = self.settings.election_begins;
            ctx.after("vsphere.haElectionBegins", pause, Event::ElectionBegins(host, due));
        }
    }

    /// A host is there again; what was registered with it is off, if nobody has taken it over.
    fn heard(&mut self, host: &Text, ctx: &mut Ctx<Event>) {
        self.silent.remove(host);
        if self.role == Role::Primary {
            ctx.tell_hosts(HostNews::Leads(ctx.host().clone()));
            self.look_for_lost(ctx);
        }
    }

    /// Of two primaries that meet the one with the lower identifier steps down.
    fn follow(&mut self, host: Text, ctx: &mut Ctx<Event>) {
        if self.role == Role::Primary && host < *ctx.host() {
            return ctx.tell_hosts(HostNews::Leads(ctx.host().clone()));
        }
        self.become_role(Role::Secondary, ctx);
        self.primary = Some(host);
        self.restarts = Restarts::default();
    }

    /// A verdict on a host that is still silent, by the primary.
    fn pass(&mut self, host: &Text, due: Generation, verdict: Verdict, ctx: &mut Ctx<Event>) {
        let found = self.silent.get(host);
        let is_due = |silence: &Silence| silence.timer.is_current(due) && silence.verdict < verdict;
        if self.role == Role::Primary && found.is_some_and(is_due) {
            self.judge(host, verdict, ctx);
        }
    }

    fn judge(&mut self, host: &Text, verdict: Verdict, ctx: &mut Ctx<Event>) {
        let Some(silence) = self.silent.get_mut(host) else { return };
        let before = std::mem::replace(&mut silence.verdict, verdict);
        ctx.trace(changed(host, self.told(host, before), self.told(host, verdict)));
    }

    /// A verdict in the words of `dasHostState`.
    fn told(&self, host: &Text, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Unreachable => "fdmUnreachable",
            Verdict::Dead => DOWN,
            Verdict::None if self.primary.as_ref() == Some(host) => Role::Primary.word(),
            Verdict::None => Role::Secondary.word(),
        }
    }

    fn elect(&mut self, ctx: &mut Ctx<Event>) {
        self.become_role(Role::Electing, ctx);
        let due = self.election.restart();
        ctx.after("vsphere.haElection", self.settings.election, Event::ElectionEnds(due));
    }

    /// The winner says so; the others wait for its word, and elect again if it does not come. Who is
    /// up has told all others during the election.
    fn count_votes(&mut self, due: Generation, ctx: &mut Ctx<Event>) {
        if self.role != Role::Electing || !self.election.is_current(due) {
            return;
        }
        let Some(inventory) = ctx.inventory() else { return };
        let up =
            inventory.hosts().filter(|(host, is_up)| *is_up && !self.silent.contains_key(*host));
        if winner(up.map(|(host, _)| host)) != Some(ctx.host()) {
            let due = self.election.restart();
            return ctx.after(
                "vsphere.haElection",
                self.settings.election,
                Event::ElectionEnds(due),
            );
        }
        self.become_role(Role::Primary, ctx);
        ctx.tell_hosts(HostNews::Leads(ctx.host().clone()));
        self.take_over(ctx);
        self.primary = Some(ctx.host().clone());
        self.look_for_lost(ctx);
    }

    /// A new primary counts silences from their beginning. A host that it has never heard of has
    /// not touched its datastores since this agent runs.
    fn take_over(&mut self, ctx: &mut Ctx<Event>) {
        let Some(inventory) = ctx.inventory() else { return };
        for (host, _) in inventory.hosts().filter(|(_, is_up)| !is_up) {
            let Some(silence) = self.silent.get_mut(host) else {
                let silence = Silence { verdict: Verdict::Dead, ..Silence::default() };
                self.silent.insert(host.clone(), silence);
                continue;
            };
            let due = silence.timer.restart();
            let rest = self.settings.dead.saturating_sub(ctx.now().since(silence.since));
            match rest.is_zero() {
                true => self.judge(host, Verdict::Dead, ctx),
                false => ctx.after("vsphere.haDead", rest, Event::Dead(host.clone(), due)),
            }
        }
    }

    fn become_role(&mut self, role: Role, ctx: &mut Ctx<Event>) {
        let before = std::mem::replace(&mut self.role, role);
        if before != role {
            ctx.trace(changed(ctx.host(), before.word(), role.word()));
        }
    }

    /// True for a host that has been silent for so long that it is not counted on.
    fn is_missed(&self, host: &Text, now: SimTime) -> bool {
        self.silent.get(host).is_some_and(|silence| {
            silence.verdict == Verdict::Dead
                || now.since(silence.since) >= self.settings.unreachable
        })
    }

    /// The hosts of which no VM can run any more.
    fn dead(&self) -> BTreeSet<&Text> {
        let dead = self.silent.iter().filter(|(_, silence)| silence.verdict == Verdict::Dead);
        dead.map(|(host, _)| host).collect()
    }
}

fn changed(host: &Text, from: &'static str, to: &'static str) -> Trace {
    let (kind, name, field) = ("Host", host.clone(), "dasHostState");
    Trace::Host(Box::new(HostChange { kind, name, field, from, to }))
}
