//! The faults of the recordings, one after the other, and what one trial comes to.

use super::super::recording::Row;
use super::super::steps::{Step, Steps};
use super::driver::{Ask, Got, Question};
use super::leases::{self, Renewals, Renewed};
use super::probes::{Heard, answer, steps};
use super::processes;
use super::rig::{Rig, plane};
use super::words::{self, COMMANDS, Printed};
use crate::api::{Freshness, Kind, ObjectKey};
use crate::components::kubectl::{Action, Command, Context};
use crate::components::load_balancer::Rules;
use crate::engine::{Delay, Duration, Owner, Purpose, Random, SimTime, Text};
use crate::timeline::Entry;
use crate::world::Blueprint;

/// How busy the machine was, and the trial's seed.
pub type Trial = (Delay, u64);

/// Two of three members are killed and started again after 150 s; each API server has its own member, and
/// users of two of them ask everything.
pub fn quorum_lost(machines: &Blueprint, trial: Trial) -> Steps {
    let questions = all_questions(&[0, 1]);
    // There was no balancer, whose checks would take their turns with the users' ones.
    let machines = Blueprint { load_balancer: None, ..machines.clone() };
    let mut rig = Rig::new(&machines, questions.clone(), None, trial);
    rig.run_until(Duration::ZERO);
    (1..3).for_each(|member| rig.kill("etcd", member));
    rig.run_until(Duration::from_secs(150));
    (1..3).for_each(|member| rig.start("etcd", member));
    rig.run_until(Duration::from_secs(270));
    let notes = rig.notes();
    let heard: Vec<Heard> = notes.got.iter().map(|got| heard(&questions, got, &rig)).collect();
    steps(&heard)
}

fn heard(questions: &[Question], got: &Got, rig: &Rig) -> Heard {
    Heard {
        probe: questions[got.question].name.clone(),
        done: signed(got.done) - signed(rig.fault()),
        took: got.done.since(got.sent),
        answer: answer(&got.status.to_string(), &got.words),
    }
}

/// The questions of the recordings, to each of these API servers.
fn all_questions(servers: &[usize]) -> Vec<Question> {
    let asks = [
        ("livez", Ask::Health("/livez")),
        ("readyz", Ask::Health("/readyz")),
        ("list-pods", Ask::Pods(Freshness::Latest)),
        ("list-pods-from-cache", Ask::Pods(Freshness::Any)),
        ("get-node", Ask::Node),
        ("write", Ask::Write),
    ];
    let question = |server: usize, (name, ask)| Question {
        name: format!("{name}@api-{server}"),
        vm: Text::from(plane(server)),
        ask,
        timeout: None,
    };
    servers.iter().flat_map(|server| asks.map(|ask| question(*server, ask))).collect()
}

/// What becomes of an API server behind the load balancer, and of the connections to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// They stay, and nothing passes any more.
    Silent,
    Reset,
}

/// The recorded balancer was told at once; here it finds out within a second.
const TOLD: Duration = Duration::from_millis(300);

/// One of two API servers behind a load balancer goes away; kubelets are connected through the balancer, all
/// others to the other server.
pub fn backend_gone(machines: &Blueprint, how: Gone, trial: Trial) -> Steps {
    let mut machines = machines.clone();
    machines.leaders.controller_manager = Some(1);
    machines.leaders.scheduler = Some(1);
    if let Some(rules) = &mut machines.load_balancer {
        let (interval, connect_timeout, answer_timeout) = (TOLD, TOLD, TOLD);
        *rules = Rules { interval, connect_timeout, answer_timeout, fall: 1, ..*rules };
    }
    let mut rig = Rig::new(&machines, Vec::new(), Some(1), trial);
    rig.run_until(Duration::ZERO);
    match how {
        Gone::Silent => rig.freeze("kube-apiserver", 0),
        Gone::Reset => rig.kill("kube-apiserver", 0),
    }
    rig.run_until(Duration::from_secs(75));
    let mut renewals = Renewals::new();
    let fault = signed(rig.fault());
    for renewal in &rig.notes().renewals {
        let (seen, written) = (signed(renewal.seen) - fault, signed(renewal.renewed));
        renewals.entry(renewal.lease.to_string()).or_default().push(Renewed { seen, written });
    }
    let mut steps = leases::steps(&renewals);
    unready_nodes(&rig, &mut steps);
    steps
}

/// Nodes that were marked after the fault.
fn unready_nodes(rig: &Rig, steps: &mut Steps) {
    let marked =
        |entry: &&Entry| entry.at > rig.fault() && entry.kind == *"Node" && entry.field == *"Ready";
    for entry in rig.entries().iter().filter(marked) {
        let value = entry.to.to_string();
        let step = Step { role: "Node".to_owned(), field: "Ready".to_owned(), value };
        steps.entry(step).or_default().after.push(entry.at.since(rig.fault()));
    }
}

fn signed(at: SimTime) -> i64 {
    i64::try_from(at.as_micros()).expect("a run is shorter than 2^63 us")
}

/// For how long the only API server is away, in microseconds.
pub const DOWN: i64 = 60_000_000;
/// After how long the recorded user of `/readyz` gives a request up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The only API server is killed, and started again after a minute; controller-manager and scheduler are started
/// again a second after each exit.
pub fn server_down(machines: &Blueprint, trial: Trial) -> Steps {
    let readyz = Question {
        name: "readyz".to_owned(),
        vm: Text::from(plane(0)),
        ask: Ask::Health("/readyz"),
        timeout: Some(PATIENCE),
    };
    let mut rig = Rig::new(machines, vec![readyz], None, trial);
    rig.run_until(Duration::ZERO);
    rig.kill("kube-apiserver", 0);
    rig.run_until(Duration::from_micros(DOWN.unsigned_abs()));
    rig.start("kube-apiserver", 0);
    rig.run_until(Duration::from_secs(180));
    let fault = signed(rig.fault());
    let mut rows: Vec<Row> = rig.entries().iter().map(Row::from_entry).collect();
    let mut last = String::new();
    for got in rig.notes().got.iter().filter(|got| signed(got.done) > fault + DOWN) {
        let status = if got.status == 0 { got.words.to_string() } else { got.status.to_string() };
        if status != last {
            rows.push(status_row(signed(got.done), &status));
            last = status;
        }
    }
    let mut steps = processes::steps(&rows, fault, DOWN);
    // Leases themselves were not recorded, only the Events about them.
    steps.retain(|step, _| step.field != "holder");
    steps
}

fn status_row(micros: i64, status: &str) -> Row {
    Row {
        micros,
        kind: "Probe".to_owned(),
        name: "readyz".to_owned(),
        field: "status".to_owned(),
        from: None,
        to: Some(status.to_owned()),
        reason: String::new(),
        message: String::new(),
        by: "driver".to_owned(),
    }
}

/// How the leading controller-manager ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Kill,
    Terminate,
}

/// The leading controller-manager of two ends, and is not started again before the other leads.
pub fn takeover(machines: &Blueprint, end: End, trial: Trial) -> Steps {
    let mut machines = machines.clone();
    machines.leaders.controller_manager = Some(0);
    machines.settings.controller_restart = Duration::from_secs(3_600);
    let mut rig = Rig::new(&machines, Vec::new(), None, trial);
    rig.run_until(Duration::ZERO);
    match end {
        End::Kill => rig.kill("kube-controller-manager", 0),
        End::Terminate => rig.terminate("kube-controller-manager", 0),
    }
    rig.run_until(Duration::from_secs(30));
    let fault = signed(rig.fault());
    let is_its = |row: &Row| row.kind == "Lease" && row.name == "kube-controller-manager";
    let rows = rig.entries().iter().map(Row::from_entry).filter(|row| is_its(row));
    let mut steps = processes::steps(&rows.collect::<Vec<_>>(), fault, DOWN);
    // The recordings have when the Lease was held by another, and no more.
    steps.retain(|step, _| step.field == "holder");
    steps
}

/// When each command is typed after the quorum was lost.
const TYPED: [u64; 4] = [2, 20, 45, 80];
/// When the API servers are stopped, after every command has ended.
const STOPPED: Duration = Duration::from_secs(150);

/// Two of three members are killed, and somebody types commands at one of the API servers; later these are stopped.
pub fn kubectl_words(machines: &Blueprint, trial: Trial) -> Steps {
    // There was no balancer: each command had its server.
    let machines = Blueprint { load_balancer: None, ..machines.clone() };
    let printed = COMMANDS.into_iter().flat_map(|command| words_of(&machines, command, trial));
    words::steps(&printed.collect::<Vec<_>>())
}

/// What one command prints at each time.
fn words_of(machines: &Blueprint, command: &'static str, trial: Trial) -> Vec<Printed> {
    let mut rig = Rig::new(machines, Vec::new(), None, trial);
    rig.run_until(Duration::ZERO);
    (1..3).for_each(|member| rig.kill("etcd", member));
    let mut typed: Vec<Duration> = TYPED.map(Duration::from_secs).to_vec();
    for (number, at) in (0..).zip(&typed) {
        rig.run_until(*at);
        rig.type_command(typed_command(command, number));
    }
    rig.run_until(STOPPED);
    if command == COMMANDS[0] {
        (0..3).for_each(|server| rig.kill("kube-apiserver", server));
        typed.push(STOPPED);
        rig.type_command(typed_command(command, 0));
        rig.run_until(STOPPED + Duration::from_secs(1));
    }
    let is_kubectl_s = |entry: &&Entry| entry.name == *"kubectl@laptop" && entry.field == *"log";
    let lines: Vec<&Entry> = rig.entries().iter().filter(is_kubectl_s).collect();
    assert_eq!(lines.len(), typed.len(), "every command ends");
    let mut random = BusyLaptop::new(trial);
    // All commands of one kind take as long, so they end in the order in which they were typed.
    let printed = typed.iter().zip(lines).map(|(at, line)| Printed {
        command,
        words: line.message.to_string(),
        took: line.at.since(rig.fault() + *at) + random.next(),
    });
    printed.collect()
}

/// How long the program itself takes, draw by draw: what it took when all was well.
struct BusyLaptop(Trial, u64);

impl BusyLaptop {
    fn new(trial: Trial) -> BusyLaptop {
        BusyLaptop(trial, 0)
    }

    fn next(&mut self) -> Duration {
        self.1 += 1;
        let (busy, seed) = self.0;
        busy.pick(Random::new(seed).draw(Owner::named("laptop"), Purpose(0), self.1))
    }
}

/// A command as kubectl understands it.
fn typed_command(command: &str, number: u32) -> Command {
    let get = Action::Get { one: false };
    let (kind, namespace, name, action) = match command {
        "kubectl get nodes" => (Kind::Node, "", String::new(), get),
        "kubectl get pods" => (Kind::Pod, "default", String::new(), get),
        "kubectl scale deployment" => {
            (Kind::Deployment, "default", "web".to_owned(), Action::Scale(2))
        }
        _ => {
            let action = Action::CreateDeployment { image: Text::word("web"), replicas: 1 };
            (Kind::Deployment, "default", format!("c{number}"), action)
        }
    };
    let (namespace, name) = (Text::word(namespace), Text::from(name));
    Command { context: Context::Workload, object: ObjectKey { kind, namespace, name }, action }
}
