//! Groups of etcd's members that rest: their ticks and heartbeats would change nothing, and are not
//! played.
//!
//! A group goes to rest at a tick of its leader, while every member follows it but those that are
//! gone and given up, and whom nothing reaches that is posted to them, nothing is under way but
//! reads, writes and dials to who is gone, no link between them is cut, slow or loses anything, and
//! no disk of theirs is ill. It is woken before anything happens that could make a difference: a
//! fault, the end or the start of a process on its VMs, a message that is not routine, more to write
//! for a disk that writes, more to send behind what waits unplayed. From what has been noted
//! meanwhile (when each disk was busy, and which follower behind) follows when each tick would have
//! been taken, each heartbeat heard and answered; members are told, and what would be on its way is
//! queued. Everything from there on is as if all had been played.
//!
//! Two events of one microsecond are in the order of their keys here too, but for the beginning or the
//! end of a write, or of a follower's being behind, and a tick or heartbeat that comes with it.
//!
//! | file | is |
//! |---|---|
//! | `heartbeats` | what came of a leader's heartbeats |
//! | `quiet` | whether anything falls due |
//! | `reads` | reads that nothing can disturb |
//! | `renewals` | renewals of Leases that nothing can disturb |
//! | `requests` | requests to API servers that nothing can disturb |
//! | `probes` | probes of API servers that nothing can disturb |
//! | `sleep` | tickers that would find nothing to do |
//! | `ticks` | when a member would have ticked |

mod heartbeats;
mod probes;
mod quiet;
mod reads;
mod renewals;
mod requests;
mod sleep;
mod ticks;

use super::core::{Core, Payload, What, World, purpose};
use super::process::{Event, Process};
use crate::components::etcd::{
    Etcd, Heard, PEER_PORT, Passed, Poise, is_routine as is_routine_message, is_routine_timer,
    is_to_write, may_propose, may_send, may_send_later,
};
use crate::engine::{Duration, Key, SimTime, Text};
use crate::infra::{ConnectionId, DiskHealth, ProcessId};
use crate::raft::{MemberId, Term};
use crate::timeline::Cause;
use crate::wire::{Message, PeerMessage};
use heartbeats::{Pair, sent};
use ticks::{Disk, Latest, Spans, Ticks};

/// The groups that rest, and what those have to be told that were woken.
#[derive(Clone, Debug, Default)]
pub(super) struct Rests {
    /// Every heartbeat is played.
    pub is_dense: bool,
    groups: Vec<Group>,
    /// Until this time members of a group are ahead of it: nothing may reach them.
    ahead_until: SimTime,
    untold: Vec<(ProcessId, Passed)>,
}

/// A group that rests; the leader is the first of its members.
#[derive(Clone, Debug)]
struct Group {
    since: SimTime,
    term: Term,
    members: Vec<Member>,
    /// How long the leader's heartbeats take to a quorum and back, if no disk is busy.
    confirmation: Duration,
    /// When the leader sent heartbeats for reads that were not played, the last first.
    asked: Latest<SimTime>,
}

#[derive(Clone, Debug)]
struct Member {
    process: ProcessId,
    id: MemberId,
    /// Of a follower: from its leader, and to it; and how long they take.
    links: [ConnectionId; 2],
    ways: [Duration; 2],
    /// Where it sends to each of the others, and how long that takes.
    streams: Vec<(ProcessId, ConnectionId, Duration)>,
    ticks: Ticks,
    disk: Disk,
    /// Of a follower: when its leader has had entries that it had not acknowledged.
    behind: Spans,
}

impl World {
    /// Plays every heartbeat from now on: slower, and nothing else.
    pub fn play_densely(&mut self) {
        self.core.rests.is_dense = true;
        self.play_all();
    }

    /// What is not played at the moment is, from now on.
    pub(super) fn play_all(&mut self) {
        self.wake_resting();
        self.core.wake_all_tickers();
    }

    /// True if this event is a tick at which a group goes to rest: it need not be played.
    pub(super) fn goes_to_rest(&mut self, id: ProcessId, payload: &Payload) -> bool {
        let What::Tick(Etcd::TICK, due) = &payload.what else { return false };
        if self.core.plays_all() || !leads_others(&self.components[id.0 as usize]) {
            return false;
        }
        let process = self.core.datacenter.processes.get_mut(id);
        let is_current = process.incarnation == payload.incarnation
            && process.activity(Etcd::TICK).is_some_and(|tick| tick.timer.is_current(*due));
        if !is_current {
            return false;
        }
        let Some(group) = self.resting_group(id) else { return false };
        for member in &group.members {
            let process = self.core.datacenter.processes.get_mut(member.process);
            process.activity(Etcd::TICK).expect("it ticks").timer.cancel();
            process.is_resting = true;
            self.core.sleep(member.process, Etcd::ALIVE);
        }
        self.core.rests.groups.push(group);
        if let Process::Etcd(leader) = &self.components[id.0 as usize] {
            self.core.rests.note_behind(id, leader, self.core.now);
        }
        true
    }

    /// Wakes all groups before something that is not routine reaches one of them.
    pub(super) fn wake_for(&mut self, id: ProcessId, what: &What) {
        let is_resting = self.core.datacenter.processes.get(id).is_resting;
        if is_resting && (!self.core.is_routine(id, what) || self.overlaps(id, what)) {
            self.wake_resting();
        }
    }

    /// True where it matters in which order a member takes this and what was not played: it has more to
    /// write while its disk writes, or what it sends for it leaves behind answers that wait unplayed.
    fn overlaps(&mut self, id: ProcessId, what: &What) -> bool {
        let Process::Etcd(etcd) = &self.components[id.0 as usize] else { return false };
        let (writes, sends) = match what {
            What::Message(_, message) => (is_to_write(message), may_send(message)),
            What::Flushed(_) => (false, true),
            What::Due(Event::Etcd(event)) if etcd.is_void(event) => return false,
            What::Due(Event::Etcd(event)) => (may_propose(event), may_send_later(event)),
            _ => return false,
        };
        (writes && etcd.is_writing()) || (sends && self.core.has_unplayed(id))
    }

    /// Wakes all groups before a host asks whether the other end of a connection between two members
    /// lives: it depends on when they last heard each other.
    pub(super) fn wake_for_host(&mut self, what: &What) {
        let (What::PingDue((asked, _))
        | What::ProbeDue((asked, _), _)
        | What::ResendUnheard((asked, _), _)) = what
        else {
            return;
        };
        if self.core.rests.connect(*asked) {
            self.wake_resting();
        }
    }

    /// Notes whether a member that rests waits for its disk or for others, and tells those that were
    /// woken.
    pub(super) fn note_rest(&mut self, id: ProcessId) {
        if self.core.datacenter.processes.get(id).is_resting
            && let Process::Etcd(etcd) = &self.components[id.0 as usize]
        {
            self.core.rests.note_behind(id, etcd, self.core.now);
            let goes_on = self.core.rests.note_disk(id, etcd.is_writing(), self.core.now);
            if !goes_on {
                self.core.wake_resting();
            }
        }
        self.note_woken();
    }

    /// All heartbeats are played again, until a group goes to rest.
    pub(super) fn wake_resting(&mut self) {
        self.core.wake_resting();
        self.note_woken();
    }

    /// Those that were woken learn what has passed.
    pub(super) fn note_woken(&mut self) {
        for (id, passed) in self.core.rests.untold.drain(..) {
            if let Process::Etcd(etcd) = &mut self.components[id.0 as usize] {
                etcd.pass_over(&passed);
            }
        }
    }

    /// The group of a leader, if it can rest from this tick of its on.
    fn resting_group(&self, leader: ProcessId) -> Option<Group> {
        let now = self.core.now;
        let own = self.poise(leader)?;
        let posted = |vm: &Text| {
            let to = (vm.as_str(), PEER_PORT);
            self.core.datacenter.post_way(leader, to, &self.core.random).is_some()
        };
        if own.leader != own.id || own.posts.iter().any(posted) {
            return None;
        }
        let ticks = |process: ProcessId, poise: &Poise| {
            let tick = self.core.datacenter.processes.get(process).look_at(Etcd::TICK)?;
            let first = if process == leader { now } else { tick.last? + poise.tick };
            Some(Ticks::from(first, poise))
        };
        let member = |process, poise: &Poise, links: [ConnectionId; 2]| {
            if !poise.links.iter().all(|(_, link)| self.core.datacenter.is_clear(*link)) {
                return None;
            }
            let ticks = ticks(process, poise)?;
            let way = |link| self.core.datacenter.network.latency(link);
            let ways = [way(links[0])?, way(links[1])?];
            let stream = |(_, link): &(MemberId, ConnectionId)| {
                Some((self.core.datacenter.network.peer(*link, process)?, *link, way(*link)?))
            };
            let streams = poise.links.iter().map(stream).collect::<Option<Vec<_>>>()?;
            let (id, disk, behind) = (poise.id, Disk::default(), Spans::default());
            Some(Member { process, id, links, ways, streams, ticks, disk, behind })
        };
        let mut members = vec![member(leader, &own, own.links.first().map(|l| [l.1; 2])?)?];
        for (id, there) in &own.links {
            let poise = self.poise(there.client)?;
            let back = poise.links.iter().find(|(to, _)| *to == own.id)?.1;
            let follows = poise.id == *id
                && (poise.term, poise.leader) == (own.term, own.id)
                && (&poise.membership, &poise.gone) == (&own.membership, &own.gone)
                && back.client == leader;
            let member = member(there.client, &poise, [*there, back])?;
            // Else the latest ticks would not tell what is still on its way.
            let is_near = member.ways[0] + member.ways[1] < own.tick;
            members.push(Some(member).filter(|_| follows && is_near)?);
        }
        let voters = own.membership.voters().len();
        let is_whole =
            members.len() + own.gone.len() == voters && members.len() >= own.membership.quorum();
        let confirmation = confirmation(&members[1..], own.membership.quorum())?;
        let (since, term, asked) = (now, own.term, Latest::default());
        is_whole.then_some(Group { since, term, members, confirmation, asked })
    }

    /// How a member stands, if its process and its disk are well.
    fn poise(&self, id: ProcessId) -> Option<Poise> {
        let process = self.core.datacenter.processes.get(id);
        let disk = &self.core.datacenter.vm(process.vm).disk;
        let is_well = process.alive
            && process.frozen.is_none()
            && disk.health == DiskHealth::Well
            && !disk.is_full;
        match &self.components[id.0 as usize] {
            Process::Etcd(etcd) if is_well => etcd.poise(self.core.now),
            _ => None,
        }
    }
}

/// How long until so many of the followers have answered that the leader has a quorum with them.
fn confirmation(followers: &[Member], quorum: usize) -> Option<Duration> {
    let mut rounds: Vec<Duration> = followers.iter().map(|it| it.ways[0] + it.ways[1]).collect();
    rounds.sort_unstable();
    // It counts itself.
    rounds.get(quorum.checked_sub(2)?).copied()
}

fn leads_others(component: &Process) -> bool {
    matches!(component, Process::Etcd(etcd) if etcd.leads_others())
}

impl Core {
    /// True if everything is played: as the oracle, or since a path may lead through anything.
    pub(super) fn plays_all(&self) -> bool {
        self.rests.is_dense || self.ledger.is_some()
    }

    /// True for what leaves a group as it is.
    fn is_routine(&self, id: ProcessId, what: &What) -> bool {
        match what {
            What::Tick(..) => true,
            What::Due(Event::Etcd(event)) | What::Flushed(Event::Etcd(event)) => {
                is_routine_timer(event)
            }
            What::Message(_, message) => is_routine_message(message),
            What::Broken(connection, _) => !self.rests.links(id, *connection),
            _ => false,
        }
    }

    /// Wakes all groups, with their processes as they are now.
    pub(super) fn wake_resting(&mut self) {
        let is_ahead = self.now <= self.rests.ahead_until && self.now > SimTime::ZERO;
        assert!(!is_ahead || self.rests.groups.is_empty(), "they were to be left alone");
        for mut group in std::mem::take(&mut self.rests.groups) {
            for member in &mut group.members {
                self.pass_ticks(member);
            }
            let alive = self.pass_signs_of_life(&group.members);
            let (leader, followers) =
                group.members.split_first_mut().expect("a group has a leader");
            let mut at_leader = Vec::new();
            for follower in followers {
                let sent = sent(&leader.ticks.latest, &group.asked);
                let pair = Pair { term: group.term, leader, follower };
                let (there, back) = self.pass_heartbeats(&pair, sent);
                at_leader.push(back);
                self.tell_later(follower, group.since, vec![there], &alive);
            }
            self.tell_later(leader, group.since, at_leader, &alive);
        }
    }

    /// Counts the ticks that fell due before now, and arms the next.
    fn pass_ticks(&mut self, member: &mut Member) {
        let (now, id) = (self.now, member.process);
        let purpose = purpose::ACTIVITY + u16::from(Etcd::TICK.0);
        let is_past = self.has_come(now, id, id, purpose);
        let until = if is_past { now + Duration::from_micros(1) } else { now };
        member.ticks.pass_until(until, &mut member.disk);
        let next = member.ticks.next();
        let process = self.datacenter.processes.get_mut(id);
        process.is_resting = false;
        let tick = process.activity(Etcd::TICK).expect("a member that rested ticks");
        tick.count += member.ticks.due;
        if member.ticks.due > 0 {
            tick.last = Some(SimTime::ZERO + next.since(SimTime::ZERO + member.ticks.period));
        }
        self.arm(id, Etcd::TICK, next.since(now), self.step);
    }

    /// What members say on their streams to show that they live. Who heard it from whom, and when;
    /// what is still on its way is queued.
    fn pass_signs_of_life(&mut self, members: &[Member]) -> Vec<(ProcessId, (MemberId, SimTime))> {
        let mut heard = Vec::new();
        for member in members {
            let Some(sent) = self.wake(member.process, Etcd::ALIVE) else { continue };
            let activity = self.datacenter.processes.get(member.process).look_at(Etcd::ALIVE);
            let period = activity.map_or(Duration::ZERO, |alive| alive.activity.period);
            let before = SimTime::ZERO + sent.since(SimTime::ZERO + period);
            for &(to, link, takes) in &member.streams {
                let at = sent + takes;
                let has_come = self.has_come(at, to, member.process, purpose::MESSAGE);
                if !has_come {
                    let what = What::Message(link, Message::Peer(PeerMessage::Alive));
                    let led = (Cause::NONE, self.way_rule(link));
                    self.push_to(at, to, member.process, purpose::MESSAGE, led, what);
                }
                // The one before it was heard long ago.
                let at = if has_come { at } else { before + takes };
                self.datacenter.network.heard_by(link, at);
                heard.push((to, (member.id, at)));
            }
        }
        heard
    }

    fn tell_later(
        &mut self,
        member: &Member,
        since: SimTime,
        heard: Vec<Heard>,
        alive: &[(ProcessId, (MemberId, SimTime))],
    ) {
        let of = |(to, heard): &(ProcessId, _)| (*to == member.process).then_some(*heard);
        let Ticks { taken, counted, .. } = member.ticks;
        let passed = Passed {
            since,
            taken,
            latest: member.ticks.latest.iter().copied().collect(),
            tick_pending: member.disk.tick_pending,
            counted,
            heard,
            alive: alive.iter().filter_map(of).collect(),
        };
        self.rests.untold.push((member.process, passed));
    }

    /// True if an event of this time would have been played by now.
    fn has_come(&self, at: SimTime, target: ProcessId, source: ProcessId, purpose: u16) -> bool {
        let before =
            |key: &Key| (target.0, source.0, purpose) < (key.target, key.source, key.purpose);
        at < self.now || (at == self.now && self.playing.as_ref().is_some_and(before))
    }
}

impl Rests {
    /// True if a connection is between two members that rest.
    fn links(&self, id: ProcessId, connection: ConnectionId) -> bool {
        let groups =
            self.groups.iter().filter(|group| group.members.iter().any(|m| m.process == id));
        let mut members = groups.flat_map(|group| &group.members);
        members.any(|member| member.links.contains(&connection))
    }

    /// True if a connection leads from a member that rests to another.
    fn connect(&self, connection: ConnectionId) -> bool {
        let members = self.groups.iter().flat_map(|group| &group.members);
        let mut streams = members.flat_map(|member| &member.streams);
        streams.any(|(_, stream, _)| *stream == connection)
    }

    /// Notes whether a member waits for its disk; false if it does for so long that its ticks come
    /// late, which is said aloud.
    fn note_disk(&mut self, id: ProcessId, is_writing: bool, now: SimTime) -> bool {
        let mut members = self.groups.iter_mut().flat_map(|group| &mut group.members);
        let Some(member) = members.find(|member| member.process == id) else { return true };
        match (member.disk.busy_since, is_writing) {
            (None, true) => member.begins_to_write(now),
            (Some(since), false) => member.has_written(since, now),
            (Some(since), true) => return now.since(since) < member.longest_write(),
            (None, false) => {}
        }
        true
    }
}

impl Member {
    /// What takes longer may make its ticks late.
    fn longest_write(&self) -> Duration {
        self.ticks.period.scaled(1, 2)
    }

    fn begins_to_write(&mut self, now: SimTime) {
        self.ticks.pass_until(now, &mut self.disk);
        self.disk.busy_since = Some(now);
    }

    fn has_written(&mut self, since: SimTime, now: SimTime) {
        let tick = self.ticks.period;
        self.ticks.pass_until(now, &mut self.disk);
        self.disk.busy_since = None;
        let is_over = |(_, until): &(SimTime, SimTime)| *until + tick * 2 < now;
        self.disk.latest.push((since, now), is_over);
        if std::mem::take(&mut self.disk.tick_pending) {
            self.ticks.take(1, now);
        }
    }
}
