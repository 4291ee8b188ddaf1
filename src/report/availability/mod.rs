//! Long-run availability in print: how long each service is down in a year, and what by.
//!
//! It counts nothing: all numbers are the estimate's.

mod beside;
#[cfg(test)]
mod tests;

use crate::analysis::availability::{Availability, Cause, EpisodeId, Outage, Service};
use crate::engine::{Delay, Duration, Text, counted};
use crate::report::clock;
use crate::report::json::{difference, length, list, object};
use crate::report::page::{Line, Mood, Span, Style, hang, say};
use crate::scenario::{Failure, Plant};
use beside::{differences, differences_json};
use serde_json::json;
use std::cmp::Reverse;
use std::io;

/// The columns: a cluster, its failures, its services.
const NAME: usize = 26;
const NUMBER: usize = 15;
/// Where what each service has of a cause begins.
const SERVICES: usize = NAME + 32;
/// The narrowest column of a service.
const SERVICE: usize = 12;
/// Causes beyond these are told together.
const MOST_CAUSES: usize = 12;

/// The commands that play again what is told here.
pub struct Again<'a> {
    /// All of it.
    pub all: String,
    /// One episode of a cluster, which it writes as a scenario.
    pub episode: &'a dyn Fn(&Plant, EpisodeId) -> String,
}

/// Writes what came of each cluster.
pub fn write_availability(
    all: &[Availability],
    again: &Again,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Heading, "availability");
    line.add(Mood::Quiet, concat!("   healsim ", env!("CARGO_PKG_VERSION")));
    line.write(style, to)?;
    for one in all {
        writeln!(to)?;
        cluster(one, style, to)?;
        say(Mood::Quiet, &format!("  {}", played(one)), style, to)?;
        services(one, style, to)?;
        unseen(one, style, to)?;
        for failure in never_strikes(one) {
            let (name, thing) = (failure.name(), failure.thing());
            let words = format!("  {name} never strikes: the cluster has no {thing}");
            say(Mood::Quiet, &words, style, to)?;
        }
    }
    differences(all, style, to)?;
    for one in all.iter().filter(|one| can_fail(one)) {
        writeln!(to)?;
        causes(one, style, to)?;
    }
    if let Some(first) = all.first().filter(|one| !one.plant.assumed.is_empty()) {
        writeln!(to)?;
        let never: Vec<Text> =
            never_strikes(first).map(|it| Text::from(format!("rates.{}", it.name()))).collect();
        let counts = first.plant.assumed.iter().filter(|name| !never.contains(name));
        let names: Vec<&str> = counts.map(Text::as_str).collect();
        let text = format!("Rests on assumed numbers: {}.", names.join(", "));
        hang(Line::default(), 0, &[Span::new(Mood::Quiet, text)], style, to)?;
    }
    worst(all, again, style, to)?;
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Quiet, "Play it again:  ").add(Mood::Neutral, again.all.as_str());
    line.write(style, to)
}

/// The worst episode for each service, and the command that writes it as a scenario.
fn worst(
    all: &[Availability],
    again: &Again,
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let of = |one: &'_ Availability| one.services.iter().any(|it| it.worst_episode.is_some());
    if !all.iter().any(of) {
        return Ok(());
    }
    writeln!(to)?;
    let mut line = Line::default();
    line.add(Mood::Heading, "The worst episode for each");
    line.add(Mood::Neutral, ", down so long, as a scenario for `healsim run`, `why` and its page");
    line.write(style, to)?;
    for one in all {
        if all.len() > 1 {
            say(Mood::Neutral, &format!("  {}", things(one)), style, to)?;
        }
        for service in &one.services {
            let Some(outage) = &service.worst_episode else { continue };
            let mut line = Line::default();
            line.add(Mood::Neutral, format!("  {}", service.name));
            line.pad_to(NAME).add(Mood::Neutral, minutes(outage.down));
            line.pad_to(NAME + NUMBER).add(Mood::Neutral, Failure::together(&outage.failures));
            line.write(style, to)?;
            let Outage { episode, .. } = outage;
            let file = format!("episode-{}-{}.yaml", episode.seed, episode.failure);
            let command = (again.episode)(&one.plant, *episode);
            say(Mood::Quiet, &format!("      {command} > {file}"), style, to)?;
        }
    }
    Ok(())
}

/// How often people could do no more than build another cluster, which counts as theirs.
fn built_anew(
    causes: &[&(Vec<Failure>, Cause)],
    style: Style,
    to: &mut impl io::Write,
) -> io::Result<()> {
    let rebuilt: u64 = causes.iter().map(|(_, cause)| cause.rebuilt).sum();
    let all: u64 = causes.iter().map(|(_, cause)| cause.episodes).sum();
    if rebuilt == 0 {
        return Ok(());
    }
    let text = format!(
        "  of {}, {rebuilt} ended with another cluster: nothing that people mend had helped",
        counted(all, "episode")
    );
    say(Mood::Quiet, &text, style, to)
}

fn played(one: &Availability) -> String {
    let Availability { years, asked, first_seed, events, .. } = one;
    let partial = if one.is_partial() { format!(" (partial: of {asked})") } else { String::new() };
    let years = counted(*years, "year");
    format!("{years}{partial} from seed {first_seed} on; {events} engine events")
}

/// What has a rate, and nothing in the cluster that could fail so.
fn never_strikes(one: &Availability) -> impl Iterator<Item = Failure> {
    let rates = one.plant.rates.iter().filter(|(_, rate)| *rate > 0);
    rates.map(|(failure, _)| *failure).filter(|failure| failure.targets(&one.plant) == 0)
}

/// Whether anything in the cluster has a rate.
fn can_fail(one: &Availability) -> bool {
    let mut rates = one.plant.rates.iter();
    rates.any(|(failure, rate)| *rate > 0 && failure.targets(&one.plant) > 0)
}

/// What a cluster has, counted.
fn things(one: &Availability) -> String {
    let plant = &one.plant;
    let more = [(plant.hosts, "host"), (plant.zones, "zone")];
    let more = more.into_iter().filter(|(count, _)| *count > 0);
    let all = [(plant.control_planes, "control-plane VM"), (plant.workers, "worker")];
    let all = all.into_iter().chain(more).map(|(count, noun)| counted(u64::from(count), noun));
    all.collect::<Vec<_>>().join(", ")
}

fn cluster(one: &Availability, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let plant = &one.plant;
    let mut line = Line::default();
    line.add(Mood::Heading, plant.name.as_str());
    line.add(Mood::Neutral, format!(" on {}: {}", plant.platform, things(one)));
    line.write(style, to)?;
    if plant.settings.is_empty() {
        return Ok(());
    }
    let settings: Vec<String> =
        plant.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = format!("with {}", settings.join(", "));
    let mut start = Line::default();
    start.pad_to(2);
    hang(start, 2, &[Span::new(Mood::Neutral, text)], style, to)
}

fn services(one: &Availability, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let heads = ["serves", "95 % interval", "down a year", "years without", "worst year"];
    let mut line = Line::default();
    line.add(Mood::Quiet, "  service");
    for (place, head) in heads.iter().enumerate() {
        line.pad_to(column(place)).add(Mood::Quiet, *head);
    }
    line.write(style, to)?;
    if one.years == 0 {
        return say(Mood::Quiet, "  not played", style, to);
    }
    if one.services.is_empty() {
        let words = match can_fail(one) {
            true => "  nothing ever failed",
            false => "  nothing fails: no thing of this cluster has a rate above 0",
        };
        return say(Mood::Quiet, words, style, to);
    }
    for service in &one.services {
        let (worst, seed) = service.worst;
        let interval = match service.share_interval() {
            Some([low, high]) => format!("{}..{}", percent(low), percent(high)),
            None => "too little seen".to_owned(),
        };
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("  {}", service.name));
        line.pad_to(column(0)).add(Mood::Heading, percent(service.share()));
        line.pad_to(column(1)).add(Mood::Neutral, interval);
        line.pad_to(column(2)).add(Mood::Neutral, minutes(service.down));
        line.pad_to(column(3))
            .add(Mood::Neutral, format!("{}.{} %", service.clean / 10, service.clean % 10));
        line.pad_to(column(4)).add(Mood::Neutral, format!("{} (seed {seed})", minutes(worst)));
        line.write(style, to)?;
    }
    Ok(())
}

/// What so few years may not have shown.
fn unseen(one: &Availability, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    if one.years == 0 || !can_fail(one) {
        return Ok(());
    }
    let (often, down) = (one.unseen(), minutes(one.unseen_down()));
    let words = format!(
        "  not seen in {}: what comes {}.{:03} times a year or less (95 %); of outages of {} that is {down} a year",
        counted(one.years, "year"),
        often / 1000,
        often % 1000,
        clock::length(one.plant.response.high),
    );
    hang(Line::default(), 2, &[Span::new(Mood::Quiet, words.trim_start().to_owned())], style, to)
}

const fn column(place: usize) -> usize {
    // The interval is as wide as two numbers.
    NAME + NUMBER * place + if place > 1 { NUMBER - 2 } else { 0 }
}

/// What the outages come from, what costs most first.
fn causes(one: &Availability, style: Style, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Line::default();
    line.add(Mood::Heading, one.plant.name.as_str());
    line.add(Mood::Neutral, format!(", {}: what it comes from, down a year", things(one)));
    line.write(style, to)?;
    let names: Vec<&Text> = one.services.iter().map(|service| &service.name).collect();
    let columns: Vec<usize> = names
        .iter()
        .scan(SERVICES, |next, name| {
            let here = *next;
            *next += SERVICE.max(name.len() + 2);
            Some(here)
        })
        .collect();
    let mut line = Line::default();
    line.add(Mood::Quiet, "  failures").pad_to(NAME + 10).add(Mood::Quiet, "a year");
    line.pad_to(NAME + 18).add(Mood::Quiet, "by people");
    for (name, column) in names.iter().zip(&columns) {
        line.pad_to(*column).add(Mood::Quiet, name.as_str());
    }
    line.write(style, to)?;
    let mut causes: Vec<&(Vec<Failure>, Cause)> = one.causes.iter().collect();
    causes.sort_by_key(|(_, cause)| Reverse(cause.down.values().copied().max()));
    for (failures, cause) in causes.iter().take(MOST_CAUSES) {
        let mut line = Line::default();
        line.add(Mood::Neutral, format!("  {}", Failure::together(failures)));
        line.pad_to(NAME + 10).add(Mood::Neutral, hundredths(cause.episodes, one.years));
        let by_people = cause.mended + cause.rebuilt;
        let share = (by_people * 100).checked_div(cause.episodes).unwrap_or_default();
        line.pad_to(NAME + 18).add(Mood::Neutral, format!("{share} %"));
        for (name, column) in names.iter().zip(&columns) {
            let down = cause.down.get(*name).copied().unwrap_or_default();
            let a_year = down.scaled(1, one.years.max(1));
            line.pad_to(*column).add(Mood::Neutral, minutes(a_year));
        }
        line.write(style, to)?;
    }
    built_anew(&causes, style, to)?;
    if causes.len() > MOST_CAUSES {
        let more = causes.len() - MOST_CAUSES;
        say(
            Mood::Quiet,
            &format!("  and {more} further groups, each less; -o json has all"),
            style,
            to,
        )?;
    }
    Ok(())
}

/// Everything as one line of JSON.
pub fn availability_json(all: &[Availability], again: &Again) -> String {
    list(all.iter().map(|one| {
        let plant = &one.plant;
        object([
            ("healsim", json!(env!("CARGO_PKG_VERSION")).to_string()),
            ("name", json!(plant.name).to_string()),
            ("platform", json!(plant.platform).to_string()),
            ("controlPlaneVMs", plant.control_planes.to_string()),
            ("workers", plant.workers.to_string()),
            ("hosts", plant.hosts.to_string()),
            ("zones", plant.zones.to_string()),
            ("firstSeed", one.first_seed.to_string()),
            ("years", one.years.to_string()),
            ("settings", list(plant.settings.iter().map(setting_json))),
            ("command", json!(again.all).to_string()),
            ("partial", one.is_partial().to_string()),
            ("engineEvents", one.events.to_string()),
            ("ratesPerYear", object(plant.rates.iter().map(rate_json))),
            ("repairAfter", list(ends(plant.response))),
            ("rebuildTakes", list(ends(plant.rebuild))),
            ("assumed", json!(plant.assumed).to_string()),
            ("neverStrikes", list(never_strikes(one).map(|it| json!(it.name()).to_string()))),
            ("unseenPerYear", thousandths(one.unseen())),
            ("services", list(one.services.iter().map(|it| service_json(it, one, again)))),
            ("besideFirst", differences_json(one)),
            ("causes", list(one.causes.iter().map(cause_json))),
        ])
    }))
}

fn setting_json((key, value): &(String, String)) -> String {
    object([("key", json!(key).to_string()), ("value", json!(value).to_string())])
}

fn service_json(service: &Service, one: &Availability, again: &Again) -> String {
    let share = |share: u64| format!("0.{share:09}").replace("0.1000000000", "1.0");
    let worst = service.worst_episode.as_ref();
    let worst =
        worst.map(|outage| outage_json(outage, &(again.episode)(&one.plant, outage.episode)));
    let ends = service.share_interval().map(|ends| list(ends.map(share).into_iter()));
    object([
        ("service", json!(service.name).to_string()),
        ("availability", share(service.share())),
        ("interval95", ends.unwrap_or_else(|| "null".to_owned())),
        ("downPerYear", length(Some(service.down))),
        ("yearsWithout", thousandths(service.clean)),
        ("worstYear", length(Some(service.worst.0))),
        ("worstSeed", service.worst.1.to_string()),
        ("worstEpisode", worst.unwrap_or_else(|| "null".to_owned())),
        ("downByYear", list(service.each.iter().map(|micros| difference(*micros)))),
    ])
}

fn outage_json(outage: &Outage, command: &str) -> String {
    object([
        ("down", length(Some(outage.down))),
        ("seed", outage.episode.seed.to_string()),
        ("failure", outage.episode.failure.to_string()),
        ("failures", names(&outage.failures)),
        ("command", json!(command).to_string()),
    ])
}

fn rate_json((failure, rate): &(Failure, u64)) -> (&'static str, String) {
    (failure.name(), thousandths(*rate))
}

/// The shortest and the longest, in seconds.
fn ends(delay: Delay) -> impl Iterator<Item = String> {
    [delay.low, delay.high].into_iter().map(|end| length(Some(end)))
}

fn cause_json((failures, cause): &(Vec<Failure>, Cause)) -> String {
    let down = cause.down.iter().map(|(name, down)| {
        object([("service", json!(name).to_string()), ("down", length(Some(*down)))])
    });
    object([
        ("failures", names(failures)),
        ("episodes", cause.episodes.to_string()),
        ("mended", cause.mended.to_string()),
        ("rebuilt", cause.rebuilt.to_string()),
        ("down", list(down)),
    ])
}

fn names(failures: &[Failure]) -> String {
    let names: Vec<&str> = failures.iter().map(|failure| failure.name()).collect();
    json!(names).to_string()
}

/// Parts of 10^9 as a percentage, rounded down: nobody is promised more. With four decimals, or as many as
/// tell it from 100 %.
fn percent(share: u64) -> String {
    let (whole, rest) = (share / 10_000_000, share % 10_000_000);
    match share {
        999_990_000..1_000_000_000 => format!("{whole}.{rest:07} %"),
        _ => format!("{whole}.{:04} %", rest / 1000),
    }
}

/// Rounded up, as shares are rounded down.
fn minutes(length: Duration) -> String {
    let hundredths = |of: u64| length.as_micros().div_ceil(of / 100);
    match length.as_secs() {
        0..60 => format!("{}.{:02} s", hundredths(1_000_000) / 100, hundredths(1_000_000) % 100),
        60..36_000 => {
            format!("{}.{:02} min", hundredths(60_000_000) / 100, hundredths(60_000_000) % 100)
        }
        _ => clock::length(length),
    }
}

fn thousandths(share: u64) -> String {
    format!("{}.{:03}", share / 1000, share % 1000)
}

/// How often a year, to the nearest hundredth; what happens more seldom is not told as never.
fn hundredths(count: u64, years: u64) -> String {
    let share = (count * 200 + years).checked_div(2 * years).unwrap_or_default();
    match share {
        0 if count > 0 => "<0.01".to_owned(),
        _ => format!("{}.{:02}", share / 100, share % 100),
    }
}
