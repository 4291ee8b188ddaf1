//! What joins a control plane does beyond what makes a Node: manifests, an etcd member, and the
//! Node's label and taint.
//!
//! ```text
//! manifests of API server and controllers ─> kubelet ─> (Node is there) ─> member added
//!   ─> etcd's manifest ─> (learner promoted) ─> Node labeled and tainted ─> done
//! ```
//! Without ControlPlaneKubeletLocalMode the kubelet asks the load balancer, and nothing goes on before it
//! has made its Node; with it the kubelet needs the API server beside it, and that the etcd member.
//! Follows `k/k:cmd/kubeadm/app/phases/etcd` and `cmd/phases/join`. Simplified: certificates come with
//! the user data; etcd's flags lie beside its manifest, where the member reads them.

use super::reset::EtcdData;
use super::{Asked, Event, KUBELET_CONFIG, Kubeadm, finish};
use crate::api::kinds::{Taint, TaintEffect, taint};
use crate::api::{
    Answer, Answered, ApiError, Freshness, Kind, Object, ObjectKey, Selector, StaticPodManifest,
    Verb, labels,
};
use crate::engine::{Duration, SimTime, Text};
use crate::infra::{ConnectionId, Ctx, NoSpace, Port};
use crate::raft::MemberId;
use crate::wire::{Consistency, MemberInfo, Message, StoreAnswer, StoreOperation, StoreRequest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an etcd member joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtcdJoin {
    /// Whether it is a learner until it has caught up (feature gate EtcdLearnerMode).
    pub learner: bool,
    /// Between two tries of one call.
    pub retry: Duration,
    /// How long a call is tried.
    pub limit: Duration,
    /// Between two tries to list the Pods of etcd's members, and how long that is tried.
    pub list_retry: Duration,
    pub list_limit: Duration,
}

/// How far the join of a control plane has come.
#[derive(Clone, Debug, Default)]
pub struct ControlPlaneJoin {
    /// The VMs of the members: by their Pods, of which one may have outlived its VM; then as etcd
    /// itself says.
    members: Vec<Text>,
    /// The first of them that was found to be up.
    up: Option<Text>,
    /// On which connections an answer is awaited, and whose. All are dialed while none is known to
    /// be up, else one is.
    dialed: BTreeMap<ConnectionId, Text>,
    /// What is wanted of etcd now.
    call: Option<Call>,
    began: SimTime,
    /// Calls so far.
    made: u32,
    /// The join has failed, and what it has done is taken back.
    resets: bool,
}

/// A call to etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Add,
    Promote(MemberId),
    /// Of the member on this VM, if there is one.
    Remove,
}

const AGENT: &str = "kubeadm";
const ETCD: Port = Port(2379);
/// Where the member's process finds its flags.
pub(super) const FLAGS: &str = "/etc/default/etcd";
const MEMBER_PROGRAM: &str = "etcd";

impl Kubeadm {
    /// The cluster is trusted and the kubelet has its configuration: the rest of a control plane.
    pub(super) fn prepare_control_plane(&mut self, ctx: &mut Ctx<Event>) {
        self.is_prepared = true;
        if let Err(full) = ctx.write(KUBELET_CONFIG, "kind: KubeletConfiguration") {
            return self.no_space("kubelet-start", KUBELET_CONFIG, full, ctx);
        }
        for manifest in self.manifests.iter().filter(|it| it.name != MEMBER_PROGRAM) {
            let written = ctx.write(manifest.path(), manifest.to_file());
            written.expect("there was room just now");
        }
        ctx.start_unit("kubelet");
        self.plane = ControlPlaneJoin { began: ctx.now(), ..ControlPlaneJoin::default() };
        if self.settings.local_mode {
            return self.find_members(ctx);
        }
        ctx.log("[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap...");
        self.seek_node(ctx);
    }

    /// Asks for the Node that the kubelet makes: kubeadm wants to annotate it.
    ///
    /// Simplified: a kubelet gets its certificate as it makes its Node, so the wait for both is one, as
    /// long as that for the certificate. One that does not answer its health probe is given up
    /// sooner by the real one (after 4 minutes since 1.30, after about 2 before).
    pub(super) fn seek_node(&mut self, ctx: &mut Ctx<Event>) {
        self.api.send(ctx, AGENT, Verb::Get(own_node(ctx)), Asked::Registered);
    }

    /// Any error is taken for something that passes.
    pub(super) fn node_sought(&mut self, answered: &Answered, ctx: &mut Ctx<Event>) {
        if answered.is_ok() {
            self.plane.began = ctx.now();
            return self.find_members(ctx);
        }
        if ctx.now() < self.plane.began + self.settings.node_limit {
            return ctx.after(
                "kubernetes.nodePatchRetry",
                self.settings.node_retry,
                Event::SeekNode,
            );
        }
        self.kubelet_failed("timed out waiting for the condition", ctx);
    }

    /// Etcd's members are found by their Pods.
    pub(super) fn find_members(&mut self, ctx: &mut Ctx<Event>) {
        let selector = Selector::Labeled(labels([("component", Text::word("etcd"))]));
        self.api.send(
            ctx,
            AGENT,
            Verb::List(Kind::Pod, selector, Freshness::Latest),
            Asked::Members,
        );
    }

    /// An error, or no Pod at all, is taken for something that passes.
    pub(super) fn members_listed(&mut self, answered: Answered, ctx: &mut Ctx<Event>) {
        let pods = match answered {
            Ok(Answer::List(_, pods)) if !pods.is_empty() => pods,
            other => return self.list_again(other.err(), ctx),
        };
        self.plane.began = ctx.now();
        let nodes = pods.iter().filter_map(|pod| pod.pod().map(|pod| pod.node_name.clone()));
        self.plane.members = nodes.filter(|node| node != ctx.host()).collect();
        self.call(if self.plane.resets { Call::Remove } else { Call::Add }, ctx);
    }

    fn list_again(&mut self, error: Option<ApiError>, ctx: &mut Ctx<Event>) {
        let EtcdJoin { list_retry, list_limit, .. } = self.settings.etcd;
        if ctx.now() < self.plane.began + list_limit {
            return ctx.after("kubernetes.etcdPodListRetry", list_retry, Event::ListMembers);
        }
        let why = error.map_or(Text::word("context deadline exceeded"), |error| error.message);
        let words = format!("could not retrieve the list of etcd endpoints: {why}");
        self.etcd_failed(&words, ctx);
    }

    /// Asks the member that is up, or else all at once who is: the client of etcd dials every
    /// endpoint and waits for none of the dead.
    fn call(&mut self, call: Call, ctx: &mut Ctx<Event>) {
        self.plane.call = Some(call);
        match self.plane.up.clone() {
            Some(vm) => {
                let operation = match call {
                    Call::Add => {
                        let (vm, learner) = (ctx.host().clone(), self.settings.etcd.learner);
                        StoreOperation::MemberAdd { vm, learner }
                    }
                    Call::Promote(member) => StoreOperation::MemberPromote(member),
                    // Which one it is stands in the list.
                    Call::Remove => StoreOperation::MemberList(Consistency::Linearizable),
                };
                self.ask(vm, operation, ctx);
            }
            None if self.plane.members.is_empty() => {
                self.etcd_failed("no etcd member is there", ctx);
            }
            None => {
                for vm in self.plane.members.clone() {
                    let list = StoreOperation::MemberList(Consistency::Linearizable);
                    self.ask(vm, list, ctx);
                }
            }
        }
    }

    fn ask(&mut self, vm: Text, operation: StoreOperation, ctx: &mut Ctx<Event>) {
        self.plane.made += 1;
        let connection = ctx.connect_to_vm(vm.clone(), ETCD);
        self.plane.dialed.insert(connection, vm);
        let (sender, count) = (ctx.owner().part(2), u64::from(self.plane.made));
        let id = self.plane.made;
        let request = StoreRequest { id, operation, require_leader: false, sender, count };
        ctx.send(connection, Message::Store(Box::new(request)));
    }

    /// A member answers; true if it was asked.
    pub(super) fn member_answered(
        &mut self,
        from: ConnectionId,
        message: &Message,
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let Message::Stored(_, answer) = message else { return false };
        let Some(vm) = self.plane.dialed.remove(&from) else { return false };
        ctx.close(from);
        let Some(call) = self.plane.call else { return true };
        match (self.plane.up.is_some(), call, answer) {
            (false, _, StoreAnswer::Members(members)) => self.found(vm, members, ctx),
            (true, Call::Add, StoreAnswer::Members(members)) => self.added(members, ctx),
            (true, Call::Promote(_), StoreAnswer::Members(_) | StoreAnswer::Done) => {
                self.plane.call = None;
                ctx.log("[etcd] The learner was promoted as a voting member");
                self.mark(ctx);
            }
            (true, Call::Remove, StoreAnswer::Members(members)) => self.left(members, ctx),
            (_, _, StoreAnswer::Failed(error)) => {
                let words = error.message.clone();
                self.try_again(call, &words, ctx);
            }
            _ => self.try_again(call, "an unexpected answer", ctx),
        }
        true
    }

    /// The first that answers is asked for everything else.
    fn found(&mut self, vm: Text, members: &[MemberInfo], ctx: &mut Ctx<Event>) {
        for late in std::mem::take(&mut self.plane.dialed).into_keys() {
            ctx.close(late);
        }
        let others = members.iter().filter(|member| member.started && member.vm != *ctx.host());
        self.plane.members = others.map(|member| member.vm.clone()).collect();
        self.plane.up = Some(vm);
        // Added by a try before this one, which did not come to its end.
        let is_listed = members.iter().any(|member| member.vm == *ctx.host());
        match self.plane.call {
            Some(Call::Add) if is_listed => self.added(members, ctx),
            Some(Call::Remove) => self.left(members, ctx),
            Some(call) => self.call(call, ctx),
            None => {}
        }
    }

    fn added(&mut self, members: &[MemberInfo], ctx: &mut Ctx<Event>) {
        self.plane.call = None;
        let own = members.iter().find(|member| member.vm == *ctx.host());
        let own = own.map(|member| (member.id, member.learner));
        let vms: Vec<&str> = members.iter().map(|member| member.vm.as_str()).collect();
        if let Err(full) = self.start_member(&vms, ctx) {
            return self.etcd_failed(&full.to_string(), ctx);
        }
        match own {
            Some((id, true)) => self.promote_later(id, ctx),
            _ => self.mark(ctx),
        }
    }

    /// A member that was asked is gone; true if it was one.
    pub(super) fn member_broken(&mut self, connection: ConnectionId, ctx: &mut Ctx<Event>) -> bool {
        if self.plane.dialed.remove(&connection).is_none() {
            return false;
        }
        self.plane.up = None;
        if let Some(call) = self.plane.call {
            self.try_again(call, "context deadline exceeded", ctx);
        }
        true
    }

    /// After a pause, unless another member may still answer.
    fn try_again(&mut self, call: Call, error: &str, ctx: &mut Ctx<Event>) {
        if !self.plane.dialed.is_empty() {
            return;
        }
        if ctx.now() >= self.plane.began + self.settings.etcd.limit {
            return self.etcd_failed(error, ctx);
        }
        self.plane.call = Some(call);
        ctx.after(
            "kubernetes.etcdCallRetry",
            self.settings.etcd.retry,
            Event::AskMember(self.plane.made),
        );
    }

    /// The pause before a call is over.
    pub(super) fn ask_member(&mut self, made: u32, ctx: &mut Ctx<Event>) {
        if made == self.plane.made
            && let Some(call) = self.plane.call
        {
            self.call(call, ctx);
        }
    }

    fn promote_later(&mut self, id: MemberId, ctx: &mut Ctx<Event>) {
        self.plane.began = ctx.now();
        self.plane.call = Some(Call::Promote(id));
        ctx.after(
            "kubernetes.etcdCallRetry",
            self.settings.etcd.retry,
            Event::AskMember(self.plane.made),
        );
    }

    /// The new member's own manifest: the kubelet starts it.
    fn start_member(&self, vms: &[&str], ctx: &mut Ctx<Event>) -> Result<(), NoSpace> {
        let flags = format!(
            "ETCD_INITIAL_CLUSTER_STATE=existing\nETCD_INITIAL_CLUSTER={}\n",
            vms.join(",")
        );
        ctx.write(FLAGS, flags)?;
        let manifest = self.manifests.iter().find(|it| it.name == MEMBER_PROGRAM);
        if let Some(manifest) = manifest {
            ctx.write(manifest.path(), manifest.to_file())?;
        }
        ctx.log("[etcd] Waiting for the new etcd member to join the cluster");
        Ok(())
    }

    /// The Node is one of the control plane's from now on.
    fn mark(&mut self, ctx: &mut Ctx<Event>) {
        self.api.send(ctx, AGENT, Verb::Get(own_node(ctx)), Asked::Node);
    }

    pub(super) fn node_read(&mut self, answered: Answered, ctx: &mut Ctx<Event>) {
        let Ok(Answer::Object(node)) = answered else {
            return ctx.after("kubernetes.etcdCallRetry", self.settings.etcd.retry, Event::Mark);
        };
        let mut changed = Object::clone(&node);
        let mut labels = node.meta.labels.as_ref().clone();
        labels.insert(Text::word(taint::CONTROL_PLANE), Text::EMPTY);
        changed.meta.labels = Arc::new(labels);
        if let Some(body) = changed.node_mut() {
            body.taints.push(Taint::new(taint::CONTROL_PLANE, TaintEffect::NoSchedule, None));
        }
        let verb = Verb::Patch { base: node, changed: Arc::new(changed) };
        self.api.send(ctx, AGENT, verb, Asked::Marked);
    }

    pub(super) fn node_marked(&mut self, answered: &Answered, ctx: &mut Ctx<Event>) {
        if answered.is_err() {
            return ctx.after("kubernetes.etcdCallRetry", self.settings.etcd.retry, Event::Mark);
        }
        ctx.log("This node has joined the cluster and a new control plane instance was created:");
        finish(ctx);
    }

    pub(super) fn mark_again(&mut self, ctx: &mut Ctx<Event>) {
        self.mark(ctx);
    }

    /// Whatever was done so far stays, for cloud-init does not run again, unless a script takes it back.
    fn etcd_failed(&mut self, error: &str, ctx: &mut Ctx<Event>) {
        if self.plane.resets {
            return self.not_removed(error, ctx);
        }
        ctx.log(format!(
            "error execution phase control-plane-join/etcd: error creating local etcd static pod \
             manifest file: {error}"
        ));
        if self.script().is_none() {
            return finish(ctx);
        }
        self.say_failed("kubeadm join phase control-plane-join etcd", ctx);
        self.die("fatal error, exiting", ctx);
    }

    /// A reset asks etcd to forget the member on this VM, and all over again whom it may ask.
    pub(super) fn remove_member(&mut self, ctx: &mut Ctx<Event>) {
        let made = self.plane.made;
        for asked in std::mem::take(&mut self.plane.dialed).into_keys() {
            ctx.close(asked);
        }
        let (began, resets) = (ctx.now(), true);
        self.plane = ControlPlaneJoin { began, made, resets, ..ControlPlaneJoin::default() };
        self.find_members(ctx);
    }

    /// These are the members: without the one on this VM the rest can be done.
    fn left(&mut self, members: &[MemberInfo], ctx: &mut Ctx<Event>) {
        let own = members.iter().find(|member| member.vm == *ctx.host());
        match (own.map(|member| member.id), self.plane.up.clone()) {
            (Some(id), Some(vm)) => self.ask(vm, StoreOperation::MemberRemove(id), ctx),
            _ => {
                self.plane.call = None;
                self.clean_up(EtcdData::Deleted, ctx);
            }
        }
    }
}

fn own_node(ctx: &Ctx<Event>) -> ObjectKey {
    ObjectKey { kind: Kind::Node, namespace: Text::EMPTY, name: ctx.host().clone() }
}

/// The manifests of a control plane, as kubeadm writes them.
pub type Manifests = Arc<[StaticPodManifest]>;
