//! A controller of one's own: a hasty healer that deletes the Machine of a Node which has been
//! Unknown for a minute, where the platform's own health check waits for five.

use healsim::analysis::fuzz::{Schedule, Shape};
use healsim::api::kinds::Status;
use healsim::api::{Answer, Freshness, Kind, Object, Request, Selector, Verb};
use healsim::engine::{Duration, SimTime, Text};
use healsim::infra::{ConnectionId, Ctx, Input};
use healsim::scenario::Simulation;
use healsim::wire::Message;
use healsim::world::{API_PORT, CustomProcess};
use std::collections::BTreeMap;
use std::sync::Arc;

const POLL: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// It asks the workload cluster for Nodes and the management cluster for Machines.
#[derive(Clone, Debug, Default)]
struct HastyHealer {
    /// To `control-plane-0`, and to its own machine.
    nodes: Option<ConnectionId>,
    machines: Option<ConnectionId>,
    asked: u32,
    /// Since when it sees a Node Unknown.
    unknown: BTreeMap<Text, SimTime>,
}

impl HastyHealer {
    fn ask(&mut self, on: ConnectionId, verb: Verb, ctx: &mut Ctx<u64>) {
        self.asked += 1;
        let (sender, count) = (ctx.owner(), u64::from(self.asked));
        let request = Request { id: self.asked, agent: "hasty-healer", sender, count, verb };
        ctx.send(on, Message::Request(Box::new(request)));
    }

    fn poll(&mut self, ctx: &mut Ctx<u64>) {
        let nodes = || ctx.connect_to_vm(Text::word("control-plane-0"), API_PORT);
        let on = *self.nodes.get_or_insert_with(nodes);
        self.ask(on, Verb::List(Kind::Node, Selector::All, Freshness::Any), ctx);
        ctx.after("hasty healer's poll", POLL, 0);
    }

    fn look_at_nodes(&mut self, nodes: &[Arc<Object>], ctx: &mut Ctx<u64>) {
        let now = ctx.now();
        for object in nodes {
            let is = |status| object.node().is_some_and(|it| it.conditions.is("Ready", status));
            match is(Status::Unknown) {
                true => drop(self.unknown.entry(object.name().clone()).or_insert(now)),
                false => drop(self.unknown.remove(object.name())),
            }
        }
        if self.unknown.values().any(|since| *since + PATIENCE <= now) {
            let own = ctx.host().clone();
            let on = *self.machines.get_or_insert_with(|| ctx.connect_to_vm(own, API_PORT));
            self.ask(on, Verb::List(Kind::Machine, Selector::All, Freshness::Any), ctx);
        }
    }

    fn delete_some(&mut self, machines: &[Arc<Object>], ctx: &mut Ctx<u64>) {
        let (now, Some(on)) = (ctx.now(), self.machines) else { return };
        for object in machines {
            let node = object.machine().and_then(|machine| machine.node_ref.as_ref());
            let since = node.and_then(|node| self.unknown.get(node));
            if since.is_some_and(|since| *since + PATIENCE <= now) && object.meta.deletion.is_none()
            {
                let key = object.key().clone();
                self.ask(on, Verb::Delete { key, grace: None, uid: None }, ctx);
            }
        }
    }
}

impl CustomProcess for HastyHealer {
    fn on_event(&mut self, input: Input<u64>, ctx: &mut Ctx<u64>) {
        match input {
            Input::Started(_) | Input::Due(_) => self.poll(ctx),
            Input::Message(on, Message::Answer(_, Ok(Answer::List(_, found)))) => {
                match Some(on) == self.nodes {
                    true => self.look_at_nodes(&found, ctx),
                    false => self.delete_some(&found, ctx),
                }
            }
            Input::Broken(on, _) => {
                self.nodes = self.nodes.filter(|nodes| *nodes != on);
                self.machines = self.machines.filter(|machines| *machines != on);
            }
            _ => {}
        }
    }

    fn clone_box(&self) -> Box<dyn CustomProcess> {
        Box::new(self.clone())
    }
}

/// When the Machine of the worker whose kubelet stops at 10 s is deleted, and by whom.
fn deleted(mut simulation: Simulation) -> Option<(SimTime, Text)> {
    simulation.run_to_end();
    let entries = simulation.view().timeline().happened();
    let deletion = entries
        .iter()
        .find(|entry| entry.object() == "Machine/worker-0" && entry.field == *"deletionTimestamp");
    deletion.map(|entry| (entry.at, entry.by.clone()))
}

#[test]
fn a_hasty_healer_deletes_the_machine_of_a_silent_node_before_the_health_check_does() {
    let schedule = Schedule::on("tkgs-2024", Shape::new(1, 2))
        .at(Duration::from_secs(10), "stopUnit: { vm: worker-0, unit: kubelet }");
    let game = schedule.game(Duration::from_secs(180)).expect("a scenario");
    assert_eq!(deleted(game.begin(1)), None, "the platform's own check waits for longer");
    let mut simulation = game.begin(1);
    assert!(!simulation.add_process("worker-9", "hasty-healer", Box::<HastyHealer>::default()));
    assert!(simulation.add_process("supervisor-0", "hasty-healer", Box::<HastyHealer>::default()));
    let fork = simulation.fork();
    let (at, by) = deleted(simulation).expect("it deletes the Machine");
    assert_eq!(by, "hasty-healer@supervisor-0");
    // Unknown after 40 s to 50 s of silence, and one to two polls more than its patience.
    let after = at.since(SimTime::ZERO);
    assert!((100..=150).contains(&after.as_secs()), "at {after}");
    assert_eq!(deleted(fork), Some((at, by)), "a fork goes on alike");
}
