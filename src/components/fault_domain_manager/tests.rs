//! Verdicts, elections and restarts: news and timers in, what hosts are told out.

use super::*;
use crate::infra::testbed::{Testbed, logs, started, timers};
use crate::infra::{
    Datacenter, Effect, KeepAlives, Latency, Power, Retransmission, Vm, VmAction, VmId,
};

/// Three hosts, `esxi-0` to `esxi-2`, with a VM on each, `worker-0` to `worker-2`; one agent.
struct Agent {
    agent: FaultDomainManager,
    bed: Testbed<Event>,
    /// What was asked for and has not fallen due.
    due: Vec<(SimTime, Event)>,
    told: Vec<String>,
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn settings() -> Settings {
    Settings {
        unreachable: seconds(10),
        dead: seconds(18),
        election_begins: seconds(10),
        election: seconds(15),
        placement: Delay::fixed(seconds(12)),
        power_on: Delay::fixed(seconds(3)),
        boot: Delay::fixed(seconds(20)),
        batch: 32,
        tries: 2,
        pause: seconds(120),
        pause_limit: seconds(480),
        high_priority: Text::word("none"),
    }
}

impl Agent {
    /// The agent of a host that has long been up.
    fn on(host: &str, settings: Settings) -> Agent {
        let mut agent = Agent::unstarted(host, settings);
        agent.play(started(Start::Steady));
        agent
    }

    fn unstarted(host: &str, settings: Settings) -> Agent {
        let latency = Latency { between_vms: Delay::default(), loopback: Delay::default() };
        let keep_alives = KeepAlives::none();
        let mut datacenter = Datacenter::new(latency, keep_alives, Retransmission::default(), 0);
        for number in 0..3 {
            datacenter.add_host(format!("esxi-{number}").as_str());
        }
        let mut bed = Testbed::new("fdm", host);
        bed.datacenter = Some(datacenter);
        let agent = FaultDomainManager::new(settings);
        let mut agent = Agent { agent, bed, due: Vec::new(), told: Vec::new() };
        for number in 0..3 {
            agent.add_vm(&format!("worker-{number}"));
        }
        agent
    }

    fn datacenter(&mut self) -> &mut Datacenter {
        self.bed.datacenter.as_mut().expect("put there by new")
    }

    fn add_vm(&mut self, name: &str) -> VmId {
        let mut vm = Vm::new(name);
        (vm.power, vm.switched_on) = (Power::On, true);
        self.datacenter().add_vm(vm)
    }

    /// A host dies with its VMs, and its heartbeats stop.
    fn lose(&mut self, host: &str) {
        self.cut(host);
        self.play(Input::Host(HostNews::Silent(Text::from(host))));
    }

    fn cut(&mut self, host: &str) {
        let datacenter = self.datacenter();
        let id = datacenter.host_named(host).expect("a host");
        let machine = datacenter.host_of(id).machine;
        for vm in [vec![machine], datacenter.vms_on(id)].concat() {
            datacenter.power_off(vm, SimTime::ZERO, &mut Vec::new());
        }
    }

    fn boot(&mut self, host: &str) {
        let datacenter = self.datacenter();
        let id = datacenter.host_named(host).expect("a host");
        let machine = datacenter.host_of(id).machine;
        let machine = datacenter.vm_mut(machine);
        (machine.power, machine.booted) = (Power::On, true);
        self.play(Input::Host(HostNews::Heard(Text::from(host))));
    }

    fn play(&mut self, input: Input<Event>) {
        let agent = &mut self.agent;
        let effects = self.bed.play(|ctx| agent.on_event(input, ctx));
        let now = self.bed.now;
        self.due.extend(timers(&effects).into_iter().map(|(pause, event)| (now + pause, event)));
        for effect in &effects {
            self.note(effect);
        }
        assert!(logs(&effects).iter().all(|line| line.contains("was restarted on")));
    }

    fn note(&mut self, effect: &Effect<Event>) {
        let at = self.bed.now.since(SimTime::ZERO);
        match effect {
            Effect::Trace(Trace::Host(change)) => {
                let HostChange { name, from, to, .. } = &**change;
                self.told.push(format!("{at} {name} {from} -> {to}"));
            }
            Effect::TellHosts(news) => self.told.push(format!("{at} {news:?}")),
            Effect::Datacenter(VmAction::RestartOn { vm, host, .. }) => {
                self.told.push(format!("{at} {vm} on {host}"));
                let (vm, host) = (vm.clone(), host.clone());
                let datacenter = self.datacenter();
                let host = datacenter.host_named(&host);
                let vm = datacenter.vm_named(&vm).expect("a VM");
                let vm = datacenter.vm_mut(vm);
                (vm.host, vm.power) = (host, Power::On);
            }
            _ => {}
        }
    }

    /// Lets time pass, and what falls due in it.
    fn run(&mut self, length: u64) -> Vec<String> {
        let end = self.bed.now + seconds(length);
        while let Some(next) = self.due.iter().map(|(at, _)| *at).filter(|at| *at <= end).min() {
            let place = self.due.iter().position(|(at, _)| *at == next).expect("just found");
            let (at, event) = self.due.remove(place);
            self.bed.now = at;
            self.play(Input::Due(event));
        }
        self.bed.now = end;
        std::mem::take(&mut self.told)
    }
}

#[test]
fn a_silent_secondary_is_unreachable_then_dead_and_its_vm_restarts_elsewhere() {
    let mut primary = Agent::on("esxi-2", settings());
    primary.lose("esxi-0");
    assert_eq!(
        primary.run(60),
        [
            "10s esxi-0 connectedToMaster -> fdmUnreachable",
            "18s esxi-0 fdmUnreachable -> hostDown",
            "33s worker-0 on esxi-1",
        ]
    );
}

#[test]
fn a_secondary_does_nothing_about_another() {
    let mut secondary = Agent::on("esxi-1", settings());
    secondary.lose("esxi-0");
    assert_eq!(secondary.run(600), Vec::<String>::new());
}

#[test]
fn a_host_that_is_heard_again_in_time_is_not_dead() {
    let mut primary = Agent::on("esxi-2", settings());
    primary.play(Input::Host(HostNews::Silent(Text::word("esxi-0"))));
    primary.run(9);
    primary.play(Input::Host(HostNews::Heard(Text::word("esxi-0"))));
    assert_eq!(primary.run(60), ["9s Leads(\"esxi-2\")"]);
}

#[test]
fn the_highest_of_those_left_is_elected_and_declares_the_primary_dead() {
    let mut next = Agent::on("esxi-1", settings());
    next.lose("esxi-2");
    assert_eq!(
        next.run(60),
        [
            "10s esxi-1 connectedToMaster -> election",
            "25s esxi-1 election -> master",
            "25s Leads(\"esxi-1\")",
            "25s esxi-2 master -> hostDown",
            "40s worker-2 on esxi-0",
        ]
    );
}

#[test]
fn who_loses_an_election_follows_the_winner_and_elects_again_without_its_word() {
    let mut other = Agent::on("esxi-0", settings());
    other.lose("esxi-2");
    assert_eq!(other.run(26), ["10s esxi-0 connectedToMaster -> election"]);
    other.play(Input::Host(HostNews::Leads(Text::word("esxi-1"))));
    assert_eq!(other.run(60), ["26s esxi-0 election -> connectedToMaster"]);
    let mut alone = Agent::on("esxi-0", settings());
    alone.lose("esxi-2");
    alone.run(26);
    alone.lose("esxi-1");
    let told = alone.run(80);
    assert!(told.contains(&"40s esxi-0 election -> master".to_owned()), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("55s worker-2 on esxi-0"));
}

#[test]
fn what_somebody_switched_off_stays_off() {
    let mut primary = Agent::on("esxi-2", settings());
    let vm = primary.datacenter().vm_named("worker-0").expect("a VM");
    primary.datacenter().vm_mut(vm).switched_on = false;
    primary.lose("esxi-0");
    let told = primary.run(600);
    assert_eq!(told.last().map(String::as_str), Some("18s esxi-0 fdmUnreachable -> hostDown"));
}

#[test]
fn vms_of_high_priority_come_first_and_a_host_takes_a_batch_at_a_time() {
    let high_priority = Text::word("worker-9");
    let mut primary = Agent::on("esxi-2", Settings { batch: 1, high_priority, ..settings() });
    for name in ["worker-7", "worker-8", "worker-9"] {
        let vm = primary.add_vm(name);
        let host = primary.datacenter().host_named("esxi-0");
        primary.datacenter().vm_mut(vm).host = host;
    }
    primary.lose("esxi-1");
    primary.lose("esxi-0");
    let told = primary.run(60);
    let restarted: Vec<&str> = told[4..].iter().map(String::as_str).collect();
    assert_eq!(
        restarted[..4],
        [
            "33s worker-9 on esxi-2",
            "36s worker-0 on esxi-2",
            "39s worker-1 on esxi-2",
            "42s worker-7 on esxi-2",
        ]
    );
}

#[test]
fn a_restart_that_fails_is_tried_again_but_not_for_ever() {
    let mut primary = Agent::on("esxi-2", settings());
    primary.lose("esxi-0");
    primary.run(31);
    // The new host dies while it powers the VM on; its own VM was on it.
    primary.lose("esxi-1");
    let told = primary.run(300);
    let restarted: Vec<&String> = told.iter().filter(|line| line.contains(" on ")).collect();
    assert_eq!(restarted, ["1m4s worker-1 on esxi-2", "2m48s worker-0 on esxi-2"]);
    // After as many failures as tries nobody restarts it.
    let mut hopeless = Agent::on("esxi-2", Settings { tries: 1, ..settings() });
    hopeless.lose("esxi-0");
    hopeless.run(31);
    hopeless.lose("esxi-1");
    let told = hopeless.run(3600);
    assert!(!told.iter().any(|line| line.contains("worker-0 on")), "{told:?}");
}

#[test]
fn a_host_that_died_lately_is_chosen_in_vain_and_one_that_is_missed_is_not() {
    let restarts = |second: u64| {
        let mut primary = Agent::on("esxi-2", settings());
        primary.lose("esxi-0");
        primary.run(second);
        primary.lose("esxi-1");
        let told = primary.run(600);
        told.into_iter().filter(|line| line.contains("worker-0 on")).collect::<Vec<String>>()
    };
    // Placement is at 30 s.
    assert_eq!(restarts(20), ["33s worker-0 on esxi-2"], "silent for 10 s: unreachable");
    assert_eq!(restarts(21), ["2m48s worker-0 on esxi-2"], "esxi-1 has failed it at 33 s");
}

#[test]
fn an_agent_that_boots_alone_leads_and_restarts_what_ought_to_run() {
    let mut alone = Agent::unstarted("esxi-0", settings());
    for host in ["esxi-0", "esxi-1", "esxi-2"] {
        alone.cut(host);
    }
    let id = alone.datacenter().host_named("esxi-0").expect("a host");
    let machine = alone.datacenter().host_of(id).machine;
    alone.datacenter().vm_mut(machine).booted = true;
    alone.play(started(Start::Fresh));
    let told = alone.run(60);
    assert_eq!(
        told,
        [
            "0s esxi-0 hostDown -> election",
            "15s esxi-0 election -> master",
            "15s Leads(\"esxi-0\")",
            "30s worker-0 on esxi-0",
            "30s worker-1 on esxi-0",
            "30s worker-2 on esxi-0",
        ]
    );
}

#[test]
fn of_two_primaries_the_higher_stays() {
    let mut higher = Agent::on("esxi-2", settings());
    higher.play(Input::Host(HostNews::Leads(Text::word("esxi-1"))));
    assert_eq!(higher.run(1), ["0s Leads(\"esxi-2\")"]);
    let mut lower = Agent::on("esxi-2", settings());
    lower.play(Input::Host(HostNews::Leads(Text::word("esxi-3"))));
    assert_eq!(lower.run(1), ["0s esxi-2 master -> connectedToMaster"]);
    lower.lose("esxi-0");
    assert_eq!(lower.run(600), Vec::<String>::new(), "it leads no more");
}

#[test]
fn a_host_that_comes_back_with_lost_vms_gets_them_restarted() {
    let mut primary = Agent::on("esxi-2", settings());
    primary.lose("esxi-1");
    primary.lose("esxi-0");
    primary.run(10);
    primary.boot("esxi-0");
    let told = primary.run(60);
    assert!(told[0].starts_with("10s Leads"), "{told:?}");
    // `esxi-1` is dead by the time at which VMs are placed.
    let restarted: Vec<&String> = told.iter().filter(|line| line.contains(" on ")).collect();
    assert_eq!(restarted, ["25s worker-0 on esxi-0", "25s worker-1 on esxi-2"]);
}
