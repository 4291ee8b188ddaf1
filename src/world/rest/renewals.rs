//! Renewals of Leases that nothing can disturb: a member of etcd is asked for one, and all of its group
//! have written and applied it.
//!
//! A write takes some twelve messages and flushes between the members. If the group rests, all of its
//! members have the same and nothing under way, and until the last acknowledgment has come nothing at all
//! falls due in the world and no fault strikes, it is known when each of them writes and applies what. So all
//! do so at once, and so do the API servers that hear of it; what those tell leaves at its time. What comes
//! of that must reach no member before the write is over. So it is done only for those who say for how long
//! they do nothing once their Lease is renewed (`pause_after_renewal`), and while nobody watches Leases but
//! who notes them down (`notes_down`).

use super::super::core::{Payload, What, World};
use super::super::process::{Event, Process};
use super::{Group, Member};
use crate::api::{Kind, Object, Revision};
use crate::components::etcd::{self, Course, Etcd};
use crate::engine::{Duration, Owner, SimTime};
use crate::infra::{ConnectionId, Ctx, DiskHealth, Effect, ProcessId, Route};
use crate::timeline::Cause;
use crate::wire::{Message, Proposal, StoreOperation, StoreRequest};

/// How a renewal will go.
#[derive(Clone, Debug)]
pub(in crate::world) struct Renewal {
    group: usize,
    /// The place of the member that is asked; the leader has the first.
    asked: usize,
    /// By place.
    courses: Vec<Course>,
    /// Everybody has it, the leader knows, and the API servers have heard.
    pub over_at: SimTime,
}

/// What an API server hears, and when.
#[derive(Clone, Debug)]
struct Heard {
    at: SimTime,
    by: ProcessId,
    from: ProcessId,
    connection: ConnectionId,
    message: Message,
    cause: Cause,
}

impl Renewal {
    /// When the member that is asked has applied it.
    pub fn applied_at(&self) -> SimTime {
        self.courses[self.asked].applied
    }
}

impl World {
    /// How a renewal goes that comes to a member now, if this is one and nothing can disturb it.
    pub(in crate::world) fn undisturbed_renewal(
        &mut self,
        id: ProcessId,
        payload: &Payload,
    ) -> Option<Renewal> {
        let What::Message(from, Message::Store(request)) = &payload.what else { return None };
        let StoreOperation::Transact { expected, put: Some(new), writer, .. } = &request.operation
        else {
            return None;
        };
        if self.core.plays_all() || self.apiserver(from.client).is_none() {
            return None;
        }
        let (address, now) = ((request.sender, request.count), self.core.now);
        let asked = (new.as_ref(), *expected, ProcessId(*writer));
        let renewal = self.foresee_renewal((id, *from), now, asked, address)?;
        self.drop_void_until(renewal.over_at);
        self.is_left_alone(renewal.over_at).then_some(renewal)
    }

    /// A renewal goes as foreseen.
    pub(in crate::world) fn pass_renewal(
        &mut self,
        id: ProcessId,
        payload: Payload,
        renewal: &Renewal,
    ) {
        if !self.core.admit(id, &payload) {
            return;
        }
        if let What::Message(from, Message::Store(request)) = payload.what {
            let came = (self.core.now, payload.cause);
            self.renew((id, Some(from)), came, *request, renewal);
        }
    }

    /// The members write and apply what one of them is asked for, and API servers hear of it. The object
    /// as it is then, and what led to it.
    pub(super) fn renew(
        &mut self,
        (id, from): (ProcessId, Option<ConnectionId>),
        (came, cause): (SimTime, Cause),
        request: StoreRequest,
        renewal: &Renewal,
    ) -> Option<(Proposal, Cause)> {
        let (mut proposal, mut heard, mut led) = (None, Vec::new(), cause);
        self.core.rests.ahead_until = renewal.over_at;
        self.at_member(id, (came, cause), &mut heard, |etcd, ctx| {
            proposal = etcd.take_renewal(from, request, ctx);
        });
        let proposal = proposal?;
        self.note_asked(renewal);
        for (place, course) in renewal.courses.iter().enumerate() {
            self.note_course(renewal, place);
            let process = self.core.rests.groups[renewal.group].members[place].process;
            let at = (course.applied, proposal.cause);
            let after = self.at_member(process, at, &mut heard, |etcd, ctx| {
                etcd.pass_over_renewal(&proposal, *course, ctx);
            });
            if place == renewal.asked {
                led = after;
            }
        }
        heard.sort_by_key(|heard| (heard.at, heard.by, heard.from));
        heard.into_iter().for_each(|heard| self.hear(heard));
        Some((proposal, led))
    }

    /// How the renewal of a Lease, known as it was at a revision, goes that comes to a member at a time.
    pub(super) fn foresee_renewal(
        &self,
        (id, line): (ProcessId, ConnectionId),
        came: SimTime,
        (new, known, by): (&Object, Revision, ProcessId),
        address: (Owner, u64),
    ) -> Option<Renewal> {
        let Process::Etcd(etcd) = &self.components[id.0 as usize] else { return None };
        // With the answer more of what the client has sent might come.
        if self.core.datacenter.transport.holds_up(by) || !etcd.is_renewal(new, known) {
            return None;
        }
        let pause = self.pause_of(by)?;
        let of = |group: &Group| group.members.iter().position(|member| member.process == id);
        let mut groups = self.core.rests.groups.iter().enumerate();
        let (place, group, asked) =
            groups.find_map(|(place, group)| Some((place, group, of(group)?)))?;
        if !self.are_even(group) {
            return None;
        }
        let came = if asked == 0 { came } else { came + group.members[asked].ways[1] };
        let courses = self.foresee_courses(group, came, address)?;
        let network = &self.core.datacenter.network;
        let mut over_at = courses[asked].applied + network.latency(line)?;
        for (course, member) in courses.iter().zip(&group.members) {
            over_at = over_at.max(course.applied + member.ways[1]);
            for watch in self.etcd(member.process).watchers() {
                over_at = over_at.max(course.applied + network.latency(watch)?);
            }
        }
        let is_alone = over_at < courses[asked].applied + pause;
        is_alone.then_some(Renewal { group: place, asked, courses, over_at })
    }

    /// When each of a group's members does what of an entry that comes to the leader at a time.
    fn foresee_courses(
        &self,
        group: &Group,
        came: SimTime,
        (sender, count): (Owner, u64),
    ) -> Option<Vec<Course>> {
        let (leader, followers) = group.members.split_first()?;
        let written = |member: &Member, came: SimTime| {
            let (purpose, delay) = self.etcd(member.process).flush()?;
            let takes = self.core.random.delay_for(purpose, delay, sender, count);
            let course = Course { came, flushed: came + takes, applied: came + takes };
            (takes < member.longest_write()).then_some(course)
        };
        let mut courses = Vec::with_capacity(group.members.len());
        courses.push(written(leader, came)?);
        for follower in followers {
            courses.push(written(follower, came + follower.ways[0])?);
        }
        let acknowledged = courses[1..].iter().zip(followers);
        let mut acknowledged: Vec<SimTime> =
            acknowledged.map(|(course, follower)| course.flushed + follower.ways[1]).collect();
        acknowledged.sort_unstable();
        // It counts itself, once it has written.
        let quorum = self.etcd(leader.process).raft()?.membership().quorum();
        let committed = courses[0].flushed.max(*acknowledged.get(quorum.checked_sub(2)?)?);
        courses[0].applied = committed;
        for (course, follower) in courses[1..].iter_mut().zip(followers) {
            course.applied = course.flushed.max(committed + follower.ways[0]);
        }
        Some(courses)
    }

    /// True if all of a group's members have the same and nothing under way, and nobody waits for what
    /// an API server hears of them.
    fn are_even(&self, group: &Group) -> bool {
        let others = group.members.len() - 1;
        let last = self.etcd(group.members[0].process).last_index();
        group.members.iter().all(|member| {
            let etcd = self.etcd(member.process);
            let process = self.core.datacenter.processes.get(member.process);
            let disk = &self.core.datacenter.vm(process.vm).disk;
            process.alive
                && process.frozen.is_none()
                && disk.health == DiskHealth::Well
                && !disk.is_full
                && etcd.is_even(others)
                && etcd.last_index() == last
                && etcd.watchers().all(|watch| self.hears_in_peace(watch.client))
        })
    }

    /// True for an API server that is well, and in which nobody waits until it has heard more, or does
    /// more with a Lease than to note it down.
    fn hears_in_peace(&self, watcher: ProcessId) -> bool {
        let watched = |watch: ConnectionId| self.notes_down(watch.client);
        self.apiserver(watcher).is_some_and(|server| {
            !server.is_waited_for() && server.watchers(Kind::Lease).all(watched)
        })
    }

    /// For how long a client does nothing but to wait once its Lease is renewed, if it says so.
    fn pause_of(&self, client: ProcessId) -> Option<Duration> {
        match self.components.get(client.0 as usize)? {
            Process::Kubelet(kubelet) => Some(kubelet.pause_after_renewal()),
            Process::ControllerManager(manager) => manager.pause_after_renewal(),
            Process::CloudController(controller) => controller.pause_after_renewal(),
            Process::Scheduler(scheduler) => scheduler.pause_after_renewal(),
            _ => None,
        }
    }

    /// True for who does nothing when a Lease that he watches is renewed: node lifecycle reads it later.
    fn notes_down(&self, client: ProcessId) -> bool {
        matches!(self.components[client.0 as usize], Process::ControllerManager(_))
    }

    /// The leader hears of it from the member that was asked.
    fn note_asked(&mut self, renewal: &Renewal) {
        if renewal.asked == 0 {
            return;
        }
        let members = &self.core.rests.groups[renewal.group].members;
        let (leader, asked) = (members[0].process, &members[renewal.asked]);
        let (link, id, came) = (asked.links[1], asked.id, renewal.courses[0].came);
        self.core.datacenter.network.heard_by(link, came);
        self.etcd_mut(leader).hear_unplayed(id, came);
    }

    /// When a member's disk was busy, until when it was behind, and who heard whom last.
    fn note_course(&mut self, renewal: &Renewal, place: usize) {
        let [leads, course] = [0, place].map(|place| renewal.courses[place]);
        let members = &mut self.core.rests.groups[renewal.group].members;
        let (leader, leader_id) = (members[0].process, members[0].id);
        let member = &mut members[place];
        member.begins_to_write(course.came);
        member.has_written(course.came, course.flushed);
        if place == 0 {
            return;
        }
        let Member { process, id, links: [there, back], ways, .. } = *member;
        let tick = member.ticks.period;
        member.behind.note(true, leads.came, tick);
        member.behind.note(false, course.flushed + ways[1], tick);
        let (told, answered) = (leads.applied + ways[0], course.applied + ways[1]);
        self.core.datacenter.network.heard_by(there, told);
        self.core.datacenter.network.heard_by(back, answered);
        let follower = self.etcd_mut(process);
        follower.hear_unplayed(leader_id, told);
        follower.follow_unplayed(told);
        self.etcd_mut(leader).answered_unplayed(id, answered);
    }

    /// Has a member do something at a time, and carries out what it asks for; what it tells API servers
    /// is kept. What has led on then.
    fn at_member(
        &mut self,
        id: ProcessId,
        (at, cause): (SimTime, Cause),
        heard: &mut Vec<Heard>,
        act: impl FnOnce(&mut Etcd, &mut Ctx<etcd::Event>),
    ) -> Cause {
        let World { core, components, buffers, .. } = self;
        let Process::Etcd(etcd) = &mut components[id.0 as usize] else { return cause };
        let now = std::mem::replace(&mut core.now, at);
        core.with_ctx(id, cause, &mut buffers.etcd, |ctx| act(etcd, ctx));
        let serves = |id: ProcessId| matches!(components[id.0 as usize], Process::Apiserver(_));
        let mut led = cause;
        let mut effects = std::mem::take(&mut buffers.etcd);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send(connection, message) => match core.route_of(connection, id) {
                    // Nobody else is known to do nothing at once.
                    Route::Deliver { to: by, at } if serves(by) => {
                        heard.push(Heard { at, by, from: id, connection, message, cause: led });
                    }
                    route => core.follow_route(route, id, connection, message, led),
                },
                other => core.carry_out(id, other, &mut led, Event::Etcd),
            }
        }
        buffers.etcd = effects;
        core.now = now;
        led
    }

    /// An API server hears something, at its time.
    fn hear(&mut self, heard: Heard) {
        let Heard { at, by, connection, message, cause, .. } = heard;
        let now = std::mem::replace(&mut self.core.now, at);
        self.core.datacenter.network.heard(connection, at);
        let component = &mut self.components[by.0 as usize];
        let what = What::Message(connection, message);
        component.play(by, what, cause, &mut self.core, &mut self.buffers);
        self.core.now = now;
    }
}
