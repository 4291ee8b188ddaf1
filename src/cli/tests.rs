//! The command line without a world: what parses, what is done, and the exit codes.

use super::player::{Tuned, Tuning};
use super::*;
use crate::analysis::estimate::{Asked, Part};
use crate::analysis::lesson::Prepared;
use crate::analysis::why::{Never, Settings, Shares};
use crate::analysis::{Comparison, Control};
use crate::engine::{Duration, Text};
use crate::report::Listed;
use crate::report::kubectl::Got;
use crate::timeline::{End, Expectation, Run as Played, Violated};
use clap::CommandFactory;

/// Plays nothing: `wrong` is a mistake, `fails` misses its expectation, `broken` an invariant, and
/// `seeded` has a seed of its own.
struct Fake;

impl Player for Fake {
    fn play(&self, input: &str, options: &Options, seed: u64) -> Result<Played, Vec<String>> {
        let name = self.lint(input, options)?.name;
        let failed = Expectation { applicable: true, ..Expectation::default() };
        Ok(Played {
            scenario: name.clone().into(),
            seed,
            expectations: if name == "fails" && seed > 2 { vec![failed] } else { Vec::new() },
            end: if name == "runaway" { End::Budget } else { End::default() },
            violated: if name == "broken" { vec![Violated::default()] } else { Vec::new() },
            ..Played::default()
        })
    }
    fn lint(&self, input: &str, _: &Options) -> Result<Linted, Vec<String>> {
        let seed = (input == "seeded").then_some(13);
        let linted = Linted { name: input.to_owned(), seed, ..Linted::default() };
        if input == "wrong" { Err(vec!["wrong:1:1: no".to_owned()]) } else { Ok(linted) }
    }
    fn list(&self, _: Listing, _: Option<&str>, word: Option<&str>) -> Result<Listed, Vec<String>> {
        let word = word.unwrap_or_default();
        let all = [("one", "the first")].into_iter().filter(|(name, _)| name.contains(word));
        Ok(Listed::Names(all.map(|(name, says)| (name.to_owned(), says.to_owned())).collect()))
    }
    fn show(&self, _: Shown, name: &str) -> Result<String, Vec<String>> {
        Ok(format!("{name}\n"))
    }
    fn estimate(
        &self,
        input: &str,
        options: &Options,
        many: &Many,
        _: &Control,
    ) -> Result<Part, Vec<String>> {
        let scenario = self.lint(input, options)?.name.into();
        let asked = Asked {
            scenario,
            platform: Text::EMPTY,
            fingerprint: Text::EMPTY,
            words: many.words.clone(),
            first_seed: many.first_seed,
            runs: many.runs,
            assumed_runs: many.assumed_runs,
            until_recovered: false,
            reach: None,
            users: Default::default(),
        };
        Ok(Part::new(asked, many.shard, Default::default()))
    }
    fn compare(
        &self,
        [a, b]: [(&str, &Options); 2],
        versus: &Versus,
        _: &Control,
    ) -> Result<Comparison, Vec<String>> {
        self.lint(a.0, a.1)?;
        self.lint(b.0, b.1)?;
        Ok(Comparison { first_seed: versus.first_seed, runs: versus.runs, ..Comparison::default() })
    }
    fn why(
        &self,
        input: &str,
        options: &Options,
        question: &crate::analysis::why::Question,
        asked: &super::Asked,
    ) -> Result<Answer, Vec<String>> {
        let run = self.play(input, options, asked.seed)?;
        Ok(Answer::Never(Box::new(Never {
            run,
            milestone: question.words(),
            waiting: Vec::new(),
            by_itself: None,
            tried: 0,
            patience: asked.patience,
            releases: Vec::new(),
        })))
    }
    fn shares(
        &self,
        input: &str,
        options: &Options,
        _: &crate::analysis::why::Question,
        asked: &super::Asked,
        _: &Control,
    ) -> Result<(Shares, Settings, String), Vec<String>> {
        let label = self.lint(input, options)?.name;
        let shares = Shares { first_seed: asked.seed, runs: asked.runs, ..Shares::default() };
        Ok((shares, Settings::default(), label))
    }
    fn tune(
        &self,
        input: &str,
        options: &Options,
        tuning: &Tuning,
        _: &Control,
    ) -> Result<Tuned, Vec<String>> {
        self.lint(input, options)?;
        let Tuning { of, outages, first_seed, runs, .. } = tuning.clone();
        let played = crate::analysis::tune::Played {
            scenario: Text::word("fake"),
            platform: Text::word("fake"),
            of,
            first_seed,
            wanted: runs,
            runs,
        };
        let (keys, points) = (Vec::new(), Vec::new());
        Ok(Tuned::Sweep(crate::analysis::tune::Sweep { played, keys, points, outages, nodes: 3 }))
    }
    fn lesson(
        &self,
        input: &str,
        options: &Options,
        _: u64,
        _: usize,
    ) -> Result<Prepared, Vec<String>> {
        self.lint(input, options)?;
        Err(vec![format!("{input}: it has no `questions`")])
    }
    fn get(&self, _: &str, _: &Options, question: &Question) -> Result<Got, Vec<String>> {
        let (text, beside) = (format!("{question:?}\n"), String::new());
        Ok(Got { text, beside, failed: question.seed == 13 })
    }
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("healsim").chain(line.split_whitespace()))
}

fn exit(line: &str) -> Exit {
    execute(&parse(line).unwrap().command, &Fake)
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_page_fits_and_has_examples() {
    for command in Cli::command().get_subcommands_mut() {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Examples:"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}

#[test]
fn a_run_takes_the_documented_options() {
    let line = "run a b.yaml --platform p --seed 7 --until 30m --set k=v=w --set x=1 -f m.yaml \
                -o jsonl --out json=a.json --out summary=b.txt --stats";
    let Command::Run(run) = parse(line).unwrap().command else { panic!("not a run") };
    assert_eq!((run.inputs.len(), run.seed, run.output), (2, Some(7), Format::Jsonl));
    assert_eq!(run.common.until, Some(Duration::from_secs(1800)));
    assert_eq!(run.common.set[0], Setting { key: "k".to_owned(), value: "v=w".to_owned() });
    assert_eq!(run.out.len(), 2);
    let words = run.common.words().join(" ");
    assert_eq!(words, "--platform p --until 30m0s --set k=v=w --set x=1 -f m.yaml");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for line in [
        "run",
        "run a --until 5min",
        "run a -o xml",
        "run a --out json",
        "check a --seeds 5..1",
        "check a --seeds 0..99999999999999",
        "check a --seeds 0..18446744073709551615",
        "check a --lint --seeds 1..2",
        "get nodes a",
        "get nodes --at 1m --after 1m a",
        "get endpoints --at 1m a",
        "list things",
        "estimate",
        "estimate a b",
        "estimate a --runs 0",
        "estimate a --jobs 0",
        "estimate a -o xml",
        "estimate a --shard 3/2",
        "estimate a --threshold nonsense",
        "merge",
        "merge a --missing -o json",
        "why a --of nothing",
        "tune a --vary b=2m..1m/1m",
        "fuzz a",
        "learn --seed 3",
        "learn a --out xml=b",
        "learn a b",
        "run a --freely",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn get_knows_the_names_that_kubectl_knows() {
    let what = |name: &str| match parse(&format!("get {name} --at 1m a")).unwrap().command {
        Command::Get(asked) => asked.what.resource,
        _ => unreachable!("it is `get`"),
    };
    for names in [
        &["nodes", "node", "no"][..],
        &["machines", "machine", "ma"],
        &["hosts", "host"],
        &["pods", "pod", "po"],
        &["deployments", "deployment", "deploy"],
        &["statefulsets", "statefulset", "sts"],
        &["daemonsets", "daemonset", "ds"],
        &["jobs", "job"],
        &["kubeadmcontrolplanes", "kubeadmcontrolplane", "kcp"],
        &["virtualmachines", "virtualmachine", "vm"],
        &["secrets", "secret"],
        &["configmaps", "configmap", "cm"],
        &["services", "service", "svc"],
        &["clusters", "cluster", "cl"],
        &["poddisruptionbudgets", "poddisruptionbudget", "pdb"],
        &["events", "event", "ev"],
        &["leases", "lease"],
        &["replicasets", "replicaset", "rs"],
        &["machinedeployments", "machinedeployment", "md"],
        &["machinesets", "machineset", "ms"],
        &["machinehealthchecks", "machinehealthcheck", "mhc"],
        &["kubeadmconfigs", "kubeadmconfig"],
        &["vspheremachines", "vspheremachine"],
        &["volumeattachments", "volumeattachment"],
    ] {
        let first = what(names[0]);
        assert!(names.iter().all(|name| what(name) == first), "{names:?}");
    }
}

#[test]
fn get_asks_for_one_object_by_its_name() {
    let get = |words: &str| match parse(&format!("get {words} --at 1m")).unwrap().command {
        Command::Get(asked) => {
            let name = asked.name().map(str::to_owned);
            asked.fits().map(|()| (asked.what.resource, name, asked.input().to_owned()))
        }
        _ => unreachable!("it is `get`"),
    };
    let one = |name: &str| Ok((Resource::Pods, Some(name.to_owned()), "a.yaml".to_owned()));
    assert_eq!(get("pods web-1 a.yaml"), one("web-1"));
    assert_eq!(get("pod/web-1 a.yaml"), one("web-1"));
    assert_eq!(get("po a.yaml"), Ok((Resource::Pods, None, "a.yaml".to_owned())));
    for (words, wrong) in [
        ("pod/web-1 web-2 a", "`web-1` is one object; name no other beside it"),
        ("pod/ a", "a name is missing after the `/`, as in node/worker-0"),
        ("vms worker-0 a", "of these, all are printed; leave the name out"),
        ("all web-1 a", "of these, all are printed; leave the name out"),
        ("pods web-1 a -A", "a resource cannot be retrieved by name across all namespaces"),
    ] {
        assert_eq!(get(words), Err(wrong.to_owned()), "{words}");
    }
    let refused = |words: &str| parse(&format!("get {words} a --at 1m")).unwrap_err().to_string();
    assert!(refused("ns").contains("there are no Namespace objects here"), "{}", refused("ns"));
    let near = refused("pod5/web-1");
    assert!(near.contains("'pod5'") && near.contains("[possible values: nodes,"), "{near}");
}

#[test]
fn nothing_is_said_twice_and_differently() {
    let fits = |line: &str| parse(line).unwrap().command.fits();
    for line in [
        "run a --out json=x --out jsonl=./x",
        "estimate a --out csv=x --out csv=x",
        "merge a --out svg=x --out json=x",
        "compare a b --out html=x --out html=x",
        "tune a --out csv=x --out json=x",
    ] {
        let wrong = fits(line).expect_err(line);
        assert!(wrong.ends_with("is written twice; name two files"), "{line}: {wrong}");
    }
    for line in ["get nodes --at 1m a", "availability", "fuzz", "fuzz --exhaustive"] {
        let wrong = fits(&format!("{line} --set k.l=1s --set k.l=2s")).expect_err("two values");
        assert_eq!(wrong, "--set k.l is given twice, as 1s and as 2s; write it once", "{line}");
    }
    for line in [
        "run a --out json=x --out jsonl=y",
        "run a --out json=/dev/null --out jsonl=/dev/null",
        "run a --set k.l=1s --set k.l=1s --set k.m=2s",
        // What is compared stands over what both have.
        "compare k.l=1s k.l=2s --scenario a --set k.l=3s",
    ] {
        assert_eq!(fits(line), Ok(()), "{line}");
    }
}

#[test]
fn a_document_that_holds_one_run_is_not_asked_of_two() {
    let fits = |line| match parse(line).unwrap().command {
        Command::Run(run) => run.fits(),
        _ => panic!("not a run"),
    };
    assert!(fits("run a b -o jsonl --out events=e.json").is_ok());
    assert!(fits("run a --out metrics=m.om --out perfetto=p.json").is_ok());
    let wrong = fits("run a b --out metrics=m.om").unwrap_err();
    assert_eq!(wrong, "a file of `metrics` holds one run; name one scenario");
    assert!(fits("run a b -o perfetto").is_err());
}

#[test]
fn a_run_is_played_back_on_a_terminal_only() {
    let Command::Run(run) = parse("run a --play --speed 300").unwrap().command else {
        panic!("not a run")
    };
    assert_eq!((run.play, run.speed), (true, 300));
    // Tests have no terminal, and most builds no `tui`.
    let wrong = run.fits().unwrap_err();
    let says = if cfg!(feature = "tui") { "a terminal" } else { "not in this build" };
    assert!(wrong.contains(says), "{wrong}");
    assert_eq!(parse("run a --speed 300").unwrap_err().exit_code(), 2);
    assert_eq!(parse("run a --play --speed 0").unwrap_err().exit_code(), 2);
}

#[test]
fn seeds_include_both_ends() {
    let Command::Check(check) = parse("check a").unwrap().command else { panic!("not a check") };
    assert_eq!(check.seeds, None);
    assert_eq!(Seeds::default().iter().count(), 20);
}

#[test]
fn an_instant_counts_from_the_beginning_or_the_fault() {
    let moment = |line| match parse(line).unwrap().command {
        Command::Get(get) => get.moment(),
        _ => panic!("not a get"),
    };
    assert_eq!(moment("get nodes --at 5m30s a"), Moment::At(Duration::from_secs(330)));
    assert_eq!(moment("get pods --after 45s a"), Moment::After(Duration::from_secs(45)));
}

#[test]
fn the_exit_code_tells_the_worst() {
    assert_eq!(exit("run good"), Exit::Done);
    assert_eq!(exit("run good wrong"), Exit::Input);
    assert_eq!(exit("run fails --seed 3 good"), Exit::Expectation);
    assert_eq!(exit("run broken fails --seed 3"), Exit::Invariant);
    assert_eq!(exit("check good"), Exit::Done);
    assert_eq!(exit("check fails"), Exit::Expectation);
    for command in ["run runaway", "check runaway"] {
        assert_eq!(exit(command), Exit::Failed, "{command}: what was to come was not played");
    }
    assert_eq!(exit("check fails --seeds 1..2"), Exit::Done);
    assert_eq!(exit("check fails broken --lint"), Exit::Done);
    assert_eq!(exit("check wrong fails"), Exit::Input);
    assert_eq!(exit("tune good"), Exit::Done);
    assert_eq!(exit("tune wrong"), Exit::Input);
    assert_eq!(exit("learn wrong"), Exit::Input);
    assert_eq!(exit("learn good"), Exit::Input, "it asks nothing");
    assert_eq!(exit("learn good --out json=/no/such/folder/x"), Exit::Failed);
    assert_eq!(exit("get nodes --at 1m good"), Exit::Done);
    assert_eq!(exit("get nodes --at 1m good --seed 13"), Exit::Failed);
    assert_eq!(exit("run good --out json=/no/such/folder/x"), Exit::Failed);
    // What cannot be written is found before the run, which would be in vain.
    assert_eq!(exit("run wrong --out json=/no/such/folder/x"), Exit::Failed);
    assert_eq!(exit("check wrong --junit /no/such/folder/x"), Exit::Failed);
    assert_eq!(exit("run wrong --out json=/tmp"), Exit::Failed);
}

#[test]
fn one_run_has_the_users_seed_or_the_scenarios_or_the_first() {
    let seed = |input: &str, asked| Fake.lint(input, &Options::default()).unwrap().seed(asked);
    assert_eq!([seed("seeded", Some(7)), seed("seeded", None), seed("good", None)], [7, 13, 1]);
    // `get` fails with 13.
    assert_eq!(exit("get nodes --at 1m seeded"), Exit::Failed);
    assert_eq!(exit("get nodes --at 1m seeded --seed 7"), Exit::Done);
}

#[test]
fn a_file_is_written_whole_and_replaced() {
    let folder = std::env::temp_dir().join(format!("healsim-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("run.json");
    for _ in 0..2 {
        assert_eq!(exit(&format!("run good --out json={}", file.display())), Exit::Done);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("{\"summary\":true,"), "{text}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_count_that_is_none_is_told_with_those_that_can_be() {
    let bounds = "write a whole number from 1 to 10000000";
    let jobs = "write a whole number from 1 to 1024";
    for (flag, value, words) in [
        ("--runs", "x", bounds),
        ("--runs", "0", bounds),
        ("--runs", "-1", bounds),
        ("--jobs", "1025", jobs),
    ] {
        for command in ["estimate", "compare", "tune", "why"] {
            let more: &[&str] = if command == "compare" { &["a", "b"] } else { &["a"] };
            let typed = [&["healsim", command][..], more, &[flag, value]].concat();
            let refused = Cli::try_parse_from(&typed).expect_err("no such count").to_string();
            assert!(refused.contains(words), "{typed:?}: {refused}");
        }
    }
}
