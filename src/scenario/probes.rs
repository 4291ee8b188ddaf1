//! Users who try whether things work, as a scenario asks for them: `probes`.

use super::catalog::Catalog;
use super::mistake::{Mistake, nearest};
use super::settings::control_plane::{client, retries};
use super::yaml::{Source, Spanned};
use crate::components::{ingress, prober};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Downtime, Entry, Level};
use crate::world::{ApiUser, Probe, Users};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One user: of an app, or of the API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenProbe {
    /// A workload that is asked through its ingress, once a second.
    app: Option<Spanned<String>>,
    /// How often a Deployment is created.
    deploy: Option<Spanned<String>>,
    /// Whom a user of the API asks, once a second.
    api: Option<Spanned<String>>,
}

/// A Deployment that is created more often than this does not come to its end before the next.
const SHORTEST: Duration = Duration::from_secs(10);

/// The users that are meant, where these workloads and control planes can be asked.
fn meant(
    item: &Spanned<WrittenProbe>,
    source: &Source,
    apps: &[&str],
    planes: &[Text],
) -> Result<Vec<Probe>, Mistake> {
    match (&item.value.app, &item.value.deploy, &item.value.api) {
        (Some(app), None, None) => app_user(app, source, apps).map(|user| vec![user]),
        (None, Some(every), None) => deployer(every, source).map(|user| vec![user]),
        (None, None, Some(whom)) => api_users(whom, source, planes),
        (None, None, None) => {
            let message = "a probe is `app: WORKLOAD`, `deploy: INTERVAL` or `api: WHOM`";
            Err(source.mistake(item, message))
        }
        _ => {
            let message = "a probe is one of `app`, `deploy` and `api`; write several";
            Err(source.mistake(item.value.place().expect("two are written"), message))
        }
    }
}

impl WrittenProbe {
    fn place(&self) -> Option<&Spanned<String>> {
        self.app.as_ref().or(self.deploy.as_ref()).or(self.api.as_ref())
    }
}

fn app_user(app: &Spanned<String>, source: &Source, apps: &[&str]) -> Result<Probe, Mistake> {
    if apps.contains(&app.value.as_str()) {
        return Ok(Probe::App(Text::from(app.value.as_str())));
    }
    let hint = match nearest(&app.value, apps.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if apps.is_empty() => "this cluster has none".to_owned(),
        None => format!("known: {}", apps.join(", ")),
    };
    Err(source.mistake(app, format!("no workload `{}`; {hint}", app.value)))
}

fn deployer(every: &Spanned<String>, source: &Source) -> Result<Probe, Mistake> {
    let parsed = every.value.parse::<Duration>();
    let interval = parsed.map_err(|error| source.mistake(every, error.to_string()))?;
    if interval < SHORTEST {
        let message =
            format!("a Deployment every {interval} is too often; write {SHORTEST} or more");
        return Err(source.mistake(every, message));
    }
    Ok(Probe::Deploy(interval))
}

/// `each`: those by whom the API's availability is defined, one pinned to each API server and one
/// who connects anew each time.
fn api_users(
    whom: &Spanned<String>,
    source: &Source,
    planes: &[Text],
) -> Result<Vec<Probe>, Mistake> {
    let fresh = Probe::Api(ApiUser::Fresh);
    let pinned = |vm: &Text| Probe::Api(ApiUser::At(vm.clone()));
    let known_plane = |vm: &str| planes.iter().find(|plane| **plane == *vm);
    let via = whom.value.strip_prefix("via ").and_then(known_plane);
    if let Some(plane) = via {
        return Ok(vec![Probe::Api(ApiUser::Led(plane.clone()))]);
    }
    match whom.value.as_str() {
        "each" => Ok(planes.iter().map(pinned).chain([fresh]).collect()),
        "endpoint" => Ok(vec![fresh]),
        vm => match known_plane(vm) {
            Some(plane) => Ok(vec![pinned(plane)]),
            None => {
                let known = ["each", "endpoint"].into_iter().chain(planes.iter().map(Text::as_str));
                let known: Vec<&str> = known.collect();
                let message = format!(
                    "nobody serves the API at `{vm}`; write one of {}, or `via` and one of these VMs",
                    known.join(", ")
                );
                Err(source.mistake(whom, message))
            }
        },
    }
}

/// The `probes` with which there would be a user of this name in a timeline.
pub fn that_says(name: &str) -> String {
    let (key, value) = match (name.strip_prefix("app-"), name.split_once('@')) {
        (Some(app), _) if !app.contains('*') => ("app", app.to_owned()),
        (_, Some(("api", vm))) if !vm.contains('*') => ("api", vm.replacen("via-", "via ", 1)),
        _ if name == "deploy" => ("deploy", "30s".to_owned()),
        _ if name == "api" => ("api", "endpoint".to_owned()),
        _ if name.starts_with("api") => ("api", "each".to_owned()),
        _ => ("app", "WORKLOAD".to_owned()),
    };
    format!("probes: [{{ {key}: {value} }}]")
}

/// The users that are meant; each mistake is noted.
pub fn resolve(
    written: &[Spanned<WrittenProbe>],
    source: &Source,
    (apps, control_planes): (&[&str], u32),
    note: &mut impl FnMut(Mistake),
) -> Vec<Probe> {
    let planes: Vec<Text> =
        (0..control_planes).map(|number| Text::from(format!("control-plane-{number}"))).collect();
    let mut probes: Vec<Probe> = Vec::new();
    let is_deploy = |probe: &Probe| matches!(probe, Probe::Deploy(_));
    for one in written {
        match meant(one, source, apps, &planes) {
            Ok(users) => {
                let twice = users.iter().any(|user| {
                    probes.contains(user) || is_deploy(user) && probes.iter().any(is_deploy)
                });
                match one.value.place().filter(|_| twice) {
                    Some(place) => {
                        let message = "there is such a probe already; one of each is enough";
                        note(source.mistake(place, message));
                    }
                    None => probes.extend(users),
                }
            }
            Err(mistake) => note(mistake),
        }
    }
    probes
}

/// These users, with their numbers; nobody if there is none.
pub fn users(probes: Vec<Probe>, all: &Catalog) -> Option<Users> {
    if probes.is_empty() {
        return None;
    }
    let period = |key: &str| all.period(&format!("users.{key}"));
    Some(Users {
        probes,
        ingress: ingress::Settings {
            client: client(all),
            programming: all.delay("users.endpointProgramming"),
        },
        app: prober::app::Settings {
            interval: period("askInterval"),
            timeout: period("askTimeout"),
            outage: period("outage"),
            calm: period("calm"),
        },
        api: prober::api::Settings {
            interval: period("askInterval"),
            timeout: period("apiTimeout"),
            outage: period("outage"),
            calm: period("calm"),
        },
        deploy: prober::deploy::Settings {
            interval: SHORTEST,
            poll: period("deployPoll"),
            patience: period("deployPatience"),
            retries: retries(all),
        },
    })
}

/// How long each app was down, or failed now and then, for the user who asks it.
///
/// It is down from its last answer on, so `outage` before the user says so.
pub fn downtimes(
    entries: &[Entry],
    from: Option<SimTime>,
    end: SimTime,
    outage: Duration,
) -> BTreeMap<Text, Downtime> {
    let mut found: BTreeMap<Text, Downtime> = BTreeMap::new();
    let mut since: BTreeMap<Text, (Text, SimTime)> = BTreeMap::new();
    let is_app = |entry: &&Entry| entry.kind == *"Probe" && entry.name.starts_with("app-");
    for entry in entries.iter().filter(is_app) {
        let app = Text::from(entry.name.replacen("app-", "app/", 1));
        let status = Text::from(entry.to.as_text().unwrap_or_default());
        let begun = match status.as_str() {
            "down" => SimTime::ZERO + entry.at.since(SimTime::ZERO + outage),
            _ => entry.at,
        };
        if let Some((before, was)) = since.insert(app.clone(), (status, begun)) {
            add(found.entry(app).or_insert_with(none), &before, was, begun, from);
        }
    }
    for (app, (status, was)) in since {
        let downtime = found.entry(app).or_insert_with(none);
        add(downtime, &status, was, end, from);
        downtime.at_end = match status.as_str() {
            "down" => Level::Down,
            "degraded" => Level::Degraded,
            _ => Level::Full,
        };
    }
    found
}

/// How long no user of the API had an answer, if anybody asks it: from the last answer on.
pub fn api_downtime(
    entries: &[Entry],
    from: Option<SimTime>,
    end: SimTime,
    outage: Duration,
) -> Option<Downtime> {
    let mut down: BTreeMap<&Text, bool> = BTreeMap::new();
    let mut since: Option<SimTime> = None;
    let mut found = Downtime::default();
    let is_api = |name: &Text| *name == *"api" || name.starts_with("api@");
    let status =
        |entry: &&Entry| entry.kind == *"Probe" && entry.field == *"status" && is_api(&entry.name);
    for entry in entries.iter().filter(status) {
        down.insert(&entry.name, entry.to.as_text() == Some("down"));
        match (since, down.values().all(|is_down| *is_down)) {
            (None, true) => since = Some(SimTime::ZERO + entry.at.since(SimTime::ZERO + outage)),
            (Some(was), false) => {
                add(&mut found, "down", was, entry.at, from);
                since = None;
            }
            _ => {}
        }
    }
    if let Some(was) = since {
        add(&mut found, "down", was, end, from);
        found.at_end = Level::Down;
    }
    (!down.is_empty()).then_some(found)
}

fn none() -> Downtime {
    Downtime { degraded: Some(Duration::ZERO), ..Downtime::default() }
}

/// Adds a time in a status, as far as it lies after the first fault.
fn add(to: &mut Downtime, status: &str, was: SimTime, until: SimTime, from: Option<SimTime>) {
    let Some(from) = from else { return };
    let lasted = until.since(was.max(from));
    match status {
        "down" => to.unavailable = to.unavailable + lasted,
        "degraded" => to.degraded = to.degraded.map(|before| before + lasted),
        _ => {}
    }
}
