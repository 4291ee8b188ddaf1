//! The page is one file that asks nothing of anybody, and shows what `get` prints.

use super::bundle::{self, MODULES};
use super::film::{TABLES, film_fork};
use super::way::Way;
use super::*;
use crate::analysis::fuzz::{Schedule, Shape};
use crate::analysis::lesson::{Choice, Form as Asked, Posed, Prepared, Sheet, prepare};
use crate::engine::{Duration, Text};
use crate::report::kubectl::{self, Form, Resource};
use crate::report::lesson::Answers;
use crate::report::{Format, Style, write};
use crate::scenario::{Game, load, models::FOUNDING_PAGE};
use crate::timeline::{Downtime, Entry, EntryId, Level, Value};
use crate::world::WORKLOAD_CLUSTER;
use std::collections::{BTreeMap, BTreeSet};

/// The page without data must stay below a third of this; with a scenario, all of it.
const LARGEST: usize = 900_000;

fn bare() -> String {
    let mut page = Vec::new();
    write_page(&[], None, &mut page).expect("memory takes it");
    String::from_utf8(page).expect("text")
}

/// One control plane, one worker, whose kubelet stops after ten seconds.
fn game() -> Game {
    let schedule = Schedule::on("tkgs-2024", Shape::new(1, 1))
        .at(Duration::from_secs(10), "stopUnit: { vm: worker-0, unit: kubelet }");
    schedule.game(Duration::from_secs(90)).expect("a schedule that can be played")
}

#[test]
fn a_page_asks_nothing_of_anybody_and_is_small() {
    let page = bare();
    assert!(page.len() < LARGEST / 3, "{} bytes", page.len());
    let reaches = ["http:", "https:", "//cdn", "src=", "@import", "url(", "import(", "fetch("];
    for word in reaches.into_iter().chain(["XMLHttpRequest", "WebSocket", "sendBeacon"]) {
        assert!(!page.contains(word), "the page has {word}");
    }
    let links: Vec<&str> = page.split("href=").skip(1).collect();
    assert!(
        links.iter().all(|it| it.starts_with("\"#") || it.starts_with("\"data:,")),
        "{links:?}"
    );
    assert!(!page.contains("<!--{"), "a mark was left");
}

#[test]
fn the_pages_of_all_ten_scenarios_are_small() {
    for name in FOUNDING_PAGE {
        let scenario = load(name).expect("an embedded scenario");
        let film = film(&Game::new(&scenario, None, &[], None).expect("it is valid"), 1);
        let mut page = Vec::new();
        write_page(&[Shown::filmed(&film, name)], None, &mut page).expect("memory takes it");
        let size = page.len();
        assert!((bare().len()..LARGEST).contains(&size), "{name}: {size} bytes");
        levels_are_what_is_summed_up(name, &film);
        endpoints_begin_as_their_first_change_has_it(name, &film);
        if ["etcd-one-of-three", "apiserver-removed"].contains(&name) {
            the_way_leads_from_the_fault_before_to_what_harms(name, &film);
        }
    }
}

/// All of them have three API servers behind a load balancer.
fn endpoints_begin_as_their_first_change_has_it(name: &str, film: &Film) {
    let [(endpoint, backends)] = &film.endpoints[..] else { panic!("{name} has one endpoint") };
    assert_eq!(backends.len(), 3, "{name}");
    let mut happened = film.run.timeline.happened().iter();
    let change = happened.find(|it| it.kind == *"Endpoint" && it.name == *endpoint);
    assert!(change.is_none_or(|it| it.from == Value::text(backends.join(","))), "{name}");
}

/// Both are stuck after a fault that is not the first.
fn the_way_leads_from_the_fault_before_to_what_harms(name: &str, film: &Film) {
    let minute = if name == "apiserver-removed" { 11 } else { 6 };
    let fault = SimTime::ZERO + Duration::from_secs(60 * minute);
    let Way { milestone, parts, stations, .. } = &film.way;
    assert_eq!(milestone, "apiUnavailable", "{name}");
    assert_eq!(parts.first().map(|part| part.from), Some(fault), "{name}");
    let to = parts.last().expect("the first is one").to;
    assert!(to.since(fault) < Duration::from_secs(120), "{name}: {parts:?}");
    let entry = |id: &EntryId| film.run.timeline.get(*id).expect("an entry of the run");
    assert!(stations.iter().all(|id| entry(id).at >= fault) && !stations.is_empty(), "{name}");
}

/// The lanes of a page add up to what stands in its headline.
fn levels_are_what_is_summed_up(name: &str, film: &Film) {
    let Film { run, levels, .. } = film;
    let first = run.first_fault.expect("each of them has one");
    for (service, summed) in &run.availability {
        let probe = Text::from(service.replacen("app/", "app-", 1));
        let is_asked = |entry: &Entry| entry.kind == *"Probe" && entry.name.starts_with(&*probe);
        let Some(changes) = levels.get(service) else {
            assert!(run.timeline.entries().iter().any(is_asked), "{name}: {service}");
            continue;
        };
        let ends = changes[1..].iter().map(|(at, _)| *at).chain([run.ended_at]);
        let lasted = |wanted: Level| {
            let all = changes.iter().zip(ends.clone()).filter(|((_, level), _)| *level == wanted);
            let each = all.map(|((from, _), to)| to.since(first.max(*from)));
            each.fold(Duration::ZERO, |sum, length| sum + length)
        };
        let degraded = summed.degraded.map(|_| lasted(Level::Degraded));
        let at_end = changes.last().expect("a level").1;
        let counted = Downtime { unavailable: lasted(Level::Down), degraded, at_end };
        assert_eq!(counted, *summed, "{name}: {service}");
    }
    assert!(levels.keys().all(|service| run.availability.contains_key(service)), "{name}");
}

#[test]
fn the_modules_can_be_joined() {
    let mut known = BTreeSet::new();
    let mut declared = BTreeMap::new();
    for (name, text) in MODULES {
        assert!(text.starts_with("// "), "{name} does not say what it is");
        for line in text.lines() {
            if let Some(import) = line.strip_prefix("import ") {
                let from = import.split("'./").nth(1).and_then(|rest| rest.split('\'').next());
                let from = from.unwrap_or_else(|| panic!("{name}: import in one line: {line}"));
                assert!(known.contains(from), "{name} imports {from}, which comes later");
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let line = line.strip_prefix("async ").unwrap_or(line);
            let Some((word, rest)) = line.split_once(' ') else { continue };
            if ["const", "let", "function", "class"].contains(&word) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let it = &rest[..end.unwrap_or(rest.len())];
                let other = declared.insert(it, name);
                assert!(other.is_none(), "{it} is declared in {} and {name}", other.unwrap_or(""));
            }
        }
        known.insert(name);
    }
    let script = bundle::script();
    assert!(!script.contains("</script") && !script.contains("\nimport "));
}

#[test]
fn what_stands_in_a_run_cannot_leave_the_data() {
    let mut run = Run { scenario: Text::word("a</script><b>&\""), ..Run::default() };
    run.timeline.push(Entry {
        id: EntryId(1),
        at: SimTime::ZERO,
        cluster: Text::EMPTY,
        kind: Text::word("Node"),
        name: Text::word("<!--"),
        field: Text::word("Ready"),
        from: Value::Null,
        to: Value::text("</script>"),
        reason: Text::EMPTY,
        message: Text::word("<script>alert(1)</script>"),
        by: Text::EMPTY,
        cause: None,
        reads: Vec::new(),
        took: None,
    });
    let mut page = Vec::new();
    write(Format::Html, &run, Style::Plain, &mut page).expect("memory takes it");
    let page = String::from_utf8(page).expect("text");
    let bare = bare();
    for word in ["</script", "<script", "<!--"] {
        assert_eq!(page.matches(word).count(), bare.matches(word).count(), "{word}");
    }
    assert!(page.contains("<title>a&lt;/script>&lt;b>&amp;&quot; · healsim</title>"));
}

#[test]
fn a_learners_page_does_not_tell_how_it_ends() {
    let film = film(&game(), 3);
    let told = Shown::filmed(&film, "a");
    assert!(told.summary.contains("\"recovered\""));
    let learners = told.for_learners();
    for word in ENDING {
        assert!(!learners.summary.contains(&format!("\"{word}\"")), "{word}");
    }
    assert!(learners.summary.contains("\"endedAt\"") && !learners.ending.is_empty());
    let source = data::run(&learners);
    assert!(!film.way.parts.is_empty() && !source.contains("\"way\":"));
    for part in &film.way.parts {
        // The platform's assumed numbers are named whatever happens.
        let is_told = |word: &&Text| !word.is_empty() && !learners.summary.contains(word.as_str());
        for word in [&part.rule, &part.flag].into_iter().filter(is_told) {
            assert!(!source.contains(&serde_json::json!(word).to_string()), "{word}");
        }
    }
    let numbers: BTreeSet<&str> = source.split([',', '[', ']', ':', '}']).collect();
    let milestones = crate::analysis::milestones(&film.run);
    assert!(!milestones.is_empty());
    for milestone in milestones {
        let [seconds, micros] = [1_000_000, 1].map(|unit| milestone.at.as_micros() / unit);
        let written = format!("{seconds}.{:06}", micros % 1_000_000);
        // In whole microseconds it stands there as the time of an entry, as those of all others do.
        for time in [written.trim_end_matches('0'), &written] {
            assert!(!numbers.contains(time), "{} at {time}", milestone.name);
        }
    }
}

#[test]
fn the_filmed_tables_are_what_get_prints() {
    let game = game();
    let film = film(&game, 3);
    assert_eq!(film.run.timeline.hash(), game.play(3).timeline.hash(), "a film changes nothing");
    let mut simulation = game.begin(3);
    for seconds in [0, 9, 10, 12, 41, 52, 58, 63, 77, 90] {
        let at = SimTime::ZERO + Duration::from_secs(seconds);
        simulation.run_until(at);
        for (table, (name, kind)) in data::tables(&film).iter().zip(TABLES) {
            let printed = kubectl::get(simulation.view(), &Resource::Kind(kind), Form::Table);
            assert_eq!(names(&printed), shown(table, at), "{name} at {seconds} s");
        }
    }
}

#[test]
fn a_fork_is_filmed_as_it_was_played() {
    let game = load("lost-worker").expect("an embedded lesson");
    let game = Game::new(&game, None, &[], None).expect("it is valid");
    let prepared = prepare(&game, 1, 2).expect("it asks");
    let mut asked = prepared.sheet.questions.iter().zip(&prepared.stops);
    let (posed, stop) = asked.rfind(|(posed, _)| posed.kind == "act").expect("one");
    let run = data::tables(&film(&game, 1));
    for outcome in posed.form.choices().iter().filter_map(|choice| choice.outcome.as_ref()) {
        let until = outcome.run.ended_at;
        let mut fork = stop.treated(outcome.action.as_ref(), until.since(posed.at));
        fork.run_until(until);
        let played = fork.view().timeline().entries();
        assert!(played.starts_with(outcome.run.timeline.entries()), "another run");
        let own = data::tables(&film_fork(stop, outcome));
        for ((own, run), (name, kind)) in own.iter().zip(&run).zip(TABLES) {
            let shared = run.changes.iter().filter(|change| change.at <= posed.at);
            let changes = shared.chain(&own.changes).cloned().collect();
            let whole = Table { changes, ..own.clone() };
            let printed = kubectl::get(fork.view(), &Resource::Kind(kind), Form::Table);
            assert_eq!(names(&printed), shown(&whole, until), "{name}");
        }
    }
}

/// The first two columns that kubectl has printed.
fn names(printed: &str) -> Vec<Vec<String>> {
    let rows = printed.lines().skip(1);
    rows.map(|row| row.split_whitespace().take(2).map(str::to_owned).collect()).collect()
}

/// The same of a table at a time.
fn shown(table: &Table, at: SimTime) -> Vec<Vec<String>> {
    let changes = table.changes.iter().take_while(|change| change.at <= at);
    let rows: BTreeMap<_, _> = changes.map(|change| (&change.name, &change.row)).collect();
    rows.values().filter_map(|row| row.as_ref()).map(|row| row.cells[..2].to_vec()).collect()
}

#[test]
fn the_tables_of_a_trace_are_those_of_the_run_but_for_what_no_entry_tells() {
    let film = film(&game(), 3);
    let (derived, notes) = derived::tables(film.run.timeline.entries());
    assert!(!notes.is_empty());
    let filmed = data::tables(&film);
    // Of Pods a trace has all namespaces.
    for (derived, filmed) in derived.iter().zip(&filmed).filter(|(it, _)| it.name != "pods") {
        let last = SimTime::ZERO + Duration::from_secs(90);
        let (ours, theirs) = (rows(derived, last), rows(filmed, last));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (name, cells) in ours {
            let differ = |(a, b): (&String, &String)| a != b && a != "·";
            let wrong = cells.iter().zip(&theirs[name]).find(|pair| differ(*pair));
            assert_eq!(wrong, None, "{} {name}", derived.name);
        }
    }
}

fn rows(table: &Table, at: SimTime) -> BTreeMap<&Text, Vec<String>> {
    let changes = table.changes.iter().take_while(|change| change.at <= at);
    let rows: BTreeMap<_, _> = changes.map(|change| (&change.name, &change.row)).collect();
    let there = rows.into_iter().filter_map(|(name, row)| Some((name, row.as_ref()?)));
    there.map(|(name, row)| (name, row.cells.clone())).collect()
}

#[test]
fn a_film_has_the_critical_path_and_what_kubectl_is_answered() {
    let film = film(&game(), 3);
    assert!(film.way.absent.is_empty(), "{}", film.way.absent);
    assert!(film.way.parts.windows(2).all(|two| two[0].to == two[1].from));
    assert_eq!(film.answers.said[0], [(SimTime::ZERO, None)], "the API is there all the time");
}

#[test]
fn etcds_members_are_told_as_they_are_every_second_however_it_is_played() {
    let game = game();
    let film = film(&game, 3);
    assert_eq!(film.members.every, Duration::from_secs(1));
    let mut simulation = game.begin(3);
    for seconds in 0..=90 {
        let at = SimTime::ZERO + Duration::from_secs(seconds);
        simulation.run_until(at);
        let told = film.members.samples.iter().rfind(|sample| sample.at <= at).expect("one");
        let members = simulation.view().etcd_members(&WORKLOAD_CLUSTER);
        assert!(!members.is_empty());
        for member in members {
            let place = film.members.names.iter().position(|name| *name == member.info.vm);
            let told = told.states[place.expect("a member that is known")];
            let status = member.status.map(|it| (it.term, it.index, it.applied));
            assert_eq!(told.map(|it| (it.term, it.index, it.applied)), status, "at {seconds} s");
        }
    }
    let film_of = |game: &Game| super::film(game, 1);
    let three = load("etcd-one-of-three").expect("an embedded scenario");
    let three = Game::new(&three, None, &[], Some(Duration::from_secs(620))).expect("it is valid");
    let (sparse, dense) = (film_of(&three), film_of(&three.clone().dense()));
    assert!(sparse.members.samples.len() > 300 && sparse.members.names.len() >= 3);
    assert_eq!(data::run(&Shown::filmed(&sparse, "a")), data::run(&Shown::filmed(&dense, "a")));
}

#[test]
fn a_learners_page_has_no_answer_to_be_read_and_a_teachers_has() {
    let posed = |form| Posed {
        at: SimTime::from_micros(61_000_000),
        told_at: SimTime::from_micros(62_000_000),
        kind: "value",
        ask: Text::word("What?"),
        because: Text::word("the mechanism"),
        show: Vec::new(),
        form,
        shown_by: vec![EntryId(7)],
    };
    let (length, tolerance) = (Duration::from_millis(41_500), Duration::from_secs(10));
    let sheet = Sheet {
        introduction: Text::word("Look."),
        run: Run::default(),
        questions: vec![
            posed(Asked::One(vec![Choice::plain("this", true), Choice::plain("that", false)])),
            posed(Asked::Length { right: Some(length), tolerance }),
        ],
        left_out: Vec::new(),
    };
    let told = ["the mechanism", "\"best\"", "toldAt", "41.5", "shownBy", "\"right\""];
    let prepared = Prepared { sheet, stops: Vec::new() };
    let run = Shown::unfilmed(&prepared.sheet.run);
    let hidden = lesson(&prepared, &run, Answers::Hidden);
    assert!(told.iter().all(|word| !hidden.contains(word)), "{hidden}");
    assert_eq!(hidden.matches("\"check\"").count(), 2);
    let open = lesson(&prepared, &run, Answers::Told);
    assert!(told.iter().all(|word| open.contains(word)) && !open.contains("check"), "{open}");
}
